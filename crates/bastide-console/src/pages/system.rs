//! The server: what it is, how it is, and the little that can be told to it.

use std::path::Path;
use std::time::Duration;

use bastide_admin::{Finding, Health, LogHealth, Request};
use bastide_types::Permission;
use http::StatusCode;
use serde_json::Value;

use crate::design::{
    Badge, Button, Card, Column, Columns, Facts, Field, Form, Href, Html, Id, LineUp, Paragraph, PostButton,
    Row, Stat, Table, Text, Tiles, Tone, format, prose,
};
use crate::web::{Refusal, Reply, Visit, flash};

/// Files of one part of the data folder that are counted: two years of the log at full load.
const MOST_FILES: usize = 200_000;

pub(super) async fn show(visit: &Visit<'_>) -> Result<Reply, Refusal> {
    page(visit, None).await
}

/// The page; with what is wrong about a log level, as the answer to its form.
async fn page(visit: &Visit<'_>, wrong: Option<&str>) -> Result<Reply, Refusal> {
    let health = visit.admin().log_health().await?;
    let (server, dir) = (visit.console.server.clone(), visit.admin().node.dir().to_owned());
    let looked = tokio::task::spawn_blocking(move || (server.findings(), sizes(&dir))).await;
    let (findings, sizes) = looked.map_err(bastide_admin::could_not)?;
    let by = visit.authorise(Permission::ConfigView)?;
    let level = visit.console.server.clone().execute(by, Request::LogLevel { filter: None }).await?;
    let page = visit
        .shell("System", &Href::page("/console/system"))
        .lead("How this server is, and what it finds about itself.")
        .body(tiles(visit.now().since(visit.console.started), &health, &findings, &sizes))
        .body(checks(&findings))
        .body(Columns::new([
            Html::from(reload_card(visit)).then(log_level(
                visit,
                level["filter"].as_str().unwrap_or_default(),
                wrong,
            )),
            Html::from(folder(visit, &sizes)).then(more()),
        ]));
    Ok(match wrong {
        None => visit.page(&page),
        Some(_) => Reply::page_with(StatusCode::UNPROCESSABLE_ENTITY, page.render()),
    })
}

fn tiles(up: Duration, health: &LogHealth, findings: &[Finding], sizes: &[(&'static str, u64)]) -> Tiles {
    let worst = findings.iter().map(|f| f.state).max().unwrap_or(Health::Ok);
    let amiss = findings.iter().filter(|f| f.state != Health::Ok).count();
    let checks = match worst {
        Health::Ok => Stat::new("Checks", "all well"),
        _ => Stat::new("Checks", format!("{amiss} to look at")).delta(tone(worst), worst.as_str()),
    };
    let log = match &health.failure {
        None => Stat::new("Audit log", "recording"),
        Some(_) => Stat::new("Audit log", "failing").delta(Tone::Block, "see the checks"),
    };
    let total = sizes.iter().map(|(_, bytes)| bytes).sum();
    Tiles::new([
        Stat::new("Version", env!("CARGO_PKG_VERSION")),
        Stat::new("Up for", format::duration(up)),
        checks,
        log.href(Href::page("/console/log")),
        Stat::new("Entries", format::count(health.entries)),
        Stat::new("Data folder", format::bytes(total)),
    ])
}

const fn tone(state: Health) -> Tone {
    match state {
        Health::Ok => Tone::Allow,
        Health::Warn => Tone::Flag,
        Health::Fail => Tone::Block,
    }
}

/// What `bastide doctor` says, the worst first.
fn checks(findings: &[Finding]) -> Card {
    let mut sorted: Vec<&Finding> = findings.iter().collect();
    sorted.sort_by_key(|finding| std::cmp::Reverse(finding.state));
    let rows = sorted.into_iter().map(|finding| {
        let remedy =
            finding.remedy.as_deref().map(|remedy| Paragraph::new(prose(&Text::from(remedy))).hush());
        Row::new([
            Badge::new(tone(finding.state), finding.state.as_str()).into(),
            Html::from(finding.check.as_str()),
            prose(&Text::from(finding.message.as_str())).then(remedy.map_or_else(Html::new, Html::from)),
        ])
    });
    let columns = ["State", "Check", "What there is, and what to do"].map(Column::text);
    let note = "As `bastide doctor` says it. Each look reads the records and the end of the log.";
    Card::new("Checks").note(note).flush().body(Table::new("Checks", columns).rows(rows))
}

fn reload_card(visit: &Visit<'_>) -> Card {
    let card =
        Card::new("Settings").note("Reads the settings file and the certificate again: all of them or none.");
    if !visit.may(Permission::SystemManage) {
        return card.body(Paragraph::new("Operators and administrators can reload.").hush());
    }
    let button = Button::new("Reload the settings");
    card.body(LineUp::new([
        Html::from(PostButton::new(Href::page("/console/system/reload"), &visit.csrf(), button)),
        crate::design::Link::button(Href::page("/console/settings"), "Settings in force").into(),
    ]))
}

fn log_level(visit: &Visit<'_>, filter: &str, wrong: Option<&str>) -> Card {
    let card = Card::new("The server's own log").note("To standard error. It never holds what was said.");
    if !visit.may(Permission::SystemManage) {
        return card.body(Facts::new().fact("It shows", Id::plain(filter)));
    }
    let field = Field::text("filter", "It shows")
        .mono()
        .hint("A level (error, warn, info, debug, trace), or levels by part: info,bastide_gateway=debug. Until the server stops.")
        .required();
    let field = match wrong {
        Some(why) => field.value(visit.form.text("filter")).error(why),
        None => field.value(filter),
    };
    let form = Form::post(Href::page("/console/system/log-level"), &visit.csrf());
    card.body(form.field(field).button(Button::new("Set")))
}

fn folder(visit: &Visit<'_>, sizes: &[(&'static str, u64)]) -> Card {
    let dir = visit.admin().node.dir().display().to_string();
    let mut facts = Facts::new().fact("Folder", Id::new(dir));
    for (name, bytes) in sizes {
        facts = facts.fact(*name, format::bytes(*bytes));
    }
    Card::new("Data folder").body(facts)
}

