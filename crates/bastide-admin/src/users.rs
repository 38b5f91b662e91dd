//! People as requests name them: for the command line, which has no session, and for the management API.

use bastide_identity::{Authorized, SessionCarrier, User};
use bastide_types::{Role, Secret, UserId};
use serde_json::{Value, json};

use crate::admin::{Admin, no_such};
use crate::failure::{Failure, could_not};
use crate::people::UserChange;
use crate::request::Request;
use crate::time::show_time;

impl Admin {
    /// All people, oldest first.
    ///
    /// # Errors
    /// When the records cannot be read.
    pub fn users(&self) -> Result<Vec<User>, Failure> {
        self.node.accounts.users().map_err(could_not)
    }

    /// The person with this id, or with this name.
    ///
    /// # Errors
    /// When there is none.
    pub fn user_named(&self, given: &str) -> Result<User, Failure> {
        let (id, name) = (given.parse::<UserId>().ok(), given.trim().to_ascii_lowercase());
        let mut users = self.users()?.into_iter();
        users.find(|user| Some(user.id) == id || user.name == name).ok_or_else(|| no_such("user", given))
    }

    /// A request about people; `None`: it is about something else, and comes back.
    pub(crate) async fn ask_of_people(
        self: &std::sync::Arc<Self>,
        by: &Authorized,
        request: Request,
    ) -> Result<Result<Value, Failure>, Request> {
        let (given, change) = match request {
            Request::UserList => return Ok(self.show_users()),
            Request::UserCreate { name, role, password } => {
                let password = Secret::new(password.0);
                return Ok(self.user_create(by, name, &role, password).await);
            }
            Request::UserPassword { user, password } => {
                let password = Secret::new(password.0);
                return Ok(self.user_password(by, &user, password).await);
            }
            Request::UserRole { user, role } => match role.parse::<Role>() {
                Ok(role) => (user, UserChange::Role(role)),
                Err(error) => return Ok(Err(Failure::usage(error.to_string()))),
            },
            Request::UserDisable { user } => (user, UserChange::Disable),
            Request::UserEnable { user } => (user, UserChange::Enable),
            Request::UserTotpRemove { user } => (user, UserChange::RemoveTotp),
            Request::UserRemove { user } => (user, UserChange::Remove),
            other => return Err(other),
        };
        Ok(self.user_change(by, &given, change).await)
    }

    fn show_users(&self) -> Result<Value, Failure> {
        Ok(self.users()?.iter().map(|user| self.show_user(user)).collect())
    }

    async fn user_create(
        self: &std::sync::Arc<Self>,
        by: &Authorized,
        name: String,
        role: &str,
        password: Secret<String>,
    ) -> Result<Value, Failure> {
        let role: Role =
            role.parse().map_err(|e: bastide_types::ParseRoleError| Failure::usage(e.to_string()))?;
        let made = self.create_user(by, name, role, password).await?;
        let mut shown = self.show_user(&made.given);
        shown["warnings"] = Value::from(made.warnings);
        Ok(shown)
    }

    async fn user_password(
        self: &std::sync::Arc<Self>,
        by: &Authorized,
        given: &str,
        password: Secret<String>,
    ) -> Result<Value, Failure> {
        let user = self.user_named(given)?;
        let made = self.set_password(by.actor(), user.id, password, None).await?;
        self.show_changed(user.id, made.warnings)
    }

    async fn user_change(
        self: &std::sync::Arc<Self>,
        by: &Authorized,
        given: &str,
        change: UserChange,
    ) -> Result<Value, Failure> {
        let user = self.user_named(given)?;
        if change == UserChange::RemoveTotp && !user.second_factor {
            return Err(Failure::could_not(format!("`{}` has no authenticator app", user.name)));
        }
        let warnings = self.change_user(by, user.id, change).await?.warnings;
        if change == UserChange::Remove {
            let id = user.id.to_string();
            return Ok(json!({"id": id, "name": user.name, "removed": true, "warnings": warnings}));
        }
        self.show_changed(user.id, warnings)
    }

    fn show_changed(&self, user: UserId, warnings: Vec<String>) -> Result<Value, Failure> {
        let mut shown = self.show_user(&self.user_named(&user.to_string())?);
        shown["warnings"] = Value::from(warnings);
        Ok(shown)
    }

    fn show_user(&self, user: &User) -> Value {
        let sessions = self.node.accounts.sessions_of(user.id);
        let browsers = sessions.iter().filter(|s| s.carrier == SessionCarrier::Browser).count();
        let seen = sessions.iter().map(|session| session.seen_at()).max();
        json!({
            "id": user.id.to_string(),
            "name": user.name,
            "role": user.role.as_str(),
            "state": if user.disabled_at.is_some() { "disabled" } else { "enabled" },
            "second_factor": second_factor(user),
            "sessions": browsers,
            "tokens": sessions.len() - browsers,
            "last_seen": seen.map(show_time),
            "created": show_time(user.created_at),
            "password_set": show_time(user.password_set_at),
            "disabled": user.disabled_at.map(show_time),
        })
    }
}

/// How somebody stands with the second factor, in a word.
fn second_factor(user: &User) -> &'static str {
    match (user.second_factor, user.second_factor_deferred) {
        (true, _) => "app",
        (false, true) => "deferred",
        (false, false) => "none",
    }
}
