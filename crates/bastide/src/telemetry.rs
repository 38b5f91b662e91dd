//! Where spans go: the `[telemetry]` table, and the environment variables that every OpenTelemetry SDK reads
//! (<https://opentelemetry.io/docs/specs/otel/configuration/sdk-environment-variables/>).
//!
//! Without an endpoint nothing else is looked at: variables that are meant for other programs must not keep this one
//! from starting.

use std::ffi::OsString;
use std::time::Duration;

use bastide_admin::Failure;
use bastide_gateway::{Endpoint, ExportHeaders, Sampler, Telemetry};
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Value, json};

use crate::config::field;

/// The variables, each read in one place.
const DISABLED: &str = "OTEL_SDK_DISABLED";
const EXPORTER: &str = "OTEL_TRACES_EXPORTER";
const ENDPOINT: &str = "OTEL_EXPORTER_OTLP_ENDPOINT";
const TRACES_ENDPOINT: &str = "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT";
const INSECURE: &str = "OTEL_EXPORTER_OTLP_INSECURE";
const PROTOCOLS: [&str; 2] = ["OTEL_EXPORTER_OTLP_TRACES_PROTOCOL", "OTEL_EXPORTER_OTLP_PROTOCOL"];
const HEADERS: [&str; 2] = ["OTEL_EXPORTER_OTLP_TRACES_HEADERS", "OTEL_EXPORTER_OTLP_HEADERS"];
const TIMEOUTS: [&str; 2] = ["OTEL_EXPORTER_OTLP_TRACES_TIMEOUT", "OTEL_EXPORTER_OTLP_TIMEOUT"];
const SERVICE: &str = "OTEL_SERVICE_NAME";
const RESOURCE: &str = "OTEL_RESOURCE_ATTRIBUTES";
const SAMPLER: &str = "OTEL_TRACES_SAMPLER";
const SAMPLER_ARG: &str = "OTEL_TRACES_SAMPLER_ARG";

/// Time for one export unless told otherwise: the specification's.
const DEFAULT_TIMEOUT: Duration = Duration::from_secs(10);
const MAX_TIMEOUT_MILLIS: u64 = 600_000;

/// `[telemetry]` as written.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct TelemetryTable {
    /// Base URL of an OpenTelemetry collector that takes OTLP over HTTP; without one there are no spans.
    otlp_endpoint: Option<String>,
    /// Reach the collector over `http://` on another machine too.
    plain_http: bool,
    /// Whether providers get `traceparent`; never `tracestate`, which is the caller's text.
    propagate: bool,
}

/// The environment, as a value.
pub(crate) type Env<'a> = &'a dyn Fn(&str) -> Option<OsString>;

/// File and environment together; `None`: no spans.
pub(crate) fn settle(table: &TelemetryTable, env: Env<'_>) -> Result<Option<Telemetry>, Failure> {
    let insecure = flag(env, INSECURE);
    let plain_http = table.plain_http || matches!(insecure, Ok(true));
    let endpoint = match (text(env, TRACES_ENDPOINT)?, text(env, ENDPOINT)?, &table.otlp_endpoint) {
        (Some(url), _, _) => Endpoint::exact(&url, plain_http).map_err(wrong(TRACES_ENDPOINT)),
        (None, Some(url), _) => Endpoint::below(&url, plain_http).map_err(wrong(ENDPOINT)),
        (None, None, Some(url)) => Endpoint::below(url, plain_http).map_err(wrong("telemetry.otlp_endpoint")),
        (None, None, None) => return Ok(None),
    };
    if flag(env, DISABLED)? || text(env, EXPORTER)?.as_deref() == Some("none") {
        return Ok(None);
    }
    insecure?;
    if let Some(other) = text(env, EXPORTER)?.filter(|e| e != "otlp") {
        return Err(field(EXPORTER, &format!("`{other}` is not an exporter here; use `otlp` or `none`")));
    }
    if let Some((name, protocol)) = first(env, PROTOCOLS)?
        && protocol != "http/protobuf"
    {
        let what = format!(
            "`{protocol}` is not spoken here; use `http/protobuf`, which collectors take on port 4318"
        );
        return Err(field(name, &what));
    }
    Ok(Some(Telemetry {
        endpoint: endpoint?,
        headers: headers(env)?,
        resource: resource(env)?,
        sampler: sampler(env)?,
        timeout: timeout(env)?,
        propagate: table.propagate,
    }))
}

