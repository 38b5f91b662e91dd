//! The schema, as the steps that lead to it. A step, once released, never changes.

/// "BSTD": tells our files from other programs' SQLite databases.
pub(crate) const APPLICATION_ID: i64 = 0x4253_5444;

/// Step `n` leads from `user_version` n to n + 1.
pub(crate) const STEPS: &[&str] = &[FIRST, SECOND];

// STRICT tables: a value of the wrong type is an error when written, not a surprise when read. Ids are 16 bytes,
// instants microseconds since the Unix epoch, `intent_index` the log's leaf that announced the change.
const FIRST: &str = r"
CREATE TABLE applied (
    intent_index INTEGER PRIMARY KEY CHECK (intent_index >= 0),
    action       TEXT NOT NULL
) STRICT;

CREATE TABLE organisations (
    id           BLOB PRIMARY KEY CHECK (length(id) = 16),
    name         TEXT NOT NULL UNIQUE CHECK (name <> ''),
    created_at   INTEGER NOT NULL CHECK (created_at >= 0),
    intent_index INTEGER NOT NULL REFERENCES applied
) STRICT, WITHOUT ROWID;

CREATE TABLE projects (
    id              BLOB PRIMARY KEY CHECK (length(id) = 16),
    organisation_id BLOB NOT NULL REFERENCES organisations,
    name            TEXT NOT NULL CHECK (name <> ''),
    created_at      INTEGER NOT NULL CHECK (created_at >= 0),
    intent_index    INTEGER NOT NULL REFERENCES applied,
    UNIQUE (organisation_id, name)
) STRICT, WITHOUT ROWID;

CREATE TABLE keys (
    id                  BLOB PRIMARY KEY CHECK (length(id) = 16),
    project_id          BLOB NOT NULL REFERENCES projects,
    name                TEXT NOT NULL CHECK (name <> ''),
    hint                TEXT NOT NULL,
    lookup              BLOB NOT NULL UNIQUE CHECK (length(lookup) = 32),
    demo                INTEGER NOT NULL CHECK (demo IN (0, 1)),
    created_at          INTEGER NOT NULL CHECK (created_at >= 0),
    created_by          BLOB REFERENCES keys CHECK (length(created_by) = 16),
    expires_at          INTEGER CHECK (expires_at >= 0),
    revoked_at          INTEGER CHECK (revoked_at >= 0),
    requests_per_minute INTEGER CHECK (requests_per_minute >= 0),
    tokens_per_minute   INTEGER CHECK (tokens_per_minute >= 0),
    tokens_per_day      INTEGER CHECK (tokens_per_day >= 0),
    concurrency         INTEGER CHECK (concurrency >= 0),
    intent_index        INTEGER NOT NULL REFERENCES applied,
    revoke_intent_index INTEGER REFERENCES applied,
    CHECK ((revoked_at IS NULL) = (revoke_intent_index IS NULL))
) STRICT, WITHOUT ROWID;
CREATE INDEX keys_of_project ON keys (project_id);
CREATE INDEX keys_made_by ON keys (created_by) WHERE created_by IS NOT NULL;

CREATE TABLE providers (
    id                  BLOB PRIMARY KEY CHECK (length(id) = 16),
    project_id          BLOB REFERENCES projects,
    name                TEXT NOT NULL CHECK (name <> ''),
    base_url            TEXT NOT NULL CHECK (base_url <> ''),
    credential          TEXT NOT NULL,
    sealed              BLOB,
    created_at          INTEGER NOT NULL CHECK (created_at >= 0),
    removed_at          INTEGER CHECK (removed_at >= 0),
    intent_index        INTEGER NOT NULL REFERENCES applied,
    remove_intent_index INTEGER REFERENCES applied,
    CHECK ((credential = 'sealed') = (sealed IS NOT NULL)),
    CHECK ((removed_at IS NULL) = (remove_intent_index IS NULL))
) STRICT, WITHOUT ROWID;
-- A removed provider's name may be used again; its row stays, the log speaks of it.
CREATE UNIQUE INDEX providers_name ON providers (name) WHERE removed_at IS NULL;

