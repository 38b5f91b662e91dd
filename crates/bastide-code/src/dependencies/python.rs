//! Lock files of Python's tools, and those of the same shape.

use crate::dependencies::lock::Package;
use crate::dependencies::order::Ecosystem;
use crate::dependencies::requirements;
use crate::yaml::{Node, Yaml};

/// Tables such as `[[package]]`, as tools write them: one `name = "…"` and one `version = "…"` to a line.
pub(crate) fn tables(text: &str, table: &str, ecosystem: Ecosystem) -> Vec<Package> {
    let mut found = Vec::new();
    let mut current: Option<(String, String, usize)> = None;
    let mut multiline = false;
    let mut close = |current: &mut Option<(String, String, usize)>| {
        if let Some((name, version, line)) = current.take().filter(|(name, _, _)| !name.is_empty()) {
            found.push(Package::new(ecosystem, &name, &version, line));
        }
    };
    for (number, line) in text.lines().enumerate() {
        let bare = line.trim();
        if bare.matches("\"\"\"").count() % 2 == 1 {
            multiline = !multiline;
        }
        if multiline {
            continue;
        }
        if bare.starts_with('[') {
            // Tables below a package (`[package.dependencies]`) end its own lines.
            close(&mut current);
            if bare == table {
                current = Some((String::new(), String::new(), number + 1));
            }
            continue;
        }
        let (Some((name, version, at)), Some((key, value))) = (current.as_mut(), bare.split_once('=')) else {
            continue;
        };
        let value = value.trim().trim_matches(['"', '\'']);
        match key.trim() {
            "name" if name.is_empty() => {
                value.clone_into(name);
                *at = number + 1;
            }
            "version" if version.is_empty() => value.clone_into(version),
            _ => {}
        }
    }
    close(&mut current);
    found
}

/// `Pipfile.lock`, read as YAML for the sake of its lines.
pub(crate) fn pipfile(text: &str) -> Vec<Package> {
    let yaml = Yaml::read(text);
    let groups = yaml.documents().flat_map(Node::pairs).filter(|(name, _)| *name != "_meta");
    let entries = groups.flat_map(|(_, group)| group.pairs());
    entries
        .filter_map(|(name, entry)| {
            let version = entry.text_at(&["version"]).map_or("", |version| version.trim_start_matches('='));
            entry.is_map().then(|| Package::new(Ecosystem::PyPI, name, version, entry.line()))
        })
        .collect()
}

/// `environment.yml`: packages of conda under the name that they most often have on the index, and those of pip.
pub(crate) fn conda_environment(text: &str) -> Vec<Package> {
    let yaml = Yaml::read(text);
    let entries = yaml.documents().filter_map(|document| document.get("dependencies")).flat_map(Node::items);
    let mut found = Vec::new();
    for entry in entries {
        if let Some(text) = entry.text() {
            let text = text.rsplit("::").next().unwrap_or(text);
            let end = text.find(['=', '<', '>', ' ', '!', '~', '[']).unwrap_or(text.len());
            let (name, rest) = (text.get(..end).unwrap_or_default(), text.get(end..).unwrap_or_default());
            // `name=version=build` and `name==version` fix a version; ranges do not.
            let fixed = rest.trim_start().trim_start_matches('=').split('=').next().unwrap_or_default();
            let pinned = rest.trim_start().starts_with('=') && !fixed.contains(['*', '<', '>', ',']);
            if !matches!(name, "python" | "pip" | "") {
                found.push(Package::new(
                    Ecosystem::PyPI,
                    name,
                    if pinned { fixed } else { "" },
                    entry.line(),
                ));
            }
        }
        for line in entry.get("pip").into_iter().flat_map(Node::items) {
            found.extend(requirements::line(line.text().unwrap_or_default(), line.line()));
        }
    }
    found
}

/// `conda-lock.yml`.
pub(crate) fn conda_lock(text: &str) -> Vec<Package> {
    let yaml = Yaml::read(text);
    let entries = yaml.documents().filter_map(|document| document.get("package")).flat_map(Node::items);
    let mut found: Vec<Package> = entries
        .filter_map(|entry| {
            let (name, version) = (entry.text_at(&["name"])?, entry.text_at(&["version"])?);
            Some(Package::new(Ecosystem::PyPI, name, version, entry.line()))
        })
        .collect();
    // One entry for each platform.
    let mut seen = std::collections::HashSet::new();
    found.retain(|package| seen.insert((package.name.clone(), package.version.clone())));
    found
}
