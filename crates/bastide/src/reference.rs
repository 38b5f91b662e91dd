//! What is made from the definitions in this program: completions, manual pages, and the reference pages of the
//! documentation (`cargo xtask docs` writes those).

use std::fmt::Write as _;
use std::path::Path;

use bastide_admin::{Failure, could_not};
use bastide_gateway::Metrics;
use bastide_registry::render;
use bastide_types::{Code, Guarded};
use clap::{CommandFactory as _, ValueEnum};
use serde_json::{Value, json};

use crate::cli::{Cli, Output};
use crate::likeness::meant;
use crate::{client, config};

/// A reference page.
#[derive(Clone, Copy, Debug, ValueEnum)]
pub(crate) enum Page {
    Cli,
    Configuration,
    Metrics,
    Detectors,
    Rules,
    ScanSchema,
    Api,
    Openapi,
    Errors,
}

pub(crate) fn completions(shell: clap_complete::Shell) -> Result<(), Failure> {
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut Cli::command(), "bastide", &mut script);
    client::write(&String::from_utf8_lossy(&script))
}

pub(crate) fn man(dir: Option<&Path>) -> Result<(), Failure> {
    let failed = |e: std::io::Error| Failure::could_not(format!("cannot write the manual pages: {e}"));
    let mut root = Cli::command();
    root.build();
    match dir {
        Some(dir) => {
            std::fs::create_dir_all(dir).map_err(failed)?;
            pages(&root).try_for_each(|(name, page)| std::fs::write(dir.join(name), page)).map_err(failed)
        }
        None => client::write(&manual_page(&root).1),
    }
}

/// The pages of a command and of all below it, as file names and texts.
fn pages(command: &clap::Command) -> Box<dyn Iterator<Item = (String, String)> + '_> {
    let below = command.get_subcommands().filter(|command| !command.is_hide_set()).flat_map(pages);
    Box::new(std::iter::once(manual_page(command)).chain(below))
}

fn manual_page(command: &clap::Command) -> (String, String) {
    let page = clap_mangen::Man::new(command.clone().override_usage(synopsis(command)));
    let mut text = Vec::new();
    // Nothing that is written to memory fails.
    let _ = page.render(&mut text);
    let text = String::from_utf8_lossy(&text).into_owned();
    // The one thing that stands behind the options here has a section of its own in man-pages(7).
    (page.get_filename(), text.replace(".SH EXTRA\n", ".SH \"EXIT STATUS\"\n"))
}

/// The whole command as it may be typed, with what each argument takes.
fn synopsis(command: &clap::Command) -> String {
    let name = command.get_bin_name().unwrap_or_else(|| command.get_name());
    let shown = || command.get_arguments().filter(|argument| !argument.is_hide_set());
    let value = |argument: &clap::Arg| {
        let names = argument.get_value_names().map(|names| names.join(" "));
        names.unwrap_or_else(|| argument.get_id().as_str().to_uppercase())
    };
    let mut text = name.to_owned();
    for argument in shown().filter(|argument| !argument.is_positional()) {
        let flag = match (argument.get_long(), argument.get_short()) {
            (Some(long), _) => format!("--{long}"),
            (None, Some(short)) => format!("-{short}"),
            (None, None) => continue,
        };
        let takes = argument.get_action().takes_values();
        let flag = if takes { format!("{flag} {}", value(argument)) } else { flag };
        let _ = match argument.is_required_set() {
            true => write!(text, " {flag}"),
            false => write!(text, " [{flag}]"),
        };
    }
    for argument in shown().filter(|argument| argument.is_positional()) {
        let more = if matches!(argument.get_action(), clap::ArgAction::Append) { "..." } else { "" };
        let _ = match argument.is_required_set() {
            true => write!(text, " {}{more}", value(argument)),
            false => write!(text, " [{}{more}]", value(argument)),
        };
    }
    if command.has_subcommands() {
        text.push_str(" COMMAND");
    }
    text
}

pub(crate) fn explain_error(given: &str, output: Output) -> Result<(), Failure> {
    let name = given.strip_prefix(Code::URN).unwrap_or(given);
    let code = Code::named(name).ok_or_else(|| {
        let shown: String = name.chars().filter(|c| !c.is_control()).take(60).collect();
        let meant = meant(name, Code::all().map(|code| code.name));
        Failure::usage(format!("`{shown}` is no code of bastide's{meant}; docs/errors.md lists them"))
    })?;
    let told = json!({"code": code.name, "statuses": code.statuses, "about": code.about});
    client::print(output.json, &told, |_| {
        format!("{}\n\n{}{}\n", code.name, code.statuses_in_words(), code.about)
    })
}

