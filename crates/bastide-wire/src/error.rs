//! What is wrong with a document, and where.

use std::borrow::Cow;

use bastide_types::{Fault, Problem, Retry};

/// A document that is refused, or an edit that cannot be made.
///
/// The path is made of protocol names and array positions only: an unknown key may itself be personal data, so the
/// error then names the object that holds it and the byte offset.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{detail} (byte {offset}{})", Place(.path))]
pub struct WireError {
    /// Stable, dotted; one of the constants of [`WireError`].
    pub code: &'static str,
    /// JSON pointer (RFC 6901) of the offending value; empty for the whole document.
    pub path: String,
    /// Byte offset in the document.
    pub offset: usize,
    /// One sentence without payload.
    pub detail: Cow<'static, str>,
}

impl WireError {
    /// Not JSON (RFC 8259).
    pub const SYNTAX: &'static str = "wire.syntax";
    /// Not UTF-8, or an escape for half a surrogate pair.
    pub const UTF8: &'static str = "wire.utf8";
    /// Over one of the [`crate::Limits`].
    pub const LIMIT: &'static str = "wire.limit";
    /// A key stands twice in a protocol object, perhaps in another case.
    pub const DUPLICATE_KEY: &'static str = "wire.duplicate_key";
    /// A protocol name in the wrong case.
    pub const KEY_CASE: &'static str = "wire.key_case";
    /// A value of the wrong type.
    pub const TYPE: &'static str = "wire.type";
    /// A value outside the known ones.
    pub const VALUE: &'static str = "wire.value";
    /// A required field is absent.
    pub const MISSING: &'static str = "wire.missing_field";
    /// An edit that does not fit the document.
    pub const EDIT: &'static str = "wire.edit";
    /// A server-sent event over the decoder's limit.
    pub const EVENT_SIZE: &'static str = "wire.event_size";

    pub(crate) fn at(code: &'static str, offset: usize, detail: impl Into<Cow<'static, str>>) -> Self {
        WireError { code, path: String::new(), offset, detail: detail.into() }
    }

    pub(crate) fn edit(offset: usize, detail: &'static str) -> Self {
        WireError::at(WireError::EDIT, offset, detail)
    }

    /// The refusal for the caller who sent the document: status 400, naming the field. An edit that does not fit is
    /// our own mistake: status 500.
    #[must_use]
    pub fn to_problem(&self) -> Problem {
        let (status, fault) =
            if self.code == WireError::EDIT { (500, Fault::Us) } else { (400, Fault::Client) };
        let detail = format!("{} (at byte {})", self.detail, self.offset);
        let problem = Problem::new(self.code, status, fault, Retry::Never, detail);
        if self.path.is_empty() { problem } else { problem.at(self.path.clone()) }
    }
}

struct Place<'a>(&'a str);

impl std::fmt::Display for Place<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        if self.0.is_empty() { Ok(()) } else { write!(f, " at `{}`", self.0) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn says_where_and_whose_fault() {
        let e = WireError {
            code: WireError::TYPE,
            path: "/messages/0/role".to_owned(),
            offset: 7,
            detail: "expected a string".into(),
        };
        assert_eq!(e.to_string(), "expected a string (byte 7 at `/messages/0/role`)");
        let p = e.to_problem();
        assert_eq!((p.status, p.field.as_deref()), (400, Some("/messages/0/role")));
        assert_eq!(WireError::edit(0, "x").to_problem().status, 500);
    }
}
