//! The OpenAPI 3.1 document, from the table of operations and the types that they take and give.

use schemars::generate::SchemaSettings;
use serde_json::{Map, Value, json};

use crate::operation::{Access, Operation};
use crate::problem;

/// What the references say first.
pub(crate) const ABOUT: &str = "What the console shows, and most of what it changes, for programs. Requests carry an API token: \
                     `authorization: Bearer bsa_...`. A token may do what its role may, and never more than its user \
                     may now. Every change and every denial is an entry of the log. Bodies are JSON of at most 8 MiB; \
                     names that are unknown or stand twice are refused. Lists give `next` where they go on: send it \
                     as `before`.";

/// JSON Schema as OpenAPI 3.1 has it, with named schemas where the document keeps them.
pub(crate) fn settings() -> SchemaSettings {
    SchemaSettings::draft2020_12().with(|settings| {
        settings.definitions_path = "/components/schemas".into();
        settings.meta_schema = None;
    })
}

/// The document.
#[must_use]
pub fn openapi() -> Value {
    let mut taken = settings().for_deserialize().into_generator();
    let mut given = settings().for_serialize().into_generator();
    let mut paths: Map<String, Value> = Map::new();
    for operation in Operation::ALL {
        let shapes = operation.shapes(&mut taken, &mut given);
        let method = operation.method().as_str().to_ascii_lowercase();
        let mut described = json!({
            "operationId": operation.id(),
            "summary": operation.summary(),
            "description": needs(*operation),
            "tags": [operation.group()],
            "parameters": parameters(*operation, shapes.query.as_ref().map(schemars::Schema::as_value)),
            "responses": responses(*operation, shapes.answer.map(schemars::Schema::to_value)),
        });
        if let Some(body) = shapes.body {
            let (schema, required) = of_body(body.to_value());
            described["requestBody"] =
                json!({"required": required, "content": {"application/json": {"schema": schema}}});
        }
        let path = paths.entry(operation.path()).or_insert_with(|| json!({}));
        path[method] = described;
    }
    let mut schemas: Map<String, Value> = given.take_definitions(true);
    schemas.extend(taken.take_definitions(true));
    schemas.insert("Problem".to_owned(), problem_schema());
    schemas.values_mut().for_each(tidy);
    let mut tags: Vec<&str> = Vec::new();
    for operation in Operation::ALL {
        if !tags.contains(&operation.group()) {
            tags.push(operation.group());
        }
    }
    let mut document = json!({
        "openapi": "3.1.0",
        "info": {
            "title": "bastide management API",
            "version": env!("CARGO_PKG_VERSION"),
            "description": ABOUT,
            "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
        },
        "servers": [{"url": "/"}],
        "security": [{"token": []}],
        "tags": tags.iter().map(|name| json!({"name": name})).collect::<Vec<_>>(),
        "paths": paths,
        "components": {
            "securitySchemes": {"token": {
                "type": "http",
                "scheme": "bearer",
                "description": "An API token, from the console (`Account`) or `bastide token create USER`.",
            }},
            "schemas": schemas,
        },
    });
    tidy(&mut document["paths"]);
    document
}

/// What it takes to use an operation.
/// The schema of a body, and whether there must be one: what may be left out is an option.
fn of_body(schema: Value) -> (Value, bool) {
    let null = json!({"type": "null"});
    match schema["anyOf"].as_array().map(Vec::as_slice) {
        Some([given, none]) if *none == null => (given.clone(), false),
        _ => (schema, true),
    }
}

fn needs(operation: Operation) -> String {
    match operation.access() {
        Access::SignedIn => "For every token that holds.".to_owned(),
        Access::May(permission) => {
            let roles: Vec<String> = permission.roles().iter().map(|r| format!("`{r}`")).collect();
            format!("Needs the permission `{permission}`: {}.", roles.join(", "))
        }
    }
}

fn parameters(operation: Operation, query: Option<&Value>) -> Vec<Value> {
    let in_path = operation.path().split('/').filter_map(|s| s.strip_prefix('{')?.strip_suffix('}'));
    let mut all: Vec<Value> = in_path
        .map(|name| json!({"name": name, "in": "path", "required": true, "schema": {"type": "string"}}))
        .collect();
    let Some(query) = query else { return all };
    let required = query["required"].as_array().cloned().unwrap_or_default();
    for (name, property) in query["properties"].as_object().into_iter().flatten() {
        let mut schema = property.clone();
        let description = schema.as_object_mut().and_then(|s| s.remove("description"));
        // What is left out of a query is left out; there is no null in one.
        if let Some(Value::Array(kinds)) = schema.get_mut("type") {
            kinds.retain(|kind| kind != "null");
            if let [one] = kinds.as_slice() {
                schema["type"] = one.clone();
            }
        }
        let required = required.iter().any(|r| r == name);
        let mut parameter = json!({"name": name, "in": "query", "required": required, "schema": schema});
        if let Some(description) = description {
            parameter["description"] = description;
        }
        all.push(parameter);
    }
    all
}

/// Refusals that every operation may answer with, besides those of `Access::May` and of a path with a name.
const REFUSALS: [(u16, &str); 6] = [
    (400, "The request cannot be read."),
    (401, "There is no token, or it does not hold."),
    (409, "It could not be done here and now."),
    (422, "What was asked for cannot be meant."),
    (429, "Too many requests run at the same time."),
    (503, "The audit log takes no entries, so nothing is changed."),
];

