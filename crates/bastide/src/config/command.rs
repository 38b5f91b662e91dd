//! `bastide config`: the settings, checked, explained and described.

use std::collections::BTreeSet;
use std::path::Path;

use bastide_admin::{Failure, Origin, Pending, Request, could_not};
use bastide_store::Store;
use serde::Deserialize as _;
use serde_json::{Value, json};

use super::{Effective, Said, displaced, load, overlay, schema};
use crate::cli::Config;
use crate::client;
use crate::environment;
use crate::{control, serve, tls};

pub(crate) fn run(command: Config, said: &Said) -> Result<(), Failure> {
    match command {
        Config::Check { file, mut serve, output } => {
            serve.config = file.or(serve.config);
            let effective = load(&serve, said)?;
            effective.tls.as_ref().map(tls::read).transpose()?;
            serve::fixed_provider(&serve)?;
            environment::log_filter()?;
            let uses: BTreeSet<String> = serve.upstream_key_env.iter().cloned().collect();
            let mut warnings: Vec<String> = environment::unknown(&uses)
                .map(|(name, closest)| {
                    format!(
                        "the environment variable `{name}` is ignored, unless a provider's credential is in it; is \
                         `{closest}` meant?"
                    )
                })
                .collect();
            warnings.extend(displaced_in(&serve.data.dir, &effective));
            warnings.iter().for_each(|warning| client::note(&format!("warning: {warning}")));
            client::print(output.json, &json!({"settings": "hold", "warnings": warnings}), |_| {
                match &serve.config {
                    Some(path) => format!("the settings in `{}` hold\n", path.display()),
                    None => {
                        "there is no settings file, and what flags and environment say holds\n".to_owned()
                    }
                }
            })
        }
        Config::Explain { running, serve, output } => {
            let explained = match running {
                true => control::ask_server(&serve.data.dir, &Request::ConfigExplain)?,
                false => {
                    let effective = load(&serve, said)?;
                    // What is stored counts at a start: the guard that was set in the console or with a command.
                    let effective = match Store::open_to_read(&serve.data.dir).map_err(could_not)? {
                        Some(store) => overlay(effective, &store)?,
                        None => effective,
                    };
                    serde_json::to_value(effective.explained).map_err(could_not)?
                }
            };
            client::print(output.json, &explained, |explained| {
                let rows = explained.as_array().into_iter().flatten().map(|e| {
                    // A server of a later version may know of origins that this program does not.
                    let origin = Origin::deserialize(&e["origin"]).map_or("-".to_owned(), |o| o.to_string());
                    let waits = Pending::deserialize(&e["pending"]).map_or(String::new(), |p| waits(&p));
                    let origin = format!("{origin}{waits}");
                    json!({"setting": e["name"], "value": shown(&e["value"]), "origin": origin})
                });
                client::table(&rows.collect(), &["setting", "value", "origin"], "there are no settings")
            })
        }
        Config::Schema => {
            let text = serde_json::to_string_pretty(&schema::schema()?).map_err(could_not)?;
            client::write(&format!("{text}\n"))
        }
        Config::Reload { server, output } => {
            let done = control::ask_server(&server.dir, &Request::ConfigReload)?;
            for warning in done["warnings"].as_array().into_iter().flatten().filter_map(Value::as_str) {
                client::note(&format!("warning: {warning}"));
            }
            client::print(output.json, &done, |done| {
                let named = |list: &Value| {
                    let names: Vec<&str> =
                        list.as_array().into_iter().flatten().filter_map(Value::as_str).collect();
                    names.join(", ")
                };
                let changed = match named(&done["changed"]) {
                    none if none.is_empty() => "nothing changed\n".to_owned(),
                    names => format!("in force: {names}\n"),
                };
                match named(&done["needs_restart"]) {
                    none if none.is_empty() => changed,
                    names => format!("{changed}needs restart: {names}\n"),
                }
            })
        }
    }
}

/// What the guard that is stored in a data folder comes to with these settings, where it does not hold.
fn displaced_in(dir: &Path, effective: &Effective) -> Option<String> {
    match Store::open_to_read(dir).map_err(could_not).and_then(|store| match store {
        Some(store) => displaced(effective, &store),
        None => Ok(None),
    }) {
        Ok(displaced) => Some(displaced?.to_string()),
        Err(failure) => Some(format!("whether a stored guard still holds is not known: {failure}")),
    }
}

/// What waits beside a setting in force.
pub(crate) fn waits(pending: &Pending) -> String {
    let (value, needs) = (shown(&pending.value), pending.needs());
    match &pending.origin {
        Origin::Default => format!(" at the start; nothing says it any more (default {value}), {needs}"),
        origin => format!(" at the start; {origin} now says {value}, {needs}"),
    }
}

pub(crate) fn shown(value: &Value) -> String {
    match value {
        Value::Null => "-".to_owned(),
        Value::String(text) => text.clone(),
        Value::Array(list) if list.iter().all(Value::is_string) => {
            let texts: Vec<&str> = list.iter().filter_map(Value::as_str).collect();
            if texts.is_empty() { "-".to_owned() } else { texts.join(", ") }
        }
        other => other.to_string(),
    }
}
