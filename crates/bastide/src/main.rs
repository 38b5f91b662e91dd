//! The `bastide` binary: settings in, a server or an answer out.

mod audit;
mod cli;
mod client;
mod config;
mod control;
mod doctor;
mod entry;
mod environment;
mod inspect;
mod likeness;
mod logging;
mod notify;
mod progress;
mod reference;
mod running;
mod scan;
mod serve;
mod server;
mod show;
mod sign;
mod signals;
mod telemetry;
mod terminal;
mod tls;
mod token;
mod user;

use std::ffi::OsString;
use std::process::ExitCode;

use bastide_admin::Failure;
use clap::error::{ContextKind, ContextValue};
use clap::{CommandFactory as _, FromArgMatches as _};

use crate::cli::{Cli, Command};
use crate::config::Said;

fn main() -> ExitCode {
    let json = wants_json(std::env::args_os().skip(1));
    let command = Cli::command();
    let parsed = command.clone().try_get_matches();
    let parsed =
        parsed.and_then(|matches| Ok((Cli::from_arg_matches(&matches)?, Said::of(&command, &matches))));
    let (cli, said) = match parsed {
        Ok(parsed) => parsed,
        Err(mut error) => {
            suggest(&mut error, &command, std::env::args_os().skip(1));
            // `--help` and `--version` come this way too, with a code of 0.
            if json && error.exit_code() != 0 {
                let text = error.render().to_string();
                let message = text.trim().strip_prefix("error: ").unwrap_or(text.trim());
                say_in_json(&Failure::usage(message));
            }
            error.exit()
        }
    };
    let result = match cli.command {
        Command::Serve(args) => serve::run(*args, said),
        Command::Key(command) => client::key(command),
        Command::Token(command) => token::run(command),
        Command::Provider(command) => client::provider(command),
        Command::Project(command) => client::project(command),
        Command::User(command) => user::run(command),
        Command::Policy(command) => client::policy(command),
        Command::Guard(command) => client::guard(command),
        Command::Audit(command) => audit::run(command),
        Command::Folder(command) => client::folder(command),
        Command::Inspect(args) => inspect::run(&args),
        Command::Scan(args) => scan::run(&args),
        Command::Sign(args) => sign::run(&args),
        Command::Verify(args) => sign::verify(&args),
        Command::Config(command) => config::run(command, &said),
        Command::LogLevel { filter, server, output } => server::log_level(&server, filter, output),
        Command::Doctor(args) => doctor::run(&args, &said),
        Command::Healthcheck { server, output } => server::healthcheck(&server, output),
        Command::ExplainError { code, output } => reference::explain_error(&code, output),
        Command::Completions { shell } => reference::completions(shell),
        Command::Man { dir } => reference::man(dir.as_deref()),
        Command::Reference { page } => reference::print(page),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            if json && !failure.is_told() {
                say_in_json(&failure);
            }
            report(&failure);
            failure.code().into()
        }
    }
}

/// Names the command that was most likely meant: the parser itself knows no swapped letters.
fn suggest(error: &mut clap::Error, root: &clap::Command, arguments: impl Iterator<Item = OsString>) {
    let Some(ContextValue::String(given)) = error.get(ContextKind::InvalidSubcommand) else { return };
    if error.get(ContextKind::SuggestedSubcommand).is_some() {
        return;
    }
    // Down to the command whose part is unknown.
    let above = arguments.take_while(|argument| argument.to_str() != Some(given));
    let command = above.fold(root, |command, argument| command.find_subcommand(&argument).unwrap_or(command));
    let shown = command.get_subcommands().filter(|command| !command.is_hide_set());
    if let Some(meant) = likeness::closest(given, shown.map(clap::Command::get_name)) {
        let meant = ContextValue::Strings(vec![meant.to_owned()]);
        error.insert(ContextKind::SuggestedSubcommand, meant);
    }
}

/// Whether the caller reads JSON: known before the command is, because one that does not parse is answered alike.
fn wants_json(arguments: impl Iterator<Item = OsString>) -> bool {
    let mut formed = false;
    arguments.take_while(|argument| argument != "--").any(|argument| {
        let json = argument == "--json" || argument == "--format=json" || formed && argument == "json";
        formed = argument == "--format";
        json
    })
}

/// Every failure is on standard output too, where a program looks for the result.
fn say_in_json(failure: &Failure) {
    // Nobody may read it: the exit code says the same.
    let _ = client::write(&format!("{}\n", serde_json::json!({ "error": failure.to_json() })));
}

#[expect(clippy::print_stderr, reason = "the last word of a command goes to standard error")]
fn report(failure: &Failure) {
    eprintln!("bastide: {failure}");
}
