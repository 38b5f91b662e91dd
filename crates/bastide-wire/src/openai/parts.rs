//! The content of a message: a string, or a list of parts.

use std::fmt;

use bastide_types::{Origin, SegmentKind};

use super::names::{File, ImageUrl, InputAudio, Part};
use crate::tape::Kind;
use crate::unscanned::is_payload;
use crate::vocabulary::find;
use crate::walk::Walker;
use crate::{LaneField, UnscannedKind, WireError};

/// Where content stands, for the paths of what cannot be read: known without searching the document.
#[derive(Clone, Copy)]
pub(super) struct Place {
    /// The member of the document: `messages`, `choices`, `prediction`.
    pub(super) list: &'static str,
    /// Which of its elements, where it is a list.
    pub(super) position: Option<usize>,
    /// What is in the element: nothing, `/message` or `/delta`.
    pub(super) holder: &'static str,
    /// The member of that: `content`, `audio`, `images`.
    pub(super) field: &'static str,
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "/{}", self.list)?;
        if let Some(position) = self.position {
            write!(f, "/{position}")?;
        }
        write!(f, "{}/{}", self.holder, self.field)
    }
}

/// Whose text it is, and which streamed text it continues.
#[derive(Clone, Copy)]
pub(super) struct Voice {
    pub(super) origin: Origin,
    /// Whether the pieces are part of a stream.
    pub(super) streamed: bool,
}

impl Voice {
    pub(super) fn lane(self, field: LaneField) -> Option<LaneField> {
        self.streamed.then_some(field)
    }
}

impl Walker<'_> {
    /// `content`: string, parts or null.
    pub(super) fn content(&mut self, node: u32, voice: Voice, place: Place) -> Result<(), WireError> {
        match self.kind(node) {
            Kind::Null => Ok(()),
            Kind::String => self.push(node, voice.origin, SegmentKind::Text, voice.lane(LaneField::Content)),
            Kind::Array => self.parts(node, voice, place),
            _ => Err(self.type_error(node, "expected a string or an array of content parts")),
        }
    }

    /// A list of content parts.
    pub(super) fn parts(&mut self, node: u32, voice: Voice, place: Place) -> Result<(), WireError> {
        for (position, part) in self.elements(node)?.enumerate() {
            self.part(part, voice, place, position)?;
        }
        self.join_parts();
        Ok(())
    }

    /// A text of a part: streamed it is a piece of its lane, else one of the texts of its list.
    fn part_text(&mut self, node: u32, voice: Voice, field: LaneField) -> Result<(), WireError> {
        let origin = if field == LaneField::Reasoning { Origin::Reasoning } else { voice.origin };
        let before = self.sites.len();
        self.prose(node, origin, SegmentKind::Text, voice.lane(field))?;
        if !voice.streamed && self.sites.len() > before {
            self.parts.push((field, before));
        }
        Ok(())
    }

    /// One part.
    /// Each member is read by its own name whatever `type` says: a server that goes by the other must not
    /// see text that was not inspected.
    fn part(&mut self, node: u32, voice: Voice, place: Place, position: usize) -> Result<(), WireError> {
        let mut fields = self.fields::<Part>(node)?;
        let mut typed = false;
        while let Some(field) = self.next(&mut fields)? {
            let value = field.value;
            let path = || format!("{place}/{position}");
            match field.name {
                Some(Part::Type) => {
                    typed = true;
                    let name = self.string(value)?;
                    if !KNOWN_PARTS.contains(&&*name) {
                        self.opaque(path(), UnscannedKind::Other);
                        self.free(value, Origin::Other)?;
                    }
                }
                Some(Part::Text) => {
                    self.part_text(value, voice, LaneField::Content)?;
                }
                Some(Part::Refusal) => {
                    self.part_text(value, voice, LaneField::Refusal)?;
                }
                Some(Part::Thinking) => self.thinking(value, voice)?,
                Some(Part::ImageUrl) => {
                    self.opaque(path(), UnscannedKind::Image);
                    self.image(value)?;
                }
                Some(Part::InputAudio) => {
                    self.opaque(path(), UnscannedKind::Audio);
                    self.input_audio(value)?;
                }
                Some(Part::File) => {
                    self.opaque(path(), UnscannedKind::File);
                    self.file(value)?;
                }
                None => self.unknown(field.key, value)?,
            }
        }
        if typed { Ok(()) } else { Err(self.missing(node, "type")) }
    }

    /// `thinking`: a string, or a list of parts with `text` (Mistral).
    fn thinking(&mut self, node: u32, voice: Voice) -> Result<(), WireError> {
        if self.kind(node) == Kind::String {
            return self.part_text(node, voice, LaneField::Reasoning);
        }
        let before = self.sites.len();
        self.free(node, Origin::Reasoning)?;
        if self.kind(node) != Kind::Array {
            return Ok(());
        }
        let texts: Vec<u32> =
            self.tape.elements(node).filter_map(|part| find(self.body, self.tape, part, "text")).collect();
        for (at, site) in self.sites.iter_mut().enumerate().skip(before) {
            if site.kind == SegmentKind::Text && texts.binary_search(&site.node).is_ok() {
                if voice.streamed {
                    site.lane = voice.lane(LaneField::Reasoning);
                } else {
                    self.parts.push((LaneField::Reasoning, at));
                }
            }
        }
        Ok(())
    }

    /// `image_url`: an object, or just the address. The address of a remote image is text that leaves.
    fn image(&mut self, node: u32) -> Result<(), WireError> {
        match self.kind(node) {
            Kind::String => self.payload(node),
            Kind::Object => {
                let mut fields = self.fields::<ImageUrl>(node)?;
                while let Some(field) = self.next(&mut fields)? {
                    match field.name {
                        Some(ImageUrl::Url) => self.payload(field.value)?,
                        Some(ImageUrl::Detail) => self.closed(field.value, &["auto", "low", "high"])?,
                        None => self.unknown(field.key, field.value)?,
                    }
                }
                Ok(())
            }
            _ => Err(self.type_error(node, "expected an object with `url`")),
        }
    }

    fn input_audio(&mut self, node: u32) -> Result<(), WireError> {
        let mut fields = self.fields::<InputAudio>(node)?;
        while let Some(field) = self.next(&mut fields)? {
            match field.name {
                Some(InputAudio::Data) => self.payload(field.value)?,
                Some(InputAudio::Format) => {
                    self.closed(field.value, &["wav", "mp3", "flac", "opus", "pcm16", "aac", "ogg"])?;
                }
                None => self.unknown(field.key, field.value)?,
            }
        }
        Ok(())
    }

    fn file(&mut self, node: u32) -> Result<(), WireError> {
        let mut fields = self.fields::<File>(node)?;
        while let Some(field) = self.next(&mut fields)? {
            match field.name {
                Some(File::Data) => self.payload(field.value)?,
                Some(File::Id | File::Name) => self.free(field.value, Origin::Other)?,
                None => self.unknown(field.key, field.value)?,
            }
        }
        Ok(())
    }

    /// A string that is no segment when it is nothing but encoded bytes.
    pub(super) fn payload(&mut self, node: u32) -> Result<(), WireError> {
        if self.kind(node) == Kind::String && is_payload(&self.text(node)) {
            return Ok(());
        }
        self.free(node, Origin::Other)
    }
}

const KNOWN_PARTS: &[&str] =
    &["text", "image_url", "input_audio", "file", "refusal", "thinking", "output_text", "input_text"];
