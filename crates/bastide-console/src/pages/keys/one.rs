//! The page of one key.

use bastide_admin::{EntryFilter, ExchangeFilter, ExchangeRow, KeyFacts, KeyState, Request, Says};
use bastide_types::Permission;

use super::{called, ends, here, limits, made, state, used};
use crate::design::{
    Badge, Button, Card, Choice, Column, Columns, Dialog, Empty, Facts, Field, Form, Href, Html, Id, Link,
    Paragraph, Row, Table, When, format,
};
use crate::web::flash::Said;
use crate::web::{Refusal, Reply, Visit};

/// Exchanges and entries that the page shows.
const MOST: usize = 20;

pub(in crate::pages) async fn show(visit: &Visit<'_>) -> Result<Reply, Refusal> {
    let key = visit.admin().one_key(visit.segment())?;
    let mut page = visit.shell(&key.name, &here()).crumb("Keys", Some(here()));
    for action in actions(visit, &key) {
        page = page.action(action);
    }
    let facts = Card::new("Facts").body(facts(visit, &key));
    let usage = Card::new("Use").body(
        Facts::new().fact("Limits", Html::from(limits(&key))).fact("Tokens today", used(&key)).fact(
            "Last use",
            key.last_use.map(|at| When::new(at, visit.now()).into()).unwrap_or_else(Html::new),
        ),
    );
    page = page.body(Columns::new([facts.into(), usage.into()]));
    if visit.may(Permission::TrafficView) {
        page = page.body(exchanges(visit, &key).await?);
    }
    if visit.may(Permission::LogView) {
        page = page.body(changes(visit, &key).await?);
    }
    Ok(visit.page(&page))
}

fn facts(visit: &Visit<'_>, key: &KeyFacts) -> Facts {
    let at = |at| Html::from(When::new(at, visit.now()));
    let mut facts = Facts::new()
        .fact("State", state(key.state))
        .fact("Id", Id::new(key.id.to_string()))
        .fact("Begins with", Id::plain(key.hint.as_str()))
        .fact("Project", Html::from(&key.project))
        .fact("Made", at(key.created_at))
        .fact("Ends", ends(key, visit.now()));
    if let Some(successor) = key.successor {
        let href = here().segment(&successor.to_string());
        facts = facts.fact("Successor", Link::new(href, "the key in its place"));
    }
    facts.fact("In the log", Id::new(key.pseudonym.as_str()))
}

fn actions(visit: &Visit<'_>, key: &KeyFacts) -> Vec<Html> {
    let of = |what: &str| here().segment(&key.id.to_string()).segment(what);
    let mut actions = Vec::new();
    if visit.may(Permission::KeysManage) && key.state != KeyState::Revoked {
        if key.successor.is_none() {
            let spans =
                [("0", "End at once"), ("1h", "For an hour"), ("24h", "For a day"), ("7d", "For a week")];
            let form = Form::post(of("rotate"), &visit.csrf())
                .field(Paragraph::new(
                    "A successor with the same name, project and limits is made, and shown once. This key works on for a \
                     while and then ends by itself.",
                ))
                .field(
                    Field::select("overlap", "This key works on", spans.map(|(v, l)| Choice::new(v, l))).value("24h"),
                )
                .button(Button::new("Make the successor").primary());
            actions.push(Dialog::new("Rotate", format!("Rotate the key {}", called(key)), form).into());
        }
        let form = Form::post(of("revoke"), &visit.csrf())
            .field(Paragraph::new(
                "Whoever uses it is refused from now on, and streams that run end at once. It cannot be taken back.",
            ))
            .button(Button::new("Revoke").danger());
        actions.push(Dialog::new("Revoke", format!("Revoke the key {}", called(key)), form).danger().into());
    }
    if visit.may(Permission::SubjectsErase) {
        let form = Form::post(of("erase"), &visit.csrf())
            .field(Paragraph::new(
                "The key that seals everything recorded about this key's exchanges is destroyed. Their kept bodies can \
                 never be read again, and nobody can tell any more that an entry's digest is of a certain text. The \
                 entries themselves stay, and every proof and receipt holds. It cannot be taken back.",
            ))
            .button(Button::new("Erase what was said").danger());
        actions.push(
            Dialog::new("Erase", format!("Erase what the exchanges of {} said", called(key)), form)
                .danger()
                .into(),
        );
    }
    actions
}

