//! What answers beside the data plane, on its listener or on one of its own: the console, the management API.

use std::future::Future;
use std::net::IpAddr;
use std::pin::Pin;
use std::sync::Arc;

use http::{Request, Response};
use hyper::body::Incoming;

use crate::relay::Body;

/// Who stands at the other end of a connection.
#[derive(Clone, Copy, Debug)]
pub struct Visitor {
    /// Its address.
    pub address: IpAddr,
    /// Whether nobody between us and it can read along.
    pub tls: bool,
}

/// An answer in the making.
pub type Answer = Pin<Box<dyn Future<Output = Response<Body>> + Send>>;

/// Paths of its own beside those of the data plane. The name in `host` is checked before; who may do what is the surface's
/// own matter.
pub trait Surface: Send + Sync + 'static {
    /// Whether a path is one of its own. The data plane's are never asked about.
    fn owns(&self, path: &str) -> bool;

    /// Answers a request for a path of its own.
    fn answer(self: Arc<Self>, visitor: Visitor, request: Request<Incoming>) -> Answer;
}

/// One path segment as it was meant; `None` for one that is no text, or that would lead elsewhere.
#[must_use]
pub fn path_segment(encoded: &str) -> Option<String> {
    let mut bytes = Vec::with_capacity(encoded.len());
    let mut rest = encoded.bytes();
    while let Some(byte) = rest.next() {
        match byte {
            b'%' => {
                let digit = |b: Option<u8>| char::from(b?).to_digit(16);
                let (high, low) = (digit(rest.next())?, digit(rest.next())?);
                bytes.push(u8::try_from(high * 16 + low).ok()?);
            }
            other => bytes.push(other),
        }
    }
    let text = String::from_utf8(bytes).ok()?;
    let harmless = !text.is_empty() && !text.chars().any(char::is_control);
    harmless.then_some(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn segments_are_decoded_once() {
        assert_eq!(path_segment("a%2Fb").as_deref(), Some("a/b"));
        assert_eq!(path_segment("%2525").as_deref(), Some("%25"));
        assert_eq!(path_segment("%2525+").as_deref(), Some("%25+"));
        for bad in ["", "%", "%4", "%zz", "%ff", "a%00", "a%0A"] {
            assert_eq!(path_segment(bad), None, "{bad}");
        }
    }
}
