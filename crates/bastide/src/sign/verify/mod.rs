//! `bastide verify`: the signatures, every file, the base model, and what was attested.

mod attested;
mod changes;
mod report;
mod uncovered;

use std::path::{Path, PathBuf};

use bastide_admin::{Failure, chain};
use bastide_registry::{
    VerifyModelError, VerifyOptions, WalkError, compare_all, find_copy, verify_signature,
};
use bastide_signing::{CertificateError, Trust, VerifiedModel, VerifyError};

use self::changes::Changes;
use self::report::{Held, Report};
use super::keys::{self, Wanted};
use super::{cover, files, lists_have_roots};
use crate::cli;
use crate::client::write;
use crate::progress::Bar;
use crate::show::one_line;

pub(crate) fn run(args: &cli::Verify) -> Result<(), Failure> {
    lists_have_roots(&args.signer.crl, &args.signer.root, &args.base)?;
    let mut report = Report { strict: args.strict, ..Report::default() };
    let checked = check(args, &mut report);
    match checked {
        Err(failure) if failure.code() == 1 => report.reasons.push(failure.message().to_owned()),
        other => other?,
    }
    write(&if args.output.json { format!("{}\n", report.json(keys::now())) } else { report.human() })?;
    if report.reasons.is_empty() {
        return Ok(());
    }
    Err(Failure::does_not_hold(one_line(&report.reasons.join("; "))).told())
}

/// Checks everything that was asked for. Only what makes the rest meaningless, or cannot be done, ends it early.
fn check(args: &cli::Verify, report: &mut Report) -> Result<(), Failure> {
    files::at_hand(&inputs(args), &args.cover.model, &[])?;
    let wanted = keys::wanted(&args.signer)?;
    let by = signatures(args, &wanted, report)?;
    let models: Vec<(&VerifiedModel, Trust<'_>)> =
        report.held.iter().map(|held| &held.model).zip(by.iter().map(|one| one.trusted.trust())).collect();
    let Some((_, trust)) = models.first() else { return Ok(()) };
    if let Some(base) = keys::base_model(&args.base, &args.signer.crl, *trust)? {
        for (model, _) in &models {
            match model.manifest().base_model() {
                Some(signed) if signed.root == base.root => report.base_checked = true,
                Some(_) => report.reasons.push("it was signed for another base model".to_owned()),
                None => report.reasons.push("its signature names no base model".to_owned()),
            }
        }
    }
    if let Some(path) = &args.attestation {
        let (attested, reasons) = attested::attestation(args, path, &models)?;
        report.attested = attested;
        report.reasons.extend(reasons);
    }
    compare(args, report)
}

/// Every file that is read, with its flag.
fn inputs(args: &cli::Verify) -> Vec<(&'static str, &Path)> {
    let base = args.base.base_model.as_deref().filter(|named| keys::digest(named).is_none());
    files::each("--signature", &args.signature)
        .chain(files::each("--public-key", &args.signer.public_key))
        .chain(files::each("--root", &args.signer.root))
        .chain(files::each("--crl", &args.signer.crl))
        .chain(files::each("--trust-root", &args.signer.trust_root))
        .chain(files::each("--attestation", &args.attestation))
        .chain(files::each("--cyclonedx", &args.cyclonedx))
        .chain(files::each("--base-public-key", &args.base.base_public_key))
        .chain(files::each("--base-root", &args.base.base_root))
        .chain(base.map(|path| ("--base-model", Path::new(path))))
        .collect()
}

/// Checks every signature. Whose each of those is that hold.
fn signatures<'a>(
    args: &cli::Verify,
    wanted: &'a [Wanted],
    report: &mut Report,
) -> Result<Vec<&'a Wanted>, Failure> {
    let mut by = Vec::new();
    for path in &args.signature {
        match signed_by_one(path, wanted) {
            Ok((model, one)) => {
                report.held.push(Held { path: path.clone(), model });
                by.push(one);
            }
            Err(error) => {
                let failure = match error {
                    VerifyModelError::Verify(VerifyError::Bundle(error)) => files::of(path, &error),
                    error => refused(error),
                };
                if failure.code() != 1 {
                    return Err(failure);
                }
                let of =
                    if args.signature.len() > 1 { format!("`{}`: ", path.display()) } else { String::new() };
                report.reasons.push(format!("{of}{}", failure.message()));
            }
        }
    }
    if report.reasons.is_empty() {
        let absent = wanted.iter().filter(|one| !by.iter().any(|it| std::ptr::eq(*it, *one)));
        report.reasons.extend(absent.map(|one| format!("no signature that was given is by `{}`", one.name)));
    }
    Ok(by)
}

