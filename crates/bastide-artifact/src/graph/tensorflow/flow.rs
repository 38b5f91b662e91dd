//! What the texts of a graph are known to be before it runs: enough to see the names of files that it puts together.
//!
//! Values are followed backwards from the operation that opens a file: through operations on texts, arguments and results
//! of functions, branches, and whatever is kept in variables, tables and queues. Where several are possible, all count.

use std::collections::HashMap;

use super::program::{Body, Node, Program, TEXTS};
use super::roles::{first_argument, is_beyond, names_file, stores, takes_stored};
use crate::halt::{Halt, Parsed};
use crate::scan::Scan;

/// Texts followed for one value; names of files are few.
const MANY: usize = 2 * TEXTS;
/// Bytes of the longest text that is put together.
const LONGEST: usize = 512;
/// Bytes of all texts that are remembered; no model puts together as many.
const MOST_KEPT: usize = 64 << 20;
/// Nodes followed one behind the other.
const DEEPEST: u32 = 200;
/// What stands for a part of a name that is fed, or that nothing tells.
const UNKNOWN: &str = "?";

/// What a value may be.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Texts {
    /// All that are known.
    pub(super) known: Vec<String>,
    /// Whether the graph works on a constant in a way that is not followed.
    pub(super) hidden: bool,
}

impl Texts {
    fn add(&mut self, other: Texts) {
        other.known.into_iter().for_each(|text| self.text(text));
        self.hidden |= other.hidden;
    }

    fn text(&mut self, mut text: String) {
        text.truncate(text.floor_char_boundary(LONGEST));
        if self.known.len() < MANY && !self.known.contains(&text) {
            self.known.push(text);
        }
    }

    fn size(&self) -> usize {
        64 + self.known.iter().map(|text| text.len() + 24).sum::<usize>()
    }

    fn map(self, change: impl Fn(&str) -> String) -> Texts {
        let mut changed = Texts { known: Vec::new(), hidden: self.hidden };
        self.known.iter().for_each(|text| changed.text(change(text)));
        changed
    }

    /// Each of these with each of `others` behind it.
    fn join(&self, between: &str, others: &Texts) -> Texts {
        let mut joined = Texts { known: Vec::new(), hidden: self.hidden | others.hidden };
        for left in &self.known {
            others.known.iter().for_each(|right| joined.text(format!("{left}{between}{right}")));
        }
        joined
    }

    fn or_unknown(mut self) -> Texts {
        if self.known.is_empty() {
            self.known.push(UNKNOWN.to_owned());
        }
        self
    }
}

/// The flow of texts through one program.
pub(super) struct Flow<'p> {
    program: &'p Program,
    /// The bodies of each function.
    functions: HashMap<&'p str, Vec<usize>>,
    /// The nodes that call each function, with their bodies.
    callers: HashMap<&'p str, Vec<(usize, usize)>>,
    /// Nodes that put texts where other nodes take them from.
    stored: Vec<(usize, usize)>,
    /// What nodes were found to give; nothing while one is looked into, so that loops end.
    seen: HashMap<(usize, usize), Texts>,
    /// The same of arguments.
    given: HashMap<(usize, usize), Texts>,
    /// The same of all that is stored.
    kept: Option<Texts>,
    /// Bytes of what is remembered.
    size: usize,
}

impl<'p> Flow<'p> {
    pub(super) fn new(program: &'p Program) -> Self {
        let mut flow = Flow {
            program,
            functions: HashMap::new(),
            callers: HashMap::new(),
            stored: Vec::new(),
            seen: HashMap::new(),
            given: HashMap::new(),
            kept: None,
            size: 0,
        };
        for (at, body) in program.bodies.iter().enumerate() {
            if !body.name.is_empty() {
                flow.functions.entry(&body.name).or_default().push(at);
            }
            for (place, node) in body.nodes.iter().enumerate() {
                node.functions
                    .iter()
                    .for_each(|name| flow.callers.entry(name).or_default().push((at, place)));
                if stores(&node.operation) {
                    flow.stored.push((at, place));
                }
            }
        }
        flow
    }

    /// What the inputs of `node` may be that name files.
    ///
    /// # Errors
    ///
    /// When the budget of the scan is spent.
    pub(super) fn paths(&mut self, body: usize, node: &'p Node, scan: &mut Scan<'_>) -> Parsed<Texts> {
        let mut texts = Texts::default();
        for (at, input) in node.data().enumerate() {
            if names_file(&node.operation, at) {
                texts.add(self.input(body, input, 0, scan)?);
            }
        }
        // Readers take the names of their files from a queue.
        if node.operation.contains("Reader") {
            texts.add(self.stored(0, scan)?);
        }
        Ok(texts)
    }

