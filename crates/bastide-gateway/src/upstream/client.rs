//! The HTTP client towards upstreams.

use std::future::poll_fn;
use std::io::{self, Write as _};
use std::net::{IpAddr, SocketAddr};
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use http::header::{ACCEPT_ENCODING, AUTHORIZATION, USER_AGENT};
use http::{HeaderValue, Request, Response};
use http_body_util::{BodyExt as _, Full};
use hyper_rustls::HttpsConnector;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::client::legacy::connect::dns::{GaiAddrs, GaiResolver, Name};
use hyper_util::rt::TokioExecutor;
use tower_service::Service;

use super::catalogue::Destination;
use super::connection::{Connection, Failure, NetworkBody};
use super::idle::{IDLE_TIME, MOST};
use super::{Credential, Outbound, Provider, UpstreamBody};

/// What requests of ours go out through, pooled; a clone shares the pool.
pub(crate) type Transport =
    hyper_util::client::legacy::Client<HttpsConnector<HttpConnector<Resolver>>, Full<Bytes>>;

const AGENT: &str = concat!("bastide/", env!("CARGO_PKG_VERSION"));

/// Why an upstream gave no response.
#[derive(Debug)]
pub(crate) enum SendError {
    /// No connection was made: no byte of the request left, another upstream may be tried.
    Connect(Box<dyn std::error::Error + Send + Sync>),
    /// The connection broke after the request was sent.
    Broken(Box<dyn std::error::Error + Send + Sync>),
    /// No response in time.
    Timeout,
}

impl std::error::Error for SendError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            // Displayed already; its cause is what is worth adding.
            SendError::Connect(e) | SendError::Broken(e) => e.source(),
            SendError::Timeout => None,
        }
    }
}

impl std::fmt::Display for SendError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            SendError::Connect(e) => write!(f, "cannot be reached: {e}"),
            SendError::Broken(e) => write!(f, "broke off: {e}"),
            SendError::Timeout => f.write_str("did not answer in time"),
        }
    }
}

/// Link-local addresses: where cloud metadata services live, and never a provider.
pub(crate) fn is_link_local(ip: IpAddr) -> bool {
    match ip {
        IpAddr::V4(v4) => v4.is_link_local(),
        IpAddr::V6(v6) => {
            v6.is_unicast_link_local() || v6.to_ipv4_mapped().is_some_and(|v4| v4.is_link_local())
        }
    }
}

/// Resolves a provider's name once per connection and hands the connector only addresses that may be used: there is no
/// second lookup between check and connect.
#[derive(Clone)]
pub(crate) struct Resolver(GaiResolver);

impl Service<Name> for Resolver {
    type Response = std::vec::IntoIter<SocketAddr>;
    type Error = io::Error;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, io::Error>> + Send>>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), io::Error>> {
        self.0.poll_ready(cx)
    }

    fn call(&mut self, name: Name) -> Self::Future {
        let shown = name.to_string();
        let resolving = self.0.call(name);
        Box::pin(async move {
            let addresses: GaiAddrs = resolving.await?;
            let usable: Vec<SocketAddr> = addresses.filter(|a| !is_link_local(a.ip())).collect();
            if usable.is_empty() {
                return Err(io::Error::other(format!("`{shown}` has no usable address")));
            }
            Ok(usable.into_iter())
        })
    }
}

type Connector = HttpsConnector<HttpConnector<Resolver>>;

/// What makes connections, and a client of the library for everything but chat completions.
pub(crate) struct Client {
    connector: Connector,
    connect_time: Duration,
    inner: Transport,
}

impl Client {
    /// A client that trusts the system's certificate authorities.
    pub(crate) fn new(connect_time: Duration) -> io::Result<Self> {
        let mut http = HttpConnector::new_with_resolver(Resolver(GaiResolver::new()));
        http.enforce_http(false);
        // Without it small writes wait for the peer's delayed acknowledgement: 40 ms a stream.
        http.set_nodelay(true);
        // Shared among the addresses of a name, so that one that is deaf leaves time for the next.
        http.set_connect_timeout(Some(connect_time));
        http.set_keepalive(Some(Duration::from_secs(60)));
        let provider = rustls::crypto::aws_lc_rs::default_provider();
        let connector = hyper_rustls::HttpsConnectorBuilder::new()
            .with_provider_and_native_roots(provider)
            .map_err(|e| {
                io::Error::other(format!("the system's certificate authorities cannot be read: {e}"))
            })?
            .https_or_http()
            .enable_http1()
            .wrap_connector(http);
        let inner = hyper_util::client::legacy::Client::builder(TokioExecutor::new())
            .pool_idle_timeout(IDLE_TIME)
            .pool_max_idle_per_host(MOST)
            .http1_max_buf_size(512 << 10)
            .build(connector.clone());
        Ok(Client { connector, connect_time, inner })
    }

    /// Connections for other ends than chat completions.
    pub(crate) fn transport(&self) -> Transport {
        self.inner.clone()
    }

