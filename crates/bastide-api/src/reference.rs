//! The operations as a page for people, from the OpenAPI document: what each takes and gives, and how a request looks.

use std::collections::BTreeSet;
use std::fmt::Write as _;

use serde_json::Value;

use crate::openapi::{ABOUT, openapi};
use crate::operation::{Access, Operation};

/// A request to begin with, one for each group.
struct Example {
    operation: Operation,
    /// What stands for the name in the path.
    segment: &'static str,
    query: &'static str,
    body: &'static str,
}

const EXAMPLES: [Example; 8] = [
    example(Operation::ListExchanges, "", "verdict=block&limit=10", ""),
    example(Operation::CheckReceipt, "", "", r#"{"receipt": "bst1..."}"#),
    example(
        Operation::CreateKey,
        "",
        "",
        r#"{"name": "billing", "expires": "2027-12-31", "tokens_per_day": 1000000}"#,
    ),
    example(
        Operation::AddProvider,
        "",
        "",
        r#"{"name": "mine", "base_url": "https://llm.example/v1", "credential": "sk-..."}"#,
    ),
    example(Operation::InspectText, "", "", r#"{"text": "my card is 4111 1111 1111 1111"}"#),
    example(Operation::SetLogLevel, "", "", r#"{"filter": "info,bastide_gateway=debug"}"#),
    example(Operation::ChangeUser, "ada", "", r#"{"change": "role", "role": "auditor"}"#),
    example(Operation::ShowSelf, "", "", ""),
];

const fn example(
    operation: Operation,
    segment: &'static str,
    query: &'static str,
    body: &'static str,
) -> Example {
    Example { operation, segment, query, body }
}

impl Example {
    fn path(&self) -> String {
        let parts = self.operation.path().split('/');
        let path: Vec<&str> = parts.map(|p| if p.starts_with('{') { self.segment } else { p }).collect();
        path.join("/")
    }

    fn curl(&self) -> String {
        let method = self.operation.method();
        let method = if method == http::Method::GET { String::new() } else { format!("-X {method} ") };
        let query = if self.query.is_empty() { String::new() } else { format!("?{}", self.query) };
        let body = match self.body {
            "" => String::new(),
            body => format!(" \\\n  -H 'content-type: application/json' -d '{body}'"),
        };
        format!(
            "curl -s {method}'http://localhost:8800{}{query}' -H \"authorization: Bearer $BASTIDE_TOKEN\"{body}",
            self.path()
        )
    }
}

/// The operations as a page for people, without its heading.
#[must_use]
pub fn reference() -> String {
    let document = openapi();
    let mut text = format!(
        "{ABOUT}\n\nRefusals are problem details (`application/problem+json`, RFC 9457) with a stable `code`: \
         [errors.md](../errors.md), and [`Problem`](#problem) below. The same as an OpenAPI 3.1 document: \
         [openapi.json](openapi.json), or `GET /api/v1/openapi.json` of a running server.\n\nIn the tables a field that is \
         not required may be left out. What is answered is described in [Shapes](#shapes).\n\n"
    );
    let mut group = "";
    for operation in Operation::ALL {
        if operation.group() != group {
            group = operation.group();
            let _ = write!(text, "## {group}\n\n");
            for example in EXAMPLES.iter().filter(|example| example.operation.group() == group) {
                let _ = write!(text, "```sh\n{}\n```\n\n", example.curl());
            }
        }
        describe(*operation, &document, &mut text);
    }
    shapes(&document, &mut text);
    format!("{}\n", text.trim_end())
}

fn described(operation: Operation, document: &Value) -> &Value {
    let method = operation.method().as_str().to_ascii_lowercase();
    &document["paths"][operation.path()][&method]
}

fn describe(operation: Operation, document: &Value, text: &mut String) {
    let described = described(operation, document);
    let needs = match operation.access() {
        Access::SignedIn => "For every token.".to_owned(),
        Access::May(permission) => format!("Needs `{permission}`."),
    };
    let answer = &described["responses"][operation.status().to_string()]["content"]["application/json"];
    let gives = match &answer["schema"] {
        Value::Null => String::new(),
        // The document itself: JSON of any form.
        Value::Bool(_) => format!(" Answers {} with JSON.", operation.status()),
        schema => format!(" Answers {} with {}.", operation.status(), kind(schema)),
    };
    let _ = write!(text, "### `{}`\n\n{}. {needs}{gives}\n\n", operation.name(), operation.summary());
    let mut rows = String::new();
    for parameter in described["parameters"].as_array().into_iter().flatten() {
        let place = if parameter["in"] == "path" { "path" } else { "query" };
        let what = match parameter["description"].as_str() {
            Some(what) => what.to_owned(),
            None => format!("Which {}.", parameter["name"].as_str().unwrap_or_default()),
        };
        let required = parameter["required"] == true;
        rows.push_str(&row(&parameter["name"], place, required, &parameter["schema"], &what));
    }
    let body = &described["requestBody"]["content"]["application/json"]["schema"];
    if !body.is_null() {
        rows.push_str(&body_rows(resolve(body, document)));
    }
    if !rows.is_empty() {
        let _ = write!(text, "| field | in | required | type | what |\n|---|---|---|---|---|\n{rows}\n");
    }
}

/// The fields of a body; where it has several forms, those of each, under what tells them apart.
fn body_rows(schema: &Value) -> String {
    let mut rows: String = fields(schema)
        .map(|(name, field, required)| row(&Value::from(name), "body", required, field, &what(field)))
        .collect();
    for form in schema["oneOf"].as_array().into_iter().flatten() {
        for (name, field, required) in fields(form) {
            let said = if field["const"].is_null() { what(field) } else { what(form) };
            rows.push_str(&row(&Value::from(name), "body", required, field, &said));
        }
    }
    rows
}

fn row(name: &Value, place: &str, required: bool, schema: &Value, what: &str) -> String {
    let name = name.as_str().unwrap_or_default();
    let required = if required { "yes" } else { "" };
    format!("| `{name}` | {place} | {required} | {} | {} |\n", cell(&kind(schema)), cell(what))
}

fn fields(schema: &Value) -> impl Iterator<Item = (&str, &Value, bool)> {
    let required = schema["required"].as_array();
    let all = schema["properties"].as_object().into_iter().flatten();
    all.map(move |(name, field)| {
        (name.as_str(), field, required.is_some_and(|all| all.iter().any(|r| r == name)))
    })
}

/// What is answered, by name.
fn shapes(document: &Value, text: &mut String) {
    // What is only ever sent stands with its operation.
    let sent: BTreeSet<&str> = Operation::ALL
        .iter()
        .filter_map(|o| {
            let body = &described(*o, document)["requestBody"]["content"]["application/json"]["schema"];
            name_of(body)
        })
        .collect();
    text.push_str("## Shapes\n\n");
    for (name, schema) in document["components"]["schemas"].as_object().into_iter().flatten() {
        if sent.contains(name.as_str()) {
            continue;
        }
        let _ = write!(text, "### `{name}`\n\n{}\n\n", what(schema));
        let rows = shape_rows(schema);
        if !rows.is_empty() {
            let _ = write!(text, "| field | type | what |\n|---|---|---|\n{rows}\n");
        }
    }
}

fn shape_rows(schema: &Value) -> String {
    let line = |name: &str, kind: &str, what: &str| {
        let name = if name.is_empty() { String::new() } else { format!("`{name}`") };
        format!("| {name} | {} | {} |\n", cell(kind), cell(what))
    };
    let of = |schema: &Value, form: Option<&Value>| -> String {
        fields(schema)
            .map(|(name, field, _)| match form.filter(|_| !field["const"].is_null()) {
                Some(form) => line(name, &kind(field), &what(form)),
                None => line(name, &kind(field), &what(field)),
            })
            .collect()
    };
    let mut rows = of(schema, None);
    for form in schema["oneOf"].as_array().into_iter().flatten() {
        if let Some(name) = name_of(form) {
            rows.push_str(&line("", &kind(form), &format!("The fields of `{name}`.")));
        } else if form["properties"].is_null() {
            rows.push_str(&line("", &kind(form), &what(form)));
        }
        rows.push_str(&of(form, Some(form)));
    }
    rows
}

fn name_of(schema: &Value) -> Option<&str> {
    schema["$ref"].as_str()?.rsplit('/').next()
}

fn resolve<'d>(schema: &'d Value, document: &'d Value) -> &'d Value {
    name_of(schema).map_or(schema, |name| &document["components"]["schemas"][name])
}

fn what(schema: &Value) -> String {
    schema["description"].as_str().unwrap_or_default().to_owned()
}

/// What a value is, in few words.
fn kind(schema: &Value) -> String {
    if let Some(name) = name_of(schema) {
        return format!("[`{name}`](#{})", name.to_ascii_lowercase());
    }
    if !schema["const"].is_null() {
        return format!("`{}`", schema["const"]);
    }
    if let Some(choices) = schema["enum"].as_array() {
        let choices: Vec<String> = choices.iter().map(|choice| format!("`{choice}`")).collect();
        return choices.join(", ");
    }
    if let Some(any) = schema["anyOf"].as_array() {
        return any.iter().map(kind).collect::<Vec<_>>().join(" or ");
    }
    match &schema["type"] {
        Value::Array(kinds) => {
            let one = |kind: &Value| match kind.as_str() {
                Some("null") => "null".to_owned(),
                Some(kind) => plain(kind, schema),
                None => String::new(),
            };
            kinds.iter().map(one).collect::<Vec<_>>().join(" or ")
        }
        Value::String(kind) => plain(kind, schema),
        _ => "any JSON".to_owned(),
    }
}

fn plain(of: &str, schema: &Value) -> String {
    let number = |name: &str| schema[name].as_f64().filter(|bound| *bound != 0.0);
    match of {
        "string" => "text".to_owned(),
        "boolean" => "`true`, `false`".to_owned(),
        "null" => "null".to_owned(),
        "array" if schema["items"].is_object() => format!("list of {}", kind(&schema["items"])),
        "array" => "list".to_owned(),
        "object" if schema["additionalProperties"].is_object() => {
            format!("object: {} by name", kind(&schema["additionalProperties"]))
        }
        "object" => "object".to_owned(),
        of => {
            let of = if of == "integer" { "whole number" } else { "number" };
            match (number("minimum"), number("maximum")) {
                (Some(least), Some(most)) => format!("{of}, {least} to {most}"),
                (Some(least), None) => format!("{of}, from {least} on"),
                (None, Some(most)) => format!("{of}, at most {most}"),
                (None, None) => of.to_owned(),
            }
        }
    }
}

/// Text inside a cell of a table.
fn cell(text: &str) -> String {
    text.replace('|', "\\|").replace('\n', " ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_group_has_an_example_that_its_operation_takes() {
        let groups: BTreeSet<&str> = Operation::ALL.iter().map(|o| o.group()).collect();
        let shown: Vec<&str> = EXAMPLES.iter().map(|example| example.operation.group()).collect();
        assert_eq!(shown.iter().copied().collect::<BTreeSet<_>>(), groups);
        assert_eq!(shown.len(), groups.len(), "one each");
        for example in &EXAMPLES {
            let operation = example.operation;
            let found = Operation::find(&operation.method(), &example.path()).map(|(found, _)| found);
            assert_eq!(found, Ok(operation));
            let read = operation.reads(example.query, example.body.as_bytes());
            assert!(read.is_ok(), "{operation:?}: {read:?}");
        }
    }

    #[test]
    fn every_field_that_may_be_sent_stands_beside_its_operation() {
        let (page, document) = (reference(), openapi());
        let section = |operation: Operation| {
            let heading = format!("### `{}`\n", operation.name());
            let (_, behind) = page.split_once(&heading).expect("a heading");
            behind.split("\n##").next().unwrap_or_default().to_owned()
        };
        let mut seen = 0;
        for operation in Operation::ALL {
            let section = section(*operation);
            let described = described(*operation, &document);
            let named = described["parameters"].as_array().into_iter().flatten();
            let mut names: Vec<String> =
                named.filter_map(|p| p["name"].as_str().map(str::to_owned)).collect();
            let body = &described["requestBody"]["content"]["application/json"]["schema"];
            let body = resolve(body, &document);
            let forms = body["oneOf"].as_array().into_iter().flatten().chain([body]);
            names.extend(forms.flat_map(fields).map(|(name, _, _)| name.to_owned()));
            for name in names {
                assert!(
                    section.contains(&format!("| `{name}` | ")),
                    "{operation:?} says nothing of `{name}`"
                );
                seen += 1;
            }
        }
        assert!(seen > 50, "{seen}");
        let key = section(Operation::CreateKey);
        assert!(key.contains("| `name` | body | yes | text | What people call it. |"), "{key}");
    }

    #[test]
    fn every_link_of_the_page_leads_to_a_heading() {
        let page = reference();
        let headings: BTreeSet<String> = page
            .lines()
            .filter_map(|line| line.strip_prefix("### ").or(line.strip_prefix("## ")))
            .map(|heading| heading.trim_matches('`').to_ascii_lowercase().replace(' ', "-"))
            .collect();
        for link in page.split("](#").skip(1).filter_map(|rest| rest.split(')').next()) {
            assert!(headings.contains(link), "{link}");
        }
    }
}
