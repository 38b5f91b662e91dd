//! `bastide sign` and `bastide verify`: OpenSSF Model Signing, with a scan in the same read.

mod keys;
mod verify;

use std::fmt::Write as _;
use std::path::Path;

use bastide_admin::{Failure, could_not};
use bastide_crypto::{ContentHash, sha256};
use bastide_registry::{
    CoverOptions, FoundModel, Options, Scan, ScannedModel, SignOptions, find_model, render, scan_record,
    write_signature_file,
};
use bastide_signing::{Identity, Manifest, Method, Signed, Signer, Trust, sign, sign_scan};
use bastide_types::Assessment;
use serde_json::{Value, json};

use crate::cli::{self, Hash};
use crate::client::{note, write};
use crate::progress::Bar;
use crate::scan;
use crate::show::one_line;

pub(crate) use verify::run as verify;

pub(crate) fn run(args: &cli::Sign) -> Result<(), Failure> {
    if [&args.attestation, &args.cyclonedx].into_iter().flatten().any(|path| scan::is_stdout(path)) {
        return Err(Failure::usage("give `--attestation` and `--cyclonedx` a file"));
    }
    let given = [&args.key, &args.certificate, &args.suppressions, &args.base.base_public_key];
    let given = given.into_iter().flatten().chain(&args.certificate_chain).chain(&args.base.base_root);
    let base = args.base.base_model.as_deref().map(Path::new);
    scan::apart(
        &[
            ("--signature", Some(&args.signature)),
            ("--attestation", args.attestation.as_deref()),
            ("--cyclonedx", args.cyclonedx.as_deref()),
        ],
        &given.chain([&args.cover.model]).map(AsRef::as_ref).chain(base).collect::<Vec<_>>(),
    )?;
    let signer = keys::signer(args)?;
    let identity = keys::identity(args, signer.verifying_key())?;
    let base_model = keys::base_model(&args.base, Trust::Key(signer.verifying_key()))?;
    let beside = [&args.attestation, &args.cyclonedx].into_iter().flatten();
    let options = SignOptions {
        cover: cover(&args.cover, beside.map(AsRef::as_ref)),
        method: args.shard_size.map_or(Method::Files, |bytes| Method::Shards { bytes }),
        hash: match args.hash {
            Hash::Sha256 => ContentHash::Sha256,
            Hash::Blake2b => ContentHash::Blake2b512,
            Hash::Blake3 => ContentHash::Blake3,
        },
        base_model,
    };
    let found = find_model(&args.cover.model, &args.signature, &options).map_err(could_not)?;
    let (files, bytes) = found.size();
    let bar = Bar::new();
    let (manifest, scan) = if args.no_scan {
        (found.digest(&bar).map_err(could_not)?, None)
    } else {
        let scanned = looked_into(found, args, &bar)?;
        let (manifest, scan) = scanned.manifest(&bar).map_err(could_not)?;
        (manifest, Some(scan))
    };
    let took = bar.done();
    let made = Made::of(args, &manifest, scan.as_ref(), signer.as_ref(), &identity)?;
    made.keep(args)?;
    if args.output.json {
        return write(&format!("{}\n", described(args, &manifest, scan.as_ref(), &made, files)));
    }
    if let Some(scan) = &scan {
        scan::print(scan, took)?;
    }
    write(&human(args, &manifest, (files, bytes)))?;
    if let Some(review @ 1..) = scan.as_ref().map(|scan| scan.count(Assessment::Review)) {
        note(&format!("signed although {review} of {files} files are to be reviewed; `--strict` would not"));
    }
    Ok(())
}

/// Which files count, without those that are written beside the model's own.
fn cover<'a>(args: &cli::Cover, beside: impl Iterator<Item = &'a Path>) -> CoverOptions {
    CoverOptions {
        allow_symlinks: args.allow_symlinks,
        ignore: args.ignore.iter().cloned().chain(beside.map(Path::to_owned)).collect(),
        include_git: args.include_git,
    }
}

/// Scans the model; what the scan forbids to sign ends here.
fn looked_into(found: FoundModel, args: &cli::Sign, bar: &Bar) -> Result<ScannedModel, Failure> {
    let suppressions = scan::accepted(args.suppressions.as_deref(), None)?;
    let usual = Options::default();
    let options = Options {
        digest: args.cyclonedx.is_some() || suppressions.need_digests(),
        threads: args.threads.unwrap_or(usual.threads),
        ..usual
    };
    let mut scanned = found.scan(&options, bar);
    scanned.scan.suppress(&suppressions);
    let Err(failure) = scan::conclude(&scanned.scan, args.strict) else { return Ok(scanned) };
    let took = bar.done();
    if args.output.json {
        let refused =
            json!({"signed": false, "reason": failure.message(), "scan": render::json(&scanned.scan)});
        write(&format!("{refused}\n"))?;
    } else {
        scan::print(&scanned.scan, took)?;
    }
    Err(failure.and("not signed"))
}

