//! TensorFlow: SavedModels, meta graphs and graphs, in protocol buffers or in their text form.
//!
//! A graph is a program. Most operations compute; a few read and write files, open connections or call Python, and the
//! session that runs the graph lets them. Savers write and read checkpoints in every honest model, so that operations on
//! checkpoints count only where the graph itself names a file outside.

mod flow;
mod node;
mod operations;
mod program;
mod roles;
mod text;
mod walk;

use bastide_types::{Assessment, Rule, Severity};

pub(super) use node::hostile;
pub(super) use operations::{Reach, reach};
pub(super) use roles::names_file;

use super::proto::{Outline, Proto, Span, Value};
use crate::format::{Format, Glance};
use crate::halt::Parsed;
use crate::scan::Scan;
use crate::source::Source;

/// Files.
pub(super) const FILES: Rule = Rule {
    id: "tensorflow.files",
    severity: Severity::High,
    effect: Assessment::Malicious,
    title: "graph that reaches files",
    why: "running the model reads, lists or writes files that the graph names, with the rights of the process",
    fix: "do not run it; ask for a model whose graph only computes, and pass file contents in as inputs",
    cwe: &[73],
    atlas: &["AML.T0010.003", "AML.T0011.000"],
};

/// Python.
pub(super) const EXECUTION: Rule = Rule {
    id: "tensorflow.execution",
    severity: Severity::Critical,
    effect: Assessment::Malicious,
    title: "graph that calls Python",
    why: "the operation calls a function of the process that runs the graph",
    fix: "do not run it; ask for a model of TensorFlow's own operations",
    cwe: &[94],
    atlas: &["AML.T0011.000"],
};

/// Connections.
pub(super) const NETWORK: Rule = Rule {
    id: "tensorflow.network",
    severity: Severity::High,
    effect: Assessment::Malicious,
    title: "graph that opens connections",
    why: "running the model talks to a server that the graph names, with what the graph computes from its inputs",
    fix: "do not run it; ask for a model whose graph only computes",
    cwe: &[918],
    atlas: &["AML.T0010.003"],
};

/// Data sets.
pub(super) const READS: Rule = Rule {
    id: "tensorflow.reads",
    severity: Severity::Medium,
    effect: Assessment::Review,
    title: "graph that reads data files",
    why: "the input pipeline is part of the model; what it reads is decided where the model runs",
    fix: "see which files the pipeline is given, or export the model without it",
    cwe: &[73],
    atlas: &[],
};

/// Other code.
pub(super) const INDIRECT: Rule = Rule {
    id: "tensorflow.indirect",
    severity: Severity::Medium,
    effect: Assessment::Review,
    title: "graph that has other code do its work",
    why: "it runs functions on a device that is named when the graph runs, or functions that fetch what they please",
    fix: "see which functions it names, or export the model without its input pipeline",
    cwe: &[829],
    atlas: &["AML.T0011.000"],
};

/// Operations from elsewhere.
pub(super) const CUSTOM: Rule = Rule {
    id: "tensorflow.custom-operation",
    severity: Severity::Medium,
    effect: Assessment::Review,
    title: "operation that TensorFlow does not have",
    why: "running the model needs a library that registers the operation, and what it does is up to that library",
    fix: "see which library provides the operation, and where it comes from",
    cwe: &[829],
    atlas: &["AML.T0011.000"],
};

/// Machine code.
pub(super) const COMPILED: Rule = Rule {
    id: "tensorflow.compiled",
    severity: Severity::Medium,
    effect: Assessment::Review,
    title: "compiled part of a graph",
    why: "an accelerator's runtime loads it as it is; nothing in it can be assessed",
    fix: "compile it from the plain graph",
    cwe: &[829],
    atlas: &["AML.T0011.000"],
};

/// Assets.
pub(super) const ASSET: Rule = Rule {
    id: "tensorflow.asset-path",
    severity: Severity::High,
    effect: Assessment::Malicious,
    title: "asset outside the model's folder",
    why: "loading the model hands that file to the graph",
    fix: "do not load it; assets lie in the model's `assets` folder under plain names",
    cwe: &[22],
    atlas: &["AML.T0010.003"],
};

/// Fields of a `GraphDef`: nodes, library, versions, debug information; and a number of old.
const GRAPH: &[u64] = &[1, 2, 4, 5];
/// How many nodes are looked at for one of TensorFlow's operations.
const LOOKED_AT: usize = 64;
/// How many further ones are looked at for an operation that reaches out.
const MOST_NODES: usize = 20_000;

/// Whether the outline is that of a `SavedModel`, or of the `SavedMetadata` that Keras puts beside it.
///
/// Parsers pass over fields that they do not know, so that it is what is there that decides, here and below.
pub(super) fn is_saved_model(proto: &mut Proto<'_>, outline: &Outline) -> bool {
    is_keras_metadata(proto, outline)
        || outline.all_bytes(2).take(16).any(|meta| {
            Outline::of(proto, meta, LOOKED_AT)
                .is_some_and(|meta| has_graph(proto, &meta) || has_info(proto, &meta))
        })
}

