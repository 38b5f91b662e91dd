//! Forms of the gallery.

use super::{LONG, UNICODE};
use crate::design::{Button, Card, Choice, Columns, Csrf, Field, Form, Href, Html, Link, Section};

fn modes() -> [Choice; 3] {
    [
        Choice::new("off", "Off").hint("Inspects nothing. Every receipt says so."),
        Choice::new("observe", "Observe").hint("Records what it would have done."),
        Choice::new("enforce", "Enforce").hint("Acts."),
    ]
}

pub(super) fn section(csrf: &Csrf) -> Html {
    let key = Form::post(Href::page("/console/keys"), csrf)
        .field(
            Field::text("name", "Name")
                .value("payments-assistant")
                .hint("What you will know it by.")
                .required(),
        )
        .field(
            Field::select(
                "provider",
                "Provider",
                [Choice::new("openai", "openai"), Choice::new("local", "local vLLM")],
            )
            .value("local"),
        )
        .field(Field::radios("mode", "Guard", modes()).value("observe"))
        .field(
            Field::checkbox("stream", "May stream answers", true)
                .hint("Text waits only while it may become a finding."),
        )
        .button(Button::new("Make key").primary())
        .link(Link::button(Href::page("/console/keys"), "Cancel"));
    let wrong = Form::post(Href::page("/console/policies"), csrf)
        .field(
            Field::text("policy", "Id").value(LONG).error("an id has at most 64 characters; this one has 99"),
        )
        .field(
            Field::area("text", "Policy", 5)
                .value("permit(principal, action, resource)\nwhen { context.findings == 0 };")
                .mono()
                .error("line 2: `findings` is a set; compare `findings.isEmpty()`"),
        )
        .field(
            Field::password("secret", "Credential", "new-password")
                .hint("Sealed before it is stored; nobody reads it again."),
        )
        .field(Field::number("limit", "Requests a minute").value("600").disabled())
        .field(Field::text("note", "Note").value(UNICODE))
        .preview(&Href::page("/console/policies/preview"), "policy-preview")
        .button(Button::new("Save policy").primary());
    Section::new("Forms")
        .body(Columns::new([
            Card::new("New key").body(key).into(),
            Card::new("Policy, with mistakes").body(wrong).into(),
        ]))
        .into()
}
