//! Floors look down only: the rule of `ARCHITECTURE.md`, checked from `cargo metadata`.

use serde_json::Value;

use crate::shell::{Fallible, Outcome};
use crate::workspace::metadata;

/// Where a crate stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Floor {
    /// May use lower floors only. Numbers are tens, so that 3a and 3b are 30 and 35.
    Level(u32),
    /// Beside the house: used by the binary, using nobody.
    Alone,
    /// Tools: may use anything, used by tests only.
    Tool,
}

/// Every crate of the design and its floor. A crate that is not here fails the check: say where it belongs.
const FLOORS: &[(&str, Floor)] = &[
    // All three stand on floor 0; the vocabulary and the hash function are what even cryptography may name.
    ("bastide-sha256", Floor::Level(0)),
    ("bastide-types", Floor::Level(0)),
    ("bastide-crypto", Floor::Level(1)),
    ("bastide-inspect", Floor::Level(10)),
    ("bastide-policy", Floor::Level(10)),
    ("bastide-code", Floor::Level(10)),
    ("bastide-wire", Floor::Level(10)),
    ("bastide-ml", Floor::Level(10)),
    ("bastide-privacy", Floor::Level(10)),
    ("bastide-signing", Floor::Level(10)),
    ("bastide-tlog", Floor::Level(10)),
    ("bastide-anomaly", Floor::Level(10)),
    // Reads the Python that it finds in archives and notebooks through the crate for code.
    ("bastide-artifact", Floor::Level(12)),
    ("bastide-anonymize", Floor::Level(20)),
    ("bastide-attack", Floor::Level(20)),
    ("bastide-explain", Floor::Level(20)),
    ("bastide-redteam", Floor::Level(20)),
    ("bastide-controls", Floor::Level(20)),
    ("bastide-store", Floor::Level(30)),
    ("bastide-audit", Floor::Level(35)),
    ("bastide-identity", Floor::Level(35)),
    ("bastide-gateway", Floor::Level(40)),
    ("bastide-registry", Floor::Level(40)),
    ("bastide-data", Floor::Level(40)),
    ("bastide-watch", Floor::Level(40)),
    ("bastide-respond", Floor::Level(40)),
    ("bastide-govern", Floor::Level(40)),
    ("bastide-admin", Floor::Level(45)),
    ("bastide-api", Floor::Level(50)),
    ("bastide-console", Floor::Level(50)),
    ("bastide", Floor::Level(60)),
    ("bastide-verify", Floor::Alone),
    ("bastide-testkit", Floor::Tool),
    ("xtask", Floor::Tool),
];

const TABLE: &str = "crates/xtask/src/floors.rs";

/// Runs the check and prints what it found.
pub(crate) fn run() -> Fallible<Outcome> {
    let metadata = metadata()?;
    let (crates, edges, faults) = check(&metadata);
    for fault in &faults {
        eprintln!("floors: {fault}");
    }
    if faults.is_empty() {
        println!("floors: {crates} crates, {edges} edges, all downwards");
        return Ok(Outcome::Fine);
    }
    Ok(Outcome::Findings)
}

/// Crates, edges between them, and what is wrong.
fn check(metadata: &Value) -> (usize, usize, Vec<String>) {
    let packages: Vec<&Value> = metadata["packages"].as_array().into_iter().flatten().collect();
    let names: Vec<&str> = packages.iter().filter_map(|package| package["name"].as_str()).collect();
    let mut edges = 0;
    let mut faults = Vec::new();
    for package in &packages {
        let Some(name) = package["name"].as_str() else { continue };
        let Some(floor) = floor_of(name) else {
            faults.push(format!("`{name}` has no floor: add it to the table in {TABLE}"));
            continue;
        };
        for dependency in package["dependencies"].as_array().into_iter().flatten() {
            let Some(target) = dependency["name"].as_str().filter(|target| names.contains(target)) else {
                continue;
            };
            let Some(below) = floor_of(target) else { continue };
            edges += 1;
            let for_tests = dependency["kind"] == "dev";
            if let Some(why) = fault(floor, below, for_tests) {
                let kind = if for_tests { " (for its tests)" } else { "" };
                faults.push(format!("`{name}` depends on `{target}`{kind}: {why}"));
            }
        }
    }
    (names.len(), edges, faults)
}

fn floor_of(name: &str) -> Option<Floor> {
    FLOORS.iter().find(|(known, _)| *known == name).map(|(_, floor)| *floor)
}

fn fault(from: Floor, to: Floor, for_tests: bool) -> Option<&'static str> {
    match (from, to) {
        (Floor::Tool, _) => None,
        (_, Floor::Tool) if for_tests => None,
        (_, Floor::Tool) => Some("tools are for tests only"),
        // An independent verifier is worth something because it repeats none of the writer's mistakes; its tests
        // may well run against the writer.
        (Floor::Alone, _) if for_tests => None,
        (Floor::Alone, _) => Some("it shares no code with what it verifies"),
        (Floor::Level(60), Floor::Alone) => None,
        (Floor::Level(_), Floor::Alone) if for_tests => None,
        (Floor::Level(_), Floor::Alone) => Some("only the binary carries it"),
        (Floor::Level(from), Floor::Level(to)) if to < from => None,
        (Floor::Level(from), Floor::Level(to)) if to == from => {
            Some("crates of one floor do not see each other")
        }
        _ => Some("floors look down only"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn faults(name: &str, dependency: &str, kind: Value) -> Vec<String> {
        let metadata = json!({"packages": [
            {"name": name, "dependencies": [{"name": dependency, "kind": kind}, {"name": "serde", "kind": null}]},
            {"name": dependency, "dependencies": []},
        ]});
        check(&metadata).2
    }

    #[test]
    fn down_is_allowed_and_sideways_and_up_are_not() {
        assert!(faults("bastide-gateway", "bastide-audit", Value::Null).is_empty());
        assert!(faults("bastide-audit", "bastide-store", Value::Null).is_empty());
        assert_eq!(faults("bastide-audit", "bastide-identity", Value::Null).len(), 1);
        assert_eq!(faults("bastide-store", "bastide-audit", Value::Null).len(), 1);
        assert_eq!(faults("bastide-wire", "bastide-inspect", json!("dev")).len(), 1);
    }

    #[test]
    fn the_verifier_stands_alone_and_tools_are_for_tests() {
        assert_eq!(faults("bastide-verify", "bastide-types", Value::Null).len(), 1);
        assert!(faults("bastide-verify", "bastide-audit", json!("dev")).is_empty());
        assert!(faults("bastide", "bastide-verify", Value::Null).is_empty());
        assert_eq!(faults("bastide-gateway", "bastide-verify", Value::Null).len(), 1);
        assert!(faults("bastide-gateway", "bastide-testkit", json!("dev")).is_empty());
        assert_eq!(faults("bastide-gateway", "bastide-testkit", Value::Null).len(), 1);
    }

    #[test]
    fn a_new_crate_is_told_where_to_say_its_floor() {
        let found = faults("bastide-novelty", "bastide-types", Value::Null);
        assert!(found.iter().any(|fault| fault.contains(TABLE)), "{found:?}");
    }
}
