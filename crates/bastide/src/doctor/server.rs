//! What a running server knows of itself.

use std::net::TcpStream;
use std::path::Path;
use std::time::Duration;

use bastide_admin::{Admin, Failure, Finding, chain};
use bastide_gateway::{Gateway, Limits};
use bastide_store::Store;
use rustix::process::Resource;

use crate::config::{self, Effective};
use crate::tls;

/// For a connection to a listener of one's own.
const PATIENCE: Duration = Duration::from_secs(2);

/// Descriptors besides those of connections: log, records, sockets, files that are read.
const OWN_DESCRIPTORS: u64 = 128;

/// The checks that only the server itself can make.
pub(crate) fn server(admin: &Admin, gateway: &Gateway) -> Vec<Finding> {
    let mut findings = vec![writer(admin), descriptors(&gateway.settings().limits)];
    let unusable: Vec<String> = gateway
        .catalogue()
        .providers()
        .iter()
        .filter_map(|p| Some(format!("`{}`: {}", p.name(), p.unusable_because()?)))
        .collect();
    findings.push(match unusable.is_empty() {
        true => Finding::ok("providers", format!("{} can be used", gateway.catalogue().providers().len())),
        false => Finding::fail(
            "providers",
            unusable.join("; "),
            "mend the credential and restart, or `bastide provider remove` and `add`",
        ),
    });
    findings
}

/// Whether the server runs with what is written by now, and whether the next start would find it good.
pub(crate) fn waiting(
    in_force: &Effective,
    read: Result<Effective, Failure>,
    file: Option<&Path>,
) -> Vec<Finding> {
    let of = file.map_or("what flags and environment say".to_owned(), |path| format!("`{}`", path.display()));
    let read = read.and_then(|read| {
        read.tls.as_ref().map(tls::read).transpose()?;
        Ok(read)
    });
    let read = match read {
        Ok(read) => read,
        Err(failure) => {
            let message = format!("{of} would keep the server from starting again: {}", failure.message());
            return vec![Finding::fail("settings", message, "mend it, and see with `bastide config check`")];
        }
    };
    let all = config::beside(in_force, &read);
    let waiting = all.iter().filter_map(|e| {
        let message = format!("`{}` from {}{}", e.name, e.origin, config::waits(e.pending.as_ref()?));
        let remedy = match e.pending.as_ref()?.restart {
            true => "restart the server to have it in force",
            false => "`bastide config reload` puts it in force",
        };
        Some(Finding::warn("settings", message, remedy))
    });
    let waiting: Vec<Finding> = waiting.collect();
    match waiting.is_empty() {
        true => vec![Finding::ok("settings", format!("{of} is what the running server has in force"))],
        false => waiting,
    }
}

/// A guard that was set in the console and does not hold.
pub(crate) fn stored_guard(effective: &Effective, store: &Store) -> Option<Finding> {
    match config::displaced(effective, store) {
        Ok(displaced) => displaced.map(|displaced| {
            let remedy = "take the guard out of there to have the stored one hold, or leave it";
            Finding::warn("guard", displaced.to_string(), remedy)
        }),
        Err(failure) => Some(Finding::fail("guard", failure.message(), "see the check of the records")),
    }
}

/// Whether the server's own addresses take connections.
pub(crate) fn listeners(in_force: &Effective) -> Vec<Finding> {
    let addresses = [Some(in_force.settings.listen), in_force.admin_listen];
    // The system chose where port 0 was asked for.
    let known = addresses.into_iter().flatten().filter(|address| address.port() != 0);
    known
        .map(|address| match TcpStream::connect_timeout(&address, PATIENCE) {
            Ok(_) => Finding::ok("port", format!("the running server answers at `{address}`")),
            Err(e) => Finding::fail(
                "port",
                format!("the running server does not answer at `{address}`: {e}"),
                "look at the server's own log; a restart opens it anew",
            ),
        })
        .collect()
}

/// Whether the log takes entries, and brings them under a checkpoint.
fn writer(admin: &Admin) -> Finding {
    if let Err(error) = admin.node.log.healthy() {
        let remedy = "nothing is served until the disk is mended and the server restarted";
        return Finding::fail("log writer", chain(&error), remedy);
    }
    let stats = admin.node.log.stats();
    if stats.reserve_failed {
        let remedy = "free some space on the disk of the data folder";
        return Finding::warn("log writer", "the next segment could not be made ahead", remedy);
    }
    let waiting = stats.entries.saturating_sub(stats.published);
    let message = format!("takes entries; {waiting} of {} wait for a checkpoint", stats.entries);
    Finding::ok("log writer", message)
}

/// Every client connection may need one to a provider besides.
pub(crate) fn descriptors(limits: &Limits) -> Finding {
    let connections = u64::try_from(limits.connections).unwrap_or(u64::MAX);
    let needed = connections.saturating_mul(2).saturating_add(OWN_DESCRIPTORS);
    match rustix::process::getrlimit(Resource::Nofile).current {
        Some(most) if most < needed => Finding::warn(
            "descriptors",
            format!(
                "this process may open {most} files, and `limits.connections` = {connections} wants {needed}"
            ),
            "raise the limit (`ulimit -n`, `LimitNOFILE=`), or lower `limits.connections`",
        ),
        _ => Finding::ok("descriptors", format!("{connections} connections fit")),
    }
}
