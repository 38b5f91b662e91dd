//! Where each effective value comes from.

use std::collections::BTreeMap;

use bastide_admin::{Explained, Origin};
use bastide_audit::{BodiesOptions, Keep};
use bastide_gateway::AuditMode;
use clap::parser::ValueSource;
use serde_json::{Value, json};

use super::read::Written;
use super::{BodySettings, Effective};
use crate::cli::{LogFormat, Serve};
use crate::telemetry::Env;
use crate::{environment, telemetry};

/// Which arguments of a command were given, and how.
#[derive(Clone, Debug, Default)]
pub(crate) struct Said(BTreeMap<String, Origin>);

impl Said {
    /// What was given to the command that the whole command line ends in.
    pub(crate) fn of(command: &clap::Command, matches: &clap::ArgMatches) -> Said {
        if let Some((name, inner)) = matches.subcommand()
            && let Some(command) = command.find_subcommand(name)
        {
            return Said::of(command, inner);
        }
        let given = command.get_arguments().filter_map(|argument| {
            let id = argument.get_id().as_str();
            let origin = match matches.value_source(id)? {
                ValueSource::CommandLine => Origin::Flag { flag: format!("--{}", argument.get_long()?) },
                ValueSource::EnvVariable => {
                    Origin::Environment { variable: argument.get_env()?.to_str()?.to_owned() }
                }
                _ => return None,
            };
            Some((id.to_owned(), origin))
        });
        Said(given.collect())
    }

    /// Whether anything was said of how to serve, besides where the data folder is.
    pub(crate) fn of_serving(&self) -> bool {
        const ASIDE: [&str; 4] = ["dir", "passphrase_file", "json", "online"];
        self.0.keys().any(|argument| !ASIDE.contains(&argument.as_str()))
    }

    fn get(&self, argument: &str) -> Option<Origin> {
        self.0.get(argument).cloned()
    }
}

/// Settings that only the start takes, besides those of whole tables.
const AT_START: [&str; 4] = ["listen", "admin_listen", "limits.connections", "limits.connect_seconds"];
/// Tables that only the start takes.
const TABLES_AT_START: [&str; 2] = ["bodies.", "telemetry."];

/// Whether a setting of the file takes effect only with the next start.
pub(super) fn needs_restart(name: &str) -> bool {
    AT_START.contains(&name) || TABLES_AT_START.iter().any(|table| name.starts_with(table))
}

struct Listing<'a> {
    said: &'a Said,
    written: &'a Written,
    list: Vec<Explained>,
}

impl Listing<'_> {
    /// A setting of the file, and the argument that wins over it.
    fn add(&mut self, name: &'static str, argument: Option<&str>, value: Value) {
        let flag = argument.and_then(|id| self.said.get(id));
        let origin = flag.or_else(|| self.in_file(name)).unwrap_or(Origin::Default);
        self.push(name, value, origin, needs_restart(name));
    }

    /// What is said outside of the file only.
    fn outside(&mut self, name: &'static str, argument: &str, value: Value) {
        let origin = self.said.get(argument).unwrap_or(Origin::Default);
        self.push(name, value, origin, true);
    }

    fn push(&mut self, name: &'static str, value: Value, origin: Origin, needs_restart: bool) {
        self.list.push(Explained { name, value, origin, needs_restart, pending: None });
    }

    fn in_file(&self, name: &str) -> Option<Origin> {
        let line = *self.written.lines.get(name)?;
        Some(Origin::File { path: self.written.path.clone(), line })
    }
}

/// Every value of `effective` with its origin.
pub(super) fn list(
    effective: &Effective,
    serve: &Serve,
    said: &Said,
    written: &Written,
    env: Env<'_>,
) -> Vec<Explained> {
    let file = &written.file;
    let mut listing = Listing { said, written, list: Vec::new() };
    let settings = &effective.settings;
    listing.add("listen", Some("listen"), json!(settings.listen.to_string()));
    let admin_listen = effective.admin_listen.map(|address| address.to_string());
    listing.add("admin_listen", Some("admin_listen"), json!(admin_listen));
    // Both count: those of the file come first.
    let (of_file, of_flags) = settings.allowed_hosts.split_at(file.allowed_hosts.len());
    if !of_file.is_empty() || of_flags.is_empty() {
        listing.add("allowed_hosts", None, json!(of_file));
    }
    if !of_flags.is_empty() {
        listing.add("allowed_hosts", Some("allow_host"), json!(of_flags));
    }
    listing.add(
        "audit",
        Some("audit"),
        json!(match settings.audit {
            AuditMode::Strict => "strict",
            AuditMode::Relaxed => "relaxed",
        }),
    );
    listing.add("tls.cert", Some("tls_cert"), json!(effective.tls.as_ref().map(|tls| &tls.cert)));
    listing.add("tls.key", Some("tls_key"), json!(effective.tls.as_ref().map(|tls| &tls.key)));
    listing.add("guard.mode", Some("guard"), json!(settings.guard.as_str()));
    listing.add("guard.rules", None, json!(file.guard.rules));
    limits(&mut listing, &settings.limits);
    bodies(&mut listing, &effective.bodies);
    telemetry::explain(&file.telemetry, settings.telemetry.as_ref(), env, |name, value, variable| {
        let origin = variable.map(|variable| Origin::Environment { variable: variable.to_owned() });
        let origin = origin.or_else(|| listing.in_file(name)).unwrap_or(Origin::Default);
        listing.push(name, value, origin, true);
    });
    outside(&mut listing, serve, env);
    listing.list
}

