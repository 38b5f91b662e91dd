//! Exchanges as rows of a table, the same in every list.

use std::collections::BTreeMap;
use std::time::Duration;

use bastide_admin::{Decided, ExchangeRow, OutcomeEntry};
use bastide_types::{Category, Timestamp, Verdict};

use crate::design::{Badge, Chip, Column, Href, Html, LineUp, Row, Tone, When, format};

/// Categories that a row names; of more, how many.
const MOST_CHIPS: usize = 2;
/// Letters of a name that callers invent.
const MOST_NAME: usize = 40;
/// After so long without an end, nobody waits for one any more.
const LONGEST: Duration = Duration::from_secs(3_600);

/// The columns of [`row`].
pub(super) fn columns() -> [Column; 8] {
    [
        Column::text("When"),
        Column::text("Verdict"),
        Column::text("Key"),
        Column::text("Model"),
        Column::text("Findings"),
        Column::text("Answer"),
        Column::number("Own / total"),
        Column::number("Tokens"),
    ]
}

/// An exchange, which leads to its page.
pub(super) fn row(row: &ExchangeRow, now: Timestamp) -> Row {
    let request = &row.request;
    let key = row.key.as_ref().map_or_else(|| Html::from("–"), |key| short(&key.name).into());
    let upstream = row.outcome.as_ref().map_or(&request.upstream, |o| &o.upstream);
    // What was refused went nowhere.
    let model = match upstream.is_empty() || !request.sent {
        true => short(&request.model),
        false => format!("{} → {}", short(&request.model), short(upstream)),
    };
    let (times, tokens) = match &row.outcome {
        None => (Html::from("–"), Html::from("–")),
        Some(o) => (times(o).into(), tokens(o).into()),
    };
    Row::new([
        When::new(row.at, now).into(),
        verdict(row).into(),
        key,
        model.into(),
        findings(row),
        answer(row, now),
        times,
        tokens,
    ])
    .href(page(&request.exchange))
    .tag("id", request.exchange.clone())
    .tag("verdict", row.verdict().as_str())
}

/// The page of an exchange.
pub(super) fn page(exchange: &str) -> Href {
    Href::page("/console/exchanges").segment(exchange)
}

/// A name that callers invent, as far as a row has room.
pub(super) fn short(name: &str) -> String {
    match name.chars().count() > MOST_NAME {
        true => name.chars().take(MOST_NAME).chain(['…']).collect(),
        false => name.to_owned(),
    }
}

/// Whether the guard only looked.
pub(super) fn is_observed(row: &ExchangeRow) -> bool {
    let halves = [row.request.guard.as_ref(), row.outcome.as_ref().and_then(|o| o.guard.as_ref())];
    halves.into_iter().flatten().any(|half| half.mode == "observe")
}

/// The verdict, as what was done or, where the guard only looked, as what would have been.
pub(super) fn verdict(row: &ExchangeRow) -> Badge {
    let verdict = row.verdict();
    match would(verdict, is_observed(row) && !row.is_denied()) {
        Some(words) => Badge::new(verdict.into(), words),
        None => verdict.into(),
    }
}

/// What a verdict is called where it was not carried out.
pub(super) fn would(verdict: Verdict, observed: bool) -> Option<String> {
    (observed && verdict > Verdict::Flag).then(|| format!("would {verdict}"))
}

/// Which policies refused it, in words; `None`: none did.
pub(super) fn denied_by(decisions: &[Decided]) -> Option<String> {
    let denied = decisions.iter().find(|decision| decision.effect == "deny")?;
    Some(match denied.policies.as_slice() {
        [] => format!("no policy permits `{}`", denied.action),
        [one] => format!("the policy `{one}` forbids `{}`", denied.action),
        several => format!("the policies `{}` forbid `{}`", several.join("`, `"), denied.action),
    })
}

/// What was found, by category.
pub(super) fn counts(row: &ExchangeRow) -> BTreeMap<&str, u64> {
    let mut counts: BTreeMap<&str, u64> = BTreeMap::new();
    for found in row.findings() {
        *counts.entry(&found.category).or_default() += 1;
    }
    counts
}

fn findings(row: &ExchangeRow) -> Html {
    let counts = counts(row);
    let chip = |(category, count): (&&str, &u64)| -> Html {
        let words = match count {
            1 => (*category).to_owned(),
            n => format!("{category} ×{n}"),
        };
        Chip::new(tone_of(category), words).into()
    };
    let mut chips: Vec<Html> = counts.iter().take(MOST_CHIPS).map(chip).collect();
    if let Some(more) = counts.len().checked_sub(MOST_CHIPS).filter(|more| *more > 0) {
        chips.push(format!("+{more}").into());
    }
    if chips.is_empty() { Html::new() } else { LineUp::new(chips).into() }
}

/// The tone of a category: what it is about.
pub(super) fn tone_of(category: &str) -> Tone {
    use bastide_types::Guarded as G;
    match category.parse::<Category>().map(Category::family) {
        Ok(G::PersonalData) => Tone::Tokenise,
        Ok(G::Secret) => Tone::Redact,
        Ok(G::Attack) => Tone::Hold,
        Ok(G::Own) | Err(_) => Tone::Neutral,
    }
}

fn answer(row: &ExchangeRow, now: Timestamp) -> Html {
    match &row.outcome {
        Some(o) if o.ending == "complete" => format!("{}", o.status).into(),
        Some(o) => Html::from(format!("{} {}", o.status, ending(&o.ending))),
        None if !row.request.sent => "not sent".into(),
        None if now.since(row.at) < LONGEST => Badge::busy("running").into(),
        None => "no end recorded".into(),
    }
}

/// How an exchange ended, in words.
pub(super) fn ending(ending: &str) -> &'static str {
    match ending {
        "complete" => "complete",
        "blocked" => "stopped by the guard or a policy",
        "client_left" => "caller left",
        "upstream_failed" => "provider broke off",
        "upstream_error" => "provider's error",
        _ => "failed here",
    }
}

fn times(o: &OutcomeEntry) -> String {
    let words = |micros| format::duration(Duration::from_micros(micros));
    format!("{} / {}", words(o.own_micros), words(o.total_micros))
}

fn tokens(o: &OutcomeEntry) -> String {
    let about = if o.estimated { "≈ " } else { "" };
    format!("{about}{} → {}", format::count(o.input_tokens), format::count(o.output_tokens))
}
