//! Signing in: who says who they are, and proves it.
//!
//! The caller is told the same whatever was wrong, and it takes as long whether the name is anybody's or not. Only a
//! lock is quicker, which names that nobody has get as well.

use std::net::IpAddr;

use bastide_crypto::password_needs_rehash;
use bastide_store::SessionCarrier;
use bastide_types::Secret;

use crate::account_error::{Refusal, SignInError};
use crate::accounts::{Accounts, Person};
use crate::session::SessionPrincipal;
use crate::sessions::{PreparedRotation, PreparedSession, Proved};
use crate::throttle::{AccountHash, Attempt, Locked, Throttle};
use crate::users::normalise;

/// What somebody presents who wants to sign in.
#[derive(Clone, Copy, Debug)]
pub struct SignIn<'a> {
    /// The name, as typed.
    pub name: &'a str,
    /// The password.
    pub password: &'a Secret<String>,
    /// The code of the authenticator app or a recovery code, if one was typed.
    pub code: Option<&'a str>,
    /// Where from.
    pub address: IpAddr,
    /// What the browser calls itself.
    pub user_agent: &'a str,
}

impl Accounts {
    /// Checks name, password and code. Blocks while the password is hashed. What it gives becomes a session with
    /// [`Accounts::create_session`](crate::Accounts::create_session).
    ///
    /// # Errors
    /// When they are not those of somebody who may come in, too many are signing in, or the database fails.
    pub fn sign_in(&self, with: &SignIn<'_>) -> Result<PreparedSession, SignInError> {
        let name = normalise(with.name);
        let person = self.person_named(&name);
        let attempt =
            || self.throttle.admit(self.account(name.as_bytes()), with.address, self.time.monotonic());
        let proved = self.prove(&self.throttle, attempt, person.as_deref(), with.password, with.code)?;
        let Some(person) = person else {
            return Err(SignInError::Refused { refusal: Refusal::UnknownUser, user: None });
        };
        Ok(self.prepare_session((person.id, person.actor), proved, with.user_agent, with.address))
    }

    /// Checks password and code of somebody who is signed in, before something that matters. Blocks while the password
    /// is hashed. What it gives renews the session with [`Accounts::rotate`](crate::Accounts::rotate).
    ///
    /// # Errors
    /// As [`Accounts::sign_in`]; or the session is an API token or does not hold.
    pub fn step_up(
        &self,
        principal: &SessionPrincipal,
        password: &Secret<String>,
        code: Option<&str>,
        address: IpAddr,
    ) -> Result<PreparedRotation, SignInError> {
        let failed = SignInError::Failed;
        self.check(principal).map_err(|e| failed(e.into()))?;
        if principal.carrier != SessionCarrier::Browser {
            return Err(failed(crate::AccountError::NeedsBrowser));
        }
        let person = self.person(principal.user).map_err(failed)?;
        // By session and apart from the form for signing in: who is signed in is not kept from going on by strangers who
        // try their name there, and who has stolen one session does not lock the others.
        let session = self.account(principal.session.as_bytes());
        let attempt = || self.step_ups.admit(session, address, self.time.monotonic());
        let proved = self.prove(&self.step_ups, attempt, Some(&person), password, code)?;
        Ok(PreparedRotation { session: principal.session, user: person.id, proved })
    }

    /// Compares what was presented, if the throttle lets the attempt through, and tells it what came of it.
    fn prove(
        &self,
        throttle: &Throttle,
        attempt: impl FnOnce() -> Result<Attempt, Locked>,
        person: Option<&Person>,
        password: &Secret<String>,
        code: Option<&str>,
    ) -> Result<Proved, SignInError> {
        let user = person.map(|p| p.id);
        let attempt = attempt().map_err(|locked| {
            let refusal = match locked {
                Locked::Account => Refusal::AccountLocked,
                Locked::Address => Refusal::AddressLocked,
            };
            SignInError::Refused { refusal, user }
        })?;
        let proved = self.compare(person, password, code);
        match &proved {
            Ok(_) => throttle.succeeded(&attempt),
            Err(SignInError::Refused { .. }) => {}
            Err(SignInError::Busy | SignInError::Failed(_)) => throttle.withdrawn(&attempt),
        }
        proved
    }

    fn compare(
        &self,
        person: Option<&Person>,
        password: &Secret<String>,
        code: Option<&str>,
    ) -> Result<Proved, SignInError> {
        let refused = |refusal| Err(SignInError::Refused { refusal, user: person.map(|p| p.id) });
        let credentials = person.map(|p| p.credentials().clone());
        let stored = credentials.as_ref().map_or(&self.unmatched, |c| &c.password);
        let right = self.hashing.verify(password, stored)?;
        let (Some(person), Some(credentials)) = (person, credentials) else {
            return refused(Refusal::UnknownUser);
        };
        if !right {
            return refused(Refusal::WrongPassword);
        }
        if person.owner.is_disabled() {
            return refused(Refusal::Disabled);
        }
        let recovery = self.check_code(person, code)?;
        if password_needs_rehash(&credentials.password) {
            self.rehash(person, password, &credentials.password)?;
        }
        Ok(Proved { generation: credentials.generation, recovery })
    }

    fn rehash(&self, person: &Person, password: &Secret<String>, before: &str) -> Result<(), SignInError> {
        let after = self.hashing.hash(password, &*self.random)?;
        self.store.rehash_password(person.id, before, &after)?;
        let mut credentials = person.credentials();
        if credentials.password == before {
            credentials.password = after;
        }
        Ok(())
    }

    /// Under which the failures of a name are counted, whether anybody has it or not, and those of a session.
    fn account(&self, name: &[u8]) -> AccountHash {
        let mut out = [0; 16];
        for (to, from) in out.iter_mut().zip(self.names.sign(&[name])) {
            *to = from;
        }
        out
    }
}
