//! Recovery codes: what lets a person in once whose authenticator app is lost.

use bastide_crypto::{HmacKey, Random};
use bastide_types::{Secret, UserId};
use zeroize::Zeroize;

use crate::text;

/// How many a person gets at a time.
pub(crate) const COUNT: usize = 10;
/// Characters of a code: 50 random bits, behind a password and a lock that lets a few guesses through.
const CHARS: usize = 10;

/// Fresh codes, `k7q49-xwdm3`.
pub(crate) fn generate(random: &dyn Random) -> Vec<Secret<String>> {
    (0..COUNT)
        .map(|_| {
            let mut bytes = [0_u8; 7];
            random.fill(&mut bytes);
            let mut code = String::with_capacity(CHARS + 1);
            text::encode(&bytes, CHARS, &mut code);
            code.insert(CHARS / 2, '-');
            bytes.zeroize();
            Secret::new(code)
        })
        .collect()
}

/// The keyed hash of a code as someone typed it, bound to the person; `None` for what has not the form of one.
pub(crate) fn lookup(key: &HmacKey, user: UserId, typed: &str) -> Option<[u8; 32]> {
    let mut code = text::normalise(typed, CHARS)?;
    let hash = key.sign(&[user.as_bytes(), code.as_bytes()]);
    code.zeroize();
    Some(hash)
}

#[cfg(test)]
mod tests {
    use bastide_crypto::SystemRandom;

    use super::*;

    #[test]
    fn codes_differ_and_are_found_however_they_are_typed() {
        let (key, user) = (HmacKey::new(&[1; 32]), UserId::from_bytes([2; 16]));
        let codes = generate(&SystemRandom);
        let mut hashes: Vec<_> = codes.iter().map(|c| lookup(&key, user, c.expose()).unwrap()).collect();
        let typed = format!(" {} ", codes[0].expose().to_uppercase().replace('-', " ").replace('0', "O"));
        assert_eq!(lookup(&key, user, &typed), Some(hashes[0]));
        assert_ne!(lookup(&key, UserId::from_bytes([3; 16]), codes[0].expose()), Some(hashes[0]));
        hashes.sort_unstable();
        hashes.dedup();
        assert_eq!(hashes.len(), COUNT);
        for wrong in ["", "123456", "k7q49-xwdm", "k7q49-xwdm33", "k7q49-xwd!3"] {
            assert_eq!(lookup(&key, user, wrong), None, "{wrong}");
        }
    }
}
