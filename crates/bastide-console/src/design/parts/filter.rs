//! The bar above a table.

use askama::Template;

use super::Field;
use crate::design::html::component;
use crate::design::{Href, Icon};

/// A search and selects that narrow what a table shows, as a form that asks: the address says it all. Where there is
/// little room the script closes it, unless it is in use.
#[derive(Clone, Debug, Template)]
#[template(
    source = r#"<details class="filters-box"{% if clear.is_some() %} data-set{% endif %} open><summary class="button">Filters</summary><form class="filters" method="get" action="{{ action }}" role="search">{% for field in fields %}{{ field }}{% endfor %}<div class="filters-end"><button type="submit" class="button">{{ Icon::Search }}Filter</button>{% if let Some(clear) = clear.as_ref() %}<a class="button quiet" href="{{ clear }}">Clear</a>{% endif %}</div></form></details>"#,
    ext = "html"
)]
pub struct Filters {
    action: Href,
    fields: Vec<Field>,
    clear: Option<Href>,
}

component!(Filters);

impl Filters {
    /// Filters of the page at `action`.
    #[must_use]
    pub fn new(action: Href) -> Self {
        Filters { action, fields: Vec::new(), clear: None }
    }

    /// A search or select.
    #[must_use]
    pub fn field(mut self, field: Field) -> Self {
        self.fields.push(field.of("filter"));
        self
    }

    /// Where the page is without filters; give it when some are set.
    #[must_use]
    pub fn clear(mut self, href: Href) -> Self {
        self.clear = Some(href);
        self
    }
}
