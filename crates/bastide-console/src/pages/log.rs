//! The log: its entries, proofs that they are in it, and receipts.

mod changes;

use std::collections::HashSet;
use std::time::Duration;

use bastide_admin::{Entry, EntryFilter, EntryPage, Kind, LogHealth, Names, Proof, ReceiptShown, Says, Who};
use http::StatusCode;

use super::rows;
use crate::design::{
    Badge, Button, Callout, Card, Chip, Choice, Code, Column, Columns, Disclosure, Empty, Facts, Field,
    Filters, Form, Href, Html, Id, Language, Link, Pages, Paragraph, Row, Shell, Stat, Table, Text, Tiles,
    Tone, When, format, prose,
};
use crate::web::{Fields, Refusal, Reply, Visit};

/// Rows of a page.
const ROWS: usize = 50;
/// The kinds of entries, and what they are.
const KINDS: [(&str, &str); 7] = [
    ("request", "requests"),
    ("outcome", "outcomes"),
    ("denied", "refusals before an exchange"),
    ("changed", "changes"),
    ("revealed", "looks without masks"),
    ("started", "starts"),
    ("stopped", "stops"),
];

fn here() -> Href {
    Href::page("/console/log")
}

pub(super) async fn list(visit: &Visit<'_>) -> Result<Reply, Refusal> {
    Ok(visit.page(&list_page(visit, None).await?))
}

async fn list_page<'v>(visit: &'v Visit<'_>, receipt: Option<Html>) -> Result<Shell<'v>, Refusal> {
    let kind = visit.query.given("kind").filter(|kind| KINDS.iter().any(|(known, _)| known == kind));
    let text = visit.query.given("text").map(str::to_owned);
    let filtered = kind.is_some() || text.is_some();
    let before = visit.query.number("before").map_err(Refusal::Malformed)?;
    let filter = EntryFilter { kind: kind.map(str::to_owned), text: text.clone() };
    let found = visit.admin().entries(filter, before, ROWS).await?;
    let health = visit.admin().log_health().await?;
    let names = visit.admin().who_is_who()?;
    let columns = [Column::text("Entry"), Column::text("When"), Column::text("Kind"), Column::text("What")];
    let now = visit.now();
    let there: HashSet<u64> = found.entries.iter().map(|entry| entry.index).collect();
    let ended = &ended_intents(&found.entries) & &there;
    let row = |entry: &Entry| {
        Row::new([
            Html::from(place(entry, &ended)),
            When::new(entry.at, now).into(),
            Chip::new(tone(entry), entry.kind()).into(),
            line(entry, &names),
        ])
        .href(here().segment(&entry.index.to_string()))
    };
    let choices = KINDS.iter().map(|(kind, words)| Choice::new(*kind, *words));
    let filters = Filters::new(here())
        .field(
            Field::select("kind", "Kind", [Choice::new("", "any")].into_iter().chain(choices))
                .value(kind.unwrap_or_default()),
        )
        .field(
            Field::search("text", "With this text")
                .placeholder("a name, an id, an action, a model")
                .value(text.unwrap_or_default()),
        );
    let filters = if filtered { filters.clear(here()) } else { filters };
    let table = Table::new("Entries", columns)
        .rows(found.entries.iter().filter(|entry| !ended.contains(&entry.index)).map(row))
        .empty(Empty::new("None like that", searched(&found)))
        .pages(Pages {
            previous: None,
            next: found.next.map(|next| with(&visit.query, Some(next))),
            note: searched(&found).into(),
        });
    let mut page = visit
        .shell("Log", &here())
        .lead("Everything that was decided and changed, in an order that nobody can change later.")
        .action(Link::button(here().segment("checkpoint"), "Checkpoint"))
        .body(tiles(&health));
    if before.is_some() {
        page = page.action(Link::button(with(&visit.query, None), "Newest"));
    }
    if let Some(why) = &health.failure {
        let callout = Callout::new(Tone::Block, "The log does not record or publish");
        page = page.body(callout.body(Paragraph::new(why)));
    }
    if let Some(result) = receipt {
        page = page.body(result);
    }
    page = page.body(filters).body(table);
    if let (true, Some(next)) = (found.entries.is_empty(), found.next) {
        let on = with(&visit.query, Some(next));
        page = page.body(Link::button(on, "Search on, further back").primary());
    }
    Ok(page.body(Columns::new([key_card(&health).into(), receipt_card(visit).into()])))
}

