//! A whole instance of Sigstore made in the test: an authority, a log of certificates, a log of signatures. What is forged
//! by whoever lacks one key, or has an entry of something else, is refused for what it is.
#![cfg(feature = "sigstore")]
#![expect(clippy::unwrap_used, clippy::panic, reason = "a test stops at what it does not expect")]

use std::rc::Rc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bastide_crypto::{ContentHash, Curve, EcdsaSigningKey, sha256};
use bastide_signing::{
    Identity, KeylessError, KeylessIdentity, Manifest, Method, Place, Resource, ResourcePath, Serialization,
    Trust, TrustedRoot, VerifyError, sign, verify,
};
use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, CustomExtension, DnType, ExtendedKeyUsagePurpose,
    IsCa, KeyPair, KeyUsagePurpose, PKCS_ECDSA_P256_SHA256, PublicKeyData as _, SanType, SerialNumber,
    date_time_ymd,
};
use serde_json::{Value, json};

const IDENTITY: &str = "https://github.com/acme/models/.github/workflows/release.yml@refs/heads/main";
const PROVIDER: &str = "https://token.actions.githubusercontent.com";
/// 2025-06-01T12:00:00Z; the certificates are valid on this day.
const NOON: u64 = 1_748_779_200;

struct Instance {
    top: CertifiedIssuer<'static, KeyPair>,
    middle: CertifiedIssuer<'static, KeyPair>,
    certificate_log: Rc<EcdsaSigningKey>,
    log: Rc<EcdsaSigningKey>,
}

/// Everything that may be forged.
struct Parts {
    identity: SanType,
    provider: &'static str,
    /// Only in the old extension.
    old_provider: bool,
    purpose: ExtendedKeyUsagePurpose,
    logged_at: u64,
    kind: (&'static str, &'static str),
    /// The payload that the entry is of, where it is another.
    logged_payload: Option<Vec<u8>>,
    certificate_log: Rc<EcdsaSigningKey>,
    /// The timestamp of the certificate log is of another certificate.
    foreign_timestamp: bool,
    /// Who signed the model, where it was not the key of the certificate.
    signer: Option<Rc<EcdsaSigningKey>>,
    entry_signer: Rc<EcdsaSigningKey>,
    checkpoint_signer: Rc<EcdsaSigningKey>,
}

fn key() -> Rc<EcdsaSigningKey> {
    Rc::new(EcdsaSigningKey::generate(Curve::P256).unwrap())
}

fn spki(key: &EcdsaSigningKey) -> Vec<u8> {
    key.verifying_key().spki()
}

fn authority(name: &str) -> CertificateParams {
    let mut params = CertificateParams::default();
    params.distinguished_name.push(DnType::CommonName, name);
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign];
    params.not_before = date_time_ymd(2020, 1, 1);
    params.not_after = date_time_ymd(2030, 1, 1);
    params
}

fn new_pair() -> KeyPair {
    KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256).unwrap()
}

/// The head of a tree of these leaves, and the path to it from the one at `at`, bottom first.
fn tree(leaves: &[[u8; 32]], at: usize) -> ([u8; 32], Vec<[u8; 32]>) {
    if let [only] = leaves {
        return (*only, Vec::new());
    }
    let (left, right) = leaves.split_at(leaves.len().next_power_of_two() / 2);
    let (inside, outside) = if at < left.len() {
        (tree(left, at), tree(right, 0).0)
    } else {
        (tree(right, at - left.len()), tree(left, 0).0)
    };
    let (head, mut path) = inside;
    let (first, second) = if at < left.len() { (head, outside) } else { (outside, head) };
    path.push(outside);
    (sha256(&[&[1][..], &first, &second].concat()), path)
}

/// A DER element of less than 256 bytes.
fn element(tag: u8, content: &[u8]) -> Vec<u8> {
    let length = u8::try_from(content.len()).unwrap();
    let head = if length < 128 { vec![tag, length] } else { vec![tag, 0x81, length] };
    [head, content.to_vec()].concat()
}

