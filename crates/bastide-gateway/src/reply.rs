//! What comes back: whole answers, errors, and the beginning of streams.

use std::future::poll_fn;
use std::io;
use std::pin::pin;
use std::sync::Arc;
use std::task::Poll;
use std::time::{Duration, Instant};

use bastide_anonymize::Vault;
use bastide_types::{DecisionRecord, Ending, GuardMode, Problem, Segment, Verdict};
use bastide_wire::{ChatResponse, JsonDocument, Limits, Usage};
use bytes::Bytes;
use http::header::{CONTENT_TYPE, HeaderName, RETRY_AFTER};
use http::{HeaderMap, HeaderValue, Response, StatusCode};
use tokio::sync::watch;
use tokio::time::timeout_at;

use crate::exchange::{Came, End, Exchange, recorded, said};
use crate::guard::{Guard, MayRestore, Report, Tally};
use crate::offload::off_the_worker;
use crate::problem::{self, raise};
use crate::relay::{Body, Relay};
use crate::upstream::UpstreamBody;

/// Headers of an upstream that callers act upon. Everything else stays behind: a header is text that nobody inspects.
static KEPT: [HeaderName; 8] = [
    RETRY_AFTER,
    HeaderName::from_static("x-ratelimit-limit-requests"),
    HeaderName::from_static("x-ratelimit-limit-tokens"),
    HeaderName::from_static("x-ratelimit-remaining-requests"),
    HeaderName::from_static("x-ratelimit-remaining-tokens"),
    HeaderName::from_static("x-ratelimit-reset-requests"),
    HeaderName::from_static("x-ratelimit-reset-tokens"),
    HeaderName::from_static("retry-after-ms"),
];
/// The media type of a stream.
const EVENTS: &str = "text/event-stream";
/// Longest value of such a header: a number and a unit.
const KEPT_BYTES: usize = 64;

/// Whether anybody reads a header field of an upstream.
pub(crate) fn is_read(name: &str) -> bool {
    let same = |read: &HeaderName| name.eq_ignore_ascii_case(read.as_str());
    same(&CONTENT_TYPE) || KEPT.iter().any(same)
}

/// Turns an upstream's response into the caller's.
pub(crate) async fn answer(
    mut exchange: Box<Exchange>,
    response: Response<UpstreamBody>,
    vault: Box<Vault>,
) -> Response<Body> {
    // From before the question on: no change of rights falls between it and the next one.
    let rights = exchange.gateway.rights.subscribe();
    if !exchange.still_allowed() {
        // A model may think for minutes before its first byte.
        if !response.status().is_success() {
            exchange.came = None;
        }
        return exchange.fail(raise::revoked(), Ending::Blocked).await;
    }
    let (head, body) = response.into_parts();
    let kept = kept(&head.headers);
    let media = head.headers.get(CONTENT_TYPE).and_then(|v| v.to_str().ok()).unwrap_or_default();
    let begins = media.trim_start().get(..EVENTS.len());
    let is_stream = begins.is_some_and(|media| media.eq_ignore_ascii_case(EVENTS));
    match head.status {
        StatusCode::OK if exchange.stream && is_stream => stream(exchange, kept, body, vault).await,
        StatusCode::OK if is_stream => {
            let problem = raise::upstream(
                "upstream.protocol",
                502,
                "the upstream answered with a stream that nobody asked for",
            );
            exchange.fail(problem, Ending::UpstreamFailed).await
        }
        StatusCode::OK => whole(exchange, rights, kept, body, vault).await,
        StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => {
            exchange.came = None;
            tracing::error!(
                provider = &*exchange.provider,
                status = head.status.as_u16(),
                "an upstream refused our credential"
            );
            let problem = Problem::new(
                "upstream.credential",
                502,
                bastide_types::Fault::Operator,
                bastide_types::Retry::Never,
                "the provider refused the credential that bastide holds for it; the operator must mend it",
            );
            exchange.fail(problem, Ending::UpstreamError).await
        }
        status if status.is_client_error() || status.is_server_error() => {
            error(exchange, rights, status, kept, body, vault).await
        }
        status => {
            if !status.is_success() {
                exchange.came = None;
            }
            let problem = raise::upstream(
                "upstream.protocol",
                502,
                "the upstream answered with a redirect or no answer",
            );
            exchange.fail(problem, Ending::UpstreamFailed).await
        }
    }
}

