//! The log.

use bastide_admin::{EntryFilter, EntryPage, Failure, LogHealth, Proof, ReceiptShown};

use super::ROWS;
use crate::call::{Call, Refusal};
use crate::shapes::{Checkpoint, EntryQuery, ReceiptGiven};

pub(crate) async fn health(call: &Call<'_>, (): (), (): ()) -> Result<LogHealth, Refusal> {
    Ok(call.admin().log_health().await?)
}

pub(crate) async fn list(call: &Call<'_>, query: EntryQuery, (): ()) -> Result<EntryPage, Refusal> {
    let filter = EntryFilter { kind: query.kind, text: query.text };
    Ok(call.admin().entries(filter, query.before, query.limit.unwrap_or(ROWS)).await?)
}

pub(crate) async fn prove(call: &Call<'_>, (): (), (): ()) -> Result<Proof, Refusal> {
    let shown: String = call.segment.chars().take(40).collect();
    let index = call.segment.parse().map_err(|_| {
        Failure::not_found(format!("`{shown}` is no index of an entry; entries are counted from 0"))
    })?;
    Ok(call.admin().prove(index).await?)
}

pub(crate) async fn checkpoint(call: &Call<'_>, (): (), (): ()) -> Result<Checkpoint, Refusal> {
    let health = call.admin().log_health().await?;
    Ok(Checkpoint { origin: health.origin, key: health.key, checkpoint: health.checkpoint })
}

pub(crate) async fn check_receipt(
    call: &Call<'_>,
    (): (),
    given: ReceiptGiven,
) -> Result<ReceiptShown, Refusal> {
    Ok(call.admin().check_receipt(&given.receipt).await?)
}
