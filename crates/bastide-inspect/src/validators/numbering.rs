//! Telephone numbering plans, as far as telling a number from a non-number needs them.

use std::ops::RangeInclusive;

/// Calling codes whose national numbers have a length of their own: digits after the code, trunk prefix not counted.
/// From ITU-T E.164 assignments and the national plans' registers.
#[rustfmt::skip]
const LENGTHS: &[(u32, RangeInclusive<usize>)] = &[
    (1, 10..=10), (7, 10..=10), (20, 8..=10), (27, 9..=9), (30, 10..=10), (31, 9..=9), (32, 8..=9), (33, 9..=9),
    (34, 9..=9), (36, 8..=9), (39, 6..=11), (40, 9..=9), (41, 9..=9), (43, 7..=13), (44, 9..=10), (45, 8..=8),
    (46, 7..=10), (47, 8..=8), (48, 9..=9), (49, 6..=11), (51, 8..=9), (52, 10..=11), (53, 6..=8), (54, 10..=11),
    (55, 10..=11), (56, 9..=9), (57, 8..=10), (58, 10..=10), (60, 8..=10), (61, 9..=9), (62, 8..=12), (63, 8..=10),
    (64, 8..=10), (65, 8..=8), (66, 8..=9), (81, 9..=10), (82, 8..=11), (84, 9..=10), (86, 10..=11), (90, 10..=10),
    (91, 10..=10), (92, 9..=10), (93, 9..=9), (94, 9..=9), (95, 7..=10), (98, 10..=10), (212, 9..=9), (213, 8..=9),
    (216, 8..=8), (233, 9..=9), (234, 7..=10), (254, 9..=9), (351, 9..=9), (352, 6..=11), (353, 7..=9), (354, 7..=7),
    (356, 8..=8), (357, 8..=8), (358, 6..=11), (359, 8..=9), (370, 8..=8), (371, 8..=8), (372, 7..=8), (374, 8..=8),
    (375, 9..=9), (376, 6..=9), (380, 9..=9), (381, 8..=9), (385, 8..=9), (420, 9..=9), (421, 9..=9), (423, 7..=9),
    (852, 8..=8), (853, 8..=8), (886, 8..=9), (965, 8..=8), (966, 9..=9), (971, 8..=9), (972, 8..=9), (974, 8..=8),
    (994, 9..=9), (995, 9..=9), (996, 9..=9), (998, 9..=9),
];

/// The other assigned three-digit codes: first, last. Their numbers have 5 to 10 digits.
#[rustfmt::skip]
const OTHERS: &[(u32, u32)] = &[
    (211, 211), (218, 218), (220, 269), (290, 291), (297, 299), (350, 350), (355, 355), (373, 373), (377, 378),
    (382, 383), (386, 387), (389, 389), (500, 509), (590, 599), (670, 670), (672, 683), (685, 692), (800, 800),
    (808, 808), (850, 850), (855, 856), (870, 870), (878, 878), (880, 883), (888, 888), (960, 964), (967, 968),
    (970, 970), (973, 973), (975, 977), (979, 979), (992, 993),
];

/// The calling code of an international number (digits after the `+`), when the number has a length that its country
/// uses.
pub(crate) fn calling_code(digits: &[u8]) -> Option<u32> {
    // No code is a prefix of another (E.164), so the first that fits is the one.
    (1..=3).find_map(|n| {
        let (code, national) = digits.split_at_checked(n)?;
        let code = code.iter().fold(0, |sum, d| sum * 10 + u32::from(*d));
        let lengths = match LENGTHS.iter().find(|(c, _)| *c == code) {
            Some((_, lengths)) => lengths.clone(),
            None => OTHERS.iter().find(|(first, last)| (*first..=*last).contains(&code)).map(|_| 5..=10)?,
        };
        let fits = lengths.contains(&national.len()) && (code != 1 || is_nanp(national));
        let varied = national.iter().any(|d| Some(d) != national.first());
        (fits && varied).then_some(code)
    })
}

/// Whether ten digits follow the North American plan: area code 2-9 and not N11, exchange 2-9 and not N11.
pub(crate) fn is_nanp(digits: &[u8]) -> bool {
    let &[a, b, c, d, e, f, ..] = digits else { return false };
    digits.len() == 10 && a >= 2 && d >= 2 && (b, c) != (1, 1) && (e, f) != (1, 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn values(s: &str) -> Vec<u8> {
        s.bytes().filter(u8::is_ascii_digit).map(|b| b - b'0').collect()
    }

    #[test]
    fn codes_and_lengths() {
        for (number, code) in [
            ("+1 415 555 0132", 1),
            ("+44 20 7946 0958", 44),
            ("+49 30 901820", 49),
            ("+33 1 23 45 67 89", 33),
            ("+351 21 123 4567", 351),
            ("+254 712 345678", 254),
            ("+376 312 345", 376),
            ("+852 2345 6789", 852),
        ] {
            assert_eq!(calling_code(&values(number)), Some(code), "{number}");
        }
        for bad in [
            "+1 115 555 0132",
            "+1 415 555 013",
            "+33 1 23 45 67 8",
            "+999 1234567",
            "+210 1234567",
            "+4",
            "+",
        ] {
            assert_eq!(calling_code(&values(bad)), None, "{bad}");
        }
        assert_eq!(calling_code(&values("+33 000000000")), None, "one digit nine times is no number");
    }

    #[test]
    fn tables_do_not_overlap() {
        for (code, _) in LENGTHS {
            assert!(
                !OTHERS.iter().any(|(a, b)| (a..=b).contains(&code)) || (220..=269).contains(code),
                "{code}"
            );
        }
    }
}
