//! The JSON Schema of `bastide scan --json`.

use serde_json::{Value, json};

use crate::warning::Concern;

/// The schema (draft 2020-12) of what [`json`](super::json()) gives. It allows what it does not name: later versions add
/// fields.
#[must_use]
pub fn json_schema() -> Value {
    json!({
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "bastide scan --json",
        "description": "One object for each scan. Fields are added in later versions, never renamed or removed.",
        "type": "object",
        "required": ["files", "summary"],
        "properties": {
            "files": {
                "type": "array",
                "items": {"$ref": "#/$defs/file"},
                "description": "Every file that was given or found, and every path that could not be read.",
            },
            "summary": {"$ref": "#/$defs/summary"},
        },
        "$defs": {
            "verdict": {
                "enum": ["clean", "review", "unfinished", "malicious"],
                "description": "clean: read to the end, and nothing acts when it is loaded; review: unknown, unusual or risky by design; unfinished: not read to the end; malicious: it runs code, reaches files, processes or the network, or attacks its loader.",
            },
            "severity": {"enum": ["low", "medium", "high", "critical"]},
            "file": file(),
            "finding": finding(),
            "package": package(),
            "summary": summary(),
        },
    })
}

fn file() -> Value {
    json!({
        "type": "object",
        "required": ["path", "place", "format", "verdict", "size", "findings"],
        "properties": {
            "path": {"type": "string", "description": "As it was given or found; `-` is the standard input."},
            "place": {
                "type": "string",
                "description": "The same file however its path was typed: from the working folder where it lies below, else absolute. Suppressions and baselines go by it.",
            },
            "format": {"type": "string", "description": "What the file is, by its content."},
            "verdict": {"$ref": "#/$defs/verdict"},
            "size": {"type": "integer", "minimum": 0, "description": "In bytes."},
            "sha256": {
                "type": "string",
                "pattern": "^[0-9a-f]{64}$",
                "description": "With `--digest`, `--cyclonedx`, or where a suppression asks for a content.",
            },
            "findings": {
                "type": "array",
                "items": {"$ref": "#/$defs/finding"},
                "description": "Worst first.",
            },
            "more_findings": {
                "type": "integer",
                "minimum": 1,
                "description": "Findings beyond the most that are kept of one file. They count for the verdict.",
            },
        },
    })
}

fn finding() -> Value {
    json!({
        "type": "object",
        "required": ["id", "severity", "verdict", "message", "offset", "cwe", "atlas", "why", "fix"],
        "properties": {
            "id": {"type": "string", "description": "The rule: `family.kind`. `bastide scan --rules ID` explains it."},
            "severity": {"$ref": "#/$defs/severity"},
            "verdict": {"$ref": "#/$defs/verdict"},
            "message": {"type": "string", "description": "This case of it, in a sentence."},
            "offset": {
                "type": ["integer", "null"],
                "minimum": 0,
                "description": "Of its first byte within the file, or within the innermost of `members`. In a text, within the text as it is decoded.",
            },
            "line": {
                "type": "integer",
                "minimum": 1,
                "description": "Where the file is a text and the finding lies in the file itself.",
            },
            "members": {
                "type": "array",
                "items": {"type": "string"},
                "description": "What of an archive leads to it, outermost first. Not there for the file itself.",
            },
            "call": {"type": "string", "description": "The call that loading would make, as Python writes it."},
            "count": {"type": "integer", "minimum": 2, "description": "How often it was found; `offset` is the first."},
            "cwe": {"type": "array", "items": {"type": "integer"}, "description": "Numbers of the CWE list."},
            "atlas": {"type": "array", "items": {"type": "string"}, "description": "Ids of MITRE ATLAS."},
            "why": {"type": "string", "description": "Why the rule matters."},
            "fix": {"type": "string", "description": "What to do about it."},
            "package": {"$ref": "#/$defs/package"},
            "suppressed": {
                "type": "object",
                "required": ["reason", "expires"],
                "properties": {
                    "reason": {"type": "string"},
                    "expires": {"type": ["string", "null"], "description": "The last day; null for a baseline."},
                },
                "description": "Where the finding is accepted: it counts for no verdict.",
            },
        },
    })
}

