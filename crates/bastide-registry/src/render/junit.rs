//! JUnit XML, as build servers show it: one test case to a file.

use std::fmt::Write as _;

use bastide_types::Assessment;

use crate::render::severity;
use crate::scan::{Scan, ScannedFile};

/// The scan as one test suite: a malicious file is a failure, an unfinished one an error, and with `strict` one to be
/// reviewed is a failure too.
#[must_use]
pub fn junit(scan: &Scan, strict: bool) -> String {
    let failed = |file: &&ScannedFile| fails(file.assessment(), strict);
    let failures = scan.files.iter().filter(failed).count();
    let errors = scan.count(Assessment::Unfinished);
    let mut out = format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<testsuites>\n  <testsuite name=\"bastide scan\" tests=\"{}\" \
         failures=\"{failures}\" errors=\"{errors}\">\n",
        scan.files.len()
    );
    for file in &scan.files {
        case(file, strict, &mut out);
    }
    out.push_str("  </testsuite>\n</testsuites>\n");
    out
}

const fn fails(assessment: Assessment, strict: bool) -> bool {
    matches!(assessment, Assessment::Malicious) || strict && matches!(assessment, Assessment::Review)
}

fn case(file: &ScannedFile, strict: bool, out: &mut String) {
    let name = escaped(&file.path.display().to_string());
    let format = file.report.format;
    let assessment = file.assessment();
    let _ = write!(out, "    <testcase classname=\"{format}\" name=\"{name}\"");
    let details: String = file
        .findings()
        .filter(|(_, suppression)| suppression.is_none())
        .map(|(f, _)| {
            let call = f.call.as_ref().map_or_else(String::new, |call| format!(": {call}"));
            format!("{} [{}] {}{call}\n", f.rule.id, severity(f.severity()), f.message)
        })
        .collect();
    let details = escaped(&details);
    let _ = if fails(assessment, strict) {
        write!(out, ">\n      <failure message=\"{assessment}\">{details}</failure>\n    </testcase>\n")
    } else if assessment == Assessment::Unfinished {
        write!(out, ">\n      <error message=\"{assessment}\">{details}</error>\n    </testcase>\n")
    } else if details.is_empty() {
        out.write_str("/>\n")
    } else {
        write!(out, ">\n      <system-out>{details}</system-out>\n    </testcase>\n")
    };
}

/// Text in XML 1.0, which has no control characters at all.
fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '&' => out.push_str("&amp;"),
            '"' => out.push_str("&quot;"),
            '\n' | '\t' => out.push(c),
            c if c.is_control() || matches!(c, '\u{fffe}' | '\u{ffff}') => out.push('\u{fffd}'),
            c => out.push(c),
        }
    }
    out
}
