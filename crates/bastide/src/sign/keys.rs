//! Keys and certificates: whose signature is made, and whose counts.

use std::path::{Path, PathBuf};

use bastide_admin::{Failure, chain};
use bastide_crypto::{EcdsaSigningKey, EcdsaVerifyingKey};
use bastide_registry::{VerifyModelError, verify_signature};
use bastide_signing::{
    BaseModel, CertificateError, Identity, RevocationLists, Roots, SignedBy, Signer, Trust, VerifyError,
    check_signer, key_hint,
};
use bastide_types::Timestamp;

use super::files::{self, bytes, of};
use super::secrets;
use crate::cli;

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

/// One whose signature is asked for.
pub(super) struct Wanted {
    /// What the caller called them by.
    pub(super) name: String,
    pub(super) trusted: Trusted,
}

/// Everybody whose signature is asked for. Where they are several, each has to have signed.
pub(super) fn wanted(args: &cli::Signer) -> Result<Vec<Wanted>, Failure> {
    if let (Some(path), Some(provider)) = (&args.trust_root, &args.identity_provider) {
        let name = |identity: &String| {
            let trusted = keyless(path, identity, provider)?;
            Ok(Wanted { name: identity.clone(), trusted })
        };
        return args.identity.iter().map(name).collect();
    }
    if !args.public_key.is_empty() {
        let key = |path: &PathBuf| {
            let trusted = Trusted::Key(files::public_key(path, "--public-key")?);
            Ok(Wanted { name: path.display().to_string(), trusted })
        };
        return args.public_key.iter().map(key).collect();
    }
    let roots = roots(&args.root, "--root")?
        .ok_or_else(|| Failure::usage("give a public key, roots or a trusted root"))?;
    let roots = without_revoked(roots, &args.crl)?;
    let at = args.at.map_or_else(now, timestamp);
    let wanted = |identity: Option<&String>| Wanted {
        name: identity.cloned().unwrap_or_default(),
        trusted: Trusted::Roots { roots: roots.clone(), at, identity: identity.cloned() },
    };
    if args.identity.is_empty() {
        return Ok(vec![wanted(None)]);
    }
    Ok(args.identity.iter().map(|identity| wanted(Some(identity))).collect())
}

/// The certificates of several files.
pub(super) fn roots(paths: &[PathBuf], flag: &str) -> Result<Option<Roots>, Failure> {
    let mut all: Option<Roots> = None;
    for path in paths {
        let more = files::roots(path, flag)?;
        all = Some(match all {
            Some(roots) => roots.and(more),
            None => more,
        });
    }
    Ok(all)
}

/// The same, where what the lists in these files name does not count.
fn without_revoked(mut roots: Roots, lists: &[PathBuf]) -> Result<Roots, Failure> {
    for path in lists {
        let more = RevocationLists::from_bytes(&bytes(path)?).map_err(|e| of(path, &e))?;
        roots = roots.without_revoked(more);
    }
    Ok(roots)
}

