//! The scanner: RFC 8259 to the letter, one pass, no recursion.
//!
//! Strict on purpose. Two parsers that differ on a malformed document are how a guard reads one text and the model
//! another, so everything that some parser somewhere reads differently is refused: byte order marks, control
//! characters, half surrogate pairs, trailing bytes, numbers such as `01` or `1.`.

use crate::tape::{Kind, NONE, Node, Tape, narrow, wide};
use crate::text::hex4;
use crate::{Limits, WireError};

/// Checks the encoding. The scanner and everything after it works on text.
pub(crate) fn utf8(body: &[u8]) -> Result<&str, WireError> {
    std::str::from_utf8(body)
        .map_err(|e| WireError::at(WireError::UTF8, e.valid_up_to(), "the document is not valid UTF-8"))
}

/// Fills `tape` with the tokens of `body`.
pub(crate) fn scan(body: &str, limits: &Limits, tape: &mut Tape) -> Result<(), WireError> {
    tape.nodes.clear();
    let bytes = body.as_bytes();
    if u32::try_from(bytes.len()).is_err() {
        return Err(WireError::at(WireError::LIMIT, 0, "the document is longer than 4 GiB"));
    }
    if bytes.starts_with(b"\xef\xbb\xbf") {
        return Err(WireError::at(
            WireError::SYNTAX,
            0,
            "the document starts with a byte order mark; RFC 8259 section 8.1 has none",
        ));
    }
    // Prose has a token per 16 bytes or fewer. A streamed chunk has more, but its tape is that of the chunk before.
    tape.nodes.reserve((bytes.len() / 16).clamp(16, 512));
    let mut scanner = Scanner {
        bytes,
        nodes: &mut tape.nodes,
        at: 0,
        open: NONE,
        in_object: false,
        depth: 0,
        max_depth: limits.max_depth,
        max_values: wide(limits.max_values),
    };
    scanner.document()
}

struct Scanner<'a> {
    bytes: &'a [u8],
    nodes: &'a mut Vec<Node>,
    at: usize,
    /// The innermost open container.
    open: u32,
    in_object: bool,
    depth: u16,
    max_depth: u16,
    max_values: usize,
}

