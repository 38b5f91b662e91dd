//! Random JSON documents whose writer knows, byte for byte, what every edit must give: the oracle of splicing.

use std::fmt::Write as _;

use bastide_types::Span;

use super::Random;

/// One character of a string: what it is and how it was written.
#[derive(Clone, Debug)]
pub(crate) struct Written {
    pub(crate) c: char,
    pub(crate) raw: String,
}

#[derive(Clone, Debug)]
pub(crate) enum Piece {
    /// Structure, white space, literals.
    Fixed(String),
    /// A number's spelling.
    Number(String),
    /// A string value.
    Text(Vec<Written>),
    /// A key.
    Key(Vec<Written>),
    /// A string that holds JSON, with the document it holds.
    Json(Vec<Written>, Vec<Piece>),
}

/// One edit, as the oracle takes it.
pub(crate) type Change = (Span, String);

pub(crate) struct Generator<'r> {
    pub(crate) random: &'r mut Random,
    pub(crate) pieces: Vec<Piece>,
    budget: usize,
    keys: usize,
}

impl<'r> Generator<'r> {
    pub(crate) fn new(random: &'r mut Random, budget: usize) -> Self {
        Generator { random, pieces: Vec::new(), budget, keys: 0 }
    }

    pub(crate) fn fixed(&mut self, text: &str) {
        self.space();
        self.pieces.push(Piece::Fixed(text.to_owned()));
        self.space();
    }

    fn space(&mut self) {
        if self.random.one_in(6) {
            let white = *self.random.pick(&[" ", "\n", "\r\n", "\t", "  \n"]);
            self.pieces.push(Piece::Fixed(white.to_owned()));
        }
    }

    pub(crate) fn value(&mut self, depth: usize) {
        self.budget = self.budget.saturating_sub(1);
        let kinds = if depth == 0 || self.budget == 0 { 4 } else { 7 };
        match self.random.below(kinds) {
            0 | 1 => self.text(),
            2 => {
                let number = self.number();
                self.pieces.push(Piece::Number(number));
            }
            3 => {
                let word = *self.random.pick(&["true", "false", "null"]);
                self.pieces.push(Piece::Fixed(word.to_owned()));
            }
            4 => self.array(depth),
            _ => self.object(depth),
        }
    }

    fn array(&mut self, depth: usize) {
        self.fixed("[");
        for i in 0..self.random.below(4) {
            if i > 0 {
                self.fixed(",");
            }
            self.value(depth - 1);
        }
        self.fixed("]");
    }

    pub(crate) fn object(&mut self, depth: usize) {
        self.fixed("{");
        for i in 0..self.random.below(4) {
            if i > 0 {
                self.fixed(",");
            }
            self.key();
            self.fixed(":");
            self.value(depth - 1);
        }
        self.fixed("}");
    }

    /// A key that no other key of the document equals, in any case, and that no protocol has.
    pub(crate) fn key(&mut self) {
        self.keys += 1;
        let mut name: String = format!("x{}", self.keys);
        name.push_str(&self.words(3));
        let written = name.chars().map(|c| self.write(c)).collect();
        self.pieces.push(Piece::Key(written));
    }

    /// A known key, spelled with random escapes.
    pub(crate) fn named(&mut self, name: &str) -> String {
        let mut out = String::from("\"");
        for c in name.chars() {
            out.push_str(&if self.random.one_in(20) { hex(c) } else { c.to_string() });
        }
        out.push('"');
        out
    }

    pub(crate) fn text(&mut self) {
        let length = if self.random.one_in(8) { 60 } else { 12 };
        let words = self.words(length);
        let written = words.chars().map(|c| self.write(c)).collect();
        self.pieces.push(Piece::Text(written));
    }

    /// A string that holds a JSON document.
    pub(crate) fn json_text(&mut self) {
        let mut random = self.random.clone();
        let mut inner = Generator::new(&mut random, 12);
        inner.object(3);
        let pieces = inner.pieces;
        *self.random = random;
        let text = render(&pieces);
        let written = text.chars().map(|c| self.write(c)).collect();
        self.pieces.push(Piece::Json(written, pieces));
    }

