//! The web console's design: pages, the parts they are made of, charts, and the three files they refer to.
//!
//! Owns: what everything looks like and how it is escaped. Every part is a value that is `Into<Html>`; text becomes
//! markup only by being escaped; a link can only lead where [`Href`] allows. Pages work without script and obey
//! [`CONTENT_SECURITY_POLICY`]. Knows nothing of HTTP, of who may see what, of where data comes from, or of what time
//! it is.
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
//!
//! [`gallery`] shows every part in its states.

mod asset;
mod chart;
pub mod format;
mod gallery;
mod href;
mod html;
mod icon;
mod layout;
mod nav;
mod parts;
mod tone;

pub use asset::{ASSET_CACHE_CONTROL, ASSET_PATH, Asset, CONTENT_SECURITY_POLICY, asset, assets};
pub use chart::{BarChart, Flow, Gauge, Heatmap, LineChart, MAX_POINTS, MAX_SERIES, Series, Sparkline, Unit};
pub use gallery::{example_context, gallery, sign_in_example};
pub use href::{Href, HrefError};
pub(crate) use html::prose;
pub use html::{Html, Text};
pub use icon::{Icon, Mark};
pub use layout::{Bare, Context, Shell, Theme};
pub use nav::{Nav, NavEntry};
pub use parts::*;
pub use tone::Tone;
