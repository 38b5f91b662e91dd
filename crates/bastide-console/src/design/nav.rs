//! The navigation: which pages there are for this user.

use crate::design::{Href, Icon, Text};

/// Groups of pages, in the order they are shown. Given by the caller, who knows which exist and are permitted.
#[derive(Clone, Debug, Default)]
pub struct Nav {
    groups: Vec<(Text, Vec<NavEntry>)>,
}

/// One page of the navigation.
#[derive(Clone, Debug)]
pub struct NavEntry {
    icon: Icon,
    name: Text,
    href: Href,
    key: Option<char>,
    count: Option<Text>,
}

impl NavEntry {
    /// A page.
    #[must_use]
    pub fn new(icon: Icon, name: impl Into<Text>, href: Href) -> Self {
        NavEntry { icon, name: name.into(), href, key: None, count: None }
    }

    /// Opens at `g` and this letter.
    #[must_use]
    pub fn key(mut self, key: char) -> Self {
        self.key = Some(key);
        self
    }

    /// How many things wait there.
    #[must_use]
    pub fn count(mut self, count: impl Into<Text>) -> Self {
        self.count = Some(count.into());
        self
    }
}

impl Nav {
    /// No pages.
    #[must_use]
    pub fn new() -> Self {
        Nav::default()
    }

    /// One more group. An empty one is not shown.
    #[must_use]
    pub fn group(mut self, name: impl Into<Text>, entries: impl IntoIterator<Item = NavEntry>) -> Self {
        let entries: Vec<_> = entries.into_iter().collect();
        if !entries.is_empty() {
            self.groups.push((name.into(), entries));
        }
        self
    }

    /// As seen from `at`.
    pub(crate) fn view(&self, at: &Href) -> NavView {
        let entry = |entry: &NavEntry| EntryView {
            icon: entry.icon,
            name: entry.name.clone(),
            href: entry.href.clone(),
            key: entry.key,
            count: entry.count.clone(),
            current: path(&entry.href) == path(at),
        };
        let group =
            |(name, entries): &(Text, Vec<NavEntry>)| (name.clone(), entries.iter().map(entry).collect());
        NavView { groups: self.groups.iter().map(group).collect() }
    }
}

fn path(href: &Href) -> &str {
    href.as_str().split(['?', '#']).next().unwrap_or_default()
}

/// The navigation with the current page marked.
#[derive(Debug)]
pub(crate) struct NavView {
    pub(crate) groups: Vec<(Text, Vec<EntryView>)>,
}

#[derive(Debug)]
pub(crate) struct EntryView {
    pub(crate) icon: Icon,
    pub(crate) name: Text,
    pub(crate) href: Href,
    pub(crate) key: Option<char>,
    pub(crate) count: Option<Text>,
    pub(crate) current: bool,
}
