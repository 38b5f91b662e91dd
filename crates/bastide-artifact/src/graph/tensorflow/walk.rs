//! The messages of a SavedModel, from the outermost to the attributes of nodes.

use super::super::path;
use super::super::proto::{NAME, Proto, Span, Value};
use super::ASSET;
use super::node::{decides, settle};
use super::program::{Body, INPUTS, Node, Program, TEXTS};
use crate::format::Format;
use crate::halt::Parsed;
use crate::scan::{Scan, shown};
use crate::source::Part;

pub(super) struct Walk<'a, 's, 'l> {
    proto: Proto<'a>,
    scan: &'s mut Scan<'l>,
    program: Program,
}

impl<'a, 's, 'l> Walk<'a, 's, 'l> {
    pub(super) fn new(proto: Proto<'a>, scan: &'s mut Scan<'l>) -> Self {
        Walk { proto, scan, program: Program::default() }
    }

    pub(super) fn read(mut self, format: Format) -> Parsed<()> {
        let whole = self.proto.whole();
        let result = match format {
            Format::SavedModel => self.saved_model(whole),
            Format::MetaGraph => self.meta_graph(whole),
            _ => self.graph(whole),
        };
        // What was read before a reader stopped counts.
        result.and(settle(&self.program, self.scan))
    }

    fn saved_model(&mut self, mut message: Span) -> Parsed<()> {
        while let Some(field) = self.proto.next(&mut message)? {
            if let (2, Value::Bytes(span)) = (field.number, field.value) {
                self.meta_graph(span)?;
            }
        }
        Ok(())
    }

    fn meta_graph(&mut self, mut message: Span) -> Parsed<()> {
        while let Some(field) = self.proto.next(&mut message)? {
            let Value::Bytes(span) = field.value else { continue };
            match field.number {
                1 => self.info(span)?,
                2 => self.graph(span)?,
                6 => self.asset(span)?,
                7 => self.objects(span)?,
                _ => {}
            }
        }
        Ok(())
    }

    /// Of `MetaInfoDef`, the version of TensorFlow that wrote the model.
    fn info(&mut self, mut message: Span) -> Parsed<()> {
        while let Some(field) = self.proto.next(&mut message)? {
            if let (5, Value::Bytes(span)) = (field.number, field.value) {
                let version = self.proto.text(span, NAME)?;
                self.scan.facts.library("tensorflow", &version);
                self.scan.facts.property("producer", &format!("tensorflow {version}"));
            }
        }
        Ok(())
    }

    fn asset(&mut self, mut message: Span) -> Parsed<()> {
        while let Some(field) = self.proto.next(&mut message)? {
            if let (2, Value::Bytes(span)) = (field.number, field.value) {
                let name = self.proto.text(span, NAME)?;
                if let Some(why) = path::escape(&name) {
                    self.scan.find(&ASSET, field.at, format!("the path `{}` {why}", shown(&name)));
                }
            }
        }
        Ok(())
    }

    /// The object graph: user objects of Keras carry their configuration.
    fn objects(&mut self, mut message: Span) -> Parsed<()> {
        while let Some(field) = self.proto.next(&mut message)? {
            self.scan.spend(1)?;
            let (1, Value::Bytes(mut object)) = (field.number, field.value) else { continue };
            while let Some(field) = self.proto.next(&mut object)? {
                if let (4, Value::Bytes(user)) = (field.number, field.value) {
                    keras(&mut self.proto, user, 3, self.scan)?;
                }
            }
        }
        Ok(())
    }

    fn graph(&mut self, mut message: Span) -> Parsed<()> {
        let mut body = Body::default();
        let result = self.graph_nodes(&mut message, &mut body);
        result.and(self.program.body(body))
    }

    fn graph_nodes(&mut self, message: &mut Span, body: &mut Body) -> Parsed<()> {
        while let Some(field) = self.proto.next(message)? {
            self.scan.spend(1)?;
            match (field.number, field.value) {
                (1, Value::Bytes(span)) => {
                    let node = self.node(span, field.at)?;
                    self.program.node(body, node)?;
                }
                (2, Value::Bytes(span)) => self.library(span)?,
                _ => {}
            }
        }
        Ok(())
    }

    fn library(&mut self, mut message: Span) -> Parsed<()> {
        while let Some(field) = self.proto.next(&mut message)? {
            if let (1, Value::Bytes(mut function)) = (field.number, field.value) {
                let mut body = Body::default();
                let result = self.function(&mut function, &mut body);
                self.program.body(body)?;
                result?;
            }
        }
        Ok(())
    }

    /// A `FunctionDef`.
    fn function(&mut self, message: &mut Span, body: &mut Body) -> Parsed<()> {
        while let Some(field) = self.proto.next(message)? {
            self.scan.spend(1)?;
            let Value::Bytes(span) = field.value else { continue };
            match field.number {
                1 => self.signature(span, body)?,
                3 => {
                    let node = self.node(span, field.at)?;
                    self.program.node(body, node)?;
                }
                4 => body.results.extend(self.last_text(span, 2)?),
                _ => {}
            }
        }
        Ok(())
    }

    /// The name of a function, and those of its arguments.
    fn signature(&mut self, mut message: Span, body: &mut Body) -> Parsed<()> {
        while let Some(field) = self.proto.next(&mut message)? {
            match (field.number, field.value) {
                (1, Value::Bytes(span)) => body.name = self.proto.text(span, NAME)?,
                (2, Value::Bytes(span)) => {
                    let name = self.last_text(span, 1)?.unwrap_or_default();
                    body.arguments.push(name);
                }
                _ => {}
            }
        }
        Ok(())
    }

