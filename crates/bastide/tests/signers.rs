//! Who signs a model, and whose signatures count: keys in every state, certificates, revocation, several signers.
#![allow(clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

mod common;

use std::fs;
use std::process::Output;

use common::model::{Model, authority, ends, json_of, said};
use rcgen::{
    CertificateParams, CertificateRevocationListParams, CertifiedIssuer, DnType, ExtendedKeyUsagePurpose,
    KeyIdMethod, KeyPair, KeyUsagePurpose, PKCS_ECDSA_P256_SHA256, PKCS_ECDSA_P384_SHA384, PKCS_ED25519,
    RevokedCertParams, SerialNumber, date_time_ymd,
};
use serde_json::json;

#[track_caller]
fn fails_with(output: &Output, code: i32, words: &[&str]) {
    ends(output, code);
    let text = said(output);
    for word in words {
        assert!(text.contains(word), "{word}: {text}");
    }
}

#[test]
fn a_strict_look_lets_nothing_else_be_in_the_folder() {
    let model = Model::signed();
    ends(&model.verify("--strict"), 0);
    fs::create_dir_all(model.path("model/cache/empty")).expect("a folder");
    fails_with(
        &model.verify("--strict"),
        1,
        &["cache/empty (an empty folder", "does not cover `cache/empty`"],
    );
    ends(&model.verify(""), 0);
    fs::remove_dir_all(model.path("model/cache")).expect("removed");
    for (path, why) in [(".gitignore", "left out by the signer"), ("notes.txt", "left out here: `--ignore`")]
    {
        model.write(&format!("model/{path}"), b"x");
        let flags = "--ignore @model/notes.txt";
        let output = model.verify(flags);
        ends(&output, 0);
        let lines = format!(
            "not covered  1 path is there that the signature does not speak of; `--strict` refuses that\nnot checked  {path} ({why})"
        );
        assert!(said(&output).contains(&lines), "{}", said(&output));
        let value = json_of(&model.verify(&format!("{flags} --strict --json")));
        assert_eq!((&value["verified"], &value["unchecked"]["count"]), (&json!(false), &json!(1)), "{value}");
        fs::remove_file(model.path(&format!("model/{path}"))).expect("removed");
    }
    std::os::unix::fs::symlink(model.path("key.pub"), model.path("model/link")).expect("a link");
    ends(&model.sign("--allow-symlinks"), 0);
    ends(&model.verify("--allow-symlinks"), 0);
    fails_with(&model.verify("--allow-symlinks --strict"), 1, &["link         link (compared"]);
    ends(&model.verify("--strict --ignore-unsigned-files"), 2);
}

#[test]
fn files_about_the_model_may_lie_in_it_under_a_strict_look() {
    let model = Model::new();
    let beside = "--attestation @model/scan.att --cyclonedx @model/bom.json";
    ends(&model.run(&format!("sign --key @key.pem --signature @model/m.sig {beside} @model")), 0);
    let verify = |flags: &str| {
        model.run(&format!("verify --public-key @key.pub --signature @model/m.sig {flags} --strict @model"))
    };
    ends(&verify(beside), 0);
    // What is there and was not looked at is told.
    fails_with(&verify("--attestation @model/scan.att"), 1, &["bom.json (left out by the signer)"]);
}

