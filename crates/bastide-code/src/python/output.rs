//! What a model says, taken for more than text; and connections and pages that trust too much.

use bastide_types::Rule;

use crate::python::call::Call;
use crate::python::names::{runs_command, runs_python};
use crate::python::reader::Reader;
use crate::python::value::{Known, Taint, Value};
use crate::remark::{rule, shown};

rule!(OUTPUT_EXECUTED, "code.model-output-executed", Critical, Review, "runs what a model says",
    why: "whoever can put text before the model, by a page or a document, runs code here",
    fix: "let the model choose among named actions; if code must run, run it in a sandbox without network",
    cwe: [94, 95, 1426], atlas: ["AML.T0051", "AML.T0053"]);
rule!(OUTPUT_QUERY, "code.model-output-query", High, Review, "runs what a model says as a query",
    why: "a model that is talked into it reads or deletes what the database user may",
    fix: "let it fill parameters of prepared queries; use a database user who may only read what is meant",
    cwe: [89, 1426], atlas: ["AML.T0051", "AML.T0053"]);
rule!(PYTHON_TOOL, "code.python-tool", High, Review, "gives a model a Python interpreter",
    why: "whoever can put text before the model runs code with the rights of this process",
    fix: "run the tool in a sandbox without network and credentials, or give it narrower tools",
    cwe: [94, 1426], atlas: ["AML.T0053"]);
rule!(DANGEROUS_CODE, "code.dangerous-code", High, Review, "allows a chain to run code or requests",
    why: "the switch says that what the model writes is run, or fetched from anywhere",
    fix: "leave it off; if it must be on, run the chain in a sandbox without network and credentials",
    cwe: [94, 1426], atlas: ["AML.T0053"]);
rule!(TLS_OFF, "code.tls-off", High, Review, "does not check who answers",
    why: "whoever stands between reads prompts and keys, and answers in the model's name",
    fix: "leave verification on; give the client the authority's certificate instead",
    cwe: [295], atlas: ["AML.T0024"]);
rule!(UNSAFE_HTML, "code.unsafe-html", Medium, Clean, "shows text as HTML",
    why: "what a model or a user says becomes part of the page, scripts included",
    fix: "show it as text or Markdown without `unsafe_allow_html`",
    cwe: [79], atlas: ["AML.T0051"]);
rule!(MKTEMP, "code.temporary-name", Low, Clean, "makes a temporary name and no file",
    why: "somebody else may make the file first, and what is loaded from it is theirs",
    fix: "use `tempfile.NamedTemporaryFile` or `tempfile.mkdtemp`",
    cwe: [377], atlas: []);
rule!(SYSTEM_PROMPT, "code.system-prompt-input", Low, Clean, "puts what users say into the system's words",
    why: "the model takes the system's words for its orders; a user's then are orders too",
    fix: "keep the system message constant and send what users say as user messages",
    cwe: [1427], atlas: ["AML.T0051.000"]);

pub(crate) const RULES: &[&Rule] = &[
    &OUTPUT_EXECUTED,
    &OUTPUT_QUERY,
    &PYTHON_TOOL,
    &DANGEROUS_CODE,
    &TLS_OFF,
    &UNSAFE_HTML,
    &MKTEMP,
    &SYSTEM_PROMPT,
];

pub(crate) fn check(reader: &mut Reader<'_, '_, '_>, call: &Call<'_>) {
    if let Some((rule, message)) =
        of_output(call).or_else(|| of_tool(call)).or_else(|| of_tls(call)).or_else(|| of_page(call))
    {
        reader.remarks.add(rule, call.offset, message);
    }
    if system_prompt(call) {
        reader.remarks.add(
            &SYSTEM_PROMPT,
            call.offset,
            "a system message is put together with what a user typed",
        );
    }
}

fn of_output(call: &Call<'_>) -> Option<(&'static Rule, String)> {
    let name = shown(call.path);
    let first = call.positional().next().or_else(|| call.named("args"))?;
    let model = first.taint.has(Taint::MODEL);
    let python = runs_python(call.path) && call.path != "compile"
        || call.path.contains("PythonREPL") && call.last() == "run"
        || call.path == "pandas.eval";
    if model && (runs_command(call.path) || python) {
        return Some((&OUTPUT_EXECUTED, format!("`{name}` is given what a model said")));
    }
    let query = matches!(
        call.last(),
        "execute" | "executescript" | "executemany" | "read_sql" | "read_sql_query" | "exec_driver_sql"
    );
    (model && query).then(|| (&OUTPUT_QUERY, format!("`{name}` is given what a model said")))
}

