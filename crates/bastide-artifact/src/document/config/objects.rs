//! Objects that libraries write as JSON and build again from the names in it: LangChain's, and those of jsonpickle.

use super::rules::{ASKS_SECRET, TARGET, UNKNOWN_TARGET};
use super::target;
use crate::document::json::{Node, Value};
use crate::document::names::{Named, named};
use crate::scan::{Scan, shown};

/// Classes of LangChain that run commands or code.
const RUNNING: &[&str] = &[
    "BashProcess",
    "LLMBashChain",
    "LLMSymbolicMathChain",
    "PALChain",
    "PythonAstREPLTool",
    "PythonREPL",
    "PythonREPLTool",
    "ShellTool",
    "load_python_code_agent",
];

/// The same under the names that its older loader knows.
const RUNNING_TYPES: &[&str] =
    &["bash_chain", "llm_bash_chain", "pal_chain", "python_repl", "shell", "terminal"];

/// Keys under which jsonpickle names what it imports.
const PICKLED: &[&str] = &["py/class", "py/function", "py/mod", "py/object", "py/repr", "py/type"];

/// What building the object at `node` would import and call.
pub(super) fn judge(node: &Node<'_>, at: u64, scan: &mut Scan<'_>) {
    for (key, value) in node.entries() {
        match (key.as_ref(), value.text()) {
            ("lc", _) if node.get_text("type") == Some("constructor") => langchain(node, at, scan),
            (key, _)
                if value.has("lc") && value.get_text("type") == Some("secret") && !takes_secrets(key) =>
            {
                scan.find(&ASKS_SECRET, at, format!("`{}` is filled with a secret", shown(key)));
            }
            ("_type", Some(kind)) if RUNNING_TYPES.contains(&kind) => {
                scan.find(
                    &TARGET,
                    at,
                    format!("`_type` names the chain `{kind}`, which runs what a model writes"),
                );
            }
            (key, Some(name)) if PICKLED.contains(&key) => target(key, name, at, scan),
            _ => {}
        }
    }
}

/// `{"lc": 1, "type": "constructor", "id": ["langchain", "prompts", "PromptTemplate"], "kwargs": {…}}`.
fn langchain(node: &Node<'_>, at: u64, scan: &mut Scan<'_>) {
    let Some(Value::List(parts)) = node.get("id").map(|id| &id.value) else { return };
    let parts: Vec<&str> = parts.iter().filter_map(Node::text).collect();
    let path = parts.join(".");
    let own =
        parts.first().is_some_and(|root| root.starts_with("langchain") || root.starts_with("langgraph"));
    let runs = parts.last().is_some_and(|class| RUNNING.contains(class));
    let rule = match named(&path) {
        _ if own && runs => &TARGET,
        Named::Dangerous if !own => &TARGET,
        Named::Unknown if !own => &UNKNOWN_TARGET,
        _ => return,
    };
    scan.find(rule, at, format!("the object is a `{}`", shown(&path)));
}

/// Whether a parameter of this name takes a credential: `openai_api_key`, as LangChain itself writes it.
fn takes_secrets(key: &str) -> bool {
    let key = key.to_ascii_lowercase();
    ["key", "token", "secret", "password", "credential", "auth", "passwd"]
        .iter()
        .any(|word| key.contains(word))
}
