//! The settings file, and how it becomes settings: file < environment < flag.

mod command;
mod explain;
mod file;
mod reload;
mod schema;
mod stored;

use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::time::Duration;

use bastide_audit::{BodiesOptions, Keep};
use bastide_gateway::{AuditMode, Limits, Settings};
use bastide_types::GuardMode;

use crate::cli::{self, Serve};
use crate::telemetry::{self, Env};
use bastide_admin::{Explained, Failure};

pub(crate) use bastide_admin::score;
pub(crate) use command::run;
pub(crate) use explain::Said;
pub(crate) use file::Tls;
pub(crate) use reload::{Reloaded, changes, in_force};
pub(crate) use schema::documented;
pub(crate) use stored::{overlay, said_by};

use file::{BodiesTable, ConfigFile, LimitsTable, Lines};

/// Where the gateway listens unless told otherwise.
pub(crate) const DEFAULT_LISTEN: SocketAddr =
    SocketAddr::new(std::net::IpAddr::V4(Ipv4Addr::LOCALHOST), 8800);

/// Which bodies are kept beside the log, how long and how much.
#[derive(Clone, Copy, Debug)]
pub(crate) struct BodySettings {
    keep: Keep,
    max_age: Option<Duration>,
    max_bytes: Option<u64>,
}

impl BodySettings {
    /// The options of the store in this folder.
    pub(crate) fn options(&self, dir: PathBuf) -> BodiesOptions {
        let mut options = BodiesOptions::new(dir).keep(self.keep);
        if let Some(age) = self.max_age {
            options = options.max_age(age);
        }
        if let Some(bytes) = self.max_bytes {
            options = options.max_bytes(bytes);
        }
        options
    }
}

/// What `serve` was told, complete.
#[derive(Clone, Debug)]
pub(crate) struct Effective {
    pub(crate) settings: Settings,
    /// Where console and management API answer; `None`: where the gateway does.
    pub(crate) admin_listen: Option<SocketAddr>,
    pub(crate) bodies: BodySettings,
    pub(crate) tls: Option<Tls>,
    /// Every value with its origin.
    pub(crate) explained: Vec<Explained>,
}

/// Reads the file, lets the flags win, and checks the whole. `said` knows which flags came from the environment.
pub(crate) fn load(serve: &Serve, said: &Said) -> Result<Effective, Failure> {
    let (file, lines) = match &serve.config {
        Some(path) => file::read(path)?,
        None => (ConfigFile::default(), Lines::new()),
    };
    settle(serve, said, &file, &lines, &|name| std::env::var_os(name))
}

/// What is in force when nothing is said, whatever the environment.
pub(crate) fn defaults() -> Result<Vec<Explained>, Failure> {
    let (serve, file) = (Serve::default(), ConfigFile::default());
    Ok(settle(&serve, &Said::default(), &file, &Lines::new(), &|_| None)?.explained)
}

fn settle(
    serve: &Serve,
    said: &Said,
    file: &ConfigFile,
    lines: &Lines,
    env: Env<'_>,
) -> Result<Effective, Failure> {
    let listen = match (serve.listen, &file.listen) {
        (Some(address), _) => address,
        (None, Some(text)) => cli::address(text).map_err(|e| field("listen", &format!("`{text}`: {e}")))?,
        (None, None) => DEFAULT_LISTEN,
    };
    let guard = match (serve.guard, &file.guard.mode) {
        (Some(mode), _) => mode,
        (None, Some(text)) => text.parse().map_err(|e: String| field("guard.mode", &e))?,
        (None, None) => GuardMode::default(),
    };
    let audit = match (serve.audit, file.audit.as_deref()) {
        (Some(cli::AuditMode::Strict), _) | (None, None | Some("strict")) => AuditMode::Strict,
        (Some(cli::AuditMode::Relaxed), _) | (None, Some("relaxed")) => AuditMode::Relaxed,
        (None, Some(other)) => {
            return Err(field("audit", &format!("`{other}` is not a mode; use `strict` or `relaxed`")));
        }
    };
    let tls = match (&serve.tls_cert, &serve.tls_key) {
        (Some(cert), Some(key)) => Some(Tls { cert: cert.clone(), key: key.clone() }),
        _ => file.tls.clone(),
    };
    let admin_listen = match (serve.admin_listen, &file.admin_listen) {
        (Some(address), _) => Some(address),
        (None, Some(text)) => {
            Some(cli::address(text).map_err(|e| field("admin_listen", &format!("`{text}`: {e}")))?)
        }
        (None, None) => None,
    };
    if admin_listen == Some(listen) && listen.port() != 0 {
        return Err(field(
            "admin_listen",
            &format!(
                "`{listen}` is where the gateway listens; give it an address of its own, or leave it out"
            ),
        ));
    }
    for (address, what) in
        [(Some(listen), "keys and prompts"), (admin_listen, "passwords and what the console shows")]
    {
        let Some(address) = address.filter(|a| !a.ip().is_loopback()) else { continue };
        if tls.is_none() && !serve.plain_http {
            return Err(Failure::usage(format!(
                "`{address}` is not loopback, so {what} would cross the network in plain text; give `--tls-cert` and \
                 `--tls-key`, or `--plain-http` when something in front ends TLS"
            )));
        }
    }
    let profile = bastide_admin::guard_profile(&file.guard.rules)?;
    let hosts = file
        .allowed_hosts
        .iter()
        .map(|name| cli::host(name).map_err(|e| field("allowed_hosts", &format!("`{name}`: {e}"))));
    let mut allowed_hosts = hosts.collect::<Result<Vec<String>, Failure>>()?;
    allowed_hosts.extend(serve.allow_host.iter().cloned());
    let limits = limits(&file.limits)?;
    let bodies = bodies(&file.bodies)?;
    let telemetry = telemetry::settle(&file.telemetry, env)?;
    let settings = Settings { listen, allowed_hosts, guard, profile, audit, limits, telemetry };
    let mut effective = Effective { settings, admin_listen, bodies, tls, explained: Vec::new() };
    effective.explained = explain::list(&effective, serve, said, file, lines, env);
    Ok(effective)
}