fn more() -> Card {
    let page =
        |name: &str, what: &str| Html::from(Id::plain(format!("docs/{name}.md"))).then(format!(" {what}"));
    Card::new("Where to read on").note("In the program's source, beside the code.").body(
        Facts::new()
            .fact("Running it", page("operating", "start, stop, reload, backup, what is amiss"))
            .fact("Settings", page("configuration", "what they mean together"))
            .fact("Commands", page("commands", "and their exit codes"))
            .fact("Errors", page("errors", "every code, and what to do")),
    )
}

/// Bytes in the parts of the data folder.
fn sizes(dir: &Path) -> Vec<(&'static str, u64)> {
    let mut left = MOST_FILES;
    let records = ["bastide.db", "bastide.db-wal", "bastide.db-shm"];
    let records = records.iter().filter_map(|name| dir.join(name).metadata().ok()).map(|m| m.len()).sum();
    vec![
        ("Records", records),
        ("Audit log", size(&dir.join("log"), &mut left)),
        ("Kept bodies", size(&dir.join("bodies"), &mut left)),
    ]
}

/// Bytes of the files in a folder and below; links are not followed.
fn size(dir: &Path, left: &mut usize) -> u64 {
    let mut total = 0;
    let mut folders = vec![dir.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).into_iter().flatten().flatten() {
            if *left == 0 {
                return total;
            }
            *left -= 1;
            match entry.metadata() {
                Ok(data) if data.is_dir() => folders.push(entry.path()),
                Ok(data) => total += data.len(),
                Err(_) => {}
            }
        }
    }
    total
}

pub(super) async fn reload(visit: &Visit<'_>) -> Result<Reply, Refusal> {
    let done = visit.console.server.clone().execute(visit.authorized()?, Request::ConfigReload).await?;
    Ok(visit.done(&Href::page("/console/system"), &flash::Said::done(reloaded(&done), &done)))
}

/// What a reload did, in words.
fn reloaded(done: &Value) -> String {
    let names = |field: &str| {
        let list = done[field].as_array().into_iter().flatten().filter_map(Value::as_str);
        list.map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ")
    };
    match (names("changed"), names("needs_restart")) {
        (changed, restart) if changed.is_empty() && restart.is_empty() => "nothing has changed".to_owned(),
        (changed, restart) if restart.is_empty() => format!("in force from now on: {changed}"),
        (changed, restart) if changed.is_empty() => {
            format!("nothing has changed yet; needs a restart: {restart}")
        }
        (changed, restart) => format!("in force from now on: {changed}; needs a restart: {restart}"),
    }
}

pub(super) async fn set_log_level(visit: &Visit<'_>) -> Result<Reply, Refusal> {
    let filter = visit.form.text("filter").to_owned();
    let request = Request::LogLevel { filter: Some(filter) };
    match visit.console.server.clone().execute(visit.authorized()?, request).await {
        Ok(set) => {
            let said = format!("the log shows `{}` from now on", set["filter"].as_str().unwrap_or_default());
            Ok(visit.done(&Href::page("/console/system"), &flash::Said::done(said, &set)))
        }
        Err(failure) => page(visit, Some(failure.message())).await,
    }
}
