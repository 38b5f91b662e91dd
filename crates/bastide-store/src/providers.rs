//! Providers: where calls go, and where the credential comes from.

use bastide_types::{ProjectId, ProviderId, Timestamp};
use rusqlite::{Row, named_params};

use crate::database::{Store, is_dangling, is_duplicate};
use crate::error::StoreError;
use crate::sql::{instant, timestamp, timestamp_opt, unsigned, unsigned_opt};

/// Where the credential for a provider comes from. Never from a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CredentialSource {
    /// The provider asks for none.
    None,
    /// An environment variable of the server.
    Env(String),
    /// A file on the server.
    File(String),
    /// Sealed under the root key, in the row.
    Sealed(Vec<u8>),
}

impl CredentialSource {
    fn parts(&self) -> (String, Option<&[u8]>) {
        match self {
            CredentialSource::None => ("none".to_owned(), None),
            CredentialSource::Env(name) => (format!("env:{name}"), None),
            CredentialSource::File(path) => (format!("file:{path}"), None),
            CredentialSource::Sealed(blob) => ("sealed".to_owned(), Some(blob)),
        }
    }

    fn from_parts(text: &str, sealed: Option<Vec<u8>>) -> Option<Self> {
        match (text, sealed) {
            ("none", None) => Some(CredentialSource::None),
            ("sealed", Some(blob)) => Some(CredentialSource::Sealed(blob)),
            (text, None) => match text.split_once(':')? {
                ("env", name) => Some(CredentialSource::Env(name.to_owned())),
                ("file", path) => Some(CredentialSource::File(path.to_owned())),
                _ => None,
            },
            _ => None,
        }
    }
}

/// A provider.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProviderRow {
    /// Its id.
    pub id: ProviderId,
    /// Whose it is; `None` is shared by all.
    pub project: Option<ProjectId>,
    /// Its name, unique among those in use.
    pub name: String,
    /// Where it is, as an SDK takes it: `https://api.openai.com/v1`.
    pub base_url: String,
    /// Where its credential comes from.
    pub credential: CredentialSource,
    /// When it was added.
    pub created_at: Timestamp,
    /// When it was removed.
    pub removed_at: Option<Timestamp>,
    /// The log entry that announced it.
    pub intent_index: u64,
    /// The log entry that announced its removal.
    pub remove_intent_index: Option<u64>,
}

/// A provider to be.
#[derive(Clone, Debug)]
pub struct NewProvider<'a> {
    /// Its id.
    pub id: ProviderId,
    /// Whose it is; `None` is shared by all.
    pub project: Option<ProjectId>,
    /// Its name.
    pub name: &'a str,
    /// Where it is.
    pub base_url: &'a str,
    /// Where its credential comes from.
    pub credential: &'a CredentialSource,
}

const COLUMNS: &str = "id, project_id, name, base_url, credential, sealed, created_at, removed_at, intent_index, \
    remove_intent_index";

fn provider(row: &Row<'_>) -> rusqlite::Result<ProviderRow> {
    let source: String = row.get(4)?;
    let credential = CredentialSource::from_parts(&source, row.get(5)?).ok_or_else(|| {
        rusqlite::Error::InvalidColumnType(4, "credential".into(), rusqlite::types::Type::Text)
    })?;
    Ok(ProviderRow {
        id: ProviderId::from_bytes(row.get(0)?),
        project: row.get::<_, Option<[u8; 16]>>(1)?.map(ProjectId::from_bytes),
        name: row.get(2)?,
        base_url: row.get(3)?,
        credential,
        created_at: timestamp(row, 6)?,
        removed_at: timestamp_opt(row, 7)?,
        intent_index: unsigned(row, 8)?,
        remove_intent_index: unsigned_opt(row, 9)?,
    })
}

impl Store {
    /// Adds a provider.
    ///
    /// # Errors
    /// When a provider in use has the name, the name cannot stand in a policy, there is no such project, or the
    /// database fails.
    pub fn add_provider(
        &self,
        new: &NewProvider<'_>,
        at: Timestamp,
        intent_index: u64,
    ) -> Result<(), StoreError> {
        // Policies call a model `provider/model`: a `/` in the provider would let two models share a name.
        let fits = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || "-_.".contains(c);
        if !(1..=64).contains(&new.name.len()) || !new.name.chars().all(fits) {
            return Err(StoreError::Invalid {
                what: "a provider's name",
                detail: format!(
                    "`{}` is not 1 to 64 lower-case letters, digits and `-_.`",
                    new.name.chars().filter(|c| !c.is_control()).take(64).collect::<String>()
                ),
            });
        }
        let at = instant(at)?;
        let (credential, sealed) = new.credential.parts();
        self.change(intent_index, "provider.add", |tx, intent| {
            tx.prepare_cached(
                "INSERT INTO providers (id, project_id, name, base_url, credential, sealed, created_at, intent_index) \
                 VALUES (:id, :project, :name, :base_url, :credential, :sealed, :at, :intent)",
            )
            .and_then(|mut s| {
                s.execute(named_params! {
                    ":id": new.id.as_bytes(), ":project": new.project.as_ref().map(ProjectId::as_bytes),
                    ":name": new.name, ":base_url": new.base_url, ":credential": credential, ":sealed": sealed,
                    ":at": at, ":intent": intent,
                })
            })
            .map_err(|e| match e {
                e if is_duplicate(&e) => StoreError::Duplicate { what: "provider", name: new.name.into() },
                e if is_dangling(&e) => StoreError::Unknown {
                    what: "project",
                    id: new.project.map(|p| p.to_string()).unwrap_or_default(),
                },
                e => self.error(e),
            })?;
            Ok(())
        })
    }

    /// Takes a provider out of use, by name; a sealed credential is wiped from the row.
    ///
    /// # Errors
    /// When no provider in use has the name, or the database fails.
    pub fn remove_provider(&self, name: &str, at: Timestamp, intent_index: u64) -> Result<(), StoreError> {
        let at = instant(at)?;
        self.change(intent_index, "provider.remove", |tx, intent| {
            let changed = tx
                .prepare_cached(
                    "UPDATE providers SET removed_at = ?2, remove_intent_index = ?3, sealed = NULL, credential = \
                     CASE credential WHEN 'sealed' THEN 'none' ELSE credential END \
                     WHERE name = ?1 AND removed_at IS NULL",
                )
                .and_then(|mut s| s.execute((name, at, intent)))
                .map_err(|e| self.error(e))?;
            if changed == 0 {
                return Err(StoreError::Unknown { what: "provider", id: name.to_owned() });
            }
            Ok(())
        })
    }

    /// The providers in use, oldest first.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub fn providers(&self) -> Result<Vec<ProviderRow>, StoreError> {
        self.rows(
            &format!("SELECT {COLUMNS} FROM providers WHERE removed_at IS NULL ORDER BY intent_index"),
            [],
            provider,
        )
    }

    /// All providers, removed ones included, oldest first.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub fn all_providers(&self) -> Result<Vec<ProviderRow>, StoreError> {
        self.rows(&format!("SELECT {COLUMNS} FROM providers ORDER BY intent_index"), [], provider)
    }
}
