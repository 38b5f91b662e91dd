//! International bank account numbers.

use bastide_types::{Category, Severity, Span};

use super::digits::Groups;
use super::rule::{Rule, part, pattern};
use crate::validators::{country_length, is_iban};
use crate::{Candidate, Match};

/// What may stand between two characters of an IBAN on paper.
const SEPARATOR: &str = r"(?:[ -]|\xC2\xA0|\xE2\x80\xAF)";

pub(super) fn detector() -> Rule {
    Rule {
        id: "personal.iban",
        category: Category::IbanCode,
        severity: Severity::High,
        // Up to 33 characters (Russia) in groups of four with separators of up to three bytes.
        pattern: pattern(
            format!(r"\b[A-Za-z][A-Za-z][0-9][0-9](?:{SEPARATOR}?[A-Za-z0-9])+\b"),
            33 + 8 * 3,
            1,
        ),
        check,
    }
}

fn check(candidate: &Candidate<'_>) -> Option<Match> {
    let all = Groups::of_alphanumerics(candidate.bytes);
    // The expression runs on into the words that follow; the country's length says where the number ends.
    let length = country_length(candidate.bytes.get(..2)?)?;
    let chars = all.digits.get(..length)?;
    let mut seen = 0;
    let end = candidate.bytes.iter().position(|b| {
        seen += usize::from(b.is_ascii_alphanumeric());
        seen == length
    })? + 1;
    let next = candidate.bytes.get(end).or(candidate.after.first());
    let cut = next.is_some_and(|b| b.is_ascii_alphanumeric() || *b == b'_');
    (!cut && is_iban(chars)).then_some(())?;
    part(Span::new(0, end), 980, "country, length, structure and check digits (mod 97) hold")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::detectors::testing::{found, nothing};

    #[test]
    fn positives() {
        for (text, value) in [
            ("IBAN DE89370400440532013000.", "DE89370400440532013000"),
            ("to DE89 3704 0044 0532 0130 00 today", "DE89 3704 0044 0532 0130 00"),
            ("de89 3704 0044 0532 0130 00", "de89 3704 0044 0532 0130 00"),
            ("GB29-NWBK-6016-1331-9268-19", "GB29-NWBK-6016-1331-9268-19"),
            (
                "FR14\u{a0}2004\u{a0}1010\u{a0}0505\u{a0}0001\u{a0}3M02\u{a0}606",
                "FR14\u{a0}2004\u{a0}1010\u{a0}0505\u{a0}0001\u{a0}3M02\u{a0}606",
            ),
            ("NO93 8601 1117 947 from home", "NO93 8601 1117 947"),
            ("MT84MALT011000012345MTLCAST001S,", "MT84MALT011000012345MTLCAST001S"),
            ("(BE68 5390 0754 7034)", "BE68 5390 0754 7034"),
        ] {
            assert_eq!(found(&detector(), text), [value], "{text}");
        }
        assert_eq!(
            found(&detector(), "from BE68 5390 0754 7034 with NO93 8601 1117 947"),
            ["BE68 5390 0754 7034", "NO93 8601 1117 947"]
        );
    }

    #[test]
    fn near_misses() {
        for text in [
            "DE89370400440532013001",
            "DE8937040044053201300",
            "DE893704004405320130001",
            "XDE89370400440532013000",
            "ZZ89370400440532013000",
            "sk12 people were there and ate",
            "DE89370400440532013000_a",
        ] {
            nothing(&detector(), text);
        }
    }
}
