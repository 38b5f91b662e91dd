//! Whole bundles: what passes, what is forged, and what no tampering turns into something else.

#![expect(clippy::unwrap_used, reason = "a test stops at what it does not expect")]

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bastide_crypto::{ContentHash, Curve, EcdsaSigningKey};
use bastide_signing::{
    BundleError, Identity, Manifest, Method, Place, Resource, ResourcePath, ScanRecord, Serialization,
    StatementError, Trust, VerifyError, sign, sign_scan, verify, verify_scan,
};
use bastide_types::{Assessment, Timestamp};
use proptest::prelude::*;
use serde_json::{Value, json};

const CURVES: [Curve; 3] = [Curve::P256, Curve::P384, Curve::P521];

fn manifest(fill: u8) -> Manifest {
    let serialization = Serialization {
        method: Method::Files,
        hash: ContentHash::Sha256,
        allow_symlinks: false,
        ignored: vec![ResourcePath::new("model.sig").unwrap()],
    };
    let resources = ["tok/a", "tok.json", "ü b.bin"].map(|name| Resource {
        place: Place { path: Some(ResourcePath::new(name).unwrap()), shard: None },
        digest: vec![fill; 32],
    });
    Manifest::new("sample", serialization, resources.to_vec()).unwrap()
}

fn key(curve: Curve) -> EcdsaSigningKey {
    EcdsaSigningKey::generate(curve).unwrap()
}

fn signed(key: &EcdsaSigningKey) -> Vec<u8> {
    sign(&manifest(1), key, Identity::key(key.verifying_key())).unwrap().bundle
}

fn edited(bundle: &[u8], edit: impl FnOnce(&mut Value)) -> Vec<u8> {
    let mut value: Value = serde_json::from_slice(bundle).unwrap();
    edit(&mut value);
    serde_json::to_vec(&value).unwrap()
}

#[test]
fn every_curve_signs_and_verifies() {
    for curve in CURVES {
        let key = key(curve);
        let verified = verify(&signed(&key), Trust::Key(key.verifying_key())).unwrap();
        assert_eq!(verified.compare(&manifest(1)), Ok(()));
        assert_eq!(verified.compare(&manifest(2)).unwrap_err().changed.len(), 3);
    }
}

#[test]
fn whitespace_and_unknown_keys_change_nothing() {
    let key = key(Curve::P256);
    let bundle = edited(&signed(&key), |value| {
        value["later"] = json!({"a": [1]});
        value["dsseEnvelope"]["signatures"][0]["keyid"] = Value::Null;
    });
    let pretty = serde_json::to_vec_pretty(&serde_json::from_slice::<Value>(&bundle).unwrap()).unwrap();
    verify(&pretty, Trust::Key(key.verifying_key())).unwrap();
}

#[test]
fn forged_bundles_are_refused_each_for_its_reason() {
    let (key, other) = (key(Curve::P256), key(Curve::P256));
    let bundle = signed(&key);
    let check = |bundle: &[u8]| verify(bundle, Trust::Key(key.verifying_key())).map(|_| ()).unwrap_err();

    assert!(matches!(check(&signed(&other)), VerifyError::OtherKey { .. }));
    let unnamed = edited(&signed(&other), |it| it["verificationMaterial"]["publicKey"] = json!({}));
    assert!(matches!(check(&unnamed), VerifyError::Signature(_)), "no hint, and another key's signature");
    let payload = edited(&bundle, |it| {
        let text =
            String::from_utf8(STANDARD.decode(it["dsseEnvelope"]["payload"].as_str().unwrap()).unwrap());
        it["dsseEnvelope"]["payload"] = json!(STANDARD.encode(text.unwrap().replace("tok/a", "tok/b")));
    });
    assert!(matches!(check(&payload), VerifyError::Signature(_)));
    let two = edited(&bundle, |it| {
        let one = it["dsseEnvelope"]["signatures"][0].clone();
        it["dsseEnvelope"]["signatures"] = json!([one, one]);
    });
    assert!(matches!(check(&two), VerifyError::Bundle(BundleError::Signatures(2))));
    let none = edited(&bundle, |it| it["dsseEnvelope"]["signatures"] = json!([]));
    assert!(matches!(check(&none), VerifyError::Bundle(BundleError::Signatures(0))));
    let kind = edited(&bundle, |it| it["dsseEnvelope"]["payloadType"] = json!("text/plain"));
    assert!(matches!(check(&kind), VerifyError::Bundle(BundleError::PayloadType(_))));
    let media =
        edited(&bundle, |it| it["mediaType"] = json!("application/vnd.dev.sigstore.bundle+json;version=0.2"));
    assert!(matches!(check(&media), VerifyError::Bundle(BundleError::MediaType(_))));
    let both = edited(&bundle, |it| {
        it["verificationMaterial"]["x509CertificateChain"] = json!({"certificates": []});
    });
    assert!(matches!(check(&both), VerifyError::Bundle(BundleError::Ambiguous)));
    let keyless = edited(&bundle, |it| it["verificationMaterial"] = json!({"certificate": {"rawBytes": ""}}));
    assert!(check(&keyless).to_string().contains("keyless"));
    let chain = edited(&bundle, |it| {
        it["verificationMaterial"] = json!({"x509CertificateChain": {"certificates": []}});
    });
    assert!(matches!(check(&chain), VerifyError::NeedsCertificates));
    let text = String::from_utf8(bundle).unwrap();
    let twice = text.replacen("\"payloadType\":", "\"payloadType\":\"\",\"payloadType\":", 1);
    assert!(matches!(check(twice.as_bytes()), VerifyError::Bundle(BundleError::Json(_))));
    assert!(matches!(check(format!("{text}{text}").as_bytes()), VerifyError::Bundle(BundleError::Json(_))));
}

