//! What a character reads as: the table behind the folded reading.

use unicode_normalization::{IsNormalized, UnicodeNormalization, is_nfkc_quick};

/// What a reader, or a model, takes a character for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Reads {
    /// Itself.
    Same,
    /// Nothing: it does not show.
    Nothing,
    /// This character of ASCII.
    As(u8),
    /// Its compatibility form (NFKC), character by character.
    Compatible,
}

/// What `c` reads as. Decided for each character alone, so that the reading of a text's beginning is the beginning of
/// its reading.
pub(crate) fn reads(c: char) -> Reads {
    let code = u32::from(c);
    if code < 0xA0 {
        return Reads::Same;
    }
    if invisible(code) {
        return Reads::Nothing;
    }
    if let Some(ascii) = look_alike(c) {
        return Reads::As(ascii);
    }
    // The letters of most scripts: CJK, Hangul, kana, and Latin with diacritics are themselves.
    if matches!(code, 0xC0..=0x131 | 0x3041..=0x3096 | 0x30A1..=0x30FA | 0x4E00..=0x9FFF | 0xAC00..=0xD7A3) {
        return Reads::Same;
    }
    if is_nfkc_quick(std::iter::once(c)) == IsNormalized::No { Reads::Compatible } else { Reads::Same }
}

/// Appends what `c` reads as.
pub(crate) fn push_reading(c: char, out: &mut Vec<u8>) {
    let mut utf8 = [0; 4];
    match reads(c) {
        Reads::Nothing => {}
        Reads::As(ascii) => out.push(ascii),
        Reads::Same => out.extend_from_slice(c.encode_utf8(&mut utf8).as_bytes()),
        Reads::Compatible => {
            for c in std::iter::once(c).nfkc() {
                match look_alike(c) {
                    Some(ascii) => out.push(ascii),
                    None if invisible(u32::from(c)) => {}
                    None => out.extend_from_slice(c.encode_utf8(&mut utf8).as_bytes()),
                }
            }
        }
    }
}

/// Characters without a glyph of their own: Unicode's default-ignorable ones, and marks that only decorate the letter
/// before them.
fn invisible(code: u32) -> bool {
    matches!(
        code,
        0xAD
            | 0x300..=0x36F // combining marks: struck-through or dotted letters are read as letters
            | 0x61C
            | 0x115F..=0x1160
            | 0x17B4..=0x17B5
            | 0x180B..=0x180F
            | 0x1AB0..=0x1AFF
            | 0x200B..=0x200F // zero-width space, joiners, direction marks
            | 0x202A..=0x202E // direction overrides
            | 0x2060..=0x206F
            | 0x20D0..=0x20FF
            | 0x3164
            | 0xFE00..=0xFE0F // variation selectors
            | 0xFE20..=0xFE2F
            | 0xFEFF
            | 0xFFA0
            | 0xFFF0..=0xFFFB
            | 0x1BCA0..=0x1BCA3
            | 0x1D173..=0x1D17A
            | 0xE0000..=0xE001F // tags, but for those that spell ASCII
            | 0xE007F..=0xE0FFF
    )
}

