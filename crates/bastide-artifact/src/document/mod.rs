//! Documents: JSON and what it carries, YAML, XML, templates, notebooks, trees, R objects.

pub(crate) mod code;
pub(crate) mod config;
pub(crate) mod decode;
mod jinja;
pub(crate) mod json;
pub(crate) mod names;
pub(crate) mod notebook;
mod rds;
mod secret;
mod skops;
mod trees;
mod xml;
mod yaml;

use bastide_types::Rule;
use config::rules;

pub(crate) use decode::looks_like_text;
pub(crate) use jinja::{template, text as template_text};

use crate::format::{Format, Glance};
use crate::halt::{Halt, Parsed};
use crate::keras;
use crate::pickle::{carried, plan};
use crate::scan::Scan;
use crate::source::{Source, read_up_to};

/// What this family looks for.
pub(crate) const RULES: &[&Rule] = &[
    &jinja::INJECTION,
    &jinja::BOMB,
    &jinja::INCLUDE,
    &jinja::COMPUTED,
    &jinja::UNREADABLE,
    &rules::AUTO_MAP,
    &rules::REMOTE_CODE,
    &rules::PUBLISHERS_CODE,
    &rules::CODE,
    &rules::CODE_IN_DATA,
    &rules::TARGET,
    &rules::UNKNOWN_TARGET,
    &rules::COMMAND,
    &rules::ASKS_SECRET,
    &rules::TRAVERSAL,
    &rules::HOST_FILE,
    &rules::PATH,
    &rules::CREDENTIAL,
    &rules::DUPLICATE,
    &rules::CUSTOM_OPERATOR,
    &rules::POINTER,
    &skops::TYPE,
    &skops::MISMATCH,
    &skops::UNKNOWN,
    &notebook::COMMAND,
    &notebook::INSTALL,
    &notebook::ACTIVE_OUTPUT,
    &notebook::HOSTILE_OUTPUT,
    &yaml::TAG,
    &yaml::KNOWN_TAG,
    &yaml::BOMB,
    &xml::rules::EXTERNAL_ENTITY,
    &xml::rules::DOCTYPE_ELSEWHERE,
    &xml::rules::ENTITY_BOMB,
    &xml::rules::CODE,
    &xml::rules::BOUNDS,
    &xml::rules::FUNCTION,
    &xml::rules::CUSTOM_OPERATOR,
    &xml::rules::STYLESHEET,
    &xml::rules::DOCTYPE,
    &rds::PROMISE,
    &rds::BYTECODE,
    &rds::CALL,
    &rds::EVAL,
    &rds::OVERRUN,
    &rds::TRAILING,
    &rds::FUNCTION,
    &rds::CAPTURED_PROMISE,
    &rds::POINTER,
    &trees::OVERRUN,
];

/// Adds what a loader could take the file for.
pub(crate) fn recognise(glance: &Glance<'_>, formats: &mut Vec<Format>) -> Parsed<()> {
    if rds::recognise(glance.head) {
        formats.push(Format::Rds);
    }
    trees::recognise(glance, formats);
    if formats.contains(&Format::Xgboost) || !looks_like_text(glance.head) {
        return Ok(());
    }
    if is_json(glance.head, glance.named("json")) {
        formats.push(json_format(glance));
        // YAML in its flow style, whose tags are no JSON.
        if yaml::has_tags(glance.head) {
            formats.push(Format::Yaml);
        }
    } else if let Some(format) = xml::recognise(glance) {
        formats.push(format);
    } else if glance.named("jinja") || glance.named("jinja2") || glance.named("j2") {
        formats.push(Format::Jinja);
    } else {
        let named = ["yaml", "yml", "dvc"].iter().any(|name| glance.named(name))
            || matches!(glance.name, "MLmodel" | "MLproject" | "dvc.lock");
        if yaml::recognise(glance.head, named) {
            formats.push(Format::Yaml);
        }
    }
    Ok(())
}

