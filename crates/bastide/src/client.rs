//! Commands that read or change an installation: through the running server, or on the folder itself when there is none.

use std::io::{self, Read as _, Write as _};
use std::sync::Arc;

use serde_json::Value;

use crate::admin::{Admin, CredentialGiven, Request};
use crate::cli::{self, Data};
use crate::control;
use crate::failure::{Failure, could_not};
use crate::folder::{Folder, Locked};
use crate::node::Node;

/// Base URLs of providers that are known by name.
const KNOWN: [(&str, &str); 5] = [
    ("groq", "https://api.groq.com/openai/v1"),
    ("mistral", "https://api.mistral.ai/v1"),
    ("ollama", "http://127.0.0.1:11434/v1"),
    ("openai", "https://api.openai.com/v1"),
    ("openrouter", "https://openrouter.ai/api/v1"),
];

/// Executes a request wherever the folder is held.
pub(crate) fn execute(data: &Data, request: Request) -> Result<Value, Failure> {
    let makes = matches!(
        request,
        Request::KeyCreate { .. }
            | Request::ProviderAdd { .. }
            | Request::ProjectCreate { .. }
            | Request::PolicySet { .. }
    );
    if !data.dir.exists() {
        let dir = data.dir.display();
        if !makes {
            return Err(Failure::could_not(format!(
                "there is no data folder `{dir}`; name the server's with `--data DIR`"
            )));
        }
        note(&format!("made a new data folder `{dir}`; serve from it with `bastide serve --data {dir}`"));
    }
    match Folder::take(data)? {
        Locked::Theirs => control::ask(&data.dir, &request),
        Locked::Mine(folder) => {
            let runtime =
                tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(could_not)?;
            let node = Arc::new(Node::open(folder)?);
            node.bootstrap()?;
            node.reconcile(false)?;
            let admin = Admin { node: Arc::clone(&node), gateway: None };
            let uid = rustix::process::geteuid().as_raw();
            let result = runtime.block_on(admin.execute(uid, request));
            node.log.clone().close().map_err(could_not)?;
            result
        }
    }
}

pub(crate) fn key(command: cli::Key) -> Result<(), Failure> {
    match command {
        cli::Key::Create(args) => {
            let request = Request::KeyCreate {
                name: args.name,
                project: args.project,
                expires: args.expires,
                requests_per_minute: args.requests_per_minute,
                tokens_per_minute: args.tokens_per_minute,
                tokens_per_day: args.tokens_per_day,
                concurrency: args.concurrency,
            };
            let made = execute(&args.data, request)?;
            print(args.output.json, &made, |made| {
                format!(
                    "{}   {}\n{}\nThis is shown once. Give it to the application as its API key; the base URL is the \
                     gateway's.\n",
                    text(&made["id"]),
                    text(&made["name"]),
                    text(&made["key"])
                )
            })
        }
        cli::Key::List { data, output } => {
            let keys = execute(&data, Request::KeyList)?;
            print(output.json, &keys, |keys| {
                table(
                    keys,
                    &["id", "name", "state", "hint", "created", "expires"],
                    "no keys yet; make one with `bastide key create NAME`",
                )
            })
        }
        cli::Key::Revoke { key, data, output } => {
            let revoked = execute(&data, Request::KeyRevoke { key })?;
            print(output.json, &revoked, |k| format!("{} is revoked\n", text(&k["id"])))
        }
    }
}

pub(crate) fn provider(command: cli::Provider) -> Result<(), Failure> {
    match command {
        cli::Provider::Add { name, base_url, key_env, key_file, key_stdin, project, data, output } => {
            let known = KNOWN.iter().find(|(n, _)| *n == name).map(|(_, url)| (*url).to_owned());
            let base_url = base_url.or(known).ok_or_else(|| {
                let names: Vec<_> = KNOWN.iter().map(|(n, _)| *n).collect();
                Failure::usage(format!(
                    "`{name}` is not known by name; give `--base-url URL` (known: {})",
                    names.join(", ")
                ))
            })?;
            let credential = match (key_env, key_file, key_stdin) {
                (Some(name), _, _) => CredentialGiven::Env { name },
                (_, Some(path), _) => {
                    let path = std::path::absolute(&path).map_err(could_not)?;
                    CredentialGiven::File { path: path.display().to_string() }
                }
                (_, _, true) => {
                    let mut value = String::new();
                    io::stdin().take(64 << 10).read_to_string(&mut value).map_err(could_not)?;
                    CredentialGiven::Sealed { value: value.trim().to_owned() }
                }
                _ => CredentialGiven::None,
            };
            let added = execute(&data, Request::ProviderAdd { name, base_url, credential, project })?;
            print(output.json, &added, |p| {
                format!(
                    "{} serves from {} (credential: {})\n",
                    text(&p["name"]),
                    text(&p["base_url"]),
                    text(&p["credential"])
                )
            })
        }
        cli::Provider::List { data, output } => {
            let providers = execute(&data, Request::ProviderList)?;
            print(output.json, &providers, |p| {
                table(
                    p,
                    &["name", "base_url", "credential", "project", "created"],
                    "no providers yet; add one with `bastide provider add openai --key-env OPENAI_API_KEY`",
                )
            })
        }
        cli::Provider::Remove { name, data, output } => {
            let removed = execute(&data, Request::ProviderRemove { name })?;
            print(output.json, &removed, |p| format!("{} is removed\n", text(&p["name"])))
        }
    }
}

