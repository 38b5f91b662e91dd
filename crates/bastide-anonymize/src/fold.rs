//! Characters as the laxest reader may take them.

/// What a character may be taken for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Folded {
    /// This one; itself unless it is a look-alike of an ASCII character that markup or an address is made of.
    Char(char),
    /// Nothing: it takes no room, and browsers and mail programs drop it.
    Invisible,
}

/// Folds the look-alikes that matter in addresses and markup: what NFKC, IDNA or a "best fit" conversion to an 8-bit
/// character set turns into ASCII. Letters of other alphabets stay: no scheme is written with them.
pub(crate) const fn fold(c: char) -> Folded {
    let folded = match c {
        ' '..='~' | '\t'..='\r' => c,
        '\0'..='\x08' | '\x0e'..='\x1f' | '\x7f' => return Folded::Invisible,
        // Soft hyphen, joiners, direction marks, variation selectors, fillers, tag characters.
        '\u{ad}'
        | '\u{34f}'
        | '\u{61c}'
        | '\u{115f}'
        | '\u{1160}'
        | '\u{17b4}'
        | '\u{17b5}'
        | '\u{180b}'..='\u{180f}'
        | '\u{200b}'..='\u{200f}'
        | '\u{202a}'..='\u{202e}'
        | '\u{2060}'..='\u{206f}'
        | '\u{3164}'
        | '\u{fe00}'..='\u{fe0f}'
        | '\u{feff}'
        | '\u{ffa0}'
        | '\u{1d173}'..='\u{1d17a}'
        | '\u{e0000}'..='\u{e0fff}' => {
            return Folded::Invisible;
        }
        // Full-width forms.
        '\u{ff01}'..='\u{ff5e}' => ascii(c as u32 - 0xfee0),
        '\u{2d0}' | '\u{2f8}' | '\u{589}' | '\u{5c3}' | '\u{2236}' | '\u{a789}' | '\u{fe13}' | '\u{fe30}'
        | '\u{fe55}' => ':',
        '\u{2044}' | '\u{2215}' | '\u{2571}' | '\u{29f8}' | '\u{338}' => '/',
        '\u{2216}' | '\u{29f5}' | '\u{29f9}' | '\u{fe68}' => '\\',
        '\u{2024}' | '\u{fe52}' | '\u{3002}' | '\u{ff61}' => '.',
        '\u{fe6b}' => '@',
        '\u{fe64}' => '<',
        '\u{fe65}' => '>',
        '\u{fe60}' => '&',
        '\u{fe5f}' => '#',
        '\u{fe6a}' => '%',
        '\u{fe66}' => '=',
        '\u{fe56}' => '?',
        // Letters in circles and the mathematical alphabets, which browsers accept in host names.
        '\u{24b6}'..='\u{24cf}' => ascii(c as u32 - 0x24b6 + 0x41),
        '\u{24d0}'..='\u{24e9}' => ascii(c as u32 - 0x24d0 + 0x61),
        '\u{1d400}'..='\u{1d6a3}' => {
            let letter = (c as u32 - 0x1_d400) % 52;
            if letter < 26 { ascii(letter + 0x41) } else { ascii(letter - 26 + 0x61) }
        }
        '\u{1d7ce}'..='\u{1d7ff}' => ascii((c as u32 - 0x1_d7ce) % 10 + 0x30),
        _ => c,
    };
    Folded::Char(folded)
}

const fn ascii(code: u32) -> char {
    match char::from_u32(code) {
        Some(c) => c,
        None => '\u{fffd}',
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn look_alikes_fold_to_what_they_look_like() {
        for (text, plain) in [
            ("ｈｔｔｐ：／／", "http://"),
            ("𝐡𝐭𝐭𝐩𝐬://𝟏", "https://1"),
            ("ⓦⓦⓦ．", "www."),
            ("java\u{200b}scr\u{ad}ipt\u{feff}:", "javascript:"),
            ("http∶∕∕a․b", "http://a.b"),
            ("ünïcode 中文", "ünïcode 中文"),
        ] {
            let folded: String = text
                .chars()
                .filter_map(|c| match fold(c) {
                    Folded::Char(c) => Some(c),
                    Folded::Invisible => None,
                })
                .collect();
            assert_eq!(folded, plain);
        }
    }
}
