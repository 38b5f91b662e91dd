//! What is signed of a model: a digest for every file, or for every shard of every file.

use std::collections::{BTreeMap, HashSet};
use std::fmt;
use std::num::NonZeroU64;

use bastide_crypto::{ContentHash, Sha256};

use crate::path::{PathError, ResourcePath};

/// The most resources in a manifest. Two hundred files of a terabyte each in shards of a gigabyte fit.
pub const MAX_RESOURCES: usize = 1 << 18;

/// The most ignored paths: each is compared with every resource.
pub const MAX_IGNORED: usize = 256;

/// How the model was cut into resources and hashed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Serialization {
    /// By file or by shard.
    pub method: Method,
    /// With which function.
    pub hash: ContentHash,
    /// Whether symbolic links to files were followed. If not, there were none.
    pub allow_symlinks: bool,
    /// What was left out, in the model's root or below; a folder stands for all that is in it.
    pub ignored: Vec<ResourcePath>,
}

/// What one resource is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Method {
    /// A file.
    Files,
    /// A piece of a file, so that one file is hashed on all cores.
    Shards {
        /// Bytes of each but the last of a file.
        bytes: NonZeroU64,
    },
}

/// Where the bytes of a resource are.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Place {
    /// The file; none where the model is one file and no folder.
    pub path: Option<ResourcePath>,
    /// The part of it, where resources are shards.
    pub shard: Option<Shard>,
}

/// Bytes of a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Shard {
    /// The first.
    pub start: u64,
    /// After the last.
    pub end: u64,
}

/// A resource and its digest.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Resource {
    /// Which bytes.
    pub place: Place,
    /// Their digest, with the function of the manifest's serialization.
    pub digest: Vec<u8>,
}

/// Another model that this one is made for, such as the base of an adapter.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BaseModel {
    /// What its signature calls it.
    pub name: String,
    /// The root digest of its signature.
    pub root: [u8; 32],
}

/// The digests of a whole model. Names are unique and stay inside it, and digests have the function's length.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Manifest {
    name: String,
    serialization: Serialization,
    resources: Vec<Resource>,
    base_model: Option<BaseModel>,
    empty_files: Option<Vec<ResourcePath>>,
}

/// A manifest that promises less than it seems to.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ManifestError {
    /// A manifest of nothing holds for every model.
    #[error("it covers nothing")]
    Empty,
    /// Beyond [`MAX_RESOURCES`].
    #[error("it has more than {MAX_RESOURCES} resources; use larger shards")]
    TooMany,
    /// Beyond [`MAX_IGNORED`].
    #[error("it has more than {MAX_IGNORED} ignored paths; ignore a folder instead")]
    TooManyIgnored,
    /// Two digests for one place.
    #[error("`{0}` is in it twice")]
    Twice(Place),
    /// A digest of another length than its function gives.
    #[error("the digest of `{0}` has the wrong length")]
    DigestLength(Place),
    /// A shard where resources are files, a file where they are shards, or a shard of impossible bounds.
    #[error("`{0}` does not fit the serialization")]
    Misplaced(Place),
    /// The manifest says of one name both that it is signed and that it is left out.
    #[error("`{0}` is signed although it is among the ignored paths")]
    Ignored(Place),
    /// A name that is none.
    #[error("the resource name `{name}` is refused: {why}")]
    Name {
        /// As it stands there.
        name: String,
        /// What is wrong with it.
        why: PathError,
    },
}

/// How a model differs from what was signed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Mismatch {
    /// Signed, and not there.
    pub missing: Vec<Place>,
    /// There, and not signed.
    pub extra: Vec<Place>,
    /// There, with other bytes.
    pub changed: Vec<Place>,
}

impl Manifest {
    /// From digests that are known, in any order; they are put in the specification's: by the code points of the whole
    /// name. (The reference implementation orders by parts of the path. No verifier may depend on either.)
    ///
    /// # Errors
    /// When it covers nothing, or a resource does not fit the serialization, is there twice or is to be ignored.
    pub fn new(
        name: impl Into<String>,
        serialization: Serialization,
        mut resources: Vec<Resource>,
    ) -> Result<Self, ManifestError> {
        // Bytes of UTF-8 compare as code points do.
        resources.sort_by_cached_key(|resource| resource.place.to_string());
        Manifest::in_order(name.into(), serialization, resources)
    }