fn kept(headers: &HeaderMap) -> HeaderMap {
    let mut kept = HeaderMap::new();
    for name in headers.keys().filter(|name| KEPT.contains(name)) {
        if let Some(value) = headers.get(name)
            && value.len() <= KEPT_BYTES
            && value.as_bytes().iter().all(|b| {
                b.is_ascii_digit()
                    || b"smhdGMT:,. ".contains(b)
                    || b.is_ascii_alphabetic() && name == RETRY_AFTER
            })
        {
            kept.insert(name.clone(), value.clone());
        }
    }
    kept
}

async fn stream(
    mut exchange: Box<Exchange>,
    kept: HeaderMap,
    body: UpstreamBody,
    vault: Box<Vault>,
) -> Response<Body> {
    if exchange.recorded().await.is_err() {
        return exchange.fail(raise::log_failed(), Ending::Failed).await;
    }
    let decision = match exchange.receive(&Tally::default()) {
        Ok(decision) => decision,
        Err(refusal) => {
            let problem = refusal.to_problem();
            exchange.kept.answered(&Bytes::new(), &problem::body(&problem).into(), true);
            exchange.trace.problem(&problem);
            let pending = exchange.end(End {
                status: problem.status,
                ending: Ending::Blocked,
                received: exchange.digest_of(&[]),
                sent: exchange.digest_of(&problem::body(&problem)),
                tally: None,
                decisions: vec![refusal.decision().clone()],
                usage: None,
                output_bytes: 0,
            });
            let recorded = recorded(pending).await;
            return problem::response(&problem, Some(exchange.id), recorded.as_ref());
        }
    };
    let id = exchange.id;
    let mut response = Response::new(Body::relay(Relay::new(exchange, body, *vault, decision)));
    let headers = response.headers_mut();
    headers.extend(kept);
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(EVENTS));
    headers.insert(http::header::CACHE_CONTROL, HeaderValue::from_static("no-cache"));
    problem::attach(headers, Some(id), None);
    response
}

/// Why a whole body could not be read.
enum ReadError {
    Broken,
    Idle,
    Slow,
    TooLarge,
    /// Nothing is wrong with it, and the caller may not have it any more.
    Revoked,
}

impl ReadError {
    fn problem(&self) -> Problem {
        match self {
            ReadError::Broken => {
                raise::upstream("upstream.broken", 502, "the upstream broke off in the middle of its answer")
            }
            ReadError::Idle => raise::upstream(
                "upstream.timeout",
                504,
                "the upstream fell silent in the middle of its answer",
            ),
            ReadError::Slow => {
                raise::upstream("upstream.timeout", 504, "the upstream did not end its answer in time")
            }
            ReadError::TooLarge => {
                raise::upstream("upstream.too_large", 502, "the upstream's answer is too large")
            }
            ReadError::Revoked => raise::revoked(),
        }
    }

    const fn ending(&self) -> Ending {
        match self {
            ReadError::Revoked => Ending::Blocked,
            _ => Ending::UpstreamFailed,
        }
    }
}