#[test]
fn several_signers_have_to_hold_each() {
    let model = Model::new();
    for name in ["vendor", "us", "mallory"] {
        model.key(name, &PKCS_ECDSA_P384_SHA384);
    }
    let sign = |name: &str, flags: &str| {
        model.run(&format!("sign --key @{name}.pem --signature @model/{name}.sig {flags} @model"))
    };
    ends(&sign("vendor", "--ignore @model/us.sig"), 0);
    ends(&sign("us", "--hash blake3"), 0);
    let both = "--public-key @vendor.pub --public-key @us.pub";
    let verify = |flags: &str| model.run(&format!("verify {flags} --strict @model"));
    let signatures = "--signature @model/vendor.sig --signature @model/us.sig";
    let output = verify(&format!("{both} {signatures}"));
    ends(&output, 0);
    assert_eq!(said(&output).matches("signed by    key").count(), 2, "{}", said(&output));
    let value = json_of(&verify(&format!("{both} {signatures} --json")));
    assert_eq!(
        (&value["signatures"][0]["hash"], &value["signatures"][1]["hash"]),
        (&json!("sha256"), &json!("blake3"))
    );
    assert_eq!(value["signatures"][1]["algorithm"], "ecdsa-p384-sha384");

    fails_with(
        &verify(&format!("{both} --signature @model/us.sig")),
        1,
        &["no signature that was given is by", "vendor.pub"],
    );
    fails_with(
        &verify(&format!("--public-key @us.pub {signatures}")),
        1,
        &["vendor.sig`: the signature names another key"],
    );
    fails_with(
        &verify(&format!("--public-key @vendor.pub --public-key @mallory.pub {signatures}")),
        1,
        &["us.sig`: the signature names another key"],
    );
    model.write("model/config.json", b"{}");
    fails_with(&verify(&format!("{both} {signatures}")), 1, &["changed      config.json", "1 changed"]);
}

#[test]
fn what_is_given_in_the_place_of_a_key_is_told_with_a_remedy() {
    let model = Model::signed();
    model.write("ssh", b"-----BEGIN OPENSSH PRIVATE KEY-----\nAAAA\n-----END OPENSSH PRIVATE KEY-----\n");
    model.write("ssh.pub", b"ecdsa-sha2-nistp256 AAAA me");
    model.write(
        "key.p12",
        b"\x30\x13\x02\x01\x03\x30\x0e\x06\x09\x2a\x86\x48\x86\xf7\x0d\x01\x07\x01\xa0\x01\x00",
    );
    model.write("key.der", b"\x30\x03\x02\x01\x01");
    model.write("empty", b"");
    model.write("binary", b"\xff\xfe\x00");
    model.write("ca.crt", authority("root").pem().as_bytes());
    model.key("edwards", &PKCS_ED25519);
    for (file, words) in [
        ("key.pub", ["holds a public key", "which only the signer has"]),
        ("ca.crt", ["holds a certificate", "`--certificate`"]),
        ("ssh", ["a private key of OpenSSH", "ssh-keygen -p -m PKCS8"]),
        ("ssh.pub", ["a public key of OpenSSH", "which only the signer has"]),
        ("key.p12", ["a PKCS#12 file", "openssl pkcs12"]),
        ("key.der", ["DER, not PEM", "-inform DER"]),
        ("empty", ["holds nothing", "openssl ecparam"]),
        ("binary", ["no PEM block of a key", "openssl ecparam"]),
        ("edwards.pem", ["an Ed25519 key", "P-256"]),
    ] {
        let output = model.run(&format!("sign --key @{file} --signature @x.sig @model"));
        fails_with(&output, 3, &[file, "(`--key`)", words[0], words[1]]);
    }
    for (file, words) in [
        ("key.pem", ["holds a private key", "-pubout"]),
        ("ca.crt", ["holds a certificate", "`--root`"]),
        ("ssh.pub", ["a public key of OpenSSH", "ssh-keygen -e -m PKCS8"]),
        ("key.der", ["DER, not PEM", "-pubin -inform DER"]),
        ("edwards.pub", ["an Ed25519 key", "P-256"]),
    ] {
        let output = model.run(&format!("verify --public-key @{file} --signature @model.sig @model"));
        fails_with(&output, 3, &[file, "(`--public-key`)", words[0], words[1]]);
    }
    let output = model.run("verify --root @key.pub --signature @model.sig @model");
    fails_with(&output, 3, &["(`--root`) holds a public key, where certificates in PEM are wanted"]);
}

