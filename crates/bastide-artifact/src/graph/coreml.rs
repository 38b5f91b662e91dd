//! Core ML (`.mlmodel`): a model in protocol buffers; schema `mlmodel/format/Model.proto` of coremltools.
//!
//! Custom models and layers name classes of the app that loads the model, and programs refer to files of weights.

use bastide_types::{Assessment, Rule, Severity};

use super::path;
use super::proto::{NAME, Outline, Proto, Span, Value};
use crate::halt::{Halt, Parsed};
use crate::scan::{Scan, shown};
use crate::source::{Part, Source};

/// Classes of the app.
pub(super) const CUSTOM: Rule = Rule {
    id: "coreml.custom-class",
    severity: Severity::Medium,
    effect: Assessment::Review,
    title: "class of the app that loads the model",
    why: "Core ML looks the class up by name and hands it the parameters of the model",
    fix: "see which class it is and what it makes of the parameters",
    cwe: &[470],
    atlas: &["AML.T0011.000"],
};

/// Files outside.
pub(super) const PATH: Rule = Rule {
    id: "coreml.path",
    severity: Severity::High,
    effect: Assessment::Malicious,
    title: "file outside of the model package",
    why: "loading the model reads that file",
    fix: "do not load it; weights lie in the package",
    cwe: &[22],
    atlas: &["AML.T0010.003"],
};

/// Fields of a `Model` that hold it, one for each kind.
const KINDS: &[u64] = &[
    200, 201, 202, 300, 301, 302, 303, 304, 400, 401, 402, 403, 404, 500, 501, 502, 555, 556, 560, 600, 601,
    602, 603, 604, 606, 607, 609, 610, 900, 2000, 2001, 2002, 2003, 2004, 2005, 2006, 3000,
];

/// Models within models, and blocks within blocks, beyond what the compiler takes.
const DEEPEST: u32 = 32;

/// Whether the outline is that of a `Model`: a version, a description, and one of the kinds from field 200.
pub(super) fn recognise(proto: &mut Proto<'_>, outline: &Outline) -> bool {
    let versioned = outline.varint(1).is_some_and(|version| (1..=64).contains(&version));
    versioned
        && KINDS.iter().any(|kind| outline.bytes(*kind).is_some())
        && outline.bytes(2).is_none_or(|description| Outline::of(proto, description, 8).is_some())
}

/// Reads the file.
pub(super) fn read(source: &dyn Source, scan: &mut Scan<'_>) -> Parsed<()> {
    let mut reader = Reader { proto: Proto::new(source), scan };
    let whole = reader.proto.whole();
    reader.model(whole, 0)
}

struct Reader<'a, 's, 'l> {
    proto: Proto<'a>,
    scan: &'s mut Scan<'l>,
}

