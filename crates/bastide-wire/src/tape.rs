//! The document as a flat list of its tokens in order, each with its byte range.
//!
//! A tape instead of a tree: one allocation, subtrees are ranges, and "every string below here" is a loop instead of
//! a recursion that an attacker could deepen.

use std::borrow::Cow;

use crate::trail::Trail;
use crate::{cost, text};

/// What a token is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Object,
    Array,
    Key,
    String,
    Number,
    True,
    False,
    Null,
}

/// One token. `start..end` are its bytes, quotes and brackets included.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Node {
    pub(crate) start: u32,
    pub(crate) end: u32,
    /// The first token after this one and all inside it. While a container is open: the container around it.
    pub(crate) next: u32,
    pub(crate) kind: Kind,
    /// Whether a string or key holds a backslash.
    pub(crate) escaped: bool,
}

/// No token.
pub(crate) const NONE: u32 = u32::MAX;

const ABSENT: Node = Node { start: 0, end: 0, next: NONE, kind: Kind::Null, escaped: false };

impl Node {
    /// The bytes between the quotes of a string or key.
    #[inline]
    pub(crate) fn inner(self) -> std::ops::Range<usize> {
        let start = wide(self.start).saturating_add(1);
        start..wide(self.end).saturating_sub(1).max(start)
    }

    #[inline]
    pub(crate) fn range(self) -> std::ops::Range<usize> {
        wide(self.start)..wide(self.end)
    }
}

/// Byte offsets fit 32 bits: the scanner refuses longer documents.
#[inline]
pub(crate) fn wide(offset: u32) -> usize {
    usize::try_from(offset).unwrap_or(usize::MAX)
}

/// The inverse of [`wide`]; saturates, which no accepted document reaches.
#[inline]
pub(crate) fn narrow(offset: usize) -> u32 {
    u32::try_from(offset).unwrap_or(u32::MAX)
}

/// All tokens of one document.
#[derive(Clone, Debug, Default)]
pub(crate) struct Tape {
    pub(crate) nodes: Vec<Node>,
}

impl Tape {
    #[inline]
    pub(crate) fn node(&self, index: u32) -> Node {
        cost::count(1);
        self.nodes.get(wide(index)).copied().unwrap_or(ABSENT)
    }

    #[inline]
    pub(crate) fn kind(&self, index: u32) -> Kind {
        self.node(index).kind
    }

    /// The tokens from `first` up to `end`.
    pub(crate) fn slice(&self, first: u32, end: u32) -> &[Node] {
        self.nodes.get(wide(first)..wide(end).min(self.nodes.len())).unwrap_or_default()
    }

    /// Key and value of each member of an object.
    pub(crate) fn members(&self, object: u32) -> Members<'_> {
        Members { tape: self, at: object.saturating_add(1), end: self.node(object).next }
    }

    /// The elements of an array.
    pub(crate) fn elements(&self, array: u32) -> Elements<'_> {
        Elements { tape: self, at: array.saturating_add(1), end: self.node(array).next }
    }

    /// The decoded text of a string or key, or the spelling of a number.
    pub(crate) fn text<'b>(&self, body: &'b str, index: u32) -> Cow<'b, str> {
        node_text(body, self.node(index))
    }

    /// Whether a string or key is `word`.
    #[inline]
    pub(crate) fn is(&self, body: &str, index: u32, word: &str) -> bool {
        let node = self.node(index);
        if node.escaped {
            return self.text(body, index) == word;
        }
        matches!(node.kind, Kind::Key | Kind::String)
            && body.as_bytes().get(node.inner()) == Some(word.as_bytes())
    }

    /// JSON pointer (RFC 6901) of a token; that of its value for a key.
    pub(crate) fn path(&self, body: &str, target: u32) -> String {
        Trail::new(self, body, false, usize::MAX).to(target).to_owned()
    }

    /// The value of an `index`. Plain digits only: every reader takes them for the same number.
    pub(crate) fn index(&self, body: &str, node: u32) -> Option<u32> {
        if self.kind(node) != Kind::Number {
            return None;
        }
        // The parser would take a sign.
        let digits = body.get(self.node(node).range()).filter(|n| n.bytes().all(|b| b.is_ascii_digit()))?;
        digits.parse().ok().filter(|&index| index < NONE)
    }

    /// The containers that hold `index`, the outermost first.
    pub(crate) fn around(&self, index: u32) -> impl Iterator<Item = u32> {
        (0..index).zip(&self.nodes).filter(move |(_, node)| node.next > index).map(|(at, _)| at)
    }

    /// Makes the string `index`, which the containers `around` hold and which begins where it did, end at `end`, and
    /// moves what follows it.
    pub(crate) fn rewrite(&mut self, index: u32, around: &[u32], end: u32, escaped: bool) {
        let Some((before, rest)) = self.nodes.split_at_mut_checked(wide(index)) else { return };
        let Some((string, after)) = rest.split_first_mut() else { return };
        // Modulo 2^32, so that a shorter text moves back; every offset fits by itself.
        let by = end.wrapping_sub(string.end);
        (string.end, string.escaped) = (end, escaped);
        for &at in around {
            if let Some(node) = before.get_mut(wide(at)) {
                node.end = node.end.wrapping_add(by);
            }
        }
        for node in after {
            node.start = node.start.wrapping_add(by);
            node.end = node.end.wrapping_add(by);
        }
    }
}

