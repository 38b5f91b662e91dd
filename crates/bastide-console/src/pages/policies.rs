//! Policies: those in force, their history, editing and trying them.

mod edit;
mod question;

use bastide_admin::Remark;
use bastide_types::Permission;

use crate::design::{
    Badge, Button, Callout, Card, Code, Column, Diff, Disclosure, Facts, Hidden, Href, Html, Language, Link,
    Paragraph, Row, Table, Tabs, Text, Tone, When, prose,
};
use crate::web::{Refusal, Reply, Visit};

pub(super) use edit::{check, edit, set};
pub(super) use question::{try_draft, try_out};

fn here() -> Href {
    Href::page("/console/policies")
}

fn versions() -> Href {
    Href::page("/console/policies/versions")
}

fn tabs(current: usize) -> Tabs {
    Tabs::new("Policies", current).tab("In force", here()).tab("Try", Href::page("/console/policies/try"))
}

pub(super) async fn show(visit: &Visit<'_>) -> Result<Reply, Refusal> {
    let in_force = visit.admin().policy_in_force().await?;
    let mut page = visit
        .shell("Policies", &here())
        .lead("Who may call which model, and what may leave and come back. Nothing is permitted that no policy permits.")
        .tabs(tabs(0));
    if visit.may(Permission::PoliciesManage) {
        page = page.action(Link::button(Href::page("/console/policies/edit"), "Edit").primary());
    }
    let version = in_force.version;
    let facts = match &version.set {
        Some(set) => Facts::new()
            .fact("In force", Html::from(format!("version {}", version.version)))
            .fact("Since", When::new(set.at, visit.now()))
            .fact("Set by", set.by.as_deref().unwrap_or("the operator on the machine")),
        None => Facts::new().fact("In force", Html::from("the starter policy, which nobody has changed yet")),
    };
    page = page.body(facts).body(remarks(&in_force.warnings)).body(Code::new(
        "Policies",
        Language::Cedar,
        version.text,
    ));
    Ok(visit.page(&page.body(history(visit)?)))
}

/// What there is to say about places of a text.
fn remarks(remarks: &[Remark]) -> Html {
    if remarks.is_empty() {
        return Html::new();
    }
    let lines = Html::join(remarks.iter().map(|r| Paragraph::new(prose(&Text::from(&r.says)))));
    let title = match remarks {
        [_] => "One thing is probably not meant".to_owned(),
        more => format!("{} things are probably not meant", more.len()),
    };
    Callout::new(Tone::Flag, title).body(lines).into()
}

fn history(visit: &Visit<'_>) -> Result<Html, Refusal> {
    let rows = visit.admin().policy_versions()?.into_iter().map(|version| {
        let [when, by] = super::versions::cells(version.set.as_ref(), visit.now());
        let entry = version.set.as_ref().map(|set| format!("#{}", set.entry).into()).unwrap_or_default();
        let state: Html = match version.active {
            true => Badge::new(Tone::Allow, "in force").into(),
            false => Html::new(),
        };
        Row::new([Html::from(format!("version {}", version.version)), when, by, entry, state])
            .href(versions().segment(&version.version.to_string()))
    });
    let columns = [
        Column::text("Version"),
        Column::text("Set"),
        Column::text("By"),
        Column::text("Entry of the log"),
        Column::text(""),
    ];
    let table = Table::new("Versions of the policies, newest first", columns).rows(rows);
    Ok(Card::new("History").flush().body(table).into())
}

pub(super) async fn version(visit: &Visit<'_>) -> Result<Reply, Refusal> {
    let no = || Refusal::no("version of the policies", visit.segment());
    let number: u64 = visit.segment().parse().map_err(|_| no())?;
    let row = visit.admin().policy_version(number)?;
    let in_force = visit.admin().policy_text()?;
    let title = format!("Policies, version {number}");
    let mut page = visit.shell(title, &here()).crumb("Policies", Some(here()));
    page = page.body(super::versions::facts(Facts::new(), row.set.as_ref(), &row.digest, visit.now()));
    if row.active {
        page = page.body(Callout::new(Tone::Allow, "This version is in force"));
    } else {
        page = page.body(Diff::new("From the version in force to this one", &in_force, &row.text));
        if visit.may(Permission::PoliciesManage) {
            let form = crate::design::Form::post(here(), &visit.csrf())
                .field(Hidden::new("text", row.text.clone()))
                .button(Button::new("Use this version again").primary());
            page = page.body(form);
        }
    }
    let code = Code::new("Policies", Language::Cedar, row.text);
    let code = Disclosure::new("The whole text", code);
    Ok(visit.page(&page.body(if row.active { code.open() } else { code })))
}
