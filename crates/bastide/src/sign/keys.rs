//! Keys and certificates: whose signature is made, and whose counts.

use std::path::{Path, PathBuf};

use bastide_admin::{Failure, chain, could_not};
use bastide_crypto::{EcdsaSigningKey, EcdsaVerifyingKey};
use bastide_registry::verify_signature;
use bastide_signing::{BaseModel, Identity, Roots, SignedBy, Signer, Trust, ValidAt, certificates_from_pem};
use serde_json::{Value, json};

use crate::cli;
use crate::scan::text;

/// Whose signatures count, as it was read.
pub(super) enum Trusted {
    Key(EcdsaVerifyingKey),
    Roots(Roots),
}

impl Trusted {
    /// From the files that were named; `None` where there is none.
    pub(super) fn read(public_key: Option<&Path>, roots: &[PathBuf]) -> Result<Option<Self>, Failure> {
        if let Some(path) = public_key {
            return EcdsaVerifyingKey::from_pem(&text(path)?)
                .map(|key| Some(Trusted::Key(key)))
                .map_err(|e| of(path, &e));
        }
        let mut all: Option<Roots> = None;
        for path in roots {
            let more = Roots::from_pem(&text(path)?).map_err(|e| of(path, &e))?;
            all = Some(match all {
                Some(roots) => roots.and(more),
                None => more,
            });
        }
        Ok(all.map(Trusted::Roots))
    }

    pub(super) fn trust(&self) -> Trust<'_> {
        match self {
            Trusted::Key(key) => Trust::Key(key),
            Trusted::Roots(roots) => Trust::Certificates { roots, at: ValidAt::StartOfCertificate },
        }
    }
}

/// The private key: from a file, or in a token.
pub(super) fn signer(args: &cli::Sign) -> Result<Box<dyn Signer>, Failure> {
    match (&args.key, &args.pkcs11_uri) {
        (_, Some(uri)) => token(uri),
        (Some(path), None) => {
            let key = EcdsaSigningKey::from_pem(&text(path)?).map_err(|e| of(path, &e))?;
            Ok(Box::new(key))
        }
        (None, None) => Err(Failure::usage("give a key: `--key` or `--pkcs11-uri`")),
    }
}

#[cfg(feature = "pkcs11")]
fn token(uri: &str) -> Result<Box<dyn Signer>, Failure> {
    use bastide_registry::{Pkcs11Signer, Pkcs11Uri, Pkcs11UriError};

    let uri: Pkcs11Uri = uri.parse().map_err(|e: Pkcs11UriError| Failure::usage(chain(&e)))?;
    Ok(Box::new(Pkcs11Signer::open(&uri).map_err(could_not)?))
}

#[cfg(not(feature = "pkcs11"))]
fn token(_uri: &str) -> Result<Box<dyn Signer>, Failure> {
    Err(Failure::usage("this build has no PKCS#11: build it with the feature `pkcs11`"))
}

/// How verifiers are to find the key.
pub(super) fn identity(args: &cli::Sign, key: &EcdsaVerifyingKey) -> Result<Identity, Failure> {
    let Some(leaf) = &args.certificate else { return Ok(Identity::key(key)) };
    let mut all = Vec::new();
    for path in std::iter::once(leaf).chain(&args.certificate_chain) {
        all.extend(certificates_from_pem(&text(path)?).map_err(|e| of(path, &e))?);
    }
    Identity::certificates(key, all).map_err(could_not)
}

/// The base model that was named. A signature of it has to hold, so that nobody binds to a forged one.
pub(super) fn base_model(args: &cli::Base, otherwise: Trust<'_>) -> Result<Option<BaseModel>, Failure> {
    let Some(named) = &args.base_model else { return Ok(None) };
    if let Some(root) = digest(named) {
        return Ok(Some(BaseModel { name: String::new(), root }));
    }
    let trusted = Trusted::read(args.base_public_key.as_deref(), &args.base_root)?;
    let trust = trusted.as_ref().map_or(otherwise, Trusted::trust);
    let verified = verify_signature(Path::new(named), trust).map_err(|e| {
        let why = format!("the signature of the base model, `{named}`: {}", chain(&e));
        match e {
            bastide_registry::VerifyModelError::Read { .. } => Failure::could_not(why),
            _ => Failure::does_not_hold(why),
        }
    })?;
    let manifest = verified.manifest();
    Ok(Some(BaseModel { name: manifest.name().to_owned(), root: manifest.root() }))
}

/// 64 hexadecimal digits, with or without `sha256:` before them.
fn digest(text: &str) -> Option<[u8; 32]> {
    let digits = text.strip_prefix("sha256:").unwrap_or(text);
    if digits.len() != 64 || !digits.bytes().all(|b| b.is_ascii_hexdigit()) {
        return None;
    }
    let mut root = [0; 32];
    for (i, byte) in root.iter_mut().enumerate() {
        *byte = u8::from_str_radix(digits.get(2 * i..2 * i + 2)?, 16).ok()?;
    }
    Some(root)
}

pub(super) fn signed_by(signer: &SignedBy) -> Value {
    match signer {
        SignedBy::Key { hint } => json!({"key": hint}),
        SignedBy::Certificate { fingerprint } => {
            json!({"certificate": bastide_registry::render::hex(fingerprint)})
        }
    }
}

fn of(path: &Path, error: &dyn std::error::Error) -> Failure {
    Failure::could_not(format!("`{}`: {}", path.display(), chain(error)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_digest_is_told_from_a_file() {
        let digits = "0F".repeat(32);
        assert_eq!(digest(&digits), Some([15; 32]));
        assert_eq!(digest(&format!("sha256:{digits}")), Some([15; 32]));
        for other in ["base.sig", "sha256:0f", &digits[1..], &"ü".repeat(32), &"+f".repeat(32)] {
            assert_eq!(digest(other), None, "{other}");
        }
    }
}
