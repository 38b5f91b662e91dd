//! `bastide verify`: the signature, every file, the base model, and what was attested.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::io;
use std::path::Path;

use bastide_admin::{Failure, chain};
use bastide_crypto::Sha256;
use bastide_registry::{
    Unchecked, VerifyModelError, VerifyOptions, WalkError, find_copy, open_regular, read_signature_file,
    render, verify_signature,
};
use bastide_signing::{
    Format, Manifest, Mismatch, Place, ResourcePath, ScanRecord, SignedBy, Trust, VerifiedModel, verify_scan,
};
use bastide_types::Assessment;
use serde_json::{Value, json};

use super::keys::{self, Trusted, civil, signed_by, signed_by_lines};
use super::{base, cover, hash, method};
use crate::cli::{self, RequiredVerdict};
use crate::client::write;
use crate::progress::Bar;
use crate::show::one_line;

pub(crate) fn run(args: &cli::Verify) -> Result<(), Failure> {
    let mut report = Report::default();
    let checked = check(args, &mut report);
    match checked {
        Err(failure) if failure.code() == 1 => report.reasons.push(failure.message().to_owned()),
        other => other?,
    }
    write(&if args.output.json { format!("{}\n", report.json()) } else { report.human() })?;
    if report.reasons.is_empty() {
        return Ok(());
    }
    Err(Failure::does_not_hold(one_line(&report.reasons.join("; "))).told())
}

/// What was found out, whether it holds or not.
#[derive(Default)]
struct Report {
    /// The signature holds.
    model: Option<VerifiedModel>,
    /// A base model was named, and it is this one's.
    base_checked: bool,
    attested: Option<Attested>,
    changes: Changes,
    /// What is there and was not compared.
    unchecked: Unchecked,
    /// Why it does not hold.
    reasons: Vec<String>,
}

/// An attestation whose signature holds.
struct Attested {
    record: ScanRecord,
    signed_by: SignedBy,
    /// A bill of materials was given, and it is the one.
    bom_checked: bool,
}

/// Checks everything that was asked for. Only what makes the rest meaningless, or cannot be done, ends it early.
fn check(args: &cli::Verify, report: &mut Report) -> Result<(), Failure> {
    let trusted = Trusted::of(&args.signer)?;
    let trust = trusted.trust();
    let model = verify_signature(&args.signature, trust).map_err(refused)?;
    let model = report.model.insert(model);
    if let Some(base) = keys::base_model(&args.base, trust)? {
        match model.manifest().base_model() {
            Some(signed) if signed.root == base.root => report.base_checked = true,
            Some(_) => report.reasons.push("it was signed for another base model".to_owned()),
            None => report.reasons.push("its signature names no base model".to_owned()),
        }
    }
    if let Some(path) = &args.attestation {
        let (attested, reasons) = attestation(args, path, trust, model)?;
        report.attested = attested;
        report.reasons.extend(reasons);
    }
    let beside = [&args.attestation, &args.cyclonedx].into_iter().flatten();
    let options = VerifyOptions {
        cover: cover(&args.cover, beside.map(AsRef::as_ref)),
        allow_unsigned: args.ignore_unsigned_files,
    };
    let copy = find_copy(model, &args.cover.model, &args.signature, &options).map_err(refused)?;
    report.unchecked = copy.unchecked().clone();
    let bar = Bar::new();
    let compared = copy.compare(model, &bar);
    bar.done();
    match compared {
        Err(VerifyModelError::Mismatch(mismatch)) => {
            report.changes = Changes::of(&mismatch, model.manifest());
            report.reasons.push(report.changes.summary());
            Ok(())
        }
        other => other.map_err(refused),
    }
}

