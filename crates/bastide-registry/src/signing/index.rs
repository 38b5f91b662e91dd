//! Index files (`*.index.json`) name the files that a loader opens. What one that is signed names has to be signed too:
//! else a folder that is left out, such as `.git`, would hold the weights.

use std::collections::{BTreeSet, HashSet};
use std::fmt;
use std::io::{self, BufReader, Read as _};

use bastide_signing::ResourcePath;
use serde::Deserialize;
use serde::de::{Deserializer, IgnoredAny, MapAccess, Visitor};

use super::beside::open_regular;
use crate::digest::{DigestError, FoundFile};

/// The longest index that is looked into. Those of models with a million tensors have 100 MB.
const MAX_INDEX_BYTES: u64 = 256 << 20;

/// The most files that an index names; what is beyond is not looked at.
const MAX_FILES: usize = 1 << 16;

/// The first file that an index among `files` names, that is there, and that is not among those covered: the index, and
/// the file.
pub(super) fn uncovered(
    files: &[FoundFile],
    covered: &HashSet<&ResourcePath>,
) -> Result<Option<(ResourcePath, ResourcePath)>, DigestError> {
    for file in files {
        let Some(index) = file.name.as_ref().filter(|name| name.as_str().ends_with(".index.json")) else {
            continue;
        };
        let (Some(folder), true) = (file.path.parent(), covered.contains(index)) else { continue };
        let named = named(file).map_err(|source| DigestError::Io { path: file.path.clone(), source })?;
        let inside = index.as_str().rsplit_once('/').map_or("", |(folder, _)| folder);
        for name in named {
            let whole = if inside.is_empty() { name.clone() } else { format!("{inside}/{name}") };
            // Names that lead out of the model are the scan's matter.
            let Ok(path) = ResourcePath::new(&whole) else { continue };
            if !covered.contains(&path) && folder.join(&name).exists() {
                return Ok(Some((index.clone(), path)));
            }
        }
    }
    Ok(None)
}

fn named(index: &FoundFile) -> io::Result<BTreeSet<String>> {
    #[derive(Default, Deserialize)]
    #[serde(default)]
    struct Index {
        weight_map: Files,
    }
    let file = BufReader::new(open_regular(&index.path)?.take(MAX_INDEX_BYTES));
    // What is no index, or breaks off, is no loader's either.
    let index: Index = match serde_json::from_reader(file) {
        Ok(index) => index,
        Err(error) if error.is_io() => return Err(error.into()),
        Err(_) => Index::default(),
    };
    Ok(index.weight_map.0)
}

/// The values of a map, each once.
#[derive(Default)]
struct Files(BTreeSet<String>);

impl<'de> Deserialize<'de> for Files {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Values;
        impl<'de> Visitor<'de> for Values {
            type Value = Files;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a map from tensors to files")
            }
            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Files, A::Error> {
                let mut files = BTreeSet::new();
                while let Some((_, file)) = map.next_entry::<IgnoredAny, String>()? {
                    if files.len() < MAX_FILES {
                        files.insert(file);
                    }
                }
                Ok(Files(files))
            }
        }
        deserializer.deserialize_map(Values)
    }
}