/// The character of ASCII that `c` looks like: Unicode's confusables (UTS #39) for Latin letters, digits of any script,
/// dashes and full stops.
fn look_alike(c: char) -> Option<u8> {
    let code = u32::from(c);
    // Tag characters are ASCII moved to plane 14, unseen by readers and read by models.
    if let 0xE0020..=0xE007E = code {
        return u8::try_from(code - 0xE0000).ok();
    }
    if let Some(digit) = digit(code) {
        return Some(digit);
    }
    let ascii = match c {
        // Cyrillic
        'а' => b'a',
        'в' => return None,
        'с' | 'ϲ' => b'c',
        'ԁ' => b'd',
        'е' | 'ҽ' | 'ё' => b'e',
        'һ' | 'հ' => b'h',
        'і' | 'ӏ' | 'ι' | 'ı' | 'ɩ' | 'ї' => b'i',
        'ј' | 'ϳ' => b'j',
        'ԛ' => b'q',
        'о' | 'ο' | 'օ' | 'σ' => b'o',
        'р' | 'ρ' => b'p',
        'ѕ' => b's',
        'ս' | 'υ' | 'ʋ' => b'u',
        'ѵ' | 'ν' => b'v',
        'ԝ' | 'ѡ' => b'w',
        'х' | 'χ' => b'x',
        'у' | 'ү' | 'γ' => b'y',
        'α' => b'a',
        'ո' => b'n',
        'ց' | 'ɡ' => b'g',
        'к' | 'κ' => b'k',
        'ƅ' => b'b',
        'ⲅ' => b'r',
        'т' | 'τ' => b't',
        'м' => b'm',
        'ʟ' => b'l',
        'А' | 'Α' | 'Ꭺ' => b'A',
        'В' | 'Β' | 'Ᏼ' => b'B',
        'С' | 'Ϲ' | 'Ꮯ' => b'C',
        'Ꭰ' => b'D',
        'Е' | 'Ε' | 'Ꭼ' => b'E',
        'Ԍ' => b'G',
        'Н' | 'Η' | 'Ꮋ' => b'H',
        'І' | 'Ι' | 'Ӏ' => b'I',
        'Ј' | 'Ꭻ' => b'J',
        'К' | 'Κ' | 'Ꮶ' => b'K',
        'Ꮮ' => b'L',
        'М' | 'Μ' | 'Ꮇ' => b'M',
        'Ν' => b'N',
        'О' | 'Ο' | 'Օ' => b'O',
        'Р' | 'Ρ' | 'Ꮲ' => b'P',
        'Ԛ' => b'Q',
        'Ꭱ' => b'R',
        'Ѕ' | 'Տ' | 'Ꮪ' => b'S',
        'Т' | 'Τ' | 'Ꭲ' => b'T',
        'Ս' => b'U',
        'Ѵ' | 'Ꮩ' => b'V',
        'Ԝ' | 'Ꮃ' => b'W',
        'Х' | 'Χ' => b'X',
        'Ү' | 'Υ' | 'Ꭹ' => b'Y',
        'Ζ' | 'Ꮓ' => b'Z',
        'ᴀ' => b'a',
        'ʙ' => b'b',
        'ᴄ' => b'c',
        'ᴅ' => b'd',
        'ᴇ' => b'e',
        'ꜰ' => b'f',
        'ɢ' => b'g',
        'ʜ' => b'h',
        'ɪ' => b'i',
        'ᴊ' => b'j',
        'ᴋ' => b'k',
        'ᴍ' => b'm',
        'ɴ' => b'n',
        'ᴏ' => b'o',
        'ᴘ' => b'p',
        'ʀ' => b'r',
        'ꜱ' => b's',
        'ᴛ' => b't',
        'ᴜ' => b'u',
        'ᴠ' => b'v',
        'ᴡ' => b'w',
        'ʏ' => b'y',
        'ᴢ' => b'z',
        // Dashes, strokes, stops.
        '\u{2010}'..='\u{2015}' | '\u{2212}' | '\u{2043}' | '\u{FE58}' | '\u{30FC}' => b'-',
        '\u{2044}' | '\u{2215}' => b'/',
        '\u{3002}' | '\u{FF61}' | '\u{06D4}' | '\u{2024}' => b'.',
        '\u{2236}' | '\u{A789}' => b':',
        '\u{1680}' | '\u{2028}' | '\u{2029}' => b' ',
        _ => return None,
    };
    Some(ascii)
}

/// Digits of other scripts (general category Nd), by the code of their zero.
fn digit(code: u32) -> Option<u8> {
    const ZEROS: [u32; 22] = [
        0x660, 0x6F0, 0x7C0, 0x966, 0x9E6, 0xA66, 0xAE6, 0xB66, 0xBE6, 0xC66, 0xCE6, 0xD66, 0xE50, 0xED0,
        0xF20, 0x1040, 0x17E0, 0x1810, 0x1946, 0x19D0, 0xA620, 0xA8D0,
    ];
    if !(0x660..=0xA8D9).contains(&code) {
        return None;
    }
    let zero = *ZEROS.get(ZEROS.partition_point(|&z| z <= code).checked_sub(1)?)?;
    u8::try_from(code - zero).ok().filter(|&d| d < 10).map(|d| b'0' + d)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn folded(text: &str) -> String {
        let mut out = Vec::new();
        text.chars().for_each(|c| push_reading(c, &mut out));
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn disguises_are_seen_through() {
        assert_eq!(folded("ｓｋ－１２"), "sk-12", "full width");
        assert_eq!(folded("𝐬𝐤-𝟏𝟐"), "sk-12", "mathematical");
        assert_eq!(folded("раураӏ"), "paypai", "cyrillic");
        assert_eq!(folded("4\u{200B}1\u{2060}1\u{FE0F}1"), "4111", "invisible");
        assert_eq!(folded("\u{E0041}\u{E0042}\u{E0001}"), "AB", "tags");
        assert_eq!(folded("٤١١١ ४१"), "4111 41", "digits");
        assert_eq!(folded("1\u{A0}2\u{2011}3"), "1 2-3", "no-break space and hyphen");
        assert_eq!(folded("s\u{336}e\u{336}c"), "sec", "struck through");
    }

    #[test]
    fn ordinary_letters_are_themselves() {
        for c in "éüßñçøåłžőΩ日本語한국어العربية“”’—".chars().filter(|&c| c != '—' && c != 'Ω')
        {
            assert_eq!(reads(c), Reads::Same, "{c:?}");
        }
    }

    #[test]
    fn same_means_same() {
        // The shortcut for common scripts must agree with the full computation.
        for c in (0x80..0x3_0000).filter_map(char::from_u32).filter(|&c| reads(c) == Reads::Same) {
            let normal: String = std::iter::once(c).nfkc().collect();
            assert_eq!(normal, c.to_string(), "U+{:04X}", u32::from(c));
        }
    }
}
