//! Signing in and out.

use bastide_admin::{Credentials, Made, NotIn};
use bastide_types::Secret;
use http::StatusCode;

use crate::design::{Button, Callout, Field, Form, Hidden, Href, Html, Tone};
use crate::web::{Lasts, Refusal, Reply, SESSION_COOKIE, Visit, inside, write_cookie};

/// What whoever is not let in is told, whatever was wrong.
const NOT_IN: &str =
    "name, password or code is not right, or there were too many attempts; try again in a while";

pub(super) async fn show(visit: &Visit<'_>) -> Result<Reply, Refusal> {
    if visit.console.admin.node.accounts.is_empty() {
        return Ok(Reply::see_other("/console/setup"));
    }
    if visit.who().is_ok() {
        return Ok(Reply::see_other("/console"));
    }
    Ok(Reply::page(form(visit, visit.query.text("next"), "", None)))
}

pub(super) async fn sign_in(visit: &Visit<'_>) -> Result<Reply, Refusal> {
    let next = visit.form.text("next");
    let name = visit.form.text("name");
    let with = Credentials {
        name: name.to_owned(),
        password: Secret::new(visit.form.get("password").unwrap_or_default().to_owned()),
        code: visit.form.given("code").map(str::to_owned),
        address: visit.address(),
        user_agent: visit.user_agent.clone(),
    };
    match visit.admin().sign_in(with).await {
        Ok(Made { given, warnings }) => {
            let cookie =
                write_cookie(SESSION_COOKIE, given.token.expose(), visit.visitor.tls, Lasts::Session);
            Ok(visit.onward(inside(next), &warnings).cookie(&cookie))
        }
        Err(NotIn::Refused) => {
            Ok(Reply::page_with(StatusCode::UNAUTHORIZED, form(visit, next, name, Some(NOT_IN))))
        }
        Err(NotIn::Busy) => {
            let why = "too many people are signing in just now; try again in a moment";
            Ok(Reply::page_with(StatusCode::SERVICE_UNAVAILABLE, form(visit, next, name, Some(why))))
        }
        Err(NotIn::Failed(failure)) => {
            tracing::error!(error = %failure, "somebody could not be signed in");
            let why = "the server could not do it; its log says why";
            Ok(Reply::page_with(StatusCode::INTERNAL_SERVER_ERROR, form(visit, next, name, Some(why))))
        }
    }
}

pub(super) async fn sign_out(visit: &Visit<'_>) -> Result<Reply, Refusal> {
    let who = visit.who()?;
    // Nobody is left whom a warning could be told; the server's own log has it.
    let _ended = visit.admin().end_session(who.actor, who.session).await?;
    let gone = write_cookie(SESSION_COOKIE, "", visit.visitor.tls, Lasts::Gone);
    Ok(Reply::see_other("/console/sign-in").cookie(&gone))
}

fn form(visit: &Visit<'_>, next: &str, name: &str, why: Option<&str>) -> String {
    // Nobody is signed in, so there is no token to carry: the answer to this form gives the sender a session and
    // nothing else, and another site's form is refused by where it came from.
    let who = Field::text("name", "Name").value(name).autocomplete("username").required();
    let password = Field::password("password", "Password", "current-password").required();
    let form = Form::post(Href::page("/console/sign-in"), &visit.csrf())
        .field(Hidden::new("next", inside(next)))
        .field(if name.is_empty() { who.focus() } else { who })
        .field(if name.is_empty() { password } else { password.focus() })
        .field(
            Field::text("code", "Code")
                .autocomplete("one-time-code")
                .hint("Of your authenticator app, or a recovery code. Empty if you have none."),
        )
        .button(Button::new("Sign in").primary());
    let mut page = visit.bare("Sign in").lead("The console of this gateway.");
    if let Some(why) = why {
        page = page.body(Callout::new(Tone::Block, "Not signed in").body(Html::from(why)));
    }
    page.body(form).render()
}
