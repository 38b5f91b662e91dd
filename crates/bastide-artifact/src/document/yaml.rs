//! YAML, read line by line: tags that build objects, names that loaders import, aliases that multiply.
//!
//! Loaders read YAML in a dozen dialects; what matters here stands on one line in all of them, and a reader that needs no
//! valid document misses less.

mod aliases;
mod lexer;
mod loaders;
mod tags;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;

use aliases::Aliases;
use loaders::{Files, download, evaluated};
use tags::{Handles, tag};

pub(crate) use aliases::BOMB;
pub(crate) use tags::{KNOWN_TAG, TAG};

use super::config::rules::{AUTO_MAP, CODE_IN_DATA, CREDENTIAL};
use super::config::{commands, target};
use super::names::{Named, named};
use super::{code, decode, secret};
use crate::halt::{Halt, Parsed};
use crate::scan::{Scan, shown};
use crate::source::Source;

/// Bytes of commands read: those below one key may be below others too.
const MOST_COMMANDS: usize = 64 << 20;

/// Whether `head` is YAML: a file of that name, or one that begins as its documents do.
pub(super) fn recognise(head: &[u8], named_so: bool) -> bool {
    if !decode::looks_like_text(head) {
        return false;
    }
    if named_so {
        return true;
    }
    let text = decode::text(head);
    let first = text.lines().map(str::trim_end).find(|line| !line.is_empty() && !line.starts_with('#'));
    let Some(first) = first else { return false };
    let tags = ["!!python/", "!!ruby", "!ruby/", "!python/", "tag:yaml.org,2002:python"];
    tags.iter().any(|tag| text.contains(tag)) && !text.contains("def ") || {
        let pairs = text.lines().skip(1).take(20).filter(|line| key_of(line).is_some()).count();
        let begins = first == "---" || first.starts_with("%YAML") || first.starts_with("artifact_path:");
        pairs > 0 && (begins || text.contains("_target_:"))
    }
}

/// Whether tags of Python or Ruby, or other names for them, stand in `head`.
pub(super) fn has_tags(head: &[u8]) -> bool {
    const MARKS: &[&[u8]] = &[b"!!python/", b"!!ruby/", b"!ruby/", b"tag:yaml.org,2002:py", b"%TAG"];
    MARKS.iter().any(|mark| memchr::memmem::find(head, mark).is_some())
}

/// `key: value` at the start of a line.
fn key_of(line: &str) -> Option<(&str, &str)> {
    let line = line.trim_start_matches([' ', '\t']);
    let line = line.strip_prefix("- ").unwrap_or(line).trim_start();
    let (key, value) = line.split_once(": ").or_else(|| Some((line.strip_suffix(':')?, "")))?;
    let key = key.trim().trim_matches(['"', '\'']);
    let name =
        !key.is_empty() && key.len() < 100 && key.chars().all(|c| c.is_alphanumeric() || "_-. /".contains(c));
    name.then_some((key, value.trim()))
}

/// `"key": value` at the start of a line, where escapes may spell the key (YAML 1.2 section 5.7).
fn quoted_key(line: &str) -> Option<(String, &str)> {
    let line = line.trim_start_matches([' ', '\t', '{', '-', '?']);
    let inside = line.strip_prefix('"')?;
    let mut escaped = false;
    let end = inside.find(|c| {
        let closes = c == '"' && !escaped;
        escaped = c == '\\' && !escaped;
        closes
    })?;
    let (key, rest) = inside.split_at_checked(end)?;
    let value = rest.strip_prefix('"')?.trim_start().strip_prefix(':')?;
    (key.contains('\\') && key.len() < 400).then(|| (super::jinja::unescape(key), value.trim()))
}

/// Reads a file.
pub(super) fn read(source: &dyn Source, name: &str, scan: &mut Scan<'_>) -> Parsed<()> {
    let files = Files::of(name);
    let bytes = decode::whole(source, scan)?;
    let text = decode::text(&bytes);
    let mut aliases = Aliases::default();
    let mut handles = Handles::default();
    let has_layers = text.contains("backbone:") || text.starts_with("head:") || text.contains("\nhead:");
    let mut scalars: BTreeMap<&str, &str> = BTreeMap::new();
    let mut at = 0_u64;
    let mut lexer = lexer::Lexer::default();
    let mut commands_read = 0;
    let mut lines = lexer::lines(&text).peekable();
    while let Some(line) = lines.next() {
        scan.spend(1 + line.len() as u64 / 64)?;
        let start = at;
        at += line.len() as u64;
        let line = line.trim_end();
        for place in lexer.tags(line) {
            tag(line.get(place..).unwrap_or_default(), start + place as u64, &handles, scan);
        }
        if line.trim_start().starts_with('#') {
            continue;
        }
        if let Some(directive) = line.strip_prefix("%TAG") {
            handles.add(directive);
            continue;
        }
        if has_layers {
            evaluated(line, start, scan);
        }
        aliases.line(line, start, scan);
        if let Some((kind, _)) = secret::find(line) {
            scan.find(&CREDENTIAL, start, kind);
        }
        let quoted = quoted_key(line);
        let pair_of = quoted.as_ref().map(|(key, value)| (key.as_str(), *value));
        let Some((key, value)) = pair_of.or_else(|| key_of(line)) else {
            flow(line, start, scan);
            continue;
        };
        let value = match value {
            "" | "|" | ">" | "|-" | ">-" | "|+" | ">+" => lines.peek().map_or("", |next| next.trim()),
            value => value,
        };
        let value = anchored(value, &mut scalars);
        if key == "download" || commands::is_command(key) {
            let indent = line.len() - line.trim_start().len();
            let below = usize::try_from(at).ok().and_then(|at| text.get(at..)).unwrap_or_default();
            let script = script(value, below, indent);
            commands_read += script.len();
            if commands_read > MOST_COMMANDS {
                return Err(Halt::limit(format!("{MOST_COMMANDS} bytes of commands within commands")));
            }
            if key == "download" {
                download(&script, start, scan)?;
            } else {
                commands::command(key, &script, start, scan);
            }
        }
        pair(key, value, start, scan);
        files.pair(key, value, start, scan);
        flow(line, start, scan);
    }
    // Prompts and chat templates stand in YAML too, as blocks of any key.
    super::jinja::text(&text, 0, scan);
    Ok(())
}

