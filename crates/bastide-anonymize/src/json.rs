//! The inside of a JSON string (RFC 8259 section 7).

use std::borrow::Cow;
use std::fmt::Write as _;

/// `text` as it stands between the quotes of a JSON string.
#[must_use]
pub fn escape(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            c if c < ' ' => {
                // Writing into a string does not fail.
                let _ = write!(out, "\\u{:04x}", u32::from(c));
            }
            c => out.push(c),
        }
    }
    out
}

/// What the inside of a JSON string says; `None` where its escapes are none.
#[must_use]
pub fn unescape(raw: &str) -> Option<Cow<'_, str>> {
    if !raw.contains('\\') {
        return Some(Cow::Borrowed(raw));
    }
    let mut out = String::with_capacity(raw.len());
    let mut chars = raw.chars();
    while let Some(c) = chars.next() {
        if c != '\\' {
            out.push(c);
            continue;
        }
        out.push(match chars.next()? {
            c @ ('"' | '\\' | '/') => c,
            'n' => '\n',
            'r' => '\r',
            't' => '\t',
            'b' => '\u{8}',
            'f' => '\u{c}',
            'u' => {
                let first = code(&mut chars)?;
                if (0xd800..0xdc00).contains(&first) {
                    if (chars.next()?, chars.next()?) != ('\\', 'u') {
                        return None;
                    }
                    let second = code(&mut chars)?.checked_sub(0xdc00).filter(|s| *s < 0x400)?;
                    char::from_u32(0x1_0000 + ((first - 0xd800) << 10) + second)?
                } else {
                    char::from_u32(first)?
                }
            }
            _ => return None,
        });
    }
    Some(Cow::Owned(out))
}

fn code(chars: &mut std::str::Chars<'_>) -> Option<u32> {
    (0..4).try_fold(0, |n, _| Some(n * 16 + chars.next()?.to_digit(16)?))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn escaping_comes_back(text in any::<String>()) {
            let escaped = escape(&text);
            let plain = unescape(&escaped).unwrap();
            prop_assert_eq!(plain.as_ref(), text.as_str());
            prop_assert!(!escaped.chars().any(|c| c < ' '));
        }

        #[test]
        fn noise_does_not_panic(text in "[\\\\u0-9a-fD\"n ]{0,40}") {
            let _ = unescape(&text);
        }
    }

    #[test]
    fn escapes_resolve() {
        assert_eq!(unescape("a\\u0040b\\/c").as_deref(), Some("a@b/c"));
        assert_eq!(unescape("\\ud83d\\ude00").as_deref(), Some("\u{1f600}"));
        for wrong in ["\\", "\\u12", "\\ud83d", "\\ud83dx", "\\ud83d\\u0041", "\\x41", "\\udc00"] {
            assert_eq!(unescape(wrong), None, "{wrong}");
        }
    }
}
