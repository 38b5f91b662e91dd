//! Numbers, sizes and times in words. What time it is now is an argument.

use std::time::Duration;

use bastide_types::Timestamp;

/// A score between 0 and 1, given in per mille, as people write it.
#[must_use]
pub fn score(per_mille: u16) -> String {
    format!("{}.{:02}", per_mille / 1000, per_mille % 1000 / 10)
}

/// `1,234,567`.
#[must_use]
pub fn count(number: u64) -> String {
    let digits = number.to_string();
    let mut shown = String::with_capacity(digits.len() + digits.len() / 3);
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            shown.push(',');
        }
        shown.push(digit);
    }
    shown
}

/// `1 exchange`, `1,234 exchanges`: a number of what is called by a regular noun.
#[must_use]
pub fn counted(number: u64, noun: &str) -> String {
    match (number, noun.strip_suffix('y')) {
        (1, _) => format!("1 {noun}"),
        (_, Some(stem)) => format!("{} {stem}ies", count(number)),
        (_, None) => format!("{} {noun}s", count(number)),
    }
}

/// Three digits that count and a unit: `950`, `1.23k`, `45.6M`. What is no number is `–`.
#[must_use]
pub fn short(number: f64) -> String {
    scaled(number, 1000.0, &["", "k", "M", "G", "T", "P"])
}

/// `640 B`, `1.5 KiB`, `12 GiB`.
#[must_use]
pub fn bytes(number: u64) -> String {
    bytes_of(number as f64)
}

/// The same of a number that was computed.
pub(crate) fn bytes_of(number: f64) -> String {
    scaled(number, 1024.0, &[" B", " KiB", " MiB", " GiB", " TiB", " PiB", " EiB"])
}

/// `12.3%` from `0.123`. What is no number is `–`.
#[must_use]
pub fn percent(ratio: f64) -> String {
    if !ratio.is_finite() {
        return "–".to_owned();
    }
    let percent = ratio * 100.0;
    let places = if percent.abs() >= 99.95 || percent == 0.0 { 0 } else { 1 };
    format!("{percent:.places$}%")
}

/// `850 µs`, `12.3 ms`, `4.21 s`, `3 min 12 s`, `2 h 5 min`, `3 d 4 h`.
#[must_use]
pub fn duration(duration: Duration) -> String {
    let (seconds, micros) = (duration.as_secs(), duration.as_micros());
    match seconds {
        0 if micros < 1000 => format!("{micros} µs"),
        0 => format!("{} ms", significant(micros as f64 / 1e3)),
        1..60 => format!("{} s", significant(duration.as_secs_f64())),
        60..3600 => two(seconds, 60, "min", "s"),
        3600..86_400 => two(seconds / 60, 60, "h", "min"),
        _ => two(seconds / 3600, 24, "d", "h"),
    }
}

/// `just now`, `12 s ago`, `5 min ago`, `3 h ago`, `2 d ago`, `in 5 min`; from four weeks away, the day.
#[must_use]
pub fn relative(then: Timestamp, now: Timestamp) -> String {
    let (away, future) = if then > now { (then.since(now), true) } else { (now.since(then), false) };
    let seconds = away.as_secs();
    let words = match seconds {
        0..5 => return "just now".to_owned(),
        5..60 => format!("{seconds} s"),
        60..3600 => format!("{} min", seconds / 60),
        3600..86_400 => format!("{} h", seconds / 3600),
        86_400..2_419_200 => format!("{} d", seconds / 86_400),
        _ => return utc(then).chars().take(10).collect(),
    };
    if future { format!("in {words}") } else { format!("{words} ago") }
}

/// `2026-10-04 17:03:12 UTC`; an instant past the year 9999 is `after 9999`.
#[must_use]
pub fn utc(at: Timestamp) -> String {
    civil(at).map_or_else(|| "after 9999".to_owned(), |at| at.strftime("%Y-%m-%d %H:%M:%S UTC").to_string())
}

/// `2026-10-04T17:03:12.000000Z`, for the `datetime` of `<time>`; empty past the year 9999.
#[must_use]
pub fn rfc3339(at: Timestamp) -> String {
    civil(at).map_or_else(String::new, |at| at.strftime("%Y-%m-%dT%H:%M:%S.%6fZ").to_string())
}

