//! An entry of the log as a line for people.

use bastide_admin::show_time;
use bastide_types::{Timestamp, Verdict};
use serde_json::Value;

use crate::show::printable;

/// One line: what happened, to whom, with which verdict.
pub(crate) fn human(index: u64, entry: &Value) -> String {
    let at = entry["at"].as_u64().map_or_else(String::new, |at| show_time(Timestamp::from_micros(at)));
    let word = |name: &str| entry[name].as_str().unwrap_or_default();
    let what = match word("kind") {
        "request" => {
            // What was refused was not sent, whatever the guard's mode.
            let acted = !observed(entry) || entry["sent"].is_null();
            format!(
                "{} {}{} -> {}  {}{}{}",
                word("exchange"),
                key(entry),
                word("model"),
                word("upstream"),
                done(word("verdict"), acted),
                findings(entry),
                denials(entry)
            )
        }
        "outcome" => format!(
            "{} {} {}{}{}  {}+{} tokens",
            word("exchange"),
            entry["status"],
            word("ending"),
            findings(entry),
            denials(entry),
            entry["usage"]["input_tokens"],
            entry["usage"]["output_tokens"]
        ),
        "denied" => format!("{}{}  {} {}", key(entry), word("route"), entry["status"], word("code")),
        "changed" => format!("{} {} {}", word("action"), word("resource"), word("phase")),
        "revealed" => match entry["reason"].as_str() {
            Some(reason) => format!("{}  {reason}", word("exchange")),
            None => word("exchange").to_owned(),
        },
        "started" => format!("bastide {}", word("version")),
        _ => String::new(),
    };
    // On one line, whatever is in a name.
    format!("{index:>8}  {at}  {:<8} {}\n", word("kind"), printable(&what).replace(['\n', '\t'], " "))
}

/// The beginning of the name that the log has for the key, enough to find it in `bastide key list`.
fn key(entry: &Value) -> String {
    let pseudonym = entry["actor"]["key"].as_str().and_then(|key| key.get(..8));
    pseudonym.map(|key| format!("key {key}  ")).unwrap_or_default()
}

/// Whether the guard only looked on.
fn observed(entry: &Value) -> bool {
    entry["guard"]["mode"] == "observe"
}

/// A verdict, as done or as what would have been done.
fn done(verdict: &str, acted: bool) -> String {
    let acts = ![Verdict::Allow, Verdict::Flag].iter().any(|v| v.as_str() == verdict);
    if acts && !acted { format!("would {verdict}") } else { verdict.to_owned() }
}

fn findings(entry: &Value) -> String {
    let acted = !observed(entry);
    let list = entry["guard"]["findings"].as_array().map(Vec::as_slice).unwrap_or_default();
    let mut alike: Vec<(String, usize)> = Vec::new();
    for finding in list {
        let part = |name: &str| finding[name].as_str().unwrap_or_default();
        let said = format!("{} in {} {}", part("category"), part("origin"), done(part("verdict"), acted));
        match alike.iter_mut().find(|(other, _)| *other == said) {
            Some((_, count)) => *count += 1,
            None => alike.push((said, 1)),
        }
    }
    let counted = alike.into_iter().map(|(said, count)| match count {
        1 => said,
        n => format!("{n} x {said}"),
    });
    let named: Vec<String> = counted.collect();
    if named.is_empty() { String::new() } else { format!("  [{}]", named.join(", ")) }
}

/// Which policies refused what.
fn denials(entry: &Value) -> String {
    let decisions = entry["decisions"].as_array().map(Vec::as_slice).unwrap_or_default();
    let mut text = String::new();
    for decision in decisions.iter().filter(|d| d["effect"] == "deny") {
        let action = decision["action"].as_str().unwrap_or_default();
        let policies: Vec<String> = decision["policies"]
            .as_array()
            .into_iter()
            .flatten()
            .filter_map(|p| Some(format!("`{}`", p.as_str()?)))
            .collect();
        if policies.is_empty() {
            text.push_str(&format!("  {action} denied: no policy permits it"));
        } else {
            text.push_str(&format!("  {action} denied by {}", policies.join(", ")));
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn request(mode: &str, verdict: &str, sent: Option<&str>, decisions: Value) -> Value {
        let mut entry = json!({
            "kind": "request", "at": 0, "exchange": "ex_1", "model": "m", "upstream": "u", "verdict": verdict,
            "guard": {"mode": mode, "findings": [
                {"category": "EMAIL_ADDRESS", "origin": "user", "verdict": "tokenise"},
                {"category": "IBAN", "origin": "user", "verdict": "flag"},
            ]},
            "decisions": decisions,
        });
        if let Some(sent) = sent {
            entry["sent"] = json!(sent);
        }
        entry
    }

    #[test]
    fn a_guard_that_looks_on_would_have_done_something() {
        let line = human(7, &request("observe", "tokenise", Some("00"), json!([])));
        assert!(
            line.contains("would tokenise  [EMAIL_ADDRESS in user would tokenise, IBAN in user flag]"),
            "{line}"
        );
        let line = human(7, &request("enforce", "tokenise", Some("00"), json!([])));
        assert!(
            line.contains("tokenise  [EMAIL_ADDRESS in user tokenise") && !line.contains("would"),
            "{line}"
        );
    }

    #[test]
    fn findings_that_are_alike_are_counted() {
        let mut entry = request("enforce", "tokenise", Some("00"), json!([]));
        let findings = entry["guard"]["findings"].as_array_mut().expect("a list");
        let (mail, mut other) = (findings[0].clone(), findings[0].clone());
        other["origin"] = json!("tool_result");
        findings.extend([mail.clone(), other, mail]);
        let line = human(7, &entry);
        let said =
            "[3 x EMAIL_ADDRESS in user tokenise, IBAN in user flag, EMAIL_ADDRESS in tool_result tokenise]";
        assert!(line.contains(said), "{line}");
    }

    #[test]
    fn a_denial_names_its_policies_and_was_done_in_every_mode() {
        let deny = json!([
            {"action": "invoke", "effect": "permit", "policies": ["all"]},
            {"action": "release", "effect": "deny", "policies": ["no-mail", "no-iban"]},
        ]);
        let line = human(7, &request("observe", "block", None, deny));
        assert!(line.contains("u  block  [EMAIL_ADDRESS in user would tokenise"), "{line}");
        assert!(line.contains("release denied by `no-mail`, `no-iban`") && !line.contains("`all`"), "{line}");
        let line = human(
            7,
            &request(
                "enforce",
                "block",
                None,
                json!([{"action": "invoke", "effect": "deny", "policies": []}]),
            ),
        );
        assert!(line.contains("invoke denied: no policy permits it"), "{line}");
    }
}
