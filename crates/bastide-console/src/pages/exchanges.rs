//! Exchanges.

use crate::web::{Refusal, Reply, Visit};

pub(super) async fn list(visit: &Visit<'_>) -> Result<Reply, Refusal> {
    Err(Refusal::no("page", visit.route.path()))
}