/// A key for tests, under the passphrase `harmless`.
const ENCRYPTED: &str = "-----BEGIN ENCRYPTED PRIVATE KEY-----
MIHsMFcGCSqGSIb3DQEFDTBKMCkGCSqGSIb3DQEFDDAcBAj49N+bi8Bm+wICCAAw
DAYIKoZIhvcNAgkFADAdBglghkgBZQMEASoEEKtWjztdl8Omqj96mk+1+88EgZCi
DxO/jL/+9rwDjLk8tO5Bsh9OthRIl7JrKTsPMvyrtNLCYVIL9swvVr02xeHmcSeG
yoTZ1q4K1tdfdtRtvY4hTa5j96E4XoUVRIJRJDeOilrrnd2PIqlGW3lvhjje1Zog
l8z4EMmlgH/XpHT7VXeTq6PMRKE2ZQyDd3jRhH6LjS85sCH4MdKNjSrgAxuEY70=
-----END ENCRYPTED PRIVATE KEY-----
";

#[test]
fn an_encrypted_key_takes_its_passphrase_from_a_file_or_the_environment() {
    let model = Model::new();
    model.write("locked.pem", ENCRYPTED.as_bytes());
    model.write("pass", b"harmless\n");
    model.write("wrong", b"harmful\n");
    model.write("none", b"\n");
    let sign = |flags: &str, variables: &[(&str, &str)]| {
        model.run_with(&format!("sign --key @locked.pem --signature @x.sig {flags} @model"), variables)
    };
    fails_with(&sign("", &[]), 3, &["`--key-passphrase-file FILE`", "`BASTIDE_KEY_PASSPHRASE`"]);
    ends(&sign("--key-passphrase-file @pass", &[]), 0);
    ends(&sign("", &[("BASTIDE_KEY_PASSPHRASE", "harmless")]), 0);
    ends(&sign("--key-passphrase-file @pass", &[("BASTIDE_KEY_PASSPHRASE", "harmful")]), 0);
    fails_with(&sign("--key-passphrase-file @wrong", &[]), 3, &["passphrase does not open the private key"]);
    fails_with(&sign("--key-passphrase-file @none", &[]), 3, &["is empty"]);
    fails_with(&sign("--key-passphrase-file @missing", &[]), 3, &["(`--key-passphrase-file`)"]);
}

#[test]
fn everything_that_is_missing_is_told_at_once() {
    let model = Model::new();
    let output = model.run("sign --key @a --certificate @b --signature @c/x.sig @d");
    fails_with(
        &output,
        3,
        &["a` (`--key`)", "b` (`--certificate`)", "c/x.sig` (`--signature`)", "the model"],
    );
    let output = model.run("verify --public-key @a --signature @b --signature @c --attestation @d @e");
    fails_with(
        &output,
        3,
        &["(`--public-key`)", "b` (`--signature`)", "c` (`--signature`)", "(`--attestation`)", "the model"],
    );
}

#[test]
fn programs_get_every_fact_of_a_signature() {
    let model = Model::new();
    model.write("model/.gitignore", b"x");
    let signed = json_of(&model.sign("--json --attestation @scan.att"));
    let verified = json_of(&model.verify("--json --attestation @scan.att"));
    for value in [&signed, &verified] {
        assert_eq!(value["signed_by"]["key"].as_str().map(str::len), Some(64), "{value}");
        assert_eq!(value["algorithm"], "ecdsa-p256-sha256");
        assert_eq!((&value["files"], &value["bytes"]), (&json!(3), &json!(37)), "{value}");
        assert!(value["at"].as_str().is_some_and(|at| at.ends_with('Z')), "{value}");
    }
    assert_eq!(signed["left_out"], json!([".gitignore"]));
    assert_eq!(signed["scan"]["summary"]["verdict"], "clean");
    assert_eq!(verified["unchecked"]["left_out"], json!([".gitignore"]));
    assert!(
        verified["ignored"].as_array().is_some_and(|it| it.contains(&json!("model.sig")) || it.len() == 4)
    );
    assert_eq!(verified["attestation"]["verdict"], "clean");
}

