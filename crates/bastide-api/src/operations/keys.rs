//! Keys.

use bastide_admin::{Failure, KeyWanted, Request};

use crate::call::{Call, Refusal};
use crate::shapes::{Erased, Erasure, Key, KeyMade, KeyRotated, Rotation};

pub(crate) async fn list(call: &Call<'_>, (): (), (): ()) -> Result<Vec<Key>, Refusal> {
    call.execute(Request::KeyList).await
}

pub(crate) async fn create(call: &Call<'_>, (): (), wanted: KeyWanted) -> Result<KeyMade, Refusal> {
    call.execute(Request::KeyCreate(wanted)).await
}

pub(crate) async fn revoke(call: &Call<'_>, (): (), (): ()) -> Result<Key, Refusal> {
    call.execute(Request::KeyRevoke { key: call.segment.clone() }).await
}

pub(crate) async fn rotate(call: &Call<'_>, (): (), given: Rotation) -> Result<KeyRotated, Refusal> {
    call.execute(Request::KeyRotate { key: call.segment.clone(), overlap: given.overlap }).await
}

pub(crate) async fn erase(call: &Call<'_>, (): (), given: Erasure) -> Result<Erased, Refusal> {
    // A program that mixes up two paths must not destroy anything by it.
    if !given.confirm {
        let why = "what is erased cannot be read again by anybody; send `\"confirm\": true` if that is meant";
        return Err(Failure::usage(why).into());
    }
    call.execute(Request::SubjectErase { key: call.segment.clone() }).await
}
