//! Who is behind an entry of the log, by name: the log itself has pseudonyms only.

use std::collections::HashMap;
use std::sync::Arc;

use serde::Serialize;

use crate::admin::Admin;
use crate::entries::{Actor, to_hex};
use crate::exchanges::{KeyName, KeyNames};
use crate::failure::{Failure, could_not};

/// The names behind pseudonyms.
pub struct Names {
    keys: Arc<KeyNames>,
    /// Id and name by pseudonym.
    users: HashMap<[u8; 16], Person>,
}

struct Person {
    id: String,
    name: String,
}

/// Somebody by name.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum Who {
    /// A key.
    Key(KeyName),
    /// A person who may sign in.
    User {
        /// What they sign in with.
        name: String,
    },
    /// A key or person of whom there is no record any more, by the pseudonym in hexadecimal.
    Gone {
        /// The pseudonym.
        pseudonym: String,
    },
    /// The operator on the machine.
    LocalOperator {
        /// The operating system's user id.
        uid: u64,
    },
    /// Nobody that is known.
    Unauthenticated,
}

impl Names {
    /// Who that is.
    #[must_use]
    pub fn of(&self, actor: Actor) -> Who {
        match actor {
            Actor::Key { key } => match self.keys.get(&key.0) {
                Some(name) => Who::Key(name.clone()),
                None => Who::Gone { pseudonym: to_hex(&key.0) },
            },
            Actor::User { user } => match self.users.get(&user.0) {
                Some(person) => Who::User { name: person.name.clone() },
                None => Who::Gone { pseudonym: to_hex(&user.0) },
            },
            Actor::LocalOperator { uid } => Who::LocalOperator { uid },
            Actor::Unauthenticated => Who::Unauthenticated,
        }
    }

    /// The name of the key or person with this id, as entries write it where something is done to one.
    #[must_use]
    pub fn named(&self, id: &str) -> Option<&str> {
        self.all().find(|(_, known, _)| *known == id).map(|(_, _, name)| name)
    }

    /// What entries have in the place of names with this text in them, in letters of either case: nobody's name is in
    /// the log.
    pub(crate) fn written_for(&self, text: &str) -> Vec<Vec<u8>> {
        let text = text.to_lowercase();
        let of_it = self.all().filter(|(.., name)| name.to_lowercase().contains(&text));
        of_it.flat_map(|(pseudonym, id, _)| [pseudonym.to_vec(), id.as_bytes().to_vec()]).collect()
    }

    /// Pseudonym, id and name of everybody.
    fn all(&self) -> impl Iterator<Item = (&[u8; 16], &str, &str)> {
        let keys = self.keys.iter().map(|(pseudonym, key)| (pseudonym, key.id.as_str(), key.name.as_str()));
        let users =
            self.users.iter().map(|(pseudonym, user)| (pseudonym, user.id.as_str(), user.name.as_str()));
        keys.chain(users)
    }
}

impl Admin {
    /// Everybody who may be behind an entry.
    ///
    /// # Errors
    /// When the records cannot be read.
    pub fn who_is_who(&self) -> Result<Names, Failure> {
        let users = self.node.accounts.users().map_err(could_not)?.into_iter();
        let users = users.map(|user| {
            let person = Person { id: user.id.to_string(), name: user.name };
            (self.node.subjects.user_pseudonym(user.id).0, person)
        });
        Ok(Names { keys: self.key_names()?, users: users.collect() })
    }

    /// Every key by name, revoked ones too, in the order of their names.
    ///
    /// # Errors
    /// When the records cannot be read.
    pub fn keys_by_name(&self) -> Result<Vec<KeyName>, Failure> {
        let mut keys: Vec<KeyName> = self.key_names()?.values().cloned().collect();
        keys.sort_by(|a, b| (&a.name, &a.id).cmp(&(&b.name, &b.id)));
        Ok(keys)
    }
}
