//! Servers behind us: where a model's requests go, and with which credential.
//!
//! Destination and credential are one object ([`Provider`]); a request names a model, never a host (CVE-2024-6587: a
//! client-chosen base URL received the operator's key).

mod catalogue;
mod client;
mod demo;

use bytes::Bytes;
use http::Response;

pub use catalogue::{Catalogue, Credential, Provider, ProviderError, Target};
pub(crate) use client::{Client, SendError, Transport};
pub(crate) use demo::MODEL as DEMO;

use crate::guard::Inspected;
use crate::trace::Propagated;

/// The body of an upstream's answer.
#[derive(Debug)]
pub(crate) enum UpstreamBody {
    /// From the network.
    Network(hyper::body::Incoming),
    /// From the built-in demo model.
    Demo(demo::DemoBody),
}

impl UpstreamBody {
    /// The next piece of data; trailers are dropped.
    pub(crate) fn poll_data(
        &mut self,
        cx: &mut std::task::Context<'_>,
    ) -> std::task::Poll<Option<Result<Bytes, hyper::Error>>> {
        use hyper::body::Body as _;
        use std::task::{Poll, ready};
        match self {
            UpstreamBody::Network(body) => loop {
                match ready!(std::pin::Pin::new(&mut *body).poll_frame(cx)) {
                    None => return Poll::Ready(None),
                    Some(Err(e)) => return Poll::Ready(Some(Err(e))),
                    Some(Ok(frame)) => {
                        if let Ok(data) = frame.into_data() {
                            return Poll::Ready(Some(Ok(data)));
                        }
                    }
                }
            },
            UpstreamBody::Demo(body) => Poll::Ready(body.next().map(Ok)),
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
    /// Sends to one upstream.
    pub(crate) async fn send(
        &self,
        provider: &Provider,
        outbound: &Outbound,
    ) -> Result<Response<UpstreamBody>, SendError> {
        match provider.credential() {
            None if provider.is_demo() => Ok(demo::answer(outbound.body.value())),
            credential => self.post(provider, credential, outbound).await,
        }
    }
}
