//! What a running server knows of itself.

use bastide_admin::{Admin, Finding, chain};
use bastide_gateway::{Gateway, Limits};
use rustix::process::Resource;

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

/// Whether the log takes entries, and brings them under a checkpoint.
fn writer(admin: &Admin) -> Finding {
    if let Err(error) = admin.node.log.healthy() {
        let remedy = "nothing is served until the disk is mended and the server restarted";
        return Finding::fail("log writer", chain(&error), remedy);
    }
    let stats = admin.node.log.stats();
    if !stats.reserve_ready {
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
