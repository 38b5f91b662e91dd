//! Tables of the gallery.

use bastide_types::Verdict;

use super::{LONG, UNICODE, ago};
use crate::design::{
    Badge, Choice, Column, Empty, Field, Filters, Href, Html, Id, Link, Live, Pages, Row, Section, Sort,
    Table,
};

const ROWS: [(&str, &str, &str, Verdict, &str, &str); 6] = [
    ("exch_01j8w3q5t9k2", "payments-assistant", "gpt-4.1-mini", Verdict::Tokenise, "1,204", "812 ms"),
    ("exch_01j8w3q5sz7c", "support-desk", "claude-sonnet-4", Verdict::Allow, "640", "1.2 s"),
    ("exch_01j8w3q5r0aa", LONG, "gpt-4.1", Verdict::Block, "0", "2.1 ms"),
    ("exch_01j8w3q5p3xk", UNICODE, "mistral-large", Verdict::Redact, "2,018", "934 ms"),
    ("exch_01j8w3q5m9dd", "code-review", "llama-3.3-70b", Verdict::Hold, "88", "40 s"),
    ("exch_01j8w3q5k1mn", "code-review", "llama-3.3-70b", Verdict::Flag, "15,310", "3.4 s"),
];

fn columns() -> Vec<Column> {
    let sorted = |by: &str| Href::page("/console/exchanges").query("sort", by);
    vec![
        Column::text("Exchange"),
        Column::text("When").sort(Sort::Descending, sorted("time")),
        Column::text("Caller").sort(Sort::Not, sorted("caller")),
        Column::text("Model"),
        Column::text("Verdict"),
        Column::number("Tokens").sort(Sort::Not, sorted("tokens")),
        Column::number("Took"),
    ]
}

fn rows() -> impl Iterator<Item = Row> {
    ROWS.into_iter().zip(1u64..).map(|((id, caller, model, verdict, tokens, took), nth)| {
        let cells = [
            Id::plain(id).into(),
            ago(nth * nth * 9).into(),
            Html::from(caller),
            Html::from(model),
            Badge::from(verdict).into(),
            Html::from(tokens),
            Html::from(took),
        ];
        Row::new(cells).href(Href::page("/console/exchanges").segment(id)).tag("verdict", verdict.as_str())
    })
}

fn verdicts() -> Field {
    let any = Choice::new("", "any");
    let each = Verdict::ALL.iter().map(|verdict| Choice::new(verdict.as_str(), verdict.as_str()));
    Field::select("verdict", "Verdict", [any].into_iter().chain(each))
}

pub(super) fn section() -> Html {
    let filters = Filters::new(Href::page("/console/exchanges"))
        .field(Field::search("q", "Search").placeholder("id, caller, model"))
        .field(verdicts().value("redact"))
        .field(Field::select("since", "Since", [Choice::new("24h", "24 hours"), Choice::new("7d", "7 days")]))
        .clear(Href::page("/console/exchanges"));
    let pages = Pages {
        previous: None,
        next: Some(Href::page("/console/exchanges").query("after", "01j8w3q5k1mn")),
        note: "6 of about 48,200".into(),
    };
    let empty = Table::new("Keys", [Column::text("Name")]).empty(
        Empty::new("No keys match", "Nothing has this name in this project.")
            .link(Link::new(Href::page("/console/keys"), "Show all keys")),
    );
    let live = Live::new(
        Href::page("/console/live/events"),
        Href::page("/console/live"),
        Table::new("Exchanges as they happen", columns()).rows(rows().take(3)),
    )
    .filter(verdicts());
    Section::new("Tables")
        .body(filters)
        .body(Table::new("Exchanges", columns()).rows(rows()).pages(pages))
        .body(live)
        .body(empty)
        .body(
            crate::design::Card::new("Key")
                .body(crate::design::Facts::new().fact("Id", Id::new("key_01j8w3q5t9k2m4n6"))),
        )
        .into()
}
