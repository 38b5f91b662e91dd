//! Edits in JSON text that stands inside a string: the arguments of a tool call.
//!
//! A replacement must leave the text JSON, or the caller's parser fails on what the guard made of it: pieces of
//! strings and keys are replaced inside their quotes, a number becomes a string, and structure is never touched.

use bastide_types::Span;

use crate::scan::scan;
use crate::splice::{Patch, replace_in};
use crate::tape::{Kind, Node, Tape, wide};
use crate::text::{WholeEscapes, escape_into, quoted};
use crate::{Limits, cost};

/// A piece of one token of JSON text. When none of the three flags is set the text is no JSON and the span is to be
/// replaced as it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct JsonSite {
    /// The piece, in bytes of the JSON text; inside the quotes of a string or key and never cutting an escape.
    pub span: Span,
    /// The whole token, quotes included.
    pub token: Span,
    /// In a string value: write the replacement escaped.
    pub in_string: bool,
    /// In a key: write the replacement escaped.
    pub is_key: bool,
    /// In a bare number: write the whole token anew, as a string.
    pub is_number: bool,
}

/// Clips a span of JSON text to the tokens that it covers: strings, keys and numbers. Literals (`true`, `null`),
/// white space and structure hold no text and are left out.
#[must_use]
pub fn json_text_sites(text: &str, span: Span) -> Vec<JsonSite> {
    match tokens(text) {
        Some(tape) => sites(text, &tape, span, &mut Clips::default()).collect(),
        None => vec![JsonSite { span, token: span, in_string: false, is_key: false, is_number: false }],
    }
}

/// The tokens of the text, if it is JSON. The scanner needs no stack, so depth costs nothing here; a million values
/// are 16 MB while the edit is made, and text with more is edited as plain text.
fn tokens(text: &str) -> Option<Tape> {
    let limits = Limits { max_depth: u16::MAX, max_values: 1_000_000, max_segments: 0 };
    let mut tape = Tape::default();
    scan(text, &limits, &mut tape).ok().map(|()| tape)
}

fn sites<'s, 't>(
    text: &'t str,
    tape: &'t Tape,
    span: Span,
    clips: &'s mut Clips<'t>,
) -> impl Iterator<Item = JsonSite> + use<'s, 't> {
    // Tokens are in order of their first byte. Only the last one that starts before the span can reach into it:
    // strings and numbers do not nest.
    let first = tape.nodes.partition_point(|n| wide(n.start) < span.start).saturating_sub(1);
    tape.nodes
        .get(first..)
        .unwrap_or_default()
        .iter()
        .take_while(move |n| wide(n.start) < span.end.max(span.start + 1))
        .filter_map(move |&node| clips.clip(text, node, span))
}

/// Clips spans to tokens. Those of one token that come in order cost one walk over it.
#[derive(Default)]
struct Clips<'t> {
    /// Where the last token with a text begins, and how far the walk over its escapes has come.
    last: Option<(usize, WholeEscapes<'t>)>,
}

impl<'t> Clips<'t> {
    fn clip(&mut self, text: &'t str, node: Node, span: Span) -> Option<JsonSite> {
        cost::count(1);
        let token = Span::new(node.range().start, node.range().end);
        let inside = match node.kind {
            Kind::String | Kind::Key => Span::new(node.inner().start, node.inner().end),
            Kind::Number => token,
            Kind::Object | Kind::Array | Kind::True | Kind::False | Kind::Null => return None,
        };
        let start = span.start.max(inside.start);
        let end = span.end.min(inside.end);
        if start > end || (start == end && !span.is_empty()) {
            return None;
        }
        let mut clipped = Span::new(start, end);
        if node.kind != Kind::Number {
            let local = Span::new(start - inside.start, end - inside.start);
            let mut escapes = match self.last.take().filter(|(start, _)| *start == inside.start) {
                Some((_, escapes)) => escapes,
                None => WholeEscapes::new(text.get(inside.range())?),
            };
            clipped = escapes.round(local).shifted(inside.start);
            self.last = Some((inside.start, escapes));
        }
        Some(JsonSite {
            span: clipped,
            token,
            in_string: node.kind == Kind::String,
            is_key: node.kind == Kind::Key,
            is_number: node.kind == Kind::Number,
        })
    }
}

