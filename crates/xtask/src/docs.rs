//! The pages of the documentation that are made from the code.

use std::path::Path;
use std::process::Command;

use clap::Args;

use crate::shell::{Fallible, Outcome, capture, cargo, run as run_command};
use crate::workspace::{root, target_folder};

/// Pages of `bastide reference`, and the files of `docs/reference` that they are.
const PAGES: [(&str, &str); 9] = [
    ("cli", "cli.md"),
    ("configuration", "configuration.md"),
    ("metrics", "metrics.md"),
    ("detectors", "detectors.md"),
    ("rules", "rules.md"),
    ("scan-schema", "scan.schema.json"),
    ("api", "api.md"),
    ("openapi", "openapi.json"),
    // Beside the folder: callers hold links to its anchors.
    ("errors", "../errors.md"),
];

#[derive(Args)]
pub(crate) struct Arguments {
    /// Write nothing; fail when a page is not as the code has it
    #[arg(long)]
    check: bool,
}

pub(crate) fn run(arguments: &Arguments) -> Fallible<Outcome> {
    let folder = root().join("docs").join("reference");
    let stale = if arguments.check { check(&folder)? } else { write(&folder)? };
    Ok(if stale.is_empty() { Outcome::Fine } else { Outcome::Findings })
}

/// The pages that are not as the code has them.
pub(crate) fn check(folder: &Path) -> Fallible<Vec<&'static str>> {
    let mut stale = Vec::new();
    for (file, text) in pages()? {
        let path = folder.join(file);
        if std::fs::read_to_string(&path).unwrap_or_default() != text {
            println!("`{}` is not as the code has it: run `cargo xtask docs`", path.display());
            stale.push(file);
        }
    }
    Ok(stale)
}

fn write(folder: &Path) -> Fallible<Vec<&'static str>> {
    let failed = |e: std::io::Error| format!("cannot write to `{}`: {e}", folder.display());
    std::fs::create_dir_all(folder).map_err(failed)?;
    for (file, text) in pages()? {
        std::fs::write(folder.join(file), text).map_err(failed)?;
    }
    Ok(Vec::new())
}

fn pages() -> Fallible<Vec<(&'static str, String)>> {
    let mut build = cargo();
    build.current_dir(root()).args(["build", "--locked", "-p", "bastide", "--bin", "bastide"]);
    if !run_command(&mut build)? {
        return Err("the binary that prints the pages does not build".to_owned());
    }
    let binary = target_folder()?.join("debug").join("bastide");
    PAGES
        .iter()
        .map(|(page, file)| Ok((*file, capture(Command::new(&binary).args(["reference", page]))?)))
        .collect()
}
