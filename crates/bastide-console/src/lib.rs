//! The web console: pages from the server, on the gateway's own listener or one for administrators.
//!
//! Owns: what the console looks like (`design`: parts, charts, style and script), which pages there are and who may open
//! them (`web/route.rs`), and how a visit becomes an answer. Knows nothing of where anything is stored or how it is
//! changed: it asks [`bastide_admin::Admin`], as the command line does.
//!
//! The life of a visit: [`Console`] finds the route, reads the form, looks the session up, checks permission and
//! freshness (`web/server.rs`); `pages/` answers; `web/reply.rs` adds the headers that keep a page to itself.
//!
//! A page is put together from parts, each a value that is `Into<Html>`:
//!
//! ```
//! use bastide_console::{Badge, Column, Context, Href, Html, Link, Row, Shell, Table};
//! use bastide_types::Verdict;
//!
//! fn keys_page(context: &Context) -> String {
//!     let keys = Table::new("Keys", [Column::text("Name"), Column::text("Last verdict"), Column::number("Requests")])
//!         .row(Row::new([Html::from("<billing>"), Badge::from(Verdict::Redact).into(), Html::from("1,204")]));
//!     let new = Link::button(Href::page("/console/keys/new"), "New key").primary();
//!     Shell::new("Keys", &Href::page("/console/keys"), context).action(new).body(keys).render()
//! }
//! # let page = keys_page(&bastide_console::example_context(Default::default()));
//! # assert!(page.contains("&#60;billing&#62;"));
//! ```

mod design;
mod nav;
mod pages;
mod web;

pub use design::*;
pub use web::route::{Access, Route};
pub use web::server::Console;

/// What reads bytes from outside, for the fuzz targets: nothing else is to call it.
#[doc(hidden)]
pub mod outside {
    use http::header::COOKIE;
    use http::{HeaderMap, HeaderValue};

    use crate::web::{Fields, Lasts, read_cookie, write_cookie};

    /// The value of a cookie in a header; `None` also where these bytes are no header.
    #[must_use]
    pub fn cookie(header: &[u8], name: &str, secure: bool) -> Option<String> {
        let value = HeaderValue::from_bytes(header).ok()?;
        let headers = HeaderMap::from_iter([(COOKIE, value)]);
        read_cookie(&headers, name, secure).map(str::to_owned)
    }

    /// A cookie as it is set.
    #[must_use]
    pub fn set_cookie(name: &str, value: &str, secure: bool) -> String {
        write_cookie(name, value, secure, Lasts::Session)
    }

    /// The fields of a form or a query string.
    #[must_use]
    pub fn form(bytes: &[u8]) -> Vec<(String, String)> {
        Fields::parse(bytes).iter().map(|(name, value)| (name.to_owned(), value.to_owned())).collect()
    }
}
