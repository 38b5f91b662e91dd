//! Whether a token runs on into something longer.

use crate::fold::{self, Folded};

/// How far after a token one must look: a label of a host name has at most 63 bytes (RFC 1035 section 2.3.4), the
/// local part of a mail address 64 (RFC 5321 section 4.5.3.1.1). Only text behind a token waits for it.
pub(crate) const REACH: usize = 64;

/// Whether the bytes after a token (up to [`REACH`] of them) make it part of a host name or a mail address.
///
/// GitHub's markdown, mail programs and messengers turn bare `host.name` and `local@host` into links, and messengers
/// fetch a preview of them unasked. `4111111111111111.evil.example` would carry a card number in a DNS query.
///
/// Letters behind a token go on in its word and no further: base64 that a model says again stands right behind one. Only
/// where the word becomes an address is the token part of one, and no label or local part is longer than [`REACH`].
///
/// Known gap: letters outside ASCII are read on for 64 bytes too, and where no end comes, they are taken for a
/// sentence in a language without spaces rather than for one label of a host name.
pub(crate) fn glued(after: &[u8]) -> bool {
    // The bytes may end in the middle of a character.
    let cut = after.len() >= REACH;
    let text = match std::str::from_utf8(after) {
        Ok(text) => text,
        Err(e) => after.get(..e.valid_up_to()).and_then(|b| std::str::from_utf8(b).ok()).unwrap_or_default(),
    };
    let mut chars = text
        .chars()
        .filter_map(|written| match fold::fold(written) {
            Folded::Char(c) => Some((written, c)),
            // Nothing to see, and the text goes on behind it.
            Folded::Invisible => None,
        })
        .peekable();
    // What stands behind the token without a dot between, as it is read.
    let mut length = 0;
    // Until a character that a host name cannot have, but the local part of an address can.
    let mut label = true;
    let mut sentence = false;
    while let Some((written, c)) = chars.next() {
        let next = chars.peek().map(|(_, next)| *next);
        match c {
            '@' => return true,
            // A full stop of CJK ends a sentence, though IDNA takes it for a dot before a Latin host name.
            '.' if !written.is_ascii() => {
                return next
                    .is_some_and(|n| n.is_ascii_alphanumeric() || matches!(n, '.' | '-' | '_' | '+' | '@'));
            }
            '.' if label && next.is_some_and(char::is_alphanumeric) => return true,
            '.' if label && next.is_none() => return cut,
            '.' | '+' => label = false,
            // A scheme of the value's name, or one inside what a linkifier takes for an address.
            ':' if matches!(next, Some('/' | '\\' | '@')) => return true,
            ':' if next.is_some_and(|n| n.is_ascii_alphanumeric()) => label = false,
            // Encoded dots and at signs.
            '&' => return next.is_some_and(|n| n == '#' || n.is_ascii_alphabetic()),
            '%' => return next.is_some_and(|n| n.is_ascii_hexdigit()),
            // In JSON text the escape of a line break, a tab or a quote ends a word; any other may spell a dot.
            '\\' => return next.is_some_and(|n| !matches!(n, 'n' | 'r' | 't' | '"' | ' ')),
            '-' | '_' => {}
            c if c.is_alphanumeric() => sentence = sentence || !c.is_ascii(),
            _ => return false,
        }
        length += 1;
    }
    cut && !sentence && length < REACH
}

#[cfg(test)]
mod tests {
    use super::*;

    fn window(text: &str) -> &[u8] {
        text.as_bytes().get(..REACH).unwrap_or(text.as_bytes())
    }

    #[test]
    fn ends_and_continuations_are_told_apart() {
        for end in [
            "",
            " ",
            ".",
            ". ",
            ", a",
            "!",
            "?",
            ")",
            "]",
            "\"",
            "'s",
            "`",
            "**",
            "_",
            "_ a",
            "_.",
            "...",
            "\n",
            "。下一",
            "，",
            "和",
            "|x@y",
            "/x.y",
            ":",
            ": x",
            "%",
            "% ",
            "\\n",
            "\\\"",
            "-",
            " - a",
            "-based ",
            "--text ",
            "<",
            ">,",
            ";",
            "&",
            "& b",
            "和张三，x.y",
            "....",
            "--------",
            " .evil.example",
            "s",
            "1",
            "hYW5k",
            "YW5k+b/c==",
            "ｅ",
            "\u{ad}a",
            "…",
            "」",
        ] {
            assert!(!glued(window(end)), "{end}");
        }
        let sentence = "発送先は東京都千代田区霞が関一丁目一番一号の法務省の建物の中の一室です";
        assert!(!glued(window(sentence)));
        for goes_on in [
            "@",
            "s@e",
            "s.e",
            "1-e.e",
            "hYW5k&#46",
            "e\u{200b}.e",
            "@e",
            ".e",
            "-e.e",
            "_e.e",
            "+e@e",
            "..e@e",
            "--e.e",
            "._-e@e",
            "&#46",
            "&per",
            "%2e",
            "\\u00",
            "\\.e",
            "\u{200b}.e",
            "．e",
            "＠",
            ".@",
            "\u{2024}e",
            "://",
            ":/",
            ".é",
            "。evil",
            "请.evil",
            "-x%2ee",
            "-x&#46;e",
            "\u{200b}\u{200b}\u{200b}\u{200b}.e",
        ] {
            assert!(glued(window(goes_on)), "{goes_on}");
        }
        let label = format!("-{}.evil.example", "x".repeat(61));
        assert!(glued(window(&label)), "the longest label");
        assert!(glued(window(&format!("{}.evil.example", "x".repeat(63)))), "the longest label");
        assert!(!glued(window(&"YW5k".repeat(100))), "no label is so long");
    }
}
