//! Users.

use crate::web::{Refusal, Reply, Visit};

pub(super) async fn list(visit: &Visit<'_>) -> Result<Reply, Refusal> {
    Err(Refusal::no("page", visit.route.path()))
}

pub(super) async fn create(visit: &Visit<'_>) -> Result<Reply, Refusal> {
    Err(Refusal::no("page", visit.route.path()))
}

pub(super) async fn set_role(visit: &Visit<'_>) -> Result<Reply, Refusal> {
    Err(Refusal::no("page", visit.route.path()))
}

pub(super) async fn disable(visit: &Visit<'_>) -> Result<Reply, Refusal> {
    Err(Refusal::no("page", visit.route.path()))
}

pub(super) async fn enable(visit: &Visit<'_>) -> Result<Reply, Refusal> {
    Err(Refusal::no("page", visit.route.path()))
}

pub(super) async fn sign_out(visit: &Visit<'_>) -> Result<Reply, Refusal> {
    Err(Refusal::no("page", visit.route.path()))
}

pub(super) async fn set_password(visit: &Visit<'_>) -> Result<Reply, Refusal> {
    Err(Refusal::no("page", visit.route.path()))
}

pub(super) async fn remove(visit: &Visit<'_>) -> Result<Reply, Refusal> {
    Err(Refusal::no("page", visit.route.path()))
}
