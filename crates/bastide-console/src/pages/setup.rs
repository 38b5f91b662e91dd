//! The first administrator: once, with the code in the output of the server's start.

use bastide_admin::{Credentials, Kind, NotIn};
use bastide_types::Secret;
use http::StatusCode;

use crate::design::{Button, Callout, Field, Form, Href, Html, Tone};
use crate::web::{Lasts, Refusal, Reply, SESSION_COOKIE, Visit, write_cookie};

pub(super) async fn show(visit: &Visit<'_>) -> Result<Reply, Refusal> {
    if !visit.console.admin.node.accounts.is_empty() {
        // Closed for ever: there is somebody.
        return Ok(Reply::see_other("/console/sign-in"));
    }
    Ok(Reply::page(form(visit, "", None)))
}

pub(super) async fn create(visit: &Visit<'_>) -> Result<Reply, Refusal> {
    if !visit.console.admin.node.accounts.is_empty() {
        return Ok(Reply::see_other("/console/sign-in"));
    }
    let (code, name) = (visit.form.text("setup_code").to_owned(), visit.form.text("name").to_owned());
    let password = visit.form.get("password").unwrap_or_default();
    let wrong = |status, at, why: &str| Ok(Reply::page_with(status, form(visit, &name, Some((at, why)))));
    if password != visit.form.get("repeated_password").unwrap_or_default() {
        let why = "the two passwords are not the same";
        return wrong(StatusCode::UNPROCESSABLE_ENTITY, "repeated_password", why);
    }
    let secret = || Secret::new(password.to_owned());
    if let Err(failure) = visit.admin().first_administrator(code, name.clone(), secret()).await {
        let status = match failure.kind() {
            Kind::Usage => StatusCode::UNPROCESSABLE_ENTITY,
            _ => StatusCode::CONFLICT,
        };
        return wrong(status, failure.field().unwrap_or_default(), failure.message());
    }
    let with = Credentials {
        name,
        password: secret(),
        code: None,
        address: visit.address(),
        user_agent: visit.user_agent.clone(),
    };
    match visit.admin().sign_in(with).await {
        Ok(issued) => {
            let cookie =
                write_cookie(SESSION_COOKIE, issued.token.expose(), visit.visitor.tls, Lasts::Session);
            Ok(Reply::see_other("/console/account?first").cookie(&cookie))
        }
        // There is somebody now, who can sign in in the usual way.
        Err(NotIn::Refused | NotIn::Busy | NotIn::Failed(_)) => Ok(Reply::see_other("/console/sign-in")),
    }
}

/// The form; with what is wrong, at its field. What is of no field stands above all.
fn form(visit: &Visit<'_>, name: &str, wrong: Option<(&str, &str)>) -> String {
    let told = |field: Field, at: &str| match wrong {
        Some((wrong, why)) if wrong == at => field.error(why),
        _ => field,
    };
    let code = Field::text("setup_code", "Code")
        .value(visit.form.text("setup_code"))
        .mono()
        .placeholder("7KQ4-9XWD-M3FP")
        .hint("It stands in the output of the server's start, and is good for 15 minutes.");
    let name = Field::text("name", "Your name")
        .value(name)
        .autocomplete("username")
        .hint("With which you sign in; an e-mail address will do.");
    let password = Field::password("password", "Password", "new-password").hint("At least 12 characters.");
    let again = Field::password("repeated_password", "Password, once more", "new-password");
    let form = Form::post(Href::page("/console/setup"), &visit.csrf())
        .field(told(code.required(), "setup_code"))
        .field(told(name.required(), "name"))
        .field(told(password.required(), "password"))
        .field(told(again.required(), "repeated_password"))
        .button(Button::new("Make the administrator").primary());
    let mut page = visit
        .bare("Set up this gateway")
        .lead("Make the first administrator. This page closes for ever when there is one.");
    if let Some(("", why)) = wrong {
        page = page.body(Callout::new(Tone::Block, "Not yet").body(Html::from(why)));
    }
    page.body(form).render()
}
