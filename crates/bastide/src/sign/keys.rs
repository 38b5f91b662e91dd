//! Keys and certificates: whose signature is made, and whose counts.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use bastide_admin::{Failure, chain, could_not};
use bastide_crypto::{EcdsaSigningKey, EcdsaVerifyingKey};
use bastide_registry::render::hex;
use bastide_registry::{read_signature_file, verify_signature};
use bastide_signing::{BaseModel, Identity, Roots, SignedBy, Signer, Trust, certificates_from_pem};
use bastide_types::Timestamp;
use serde_json::{Value, json};

use crate::cli;
use crate::show::one_line;

/// Whose signatures count, as it was read.
pub(super) enum Trusted {
    Key(EcdsaVerifyingKey),
    Roots {
        roots: Roots,
        at: Timestamp,
        identity: Option<String>,
    },
    #[cfg(feature = "sigstore")]
    Keyless {
        root: Box<bastide_signing::TrustedRoot>,
        identity: bastide_signing::KeylessIdentity,
    },
}

impl Trusted {
    /// From what was asked for.
    pub(super) fn of(args: &cli::Signer) -> Result<Self, Failure> {
        if let (Some(path), Some(identity), Some(provider)) =
            (&args.trust_root, &args.identity, &args.identity_provider)
        {
            return keyless(path, identity, provider);
        }
        let at = args.at.map_or_else(now, timestamp);
        Trusted::read(args.public_key.as_deref(), &args.root, at, args.identity.as_deref())?
            .ok_or_else(|| Failure::usage("give a public key, roots or a trusted root"))
    }

    /// From the files that were named; `None` where there is none.
    fn read(
        public_key: Option<&Path>,
        roots: &[PathBuf],
        at: Timestamp,
        identity: Option<&str>,
    ) -> Result<Option<Self>, Failure> {
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
        Ok(all.map(|roots| Trusted::Roots { roots, at, identity: identity.map(str::to_owned) }))
    }

    pub(super) fn trust(&self) -> Trust<'_> {
        match self {
            Trusted::Key(key) => Trust::Key(key),
            Trusted::Roots { roots, at, identity } => {
                Trust::Certificates { roots, at: *at, identity: identity.as_deref() }
            }
            #[cfg(feature = "sigstore")]
            Trusted::Keyless { root, identity } => Trust::Keyless { root, identity },
        }
    }
}

#[cfg(feature = "sigstore")]
fn keyless(path: &Path, identity: &str, provider: &str) -> Result<Trusted, Failure> {
    let root = bastide_signing::TrustedRoot::from_json(&bytes(path)?).map_err(|e| of(path, &e))?;
    let identity =
        bastide_signing::KeylessIdentity { identity: identity.to_owned(), provider: provider.to_owned() };
    Ok(Trusted::Keyless { root: Box::new(root), identity })
}

#[cfg(not(feature = "sigstore"))]
fn keyless(_path: &Path, _identity: &str, _provider: &str) -> Result<Trusted, Failure> {
    Err(Failure::usage("this build verifies no keyless signatures: build it with the feature `sigstore`"))
}

/// The present.
pub(super) fn now() -> Timestamp {
    timestamp(jiff::Timestamp::now())
}

/// Before 1970 counts as 1970.
fn timestamp(at: jiff::Timestamp) -> Timestamp {
    Timestamp::from_micros(u64::try_from(at.as_microsecond()).unwrap_or(0))
}

/// A time in RFC 3339.
pub(super) fn civil(at: Timestamp) -> String {
    let micros = i64::try_from(at.as_micros()).unwrap_or(i64::MAX);
    jiff::Timestamp::from_microsecond(micros).unwrap_or(jiff::Timestamp::MAX).to_string()
}

/// A key, certificate or trusted root as it is in its file; nothing else is waited for.
fn bytes(path: &Path) -> Result<Vec<u8>, Failure> {
    read_signature_file(path)
        .map_err(|e| Failure::could_not(format!("cannot read `{}`: {e}", path.display())))
}

fn text(path: &Path) -> Result<String, Failure> {
    String::from_utf8(bytes(path)?)
        .map_err(|_| Failure::could_not(format!("`{}` is not in PEM", path.display())))
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
    let at = match otherwise {
        Trust::Certificates { at, .. } => at,
        _ => now(),
    };
    let trusted = Trusted::read(args.base_public_key.as_deref(), &args.base_root, at, None)?;
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

/// The signer for programs.
pub(super) fn signed_by(signer: &SignedBy) -> Value {
    match signer {
        SignedBy::Key { hint } => json!({"key": hint}),
        SignedBy::Certificate(signer) => json!({
            "certificate": hex(&signer.fingerprint),
            "subject": signer.subject,
            "names": signer.names,
            "issuer": signer.issuer,
            "not_before": civil(signer.not_before),
            "not_after": civil(signer.not_after),
        }),
        #[cfg(feature = "sigstore")]
        SignedBy::Keyless(signer) => json!({
            "certificate": hex(&signer.fingerprint),
            "identity": signer.identity,
            "identity_provider": signer.provider,
            "logged_at": civil(signer.logged_at),
            "log_index": signer.log_index,
        }),
    }
}

/// The signer for people.
pub(super) fn signed_by_lines(signer: &SignedBy) -> String {
    let mut out = String::new();
    let mut line = |what: &str, value: &str| {
        let _ = writeln!(out, "{what:<12} {}", one_line(value));
    };
    match signer {
        SignedBy::Key { hint } => line("signed by", &format!("key {hint}")),
        SignedBy::Certificate(signer) => {
            line("signed by", &signer.subject);
            signer.names.iter().for_each(|name| line("also named", name));
            line("issued by", &signer.issuer);
            line("valid", &format!("{} to {}", civil(signer.not_before), civil(signer.not_after)));
            line("certificate", &hex(&signer.fingerprint));
        }
        #[cfg(feature = "sigstore")]
        SignedBy::Keyless(signer) => {
            line("signed by", &signer.identity);
            line("vouched by", &signer.provider);
            line("logged", &format!("{}, entry {}", civil(signer.logged_at), signer.log_index));
            line("certificate", &hex(&signer.fingerprint));
        }
    }
    out
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
