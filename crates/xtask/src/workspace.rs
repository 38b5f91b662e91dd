//! What cargo knows of this workspace.

use std::path::PathBuf;

use serde_json::Value;

use crate::shell::{Fallible, capture, cargo};

/// The repository's folder.
pub(crate) fn root() -> PathBuf {
    // `crates/xtask`, two floors up. Where the checkout was moved after building, cargo builds anew.
    let manifest = PathBuf::from(env!("CARGO_MANIFEST_DIR"));
    manifest.ancestors().nth(2).map_or_else(|| manifest.clone(), PathBuf::from)
}

/// `cargo metadata` of the workspace's own crates.
pub(crate) fn metadata() -> Fallible<Value> {
    let mut command = cargo();
    command.current_dir(root()).args(["metadata", "--format-version", "1", "--no-deps", "--locked"]);
    let text = capture(&mut command)?;
    serde_json::from_str(&text).map_err(|e| format!("cargo metadata is not JSON: {e}"))
}

/// The target folder in force.
pub(crate) fn target_folder() -> Fallible<PathBuf> {
    let metadata = metadata()?;
    metadata["target_directory"]
        .as_str()
        .map(PathBuf::from)
        .ok_or_else(|| "cargo names no target folder".to_owned())
}

/// Whether this runs in CI, where nothing may be skipped.
pub(crate) fn in_ci() -> bool {
    std::env::var("CI").is_ok_and(|value| !value.is_empty() && value != "false" && value != "0")
}

/// Whether the workspace has a crate of this name.
pub(crate) fn has_crate(name: &str) -> bool {
    root().join("crates").join(name).join("Cargo.toml").is_file()
}
