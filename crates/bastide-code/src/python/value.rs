//! What is known of a value without running anything.

use std::rc::Rc;

/// Stands in a text for what is not known of it.
pub(crate) const HOLE: char = '\u{fffc}';

/// The most bytes of a text that are followed; a longer one is cut.
const LONGEST: usize = 64 << 10;

/// The deepest list of lists that is followed.
const DEEPEST: u8 = 8;

/// Where a value comes from, as a set.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Taint(u16);

impl Taint {
    /// Fetched from the network.
    pub(crate) const NETWORK: Taint = Taint(1);
    /// Unpacked from an encoding or a compression.
    pub(crate) const DECODED: Taint = Taint(2);
    /// Said by a model.
    pub(crate) const MODEL: Taint = Taint(4);
    /// The environment as a whole, or a file of credentials.
    pub(crate) const SECRET: Taint = Taint(8);
    /// A name put together from pieces, or undone from an encoding.
    pub(crate) const COMPUTED: Taint = Taint(16);
    /// A module that was imported by an expression.
    pub(crate) const IMPORTED: Taint = Taint(32);
    /// Typed by the user of the program.
    pub(crate) const USER: Taint = Taint(64);
    /// One credential: a variable of the environment whose name says so, or a stored token.
    pub(crate) const CREDENTIAL: Taint = Taint(128);
    /// Brought by whoever asks a server.
    pub(crate) const REQUEST: Taint = Taint(256);
    /// The name of a file that a hub of models sent.
    pub(crate) const HUB: Taint = Taint(512);
    /// Who uses the machine, what it is called and what lies on it.
    pub(crate) const IDENTITY: Taint = Taint(1024);
    /// The name of a file that is downloaded, made for the moment or found when the program runs.
    pub(crate) const FOUND: Taint = Taint(2048);
    /// Nowhere of interest.
    pub(crate) const NONE: Taint = Taint(0);

    pub(crate) const fn has(self, other: Taint) -> bool {
        self.0 & other.0 != 0
    }

    pub(crate) const fn with(self, other: Taint) -> Taint {
        Taint(self.0 | other.0)
    }

    pub(crate) const fn only(self, other: Taint) -> Taint {
        Taint(self.0 & other.0)
    }

    pub(crate) const fn without(self, other: Taint) -> Taint {
        Taint(self.0 & !other.0)
    }
}

/// What a value is.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) enum Known {
    /// Not known.
    #[default]
    Nothing,
    /// A text, with [`HOLE`] for its unknown parts.
    Text(Rc<str>),
    /// Bytes.
    Bytes(Rc<[u8]>),
    /// An integer.
    Number(i64),
    /// `True` or `False`.
    Flag(bool),
    /// `None`.
    Absent,
    /// The thing of that dotted name: `os.system`; `f()` is what a call of `f` returns.
    Path(Rc<str>),
    /// A method of a text, bytes or a list.
    Method(Rc<Value>, Rc<str>),
    /// `name=value`, or an entry of a dictionary.
    Named(Rc<str>, Rc<Value>),
    /// A list, a tuple, the arguments of a call, a dictionary as a list of [`Known::Named`]; and its depth.
    List(Rc<[Value]>, u8),
}

/// A value and where it comes from.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Value {
    pub(crate) known: Known,
    pub(crate) taint: Taint,
}

impl Value {
    pub(crate) fn new(known: Known, taint: Taint) -> Self {
        Value { known, taint }
    }

    pub(crate) fn unknown(taint: Taint) -> Self {
        Value { known: Known::Nothing, taint }
    }

    pub(crate) fn text(text: &str, taint: Taint) -> Self {
        Value::new(Known::Text(text.get(..text.floor_char_boundary(LONGEST)).unwrap_or(text).into()), taint)
    }

    pub(crate) fn bytes(bytes: &[u8], taint: Taint) -> Self {
        Value::new(Known::Bytes(bytes.get(..LONGEST).unwrap_or(bytes).into()), taint)
    }

    /// A dotted name; a very long one is nobody's.
    pub(crate) fn path(path: &str, taint: Taint) -> Self {
        const LONGEST_PATH: usize = 240;
        if path.len() > LONGEST_PATH {
            Value::unknown(taint)
        } else {
            Value::new(Known::Path(path.into()), taint)
        }
    }

    pub(crate) fn list(items: Vec<Value>) -> Self {
        let taint = items.iter().fold(Taint::NONE, |taint, item| taint.with(item.taint));
        let depth = items.iter().map(Value::depth).max().unwrap_or(0) + 1;
        if depth > DEEPEST {
            return Value::unknown(taint);
        }
        Value::new(Known::List(items.into(), depth), taint)
    }

    pub(crate) fn named(name: &str, value: Value) -> Self {
        let taint = value.taint;
        if value.depth() >= DEEPEST {
            return Value::unknown(taint);
        }
        Value::new(Known::Named(name.into(), Rc::new(value)), taint)
    }

    pub(crate) fn method(&self, name: &str) -> Self {
        if self.depth() >= DEEPEST {
            return Value::unknown(self.taint);
        }
        Value::new(Known::Method(Rc::new(self.clone()), name.into()), self.taint)
    }

    /// How many values lie within one another: bounded, so that dropping one never recurses far.
    fn depth(&self) -> u8 {
        match &self.known {
            Known::List(_, depth) => *depth,
            Known::Named(_, value) | Known::Method(value, _) => value.depth() + 1,
            _ => 0,
        }
    }

    pub(crate) fn with(mut self, taint: Taint) -> Self {
        self.taint = self.taint.with(taint);
        self
    }

    pub(crate) fn as_text(&self) -> Option<&str> {
        match &self.known {
            Known::Text(text) => Some(text),
            _ => None,
        }
    }

    /// The text, if all of it is known.
    pub(crate) fn as_whole_text(&self) -> Option<&str> {
        self.as_text().filter(|text| !text.contains(HOLE))
    }

    pub(crate) fn as_path(&self) -> Option<&str> {
        match &self.known {
            Known::Path(path) => Some(path),
            _ => None,
        }
    }

    pub(crate) fn items(&self) -> &[Value] {
        match &self.known {
            Known::List(items, _) => items,
            _ => &[],
        }
    }

    /// As part of a text: an unknown value is a hole.
    pub(crate) fn as_part(&self) -> String {
        match &self.known {
            Known::Text(text) => text.to_string(),
            Known::Number(number) => number.to_string(),
            Known::Bytes(bytes) => String::from_utf8_lossy(bytes).into_owned(),
            _ => HOLE.to_string(),
        }
    }

    /// A command: a text, or a list of words joined by blanks.
    pub(crate) fn as_command(&self) -> Option<String> {
        match &self.known {
            Known::Text(text) => Some(text.to_string()),
            Known::Bytes(bytes) => std::str::from_utf8(bytes).ok().map(str::to_owned),
            Known::List(items, _) => {
                let mut command = String::new();
                for item in items.iter() {
                    if command.len() > LONGEST {
                        break;
                    }
                    match item.as_path() {
                        Some("sys.executable") => command.push_str("python"),
                        _ => command.push_str(&item.as_part()),
                    }
                    command.push(' ');
                }
                Some(command.trim_end().to_owned())
            }
            _ => None,
        }
    }

    /// Names the same value again: its text, or the name it came from.
    pub(crate) fn key(&self) -> Option<&str> {
        match &self.known {
            Known::Text(text) => Some(text),
            Known::Path(path) => Some(path),
            _ => None,
        }
    }
}
