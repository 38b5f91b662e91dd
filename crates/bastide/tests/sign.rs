//! `bastide sign` and `bastide verify` from the outside: what holds, what does not, and what each says of it.
#![allow(clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

mod common;

use std::fs;
use std::path::Path;
use std::process::Output;

use bastide_crypto::sha256;
use common::bastide;
use common::model::{CUT, HOSTILE, Model, UNKNOWN, authority, ends, json_of, said};
use rcgen::PKCS_ECDSA_P521_SHA512;
use rcgen::{CertificateParams, DnType, KeyUsagePurpose, PKCS_ECDSA_P256_SHA256, PKCS_ECDSA_P384_SHA384};
use serde_json::{Value, json};

#[test]
fn every_curve_hash_and_method_verifies() {
    let model = Model::new();
    for (name, curve) in [
        ("p256", &PKCS_ECDSA_P256_SHA256),
        ("p384", &PKCS_ECDSA_P384_SHA384),
        ("p521", &PKCS_ECDSA_P521_SHA512),
    ] {
        model.key(name, curve);
        for flags in ["--hash sha256", "--hash blake2b", "--hash blake3", "--shard-size 5", "--no-scan"] {
            ends(&model.run(&format!("sign --key @{name}.pem --signature @{name}.sig {flags} @model")), 0);
            let verify = format!("verify --public-key @{name}.pub --signature @{name}.sig @model");
            ends(&model.run(&verify), 0);
            model.write("model/tok/merges.txt", b"a c\n");
            ends(&model.run(&verify), 1);
            model.write("model/tok/merges.txt", b"a b\n");
        }
    }
}

#[test]
fn scanned_or_not_the_same_is_signed() {
    let model = Model::new();
    for flags in ["--hash sha256", "--hash blake2b", "--hash blake3", "--shard-size 7", "--shard-size 1KiB"] {
        let root = |more: &str| json_of(&model.sign(&format!("{flags} {more} --json")))["root"].clone();
        let scanned = root("");
        assert_eq!(scanned, root("--no-scan"), "{flags}");
        assert_eq!(scanned, root("--cyclonedx @bom.json"), "{flags}");
    }
}

#[test]
fn each_file_that_differs_is_named() {
    let model = Model::signed();
    model.write("model/config.json", b"{\"model_type\": \"gpt2\"}");
    model.write("model/new.bin", b"");
    fs::rename(model.path("model/tok/merges.txt"), model.path("model/tok/renamed.txt")).expect("renamed");
    let output = model.verify("");
    ends(&output, 1);
    let text = said(&output);
    for line in [
        "changed      config.json",
        "missing      tok/merges.txt",
        "added        new.bin",
        "added        tok/renamed.txt",
        "not what was signed: 1 changed, 1 missing, 2 added",
    ] {
        assert!(text.contains(line), "{line}: {text}");
    }
    let value = json_of(&model.verify("--json"));
    assert_eq!(value["verified"], false);
    assert_eq!(value["changed"], json!(["config.json"]));
    assert_eq!(value["missing"], json!(["tok/merges.txt"]));
    assert_eq!(value["added"], json!(["new.bin", "tok/renamed.txt"]));
    assert_eq!(value["reasons"].as_array().map(Vec::len), Some(1), "{value}");
}

#[test]
fn files_that_were_not_signed_pass_only_on_request() {
    let model = Model::signed();
    model.write("model/new.bin", b"x");
    ends(&model.verify(""), 1);
    ends(&model.verify("--ignore-unsigned-files"), 0);
    fs::remove_file(model.path("model/config.json")).expect("removed");
    let output = model.verify("--ignore-unsigned-files");
    ends(&output, 1);
    assert!(said(&output).contains("missing      config.json") && !said(&output).contains("added"));
}

#[test]
fn shards_of_a_file_are_that_file() {
    let model = Model::new();
    model.write("model/tok/merges.txt", b"0123456789");
    ends(&model.sign("--shard-size 4"), 0);
    for (changed, bytes) in
        [("longer", &b"0123456789ab"[..]), ("shorter", b"01234567"), ("other", b"0123x56789")]
    {
        model.write("model/tok/merges.txt", bytes);
        let value = json_of(&model.verify("--json"));
        assert_eq!(value["changed"], json!(["tok/merges.txt"]), "{changed}: {value}");
        assert_eq!((&value["missing"], &value["added"]), (&json!([]), &json!([])), "{changed}");
    }
    fs::remove_file(model.path("model/tok/merges.txt")).expect("removed");
    model.write("model/tok/new", b"01234567");
    let value = json_of(&model.verify("--json"));
    assert_eq!((&value["missing"], &value["added"]), (&json!(["tok/merges.txt"]), &json!(["tok/new"])));
}

