//! A Chromium for the tests of the console.

use std::path::PathBuf;

use crate::debian;
use crate::shell::{Fallible, find_program};

/// What it is called where.
const NAMES: [&str; 4] = ["chromium", "chromium-browser", "google-chrome-stable", "google-chrome"];

/// One that is installed, or that can be installed here: as root on a Debian or Ubuntu. The error says what a person can
/// do.
pub(crate) fn program() -> Fallible<PathBuf> {
    if let Some(named) = std::env::var_os("CHROMIUM").filter(|name| !name.is_empty()) {
        return Ok(PathBuf::from(named));
    }
    let installed = || NAMES.iter().find_map(|name| find_program(name));
    if let Some(program) = installed() {
        return Ok(program);
    }
    let remedy = "install Chromium (`apt-get install chromium`), or name a Chrome in `CHROMIUM`";
    if !debian::install(&["chromium"])? {
        return Err(format!("there is no Chromium here: {remedy}"));
    }
    installed().ok_or_else(|| format!("Chromium could not be installed (see above): {remedy}"))
}
