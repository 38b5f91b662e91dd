//! The settings in force, each with where it comes from.

use bastide_admin::{Explained, Origin};
use serde_json::Value;

use crate::design::{
    Badge, Callout, Choice, Column, Empty, Field, Filters, Href, Html, Id, Link, Paragraph, Row, Section,
    Table, Text, Tone, prose,
};
use crate::web::{Refusal, Reply, Visit};

pub(super) async fn show(visit: &Visit<'_>) -> Result<Reply, Refusal> {
    let asked = visit.query.text("q").to_ascii_lowercase();
    let origin = visit.query.text("origin");
    let all = visit.console.server.explained();
    let takes = |setting: &&Explained| {
        let text = format!("{} {} {}", setting.name, shown(&setting.value), setting.origin);
        text.to_ascii_lowercase().contains(&asked) && (origin.is_empty() || kind(&setting.origin) == origin)
    };
    let found: Vec<&Explained> = all.iter().filter(takes).collect();
    let count = found.len();
    let columns = ["Setting", "Value", "Comes from", "A change takes effect"].map(Column::text);
    let mut page = visit
        .shell("Settings", &Href::page("/console/settings"))
        .lead("What is in force now. Settings are changed where they are said, not here.")
        .body(filters(visit, &asked, origin));
    if count == 0 {
        let text = "No setting has this in its name, value or origin.";
        let all = Link::button(Href::page("/console/settings"), "All settings");
        page = page.body(Empty::new("Nothing found", text).link(all));
    }
    if count > 0 {
        page = page.body(Table::new("Settings", columns).rows(found.into_iter().map(row)));
    }
    Ok(visit.page(&page.body(how())))
}

fn filters(visit: &Visit<'_>, asked: &str, origin: &str) -> Filters {
    let choices = [
        ("", "Anywhere"),
        ("default", "Nobody said anything"),
        ("file", "The settings file"),
        ("environment", "The environment"),
        ("flag", "A flag"),
        ("command", "A command"),
        ("console", "The console"),
    ];
    let choices = choices.map(|(value, label)| Choice::new(value, label));
    let filters = Filters::new(Href::page("/console/settings"))
        .field(Field::search("q", "Search").value(visit.query.text("q")).placeholder("guard"))
        .field(Field::select("origin", "Comes from", choices).value(origin));
    match asked.is_empty() && origin.is_empty() {
        true => filters,
        false => filters.clear(Href::page("/console/settings")),
    }
}

fn row(setting: &Explained) -> Row {
    let mut name = Html::from(Id::plain(setting.name));
    if setting.name.starts_with("guard.") {
        name = name.then(" ").then(Link::new(Href::page("/console/guard"), "Guard"));
    }
    let from = match &setting.origin {
        Origin::Default => Badge::new(Tone::Neutral, "default").into(),
        Origin::File { path, line } => {
            Html::from(Badge::new(Tone::Accent, "file")).then(" ").then(Id::plain(format!("{path}:{line}")))
        }
        Origin::Environment { variable: word } => said("environment", word),
        Origin::Flag { flag: word } => said("flag", word),
        Origin::Command { command: word } => said("command", word),
        Origin::Console { version } => said("console", &format!("version {version}")),
    };
    let effect = match setting.needs_restart {
        true => Html::from(Badge::new(Tone::Neutral, "needs restart")),
        false => Html::from("with a reload"),
    };
    Row::new([name, Id::plain(shown(&setting.value)).into(), from, effect])
}

fn said(kind: &'static str, word: &str) -> Html {
    Html::from(Badge::new(Tone::Accent, kind)).then(" ").then(Id::plain(word))
}

const fn kind(origin: &Origin) -> &'static str {
    match origin {
        Origin::Default => "default",
        Origin::File { .. } => "file",
        Origin::Environment { .. } => "environment",
        Origin::Flag { .. } => "flag",
        Origin::Command { .. } => "command",
        Origin::Console { .. } => "console",
    }
}

/// A value as a settings file would say it.
fn shown(value: &Value) -> String {
    match value {
        Value::Null => "not set".to_owned(),
        Value::String(text) => text.clone(),
        Value::Array(list) if list.is_empty() => "none".to_owned(),
        other => other.to_string(),
    }
}

fn how() -> Section {
    let order = Callout::new(
        Tone::Neutral,
        "A flag wins over an environment variable, that over the settings file.",
    )
    .body(Paragraph::new(
        prose(&Text::from("Change the file that `serve --config` names, then reload on the "))
            .then(Link::new(Href::page("/console/system"), "system page"))
            .then(prose(&Text::from(
                " or with `bastide config reload`; flags and the environment are read at the start only.",
            ))),
    ));
    let guard = Html::from("What is done with each kind of finding is set on the page of the ")
        .then(Link::new(Href::page("/console/guard"), "guard"))
        .then(".");
    Section::new("How to change one").body(order).body(Paragraph::new(guard))
}
