//! What configurations are searched for.

use bastide_types::{Assessment, Rule, Severity};

/// Custom code by design.
pub(crate) const AUTO_MAP: Rule = Rule {
    id: "config.auto-map",
    severity: Severity::Medium,
    effect: Assessment::Review,
    title: "model brings its own code",
    why: "loaded with `trust_remote_code`, it imports the Python files that its configuration names",
    fix: "read those files, pin the revision, and load with `trust_remote_code` only then",
    cwe: &[829],
    atlas: &["AML.T0010.003", "AML.T0011.000"],
};

/// Custom code of somebody else.
pub(crate) const REMOTE_CODE: Rule = Rule {
    id: "config.remote-code",
    severity: Severity::High,
    effect: Assessment::Malicious,
    title: "model runs code of somebody else's repository",
    why: "loaded with `trust_remote_code`, it fetches and runs Python files that are not beside it, by whoever owns that \
          repository on that day",
    fix: "do not load it; ask for a model that has its code beside it",
    cwe: &[829, 494],
    atlas: &["AML.T0010.003", "AML.T0011.000"],
};

/// Custom code of the same publisher.
pub(crate) const PUBLISHERS_CODE: Rule = Rule {
    id: "config.publishers-code",
    severity: Severity::Medium,
    effect: Assessment::Review,
    title: "model runs code of another repository of its publisher",
    why: "loaded with `trust_remote_code`, it fetches and runs Python files that are not beside it and may change",
    fix: "pin `code_revision`, read that repository's files, or vendor them",
    cwe: &[829, 494],
    atlas: &["AML.T0010.003", "AML.T0011.000"],
};

/// A value that is code.
pub(crate) const CODE: Rule = Rule {
    id: "config.code",
    severity: Severity::Critical,
    effect: Assessment::Malicious,
    title: "configuration carries code that runs commands",
    why: "values of a configuration are data; code among them waits for a loader that evaluates it",
    fix: "do not load the model",
    cwe: &[94],
    atlas: &["AML.T0010.003", "AML.T0011.000"],
};

/// A value that is code, in JSON that is not a model's.
pub(crate) const CODE_IN_DATA: Rule = Rule {
    id: "config.code-in-data",
    severity: Severity::Medium,
    effect: Assessment::Review,
    title: "JSON carries code that runs commands",
    why: "whether anything evaluates it cannot be seen from the file",
    fix: "find out which program reads this value",
    cwe: &[94],
    atlas: &["AML.T0010.003"],
};

/// A class that acts.
pub(crate) const TARGET: Rule = Rule {
    id: "config.target",
    severity: Severity::Critical,
    effect: Assessment::Malicious,
    title: "configuration names a function that runs commands or code",
    why: "the loader imports the name and calls it with arguments from the configuration (CVE-2025-23304)",
    fix: "do not load the model",
    cwe: &[470, 94],
    atlas: &["AML.T0010.003", "AML.T0011.000"],
};

/// A class that nobody knows.
pub(crate) const UNKNOWN_TARGET: Rule = Rule {
    id: "config.unknown-target",
    severity: Severity::Medium,
    effect: Assessment::Review,
    title: "configuration names a class outside of known libraries",
    why: "the loader imports the name and calls it with arguments from the configuration",
    fix: "see that the class is of a package that you trust",
    cwe: &[470],
    atlas: &["AML.T0010.003"],
};

/// A command line that attacks.
pub(crate) const COMMAND: Rule = Rule {
    id: "config.command",
    severity: Severity::Critical,
    effect: Assessment::Malicious,
    title: "configuration runs a hostile command",
    why: "editors, package managers, pipelines and agents run what stands under this key, some of them when the folder is opened",
    fix: "do not open or build the folder with such tools; distrust what came with it",
    cwe: &[78, 494],
    atlas: &["AML.T0010.003", "AML.T0011.000"],
};

/// A secret that the document asks its loader for.
pub(crate) const ASKS_SECRET: Rule = Rule {
    id: "config.asks-secret",
    severity: Severity::High,
    effect: Assessment::Malicious,
    title: "document takes a secret of the host into its data",
    why: "LangChain puts the variable of the environment that is named there into an ordinary field, which prompts, logs and servers then show (CVE-2025-68664)",
    fix: "do not load the document; load with `secrets_from_env=False`",
    cwe: &[200, 502],
    atlas: &["AML.T0010.003", "AML.T0055"],
};

/// A path out of the model's folder.
pub(crate) const TRAVERSAL: Rule = Rule {
    id: "index.traversal",
    severity: Severity::High,
    effect: Assessment::Malicious,
    title: "index names files outside of the model's folder",
    why: "the loader opens what the index names: files of the host, or of another model",
    fix: "do not load the model",
    cwe: &[22],
    atlas: &["AML.T0010.003"],
};

/// Something of the host.
pub(crate) const HOST_FILE: Rule = Rule {
    id: "config.host-file",
    severity: Severity::High,
    effect: Assessment::Malicious,
    title: "configuration names secrets of the host",
    why: "no model needs the host's passwords or keys; a loader that opens the path hands them on",
    fix: "do not load the model",
    cwe: &[22, 200],
    atlas: &["AML.T0010.003"],
};

/// Another place to load from.
pub(crate) const PATH: Rule = Rule {
    id: "config.path",
    severity: Severity::Medium,
    effect: Assessment::Review,
    title: "configuration names a file or server outside of the model",
    why: "the loader takes the base model or code from there",
    fix: "give the base model yourself, by name and revision",
    cwe: &[73, 918],
    atlas: &["AML.T0010.003"],
};

/// A forgotten key.
pub(crate) const CREDENTIAL: Rule = Rule {
    id: "config.credential",
    severity: Severity::High,
    effect: Assessment::Review,
    title: "credential in a file of the model",
    why: "whoever has the file can use it",
    fix: "revoke the credential, then remove it from the file and its history",
    cwe: &[798],
    atlas: &["AML.T0055"],
};

/// Twice the same key.
pub(crate) const DUPLICATE: Rule = Rule {
    id: "json.duplicate-key",
    severity: Severity::Medium,
    effect: Assessment::Review,
    title: "key stands twice in one object",
    why: "one reader takes the first value and another the last: what is reviewed need not be what is loaded",
    fix: "ask the publisher for a file that a JSON library writes",
    cwe: &[436],
    atlas: &["AML.T0010.003"],
};

/// A custom operator.
pub(crate) const CUSTOM_OPERATOR: Rule = Rule {
    id: "config.custom-operator",
    severity: Severity::Medium,
    effect: Assessment::Review,
    title: "graph uses an operator that the program must bring",
    why: "what the operator does is decided by code that is not in the file",
    fix: "see which library registers the operator",
    cwe: &[829],
    atlas: &["AML.T0010.003"],
};

/// An operator that is an address.
pub(crate) const POINTER: Rule = Rule {
    id: "config.pointer",
    severity: Severity::High,
    effect: Assessment::Malicious,
    title: "graph calls functions at an address that the file states",
    why: "the library takes the number for a pointer to functions of the program that saved the graph, and calls them",
    fix: "do not load the model",
    cwe: &[822],
    atlas: &["AML.T0010.003", "AML.T0011.000"],
};
