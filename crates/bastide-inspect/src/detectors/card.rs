//! Payment card numbers.

use std::cell::LazyCell;

use bastide_types::{Category, Severity};

use super::digits::{Groups, Run, SEPARATOR, continues_from, continues_iban, continues_into, continues_uuid};
use super::rule::{Rule, part, pattern};
use crate::context::{Near, Vocabulary};
use crate::validators::luhn;
use crate::{Candidate, Match};

#[rustfmt::skip]
const WORDS: Vocabulary = Vocabulary {
    own: &[
        "card", "cards", "credit", "debit", "cc", "ccn", "pan", "visa", "mastercard", "amex", "american express",
        "discover", "jcb", "diners", "unionpay", "maestro", "card number", "cardnumber", "kreditkarte", "karte",
        "kartennummer", "carte", "carte bancaire", "tarjeta", "carta", "carta di credito", "cartão", "kaart", "karta",
        "kort", "kortti", "kart", "карта", "карты", "картой", "カード", "卡号", "信用卡", "카드", "बैंक कार्ड",
    ],
    rivals: &[
        "order", "orders", "invoice", "tracking", "track", "trace", "traceid", "trace id", "span", "span id", "request id",
        "build", "commit", "imei", "serial", "sku", "ticket", "part", "isbn", "ean", "gtin", "phone", "iban", "account",
        "timestamp", "ts", "hash", "digest", "nanos", "bestellung", "commande", "pedido", "ordine", "zamówienie",
    ],
};

pub(super) fn detector() -> Rule {
    Rule {
        id: "personal.payment-card",
        category: Category::CreditCard,
        severity: Severity::High,
        // 19 digits with a byte between any two, or in groups with wider separators. The check counts; an automaton that
        // counts digits from every group on grows with the square of the groups.
        pattern: pattern(format!(r"\b[2-6](?:{SEPARATOR}?[0-9])+\b"), 40, 2),
        check,
    }
}

/// The scheme whose range and length the digits have (ISO/IEC 7812-1 issuer identification numbers as the schemes
/// publish them).
fn scheme(digits: &[u8]) -> Option<&'static str> {
    let prefix = |n: usize| digits.iter().take(n).fold(0u32, |sum, d| sum * 10 + u32::from(*d));
    let n = digits.len();
    match (prefix(2), prefix(3), prefix(4), prefix(6)) {
        (40..=49, ..) if matches!(n, 13 | 16 | 19) => Some("Visa"),
        (51..=55, ..) | (_, _, 2221..=2720, _) if n == 16 => Some("Mastercard"),
        (34 | 37, ..) if n == 15 => Some("American Express"),
        (65, ..) | (_, 644..=649, ..) | (_, _, 6011, _) | (_, _, _, 622_126..=622_925)
            if (16..=19).contains(&n) =>
        {
            Some("Discover")
        }
        (_, _, 3528..=3589, _) if (16..=19).contains(&n) => Some("JCB"),
        (36 | 38 | 39, ..) | (_, 300..=305 | 309, ..) if (14..=19).contains(&n) => Some("Diners Club"),
        (62, ..) if (16..=19).contains(&n) => Some("UnionPay"),
        (_, _, 5018 | 5020 | 5038 | 5893 | 6304 | 6759 | 6761..=6763, _) if (12..=19).contains(&n) => {
            Some("Maestro")
        }
        (_, _, 2200..=2204, _) if (16..=19).contains(&n) => Some("Mir"),
        (60, ..) | (_, 508, ..) if n == 16 => Some("RuPay"),
        _ => None,
    }
}

/// Whether card numbers are written in such groups.
fn grouped_like_a_card(run: &Run<'_>) -> bool {
    run.len() == 1
        || run.is(&[4, 6, 5])
        || run.is(&[4, 6, 4])
        || run.is(&[6, 13])
        || run.is(&[8, 8])
        || (run.sizes().take(run.len() - 1).all(|n| n == 4) && run.sizes().last().is_some_and(|n| n <= 4))
}

