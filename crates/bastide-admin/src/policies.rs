//! Policy texts: those in force, those of before, and whether a text holds.

use std::sync::Arc;

use bastide_identity::Authorized;
use bastide_policy::PolicySet;

use crate::admin::Admin;
use crate::bodies::off_the_runtime;
use crate::failure::{Failure, could_not};
use crate::versions::PolicyVersion;

/// The policies in force.
#[derive(Clone, Debug)]
pub struct PolicyInForce {
    /// The version, with its text.
    pub version: PolicyVersion,
    /// What is probably not meant, and what is named that there is not.
    pub warnings: Vec<Remark>,
}

/// Something about a place in a policy text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Remark {
    /// The line, from 1, where it is known.
    pub line: Option<usize>,
    /// The column, from 1, in characters.
    pub column: Option<usize>,
    /// What there is to say, place included.
    pub says: String,
}

/// Whether a policy text holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PolicyChecked {
    /// It does.
    Holds {
        /// How many policies there are.
        policies: usize,
        /// What is probably not meant.
        warnings: Vec<Remark>,
    },
    /// It does not, and why.
    Wrong(Vec<Remark>),
}

impl Admin {
    /// The policies in force.
    ///
    /// # Errors
    /// When the records cannot be read.
    pub async fn policy_in_force(self: &Arc<Self>) -> Result<PolicyInForce, Failure> {
        let version = self.policies_now()?;
        let warnings = match self.check_policies(version.text.clone()).await? {
            PolicyChecked::Holds { warnings, .. } => warnings,
            PolicyChecked::Wrong(problems) => problems,
        };
        Ok(PolicyInForce { version, warnings })
    }

    /// The text of the policies in force.
    ///
    /// # Errors
    /// When the records cannot be read.
    pub fn policy_text(&self) -> Result<String, Failure> {
        Ok(self.policies_now()?.text)
    }

    /// Checks a text against the schema and the names that there are. Nothing is put in force.
    ///
    /// # Errors
    /// When the records cannot be read.
    pub async fn check_policies(self: &Arc<Self>, text: String) -> Result<PolicyChecked, Failure> {
        // A text of megabytes takes seconds to parse.
        let admin = Arc::clone(self);
        off_the_runtime(move || admin.checked(&text)).await?
    }

    fn checked(&self, text: &str) -> Result<PolicyChecked, Failure> {
        let set = match PolicySet::parse(text) {
            Ok(set) => set,
            Err(error) => {
                let problems = error.problems().iter().map(|p| Remark {
                    line: Some(p.line),
                    column: Some(p.column),
                    says: p.to_string(),
                });
                return Ok(PolicyChecked::Wrong(problems.collect()));
            }
        };
        let lints = set.lints().iter().map(|lint| Remark {
            line: lint.policy.as_ref().map(|_| lint.line),
            column: None,
            says: lint.to_string(),
        });
        let missing = self.names()?.missing_in(text).into_iter().map(|says| {
            let line = says.strip_prefix("line ").and_then(|rest| rest.split(':').next()?.parse().ok());
            Remark { line, column: None, says }
        });
        Ok(PolicyChecked::Holds { policies: set.len(), warnings: lints.chain(missing).collect() })
    }

    /// The name of whoever asks; `None`: the operator on this machine.
    ///
    /// # Errors
    /// When the records cannot be read.
    pub fn name_of(&self, by: &Authorized) -> Result<Option<String>, Failure> {
        let Some(id) = by.user() else { return Ok(None) };
        let users = self.node.accounts.users().map_err(could_not)?;
        Ok(users.into_iter().find(|user| user.id == id).map(|user| user.name))
    }
}