/// Names each value, and the variable that it comes from where it is one. Of headers only the names are told.
pub(crate) fn explain(
    table: &TelemetryTable,
    telemetry: Option<&Telemetry>,
    env: Env<'_>,
    mut tell: impl FnMut(&'static str, Value, Option<&'static str>),
) {
    let set = |name: &&'static str| matches!(text(env, name), Ok(Some(_)));
    let first_set = |names: &[&'static str]| names.iter().copied().find(|name| set(name));
    let Some(telemetry) = telemetry else {
        let off = first_set(&[TRACES_ENDPOINT, ENDPOINT]).or(table.otlp_endpoint.as_ref().map(|_| ENDPOINT));
        // There is an endpoint all the same: one of these says no.
        let by = off.and_then(|_| first_set(&[DISABLED, EXPORTER]));
        tell("telemetry.otlp_endpoint", Value::Null, by);
        tell("telemetry.plain_http", json!(table.plain_http), None);
        return tell("telemetry.propagate", json!(table.propagate), None);
    };
    let endpoint = telemetry.endpoint.to_string();
    tell("telemetry.otlp_endpoint", json!(endpoint), first_set(&[TRACES_ENDPOINT, ENDPOINT]));
    let insecure = !table.plain_http && matches!(flag(env, INSECURE), Ok(true));
    tell("telemetry.plain_http", json!(table.plain_http || insecure), insecure.then_some(INSECURE));
    tell("telemetry.propagate", json!(telemetry.propagate), None);
    let headers: Vec<&str> = telemetry.headers.names().collect();
    tell("telemetry.headers", json!(headers), first_set(&HEADERS));
    let resource: Vec<String> =
        telemetry.resource.iter().map(|(name, value)| format!("{name}={value}")).collect();
    tell("telemetry.resource", json!(resource), first_set(&[RESOURCE, SERVICE]));
    let sampler = match (text(env, SAMPLER), text(env, SAMPLER_ARG)) {
        (Ok(Some(name)), Ok(Some(argument))) => format!("{name} {argument}"),
        (Ok(Some(name)), _) => name,
        _ => "parentbased_always_on".to_owned(),
    };
    tell("telemetry.sampler", json!(sampler), first_set(&[SAMPLER]));
    let millis = u64::try_from(telemetry.timeout.as_millis()).unwrap_or(u64::MAX);
    tell("telemetry.timeout_millis", json!(millis), first_set(&TIMEOUTS));
}

fn wrong<E: std::error::Error>(name: &'static str) -> impl FnOnce(E) -> Failure {
    move |e| field(name, &e.to_string())
}

/// A variable's text; an empty one counts as not set.
fn text(env: Env<'_>, name: &str) -> Result<Option<String>, Failure> {
    match env(name).map(OsString::into_string) {
        None => Ok(None),
        Some(Ok(text)) => Ok(Some(text.trim().to_owned()).filter(|t| !t.is_empty())),
        Some(Err(_)) => Err(field(name, "is not text (UTF-8); set it anew, or unset it")),
    }
}

/// The first of several variables that is set, with its name.
fn first(env: Env<'_>, names: [&'static str; 2]) -> Result<Option<(&'static str, String)>, Failure> {
    for name in names {
        if let Some(text) = text(env, name)? {
            return Ok(Some((name, text)));
        }
    }
    Ok(None)
}

fn flag(env: Env<'_>, name: &str) -> Result<bool, Failure> {
    match text(env, name)? {
        None => Ok(false),
        Some(text) if text.eq_ignore_ascii_case("true") => Ok(true),
        Some(text) if text.eq_ignore_ascii_case("false") => Ok(false),
        Some(other) => Err(field(name, &format!("`{other}` is neither `true` nor `false`"))),
    }
}

/// Headers, credentials among them: no message may show a value.
fn headers(env: Env<'_>) -> Result<ExportHeaders, Failure> {
    let Some((name, text)) = first(env, HEADERS)? else { return Ok(ExportHeaders::default()) };
    let pairs = pairs(&text).map_err(|entry| no_pair(name, entry))?;
    ExportHeaders::new(pairs).map_err(wrong(name))
}

