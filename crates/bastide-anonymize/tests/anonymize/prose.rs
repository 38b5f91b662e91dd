//! Replies as models write them: there, values come back.

use crate::support::{VALUE, filled, restore};

const REPLIES: &[&str] = &[
    "TOKEN",
    "Your card is TOKEN.",
    "Your card is TOKEN, ending in 1111.",
    "Is it TOKEN? Or TOKEN!",
    "**TOKEN** and *TOKEN* and _TOKEN_ and __TOKEN__ and `TOKEN` and ~~TOKEN~~",
    "(TOKEN) [TOKEN] {TOKEN} \"TOKEN\" 'TOKEN' “TOKEN” «TOKEN»",
    "Card:TOKEN card=TOKEN card: TOKEN",
    "TOKEN's owner",
    "TOKEN/TOKEN, TOKEN: TOKEN; TOKEN|TOKEN",
    "TOKEN...",
    "- TOKEN\n- TOKEN\n1. TOKEN\n* **Card**: TOKEN",
    "| name | card |\n|---|---|\n| Ada | TOKEN |",
    "> TOKEN",
    "# TOKEN",
    "```\nTOKEN\n```",
    "{\"card\":\"TOKEN\",\"n\":1.5,\"ok\":true}",
    "card,name\nTOKEN,Ada",
    "Ada Lovelace <TOKEN>",
    "Ada Lovelace <TOKEN>, TOKEN",
    "卡号：TOKEN。请注意TOKEN，谢谢",
    "カード番号はTOKENです",
    "See https://example.com/help. Your card is TOKEN.",
    "See [the help](https://example.com/a_(b) \"title\") about TOKEN.",
    "[TOKEN](https://example.com/)",
    "![logo](https://example.com/x.png) TOKEN",
    "[1]: https://example.com\nTOKEN",
    "[1]: https://example.com/ \"Title\"\n\nTOKEN",
    "Text[^1]\n\n[^1]: TOKEN",
    "- [ ] call TOKEN\n- [x] mail TOKEN",
    "<p>Your card is TOKEN</p>",
    "<ul>\n<li>TOKEN</li>\n</ul>",
    "<table><tr><td class=\"a\">TOKEN</td></tr></table>",
    "<a href=\"https://example.com/\"> TOKEN</a>",
    "<!-- note --> TOKEN <!-- note -->",
    "<script>x = 1;</script> TOKEN",
    "<style>a { color: red }</style>TOKEN",
    "<svg><path d='M0'/></svg> TOKEN",
    "<textarea>a</textarea> TOKEN",
    "if a < b and c > d then TOKEN",
    "x << 3 TOKEN",
    "Vec<String> TOKEN",
    "for (i=0;i<n;i++) x[i] = 1; // not a tag\n\nTOKEN",
    "[[\"Ada\",\"TOKEN\"],[\"Bob\",\"TOKEN\"]]",
    "[[page|TOKEN]]",
    "TOKEN-based, the TOKEN-",
    "TOKENs, 2TOKEN2",
    "base64: aGVsbG8gTOKENhYW5kIHNvIG9u",
    "base64: aGVsbG8gTOKENhYW5kIHNvIG9uhYW5kIHNvIG9uhYW5kIHNvIG9uhYW5kIHNvIG9uhYW5kIHNvIG9uhYW5kIHNvIG9uhYW5kIHNvIG9u==",
    "a <b, unknown\n\nTOKEN",
    "e.g. TOKEN, i.e. TOKEN",
    "at 10:30 TOKEN",
    "and/or TOKEN",
    "50% TOKEN, 100%, TOKEN",
    "AT&T: TOKEN; R&D &amp; more TOKEN",
    "it&#39;s TOKEN",
    "see (https://example.com) TOKEN",
    "data: TOKEN, file: TOKEN, note: TOKEN",
    "Write to mailto:support@example.com and quote TOKEN",
    "\"TOKEN\",\"TOKEN\"",
    "C:\\> TOKEN",
    "$TOKEN €TOKEN #TOKEN",
    "f(TOKEN)",
    "curl(1) TOKEN",
    "Dear Ada,\r\n\r\nyour card TOKEN\r\n\r\nYours\r\n",
    "the [note] TOKEN",
    "array[0] (TOKEN)",
    "\u{1f600}TOKEN\u{1f600}",
];

#[test]
fn values_come_back_where_people_read_them() {
    let (vault, token) = filled();
    let mut stay = Vec::new();
    for reply in REPLIES {
        let expected = reply.replace("TOKEN", VALUE);
        let after = restore(&reply.replace("TOKEN", &token), &vault);
        if after != expected {
            stay.push(after);
        }
    }
    assert!(stay.is_empty(), "{} stay:\n{stay:#?}", stay.len());
}

#[test]
fn nothing_is_written_for_tokens_that_are_not_of_this_vault() {
    let (vault, token) = filled();
    let mut other = crate::support::vault(b"another conversation");
    let foreign = other.tokenise(bastide_types::Category::CreditCard, VALUE);
    let invented = token.replace(token.chars().last().unwrap(), "b").replace('q', "r");
    for text in [&foreign, &invented, "CREDIT_CARD_bcdfghjklmnpqrstvwx", "CREDIT_CARD_REDACTED"] {
        let reply = format!("Your card is {text} here.");
        if *text != token {
            assert_eq!(restore(&reply, &vault), reply);
        }
    }
}