/// Whether the outline is that of a `MetaGraphDef`, as checkpoints have one beside them.
pub(super) fn is_meta_graph(proto: &mut Proto<'_>, outline: &Outline) -> bool {
    has_graph(proto, outline)
}

/// Whether the outline is that of a `GraphDef`.
pub(super) fn is_graph_def(proto: &mut Proto<'_>, outline: &Outline) -> bool {
    has_node(proto, outline, false) || has_function(proto, outline)
}

fn has_graph(proto: &mut Proto<'_>, meta: &Outline) -> bool {
    meta.bytes(2)
        .and_then(|graph| Outline::of(proto, graph, LOOKED_AT))
        .is_some_and(|graph| has_node(proto, &graph, true) || has_function(proto, &graph))
}

/// Whether the `MetaInfoDef` of a meta graph without nodes names the version of TensorFlow.
fn has_info(proto: &mut Proto<'_>, meta: &Outline) -> bool {
    meta.bytes(1).and_then(|info| Outline::of(proto, info, 8)?.bytes(5)).is_some_and(|version| {
        proto.text(version, 8).is_ok_and(|text| text.starts_with(|c: char| c.is_ascii_digit()))
    })
}

/// Whether a node has an operation of TensorFlow, or all fields look like those of graphs and nodes. A bare node of two
/// texts is too little for that unless it lies where a model has its graph.
fn has_node(proto: &mut Proto<'_>, graph: &Outline, within_a_model: bool) -> bool {
    let alike = graph.only(GRAPH, &[3]);
    graph.all_bytes(1).take(LOOKED_AT).any(|node| {
        let Some(node) = Outline::of(proto, node, 256) else { return false };
        let Some(operation) = node.bytes(2).filter(|operation| proto.is_name(*operation)) else {
            return false;
        };
        proto.text(operation, 256).is_ok_and(|operation| reach(&operation) != Reach::Foreign)
            || (alike
                && node.only(&[1, 2, 3, 4, 5, 6, 7], &[])
                && (within_a_model || node.bytes(3).is_some() || node.bytes(5).is_some()))
    }) || graph.all_bytes(1).skip(LOOKED_AT).take(MOST_NODES).any(|node| reaches_out(proto, node))
}

/// Whether a node has an operation that reaches out by itself: its name alone is no chance.
fn reaches_out(proto: &mut Proto<'_>, node: Span) -> bool {
    let operation = Outline::of(proto, node, 256).and_then(|node| node.bytes(2));
    operation.filter(|operation| proto.is_name(*operation)).is_some_and(|operation| {
        proto
            .text(operation, 256)
            .is_ok_and(|operation| matches!(reach(&operation), Reach::Files | Reach::Python | Reach::Network))
    })
}

fn has_function(proto: &mut Proto<'_>, graph: &Outline) -> bool {
    let function = graph
        .bytes(2)
        .and_then(|library| Outline::of(proto, library, 4)?.bytes(1))
        .and_then(|function| Outline::of(proto, function, LOOKED_AT));
    let Some(function) = function else { return false };
    let named = function
        .bytes(1)
        .and_then(|signature| Outline::of(proto, signature, 4)?.bytes(1))
        .is_some_and(|name| proto.is_name(name));
    named
        && function.all_bytes(3).any(|node| {
            Outline::of(proto, node, 256)
                .and_then(|node| node.bytes(2))
                .is_some_and(|operation| proto.is_name(operation))
        })
}

fn is_keras_metadata(proto: &mut Proto<'_>, outline: &Outline) -> bool {
    outline.all_bytes(1).take(LOOKED_AT).any(|node| {
        Outline::of(proto, node, 16)
            .and_then(|node| node.bytes(4))
            .is_some_and(|identifier| proto.text(identifier, 9).is_ok_and(|text| text == "_tf_keras"))
    })
}

/// Adds the text forms that the file may be.
pub(super) fn recognise_text(glance: &Glance<'_>, formats: &mut Vec<Format>) {
    formats.extend(text::recognise(glance.head));
}

/// Reads the file.
pub(super) fn read(format: Format, source: &dyn Source, scan: &mut Scan<'_>) -> Parsed<()> {
    if text::recognise(&crate::source::read_up_to(source, 0, text::MARK)?).is_some() {
        return text::read(source, scan);
    }
    let mut proto = Proto::new(source);
    let mut whole = proto.whole();
    if format == Format::SavedModel
        && Outline::of(&mut proto, whole, 64).is_some_and(|outline| is_keras_metadata(&mut proto, &outline))
    {
        while let Some(field) = proto.next(&mut whole)? {
            if let (1, Value::Bytes(node)) = (field.number, field.value) {
                walk::keras(&mut proto, node, 5, scan)?;
            }
        }
        return Ok(());
    }
    walk::Walk::new(proto, scan).read(format)
}

#[cfg(test)]
mod tests;
