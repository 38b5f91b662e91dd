//! What passed of late, in slots of a minute and of an hour: what an overview is drawn from without reading the log.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use bastide_types::{Category, Ending, Timestamp, Verdict};

/// A day of minutes.
const MINUTES: usize = 24 * 60;
/// Thirty days of hours.
const HOURS: usize = 30 * 24;
/// Names of models that are told apart in a day; callers invent them.
const MODELS: usize = 200;
/// The longest name that is told apart.
const NAME_BYTES: usize = 200;
/// What the other models are counted under.
const OTHERS: &str = "(others)";

/// An exchange that came to its end, or was refused.
#[derive(Clone, Copy, Debug)]
pub struct Noted<'a> {
    /// When.
    pub at: Timestamp,
    /// The model as the caller named it.
    pub model: &'a str,
    /// The sterner verdict of its halves.
    pub verdict: Verdict,
    /// How it ended; `None`: it was refused before anything left.
    pub ending: Option<Ending>,
    /// How many of each category were found, in both halves.
    pub findings: &'a [(Category, u32)],
    /// Tokens in.
    pub input_tokens: u64,
    /// Tokens out.
    pub output_tokens: u64,
    /// Time in bastide itself, in microseconds.
    pub own_micros: u64,
    /// Time until the end, in microseconds.
    pub total_micros: u64,
}

/// How many took how long: bucket `n` counts from `2^n` microseconds to below `2^(n + 1)`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Times {
    buckets: [u32; 32],
    /// The longest, in microseconds.
    longest: u64,
}

impl Times {
    fn add(&mut self, micros: u64) {
        let bucket = micros.max(1).ilog2().min(31);
        self.longest = self.longest.max(micros);
        if let Some(count) = self.buckets.get_mut(usize::try_from(bucket).unwrap_or(31)) {
            *count = count.saturating_add(1);
        }
    }

    fn merge(&mut self, other: &Times) {
        self.longest = self.longest.max(other.longest);
        self.buckets.iter_mut().zip(other.buckets).for_each(|(to, from)| *to = to.saturating_add(from));
    }

    /// The time that so many per mille took at most, within its bucket as if spread evenly; `None` without any.
    #[must_use]
    pub fn quantile(&self, per_mille: u32) -> Option<Duration> {
        let total: u64 = self.buckets.iter().map(|n| u64::from(*n)).sum();
        let wanted = (total.saturating_mul(u64::from(per_mille.min(1000)))).div_ceil(1000).max(1);
        let mut before = 0;
        for (bucket, count) in self.buckets.iter().enumerate().filter(|(_, count)| **count > 0) {
            let (count, lower) = (u64::from(*count), 1_u64 << bucket);
            if before + count >= wanted {
                let spread = lower.saturating_add(lower.saturating_mul(wanted - before) / count);
                return Some(Duration::from_micros(spread.min(self.longest)));
            }
            before += count;
        }
        None
    }

    /// The counts of the buckets.
    #[must_use]
    pub const fn buckets(&self) -> &[u32; 32] {
        &self.buckets
    }
}

/// What passed in one slot of time.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Slot {
    /// Exchanges, refused ones included.
    pub exchanges: u32,
    /// Those that were refused before anything left.
    pub refused: u32,
    endings: [u32; Ending::ALL.len()],
    verdicts: [u32; Verdict::ALL.len()],
    findings: [u32; Category::ALL.len()],
    /// Tokens in.
    pub input_tokens: u64,
    /// Tokens out.
    pub output_tokens: u64,
    /// Time in bastide itself.
    pub own: Times,
    /// Time until the end.
    pub total: Times,
}

fn add_to(counts: &mut [u32], place: Option<usize>, n: u32) {
    if let Some(count) = place.and_then(|at| counts.get_mut(at)) {
        *count = count.saturating_add(n);
    }
}

