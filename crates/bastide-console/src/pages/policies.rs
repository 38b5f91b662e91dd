//! Policies.

use crate::web::{Refusal, Reply, Visit};

pub(super) async fn show(visit: &Visit<'_>) -> Result<Reply, Refusal> {
    Err(Refusal::no("page", visit.route.path()))
}

pub(super) async fn edit(visit: &Visit<'_>) -> Result<Reply, Refusal> {
    Err(Refusal::no("page", visit.route.path()))
}

pub(super) async fn check(visit: &Visit<'_>) -> Result<Reply, Refusal> {
    Err(Refusal::no("page", visit.route.path()))
}

pub(super) async fn set(visit: &Visit<'_>) -> Result<Reply, Refusal> {
    Err(Refusal::no("page", visit.route.path()))
}

pub(super) async fn try_out(visit: &Visit<'_>) -> Result<Reply, Refusal> {
    Err(Refusal::no("page", visit.route.path()))
}

pub(super) async fn version(visit: &Visit<'_>) -> Result<Reply, Refusal> {
    Err(Refusal::no("page", visit.route.path()))
}