pub(crate) fn print(page: Page) -> Result<(), Failure> {
    let text = match page {
        Page::Cli => commands(),
        Page::Configuration => settings()?,
        Page::Metrics => metrics(),
        Page::Detectors => detectors(),
        Page::Rules => rules(),
        Page::ScanSchema => scan_schema()?,
        Page::Api => format!("{}{}", head_alone("Management API"), bastide_api::reference()),
        Page::Openapi => openapi()?,
        Page::Errors => errors(),
    };
    client::write(&text)
}

fn head(title: &str, about: &str) -> String {
    format!("{}{about}\n\n", head_alone(title))
}

fn head_alone(title: &str) -> String {
    format!("<!-- Written by `cargo xtask docs`; change the source instead. -->\n\n# {title}\n\n")
}

fn openapi() -> Result<String, Failure> {
    Ok(format!("{}\n", serde_json::to_string_pretty(&bastide_api::openapi()).map_err(could_not)?))
}

fn scan_schema() -> Result<String, Failure> {
    Ok(format!("{}\n", serde_json::to_string_pretty(&render::json_schema()).map_err(could_not)?))
}

/// Text inside a cell of a table.
fn cell(text: &str) -> String {
    text.replace('|', "\\|").replace('\n', " ")
}

fn commands() -> String {
    let about = "What each command does and takes. How commands behave, and their exit codes: \
                 [commands.md](../commands.md).";
    let mut text = head("Commands", about);
    let mut root = Cli::command();
    root.build();
    for command in root.get_subcommands_mut().filter(|command| !command.is_hide_set()) {
        describe(command, "bastide", &mut text);
    }
    format!("{}\n", text.trim_end())
}

fn describe(command: &mut clap::Command, above: &str, text: &mut String) {
    let name = format!("{above} {}", command.get_name());
    let about = command.get_about().map(ToString::to_string).unwrap_or_default();
    if command.has_subcommands() {
        let shown = command.get_subcommands_mut().filter(|command| !command.is_hide_set());
        shown.for_each(|command| describe(command, &name, text));
        return;
    }
    let usage = command.render_usage().to_string();
    // Further lines stand below the first one.
    let usage = usage.trim_start_matches("Usage: ").replace("\n       ", "\n");
    let _ = write!(text, "## {name}\n\n{about}.\n\n```text\n{usage}\n```\n\n");
    let arguments: Vec<String> =
        command.get_arguments().filter(|a| a.get_id() != "help" && !a.is_hide_set()).map(argument).collect();
    if !arguments.is_empty() {
        let _ = write!(text, "| argument | environment | what |\n|---|---|---|\n{}\n", arguments.concat());
    }
}

fn argument(argument: &clap::Arg) -> String {
    let takes = argument.get_action().takes_values();
    let value =
        argument.get_value_names().and_then(<[_]>::first).map(ToString::to_string).unwrap_or_default();
    let value = if takes && !argument.is_positional() { format!(" {value}") } else { String::new() };
    let name = match (argument.get_long(), argument.get_short()) {
        (Some(long), Some(short)) => format!("`-{short}`, `--{long}{value}`"),
        (Some(long), None) => format!("`--{long}{value}`"),
        (None, Some(short)) => format!("`-{short}{value}`"),
        (None, None) => format!("`{}`", argument.get_id().as_str().to_uppercase()),
    };
    let environment =
        argument.get_env().map(|env| format!("`{}`", env.to_string_lossy())).unwrap_or_default();
    let mut what = argument.get_help().map(ToString::to_string).unwrap_or_default();
    let choices = argument.get_possible_values();
    if takes && !choices.is_empty() && !what.contains('`') {
        let names: Vec<String> = choices.iter().map(|choice| format!("`{}`", choice.get_name())).collect();
        let _ = write!(what, "; one of {}", names.join(", "));
    }
    if let Some(default) = argument.get_default_values().first().filter(|_| takes) {
        let _ = write!(what, " [default: {}]", default.to_string_lossy());
    }
    format!("| {name} | {environment} | {} |\n", cell(&what))
}

