//! Whoever asks, and this API itself.

use bastide_admin::{Failure, show_time};
use bastide_identity::{SessionCarrier, SessionPrincipal};
use bastide_types::{Permission, SessionId};
use serde_json::Value;

use crate::call::{Call, Refusal};
use crate::shapes::{Changed, Myself, SessionShown};

pub(crate) async fn show(call: &Call<'_>, (): (), (): ()) -> Result<Myself, Refusal> {
    let may = Permission::ALL.iter().filter(|p| call.may(**p));
    Ok(Myself {
        user: call.who.user.to_string(),
        name: call.who.name.clone(),
        role: call.who.role().as_str(),
        permissions: may.map(|p| p.as_str()).collect(),
        session: shown(call, &call.who),
    })
}

pub(crate) async fn sessions(call: &Call<'_>, (): (), (): ()) -> Result<Vec<SessionShown>, Refusal> {
    let own = call.admin().node.accounts.sessions_of(call.who.user);
    Ok(own.iter().map(|session| shown(call, session)).collect())
}

pub(crate) async fn end(call: &Call<'_>, (): (), (): ()) -> Result<Changed, Refusal> {
    let given: String = call.segment.chars().take(64).collect();
    let none = || Failure::not_found(format!("you have no session `{given}`"));
    let id: SessionId = call.segment.parse().map_err(|_| none())?;
    let own = call.admin().node.accounts.sessions_of(call.who.user);
    if !own.iter().any(|session| session.session == id) {
        return Err(none().into());
    }
    // One that was given away to read must not sign its giver out.
    if id != call.who.session && is_narrowed(&call.who) {
        let why = "this token may do less than you may, so it can end only itself; use one of your own role";
        return Err(Failure::denied(why).into());
    }
    let ended = call.admin().end_session(call.who.actor, id).await?;
    Ok(Changed { warnings: ended.warnings })
}

pub(crate) async fn document(_: &Call<'_>, (): (), (): ()) -> Result<Value, Refusal> {
    Ok(crate::openapi())
}

fn is_narrowed(who: &SessionPrincipal) -> bool {
    Permission::ALL.iter().any(|p| who.role().grants(*p) && !who.may(*p))
}

fn shown(call: &Call<'_>, session: &SessionPrincipal) -> SessionShown {
    let (kind, name, role) = match &session.carrier {
        SessionCarrier::Browser => ("browser", None, None),
        SessionCarrier::Token { name, role } => ("token", Some(name.clone()), Some(role.as_str())),
    };
    SessionShown {
        id: session.session.to_string(),
        kind,
        name,
        role,
        created: show_time(session.created_at),
        expires: show_time(session.expires_at),
        seen: show_time(session.seen_at()),
        user_agent: session.user_agent.clone(),
        address: session.address.clone(),
        this: session.session == call.who.session,
    }
}
