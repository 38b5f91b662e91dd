//! Keys.

use bastide_admin::{KeyWanted, Request};

use crate::call::{Call, Refusal};
use crate::shapes::{Key, KeyMade};

pub(crate) async fn list(call: &Call<'_>, (): (), (): ()) -> Result<Vec<Key>, Refusal> {
    call.execute(Request::KeyList).await
}

pub(crate) async fn create(call: &Call<'_>, (): (), wanted: KeyWanted) -> Result<KeyMade, Refusal> {
    call.execute(Request::KeyCreate(wanted)).await
}

pub(crate) async fn revoke(call: &Call<'_>, (): (), (): ()) -> Result<Key, Refusal> {
    call.execute(Request::KeyRevoke { key: call.segment.clone() }).await
}
