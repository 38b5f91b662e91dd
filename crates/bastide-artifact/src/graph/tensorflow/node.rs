//! Nodes of one graph or function, judged once all of them are read: a path may come from a constant that stands later.

use std::collections::{BTreeMap, HashMap, HashSet};

use super::super::path;
use super::operations::{Reach, reach};
use super::{COMPILED, CUSTOM, EXECUTION, FILES, NETWORK};
use crate::halt::{Halt, Parsed};
use crate::scan::{Scan, shown};

/// One node, as far as it matters.
#[derive(Default)]
pub(super) struct Node {
    pub(super) name: String,
    pub(super) operation: String,
    pub(super) inputs: Vec<String>,
    /// Attributes that hold texts, with the first of them.
    pub(super) texts: Vec<(String, String)>,
    pub(super) at: u64,
}

impl Node {
    /// About the bytes that keeping it takes.
    fn size(&self) -> usize {
        let texts = self.texts.iter().map(|(key, text)| key.len() + text.len() + 48);
        let inputs = self.inputs.iter().map(|input| input.len() + 24);
        256 + self.name.len() + self.operation.len() + texts.sum::<usize>() + inputs.sum::<usize>()
    }
}

/// Inputs kept of one node: paths come first.
pub(super) const INPUTS: usize = 16;
/// Texts kept of one node.
pub(super) const TEXTS: usize = 64;
/// Bytes of names and texts kept of one graph or function; no model has as many.
const MOST_TEXT: usize = 48 << 20;
/// Functions and operations remembered; no model has as many.
const MOST_NAMES: usize = 1 << 16;

/// The nodes of one graph or function that matter.
#[derive(Default)]
pub(super) struct Nodes {
    /// Texts of constants by the name of their node.
    constants: HashMap<String, Vec<String>>,
    /// Nodes that reach out of the graph, with how.
    outward: Vec<(Node, Reach)>,
    /// Bytes in both.
    text: usize,
}

/// Operations that TensorFlow does not register, and where they first stand. They may be functions of the graph.
pub(super) type Foreign = BTreeMap<String, u64>;

/// Names of the functions that the graph defines.
#[derive(Default)]
pub(super) struct Functions(HashSet<String>);

impl Functions {
    pub(super) fn add(&mut self, mut name: String) -> Parsed<()> {
        name.truncate(name.floor_char_boundary(512));
        self.0.insert(name);
        few(self.0.len())
    }
}

fn few(names: usize) -> Parsed<()> {
    if names > MOST_NAMES {
        return Err(Halt::limit(format!("{MOST_NAMES} names of operations and functions")));
    }
    Ok(())
}

impl Nodes {
    /// Keeps `node` if it matters.
    ///
    /// # Errors
    ///
    /// [`Halt::Limit`] where there are more than any model has.
    pub(super) fn add(&mut self, mut node: Node, foreign: &mut Foreign) -> Parsed<()> {
        let reach = reach(&node.operation);
        if reach == Reach::Foreign {
            node.operation.truncate(node.operation.floor_char_boundary(512));
            foreign.entry(node.operation).or_insert(node.at);
            return few(foreign.len());
        }
        if reach == Reach::None && node.texts.is_empty() {
            return Ok(());
        }
        self.text += node.size();
        if self.text > MOST_TEXT {
            return Err(Halt::limit(format!("{MOST_TEXT} bytes of texts in one graph")));
        }
        if reach == Reach::None && node.operation == "Const" {
            self.constants.insert(node.name, node.texts.into_iter().map(|(_, text)| text).collect());
        } else {
            self.outward.push((node, reach));
        }
        Ok(())
    }

    /// Judges the nodes.
    pub(super) fn settle(self, scan: &mut Scan<'_>) {
        for (node, reach) in &self.outward {
            let operation = shown(&node.operation);
            let name = shown(&node.name);
            let what = format!("operation `{operation}` in node `{name}`");
            match reach {
                Reach::Files => scan.find(&FILES, node.at, self.with_path(node, what)),
                Reach::Python => scan.find(&EXECUTION, node.at, what),
                Reach::Network => scan.find(&NETWORK, node.at, self.with_path(node, what)),
                Reach::Compiled => scan.find(&COMPILED, node.at, what),
                Reach::Reads | Reach::Writes => self.named(node, *reach, what, scan),
                Reach::Indirect => scan.find(&super::INDIRECT, node.at, what),
                Reach::Loads => {
                    if let Some(path) = self.paths(node).find(|path| path::is_of_host(path)) {
                        scan.find(&FILES, node.at, format!("{what}, with `{}`", shown(path)));
                    }
                }
                Reach::None | Reach::Foreign => attributes(node, scan),
            }
        }
    }

    /// The constants that `node` takes as inputs.
    fn paths<'n>(&'n self, node: &'n Node) -> impl Iterator<Item = &'n String> {
        node.inputs
            .iter()
            .filter_map(|input| self.constants.get(input.split(':').next().unwrap_or(input)))
            .flatten()
            .chain(node.texts.iter().map(|(_, text)| text))
    }

    fn with_path(&self, node: &Node, what: String) -> String {
        match self.paths(node).next() {
            Some(path) => format!("{what}, with `{}`", shown(path)),
            None => what,
        }
    }

    /// An operation on a file that is honest unless the graph itself names a file outside of the model.
    fn named(&self, node: &Node, reach: Reach, what: String, scan: &mut Scan<'_>) {
        if let Some((path, why)) = self.paths(node).find_map(|path| Some((path, path::escape(path)?))) {
            scan.find(&FILES, node.at, format!("{what}: the path `{}` {why}", shown(path)));
        } else if reach == Reach::Reads {
            scan.find(&super::READS, node.at, what);
        }
    }
}

/// Attributes of operations that otherwise compute.
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
            _ => false,
        };
        if outward {
            scan.find(&FILES, node.at, format!("operation `{operation}` with {key} `{}`", shown(text)));
        }
    }
}

/// Reports operations that neither TensorFlow nor the graph's own functions define.
pub(super) fn settle_foreign(foreign: Foreign, own: &Functions, scan: &mut Scan<'_>) {
    for (operation, at) in foreign {
        if !own.0.contains(&operation) {
            scan.find(&CUSTOM, at, format!("operation `{}`", shown(&operation)));
        }
    }
}