impl Slot {
    fn note(&mut self, noted: &Noted<'_>) {
        self.exchanges = self.exchanges.saturating_add(1);
        add_to(&mut self.verdicts, Verdict::ALL.iter().position(|v| *v == noted.verdict), 1);
        for (category, count) in noted.findings {
            add_to(&mut self.findings, Category::ALL.iter().position(|c| c == category), *count);
        }
        match noted.ending {
            None => self.refused = self.refused.saturating_add(1),
            Some(ending) => {
                add_to(&mut self.endings, Ending::ALL.iter().position(|e| *e == ending), 1);
                self.input_tokens = self.input_tokens.saturating_add(noted.input_tokens);
                self.output_tokens = self.output_tokens.saturating_add(noted.output_tokens);
                self.own.add(noted.own_micros);
                self.total.add(noted.total_micros);
            }
        }
    }

    /// Adds what another slot counted.
    pub fn merge(&mut self, other: &Slot) {
        fn all(to: &mut [u32], from: &[u32]) {
            to.iter_mut().zip(from).for_each(|(to, from)| *to = to.saturating_add(*from));
        }
        self.exchanges = self.exchanges.saturating_add(other.exchanges);
        self.refused = self.refused.saturating_add(other.refused);
        all(&mut self.endings, &other.endings);
        all(&mut self.verdicts, &other.verdicts);
        all(&mut self.findings, &other.findings);
        self.input_tokens = self.input_tokens.saturating_add(other.input_tokens);
        self.output_tokens = self.output_tokens.saturating_add(other.output_tokens);
        self.own.merge(&other.own);
        self.total.merge(&other.total);
    }

    /// Exchanges that ended so.
    #[must_use]
    pub fn ended(&self, ending: Ending) -> u32 {
        Ending::ALL
            .iter()
            .position(|e| *e == ending)
            .and_then(|at| self.endings.get(at).copied())
            .unwrap_or(0)
    }

    /// Exchanges with this verdict.
    #[must_use]
    pub fn judged(&self, verdict: Verdict) -> u32 {
        let place = Verdict::ALL.iter().position(|v| *v == verdict);
        place.and_then(|at| self.verdicts.get(at).copied()).unwrap_or(0)
    }

    /// Findings of this category.
    #[must_use]
    pub fn found(&self, category: Category) -> u32 {
        let place = Category::ALL.iter().position(|c| *c == category);
        place.and_then(|at| self.findings.get(at).copied()).unwrap_or(0)
    }

    /// Exchanges that a verdict or a policy ended.
    #[must_use]
    pub fn blocked(&self) -> u32 {
        self.refused.saturating_add(self.ended(Ending::Blocked))
    }

    /// Exchanges that something else than a decision ended early.
    #[must_use]
    pub fn failed(&self) -> u32 {
        [Ending::UpstreamFailed, Ending::UpstreamError, Ending::Failed].iter().map(|e| self.ended(*e)).sum()
    }
}

/// What a model was used for in a day.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ModelUse {
    /// Exchanges, refused ones included.
    pub exchanges: u64,
    /// Those that a verdict or a policy ended.
    pub blocked: u64,
    /// Tokens in.
    pub input_tokens: u64,
    /// Tokens out.
    pub output_tokens: u64,
}

/// Slots of one length, the newest so many.
#[derive(Debug)]
struct Ring {
    seconds: u64,
    /// By number since 1970, at their number modulo the length; none where nothing has passed.
    slots: Vec<Option<Box<(u64, Slot)>>>,
    most: usize,
}

impl Ring {
    const fn new(seconds: u64, most: usize) -> Self {
        Ring { seconds, slots: Vec::new(), most }
    }

    const fn number(&self, at: Timestamp) -> u64 {
        at.as_micros() / 1_000_000 / self.seconds
    }

    fn place(&self, number: u64) -> usize {
        usize::try_from(number % u64::try_from(self.most).unwrap_or(1)).unwrap_or(0)
    }

    fn note(&mut self, now: Timestamp, noted: &Noted<'_>) {
        let (number, newest) = (self.number(noted.at), self.number(now));
        let place = self.place(number);
        if self.slots.is_empty() {
            self.slots.resize_with(self.most, Default::default);
        }
        let Some(at) = self.slots.get_mut(place) else { return };
        let (held, slot) = &mut **at.get_or_insert_with(|| Box::new((number, Slot::default())));
        if *held > number && *held <= newest {
            // Older than what the ring goes back to.
            return;
        }
        if *held != number {
            (*held, *slot) = (number, Slot::default());
        }
        slot.note(noted);
    }

