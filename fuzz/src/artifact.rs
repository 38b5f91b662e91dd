//! The targets for readers of model files, of code around models, and of their signatures.
//!
//! Each family's reader is made to read the input whatever it looks like: recognition, which has a target of its
//! own, would turn most inputs away before a reader saw them.

use std::sync::OnceLock;

use bastide_artifact::{Facts, Format, Limits, Report, pickle_trace, scan, scan_as};
use bastide_code::{Remark, dependencies};
use bastide_crypto::{Curve, EcdsaSigningKey, KeyFile, sha256};
use bastide_sha256::{LANES, Sha256, update_together};
use bastide_signing::{
    KeylessIdentity, RevocationLists, Roots, Trust, TrustedRoot, certificates_from_pem, verify,
};

use crate::targets::Target;

/// Every target of this file.
pub const TARGETS: &[Target] = &[
    ("artifact_any", |data| any(data)),
    ("artifact_pickle", |data| {
        read(&[Format::Pickle, Format::Joblib, Format::TorchLegacy], data);
        let _ = pickle_trace(data);
    }),
    ("artifact_zip", |data| read(&[Format::Zip, Format::TorchZip, Format::TorchScript], data)),
    ("artifact_zip_model", |data| {
        read(&[Format::TorchServe, Format::Skops, Format::Keras, Format::NumpyZip], data);
    }),
    ("artifact_tar", |data| read(&[Format::Tar, Format::TorchTar, Format::Nemo], data)),
    ("artifact_seven_zip", |data| read(&[Format::SevenZip], data)),
    ("artifact_stream", stream),
    ("artifact_safetensors", |data| read(&[Format::Safetensors], data)),
    ("artifact_gguf", |data| read(&[Format::Gguf], data)),
    ("artifact_numpy", |data| read(&[Format::Numpy], data)),
    ("artifact_msgpack", |data| read(&[Format::Msgpack], data)),
    ("artifact_torch7", |data| read(&[Format::Torch7], data)),
    ("artifact_mxnet", |data| read(&[Format::Mxnet], data)),
    ("artifact_onnx", |data| read(&[Format::Onnx], data)),
    ("artifact_tensorflow", |data| read(&[Format::SavedModel, Format::MetaGraph, Format::GraphDef], data)),
    ("artifact_tflite", |data| read(&[Format::TfLite], data)),
    ("artifact_executorch", |data| read(&[Format::Executorch], data)),
    ("artifact_coreml", |data| read(&[Format::CoreMl], data)),
    ("artifact_paddle", |data| read(&[Format::Paddle], data)),
    ("artifact_hdf5", |data| read(&[Format::Hdf5], data)),
    ("artifact_json", |data| read(&[Format::Json, Format::Notebook], data)),
    ("artifact_jinja", |data| read(&[Format::Jinja], data)),
    ("artifact_xml", |data| read(&[Format::Pmml, Format::OpenVino, Format::Xml], data)),
    ("artifact_yaml", |data| read(&[Format::Yaml], data)),
    ("artifact_rds", |data| read(&[Format::Rds], data)),
    ("artifact_trees", |data| read(&[Format::Xgboost, Format::Lightgbm, Format::Catboost], data)),
    ("artifact_text", |data| read(&[Format::Script, Format::Text, Format::Python, Format::Executable], data)),
    ("artifact_archive", |data| read(&[Format::OtherArchive, Format::Llamafile], data)),
    ("artifact_java", |data| read(&[Format::Java], data)),
    ("artifact_table", |data| read(&[Format::Arrow, Format::Parquet], data)),
    ("code_python", code_python),
    ("code_infrastructure", code_infrastructure),
    ("code_dependencies", code_dependencies),
    ("signing_bundle", signing_bundle),
    ("signing_keyless", signing_keyless),
    ("signing_roots", signing_roots),
    ("sha256", sha256_together),
];

/// Small, so that what grows beyond what its input is worth is seen as a slow target or a full memory.
fn limits() -> Limits {
    Limits {
        depth: 4,
        entries: 1000,
        expanded_bytes: 8 << 20,
        structure_bytes: 1 << 20,
        steps: 2_000_000,
        findings: 20,
    }
}

fn check(report: &Report, size: usize) {
    assert!(report.findings.len() <= 20);
    for finding in &report.findings {
        assert!(!finding.message.is_empty() && finding.count > 0, "{finding:?}");
        if finding.members.is_empty() {
            assert!(
                finding.offset.is_none_or(|at| usize::try_from(at).is_ok_and(|at| at <= size)),
                "{finding:?} is not within the file"
            );
        }
        assert!(finding.rule.effect <= report.assessment(), "{finding:?}");
    }
    assert!(
        report
            .facts
            .properties
            .iter()
            .all(|(key, text)| { Facts::KEYS.contains(key) && text.len() <= Facts::TEXT })
    );
}

/// Reads the input as each format: twice the same, and nothing is found outside of it.
fn read(formats: &[Format], data: &[u8]) {
    for &format in formats {
        let report = scan_as(format, &data, "model.bin", &limits());
        check(&report, data.len());
        assert_eq!(report, scan_as(format, &data, "model.bin", &limits()), "two readings differ");
    }
}

/// A file under names that recognition looks at.
fn any(data: &[u8]) {
    for name in ["model.bin", "config.json", "model.onnx", "x.pth", "saved_model.pb", "model.yaml"] {
        check(&scan(&data, name, &limits()), data.len());
    }
}

