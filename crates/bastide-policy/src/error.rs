//! A policy text that cannot be used: every reason with its place and its remedy.

use std::borrow::Cow;
use std::fmt;

use bastide_types::{Fault, Problem, Retry};

/// One thing wrong with a policy text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PolicyProblem {
    /// The policy's id, where one could be established.
    pub policy: Option<String>,
    /// Line, from 1.
    pub line: usize,
    /// Column, from 1, in characters.
    pub column: usize,
    /// What is wrong.
    pub detail: String,
    /// What to do about it.
    pub remedy: Cow<'static, str>,
}

impl fmt::Display for PolicyProblem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(id) = &self.policy {
            write!(f, "policy `{id}`, ")?;
        }
        write!(f, "line {}, column {}: {}", self.line, self.column, self.detail)?;
        if !self.remedy.is_empty() {
            write!(f, "; {}", self.remedy)?;
        }
        Ok(())
    }
}

/// The text is not a usable policy set. Nothing of it is in force.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PolicyError {
    problems: Vec<PolicyProblem>,
    omitted: usize,
}

impl PolicyError {
    /// Problems kept; a text in another language yields one per line.
    const MAX: usize = 20;

    pub(crate) fn new(problems: impl IntoIterator<Item = PolicyProblem>) -> Self {
        let mut problems: Vec<_> = problems.into_iter().collect();
        problems.sort_by_key(|p| (p.line, p.column));
        let omitted = problems.len().saturating_sub(Self::MAX);
        problems.truncate(Self::MAX);
        PolicyError { problems, omitted }
    }

    /// The problems in the order of the text; at least one, at most 20.
    #[must_use]
    pub fn problems(&self) -> &[PolicyProblem] {
        &self.problems
    }

    /// As a caller of the management API sees it.
    #[must_use]
    pub fn to_problem(&self) -> Problem {
        let problem = Problem::new("policy.invalid", 400, Fault::Client, Retry::Never, self.to_string());
        match self.problems.first() {
            Some(p) => problem.at(format!("{}:{}", p.line, p.column)),
            None => problem,
        }
    }
}

impl fmt::Display for PolicyError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (i, problem) in self.problems.iter().enumerate() {
            if i > 0 {
                f.write_str("\n")?;
            }
            write!(f, "{problem}")?;
        }
        if self.omitted > 0 {
            write!(f, "\nand {} more", self.omitted)?;
        }
        Ok(())
    }
}

impl std::error::Error for PolicyError {}