fn signer(name: &str) -> CertificateParams {
    let mut params = CertificateParams::default();
    params.distinguished_name = rcgen::DistinguishedName::new();
    params.distinguished_name.push(DnType::CommonName, name);
    params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    params.extended_key_usages = vec![ExtendedKeyUsagePurpose::CodeSigning];
    params
}

#[test]
fn several_identities_have_to_have_signed_each() {
    let model = Model::new();
    let root = authority("root");
    model.write("root.crt", root.pem().as_bytes());
    for name in ["vendor", "us"] {
        let key = model.key(name, &PKCS_ECDSA_P256_SHA256);
        let leaf = signer(name).signed_by(&key, &root).expect("a certificate");
        model.write(&format!("{name}.crt"), leaf.pem().as_bytes());
        let flags = format!("--key @{name}.pem --certificate @{name}.crt --signature @{name}.sig");
        ends(&model.run(&format!("sign {flags} @model")), 0);
    }
    let verify = |flags: &str| model.run(&format!("verify --root @root.crt {flags} @model"));
    let both = "--identity CN=vendor --identity CN=us";
    ends(&verify(&format!("{both} --signature @us.sig --signature @vendor.sig")), 0);
    ends(&verify("--signature @us.sig --signature @vendor.sig"), 0);
    fails_with(&verify(&format!("{both} --signature @us.sig")), 1, &["given is by `CN=vendor`"]);
    let output = verify("--identity CN=us --signature @us.sig --signature @vendor.sig");
    fails_with(&output, 1, &["vendor.sig`: the signer is `CN=vendor`, not `CN=us`"]);
}

#[test]
fn a_certificate_that_no_verifier_would_take_signs_nothing() {
    let model = Model::new();
    let key = model.key("key", &PKCS_ECDSA_P256_SHA256);
    let root = authority("root");
    let middle = {
        let mut params = signer("middle");
        params.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign];
        let key = KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256).expect("a key");
        CertifiedIssuer::signed_by(params, key, &root).expect("a certificate")
    };
    model.write("root.crt", root.pem().as_bytes());
    model.write("other.crt", authority("other").pem().as_bytes());
    model.write("middle.crt", middle.pem().as_bytes());
    let sign = |edit: fn(&mut CertificateParams), flags: &str| {
        let mut params = signer("signer");
        edit(&mut params);
        let leaf = params.signed_by(&key, &middle).expect("a certificate");
        model.write("leaf.crt", leaf.pem().as_bytes());
        model.sign(&format!("--certificate @leaf.crt {flags}"))
    };
    let chain = "--certificate-chain @middle.crt";
    for (edit, words) in [
        (
            (|it| it.not_after = date_time_ymd(2021, 1, 1)) as fn(&mut CertificateParams),
            "was valid until 2021-01-01 only",
        ),
        (|it| it.not_before = date_time_ymd(2999, 1, 1), "not valid before 2999-01-01"),
        (|it| it.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth], "leave out `codeSigning`"),
        (
            |it| {
                it.key_usages = vec![KeyUsagePurpose::KeyAgreement];
                it.extended_key_usages = Vec::new();
            },
            "neither the key usage `digitalSignature`",
        ),
    ] {
        fails_with(&sign(edit, chain), 3, &["(`--certificate`)", words]);
    }
    let order =
        "do not follow one another from the signer's to the root: `CN=signer` was issued by `CN=middle`";
    fails_with(&sign(|_| {}, "--certificate-chain @root.crt"), 3, &[order]);
    fails_with(
        &sign(|_| {}, &format!("{chain} --root @other.crt")),
        3,
        &["`CN=middle` was issued by `CN=root"],
    );
    assert!(!model.path("model.sig").exists());
    ends(&sign(|_| {}, &format!("{chain} --root @root.crt")), 0);
    fails_with(&model.verify(""), 1, &["made with a certificate", "(`--root FILE`)"]);
    ends(&sign(|_| {}, &format!("{chain} --certificate-chain @root.crt")), 0);
    let output = model.run("verify --root @root.crt --signature @model.sig @model");
    ends(&output, 0);
    assert!(said(&output).contains("not checked  whether the certificate was revoked"), "{}", said(&output));
    let output = model.run("verify --root @other.crt --signature @model.sig @model");
    fails_with(&output, 1, &["does not chain to a root that is trusted: it ends at `CN=root`"]);
}

