//! What stands in the place of a value.
//!
//! A token is `EMAIL_ADDRESS_kqxvzhtrmbwdgnplsfc`: the category's name, an underscore, and 19 consonants that spell
//! the first 83 bits of an HMAC. It looks like an identifier of a program, and that is the reason for every choice:
//!
//! - *No brackets.* `<EMAIL_…>` is markup: a browser swallows it, an HTML or XML writer escapes it, a model closes it
//!   with `</…>`. `[EMAIL_…]` is half a markdown link, and before `(` or `:` a whole one; `{{…}}` is a template to
//!   every template language; `⟦…⟧` costs tokens and comes back as other brackets. Brackets also read as "fill in
//!   here". An identifier means nothing to JSON, markdown (underscores inside a word are no emphasis), HTML, SQL, CSV,
//!   shells and programming languages, needs quoting in none of them, and models are trained on copying identifiers.
//! - *The category first*, in the words of the request's language about data: the model needs to know what kind of
//!   thing it is handling to write a sensible sentence about it.
//! - *Consonants, 19 of them:* 21^19 > 2^83. Without vowels no tail is a word (or a rude one) and none spells part of
//!   another category. Without digits no tail contains a card or telephone number, none is hexadecimal, and no
//!   character has a twin (0 and O, 1 and l). Base32 would be three characters shorter at the same number of model
//!   tokens, since random letters and random digits both split into pieces of one or two.
//! - *One letter case:* a model that shouts (`EMAIL_ADDRESS_KQX…`) or whispers changes nothing that counts.
//!
//! What models do to it and what is accepted: letter case, and the backslash that markdown and LaTeX writers put
//! before an underscore (`EMAIL\_ADDRESS\_kqx…`). Both leave exactly one reading. Everything else (a lost or swapped
//! letter, a space, a hyphen at a line end) makes it another token, and a token that is not in the vault stands for
//! nothing.

use bastide_types::{Category, Guarded};

/// The 21 letters of a tail, `y` among them.
const ALPHABET: &[u8; 21] = b"bcdfghjklmnpqrstvwxyz";
/// 21^19 > 2^83: a forger who may try a token with every reply needs 2^82 replies.
pub(crate) const TAIL_LEN: usize = 19;

/// The part of a token that is its MAC, in lower case.
pub(crate) type Tail = [u8; TAIL_LEN];

/// The categories that tokens exist for: all but bastide's own words.
pub(crate) fn categories() -> impl Iterator<Item = Category> {
    Category::ALL.iter().copied().filter(|c| c.family() != Guarded::Own)
}

/// Spells the first 128 bits of a MAC. The remainder by 21^19 favours no tail by more than one in 2^44.
pub(crate) fn tail(mac: &[u8; 32]) -> Tail {
    let mut n = mac.first_chunk::<16>().map_or(0, |m| u128::from_be_bytes(*m));
    let mut tail = [0; TAIL_LEN];
    for byte in &mut tail {
        let digit = usize::try_from(n % 21).unwrap_or(0);
        *byte = ALPHABET.get(digit).copied().unwrap_or(b'b');
        n /= 21;
    }
    tail
}

pub(crate) fn write(category: Category, tail: &Tail) -> String {
    let mut out = String::with_capacity(category.as_str().len() + 1 + TAIL_LEN);
    out.push_str(category.as_str());
    out.push('_');
    out.extend(tail.iter().map(|b| char::from(*b)));
    out
}

