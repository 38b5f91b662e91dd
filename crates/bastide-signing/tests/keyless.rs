//! Keyless signatures that the reference implementation made on Sigstore's public instance, against that instance's own
//! trusted root. `sigstore/README.md` says where they are from.
#![cfg(feature = "sigstore")]
#![expect(clippy::unwrap_used, clippy::panic, reason = "a test stops at what it does not expect")]

use bastide_crypto::{Curve, EcdsaSigningKey};
use bastide_signing::{
    KeylessError, KeylessIdentity, Roots, SignedBy, StatementError, Trust, TrustedRoot, TrustedRootError,
    VerifiedModel, VerifyError, verify,
};
use bastide_types::Timestamp;
use serde_json::{Value, json};

const ROOT: &[u8] = include_bytes!("sigstore/trusted_root.json");
const V1_1_0: &[u8] = include_bytes!("sigstore/v1.1.0-sigstore.sig");
const V0_3_1: &[u8] = include_bytes!("sigstore/v0.3.1-sigstore.sig");

const IDENTITY: &str = "stefanb@us.ibm.com";
const PROVIDER: &str = "https://sigstore.verify.ibm.com/oauth2";

fn check_with(
    root: &[u8],
    identity: &str,
    provider: &str,
    bundle: &[u8],
) -> Result<VerifiedModel, VerifyError> {
    let root = TrustedRoot::from_json(root).unwrap();
    let identity = KeylessIdentity { identity: identity.to_owned(), provider: provider.to_owned() };
    verify(bundle, Trust::Keyless { root: &root, identity: &identity })
}

fn check(bundle: &[u8]) -> Result<VerifiedModel, VerifyError> {
    check_with(ROOT, IDENTITY, PROVIDER, bundle)
}

/// Why a changed bundle is refused.
#[track_caller]
fn refused(edit: impl FnOnce(&mut Value)) -> KeylessError {
    let mut bundle: Value = serde_json::from_slice(V1_1_0).unwrap();
    edit(&mut bundle);
    match check(bundle.to_string().as_bytes()) {
        Err(VerifyError::Keyless(error)) => error,
        other => panic!("{other:?}"),
    }
}

#[track_caller]
fn refused_under(root: impl FnOnce(&mut Value)) -> KeylessError {
    let mut edited: Value = serde_json::from_slice(ROOT).unwrap();
    root(&mut edited);
    match check_with(edited.to_string().as_bytes(), IDENTITY, PROVIDER, V1_1_0) {
        Err(VerifyError::Keyless(error)) => error,
        other => panic!("{other:?}"),
    }
}

#[test]
fn recorded_signatures_verify() {
    for (bundle, time, index) in
        [(V1_1_0, 1_760_062_340_000_000, 598_151_086), (V0_3_1, 1_746_234_602_000_000, 206_342_049)]
    {
        let verified = check(bundle).unwrap();
        let SignedBy::Keyless(signer) = verified.signed_by() else { panic!("{verified:?}") };
        assert_eq!((signer.identity.as_str(), signer.provider.as_str()), (IDENTITY, PROVIDER));
        assert_eq!((signer.logged_at.as_micros(), signer.log_index), (time, index));
        let files: Vec<String> =
            verified.manifest().resources().iter().map(|it| it.place.to_string()).collect();
        assert_eq!(files, ["signme-1", "signme-2"]);
    }
}

#[test]
fn nobody_else_passes_for_the_signer() {
    let other = check_with(ROOT, "stefanb@us.ibm.co", PROVIDER, V1_1_0);
    assert!(matches!(other, Err(VerifyError::Keyless(KeylessError::OtherIdentity { .. }))));
    let other = check_with(ROOT, IDENTITY, "https://accounts.google.com", V1_1_0);
    assert!(matches!(other, Err(VerifyError::Keyless(KeylessError::OtherProvider { .. }))));
    let key = EcdsaSigningKey::generate(Curve::P256).unwrap();
    assert!(matches!(verify(V1_1_0, Trust::Key(key.verifying_key())), Err(VerifyError::NeedsIdentity)));
    let roots =
        Roots::from_pem(&rcgen::generate_simple_self_signed(["x".to_owned()]).unwrap().cert.pem()).unwrap();
    let by_chain =
        verify(V1_1_0, Trust::Certificates { roots: &roots, at: Timestamp::from_micros(0), identity: None });
    assert!(matches!(by_chain, Err(VerifyError::NeedsIdentity)));
}

