//! What the Social Security Administration never issues.

/// Whether nine digits may be a US social security number: area not 000, 666 or 900-999, group not 00, serial not
/// 0000 (SSA, POMS RM 10201.035), and not one of the two numbers that SSA voided because advertisements printed them.
pub(crate) fn is_ssn(digits: &[u8]) -> bool {
    let &[a, b, c, d, e, f, g, h, i] = digits else { return false };
    let area = u32::from(a) * 100 + u32::from(b) * 10 + u32::from(c);
    let group = u32::from(d) * 10 + u32::from(e);
    let serial = u32::from(f) * 1000 + u32::from(g) * 100 + u32::from(h) * 10 + u32::from(i);
    let voided = [(78, 5, 1120), (219, 9, 9999)].contains(&(area, group, serial));
    let repeated = digits.iter().all(|x| *x == a);
    (1..900).contains(&area) && area != 666 && group != 0 && serial != 0 && !voided && !repeated
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(s: &str) -> bool {
        is_ssn(&s.bytes().filter(u8::is_ascii_digit).map(|b| b - b'0').collect::<Vec<_>>())
    }

    #[test]
    fn rules_of_issue() {
        for good in ["001-01-0001", "665-12-3456", "667-12-3456", "899-99-9999", "536-22-8741", "123-45-6789"]
        {
            assert!(check(good), "{good}");
        }
        for bad in [
            "000-12-3456",
            "666-12-3456",
            "900-12-3456",
            "999-99-9999",
            "536-00-8741",
            "536-22-0000",
            "078-05-1120",
            "219-09-9999",
            "111-11-1111",
            "12-345-678",
        ] {
            assert!(!check(bad), "{bad}");
        }
    }
}
