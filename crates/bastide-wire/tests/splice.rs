//! Splicing against an oracle: random documents whose generator knows the exact bytes that each edit must give, and
//! an independent parser that must see the same tree outside the edits and the expected text inside.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test that cannot go on says so by panicking")]

mod common;

use bastide_types::{SegmentKind, Span};
use bastide_wire::{ChatRequest, Edit, JsonDocument, JsonTextRewriter, Limits, WireError};
use common::generate::{Change, Generator, Piece, changed, changes, decoded, inner_changes, render};
use common::tree::{self, Tree};
use common::{Random, cases};

/// The pieces that are segments, with what to change in each.
fn plan(random: &mut Random, pieces: &[Piece]) -> Vec<Option<Vec<Change>>> {
    pieces
        .iter()
        .map(|piece| {
            let text = decoded(piece)?;
            if !random.one_in(4) {
                return None;
            }
            let mut wanted = changes(random, &text);
            if let Piece::Json(_, inner) = piece {
                // An edit of JSON text must cover a token's text; that others are refused is tested elsewhere.
                wanted.retain(|change| !inner_changes(inner, std::slice::from_ref(change)).is_empty());
            }
            // An empty model name is refused.
            if matches!(piece, Piece::Text(_)) && text == "m" {
                return None;
            }
            // The text `x1...` of keys must stay unique: only what follows may change.
            if matches!(piece, Piece::Key(_)) {
                wanted.retain(|(span, _)| span.start > 4);
            }
            (!wanted.is_empty()).then_some(wanted)
        })
        .collect()
}

fn edits(random: &mut Random, plan: &[Option<Vec<Change>>], segments: &[usize]) -> Vec<Edit> {
    let mut out: Vec<Edit> = Vec::new();
    for (changes, &segment) in plan.iter().zip(segments) {
        for (span, replacement) in changes.iter().flatten() {
            out.push(Edit { segment, span: *span, replacement: replacement.clone() });
        }
    }
    // Any order, as long as equal places keep theirs.
    if random.one_in(2) {
        out.sort_by_key(|e| std::cmp::Reverse(e.segment));
    }
    out
}

fn expected(pieces: &[Piece], plan: &[Option<Vec<Change>>]) -> String {
    let mut out = String::new();
    for (piece, changes) in pieces.iter().zip(plan) {
        match changes {
            Some(changes) => out.push_str(&changed(piece, changes)),
            None => out.push_str(&render(std::slice::from_ref(piece))),
        }
    }
    out
}

/// The independent parser's view: the original's tree with the edited leaves replaced.
fn same_tree_outside(original: &str, spliced: &str, pieces: &[Piece], plan: &[Option<Vec<Change>>]) {
    let mut want = tree::read(original.as_bytes()).unwrap();
    let got = tree::read(spliced.as_bytes()).unwrap_or_else(|e| panic!("{e}\n{original}\n{spliced}"));
    let mut leaves = pieces.iter().zip(plan).filter(|(piece, _)| decoded(piece).is_some());
    want.rewrite(&mut |_| {
        let (piece, changes) = leaves.next().unwrap();
        let text = changed(piece, changes.as_ref()?);
        Some(serde_json::from_str(&text).unwrap())
    });
    assert_eq!(want, got, "{original}\n{spliced}");
}

#[test]
fn any_document_with_any_edits() {
    for seed in 0..cases(20_000) {
        let random = &mut Random(seed);
        let mut generator = Generator::new(random, 30);
        generator.value(6);
        let pieces = generator.pieces;
        let body = render(&pieces);
        let document = JsonDocument::parse(body.as_bytes(), &Limits::default()).unwrap();
        let segments = document.segments(body.as_bytes());
        let texts: Vec<String> = pieces.iter().filter_map(decoded).collect();
        assert_eq!(segments.iter().map(|s| &*s.text).collect::<Vec<_>>(), texts, "seed {seed}");
        let plan = plan(random, &pieces);
        let mut index = 0;
        let segment_of: Vec<usize> = pieces
            .iter()
            .map(|piece| {
                let this = index;
                index += usize::from(decoded(piece).is_some());
                this
            })
            .collect();
        let edits = edits(random, &plan, &segment_of);
        let spliced = document.splice(body.as_bytes(), &edits).unwrap();
        let spliced = String::from_utf8(spliced).unwrap();
        assert_eq!(spliced, expected(&pieces, &plan), "seed {seed}");
        same_tree_outside(&body, &spliced, &pieces, &plan);
        JsonDocument::parse(spliced.as_bytes(), &Limits::default()).unwrap();
    }
}

