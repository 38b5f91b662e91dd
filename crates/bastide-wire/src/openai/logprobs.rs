//! Log probabilities: the answer's text once more, token by token.
//!
//! A guard that edits the answer and leaves these in place has masked nothing. Editing an answer therefore turns its
//! `logprobs` into null. That covers what the tokens spell only as long as they spell the inspected text, so that is
//! checked here; tokens that spell something else are segments.

use bastide_types::Origin;

use super::names::{Logprobs, TokenLogprob};
use crate::WireError;
use crate::tape::Kind;
use crate::vocabulary::find;
use crate::walk::Walker;

/// Longest token that is let pass as one of the alternatives the model did not choose: too short for any number that
/// says something about a person. Longer ones are segments.
const TOKEN_BYTES: usize = 8;

impl Walker<'_> {
    /// `logprobs` of one answer whose `content` and `refusal` texts are given. Says whether the tokens spell them.
    pub(super) fn logprobs(
        &mut self,
        node: u32,
        content: Option<&str>,
        refusal: Option<&str>,
    ) -> Result<bool, WireError> {
        if self.kind(node) != Kind::Object {
            self.free(node, Origin::Other)?;
            return Ok(self.kind(node) == Kind::Null);
        }
        let mut faithful = true;
        let mut fields = self.fields::<Logprobs>(node)?;
        while let Some(field) = self.next(&mut fields)? {
            match field.name {
                Some(Logprobs::Content) => faithful &= self.spelling_of(field.value, content)?,
                Some(Logprobs::Refusal) => faithful &= self.spelling_of(field.value, refusal)?,
                None => self.unknown(field.key, field.value)?,
            }
        }
        Ok(faithful)
    }

    /// A list of tokens that should spell `text`.
    fn spelling_of(&mut self, node: u32, text: Option<&str>) -> Result<bool, WireError> {
        if self.kind(node) != Kind::Array {
            self.free(node, Origin::Other)?;
            return Ok(self.kind(node) == Kind::Null);
        }
        let faithful = self.spells(node, text.unwrap_or_default().as_bytes());
        for entry in self.elements(node)? {
            self.token(entry, faithful)?;
        }
        Ok(faithful)
    }

    /// Whether the chosen tokens, joined, are `text`. `bytes` says what a token is where a character is spread over
    /// several tokens and `token` can only name it.
    fn spells(&self, list: u32, text: &[u8]) -> bool {
        let mut rest = text;
        for entry in self.tape.elements(list) {
            let Some(token) = find(self.body, self.tape, entry, "token") else { return false };
            if self.kind(token) != Kind::String {
                return false;
            }
            let name = self.text(token);
            let bytes = find(self.body, self.tape, entry, "bytes").filter(|&b| self.kind(b) != Kind::Null);
            let after = match bytes {
                None => rest.strip_prefix(name.as_bytes()),
                Some(list) => match self.byte_list(list) {
                    Some(bytes) if names(&name, &bytes) => rest.strip_prefix(bytes.as_slice()),
                    _ => None,
                },
            };
            match after {
                Some(after) => rest = after,
                None => return false,
            }
        }
        rest.is_empty()
    }

    /// A list of numbers from 0 to 255.
    fn byte_list(&self, node: u32) -> Option<Vec<u8>> {
        if self.kind(node) != Kind::Array {
            return None;
        }
        self.tape
            .elements(node)
            .map(|n| if self.kind(n) == Kind::Number { self.spelling(n).parse().ok() } else { None })
            .collect()
    }

    /// One entry. `covered`: its token is part of text that is inspected as a whole.
    fn token(&mut self, node: u32, covered: bool) -> Result<(), WireError> {
        let mut fields = self.fields::<TokenLogprob>(node)?;
        while let Some(field) = self.next(&mut fields)? {
            let value = field.value;
            match field.name {
                Some(TokenLogprob::Token) if covered => {}
                Some(TokenLogprob::Token) => self.free(value, Origin::Assistant)?,
                Some(TokenLogprob::Bytes) => {
                    if !covered {
                        self.bytes_of(node, value)?;
                    }
                }
                Some(TokenLogprob::Logprob) => self.probability(value)?,
                Some(TokenLogprob::TopLogprobs) => self.alternatives(value)?,
                None => self.unknown(field.key, value)?,
            }
        }
        Ok(())
    }

    fn alternatives(&mut self, node: u32) -> Result<(), WireError> {
        if self.kind(node) != Kind::Array {
            return self.free(node, Origin::Other);
        }
        for entry in self.elements(node)? {
            let mut fields = self.fields::<TokenLogprob>(entry)?;
            while let Some(field) = self.next(&mut fields)? {
                let value = field.value;
                match field.name {
                    Some(TokenLogprob::Token) => {
                        if self.kind(value) != Kind::String || self.text(value).len() > TOKEN_BYTES {
                            self.free(value, Origin::Assistant)?;
                        }
                    }
                    Some(TokenLogprob::Bytes) => self.bytes_of(entry, value)?,
                    Some(TokenLogprob::Logprob) => self.probability(value)?,
                    Some(TokenLogprob::TopLogprobs) => self.free(value, Origin::Other)?,
                    None => self.unknown(field.key, value)?,
                }
            }
        }
        Ok(())
    }

    /// The bytes of a token: no segments when they are the token's own, or few and no characters by themselves.
    fn bytes_of(&mut self, entry: u32, list: u32) -> Result<(), WireError> {
        let token = find(self.body, self.tape, entry, "token").filter(|&t| self.kind(t) == Kind::String);
        let own = match (token, self.byte_list(list)) {
            (Some(token), Some(bytes)) => names(&self.text(token), &bytes),
            _ => false,
        };
        if own { Ok(()) } else { self.free(list, Origin::Assistant) }
    }

    /// A logarithm: few digits before the point (-9999 stands for impossible), and no more behind it than a double
    /// has.
    fn probability(&mut self, node: u32) -> Result<(), WireError> {
        if self.kind(node) == Kind::Number {
            let spelling = self.spelling(node);
            let whole = spelling.bytes().skip_while(|&b| b == b'-').take_while(u8::is_ascii_digit).count();
            if whole <= 4 && spelling.len() <= 25 {
                return Ok(());
            }
        }
        self.free(node, Origin::Other)
    }
}

