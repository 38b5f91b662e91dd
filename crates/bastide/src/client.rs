//! Commands that read or change an installation: through the running server, or on the folder itself when there is none.

use std::fs::File;
use std::io::{self, Read as _, Write as _};
use std::path::Path;
use std::sync::Arc;

use bastide_admin::{
    Admin, Authorized, BUILT_IN, CredentialGiven, Failure, Folder, KNOWN, KeyWanted, Locked, Node,
    ProviderWanted, Request, could_not, shell_word,
};
use serde_json::{Value, json};

use crate::cli::{self, Data};
use crate::control;

/// Executes a request wherever the folder is held.
pub(crate) fn execute(data: &Data, request: Request) -> Result<Value, Failure> {
    let makes = matches!(
        request,
        Request::KeyCreate { .. }
            | Request::ProviderAdd(_)
            | Request::ProjectCreate { .. }
            | Request::PolicySet { .. }
            | Request::UserCreate { .. }
            | Request::GuardSet { .. }
    );
    if !data.dir.exists() {
        let dir = data.dir.display();
        if !makes {
            return Err(Failure::could_not(format!(
                "there is no data folder `{dir}`; name the server's with `--data DIR`"
            )));
        }
        let word = shell_word(&data.dir);
        note(&format!("made a new data folder `{dir}`; serve from it with `bastide serve --data {word}`"));
    }
    let answer = match Folder::take(&data.dir, data.passphrase_file.as_deref())? {
        Locked::Theirs => control::ask(&data.dir, &request)?,
        Locked::Mine(folder) => {
            let runtime =
                tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(could_not)?;
            let mut node = Node::open(folder)?;
            node.reconcile()?;
            node.bootstrap()?;
            let node = Arc::new(node);
            let admin = Arc::new(Admin::new(Arc::clone(&node), None));
            let by = Authorized::local_operator(rustix::process::geteuid().as_raw());
            let result = runtime.block_on(async {
                let result = admin.execute(&by, request).await;
                // What is owed to the log gets a last chance here, and else the next start.
                admin.changes.close(LAST_WORD).await;
                result
            });
            let closed = node.log.clone().close();
            let answer = result?;
            // The result stands, and a new key is shown only once: it must not be lost for a log that closes badly.
            if let Err(error) = closed {
                note(&format!("warning: {}", could_not(error)));
            }
            answer
        }
    };
    for warning in answer["warnings"].as_array().into_iter().flatten() {
        note(&format!("warning: {}", text(warning)));
    }
    Ok(answer)
}

/// How long a command waits for the log to take the outcome of its change.
const LAST_WORD: std::time::Duration = std::time::Duration::from_secs(5);

