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
    /// Name by pseudonym.
    users: HashMap<[u8; 16], String>,
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
                Some(name) => Who::User { name: name.clone() },
                None => Who::Gone { pseudonym: to_hex(&user.0) },
            },
            Actor::LocalOperator { uid } => Who::LocalOperator { uid },
            Actor::Unauthenticated => Who::Unauthenticated,
        }
    }
}

impl Admin {
    /// Everybody who may be behind an entry.
    ///
    /// # Errors
    /// When the records cannot be read.
    pub fn who_is_who(&self) -> Result<Names, Failure> {
        let users = self.node.accounts.users().map_err(could_not)?.into_iter();
        let users = users.map(|user| (self.node.subjects.user_pseudonym(user.id).0, user.name)).collect();
        Ok(Names { keys: self.key_names()?, users })
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
