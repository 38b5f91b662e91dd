//! `bastide doctor`: what is wrong with an installation, and what to do about it.
//!
//! Checks are functions that give [`Finding`]s. Those on the data folder and on the server itself are also run inside the
//! server; the rest looks from outside, as somebody would who starts one.

mod folder;
mod log;
mod online;
mod server;

use std::collections::BTreeSet;
use std::io::ErrorKind;
use std::net::{SocketAddr, TcpListener};

use bastide_admin::{Failure, Finding, Health, Request, SystemClock};
use bastide_gateway::Limits;
use bastide_store::Store;
use bastide_types::Clock as _;
use serde_json::{Value, json};

use crate::cli;
use crate::config::{self, Said};
use crate::{client, control, environment, serve, tls};

pub(crate) use folder::installation;
pub(crate) use server::{listeners, server, stored_guard, waiting};

pub(crate) fn run(args: &cli::Doctor, said: &Said) -> Result<(), Failure> {
    let findings = look(args, said);
    let failed = findings.iter().filter(|f| f.state == Health::Fail).count();
    let value = json!({ "findings": findings });
    client::print(args.output.json, &value, |_| findings.iter().map(line).collect())?;
    match failed {
        0 => Ok(()),
        1 => Err(Failure::does_not_hold("1 check fails").told()),
        n => Err(Failure::does_not_hold(format!("{n} checks fail")).told()),
    }
}

fn line(finding: &Finding) -> String {
    let remedy = finding.remedy.as_ref().map(|remedy| format!("; {remedy}")).unwrap_or_default();
    format!("{:<5} {:<12} {}{remedy}\n", finding.state.as_str(), finding.check, finding.message)
}

fn look(args: &cli::Doctor, said: &Said) -> Vec<Finding> {
    let dir = &args.serve.data.dir;
    let answer = control::ask_server(dir, &Request::Doctor);
    let mut findings = Vec::new();
    let mut limits = Limits::default();
    // A running server knows its own settings. Another one is looked at only where somebody says which.
    if answer.is_err() || said.of_serving() {
        let (found, its_limits) = settings(args, said, answer.is_ok());
        (findings, limits) = (found, its_limits);
    }
    let of_the_folder = if dir.is_dir() {
        installation(dir, SystemClock::new().now(), answer.is_ok())
    } else {
        let message = format!("there is no data folder `{}` yet", dir.display());
        let remedy = "the first `bastide serve` makes it; name another one with `--data DIR`";
        vec![Finding::warn("folder", message, remedy)]
    };
    let seen: BTreeSet<String> = of_the_folder.iter().map(|f| f.check.clone()).collect();
    findings.extend(of_the_folder);
    match &answer {
        Ok(answer) => {
            findings.push(version(answer));
            let own: Vec<Finding> = serde_json::from_value(answer["findings"].clone()).unwrap_or_default();
            findings.extend(own.into_iter().filter(|finding| !seen.contains(&finding.check)));
        }
        Err(_) if control::path(dir).exists() => findings.push(Finding::fail(
            "server",
            "a server left its control socket and does not answer, or belongs to another user",
            "run this as the server's user; after a crash, start the server again",
        )),
        Err(_) => {
            findings.push(Finding::ok("server", "none runs on this data folder"));
            findings.push(server::descriptors(&limits));
        }
    }
    if args.online {
        findings.extend(online::providers(args));
    }
    findings
}

/// Whether `serve` would start with these settings, as far as they alone say, and with which limits.
fn settings(args: &cli::Doctor, said: &Said, runs: bool) -> (Vec<Finding>, Limits) {
    let mut findings = Vec::new();
    let remedy = "mend it, and see with `bastide config check`";
    let loaded = config::load(&args.serve, said);
    let (listen, admin_listen, limits) = match &loaded {
        Ok(effective) => {
            (effective.settings.listen, effective.admin_listen, effective.settings.limits.clone())
        }
        Err(_) => (config::DEFAULT_LISTEN, None, Limits::default()),
    };
    let guard = match (&loaded, Store::open_to_read(&args.serve.data.dir)) {
        // A running server speaks of its own.
        (Ok(effective), Ok(Some(store))) if !runs => stored_guard(effective, &store),
        // What is wrong with the records is a check of its own.
        _ => None,
    };
    let checked = loaded.and_then(|effective| {
        effective.tls.as_ref().map(tls::read).transpose()?;
        serve::fixed_provider(&args.serve)?;
        environment::log_filter()
    });
    findings.push(match (checked, &args.serve.config) {
        (Err(failure), _) => Finding::fail("settings", failure.message(), remedy),
        (Ok(_), Some(path)) => Finding::ok("settings", format!("`{}` holds", path.display())),
        (Ok(_), None) => Finding::ok("settings", "there is no settings file; flags and environment hold"),
    });
    findings.extend(guard);
    let uses: BTreeSet<String> = args.serve.upstream_key_env.iter().cloned().collect();
    for (name, closest) in environment::unknown(&uses) {
        let message = format!("the variable `{name}` is none of bastide's");
        let remedy = format!("is `{closest}` meant? one that holds a provider's credential may be called so");
        findings.push(Finding::warn("environment", message, remedy));
    }
    findings.push(port("--listen", listen, runs));
    findings.extend(admin_listen.map(|address| port("--admin-listen", address, runs)));
    (findings, limits)
}

fn version(answer: &Value) -> Finding {
    let (own, running) = (env!("CARGO_PKG_VERSION"), answer["version"].as_str().unwrap_or("another version"));
    match running == own {
        true => Finding::ok("server", format!("{running} runs on this data folder")),
        false => Finding::warn(
            "server",
            format!("{running} runs on this data folder, and this program is {own}"),
            "restart the server to have it run this version",
        ),
    }
}

fn port(flag: &str, listen: SocketAddr, runs: bool) -> Finding {
    match TcpListener::bind(listen) {
        Ok(_) => Finding::ok("port", format!("`{listen}` is free")),
        Err(e) if e.kind() == ErrorKind::AddrInUse && runs => {
            Finding::ok("port", format!("`{listen}` is in use, and a server of this data folder runs"))
        }
        Err(e) => Finding::fail(
            "port",
            format!("cannot listen on `{listen}`: {e}"),
            format!("stop what listens there, or choose another address with `{flag} ADDR`"),
        ),
    }
}
