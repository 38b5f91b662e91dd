//! The environment: which variables there are, and which look like a typing error.

use std::collections::BTreeSet;

use bastide_admin::{Failure, chain};
use clap::CommandFactory as _;
use tracing_subscriber::EnvFilter;

use crate::cli::Cli;

/// What every variable of ours begins with.
const PREFIX: &str = "BASTIDE_";
/// Variables that belong to no flag.
const OTHERS: [&str; 2] = [LOG, PASSPHRASE];
pub(crate) const LOG: &str = "BASTIDE_LOG";
pub(crate) const PASSPHRASE: &str = "BASTIDE_PASSPHRASE";
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

/// A filter that was given as `name`.
pub(crate) fn filter(name: &str, text: &str) -> Result<EnvFilter, Failure> {
    EnvFilter::try_new(text).map_err(|e| no_filter(name, &chain(&e)))
}

fn no_filter(name: &str, why: &str) -> Failure {
    Failure::usage(format!(
        "`{name}` is no filter: {why}; write a level (`error`, `warn`, `info`, `debug`, `trace`), or one for a part, \
         such as `info,bastide_gateway=debug`"
    ))
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

/// How many characters to change, add or leave out (Levenshtein).
fn distance(from: &str, to: &str) -> usize {
    let to: Vec<char> = to.chars().collect();
    let mut row: Vec<usize> = (0..=to.len()).collect();
    for (line, a) in from.chars().enumerate() {
        let mut diagonal = line;
        let mut left = line + 1;
        let mut next = vec![left];
        for (b, above) in to.iter().zip(row.iter().skip(1)) {
            let cost = (diagonal + usize::from(a != *b)).min(above + 1).min(left + 1);
            diagonal = *above;
            left = cost;
            next.push(cost);
        }
        row = next;
    }
    row.last().copied().unwrap_or_default()
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
    fn the_distance_is_what_it_is_called() {
        for (a, b, apart) in [("", "", 0), ("a", "", 1), ("kitten", "sitting", 3), ("abc", "acb", 2)] {
            assert_eq!((distance(a, b), distance(b, a)), (apart, apart), "{a} {b}");
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
