//! The check digit of payment cards (ISO/IEC 7812-1, annex B).

/// Whether the digits, most significant first and as values 0 to 9, end in their Luhn check digit.
pub(crate) fn luhn(digits: &[u8]) -> bool {
    let sum: u32 = digits
        .iter()
        .rev()
        .enumerate()
        .map(|(i, &d)| {
            let d = u32::from(d);
            match i % 2 {
                0 => d,
                _ if d > 4 => 2 * d - 9,
                _ => 2 * d,
            }
        })
        .sum();
    !digits.is_empty() && sum.is_multiple_of(10)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn values(s: &str) -> Vec<u8> {
        s.bytes().map(|b| b - b'0').collect()
    }

    #[test]
    fn published_test_numbers_hold() {
        // Test numbers that the schemes and processors publish.
        for n in [
            "4111111111111111",
            "5555555555554444",
            "2223003122003222",
            "378282246310005",
            "6011111111111117",
            "30569309025904",
            "3530111333300000",
            "6200000000000005",
            "6304000000000000",
        ] {
            assert!(luhn(&values(n)), "{n}");
        }
        assert!(!luhn(&[]));
    }

    proptest! {
        #[test]
        fn every_single_wrong_digit_fails(mut digits in prop::collection::vec(0u8..10, 11..19), at in 0usize..19, by in 1u8..10) {
            // Complete with the right check digit, then break one.
            let check = (0..10).find(|c| { let mut d = digits.clone(); d.push(*c); luhn(&d) }).unwrap();
            digits.push(check);
            prop_assert!(luhn(&digits));
            let at = at % digits.len();
            digits[at] = (digits[at] + by) % 10;
            prop_assert!(!luhn(&digits));
        }
    }
}
