//! Text as loaders decode it.

use std::borrow::Cow;

use crate::halt::{Halt, Parsed, size};
use crate::scan::Scan;
use crate::source::{Source, read_up_to};

/// All bytes of a document, where the limit allows.
pub(crate) fn whole(source: &dyn Source, scan: &Scan<'_>) -> Parsed<Vec<u8>> {
    let limit = scan.limits.structure_bytes;
    if source.size() > limit as u64 {
        return Err(Halt::limit(format!("{} for one document", size(limit as u64))));
    }
    read_up_to(source, 0, limit)
}

/// Text in the encoding that its first bytes announce (Unicode 16.0 section 23.8, RFC 4627 section 3), else UTF-8. What is
/// not text becomes U+FFFD.
pub(crate) fn text(bytes: &[u8]) -> Cow<'_, str> {
    match bytes {
        [0xef, 0xbb, 0xbf, rest @ ..] => String::from_utf8_lossy(rest),
        [0xff, 0xfe, rest @ ..] => utf16(rest, u16::from_le_bytes).into(),
        [0xfe, 0xff, rest @ ..] => utf16(rest, u16::from_be_bytes).into(),
        [first, 0, second, 0, ..] if *first != 0 && *second != 0 => utf16(bytes, u16::from_le_bytes).into(),
        [0, first, 0, second, ..] if *first != 0 && *second != 0 => utf16(bytes, u16::from_be_bytes).into(),
        _ => String::from_utf8_lossy(bytes),
    }
}

fn utf16(bytes: &[u8], unit: fn([u8; 2]) -> u16) -> String {
    let units = bytes.as_chunks::<2>().0.iter().map(|pair| unit(*pair));
    char::decode_utf16(units).map(|c| c.unwrap_or(char::REPLACEMENT_CHARACTER)).collect()
}

/// JSON as editors and compilers write their settings: comments and commas before a closing bracket become blanks, so that
/// everything else stays where it is.
pub(super) fn without_comments(text: &str) -> String {
    let mut plain = String::with_capacity(text.len());
    let mut rest = text;
    let blank = |part: &str| {
        part.chars()
            .map(|c| if c == '\n' { "\n".to_owned() } else { " ".repeat(c.len_utf8()) })
            .collect::<String>()
    };
    while let Some(c) = rest.chars().next() {
        let length = match c {
            '"' => string_length(rest),
            '/' if rest.starts_with("//") => rest.find('\n').unwrap_or(rest.len()),
            '/' if rest.starts_with("/*") => rest.find("*/").map_or(rest.len(), |end| end + 2),
            _ => c.len_utf8(),
        };
        let (part, after) = rest.split_at_checked(length).unwrap_or((rest, ""));
        match c {
            '/' if length > 1 => plain.push_str(&blank(part)),
            ']' | '}' => {
                let end = plain.trim_end().len();
                if plain.get(..end).is_some_and(|before| before.ends_with(',')) {
                    plain.replace_range(end - 1..end, " ");
                }
                plain.push(c);
            }
            _ => plain.push_str(part),
        }
        rest = after;
    }
    plain
}

/// The length of the string at the start of `text`, with its quotes.
fn string_length(text: &str) -> usize {
    let mut escaped = false;
    for (at, c) in text.char_indices().skip(1) {
        if c == '"' && !escaped {
            return at + 1;
        }
        escaped = c == '\\' && !escaped;
    }
    text.len()
}

/// Whether these first bytes are of a text: no control characters but white space, hardly anything that is not UTF-8.
pub(crate) fn looks_like_text(head: &[u8]) -> bool {
    let text = text(head.get(..4096).unwrap_or(head));
    let mut count = 0_usize;
    let mut odd = 0_usize;
    for c in text.chars() {
        count += 1;
        odd += usize::from(
            c == char::REPLACEMENT_CHARACTER || c.is_control() && !c.is_whitespace() && c != '\u{1b}',
        );
    }
    // One broken character may be the cut at the end of the head; Latin-1 texts have more.
    count > 0 && odd <= 1 + count / 20 && !head.get(..64).unwrap_or(head).contains(&0)
        || starts_with_utf16(head)
}

fn starts_with_utf16(head: &[u8]) -> bool {
    head.starts_with(&[0xff, 0xfe]) || head.starts_with(&[0xfe, 0xff])
}