fn with(query: &Fields, before: Option<u64>) -> Href {
    let mut href = here();
    for name in ["kind", "text"] {
        if let Some(value) = query.given(name) {
            href = href.query(name, value);
        }
    }
    match before {
        Some(index) => href.query("before", &index.to_string()),
        None => href,
    }
}

fn searched(found: &EntryPage) -> String {
    let Some(to) = found.searched_to else { return String::new() };
    match found.next {
        Some(_) if found.entries.len() < ROWS => {
            format!(
                "{} found, searched back to {}; the next page goes on",
                found.entries.len(),
                format::utc(to)
            )
        }
        Some(_) => format!("{}, back to {}", counted(found), format::utc(to)),
        None => format!("{}; that is where the log begins", counted(found)),
    }
}

fn counted(found: &EntryPage) -> String {
    format::counted(found.entries.len() as u64, "entry")
}

/// The intents of this page whose outcome is on it too: one row says both.
fn ended_intents(entries: &[Entry]) -> HashSet<u64> {
    let intent = |entry: &Entry| match &entry.says {
        Says::Changed { intent, .. } => *intent,
        _ => None,
    };
    entries.iter().filter_map(intent).collect()
}

/// Where a row of the list stands in the log: an outcome with its intent, where that has no row of its own.
fn place(entry: &Entry, ended: &HashSet<u64>) -> String {
    match &entry.says {
        Says::Changed { intent: Some(intent), .. } if ended.contains(intent) => {
            format!("{intent}, {}", entry.index)
        }
        _ => entry.index.to_string(),
    }
}

fn tiles(health: &LogHealth) -> Tiles {
    let micros = |n| format::duration(Duration::from_micros(n));
    let p99 = if health.commits == 0 { "–".to_owned() } else { micros(health.commit_p99_micros) };
    let waits = health.entries.saturating_sub(health.published);
    let state = match health.failure {
        None => ("recording", Tone::Allow, "✓ healthy"),
        Some(_) => ("failing", Tone::Block, "✗ see below"),
    };
    Tiles::new([
        Stat::new("State", state.0).delta(state.1, state.2),
        Stat::new("Entries", format::count(health.entries)),
        Stat::new("Not yet under a checkpoint", format::count(waits)),
        Stat::new("Commits since the start", format::count(health.commits)),
        Stat::new("Commit, p99", p99),
    ])
}

fn key_card(health: &LogHealth) -> Card {
    Card::new("Whose log this is")
        .note("Whoever checks a receipt needs this key. Hand it out by another way than the receipts.")
        .body(Facts::new().fact("Name", health.origin.as_str()).fact("Public key", Id::new(&health.key)))
        .body(Disclosure::new(
            "Newest checkpoint",
            Code::new("checkpoint", Language::Plain, &health.checkpoint),
        ))
}

fn receipt_card(visit: &Visit<'_>) -> Card {
    let form = Form::post(here().segment("receipt"), &visit.csrf())
        .field(
            Field::area("receipt", "Receipt", 4)
                .mono()
                .value(visit.form.text("receipt"))
                .hint("The value of the `bastide-receipt` header of an answer, or of the comment at a stream's end.")
                .required(),
        )
        .button(Button::new("Check"));
    Card::new("Does a receipt hold?").body(form)
}

pub(super) async fn check_receipt(visit: &Visit<'_>) -> Result<Reply, Refusal> {
    let (status, result) = match visit.admin().check_receipt(visit.form.text("receipt")).await {
        Ok(shown) => {
            let result = result(&shown, &visit.admin().who_is_who()?);
            let key = visit.admin().log_health().await?.key;
            (StatusCode::OK, result.then(super::verify_command(visit.form.text("receipt"), &key)))
        }
        Err(failure) if failure.kind() == Kind::Usage => {
            let callout = Callout::new(Tone::Block, "That is no receipt");
            (StatusCode::UNPROCESSABLE_ENTITY, callout.body(Paragraph::new(failure.message())).into())
        }
        Err(failure) => return Err(failure.into()),
    };
    Ok(Reply::page_with(status, list_page(visit, Some(result)).await?.render()))
}

