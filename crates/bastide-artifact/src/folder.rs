//! What the files of one model folder say of each other: loaders go by names, and what is beside a file decides what is
//! loaded with it.

use std::collections::{BTreeMap, BTreeSet};

use bastide_types::{Assessment, Rule, Severity};
use unicode_normalization::UnicodeNormalization as _;

use crate::format::Format;
use crate::report::{Finding, Report};
use crate::scan::{Scan, shown};

/// A file that is not there.
pub(crate) const MISSING: Rule = Rule {
    id: "folder.missing",
    severity: Severity::Low,
    effect: Assessment::Clean,
    title: "file that another one names was not scanned",
    why: "it is not there, or was not given, so that what it holds was not assessed; a loader that fetches it gets whatever is there by then",
    fix: "fetch the whole model and scan it again",
    cwe: &[],
    atlas: &[],
};

/// Two names that are one.
pub(crate) const ALIKE: Rule = Rule {
    id: "folder.alike",
    severity: Severity::Medium,
    effect: Assessment::Review,
    title: "two files whose names differ only by case or by the form of their letters",
    why: "on some file systems one replaces the other, so that another file is loaded than was reviewed",
    fix: "keep one of the two files",
    cwe: &[178, 176],
    atlas: &["AML.T0010.003"],
};

/// Code under the name of a format without code.
pub(crate) const DISGUISED: Rule = Rule {
    id: "folder.disguised",
    severity: Severity::High,
    effect: Assessment::Malicious,
    title: "file is named like a format that runs nothing, and is one that does",
    why: "people and policies trust the name; a loader that goes by content unpickles or starts what is there",
    fix: "do not load the file; ask the publisher for one in the format that its name says",
    cwe: &[430, 434, 502],
    atlas: &["AML.T0010.003", "AML.T0011.000"],
};

/// Anything else under such a name.
pub(crate) const MISNAMED: Rule = Rule {
    id: "folder.misnamed",
    severity: Severity::Medium,
    effect: Assessment::Review,
    title: "file is of another format than its name says",
    why: "tools that go by names treat it as what it is not",
    fix: "ask the publisher why, and give the file the name of its format",
    cwe: &[430],
    atlas: &["AML.T0010.003"],
};

/// What no reader knows, under the name of a format that all files of this name have.
pub(crate) const UNKNOWN: Rule = Rule {
    id: "folder.unknown-format",
    severity: Severity::Medium,
    effect: Assessment::Review,
    title: "content is of no known format",
    why: "it is encrypted, damaged, or made for a loader that is not known here: nobody has read what it does",
    fix: "have the publisher say what it is, or scan what it is decrypted to",
    cwe: &[430],
    atlas: &["AML.T0010.003"],
};

/// Weights that are not there.
pub(crate) const EMPTY: Rule = Rule {
    id: "folder.empty-weights",
    severity: Severity::Low,
    effect: Assessment::Clean,
    title: "weights file without content",
    why: "a download that broke off, or a placeholder of a large-file store, looks like this; a model of several parts is incomplete without it",
    fix: "fetch the file again and compare its size and digest with the publisher's",
    cwe: &[],
    atlas: &[],
};

/// An adapter that takes the place of the model.
pub(crate) const ADAPTER: Rule = Rule {
    id: "folder.adapter",
    severity: Severity::Medium,
    effect: Assessment::Review,
    title: "adapter beside the weights of a whole model",
    why: "transformers loads the base model that the adapter names, and not the weights beside it",
    fix: "keep adapter and model in folders of their own",
    cwe: &[436],
    atlas: &["AML.T0010.003"],
};

/// Code that nothing names.
pub(crate) const SPARE_CODE: Rule = Rule {
    id: "folder.spare-code",
    severity: Severity::Low,
    effect: Assessment::Clean,
    title: "Python beside a model that does not name it",
    why: "no loader imports it by itself; it runs when somebody runs it",
    fix: "read it before you run it",
    cwe: &[],
    atlas: &[],
};

/// A part of the model where nobody looks.
pub(crate) const HIDDEN: Rule = Rule {
    id: "folder.hidden",
    severity: Severity::High,
    effect: Assessment::Malicious,
    title: "model keeps a part of itself among the files of version control",
    why: "scanners, reviewers and signatures pass over these folders, and the loader opens the file all the same",
    fix: "do not load the model; the parts of an honest one lie beside what names them",
    cwe: &[552, 693],
    atlas: &["AML.T0010.003"],
};