    /// The same with the order as it stands, which the root digest depends on.
    pub(crate) fn in_order(
        name: String,
        serialization: Serialization,
        resources: Vec<Resource>,
    ) -> Result<Self, ManifestError> {
        match resources.len() {
            0 => return Err(ManifestError::Empty),
            1..=MAX_RESOURCES => {}
            _ => return Err(ManifestError::TooMany),
        }
        if serialization.ignored.len() > MAX_IGNORED {
            return Err(ManifestError::TooManyIgnored);
        }
        let one_file = resources.iter().all(|resource| resource.place.path.is_none());
        let mut seen = HashSet::with_capacity(resources.len());
        for Resource { place, digest } in &resources {
            if digest.len() != serialization.hash.bytes() {
                return Err(ManifestError::DigestLength(place.clone()));
            }
            if !place.fits(serialization.method) || (place.path.is_none() && !one_file) {
                return Err(ManifestError::Misplaced(place.clone()));
            }
            if place.path.as_ref().is_some_and(|path| serialization.ignored.iter().any(|it| path.is_in(it))) {
                return Err(ManifestError::Ignored(place.clone()));
            }
            if !seen.insert(place) {
                return Err(ManifestError::Twice(place.clone()));
            }
        }
        Ok(Manifest { name, serialization, resources, base_model: None, empty_files: None })
    }

    /// Says which model this one is made for; the signature then covers that too.
    #[must_use]
    pub fn with_base_model(mut self, base: BaseModel) -> Self {
        self.base_model = Some(base);
        self
    }

    /// Says which files without content the model has, where resources are shards and the format leaves those out. They
    /// are compared as other files are.
    ///
    /// # Errors
    /// When one is a resource as well, is to be ignored or is there twice, or resources are files.
    pub fn with_empty_files(mut self, mut files: Vec<ResourcePath>) -> Result<Self, ManifestError> {
        let of = |path: &ResourcePath| Place { path: Some(path.clone()), shard: None };
        if files.len() > MAX_RESOURCES {
            return Err(ManifestError::TooMany);
        }
        files.sort();
        let known: HashSet<&ResourcePath> =
            self.resources.iter().filter_map(|it| it.place.path.as_ref()).collect();
        for (at, path) in files.iter().enumerate() {
            if self.serialization.method == Method::Files {
                return Err(ManifestError::Misplaced(of(path)));
            }
            if known.contains(path) || files.get(at + 1) == Some(path) {
                return Err(ManifestError::Twice(of(path)));
            }
            if self.serialization.ignored.iter().any(|it| path.is_in(it)) {
                return Err(ManifestError::Ignored(of(path)));
            }
        }
        self.empty_files = Some(files);
        Ok(self)
    }

    /// The files without content that a manifest of shards names; none where it does not say.
    #[must_use]
    pub fn empty_files(&self) -> Option<&[ResourcePath]> {
        self.empty_files.as_deref()
    }

    /// What the model is called; for people, and no part of any comparison.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// How it was cut and hashed.
    #[must_use]
    pub fn serialization(&self) -> &Serialization {
        &self.serialization
    }

    /// Every resource.
    #[must_use]
    pub fn resources(&self) -> &[Resource] {
        &self.resources
    }

    /// The model that this one is made for.
    #[must_use]
    pub fn base_model(&self) -> Option<&BaseModel> {
        self.base_model.as_ref()
    }

    /// The root digest: SHA-256 over all digests in order. It says nothing of names; only the statement does.
    #[must_use]
    pub fn root(&self) -> [u8; 32] {
        let mut hasher = Sha256::new();
        self.resources.iter().for_each(|resource| hasher.update(&resource.digest));
        hasher.finish()
    }

