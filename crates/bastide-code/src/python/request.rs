//! What a request brings to the code that serves a model.

use bastide_types::Rule;
use tree_sitter::Node;

use crate::python::call::Call;
use crate::python::loaders::unpickles;
use crate::python::names::{runs_command, runs_python};
use crate::python::reader::{Reader, Scope};
use crate::python::role::Role;
use crate::python::value::{HOLE, Known, Taint, Value};
use crate::remark::{rule, shown};

rule!(REQUEST_PROGRAM, "code.request-program", Critical, Malicious, "a model's server runs what a request brings",
    why: "whoever may send a request runs code where the model is served: a back door",
    fix: "do not serve the model; a handler reads numbers and texts, and runs neither",
    cwe: [94, 78, 502, 506], atlas: ["AML.T0011.000", "AML.T0018"]);
rule!(REQUEST_EXECUTED, "code.request-executed", High, Review, "runs what a request brings",
    why: "whoever may send a request runs code here",
    fix: "choose from a list of operations; read data in a format that holds data only",
    cwe: [94, 78, 502], atlas: ["AML.T0049"]);

pub(crate) const RULES: &[&Rule] = &[&REQUEST_PROGRAM, &REQUEST_EXECUTED];

/// Functions that a server of models calls with the request: the inference endpoints of Hugging Face `__call__`, TorchServe
/// the next three, Triton `execute`, SageMaker those that end in `_fn`, Azure ML `run`, Cog and MLflow `predict`, LitServe
/// `decode_request`.
const SERVING: &[&str] = &[
    "__call__",
    "handle",
    "preprocess",
    "inference",
    "execute",
    "input_fn",
    "predict_fn",
    "transform_fn",
    "run",
    "predict",
    "decode_request",
];

/// Libraries whose programs serve models and nothing else.
const SERVERS: &[&str] = &["bentoml", "cog", "kserve", "litserve", "mlserver", "seldon_core"];

/// The ends of decorators that make a function an endpoint: of Flask, FastAPI, Starlette, BentoML, Modal. Tests are full of
/// `mock.patch`.
const ENDPOINTS: &[&str] = &[
    ".api",
    ".delete",
    ".get",
    ".post",
    ".put",
    ".route",
    ".web_endpoint",
    ".fastapi_endpoint",
    ".websocket",
];

impl Reader<'_, '_, '_> {
    /// Marks the parameters of a function that is called with what a request brings. They are bound already, and the
    /// function is not yet among the scopes.
    pub(crate) fn take_request(
        &mut self,
        node: Node<'_>,
        name: &str,
        parameters: &[(String, Option<Value>)],
    ) {
        if !self.is_served(name) && !self.is_endpoint(node) {
            return;
        }
        for (parameter, _) in parameters {
            let own = matches!(parameter.as_str(), "self" | "cls" | "context" | "ctx" | "model");
            let unknown = format!("parameter:{parameter}");
            if !own && self.names.get(parameter).and_then(Value::as_path) == Some(&unknown) {
                self.names.bind(parameter, Value::path(&unknown, Taint::REQUEST));
            }
        }
    }

    /// Whether a server calls the function of that name, which is about to begin.
    fn is_served(&self, name: &str) -> bool {
        let placed = match self.scopes.as_slice() {
            [] => name != "__call__",
            [Scope::Class(class)] => name != "__call__" || class.name.contains("Handler"),
            _ => false,
        };
        placed && SERVING.contains(&name) && self.serves_models()
    }

    fn serves_models(&self) -> bool {
        self.role() == Role::Loader || SERVERS.iter().any(|server| self.names.imports(server))
    }

    /// Whether a decorator makes the function an endpoint.
    fn is_endpoint(&self, node: Node<'_>) -> bool {
        const MANY: usize = 8;
        let Some(decorated) = node.parent().filter(|parent| parent.kind() == "decorated_definition") else {
            return false;
        };
        let mut cursor = decorated.walk();
        let mut decorators = decorated.named_children(&mut cursor).take(MANY);
        decorators.any(|decorator| {
            let source = self.source(decorator);
            let path = source.trim_start_matches('@').split('(').next().unwrap_or_default().trim();
            decorator.kind() == "decorator" && ENDPOINTS.iter().any(|end| path.ends_with(end))
        })
    }
}

/// Commands, programs and deserialisers that are given what a request brings.
pub(crate) fn check(reader: &mut Reader<'_, '_, '_>, call: &Call<'_>) {
    let Some(what) = brought(call) else { return };
    let rule = match reader.serves_models() {
        true => &REQUEST_PROGRAM,
        false => &REQUEST_EXECUTED,
    };
    reader.remarks.add(rule, call.offset, format!("`{}` is given {what} of a request", shown(call.path)));
}

fn brought(call: &Call<'_>) -> Option<&'static str> {
    let first = call.positional().next();
    let of_request = |value: Option<&Value>| value.is_some_and(|value| value.taint.has(Taint::REQUEST));
    let path = call.path;
    if runs_python(path) && !matches!(path, "compile" | "pandas.eval") {
        return of_request(first).then_some("the text");
    }
    if runs_command(path) {
        let command = call.command().filter(|command| command.taint.has(Taint::REQUEST))?;
        return chooses(&command).then_some("the command");
    }
    if matches!(path, "importlib.import_module" | "__import__") {
        return of_request(first).then_some("the module's name");
    }
    let torch = path == "torch.load" && call.is("weights_only", false);
    let pickles = torch || unpickles(path);
    (pickles && of_request(first)).then_some("the data")
}

/// Whether the request says which program runs: not only what one is given that stands here.
fn chooses(command: &Value) -> bool {
    const SHELLS: &[&str] = &["sh", "bash", "/bin/sh", "/bin/bash", "cmd", "powershell", "python", "python3"];
    let text = match (&command.known, command.as_command()) {
        (Known::List(..) | Known::Text(_) | Known::Bytes(_), Some(text)) => text,
        _ => return true,
    };
    let mut words = text.split_whitespace().skip_while(|word| {
        SHELLS.contains(word) || matches!(*word, "-c" | "-lc" | "-ic" | "/c" | "-Command" | "sudo" | "exec")
    });
    words.next().is_none_or(|word| word.starts_with(HOLE))
}
