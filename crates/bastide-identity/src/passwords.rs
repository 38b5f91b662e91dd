//! What may be a password, and the few places in which one is hashed at a time.
//!
//! Hashing is made to be expensive, so whoever may ask for it without being known can use up the machine with it: at
//! most two run, a few wait, the rest is told to come back.

use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};

use bastide_crypto::{PasswordError, Random, hash_password, verify_password};
use bastide_types::Secret;

/// Bytes of a password: short ones are guessed offline, and nobody types more.
const MIN_BYTES: usize = 12;
const MAX_BYTES: usize = 1024;
/// The commonest of those that are long enough, one a line, in lower case.
const COMMON: &str = include_str!("common_passwords.txt");

/// Hashings at the same time: 19 MiB and some tens of milliseconds of a processor each.
const RUNNING: usize = 2;
/// Callers that wait for their turn: under a second of work.
const WAITING: usize = 16;

/// Why something cannot be a password.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum PasswordRule {
    /// Too short.
    #[error("the password is too short; take at least 12 characters, a few words are best")]
    TooShort,
    /// Too long.
    #[error("the password is too long; take at most 1024 bytes")]
    TooLong,
    /// The user's name.
    #[error("the password is the user's name; take another one")]
    Name,
    /// Among the first that anybody tries.
    #[error("the password is on the list of the commonest passwords; take another one")]
    Common,
}

/// Checks a password to be.
pub(crate) fn check(password: &Secret<String>, user: &str) -> Result<(), PasswordRule> {
    let password = password.expose();
    if password.len() < MIN_BYTES {
        return Err(PasswordRule::TooShort);
    }
    if password.len() > MAX_BYTES {
        return Err(PasswordRule::TooLong);
    }
    if password.trim().eq_ignore_ascii_case(user) {
        return Err(PasswordRule::Name);
    }
    if COMMON.lines().any(|common| common.eq_ignore_ascii_case(password)) {
        return Err(PasswordRule::Common);
    }
    Ok(())
}

/// Why a password was not hashed.
#[derive(Debug, thiserror::Error)]
pub(crate) enum HashingError {
    /// Enough are waiting.
    #[error("too many passwords are being checked at the same time")]
    Busy,
    /// The stored hash is damaged, or there is no memory.
    #[error(transparent)]
    Password(#[from] PasswordError),
}

#[derive(Default)]
struct Turns {
    running: usize,
    waiting: usize,
}

/// Hashes passwords, a few at a time. Its methods block: they are for threads that may.
#[derive(Default)]
pub(crate) struct Hashing {
    turns: Mutex<Turns>,
    freed: Condvar,
}

/// The right to hash; dropped, it goes to the next.
struct Turn<'a>(&'a Hashing);

impl Hashing {
    pub(crate) fn hash(
        &self,
        password: &Secret<String>,
        random: &dyn Random,
    ) -> Result<String, HashingError> {
        let _turn = self.turn()?;
        Ok(hash_password(password.expose().as_bytes(), random.bytes())?)
    }

    /// Longer passwords than anybody can have are compared as if they were empty: that costs the same, and hashing
    /// them would cost more.
    pub(crate) fn verify(&self, password: &Secret<String>, stored: &str) -> Result<bool, HashingError> {
        let _turn = self.turn()?;
        let password = password.expose().as_bytes();
        let fits = password.len() <= MAX_BYTES;
        Ok(verify_password(if fits { password } else { b"" }, stored)? && fits)
    }

    fn turns(&self) -> MutexGuard<'_, Turns> {
        self.turns.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn turn(&self) -> Result<Turn<'_>, HashingError> {
        let mut turns = self.turns();
        if turns.running >= RUNNING {
            if turns.waiting >= WAITING {
                return Err(HashingError::Busy);
            }
            turns.waiting += 1;
            while turns.running >= RUNNING {
                turns = self.freed.wait(turns).unwrap_or_else(PoisonError::into_inner);
            }
            turns.waiting -= 1;
        }
        turns.running += 1;
        Ok(Turn(self))
    }
}

impl Drop for Turn<'_> {
    fn drop(&mut self) {
        self.0.turns().running -= 1;
        self.0.freed.notify_one();
    }
}

#[cfg(test)]
mod tests {
    use bastide_crypto::SystemRandom;

    use super::*;

    fn secret(text: &str) -> Secret<String> {
        Secret::new(text.to_owned())
    }

    #[test]
    fn what_may_be_a_password() {
        let check = |text: &str| check(&secret(text), "ada@example.org");
        assert_eq!(check("eleven char"), Err(PasswordRule::TooShort));
        assert_eq!(check("twelve chars"), Ok(()));
        assert_eq!(check(&"x7".repeat(512)), Ok(()));
        assert_eq!(check(&"x7".repeat(513)), Err(PasswordRule::TooLong));
        assert_eq!(check("Ada@Example.org"), Err(PasswordRule::Name));
        assert_eq!(check("Password1234"), Err(PasswordRule::Common));
        assert_eq!(check("correct horse battery staple"), Ok(()));
    }

    #[test]
    fn the_list_has_no_line_that_cannot_match() {
        assert!(COMMON.lines().count() > 100);
        for line in COMMON.lines() {
            assert!(line.len() >= MIN_BYTES && !line.chars().any(char::is_uppercase), "{line}");
        }
    }

    #[test]
    fn two_at_a_time_sixteen_wait_and_the_rest_is_busy() {
        let hashing = Hashing::default();
        let (first, second) = (hashing.turn().unwrap(), hashing.turn().unwrap());
        std::thread::scope(|scope| {
            let waiting: Vec<_> = (0..WAITING).map(|_| scope.spawn(|| hashing.turn().map(drop))).collect();
            while hashing.turns().waiting < WAITING {
                std::thread::yield_now();
            }
            assert!(matches!(hashing.turn(), Err(HashingError::Busy)));
            assert!(matches!(hashing.hash(&secret("x"), &SystemRandom), Err(HashingError::Busy)));
            drop((first, second));
            assert!(waiting.into_iter().all(|w| w.join().unwrap().is_ok()));
        });
        let turns = hashing.turns();
        assert_eq!((turns.running, turns.waiting), (0, 0));
    }

    #[test]
    fn the_right_one_only_and_none_beyond_the_limit() {
        let hashing = Hashing::default();
        let stored = hashing.hash(&secret("correct horse"), &SystemRandom).unwrap();
        assert!(hashing.verify(&secret("correct horse"), &stored).unwrap());
        assert!(!hashing.verify(&secret("correct house"), &stored).unwrap());
        let empty = hashing.hash(&secret(""), &SystemRandom).unwrap();
        assert!(!hashing.verify(&secret(&"x".repeat(MAX_BYTES + 1)), &empty).unwrap());
        assert!(hashing.verify(&secret("x"), "damaged").is_err());
    }
}
