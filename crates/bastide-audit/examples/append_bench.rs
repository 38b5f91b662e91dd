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
        model: "gpt-5.2-mini".into(),
        upstream: "prv_00000000000000000000000000".into(),
        dialect: "openai.chat",
        stream: false,
        received: Digest([1; 32]),
        sent: Some(Digest([2; 32])),
        policy: Digest([3; 32]),
        decisions: vec![DecisionRecord {
            action: "invoke",
            effect: PolicyEffect::Permit,
            policies: ["starter.invoke".to_owned()].into(),
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

/// CPU time of the threads that live, in microseconds: the log's writer, its publisher, its keeper, and the others.
fn cpu() -> [f64; 4] {
    let mut sums = [0.0; 4];
    for task in std::fs::read_dir("/proc/self/task").unwrap() {
        let path = task.unwrap().path();
        let name = std::fs::read_to_string(path.join("comm")).unwrap_or_default();
        let stat = std::fs::read_to_string(path.join("schedstat")).unwrap_or_default();
        let nanos = stat.split(' ').next().and_then(|n| n.parse::<u64>().ok()).unwrap_or(0);
        let class = ["audit-writer", "audit-publish", "audit-keeper"].iter().position(|n| name.trim() == *n);
        sums[class.unwrap_or(3)] += nanos as f64 / 1000.0;
    }
    sums
}

fn show_cpu(before: [f64; 4], records: u64) -> String {
    let after = cpu();
    let each: Vec<f64> = after.iter().zip(before).map(|(a, b)| (a - b) / records as f64).collect();
    format!(
        "CPU {:.1} us per record (writer {:.1}, publisher {:.1}, keeper {:.1}, callers {:.1})",
        each.iter().sum::<f64>(),
        each[0],
        each[1],
        each[2],
        each[3]
    )
}

/// The plainest durable append: preallocated and zeroed file, one write and one fdatasync for each batch. Seconds for
/// each.
fn raw(file: &File, batch: usize, batches: u64) -> f64 {
    let bytes = vec![7; batch];
    let began = Instant::now();
    for n in 0..batches {
        file.write_all_at(&bytes, n * batch as u64 % RAW_BYTES).unwrap();
        file.sync_data().unwrap();
    }
    began.elapsed().as_secs_f64() / batches as f64
}

/// The default window, in microseconds.
const WINDOW: u64 = 500;

fn spin(time: Duration) {
    let began = Instant::now();
    while began.elapsed() < time {
        std::hint::spin_loop();
    }
}

const RAW_BYTES: u64 = 64 << 20;

fn raw_file(dir: &Path) -> File {
    let file = File::create(dir.join("raw")).unwrap();
    let zeros = vec![0; 1 << 20];
    for at in (0..RAW_BYTES + (8 << 20)).step_by(1 << 20) {
        file.write_all_at(&zeros, at).unwrap();
    }
    file.sync_all().unwrap();
    file
}

/// A log past its small first segment, with the next one ready.
fn open(dir: &Path, window: u64) -> Log {
    let options = LogOptions::new(dir.join("log"), "default/bench").queue(100_000);
    let options = options.window(Duration::from_micros(window));
    let log =
        Log::open(options, SigningKey::from_seed([1; 32]), Arc::new(RealClock(Instant::now()))).unwrap().0;
    let pending: Vec<_> = (0..2_000).map(|n| log.submit(event(n)).unwrap()).collect();
    pending.into_iter().for_each(|pending| drop(pending.wait().unwrap()));
    while !log.stats().reserve_ready {
        std::thread::sleep(Duration::from_millis(10));
    }
    log.publish_now().unwrap();
    log
}

/// A recorder that keeps `ahead` records in flight, in turns with the plain append of as many bytes in as many syncs:
/// the disk is not the same from one second to the next.
fn throughput(dir: &Path, total: u64, ahead: usize, turns: u64) {
    let (log, file) = (open(dir, WINDOW), raw_file(dir));
    let bytes = bastide_audit::encode(&event(total)).unwrap().len();
    let (mut ours, mut plain, mut commits, mut busy) = (0.0, 0.0, 0, [0.0; 4]);
    for _ in 0..turns {
        let before = log.stats();
        let (cpu_before, began) = (cpu(), Instant::now());
        let mut waiting = std::collections::VecDeque::new();
        for n in 0..total / turns {
            if waiting.len() >= ahead {
                let pending: bastide_audit::Pending = waiting.pop_front().unwrap();
                pending.wait().unwrap();
            }
            waiting.push_back(log.submit(event(n)).unwrap());
        }
        waiting.into_iter().for_each(|pending| drop(pending.wait().unwrap()));
        ours += began.elapsed().as_secs_f64();
        for (sum, (now, then)) in busy.iter_mut().zip(cpu().iter().zip(cpu_before)) {
            *sum += now - then;
        }
        let after = log.stats();
        let syncs = after.commits - before.commits;
        commits += syncs;
        plain +=
            raw(&file, usize::try_from((after.bytes - before.bytes) / syncs).unwrap(), syncs) * syncs as f64;
    }
    let began = Instant::now();
    log.publish_now().unwrap();
    let published = began.elapsed().as_secs_f64() * 1000.0;
    log.close().unwrap();
    let (rate, raw_rate) = (total as f64 / ours, total as f64 / plain);
    println!(
        "batched, {ahead:>6} in flight: {rate:>8.0} entries/s ({bytes} B, {:.0} per commit, published {published:.0} \
         ms later), plain append {raw_rate:>8.0}/s, ratio {:.2}, CPU {:.1} us per record (writer {:.1}, publisher \
         {:.1}, keeper {:.1}, caller {:.1})",
        total as f64 / commits as f64,
        rate / raw_rate,
        busy.iter().sum::<f64>() / total as f64,
        busy[0] / total as f64,
        busy[1] / total as f64,
        busy[2] / total as f64,
        busy[3] / total as f64,
    );
}

/// Recorders that each wait for their record before the next, as exchanges do.
/// `work` is CPU time spent between two records, in microseconds.
fn closed_loop(dir: &Path, recorders: u64, receipts: bool, work: u64, window: u64) {
    let seconds = 1.5;
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).build().unwrap();
    let log = open(dir, window);
    let first = log.stats();
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
                    spin(Duration::from_micros(work));
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
    let records = u64::try_from(latencies.len()).unwrap();
    let busy = show_cpu(cpu_before, records);
    latencies.sort_unstable();
    let at = |per_mille: usize| latencies[(latencies.len() - 1) * per_mille / 1000];
    let stats = log.stats();
    println!(
        "{recorders:>3} recorders{}, {work:>2} us of other work, window {window:>4} us: {:>8.0} entries/s, {:>5.1} per commit, wait p50 {} us p99 {} us, commit p50 < {} \
         us p99 < {} us, {busy}",
        if receipts { " with receipts" } else { "              " },
        records as f64 / took,
        records as f64 / (stats.commits - first.commits) as f64,
        at(500),
        at(990),
        stats.commit_micros.quantile(500),
        stats.commit_micros.quantile(990),
    );
    log.close().unwrap();
}

/// How long a start takes after an end in order, and after a crash with a full segment.
fn starts(dir: &Path, copy: &Path) {
    let log = open(dir, WINDOW);
    let pending: Vec<_> = (0..80_000).map(|n| log.submit(event(n)).unwrap()).collect();
    pending.into_iter().for_each(|pending| drop(pending.wait().unwrap()));
    copy_all(&dir.join("log"), &copy.join("log"));
    log.close().unwrap();
    for (how, dir) in [("in order", dir), ("a crash", copy)] {
        let options = LogOptions::new(dir.join("log"), "default/bench");
        let began = Instant::now();
        let clock = Arc::new(RealClock(began));
        let (log, recovery) = Log::open(options, SigningKey::from_seed([1; 32]), clock).unwrap();
        let took = began.elapsed().as_secs_f64() * 1000.0;
        log.submit(event(0)).unwrap().wait().unwrap();
        let first = began.elapsed().as_secs_f64() * 1000.0;
        println!(
            "open after {how}: {took:.1} ms, first entry after {first:.1} ms, {} entries",
            recovery.entries
        );
        log.close().unwrap();
    }
}

fn copy_all(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).unwrap();
    for entry in std::fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let place = to.join(entry.file_name());
        match entry.file_type().unwrap().is_dir() {
            true => copy_all(&entry.path(), &place),
            // Files come and go while the log is being written, as a crash finds them.
            false => drop(std::fs::copy(entry.path(), place)),
        }
    }
}

fn main() {
    let base = std::env::args().nth(1).map_or_else(std::env::temp_dir, Into::into);
    let dir = base.join(format!("bastide-append-bench-{}", std::process::id()));
    // A folder for each: some file systems are slow to create files where many were just deleted.
    let mut runs = 0;
    let mut fresh = || {
        runs += 1;
        let run = dir.join(runs.to_string());
        std::fs::create_dir_all(&run).unwrap();
        run
    };
    for (total, ahead) in [(40_000, 64), (80_000, 256), (160_000, 1024), (320_000, 4096)] {
        throughput(&fresh(), total, ahead, 8);
    }
    starts(&fresh(), &fresh());
    for receipts in [false, true] {
        for recorders in [1, 16, 64] {
            closed_loop(&fresh(), recorders, receipts, 0, WINDOW);
        }
    }
    // As beside a gateway: the machine is busy with other things between the records.
    for recorders in [16, 64] {
        for window in [0, 200, 500, 1000] {
            closed_loop(&fresh(), recorders, true, 40, window);
        }
    }
    std::fs::remove_dir_all(&dir).unwrap();
}
