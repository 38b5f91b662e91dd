//! International bank account numbers: length and structure by country, check digits.

/// Country, and the structure of what follows the check digits as runs of (class, length): `n` digits, `a` letters,
/// `c` either. From the IBAN registry (ISO 13616-1; SWIFT, release 99).
type Structure = (&'static [u8; 2], &'static [(u8, usize)]);

#[rustfmt::skip]
const COUNTRIES: &[Structure] = &[
    (b"AD", &[(b'n', 8), (b'c', 12)]), (b"AE", &[(b'n', 19)]), (b"AL", &[(b'n', 8), (b'c', 16)]),
    (b"AT", &[(b'n', 16)]), (b"AZ", &[(b'a', 4), (b'c', 20)]), (b"BA", &[(b'n', 16)]), (b"BE", &[(b'n', 12)]),
    (b"BG", &[(b'a', 4), (b'n', 6), (b'c', 8)]), (b"BH", &[(b'a', 4), (b'c', 14)]), (b"BI", &[(b'n', 23)]),
    (b"BR", &[(b'n', 23), (b'a', 1), (b'c', 1)]), (b"BY", &[(b'c', 4), (b'n', 4), (b'c', 16)]),
    (b"CH", &[(b'n', 5), (b'c', 12)]), (b"CR", &[(b'n', 18)]), (b"CY", &[(b'n', 8), (b'c', 16)]),
    (b"CZ", &[(b'n', 20)]), (b"DE", &[(b'n', 18)]), (b"DJ", &[(b'n', 23)]), (b"DK", &[(b'n', 14)]),
    (b"DO", &[(b'c', 4), (b'n', 20)]), (b"EE", &[(b'n', 16)]), (b"EG", &[(b'n', 25)]), (b"ES", &[(b'n', 20)]),
    (b"FI", &[(b'n', 14)]), (b"FK", &[(b'a', 2), (b'n', 12)]), (b"FO", &[(b'n', 14)]),
    (b"FR", &[(b'n', 10), (b'c', 11), (b'n', 2)]), (b"GB", &[(b'a', 4), (b'n', 14)]),
    (b"GE", &[(b'a', 2), (b'n', 16)]), (b"GI", &[(b'a', 4), (b'c', 15)]), (b"GL", &[(b'n', 14)]),
    (b"GR", &[(b'n', 7), (b'c', 16)]), (b"GT", &[(b'c', 24)]), (b"HN", &[(b'a', 4), (b'n', 20)]),
    (b"HR", &[(b'n', 17)]), (b"HU", &[(b'n', 24)]), (b"IE", &[(b'a', 4), (b'n', 14)]), (b"IL", &[(b'n', 19)]),
    (b"IQ", &[(b'a', 4), (b'n', 15)]), (b"IS", &[(b'n', 22)]), (b"IT", &[(b'a', 1), (b'n', 10), (b'c', 12)]),
    (b"JO", &[(b'a', 4), (b'n', 4), (b'c', 18)]), (b"KW", &[(b'a', 4), (b'c', 22)]),
    (b"KZ", &[(b'n', 3), (b'c', 13)]), (b"LB", &[(b'n', 4), (b'c', 20)]), (b"LC", &[(b'a', 4), (b'c', 24)]),
    (b"LI", &[(b'n', 5), (b'c', 12)]), (b"LT", &[(b'n', 16)]), (b"LU", &[(b'n', 3), (b'c', 13)]),
    (b"LV", &[(b'a', 4), (b'c', 13)]), (b"LY", &[(b'n', 21)]), (b"MC", &[(b'n', 10), (b'c', 11), (b'n', 2)]),
    (b"MD", &[(b'c', 20)]), (b"ME", &[(b'n', 18)]), (b"MK", &[(b'n', 3), (b'c', 10), (b'n', 2)]),
    (b"MN", &[(b'n', 16)]), (b"MR", &[(b'n', 23)]), (b"MT", &[(b'a', 4), (b'n', 5), (b'c', 18)]),
    (b"MU", &[(b'a', 4), (b'n', 19), (b'a', 3)]), (b"NI", &[(b'a', 4), (b'n', 20)]),
    (b"NL", &[(b'a', 4), (b'n', 10)]), (b"NO", &[(b'n', 11)]), (b"OM", &[(b'n', 3), (b'c', 16)]),
    (b"PK", &[(b'a', 4), (b'c', 16)]), (b"PL", &[(b'n', 24)]), (b"PS", &[(b'a', 4), (b'c', 21)]),
    (b"PT", &[(b'n', 21)]), (b"QA", &[(b'a', 4), (b'c', 21)]), (b"RO", &[(b'a', 4), (b'c', 16)]),
    (b"RS", &[(b'n', 18)]), (b"RU", &[(b'n', 14), (b'c', 15)]), (b"SA", &[(b'n', 2), (b'c', 18)]),
    (b"SC", &[(b'a', 4), (b'n', 20), (b'a', 3)]), (b"SD", &[(b'n', 14)]), (b"SE", &[(b'n', 20)]),
    (b"SI", &[(b'n', 15)]), (b"SK", &[(b'n', 20)]), (b"SM", &[(b'a', 1), (b'n', 10), (b'c', 12)]),
    (b"SO", &[(b'n', 19)]), (b"ST", &[(b'n', 21)]), (b"SV", &[(b'a', 4), (b'n', 20)]), (b"TL", &[(b'n', 19)]),
    (b"TN", &[(b'n', 20)]), (b"TR", &[(b'n', 6), (b'c', 16)]), (b"UA", &[(b'n', 6), (b'c', 19)]),
    (b"VA", &[(b'n', 18)]), (b"VG", &[(b'a', 4), (b'n', 16)]), (b"XK", &[(b'n', 16)]),
    (b"YE", &[(b'a', 4), (b'n', 4), (b'c', 18)]),
];

