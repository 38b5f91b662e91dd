//! Who waits for a record learns of it, whatever becomes of the runtime that delivers.

#![expect(clippy::unwrap_used, reason = "a test stops at what it did not expect")]

mod support;

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use bastide_audit::{AuditError, Log};
use bastide_types::{Clock, Timestamp};
use support::fault::{FaultDisk, Faults};
use support::{TestClock, event, key, open, options};
use tokio::runtime::{Builder, Runtime};
use tokio::task::{JoinSet, yield_now};

/// Longer than any of this takes, and far shorter than for ever.
const LIMIT: Duration = Duration::from_secs(20);

fn one_thread() -> Runtime {
    Builder::new_current_thread().enable_all().build().unwrap()
}

fn two_threads() -> Runtime {
    Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap()
}

/// Recorders that each wait for their record before the next; how many were recorded.
async fn record(log: &Log, recorders: u64, each: u64) -> u64 {
    let mut tasks = JoinSet::new();
    for recorder in 0..recorders {
        let log = log.clone();
        tasks.spawn(async move {
            for n in 0..each {
                log.record(event(recorder * each + n)).await.unwrap();
            }
            each
        });
    }
    tokio::time::timeout(LIMIT, tasks.join_all()).await.unwrap().into_iter().sum()
}

#[test]
fn a_runtime_of_any_kind_delivers() {
    for runtime in [one_thread(), two_threads()] {
        let dir = tempfile::tempdir().unwrap();
        let (log, _) = open(dir.path());
        runtime.block_on(async {
            let delivering = tokio::spawn(log.deliver());
            assert_eq!(record(&log, 16, 100).await, 1600);
            assert!(!delivering.is_finished());
            // On the runtime's own thread, with the delivery waiting for it.
            log.clone().close().unwrap();
            tokio::time::timeout(LIMIT, delivering).await.unwrap().unwrap();
        });
        assert_eq!(log.size(), 1600);
    }
}

#[test]
fn deliveries_come_and_go_while_others_record() {
    let dir = tempfile::tempdir().unwrap();
    let (log, _) = open(dir.path());
    two_threads().block_on(async {
        let recording = tokio::spawn({
            let log = log.clone();
            async move { record(&log, 16, 200).await }
        });
        let mut turns = 0_u64;
        while !recording.is_finished() {
            let delivering = tokio::spawn(log.deliver());
            tokio::time::sleep(Duration::from_micros(turns % 7 * 300)).await;
            turns += 1;
            // Every third one is replaced by the next.
            if !turns.is_multiple_of(3) {
                delivering.abort();
            }
        }
        assert_eq!(recording.await.unwrap(), 3200);
    });
    log.close().unwrap();
}

#[test]
fn a_runtime_that_stands_still_holds_up_nobody() {
    let dir = tempfile::tempdir().unwrap();
    let (log, _) = open(dir.path());
    let still = one_thread();
    still.block_on(async {
        tokio::spawn(log.deliver());
        yield_now().await;
    });
    // Its delivery is alive and never runs.
    assert_eq!(one_thread().block_on(record(&log, 8, 20)), 160);
    // Once it runs again, so do its deliveries.
    assert_eq!(still.block_on(record(&log, 8, 20)), 160);
    drop(still);
    assert_eq!(one_thread().block_on(record(&log, 8, 20)), 160);
    log.close().unwrap();
}

#[test]
fn a_thread_that_waits_needs_no_delivery() {
    let dir = tempfile::tempdir().unwrap();
    let (log, _) = open(dir.path());
    one_thread().block_on(async {
        tokio::spawn(log.deliver());
        yield_now().await;
        // The only thread that could deliver waits here.
        let pending: Vec<_> = (0..50).map(|n| log.submit(event(n)).unwrap()).collect();
        for (n, pending) in (0..).zip(pending) {
            assert_eq!(pending.wait().unwrap().index(), n);
        }
    });
    log.close().unwrap();
}

