//! The statement of a model signature: a manifest as OpenSSF Model Signing 1.0 writes it.

use std::num::NonZeroU64;

use bastide_crypto::ContentHash;
use serde::{Deserialize, Serialize};
use serde_json::Number;

use crate::hex;
use crate::manifest::{BaseModel, Manifest, ManifestError, Method, Place, Resource, Serialization};
use crate::path::ResourcePath;
use crate::statement::{self, Named, Statement, StatementError};

const PREDICATE: &str = "https://model_signing/signature/v1.0";

/// What version 0.2 of the reference implementation wrote: every file a subject, and no predicate of interest.
const PREDICATE_V0_2: &str = "https://model_signing/Digests/v0.1";

#[derive(Serialize, Deserialize)]
struct Predicate {
    serialization: WireSerialization,
    resources: Vec<WireResource>,
    /// Ours: verifiers of 1.0 ignore properties that they do not know.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    base_model: Option<Named>,
    /// Ours too: with shards, the format has no place for a file without content.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    empty_files: Option<Vec<String>>,
}

#[derive(Serialize, Deserialize)]
struct WireSerialization {
    method: String,
    hash_type: String,
    /// The reference writes a float, since its statements pass through a protobuf `Struct`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    shard_size: Option<Number>,
    allow_symlinks: bool,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    ignore_paths: Vec<String>,
}

#[derive(Serialize, Deserialize)]
struct WireResource {
    name: String,
    algorithm: String,
    digest: String,
}

/// The payload that is signed for a manifest.
pub(crate) fn write(manifest: &Manifest) -> Result<Vec<u8>, StatementError> {
    let serialization = manifest.serialization();
    let algorithm = algorithm(serialization);
    let resources = manifest.resources().iter().map(|resource| WireResource {
        name: resource.place.to_string(),
        algorithm: algorithm.clone(),
        digest: hex::encode(&resource.digest),
    });
    let (method, shard_size) = match serialization.method {
        Method::Files => ("files", None),
        Method::Shards { bytes } => ("shards", Some(bytes.get().into())),
    };
    let predicate = Predicate {
        serialization: WireSerialization {
            method: method.to_owned(),
            hash_type: hash_name(serialization.hash).to_owned(),
            shard_size,
            allow_symlinks: serialization.allow_symlinks,
            ignore_paths: serialization.ignored.iter().map(ResourcePath::to_string).collect(),
        },
        resources: resources.collect(),
        base_model: manifest.base_model().map(|base| Named::new(&base.name, &base.root)),
        empty_files: manifest.empty_files().map(|files| files.iter().map(ResourcePath::to_string).collect()),
    };
    let subject = Named::new(manifest.name(), &manifest.root());
    Ok(serde_json::to_vec(&Statement::new(subject, PREDICATE, predicate))?)
}

/// The manifest that a payload states.
pub(crate) fn read(payload: &[u8]) -> Result<Manifest, StatementError> {
    if statement::predicate_type(payload)? == PREDICATE_V0_2 {
        return read_v0_2(payload);
    }
    let statement = statement::read::<Predicate>(payload, PREDICATE)?;
    let subject = statement.only_subject()?;
    let Predicate { serialization, resources, base_model, empty_files } = &statement.predicate;
    let serialization = serialization.understood()?;
    let resources: Result<Vec<Resource>, _> =
        resources.iter().map(|resource| resource.understood(&serialization)).collect();
    let manifest = Manifest::in_order(subject.name.clone(), serialization, resources?)?;
    if manifest.root() != subject.bytes()? {
        return Err(StatementError::Root);
    }
    let manifest = match empty_files {
        Some(names) => {
            let paths: Result<Vec<_>, _> = names.iter().map(|name| path(name)).collect();
            manifest.with_empty_files(paths?)?
        }
        None => manifest,
    };
    Ok(match base_model {
        Some(base) => manifest.with_base_model(BaseModel { name: base.name.clone(), root: base.bytes()? }),
        None => manifest,
    })
}