pub(crate) fn project(command: cli::Project) -> Result<(), Failure> {
    match command {
        cli::Project::Create { name, data, output } => {
            let made = execute(&data, Request::ProjectCreate { name })?;
            print(output.json, &made, |p| format!("{}   {}\n", text(&p["id"]), text(&p["name"])))
        }
        cli::Project::List { data, output } => {
            let projects = execute(&data, Request::ProjectList)?;
            print(output.json, &projects, |p| table(p, &["id", "name", "created"], "no projects yet"))
        }
    }
}

pub(crate) fn policy(command: cli::Policy) -> Result<(), Failure> {
    let read = |file: &std::path::Path| {
        std::fs::read_to_string(file)
            .map_err(|e| Failure::could_not(format!("cannot read `{}`: {e}", file.display())))
    };
    match command {
        cli::Policy::Show { data } => {
            let shown = execute(&data, Request::PolicyShow)?;
            write(shown["text"].as_str().unwrap_or_default())
        }
        cli::Policy::Schema => write(&bastide_policy::schema_text()),
        cli::Policy::Check { file } => match bastide_policy::PolicySet::parse(&read(&file)?) {
            Ok(set) => {
                let lints: String = set.lints().iter().map(|l| format!("warning: {l}\n")).collect();
                write(&format!("{lints}{} policies hold together\n", set.len()))
            }
            Err(e) => Err(Failure::does_not_hold(crate::failure::chain(&e))),
        },
        cli::Policy::Set { file, data, output } => {
            let set = execute(&data, Request::PolicySet { text: read(&file)? })?;
            print(output.json, &set, |set| {
                let lints = set["warnings"].as_array().map(Vec::as_slice).unwrap_or_default();
                let lints: String = lints.iter().map(|l| format!("warning: {}\n", text(l))).collect();
                format!("{lints}version {} is in force\n", set["version"])
            })
        }
    }
}

#[expect(clippy::print_stderr, reason = "a remark beside the result goes to standard error")]
fn note(text: &str) {
    eprintln!("bastide: {text}");
}

pub(crate) fn print(json: bool, value: &Value, human: impl FnOnce(&Value) -> String) -> Result<(), Failure> {
    if json { write(&format!("{value}\n")) } else { write(&human(value)) }
}

pub(crate) fn write(text: &str) -> Result<(), Failure> {
    let mut out = io::stdout().lock();
    match out.write_all(text.as_bytes()).and_then(|()| out.flush()) {
        Err(e) if e.kind() == io::ErrorKind::BrokenPipe => Ok(()),
        other => other.map_err(could_not),
    }
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap_or("-")
}

/// A plain table: a header, then a line each.
fn table(rows: &Value, columns: &[&str], empty: &str) -> String {
    let rows = rows.as_array().map(Vec::as_slice).unwrap_or_default();
    if rows.is_empty() {
        return format!("{empty}\n");
    }
    let widths: Vec<usize> = columns
        .iter()
        .map(|c| rows.iter().map(|r| text(&r[*c]).chars().count()).chain([c.len()]).max().unwrap_or(0))
        .collect();
    let line = |cells: &mut dyn Iterator<Item = &str>| {
        let padded: Vec<String> = cells.zip(&widths).map(|(cell, width)| format!("{cell:<width$}")).collect();
        format!("{}\n", padded.join("  ").trim_end())
    };
    let mut out = line(&mut columns.iter().copied());
    for row in rows {
        out.push_str(&line(&mut columns.iter().map(|c| text(&row[*c]))));
    }
    out
}
