//! Keys: the list, making, rotating and revoking one, and a page for each.

mod made;
mod one;

use bastide_admin::{Failure, KeyFacts, KeyState, KeyWanted, Kind, Request};
use bastide_types::{Permission, Timestamp};
use http::StatusCode;

use crate::design::{
    Badge, Button, Card, Chip, Choice, Column, Dialog, Empty, Field, Filters, Form, Href, Html, Link,
    Paragraph, Progress, Row, Table, Tone, When, format,
};
use crate::web::{Fields, Refusal, Reply, Visit};

pub(super) use one::{erase, revoke, rotate, show};

fn here() -> Href {
    Href::page("/console/keys")
}

pub(super) async fn list(visit: &Visit<'_>) -> Result<Reply, Refusal> {
    Ok(visit.page(&page(visit, None)?))
}

/// What is wrong with a filled-in form, at which field.
struct Wrong {
    field: &'static str,
    why: String,
}

pub(super) async fn create(visit: &Visit<'_>) -> Result<Reply, Refusal> {
    let wanted = match wanted(&visit.form) {
        Ok(wanted) => wanted,
        Err(wrong) => return refused(visit, wrong),
    };
    let server = visit.console.server.clone();
    match server.execute(visit.authorized()?, Request::KeyCreate(wanted)).await {
        Ok(key) => made::page(visit, &key, "Key made"),
        Err(failure) => refused(visit, at_field(&failure)),
    }
}

fn refused(visit: &Visit<'_>, wrong: Wrong) -> Result<Reply, Refusal> {
    Ok(Reply::page_with(StatusCode::UNPROCESSABLE_ENTITY, page(visit, Some(&wrong))?.render()))
}

/// Which field a refusal is about.
fn at_field(failure: &Failure) -> Wrong {
    let message = failure.message();
    let field = match failure.kind() {
        Kind::NotFound => "project",
        Kind::Usage if message.contains("name") => "name",
        Kind::Usage
            if message.contains("limit") || message.contains("per_") || message.contains("concurrency") =>
        {
            "requests_per_minute"
        }
        Kind::Usage => "expires_custom",
        _ => "name",
    };
    Wrong { field, why: message.to_owned() }
}

fn wanted(form: &Fields) -> Result<KeyWanted, Wrong> {
    let number = |field: &'static str| form.number(field).map_err(|why| Wrong { field, why });
    let expires = match form.text("expires") {
        "custom" => match form.given("expires_custom") {
            Some(text) => Some(text.to_owned()),
            None => {
                let why =
                    "say until when: `2027-01-31T12:00:00Z`, or a span such as `12h` or `8w`".to_owned();
                return Err(Wrong { field: "expires_custom", why });
            }
        },
        "" => None,
        span => Some(span.to_owned()),
    };
    if form.given("name").is_none() {
        return Err(Wrong { field: "name", why: "give it a name".to_owned() });
    }
    Ok(KeyWanted {
        name: form.text("name").to_owned(),
        project: form.given("project").map(str::to_owned),
        expires,
        requests_per_minute: number("requests_per_minute")?,
        tokens_per_minute: number("tokens_per_minute")?,
        tokens_per_day: number("tokens_per_day")?,
        concurrency: form.number("concurrency").map_err(|why| Wrong { field: "concurrency", why })?,
    })
}

fn page<'v>(visit: &'v Visit<'_>, wrong: Option<&Wrong>) -> Result<crate::design::Shell<'v>, Refusal> {
    let all = visit.admin().all_keys()?;
    let projects: Vec<String> = visit.admin().all_projects()?.into_iter().map(|p| p.name).collect();
    let mut page = visit
        .shell("Keys", &here())
        .lead("Applications call the gateway with a key. It decides the project and the limits.");
    if visit.may(Permission::KeysManage) {
        let form = form(visit, &projects, wrong);
        page = match wrong {
            Some(_) => page.body(Card::new("New key").body(form)),
            None => page.action(Dialog::new("New key", "New key", form)),
        };
    }
    let (query, state, project) =
        (visit.query.text("q"), visit.query.text("state"), visit.query.text("project"));
    let takes = |key: &&KeyFacts| {
        let text = query.to_lowercase();
        (text.is_empty()
            || key.name.to_lowercase().contains(&text)
            || key.hint.contains(query)
            || key.id.to_string() == query)
            && (state.is_empty() || key.state.as_str() == state)
            && (project.is_empty() || key.project == project)
    };
    let rows: Vec<Row> = all.iter().filter(takes).map(|key| row(visit, key, &all)).collect();
    let columns = [
        Column::text("Name"),
        Column::text("Project"),
        Column::text("Key"),
        Column::text("State"),
        Column::text("Limits"),
        Column::text("Tokens today"),
        Column::text("Last use"),
        Column::text("Ends"),
    ];
    let empty = match all.is_empty() {
        true => Empty::new("No keys yet", "Make one with New key, or with `bastide key create NAME`."),
        false => Empty::new("No key is like that", "Search for something else.")
            .link(Link::new(here(), "Show all keys")),
    };
    let filtered = [query, state, project].iter().any(|text| !text.is_empty());
    if !all.is_empty() {
        page = page.body(filters(&projects, [query, state, project], filtered));
    }
    Ok(page.body(Table::new("Keys", columns).rows(rows).empty(empty)))
}

