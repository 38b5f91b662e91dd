//! What a scan says.

use std::collections::{BTreeMap, BTreeSet};

use bastide_code::dependencies::Package;
use bastide_types::{Assessment, Rule, Severity};

use crate::format::Format;

/// One thing found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// What kind of thing.
    pub rule: &'static Rule,
    /// This case of it, in a sentence: lower case, no final stop, names from the file in backticks.
    pub message: String,
    /// Offset of its first byte within the file, or within the innermost member.
    pub offset: Option<u64>,
    /// Its line from 1, where the file is a text and the finding lies in no member of it.
    pub line: Option<u64>,
    /// The members that lead to it, outermost first: `archive.zip` → `data.pkl`. Empty for the file itself.
    pub members: Vec<String>,
    /// The call that loading would make, as Python writes it.
    pub call: Option<String>,
    /// How many times it was found in this member; the offset is that of the first.
    pub count: u64,
}

impl Finding {
    /// How bad it is.
    #[must_use]
    pub fn severity(&self) -> Severity {
        self.rule.severity
    }
}

/// A library that a model file names as the one that made it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Library {
    /// Name as in the package index: `scikit-learn`.
    pub name: String,
    /// Version as the file spells it.
    pub version: String,
}

/// A package that a lock file pins.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pinned {
    /// The package.
    pub package: Package,
    /// The members that lead to the lock file, outermost first; empty where the file is one itself.
    pub members: Vec<String>,
}

/// Tensors of one element type.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Tensors {
    /// How many.
    pub count: u64,
    /// Elements in all of them.
    pub elements: u64,
}

/// What the file says of itself, for bills of materials. Strings are cut at [`Facts::TEXT`] bytes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Facts {
    /// Libraries and their versions.
    pub libraries: Vec<Library>,
    /// Packages of lock files.
    pub packages: Vec<Pinned>,
    /// Tensors by the format's own name of their element type (`F32`, `Q4_K`).
    pub tensors: BTreeMap<String, Tensors>,
    /// Further properties under the keys of [`Facts::KEYS`].
    pub properties: BTreeMap<&'static str, String>,
    /// Files beside it that a loader takes with it, as it names them: shards of an index, modules of its code.
    pub files: BTreeSet<String>,
}

impl Facts {
    /// The longest text kept.
    pub const TEXT: usize = 512;
    /// What properties there are: `architecture` (`llama`, `LlamaForCausalLM`), `name`, `author`, `version`, `licence`,
    /// `base_model`, `dataset`, `quantisation`, `task`, `description`, `model_type`, `adapter`, `opset`, `producer`.
    pub const KEYS: &[&str] = &[
        "adapter",
        "architecture",
        "author",
        "base_model",
        "dataset",
        "description",
        "licence",
        "model_type",
        "name",
        "opset",
        "producer",
        "quantisation",
        "task",
        "version",
    ];
    /// The most libraries and element types kept.
    const MANY: usize = 256;

    /// The most packages kept: the lock files of whole companies have some ten thousand.
    const PACKAGES: usize = 100_000;

    /// Notes a package; whether there was room for it.
    pub(crate) fn package(&mut self, package: Package, members: &[String]) -> bool {
        let room = self.packages.len() < Self::PACKAGES;
        if room {
            self.packages.push(Pinned { package, members: members.to_vec() });
        }
        room
    }

    /// Notes a library.
    pub(crate) fn library(&mut self, name: &str, version: &str) {
        let library = Library { name: cut(name), version: cut(version) };
        if self.libraries.len() < Self::MANY && !self.libraries.contains(&library) {
            self.libraries.push(library);
        }
    }

    /// Notes `elements` more elements of type `dtype`, in one tensor.
    pub(crate) fn tensor(&mut self, dtype: &str, elements: u64) {
        if self.tensors.len() >= Self::MANY && !self.tensors.contains_key(dtype) {
            return;
        }
        let tensors = self.tensors.entry(cut(dtype)).or_default();
        tensors.count += 1;
        tensors.elements = tensors.elements.saturating_add(elements);
    }

    /// Notes a file that a loader takes with this one.
    pub(crate) fn file(&mut self, name: &str) {
        const MOST: usize = 4096;
        if self.files.len() < MOST {
            self.files.insert(cut(name));
        }
    }

    /// Notes a property; the first value of a key stays.
    pub(crate) fn property(&mut self, key: &'static str, value: &str) {
        debug_assert!(Self::KEYS.contains(&key), "a key of the list");
        self.properties.entry(key).or_insert_with(|| cut(value));
    }
}

fn cut(text: &str) -> String {
    text[..text.floor_char_boundary(Facts::TEXT)].to_owned()
}

/// What one file is and what was found in it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Report {
    /// The outermost format, by content.
    pub format: Format,
    /// What was found, worst first, then by place.
    pub findings: Vec<Finding>,
    /// Findings beyond [`Limits::findings`](crate::Limits::findings), which are not kept.
    pub more_findings: u64,
    /// The worst that those make of it.
    pub more_effect: Assessment,
    /// What the file says of itself.
    pub facts: Facts,
}

impl Report {
    /// What all findings together make of the file.
    #[must_use]
    pub fn assessment(&self) -> Assessment {
        self.assessment_without(|_| false)
    }

    /// The same, leaving out the findings for which `accepted` says so, by their place in the list.
    #[must_use]
    pub fn assessment_without(&self, accepted: impl Fn(usize) -> bool) -> Assessment {
        let kept =
            self.findings.iter().enumerate().filter(|(i, _)| !accepted(*i)).map(|(_, f)| f.rule.effect);
        kept.fold(self.more_effect, Assessment::max)
    }
}