/// Reads a body of at most `most` bytes for as long as the exchange may go on: as a stream does, it asks whenever
/// rights change. The exchange has what came of it, however this ends; `usage` is what it is charged by. It may take as
/// long as its first byte may: some upstreams send blanks while their model thinks.
async fn read(
    exchange: &mut Exchange,
    mut rights: watch::Receiver<u64>,
    mut body: UpstreamBody,
    most: usize,
    usage: Option<Usage>,
) -> Result<Bytes, ReadError> {
    let settings = Arc::clone(&exchange.settings);
    let limits = &settings.limits;
    let end = tokio::time::Instant::now() + limits.first_byte_time;
    exchange.came = Some(Came { usage, ..Came::default() });
    let mut silent = None;
    loop {
        let piece = tokio::select! {
            // A body that is there is still not given to who may not have it.
            biased;
            Ok(()) = rights.changed() => {
                if !exchange.still_allowed() {
                    return Err(ReadError::Revoked);
                }
                continue;
            }
            piece = piece(&mut body, &mut silent, limits.idle_time, end) => piece?,
        };
        let came = exchange.came.get_or_insert_default();
        let Some(data) = piece else { return Ok(came.body.join()) };
        let data = data.map_err(|_| ReadError::Broken)?;
        if came.body.len().saturating_add(data.len()) > most {
            return Err(ReadError::TooLarge);
        }
        came.body.push(data);
        silent = None;
    }
}

/// The next piece of a body, if it comes in its time and before the `end` of all. One that is there already takes no
/// timer: most answers are there with their head. `silent` is since when none came, as soon as that is so.
async fn piece(
    body: &mut UpstreamBody,
    silent: &mut Option<tokio::time::Instant>,
    idle: Duration,
    end: tokio::time::Instant,
) -> Result<Option<io::Result<Bytes>>, ReadError> {
    let mut next = pin!(poll_fn(|cx| body.poll_data(cx)));
    if let Poll::Ready(there) = poll_fn(|cx| Poll::Ready(next.as_mut().poll(cx))).await {
        return Ok(there);
    }
    let silent = *silent.get_or_insert_with(tokio::time::Instant::now) + idle;
    let (until, late) = if silent < end { (silent, ReadError::Idle) } else { (end, ReadError::Slow) };
    timeout_at(until, next).await.map_err(|_| late)
}

/// A parsed reply of either kind.
#[expect(clippy::large_enum_variant, reason = "there is one for each answer, and most are the large one")]
enum Document {
    Chat(ChatResponse),
    Other(JsonDocument),
}

impl Document {
    fn segments<'a>(&self, body: &'a [u8]) -> Vec<Segment<'a>> {
        match self {
            Document::Chat(d) => d.segments(body),
            Document::Other(d) => d.segments(body),
        }
    }
    fn splice(&self, body: &[u8], edits: &[bastide_wire::Edit]) -> Result<Vec<u8>, bastide_wire::WireError> {
        match self {
            Document::Chat(d) => d.splice(body, edits),
            Document::Other(d) => d.splice(body, edits),
        }
    }
    /// Segments that are one text to who reads them.
    fn joined(&self) -> &[Vec<usize>] {
        match self {
            Document::Chat(d) => &d.joined,
            Document::Other(_) => &[],
        }
    }
    fn tools(&self) -> &[String] {
        match self {
            Document::Chat(d) => &d.tools,
            Document::Other(_) => &[],
        }
    }
    const fn unscanned(&self) -> usize {
        match self {
            Document::Chat(d) => d.unscanned.len(),
            Document::Other(_) => 0,
        }
    }
    fn inspect(
        &self,
        guard: &Guard,
        body: &[u8],
        vault: &Vault,
        may_restore: &MayRestore,
        awaited: &dyn Fn() -> bool,
    ) -> Result<Report, Problem> {
        let segments = match guard.mode() {
            GuardMode::Off => Vec::new(),
            GuardMode::Observe | GuardMode::Enforce => self.segments(body),
        };
        let tool_of = |index| self.tool_of(body, index);
        guard.inspect_response(&segments, self.joined(), vault, &tool_of, may_restore, awaited)
    }
    /// The name of the tool whose arguments a segment holds.
    fn tool_of(&self, body: &[u8], index: usize) -> String {
        let Document::Chat(d) = self else { return String::new() };
        d.tool_of(body, index).unwrap_or_default().into_owned()
    }
    const fn usage(&self) -> Option<Usage> {
        match self {
            Document::Chat(d) => d.usage,
            Document::Other(_) => None,
        }
    }
}

