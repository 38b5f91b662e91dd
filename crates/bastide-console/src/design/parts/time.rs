//! Instants.

use askama::Template;
use bastide_types::Timestamp;

use crate::design::format;
use crate::design::html::component;

/// An instant as the time since it, with the instant itself as the tooltip. A script keeps it right.
#[derive(Clone, Debug, Template)]
#[template(
    source = r#"<time datetime="{{ iso }}" title="{{ full }}"{% if relative %} data-relative{% endif %}>{{ shown }}</time>"#,
    ext = "html"
)]
pub struct When {
    iso: String,
    full: String,
    shown: String,
    relative: bool,
}

component!(When);

impl When {
    /// `5 min ago`, as of `now`.
    #[must_use]
    pub fn new(at: Timestamp, now: Timestamp) -> Self {
        When {
            iso: format::rfc3339(at),
            full: format::utc(at),
            shown: format::relative(at, now),
            relative: true,
        }
    }

    /// `2026-10-04 17:03:12 UTC`.
    #[must_use]
    pub fn exact(at: Timestamp) -> Self {
        When { iso: format::rfc3339(at), full: format::utc(at), shown: format::utc(at), relative: false }
    }
}
