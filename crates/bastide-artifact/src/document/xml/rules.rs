//! What XML does that no model needs.

use bastide_types::{Assessment, Rule, Severity};

/// Entities from elsewhere.
pub(crate) const EXTERNAL_ENTITY: Rule = Rule {
    id: "xml.external-entity",
    severity: Severity::Critical,
    effect: Assessment::Malicious,
    title: "XML takes in a file or address",
    why: "a parser that resolves it reads files of the host or asks servers in its network",
    fix: "do not load the file; a model needs no document type",
    cwe: &[611],
    atlas: &["AML.T0010.003"],
};

/// Entities that grow.
pub(crate) const ENTITY_BOMB: Rule = Rule {
    id: "xml.entity-bomb",
    severity: Severity::High,
    effect: Assessment::Malicious,
    title: "XML entities expand without measure",
    why: "a parser that expands them fills its memory",
    fix: "do not load the file",
    cwe: &[776],
    atlas: &["AML.T0029"],
};

/// A document type.
pub(crate) const DOCTYPE: Rule = Rule {
    id: "xml.doctype",
    severity: Severity::Low,
    effect: Assessment::Clean,
    title: "XML has a document type",
    why: "writers of models leave it out; parsers differ in what they do with it",
    fix: "nothing",
    cwe: &[],
    atlas: &[],
};

/// A document type, or a part of the document, that lies elsewhere.
pub(crate) const DOCTYPE_ELSEWHERE: Rule = Rule {
    id: "xml.external-doctype",
    severity: Severity::Low,
    effect: Assessment::Review,
    title: "XML takes declarations or parts from elsewhere",
    why: "what the document says is not all in the file that was scanned and signed; a parser that resolves it asks a \
          server or reads another file",
    fix: "remove the document type, or scan the other file as well",
    cwe: &[829],
    atlas: &["AML.T0010.003"],
};

/// A style sheet from elsewhere.
pub(crate) const STYLESHEET: Rule = Rule {
    id: "xml.stylesheet",
    severity: Severity::Medium,
    effect: Assessment::Review,
    title: "XML asks for a style sheet",
    why: "a browser fetches it and runs what it says",
    fix: "remove the instruction",
    cwe: &[829],
    atlas: &["AML.T0010.003"],
};

/// A function of the host's language.
pub(crate) const FUNCTION: Rule = Rule {
    id: "xml.function",
    severity: Severity::Medium,
    effect: Assessment::Review,
    title: "model calls a function outside of its format",
    why: "scoring engines look such names up as classes and call them",
    fix: "see what the function does, or ask for a model with built-in functions",
    cwe: &[470],
    atlas: &["AML.T0010.003"],
};

/// Code.
pub(crate) const CODE: Rule = Rule {
    id: "xml.code",
    severity: Severity::Critical,
    effect: Assessment::Malicious,
    title: "XML carries code that runs commands",
    why: "extensions and style sheets hand it to an interpreter",
    fix: "do not load the model",
    cwe: &[94],
    atlas: &["AML.T0010.003", "AML.T0011.000"],
};

/// A place that cannot be.
pub(crate) const BOUNDS: Rule = Rule {
    id: "xml.bounds",
    severity: Severity::High,
    effect: Assessment::Malicious,
    title: "network reads constants at an impossible place",
    why: "offset and size wrap around in the loader's sum, which then reads memory outside of the weights",
    fix: "do not load the model",
    cwe: &[190, 125],
    atlas: &["AML.T0010.003"],
};

/// An operator of an extension.
pub(crate) const CUSTOM_OPERATOR: Rule = Rule {
    id: "xml.custom-operator",
    severity: Severity::Medium,
    effect: Assessment::Review,
    title: "network uses an operator that an extension library must bring",
    why: "what the operator does is decided by native code that is not in the file",
    fix: "see which library registers the operator",
    cwe: &[829],
    atlas: &["AML.T0010.003"],
};
