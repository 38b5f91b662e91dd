//! What happened, in order.

use askama::Template;

use super::When;
use crate::design::html::component;
use crate::design::{Html, Text, Tone};

/// One thing that happened.
#[derive(Clone, Debug)]
pub struct Moment {
    when: When,
    tone: Tone,
    title: Text,
    body: Html,
}

impl Moment {
    /// What happened and when.
    #[must_use]
    pub fn new(when: When, tone: Tone, title: impl Into<Text>) -> Self {
        Moment { when, tone, title: title.into(), body: Html::new() }
    }

    /// What there is to say about it.
    #[must_use]
    pub fn body(mut self, body: impl Into<Html>) -> Self {
        self.body = self.body.then(body);
        self
    }
}

/// Moments one below the other.
#[derive(Clone, Debug, Default, Template)]
#[template(
    source = r#"<ol class="timeline">{% for moment in moments %}<li class="{{ moment.tone.class() }}"><p class="moment-head"><strong dir="auto">{{ crate::design::html::prose(moment.title) }}</strong>{{ moment.when }}</p>{% if !moment.body.is_empty() %}<div class="moment-body">{{ moment.body }}</div>{% endif %}</li>{% endfor %}</ol>"#,
    ext = "html"
)]
pub struct Timeline {
    moments: Vec<Moment>,
}

component!(Timeline);

impl Timeline {
    /// These, in the order given.
    #[must_use]
    pub fn new(moments: impl IntoIterator<Item = Moment>) -> Self {
        Timeline { moments: moments.into_iter().collect() }
    }
}
