//! The messages of a SavedModel, from the outermost to the attributes of nodes.

use super::super::path;
use super::super::proto::{NAME, Proto, Span, Value};
use super::ASSET;
use super::node::{Foreign, Functions, INPUTS, Node, Nodes, TEXTS, settle_foreign};
use crate::format::Format;
use crate::halt::Parsed;
use crate::scan::{Scan, shown};
use crate::source::Part;

pub(super) struct Walk<'a, 's, 'l> {
    proto: Proto<'a>,
    scan: &'s mut Scan<'l>,
    /// Names of the functions in the library.
    own: Functions,
    foreign: Foreign,
}

impl<'a, 's, 'l> Walk<'a, 's, 'l> {
    pub(super) fn new(proto: Proto<'a>, scan: &'s mut Scan<'l>) -> Self {
        Walk { proto, scan, own: Functions::default(), foreign: Foreign::new() }
    }

    pub(super) fn read(mut self, format: Format) -> Parsed<()> {
        let whole = self.proto.whole();
        let result = match format {
            Format::SavedModel => self.saved_model(whole),
            Format::MetaGraph => self.meta_graph(whole),
            _ => self.graph(whole),
        };
        settle_foreign(self.foreign, &self.own, self.scan);
        result
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
        let mut nodes = Nodes::default();
        let result = self.nodes(&mut message, 1, Some(2), &mut nodes);
        nodes.settle(self.scan);
        result
    }

    /// Reads the nodes in field `number` of `message` and the functions in field `library`.
    fn nodes(
        &mut self,
        message: &mut Span,
        number: u64,
        library: Option<u64>,
        nodes: &mut Nodes,
    ) -> Parsed<()> {
        while let Some(field) = self.proto.next(message)? {
            self.scan.spend(1)?;
            let Value::Bytes(span) = field.value else { continue };
            if field.number == number {
                let node = self.node(span, field.at)?;
                nodes.add(node, &mut self.foreign)?;
            } else if Some(field.number) == library {
                self.library(span)?;
            } else if library.is_none() && field.number == 1 {
                self.signature(span)?;
            }
        }
        Ok(())
    }

    fn library(&mut self, mut message: Span) -> Parsed<()> {
        while let Some(field) = self.proto.next(&mut message)? {
            if let (1, Value::Bytes(mut function)) = (field.number, field.value) {
                let mut nodes = Nodes::default();
                let result = self.nodes(&mut function, 3, None, &mut nodes);
                nodes.settle(self.scan);
                result?;
            }
        }
        Ok(())
    }

    /// The name of a function.
    fn signature(&mut self, mut message: Span) -> Parsed<()> {
        while let Some(field) = self.proto.next(&mut message)? {
            if let (1, Value::Bytes(span)) = (field.number, field.value) {
                let name = self.proto.text(span, NAME)?;
                self.own.add(name)?;
            }
        }
        Ok(())
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
        // Names of shapes, shards and devices; only these texts decide.
        let decides = matches!(
            key.as_str(),
            "value" | "output_stream" | "debug_urls" | "memory_region_name" | "descriptor_source"
        );
        let Some(mut value) = value.filter(|_| decides) else { return Ok(()) };
        let mut texts = Vec::new();
        while let Some(field) = self.proto.next(&mut value)? {
            match (field.number, field.value) {
                (1, Value::Bytes(span)) => self.texts(span, 2, &mut texts)?,
                (2, Value::Bytes(span)) if texts.len() < TEXTS => texts.push(self.proto.text(span, NAME)?),
                (8, Value::Bytes(span)) => self.texts(span, 8, &mut texts)?,
                _ => {}
            }
        }
        node.texts.extend(texts.into_iter().map(|text| (key.clone(), text)));
        Ok(())
    }

    /// The texts in field `number` of a list or tensor.
    fn texts(&mut self, mut message: Span, number: u64, texts: &mut Vec<String>) -> Parsed<()> {
        while let Some(field) = self.proto.next(&mut message)? {
            self.scan.spend(1)?;
            if let Value::Bytes(span) = field.value
                && field.number == number
                && texts.len() < TEXTS
            {
                texts.push(self.proto.text(span, NAME)?);
            }
        }
        Ok(())
    }
}

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
