//! `bastide-verify`: see the library's documentation for what is verified.

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use bastide_verify::{
    Entries, Failure, FailureKind, LogOptions, RECEIPT_PREFIX, VerifierKey, verify_consistency,
    verify_log_with, verify_proof, verify_receipt,
};
use clap::{Args, Parser, Subcommand, ValueEnum};

/// Verifies receipts and logs of bastide offline.
///
/// Exit codes: 0 it holds, 1 it does not hold, 2 usage, 3 could not (unreadable, or not yet published).
#[derive(Parser)]
#[command(version, max_term_width = 100)]
struct Cli {
    #[command(subcommand)]
    command: Command,
    /// Print one JSON object instead of text.
    #[arg(long, global = true)]
    json: bool,
}

#[derive(Subcommand)]
enum Command {
    /// Verify one receipt and print what it proves.
    Receipt {
        /// The value of the `bastide-receipt` header, or a file holding it.
        receipt: String,
        /// The log's public key (`log.vkey`), as text or file. Get it from the log's owner, not from the log.
        #[arg(long, value_name = "VKEY|FILE")]
        log_key: String,
        /// Also find the entry in this log (its folder, or a data folder).
        #[arg(long, value_name = "DIR")]
        log: Option<PathBuf>,
    },
    /// Verify that an entry is in the log, by the proof that console and management API give of it.
    Entry {
        /// The answer of `GET /api/v1/log/entries/INDEX`, in a file.
        proof: PathBuf,
        /// The log's public key (`log.vkey`), as text or file. Get it from the log's owner, not from the log.
        #[arg(long, value_name = "VKEY|FILE")]
        log_key: String,
    },
    /// Verify a whole log: derive the root and every tile again from the entries.
    Log {
        /// The log's folder, or a data folder.
        dir: PathBuf,
        #[command(flatten)]
        options: LogArgs,
    },
    /// Verify that a log continues an older state of itself.
    Consistency {
        /// An older signed checkpoint, kept elsewhere.
        old_checkpoint: PathBuf,
        /// The log's folder, or a data folder.
        dir: PathBuf,
        #[command(flatten)]
        options: LogArgs,
    },
}

#[derive(Args)]
struct LogArgs {
    /// The log's public key, as text or file; without it the folder's own `log.vkey` is believed.
    #[arg(long, value_name = "VKEY|FILE")]
    log_key: Option<String>,
    /// What the entries are: `bastide` checks their form and links, `any` is for logs of other programs.
    #[arg(long, value_enum, default_value = "bastide")]
    entries: EntriesArg,
}

#[derive(Clone, Copy, ValueEnum)]
enum EntriesArg {
    Bastide,
    Any,
}

impl LogArgs {
    fn options(self) -> Result<LogOptions, Failure> {
        let entries = match self.entries {
            EntriesArg::Bastide => Entries::Bastide,
            EntriesArg::Any => Entries::Any,
        };
        Ok(LogOptions { key: self.log_key.as_deref().map(log_key).transpose()?, entries })
    }
}

fn main() -> ExitCode {
    let cli = Cli::parse();
    let result = run(cli.command);
    let text = match (&result, cli.json) {
        (Ok(holds), false) => holds.text.clone(),
        (Err(failure), false) => format!("{}: {failure}\n", verdict(failure.kind)),
        (Ok(holds), true) => json(&serde_json::json!({ "holds": true, "report": holds.json })),
        (Err(failure), true) => json(&serde_json::json!({ "holds": false, "failure": failure })),
    };
    // What a script reads goes to stdout; a failure told to a person goes to stderr.
    let written = if result.is_ok() || cli.json {
        std::io::stdout().lock().write_all(text.as_bytes())
    } else {
        std::io::stderr().lock().write_all(text.as_bytes())
    };
    match (result, written) {
        (Err(failure), _) => ExitCode::from(failure.exit_code()),
        (Ok(_), Err(_)) => ExitCode::from(3),
        (Ok(_), Ok(())) => ExitCode::SUCCESS,
    }
}

struct Holds {
    text: String,
    json: serde_json::Value,
}

impl Holds {
    fn new(report: &(impl std::fmt::Display + serde::Serialize)) -> Self {
        Holds { text: report.to_string(), json: serde_json::to_value(report).unwrap_or_default() }
    }
}

fn run(command: Command) -> Result<Holds, Failure> {
    match command {
        Command::Receipt { receipt, log_key: key, log } => {
            let text = text_or_file(&receipt, |t| t.starts_with(RECEIPT_PREFIX))?;
            Ok(Holds::new(&verify_receipt(&text, &log_key(&key)?, log.as_deref())?))
        }
        Command::Entry { proof, log_key: key } => {
            let proof = bastide_verify::read_proof(&proof)?;
            Ok(Holds::new(&verify_proof(&proof, &log_key(&key)?)?))
        }
        Command::Log { dir, options } => Ok(Holds::new(&verify_log_with(&dir, &options.options()?)?)),
        Command::Consistency { old_checkpoint, dir, options } => {
            let old = read(&old_checkpoint)?;
            Ok(Holds::new(&verify_consistency(&old, &dir, &options.options()?)?))
        }
    }
}

fn log_key(given: &str) -> Result<VerifierKey, Failure> {
    text_or_file(given, |t| t.parse::<VerifierKey>().is_ok())?.parse()
}

/// `given` itself when it already is what is asked for, else the text of the file it names.
fn text_or_file(given: &str, is_it: impl Fn(&str) -> bool) -> Result<String, Failure> {
    if is_it(given) {
        return Ok(given.to_owned());
    }
    let text = String::from_utf8(read(Path::new(given))?).map_err(|_| Failure {
        kind: FailureKind::Unreadable,
        subject: given.to_owned(),
        detail: "not text".to_owned(),
    })?;
    Ok(text.trim_ascii().to_owned())
}

fn read(path: &Path) -> Result<Vec<u8>, Failure> {
    bastide_verify::read_small_file(path)
}

const fn verdict(kind: FailureKind) -> &'static str {
    match kind {
        FailureKind::DoesNotHold => "does not hold",
        FailureKind::Usage => "usage",
        FailureKind::Unreadable => "could not verify",
        FailureKind::NotYetPublished => "not yet published",
    }
}

fn json(value: &serde_json::Value) -> String {
    format!("{value:#}\n")
}
