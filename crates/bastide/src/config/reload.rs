//! What of newly read settings a running server takes, and what it leaves for its next start.

use std::collections::BTreeSet;

use bastide_admin::{Explained, Pending};
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
    /// What there is to know besides.
    pub(crate) warnings: Vec<String>,
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

/// The settings in force, each with the value that waits where `read` has another one. A setting that says the same as
/// before may stand elsewhere by now.
pub(crate) fn beside(before: &Effective, read: &Effective) -> Vec<Explained> {
    let all = names(&before.explained, &read.explained).into_iter();
    all.flat_map(|name| waiting(before, read, name, stays(before, read, name))).collect()
}

/// A setting in force, with what was read instead of it.
fn waiting(before: &Effective, read: &Effective, name: &str, restart: bool) -> Vec<Explained> {
    let of = |list: &[Explained]| list.iter().filter(|e| e.name == name).cloned().collect::<Vec<_>>();
    let (mut old, new) = (of(&before.explained), of(&read.explained));
    if values(&before.explained, name) == values(&read.explained, name) {
        return new;
    }
    let last = old.len().saturating_sub(1);
    for (at, setting) in old.iter_mut().enumerate() {
        // What was read has more of them: the last one shows the last.
        let other = if at == last { new.last() } else { new.get(at) };
        setting.pending =
            other.map(|other| Pending { value: other.value.clone(), origin: other.origin.clone(), restart });
    }
    old
}

/// The settings in force after a reload: those that were read, but for what only a start takes.
pub(crate) fn in_force(before: &Effective, read: Effective) -> Effective {
    let mut explained = Vec::new();
    for name in names(&before.explained, &read.explained) {
        match stays(before, &read, name) {
            true => explained.extend(waiting(before, &read, name, true)),
            false => explained.extend(read.explained.iter().filter(|e| e.name == name).cloned()),
        }
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
    use bastide_admin::Origin;

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
    fn what_waits_is_shown_beside_what_is_in_force_and_where_both_stand() {
        let before = effective("listen = '127.0.0.1:8899'\naudit = 'relaxed'\n[limits]\nidle_seconds = 3");
        let read = effective("\nlisten = '127.0.0.1:8890'\n\naudit = 'relaxed'\n[limits]\nidle_seconds = 4");
        let row = |list: &[Explained], name: &str| list.iter().find(|e| e.name == name).expect(name).clone();
        let line = |origin: &Origin| match origin {
            Origin::File { line, .. } => *line,
            other => panic!("{other}"),
        };
        for shown in [beside(&before, &read), in_force(&before, read.clone()).explained] {
            let listen = row(&shown, "listen");
            assert_eq!((listen.value.as_str(), line(&listen.origin)), (Some("127.0.0.1:8899"), 1));
            let pending = listen.pending.expect("it waits");
            assert_eq!((pending.value.as_str(), line(&pending.origin)), (Some("127.0.0.1:8890"), 2));
            assert_eq!(pending.needs(), "needs restart");
            let audit = row(&shown, "audit");
            assert_eq!((line(&audit.origin), audit.pending), (4, None), "it moved and says the same");
        }
        let idle = row(&beside(&before, &read), "limits.idle_seconds");
        assert_eq!(idle.pending.map(|p| p.needs()), Some("needs reload"));
        assert_eq!(row(&in_force(&before, read).explained, "limits.idle_seconds").pending, None);
        // The setting is gone from the file: what waits is the default.
        let gone = row(&beside(&before, &effective("")), "listen").pending.expect("it waits");
        assert_eq!((gone.origin, gone.value.as_str()), (Origin::Default, Some("127.0.0.1:8800")));
    }

    #[test]
    fn the_same_file_again_changes_nothing() {
        let text = "[tls]\ncert = 'a'\nkey = 'b'\n[[guard.rules]]\nfamily = 'secret'\nverdict = 'block'";
        assert_eq!(changes(&effective(text), &effective(text)), Reloaded::default());
        let other = effective(&text.replace("'a'", "'c'").replace("block", "redact"));
        assert_eq!(changes(&effective(text), &other).changed, ["tls.cert", "guard.rules"]);
    }
}