pub(crate) fn key(command: cli::Key) -> Result<(), Failure> {
    match command {
        cli::Key::Create(args) => {
            let request = Request::KeyCreate(KeyWanted {
                name: args.name,
                project: args.project,
                expires: Some(args.expires),
                requests_per_minute: args.requests_per_minute,
                tokens_per_minute: args.tokens_per_minute,
                tokens_per_day: args.tokens_per_day,
                concurrency: args.concurrency,
            });
            let made = execute(&args.data, request)?;
            print(args.output.json, &made, |made| {
                let ends = match made["expires"].as_str() {
                    Some(at) => format!("It ends at {at}."),
                    None => "It does not end.".to_owned(),
                };
                format!(
                    "{}   {}\n{}\nThis is shown once. Give it to the application as its API key; the base URL is the \
                     gateway's. {ends}\n",
                    text(&made["id"]),
                    text(&made["name"]),
                    text(&made["key"])
                )
            })
        }
        cli::Key::List { data, output } => {
            let keys = execute(&data, Request::KeyList)?;
            print(output.json, &keys, |keys| {
                let mut keys = keys.clone();
                for key in keys.as_array_mut().into_iter().flatten() {
                    key["limits"] = Value::from(limits(&key["limits"]));
                    // As `audit tail` shows it.
                    key["in the log"] = key["pseudonym"].as_str().and_then(|name| name.get(..8)).into();
                    key["ends"] = to_the_minute(&key["expires"]).into();
                    key["last use"] = to_the_minute(&key["last_use"]).into();
                }
                table(
                    &keys,
                    &["id", "name", "project", "state", "ends", "last use", "in the log", "limits"],
                    "no keys yet; make one with `bastide key create NAME`",
                )
            })
        }
        cli::Key::Rotate { key, overlap, data, output } => {
            let made = execute(&data, Request::KeyRotate { key, overlap })?;
            print(output.json, &made, |made| {
                format!(
                    "{}   {}\n{}\nThis is shown once. The key before, {}, ends at {}.\n",
                    text(&made["id"]),
                    text(&made["name"]),
                    text(&made["key"]),
                    text(&made["old"]["id"]),
                    text(&made["old"]["expires"]),
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
        cli::Provider::Add {
            name,
            base_url,
            key_env,
            key_file,
            key_stdin,
            plain_http,
            project,
            data,
            output,
        } => {
            let known = KNOWN.iter().find(|k| k.name == name);
            // Another URL is another provider, and whether that wants a credential is its own matter.
            let wants = known.filter(|_| base_url.is_none()).and_then(|k| k.variable);
            let base_url = base_url.or(known.map(|k| k.base_url.to_owned())).ok_or_else(|| {
                let names: Vec<_> = KNOWN.iter().map(|k| k.name).collect();
                Failure::usage(format!(
                    "`{name}` is not known by name; give `--base-url URL` (known: {})",
                    names.join(", ")
                ))
            })?;
            let credential = match (key_env, key_file, key_stdin) {
                (Some(name), _, _) if name.is_empty() || name.contains(['=', '\0']) => {
                    return Err(Failure::usage(format!("`{name}` is no name of an environment variable")));
                }
                (Some(name), _, _) => CredentialGiven::Env { name },
                (_, Some(path), _) => {
                    let path = std::path::absolute(&path).map_err(|e| Failure::usage(e.to_string()))?;
                    CredentialGiven::File { path: path.display().to_string() }
                }
                (_, _, true) => {
                    let mut value = String::new();
                    io::stdin().take(64 << 10).read_to_string(&mut value).map_err(could_not)?;
                    if value.trim().is_empty() {
                        return Err(Failure::could_not("there is no credential on standard input"));
                    }
                    CredentialGiven::Sealed { value: value.trim().to_owned() }
                }
                _ => CredentialGiven::None,
            };
            if let (Some(variable), CredentialGiven::None) = (wants, &credential) {
                note(&format!(
                    "warning: `{name}` refuses requests without a credential; give it one: `bastide provider remove \
                     {name}`, then `bastide provider add {name} --key-env {variable}` (or `--key-file FILE`, \
                     `--key-stdin`)"
                ));
            }
            let wanted = ProviderWanted { name, base_url, credential, plain_http, project };
            let added = execute(&data, Request::ProviderAdd(wanted))?;
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
                    &["name", "base_url", "credential", "given", "state", "project", "created"],
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
    match command {
        cli::Policy::Show { version, data, output } => {
            let shown = execute(&data, Request::PolicyShow { version })?;
            print(output.json, &shown, |shown| shown["text"].as_str().unwrap_or_default().to_owned())
        }
        cli::Policy::Schema { output } => {
            let schema = json!({ "schema": bastide_policy::schema_text() });
            print(output.json, &schema, |_| bastide_policy::schema_text())
        }
        cli::Policy::Check { file, data, passphrase_file, output } => {
            let text = policy_text(&file)?;
            let set = bastide_policy::PolicySet::parse(&text)
                .map_err(|e| Failure::does_not_hold(bastide_admin::chain(&e)))?;
            let mut lints: Vec<Value> = set.lints().iter().map(|l| Value::from(l.to_string())).collect();
            if let Some(dir) = data {
                let mut named = execute(&Data { dir, passphrase_file }, Request::PolicyNames { text })?;
                lints.extend(named["missing"].as_array_mut().map(std::mem::take).unwrap_or_default());
            }
            let checked = json!({ "policies": set.len(), "lints": lints });
            print(output.json, &checked, |checked| {
                let counted = match set.len() {
                    0 => "there is no policy, so everything is denied".to_owned(),
                    1 => "1 policy holds".to_owned(),
                    n => format!("{n} policies hold together"),
                };
                format!("{}{counted}\n", warnings(&checked["lints"]))
            })
        }
        cli::Policy::Set { file, version, data, output } => {
            let text = match file {
                Some(file) => policy_text(&file)?,
                None => written(&execute(&data, Request::PolicyShow { version })?["text"]),
            };
            let set = execute(&data, Request::PolicySet { text })?;
            print(output.json, &set, |set| {
                format!("{}version {} is in force\n", warnings(&set["lints"]), set["version"])
            })
        }
        cli::Policy::History { data, output } => {
            let history = execute(&data, Request::PolicyHistory)?;
            let columns = ["version", "set", "set_by", "state"];
            print(output.json, &history, |history| table(history, &columns, "there are no versions"))
        }
    }
}

pub(crate) fn guard(command: cli::Guard) -> Result<(), Failure> {
    let said = |answer: &Value| {
        format!("version {}: the guard is set to {}\n", answer["version"], text(&answer["mode"]))
    };
    match command {
        cli::Guard::Show { version, data, output } => {
            let shown = execute(&data, Request::GuardShow { version })?;
            print(output.json, &shown, |shown| {
                let mut rules = shown["rules"].clone();
                for rule in rules.as_array_mut().into_iter().flatten() {
                    let score = rule["min_score"].as_u64().unwrap_or_default();
                    rule["from score"] = Value::from(format!("{}.{:03}", score / 1000, score % 1000));
                    rule["of"] = Value::from(if rule["yours"] == true { "yours" } else { "default" });
                    if rule["direction"].is_null() {
                        rule["direction"] = Value::from("both");
                    }
                }
                let columns = ["finding", "from", "direction", "from score", "verdict", "of"];
                let version = match shown["version"].as_u64() {
                    Some(BUILT_IN) | None => String::new(),
                    Some(version) => format!("   stored: version {version}"),
                };
                let locked = match shown["locked_by"].as_str() {
                    Some(origin) if shown["version"].is_u64() => {
                        format!(", which does not hold: {origin} says what the guard does")
                    }
                    Some(origin) => format!("   said by {origin}"),
                    None => String::new(),
                };
                let mode = text(&shown["mode"]);
                format!("mode {mode}{version}{locked}\n\n{}", table(&rules, &columns, "there are no rules"))
            })
        }
        cli::Guard::Set { file, version, data, output } => {
            let (mode, rules) = match file {
                Some(file) => (None, policy_text(&file)?),
                None => {
                    let shown = execute(&data, Request::GuardShow { version })?;
                    (Some(written(&shown["mode"])), written(&shown["text"]))
                }
            };
            print(output.json, &execute(&data, Request::GuardSet { mode, rules: Some(rules) })?, said)
        }
        cli::Guard::Mode { mode, data, output } => {
            let mode = Some(mode.as_str().to_owned());
            print(output.json, &execute(&data, Request::GuardSet { mode, rules: None })?, said)
        }
        cli::Guard::History { data, output } => {
            let history = execute(&data, Request::GuardHistory)?;
            let columns = ["version", "mode", "set", "set_by", "state"];
            print(output.json, &history, |history| table(history, &columns, "there are no versions"))
        }
    }
}

/// No policy text may be longer; the parser of policies says the same with a remedy.
const POLICY_BYTES: u64 = (8 << 20) + 1;

/// The policies in a file, or on standard input for `-`.
fn policy_text(file: &Path) -> Result<String, Failure> {
    let failed = |e: io::Error| Failure::could_not(format!("cannot read `{}`: {e}", file.display()));
    let mut text = String::new();
    if file.as_os_str() == "-" {
        io::stdin().take(POLICY_BYTES).read_to_string(&mut text).map_err(failed)?;
    } else {
        File::open(file).map_err(failed)?.take(POLICY_BYTES).read_to_string(&mut text).map_err(failed)?;
    }
    Ok(text)
}

fn warnings(lints: &Value) -> String {
    lints.as_array().into_iter().flatten().map(|lint| format!("warning: {}\n", text(lint))).collect()
}

pub(crate) fn folder(command: cli::Folder) -> Result<(), Failure> {
    match command {
        cli::Folder::Seal { data, output } => {
            if !data.dir.join("keys").is_dir() {
                return Err(Failure::could_not(format!(
                    "there are no keys in `{}`; name the server's data folder with `--data DIR` (the first start with a \
                     passphrase seals them by itself)",
                    data.dir.display()
                )));
            }
            let sealed = match Folder::take(&data.dir, data.passphrase_file.as_deref())? {
                Locked::Mine(folder) => folder.seal()?,
                Locked::Theirs => {
                    return Err(Failure::could_not(format!(
                        "a server or another command holds `{}`; stop it first",
                        data.dir.display()
                    )));
                }
            };
            print(output.json, &json!({ "sealed": sealed }), |_| {
                match sealed {
                0 => "the keys are sealed already\n".to_owned(),
                _ => "the keys are sealed; every start and command without a server needs the passphrase from now on, \
                      and backups of before still hold them unsealed\n"
                    .to_owned(),
            }
            })
        }
    }
}

#[expect(clippy::print_stderr, reason = "a remark beside the result goes to standard error")]
pub(crate) fn note(text: &str) {
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

/// A text as it stands in an answer.
fn written(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap_or("-")
}

/// A time as a column has room for: without its seconds.
fn to_the_minute(time: &Value) -> Option<String> {
    Some(time.as_str()?.get(..16)?.replace('T', " "))
}

/// Limits in few words.
fn limits(limits: &Value) -> String {
    let names = [
        ("requests_per_minute", "requests/min"),
        ("tokens_per_minute", "tokens/min"),
        ("tokens_per_day", "tokens/day"),
        ("concurrency", "at once"),
    ];
    let set: Vec<String> =
        names.iter().filter_map(|(name, unit)| Some(format!("{} {unit}", limits[*name].as_u64()?))).collect();
    if set.is_empty() { "none".to_owned() } else { set.join(", ") }
}

/// A plain table: a header, then a line each.
pub(crate) fn table(rows: &Value, columns: &[&str], empty: &str) -> String {
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
