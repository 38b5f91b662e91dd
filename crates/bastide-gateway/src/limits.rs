//! Rates, concurrency and daily budgets per key: reserve an upper bound first, settle with the truth afterwards.
//!
//! The reserve makes a budget hold under concurrency: two requests that together exceed it cannot both start. A
//! [`Reservation`] that is dropped unsettled (the client left, a task was cancelled) keeps what was relayed so far and
//! gives the rest back, so no path leaks budget and none spends for free.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError, RwLock};
use std::time::Duration;

use bastide_identity::KeyLimits;
use bastide_types::{Clock, KeyId, Problem, Timestamp};

use crate::problem::raise;

const MINUTE: Duration = Duration::from_secs(60);
const DAY: Duration = Duration::from_secs(86_400);
const MICROS_PER_DAY: u64 = 86_400_000_000;

/// What every key has used, in this process.
pub struct Ledger {
    clock: Arc<dyn Clock>,
    accounts: RwLock<HashMap<KeyId, Arc<Mutex<Account>>>>,
}

impl std::fmt::Debug for Ledger {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Ledger").finish_non_exhaustive()
    }
}

#[derive(Debug, Default)]
struct Account {
    requests: Bucket,
    tokens: Bucket,
    running: u32,
    day: u64,
    /// Monotonic time at which `day` was taken from the clock.
    day_since: Duration,
    day_tokens: u64,
    last_use: Option<Timestamp>,
}

/// What is remembered of a key's use.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct KeyUsage {
    /// The key.
    pub key: KeyId,
    /// The day that the tokens count for: days since 1970-01-01.
    pub day: u64,
    /// Tokens used on that day.
    pub tokens: u64,
    /// When the key's last exchange began.
    pub last_use: Option<Timestamp>,
}

/// A bucket that refills evenly over a minute: the level is what is used, not what is left, so that an empty bucket is
/// the zero value and a raised limit takes effect at once.
#[derive(Debug, Default)]
struct Bucket {
    used: f64,
    at: Duration,
}

impl Bucket {
    fn leak(&mut self, limit: u64, now: Duration) {
        let elapsed = now.saturating_sub(self.at);
        self.at = now;
        let drained = elapsed.as_secs_f64() / MINUTE.as_secs_f64() * to_f64(limit);
        self.used = (self.used - drained).max(0.0);
    }

    /// Takes `amount`, or says how long to wait; an amount above the whole limit never fits.
    fn take(&mut self, amount: u64, limit: u64, now: Duration) -> Result<(), Option<Duration>> {
        self.leak(limit, now);
        if amount > limit {
            return Err(None);
        }
        let over = self.used + to_f64(amount) - to_f64(limit);
        if over > 0.0 {
            return Err(Some(Duration::from_secs_f64(over / to_f64(limit.max(1)) * MINUTE.as_secs_f64())));
        }
        self.used += to_f64(amount);
        Ok(())
    }

    fn correct(&mut self, reserved: u64, real: u64) {
        self.used = (self.used - to_f64(reserved) + to_f64(real)).max(0.0);
    }
}

/// Limits and tokens stay far below 2^52, where an `f64` is exact.
fn to_f64(n: u64) -> f64 {
    let capped = n.min(1 << 52);
    let high = u32::try_from(capped >> 32).unwrap_or(u32::MAX);
    let low = u32::try_from(capped & 0xffff_ffff).unwrap_or(u32::MAX);
    f64::from(high) * 4_294_967_296.0 + f64::from(low)
}

impl Ledger {
    /// An empty ledger.
    #[must_use]
    pub fn new(clock: Arc<dyn Clock>) -> Self {
        Ledger { clock, accounts: RwLock::default() }
    }

    /// Takes one request and up to `tokens` tokens from the key's limits.
    ///
    /// # Errors
    /// A 429 that names the limit and, where waiting helps, for how long.
    pub fn reserve(&self, key: KeyId, limits: &KeyLimits, tokens: u64) -> Result<Reservation, Problem> {
        let account = self.account(key);
        let day = {
            let (now, civil) = (self.clock.monotonic(), self.clock.now());
            let mut a = lock(&account);
            a.turn_day(civil, now);
            if limits.concurrency.is_some_and(|most| u64::from(a.running) >= most) {
                let wait = Some(Duration::from_secs(1));
                return Err(raise::limited("limit.concurrency", "requests at the same time", wait));
            }
            for (limit, what) in
                [(limits.tokens_per_day, "tokens a day"), (limits.tokens_per_minute, "tokens a minute")]
            {
                if let Some(most) = limit.filter(|most| tokens > *most) {
                    return Err(raise::over_limit(what, tokens, most));
                }
            }
            if let Some(most) = limits.tokens_per_day
                && a.day_tokens.saturating_add(tokens) > most
            {
                let wait = Some(until_midnight(civil));
                return Err(raise::limited("limit.tokens_per_day", "tokens a day", wait));
            }
            if let Some(most) = limits.requests_per_minute {
                a.requests
                    .take(1, most, now)
                    .map_err(|wait| raise::limited("limit.requests_per_minute", "requests a minute", wait))?;
            }
            if let Some(most) = limits.tokens_per_minute
                && let Err(wait) = a.tokens.take(tokens, most, now)
            {
                if limits.requests_per_minute.is_some() {
                    a.requests.correct(1, 0);
                }
                return Err(raise::limited("limit.tokens_per_minute", "tokens a minute", wait));
            }
            a.running += 1;
            a.last_use = Some(civil);
            a.day_tokens = a.day_tokens.saturating_add(tokens);
            a.day
        };
        Ok(Reservation { account, limits: *limits, day, reserved: tokens, used: 0 })
    }

