//! The form of a key or of a session's token: a prefix (`bst_` for keys), 52 characters that carry 256 random bits, 6
//! that check them.
//!
//! The prefix lets secret scanners find a key that was published; the checksum lets them, and us, tell a key from a
//! typing error without asking any table.

use bastide_crypto::{Random, sha256};
use bastide_types::Secret;
use zeroize::Zeroize;

/// What every key begins with.
pub const KEY_PREFIX: &str = "bst_";
/// What the value of every session cookie begins with.
pub const COOKIE_PREFIX: &str = "bss_";
/// What every API token of a person begins with.
pub const TOKEN_PREFIX: &str = "bsa_";

/// Lower-case Crockford base32, as in ids: no `i l o u`.
const ALPHABET: &[u8; 32] = b"0123456789abcdefghjkmnpqrstvwxyz";
const RANDOM_BYTES: usize = 32;
const RANDOM_CHARS: usize = 52;
const CHECK_CHARS: usize = 6;
/// Length of a key or token in bytes.
pub(crate) const KEY_LEN: usize = 4 + RANDOM_CHARS + CHECK_CHARS;
/// How much of a key is kept for people to recognise it by: 30 of its 256 bits.
const HINT_LEN: usize = 4 + 6;

/// Why a text is no key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Flaw {
    /// Not of the form.
    Form,
    /// Of the form, with a checksum of other characters.
    Checksum,
}

/// A fresh key or token with a prefix of four characters.
pub(crate) fn generate(prefix: &'static str, random: &dyn Random) -> Secret<String> {
    let mut bytes = [0u8; RANDOM_BYTES];
    random.fill(&mut bytes);
    let mut text = String::with_capacity(KEY_LEN);
    text.push_str(prefix);
    encode(&bytes, RANDOM_CHARS, &mut text);
    bytes.zeroize();
    let check = sha256(text.as_bytes());
    encode(&check, CHECK_CHARS, &mut text);
    Secret::new(text)
}

/// Whether a text is a key or token with this prefix, as far as it can say itself.
pub(crate) fn check(prefix: &str, text: &str) -> Result<(), Flaw> {
    let body = text.strip_prefix(prefix).ok_or(Flaw::Form)?;
    if text.len() != KEY_LEN || !body.bytes().all(|b| ALPHABET.contains(&b)) {
        return Err(Flaw::Form);
    }
    let (keyed, given) = text.split_at_checked(KEY_LEN - CHECK_CHARS).ok_or(Flaw::Form)?;
    let mut expected = String::with_capacity(CHECK_CHARS);
    encode(&sha256(keyed.as_bytes()), CHECK_CHARS, &mut expected);
    // Not a secret: anyone can compute it.
    if expected == given { Ok(()) } else { Err(Flaw::Checksum) }
}

/// Whether a text has the form of a bastide key and the right checksum: for scanners of configuration and logs.
#[must_use]
pub fn looks_like_a_key(text: &str) -> bool {
    check(KEY_PREFIX, text).is_ok()
}

/// The beginning of a key, enough to recognise it.
pub(crate) fn hint(text: &str) -> &str {
    text.get(..HINT_LEN).unwrap_or(KEY_PREFIX)
}

/// A code that people type: without blanks and hyphens, in lower case, with the letters that the alphabet leaves out read
/// as the digits they look like. `None` when that is not `chars` characters of the alphabet.
pub(crate) fn normalise(typed: &str, chars: usize) -> Option<String> {
    // Long enough for every way of grouping; more is no code.
    if typed.len() > 4 * chars {
        return None;
    }
    let mut code = String::with_capacity(chars);
    for c in typed.chars().filter(|c| !matches!(c, ' ' | '-')) {
        let c = match c.to_ascii_lowercase() {
            'o' => '0',
            'i' | 'l' => '1',
            c => c,
        };
        let known = u8::try_from(c).is_ok_and(|b| ALPHABET.contains(&b));
        if !known || code.len() == chars {
            return None;
        }
        code.push(c);
    }
    (code.len() == chars).then_some(code)
}

