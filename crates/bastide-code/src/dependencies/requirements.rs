//! `requirements.txt`: <https://pip.pypa.io/en/stable/reference/requirements-file-format/>, and what is wrong in lock files.

use bastide_types::Rule;

use crate::dependencies::lock::{Kind, LONGEST, Package, packages as locked};
use crate::dependencies::order::Ecosystem;
use crate::dependencies::{origin, rules};
use crate::remark::{Remark, Remarks, shown};

/// The packages that the lines pin; options and other files are left out.
pub(crate) fn packages(text: &str) -> Vec<Package> {
    logical(text).into_iter().filter_map(|(bare, number)| line(&bare, number)).collect()
}

/// Lines without comments, continued lines joined, with the number of their first.
fn logical(text: &str) -> Vec<(String, usize)> {
    let mut lines: Vec<(String, usize)> = Vec::new();
    let mut continues = false;
    for (number, line) in text.lines().enumerate() {
        let bare = line.trim_end();
        let bare =
            if bare.trim_start().starts_with('#') { "" } else { bare.split(" #").next().unwrap_or(bare) };
        let (body, more) = match bare.strip_suffix('\\') {
            Some(body) => (body, true),
            None => (bare, false),
        };
        match lines.last_mut().filter(|_| continues) {
            Some((last, _)) => {
                last.push(' ');
                last.push_str(body.trim());
            }
            None => lines.push((body.trim().to_owned(), number + 1)),
        }
        continues = more;
    }
    lines.retain(|(line, _)| !line.is_empty());
    lines
}

/// Files that the lines take in (`-r`, `-c`), as they are named; addresses and variables are left out.
#[must_use]
pub fn included(text: &str) -> Vec<String> {
    let name = |line: &str| {
        let option = ["-r", "--requirement", "-c", "--constraint"].iter().find_map(|option| {
            let rest = line.strip_prefix(option)?;
            rest.starts_with([' ', '=', '\t']).then(|| rest.trim_start_matches(['=', ' ', '\t']))
        })?;
        let name = option.split_whitespace().next()?;
        (!name.contains("://") && !name.contains("${")).then(|| name.to_owned())
    };
    logical(text).iter().filter_map(|(line, _)| name(line)).collect()
}

/// Whether the beginning of a text is a list of requirements whatever it is called: each line names a package with a
/// version or is an option of pip, and one of them at least pins one.
pub(crate) fn is_list(text: &str) -> bool {
    // The last line may be cut.
    let whole = text.rsplit_once('\n').map_or(text, |(whole, _)| whole);
    let compared = |line: &str| {
        let end = line.find(['=', '<', '>', '~', '!'])?;
        let name = line.get(..end)?.split('[').next()?.trim();
        let plain = name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte));
        let version = line.get(end..)?.trim_start_matches(['=', '<', '>', '~', '!', ' ']);
        (plain && !name.is_empty() && version.starts_with(|c: char| c.is_ascii_digit()))
            .then(|| line.contains("=="))
    };
    let mut pins = false;
    for (line, _) in logical(whole) {
        let option = ["-r ", "-c ", "-e ", "-i ", "--"].iter().any(|option| line.starts_with(option));
        match compared(&line) {
            Some(pinned) => pins |= pinned,
            None if option => {}
            None => return false,
        }
    }
    pins
}

/// The package of one requirement: `name[extra]==1.0 ; marker --hash=…`.
pub(crate) fn line(text: &str, number: usize) -> Option<Package> {
    let text = text.split(" --").next().unwrap_or(text);
    let text = text.split(';').next().unwrap_or(text).trim();
    if text.starts_with('-') || text.is_empty() {
        return None;
    }
    let end = text.bytes().take_while(|byte| byte.is_ascii_alphanumeric() || b"-_.".contains(byte)).count();
    let name = text.get(..end).filter(|name| !name.is_empty())?;
    let rest = text.get(end..)?.trim_start();
    // A path or an address, not a name.
    if rest.starts_with(['/', ':', '+', '\\']) || name.ends_with(".whl") || name.starts_with('.') {
        return None;
    }
    let rest = match rest.strip_prefix('[') {
        Some(extras) => extras.split_once(']').map(|(_, rest)| rest)?.trim_start(),
        None => rest,
    };
    let exact = rest.strip_prefix("===").or_else(|| rest.strip_prefix("=="));
    let version = exact
        .map(|version| version.split(',').next().unwrap_or(version).trim())
        .filter(|version| !version.contains('*'));
    Some(Package::new(Ecosystem::PyPI, name, version.unwrap_or_default(), number))
}

