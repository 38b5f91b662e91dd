//! The settings file as written. The comments here are the documentation of the settings: the JSON Schema and the table
//! in `docs/reference/configuration.md` are made from them.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::Read as _;
use std::path::{Path, PathBuf};

use schemars::JsonSchema;
use serde::Deserialize;
use toml::de::{DeTable, DeValue};

use crate::telemetry::TelemetryTable;
use bastide_admin::{Failure, GuardTable};

/// Longest settings file, bytes: a thousand rules are a tenth of it.
const FILE_BYTES: u64 = 1 << 20;

/// Settings of `bastide serve`.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
#[schemars(title = "bastide settings")]
pub(crate) struct ConfigFile {
    /// IP address and port to listen on.
    pub(super) listen: Option<String>,
    /// IP address and port for the console and the management API alone, which then answer nowhere else; with the
    /// certificate of `tls`.
    pub(super) admin_listen: Option<String>,
    /// Host names that requests may carry besides loopback names, without scheme and port; empty on an address that is
    /// not loopback: any.
    pub(super) allowed_hosts: Vec<String>,
    /// Whether requests wait until the log is on disk (`strict`) or not (`relaxed`).
    #[schemars(extend("enum" = ["strict", "relaxed"]))]
    pub(super) audit: Option<String>,
    /// The certificate that the listener shows; needed on anything but loopback, unless something in front ends TLS.
    pub(super) tls: Option<Tls>,
    /// What is done about what is found.
    pub(super) guard: GuardTable,
    /// Sizes and times.
    pub(super) limits: LimitsTable,
    /// What was received and sent, sealed beside the log.
    pub(super) bodies: BodiesTable,
    /// Spans of exchanges, for an OpenTelemetry collector.
    pub(super) telemetry: TelemetryTable,
}

#[derive(Clone, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Tls {
    /// File with the certificate chain (PEM).
    pub(crate) cert: PathBuf,
    /// File with the private key (PEM).
    pub(crate) key: PathBuf,
}

#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct LimitsTable {
    /// Largest request body, bytes.
    #[schemars(range(min = 1024))]
    pub(super) request_bytes: Option<usize>,
    /// Largest answer that is not a stream, bytes.
    #[schemars(range(min = 1024))]
    pub(super) response_bytes: Option<usize>,
    /// Largest event of a stream, bytes.
    #[schemars(range(min = 1024))]
    pub(super) event_bytes: Option<usize>,
    /// Open client connections; more wait in the kernel's queue.
    #[schemars(range(min = 1, max = 1_048_576))]
    pub(super) connections: Option<usize>,
    /// Output tokens reserved for a request that names no maximum.
    pub(super) default_output_tokens: Option<u64>,
    /// Time for a client to send its headers, seconds.
    #[schemars(range(min = 1, max = 86_400))]
    pub(super) header_seconds: Option<u64>,
    /// Time for a client to send its body, seconds.
    #[schemars(range(min = 1, max = 86_400))]
    pub(super) body_seconds: Option<u64>,
    /// Time to connect to a provider, seconds.
    #[schemars(range(min = 1, max = 86_400))]
    pub(super) connect_seconds: Option<u64>,
    /// Time until a provider's answer begins, seconds.
    #[schemars(range(min = 1, max = 86_400))]
    pub(super) first_byte_seconds: Option<u64>,
    /// Longest silence inside a provider's answer, seconds.
    #[schemars(range(min = 1, max = 86_400))]
    pub(super) idle_seconds: Option<u64>,
    /// Longest time that a caller may take nothing of an answer that waits for it, seconds.
    #[schemars(range(min = 1, max = 86_400))]
    pub(super) write_seconds: Option<u64>,
    /// Longest guard run over one body, seconds.
    #[schemars(range(min = 1, max = 86_400))]
    pub(super) guard_seconds: Option<u64>,
    /// Time that running exchanges get when the server stops, seconds.
    #[schemars(range(min = 1, max = 86_400))]
    pub(super) drain_seconds: Option<u64>,
}

#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct BodiesTable {
    /// Which are kept: `all`, those of exchanges in which something was `found` or refused, or `none`.
    #[schemars(extend("enum" = ["all", "found", "none"]))]
    pub(super) keep: Option<String>,
    /// Age at which they are removed, within about an hour more, days.
    #[schemars(range(min = 1, max = 36_500))]
    pub(super) days: Option<u64>,
    /// Size of all of them at which the oldest go, bytes.
    #[schemars(range(min = 16_777_216))]
    pub(super) bytes: Option<u64>,
}

/// Where each setting stands in the file: line by dotted name, from 1.
pub(super) type Lines = BTreeMap<String, usize>;

/// Reads and parses a file.
pub(super) fn read(path: &Path) -> Result<(ConfigFile, Lines), Failure> {
    let shown = path.display();
    let failed = |e: std::io::Error| Failure::could_not(format!("cannot read the settings `{shown}`: {e}"));
    let mut text = String::new();
    let file = File::open(path).map_err(failed)?;
    let read = file.take(FILE_BYTES + 1).read_to_string(&mut text).map_err(failed)?;
    if u64::try_from(read).is_ok_and(|n| n > FILE_BYTES) {
        return Err(Failure::usage(format!(
            "`{shown}` is longer than {FILE_BYTES} bytes; is it a settings file?"
        )));
    }
    let parsed = toml::from_str(&text).map_err(|e| {
        Failure::usage(format!("`{shown}` does not parse: {}", in_words(e.to_string().trim_end())))
    })?;
    Ok((parsed, lines(&text)))
}

/// Where the settings stand in a text that parsed.
fn lines(text: &str) -> Lines {
    fn walk(text: &str, prefix: &str, table: &DeTable<'_>, into: &mut Lines) {
        for (key, value) in table {
            let name = format!("{prefix}{}", key.get_ref());
            if let DeValue::Table(inner) = value.get_ref() {
                walk(text, &format!("{name}."), inner, into);
            } else {
                let before = text.get(..key.span().start).unwrap_or_default();
                into.insert(name, before.matches('\n').count() + 1);
            }
        }
    }
    let mut lines = Lines::new();
    if let Ok(table) = DeTable::parse(text) {
        walk(text, "", table.get_ref(), &mut lines);
    }
    lines
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