/// Reads the attestation; what is wrong with it beside.
fn attestation(
    args: &cli::Verify,
    path: &Path,
    trust: Trust<'_>,
    model: &VerifiedModel,
) -> Result<(Option<Attested>, Vec<String>), Failure> {
    let cannot_read =
        |path: &Path, e: io::Error| Failure::could_not(format!("cannot read `{}`: {e}", path.display()));
    let bundle = read_signature_file(path).map_err(|e| cannot_read(path, e))?;
    let scan = match verify_scan(&bundle, trust, model) {
        Ok(scan) => scan,
        Err(error) => {
            return Ok((None, vec![format!("the attestation `{}`: {}", path.display(), chain(&error))]));
        }
    };
    let record = scan.record().clone();
    let mut reasons = Vec::new();
    match args.require_verdict {
        RequiredVerdict::Clean if record.verdict == Assessment::Clean && record.found > Assessment::Clean => {
            reasons.push(format!(
                "the attested verdict is `clean` only because the signer accepted what was `{}`: {}",
                record.found,
                record.accepted.join(", ")
            ));
        }
        RequiredVerdict::Clean if record.verdict > Assessment::Clean => {
            reasons.push(format!("the attested verdict is `{}`", record.verdict));
        }
        RequiredVerdict::Review if record.verdict > Assessment::Review => {
            reasons.push(format!("the attested verdict is `{}`", record.verdict));
        }
        RequiredVerdict::Clean | RequiredVerdict::Review => {}
    }
    let mut bom_checked = false;
    if let Some(path) = &args.cyclonedx {
        match record.bom {
            None => reasons.push("the attestation is for no bill of materials".to_owned()),
            Some(attested) => {
                bom_checked = digest_of(path).map_err(|e| cannot_read(path, e))? == attested;
                if !bom_checked {
                    reasons.push(format!(
                        "`{}` is another bill of materials than the attested one",
                        path.display()
                    ));
                }
            }
        }
    }
    Ok((Some(Attested { record, signed_by: scan.signed_by().clone(), bom_checked }), reasons))
}

fn digest_of(path: &Path) -> io::Result<[u8; 32]> {
    struct Hashing(Sha256);
    impl io::Write for Hashing {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.update(bytes);
            Ok(bytes.len())
        }
        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }
    let mut hashing = Hashing(Sha256::new());
    io::copy(&mut open_regular(path)?, &mut hashing)?;
    Ok(hashing.0.finish())
}

/// What could not be read is no answer; anything else is one.
fn refused(error: VerifyModelError) -> Failure {
    let text = chain(&error);
    match error {
        VerifyModelError::Read { .. }
        | VerifyModelError::Resolve { .. }
        | VerifyModelError::Digest(_)
        | VerifyModelError::Walk(WalkError::Io { .. }) => Failure::could_not(text),
        _ => Failure::does_not_hold(text),
    }
}

/// How the files differ from those that were signed, each once.
#[derive(Default)]
struct Changes {
    changed: BTreeSet<String>,
    missing: BTreeSet<String>,
    added: BTreeSet<String>,
}

