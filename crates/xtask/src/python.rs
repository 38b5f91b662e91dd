//! Python for the suites under `tests/`, each in a virtual environment of our own outside of the checkout.

use std::path::{Path, PathBuf};
use std::process::Command;

use crate::shell::{Fallible, capture, find_program, run};
use crate::workspace::root;

/// The folder that holds the environment: kept between runs, shared by checkouts.
fn folder(suite: &str) -> Fallible<PathBuf> {
    let set = |name: &str| std::env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from);
    let cache = set("XDG_CACHE_HOME")
        .or_else(|| set("HOME").map(|home| home.join(".cache")))
        .ok_or("neither XDG_CACHE_HOME nor HOME is set: there is no place for the Python environment")?;
    Ok(cache.join("bastide").join("venv").join(suite))
}

fn python_of(folder: &Path) -> PathBuf {
    if cfg!(windows) { folder.join("Scripts").join("python.exe") } else { folder.join("bin").join("python") }
}

/// A Python that has everything in `tests/SUITE/requirements.txt`; made or brought up to date when it has not. The
/// error says what a person can do.
pub(crate) fn environment(suite: &str) -> Fallible<PathBuf> {
    let requirements = root().join("tests").join(suite).join("requirements.txt");
    let wanted = std::fs::read_to_string(&requirements)
        .map_err(|e| format!("cannot read `{}`: {e}", requirements.display()))?;
    let folder = folder(suite)?;
    let python = python_of(&folder);
    let stamp = folder.join("installed-requirements.txt");
    if python.exists() && std::fs::read_to_string(&stamp).is_ok_and(|have| have == wanted) {
        return Ok(python);
    }
    let system = find_program("python3")
        .or_else(|| find_program("python"))
        .ok_or("no `python3` in PATH: install Python 3.10 or later, then run this again")?;
    // A broken environment (its Python was upgraded away) is made anew.
    if capture(Command::new(&python).arg("--version")).is_err() {
        let _ = std::fs::remove_dir_all(&folder);
        if !run(Command::new(&system).args(["-m", "venv"]).arg(&folder))? {
            return Err(
                "Python cannot make a virtual environment: on Debian and Ubuntu install `python3-venv`"
                    .into(),
            );
        }
    }
    let mut install = Command::new(&python);
    install.args(["-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--requirement"]);
    install.arg(&requirements);
    if !run(&mut install)? {
        return Err("pip could not install what the suite needs (see above): is the package index reachable? An index or a folder \
                    of wheels can be named in PIP_INDEX_URL or PIP_FIND_LINKS"
            .into());
    }
    std::fs::write(&stamp, wanted).map_err(|e| format!("cannot write `{}`: {e}", stamp.display()))?;
    Ok(python)
}
