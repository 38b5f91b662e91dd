//! A Chromium for the tests of the console.

use std::path::PathBuf;
use std::process::Command;

use crate::shell::{Fallible, find_program, run};

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
    if find_program("apt-get").is_none() || !is_root() {
        return Err(format!("there is no Chromium here: {remedy}"));
    }
    println!("installing Chromium with apt-get");
    // Lists may be missing in a fresh container; without them every package is unknown.
    let get = |arguments: &[&str]| {
        run(Command::new("apt-get").args(arguments).env("DEBIAN_FRONTEND", "noninteractive"))
    };
    let install = ["install", "-y", "-qq", "--no-install-recommends", "chromium"];
    if !get(&install)? {
        get(&["update", "-qq"])?;
        get(&install)?;
    }
    installed().ok_or_else(|| format!("Chromium could not be installed (see above): {remedy}"))
}

fn is_root() -> bool {
    crate::shell::capture(Command::new("id").arg("-u")).is_ok_and(|out| out.trim() == "0")
}