fn path(name: &str) -> Result<ResourcePath, ManifestError> {
    ResourcePath::new(name).map_err(|why| ManifestError::Name { name: name.to_owned(), why })
}

/// Whether a payload is one of version 0.2.
pub(crate) fn is_v0_2(payload: &[u8]) -> bool {
    statement::predicate_type(payload).is_ok_and(|found| found == PREDICATE_V0_2)
}

fn read_v0_2(payload: &[u8]) -> Result<Manifest, StatementError> {
    let statement = statement::read::<serde::de::IgnoredAny>(payload, PREDICATE_V0_2)?;
    let resources: Result<Vec<Resource>, StatementError> = statement
        .subject
        .iter()
        .map(|file| {
            let place = Place::parse(&file.name, Method::Files)?;
            Ok(Resource { place, digest: file.bytes()?.to_vec() })
        })
        .collect();
    let serialization = Serialization {
        method: Method::Files,
        hash: ContentHash::Sha256,
        allow_symlinks: false,
        ignored: Vec::new(),
    };
    Ok(Manifest::in_order(String::new(), serialization, resources?)?)
}

impl WireSerialization {
    fn understood(&self) -> Result<Serialization, StatementError> {
        let unsupported = |what: &str| StatementError::Serialization(what.to_owned());
        let hash = hash_of(&self.hash_type).ok_or_else(|| unsupported(&self.hash_type))?;
        let method = match (self.method.as_str(), &self.shard_size) {
            ("files", _) => Method::Files,
            ("shards", Some(size)) => {
                let bytes = whole(size).ok_or_else(|| unsupported(&format!("shards of {size} bytes")))?;
                Method::Shards { bytes }
            }
            ("shards", None) => return Err(unsupported("shards without a size")),
            (other, _) => return Err(unsupported(other)),
        };
        let ignored = self.ignore_paths.iter().filter_map(|path| ignored_path(path)).collect();
        Ok(Serialization { method, hash, allow_symlinks: self.allow_symlinks, ignored })
    }
}

impl WireResource {
    fn understood(&self, serialization: &Serialization) -> Result<Resource, StatementError> {
        // The specification names the hash alone also for shards; the reference adds their size.
        let plain = hash_name(serialization.hash);
        let known = [plain.to_owned(), algorithm(serialization), format!("{}.0", algorithm(serialization))];
        if !known.contains(&self.algorithm) {
            let (name, algorithm) = (self.name.clone(), self.algorithm.clone());
            return Err(StatementError::Algorithm { name, algorithm });
        }
        let place = Place::parse(&self.name, serialization.method)?;
        let digest = hex::decode(&self.digest).ok_or_else(|| StatementError::Digest(self.name.clone()))?;
        Ok(Resource { place, digest })
    }
}

/// What stands as `algorithm` of a resource. For shards that is the reference's spelling, because its verifier compares
/// it and the specification's verifiers go by the serialization.
fn algorithm(serialization: &Serialization) -> String {
    let name = hash_name(serialization.hash);
    match serialization.method {
        Method::Files => name.to_owned(),
        Method::Shards { bytes } => format!("{name}-sharded-{bytes}"),
    }
}

/// A path to ignore in its one spelling; none for what names nothing inside the model, and so hides nothing, and for the
/// model itself: a signature of nothing would hold for everything.
fn ignored_path(text: &str) -> Option<ResourcePath> {
    let parts: Vec<&str> = text.split('/').filter(|part| !matches!(*part, "" | ".")).collect();
    if text.starts_with('/') { None } else { ResourcePath::new(&parts.join("/")).ok() }
}

/// A positive whole number, also where it is written as a float.
fn whole(number: &Number) -> Option<NonZeroU64> {
    /// Up to here every whole number is a float of its own.
    const EXACT: f64 = 9_007_199_254_740_992.0;
    let whole = number.as_u64().or_else(|| {
        let float = number.as_f64().filter(|float| float.fract() == 0.0 && (1.0..=EXACT).contains(float))?;
        format!("{float:.0}").parse().ok()
    })?;
    NonZeroU64::new(whole)
}