CREATE TABLE policies (
    version      INTEGER PRIMARY KEY AUTOINCREMENT,
    text         TEXT NOT NULL,
    digest       BLOB NOT NULL CHECK (length(digest) = 32),
    set_at       INTEGER NOT NULL CHECK (set_at >= 0),
    active       INTEGER NOT NULL CHECK (active IN (0, 1)),
    intent_index INTEGER NOT NULL REFERENCES applied
) STRICT;
CREATE UNIQUE INDEX policies_active ON policies (active) WHERE active = 1;

CREATE TABLE sealed (
    name         TEXT PRIMARY KEY CHECK (name <> ''),
    blob         BLOB NOT NULL,
    set_at       INTEGER NOT NULL CHECK (set_at >= 0),
    intent_index INTEGER NOT NULL REFERENCES applied
) STRICT, WITHOUT ROWID;

CREATE TABLE meta (
    key   TEXT PRIMARY KEY CHECK (key <> ''),
    value TEXT NOT NULL
) STRICT, WITHOUT ROWID;
";

// People, their sessions, and the versions of the guard profile. What only takes something away from somebody (a code
// that is used up, the time a session was last seen) carries no intent: no one is granted anything by it.
const SECOND: &str = r"
CREATE TABLE users (
    id                   BLOB PRIMARY KEY CHECK (length(id) = 16),
    name                 TEXT NOT NULL CHECK (name <> ''),
    role                 TEXT NOT NULL,
    password             TEXT,
    totp                 BLOB,
    totp_last_step       INTEGER NOT NULL DEFAULT 0 CHECK (totp_last_step >= 0),
    totp_deferred        INTEGER NOT NULL DEFAULT 0 CHECK (totp_deferred IN (0, 1)),
    created_at           INTEGER NOT NULL CHECK (created_at >= 0),
    password_set_at      INTEGER NOT NULL CHECK (password_set_at >= 0),
    disabled_at          INTEGER CHECK (disabled_at >= 0),
    removed_at           INTEGER CHECK (removed_at >= 0),
    intent_index         INTEGER NOT NULL REFERENCES applied,
    change_intent_index  INTEGER REFERENCES applied,
    disable_intent_index INTEGER REFERENCES applied,
    remove_intent_index  INTEGER REFERENCES applied,
    CHECK ((disabled_at IS NULL) = (disable_intent_index IS NULL)),
    CHECK ((removed_at IS NULL) = (remove_intent_index IS NULL)),
    CHECK (removed_at IS NULL OR (password IS NULL AND totp IS NULL))
) STRICT, WITHOUT ROWID;
-- A removed person's name may be used again; the row stays, the log speaks of it.
CREATE UNIQUE INDEX users_name ON users (name) WHERE removed_at IS NULL;

CREATE TABLE recovery_codes (
    user_id BLOB NOT NULL REFERENCES users,
    lookup  BLOB NOT NULL CHECK (length(lookup) = 32),
    PRIMARY KEY (user_id, lookup)
) STRICT, WITHOUT ROWID;

CREATE TABLE sessions (
    id                  BLOB PRIMARY KEY CHECK (length(id) = 16),
    user_id             BLOB NOT NULL REFERENCES users,
    kind                TEXT NOT NULL CHECK (kind IN ('browser', 'token')),
    name                TEXT CHECK (name <> ''),
    role                TEXT,
    lookup              BLOB NOT NULL UNIQUE CHECK (length(lookup) = 32),
    created_at          INTEGER NOT NULL CHECK (created_at >= 0),
    authenticated_at    INTEGER NOT NULL CHECK (authenticated_at >= 0),
    seen_at             INTEGER NOT NULL CHECK (seen_at >= 0),
    expires_at          INTEGER NOT NULL CHECK (expires_at >= 0),
    revoked_at          INTEGER CHECK (revoked_at >= 0),
    user_agent          TEXT NOT NULL,
    address             TEXT NOT NULL,
    intent_index        INTEGER NOT NULL REFERENCES applied,
    revoke_intent_index INTEGER REFERENCES applied,
    CHECK ((kind = 'token') = (name IS NOT NULL)),
    CHECK ((kind = 'token') = (role IS NOT NULL)),
    CHECK ((revoked_at IS NULL) = (revoke_intent_index IS NULL))
) STRICT, WITHOUT ROWID;
CREATE INDEX sessions_of_user ON sessions (user_id);

