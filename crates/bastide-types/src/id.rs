//! Identifiers: 128 bits with a prefix that says what they name; random, but for the time in an exchange's.

use std::fmt;
use std::ops::Deref;
use std::str::FromStr;

use crate::Timestamp;

/// Lower-case Crockford base32: no `i l o u`, so that an id read aloud comes back the same.
const ALPHABET: &[u8; 32] = b"0123456789abcdefghjkmnpqrstvwxyz";
const PREFIX_LEN: usize = 4;
const TEXT_LEN: usize = 26;

/// The text form of an id, in place: ids are written several times for each exchange.
#[derive(Clone, Copy)]
pub struct IdText([u8; PREFIX_LEN + TEXT_LEN]);

impl IdText {
    fn new(prefix: &str, bytes: [u8; 16]) -> Self {
        let mut n = u128::from_be_bytes(bytes);
        let mut text = [b'0'; PREFIX_LEN + TEXT_LEN];
        let (before, digits) = text.split_at_mut(PREFIX_LEN);
        before.iter_mut().zip(prefix.bytes()).for_each(|(place, byte)| *place = byte);
        // 26 digits of 5 bits carry 130 bits; the first digit holds the top three.
        for place in digits.iter_mut().rev() {
            *place = ALPHABET.get((n & 31) as usize).copied().unwrap_or(b'0');
            n >>= 5;
        }
        IdText(text)
    }
}

impl Deref for IdText {
    type Target = str;

    fn deref(&self) -> &str {
        str::from_utf8(&self.0).unwrap_or_default()
    }
}

fn read_base32(text: &str) -> Option<[u8; 16]> {
    if text.len() != TEXT_LEN {
        return None;
    }
    let mut n: u128 = 0;
    for (i, b) in text.bytes().enumerate() {
        let digit = ALPHABET.iter().position(|a| *a == b)?;
        if i == 0 && digit > 7 {
            return None;
        }
        n = (n << 5) | u128::try_from(digit).ok()?;
    }
    Some(n.to_be_bytes())
}

/// Text that is no identifier of the kind asked for.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{text}` is not an id of the form `{prefix}` and 26 characters")]
pub struct ParseIdError {
    text: String,
    prefix: &'static str,
}

macro_rules! ids {
    ($($name:ident, $prefix:literal, $doc:literal;)+) => {$(
        #[doc = $doc]
        #[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub struct $name([u8; 16]);

        impl $name {
            /// What its text form begins with.
            pub const PREFIX: &'static str = $prefix;

            /// From 16 random bytes.
            #[must_use]
            pub const fn from_bytes(bytes: [u8; 16]) -> Self {
                Self(bytes)
            }

            /// The 16 bytes.
            #[must_use]
            pub const fn as_bytes(&self) -> &[u8; 16] {
                &self.0
            }

            /// The text form.
            #[must_use]
            pub fn text(&self) -> IdText {
                const { assert!($prefix.len() == PREFIX_LEN) };
                IdText::new($prefix, self.0)
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.text())
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Display::fmt(self, f)
            }
        }

        impl FromStr for $name {
            type Err = ParseIdError;

            fn from_str(s: &str) -> Result<Self, Self::Err> {
                s.strip_prefix($prefix)
                    .and_then(read_base32)
                    .map(Self)
                    .ok_or_else(|| ParseIdError { text: s.chars().take(64).collect(), prefix: $prefix })
            }
        }
    )+};
}

ids! {
    OrganisationId, "org_", "An organisation: the tenant.";
    ProjectId, "prj_", "A project of an organisation.";
    KeyId, "key_", "A key: the stable id, not the credential.";
    ProviderId, "prv_", "A provider: a base URL and its credential.";
    UserId, "usr_", "A person who signs in to the console and the management API.";
    SessionId, "ses_", "A session of a person in a browser, or an API token of theirs: the stable id, not the credential.";
    ExchangeId, "exc_", "One request and its response. Its ids are in the order of their beginning.";
}

impl ExchangeId {
    /// The id of an exchange that begins now: 48 bits of milliseconds, then 80 random ones, as in RFC 9562's version 7.
    /// What is filed by time is found by it: an entry of the log by halving, a body in few segments.
    #[must_use]
    pub fn at(time: Timestamp, random: [u8; 10]) -> Self {
        let [_, _, a, b, c, d, e, f] = (time.as_micros() / 1000).to_be_bytes();
        let [g, h, i, j, k, l, m, n, o, p] = random;
        ExchangeId([a, b, c, d, e, f, g, h, i, j, k, l, m, n, o, p])
    }

    /// When the exchange began, to the millisecond; of an id that was not made by [`ExchangeId::at`] any time.
    #[must_use]
    pub fn time(&self) -> Timestamp {
        let [a, b, c, d, e, f, ..] = self.0;
        Timestamp::from_micros(u64::from_be_bytes([0, 0, a, b, c, d, e, f]).saturating_mul(1000))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn exchange_ids_sort_by_their_time_and_tell_it() {
        let at = |ms: u64, random: u8| ExchangeId::at(Timestamp::from_micros(ms * 1000 + 999), [random; 10]);
        assert_eq!(at(1_790_000_000_123, 7).time(), Timestamp::from_micros(1_790_000_000_123_000));
        assert!(at(1, 255) < at(2, 0) && at(2, 0).to_string() > at(1, 255).to_string());
        assert_ne!(at(1, 1), at(1, 2));
    }

    #[test]
    fn text_form_round_trips_at_the_edges() {
        for bytes in [[0; 16], [0xff; 16], [0x80; 16], *b"0123456789abcdef"] {
            let id = KeyId::from_bytes(bytes);
            assert_eq!(id.to_string().parse::<KeyId>(), Ok(id));
            assert_eq!(id.to_string().len(), 30);
        }
    }

    #[test]
    fn other_kinds_and_overflow_are_refused() {
        let id = KeyId::from_bytes([7; 16]).to_string();
        assert!(id.parse::<ProjectId>().is_err());
        assert!("key_zzzzzzzzzzzzzzzzzzzzzzzzzz".parse::<KeyId>().is_err(), "130 bits do not fit");
        assert!("key_".parse::<KeyId>().is_err());
    }
}