    /// Compares what was signed with what is there, in whatever order either lists it. Files without content are compared
    /// where both say which there are.
    ///
    /// # Errors
    /// When a resource is missing, was added or has another digest.
    pub fn compare(&self, actual: &Manifest) -> Result<(), Mismatch> {
        let mut mismatch = Mismatch::default();
        let mut there: BTreeMap<&Place, &[u8]> = actual.by_place().collect();
        for (place, digest) in self.by_place() {
            match there.remove(place) {
                None => mismatch.missing.push(place.clone()),
                Some(found) if found != digest => mismatch.changed.push(place.clone()),
                Some(_) => {}
            }
        }
        mismatch.extra = there.into_keys().cloned().collect();
        if let (Some(signed), Some(found)) = (&self.empty_files, &actual.empty_files) {
            let of = |path: &ResourcePath| Place { path: Some(path.clone()), shard: None };
            let absent = |from: &[ResourcePath], path: &ResourcePath| from.binary_search(path).is_err();
            mismatch.missing.extend(signed.iter().filter(|it| absent(found, it)).map(of));
            mismatch.extra.extend(found.iter().filter(|it| absent(signed, it)).map(of));
            mismatch.extra.sort();
        }
        mismatch.missing.sort();
        mismatch.changed.sort();
        if mismatch == Mismatch::default() { Ok(()) } else { Err(mismatch) }
    }

    fn by_place(&self) -> impl Iterator<Item = (&Place, &[u8])> {
        self.resources.iter().map(|resource| (&resource.place, resource.digest.as_slice()))
    }
}

impl Place {
    /// Reads the name of a resource. A path may hold colons, so bounds are taken from its end.
    ///
    /// # Errors
    /// When the path or the bounds are none.
    pub(crate) fn parse(name: &str, method: Method) -> Result<Self, ManifestError> {
        let refused = |why| ManifestError::Name { name: name.to_owned(), why };
        let (path, shard) = match method {
            Method::Files => (name, None),
            Method::Shards { .. } => {
                let (path, shard) = split_bounds(name).ok_or(refused(PathError::Character))?;
                (path, Some(shard))
            }
        };
        // The reference names the only file of a model that is a file `.`.
        let path = if path == "." { None } else { Some(ResourcePath::new(path).map_err(refused)?) };
        Ok(Place { path, shard })
    }

    fn fits(&self, method: Method) -> bool {
        match (method, self.shard) {
            (Method::Files, None) => true,
            (Method::Shards { bytes }, Some(shard)) => {
                shard.start % bytes == 0
                    && shard
                        .end
                        .checked_sub(shard.start)
                        .is_some_and(|length| 0 < length && length <= bytes.get())
            }
            _ => false,
        }
    }
}

fn split_bounds(name: &str) -> Option<(&str, Shard)> {
    let (rest, end) = name.rsplit_once(':')?;
    let (path, start) = rest.rsplit_once(':')?;
    Some((path, Shard { start: decimal(start)?, end: decimal(end)? }))
}

/// One spelling of each number: `+1`, `01` and the empty text are none.
fn decimal(text: &str) -> Option<u64> {
    let number: u64 = text.parse().ok()?;
    (number.to_string() == text).then_some(number)
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.path.as_ref().map_or(".", ResourcePath::as_str))?;
        match self.shard {
            Some(Shard { start, end }) => write!(f, ":{start}:{end}"),
            None => Ok(()),
        }
    }
}

impl fmt::Display for Mismatch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        const SHOWN: usize = 5;
        f.write_str("the model is not what was signed")?;
        for (what, places) in [("missing", &self.missing), ("added", &self.extra), ("changed", &self.changed)]
        {
            if places.is_empty() {
                continue;
            }
            write!(f, "; {what}: ")?;
            for (index, place) in places.iter().take(SHOWN).enumerate() {
                write!(f, "{}`{place}`", if index == 0 { "" } else { ", " })?;
            }
            if let Some(more @ 1..) = places.len().checked_sub(SHOWN) {
                write!(f, " and {more} more")?;
            }
        }
        Ok(())
    }
}

