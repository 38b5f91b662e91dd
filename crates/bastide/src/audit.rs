//! `bastide audit`: the log, read and verified. Verification is `bastide-verify`'s, which shares no code with the writer.

use std::path::{Path, PathBuf};
use std::thread;
use std::time::{Duration, Instant};

use bastide_admin::{Failure, Request, RevealWanted, could_not};
use bastide_audit::LogReader;
use bastide_verify::{FailureKind, own_log_key, verify_log, verify_receipt};
use serde_json::json;

use crate::cli::{Audit, Data, Output};
use crate::client;
use crate::control;
use crate::entry::human;
use crate::show;

/// Entries read at a time: a bundle.
const BATCH: usize = 256;
/// Times that entries which moved meanwhile are looked for again before they are left out.
const RETRIES: u32 = 10;

/// A running server publishes within a quarter of a second; a receipt newer than the published log is waited for.
const PUBLISH_WAIT: Duration = Duration::from_secs(3);

pub(crate) fn run(command: Audit) -> Result<(), Failure> {
    match command {
        Audit::Verify { data, receipt, output } => verify(&data, receipt.as_deref(), output),
        Audit::Tail { data, lines, follow, output } => tail(&data, lines, follow, output),
        Audit::Show { exchange, reveal, reason, data, output } => {
            let reveal = reveal.then_some(RevealWanted { reason });
            show::show(&data, exchange, reveal, output)
        }
        Audit::Erase { key, yes, data, output } => show::erase(&data, key, yes, output),
        Audit::Key { data, output } => {
            let path = log_in(&data.dir)?.join("log.vkey");
            let key = std::fs::read_to_string(&path)
                .map_err(|e| Failure::could_not(format!("cannot read `{}`: {e}", path.display())))?;
            client::print(output.json, &json!({ "key": key.trim_end() }), |_| key.clone())
        }
    }
}

fn verify(data: &Data, receipt: Option<&str>, output: Output) -> Result<(), Failure> {
    let dir = &log_in(&data.dir)?;
    let serves = publish(dir);
    let key = own_log_key(dir).map_err(verdict)?;
    let log = verify_log(dir, Some(&key)).map_err(|e| unless_torn(dir, serves, verdict(e)))?;
    let receipt = receipt.map(|given| {
        let text = receipt_text(given)?;
        let until = Instant::now() + PUBLISH_WAIT;
        loop {
            match verify_receipt(&text, &key, Some(dir)) {
                Err(e) if e.kind == FailureKind::NotYetPublished && Instant::now() < until => {
                    publish(dir);
                    thread::sleep(Duration::from_millis(100));
                }
                other => break other.map_err(receipt_verdict),
            }
        }
    });
    let receipt = receipt.transpose()?;
    let value = json!({
        "log": serde_json::to_value(&log).map_err(could_not)?,
        "receipt": receipt.as_ref().map(serde_json::to_value).transpose().map_err(could_not)?,
    });
    client::print(output.json, &value, |_| {
        let mut text = log.to_string();
        if let Some(receipt) = &receipt {
            text.push_str(&receipt.to_string());
        }
        text
    })
}

/// Asks a running server to publish what it has, and says whether there is one; without one the log was published when
/// the last one stopped.
fn publish(log: &Path) -> bool {
    // When nobody answers, what is published is verified as it stands.
    log.parent()
        .is_some_and(|data| control::path(data).exists() && control::ask(data, &Request::LogPublish).is_ok())
}

/// Tiles are written without a sync each: after a power cut they may lack what the segments beside them still have.
fn unless_torn(log: &Path, serves: bool, failure: Failure) -> Failure {
    match torn(log).filter(|_| !serves) {
        Some(remedy) => failure.and(remedy),
        None => failure,
    }
}

/// What to do before anything else about a log of which no server runs and whose published files may be torn.
pub(crate) fn torn(log: &Path) -> Option<&'static str> {
    let torn = LogReader::open(log).and_then(|reader| reader.may_be_torn());
    torn.unwrap_or(false).then_some(
        "if the machine lost power while the server ran, first start the server once: it writes anew what its segments have",
    )
}