impl Trusted {
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

/// The private key: from a file, or in a token.
pub(super) fn signer(args: &cli::Sign) -> Result<Box<dyn Signer>, Failure> {
    match (&args.key, &args.pkcs11_uri) {
        (_, Some(uri)) => token(uri, args.pkcs11_pin_file.as_deref()),
        (Some(path), None) => {
            let ask = || secrets::passphrase(args.key_passphrase_file.as_deref(), path);
            let key: EcdsaSigningKey = files::private_key(path, "--key", ask)?;
            Ok(Box::new(key))
        }
        (None, None) => Err(Failure::usage("give a key: `--key` or `--pkcs11-uri`")),
    }
}

#[cfg(feature = "pkcs11")]
fn token(uri: &str, pin_file: Option<&Path>) -> Result<Box<dyn Signer>, Failure> {
    use bastide_registry::{Pkcs11Error, Pkcs11Signer, Pkcs11Uri, Pkcs11UriError};

    let uri: Pkcs11Uri = uri.parse().map_err(|e: Pkcs11UriError| Failure::usage(chain(&e)))?;
    if uri.shows_pin() {
        crate::client::note(
            "warning: the PIN stands in the command, where other users of the machine and the shell's history see it; \
             give `pin-source`, `--pkcs11-pin-file` or `BASTIDE_PKCS11_PIN`",
        );
    }
    // What keeps the PIN from being read comes before what the token says without it.
    let mut failed = None;
    let opened = Pkcs11Signer::open(&uri, |token| match secrets::pin(pin_file, token) {
        Ok(pin) => pin,
        Err(error) => {
            failed = Some(error);
            None
        }
    });
    if let Some(failed) = failed {
        return Err(failed);
    }
    match opened {
        Ok(signer) => Ok(Box::new(signer)),
        Err(error @ Pkcs11Error::NoPin { .. }) => Err(bastide_admin::could_not(error).and(
            "give `pin-source` in the address, `--pkcs11-pin-file FILE`, or the variable `BASTIDE_PKCS11_PIN`",
        )),
        Err(error) => Err(bastide_admin::could_not(error).after("`--pkcs11-uri`")),
    }
}

#[cfg(not(feature = "pkcs11"))]
fn token(_uri: &str, _pin_file: Option<&Path>) -> Result<Box<dyn Signer>, Failure> {
    Err(Failure::usage("this build has no PKCS#11: build it with the feature `pkcs11`"))
}

/// How verifiers are to find the key, and what they will see of the signer. A certificate that they would refuse signs
/// nothing.
pub(super) fn identity(args: &cli::Sign, key: &EcdsaVerifyingKey) -> Result<(Identity, SignedBy), Failure> {
    let Some(leaf) = &args.certificate else {
        return Ok((Identity::key(key), SignedBy::Key { hint: key_hint(key) }));
    };
    let mut all = files::certificates(leaf, "--certificate")?;
    for path in &args.certificate_chain {
        all.extend(files::certificates(path, "--certificate-chain")?);
    }
    let refused = |error: &dyn std::error::Error| {
        Failure::could_not(format!("`{}` (`--certificate`): {}", leaf.display(), chain(error)))
    };
    let signer = match roots(&args.root, "--root")? {
        // The order first, so that its error is not that of a root.
        Some(roots) => {
            let roots = without_revoked(roots, &args.crl)?;
            check_signer(&all, now()).and_then(|_| Ok(roots.check(&all, now())?.1))
        }
        None => check_signer(&all, now()),
    };
    // A certificate of another key is told as such, whatever else is wrong with it.
    let identity = Identity::certificates(key, all).map_err(|e| refused(&e))?;
    match signer {
        Ok(signer) => Ok((identity, SignedBy::Certificate(signer))),
        Err(error @ CertificateError::Expired(_)) => {
            Err(refused(&error).and("have its authority issue a new one"))
        }
        Err(error) => Err(refused(&error)),
    }
}

/// The base model that was named. A signature of it has to hold, so that nobody binds to a forged one, and its signer must
/// not be in the lists of revoked certificates.
pub(super) fn base_model(
    args: &cli::Base,
    lists: &[PathBuf],
    otherwise: Trust<'_>,
) -> Result<Option<BaseModel>, Failure> {
    let Some(named) = &args.base_model else { return Ok(None) };
    if let Some(root) = digest(named) {
        return Ok(Some(BaseModel { name: String::new(), root }));
    }
    let at = match otherwise {
        Trust::Certificates { at, .. } => at,
        _ => now(),
    };
    let trusted = match &args.base_public_key {
        Some(path) => Some(Trusted::Key(files::public_key(path, "--base-public-key")?)),
        None => match roots(&args.base_root, "--base-root")? {
            Some(roots) => Some(Trusted::Roots { roots: without_revoked(roots, lists)?, at, identity: None }),
            None => None,
        },
    };
    let trust = trusted.as_ref().map_or(otherwise, Trusted::trust);
    let verified = verify_signature(Path::new(named), trust).map_err(|e| {
        let why = format!("the signature of the base model, `{named}`: {}", chain(&e));
        match e {
            VerifyModelError::Read { .. } | VerifyModelError::Verify(VerifyError::Bundle(_)) => {
                Failure::could_not(why)
            }
            _ => Failure::does_not_hold(why),
        }
    })?;
    let manifest = verified.manifest();
    Ok(Some(BaseModel { name: manifest.name().to_owned(), root: manifest.root() }))
}

/// 64 hexadecimal digits, with or without `sha256:` before them.
pub(super) fn digest(text: &str) -> Option<[u8; 32]> {
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