impl std::error::Error for Mismatch {}

#[cfg(test)]
mod tests {
    use super::*;

    fn by_file() -> Serialization {
        Serialization {
            method: Method::Files,
            hash: ContentHash::Sha256,
            allow_symlinks: false,
            ignored: vec![ResourcePath::new(".git").unwrap()],
        }
    }

    fn by_shard(bytes: u64) -> Serialization {
        Serialization { method: Method::Shards { bytes: NonZeroU64::new(bytes).unwrap() }, ..by_file() }
    }

    fn resource(name: &str, method: Method, digest: u8) -> Resource {
        Resource { place: Place::parse(name, method).unwrap(), digest: vec![digest; 32] }
    }

    fn files(entries: &[(&str, u8)]) -> Result<Manifest, ManifestError> {
        let resources = entries.iter().map(|(name, digest)| resource(name, Method::Files, *digest)).collect();
        Manifest::new("m", by_file(), resources)
    }

    #[test]
    fn resources_are_in_the_order_of_code_points() {
        let manifest = files(&[("tok/a", 1), ("b", 2), ("tok.json", 3)]).unwrap();
        let names: Vec<String> = manifest.resources().iter().map(|it| it.place.to_string()).collect();
        assert_eq!(names, ["b", "tok.json", "tok/a"]);
    }

    #[test]
    fn every_kind_of_difference_is_told_and_order_is_none() {
        let signed = files(&[("a", 1), ("b", 2), ("c", 3)]).unwrap();
        let mut reordered = signed.clone();
        reordered.resources.reverse();
        assert_eq!(signed.compare(&reordered), Ok(()));
        let mismatch = signed.compare(&files(&[("a", 1), ("b", 9), ("d", 4)]).unwrap()).unwrap_err();
        assert_eq!(
            mismatch.to_string(),
            "the model is not what was signed; missing: `c`; added: `d`; changed: `b`"
        );
    }

    #[test]
    fn what_promises_less_than_it_seems_is_no_manifest() {
        assert_eq!(files(&[]), Err(ManifestError::Empty));
        assert!(matches!(files(&[("a", 1), ("a", 1)]), Err(ManifestError::Twice(_))));
        assert!(matches!(files(&[(".git/x", 1)]), Err(ManifestError::Ignored(_))));
        assert!(matches!(files(&[(".", 1), ("a", 1)]), Err(ManifestError::Misplaced(_))));
        assert!(files(&[(".", 1)]).is_ok(), "the model is one file");
        let short = Resource { digest: vec![1; 31], ..resource("a", Method::Files, 1) };
        assert!(matches!(Manifest::new("m", by_file(), vec![short]), Err(ManifestError::DigestLength(_))));
    }

    #[test]
    fn bounds_of_shards_are_those_of_the_serialization() {
        let serialization = by_shard(10);
        for (name, fits) in [
            ("a:0:10", true),
            ("a:10:13", true),
            ("a:b:10:13", true),
            ("a:0:11", false),
            ("a:5:10", false),
            ("a:10:10", false),
            ("a:20:10", false),
        ] {
            let resources = vec![resource(name, serialization.method, 1)];
            assert_eq!(Manifest::new("m", serialization.clone(), resources).is_ok(), fits, "{name}");
        }
        for name in ["a", "a:0", "a:+0:10", "a:00:10", "a:0:1e1", "a:0:-1", "../a:0:10", ":0:10"] {
            assert!(Place::parse(name, serialization.method).is_err(), "{name}");
        }
    }

    #[test]
    fn the_root_depends_on_digests_and_order_alone() {
        let one = files(&[("a", 1), ("b", 2)]).unwrap();
        assert_eq!(one.root(), files(&[("x", 1), ("y", 2)]).unwrap().root());
        assert_ne!(one.root(), files(&[("a", 2), ("b", 1)]).unwrap().root());
        assert_eq!(one.root(), bastide_crypto::sha256(&[[1; 32], [2; 32]].concat()));
    }
}