pub(crate) fn field(name: &str, what: &str) -> Failure {
    Failure::usage(format!("setting `{name}`: {what}"))
}

fn bodies(table: &BodiesTable) -> Result<BodySettings, Failure> {
    let keep = table.keep.as_deref().map(|text| text.parse().map_err(|e: String| field("bodies.keep", &e)));
    if table.days.is_some_and(|n| !(1..=36_500).contains(&n)) {
        return Err(field("bodies.days", "must be between 1 and 36500"));
    }
    if table.bytes.is_some_and(|n| n < BodiesOptions::LEAST_BYTES) {
        return Err(field("bodies.bytes", &format!("must be at least {}", BodiesOptions::LEAST_BYTES)));
    }
    Ok(BodySettings {
        keep: keep.transpose()?.unwrap_or_default(),
        max_age: table.days.map(|n| Duration::from_secs(n.saturating_mul(24 * 3600))),
        max_bytes: table.bytes,
    })
}

fn limits(table: &LimitsTable) -> Result<Limits, Failure> {
    let mut limits = Limits::default();
    let seconds = |name: &str, value: Option<u64>, target: &mut Duration| match value {
        Some(n) if !(1..=86_400).contains(&n) => Err(field(name, "must be between 1 and 86400")),
        Some(n) => {
            *target = Duration::from_secs(n);
            Ok(())
        }
        None => Ok(()),
    };
    let bytes = |name: &str, value: Option<usize>, least: usize, target: &mut usize| match value {
        Some(n) if n < least => Err(field(name, &format!("must be at least {least}"))),
        Some(n) => {
            *target = n;
            Ok(())
        }
        None => Ok(()),
    };
    bytes("limits.request_bytes", table.request_bytes, 1024, &mut limits.request_bytes)?;
    bytes("limits.response_bytes", table.response_bytes, 1024, &mut limits.response_bytes)?;
    bytes("limits.event_bytes", table.event_bytes, 1024, &mut limits.event_bytes)?;
    bytes("limits.connections", table.connections, 1, &mut limits.connections)?;
    if limits.connections > 1 << 20 {
        return Err(field("limits.connections", "must be at most 1048576"));
    }
    seconds("limits.header_seconds", table.header_seconds, &mut limits.header_time)?;
    seconds("limits.body_seconds", table.body_seconds, &mut limits.body_time)?;
    seconds("limits.connect_seconds", table.connect_seconds, &mut limits.connect_time)?;
    seconds("limits.first_byte_seconds", table.first_byte_seconds, &mut limits.first_byte_time)?;
    seconds("limits.idle_seconds", table.idle_seconds, &mut limits.idle_time)?;
    seconds("limits.write_seconds", table.write_seconds, &mut limits.write_time)?;
    seconds("limits.guard_seconds", table.guard_seconds, &mut limits.guard_time)?;
    seconds("limits.drain_seconds", table.drain_seconds, &mut limits.drain_time)?;
    if let Some(n) = table.default_output_tokens {
        limits.default_output_tokens = n;
    }
    Ok(limits)
}

/// Settings of a text alone.
#[cfg(test)]
fn load_text(text: &str) -> Result<Effective, Failure> {
    let file = toml::from_str(text).map_err(|e| Failure::usage(e.to_string()))?;
    settle(&Serve::default(), &Said::default(), &file, &Lines::new(), &|_| None)
}
