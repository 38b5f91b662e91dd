//! Servers that a program starts: on which address, and who may use them.

use bastide_types::Rule;

use crate::python::call::Call;
use crate::python::reader::Reader;
use crate::python::value::{Known, Value};
use crate::remark::{Remarks, rule, shown};

rule!(EXPOSED, "code.exposed-server", High, Review, "serves every address without a login",
    why: "whoever reaches the machine uses the model, and often its files and code",
    fix: "bind 127.0.0.1 and put a gateway with a login before it, or turn the server's own login on",
    cwe: [306, 668], atlas: ["AML.T0049", "AML.T0040"]);
rule!(SHARED, "code.share-link", Medium, Review, "opens a public tunnel to the program",
    why: "`share=True` gives the program an address that the whole internet may open",
    fix: "leave `share` off, or set `auth=`",
    cwe: [306, 668], atlas: ["AML.T0040"]);
rule!(DEBUG, "code.debug-server", High, Review, "serves with a debugger",
    why: "the debugger's console runs any Python that a visitor types",
    fix: "leave `debug` off; serve with a production server",
    cwe: [489, 94], atlas: ["AML.T0049"]);

pub(crate) const RULES: &[&Rule] = &[&EXPOSED, &SHARED, &DEBUG];

/// Whether an address is all of them.
fn is_everywhere(address: &str) -> bool {
    matches!(address, "0.0.0.0" | "::" | "[::]" | "*" | "0" | "tcp://0.0.0.0")
}

pub(crate) fn check(reader: &mut Reader<'_, '_, '_>, call: &Call<'_>) {
    let address = ["host", "server_name", "dashboard_host", "ip", "bind_addr", "address"]
        .iter()
        .find_map(|name| call.named(name))
        .and_then(Value::as_text);
    let login = ["auth", "auth_dependency", "api_key", "api_keys", "authenticator", "token", "password"]
        .iter()
        .any(|name| call.named(name).is_some_and(|value| value.known != Known::Absent));
    let starts = match call.last() {
        "launch" => reader.names.imports("gradio"),
        "init" => call.path == "ray.init",
        "run" => call.path == "mlflow.server.run" || call.path == "bentoml.serve",
        "serve" => call.path.starts_with("bentoml") || call.path.starts_with("litserve"),
        "Server" | "notebookapp" => call.path.starts_with("llama_cpp"),
        _ => false,
    };
    let name = shown(call.path);
    if starts && !login && address.is_some_and(is_everywhere) {
        reader.remarks.add(
            &EXPOSED,
            call.offset,
            format!("`{name}` listens on every address and asks for no login"),
        );
    }
    if call.last() == "launch" && reader.names.imports("gradio") && call.is("share", true) && !login {
        reader.remarks.add(
            &SHARED,
            call.offset,
            format!("`{name}` is called with `share=True` and no `auth`"),
        );
    }
    let web = call.last() == "run" && (reader.names.imports("flask") || call.path == "uvicorn.run");
    if web && call.path != "uvicorn.run" && call.path.starts_with("flask.Flask()") && call.is("debug", true) {
        reader.remarks.add(&DEBUG, call.offset, format!("`{name}` is called with `debug=True`"));
    }
    if web && address.is_some_and(is_everywhere) && serves_models(reader) && !knows_logins(reader) {
        reader.remarks.add(
            &EXPOSED,
            call.offset,
            format!("`{name}` listens on every address, and nothing in the file asks for a login"),
        );
    }
}

/// Whether the program has a model in it.
fn serves_models(reader: &Reader<'_, '_, '_>) -> bool {
    [
        "torch",
        "transformers",
        "openai",
        "vllm",
        "tensorflow",
        "keras",
        "llama_cpp",
        "langchain",
        "joblib",
        "onnxruntime",
        "sentence_transformers",
        "diffusers",
        "anthropic",
        "ollama",
        "litellm",
        "sklearn",
        "xgboost",
        "llama_index",
    ]
    .iter()
    .any(|library| reader.names.imports(library))
}

/// Whether the program mentions anything that checks who asks.
fn knows_logins(reader: &Reader<'_, '_, '_>) -> bool {
    const WORDS: &[&str] = &[
        "HTTPBearer",
        "HTTPBasic",
        "OAuth2",
        "APIKeyHeader",
        "APIKeyQuery",
        "login_required",
        "Authorization",
        "authorization",
        "authenticate",
        "api_key_header",
        "verify_token",
        "jwt",
        "x-api-key",
        "X-API-Key",
    ];
    WORDS.iter().any(|word| reader.text.contains(word))
}

/// A command line that starts a server of models.
pub(crate) fn command(command: &str, offset: usize, remarks: &mut Remarks<'_>) {
    if let Some(server) = crate::infrastructure::exposed_command(command) {
        let message = format!("{server} is started on every address and asks for no login");
        remarks.add(&EXPOSED, offset, message);
    }
}