impl Reader<'_, '_, '_> {
    fn model(&mut self, mut message: Span, depth: u32) -> Parsed<()> {
        if depth > DEEPEST {
            return Err(Halt::limit(format!("{DEEPEST} models within one another")));
        }
        while let Some(field) = self.proto.next(&mut message)? {
            self.scan.spend(1)?;
            let Value::Bytes(span) = field.value else { continue };
            match field.number {
                2 => self.description(span)?,
                200 | 201 => self.wrapped_pipeline(span, depth)?,
                202 => self.pipeline(span, depth)?,
                303 | 403 | 500 => self.network(span)?,
                502 => self.program(span)?,
                555 => self.custom(span, "model")?,
                556 => self.linked(span)?,
                3000 => self.serialised(span)?,
                _ => {}
            }
        }
        Ok(())
    }

    /// Of `ModelDescription`, the metadata.
    fn description(&mut self, mut message: Span) -> Parsed<()> {
        while let Some(field) = self.proto.next(&mut message)? {
            let (100, Value::Bytes(mut metadata)) = (field.number, field.value) else { continue };
            while let Some(field) = self.proto.next(&mut metadata)? {
                let Value::Bytes(span) = field.value else { continue };
                let property = match field.number {
                    1 => "description",
                    2 => "version",
                    3 => "author",
                    4 => "licence",
                    _ => continue,
                };
                let text = self.proto.text(span, NAME)?;
                self.scan.facts.property(property, &text);
            }
        }
        Ok(())
    }

    fn wrapped_pipeline(&mut self, mut message: Span, depth: u32) -> Parsed<()> {
        while let Some(field) = self.proto.next(&mut message)? {
            if let (1, Value::Bytes(span)) = (field.number, field.value) {
                self.pipeline(span, depth)?;
            }
        }
        Ok(())
    }

    fn pipeline(&mut self, mut message: Span, depth: u32) -> Parsed<()> {
        while let Some(field) = self.proto.next(&mut message)? {
            if let (1, Value::Bytes(span)) = (field.number, field.value) {
                self.model(span, depth + 1)?;
            }
        }
        Ok(())
    }

    /// Layers of a neural network: field 500 of a layer makes it a custom one.
    fn network(&mut self, mut message: Span) -> Parsed<()> {
        while let Some(field) = self.proto.next(&mut message)? {
            let (1, Value::Bytes(layer)) = (field.number, field.value) else { continue };
            self.layer(layer, 0)?;
        }
        Ok(())
    }

    fn layer(&mut self, mut layer: Span, depth: u32) -> Parsed<()> {
        if depth > DEEPEST {
            return Err(Halt::limit(format!("{DEEPEST} networks within one another")));
        }
        while let Some(field) = self.proto.next(&mut layer)? {
            self.scan.spend(1)?;
            let Value::Bytes(span) = field.value else { continue };
            match field.number {
                500 => self.custom(span, "layer")?,
                // Loops and branches hold networks.
                605 | 615 => self.branches(span, depth)?,
                _ => {}
            }
        }
        Ok(())
    }

    /// The networks in the fields of a loop or branch.
    fn branches(&mut self, mut message: Span, depth: u32) -> Parsed<()> {
        while let Some(field) = self.proto.next(&mut message)? {
            let (1..=4, Value::Bytes(mut network)) = (field.number, field.value) else { continue };
            // Names of variables stand between the networks.
            if Outline::of(&mut self.proto, network, 1).is_none_or(|outline| outline.bytes(1).is_none()) {
                continue;
            }
            while let Ok(Some(field)) = self.proto.next(&mut network) {
                if let (1, Value::Bytes(layer)) = (field.number, field.value) {
                    self.layer(layer, depth + 1)?;
                }
            }
        }
        Ok(())
    }

    fn custom(&mut self, mut message: Span, kind: &str) -> Parsed<()> {
        let at = message.start;
        let mut class = String::new();
        while let Some(field) = self.proto.next(&mut message)? {
            if let (10, Value::Bytes(span)) = (field.number, field.value) {
                class = self.proto.text(span, NAME)?;
            }
        }
        self.scan.find(&CUSTOM, at, format!("custom {kind} of class `{}`", shown(&class)));
        Ok(())
    }

    /// A model in a file of its own: its name and where to look, each with a default.
    fn linked(&mut self, mut message: Span) -> Parsed<()> {
        while let Some(field) = self.proto.next(&mut message)? {
            let (1, Value::Bytes(mut file)) = (field.number, field.value) else { continue };
            while let Some(field) = self.proto.next(&mut file)? {
                let (1 | 2, Value::Bytes(mut parameter)) = (field.number, field.value) else { continue };
                while let Some(field) = self.proto.next(&mut parameter)? {
                    if let (1, Value::Bytes(span)) = (field.number, field.value) {
                        let path = self.proto.text(span, NAME)?;
                        self.path(&path, field.at);
                    }
                }
            }
        }
        Ok(())
    }

    /// A model of a framework that Core ML knows by name, as bytes.
    fn serialised(&mut self, mut message: Span) -> Parsed<()> {
        while let Some(field) = self.proto.next(&mut message)? {
            match (field.number, field.value) {
                (1, Value::Bytes(span)) => {
                    let name = self.proto.text(span, NAME)?;
                    self.scan.find(&CUSTOM, field.at, format!("serialised model `{}`", shown(&name)));
                }
                (2, Value::Bytes(span)) => {
                    self.scan.nested("model", &Part::new(self.proto.source, span.start, span.size()));
                }
                _ => {}
            }
        }
        Ok(())
    }

    /// The files in an ML program, which only its values name.
    fn program(&mut self, mut message: Span) -> Parsed<()> {
        while let Some(field) = self.proto.next(&mut message)? {
            if let (2, Value::Bytes(span)) = (field.number, field.value) {
                let function = self.entry(span)?;
                self.function(function)?;
            }
        }
        Ok(())
    }

    /// The value of a map's entry.
    fn entry(&mut self, mut message: Span) -> Parsed<Span> {
        let mut value = Span { start: message.end, end: message.end };
        while let Some(field) = self.proto.next(&mut message)? {
            if let (2, Value::Bytes(span)) = (field.number, field.value) {
                value = span;
            }
        }
        Ok(value)
    }

    fn function(&mut self, mut message: Span) -> Parsed<()> {
        while let Some(field) = self.proto.next(&mut message)? {
            if let (3, Value::Bytes(span)) = (field.number, field.value) {
                let block = self.entry(span)?;
                self.block(block, 0)?;
            }
        }
        Ok(())
    }

    fn block(&mut self, mut message: Span, depth: u32) -> Parsed<()> {
        if depth > DEEPEST {
            return Err(Halt::limit(format!("{DEEPEST} blocks within one another")));
        }
        while let Some(field) = self.proto.next(&mut message)? {
            if let (3, Value::Bytes(operation)) = (field.number, field.value) {
                self.operation(operation, depth)?;
            }
        }
        Ok(())
    }

    fn operation(&mut self, mut message: Span, depth: u32) -> Parsed<()> {
        while let Some(field) = self.proto.next(&mut message)? {
            self.scan.spend(1)?;
            let Value::Bytes(span) = field.value else { continue };
            match field.number {
                1 => {
                    let name = self.proto.text(span, NAME)?;
                    if name.starts_with("custom") {
                        self.scan.find(&CUSTOM, field.at, format!("operation `{}`", shown(&name)));
                    }
                }
                2 => self.argument(span)?,
                4 => self.block(span, depth + 1)?,
                5 => {
                    let value = self.entry(span)?;
                    self.value(value)?;
                }
                _ => {}
            }
        }
        Ok(())
    }

    /// The values bound to an input.
    fn argument(&mut self, span: Span) -> Parsed<()> {
        let mut argument = self.entry(span)?;
        while let Some(field) = self.proto.next(&mut argument)? {
            let (1, Value::Bytes(mut binding)) = (field.number, field.value) else { continue };
            while let Some(field) = self.proto.next(&mut binding)? {
                if let (2, Value::Bytes(value)) = (field.number, field.value) {
                    self.value(value)?;
                }
            }
        }
        Ok(())
    }

    /// A value, which may stand in a file.
    fn value(&mut self, mut message: Span) -> Parsed<()> {
        while let Some(field) = self.proto.next(&mut message)? {
            let (5, Value::Bytes(mut blob)) = (field.number, field.value) else { continue };
            while let Some(field) = self.proto.next(&mut blob)? {
                if let (1, Value::Bytes(span)) = (field.number, field.value) {
                    let path = self.proto.text(span, NAME)?;
                    self.path(&path, field.at);
                }
            }
        }
        Ok(())
    }

    fn path(&mut self, path: &str, at: u64) {
        // How programs name their own package.
        let inside = path.strip_prefix("@model_path/").unwrap_or(path);
        if let Some(why) = path::escape(inside) {
            self.scan.find(&PATH, at, format!("the path `{}` {why}", shown(path)));
        }
    }
}

#[cfg(test)]
mod tests;
