//! The values of one exchange.

use std::collections::{HashMap, HashSet};
use std::fmt;
use std::sync::LazyLock;

use bastide_crypto::{HmacKey, RootKey};
use bastide_types::{Category, ProjectId, Secret};

use crate::known::normalise;
use crate::token::{self, Tail};

/// Separates the two uses of a conversation key; no category's name contains such a byte.
const FOR_TOKENS: &[u8] = &[0];
const FOR_KNOWLEDGE: &[u8] = &[1];

/// The key under which the values of one conversation become tokens. The same value gives the same token all through
/// the conversation, so that histories and prompt caches stay stable; another conversation, key holder or project
/// gives another. Has no `Debug`; wiped when dropped.
#[derive(Clone)]
// Boxed: it has 1.2 kB, and most vaults never have one.
pub struct ConversationKey(Box<HmacKey>);

impl ConversationKey {
    /// Derives the key of a project's conversation. `scope` says what a conversation is (the caller's key, a session,
    /// a thread): whoever shares a scope can recognise that two texts hold the same value.
    #[must_use]
    pub fn derive(root: &RootKey, project: ProjectId, scope: &[u8]) -> Self {
        // The project has a fixed length, so no (project, scope) reads as another.
        let info = [project.as_bytes().as_slice(), scope].concat();
        let key = Secret::new(root.derive_with("anonymize/conversation", &info));
        ConversationKey(Box::new(HmacKey::new(key.expose())))
    }

    fn mac(&self, category: Category, purpose: &[u8], value: &str) -> [u8; 32] {
        self.0.sign(&[category.as_str().as_bytes(), purpose, value.as_bytes()])
    }
}

/// The values of one exchange: which token stands for which, and what the request contained. Values are wiped when
/// the vault is dropped; what is only remembered is kept as a keyed hash.
pub struct Vault {
    /// Derived when the first value is met: most exchanges have none.
    key: LazyLock<ConversationKey, Box<dyn FnOnce() -> ConversationKey + Send>>,
    values: HashMap<(Category, Tail), Secret<String>>,
    known: HashSet<[u8; 32]>,
}

impl fmt::Debug for Vault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Vault").field("values", &self.values.len()).field("known", &self.known.len()).finish()
    }
}

impl Vault {
    /// The most values it holds and the most it remembers. Beyond it, values are still replaced, and not put back. So
    /// many tokens are more than a million and a half of a model's own, which few contexts hold.
    pub const MAX_VALUES: usize = 100_000;

    /// An empty vault. `key` gives the conversation's key, when it is first needed.
    #[must_use]
    pub fn new(key: impl FnOnce() -> ConversationKey + Send + 'static) -> Self {
        Vault { key: LazyLock::new(Box::new(key)), values: HashMap::new(), known: HashSet::new() }
    }

    /// The token for a value. Exact: two spellings of one address are two values, because what is put back must be
    /// what was there.
    pub fn tokenise(&mut self, category: Category, value: &str) -> String {
        let tail = token::tail(&self.key.mac(category, FOR_TOKENS, value));
        if self.values.len() < Self::MAX_VALUES {
            self.values.entry((category, tail)).or_insert_with(|| Secret::new(value.to_owned()));
        }
        token::write(category, &tail)
    }

    /// The value of a token that this vault gave, in whatever letter case and with or without backslashes before its
    /// underscores. `None` for every other text: a token of another exchange, one that a model made up or altered.
    #[must_use]
    pub fn restore(&self, token: &str) -> Option<(Category, &str)> {
        let (category, tail) = token::read(token)?;
        self.values.get(&(category, tail)).map(|value| (category, value.expose().as_str()))
    }

    /// Notes that the request contained this value.
    pub fn remember(&mut self, category: Category, value: &str) {
        if self.known.len() < Self::MAX_VALUES {
            let normal = Secret::new(normalise(category, value));
            self.known.insert(self.key.mac(category, FOR_KNOWLEDGE, normal.expose()));
        }
    }