fn result(shown: &ReceiptShown, names: &Names) -> Html {
    let callout = match shown.holds {
        true => Callout::new(Tone::Allow, "The receipt holds"),
        false => Callout::new(Tone::Block, "The receipt does not hold"),
    };
    let callout = callout.body(Paragraph::new(&shown.says));
    match &shown.entry {
        None => callout.into(),
        Some(entry) => {
            let link = Link::new(here().segment(&entry.index.to_string()), format!("Entry {}", entry.index));
            callout.body(Paragraph::new(Html::from(link).then(": ").then(line(entry, names)))).into()
        }
    }
}

pub(super) async fn checkpoint(visit: &Visit<'_>) -> Result<Reply, Refusal> {
    let health = visit.admin().log_health().await?;
    if health.checkpoint.is_empty() {
        return Err(Refusal::NotFound(
            "the log has no checkpoint yet; it signs one every few seconds".to_owned(),
        ));
    }
    let name = "attachment; filename=\"checkpoint.txt\"";
    Ok(Reply::text("text/plain; charset=utf-8", health.checkpoint).header("content-disposition", name))
}

pub(super) async fn entry(visit: &Visit<'_>) -> Result<Reply, Refusal> {
    let index: u64 = visit.segment().parse().map_err(|_| Refusal::no("entry", visit.segment()))?;
    let proof = visit.admin().prove(index).await?;
    let names = visit.admin().who_is_who()?;
    let entry = &proof.entry;
    let neighbour = |index: u64, words: &'static str| Link::button(here().segment(&index.to_string()), words);
    let mut page = visit
        .shell(format!("Entry {index}"), &here())
        .crumb("Log", Some(here()))
        .crumb(index.to_string(), None);
    if let Some(before) = index.checked_sub(1) {
        page = page.action(neighbour(before, "Previous"));
    }
    if index + 1 < proof.size {
        page = page.action(neighbour(index + 1, "Next"));
    }
    let facts = Facts::new()
        .fact("Kind", Chip::new(tone(entry), entry.kind()))
        .fact(
            "When",
            Html::from(When::new(entry.at, visit.now())).then(format!(", {}", format::utc(entry.at))),
        )
        .fact("Says", line(entry, &names));
    let facts = match exchange_of(entry) {
        Some(exchange) => facts.fact("Exchange", Link::new(rows::page(exchange), exchange)),
        None => facts,
    };
    let all = serde_json::from_str::<serde_json::Value>(&proof.json)
        .and_then(|value| serde_json::to_string_pretty(&value))
        .unwrap_or_else(|_| proof.json.clone());
    let page = page
        .body(Columns::new([
            Card::new("In words").body(facts).into(),
            Card::new("Proof that it is in the log").body(proof_facts(&proof)).into(),
        ]))
        .body(Code::new("All that the entry says", Language::Json, all))
        .body(Code::new("Signed checkpoint", Language::Plain, &proof.checkpoint));
    Ok(visit.page(&page))
}

fn proof_facts(proof: &Proof) -> Html {
    let facts = Facts::new()
        .fact("Leaf hash", Id::new(&proof.leaf))
        .fact("Root", Id::new(&proof.root))
        .fact("Entries under the root", format::count(proof.size))
        .fact("Log", proof.origin.as_str());
    let path = match proof.path.is_empty() {
        true => "(empty: the leaf is the root)\n".to_owned(),
        false => proof.path.iter().map(|hash| format!("{hash}\n")).collect(),
    };
    let words = "Hash the leaf with these, from the first to the last (RFC 6962, section 2.1.1), and the root comes out; \
                 the checkpoint below signs it.";
    Html::from(facts).then(Paragraph::new(words).hush()).then(Code::new(
        format!("{} hashes from leaf to root", proof.path.len()),
        Language::Plain,
        path,
    ))
}

