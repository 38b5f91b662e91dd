//! People and their sessions: signing in, and the changes that administrators and people themselves make.
//!
//! Every change is announced in the log before it is made, signing in included; who was refused is in the log as well.

use std::net::IpAddr;
use std::sync::Arc;

use bastide_identity::{
    AccountError, Authorized, IssuedSession, NewToken, PreparedPassword, SessionPrincipal, SignIn,
    SignInError, TotpSetup, User,
};
use bastide_store::StoreError;
use bastide_types::{ActorRef, Role, Secret, SessionId, UserId};

use crate::admin::Admin;
use crate::bodies::off_the_runtime;
use crate::change::{Made, What};
use crate::failure::{Failure, chain, could_not};

/// What somebody presents who wants to sign in, or to prove again who they are.
pub struct Credentials {
    /// The name; of no matter to who is signed in.
    pub name: String,
    /// The password.
    pub password: Secret<String>,
    /// The code of the authenticator app, or a recovery code.
    pub code: Option<String>,
    /// Where from.
    pub address: IpAddr,
    /// What the browser calls itself.
    pub user_agent: String,
}

/// Why somebody is not let in.
#[derive(Debug)]
pub enum NotIn {
    /// Not those of somebody who may come in; nobody is told more.
    Refused,
    /// Too many passwords are being compared; try again in a moment.
    Busy,
    /// It could not be done.
    Failed(Failure),
}

/// A session that is begun or renewed with a recovery code, which is used up with it.
const RECOVER: &str = "session.recover";
/// What the issuer is called in authenticator apps.
const ISSUER: &str = "bastide";

impl Admin {
    /// Signs somebody in: a session, and its token, which is given out once.
    ///
    /// # Errors
    /// Why not; recorded.
    pub async fn sign_in(self: &Arc<Self>, with: Credentials) -> Result<Made<IssuedSession>, NotIn> {
        let accounts = Arc::clone(&self.node.accounts);
        let checked = off_the_runtime(move || {
            let sign_in = SignIn {
                name: &with.name,
                password: &with.password,
                code: with.code.as_deref(),
                address: with.address,
                user_agent: &with.user_agent,
            };
            accounts.sign_in(&sign_in)
        });
        let prepared = checked.await.map_err(NotIn::Failed)?.map_err(|e| self.not_in(e, "sign-in"))?;
        let action = if prepared.uses_recovery_code() { RECOVER } else { "session.create" };
        let what = What { action, resource: prepared.id().to_string(), state: None };
        let accounts = Arc::clone(&self.node.accounts);
        let made = self.make(prepared.actor(), what, move |intent| {
            accounts.create_session(prepared, intent).map_err(account_refused)
        });
        made.await.map_err(NotIn::Failed)
    }

    /// Proves anew who is signed in; the session goes on under another token.
    ///
    /// # Errors
    /// Why not; recorded.
    pub async fn step_up(
        self: &Arc<Self>,
        who: Arc<SessionPrincipal>,
        with: Credentials,
    ) -> Result<Made<IssuedSession>, NotIn> {
        let accounts = Arc::clone(&self.node.accounts);
        let actor = who.actor;
        let checked = off_the_runtime(move || {
            accounts.step_up(&who, &with.password, with.code.as_deref(), with.address)
        });
        let prepared = checked.await.map_err(NotIn::Failed)?.map_err(|e| self.not_in(e, "step-up"))?;
        let action = if prepared.uses_recovery_code() { RECOVER } else { "session.rotate" };
        let what = What { action, resource: prepared.session().to_string(), state: None };
        let accounts = Arc::clone(&self.node.accounts);
        let made =
            self.make(actor, what, move |intent| accounts.rotate(&prepared, intent).map_err(account_refused));
        made.await.map_err(NotIn::Failed)
    }

    fn not_in(&self, error: SignInError, at: &'static str) -> NotIn {
        match error {
            SignInError::Refused { refusal, user } => {
                tracing::info!(at, reason = ?refusal, "somebody was not let in");
                let actor = user.map_or(ActorRef::Unauthenticated, |id| self.node.accounts.actor(id));
                let route = if at == "sign-in" { "POST /console/sign-in" } else { "step-up" };
                self.denied(actor, route, "identity.sign_in", 401);
                NotIn::Refused
            }
            SignInError::Busy => NotIn::Busy,
            SignInError::Failed(error) => NotIn::Failed(account_refused(error)),
            other => NotIn::Failed(could_not(other)),
        }
    }