/// A list that names the serial number 1, 2 and this.
fn list(by: &CertifiedIssuer<'_, KeyPair>, serial: u8, until: i32) -> rcgen::CertificateRevocationList {
    let revoked = RevokedCertParams {
        serial_number: SerialNumber::from(vec![1, 2, serial]),
        revocation_time: date_time_ymd(2024, 5, 6),
        reason_code: None,
        invalidity_date: None,
    };
    let params = CertificateRevocationListParams {
        this_update: date_time_ymd(2020, 1, 1),
        next_update: date_time_ymd(until, 1, 1),
        crl_number: SerialNumber::from(1),
        issuing_distribution_point: None,
        revoked_certs: vec![revoked],
        key_identifier_method: KeyIdMethod::Sha256,
    };
    params.signed_by(by).expect("a list")
}

#[test]
fn a_revoked_certificate_signs_for_nobody() {
    let model = Model::new();
    let key = model.key("key", &PKCS_ECDSA_P256_SHA256);
    let (root, other) = (authority("root"), authority("other"));
    let mut params = signer("signer");
    params.serial_number = Some(SerialNumber::from(vec![1, 2, 3]));
    let leaf = params.signed_by(&key, &root).expect("a certificate");
    model.write("leaf.crt", leaf.pem().as_bytes());
    model.write("root.crt", root.pem().as_bytes());
    ends(&model.sign("--certificate @leaf.crt"), 0);
    let verify =
        |flags: &str| model.run(&format!("verify --root @root.crt --signature @model.sig {flags} @model"));
    let good = list(&root, 9, 2999);
    model.write("good.crl", good.pem().expect("PEM").as_bytes());
    model.write("good.der", good.der());
    for file in ["good.crl", "good.der"] {
        let output = verify(&format!("--crl @{file}"));
        ends(&output, 0);
        assert!(said(&output).contains("not revoked  by a list that is good until 2999-01-01T00:00:00Z"));
        let value = json_of(&verify(&format!("--crl @{file} --json")));
        assert_eq!(value["revocation_checked"], true, "{value}");
    }
    assert_eq!(json_of(&verify("--json"))["revocation_checked"], false);
    let mut forged = good.der().to_vec();
    let serial = forged.windows(3).position(|it| it == [1, 2, 9]).expect("the serial");
    forged[serial + 2] = 8;
    model.write("forged.der", &forged);
    model.write("namesake.der", list(&authority("root"), 9, 2999).der());
    model.write("revoked.der", list(&root, 3, 2999).der());
    model.write("stale.der", list(&root, 9, 2021).der());
    model.write("other.der", list(&other, 9, 2999).der());
    for (file, words) in [
        ("revoked.der", "the certificate of `CN=signer` was revoked on 2024-05-06"),
        ("stale.der", "was good until 2021-01-01 only: fetch a newer one"),
        ("other.der", "no revocation list for certificates of"),
        ("forged.der", "is not signed by a key of it that may sign lists"),
        ("namesake.der", "is not signed by a key of it that may sign lists"),
    ] {
        fails_with(&verify(&format!("--crl @{file}")), 1, &[words]);
        // What speaks for another authority, or another key of this one, says nothing here.
        let holds = matches!(file, "other.der" | "namesake.der");
        ends(&verify(&format!("--crl @good.crl --crl @{file}")), i32::from(!holds));
    }
    fails_with(&verify("--crl @key.pub"), 3, &["no revocation list is here"]);
    model.write("cut.der", &good.der()[..good.der().len() - 1]);
    fails_with(&verify("--crl @cut.der"), 3, &["damaged"]);
}

