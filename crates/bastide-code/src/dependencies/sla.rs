//! How old a known vulnerability may become.

use std::fmt;
use std::str::FromStr;

use bastide_types::Severity;

/// Days from the publication of an advisory to the day by which it must be patched.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sla {
    /// Of a critical one.
    pub critical_days: u32,
    /// Of a severe one.
    pub high_days: u32,
    /// Of a moderate one.
    pub medium_days: u32,
    /// Of a small one.
    pub low_days: u32,
}

impl Default for Sla {
    fn default() -> Self {
        Sla { critical_days: 7, high_days: 30, medium_days: 90, low_days: 180 }
    }
}

/// Why a text names no times for patches.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SlaError(String);

impl fmt::Display for SlaError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "`{}` is no time for patches: write `critical=7,high=30,medium=90,low=180`, in days",
            self.0
        )
    }
}

impl std::error::Error for SlaError {}

/// `critical=7,high=30,medium=90,low=180`; what is left out stays as it is by default.
impl FromStr for Sla {
    type Err = SlaError;

    fn from_str(text: &str) -> Result<Self, SlaError> {
        let mut sla = Sla::default();
        for part in text.split(',') {
            let wrong = || SlaError(part.to_owned());
            let (name, days) = part.split_once('=').ok_or_else(wrong)?;
            let days = days.trim().parse().map_err(|_| wrong())?;
            match name.trim() {
                "critical" => sla.critical_days = days,
                "high" => sla.high_days = days,
                "medium" => sla.medium_days = days,
                "low" => sla.low_days = days,
                _ => return Err(wrong()),
            }
        }
        Ok(sla)
    }
}

impl Sla {
    /// The days allowed for one of that severity.
    #[must_use]
    pub fn days(&self, severity: Severity) -> u32 {
        match severity {
            Severity::Critical => self.critical_days,
            Severity::High => self.high_days,
            Severity::Medium => self.medium_days,
            _ => self.low_days,
        }
    }
}

/// By how many days a vulnerability of that severity, public since `published`, is overdue at `now`; both are RFC 3339.
/// `None` while there is time left, or where a date cannot be read.
#[must_use]
pub fn overdue(published: &str, now: &str, severity: Severity, sla: &Sla) -> Option<u32> {
    let age = day(now)?.checked_sub(day(published)?)?;
    let over = age.checked_sub(i64::from(sla.days(severity)))?;
    u32::try_from(over).ok().filter(|over| *over > 0)
}

/// Days since 1970-01-01 of the date at the start of an RFC 3339 time.
fn day(time: &str) -> Option<i64> {
    let date = time.get(..10)?;
    let mut parts = date.split('-').map(|part| part.parse::<i64>().ok());
    let (year, month, day) = (parts.next()??, parts.next()??, parts.next()??);
    if !(1970..=9999).contains(&year) || !(1..=12).contains(&month) || !(1..=31).contains(&day) {
        return None;
    }
    // Howard Hinnant, "chrono-compatible low-level date algorithms", days_from_civil.
    let year = if month <= 2 { year - 1 } else { year };
    let (era, of_era) = (year / 400, year % 400);
    let of_year = (153 * (month + if month > 2 { -3 } else { 9 }) + 2) / 5 + day - 1;
    Some(era * 146_097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719_468)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_read_and_what_is_left_out_stays() {
        let sla: Sla = "critical=1, low=365".parse().unwrap();
        assert_eq!(sla, Sla { critical_days: 1, low_days: 365, ..Sla::default() });
        for wrong in ["", "critical", "critical=", "critical=-1", "urgent=3", "high=3,"] {
            assert!(wrong.parse::<Sla>().is_err(), "{wrong}");
        }
    }

    #[test]
    fn days_are_counted_over_leap_years() {
        assert_eq!(day("1970-01-01T00:00:00Z"), Some(0));
        assert_eq!(day("2000-03-01"), Some(11_017));
        assert_eq!(day("2026-13-01"), None);
        let sla = Sla::default();
        assert_eq!(overdue("2026-01-01T00:00:00Z", "2026-01-08T23:59:59Z", Severity::Critical, &sla), None);
        assert_eq!(
            overdue("2026-01-01T00:00:00Z", "2026-01-09T00:00:00Z", Severity::Critical, &sla),
            Some(1)
        );
        assert_eq!(overdue("2026-02-01T00:00:00Z", "2026-01-09T00:00:00Z", Severity::Critical, &sla), None);
    }
}
