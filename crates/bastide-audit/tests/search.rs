//! An exchange is found by its id, by the time in it or without.

#![expect(clippy::panic, reason = "a test stops at what it did not expect")]

mod support;

use bastide_audit::{LogReader, Pending};
use bastide_types::{Event, ExchangeId, Timestamp, Verdict};
use support::{event, open, outcome, request};

const START: u64 = 1_790_000_000_000_000;
/// Seconds between two entries: what is searched spans hours.
const STEP: u64 = 10_000_000;

fn at(n: u64) -> Timestamp {
    Timestamp::from_micros(START + n * STEP)
}

fn began(exchange: ExchangeId, n: u64, verdict: Verdict) -> Event {
    let Event::Request(mut e) = request(1) else { panic!("a request") };
    (e.exchange, e.at, e.verdict) = (exchange, at(n), verdict);
    Event::Request(e)
}

fn ended(exchange: ExchangeId, n: u64) -> Event {
    let Event::Outcome(mut e) = outcome() else { panic!("an outcome") };
    (e.exchange, e.at) = (exchange, at(n));
    Event::Outcome(e)
}

#[test]
fn every_exchange_is_found_with_its_outcome_and_none_that_is_not_there() {
    let dir = tempfile::tempdir().unwrap();
    let (log, _) = open(dir.path());
    let timed = |n: u64| ExchangeId::at(at(n), [7; 10]);
    // As ids were before they told the time, and as a clock that was set back makes them.
    let timeless = |n: u64| ExchangeId::from_bytes([u8::try_from(n % 200).unwrap() + 50; 16]);
    let early = ExchangeId::at(Timestamp::from_micros(1), [9; 10]);
    let mut pending: Vec<Pending> = Vec::new();
    let mut expected = Vec::new();
    for n in 0..1500 {
        let filler = || {
            let Event::Denied(mut e) = event(n) else { panic!("a denial") };
            e.at = at(n);
            Event::Denied(e)
        };
        let event = match n {
            20 | 700 | 1490 => {
                expected.push((timed(n), n, Some(n + 3)));
                began(timed(n), n, Verdict::Tokenise)
            }
            23 | 703 | 1493 => ended(timed(n - 3), n),
            300 => {
                expected.push((timeless(n), n, Some(1400)));
                began(timeless(n), n, Verdict::Allow)
            }
            1400 => ended(timeless(300), n),
            800 => {
                expected.push((early, n, None));
                began(early, n, Verdict::Allow)
            }
            900 => {
                expected.push((timed(n), n, None));
                began(timed(n), n, Verdict::Block)
            }
            _ => filler(),
        };
        pending.push(log.submit(event).unwrap());
    }
    pending.into_iter().for_each(|p| drop(p.wait().unwrap()));
    for published in [false, true] {
        if published {
            log.publish_now().unwrap();
        }
        let mut reader = LogReader::open(dir.path()).unwrap();
        for (exchange, request, outcome) in &expected {
            let found = reader.find_exchange(*exchange).unwrap().unwrap_or_else(|| panic!("{request}"));
            assert_eq!(found.request.index, *request);
            assert_eq!(found.outcome.map(|e| e.index), *outcome);
        }
        assert_eq!(reader.find_exchange(timed(25)).unwrap(), None);
        assert_eq!(reader.find_exchange(ExchangeId::from_bytes([1; 16])).unwrap(), None);
    }
    log.close().unwrap();
}
