//! The environment: which variables there are, and which look like a typing error.

use std::collections::BTreeSet;

use bastide_admin::{Failure, chain};
use clap::CommandFactory as _;
use tracing_subscriber::EnvFilter;

use crate::cli::Cli;
use crate::likeness::{distance, meant};

/// What every variable of ours begins with.
const PREFIX: &str = "BASTIDE_";
/// Variables that belong to no flag.
const OTHERS: [&str; 4] = [LOG, PASSPHRASE, KEY_PASSPHRASE, PKCS11_PIN];
pub(crate) const LOG: &str = "BASTIDE_LOG";
pub(crate) const PASSPHRASE: &str = "BASTIDE_PASSPHRASE";
/// The passphrase of the private key that `bastide sign` signs with.
pub(crate) const KEY_PASSPHRASE: &str = "BASTIDE_KEY_PASSPHRASE";
/// The PIN of the token that `bastide sign` signs with.
pub(crate) const PKCS11_PIN: &str = "BASTIDE_PKCS11_PIN";
/// What the server's own log shows unless told otherwise.
pub(crate) const DEFAULT_LOG: &str = "info";

/// What the server's own log shows.
pub(crate) fn log_filter() -> Result<EnvFilter, Failure> {
    match std::env::var(LOG) {
        Err(std::env::VarError::NotPresent) => Ok(EnvFilter::new(DEFAULT_LOG)),
        Ok(text) if text.is_empty() => Ok(EnvFilter::new(DEFAULT_LOG)),
        Ok(text) => filter(LOG, &text),
        Err(std::env::VarError::NotUnicode(_)) => Err(no_filter(LOG, "it is no text")),
    }
}

/// A filter that was given as `name`. A part that there is not is refused: taken at its word it would show nothing.
pub(crate) fn filter(name: &str, text: &str) -> Result<EnvFilter, Failure> {
    let filter = EnvFilter::try_new(text).map_err(|e| no_filter(name, &chain(&e)))?;
    match text.split(',').filter_map(target).find(|target| !is_part(target)) {
        Some(unknown) => {
            let meant = meant(unknown, LEVELS.into_iter().chain(PARTS));
            Err(no_filter(name, &format!("`{unknown}` is neither a level nor a part of bastide{meant}")))
        }
        None => Ok(filter),
    }
}

fn no_filter(name: &str, why: &str) -> Failure {
    Failure::usage(format!(
        "`{name}` is no filter: {why}; write a level (`error`, `warn`, `info`, `debug`, `trace`), or one for a part, \
         such as `info,bastide_gateway=debug`"
    ))
}

const LEVELS: [&str; 6] = ["error", "warn", "info", "debug", "trace", "off"];

/// Crates whose log lines there may be: our own first, then those that they stand on.
const PARTS: [&str; 12] = [
    "bastide",
    "bastide_admin",
    "bastide_api",
    "bastide_audit",
    "bastide_console",
    "bastide_gateway",
    "hyper",
    "hyper_rustls",
    "hyper_util",
    "mio",
    "rustls",
    "tokio",
];

/// The target that a directive speaks of; `None` for a level of everything.
fn target(directive: &str) -> Option<&str> {
    let directive = directive.trim();
    let target = directive.split(['[', '=']).next().unwrap_or_default().trim();
    let alone = target.len() == directive.len();
    let is_level = alone && target.parse::<tracing_subscriber::filter::LevelFilter>().is_ok();
    (!target.is_empty() && !is_level).then_some(target)
}

fn is_part(target: &str) -> bool {
    PARTS.contains(&target.split("::").next().unwrap_or_default())
}

/// Warns of variables that look like ours and are none, except those that something `uses`. Their values are nobody's
/// business.
pub(crate) fn warn_of_unknown(uses: &BTreeSet<String>) {
    for (name, closest) in unknown(uses) {
        tracing::warn!(
            variable = name,
            closest,
            "an environment variable has a name of bastide's that bastide does not know, and is ignored"
        );
    }
}

/// Variables that look like ours and are none, each with the name that is most like it.
pub(crate) fn unknown(uses: &BTreeSet<String>) -> impl Iterator<Item = (String, String)> {
    let names = std::env::vars_os().filter_map(|(name, _)| name.into_string().ok());
    names.filter(|name| name.starts_with(PREFIX) && !uses.contains(name)).filter_map(|name| {
        let closest = closest(&name)?;
        Some((name, closest))
    })
}

/// The known name that is most like this one; `None` when it is known itself.
fn closest(name: &str) -> Option<String> {
    let known = known();
    if known.contains(name) {
        return None;
    }
    known.into_iter().min_by_key(|known| distance(known, name))
}

/// The variables of all commands, from the one place that defines them.
fn known() -> BTreeSet<String> {
    fn collect(command: &clap::Command, into: &mut BTreeSet<String>) {
        let named = command.get_arguments().filter_map(|argument| argument.get_env()?.to_str());
        into.extend(named.map(str::to_owned));
        command.get_subcommands().for_each(|command| collect(command, into));
    }
    let mut known = OTHERS.iter().map(|name| (*name).to_owned()).collect();
    collect(&Cli::command(), &mut known);
    known
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_closest_name_is_named_and_known_ones_are_left_alone() {
        for (given, known) in [
            ("BASTIDE_LISTENS", "BASTIDE_LISTEN"),
            ("BASTIDE_PASPHRASE", "BASTIDE_PASSPHRASE"),
            ("BASTIDE_LOGFORMAT", "BASTIDE_LOG_FORMAT"),
            ("BASTIDE_GAURD", "BASTIDE_GUARD"),
        ] {
            assert_eq!(closest(given).as_deref(), Some(known));
            assert_eq!(closest(known), None, "{known}");
        }
    }

    #[test]
    fn a_filter_speaks_of_levels_and_of_parts_that_there_are() {
        for good in [
            "debug",
            "INFO",
            "off",
            "info,bastide_gateway=debug",
            "warn,bastide_admin::change=trace,hyper_util=error",
            "info,[exchange]=debug",
            "bastide_gateway[exchange{model=a}]=trace,info",
            "bastide_audit",
        ] {
            assert!(filter("x", good).is_ok(), "{good}");
        }
        for (bad, why) in [
            ("debugg", "is `debug` meant?"),
            ("info,bastide_gatway=debug", "is `bastide_gateway` meant?"),
            ("gateway=debug", "`gateway` is neither"),
            ("info,nonsense[a{b=c}]=debug", "`nonsense` is neither"),
            ("bastide_gateway=debugg", "is no filter"),
        ] {
            let failure = filter("x", bad).expect_err(bad);
            assert!(failure.message().contains(why), "{bad}: {failure}");
        }
    }

    #[test]
    fn every_crate_of_ours_that_logs_is_a_part() {
        let crates = std::fs::read_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/..")).expect("crates");
        for folder in crates.map_while(Result::ok).map(|entry| entry.path()) {
            let manifest = std::fs::read_to_string(folder.join("Cargo.toml")).unwrap_or_default();
            let name = folder.file_name().unwrap_or_default().to_string_lossy().replace('-', "_");
            let logs = manifest.lines().any(|line| line == "tracing.workspace = true");
            assert_eq!(logs, PARTS.contains(&name.as_str()), "{name}");
        }
    }

    #[test]
    fn the_documentation_lists_every_variable() {
        let document = include_str!("../../../docs/configuration.md");
        for name in known() {
            assert!(document.contains(&format!("`{name}`")), "`{name}` is missing in docs/configuration.md");
        }
    }
}
