//! The listener: connections in, one service for all of them, and an orderly end.

use std::convert::Infallible;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use bastide_audit::Durability;
use bastide_types::{ActorRef, Denial, Event, Problem};
use bytes::{Bytes, BytesMut};
use http::header::{ACCEPT, CONTENT_ENCODING, CONTENT_TYPE, LOCATION};
use http::{HeaderValue, Method, Request, Response, StatusCode};
use http_body_util::BodyExt as _;
use hyper::body::{Body as _, Incoming};
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Semaphore, watch};
use tokio::task::JoinSet;
use tokio_rustls::TlsAcceptor;
use tracing::Instrument as _;

use crate::certificate::Certificate;
use crate::exchange::{self, actor};
use crate::gateway::Gateway;
use crate::problem::{self, raise};
use crate::relay::Body;
use crate::route::{Access, NoRoute, Route};
use crate::settings::Limits;
use crate::stall::Stalling;
use crate::surface::{Surface, Visitor};
use crate::trace::Trace;
use crate::{auth, expiry, models};

/// Unauthenticated denials that the log takes in a second. More of them are counted and told with the next one: a
/// flood of bad keys must not fill the disk.
const DENIALS_PER_SECOND: u64 = 100;
/// Headers of a request. The official SDKs send about twenty.
const MAX_HEADERS: usize = 64;
/// Bodies up to this long are copied out of the connection's buffer.
const COPIED_BYTES: usize = 4 << 10;
/// Bytes of a request's head.
const MAX_HEAD_BYTES: usize = 64 << 10;

/// A listener, and what is behind it.
pub struct Door {
    /// Where connections arrive.
    pub listener: TcpListener,
    /// Set: connections are encrypted.
    pub tls: Option<Arc<Certificate>>,
    /// Whether the data plane answers here.
    pub data_plane: bool,
    /// What else answers here. No two own the same path.
    pub surfaces: Vec<Arc<dyn Surface>>,
}

/// Serves until `stop` becomes true, then drains.
///
/// # Errors
/// When a listener fails for good.
pub async fn serve(gateway: Arc<Gateway>, doors: Vec<Door>, stop: watch::Receiver<bool>) -> io::Result<()> {
    let slots = Arc::new(Semaphore::new(gateway.settings.load().limits.connections));
    let denials = Arc::new(Denials::default());
    let mut beside = JoinSet::new();
    beside.spawn(expiry::watch(Arc::clone(&gateway)));
    beside.spawn(gateway.log.deliver());
    let (closing, _) = watch::channel(false);
    let mut accepting = JoinSet::new();
    for door in doors {
        let listen = door.listener.local_addr()?;
        let Door { listener, tls, data_plane, surfaces } = door;
        let behind = Behind {
            gateway: Arc::clone(&gateway),
            denials: Arc::clone(&denials),
            listen,
            tls: tls.is_some(),
            data_plane,
            surfaces,
        };
        accepting.spawn(accept(
            Arc::new(behind),
            listener,
            tls,
            Arc::clone(&slots),
            closing.clone(),
            stop.clone(),
        ));
    }
    let mut running = Vec::new();
    while let Some(accepted) = accepting.join_next().await {
        running.push(accepted.map_err(io::Error::other)??);
        gateway.stop();
    }
    let _ = closing.send(true);
    // Running exchanges end by themselves or with the drain time.
    let drained = async {
        for running in &mut running {
            while running.join_next().await.is_some() {}
        }
    };
    let drain_time = gateway.settings.load().limits.drain_time;
    if tokio::time::timeout(drain_time, drained).await.is_err() {
        tracing::warn!("the drain time is over; running exchanges are cut");
    }
    // Cut ones record their end as they are dropped, and the log is still there to take it.
    for mut running in running {
        running.shutdown().await;
    }
    beside.shutdown().await;
    if let Some(tracer) = &gateway.tracer {
        tracer.close().await;
    }
    Ok(())
}

