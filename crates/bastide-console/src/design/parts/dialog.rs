//! What opens on demand.

use askama::Template;

use crate::design::html::component;
use crate::design::{Html, Icon, Text};

/// A question or form that opens in a dialog. It is a `<details>`: without script it opens in its place, with the same
/// form.
#[derive(Clone, Debug, Template)]
#[template(
    source = r#"<details class="disclose" data-dialog><summary class="button{% if danger %} danger{% endif %}">{{ opener }}</summary><div class="dialog-body" aria-label="{{ title }}"><header><h2>{{ crate::design::html::prose(title) }}</h2><button type="button" class="icon-button" data-close hidden aria-label="Close">{{ Icon::Close }}</button></header>{{ body }}</div></details>"#,
    ext = "html"
)]
pub struct Dialog {
    opener: Text,
    title: Text,
    body: Html,
    danger: bool,
}

component!(Dialog, Disclosure);

impl Dialog {
    /// A button with this label, and what it opens.
    #[must_use]
    pub fn new(opener: impl Into<Text>, title: impl Into<Text>, body: impl Into<Html>) -> Self {
        Dialog { opener: opener.into(), title: title.into(), body: body.into(), danger: false }
    }

    /// Leads to something that cannot be undone.
    #[must_use]
    pub fn danger(mut self) -> Self {
        self.danger = true;
        self
    }
}

/// More of the same, in its place.
#[derive(Clone, Debug, Template)]
#[template(
    source = r#"<details class="more"{% if open %} open{% endif %}><summary>{{ summary }}</summary><div class="flow">{{ body }}</div></details>"#,
    ext = "html"
)]
pub struct Disclosure {
    summary: Text,
    body: Html,
    open: bool,
}

impl Disclosure {
    /// A line, and what is behind it.
    #[must_use]
    pub fn new(summary: impl Into<Text>, body: impl Into<Html>) -> Self {
        Disclosure { summary: summary.into(), body: body.into(), open: false }
    }

    /// Open from the start.
    #[must_use]
    pub fn open(mut self) -> Self {
        self.open = true;
        self
    }
}