/// Parses a reply; where its log probabilities spell another text than its answers, they are dropped: text spread over
/// them is not seen as a whole.
fn without_stray_logprobs(
    exchange: &Exchange,
    body: &Bytes,
) -> Result<(ChatResponse, Bytes), bastide_wire::WireError> {
    let document = ChatResponse::parse(body, &Limits::default())?;
    if !document.logprobs_diverge || exchange.guard.mode() != GuardMode::Enforce {
        return Ok((document, body.clone()));
    }
    let body = Bytes::from(document.splice_without_logprobs(body, &[])?);
    Ok((ChatResponse::parse(&body, &Limits::default())?, body))
}

async fn whole(
    mut exchange: Box<Exchange>,
    rights: watch::Receiver<u64>,
    kept: HeaderMap,
    body: UpstreamBody,
    vault: Box<Vault>,
) -> Response<Body> {
    let most = exchange.settings.limits.response_bytes;
    // Whatever becomes of it, it was generated.
    let received = match read(&mut exchange, rights, body, most, None).await {
        Ok(body) => body,
        Err(error) => return exchange.fail(error.problem(), error.ending()).await,
    };
    let own = Instant::now();
    let (document, body) = match without_stray_logprobs(&exchange, &received) {
        Ok((document, body)) => (Document::Chat(document), body),
        Err(error) => {
            tracing::warn!(
                provider = &*exchange.provider,
                error = &error as &dyn std::error::Error,
                "an upstream's answer is no chat completion"
            );
            let problem =
                raise::upstream("upstream.protocol", 502, "the upstream's answer is no chat completion");
            return exchange.fail(problem, Ending::UpstreamFailed).await;
        }
    };
    exchange.first_byte(own);
    // Nothing was used for an answer: that is no count.
    let usage = document.usage().filter(|usage| usage.input_tokens.max(usage.output_tokens) > 0);
    if let Some(came) = &mut exchange.came {
        came.usage = usage;
    }
    let checked = check(&mut exchange, document, &body, vault).await;
    exchange.own += own.elapsed();
    exchange.trace.guarded_response(own);
    exchange.trace.finish_reasons(&body);
    match checked {
        Err(problem) => exchange.fail(problem, Ending::Failed).await,
        Ok(Checked::Refused { tally, problem, decisions }) => {
            let text = problem::body(&problem);
            exchange.kept.answered(&received, &Bytes::copy_from_slice(&text), true);
            exchange.trace.problem(&problem);
            let pending = exchange.end(End {
                status: problem.status,
                ending: Ending::Blocked,
                received: exchange.digest_of(&received),
                sent: exchange.digest_of(&text),
                tally: Some(&tally),
                decisions,
                usage,
                output_bytes: exchange.undelivered(&received),
            });
            let recorded = recorded(pending).await;
            problem::response(&problem, Some(exchange.id), recorded.as_ref())
        }
        Ok(Checked::Passed { tally, sent, decisions }) => {
            finish(exchange, StatusCode::OK, Ending::Complete, kept, &received, sent, tally, decisions, usage)
                .await
        }
    }
}