/// A chat request with known fields, unknown fields and tool arguments in random order and spelling.
fn request(generator: &mut Generator<'_>) {
    let member = |g: &mut Generator<'_>, name: &str, value: &str| {
        let key = g.named(name);
        g.fixed(&key);
        g.fixed(":");
        g.fixed(value);
    };
    generator.fixed("{");
    member(generator, "temperature", "0.70");
    generator.fixed(",");
    let key = generator.named("model");
    generator.fixed(&key);
    generator.fixed(":");
    generator
        .pieces
        .push(Piece::Text("m".chars().map(|c| common::generate::Written { c, raw: c.into() }).collect()));
    generator.fixed(",");
    let key = generator.named("messages");
    generator.fixed(&key);
    generator.fixed(":");
    generator.fixed("[");
    for i in 0..1 + generator.random.below(3) {
        if i > 0 {
            generator.fixed(",");
        }
        generator.fixed("{");
        let role = *generator.random.pick(&["\"user\"", "\"assistant\"", "\"system\"", "\"t\\u006fol\""]);
        member(generator, "role", role);
        generator.fixed(",");
        let key = generator.named("content");
        generator.fixed(&key);
        generator.fixed(":");
        generator.text();
        if generator.random.one_in(2) {
            generator.fixed(",");
            let key = generator.named("tool_calls");
            generator.fixed(&key);
            generator.fixed(":[{");
            member(generator, "type", "\"function\"");
            generator.fixed(",");
            let (function, arguments) = (generator.named("function"), generator.named("arguments"));
            generator.fixed(&function);
            generator.fixed(":{");
            generator.fixed(&arguments);
            generator.fixed(":");
            generator.json_text();
            generator.fixed("}}]");
        }
        if generator.random.one_in(3) {
            generator.fixed(",");
            generator.key();
            generator.fixed(":");
            generator.value(4);
        }
        generator.fixed("}");
    }
    generator.fixed("]");
    if generator.random.one_in(2) {
        generator.fixed(",");
        generator.key();
        generator.fixed(":");
        generator.value(4);
    }
    generator.fixed("}");
}

#[test]
fn any_chat_request_with_any_edits() {
    for seed in 0..cases(20_000) {
        let random = &mut Random(seed ^ 0x5EED);
        let mut generator = Generator::new(random, 20);
        request(&mut generator);
        let pieces = generator.pieces;
        let body = render(&pieces);
        let request = ChatRequest::parse(body.as_bytes(), &Limits::default())
            .unwrap_or_else(|e| panic!("seed {seed}: {e}\n{body}"));
        let segments = request.segments(body.as_bytes());
        let texts: Vec<String> = pieces.iter().filter_map(decoded).collect();
        assert_eq!(segments.iter().map(|s| &*s.text).collect::<Vec<_>>(), texts, "seed {seed}: {body}");
        let plan = plan(random, &pieces);
        let mut index = 0;
        let segment_of: Vec<usize> = pieces
            .iter()
            .map(|piece| {
                let this = index;
                index += usize::from(decoded(piece).is_some());
                this
            })
            .collect();
        let edits = edits(random, &plan, &segment_of);
        let spliced = request
            .splice(body.as_bytes(), &edits)
            .unwrap_or_else(|e| panic!("seed {seed}: {e}\n{body}\n{edits:?}"));
        let spliced = String::from_utf8(spliced).unwrap();
        assert_eq!(spliced, expected(&pieces, &plan), "seed {seed}");
        for (segment, text) in segments.iter().zip(&texts) {
            if segment.kind == SegmentKind::JsonText {
                assert!(tree::read(text.as_bytes()).is_ok());
            }
        }
        // Arguments are still JSON after any edit.
        let again = ChatRequest::parse(spliced.as_bytes(), &Limits::default()).unwrap();
        for segment in again.segments(spliced.as_bytes()) {
            if segment.kind == SegmentKind::JsonText {
                tree::read(segment.text.as_bytes())
                    .unwrap_or_else(|e| panic!("seed {seed}: {e}: {}", segment.text));
            }
        }
    }
}

