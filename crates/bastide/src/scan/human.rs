//! A scan for a person: the worst file first, every finding with the call it stands for, and what to do at the end.

use std::cmp::Reverse;
use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::io::{self, Write as _};
use std::time::Duration;

use anstyle::{AnsiColor, Style};
use bastide_admin::{Failure, could_not};
use bastide_artifact::Finding;
use bastide_registry::{Scan, ScannedFile, Suppression, render};
use bastide_types::{Assessment, Rule};

use crate::show::one_line;

/// Prints the scan to standard output, in colour where that is a terminal.
pub(crate) fn print(scan: &Scan, took: Duration) -> Result<(), Failure> {
    write(&text(scan, took))
}

/// Prints every rule.
pub(crate) fn rules() -> Result<(), Failure> {
    let mut out = String::new();
    for rule in render::rules() {
        let _ = writeln!(
            out,
            "{}{:<34}{:#} {:<9} {:<10} {}",
            BOLD,
            rule.id,
            BOLD,
            render::severity(rule.severity),
            rule.effect,
            rule.title
        );
    }
    write(&out)
}

fn write(text: &str) -> Result<(), Failure> {
    let mut out = anstream::AutoStream::auto(io::stdout().lock());
    match out.write_all(text.as_bytes()).and_then(|()| out.flush()) {
        Err(e) if e.kind() == io::ErrorKind::BrokenPipe => Ok(()),
        other => other.map_err(could_not),
    }
}

const BOLD: Style = Style::new().bold();
const DIM: Style = Style::new().dimmed();

const fn colour(assessment: Assessment) -> Style {
    let colour = match assessment {
        Assessment::Malicious => AnsiColor::Red,
        Assessment::Unfinished => AnsiColor::Magenta,
        Assessment::Review => AnsiColor::Yellow,
        Assessment::Clean => AnsiColor::Green,
    };
    colour.on_default().bold()
}

fn text(scan: &Scan, took: Duration) -> String {
    let mut out = String::new();
    let mut files: Vec<&ScannedFile> = scan.files.iter().filter(|f| !f.report.findings.is_empty()).collect();
    // Stable: files of one kind stay in the order they were found in.
    files.sort_by_key(|f| Reverse(f.assessment()));
    let mut advice: BTreeMap<&str, &Rule> = BTreeMap::new();
    for file in &files {
        one(file, &mut out);
        let open = file.findings().filter(|(f, s)| s.is_none() && f.rule.effect > Assessment::Clean);
        advice.extend(open.map(|(f, _)| (f.rule.id, f.rule)));
    }
    if !advice.is_empty() {
        let _ = writeln!(out, "{BOLD}What to do{BOLD:#}");
        for rule in advice.values() {
            let _ = writeln!(out, "  {:<32} {}", rule.id, rule.fix);
        }
        out.push('\n');
    }
    summary(scan, took, &mut out);
    out
}

fn one(file: &ScannedFile, out: &mut String) {
    let assessment = file.assessment();
    let style = colour(assessment);
    let path = one_line(&file.path.display().to_string());
    let _ = writeln!(
        out,
        "{style}{assessment:<10}{style:#} {BOLD}{path}{BOLD:#}  {DIM}{}{DIM:#}",
        file.report.format
    );
    for (finding, suppression) in file.findings() {
        line(finding, suppression, out);
    }
    if file.report.more_findings > 0 {
        let _ = writeln!(out, "  and {} more", file.report.more_findings);
    }
    out.push('\n');
}

fn line(finding: &Finding, suppression: Option<&Suppression>, out: &mut String) {
    let style = if suppression.is_some() { DIM } else { colour(finding.rule.effect) };
    let severity = render::severity(finding.severity());
    let place = match (finding.members.is_empty(), finding.offset) {
        (true, None) => String::new(),
        (true, Some(offset)) => format!("  byte {offset}"),
        (false, None) => format!("  in {}", finding.members.join(" → ")),
        (false, Some(offset)) => format!("  in {}, byte {offset}", finding.members.join(" → ")),
    };
    let times = if finding.count > 1 { format!("  {} times", finding.count) } else { String::new() };
    let place = one_line(&place);
    let _ = writeln!(out, "  {style}{severity:<8}{style:#} {}{DIM}{place}{times}{DIM:#}", finding.rule.id);
    let _ = writeln!(out, "           {}", one_line(&finding.message));
    if let Some(call) = &finding.call {
        let _ = writeln!(out, "           {BOLD}{}{BOLD:#}", one_line(call));
    }
    if let Some(suppression) = suppression {
        let _ = writeln!(out, "           {DIM}accepted: {}{DIM:#}", one_line(&suppression.reason));
    }
}

fn summary(scan: &Scan, took: Duration, out: &mut String) {
    let style = colour(scan.assessment());
    let counts = [
        (Assessment::Malicious, "malicious"),
        (Assessment::Unfinished, "unfinished"),
        (Assessment::Review, "to review"),
        (Assessment::Clean, "clean"),
    ];
    let counts: Vec<String> = counts
        .iter()
        .filter_map(|(assessment, words)| {
            let count = scan.count(*assessment);
            (count > 0).then(|| format!("{count} {words}"))
        })
        .collect();
    let bytes = scan.files.iter().map(|f| f.size).sum();
    let files = scan.files.len();
    let plural = if files == 1 { "" } else { "s" };
    let counts = if counts.is_empty() { "nothing to scan".to_owned() } else { counts.join(", ") };
    let _ = writeln!(
        out,
        "{style}{counts}{style:#}  {DIM}{files} file{plural}, {} in {:.2} s{DIM:#}",
        indicatif::BinaryBytes(bytes),
        took.as_secs_f64()
    );
    for path in &scan.passed_over {
        let path = one_line(&path.display().to_string());
        let _ = writeln!(out, "{DIM}left out `{path}`: give it to scan it too{DIM:#}");
    }
}
