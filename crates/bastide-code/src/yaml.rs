//! YAML as a tree with lines. An alias is the node that it names, not a copy, so that no text grows by being read.

use std::collections::HashMap;

use saphyr_parser::{Event, Parser};

/// The deepest nesting that is read.
const DEPTH: usize = 96;
/// The most nodes that are read.
const NODES: usize = 2_000_000;

/// A place in a [`Yaml`].
pub(crate) type Id = usize;

enum Kind {
    Scalar(String),
    List(Vec<Id>),
    Map(Vec<(Id, Id)>),
}

struct Entry {
    kind: Kind,
    line: usize,
}

/// The documents of one text.
#[derive(Default)]
pub(crate) struct Yaml {
    entries: Vec<Entry>,
    roots: Vec<Id>,
    /// Why reading stopped before the end, and on which line.
    pub(crate) fault: Option<(String, usize)>,
}

/// A node and the tree that it is in.
#[derive(Clone, Copy)]
pub(crate) struct Node<'y> {
    yaml: &'y Yaml,
    id: Id,
}

/// A collection that has begun: its node, its anchor, the key that waits for a value.
struct Open {
    id: Id,
    anchor: usize,
    key: Option<Id>,
}

impl Yaml {
    /// Reads `text` as far as it is YAML.
    pub(crate) fn read(text: &str) -> Yaml {
        let mut yaml = Yaml::default();
        let mut parser = Parser::new_from_str(text);
        let mut anchors: HashMap<usize, Id> = HashMap::new();
        let mut open: Vec<Open> = Vec::new();
        while let Some(event) = parser.next_event() {
            let (event, span) = match event {
                Ok(event) => event,
                Err(error) => {
                    yaml.fault = Some((error.info().to_owned(), error.marker().line()));
                    break;
                }
            };
            let line = span.start.line();
            if open.len() > DEPTH || yaml.entries.len() > NODES {
                yaml.fault = Some((format!("more than {DEPTH} levels or {NODES} nodes"), line));
                break;
            }
            let done = match event {
                Event::StreamEnd => break,
                Event::Scalar(text, _, anchor, _) => {
                    Some((yaml.push(Kind::Scalar(text.into_owned()), line), anchor))
                }
                Event::Alias(anchor) => Some(match anchors.get(&anchor) {
                    Some(&id) => (id, 0),
                    // Names what encloses it: no tree.
                    None => (yaml.push(Kind::Scalar(String::new()), line), 0),
                }),
                Event::SequenceStart(anchor, _) => {
                    open.push(Open { id: yaml.push(Kind::List(Vec::new()), line), anchor, key: None });
                    None
                }
                Event::MappingStart(anchor, _) => {
                    open.push(Open { id: yaml.push(Kind::Map(Vec::new()), line), anchor, key: None });
                    None
                }
                Event::SequenceEnd | Event::MappingEnd => open.pop().map(|open| (open.id, open.anchor)),
                _ => None,
            };
            if let Some((id, anchor)) = done {
                if anchor > 0 {
                    anchors.insert(anchor, id);
                }
                yaml.attach(open.last_mut(), id);
            }
        }
        // What had begun when the text broke is still worth reading.
        if yaml.fault.is_some() {
            while let Some(last) = open.pop() {
                yaml.attach(open.last_mut(), last.id);
            }
        }
        yaml
    }

    fn push(&mut self, kind: Kind, line: usize) -> Id {
        self.entries.push(Entry { kind, line });
        self.entries.len() - 1
    }

    fn attach(&mut self, open: Option<&mut Open>, id: Id) {
        let Some(open) = open else {
            self.roots.push(id);
            return;
        };
        match self.entries.get_mut(open.id).map(|entry| &mut entry.kind) {
            Some(Kind::List(items)) => items.push(id),
            Some(Kind::Map(pairs)) => match open.key.take() {
                None => open.key = Some(id),
                Some(key) => pairs.push((key, id)),
            },
            _ => {}
        }
    }

    /// The documents.
    pub(crate) fn documents(&self) -> impl Iterator<Item = Node<'_>> {
        self.roots.iter().map(|&id| Node { yaml: self, id })
    }
}

impl<'y> Node<'y> {
    fn kind(self) -> Option<&'y Kind> {
        self.yaml.entries.get(self.id).map(|entry| &entry.kind)
    }

    /// The line, from 1.
    pub(crate) fn line(self) -> usize {
        self.yaml.entries.get(self.id).map_or(1, |entry| entry.line)
    }

    /// The text of a scalar.
    pub(crate) fn text(self) -> Option<&'y str> {
        match self.kind()? {
            Kind::Scalar(text) => Some(text),
            _ => None,
        }
    }

    pub(crate) fn is_map(self) -> bool {
        matches!(self.kind(), Some(Kind::Map(_)))
    }

    /// The items of a list; none of anything else.
    pub(crate) fn items(self) -> impl Iterator<Item = Node<'y>> {
        let items = match self.kind() {
            Some(Kind::List(items)) => items.as_slice(),
            _ => &[],
        };
        items.iter().map(move |&id| Node { id, ..self })
    }

    /// The entries of a map whose keys are scalars, without merged ones.
    pub(crate) fn pairs(self) -> impl Iterator<Item = (&'y str, Node<'y>)> {
        let pairs = match self.kind() {
            Some(Kind::Map(pairs)) => pairs.as_slice(),
            _ => &[],
        };
        pairs
            .iter()
            .filter_map(move |&(key, id)| Some((Node { id: key, ..self }.text()?, Node { id, ..self })))
    }

    /// The value of `key`, also of a map that is merged in (`<<`).
    pub(crate) fn get(self, key: &str) -> Option<Node<'y>> {
        self.get_within(key, 4)
    }

    fn get_within(self, key: &str, merges: u8) -> Option<Node<'y>> {
        let own = self.pairs().find(|(name, _)| *name == key).map(|(_, value)| value);
        own.or_else(|| {
            let (_, merged) = self.pairs().find(|(name, _)| *name == "<<" && merges > 0)?;
            let first = merged.is_map().then(|| merged.get_within(key, merges - 1)).flatten();
            first.or_else(|| merged.items().take(8).find_map(|map| map.get_within(key, merges - 1)))
        })
    }

    /// The value at the end of a way of keys.
    pub(crate) fn at(self, keys: &[&str]) -> Option<Node<'y>> {
        keys.iter().try_fold(self, |node, key| node.get(key))
    }

    /// The text at the end of a way of keys.
    pub(crate) fn text_at(self, keys: &[&str]) -> Option<&'y str> {
        self.at(keys)?.text()
    }

    /// Whether the value of `key` is `true`.
    pub(crate) fn is_true(self, key: &str) -> bool {
        self.get(key).and_then(Node::text).is_some_and(is_true)
    }

    /// Whether the value of `key` is `false`.
    pub(crate) fn is_false(self, key: &str) -> bool {
        self.get(key)
            .and_then(Node::text)
            .is_some_and(|text| matches!(text, "false" | "False" | "FALSE" | "no"))
    }
}

/// Whether a scalar says yes, as YAML 1.1 readers take it.
pub(crate) fn is_true(text: &str) -> bool {
    matches!(text.to_ascii_lowercase().as_str(), "true" | "yes" | "on")
}
