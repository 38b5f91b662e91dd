//! Tables of things.

use askama::Template;

use super::Empty;
use crate::design::html::component;
use crate::design::{Href, Html, Icon, Text};

/// Where a column's cells stand.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Align {
    /// Text.
    #[default]
    Start,
    /// Numbers: digits below digits.
    End,
}

/// How a column is sorted now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sort {
    /// By another column.
    Not,
    /// Least first.
    Ascending,
    /// Most first.
    Descending,
}

/// A column's head.
#[derive(Clone, Debug)]
pub struct Column {
    name: Text,
    align: Align,
    sort: Option<(Sort, Href)>,
}

impl Column {
    /// Text.
    #[must_use]
    pub fn text(name: impl Into<Text>) -> Self {
        Column { name: name.into(), align: Align::Start, sort: None }
    }

    /// Numbers.
    #[must_use]
    pub fn number(name: impl Into<Text>) -> Self {
        Column { align: Align::End, ..Column::text(name) }
    }

    /// How it is sorted now, and where it is sorted the other way.
    #[must_use]
    pub fn sort(mut self, now: Sort, other: Href) -> Self {
        self.sort = Some((now, other));
        self
    }

    fn aria_sort(&self) -> Option<&'static str> {
        self.sort.as_ref().map(|(sort, _)| match sort {
            Sort::Not => "none",
            Sort::Ascending => "ascending",
            Sort::Descending => "descending",
        })
    }
}

/// One row: as many cells as there are columns. Missing cells are empty, further ones are not shown.
#[derive(Clone, Debug, Template)]
#[template(path = "row.html")]
pub struct Row {
    cells: Vec<Html>,
    heads: Vec<(Text, Align)>,
    href: Option<Href>,
    tags: Vec<(&'static str, String)>,
    fresh: bool,
}

component!(Row, Table);

impl Row {
    /// A row of cells.
    #[must_use]
    pub fn new(cells: impl IntoIterator<Item = Html>) -> Self {
        Row {
            cells: cells.into_iter().collect(),
            heads: Vec::new(),
            href: None,
            tags: Vec::new(),
            fresh: false,
        }
    }

    /// Where the row leads: its first cell is the link, and the whole row follows it.
    #[must_use]
    pub fn href(mut self, href: Href) -> Self {
        self.href = Some(href);
        self
    }

    /// What the filters of a [`super::Live`] list see: `data-name="value"`.
    #[must_use]
    pub fn tag(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.tags.push((name, value.into()));
        self
    }

    /// This row alone, as the fragment of a live list with these columns.
    #[must_use]
    pub fn fragment(mut self, columns: &[Column]) -> Html {
        self.fresh = true;
        self.under(columns).into()
    }

    fn under(mut self, columns: &[Column]) -> Self {
        self.heads = columns.iter().map(|column| (column.name.clone(), column.align)).collect();
        self
    }

    fn link_of(&self, at: &usize) -> Option<&Href> {
        self.href.as_ref().filter(|_| *at == 0)
    }

    fn cell(&self, at: &usize) -> Html {
        self.cells.get(*at).cloned().unwrap_or_default()
    }
}

/// Where the pages before and after are, and what this one shows.
#[derive(Clone, Debug, Default)]
pub struct Pages {
    /// The page before.
    pub previous: Option<Href>,
    /// The page after.
    pub next: Option<Href>,
    /// `50 of about 12,400`.
    pub note: Text,
}

/// A table. On narrow screens its rows become blocks with the heads as labels.
#[derive(Clone, Debug, Template)]
#[template(path = "table.html")]
pub struct Table {
    caption: Text,
    columns: Vec<Column>,
    rows: Vec<Row>,
    empty: Option<Empty>,
    pages: Option<Pages>,
    live: Option<&'static str>,
}

impl Table {
    /// A table whose caption says what its rows are, for readers that speak.
    #[must_use]
    pub fn new(caption: impl Into<Text>, columns: impl IntoIterator<Item = Column>) -> Self {
        Table {
            caption: caption.into(),
            columns: columns.into_iter().collect(),
            rows: Vec::new(),
            empty: None,
            pages: None,
            live: None,
        }
    }

    /// One more row.
    #[must_use]
    pub fn row(mut self, row: Row) -> Self {
        self.rows.push(row.under(&self.columns));
        self
    }

    /// More rows.
    #[must_use]
    pub fn rows(self, rows: impl IntoIterator<Item = Row>) -> Self {
        rows.into_iter().fold(self, Table::row)
    }

    /// What stands in its place when there are no rows.
    #[must_use]
    pub fn empty(mut self, empty: Empty) -> Self {
        self.empty = Some(empty);
        self
    }

    /// Leads to the pages before and after.
    #[must_use]
    pub fn pages(mut self, pages: Pages) -> Self {
        self.pages = Some(pages);
        self
    }

    /// Receives the rows of a live list.
    pub(crate) fn live(mut self, id: &'static str) -> Self {
        self.live = Some(id);
        self
    }
}