fn exchange_of(entry: &Entry) -> Option<&str> {
    match &entry.says {
        Says::Request(request) => Some(&request.exchange),
        Says::Outcome(outcome) => Some(&outcome.exchange),
        Says::Revealed { exchange, .. } => Some(exchange),
        _ => None,
    }
}

fn tone(entry: &Entry) -> Tone {
    match &entry.says {
        Says::Request(request) if request.verdict == "block" => Tone::Block,
        Says::Denied { .. } => Tone::Block,
        Says::Revealed { .. } => Tone::Hold,
        Says::Changed { phase, .. } if phase == "failed" => Tone::Block,
        Says::Changed { .. } => Tone::Accent,
        _ => Tone::Neutral,
    }
}

/// An entry in one line: who, and what.
fn line(entry: &Entry, names: &Names) -> Html {
    let mut words: Vec<Html> = Vec::new();
    match &entry.says {
        Says::Request(request) => {
            words.push(who(&names.of(request.actor)));
            words.push("asked for".into());
            words.push(code(&request.model));
            if request.sent {
                words.push("of".into());
                words.push(code(&request.upstream));
            }
            words.push(verdict(&request.verdict));
            words.extend(rows::denied_by(&request.decisions).map(|by| prose(&Text::from(format!("{by},")))));
            words.extend(found(request.guard.as_ref().map_or(0, |g| g.findings_total)));
        }
        Says::Outcome(outcome) => {
            words.push(code(&outcome.upstream));
            words.push("answered".into());
            words.push(format!("{},", outcome.status).into());
            words.push(rows::ending(&outcome.ending).into());
            words.push(
                format!("after {}", format::duration(Duration::from_micros(outcome.total_micros))).into(),
            );
            words.extend(found(outcome.guard.as_ref().map_or(0, |g| g.findings_total)));
        }
        Says::Denied { actor, route, code: why, status, suppressed } => {
            words.push(who(&names.of(*actor)));
            words.push("was refused at".into());
            words.push(code(route));
            words.push(format!("with {status}").into());
            words.push(code(why));
            if *suppressed > 0 {
                words.push(format!("({} before it were only counted)", format::count(*suppressed)).into());
            }
        }
        Says::Changed { actor, action, resource, phase, intent } => {
            words.push(who(&names.of(*actor)));
            words.push(changes::said(action, phase).into());
            words.extend(changes::subject(action, resource, names));
            if let Some(intent) = intent {
                words.push(format!("(begun in entry {intent})").into());
            }
        }
        Says::Revealed { actor, exchange, reason } => {
            words.push(who(&names.of(*actor)));
            words.push("looked without masks at".into());
            words.push(code(exchange));
            words.extend(
                reason.as_ref().map(|reason| Html::from(format!("because: {}", rows::short(reason)))),
            );
        }
        Says::Started { version } => words.push(format!("the server started, version {version}").into()),
        Says::Stopped => words.push("the server stopped in order".into()),
        Says::Unknown => words.push("of a kind that this version does not know".into()),
    }
    let spaced = words.into_iter().enumerate().map(|(nth, word)| match nth {
        0 => word,
        _ => Html::from(" ").then(word),
    });
    Html::join(spaced)
}

fn code(text: &str) -> Html {
    Id::plain(rows::short(text)).into()
}

fn who(who: &Who) -> Html {
    match who {
        Who::Key(key) => Html::from("key ").then(code(&key.name)),
        Who::User { name } => Html::from("user ").then(code(name)),
        Who::Gone { pseudonym } => {
            Html::from("a key or user that is gone, ").then(code(pseudonym.get(..8).unwrap_or_default()))
        }
        Who::LocalOperator { uid } => format!("the operator on the machine (uid {uid})").into(),
        Who::Unauthenticated => "somebody unknown".into(),
    }
}

fn verdict(name: &str) -> Html {
    match name.parse::<bastide_types::Verdict>() {
        Ok(verdict) => Badge::from(verdict).into(),
        Err(_) => name.into(),
    }
}

fn found(count: u64) -> Option<Html> {
    match count {
        0 => None,
        1 => Some("1 finding".into()),
        n => Some(format!("{} findings", format::count(n)).into()),
    }
}