/// Whether a token's name fits its bytes: the same; or, for bytes that are no text by themselves, spelled as `\xe4`
/// (OpenAI) or with replacement characters (vLLM).
fn names(name: &str, bytes: &[u8]) -> bool {
    name.as_bytes() == bytes
        || (std::str::from_utf8(bytes).is_err()
            && (unspell(name.strip_prefix("bytes:").unwrap_or(name)) == bytes
                || String::from_utf8_lossy(bytes) == name))
}

/// A name with its `\xNN` turned into bytes.
fn unspell(name: &str) -> Vec<u8> {
    let mut out = Vec::with_capacity(name.len());
    let mut rest = name.as_bytes();
    while let Some((&first, after)) = rest.split_first() {
        let hex = after.strip_prefix(b"x").and_then(|digits| digits.get(..2));
        let byte = hex
            .filter(|_| first == b'\\')
            .and_then(|digits| std::str::from_utf8(digits).ok())
            .and_then(|digits| u8::from_str_radix(digits, 16).ok());
        match byte {
            Some(byte) => {
                out.push(byte);
                rest = after.get(3..).unwrap_or_default();
            }
            None => {
                out.push(first);
                rest = after;
            }
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::names;

    #[test]
    fn a_name_fits_only_its_own_bytes() {
        for (name, bytes) in [
            ("hi", &b"hi"[..]),
            ("\\xe4\\xb8", b"\xe4\xb8"),
            ("bytes: \\xe4", b" \xe4"),
            ("\u{FFFD}", b"\xe4"),
            ("", b""),
        ] {
            assert!(names(name, bytes), "{name}");
        }
        for (name, bytes) in [
            ("hi", &b"ho"[..]),
            ("4111111111111111", b"\xe4\xb8"),
            ("\\xe4", b"\\xe5"),
            ("\\x+4", b"\x04\xff"),
        ] {
            assert!(!names(name, bytes), "{name}");
        }
    }
}