/// Accepts connections until `stop` becomes true; the running ones.
async fn accept(
    behind: Arc<Behind>,
    listener: TcpListener,
    tls: Option<Arc<Certificate>>,
    slots: Arc<Semaphore>,
    closing: watch::Sender<bool>,
    mut stop: watch::Receiver<bool>,
) -> io::Result<JoinSet<()>> {
    let mut running = JoinSet::new();
    loop {
        while running.try_join_next().is_some() {}
        let slot = tokio::select! {
            slot = Arc::clone(&slots).acquire_owned() => slot.map_err(io::Error::other)?,
            () = until(&mut stop) => return Ok(running),
        };
        let (stream, peer) = tokio::select! {
            accepted = listener.accept() => match accepted {
                Ok(accepted) => accepted,
                Err(error) => {
                    // Out of file descriptors or memory: what runs goes on, and accepting resumes.
                    tracing::warn!(error = &error as &dyn std::error::Error, "a connection could not be accepted");
                    tokio::time::sleep(Duration::from_millis(50)).await;
                    continue;
                }
            },
            () = until(&mut stop) => return Ok(running),
        };
        let settings = behind.gateway.settings.load();
        let connection = Connection {
            behind: Arc::clone(&behind),
            peer: peer.ip().to_canonical(),
            closing: closing.subscribe(),
            header_time: settings.limits.header_time,
            write_time: settings.limits.write_time,
        };
        let tls = tls.as_ref().map(|certificate| certificate.acceptor());
        running.spawn(async move {
            let metrics = &connection.behind.gateway.metrics;
            metrics.connection_opened();
            connection.run(stream, tls).await;
            metrics.connection_closed();
            drop(slot);
        });
    }
}

/// What is behind a door.
struct Behind {
    gateway: Arc<Gateway>,
    denials: Arc<Denials>,
    listen: SocketAddr,
    tls: bool,
    data_plane: bool,
    surfaces: Vec<Arc<dyn Surface>>,
}

struct Connection {
    behind: Arc<Behind>,
    peer: IpAddr,
    closing: watch::Receiver<bool>,
    header_time: Duration,
    write_time: Duration,
}

impl Connection {
    async fn run(&self, stream: TcpStream, tls: Option<TlsAcceptor>) {
        // Without it each event of a stream waits for the client's delayed acknowledgement: 40 ms.
        let _ = stream.set_nodelay(true);
        let stream = Stalling::new(stream, self.write_time);
        match tls {
            None => self.serve(TokioIo::new(stream)).await,
            Some(acceptor) => {
                // A handshake that hangs holds a slot; it gets the time that headers get.
                match tokio::time::timeout(self.header_time, acceptor.accept(stream)).await {
                    Ok(Ok(stream)) => self.serve(TokioIo::new(stream)).await,
                    Ok(Err(error)) => {
                        tracing::debug!(error = &error as &dyn std::error::Error, "a handshake failed")
                    }
                    Err(_) => tracing::debug!("a handshake did not finish in time"),
                }
            }
        }
    }

    async fn serve<I>(&self, io: I)
    where
        I: hyper::rt::Read + hyper::rt::Write + Unpin,
    {
        let service = service_fn(|request| {
            let (behind, peer) = (Arc::clone(&self.behind), self.peer);
            async move { Ok::<_, Infallible>(handle(behind, peer, request).await) }
        });
        let mut closing = self.closing.clone();
        let connection = hyper::server::conn::http1::Builder::new()
            .timer(TokioTimer::new())
            .header_read_timeout(self.header_time)
            .max_headers(MAX_HEADERS)
            .max_buf_size(MAX_HEAD_BYTES)
            .half_close(false)
            .serve_connection(io, service);
        let mut connection = std::pin::pin!(connection);
        tokio::select! {
            result = connection.as_mut() => debug_end(result),
            () = until(&mut closing) => {
                connection.as_mut().graceful_shutdown();
                debug_end(connection.await);
            }
        }
    }
}

async fn until(flag: &mut watch::Receiver<bool>) {
    // An error means that the sender is gone, and with it whoever would have said so.
    let _ = flag.wait_for(|set| *set).await;
}

fn debug_end(result: Result<(), hyper::Error>) {
    if let Err(error) = result {
        tracing::debug!(error = &error as &dyn std::error::Error, "a connection ended");
    }
}

async fn handle(behind: Arc<Behind>, peer: IpAddr, request: Request<Incoming>) -> Response<Body> {
    let gateway = &behind.gateway;
    if let Some(surface) = behind.surfaces.iter().find(|s| s.owns(request.uri().path())) {
        let (headers, named) = (request.headers(), request.uri().host());
        if let Err(problem) = auth::host(headers, named, &gateway.settings.load(), behind.listen) {
            return problem::response(&problem, None, None);
        }
        let visitor = Visitor { address: peer, tls: behind.tls };
        return Arc::clone(surface).answer(visitor, request).await;
    }
    let mut trace = Trace::begin(gateway, &request);
    let log = trace.log_span();
    match dispatch(&behind, peer, request, &mut trace).instrument(log).await {
        Ok(response) => response,
        Err(problem) => {
            gateway.metrics.problem(problem.code);
            trace.problem(&problem);
            let close = matches!(problem.status, 408 | 413);
            let mut response = problem::response(&problem, None, None);
            if close {
                // The rest of the body is still on its way and nobody will read it.
                response.headers_mut().insert(http::header::CONNECTION, HeaderValue::from_static("close"));
            }
            response
        }
    }
}