fn check(candidate: &Candidate<'_>) -> Option<Match> {
    let groups = Groups::of_digits(candidate.bytes);
    let last = groups.groups.len();
    let valid = |run: &Run<'_>| {
        let varied = run.digits.iter().any(|d| Some(d) != run.digits.first());
        let cut_left = run.first == 0
            && (continues_from(candidate.before)
                || continues_uuid(candidate.before)
                || continues_iban(candidate.before));
        let cut_right = run.first + run.len() == last && continues_into(candidate.after);
        varied && !cut_left && !cut_right && run.detached(candidate.bytes) && luhn(run.digits)
    };
    if groups.digits.len() < 12 {
        return None;
    }
    let near = LazyCell::new(|| WORDS.nearest(candidate));
    let found = groups.runs().filter(|r| (12..=19).contains(&r.digits.len())).find_map(|run| {
        let scheme = scheme(run.digits).filter(|_| valid(&run))?;
        // Odd groups are accepted where the whole candidate is the number and a word says so: one list of small
        // numbers in ten has a valid check digit.
        let usual = grouped_like_a_card(&run) && run.evenly_written(candidate.bytes);
        (usual || (run.whole && matches!(*near, Near::Own(_)))).then_some((run, scheme))
    });
    let (run, scheme) = found?;
    let plain = run.len() == 1;
    let short = run.digits.len() < 14;
    match *near {
        Near::Own(word) => {
            part(run.span, 980, format!("Luhn check digit and {scheme} range hold, `{word}` stands before"))
        }
        // One number in ten passes by chance: a word for another kind of number counts.
        Near::Rival(word) if plain => part(
            run.span,
            450,
            format!("Luhn check digit and {scheme} range hold, but `{word}` stands before"),
        ),
        // Cards of 12 and 13 digits are no longer issued; numbers of persons and banks have that length.
        _ if plain && short => {
            part(run.span, 300, format!("Luhn check digit and {scheme} range hold, short number"))
        }
        _ => part(run.span, 900, format!("Luhn check digit and {scheme} range hold")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::detectors::testing::{found, nothing, scored};

    #[test]
    fn positives() {
        for (text, value) in [
            ("card 4111 1111 1111 1111, thanks", "4111 1111 1111 1111"),
            ("4111-1111-1111-1111", "4111-1111-1111-1111"),
            ("4111.1111.1111.1111.", "4111.1111.1111.1111"),
            ("4111\u{a0}1111\u{a0}1111\u{a0}1111", "4111\u{a0}1111\u{a0}1111\u{a0}1111"),
            ("4111\u{2011}1111\u{2011}1111\u{2011}1111", "4111\u{2011}1111\u{2011}1111\u{2011}1111"),
            ("{\"pan\":4111111111111111}", "4111111111111111"),
            ("2223003122003222", "2223003122003222"),
            ("3782 822463 10005", "3782 822463 10005"),
            ("6011111111111117", "6011111111111117"),
            ("3530111333300000", "3530111333300000"),
            ("3056 930902 5904", "3056 930902 5904"),
            ("6200 0000 0000 0005", "6200 0000 0000 0005"),
            ("cvv after: 4111 1111 1111 1111 123", "4111 1111 1111 1111"),
            ("2 of 4111 1111 1111 1111", "4111 1111 1111 1111"),
            ("qty 2 4111 1111 1111 1111", "4111 1111 1111 1111"),
            ("Karte: 41 11 11 11 11 11 11 11", "41 11 11 11 11 11 11 11"),
            ("CREDIT_CARD=4012888888881881", "4012888888881881"),
        ] {
            assert_eq!(found(&detector(), text), [value], "{text}");
        }
    }

    #[test]
    fn near_misses() {
        for text in [
            "4111 1111 1111 1112",                  // check digit
            "9111 1111 1111 1111",                  // range
            "14111111111111111",                    // inside a longer number
            "41111111111111111111111",              // longer than any card
            "550e8400-e29b-41d4-a716-446655440000", // UUID
            "urn:4111-1111-1111-1111-1",
            "5555555555555555",
            "1700000000000",
            "3 1 4 1 5 9 2 6 5 3 5 8 9 7 9",
            "v5.10.4111111111111111",
            "x4111111111111111",
            "4111111111111111_id",
            "HR60 4111 1111 1111 1111 1", // inside an account number
            "35 209900 176148 1",         // IMEI: Luhn holds, no range of that length
        ] {
            nothing(&detector(), text);
        }
    }

    #[test]
    fn words_for_other_numbers_lower_the_score() {
        assert!(scored(&detector(), "trace_id=4111111111111111") < 500);
        assert!(scored(&detector(), "order 4111111111111111") < 500);
        assert!(scored(&detector(), "order paid by card 4111111111111111") > 900);
        assert!(scored(&detector(), "I typed 4111111111111111") >= 900);
    }
}