fn behind_length(bytes: &[u8]) -> Vec<u8> {
    [&u16::try_from(bytes.len()).unwrap().to_be_bytes(), bytes].concat()
}

/// The signed part of a certificate, both lengths of which take two bytes.
fn signed_part(certificate: &[u8]) -> &[u8] {
    let length = usize::from(u16::from_be_bytes([certificate[6], certificate[7]]));
    &certificate[4..8 + length]
}

impl Instance {
    fn new() -> Self {
        let top = CertifiedIssuer::self_signed(authority("top"), new_pair()).unwrap();
        let middle = CertifiedIssuer::signed_by(authority("middle"), new_pair(), &top).unwrap();
        Instance { top, middle, certificate_log: key(), log: key() }
    }

    fn root(&self) -> TrustedRoot {
        let log = |key: &EcdsaSigningKey| {
            json!({
                "hashAlgorithm": "SHA2_256",
                "publicKey": {"rawBytes": STANDARD.encode(spki(key)), "validFor": {"start": "2025-01-01T00:00:00Z"}},
                "logId": {"keyId": STANDARD.encode(sha256(&spki(key)))}
            })
        };
        let chain: Vec<Value> =
            [&self.middle, &self.top].map(|it| json!({"rawBytes": STANDARD.encode(it.der())})).to_vec();
        let root = json!({
            "mediaType": "application/vnd.dev.sigstore.trustedroot+json;version=0.1",
            "tlogs": [log(&self.log)],
            "ctlogs": [log(&self.certificate_log)],
            "certificateAuthorities": [{
                "certChain": {"certificates": chain},
                "validFor": {"start": "2025-01-01T00:00:00Z", "end": "2029-01-01T00:00:00.5Z"}
            }]
        });
        TrustedRoot::from_json(root.to_string().as_bytes()).unwrap()
    }

    fn certificate(&self, parts: &Parts, pair: &KeyPair) -> Vec<u8> {
        let mut params = CertificateParams::default();
        params.distinguished_name = rcgen::DistinguishedName::new();
        params.serial_number = Some(SerialNumber::from(vec![7; 20]));
        params.not_before = date_time_ymd(2025, 6, 1);
        params.not_after = date_time_ymd(2025, 6, 2);
        params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        params.extended_key_usages = vec![parts.purpose.clone()];
        params.subject_alt_names = vec![parts.identity.clone()];
        let oid = |last| [1, 3, 6, 1, 4, 1, 57264, 1, last];
        let provider = parts.provider.as_bytes();
        params.custom_extensions = vec![if parts.old_provider {
            CustomExtension::from_oid_content(&oid(1), provider.to_vec())
        } else {
            CustomExtension::from_oid_content(&oid(8), element(0x0c, provider))
        }];
        let unsigned = params.signed_by(pair, &self.middle).unwrap();
        let mut seen = signed_part(unsigned.der()).to_vec();
        if parts.foreign_timestamp {
            *seen.last_mut().unwrap() ^= 1;
        }
        let millis = (NOON * 1000).to_be_bytes();
        let issuer = sha256(&self.middle.key().subject_public_key_info());
        let length = u32::try_from(seen.len()).unwrap().to_be_bytes();
        let message = [&[0, 0][..], &millis, &[0, 1], &issuer, &length[1..], &seen, &[0, 0]].concat();
        let signature = behind_length(&parts.certificate_log.sign(&message).unwrap());
        let log = sha256(&spki(&self.certificate_log));
        let timestamp = [&[0][..], &log, &millis, &[0, 0], &[4, 3], &signature].concat();
        let list = behind_length(&behind_length(&timestamp));
        params.custom_extensions.push(CustomExtension::from_oid_content(
            &[1, 3, 6, 1, 4, 1, 11129, 2, 4, 2],
            element(0x04, &list),
        ));
        params.signed_by(pair, &self.middle).unwrap().der().to_vec()
    }

