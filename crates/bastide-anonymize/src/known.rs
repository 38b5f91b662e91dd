//! When two spellings are the same value.

use bastide_types::Category;

/// The spelling that all spellings of a value share. Deliberately narrow: what is taken for known passes a reply
/// unredacted, so two values must never share one.
pub(crate) fn normalise(category: Category, value: &str) -> String {
    match category {
        // The local part may tell cases apart by RFC 5321 section 2.4; no provider of note does.
        Category::EmailAddress => value.trim().chars().flat_map(char::to_lowercase).collect(),
        Category::CreditCard | Category::UsSsn => digits(value),
        Category::PhoneNumber => {
            let digits = digits(value);
            // `0049 30 …` and `+49 30 …` are one number (ITU-T E.123).
            if value.trim_start().starts_with("00") {
                digits.trim_start_matches('0').to_owned()
            } else {
                digits
            }
        }
        Category::IbanCode => {
            value.chars().filter(char::is_ascii_alphanumeric).map(|c| c.to_ascii_uppercase()).collect()
        }
        _ => value.trim().to_owned(),
    }
}

fn digits(value: &str) -> String {
    value
        .chars()
        .filter_map(|c| match c {
            '0'..='9' => Some(c),
            '\u{ff10}'..='\u{ff19}' => char::from_digit(u32::from(c) - 0xff10, 10),
            _ => None,
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spellings_meet_where_they_should() {
        for (category, a, b, same) in [
            (Category::EmailAddress, "Ada@Example.com ", "ada@example.com", true),
            (Category::EmailAddress, "a.da@example.com", "ada@example.com", false),
            (Category::CreditCard, "4111-1111 1111.1111", "4111111111111111", true),
            (Category::CreditCard, "４111111111111111", "4111111111111111", true),
            (Category::PhoneNumber, "+49 (30) 1234-567", "0049301234567", true),
            (Category::PhoneNumber, "030 1234567", "+49 30 1234567", false),
            (Category::IbanCode, "de89 3704 0044 0532 0130 00", "DE89370400440532013000", true),
            (Category::Secret, "sk-Abc", "sk-abc", false),
        ] {
            assert_eq!(normalise(category, a) == normalise(category, b), same, "{a} {b}");
        }
    }
}
