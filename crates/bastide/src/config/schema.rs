//! The JSON Schema of the settings file, and the table of settings that the documentation shows: both from the types
//! that read the file.

use schemars::generate::SchemaSettings;
use serde_json::{Map, Value};

use super::explain::needs_restart;
use super::file::ConfigFile;
use crate::config;
use bastide_admin::Failure;

/// A setting as the documentation has it.
pub(crate) struct Documented {
    pub(crate) name: String,
    pub(crate) kind: String,
    pub(crate) default: Value,
    pub(crate) needs_restart: bool,
    pub(crate) description: String,
}

/// The schema by itself: which settings there are and of what kind.
pub(super) fn shape() -> Value {
    let settings = SchemaSettings::draft07().with(|s| s.inline_subschemas = true);
    let mut schema = settings.into_generator().into_root_schema_for::<ConfigFile>().to_value();
    tidy(&mut schema);
    schema
}

/// The schema, with the defaults in force when nothing is said.
pub(crate) fn schema() -> Result<Value, Failure> {
    let mut schema = shape();
    for explained in config::defaults()? {
        if let Some(found) = property(&mut schema, explained.name)
            && !explained.value.is_null()
        {
            found.insert("default".to_owned(), explained.value);
        }
    }
    Ok(schema)
}

/// TOML has no null, and the formats of Rust's numbers mean nothing to an editor.
fn tidy(schema: &mut Value) {
    let Value::Object(object) = schema else { return };
    if let Some(Value::Array(kinds)) = object.get_mut("type") {
        kinds.retain(|kind| kind != "null");
        if let [one] = kinds.as_slice() {
            let one = one.clone();
            object.insert("type".to_owned(), one);
        }
    }
    if let Some(Value::String(text)) = object.get_mut("description") {
        *text = text.replace('\n', " ");
    }
    object.remove("format");
    object.remove("default");
    for key in ["properties", "items"] {
        match object.get_mut(key) {
            Some(Value::Object(inner)) if key == "properties" => inner.values_mut().for_each(tidy),
            Some(inner) => tidy(inner),
            None => {}
        }
    }
}

fn property<'s>(schema: &'s mut Value, name: &str) -> Option<&'s mut Map<String, Value>> {
    let mut at = schema;
    for part in name.split('.') {
        at = at.get_mut("properties")?.get_mut(part)?;
    }
    at.as_object_mut()
}

/// Every setting of the file.
pub(crate) fn documented() -> Result<Vec<Documented>, Failure> {
    fn walk(prefix: &str, schema: &Value, into: &mut Vec<Documented>) {
        for (key, property) in schema["properties"].as_object().into_iter().flatten() {
            let name = format!("{prefix}{key}");
            if property.get("properties").is_some() {
                walk(&format!("{name}."), property, into);
            } else {
                into.push(Documented {
                    kind: kind(property),
                    default: property["default"].clone(),
                    needs_restart: needs_restart(&name),
                    description: property["description"].as_str().unwrap_or_default().to_owned(),
                    name: name.clone(),
                });
                if property["items"].get("properties").is_some() {
                    walk(&format!("{name}[]."), &property["items"], into);
                }
            }
        }
    }
    let mut all = Vec::new();
    walk("", &schema()?, &mut all);
    Ok(all)
}

/// What may be written, in few words.
fn kind(property: &Value) -> String {
    if let Some(choices) = property["enum"].as_array() {
        let choices: Vec<String> = choices.iter().map(|choice| format!("`{choice}`")).collect();
        return choices.join(", ");
    }
    let kind = match property["type"].as_str() {
        Some("integer") => "whole number",
        Some("number") => "number",
        Some("boolean") => "`true`, `false`",
        Some("array") if property["items"]["type"] == "object" => "list of tables",
        Some("array") => "list of texts",
        _ => "text",
    };
    match (property["minimum"].as_f64().filter(|least| *least != 0.0), property["maximum"].as_f64()) {
        (Some(least), Some(most)) => format!("{kind}, {least} to {most}"),
        (Some(least), None) => format!("{kind}, from {least} on"),
        (None, Some(most)) => format!("{kind}, 0 to {most}"),
        (None, None) => kind.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn the_settings_of_the_file_are_those_that_are_explained() {
        let names: BTreeSet<String> = documented().expect("a schema").into_iter().map(|s| s.name).collect();
        let explained: BTreeSet<String> =
            config::defaults().expect("defaults").iter().map(|e| e.name.to_owned()).collect();
        let unexplained: Vec<_> = names.difference(&explained).filter(|name| !name.contains("[]")).collect();
        assert!(unexplained.is_empty(), "{unexplained:?}");
        // With a dot: of the file. Without a collector the variables of telemetry are not looked at.
        let unknown: Vec<_> = explained.difference(&names).filter(|name| name.contains('.')).collect();
        assert!(unknown.is_empty(), "{unknown:?}");
    }

    #[test]
    fn every_setting_is_described_and_its_bounds_are_those_that_are_checked() {
        for setting in documented().expect("a schema") {
            assert!(setting.description.len() > 10, "`{}` has no description", setting.name);
        }
        let schema = schema().expect("a schema");
        for table in ["limits", "bodies"] {
            for (name, property) in schema["properties"][table]["properties"].as_object().expect("a table") {
                let bounds = [("minimum", -1), ("maximum", 1)];
                for (bound, past) in bounds {
                    let Some(value) = property[bound].as_i64().filter(|value| *value > 0) else { continue };
                    let load = |n: i64| config::load_text(&format!("[{table}]\n{name} = {n}"));
                    assert!(load(value).is_ok(), "{name} = {value}");
                    let refused = load(value + past).expect_err(name).to_string();
                    assert!(refused.contains(&format!("`{table}.{name}`")), "{refused}");
                }
            }
        }
    }
}
