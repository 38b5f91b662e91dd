//! A document as `serde_json` reads it: an independent parser, with keys in order and repeated keys kept.

use std::fmt;

use serde::de::{Deserialize, Deserializer, MapAccess, SeqAccess, Visitor};

#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Tree {
    Null,
    Bool(bool),
    Number(String),
    Text(String),
    Array(Vec<Tree>),
    Object(Vec<(String, Tree)>),
}

impl<'de> Deserialize<'de> for Tree {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(Build)
    }
}

struct Build;

impl<'de> Visitor<'de> for Build {
    type Value = Tree;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JSON")
    }

    fn visit_unit<E>(self) -> Result<Tree, E> {
        Ok(Tree::Null)
    }

    fn visit_bool<E>(self, v: bool) -> Result<Tree, E> {
        Ok(Tree::Bool(v))
    }

    fn visit_u64<E>(self, v: u64) -> Result<Tree, E> {
        Ok(Tree::Number(v.to_string()))
    }

    fn visit_i64<E>(self, v: i64) -> Result<Tree, E> {
        Ok(Tree::Number(v.to_string()))
    }

    fn visit_f64<E>(self, v: f64) -> Result<Tree, E> {
        Ok(Tree::Number(format!("{v:?}")))
    }

    fn visit_str<E>(self, v: &str) -> Result<Tree, E> {
        Ok(Tree::Text(v.to_owned()))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Tree, A::Error> {
        let mut items = Vec::new();
        while let Some(item) = seq.next_element()? {
            items.push(item);
        }
        Ok(Tree::Array(items))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Tree, A::Error> {
        let mut members = Vec::new();
        while let Some(member) = map.next_entry()? {
            members.push(member);
        }
        Ok(Tree::Object(members))
    }
}

/// Reads a document.
pub(crate) fn read(body: &[u8]) -> Result<Tree, String> {
    serde_json::from_slice(body).map_err(|e| e.to_string())
}

impl Tree {
    /// Calls `f` with every key, string and number in document order, as text; what it gives replaces a key or
    /// string, and turns a number into a string.
    pub(crate) fn rewrite(&mut self, f: &mut dyn FnMut(&str) -> Option<String>) {
        match self {
            Tree::Null | Tree::Bool(_) => {}
            Tree::Number(n) => {
                if let Some(text) = f(n) {
                    *self = Tree::Text(text);
                }
            }
            Tree::Text(t) => {
                if let Some(text) = f(t) {
                    *t = text;
                }
            }
            Tree::Array(items) => items.iter_mut().for_each(|item| item.rewrite(f)),
            Tree::Object(members) => {
                for (key, value) in members {
                    if let Some(text) = f(key) {
                        *key = text;
                    }
                    value.rewrite(f);
                }
            }
        }
    }
}
