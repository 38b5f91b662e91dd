//! Kills the server in the middle of load, again and again, and asks what became of its promises: every receipt that
//! reached a client must still be in the log, and the log must hold.

use std::fmt;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use bastide_verify::{FailureKind, VerifierKey, own_log_key, verify_log, verify_receipt};

use crate::load::{LoadConfig, LoadReport, Stop, chat_body, run};
use crate::{BastideError, BastideProcess, MockConfig, MockUpstream};

/// A run of kills.
#[derive(Clone, Debug)]
pub struct Kill9 {
    /// The binary, where it is not found by itself.
    pub binary: Option<PathBuf>,
    /// The data folder; a new one unless told.
    pub data: PathBuf,
    /// How often to kill.
    pub rounds: u32,
    /// Connections of the load.
    pub connections: usize,
    /// Varies the moments of the kills; the same seed gives the same ones.
    pub seed: u64,
    /// Further arguments of `serve`.
    pub arguments: Vec<String>,
}

impl Kill9 {
    /// `rounds` kills of a server on `data`, under 8 connections.
    #[must_use]
    pub fn new(data: &Path, rounds: u32) -> Self {
        Kill9 { binary: None, data: data.to_owned(), rounds, connections: 8, seed: 1, arguments: Vec::new() }
    }
}

/// What a run found.
#[derive(Clone, Debug, Default, serde::Serialize)]
pub struct Kill9Report {
    /// Kills.
    pub rounds: u32,
    /// Requests that were answered in full.
    pub answered: u64,
    /// Requests that a kill broke off, or that found nobody.
    pub broken_off: u64,
    /// Receipts that reached a client.
    pub receipts: u64,
    /// Of these, the ones that no longer verify, with what is wrong.
    pub lost: Vec<String>,
    /// States of the log that did not hold, with what is wrong.
    pub broken_logs: Vec<String>,
    /// Entries of the log at the end.
    pub entries: u64,
    /// The longest time from a start on the killed folder to readiness, in milliseconds.
    pub slowest_start_ms: u64,
}

impl Kill9Report {
    /// Whether everything held, and there was something that could have been lost.
    #[must_use]
    pub fn holds(&self) -> bool {
        self.lost.is_empty() && self.broken_logs.is_empty() && self.receipts > 0
    }
}

impl fmt::Display for Kill9Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{:>9} kills in the middle of load", self.rounds)?;
        writeln!(f, "{:>9} requests answered, {} broken off", self.answered, self.broken_off)?;
        writeln!(f, "{:>9} receipts reached a client, {} of them lost", self.receipts, self.lost.len())?;
        writeln!(
            f,
            "{:>9} entries in the log, which did not hold {} times",
            self.entries,
            self.broken_logs.len()
        )?;
        writeln!(f, "{:>9} ms from the slowest start after a kill to readiness", self.slowest_start_ms)?;
        for what in self.lost.iter().chain(&self.broken_logs).take(10) {
            writeln!(f, "  {what}")?;
        }
        Ok(())
    }
}

