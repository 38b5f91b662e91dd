//! Instants as people write and read them.

use std::time::Duration;

use bastide_types::Timestamp;

use crate::failure::Failure;

/// How long a key lasts unless somebody says otherwise, wherever it is made: one that nobody remembers ends by itself.
pub const KEY_LASTS: &str = "90d";
/// The same for an API token.
pub const TOKEN_LASTS: &str = "90d";
/// What is said of a key that does not end.
pub const NEVER: &str = "never";

/// A key that is to live longer is a typing error, or a key without expiry.
const LONGEST: Duration = Duration::from_secs(3_653 * 86_400);

/// Longer, and a rotation is none.
const LONGEST_OVERLAP: Duration = Duration::from_secs(90 * 86_400);

/// RFC 3339 in UTC.
pub fn show_time(at: Timestamp) -> String {
    i64::try_from(at.as_micros())
        .ok()
        .and_then(|micros| jiff::Timestamp::from_microsecond(micros).ok())
        .map_or_else(|| at.as_micros().to_string(), |t| format!("{t:.3}"))
}

/// When a key ends: never, or as [`expiry`] has it; [`KEY_LASTS`] where nothing is said.
pub(crate) fn key_expiry(text: Option<&str>, now: Timestamp) -> Result<Option<Timestamp>, Failure> {
    match text.unwrap_or(KEY_LASTS) {
        NEVER => Ok(None),
        text => expiry(text, now).map(Some),
    }
}

/// An expiry: an RFC 3339 time, a day (UTC) that it lasts through, or a span from now.
pub(crate) fn expiry(text: &str, now: Timestamp) -> Result<Timestamp, Failure> {
    let shown: String = text.chars().filter(|c| !c.is_control()).take(40).collect();
    let wrong = || {
        Failure::usage(format!(
            "`{shown}` is no time: write a day (`2027-01-31`), a time (`2027-01-31T12:00:00Z`), or a span in seconds, \
             minutes, hours, days or weeks: `90s`, `15m`, `12h`, `30d`, `8w`"
        ))
    };
    let past = || Failure::usage(format!("`{shown}` is in the past: such a key would never work"));
    let far = || {
        Failure::usage(format!(
            "`{shown}` is more than ten years away: choose an earlier time, or `never` for a key that does not \
             end"
        ))
    };
    let at = if let Ok(time) = text.parse::<jiff::Timestamp>() {
        // Before 1970 is in the past too.
        Timestamp::from_micros(u64::try_from(time.as_microsecond()).map_err(|_| past())?)
    } else if let Some(end) = end_of_day(text) {
        Timestamp::from_micros(u64::try_from(end.as_microsecond()).map_err(|_| past())?)
    } else {
        let (number, seconds) = parts(text).ok_or_else(wrong)?;
        if let Some(digits) = number.strip_prefix('-')
            && is_number(digits)
        {
            return Err(past());
        }
        if !is_number(number) {
            return Err(wrong());
        }
        // Digits that do not fit are a number that is too large.
        let span = number.parse::<u64>().ok().and_then(|n| n.checked_mul(seconds)).ok_or_else(far)?;
        now.plus(Duration::from_secs(span))
    };
    if at <= now {
        return Err(past());
    }
    if at.since(now) > LONGEST {
        return Err(far());
    }
    Ok(at)
}

/// The end of a day (UTC): whoever says a day means all of it.
fn end_of_day(text: &str) -> Option<jiff::Timestamp> {
    // Nothing else that jiff reads as a date: `20270131` may be a slip of anything.
    let written = text.len() == 10 && text.as_bytes().get(4) == Some(&b'-');
    let day: jiff::civil::Date = text.parse().ok().filter(|_| written)?;
    Some(day.tomorrow().ok()?.to_zoned(jiff::tz::TimeZone::UTC).ok()?.timestamp())
}

/// The number of a span and how many seconds its unit has.
fn parts(text: &str) -> Option<(&str, u64)> {
    let unit = text.chars().next_back()?;
    let seconds = match unit {
        's' => 1,
        'm' => 60,
        'h' => 3_600,
        'd' => 86_400,
        'w' => 7 * 86_400,
        _ => return None,
    };
    Some((text.strip_suffix(unit)?, seconds))
}

