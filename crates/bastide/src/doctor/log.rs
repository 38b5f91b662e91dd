//! The log's end, and the clock that its entries and files were written by.

use std::path::Path;
use std::time::{Duration, SystemTime};

use bastide_admin::{Finding, chain, show_time};
use bastide_audit::LogReader;
use bastide_types::Timestamp;
use bastide_verify::{open_checkpoint, own_log_key, read_small_file};

use crate::audit::torn;

/// How often a log that a server writes meanwhile is read anew.
const TRIES: u32 = 3;
/// A clock may be this far behind what was written: machines differ by seconds.
const CLOCK_SLACK: Duration = Duration::from_secs(120);

/// The end of the published log: a signed checkpoint, and the last entry under it.
/// `serves`: a server has it, which wrote anew what a power cut took.
pub(super) fn log(dir: &Path, now: Timestamp, serves: bool) -> Finding {
    let log = dir.join("log");
    if !log.join("log.vkey").exists() {
        return Finding::ok("log", "it has no entries yet");
    }
    let mut found = end(&log, now);
    for _ in 1..TRIES {
        if found.is_err() {
            // The checkpoint moved on while its entry was looked for.
            std::thread::sleep(Duration::from_millis(200));
            found = end(&log, now);
        }
    }
    match found {
        Ok(message) => Finding::ok("log", message),
        Err(message) => {
            let remedy = "see with `bastide audit verify`; where it does not hold, restore the folder `log` from a backup";
            let first = torn(&log).filter(|_| !serves).map(|first| format!("{first}; "));
            Finding::fail("log", message, format!("{}{remedy}", first.unwrap_or_default()))
        }
    }
}

fn end(log: &Path, now: Timestamp) -> Result<String, String> {
    let reader = LogReader::open(log).map_err(|e| chain(&e))?;
    let size = reader.checkpoint().size;
    let path = log.join("checkpoint");
    if size == 0 || !path.exists() {
        return Ok("nothing is published yet".to_owned());
    }
    // Read a second time by the code that shares nothing with the writer.
    let key = own_log_key(log).map_err(|e| e.to_string())?;
    let note = read_small_file(&path).map_err(|e| e.to_string())?;
    open_checkpoint(&note, &key).map_err(|e| e.to_string())?;
    let last = size.saturating_sub(1);
    let (leaf, _) = reader.prove(last).map_err(|e| chain(&e))?;
    let entry =
        reader.entry(last).map_err(|e| chain(&e))?.ok_or_else(|| format!("entry {last} is missing"))?;
    if entry.leaf() != leaf {
        return Err(format!("entry {last} is not the one that the checkpoint covers"));
    }
    let age = std::fs::metadata(&path).and_then(|meta| meta.modified()).ok();
    let age = age.and_then(|at| civil(now)?.duration_since(at).ok()).unwrap_or_default();
    Ok(format!("{size} entries under a signed checkpoint, published {} ago", span(age)))
}

fn span(age: Duration) -> String {
    match age.as_secs() {
        s if s < 120 => format!("{s} s"),
        s if s < 7_200 => format!("{} min", s / 60),
        s if s < 172_800 => format!("{} h", s / 3_600),
        s => format!("{} d", s / 86_400),
    }
}

/// A clock that is behind what was written: keys expire late and tokens of a day count twice.
pub(super) fn clock(dir: &Path, now: Timestamp) -> Finding {
    let shown = show_time(now);
    let now = civil(now).unwrap_or(SystemTime::UNIX_EPOCH);
    let of_files = ["bastide.db", "log/checkpoint", "usage.json"]
        .iter()
        .filter_map(|name| std::fs::metadata(dir.join(name)).ok()?.modified().ok());
    let newest = of_files.chain(last_entry(dir)).max().unwrap_or(now);
    match newest.duration_since(now) {
        Ok(ahead) if ahead > CLOCK_SLACK => Finding::fail(
            "clock",
            format!("it says {shown}, and the installation was written {} later", span(ahead)),
            "set the clock (NTP), or find out what set it forward then",
        ),
        _ => Finding::ok("clock", format!("it says {shown}, after all that was written")),
    }
}

fn last_entry(dir: &Path) -> Option<SystemTime> {
    let reader = LogReader::open(dir.join("log")).ok()?;
    let entry = reader.entry(reader.checkpoint().size.checked_sub(1)?).ok()??;
    let entry: serde_json::Value = serde_json::from_str(&entry.value().ok()?.to_json()).ok()?;
    civil(Timestamp::from_micros(entry["at"].as_u64()?))
}

fn civil(at: Timestamp) -> Option<SystemTime> {
    SystemTime::UNIX_EPOCH.checked_add(Duration::from_micros(at.as_micros()))
}
