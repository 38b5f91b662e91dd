//! What was downloaded, and what becomes of it.

use bastide_types::Rule;

use crate::python::call::Call;
use crate::python::hostile::DOWNLOADED_PROGRAM;
use crate::python::loaders::unpickles;
use crate::python::names::runs_command;
use crate::python::reader::Reader;
use crate::python::role::Role;
use crate::python::value::{Taint, Value};
use crate::remark::{rule, shown};

rule!(DOWNLOADED_OBJECT, "code.downloaded-object", High, Review, "unpickles what it downloads",
    why: "a pickle is a program; whoever owns the address, or stands before it, decides what runs here",
    fix: "fetch data in a format that holds data only, or check its digest before it is loaded",
    cwe: [502, 494], atlas: ["AML.T0010.001", "AML.T0011.000"]);

pub(crate) const RULES: &[&Rule] = &[&DOWNLOADED_OBJECT];

/// Remembers the files that a call writes what was downloaded to.
pub(crate) fn learn(reader: &mut Reader<'_, '_, '_>, call: &Call<'_>) {
    let mut note = |key: &str| {
        if !key.is_empty() {
            let file = key.rsplit('/').next().unwrap_or(key);
            if let Some(module) = file.strip_suffix(".py").or_else(|| file.strip_suffix(".so")) {
                reader.names.fetched.insert(module.to_owned());
            }
            reader.names.downloads.insert(key.to_owned());
        }
    };
    if matches!(call.path, "urllib.request.urlretrieve" | "wget.download" | "urllib.urlretrieve")
        && let Some(key) = call.arg(1, "filename").or_else(|| call.named("out")).and_then(Value::key)
    {
        note(key);
    }
    let written = call.path.strip_prefix("open(").and_then(|path| path.strip_suffix(").write"));
    if let Some(key) = written.filter(|_| call.inflow().has(Taint::NETWORK)) {
        note(key);
    }
    if call.path == "shutil.copyfileobj" && call.inflow().has(Taint::NETWORK) {
        let target = call.arg(1, "fdst").and_then(Value::as_path);
        if let Some(key) = target.and_then(|path| path.strip_prefix("open(")?.strip_suffix(')')) {
            note(key);
        }
    }
    if runs_command(call.path)
        && let Some(command) = call.command().as_ref().and_then(Value::as_command)
        && let Some(file) = fetched(&command)
    {
        note(file);
    }
}

/// The file that `curl -o FILE URL` or `wget -O FILE URL` writes.
pub(crate) fn fetched(command: &str) -> Option<&str> {
    let mut words = command.split([' ', ';', '&', '|']).filter(|word| !word.is_empty());
    let program = words.next()?.rsplit('/').next()?;
    let flag = match program {
        "curl" => "-o",
        "wget" => "-O",
        _ => return None,
    };
    words.find(|word| *word == flag || matches!(*word, "--output" | "--output-document"))?;
    words.next().filter(|file| file.len() > 1)
}

/// What is downloaded and then loaded as a program.
pub(crate) fn check(reader: &mut Reader<'_, '_, '_>, call: &Call<'_>) {
    const RUNNERS: &[&str] = &[
        "ctypes.CDLL",
        "ctypes.PyDLL",
        "ctypes.cdll.LoadLibrary",
        "execfile",
        "imp.load_source",
        "runpy.run_path",
    ];
    let name = shown(call.path);
    if RUNNERS.contains(&call.path) {
        let file = call.args.iter().filter_map(Value::key).find(|key| reader.names.downloads.contains(*key));
        if let Some(file) = file {
            let message = format!("`{name}` runs `{}`, which was downloaded before", shown(file));
            reader.remarks.add(&DOWNLOADED_PROGRAM, call.offset, message);
        }
    }
    let torch = call.path == "torch.load" && !call.is("weights_only", true);
    let numpy = call.path == "numpy.load" && call.is("allow_pickle", true);
    if torch || numpy || unpickles(call.path) {
        object(reader, call);
    }
}

/// What is unpickled and came over the network. Nobody but its author chose the address of what importing or loading a
/// model unpickles; the hub's files are those of another model, and only importing one unpickles them unasked.
fn object(reader: &mut Reader<'_, '_, '_>, call: &Call<'_>) {
    let name = shown(call.path);
    let given = call.positional().next().or_else(|| call.named("f"));
    let file = given.and_then(Value::key).is_some_and(|key| reader.names.downloads.contains(key));
    let taint = given.map_or(Taint::NONE, |given| given.taint);
    let network = file || taint.has(Taint::NETWORK);
    if !network && !taint.has(Taint::HUB) {
        return;
    }
    // The default of torch unpickles no longer, and people load what they publish themselves.
    let default = call.path == "torch.load" && !call.is("weights_only", false);
    let hostile = reader.role() == Role::Loader
        && match network {
            true if default => reader.runs_on_import(),
            true => reader.runs_for_model(),
            false => !default && reader.runs_on_import(),
        };
    if hostile {
        let message = format!("`{name}` unpickles what comes from the network when the model is loaded");
        reader.remarks.add(&DOWNLOADED_PROGRAM, call.offset, message);
    } else if !default || reader.runs_on_import() && reader.role() == Role::Loader {
        let message = format!("`{name}` is given what comes from the network");
        reader.remarks.add(&DOWNLOADED_OBJECT, call.offset, message);
    }
}

/// A module that is imported after its file was downloaded.
pub(crate) fn imported(reader: &mut Reader<'_, '_, '_>, module: &str, offset: usize) {
    let first = module.split('.').next().unwrap_or(module);
    if reader.speaks && reader.names.fetched.contains(first) {
        let message = format!("it imports `{}`, whose file was downloaded before", shown(module));
        reader.remarks.add(&DOWNLOADED_PROGRAM, offset, message);
    }
}