#[test]
fn lists_are_asked_of_the_base_model_and_before_signing_too() {
    let model = Model::new();
    let (ours, theirs) = (authority("ours"), authority("theirs"));
    for (name, serial, root) in [("us", 4, &ours), ("vendor", 3, &theirs)] {
        let key = model.key(name, &PKCS_ECDSA_P256_SHA256);
        let mut params = signer(name);
        params.serial_number = Some(SerialNumber::from(vec![1, 2, serial]));
        let leaf = params.signed_by(&key, root).expect("a certificate");
        model.write(&format!("{name}.crt"), leaf.pem().as_bytes());
        model.write(&format!("{name}-root.crt"), root.pem().as_bytes());
        model.write(&format!("{name}.crl"), list(root, 9, 2999).der());
        model.write(&format!("{name}-revoked.crl"), list(root, serial, 2999).der());
    }
    let sign = |name: &str, flags: &str| {
        model.run(&format!(
            "sign --key @{name}.pem --certificate @{name}.crt --root @{name}-root.crt --signature @{name}.sig {flags} @model"
        ))
    };
    ends(&sign("vendor", "--crl @vendor.crl"), 0);
    fails_with(&sign("vendor", "--crl @vendor-revoked.crl"), 3, &["`CN=vendor` was revoked on 2024-05-06"]);
    let base = "--base-model @vendor.sig --base-root @vendor-root.crt";
    let revoked = ["the signature of the base model", "`CN=vendor` was revoked on 2024-05-06"];
    fails_with(&sign("us", &format!("{base} --crl @us.crl --crl @vendor-revoked.crl")), 1, &revoked);
    fails_with(&sign("us", &format!("{base} --crl @us.crl")), 1, &["no revocation list for certificates of"]);
    ends(&sign("us", &format!("{base} --crl @us.crl --crl @vendor.crl")), 0);
    let verify = |flags: &str| {
        model.run(&format!(
            "verify --root @us-root.crt --signature @us.sig {base} --crl @us.crl {flags} @model"
        ))
    };
    ends(&verify("--crl @vendor.crl"), 0);
    fails_with(&verify("--crl @vendor-revoked.crl"), 1, &revoked);
    fails_with(&verify(""), 1, &["no revocation list for certificates of"]);
}

#[test]
fn a_list_that_speaks_for_nobody_here_is_never_a_check() {
    let model = Model::new();
    let key = model.key("key", &PKCS_ECDSA_P256_SHA256);
    let own = signer("alone").self_signed(&key).expect("a certificate");
    model.write("own.crt", own.pem().as_bytes());
    model.write("any.crl", list(&authority("other"), 9, 2999).der());
    ends(&model.sign("--certificate @own.crt"), 0);
    let verify =
        |flags: &str| model.run(&format!("verify --root @own.crt --signature @model.sig {flags} @model"));
    assert_eq!(json_of(&verify("--json"))["revocation_checked"], false);
    let output = verify("--crl @any.crl");
    fails_with(&output, 1, &["no revocation list can speak for the certificate of `CN=alone`"]);
    assert_eq!(json_of(&verify("--crl @any.crl --json"))["revocation_checked"], false);
}

#[test]
fn the_attester_is_named() {
    let model = Model::new();
    for name in ["vendor", "us"] {
        model.key(name, &PKCS_ECDSA_P256_SHA256);
    }
    let sign = |name: &str, flags: &str| {
        model.run(&format!("sign --key @{name}.pem --signature @{name}.sig {flags} --json @model"))
    };
    ends(&sign("vendor", ""), 0);
    let us = json_of(&sign("us", "--attestation @us.att"))["signed_by"].clone();
    let verify = |flags: &str| {
        model.run(&format!(
            "verify --public-key @vendor.pub --public-key @us.pub --signature @vendor.sig --signature @us.sig \
             --attestation @us.att {flags} @model"
        ))
    };
    let output = verify("");
    ends(&output, 0);
    let line = format!("attested by  key {}\n", us["key"].as_str().expect("a key"));
    assert!(said(&output).contains(&line), "{}", said(&output));
    assert_eq!(json_of(&verify("--json"))["attestation"]["signed_by"], us);
}

