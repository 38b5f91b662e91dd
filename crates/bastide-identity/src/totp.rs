//! One-time codes after RFC 6238, as authenticator apps compute them: HMAC-SHA1, six digits, thirty seconds.

use bastide_crypto::{constant_time_eq, hmac_sha1};
use bastide_types::{Secret, Timestamp};

/// As long as the hash, as RFC 4226 section 4 recommends.
pub(crate) const SECRET_BYTES: usize = 20;
const STEP_SECONDS: u64 = 30;
const DIGITS: usize = 6;
/// How many steps an app's clock may be off, each way (RFC 6238 section 5.2 recommends one at most).
const SKEW: u64 = 1;

/// The step of an instant.
fn step(at: Timestamp) -> u64 {
    at.as_micros() / 1_000_000 / STEP_SECONDS
}

/// The code of a step (RFC 4226 section 5.3).
fn code(secret: &[u8], step: u64) -> String {
    let tag = hmac_sha1(secret, &step.to_be_bytes());
    let offset = usize::from(tag.last().copied().unwrap_or(0) & 15);
    let picked = tag.iter().skip(offset).take(4).fold(0_u32, |n, b| (n << 8) | u32::from(*b));
    format!("{:06}", (picked & 0x7fff_ffff) % 1_000_000)
}

/// The step that a code belongs to, if it is one of those near `at` and later than `last_used`. Takes the same time
/// whichever it is.
pub(crate) fn matching_step(secret: &[u8], given: &str, at: Timestamp, last_used: u64) -> Option<u64> {
    if given.len() != DIGITS {
        return None;
    }
    let now = step(at);
    let mut found = None;
    for step in now.saturating_sub(SKEW)..=now.saturating_add(SKEW) {
        if constant_time_eq(code(secret, step).as_bytes(), given.as_bytes()) && step > last_used {
            found = Some(step);
        }
    }
    found
}

/// What an authenticator app reads from a QR code. `issuer` names the installation, `account` the person.
pub(crate) fn uri(secret: &str, issuer: &str, account: &str) -> Secret<String> {
    let (issuer, account) = (percent_encode(issuer), percent_encode(account));
    Secret::new(format!(
        "otpauth://totp/{issuer}:{account}?secret={secret}&issuer={issuer}&algorithm=SHA1&digits={DIGITS}\
         &period={STEP_SECONDS}"
    ))
}

/// Base32 of RFC 4648, which apps expect, without padding: 20 bytes need none.
pub(crate) fn base32(bytes: &[u8; SECRET_BYTES]) -> Secret<String> {
    const ALPHABET: &[u8; 32] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";
    let mut out = String::with_capacity(SECRET_BYTES * 8 / 5);
    for group in bytes.chunks(5) {
        let bits = group.iter().fold(0_u64, |n, b| (n << 8) | u64::from(*b));
        for place in (0..8_u32).rev() {
            let digit = usize::try_from((bits >> (place * 5)) & 31).unwrap_or(0);
            out.push(char::from(ALPHABET.get(digit).copied().unwrap_or(b'A')));
        }
    }
    Secret::new(out)
}

fn percent_encode(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for byte in text.bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => out.push(char::from(byte)),
            _ => out.push_str(&format!("%{byte:02X}")),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const RFC_SECRET: &[u8; SECRET_BYTES] = b"12345678901234567890";

    fn at(seconds: u64) -> Timestamp {
        Timestamp::from_micros(seconds * 1_000_000)
    }

    #[test]
    fn the_vectors_of_rfc_6238() {
        // Appendix B has eight digits; apps show the last six.
        for (seconds, expected) in [
            (59, "94287082"),
            (1_111_111_109, "07081804"),
            (1_111_111_111, "14050471"),
            (1_234_567_890, "89005924"),
            (2_000_000_000, "69279037"),
            (20_000_000_000, "65353130"),
        ] {
            assert_eq!(code(RFC_SECRET, step(at(seconds))), expected[2..], "{seconds}");
            assert_eq!(matching_step(RFC_SECRET, &expected[2..], at(seconds), 0), Some(step(at(seconds))));
        }
    }

    #[test]
    fn the_vectors_of_rfc_4226() {
        let expected = [
            "755224", "287082", "359152", "969429", "338314", "254676", "287922", "162583", "399871",
            "520489",
        ];
        for (counter, expected) in (0..).zip(expected) {
            assert_eq!(code(RFC_SECRET, counter), expected);
        }
    }

    #[test]
    fn one_step_of_skew_each_way_and_no_step_twice() {
        let now = at(3000);
        for (step, holds) in [(98, false), (99, true), (100, true), (101, true), (102, false)] {
            let found = matching_step(RFC_SECRET, &code(RFC_SECRET, step), now, 0);
            assert_eq!(found, holds.then_some(step), "{step}");
        }
        let (used, next) = (code(RFC_SECRET, 100), code(RFC_SECRET, 101));
        assert_eq!(matching_step(RFC_SECRET, &used, now, 100), None);
        assert_eq!(matching_step(RFC_SECRET, &code(RFC_SECRET, 99), now, 100), None, "an earlier one");
        assert_eq!(matching_step(RFC_SECRET, &next, now, 100), Some(101));
    }

    #[test]
    fn what_an_app_reads() {
        let secret = base32(RFC_SECRET);
        assert_eq!(secret.expose(), "GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ");
        assert_eq!(
            uri(secret.expose(), "bastide eu&1", "ada@example.org").expose(),
            "otpauth://totp/bastide%20eu%261:ada%40example.org?secret=GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ\
             &issuer=bastide%20eu%261&algorithm=SHA1&digits=6&period=30"
        );
    }

    proptest! {
        #[test]
        fn nothing_else_passes(given in "\\PC{0,8}", seconds in 0_u64..1 << 40) {
            let now = at(seconds);
            let near: Vec<_> = (step(now).saturating_sub(1)..=step(now) + 1).map(|s| code(RFC_SECRET, s)).collect();
            let found = matching_step(RFC_SECRET, &given, now, 0).is_some();
            prop_assert_eq!(found, near.contains(&given) && seconds >= 30);
        }
    }
}
