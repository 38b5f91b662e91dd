//! Collecting the segments of a document: the steps that every dialect's walk is made of.
//!
//! The rule: text that goes on uninspected is a word of a closed vocabulary, checked here, and everything else is a
//! segment. When in doubt it is a segment.

use bastide_types::{Origin, SegmentKind};

use crate::tape::{Kind, NONE, Tape, wide};
use crate::vocabulary::{Field, Fields, Vocabulary};
use crate::{LaneField, Limits, Site, Unscanned, UnscannedKind, WireError};

/// Numbers this short of known numeric parameters are no segments: too short for any number that says something about
/// a person (a US social security number has nine digits).
const SHORT_NUMBER: usize = 8;
/// Counters and seconds since 1970.
const COUNT_DIGITS: usize = 12;

/// The arguments or the input of a call.
#[derive(Clone, Debug)]
pub(crate) struct Given {
    pub(crate) sites: std::ops::Range<usize>,
    /// The tool's name, or [`NONE`].
    pub(crate) name: u32,
}

pub(crate) struct Walker<'a> {
    pub(crate) body: &'a str,
    pub(crate) tape: &'a Tape,
    pub(crate) sites: Vec<Site>,
    pub(crate) unscanned: Vec<Unscanned>,
    /// The answer that segments belong to just now.
    pub(crate) choice: u32,
    /// Inside a streamed delta: what no name tells may be a piece of a longer text.
    pub(crate) in_delta: bool,
    /// The texts of the list of content parts that is being read, each with what kind of text it is.
    pub(crate) parts: Vec<(LaneField, usize)>,
    /// The segments that are one text to who reads them: per list of content parts and kind of part, all of them in
    /// order. Templates that cannot show an image put the texts around it together as well.
    pub(crate) joined: Vec<Vec<usize>>,
    /// Whether an `index` is not plain digits: `1.0` is 1 to some readers and nothing to others.
    pub(crate) odd_index: bool,
    /// The names of the tools that messages call.
    pub(crate) called: Vec<u32>,
    /// What they are called with, in order.
    pub(crate) given: Vec<Given>,
    max_segments: usize,
}

impl<'a> Walker<'a> {
    pub(crate) fn new(body: &'a str, tape: &'a Tape, limits: &Limits, mut sites: Vec<Site>) -> Self {
        sites.clear();
        sites.reserve(8);
        Walker {
            body,
            tape,
            sites,
            unscanned: Vec::new(),
            choice: NONE,
            in_delta: false,
            parts: Vec::new(),
            joined: Vec::new(),
            odd_index: false,
            called: Vec::new(),
            given: Vec::new(),
            max_segments: wide(limits.max_segments),
        }
    }

    #[inline]
    pub(crate) fn kind(&self, node: u32) -> Kind {
        self.tape.kind(node)
    }

    pub(crate) fn fields<V: Vocabulary>(&self, object: u32) -> Result<Fields<V>, WireError> {
        if self.kind(object) == Kind::Object {
            Ok(Fields::new(self.tape, object))
        } else {
            Err(self.type_error(object, "expected an object"))
        }
    }

    pub(crate) fn next<V: Vocabulary>(&self, fields: &mut Fields<V>) -> Result<Option<Field<V>>, WireError> {
        fields.next(self.body, self.tape)
    }

