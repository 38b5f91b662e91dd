//! Exchanges.

use bastide_admin::{ExchangeFilter, ExchangePage, ExchangeShown, Failure, Look, RevealWanted};
use bastide_types::KeyId;

use super::ROWS;
use crate::call::{Call, Refusal};
use crate::shapes::{ExchangeQuery, ShowQuery};

pub(crate) async fn list(call: &Call<'_>, query: ExchangeQuery, (): ()) -> Result<ExchangePage, Refusal> {
    let filter = ExchangeFilter {
        verdict: query.verdict.map(|v| v.parse().map_err(usage)).transpose()?,
        category: query.category.map(|c| c.parse().map_err(usage)).transpose()?,
        model: query.model,
        key: query.key.map(|k| k.parse::<KeyId>().map_err(usage)).transpose()?,
        denied: query.denied,
        with_findings: query.with_findings,
    };
    Ok(call.admin().exchanges(filter, query.before, query.limit.unwrap_or(ROWS)).await?)
}

pub(crate) async fn show(call: &Call<'_>, query: ShowQuery, (): ()) -> Result<ExchangeShown, Refusal> {
    look(call, Look { reveal: None, segments: query.segments }).await
}

pub(crate) async fn reveal(
    call: &Call<'_>,
    (): (),
    given: Option<RevealWanted>,
) -> Result<ExchangeShown, Refusal> {
    look(call, Look { reveal: Some(given.unwrap_or_default()), segments: false }).await
}

async fn look(call: &Call<'_>, look: Look) -> Result<ExchangeShown, Refusal> {
    let actor = call.authorized()?.actor();
    Ok(call.admin().exchange_show(actor, &call.segment, look).await?)
}

fn usage(error: impl std::fmt::Display) -> Failure {
    Failure::usage(error.to_string())
}
