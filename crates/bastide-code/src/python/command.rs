//! Commands of the system that a program runs.

use bastide_types::Rule;

use crate::python::call::Call;
use crate::python::hostile::HOSTILE_COMMAND;
use crate::python::names::runs_command;
use crate::python::reader::{Reader, Scope};
use crate::python::serving;
use crate::python::value::Value;
use crate::remark::{Remarks, rule, shown};
use crate::shell::{self, Shell};

rule!(INSTALLER, "code.installer", Low, Review, "runs an installer from the network",
    why: "what the site serves today is run without a look; it need not be what it served yesterday",
    fix: "install the program from a package whose version and digest are fixed",
    cwe: [494], atlas: ["AML.T0010.001"]);
rule!(SETUP_COMMAND, "code.setup-command", Medium, Review, "installing the package runs a command",
    why: "whoever installs the package runs it, before anyone could look at it",
    fix: "build in the build back end; ship wheels, which run nothing when they are installed",
    cwe: [829], atlas: ["AML.T0010.001"]);
rule!(IMPORT_COMMAND, "code.import-command", High, Review, "importing a model runs a command",
    why: "loading the model with remote code imports this file, and the command runs at once",
    fix: "take the command out of the model's code; a model computes and does nothing else",
    cwe: [829], atlas: ["AML.T0010.003", "AML.T0011.000"]);

pub(crate) const RULES: &[&Rule] = &[&INSTALLER, &SETUP_COMMAND, &IMPORT_COMMAND];

pub(crate) fn check(reader: &mut Reader<'_, '_, '_>, call: &Call<'_>) {
    if !runs_command(call.path) {
        return;
    }
    let offset = call.offset;
    let command = call.command().and_then(Value::as_command);
    if let Some(command) = command.filter(|command| reader.spend(command.len())) {
        judge(&command, offset, reader.remarks);
        serving::command(&command, offset, reader.remarks);
    }
    let installs = |scope: &Scope| matches!(scope, Scope::Class(bases) if ["install", "develop", "egg_info", "bdist_egg"].iter().any(|base| bases.contains(base)));
    if (reader.names.imports("setuptools") || reader.names.imports("distutils"))
        && reader.scopes.iter().any(installs)
    {
        let message = format!("`{}` runs while the package is installed", shown(call.path));
        reader.remarks.add(&SETUP_COMMAND, offset, message);
    }
    if reader.runs_on_import() && reader.names.facts.contains("model class") {
        let message = format!("`{}` runs when the model's code is imported", shown(call.path));
        reader.remarks.add(&IMPORT_COMMAND, offset, message);
    }
}

/// A command line of a notebook, which begins at `offset`.
pub(crate) fn shell_line(command: &str, offset: usize, remarks: &mut Remarks<'_>) {
    judge(command, offset, remarks);
    serving::command(command, offset, remarks);
}

fn judge(command: &str, offset: usize, remarks: &mut Remarks<'_>) {
    let command_shown = shown(&crate::secrets::blotted(command));
    match shell::judge(command) {
        Some(Shell::Hostile(how)) => {
            remarks.add(&HOSTILE_COMMAND, offset, format!("{how}: `{command_shown}`"))
        }
        Some(Shell::Pipe) => {
            // A pipe from a stranger's address into a shell: the command is the attack's first half.
            remarks.add(&HOSTILE_COMMAND, offset, format!("it runs what it downloads: `{command_shown}`"));
        }
        Some(Shell::Installer) => remarks.add(&INSTALLER, offset, format!("it runs `{command_shown}`")),
        None => {}
    }
}