    /// The `count` slots up to and with the one of `until`, oldest first.
    fn last(&self, until: Timestamp, count: usize) -> Vec<(Timestamp, Slot)> {
        let newest = self.number(until);
        let count = u64::try_from(count.min(self.most)).unwrap_or(0);
        let numbers = newest.saturating_sub(count.saturating_sub(1))..=newest;
        let slot = |number: u64| {
            let held = self.slots.get(self.place(number)).and_then(Option::as_deref);
            let held = held.filter(|(held, _)| *held == number);
            let begins = number.saturating_mul(self.seconds).saturating_mul(1_000_000);
            (Timestamp::from_micros(begins), held.map(|(_, slot)| slot.clone()).unwrap_or_default())
        };
        numbers.map(slot).collect()
    }
}

#[derive(Debug)]
struct State {
    minutes: Ring,
    hours: Ring,
    day: u64,
    models: HashMap<Box<str>, ModelUse>,
}

/// What passed of late.
#[derive(Debug)]
pub struct Traffic(Mutex<State>);

impl Default for Traffic {
    fn default() -> Self {
        let (minutes, hours) = (Ring::new(60, MINUTES), Ring::new(3_600, HOURS));
        Traffic(Mutex::new(State { minutes, hours, day: 0, models: HashMap::new() }))
    }
}

const fn day(at: Timestamp) -> u64 {
    at.as_micros() / 86_400_000_000
}

impl Traffic {
    // A panic under the lock leaves at worst one exchange half counted.
    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Counts an exchange; one of the past too, as far as the slots go back. One that was in a future which the clock has
    /// not reached is left out, and what a clock that ran ahead has left takes no place from what is now.
    pub fn note(&self, now: Timestamp, noted: &Noted<'_>) {
        let mut state = self.lock();
        if noted.at > now {
            return;
        }
        state.minutes.note(now, noted);
        state.hours.note(now, noted);
        if state.day != day(now) {
            state.day = day(now);
            state.models.clear();
        }
        if day(noted.at) == state.day {
            let known = noted.model.len() <= NAME_BYTES
                && (state.models.len() < MODELS || state.models.contains_key(noted.model));
            let name = if known { noted.model } else { OTHERS };
            let used = match state.models.get_mut(name) {
                Some(used) => used,
                None => state.models.entry(name.into()).or_default(),
            };
            used.exchanges = used.exchanges.saturating_add(1);
            let blocked = matches!(noted.ending, None | Some(Ending::Blocked));
            used.blocked = used.blocked.saturating_add(u64::from(blocked));
            used.input_tokens = used.input_tokens.saturating_add(noted.input_tokens);
            used.output_tokens = used.output_tokens.saturating_add(noted.output_tokens);
        }
    }

    /// The last so many minutes, the running one last.
    #[must_use]
    pub fn minutes(&self, now: Timestamp, count: usize) -> Vec<(Timestamp, Slot)> {
        self.lock().minutes.last(now, count)
    }

    /// The last so many hours, the running one last.
    #[must_use]
    pub fn hours(&self, now: Timestamp, count: usize) -> Vec<(Timestamp, Slot)> {
        self.lock().hours.last(now, count)
    }

    /// The models of today (UTC), the most used first.
    #[must_use]
    pub fn models(&self, now: Timestamp) -> Vec<(String, ModelUse)> {
        let state = self.lock();
        let today = state.models.iter().filter(|_| state.day == day(now));
        let mut models: Vec<(String, ModelUse)> =
            today.map(|(name, used)| (name.to_string(), *used)).collect();
        drop(state);
        models.sort_by(|a, b| b.1.exchanges.cmp(&a.1.exchanges).then_with(|| a.0.cmp(&b.0)));
        models
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOON: Timestamp = Timestamp::from_micros(1_800_000_000_000_000);

    fn noted(at: Timestamp, ending: Option<Ending>) -> Noted<'static> {
        Noted {
            at,
            model: "m",
            verdict: Verdict::Flag,
            ending,
            findings: &[(Category::Secret, 2)],
            input_tokens: 10,
            output_tokens: 20,
            own_micros: 300,
            total_micros: 90_000,
        }
    }