/// The edits as patches of the JSON text: sorted, without overlap. Edits must be sorted and not overlap.
pub(crate) fn patches(text: &str, edits: &[(Span, &str)]) -> Result<Vec<Patch>, &'static str> {
    if edits.last().is_some_and(|(span, _)| span.end > text.len()) {
        return Err("an edit lies beyond the end of its segment");
    }
    let Some(tape) = tokens(text) else {
        let plain = |&(range, bytes): &(Span, &str)| Patch { range, bytes: bytes.to_owned() };
        return Ok(edits.iter().map(plain).collect());
    };
    let mut out: Vec<Patch> = Vec::with_capacity(edits.len());
    let mut number: Option<NumberEdits<'_>> = None;
    let mut clips = Clips::default();
    for &(span, replacement) in edits {
        // An edit over several tokens writes its replacement into the first and empties the others.
        let mut rest = Some(replacement);
        for site in sites(text, &tape, span, &mut clips) {
            let write = rest.take().unwrap_or_default();
            if site.is_number {
                match &mut number {
                    Some(open) if open.token == site.token => open.edits.push((site.span, write)),
                    _ => {
                        out.extend(number.take().and_then(|n| n.patch(text)));
                        number = Some(NumberEdits { token: site.token, edits: vec![(site.span, write)] });
                    }
                }
            } else {
                out.extend(number.take().and_then(|n| n.patch(text)));
                let mut bytes = String::with_capacity(write.len());
                escape_into(write, &mut bytes);
                out.push(Patch { range: site.span, bytes });
            }
        }
        if rest.is_some() {
            return Err("an edit of JSON text covers no string, key or number");
        }
    }
    out.extend(number.take().and_then(|n| n.patch(text)));
    // Rounding to whole escapes can make two edits of one escape meet: it goes with the first.
    let mut taken = 0;
    for patch in &mut out {
        patch.range = after(patch.range, taken);
        taken = patch.range.end;
    }
    Ok(out)
}

/// What a rounded span still has to take when everything before `taken` is gone.
pub(crate) fn after(span: Span, taken: usize) -> Span {
    let start = span.start.max(taken);
    Span::new(start, span.end.max(start))
}

/// The edits of one number: what they leave of it stays, the whole becomes a string.
struct NumberEdits<'e> {
    token: Span,
    edits: Vec<(Span, &'e str)>,
}

impl NumberEdits<'_> {
    fn patch(self, text: &str) -> Option<Patch> {
        let spelling = text.get(self.token.range())?;
        let local = self.edits.iter().map(|&(span, write)| {
            (Span::new(span.start - self.token.start, span.end - self.token.start), write)
        });
        Some(Patch { range: self.token, bytes: quoted(&replace_in(spelling, local)?) })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn edited(text: &str, edits: &[(usize, usize, &str)]) -> Result<String, &'static str> {
        let edits: Vec<(Span, &str)> = edits.iter().map(|&(s, e, w)| (Span::new(s, e), w)).collect();
        let patches = patches(text, &edits)?;
        Ok(crate::splice::apply(text, patches).unwrap())
    }

    #[test]
    fn stays_json_whatever_is_replaced() {
        let text = r#"{"card": 4111111111111111, "n":"a\"b@c","t":true}"#;
        let all = text.len();
        assert_eq!(edited(text, &[(9, 25, "[C]")]).unwrap(), r#"{"card": "[C]", "n":"a\"b@c","t":true}"#);
        let two = edited(text, &[(10, 12, "x"), (13, 14, "y")]).unwrap();
        assert_eq!(two, r#"{"card": "4x1y11111111111", "n":"a\"b@c","t":true}"#);
        assert_eq!(edited(text, &[(0, all, "\"")]).unwrap(), r#"{"\"": "", "":"","":true}"#);
        // The span begins inside the escape: all of it goes.
        assert_eq!(
            edited(text, &[(34, 35, "_")]).unwrap(),
            r#"{"card": 4111111111111111, "n":"a_b@c","t":true}"#
        );
        assert_eq!(
            edited(text, &[(44, 46, "x")]),
            Err("an edit of JSON text covers no string, key or number")
        );
        assert_eq!(edited(text, &[(0, all + 1, "x")]), Err("an edit lies beyond the end of its segment"));
    }

    #[test]
    fn sites_are_clipped_to_tokens() {
        let text = r#"{"a":"bc","d":12}"#;
        let got: Vec<_> = json_text_sites(text, Span::new(3, 17))
            .into_iter()
            .map(|s| (&text[s.span.range()], s.in_string, s.is_key, s.is_number))
            .collect();
        assert_eq!(got, [("bc", true, false, false), ("d", false, true, false), ("12", false, false, true)]);
        assert_eq!(json_text_sites(text, Span::new(4, 5)), []);
        assert_eq!(json_text_sites("not json", Span::new(0, 3))[0].span, Span::new(0, 3));
    }

    #[test]
    fn text_that_is_no_json_is_plain() {
        assert_eq!(edited("call 4111", &[(5, 9, "\"x\"")]).unwrap(), "call \"x\"");
        assert_eq!(edited("{\"a\": 41", &[(6, 8, "x")]).unwrap(), "{\"a\": x");
    }
}
