//! Python literals in the header of an array, read without evaluation: what `ast.literal_eval` accepts and numpy needs.

use super::super::proof::{Proof, flaw};

/// Deeper than any type description.
const DEEPEST: u32 = 32;

/// One literal.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Literal {
    Text(String),
    Whole(i128),
    Truth(bool),
    Nothing,
    Tuple(Vec<Literal>),
    List(Vec<Literal>),
    Dict(Vec<(Literal, Literal)>),
}

/// Reads `text`, which starts at `offset` of the file, as one literal and nothing after it.
pub(super) fn parse(text: &str, offset: u64) -> Proof<Literal> {
    let mut parser = Parser { text: text.as_bytes(), at: 0, offset };
    let literal = parser.value(0)?;
    if parser.token().is_some() {
        return parser.wrong();
    }
    Ok(literal)
}

struct Parser<'t> {
    text: &'t [u8],
    at: usize,
    offset: u64,
}

impl Parser<'_> {
    /// The next byte that is not white space.
    fn token(&mut self) -> Option<u8> {
        while self.text.get(self.at).is_some_and(|byte| matches!(byte, b' ' | b'\t' | b'\n' | b'\r' | 0xc)) {
            self.at += 1;
        }
        self.text.get(self.at).copied()
    }

    fn wrong<T>(&self) -> Proof<T> {
        flaw(self.offset + self.at as u64, "the header is not a plain Python literal")
    }

    fn take(&mut self, byte: u8) -> bool {
        let found = self.token() == Some(byte);
        self.at += usize::from(found);
        found
    }

    fn value(&mut self, depth: u32) -> Proof<Literal> {
        if depth > DEEPEST {
            return flaw(self.offset + self.at as u64, "the header is nested too deeply");
        }
        match self.token() {
            Some(b'\'' | b'"') => self.string(),
            Some(b'(') => self.sequence(b')', depth),
            Some(b'[') => self.sequence(b']', depth),
            Some(b'{') => self.dict(depth),
            Some(b'0'..=b'9' | b'-' | b'+') => self.number(),
            Some(byte) if byte.is_ascii_alphabetic() => self.word(),
            _ => self.wrong(),
        }
    }

    fn string(&mut self) -> Proof<Literal> {
        let quote = self.text.get(self.at).copied();
        self.at += 1;
        let mut text = Vec::new();
        loop {
            let byte = self.text.get(self.at).copied();
            self.at += 1;
            match byte {
                byte if byte == quote => break,
                None | Some(b'\n') => return self.wrong(),
                Some(b'\\') => self.escape(&mut text)?,
                Some(byte) => text.push(byte),
            }
        }
        Ok(Literal::Text(String::from_utf8_lossy(&text).into_owned()))
    }

    /// `repr` of the names that numpy writes: quotes, backslashes and numbered characters, which may spell a type as well.
    fn escape(&mut self, text: &mut Vec<u8>) -> Proof<()> {
        let escaped = self.text.get(self.at).copied();
        self.at += 1;
        let digits = match escaped {
            Some(b'x') => 2,
            Some(b'u') => 4,
            Some(b'U') => 8,
            Some(byte) => {
                text.push(match byte {
                    b'\\' | b'\'' | b'"' => byte,
                    b'n' => b'\n',
                    b't' => b'\t',
                    b'r' => b'\r',
                    _ => return self.wrong(),
                });
                return Ok(());
            }
            None => return self.wrong(),
        };
        let hex = self.text.get(self.at..self.at + digits).and_then(|hex| std::str::from_utf8(hex).ok());
        let Some(c) = hex.and_then(|hex| u32::from_str_radix(hex, 16).ok()).and_then(char::from_u32) else {
            return self.wrong();
        };
        self.at += digits;
        text.extend(c.encode_utf8(&mut [0; 4]).bytes());
        Ok(())
    }

    fn number(&mut self) -> Proof<Literal> {
        let start = self.at;
        let negative = self.text.get(self.at) == Some(&b'-');
        self.at += usize::from(matches!(self.text.get(self.at), Some(b'-' | b'+')));
        let digits = self.at;
        let mut value: i128 = 0;
        while let Some(byte @ b'0'..=b'9') = self.text.get(self.at) {
            value = value.saturating_mul(10).saturating_add(i128::from(byte - b'0'));
            self.at += 1;
        }
        if self.at == digits {
            return self.wrong();
        }
        // Python 2 wrote long numbers with an `L`, and numpy still reads them.
        self.at += usize::from(self.text.get(self.at) == Some(&b'L'));
        if self
            .text
            .get(self.at)
            .is_some_and(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_'))
        {
            self.at = start;
            return self.wrong();
        }
        Ok(Literal::Whole(if negative { -value } else { value }))
    }

    fn word(&mut self) -> Proof<Literal> {
        let rest = self.text.get(self.at..).unwrap_or_default();
        let length = rest.iter().take_while(|byte| byte.is_ascii_alphanumeric() || **byte == b'_').count();
        let literal = match rest.get(..length) {
            Some(b"True") => Literal::Truth(true),
            Some(b"False") => Literal::Truth(false),
            Some(b"None") => Literal::Nothing,
            // Prefixes of strings.
            Some(b"u" | b"b") if matches!(rest.get(1), Some(b'\'' | b'"')) => {
                self.at += 1;
                return self.string();
            }
            _ => return self.wrong(),
        };
        self.at += length;
        Ok(literal)
    }

    fn sequence(&mut self, close: u8, depth: u32) -> Proof<Literal> {
        self.at += 1;
        let mut values = Vec::new();
        let mut comma = false;
        while !self.take(close) {
            if !values.is_empty() && !comma {
                return self.wrong();
            }
            values.push(self.value(depth + 1)?);
            comma = self.take(b',');
        }
        match (close, values.len(), comma) {
            // Parentheses without a comma hold the value itself.
            (b')', 1, false) => values.pop().map_or_else(|| self.wrong(), Ok),
            (b')', ..) => Ok(Literal::Tuple(values)),
            _ => Ok(Literal::List(values)),
        }
    }

    fn dict(&mut self, depth: u32) -> Proof<Literal> {
        self.at += 1;
        let mut pairs = Vec::new();
        let mut comma = true;
        while !self.take(b'}') {
            if !comma {
                return self.wrong();
            }
            let key = self.value(depth + 1)?;
            if !self.take(b':') {
                return self.wrong();
            }
            pairs.push((key, self.value(depth + 1)?));
            comma = self.take(b',');
        }
        Ok(Literal::Dict(pairs))
    }
}
