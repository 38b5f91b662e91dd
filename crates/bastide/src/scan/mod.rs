//! `bastide scan`: what would act when model files are loaded.

mod human;
mod outputs;
mod rules;
mod stdin;
mod told;

use std::fs;
use std::path::{Path, PathBuf};

use bastide_admin::{Failure, could_not};
use bastide_artifact::Limits;
use bastide_registry::{
    Baseline, Exclude, Options, Scan, SuppressionError, Suppressions, advisories, render, scan,
};
use bastide_types::Assessment;

use crate::cli;
use crate::client::note;
use crate::likeness::meant;
use crate::progress::Bar;
use crate::show::one_line;

pub(crate) use human::print;
pub(crate) use outputs::{apart, hand_on, is_stdout};
pub(crate) use told::serial;

pub(crate) fn run(args: &cli::Scan) -> Result<(), Failure> {
    if let Some(wanted) = &args.rules {
        return rules::print(wanted.as_deref(), args.json);
    }
    let reports = told::Reports::of(args)?;
    let given = [&args.suppressions, &args.baseline].into_iter().flatten().chain(&args.paths);
    apart(
        &[
            ("--output", args.output.as_deref()),
            ("--sarif", args.sarif.as_deref()),
            ("--junit", args.junit.as_deref()),
            ("--cyclonedx", args.cyclonedx.as_deref()),
            // A baseline may be renewed in its place.
            (
                "--write-baseline",
                args.write_baseline.as_deref().filter(|_| args.write_baseline != args.baseline),
            ),
        ],
        &given.map(AsRef::as_ref).collect::<Vec<_>>(),
    )?;
    let suppressions = accepted(args.suppressions.as_deref(), args.baseline.as_deref())?;
    let mut options = Options::default();
    options.limits = Limits {
        depth: args.max_depth,
        entries: args.max_entries,
        expanded_bytes: args.max_expanded,
        ..Limits::default()
    };
    options.digest = args.digest || reports.need_digests() || suppressions.need_digests();
    options.threads = args.threads.unwrap_or(options.threads);
    options.exclude = Exclude::new(&args.exclude).map_err(|e| Failure::usage(format!("`--exclude`: {e}")))?;
    options.stdin = match args.paths.iter().filter(|path| is_stdout(path)).count() {
        0 => None,
        1 => Some(stdin::keep()?),
        _ => return Err(Failure::usage("`-` is standard input, which can be read once")),
    };
    let osv = args.osv.as_deref().map(advisories).transpose().map_err(could_not)?;

    let progress = Bar::wanted(!args.quiet);
    let mut found = scan(&args.paths, &options, &progress);
    let took = progress.done();
    if let Some(database) = &osv {
        found.match_advisories(database, &jiff::Timestamp::now().to_string(), &args.sla);
    }
    found.suppress(&suppressions);

    if !args.quiet {
        warn(&found);
    }
    if let Some(path) = &args.write_baseline {
        let baseline = Baseline::of(&found);
        hand_on(path, baseline.to_json().as_bytes())?;
        if !args.quiet {
            note(&format!("wrote a baseline of {} findings to `{}`", baseline.len(), path.display()));
        }
    }
    reports.write(&found, took)?;
    conclude(&found, args.strict)
}

/// Says what was odd about how the scan was asked for.
pub(crate) fn warn(scan: &Scan) {
    for warning in &scan.warnings {
        note(&format!("warning: {warning}"));
    }
}

/// The exit code: 1 for what is malicious, before 3 for what is unfinished.
pub(crate) fn conclude(scan: &Scan, strict: bool) -> Result<(), Failure> {
    let of_all = |assessment| format!("{} of {} files", scan.count(assessment), scan.files.len());
    match scan.assessment() {
        Assessment::Malicious => {
            Err(Failure::does_not_hold(format!("malicious: {}", of_all(Assessment::Malicious))).told())
        }
        _ if strict && scan.count(Assessment::Review) > 0 => {
            Err(Failure::does_not_hold(format!("to be reviewed: {}", of_all(Assessment::Review))).told())
        }
        Assessment::Unfinished => {
            let unfinished = of_all(Assessment::Unfinished);
            Err(Failure::could_not(format!("not assessed to the end: {unfinished}{}", unread(scan))).told())
        }
        _ if strict && scan.files.is_empty() => {
            Err(Failure::could_not("nothing was scanned, which `--strict` does not let pass").told())
        }
        Assessment::Clean | Assessment::Review => Ok(()),
    }
}

/// The paths that could not be read at all, as far as they fit in a line.
fn unread(scan: &Scan) -> String {
    const NAMED: usize = 8;
    let is_unread = |file: &&bastide_registry::ScannedFile| {
        file.report.findings.iter().any(|finding| finding.rule.id == "path.unreadable")
    };
    let all: Vec<&Path> = scan.files.iter().filter(is_unread).map(|file| file.path.as_path()).collect();
    if all.is_empty() {
        return String::new();
    }
    let named: Vec<String> =
        all.iter().take(NAMED).map(|path| format!("`{}`", one_line(&path.display().to_string()))).collect();
    let more = if all.len() > NAMED { format!(" and {} more", all.len() - NAMED) } else { String::new() };
    format!("; cannot be read: {}{more}", named.join(", "))
}

/// What people have decided to accept.
pub(crate) fn accepted(suppressed: Option<&Path>, baseline: Option<&Path>) -> Result<Suppressions, Failure> {
    let of = |path: &Path, e: &dyn std::fmt::Display| Failure::usage(format!("`{}`: {e}", path.display()));
    let mut suppressions = Suppressions::default();
    if let Some(path) = suppressed {
        let today = jiff::Zoned::now().date();
        suppressions = Suppressions::parse(&text(path)?, today).map_err(|e| match &e {
            SuppressionError::Rule { rule, .. } => {
                let meant = meant(rule, render::rules().map(|rule| rule.id));
                of(path, &format!("{e}{meant}"))
            }
            _ => of(path, &e),
        })?;
    }
    if let Some(path) = baseline {
        suppressions.add(Baseline::parse(&text(path)?).map_err(|e| of(path, &e))?);
    }
    Ok(suppressions)
}

pub(crate) fn text(path: &Path) -> Result<String, Failure> {
    fs::read_to_string(path).map_err(|e| Failure::could_not(format!("cannot read `{}`: {e}", path.display())))
}

/// What the artifact is called: the one path that was given, or how many there were.
fn name(paths: &[PathBuf]) -> String {
    let one = match paths {
        [one] => {
            fs::canonicalize(one).ok().and_then(|p| p.file_name().map(|n| n.to_string_lossy().into_owned()))
        }
        _ => None,
    };
    one.unwrap_or_else(|| format!("{} paths", paths.len()))
}
