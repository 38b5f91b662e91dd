//! Which tools a streamed reply calls.

use bastide_wire::{ChatChunk, Lane, LaneField};

use super::Tally;
use super::lane::LABEL_BYTES;

/// The names of the called tools while they arrive. One is complete when the arguments begin, or its answer ends: it is
/// noted then, so that the policies are asked before the first byte of the arguments goes out.
#[derive(Debug, Default)]
pub(super) struct Calls {
    open: Vec<(Lane, String)>,
}

/// Calls whose names are on their way at once. A stream that opens more has its further names noted as they come.
const MAX_OPEN: usize = 128;

impl Calls {
    /// Takes in the names of one event, whatever order they and the arguments have in it.
    pub(super) fn follow(&mut self, chunk: &ChatChunk, data: &[u8], tally: &mut Tally) {
        let lanes = |at| chunk.lane(at).map(|lane| (at, lane));
        for (at, lane) in (0..chunk.segment_count()).filter_map(lanes) {
            if !matches!(lane.field, LaneField::ToolName(_) | LaneField::FunctionName) {
                continue;
            }
            let Some(segment) = chunk.segment(data, at) else { continue };
            let open = self.open.len();
            match self.open.iter_mut().find(|(of, _)| *of == lane) {
                // Some servers say the whole name with every piece.
                Some((_, name)) if *name == segment.text => {}
                Some((_, name)) if name.len() + segment.text.len() <= LABEL_BYTES => {
                    name.push_str(&segment.text);
                }
                None if open < MAX_OPEN && segment.text.len() <= LABEL_BYTES => {
                    self.open.push((lane, segment.text.into_owned()));
                }
                _ => tally.calls(&segment.text),
            }
        }
        for (at, lane) in (0..chunk.segment_count()).filter_map(lanes) {
            if let Some(field) = name_of(lane.field)
                && chunk.segment(data, at).is_some_and(|s| !s.text.is_empty())
            {
                let name = Lane { choice: lane.choice, field };
                if !self.open.iter().any(|(open, _)| *open == name) {
                    // The tool with no name.
                    tally.calls("");
                }
                self.note(tally, |of| of == name);
            }
        }
        for choice in &chunk.finish {
            self.note(tally, |of| of.choice == *choice);
        }
    }

    /// The reply has ended.
    pub(super) fn finish(&mut self, tally: &mut Tally) {
        self.note(tally, |_| true);
    }

    fn note(&mut self, tally: &mut Tally, of: impl Fn(Lane) -> bool) {
        self.open.iter().filter(|(lane, _)| of(*lane)).for_each(|(_, name)| tally.calls(name));
    }
}

/// The lane of the name of the tool that a lane's text goes to.
pub(super) const fn name_of(field: LaneField) -> Option<LaneField> {
    match field {
        LaneField::ToolArguments(n) | LaneField::ToolInput(n) => Some(LaneField::ToolName(n)),
        LaneField::FunctionArguments => Some(LaneField::FunctionName),
        _ => None,
    }
}
