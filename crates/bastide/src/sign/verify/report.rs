//! What was found out of a model, for people and for programs.

use std::fmt::Write as _;
use std::path::PathBuf;

use bastide_registry::render;
use bastide_signing::{Format, Manifest, ResourcePath, SignedBy, VerifiedModel};
use bastide_types::Timestamp;
use serde_json::{Value, json};

use super::attested::Attested;
use super::changes::Changes;
use super::uncovered::Uncovered;
use crate::show::one_line;
use crate::sign::keys::civil;
use crate::sign::signer::{algorithm, signed_by, signed_by_lines};
use crate::sign::{base, extent, hash, method};

/// What was found out, whether it holds or not.
#[derive(Default)]
pub(super) struct Report {
    /// The signatures that hold.
    pub(super) held: Vec<Held>,
    /// A base model was named, and it is this one's.
    pub(super) base_checked: bool,
    pub(super) attested: Option<Attested>,
    pub(super) changes: Changes,
    /// What is there and was not compared.
    pub(super) uncovered: Uncovered,
    /// Nothing of that may be there.
    pub(super) strict: bool,
    /// How many files and bytes were compared.
    pub(super) size: (usize, u64),
    /// Why it does not hold.
    pub(super) reasons: Vec<String>,
}

/// A signature that holds.
pub(super) struct Held {
    pub(super) path: PathBuf,
    pub(super) model: VerifiedModel,
}

impl Held {
    /// Whether a list was asked that speaks for the signer's certificate.
    fn revocation_checked(&self) -> bool {
        matches!(self.model.signed_by(), SignedBy::Certificate(signer) if signer.not_revoked_until.is_some())
    }

    fn json(&self) -> Value {
        let manifest = self.model.manifest();
        json!({
            "signature": self.path.display().to_string(),
            "format": format(self.model.format()),
            "resources": manifest.resources().len(),
            "method": method(manifest),
            "hash": hash(manifest),
            "root": render::hex(&manifest.root()),
            "statement": render::hex(&self.model.statement()),
            "signed_by": signed_by(self.model.signed_by()),
            "algorithm": algorithm(self.model.curve()),
            "ignored": ignored(manifest),
        })
    }
}

fn ignored(manifest: &Manifest) -> Vec<&str> {
    manifest.serialization().ignored.iter().map(ResourcePath::as_str).collect()
}

impl Report {
    /// Everything, with the first signature's facts beside the list of all.
    pub(super) fn json(&self, at: Timestamp) -> Value {
        let first = self.held.first().map(|held| &held.model);
        let manifest = first.map(VerifiedModel::manifest);
        let (files, bytes) = self.size;
        json!({
            "verified": self.reasons.is_empty(),
            "reasons": self.reasons,
            "at": civil(at),
            "strict": self.strict,
            "changed": self.changes.changed,
            "missing": self.changes.missing,
            "added": self.changes.added,
            "unchecked": self.uncovered.json(),
            "links": self.uncovered.links(),
            "format": first.map(|model| format(model.format())),
            "model": manifest.map(Manifest::name),
            "files": files,
            "bytes": bytes,
            "resources": manifest.map(|manifest| manifest.resources().len()),
            "method": manifest.map(method),
            "hash": manifest.map(hash),
            "ignored": manifest.map(ignored),
            "root": manifest.map(|manifest| render::hex(&manifest.root())),
            "statement": first.map(|model| render::hex(&model.statement())),
            "signed_by": first.map(|model| signed_by(model.signed_by())),
            "algorithm": first.map(|model| algorithm(model.curve())),
            "signatures": self.held.iter().map(Held::json).collect::<Vec<_>>(),
            "revocation_checked": !self.held.is_empty() && self.held.iter().all(Held::revocation_checked),
            "base_model": manifest.map(base),
            "base_model_checked": self.base_checked,
            "attestation": self.attested.as_ref().map(Attested::json),
        })
    }

    /// What differs first; then what holds and by whom; what was not checked last.
    pub(super) fn human(&self) -> String {
        let mut out = String::new();
        for (what, names) in self.changes.all() {
            for name in names {
                let _ = writeln!(out, "{what:<12} {}", one_line(name));
            }
        }
        let Some(Held { model, .. }) = self.held.first() else { return out };
        let manifest = model.manifest();
        if self.reasons.is_empty() {
            let _ = writeln!(out, "verified     {}", extent(manifest, self.size));
        }
        for Held { path, model } in &self.held {
            if self.held.len() > 1 {
                let _ = writeln!(out, "signature    {}", one_line(&path.display().to_string()));
            }
            out.push_str(&signed_by_lines(model.signed_by()));
            let _ = writeln!(out, "root digest  {}", render::hex(&model.manifest().root()));
        }
        if let Some(base) = manifest.base_model() {
            let _ = writeln!(out, "base model   {}  {}", one_line(&base.name), render::hex(&base.root));
        }
        if let Some(attested) = &self.attested {
            out.push_str(&attested.human());
        }
        self.not_checked(&mut out);
        out.push_str(&self.uncovered.human(self.strict));
        out
    }

    /// What could have been asked for and was not.
    fn not_checked(&self, out: &mut String) {
        let mut line = |what: &str| {
            let _ = writeln!(out, "not checked  {what}");
        };
        let models = || self.held.iter().map(|held| &held.model);
        let base = models().any(|model| model.manifest().base_model().is_some());
        if base && !self.base_checked {
            line("whether the base model is the one you have: name it with `--base-model`");
        }
        if self.attested.as_ref().is_some_and(Attested::leaves_bom) {
            line("the bill of materials that the attestation is for: give it with `--cyclonedx`");
        }
        let of_certificate = |held: &&Held| matches!(held.model.signed_by(), SignedBy::Certificate(_));
        if self.held.iter().filter(of_certificate).any(|held| !held.revocation_checked()) {
            line("whether the certificate was revoked: give its authority's list with `--crl`");
        }
        if models().any(|model| model.format() == Format::V0_2) {
            line("what the signer left out, which the old format 0.2 does not say: have it signed again");
        }
    }
}

fn format(format: Format) -> &'static str {
    match format {
        Format::V1 => "1.0",
        Format::V0_2 => "0.2",
    }
}
