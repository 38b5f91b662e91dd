//! What the code of a model takes from whoever loads it.

use crate::python::call::Call;
use crate::python::hostile::{EXFILTRATION, PERSISTENCE};
use crate::python::reader::Reader;
use crate::python::role::Role;
use crate::python::sources;
use crate::python::value::{Known, Taint, Value};
use crate::remark::shown;

/// Hosts that credentials are for.
const PROVIDERS: &[&str] = &[
    "anthropic.com",
    "azure.com",
    "cohere.ai",
    "github.com",
    "googleapis.com",
    "hf.co",
    "huggingface.co",
    "mistral.ai",
    "modelscope.cn",
    "openai.com",
    "replicate.com",
    "together.xyz",
    "wandb.ai",
];

/// Looks at calls that run when a model is imported, loaded or asked.
pub(crate) fn check(reader: &mut Reader<'_, '_, '_>, call: &Call<'_>) {
    if reader.role() != Role::Loader || !reader.runs_for_model() {
        return;
    }
    sends(reader, call);
    uploads(reader, call);
    changes_library(reader, call);
}

/// A credential, or who and where the user is, on its way to a stranger. A handler that asks a service shows it its key in
/// the headers; importing a model asks nobody.
fn sends(reader: &mut Reader<'_, '_, '_>, call: &Call<'_>) {
    let imports = reader.runs_on_import();
    let flow = |arg: &&Value| {
        imports || !matches!(&arg.known, Known::Named(name, _) if matches!(&**name, "headers" | "auth"))
    };
    let taint = call.args.iter().filter(flow).fold(Taint::NONE, |taint, arg| taint.with(arg.taint));
    let stolen = if taint.has(Taint::CREDENTIAL) {
        "a credential"
    } else if imports && taint.has(Taint::IDENTITY) {
        "who and where its user is"
    } else {
        return;
    };
    let socket = call.path.contains("socket") && matches!(call.last(), "send" | "sendall" | "sendto");
    if socket && imports || sources::is_sink(call) && call.args.iter().any(is_strange) {
        let message = format!("`{}` sends {stolen} to a stranger when the model is loaded", shown(call.path));
        reader.remarks.add(&EXFILTRATION, call.offset, message);
    }
}

/// Whether a value is an address of nobody who gives out credentials.
fn is_strange(value: &Value) -> bool {
    let value = match &value.known {
        Known::Named(_, value) => value,
        _ => value,
    };
    let host = value.as_text().and_then(|text| text.split_once("://")).map(|(_, rest)| rest);
    let Some(host) = host.and_then(|rest| rest.split(['/', ':', '?', '#']).next()) else { return false };
    let host = host.rsplit('@').next().unwrap_or(host);
    let vouched = |provider: &&str| {
        host.strip_suffix(*provider).is_some_and(|rest| rest.is_empty() || rest.ends_with('.'))
    };
    host.contains('.') && !sources::is_metadata(host) && !PROVIDERS.iter().any(vouched)
}

/// `upload_folder(folder_path="/root")`: all that somebody owns.
fn uploads(reader: &mut Reader<'_, '_, '_>, call: &Call<'_>) {
    let file = match call.last() {
        "upload_folder" | "upload_large_folder" => call.named("folder_path"),
        "upload_file" => call.named("path_or_fileobj"),
        _ => return,
    };
    let file = file.or_else(|| call.positional().next()).and_then(Value::as_text).unwrap_or_default();
    let everything = matches!(file.trim_end_matches('/'), "" | "~" | "/root" | "/home" | "/etc");
    if !file.is_empty() && everything || sources::is_credential_file(file) {
        let message = format!("`{}` sends `{}` away", shown(call.path), shown(file));
        reader.remarks.add(&EXFILTRATION, call.offset, message);
    }
}

/// `open(transformers.__file__, "a")`: the library runs it ever after.
fn changes_library(reader: &mut Reader<'_, '_, '_>, call: &Call<'_>) {
    if !matches!(call.path, "open" | "io.open" | "codecs.open") {
        return;
    }
    let mode = call.arg(1, "mode").and_then(Value::as_text).unwrap_or("r");
    let file = call.arg(0, "file").and_then(Value::key).unwrap_or_default();
    let module = file.strip_suffix(".__file__").is_some_and(|module| !module.contains([':', '(', '?']));
    let installed = file.ends_with(".py")
        && ["site-packages/", "dist-packages/", ".__file__/", "getsitepackages()"]
            .iter()
            .any(|folder| file.contains(folder));
    if mode.contains(['w', 'a', 'x', '+']) && (module || installed) {
        let message = format!("it writes `{}`, which is another package's", shown(file));
        reader.remarks.add(&PERSISTENCE, call.offset, message);
    }
}