/// The folder of the log: the one in a data folder, or what was given where that is the log itself.
fn log_in(dir: &Path) -> Result<PathBuf, Failure> {
    let inside = dir.join("log");
    if inside.is_dir() {
        return Ok(inside);
    }
    if dir.join("log.vkey").is_file() {
        return std::path::absolute(dir).map_err(could_not);
    }
    let shown = dir.display();
    Err(Failure::could_not(format!(
        "there is no log in `{shown}`; give the server's data folder with `--data DIR`"
    )))
}

/// The receipt itself, or a file that holds it, whole or as a line of response headers.
fn receipt_text(given: &str) -> Result<String, Failure> {
    if let Some(word) = given.split_whitespace().find(|w| w.starts_with(bastide_verify::RECEIPT_PREFIX)) {
        let rest = word.strip_prefix(bastide_verify::RECEIPT_PREFIX).unwrap_or_default();
        if rest.is_empty() || rest.ends_with("..") || rest.ends_with('\u{2026}') {
            return Err(Failure::usage(format!(
                "`{word}` is the beginning of a receipt; give all of it: the value of the `bastide-receipt` header"
            )));
        }
        return Ok(word.to_owned());
    }
    if given.is_empty() {
        return Err(Failure::usage(
            "`--receipt` is empty; give the value of the `bastide-receipt` header, or a file",
        ));
    }
    let bytes = bastide_verify::read_small_file(Path::new(given)).map_err(verdict)?;
    let text = String::from_utf8_lossy(&bytes);
    let found = text
        .split_whitespace()
        .find(|word| word.starts_with(bastide_verify::RECEIPT_PREFIX))
        .ok_or_else(|| Failure::could_not(format!("`{given}` is no receipt and no file that holds one")))?;
    Ok(found.to_owned())
}

/// As [`verdict`]; what does not even read as a receipt was most likely cut when it was copied.
fn receipt_verdict(failure: bastide_verify::Failure) -> Failure {
    let garbled = failure.subject == "receipt" && failure.detail.starts_with("is not ");
    let failure = verdict(failure);
    if garbled {
        failure.and("was it cut short? give the whole value of the `bastide-receipt` header")
    } else {
        failure
    }
}

fn verdict(failure: bastide_verify::Failure) -> Failure {
    match failure.kind {
        FailureKind::DoesNotHold => Failure::does_not_hold(failure.to_string()),
        FailureKind::Usage => Failure::usage(failure.to_string()),
        FailureKind::Unreadable | FailureKind::NotYetPublished => Failure::could_not(failure.to_string()),
    }
}

fn tail(data: &Data, lines: u64, follow: bool, output: Output) -> Result<(), Failure> {
    let dir = log_in(&data.dir)?;
    let serves = publish(&dir);
    let mut reader = LogReader::open(&dir).map_err(could_not)?;
    let published = reader.refresh().map_err(could_not)?.size;
    let mut next = published.saturating_sub(lines);
    let mut retries = 0;
    loop {
        loop {
            let entries = reader.entries(next, BATCH).map_err(|e| unless_torn(&dir, serves, could_not(e)))?;
            let Some(first) = entries.first() else { break };
            if first.index > next && retries < RETRIES {
                // A segment was removed while it was read: its entries are in bundles now.
                retries += 1;
                reader.refresh().map_err(could_not)?;
                continue;
            }
            retries = 0;
            for entry in entries {
                let text = entry.value().map_err(could_not)?.to_json();
                let line = if output.json {
                    format!("{text}\n")
                } else {
                    human(entry.index, &serde_json::from_str(&text).unwrap_or_default())
                };
                client::write(&line)?;
                next = entry.index + 1;
            }
        }
        if !follow {
            return Ok(());
        }
        thread::sleep(Duration::from_millis(250));
        reader.refresh().map_err(could_not)?;
    }
}
