//! API tokens: for programs that act for somebody.

use std::time::Duration;

use bastide_identity::{NewToken, SessionCarrier};
use bastide_types::Role;

use super::{Wrong, page};
use crate::design::{
    Button, Callout, Card, Code, Column, Dialog, Disclosure, Empty, Field, Form, Href, Html, Id, Language,
    Link, Paragraph, PostButton, Row, Table, Tone, When,
};
use crate::pages::{roles, warnings};
use crate::web::{Refusal, Reply, Visit};

/// How long a token is good for unless told otherwise, in days.
const USUAL_DAYS: u64 = 90;

pub(super) fn card(visit: &Visit<'_>, wrong: Option<&Wrong>) -> Result<Card, Refusal> {
    let who = visit.who()?;
    let sessions = visit.admin().node.accounts.sessions_of(who.user);
    let rows: Vec<Row> = sessions
        .iter()
        .filter_map(|session| {
            let SessionCarrier::Token { name, role } = &session.carrier else { return None };
            let end =
                Href::page("/console/account/sessions").segment(&session.session.to_string()).segment("end");
            let revoke = Button::new("Revoke").small().danger().confirm(format!("Revoke `{name}`?"));
            Some(Row::new([
                Html::from(name.as_str()),
                Html::from(role.as_str()),
                When::new(session.created_at, visit.now()).into(),
                When::new(session.seen_at(), visit.now()).into(),
                When::new(session.expires_at, visit.now()).into(),
                PostButton::new(end, &visit.csrf(), revoke).into(),
            ]))
        })
        .collect();
    let none = rows.is_empty();
    let columns = ["Name", "Role", "Made", "Last used", "Expires", ""].map(Column::text);
    let empty =
        Empty::new("No API tokens", "A token lets a program use the management API as you, or as less.");
    let table = Table::new("Your API tokens", columns).rows(rows).empty(empty);
    let form = form(visit, wrong)?;
    let card = Card::new("API tokens").note("For programs. Each is shown once, when it is made.");
    let card = if none { card } else { card.flush() };
    Ok(match wrong {
        // A closed dialog would hide what is wrong.
        Some(Wrong::Token { .. }) => card.body(Disclosure::new("New token", form).open()).body(table),
        _ => card.end(Dialog::new("New token", "New API token", form)).body(table),
    })
}

fn form(visit: &Visit<'_>, wrong: Option<&Wrong>) -> Result<Form, Refusal> {
    let sent = matches!(wrong, Some(Wrong::Token { .. }));
    let typed = |name: &str, usual: &str| match sent {
        true => visit.form.text(name).to_owned(),
        false => usual.to_owned(),
    };
    let told = |field: Field, name| match wrong {
        Some(Wrong::Token { field: at, why }) if *at == name => field.error(why.as_str()),
        _ => field,
    };
    let name =
        Field::text("name", "Name").value(typed("name", "")).placeholder("nightly report").id("token-name");
    let days = Field::number("days", "Good for so many days")
        .value(typed("days", &USUAL_DAYS.to_string()))
        .hint("At most 366.");
    let own = visit.who()?.role();
    let role = roles::field("What it may do", own, &typed("role", own.as_str()));
    Ok(Form::post(Href::page("/console/account/tokens"), &visit.csrf())
        .field(told(name.required(), "name"))
        .field(told(role, "role"))
        .field(told(days.required(), "days"))
        .button(Button::new("Make the token").primary()))
}

pub(in super::super) async fn create(visit: &Visit<'_>) -> Result<Reply, Refusal> {
    let who = visit.who()?;
    let wrong = |field, why: String| page(visit, Some(&Wrong::Token { field, why }));
    let role: Role = match visit.form.text("role").parse() {
        Ok(role) => role,
        Err(error) => return wrong("role", format!("{error}")),
    };
    let days = match visit.form.number::<u32>("days") {
        Ok(days) => days.map_or(USUAL_DAYS, u64::from),
        Err(why) => return wrong("days", why),
    };
    let expires_at = visit.now().plus(Duration::from_secs(days.saturating_mul(24 * 60 * 60)));
    let name = visit.form.text("name").to_owned();
    if !(1..=366).contains(&days) {
        return wrong("days", "give it 1 to 366 days".to_owned());
    }
    let new = NewToken { name: name.clone(), role, expires_at };
    let made = match visit.admin().create_token(who, new, &visit.user_agent, visit.address()).await {
        Ok(made) => made,
        Err(failure) => match failure.field() {
            Some(field) => return wrong(field, failure.message().to_owned()),
            None => return Err(failure.into()),
        },
    };
    let token = made.given.token.expose().as_str();
    let curl = format!("curl -H 'authorization: Bearer {token}' {}/api/v1/exchanges", visit.origin());
    let callout = Callout::new(Tone::Flag, "This is shown once")
        .body(Paragraph::new("Copy it to where the program keeps its secrets. Whoever has it acts in your name, as far as its role goes."));
    let page = visit
        .shell(format!("Token {name}"), &Href::page("/console/account"))
        .crumb("Your account", Some(Href::page("/console/account")))
        .body(callout)
        .body(warnings(&made.warnings))
        .body(Card::new("The token").note(roles::about(role)).body(Id::new(token)))
        .body(Code::new("Use it", Language::Shell, curl))
        .body(Link::button(Href::page("/console/account"), "Done").primary());
    Ok(Reply::page(page.render()))
}
