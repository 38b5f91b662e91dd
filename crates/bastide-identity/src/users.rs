//! Making and changing people.

use std::sync::PoisonError;

use bastide_store::{NewUserRow, StoreError, UserRow};
use bastide_types::{Role, Secret, Timestamp, UserId};

use crate::account_error::AccountError;
use crate::accounts::{Accounts, Person};
use crate::passwords;
use crate::session::{IssuedSession, SessionPrincipal};
use crate::setup::{SetupCode, SetupError};
use crate::text;

/// A person, as others see them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct User {
    /// The stable id.
    pub id: UserId,
    /// What they sign in with.
    pub name: String,
    /// What they are.
    pub role: Role,
    /// Whether they have an authenticator app.
    pub second_factor: bool,
    /// Whether they were let in without one for now.
    pub second_factor_deferred: bool,
    /// When they were added.
    pub created_at: Timestamp,
    /// When their password was set.
    pub password_set_at: Timestamp,
    /// Since when they are refused.
    pub disabled_at: Option<Timestamp>,
}

impl From<UserRow> for User {
    fn from(row: UserRow) -> Self {
        User {
            id: row.id,
            name: row.name,
            role: row.role,
            second_factor: row.totp.is_some(),
            second_factor_deferred: row.totp_deferred,
            created_at: row.created_at,
            password_set_at: row.password_set_at,
            disabled_at: row.disabled_at,
        }
    }
}

/// A person who was checked but is not there yet: the id can be announced in the log first. Has no `Debug`.
pub struct PreparedUser {
    id: UserId,
    name: String,
    role: Role,
    password: String,
    first: bool,
}

impl PreparedUser {
    /// The id they will have.
    #[must_use]
    pub fn id(&self) -> UserId {
        self.id
    }
}

/// A password that was checked and hashed but is not in force. Has no `Debug`.
pub struct PreparedPassword {
    user: UserId,
    password: String,
    generation: u64,
}

impl PreparedPassword {
    /// Whose it will be.
    #[must_use]
    pub fn user(&self) -> UserId {
        self.user
    }
}

/// A name as it is kept: what people type for it may be in upper case.
pub(crate) fn normalise(name: &str) -> String {
    name.trim().to_ascii_lowercase()
}

/// Names are short and plain: they stand in tables, logs and URLs of authenticator apps, and none passes for another.
fn check_name(name: &str) -> Result<String, AccountError> {
    let invalid = |detail| {
        let shown = name.chars().filter(|c| !c.is_control()).take(64).collect();
        Err(AccountError::Name { name: shown, detail })
    };
    let kept = normalise(name);
    if !(1..=64).contains(&kept.len()) {
        return invalid("give it 1 to 64 characters");
    }
    if !kept.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_.@+".contains(&b)) {
        return invalid(
            "only letters without accents, digits and `-_.@+` are allowed; an e-mail address will do",
        );
    }
    if !kept.starts_with(|c: char| c.is_ascii_alphanumeric()) {
        return invalid("it must begin with a letter or digit");
    }
    Ok(kept)
}

impl Accounts {
    /// A setup code, if there is nobody yet; one made before is dead. To be shown at start, once.
    #[must_use]
    pub fn new_setup_code(&self) -> Option<Secret<String>> {
        if !self.is_empty() {
            return None;
        }
        let (code, shown) = SetupCode::new(&*self.random, self.time.monotonic());
        *self.setup.lock().unwrap_or_else(PoisonError::into_inner) = Some(code);
        Some(shown)
    }

    fn check_setup_code(&self, typed: &str) -> Result<(), SetupError> {
        let setup = self.setup.lock().unwrap_or_else(PoisonError::into_inner);
        let code = setup.as_ref().filter(|_| self.is_empty()).ok_or(SetupError::None)?;
        code.check(typed, self.time.monotonic())
    }

    /// Checks the first administrator, who proves with the setup code to be whoever started the server. Blocks while
    /// the password is hashed.
    ///
    /// # Errors
    /// When the code is not accepted; else as [`Accounts::prepare_user`].
    pub fn prepare_first_administrator(
        &self,
        code: &str,
        name: &str,
        password: &Secret<String>,
    ) -> Result<PreparedUser, AccountError> {
        self.check_setup_code(code)?;
        let prepared = self.prepare_user(name, Role::Administrator, password)?;
        Ok(PreparedUser { first: true, ..prepared })
    }

    /// Checks a person to be. Blocks while the password is hashed.
    ///
    /// # Errors
    /// When the name or the password cannot be used, or too many passwords are being hashed.
    pub fn prepare_user(
        &self,
        name: &str,
        role: Role,
        password: &Secret<String>,
    ) -> Result<PreparedUser, AccountError> {
        let name = check_name(name)?;
        passwords::check(password, &name)?;
        if self.person_named(&name).is_some() {
            return Err(AccountError::Store(StoreError::Duplicate { what: "user", name }));
        }
        let password = self.hashing.hash(password, &*self.random)?;
        Ok(PreparedUser { id: UserId::from_bytes(self.random.bytes()), name, role, password, first: false })
    }