/// Folders of version control, which scans and signatures leave out.
const VERSION_CONTROL: &[&str] = &[".git", ".hg", ".svn"];

/// What is looked for in folders.
pub(crate) const RULES: &[&Rule] =
    &[&MISSING, &ALIKE, &DISGUISED, &MISNAMED, &UNKNOWN, &EMPTY, &ADAPTER, &SPARE_CODE, &HIDDEN];

/// Findings of one kind in one file; what is beyond them says nothing more.
const MOST: usize = 50;

/// What the files at these paths (with `/` between their parts) say of each other: for each finding the place of its file
/// in the list. Files are beside each other where their paths end in the same folder.
///
/// ```
/// use bastide_artifact::{Limits, folder, scan};
///
/// let pickle = scan(&b"\x80\x04}.".as_slice(), "model.safetensors", &Limits::default());
/// let found = folder(&[("model.safetensors", &pickle)]);
/// assert_eq!(found[0].1.rule.id, "folder.disguised");
/// ```
#[must_use]
pub fn folder(files: &[(&str, &Report)]) -> Vec<(usize, Finding)> {
    let mut found = Vec::new();
    let folders = by_folder(files);
    let paths: BTreeSet<&str> = files.iter().map(|(path, _)| *path).collect();
    for (at, (path, report)) in files.iter().enumerate() {
        let (folder, name) = split(path);
        if let Some((rule, message)) = named(name, report.format) {
            found.push((at, finding(rule, message)));
        }
        for hidden in report.facts.files.iter().filter(|needed| is_hidden(needed)).take(MOST) {
            found.push((at, finding(&HIDDEN, format!("it names `{}`", shown(hidden)))));
        }
        for needed in report.facts.files.iter().filter(|needed| !is_there(folder, needed, &paths)).take(MOST)
        {
            found.push((
                at,
                finding(&MISSING, format!("it names `{}`, which is not among the files", shown(needed))),
            ));
        }
    }
    for members in folders.values() {
        alike(files, members, &mut found);
        adapter(files, members, &mut found);
        spare_code(files, members, &mut found);
    }
    found
}

/// The places of the files of each folder.
fn by_folder<'p>(files: &[(&'p str, &Report)]) -> BTreeMap<&'p str, Vec<usize>> {
    let mut folders: BTreeMap<&str, Vec<usize>> = BTreeMap::new();
    for (at, (path, _)) in files.iter().enumerate() {
        folders.entry(split(path).0).or_default().push(at);
    }
    folders
}

fn split(path: &str) -> (&str, &str) {
    path.rsplit_once('/').unwrap_or(("", path))
}

fn finding(rule: &'static Rule, message: String) -> Finding {
    Finding { rule, message, offset: None, line: None, members: Vec::new(), call: None, count: 1 }
}

/// Whether the file that one in `folder` names is among `paths`. Names that lead elsewhere are judged where they stand.
fn is_there(folder: &str, needed: &str, paths: &BTreeSet<&str>) -> bool {
    let needed = needed.strip_prefix("./").unwrap_or(needed);
    if crate::document::config::escapes(needed) {
        return true;
    }
    let path = if folder.is_empty() { needed.to_owned() } else { format!("{folder}/{needed}") };
    paths.contains(path.as_str())
}

/// Whether `needed` lies in a folder of version control. File systems that ignore case have `.GIT` for the same.
fn is_hidden(needed: &str) -> bool {
    let mut folders = split(needed).0.split(['/', '\\']);
    folders.any(|part| VERSION_CONTROL.contains(&part.trim_end_matches([' ', '.']).to_lowercase().as_str()))
}

