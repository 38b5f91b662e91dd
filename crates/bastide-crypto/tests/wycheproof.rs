//! The Wycheproof vectors, read from the folder that `BASTIDE_TESTDATA` names.

#![expect(clippy::unwrap_used, clippy::panic, clippy::print_stderr, reason = "a test stops at a bad vector")]

use bastide_crypto::{
    EcdsaVerifyingKey, VerifyingKey, ecdsa_der_from_fixed, hkdf_sha256, hmac_sha256, open, seal,
};
use serde_json::Value;

fn cases(file: &str) -> Option<Vec<(Value, Value)>> {
    let Some(folder) = std::env::var_os("BASTIDE_TESTDATA") else {
        eprintln!("skipped: BASTIDE_TESTDATA names no folder with wycheproof/{file}");
        return None;
    };
    let path = std::path::Path::new(&folder).join("wycheproof").join(file);
    let text = std::fs::read_to_string(&path).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
    let root: Value = serde_json::from_str(&text).unwrap();
    let mut out = Vec::new();
    for group in root["testGroups"].as_array().unwrap() {
        for test in group["tests"].as_array().unwrap() {
            out.push((group.clone(), test.clone()));
        }
    }
    assert_eq!(Some(out.len() as u64), root["numberOfTests"].as_u64());
    Some(out)
}

fn hex(value: &Value) -> Vec<u8> {
    let text = value.as_str().unwrap();
    (0..text.len()).step_by(2).map(|i| u8::from_str_radix(&text[i..i + 2], 16).unwrap()).collect()
}

fn valid(test: &Value) -> bool {
    test["result"] == "valid"
}

#[test]
fn ed25519() {
    let Some(cases) = cases("ed25519_test.json") else { return };
    for (group, test) in cases {
        let key = VerifyingKey::from_bytes(hex(&group["publicKey"]["pk"]).try_into().unwrap());
        assert_eq!(key.verify(&hex(&test["msg"]), &hex(&test["sig"])).is_ok(), valid(&test), "{test}");
    }
}

#[test]
fn ecdsa() {
    for file in ["ecdsa_secp256r1_sha256_test.json", "ecdsa_secp384r1_sha384_test.json"] {
        let Some(cases) = cases(file) else { return };
        for (group, test) in cases {
            let key = EcdsaVerifyingKey::from_spki(&hex(&group["publicKeyDer"])).unwrap();
            assert_eq!(key.verify(&hex(&test["msg"]), &hex(&test["sig"])).is_ok(), valid(&test), "{test}");
        }
    }
}

#[test]
fn ecdsa_of_tokens() {
    for file in ["ecdsa_secp256r1_sha256_p1363_test.json", "ecdsa_secp384r1_sha384_p1363_test.json"] {
        let Some(cases) = cases(file) else { return };
        for (group, test) in cases.into_iter().filter(|(_, test)| valid(test)) {
            let key = EcdsaVerifyingKey::from_spki(&hex(&group["publicKeyDer"])).unwrap();
            let der = ecdsa_der_from_fixed(&hex(&test["sig"])).unwrap();
            assert_eq!(key.verify(&hex(&test["msg"]), &der), Ok(()), "{test}");
        }
    }
}

#[test]
fn hmac() {
    let Some(cases) = cases("hmac_sha256_test.json") else { return };
    for (group, test) in cases {
        let tag = hmac_sha256(&hex(&test["key"]), &[&hex(&test["msg"])]);
        let bytes = usize::try_from(group["tagSize"].as_u64().unwrap() / 8).unwrap();
        assert_eq!(tag[..bytes] == hex(&test["tag"])[..], valid(&test), "{test}");
    }
}

#[test]
fn aes_gcm() {
    let Some(cases) = cases("aes_gcm_test.json") else { return };
    let mut run = 0;
    for (group, test) in cases {
        // Keys of 256 bits and nonces of 96 are all that this crate offers.
        if group["keySize"] != 256 || group["ivSize"] != 96 {
            continue;
        }
        run += 1;
        let key: [u8; 32] = hex(&test["key"]).try_into().unwrap();
        let nonce: [u8; 12] = hex(&test["iv"]).try_into().unwrap();
        let (aad, text) = (hex(&test["aad"]), hex(&test["msg"]));
        let sealed = [hex(&test["ct"]), hex(&test["tag"])].concat();
        let opened = open(&key, nonce, &aad, &sealed);
        assert_eq!(opened.is_ok(), valid(&test), "{test}");
        if valid(&test) {
            assert_eq!(opened.unwrap(), text, "{test}");
            assert_eq!(seal(&key, nonce, &aad, &text), sealed, "{test}");
        }
    }
    assert!(run > 50, "only {run} cases apply");
}

#[test]
fn hkdf() {
    let Some(cases) = cases("hkdf_sha256_test.json") else { return };
    for (_, test) in cases {
        let mut out = vec![0; usize::try_from(test["size"].as_u64().unwrap()).unwrap()];
        let done = hkdf_sha256(&hex(&test["salt"]), &hex(&test["ikm"]), &hex(&test["info"]), &mut out);
        assert_eq!(done.is_ok(), valid(&test), "{test}");
        if valid(&test) {
            assert_eq!(out, hex(&test["okm"]), "{test}");
        }
    }
}
