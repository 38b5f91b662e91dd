//! What a run found, and the measuring of the processes under it.

use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

use serde::Serialize;

use super::client::Failure;
use super::{Histogram, LoadConfig, LoadError};
use crate::process::{Memory, cpu_time, memory};

/// Latencies in microseconds.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct Spread {
    /// Half are no longer.
    pub p50_us: f64,
    /// Nine of ten are no longer.
    pub p90_us: f64,
    /// 99 of a hundred are no longer.
    pub p99_us: f64,
    /// The longest.
    pub max_us: f64,
    /// The mean.
    pub mean_us: f64,
}

impl Spread {
    fn of(histogram: &Histogram) -> Self {
        Spread {
            p50_us: micros(histogram.at(500)),
            p90_us: micros(histogram.at(900)),
            p99_us: micros(histogram.at(990)),
            max_us: micros(histogram.max()),
            mean_us: micros(histogram.mean()),
        }
    }
}

/// What a run found.
#[derive(Clone, Debug, Serialize)]
pub struct LoadReport {
    /// Requests answered in full with status 200.
    pub requests: u64,
    /// Failed requests by kind.
    pub failures: BTreeMap<String, u64>,
    /// Wall time.
    pub seconds: f64,
    /// Answered requests a second.
    pub per_second: f64,
    /// From the first byte written to the last byte read.
    pub latency: Spread,
    /// From the first byte written to the first byte of the body read.
    pub first_chunk: Spread,
    /// Body bytes received.
    pub body_bytes: u64,
    /// CPU time of the measured processes for one request, failed ones included.
    pub cpu_us_per_request: Option<f64>,
    /// CPU time of the load itself for one request.
    pub own_cpu_us_per_request: f64,
    /// Memory of the measured processes at the end, summed.
    pub memory: Option<Memory>,
    /// Resident memory of the measured processes through the run, in KiB, at even intervals.
    pub resident_kib: Vec<u64>,
    /// Receipts collected.
    #[serde(skip)]
    pub receipts: Vec<String>,
}

impl LoadReport {
    /// Failed requests.
    #[must_use]
    pub fn failed(&self) -> u64 {
        self.failures.values().sum()
    }
}

impl fmt::Display for LoadReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{:>10} requests in {:.2} s: {:.0} req/s", self.requests, self.seconds, self.per_second)?;
        let line = |f: &mut fmt::Formatter<'_>, name: &str, s: &Spread| {
            writeln!(
                f,
                "{name:>10} p50 {:.0} us   p90 {:.0} us   p99 {:.0} us   max {:.0} us",
                s.p50_us, s.p90_us, s.p99_us, s.max_us
            )
        };
        line(f, "whole", &self.latency)?;
        line(f, "first", &self.first_chunk)?;
        if let Some(cpu) = self.cpu_us_per_request {
            writeln!(
                f,
                "{:>10} {cpu:.1} us a request (the load itself: {:.1})",
                "cpu", self.own_cpu_us_per_request
            )?;
        }
        if let Some(memory) = self.memory {
            writeln!(
                f,
                "{:>10} {} KiB resident, {} KiB at most",
                "memory", memory.resident_kib, memory.peak_kib
            )?;
        }
        for (failure, count) in &self.failures {
            writeln!(f, "{count:>10} {failure}")?;
        }
        Ok(())
    }
}

fn micros(duration: Duration) -> f64 {
    duration.as_secs_f64() * 1e6
}

/// A short name for a kind of failure.
pub(super) fn failure_name(failure: Failure) -> String {
    match failure {
        Failure::Connect => "no connection".to_owned(),
        Failure::NoReply => "closed before the reply".to_owned(),
        Failure::Cut => "cut inside the reply".to_owned(),
        Failure::Malformed => "not HTTP".to_owned(),
        Failure::NoDone => "stream without [DONE]".to_owned(),
        Failure::Timeout => "timed out".to_owned(),
        Failure::Status(status) => format!("status {status}"),
    }
}

/// What one connection, or all of them, counted.
#[derive(Default)]
pub(super) struct Tally {
    pub(super) latency: Histogram,
    pub(super) first_chunk: Histogram,
    pub(super) failures: BTreeMap<String, u64>,
    pub(super) body_bytes: u64,
}

impl Tally {
    pub(super) fn merge(&mut self, other: Tally) {
        self.latency.merge(&other.latency);
        self.first_chunk.merge(&other.first_chunk);
        self.body_bytes += other.body_bytes;
        for (failure, count) in other.failures {
            *self.failures.entry(failure).or_default() += count;
        }
    }
}

/// Reads the clocks of the processes under test around a run.
pub(super) struct Meter {
    pids: Vec<u32>,
    before: Duration,
    own_before: Duration,
    resident_kib: Vec<u64>,
}

/// Between two looks at the memory.
const LOOK: Duration = Duration::from_millis(100);

impl Meter {
    pub(super) fn start(pids: &[u32]) -> Result<Self, LoadError> {
        Ok(Meter {
            pids: pids.to_vec(),
            before: total_cpu(pids)?,
            own_before: cpu_time(std::process::id()).unwrap_or_default(),
            resident_kib: Vec::new(),
        })
    }

    /// Looks at the memory from time to time; never ends by itself.
    pub(super) async fn watch(&mut self) {
        loop {
            tokio::time::sleep(LOOK).await;
            if let Some(memory) = total_memory(&self.pids) {
                self.resident_kib.push(memory.resident_kib);
            }
        }
    }

    pub(super) fn report(
        self,
        config: &LoadConfig,
        tally: Tally,
        wall: Duration,
        receipts: Vec<String>,
    ) -> LoadReport {
        let Tally { latency, first_chunk, failures, body_bytes } = tally;
        let all = latency.total() + failures.values().sum::<u64>();
        let each = |spent: Duration| spent.as_secs_f64() * 1e6 / count(all.max(1));
        // A process that ended in the meantime (killed on purpose) has no figure.
        let spent = total_cpu(&config.pids).ok().and_then(|after| after.checked_sub(self.before));
        let own = cpu_time(std::process::id()).unwrap_or_default().saturating_sub(self.own_before);
        LoadReport {
            requests: latency.total(),
            failures,
            seconds: wall.as_secs_f64(),
            per_second: count(latency.total()) / wall.as_secs_f64().max(1e-9),
            latency: Spread::of(&latency),
            first_chunk: Spread::of(&first_chunk),
            body_bytes,
            cpu_us_per_request: spent.filter(|_| !config.pids.is_empty()).map(each),
            own_cpu_us_per_request: each(own),
            memory: total_memory(&config.pids),
            resident_kib: self.resident_kib,
            receipts,
        }
    }
}

#[expect(clippy::cast_precision_loss, reason = "a count of requests is far below 2^53")]
fn count(n: u64) -> f64 {
    n as f64
}

fn total_cpu(pids: &[u32]) -> Result<Duration, LoadError> {
    pids.iter()
        .map(|pid| cpu_time(*pid).map_err(|source| LoadError::Process { pid: *pid, source }))
        .try_fold(Duration::ZERO, |sum, one| Ok(sum + one?))
}

fn total_memory(pids: &[u32]) -> Option<Memory> {
    if pids.is_empty() {
        return None;
    }
    let each: Vec<Memory> = pids.iter().filter_map(|pid| memory(*pid).ok()).collect();
    Some(Memory {
        resident_kib: each.iter().map(|one| one.resident_kib).sum(),
        peak_kib: each.iter().map(|one| one.peak_kib).sum(),
    })
}