const fn hash_name(hash: ContentHash) -> &'static str {
    match hash {
        ContentHash::Sha256 => "sha256",
        ContentHash::Blake2b512 => "blake2b",
        ContentHash::Blake3 => "blake3",
    }
}

fn hash_of(name: &str) -> Option<ContentHash> {
    [ContentHash::Sha256, ContentHash::Blake2b512, ContentHash::Blake3]
        .into_iter()
        .find(|hash| hash_name(*hash) == name)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::{Value, json};

    use super::*;

    fn sample() -> Value {
        let digest = bastide_crypto::sha256(b"a");
        json!({
            "_type": "https://in-toto.io/Statement/v1",
            "subject": [{"name": "m", "digest": {"sha256": hex::encode(&bastide_crypto::sha256(&digest))}}],
            "predicateType": PREDICATE,
            "predicate": {
                "serialization": {"method": "files", "hash_type": "sha256", "allow_symlinks": false,
                    "ignore_paths": ["./model.sig", ".git/", "../outside", "/etc", "."], "later": {}},
                "resources": [{"name": "a", "algorithm": "sha256", "digest": hex::encode(&digest)}],
                "later": 1
            }
        })
    }

    fn with(path: &str, value: Value) -> Result<Manifest, StatementError> {
        let mut statement = sample();
        *statement.pointer_mut(path).unwrap() = value;
        read(&serde_json::to_vec(&statement).unwrap())
    }

    #[test]
    fn unknown_properties_are_ignored_and_ignored_paths_stay_inside() {
        let manifest = read(&serde_json::to_vec(&sample()).unwrap()).unwrap();
        let ignored: Vec<&str> = manifest.serialization().ignored.iter().map(ResourcePath::as_str).collect();
        assert_eq!(ignored, ["model.sig", ".git"]);
    }

    #[test]
    fn what_is_written_is_read_back() {
        for method in [Method::Files, Method::Shards { bytes: NonZeroU64::new(1_000_000).unwrap() }] {
            for hash in [ContentHash::Sha256, ContentHash::Blake2b512, ContentHash::Blake3] {
                let serialization = Serialization { method, hash, allow_symlinks: true, ignored: Vec::new() };
                let name = if method == Method::Files { "tok/a" } else { "tok/a:0:10" };
                let place = Place::parse(name, method).unwrap();
                let resources = vec![Resource { place, digest: vec![7; hash.bytes()] }];
                let base = BaseModel { name: "base".to_owned(), root: [3; 32] };
                let manifest = Manifest::new("m", serialization, resources).unwrap().with_base_model(base);
                assert_eq!(read(&write(&manifest).unwrap()).unwrap(), manifest);
            }
        }
    }

    #[test]
    fn files_without_content_are_compared_where_both_sides_know_them() {
        let method = Method::Shards { bytes: NonZeroU64::new(10).unwrap() };
        let hash = ContentHash::Sha256;
        let ignored = vec![ResourcePath::new("left-out").unwrap()];
        let serialization = Serialization { method, hash, allow_symlinks: false, ignored };
        let place = Place::parse("a:0:10", method).unwrap();
        let manifest =
            Manifest::new("m", serialization, vec![Resource { place, digest: vec![7; 32] }]).unwrap();
        let with = |names: &[&str]| {
            let paths = names.iter().map(|name| ResourcePath::new(name).unwrap()).collect();
            manifest.clone().with_empty_files(paths)
        };
        let signed = with(&["x", "__init__.py"]).unwrap();
        assert_eq!(read(&write(&signed).unwrap()).unwrap(), signed);
        let found = signed.compare(&with(&["__init__.py", "y"]).unwrap()).unwrap_err();
        assert_eq!((found.missing[0].to_string(), found.extra[0].to_string()), ("x".into(), "y".into()));
        manifest.compare(&signed).unwrap();
        for names in [&["a"][..], &["x", "x"], &["left-out/x"]] {
            assert!(with(names).is_err(), "{names:?}");
        }
    }

    #[test]
    fn shards_are_read_in_every_spelling_in_use() {
        let digest = bastide_crypto::sha256(b"a");
        let shards = |size: Value, algorithm: &str| {
            let mut statement = sample();
            statement["predicate"]["serialization"]["method"] = json!("shards");
            statement["predicate"]["serialization"]["shard_size"] = size;
            statement["predicate"]["resources"] =
                json!([{"name": "a:0:1", "algorithm": algorithm, "digest": hex::encode(&digest)}]);
            read(&serde_json::to_vec(&statement).unwrap())
        };
        for (size, algorithm) in [
            (json!(1_000_000.0), "sha256-sharded-1000000"),
            (json!(1_000_000), "sha256-sharded-1000000"),
            (json!(1_000_000.0), "sha256-sharded-1000000.0"),
            (json!(1_000_000), "sha256"),
        ] {
            assert!(shards(size, algorithm).is_ok(), "{algorithm}");
        }
        for size in [json!(0), json!(-1), json!(0.5), json!(1e300), json!("1"), json!(null)] {
            assert!(shards(size.clone(), "sha256").is_err(), "{size}");
        }
        assert!(matches!(shards(json!(10), "sha256-sharded-11"), Err(StatementError::Algorithm { .. })));
    }

    #[test]
    fn a_statement_that_does_not_hold_together_is_refused() {
        let zero = "0".repeat(64);
        assert!(matches!(with("/subject/0/digest/sha256", json!(zero)), Err(StatementError::Root)));
        assert!(matches!(with("/predicate/resources/0/digest", json!(zero)), Err(StatementError::Root)));
        assert!(matches!(with("/_type", json!("x")), Err(StatementError::Type(_))));
        assert!(matches!(with("/predicateType", json!("x")), Err(StatementError::Predicate { .. })));
        let subject = sample()["subject"][0].clone();
        assert!(matches!(with("/subject", json!([subject, subject])), Err(StatementError::Subjects(2))));
        assert!(matches!(with("/subject", json!([])), Err(StatementError::Subjects(0))));
        let escape = with("/predicate/resources/0/name", json!("../a"));
        assert!(matches!(escape, Err(StatementError::Manifest(ManifestError::Name { .. }))));
        assert!(matches!(
            with("/predicate/resources/0/algorithm", json!("md5")),
            Err(StatementError::Algorithm { .. })
        ));
        assert!(matches!(
            with("/predicate/serialization/hash_type", json!("md5")),
            Err(StatementError::Serialization(_))
        ));
        assert!(matches!(
            with("/predicate/serialization/ignore_paths", json!(["a"])),
            Err(StatementError::Manifest(ManifestError::Ignored(_)))
        ));
        let upper = "AB".repeat(32);
        assert!(matches!(
            with("/predicate/resources/0/digest", json!(upper)),
            Err(StatementError::Digest(_))
        ));
    }

    #[test]
    fn a_key_that_stands_twice_is_refused() {
        let text = serde_json::to_string(&sample()).unwrap();
        let twice = text.replacen("\"subject\":", "\"subject\":[],\"subject\":", 1);
        assert_ne!(twice, text);
        assert!(matches!(read(twice.as_bytes()), Err(StatementError::Json(_))));
    }

    #[test]
    fn statements_of_version_0_2_are_read() {
        let digest = hex::encode(&[5; 32]);
        let statement = json!({
            "_type": "https://in-toto.io/Statement/v1", "predicateType": PREDICATE_V0_2, "predicate": {"x": 1},
            "subject": [{"name": "a", "digest": {"sha256": digest}}, {"name": "b/c", "digest": {"sha256": digest}}]
        });
        let manifest = read(&serde_json::to_vec(&statement).unwrap()).unwrap();
        assert_eq!(manifest.resources().len(), 2);
    }

    proptest! {
        #[test]
        fn no_bytes_panic_the_reader(bytes: Vec<u8>, at in 0_usize..600, byte: u8) {
            let _ = read(&bytes);
            let mut payload = serde_json::to_vec(&sample()).unwrap();
            let at = at % payload.len();
            payload[at] = byte;
            let _ = read(&payload);
        }
    }
}
