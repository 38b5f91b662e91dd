//! Failed sign-ins, counted by account from one address, by account from wherever, and by address.
//!
//! A name is no secret, so whoever knows one could keep its owner out by failing for them. What comes from one address is
//! locked for long; what comes from many is only slowed down, and never where the account was signed in to before.
//!
//! An attempt counts as failed from its beginning and is taken back when it succeeds: otherwise a burst of guesses at
//! the same time would all be let through before the first of them had failed.

use std::collections::{BTreeMap, HashMap};
use std::hash::Hash;
use std::net::IpAddr;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// Failures of an account from one address that cost nothing: people mistype.
const FREE_FAILURES: u32 = 5;
const FIRST_LOCK: Duration = Duration::from_secs(30);
const LONGEST_LOCK: Duration = Duration::from_secs(15 * 60);
/// Failures of an account from all addresses together that slow nobody down.
const FREE_FAILURES_ANYWHERE: u32 = 20;
/// From then on, how long until the next attempt from an address that is new to the account, doubled with each failure.
const FIRST_WAIT: Duration = Duration::from_secs(1);
/// At most 2,880 guesses a day at a password that is none of the commonest and has 12 bytes or more, however many addresses
/// they come from.
const LONGEST_WAIT: Duration = Duration::from_secs(30);
/// After this long without a failure an account begins anew.
const FORGIVEN_AFTER: Duration = Duration::from_secs(24 * 60 * 60);
/// Failures of an address within its window. Many people may be behind one.
const ADDRESS_FAILURES: u32 = 30;
const ADDRESS_WINDOW: Duration = Duration::from_secs(5 * 60);
/// Entries of each kind that are remembered; beyond that the one not written for longest goes. Under 5 MiB in all.
const CAPACITY: usize = 10_000;

/// What was counted against.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Locked {
    /// The account.
    Account,
    /// The address.
    Address,
}

/// An account's name, hashed: names that nobody has are counted too, and must not take more room.
pub(crate) type AccountHash = [u8; 16];

/// An attempt that is counted as failed until it is taken back.
#[derive(Debug)]
#[must_use]
pub(crate) struct Attempt {
    account: AccountHash,
    address: Address,
}

/// Whose failures: a network of 64 bits is one household or server, and has addresses without end.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Address {
    V4([u8; 4]),
    V6Network([u8; 8]),
}

impl From<IpAddr> for Address {
    fn from(ip: IpAddr) -> Self {
        match ip.to_canonical() {
            IpAddr::V4(ip) => Address::V4(ip.octets()),
            IpAddr::V6(ip) => {
                let [a, b, c, d, e, f, g, h, ..] = ip.octets();
                Address::V6Network([a, b, c, d, e, f, g, h])
            }
        }
    }
}

#[derive(Clone, Copy, Debug)]
struct Failures {
    count: u32,
    last: Duration,
    locked_until: Duration,
}

#[derive(Clone, Copy, Debug)]
struct Window {
    count: u32,
    since: Duration,
}

#[derive(Default)]
struct State {
    /// By account and address.
    pairs: Recent<(AccountHash, Address), Failures>,
    /// By account, from all addresses.
    accounts: Recent<AccountHash, Failures>,
    /// From where an account was signed in to.
    known: Recent<(AccountHash, Address), ()>,
    addresses: Recent<Address, Window>,
}

/// The counts, in bounded memory.
#[derive(Default)]
pub(crate) struct Throttle(Mutex<State>);

impl Throttle {
    // Each change is one insertion: a panic leaves the counts whole.
    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Lets an attempt through and counts it, or says what is locked. `now` is monotonic.
    pub(crate) fn admit(
        &self,
        account: AccountHash,
        address: IpAddr,
        now: Duration,
    ) -> Result<Attempt, Locked> {
        let address = Address::from(address);
        let mut state = self.state();
        let window = state.addresses.get(&address).filter(|w| now.saturating_sub(w.since) < ADDRESS_WINDOW);
        let mut window = window.unwrap_or(Window { count: 0, since: now });
        if window.count >= ADDRESS_FAILURES {
            return Err(Locked::Address);
        }
        let pair = (account, address);
        let here = state.pairs.get(&pair).and_then(|failures| failures.since(now));
        let anywhere = state.accounts.get(&account).and_then(|failures| failures.since(now));
        let waits = |failures: Option<Failures>| failures.is_some_and(|f| now < f.locked_until);
        if waits(here) || (waits(anywhere) && state.known.get(&pair).is_none()) {
            return Err(Locked::Account);
        }
        state.pairs.insert(pair, Failures::one_more(here, now, lock));
        state.accounts.insert(account, Failures::one_more(anywhere, now, wait));
        window.count += 1;
        state.addresses.insert(address, window);
        Ok(Attempt { account, address })
    }

