//! `cargo xtask test`: every check and every test. All steps run, whatever fails before them; a table says how each
//! ended.

use std::path::PathBuf;
use std::process::Command;
use std::time::{Duration, Instant};

use clap::Args;

use crate::shell::{Fallible, Outcome, cargo, find_program, has_cargo_command, run as run_command, seconds};
use crate::workspace::{in_ci, root, target_folder};
use crate::{chromium, debian, docs, floors, python, supply};

#[derive(Args)]
pub(crate) struct Arguments {
    /// Only these steps, by name, separated by commas
    #[arg(long, value_delimiter = ',', value_name = "STEP")]
    only: Vec<String>,
    /// List the steps
    #[arg(long)]
    list: bool,
}

/// How a step ended.
enum Ended {
    Passed,
    Failed,
    /// Not run, and why. Fails the whole in CI where it says so.
    Skipped {
        why: String,
        fatal_in_ci: bool,
    },
}

struct Step {
    name: &'static str,
    what: &'static str,
    run: fn() -> Fallible<Ended>,
}

const STEPS: &[Step] = &[
    Step { name: "format", what: "rustfmt", run: format },
    Step { name: "floors", what: "crates depend on lower floors only", run: || from_outcome(floors::run()) },
    Step { name: "supply", what: "licences, bans and sources", run: || from_outcome(supply::run()) },
    Step { name: "deny", what: "cargo deny on the same `deny.toml`", run: deny },
    Step { name: "lint", what: "clippy on all targets, warnings denied", run: lint },
    Step { name: "docs", what: "reference pages are as the code has them", run: docs },
    Step { name: "unit", what: "unit, property and integration tests", run: unit },
    Step { name: "doc", what: "examples in the documentation", run: doc },
    Step { name: "python", what: "the official Python SDK through bastide", run: sdk },
    Step { name: "browser", what: "the console in Chromium, and its accessibility", run: browser },
    Step {
        name: "models",
        what: "model files: hand-made and real ones, and the reference signer",
        run: models,
    },
];

pub(crate) fn run(arguments: &Arguments) -> Fallible<Outcome> {
    if arguments.list {
        for step in STEPS {
            println!("{:<8} {}", step.name, step.what);
        }
        return Ok(Outcome::Fine);
    }
    if let Some(unknown) = arguments.only.iter().find(|name| STEPS.iter().all(|step| step.name != *name)) {
        return Err(format!("no step `{unknown}`: `cargo xtask test --list` names them"));
    }
    let wanted =
        |step: &&Step| arguments.only.is_empty() || arguments.only.iter().any(|name| name == step.name);
    let mut table = Vec::new();
    for step in STEPS.iter().filter(wanted) {
        println!("\n== {}: {}", step.name, step.what);
        let begun = Instant::now();
        let ended = (step.run)().unwrap_or_else(|message| {
            eprintln!("{message}");
            Ended::Failed
        });
        table.push((step, ended, begun.elapsed()));
    }
    Ok(summary(&table))
}

fn summary(table: &[(&Step, Ended, Duration)]) -> Outcome {
    let (mut passed, mut failed, mut skipped) = (0, 0, 0);
    println!();
    for (step, ended, took) in table {
        let (word, why) = match ended {
            Ended::Passed => {
                passed += 1;
                ("passed", "")
            }
            Ended::Failed => {
                failed += 1;
                ("FAILED", "")
            }
            Ended::Skipped { why, fatal_in_ci } if *fatal_in_ci && in_ci() => {
                failed += 1;
                ("FAILED", why.as_str())
            }
            Ended::Skipped { why, .. } => {
                skipped += 1;
                ("skipped", why.as_str())
            }
        };
        println!("{:<8} {word:<8} {:>8}   {why}", step.name, seconds(*took));
    }
    println!("\nsteps: {passed} passed, {failed} failed, {skipped} skipped");
    if failed == 0 { Outcome::Fine } else { Outcome::Findings }
}

fn from_outcome(outcome: Fallible<Outcome>) -> Fallible<Ended> {
    Ok(if outcome? == Outcome::Fine { Ended::Passed } else { Ended::Failed })
}

fn passed(command: &mut Command) -> Fallible<Ended> {
    Ok(if run_command(command.current_dir(root()))? { Ended::Passed } else { Ended::Failed })
}

fn format() -> Fallible<Ended> {
    passed(cargo().args(["fmt", "--all", "--", "--check"]))
}

fn deny() -> Fallible<Ended> {
    if !has_cargo_command("deny") {
        let why = "cargo-deny is not installed; the step before checks the same rules".to_owned();
        return Ok(Ended::Skipped { why, fatal_in_ci: false });
    }
    // Advisories need a database from the network: they are a job of their own, not a part of every test.
    passed(cargo().args(["deny", "--offline", "check", "bans", "licenses", "sources"]))
}

fn lint() -> Fallible<Ended> {
    passed(cargo().args(["clippy", "--workspace", "--all-targets", "--locked", "--", "--deny", "warnings"]))
}

fn docs() -> Fallible<Ended> {
    let stale = docs::check(&root().join("docs").join("reference"))?;
    Ok(if stale.is_empty() { Ended::Passed } else { Ended::Failed })
}