/// How long a key that has a successor still works: `0`, or a span.
pub(crate) fn overlap(text: &str) -> Result<Duration, Failure> {
    let shown: String = text.chars().filter(|c| !c.is_control()).take(40).collect();
    if text == "0" {
        return Ok(Duration::ZERO);
    }
    let span = parts(text)
        .filter(|(number, _)| is_number(number))
        .ok_or_else(|| Failure::usage(format!("`{shown}` is no span: write `0`, or `15m`, `24h`, `7d`")))?;
    let seconds = span.0.parse::<u64>().ok().and_then(|n| n.checked_mul(span.1)).map(Duration::from_secs);
    seconds.filter(|span| *span <= LONGEST_OVERLAP).ok_or_else(|| {
        Failure::usage(format!("`{shown}` is more than 90 days: a key that was replaced should end"))
    })
}

fn is_number(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit())
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Timestamp = Timestamp::from_micros(1_800_000_000_000_000);

    #[test]
    fn spans_and_times_are_read() {
        for (text, seconds) in [
            ("2s", 2),
            ("15m", 900),
            ("12h", 43_200),
            ("30d", 2_592_000),
            ("2w", 1_209_600),
            ("3653d", 315_619_200),
        ] {
            assert_eq!(expiry(text, NOW).ok(), Some(NOW.plus(Duration::from_secs(seconds))), "{text}");
        }
        assert_eq!(expiry("2027-01-15T08:00:01Z", NOW).ok(), Some(NOW.plus(Duration::from_secs(1))));
        // NOW is 8 o'clock of the day.
        assert_eq!(expiry("2027-01-15", NOW).ok(), Some(NOW.plus(Duration::from_secs(16 * 3_600))));
    }

    #[test]
    fn a_key_lasts_as_long_as_the_constant_says_unless_told_otherwise() {
        assert_eq!(key_expiry(None, NOW).ok(), expiry(KEY_LASTS, NOW).ok().map(Some));
        assert_eq!(key_expiry(Some("never"), NOW).ok(), Some(None));
        assert_eq!(key_expiry(Some("1h"), NOW).ok(), Some(Some(NOW.plus(Duration::from_secs(3_600)))));
        assert!(key_expiry(Some("Never"), NOW).is_err());
    }

    #[test]
    fn overlaps_are_spans_with_a_bound() {
        for (text, seconds) in [("0", 0), ("0s", 0), ("1h", 3_600), ("7d", 604_800), ("90d", 7_776_000)] {
            assert_eq!(overlap(text).ok(), Some(Duration::from_secs(seconds)), "{text}");
        }
        for text in ["", "1", "-1h", "91d", "1y", "99999999999999999999h"] {
            assert!(overlap(text).is_err(), "{text}");
        }
    }

    #[test]
    fn what_cannot_be_meant_says_why() {
        for (text, why) in [
            ("", "is no time"),
            ("d", "is no time"),
            ("30", "is no time"),
            ("30y", "is no time"),
            ("+3d", "is no time"),
            ("3 d", "is no time"),
            ("30é", "is no time"),
            ("tomorrow", "is no time"),
            ("2027-02-30", "is no time"),
            ("20270131", "is no time"),
            ("2027-01-14", "in the past"),
            ("9999-12-31", "is no time"),
            ("0s", "in the past"),
            ("-3d", "in the past"),
            ("2000-01-01T00:00:00Z", "in the past"),
            ("1812-01-01T00:00:00Z", "in the past"),
            ("3654d", "ten years"),
            ("99999999999999999999999d", "ten years"),
            ("18446744073709551615w", "ten years"),
            ("9999-01-01T00:00:00Z", "ten years"),
        ] {
            let failure = expiry(text, NOW).expect_err(text);
            assert!(failure.message().contains(why), "{text}: {failure}");
            assert_eq!(failure.code(), 2, "{text}");
        }
    }
}
