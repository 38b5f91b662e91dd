//! One measurement: a subject, a kind of reply, a number of connections.

use std::collections::BTreeMap;
use std::process::Command;

use serde_json::{Value, json};

use super::Bed;
use super::subject::{Kind, Subject};
use crate::shell::{Fallible, capture};

/// What the load asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Mode {
    /// About 1 kB each way.
    Json,
    /// 100 events of about 200 bytes.
    Stream,
}

impl Mode {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Mode::Json => "JSON",
            Mode::Stream => "SSE",
        }
    }
}

/// A run of the load generator.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Load {
    pub(crate) mode: Mode,
    pub(crate) connections: u32,
    pub(crate) seconds: f64,
    /// Stops after so many requests instead.
    pub(crate) requests: Option<u64>,
}

/// What was measured.
#[derive(Clone, Debug)]
pub(crate) struct Cell {
    pub(crate) kind: Kind,
    pub(crate) mode: Mode,
    pub(crate) connections: u32,
    pub(crate) per_second: f64,
    pub(crate) p50_us: f64,
    pub(crate) p99_us: f64,
    pub(crate) first_p50_us: f64,
    pub(crate) first_p99_us: f64,
    pub(crate) cpu_us: Option<f64>,
    /// Mean wait for the log before a request goes out.
    pub(crate) commit_us: Option<f64>,
    pub(crate) resident_kib: u64,
    pub(crate) peak_kib: u64,
    pub(crate) requests: u64,
    pub(crate) failed: u64,
    pub(crate) failures: Value,
}

impl Cell {
    pub(crate) fn to_json(&self) -> Value {
        json!({
            "subject": self.kind.name(), "mode": self.mode.name(), "connections": self.connections,
            "requests_per_second": self.per_second, "p50_us": self.p50_us, "p99_us": self.p99_us,
            "first_chunk_p50_us": self.first_p50_us, "first_chunk_p99_us": self.first_p99_us,
            "cpu_us_per_request": self.cpu_us, "commit_us": self.commit_us, "resident_kib": self.resident_kib, "peak_kib": self.peak_kib,
            "requests": self.requests, "failed": self.failed, "failures": self.failures,
        })
    }
}

/// Runs the load and returns its report.
pub(crate) fn load(bed: &Bed, subject: &Subject, load: Load) -> Fallible<Value> {
    let mut command = Command::new(bed.binaries.join("load"));
    command.arg(subject.url(load.mode)).arg("--json");
    command.args(["--connections", &load.connections.to_string()]);
    // Enough to open every connection and to warm the allocator and the branch predictor.
    command.args(["--warm-up", &(200 + 20 * load.connections).to_string()]);
    match load.requests {
        Some(requests) => command.args(["--requests", &requests.to_string()]),
        None => command.args(["--seconds", &load.seconds.to_string()]),
    };
    if load.mode == Mode::Stream {
        command.arg("--stream");
    }
    if let Some(key) = subject.key() {
        command.env("BASTIDE_KEY", key);
    }
    for pid in subject.pids() {
        command.args(["--pid", &pid.to_string()]);
    }
    if bed.taskset.is_some() {
        command.args(["--cpu", "1"]);
    }
    let text = capture(&mut command)?;
    serde_json::from_str(&text).map_err(|e| format!("the load's report is not JSON ({e}): {text}"))
}

/// Measures one cell.
pub(crate) fn measure(bed: &Bed, subject: &Subject, wanted: Load) -> Fallible<Cell> {
    let before = subject.stages();
    let report = load(bed, subject, wanted)?;
    let commit_us = subject.stages().and_then(|now| now.commit_since(before.as_ref()));
    let number = |value: &Value| value.as_f64().unwrap_or(f64::NAN);
    let failures = report["failures"].clone();
    let failed =
        failures.as_object().into_iter().flat_map(|all| all.values()).filter_map(Value::as_u64).sum();
    Ok(Cell {
        kind: subject.kind(),
        mode: wanted.mode,
        connections: wanted.connections,
        per_second: number(&report["per_second"]),
        p50_us: number(&report["latency"]["p50_us"]),
        p99_us: number(&report["latency"]["p99_us"]),
        first_p50_us: number(&report["first_chunk"]["p50_us"]),
        first_p99_us: number(&report["first_chunk"]["p99_us"]),
        cpu_us: report["cpu_us_per_request"].as_f64(),
        commit_us,
        resident_kib: report["memory"]["resident_kib"].as_u64().unwrap_or(0),
        peak_kib: report["memory"]["peak_kib"].as_u64().unwrap_or(0),
        requests: report["requests"].as_u64().unwrap_or(0),
        failed,
        failures,
    })
}

/// One cell for each subject, mode and number of connections: the median of each figure over the passes.
pub(crate) fn medians(cells: Vec<Cell>) -> Vec<Cell> {
    let mut groups: BTreeMap<(Kind, Mode, u32), Vec<Cell>> = BTreeMap::new();
    for cell in cells {
        groups.entry((cell.kind, cell.mode, cell.connections)).or_default().push(cell);
    }
    groups.into_values().filter_map(merge).collect()
}

fn merge(cells: Vec<Cell>) -> Option<Cell> {
    let pick = |figure: fn(&Cell) -> f64| median(cells.iter().map(figure).collect());
    let present = |figure: fn(&Cell) -> Option<f64>| {
        let values = cells.iter().filter_map(figure).collect::<Vec<_>>();
        (!values.is_empty()).then(|| median(values))
    };
    let first = cells.first()?;
    Some(Cell {
        per_second: pick(|cell| cell.per_second),
        p50_us: pick(|cell| cell.p50_us),
        p99_us: pick(|cell| cell.p99_us),
        first_p50_us: pick(|cell| cell.first_p50_us),
        first_p99_us: pick(|cell| cell.first_p99_us),
        cpu_us: present(|cell| cell.cpu_us),
        commit_us: present(|cell| cell.commit_us),
        resident_kib: cells.iter().map(|cell| cell.resident_kib).max().unwrap_or(0),
        peak_kib: cells.iter().map(|cell| cell.peak_kib).max().unwrap_or(0),
        requests: cells.iter().map(|cell| cell.requests).sum(),
        failed: cells.iter().map(|cell| cell.failed).sum(),
        failures: cells.iter().find(|cell| cell.failed > 0).unwrap_or(first).failures.clone(),
        ..first.clone()
    })
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    let middle = values.len() / 2;
    match (values.len() % 2, values.get(middle)) {
        (0, Some(upper)) => (values.get(middle.wrapping_sub(1)).unwrap_or(upper) + upper) / 2.0,
        (_, Some(value)) => *value,
        (_, None) => f64::NAN,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn medians_of_even_and_odd_counts() {
        assert!((median(vec![3.0, 1.0, 2.0]) - 2.0).abs() < 1e-9);
        assert!((median(vec![4.0, 1.0, 2.0, 3.0]) - 2.5).abs() < 1e-9);
        assert!(median(vec![]).is_nan());
    }
}
