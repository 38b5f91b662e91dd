//! How a model differs from what was signed.

use std::collections::BTreeSet;

use bastide_signing::{Manifest, Mismatch, Place};

/// How the files differ from those that were signed, each once.
#[derive(Default)]
pub(super) struct Changes {
    pub(super) changed: BTreeSet<String>,
    pub(super) missing: BTreeSet<String>,
    pub(super) added: BTreeSet<String>,
}

impl Changes {
    pub(super) fn of(mismatch: &Mismatch, signed: &Manifest) -> Self {
        let names = |places: &[Place]| -> BTreeSet<String> { places.iter().map(file).collect() };
        let known: BTreeSet<String> = signed.resources().iter().map(|it| file(&it.place)).collect();
        let missing: BTreeSet<&Place> = mismatch.missing.iter().collect();
        // A file of which a shard is left, or has come, is there.
        let mut there: BTreeSet<String> = signed
            .resources()
            .iter()
            .filter(|it| !missing.contains(&it.place))
            .map(|it| file(&it.place))
            .collect();
        there.extend(names(&mismatch.extra));
        let (added, grown): (BTreeSet<_>, BTreeSet<_>) =
            names(&mismatch.extra).into_iter().partition(|name| !known.contains(name));
        let (shorter, missing): (BTreeSet<_>, BTreeSet<_>) =
            names(&mismatch.missing).into_iter().partition(|name| there.contains(name));
        let changed = names(&mismatch.changed).into_iter().chain(grown).chain(shorter).collect();
        Changes { changed, missing, added }
    }

    pub(super) fn all(&self) -> [(&'static str, &BTreeSet<String>); 3] {
        [("changed", &self.changed), ("missing", &self.missing), ("added", &self.added)]
    }

    /// These and those: what one signature or the other does not find as it was.
    pub(super) fn and(&mut self, more: Changes) {
        self.changed.extend(more.changed);
        self.missing.extend(more.missing);
        self.added.extend(more.added);
    }

    pub(super) fn is_empty(&self) -> bool {
        self.all().iter().all(|(_, names)| names.is_empty())
    }

    pub(super) fn summary(&self) -> String {
        let counts = self.all().into_iter().filter(|(_, names)| !names.is_empty());
        let counts: Vec<String> = counts.map(|(what, names)| format!("{} {what}", names.len())).collect();
        format!("the model is not what was signed: {}", counts.join(", "))
    }
}

fn file(place: &Place) -> String {
    place.path.as_ref().map_or_else(|| ".".to_owned(), ToString::to_string)
}
