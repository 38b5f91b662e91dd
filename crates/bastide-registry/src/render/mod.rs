//! The forms in which a scan is handed on.

mod cyclonedx;
mod json;
mod junit;
mod sarif;
mod schema;

use std::path::Path;

use bastide_code::dependencies::{Ecosystem, Package};
use bastide_types::{Rule, Severity};

pub use cyclonedx::cyclonedx;
pub use json::{json, rules_json};
pub use junit::junit;
pub use sarif::sarif;
pub use schema::json_schema;

/// Every rule that a finding of a scan may have.
pub fn rules() -> impl Iterator<Item = &'static Rule> {
    bastide_artifact::rules().chain(crate::scan::RULES.iter().copied())
}

/// The name of a severity in output.
#[must_use]
pub const fn severity(severity: Severity) -> &'static str {
    match severity {
        Severity::Low => "low",
        Severity::Medium => "medium",
        Severity::High => "high",
        Severity::Critical => "critical",
    }
}

/// Lower-case hexadecimal.
#[must_use]
pub fn hex(bytes: &[u8]) -> String {
    use std::fmt::Write as _;
    bytes.iter().fold(String::with_capacity(bytes.len() * 2), |mut out, byte| {
        let _ = write!(out, "{byte:02x}");
        out
    })
}

/// A package URL (ECMA-427): `pkg:pypi/scikit-learn@1.0`, `pkg:npm/%40scope/name@1.0`.
pub(crate) fn purl(package: &Package) -> String {
    let escaped = |text: &str| -> String {
        text.bytes()
            .map(|byte| match byte {
                byte if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) => {
                    char::from(byte).to_string()
                }
                // Between the scope of npm and the name.
                b'/' if package.ecosystem == Ecosystem::Npm => "/".to_owned(),
                byte => format!("%{byte:02X}"),
            })
            .collect()
    };
    let url = format!("pkg:{}/{}", package.ecosystem.purl_type(), escaped(&package.name));
    if package.version.is_empty() { url } else { format!("{url}@{}", escaped(&package.version)) }
}

/// A path as a relative or absolute URI reference (RFC 3986): every byte that is not unreserved is escaped.
fn uri(path: &Path) -> String {
    use std::fmt::Write as _;
    let bytes = path.as_os_str().as_encoded_bytes();
    let mut out = String::with_capacity(bytes.len());
    if bytes.first() == Some(&b'/') {
        out.push_str("file://");
    }
    for &byte in bytes.strip_prefix(b"./").unwrap_or(bytes) {
        if byte.is_ascii_alphanumeric() || b"-._~/".contains(&byte) {
            out.push(char::from(byte));
        } else {
            let _ = write!(out, "%{byte:02X}");
        }
    }
    out
}