    /// Sends a chat completion.
    pub(crate) async fn post(
        &self,
        provider: &Provider,
        credential: Option<&Credential>,
        outbound: &Outbound,
        first_byte_time: Duration,
    ) -> Result<Response<UpstreamBody>, SendError> {
        let Some(destination) = provider.destination() else {
            return Err(SendError::Connect("the demo model has no address".into()));
        };
        let head = head(destination, credential, outbound);
        let asking = self.ask(destination, &head, outbound.body.value());
        let answer =
            tokio::time::timeout(first_byte_time, asking).await.unwrap_or(Err(SendError::Timeout))?;
        Ok(answer.map(UpstreamBody::Network))
    }

    /// One exchange. Sent again, on another connection, only while no byte of it has left.
    pub(super) async fn ask(
        &self,
        destination: &Destination,
        head: &[u8],
        body: &[u8],
    ) -> Result<Response<NetworkBody>, SendError> {
        loop {
            let idle = destination.idle.take();
            let used = idle.is_some();
            let mut connection = match idle {
                Some(connection) => connection,
                // Boxed, as it is rare: what waits for an answer would have its size.
                None => Box::pin(self.connect(destination)).await?,
            };
            match connection.ask(head, body).await {
                Ok((answer, sent)) => {
                    return Ok(NetworkBody::response(connection, answer, sent, &destination.idle));
                }
                // It was closed while it waited; the next one, or a new one, may carry the request.
                Err(Failure::Unsent(_)) if used => {}
                Err(Failure::Unsent(error)) => return Err(SendError::Connect(Box::new(error))),
                Err(Failure::Sent(error)) => return Err(SendError::Broken(Box::new(error))),
            }
        }
    }

    /// A new connection. Name, address and TLS take no longer together than the time to connect: who is silent in any
    /// of them is passed over for the next provider.
    async fn connect(&self, destination: &Destination) -> Result<Box<Connection>, SendError> {
        let mut connector = self.connector.clone();
        let connecting = async {
            poll_fn(|cx| connector.poll_ready(cx)).await?;
            connector.call(destination.chat.clone()).await
        };
        let late = |_| Err(io::Error::new(io::ErrorKind::TimedOut, "no connection in time").into());
        let io = tokio::time::timeout(self.connect_time, connecting).await.unwrap_or_else(late);
        Ok(Box::new(Connection::new(io.map_err(SendError::Connect)?)))
    }

    /// Asks a provider for its list of models; at most a megabyte.
    pub(crate) async fn models(&self, provider: &Provider, time: Duration) -> Result<Bytes, SendError> {
        const LIST_BYTES: usize = 1 << 20;
        let Some(destination) = provider.destination() else {
            return Err(SendError::Connect("the demo model has no address".into()));
        };
        let mut request = Request::new(Full::new(Bytes::new()));
        *request.uri_mut() = destination.models.clone();
        let headers = request.headers_mut();
        headers.insert(USER_AGENT, HeaderValue::from_static(AGENT));
        headers.insert(ACCEPT_ENCODING, HeaderValue::from_static("identity"));
        if let Some(credential) = provider.credential() {
            headers.insert(AUTHORIZATION, credential.header().clone());
        }
        let asking = async {
            let response = self.inner.request(request).await.map_err(|e| SendError::Broken(Box::new(e)))?;
            if !response.status().is_success() {
                return Err(SendError::Broken(format!("status {}", response.status().as_u16()).into()));
            }
            let body = http_body_util::Limited::new(response.into_body(), LIST_BYTES);
            body.collect().await.map(|b| b.to_bytes()).map_err(SendError::Broken)
        };
        tokio::time::timeout(time, asking).await.unwrap_or(Err(SendError::Timeout))
    }
}

/// The head of a chat completion's request.
fn head(destination: &Destination, credential: Option<&Credential>, outbound: &Outbound) -> Vec<u8> {
    let mut head = Vec::with_capacity(512);
    let mut write = |parts: &[&[u8]]| parts.iter().for_each(|part| head.extend_from_slice(part));
    let uri = &destination.chat;
    let path = uri.path_and_query().map_or("/", http::uri::PathAndQuery::as_str);
    write(&[b"POST ", path.as_bytes(), b" HTTP/1.1\r\nhost: ", destination.host.as_bytes()]);
    write(&[b"\r\nuser-agent: ", AGENT.as_bytes()]);
    // What arrives compressed cannot be inspected in flight.
    write(&[b"\r\ncontent-type: application/json\r\naccept-encoding: identity\r\naccept: "]);
    write(&[if outbound.stream { b"text/event-stream" } else { b"application/json" }]);
    if let Some(credential) = credential {
        write(&[b"\r\nauthorization: ", credential.header().as_bytes()]);
    }
    if let Some(context) = &outbound.context {
        let (name, value) = context.header();
        write(&[b"\r\n", name.as_bytes(), b": ", value.as_bytes()]);
    }
    write(&[b"\r\ncontent-length: "]);
    // Writing to memory does not fail.
    let _ = write!(head, "{}\r\n\r\n", outbound.body.value().len());
    head
}
