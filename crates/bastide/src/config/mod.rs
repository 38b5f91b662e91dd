//! The settings file, and how it becomes settings: file < environment < flag.

mod command;
mod explain;
mod file;
mod mistakes;
mod read;
mod reload;
mod schema;
mod stored;

use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::time::Duration;

use bastide_audit::{BodiesOptions, Keep};
use bastide_gateway::{AuditMode, Limits, Settings};
use bastide_inspect::GuardProfile;
use bastide_types::GuardMode;

use crate::cli::{self, Serve};
use crate::telemetry::{self, Env};
use bastide_admin::{Explained, Failure};

pub(crate) use bastide_admin::score;
pub(crate) use command::{run, waits};
pub(crate) use explain::Said;
pub(crate) use file::Tls;
pub(crate) use reload::{Reloaded, beside, changes, in_force};
pub(crate) use schema::documented;
pub(crate) use stored::{displaced, overlay, said_by};

use file::{BodiesTable, LimitsTable};
use mistakes::Mistakes;
use read::Written;

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
    let written = match &serve.config {
        Some(path) => read::file(path)?,
        None => Written::default(),
    };
    settle(serve, said, &written, &|name| std::env::var_os(name))
}

/// What is in force when nothing is said, whatever the environment.
pub(crate) fn defaults() -> Result<Vec<Explained>, Failure> {
    Ok(settle(&Serve::default(), &Said::default(), &Written::default(), &|_| None)?.explained)
}

fn settle(serve: &Serve, said: &Said, written: &Written, env: Env<'_>) -> Result<Effective, Failure> {
    let file = &written.file;
    let mut wrong = Mistakes::of(written);
    let listen = match (serve.listen, &file.listen) {
        (Some(address), _) => address,
        (None, Some(text)) => wrong.take(address("listen", text), DEFAULT_LISTEN),
        (None, None) => DEFAULT_LISTEN,
    };
    let guard = match (serve.guard, &file.guard.mode) {
        (Some(mode), _) => mode,
        (None, Some(text)) => {
            wrong.take(text.parse().map_err(|e: String| field("guard.mode", &e)), GuardMode::default())
        }
        (None, None) => GuardMode::default(),
    };
    let audit = match (serve.audit, file.audit.as_deref()) {
        (Some(cli::AuditMode::Strict), _) | (None, None | Some("strict")) => AuditMode::Strict,
        (Some(cli::AuditMode::Relaxed), _) | (None, Some("relaxed")) => AuditMode::Relaxed,
        (None, Some(other)) => {
            let what = format!("`{other}` is not a mode; use `strict` or `relaxed`");
            wrong.take(Err(field("audit", &what)), AuditMode::Strict)
        }
    };
    let tls = match (&serve.tls_cert, &serve.tls_key) {
        (Some(cert), Some(key)) => Some(Tls { cert: cert.clone(), key: key.clone() }),
        _ => file.tls.clone(),
    };
    let admin_listen = serve.admin_listen.or_else(|| {
        wrong.take(file.admin_listen.as_deref().map(|text| address("admin_listen", text)).transpose(), None)
    });
    let mut allowed_hosts = Vec::new();
    for name in &file.allowed_hosts {
        let host = cli::host(name).map_err(|e| field("allowed_hosts", &format!("`{name}`: {e}")));
        allowed_hosts.extend(wrong.take(host.map(Some), None));
    }
    allowed_hosts.extend(serve.allow_host.iter().cloned());
    let profile = profile(written, &mut wrong);
    let limits = limits(&file.limits, &mut wrong);
    let bodies = bodies(&file.bodies, &mut wrong);
    let telemetry = wrong.take(telemetry::settle(&file.telemetry, env), None);
    wrong.none()?;
    let settings = Settings { listen, allowed_hosts, guard, profile, audit, limits, telemetry };
    let mut effective = Effective { settings, admin_listen, bodies, tls, explained: Vec::new() };
    together(&effective, serve)?;
    effective.explained = explain::list(&effective, serve, said, written, env);
    Ok(effective)
}

/// What settings say together that each by itself may say.
fn together(effective: &Effective, serve: &Serve) -> Result<(), Failure> {
    let (listen, admin_listen) = (effective.settings.listen, effective.admin_listen);
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
        if effective.tls.is_none() && !serve.plain_http {
            return Err(Failure::usage(format!(
                "`{address}` is not loopback, so {what} would cross the network in plain text; give `--tls-cert` and \
                 `--tls-key`, or `--plain-http` when something in front ends TLS"
            )));
        }
    }
    Ok(())
}

fn address(name: &str, text: &str) -> Result<SocketAddr, Failure> {
    cli::address(text).map_err(|e| field(name, &format!("`{text}`: {e}")))
}

/// The rules one by one, so that each tells its mistake, and then what they make together.
fn profile(written: &Written, wrong: &mut Mistakes<'_>) -> GuardProfile {
    let rules = &written.file.guard.rules;
    let mut hold = written.mistakes.is_empty();
    for (number, rule) in written.rules.iter().zip(rules) {
        let read = bastide_admin::guard_rule(*number, rule).map(drop);
        hold &= read.is_ok();
        wrong.take(read, ());
    }
    match hold {
        true => wrong.take(bastide_admin::guard_profile(rules), GuardProfile::default_profile()),
        false => GuardProfile::default_profile(),
    }
}

