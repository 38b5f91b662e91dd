//! The state of one scan: what was found, where we are, what is left to spend.

use std::cmp::Reverse;

use bastide_code::dependencies::Package;
use bastide_types::{Assessment, Rule};

use crate::folder;
use crate::format::{self, Format};
use crate::halt::{Halt, Parsed, size};
use crate::limits::Limits;
use crate::lines;
use crate::pickle::carried;
use crate::report::{Facts, Finding, Report};
use crate::rules;
use crate::source::Source;

/// Scans one file: decides by its content what it is, and follows everything in it that a loader would open.
///
/// `name` is the file's name without folders. It tells apart texts that have no other mark (`config.json` of a model
/// from any JSON); no check is left out because of it.
#[must_use]
pub fn scan(source: &dyn Source, name: &str, limits: &Limits) -> Report {
    let mut scan = Scan::new(limits);
    let format = scan.open(source, name, None);
    lines::number(&mut scan.findings, format, source);
    scan.finish(format)
}

/// Reads one file as `format` whatever it is, and what lies in it as [`scan`] does. For fuzzing, where recognition would
/// turn most inputs away before a reader sees them.
#[doc(hidden)]
#[must_use]
pub fn scan_as(format: Format, source: &dyn Source, name: &str, limits: &Limits) -> Report {
    let mut scan = Scan::new(limits);
    scan.size = source.size();
    for reading in format::readings_of(format) {
        if let Err(halt) = reading.read(source, name, &mut scan) {
            scan.halted(format, halt);
        }
    }
    scan.finish(format)
}

/// One scan under way.
pub(crate) struct Scan<'l> {
    pub(crate) limits: &'l Limits,
    pub(crate) facts: Facts,
    findings: Vec<Finding>,
    more_findings: u64,
    /// The worst effect of findings that are not kept.
    more_effect: Assessment,
    /// Names of the members from the file to here.
    members: Vec<String>,
    /// Bytes of the innermost file; offsets beyond are not told.
    size: u64,
    steps: u64,
    expanded: u64,
    /// Whether what is read is the content of a package of a system.
    package: bool,
}

impl<'l> Scan<'l> {
    pub(crate) fn new(limits: &'l Limits) -> Self {
        Scan {
            limits,
            facts: Facts::default(),
            findings: Vec::new(),
            more_findings: 0,
            more_effect: Assessment::Clean,
            members: Vec::new(),
            size: u64::MAX,
            steps: 0,
            expanded: 0,
            package: false,
        }
    }

    /// Scans everything that `source` may be taken for but `never`; what it is first of all.
    fn open(&mut self, source: &dyn Source, name: &str, never: Option<Format>) -> Format {
        let outer = std::mem::replace(&mut self.size, source.size());
        if source.size() == 0 {
            folder::empty(name, self);
        }
        let format = match format::recognise(source, name) {
            Ok(mut readings) => {
                readings.retain(|reading| Some(reading.format) != never);
                for reading in &readings {
                    if let Err(halt) = reading.read(source, name, self) {
                        self.halted(reading.format, halt);
                    }
                }
                if readings.is_empty() {
                    if let Err(halt) = carried::unknown(source, self) {
                        self.halted(Format::Unknown, halt);
                    }
                    if self.findings.is_empty() {
                        folder::unknown(name, source.size(), self);
                    }
                }
                readings.first().map_or(Format::Unknown, |reading| reading.format)
            }
            Err(halt) => {
                self.halted(Format::Unknown, halt);
                Format::Unknown
            }
        };
        self.size = outer;
        format
    }

    /// Scans a member: a file within this one, called `name`.
    pub(crate) fn nested(&mut self, name: &str, source: &dyn Source) -> Option<Format> {
        self.nested_but(None, name, source)
    }

    /// The same for a member that is known not to be `never`, whatever it looks like.
    pub(crate) fn nested_but(
        &mut self,
        never: Option<Format>,
        name: &str,
        source: &dyn Source,
    ) -> Option<Format> {
        if self.members.len() >= self.limits.depth {
            self.find(
                &rules::DEPTH,
                None,
                format!("`{}` lies deeper than {} levels", shown(name), self.limits.depth),
            );
            return None;
        }
        self.members.push(shown(name));
        let last = name.rsplit(['/', '\\']).next().unwrap_or(name);
        let format = self.open(source, last, never);
        self.members.pop();
        Some(format)
    }

    /// Names the member that `work` looks into, without a recognition of its own.
    pub(crate) fn within<T>(&mut self, name: &str, work: impl FnOnce(&mut Self) -> T) -> T {
        self.members.push(shown(name));
        let outer = std::mem::replace(&mut self.size, u64::MAX);
        let result = work(self);
        self.size = outer;
        self.members.pop();
        result
    }

