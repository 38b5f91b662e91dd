//! restore(anonymise(x)) = x, and what the vault does over time.

use bastide_anonymize::{
    Placement, Vault, Withheld, anonymise, apply, redaction, restore_text, unescape_json,
};
use bastide_inspect::Syntax;
use bastide_types::{Category, Finding, Score, Severity, Span, Verdict, View};
use proptest::prelude::*;

use crate::support::{restore, restore_in_pieces, restore_json, tokens, vault};

fn finding(category: Category, start: usize, end: usize) -> Finding {
    Finding {
        category,
        span: Span::new(start, end),
        score: Score::MAX,
        severity: Severity::High,
        detector: "test",
        reason: "test".into(),
        view: View::Raw,
    }
}

/// A text of words and values, each value with its category.
fn text_with_values() -> impl Strategy<Value = (String, Vec<Finding>)> {
    let piece = prop_oneof![
        "[a-z]{1,8}[,.!?]?".prop_map(|w| (w, None)),
        "[äöü中文😀]{1,4}".prop_map(|w| (w, None)),
        "[a-z]{1,6}@[a-z]{1,6}\\.(com|org)".prop_map(|v| (v, Some(Category::EmailAddress))),
        "[0-9]{4} [0-9]{4} [0-9]{4} [0-9]{4}".prop_map(|v| (v, Some(Category::CreditCard))),
        "\\+[0-9]{2} [0-9]{3,9}".prop_map(|v| (v, Some(Category::PhoneNumber))),
        "sk-[A-Za-z0-9\"\\\\]{10,20}".prop_map(|v| (v, Some(Category::Secret))),
    ];
    let separator = prop_oneof![Just(" "), Just("\n"), Just("\n\n"), Just(", "), Just(" ("), Just(") ")];
    prop::collection::vec((piece, separator), 0..20).prop_map(|pieces| {
        let mut text = String::new();
        let mut findings = Vec::new();
        for ((piece, category), separator) in pieces {
            if let Some(category) = category {
                findings.push(finding(category, text.len(), text.len() + piece.len()));
            }
            text.push_str(&piece);
            text.push_str(separator);
        }
        (text, findings)
    })
}

fn tokenised(text: &str, syntax: Syntax, findings: &[Finding], vault: &mut Vault) -> String {
    apply(text, &anonymise(text, syntax, findings, |_| Verdict::Tokenise, vault))
}

proptest! {
    #[test]
    fn there_and_back((text, findings) in text_with_values(), cuts in prop::collection::vec(0_usize..400, 0..8)) {
        let mut own = vault(b"a");
        let sent = tokenised(&text, Syntax::Plain, &findings, &mut own);
        for f in &findings {
            prop_assert!(!sent.contains(&text[f.span.range()]));
        }
        prop_assert_eq!(restore(&sent, &own), text.as_str());
        let mut cuts = cuts;
        cuts.sort_unstable();
        cuts.retain(|c| *c <= sent.len());
        prop_assert_eq!(restore_in_pieces(&sent, &cuts, &own), text.as_str());

        let mut again = vault(b"a");
        prop_assert_eq!(&tokenised(&text, Syntax::Plain, &findings, &mut again), &sent, "the same at every call");
        let mut other = vault(b"b");
        let elsewhere = tokenised(&text, Syntax::Plain, &findings, &mut other);
        prop_assert_eq!(restore(&elsewhere, &own), elsewhere.as_str());
        prop_assert_eq!(elsewhere == sent, findings.is_empty());
    }

    /// In JSON text, what comes back says the same and is JSON again.
    #[test]
    fn there_and_back_in_json((text, findings) in text_with_values()) {
        let mut json = String::from("{\"a\":\"");
        let mut spans = Vec::new();
        let mut at = 0;
        for f in &findings {
            json.push_str(&bastide_anonymize::escape_json(&text[at..f.span.start]));
            let start = json.len();
            json.push_str(&bastide_anonymize::escape_json(&text[f.span.range()]));
            spans.push(finding(f.category, start, json.len()));
            at = f.span.end;
        }
        json.push_str(&bastide_anonymize::escape_json(&text[at..]));
        json.push_str("\"}");
        let mut own = vault(b"a");
        let sent = tokenised(&json, Syntax::Json, &spans, &mut own);
        prop_assert_eq!(restore_json(&sent, &own), json.as_str());
        let mut plain = vault(b"a");
        let sent_plain = tokenised(&text, Syntax::Plain, &findings, &mut plain);
        let inside = sent.strip_prefix("{\"a\":\"").and_then(|s| s.strip_suffix("\"}")).unwrap();
        let meant = unescape_json(inside).unwrap();
        prop_assert_eq!(meant.as_ref(), sent_plain.as_str(), "one value, one token");
    }

    /// Every split of a text gives the same answers, and no text makes it panic.
    #[test]
    fn placement_is_the_same_for_every_split(text in noise(), at in any::<prop::sample::Index>()) {
        for mut whole in [Placement::new(), Placement::json()] {
            let mut pieces = whole.clone();
            let cut = (0..=at.index(text.len() + 1)).rev().find(|i| text.is_char_boundary(*i)).unwrap();
            whole.advance(&text);
            pieces.advance(&text[..cut]);
            pieces.advance(&text[cut..]);
            prop_assert_eq!(&whole, &pieces);
        }
    }

    /// Whatever stands before: directly behind an address or inside an attribute nothing is put back.
    #[test]
    fn no_beginning_opens_an_address(before in noise()) {
        for address in ["\nhttps://evil.example/?d=", "\n//evil.example/", "\nwww.evil.example/", "\nevil.example/a?"] {
            let mut placement = Placement::new();
            placement.advance(&before);
            placement.advance(address);
            prop_assert!(!placement.restorable(), "{before:?} {address:?}");
        }
        let mut placement = Placement::new();
        placement.advance(&before);
        placement.advance("](");
        prop_assert!(!placement.restorable(), "{before:?}");
    }
}

