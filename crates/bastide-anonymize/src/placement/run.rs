//! Addresses in running text: the stretch between two white spaces.

use super::decode::Read;

/// Schemes that mail programs, messengers and browsers follow without `//`.
#[rustfmt::skip]
const SCHEMES: [&str; 34] = [
    "about", "blob", "callto", "cid", "data", "facetime", "feed", "file", "geo", "im", "intent", "irc", "itms",
    "javascript", "livescript", "magnet", "mailto", "market", "mid", "mms", "sip", "sips", "skype", "slack", "sms",
    "smsto", "tel", "tg", "urn", "vbscript", "view-source", "webcal", "whatsapp", "xmpp",
];
/// Those whose content goes on after white space.
const TO_LINE_END: [&str; 4] = ["javascript", "livescript", "vbscript", "data"];

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Run {
    /// The last 16 characters of the run, one byte each, lower case, the newest lowest; what is not ASCII is 0xff. The
    /// longest scheme, its colon and the character before it fit.
    tail: u128,
    /// Inside an address until white space.
    address: bool,
    /// Inside one that only a line end ends: `javascript:` may contain spaces.
    to_line_end: bool,
    /// Its colon stood just before: `data:x` is an address, `data: x` is prose.
    to_line_end_next: bool,
    /// A word with a dot between letters or digits, so far: `evil.example`.
    host: bool,
    /// Characters since the last invisible one, behind which a scheme may begin.
    since_invisible: Option<usize>,
    /// An address was broken by this line break, and its next line has not begun.
    broken: Option<char>,
}

impl Run {
    /// Not in an address, and not directly behind a host name either: `evil.exampleVALUE` would be another host name,
    /// `evil.example:VALUE` a port. Behind letters outside ASCII it is not: there a sentence may end without a space.
    pub(super) const fn restorable(&self) -> bool {
        let behind_host = self.host && self.last().is_ascii();
        !self.address && !self.to_line_end && !behind_host
    }

    pub(super) fn take(&mut self, read: Read) {
        match read {
            Read::Written(c) => self.written(c),
            // Hidden letters, digits and punctuation of addresses: nobody writes them so for a reader's sake.
            Read::Decoded(c) if c.is_ascii_alphanumeric() || ":/\\.@?#%\t\n\r".contains(c) => {
                self.address = true
            }
            Read::Decoded(c) => self.written(c),
            Read::Escaped => self.address = true,
            Read::Invisible => self.since_invisible = Some(0),
        }
    }

    fn written(&mut self, c: char) {
        // Only ASCII white space: GitHub's markdown lets a no-break space stand in an address.
        if c.is_ascii_whitespace() || c == '\x0b' {
            self.space(c);
            return;
        }
        self.broken = None;
        self.to_line_end = self.to_line_end || self.to_line_end_next;
        self.to_line_end_next = false;
        let byte = u8::try_from(c).ok().filter(u8::is_ascii).map_or(0xff, |b| b.to_ascii_lowercase());
        self.tail = (self.tail << 8) | u128::from(byte);
        self.since_invisible = self.since_invisible.map(|n| n.saturating_add(1));
        self.address = self.address || self.begins_address(byte);
        self.host = match byte {
            b'-' | b'_' | b':' | b'@' | b'.' => self.host,
            _ if is_word(byte) => {
                self.host || matches!(self.last_three(), [before, b'.', _] if is_word(before))
            }
            _ => false,
        };
    }

    /// White space ends an address, unless it is a line break behind a character that no address ends with: then the
    /// address may have been broken over two lines, and whoever joins the lines gets all of it.
    fn space(&mut self, c: char) {
        let line_break = matches!(c, '\n' | '\r');
        let broken = match self.broken {
            Some('\r') if c == '\n' => Some(c),
            Some(b) if !line_break => Some(b),
            Some(_) => None,
            None => {
                let open_end = b"=&?/%+-_#~".contains(&self.last());
                (self.address && line_break && open_end).then_some(c)
            }
        };
        let to_line_end = self.to_line_end && !line_break;
        *self = Run { address: broken.is_some(), broken, to_line_end, ..Run::default() };
    }

    fn begins_address(&mut self, byte: u8) -> bool {
        match (self.last_three(), byte) {
            // `https://`, `http:\\`, `http:/\`, `//host`, `\\host\share`: browsers take either slash.
            ([_, b'/' | b'\\', _], b'/' | b'\\') => true,
            // `https:/host` and `c:/`; also `https:\/\/` in JSON within text.
            ([before, b':', _], b'/' | b'\\') if is_word(before) => true,
            ([b'w', b'w', _], b'.') if self.ends_with(b"www.").is_some() => true,
            // `evil.example/`, `evil.example:80?`: linkifiers need no scheme.
            (_, b'/' | b'?' | b'#' | b'\\') if self.host => true,
            (_, b':') => {
                let scheme = self.scheme_before(&SCHEMES);
                self.to_line_end_next = self.scheme_before(&TO_LINE_END);
                scheme
            }
            _ => false,
        }
    }

    /// Whether the run ends with one of these schemes and a colon, not preceded by a letter.
    fn scheme_before(&self, schemes: &[&str]) -> bool {
        let before = Run { tail: self.tail >> 8, ..Run::default() };
        // The colon counts too.
        let begins = |s: &str| self.since_invisible == Some(s.len() + 1);
        schemes
            .iter()
            .any(|s| before.ends_with(s.as_bytes()).is_some_and(|b| !b.is_ascii_alphanumeric() || begins(s)))
    }

    /// Whether the run ends with `text`, and with which byte before it; 0 is none.
    fn ends_with(&self, text: &[u8]) -> Option<u8> {
        let mut tail = self.tail.to_le_bytes().into_iter();
        let ends = text.iter().rev().all(|b| tail.next() == Some(*b));
        ends.then(|| tail.next().unwrap_or(0))
    }

    const fn last_three(&self) -> [u8; 3] {
        let [last, second, third, ..] = self.tail.to_le_bytes();
        [third, second, last]
    }

    const fn last(&self) -> u8 {
        let [_, _, last] = self.last_three();
        last
    }
}

/// What a label of a host name is made of.
const fn is_word(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == 0xff
}
