//! One exchange: what was decided, found, done and said, and how to prove it.

mod conversation;
mod judged;
mod proof;

use std::time::Duration;

use bastide_admin::{ExchangeShown, Look, OutcomeEntry, RequestEntry, RevealWanted, Says};
use bastide_types::{Permission, Timestamp, Verdict};

use self::conversation::Room;
use super::rows;
use crate::design::{
    Badge, Button, Callout, Card, Columns, Dialog, Facts, Field, Form, Href, Html, Id, Link, Paragraph,
    Shell, Tabs, Tone, Waterfall, When, format,
};
use crate::web::{Refusal, Reply, Visit};

/// Bytes of texts on a page, so that it stays light. All of them are one more click away.
const SOME: usize = 24 << 10;
/// Bytes of texts on a page of somebody who asked for all of them.
const ALL: usize = 1 << 20;

/// What the pages of an exchange are made of.
struct Exchange {
    shown: ExchangeShown,
    at: Timestamp,
    request: RequestEntry,
    outcome: Option<OutcomeEntry>,
}

pub(super) async fn show(visit: &Visit<'_>) -> Result<Reply, Refusal> {
    let exchange = read(visit, None).await?;
    let view = View::named(visit.query.text("view"));
    let room = if visit.query.ticked("all") { ALL } else { SOME };
    Ok(visit.page(&page(visit, &exchange, view, room).await?))
}

pub(super) async fn reveal(visit: &Visit<'_>) -> Result<Reply, Refusal> {
    let reason = visit.form.given("reason").map(str::to_owned);
    let exchange = read(visit, Some(RevealWanted { reason })).await?;
    Ok(visit.page(&page(visit, &exchange, View::Conversation, ALL).await?))
}

async fn read(visit: &Visit<'_>, reveal: Option<RevealWanted>) -> Result<Exchange, Refusal> {
    let id = visit.segment();
    if id.parse::<bastide_types::ExchangeId>().is_err() {
        return Err(Refusal::no("exchange", id));
    }
    let actor = visit.authorized()?.actor();
    let shown = visit.admin().exchange_show(actor, id, Look { reveal, segments: true }).await?;
    let unreadable = || Refusal::NotFound("the log's entry of this exchange cannot be read".to_owned());
    let entry = shown.request.read().ok_or_else(unreadable)?;
    let Says::Request(request) = entry.says else { return Err(unreadable()) };
    let outcome = shown.outcome.as_ref().and_then(|o| o.read()).and_then(|o| match o.says {
        Says::Outcome(outcome) => Some(*outcome),
        _ => None,
    });
    Ok(Exchange { at: entry.at, request: *request, outcome, shown })
}

/// What of an exchange a page shows.
#[derive(Clone, Copy, PartialEq, Eq)]
enum View {
    Conversation,
    Raw,
}

impl View {
    fn named(name: &str) -> Self {
        if name == "raw" { View::Raw } else { View::Conversation }
    }
}

impl Exchange {
    fn href(&self) -> Href {
        rows::page(&self.shown.exchange)
    }

    /// The sterner verdict of the two halves.
    fn verdict(&self) -> Verdict {
        let read = |text: &str| text.parse().unwrap_or(Verdict::Allow);
        let answer = self.outcome.as_ref().and_then(|o| o.guard.as_ref()).map(|g| read(&g.verdict));
        let ended = self.outcome.as_ref().filter(|o| o.ending == "blocked").map(|_| Verdict::Block);
        [answer, ended].into_iter().flatten().fold(read(&self.request.verdict), Verdict::max)
    }

    /// Whether the guard only looked.
    fn is_observed(&self) -> bool {
        let answer = self.outcome.as_ref().and_then(|o| o.guard.as_ref());
        self.request.guard.iter().chain(answer).any(|half| half.mode == "observe")
    }

    fn is_erased(&self) -> bool {
        self.shown.key.is_none() || self.shown.bodies.iter().any(|b| b.state == "erased")
    }
}

