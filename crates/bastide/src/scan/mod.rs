//! `bastide scan`: what would act when model files are loaded.

mod human;
mod outputs;

use std::fs;
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use bastide_admin::{Failure, could_not};
use bastide_artifact::Limits;
use bastide_crypto::{Random as _, SystemRandom};
use bastide_registry::{Baseline, Options, Scan, Suppressions, advisories, render, scan};
use bastide_types::Assessment;

use crate::cli;
use crate::client::{note, write};
use crate::progress::Bar;

pub(crate) use human::print;
pub(crate) use outputs::apart;

pub(crate) fn run(args: &cli::Scan) -> Result<(), Failure> {
    if args.rules {
        return rules(args.output.json);
    }
    let standard_output =
        [&args.sarif, &args.cyclonedx, &args.junit].into_iter().flatten().filter(|p| is_stdout(p));
    let others = standard_output.count();
    if others + usize::from(args.output.json) > 1 {
        return Err(Failure::usage("only one report can go to standard output: give the others a file"));
    }
    let given = [&args.suppressions, &args.baseline].into_iter().flatten().chain(&args.paths);
    apart(
        &[
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
    options.digest = args.digest || args.cyclonedx.is_some() || suppressions.need_digests();
    options.threads = args.threads.unwrap_or(options.threads);
    let osv = args.osv.as_deref().map(advisories).transpose().map_err(could_not)?;

    let progress = Bar::new();
    let mut found = scan(&args.paths, &options, &progress);
    let took = progress.done();
    if let Some(database) = &osv {
        found.match_advisories(database, &jiff::Timestamp::now().to_string(), &args.sla);
    }
    found.suppress(&suppressions);

    if let Some(path) = &args.write_baseline {
        let baseline = Baseline::of(&found);
        hand_on(path, baseline.to_json().as_bytes())?;
        note(&format!("wrote a baseline of {} findings to `{}`", baseline.len(), path.display()));
    }
    if let Some(path) = &args.sarif {
        hand_on(path, format!("{:#}\n", render::sarif(&found)).as_bytes())?;
    }
    if let Some(path) = &args.junit {
        hand_on(path, render::junit(&found, args.strict).as_bytes())?;
    }
    if let Some(path) = &args.cyclonedx {
        let bom =
            render::cyclonedx(&found, &name(&args.paths), &jiff::Timestamp::now().to_string(), &serial());
        hand_on(path, format!("{bom:#}\n").as_bytes())?;
    }
    if args.output.json {
        write(&format!("{}\n", render::json(&found)))?;
    } else if others == 0 {
        print(&found, took)?;
    }
    conclude(&found, args.strict)
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
            Err(Failure::could_not(format!("not assessed to the end: {unfinished}")).told())
        }
        Assessment::Clean | Assessment::Review => Ok(()),
    }
}

/// What people have decided to accept.
pub(crate) fn accepted(suppressed: Option<&Path>, baseline: Option<&Path>) -> Result<Suppressions, Failure> {
    let of = |path: &Path, e: &dyn std::fmt::Display| Failure::usage(format!("`{}`: {e}", path.display()));
    let mut suppressions = Suppressions::default();
    if let Some(path) = suppressed {
        suppressions =
            Suppressions::parse(&text(path)?, jiff::Zoned::now().date()).map_err(|e| of(path, &e))?;
        for expired in suppressions.expired() {
            note(&format!(
                "the suppression of `{}` ended on {}: {}",
                expired.rule, expired.expires, expired.reason
            ));
        }
    }
    if let Some(path) = baseline {
        suppressions.add(Baseline::parse(&text(path)?).map_err(|e| of(path, &e))?);
    }
    Ok(suppressions)
}

pub(crate) fn text(path: &Path) -> Result<String, Failure> {
    fs::read_to_string(path).map_err(|e| Failure::could_not(format!("cannot read `{}`: {e}", path.display())))
}

pub(crate) fn is_stdout(path: &Path) -> bool {
    path.as_os_str() == "-"
}

/// Writes a report whole or not at all.
pub(crate) fn hand_on(path: &Path, report: &[u8]) -> Result<(), Failure> {
    if is_stdout(path) {
        return match io::stdout().lock().write_all(report) {
            Err(e) if e.kind() == io::ErrorKind::BrokenPipe => Ok(()),
            other => other.map_err(could_not),
        };
    }
    let mut temporary = path.as_os_str().to_owned();
    temporary.push(".part");
    let temporary = PathBuf::from(temporary);
    fs::write(&temporary, report).and_then(|()| fs::rename(&temporary, path)).map_err(|e| {
        // What is left of it is of no use to anybody.
        let _ = fs::remove_file(&temporary);
        Failure::could_not(format!("cannot write `{}`: {e}", path.display()))
    })
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

/// A random UUID (RFC 9562, version 4).
pub(crate) fn serial() -> String {
    let mut bytes = [0; 16];
    SystemRandom.fill(&mut bytes);
    bytes[6] = bytes[6] & 0x0f | 0x40;
    bytes[8] = bytes[8] & 0x3f | 0x80;
    let hex = render::hex(&bytes);
    let part = |range: std::ops::Range<usize>| hex.get(range).unwrap_or_default().to_owned();
    [part(0..8), part(8..12), part(12..16), part(16..20), part(20..32)].join("-")
}

fn rules(json: bool) -> Result<(), Failure> {
    if json { write(&format!("{}\n", render::rules_json())) } else { human::rules() }
}
