//! Authenticator apps of people, and the codes for when one is lost.

use std::sync::PoisonError;
use std::time::Duration;

use bastide_crypto::{open, seal};
use bastide_types::{Secret, UserId};
use zeroize::Zeroizing;

use crate::account_error::{AccountError, Refusal, SignInError};
use crate::accounts::{Accounts, Person};
use crate::recovery;
use crate::totp::{self, SECRET_BYTES};
use crate::users::User;

/// How long an app may take to be confirmed.
const ENROLMENT_LIFETIME: Duration = Duration::from_secs(10 * 60);
const NONCE_BYTES: usize = 12;

/// An app that waits to be confirmed. Has no `Debug`.
pub(crate) struct Enrolment {
    secret: Zeroizing<[u8; SECRET_BYTES]>,
    begun_at: Duration,
}

/// A recovery code that was there when it was looked at, by its keyed hash.
#[derive(Clone, Copy, Debug)]
pub(crate) struct RecoveryCode(pub(crate) [u8; 32]);

/// A code as typed: apps show it in two groups.
fn digits(code: &str) -> String {
    code.chars().filter(|c| *c != ' ').take(8).collect()
}

/// What an authenticator app needs, to be shown once.
#[derive(Debug)]
pub struct TotpSetup {
    /// To be typed: base32.
    pub secret: Secret<String>,
    /// To be shown as a QR code: `otpauth://totp/...`.
    pub uri: Secret<String>,
}

/// How somebody stands with the second factor.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SecondFactor {
    /// They have an authenticator app.
    There,
    /// They have none, and were let in without one for now.
    Deferred,
    /// They have none.
    Missing,
}

/// An app that showed the right code but is not in force. Has no `Debug`.
pub struct PreparedTotp {
    user: UserId,
    sealed: Vec<u8>,
    step: u64,
}

impl PreparedTotp {
    /// Whose it will be.
    #[must_use]
    pub fn user(&self) -> UserId {
        self.user
    }
}

impl Accounts {
    /// Begins with an authenticator app; one begun before is forgotten. `issuer` is what the app calls this
    /// installation.
    ///
    /// # Errors
    /// When there is no such person.
    pub fn begin_totp(&self, user: UserId, issuer: &str) -> Result<TotpSetup, AccountError> {
        let person = self.person(user)?;
        let secret = Zeroizing::new(self.random.bytes::<SECRET_BYTES>());
        let shown = totp::base32(&secret);
        let uri = totp::uri(shown.expose(), issuer, &person.name);
        let now = self.time.monotonic();
        let mut waiting = self.enrolments.lock().unwrap_or_else(PoisonError::into_inner);
        waiting.retain(|_, e| now.saturating_sub(e.begun_at) < ENROLMENT_LIFETIME);
        waiting.insert(user, Enrolment { secret, begun_at: now });
        Ok(TotpSetup { secret: shown, uri })
    }

    /// Checks the code that the app shows.
    ///
    /// # Errors
    /// When nothing was begun in the last ten minutes, or the code is another one.
    pub fn confirm_totp(&self, user: UserId, code: &str) -> Result<PreparedTotp, AccountError> {
        let now = self.time.monotonic();
        let waiting = self.enrolments.lock().unwrap_or_else(PoisonError::into_inner);
        let enrolment = waiting
            .get(&user)
            .filter(|e| now.saturating_sub(e.begun_at) < ENROLMENT_LIFETIME)
            .ok_or(AccountError::NoEnrolment)?;
        let step = totp::matching_step(&enrolment.secret[..], &digits(code), self.time.civil(), 0)
            .ok_or(AccountError::WrongCode)?;
        let nonce = self.random.bytes::<NONCE_BYTES>();
        let mut sealed = nonce.to_vec();
        sealed.extend(seal(&self.sealing, nonce, user.as_bytes(), &enrolment.secret[..]));
        Ok(PreparedTotp { user, sealed, step })
    }

    /// Puts a confirmed app in force and gives ten recovery codes out, once. From now on the person needs it to sign in.
    ///
    /// # Errors
    /// When there is no such person, or the database fails.
    pub fn enrol_totp(
        &self,
        prepared: PreparedTotp,
        intent_index: u64,
    ) -> Result<Vec<Secret<String>>, AccountError> {
        let PreparedTotp { user, sealed, step } = prepared;
        let person = self.person(user)?;
        let (codes, hashes) = self.fresh_recovery_codes(user);
        let row = self.store.set_user_totp(user, &sealed, step, &hashes, intent_index)?;
        {
            let mut credentials = person.credentials();
            (credentials.totp, credentials.last_step) = (row.totp, row.totp_last_step);
            credentials.totp_deferred = row.totp_deferred;
            credentials.generation += 1;
        }
        self.enrolments.lock().unwrap_or_else(PoisonError::into_inner).remove(&user);
        Ok(codes)
    }