    fn words(&mut self, most: usize) -> String {
        const ALPHABET: &[char] = &[
            'a',
            'b',
            'Z',
            ' ',
            '4',
            '1',
            '@',
            '.',
            '-',
            'é',
            'ß',
            '中',
            '😀',
            '👩',
            '\u{200D}',
            '"',
            '\\',
            '/',
            '\n',
            '\r',
            '\t',
            '\u{8}',
            '\u{c}',
            '\u{0}',
            '\u{1f}',
            '\u{7f}',
            '\u{2028}',
            '\u{FEFF}',
            '\u{E0041}',
            '{',
            '}',
            '[',
            ']',
            ':',
            ',',
        ];
        (0..self.random.below(most + 1)).map(|_| *self.random.pick(ALPHABET)).collect()
    }

    /// Some legal spelling of a character.
    fn write(&mut self, c: char) -> Written {
        let short = match c {
            '"' => Some("\\\""),
            '\\' => Some("\\\\"),
            '/' => Some("\\/"),
            '\u{8}' => Some("\\b"),
            '\u{c}' => Some("\\f"),
            '\n' => Some("\\n"),
            '\r' => Some("\\r"),
            '\t' => Some("\\t"),
            _ => None,
        };
        let must = c == '"' || c == '\\' || c < ' ';
        let raw = match (short, self.random.below(8)) {
            (_, 0) => hex(c),
            (Some(short), 1..=4) => short.to_owned(),
            (Some(short), _) if must => short.to_owned(),
            (None, _) if must => hex(c),
            _ => c.to_string(),
        };
        Written { c, raw }
    }

    fn number(&mut self) -> String {
        let n = self.random.next();
        match self.random.below(6) {
            0 => (n % 10).to_string(),
            1 => format!("-{}", n % 1000),
            2 => format!("{}.{:03}00", n % 100, n % 997),
            3 => format!("{}E+{}", n % 10, n % 20),
            4 => format!("{}", 4_000_000_000_000_000 + n % 1_000_000_000_000_000),
            _ => format!("-0.{}e-{}", n % 10_000, n % 9),
        }
    }
}

fn hex(c: char) -> String {
    let mut units = [0; 2];
    let mut out = String::new();
    for unit in c.encode_utf16(&mut units) {
        let _ = write!(out, "\\u{unit:04x}");
    }
    out
}

pub(crate) fn render(pieces: &[Piece]) -> String {
    let mut out = String::new();
    for piece in pieces {
        match piece {
            Piece::Fixed(text) | Piece::Number(text) => out.push_str(text),
            Piece::Text(written) | Piece::Key(written) | Piece::Json(written, _) => {
                out.push('"');
                written.iter().for_each(|w| out.push_str(&w.raw));
                out.push('"');
            }
        }
    }
    out
}

/// The decoded text of a piece that is a segment.
pub(crate) fn decoded(piece: &Piece) -> Option<String> {
    match piece {
        Piece::Fixed(_) => None,
        Piece::Number(spelling) => Some(spelling.clone()),
        Piece::Text(written) | Piece::Key(written) | Piece::Json(written, _) => {
            Some(written.iter().map(|w| w.c).collect())
        }
    }
}

/// The inside of a JSON string as `serde_json` writes it.
fn escaped(text: &str) -> String {
    let quoted = serde_json::to_string(text).unwrap();
    quoted[1..quoted.len() - 1].to_owned()
}

/// Bytes that an edited piece must become. Changes are sorted, do not overlap, and lie on characters.
pub(crate) fn changed(piece: &Piece, changes: &[Change]) -> String {
    match piece {
        Piece::Fixed(text) => text.clone(),
        Piece::Number(spelling) => format!("\"{}\"", escaped(&changed_plain(spelling, changes))),
        Piece::Text(written) | Piece::Key(written) => changed_string(written, changes),
        Piece::Json(written, inner) => changed_string(written, &inner_changes(inner, changes)),
    }
}

