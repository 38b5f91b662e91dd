//! Views of one thing.

use askama::Template;

use crate::design::html::component;
use crate::design::{Href, Text};

/// Links between the views of one thing.
#[derive(Clone, Debug, Template)]
#[template(
    source = r#"<nav class="tabs" aria-label="{{ label }}"><ul>{% for (name, href, count) in tabs %}<li><a href="{{ href }}"{% if loop.index0 == current %} aria-current="page"{% endif %}>{{ name }}{% if !count.is_empty() %}<span class="nav-count">{{ count }}</span>{% endif %}</a></li>{% endfor %}</ul></nav>"#,
    ext = "html"
)]
pub struct Tabs {
    label: Text,
    tabs: Vec<(Text, Href, Text)>,
    current: usize,
}

component!(Tabs);

impl Tabs {
    /// Views of what `label` names; `current` counts from zero.
    #[must_use]
    pub fn new(label: impl Into<Text>, current: usize) -> Self {
        Tabs { label: label.into(), tabs: Vec::new(), current }
    }

    /// One more view.
    #[must_use]
    pub fn tab(mut self, name: impl Into<Text>, href: Href) -> Self {
        self.tabs.push((name.into(), href, Text::default()));
        self
    }

    /// One more view, and how many things it shows.
    #[must_use]
    pub fn counted(mut self, name: impl Into<Text>, href: Href, count: impl Into<Text>) -> Self {
        self.tabs.push((name.into(), href, count.into()));
        self
    }
}
