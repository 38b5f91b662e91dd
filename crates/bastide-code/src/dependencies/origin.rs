//! Where a project takes its packages from: indexes and addresses in `pyproject.toml` and `Pipfile`, judged as those of
//! `requirements.txt` are.

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use crate::dependencies::project::{self, GROUPS, LISTS, TABLES, Value, at, get, pairs};
use crate::dependencies::{requirements, rules};
use crate::remark::{Remarks, shown};
use crate::secrets;

/// Tables of indexes: `url = "…"` each.
const INDEXES: &[&[&str]] =
    &[&["tool", "uv", "index"], &["tool", "poetry", "source"], &["tool", "pdm", "source"], &["source"]];

/// Tables with the options of pip, as uv spells them (<https://docs.astral.sh/uv/reference/settings/>).
const OPTIONS: &[&[&str]] = &[&["tool", "uv"], &["tool", "uv", "pip"]];

pub(crate) fn check(text: &str, remarks: &mut Remarks<'_>) {
    let Some(root) = project::read(text) else {
        remarks.add(&rules::UNREAD, 0, "it is not read as TOML, so its packages are not known");
        return;
    };
    let root = root.get_ref();
    for value in LISTS.iter().filter_map(|path| at(root, path)) {
        strings(value).for_each(|(place, text)| requirement(place, text, remarks));
    }
    for (_, _, value) in GROUPS.iter().flat_map(|path| pairs(at(root, path))) {
        strings(value).for_each(|(place, text)| requirement(place, text, remarks));
    }
    addresses(root, remarks);
    for value in INDEXES.iter().filter_map(|path| at(root, path)) {
        tables(value).for_each(|value| index(value, remarks));
    }
    for value in OPTIONS.iter().filter_map(|path| at(root, path)) {
        options(value, remarks);
    }
}

/// A requirement as PEP 508 writes it: `name @ address`.
fn requirement(place: usize, text: &str, remarks: &mut Remarks<'_>) {
    if let Some(rule) = requirements::source(&text.to_ascii_lowercase()) {
        remarks.add(rule, place, format!("`{}`", shown(&secrets::blotted(text))));
    }
}

/// Packages in tables: `name = {git = "…", rev = "…"}`, `name = {url = "…"}`, or a list of such tables.
fn addresses(root: &DeTable<'_>, remarks: &mut Remarks<'_>) {
    let groups = pairs(at(root, &["tool", "poetry", "group"]));
    let lists = TABLES.iter().filter_map(|path| at(root, path));
    let lists = lists.chain(at(root, &["tool", "uv", "sources"]));
    for list in lists.chain(groups.filter_map(|(_, _, group)| get(group, "dependencies"))) {
        for (name, place, value) in pairs(Some(list)) {
            tables(value).filter_map(address).for_each(|address| {
                requirement(place, &format!("{name} @ {address}"), remarks);
            });
        }
    }
}

/// The address of a package, with what fixes its content, as pip spells them.
fn address(value: &Value<'_>) -> Option<String> {
    if let Some(git) = word(value, "git") {
        let commit = word(value, "rev").or_else(|| word(value, "ref")).unwrap_or_default();
        return Some(format!("git+{git}@{commit}"));
    }
    let url = word(value, "url").or_else(|| word(value, "file"))?;
    let digest = word(value, "hash").and_then(|hash| hash.strip_prefix("sha256:"));
    Some(digest.map_or_else(|| url.to_owned(), |digest| format!("{url}#sha256={digest}")))
}

/// An index: the only one, one that names are bound to, or one beside the public index.
fn index(value: &Value<'_>, remarks: &mut Remarks<'_>) {
    let Some((place, url)) = get(value, "url").and_then(string) else { return };
    let is = |name: &str, flag: bool| matches!(get(value, name).map(Spanned::get_ref), Some(DeValue::Boolean(found)) if *found == flag);
    let bound = is("explicit", true) || word(value, "priority") == Some("explicit");
    let only = is("default", true) || matches!(word(value, "priority"), Some("default" | "primary"));
    let unchecked = is("verify_ssl", false);
    judge(place, url, unchecked, !bound && !only && get(value, "verify_ssl").is_none(), remarks);
}

fn options(value: &Value<'_>, remarks: &mut Remarks<'_>) {
    for (name, _, value) in pairs(Some(value)) {
        let (unchecked, second) = match name {
            "allow-insecure-host" | "trusted-host" => (true, false),
            "extra-index-url" => (false, true),
            "find-links" | "index-url" => (false, false),
            _ => continue,
        };
        string(value)
            .into_iter()
            .chain(strings(value))
            .for_each(|(place, url)| judge(place, url, unchecked, second, remarks));
    }
}

fn judge(place: usize, url: &str, unchecked: bool, second: bool, remarks: &mut Remarks<'_>) {
    let lower = url.to_ascii_lowercase();
    let public = ["download.pytorch.org", "://pypi.org/"].iter().any(|host| lower.contains(host));
    if unchecked || requirements::is_plain(&lower) {
        remarks.add(&rules::PLAIN_INDEX, place, format!("`{}`", shown(&secrets::blotted(url))));
    } else if second && !public {
        remarks.add(&rules::INDEX, place, "names of the second index may be taken in the first");
    }
}

/// The tables of a list, or the one table that stands there.
fn tables<'v, 't>(value: &'v Value<'t>) -> impl Iterator<Item = &'v Value<'t>> {
    let (one, several) = match value.get_ref() {
        DeValue::Array(items) => (None, Some(items.iter())),
        _ => (Some(value), None),
    };
    one.into_iter().chain(several.into_iter().flatten())
}

/// The texts of a list, with their places.
fn strings<'v>(value: &'v Value<'_>) -> impl Iterator<Item = (usize, &'v str)> {
    let items = match value.get_ref() {
        DeValue::Array(items) => Some(items.iter()),
        _ => None,
    };
    items.into_iter().flatten().filter_map(string)
}

fn string<'v>(value: &'v Value<'_>) -> Option<(usize, &'v str)> {
    match value.get_ref() {
        DeValue::String(text) => Some((value.span().start, text.as_ref())),
        _ => None,
    }
}

fn word<'v>(value: &'v Value<'_>, name: &str) -> Option<&'v str> {
    get(value, name).and_then(string).map(|(_, text)| text)
}