async fn page<'v>(
    visit: &'v Visit<'_>,
    exchange: &Exchange,
    view: View,
    room: usize,
) -> Result<Shell<'v>, Refusal> {
    let list = Href::page("/console/exchanges");
    let mut page = visit.shell("Exchange", &list).crumb("Exchanges", Some(list)).lead(format!(
        "{} by `{}`",
        exchange.request.model,
        key_name(exchange)
    ));
    if exchange.shown.revealed.is_none() && visit.may(Permission::BodiesReveal) && has_texts(exchange) {
        page = page.action(reveal_dialog(visit, exchange));
    }
    let id = exchange.shown.exchange.as_str();
    let tabs = Tabs::new("Views", usize::from(view == View::Raw))
        .tab("Conversation", exchange.href())
        .tab("Raw, with masks", exchange.href().query("view", "raw"));
    let mut page = if exchange.shown.revealed.is_none() { page.tabs(tabs) } else { page };
    for notice in notices(exchange) {
        page = page.body(notice);
    }
    let head = Columns::new([
        Card::new("Facts").body(facts(exchange, visit.now())).into(),
        Card::new("Where the time went").body(timing(exchange)).into(),
    ]);
    let texts = match view {
        View::Conversation => conversation::said(exchange, Room::new(room)),
        View::Raw => conversation::raw(exchange, Room::new(room)),
    };
    page = page
        .crumb(id.chars().take(12).chain(['…']).collect::<String>(), None)
        .body(head)
        .body(judged::decisions(exchange))
        .body(judged::findings(visit, exchange)?)
        .body(texts);
    Ok(page.body(proof::card(visit, exchange).await?))
}

/// Asks before texts are shown as they are: it is on record for good.
fn reveal_dialog(visit: &Visit<'_>, exchange: &Exchange) -> Dialog {
    let words = "The texts are shown as they were, with every value in them. The log keeps for good that you looked, when, \
                 and why.";
    let form = Form::post(exchange.href().segment("reveal"), &visit.csrf())
        .field(Paragraph::new(words))
        .field(
            Field::text("reason", "Why")
                .placeholder("ticket 4711: the customer asks what was sent")
                .hint("May be left empty. It stands in the log: write no value into it."),
        )
        .button(Button::new("Show without masks").primary());
    Dialog::new("Show without masks", "Show without masks", form)
}

fn has_texts(exchange: &Exchange) -> bool {
    exchange.shown.bodies.iter().any(|body| body.text.is_some())
}

fn key_name(exchange: &Exchange) -> String {
    let key = exchange.shown.key.as_ref();
    let name = key.map(|k| k.name.clone().unwrap_or_else(|| "demo key".to_owned()));
    name.unwrap_or_else(|| "a key that was erased".to_owned())
}

/// What to know before reading on.
fn notices(exchange: &Exchange) -> Vec<Callout> {
    let mut notices = Vec::new();
    if let Some(index) = exchange.shown.revealed {
        let entry = Href::page("/console/log").segment(&index.to_string());
        let words = Html::from("Who looked, at what and when is recorded in ")
            .then(Link::new(entry, format!("entry {index} of the log")))
            .then(". Leave this page to see the texts with masks again; loading it anew is another look.");
        let callout = Callout::new(Tone::Block, "These texts are shown without masks");
        notices.push(callout.body(Paragraph::new(words)));
    }
    let wrong = |body: &&bastide_admin::BodyShown| body.state == "damaged" || body.matches == Some(false);
    let wrong: Vec<&str> = exchange.shown.bodies.iter().filter(wrong).map(|b| b.kind).collect();
    if !wrong.is_empty() {
        let words = format!(
            "{}: a file of the data folder was damaged or changed after it was written. The log's digest is what was \
             recorded then; what is kept now is not the same.",
            wrong.join(", ")
        );
        let callout = Callout::new(Tone::Block, "What is kept is not what the log says");
        notices.push(callout.body(Paragraph::new(words)));
    }
    if exchange.is_erased() {
        let words = "The key of this subject was destroyed: its texts and digests say nothing any more. The entries of \
                     the log stay and can be proved.";
        notices.push(Callout::new(Tone::Neutral, "This subject was erased").body(Paragraph::new(words)));
    }
    if exchange.outcome.is_none() && exchange.request.sent {
        let words = "Its end is not in the log: it runs, or the server was broken off while it ran.";
        notices.push(Callout::new(Tone::Accent, "No end yet").body(Paragraph::new(words)));
    }
    if !exchange.request.sent {
        let title = match rows::denied_by(&exchange.request.decisions) {
            Some(by) => format!("The request was refused: {by}"),
            None => "The request was refused by the guard".to_owned(),
        };
        let words = "Nothing of it left for a provider. The decisions and findings below say why.";
        notices.push(Callout::new(Tone::Block, title).body(Paragraph::new(words)));
    }
    if exchange.is_observed() {
        let words = "The guard recorded what it would have done, and changed nothing.";
        notices.push(Callout::new(Tone::Flag, "The guard only observed").body(Paragraph::new(words)));
    }
    notices
}

