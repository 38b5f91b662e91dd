//! ONNX: a model in protocol buffers, with weights inside or in files beside it.
//!
//! Schema: <https://github.com/onnx/onnx/blob/main/onnx/onnx.proto>. What attacks a loader are paths of external data
//! (CVE-2022-25882, CVE-2024-27318, CVE-2024-5187) and operators whose code comes from elsewhere.

mod operators;
mod tensor;

use std::collections::{BTreeMap, HashSet};

use bastide_types::{Assessment, Rule, Severity};

use super::proto::{NAME, Outline, Proto, Span, Value};
use crate::halt::{Halt, Parsed};
use crate::scan::{Scan, shown};
use crate::source::Source;
use operators::Verdict;

/// Weights outside the model's folder.
pub(super) const EXTERNAL: Rule = Rule {
    id: "onnx.external-data",
    severity: Severity::High,
    effect: Assessment::Malicious,
    title: "external data outside the model's folder",
    why: "loading the model reads that file into a tensor, and saving it may overwrite it (CVE-2022-25882, CVE-2024-27318, \
          CVE-2024-5187)",
    fix: "do not load it; external data belongs beside the model, under a plain name",
    cwe: &[22, 73],
    atlas: &["AML.T0010.003"],
};

/// Operators that run Python.
pub(super) const EXECUTION: Rule = Rule {
    id: "onnx.execution",
    severity: Severity::Critical,
    effect: Assessment::Malicious,
    title: "operator that runs code of the host",
    why: "the runtime calls Python for this operator, with what the graph hands it",
    fix: "do not run it; ask for a model of standard operators",
    cwe: &[94],
    atlas: &["AML.T0011.000"],
};

/// Operators from elsewhere.
pub(super) const CUSTOM: Rule = Rule {
    id: "onnx.custom-operator",
    severity: Severity::Medium,
    effect: Assessment::Review,
    title: "operator from outside ONNX and its known runtimes",
    why: "running the model needs a library that registers the operator, and what it does is up to that library",
    fix: "see which library provides the operator, and where it comes from",
    cwe: &[829],
    atlas: &["AML.T0011.000"],
};

/// Machine code of an accelerator.
pub(super) const COMPILED: Rule = Rule {
    id: "onnx.compiled",
    severity: Severity::Medium,
    effect: Assessment::Review,
    title: "compiled part of a model",
    why: "an accelerator's runtime loads it as it is; nothing in it can be assessed",
    fix: "compile it from the model of standard operators",
    cwe: &[829],
    atlas: &["AML.T0011.000"],
};

/// Sizes that contradict each other.
pub(super) const STRUCTURE: Rule = Rule {
    id: "onnx.structure",
    severity: Severity::High,
    effect: Assessment::Malicious,
    title: "tensor whose sizes contradict each other",
    why: "no exporter writes such a tensor; runtimes have read out of bounds on them",
    fix: "do not load it; export the model anew",
    cwe: &[125, 190],
    atlas: &["AML.T0010.003"],
};

/// Functions that multiply.
pub(super) const BOMB: Rule = Rule {
    id: "onnx.function-bomb",
    severity: Severity::High,
    effect: Assessment::Malicious,
    title: "functions that call functions multiply without measure",
    why: "runtimes put every function in the place of its call before they run a model, and never end with this one",
    fix: "do not load it",
    cwe: &[400, 674],
    atlas: &["AML.T0029"],
};

/// Nodes that functions may stand for.
const MOST_EXPANDED: u64 = 10_000_000;
/// Calls kept of one function.
const MOST_CALLS: usize = 1 << 16;
/// Longer than the name of any operator or domain.
const OPERATOR: usize = 256;
/// Names of operators and functions remembered; no model has as many.
const MOST_NAMES: usize = 1 << 17;
/// Graphs within graphs beyond what any runtime takes.
const DEEPEST: u32 = 64;

/// Whether the outline is that of a `ModelProto`.
pub(super) fn recognise(proto: &mut Proto<'_>, outline: &Outline) -> bool {
    let Some(graph) = outline.bytes(7) else { return false };
    let versioned = outline.varint(1).is_some_and(|version| (1..1000).contains(&version));
    let opset = outline.bytes(8);
    if !(versioned || opset.is_some()) {
        return false;
    }
    let Some(graph) = Outline::of(proto, graph, 256) else { return false };
    // Parsers pass over fields that they do not know: what shows that it is ONNX is what is there.
    graph.only(&[1, 2, 5, 10, 11, 12, 13, 14, 15, 16], &[])
        && (versioned && opset.is_some() || !graph.fields.is_empty())
        || graph.all_bytes(1).take(64).any(|node| {
            Outline::of(proto, node, 64).and_then(|node| node.bytes(4)).is_some_and(|operator| {
                proto.text(operator, OPERATOR).is_ok_and(|name| operators::is_standard(&name))
            })
        })
}