#[test]
fn a_folder_without_files_misses_all() {
    let model = Model::signed();
    fs::remove_dir_all(model.path("model")).expect("removed");
    ends(&model.verify(""), 3);
    fs::create_dir(model.path("model")).expect("a folder");
    let value = json_of(&model.verify("--json"));
    assert_eq!(value["missing"], json!(["config.json", "tok/merges.txt", "weights.pkl"]));
}

#[test]
fn a_signature_of_somebody_else_or_of_something_else_does_not_hold() {
    let model = Model::signed();
    model.key("other", &PKCS_ECDSA_P256_SHA256);
    let output = model.run("verify --public-key @other.pub --signature @model.sig @model");
    ends(&output, 1);
    assert!(said(&output).contains("another key"), "{}", said(&output));

    let honest = fs::read_to_string(model.path("model.sig")).expect("a signature");
    let bundle: Value = serde_json::from_str(&honest).expect("JSON");
    let mut forged = bundle.clone();
    forged["dsseEnvelope"]["payload"] = "e30=".into();
    model.write("model.sig", forged.to_string().as_bytes());
    let value = json_of(&model.verify("--json"));
    assert_eq!((&value["verified"], &value["model"]), (&json!(false), &Value::Null));
    ends(&model.verify(""), 1);
    let pem = fs::read_to_string(model.path("key.pub")).expect("a key");
    for (what, text) in [
        ("cut off", &honest[..honest.len() / 2]),
        ("no bundle", "{}"),
        ("a key", pem.as_str()),
        ("nothing", ""),
    ] {
        model.write("model.sig", text.as_bytes());
        let output = model.verify("");
        ends(&output, 3);
        assert!(said(&output).contains("model.sig`: the signature file is"), "{what}: {}", said(&output));
    }
    model.write("model.sig", honest.as_bytes());
    model.write("scan.att", b"");
    let output = model.verify("--attestation @scan.att");
    ends(&output, 3);
    assert!(said(&output).contains("scan.att`"), "{}", said(&output));
}

#[test]
fn what_is_malicious_or_unfinished_is_not_signed() {
    for (bytes, code, verdict) in [(HOSTILE, 1, "malicious"), (CUT, 3, "unfinished")] {
        let model = Model::new();
        model.write("model/bad.pkl", bytes);
        let output = model.sign("--attestation @scan.att --cyclonedx @bom.json");
        ends(&output, code);
        assert!(said(&output).contains(verdict) && said(&output).contains("bad.pkl"), "{}", said(&output));
        assert!(said(&output).contains("not signed"), "{}", said(&output));
        for file in ["model.sig", "scan.att", "bom.json"] {
            assert!(!model.path(file).exists(), "{file}");
        }
        let value = json_of(&model.sign("--json"));
        assert_eq!(value["signed"], false);
        assert_eq!(value["scan"]["summary"]["verdict"], verdict);
        ends(&model.sign("--no-scan"), 0);
        ends(&model.verify(""), 0);
    }
}

#[test]
fn what_is_left_out_is_not_scanned_either() {
    let model = Model::new();
    model.write("model/bad.pkl", HOSTILE);
    ends(&model.sign("--ignore @model/bad.pkl"), 0);
    ends(&model.verify(""), 0);
}

#[test]
fn what_is_to_be_reviewed_is_signed_unless_strict() {
    let model = Model::new();
    model.write("model/own.pkl", UNKNOWN);
    ends(&model.sign("--strict"), 1);
    assert!(!model.path("model.sig").exists());
    let output = model.sign("--attestation @scan.att");
    ends(&output, 0);
    assert!(said(&output).contains("1 of 4 files are to be reviewed"), "{}", said(&output));
    ends(&model.verify("--attestation @scan.att"), 0);
    ends(&model.verify("--attestation @scan.att --require-verdict review"), 0);
    let output = model.verify("--attestation @scan.att --require-verdict clean");
    ends(&output, 1);
    assert!(said(&output).contains("the attested verdict is `review`"), "{}", said(&output));
}