/// The first of those wanted whose signature it is; else why it is nobody's.
fn signed_by_one<'a>(
    path: &Path,
    wanted: &'a [Wanted],
) -> Result<(VerifiedModel, &'a Wanted), VerifyModelError> {
    let mut refused = None;
    for one in wanted {
        match verify_signature(path, one.trusted.trust()) {
            Ok(model) => return Ok((model, one)),
            // That it is somebody else's says less than any other reason.
            Err(error) if refused.as_ref().is_none_or(is_other) => refused = Some(error),
            Err(_) => {}
        }
    }
    let nobody =
        || VerifyModelError::Read { path: path.to_owned(), source: std::io::ErrorKind::Other.into() };
    Err(refused.unwrap_or_else(nobody))
}

fn is_other(error: &VerifyModelError) -> bool {
    matches!(
        error,
        VerifyModelError::Verify(
            VerifyError::OtherKey { .. } | VerifyError::Certificate(CertificateError::OtherIdentity { .. })
        )
    )
}

/// Compares the folder with every signature that holds.
fn compare(args: &cli::Verify, report: &mut Report) -> Result<(), Failure> {
    let own: Vec<&PathBuf> = args.signature.iter().chain(&args.attestation).chain(&args.cyclonedx).collect();
    let options = VerifyOptions {
        cover: cover(&args.cover, own.into_iter()),
        allow_unsigned: args.ignore_unsigned_files,
    };
    let mut copies = Vec::new();
    for Held { path, model } in &report.held {
        let copy = find_copy(model, &args.cover.model, path, &options).map_err(refused)?;
        report.uncovered.and(copy.unchecked());
        report.size = copy.size();
        copies.push((copy, model));
    }
    if args.strict && report.uncovered.count() > 0 {
        report.reasons.push(report.uncovered.summary());
    }
    let bar = Bar::new();
    let compared = compare_all(copies, &bar);
    bar.done();
    for (result, Held { model, .. }) in compared.map_err(refused)?.into_iter().zip(&report.held) {
        match result {
            Err(VerifyModelError::Mismatch(mismatch)) => {
                report.changes.and(Changes::of(&mismatch, model.manifest()));
            }
            other => other.map_err(refused)?,
        }
    }
    if !report.changes.is_empty() {
        report.reasons.push(report.changes.summary());
    }
    Ok(())
}

/// What could not be read is no answer; anything else is one.
fn refused(error: VerifyModelError) -> Failure {
    let mut text = chain(&error);
    if let VerifyModelError::Verify(error) = &error {
        text.extend(advice(error));
    }
    match error {
        VerifyModelError::Read { .. }
        | VerifyModelError::Resolve { .. }
        | VerifyModelError::Digest(_)
        | VerifyModelError::Walk(WalkError::Io { .. }) => Failure::could_not(text),
        _ => Failure::does_not_hold(text),
    }
}

/// Which flags make it hold, where some might.
fn advice(error: &VerifyError) -> Option<&'static str> {
    match error {
        VerifyError::NeedsCertificates => Some(" (`--root FILE`)"),
        VerifyError::NeedsKey => Some(" (`--public-key FILE`)"),
        #[cfg(feature = "sigstore")]
        VerifyError::NeedsIdentity => Some(" (`--identity`, `--identity-provider`, `--trust-root`)"),
        VerifyError::Certificate(CertificateError::Expired(_)) => Some(
            ": have the model signed again, or give a time at which this signature is known to have been there (`--at`)",
        ),
        _ => None,
    }
}
