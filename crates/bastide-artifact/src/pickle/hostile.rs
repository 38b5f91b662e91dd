//! What arguments say of a call whose callee nobody knows.

use super::danger::Family;
use super::machine::{Call, State};
use super::value::{Kind, Value};
use crate::text::shell;

/// How deep texts are looked for in arguments.
const DEPTH: usize = 3;
/// Texts that are looked at in one call.
const TEXTS: usize = 64;
/// Values among which they are looked for: a list may hold itself many times.
const VALUES: u32 = 1 << 10;

/// What a call does, told by the texts that it hands over: commands, code, and what only loaders of files and addresses want.
pub(super) fn family(state: &State<'_>, call: &Call<'_>, is_class: bool) -> Option<Family> {
    let mut texts = Vec::new();
    let mut left = VALUES;
    collect(state, call.args, 0, &mut left, &mut texts);
    collect(state, call.keywords.as_slice(), 0, &mut left, &mut texts);
    state.work((VALUES - left).into());
    texts.iter().find_map(|text| of_text(text, is_class))
}

fn collect(state: &State<'_>, values: &[Value], depth: usize, left: &mut u32, texts: &mut Vec<String>) {
    for value in values {
        if texts.len() >= TEXTS || *left == 0 {
            return;
        }
        *left -= 1;
        match value.kind() {
            Kind::Text | Kind::Bytes => texts.extend(state.text(*value)),
            Kind::Tuple | Kind::List | Kind::Dict if depth < DEPTH => {
                let cell = state.heap.get(*value);
                collect(state, cell.map_or(&[], |cell| cell.items()), depth + 1, left, texts);
            }
            // The parts of a path.
            Kind::Instance if state.global(*value).is_some_and(|made| made.module.starts_with("pathlib")) => {
                let parts = state.heap.get(*value).map_or(&[] as &[Value], |cell| cell.items());
                let parts: Vec<String> = parts.iter().filter_map(|part| state.text(*part)).collect();
                texts.push(parts.join("/").replace("//", "/"));
            }
            _ => {}
        }
    }
}

fn of_text(text: &str, is_class: bool) -> Option<Family> {
    let text = text.trim();
    if shell::attack(text).is_some() {
        return Some(Family::Process);
    }
    if is_code(text) {
        return Some(Family::Execution);
    }
    if is_secret(text) {
        return Some(Family::File);
    }
    // Classes keep names of files and addresses, too; functions are called for what they do with them.
    match is_class {
        false if is_address(text) => Some(Family::Network),
        false if is_absolute(text) => Some(Family::File),
        _ => None,
    }
}

/// Python that imports, evaluates or runs.
pub(super) fn is_code(text: &str) -> bool {
    const CALLS: [&str; 12] = [
        "__import__(",
        "eval(",
        "exec(",
        "compile(",
        "os.system(",
        "os.popen(",
        "os.exec",
        "subprocess.",
        "importlib.",
        "pty.spawn(",
        "__subclasses__(",
        "__globals__[",
    ];
    let squeezed: String = text.chars().filter(|c| !c.is_whitespace()).collect();
    let word_before = |at: usize| {
        squeezed
            .get(..at)
            .is_some_and(|before| before.ends_with(|c: char| c.is_alphanumeric() || c == '_' || c == '.'))
    };
    CALLS.iter().any(|call| squeezed.match_indices(call).any(|(at, _)| !word_before(at)))
        || text.lines().any(|line| {
            ["import os", "import subprocess", "import socket", "import pty", "from os import"]
                .iter()
                .any(|import| line.split(';').any(|part| part.trim_start().starts_with(import)))
        })
}

/// Where secrets and what starts by itself lie, or a path that climbs out of where it stands.
fn is_secret(text: &str) -> bool {
    const PLACES: [&str; 22] = [
        "/etc/passwd",
        "/etc/shadow",
        "/etc/hosts",
        "/etc/cron",
        "/etc/ld.so",
        "/etc/profile",
        "/etc/sudoers",
        "/proc/self",
        "/dev/tcp/",
        "/.ssh/",
        "/.aws/",
        "/.kube/",
        "/.netrc",
        "/.bashrc",
        "/.profile",
        "/.zshrc",
        "/.git-credentials",
        "/.docker/config",
        "/.huggingface/token",
        "/var/run/docker.sock",
        "authorized_keys",
        "id_rsa",
    ];
    let slashes = text.replace('\\', "/");
    !text.contains(' ')
        && (PLACES.iter().any(|place| slashes.contains(place))
            || slashes.starts_with("../../")
            || slashes.starts_with("//")
            || slashes.contains("/../../"))
}

fn is_address(text: &str) -> bool {
    const SCHEMES: [&str; 12] =
        ["http", "https", "ftp", "ftps", "ftp", "file", "s3", "gs", "hf", "ssh", "tcp", "ws"];
    text.split_once("://").is_some_and(|(scheme, rest)| {
        !rest.is_empty() && !text.contains(' ') && SCHEMES.contains(&scheme.to_ascii_lowercase().as_str())
    })
}

fn is_absolute(text: &str) -> bool {
    let drive = matches!(text.as_bytes(), [letter, b':', b'\\' | b'/', ..] if letter.is_ascii_alphabetic());
    let rooted = text.starts_with('/')
        && text.get(1..).is_some_and(|rest| rest.contains(|c: char| c.is_alphanumeric()));
    !text.contains(['\n', ' ']) && (drive || rooted || text.starts_with("~/") || text.starts_with("../"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn functions_are_called_for_files_and_addresses() {
        for (text, family) in [
            ("/home/user/x.bin", Family::File),
            ("~/x", Family::File),
            ("C:\\Users\\x", Family::File),
            ("../x", Family::File),
            ("https://example.com/x", Family::Network),
            ("S3://bucket/x", Family::Network),
        ] {
            assert_eq!(of_text(text, false), Some(family), "{text}");
            assert_eq!(of_text(text, true), None, "{text}");
        }
    }

    #[test]
    fn no_class_is_given_code_or_secrets() {
        for text in [
            "__import__('os').system('echo x')",
            "x = 1; import os",
            "eval (x)",
            "/home/user/.ssh/id_rsa",
            "/etc/passwd",
            "../../../x",
        ] {
            assert!(of_text(text, true).is_some(), "{text}");
        }
    }

    #[test]
    fn plain_words_say_nothing() {
        for text in
            ["", "relu", "/", "a/b", "retrieval(x)", "model.eval()", "n/a", "10:30", "an import os", "re:x"]
        {
            assert_eq!(of_text(text, false), None, "{text}");
        }
    }
}
