//! What a detector can find.

use std::fmt;
use std::str::FromStr;

macro_rules! categories {
    ($($variant:ident = $name:literal, $family:ident, $doc:literal;)+) => {
        /// What was found. The names are those of the development data's labels and of common DLP products.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
        #[non_exhaustive]
        #[repr(u8)]
        pub enum Category {
            $(#[doc = $doc] $variant,)+
        }

        impl Category {
            /// Every category, in declaration order.
            pub const ALL: &'static [Category] = &[$(Category::$variant),+];

            /// The name used in configuration, APIs, tokens and the log.
            #[must_use]
            pub const fn as_str(self) -> &'static str {
                match self { $(Category::$variant => $name),+ }
            }

            /// The family that a guard profile's defaults speak of.
            #[must_use]
            pub const fn family(self) -> Guarded {
                match self { $(Category::$variant => Guarded::$family),+ }
            }
        }
    };
}

categories! {
    EmailAddress = "EMAIL_ADDRESS", PersonalData, "An e-mail address (RFC 5321 mailbox).";
    CreditCard = "CREDIT_CARD", PersonalData, "A payment card number (ISO/IEC 7812, Luhn).";
    IbanCode = "IBAN_CODE", PersonalData, "An international bank account number (ISO 13616).";
    UsSsn = "US_SSN", PersonalData, "A US social security number.";
    PhoneNumber = "PHONE_NUMBER", PersonalData, "A telephone number (E.164 or national notation).";
    Secret = "SECRET", Secret, "A credential: API key, token, private key, signed web token.";
    InvisibleText = "INVISIBLE_TEXT", Attack, "Characters that a reader does not see and a model does.";
    PromptInjection = "PROMPT_INJECTION", Attack, "An attempt to override, hijack, extract or jailbreak.";
    Placeholder = "PLACEHOLDER", Own, "One of bastide's own tokens: text that may stand for a value.";
}

/// The families of categories: a guard profile gives each family a default.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Guarded {
    /// Says something about a person.
    PersonalData,
    /// Opens something.
    Secret,
    /// Tries to make the model act against its operator.
    Attack,
    /// Text that bastide itself wrote.
    Own,
}

impl fmt::Display for Category {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// A name that is no category.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not a category; the categories are those that `bastide inspect --list` prints")]
pub struct ParseCategoryError(String);

impl FromStr for Category {
    type Err = ParseCategoryError;

    fn from_str(s: &str) -> Result<Self, Self::Err> {
        Category::ALL
            .iter()
            .copied()
            .find(|c| c.as_str() == s)
            .ok_or_else(|| ParseCategoryError(s.to_owned()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_name_parses_back() {
        for c in Category::ALL {
            assert_eq!(c.as_str().parse::<Category>(), Ok(*c));
        }
        assert!("credit_card".parse::<Category>().is_err(), "names are exact");
    }
}