/// What is wrong with a file of this name and format.
fn named(name: &str, format: Format) -> Option<(&'static Rule, String)> {
    let extension = name.rsplit_once('.')?.1.to_ascii_lowercase();
    let own = match extension.as_str() {
        "safetensors" => Format::Safetensors,
        "gguf" => Format::Gguf,
        "npy" => Format::Numpy,
        "onnx" => Format::Onnx,
        "tflite" => Format::TfLite,
        // Names of many formats, none of which is source code.
        "bin" | "ckpt" | "h5" | "hdf5" | "joblib" | "keras" | "pkl" | "pt" | "pth"
            if matches!(format, Format::Python | Format::Script) =>
        {
            format
        }
        _ => return None,
    };
    let message = format!("a {format} file is called `{}`", shown(name));
    match format {
        // A `.pth` may be a list of folders too, which is judged for itself.
        Format::Python | Format::Script if format == own && extension != "pth" => Some((&MISNAMED, message)),
        format if format == own => None,
        // The metadata of a TFLite model is a zip archive behind it.
        Format::Zip if own == Format::TfLite => None,
        Format::Pickle
        | Format::Joblib
        | Format::TorchZip
        | Format::TorchLegacy
        | Format::TorchTar
        | Format::TorchScript
        | Format::Executable
        | Format::Llamafile => Some((&DISGUISED, message)),
        Format::Zip
        | Format::Tar
        | Format::SevenZip
        | Format::OtherArchive
        | Format::Gzip
        | Format::Bzip2
        | Format::Xz
        | Format::Zstd
        | Format::Lz4
        | Format::Keras
        | Format::Hdf5
        | Format::NumpyZip
        | Format::Python
        | Format::Script
        | Format::Notebook => Some((&MISNAMED, message)),
        _ => None,
    }
}

/// Finds names that file systems may take for one. Letters of another form are never by chance; another case counts only
/// where a loader asks for the file by its name.
fn alike(files: &[(&str, &Report)], members: &[usize], found: &mut Vec<(usize, Finding)>) {
    let mut seen: BTreeMap<String, &str> = BTreeMap::new();
    for &at in members {
        let Some(name) = files.get(at).map(|(path, _)| split(path).1) else { continue };
        let form: String = name.nfkc().collect();
        let folded = if is_asked_for(&form.to_lowercase()) { form.to_lowercase() } else { form };
        match seen.get(&folded) {
            Some(other) if *other != name => {
                found.push((at, finding(&ALIKE, format!("`{}` and `{}`", shown(other), shown(name)))));
            }
            _ => {
                seen.insert(folded, name);
            }
        }
    }
}

/// Whether loaders open a file of this name, in small letters, without being told.
fn is_asked_for(name: &str) -> bool {
    const STARTS: &[&str] = &[
        "adapter_",
        "chat_template",
        "config.",
        "config_",
        "diffusion_pytorch_model",
        "flax_model",
        "generation_config",
        "keras_metadata",
        "model.",
        "model-0",
        "model_index",
        "modules.",
        "preprocessor_config",
        "processor_config",
        "pytorch_model",
        "saved_model",
        "special_tokens_map",
        "tf_model",
        "tokenizer",
        "vocab.",
    ];
    name.ends_with(".py") || STARTS.iter().any(|start| name.starts_with(start))
}

/// Finds an adapter's configuration beside the weights of a model.
fn adapter(files: &[(&str, &Report)], members: &[usize], found: &mut Vec<(usize, Finding)>) {
    let name = |at: &usize| files.get(*at).map_or("", |(path, _)| split(path).1);
    let has_base = |at: &&usize| {
        files.get(**at).is_some_and(|(_, report)| report.facts.properties.contains_key("base_model"))
    };
    let Some(config) = members.iter().filter(|at| name(at) == "adapter_config.json").find(has_base) else {
        return;
    };
    let weights = members.iter().map(name).find(|name| {
        let (stem, extension) = name.rsplit_once('.').unwrap_or((name, ""));
        matches!(extension, "safetensors" | "bin")
            && (matches!(stem, "model" | "pytorch_model")
                || stem.starts_with("model-0")
                || stem.starts_with("pytorch_model-0"))
    });
    if let Some(weights) = weights {
        found.push((*config, finding(&ADAPTER, format!("`{}` is beside it", shown(weights)))));
    }
}

/// Finds Python that no file of the folder names.
fn spare_code(files: &[(&str, &Report)], members: &[usize], found: &mut Vec<(usize, Finding)>) {
    let of = |at: &usize| files.get(*at).map(|(path, report)| (split(path).1, *report));
    let here: Vec<(usize, &str, &Report)> =
        members.iter().filter_map(|at| of(at).map(|(name, report)| (*at, name, report))).collect();
    if !here.iter().any(|(_, _, report)| is_model(report.format)) {
        return;
    }
    let named: BTreeSet<&str> =
        here.iter().flat_map(|(_, _, report)| &report.facts.files).map(String::as_str).collect();
    let spare = here.iter().filter(|(_, name, _)| name.ends_with(".py") && !named.contains(name));
    for (at, name, _) in spare.take(MOST) {
        found.push((*at, finding(&SPARE_CODE, format!("nothing in the folder names `{}`", shown(name)))));
    }
}

