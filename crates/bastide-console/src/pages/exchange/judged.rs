//! What was decided about an exchange, and what was found in it.

use bastide_admin::{Found, Guarded, Said};
use bastide_types::Verdict;

use super::super::rows;
use super::Exchange;
use crate::design::{Badge, Card, Chip, Column, Empty, Href, Html, LineUp, Link, Row, Table, Tone, format};

/// Findings of a page; the log has up to some two hundred of a half.
const MOST_FOUND: usize = 40;

pub(super) fn decisions(exchange: &Exchange) -> Card {
    let answer = exchange.outcome.iter().flat_map(|o| &o.decisions);
    let columns = [Column::text("Asked"), Column::text("Decision"), Column::text("By")];
    let rows = exchange.request.decisions.iter().chain(answer).map(|decision| {
        let denied = decision.effect == "deny";
        let badge = match denied {
            true => Badge::new(Tone::Block, "deny"),
            false => Badge::new(Tone::Allow, "permit"),
        };
        let by: Html = match (decision.policies.is_empty(), denied) {
            (true, true) => "no policy permits it".into(),
            (true, false) => Html::new(),
            (false, _) => {
                LineUp::new(decision.policies.iter().map(|p| Chip::new(Tone::Neutral, p).into())).into()
            }
        };
        Row::new([what(&decision.action).into(), badge.into(), by])
    });
    let table = Table::new("Decisions", columns)
        .rows(rows)
        .empty(Empty::new("No decision", "The guard refused it before a policy was asked."));
    Card::new("Decisions").end(Link::new(Href::page("/console/policies"), "Policies")).flush().body(table)
}

fn what(action: &str) -> String {
    let means = match action {
        "invoke" => "may this key use this model",
        "release" => "may the request leave, with what was found in it",
        "receive" => "may the answer be passed on",
        "restore" => "may values be put back into the answer",
        _ => return action.to_owned(),
    };
    format!("{action}: {means}")
}

pub(super) fn findings(exchange: &Exchange) -> Card {
    let request = half(exchange, "Request", exchange.request.guard.as_ref(), "request received");
    let answer = exchange.outcome.as_ref().and_then(|o| o.guard.as_ref());
    let answer = half(exchange, "Answer", answer, "response received");
    let columns = [
        Column::text("Half"),
        Column::text("Found"),
        Column::text("Where"),
        Column::text("Written by"),
        Column::text("Reading"),
        Column::text("Detector"),
        Column::number("Score"),
        Column::text("Done"),
    ];
    let rows: Vec<Row> = request.into_iter().chain(answer).collect();
    let count = rows.len();
    let table = Table::new("Findings", columns)
        .rows(rows.into_iter().take(MOST_FOUND))
        .empty(Empty::new("Nothing was found", looked(exchange)));
    let card = Card::new("Findings").end(Link::new(Href::page("/console/guard"), "Guard profile"));
    let card = match count > MOST_FOUND {
        true => card.note(format!("The first {MOST_FOUND} of {count}; the log's entries list all of them.")),
        false => card,
    };
    card.flush().body(table)
}

/// What was looked at, where nothing was found.
fn looked(exchange: &Exchange) -> String {
    let answer = exchange.outcome.as_ref().and_then(|o| o.guard.as_ref());
    let halves: Vec<&Guarded> = exchange.request.guard.iter().chain(answer).collect();
    let sum = |of: fn(&Guarded) -> u64| halves.iter().map(|half| of(half)).sum::<u64>();
    match halves.iter().any(|half| half.mode != "off") {
        true => format!(
            "{} texts with {} were inspected; {} parts are of a kind that nobody could read.",
            format::count(sum(|g| g.segments)),
            format::bytes(sum(|g| g.bytes)),
            format::count(sum(|g| g.unscanned))
        ),
        false => "The guard did not look: it was off, or a policy refused the request before.".to_owned(),
    }
}

fn half(exchange: &Exchange, name: &'static str, guard: Option<&Guarded>, body: &str) -> Vec<Row> {
    let said = exchange.shown.bodies.iter().find(|b| b.kind == body).map_or(&[][..], |b| &b.said);
    let Some(guard) = guard else { return Vec::new() };
    let observed = guard.mode == "observe";
    guard.findings.iter().map(|found| row(name, found, said, observed)).collect()
}

fn row(half: &'static str, found: &Found, said: &[Said], observed: bool) -> Row {
    let piece = said.iter().find(|s| s.segment.is_some_and(|at| u64::try_from(at) == Ok(found.segment)));
    let place = match piece.filter(|s| !s.path.is_empty()) {
        Some(piece) => rows::short(&piece.path),
        None => format!("text {}", found.segment + 1),
    };
    let score = f64::from(u32::try_from(found.score).unwrap_or(0)) / 1000.0;
    Row::new([
        half.into(),
        Chip::new(rows::tone_of(&found.category), &found.category).into(),
        format!("{place}, bytes {}–{}", found.start, found.end).into(),
        found.origin.replace('_', " ").into(),
        reading(&found.view).into(),
        found.detector.as_str().into(),
        format::percent(score).into(),
        done(&found.verdict, observed).into(),
    ])
}

/// The reading of the text in which it was found.
fn reading(view: &str) -> &'static str {
    match view {
        "raw" => "as written",
        "folded" => "look-alikes and escapes → plain",
        "base64" => "base64 → plain",
        "hex" => "hexadecimal → plain",
        _ => "another",
    }
}

/// What was done, or would have been.
fn done(verdict: &str, observed: bool) -> Badge {
    let verdict = verdict.parse().unwrap_or(Verdict::Allow);
    let words = match (verdict, observed) {
        (Verdict::Allow, _) => "passed",
        (Verdict::Flag, _) => "noted",
        (Verdict::Tokenise, false) => "replaced by a token",
        (Verdict::Tokenise, true) => "would be replaced by a token",
        (Verdict::Redact, false) => "replaced for good",
        (Verdict::Redact, true) => "would be replaced for good",
        (Verdict::Hold, false) => "held",
        (Verdict::Hold, true) => "would be held",
        (Verdict::Block, false) => "refused",
        (Verdict::Block, true) => "would be refused",
    };
    Badge::new(verdict.into(), words)
}