fn settings() -> Result<String, Failure> {
    let about = "Every setting of the file that `--config FILE` names. What they mean together, and the environment: \
                 [configuration.md](../configuration.md). `bastide config schema` prints the same as a JSON Schema.";
    let mut text = head("Settings", about);
    text.push_str("| setting | what | values | default | a change takes effect |\n|---|---|---|---|---|\n");
    for setting in config::documented()? {
        let default = match &setting.default {
            Value::Null => String::new(),
            Value::Array(list) if list.is_empty() => String::new(),
            other => format!("`{other}`"),
        };
        let effect = if setting.needs_restart { "at the next start" } else { "with a reload" };
        let (name, description) = (&setting.name, cell(&setting.description));
        let _ =
            writeln!(text, "| `{name}` | {description} | {} | {default} | {effect} |", cell(&setting.kind));
    }
    Ok(text)
}

fn metrics() -> String {
    let about = "What `GET /metrics` answers, on loopback only, in the OpenMetrics text format. Samples of a counter \
                 end in `_total`.";
    let mut text = head("Metrics", about);
    text.push_str("| metric | kind | labels | what |\n|---|---|---|---|\n");
    for metric in Metrics::documented() {
        let labels: Vec<String> = metric.labels.iter().map(|label| format!("`{label}`")).collect();
        let (name, kind) = (metric.name, metric.kind);
        let _ = writeln!(text, "| `{name}` | {kind} | {} | {} |", labels.join(", "), cell(&metric.help));
    }
    text
}

fn detectors() -> String {
    let about = "What the guard looks for. A rule in the settings names a detector, its category or its family. A \
                 finding's score says how sure it is, its severity how bad.";
    let mut text = head("Detectors", about);
    text.push_str("| detector | family | category | severity |\n|---|---|---|---|\n");
    let detectors = bastide_inspect::standard_detectors();
    let mut rows: Vec<_> =
        detectors.iter().map(|d| (d.category().family(), d.category(), d.id(), d.severity())).collect();
    rows.sort_by_key(|(_, category, id, _)| (category.as_str(), *id));
    for (family, category, id, severity) in rows {
        let family = match family {
            Guarded::PersonalData => "personal_data",
            Guarded::Secret => "secret",
            Guarded::Attack => "attack",
            Guarded::Own => "own",
        };
        let severity = render::severity(severity);
        let _ = writeln!(text, "| `{id}` | `{family}` | `{category}` | {severity} |");
    }
    text
}

fn errors() -> String {
    let about = "Every refusal carries a stable `code`. In the OpenAI dialect it is `error.code`; `error.param` names the field \
                 where there is one. A problem of the management API has it as `code`, and as `type` with `urn:bastide:error:` before it: a \
                 name, since nothing is served there. `bastide explain-error CODE` prints what this page says of one.";
    let mut text = head("Errors", about);
    Code::OF_THE_GATEWAY.iter().for_each(|code| describe_code(code, &mut text));
    text.push_str(
        "# Errors of management\n\nWhat changes keys, people, projects, providers and policies, and what opens the records \
         and the log, fails with these. The command line shows the message, and its [exit code](commands.md#exit-codes) says \
         whether the command or the state of things is at fault; the console shows it at the field; the management API \
         answers with the code.\n\n",
    );
    Code::OF_MANAGEMENT.iter().for_each(|code| describe_code(code, &mut text));
    format!("{}\n", text.trim_end())
}

fn describe_code(code: &Code, text: &mut String) {
    let _ = write!(text, "## {}\n\n{}{}\n\n", code.name, code.statuses_in_words(), code.about);
}

fn rules() -> String {
    let about = "What `bastide scan` looks for, and what a finding makes of the file. The worst of a file's findings is its \
                 verdict; `clean` is a remark.";
    let mut text = head("Rules", about);
    let mut rules: Vec<_> = render::rules().collect();
    rules.sort_by_key(|rule| rule.id);
    for rule in rules {
        let cwe = rule.cwe.iter().map(|number| format!("CWE-{number}"));
        let ids: Vec<String> = cwe.chain(rule.atlas.iter().map(|id| (*id).to_owned())).collect();
        let ids = if ids.is_empty() { String::new() } else { format!(" · {}", ids.join(" · ")) };
        let severity = render::severity(rule.severity);
        let _ = write!(
            text,
            "## `{}`\n\n{}{} · {severity} · `{}`{ids}\n\nWhy: {}.\n\nWhat to do: {}.\n\n",
            rule.id,
            rule.title.get(..1).unwrap_or_default().to_uppercase(),
            rule.title.get(1..).unwrap_or_default(),
            rule.effect,
            rule.why,
            rule.fix
        );
    }
    format!("{}\n", text.trim_end())
}