#[test]
fn what_would_have_no_effect_is_refused_or_told() {
    let model = Model::signed();
    model.write("any", b"");
    let keyless = "--trust-root @any --identity a --identity-provider https://x";
    for command in [
        "verify --public-key @key.pub --crl @any --signature @model.sig @model".to_owned(),
        format!("verify {keyless} --crl @any --signature @model.sig @model"),
        "verify --public-key @key.pub --identity-provider https://x --signature @model.sig @model".to_owned(),
        "verify --root @any --identity-provider https://x --signature @model.sig @model".to_owned(),
        "verify --root @any --at yesterday --signature @model.sig @model".to_owned(),
        "sign --key @key.pem --crl @any --signature @x.sig @model".to_owned(),
        "sign --key @key.pem --pkcs11-pin-file @any --signature @x.sig @model".to_owned(),
        "sign --pkcs11-uri pkcs11:token=t --key-passphrase-file @any --signature @x.sig @model".to_owned(),
    ] {
        let output = model.run(&command);
        assert_eq!(output.status.code(), Some(2), "{command}: {}", said(&output));
    }
    let output = model.run("verify --root @any --at yesterday --signature @model.sig @model");
    fails_with(&output, 2, &["`2026-03-31T00:00:00Z`", "`2026-03-31`"]);
    let output = model.sign("--ignore @model/tokens");
    fails_with(&output, 0, &["model/tokens` leaves nothing out", "count from the working folder"]);
    let output = model.sign("--ignore @model/tok");
    ends(&output, 0);
    assert!(!said(&output).contains("leaves nothing out"), "{}", said(&output));
}

#[test]
fn a_time_may_be_given_as_a_day() {
    let model = Model::new();
    let key = model.key("key", &PKCS_ECDSA_P256_SHA256);
    let root = authority("root");
    let leaf = signer("signer").signed_by(&key, &root).expect("a certificate");
    model.write("leaf.crt", leaf.pem().as_bytes());
    model.write("root.crt", root.pem().as_bytes());
    ends(&model.sign("--certificate @leaf.crt"), 0);
    let verify =
        |at: &str| model.run(&format!("verify --root @root.crt --at {at} --signature @model.sig @model"));
    ends(&verify("2026-03-31"), 0);
    fails_with(&verify("1974-12-31"), 1, &["not valid before 1975-01-01"]);
}

#[cfg(feature = "pkcs11")]
#[test]
fn the_address_of_a_token_says_what_is_wrong_with_it() {
    let model = Model::new();
    let sign = |uri: &str| model.run(&format!("sign --pkcs11-uri {uri} --signature @x.sig @model"));
    let output = sign("pkcs11:token=t;object=k?module-path=/nowhere.so&pin-value=4711");
    fails_with(
        &output,
        3,
        &["`/nowhere.so` cannot be loaded", "`module-path`", "warning: the PIN stands in the command"],
    );
    assert!(!said(&output).contains("4711"), "{}", said(&output));
    for (uri, word) in [
        ("pkcs11:object=k?module-path=/m.so", "`token`, `serial` or `slot-id`"),
        ("pkcs11:token=t?module-path=/m.so", "`object` or `id`"),
        ("pkcs11:token=t;object=k", "`module-path`, absolute"),
        ("pkcs11:token=t;object=k;pin=1", "`pin-source` and `pin-value`"),
    ] {
        fails_with(&sign(uri), 2, &[word]);
    }
}
