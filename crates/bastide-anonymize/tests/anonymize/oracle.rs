//! Placement against programs that show text: a markdown renderer and the HTML standard's tokeniser, neither of which
//! knows of tokens.
//!
//! A text is made of pieces of markdown and HTML around tokens, values are put back, and the result is rendered. No
//! value may then stand in an attribute, a comment, a declaration or an element whose text is data, nor in what a
//! linkifier takes for an address.

use std::cell::RefCell;

use html5gum::{DefaultEmitter, Token, Tokenizer};
use proptest::prelude::*;
use pulldown_cmark::{Options, Parser, html};

use crate::support::{VALUE, filled, restore};

const PIECES: &[&str] = &[
    "TOKEN",
    "TOKEN",
    "TOKEN",
    "TOKEN",
    "a",
    "b ",
    " ",
    " ",
    "\n",
    "\n",
    "\n\n",
    "\r\n",
    "\r",
    "\t",
    "    ",
    "[",
    "]",
    "(",
    ")",
    "![",
    "![x](",
    "[x](",
    "](",
    "](<",
    "](/u \"",
    "](/u '",
    "][",
    "[x]: ",
    "[x]:\n",
    "[^1]: ",
    "[^",
    "[[",
    "]]",
    "![[",
    "<",
    ">",
    "</",
    "/>",
    "\"",
    "'",
    "`",
    "``",
    "```",
    "~~~",
    "\\",
    "*",
    "_",
    "**",
    "~~",
    "- ",
    "1. ",
    "> ",
    "# ",
    "| ",
    "|",
    "\n|-|-|\n",
    ": ",
    ":",
    "=",
    "!",
    "?q=",
    "&",
    ";",
    "//",
    "https://e.ex/",
    "HTTP://",
    "www.",
    "e.ex/",
    "mailto:a@e.ex",
    "javascript:",
    "data:",
    "&lt;",
    "&gt;",
    "&quot;",
    "&#58;",
    "&#x2f;",
    "&colon;",
    "&#x3c;",
    "&amp;",
    "<a href=",
    "<a href=\"",
    "<a\nhref='",
    "<img src='",
    "<img alt=",
    "<img ",
    "<b ",
    "<b>",
    "<x:y z=",
    "<x-y ",
    "<!--",
    "-->",
    "--!>",
    "<!-->",
    "<!",
    "<?",
    "?>",
    "<![CDATA[",
    "]]>",
    "<!doctype ",
    "<script>",
    "</script>",
    "<style>",
    "</style ",
    "<textarea>",
    "</textarea>",
    "<title>",
    "</title\n",
    "<iframe>",
    "<xmp>",
    "<plaintext>",
    "<svg>",
    "</svg>",
    "<p>",
    "</p ",
    "<div\n",
    "<pre>",
    "</pre>",
    "url(",
    "{",
    "}",
    "$",
    "$$",
    "\u{a0}",
    "\u{200b}",
    "\u{0}",
    "+",
    "---\n",
    "\n---\n",
    "\n===\n",
];

/// Elements whose text a browser draws nowhere, or sends.
const DATA: &[&[u8]] = &[
    b"script",
    b"style",
    b"textarea",
    b"title",
    b"xmp",
    b"iframe",
    b"noembed",
    b"noframes",
    b"noscript",
    b"plaintext",
    b"template",
    b"select",
    b"svg",
    b"math",
    b"object",
];

/// The first word of [`VALUE`], which nothing else here says.
const HEAD: &str = "4111";

fn holds(bytes: &[u8]) -> bool {
    bytes.windows(HEAD.len()).any(|w| w == HEAD.as_bytes())
}

/// Elements of [`PIECES`] and of what they make together that a browser does something for. `a <total b` and an empty
/// line is prose: to a browser that is given the text as it is, a value further on is an attribute of nothing.
fn does_something(element: &[u8]) -> bool {
    let known: &[&[u8]] = &[b"a", b"b", b"img", b"p", b"div", b"pre"];
    known.contains(&element) || DATA.contains(&element) || element.iter().any(|b| b"-:".contains(b))
}

/// Where a page gives the value away.
fn given_away(page: &str) -> Option<String> {
    let mut emitter = DefaultEmitter::default();
    emitter.naively_switch_states(true);
    let mut within: Vec<Vec<u8>> = Vec::new();
    for token in Tokenizer::new_with_emitter(page, emitter) {
        let Ok(token) = token;
        match token {
            Token::StartTag(tag) => {
                let held = tag.attributes.iter().find(|(n, v)| holds(n) || holds(&v.value));
                if let Some((name, _)) = held.filter(|_| does_something(&tag.name)) {
                    return Some(format!("attribute {name:?} of {:?}", tag.name));
                }
                if DATA.contains(&&**tag.name) && !tag.self_closing {
                    within.push(tag.name.to_vec());
                }
            }
            Token::EndTag(tag) => {
                if let Some(at) = within.iter().rposition(|open| **open == **tag.name) {
                    within.truncate(at);
                }
            }
            Token::Comment(text) if holds(&text.value) => return Some("a comment".to_owned()),
            Token::Doctype(doctype) if holds(&doctype.name) => return Some("a declaration".to_owned()),
            Token::String(text) if holds(&text.value) => {
                if let Some(element) = within.last() {
                    return Some(format!("element {}", String::from_utf8_lossy(element)));
                }
                let text = String::from_utf8_lossy(&text.value).into_owned();
                if let Some(address) = in_address(&text) {
                    return Some(format!("address {address:?}"));
                }
            }
            _ => {}
        }
    }
    None
}