fn filters(projects: &[String], [query, state, project]: [&str; 3], filtered: bool) -> Filters {
    let states = [("", "Any state"), ("active", "Active"), ("expired", "Expired"), ("revoked", "Revoked")];
    let projects = projects.iter().map(|name| Choice::new(name.clone(), name));
    let filters = Filters::new(here())
        .field(Field::search("q", "Search").value(query).placeholder("Name or beginning of the key"))
        .field(Field::select("state", "State", states.map(|(v, l)| Choice::new(v, l))).value(state))
        .field(
            Field::select(
                "project",
                "Project",
                std::iter::once(Choice::new("", "Any project")).chain(projects),
            )
            .value(project),
        );
    if filtered { filters.clear(here()) } else { filters }
}

/// Which of two keys of the same name it is.
fn twin(key: &KeyFacts, all: &[KeyFacts]) -> Html {
    let chip = |tone, words| Html::from(" ").then(Chip::new(tone, words));
    if key.successor.is_some() {
        return chip(Tone::Neutral, "old");
    }
    match all.iter().any(|other| other.successor == Some(key.id) && other.state == KeyState::Active) {
        true => chip(Tone::Accent, "successor"),
        false => Html::new(),
    }
}

/// When it stops working, or did.
fn ends(key: &KeyFacts, now: Timestamp) -> Html {
    let at = |at| Html::from(When::new(at, now));
    match (key.revoked_at, key.expires_at) {
        (Some(revoked), _) => Html::from("revoked ").then(at(revoked)),
        (None, Some(expires)) if key.successor.is_some() && expires > now => {
            Html::from("old, until ").then(at(expires))
        }
        (None, Some(expires)) => at(expires),
        (None, None) => "never".into(),
    }
}

/// A key by what is seen of it: two may have one name.
fn called(key: &KeyFacts) -> String {
    format!("`{}` ({}…)", key.name, key.hint)
}

fn row(visit: &Visit<'_>, key: &KeyFacts, all: &[KeyFacts]) -> Row {
    let when = |at: Option<Timestamp>| at.map(|at| When::new(at, visit.now()).into()).unwrap_or_default();
    Row::new([
        Html::from(&key.name).then(twin(key, all)),
        Html::from(&key.project),
        crate::design::Id::plain(format!("{}…", key.hint)).into(),
        state(key.state).into(),
        Html::from(limits(key)),
        used(key),
        when(key.last_use),
        ends(key, visit.now()),
    ])
    .href(here().segment(&key.id.to_string()))
}

fn state(state: KeyState) -> Badge {
    let tone = match state {
        KeyState::Active => Tone::Allow,
        KeyState::Expired => Tone::Neutral,
        KeyState::Revoked => Tone::Block,
    };
    Badge::new(tone, state.as_str())
}

/// Limits in few words.
fn limits(key: &KeyFacts) -> String {
    let named = [
        (key.limits.requests_per_minute, "requests/min"),
        (key.limits.tokens_per_minute, "tokens/min"),
        (key.limits.tokens_per_day, "tokens/day"),
        (key.limits.concurrency, "at once"),
    ];
    let set: Vec<String> = named
        .iter()
        .filter_map(|(limit, unit)| Some(format!("{} {unit}", format::count((*limit)?))))
        .collect();
    if set.is_empty() { "none".to_owned() } else { set.join(", ") }
}

/// Tokens of today, as part of the budget where there is one.
fn used(key: &KeyFacts) -> Html {
    let used = format::count(key.used_today);
    match key.limits.tokens_per_day {
        Some(most) => {
            let percent = key.used_today.saturating_mul(100).checked_div(most).unwrap_or(100).min(100);
            let words = format!("{used} of {}", format::count(most));
            Progress::budget("Today", u8::try_from(percent).unwrap_or(100), words).into()
        }
        None => Html::from(used),
    }
}

fn form(visit: &Visit<'_>, projects: &[String], wrong: Option<&Wrong>) -> Form {
    let kept = &visit.form;
    let with = |field: Field, name: &'static str| {
        let field = if kept.get(name).is_some() { field.value(kept.text(name)) } else { field };
        match wrong.filter(|w| w.field == name) {
            Some(wrong) => field.error(&wrong.why),
            None => field,
        }
    };
    let spans = [
        ("30d", "In 30 days"),
        ("90d", "In 90 days"),
        ("365d", "In a year"),
        ("never", "Never"),
        ("custom", "At another time"),
    ];
    let number = |name: &'static str, label: &'static str| with(Field::number(name, label), name);
    let mut form = Form::post(here(), &visit.csrf()).field(with(
        Field::text("name", "Name").hint("What it is for: `billing`, `support-bot`.").required(),
        "name",
    ));
    if projects.len() > 1 {
        let choices = projects.iter().map(|name| Choice::new(name.clone(), name));
        form = form.field(with(Field::select("project", "Project", choices), "project"));
    }
    form.field(with(
        Field::select("expires", "Ends", spans.map(|(v, l)| Choice::new(v, l))).value("90d"),
        "expires",
    ))
    .field(with(
        Field::text("expires_custom", "At which time")
            .hint("Only for another time: `2027-01-31T12:00:00Z`, or a span such as `12h`."),
        "expires_custom",
    ))
    .field(Paragraph::new("Limits. A field that is left empty sets none.").hush())
    .field(number("requests_per_minute", "Requests a minute"))
    .field(number("tokens_per_minute", "Tokens a minute"))
    .field(number("tokens_per_day", "Tokens a day"))
    .field(number("concurrency", "Requests at once"))
    .button(Button::new("Make the key").primary())
}
