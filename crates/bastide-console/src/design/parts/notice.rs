//! What the console has to say.

use askama::Template;

use super::Link;
use crate::design::html::component;
use crate::design::{Html, Icon, Text, Tone};

fn sign(tone: Tone) -> Icon {
    match tone {
        Tone::Allow => Icon::Check,
        Tone::Flag | Tone::Hold => Icon::Warning,
        Tone::Block => Icon::Stop,
        _ => Icon::Info,
    }
}

/// What the last action did, once, at the top of the next page.
#[derive(Clone, Debug, Template)]
#[template(
    source = r#"<div class="toast {{ tone.class() }}" data-toast>{{ self.icon() }}<p>{{ crate::design::html::prose(text) }}</p><button type="button" class="icon-button" data-dismiss hidden aria-label="Dismiss">{{ Icon::Close }}</button></div>"#,
    ext = "html"
)]
pub struct Flash {
    tone: Tone,
    text: Text,
}

component!(Callout, Empty, Flash);

impl Flash {
    /// It worked.
    #[must_use]
    pub fn done(text: impl Into<Text>) -> Self {
        Flash { tone: Tone::Allow, text: text.into() }
    }

    /// It did not.
    #[must_use]
    pub fn failed(text: impl Into<Text>) -> Self {
        Flash { tone: Tone::Block, text: text.into() }
    }

    fn icon(&self) -> Icon {
        sign(self.tone)
    }
}

/// Something to know before reading on.
#[derive(Clone, Debug, Template)]
#[template(
    source = r#"<div class="callout {{ tone.class() }}"{% if tone == Tone::Block %} role="alert"{% endif %}>{{ self.icon() }}<div><p class="callout-title">{{ crate::design::html::prose(title) }}</p>{% if !body.is_empty() %}<div class="callout-body">{{ body }}</div>{% endif %}</div></div>"#,
    ext = "html"
)]
pub struct Callout {
    tone: Tone,
    title: Text,
    body: Html,
}

impl Callout {
    /// A notice.
    #[must_use]
    pub fn new(tone: Tone, title: impl Into<Text>) -> Self {
        Callout { tone, title: title.into(), body: Html::new() }
    }

    /// What follows from it.
    #[must_use]
    pub fn body(mut self, body: impl Into<Html>) -> Self {
        self.body = self.body.then(body);
        self
    }

    fn icon(&self) -> Icon {
        sign(self.tone)
    }
}

/// What stands where there is nothing yet: why, and what to do.
#[derive(Clone, Debug, Template)]
#[template(
    source = r#"<div class="empty"><svg class="empty-art" viewBox="0 0 72 48" width="72" height="48" aria-hidden="true"><path d="M4 44V12a6 6 0 0 1 6-6h52a6 6 0 0 1 6 6v32" fill="none" stroke="currentColor" stroke-width="2" stroke-linecap="round" stroke-dasharray="1 5"/><path d="M15 16h12v9H15zM30 16h12v9H30zM45 16h12v9H45zM15 29h12v9H15zM45 29h12v9H45z" fill="none" stroke="currentColor" stroke-width="1.5"/></svg><p class="empty-title">{{ title }}</p>{% if !text.is_empty() %}<p class="empty-text">{{ crate::design::html::prose(text) }}</p>{% endif %}{% if let Some(link) = link.as_ref() %}{{ link }}{% endif %}</div>"#,
    ext = "html"
)]
pub struct Empty {
    title: Text,
    text: Text,
    link: Option<Link>,
}

impl Empty {
    /// `No keys yet`, and why that is or what comes here.
    #[must_use]
    pub fn new(title: impl Into<Text>, text: impl Into<Text>) -> Self {
        Empty { title: title.into(), text: text.into(), link: None }
    }

    /// What to do about it.
    #[must_use]
    pub fn link(mut self, link: Link) -> Self {
        self.link = Some(link);
        self
    }
}
