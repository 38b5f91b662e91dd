//! Servers behind us: where a model's requests go, and with which credential.
//!
//! Destination and credential are one object ([`Provider`]); a request names a model, never a host (CVE-2024-6587: a
//! client-chosen base URL received the operator's key).

mod catalogue;
mod client;
mod connection;
mod demo;
mod idle;
#[cfg(test)]
mod tests;

use std::time::Duration;

use bytes::Bytes;
use http::header::CONTENT_TYPE;
use http::{HeaderValue, Response, StatusCode};

pub use catalogue::{Catalogue, Credential, PlainHttp, Provider, ProviderError, Target};
pub(crate) use client::{Client, SendError, Transport};
use connection::NetworkBody;
pub(crate) use demo::MODEL as DEMO;

use crate::guard::Inspected;
use crate::problem::{self, raise};
use crate::trace::Propagated;

/// The body of an upstream's answer.
#[derive(Debug)]
pub(crate) enum UpstreamBody {
    /// From the network.
    Network(NetworkBody),
    /// Made here: by the built-in demo model, or in place of a provider that cannot be used.
    Own(OwnBody),
}

/// The pieces that remain to be sent of an answer that was made here.
#[derive(Debug)]
pub(crate) struct OwnBody {
    parts: std::vec::IntoIter<Bytes>,
}

impl OwnBody {
    fn next(&mut self) -> Option<Bytes> {
        self.parts.next()
    }
}

/// An answer that was made here, in these pieces.
fn own(status: StatusCode, content_type: &'static str, parts: Vec<Bytes>) -> Response<UpstreamBody> {
    let mut response = Response::new(UpstreamBody::Own(OwnBody { parts: parts.into_iter() }));
    *response.status_mut() = status;
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(content_type));
    response
}

impl UpstreamBody {
    /// The next piece: all that has arrived.
    pub(crate) fn poll_data(
        &mut self,
        cx: &mut std::task::Context<'_>,
    ) -> std::task::Poll<Option<std::io::Result<Bytes>>> {
        match self {
            UpstreamBody::Network(body) => body.poll_data(cx),
            UpstreamBody::Own(body) => std::task::Poll::Ready(body.next().map(Ok)),
        }
    }

    /// The answer is whole, whatever may still come.
    pub(crate) fn finish(self) {
        if let UpstreamBody::Network(body) = self {
            body.finish();
        }
    }
}

/// What a request needs to leave: the inspected body. The log entry and the authorisation are consumed by the exchange
/// that makes this value; see [`crate::exchange`].
pub(crate) struct Outbound {
    pub(crate) body: Inspected<Bytes>,
    pub(crate) stream: bool,
    /// The trace it belongs to, where providers may know.
    pub(crate) context: Option<Propagated>,
}

impl Client {
    /// Sends to one upstream. One that cannot be used answers with the reason at once, and nothing leaves: an error to
    /// connect would send the request to the next provider.
    pub(crate) async fn send(
        &self,
        provider: &Provider,
        outbound: &Outbound,
        first_byte_time: Duration,
    ) -> Result<Response<UpstreamBody>, SendError> {
        if provider.unusable_because().is_some() {
            let problem = raise::unusable(provider.name());
            let status = StatusCode::from_u16(problem.status).unwrap_or(StatusCode::SERVICE_UNAVAILABLE);
            return Ok(own(status, "application/json", vec![Bytes::from(problem::body(&problem))]));
        }
        match provider.credential() {
            None if provider.is_demo() => Ok(demo::answer(outbound.body.value())),
            credential => self.post(provider, credential, outbound, first_byte_time).await,
        }
    }
}
