//! `bastide sign` and `bastide verify`: OpenSSF Model Signing, with a scan in the same read.

mod files;
mod keys;
mod secrets;
mod signer;
mod verify;

use std::fmt::Write as _;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use bastide_admin::{Failure, could_not};
use bastide_crypto::{ContentHash, Curve, sha256};
use bastide_registry::{
    CoverOptions, FoundModel, Options, Scan, ScannedModel, SignOptions, find_model, render, scan_record,
    write_whole,
};
use bastide_signing::{
    Identity, Manifest, Method, ResourcePath, Signed, SignedBy, Signer, Trust, sign, sign_scan,
};
use bastide_types::{Assessment, Timestamp};
use serde_json::{Value, json};

use self::signer::{algorithm, signed_by, signed_by_lines};
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
    if scan::is_stdout(&args.signature) {
        return Err(Failure::usage("`--signature -`: a signature has to be a file"));
    }
    lists_have_roots(&args.crl, &args.root, &args.base)?;
    let mut given: Vec<&Path> = inputs(args).into_iter().map(|(_, path)| path).collect();
    given.push(&args.cover.model);
    scan::apart(
        &[
            ("--signature", Some(&args.signature)),
            ("--attestation", args.attestation.as_deref()),
            ("--cyclonedx", args.cyclonedx.as_deref()),
        ],
        &given,
    )?;
    files::at_hand(
        &inputs(args),
        &args.cover.model,
        &files::each("--signature", [&args.signature])
            .chain(files::each("--attestation", &args.attestation))
            .chain(files::each("--cyclonedx", &args.cyclonedx))
            .collect::<Vec<_>>(),
    )?;
    for path in args.cover.ignore.iter().filter(|path| is_nowhere(path)) {
        note(&format!(
            "warning: `--ignore {}` leaves nothing out: there is no such path (paths count from the working folder)",
            one_line(&path.display().to_string())
        ));
    }
    let signer = keys::signer(args)?;
    let (identity, signed_by) = keys::identity(args, signer.verifying_key())?;
    let base_model = keys::base_model(&args.base, &args.crl, Trust::Key(signer.verifying_key()))?;
    let beside = [&args.attestation, &args.cyclonedx].into_iter().flatten();
    let options = SignOptions {
        cover: cover(&args.cover, beside),
        method: args.shard_size.map_or(Method::Files, |bytes| Method::Shards { bytes }),
        hash: match args.hash {
            Hash::Sha256 => ContentHash::Sha256,
            Hash::Blake2b => ContentHash::Blake2b512,
            Hash::Blake3 => ContentHash::Blake3,
        },
        base_model,
    };
    let found = find_model(&args.cover.model, &args.signature, &options).map_err(could_not)?;
    let size = found.size();
    let left_out = found.left_out().to_vec();
    let bar = Bar::new();
    let (manifest, scan) = if args.no_scan {
        (found.digest(&bar).map_err(could_not)?, None)
    } else {
        let scanned = looked_into(found, args, &bar)?;
        let (manifest, scan) = scanned.manifest(&bar).map_err(could_not)?;
        (manifest, Some(scan))
    };
    let took = bar.done();
    let at = keys::now();
    let made = Made::of(args, &manifest, scan.as_ref(), signer.as_ref(), &identity, at)?;
    made.keep(args)?;
    let done = Done { manifest, scan, size, left_out, signed_by, curve: signer.verifying_key().curve(), at };
    if args.output.json {
        return write(&format!("{}\n", done.json(args, &made)));
    }
    if let Some(scan) = &done.scan {
        scan::print(scan, took)?;
    }
    write(&done.human(args))?;
    if let Some(review @ 1..) = done.scan.as_ref().map(|scan| scan.count(Assessment::Review)) {
        let files = size.0;
        note(&format!("signed although {review} of {files} files are to be reviewed; `--strict` would not"));
    }
    Ok(())
}

/// Whether nothing has this name, not even a link that leads nowhere.
fn is_nowhere(path: &Path) -> bool {
    let absent =
        |error: std::io::Error| matches!(error.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory);
    path.symlink_metadata().is_err_and(absent)
}

/// Lists of revoked certificates are asked only where certificates are: nobody is to think that they were.
fn lists_have_roots(lists: &[PathBuf], roots: &[PathBuf], base: &cli::Base) -> Result<(), Failure> {
    if lists.is_empty() || !roots.is_empty() || !base.base_root.is_empty() {
        return Ok(());
    }
    Err(Failure::usage(
        "`--crl` is for certificates that lead to `--root` or `--base-root`: give one of them",
    ))
}

