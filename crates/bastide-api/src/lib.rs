//! The management API: JSON over HTTP under `/api/v1/`, on the gateway's own listener or one for administrators.
//!
//! Owns: which operations there are and who may use them (`operation.rs`, one table), how a request becomes a typed one
//! and a result or refusal an answer, and the OpenAPI document, which is made from the same table and the same types.
//! Knows nothing of where anything is stored or how it is changed: it asks [`bastide_admin::Admin`], as the command line
//! and the console do.
//!
//! Only API tokens are taken (`authorization: Bearer bsa_...`), never cookies: no page of another site can make a browser
//! send one, so there is nothing to forge.
//!
//! ```
//! let document = bastide_api::openapi();
//! assert_eq!(document["openapi"], "3.1.0");
//! assert_eq!(document["paths"]["/api/v1/keys"]["get"]["operationId"], "listKeys");
//! ```

mod call;
mod openapi;
mod operation;
mod operations;
mod problem;
mod read;
mod reference;
mod server;
mod shapes;

pub use openapi::openapi;
pub use operation::{Access, Operation};
pub use reference::reference;
pub use server::Api;
