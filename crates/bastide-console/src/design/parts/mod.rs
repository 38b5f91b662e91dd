//! The parts that pages are made of. Each is a value, built up by its methods, that is `Into<Html>`.

mod badge;
mod button;
mod code;
mod data;
mod dialog;
mod diff;
mod filter;
mod form;
mod highlight;
mod live;
mod marked;
mod notice;
mod progress;
mod table;
mod tabs;
mod time;
mod timeline;
mod waterfall;

pub use badge::{Badge, Chip};
pub use button::{Button, Link, PostButton};
pub use code::Code;
pub use data::{Card, Columns, CopyText, Facts, Id, LineUp, Paragraph, Section, Stat, Tiles};
pub use dialog::{Dialog, Disclosure};
pub use diff::Diff;
pub use filter::Filters;
pub use form::{Choice, Csrf, Field, Form, Hidden};
pub use highlight::Language;
pub use live::{Live, Refresh};
pub use marked::Marked;
pub use notice::{Callout, Empty, Flash};
pub use progress::{Progress, Step, Steps};
pub use table::{Align, Column, Pages, Row, Sort, Table};
pub use tabs::Tabs;
pub use time::When;
pub use timeline::{Moment, Timeline};
pub use waterfall::Waterfall;