#[test]
fn an_attestation_binds_scan_materials_and_model() {
    let model = Model::new();
    let output = model.sign("--attestation @scan.att --cyclonedx @bom.json --json");
    ends(&output, 0);
    let signed = json_of(&output);
    assert_eq!((&signed["signed"], &signed["files"]), (&json!(true), &json!(3)), "{signed}");
    assert_eq!(signed["scan"]["summary"]["verdict"], "clean");

    let output = model.verify("--attestation @scan.att --cyclonedx @bom.json --require-verdict clean --json");
    ends(&output, 0);
    let value = json_of(&output);
    assert_eq!(value["verified"], true);
    assert_eq!((&value["root"], &value["statement"]), (&signed["root"], &signed["statement"]));
    let attested = &value["attestation"];
    assert_eq!((&attested["verdict"], &attested["scanner"]["name"]), (&json!("clean"), &json!("bastide")));
    assert_eq!(attested["cyclonedx"]["checked"], true);
    assert_eq!(attested["rules"].as_str().map(str::len), Some(64));

    let bom = fs::read(model.path("bom.json")).expect("a bill of materials");
    assert_eq!(serde_json::from_slice::<Value>(&bom).expect("JSON")["bomFormat"], "CycloneDX");
    model.write("bom.json", &[&bom[..], b"\n"].concat());
    let output = model.verify("--attestation @scan.att --cyclonedx @bom.json");
    ends(&output, 1);
    assert!(said(&output).contains("another bill of materials"), "{}", said(&output));
    ends(&model.verify("--attestation @scan.att"), 0);
    ends(&model.verify("--attestation @missing.att"), 3);
    ends(&model.verify("--attestation @model.sig"), 1);
}

#[test]
fn an_attestation_of_another_model_or_signer_does_not_fit() {
    let (model, other) = (Model::new(), Model::new());
    other.write("model/config.json", b"{}");
    fs::copy(model.path("key.pem"), other.path("key.pem")).expect("copied");
    ends(&model.sign("--attestation @scan.att"), 0);
    ends(&other.sign("--attestation @scan.att"), 0);
    fs::copy(other.path("scan.att"), model.path("other.att")).expect("copied");
    let output = model.verify("--attestation @other.att");
    ends(&output, 1);
    assert!(said(&output).contains("another model"), "{}", said(&output));

    // The same files under other names have the same digests.
    let renamed = Model::new();
    fs::copy(model.path("key.pem"), renamed.path("key.pem")).expect("copied");
    fs::rename(renamed.path("model/weights.pkl"), renamed.path("model/weights2.pkl")).expect("renamed");
    ends(&renamed.sign("--attestation @scan.att"), 0);
    fs::copy(renamed.path("scan.att"), model.path("renamed.att")).expect("copied");
    ends(&model.verify("--attestation @renamed.att"), 1);

    model.key("mallory", &PKCS_ECDSA_P256_SHA256);
    let forge = "sign --key @mallory.pem --signature @mallory.sig --attestation @mallory.att @model";
    ends(&model.run(forge), 0);
    ends(&model.verify("--attestation @mallory.att"), 1);
}

#[test]
fn an_adapter_is_bound_to_its_base() {
    let (base, adapter) = (Model::signed(), Model::new());
    let root = json_of(&base.verify("--json"))["root"].as_str().expect("a digest").to_owned();
    for file in ["model.sig", "key.pub"] {
        fs::copy(base.path(file), adapter.path(&format!("base-{file}"))).expect("copied");
    }
    let output = adapter.sign("--base-model @base-model.sig");
    ends(&output, 1);
    assert!(said(&output).contains("base model"), "the base's signer is another: {}", said(&output));
    let theirs = "--base-model @base-model.sig --base-public-key @base-key.pub";
    for flags in [theirs.to_owned(), format!("--base-model sha256:{root}")] {
        ends(&adapter.sign(&flags), 0);
        let value = json_of(&adapter.verify(&format!("{theirs} --json")));
        assert_eq!((&value["verified"], &value["base_model_checked"]), (&json!(true), &json!(true)));
        assert_eq!(value["base_model"]["root"], root.as_str());
        ends(&adapter.verify(&format!("--base-model {root}")), 0);
        assert!(said(&adapter.verify("")).contains("not checked"));
        ends(&adapter.verify(&format!("--base-model {}", "0".repeat(64))), 1);
    }
    ends(&adapter.sign(""), 0);
    ends(&adapter.verify(&format!("--base-model {root}")), 1);
}