fn no_pair(name: &str, entry: usize) -> Failure {
    let what = format!(
        "entry {entry} is not `name=value`; separate entries by commas, and write a comma or a percent sign of a value \
         as `%2C` or `%25`"
    );
    field(name, &what)
}

fn resource(env: Env<'_>) -> Result<Vec<(String, String)>, Failure> {
    let given = text(env, RESOURCE)?.unwrap_or_default();
    let mut resource = pairs(&given).map_err(|entry| no_pair(RESOURCE, entry))?;
    let mut set = |name: &str, value: Option<String>, default: &str| {
        let given = resource.iter_mut().find(|(n, _)| n == name);
        match (given, value) {
            (Some((_, old)), Some(value)) => *old = value,
            (Some(_), None) => {}
            (None, value) => {
                resource.push((name.to_owned(), value.unwrap_or_else(|| default.to_owned())));
            }
        }
    };
    set("service.name", text(env, SERVICE)?, "bastide");
    set("service.version", None, env!("CARGO_PKG_VERSION"));
    Ok(resource)
}

fn sampler(env: Env<'_>) -> Result<Sampler, Failure> {
    let Some(name) = text(env, SAMPLER)? else { return Ok(Sampler::default()) };
    let argument = text(env, SAMPLER_ARG)?;
    Sampler::named(&name, argument.as_deref()).map_err(|e| match e {
        bastide_gateway::TelemetryError::Ratio(_) => wrong(SAMPLER_ARG)(e),
        _ => wrong(SAMPLER)(e),
    })
}

fn timeout(env: Env<'_>) -> Result<Duration, Failure> {
    let Some((name, text)) = first(env, TIMEOUTS)? else { return Ok(DEFAULT_TIMEOUT) };
    match text.parse() {
        Ok(millis) if (1..=MAX_TIMEOUT_MILLIS).contains(&millis) => Ok(Duration::from_millis(millis)),
        _ => {
            let what = format!("`{text}` is not a number of milliseconds from 1 to {MAX_TIMEOUT_MILLIS}");
            Err(field(name, &what))
        }
    }
}

/// `name=value,name=value` with percent-encoded values. An error is the number of the entry that is wrong.
fn pairs(text: &str) -> Result<Vec<(String, String)>, usize> {
    let mut pairs = Vec::new();
    for (i, entry) in text.split(',').enumerate() {
        if entry.trim().is_empty() {
            continue;
        }
        let pair = entry.split_once('=').map(|(name, value)| (name.trim(), decoded(value.trim())));
        match pair {
            Some((name, Some(value))) if !name.is_empty() => pairs.push((name.to_owned(), value)),
            _ => return Err(i + 1),
        }
    }
    Ok(pairs)
}

