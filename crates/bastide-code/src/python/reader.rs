//! Walks the syntax tree of one text, leaves first, without recursion.
//!
//! The grammar is a C library that we reach only through its safe interface. It is given little at a time: its trees take
//! up to three hundred bytes for each byte of hostile text. A longer text is cut where a statement begins.

use std::ops::ControlFlow;

use tree_sitter::{Node, ParseOptions, ParseState, Parser, Tree, TreeCursor};

use crate::python::UNFINISHED;
use crate::python::names::Names;
use crate::python::role::Role;
use crate::python::value::Value;
use crate::remark::Remarks;

/// Most bytes that the grammar is given at once.
const PIECE: usize = 2 << 20;

/// Most tokens that the grammar is given at once: a token takes up to three hundred bytes of its tree.
const TOKENS: usize = 400_000;

/// A node whose value is known, within its parent.
pub(crate) struct Child<'t> {
    pub(crate) node: Node<'t>,
    pub(crate) field: Option<&'t str>,
    pub(crate) value: Value,
}

/// One text under way.
pub(crate) struct Reader<'r, 't, 'x> {
    /// The piece that is read, and where it begins in the text.
    pub(crate) text: &'t str,
    pub(crate) start: usize,
    pub(crate) names: Names,
    pub(crate) remarks: &'r mut Remarks<'x>,
    /// Whether this is the pass that makes remarks; the one before it only learns names.
    pub(crate) speaks: bool,
    /// Functions and classes around the node, from outside to inside.
    pub(crate) scopes: Vec<Scope>,
    /// The name that the lambda to come is given.
    pub(crate) naming: Option<&'t str>,
    /// How many texts execute one within another.
    pub(crate) depth: u8,
    /// How many comprehensions are unfolded one within another.
    pub(crate) unfolding: u8,
    pub(crate) budget: &'r mut Budget,
}

/// What holds for one file, with all texts that it executes: what it is for, and what is left to spend on it.
pub(crate) struct Budget {
    pub(crate) role: Role,
    /// Whether its name says that other files import it.
    pub(crate) part: bool,
    steps: u64,
}

impl Budget {
    /// Steps for one file: dense code has two nodes for every three bytes, and is walked twice, so that the longest text
    /// takes two thirds of them. A step takes about half a microsecond.
    const STEPS: u64 = 5_000_000;

    pub(crate) fn new(role: Role, part: bool) -> Self {
        Budget { role, part, steps: Self::STEPS }
    }

    /// Takes steps; whether there were any left.
    fn spend(&mut self, steps: u64) -> bool {
        self.steps = self.steps.saturating_sub(steps);
        self.steps > 0
    }
}

/// What surrounds a statement.
pub(crate) enum Scope {
    /// Its name, and what the names of its parameters were outside.
    Function(String, Vec<(String, Option<Value>)>),
    Class(Class),
    /// `if __name__ == "__main__":`, `if "publish" in sys.argv:`
    Main,
    /// What else is done than in [`Scope::Main`].
    Else,
    /// The parameters of the function around, and what it says it returns.
    Head,
}

/// A class.
pub(crate) struct Class {
    pub(crate) name: String,
    /// What it derives from, as it stands there.
    pub(crate) bases: String,
}

impl Scope {
    /// Whether what is returned here tells pickle what to call.
    pub(crate) fn is_reduce(&self) -> bool {
        matches!(self, Scope::Function(name, _) if matches!(name.as_str(), "__reduce__" | "__reduce_ex__"))
    }
}

/// Reads `text` in two passes: one for the names, since a function may use what stands below it, one for the remarks.
pub(crate) fn read(text: &str, remarks: &mut Remarks<'_>, depth: u8, budget: &mut Budget) {
    let mut names = Names::default();
    if first_piece(text).len() == text.len() {
        let Some(tree) = parse(text, budget) else { return give_up(0, remarks) };
        for speaks in [false, true] {
            names = pass(Piece { text, start: 0, depth }, &tree, names, remarks, speaks, budget);
            names.reach.close();
        }
        return;
    }
    for speaks in [false, true] {
        let mut start = 0;
        while let Some(piece) = text.get(start..).filter(|rest| !rest.is_empty()).map(first_piece) {
            let Some(tree) = parse(piece, budget) else { return give_up(start, remarks) };
            if tree.root_node().has_error() {
                let message = "a long text is broken, so that its statements cannot be told apart";
                remarks.add(&UNFINISHED, start, message);
            }
            names = pass(Piece { text: piece, start, depth }, &tree, names, remarks, speaks, budget);
            start += piece.len();
        }
        names.reach.close();
    }
}

/// Reads the cells of a notebook, with the place where each begins: one that is broken breaks no other.
pub(crate) fn read_cells(cells: &[(usize, &str)], remarks: &mut Remarks<'_>, budget: &mut Budget) {
    let mut names = Names::default();
    for speaks in [false, true] {
        for &(start, text) in cells {
            // Nobody imports a notebook: only within one cell does it look like a module.
            names.facts.remove("offers");
            let Some(tree) = parse(text, budget) else { return give_up(start, remarks) };
            names = pass(Piece { text, start, depth: 0 }, &tree, names, remarks, speaks, budget);
        }
        names.reach.close();
    }
}