    #[test]
    fn an_exchange_counts_in_its_minute_its_hour_and_its_day() {
        let traffic = Traffic::default();
        let minute = Duration::from_secs(60);
        let now = NOON.plus(2 * minute);
        traffic.note(now, &noted(NOON, Some(Ending::Complete)));
        traffic.note(now, &noted(NOON.plus(minute), None));
        let minutes = traffic.minutes(now, 4);
        assert_eq!(minutes.iter().map(|(_, s)| s.exchanges).collect::<Vec<_>>(), [0, 1, 1, 0]);
        assert_eq!(minutes[2].1.blocked(), 1);
        assert_eq!((minutes[1].1.found(Category::Secret), minutes[1].1.input_tokens), (2, 10));
        assert_eq!(traffic.hours(now, 2).iter().map(|(_, s)| s.exchanges).sum::<u32>(), 2);
        assert_eq!(traffic.models(now)[0].1.exchanges, 2);
        assert!(traffic.models(NOON.plus(2000 * minute)).is_empty(), "another day");
    }

    #[test]
    fn a_minute_in_which_nothing_passed_takes_no_room() {
        let mut ring = Ring::new(60, MINUTES);
        ring.note(NOON, &noted(NOON, None));
        ring.note(NOON, &noted(NOON, None));
        assert_eq!(ring.slots.iter().flatten().count(), 1);
        assert!(ring.slots.len() * size_of_val(&ring.slots[0]) <= 16 << 10);
    }

    #[test]
    fn a_ring_forgets_what_is_too_old_and_does_not_mistake_it_for_new() {
        let traffic = Traffic::default();
        let day = Duration::from_secs(86_400);
        traffic.note(NOON.plus(day), &noted(NOON.plus(day), None));
        traffic.note(NOON.plus(day), &noted(NOON, None));
        assert_eq!(traffic.minutes(NOON.plus(day), MINUTES).iter().map(|(_, s)| s.exchanges).sum::<u32>(), 1);
        assert_eq!(traffic.hours(NOON.plus(day), 30).iter().map(|(_, s)| s.exchanges).sum::<u32>(), 2);
        assert!(traffic.minutes(NOON.plus(3 * day), 10).iter().all(|(_, s)| s.exchanges == 0));
        assert_eq!(traffic.minutes(NOON, 100_000).len(), MINUTES);
    }

    #[test]
    fn a_clock_that_ran_ahead_takes_nothing_from_what_is_now() {
        let traffic = Traffic::default();
        // Whole rings ahead: the same places.
        let ahead = NOON.plus(Duration::from_secs(30 * 86_400));
        traffic.note(ahead, &noted(ahead, None));
        traffic.note(NOON, &noted(NOON, None));
        traffic.note(NOON, &noted(ahead, None));
        let sum = |slots: Vec<(Timestamp, Slot)>| slots.iter().map(|(_, s)| s.exchanges).sum::<u32>();
        assert_eq!((sum(traffic.minutes(NOON, 5)), sum(traffic.hours(NOON, 5))), (1, 1));
        assert_eq!(traffic.models(NOON)[0].1.exchanges, 1);
    }

    #[test]
    fn names_that_callers_invent_are_bounded() {
        let traffic = Traffic::default();
        for n in 0..1_000 {
            let name = format!("model-{n}");
            traffic.note(NOON, &Noted { model: &name, ..noted(NOON, None) });
        }
        let models = traffic.models(NOON);
        assert_eq!((models.len(), models[0].0.as_str()), (MODELS + 1, OTHERS));
    }

    #[test]
    fn quantiles_lie_in_their_bucket() {
        let mut times = Times::default();
        assert_eq!(times.quantile(500), None);
        (0..99).for_each(|_| times.add(300));
        times.add(1_000_000);
        let median = times.quantile(500).map(|d| d.as_micros());
        assert!(median.is_some_and(|m| (256..=512).contains(&m)), "{median:?}");
        assert!(times.quantile(1000).is_some_and(|d| d.as_millis() >= 500));
        times.add(u64::MAX);
        times.add(0);
    }
}
