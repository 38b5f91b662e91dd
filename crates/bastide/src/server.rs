//! Commands that only a running server can answer.

use bastide_admin::{Failure, Request};
use serde_json::Value;

use crate::cli::{Output, Server};
use crate::{client, control};

pub(crate) fn log_level(server: &Server, filter: Option<String>, output: Output) -> Result<(), Failure> {
    let answer = control::ask_server(&server.dir, &Request::LogLevel { filter })?;
    for warning in answer["warnings"].as_array().into_iter().flatten().filter_map(Value::as_str) {
        client::note(&format!("warning: {warning}"));
    }
    client::print(output.json, &answer, |answer| {
        format!("{}\n", answer["filter"].as_str().unwrap_or_default())
    })
}

pub(crate) fn healthcheck(server: &Server, output: Output) -> Result<(), Failure> {
    let not_ready = |failure: Failure| Failure::does_not_hold(failure.message());
    let answer = control::ask_server(&server.dir, &Request::Ready).map_err(not_ready)?;
    if answer["ready"] == true {
        return client::print(output.json, &answer, |_| "ready\n".to_owned());
    }
    Err(Failure::does_not_hold(
        "the server takes no requests: it stops, or its log cannot be written; see `bastide doctor` and the server's \
         own log",
    ))
}