/// A linkifier: what of a text from a scheme or `www.` to the next white space holds the beginning of the value.
fn in_address(text: &str) -> Option<String> {
    let lower = text.to_ascii_lowercase();
    for start in ["http://", "https://", "ftp://", "www.", "mailto:", "javascript:"] {
        for (at, _) in lower.match_indices(start) {
            // `mymailto:` is no scheme; of `xhttp://` some linkifiers take the end.
            if !start.ends_with('/') && text[..at].ends_with(|c: char| c.is_ascii_alphanumeric()) {
                continue;
            }
            let rest = &text[at..];
            let word = rest.split(|c: char| c.is_ascii_whitespace()).next()?;
            if word.contains(HEAD) {
                return Some(word.to_owned());
            }
        }
    }
    None
}

/// The pages that programs make of a text.
fn pages(text: &str) -> Vec<String> {
    let github = Options::ENABLE_TABLES
        | Options::ENABLE_FOOTNOTES
        | Options::ENABLE_STRIKETHROUGH
        | Options::ENABLE_TASKLISTS
        | Options::ENABLE_GFM;
    let wiki = github
        | Options::ENABLE_WIKILINKS
        | Options::ENABLE_MATH
        | Options::ENABLE_DEFINITION_LIST
        | Options::ENABLE_SUPERSCRIPT
        | Options::ENABLE_SUBSCRIPT
        | Options::ENABLE_SMART_PUNCTUATION;
    let mut pages = vec![text.to_owned()];
    // A quote or a brace within `[[` is taken for a list of lists, whose strings are read: where a wiki takes it for a
    // link, it leads to a page of its own.
    let lists = text.contains("[[") && text.contains(['"', '\'', '{']);
    for options in [Options::empty(), github, if lists { wiki - Options::ENABLE_WIKILINKS } else { wiki }] {
        let mut page = String::new();
        html::push_html(&mut page, Parser::new_ext(text, options));
        pages.push(page);
    }
    pages
}

fn check(pieces: &[&str]) -> Result<bool, String> {
    thread_local! {
        static VAULT: RefCell<Option<(bastide_anonymize::Vault, String)>> = const { RefCell::new(None) };
    }
    VAULT.with_borrow_mut(|filled_once| {
        let (vault, token) = filled_once.get_or_insert_with(filled);
        let text = restore(&pieces.concat().replace("TOKEN", token), vault);
        for (number, page) in pages(&text).iter().enumerate() {
            if let Some(place) = given_away(page) {
                return Err(format!("{pieces:?}: {text:?} as program {number} shows it: {place}\n{page}"));
            }
        }
        Ok(text.contains(VALUE))
    })
}

#[test]
fn no_renderer_shows_a_value_where_a_program_follows_it() {
    let cases = std::env::var("BASTIDE_CASES").ok().and_then(|n| n.parse().ok()).unwrap_or(40_000);
    let restored = std::cell::Cell::new(0_u32);
    proptest!(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(cases) }, |(
        pieces in prop::collection::vec(prop::sample::select(PIECES), 1..14)
    )| {
        let there = check(&pieces).map_err(TestCaseError::fail)?;
        restored.set(restored.get() + u32::from(there));
    });
    assert!(restored.get() > cases / 50, "values are put back often enough to prove something: {restored:?}");
}

#[test]
fn nor_in_any_short_text() {
    let mut leaks = Vec::new();
    for a in PIECES {
        for b in PIECES {
            for pieces in [&[*a, *b, "TOKEN"][..], &[*a, "TOKEN", *b], &[*a, *b, " TOKEN ", *b, *a]] {
                leaks.extend(check(pieces).err());
            }
        }
    }
    assert!(leaks.is_empty(), "{}:\n{}", leaks.len(), leaks[..leaks.len().min(12)].join("\n"));
}

/// What longer runs of the search found once.
#[test]
fn nor_in_what_was_found_before() {
    for pieces in [
        &["<!-->", "<!--", "\n", "-->", "TOKEN"][..],
        &["<div><!--", "\n\n", "-->", "TOKEN"],
        &["- <!--", "\n", "-->", "TOKEN"],
        &["- a\n\n  <!--", "\n", "-->", "TOKEN"],
        &["<svg>", "$", "</svg>", "TOKEN", "$"],
        &["<svg>", "</title\n", "\n|-|-|\n", "</svg>", "TOKEN"],
        &["[[[", "<img alt=", "]]>", "TOKEN", "]]>"],
        &["][", "[[", "]]", "TOKEN", "]]"],
        &["*", "<script>", "\n\n", "\t", "</script>", "TOKEN"],
        &["*", "<script>", "\n# a\n", "    ", "</script>", "TOKEN"],
        &["*", "<script>", "\n\n", "[x](/u \"</script>\")", "TOKEN"],
        &["*", "<script>", "\n\n", "[x]: /u \"</script>\"\n\n[x]", "TOKEN"],
        &["<div>\n<!--", "\n\n", "-->", "TOKEN"],
    ] {
        assert_eq!(check(pieces), Ok(false), "{pieces:?}");
    }
    assert_eq!(check(&["<!-- one\nline more -->", "\n", "TOKEN"]), Ok(true), "a comment as people write it");
}

#[test]
fn the_oracle_sees_what_it_must() {
    for (text, seen) in [
        (format!("![x](</{VALUE}>)"), true),
        (format!("![{VALUE}](/x)"), true),
        (format!("[x]: </{VALUE}>\n\n![x]"), true),
        (format!("see https://e.ex/{VALUE}"), true),
        (format!("<img src='{VALUE}'>"), true),
        (format!("<!-- {VALUE} -->"), true),
        (format!("<textarea>{VALUE}</textarea>"), true),
        (format!("[{VALUE}](https://e.ex/)"), false),
        (format!("the card is **{VALUE}**, `{VALUE}`"), false),
    ] {
        assert_eq!(pages(&text).iter().any(|page| given_away(page).is_some()), seen, "{text}");
    }
}
