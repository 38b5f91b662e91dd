//! How an exchange is proved: its entries, whether what is kept is what they say, and the commands that check it offline.

use bastide_admin::{BodyShown, shell_word};
use bastide_types::Permission;

use super::Exchange;
use crate::design::{
    Badge, Button, Card, Code, Column, Disclosure, Empty, Facts, Field, Form, Href, Html, Language, Link,
    Row, Table, Tone, format,
};
use crate::web::{Refusal, Visit};

pub(super) async fn card(visit: &Visit<'_>, exchange: &Exchange) -> Result<Html, Refusal> {
    let entry = |index: u64| -> Html {
        Link::new(Href::page("/console/log").segment(&index.to_string()), format!("entry {index}")).into()
    };
    let outcome = exchange.shown.outcome.as_ref();
    let facts = Facts::new()
        .fact("Request and decision", entry(exchange.shown.request.index))
        .fact("Outcome", outcome.map_or_else(Html::new, |o| entry(o.index)))
        .fact("Policy set, digest", short_digest(&exchange.request.policy))
        .fact(
            "Guard profile, digest",
            exchange.request.guard.as_ref().map_or_else(Html::new, |g| short_digest(&g.profile)),
        );
    let columns = [
        Column::text("Kept body"),
        Column::text("State"),
        Column::number("Size"),
        Column::text("Log's digest"),
    ];
    let bodies = Table::new("Kept bodies", columns)
        .rows(exchange.shown.bodies.iter().map(body))
        .empty(Empty::new("No bodies", "The log speaks of none."));
    let id = &exchange.shown.exchange;
    let (data, key) = (shell_word(visit.admin().node.dir()), visit.admin().log_health().await?.key);
    let commands = format!(
        "# with the receipt from the answer's bastide-receipt header, anywhere:\n\
         bastide-verify receipt 'bst1…' --log-key '{key}'\n\
         # on a machine that has the data folder, or a copy of its log:\n\
         bastide-verify log {data}/log --log-key '{key}'\n\
         bastide audit show {id} --data {data}\n"
    );
    let proof = Card::new("Proof")
        .note("The entries are in the log's Merkle tree; each entry's page has the path to the signed root.")
        .body(facts)
        .body(Code::new("Check it without this server", Language::Shell, commands));
    let proof = match visit.may(Permission::LogView) {
        true => proof.body(Disclosure::new("Check its receipt here", receipt_form(visit))),
        false => proof,
    };
    Ok(Html::from(proof).then(Card::new("Kept bodies").flush().body(bodies)))
}

/// The caller has the receipt, and this server keeps none: who checks one brings it.
fn receipt_form(visit: &Visit<'_>) -> Form {
    let hint =
        "The value of the `bastide-receipt` header of its answer, or of the comment at its stream's end.";
    Form::post(Href::page("/console/log/receipt"), &visit.csrf())
        .field(Field::area("receipt", "Receipt", 3).mono().hint(hint).required())
        .button(Button::new("Check"))
}

fn short_digest(hex: &str) -> Html {
    match hex.is_empty() {
        true => Html::new(),
        false => crate::design::Id::new(hex).into(),
    }
}

fn body(body: &BodyShown) -> Row {
    let state = match body.state {
        "kept" if body.cut => Badge::new(Tone::Flag, "beginning kept"),
        "kept" => Badge::new(Tone::Allow, "kept"),
        "as received" => Badge::new(Tone::Neutral, "as received"),
        "empty" => Badge::new(Tone::Neutral, "empty"),
        "erased" => Badge::new(Tone::Neutral, "erased"),
        "damaged" => Badge::new(Tone::Block, "damaged"),
        _ => Badge::new(Tone::Flag, "not kept, or not any more"),
    };
    let digest: Html = match (body.matches, body.state) {
        (Some(true), _) => Badge::new(Tone::Allow, "matches").into(),
        (Some(false), _) => Badge::new(Tone::Block, "does not match").into(),
        (None, "as received") => "the same as that of what was received".into(),
        (None, "empty") => "that of nothing".into(),
        (None, "kept") => "cannot be compared: its end is not kept".into(),
        (None, _) => Html::new(),
    };
    Row::new([
        body.kind.into(),
        state.into(),
        body.size.map_or_else(|| Html::from("–"), |n| format::bytes(n).into()),
        digest,
    ])
}