/// Reads the file.
pub(super) fn read(source: &dyn Source, scan: &mut Scan<'_>) -> Parsed<()> {
    let mut reader = Reader {
        proto: Proto::new(source),
        scan,
        own: HashSet::new(),
        foreign: BTreeMap::new(),
        calls: BTreeMap::new(),
        inner: None,
    };
    let result = reader.model();
    reader.settle();
    result
}

struct Reader<'a, 's, 'l> {
    proto: Proto<'a>,
    scan: &'s mut Scan<'l>,
    /// Domain and name of the functions that the model defines.
    own: HashSet<(String, String)>,
    /// Domain and name of operators that are not known, and where they first stand. They may be functions of the model.
    foreign: BTreeMap<(String, String), u64>,
    /// What the functions that were read call, and what the one that is read does.
    calls: BTreeMap<(String, String), Vec<(String, String)>>,
    inner: Option<Vec<(String, String)>>,
}

impl Reader<'_, '_, '_> {
    fn model(&mut self) -> Parsed<()> {
        let mut message = self.proto.whole();
        let (mut producer, mut version) = (String::new(), String::new());
        while let Some(field) = self.proto.next(&mut message)? {
            self.scan.spend(1)?;
            let Value::Bytes(span) = field.value else { continue };
            match field.number {
                2 => producer = self.proto.text(span, NAME)?,
                3 => version = self.proto.text(span, NAME)?,
                7 => self.graph(span, 0)?,
                8 => self.opset(span)?,
                14 => self.metadata(span)?,
                20 => self.training(span)?,
                25 => self.function(span)?,
                _ => {}
            }
        }
        if !producer.is_empty() {
            self.scan.facts.property("producer", format!("{producer} {version}").trim());
        }
        Ok(())
    }

    /// Reports the operators that neither a known library nor the model itself has.
    fn settle(&mut self) {
        let mut sizes = BTreeMap::new();
        for name in self.calls.keys() {
            if expanded(name, &self.calls, &mut sizes, 0) > MOST_EXPANDED {
                let what =
                    format!("function `{}` stands for more than {MOST_EXPANDED} nodes", shown(&name.1));
                self.scan.find(&BOMB, None, what);
                break;
            }
        }
        let foreign = std::mem::take(&mut self.foreign);
        for ((domain, name), at) in foreign {
            if !self.own.contains(&(domain.clone(), name.clone())) {
                let place = if domain.is_empty() {
                    "the default domain".to_owned()
                } else {
                    format!("`{}`", shown(&domain))
                };
                self.scan.find(&CUSTOM, at, format!("operator `{}` of {place}", shown(&name)));
            }
        }
    }

    fn opset(&mut self, mut message: Span) -> Parsed<()> {
        let (mut domain, mut version) = (String::new(), 0);
        while let Some(field) = self.proto.next(&mut message)? {
            match (field.number, field.value) {
                (1, Value::Bytes(span)) => domain = self.proto.text(span, NAME)?,
                (2, Value::Varint(value)) => version = value,
                _ => {}
            }
        }
        if domain.is_empty() || domain == "ai.onnx" {
            self.scan.facts.property("opset", &version.to_string());
        }
        Ok(())
    }

    /// A key and its value.
    fn pair(&mut self, mut message: Span) -> Parsed<(String, String)> {
        let mut pair = (String::new(), String::new());
        while let Some(field) = self.proto.next(&mut message)? {
            match (field.number, field.value) {
                (1, Value::Bytes(span)) => pair.0 = self.proto.text(span, NAME)?,
                (2, Value::Bytes(span)) => pair.1 = self.proto.text(span, NAME)?,
                _ => {}
            }
        }
        Ok(pair)
    }

    fn metadata(&mut self, message: Span) -> Parsed<()> {
        let (key, value) = self.pair(message)?;
        let property = match key.to_ascii_lowercase().as_str() {
            "license" | "licence" => "licence",
            "author" | "model_author" => "author",
            "task" => "task",
            "description" => "description",
            "version" => "version",
            _ => return Ok(()),
        };
        self.scan.facts.property(property, &value);
        Ok(())
    }

    fn training(&mut self, mut message: Span) -> Parsed<()> {
        while let Some(field) = self.proto.next(&mut message)? {
            if let (1 | 2, Value::Bytes(span)) = (field.number, field.value) {
                self.graph(span, 0)?;
            }
        }
        Ok(())
    }

    fn function(&mut self, mut message: Span) -> Parsed<()> {
        let (mut domain, mut name) = (String::new(), String::new());
        self.inner = Some(Vec::new());
        while let Some(field) = self.proto.next(&mut message)? {
            self.scan.spend(1)?;
            let Value::Bytes(span) = field.value else { continue };
            match field.number {
                1 => name = self.proto.text(span, OPERATOR)?,
                7 => self.node(span, 0)?,
                10 => domain = self.proto.text(span, OPERATOR)?,
                11 => self.attribute(span, 0, &mut None)?,
                _ => {}
            }
        }
        let calls = self.inner.take().unwrap_or_default();
        self.calls.insert((domain.clone(), name.clone()), calls);
        self.own.insert((domain, name));
        self.remember()
    }

    /// Proves that the names remembered stay few.
    fn remember(&self) -> Parsed<()> {
        if self.own.len() + self.foreign.len() > MOST_NAMES {
            return Err(Halt::limit(format!("{MOST_NAMES} names of operators and functions")));
        }
        Ok(())
    }

    fn graph(&mut self, mut message: Span, depth: u32) -> Parsed<()> {
        if depth > DEEPEST {
            return Err(Halt::limit(format!("{DEEPEST} levels of graphs")));
        }
        while let Some(field) = self.proto.next(&mut message)? {
            self.scan.spend(1)?;
            let Value::Bytes(span) = field.value else { continue };
            match field.number {
                1 => self.node(span, depth)?,
                5 => self.tensor(span)?,
                15 => self.sparse(span)?,
                _ => {}
            }
        }
        Ok(())
    }

    fn node(&mut self, mut message: Span, depth: u32) -> Parsed<()> {
        let at = message.start;
        let (mut domain, mut operator) = (String::new(), String::new());
        // The cache of a compiled part, which may be a path. It comes before the operator's name or after.
        let mut cache = None;
        while let Some(field) = self.proto.next(&mut message)? {
            let Value::Bytes(span) = field.value else { continue };
            match field.number {
                4 => operator = self.proto.text(span, OPERATOR)?,
                5 => self.attribute(span, depth, &mut cache)?,
                7 => domain = self.proto.text(span, OPERATOR)?,
                _ => {}
            }
        }
        match operators::verdict(&domain, &operator) {
            Verdict::Known => {}
            Verdict::Runs => {
                let what = format!("operator `{}` of `{}`", shown(&operator), shown(&domain));
                self.scan.find(&EXECUTION, at, what);
            }
            Verdict::Compiled => {
                self.scan.find(&COMPILED, at, format!("operator `{}`", shown(&operator)));
                if let Some(path) = cache {
                    self.location(&path, at);
                }
            }
            Verdict::Foreign => {
                if let Some(calls) = self.inner.as_mut().filter(|calls| calls.len() < MOST_CALLS) {
                    calls.push((domain.clone(), operator.clone()));
                }
                self.foreign.entry((domain, operator)).or_insert(at);
                self.remember()?;
            }
        }
        Ok(())
    }

    fn attribute(&mut self, mut message: Span, depth: u32, cache: &mut Option<String>) -> Parsed<()> {
        let (mut name, mut text) = (String::new(), None);
        while let Some(field) = self.proto.next(&mut message)? {
            self.scan.spend(1)?;
            let Value::Bytes(span) = field.value else { continue };
            match field.number {
                1 => name = self.proto.text(span, NAME)?,
                4 if span.size() <= NAME as u64 => text = Some(self.proto.text(span, NAME)?),
                5 | 10 => self.tensor(span)?,
                6 | 11 => self.graph(span, depth + 1)?,
                22 | 23 => self.sparse(span)?,
                _ => {}
            }
        }
        if name == "ep_cache_context" {
            *cache = text;
        }
        Ok(())
    }

    /// A sparse tensor: its values and their indices are tensors.
    fn sparse(&mut self, mut message: Span) -> Parsed<()> {
        while let Some(field) = self.proto.next(&mut message)? {
            if let (1 | 2, Value::Bytes(span)) = (field.number, field.value) {
                self.tensor(span)?;
            }
        }
        Ok(())
    }
}

/// How many calls stand for `name` when every function is put in the place of its call, as runtimes do.
fn expanded(
    name: &(String, String),
    calls: &BTreeMap<(String, String), Vec<(String, String)>>,
    sizes: &mut BTreeMap<(String, String), u64>,
    depth: usize,
) -> u64 {
    /// Functions within functions; deeper ones were counted before or make a circle, which runtimes refuse.
    const DEEPEST: usize = 256;
    let Some(inner) = calls.get(name) else { return 1 };
    if let Some(size) = sizes.get(name) {
        return *size;
    }
    if depth > DEEPEST {
        return 1;
    }
    // A function that calls itself counts once.
    sizes.insert(name.clone(), 1);
    let size =
        inner.iter().fold(1_u64, |sum, call| sum.saturating_add(expanded(call, calls, sizes, depth + 1)));
    sizes.insert(name.clone(), size);
    size
}

#[cfg(test)]
mod tests;