#[test]
fn a_recorded_signature_that_was_touched_is_refused() {
    let other: Value = serde_json::from_slice(V0_3_1).unwrap();
    let entry = "/verificationMaterial/tlogEntries/0";
    let at = |path: &str| format!("{entry}{path}");
    let set = |path: String, value: Value| move |it: &mut Value| *it.pointer_mut(&path).unwrap() = value;

    let swapped = refused(set(entry.to_owned(), other.pointer(entry).unwrap().clone()));
    assert!(matches!(swapped, KeylessError::OutsideValidity), "{swapped}");
    let log_entry = refused(|it| {
        *it.pointer_mut("/verificationMaterial/certificate").unwrap() =
            other.pointer("/verificationMaterial/certificate").unwrap().clone();
        *it.pointer_mut(entry).unwrap() = other.pointer(entry).unwrap().clone();
        it["verificationMaterial"]["timestampVerificationData"] = json!({});
    });
    assert!(matches!(log_entry, KeylessError::OtherPayload), "CVE-2022-36056: {log_entry}");
    let time = refused(set(at("/integratedTime"), json!("1760062341")));
    assert!(matches!(time, KeylessError::EntryTimestamp), "{time}");
    let index = refused(set(at("/logIndex"), json!("598151087")));
    assert!(matches!(index, KeylessError::EntryTimestamp), "{index}");
    let proof = refused(set(at("/inclusionProof"), other.pointer(&at("/inclusionProof")).unwrap().clone()));
    assert!(matches!(proof, KeylessError::Inclusion), "{proof}");
    let place = refused(set(at("/inclusionProof/logIndex"), json!("476246823")));
    assert!(matches!(place, KeylessError::Inclusion), "{place}");
    let none = refused(set(at("/inclusionProof"), Value::Null));
    assert!(matches!(none, KeylessError::NoProof), "{none}");
    let none = refused(set("/verificationMaterial/tlogEntries".to_owned(), json!([])));
    assert!(matches!(none, KeylessError::Entries(0)), "{none}");
    let note = at("/inclusionProof/checkpoint/envelope");
    let size = refused(|it| {
        let text = it.pointer(&note).unwrap().as_str().unwrap().replace("476246825", "476246826");
        *it.pointer_mut(&note).unwrap() = json!(text);
    });
    assert!(matches!(size, KeylessError::CheckpointSignature), "{size}");
    let words = refused(set(note.clone(), json!("no note")));
    assert!(matches!(words, KeylessError::Checkpoint), "{words}");
    let signature = other.pointer("/dsseEnvelope/signatures/0/sig").unwrap().clone();
    let signature = refused(set("/dsseEnvelope/signatures/0/sig".to_owned(), signature));
    assert!(matches!(signature, KeylessError::OtherSignature), "{signature}");
    let payload = refused(set("/dsseEnvelope/payload".to_owned(), json!("e30=")));
    assert!(matches!(payload, KeylessError::OtherPayload), "{payload}");
}

#[test]
fn a_timestamp_authority_may_date_a_signature_as_well() {
    let edited = |edit: &dyn Fn(&mut Value, &mut Value)| {
        let mut bundle: Value = serde_json::from_slice(V1_1_0).unwrap();
        let mut root: Value = serde_json::from_slice(ROOT).unwrap();
        bundle["verificationMaterial"]["tlogEntries"][0]["inclusionPromise"] = Value::Null;
        edit(&mut bundle["verificationMaterial"]["timestampVerificationData"], &mut root);
        check_with(root.to_string().as_bytes(), IDENTITY, PROVIDER, bundle.to_string().as_bytes())
    };
    let verified = edited(&|_, _| {}).unwrap();
    let SignedBy::Keyless(signer) = verified.signed_by() else { panic!("{verified:?}") };
    assert_eq!(signer.logged_at.as_micros(), 1_760_062_340_000_000);
    let undated = |edit: &dyn Fn(&mut Value, &mut Value)| {
        matches!(edited(edit), Err(VerifyError::Keyless(KeylessError::NoTime)))
    };
    assert!(undated(&|stamps, _| *stamps = json!({})));
    assert!(undated(&|_, root| root["timestampAuthorities"] = json!([])));
    assert!(undated(&|_, root| {
        root["timestampAuthorities"][0]["validFor"] = json!({"start": "2026-01-01T00:00:00Z"});
    }));
    assert!(undated(&|stamps, _| {
        let stamp = stamps.pointer_mut("/rfc3161Timestamps/0/signedTimestamp").unwrap();
        // The time it says: `20251010021220Z` is at this place of the base64.
        let text = stamp.as_str().unwrap();
        assert!(text.contains("MjAyNTEwMTAwMjEyMjBa"));
        *stamp = json!(text.replace("MjAyNTEwMTAwMjEyMjBa", "MjAyNTEwMTAwMjEyMjFa"));
    }));
    let many =
        edited(&|stamps, _| stamps["rfc3161Timestamps"] = vec![json!({"signedTimestamp": ""}); 17].into());
    assert!(matches!(many, Err(VerifyError::Keyless(KeylessError::Timestamps(17)))));
}

