//! API tokens, as the operator on the machine makes, lists and ends them.

use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;

use bastide_identity::{Authorized, NewToken, SessionCarrier, SessionPrincipal};
use bastide_types::{ActorRef, ParseRoleError, Role, SessionId};
use serde_json::{Value, json};

use crate::admin::Admin;
use crate::change::What;
use crate::failure::{Failure, could_not};
use crate::people::account_refused;
use crate::request::TokenWanted;
use crate::time::{expiry, show_time};

/// What a token made here is noted to come from.
const MADE_BY: &str = "bastide token create";
const HERE: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);

impl Admin {
    pub(crate) async fn token_create(
        self: &Arc<Self>,
        by: &Authorized,
        wanted: TokenWanted,
    ) -> Result<Value, Failure> {
        // Whoever makes a token in another's name acts in that name.
        if by.user().is_some() {
            return Err(Failure::denied(
                "tokens for others are made on the machine only (`bastide token create`); make your own in the console",
            ));
        }
        let user = self.user_named(&wanted.user)?;
        let role: Role = wanted.role.parse().map_err(|e: ParseRoleError| Failure::usage(e.to_string()))?;
        let expires_at = expiry(&wanted.expires, self.node.accounts.now())?;
        let new = NewToken { name: wanted.name, role, expires_at };
        let accounts = Arc::clone(&self.node.accounts);
        let prepared = accounts.prepare_token_for(user.id, new, MADE_BY, HERE).map_err(account_refused)?;
        let what = What { action: "token.create", resource: prepared.id().to_string(), state: None };
        let made = self.make(by.actor(), what, move |intent| {
            accounts.create_session(prepared, intent).map_err(account_refused)
        });
        let made = made.await?;
        let mut shown = show(&made.given.session);
        shown["token"] = Value::from(made.given.token.expose().as_str());
        shown["warnings"] = Value::from(made.warnings);
        Ok(shown)
    }

    pub(crate) fn tokens(&self) -> Result<Value, Failure> {
        let users = self.node.accounts.users().map_err(could_not)?;
        let sessions = users.iter().flat_map(|user| self.node.accounts.sessions_of(user.id));
        Ok(sessions.filter(|s| is_token(s)).map(|s| show(&s)).collect())
    }

    pub(crate) async fn token_revoke(
        self: &Arc<Self>,
        actor: ActorRef,
        token: &str,
    ) -> Result<Value, Failure> {
        let none = || {
            let shown: String = token.chars().filter(|c| !c.is_control()).take(64).collect();
            Failure::not_found(format!("there is no token `{shown}`; `bastide token list` shows their ids"))
        };
        let id: SessionId = token.parse().map_err(|_| none())?;
        self.node.accounts.live_session(id).filter(|s| is_token(s)).ok_or_else(none)?;
        let made = self.end_session(actor, id).await?;
        Ok(json!({"id": id.to_string(), "revoked": true, "warnings": made.warnings}))
    }
}

fn is_token(session: &SessionPrincipal) -> bool {
    matches!(session.carrier, SessionCarrier::Token { .. })
}

fn show(session: &SessionPrincipal) -> Value {
    let (name, role) = match &session.carrier {
        SessionCarrier::Token { name, role } => (Some(name.as_str()), Some(role.as_str())),
        SessionCarrier::Browser => (None, None),
    };
    json!({
        "id": session.session.to_string(),
        "user": session.name,
        "name": name,
        "role": role,
        "created": show_time(session.created_at),
        "expires": show_time(session.expires_at),
        "seen": show_time(session.seen_at()),
    })
}