pub(crate) fn changed_plain(text: &str, changes: &[Change]) -> String {
    let mut out = text.to_owned();
    for (span, replacement) in changes.iter().rev() {
        out.replace_range(span.range(), replacement);
    }
    out
}

fn changed_string(written: &[Written], changes: &[Change]) -> String {
    let mut out = String::from("\"");
    let mut at = 0;
    let mut next = changes.iter().peekable();
    for w in written {
        while let Some((_, replacement)) = next.next_if(|(span, _)| span.start <= at) {
            out.push_str(&escaped(replacement));
        }
        let gone = changes.iter().any(|(span, _)| span.start <= at && at < span.end);
        if !gone {
            out.push_str(&w.raw);
        }
        at += w.c.len_utf8();
    }
    for (_, replacement) in next {
        out.push_str(&escaped(replacement));
    }
    out.push('"');
    out
}

/// The changes of JSON text that keep it JSON, found the slow way: token by token, character by character.
pub(crate) fn inner_changes(inner: &[Piece], changes: &[Change]) -> Vec<Change> {
    let mut out: Vec<Change> = Vec::new();
    let mut written: Vec<bool> = vec![false; changes.len()];
    let mut at = 0;
    for piece in inner {
        let raw = render(std::slice::from_ref(piece));
        match piece {
            Piece::Fixed(_) => {}
            Piece::Number(spelling) => {
                let mut local = Vec::new();
                for (i, (span, replacement)) in changes.iter().enumerate() {
                    let (start, end) = (span.start.max(at), span.end.min(at + raw.len()));
                    let insertion = span.is_empty() && start == end;
                    if start < end || insertion {
                        let write = if written[i] { String::new() } else { replacement.clone() };
                        written[i] = true;
                        local.push((Span::new(start - at, end - at), write));
                    }
                }
                if !local.is_empty() {
                    let text = format!("\"{}\"", escaped(&changed_plain(spelling, &local)));
                    out.push((Span::new(at, at + raw.len()), text));
                }
            }
            Piece::Text(chars) | Piece::Key(chars) | Piece::Json(chars, _) => {
                for (i, (span, replacement)) in changes.iter().enumerate() {
                    let mut from = at + 1;
                    let mut covered: Option<Span> = None;
                    for w in chars {
                        let to = from + w.raw.len();
                        if span.is_empty() {
                            // An insertion goes before the character that it would cut.
                            if from <= span.start && span.start < to {
                                covered = Some(Span::new(from, from));
                            }
                        } else if span.start < to && from < span.end {
                            covered = Some(Span::new(covered.map_or(from, |c| c.start), to));
                        }
                        from = to;
                    }
                    if span.is_empty() && span.start == from {
                        covered = Some(*span);
                    }
                    if let Some(covered) = covered {
                        let write = if written[i] { String::new() } else { escaped(replacement) };
                        written[i] = true;
                        out.push((covered, write));
                    }
                }
            }
        }
        at += raw.len();
    }
    // Two edits of one escape: it goes with the first.
    let mut taken = 0;
    for (span, _) in &mut out {
        *span = Span::new(span.start.max(taken), span.end.max(taken));
        taken = span.end;
    }
    out
}

/// Random changes of a text: sorted, without overlap, on characters.
pub(crate) fn changes(random: &mut Random, text: &str) -> Vec<Change> {
    let edges: Vec<usize> = text.char_indices().map(|(i, _)| i).chain([text.len()]).collect();
    let mut cuts: Vec<usize> = (0..2 * (1 + random.below(2))).map(|_| *random.pick(&edges)).collect();
    cuts.sort_unstable();
    let mut out: Vec<Change> = Vec::new();
    for pair in cuts.chunks(2) {
        let replacement = *random.pick(&["", "[CARD]", "\"quoted\" \\ \n\u{1}", "é😀", "<x>", "{}", "0"]);
        out.push((Span::new(pair[0], pair[1]), replacement.to_owned()));
    }
    out
}
