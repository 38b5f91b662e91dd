//! Whether memory stays where it was over many requests.

use std::fmt;

use serde_json::{Value, json};

use super::Bed;
use super::cell::{Load, Mode, load};
use super::subject::Subject;
use crate::shell::Fallible;

/// Resident memory over a run.
pub(crate) struct Memory {
    requests: u64,
    failed: u64,
    samples: Vec<u64>,
    peak_kib: u64,
}

/// Growth that an allocator's habits explain: 2 MiB, or 5 % of what is there.
const TOLERATED_KIB: u64 = 2048;

/// Sends `requests` requests over 64 connections, streams and JSON in four turns.
pub(crate) fn run(bed: &Bed, subject: &Subject, requests: u64) -> Fallible<Memory> {
    let mut memory = Memory { requests: 0, failed: 0, samples: Vec::new(), peak_kib: 0 };
    for mode in [Mode::Json, Mode::Stream, Mode::Json, Mode::Stream] {
        let report = load(
            bed,
            subject,
            Load { mode, connections: 64, seconds: 0.0, requests: Some((requests / 4).max(1)) },
        )?;
        memory.requests += report["requests"].as_u64().unwrap_or(0);
        let failures = report["failures"].as_object();
        memory.failed +=
            failures.into_iter().flat_map(|all| all.values()).filter_map(Value::as_u64).sum::<u64>();
        memory
            .samples
            .extend(report["resident_kib"].as_array().into_iter().flatten().filter_map(Value::as_u64));
        memory.peak_kib = memory.peak_kib.max(report["memory"]["peak_kib"].as_u64().unwrap_or(0));
    }
    Ok(memory)
}

impl Memory {
    /// The mean of the second and of the last quarter: the first one still fills pools and caches.
    fn ends(&self) -> Option<(u64, u64)> {
        let quarter = self.samples.len() / 4;
        let mean = |from: usize, to: usize| {
            let part = self.samples.get(from..to).filter(|part| !part.is_empty())?;
            u64::try_from(part.len()).ok().map(|length| part.iter().sum::<u64>() / length)
        };
        Some((mean(quarter, quarter * 2)?, mean(quarter * 3, self.samples.len())?))
    }

    fn is_flat(&self) -> bool {
        self.ends().is_some_and(|(early, late)| late <= early + TOLERATED_KIB.max(early / 20))
    }

    pub(crate) fn to_json(&self) -> Value {
        json!({"requests": self.requests, "failed": self.failed, "flat": self.is_flat(),
               "early_and_late_kib": self.ends(), "peak_kib": self.peak_kib, "resident_kib": self.samples})
    }
}

impl fmt::Display for Memory {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (early, late) = self.ends().unwrap_or_default();
        let word = if self.is_flat() { "flat" } else { "NOT flat" };
        write!(
            f,
            "memory over {} requests at 64 connections ({} failed): {word}, {} MiB in the second quarter, {} MiB in \
             the last, {} MiB at most",
            self.requests,
            self.failed,
            mib(early),
            mib(late),
            mib(self.peak_kib)
        )
    }
}

/// KiB as MiB with one digit.
pub(crate) fn mib(kib: u64) -> String {
    format!("{}.{}", kib / 1024, kib % 1024 * 10 / 1024)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn memory(samples: Vec<u64>) -> Memory {
        Memory { requests: 1, failed: 0, samples, peak_kib: 0 }
    }

    #[test]
    fn growth_that_goes_on_is_not_flat() {
        assert!(memory(vec![10_000, 30_000, 30_500, 30_200, 30_100, 30_900, 31_000, 30_800]).is_flat());
        assert!(!memory((0..40).map(|n| 20_000 + n * 500).collect()).is_flat());
        assert!(!memory(Vec::new()).is_flat(), "nothing measured proves nothing");
        assert_eq!(mib(1536), "1.5");
    }
}