fn decoded(text: &str) -> Option<String> {
    let mut parts = text.split('%');
    let mut out = parts.next()?.as_bytes().to_vec();
    for part in parts {
        let (digits, rest) = part.split_at_checked(2)?;
        // `from_str_radix` also takes a sign.
        let byte = digits.bytes().all(|b| b.is_ascii_hexdigit()).then(|| u8::from_str_radix(digits, 16).ok());
        out.push(byte.flatten()?);
        out.extend_from_slice(rest.as_bytes());
    }
    String::from_utf8(out).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    const ON: (&str, &str) = (ENDPOINT, "http://127.0.0.1:4318");

    fn with(table: &str, env: &[(&str, &str)]) -> Result<Option<Telemetry>, Failure> {
        let table = toml::from_str(table).map_err(|e| Failure::usage(e.to_string()))?;
        settle(&table, &|name| env.iter().find(|(n, _)| *n == name).map(|(_, v)| OsString::from(v)))
    }

    fn on(env: &[(&str, &str)]) -> Result<Telemetry, String> {
        let all: Vec<_> = [ON].iter().chain(env).copied().collect();
        with("", &all).map_err(|e| e.to_string()).map(|t| t.expect("it is on"))
    }

    #[test]
    fn without_an_endpoint_there_are_no_spans_and_no_errors() {
        let others =
            [(PROTOCOLS[1], "grpc"), (SAMPLER, "jaeger_remote"), (INSECURE, "maybe"), (ENDPOINT, "")];
        assert!(with("", &others).expect("nothing is wrong").is_none());
        assert!(with("plain_http = true", &[]).expect("nothing is wrong").is_none());
        assert!(with("", &[ON, (DISABLED, "true")]).expect("off").is_none());
        assert!(with("", &[ON, (EXPORTER, "none")]).expect("off").is_none());
    }

    #[test]
    fn the_environment_wins_over_the_file() {
        let table = "otlp_endpoint = 'http://localhost:1'\npropagate = true";
        let endpoint = |env: &[_]| with(table, env).expect("valid").expect("on").endpoint.to_string();
        assert_eq!(endpoint(&[]), "http://localhost:1/v1/traces");
        assert_eq!(endpoint(&[ON]), "http://127.0.0.1:4318/v1/traces");
        assert_eq!(endpoint(&[ON, (TRACES_ENDPOINT, "https://a/in")]), "https://a/in");
        assert!(with(table, &[]).expect("valid").expect("on").propagate);
        assert!(with("endpoint = 'http://localhost:1'", &[]).is_err(), "unknown names are errors");
    }

    #[test]
    fn what_the_specification_lets_one_say_is_taken() {
        let telemetry = on(&[
            (HEADERS[1], "authorization=Bearer%20hunter2, x-scope = a%2Cb"),
            (RESOURCE, "deployment.environment.name=test,service.name=other"),
            (SERVICE, "front"),
            (SAMPLER, "traceidratio"),
            (SAMPLER_ARG, "0.25"),
            (TIMEOUTS[1], "2500"),
            (PROTOCOLS[0], "http/protobuf"),
            (EXPORTER, "otlp"),
        ])
        .expect("valid");
        assert_eq!(telemetry.sampler, Sampler::named("traceidratio", Some("0.25")).expect("valid"));
        assert_eq!(telemetry.timeout, Duration::from_millis(2500));
        let resource: Vec<_> = telemetry.resource.iter().map(|(n, v)| format!("{n}={v}")).collect();
        let version = concat!("service.version=", env!("CARGO_PKG_VERSION"));
        assert_eq!(resource, ["deployment.environment.name=test", "service.name=front", version]);
        let shown = format!("{telemetry:?}");
        assert!(shown.contains("x-scope") && !shown.contains("hunter2") && !shown.contains("a,b"), "{shown}");
        let plain = on(&[]).expect("valid");
        assert_eq!(plain.resource.first().map(|(_, v)| v.as_str()), Some("bastide"));
        assert_eq!(plain.sampler, Sampler::default());
        let far =
            on(&[(ENDPOINT, "http://127.0.0.1:1"), (TRACES_ENDPOINT, "http://far/t"), (INSECURE, "true")]);
        assert!(far.is_ok());
    }

    #[test]
    fn what_is_wrong_is_named_with_what_to_do_and_secrets_are_not_shown() {
        for (name, value, remedy) in [
            (TRACES_ENDPOINT, "collector:4318", "http://127.0.0.1:4318"),
            (TRACES_ENDPOINT, "https://ops:hunter2@otel.example", HEADERS[1]),
            (TRACES_ENDPOINT, "http://collector:4318/v1/traces", "telemetry.plain_http"),
            (PROTOCOLS[1], "grpc", "http/protobuf"),
            (EXPORTER, "jaeger", "otlp"),
            (HEADERS[1], "authorization=a,hunter2", "entry 2"),
            (HEADERS[0], "authorization=hunter2%0A", "entry 1"),
            (HEADERS[0], "authorization=hunter2%+1", "entry 1"),
            (HEADERS[1], "content-type=hunter2", "leave it out"),
            (RESOURCE, "a=b,=c", "entry 2"),
            (SAMPLER, "sometimes", "parentbased_traceidratio"),
            (TIMEOUTS[1], "10s", "milliseconds"),
            (INSECURE, "yes", "true"),
            (DISABLED, "1", "false"),
        ] {
            let message = on(&[(name, value)]).expect_err(value);
            assert!(message.starts_with(&format!("setting `{name}`: ")), "{message}");
            assert!(message.contains(remedy) && !message.contains("hunter2"), "{message}");
        }
        let ratio = on(&[(SAMPLER, "traceidratio"), (SAMPLER_ARG, "ten")]).expect_err("no ratio");
        assert!(ratio.contains(SAMPLER_ARG) && ratio.contains("0.1"), "{ratio}");
        let file = with("otlp_endpoint = 'http://far:4318'", &[]).expect_err("plain").to_string();
        assert!(file.contains("telemetry.otlp_endpoint"), "{file}");
    }
}