    /// Whether the request contained this value, however it was written: e-mail addresses regardless of letter case,
    /// card, telephone and social security numbers by their digits, account numbers without spaces.
    #[must_use]
    pub fn knows(&self, category: Category, value: &str) -> bool {
        if self.known.is_empty() {
            return false;
        }
        let normal = Secret::new(normalise(category, value));
        self.known.contains(&self.key.mac(category, FOR_KNOWLEDGE, normal.expose()))
    }

    /// How many values have tokens.
    #[must_use]
    pub fn len(&self) -> usize {
        self.values.len()
    }

    /// Whether no value has a token: then no text needs to be searched for them.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.values.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fresh(scope: &[u8]) -> Vault {
        let root = RootKey::from_bytes([3; 32]);
        let key = ConversationKey::derive(&root, ProjectId::from_bytes([1; 16]), scope);
        Vault::new(move || key)
    }

    #[test]
    fn the_same_conversation_gives_the_same_token_and_no_other_does() {
        let token = fresh(b"a").tokenise(Category::EmailAddress, "ada@example.com");
        assert_eq!(fresh(b"a").tokenise(Category::EmailAddress, "ada@example.com"), token);
        let root = RootKey::from_bytes([3; 32]);
        let mut other_project =
            Vault::new(move || ConversationKey::derive(&root, ProjectId::from_bytes([2; 16]), b"a"));
        let mut other_root = Vault::new(|| {
            ConversationKey::derive(&RootKey::from_bytes([4; 32]), ProjectId::from_bytes([1; 16]), b"a")
        });
        for other in [
            fresh(b"b").tokenise(Category::EmailAddress, "ada@example.com"),
            fresh(b"a").tokenise(Category::EmailAddress, "Ada@example.com"),
            fresh(b"a").tokenise(Category::Secret, "ada@example.com"),
            other_project.tokenise(Category::EmailAddress, "ada@example.com"),
            other_root.tokenise(Category::EmailAddress, "ada@example.com"),
        ] {
            assert_ne!(other.rsplit('_').next(), token.rsplit('_').next());
        }
    }

    #[test]
    fn only_own_tokens_come_back() {
        let mut vault = fresh(b"a");
        let token = vault.tokenise(Category::CreditCard, "4111 1111 1111 1111");
        assert_eq!(vault.restore(&token), Some((Category::CreditCard, "4111 1111 1111 1111")));
        assert_eq!(vault.restore(&token.to_lowercase()), Some((Category::CreditCard, "4111 1111 1111 1111")));
        let other = token.replace("CREDIT_CARD", "US_SSN");
        assert_eq!(vault.restore(&other), None, "the category is part of what was signed");
        for i in 0..token.len() {
            let mut altered = token.clone().into_bytes();
            altered[i] = if altered[i] == b'b' { b'c' } else { b'b' };
            assert_eq!(vault.restore(&String::from_utf8(altered).unwrap()), None);
        }
        let elsewhere = fresh(b"b");
        assert_eq!(elsewhere.restore(&token), None);
        assert_eq!(fresh(b"a").restore(&token), None, "nor before the value was seen");
    }

    #[test]
    fn what_the_request_contained_is_known_in_other_spellings() {
        let mut vault = fresh(b"a");
        vault.remember(Category::EmailAddress, "Ada@Example.com");
        vault.remember(Category::CreditCard, "4111 1111-1111 1111");
        assert!(vault.knows(Category::EmailAddress, "ADA@example.COM"));
        assert!(vault.knows(Category::CreditCard, "4111111111111111"));
        assert!(!vault.knows(Category::CreditCard, "4111111111111112"));
        assert!(!vault.knows(Category::PhoneNumber, "4111111111111111"));
        assert!(!fresh(b"a").knows(Category::EmailAddress, "ada@example.com"));
    }

    #[test]
    fn a_vault_prints_counts_only() {
        let mut vault = fresh(b"a");
        vault.tokenise(Category::Secret, "hunter2");
        vault.remember(Category::Secret, "hunter2");
        assert_eq!(format!("{vault:?}"), "Vault { values: 1, known: 1 }");
    }
}