    /// Ends a session or token.
    ///
    /// # Errors
    /// When there is no such session, or it could not be recorded.
    pub async fn end_session(
        self: &Arc<Self>,
        actor: ActorRef,
        session: SessionId,
    ) -> Result<Made<()>, Failure> {
        let what = What { action: "session.revoke", resource: session.to_string(), state: None };
        let accounts = Arc::clone(&self.node.accounts);
        let made = self.make(actor, what, move |intent| {
            accounts.revoke_session(session, intent).map_err(account_refused)
        });
        made.await
    }

    /// Makes the first administrator, with the code in the output of the server's start. From then on there is somebody,
    /// and no code holds.
    ///
    /// # Errors
    /// When the code does not hold, name or password cannot be used, or there is somebody already.
    pub async fn first_administrator(
        self: &Arc<Self>,
        code: String,
        name: String,
        password: Secret<String>,
    ) -> Result<Made<User>, Failure> {
        let accounts = Arc::clone(&self.node.accounts);
        let checked =
            off_the_runtime(move || accounts.prepare_first_administrator(&code, &name, &password)).await?;
        let prepared = checked.map_err(|e| {
            if matches!(e, AccountError::Setup(_)) {
                self.denied(ActorRef::Unauthenticated, "POST /console/setup", "identity.setup", 403);
            }
            account_refused(e)
        })?;
        let id = prepared.id();
        let what = What { action: "user.create", resource: id.to_string(), state: None };
        let actor = self.node.accounts.actor(id);
        let accounts = Arc::clone(&self.node.accounts);
        let made = self
            .make(actor, what, move |intent| accounts.create_user(prepared, intent).map_err(account_refused));
        made.await
    }

    /// Adds a person.
    ///
    /// # Errors
    /// When name or password cannot be used, or it could not be done.
    pub async fn create_user(
        self: &Arc<Self>,
        by: &Authorized,
        name: String,
        role: Role,
        password: Secret<String>,
    ) -> Result<Made<User>, Failure> {
        if role != Role::Administrator && self.node.accounts.is_empty() {
            // With somebody there the setup closes, and nobody else could be let in.
            return Err(Failure::usage(
                "the first user must be an administrator: nobody could add others else",
            )
            .at("role"));
        }
        let accounts = Arc::clone(&self.node.accounts);
        let prepared = off_the_runtime(move || accounts.prepare_user(&name, role, &password)).await?;
        let prepared = prepared.map_err(account_refused)?;
        let what = What { action: "user.create", resource: prepared.id().to_string(), state: None };
        let accounts = Arc::clone(&self.node.accounts);
        let made = self.make(by.actor(), what, move |intent| {
            accounts.create_user(prepared, intent).map_err(account_refused)
        });
        made.await
    }

    /// Changes a person.
    ///
    /// # Errors
    /// When there is no such person, nobody would be an enabled administrator any more, or it could not be done.
    pub async fn change_user(
        self: &Arc<Self>,
        by: &Authorized,
        user: UserId,
        change: UserChange,
    ) -> Result<Made<()>, Failure> {
        let what = What { action: change.action(), resource: user.to_string(), state: None };
        let accounts = Arc::clone(&self.node.accounts);
        let made = self.make(by.actor(), what, move |intent| {
            let made = match change {
                UserChange::Role(role) => accounts.set_role(user, role, intent).map(drop),
                UserChange::Disable => accounts.disable_user(user, intent).map(drop),
                UserChange::Enable => accounts.enable_user(user, intent).map(drop),
                UserChange::Remove => accounts.remove_user(user, intent),
                UserChange::EndSessions => accounts.revoke_sessions_of(user, intent),
                UserChange::RemoveTotp => accounts.remove_totp(user, intent).map(drop),
                UserChange::DeferTotp => accounts.defer_totp(user, true, intent).map(drop),
            };
            made.map_err(account_refused)
        });
        made.await
    }

    /// Lets whoever is signed in go without an authenticator app for now, by their own will.
    ///
    /// # Errors
    /// When it could not be done.
    pub async fn defer_own_totp(self: &Arc<Self>, who: &SessionPrincipal) -> Result<Made<()>, Failure> {
        let (user, accounts) = (who.user, Arc::clone(&self.node.accounts));
        let what = What { action: UserChange::DeferTotp.action(), resource: user.to_string(), state: None };
        let made = self.make(who.actor, what, move |intent| {
            accounts.defer_totp(user, true, intent).map_err(account_refused)
        });
        made.await.map(|made| made.map(drop))
    }