#[test]
fn certificates_lead_to_a_root() {
    let model = Model::new();
    let key = model.key("key", &PKCS_ECDSA_P384_SHA384);
    let root = authority("root");
    let mut params = CertificateParams::default();
    params.distinguished_name.push(DnType::CommonName, "signer");
    params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    let leaf = params.signed_by(&key, &root).expect("a certificate");
    model.write("leaf.crt", leaf.pem().as_bytes());
    model.write("root.crt", root.pem().as_bytes());
    model.write("other.crt", authority("root").pem().as_bytes());

    ends(&model.sign("--certificate @leaf.crt --attestation @scan.att"), 0);
    let verify = |flags: &str| model.run(&format!("verify --signature @model.sig {flags} @model"));
    let value = json_of(&verify("--root @root.crt --attestation @scan.att --json"));
    assert_eq!(value["verified"], true, "{value}");
    assert!(value["signed_by"]["certificate"].is_string(), "{value}");
    ends(&verify("--root @other.crt"), 1);
    ends(&verify("--root @other.crt --root @root.crt"), 0);
    ends(&verify("--public-key @key.pub"), 1);
    model.key("key", &PKCS_ECDSA_P384_SHA384);
    ends(&model.sign("--certificate @leaf.crt"), 3);
}

#[test]
fn the_files_that_are_written_may_lie_in_the_model() {
    let model = Model::new();
    let sign = "sign --key @key.pem --signature @model/m.sig --attestation @model/scan.att --cyclonedx \
                @model/bom.json @model";
    let verify = "verify --public-key @key.pub --signature @model/m.sig --attestation @model/scan.att \
                  --cyclonedx @model/bom.json @model";
    for _ in 0..2 {
        ends(&model.run(sign), 0);
        ends(&model.run(verify), 0);
    }
}

#[test]
fn what_cannot_be_done_says_so() {
    let model = Model::signed();
    model.write("no.pem", b"nothing");
    for (command, code) in [
        ("sign --signature @x.sig @model", 2),
        ("sign --key @key.pem @model", 2),
        ("sign --key @key.pem --signature @x.sig --hash md5 @model", 2),
        ("sign --key @key.pem --signature @x.sig --shard-size 0 @model", 2),
        ("sign --key @key.pem --signature @x.sig --shard-size 1X @model", 2),
        ("sign --key @key.pem --signature - @model", 2),
        ("sign --key @key.pem --signature @x.sig --no-scan --attestation @x.att @model", 2),
        ("sign --key @key.pem --signature @x.sig --cyclonedx - @model", 2),
        ("sign --key @key.pem --signature @key.pem @model", 2),
        ("sign --key @key.pem --signature @x.sig --attestation @x.sig @model", 2),
        ("sign --key @missing.pem --signature @x.sig @model", 3),
        ("sign --key @no.pem --signature @x.sig @model", 3),
        ("sign --key @key.pub --signature @x.sig @model", 3),
        ("sign --key @key.pem --signature @x.sig @missing", 3),
        ("sign --key @key.pem --signature @missing/x.sig @model", 3),
        ("verify --signature @model.sig @model", 2),
        ("verify --public-key @key.pub @model", 2),
        ("verify --public-key @key.pub --signature @model.sig --require-verdict clean @model", 2),
        ("verify --public-key @key.pub --signature @model.sig --cyclonedx @x @model", 2),
        ("verify --public-key @key.pub --signature @missing.sig @model", 3),
        ("verify --public-key @missing.pub --signature @model.sig @model", 3),
        ("verify --public-key @no.pem --signature @model.sig @model", 3),
        ("verify --public-key @key.pub --signature @model.sig @missing", 3),
    ] {
        let output = model.run(&format!("{command} --json"));
        assert_eq!(output.status.code(), Some(code), "{command}: {}", said(&output));
        assert_eq!(json_of(&output)["error"]["exit"], code, "{command}");
    }
    assert!(!model.path("x.sig").exists());
}

#[test]
fn links_are_signed_only_on_request() {
    let model = Model::new();
    let link = |to: &Path| std::os::unix::fs::symlink(to, model.path("model/link.pkl")).expect("a link");
    model.write("outside.pkl", HOSTILE);
    link(&model.path("outside.pkl"));
    ends(&model.sign(""), 3);
    ends(&model.sign("--allow-symlinks"), 1);
    fs::remove_file(model.path("model/link.pkl")).expect("removed");
    link(&model.path("model/weights.pkl"));
    ends(&model.sign("--allow-symlinks"), 0);
    ends(&model.verify("--allow-symlinks"), 0);
    ends(&model.verify(""), 1);
}

