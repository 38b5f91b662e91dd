//! Setup.

use crate::web::{Refusal, Reply, Visit};

pub(super) async fn show(visit: &Visit<'_>) -> Result<Reply, Refusal> {
    Err(Refusal::no("page", visit.route.path()))
}

pub(super) async fn create(visit: &Visit<'_>) -> Result<Reply, Refusal> {
    Err(Refusal::no("page", visit.route.path()))
}
