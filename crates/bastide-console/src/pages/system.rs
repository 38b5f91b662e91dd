//! System.

use crate::web::{Refusal, Reply, Visit};

pub(super) async fn show(visit: &Visit<'_>) -> Result<Reply, Refusal> {
    Err(Refusal::no("page", visit.route.path()))
}

pub(super) async fn reload(visit: &Visit<'_>) -> Result<Reply, Refusal> {
    Err(Refusal::no("page", visit.route.path()))
}

pub(super) async fn set_log_level(visit: &Visit<'_>) -> Result<Reply, Refusal> {
    Err(Refusal::no("page", visit.route.path()))
}
