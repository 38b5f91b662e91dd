//! A new key, shown once.

use serde_json::Value;

use super::here;
use crate::design::{Callout, Card, Code, Facts, Href, Html, Language, Link, Paragraph, Tone};
use crate::web::{Refusal, Reply, Visit};

/// The page that is the only place where the key ever stands.
pub(super) fn page(visit: &Visit<'_>, key: &Value, title: &'static str) -> Result<Reply, Refusal> {
    let text = |name: &str| key[name].as_str().unwrap_or_default().to_owned();
    let secret = text("key");
    let base = base_url(visit);
    let mut page = visit
        .shell(title, &here())
        .crumb("Keys", Some(here()))
        .body(
            Callout::new(Tone::Flag, "Copy it now: it is shown once")
                .body(Paragraph::new("Nobody can read it again, not even here: only a hash of it is kept.")),
        )
        .body(Code::new(text("name"), Language::Plain, &secret));
    for warning in key["warnings"].as_array().into_iter().flatten().filter_map(Value::as_str) {
        page = page.body(Callout::new(Tone::Flag, warning));
    }
    if let Some(ends) = key["old"]["expires"].as_str() {
        let says = format!("The key before works until {ends} and then ends by itself.");
        page = page.body(Callout::new(Tone::Neutral, says));
    }
    let facts = Facts::new()
        .fact("Project", Html::from(text("project")))
        .fact("Ends", Html::from(key["expires"].as_str().unwrap_or("never")));
    page = page
        .body(facts)
        .body(Card::new("Try it").flush().body(Code::new("curl", Language::Shell, curl(&base, &secret))))
        .body(Card::new("In Python").flush().body(Code::new(
            "openai",
            Language::Plain,
            python(&base, &secret),
        )))
        .body(Link::button(Href::page("/console/keys").segment(&text("id")), "To the key"));
    Ok(Reply::page(page.render()))
}

/// Where callers reach the gateway, as far as it knows itself.
fn base_url(visit: &Visit<'_>) -> String {
    let scheme = if visit.visitor.tls { "https" } else { "http" };
    let listen = visit.admin().gateway.as_ref().map(|g| g.settings().listen);
    match listen {
        Some(at) if at.ip().is_loopback() => format!("{scheme}://localhost:{}/v1", at.port()),
        Some(at) if !at.ip().is_unspecified() => format!("{scheme}://{at}/v1"),
        _ => format!("{scheme}://HOST/v1"),
    }
}

fn curl(base: &str, key: &str) -> String {
    format!(
        "curl {base}/chat/completions \\\n  -H 'authorization: Bearer {key}' \\\n  -H 'content-type: application/json' \\\n  \
         -d '{{\"model\": \"MODEL\", \"messages\": [{{\"role\": \"user\", \"content\": \"hello\"}}]}}'"
    )
}

fn python(base: &str, key: &str) -> String {
    format!(
        "from openai import OpenAI\n\nclient = OpenAI(base_url=\"{base}\", api_key=\"{key}\")\nanswer = \
         client.chat.completions.create(\n    model=\"MODEL\",\n    messages=[{{\"role\": \"user\", \"content\": \
         \"hello\"}}],\n)\nprint(answer.choices[0].message.content)"
    )
}
