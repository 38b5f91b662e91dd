//! US social security numbers.

use bastide_types::{Category, Severity, View};

use super::digits::{Groups, continues_from, continues_into};
use super::rule::{Rule, pattern, whole};
use crate::context::{Near, Vocabulary};
use crate::validators::is_ssn;
use crate::{Candidate, Match};

#[rustfmt::skip]
const WORDS: Vocabulary = Vocabulary {
    own: &[
        "ssn", "ssns", "ss", "social", "social security", "social security number", "social security no", "soc sec",
        "taxpayer", "tin", "seguro social", "número de seguro social", "numéro de sécurité sociale américain",
    ],
    rivals: &[
        "phone", "tel", "order", "invoice", "tracking", "part", "part number", "sku", "serial", "ticket", "zip", "aba",
        "routing", "account", "passport", "itin", "ein", "reference", "po", "build", "version", "card", "nhs",
    ],
};

pub(super) fn detector() -> Rule {
    Rule {
        id: "personal.us-ssn",
        category: Category::UsSsn,
        severity: Severity::High,
        pattern: pattern(
            r"\b[0-8][0-9][0-9](?:-[0-9][0-9]-| [0-9][0-9] |\xC2\xA0[0-9][0-9]\xC2\xA0|\xE2\x80[\x90-\x93][0-9][0-9]\xE2\x80[\x90-\x93]|\.[0-9][0-9]\.|[0-9][0-9])[0-9][0-9][0-9][0-9]\b",
            15,
            2,
        ),
        check,
    }
}

fn check(candidate: &Candidate<'_>) -> Option<Match> {
    let groups = Groups::of_digits(candidate.bytes);
    let cut = continues_from(candidate.before) || continues_into(candidate.after);
    // `+1 234 56 7890`, `12 345 67 8901`: the end of a longer number.
    let tail = matches!(candidate.before, [.., b'+'] | [.., b'0'..=b'9', b' ']);
    if cut || !is_ssn(&groups.digits) {
        return None;
    }
    let dashed = candidate.bytes.contains(&b'-') || candidate.bytes.contains(&0xE2);
    match (WORDS.nearest(candidate), groups.groups.len()) {
        (Near::Own(word), _) => {
            whole(candidate, 900, format!("area, group and serial are issued, `{word}` stands before"))
        }
        // Nine digits alone are anything, unless someone took the pains to encode just them.
        (_, 1) if alone_in_encoding(candidate) => {
            whole(candidate, 450, "encoded on its own; area, group and serial are issued")
        }
        (_, 1) => None,
        _ if tail => None,
        (Near::Rival(word), _) => {
            whole(candidate, 300, format!("area, group and serial are issued, but `{word}` stands before"))
        }
        // Nothing else is written 3-2-4 with dashes.
        _ if dashed => {
            whole(candidate, 650, "written as social security numbers are; area, group and serial are issued")
        }
        _ if is_field(candidate) => whole(
            candidate,
            550,
            "a field of its own, grouped as social security numbers are; the parts are issued",
        ),
        _ => whole(candidate, 400, "area, group and serial are issued; no word says what it is"),
    }
}

/// Whether the candidate fills a field of a table or a string.
fn is_field(candidate: &Candidate<'_>) -> bool {
    let edge = |b: Option<&u8>| {
        b.is_none_or(|b| matches!(b, b',' | b';' | b'|' | b'\t' | b'\n' | b'\r' | b'"' | b'\'' | b'<' | b'>'))
    };
    edge(candidate.before.last()) && edge(candidate.after.first())
}

/// Whether the candidate is all that a decoded run holds.
fn alone_in_encoding(candidate: &Candidate<'_>) -> bool {
    matches!(candidate.view, View::Base64 | View::Hex)
        && candidate.before.is_empty()
        && candidate.after.is_empty()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::detectors::testing::{found, nothing, scored};

    #[test]
    fn positives() {
        for (text, value) in [
            ("SSN 536-22-8741.", "536-22-8741"),
            ("{\"ssn\":\"536228741\"}", "536228741"),
            ("social security number: 536 22 8741", "536 22 8741"),
            ("|536-22-8741|", "536-22-8741"),
            ("socialSecurityNumber=536228741", "536228741"),
            ("ssn 536\u{2011}22\u{2011}8741", "536\u{2011}22\u{2011}8741"),
        ] {
            assert_eq!(found(&detector(), text), [value], "{text}");
        }
    }

    #[test]
    fn near_misses() {
        for text in [
            "SSN 000-12-3456",
            "SSN 666-12-3456",
            "SSN 912-12-3456",
            "SSN 536-00-8741",
            "SSN 536-22-0000",
            "536228741",
            "order 536228741",
            "SSN 536-22-87412",
            "1-536-22-8741",
            "536-22-8741-1",
            "+1 536 22 8741",
            "SSN 5362287411",
            "536-228741",
        ] {
            nothing(&detector(), text);
        }
    }

    #[test]
    fn context_decides_about_acting() {
        assert!(scored(&detector(), "part number 536-22-8741") < 500);
        assert!(scored(&detector(), "it was 536 22 8741 then") < 500);
        assert!(scored(&detector(), "a;536 22 8741;b") >= 500);
        assert!(scored(&detector(), "536-22-8741") >= 500);
        assert!(scored(&detector(), "my ssn: 536 22 8741") >= 900);
    }
}
