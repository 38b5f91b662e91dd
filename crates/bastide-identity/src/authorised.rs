//! That somebody may do something, as a value.

use std::fmt;

use bastide_types::{ActorRef, Fault, Permission, Problem, Retry, SessionId, UserId};

use crate::account_error::SessionError;
use crate::session::SessionPrincipal;

/// Somebody may do something now. Only [`Accounts::authorise`](crate::Accounts::authorise) makes one of a person; the
/// operator on the machine needs none, who could read and replace every file.
#[derive(Clone, Debug)]
pub struct Authorized {
    /// `None` is all of them.
    permission: Option<Permission>,
    actor: ActorRef,
    person: Option<(UserId, SessionId)>,
}

impl Authorized {
    pub(crate) fn new(principal: &SessionPrincipal, permission: Permission) -> Result<Self, Denied> {
        if !principal.may(permission) {
            return Err(Denied { permission });
        }
        Ok(Authorized {
            permission: Some(permission),
            actor: principal.actor,
            person: Some((principal.user, principal.session)),
        })
    }

    /// The operator on this machine, known by the operating system's user id: for the control socket and nothing else.
    #[must_use]
    pub const fn local_operator(uid: u32) -> Self {
        Authorized { permission: None, actor: ActorRef::LocalOperator { uid }, person: None }
    }

    /// Whether this is the permission that was given.
    #[must_use]
    pub fn covers(&self, permission: Permission) -> bool {
        self.permission.is_none_or(|given| given == permission)
    }

    /// The permission that was given; `None` is all of them.
    #[must_use]
    pub const fn permission(&self) -> Option<Permission> {
        self.permission
    }

    /// As the log names them.
    #[must_use]
    pub const fn actor(&self) -> ActorRef {
        self.actor
    }

    /// The person; `None` is the operator on this machine.
    #[must_use]
    pub fn user(&self) -> Option<UserId> {
        self.person.map(|(user, _)| user)
    }

    /// The person's session.
    #[must_use]
    pub fn session(&self) -> Option<SessionId> {
        self.person.map(|(_, session)| session)
    }
}

/// A permission that somebody lacks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Denied {
    /// Which.
    pub permission: Permission,
}

impl fmt::Display for Denied {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let roles: Vec<_> = self.permission.roles().iter().map(|r| format!("`{r}`")).collect();
        write!(
            f,
            "this needs the permission `{}`, which the role {} has; ask an administrator",
            self.permission,
            roles.join(" or ")
        )
    }
}

impl std::error::Error for Denied {}

/// Why somebody may not do something.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AuthoriseError {
    /// The session does not hold any more.
    #[error(transparent)]
    Session(#[from] SessionError),
    /// They lack the permission.
    #[error(transparent)]
    Denied(#[from] Denied),
}

impl AuthoriseError {
    /// As the caller sees it.
    #[must_use]
    pub fn to_problem(&self) -> Problem {
        match self {
            AuthoriseError::Session(e) => e.to_problem(),
            AuthoriseError::Denied(denied) => {
                Problem::new("identity.forbidden", 403, Fault::Client, Retry::Never, denied.to_string())
            }
        }
    }
}