async fn dispatch(
    behind: &Behind,
    peer: IpAddr,
    request: Request<Incoming>,
    trace: &mut Trace,
) -> Result<Response<Body>, Problem> {
    let (gateway, denials) = (&behind.gateway, &*behind.denials);
    // An exchange works with what it began with.
    let settings = gateway.settings.load_full();
    auth::host(request.headers(), request.uri().host(), &settings, behind.listen)?;
    let console = behind.surfaces.iter().any(|surface| surface.owns(CONSOLE));
    if console && is_browser_at_the_door(&request) {
        return Ok(to_the_console());
    }
    if !behind.data_plane {
        return Err(raise::not_the_data_plane());
    }
    let route = match Route::find(request.method(), request.uri().path()) {
        Ok(route) => route,
        Err(NoRoute::Path) => return Err(raise::not_found(console)),
        Err(NoRoute::Method(allowed)) => return Err(raise::method(allowed)),
    };
    let principal = match route.access() {
        Access::Public { .. } => None,
        Access::Loopback if peer.is_loopback() => None,
        Access::Loopback => {
            denials.record(gateway, ActorRef::Unauthenticated, route, &raise::not_loopback());
            return Err(raise::not_loopback());
        }
        Access::Key => match auth::principal(request.headers(), &gateway.identity, peer) {
            Ok(principal) => Some(principal),
            Err(refused) => {
                tracing::info!(route = route.name(), reason = refused.reason, "a request was refused");
                denials.record(gateway, ActorRef::Unauthenticated, route, &refused.problem);
                return Err(refused.problem);
            }
        },
    };
    match (route, principal) {
        (Route::ChatCompletions, Some(principal)) => {
            trace.caller(principal.project);
            if gateway.is_stopping() {
                return Err(raise::stopping());
            }
            let body = match read_body(&settings.limits, request).await {
                Ok(body) => body,
                Err(problem) => {
                    denials.record(gateway, actor(gateway, &principal), route, &problem);
                    return Err(problem);
                }
            };
            let trace = std::mem::take(trace);
            let (gateway, asks) = (Arc::clone(gateway), Arc::clone(&principal));
            // Boxed: hyper moves what it is given several times, and an exchange is most of it.
            match Box::pin(exchange::chat(Arc::clone(&gateway), settings, asks, body, trace)).await {
                Ok(response) => Ok(response),
                Err(refused) => {
                    gateway.metrics.problem(refused.problem.code);
                    if refused.recorded.is_none() {
                        denials.record(&gateway, actor(&gateway, &principal), route, &refused.problem);
                    }
                    Ok(refused.into_response())
                }
            }
        }
        (Route::Models, Some(principal)) => models::list(gateway, &principal).await,
        (Route::Model, Some(principal)) => {
            let name = request.uri().path().trim_start_matches("/v1/models/");
            models::one(gateway, &principal, name).await
        }
        (Route::Healthz, _) => Ok(text("ok\n")),
        (Route::Readyz, _) => ready(gateway),
        (Route::Metrics, _) => {
            let (log, bodies) = (gateway.log.stats(), gateway.bodies.stats());
            let mut response = text(&gateway.metrics.render(&log, &bodies));
            let kind = HeaderValue::from_static("application/openmetrics-text; version=1.0.0; charset=utf-8");
            response.headers_mut().insert(CONTENT_TYPE, kind);
            Ok(response)
        }
        // INVARIANT: routes with `Access::Key` always have a principal here.
        (Route::ChatCompletions | Route::Models | Route::Model, None) => Err(raise::no_credential()),
    }
}

/// Where people are sent who open the bare address.
const CONSOLE: &str = "/console";

/// Whether a person opened the address without a path. No route: it does and shows nothing, and everybody else is told
/// that there is none.
fn is_browser_at_the_door(request: &Request<Incoming>) -> bool {
    let html = |value: &HeaderValue| value.to_str().is_ok_and(|accept| accept.contains("text/html"));
    request.uri().path() == "/"
        && matches!(*request.method(), Method::GET | Method::HEAD)
        && request.headers().get_all(ACCEPT).iter().any(html)
}

