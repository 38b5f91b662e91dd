//! Long runs of the guard, away from the workers that serve connections.

use bastide_types::Problem;
use tokio::runtime::{Handle, RuntimeFlavor};
use tokio::sync::oneshot;
use tokio::task::{block_in_place, spawn_blocking};

use crate::problem::raise;

/// What has more bytes may take milliseconds.
const LONG: usize = 16 << 10;

/// Runs the guard over a whole body, on a thread of its own where that is long. `run` is told how to ask whether anybody
/// still waits for it: a caller that leaves must not leave behind seconds of work.
pub(crate) async fn off_the_worker<R: Send + 'static>(
    bytes: usize,
    run: impl FnOnce(&dyn Fn() -> bool) -> R + Send + 'static,
) -> Result<R, Problem> {
    if bytes <= LONG {
        return Ok(run(&|| true));
    }
    let (done, result) = oneshot::channel();
    spawn_blocking(move || {
        let ran = run(&|| !done.is_closed());
        // An error says that nobody waits any more.
        let _ = done.send(ran);
    });
    result.await.map_err(|_| raise::guard_failed("the guard broke off"))
}

/// Runs the guard over one event of a stream: another worker takes over this one's other connections meanwhile. The body
/// of a stream cannot wait for a thread, and an event is short enough to be done with when its caller has left.
pub(crate) fn in_place<R>(bytes: usize, run: impl FnOnce() -> R) -> R {
    let many = || Handle::current().runtime_flavor() == RuntimeFlavor::MultiThread;
    if bytes > LONG && many() { block_in_place(run) } else { run() }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc;
    use std::time::Duration;

    use super::*;

    const SOON: Duration = Duration::from_secs(20);

    #[tokio::test]
    async fn a_long_run_is_told_when_nobody_waits_for_it_any_more() {
        let ((began, has_began), (left, has_left)) = (mpsc::channel(), mpsc::channel());
        let run = move |awaited: &dyn Fn() -> bool| {
            began.send(awaited()).expect("the test waits");
            while awaited() {
                std::thread::yield_now();
            }
            left.send(()).expect("the test waits");
        };
        let waiting = tokio::spawn(off_the_worker(LONG + 1, run));
        let awaited = spawn_blocking(move || has_began.recv_timeout(SOON)).await;
        assert!(awaited.expect("no panic").expect("it runs"), "somebody waits");
        waiting.abort();
        assert!(waiting.await.is_err(), "its caller left");
        has_left.recv_timeout(SOON).expect("it is over");
    }

    #[tokio::test]
    async fn what_was_found_comes_back_and_what_broke_off_fails() {
        for bytes in [LONG, LONG + 1] {
            let there = off_the_worker(bytes, |awaited| awaited()).await;
            assert!(there.is_ok_and(|there| there));
        }
        let broken = off_the_worker(LONG + 1, |_| panic!("a mistake of ours")).await;
        assert_eq!(broken.map_err(|problem| problem.code), Err::<(), _>("guard.failed"));
    }
}