fn limits(listing: &mut Listing<'_>, limits: &bastide_gateway::Limits) {
    listing.add("limits.request_bytes", None, json!(limits.request_bytes));
    listing.add("limits.response_bytes", None, json!(limits.response_bytes));
    listing.add("limits.event_bytes", None, json!(limits.event_bytes));
    listing.add("limits.connections", None, json!(limits.connections));
    listing.add("limits.default_output_tokens", None, json!(limits.default_output_tokens));
    listing.add("limits.header_seconds", None, json!(limits.header_time.as_secs()));
    listing.add("limits.body_seconds", None, json!(limits.body_time.as_secs()));
    listing.add("limits.connect_seconds", None, json!(limits.connect_time.as_secs()));
    listing.add("limits.first_byte_seconds", None, json!(limits.first_byte_time.as_secs()));
    listing.add("limits.idle_seconds", None, json!(limits.idle_time.as_secs()));
    listing.add("limits.write_seconds", None, json!(limits.write_time.as_secs()));
    listing.add("limits.guard_seconds", None, json!(limits.guard_time.as_secs()));
    listing.add("limits.drain_seconds", None, json!(limits.drain_time.as_secs()));
}

fn bodies(listing: &mut Listing<'_>, settings: &BodySettings) {
    let options: BodiesOptions = settings.options(std::path::PathBuf::new());
    listing.add(
        "bodies.keep",
        None,
        json!(match options.keep {
            Keep::All => "all",
            Keep::Found => "found",
            Keep::None => "none",
        }),
    );
    listing.add("bodies.days", None, json!(options.max_age.as_secs() / (24 * 3600)));
    listing.add("bodies.bytes", None, json!(options.max_bytes));
}

/// What is no setting of the file: flags and variables.
fn outside(listing: &mut Listing<'_>, serve: &Serve, env: Env<'_>) {
    listing.outside("data", "dir", json!(serve.data.dir));
    let passphrase = match (&serve.data.passphrase_file, env(environment::PASSPHRASE)) {
        (Some(_), _) => listing.said.get("passphrase_file"),
        (None, Some(_)) => Some(Origin::Environment { variable: environment::PASSPHRASE.to_owned() }),
        (None, None) => None,
    };
    let given = if passphrase.is_some() { json!("given") } else { Value::Null };
    listing.push("passphrase", given, passphrase.unwrap_or(Origin::Default), true);
    listing.outside("config", "config", json!(serve.config));
    // One that could carry a credential is refused at the start, and not shown before.
    let upstream = serve.upstream.as_ref().map(|url| match url.contains(['@', '?']) {
        true => "(not shown)",
        false => url,
    });
    listing.outside("upstream", "upstream", json!(upstream));
    listing.outside("upstream-key-env", "upstream_key_env", json!(serve.upstream_key_env));
    listing.outside("upstream-plain-http", "upstream_plain_http", json!(serve.upstream_plain_http));
    listing.outside("plain-http", "plain_http", json!(serve.plain_http));
    listing.outside(
        "log-format",
        "log_format",
        json!(match serve.log_format {
            LogFormat::Text => "text",
            LogFormat::Json => "json",
        }),
    );
    let filter =
        env(environment::LOG).and_then(|text| text.into_string().ok()).filter(|text| !text.is_empty());
    let origin = match filter {
        Some(_) => Origin::Environment { variable: environment::LOG.to_owned() },
        None => Origin::Default,
    };
    listing.push("log", json!(filter.as_deref().unwrap_or(environment::DEFAULT_LOG)), origin, true);
}