fn structure(country: &[u8]) -> Option<&'static [(u8, usize)]> {
    let upper = country.to_ascii_uppercase();
    COUNTRIES.iter().find(|(code, _)| code.as_slice() == upper).map(|(_, s)| *s)
}

/// How many characters an IBAN of this country has, country and check digits included.
pub(crate) fn country_length(country: &[u8]) -> Option<usize> {
    Some(4 + structure(country)?.iter().map(|(_, n)| n).sum::<usize>())
}

/// Whether the characters, without separators and in any letter case, are an IBAN of a known country with the right
/// length, structure and check digits (ISO 7064, MOD 97-10).
pub(crate) fn is_iban(chars: &[u8]) -> bool {
    let Some((head, body)) = chars.split_at_checked(4) else { return false };
    let Some((country, check)) = head.split_at_checked(2) else { return false };
    let Some(structure) = structure(country) else { return false };
    let mut rest = body;
    for &(class, n) in structure {
        let Some((run, after)) = rest.split_at_checked(n) else { return false };
        let fits = |b: &u8| match class {
            b'n' => b.is_ascii_digit(),
            b'a' => b.is_ascii_alphabetic(),
            _ => b.is_ascii_alphanumeric(),
        };
        if !run.iter().all(fits) {
            return false;
        }
        rest = after;
    }
    // Check digits 00, 01 and 99 cannot result (the remainder is 2 to 98).
    let range = matches!(check, [b'0', b'2'..=b'9'] | [b'1'..=b'8', b'0'..=b'9'] | [b'9', b'0'..=b'8']);
    rest.is_empty() && range && mod97(body.iter().chain(head)) == Some(1)
}

