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

/// The same without colours, for a file.
pub(super) fn plain(scan: &Scan, took: Duration) -> String {
    anstream::adapter::strip_str(&text(scan, took)).to_string()
}

/// Writes to standard output, in colour where that is a terminal.
pub(super) fn write(text: &str) -> Result<(), Failure> {
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
    files.sort_by_key(|file| {
        let open = file.findings().filter(|(_, accepted)| accepted.is_none());
        Reverse((file.assessment(), open.map(|(finding, _)| finding.severity()).max()))
    });
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
    let at = match (finding.line, finding.offset) {
        // Readers of code and of dependencies say it themselves.
        (Some(line), _) if says(&finding.message, line) => String::new(),
        (Some(line), _) => format!("line {line}"),
        (None, Some(offset)) => format!("byte {offset}"),
        (None, None) => String::new(),
    };
    let place = match (finding.members.join(" → "), at) {
        (members, at) if members.is_empty() && at.is_empty() => String::new(),
        (members, at) if members.is_empty() => format!("  {at}"),
        (members, at) if at.is_empty() => format!("  in {members}"),
        (members, at) => format!("  in {members}, {at}"),
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

fn says(message: &str, line: u64) -> bool {
    message.starts_with(&format!("line {line}:")) || message.contains(&format!("(line {line})"))
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
    let (style, counts) = match files {
        // What nobody looked at is not clean.
        0 => (colour(Assessment::Review), "nothing to scan".to_owned()),
        _ => (style, counts.join(", ")),
    };
    let _ = writeln!(
        out,
        "{style}{counts}{style:#}  {DIM}{files} file{plural}, {} in {:.2} s{DIM:#}",
        indicatif::BinaryBytes(bytes),
        took.as_secs_f64()
    );
    not_checked(scan, out);
}

/// What was not looked at, or not to the end, with how much of it there is.
fn not_checked(scan: &Scan, out: &mut String) {
    let mut line = |what: String| {
        let _ = writeln!(out, "{DIM}not checked: {}{DIM:#}", one_line(&what));
    };
    let of = |count: u64, one: &str, more: &str| {
        if count == 1 { format!("1 {one}") } else { format!("{count} {more}") }
    };
    for path in &scan.left_out.version_control {
        line(format!("`{}`, a folder of version control: give it to scan it too", path.display()));
    }
    for (pattern, paths) in scan.left_out.excluded.iter().filter(|(_, paths)| **paths > 0) {
        let paths = of(*paths, "file or folder", "files and folders");
        line(format!("{paths} that `--exclude {pattern}` names"));
    }
    if scan.left_out.links > 0 {
        let links = of(scan.left_out.links, "link to a folder", "links to folders");
        line(format!("{links} within what was scanned, which is read where it is"));
    }
    let at_limit = scan.at_limit() as u64;
    if at_limit > 0 {
        let files = of(at_limit, "file", "files");
        line(format!(
            "the rest of {files} that reached a limit: `--max-expanded`, `--max-entries`, `--max-depth` raise some"
        ));
    }
    let unfinished = (scan.count(Assessment::Unfinished) as u64).saturating_sub(at_limit);
    if unfinished > 0 {
        let files = of(unfinished, "file that is", "files that are");
        line(format!("{files} unreadable or broken off; see above"));
    }
}