pub(crate) fn field(name: &str, what: &str) -> Failure {
    Failure::usage(format!("setting `{name}`: {what}"))
}

fn bodies(table: &BodiesTable, wrong: &mut Mistakes<'_>) -> BodySettings {
    let keep = table.keep.as_deref().map(|text| text.parse().map_err(|e: String| field("bodies.keep", &e)));
    if table.days.is_some_and(|n| !(1..=36_500).contains(&n)) {
        wrong.take(Err(field("bodies.days", "must be between 1 and 36500")), ());
    }
    if table.bytes.is_some_and(|n| n < BodiesOptions::LEAST_BYTES) {
        wrong.take(
            Err(field("bodies.bytes", &format!("must be at least {}", BodiesOptions::LEAST_BYTES))),
            (),
        );
    }
    BodySettings {
        keep: wrong.take(keep.transpose(), None).unwrap_or_default(),
        max_age: table.days.map(|n| Duration::from_secs(n.saturating_mul(24 * 3600))),
        max_bytes: table.bytes,
    }
}

fn limits(table: &LimitsTable, wrong: &mut Mistakes<'_>) -> Limits {
    let mut limits = Limits::default();
    let times = [
        ("limits.header_seconds", table.header_seconds, &mut limits.header_time),
        ("limits.body_seconds", table.body_seconds, &mut limits.body_time),
        ("limits.connect_seconds", table.connect_seconds, &mut limits.connect_time),
        ("limits.first_byte_seconds", table.first_byte_seconds, &mut limits.first_byte_time),
        ("limits.idle_seconds", table.idle_seconds, &mut limits.idle_time),
        ("limits.write_seconds", table.write_seconds, &mut limits.write_time),
        ("limits.guard_seconds", table.guard_seconds, &mut limits.guard_time),
        ("limits.drain_seconds", table.drain_seconds, &mut limits.drain_time),
    ];
    for (name, value, target) in times {
        match value {
            Some(n) if !(1..=86_400).contains(&n) => {
                wrong.take(Err(field(name, "must be between 1 and 86400")), ());
            }
            Some(n) => *target = Duration::from_secs(n),
            None => {}
        }
    }
    let sizes = [
        ("limits.request_bytes", table.request_bytes, 1024, &mut limits.request_bytes),
        ("limits.response_bytes", table.response_bytes, 1024, &mut limits.response_bytes),
        ("limits.event_bytes", table.event_bytes, 1024, &mut limits.event_bytes),
        ("limits.connections", table.connections, 1, &mut limits.connections),
    ];
    for (name, value, least, target) in sizes {
        match value {
            Some(n) if n < least => wrong.take(Err(field(name, &format!("must be at least {least}"))), ()),
            Some(n) => *target = n,
            None => {}
        }
    }
    if limits.connections > 1 << 20 {
        wrong.take(Err(field("limits.connections", "must be at most 1048576")), ());
    }
    limits.default_output_tokens = table.default_output_tokens.unwrap_or(limits.default_output_tokens);
    limits
}

/// Settings of a text alone.
#[cfg(test)]
fn load_text(text: &str) -> Result<Effective, Failure> {
    settle(&Serve::default(), &Said::default(), &read::parse(text), &|_| None)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_mistakes_are_told_at_once_in_the_order_of_the_file() {
        let text = "gaurd = 1\naudit = 'no'\n[[guard.rules]]\ncategory = 'CARD'\nverdict = 'block'\n\n\
                    [[guard.rules]]\ncategory = 'CREDIT_CARD'\nverdict = 'stop'\n[limits]\nidle_seconds = 0\nidle = 1\n";
        let failure = load_text(text).expect_err("it is full of mistakes");
        let lines: Vec<&str> = failure.message().lines().collect();
        assert_eq!(lines.first(), Some(&"there are 6 mistakes in the settings:"), "{failure}");
        let told: Vec<&str> = lines.iter().skip(1).map(|line| line.trim_start()).collect();
        for (told, (line, what)) in told.iter().zip([
            (1, "no setting `gaurd`; is `guard` meant?"),
            (2, "setting `audit`"),
            (4, "setting `guard.rules[0].category`"),
            (9, "setting `guard.rules[1].verdict`"),
            (11, "setting `limits.idle_seconds`"),
            (12, "no setting `limits.idle`"),
        ]) {
            assert!(told.starts_with(&format!(":{line}: ")) && told.contains(what), "{told}");
        }
    }

    #[test]
    fn what_settings_say_together_is_told_only_when_each_holds() {
        let failure = load_text("listen = '0.0.0.0:1'\ntls = 3").expect_err("no table");
        assert!(failure.message().contains("`tls`") && !failure.message().contains("loopback"), "{failure}");
        let twice = "[[guard.rules]]\nfamily = 'secret'\nverdict = 'block'\n";
        let failure = load_text(&format!("{twice}{twice}")).expect_err("two rules for the same");
        assert!(failure.message().starts_with(":6: setting `guard.rules[1]"), "{failure}");
    }
}