/// Why a run could not be made.
#[derive(Debug, thiserror::Error)]
pub enum Kill9Error {
    /// The server did not start, also not by itself after a kill.
    #[error("round {round}: the server does not start")]
    Start {
        /// Which.
        round: u32,
        /// What it said.
        #[source]
        source: BastideError,
    },
    /// Something beside the server failed.
    #[error("cannot {what}")]
    Setup {
        /// The step.
        what: &'static str,
        /// Why.
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
}

fn setup<E: Into<Box<dyn std::error::Error + Send + Sync>>>(
    what: &'static str,
) -> impl FnOnce(E) -> Kill9Error {
    move |source| Kill9Error::Setup { what, source: source.into() }
}

/// How long the load goes on after the kill, so that the last replies are read.
const AFTERWARDS: Duration = Duration::from_millis(150);

/// The log is published within a quarter of a second; a slow machine gets more.
const PUBLISHED_WITHIN: Duration = Duration::from_secs(5);

impl Kill9 {
    /// Makes the run; `told` hears of each round.
    ///
    /// # Errors
    /// When the server does not start or nothing could be sent. What did not hold is in the report instead.
    pub fn run(&self, mut told: impl FnMut(u32, &Kill9Report)) -> Result<Kill9Report, Kill9Error> {
        let mock = MockUpstream::start_blocking(MockConfig { events: 30, ..MockConfig::default() })
            .map_err(setup("start the mock upstream"))?;
        let mut report = Kill9Report::default();
        let mut receipts: Vec<String> = Vec::new();
        let mut key = None;
        for round in 1..=self.rounds {
            let mut server = self.start(&mock, round)?;
            let started = u64::try_from(server.ready_after().as_millis()).unwrap_or(u64::MAX);
            report.slowest_start_ms = report.slowest_start_ms.max(started);
            let key = match &key {
                Some(key) => key,
                None => key.insert(server.create_key("load").map_err(setup("make a key"))?.key),
            };
            let before_kill = self.moment(round);
            // Streams and JSON take turns: their receipts are written at different moments.
            let config = LoadConfig {
                key: Some(key.clone()),
                stream: round % 2 == 0,
                body: chat_body("mock", round % 2 == 0, 200),
                connections: self.connections,
                stop: Stop::After(before_kill + AFTERWARDS),
                warm_up: 0,
                timeout: Duration::from_secs(5),
                receipts: true,
                patient: true,
                ..LoadConfig::new(&server.base_url())
            };
            let load = std::thread::spawn(move || send(config));
            std::thread::sleep(before_kill);
            server.kill();
            let sent = load.join().map_err(|_| setup("run the load")("its thread ended early"))??;
            report.rounds = round;
            report.answered += sent.requests;
            report.broken_off += sent.failed();
            report.receipts += u64::try_from(sent.receipts.len()).unwrap_or(u64::MAX);

            let server = self.start(&mock, round)?;
            self.check(round, &sent.receipts, &mut report)?;
            drop(server);
            receipts.extend(sent.receipts);
            told(round, &report);
        }
        // A later recovery must not have taken back what an earlier one kept.
        let server = self.start(&mock, self.rounds)?;
        report.lost.clear();
        self.check(self.rounds, &receipts, &mut report)?;
        drop(server);
        Ok(report)
    }

    fn start(&self, mock: &MockUpstream, round: u32) -> Result<BastideProcess, Kill9Error> {
        let mut builder = BastideProcess::on(&self.data).upstream(&mock.base_url());
        if let Some(binary) = &self.binary {
            builder = builder.binary(binary);
        }
        for argument in &self.arguments {
            builder = builder.argument(argument);
        }
        builder.start().map_err(|source| Kill9Error::Start { round, source })
    }

    /// 40 to 290 ms into the load: an uneven spread over commits, publications and new segments.
    fn moment(&self, round: u32) -> Duration {
        // SplitMix64 (Steele, Lea, Flood 2014): well spread from consecutive seeds.
        let mut x = self.seed.wrapping_add(u64::from(round)).wrapping_mul(0x9E37_79B9_7F4A_7C15);
        x = (x ^ (x >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        x = (x ^ (x >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        Duration::from_millis(40 + (x ^ (x >> 31)) % 250)
    }

    fn check(&self, round: u32, receipts: &[String], report: &mut Kill9Report) -> Result<(), Kill9Error> {
        let key = own_log_key(&self.data).map_err(|e| setup("read the log's key")(e.to_string()))?;
        for receipt in receipts {
            if let Err(what) = self.verify(receipt, &key) {
                report.lost.push(format!("round {round}: {what}"));
            }
        }
        match verify_log(&self.data, Some(&key)) {
            Ok(log) => report.entries = log.size,
            Err(failure) => report.broken_logs.push(format!("round {round}: {failure}")),
        }
        Ok(())
    }

    fn verify(&self, receipt: &str, key: &VerifierKey) -> Result<(), String> {
        let begun = Instant::now();
        loop {
            match verify_receipt(receipt, key, Some(&self.data)) {
                Ok(_) => return Ok(()),
                Err(e) if e.kind == FailureKind::NotYetPublished && begun.elapsed() < PUBLISHED_WITHIN => {
                    std::thread::sleep(Duration::from_millis(20));
                }
                Err(e) => return Err(e.to_string()),
            }
        }
    }
}

fn send(config: LoadConfig) -> Result<LoadReport, Kill9Error> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(setup("start a runtime for the load"))?;
    runtime.block_on(run(config)).map_err(setup("run the load"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kills_come_at_different_moments() {
        let run = Kill9::new(Path::new("unused"), 50);
        let moments: std::collections::HashSet<_> = (1..=50).map(|round| run.moment(round)).collect();
        assert!(moments.len() > 35, "{}", moments.len());
        assert!(moments.iter().all(|m| (40..290).contains(&m.as_millis())));
        assert_eq!(run.moment(7), run.moment(7));
    }

    #[test]
    fn a_run_without_receipts_proves_nothing() {
        assert!(!Kill9Report { rounds: 50, ..Kill9Report::default() }.holds());
        assert!(Kill9Report { receipts: 1, ..Kill9Report::default() }.holds());
    }
}
