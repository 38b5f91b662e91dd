//! What the caller tells the model about tools and formats. All of it is text that the model reads: tool poisoning
//! hides instructions in descriptions and schemas alike.

use bastide_types::{Origin, SegmentKind};

use super::names::{Choose, Definition, JsonSchema, Named, ResponseFormat, Tool};
use crate::WireError;
use crate::tape::Kind;
use crate::walk::Walker;

impl Walker<'_> {
    /// `tools`: adds each tool's name to `names`; a tool without a name of its own (a hosted one) gives its type.
    pub(super) fn tools(&mut self, node: u32, names: &mut Vec<String>) -> Result<(), WireError> {
        if self.kind(node) == Kind::Null {
            return Ok(());
        }
        for tool in self.elements(node)? {
            let mut fields = self.fields::<Tool>(tool)?;
            let before = names.len();
            let mut hosted = None;
            while let Some(field) = self.next(&mut fields)? {
                match field.name {
                    Some(Tool::Type) => {
                        hosted = Some(self.string(field.value)?.into_owned());
                        self.closed(field.value, &["function", "custom"])?;
                    }
                    Some(Tool::Function | Tool::Custom) => self.definition(field.value, names)?,
                    None => self.unknown(field.key, field.value)?,
                }
            }
            if names.len() == before {
                names.extend(hosted);
            }
        }
        Ok(())
    }

    /// `functions`, the older form.
    pub(super) fn functions(&mut self, node: u32, names: &mut Vec<String>) -> Result<(), WireError> {
        if self.kind(node) == Kind::Null {
            return Ok(());
        }
        for function in self.elements(node)? {
            self.definition(function, names)?;
        }
        Ok(())
    }

    fn definition(&mut self, node: u32, names: &mut Vec<String>) -> Result<(), WireError> {
        let mut fields = self.fields::<Definition>(node)?;
        while let Some(field) = self.next(&mut fields)? {
            match field.name {
                Some(Definition::Name) => {
                    names.push(self.string(field.value)?.into_owned());
                    self.push(field.value, Origin::ToolDefinition, SegmentKind::Text, None)?;
                }
                Some(
                    Definition::Description
                    | Definition::Parameters
                    | Definition::Strict
                    | Definition::Format,
                ) => self.free(field.value, Origin::ToolDefinition)?,
                None => self.unknown(field.key, field.value)?,
            }
        }
        Ok(())
    }

    /// `tool_choice` and `function_call`: a word, or an object that names a tool.
    pub(super) fn choose(&mut self, node: u32) -> Result<(), WireError> {
        if self.kind(node) != Kind::Object {
            return self.closed(node, &["auto", "none", "required"]);
        }
        let mut fields = self.fields::<Choose>(node)?;
        while let Some(field) = self.next(&mut fields)? {
            match field.name {
                Some(Choose::Type) => self.closed(field.value, &["function", "custom", "allowed_tools"])?,
                Some(Choose::Function | Choose::Custom) => {
                    self.named(field.value)?;
                }
                Some(Choose::AllowedTools) => self.free(field.value, Origin::Other)?,
                None => self.unknown(field.key, field.value)?,
            }
        }
        Ok(())
    }

    /// `function_call`, the older form of `tool_choice`.
    pub(super) fn choose_function(&mut self, node: u32) -> Result<(), WireError> {
        match self.kind(node) {
            Kind::Object => self.named(node),
            _ => self.closed(node, &["auto", "none"]),
        }
    }

    fn named(&mut self, node: u32) -> Result<(), WireError> {
        let mut named = self.fields::<Named>(node)?;
        while let Some(field) = self.next(&mut named)? {
            match field.name {
                Some(Named::Name) => self.free(field.value, Origin::Other)?,
                None => self.unknown(field.key, field.value)?,
            }
        }
        Ok(())
    }

    /// `response_format`: the schema and its names are instructions to the model like a tool's.
    pub(super) fn response_format(&mut self, node: u32) -> Result<(), WireError> {
        if self.kind(node) != Kind::Object {
            return self.free(node, Origin::Other);
        }
        let mut fields = self.fields::<ResponseFormat>(node)?;
        while let Some(field) = self.next(&mut fields)? {
            match field.name {
                Some(ResponseFormat::Type) => {
                    self.closed(field.value, &["text", "json_object", "json_schema"])?;
                }
                Some(ResponseFormat::JsonSchema) => {
                    let mut schema = self.fields::<JsonSchema>(field.value)?;
                    while let Some(field) = self.next(&mut schema)? {
                        match field.name {
                            Some(_) => self.free(field.value, Origin::ToolDefinition)?,
                            None => self.unknown(field.key, field.value)?,
                        }
                    }
                }
                None => self.unknown(field.key, field.value)?,
            }
        }
        Ok(())
    }
}