    /// A signature and its entry in a log of five.
    fn bundle(&self, edit: impl FnOnce(&mut Parts)) -> Value {
        let mut parts = Parts {
            identity: SanType::URI(IDENTITY.try_into().unwrap()),
            provider: PROVIDER,
            old_provider: false,
            purpose: ExtendedKeyUsagePurpose::CodeSigning,
            logged_at: NOON,
            kind: ("dsse", "0.0.1"),
            logged_payload: None,
            certificate_log: Rc::clone(&self.certificate_log),
            foreign_timestamp: false,
            signer: None,
            entry_signer: Rc::clone(&self.log),
            checkpoint_signer: Rc::clone(&self.log),
        };
        edit(&mut parts);
        parts.assemble(self)
    }

    fn check(&self, bundle: &Value) -> Result<(), VerifyError> {
        let identity = KeylessIdentity { identity: IDENTITY.to_owned(), provider: PROVIDER.to_owned() };
        let trust = Trust::Keyless { root: &self.root(), identity: &identity };
        verify(bundle.to_string().as_bytes(), trust).map(|_| ())
    }

    #[track_caller]
    fn refuses(&self, edit: impl FnOnce(&mut Parts)) -> KeylessError {
        match self.check(&self.bundle(edit)) {
            Err(VerifyError::Keyless(error)) => error,
            other => panic!("{other:?}"),
        }
    }
}

impl Parts {
    fn assemble(self, instance: &Instance) -> Value {
        let pair = new_pair();
        let own = Rc::new(EcdsaSigningKey::from_pem(&pair.serialize_pem()).unwrap());
        let signer = self.signer.clone().unwrap_or(own);
        let certificate = instance.certificate(&self, &pair);
        let serialization = Serialization {
            method: Method::Files,
            hash: ContentHash::Sha256,
            allow_symlinks: false,
            ignored: Vec::new(),
        };
        let place = Place { path: Some(ResourcePath::new("a").unwrap()), shard: None };
        let resources = vec![Resource { place, digest: vec![1; 32] }];
        let manifest = Manifest::new("m", serialization, resources).unwrap();
        let by_key = sign(&manifest, signer.as_ref(), Identity::key(signer.verifying_key())).unwrap().bundle;
        let mut bundle: Value = serde_json::from_slice(&by_key).unwrap();
        let envelope = &bundle["dsseEnvelope"];
        let text = |value: &Value| value.as_str().unwrap().to_owned();
        let payload = STANDARD.decode(text(&envelope["payload"])).unwrap();
        let payload = self.logged_payload.clone().unwrap_or(payload);
        let signature = text(&envelope["signatures"][0]["sig"]);

        let body = self.body(&payload, &signature, &certificate).to_string();
        let leaf = sha256(&[b"\0", body.as_bytes()].concat());
        let leaves = [[1; 32], [2; 32], leaf, [4; 32], [5; 32]];
        let (head, path) = tree(&leaves, 2);
        let log = sha256(&spki(&instance.log));
        let head_text = STANDARD.encode(head);
        let note = format!("log.test\n5\n{head_text}\n");
        let signed = self.checkpoint_signer.sign(note.as_bytes()).unwrap();
        let signed = STANDARD.encode([&log[..4], &signed].concat());
        // The keys in the order of the alphabet, as canonical JSON has them.
        let hex: String = log.iter().map(|byte| format!("{byte:02x}")).collect();
        let body = STANDARD.encode(body);
        let promise = format!(
            r#"{{"body":"{body}","integratedTime":{},"logID":"{hex}","logIndex":1002}}"#,
            self.logged_at
        );
        let path: Vec<String> = path.iter().map(|hash| STANDARD.encode(hash)).collect();
        bundle["verificationMaterial"] = json!({
            "certificate": {"rawBytes": STANDARD.encode(&certificate)},
            "tlogEntries": [{
                "logIndex": "1002",
                "logId": {"keyId": STANDARD.encode(log)},
                "kindVersion": {"kind": self.kind.0, "version": self.kind.1},
                "integratedTime": self.logged_at.to_string(),
                "inclusionPromise": {
                    "signedEntryTimestamp": STANDARD.encode(self.entry_signer.sign(promise.as_bytes()).unwrap())
                },
                "inclusionProof": {
                    "logIndex": "2", "treeSize": "5", "rootHash": head_text, "hashes": path,
                    "checkpoint": {"envelope": format!("{note}\n\u{2014} log.test {signed}\n")}
                },
                "canonicalizedBody": body
            }]
        });
        bundle
    }