/// Whether this begins as a JSON object or list. A list of numbers may be any text (`[1] see there`), so that it counts
/// only under that name.
fn is_json(head: &[u8], named: bool) -> bool {
    let text = decode::text(head);
    let text = text.trim_start();
    let Some(inside) = text.strip_prefix(['{', '[']) else { return false };
    let inside = inside.trim_start();
    match text.as_bytes().first() {
        // Editors and compilers take comments too.
        Some(b'{') => inside.starts_with(['"', '}']) || inside.starts_with("//") || inside.starts_with("/*"),
        // A table of TOML: `[[package]]`.
        _ if !named
            && text
                .strip_prefix("[[")
                .is_some_and(|name| name.starts_with(|c: char| c.is_ascii_alphabetic())) =>
        {
            false
        }
        _ => {
            inside.starts_with(['{', '[', '"'])
                || named && inside.starts_with(|c: char| c == ']' || c == '-' || c.is_ascii_alphanumeric())
        }
    }
}

/// What a JSON file is first of all. Files are read whole once for this, as far as the limit of a glance at them goes.
fn json_format(glance: &Glance<'_>) -> Format {
    const MOST: u64 = 32 << 20;
    if glance.source.size() > MOST {
        return Format::Json;
    }
    let Ok(bytes) = read_up_to(glance.source, 0, 32 << 20) else { return Format::Json };
    json::parse(&decode::text(&bytes)).map_or(Format::Json, |root| kind_of(&root))
}

fn kind_of(root: &json::Node<'_>) -> Format {
    if notebook::is_notebook(root) {
        Format::Notebook
    } else if trees::is_xgboost(root) {
        Format::Xgboost
    } else if trees::is_catboost(root) {
        Format::Catboost
    } else if skops::is_schema(root) {
        Format::Skops
    } else if keras::is_config(root) {
        Format::Keras
    } else {
        Format::Json
    }
}

/// Reads the file as `format`, if it is one of this family's.
pub(crate) fn read(
    format: Format,
    source: &dyn Source,
    name: &str,
    scan: &mut Scan<'_>,
) -> Option<Parsed<()>> {
    const HEAD: usize = 1 << 16;
    let head = match read_up_to(source, 0, HEAD) {
        Ok(head) => head,
        Err(halt) => return Some(Err(halt)),
    };
    match format {
        Format::Rds => Some(rds::read(source, &head, scan)),
        Format::Pmml | Format::OpenVino | Format::Xml => Some(xml::read(source, name, format, scan)),
        Format::Yaml => {
            Some(yaml::read(source, name, scan).and_then(|()| carried::words(source, name, scan)))
        }
        Format::Jinja => Some(read_template(source, scan)),
        // The archive of skops and `.keras` are read as archives.
        Format::Json
        | Format::Notebook
        | Format::Xgboost
        | Format::Catboost
        | Format::Skops
        | Format::Keras
            if is_json(&head, true) =>
        {
            Some(read_json(source, scan))
        }
        Format::Xgboost | Format::Lightgbm | Format::Catboost => {
            Some(trees::read(format, source, &head, scan))
        }
        _ => None,
    }
}

fn read_template(source: &dyn Source, scan: &mut Scan<'_>) -> Parsed<()> {
    let bytes = decode::whole(source, scan)?;
    template(&decode::text(&bytes), 0, scan);
    Ok(())
}

fn read_json(source: &dyn Source, scan: &mut Scan<'_>) -> Parsed<()> {
    let bytes = decode::whole(source, scan)?;
    plan::json(&bytes, scan)?;
    let text = decode::text(&bytes);
    let plain;
    let root = match json::parse(&text) {
        Err(Halt::Malformed { .. }) if is_lines(&text) => return Ok(()),
        Err(halt @ Halt::Malformed { .. }) => {
            plain = decode::without_comments(&text);
            json::parse(&plain).map_err(|_| halt)?
        }
        parsed => parsed?,
    };
    match kind_of(&root) {
        Format::Notebook => notebook::judge(&root, scan)?,
        Format::Xgboost => trees::xgboost(&root, scan),
        Format::Catboost => trees::catboost(&root, scan),
        Format::Skops => skops::judge(&root, scan),
        Format::Keras => {
            keras::judge(&root, 0, scan);
            config::judge(&root, 0, scan);
        }
        _ => config::judge(&root, 0, scan),
    }
    Ok(())
}

/// Whether every line is a JSON text: records of a data set, which no loader of models reads.
fn is_lines(text: &str) -> bool {
    text.lines().filter(|line| !line.trim().is_empty()).all(|line| json::parse(line).is_ok())
}

#[cfg(test)]
mod tests;