fn give_up(offset: usize, remarks: &mut Remarks<'_>) {
    remarks.add(&UNFINISHED, offset, "the grammar needs more steps than it may take");
}

/// What the grammar is given at once.
#[derive(Clone, Copy)]
struct Piece<'t> {
    text: &'t str,
    /// Where it begins in the whole.
    start: usize,
    depth: u8,
}

/// Walks one piece.
fn pass(
    piece: Piece<'_>,
    tree: &Tree,
    names: Names,
    remarks: &mut Remarks<'_>,
    speaks: bool,
    budget: &mut Budget,
) -> Names {
    let Piece { text, start, depth } = piece;
    let mut reader = Reader {
        text,
        start,
        names,
        remarks,
        speaks,
        scopes: Vec::new(),
        naming: None,
        depth,
        unfolding: 0,
        budget,
    };
    reader.walk(tree.walk());
    if !reader.spend(0) {
        reader.remarks.add(&UNFINISHED, start, "its expressions need more steps than may be spent on them");
    }
    reader.names
}

/// As much of `text` as the grammar is given at once: up to the last line that begins a statement.
fn first_piece(text: &str) -> &str {
    let mut tokens = 0;
    let mut word = false;
    let mut end = text.len().min(PIECE);
    for (at, byte) in text.bytes().take(PIECE).enumerate() {
        let goes_on = byte.is_ascii_alphanumeric() || byte == b'_' || byte >= 0x80;
        let within = (goes_on && word) || matches!(byte, b' ' | b'\n');
        tokens += usize::from(!within);
        word = goes_on;
        if tokens > TOKENS {
            end = at;
            break;
        }
    }
    if end == text.len() {
        return text;
    }
    let window = text.get(..text.floor_char_boundary(end)).unwrap_or(text);
    let begins = |at: &usize| {
        let next = window.as_bytes().get(at + 1).copied().unwrap_or(b' ');
        next.is_ascii_alphabetic() || matches!(next, b'@' | b'_' | b'#')
    };
    let end = memchr::memrchr_iter(b'\n', window.as_bytes()).find(begins).map_or(window.len(), |at| at + 1);
    window.get(..end).unwrap_or(window)
}

/// The syntax tree, unless the grammar takes more steps than any text that somebody typed. It reports every hundred
/// steps; six for each byte is three times what dense code takes.
fn parse(text: &str, budget: &mut Budget) -> Option<Tree> {
    // The grammar takes a byte or two for each step of the walk; texts that are executed are parsed again and again.
    if !budget.spend(text.len() as u64) {
        return None;
    }
    let mut parser = Parser::new();
    parser.set_language(&tree_sitter_python::LANGUAGE.into()).ok()?;
    let mut left = text.len() / 16 + 1_000;
    let mut progress = |_: &ParseState| match left.checked_sub(1) {
        Some(rest) => {
            left = rest;
            ControlFlow::Continue(())
        }
        None => ControlFlow::Break(()),
    };
    let options = ParseOptions::new().progress_callback(&mut progress);
    let bytes = text.as_bytes();
    parser.parse_with_options(&mut |at, _| bytes.get(at..).unwrap_or_default(), None, Some(options))
}

impl<'t> Reader<'_, 't, '_> {
    /// Visits every node below the cursor, children before their parent; the value of the node it started from.
    pub(crate) fn walk(&mut self, mut cursor: TreeCursor<'_>) -> Value {
        let mut frames: Vec<Vec<Child<'_>>> = vec![Vec::new()];
        self.enter(cursor.node());
        loop {
            if self.spend(0) && cursor.goto_first_child() {
                frames.push(Vec::new());
                self.enter(cursor.node());
                continue;
            }
            loop {
                let (node, field) = (cursor.node(), cursor.field_name());
                let children = frames.pop().unwrap_or_default();
                let value = self.leave(node, &children);
                let Some(parent) = frames.last_mut() else { return value };
                if node.is_named() || field.is_some() {
                    parent.push(Child { node, field, value });
                }
                if cursor.goto_next_sibling() {
                    frames.push(Vec::new());
                    self.enter(cursor.node());
                    break;
                }
                if !cursor.goto_parent() {
                    return Value::default();
                }
            }
        }
    }

    /// The source of `node`.
    pub(crate) fn source(&self, node: Node<'_>) -> &'t str {
        self.text.get(node.byte_range()).unwrap_or_default()
    }

    /// Where `node` begins in the whole text.
    pub(crate) fn offset(&self, node: Node<'_>) -> usize {
        self.start + node.start_byte()
    }

    /// Takes steps from the budget; whether there were any left.
    pub(crate) fn spend(&mut self, steps: usize) -> bool {
        self.budget.spend(steps as u64)
    }
}