    /// What the log keeps of the signature, in each of its kinds.
    fn body(&self, payload: &[u8], signature: &str, certificate: &[u8]) -> Value {
        let hash = |bytes: &[u8]| {
            let value: String = sha256(bytes).iter().map(|byte| format!("{byte:02x}")).collect();
            json!({"algorithm": "sha256", "value": value})
        };
        let pem = format!(
            "-----BEGIN CERTIFICATE-----\n{}\n-----END CERTIFICATE-----\n",
            STANDARD.encode(certificate)
        );
        let pem = STANDARD.encode(pem);
        let kind = "application/vnd.in-toto+json";
        let message =
            [format!("DSSEv1 {} {kind} {} ", kind.len(), payload.len()).as_bytes(), payload].concat();
        let hash_v2 =
            |bytes: &[u8]| json!({"algorithm": "SHA2_256", "digest": STANDARD.encode(sha256(bytes))});
        let signature_v2 = json!({
            "content": signature,
            "verifier": {"x509Certificate": {"rawBytes": STANDARD.encode(certificate)}, "keyDetails": "PKIX_ECDSA_P256_SHA_256"}
        });
        let spec = match self.kind {
            ("dsse", "0.0.2") => {
                json!({"dsseV002": {"payloadHash": hash_v2(payload), "signatures": [signature_v2]}})
            }
            ("hashedrekord", "0.0.2") => {
                json!({"hashedRekordV002": {"data": hash_v2(&message), "signature": signature_v2}})
            }
            ("dsse", _) => json!({
                "envelopeHash": hash(b"of a spelling that is not kept"),
                "payloadHash": hash(payload),
                "signatures": [{"signature": signature, "verifier": pem}]
            }),
            ("intoto", _) => json!({"content": {
                "envelope": {"payloadType": kind, "signatures": [{"sig": STANDARD.encode(signature), "publicKey": pem}]},
                "hash": hash(b"of a spelling that is not kept"),
                "payloadHash": hash(payload)
            }}),
            ("hashedrekord", _) => json!({
                "data": {"hash": hash(&message)},
                "signature": {"content": signature, "publicKey": {"content": pem}}
            }),
            _ => json!({}),
        };
        json!({"apiVersion": self.kind.1, "kind": self.kind.0, "spec": spec})
    }
}

#[test]
fn every_kind_of_entry_verifies() {
    let instance = Instance::new();
    for kind in [
        ("dsse", "0.0.1"),
        ("intoto", "0.0.2"),
        ("hashedrekord", "0.0.1"),
        ("dsse", "0.0.2"),
        ("hashedrekord", "0.0.2"),
    ] {
        let bundle = instance.bundle(|it| it.kind = kind);
        instance.check(&bundle).unwrap_or_else(|error| panic!("{kind:?}: {error}"));
        let payload = instance.refuses(|it| {
            (it.kind, it.logged_payload) = (kind, Some(b"another".to_vec()));
        });
        assert!(matches!(payload, KeylessError::OtherPayload), "{kind:?}: {payload}");
    }
    let unknown = instance.refuses(|it| it.kind = ("rpm", "0.0.1"));
    assert_eq!(
        unknown.to_string(),
        "the log entry is of the kind `rpm 0.0.1`, which this version does not read"
    );
}

#[test]
fn old_certificates_name_the_provider_elsewhere() {
    let instance = Instance::new();
    instance.check(&instance.bundle(|it| it.old_provider = true)).unwrap();
}

#[test]
fn another_signer_is_named() {
    let instance = Instance::new();
    let identity =
        instance.refuses(|it| it.identity = SanType::Rfc822Name("m@evil.example".try_into().unwrap()));
    assert_eq!(identity.to_string(), format!("the signer is `m@evil.example`, not `{IDENTITY}`"));
    let provider = instance.refuses(|it| it.provider = "https://evil.example");
    assert_eq!(
        provider.to_string(),
        format!("the identity provider is `https://evil.example`, not `{PROVIDER}`")
    );
}

