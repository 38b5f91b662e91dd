//! `cargo xtask bench`: bastide against nginx in the same run, one after the other, in front of the same mock.
//!
//! The gateway has CPU 0 for itself; mock and load share CPU 1. Only ratios travel between machines, so the table
//! leads with them. CPU time is read from the kernel around each run, so it counts what the gateway spends in the
//! kernel on its behalf too.

mod cell;
mod memory;
mod subject;
mod table;

use std::path::PathBuf;

use clap::Args;
use serde_json::json;

use crate::shell::{Fallible, Outcome, cargo, find_program, run as run_command, scratch_folder};
use crate::workspace::{has_crate, root, target_folder};
use cell::{Cell, Load, Mode};
use subject::Kind;

#[derive(Args)]
pub(crate) struct Arguments {
    /// One second a cell instead of three, and a tenth of the memory run
    #[arg(long)]
    quick: bool,
    /// Only these subjects: direct, nginx, haproxy, bastide-off, bastide-on
    #[arg(long, value_delimiter = ',', value_name = "SUBJECT")]
    only: Vec<String>,
    /// Connections
    #[arg(long, value_delimiter = ',', default_values_t = [1, 16, 64], value_name = "N")]
    connections: Vec<u32>,
    /// Times that everything is measured; the median is printed
    #[arg(long, default_value_t = 1, value_name = "N")]
    passes: u32,
    /// Seconds for each cell [default: 3, quick: 1]
    #[arg(long, value_name = "S")]
    seconds: Option<f64>,
    /// Events to one write of the mock's streams; 0 writes a stream at once
    #[arg(long, default_value_t = 0, value_name = "N")]
    burst: u32,
    /// Requests of the memory run of bastide-on; 0 leaves it out [default: 200000, quick: 20000]
    #[arg(long, value_name = "N")]
    memory_requests: Option<u64>,
    /// Write everything measured to this file as JSON (`-`: to standard output instead of the tables)
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
    /// Measure the release binaries that are there
    #[arg(long)]
    no_build: bool,
    /// Install nginx with apt-get when it is missing
    #[arg(long)]
    install: bool,
}

/// Where programs are and which CPU is whose.
pub(crate) struct Bed {
    /// Release binaries.
    pub(crate) binaries: PathBuf,
    /// For configurations, data folders and logs.
    pub(crate) scratch: PathBuf,
    /// For data folders, all removed at the end.
    pub(crate) data: PathBuf,
    /// `taskset`, where the machine has it and two CPUs.
    pub(crate) taskset: Option<PathBuf>,
    pub(crate) burst: u32,
}

