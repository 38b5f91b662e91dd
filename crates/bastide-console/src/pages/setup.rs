//! The first administrator: once, with the code in the output of the server's start.

use bastide_admin::{Credentials, Failure, Kind, Made, NotIn};
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
        let why = Failure::usage("the two passwords are not the same").at("repeated_password");
        return refused(visit, &name, &why);
    }
    let secret = || Secret::new(password.to_owned());
    let mut warnings = Vec::new();
    match visit.admin().first_administrator(code, name.clone(), secret()).await {
        Ok(made) => warnings.extend(made.warnings),
        Err(failure) => return refused(visit, &name, &failure),
    }
    let with = Credentials {
        name,
        password: secret(),
        code: None,
        address: visit.address(),
        user_agent: visit.user_agent.clone(),
    };
    match visit.admin().sign_in(with).await {
        Ok(Made { given, warnings: more }) => {
            let cookie =
                write_cookie(SESSION_COOKIE, given.token.expose(), visit.visitor.tls, Lasts::Session);
            warnings.extend(more);
            Ok(visit.onward("/console/account?first", &warnings).cookie(&cookie))
        }
        // There is somebody now, who can sign in in the usual way.
        Err(NotIn::Refused | NotIn::Busy | NotIn::Failed(_)) => Ok(Reply::see_other("/console/sign-in")),
    }
}

fn refused(visit: &Visit<'_>, name: &str, failure: &Failure) -> Result<Reply, Refusal> {
    let status = match failure.kind() {
        Kind::Usage => StatusCode::UNPROCESSABLE_ENTITY,
        _ => StatusCode::CONFLICT,
    };
    let wrong = (failure.field().unwrap_or_default(), failure.message());
    Ok(Reply::page_with(status, form(visit, name, Some(wrong))))
}

/// The form; with what is wrong, at its field. What is of no field stands above all.
fn form(visit: &Visit<'_>, name: &str, wrong: Option<(&str, &str)>) -> String {
    let told = |field: Field, at: &str| match wrong {
        Some((wrong, why)) if wrong == at => field.error(why).focus(),
        None if at == "setup_code" => field.focus(),
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
