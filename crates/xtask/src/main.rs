//! `cargo xtask`: the repository's own commands. Each prints what it runs, so that a person can run one step alone.
#![allow(
    clippy::disallowed_methods,
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "a tool for the terminal whose work is to start other programs"
)]

mod bench;
mod chromium;
mod console_bench;
mod debian;
mod docs;
mod floors;
mod kill9;
mod python;
mod shell;
mod supply;
mod test;
mod workspace;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

use crate::shell::Outcome;

/// Build, test and measure bastide.
#[derive(Parser)]
#[command(name = "cargo xtask", bin_name = "cargo xtask")]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Run every check and every test; install what they need.
    Test(test::Arguments),
    /// Check that crates depend only on lower floors.
    Floors,
    /// Check licences, bans and sources of every dependency against `deny.toml`.
    Supply,
    /// Write the pages of the documentation that are made from the code.
    Docs(docs::Arguments),
    /// Measure bastide against nginx in the same run.
    Bench(bench::Arguments),
    /// Measure the console's pages over a log with many exchanges.
    ConsoleBench(console_bench::Arguments),
    /// Kill the server in the middle of load and verify what it had promised.
    Kill9(kill9::Arguments),
}

fn main() -> ExitCode {
    let outcome = match Cli::parse().command {
        Command::Test(arguments) => test::run(&arguments),
        Command::Floors => floors::run(),
        Command::Supply => supply::run(),
        Command::Docs(arguments) => docs::run(&arguments),
        Command::Bench(arguments) => bench::run(&arguments),
        Command::ConsoleBench(arguments) => console_bench::run(&arguments),
        Command::Kill9(arguments) => kill9::run(&arguments),
    };
    match outcome {
        Ok(Outcome::Fine) => ExitCode::SUCCESS,
        Ok(Outcome::Findings) => ExitCode::FAILURE,
        Err(message) => {
            eprintln!("{message}");
            ExitCode::from(3)
        }
    }
}
