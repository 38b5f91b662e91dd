//! Organisations and projects, and the ones a new installation begins with.

use bastide_store::{NewProject, OrganisationRow, ProjectRow};
use bastide_types::{OrganisationId, ProjectId};

use crate::error::IdentityError;
use crate::identity::Identity;
use crate::name;

/// The name of the organisation and of the project that a new installation begins with.
const DEFAULT: &str = "default";

/// The organisation and the project of someone who named none.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Defaults {
    /// The organisation.
    pub organisation: OrganisationId,
    /// The project.
    pub project: ProjectId,
}

/// A change that is about to be made, to be announced in the log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Intent {
    /// `organisation.create`, `project.create`.
    pub action: &'static str,
    /// The id of the thing to be.
    pub resource: String,
}

impl Identity {
    /// Makes the default organisation and project where they are missing, each announced by `intend`, which gives the
    /// index of its log entry. Interrupted, it goes on where it was.
    ///
    /// # Errors
    /// What `intend` fails with, or the database.
    pub fn bootstrap<E: From<IdentityError>>(
        &self,
        mut intend: impl FnMut(Intent) -> Result<u64, E>,
    ) -> Result<Defaults, E> {
        let organisations = self.organisations()?;
        // The oldest is the default also after it was renamed.
        let organisation = match organisations.first() {
            Some(row) => row.id,
            None => {
                let id = OrganisationId::from_bytes(self.fresh());
                let index = intend(Intent { action: "organisation.create", resource: id.to_string() })?;
                self.store.add_organisation(id, DEFAULT, self.now(), index).map_err(IdentityError::from)?;
                id
            }
        };
        let projects = self.projects()?;
        let project = match projects.iter().find(|p| p.organisation == organisation) {
            Some(row) => row.id,
            None => {
                let id = ProjectId::from_bytes(self.fresh());
                let index = intend(Intent { action: "project.create", resource: id.to_string() })?;
                self.add_project(id, organisation, DEFAULT, index)?.id
            }
        };
        Ok(Defaults { organisation, project })
    }

    /// A new project.
    ///
    /// # Errors
    /// When the name cannot be used or is taken, there is no such organisation, or the database fails.
    pub fn create_project(
        &self,
        organisation: OrganisationId,
        name: &str,
        intent_index: u64,
    ) -> Result<ProjectRow, IdentityError> {
        self.add_project(ProjectId::from_bytes(self.fresh()), organisation, name, intent_index)
    }

    fn add_project(
        &self,
        id: ProjectId,
        organisation: OrganisationId,
        name: &str,
        intent_index: u64,
    ) -> Result<ProjectRow, IdentityError> {
        name::check("project", name)?;
        let at = self.now();
        self.store.add_project(NewProject { id, organisation, name }, at, intent_index)?;
        self.insert_project(id, organisation);
        Ok(ProjectRow { id, organisation, name: name.to_owned(), created_at: at, intent_index })
    }

    /// A new organisation.
    ///
    /// # Errors
    /// When the name cannot be used or is taken, or the database fails.
    pub fn create_organisation(
        &self,
        name: &str,
        intent_index: u64,
    ) -> Result<OrganisationRow, IdentityError> {
        name::check("organisation", name)?;
        let (id, at) = (OrganisationId::from_bytes(self.fresh()), self.now());
        self.store.add_organisation(id, name, at, intent_index)?;
        Ok(OrganisationRow { id, name: name.to_owned(), created_at: at, intent_index })
    }

    /// All organisations, oldest first.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub fn organisations(&self) -> Result<Vec<OrganisationRow>, IdentityError> {
        Ok(self.store.organisations()?)
    }

    /// All projects, oldest first.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub fn projects(&self) -> Result<Vec<ProjectRow>, IdentityError> {
        Ok(self.store.projects()?)
    }

    fn fresh(&self) -> [u8; 16] {
        let mut id = [0; 16];
        self.random.fill(&mut id);
        id
    }
}
