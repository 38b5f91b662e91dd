//! The rules of `deny.toml` on every dependency in the lock file, without an installed cargo-deny: licences allowed,
//! crates banned, sources known.

use std::collections::BTreeSet;

use crate::shell::{Fallible, Outcome, capture, cargo};
use crate::workspace::root;

struct Rules {
    allowed: BTreeSet<String>,
    banned: BTreeSet<String>,
}

pub(crate) fn run() -> Fallible<Outcome> {
    let path = root().join("deny.toml");
    let text =
        std::fs::read_to_string(&path).map_err(|e| format!("cannot read `{}`: {e}", path.display()))?;
    let rules = Rules { allowed: list(&text, "licenses", "allow"), banned: list(&text, "bans", "deny") };
    if rules.allowed.is_empty() || rules.banned.is_empty() {
        return Err(
            "`deny.toml` allows no licence or bans no crate: is it still laid out one entry to a line?"
                .into(),
        );
    }
    let (checked, faults) = check(&tree()?, &rules);
    for fault in &faults {
        eprintln!("supply: {fault}");
    }
    if faults.is_empty() {
        println!(
            "supply: {checked} dependencies, all of allowed licences, from the default registry, none banned"
        );
        return Ok(Outcome::Fine);
    }
    Ok(Outcome::Findings)
}

/// The quoted strings of the array `key` in `[section]`. Enough TOML for the one file it reads: one entry to a line,
/// a banned crate as `{ crate = "name", ... }`.
fn list(text: &str, section: &str, key: &str) -> BTreeSet<String> {
    let mut in_section = false;
    let mut in_array = false;
    let mut out = BTreeSet::new();
    for line in text.lines().map(str::trim) {
        if line.starts_with('[') && !in_array {
            in_section = line == format!("[{section}]");
        } else if in_section && line.strip_prefix(key).is_some_and(|rest| rest.trim() == "= [") {
            in_array = true;
        } else if in_array && line.starts_with(']') {
            in_array = false;
        } else if in_array
            && !line.starts_with('#')
            && let Some(value) = line.split('"').nth(1)
        {
            out.insert(value.to_owned());
        }
    }
    out
}

/// Each dependency that is built for some platform or for the tests, as `name vVERSION [(source)]<tab>licence`. Not
/// `cargo metadata`: that names optional dependencies which nobody switched on as well.
fn tree() -> Fallible<String> {
    let mut command = cargo();
    command.current_dir(root()).args(["tree", "--workspace", "--locked", "--target", "all"]);
    command.args(["--edges", "normal,build,dev", "--prefix", "none", "--format", "{p}\t{l}"]);
    capture(&mut command)
}

fn check(tree: &str, rules: &Rules) -> (usize, Vec<String>) {
    let lines: BTreeSet<&str> =
        tree.lines().map(|line| line.trim_end_matches(" (*)")).filter(|line| !line.is_empty()).collect();
    let mut checked = 0;
    let mut faults = Vec::new();
    for (package, licence) in lines.iter().filter_map(|line| line.split_once('\t')) {
        let mut words = package.split(' ');
        let (name, version) = (words.next().unwrap_or_default(), words.next().unwrap_or_default());
        let source = words.find(|word| *word != "(proc-macro)");
        match source {
            // Our own: a folder of this workspace.
            Some(path) if path.starts_with("(/") || path.contains(":\\") => continue,
            Some(source) => {
                faults.push(format!("`{name} {version}` comes from {source}, not from the default registry"))
            }
            None => {}
        }
        checked += 1;
        if rules.banned.contains(name) {
            faults.push(format!("`{name} {version}` is banned: see the reason in deny.toml"));
        }
        if !satisfied(licence, &rules.allowed) {
            let said = if licence.is_empty() { "no licence that it names" } else { licence };
            faults.push(format!("`{name} {version}` is under `{said}`, which deny.toml does not allow"));
        }
    }
    (checked, faults)
}

/// Whether an SPDX expression can be satisfied with allowed licences alone.
fn satisfied(expression: &str, allowed: &BTreeSet<String>) -> bool {
    // Before SPDX expressions, crates separated alternatives by a slash.
    let spaced = expression.replace('/', " OR ").replace('(', " ( ").replace(')', " ) ");
    let words: Vec<&str> = spaced.split_whitespace().collect();
    let mut at = 0;
    let met = alternatives(&words, &mut at, allowed);
    met && at == words.len()
}

fn alternatives(words: &[&str], at: &mut usize, allowed: &BTreeSet<String>) -> bool {
    let mut met = conjunction(words, at, allowed);
    while words.get(*at) == Some(&"OR") {
        *at += 1;
        met |= conjunction(words, at, allowed);
    }
    met
}

fn conjunction(words: &[&str], at: &mut usize, allowed: &BTreeSet<String>) -> bool {
    let mut met = term(words, at, allowed);
    while words.get(*at) == Some(&"AND") {
        *at += 1;
        met &= term(words, at, allowed);
    }
    met
}

fn term(words: &[&str], at: &mut usize, allowed: &BTreeSet<String>) -> bool {
    match words.get(*at) {
        Some(&"(") => {
            *at += 1;
            let met = alternatives(words, at, allowed);
            let closed = words.get(*at) == Some(&")");
            *at += 1;
            met && closed
        }
        Some(licence) => {
            *at += 1;
            if words.get(*at) == Some(&"WITH") {
                let exception = words.get(*at + 1).copied().unwrap_or_default();
                *at += 2;
                return allowed.contains(&format!("{licence} WITH {exception}"))
                    || allowed.contains(*licence);
            }
            allowed.contains(*licence)
        }
        None => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn allowed() -> BTreeSet<String> {
        ["MIT", "Apache-2.0", "Unicode-3.0"].map(str::to_owned).into()
    }

    #[test]
    fn expressions() {
        for fine in [
            "MIT",
            "MIT/Apache-2.0",
            "GPL-3.0 OR MIT",
            "(MIT OR GPL-2.0) AND Unicode-3.0",
            "Apache-2.0 WITH LLVM-exception",
        ] {
            assert!(satisfied(fine, &allowed()), "{fine}");
        }
        for not in ["GPL-3.0", "MIT AND GPL-3.0", "(MIT", "MIT)", "", "AND", "MIT MIT"] {
            assert!(!satisfied(not, &allowed()), "{not}");
        }
    }

    #[test]
    fn lists_are_read_from_their_section_only() {
        let text = "[bans]\ndeny = [\n  # why\n  { crate = \"openssl\", reason = \"x\" },\n]\n[licenses]\nallow = [\n  \"MIT\",\n]\n";
        assert_eq!(list(text, "licenses", "allow"), BTreeSet::from(["MIT".to_owned()]));
        assert_eq!(list(text, "bans", "deny"), BTreeSet::from(["openssl".to_owned()]));
        assert!(list(text, "bans", "allow").is_empty());
    }

    #[test]
    fn faults_are_named() {
        let rules = Rules { allowed: allowed(), banned: ["openssl".to_owned()].into() };
        let tree = "bastide v0.1.0 (/src/bastide)\tApache-2.0\nopenssl v1.0.0\tMIT\nopenssl v1.0.0\tMIT (*)\n\n\
                    far v1.0.0 (https://example.com/far#1234)\tAGPL-3.0\nmacro v1.0.0 (proc-macro)\tMIT\n";
        let (checked, faults) = check(tree, &rules);
        assert_eq!((checked, faults.len()), (3, 3), "{faults:?}");
    }
}
