//! Checks that a value can be right by itself: check digits, allocation rules, randomness.

mod entropy;
mod iban;
mod luhn;
mod numbering;
mod radix64;
mod ssn;

pub(crate) use entropy::{distinct_bytes, entropy_millibits, looks_like_placeholder};
pub(crate) use iban::{country_length, is_iban};
pub(crate) use luhn::luhn;
pub(crate) use numbering::{calling_code, is_nanp};
pub(crate) use radix64::decode_base64;
pub(crate) use ssn::is_ssn;
