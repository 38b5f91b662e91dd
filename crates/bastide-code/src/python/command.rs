//! Commands of the system that a program runs.

use bastide_types::Rule;

use crate::python::call::Call;
use crate::python::hostile::HOSTILE_COMMAND;
use crate::python::names::{runs_command, through_library};
use crate::python::reader::{Reader, Scope};
use crate::python::role::Role;
use crate::python::serving;
use crate::python::value::{HOLE, Value};
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

rule!(LOADING_COMMAND, "code.loading-command", Critical, Malicious, "loading or importing it runs a strange command",
    why: "code that is loaded computes; what asks the system for anything but its tools does something else",
    fix: "do not load or install it; delete the file, and look for what it has done where it ran",
    cwe: [506, 829], atlas: ["AML.T0010.003", "AML.T0011.000"]);

pub(crate) const RULES: &[&Rule] = &[&INSTALLER, &SETUP_COMMAND, &IMPORT_COMMAND, &LOADING_COMMAND];

/// Commands of setuptools that installing runs.
const INSTALLERS: &[&str] = &["install", "develop", "egg_info", "bdist_egg", "build_py", "sdist"];

pub(crate) fn check(reader: &mut Reader<'_, '_, '_>, call: &Call<'_>) {
    if !runs_command(call.path) {
        return;
    }
    let offset = call.offset;
    let command = call.command().as_ref().and_then(Value::as_command);
    if let Some(command) = command.filter(|command| reader.spend(command.len())) {
        judge(&command, offset, reader.remarks);
        serving::command(&command, offset, reader.remarks);
    }
    let setuptools = reader.names.imports("setuptools") || reader.names.imports("distutils");
    let installer = |scope: &Scope| matches!(scope, Scope::Class(class) if INSTALLERS.iter().any(|base| class.bases.contains(base)));
    let installs = setuptools && reader.scopes.iter().any(installer);
    if installs {
        let message = format!("`{}` runs while the package is installed", shown(call.path));
        reader.remarks.add(&SETUP_COMMAND, offset, message);
    }
    loading(reader, call, installs);
}

/// Commands that loading the model runs, or importing or installing what stands beside it.
fn loading(reader: &mut Reader<'_, '_, '_>, call: &Call<'_>, installs: bool) {
    let imports = reader.runs_on_import();
    if !installs && !imports && !reader.runs_on_load() {
        return;
    }
    let command = call.command();
    let known = command.as_ref().and_then(Value::as_command).filter(|command| !command.starts_with(HOLE));
    let strange = known.as_deref().filter(|command| !shell::is_ordinary(command));
    let by_shell =
        matches!(call.path, "os.system" | "os.popen" | "subprocess.getoutput" | "subprocess.getstatusoutput")
            || call.is("shell", true);
    let told = by_shell || strange.is_some_and(shell::is_foreign);
    let when = match (reader.role(), imports) {
        (Role::Loader, true) => "the model's code is imported",
        (Role::Loader, false) => "the model is loaded or asked",
        _ if installs => "the package is installed",
        (Role::Install, true) => "the project is installed, built or tested",
        (Role::Program, true) if reader.is_module() => "the file is imported",
        _ => return,
    };
    let name = shown(call.path);
    match (reader.role(), strange) {
        (Role::Loader, Some(command)) if imports || told => strangely(reader, call, command, when),
        // No honest model sends commands, or installs what its author's own index serves.
        (Role::Loader, _)
            if through_library(call.path) || known.as_deref().is_some_and(shell::takes_index) =>
        {
            strangely(reader, call, known.as_deref().unwrap_or_default(), when);
        }
        (Role::Install | Role::Program, Some(command)) if told => strangely(reader, call, command, when),
        (Role::Loader, _) if imports || known.as_deref().is_none_or(|known| !shell::is_tool(known)) => {
            reader.remarks.add(&IMPORT_COMMAND, call.offset, format!("`{name}` runs when {when}"));
        }
        (Role::Install, Some(_)) => {
            reader.remarks.add(&SETUP_COMMAND, call.offset, format!("`{name}` runs when {when}"));
        }
        _ => {}
    }
}

fn strangely(reader: &mut Reader<'_, '_, '_>, call: &Call<'_>, command: &str, when: &str) {
    let command = shown(&crate::secrets::blotted(command));
    let message = format!("`{}` runs `{command}` when {when}", shown(call.path));
    reader.remarks.add(&LOADING_COMMAND, call.offset, message);
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
