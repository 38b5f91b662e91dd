//! The code with which the first administrator proves to be whoever started the server.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use bastide_crypto::{Random, constant_time_eq, sha256};
use bastide_types::Secret;
use zeroize::Zeroize;

use crate::text;

/// How long a code is good.
const LIFETIME: Duration = Duration::from_secs(15 * 60);
/// Guesses that a code survives but for the last: of 2^60 codes.
const WRONG_ATTEMPTS: u32 = 10;
const CHARS: usize = 12;

/// Why a setup code was not accepted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SetupError {
    /// There is none: somebody can sign in already, or the server made none.
    #[error("there is no setup code; it exists only until the first administrator does")]
    None,
    /// It is another one.
    #[error("this is not the setup code; it stands in the output of the server's start")]
    Wrong,
    /// It was good for a quarter of an hour.
    #[error("the setup code has expired; restart the server for a new one")]
    Expired,
    /// Too many others were tried.
    #[error("too many wrong setup codes were tried; restart the server for a new one")]
    Exhausted,
}

/// A setup code that is good for a while. The code itself is not kept.
pub(crate) struct SetupCode {
    hash: [u8; 32],
    made_at: Duration,
    wrong: Mutex<u32>,
}

impl SetupCode {
    /// A fresh one, `7KQ4-9XWD-M3FP`, and how it is shown. `now` is monotonic.
    pub(crate) fn new(random: &dyn Random, now: Duration) -> (Self, Secret<String>) {
        let mut bytes = [0_u8; 8];
        random.fill(&mut bytes);
        let mut code = String::with_capacity(CHARS);
        text::encode(&bytes, CHARS, &mut code);
        bytes.zeroize();
        let hash = sha256(code.as_bytes());
        let mut shown = code.to_ascii_uppercase();
        code.zeroize();
        shown.insert(8, '-');
        shown.insert(4, '-');
        (SetupCode { hash, made_at: now, wrong: Mutex::new(0) }, Secret::new(shown))
    }

    /// Whether this is the code, however it is typed. A wrong one counts.
    pub(crate) fn check(&self, typed: &str, now: Duration) -> Result<(), SetupError> {
        let mut wrong = self.wrong();
        if now.saturating_sub(self.made_at) >= LIFETIME {
            return Err(SetupError::Expired);
        }
        if *wrong >= WRONG_ATTEMPTS {
            return Err(SetupError::Exhausted);
        }
        let mut code = text::normalise(typed, CHARS).unwrap_or_default();
        let given = sha256(code.as_bytes());
        code.zeroize();
        if constant_time_eq(&given, &self.hash) {
            return Ok(());
        }
        *wrong += 1;
        Err(SetupError::Wrong)
    }

    fn wrong(&self) -> MutexGuard<'_, u32> {
        self.wrong.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use bastide_crypto::SystemRandom;

    use super::*;

    #[test]
    fn the_code_however_it_is_typed_until_it_expires() {
        let now = Duration::from_secs(100);
        let (code, shown) = SetupCode::new(&SystemRandom, now);
        let shown = shown.expose();
        let groups: Vec<_> = shown.split('-').map(str::len).collect();
        assert_eq!(groups, [4, 4, 4], "{shown}");
        let late = now + LIFETIME - Duration::from_nanos(1);
        for typed in [shown.clone(), shown.to_lowercase(), shown.replace('-', ""), format!(" {shown} ")] {
            assert_eq!(code.check(&typed, late), Ok(()), "{typed}");
        }
        assert_eq!(code.check(shown, now + LIFETIME), Err(SetupError::Expired));
        let (_, other) = SetupCode::new(&SystemRandom, now);
        assert_ne!(other.expose(), shown);
    }

    #[test]
    fn ten_wrong_ones_end_it() {
        let now = Duration::ZERO;
        let (code, shown) = SetupCode::new(&SystemRandom, now);
        let wrong = ["", "0000-0000-0000", "7KQ4-9XWD-M3F", &"x".repeat(1 << 20)];
        for n in 0..10 {
            assert_eq!(code.check(shown.expose(), now), Ok(()), "the right one is good meanwhile");
            assert_eq!(code.check(wrong[n % 4], now), Err(SetupError::Wrong));
        }
        assert_eq!(code.check(shown.expose(), now), Err(SetupError::Exhausted));
    }
}
