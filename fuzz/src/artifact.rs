//! The targets for readers of model files, of code around models, and of their signatures.
//!
//! Each family's reader is made to read the input whatever it looks like: recognition, which has a target of its
//! own, would turn most inputs away before a reader saw them.

use std::sync::OnceLock;

use bastide_artifact::{Facts, Format, Limits, Report, pickle_trace, scan, scan_as};
use bastide_code::{Remark, dependencies};
use bastide_crypto::{Curve, EcdsaSigningKey};
use bastide_signing::{Trust, certificates_from_pem, verify};

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
    ("artifact_text", |data| read(&[Format::Script, Format::Executable], data)),
    ("code_python", code_python),
    ("code_infrastructure", code_infrastructure),
    ("code_dependencies", code_dependencies),
    ("signing_bundle", signing_bundle),
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

/// A signature bundle: nothing but what a key has signed is believed.
fn signing_bundle(data: &[u8]) {
    static KEY: OnceLock<EcdsaSigningKey> = OnceLock::new();
    let key = KEY.get_or_init(|| EcdsaSigningKey::generate(Curve::P256).expect("a key can be made"));
    assert!(verify(data, Trust::Key(key.verifying_key())).is_err(), "a fresh key has signed nothing");
    if let Ok(text) = std::str::from_utf8(data) {
        let _ = certificates_from_pem(text);
    }
}