/// An upstream's error, passed on with its status, its `retry-after` and its inspected body.
async fn error(
    mut exchange: Box<Exchange>,
    rights: watch::Receiver<u64>,
    status: StatusCode,
    kept: HeaderMap,
    body: UpstreamBody,
    vault: Box<Vault>,
) -> Response<Body> {
    const ERROR_BYTES: usize = 256 << 10;
    // An error costs the request at most; nothing was generated.
    let usage = Some(Usage { input_tokens: 0, output_tokens: 0 });
    let whole = read(&mut exchange, rights, body, ERROR_BYTES, usage).await;
    if let Err(e @ ReadError::Revoked) = whole {
        return exchange.fail(e.problem(), e.ending()).await;
    }
    let body = exchange.came.get_or_insert_default().body.join();
    let code = if status == StatusCode::TOO_MANY_REQUESTS { "upstream.limited" } else { "upstream.error" };
    exchange.gateway.metrics.problem(code);
    exchange.trace.error(code, status.as_u16());
    let stand_in = || {
        let detail = format!("the upstream answered {} without a readable reason", status.as_u16());
        let fault = bastide_types::Fault::Upstream;
        Problem::new(code, status.as_u16(), fault, bastide_types::Retry::Later, detail)
    };
    let came = Instant::now();
    // A page of HTML or a refused body becomes a problem of the same status: what cannot be read is not passed on.
    let document = whole.ok().and_then(|body| JsonDocument::parse(&body, &Limits::default()).ok());
    let (tally, sent, decisions) = match document {
        None => (Tally::default(), Bytes::from(problem::body(&stand_in())), Vec::new()),
        Some(document) => match check(&mut exchange, Document::Other(document), &body, vault).await {
            Ok(Checked::Passed { tally, sent, decisions }) => (tally, sent, decisions),
            Ok(Checked::Refused { tally, decisions, .. }) => {
                (tally, Bytes::from(problem::body(&stand_in())), decisions)
            }
            Err(problem) => return exchange.fail(problem, Ending::Failed).await,
        },
    };
    exchange.trace.guarded_response(came);
    finish(exchange, status, Ending::UpstreamError, kept, &body, sent, tally, decisions, usage).await
}

enum Checked {
    Passed { tally: Tally, sent: Bytes, decisions: Vec<DecisionRecord> },
    Refused { tally: Tally, problem: Problem, decisions: Vec<DecisionRecord> },
}

async fn check(
    exchange: &mut Exchange,
    document: Document,
    body: &Bytes,
    vault: Box<Vault>,
) -> Result<Checked, Problem> {
    let began = Instant::now();
    let (report, document) = off_the_worker(body.len(), {
        let (guard, body, may_restore) = (Arc::clone(&exchange.guard), body.clone(), exchange.may_restore());
        move |awaited| (document.inspect(&guard, &body, &vault, &may_restore, awaited), document)
    })
    .await?;
    let report = report?;
    exchange.gateway.metrics.guard(began.elapsed());
    let mut tally = report.tally;
    tally.pass_unscanned(document.unscanned());
    document.tools().iter().for_each(|tool| tally.calls(tool));
    if report.refused {
        let problem = raise::blocked(&tally.named(Verdict::Hold), "answer");
        return Ok(Checked::Refused { tally, problem, decisions: Vec::new() });
    }
    let decisions = match exchange.receive(&tally) {
        Ok(decision) => vec![decision],
        Err(refusal) => {
            let decisions = vec![refusal.decision().clone()];
            return Ok(Checked::Refused { tally, problem: refusal.to_problem(), decisions });
        }
    };
    let sent = if report.edits.is_empty() {
        body.clone()
    } else {
        document
            .splice(body, &report.edits)
            .map(Bytes::from)
            .map_err(|_| raise::guard_failed("an edit did not fit the answer"))?
    };
    Ok(Checked::Passed { tally, sent, decisions })
}

#[expect(clippy::too_many_arguments, reason = "the facts of an end, each of its own type")]
async fn finish(
    mut exchange: Box<Exchange>,
    status: StatusCode,
    ending: Ending,
    kept: HeaderMap,
    received: &Bytes,
    sent: Bytes,
    tally: Tally,
    decisions: Vec<DecisionRecord>,
    usage: Option<Usage>,
) -> Response<Body> {
    let digest = exchange.digest_of(received);
    let sent_digest = if sent == *received { digest } else { exchange.digest_of(&sent) };
    exchange.kept.answered(received, &sent, !tally.findings().is_empty());
    let pending = exchange.end(End {
        status: status.as_u16(),
        ending,
        received: digest,
        sent: sent_digest,
        tally: Some(&tally),
        decisions,
        usage,
        output_bytes: said(received),
    });
    let Some(recorded) = recorded(pending).await else {
        let problem = raise::log_failed();
        exchange.trace.problem(&problem);
        return problem::response(&problem, Some(exchange.id), None);
    };
    let mut response = Response::new(Body::full(sent));
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.extend(kept);
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    problem::attach(headers, Some(exchange.id), Some(&recorded));
    response
}
