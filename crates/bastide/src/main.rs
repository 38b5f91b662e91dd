//! The `bastide` binary: settings in, a server or an answer out.

mod admin;
mod audit;
mod bodies;
mod change;
mod cli;
mod client;
mod clock;
mod config;
mod control;
mod entry;
mod environment;
mod failure;
mod folder;
mod inspect;
mod mask;
mod node;
mod providers;
mod request;
mod serve;
mod show;
mod telemetry;
mod time;
mod usage;

use std::process::ExitCode;

use clap::Parser as _;

use crate::cli::{Cli, Command};

fn main() -> ExitCode {
    let cli = Cli::parse();
    let result = match cli.command {
        Command::Serve(args) => serve::run(&args),
        Command::Key(command) => client::key(command),
        Command::Provider(command) => client::provider(command),
        Command::Project(command) => client::project(command),
        Command::Policy(command) => client::policy(command),
        Command::Audit(command) => audit::run(command),
        Command::Inspect(args) => inspect::run(&args),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            report(&failure);
            failure.exit()
        }
    }
}

#[expect(clippy::print_stderr, reason = "the last word of a command goes to standard error")]
fn report(failure: &failure::Failure) {
    eprintln!("bastide: {failure}");
}