/// What property tests draw their cases from, unless `PROPTEST_RNG_SEED` says otherwise: a run that fails speaks of the change
/// and can be repeated. Searching for new cases is another thing than testing; `CONTRIBUTING.md` says how.
const SEED: &str = "20261121";

fn unit() -> Fallible<Ended> {
    let mut command = cargo();
    if std::env::var_os("PROPTEST_RNG_SEED").is_none() {
        command.env("PROPTEST_RNG_SEED", SEED);
    }
    if has_cargo_command("nextest") {
        return passed(command.args(["nextest", "run", "--workspace", "--locked", "--no-fail-fast"]));
    }
    println!(
        "cargo-nextest is not installed (`cargo install --locked cargo-nextest`): using cargo test, which is slower"
    );
    passed(command.args(["test", "--workspace", "--locked", "--no-fail-fast", "--lib", "--bins", "--tests"]))
}

fn doc() -> Fallible<Ended> {
    passed(cargo().args(["test", "--workspace", "--locked", "--no-fail-fast", "--doc"]))
}

/// The folder of the binaries that suites in other languages start, of the same profile as the other tests; `None`
/// where they do not build.
fn binaries() -> Fallible<Option<PathBuf>> {
    let mut build = cargo();
    build.current_dir(root()).args(["build", "--locked", "-p", "bastide", "-p", "bastide-testkit", "--bins"]);
    Ok(if run_command(&mut build)? { Some(target_folder()?.join("debug")) } else { None })
}

/// The SDK's tests against the binaries of the same profile as the other tests.
fn sdk() -> Fallible<Ended> {
    let python = match python::environment("python") {
        Ok(python) => python,
        Err(why) => {
            eprintln!("{why}");
            return Ok(Ended::Skipped { why: "no Python SDK, see above".to_owned(), fatal_in_ci: true });
        }
    };
    let Some(folder) = binaries()? else { return Ok(Ended::Failed) };
    let suite = root().join("tests").join("python");
    let pytest = |direct: bool| {
        let mut command = Command::new(&python);
        command.args(["-m", "pytest", "-q", "-p", "no:cacheprovider"]).arg(&suite);
        command.env("PYTHONDONTWRITEBYTECODE", "1");
        command.env("BASTIDE_BIN", folder.join("bastide")).env("MOCK_BIN", folder.join("mock-upstream"));
        if direct {
            command.env("BASTIDE_DIRECT", "1");
        }
        command
    };
    // First without bastide: a suite that fails against the mock alone would blame the wrong one.
    let direct = passed(&mut pytest(true))?;
    let through = passed(&mut pytest(false))?;
    Ok(match (direct, through) {
        (Ended::Passed, Ended::Passed) => Ended::Passed,
        _ => Ended::Failed,
    })
}

/// The console's pages as people use them.
fn browser() -> Fallible<Ended> {
    let tools = chromium::program().and_then(|chromium| Ok((chromium, python::environment("browser")?)));
    let (chromium, python) = match tools {
        Ok(tools) => tools,
        Err(why) => {
            eprintln!("{why}");
            return Ok(Ended::Skipped { why: "no browser, see above".to_owned(), fatal_in_ci: true });
        }
    };
    let Some(folder) = binaries()? else { return Ok(Ended::Failed) };
    let mut command = Command::new(&python);
    command.args(["-m", "pytest", "-q", "-p", "no:cacheprovider"]).arg(root().join("tests").join("browser"));
    command.env("PYTHONDONTWRITEBYTECODE", "1").env("CHROMIUM", chromium);
    command.env("BASTIDE_BIN", folder.join("bastide")).env("MOCK_BIN", folder.join("mock-upstream"));
    passed(&mut command)
}

/// The scanner and the signer against real libraries, and against files made by hand.
fn models() -> Fallible<Ended> {
    let python = match python::environment("models") {
        Ok(python) => python,
        Err(why) => {
            eprintln!("{why}");
            return Ok(Ended::Skipped {
                why: "no Python libraries, see above".to_owned(),
                fatal_in_ci: true,
            });
        }
    };
    // A hardware module in software, for keys that never leave one; without it those checks are left out and say so.
    if find_program("softhsm2-util").is_none() && !debian::install(&["softhsm2"])? {
        println!("no SoftHSM (`apt-get install softhsm2`): signing with a token is not tried");
    }
    let mut example = cargo();
    example.current_dir(root());
    example.args(["build", "--locked", "-p", "bastide-artifact", "--example", "pickle-trace"]);
    let Some(folder) = binaries()? else { return Ok(Ended::Failed) };
    if !run_command(&mut example)? {
        return Ok(Ended::Failed);
    }
    let mut command = Command::new(&python);
    command.args(["-m", "pytest", "-q", "-p", "no:cacheprovider"]).arg(root().join("tests").join("models"));
    command.env("PYTHONDONTWRITEBYTECODE", "1").env("BASTIDE_BIN", folder.join("bastide"));
    command.env("PICKLE_TRACE", folder.join("examples").join("pickle-trace"));
    passed(&mut command)
}