/// Everything that is to be written, made before anything is.
struct Made {
    signed: Signed,
    attestation: Option<Vec<u8>>,
    bom: Option<String>,
}

impl Made {
    fn of(
        args: &cli::Sign,
        manifest: &Manifest,
        scan: Option<&Scan>,
        signer: &dyn Signer,
        identity: &Identity,
    ) -> Result<Self, Failure> {
        let signed = sign(manifest, signer, identity.clone()).map_err(could_not)?;
        let bom = scan.filter(|_| args.cyclonedx.is_some()).map(|scan| {
            let time = jiff::Timestamp::now().to_string();
            format!("{:#}\n", render::cyclonedx(scan, manifest.name(), &time, &scan::serial()))
        });
        let attestation = match scan.filter(|_| args.attestation.is_some()) {
            Some(scan) => {
                let bom = bom.as_ref().map(|bom| sha256(bom.as_bytes()));
                let record = scan_record(scan, manifest, &signed, bom, keys::now());
                Some(sign_scan(&record, signer, identity.clone()).map_err(could_not)?.bundle)
            }
            None => None,
        };
        Ok(Made { signed, attestation, bom })
    }

    /// The signature last: where it is, the rest is too.
    fn keep(&self, args: &cli::Sign) -> Result<(), Failure> {
        if let (Some(path), Some(bom)) = (&args.cyclonedx, &self.bom) {
            scan::hand_on(path, bom.as_bytes())?;
        }
        if let (Some(path), Some(bundle)) = (&args.attestation, &self.attestation) {
            keep(path, bundle)?;
        }
        keep(&args.signature, &self.signed.bundle)
    }
}

fn keep(path: &Path, bundle: &[u8]) -> Result<(), Failure> {
    write_signature_file(path, bundle)
        .map_err(|e| Failure::could_not(format!("cannot write `{}`: {e}", path.display())))
}

fn described(args: &cli::Sign, manifest: &Manifest, scan: Option<&Scan>, made: &Made, files: usize) -> Value {
    let shown = |path: &Option<std::path::PathBuf>| path.as_ref().map(|path| path.display().to_string());
    json!({
        "signed": true,
        "model": manifest.name(),
        "files": files,
        "resources": manifest.resources().len(),
        "method": method(manifest),
        "hash": hash(manifest),
        "root": render::hex(&manifest.root()),
        "statement": render::hex(&made.signed.statement),
        "base_model": base(manifest),
        "signature": args.signature.display().to_string(),
        "attestation": shown(&args.attestation),
        "cyclonedx": shown(&args.cyclonedx),
        "scan": scan.map(render::json),
    })
}

fn human(args: &cli::Sign, manifest: &Manifest, (files, bytes): (usize, u64)) -> String {
    let plural = if files == 1 { "" } else { "s" };
    let mut out = format!(
        "signed       {}: {files} file{plural}, {} by {}\n",
        one_line(manifest.name()),
        indicatif::BinaryBytes(bytes),
        hash(manifest)
    );
    let mut line = |what: &str, path: &Path| {
        let _ = writeln!(out, "{what:<12} {}", one_line(&path.display().to_string()));
    };
    line("signature", &args.signature);
    if let Some(path) = &args.attestation {
        line("attestation", path);
    }
    if let Some(path) = &args.cyclonedx {
        line("materials", path);
    }
    let _ = writeln!(out, "root digest  {}", render::hex(&manifest.root()));
    out
}

fn base(manifest: &Manifest) -> Value {
    let base = manifest.base_model();
    base.map(|base| json!({"name": base.name, "root": render::hex(&base.root)})).into()
}

fn method(manifest: &Manifest) -> &'static str {
    match manifest.serialization().method {
        Method::Files => "files",
        Method::Shards { .. } => "shards",
    }
}

fn hash(manifest: &Manifest) -> &'static str {
    match manifest.serialization().hash {
        ContentHash::Sha256 => "sha256",
        ContentHash::Blake2b512 => "blake2b",
        ContentHash::Blake3 => "blake3",
    }
}
