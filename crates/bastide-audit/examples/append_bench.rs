//! How fast the log records, against the plainest append to the same disk in the same run.
//!
//! `cargo run --release -p bastide-audit --example append_bench [FOLDER]`

#![expect(
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "a benchmark prints, and stops at what is wrong"
)]
#![expect(clippy::cast_precision_loss, reason = "figures to read")]

use std::fs::File;
use std::os::unix::fs::FileExt as _;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use bastide_audit::{Log, LogOptions};
use bastide_crypto::SigningKey;
use bastide_types::{
    ActorRef, Category, Clock, DecisionRecord, Digest, Direction, Event, ExchangeId, ExchangeRequest,
    FindingRecord, GuardMode, GuardRecord, Origin, PolicyEffect, ProjectId, Pseudonym, Score, Timestamp,
    Verdict, View,
};

struct RealClock(Instant);

impl Clock for RealClock {
    fn now(&self) -> Timestamp {
        Timestamp::from_micros(1_790_000_000_000_000)
    }
    fn monotonic(&self) -> Duration {
        self.0.elapsed()
    }
}

/// An exchange as the gateway records it: about 600 bytes.
fn event(n: u64) -> Event {
    let mut id = [0; 16];
    id[8..].copy_from_slice(&n.to_be_bytes());
    let finding = |start| FindingRecord {
        category: Category::EmailAddress,
        origin: Origin::User,
        segment: 1,
        start,
        end: start + 20,
        score: Score::per_mille(900),
        detector: "email",
        view: View::Raw,
        verdict: Verdict::Tokenise,
    };
    Event::Request(Box::new(ExchangeRequest {
        exchange: ExchangeId::from_bytes(id),
        at: Timestamp::from_micros(1_790_000_000_000_000 + n),
        actor: ActorRef::Key { key: Pseudonym([3; 16]), project: ProjectId::from_bytes([4; 16]) },
        model: "gpt-5.2-mini".to_owned(),
        upstream: "prv_00000000000000000000000000".to_owned(),
        dialect: "openai.chat",
        stream: false,
        received: Digest([1; 32]),
        sent: Some(Digest([2; 32])),
        policy: Digest([3; 32]),
        decisions: vec![DecisionRecord {
            action: "invoke",
            effect: PolicyEffect::Permit,
            policies: vec!["starter.invoke".to_owned()],
        }],
        guard: Some(GuardRecord {
            direction: Direction::Request,
            mode: GuardMode::Enforce,
            profile: Digest([5; 32]),
            segments: 3,
            bytes: 900,
            unscanned: 0,
            findings: vec![finding(40)],
            findings_total: 1,
            verdict: Verdict::Tokenise,
        }),
        verdict: Verdict::Tokenise,
    }))
}

/// CPU time of all threads that live, in nanoseconds.
fn cpu() -> u64 {
    let mut sum = 0;
    for task in std::fs::read_dir("/proc/self/task").unwrap() {
        let stat = std::fs::read_to_string(task.unwrap().path().join("schedstat")).unwrap_or_default();
        sum += stat.split(' ').next().and_then(|n| n.parse::<u64>().ok()).unwrap_or(0);
    }
    sum
}

/// The plainest durable append: preallocated and zeroed file, one write and one fdatasync for each batch.
fn raw(dir: &Path, batch: usize, batches: u64) -> f64 {
    let path = dir.join("raw");
    let file = File::create(&path).unwrap();
    let total = batch as u64 * batches;
    let zeros = vec![0; 1 << 20];
    for at in (0..total).step_by(1 << 20) {
        file.write_all_at(&zeros, at).unwrap();
    }
    file.sync_all().unwrap();
    let bytes = vec![7; batch];
    let began = Instant::now();
    for n in 0..batches {
        file.write_all_at(&bytes, n * batch as u64).unwrap();
        file.sync_data().unwrap();
    }
    let took = began.elapsed().as_secs_f64();
    std::fs::remove_file(path).unwrap();
    took / batches as f64
}

fn open(dir: &Path) -> Log {
    let options = LogOptions::new(dir.join("log"), "default/bench").queue(100_000);
    Log::open(options, SigningKey::from_seed([1; 32]), Arc::new(RealClock(Instant::now()))).unwrap().0
}

fn wait_for_reserve(log: &Log) {
    while !log.stats().reserve_ready {
        std::thread::sleep(Duration::from_millis(10));
    }
}