    /// What each key has used, for the snapshot that survives a restart; in no order.
    #[must_use]
    pub fn snapshot(&self) -> Vec<KeyUsage> {
        let accounts = self.accounts.read().unwrap_or_else(PoisonError::into_inner);
        accounts
            .iter()
            .map(|(key, account)| {
                let a = lock(account);
                KeyUsage { key: *key, day: a.day, tokens: a.day_tokens, last_use: a.last_use }
            })
            .filter(|usage| usage.tokens > 0 || usage.last_use.is_some())
            .collect()
    }

    /// Puts a snapshot back; tokens of another day are ignored.
    pub fn restore(&self, entries: &[KeyUsage]) {
        let (today, now) = (day(self.clock.now()), self.clock.monotonic());
        for entry in entries {
            let account = self.account(entry.key);
            let mut a = lock(&account);
            a.last_use = a.last_use.max(entry.last_use);
            if entry.day == today {
                (a.day, a.day_since) = (today, now);
                a.day_tokens = a.day_tokens.saturating_add(entry.tokens);
            }
        }
    }

    fn account(&self, key: KeyId) -> Arc<Mutex<Account>> {
        if let Some(found) = self.accounts.read().unwrap_or_else(PoisonError::into_inner).get(&key) {
            return Arc::clone(found);
        }
        let mut accounts = self.accounts.write().unwrap_or_else(PoisonError::into_inner);
        Arc::clone(accounts.entry(key).or_default())
    }
}

impl Account {
    fn turn_day(&mut self, civil: Timestamp, now: Duration) {
        let today = day(civil);
        // Only forwards: a clock that is set back must not hand out a second budget. Unless it stays back for a whole
        // day: then it was wrong before, and the key must not wait for a date that is years away.
        if today > self.day || (today < self.day && now.saturating_sub(self.day_since) >= DAY) {
            (self.day, self.day_since) = (today, now);
            self.day_tokens = 0;
        }
    }
}

fn day(now: Timestamp) -> u64 {
    now.as_micros() / MICROS_PER_DAY
}

fn until_midnight(now: Timestamp) -> Duration {
    Duration::from_micros(MICROS_PER_DAY - now.as_micros() % MICROS_PER_DAY)
}

fn lock(account: &Mutex<Account>) -> std::sync::MutexGuard<'_, Account> {
    // A panic while holding it leaves numbers, no broken invariant.
    account.lock().unwrap_or_else(PoisonError::into_inner)
}

/// One running exchange's share of its key's limits. Settles when dropped.
#[derive(Debug)]
pub struct Reservation {
    account: Arc<Mutex<Account>>,
    limits: KeyLimits,
    /// The day whose budget was reserved from: what is used counts on the day that it ends.
    day: u64,
    reserved: u64,
    used: u64,
}

impl Reservation {
    /// What has been used so far, or in the end.
    pub fn used(&mut self, tokens: u64) {
        self.used = tokens;
    }
}

