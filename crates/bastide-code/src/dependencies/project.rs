//! What a Python project asks for: `pyproject.toml` (PEP 621, PEP 735, Poetry, uv, PDM) and `Pipfile`.

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use crate::dependencies::lock::Package;
use crate::dependencies::order::Ecosystem;
use crate::dependencies::requirements;

/// The longest project file that is read, in bytes; people write them.
const LONGEST: usize = 4 << 20;

/// Lists of requirements.
pub(crate) const LISTS: &[&[&str]] = &[
    &["build-system", "requires"],
    &["project", "dependencies"],
    &["tool", "uv", "dev-dependencies"],
    &["tool", "uv", "override-dependencies"],
];

/// Tables of such lists, each with a name.
pub(crate) const GROUPS: &[&[&str]] =
    &[&["project", "optional-dependencies"], &["dependency-groups"], &["tool", "pdm", "dev-dependencies"]];

/// Tables of packages.
pub(crate) const TABLES: &[&[&str]] = &[
    &["tool", "poetry", "dependencies"],
    &["tool", "poetry", "dev-dependencies"],
    &["packages"],
    &["dev-packages"],
];

pub(crate) type Value<'t> = Spanned<DeValue<'t>>;

/// The packages that it names, in its order; none where it cannot be read.
pub(crate) fn packages(text: &str) -> Vec<Package> {
    let Some(root) = read(text) else { return Vec::new() };
    let root = root.get_ref();
    let breaks = memchr::memchr_iter(b'\n', text.as_bytes()).collect();
    let mut found = Found { breaks, packages: Vec::new() };
    LISTS.iter().for_each(|path| found.list(at(root, path)));
    for path in GROUPS {
        pairs(at(root, path)).for_each(|(_, _, list)| found.list(Some(list)));
    }
    TABLES.iter().for_each(|path| found.table(at(root, path)));
    for (_, _, group) in pairs(at(root, &["tool", "poetry", "group"])) {
        found.table(get(group, "dependencies"));
    }
    found.packages.sort_by_key(|package| package.line);
    found.packages
}

/// The whole as a table, if it is TOML.
pub(crate) fn read(text: &str) -> Option<Spanned<DeTable<'_>>> {
    if text.len() > LONGEST { None } else { DeTable::parse(text).ok() }
}

pub(crate) fn at<'v, 't>(root: &'v DeTable<'t>, path: &[&str]) -> Option<&'v Value<'t>> {
    let (first, rest) = path.split_first()?;
    rest.iter().try_fold(root.get(*first)?, |value, name| get(value, name))
}

pub(crate) fn get<'v, 't>(value: &'v Value<'t>, name: &str) -> Option<&'v Value<'t>> {
    match value.get_ref() {
        DeValue::Table(table) => table.get(name),
        _ => None,
    }
}

/// The entries of a table: name, place, value.
pub(crate) fn pairs<'v, 't>(
    value: Option<&'v Value<'t>>,
) -> impl Iterator<Item = (&'v str, usize, &'v Value<'t>)> {
    let table = match value.map(Spanned::get_ref) {
        Some(DeValue::Table(table)) => Some(table),
        _ => None,
    };
    table.into_iter().flatten().map(|(name, value)| (name.get_ref().as_ref(), name.span().start, value))
}

struct Found {
    /// Where lines end.
    breaks: Vec<usize>,
    packages: Vec<Package>,
}

impl Found {
    /// The line of a place, from 1.
    fn line(&self, at: usize) -> usize {
        self.breaks.partition_point(|&end| end < at) + 1
    }

    /// A list of requirements as PEP 508 writes them; includes of other groups are no packages.
    fn list(&mut self, value: Option<&Value<'_>>) {
        let Some(DeValue::Array(items)) = value.map(Spanned::get_ref) else { return };
        for item in items {
            if let DeValue::String(requirement) = item.get_ref() {
                let line = self.line(item.span().start);
                self.packages.extend(requirements::line(requirement, line));
            }
        }
    }

    /// A table of names, each with a version, a table that has one, or a list of such tables. A bare version means that one.
    fn table(&mut self, value: Option<&Value<'_>>) {
        for (name, place, value) in pairs(value).filter(|(name, _, _)| *name != "python") {
            let line = self.line(place);
            let several = match value.get_ref() {
                DeValue::Array(items) => items.iter().map(exact).collect(),
                _ => vec![exact(value)],
            };
            self.packages.extend(
                several
                    .into_iter()
                    .map(|version| Package::new(Ecosystem::PyPI, name, version.unwrap_or_default(), line)),
            );
        }
    }
}

