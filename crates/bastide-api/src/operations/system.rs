//! The server itself.

use std::sync::Arc;

use bastide_admin::{Explained, Request, could_not};

use crate::call::{Call, Refusal};
use crate::shapes::{Examined, LogLevel, LogLevelGiven, Reloaded};

pub(crate) async fn settings(call: &Call<'_>, (): (), (): ()) -> Result<Vec<Explained>, Refusal> {
    Ok(call.api.server.explained())
}

pub(crate) async fn doctor(call: &Call<'_>, (): (), (): ()) -> Result<Examined, Refusal> {
    let server = Arc::clone(&call.api.server);
    let looking = tokio::task::spawn_blocking(move || server.findings());
    let findings = looking.await.map_err(could_not)?;
    Ok(Examined { version: env!("CARGO_PKG_VERSION"), findings })
}

pub(crate) async fn reload(call: &Call<'_>, (): (), (): ()) -> Result<Reloaded, Refusal> {
    call.execute(Request::ConfigReload).await
}

pub(crate) async fn log_level(call: &Call<'_>, (): (), (): ()) -> Result<LogLevel, Refusal> {
    call.execute(Request::LogLevel { filter: None }).await
}

pub(crate) async fn set_log_level(
    call: &Call<'_>,
    (): (),
    given: LogLevelGiven,
) -> Result<LogLevel, Refusal> {
    call.execute(Request::LogLevel { filter: Some(given.filter) }).await
}