    /// Notes a package that the lock file here pins; whether there was room for it.
    pub(crate) fn package(&mut self, package: Package) -> bool {
        self.facts.package(package, &self.members)
    }

    /// Does `work` on the content of a package that a system installs: its paths count from the top of the system.
    pub(crate) fn in_package<T>(&mut self, work: impl FnOnce(&mut Self) -> T) -> T {
        let outer = std::mem::replace(&mut self.package, true);
        let result = work(self);
        self.package = outer;
        result
    }

    /// Whether what is read is the content of such a package.
    pub(crate) fn is_package(&self) -> bool {
        self.package
    }

    /// How many levels of members lie above.
    pub(crate) fn depth(&self) -> usize {
        self.members.len()
    }

    /// Notes a finding.
    pub(crate) fn find(
        &mut self,
        rule: &'static Rule,
        offset: impl Into<Option<u64>>,
        message: impl Into<String>,
    ) {
        self.add(rule, offset.into(), message.into(), None);
    }

    /// Notes a finding with the call that loading would make.
    pub(crate) fn find_call(
        &mut self,
        rule: &'static Rule,
        offset: u64,
        message: impl Into<String>,
        call: String,
    ) {
        self.add(rule, Some(offset), message.into(), Some(call));
    }

    fn add(&mut self, rule: &'static Rule, offset: Option<u64>, message: String, call: Option<String>) {
        let known = self.findings.iter_mut().find(|known| {
            known.rule == rule
                && known.message == message
                && known.call == call
                && known.members == self.members
        });
        if let Some(known) = known {
            known.count += 1;
        } else if self.findings.len() < self.limits.findings {
            let members = self.members.clone();
            // A pointer out of the file, or a place in a text that is longer decoded than in the file.
            let offset = offset.filter(|&at| at <= self.size);
            self.findings.push(Finding { rule, message, offset, line: None, members, call, count: 1 });
        } else {
            self.more_findings += 1;
            self.more_effect = self.more_effect.max(rule.effect);
        }
    }

    /// Whether a finding of `rule` was noted anywhere in the file.
    pub(crate) fn found(&self, rule: &'static Rule) -> bool {
        self.findings.iter().any(|finding| finding.rule == rule)
    }

    /// Notes that the reader of `format` stopped before the end.
    pub(crate) fn halted(&mut self, format: Format, halt: Halt) {
        match halt {
            Halt::Truncated { offset } => {
                self.find(
                    &rules::TRUNCATED,
                    offset,
                    format!("the file ends in the middle of its {format} content"),
                );
            }
            Halt::Malformed { offset, what } => {
                self.find(&rules::MALFORMED, offset, format!("not readable as {format}: {what}"));
            }
            Halt::Unreadable(error) => self.find(&rules::UNREADABLE, None, error.to_string()),
            Halt::Limit { what } => self.find(&rules::LIMIT, None, format!("it needs more than {what}")),
        }
    }

    /// Takes `steps` from the budget of the whole file.
    ///
    /// # Errors
    ///
    /// [`Halt::Limit`] when there are none left.
    pub(crate) fn spend(&mut self, steps: u64) -> Parsed<()> {
        self.steps = self.steps.saturating_add(steps);
        if self.steps > self.limits.steps {
            return Err(Halt::limit(format!("{} steps", self.limits.steps)));
        }
        Ok(())
    }

    /// Takes `bytes` that decompression made from the budget of the whole file.
    ///
    /// # Errors
    ///
    /// [`Halt::Limit`] when there are none left.
    pub(crate) fn expand(&mut self, bytes: u64) -> Parsed<()> {
        self.expanded = self.expanded.saturating_add(bytes);
        if self.expanded > self.limits.expanded_bytes {
            return Err(Halt::limit(format!("{} of decompressed content", size(self.limits.expanded_bytes))));
        }
        Ok(())
    }

    /// How many bytes decompression has made so far.
    pub(crate) fn expanded(&self) -> u64 {
        self.expanded
    }

    fn finish(mut self, format: Format) -> Report {
        self.findings.sort_by_key(|finding| (Reverse(finding.rule.effect), Reverse(finding.rule.severity)));
        Report {
            format,
            findings: self.findings,
            more_findings: self.more_findings,
            more_effect: self.more_effect,
            facts: self.facts,
        }
    }
}

/// A name from a file as it may stand in a message: no control characters, no more than a line.
pub(crate) fn shown(text: &str) -> String {
    const LINE: usize = 160;
    let mut shown: String = text
        .chars()
        .take(LINE)
        .map(|c| if c.is_control() || is_format(c) { '\u{fffd}' } else { c })
        .collect();
    if text.chars().nth(LINE).is_some() {
        shown.push('…');
    }
    shown
}

/// Characters that turn or hide what stands beside them.
fn is_format(c: char) -> bool {
    matches!(c, '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{2069}' | '\u{feff}' | '\u{e0000}'..='\u{e007f}')
}
