//! The settings file, and how it becomes settings: file < environment < flag.

use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::time::Duration;

use bastide_admin::Failure;
use bastide_audit::{BodiesOptions, Keep};
use bastide_gateway::{AuditMode, Limits, Settings};
use bastide_inspect::{From, GuardProfile, Rule, Target};
use bastide_types::{Category, Direction, GuardMode, Guarded, Origin, Score, Trust, Verdict};
use serde::Deserialize;

use crate::cli::{self, Serve};
use crate::telemetry::{self, TelemetryTable};

/// Where the gateway listens unless told otherwise.
pub(crate) const DEFAULT_LISTEN: SocketAddr =
    SocketAddr::new(std::net::IpAddr::V4(Ipv4Addr::LOCALHOST), 8800);

/// The file as written.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct ConfigFile {
    listen: Option<String>,
    allowed_hosts: Vec<String>,
    audit: Option<String>,
    tls: Option<Tls>,
    guard: GuardTable,
    limits: LimitsTable,
    bodies: BodiesTable,
    telemetry: TelemetryTable,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Tls {
    pub(crate) cert: PathBuf,
    pub(crate) key: PathBuf,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct GuardTable {
    mode: Option<String>,
    rules: Vec<RuleTable>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct RuleTable {
    category: Option<String>,
    family: Option<String>,
    detector: Option<String>,
    origin: Option<String>,
    trust: Option<String>,
    direction: Option<String>,
    min_score: Option<f64>,
    verdict: String,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct LimitsTable {
    request_bytes: Option<usize>,
    response_bytes: Option<usize>,
    event_bytes: Option<usize>,
    connections: Option<usize>,
    default_output_tokens: Option<u64>,
    header_seconds: Option<u64>,
    body_seconds: Option<u64>,
    connect_seconds: Option<u64>,
    first_byte_seconds: Option<u64>,
    idle_seconds: Option<u64>,
    write_seconds: Option<u64>,
    guard_seconds: Option<u64>,
    drain_seconds: Option<u64>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct BodiesTable {
    keep: Option<String>,
    days: Option<u64>,
    bytes: Option<u64>,
}

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
#[derive(Debug)]
pub(crate) struct Effective {
    pub(crate) settings: Settings,
    pub(crate) bodies: BodySettings,
    pub(crate) tls: Option<Tls>,
}

/// Reads the file, lets the flags win, and checks the whole.
pub(crate) fn load(serve: &Serve) -> Result<Effective, Failure> {
    let file = match &serve.config {
        Some(path) => read(path)?,
        None => ConfigFile::default(),
    };
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
    if !listen.ip().is_loopback() && tls.is_none() && !serve.plain_http {
        return Err(Failure::usage(format!(
            "`{listen}` is not loopback, so keys and prompts would cross the network in plain text; give `--tls-cert` \
             and `--tls-key`, or `--plain-http` when something in front ends TLS"
        )));
    }
    let profile = profile(&file.guard.rules)?;
    let hosts = file
        .allowed_hosts
        .iter()
        .map(|name| cli::host(name).map_err(|e| field("allowed_hosts", &format!("`{name}`: {e}"))));
    let mut allowed_hosts = hosts.collect::<Result<Vec<String>, Failure>>()?;
    allowed_hosts.extend(serve.allow_host.iter().cloned());
    let limits = limits(&file.limits)?;
    let bodies = bodies(&file.bodies)?;
    let telemetry = telemetry::settle(&file.telemetry, &|name| std::env::var_os(name))?;
    let settings = Settings { listen, allowed_hosts, guard, profile, audit, limits, telemetry };
    Ok(Effective { settings, bodies, tls })
}

fn read(path: &Path) -> Result<ConfigFile, Failure> {
    let text = std::fs::read_to_string(path)
        .map_err(|e| Failure::could_not(format!("cannot read the settings `{}`: {e}", path.display())))?;
    toml::from_str(&text).map_err(|e| {
        Failure::usage(format!("`{}` does not parse: {}", path.display(), in_words(&e.to_string())))
    })
}

/// A parser's message without the names of our types.
fn in_words(message: &str) -> String {
    const WORDS: [(&str, &str); 5] = [
        ("expected usize", "expected a whole number"),
        ("expected u64", "expected a whole number"),
        ("expected f64", "expected a number"),
        ("expected a boolean", "expected `true` or `false`"),
        ("expected a sequence", "expected a list"),
    ];
    let plain = WORDS.iter().fold(message.to_owned(), |text, (from, to)| text.replace(from, to));
    match plain.split_once("expected struct ") {
        None => plain,
        Some((before, after)) => {
            format!(
                "{before}expected a table{}",
                after.trim_start_matches(|c: char| c.is_ascii_alphanumeric())
            )
        }
    }
}

pub(crate) fn field(name: &str, what: &str) -> Failure {
    Failure::usage(format!("setting `{name}`: {what}"))
}

/// The default profile with the operator's rules in place of what they cover: a rule for a family without a direction
/// replaces the defaults of both directions.
fn profile(rules: &[RuleTable]) -> Result<GuardProfile, Failure> {
    let given = rules.iter().enumerate().map(|(i, r)| rule(i, r)).collect::<Result<Vec<Rule>, Failure>>()?;
    let covered = |default: &Rule| {
        given.iter().any(|r| {
            r.target == default.target
                && (r.from == From::Anyone || r.from == default.from)
                && (r.direction.is_none() || r.direction == default.direction)
                && r.min_score <= default.min_score
        })
    };
    let wrong = |e: bastide_inspect::ProfileError| {
        Failure::usage(format!("setting `guard.{}`: {}", e.field, e.problem))
    };
    // By themselves first, so that an error counts the operator's rules and not ours.
    GuardProfile::from_rules(given.clone()).map_err(wrong)?;
    let defaults = GuardProfile::default_profile();
    let mut all: Vec<Rule> = defaults.rules().iter().filter(|r| !covered(r)).cloned().collect();
    all.extend(given.iter().cloned());
    GuardProfile::from_rules(all).map_err(wrong)
}

fn rule(index: usize, table: &RuleTable) -> Result<Rule, Failure> {
    let name = |part: &str| format!("guard.rules[{index}].{part}");
    let target = match (&table.category, &table.family, &table.detector) {
        (Some(category), None, None) => {
            let category: Category =
                category.parse().map_err(|e| field(&name("category"), &format!("{e}")))?;
            Target::Category(category)
        }
        (None, Some(family), None) => Target::Family(match family.as_str() {
            "personal_data" => Guarded::PersonalData,
            "secret" => Guarded::Secret,
            "attack" => Guarded::Attack,
            other => {
                let what = format!("`{other}` is not a family; use `personal_data`, `secret` or `attack`");
                return Err(field(&name("family"), &what));
            }
        }),
        (None, None, Some(id)) => {
            if !bastide_inspect::standard_detectors().iter().any(|d| d.id() == id) {
                let what = format!("`{id}` is not a detector; `bastide inspect --list` prints them");
                return Err(field(&name("detector"), &what));
            }
            Target::Detector(id.clone().into())
        }
        _ => return Err(field(&name("category"), "give one of `category`, `family` and `detector`")),
    };
    let from = match (&table.origin, &table.trust) {
        (None, None) => From::Anyone,
        (Some(text), None) => {
            let origin = Origin::ALL.iter().copied().find(|o| o.as_str() == text).ok_or_else(|| {
                let known: Vec<_> = Origin::ALL.iter().map(|o| o.as_str()).collect();
                field(&name("origin"), &format!("`{text}` is not an origin; use one of {}", known.join(", ")))
            })?;
            From::Origin(origin)
        }
        (None, Some(text)) => From::Trust(match text.as_str() {
            "operator" => Trust::Operator,
            "user" => Trust::User,
            "untrusted" => Trust::Untrusted,
            other => {
                let what = format!("`{other}` is not a trust; use `operator`, `user` or `untrusted`");
                return Err(field(&name("trust"), &what));
            }
        }),
        (Some(_), Some(_)) => return Err(field(&name("origin"), "give `origin` or `trust`, not both")),
    };
    let direction = match table.direction.as_deref() {
        None => None,
        Some("request") => Some(Direction::Request),
        Some("response") => Some(Direction::Response),
        Some(other) => {
            let what = format!("`{other}` is not a direction; use `request` or `response`");
            return Err(field(&name("direction"), &what));
        }
    };
    let min_score = match table.min_score {
        None => Score::per_mille(0),
        Some(s) => {
            score(s).ok_or_else(|| field(&name("min_score"), &format!("`{s}` is not between 0 and 1")))?
        }
    };
    let verdict: Verdict = table.verdict.parse().map_err(|e: String| field(&name("verdict"), &e))?;
    Ok(Rule { target, from, direction, min_score, verdict })
}

/// A score between 0 and 1 in per mille.
pub(crate) fn score(value: f64) -> Option<Score> {
    if !(0.0..=1.0).contains(&value) {
        return None;
    }
    // The scale has a thousand steps, so the search is short and needs no lossy conversion.
    (0..=1000u16).find(|n| f64::from(*n) / 1000.0 >= value - 1e-9).map(Score::per_mille)
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
