//! Words that stand before a candidate and say what it is.
//!
//! Only whole words count ("lic" in "duplicate" once made every such text a driver's licence), in any letter case, in
//! prose as in keys: `phoneNumber`, `PHONE_NUMBER`, `phone-number` and "phone number" read the same. Scripts that
//! write no spaces are searched as they stand.

use crate::Candidate;

/// The vocabulary of one kind: its own words, and the words of kinds that look alike.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Vocabulary {
    /// Lower-case words and phrases that speak for the kind.
    pub(crate) own: &'static [&'static str],
    /// Lower-case words and phrases that speak for another kind: the nearer one decides.
    pub(crate) rivals: &'static [&'static str],
}

/// What stands nearest before a candidate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Near {
    /// A word of the kind.
    Own(&'static str),
    /// A word of the kind, but another number or many words stand between.
    Distant(&'static str),
    /// A word of another kind.
    Rival(&'static str),
    /// Neither.
    Nothing,
}

impl Vocabulary {
    /// Which of the words stands nearest before the candidate.
    pub(crate) fn nearest(&self, candidate: &Candidate<'_>) -> Near {
        self.nearest_in(candidate.before)
    }

    fn nearest_in(&self, before: &[u8]) -> Near {
        let text = normalise(before);
        let (at, word) = match self.last_of(&text) {
            Some((at, word, true)) => (at, word),
            Some((_, word, false)) => return Near::Rival(word),
            None => return Near::Nothing,
        };
        let between = text.get(at..).unwrap_or_default();
        let numbers = between.split(' ').any(|w| w.len() >= 3 && w.bytes().all(|b| b.is_ascii_digit()));
        if numbers || between.split_whitespace().count() > MOST_WORDS_BETWEEN {
            Near::Distant(word)
        } else {
            Near::Own(word)
        }
    }

    /// Where the last of all words ends in the normalised text, which it is, and whether it is an own one. Of two that
    /// end together the longer counts, of the same length the own.
    fn last_of(&self, text: &str) -> Option<(usize, &'static str, bool)> {
        let every = || self.own.iter().map(|w| (*w, true)).chain(self.rivals.iter().map(|w| (*w, false)));
        let best = |words: &mut dyn Iterator<Item = (usize, &'static str, bool)>| {
            words.max_by_key(|(end, word, own)| (*end, word.len(), *own))
        };
        let whole = text.trim_end();
        let ends = std::iter::once(whole.len()).chain(whole.rmatch_indices(' ').map(|(at, _)| at));
        let heads = ends.filter_map(|end| Some((end, whole.get(..end)?)));
        // Numbers stand beside numbers.
        debug_assert!(
            every().all(|(word, _)| !word.ends_with(|c: char| c.is_ascii_digit())),
            "no word of ours is one"
        );
        let heads = heads.filter(|(_, head)| !head.ends_with(|c: char| c.is_ascii_digit()));
        let spaced = heads.into_iter().find_map(|(end, head)| {
            best(
                &mut every()
                    .filter(|(word, _)| ends_with_word(head, word))
                    .map(|(word, own)| (end, word, own)),
            )
        });
        if !text.chars().any(is_unspaced) {
            return spaced;
        }
        let unspaced = every().filter(|(word, _)| word.chars().next().is_some_and(is_unspaced));
        best(
            &mut unspaced
                .filter_map(|(word, own)| Some((text.rfind(word)? + word.len(), word, own)))
                .chain(spaced),
        )
    }
}

/// The cheap questions first: few words end with the same letter, and few are as long as one of the text's.
fn ends_with_word(head: &str, word: &str) -> bool {
    if head.as_bytes().last() != word.as_bytes().last() {
        return false;
    }
    let Some(start) = head.len().checked_sub(word.len()) else { return false };
    let begins = start == 0 || head.as_bytes().get(start - 1) == Some(&b' ');
    begins && head.as_bytes().ends_with(word.as_bytes())
}

/// "Call Dr. Ana María de la Cruz Pérez (home) at": a long name fits, a sentence does not.
const MOST_WORDS_BETWEEN: usize = 9;

/// Chinese, Japanese, Korean and Thai: words follow one another without a space, or carry particles.
fn is_unspaced(c: char) -> bool {
    matches!(c, '\u{0E00}'..='\u{0E7F}' | '\u{3040}'..='\u{30FF}' | '\u{3400}'..='\u{9FFF}' | '\u{AC00}'..='\u{D7AF}')
}

/// Lower case, one space for each run of anything that is no letter or digit, and between the parts of camelCase.
fn normalise(before: &[u8]) -> String {
    let text = String::from_utf8_lossy(before);
    let row = last_row(&text);
    let mut chars = row.chars().peekable();
    let mut out = String::with_capacity(before.len() + 8);
    if before.len() >= Candidate::LEFT_CONTEXT && row.len() == text.len() {
        // The window may begin inside a word, whose end could read as a word of its own.
        while chars.next_if(char::is_ascii_alphanumeric).is_some() {}
    }
    let mut previous = ' ';
    for c in chars {
        if c.is_alphanumeric() {
            if previous.is_lowercase() && c.is_uppercase() {
                out.push(' ');
            }
            out.extend(c.to_lowercase());
        } else if previous.is_alphanumeric() {
            out.push(' ');
        }
        previous = c;
    }
    out
}

/// Without the rows above in a table of separated values: the last name of its header says nothing about the first
/// field below it.
fn last_row(text: &str) -> &str {
    let Some((above, row)) = text.rsplit_once('\n') else { return text };
    let header = above.rsplit('\n').next().unwrap_or_default();
    let separates = |of: char| {
        header.match_indices(of).any(|(at, _)| {
            header.get(at + 1..).is_some_and(|rest| !rest.is_empty() && !rest.starts_with(' '))
        })
    };
    if [',', ';', '\t', '|'].into_iter().any(separates) { row } else { text }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PHONE: Vocabulary = Vocabulary {
        own: &["phone", "phone number", "téléphone", "電話", "tel"],
        rivals: &["order", "social security"],
    };

    fn near(before: &str) -> Near {
        PHONE.nearest_in(before.as_bytes())
    }

    #[test]
    fn words_are_found_in_prose_and_in_keys() {
        for (before, word) in [
            ("my phone is ", "phone"),
            ("{\"phoneNumber\": \"", "phone number"),
            ("PHONE_NUMBER=", "phone number"),
            ("phone-number:\n  - ", "phone number"),
            ("Mon téléphone : ", "téléphone"),
            ("TÉLÉPHONE : ", "téléphone"),
            ("私の電話番号は", "電話"),
            ("Tel. ", "tel"),
        ] {
            assert_eq!(near(before), Near::Own(word), "{before}");
        }
    }

    #[test]
    fn headers_of_tables_are_not_read_across_rows() {
        assert_eq!(near("name,id,phone\nKim,"), Near::Nothing);
        assert_eq!(near("call me, please, by phone\nat "), Near::Own("phone"));
        assert_eq!(near("name: Kim\nphone: "), Near::Own("phone"));
    }

    #[test]
    fn numbers_and_sentences_between_make_a_word_distant() {
        assert_eq!(near("phone 030 1267 and "), Near::Distant("phone"));
        assert_eq!(near("phone a b c d e f g h i j k "), Near::Distant("phone"));
        assert_eq!(near("phone (ext 12) "), Near::Own("phone"));
    }

    #[test]
    fn parts_of_words_are_no_words() {
        for before in ["the phonetic ", "hotel ", "xylophone", "microphone 12 ", "telling "] {
            assert_eq!(near(before), Near::Nothing, "{before}");
        }
    }

    #[test]
    fn the_nearer_word_decides() {
        assert_eq!(near("order 12, phone "), Near::Own("phone"));
        assert_eq!(near("phone us about order "), Near::Rival("order"));
        assert_eq!(near("his social-security no "), Near::Rival("social security"));
    }

    #[test]
    fn a_window_that_begins_inside_a_word_does_not_make_one() {
        let mut before = "tel".to_owned();
        before.push_str(&".".repeat(Candidate::LEFT_CONTEXT - 3));
        assert_eq!(near(&before), Near::Nothing, "could be `hotel`");
        assert_eq!(near("\u{fffd}tel "), Near::Own("tel"));
    }

    #[test]
    fn broken_utf8_is_no_obstacle() {
        assert_eq!(PHONE.nearest_in(b"\xa9\xffphone \xc3"), Near::Own("phone"));
    }
}