fn noise() -> impl Strategy<Value = String> {
    let piece = prop_oneof![
        prop::sample::select(vec![
            "<",
            ">",
            "\"",
            "'",
            "=",
            "/",
            "</",
            "<!--",
            "-->",
            "](",
            ")",
            "(",
            "[",
            "]",
            "![",
            "]:",
            "\\",
            "&",
            "&#",
            "&lt;",
            "&#x3c;",
            ";",
            "%3",
            "%3a",
            "http",
            "://",
            ":",
            ".",
            "\n",
            "\n\n",
            "\r\n",
            " ",
            "www.",
            "url(",
            "javascript:",
            "<script>",
            "</script>",
            "<img ",
            "<svg>",
            "</svg>",
            "\u{200b}",
            "：",
            "＜",
            "。",
            "\\u00",
            "\\\"",
            "{\"",
            "\",\"",
        ])
        .prop_map(str::to_owned),
        "[ -~]{0,4}",
        ".{0,2}",
    ];
    prop::collection::vec(piece, 0..30).prop_map(|p| p.concat())
}

#[test]
fn verdicts_decide_and_overlaps_are_one() {
    let text = "card 4111111111111111, mail ada@example.com";
    let card = finding(Category::CreditCard, 5, 21);
    let mail = finding(Category::EmailAddress, 28, 43);
    let attack = finding(Category::PromptInjection, 0, 22);
    let mut own = vault(b"a");
    let only_flagged =
        anonymise(text, Syntax::Plain, std::slice::from_ref(&card), |_| Verdict::Flag, &mut own);
    assert!(only_flagged.is_empty());
    assert!(own.knows(Category::CreditCard, "4111-1111-1111-1111"), "remembered all the same");
    let verdict = |f: &Finding| match f.category {
        Category::PromptInjection => Verdict::Redact,
        _ => Verdict::Tokenise,
    };
    let edits = anonymise(text, Syntax::Plain, &[mail, card, attack], verdict, &mut own);
    let written = apply(text, &edits);
    assert!(
        written.starts_with(&format!("{} mail EMAIL_ADDRESS_", redaction(Category::PromptInjection))),
        "{written}"
    );
    assert_eq!(own.len(), 1, "what is redacted has no token");
}

#[test]
fn what_stays_says_why() {
    let mut own = vault(b"a");
    let card = own.tokenise(Category::CreditCard, "4111111111111111");
    let mail = own.tokenise(Category::EmailAddress, "ada@example.com");
    let foreign = vault(b"b").tokenise(Category::Secret, "hunter2");
    let text = format!("{card} {mail} {foreign} https://x/{card}");
    let restoration = restore_text(&text, Syntax::Plain, &tokens(&text), &own, &mut Placement::new(), |c| {
        c == Category::CreditCard
    });
    let why: Vec<Withheld> = restoration.withheld.iter().map(|(_, why)| *why).collect();
    assert_eq!(why, [Withheld::Forbidden, Withheld::Unknown, Withheld::Placement]);
    assert_eq!(restoration.replacements.len(), 1);
}