CREATE TABLE guard_profiles (
    version      INTEGER PRIMARY KEY AUTOINCREMENT,
    text         TEXT NOT NULL,
    mode         TEXT NOT NULL,
    digest       BLOB NOT NULL CHECK (length(digest) = 32),
    set_at       INTEGER NOT NULL CHECK (set_at >= 0),
    set_by       TEXT,
    active       INTEGER NOT NULL CHECK (active IN (0, 1)),
    intent_index INTEGER NOT NULL REFERENCES applied
) STRICT;
CREATE UNIQUE INDEX guard_profiles_active ON guard_profiles (active) WHERE active = 1;

-- Absent for what was set before people had names here, and by the operator on the machine.
ALTER TABLE policies ADD COLUMN set_by TEXT;
";

#[cfg(test)]
mod tests {
    use bastide_types::{Digest, KeyId, Timestamp};
    use rusqlite::Connection;

    use super::*;
    use crate::Store;

    /// A database as the first version left it, with a row in every table.
    fn of_the_first_version(dir: &std::path::Path) {
        let db = Connection::open(dir.join("bastide.db")).unwrap();
        db.execute_batch(FIRST).unwrap();
        db.execute_batch(
            "INSERT INTO applied VALUES (0, 'organisation.create'), (1, 'project.create'), (2, 'key.create'), \
                 (3, 'provider.add'), (4, 'policy.set'), (5, 'policy.set'), (6, 'sealed.set');
             INSERT INTO organisations VALUES (zeroblob(16), 'acme', 1, 0);
             INSERT INTO projects VALUES (zeroblob(16), zeroblob(16), 'search', 2, 1);
             INSERT INTO keys (id, project_id, name, hint, lookup, demo, created_at, intent_index) \
                 VALUES (zeroblob(16), zeroblob(16), 'ci', 'bst_abc', zeroblob(32), 0, 3, 2);
             INSERT INTO providers (id, name, base_url, credential, sealed, created_at, intent_index) \
                 VALUES (zeroblob(16), 'openai', 'https://h/v1', 'sealed', x'00ff', 4, 3);
             INSERT INTO policies (text, digest, set_at, active, intent_index) \
                 VALUES ('permit', zeroblob(32), 5, 0, 4), ('forbid', zeroblob(32), 6, 1, 5);
             INSERT INTO sealed VALUES ('root', x'01', 7, 6);
             INSERT INTO meta VALUES ('node', 'n1');",
        )
        .unwrap();
        db.pragma_update(None, "application_id", APPLICATION_ID).unwrap();
        db.pragma_update(None, "user_version", 1).unwrap();
    }

    #[test]
    fn a_database_of_the_first_version_keeps_its_rows() {
        let dir = tempfile::tempdir().unwrap();
        of_the_first_version(dir.path());
        let store = Store::open(dir.path()).unwrap();
        assert_eq!(store.organisations().unwrap()[0].name, "acme");
        assert_eq!(store.projects().unwrap()[0].name, "search");
        assert_eq!(store.keys().unwrap()[0].id, KeyId::from_bytes([0; 16]));
        assert_eq!(store.providers().unwrap()[0].base_url, "https://h/v1");
        let policies = store.policies(9).unwrap();
        assert_eq!(policies.iter().map(|p| p.text.as_str()).collect::<Vec<_>>(), ["forbid", "permit"]);
        assert_eq!(policies[0].set_by, None);
        assert_eq!(store.sealed("root").unwrap(), Some(vec![1]));
        assert_eq!(store.meta("node").unwrap().as_deref(), Some("n1"));
        assert_eq!(store.last_intent().unwrap(), Some(6));
        assert_eq!(store.users().unwrap(), []);
        // What is new works in it, also after it was opened again.
        let at = Timestamp::from_micros(9);
        assert_eq!(store.set_policy_by("permit", Digest([0; 32]), Some("ada"), at, 7).unwrap(), 3);
        drop(store);
        let store = Store::open(dir.path()).unwrap();
        assert_eq!(store.active_policy().unwrap().unwrap().set_by.as_deref(), Some("ada"));
        let version: i64 = store.row("PRAGMA user_version", [], |row| row.get(0)).unwrap().unwrap();
        assert_eq!(version, 2);
    }
}