fn to_the_console() -> Response<Body> {
    let mut response = Response::new(Body::full(Bytes::new()));
    *response.status_mut() = StatusCode::SEE_OTHER;
    response.headers_mut().insert(LOCATION, HeaderValue::from_static(CONSOLE));
    response
}

fn ready(gateway: &Gateway) -> Result<Response<Body>, Problem> {
    if gateway.is_stopping() {
        return Err(raise::stopping());
    }
    if gateway.log.healthy().is_err() {
        return Err(raise::log_failed());
    }
    Ok(text("ready\n"))
}

fn text(text: &str) -> Response<Body> {
    let mut response = Response::new(Body::full(Bytes::copy_from_slice(text.as_bytes())));
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("text/plain; charset=utf-8"));
    response
}

/// A piece of a body without the buffer that it was read into, where a copy costs less than holding on to that.
fn own(piece: Bytes) -> Bytes {
    if piece.len() <= COPIED_BYTES { Bytes::copy_from_slice(&piece) } else { piece }
}

async fn read_body(limits: &Limits, request: Request<Incoming>) -> Result<Bytes, Problem> {
    let encoded = request
        .headers()
        .get_all(CONTENT_ENCODING)
        .iter()
        .any(|v| !v.as_bytes().eq_ignore_ascii_case(b"identity"));
    if encoded {
        return Err(raise::encoded_body());
    }
    let declared = request.body().size_hint().exact();
    if declared.is_some_and(|n| n > u64::try_from(limits.request_bytes).unwrap_or(u64::MAX)) {
        return Err(raise::too_large(limits.request_bytes));
    }
    let mut body = request.into_body();
    let reading = async {
        let mut first: Option<Bytes> = None;
        let mut rest = BytesMut::new();
        while let Some(frame) = body.frame().await {
            let Ok(data) = frame.map_err(|_| raise::body_broken())?.into_data() else { continue };
            if rest.len() + first.as_ref().map_or(0, Bytes::len) + data.len() > limits.request_bytes {
                return Err(raise::too_large(limits.request_bytes));
            }
            match first.take() {
                // Most requests are one piece.
                None if rest.is_empty() => first = Some(own(data)),
                None => rest.extend_from_slice(&data),
                Some(earlier) => {
                    rest.extend_from_slice(&earlier);
                    rest.extend_from_slice(&data);
                }
            }
        }
        Ok(first.unwrap_or_else(|| rest.freeze()))
    };
    tokio::time::timeout(limits.body_time, reading).await.map_err(|_| raise::body_timeout())?
}

/// Denials of people nobody knows, at most so many a second.
#[derive(Debug, Default)]
struct Denials {
    second: AtomicU64,
    taken: AtomicU64,
    suppressed: AtomicU64,
}

impl Denials {
    fn record(&self, gateway: &Gateway, actor: ActorRef, route: Route, problem: &Problem) {
        let second = gateway.clock.monotonic().as_secs();
        if self.second.swap(second, Ordering::Relaxed) != second {
            self.taken.store(0, Ordering::Relaxed);
        }
        let known = actor != ActorRef::Unauthenticated;
        if !known && self.taken.fetch_add(1, Ordering::Relaxed) >= DENIALS_PER_SECOND {
            self.suppressed.fetch_add(1, Ordering::Relaxed);
            return;
        }
        let event = Event::Denied(Box::new(Denial {
            at: gateway.clock.now(),
            actor,
            route: route.name().to_owned(),
            code: problem.code,
            status: problem.status,
            suppressed: u32::try_from(self.suppressed.swap(0, Ordering::Relaxed)).unwrap_or(u32::MAX),
        }));
        // Nobody waits for it, and a flood of them must not make everybody wait for the disk.
        if gateway.log.submit_as(Durability::Written, event, None).is_err() {
            tracing::error!("the audit log refused a denial");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_small_body_lets_go_of_the_buffer_that_it_was_read_into() {
        let holds = |size: usize| {
            let buffer = Bytes::from(vec![7; 16 << 10]);
            let body = own(buffer.slice(100..100 + size));
            assert_eq!(body, vec![7; size]);
            !buffer.is_unique()
        };
        assert_eq!([holds(0), holds(700), holds(COPIED_BYTES)], [false; 3]);
        assert!(holds(COPIED_BYTES + 1), "a copy would cost more than it frees");
    }
}