/// What a lock file does wrong besides what it pins.
#[must_use]
pub fn remarks(kind: Kind, text: &str) -> Vec<Remark> {
    let mut remarks = Remarks::new(text);
    if text.len() > LONGEST {
        remarks.add(&rules::MALFORMED, 0, format!("the file has {} bytes, more than {LONGEST}", text.len()));
        return remarks.finish();
    }
    match kind {
        Kind::Requirements => requirements(text, &mut remarks),
        Kind::Pipfile | Kind::PackageLock | Kind::Pnpm | Kind::CondaLock | Kind::CondaEnvironment => {
            let plain = text.replace('\t', " ");
            if let Some((fault, line)) = crate::yaml::Yaml::read(&plain).fault {
                remarks.add_line(
                    &rules::MALFORMED,
                    line,
                    format!("it cannot be read from here on: {}", shown(&fault)),
                );
            }
        }
        Kind::Project => origin::check(text, &mut remarks),
        Kind::PythonTables | Kind::PyLock | Kind::Cargo | Kind::Yarn => {
            if locked(kind, text).is_empty() && text.trim().len() > 256 {
                remarks.add(&rules::MALFORMED, 0, "nothing in it can be read as a package");
            }
        }
    }
    crate::secrets::scan(text, &mut remarks);
    remarks.finish()
}

fn requirements(text: &str, remarks: &mut Remarks<'_>) {
    for (bare, number) in logical(text) {
        let lower = bare.to_ascii_lowercase();
        let index = ["-i ", "--index-url", "--extra-index-url", "--find-links", "-f "]
            .iter()
            .any(|option| lower.starts_with(option));
        if lower.starts_with("--trusted-host") || index && is_plain(&lower) {
            remarks.add_line(
                &rules::PLAIN_INDEX,
                number,
                format!("`{}`", shown(&crate::secrets::blotted(&bare))),
            );
        } else if lower.starts_with("--extra-index-url") && !lower.contains("download.pytorch.org") {
            remarks.add_line(&rules::INDEX, number, "names of the second index may be taken in the first");
        }
        if let Some(rule) = source(&lower).filter(|_| !index) {
            remarks.add_line(rule, number, format!("`{}`", shown(&crate::secrets::blotted(&bare))));
        } else if let Some(package) =
            line(&bare, number).filter(|package| package.version.is_empty() && !is_address(&lower))
        {
            remarks.add_line(&rules::UNPINNED, number, format!("`{}` has no version", shown(&package.name)));
        }
    }
}

/// What is wrong with a requirement in small letters that gives an address.
pub(crate) fn source(lower: &str) -> Option<&'static Rule> {
    if !is_address(lower) {
        None
    } else if is_plain(lower) && !names_content(lower) {
        Some(&rules::PLAIN_INDEX)
    } else {
        (!fixed(lower)).then_some(&rules::UNFIXED_SOURCE)
    }
}

fn is_address(lower: &str) -> bool {
    lower.contains("git+") || lower.contains("://") && !lower.starts_with("--")
}

/// Whether an address in small letters leads to another machine without protection.
pub(crate) fn is_plain(lower: &str) -> bool {
    lower.split("http://").skip(1).any(|rest| {
        let host = rest.split(['/', ':', '#', '?', ' ']).next().unwrap_or(rest);
        !matches!(host, "localhost" | "127.0.0.1")
    })
}

/// Whether an address names a commit or a digest, or a wheel whose name has its version.
fn fixed(text: &str) -> bool {
    names_content(text) || text.contains(".whl")
}

/// Whether an address names a commit or a digest.
fn names_content(text: &str) -> bool {
    let commit =
        text.split('@').skip(1).any(|part| part.bytes().take_while(u8::is_ascii_hexdigit).count() == 40);
    commit || text.contains("sha256=") || text.contains("--hash=")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_are_known_by_what_stands_in_them() {
        assert!(is_list("# base\ntorch==2.5.1\nnumpy>=1.0,<2\n-r other.txt\n"));
        assert!(is_list("torch[extra]==2.5.1 ; python_version > '3.8' \\\n    --hash=sha256:00\n"));
        for text in ["", "the\ncat\n", "a == b\n", "numpy>=1.0\n", "x==1\nsome words\n", "accuracy = 0.5\n"] {
            assert!(!is_list(text), "{text}");
        }
        assert_eq!(Kind::of("base.txt", "torch==2.5.1\n"), Some(Kind::Requirements));
    }

    #[test]
    fn files_that_are_taken_in_are_named() {
        let text = "-r base.txt\n--requirement=sub/dev.txt\n-c ${X}/c.txt\n-r https://example.org/r.txt\n-rx\ntorch\n";
        assert_eq!(included(text), ["base.txt", "sub/dev.txt"]);
    }
}