impl Scanner<'_> {
    fn document(&mut self) -> Result<(), WireError> {
        loop {
            // A value, or the end of an empty array.
            match self.peek() {
                Some(b'"') => self.string(Kind::String)?,
                Some(b'{') => {
                    self.enter(Kind::Object)?;
                    if self.peek() != Some(b'}') {
                        self.key()?;
                        continue;
                    }
                }
                Some(b'[') => {
                    self.enter(Kind::Array)?;
                    if self.peek() != Some(b']') {
                        continue;
                    }
                }
                Some(b'-' | b'0'..=b'9') => self.number()?,
                Some(b't') => self.word(b"true", Kind::True)?,
                Some(b'f') => self.word(b"false", Kind::False)?,
                Some(b'n') => self.word(b"null", Kind::Null)?,
                Some(_) => return Err(self.error("expected a JSON value")),
                None => return Err(self.error("the document ends where a value should be")),
            }
            // What follows a value: ends of containers, then a comma or the end.
            loop {
                let byte = self.peek();
                if self.open == NONE {
                    return match byte {
                        None => Ok(()),
                        Some(_) => Err(self.error("there are bytes after the end of the JSON value")),
                    };
                }
                match byte {
                    Some(b',') => {
                        self.at += 1;
                        if self.in_object {
                            self.key()?;
                        }
                        break;
                    }
                    Some(b'}') if self.in_object => self.leave(),
                    Some(b']') if !self.in_object => self.leave(),
                    Some(_) => return Err(self.error("expected a comma or the end of the array or object")),
                    None => return Err(self.error("the document ends inside an array or object")),
                }
            }
        }
    }

    /// The next byte that is not white space (RFC 8259 section 2).
    #[inline]
    fn peek(&mut self) -> Option<u8> {
        loop {
            match self.bytes.get(self.at) {
                Some(b' ' | b'\n' | b'\r' | b'\t') => self.at += 1,
                other => return other.copied(),
            }
        }
    }

    #[cold]
    fn error(&self, detail: &'static str) -> WireError {
        WireError::at(WireError::SYNTAX, self.at, detail)
    }

    #[inline]
    fn push(&mut self, kind: Kind, start: usize, escaped: bool) -> Result<(), WireError> {
        if self.nodes.len() >= self.max_values {
            return Err(WireError::at(WireError::LIMIT, start, "the document has too many values"));
        }
        let next = narrow(self.nodes.len() + 1);
        self.nodes.push(Node { start: narrow(start), end: narrow(self.at), next, kind, escaped });
        Ok(())
    }

    #[inline]
    fn enter(&mut self, kind: Kind) -> Result<(), WireError> {
        if self.depth >= self.max_depth {
            return Err(WireError::at(WireError::LIMIT, self.at, "the document is nested too deeply"));
        }
        self.depth += 1;
        let start = self.at;
        self.at += 1;
        let index = narrow(self.nodes.len());
        self.push(kind, start, false)?;
        if let Some(node) = self.nodes.last_mut() {
            node.next = self.open;
        }
        self.open = index;
        self.in_object = kind == Kind::Object;
        Ok(())
    }

    #[inline]
    fn leave(&mut self) {
        self.at += 1;
        self.depth = self.depth.saturating_sub(1);
        let after = narrow(self.nodes.len());
        let end = narrow(self.at);
        if let Some(node) = self.nodes.get_mut(wide(self.open)) {
            self.open = node.next;
            node.next = after;
            node.end = end;
        }
        self.in_object = self.nodes.get(wide(self.open)).is_some_and(|n| n.kind == Kind::Object);
    }

    #[inline]
    fn key(&mut self) -> Result<(), WireError> {
        if self.peek() != Some(b'"') {
            return Err(self.error("expected a key in double quotes"));
        }
        self.string(Kind::Key)?;
        if self.peek() != Some(b':') {
            return Err(self.error("expected a colon after the key"));
        }
        self.at += 1;
        Ok(())
    }

    #[inline]
    fn string(&mut self, kind: Kind) -> Result<(), WireError> {
        let start = self.at;
        let (end, escaped) = string_end(self.bytes, start + 1)?;
        self.at = end + 1;
        self.push(kind, start, escaped)
    }

    /// RFC 8259 section 6.
    #[inline]
    fn number(&mut self) -> Result<(), WireError> {
        let start = self.at;
        if self.bytes.get(self.at) == Some(&b'-') {
            self.at += 1;
        }
        match self.bytes.get(self.at) {
            Some(b'0') => self.at += 1,
            Some(b'1'..=b'9') => self.digits(),
            _ => return Err(self.error("expected a digit")),
        }
        if self.bytes.get(self.at) == Some(&b'.') {
            self.at += 1;
            self.some_digits()?;
        }
        if matches!(self.bytes.get(self.at), Some(b'e' | b'E')) {
            self.at += 1;
            if matches!(self.bytes.get(self.at), Some(b'+' | b'-')) {
                self.at += 1;
            }
            self.some_digits()?;
        }
        self.push(Kind::Number, start, false)
    }

    #[inline]
    fn digits(&mut self) {
        while matches!(self.bytes.get(self.at), Some(b'0'..=b'9')) {
            self.at += 1;
        }
    }

    fn some_digits(&mut self) -> Result<(), WireError> {
        let before = self.at;
        self.digits();
        if self.at == before { Err(self.error("expected a digit")) } else { Ok(()) }
    }

    #[inline]
    fn word(&mut self, word: &[u8], kind: Kind) -> Result<(), WireError> {
        let start = self.at;
        if !self.bytes.get(start..).is_some_and(|rest| rest.starts_with(word)) {
            return Err(self.error("expected a JSON value"));
        }
        self.at += word.len();
        self.push(kind, start, false)
    }
}

/// Where the string that holds `at` ends: the quote that closes it, and whether there is an escape from `at` on.
#[inline]
pub(crate) fn string_end(bytes: &[u8], mut at: usize) -> Result<(usize, bool), WireError> {
    let error = |at, detail| WireError::at(WireError::SYNTAX, at, detail);
    let mut escaped = false;
    loop {
        at = plain_run(bytes, at);
        match bytes.get(at) {
            Some(b'"') => return Ok((at, escaped)),
            Some(b'\\') => {
                escaped = true;
                at = escape_end(bytes, at)?;
            }
            Some(_) => return Err(error(at, "a control character must be escaped inside a string")),
            None => return Err(error(at, "the document ends inside a string")),
        }
    }
}

/// Where the escape at `at` ends.
#[inline(never)]
fn escape_end(bytes: &[u8], at: usize) -> Result<usize, WireError> {
    let error = |detail| WireError::at(WireError::SYNTAX, at, detail);
    match bytes.get(at + 1) {
        Some(b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't') => Ok(at + 2),
        Some(b'u') => match hex4(bytes, at + 2) {
            Some(0xD800..=0xDBFF) => {
                let low = (bytes.get(at + 6..at + 8) == Some(b"\\u")).then(|| hex4(bytes, at + 8)).flatten();
                match low {
                    Some(0xDC00..=0xDFFF) => Ok(at + 12),
                    _ => Err(lone_surrogate(at)),
                }
            }
            Some(0xDC00..=0xDFFF) => Err(lone_surrogate(at)),
            Some(_) => Ok(at + 6),
            None => Err(error("a \\u escape needs four hexadecimal digits")),
        },
        _ => Err(error("this escape does not exist in JSON")),
    }
}

/// Half a surrogate pair is no character: parsers replace it, drop it or fail, each in its own way.
fn lone_surrogate(at: usize) -> WireError {
    WireError::at(WireError::UTF8, at, "a \\u escape holds half a surrogate pair, which is no character")
}

