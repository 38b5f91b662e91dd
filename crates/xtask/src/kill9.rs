//! `cargo xtask kill9`: builds the binaries and hands over to the kit's `kill9`.

use std::process::Command;

use clap::Args;

use crate::shell::{Fallible, Outcome, cargo, run as run_command};
use crate::workspace::{root, target_folder};

#[derive(Args)]
pub(crate) struct Arguments {
    /// How often to kill
    #[arg(long, default_value_t = 50, value_name = "N")]
    rounds: u32,
    /// Varies the moments of the kills
    #[arg(long, default_value_t = 1, value_name = "N")]
    seed: u64,
    /// Whether the server waits for the disk: `strict` or `relaxed`
    #[arg(long, default_value = "strict", value_name = "MODE")]
    audit: String,
    /// Use release builds
    #[arg(long)]
    release: bool,
}

pub(crate) fn run(arguments: &Arguments) -> Fallible<Outcome> {
    let mut build = cargo();
    build.current_dir(root()).args(["build", "-p", "bastide", "-p", "bastide-testkit", "--bins"]);
    if arguments.release {
        build.arg("--release");
    }
    if !run_command(&mut build)? {
        return Ok(Outcome::Findings);
    }
    let folder = target_folder()?.join(if arguments.release { "release" } else { "debug" });
    let mut kill = Command::new(folder.join("kill9"));
    kill.arg("--binary").arg(folder.join("bastide"));
    kill.args(["--rounds", &arguments.rounds.to_string(), "--seed", &arguments.seed.to_string()]);
    kill.args(["--audit", &arguments.audit]);
    Ok(if run_command(&mut kill)? { Outcome::Fine } else { Outcome::Findings })
}
