//! What of newly read settings a running server takes, and what it leaves for its next start.

use std::collections::BTreeSet;

use bastide_admin::Explained;
use bastide_crypto::sha256;
use bastide_gateway::{Limits, Settings};
use bastide_types::Digest;
use serde::Serialize;
use serde_json::Value;

use super::Effective;

/// What a reload found.
#[derive(Debug, Default, PartialEq, Eq, Serialize)]
pub(crate) struct Reloaded {
    /// Settings that are other ones from now on.
    pub(crate) changed: Vec<&'static str>,
    /// Settings that stay as they are until the next start.
    pub(crate) needs_restart: Vec<&'static str>,
}

/// Compares what is in force with what was read.
pub(crate) fn changes(before: &Effective, read: &Effective) -> Reloaded {
    let mut reloaded = Reloaded::default();
    for name in names(&before.explained, &read.explained) {
        let (old, new) = (values(&before.explained, name), values(&read.explained, name));
        if old == new {
            continue;
        }
        if stays(before, read, name) { &mut reloaded.needs_restart } else { &mut reloaded.changed }
            .push(name);
    }
    reloaded
}

/// The settings in force after a reload: those that were read, but for what only a start takes.
pub(crate) fn in_force(before: &Effective, read: Effective) -> Effective {
    let mut explained = Vec::new();
    for name in names(&before.explained, &read.explained) {
        let from = if stays(before, &read, name) { &before.explained } else { &read.explained };
        explained.extend(from.iter().filter(|e| e.name == name).cloned());
    }
    let tls = if stays(before, &read, "tls.cert") { before.tls.clone() } else { read.tls };
    let old = &before.settings;
    let settings = Settings {
        listen: old.listen,
        telemetry: old.telemetry.clone(),
        limits: Limits {
            connections: old.limits.connections,
            connect_time: old.limits.connect_time,
            ..read.settings.limits
        },
        ..read.settings
    };
    Effective { settings, admin_listen: before.admin_listen, bodies: before.bodies, tls, explained }
}

/// Whether a setting can only change at a start.
fn stays(before: &Effective, read: &Effective, name: &str) -> bool {
    // Another certificate is taken; TLS is neither switched on nor off.
    let switches = name.starts_with("tls.") && before.tls.is_some() != read.tls.is_some();
    let marked = |list: &[Explained]| list.iter().any(|e| e.name == name && e.needs_restart);
    switches || marked(&before.explained) || marked(&read.explained)
}

fn names(before: &[Explained], read: &[Explained]) -> Vec<&'static str> {
    let mut seen = BTreeSet::new();
    before.iter().chain(read).map(|e| e.name).filter(|name| seen.insert(*name)).collect()
}

fn values<'e>(list: &'e [Explained], name: &str) -> Vec<&'e Value> {
    list.iter().filter(|e| e.name == name).map(|e| &e.value).collect()
}

impl Effective {
    /// A digest of the values in force; where they come from does not count.
    pub(crate) fn digest(&self) -> Digest {
        let values: Vec<(&str, &Value)> = self.explained.iter().map(|e| (e.name, &e.value)).collect();
        Digest(sha256(serde_json::json!(values).to_string().as_bytes()))
    }
}

#[cfg(test)]
mod tests {
    use super::super::load_text;
    use super::*;

    fn effective(text: &str) -> Effective {
        load_text(text).expect(text)
    }

    #[test]
    fn what_needs_a_restart_is_named_and_left_while_the_rest_is_taken() {
        let before = effective("[limits]\nconnections = 7");
        let read = effective(
            "listen = '127.0.0.1:9'\n[guard]\nmode = 'observe'\n[limits]\nconnections = 8\nbody_seconds = 2\n\
             [bodies]\nkeep = 'none'\n[tls]\ncert = 'a'\nkey = 'b'",
        );
        let reloaded = changes(&before, &read);
        assert_eq!(reloaded.changed, ["guard.mode", "limits.body_seconds"]);
        let restart = ["listen", "tls.cert", "tls.key", "limits.connections", "bodies.keep"];
        assert_eq!(reloaded.needs_restart, restart);
        let after = in_force(&before, read);
        assert_eq!(after.settings.listen, before.settings.listen);
        assert_eq!(after.settings.limits.connections, 7);
        assert_eq!(after.settings.limits.body_time.as_secs(), 2);
        assert_eq!(after.tls, None);
        assert_eq!(changes(&before, &after).needs_restart, Vec::<&str>::new());
        assert_eq!(changes(&before, &after).changed, reloaded.changed);
        assert_ne!(after.digest(), before.digest());
    }

    #[test]
    fn the_same_file_again_changes_nothing() {
        let text = "[tls]\ncert = 'a'\nkey = 'b'\n[[guard.rules]]\nfamily = 'secret'\nverdict = 'block'";
        assert_eq!(changes(&effective(text), &effective(text)), Reloaded::default());
        let other = effective(&text.replace("'a'", "'c'").replace("block", "redact"));
        assert_eq!(changes(&effective(text), &other).changed, ["tls.cert", "guard.rules"]);
    }
}
