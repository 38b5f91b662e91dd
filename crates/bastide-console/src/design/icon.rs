//! The mark and the icons: own drawings on a grid of 16, in the colour of the text around them.

use std::fmt;

use askama::Template;
use askama::filters::HtmlSafe;

use crate::design::Html;
use crate::design::html::component;

/// A small drawing beside a word. Decoration: readers that speak skip it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "the names are those of the pages and signs that they stand for")]
pub enum Icon {
    Overview,
    Live,
    Exchanges,
    Findings,
    Keys,
    Models,
    Policies,
    Guard,
    Log,
    Playground,
    Users,
    Settings,
    System,
    Search,
    Copy,
    Check,
    Info,
    Warning,
    Stop,
    Close,
    Menu,
    Plus,
    Pause,
    External,
    ChevronDown,
    Previous,
    Next,
    SortUp,
    SortDown,
    Sun,
    Moon,
    Screen,
    SignOut,
}

component!(Mark);

impl fmt::Display for Icon {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let path = self.path();
        write!(
            f,
            r#"<svg class="icon" viewBox="0 0 16 16" width="16" height="16" aria-hidden="true" focusable="false"><path d="{path}"/></svg>"#
        )
    }
}

impl HtmlSafe for Icon {}

impl From<Icon> for Html {
    fn from(icon: Icon) -> Self {
        Html::raw(icon.to_string())
    }
}

impl Icon {
    const fn path(self) -> &'static str {
        match self {
            Icon::Overview => "M2.5 2.5h4.5v6h-4.5zM9 2.5h4.5v3.5H9zM9 8h4.5v5.5H9zM2.5 10.5H7v3H2.5z",
            Icon::Live => "M1.5 8.5h3l2-5.5 3 10 2-4.5h3",
            Icon::Exchanges => "M2.5 5.5h10.5M10.5 3l2.5 2.5L10.5 8M13.5 10.5H3M5.5 8L3 10.5 5.5 13",
            Icon::Findings => "M3.5 14V2.5M3.5 3h8.5l-2 2.75 2 2.75H3.5",
            Icon::Keys => {
                "M10.5 9a3.5 3.5 0 1 0-3.3-2.3L2.5 11.4V13.5h2.3v-1.7h1.7v-1.7l1.3-1.3A3.5 3.5 0 0 0 10.5 9zM11 5.4v.1"
            }
            Icon::Models => "M8 1.8l5.5 3.1v6.2L8 14.2l-5.5-3.1V4.9zM2.6 5L8 8l5.4-3M8 8v6.1",
            Icon::Policies => "M4 2.5h6l2.5 2.5v8.5H4zM9.8 2.6v2.6h2.6M6.3 8h4M6.3 10.5h4",
            Icon::Guard => "M8 1.8l5 1.9v4c0 3.1-2 5.3-5 6.5-3-1.2-5-3.4-5-6.5v-4zM5.8 7.8l1.6 1.6 2.9-3",
            Icon::Log => "M3 3.5h1.5v1.5H3zM3 7.3h1.5v1.5H3zM3 11h1.5v1.5H3zM7 4.3h6.5M7 8h6.5M7 11.7h6.5",
            Icon::Playground => "M2 3h12v10H2zM4.5 6l2 2-2 2M8.5 10.2h3",
            Icon::Users => {
                "M6 7.5a2.5 2.5 0 1 0 0-5 2.5 2.5 0 0 0 0 5zM1.5 13.5c0-2.5 2-4 4.5-4s4.5 1.5 4.5 4M10.8 2.8a2.5 2.5 0 0 1 0 4.4M12.3 9.9c1.4.6 2.2 1.9 2.2 3.6"
            }
            Icon::Settings => "M2 4.5h6M12 4.5h2M2 11.5h2M8 11.5h6M10 2.7v3.6M6 9.7v3.6",
            Icon::System => "M2.5 2.5h11V7h-11zM2.5 9h11v4.5h-11zM5 4.75h.1M5 11.25h.1M8 4.75h3M8 11.25h3",
            Icon::Search => "M7 11.5a4.5 4.5 0 1 0 0-9 4.5 4.5 0 0 0 0 9zM10.4 10.4L14 14",
            Icon::Copy => "M5.5 5.5h8v8h-8zM10.5 5.3V2.5h-8v8h2.8",
            Icon::Check => "M3 8.5l3.2 3.2L13 4.8",
            Icon::Info => "M8 14A6 6 0 1 0 8 2a6 6 0 0 0 0 12zM8 7.3v3.5M8 5v.1",
            Icon::Warning => "M8 2.2l6.3 11.3H1.7zM8 6.5v3.3M8 11.7v.1",
            Icon::Stop => "M8 14A6 6 0 1 0 8 2a6 6 0 0 0 0 12zM3.9 12.1l8.2-8.2",
            Icon::Close => "M4 4l8 8M12 4l-8 8",
            Icon::Menu => "M2 4h12M2 8h12M2 12h12",
            Icon::Plus => "M8 3v10M3 8h10",
            Icon::Pause => "M5.5 3.5v9M10.5 3.5v9",
            Icon::External => "M6.5 3.5h-4v10h10v-4M9 2.5h4.5V7M13.3 2.7L7.5 8.5",
            Icon::ChevronDown => "M4 6.2l4 4 4-4",
            Icon::Previous => "M9.8 4l-4 4 4 4",
            Icon::Next => "M6.2 4l4 4-4 4",
            Icon::SortUp => "M8 13V3.5M4.5 7L8 3.5 11.5 7",
            Icon::SortDown => "M8 3v9.5M4.5 9L8 12.5 11.5 9",
            Icon::Sun => {
                "M8 10.8a2.8 2.8 0 1 0 0-5.6 2.8 2.8 0 0 0 0 5.6zM8 1.5v1.3M8 13.2v1.3M1.5 8h1.3M13.2 8h1.3M3.4 3.4l.9.9M11.7 11.7l.9.9M12.6 3.4l-.9.9M4.3 11.7l-.9.9"
            }
            Icon::Moon => "M13.3 9.6A5.8 5.8 0 0 1 6.4 2.7a5.6 5.6 0 1 0 6.9 6.9z",
            Icon::Screen => "M2 3h12v8H2zM5.5 13.5h5M8 11v2.5",
            Icon::SignOut => "M6.5 2.5h-4v11h4M10.5 5l3 3-3 3M13.3 8H6.5",
        }
    }
}

/// The name's mark: a walled town on a grid, its gate open to the south, its market square lit.
#[derive(Clone, Copy, Debug, Template)]
#[template(
    source = r#"<svg class="mark" viewBox="0 0 24 24" width="24" height="24" aria-hidden="true" focusable="false"><path d="M9.5 22H6a4 4 0 0 1-4-4V6a4 4 0 0 1 4-4h12a4 4 0 0 1 4 4v12a4 4 0 0 1-4 4h-3.5" fill="none" stroke="currentColor" stroke-width="2" stroke-linecap="round"/><path d="M5.5 5.5h3.6v3.6H5.5zM10.2 5.5h3.6v3.6h-3.6zM14.9 5.5h3.6v3.6h-3.6zM5.5 10.2h3.6v3.6H5.5zM14.9 10.2h3.6v3.6h-3.6zM5.5 14.9h3.6v3.6H5.5zM14.9 14.9h3.6v3.6h-3.6z" fill="currentColor" opacity=".32"/><path class="mark-square" d="M10.2 10.2h3.6v3.6h-3.6z"/></svg>"#,
    ext = "html"
)]
pub struct Mark;
