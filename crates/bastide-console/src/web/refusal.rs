//! Why a visitor does not get what they asked for, as a page.

use bastide_admin::Failure;
use http::StatusCode;

use super::reply::Reply;
use super::visit::Visit;
use crate::design::{Callout, Href, Html, Link, Paragraph, Tone};

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
    Stale,
    /// The request cannot be read.
    Malformed(String),
    /// What was asked for was wrong, or could not be done.
    Failed(Failure),
}

impl From<Failure> for Refusal {
    fn from(failure: Failure) -> Self {
        Refusal::Failed(failure)
    }
}

impl Refusal {
    /// Nothing of this kind has this name.
    pub(crate) fn no(what: &str, name: &str) -> Self {
        let name: String = name.chars().take(80).collect();
        Refusal::NotFound(format!("there is no {what} `{name}`"))
    }

    pub(crate) fn status(&self) -> StatusCode {
        match self {
            Refusal::NotFound(_) => StatusCode::NOT_FOUND,
            Refusal::Denied(_) | Refusal::Forged | Refusal::Stale => StatusCode::FORBIDDEN,
            Refusal::Malformed(_) => StatusCode::BAD_REQUEST,
            Refusal::Failed(failure) => match failure.code() {
                1 | 2 => StatusCode::UNPROCESSABLE_ENTITY,
                _ => StatusCode::CONFLICT,
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
            Refusal::Stale => (
                "Confirm who you are",
                "this is asked again before something that matters; nothing was changed".to_owned(),
            ),
            Refusal::Malformed(why) => ("The request cannot be read", why.clone()),
            Refusal::Failed(failure) => ("That could not be done", failure.message().to_owned()),
        }
    }

    /// As a page of the console.
    pub(crate) fn into_reply(self, visit: &Visit<'_>) -> Reply {
        let (title, why) = self.words();
        let page = visit
            .shell(title, &Href::page("/console"))
            .body(Callout::new(Tone::Block, title).body(Paragraph::new(Html::from(why))))
            .body(Link::button(Href::page("/console"), "To the overview"));
        Reply::page_with(self.status(), page.render())
    }
}