#[test]
fn what_the_signer_accepted_is_not_clean_to_anybody_else() {
    let model = Model::new();
    model.write("model/bad.pkl", HOSTILE);
    let digest: String = sha256(HOSTILE).iter().map(|byte| format!("{byte:02x}")).collect();
    let accepted = format!(
        "[[suppress]]\nrule = \"pickle.process\"\nsha256 = \"{digest}\"\nreason = \"ours\"\nexpires = \"2999-01-01\"\n"
    );
    model.write("accepted.toml", accepted.as_bytes());
    ends(&model.sign("--suppressions @accepted.toml --attestation @scan.att"), 0);
    let output = model.verify("--attestation @scan.att");
    ends(&output, 0);
    let text = said(&output);
    assert!(text.contains("accepted     pickle.process by the signer; without that, malicious"), "{text}");
    let output = model.verify("--attestation @scan.att --require-verdict clean");
    ends(&output, 1);
    assert!(said(&output).contains("because the signer accepted what was `malicious`"), "{}", said(&output));
    let value = json_of(&model.verify("--attestation @scan.att --json"));
    let attested = &value["attestation"];
    assert_eq!((&attested["verdict"], &attested["found"]), (&json!("clean"), &json!("malicious")));
    assert_eq!(attested["accepted"], json!(["pickle.process"]));
    assert!(attested["at"].as_str().is_some_and(|at| at.starts_with("20") && at.ends_with('Z')), "{value}");
}

#[test]
fn the_signer_of_a_certificate_is_told_and_may_be_pinned() {
    let model = Model::new();
    let key = model.key("key", &PKCS_ECDSA_P256_SHA256);
    let root = authority("root");
    let mut params = CertificateParams::new(vec!["models.bank.example".to_owned()]).expect("a name");
    params.distinguished_name = rcgen::DistinguishedName::new();
    params.distinguished_name.push(DnType::CommonName, "signer");
    params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    params.not_before = rcgen::date_time_ymd(2020, 1, 1);
    params.not_after = rcgen::date_time_ymd(2999, 1, 1);
    let leaf = params.signed_by(&key, &root).expect("a certificate");
    model.write("leaf.crt", leaf.pem().as_bytes());
    model.write("root.crt", root.pem().as_bytes());
    ends(&model.sign("--certificate @leaf.crt"), 0);
    let verify =
        |flags: &str| model.run(&format!("verify --signature @model.sig --root @root.crt {flags} @model"));
    let output = verify("--at 3000-01-01T00:00:00Z");
    ends(&output, 1);
    assert!(said(&output).contains("was valid until 2999-01-01 only"), "{}", said(&output));
    let output = verify("--at 2020-06-01T00:00:00Z");
    ends(&output, 0);
    let text = said(&output);
    for line in [
        "signed by    CN=signer",
        "also named   models.bank.example",
        "issued by    CN=root",
        "valid        2020-01-01T00:00:00Z to 2999-01-01T00:00:00Z",
    ] {
        assert!(text.contains(line), "{line}: {text}");
    }
    for (name, code) in [("models.bank.example", 0), ("CN=signer", 0), ("CN=root", 1)] {
        ends(&verify(&format!("--at 2020-06-01T00:00:00Z --identity {name}")), code);
    }
    ends(&verify("--at 2019-06-01T00:00:00Z"), 1);
    let value = json_of(&verify("--at 2020-06-01T00:00:00Z --json"));
    assert_eq!(value["signed_by"]["subject"], "CN=signer");
    assert_eq!(value["signed_by"]["not_after"], "2999-01-01T00:00:00Z");
    ends(&model.verify("--at 2020-06-01T00:00:00Z"), 2);
}

