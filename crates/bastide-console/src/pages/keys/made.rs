//! A new key, shown once.

use serde_json::Value;

use super::here;
use crate::design::{Callout, Code, Disclosure, Facts, Href, Html, Language, Link, Paragraph, Tone};
use crate::pages::snippets;
use crate::web::{Refusal, Reply, Visit};

/// The page that is the only place where the key ever stands.
pub(super) fn page(visit: &Visit<'_>, key: &Value, title: &'static str) -> Result<Reply, Refusal> {
    let text = |name: &str| key[name].as_str().unwrap_or_default().to_owned();
    let secret = text("key");
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
        let hint = key["old"]["hint"].as_str().unwrap_or_default();
        let says = format!("The old key, {hint}…, works until {} and then ends by itself.", day(ends));
        page = page.body(Callout::new(Tone::Neutral, says));
    }
    let facts = Facts::new()
        .fact("Project", Html::from(text("project")))
        .fact("Ends", Html::from(key["expires"].as_str().map_or_else(|| "never".to_owned(), day)));
    page = page
        .body(facts)
        .body(Code::new(
            "For the examples below",
            Language::Shell,
            format!("export {}='{secret}'", snippets::VARIABLE),
        ))
        .body(Html::join(snippets::CLIENTS.iter().enumerate().map(|(nth, client)| {
            let example = Disclosure::new(client.name, client.example(visit));
            if nth == 0 { example.open() } else { example }
        })))
        .body(Link::button(Href::page("/console/keys").segment(&text("id")), "To the key"));
    Ok(Reply::page(page.render()))
}

/// `2027-02-19T10:11:12.123Z` as people write it.
fn day(rfc3339: &str) -> String {
    let seconds = rfc3339.split('.').next().unwrap_or(rfc3339);
    format!("{} UTC", seconds.replace('T', " "))
}
