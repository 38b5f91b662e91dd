//! Which tools a streamed reply calls.

use bastide_wire::{ChatChunk, Lane, LaneField};

use super::Tally;
use super::lane::LABEL_BYTES;

/// The names of the called tools while they arrive. One is complete when the arguments begin, or its answer ends: it is
/// noted then, so that the policies are asked before the first byte of the arguments goes out.
///
/// Where nobody can say which tool it is, the tool with no name is noted, which no policy names.
#[derive(Debug, Default)]
pub(super) struct Calls {
    open: Vec<Call>,
}

#[derive(Debug)]
struct Call {
    lane: Lane,
    /// The name, if a piece that says it again in full is no more of it: some servers say the whole name with every
    /// piece.
    once: String,
    /// The name, if every piece is more of it: clients join the pieces.
    joined: String,
    /// Its arguments have begun.
    began: bool,
    /// How long `joined` was when the policies last heard of it: neither name ever gets shorter.
    noted: Option<usize>,
}

/// Calls whose names are on their way at once; who opens more calls the tool with no name.
const MAX_OPEN: usize = 128;
/// A name that is said again and again is one of a tool up to here: the OpenAI API allows no longer ones.
const MOST_REPEATED: usize = 64;

impl Calls {
    /// Takes in the names of one event, whatever order they and the arguments have in it.
    pub(super) fn follow(&mut self, chunk: &ChatChunk, data: &[u8], tally: &mut Tally) {
        let lanes = |at| chunk.lane(at).map(|lane| (at, lane));
        let mut fields = (0..chunk.segment_count()).filter_map(|at| chunk.lane(at)).map(|lane| lane.field);
        if !fields.any(is_of_call) && !chunk.odd_index && chunk.finish.is_empty() {
            return;
        }
        for (at, lane) in (0..chunk.segment_count()).filter_map(lanes) {
            if !is_name(lane.field) {
                continue;
            }
            if let Some(segment) = chunk.segment(data, at) {
                self.hear(lane, &segment.text, tally);
            }
        }
        if chunk.odd_index {
            // The name may be another call's.
            tally.calls("");
        }
        for (at, lane) in (0..chunk.segment_count()).filter_map(lanes) {
            if let Some(field) = name_of(lane.field)
                && chunk.segment(data, at).is_some_and(|s| !s.text.is_empty())
            {
                let name = Lane { choice: lane.choice, field };
                match self.open.iter_mut().find(|call| call.lane == name) {
                    Some(call) => {
                        call.began = true;
                        call.note(tally);
                    }
                    None => tally.calls(""),
                }
            }
        }
        if !chunk.finish.is_empty() {
            let ended = |call: &&mut Call| chunk.finish.binary_search(&call.lane.choice).is_ok();
            self.open.iter_mut().filter(ended).for_each(|call| call.note(tally));
        }
    }

    /// Takes in one piece of a name.
    fn hear(&mut self, lane: Lane, piece: &str, tally: &mut Tally) {
        let open = self.open.len();
        match self.open.iter_mut().find(|call| call.lane == lane) {
            Some(call) => {
                if !call.hear(piece) {
                    tally.calls("");
                }
                // What the policies have heard already was not all of it.
                if call.began {
                    call.note(tally);
                }
            }
            None if open < MAX_OPEN && piece.len() <= LABEL_BYTES => {
                let (once, joined) = (piece.to_owned(), piece.to_owned());
                self.open.push(Call { lane, once, joined, began: false, noted: None });
            }
            None => tally.calls(""),
        }
    }

    /// The reply has ended.
    pub(super) fn finish(&mut self, tally: &mut Tally) {
        self.open.iter_mut().for_each(|call| call.note(tally));
    }
}

impl Call {
    /// Adds a piece; `false` when the name is too long to be one.
    fn hear(&mut self, piece: &str) -> bool {
        if *piece == self.once {
            if self.joined.len() + piece.len() <= MOST_REPEATED {
                self.joined.push_str(piece);
            }
            return true;
        }
        let fits = self.joined.len().max(self.once.len()) + piece.len() <= LABEL_BYTES;
        if fits {
            self.once.push_str(piece);
            self.joined.push_str(piece);
        }
        fits
    }

    /// Has the policies hear of it, unless they have already.
    fn note(&mut self, tally: &mut Tally) {
        let now = Some(self.joined.len());
        if std::mem::replace(&mut self.noted, now) != now {
            tally.calls(&self.once);
            tally.calls(&self.joined);
        }
    }
}

const fn is_name(field: LaneField) -> bool {
    matches!(field, LaneField::ToolName(_) | LaneField::FunctionName)
}

/// Whether a lane says which tool is called, or what with.
const fn is_of_call(field: LaneField) -> bool {
    is_name(field) || name_of(field).is_some()
}

/// The lane of the name of the tool that a lane's text goes to.
pub(super) const fn name_of(field: LaneField) -> Option<LaneField> {
    match field {
        LaneField::ToolArguments(n) | LaneField::ToolInput(n) => Some(LaneField::ToolName(n)),
        LaneField::FunctionArguments => Some(LaneField::FunctionName),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_policies_hear_of_a_name_once_as_it_is() {
        let lane = Lane { choice: 0, field: LaneField::ToolName(0) };
        let (once, joined) = ("send".to_owned(), "send".to_owned());
        let mut call = Call { lane, once, joined, began: true, noted: None };
        let heard = |call: &mut Call| {
            let mut tally = Tally::default();
            call.note(&mut tally);
            tally.tools().to_vec()
        };
        assert_eq!(heard(&mut call), ["send"]);
        assert!(heard(&mut call).is_empty(), "an upstream may end its answer with every event");
        assert!(call.hear("send"));
        assert_eq!(heard(&mut call), ["send", "sendsend"]);
        assert!(call.hear("_all"));
        assert_eq!(heard(&mut call), ["send_all", "sendsend_all"]);
        assert!(heard(&mut call).is_empty());
    }
}
