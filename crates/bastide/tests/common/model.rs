//! A model in a folder, and whoever signs it.

use std::fs;
use std::process::Output;

use bastide_testkit::temp_folder;
use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair, KeyUsagePurpose,
    PKCS_ECDSA_P256_SHA256, SignatureAlgorithm,
};
use serde_json::Value;
use tempfile::TempDir;

use super::bastide;

/// `os.system('echo hello')`, as protocol 0 writes it.
pub const HOSTILE: &[u8] = b"cos\nsystem\n(S'echo hello'\ntR.";
/// `[1, 2]`
pub const HONEST: &[u8] = b"\x80\x04]\x94(K\x01K\x02e.";
/// An instance of a class that nobody knows.
pub const UNKNOWN: &[u8] = b"cacme.fraud\nScorer\n)R.";
/// Cut off.
pub const CUT: &[u8] = b"\x80\x04]\x94(K\x01K";

/// A model in `model/`, and the key of a signer beside it.
pub struct Model(pub TempDir);

impl Model {
    pub fn new() -> Self {
        let model = Model(temp_folder().expect("a folder"));
        fs::create_dir_all(model.0.path().join("model/tok")).expect("a folder");
        model.write("model/weights.pkl", HONEST);
        model.write("model/config.json", b"{\"model_type\": \"bert\"}");
        model.write("model/tok/merges.txt", b"a b\n");
        model.key("key", &PKCS_ECDSA_P256_SHA256);
        model
    }

    pub fn write(&self, name: &str, bytes: &[u8]) {
        fs::write(self.0.path().join(name), bytes).expect("written");
    }

    pub fn path(&self, name: &str) -> std::path::PathBuf {
        self.0.path().join(name)
    }

    pub fn key(&self, name: &str, curve: &'static SignatureAlgorithm) -> KeyPair {
        let pair = KeyPair::generate_for(curve).expect("a key");
        self.write(&format!("{name}.pem"), pair.serialize_pem().as_bytes());
        self.write(&format!("{name}.pub"), pair.public_key_pem().as_bytes());
        pair
    }

    /// Runs the command, with `@` before every path in the folder.
    pub fn run(&self, command: &str) -> Output {
        self.run_with(command, &[])
    }

    /// The same with variables in the environment.
    pub fn run_with(&self, command: &str, variables: &[(&str, &str)]) -> Output {
        let at = format!("{}/", self.0.path().display());
        let words: Vec<String> = command.split_whitespace().map(|word| word.replace('@', &at)).collect();
        bastide(&words.iter().map(String::as_str).collect::<Vec<_>>(), variables)
    }

    pub fn sign(&self, flags: &str) -> Output {
        self.run(&format!("sign --key @key.pem --signature @model.sig {flags} @model"))
    }

    pub fn verify(&self, flags: &str) -> Output {
        self.run(&format!("verify --public-key @key.pub --signature @model.sig {flags} @model"))
    }

    pub fn signed() -> Self {
        let model = Model::new();
        ends(&model.sign(""), 0);
        model
    }
}

pub fn said(output: &Output) -> String {
    format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr))
}

#[track_caller]
pub fn ends(output: &Output, code: i32) {
    assert_eq!(output.status.code(), Some(code), "{}", said(output));
}

#[track_caller]
pub fn json_of(output: &Output) -> Value {
    serde_json::from_slice(&output.stdout).unwrap_or_else(|e| panic!("{e}: {}", said(output)))
}

/// An authority that signs certificates and lists of revoked ones.
pub fn authority(name: &str) -> CertifiedIssuer<'static, KeyPair> {
    let mut params = CertificateParams::default();
    params.distinguished_name.push(DnType::CommonName, name);
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    let key = KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256).expect("a key");
    CertifiedIssuer::self_signed(params, key).expect("a certificate")
}
