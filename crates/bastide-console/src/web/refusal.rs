//! Why a visitor does not get what they asked for, as a page.

use bastide_admin::{Failure, Kind};
use http::StatusCode;

use super::reply::Reply;
use super::server::{CONFIRM_CODE, CONFIRM_PASSWORD};
use super::visit::Visit;
use crate::design::{
    Button, Callout, Card, Field, Form, Hidden, Href, Html, Link, Paragraph, Text, Tone, prose,
};

/// Why not.
#[derive(Debug)]
pub(crate) enum Refusal {
    /// There is no such thing.
    NotFound(String),
    /// They may not.
    Denied(String),
    /// The form did not come from a page of ours, or its page is too old.
    Forged,
    /// They have not proved of late who they are, and this asks for it.
    Stale {
        /// What they proved it with just now was wrong.
        wrong: bool,
    },
    /// The request cannot be read.
    Malformed(String),
    /// What was asked for was wrong, or could not be done.
    Failed(Failure),
}

impl From<Failure> for Refusal {
    fn from(failure: Failure) -> Self {
        match failure.kind() {
            Kind::NotFound => Refusal::NotFound(failure.message().to_owned()),
            Kind::Denied => Refusal::Denied(failure.message().to_owned()),
            Kind::Usage | Kind::DoesNotHold | Kind::CouldNot => Refusal::Failed(failure),
        }
    }
}

impl Refusal {
    /// Nothing of this kind has this name.
    pub(crate) fn no(what: &str, name: &str) -> Self {
        let name: String = name.chars().take(80).collect();
        Refusal::NotFound(format!("there is no {what} `{name}`"))
    }

    fn status(&self) -> StatusCode {
        match self {
            Refusal::NotFound(_) => StatusCode::NOT_FOUND,
            Refusal::Denied(_) | Refusal::Forged | Refusal::Stale { .. } => StatusCode::FORBIDDEN,
            Refusal::Malformed(_) => StatusCode::BAD_REQUEST,
            Refusal::Failed(failure) => match failure.kind() {
                Kind::CouldNot => StatusCode::CONFLICT,
                _ => StatusCode::UNPROCESSABLE_ENTITY,
            },
        }
    }

    fn words(&self) -> (&'static str, String) {
        match self {
            Refusal::NotFound(what) => ("Nothing here", what.clone()),
            Refusal::Denied(why) => ("Not permitted", why.clone()),
            Refusal::Forged => (
                "The form is too old",
                "it was not filled in on a page of this session; go back, reload the page and send it again. \
                 Nothing was changed"
                    .to_owned(),
            ),
            Refusal::Stale { .. } => {
                ("Confirm who you are", "this is asked again before something that matters".to_owned())
            }
            Refusal::Malformed(why) => ("The request cannot be read", why.clone()),
            Refusal::Failed(failure) => ("That could not be done", failure.message().to_owned()),
        }
    }

    /// As a page of the console.
    pub(crate) fn into_reply(self, visit: &Visit<'_>) -> Reply {
        let down = visit.admin().node.log.healthy().is_err();
        let status = match self.status() {
            // Nothing is wrong with what was asked for.
            StatusCode::CONFLICT if down => StatusCode::SERVICE_UNAVAILABLE,
            status => status,
        };
        let (title, why) = self.words();
        let page = visit.shell(title, &Href::page("/console"));
        let page = match self {
            Refusal::Stale { wrong } => page.lead(why).body(confirm(visit, wrong)),
            _ => page
                .body(Callout::new(Tone::Block, title).body(Paragraph::new(prose(&Text::from(why)))))
                .body(Link::button(Href::page("/console"), "To the overview")),
        };
        Reply::page_with(status, page.render())
    }
}

/// Fields that hold a secret, and what is asked for in their place: a secret is not given back in a page.
const SECRETS: [(&str, &str); 2] =
    [("password", "The new password, once more"), ("credential_value", "The credential, once more")];

/// The form that was sent, once more, with the proof beside it.
fn confirm(visit: &Visit<'_>, wrong: bool) -> Html {
    let action = Href::parse(&visit.target).unwrap_or_else(|_| Href::page("/console"));
    let mut form = Form::post(action, &visit.csrf());
    for (name, value) in visit.form.iter() {
        let ours = matches!(name, "csrf" | CONFIRM_PASSWORD | CONFIRM_CODE) || name.contains("password");
        if !ours && !SECRETS.iter().any(|(secret, _)| *secret == name) {
            form = form.field(Hidden::new(name, value));
        }
    }
    for (secret, again) in SECRETS.iter().filter(|(name, _)| visit.form.given(name).is_some()) {
        form = form.field(Field::password(secret, *again, "new-password").required());
    }
    let password = Field::password(CONFIRM_PASSWORD, "Your password", "current-password").required().focus();
    let password = if wrong { password.error("password or code is not right") } else { password };
    let code =
        Field::code(CONFIRM_CODE, "Code of your authenticator app").hint("Leave it empty if you have none.");
    let form = form.field(password).field(code).button(Button::new("Confirm and go on").primary());
    Card::new("Confirm who you are")
        .note("What you filled in is kept; nothing was changed yet.")
        .body(form)
        .into()
}