impl Drop for Reservation {
    fn drop(&mut self) {
        let mut a = lock(&self.account);
        a.running = a.running.saturating_sub(1);
        if a.day == self.day {
            a.day_tokens = a.day_tokens.saturating_sub(self.reserved);
        }
        a.day_tokens = a.day_tokens.saturating_add(self.used);
        if self.limits.tokens_per_minute.is_some() {
            a.tokens.correct(self.reserved, self.used);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::{AtomicU64, Ordering};

    #[derive(Default)]
    struct Hand(AtomicU64);

    impl Clock for Hand {
        fn now(&self) -> Timestamp {
            Timestamp::from_micros(self.0.load(Ordering::SeqCst))
        }
        fn monotonic(&self) -> Duration {
            Duration::from_micros(self.0.load(Ordering::SeqCst))
        }
    }

    const KEY: KeyId = KeyId::from_bytes([1; 16]);

    fn ledger() -> (Arc<Hand>, Ledger) {
        let hand = Arc::new(Hand::default());
        (Arc::clone(&hand), Ledger::new(hand))
    }

    #[test]
    fn requests_refill_over_the_minute() {
        let (hand, ledger) = ledger();
        let p = KeyLimits { requests_per_minute: Some(2), ..KeyLimits::default() };
        assert!(ledger.reserve(KEY, &p, 1).is_ok());
        assert!(ledger.reserve(KEY, &p, 1).is_ok());
        let refused = ledger.reserve(KEY, &p, 1).expect_err("the third in one instant");
        assert_eq!(refused.code, "limit.requests_per_minute");
        assert_eq!(refused.retry, bastide_types::Retry::After(Duration::from_secs(30)));
        hand.0.store(30_000_000, Ordering::SeqCst);
        assert!(ledger.reserve(KEY, &p, 1).is_ok());
    }

    #[test]
    fn two_requests_that_exceed_the_day_together_cannot_both_start() {
        let (_, ledger) = ledger();
        let p = KeyLimits { tokens_per_day: Some(100), ..KeyLimits::default() };
        let first = ledger.reserve(KEY, &p, 60).expect("fits");
        assert_eq!(ledger.reserve(KEY, &p, 60).expect_err("does not").code, "limit.tokens_per_day");
        drop(first);
        assert!(ledger.reserve(KEY, &p, 60).is_ok(), "an unused reserve comes back");
    }

    #[test]
    fn what_was_used_stays_used_and_the_clock_set_back_gives_nothing() {
        let (hand, ledger) = ledger();
        hand.0.store(5 * MICROS_PER_DAY, Ordering::SeqCst);
        let p = KeyLimits { tokens_per_day: Some(100), ..KeyLimits::default() };
        let mut r = ledger.reserve(KEY, &p, 60).expect("fits");
        r.used(90);
        drop(r);
        assert!(ledger.reserve(KEY, &p, 20).is_err());
        hand.0.store(4 * MICROS_PER_DAY, Ordering::SeqCst);
        assert!(ledger.reserve(KEY, &p, 20).is_err(), "yesterday again");
        hand.0.store(6 * MICROS_PER_DAY, Ordering::SeqCst);
        assert!(ledger.reserve(KEY, &p, 20).is_ok(), "tomorrow");
    }

    /// A clock whose two readings are set by themselves.
    #[derive(Default)]
    struct TwoHands {
        civil: AtomicU64,
        monotonic: AtomicU64,
    }

    impl Clock for TwoHands {
        fn now(&self) -> Timestamp {
            Timestamp::from_micros(self.civil.load(Ordering::SeqCst))
        }
        fn monotonic(&self) -> Duration {
            Duration::from_micros(self.monotonic.load(Ordering::SeqCst))
        }
    }

    #[test]
    fn a_clock_that_was_years_ahead_costs_a_day_at_most() {
        let hands = Arc::new(TwoHands::default());
        let ledger = Ledger::new(Arc::clone(&hands) as Arc<dyn Clock>);
        let p = KeyLimits { tokens_per_day: Some(100), ..KeyLimits::default() };
        hands.civil.store(5_000 * MICROS_PER_DAY, Ordering::SeqCst);
        let mut r = ledger.reserve(KEY, &p, 60).expect("fits");
        r.used(90);
        drop(r);
        hands.civil.store(5 * MICROS_PER_DAY, Ordering::SeqCst);
        hands.monotonic.store(MICROS_PER_DAY - 1, Ordering::SeqCst);
        assert!(ledger.reserve(KEY, &p, 20).is_err(), "no second budget for setting the clock");
        hands.monotonic.store(MICROS_PER_DAY, Ordering::SeqCst);
        assert!(ledger.reserve(KEY, &p, 20).is_ok(), "a day has passed");
    }

    #[test]
    fn the_last_use_is_known_and_survives_a_restart() {
        let (hand, before) = ledger();
        assert!(before.snapshot().is_empty());
        hand.0.store(7, Ordering::SeqCst);
        drop(before.reserve(KEY, &KeyLimits::default(), 1).expect("no limits"));
        let (_, after) = ledger();
        after.restore(&before.snapshot());
        assert_eq!(after.snapshot()[0].last_use, Some(Timestamp::from_micros(7)));
    }

    #[test]
    fn concurrency_counts_what_runs() {
        let (_, ledger) = ledger();
        let p = KeyLimits { concurrency: Some(1), ..KeyLimits::default() };
        let running = ledger.reserve(KEY, &p, 1).expect("first");
        assert_eq!(ledger.reserve(KEY, &p, 1).expect_err("second").code, "limit.concurrency");
        drop(running);
        assert!(ledger.reserve(KEY, &p, 1).is_ok());
    }

    #[test]
    fn a_snapshot_of_today_counts_after_a_restart() {
        let (_, before) = ledger();
        let p = KeyLimits { tokens_per_day: Some(100), ..KeyLimits::default() };
        let mut r = before.reserve(KEY, &p, 60).expect("fits");
        r.used(90);
        drop(r);
        let (_, after) = ledger();
        after.restore(&before.snapshot());
        assert!(after.reserve(KEY, &p, 20).is_err());
    }
}