fn facts(exchange: &Exchange, now: Timestamp) -> Facts {
    let request = &exchange.request;
    let verdict = exchange.verdict();
    let observed = exchange.is_observed() && !exchange.request.decisions.iter().any(|d| d.effect == "deny");
    let badge = match rows::would(verdict, observed) {
        Some(words) => Badge::new(verdict.into(), words),
        None => verdict.into(),
    };
    let key: Html = match &exchange.shown.key {
        Some(key) if key.name.is_some() => {
            Link::new(Href::page("/console/keys").segment(&key.id), key_name(exchange)).into()
        }
        // Of the demo: in no record, and gone with the process that made it.
        Some(_) => "demo key".into(),
        None => "erased".into(),
    };
    let mode =
        request.guard.as_ref().map_or("not asked: a policy refused it before", |g| match g.mode.as_str() {
            "enforce" => "enforce",
            "observe" => "observe",
            _ => "off",
        });
    let mut facts = Facts::new()
        .fact("Id", Id::new(exchange.shown.exchange.as_str()))
        .fact("When", Html::from(When::new(exchange.at, now)).then(format!(", {}", format::utc(exchange.at))))
        .fact("Verdict", badge)
        .fact("Key", key)
        .fact("Model", request.model.as_str())
        .fact("Provider", provider(exchange))
        .fact("Asked for", if request.stream { "a stream" } else { "one whole answer" })
        .fact("Guard mode", mode);
    if let Some(outcome) = &exchange.outcome {
        let tokens = format!(
            "{} in, {} out{}",
            format::count(outcome.input_tokens),
            format::count(outcome.output_tokens),
            if outcome.estimated { " (estimated: the provider gave none)" } else { "" }
        );
        facts = facts
            .fact("Status", format!("{}, {}", outcome.status, rows::ending(&outcome.ending)))
            .fact("Tokens", tokens);
    }
    facts
}

/// Who got it.
fn provider(exchange: &Exchange) -> Html {
    match (&exchange.outcome, exchange.request.upstream.as_str()) {
        (Some(outcome), _) if exchange.request.sent => outcome.upstream.as_str().into(),
        (_, "") => "none".into(),
        (_, upstream) if exchange.request.sent => upstream.into(),
        (_, upstream) => format!("none: nothing left ({upstream} was first in line)").into(),
    }
}

fn timing(exchange: &Exchange) -> Html {
    let Some(outcome) = &exchange.outcome else {
        return Paragraph::new("Times are recorded with the end of an exchange; this one has none.")
            .hush()
            .into();
    };
    let steps = [
        ("Inspected and decided", Tone::Accent, outcome.decided_micros),
        ("Decision written to the log", Tone::Redact, outcome.recorded_micros),
        ("Provider, until its first byte", Tone::Neutral, outcome.first_byte_micros),
        ("Answer, until its end", Tone::Allow, Some(outcome.total_micros)),
    ];
    let mut waterfall = Waterfall::new("Steps of this exchange");
    let mut at = 0;
    for (name, tone, until) in steps {
        let Some(until) = until else { continue };
        let (begins, takes) = (Duration::from_micros(at), Duration::from_micros(until.saturating_sub(at)));
        waterfall = waterfall.bar(name, tone, begins, takes);
        at = at.max(until);
    }
    let words = |micros| format::duration(Duration::from_micros(micros));
    let sum = format!(
        "{} from the whole request to the end, of which {} in bastide itself, without the wait for its log.",
        words(outcome.total_micros),
        words(outcome.own_micros)
    );
    Html::from(waterfall).then(Paragraph::new(sum).hush())
}
