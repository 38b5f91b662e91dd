//! A machine-learning bill of materials: CycloneDX 1.6 (ECMA-424).
//!
//! Only what was read in the files themselves is stated; nothing is guessed or asked for.

use std::collections::BTreeMap;
use std::path::Path;

use bastide_artifact::{Facts, Format, Tensors};
use serde_json::{Map, Value, json};

use crate::render::hex;
use crate::scan::{Scan, ScannedFile};

/// The bill of materials of a scan made with digests, at `time` (RFC 3339), under `serial` (a random UUID, lower case).
#[must_use]
pub fn cyclonedx(scan: &Scan, name: &str, time: &str, serial: &str) -> Value {
    let components: Vec<Value> = scan.files.iter().enumerate().map(|(i, file)| component(i, file)).collect();
    let libraries = libraries(scan);
    let used = |file: &ScannedFile| -> Vec<String> {
        file.report.facts.libraries.iter().map(|l| purl(&l.name, &l.version)).collect()
    };
    let mut dependencies = vec![json!({
        "ref": "artifact",
        "dependsOn": (0..scan.files.len()).map(reference).collect::<Vec<_>>(),
    })];
    dependencies.extend(
        scan.files
            .iter()
            .enumerate()
            .filter(|(_, file)| !file.report.facts.libraries.is_empty())
            .map(|(i, file)| json!({"ref": reference(i), "dependsOn": used(file)})),
    );
    json!({
        "$schema": "http://cyclonedx.org/schema/bom-1.6.schema.json",
        "bomFormat": "CycloneDX",
        "specVersion": "1.6",
        "serialNumber": format!("urn:uuid:{serial}"),
        "version": 1,
        "metadata": {
            "timestamp": time,
            "tools": {"components": [{"type": "application", "name": "bastide", "version": env!("CARGO_PKG_VERSION")}]},
            "component": whole(scan, name),
        },
        "components": components.into_iter().chain(libraries).collect::<Vec<_>>(),
        "dependencies": dependencies,
    })
}

fn reference(i: usize) -> String {
    format!("file-{}", i + 1)
}

/// The artifact as one component, with what all of its files say together.
fn whole(scan: &Scan, name: &str) -> Value {
    let mut facts = Facts::default();
    for file in &scan.files {
        for (key, value) in &file.report.facts.properties {
            facts.properties.entry(key).or_insert_with(|| value.clone());
        }
        for (dtype, tensors) in &file.report.facts.tensors {
            let sum: &mut Tensors = facts.tensors.entry(dtype.clone()).or_default();
            sum.count += tensors.count;
            sum.elements = sum.elements.saturating_add(tensors.elements);
        }
    }
    let mut component = json!({
        "type": "machine-learning-model",
        "bom-ref": "artifact",
        "name": name,
        "properties": properties(&facts, &[("bastide:verdict", scan.assessment().as_str().to_owned())]),
    });
    describe(&facts, &mut component);
    component
}

fn component(i: usize, file: &ScannedFile) -> Value {
    let facts = &file.report.facts;
    let model = !facts.tensors.is_empty() || facts.properties.contains_key("architecture");
    let own = [
        ("bastide:format", file.report.format.as_str().to_owned()),
        ("bastide:verdict", file.assessment().as_str().to_owned()),
        ("bastide:size", file.size.to_string()),
    ];
    let mut component = json!({
        "type": if model { "machine-learning-model" } else { kind(file.report.format) },
        "bom-ref": reference(i),
        "name": shown(&file.path),
        "properties": properties(facts, &own),
    });
    if let Some(digest) = &file.sha256 {
        component["hashes"] = json!([{"alg": "SHA-256", "content": hex(digest)}]);
    }
    if model {
        describe(facts, &mut component);
    }
    component
}

fn shown(path: &Path) -> String {
    path.display().to_string()
}

const fn kind(format: Format) -> &'static str {
    match format {
        Format::Executable => "application",
        Format::Json | Format::Yaml | Format::Text | Format::Xml => "data",
        _ => "file",
    }
}

/// Name, licence, authors and the model card, as far as the file states them.
fn describe(facts: &Facts, component: &mut Value) {
    let property = |key: &str| facts.properties.get(key).map(String::as_str);
    for (field, key) in [("version", "version"), ("description", "description")] {
        if let Some(value) = property(key) {
            component[field] = value.into();
        }
    }
    if let Some(author) = property("author") {
        component["authors"] = json!([{"name": author}]);
    }
    if let Some(licence) = property("licence") {
        component["licenses"] = json!([{"license": {"name": licence}}]);
    }
    if let Some(base) = property("base_model") {
        component["pedigree"] = json!({"ancestors": [{"type": "machine-learning-model", "name": base}]});
    }
    let mut parameters = Map::new();
    if let Some(task) = property("task") {
        parameters.insert("task".to_owned(), task.into());
    }
    if let Some(family) = property("model_type") {
        parameters.insert("architectureFamily".to_owned(), family.into());
    }
    if let Some(architecture) = property("architecture") {
        parameters.insert("modelArchitecture".to_owned(), architecture.into());
    }
    if let Some(dataset) = property("dataset") {
        parameters.insert("datasets".to_owned(), json!([{"type": "dataset", "name": dataset}]));
    }
    if !parameters.is_empty() {
        component["modelCard"] = json!({"modelParameters": parameters});
    }
}

fn properties(facts: &Facts, own: &[(&str, String)]) -> Vec<Value> {
    let mut all: Vec<(String, String)> =
        own.iter().map(|(name, value)| ((*name).to_owned(), value.clone())).collect();
    let elements: u64 = facts.tensors.values().fold(0, |sum, t| sum.saturating_add(t.elements));
    if elements > 0 {
        all.push(("bastide:parameters".to_owned(), elements.to_string()));
    }
    for (dtype, tensors) in &facts.tensors {
        let value = format!("{} tensors, {} elements", tensors.count, tensors.elements);
        all.push((format!("bastide:tensors:{dtype}"), value));
    }
    for key in ["adapter", "opset", "producer", "quantisation"] {
        if let Some(value) = facts.properties.get(key) {
            all.push((format!("bastide:{key}"), value.clone()));
        }
    }
    all.into_iter().map(|(name, value)| json!({"name": name, "value": value})).collect()
}

/// The libraries that the files name, each once.
fn libraries(scan: &Scan) -> Vec<Value> {
    let all: BTreeMap<String, (&str, &str)> = scan
        .files
        .iter()
        .flat_map(|file| &file.report.facts.libraries)
        .map(|library| {
            (purl(&library.name, &library.version), (library.name.as_str(), library.version.as_str()))
        })
        .collect();
    all.into_iter()
        .map(|(purl, (name, version))| {
            json!({"type": "library", "bom-ref": purl, "name": name, "version": version, "purl": purl})
        })
        .collect()
}

/// A package URL (ECMA-427) of the Python package index.
fn purl(name: &str, version: &str) -> String {
    let escaped = |text: &str| -> String {
        text.bytes()
            .map(|byte| match byte {
                b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => {
                    char::from(byte).to_string()
                }
                byte => format!("%{byte:02X}"),
            })
            .collect()
    };
    let name = name.to_ascii_lowercase().replace('_', "-");
    format!("pkg:pypi/{}@{}", escaped(&name), escaped(version))
}
