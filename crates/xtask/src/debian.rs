//! Packages that tests need, installed where that can be done: as root on a Debian or Ubuntu.

use std::process::Command;

use crate::shell::{Fallible, capture, find_program, run};

/// Installs `packages`; `Ok(false)` where this is no place to install anything.
pub(crate) fn install(packages: &[&str]) -> Fallible<bool> {
    if find_program("apt-get").is_none() || !is_root() {
        return Ok(false);
    }
    println!("installing {} with apt-get", packages.join(" "));
    // Lists may be missing in a fresh container; without them every package is unknown.
    let get = |arguments: &[&str]| {
        run(Command::new("apt-get").args(arguments).env("DEBIAN_FRONTEND", "noninteractive"))
    };
    let install: Vec<&str> =
        ["install", "-y", "-qq", "--no-install-recommends"].iter().chain(packages).copied().collect();
    Ok(get(&install)? || get(&["update", "-qq"])? && get(&install)?)
}

fn is_root() -> bool {
    capture(Command::new("id").arg("-u")).is_ok_and(|out| out.trim() == "0")
}
