//! JSON as Python reads it: RFC 8259, and also `NaN`, `Infinity`, lone surrogates, and the last of duplicate keys.
//!
//! The tree is flat in memory: texts are borrowed, and what only vocabularies have (numbers by the thousand, long runs of
//! scalars) is counted and dropped.

mod parse;

use std::borrow::Cow;

pub(crate) use parse::parse;

/// A value and where it begins.
#[derive(Debug)]
pub(crate) struct Node<'t> {
    pub(crate) offset: usize,
    pub(crate) value: Value<'t>,
}

/// What a value is.
#[derive(Debug)]
pub(crate) enum Value<'t> {
    Null,
    Bool(bool),
    /// As written.
    Number(&'t str),
    Text(Cow<'t, str>),
    List(Vec<Node<'t>>),
    /// In the order of the text, with duplicates.
    Object(Vec<(Cow<'t, str>, Node<'t>)>),
}

impl<'t> Node<'t> {
    pub(crate) fn text(&self) -> Option<&str> {
        match &self.value {
            Value::Text(text) => Some(text),
            _ => None,
        }
    }

    pub(crate) fn list(&self) -> &[Node<'t>] {
        match &self.value {
            Value::List(items) => items,
            _ => &[],
        }
    }

    pub(crate) fn entries(&self) -> &[(Cow<'t, str>, Node<'t>)] {
        match &self.value {
            Value::Object(entries) => entries,
            _ => &[],
        }
    }

    pub(crate) fn is_object(&self) -> bool {
        matches!(self.value, Value::Object(_))
    }

    /// The value of `key`: the last, as Python takes it.
    pub(crate) fn get(&self, key: &str) -> Option<&Node<'t>> {
        self.entries().iter().rev().find(|(name, _)| name == key).map(|(_, value)| value)
    }

    /// The text of `key`.
    pub(crate) fn get_text(&self, key: &str) -> Option<&str> {
        self.get(key)?.text()
    }

    pub(crate) fn has(&self, key: &str) -> bool {
        self.get(key).is_some()
    }

    /// Keys that stand twice in this object and whose values two readers would take differently.
    pub(crate) fn duplicates(&self, matter: &[&'static str]) -> impl Iterator<Item = &'static str> {
        let entries = self.entries();
        matter
            .iter()
            .copied()
            .filter(|key| entries.iter().filter(|(name, _)| name == key).nth(1).is_some())
            .collect::<Vec<_>>()
            .into_iter()
    }

    /// Calls `visit` with every value below and the key under which it lies (that of the list for its elements), in order.
    pub(crate) fn walk<'n>(&'n self, visit: &mut dyn FnMut(&'n str, &'n Node<'t>)) {
        let mut open: Vec<(&'n str, &'n Node<'t>)> = vec![("", self)];
        while let Some((key, node)) = open.pop() {
            visit(key, node);
            open.extend(node.list().iter().rev().map(|item| (key, item)));
            open.extend(node.entries().iter().rev().map(|(key, value)| (key.as_ref(), value)));
        }
    }
}
