//! The schema, as the steps that lead to it. A step, once released, never changes.

/// "BSTD": tells our files from other programs' SQLite databases.
pub(crate) const APPLICATION_ID: i64 = 0x4253_5444;

/// Step `n` leads from `user_version` n to n + 1.
pub(crate) const STEPS: &[&str] = &[FIRST];

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
