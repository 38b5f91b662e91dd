//! Exchanges as they happen.

use std::convert::Infallible;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use bastide_admin::{Admin, ExchangeFilter, Place};
use bastide_identity::SessionPrincipal;
use bastide_types::{Permission, Verdict};
use bytes::Bytes;
use http::StatusCode;
use http_body::Frame;
use http_body_util::combinators::UnsyncBoxBody;
use tokio::sync::{mpsc, watch};
use tokio::time::{Instant, MissedTickBehavior};

use super::rows;
use crate::design::{Choice, Column, Field, Href, Html, Live, Table};
use crate::web::{Refusal, Reply, Visit};

/// Rows that the page begins with.
const ROWS: usize = 45;
/// Batches that wait for a viewer.
const MOST_WAITING: usize = 4;
/// Entries that one batch is made of.
const BATCH: usize = 256;
/// A viewer who is further behind than this goes on at the newest.
const MOST_BEHIND: u64 = 1_024;
/// Rows come at most so often: many at once instead of one by one.
const GATHER: Duration = Duration::from_millis(200);
/// How often it is asked whether the viewer may look on.
const RECHECK: Duration = Duration::from_secs(3);
/// After so long a silence, and at most [`RECHECK`] later, a comment is sent: proxies close what is silent.
const KEEP_ALIVE: Duration = Duration::from_secs(12);
/// How long a viewer may take to read a batch.
const PATIENCE: Duration = Duration::from_secs(60);

/// Those of [`rows::row`] but the last: fifty rows are to stay light.
fn columns() -> Vec<Column> {
    rows::columns().into_iter().take(7).collect()
}

pub(super) async fn show(visit: &Visit<'_>) -> Result<Reply, Refusal> {
    let here = Href::page("/console/live");
    // Before the rows are read: what comes meanwhile comes again, and nothing is left out.
    let from = visit.admin().node.log.size();
    let newest = visit.admin().exchanges(ExchangeFilter::default(), None, ROWS).await?.rows;
    let table =
        Table::new("Exchanges of now", columns()).rows(newest.iter().map(|row| rows::row(row, visit.now())));
    let verdicts = Verdict::ALL.iter().map(|v| Choice::new(v.as_str(), v.as_str()));
    let verdicts = [Choice::new("", "any verdict")].into_iter().chain(verdicts);
    let events = Href::page("/console/live/events").query("from", &from.to_string());
    let live = Live::new(events, here.clone(), table)
        .filter(Field::select("verdict", "Verdict", verdicts))
        .filter(Field::search("text", "Text of the row"));
    let page = visit
        .shell("Live", &here)
        .lead("Each exchange as its request is decided, and again when it has ended. Rows are of the log: what is here is recorded.");
    Ok(visit.page(&page.body(live)))
}

pub(super) async fn events(visit: &Visit<'_>) -> Result<Reply, Refusal> {
    let Some(following) = visit.console.streams.take(visit.who()?.user) else {
        let why = "too many pages look on just now, yours or everybody's; close some and load this one again";
        return Ok(Reply::plain(StatusCode::SERVICE_UNAVAILABLE, why).header("retry-after", "30"));
    };
    let size = visit.admin().node.log.size();
    let asked = visit.query.number("from").map_err(Refusal::Malformed)?;
    let from = visit.last_event.or(asked).unwrap_or(size).min(size);
    let (sender, receiver) = mpsc::channel(MOST_WAITING);
    let follower = Follower {
        admin: Arc::clone(visit.admin()),
        who: Arc::clone(visit.who()?),
        stop: visit.console.stop.clone(),
        sender,
        next: from,
        said: Instant::now(),
        _following: following,
    };
    tokio::spawn(follower.follow());
    Ok(Reply::events(UnsyncBoxBody::new(Events(receiver))))
}

/// The body of a stream: what its follower sends, until that ends.
struct Events(mpsc::Receiver<Bytes>);

impl http_body::Body for Events {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        self.0.poll_recv(cx).map(|bytes| bytes.map(|bytes| Ok(Frame::data(bytes))))
    }
}

/// Follows the log for one viewer. Ends with the viewer's connection, session or permission, or with the server.
struct Follower {
    admin: Arc<Admin>,
    who: Arc<SessionPrincipal>,
    stop: watch::Receiver<bool>,
    sender: mpsc::Sender<Bytes>,
    /// The first entry that was not told yet.
    next: u64,
    /// When something was sent last.
    said: Instant,
    _following: Place,
}

/// The stream is over.
struct Over;

impl Follower {
    async fn follow(mut self) {
        let mut grown = self.admin.node.log.grown();
        let mut recheck = tokio::time::interval(RECHECK);
        recheck.set_missed_tick_behavior(MissedTickBehavior::Delay);
        // A first comment: the browser is told that the stream is open.
        let mut told = self.send(": follows the log\n\n".to_owned()).await;
        while told.is_ok() && self.may_look() {
            if *grown.borrow_and_update() > self.next {
                told = self.tell().await;
                if told.is_err() {
                    break;
                }
                tokio::time::sleep(GATHER).await;
            }
            tokio::select! {
                more = grown.changed() => if more.is_err() { break },
                () = self.sender.closed() => break,
                _ = self.stop.wait_for(|stop| *stop) => break,
                _ = recheck.tick() => {}
            }
            if self.said.elapsed() >= KEEP_ALIVE {
                told = self.send(": still here\n\n".to_owned()).await;
            }
        }
    }

    fn may_look(&self) -> bool {
        let asked = self.admin.node.accounts.authorise(&self.who, Permission::TrafficView);
        asked.is_ok() && !*self.stop.borrow()
    }

    /// Tells what the log has beyond what was told.
    async fn tell(&mut self) -> Result<(), Over> {
        let size = self.admin.node.log.size();
        let (admin, from) = (Arc::clone(&self.admin), self.next);
        let from =
            if size.saturating_sub(from) > MOST_BEHIND { size.saturating_sub(BATCH as u64) } else { from };
        // An outcome's request may have to be read from a file.
        let reading = tokio::task::spawn_blocking(move || {
            // What the memory does not hold any more was overtaken.
            let from = from.max(admin.node.log.newest_from());
            admin.exchanges_since(from, BATCH).map(|(rows, next)| (from, rows, next))
        });
        let Ok(Ok((from, found, next))) = reading.await else { return Err(Over) };
        let mut events = String::new();
        if from > self.next {
            events.push_str(&format!("event: skipped\ndata: {}\n\n", from - self.next));
        }
        let (columns, now) = (columns(), self.admin.node.clock.now());
        for row in &found {
            push(&mut events, &rows::row(row, now).fragment(&columns));
        }
        if !events.is_empty() {
            // Where to go on, once all of these have arrived.
            events.push_str(&format!("id: {next}\n\n"));
        }
        self.next = next.max(from);
        if events.is_empty() { Ok(()) } else { self.send(events).await }
    }

    async fn send(&mut self, events: String) -> Result<(), Over> {
        self.said = Instant::now();
        let sending = tokio::time::timeout(PATIENCE, self.sender.send(events.into()));
        tokio::select! {
            sent = sending => match sent {
                Ok(Ok(())) => Ok(()),
                Ok(Err(_)) | Err(_) => Err(Over),
            },
            _ = self.stop.wait_for(|stop| *stop) => Err(Over),
        }
    }
}

/// One event (WHATWG HTML, section 9.2): a line of data for each line of markup.
fn push(events: &mut String, row: &Html) {
    for line in row.as_str().split('\n') {
        events.push_str("data: ");
        events.push_str(line);
        events.push('\n');
    }
    events.push('\n');
}
