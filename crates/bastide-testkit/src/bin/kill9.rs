//! Kills of a running server, as a command.
#![allow(clippy::print_stdout, clippy::print_stderr, reason = "a tool for the terminal")]

use std::error::Error;
use std::path::PathBuf;
use std::process::ExitCode;

use bastide_testkit::{Kill9, temp_folder};
use clap::Parser;

/// Kills bastide (SIGKILL) in the middle of load, starts it again and verifies its log and every receipt that a
/// client got.
///
/// Exit codes: 0 everything held, 1 something was lost, 3 the run could not be made.
#[derive(Parser)]
#[command(name = "kill9")]
struct Arguments {
    /// How often to kill
    #[arg(long, default_value_t = 50, value_name = "N")]
    rounds: u32,
    /// Connections of the load
    #[arg(short, long, default_value_t = 8, value_name = "N")]
    connections: usize,
    /// Varies the moments of the kills
    #[arg(long, default_value_t = 1, value_name = "N")]
    seed: u64,
    /// Data folder to keep; otherwise a temporary one
    #[arg(long, value_name = "DIR")]
    data: Option<PathBuf>,
    /// The binary under test [default: `bastide` beside this program]
    #[arg(long, value_name = "FILE")]
    binary: Option<PathBuf>,
    /// Whether the server waits for the disk: `strict` or `relaxed`
    #[arg(long, default_value = "strict", value_name = "MODE")]
    audit: String,
    /// Report as JSON
    #[arg(long)]
    json: bool,
}

fn main() -> ExitCode {
    match kill(Arguments::parse()) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            let mut message = error.to_string();
            let mut source = error.source();
            while let Some(cause) = source {
                message.push_str(&format!(": {cause}"));
                source = cause.source();
            }
            eprintln!("{message}");
            ExitCode::from(3)
        }
    }
}

fn kill(arguments: Arguments) -> Result<bool, Box<dyn Error>> {
    let temporary = temp_folder()?;
    let data = arguments.data.unwrap_or_else(|| temporary.path().join("data"));
    let run = Kill9 {
        binary: arguments.binary,
        connections: arguments.connections,
        seed: arguments.seed,
        arguments: vec!["--audit".to_owned(), arguments.audit],
        ..Kill9::new(&data, arguments.rounds)
    };
    let report = run.run(|round, so_far| {
        if round.is_multiple_of(10) {
            eprintln!("{round} kills, {} receipts, {} lost", so_far.receipts, so_far.lost.len());
        }
    })?;
    if arguments.json {
        println!("{}", serde_json::to_string(&report)?);
    } else {
        print!("{report}");
        println!("{}", if report.holds() { "nothing acknowledged was lost" } else { "NOT everything held" });
    }
    Ok(report.holds())
}