pub(crate) fn run(arguments: &Arguments) -> Fallible<Outcome> {
    let quiet = arguments.json.as_deref().is_some_and(|path| path.as_os_str() == "-");
    let kinds = wanted(arguments)?;
    if !arguments.no_build {
        build(&kinds)?;
    }
    let target = target_folder()?;
    let scratch = scratch_folder(&target, "bench")?;
    let bed = Bed {
        binaries: target.join("release"),
        data: scratch.join(format!("data-{}", std::process::id())),
        scratch,
        taskset: taskset(),
        burst: arguments.burst,
    };
    let seconds = arguments.seconds.unwrap_or(if arguments.quick { 1.0 } else { 3.0 });
    let mut cells: Vec<Cell> = Vec::new();
    let mut stages = None;
    let mut memory = None;
    for pass in 0..arguments.passes.max(1) {
        for kind in &kinds {
            let subject = subject::start(*kind, &bed)?;
            for mode in [Mode::Json, Mode::Stream] {
                for &connections in &arguments.connections {
                    let load = Load { mode, connections, seconds, requests: None };
                    eprintln!("{} {} {connections}", kind.name(), mode.name());
                    cells.push(cell::measure(&bed, &subject, load)?);
                }
            }
            if *kind == Kind::BastideOn && pass == 0 {
                stages = subject.stages();
                let requests =
                    arguments.memory_requests.unwrap_or(if arguments.quick { 20_000 } else { 200_000 });
                if requests > 0 {
                    eprintln!("{} memory over {requests} requests", kind.name());
                    memory = Some(memory::run(&bed, &subject, requests)?);
                }
            }
        }
    }
    if bed.data.exists() {
        std::fs::remove_dir_all(&bed.data)
            .map_err(|e| format!("cannot remove `{}`: {e}", bed.data.display()))?;
    }
    let cells = cell::medians(cells);
    if !quiet {
        table::print(&cells);
        if let Some(memory) = &memory {
            println!("\n{memory}");
        }
        if let Some(stages) = &stages {
            println!("\n{stages}");
        }
        if bed.taskset.is_none() {
            println!("\nnot pinned (no `taskset`, or one CPU only): do not trust these ratios");
        }
    }
    if let Some(path) = &arguments.json {
        let all = json!({
            "cells": cells.iter().map(Cell::to_json).collect::<Vec<_>>(),
            "memory": memory.as_ref().map(memory::Memory::to_json),
            "stages": stages.as_ref().map(subject::Stages::to_json),
            "pinned": bed.taskset.is_some(),
        });
        if quiet {
            println!("{all:#}");
        } else {
            std::fs::write(path, format!("{all:#}\n"))
                .map_err(|e| format!("cannot write `{}`: {e}", path.display()))?;
        }
    }
    let failed = cells.iter().any(|cell| cell.failed > 0);
    if failed {
        eprintln!("some requests failed: the figures of those rows mean nothing");
    }
    Ok(if failed { Outcome::Findings } else { Outcome::Fine })
}

/// The subjects to measure, in an order that puts the yardstick first.
fn wanted(arguments: &Arguments) -> Fallible<Vec<Kind>> {
    for name in &arguments.only {
        if Kind::ALL.iter().all(|kind| kind.name() != name) {
            let names: Vec<&str> = Kind::ALL.iter().map(|kind| kind.name()).collect();
            return Err(format!("no subject `{name}`: there are {}", names.join(", ")));
        }
    }
    let mut kinds = Vec::new();
    for kind in Kind::ALL {
        let named = arguments.only.iter().any(|name| name == kind.name());
        if !arguments.only.is_empty() && !named {
            continue;
        }
        let missing = match kind {
            Kind::Nginx if find_program("nginx").is_none() && arguments.install => {
                install_nginx()?;
                None
            }
            Kind::Nginx | Kind::Haproxy if find_program(kind.name()).is_none() => Some(format!(
                "{0} is not installed (Debian: `apt-get install {0}`; or --install): measuring without it",
                kind.name()
            )),
            Kind::BastideOff | Kind::BastideOn if !has_crate("bastide") => {
                Some("no bastide crate here".to_owned())
            }
            _ => None,
        };
        match missing {
            Some(message) if named => return Err(message),
            Some(message) => eprintln!("{message}"),
            None => kinds.push(kind),
        }
    }
    Ok(kinds)
}

fn install_nginx() -> Fallible<()> {
    let mut install = std::process::Command::new("apt-get");
    install.args(["install", "--yes", "--no-install-recommends", "nginx-light"]);
    if run_command(&mut install)? {
        return Ok(());
    }
    Err("apt-get could not install nginx (see above; it needs root)".to_owned())
}

fn build(kinds: &[Kind]) -> Fallible<()> {
    let mut build = cargo();
    build.current_dir(root()).args(["build", "--release", "-p", "bastide-testkit", "--bins"]);
    if kinds.iter().any(|kind| matches!(kind, Kind::BastideOff | Kind::BastideOn)) {
        build.args(["-p", "bastide"]);
    }
    // To standard error: standard output may be JSON.
    eprintln!("$ {}", crate::shell::line(&build));
    let status = build.status().map_err(|e| format!("cannot start cargo: {e}"))?;
    if status.success() { Ok(()) } else { Err("the release build failed".to_owned()) }
}

/// `taskset`, when there are two CPUs to tie things to.
fn taskset() -> Option<PathBuf> {
    let cpus = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    if cpus < 2 {
        return None;
    }
    find_program("taskset")
}
