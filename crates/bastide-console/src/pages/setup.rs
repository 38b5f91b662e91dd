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
    if password != visit.form.get("repeated_password").unwrap_or_default() {
        let why = "the two passwords are not the same";
        return Ok(Reply::page_with(StatusCode::UNPROCESSABLE_ENTITY, form(visit, &name, Some(why))));
    }
    let secret = || Secret::new(password.to_owned());
    if let Err(failure) = visit.admin().first_administrator(code, name.clone(), secret()).await {
        let status = match failure.kind() {
            Kind::Usage => StatusCode::UNPROCESSABLE_ENTITY,
            _ => StatusCode::CONFLICT,
        };
        return Ok(Reply::page_with(status, form(visit, &name, Some(failure.message()))));
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

fn form(visit: &Visit<'_>, name: &str, why: Option<&str>) -> String {
    let form = Form::post(Href::page("/console/setup"), &visit.csrf())
        .field(
            Field::text("setup_code", "Code")
                .mono()
                .placeholder("7KQ4-9XWD-M3FP")
                .hint("It stands in the output of the server's start, and is good for 15 minutes.")
                .required(),
        )
        .field(
            Field::text("name", "Your name")
                .value(name)
                .autocomplete("username")
                .hint("With which you sign in; an e-mail address will do.")
                .required(),
        )
        .field(
            Field::password("password", "Password", "new-password")
                .hint("At least 12 characters.")
                .required(),
        )
        .field(Field::password("repeated_password", "Password, once more", "new-password").required())
        .button(Button::new("Make the administrator").primary());
    let mut page = visit
        .bare("Set up this gateway")
        .lead("Make the first administrator. This page closes for ever when there is one.");
    if let Some(why) = why {
        page = page.body(Callout::new(Tone::Block, "Not yet").body(Html::from(why)));
    }
    page.body(form).render()
}
