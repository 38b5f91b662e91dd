//! What was decided about an exchange, and what was found in it.

use bastide_admin::{Found, Guarded, RuleShown, Said, rule_for};
use bastide_types::{Direction, Verdict};

use super::super::rows;
use super::Exchange;
use crate::design::{
    Badge, Card, Chip, Column, Empty, Href, Html, Id, LineUp, Link, Row, Table, Text, Tone, format, prose,
};
use crate::web::{Refusal, Visit};

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

pub(super) fn findings(visit: &Visit<'_>, exchange: &Exchange) -> Result<Card, Refusal> {
    let request = half(visit, exchange, Direction::Request)?;
    let answer = half(visit, exchange, Direction::Response)?;
    let columns = [
        Column::text("Found"),
        Column::text("In text of"),
        Column::text("Where"),
        Column::text("Detector"),
        Column::text("Why"),
        Column::number("Score"),
        Column::text("Rule"),
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
    Ok(card.flush().body(table))
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

fn half(visit: &Visit<'_>, exchange: &Exchange, direction: Direction) -> Result<Vec<Row>, Refusal> {
    let outcome = exchange.outcome.as_ref();
    let (name, guard, body) = match direction {
        Direction::Request => ("request", exchange.request.guard.as_ref(), "request received"),
        Direction::Response => ("answer", outcome.and_then(|o| o.guard.as_ref()), "response received"),
    };
    let Some(guard) = guard else { return Ok(Vec::new()) };
    let said = exchange.shown.bodies.iter().find(|b| b.kind == body).map_or(&[][..], |b| &b.said);
    let profile = visit.admin().profile_of(&guard.profile)?;
    let carried = Carried::of(exchange, guard, direction);
    let row = |found: &Found| {
        let rule = profile.as_ref().and_then(|profile| rule_for(profile, found, direction));
        Row::new([
            Chip::new(rows::tone_of(&found.category), &found.category).into(),
            format!("{name}, {}", found.origin.replace('_', " ")).into(),
            format!("{}, bytes {}–{}", place(found, said), found.start, found.end).into(),
            Id::plain(found.detector.as_str()).into(),
            why(found, exchange),
            format::score(u16::try_from(found.score).unwrap_or(u16::MAX)).into(),
            rule.map_or_else(Html::new, |rule| in_words(&rule).into()),
            done(&found.verdict, carried).into(),
        ])
    };
    Ok(guard.findings.iter().map(row).collect())
}

/// Why its detector found it, and in which reading where that is not the text as written.
fn why(found: &Found, exchange: &Exchange) -> Html {
    let reason = exchange.shown.reasons.get(found.detector.as_str()).map(String::as_str);
    let reading = (found.view != "raw").then(|| format!("read as {}", reading(&found.view)));
    let said: Vec<&str> = reason.into_iter().chain(reading.as_deref()).collect();
    prose(&Text::from(said.join("; ")))
}

/// Where in a body it stands.
fn place(found: &Found, said: &[Said]) -> String {
    let piece = said.iter().find(|s| s.segment.is_some_and(|at| u64::try_from(at) == Ok(found.segment)));
    match piece.filter(|s| !s.path.is_empty()) {
        Some(piece) => rows::short(&piece.path),
        None => format!("text {}", found.segment + 1),
    }
}

/// A rule in a line: what it is about, and since when it is so.
fn in_words(rule: &RuleShown) -> String {
    let from =
        if rule.from == "anyone" { String::new() } else { format!(", {}", rule.from.replace('_', " ")) };
    let score = match rule.min_score {
        0 => String::new(),
        from => format!(", from {}", format::score(from)),
    };
    let whose = if rule.yours { "yours" } else { "default" };
    format!("{}{from}{score} ({whose})", rule.finding)
}

/// Whether what the guard said about a half was carried out.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Carried {
    /// It was.
    Out,
    /// The guard only looked.
    NotActing,
    /// Nothing went on: the exchange was refused before.
    NotSent,
}

impl Carried {
    fn of(exchange: &Exchange, guard: &Guarded, direction: Direction) -> Self {
        let refused = direction == Direction::Request && !exchange.request.sent;
        match guard.mode.as_str() {
            "observe" => Carried::NotActing,
            _ if refused => Carried::NotSent,
            _ => Carried::Out,
        }
    }
}

/// The reading of the text in which it was found.
fn reading(view: &str) -> &'static str {
    match view {
        "folded" => "look-alikes and escapes → plain",
        "base64" => "base64 → plain",
        "hex" => "hexadecimal → plain",
        _ => "another",
    }
}

/// What was done, or would have been.
fn done(verdict: &str, carried: Carried) -> Badge {
    let verdict = verdict.parse().unwrap_or(Verdict::Allow);
    let (does, did) = match verdict {
        Verdict::Allow => return Badge::new(verdict.into(), "passed"),
        Verdict::Flag => return Badge::new(verdict.into(), "noted"),
        Verdict::Tokenise => ("replaced by a token", "replaced by a token"),
        Verdict::Redact => ("replaced for good", "replaced for good"),
        Verdict::Hold => ("held", "held, so refused"),
        Verdict::Block => ("refused", "refused"),
    };
    let words = match carried {
        Carried::NotActing => format!("would be {does}"),
        Carried::NotSent if verdict < Verdict::Hold => format!("would have been {does}"),
        Carried::Out | Carried::NotSent => did.to_owned(),
    };
    Badge::new(verdict.into(), words)
}