    fn input(&mut self, at: usize, input: &str, depth: u32, scan: &mut Scan<'_>) -> Parsed<Texts> {
        scan.spend(1)?;
        let Some(body) = self.program.bodies.get(at) else { return Ok(Texts::default()) };
        if let Some(place) = body.place(input) {
            return self.node(at, place, depth + 1, scan);
        }
        match body.argument(input) {
            Some(argument) => {
                if let Some(texts) = self.given.get(&(at, argument)) {
                    return Ok(texts.clone());
                }
                self.given.insert((at, argument), Texts::default());
                let texts = self.argument(at, body, argument, depth + 1, scan)?;
                self.remember(&texts)?;
                self.given.insert((at, argument), texts.clone());
                Ok(texts)
            }
            None => Ok(Texts::default()),
        }
    }

    /// What the callers of a function give it.
    fn argument(
        &mut self,
        at: usize,
        body: &'p Body,
        argument: usize,
        depth: u32,
        scan: &mut Scan<'_>,
    ) -> Parsed<Texts> {
        if depth > DEEPEST {
            return Ok(Texts { known: Vec::new(), hidden: true });
        }
        let mut texts = Texts::default();
        for (caller, place) in self.callers.get(body.name.as_str()).cloned().unwrap_or_default() {
            let Some(node) = self.program.bodies.get(caller).and_then(|body| body.nodes.get(place)) else {
                continue;
            };
            let skipped = first_argument(&node.operation);
            // What a node only waits for comes last.
            let input = skipped.and_then(|skipped| node.inputs.get(argument + skipped));
            if let Some(input) = input.filter(|input| !input.starts_with('^')) {
                texts.add(self.input(caller, input, depth, scan)?);
            }
        }
        texts.add(self.elements(at, body, depth, scan)?);
        Ok(texts)
    }

    /// What data sets give a function: their elements, and then what they captured.
    fn elements(&mut self, at: usize, body: &'p Body, depth: u32, scan: &mut Scan<'_>) -> Parsed<Texts> {
        let key = (at, usize::MAX);
        if let Some(texts) = self.given.get(&key) {
            return Ok(texts.clone());
        }
        self.given.insert(key, Texts::default());
        let mut texts = Texts::default();
        for (caller, place) in self.callers.get(body.name.as_str()).cloned().unwrap_or_default() {
            let node = self.program.bodies.get(caller).and_then(|body| body.nodes.get(place));
            if let Some(node) = node.filter(|node| first_argument(&node.operation).is_none()) {
                texts.add(self.all(caller, node, depth, scan)?);
            }
        }
        self.remember(&texts)?;
        self.given.insert(key, texts.clone());
        Ok(texts)
    }

    fn remember(&mut self, texts: &Texts) -> Parsed<()> {
        self.size = self.size.saturating_add(texts.size());
        if self.size > MOST_KEPT {
            return Err(Halt::limit(format!("{MOST_KEPT} bytes of texts that a graph puts together")));
        }
        Ok(())
    }

    fn all(&mut self, body: usize, node: &'p Node, depth: u32, scan: &mut Scan<'_>) -> Parsed<Texts> {
        let mut texts = Texts::default();
        for input in node.data() {
            texts.add(self.input(body, input, depth, scan)?);
        }
        Ok(texts)
    }

    fn stored(&mut self, depth: u32, scan: &mut Scan<'_>) -> Parsed<Texts> {
        if let Some(texts) = &self.kept {
            return Ok(texts.clone());
        }
        self.kept = Some(Texts::default());
        let mut texts = Texts::default();
        for (body, place) in self.stored.clone() {
            let node = self.program.bodies.get(body).and_then(|body| body.nodes.get(place));
            if let Some(node) = node {
                texts.add(self.all(body, node, depth + 1, scan)?);
            }
        }
        self.kept = Some(texts.clone());
        Ok(texts)
    }

    /// What a node gives.
    fn node(&mut self, body: usize, place: usize, depth: u32, scan: &mut Scan<'_>) -> Parsed<Texts> {
        if let Some(texts) = self.seen.get(&(body, place)) {
            return Ok(texts.clone());
        }
        if depth > DEEPEST {
            return Ok(Texts { known: Vec::new(), hidden: true });
        }
        self.seen.insert((body, place), Texts::default());
        let node = self.program.bodies.get(body).and_then(|body| body.nodes.get(place));
        let texts = match node {
            Some(node) => self.given(body, node, depth, scan)?,
            None => Texts::default(),
        };
        self.remember(&texts)?;
        self.seen.insert((body, place), texts.clone());
        Ok(texts)
    }

