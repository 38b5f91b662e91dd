//! Keyless signatures and trusted roots, changed at random: nothing panics, and what still verifies says the same.
#![cfg(feature = "sigstore")]

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bastide_signing::{KeylessIdentity, Trust, TrustedRoot, VerifiedModel, verify};
use proptest::prelude::*;
use proptest::sample::Index;
use serde_json::Value;

const ROOT: &[u8] = include_bytes!("sigstore/trusted_root.json");
const BUNDLE: &[u8] = include_bytes!("sigstore/v1.1.0-sigstore.sig");

fn check(root: &[u8], bundle: &[u8]) -> Option<VerifiedModel> {
    let root = TrustedRoot::from_json(root).ok()?;
    let identity = KeylessIdentity {
        identity: "stefanb@us.ibm.com".to_owned(),
        provider: "https://sigstore.verify.ibm.com/oauth2".to_owned(),
    };
    verify(bundle, Trust::Keyless { root: &root, identity: &identity }).ok()
}

/// The time and place of the entry are in it, so that a verified signature of another entry is another.
fn facts(model: &VerifiedModel) -> String {
    format!("{:?}", (model.statement(), model.signed_by(), model.format()))
}

/// Changes one text somewhere in the document; in what it encodes, where that is base64.
fn edit(value: &mut Value, which: Index, at: Index, byte: u8) {
    fn texts<'a>(value: &'a mut Value, all: &mut Vec<&'a mut String>) {
        match value {
            Value::String(text) => all.push(text),
            Value::Array(values) => values.iter_mut().for_each(|value| texts(value, all)),
            Value::Object(fields) => fields.values_mut().for_each(|value| texts(value, all)),
            _ => {}
        }
    }
    let mut all = Vec::new();
    texts(value, &mut all);
    let text = which.get_mut(&mut all);
    match STANDARD.decode(text.as_bytes()) {
        Ok(mut bytes) if !bytes.is_empty() => {
            *at.get_mut(&mut bytes) = byte;
            **text = STANDARD.encode(bytes);
        }
        _ => text.push(char::from(byte)),
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(768))]

    #[test]
    fn a_changed_bundle_says_the_same_or_nothing(which: Index, at: Index, byte: u8) {
        let mut bundle: Value = serde_json::from_slice(BUNDLE).unwrap();
        edit(&mut bundle, which, at, byte);
        if let Some(model) = check(ROOT, bundle.to_string().as_bytes()) {
            prop_assert_eq!(facts(&model), facts(&check(ROOT, BUNDLE).unwrap()));
        }
    }

    #[test]
    fn a_bundle_with_one_other_byte_says_the_same_or_nothing(at: Index, byte: u8) {
        let mut bundle = BUNDLE.to_vec();
        *at.get_mut(&mut bundle) = byte;
        if let Some(model) = check(ROOT, &bundle) {
            prop_assert_eq!(facts(&model), facts(&check(ROOT, BUNDLE).unwrap()));
        }
    }

    #[test]
    fn a_changed_trusted_root_says_the_same_or_nothing(which: Index, at: Index, byte: u8) {
        let mut root: Value = serde_json::from_slice(ROOT).unwrap();
        edit(&mut root, which, at, byte);
        if let Some(model) = check(root.to_string().as_bytes(), BUNDLE) {
            prop_assert_eq!(facts(&model), facts(&check(ROOT, BUNDLE).unwrap()));
        }
    }
}