/// Reads a token, whatever its letter case, with or without backslashes before its underscores.
pub(crate) fn read(text: &str) -> Option<(Category, Tail)> {
    let mut plain = String::with_capacity(text.len().min(MAX_TOKEN_LEN));
    let mut chars = text.chars().peekable();
    while let Some(c) = chars.next() {
        if plain.len() >= MAX_TOKEN_LEN {
            return None;
        }
        match c {
            '\\' if chars.peek() == Some(&'_') => {}
            c if c.is_ascii() => plain.push(c.to_ascii_lowercase()),
            _ => return None,
        }
    }
    let at = plain.len().checked_sub(TAIL_LEN)?;
    let (name, spelt) = plain.split_at_checked(at)?;
    let name = name.strip_suffix('_')?;
    let category = categories().find(|c| c.as_str().eq_ignore_ascii_case(name))?;
    let tail: Tail = spelt.as_bytes().try_into().ok()?;
    tail.iter().all(|b| ALPHABET.contains(b)).then_some((category, tail))
}

/// Longer than any token: category names are a few words.
const MAX_TOKEN_LEN: usize = 96;

/// The expression that tokens match, and the length of the longest match: with every underscore escaped.
pub(crate) fn expression() -> (String, usize) {
    let names: Vec<String> = categories().map(|c| c.as_str().replace('_', r"\\?_")).collect();
    let longest = categories().map(|c| c.as_str().len() + c.as_str().matches('_').count()).max().unwrap_or(0);
    let alphabet = "bcdfghjklmnp-tv-z"; // `q` to `t` and `v` to `z` as ranges keep the automaton small
    let regex = format!(r"(?i:(?:{})\\?_[{alphabet}]{{{TAIL_LEN}}})", names.join("|"));
    (regex, longest + 2 + TAIL_LEN)
}

/// What is written for a value that is gone for good: `CREDIT_CARD_REDACTED`. An identifier for the same reasons as a
/// token; it can never be taken for one, since tails have no vowels.
#[must_use]
pub fn redaction(category: Category) -> String {
    format!("{}_REDACTED", category.as_str())
}

/// What is written for a value in an embedding's input: the category's name alone. Vectors of the same sentence about
/// two people should be the same; a MAC would be noise in every dimension and could not be restored from a vector.
#[must_use]
pub const fn type_only(category: Category) -> &'static str {
    category.as_str()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tokens_read_back_in_any_case_and_escaped() {
        for (i, category) in categories().enumerate() {
            let tail = tail(&[u8::try_from(i).unwrap_or(9) + 100; 32]);
            let token = write(category, &tail);
            assert_eq!(read(&token), Some((category, tail)));
            assert_eq!(read(&token.to_uppercase()), Some((category, tail)));
            assert_eq!(read(&token.to_lowercase()), Some((category, tail)));
            assert_eq!(read(&token.replace('_', "\\_")), Some((category, tail)));
            assert!(token.len() <= expression().1 && token.len() < MAX_TOKEN_LEN);
            assert!(token.bytes().all(|b| b.is_ascii_alphabetic() || b == b'_'));
        }
    }

    #[test]
    fn anything_else_is_no_token() {
        let token = write(Category::Secret, &tail(&[5; 32]));
        assert!(read(&token).is_some());
        for i in 0..token.len() {
            assert_eq!(read(&token[..i]), None);
            assert_eq!(read(&format!("{}{}", &token[..i], &token[i + 1..])), None, "without character {i}");
            assert_eq!(read(&format!("{} {}", &token[..i], &token[i..])), None, "a space at {i}");
        }
        for wrong in [
            format!("{token}b"),
            format!(" {token}"),
            token.replace('_', "-"),
            token.replace('_', "\\\\_"),
            token.replacen('S', "\u{17f}", 1),
            redaction(Category::Secret),
            format!("PLACEHOLDER{}", token.trim_start_matches("SECRET")),
            "_".repeat(500),
            "\\_".repeat(500),
            String::new(),
        ] {
            assert_eq!(read(&wrong), None, "{wrong}");
        }
    }

    #[test]
    fn the_tail_keeps_more_than_80_bits() {
        assert!(21_u128.pow(19) > 1 << 83);
        assert_eq!(ALPHABET.iter().collect::<std::collections::BTreeSet<_>>().len(), 21);
        assert!(!ALPHABET.iter().any(|b| b"aeiou".contains(b)));
    }
}
