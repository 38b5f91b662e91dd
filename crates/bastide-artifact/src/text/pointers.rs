//! Small texts that name the files of a model: what their loaders open is what stands there.

use bastide_types::{Assessment, Rule, Severity};

use crate::document::config::escapes;
use crate::document::config::rules::TRAVERSAL;
use crate::graph::is_of_host;
use crate::halt::Parsed;
use crate::scan::{Scan, shown};

/// A model that is not there.
pub(crate) const ELSEWHERE: Rule = Rule {
    id: "folder.pointer",
    severity: Severity::Medium,
    effect: Assessment::Review,
    title: "the model itself is kept elsewhere",
    why: "the file is a pointer of Git LFS or git-annex: what it points to was not read, and takes its place later",
    fix: "fetch the content (`git lfs pull`; `lfs: true` at a checkout action) and scan again",
    cwe: &[],
    atlas: &["AML.T0010.003"],
};

/// Whether the text stands for content in a large-file store: the pointers of Git LFS, and those of git-annex.
pub(super) fn is_elsewhere(head: &str) -> bool {
    head.starts_with("version https://git-lfs.github.com/spec/") || head.starts_with("/annex/objects/")
}

/// Whether the file names others: the state of TensorFlow's checkpoints, or what Ollama builds a model from.
pub(super) fn is_pointer(name: &str, head: &str) -> bool {
    name == "checkpoint" && head.contains("model_checkpoint_path")
        || is_modelfile(name)
            && head.lines().any(|line| line.get(..5).is_some_and(|word| word.eq_ignore_ascii_case("from ")))
}

fn is_modelfile(name: &str) -> bool {
    let name = name.to_ascii_lowercase();
    name == "modelfile" || name.ends_with(".modelfile") || name.starts_with("modelfile.")
}

/// Finds paths to what is the host's. Trainers leave their own folders here, which is no attack.
pub(super) fn judge(name: &str, text: &str, scan: &mut Scan<'_>) {
    let modelfile = is_modelfile(name);
    let mut at = 0;
    for line in text.split_inclusive('\n') {
        let start = at;
        at += line.len() as u64;
        let line = line.trim();
        let named = if modelfile {
            let (word, path) = line.split_once(char::is_whitespace).unwrap_or_default();
            ["from", "adapter"].iter().any(|known| word.eq_ignore_ascii_case(known)).then_some(path)
        } else {
            line.split_once(':')
                .filter(|(key, _)| key.ends_with("checkpoint_path") || key.ends_with("checkpoint_paths"))
                .map(|(_, path)| path)
        };
        let path = named.unwrap_or_default().trim().trim_matches(['"', '\'']);
        if is_of_host(path) || path.starts_with("~/.") || path.contains('\0') {
            scan.find(&TRAVERSAL, start, format!("it names `{}`", shown(path)));
        }
    }
}

/// Finds where the tensors of an ONNX graph that is written as text are kept:
/// `external_data { key: "location" value: "weights.bin" }`.
pub(super) fn external(text: &str, scan: &mut Scan<'_>) -> Parsed<()> {
    const NEAR: usize = 4096;
    for (at, key) in text.match_indices("location") {
        let quote = |byte: Option<&u8>| byte.is_some_and(|byte| matches!(byte, b'"' | b'\''));
        let bytes = text.as_bytes();
        if !quote(at.checked_sub(1).and_then(|before| bytes.get(before))) || !quote(bytes.get(at + key.len()))
        {
            continue;
        }
        scan.spend(NEAR as u64 / 64)?;
        let from = text.floor_char_boundary(at.saturating_sub(NEAR / 4));
        let before = text.get(from..at).unwrap_or_default();
        let after = text.get(at..text.floor_char_boundary(at.saturating_add(NEAR))).unwrap_or_default();
        let value =
            after.split_once("value").map(|(_, rest)| rest.trim_start().trim_start_matches(':').trim_start());
        let path = value
            .and_then(|value| value.strip_prefix(['"', '\''])?.split(['"', '\'']).next())
            .unwrap_or_default();
        if before.contains("external_data") && escapes(path) {
            scan.find(&TRAVERSAL, at as u64, format!("weights are in `{}`", shown(path)));
        }
    }
    Ok(())
}
