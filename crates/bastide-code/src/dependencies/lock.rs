//! Lock files: which they are, and what they pin.

use crate::dependencies::order::Ecosystem;
use crate::dependencies::{node, project, python, requirements};

/// The formats of lock files.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Kind {
    /// `requirements.txt` of pip.
    Requirements,
    /// `pyproject.toml` and `Pipfile`: what a project asks for, with or without a version.
    Project,
    /// `poetry.lock`, `uv.lock`, `pdm.lock`: tables `[[package]]`.
    PythonTables,
    /// `pylock.toml` (PEP 751): tables `[[packages]]`.
    PyLock,
    /// `Pipfile.lock`.
    Pipfile,
    /// `environment.yml` of conda.
    CondaEnvironment,
    /// `conda-lock.yml`.
    CondaLock,
    /// `package-lock.json` and `npm-shrinkwrap.json`.
    PackageLock,
    /// `yarn.lock`, of both generations.
    Yarn,
    /// `pnpm-lock.yaml`.
    Pnpm,
    /// `Cargo.lock`.
    Cargo,
}

/// The longest lock file that is read, in bytes; larger ones of whole companies have a few MiB.
pub(crate) const LONGEST: usize = 64 << 20;
/// The most packages of one file.
pub(crate) const MANY: usize = 500_000;

/// A package that a file pins.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Package {
    /// Where it comes from.
    pub ecosystem: Ecosystem,
    /// Its name, normalised for its ecosystem.
    pub name: String,
    /// Its version as it is written; empty when the file names none.
    pub version: String,
    /// The line that says so, from 1.
    pub line: u32,
}

impl Package {
    /// A package of that name.
    #[must_use]
    pub fn new(ecosystem: Ecosystem, name: &str, version: &str, line: usize) -> Self {
        let line = u32::try_from(line).unwrap_or(u32::MAX);
        Package { ecosystem, name: ecosystem.normalise(name), version: version.trim().to_owned(), line }
    }
}

impl Kind {
    /// What a file is, by its name and, where names are ambiguous, by what stands in it.
    #[must_use]
    pub fn of(name: &str, text: &str) -> Option<Kind> {
        let name = name.rsplit(['/', '\\']).next().unwrap_or(name).to_ascii_lowercase();
        let begins = || text.get(..text.floor_char_boundary(4096)).unwrap_or(text);
        Some(match name.as_str() {
            "poetry.lock" | "uv.lock" | "pdm.lock" => Kind::PythonTables,
            "pipfile.lock" => Kind::Pipfile,
            "pyproject.toml" | "pipfile" => Kind::Project,
            "package-lock.json" | "npm-shrinkwrap.json" => Kind::PackageLock,
            "yarn.lock" => Kind::Yarn,
            "pnpm-lock.yaml" | "pnpm-lock.yml" => Kind::Pnpm,
            "cargo.lock" => Kind::Cargo,
            "conda-lock.yml" | "conda-lock.yaml" => Kind::CondaLock,
            _ if name.ends_with(".conda-lock.yml") => Kind::CondaLock,
            _ if name.starts_with("pylock.") && name.ends_with(".toml") || name == "pylock.toml" => {
                Kind::PyLock
            }
            _ if name.starts_with("environment")
                && (name.ends_with(".yml") || name.ends_with(".yaml"))
                && begins().contains("dependencies:") =>
            {
                Kind::CondaEnvironment
            }
            _ if name == "conda.yaml" && begins().contains("dependencies:") => Kind::CondaEnvironment,
            _ if (name.contains("requirements") || name == "constraints.txt")
                && (name.ends_with(".txt") || name.ends_with(".in") || name.ends_with(".pip")) =>
            {
                Kind::Requirements
            }
            // Files that `-r` names are called anything.
            _ if (name.ends_with(".txt") || name.ends_with(".in")) && requirements::is_list(begins()) => {
                Kind::Requirements
            }
            _ => return None,
        })
    }
}

/// The packages that a lock file pins, in its order. A file that is broken gives those before the break.
#[must_use]
pub fn packages(kind: Kind, text: &str) -> Vec<Package> {
    if text.len() > LONGEST {
        return Vec::new();
    }
    let mut packages = match kind {
        Kind::Requirements => requirements::packages(text),
        Kind::Project => project::packages(text),
        Kind::PythonTables => python::tables(text, "[[package]]", Ecosystem::PyPI),
        Kind::PyLock => python::tables(text, "[[packages]]", Ecosystem::PyPI),
        Kind::Cargo => python::tables(text, "[[package]]", Ecosystem::CratesIo),
        Kind::Pipfile => python::pipfile(text),
        Kind::CondaEnvironment => python::conda_environment(text),
        Kind::CondaLock => python::conda_lock(text),
        Kind::PackageLock => node::package_lock(text),
        Kind::Yarn => node::yarn(text),
        Kind::Pnpm => node::pnpm(text),
    };
    packages.truncate(MANY);
    packages
}
