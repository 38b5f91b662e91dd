//! The server around the operations: what only it knows of itself.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

use bastide_identity::Authorized;
use serde_json::Value;

use crate::failure::Failure;
use crate::report::{Explained, Finding};
use crate::request::Request;

/// An answer in the making.
pub type Answering = Pin<Box<dyn Future<Output = Result<Value, Failure>> + Send>>;

/// A running server. The binary is one; whoever stands below it (the console, the management API) asks it through this.
pub trait Server: Send + Sync + 'static {
    /// Executes one request for somebody who may; also those that need a server: `ConfigReload`, `LogLevel`, `Doctor`.
    fn execute(self: Arc<Self>, by: Authorized, request: Request) -> Answering;

    /// The settings in force, each with its origin.
    fn explained(&self) -> Vec<Explained>;

    /// What it finds about itself and its data folder. Reads files: not for a thread that others wait for.
    fn findings(&self) -> Vec<Finding>;
}
