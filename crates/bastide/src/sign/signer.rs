//! A signer, for programs and for people.

use std::fmt::Write as _;

use bastide_crypto::Curve;
use bastide_registry::render::hex;
use bastide_signing::SignedBy;
use serde_json::{Value, json};

use super::keys::civil;
use crate::show::one_line;

/// The name of the algorithm for programs. Each curve has the hash of its strength.
pub(super) fn algorithm(curve: Curve) -> &'static str {
    match curve {
        Curve::P256 => "ecdsa-p256-sha256",
        Curve::P384 => "ecdsa-p384-sha384",
        Curve::P521 => "ecdsa-p521-sha512",
    }
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
            "not_revoked_until": signer.not_revoked_until.map(civil),
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

/// The signer in one line, as the first of [`signed_by_lines`] has it.
pub(super) fn named(signer: &SignedBy) -> String {
    match signer {
        SignedBy::Key { hint } => format!("key {hint}"),
        SignedBy::Certificate(signer) => signer.subject.clone(),
        #[cfg(feature = "sigstore")]
        SignedBy::Keyless(signer) => signer.identity.clone(),
    }
}

/// The signer for people.
pub(super) fn signed_by_lines(signer: &SignedBy) -> String {
    let mut out = String::new();
    let mut line = |what: &str, value: &str| {
        let _ = writeln!(out, "{what:<12} {}", one_line(value));
    };
    line("signed by", &named(signer));
    match signer {
        SignedBy::Key { .. } => {}
        SignedBy::Certificate(signer) => {
            signer.names.iter().for_each(|name| line("also named", name));
            line("issued by", &signer.issuer);
            line("valid", &format!("{} to {}", civil(signer.not_before), civil(signer.not_after)));
            line("certificate", &hex(&signer.fingerprint));
            if let Some(until) = signer.not_revoked_until {
                line("not revoked", &format!("by a list that is good until {}", civil(until)));
            }
        }
        #[cfg(feature = "sigstore")]
        SignedBy::Keyless(signer) => {
            line("vouched by", &signer.provider);
            line("logged", &format!("{}, entry {}", civil(signer.logged_at), signer.log_index));
            line("certificate", &hex(&signer.fingerprint));
        }
    }
    out
}