/// The scalar behind anchors, aliases and quotes.
fn anchored<'t>(value: &'t str, scalars: &mut BTreeMap<&'t str, &'t str>) -> &'t str {
    const MANY: usize = 4096;
    if let Some(name) = value.strip_prefix('*') {
        return scalars.get(name.trim()).copied().unwrap_or(value);
    }
    if let Some((name, value)) = value.strip_prefix('&').and_then(|rest| rest.split_once(' ')) {
        if scalars.len() < MANY {
            scalars.insert(name, value.trim());
        }
        return value.trim();
    }
    value
}

/// The text of a scalar: quotes and their escapes taken off.
fn scalar(value: &str) -> String {
    if let Some(inner) = value.strip_prefix('"').and_then(|rest| rest.split('"').next()) {
        return super::jinja::unescape(inner);
    }
    if let Some(inner) = value.strip_prefix('\'').and_then(|rest| rest.split('\'').next()) {
        return inner.to_owned();
    }
    value.split(" #").next().unwrap_or(value).trim_end_matches([',', '}', ']']).trim().to_owned()
}

fn pair(key: &str, value: &str, at: u64, scan: &mut Scan<'_>) {
    match key {
        "_target_" | "loader_module" | "class_path" | "_component_" => target(key, &scalar(value), at, scan),
        "target" | "python_class" | "entry_point"
            if named(&scalar(value)) == Named::Dangerous && value.contains('.') =>
        {
            target(key, &scalar(value), at, scan);
        }
        "trust_remote_code" if matches!(value, "true" | "True" | "yes" | "on") => {
            scan.find(&AUTO_MAP, at, "`trust_remote_code` is set in the file itself");
        }
        "template" => super::jinja::fields(value, at, scan),
        // Workflows of a repository are made of commands.
        _ if value.starts_with(['$', '"', '\'']) && scalar(value).starts_with('$') => {
            let text = scalar(value);
            commands::expression(key, text.trim_start_matches('$'), at, scan);
        }
        _ if commands::is_command(key) => {}
        _ if value.len() >= 8 => {
            if let Some(call) = code::call(&scalar(value)) {
                scan.find_call(&CODE_IN_DATA, at, format!("the value of `{}` is code", shown(key)), call);
            }
        }
        _ => {}
    }
}

/// The text of `value` and of the lines below that belong to it.
fn script(value: &str, below: &str, indent: usize) -> String {
    const LONGEST: usize = 1 << 16;
    let value = match value.as_bytes() {
        [b'"' | b'\'', ..] => scalar(value),
        _ => value.to_owned(),
    };
    // The entries of a list may stand where its key does.
    let inner = |line: &&str| {
        let column = line.len() - line.trim_start().len();
        line.trim().is_empty() || column > indent || column == indent && line.trim_start().starts_with("- ")
    };
    let mut script = value;
    let margin = below
        .lines()
        .take(1024)
        .find(|line| !line.trim().is_empty())
        .map_or(0, |line| line.len() - line.trim_start().len());
    for line in below.lines().take_while(inner) {
        if script.len() > LONGEST {
            break;
        }
        script.push('\n');
        script.push_str(line.get(margin..).unwrap_or_default());
    }
    script
}

/// `{_target_: name, …}` within a line.
fn flow(line: &str, at: u64, scan: &mut Scan<'_>) {
    for (place, _) in line.match_indices("_target_") {
        let rest = line.get(place + "_target_".len()..).unwrap_or_default();
        let Some(value) = rest.trim_start_matches(['"', '\'']).trim_start().strip_prefix(':') else {
            continue;
        };
        if line.get(..place).is_some_and(|before| before.contains(['{', ','])) {
            let value = value.split([',', '}']).next().unwrap_or_default().trim();
            target("_target_", &scalar(value), at + place as u64, scan);
        }
    }
}