/// Every file that is read, with its flag.
fn inputs(args: &cli::Sign) -> Vec<(&'static str, &Path)> {
    let base = args.base.base_model.as_deref().filter(|named| keys::digest(named).is_none());
    files::each("--key", &args.key)
        .chain(files::each("--key-passphrase-file", &args.key_passphrase_file))
        .chain(files::each("--pkcs11-pin-file", &args.pkcs11_pin_file))
        .chain(files::each("--certificate", &args.certificate))
        .chain(files::each("--certificate-chain", &args.certificate_chain))
        .chain(files::each("--root", &args.root))
        .chain(files::each("--crl", &args.crl))
        .chain(files::each("--suppressions", &args.suppressions))
        .chain(files::each("--base-public-key", &args.base.base_public_key))
        .chain(files::each("--base-root", &args.base.base_root))
        .chain(base.map(|path| ("--base-model", Path::new(path))))
        .collect()
}

/// Which files count; those that say something of the model are none of it.
fn cover<'a>(args: &cli::Cover, own: impl Iterator<Item = &'a PathBuf>) -> CoverOptions {
    CoverOptions {
        allow_symlinks: args.allow_symlinks,
        ignore: args.ignore.clone(),
        include_git: args.include_git,
        own: own.cloned().collect(),
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
    scan::warn(&scanned.scan);
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
        at: Timestamp,
    ) -> Result<Self, Failure> {
        let signed = sign(manifest, signer, identity.clone()).map_err(could_not)?;
        let bom = scan.filter(|_| args.cyclonedx.is_some()).map(|scan| {
            let time = jiff::Timestamp::now().to_string();
            format!("{:#}\n", render::cyclonedx(scan, manifest.name(), &time, &scan::serial()))
        });
        let attestation = match scan.filter(|_| args.attestation.is_some()) {
            Some(scan) => {
                let bom = bom.as_ref().map(|bom| sha256(bom.as_bytes()));
                let record = scan_record(scan, manifest, &signed, bom, at);
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
    write_whole(path, bundle)
        .map_err(|e| Failure::could_not(format!("cannot write `{}`: {e}", path.display())))
}

/// What was signed, as it is told.
struct Done {
    manifest: Manifest,
    scan: Option<Scan>,
    /// Files and bytes.
    size: (usize, u64),
    left_out: Vec<ResourcePath>,
    signed_by: SignedBy,
    curve: Curve,
    at: Timestamp,
}

impl Done {
    fn json(&self, args: &cli::Sign, made: &Made) -> Value {
        let shown = |path: &Option<PathBuf>| path.as_ref().map(|path| path.display().to_string());
        let manifest = &self.manifest;
        let left_out: Vec<&str> = self.left_out.iter().map(ResourcePath::as_str).collect();
        json!({
            "signed": true,
            "at": keys::civil(self.at),
            "model": manifest.name(),
            "files": self.size.0,
            "bytes": self.size.1,
            "left_out": left_out,
            "resources": manifest.resources().len(),
            "method": method(manifest),
            "hash": hash(manifest),
            "root": render::hex(&manifest.root()),
            "statement": render::hex(&made.signed.statement),
            "signed_by": signed_by(&self.signed_by),
            "algorithm": algorithm(self.curve),
            "base_model": base(manifest),
            "signature": args.signature.display().to_string(),
            "attestation": shown(&args.attestation),
            "cyclonedx": shown(&args.cyclonedx),
            "scan": self.scan.as_ref().map(render::json),
        })
    }

    fn human(&self, args: &cli::Sign) -> String {
        let mut out = format!("signed       {}\n", extent(&self.manifest, self.size));
        out.push_str(&signed_by_lines(&self.signed_by));
        let mut line = |what: &str, text: &str| {
            let _ = writeln!(out, "{what:<12} {}", one_line(text));
        };
        line("signature", &args.signature.display().to_string());
        if let Some(path) = &args.attestation {
            line("attestation", &path.display().to_string());
        }
        if let Some(path) = &args.cyclonedx {
            line("materials", &path.display().to_string());
        }
        line("root digest", &render::hex(&self.manifest.root()));
        for path in &self.left_out {
            line("left out", path.as_str());
        }
        out
    }
}

/// The name of a model, and how much of it was signed or compared.
fn extent(manifest: &Manifest, (files, bytes): (usize, u64)) -> String {
    let plural = if files == 1 { "" } else { "s" };
    let bytes = indicatif::BinaryBytes(bytes);
    format!("{}: {files} file{plural}, {bytes} by {}", one_line(manifest.name()), hash(manifest))
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
