//! What was attested of a scan.

use std::fmt::Write as _;
use std::io;
use std::path::Path;

use bastide_admin::{Failure, chain};
use bastide_crypto::Sha256;
use bastide_registry::{open_regular, read_signature_file, render};
use bastide_signing::{ScanRecord, SignedBy, Trust, VerifiedModel, VerifyError, verify_scan};
use bastide_types::Assessment;
use serde_json::{Value, json};

use crate::cli::{self, RequiredVerdict};
use crate::show::one_line;
use crate::sign::files;
use crate::sign::keys::civil;
use crate::sign::signer::{named, signed_by};

/// An attestation whose signature holds.
pub(super) struct Attested {
    record: ScanRecord,
    signed_by: SignedBy,
    /// A bill of materials was given, and it is the one.
    bom_checked: bool,
}

/// Reads the attestation; what is wrong with it beside.
pub(super) fn attestation(
    args: &cli::Verify,
    path: &Path,
    models: &[(&VerifiedModel, Trust<'_>)],
) -> Result<(Option<Attested>, Vec<String>), Failure> {
    let cannot_read =
        |path: &Path, e: io::Error| Failure::could_not(format!("cannot read `{}`: {e}", path.display()));
    let bundle = read_signature_file(path).map_err(|e| cannot_read(path, e))?;
    // It is for one signature of the model, and by the same signer: where several signed, one of them attests.
    let mut refused = None;
    let scan = models.iter().find_map(|(model, trust)| match verify_scan(&bundle, *trust, model) {
        Ok(scan) => Some(scan),
        Err(error) => {
            refused.get_or_insert(error);
            None
        }
    });
    if let Some(VerifyError::Bundle(error)) = refused.as_ref().filter(|_| scan.is_none()) {
        return Err(files::of(path, error));
    }
    let Some(scan) = scan else {
        let why = refused.map(|error| chain(&error)).unwrap_or_default();
        return Ok((None, vec![format!("the attestation `{}`: {why}", path.display())]));
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

impl Attested {
    pub(super) fn json(&self) -> Value {
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

    /// Whether it is for a bill of materials that was not given.
    pub(super) fn leaves_bom(&self) -> bool {
        self.record.bom.is_some() && !self.bom_checked
    }

    pub(super) fn human(&self) -> String {
        let ScanRecord { verdict, scanner, scanner_version, rules, failed, warned, .. } = &self.record;
        let mut out = format!(
            "verdict      {verdict}, on {} by {} {}\nrules        {}\n",
            civil(self.record.at),
            one_line(scanner),
            one_line(scanner_version),
            render::hex(rules)
        );
        let _ = writeln!(out, "attested by  {}", one_line(&named(&self.signed_by)));
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
        if self.bom_checked {
            out.push_str("materials    as attested\n");
        }
        out
    }
}