/// The first `chars` groups of five bits, the last padded with zeroes.
pub(crate) fn encode(bytes: &[u8], chars: usize, out: &mut String) {
    let (mut window, mut bits, mut written) = (0u16, 0u8, 0usize);
    let mut bytes = bytes.iter();
    while written < chars {
        if bits < 5 {
            window = (window << 8) | u16::from(bytes.next().copied().unwrap_or(0));
            bits += 8;
        }
        bits -= 5;
        let digit = usize::from((window >> bits) & 31);
        window &= (1 << bits) - 1;
        out.push(char::from(ALPHABET.get(digit).copied().unwrap_or(b'0')));
        written += 1;
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    struct Fixed(u8);
    impl Random for Fixed {
        fn fill(&self, out: &mut [u8]) {
            for (i, b) in out.iter_mut().enumerate() {
                *b = self.0.wrapping_mul(31).wrapping_add(u8::try_from(i).unwrap());
            }
        }
    }

    #[test]
    fn the_alphabet_is_base32() {
        let mut text = String::new();
        encode(
            b"\x00\x44\x32\x14\xc7\x42\x54\xb6\x35\xcf\x84\x65\x3a\x56\xd7\xc6\x75\xbe\x77\xdf",
            32,
            &mut text,
        );
        assert_eq!(text.as_bytes(), ALPHABET);
    }

    #[test]
    fn every_bit_of_randomness_shows() {
        let key = |bytes: [u8; 32]| {
            struct Given([u8; 32]);
            impl Random for Given {
                fn fill(&self, out: &mut [u8]) {
                    out.copy_from_slice(&self.0);
                }
            }
            generate(KEY_PREFIX, &Given(bytes)).expose().clone()
        };
        let zero = key([0; 32]);
        for bit in 0..256 {
            let mut bytes = [0; 32];
            bytes[bit / 8] |= 1 << (bit % 8);
            assert_ne!(key(bytes)[..KEY_LEN - CHECK_CHARS], zero[..KEY_LEN - CHECK_CHARS], "bit {bit}");
        }
    }

    #[test]
    fn any_one_wrong_character_is_noticed() {
        let key = generate(KEY_PREFIX, &Fixed(3)).expose().clone();
        assert_eq!(key.len(), KEY_LEN);
        assert!(check(KEY_PREFIX, &key).is_ok() && looks_like_a_key(&key));
        for i in KEY_PREFIX.len()..KEY_LEN {
            for c in ALPHABET {
                let mut wrong = key.clone().into_bytes();
                if wrong[i] == *c {
                    continue;
                }
                wrong[i] = *c;
                assert_eq!(
                    check(KEY_PREFIX, std::str::from_utf8(&wrong).unwrap()),
                    Err(Flaw::Checksum),
                    "{i}"
                );
            }
        }
    }

    proptest! {
        #[test]
        fn nothing_panics_and_nothing_passes_by_chance(text in ".{0,80}") {
            prop_assert!(check(KEY_PREFIX, &text).is_err());
        }

        #[test]
        fn near_misses_do_not_pass(seed: u8, cut in 0usize..KEY_LEN, extra in "[ -~]{1,4}") {
            let key = generate(KEY_PREFIX, &Fixed(seed)).expose().clone();
            prop_assert!(check(KEY_PREFIX, &key).is_ok());
            prop_assert_eq!(check(KEY_PREFIX, &key[..cut]), Err(Flaw::Form));
            let long = format!("{key}{extra}");
            prop_assert_eq!(check(KEY_PREFIX, &long), Err(Flaw::Form));
            prop_assert_eq!(check(KEY_PREFIX, &key.to_uppercase()), Err(Flaw::Form));
            prop_assert_eq!(check(KEY_PREFIX, &key.replacen("bst_", "sk-_", 1)), Err(Flaw::Form));
        }
    }
}
