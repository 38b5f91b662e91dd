//! What tests know of the work that a document makes: how many tokens were looked at, and how many bytes were searched
//! for an escape.
//!
//! A walk that begins anew for each text or edit gives the right answers. It only keeps a worker busy for minutes, where
//! somebody sends a megabyte of addresses or of unknown fields.

#[cfg(test)]
pub(crate) use tests::count;

/// Counts what is looked at; outside tests nothing does.
#[cfg(not(test))]
#[inline]
pub(crate) const fn count(_looked_at: usize) {}

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use bastide_types::{Segment, Span};

    use crate::{ChatChunk, ChatRequest, ChatResponse, Edit, JsonDocument, Limits};

    thread_local! {
        static LOOKED_AT: Cell<usize> = const { Cell::new(0) };
    }

    pub(crate) fn count(looked_at: usize) {
        LOOKED_AT.set(LOOKED_AT.get() + looked_at);
    }

    /// Whether a document of four times as many parts makes about four times the work.
    fn is_linear(work: impl Fn(usize)) {
        let cost = |parts| {
            LOOKED_AT.set(0);
            work(parts);
            LOOKED_AT.get()
        };
        let (few, many) = (cost(500), cost(2_000));
        assert!(few >= 500, "the work is not counted: {few}");
        assert!(many <= 5 * few, "{few} for 500 parts, {many} for 2000");
    }

    fn listed(parts: usize, part: impl Fn(usize) -> String) -> String {
        (0..parts).map(part).collect::<Vec<_>>().join(",")
    }

    /// An edit of each of these words in the texts.
    fn masks(segments: &[Segment<'_>], word: &str) -> Vec<Edit> {
        let of = |segment: &Segment<'_>| -> Vec<Edit> {
            let spans = segment.text.match_indices(word).map(|(at, _)| Span::new(at, at + word.len()));
            spans.map(|span| Edit { segment: segment.index, span, replacement: "[E]".to_owned() }).collect()
        };
        segments.iter().flat_map(of).collect()
    }

    /// The answer of a model that calls functions.
    fn answer(functions: usize, function: impl Fn(usize) -> String) -> String {
        let calls = listed(functions, |n| format!(r#"{{"type":"function","function":{}}}"#, function(n)));
        format!(r#"{{"choices":[{{"index":0,"message":{{"tool_calls":[{calls}]}}}}]}}"#)
    }

    #[test]
    fn all_edits_of_a_text_are_one_walk() {
        for address in ["a@b.io", r"\n@b.io"] {
            is_linear(|parts| {
                let content = listed(parts, |_| address.to_owned());
                let body = format!(r#"{{"model":"m","messages":[{{"role":"user","content":"{content}"}}]}}"#);
                let body = body.as_bytes();
                let request = ChatRequest::parse(body, &Limits::default()).unwrap();
                let edits = masks(&request.segments(body), "@b.io");
                assert_eq!(edits.len(), parts);
                request.splice(body, &edits).unwrap();
            });
        }
    }

    #[test]
    fn all_edits_of_the_arguments_of_a_call_are_one_walk() {
        let one = |parts| format!(r#"\"{}\""#, listed(parts, |_| r"\\u0061@b.io".to_owned()));
        let apart = |parts| listed(parts, |_| r#"\"a@b.io\""#.to_owned());
        let texts: [&dyn Fn(usize) -> String; 2] = [&one, &apart];
        for texts in texts {
            is_linear(|parts| {
                let arguments = format!(r#"{{\"to\":[{}]}}"#, texts(parts));
                let body = answer(1, |_| format!(r#"{{"name":"mail","arguments":"{arguments}"}}"#));
                let body = body.as_bytes();
                let response = ChatResponse::parse(body, &Limits::default()).unwrap();
                let edits = masks(&response.segments(body), "@b.io");
                assert_eq!(edits.len(), parts);
                response.splice(body, &edits).unwrap();
            });
        }
    }

    #[test]
    fn all_places_of_texts_are_one_walk() {
        let members = |parts| format!("{{{}}}", listed(parts, |n| format!(r#""k{n}":"v""#)));
        let elements = |parts| format!("[{}]", listed(parts, |_| r#"{"a":"v"}"#.to_owned()));
        let documents: [&dyn Fn(usize) -> String; 2] = [&members, &elements];
        for document in documents {
            is_linear(|parts| {
                let body = document(parts);
                let read = JsonDocument::parse(body.as_bytes(), &Limits::default()).unwrap();
                let mut paths = read.paths(body.as_bytes());
                let texts = read.segments(body.as_bytes()).len();
                assert_eq!((0..texts).filter(|at| !paths.of(*at).is_empty()).count(), 2 * parts);
            });
            is_linear(|parts| {
                let delta = format!(r#"{{"unknown":{}}}"#, document(parts));
                let data = format!(r#"{{"choices":[{{"index":0,"delta":{delta}}}]}}"#);
                let chunk = ChatChunk::parse(data.as_bytes(), &Limits::default()).unwrap();
                let mut paths = chunk.lane_paths(data.as_bytes());
                assert_eq!((0..chunk.segment_count()).filter_map(|at| paths.of(at)).count(), parts);
            });
        }
    }

    #[test]
    fn the_tool_of_an_argument_is_known_without_a_walk() {
        is_linear(|parts| {
            let body = answer(parts, |n| format!(r#"{{"name":"t{n}","arguments":"{{}}"}}"#));
            let response = ChatResponse::parse(body.as_bytes(), &Limits::default()).unwrap();
            let texts = response.segments(body.as_bytes()).len();
            assert_eq!((0..texts).filter_map(|at| response.tool_of(body.as_bytes(), at)).count(), parts);
        });
    }
}