/// What the reference implementation signed on Sigstore's public instance (`bastide-signing/tests/sigstore`).
#[cfg(feature = "sigstore")]
#[test]
fn a_keyless_signature_verifies_without_a_network() {
    let model = Model::new();
    fs::remove_dir_all(model.path("model")).expect("removed");
    fs::create_dir(model.path("model")).expect("a folder");
    for name in ["signme-1", "signme-2"] {
        model.write(&format!("model/{name}"), name.as_bytes());
    }
    let recorded = Path::new(env!("CARGO_MANIFEST_DIR")).join("../bastide-signing/tests/sigstore");
    for (from, to) in [("trusted_root.json", "root.json"), ("v1.1.0-sigstore.sig", "model.sig")] {
        fs::copy(recorded.join(from), model.path(to)).expect("copied");
    }
    let output = model.run(
        "verify --signature @model.sig --trust-root @root.json --identity-provider https://x --identity y @model",
    );
    ends(&output, 1);
    let output = keyless(&model, "stefanb@us.ibm.com", "");
    ends(&output, 0);
    let text = said(&output);
    for line in [
        "signed by    stefanb@us.ibm.com",
        "vouched by   https://sigstore.verify.ibm.com/oauth2",
        "logged       2025-10-10T02:12:20Z, entry 598151086",
    ] {
        assert!(text.contains(line), "{line}: {text}");
    }
    let value = json_of(&keyless(&model, "stefanb@us.ibm.com", "--json"));
    assert_eq!(value["signed_by"]["identity"], "stefanb@us.ibm.com");
    let output = keyless(&model, "mallory@us.ibm.com", "");
    ends(&output, 1);
    assert!(said(&output).contains("the signer is `stefanb@us.ibm.com`, not `mallory@us.ibm.com`"));
    model.write("model/signme-1", b"signme-2");
    let output = keyless(&model, "stefanb@us.ibm.com", "");
    ends(&output, 1);
    assert!(said(&output).contains("changed      signme-1"), "{}", said(&output));
    ends(&model.verify(""), 1);
}

/// Verifies what is recorded; the address has the sign that stands for the folder elsewhere.
#[cfg(feature = "sigstore")]
fn keyless(model: &Model, identity: &str, flag: &str) -> Output {
    let at = |name: &str| model.path(name).display().to_string();
    let (signature, root, folder) = (at("model.sig"), at("root.json"), at("model"));
    let mut words = vec!["verify", "--signature", &signature, "--trust-root", &root, "--identity", identity];
    words.extend(["--identity-provider", "https://sigstore.verify.ibm.com/oauth2", &folder]);
    words.extend(Some(flag).filter(|flag| !flag.is_empty()));
    bastide(&words, &[])
}

#[test]
fn what_is_not_checked_is_told() {
    let model = Model::new();
    model.write("model/notes.txt", b"x");
    ends(&model.sign("--ignore @model/notes.txt"), 0);
    fs::create_dir(model.path("model/.git")).expect("a folder");
    model.write("model/.git/config", b"x");
    model.write("model/new.bin", b"x");
    let output = model.verify("--ignore-unsigned-files");
    ends(&output, 0);
    let text = said(&output);
    for line in [
        "not covered  3 paths are there that the signature does not speak of; `--strict` refuses that",
        "not checked  .git (left out by the signer)",
        "not checked  notes.txt (left out by the signer)",
        "not checked  new.bin (not signed: `--ignore-unsigned-files`)",
    ] {
        assert!(text.contains(line), "{line}: {text}");
    }
    let value = json_of(&model.verify("--ignore-unsigned-files --json"));
    assert_eq!(value["unchecked"]["left_out"], json!([".git", "notes.txt"]));
    assert_eq!(value["unchecked"]["unsigned"], json!(["new.bin"]));
    assert_eq!(value["format"], "1.0");
}

#[test]
fn weights_in_a_folder_that_is_left_out_are_found() {
    let model = Model::new();
    let index = br#"{"weight_map": {"a": ".git/model.safetensors"}}"#;
    model.write("model/model.safetensors.index.json", index);
    ends(&model.sign("--no-scan"), 0);
    fs::create_dir(model.path("model/.git")).expect("a folder");
    model.write("model/.git/model.safetensors", b"x");
    let output = model.verify("");
    ends(&output, 1);
    assert!(said(&output).contains("names `.git/model.safetensors`, which the signature does not cover"));
    ends(&model.sign("--no-scan"), 3);
}

#[test]
fn a_pipe_is_no_file_to_wait_for() {
    let model = Model::signed();
    let pipe = model.path("pipe");
    rustix::fs::mknodat(rustix::fs::CWD, &pipe, rustix::fs::FileType::Fifo, 0o600.into(), 0).expect("a pipe");
    for command in [
        "sign --key @pipe --signature @x.sig @model",
        "sign --key @key.pem --certificate @pipe --signature @x.sig @model",
        "verify --public-key @pipe --signature @model.sig @model",
        "verify --public-key @key.pub --signature @pipe @model",
        "verify --public-key @key.pub --signature @model.sig --attestation @pipe @model",
    ] {
        ends(&model.run(command), 3);
    }
}