fn mod97<'a>(chars: impl Iterator<Item = &'a u8>) -> Option<u32> {
    let mut rest = 0u32;
    for b in chars {
        rest = match b.to_ascii_uppercase() {
            d @ b'0'..=b'9' => rest * 10 + u32::from(d - b'0'),
            a @ b'A'..=b'Z' => rest * 100 + u32::from(a - b'A') + 10,
            _ => return None,
        } % 97;
    }
    Some(rest)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// Examples printed in the registry.
    const GOOD: &[&str] = &[
        "AD1200012030200359100100",
        "AE070331234567890123456",
        "AL47212110090000000235698741",
        "AT611904300234573201",
        "AZ21NABZ00000000137010001944",
        "BA391290079401028494",
        "BE68539007547034",
        "BG80BNBG96611020345678",
        "BH67BMAG00001299123456",
        "BR1800360305000010009795493C1",
        "CH9300762011623852957",
        "CY17002001280000001200527600",
        "CZ6508000000192000145399",
        "DE89370400440532013000",
        "DK5000400440116243",
        "DO28BAGR00000001212453611324",
        "EE382200221020145685",
        "ES9121000418450200051332",
        "FI2112345600000785",
        "FR1420041010050500013M02606",
        "GB29NWBK60161331926819",
        "GE29NB0000000101904917",
        "GI75NWBK000000007099453",
        "GR1601101250000000012300695",
        "GT82TRAJ01020000001210029690",
        "HR1210010051863000160",
        "HU42117730161111101800000000",
        "IE29AIBK93115212345678",
        "IL620108000000099999999",
        "IS140159260076545510730339",
        "IT60X0542811101000000123456",
        "JO94CBJO0010000000000131000302",
        "KW81CBKU0000000000001234560101",
        "KZ86125KZT5004100100",
        "LB62099900000001001901229114",
        "LI21088100002324013AA",
        "LT121000011101001000",
        "LU280019400644750000",
        "LV80BANK0000435195001",
        "MC5811222000010123456789030",
        "MD24AG000225100013104168",
        "ME25505000012345678951",
        "MK07250120000058984",
        "MT84MALT011000012345MTLCAST001S",
        "MU17BOMM0101101030300200000MUR",
        "NL91ABNA0417164300",
        "NO9386011117947",
        "PK36SCBL0000001123456702",
        "PL61109010140000071219812874",
        "PS92PALS000000000400123456702",
        "PT50000201231234567890154",
        "QA58DOHB00001234567890ABCDEFG",
        "RO49AAAA1B31007593840000",
        "RS35260005601001611379",
        "SA0380000000608010167519",
        "SC18SSCB11010000000000001497USD",
        "SE4550000000058398257466",
        "SI56263300012039086",
        "SK3112000000198742637541",
        "SM86U0322509800000000270100",
        "SV62CENR00000000000000700025",
        "TN5910006035183598478831",
        "TR330006100519786457841326",
        "UA213223130000026007233566001",
        "VG96VPVG0000012345678901",
        "XK051212012345678906",
    ];

    #[test]
    fn registry_examples_hold_in_either_case() {
        for iban in GOOD {
            assert!(is_iban(iban.as_bytes()), "{iban}");
            assert!(is_iban(iban.to_lowercase().as_bytes()), "{iban}");
            assert_eq!(country_length(&iban.as_bytes()[..2]), Some(iban.len()), "{iban}");
        }
    }

    #[test]
    fn near_misses_fail() {
        for bad in [
            "DE89370400440532013001",
            "DE8937040044053201300",
            "DE893704004405320130000",
            "ZZ89370400440532013000",
            "GB29NWBK6016133192681A",
            "NL911234041716430A",
            "DE00370400440532013000",
            "",
            "DE",
            "DE89",
        ] {
            assert!(!is_iban(bad.as_bytes()), "{bad}");
        }
    }

    proptest! {
        #[test]
        fn every_single_wrong_digit_fails(which in 0..GOOD.len(), at in 2usize..34, by in 1u8..10) {
            let mut iban = GOOD[which].as_bytes().to_vec();
            let at = at % iban.len();
            if let Some(d) = iban.get_mut(at).filter(|d| d.is_ascii_digit()) {
                *d = b'0' + (*d - b'0' + by) % 10;
                prop_assert!(!is_iban(&iban));
            }
        }

        #[test]
        fn never_panics(bytes in prop::collection::vec(any::<u8>(), 0..40)) {
            is_iban(&bytes);
        }
    }
}
