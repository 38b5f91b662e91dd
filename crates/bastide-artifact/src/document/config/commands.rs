//! Values that a tool runs: tasks of editors, scripts of package managers, hooks of agents, expressions of MONAI.

use super::super::code;
use super::super::json::{Node, Value};
use super::rules::{CODE, COMMAND};
use crate::scan::{Scan, shown};
use crate::text::shell::{self, Attack};

/// Keys whose value a tool hands to a shell or starts as a program.
const KEYS: &[&str] = &[
    "args",
    "build",
    "cmd",
    "command",
    "commands",
    "entrypoint",
    "exec",
    "hook",
    "hooks",
    "initializeCommand",
    "install",
    "onCreateCommand",
    "postAttachCommand",
    "postCreateCommand",
    "postStartCommand",
    "postbuild",
    "postinstall",
    "postpack",
    "posttest",
    "prebuild",
    "preinstall",
    "prepack",
    "prepare",
    "prepublish",
    "prepublishOnly",
    "pretest",
    "run",
    "script",
    "scripts",
    "shell",
    "start",
    "steps",
    "test",
    "updateContentCommand",
];

/// Whether tools run what stands under `key`.
pub(crate) fn is_command(key: &str) -> bool {
    KEYS.contains(&key) || key.ends_with("Command") || key.ends_with("_command") || key.ends_with("_cmd")
}

/// What a tool would run of the value under `key`.
pub(super) fn judge(key: &str, node: &Node<'_>, base: u64, scan: &mut Scan<'_>) {
    let at = base + node.offset as u64;
    if let (true, Value::Object(entries)) = (key == "scripts", &node.value) {
        // Each under a name of its author's choice.
        for (name, value) in entries {
            value.text().into_iter().for_each(|text| command(name, text, base + value.offset as u64, scan));
        }
    }
    if let Some((word, expression)) = node.text().and_then(|text| Some((text.get(..1)?, text.get(1..)?)))
        && word == "$"
    {
        self::expression(key, expression, at, scan);
    }
    if is_command(key) {
        let words: Vec<&str> = node.list().iter().filter_map(Node::text).collect();
        match node.text() {
            Some(text) => command(key, text, at, scan),
            // A program and its arguments.
            None if !words.is_empty() => command(key, &words.join(" "), at, scan),
            None => {}
        }
    }
}

/// Judges one command line.
pub(crate) fn command(key: &str, text: &str, at: u64, scan: &mut Scan<'_>) {
    if let Some(attack) = shell::script(text).filter(|attack| *attack != Attack::Installer) {
        scan.find(&COMMAND, at, format!("`{}` holds {}", shown(key), attack.name()));
    }
}

/// Judges a value that MONAI evaluates as Python: `$torch.device('cpu')`.
pub(crate) fn expression(key: &str, text: &str, at: u64, scan: &mut Scan<'_>) {
    const INNER: &[&str] =
        &["__subclasses__", "__globals__", "__builtins__", "__bases__", "__mro__", "__code__"];
    let call = code::call(text)
        .or_else(|| INNER.iter().find(|name| text.contains(**name)).map(|name| (*name).to_owned()));
    if let Some(call) = call {
        scan.find_call(&CODE, at, format!("the expression under `{}` runs code", shown(key)), call);
    }
}
