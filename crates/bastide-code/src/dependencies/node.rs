//! Lock files of Node's tools.

use crate::dependencies::lock::Package;
use crate::dependencies::order::{Ecosystem, Version};
use crate::yaml::{Node, Yaml};

/// `package-lock.json`, versions 1 to 3, read as YAML for the sake of its lines.
pub(crate) fn package_lock(text: &str) -> Vec<Package> {
    // YAML takes no tab for indentation; between tokens of JSON it means as little as a blank.
    let text = text.replace('\t', " ");
    let yaml = Yaml::read(&text);
    let mut found = Vec::new();
    for document in yaml.documents() {
        for (path, entry) in document.get("packages").into_iter().flat_map(Node::pairs) {
            let Some((_, name)) = path.rsplit_once("node_modules/") else { continue };
            let name = entry.text_at(&["name"]).unwrap_or(name);
            found.extend(package(name, entry));
        }
        if document.get("packages").is_none() {
            nested(document, &mut found);
        }
    }
    found
}

fn package(name: &str, entry: Node<'_>) -> Option<Package> {
    let version = entry.text_at(&["version"])?;
    Some(Package::new(Ecosystem::Npm, name, version, entry.line()))
}

/// Version 1 nests dependencies within dependencies; an alias could make that endless, JSON has none.
fn nested(document: Node<'_>, found: &mut Vec<Package>) {
    const MANY: usize = 500_000;
    let mut waiting: Vec<Node<'_>> = document.get("dependencies").into_iter().collect();
    while let Some(group) = waiting.pop() {
        for (name, entry) in group.pairs() {
            if found.len() > MANY {
                return;
            }
            found.extend(package(name, entry));
            waiting.extend(entry.get("dependencies").filter(|inner| inner.is_map()));
        }
    }
}

/// `yarn.lock` of both generations: a line of specifiers, then indented lines.
pub(crate) fn yarn(text: &str) -> Vec<Package> {
    let mut found = Vec::new();
    let mut name: Option<(String, usize)> = None;
    for (number, line) in text.lines().enumerate() {
        if line.starts_with('#') || line.trim().is_empty() {
            continue;
        }
        if !line.starts_with([' ', '\t']) {
            name = specifier(line).map(|name| (name, number + 1));
            continue;
        }
        let bare = line.trim();
        let version = bare.strip_prefix("version ").or_else(|| bare.strip_prefix("version:"));
        if let (Some((name, at)), Some(version)) = (name.as_ref(), version) {
            let version = version.trim().trim_matches('"');
            if !version.starts_with("0.0.0-use.local") {
                found.push(Package::new(Ecosystem::Npm, name, version, *at));
            }
        }
    }
    found
}

/// `"@a/b@npm:^1.0.0, @a/b@npm:^1.1.0":` is `@a/b`; `x@npm:y@1` is `y`.
fn specifier(line: &str) -> Option<String> {
    let first = line.trim_end_matches(':').split(',').next()?.trim().trim_matches('"');
    let at = first.get(1..)?.find('@')? + 1;
    let (name, range) = (first.get(..at)?, first.get(at + 1..)?);
    if name == "__metadata" || range.starts_with("workspace:") || range.starts_with("link:") {
        return None;
    }
    let alias = range.strip_prefix("npm:").and_then(|range| {
        let at = range.get(1..)?.find('@')? + 1;
        range.get(..at)
    });
    Some(alias.unwrap_or(name).to_owned())
}

/// `pnpm-lock.yaml`: keys `/name/1.0.0`, `/name@1.0.0(peer@2)` or `name@1.0.0`.
pub(crate) fn pnpm(text: &str) -> Vec<Package> {
    let yaml = Yaml::read(text);
    let entries = yaml.documents().filter_map(|document| document.get("packages")).flat_map(Node::pairs);
    entries
        .filter_map(|(key, entry)| {
            let key = key.trim_start_matches('/');
            let key = key.split('(').next().unwrap_or(key);
            // Older files write `name/version_peers`.
            let old = key.match_indices('/').find_map(|(at, _)| {
                let version = key.get(at + 1..)?.split('_').next()?;
                Version::parse(Ecosystem::Npm, version).map(|_| (at, version))
            });
            let (name, version) = match old {
                Some((at, version)) => (key.get(..at)?, version),
                None => {
                    let at = key.get(1..)?.rfind('@')? + 1;
                    (key.get(..at)?, key.get(at + 1..)?)
                }
            };
            let numbered = version.starts_with(|c: char| c.is_ascii_digit());
            numbered.then(|| Package::new(Ecosystem::Npm, name, version, entry.line()))
        })
        .collect()
}
