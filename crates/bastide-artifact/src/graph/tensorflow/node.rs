//! The judgement on nodes that reach out of the graph.

use std::collections::HashSet;

use super::super::path;
use super::flow::{Flow, Texts};
use super::operations::{Reach, reach};
use super::program::{Node, Program};
use super::{COMPILED, CUSTOM, EXECUTION, FILES, INDIRECT, NETWORK, READS};
use crate::halt::Parsed;
use crate::scan::{Scan, shown};

/// Judges every node of the program.
///
/// # Errors
///
/// When the budget of the scan is spent.
pub(super) fn settle(program: &Program, scan: &mut Scan<'_>) -> Parsed<()> {
    let mut flow = Flow::new(program);
    let mut outcome = Ok(());
    for (at, body) in program.bodies.iter().enumerate() {
        for node in &body.nodes {
            let judged = judge(at, node, &mut flow, scan);
            outcome = outcome.and(judged);
        }
    }
    let own: HashSet<&str> = program.bodies.iter().map(|body| body.name.as_str()).collect();
    for (operation, at) in &program.foreign {
        if !own.contains(operation.as_str()) {
            scan.find(&CUSTOM, *at, format!("operation `{}`", shown(operation)));
        }
    }
    outcome
}

fn judge<'p>(body: usize, node: &'p Node, flow: &mut Flow<'p>, scan: &mut Scan<'_>) -> Parsed<()> {
    let reach = reach(&node.operation);
    let operation = shown(&node.operation);
    let what = format!("operation `{operation}` in node `{}`", shown(&node.name));
    match reach {
        Reach::None | Reach::Foreign => attributes(node, scan),
        Reach::Python => scan.find(&EXECUTION, node.at, what),
        Reach::Compiled => scan.find(&COMPILED, node.at, what),
        Reach::Indirect => scan.find(&INDIRECT, node.at, what),
        Reach::Files | Reach::Network => {
            let rule = if reach == Reach::Files { &FILES } else { &NETWORK };
            // Without the path where it cannot be followed: the operation alone decides.
            let texts = flow.paths(body, node, scan);
            let path = texts.as_ref().ok().and_then(|texts| texts.known.first()).map(|path| shown(path));
            let path = path.map_or_else(String::new, |path| format!(", with `{path}`"));
            scan.find(rule, node.at, what + &path);
            texts?;
        }
        Reach::Reads | Reach::Writes | Reach::Loads => {
            attributes(node, scan);
            named(node, reach, &flow.paths(body, node, scan)?, what, scan);
        }
    }
    Ok(())
}

/// An operation on a file that is honest unless the graph itself names a file outside of the model.
fn named(node: &Node, reach: Reach, texts: &Texts, what: String, scan: &mut Scan<'_>) {
    let attack = texts.known.iter().find_map(|path| Some((path, hostile(reach, path)?)));
    if let Some((path, why)) = attack {
        scan.find(&FILES, node.at, format!("{what}: the path `{}` {why}", shown(path)));
    } else if texts.hidden {
        scan.find(&INDIRECT, node.at, format!("{what}: its path is computed"));
    } else if reach == Reach::Reads {
        scan.find(&READS, node.at, what);
    }
}

/// Why an operation on files attacks where the graph itself names `path`; nothing where it does not.
pub(in crate::graph) fn hostile(reach: Reach, path: &str) -> Option<&'static str> {
    match reach {
        Reach::Loads => path::is_of_host(path).then_some("is of the host"),
        _ => path::escape(path),
    }
}

/// Attributes by which operations reach out that otherwise compute.
fn attributes(node: &Node, scan: &mut Scan<'_>) {
    let operation = shown(&node.operation);
    for (key, text) in &node.texts {
        let outward = match key.as_str() {
            // PrintV2 appends to any file.
            "output_stream" => text.starts_with("file:"),
            // Debug operations send tensors to `file://` and `grpc://`.
            "debug_urls" => !text.is_empty(),
            // ImmutableConst maps any file into memory; honest ones name a region of a packed model.
            "memory_region_name" => !text.starts_with("memmapped_package:"),
            // DecodeProtoV2 and EncodeProto read descriptors from a file unless they are local or inline.
            "descriptor_source" => {
                !text.is_empty() && !text.starts_with("local:") && !text.starts_with("bytes:")
            }
            // RecordInput, SnapshotDataset, DumpTensor, CalibrationStatisticsSaver.
            key if PATHS.contains(&key) => path::escape(text).is_some(),
            _ => false,
        };
        if outward {
            scan.find(&FILES, node.at, format!("operation `{operation}` with {key} `{}`", shown(text)));
        }
    }
}

/// Attributes that hold the path of a file.
const PATHS: &[&str] =
    &["file_pattern", "log_dir_path", "output_file_path", "reader_path_prefix", "writer_path_prefix"];

/// Whether the text of the attribute `key` decides something: the others are names of shapes, shards and devices.
pub(super) fn decides(key: &str) -> bool {
    const OTHERS: &[&str] = &[
        "debug_urls",
        "descriptor_source",
        "memory_region_name",
        "output_stream",
        "pattern",
        "placeholder",
        "rewrite",
        "separator",
        "template",
        "value",
    ];
    OTHERS.contains(&key) || PATHS.contains(&key)
}