impl Changes {
    fn of(mismatch: &Mismatch, signed: &Manifest) -> Self {
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

    fn all(&self) -> [(&'static str, &BTreeSet<String>); 3] {
        [("changed", &self.changed), ("missing", &self.missing), ("added", &self.added)]
    }

    fn summary(&self) -> String {
        let counts = self.all().into_iter().filter(|(_, names)| !names.is_empty());
        let counts: Vec<String> = counts.map(|(what, names)| format!("{} {what}", names.len())).collect();
        format!("the model is not what was signed: {}", counts.join(", "))
    }
}

fn file(place: &Place) -> String {
    place.path.as_ref().map_or_else(|| ".".to_owned(), ToString::to_string)
}

impl Report {
    fn json(&self) -> Value {
        let manifest = self.model.as_ref().map(VerifiedModel::manifest);
        json!({
            "verified": self.reasons.is_empty(),
            "reasons": self.reasons,
            "changed": self.changes.changed,
            "missing": self.changes.missing,
            "added": self.changes.added,
            "unchecked": {
                "left_out": texts(&self.unchecked.left_out),
                "unsigned": texts(&self.unchecked.unsigned),
                "empty": texts(&self.unchecked.empty),
            },
            "links": texts(&self.unchecked.links),
            "format": self.model.as_ref().map(|model| format(model.format())),
            "model": manifest.map(Manifest::name),
            "resources": manifest.map(|manifest| manifest.resources().len()),
            "method": manifest.map(method),
            "hash": manifest.map(hash),
            "root": manifest.map(|manifest| render::hex(&manifest.root())),
            "statement": self.model.as_ref().map(|model| render::hex(&model.statement())),
            "signed_by": self.model.as_ref().map(|model| signed_by(model.signed_by())),
            "base_model": manifest.map(base),
            "base_model_checked": self.base_checked,
            "attestation": self.attested.as_ref().map(Attested::json),
        })
    }

    fn human(&self) -> String {
        let mut out = String::new();
        for (what, names) in self.changes.all() {
            for name in names {
                let _ = writeln!(out, "{what:<12} {}", one_line(name));
            }
        }
        let Some(model) = &self.model else { return out };
        let manifest = model.manifest();
        if self.reasons.is_empty() {
            let _ = writeln!(out, "verified     {}", one_line(manifest.name()));
        }
        out.push_str(&signed_by_lines(model.signed_by()));
        let _ = writeln!(out, "root digest  {}", render::hex(&manifest.root()));
        if let Some(base) = manifest.base_model() {
            let checked = if self.base_checked { "" } else { "  (not checked: `--base-model`)" };
            let _ =
                writeln!(out, "base model   {}  {}{checked}", one_line(&base.name), render::hex(&base.root));
        }
        if let Some(attested) = &self.attested {
            out.push_str(&attested.human());
        }
        if model.format() == Format::V0_2 {
            out.push_str(
                "old format   0.2, which does not say what the signer left out: have it signed again\n",
            );
        }
        let Unchecked { left_out, unsigned, empty, links } = &self.unchecked;
        for (what, paths, why) in [
            ("not checked", left_out, "left out"),
            ("not checked", unsigned, "not signed"),
            ("not checked", empty, "without content, which shards do not cover"),
            ("link", links, "what it leads to may change"),
        ] {
            for path in paths {
                let _ = writeln!(out, "{what:<12} {} ({why})", one_line(path.as_str()));
            }
        }
        out
    }
}

fn texts(paths: &[ResourcePath]) -> Vec<&str> {
    paths.iter().map(ResourcePath::as_str).collect()
}

fn format(format: Format) -> &'static str {
    match format {
        Format::V1 => "1.0",
        Format::V0_2 => "0.2",
    }
}

impl Attested {
    fn json(&self) -> Value {
        let ScanRecord { verdict, scanner, scanner_version, rules, failed, warned, bom, .. } = &self.record;
        json!({
            "verdict": verdict.as_str(),
            "found": self.record.found.as_str(),
            "accepted": self.record.accepted,
            "at": civil(self.record.at),
            "scanner": {"name": scanner, "version": scanner_version},
            "rules": render::hex(rules),
            "failed": failed,
            "warned": warned,
            "cyclonedx": bom.map(|digest| json!({"sha256": render::hex(&digest), "checked": self.bom_checked})),
            "signed_by": signed_by(&self.signed_by),
        })
    }

    fn human(&self) -> String {
        let ScanRecord { verdict, scanner, scanner_version, rules, failed, warned, bom, .. } = &self.record;
        let mut out = format!(
            "verdict      {verdict}, on {} by {} {}\nrules        {}\n",
            civil(self.record.at),
            one_line(scanner),
            one_line(scanner_version),
            render::hex(rules)
        );
        for (what, rules) in [("failed", failed), ("to review", warned)] {
            if !rules.is_empty() {
                let _ = writeln!(out, "{what:<12} {}", one_line(&rules.join(", ")));
            }
        }
        if !self.record.accepted.is_empty() {
            let ScanRecord { found, accepted, .. } = &self.record;
            let _ = writeln!(
                out,
                "accepted     {} by the signer; without that, {found}",
                one_line(&accepted.join(", "))
            );
        }
        if bom.is_some() {
            let checked = if self.bom_checked { "as attested" } else { "not checked: `--cyclonedx`" };
            let _ = writeln!(out, "materials    {checked}");
        }
        out
    }
}
