//! The code with which the first administrator proves to be whoever started the server.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use bastide_crypto::{Random, constant_time_eq, sha256};
use bastide_types::Secret;
use zeroize::Zeroize;

use crate::text;

/// How long a code is good.
const LIFETIME: Duration = Duration::from_secs(15 * 60);
/// Wrong codes that cost nothing.
const FREE_ATTEMPTS: u32 = 10;
/// From then on, how long until the next one is looked at, doubled with each: a stranger who guesses does not end the code
/// for whoever started the server, and 15 minutes hold a few dozen guesses of 2^60.
const FIRST_WAIT: Duration = Duration::from_secs(1);
const LONGEST_WAIT: Duration = Duration::from_secs(30);
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
    /// Too many others were tried of late.
    #[error("too many wrong setup codes were tried; the next one is looked at in {seconds} s")]
    Wait {
        /// In how many seconds.
        seconds: u64,
    },
}

/// A setup code that is good for a while. The code itself is not kept.
pub(crate) struct SetupCode {
    hash: [u8; 32],
    made_at: Duration,
    wrong: Mutex<Wrong>,
}

/// Codes that were not this one.
#[derive(Default)]
struct Wrong {
    count: u32,
    /// Until when none is looked at.
    until: Duration,
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
        (SetupCode { hash, made_at: now, wrong: Mutex::default() }, Secret::new(shown))
    }

    /// Whether this is the code, however it is typed. A wrong one counts.
    pub(crate) fn check(&self, typed: &str, now: Duration) -> Result<(), SetupError> {
        let mut wrong = self.wrong();
        if now.saturating_sub(self.made_at) >= LIFETIME {
            return Err(SetupError::Expired);
        }
        if now < wrong.until {
            let left = wrong.until.saturating_sub(now);
            return Err(SetupError::Wait {
                seconds: left.as_millis().div_ceil(1000).try_into().unwrap_or(0),
            });
        }
        let mut code = text::normalise(typed, CHARS).unwrap_or_default();
        let given = sha256(code.as_bytes());
        code.zeroize();
        if constant_time_eq(&given, &self.hash) {
            return Ok(());
        }
        wrong.count = wrong.count.saturating_add(1);
        if let Some(doublings) = wrong.count.checked_sub(FREE_ATTEMPTS) {
            let wait = FIRST_WAIT.saturating_mul(1 << doublings.min(10)).min(LONGEST_WAIT);
            wrong.until = now.saturating_add(wait);
        }
        Err(SetupError::Wrong)
    }

    fn wrong(&self) -> MutexGuard<'_, Wrong> {
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
    fn after_ten_wrong_ones_the_next_waits_and_the_right_one_is_good_yet() {
        let mut now = Duration::ZERO;
        let (code, shown) = SetupCode::new(&SystemRandom, now);
        let wrong = ["", "0000-0000-0000", "7KQ4-9XWD-M3F", &"x".repeat(1 << 20)];
        for n in 0..10 {
            assert_eq!(code.check(shown.expose(), now), Ok(()), "the right one is good meanwhile");
            assert_eq!(code.check(wrong[n % 4], now), Err(SetupError::Wrong));
        }
        for seconds in [1, 2, 4, 8, 16, 30, 30] {
            assert_eq!(code.check(shown.expose(), now), Err(SetupError::Wait { seconds }));
            now += Duration::from_secs(seconds);
            assert_eq!(code.check(shown.expose(), now), Ok(()), "the right one, once it is looked at");
            assert_eq!(code.check("0000-0000-0000", now), Err(SetupError::Wrong));
        }
    }
}