/// The one version that an entry allows, if it is one.
fn exact<'v>(value: &'v Value<'_>) -> Option<&'v str> {
    let text = match value.get_ref() {
        DeValue::String(text) => text.as_ref(),
        DeValue::Table(_) => match get(value, "version")?.get_ref() {
            DeValue::String(text) => text.as_ref(),
            _ => return None,
        },
        _ => return None,
    };
    let version = text.trim().trim_start_matches('=').trim();
    let plain = version.starts_with(|c: char| c.is_ascii_digit())
        && !version.contains(['*', ',', '|', ' ', '<', '>']);
    plain.then_some(version)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(text: &str) -> Vec<(String, String, u32)> {
        packages(text).into_iter().map(|package| (package.name, package.version, package.line)).collect()
    }

    fn expected(list: &[(&str, &str, u32)]) -> Vec<(String, String, u32)> {
        list.iter().map(|(name, version, line)| ((*name).to_owned(), (*version).to_owned(), *line)).collect()
    }

    #[test]
    fn standard_tables_are_read_with_their_lines() {
        let text = r#"[build-system]
requires = ["setuptools==65.0"]
[project]
dependencies = [
  "torch==2.5.1",
  "numpy>=1.26 ; python_version > '3.8'",
]
[project.optional-dependencies]
gpu = ["Flash_Attn[x]==2.0"]
[dependency-groups]
dev = ["pytest==8.0", {include-group = "gpu"}]
[tool.uv]
dev-dependencies = ["ruff==0.1"]
"#;
        let list = [
            ("setuptools", "65.0", 2),
            ("torch", "2.5.1", 5),
            ("numpy", "", 6),
            ("flash-attn", "2.0", 9),
            ("pytest", "8.0", 11),
            ("ruff", "0.1", 13),
        ];
        assert_eq!(of(text), expected(&list));
    }

    #[test]
    fn poetry_and_pipenv_name_versions_in_tables() {
        let text = r#"[tool.poetry.dependencies]
python = "^3.11"
torch = "2.5.1"
numpy = "^1.26"
pillow = {version = "==9.0.0", extras = ["x"]}
mine = {git = "https://example.org/x.git"}
both = [{version = "1.0", python = "<3.9"}, {version = "2.0"}]
[tool.poetry.group.dev.dependencies]
pytest = "8.0"
[packages]
requests = "==2.0"
flask = "*"
"#;
        let list = [
            ("torch", "2.5.1", 3),
            ("numpy", "", 4),
            ("pillow", "9.0.0", 5),
            ("mine", "", 6),
            ("both", "1.0", 7),
            ("both", "2.0", 7),
            ("pytest", "8.0", 9),
            ("requests", "2.0", 11),
            ("flask", "", 12),
        ];
        let mut found = of(text);
        found.sort_by_key(|(_, version, line)| (*line, version.clone()));
        assert_eq!(found, expected(&list));
    }

    #[test]
    fn what_is_no_toml_names_nothing() {
        assert!(packages("[project\n").is_empty() && read("[project\n").is_none());
        assert!(packages("project = 5\n").is_empty() && read("project = 5\n").is_some());
    }

    #[test]
    fn depth_is_no_danger() {
        let many = 1_000_000;
        let texts = [
            format!("a = {}", "[".repeat(many)),
            format!("a = {}", "{a=".repeat(many)),
            format!("{}a = 1", "a.".repeat(many)),
            format!("[{}a]", "a.".repeat(many)),
            format!("a = {{ {}a = 1 }}", "a.".repeat(many)),
            format!("[[{}a]]", "a.".repeat(many)),
        ];
        for text in texts {
            assert!(packages(&text).is_empty());
        }
    }

    proptest::proptest! {
        #[test]
        fn no_text_is_too_odd(text in "(?s).{0,200}", inner in "[\\[\\]a-z=\"{}\n., ]{0,200}") {
            packages(&text);
            packages(&format!("[project]\ndependencies = {inner}\n[tool.poetry.dependencies]\n{inner}"));
        }
    }
}
