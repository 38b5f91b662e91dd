//! A machine-learning bill of materials: CycloneDX 1.6 (ECMA-424).
//!
//! Only what was read in the files themselves is stated; nothing is guessed or asked for.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use bastide_artifact::{Facts, Format, Tensors};
use bastide_code::dependencies::{Ecosystem, Package};
use serde_json::{Map, Value, json};

use crate::render::{hex, purl, severity};
use crate::scan::{Scan, ScannedFile};
use crate::vulnerability::Vulnerability;

/// The bill of materials of a scan made with digests, at `time` (RFC 3339), under `serial` (a random UUID, lower case).
#[must_use]
pub fn cyclonedx(scan: &Scan, name: &str, time: &str, serial: &str) -> Value {
    let components: Vec<Value> = scan.files.iter().enumerate().map(|(i, file)| component(i, file)).collect();
    let libraries = libraries(scan);
    let used =
        |file: &ScannedFile| -> BTreeSet<String> { named(file).map(|package| purl(&package)).collect() };
    let mut dependencies = vec![json!({
        "ref": "artifact",
        "dependsOn": (0..scan.files.len()).map(reference).collect::<Vec<_>>(),
    })];
    dependencies.extend(
        scan.files
            .iter()
            .enumerate()
            .map(|(i, file)| (i, used(file)))
            .filter(|(_, used)| !used.is_empty())
            .map(|(i, used)| json!({"ref": reference(i), "dependsOn": used})),
    );
    let mut bom = json!({
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
    });
    let vulnerabilities = vulnerabilities(scan);
    if !vulnerabilities.is_empty() {
        bom["vulnerabilities"] = vulnerabilities.into();
    }
    bom
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

/// The libraries and packages that the files name, each once.
fn libraries(scan: &Scan) -> Vec<Value> {
    let all: BTreeMap<String, Package> =
        scan.files.iter().flat_map(named).map(|package| (purl(&package), package)).collect();
    all.into_iter()
        .map(|(purl, package)| {
            let mut component =
                json!({"type": "library", "bom-ref": purl, "name": package.name, "purl": purl});
            if !package.version.is_empty() {
                component["version"] = package.version.into();
            }
            component
        })
        .collect()
}

/// What one file names: libraries of Python that made it, and packages that it pins.
fn named(file: &ScannedFile) -> impl Iterator<Item = Package> {
    let facts = &file.report.facts;
    let libraries = facts
        .libraries
        .iter()
        .map(|library| Package::new(Ecosystem::PyPI, &library.name, &library.version, 0));
    libraries.chain(facts.packages.iter().map(|pinned| pinned.package.clone()))
}

/// Each advisory once, with all that it is about.
fn vulnerabilities(scan: &Scan) -> Vec<Value> {
    let mut all: BTreeMap<&str, (&Vulnerability, BTreeSet<&str>)> = BTreeMap::new();
    for found in scan.files.iter().flat_map(|file| &file.vulnerabilities) {
        all.entry(&found.id).or_insert_with(|| (found, BTreeSet::new())).1.insert(&found.purl);
    }
    all.into_values()
        .map(|(found, affected)| {
            let affects: Vec<Value> = affected.into_iter().map(|purl| json!({"ref": purl})).collect();
            let aliases = found.aliases.iter().map(|id| json!({"id": id, "source": {"name": "OSV"}}));
            let mut value = json!({
                "id": found.id,
                "source": {"name": "OSV", "url": format!("https://osv.dev/vulnerability/{}", found.id)},
                "references": aliases.collect::<Vec<_>>(),
                "ratings": [rating(found)],
                "affects": affects,
            });
            if !found.summary.is_empty() {
                value["description"] = found.summary.as_str().into();
            }
            if !found.published.is_empty() {
                value["published"] = found.published.as_str().into();
            }
            let cwes: BTreeSet<u32> =
                found.weaknesses.iter().copied().chain(found.malicious.then_some(EMBEDDED_MALICE)).collect();
            if !cwes.is_empty() {
                value["cwes"] = json!(cwes);
            }
            if found.malicious {
                value["recommendation"] =
                    "Remove it, and revoke what a machine that had it could read.".into();
            } else if !found.fixed.is_empty() {
                value["recommendation"] = format!("Update to {}.", found.fixed.join(" or ")).into();
            }
            value
        })
        .collect()
}

/// CWE-506: embedded malicious code.
const EMBEDDED_MALICE: u32 = 506;

/// How bad it is, with the vector that says so; without one the severity is that of its database.
fn rating(found: &Vulnerability) -> Value {
    let mut rating = json!({"source": {"name": "OSV"}, "severity": severity(found.severity)});
    let Some(vector) = &found.vector else {
        rating["method"] = "other".into();
        return rating;
    };
    rating["vector"] = vector.as_str().into();
    rating["method"] = match vector.get(..8).unwrap_or_default() {
        "CVSS:3.1" => "CVSSv31",
        "CVSS:3.0" => "CVSSv3",
        "CVSS:4.0" => "CVSSv4",
        _ => "other",
    }
    .into();
    if let Some(score) = found.score {
        rating["score"] = score.into();
    }
    rating
}
