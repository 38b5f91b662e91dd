//! The names of protocol objects, and the reading of such objects.
//!
//! Names the failure it prevents: a parser that matches keys without regard to case, or takes the last of two, reads
//! another value than the guard did (GHSA-4gph-2hhr-5mwg: `Name` beat `name` in Envoy AI Gateway). Go's
//! `encoding/json` matches with Unicode simple folding, so `meſſages` is `messages` to it.

use std::borrow::Cow;

use crate::WireError;
use crate::tape::{Kind, Tape, wide};

/// The names that one kind of protocol object has. At most 64.
pub(crate) trait Vocabulary: Copy + 'static {
    const NAMES: &'static [&'static str];
    fn of(name: &[u8]) -> Option<Self>;
    fn bit(self) -> u64;
}

macro_rules! vocabulary {
    ($(#[$meta:meta])* $ty:ident { $($variant:ident = $name:literal),+ $(,)? }) => {
        $(#[$meta])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub(crate) enum $ty { $($variant),+ }

        impl $crate::vocabulary::Vocabulary for $ty {
            const NAMES: &'static [&'static str] = &[$($name),+];

            #[inline]
            fn of(name: &[u8]) -> Option<Self> {
                $(if name == $name.as_bytes() {
                    return Some($ty::$variant);
                })+
                None
            }

            #[inline]
            fn bit(self) -> u64 {
                1 << (self as u64)
            }
        }
    };
}
pub(crate) use vocabulary;

/// One member of a protocol object; `name` is absent for keys that the protocol does not have.
#[derive(Clone, Copy)]
pub(crate) struct Field<V> {
    pub(crate) name: Option<V>,
    pub(crate) key: u32,
    pub(crate) value: u32,
}

/// Reads the members of a protocol object in order and refuses keys that another parser could read differently.
pub(crate) struct Fields<V> {
    object: u32,
    at: u32,
    end: u32,
    seen: u64,
    unknown: Vec<u32>,
    vocabulary: std::marker::PhantomData<V>,
}

impl<V: Vocabulary> Fields<V> {
    /// `object` must be an object.
    pub(crate) fn new(tape: &Tape, object: u32) -> Self {
        Fields {
            object,
            at: object.saturating_add(1),
            end: tape.node(object).next,
            seen: 0,
            unknown: Vec::new(),
            vocabulary: std::marker::PhantomData,
        }
    }

    /// The next member; after the last one, checks the unknown keys against each other.
    #[inline]
    pub(crate) fn next(&mut self, body: &str, tape: &Tape) -> Result<Option<Field<V>>, WireError> {
        if self.at >= self.end {
            self.no_unknown_twice(body, tape)?;
            return Ok(None);
        }
        let key = self.at;
        let value = key.saturating_add(1);
        self.at = tape.node(value).next;
        let node = tape.node(key);
        let name = if node.escaped {
            V::of(tape.text(body, key).as_bytes())
        } else {
            V::of(body.as_bytes().get(node.inner()).unwrap_or_default())
        };
        match name {
            Some(known) if self.seen & known.bit() != 0 => {
                return Err(twice(body, tape, key));
            }
            Some(known) => self.seen |= known.bit(),
            None => self.unknown(body, tape, key)?,
        }
        Ok(Some(Field { name, key, value }))
    }

    #[inline(never)]
    fn unknown(&mut self, body: &str, tape: &Tape, key: u32) -> Result<(), WireError> {
        let folded = fold(tape.text(body, key));
        if let Some(meant) = V::NAMES.iter().find(|known| **known == folded) {
            return Err(WireError {
                code: WireError::KEY_CASE,
                path: tape.path(body, self.object),
                offset: wide(tape.node(key).start),
                detail: format!("a key differs from `{meant}` only in case; write `{meant}`").into(),
            });
        }
        self.unknown.push(key);
        Ok(())
    }

    fn no_unknown_twice(&self, body: &str, tape: &Tape) -> Result<(), WireError> {
        if self.unknown.len() < 2 {
            return Ok(());
        }
        let mut folded: Vec<(Cow<'_, str>, u32)> =
            self.unknown.iter().map(|&key| (fold(tape.text(body, key)), key)).collect();
        folded.sort_unstable();
        let twice = folded.windows(2).find_map(|pair| match pair {
            [a, b] if a.0 == b.0 => Some(b.1),
            _ => None,
        });
        match twice {
            None => Ok(()),
            Some(key) => Err(WireError {
                code: WireError::DUPLICATE_KEY,
                path: tape.path(body, self.object),
                offset: wide(tape.node(key).start),
                detail: "a key stands twice in this object, perhaps in another case; send it once".into(),
            }),
        }
    }
}

#[cold]
fn twice(body: &str, tape: &Tape, key: u32) -> WireError {
    WireError {
        code: WireError::DUPLICATE_KEY,
        path: tape.path(body, key),
        offset: wide(tape.node(key).start),
        detail: "this key stands twice in its object; send it once".into(),
    }
}

/// The value of the first member called `name`, for a look ahead; the duplicate check comes with [`Fields`].
pub(crate) fn find(body: &str, tape: &Tape, object: u32, name: &str) -> Option<u32> {
    if tape.kind(object) != Kind::Object {
        return None;
    }
    tape.members(object).find(|&(key, _)| tape.is(body, key, name)).map(|(_, value)| value)
}

/// A key as a parser that does not regard case sees it.
fn fold(key: Cow<'_, str>) -> Cow<'_, str> {
    if key.bytes().all(|b| b.is_ascii() && !b.is_ascii_uppercase()) {
        key
    } else {
        Cow::Owned(fold_text(&key))
    }
}

/// Unicode simple folding as far as it reaches ASCII: the Kelvin sign and the long s (Go, .NET), and the two Turkish
/// letters that some locale-aware comparisons add.
fn fold_text(key: &str) -> String {
    key.chars()
        .flat_map(|c| {
            match c {
                '\u{212A}' => 'k',
                '\u{17F}' => 's',
                '\u{130}' | '\u{131}' => 'i',
                _ => c,
            }
            .to_lowercase()
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Limits, scan::scan};

    vocabulary!(Thing { Messages = "messages", Kind = "kind", Id = "id" });

    fn read(body: &str) -> Result<Vec<Option<Thing>>, &'static str> {
        let mut tape = Tape::default();
        scan(body, &Limits::default(), &mut tape).unwrap();
        let mut fields = Fields::<Thing>::new(&tape, 0);
        let mut names = Vec::new();
        while let Some(field) = fields.next(body, &tape).map_err(|e| e.code)? {
            names.push(field.name);
        }
        Ok(names)
    }

    #[test]
    fn known_and_unknown_names_are_told_apart() {
        assert_eq!(
            read(r#"{"id":1,"x":2,"k\u0069nd":{"id":1}}"#),
            Ok(vec![Some(Thing::Id), None, Some(Thing::Kind)])
        );
        assert_eq!(read("{}"), Ok(vec![]));
    }

    #[test]
    fn what_another_parser_reads_differently_is_refused() {
        for body in [
            r#"{"id":1,"id":1}"#,
            r#"{"id":1,"\u0069d":1}"#,
            r#"{"x":1,"y":1,"x":2}"#,
            r#"{"x":1,"X":2}"#,
            r#"{"é":1,"É":2}"#,
            r#"{"x":1,"\u0078":2}"#,
        ] {
            assert_eq!(read(body), Err(WireError::DUPLICATE_KEY), "{body}");
        }
        for body in [
            r#"{"Id":1}"#,
            r#"{"id":1,"ID":1}"#,
            r#"{"meſſages":1}"#,
            r#"{"\u212Aind":1}"#,
            r#"{"ıd":1}"#,
            r#"{"\u0049d":1}"#,
        ] {
            assert_eq!(read(body), Err(WireError::KEY_CASE), "{body}");
        }
    }
}
