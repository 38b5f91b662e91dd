//! What the mock does, chosen by the name of the model (or by the header `x-mock-scenario`): a client of any kind,
//! through any number of gateways, can ask for any reply and any accident.

use std::time::Duration;

use bytes::Bytes;
use serde_json::{Value, json};

use super::ask::Ask;
use super::chat::{ChatReply, Choice, Pieces, ToolCall};
use super::gzip::gzip;
use super::reply::{Reply, Step};
use super::sse::SseStyle;

/// What the mock says when nothing else was asked for: harmless prose, so that a guard reads all of it and finds
/// nothing.
pub(crate) const PROSE: &str = "A bastide is a town laid out on a plan in the south of France in the thirteenth \
    century: one wall, few gates, straight streets that meet at right angles, and in the middle an arcaded square \
    for the market. Settlers were drawn by charters that named their rights and their dues, and by plots of equal \
    size. Several hundred were founded in less than two hundred years, most of them by Alphonse of Poitiers, by \
    his officers, and by the kings of England across the border. Many still keep the plan they were given.";

/// A named behaviour. [`Scenario::NAMES`] lists them; every other name answers plainly.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Scenario {
    /// Prose: about 1 kB of JSON, or a stream of the configured length.
    Plain,
    /// The last user text, streamed in pieces of so many characters (whole when there is no number).
    Echo(Option<usize>),
    /// One of [`Scenario::NAMES`], with the number that followed it.
    Named(&'static str, Option<u64>),
}

