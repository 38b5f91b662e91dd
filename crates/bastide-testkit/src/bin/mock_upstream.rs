//! The mock upstream as a process of its own.
#![allow(clippy::print_stdout, clippy::print_stderr, reason = "a tool for the terminal")]

use std::net::SocketAddr;
use std::process::ExitCode;
use std::time::Duration;

use bastide_testkit::{MockConfig, MockUpstream, Scenario};
use clap::Parser;

/// An OpenAI-compatible model server for tests: fast, scripted and as faulty as asked.
#[derive(Parser)]
#[command(name = "mock-upstream", after_help = scenarios())]
struct Arguments {
    /// Where to listen; port 0 takes a free one
    #[arg(long, default_value = "127.0.0.1:9000", value_name = "ADDR")]
    listen: SocketAddr,
    /// Events of a plain stream
    #[arg(long, default_value_t = 100, value_name = "N")]
    events: usize,
    /// Events to one write; 0 writes a whole stream at once
    #[arg(long, default_value_t = 0, value_name = "N")]
    burst: usize,
    /// Microseconds between the writes of a plain stream
    #[arg(long, default_value_t = 0, value_name = "MICROS")]
    pace: u64,
    /// CPU to run on
    #[arg(long, value_name = "N")]
    cpu: Option<usize>,
    /// Model that `/v1/models` lists, as often as wanted
    #[arg(long = "model", value_name = "NAME")]
    models: Vec<String>,
    /// Keep requests: `GET /mock/last` shows the last body. `GET /mock/stats` counts in any case
    #[arg(long)]
    record: bool,
}

fn scenarios() -> String {
    let mut out = String::from("Model names with a meaning (or the header `x-mock-scenario`):\n");
    for (name, meaning) in Scenario::NAMES {
        let number = if meaning.contains('#') { "[-#]" } else { "" };
        out.push_str(&format!("  mock-{:<16} {meaning}\n", format!("{name}{number}")));
    }
    out
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let defaults = MockConfig::default();
    let config = MockConfig {
        listen: arguments.listen,
        events: arguments.events,
        burst: arguments.burst,
        pace: Duration::from_micros(arguments.pace),
        cpu: arguments.cpu,
        record: arguments.record,
        models: if arguments.models.is_empty() { defaults.models.clone() } else { arguments.models },
    };
    match MockUpstream::start_blocking(config) {
        Ok(mock) => {
            println!("mock upstream on {}", mock.base_url());
            mock.run();
            ExitCode::SUCCESS
        }
        Err(error) => {
            eprintln!("{error}: another process may hold the port; give another with --listen");
            ExitCode::FAILURE
        }
    }
}
