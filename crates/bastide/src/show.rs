//! `bastide audit show` and `bastide audit erase`: what was asked, and how the answer is written.

use bastide_admin::{Failure, Request, RevealWanted};
use serde_json::Value;

use crate::cli::{Data, Output};
use crate::client;

pub(crate) fn show(
    data: &Data,
    exchange: String,
    reveal: Option<RevealWanted>,
    output: Output,
) -> Result<(), Failure> {
    let mut shown = client::execute(data, Request::ExchangeShow { exchange, reveal })?;
    let bad = |body: &Value| body["state"] == "damaged" || body["matches"] == false;
    let failure = bodies(&shown).iter().any(bad).then(|| {
        Failure::does_not_hold(
            "a kept body is not what the log says it was: the files in `bodies` were changed or damaged",
        )
    });
    if let Some(failure) = &failure {
        shown["error"] = failure.to_json();
    }
    client::print(output.json, &shown, human)?;
    failure.map_or(Ok(()), |failure| Err(failure.told()))
}

pub(crate) fn erase(data: &Data, key: String, yes: bool, output: Output) -> Result<(), Failure> {
    if !yes {
        return Err(Failure::usage(format!(
            "erasing cannot be undone: every body kept of `{key}` becomes unreadable and every digest about it says \
             nothing; add `--yes` to do it"
        )));
    }
    let erased = client::execute(data, Request::SubjectErase { key })?;
    client::print(output.json, &erased, |erased| {
        let id = erased["id"].as_str().unwrap_or_default();
        if erased["erased"] == true {
            format!("{id} is erased: its bodies cannot be read any more; the log still holds\n")
        } else {
            format!("{id} has nothing to erase: nothing was recorded about it, or it was erased before\n")
        }
    })
}

fn bodies(shown: &Value) -> &[Value] {
    shown["bodies"].as_array().map(Vec::as_slice).unwrap_or_default()
}

fn human(shown: &Value) -> String {
    let word = |value: &Value| value.as_str().unwrap_or("-").to_owned();
    let key = match (shown["key"]["name"].as_str(), shown["key"]["id"].as_str()) {
        (Some(name), Some(id)) => format!("{name} ({id})"),
        (None, Some(id)) => id.to_owned(),
        _ => "of a subject whose key was erased".to_owned(),
    };
    let request = &shown["request"]["entry"];
    let mut out = format!(
        "exchange  {} at {}\nkey       {key}\nrequest   entry {}: {} -> {}  {}{}\n",
        word(&shown["exchange"]),
        word(&shown["at"]),
        shown["request"]["index"],
        word(&request["model"]),
        word(&request["upstream"]),
        word(&request["verdict"]),
        findings(request),
    );
    match &shown["outcome"]["entry"] {
        Value::Null if request["verdict"] == "block" => {
            out.push_str("outcome   none: the request was refused\n")
        }
        Value::Null => out.push_str("outcome   none: it still runs, or was broken off by a crash\n"),
        outcome => out.push_str(&format!(
            "outcome   entry {}: {} {}{}  {}+{} tokens\n",
            shown["outcome"]["index"],
            outcome["status"],
            word(&outcome["ending"]),
            findings(outcome),
            outcome["usage"]["input_tokens"],
            outcome["usage"]["output_tokens"],
        )),
    }
    if let Some(index) = shown["revealed"].as_u64() {
        out.push_str(&format!("revealed  this look is entry {index} of the log\n"));
    }
    bodies(shown).iter().for_each(|body| one(body, shown["revealed"].is_u64(), &mut out));
    printable(&out)
}

fn findings(entry: &Value) -> String {
    let list = entry["guard"]["findings"].as_array().map(Vec::as_slice).unwrap_or_default();
    let part = |f: &Value, name: &str| f[name].as_str().unwrap_or_default().to_owned();
    list.iter()
        .map(|f| {
            format!(
                "\n          {} in {} (segment {}, bytes {} to {}): {}",
                part(f, "category"),
                part(f, "origin"),
                f["segment"],
                f["start"],
                f["end"],
                part(f, "verdict")
            )
        })
        .collect()
}

fn one(body: &Value, revealed: bool, out: &mut String) {
    let kind = body["kind"].as_str().unwrap_or_default();
    let size = body["size"].as_u64().map_or_else(String::new, |n| format!(", {n} bytes"));
    let says = match (body["state"].as_str().unwrap_or_default(), body["matches"].as_bool()) {
        ("kept", Some(true)) => "matches the log",
        ("kept", Some(false)) => "DOES NOT MATCH the log",
        ("kept", None) => "only its beginning was kept, so it cannot be compared with the log",
        ("as received", _) => "as it was received",
        ("empty", _) => "empty",
        ("erased", _) => "erased: the key that sealed it was destroyed",
        ("damaged", _) => "DAMAGED: it is not what was sealed",
        _ => "not kept: removed by age or size, left out by `[bodies] keep`, or lost",
    };
    let masked = if revealed || body["text"].is_null() { "" } else { ", findings masked" };
    out.push_str(&format!("\n--- {kind}{size}: {says}{masked}\n"));
    if let Some(text) = body["text"].as_str() {
        out.push_str(text);
        if !text.ends_with('\n') {
            out.push('\n');
        }
    }
}

/// Such text where it is part of a line: it cannot begin one of its own, which a reader or a CI would take for ours.
pub(crate) fn one_line(text: &str) -> String {
    printable(text).replace('\n', "\\n").replace('\t', "\\t")
}

/// Text from outside may end up on a terminal, where control characters move the cursor and more, and marks of direction
/// put what is read in another order.
pub(crate) fn printable(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '\n' | '\t' => out.push(c),
            c if c.is_control() || matches!(c, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}') => {
                out.push_str(&format!("\\u{:04x}", u32::from(c)))
            }
            c => out.push(c),
        }
    }
    out
}
