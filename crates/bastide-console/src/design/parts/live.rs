//! What changes by itself while a page is open.

use askama::Template;

use super::{Field, Table};
use crate::design::html::component;
use crate::design::{Href, Html, Icon, Text};

/// A table that receives rows as they happen: server-sent events whose data is [`super::Row::fragment`]. Without script
/// it is the table as it was when the page was asked for, and a link to ask again.
#[derive(Clone, Debug, Template)]
#[template(
    source = r#"<section class="live" data-live="{{ events }}" data-live-into="live-rows"><header class="live-bar"><p class="live-state" role="status"><span class="live-dot" aria-hidden="true"></span><span data-live-state>As of when the page was opened</span></p><div class="live-filters">{% for filter in filters %}{{ filter }}{% endfor %}</div><a class="button small" href="{{ page }}" data-live-reload>Ask again</a><button type="button" class="button small" data-live-pause aria-pressed="false" hidden>{{ Icon::Pause }}<span>Pause</span></button></header>{{ table }}</section>"#,
    ext = "html"
)]
pub struct Live {
    events: Href,
    page: Href,
    filters: Vec<Field>,
    table: Html,
}

component!(Live, Previewed, Refresh);

impl Live {
    /// Rows from `events` on top of `table`; `page` is where this list is.
    #[must_use]
    pub fn new(events: Href, page: Href, table: Table) -> Self {
        Live { events, page, filters: Vec::new(), table: table.live("live-rows").into() }
    }

    /// A select or search whose name is that of a [`super::Row::tag`]: rows with another value hide. A search looks
    /// into the row's text.
    #[must_use]
    pub fn filter(mut self, filter: Field) -> Self {
        self.filters.push(filter.of("live"));
        self
    }
}

/// A fragment that is fetched again every few seconds while the page is seen.
#[derive(Clone, Debug, Template)]
#[template(
    source = r#"<div data-refresh="{{ from }}" data-every="{{ every_seconds }}" aria-label="{{ label }}" role="group">{{ now }}</div>"#,
    ext = "html"
)]
pub struct Refresh {
    from: Href,
    every_seconds: u16,
    label: Text,
    now: Html,
}

impl Refresh {
    /// What it is now, and where it comes from every `every_seconds` (at least 2).
    #[must_use]
    pub fn new(label: impl Into<Text>, from: Href, every_seconds: u16, now: impl Into<Html>) -> Self {
        Refresh { from, every_seconds: every_seconds.max(2), label: label.into(), now: now.into() }
    }
}

/// Where the fragment of a [`super::Form::preview`] goes, and what is there before.
#[derive(Clone, Debug, Template)]
#[template(source = r#"<div id="{{ id }}" class="flow" aria-live="polite">{{ now }}</div>"#, ext = "html")]
pub struct Previewed {
    id: &'static str,
    now: Html,
}

impl Previewed {
    /// The place with this id.
    #[must_use]
    pub fn new(id: &'static str, now: impl Into<Html>) -> Self {
        Previewed { id, now: now.into() }
    }
}