impl Scenario {
    /// Names, after the prefix `mock-`; `#` stands for a number that may follow after a dash.
    pub const NAMES: &'static [(&'static str, &'static str)] = &[
        ("echo", "repeats the last user text, streamed in pieces of # characters"),
        ("tools", "calls the first offered tool, its arguments streamed in pieces of # characters (3)"),
        ("parallel", "calls every offered tool at once"),
        ("refusal", "refuses"),
        ("reasoning", "thinks aloud in `reasoning_content` first"),
        ("annotations", "cites a page"),
        ("unknown", "adds fields that no SDK knows"),
        ("status", "answers with status # (500)"),
        ("retry", "answers 429 with `retry-after: #` (7)"),
        ("cut", "breaks the connection after # events of a stream (3), or in the middle of JSON"),
        ("end", "ends a stream in good order after # events (3), without `[DONE]`"),
        ("close", "closes the connection without an answer"),
        ("hang", "never answers"),
        ("stall", "sends # events of a stream (3), or half of the JSON, then nothing"),
        ("slow", "waits # milliseconds before the first byte (500)"),
        ("drip", "waits # milliseconds between the events of a stream (20)"),
        ("garbage", "sends a body that is not JSON, or events that are not"),
        ("nothttp", "sends bytes that are not HTTP"),
        ("type", "answers prose as `text/html`"),
        ("huge", "answers # MiB of text (16)"),
        ("error", "sends an error event in mid-stream"),
        ("crlf", "streams with CRLF line ends"),
        ("cr", "streams with CR line ends"),
        ("comments", "streams with comments, no blank after `data:`, a byte order mark and two-line data"),
        ("split", "streams accented text, cut into packets of # bytes (1)"),
        ("encoded", "answers in gzip, whether or not that was acceptable"),
    ];

    /// The scenario that a model's name asks for.
    #[must_use]
    pub fn of(name: &str) -> Scenario {
        let Some(rest) = name.strip_prefix("mock-") else { return Scenario::Plain };
        let (word, number) = match rest.split_once('-') {
            Some((word, number)) => (word, number.parse().ok()),
            None => (rest, None),
        };
        if word == "echo" {
            return Scenario::Echo(number.and_then(|n: u64| usize::try_from(n).ok()));
        }
        match Scenario::NAMES.iter().find(|(known, _)| *known == word) {
            Some((known, _)) => Scenario::Named(known, number),
            None => Scenario::Plain,
        }
    }

    /// The reply to `ask`, for a stream of about `events` events where the scenario does not say more.
    pub(crate) fn reply(&self, ask: &Ask, body: &[u8], events: usize) -> Reply {
        let pieces = prose_pieces(events);
        let say = |reply: ChatReply, pieces: &Pieces| said(ask, reply, pieces);
        let prose = || repeated(ask, Choice { logprobs: ask.logprobs, ..Choice::text(PROSE) });
        match self {
            Scenario::Plain => say(prose(), &pieces),
            Scenario::Echo(size) => {
                let text = last_user_text(body).unwrap_or_default();
                let choice = Choice { logprobs: ask.logprobs, ..Choice::text(&text) };
                say(repeated(ask, choice), &size.map_or(Pieces::Whole, Pieces::Chars))
            }
            Scenario::Named(name, number) => {
                let count =
                    |default: usize| number.map_or(default, |n| usize::try_from(n).unwrap_or(default));
                let millis = |default: u64| Duration::from_millis(number.unwrap_or(default));
                match *name {
                    "tools" | "parallel" => {
                        let mut calls = offered_tools(body);
                        if *name == "tools" {
                            calls.truncate(1);
                        }
                        say(repeated(ask, Choice::tools(calls)), &Pieces::Chars(count(3)))
                    }
                    "refusal" => {
                        let choice =
                            Choice { refusal: Some("I cannot help with that.".into()), ..Choice::default() };
                        say(repeated(ask, choice), &Pieces::Chars(5))
                    }
                    "reasoning" => {
                        let choice = Choice {
                            reasoning: Some("First the wall, then the gates.".into()),
                            ..Choice::text("One wall, few gates.")
                        };
                        say(repeated(ask, choice), &Pieces::Chars(5))
                    }
                    "annotations" => {
                        let cited = json!({"type": "url_citation", "url_citation": {
                            "url": "https://example.com/bastides", "title": "Bastides", "start_index": 0, "end_index": 3}});
                        let choice = Choice { annotations: vec![cited], ..Choice::text(PROSE) };
                        say(repeated(ask, choice), &pieces)
                    }
                    "unknown" => {
                        let mut choice = Choice::text("Known.");
                        choice.extra.insert(
                            "x_unknown".into(),
                            json!({"deep": [1.50, "kept", null, {"n": 12345678901234567890_u64}]}),
                        );
                        say(repeated(ask, choice), &Pieces::Whole)
                    }
                    "status" => status(u16::try_from(number.unwrap_or(500)).unwrap_or(500)),
                    "retry" => status(429).header("retry-after", &number.unwrap_or(7).to_string()),
                    "cut" if ask.stream => say(prose(), &pieces).cut(count(3), Step::Reset),
                    "cut" => say(prose(), &pieces).cut(300, Step::Close),
                    "end" => say(prose(), &pieces)
                        .cut(count(3), Step::Write(Bytes::from_static(crate::http1::LAST_CHUNK))),
                    "close" => Reply::raw(vec![Step::Close]),
                    "hang" => Reply::raw(vec![Step::Hang]),
                    "stall" if ask.stream => say(prose(), &pieces).cut(count(3), Step::Hang),
                    "stall" => say(prose(), &pieces).cut(300, Step::Hang),
                    "slow" => say(prose(), &pieces).after(millis(500)),
                    "drip" => say(prose(), &pieces).paced(millis(20)),
                    "garbage" if ask.stream => {
                        let events = ["{\"choices\":[{".to_owned(), "\u{0}\u{1}}}]".to_owned()];
                        Reply::sse(&events, &SseStyle::default())
                    }
                    "garbage" => Reply::json(200, "{\"id\": \"chatcmpl-mock\", \"choices\": [{\"mess\u{1}"),
                    "nothttp" => Reply::raw(vec![
                        Step::Write(Bytes::from_static(b"\x16\x03\x01SSH-2.0-nobody\r\n\r\n")),
                        Step::Close,
                    ]),
                    "type" => Reply::new(
                        200,
                        "text/html; charset=utf-8",
                        "<!doctype html><p>Welcome to the proxy.</p>",
                    ),
                    "huge" => {
                        let text =
                            "a bastide has one wall and few gates. ".repeat(count(16).saturating_mul(27_594));
                        say(repeated(ask, Choice::text(&text)), &Pieces::Chars(16_384))
                    }
                    "error" => {
                        let mut events = prose().to_events(&pieces, false);
                        events.truncate(3);
                        events.push(json!({"error": {"message": "the model ran out of breath", "type": "server_error",
                                                     "param": null, "code": "overloaded"}}).to_string());
                        Reply::sse(&events, &SseStyle::default())
                    }
                    "crlf" => styled(ask, &SseStyle { line_end: "\r\n", ..SseStyle::default() }),
                    "cr" => styled(ask, &SseStyle { line_end: "\r", ..SseStyle::default() }),
                    "comments" => styled(
                        ask,
                        &SseStyle {
                            space: false,
                            comments: true,
                            multi_line: true,
                            mark: true,
                            ..SseStyle::default()
                        },
                    ),
                    "split" if ask.stream => {
                        let events =
                            ChatReply::text(ACCENTED).to_events(&Pieces::Chars(4), ask.include_usage());
                        let bytes = SseStyle::default().frame(&events).concat();
                        Reply::stream(bytes.chunks(count(1).max(1)).map(<[u8]>::to_vec))
                    }
                    "split" => say(repeated(ask, Choice::text(ACCENTED)), &Pieces::Whole),
                    "encoded" => encoded(ask, &prose(), &pieces),
                    _ => say(prose(), &pieces),
                }
            }
        }
    }
}