    /// The elements of an array, or an error that names it.
    pub(crate) fn elements(&self, array: u32) -> Result<crate::tape::Elements<'a>, WireError> {
        if self.kind(array) == Kind::Array {
            Ok(self.tape.elements(array))
        } else {
            Err(self.type_error(array, "expected an array"))
        }
    }

    pub(crate) fn text(&self, node: u32) -> std::borrow::Cow<'a, str> {
        self.tape.text(self.body, node)
    }

    /// The spelling of a number.
    pub(crate) fn spelling(&self, node: u32) -> &'a str {
        self.body.get(self.tape.node(node).range()).unwrap_or_default()
    }

    pub(crate) fn error(&self, code: &'static str, node: u32, detail: &'static str) -> WireError {
        WireError {
            code,
            path: self.tape.path(self.body, node),
            offset: wide(self.tape.node(node).start),
            detail: detail.into(),
        }
    }

    pub(crate) fn type_error(&self, node: u32, detail: &'static str) -> WireError {
        self.error(WireError::TYPE, node, detail)
    }

    /// A required field that is not there: the path names where it should be.
    pub(crate) fn missing(&self, object: u32, name: &'static str) -> WireError {
        let mut error = self.error(WireError::MISSING, object, "");
        error.path.push('/');
        error.path.push_str(name);
        error.detail = format!("the field `{name}` is required").into();
        error
    }

    /// A string, or an error.
    pub(crate) fn string(&self, node: u32) -> Result<std::borrow::Cow<'a, str>, WireError> {
        if self.kind(node) == Kind::String {
            Ok(self.text(node))
        } else {
            Err(self.type_error(node, "expected a string"))
        }
    }

    /// A boolean; null counts as absent.
    pub(crate) fn boolean(&self, node: u32) -> Result<bool, WireError> {
        match self.kind(node) {
            Kind::True => Ok(true),
            Kind::False | Kind::Null => Ok(false),
            _ => Err(self.type_error(node, "expected true or false")),
        }
    }

    /// A whole number written as digits only; null counts as absent.
    pub(crate) fn whole(&self, node: u32) -> Result<Option<u64>, WireError> {
        match self.kind(node) {
            Kind::Null => Ok(None),
            Kind::Number => match self.spelling(node).parse() {
                Ok(value) => Ok(Some(value)),
                Err(_) => {
                    Err(self.type_error(node, "expected a whole number that is not negative, as digits"))
                }
            },
            _ => Err(self.type_error(node, "expected a whole number")),
        }
    }

    #[inline]
    pub(crate) fn push(
        &mut self,
        node: u32,
        origin: Origin,
        kind: SegmentKind,
        lane: Option<LaneField>,
    ) -> Result<(), WireError> {
        if self.sites.len() >= self.max_segments {
            return Err(WireError::at(
                WireError::LIMIT,
                wide(self.tape.node(node).start),
                "the document has too many pieces of text",
            ));
        }
        self.sites.push(Site { node, choice: self.choice, origin, kind, lane });
        Ok(())
    }

    /// Every string, key and number of a value.
    pub(crate) fn free(&mut self, node: u32, origin: Origin) -> Result<(), WireError> {
        self.free_range(node, self.tape.node(node).next, origin)
    }

    /// A member that the protocol does not have: its key and everything in it.
    pub(crate) fn unknown(&mut self, key: u32, value: u32) -> Result<(), WireError> {
        self.free_range(key, self.tape.node(value).next, Origin::Other)
    }

    /// Notes which texts of the list of parts that ends here are read as one.
    pub(crate) fn join_parts(&mut self) {
        for field in [LaneField::Content, LaneField::Refusal, LaneField::Reasoning] {
            let of_field = self.parts.iter().filter(|(of, _)| *of == field);
            let texts: Vec<usize> = of_field.map(|(_, site)| *site).collect();
            if texts.len() > 1 {
                self.joined.push(texts);
            }
        }
        self.parts.clear();
    }

    fn free_range(&mut self, first: u32, end: u32, origin: Origin) -> Result<(), WireError> {
        let tape = self.tape;
        for (index, node) in (first..).zip(tape.slice(first, end)) {
            let kind = match node.kind {
                Kind::Key => SegmentKind::Key,
                Kind::String => SegmentKind::Text,
                Kind::Number => SegmentKind::Number,
                Kind::Object | Kind::Array | Kind::True | Kind::False | Kind::Null => continue,
            };
            // In a delta every such text may be a piece: clients join what they know nothing of as well.
            let lane = (self.in_delta && kind == SegmentKind::Text).then_some(LaneField::Unknown);
            self.push(index, origin, kind, lane)?;
        }
        Ok(())
    }

    /// A string that is one of `words` is no segment; anything else is, with all it holds.
    pub(crate) fn closed(&mut self, node: u32, words: &[&str]) -> Result<(), WireError> {
        if self.kind(node) == Kind::String && words.iter().any(|word| self.tape.is(self.body, node, word)) {
            return Ok(());
        }
        self.free(node, Origin::Other)
    }

    /// A known numeric parameter: short numbers are no segments.
    pub(crate) fn parameter(&mut self, node: u32) -> Result<(), WireError> {
        if self.kind(node) == Kind::Number && self.spelling(node).len() <= SHORT_NUMBER {
            return Ok(());
        }
        self.free(node, Origin::Other)
    }

    /// A counter or a time: plain digits up to a length are no segments.
    pub(crate) fn count(&mut self, node: u32) -> Result<(), WireError> {
        if self.kind(node) == Kind::Number {
            let digits = self.spelling(node);
            if digits.len() <= COUNT_DIGITS && digits.bytes().all(|b| b.is_ascii_digit()) {
                return Ok(());
            }
        }
        self.free(node, Origin::Other)
    }

    /// A string of an origin, or null; anything else is an error.
    pub(crate) fn prose(
        &mut self,
        node: u32,
        origin: Origin,
        kind: SegmentKind,
        lane: Option<LaneField>,
    ) -> Result<(), WireError> {
        match self.kind(node) {
            Kind::Null => Ok(()),
            Kind::String => self.push(node, origin, kind, lane),
            _ => Err(self.type_error(node, "expected a string")),
        }
    }

    /// Content that cannot be read here, at a path that the caller knows without searching.
    pub(crate) fn opaque(&mut self, path: String, kind: UnscannedKind) {
        self.unscanned.push(Unscanned { path, kind });
    }
}