    /// Sets a person's password. Every session of theirs ends, but for `kept`, which goes on under another token.
    ///
    /// # Errors
    /// When the password cannot be used, or it could not be done.
    pub async fn set_password(
        self: &Arc<Self>,
        actor: ActorRef,
        user: UserId,
        password: Secret<String>,
        kept: Option<Arc<SessionPrincipal>>,
    ) -> Result<Made<Option<IssuedSession>>, Failure> {
        let accounts = Arc::clone(&self.node.accounts);
        let prepared: Result<PreparedPassword, AccountError> =
            off_the_runtime(move || accounts.prepare_password(user, &password)).await?;
        let prepared = prepared.map_err(account_refused)?;
        let what = What { action: "user.password", resource: user.to_string(), state: None };
        let accounts = Arc::clone(&self.node.accounts);
        let made = self.make(actor, what, move |intent| {
            accounts.set_password(prepared, kept.as_deref(), intent).map_err(account_refused)
        });
        made.await
    }

    /// Begins with an authenticator app: its secret and its address, shown once.
    ///
    /// # Errors
    /// When there is no such person.
    pub fn begin_totp(&self, user: UserId) -> Result<TotpSetup, Failure> {
        self.node.accounts.begin_totp(user, ISSUER).map_err(account_refused)
    }

    /// Puts the app in force whose code is given; the recovery codes are given out once.
    ///
    /// # Errors
    /// When the code is another one, or it could not be done.
    pub async fn confirm_totp(
        self: &Arc<Self>,
        actor: ActorRef,
        user: UserId,
        code: &str,
    ) -> Result<Made<Vec<Secret<String>>>, Failure> {
        let prepared = self.node.accounts.confirm_totp(user, code).map_err(account_refused)?;
        let what = What { action: "user.totp", resource: user.to_string(), state: None };
        let accounts = Arc::clone(&self.node.accounts);
        let made = self
            .make(actor, what, move |intent| accounts.enrol_totp(prepared, intent).map_err(account_refused));
        made.await
    }

    /// Makes an API token of somebody who is signed in; given out once.
    ///
    /// # Errors
    /// When it would do more than its maker, or cannot be made as asked for.
    pub async fn create_token(
        self: &Arc<Self>,
        maker: &SessionPrincipal,
        new: NewToken,
        user_agent: &str,
        address: IpAddr,
    ) -> Result<Made<IssuedSession>, Failure> {
        let accounts = Arc::clone(&self.node.accounts);
        let prepared = accounts.prepare_token(maker, new, user_agent, address).map_err(account_refused)?;
        let what = What { action: "token.create", resource: prepared.id().to_string(), state: None };
        let made = self.make(maker.actor, what, move |intent| {
            accounts.create_session(prepared, intent).map_err(account_refused)
        });
        made.await
    }
}

/// What is changed about a person.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum UserChange {
    /// Another role.
    Role(Role),
    /// Refused from now on.
    Disable,
    /// Let in again.
    Enable,
    /// Gone.
    Remove,
    /// Signed out everywhere, tokens included.
    EndSessions,
    /// Without an authenticator app.
    RemoveTotp,
    /// Let in without an authenticator app for now, visibly.
    DeferTotp,
}

impl UserChange {
    /// As the log names it.
    #[must_use]
    pub const fn action(self) -> &'static str {
        match self {
            UserChange::Role(_) => "user.role",
            UserChange::Disable => "user.disable",
            UserChange::Enable => "user.enable",
            UserChange::Remove => "user.remove",
            UserChange::EndSessions => "user.end_sessions",
            UserChange::RemoveTotp => "user.totp_remove",
            UserChange::DeferTotp => "user.totp_defer",
        }
    }
}

/// A change of people that was refused: by its words alone, or by what is there.
pub(crate) fn account_refused(error: AccountError) -> Failure {
    use AccountError as E;
    let usage = |error: &AccountError| Failure::usage(chain(error));
    match error {
        E::Name { .. } | E::TokenName { .. } => usage(&error).at("name"),
        E::Password(_) => usage(&error).at("password"),
        E::Setup(_) => usage(&error).at("setup_code"),
        E::WrongCode | E::NoEnrolment => usage(&error).at("code"),
        E::Expiry => usage(&error).at("days"),
        E::MoreThanMaker { .. } => usage(&error).at("role"),
        E::NoUser { .. } => Failure::not_found(chain(&error)),
        E::Store(StoreError::Duplicate { .. }) => could_not(error).at("name"),
        _ => could_not(error),
    }
}