    /// Adds a prepared person. The setup code, if there was one, is dead.
    ///
    /// # Errors
    /// When the name was taken meanwhile, somebody else was first, or the database fails.
    pub fn create_user(&self, prepared: PreparedUser, intent_index: u64) -> Result<User, AccountError> {
        let PreparedUser { id, name, role, password, first } = prepared;
        let new = NewUserRow { id, name: &name, role, password: &password, first };
        let row = self.store.add_user(&new, self.now(), intent_index)?;
        self.insert_person(&row);
        *self.setup.lock().unwrap_or_else(PoisonError::into_inner) = None;
        Ok(row.into())
    }

    /// Gives a person another role, in force for all their sessions when this returns.
    ///
    /// # Errors
    /// When there is no such person, nobody would be an enabled administrator any more, or the database fails.
    pub fn set_role(&self, user: UserId, role: Role, intent_index: u64) -> Result<User, AccountError> {
        let person = self.person(user)?;
        let row = self.store.set_user_role(user, role, intent_index)?;
        person.owner.set_role(role);
        Ok(row.into())
    }

    /// Refuses a person and ends their sessions and tokens, in force when this returns, and before it is recorded: a full disk does not keep them in.
    ///
    /// # Errors
    /// As [`Accounts::set_role`]; or it could not be recorded.
    pub fn disable_user(&self, user: UserId, intent_index: u64) -> Result<User, AccountError> {
        let person = self.person(user)?;
        let row = self.refusing(&person, || self.store.disable_user(user, self.now(), intent_index))?;
        Ok(row.into())
    }

    /// Lets a person in again. The sessions and tokens they had stay dead.
    ///
    /// # Errors
    /// When there is no such person, or the database fails.
    pub fn enable_user(&self, user: UserId, intent_index: u64) -> Result<User, AccountError> {
        let person = self.person(user)?;
        let row = self.store.enable_user(user, intent_index)?;
        person.owner.set_disabled(false);
        Ok(row.into())
    }

    /// Removes a person and all their sessions. Their name is free again.
    ///
    /// # Errors
    /// As [`Accounts::disable_user`].
    pub fn remove_user(&self, user: UserId, intent_index: u64) -> Result<(), AccountError> {
        let person = self.person(user)?;
        self.refusing(&person, || self.store.remove_user(user, self.now(), intent_index))?;
        self.remove_person(&person);
        Ok(())
    }

    fn refusing<T>(
        &self,
        person: &Person,
        record: impl FnOnce() -> Result<T, StoreError>,
    ) -> Result<T, AccountError> {
        let before = person.owner.is_disabled();
        person.owner.set_disabled(true);
        person.overtake();
        let recorded = record();
        if let Err(StoreError::LastAdministrator | StoreError::Unknown { .. }) = &recorded {
            // Refused, not failed: nothing of it is in force.
            person.owner.set_disabled(before);
            return recorded.map_err(AccountError::Store);
        }
        self.end_sessions(|s| s.user == person.id);
        recorded.map_err(|source| AccountError::Unrecorded { what: "the user is refused", source })
    }

    /// Checks and hashes a password to be. Blocks while it is hashed. Whoever changes their own proves first who they
    /// are: [`Accounts::step_up`](crate::Accounts::step_up).
    ///
    /// # Errors
    /// When there is no such person, the password cannot be used, or too many are being hashed.
    pub fn prepare_password(
        &self,
        user: UserId,
        password: &Secret<String>,
    ) -> Result<PreparedPassword, AccountError> {
        let person = self.person(user)?;
        let generation = person.credentials().generation;
        passwords::check(password, &person.name)?;
        let password = self.hashing.hash(password, &*self.random)?;
        Ok(PreparedPassword { user, password, generation })
    }

    /// Puts a prepared password in force. Every session and token of the person ends, but for `kept`, which goes on
    /// under the token that is given out.
    ///
    /// # Errors
    /// When the person changed meanwhile, `kept` is not theirs or does not hold, or the database fails.
    pub fn set_password(
        &self,
        prepared: PreparedPassword,
        kept: Option<&SessionPrincipal>,
        intent_index: u64,
    ) -> Result<Option<IssuedSession>, AccountError> {
        let PreparedPassword { user, password, generation } = prepared;
        let person = self.person(user)?;
        if person.credentials().generation != generation || kept.is_some_and(|k| k.user != user) {
            return Err(AccountError::Overtaken);
        }
        let successor = match kept {
            Some(kept) => {
                self.check(kept)?;
                let token = text::generate(prefix(kept), &*self.random);
                Some((kept.session, token))
            }
            None => None,
        };
        let rotated = successor.as_ref().map(|(id, token)| (*id, self.hash(token.expose())));
        let row = self.store.set_user_password(user, &password, rotated, self.now(), intent_index)?;
        {
            let mut credentials = person.credentials();
            credentials.password = password;
            credentials.generation += 1;
        }
        self.end_sessions(|s| s.user == user);
        let session = row.and_then(|row| self.insert_session(row));
        Ok(session.zip(successor).map(|(session, (_, token))| IssuedSession { session, token }))
    }

    /// All people, oldest first.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub fn users(&self) -> Result<Vec<User>, AccountError> {
        Ok(self.store.users()?.into_iter().map(User::from).collect())
    }
}

/// What the token of a session begins with.
pub(crate) fn prefix(session: &SessionPrincipal) -> &'static str {
    match session.carrier {
        bastide_store::SessionCarrier::Browser => text::COOKIE_PREFIX,
        bastide_store::SessionCarrier::Token { .. } => text::TOKEN_PREFIX,
    }
}
