//! Sign in.

use crate::web::{Refusal, Reply, Visit};

pub(super) async fn show(visit: &Visit<'_>) -> Result<Reply, Refusal> {
    Err(Refusal::no("page", visit.route.path()))
}

pub(super) async fn sign_in(visit: &Visit<'_>) -> Result<Reply, Refusal> {
    Err(Refusal::no("page", visit.route.path()))
}

pub(super) async fn sign_out(visit: &Visit<'_>) -> Result<Reply, Refusal> {
    Err(Refusal::no("page", visit.route.path()))
}