pub(crate) fn node_text(body: &str, node: Node) -> Cow<'_, str> {
    match node.kind {
        Kind::Key | Kind::String => {
            let raw = body.get(node.inner()).unwrap_or_default();
            if node.escaped { Cow::Owned(text::decode(raw)) } else { Cow::Borrowed(raw) }
        }
        _ => Cow::Borrowed(body.get(node.range()).unwrap_or_default()),
    }
}

pub(crate) struct Members<'t> {
    tape: &'t Tape,
    at: u32,
    end: u32,
}

impl Iterator for Members<'_> {
    type Item = (u32, u32);

    #[inline]
    fn next(&mut self) -> Option<(u32, u32)> {
        if self.at >= self.end {
            return None;
        }
        let key = self.at;
        let value = key.saturating_add(1);
        self.at = self.tape.node(value).next;
        Some((key, value))
    }
}

pub(crate) struct Elements<'t> {
    tape: &'t Tape,
    at: u32,
    end: u32,
}

impl Iterator for Elements<'_> {
    type Item = u32;

    #[inline]
    fn next(&mut self) -> Option<u32> {
        if self.at >= self.end {
            return None;
        }
        let element = self.at;
        self.at = self.tape.node(element).next;
        Some(element)
    }
}

#[cfg(test)]
mod tests {
    use crate::{Limits, scan::scan};

    #[test]
    fn a_rewritten_tape_is_that_of_the_new_text() {
        let read = |text: &str| {
            let mut tape = super::Tape::default();
            scan(&format!(r#"{{"a":[1,{{"b":"{text}"}},"c"],"d":{{}}}}"#), &Limits::default(), &mut tape)
                .unwrap();
            tape
        };
        for (old, new, escaped) in [("", "word", false), ("longer", "\\n", true), ("\\u0041", "", false)] {
            let mut tape = read(old);
            let after = read(new);
            let around: Vec<u32> = tape.around(6).collect();
            tape.rewrite(6, &around, after.node(6).end, escaped);
            assert_eq!(format!("{tape:?}"), format!("{after:?}"), "{old} to {new}");
        }
    }

    #[test]
    fn pointers_name_every_token() {
        let body = r#"{"a":[1,{"b/c~":null}],"d":2}"#;
        let mut tape = super::Tape::default();
        scan(body, &Limits::default(), &mut tape).unwrap();
        let paths: Vec<String> = (0..8).map(|i| tape.path(body, i)).collect();
        assert_eq!(paths, ["", "/a", "/a", "/a/0", "/a/1", "/a/1/b~1c~0", "/a/1/b~1c~0", "/d"]);
    }
}