    /// The attempt succeeded: the account begins anew at this address, which is known to it from now on. What failed
    /// elsewhere stays counted: it may have been somebody else.
    pub(crate) fn succeeded(&self, attempt: &Attempt) {
        let mut state = self.state();
        let pair = (attempt.account, attempt.address);
        state.pairs.remove(&pair);
        state.known.insert(pair, ());
        state.give_back(attempt);
    }

    /// The attempt came to nothing, through no fault of its maker: it does not count.
    pub(crate) fn withdrawn(&self, attempt: &Attempt) {
        let mut state = self.state();
        let pair = (attempt.account, attempt.address);
        if let Some(failures) = state.pairs.get(&pair) {
            state.pairs.insert(pair, failures.one_less(lock));
        }
        state.give_back(attempt);
    }
}

impl Failures {
    /// These, unless they are long forgiven.
    fn since(self, now: Duration) -> Option<Failures> {
        (now.saturating_sub(self.last) < FORGIVEN_AFTER).then_some(self)
    }

    fn one_more(before: Option<Failures>, now: Duration, pause: fn(u32) -> Duration) -> Failures {
        let count = before.map_or(0, |f| f.count).saturating_add(1);
        Failures { count, last: now, locked_until: now.saturating_add(pause(count)) }
    }

    /// One less, not as it was before: others may have failed meanwhile.
    fn one_less(self, pause: fn(u32) -> Duration) -> Failures {
        let count = self.count.saturating_sub(1);
        Failures { count, locked_until: self.last.saturating_add(pause(count)), ..self }
    }
}

impl State {
    /// One failure less of the account, wherever from, and of the address.
    fn give_back(&mut self, attempt: &Attempt) {
        if let Some(failures) = self.accounts.get(&attempt.account) {
            self.accounts.insert(attempt.account, failures.one_less(wait));
        }
        if let Some(mut window) = self.addresses.get(&attempt.address) {
            window.count = window.count.saturating_sub(1);
            self.addresses.insert(attempt.address, window);
        }
    }
}

/// How long an account is locked for an address after its `count`th failure there.
fn lock(count: u32) -> Duration {
    doubled(FIRST_LOCK, count, FREE_FAILURES, LONGEST_LOCK)
}

/// How long an account waits for the next address that is new to it after its `count`th failure anywhere.
fn wait(count: u32) -> Duration {
    doubled(FIRST_WAIT, count, FREE_FAILURES_ANYWHERE, LONGEST_WAIT)
}

fn doubled(first: Duration, count: u32, free: u32, longest: Duration) -> Duration {
    match count.checked_sub(free + 1) {
        None => Duration::ZERO,
        Some(doublings) => first.saturating_mul(1_u32 << doublings.min(10)).min(longest),
    }
}

/// A map of bounded size from which the entry goes that was not written for longest.
struct Recent<K, V> {
    entries: HashMap<K, (V, u64)>,
    order: BTreeMap<u64, K>,
    next: u64,
}

impl<K, V> Default for Recent<K, V> {
    fn default() -> Self {
        Recent { entries: HashMap::new(), order: BTreeMap::new(), next: 0 }
    }
}

impl<K: Copy + Eq + Hash, V: Copy> Recent<K, V> {
    fn get(&self, key: &K) -> Option<V> {
        self.entries.get(key).map(|(value, _)| *value)
    }

    fn insert(&mut self, key: K, value: V) {
        self.remove(&key);
        if self.entries.len() >= CAPACITY
            && let Some((_, oldest)) = self.order.pop_first()
        {
            self.entries.remove(&oldest);
        }
        self.entries.insert(key, (value, self.next));
        self.order.insert(self.next, key);
        self.next += 1;
    }