/// The first position from `at` that holds a quote, a backslash or a control character; the end if none does.
/// Eight bytes a step, by the usual bit tricks: a borrow can only mark bytes above a true hit, and the lowest mark
/// is the one used.
#[inline]
fn plain_run(bytes: &[u8], mut at: usize) -> usize {
    const ONES: u64 = 0x0101_0101_0101_0101;
    const HIGH: u64 = 0x8080_8080_8080_8080;
    while let Some(word) = bytes.get(at..).and_then(|rest| rest.first_chunk::<8>()) {
        let word = u64::from_le_bytes(*word);
        let quote = word ^ (ONES * 0x22);
        let slash = word ^ (ONES * 0x5C);
        let stops = (quote.wrapping_sub(ONES) & !quote)
            | (slash.wrapping_sub(ONES) & !slash)
            | (word.wrapping_sub(ONES * 0x20) & !word);
        let stops = stops & HIGH;
        if stops != 0 {
            return at + wide(stops.trailing_zeros() / 8);
        }
        at += 8;
    }
    while let Some(&byte) = bytes.get(at) {
        if byte == b'"' || byte == b'\\' || byte < 0x20 {
            break;
        }
        at += 1;
    }
    at
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(body: &[u8]) -> Result<usize, WireError> {
        let mut tape = Tape::default();
        scan(utf8(body)?, &Limits { max_depth: 4, max_values: 50, max_segments: 50 }, &mut tape)?;
        Ok(tape.nodes.len())
    }

    #[test]
    fn accepts_all_of_the_grammar() {
        for (body, tokens) in [
            (r#" {"a" : [ ] , "b":{ }, "c":[1,-0,0.5,1e5,1E-5,2.5e+10,true,false,null,"x"]} "#, 17),
            ("0", 1),
            ("\"\"", 1),
            (r#""\"\\\/\b\f\n\r\t\u00e9\ud83d\ude00\u0000""#, 1),
            ("\t[\r\n]", 1),
            ("\"a\u{7f}\u{2028}é\"", 1),
            ("[[[[]]]]", 4),
        ] {
            assert_eq!(check(body.as_bytes()), Ok(tokens), "{body}");
        }
    }

    #[test]
    fn refuses_what_some_parser_reads_differently() {
        for body in [
            "",
            " ",
            "{",
            "[",
            "\"",
            "{\"a\"",
            "{\"a\":",
            "{\"a\":1",
            "{\"a\":1,",
            "{\"a\":1,}",
            "[1,]",
            "[,1]",
            "{,}",
            "[1 2]",
            "{\"a\" 1}",
            "{a:1}",
            "{'a':1}",
            "01",
            "-",
            "+1",
            "1.",
            ".5",
            "1e",
            "1e+",
            "-01",
            "0x1",
            "NaN",
            "Infinity",
            "-Infinity",
            "tru",
            "True",
            "nul",
            "nulls",
            "1 1",
            "{} {}",
            "[1}",
            "{\"a\":1]",
            "]",
            "}",
            "\"\u{1}\"",
            "\"a\nb\"",
            "\"\t\"",
            "\"\\x\"",
            "\"\\u12\"",
            "\"\\u12g4\"",
            "\"\\",
            "\"\\u",
            "/**/1",
            "1//",
            "\u{feff}1",
            "\u{a0}1",
            "[[[[[]]]]]",
        ] {
            assert!(check(body.as_bytes()).is_err(), "{body:?}");
        }
    }

    #[test]
    fn half_surrogates_and_bad_encoding_have_their_own_code() {
        for body in [
            r#""\ud800""#,
            r#""\udc00""#,
            r#""\ud800\ud800""#,
            r#""\ud800x""#,
            r#""\ud800\n""#,
            r#""\udbff\u0041""#,
        ] {
            assert_eq!(check(body.as_bytes()).map_err(|e| e.code), Err(WireError::UTF8), "{body}");
        }
        for body in
            [&b"\"\xff\""[..], b"\"\xc0\x80\"", b"\"\xed\xa0\x80\"", b"\"\xf4\x90\x80\x80\"", b"\"\xe2\x82\""]
        {
            assert_eq!(check(body).map_err(|e| e.code), Err(WireError::UTF8), "{body:?}");
        }
    }

    #[test]
    fn stops_are_found_at_every_offset() {
        for stop in [b'"', b'\\', 0x00, 0x1f] {
            for at in 0..40 {
                let mut text = vec![0xC3; 40];
                text[at] = stop;
                for from in 0..=at {
                    assert_eq!(plain_run(&text, from), at);
                }
            }
        }
        assert_eq!(plain_run(&[b'!', b'#', b'[', b']', 0x20, 0x7f, 0x80, 0xff, 0xa2, 0xdc, 0x9f], 0), 11);
    }

    #[test]
    fn counts_are_bounded() {
        let many = format!("[{}1]", "1,".repeat(100));
        assert_eq!(check(many.as_bytes()).map_err(|e| e.code), Err(WireError::LIMIT));
        assert_eq!(check("[[[[[".as_bytes()).map_err(|e| e.code), Err(WireError::LIMIT));
    }
}