fn package() -> Value {
    let texts = json!({"type": "array", "items": {"type": "string"}});
    json!({
        "type": "object",
        "required": ["ecosystem", "name", "version", "purl", "advisory", "aliases", "severity", "malicious", "fixed"],
        "properties": {
            "ecosystem": {"type": "string", "description": "As the OSV schema calls it: `PyPI`, `npm`, `crates.io`."},
            "name": {"type": "string"},
            "version": {"type": ["string", "null"], "description": "Null where the file names none."},
            "purl": {"type": "string", "description": "The package URL."},
            "advisory": {"type": "string", "description": "The advisory that the package falls under."},
            "aliases": texts,
            "severity": {"$ref": "#/$defs/severity"},
            "vector": {"type": "string", "description": "The CVSS vector of that severity."},
            "score": {"type": "number", "description": "Its base score, for version 3."},
            "malicious": {"type": "boolean", "description": "Whether the package itself is the attack."},
            "fixed": {"type": "array", "items": {"type": "string"}, "description": "Versions that mend it, the nearest first."},
            "published": {"type": "string", "description": "When the advisory became public (RFC 3339)."},
            "overdue_days": {"type": "integer", "minimum": 1, "description": "By how much the patch is overdue."},
        },
        "description": "Where the finding is about a package and an advisory.",
    })
}

fn summary() -> Value {
    let count = |what: &str| json!({"type": "integer", "minimum": 0, "description": what});
    json!({
        "type": "object",
        "required": [
            "verdict", "files", "bytes", "clean", "review", "malicious", "unfinished", "suppressed", "passed_over",
            "not_checked", "warnings", "scanner",
        ],
        "properties": {
            "verdict": {"$ref": "#/$defs/verdict"},
            "files": count("How many files there are in `files`."),
            "bytes": count("How large they are together."),
            "clean": count("Files of this verdict."),
            "review": count("Files of this verdict."),
            "malicious": count("Files of this verdict."),
            "unfinished": count("Files of this verdict."),
            "suppressed": count("Findings that are accepted."),
            "passed_over": {
                "type": "array",
                "items": {"type": "string"},
                "description": "Folders of version control; the same as in `not_checked`.",
            },
            "not_checked": {
                "type": "object",
                "required": ["version_control", "excluded", "links", "unfinished", "at_limit"],
                "properties": {
                    "version_control": {
                        "type": "array",
                        "items": {"type": "string"},
                        "description": "Folders of version control, of which only what Git runs is read.",
                    },
                    "excluded": {
                        "type": "array",
                        "items": {
                            "type": "object",
                            "required": ["pattern", "paths"],
                            "properties": {
                                "pattern": {"type": "string"},
                                "paths": count("Files and folders that it left out."),
                            },
                        },
                    },
                    "links": count("Links to folders within what was scanned, which is read where it is."),
                    "unfinished": count("Files that were not read to the end."),
                    "at_limit": count("Those of them that reached a limit of the scan."),
                },
                "description": "What lies below the given paths and was not looked at, or not to the end.",
            },
            "warnings": {
                "type": "array",
                "items": {
                    "type": "object",
                    "required": ["kind", "message"],
                    "properties": {
                        "kind": {"enum": Concern::ALL.map(Concern::as_str)},
                        "message": {"type": "string"},
                    },
                },
                "description": "What is odd about how the scan was asked for; no file is judged by it.",
            },
            "scanner": {
                "type": "object",
                "required": ["name", "version"],
                "properties": {"name": {"type": "string"}, "version": {"type": "string"}},
            },
        },
    })
}