fn civil(at: Timestamp) -> Option<jiff::Timestamp> {
    jiff::Timestamp::from_microsecond(i64::try_from(at.as_micros()).ok()?).ok()
}

fn scaled(number: f64, base: f64, units: &[&str]) -> String {
    if !number.is_finite() {
        return "–".to_owned();
    }
    let (mut left, mut unit) = (number, "");
    for (at, next) in units.iter().enumerate() {
        unit = next;
        // What would be printed as 1000 belongs to the next unit.
        if left.abs() < base - 0.5 || at + 1 == units.len() {
            break;
        }
        left /= base;
    }
    format!("{}{unit}", significant(left))
}

/// Three digits that count, no zeros at the end.
fn significant(number: f64) -> String {
    let places = match number.abs() {
        n if n >= 99.95 => 0,
        n if n >= 9.995 => 1,
        _ => 2,
    };
    let shown = format!("{number:.places$}");
    let shown = if shown.contains('.') { shown.trim_end_matches('0').trim_end_matches('.') } else { &shown };
    if shown == "-0" { "0".to_owned() } else { shown.to_owned() }
}

fn two(small: u64, per: u64, large_unit: &str, small_unit: &str) -> String {
    match (small / per, small % per) {
        (large, 0) => format!("{large} {large_unit}"),
        (large, rest) => format!("{large} {large_unit} {rest} {small_unit}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_and_sizes() {
        let counted = [counted(0, "exchange"), counted(1, "entry"), counted(1_200, "entry")];
        assert_eq!(counted, ["0 exchanges", "1 entry", "1,200 entries"]);
        let counts: Vec<_> = [0, 999, 1000, 1_234_567, u64::MAX].into_iter().map(count).collect();
        assert_eq!(counts, ["0", "999", "1,000", "1,234,567", "18,446,744,073,709,551,615"]);
        let shorts: Vec<_> =
            [0.0, 0.5, 12.0, 999.7, 1234.0, 45_600_000.0, f64::NAN, -2500.0].into_iter().map(short).collect();
        assert_eq!(shorts, ["0", "0.5", "12", "1k", "1.23k", "45.6M", "–", "-2.5k"]);
        let sizes: Vec<_> = [0, 640, 1536, 12 << 30, u64::MAX].into_iter().map(bytes).collect();
        assert_eq!(sizes, ["0 B", "640 B", "1.5 KiB", "12 GiB", "16 EiB"]);
        let percents: Vec<_> = [0.0, 0.1234, 1.0, f64::INFINITY].into_iter().map(percent).collect();
        assert_eq!(percents, ["0%", "12.3%", "100%", "–"]);
    }

    #[test]
    fn durations() {
        let shown: Vec<_> = [0, 850, 12_345, 4_210_000, 192_000_000, 7_500_000_000, 273_600_000_000]
            .into_iter()
            .map(|micros| duration(Duration::from_micros(micros)))
            .collect();
        assert_eq!(shown, ["0 µs", "850 µs", "12.3 ms", "4.21 s", "3 min 12 s", "2 h 5 min", "3 d 4 h"]);
    }

    #[test]
    fn times_near_and_far() {
        let now = Timestamp::from_micros(1_790_000_000_000_000);
        let back =
            |seconds: u64| relative(Timestamp::from_micros(now.as_micros() - seconds * 1_000_000), now);
        assert_eq!(
            ["just now", "12 s ago", "5 min ago", "3 h ago", "2 d ago"].to_vec(),
            [back(1), back(12), back(301), back(3 * 3600), back(2 * 86_400)]
        );
        assert_eq!(back(40 * 86_400), "2026-08-12");
        assert_eq!(relative(now.plus(Duration::from_secs(300)), now), "in 5 min");
        assert_eq!(utc(now), "2026-09-21 14:13:20 UTC");
        assert_eq!(rfc3339(now), "2026-09-21T14:13:20.000000Z");
        assert_eq!(utc(Timestamp::from_micros(u64::MAX)), "after 9999");
    }
}