#[test]
fn streamed_json_text_is_edited_like_the_whole() {
    for seed in 0..cases(20_000) {
        let random = &mut Random(seed ^ 0xA11CE);
        let mut generator = Generator::new(random, 14);
        generator.value(4);
        let pieces = generator.pieces;
        let text = render(&pieces);
        let mut wanted = changes(random, &text);
        // An empty span is an insertion: where a number begins, only the whole text knows.
        wanted.retain(|(span, _)| !span.is_empty());
        let inner = inner_changes(&pieces, &wanted);
        let want = common::generate::changed_plain(&text, &inner);
        let mut rewriter = JsonTextRewriter::default();
        let mut out = String::new();
        let mut at = 0;
        for (span, replacement) in &wanted {
            pass_in_pieces(random, &mut rewriter, &text[at..span.start], &mut out);
            rewriter.replace(&text[span.range()], replacement, &mut out);
            at = span.end;
        }
        pass_in_pieces(random, &mut rewriter, &text[at..], &mut out);
        rewriter.finish(&mut out);
        assert_eq!(out, want, "seed {seed}: {text} {wanted:?}");
    }
}

fn pass_in_pieces(random: &mut Random, rewriter: &mut JsonTextRewriter, text: &str, out: &mut String) {
    let mut rest = text;
    while !rest.is_empty() {
        let cut = rest.ceil_char_boundary(1 + random.below(rest.len()));
        rewriter.pass(&rest[..cut], out);
        rest = &rest[cut..];
    }
}

#[test]
fn spans_inside_a_character_take_all_of_it() {
    let body = r#"{"a":"x\ud83d\ude00y","b":"é"}"#.as_bytes();
    let document = JsonDocument::parse(body, &Limits::default()).unwrap();
    let edit =
        |segment, start, end| Edit { segment, span: Span::new(start, end), replacement: "_".to_owned() };
    let spliced = |edits: &[Edit]| document.splice(body, edits).map(|b| String::from_utf8(b).unwrap());
    assert_eq!(spliced(&[edit(1, 2, 3)]).unwrap(), r#"{"a":"x_y","b":"é"}"#);
    assert_eq!(spliced(&[edit(3, 1, 2)]).unwrap(), r#"{"a":"x\ud83d\ude00y","b":"_"}"#);
    assert_eq!(spliced(&[edit(1, 3, 3)]).unwrap(), r#"{"a":"x_\ud83d\ude00y","b":"é"}"#);
    assert_eq!(spliced(&[edit(1, 1, 2), edit(1, 2, 3)]).unwrap(), r#"{"a":"x__y","b":"é"}"#);
}

#[test]
fn edits_that_do_not_fit_are_refused() {
    let body = br#"{"a":"text","n":12}"#;
    let document = JsonDocument::parse(body, &Limits::default()).unwrap();
    let edit =
        |segment, start, end| Edit { segment, span: Span::new(start, end), replacement: "_".to_owned() };
    for edits in [
        vec![edit(1, 0, 2), edit(1, 1, 3)],
        vec![edit(1, 0, 5)],
        vec![edit(3, 0, 3)],
        vec![edit(9, 0, 1)],
        vec![edit(1, 0, 2), edit(1, 0, 2)],
    ] {
        assert_eq!(document.splice(body, &edits).map_err(|e| e.code), Err(WireError::EDIT), "{edits:?}");
    }
    assert!(document.splice(b"{}", &[]).is_err(), "another document");
    let joined =
        document.splice(body, &[edit(1, 4, 4), edit(1, 0, 0), edit(3, 1, 2), edit(0, 0, 1)]).unwrap();
    assert_eq!(String::from_utf8(joined).unwrap(), r#"{"_":"_text_","n":"1_"}"#);
}

#[test]
fn an_edited_key_must_not_become_the_protocols() {
    let body = br#"{"model":"m","messages":[],"note":"x"}"#;
    let request = ChatRequest::parse(body, &Limits::default()).unwrap();
    let key = request.segments(body).iter().position(|s| s.kind == SegmentKind::Key).unwrap();
    let rename = |to: &str| {
        request.splice(body, &[Edit { segment: key, span: Span::new(0, 4), replacement: to.into() }])
    };
    assert!(rename("remark").is_ok());
    assert_eq!(rename("model").map_err(|e| e.code), Err(WireError::DUPLICATE_KEY));
    assert_eq!(rename("Tools").map_err(|e| e.code), Err(WireError::KEY_CASE));
}

#[test]
fn a_tree_is_what_it_was_read_from() {
    let read = tree::read(br#"{"a":[1,"x",null],"a":true}"#).unwrap();
    let Tree::Object(members) = &read else { panic!("{read:?}") };
    assert_eq!(members.len(), 2, "repeated keys are kept");
}