#[test]
fn a_certificate_counts_for_code_while_it_is_valid_and_after_a_log_saw_it() {
    let instance = Instance::new();
    for hours in [-13, 13] {
        let when = NOON.saturating_add_signed(hours * 3600);
        let late = instance.refuses(|it| it.logged_at = when);
        assert!(matches!(late, KeylessError::OutsideValidity), "{hours}: {late}");
    }
    let web = instance.refuses(|it| it.purpose = ExtendedKeyUsagePurpose::ServerAuth);
    assert!(matches!(web, KeylessError::Authority(_)), "{web}");
    let unseen = instance.refuses(|it| it.certificate_log = key());
    assert!(matches!(unseen, KeylessError::CertificateLog), "{unseen}");
    let other = instance.refuses(|it| it.foreign_timestamp = true);
    assert!(matches!(other, KeylessError::CertificateLog), "{other}");
}

#[test]
fn an_authority_of_another_instance_does_not_count() {
    let (instance, other) = (Instance::new(), Instance::new());
    let refused = |bundle| match instance.check(&bundle) {
        Err(VerifyError::Keyless(error)) => error,
        found => panic!("{found:?}"),
    };
    let log = refused(other.bundle(|_| {}));
    assert!(matches!(log, KeylessError::UnknownLog(_)), "{log}");
    let mixed = Instance { log: Rc::clone(&instance.log), ..other };
    let authority = refused(mixed.bundle(|_| {}));
    assert!(matches!(authority, KeylessError::Authority(_)), "{authority}");
}

#[test]
fn what_the_log_did_not_sign_is_refused() {
    let instance = Instance::new();
    let promise = instance.refuses(|it| it.entry_signer = key());
    assert!(matches!(promise, KeylessError::EntryTimestamp), "{promise}");
    let note = instance.refuses(|it| it.checkpoint_signer = key());
    assert!(matches!(note, KeylessError::CheckpointSignature), "{note}");
    let entry = "/verificationMaterial/tlogEntries/0";
    let edited = |path: &str, value: Value| {
        let mut bundle = instance.bundle(|_| {});
        *bundle.pointer_mut(&format!("{entry}{path}")).unwrap() = value;
        match instance.check(&bundle) {
            Err(VerifyError::Keyless(error)) => error,
            found => panic!("{found:?}"),
        }
    };
    let tampered = edited("/inclusionPromise/signedEntryTimestamp", json!("MAYCAQECAQE="));
    assert!(matches!(tampered, KeylessError::EntryTimestamp), "{tampered}");
    let neighbour = edited("/inclusionProof/logIndex", json!(3));
    assert!(matches!(neighbour, KeylessError::Inclusion), "{neighbour}");
    let path = edited("/inclusionProof/hashes", json!([]));
    assert!(matches!(path, KeylessError::Inclusion), "{path}");
    let kind = edited("/kindVersion", json!({"kind": "intoto", "version": "0.0.2"}));
    assert!(matches!(kind, KeylessError::Body), "{kind}");
    let second = instance.bundle(|_| {}).pointer(entry).unwrap().clone();
    let second = edited("", second);
    assert!(matches!(second, KeylessError::OtherSignature | KeylessError::OtherCertificate), "{second}");
}

#[test]
fn the_key_of_the_certificate_has_to_have_signed() {
    // All of another signature of the same manifest but the envelope.
    let instance = Instance::new();
    let (one, other) = (instance.bundle(|_| {}), instance.bundle(|_| {}));
    let mut mixed = one.clone();
    mixed["dsseEnvelope"] = other["dsseEnvelope"].clone();
    let refused = instance.check(&mixed).unwrap_err();
    assert!(matches!(refused, VerifyError::Keyless(KeylessError::OtherSignature)), "{refused}");
    // Entered by a log that checks nothing.
    let unsigned = instance.check(&instance.bundle(|it| it.signer = Some(key()))).unwrap_err();
    assert!(matches!(unsigned, VerifyError::Signature(_)), "{unsigned}");
}
