//! The load generator as a process of its own.
#![allow(clippy::print_stdout, clippy::print_stderr, reason = "a tool for the terminal")]

use std::error::Error;
use std::io::Write;
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Mutex;
use std::time::Duration;

use bastide_testkit::load::{LoadConfig, OnReceipt, Stop, chat_body, run_with};
use clap::Parser;

/// Sends chat requests, in a closed loop or at a rate, and reports what came back.
#[derive(Parser)]
#[command(name = "load")]
struct Arguments {
    /// Base URL as an SDK takes it, e.g. http://127.0.0.1:8800/v1
    url: String,
    /// Bearer key
    #[arg(long, env = "BASTIDE_KEY", hide_env_values = true)]
    key: Option<String>,
    /// Model to ask for
    #[arg(long, default_value = "mock")]
    model: String,
    /// Ask for streams
    #[arg(long)]
    stream: bool,
    /// Characters of user text in a request
    #[arg(long, default_value_t = 400, value_name = "N")]
    chars: usize,
    /// File with the body to send instead
    #[arg(long, value_name = "FILE", conflicts_with_all = ["model", "chars"])]
    body: Option<PathBuf>,
    /// Connections
    #[arg(short, long, default_value_t = 16, value_name = "N")]
    connections: usize,
    /// Requests a second over all connections, instead of as many as go
    #[arg(long, value_name = "N")]
    rate: Option<f64>,
    /// Stop after so many requests
    #[arg(short = 'n', long, value_name = "N", conflicts_with = "seconds")]
    requests: Option<u64>,
    /// Stop after so long
    #[arg(short, long, default_value_t = 5.0, value_name = "S")]
    seconds: f64,
    /// Requests before counting begins
    #[arg(long, default_value_t = 200, value_name = "N")]
    warm_up: u64,
    /// Longest wait for a reply, in seconds
    #[arg(long, default_value_t = 30.0, value_name = "S")]
    timeout: f64,
    /// Process whose CPU time and memory to measure; may be given again
    #[arg(long = "pid", value_name = "PID")]
    pids: Vec<u32>,
    /// CPU to run on
    #[arg(long, value_name = "N")]
    cpu: Option<usize>,
    /// Write each receipt to this file as it arrives, one to a line
    #[arg(long, value_name = "FILE")]
    receipts: Option<PathBuf>,
    /// Go on when requests fail, after a short pause
    #[arg(long)]
    patient: bool,
    /// Report as JSON
    #[arg(long)]
    json: bool,
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    if let Some(cpu) = arguments.cpu
        && let Err(error) = bastide_testkit::pin_to_cpu(cpu)
    {
        eprintln!("not pinned to CPU {cpu}: {error}");
    }
    match measure(arguments) {
        Ok(code) => code,
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

fn measure(arguments: Arguments) -> Result<ExitCode, Box<dyn Error>> {
    let body = match &arguments.body {
        Some(file) => std::fs::read(file)?,
        None => chat_body(&arguments.model, arguments.stream, arguments.chars),
    };
    let config = LoadConfig {
        key: arguments.key,
        stream: arguments.stream,
        body,
        connections: arguments.connections,
        rate: arguments.rate,
        stop: match arguments.requests {
            Some(requests) => Stop::Requests(requests),
            None => Stop::After(Duration::try_from_secs_f64(arguments.seconds)?),
        },
        warm_up: arguments.warm_up,
        timeout: Duration::try_from_secs_f64(arguments.timeout)?,
        pids: arguments.pids,
        receipts: arguments.receipts.is_some(),
        patient: arguments.patient,
        ..LoadConfig::new(&arguments.url)
    };
    let on_receipt = match &arguments.receipts {
        Some(path) => {
            // Unbuffered: whoever kills the server wants to know what was acknowledged until then.
            let file = Mutex::new(std::fs::OpenOptions::new().create(true).append(true).open(path)?);
            let write = move |receipt: &str| {
                if let Ok(mut file) = file.lock()
                    && let Err(error) = file.write_all(format!("{receipt}\n").as_bytes())
                {
                    eprintln!("receipt lost: {error}");
                }
            };
            Some(Box::new(write) as OnReceipt)
        }
        None => None,
    };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let report = runtime.block_on(run_with(config, on_receipt))?;
    if arguments.json {
        println!("{}", serde_json::to_string(&report)?);
    } else {
        print!("{report}");
    }
    let none_answered = report.requests == 0;
    Ok(if none_answered { ExitCode::FAILURE } else { ExitCode::SUCCESS })
}