/// Many recorders that do not wait for each other: the largest batches.
fn throughput(dir: &Path, total: u64, ahead: usize) {
    let log = open(dir);
    // The first segment is small: one entry past it, then the next is in use and its successor ready.
    for n in 0..2_000 {
        log.submit(event(n)).unwrap().wait().unwrap();
    }
    wait_for_reserve(&log);
    let bytes = bastide_audit::encode(&event(total)).unwrap().len();
    let before = log.stats();
    let (cpu_before, began) = (cpu(), Instant::now());
    let mut waiting = std::collections::VecDeque::new();
    for n in 0..total {
        if waiting.len() >= ahead {
            let pending: bastide_audit::Pending = waiting.pop_front().unwrap();
            pending.wait().unwrap();
        }
        waiting.push_back(log.submit(event(n)).unwrap());
    }
    waiting.into_iter().for_each(|pending| drop(pending.wait().unwrap()));
    let took = began.elapsed().as_secs_f64();
    let cpu_took = cpu() - cpu_before;
    let after = log.stats();
    let commits = after.commits - before.commits;
    let batch = total as f64 / commits as f64;
    log.publish_now().unwrap();
    let published = began.elapsed().as_secs_f64();
    log.close().unwrap();
    // The same bytes in the same number of syncs.
    let in_batch = usize::try_from((after.bytes - before.bytes) / commits).unwrap();
    let raw_batch = raw(dir, in_batch, commits.min(20_000));
    let raw_rate = batch / raw_batch;
    let rate = total as f64 / took;
    println!(
        "batched, {ahead:>6} in flight: {rate:>9.0} entries/s ({bytes} B each, {batch:.0} per commit, published \
         after {:.2} s more), raw append {raw_rate:>9.0}/s, ratio {:.2}, CPU {:.2} us per record",
        published - took,
        rate / raw_rate,
        cpu_took as f64 / 1000.0 / total as f64
    );
}

/// Recorders that each wait for their record before the next, as exchanges do.
fn closed_loop(dir: &Path, recorders: u64, receipts: bool, seconds: f64) {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).build().unwrap();
    let log = open(dir);
    wait_for_reserve(&log);
    let count = Arc::new(AtomicU64::new(0));
    let stop = Instant::now() + Duration::from_secs_f64(seconds);
    let began = Instant::now();
    let cpu_before = cpu();
    let mut latencies: Vec<u64> = runtime.block_on(async {
        let mut tasks = Vec::new();
        for _ in 0..recorders {
            let (log, count) = (log.clone(), Arc::clone(&count));
            tasks.push(tokio::spawn(async move {
                let mut mine = Vec::new();
                while Instant::now() < stop {
                    let event = event(count.fetch_add(1, Ordering::Relaxed));
                    let asked = Instant::now();
                    let recorded = log.record(event).await.unwrap();
                    mine.push(u64::try_from(asked.elapsed().as_micros()).unwrap());
                    if receipts {
                        assert!(recorded.receipt().to_string().len() > 100);
                    }
                }
                mine
            }));
        }
        let mut all = Vec::new();
        for task in tasks {
            all.extend(task.await.unwrap());
        }
        all
    });
    let took = began.elapsed().as_secs_f64();
    let cpu_took = cpu() - cpu_before;
    latencies.sort_unstable();
    let at = |per_mille: usize| latencies[(latencies.len() - 1) * per_mille / 1000];
    let stats = log.stats();
    println!(
        "{recorders:>3} recorders{}: {:>8.0} entries/s, {:>5.1} per commit, wait p50 {} us p99 {} us, commit p50 < {} \
         us p99 < {} us, CPU {:.1} us per record",
        if receipts { " with receipts" } else { "              " },
        latencies.len() as f64 / took,
        latencies.len() as f64 / stats.commits as f64,
        at(500),
        at(990),
        stats.commit_micros.quantile(500),
        stats.commit_micros.quantile(990),
        cpu_took as f64 / 1000.0 / latencies.len() as f64
    );
    log.close().unwrap();
}

fn main() {
    let base = std::env::args().nth(1).map_or_else(std::env::temp_dir, Into::into);
    let dir = base.join(format!("bastide-append-bench-{}", std::process::id()));
    let fresh = || {
        let _ = std::fs::remove_dir_all(&dir);
        std::fs::create_dir_all(&dir).unwrap();
    };
    for (total, ahead) in [(40_000, 64), (100_000, 256), (300_000, 4096)] {
        fresh();
        throughput(&dir, total, ahead);
    }
    for receipts in [false, true] {
        for recorders in [1, 16, 64] {
            fresh();
            closed_loop(&dir, recorders, receipts, 2.0);
        }
    }
    fresh();
    std::fs::remove_dir_all(&dir).unwrap();
}