/// A compressed stream: the first byte chooses how, the rest is the stream.
fn stream(data: &[u8]) {
    const FORMATS: [Format; 7] =
        [Format::Gzip, Format::Bzip2, Format::Xz, Format::Lzma, Format::Zlib, Format::Lz4, Format::Zstd];
    let Some((first, data)) = data.split_first() else { return };
    read(&[FORMATS[usize::from(*first) % FORMATS.len()]], data);
}

fn check_remarks(remarks: &[Remark], text: &str) {
    for remark in remarks {
        assert!(remark.line >= 1, "{remark:?}");
        assert!(usize::try_from(remark.offset).is_ok_and(|at| at <= text.len()), "{remark:?}");
    }
}

/// Python source.
fn code_python(data: &[u8]) {
    let text = String::from_utf8_lossy(data);
    check_remarks(&bastide_code::python(&text), &text);
}

/// Kubernetes, compose, Docker and Terraform.
fn code_infrastructure(data: &[u8]) {
    let text = String::from_utf8_lossy(data);
    for name in ["pod.yaml", "compose.yml", "Dockerfile", "main.tf"] {
        if let Some((_, remarks)) = bastide_code::infrastructure(name, &text) {
            check_remarks(&remarks, &text);
        }
    }
}

/// Lock files, and advisories.
fn code_dependencies(data: &[u8]) {
    use dependencies::{Database, Kind, packages, remarks};
    const KINDS: [Kind; 10] = [
        Kind::Requirements,
        Kind::PythonTables,
        Kind::PyLock,
        Kind::Pipfile,
        Kind::CondaEnvironment,
        Kind::CondaLock,
        Kind::PackageLock,
        Kind::Yarn,
        Kind::Pnpm,
        Kind::Cargo,
    ];
    let text = String::from_utf8_lossy(data);
    let mut database = Database::default();
    let _ = database.add(&text);
    for kind in KINDS {
        for package in packages(kind, &text) {
            let _ = database.matches(&package);
        }
        check_remarks(&remarks(kind, &text), &text);
    }
}

/// A signature bundle: nothing but what a key has signed is believed. And what stands beside one: certificates, lists of
/// revoked ones, keys.
fn signing_bundle(data: &[u8]) {
    static KEY: OnceLock<EcdsaSigningKey> = OnceLock::new();
    let key = KEY.get_or_init(|| EcdsaSigningKey::generate(Curve::P256).expect("a key can be made"));
    assert!(verify(data, Trust::Key(key.verifying_key())).is_err(), "a fresh key has signed nothing");
    let _ = (RevocationLists::from_bytes(data), KeyFile::of(data));
    if let Ok(text) = std::str::from_utf8(data) {
        let _ = certificates_from_pem(text);
    }
}

/// A bundle of Sigstore: nobody has signed as an identity that no provider knows.
fn signing_keyless(data: &[u8]) {
    static ROOT: OnceLock<TrustedRoot> = OnceLock::new();
    let root = ROOT.get_or_init(|| {
        let json = include_bytes!("../../crates/bastide-signing/tests/sigstore/trusted_root.json");
        TrustedRoot::from_json(json).expect("the root of the public instance is read")
    });
    let identity = KeylessIdentity { identity: "nobody".to_owned(), provider: "none".to_owned() };
    assert!(verify(data, Trust::Keyless { root, identity: &identity }).is_err(), "nobody has signed nothing");
}

/// What trust begins with: roots of Sigstore as JSON, certificates as PEM, and one certificate as DER.
fn signing_roots(data: &[u8]) {
    let _ = TrustedRoot::from_json(data);
    if let Ok(text) = std::str::from_utf8(data) {
        let _ = Roots::from_pem(text);
    }
    let pem = format!("-----BEGIN CERTIFICATE-----\n{}\n-----END CERTIFICATE-----\n", base64(data));
    let _ = Roots::from_pem(&pem);
}

/// Base64 (RFC 4648, section 4), so that bytes of DER come to the parser of PEM.
fn base64(data: &[u8]) -> String {
    const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut text = String::new();
    for group in data.chunks(3) {
        let number = group.iter().fold(0_usize, |number, byte| number << 8 | usize::from(*byte))
            << (8 * (3 - group.len()));
        for place in 0..4 {
            let digit = DIGITS[number >> (18 - 6 * place) & 63];
            text.push(if place <= group.len() { char::from(digit) } else { '=' });
        }
    }
    text
}

/// Digests side by side are those of each content alone, however the contents are cut: the first byte says how.
fn sha256_together(data: &[u8]) {
    let Some((first, data)) = data.split_first() else { return };
    let step = usize::from(*first).max(1);
    let parts: Vec<&[u8]> = (0..LANES + 1).map(|lane| &data[(lane * step * 3).min(data.len())..]).collect();
    // A processor without the instructions has no digests of this kind.
    let Some(mut states) = parts.iter().map(|_| Sha256::new()).collect::<Option<Vec<_>>>() else { return };
    let longest = parts.iter().map(|part| part.len()).max().unwrap_or(0);
    for at in (0..longest).step_by(step) {
        let pieces = parts.iter().map(|part| &part[at.min(part.len())..(at + step).min(part.len())]);
        update_together(states.iter_mut().zip(pieces));
    }
    for (state, part) in states.into_iter().zip(parts) {
        assert_eq!(state.finish(), sha256(part), "another implementation gives another digest");
    }
}