/// Of the second version of the log, whose key is an Ed25519 one and whose entries have no time of their own. It is of
/// something else than a model.
#[test]
fn an_entry_of_the_second_version_of_the_log_is_read() {
    let bundle = include_bytes!("sigstore/rekor2-dsse.sigstore.json");
    let root = include_bytes!("sigstore/trusted_root.staging.json");
    let identity = "https://github.com/sigstore-conformance/extremely-dangerous-public-oidc-beacon/.github/\
                    workflows/extremely-dangerous-oidc-beacon.yml@refs/heads/main";
    let provider = "https://token.actions.githubusercontent.com";
    let check = |bundle: &[u8]| check_with(root, identity, provider, bundle).unwrap_err();
    let signed = check(bundle);
    assert!(matches!(signed, VerifyError::Statement(StatementError::Predicate { .. })), "{signed:?}");
    let edited = |edit: &dyn Fn(&mut Value)| {
        let mut value: Value = serde_json::from_slice(bundle).unwrap();
        edit(&mut value);
        check(value.to_string().as_bytes())
    };
    let payload = edited(&|it| it["dsseEnvelope"]["payload"] = json!("e30="));
    assert!(matches!(payload, VerifyError::Keyless(KeylessError::OtherPayload)), "{payload:?}");
    let undated = edited(&|it| it["verificationMaterial"]["timestampVerificationData"] = json!({}));
    assert!(matches!(undated, VerifyError::Keyless(KeylessError::NoTime)), "{undated:?}");
    let moved = edited(&|it| {
        it["verificationMaterial"]["tlogEntries"][0]["inclusionProof"]["logIndex"] = json!("7130");
    });
    assert!(matches!(moved, VerifyError::Keyless(KeylessError::Inclusion)), "{moved:?}");
    let note = edited(&|it| {
        let note = it.pointer_mut("/verificationMaterial/tlogEntries/0/inclusionProof/checkpoint/envelope");
        let note = note.unwrap();
        *note = json!(note.as_str().unwrap().replace("7132", "7133"));
    });
    assert!(matches!(note, VerifyError::Keyless(KeylessError::CheckpointSignature)), "{note:?}");
}

#[test]
fn a_trusted_root_without_the_one_that_counts_refuses() {
    let log =
        refused_under(|it| it["tlogs"][0]["publicKey"]["validFor"]["end"] = json!("2024-01-01T00:00:00Z"));
    assert!(matches!(log, KeylessError::UnknownLog(_)), "{log}");
    let ct = refused_under(|it| it["ctlogs"] = json!([it["ctlogs"][0]]));
    assert!(matches!(ct, KeylessError::CertificateLog), "{ct}");
    let key = refused_under(|it| {
        it["ctlogs"][1]["publicKey"]["rawBytes"] = it["ctlogs"][0]["publicKey"]["rawBytes"].clone();
    });
    assert!(matches!(key, KeylessError::CertificateLog), "{key}");
    let key = refused_under(|it| {
        it["tlogs"][0]["publicKey"]["rawBytes"] = it["ctlogs"][0]["publicKey"]["rawBytes"].clone();
    });
    assert!(matches!(key, KeylessError::EntryTimestamp), "{key}");
    let authority =
        refused_under(|it| it["certificateAuthorities"] = json!([it["certificateAuthorities"][0]]));
    assert!(matches!(authority, KeylessError::Authority(_)), "{authority}");
}

#[test]
fn what_is_no_trusted_root_is_refused() {
    let edited = |edit: &dyn Fn(&mut Value)| {
        let mut root: Value = serde_json::from_slice(ROOT).unwrap();
        edit(&mut root);
        TrustedRoot::from_json(root.to_string().as_bytes()).map(|_| ())
    };
    edited(&|_| {}).unwrap();
    let empty = edited(&|it| it["ctlogs"] = json!([]));
    assert!(matches!(empty, Err(TrustedRootError::Empty)));
    let media = edited(&|it| it["mediaType"] = json!("application/json"));
    assert!(matches!(media, Err(TrustedRootError::MediaType(_))));
    let start = edited(&|it| it["tlogs"][0]["publicKey"]["validFor"] = json!({}));
    assert!(matches!(start, Err(TrustedRootError::Json(_))), "a key without a start counts for ever");
    let many = edited(&|it| it["tlogs"] = vec![it["tlogs"][0].clone(); 65].into());
    assert!(matches!(many, Err(TrustedRootError::TooMany)));
    let broken = edited(&|it| {
        it["certificateAuthorities"][0]["certChain"]["certificates"] = json!([{"rawBytes": "MAA="}]);
    });
    assert!(matches!(broken, Err(TrustedRootError::Authority(_))));
    assert!(matches!(TrustedRoot::from_json(b"{}"), Err(TrustedRootError::Json(_))));
}

#[test]
fn no_single_letter_of_a_recorded_signature_may_change() {
    let text = std::str::from_utf8(V0_3_1).unwrap();
    for (at, letter) in text.char_indices().step_by(7).filter(|(_, letter)| letter.is_ascii_alphanumeric()) {
        let mut changed = V0_3_1.to_vec();
        changed[at] = if letter == 'A' { b'B' } else { b'A' };
        // What is not covered: which key a proof's checkpoint names after the hint, and properties nobody reads.
        if let Ok(verified) = check(&changed) {
            assert_eq!(verified.manifest(), check(V0_3_1).unwrap().manifest());
            assert!(!text[..at].ends_with("\"rawBytes\": \""), "{at}");
        }
    }
}
