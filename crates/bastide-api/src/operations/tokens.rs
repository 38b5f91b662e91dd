//! Everybody's API tokens. None is made here: a token that is found would make itself successors.

use bastide_admin::Request;

use crate::call::{Call, Refusal};
use crate::shapes::{Changed, TokenShown};

pub(crate) async fn list(call: &Call<'_>, (): (), (): ()) -> Result<Vec<TokenShown>, Refusal> {
    call.execute(Request::TokenList).await
}

pub(crate) async fn revoke(call: &Call<'_>, (): (), (): ()) -> Result<Changed, Refusal> {
    call.execute(Request::TokenRevoke { token: call.segment.clone() }).await
}
