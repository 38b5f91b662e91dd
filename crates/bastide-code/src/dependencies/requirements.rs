//! `requirements.txt`: <https://pip.pypa.io/en/stable/reference/requirements-file-format/>, and what is wrong in lock files.

use crate::dependencies::lock::{Kind, LONGEST, Package, packages as locked};
use crate::dependencies::order::Ecosystem;
use crate::dependencies::rules;
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
        if lower.starts_with("--trusted-host")
            || index && lower.contains("http://") && !lower.contains("http://localhost")
        {
            remarks.add_line(
                &rules::PLAIN_INDEX,
                number,
                format!("`{}`", shown(&crate::secrets::blotted(&bare))),
            );
        } else if lower.starts_with("--extra-index-url") && !lower.contains("download.pytorch.org") {
            remarks.add_line(&rules::INDEX, number, "names of the second index may be taken in the first");
        }
        let address = lower.contains("git+") || lower.contains("://") && !lower.starts_with("--");
        if address && !index && !fixed(&lower) {
            remarks.add_line(
                &rules::UNFIXED_SOURCE,
                number,
                format!("`{}`", shown(&crate::secrets::blotted(&bare))),
            );
        } else if let Some(package) =
            line(&bare, number).filter(|package| package.version.is_empty() && !address)
        {
            remarks.add_line(&rules::UNPINNED, number, format!("`{}` has no version", shown(&package.name)));
        }
    }
}

/// Whether an address names a commit or a digest, or a wheel whose name has its version.
fn fixed(text: &str) -> bool {
    let commit =
        text.split('@').skip(1).any(|part| part.bytes().take_while(u8::is_ascii_hexdigit).count() == 40);
    commit || text.contains("sha256=") || text.contains("--hash=") || text.contains(".whl")
}