    fn remove(&mut self, key: &K) {
        if let Some((_, place)) = self.entries.remove(key) {
            self.order.remove(&place);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ip(n: u32) -> IpAddr {
        IpAddr::V4(n.into())
    }
    fn seconds(n: u64) -> Duration {
        Duration::from_secs(n)
    }
    fn account(n: u64) -> AccountHash {
        u128::from(n).to_be_bytes()
    }

    #[test]
    fn five_are_free_then_the_lock_doubles_to_a_quarter_of_an_hour() {
        let throttle = Throttle::default();
        let (mut now, mut waits) = (seconds(1000), Vec::new());
        for _ in 0..14 {
            let mut waited = 0;
            while throttle.admit(account(1), ip(1), now).is_err() {
                assert_eq!(throttle.admit(account(1), ip(1), now).unwrap_err(), Locked::Account);
                now += seconds(1);
                waited += 1;
            }
            waits.push(waited);
        }
        assert_eq!(waits, [0, 0, 0, 0, 0, 0, 30, 60, 120, 240, 480, 900, 900, 900]);
        assert!(throttle.admit(account(2), ip(1), now).is_ok(), "another account");
        assert!(throttle.admit(account(1), ip(2), now).is_ok(), "another address");
        now += FORGIVEN_AFTER;
        for _ in 0..6 {
            let _counted = throttle.admit(account(1), ip(1), now).unwrap();
        }
    }

    #[test]
    fn success_begins_anew_and_what_was_withdrawn_does_not_count() {
        let throttle = Throttle::default();
        let now = seconds(1);
        for _ in 0..100 {
            let attempt = throttle.admit(account(1), ip(1), now).unwrap();
            throttle.withdrawn(&attempt);
        }
        for _ in 0..5 {
            let _failed = throttle.admit(account(1), ip(1), now).unwrap();
        }
        let attempt = throttle.admit(account(1), ip(1), now).unwrap();
        assert!(throttle.admit(account(1), ip(1), now).is_err(), "while the sixth is under way");
        throttle.succeeded(&attempt);
        for _ in 0..6 {
            let _failed = throttle.admit(account(1), ip(1), now).unwrap();
        }
        assert!(throttle.admit(account(1), ip(1), now).is_err());
    }

    #[test]
    fn guesses_from_everywhere_are_slowed_down_and_keep_nobody_out() {
        let throttle = Throttle::default();
        let home = throttle.admit(account(1), ip(0), seconds(0)).unwrap();
        throttle.succeeded(&home);
        let day = 24 * 60 * 60;
        let mut guesses = 0;
        for second in 1..=day {
            // Another address each time.
            let address = ip(u32::try_from(second).unwrap());
            guesses += u32::from(throttle.admit(account(1), address, seconds(second)).is_ok());
        }
        assert!((2_800..2_910).contains(&guesses), "{guesses}");
        assert_eq!(throttle.admit(account(1), ip(999_999), seconds(day)).unwrap_err(), Locked::Account);
        assert!(throttle.admit(account(1), ip(999_999), seconds(day + 30)).is_ok(), "half a minute later");
        let home =
            throttle.admit(account(1), ip(0), seconds(day + 31)).expect("where its owner signs in from");
        throttle.succeeded(&home);
        assert!(throttle.admit(account(1), ip(999_998), seconds(day + 31)).is_err(), "still counted");
    }

    #[test]
    fn what_is_withdrawn_takes_no_other_failure_along() {
        let throttle = Throttle::default();
        for _ in 0..5 {
            let withdrawn = throttle.admit(account(1), ip(1), seconds(1)).unwrap();
            let _failed = throttle.admit(account(1), ip(1), seconds(1)).unwrap();
            throttle.withdrawn(&withdrawn);
        }
        let _sixth = throttle.admit(account(1), ip(1), seconds(1)).unwrap();
        assert!(throttle.admit(account(1), ip(1), seconds(1)).is_err());
    }

    #[test]
    fn an_address_has_thirty_failures_in_five_minutes() {
        let throttle = Throttle::default();
        for n in 0..30 {
            let _failed = throttle.admit(account(n), ip(1), seconds(n)).unwrap();
        }
        assert_eq!(throttle.admit(account(99), ip(1), seconds(299)).unwrap_err(), Locked::Address);
        assert!(throttle.admit(account(99), ip(2), seconds(299)).is_ok());
        assert!(throttle.admit(account(98), ip(1), seconds(300)).is_ok());
    }

    #[test]
    fn a_network_of_version_six_is_one_address() {
        let throttle = Throttle::default();
        let v6 = |network: u16, host: u16| IpAddr::V6([0x2001, 0xdb8, 0, network, 0, 0, 0, host].into());
        for n in 0..30 {
            let _failed = throttle.admit(account(n.into()), v6(1, n), seconds(1)).unwrap();
        }
        assert!(throttle.admit(account(99), v6(1, 99), seconds(1)).is_err());
        assert!(throttle.admit(account(99), v6(2, 1), seconds(1)).is_ok());
        let [mapped, plain]: [IpAddr; 2] = ["::ffff:192.0.2.1", "192.0.2.1"].map(|ip| ip.parse().unwrap());
        assert_eq!(Address::from(mapped), Address::from(plain));
    }

    #[test]
    fn memory_is_bounded_and_the_oldest_go() {
        let throttle = Throttle::default();
        for n in 0..3 * u32::try_from(CAPACITY).unwrap() {
            let _failed = throttle.admit(account(n.into()), ip(n), seconds(1)).unwrap();
        }
        let state = throttle.state();
        assert_eq!((state.pairs.entries.len(), state.pairs.order.len()), (CAPACITY, CAPACITY));
        assert_eq!((state.accounts.entries.len(), state.accounts.order.len()), (CAPACITY, CAPACITY));
        assert_eq!((state.addresses.entries.len(), state.addresses.order.len()), (CAPACITY, CAPACITY));
        assert!(state.accounts.get(&account(0)).is_none());
        assert!(state.accounts.get(&account(29_999)).is_some());
    }
}