const ACCENTED: &str = "Une bastide près de Villefranche-de-Rouergue: à l'été, 夏の城壁 🏰 and naïve café.";

/// `PROSE` in pieces of a few words, so that about `events` events carry it, and over again where it is too short.
fn prose_pieces(events: usize) -> Pieces {
    Pieces::Chars((PROSE.len() / events.max(1)).max(1))
}

fn repeated(ask: &Ask, choice: Choice) -> ChatReply {
    let mut reply = ChatReply::of(vec![choice; ask.choices()]);
    reply.model = ask.model.clone();
    reply
}

fn said(ask: &Ask, reply: ChatReply, pieces: &Pieces) -> Reply {
    if ask.stream { reply.stream(pieces, ask.include_usage()) } else { reply.whole() }
}

fn styled(ask: &Ask, style: &SseStyle) -> Reply {
    let reply = repeated(ask, Choice::text(ACCENTED));
    if ask.stream {
        Reply::sse(&reply.to_events(&Pieces::Chars(4), ask.include_usage()), style)
    } else {
        reply.whole()
    }
}

fn encoded(ask: &Ask, reply: &ChatReply, pieces: &Pieces) -> Reply {
    let reply = if ask.stream {
        let events = SseStyle::default().frame(&reply.to_events(pieces, ask.include_usage()));
        Reply::stream([gzip(&events.concat())])
    } else {
        Reply::new(200, "application/json", gzip(reply.to_json().as_bytes()))
    };
    reply.header("content-encoding", "gzip")
}

fn status(status: u16) -> Reply {
    let (kind, code) = match status {
        400 | 422 => ("invalid_request_error", None),
        401 => ("authentication_error", Some("invalid_api_key")),
        403 => ("permission_error", None),
        404 => ("invalid_request_error", Some("model_not_found")),
        429 => ("rate_limit_error", Some("rate_limit_exceeded")),
        _ => ("server_error", None),
    };
    Reply::error(status, &format!("the mock was asked for status {status}"), kind, code)
        .header("x-request-id", "req_mock")
}

/// The text of the last message of role `user` in a request body; parts are joined.
#[must_use]
pub fn last_user_text(body: &[u8]) -> Option<String> {
    let body: Value = serde_json::from_slice(body).ok()?;
    let message = body.get("messages")?.as_array()?.iter().rev().find(|message| message["role"] == "user")?;
    match &message["content"] {
        Value::String(text) => Some(text.clone()),
        Value::Array(parts) => Some(parts.iter().filter_map(|part| part["text"].as_str()).collect()),
        _ => None,
    }
}

/// A call of each offered tool. A string argument `echo` of the last user text lets a test send any text through
/// arguments.
fn offered_tools(body: &[u8]) -> Vec<ToolCall> {
    let text = last_user_text(body).unwrap_or_default();
    let body: Value = serde_json::from_slice(body).unwrap_or_default();
    let arguments = json!({"city": "Villefranche", "days": 3, "echo": text}).to_string();
    let names: Vec<&str> = body["tools"]
        .as_array()
        .into_iter()
        .flatten()
        .filter_map(|tool| tool["function"]["name"].as_str())
        .collect();
    if names.is_empty() {
        return vec![ToolCall::new("weather", &arguments)];
    }
    names.iter().map(|name| ToolCall::new(name, &arguments)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_with_and_without_numbers() {
        assert_eq!(Scenario::of("gpt-5"), Scenario::Plain);
        assert_eq!(Scenario::of("mock"), Scenario::Plain);
        assert_eq!(Scenario::of("mock-echo-3"), Scenario::Echo(Some(3)));
        assert_eq!(Scenario::of("mock-status-503"), Scenario::Named("status", Some(503)));
        assert_eq!(Scenario::of("mock-hang"), Scenario::Named("hang", None));
        assert_eq!(Scenario::of("mock-no-such"), Scenario::Plain);
    }

    #[test]
    fn the_last_user_text_is_found_in_strings_and_parts() {
        let body = br#"{"messages":[{"role":"user","content":"a"},{"role":"assistant","content":"b"}]}"#;
        assert_eq!(last_user_text(body).as_deref(), Some("a"));
        let body = br#"{"messages":[{"role":"user","content":[{"type":"text","text":"x"},{"type":"text","text":"y"}]}]}"#;
        assert_eq!(last_user_text(body).as_deref(), Some("xy"));
        assert_eq!(last_user_text(b"{"), None);
    }

    #[test]
    fn every_scenario_has_a_reply_in_both_modes() {
        for (name, _) in Scenario::NAMES {
            for stream in [false, true] {
                let ask = Ask { model: format!("mock-{name}"), stream, ..Ask::default() };
                let reply = Scenario::of(&ask.model).reply(&ask, b"{}", 10);
                assert!(!reply.steps().is_empty(), "{name}");
            }
        }
    }
}
