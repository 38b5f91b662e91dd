//! The bodies of a graph and its functions, as far as they decide what the graph reaches: kept until all are read, because
//! a path may come from a constant that stands later, or in the function that calls this one.

use std::collections::{BTreeMap, HashMap};

use super::operations::{Reach, makes_text, reach};
use crate::halt::{Halt, Parsed};

/// One node, as far as it matters.
#[derive(Debug, Default)]
pub(super) struct Node {
    pub(super) name: String,
    pub(super) operation: String,
    /// Data first, then what only comes before.
    pub(super) inputs: Vec<String>,
    /// Attributes that hold texts, with the first of them.
    pub(super) texts: Vec<(String, String)>,
    /// Functions that it calls.
    pub(super) functions: Vec<String>,
    /// Whether an attribute says that it deals in texts.
    pub(super) textual: bool,
    pub(super) at: u64,
}

/// Inputs read of one node: a name may be joined from as many pieces.
pub(super) const INPUTS: usize = 1024;
/// Texts kept of one node.
pub(super) const TEXTS: usize = 64;
/// Inputs kept of a node that calls nothing and joins nothing: paths come first.
const FIRST: usize = 16;
/// Bytes of names and texts kept of one file; no model has as many.
const MOST_TEXT: usize = 64 << 20;
/// Functions and operations remembered; no model has as many.
const MOST_NAMES: usize = 1 << 16;

impl Node {
    /// About the bytes that keeping it takes.
    fn size(&self) -> usize {
        let texts = self.texts.iter().map(|(key, text)| key.len() + text.len() + 48);
        let names = self.inputs.iter().chain(&self.functions).map(|name| name.len() + 24);
        256 + self.name.len() + self.operation.len() + texts.sum::<usize>() + names.sum::<usize>()
    }

    /// What the node is given as data.
    pub(super) fn data(&self) -> impl Iterator<Item = &str> {
        self.inputs.iter().map(String::as_str).filter(|input| !input.starts_with('^'))
    }

    /// The text of an attribute.
    pub(super) fn attribute(&self, key: &str) -> Option<&str> {
        self.texts.iter().find(|(known, _)| known == key).map(|(_, text)| text.as_str())
    }
}

/// One graph or function.
#[derive(Debug, Default)]
pub(super) struct Body {
    /// Of a function.
    pub(super) name: String,
    /// Names of a function's arguments.
    pub(super) arguments: Vec<String>,
    /// What a function gives.
    pub(super) results: Vec<String>,
    pub(super) nodes: Vec<Node>,
    by_name: HashMap<String, usize>,
}

impl Body {
    /// The place of the node that `input` (`name:output:number`) is of.
    pub(super) fn place(&self, input: &str) -> Option<usize> {
        self.by_name.get(stem(input)).copied()
    }

    /// Which argument `input` is.
    pub(super) fn argument(&self, input: &str) -> Option<usize> {
        self.arguments.iter().position(|name| name == stem(input))
    }
}

fn stem(input: &str) -> &str {
    input.split(':').next().unwrap_or(input)
}

/// Operations that TensorFlow does not register, and where they first stand. They may be functions of the graph.
pub(super) type Foreign = BTreeMap<String, u64>;

/// All bodies of one file.
#[derive(Default)]
pub(super) struct Program {
    pub(super) bodies: Vec<Body>,
    pub(super) foreign: Foreign,
    /// Bytes kept.
    text: usize,
}

impl Program {
    /// Keeps `node` of `body` if it matters.
    ///
    /// # Errors
    ///
    /// [`Halt::Limit`] where there are more than any model has.
    pub(super) fn node(&mut self, body: &mut Body, mut node: Node) -> Parsed<()> {
        let reach = reach(&node.operation);
        if reach == Reach::Foreign {
            node.operation.truncate(node.operation.floor_char_boundary(512));
            self.foreign.entry(node.operation.clone()).or_insert(node.at);
            few(self.foreign.len())?;
            // Graphs call functions by their name too.
            node.functions.push(node.operation.clone());
        }
        let makes_text = node.textual || makes_text(&node.operation);
        if reach == Reach::None && node.texts.is_empty() && node.functions.is_empty() && !makes_text {
            return Ok(());
        }
        if node.functions.is_empty() && !makes_text {
            node.inputs.truncate(FIRST);
        }
        self.keep(node.size())?;
        body.by_name.insert(node.name.clone(), body.nodes.len());
        body.nodes.push(node);
        Ok(())
    }

    /// Keeps a body that was read, or as much of it as could be.
    ///
    /// # Errors
    ///
    /// [`Halt::Limit`] where there are more than any model has.
    pub(super) fn body(&mut self, mut body: Body) -> Parsed<()> {
        body.name.truncate(body.name.floor_char_boundary(512));
        let names = body.arguments.iter().chain(&body.results).map(|name| name.len() + 24);
        let size = 256 + body.name.len() + names.sum::<usize>();
        self.bodies.push(body);
        self.keep(size)?;
        few(self.bodies.len())
    }

    fn keep(&mut self, bytes: usize) -> Parsed<()> {
        self.text += bytes;
        if self.text > MOST_TEXT {
            return Err(Halt::limit(format!("{MOST_TEXT} bytes of names and texts in one graph")));
        }
        Ok(())
    }
}

fn few(names: usize) -> Parsed<()> {
    if names > MOST_NAMES {
        return Err(Halt::limit(format!("{MOST_NAMES} names of operations and functions")));
    }
    Ok(())
}
