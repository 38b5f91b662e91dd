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