#[test]
fn a_signature_over_python_s_spelling_of_the_payload_is_read() {
    let key = key(Curve::P256);
    let bundle = edited(&signed(&key), |it| {
        let payload = STANDARD.decode(it["dsseEnvelope"]["payload"].as_str().unwrap()).unwrap();
        // The payload has letters beyond ASCII but no quote or backslash; Python spells the two bytes of `ü` so.
        let spelled = String::from_utf8(payload.clone()).unwrap().replace('ü', "\\xc3\\xbc");
        let message = format!("DSSEV1 28 application/vnd.in-toto+json {} b'{spelled}'", payload.len());
        it["dsseEnvelope"]["signatures"][0]["sig"] =
            json!(STANDARD.encode(key.sign(message.as_bytes()).unwrap()));
    });
    verify(&bundle, Trust::Key(key.verifying_key())).unwrap();
}

#[test]
fn a_scan_is_bound_to_the_signature_of_its_model() {
    let key = key(Curve::P384);
    let identity = || Identity::key(key.verifying_key());
    let model = sign(&manifest(1), &key, identity()).unwrap();
    let record = ScanRecord {
        name: "sample".to_owned(),
        root: manifest(1).root(),
        statement: model.statement,
        at: Timestamp::from_micros(0),
        verdict: Assessment::Review,
        found: Assessment::Review,
        accepted: Vec::new(),
        scanner: "bastide".to_owned(),
        scanner_version: "0.1.0".to_owned(),
        rules: [3; 32],
        failed: Vec::new(),
        warned: vec!["pickle.unknown".to_owned()],
        bom: Some([4; 32]),
        base_model: None,
    };
    let scan = sign_scan(&record, &key, identity()).unwrap().bundle;
    let trust = Trust::Key(key.verifying_key());
    let verified = verify(&model.bundle, trust).unwrap();
    assert_eq!(verify_scan(&scan, trust, &verified).unwrap().record(), &record);

    // The same digests under other names have the same root; the statement tells them apart.
    let renamed = Manifest::new(
        "sample",
        manifest(1).serialization().clone(),
        manifest(1)
            .resources()
            .iter()
            .map(|it| Resource {
                place: Place {
                    path: Some(ResourcePath::new(&format!("{}.bak", it.place)).unwrap()),
                    shard: None,
                },
                digest: it.digest.clone(),
            })
            .collect(),
    )
    .unwrap();
    assert_eq!(renamed.root(), manifest(1).root());
    let other = verify(&sign(&renamed, &key, identity()).unwrap().bundle, trust).unwrap();
    assert!(matches!(verify_scan(&scan, trust, &other), Err(VerifyError::OtherModel)));

    // One is no substitute for the other.
    let statement = |error| matches!(error, VerifyError::Statement(StatementError::Predicate { .. }));
    assert!(statement(verify(&scan, trust).unwrap_err()));
    assert!(statement(verify_scan(&model.bundle, trust, &verified).unwrap_err()));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    #[test]
    fn no_change_of_a_byte_makes_another_statement(at: prop::sample::Index, byte: u8, curve in 0_usize..3) {
        let key = EcdsaSigningKey::generate(CURVES[curve]).unwrap();
        let mut bundle = signed(&key);
        let at = at.index(bundle.len());
        bundle[at] = byte;
        if let Ok(verified) = verify(&bundle, Trust::Key(key.verifying_key())) {
            // What is not signed may change: a key that is not read, or the key's name made absent.
            prop_assert_eq!(verified.manifest(), &manifest(1));
        }
    }

    #[test]
    fn no_bytes_panic(bytes: Vec<u8>) {
        let key = EcdsaSigningKey::generate(Curve::P256).unwrap();
        prop_assert!(verify(&bytes, Trust::Key(key.verifying_key())).is_err());
    }
}