    fn given(&mut self, body: usize, node: &'p Node, depth: u32, scan: &mut Scan<'_>) -> Parsed<Texts> {
        if matches!(node.operation.as_str(), "Const" | "HostConst") {
            let mut texts = Texts::default();
            let values = node.texts.iter().filter(|(key, _)| key == "value");
            values.for_each(|(_, text)| texts.text(text.clone()));
            // Further ones were not kept, and another node may choose one of them.
            texts.hidden = node.texts.len() >= TEXTS;
            return Ok(texts);
        }
        if takes_stored(&node.operation) {
            return self.stored(depth, scan);
        }
        match node.operation.as_str() {
            "StringJoin" => self.joined(body, node, depth, scan),
            "StringFormat" => self.formatted(body, node, depth, scan),
            _ if !node.functions.is_empty() => self.called(body, node, depth, scan),
            operation => {
                let mut texts = self.all(body, node, depth, scan)?;
                texts.hidden |= !texts.known.is_empty() && is_beyond(operation);
                Ok(changed(node, texts))
            }
        }
    }

    fn joined(&mut self, body: usize, node: &'p Node, depth: u32, scan: &mut Scan<'_>) -> Parsed<Texts> {
        let separator = node.attribute("separator").unwrap_or_default();
        let mut whole: Option<Texts> = None;
        for input in node.data() {
            let piece = self.input(body, input, depth, scan)?.or_unknown();
            whole = Some(match whole {
                None => piece,
                Some(before) => before.join(separator, &piece),
            });
        }
        Ok(whole.unwrap_or_default())
    }

    fn formatted(&mut self, body: usize, node: &'p Node, depth: u32, scan: &mut Scan<'_>) -> Parsed<Texts> {
        let template = node.attribute("template").unwrap_or("%s");
        let place = node.attribute("placeholder").filter(|place| !place.is_empty()).unwrap_or("%s");
        let mut pieces = template.split(place);
        let mut whole = Texts::default();
        whole.text(pieces.next().unwrap_or_default().to_owned());
        let mut inputs = node.data();
        for piece in pieces {
            if let Some(input) = inputs.next() {
                let value = self.input(body, input, depth, scan)?.or_unknown();
                whole = whole.join("", &value);
            }
            let fixed = Texts { known: vec![piece.to_owned()], hidden: false };
            whole = whole.join("", &fixed);
        }
        Ok(whole)
    }

    /// What the functions give that a node calls.
    fn called(&mut self, body: usize, node: &'p Node, depth: u32, scan: &mut Scan<'_>) -> Parsed<Texts> {
        let mut texts = Texts::default();
        for name in &node.functions {
            for at in self.functions.get(name.as_str()).cloned().unwrap_or_default() {
                let Some(function) = self.program.bodies.get(at) else { continue };
                for result in function.results.iter().take(MANY) {
                    texts.add(self.input(at, result, depth, scan)?);
                }
            }
        }
        // A data set gives what it was made of, too.
        if first_argument(&node.operation).is_none() {
            texts.add(self.all(body, node, depth, scan)?);
        }
        Ok(texts)
    }
}

/// What an operation of one text makes of its input.
fn changed(node: &Node, texts: Texts) -> Texts {
    match node.operation.as_str() {
        "StringLower" => texts.map(str::to_lowercase),
        "StringUpper" => texts.map(str::to_uppercase),
        "StringStrip" => texts.map(|text| text.trim().to_owned()),
        "DecodeBase64" => texts.map(base64),
        "StaticRegexReplace" => match (node.attribute("pattern"), node.attribute("rewrite")) {
            // A pattern without any sign of its own replaces as it is.
            (Some(pattern), Some(rewrite)) if !pattern.is_empty() => {
                let plain = pattern.replace('\\', "");
                let mut replaced = texts.clone().map(|text| text.replace(plain.as_str(), rewrite));
                replaced.text(rewrite.to_owned());
                replaced.hidden |= plain.contains(['.', '*', '+', '(', '[', '|', '?', '$', '^']);
                replaced
            }
            _ => texts,
        },
        _ => texts,
    }
}

/// The text behind base64 in either alphabet; what is none stays.
fn base64(text: &str) -> String {
    let mut bits = 0_u32;
    let mut count = 0;
    let mut bytes = Vec::new();
    for c in text.trim_end_matches('=').bytes() {
        let value = match c {
            b'A'..=b'Z' => c - b'A',
            b'a'..=b'z' => c - b'a' + 26,
            b'0'..=b'9' => c - b'0' + 52,
            b'+' | b'-' => 62,
            b'/' | b'_' => 63,
            _ => return text.to_owned(),
        };
        bits = (bits << 6 | u32::from(value)) & 0xffff;
        count += 6;
        if count >= 8 {
            count -= 8;
            bytes.push((bits >> count & 0xff) as u8);
        }
    }
    String::from_utf8(bytes).unwrap_or_else(|_| text.to_owned())
}