fn of_tool(call: &Call<'_>) -> Option<(&'static Rule, String)> {
    let tool = matches!(
        call.last(),
        "PythonREPLTool"
            | "PythonAstREPLTool"
            | "PythonREPL"
            | "create_python_agent"
            | "ShellTool"
            | "BashProcess"
            | "create_pandas_dataframe_agent"
            | "LocalCommandLineCodeExecutor"
    );
    let named_tool = call.last() == "load_tools"
        && call.positional().next().is_some_and(|tools| {
            tools.items().iter().any(|tool| matches!(tool.as_text(), Some("python_repl" | "terminal")))
        });
    if (tool && (call.path.contains("langchain") || call.path.contains("autogen"))) || named_tool {
        return Some((&PYTHON_TOOL, format!("`{}` runs what the model writes", shown(call.path))));
    }
    let switch = ["allow_dangerous_code", "allow_dangerous_requests", "allow_code_execution", "unsafe_mode"]
        .iter()
        .find(|switch| call.is(switch, true))?;
    Some((&DANGEROUS_CODE, format!("`{}` is called with `{switch}=True`", shown(call.path))))
}

fn of_tls(call: &Call<'_>) -> Option<(&'static Rule, String)> {
    const CLIENTS: &[&str] =
        &["requests", "httpx", "openai", "aiohttp", "urllib3", "boto3", "hvac", "anthropic"];
    let name = shown(call.path);
    let client = CLIENTS.iter().any(|client| call.path.starts_with(client))
        || matches!(
            call.last(),
            "get" | "post" | "put" | "request" | "delete" | "patch" | "Client" | "AsyncClient"
        );
    let off = ["verify", "verify_ssl", "ssl", "verify_certs"].iter().find(|flag| call.is(flag, false));
    if let Some(flag) = off.filter(|_| client || call.last() == "TCPConnector") {
        return Some((&TLS_OFF, format!("`{name}` is called with `{flag}=False`")));
    }
    let none =
        |value: &Value| value.as_path() == Some("ssl.CERT_NONE") || value.as_text() == Some("CERT_NONE");
    let context = matches!(call.path, "ssl._create_unverified_context" | "ssl._create_stdlib_context");
    let certificates =
        call.named("cert_reqs").is_some_and(none) || call.named("ssl_cert_reqs").is_some_and(none);
    (context || certificates).then(|| (&TLS_OFF, format!("`{name}` checks no certificate")))
}

/// Assignments that turn verification off, such as `context.verify_mode = ssl.CERT_NONE`.
pub(crate) fn assigned(reader: &mut Reader<'_, '_, '_>, target: &str, value: &Value, offset: usize) {
    let last = target.rsplit('.').next().unwrap_or(target);
    let off = match last {
        "verify_mode" => value.as_path() == Some("ssl.CERT_NONE"),
        "_create_default_https_context" => value.as_path() == Some("ssl._create_unverified_context"),
        "check_hostname" | "verify" => value.known == Known::Flag(false) && target.contains('.'),
        _ => false,
    };
    if off && reader.speaks {
        reader.remarks.add(&TLS_OFF, offset, format!("`{}` is set so that nobody is checked", shown(target)));
    }
}

fn of_page(call: &Call<'_>) -> Option<(&'static Rule, String)> {
    let name = shown(call.path);
    if call.is("unsafe_allow_html", true) {
        let constant = call.positional().next().is_some_and(|text| text.as_whole_text().is_some());
        return (!constant)
            .then(|| (&UNSAFE_HTML, format!("`{name}` is called with `unsafe_allow_html=True`")));
    }
    (call.path == "tempfile.mktemp")
        .then(|| (&MKTEMP, format!("`{name}` leaves the name to whoever is first")))
}

/// `{"role": "system", "content": f"... {input()}"}` among the messages.
fn system_prompt(call: &Call<'_>) -> bool {
    let messages = call.named("messages").or_else(|| call.positional().next());
    let Some(messages) = messages else { return false };
    messages.items().iter().take(64).any(|message| {
        let entry = |name| crate::python::expression::named(message.items(), name);
        entry("role").and_then(Value::as_text) == Some("system")
            && entry("content").is_some_and(|content| content.taint.has(Taint::USER))
    })
}