async fn exchanges(visit: &Visit<'_>, key: &KeyFacts) -> Result<Html, Refusal> {
    let filter = ExchangeFilter { key: Some(key.id), ..ExchangeFilter::default() };
    let page = visit.admin().exchanges(filter, None, MOST).await?;
    let all = Href::page("/console/exchanges").query("key", &key.id.to_string());
    let row = |row: &ExchangeRow| {
        let tokens = row.outcome.as_ref().map(|o| o.input_tokens.saturating_add(o.output_tokens));
        Row::new([
            When::new(row.at, visit.now()).into(),
            Html::from(&row.request.model),
            Badge::from(row.verdict()).into(),
            Html::from(format::count(u64::try_from(row.findings().count()).unwrap_or(u64::MAX))),
            Html::from(tokens.map(format::count).unwrap_or_default()),
        ])
        .href(Href::page("/console/exchanges").segment(&row.request.exchange))
    };
    let columns = [
        Column::text("When"),
        Column::text("Model"),
        Column::text("Verdict"),
        Column::number("Findings"),
        Column::number("Tokens"),
    ];
    let table = Table::new("Its newest exchanges", columns)
        .rows(page.rows.iter().map(row))
        .empty(Empty::new("No exchanges", "They appear here as soon as this key is used."));
    Ok(Card::new("Newest exchanges").end(Link::new(all, "All of them")).flush().body(table).into())
}

async fn changes(visit: &Visit<'_>, key: &KeyFacts) -> Result<Html, Refusal> {
    let filter = EntryFilter { kind: Some("changed".to_owned()), text: Some(key.id.to_string()) };
    let page = visit.admin().entries(filter, None, MOST).await?;
    let rows = page.entries.iter().filter_map(|entry| {
        let Says::Changed { action, phase, .. } = &entry.says else { return None };
        let cells = [
            Html::from(format!("#{}", entry.index)),
            When::new(entry.at, visit.now()).into(),
            Html::from(action),
            Html::from(phase),
        ];
        Some(Row::new(cells).href(Href::page("/console/log").segment(&entry.index.to_string())))
    });
    let columns = [Column::text("Entry"), Column::text("When"), Column::text("What"), Column::text("Phase")];
    let table = Table::new("What the log says of its changes", columns)
        .rows(rows)
        .empty(Empty::new("Nothing of late", "The newest part of the log has no change of this key."));
    Ok(Card::new("In the log").flush().body(table).into())
}

pub(in crate::pages) async fn rotate(visit: &Visit<'_>) -> Result<Reply, Refusal> {
    let overlap = visit.form.given("overlap").map(str::to_owned);
    let request = Request::KeyRotate { key: visit.segment().to_owned(), overlap };
    let key = visit.console.server.clone().execute(visit.authorized()?, request).await?;
    made::page(visit, &key, "Successor made")
}

pub(in crate::pages) async fn revoke(visit: &Visit<'_>) -> Result<Reply, Refusal> {
    let request = Request::KeyRevoke { key: visit.segment().to_owned() };
    let done = visit.console.server.clone().execute(visit.authorized()?, request).await?;
    let said = format!("`{}` is revoked", done["name"].as_str().unwrap_or_default());
    Ok(visit.done(&here().segment(visit.segment()), &Said::done(said, &done)))
}

pub(in crate::pages) async fn erase(visit: &Visit<'_>) -> Result<Reply, Refusal> {
    let request = Request::SubjectErase { key: visit.segment().to_owned() };
    let done = visit.console.server.clone().execute(visit.authorized()?, request).await?;
    let said = match done["erased"].as_bool() {
        Some(true) => "what its exchanges said cannot be read any more",
        _ => "there was nothing to erase: nothing was recorded about it since the last time",
    };
    Ok(visit.done(&here().segment(visit.segment()), &Said::done(said, &done)))
}