/// Whether files of this format are weights or graphs.
fn is_model(format: Format) -> bool {
    matches!(
        format,
        Format::Pickle
            | Format::Joblib
            | Format::TorchZip
            | Format::TorchLegacy
            | Format::TorchScript
            | Format::TorchExport
            | Format::Safetensors
            | Format::Gguf
            | Format::Onnx
            | Format::SavedModel
            | Format::TfLite
            | Format::Keras
            | Format::Hdf5
    )
}

/// Remarks on content that no reader knows. Names that hold anything, such as `.bin` and `.ckpt`, promise nothing.
pub(crate) fn unknown(name: &str, bytes: u64, scan: &mut Scan<'_>) {
    const PROMISE: &[&str] = &[
        "dill",
        "gguf",
        "h5",
        "hdf5",
        "joblib",
        "keras",
        "npy",
        "npz",
        "pickle",
        "pkl",
        "pt",
        "pth",
        "safetensors",
        "skops",
    ];
    let extension = name.rsplit_once('.').map_or("", |(_, extension)| extension).to_ascii_lowercase();
    if bytes > 0 && PROMISE.contains(&extension.as_str()) {
        scan.find(&UNKNOWN, 0, format!("`{}` is of no known format", shown(name)));
    }
}

/// Remarks on a file of this name that has no content.
pub(crate) fn empty(name: &str, scan: &mut Scan<'_>) {
    const WEIGHTS: &[&str] = &[
        "bin",
        "ckpt",
        "dill",
        "gguf",
        "ggml",
        "h5",
        "hdf5",
        "joblib",
        "keras",
        "mar",
        "mlmodel",
        "msgpack",
        "nemo",
        "npy",
        "npz",
        "onnx",
        "params",
        "pb",
        "pdmodel",
        "pdparams",
        "pickle",
        "pkl",
        "pt",
        "pt2",
        "pte",
        "pth",
        "safetensors",
        "skops",
        "t7",
        "tflite",
    ];
    let extension = name.rsplit_once('.').map_or("", |(_, extension)| extension).to_ascii_lowercase();
    if WEIGHTS.contains(&extension.as_str()) {
        scan.find(&EMPTY, None, format!("`{}` has no content", shown(name)));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Limits, scan};

    #[test]
    fn weights_without_content_are_said_and_other_empty_files_are_not() {
        let ids = |name: &str, bytes: &[u8]| -> Vec<&str> {
            scan(&bytes, name, &Limits::default()).findings.iter().map(|finding| finding.rule.id).collect()
        };
        assert_eq!(ids("model-00002-of-00003.safetensors", b""), [EMPTY.id]);
        assert_eq!(ids("pytorch_model.BIN", b""), [EMPTY.id]);
        assert!(ids("__init__.py", b"").is_empty() && ids(".gitkeep", b"").is_empty());
        assert!(ids("model.safetensors", TENSORS).is_empty());
    }

    const TENSORS: &[u8] = b"\x02\0\0\0\0\0\0\0{}";
    const PICKLE: &[u8] = b"\x80\x04}.";

    /// The ids of what is found, each with the path of its file.
    fn found<'p>(files: &[(&'p str, &[u8])]) -> Vec<(&'p str, &'static str)> {
        let name = |path: &str| split(path).1.to_owned();
        let reports: Vec<Report> =
            files.iter().map(|(path, bytes)| scan(bytes, &name(path), &Limits::default())).collect();
        let files: Vec<(&str, &Report)> =
            files.iter().zip(&reports).map(|((path, _), report)| (*path, report)).collect();
        folder(&files).into_iter().map(|(at, finding)| (files[at].0, finding.rule.id)).collect()
    }

    #[test]
    fn an_honest_folder_says_nothing() {
        let index = br#"{"weight_map": {"a": "model-00001-of-00001.safetensors"}}"#;
        let config = br#"{"model_type": "x", "auto_map": {"AutoModel": "modeling_x.Model"}}"#;
        let adapter = br#"{"base_model_name_or_path": "me/base", "peft_type": "LORA"}"#;
        assert_eq!(
            found(&[
                ("m/model.safetensors.index.json", index),
                ("m/model-00001-of-00001.safetensors", TENSORS),
                ("m/config.json", config),
                ("m/modeling_x.py", b"class Model: pass\n"),
                ("m/weights.bin", PICKLE),
                ("a/adapter_config.json", adapter),
                ("a/adapter_model.safetensors", TENSORS),
                ("a/CONFIG.json", b"{}"),
            ]),
            []
        );
    }

    #[test]
    fn what_is_named_and_not_there_is_a_remark() {
        let index =
            br#"{"weight_map": {"a": "one.safetensors", "b": "sub/two.safetensors", "c": "./three.bin"}}"#;
        let files: &[(&str, &[u8])] = &[
            ("model.safetensors.index.json", index),
            ("one.safetensors", TENSORS),
            ("sub/two.safetensors", TENSORS),
            ("elsewhere/three.bin", PICKLE),
        ];
        assert_eq!(found(files), [("model.safetensors.index.json", "folder.missing")]);
        let config = br#"{"auto_map": {"AutoModel": "modeling_x.Model"}}"#;
        assert_eq!(found(&[("config.json", config)]), [("config.json", "folder.missing")]);
    }

    #[test]
    fn parts_among_the_files_of_version_control_are_malicious() {
        for path in [".git/shard.bin", "a/.hg/x.bin", ".svn/x/y.safetensors", "./.GIT/x.bin", ".git /x.bin"] {
            let index = format!(r#"{{"weight_map": {{"a": "{path}"}}}}"#);
            let found = found(&[("m/pytorch_model.bin.index.json", index.as_bytes())]);
            assert!(
                found.contains(&("m/pytorch_model.bin.index.json", "folder.hidden")),
                "{path}: {found:?}"
            );
        }
        let index = br#"{"weight_map": {"a": "x.git/a.bin", "b": ".github/b.bin", "c": "gitless.bin"}}"#;
        assert!(found(&[("i.json", index)]).iter().all(|(_, id)| *id == "folder.missing"));
    }

    #[test]
    fn names_that_are_one_elsewhere_are_reviewed() {
        assert_eq!(
            found(&[("m/model.bin", b"x"), ("m/Model.bin", b"y"), ("n/MODEL.bin", b"z")]),
            [("m/Model.bin", "folder.alike")]
        );
        assert_eq!(found(&[("array_b.bin", b"x"), ("array_B.bin", b"y")]), []);
        assert_eq!(found(&[("é", b"x"), ("e\u{301}", b"y")]), [("e\u{301}", "folder.alike")]);
        assert_eq!(found(&[("ﬁle", b"x"), ("file", b"y")]), [("file", "folder.alike")]);
    }

    #[test]
    fn formats_that_run_code_do_not_hide_behind_names_of_those_that_do_not() {
        for name in ["m.safetensors", "m.GGUF", "m.npy", "m.onnx", "m.tflite"] {
            assert_eq!(found(&[(name, PICKLE)]), [(name, "folder.disguised")], "{name}");
        }
        assert_eq!(
            found(&[("m.safetensors", b"\x7fELF\x02\x01\x01\0\0\0\0\0\0\0\0\0\x03\0\x3e\0")])[0].1,
            "folder.disguised"
        );
        assert_eq!(found(&[("m.gguf", b"#!/bin/sh\necho harmless\n")]), [("m.gguf", "folder.misnamed")]);
        for (name, bytes) in [("m.safetensors", TENSORS), ("m.bin", PICKLE)] {
            assert_eq!(found(&[(name, bytes)]), [], "{name}");
        }
    }

    #[test]
    fn an_adapter_takes_the_place_of_the_model_beside_it() {
        let adapter = br#"{"base_model_name_or_path": "me/base", "peft_type": "LORA"}"#;
        let files: &[(&str, &[u8])] = &[("m/adapter_config.json", adapter), ("m/model.safetensors", TENSORS)];
        assert_eq!(found(files), [("m/adapter_config.json", "folder.adapter")]);
    }

    #[test]
    fn python_that_nothing_names_is_a_remark_beside_a_model() {
        let files: &[(&str, &[u8])] = &[("m/model.safetensors", TENSORS), ("m/train.py", b"import torch\n")];
        assert_eq!(found(files), [("m/train.py", "folder.spare-code")]);
        assert_eq!(found(&[("src/train.py", b"import torch\n")]), []);
    }
}
