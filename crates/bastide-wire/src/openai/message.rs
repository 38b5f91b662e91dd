//! Messages: those of a request and those of an answer, whole or as a streamed delta.

use bastide_types::{Origin, SegmentKind};

use super::names::{Audio, Call, Message, ReasoningDetail, ToolCall};
use super::parts::{Place, Voice};
use crate::tape::{Kind, NONE, narrow};
use crate::vocabulary::find;
use crate::walk::{Given, Walker};
use crate::{LaneField, UnscannedKind, WireError};

/// What else is learned on the way through a message.
#[derive(Clone, Copy, Default)]
pub(super) struct Spoken {
    /// The `content` value.
    pub(super) content: Option<u32>,
    /// The `refusal` value.
    pub(super) refusal: Option<u32>,
}

impl Walker<'_> {
    /// A message of a request: the role says whose words they are.
    pub(super) fn request_message(&mut self, node: u32, position: usize) -> Result<(), WireError> {
        if self.kind(node) != Kind::Object {
            return Err(self.type_error(node, "expected an object"));
        }
        let role = find(self.body, self.tape, node, "role").ok_or_else(|| self.missing_role(node))?;
        let origin = match &*self.string(role)? {
            "user" => Origin::User,
            "assistant" => Origin::Assistant,
            "system" => Origin::System,
            "tool" | "function" => Origin::ToolResult,
            "developer" => Origin::Developer,
            _ => {
                return Err(self.error(
                    WireError::VALUE,
                    role,
                    "unknown role; the roles are `system`, `developer`, `user`, `assistant`, `tool` and `function`",
                ));
            }
        };
        let place = Place { list: "messages", position: Some(position), holder: "", field: "content" };
        self.message(node, Voice { origin, streamed: false }, place).map(|_| ())
    }

    /// The case of a wrong spelling is worth its own words, so the members are read first.
    fn missing_role(&self, node: u32) -> WireError {
        let check = || {
            let mut fields = self.fields::<Message>(node)?;
            while self.next(&mut fields)?.is_some() {}
            Ok(())
        };
        check().err().unwrap_or_else(|| self.missing(node, "role"))
    }

    /// The members of a message. The role has been read by the caller, who gives the voice.
    pub(super) fn message(&mut self, node: u32, voice: Voice, place: Place) -> Result<Spoken, WireError> {
        let mut fields = self.fields::<Message>(node)?;
        let mut spoken = Spoken::default();
        while let Some(field) = self.next(&mut fields)? {
            let value = field.value;
            match field.name {
                Some(Message::Role) => self.closed(value, ROLES)?,
                Some(Message::Content) => {
                    spoken.content = Some(value);
                    self.content(value, voice, place)?;
                }
                Some(Message::Refusal) => {
                    spoken.refusal = Some(value);
                    self.prose(value, voice.origin, SegmentKind::Text, voice.lane(LaneField::Refusal))?;
                }
                Some(Message::ReasoningContent) => {
                    self.reasoning(value, voice.lane(LaneField::Reasoning))?;
                }
                Some(Message::Reasoning) => self.reasoning(value, voice.lane(LaneField::ReasoningText))?,
                Some(Message::ReasoningDetails) => self.reasoning_details(value, voice)?,
                Some(Message::ToolCalls) => self.tool_calls(value, voice)?,
                Some(Message::FunctionCall) => self.function_call(value, voice)?,
                Some(Message::Audio) => self.audio(value, voice, place)?,
                Some(Message::Images) => self.images(value, voice, place)?,
                Some(Message::Channel) => self.closed(value, &["analysis", "commentary", "final"])?,
                Some(Message::ToolCallId | Message::Name | Message::Annotations | Message::Citations) => {
                    self.free(value, Origin::Other)?;
                }
                None => self.unknown(field.key, value)?,
            }
        }
        Ok(spoken)
    }

    fn reasoning(&mut self, node: u32, lane: Option<LaneField>) -> Result<(), WireError> {
        match self.kind(node) {
            Kind::String => self.push(node, Origin::Reasoning, SegmentKind::Text, lane),
            _ => self.free(node, Origin::Reasoning),
        }
    }

    /// `reasoning_details` (OpenRouter): texts with an index, beside encrypted data that is text like any other.
    fn reasoning_details(&mut self, node: u32, voice: Voice) -> Result<(), WireError> {
        if self.kind(node) != Kind::Array {
            return self.free(node, Origin::Reasoning);
        }
        for (position, detail) in self.elements(node)?.enumerate() {
            if self.kind(detail) != Kind::Object {
                self.free(detail, Origin::Reasoning)?;
                continue;
            }
            let lane = voice.lane(LaneField::ReasoningDetail(self.index_of(detail, position)));
            let mut fields = self.fields::<ReasoningDetail>(detail)?;
            while let Some(field) = self.next(&mut fields)? {
                match field.name {
                    Some(ReasoningDetail::Index) => self.parameter(field.value)?,
                    Some(ReasoningDetail::Type) => self.closed(
                        field.value,
                        &["reasoning.text", "reasoning.summary", "reasoning.encrypted"],
                    )?,
                    Some(ReasoningDetail::Format) => self.closed(field.value, REASONING_FORMATS)?,
                    Some(ReasoningDetail::Text | ReasoningDetail::Summary) => {
                        self.reasoning(field.value, lane)?;
                    }
                    None => self.unknown(field.key, field.value)?,
                }
            }
        }
        Ok(())
    }

    /// The `index` of a streamed element, or its position.
    pub(super) fn index_of(&mut self, object: u32, position: usize) -> u32 {
        let given = find(self.body, self.tape, object, "index").filter(|&node| self.kind(node) != Kind::Null);
        let index = given.and_then(|node| self.tape.index(self.body, node));
        self.odd_index |= given.is_some() && index.is_none();
        index.unwrap_or_else(|| narrow(position))
    }

    fn tool_calls(&mut self, node: u32, voice: Voice) -> Result<(), WireError> {
        if self.kind(node) == Kind::Null {
            return Ok(());
        }
        for (position, call) in self.elements(node)?.enumerate() {
            let index = self.index_of(call, position);
            let mut fields = self.fields::<ToolCall>(call)?;
            while let Some(field) = self.next(&mut fields)? {
                let value = field.value;
                match field.name {
                    Some(ToolCall::Index) => self.parameter(value)?,
                    Some(ToolCall::Id) => {
                        self.prose(
                            value,
                            Origin::Other,
                            SegmentKind::Text,
                            voice.lane(LaneField::ToolId(index)),
                        )?;
                    }
                    Some(ToolCall::Type) => self.closed(value, &["function", "custom"])?,
                    Some(ToolCall::Function | ToolCall::Custom) => {
                        let lanes = [
                            voice.lane(LaneField::ToolName(index)),
                            voice.lane(LaneField::ToolArguments(index)),
                            voice.lane(LaneField::ToolInput(index)),
                        ];
                        self.call(value, lanes)?;
                    }
                    None => self.unknown(field.key, value)?,
                }
            }
        }
        Ok(())
    }

    fn function_call(&mut self, node: u32, voice: Voice) -> Result<(), WireError> {
        if self.kind(node) == Kind::Null {
            return Ok(());
        }
        let arguments = voice.lane(LaneField::FunctionArguments);
        self.call(node, [voice.lane(LaneField::FunctionName), arguments, None])
    }

    /// `{name, arguments}` or `{name, input}`. Arguments are JSON text; some servers take them as an object.
    fn call(&mut self, node: u32, [name, arguments, input]: [Option<LaneField>; 3]) -> Result<(), WireError> {
        if self.kind(node) == Kind::Null {
            return Ok(());
        }
        let mut fields = self.fields::<Call>(node)?;
        let (first, mut tool) = (self.given.len(), NONE);
        while let Some(field) = self.next(&mut fields)? {
            let from = self.sites.len();
            match (field.name, self.kind(field.value)) {
                (Some(Call::Name), _) => {
                    self.called.push(field.value);
                    tool = field.value;
                    self.prose(field.value, Origin::ToolCall, SegmentKind::Text, name)?;
                }
                (Some(Call::Arguments), Kind::String) => {
                    self.push(field.value, Origin::ToolCall, SegmentKind::JsonText, arguments)?;
                }
                (Some(Call::Input), Kind::String) => {
                    self.push(field.value, Origin::ToolCall, SegmentKind::Text, input)?;
                }
                (Some(Call::Arguments | Call::Input), _) => self.free(field.value, Origin::ToolCall)?,
                (None, _) => self.unknown(field.key, field.value)?,
            }
            if matches!(field.name, Some(Call::Arguments | Call::Input)) {
                self.given.push(Given { sites: from..self.sites.len(), name: NONE });
            }
        }
        self.given.iter_mut().skip(first).for_each(|given| given.name = tool);
        Ok(())
    }

    /// `audio`: in a request a reference, in an answer sound with its transcript.
    fn audio(&mut self, node: u32, voice: Voice, place: Place) -> Result<(), WireError> {
        if self.kind(node) == Kind::Null {
            return Ok(());
        }
        self.opaque(Place { field: "audio", ..place }.to_string(), UnscannedKind::Audio);
        let mut fields = self.fields::<Audio>(node)?;
        while let Some(field) = self.next(&mut fields)? {
            let value = field.value;
            match field.name {
                Some(Audio::Id) => self.free(value, Origin::Other)?,
                Some(Audio::Data) => self.payload(value)?,
                Some(Audio::Transcript) => {
                    let lane = voice.lane(LaneField::AudioTranscript);
                    self.prose(value, voice.origin, SegmentKind::Text, lane)?;
                }
                Some(Audio::ExpiresAt) => self.count(value)?,
                None => self.unknown(field.key, value)?,
            }
        }
        Ok(())
    }

    /// `images` of an answer: content parts.
    fn images(&mut self, node: u32, voice: Voice, place: Place) -> Result<(), WireError> {
        match self.kind(node) {
            Kind::Array => self.parts(node, voice, Place { field: "images", ..place }),
            _ => self.free(node, Origin::Other),
        }
    }
}

/// Which provider's form a reasoning text has: OpenRouter says it again in every chunk.
const REASONING_FORMATS: &[&str] = &[
    "unknown",
    "openai-responses-v1",
    "azure-openai-responses-v1",
    "xai-responses-v1",
    "anthropic-claude-v1",
    "google-gemini-v1",
];

const ROLES: &[&str] = &["user", "assistant", "system", "tool", "function", "developer", ""];