    /// Takes a person's app and recovery codes away: a lost device, by an administrator.
    ///
    /// # Errors
    /// When there is no such person, or the database fails.
    pub fn remove_totp(&self, user: UserId, intent_index: u64) -> Result<User, AccountError> {
        let person = self.person(user)?;
        let row = self.store.remove_user_totp(user, intent_index)?;
        {
            let mut credentials = person.credentials();
            (credentials.totp, credentials.totp_deferred) = (None, row.totp_deferred);
            credentials.generation += 1;
        }
        Ok(row.into())
    }

    /// Notes whether a person is let in without an app for now.
    ///
    /// # Errors
    /// When there is no such person, or the database fails.
    pub fn defer_totp(&self, user: UserId, deferred: bool, intent_index: u64) -> Result<User, AccountError> {
        let person = self.person(user)?;
        let row = self.store.set_user_totp_deferred(user, deferred, intent_index)?;
        person.credentials().totp_deferred = row.totp_deferred;
        Ok(row.into())
    }

    /// How a person stands with the second factor, without asking the database.
    ///
    /// # Errors
    /// When there is no such person.
    pub fn second_factor(&self, user: UserId) -> Result<SecondFactor, AccountError> {
        let person = self.person(user)?;
        let credentials = person.credentials();
        Ok(match (&credentials.totp, credentials.totp_deferred) {
            (Some(_), _) => SecondFactor::There,
            (None, true) => SecondFactor::Deferred,
            (None, false) => SecondFactor::Missing,
        })
    }

    /// Gives ten new recovery codes out, once; those before are dead.
    ///
    /// # Errors
    /// When there is no such person, they have no app, or the database fails.
    pub fn renew_recovery_codes(
        &self,
        user: UserId,
        intent_index: u64,
    ) -> Result<Vec<Secret<String>>, AccountError> {
        if self.person(user)?.credentials().totp.is_none() {
            return Err(AccountError::NoSecondFactor);
        }
        let (codes, hashes) = self.fresh_recovery_codes(user);
        self.store.set_recovery_codes(user, &hashes, intent_index)?;
        Ok(codes)
    }

    /// How many recovery codes a person has left.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub fn recovery_codes_left(&self, user: UserId) -> Result<u64, AccountError> {
        Ok(self.store.recovery_codes_left(user)?)
    }

    fn fresh_recovery_codes(&self, user: UserId) -> (Vec<Secret<String>>, Vec<[u8; 32]>) {
        let codes = recovery::generate(&*self.random);
        let hashes =
            codes.iter().filter_map(|c| recovery::lookup(&self.recovery, user, c.expose())).collect();
        (codes, hashes)
    }

    /// Checks a code of the app, and uses it up; or a recovery code, which is given back: it is used up together with what
    /// it is given for, and not lost when that cannot be done. Who has no app needs none.
    pub(crate) fn check_code(
        &self,
        person: &Person,
        code: Option<&str>,
    ) -> Result<Option<RecoveryCode>, SignInError> {
        let refused = |refusal| Err(SignInError::Refused { refusal, user: Some(person.id) });
        let (sealed, last_step) = {
            let credentials = person.credentials();
            let Some(sealed) = credentials.totp.clone() else { return Ok(None) };
            (sealed, credentials.last_step)
        };
        let Some(code) = code.map(str::trim).filter(|c| !c.is_empty()) else {
            return refused(Refusal::CodeMissing);
        };
        if let Some(lookup) = recovery::lookup(&self.recovery, person.id, code) {
            return match self.store.has_recovery_code(person.id, lookup)? {
                true => Ok(Some(RecoveryCode(lookup))),
                false => refused(Refusal::WrongCode),
            };
        }
        let secret = self.open_secret(person.id, &sealed).ok_or(SignInError::Failed(AccountError::Sealed))?;
        let Some(step) = totp::matching_step(&secret, &digits(code), self.time.civil(), last_step) else {
            return refused(Refusal::WrongCode);
        };
        // The database decides between two who come with the same code.
        if !self.store.use_totp_step(person.id, step)? {
            return refused(Refusal::WrongCode);
        }
        let mut credentials = person.credentials();
        credentials.last_step = credentials.last_step.max(step);
        Ok(None)
    }

    fn open_secret(&self, user: UserId, sealed: &[u8]) -> Option<Zeroizing<Vec<u8>>> {
        let (nonce, sealed) = sealed.split_first_chunk::<NONCE_BYTES>()?;
        open(&self.sealing, *nonce, user.as_bytes(), sealed).ok().map(Zeroizing::new)
    }
}
