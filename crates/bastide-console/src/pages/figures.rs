//! What passed in a span of time, out of the gateway's slots.

use std::time::Duration;

use bastide_gateway::{Slot, Traffic};
use bastide_types::{Category, Timestamp};

use crate::design::{Heatmap, Href, Tabs, Text, Tone, format};

/// How far back figures go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Span {
    Hour,
    Day,
    Month,
}

/// A span, cut into slots.
pub(super) struct Figures {
    /// Each with the time it begins at, oldest first.
    pub(super) slots: Vec<(Timestamp, Slot)>,
    /// All of them together.
    pub(super) sum: Slot,
    /// The span before, where the gateway's slots go back so far.
    pub(super) before: Option<Slot>,
    span: Span,
}

impl Span {
    const ALL: [Span; 3] = [Span::Hour, Span::Day, Span::Month];

    /// From the query; the day where that says nothing known.
    pub(super) fn named(name: &str) -> Self {
        Span::ALL.into_iter().find(|span| span.as_str() == name).unwrap_or(Span::Day)
    }

    pub(super) const fn as_str(self) -> &'static str {
        match self {
            Span::Hour => "1h",
            Span::Day => "24h",
            Span::Month => "30d",
        }
    }

    /// In words that follow `in`.
    pub(super) const fn words(self) -> &'static str {
        match self {
            Span::Hour => "the last hour",
            Span::Day => "the last 24 hours",
            Span::Month => "the last 30 days",
        }
    }

    /// Links to the same page over the other spans.
    pub(super) fn tabs(self, page: &Href) -> Tabs {
        let current = Span::ALL.iter().position(|span| *span == self).unwrap_or(0);
        Span::ALL.into_iter().fold(Tabs::new("Span", current), |tabs, span| {
            tabs.tab(span.as_str(), page.clone().query("span", span.as_str()))
        })
    }

    /// What passed in it until now.
    pub(super) fn figures(self, traffic: &Traffic, now: Timestamp) -> Figures {
        let (all, shown, together) = match self {
            Span::Hour => (traffic.minutes(now, 120), 60, 2),
            Span::Day => (traffic.hours(now, 48), 24, 1),
            Span::Month => (traffic.hours(now, 720), 720, 24),
        };
        let (before, last) = all.split_at(all.len().saturating_sub(shown));
        let slots: Vec<(Timestamp, Slot)> =
            last.chunks(together).filter_map(|chunk| Some((chunk.first()?.0, sum(chunk)))).collect();
        let before = (!before.is_empty()).then(|| sum(before));
        Figures { sum: sum(&slots), slots, before, span: self }
    }
}

fn sum(slots: &[(Timestamp, Slot)]) -> Slot {
    slots.iter().fold(Slot::default(), |mut all, (_, slot)| {
        all.merge(slot);
        all
    })
}

impl Figures {
    /// The slots' names: the time that each begins at, UTC.
    pub(super) fn names(&self) -> Vec<Text> {
        let (from, to) = match self.span {
            Span::Hour | Span::Day => (11, 16),
            Span::Month => (5, 10),
        };
        let name = |at: Timestamp| format::utc(at).get(from..to).unwrap_or_default().to_owned();
        self.slots.iter().map(|(at, _)| name(*at).into()).collect()
    }

    /// A number of each slot.
    pub(super) fn each(&self, number: impl Fn(&Slot) -> f64) -> impl Iterator<Item = f64> {
        self.slots.iter().map(move |(_, slot)| number(slot))
    }

    /// A time of each slot in milliseconds; of an empty one, none.
    pub(super) fn millis(&self, time: impl Fn(&Slot) -> Option<Duration>) -> impl Iterator<Item = f64> {
        self.each(move |slot| time(slot).map_or(f64::NAN, |t| t.as_secs_f64() * 1e3))
    }

    /// The categories of which anything was found, the most found first.
    pub(super) fn found(&self) -> Vec<(Category, u32)> {
        let counts = Category::ALL.iter().map(|category| (*category, self.sum.found(*category)));
        let mut found: Vec<_> = counts.filter(|(_, count)| *count > 0).collect();
        found.sort_by_key(|(_, count)| std::cmp::Reverse(*count));
        found
    }

    /// Findings by category and time.
    pub(super) fn findings_map(&self, title: &'static str) -> Heatmap {
        let map = Heatmap::new(title, Tone::Hold, self.names());
        self.found().into_iter().fold(map, |map, (category, _)| {
            map.row(category.as_str(), self.each(|slot| f64::from(slot.found(category))))
        })
    }

    /// How a number changed against the span before: `+12% against the hour before`; nothing where there was none.
    pub(super) fn change(&self, number: impl Fn(&Slot) -> f64) -> Option<(f64, String)> {
        let before = self.before.as_ref().map(&number).filter(|n| *n > 0.0)?;
        let ratio = number(&self.sum) / before - 1.0;
        Some((ratio, change_words(ratio)))
    }
}

fn change_words(ratio: f64) -> String {
    match ratio {
        // A hundredfold says more than its percentages.
        r if r >= 9.0 => format!("×{}", format::short(r + 1.0)),
        r if r > 0.0 => format!("+{}", format::percent(r)),
        r => format::percent(r),
    }
}

#[cfg(test)]
mod tests {
    use bastide_gateway::Noted;
    use bastide_types::{Ending, Verdict};

    use super::*;

    #[test]
    fn each_span_counts_what_passed_in_it_and_in_the_one_before() {
        let traffic = Traffic::default();
        let now = Timestamp::from_micros(1_800_000_000_000_000);
        let minutes_ago = [0_u64, 59, 61, 119, 23 * 60, 26 * 60, 20 * 24 * 60];
        for minutes in minutes_ago {
            let at = Timestamp::from_micros(now.as_micros() - minutes * 60_000_000);
            traffic.note(
                now,
                &Noted {
                    at,
                    model: "m",
                    verdict: Verdict::Flag,
                    ending: Some(Ending::Complete),
                    findings: &[(Category::Secret, 2)],
                    input_tokens: 1,
                    output_tokens: 1,
                    own_micros: 1,
                    total_micros: 1,
                },
            );
        }
        let counted = |span: Span| {
            let figures = span.figures(&traffic, now);
            let before = figures.before.as_ref().map(|b| b.exchanges);
            (figures.slots.len(), figures.sum.exchanges, before)
        };
        assert_eq!(counted(Span::Hour), (30, 2, Some(2)));
        assert_eq!(counted(Span::Day), (24, 5, Some(1)));
        assert_eq!(counted(Span::Month), (30, 7, None), "the slots go back no further");
        let day = Span::Day.figures(&traffic, now);
        assert_eq!(day.found(), [(Category::Secret, 10)]);
        assert_eq!(day.change(|s| f64::from(s.exchanges)).map(|c| c.1).as_deref(), Some("+400%"));
        assert_eq!(Span::named("x"), Span::Day);
    }
}
