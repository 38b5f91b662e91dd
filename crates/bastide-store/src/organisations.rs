//! Organisations and their projects.

use bastide_types::{OrganisationId, ProjectId, Timestamp};
use rusqlite::Row;

use crate::database::{Store, is_dangling, is_duplicate};
use crate::error::StoreError;
use crate::sql::{instant, timestamp, unsigned};

/// An organisation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OrganisationRow {
    /// Its id.
    pub id: OrganisationId,
    /// Its name, unique.
    pub name: String,
    /// When it was made.
    pub created_at: Timestamp,
    /// The log entry that announced it.
    pub intent_index: u64,
}

/// A project.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProjectRow {
    /// Its id.
    pub id: ProjectId,
    /// Whose it is.
    pub organisation: OrganisationId,
    /// Its name, unique in the organisation.
    pub name: String,
    /// When it was made.
    pub created_at: Timestamp,
    /// The log entry that announced it.
    pub intent_index: u64,
}

/// A project to be.
#[derive(Clone, Copy, Debug)]
pub struct NewProject<'a> {
    /// Its id.
    pub id: ProjectId,
    /// Whose it is.
    pub organisation: OrganisationId,
    /// Its name.
    pub name: &'a str,
}

fn organisation(row: &Row<'_>) -> rusqlite::Result<OrganisationRow> {
    Ok(OrganisationRow {
        id: OrganisationId::from_bytes(row.get(0)?),
        name: row.get(1)?,
        created_at: timestamp(row, 2)?,
        intent_index: unsigned(row, 3)?,
    })
}

fn project(row: &Row<'_>) -> rusqlite::Result<ProjectRow> {
    Ok(ProjectRow {
        id: ProjectId::from_bytes(row.get(0)?),
        organisation: OrganisationId::from_bytes(row.get(1)?),
        name: row.get(2)?,
        created_at: timestamp(row, 3)?,
        intent_index: unsigned(row, 4)?,
    })
}

impl Store {
    /// Adds an organisation.
    ///
    /// # Errors
    /// When the name or id is taken, or the database fails.
    pub fn add_organisation(
        &self,
        id: OrganisationId,
        name: &str,
        at: Timestamp,
        intent_index: u64,
    ) -> Result<(), StoreError> {
        let at = instant(at)?;
        self.change(intent_index, "organisation.create", |tx, intent| {
            tx.prepare_cached("INSERT INTO organisations VALUES (?1, ?2, ?3, ?4)")
                .and_then(|mut s| s.execute((id.as_bytes(), name, at, intent)))
                .map_err(|e| match e {
                    e if is_duplicate(&e) => {
                        StoreError::Duplicate { what: "organisation", name: name.into() }
                    }
                    e => self.error(e),
                })?;
            Ok(())
        })
    }

    /// Adds a project.
    ///
    /// # Errors
    /// When the name is taken in the organisation, there is no such organisation, or the database fails.
    pub fn add_project(
        &self,
        new: NewProject<'_>,
        at: Timestamp,
        intent_index: u64,
    ) -> Result<(), StoreError> {
        let at = instant(at)?;
        self.change(intent_index, "project.create", |tx, intent| {
            tx.prepare_cached("INSERT INTO projects VALUES (?1, ?2, ?3, ?4, ?5)")
                .and_then(|mut s| {
                    s.execute((new.id.as_bytes(), new.organisation.as_bytes(), new.name, at, intent))
                })
                .map_err(|e| match e {
                    e if is_duplicate(&e) => StoreError::Duplicate { what: "project", name: new.name.into() },
                    e if is_dangling(&e) => {
                        StoreError::Unknown { what: "organisation", id: new.organisation.to_string() }
                    }
                    e => self.error(e),
                })?;
            Ok(())
        })
    }

    /// All organisations, oldest first.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub fn organisations(&self) -> Result<Vec<OrganisationRow>, StoreError> {
        self.rows(
            "SELECT id, name, created_at, intent_index FROM organisations ORDER BY intent_index",
            [],
            organisation,
        )
    }

    /// All projects, oldest first.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub fn projects(&self) -> Result<Vec<ProjectRow>, StoreError> {
        self.rows(
            "SELECT id, organisation_id, name, created_at, intent_index FROM projects ORDER BY intent_index",
            [],
            project,
        )
    }

    /// One project.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub fn project(&self, id: ProjectId) -> Result<Option<ProjectRow>, StoreError> {
        self.row(
            "SELECT id, organisation_id, name, created_at, intent_index FROM projects WHERE id = ?1",
            [id.as_bytes()],
            project,
        )
    }
}