    /// The text in field `number` of a message.
    fn last_text(&mut self, mut message: Span, number: u64) -> Parsed<Option<String>> {
        let mut text = None;
        while let Some(field) = self.proto.next(&mut message)? {
            if let Value::Bytes(span) = field.value
                && field.number == number
            {
                text = Some(self.proto.text(span, NAME)?);
            }
        }
        Ok(text)
    }

    fn node(&mut self, mut message: Span, at: u64) -> Parsed<Node> {
        let mut node = Node { at, ..Node::default() };
        while let Some(field) = self.proto.next(&mut message)? {
            let Value::Bytes(span) = field.value else { continue };
            match field.number {
                1 => node.name = self.proto.text(span, NAME)?,
                2 => node.operation = self.proto.text(span, NAME)?,
                3 if node.inputs.len() < INPUTS => node.inputs.push(self.proto.text(span, NAME)?),
                5 => self.attribute(span, &mut node)?,
                _ => {}
            }
        }
        Ok(node)
    }

    fn attribute(&mut self, mut message: Span, node: &mut Node) -> Parsed<()> {
        let (mut key, mut value) = (String::new(), None);
        while let Some(field) = self.proto.next(&mut message)? {
            match (field.number, field.value) {
                (1, Value::Bytes(span)) => key = self.proto.text(span, NAME)?,
                (2, Value::Bytes(span)) => value = Some(span),
                _ => {}
            }
        }
        let Some(mut value) = value else { return Ok(()) };
        let mut texts = Vec::new();
        while let Some(field) = self.proto.next(&mut value)? {
            match (field.number, field.value) {
                (1, Value::Bytes(span)) => self.list(span, decides(&key), &mut texts, node)?,
                (2, Value::Bytes(span)) if decides(&key) && texts.len() < TEXTS => {
                    texts.push(self.proto.text(span, NAME)?);
                }
                (6, Value::Varint(kind)) => node.textual |= kind == DT_STRING,
                (8, Value::Bytes(span)) if decides(&key) => self.tensor(span, &mut texts)?,
                (10, Value::Bytes(span)) => node.functions.extend(self.last_text(span, 1)?),
                _ => {}
            }
        }
        node.texts.extend(texts.into_iter().map(|text| (key.clone(), text)));
        Ok(())
    }

    /// A list of texts, types or functions.
    fn list(
        &mut self,
        mut message: Span,
        decides: bool,
        texts: &mut Vec<String>,
        node: &mut Node,
    ) -> Parsed<()> {
        while let Some(field) = self.proto.next(&mut message)? {
            self.scan.spend(1)?;
            match (field.number, field.value) {
                (2, Value::Bytes(span)) if decides && texts.len() < TEXTS => {
                    texts.push(self.proto.text(span, NAME)?);
                }
                (6, Value::Varint(kind)) => node.textual |= kind == DT_STRING,
                (6, Value::Bytes(mut kinds)) => {
                    while let Some(kind) = self.proto.packed(&mut kinds)? {
                        node.textual |= kind == DT_STRING;
                    }
                }
                (9, Value::Bytes(span)) if node.functions.len() < TEXTS => {
                    node.functions.extend(self.last_text(span, 1)?);
                }
                _ => {}
            }
        }
        Ok(())
    }

    /// The texts of a tensor, each in a field of its own or all behind their lengths.
    fn tensor(&mut self, mut message: Span, texts: &mut Vec<String>) -> Parsed<()> {
        let (mut kind, mut content) = (0, None);
        while let Some(field) = self.proto.next(&mut message)? {
            self.scan.spend(1)?;
            match (field.number, field.value) {
                (1, Value::Varint(number)) => kind = number,
                (4, Value::Bytes(span)) => content = Some(span),
                (8, Value::Bytes(span)) if texts.len() < 2 * TEXTS => {
                    let text = self.proto.text(span, NAME)?;
                    // Of the many, those that lead out count.
                    if texts.len() < TEXTS || path::escape(&text).is_some() {
                        texts.push(text);
                    }
                }
                _ => {}
            }
        }
        match content.filter(|_| kind == DT_STRING) {
            Some(content) => self.packed_texts(content, texts),
            None => Ok(()),
        }
    }

    /// Texts behind all of their lengths, which is how TensorFlow packs a list of them. How many there are is in the
    /// tensor's shape; they fit in one way only.
    fn packed_texts(&mut self, content: Span, texts: &mut Vec<String>) -> Parsed<()> {
        let mut lengths = Vec::new();
        let mut rest = content;
        while let Ok(Some(length)) = self.proto.packed(&mut rest) {
            lengths.push(length);
            let all = lengths.iter().fold(0_u64, |sum, length| sum.saturating_add(*length));
            if all > rest.size() || lengths.len() > TEXTS {
                return Ok(());
            }
            if all == rest.size() {
                break;
            }
        }
        for length in lengths {
            let end = rest.start.saturating_add(length);
            texts.push(self.proto.text(Span { start: rest.start, end }, NAME)?);
            rest.start = end;
        }
        Ok(())
    }
}

/// TensorFlow's number for texts.
const DT_STRING: u64 = 7;

/// Scans the configuration of a Keras object, which field `number` holds as JSON.
pub(super) fn keras(
    proto: &mut Proto<'_>,
    mut message: Span,
    number: u64,
    scan: &mut Scan<'_>,
) -> Parsed<()> {
    while let Some(field) = proto.next(&mut message)? {
        scan.spend(1)?;
        if let Value::Bytes(span) = field.value
            && field.number == number
            && span.size() > 0
        {
            scan.nested("keras_metadata", &Part::new(proto.source, span.start, span.size()));
        }
    }
    Ok(())
}