fn responses(operation: Operation, answer: Option<Value>) -> Value {
    let problem = |what: &str| {
        let schema = json!({"$ref": "#/components/schemas/Problem"});
        json!({"description": what, "content": {problem::KIND: {"schema": schema}}})
    };
    let mut all: Map<String, Value> =
        REFUSALS.iter().map(|(status, what)| (status.to_string(), problem(what))).collect();
    if matches!(operation.access(), Access::May(_)) || operation == Operation::EndSession {
        all.insert("403".to_owned(), problem("The token may not; the log has the denial."));
    }
    if operation.path().contains('{') {
        all.insert("404".to_owned(), problem("There is no such thing."));
    }
    let given = match answer {
        Some(schema) => json!({
            "description": operation.summary(),
            "content": {"application/json": {"schema": schema}},
        }),
        None => json!({"description": "It was done."}),
    };
    all.insert(operation.status().to_string(), given);
    Value::from(all)
}

fn problem_schema() -> Value {
    json!({
        "type": "object",
        "description": "What went wrong and what to do about it (RFC 9457).",
        "required": ["type", "title", "status", "detail", "code", "doc"],
        "properties": {
            "type": {"type": "string", "description": "Which kind of problem: `urn:bastide:error:` and the code. A name, not a place."},
            "title": {"type": ["string", "null"], "description": "The status in words."},
            "status": {"type": "integer", "description": "The HTTP status."},
            "detail": {"type": "string", "description": "What went wrong and what to do."},
            "code": {"type": "string", "description": "A stable code; `docs/errors.md` has them all."},
            "doc": {"type": "string", "description": "The command that tells more: `bastide explain-error CODE`."},
            "field": {"type": "string", "description": "The part of the request that is wrong."},
        },
    })
}

/// Leaves out what means something to our compiler alone, and breaks no line.
fn tidy(schema: &mut Value) {
    match schema {
        Value::Object(object) => {
            let number = matches!(object.get("format"), Some(Value::String(f)) if f.starts_with("uint"));
            if number {
                object.remove("format");
            }
            // What is left out is left out; a null would not be of the type.
            if object.get("default").is_some_and(Value::is_null) {
                object.remove("default");
            }
            if let Some(Value::String(text)) = object.get_mut("description") {
                *text = text.replace('\n', " ");
            }
            object.values_mut().for_each(tidy);
        }
        Value::Array(list) => list.iter_mut().for_each(tidy),
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    fn references<'v>(value: &'v Value, into: &mut BTreeSet<&'v str>) {
        match value {
            Value::Object(object) => {
                into.extend(object.get("$ref").and_then(Value::as_str));
                object.values().for_each(|v| references(v, into));
            }
            Value::Array(list) => list.iter().for_each(|v| references(v, into)),
            _ => {}
        }
    }

    #[test]
    fn every_reference_leads_somewhere_and_every_schema_is_used() {
        let document = openapi();
        let mut found = BTreeSet::new();
        references(&document, &mut found);
        for reference in &found {
            let pointer = reference.strip_prefix('#').expect(reference);
            assert!(document.pointer(pointer).is_some(), "{reference}");
        }
        for name in document["components"]["schemas"].as_object().expect("schemas").keys() {
            assert!(found.contains(format!("#/components/schemas/{name}").as_str()), "`{name}` is not used");
            assert!(!name.ends_with('2'), "two types are called `{name}`");
        }
    }

    #[test]
    fn every_operation_says_how_it_refuses_and_what_it_gives() {
        let document = openapi();
        let mut ids = BTreeSet::new();
        for operation in Operation::ALL {
            let method = operation.method().as_str().to_ascii_lowercase();
            let described = &document["paths"][operation.path()][&method];
            assert!(ids.insert(described["operationId"].as_str().expect("an id")), "{operation:?}");
            let responses = &described["responses"];
            assert!(responses.get("401").is_some(), "{operation:?}");
            let may = matches!(operation.access(), Access::May(_));
            assert!(!may || responses.get("403").is_some(), "{operation:?}");
            let given = &responses[operation.status().to_string()];
            let json = given["content"].get("application/json").is_some();
            assert_eq!(json, operation.status() != 204, "{operation:?}");
            for parameter in described["parameters"].as_array().expect("parameters") {
                let described = parameter["in"] == "path" || parameter["description"].is_string();
                assert!(described, "{operation:?}: {parameter}");
            }
        }
        assert_eq!(ids.len(), Operation::ALL.len());
    }

    #[test]
    fn no_default_is_of_another_type() {
        assert!(!openapi().to_string().contains(r#""default":null"#));
    }

    #[test]
    fn what_is_sent_and_what_is_given_are_told_apart() {
        // One name for two shapes would make one of them wrong.
        let mut taken = settings().for_deserialize().into_generator();
        let mut given = settings().for_serialize().into_generator();
        for operation in Operation::ALL {
            operation.shapes(&mut taken, &mut given);
        }
        let (taken, given) = (taken.take_definitions(true), given.take_definitions(true));
        for (name, schema) in &taken {
            assert!(given.get(name).is_none_or(|other| other == schema), "`{name}`");
        }
    }
}