#[test]
fn the_end_of_the_log_answers_all() {
    let dir = tempfile::tempdir().unwrap();
    let (log, _) = open(dir.path());
    one_thread().block_on(async {
        let delivering = tokio::spawn(log.deliver());
        yield_now().await;
        let mut tasks = JoinSet::new();
        for n in 0..300 {
            tasks.spawn(log.submit(event(n)).unwrap());
        }
        yield_now().await;
        log.clone().close().unwrap();
        let answers = tokio::time::timeout(LIMIT, tasks.join_all()).await.unwrap();
        assert!(answers.iter().all(Result::is_ok));
        assert!(matches!(log.record(event(0)).await, Err(AuditError::Closed)));
        tokio::time::timeout(LIMIT, delivering).await.unwrap().unwrap();
    });
}

#[test]
fn a_poisoned_log_tells_all_who_wait() {
    let disk = FaultDisk::new(1, Faults::default());
    let options = options(Path::new("/data/log")).publish_within(Duration::from_secs(3600));
    let (log, _) = Log::open_on(Arc::new(disk.clone()), options, key(), TestClock::shared()).unwrap();
    two_threads().block_on(async {
        let delivering = tokio::spawn(log.deliver());
        record(&log, 4, 4).await;
        while !log.stats().reserve_ready {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        // The next operation but one is the sync of the next commit.
        disk.set_faults(Faults { error_at: Some(2), ..Faults::default() });
        let mut tasks = JoinSet::new();
        for n in 0..40 {
            let log = log.clone();
            tasks.spawn(async move { log.record(event(n)).await });
        }
        let answers = tokio::time::timeout(LIMIT, tasks.join_all()).await.unwrap();
        assert!(answers.iter().all(|a| matches!(a, Err(AuditError::Poisoned(_)))), "{answers:?}");
        assert!(matches!(log.clone().close(), Err(AuditError::Poisoned(_))));
        tokio::time::timeout(LIMIT, delivering).await.unwrap().unwrap();
    });
}

/// A clock that stops the writer in the middle of a commit.
struct Trap(AtomicBool);

impl Clock for Trap {
    fn now(&self) -> Timestamp {
        Timestamp::from_micros(1)
    }

    fn monotonic(&self) -> Duration {
        assert!(!self.0.load(Ordering::SeqCst), "the trap is set");
        Duration::ZERO
    }
}

#[test]
fn a_writer_that_fails_leaves_nobody_waiting() {
    let (disk, trap) = (FaultDisk::new(1, Faults::default()), Arc::new(Trap(AtomicBool::new(false))));
    let options = options(Path::new("/data/log"));
    let (log, _) = Log::open_on(Arc::new(disk), options, key(), Arc::clone(&trap) as _).unwrap();
    one_thread().block_on(async {
        let delivering = tokio::spawn(log.deliver());
        assert_eq!(record(&log, 4, 4).await, 16);
        trap.0.store(true, Ordering::SeqCst);
        let mut tasks = JoinSet::new();
        for n in 0..40 {
            let log = log.clone();
            tasks.spawn(async move { log.record(event(n)).await });
        }
        let answers = tokio::time::timeout(LIMIT, tasks.join_all()).await.unwrap();
        assert!(answers.iter().all(Result::is_err));
        tokio::time::timeout(LIMIT, delivering).await.unwrap().unwrap();
    });
    assert!(matches!(log.close(), Err(AuditError::Poisoned(_))));
}

#[test]
fn a_runtime_that_ends_takes_no_answer_with_it() {
    let dir = tempfile::tempdir().unwrap();
    let (log, _) = open(dir.path());
    let ends = one_thread();
    let elsewhere = two_threads();
    ends.block_on(async {
        tokio::spawn(log.deliver());
        yield_now().await;
    });
    let recording = elsewhere.spawn({
        let log = log.clone();
        async move { record(&log, 8, 50).await }
    });
    std::thread::sleep(Duration::from_millis(3));
    drop(ends);
    assert_eq!(elsewhere.block_on(recording).unwrap(), 400);
    log.close().unwrap();
}
