//! PyTorch's layout before zip archives: a magic number, a version, facts of the system, the object, the keys of its
//! storages, each a pickle; then the storages (`torch/serialization.py`, `_legacy_save`).

use std::collections::HashMap;

use super::literal::Literal;
use super::machine::{Event, Host, Machine, Next, State};
use super::value::{Kind, Value};
use crate::halt::{Halt, Parsed};
use crate::scan::Scan;
use crate::source::Source;

/// The first pickle of the file, as the pickler writes the magic number, without PROTO.
pub(super) const MAGIC: &[u8] = b"\x8a\x0al\xfc\x9cF\xf9 j\xa8P\x19.";
/// The same in protocols 0 and 1.
pub(super) const MAGIC_TEXT: &[u8] = b"L119547037146038801333356L\n.";
/// Pickles before the storages.
pub(super) const PICKLES: u64 = 5;

/// What a storage holds.
#[derive(Clone, Copy, Debug)]
pub(super) struct Stored {
    /// PyTorch's name of the element type.
    pub(super) name: &'static str,
    pub(super) elements: u64,
}

impl Stored {
    /// Whether tensors count in the elements that the storage counts in.
    pub(super) fn is_plain(self) -> bool {
        !self.name.starts_with('q') && self.name != "uint8"
    }
}

/// Storages that persistent ids ask for, and their sizes.
#[derive(Default)]
pub(super) struct Storages {
    sizes: HashMap<String, u64>,
    /// What is in each, by the opcode that asked for the storage.
    stored: HashMap<u64, Stored>,
    /// Whether some storage's size cannot be told.
    unknown: bool,
}

impl Storages {
    const MOST: usize = 1 << 20;

    /// Notes a persistent id; whether it is one of PyTorch's.
    pub(super) fn note(&mut self, state: &State<'_>, id: Value, offset: u64) -> bool {
        let Some(cell) = state.heap.get(id).filter(|_| id.kind() == Kind::Tuple) else { return false };
        let Some([kind, class, key, rest @ ..]) = cell.items().get(..) else { return false };
        let class = state.global(*class).filter(|_| class.kind() == Kind::Global);
        match (state.text(*kind).as_deref(), class) {
            // Old loaders call the class with the number of elements.
            (Some("storage"), Some(class)) if class.name.ends_with("Storage") => {
                let elements = match rest.get(1).and_then(|numel| state.literal(*numel)) {
                    Some(Literal::Int(numel)) => u64::try_from(numel).ok(),
                    _ => None,
                };
                let name = element_type(&class.name).filter(|_| self.stored.len() < Self::MOST);
                if let Some((name, elements)) = name.zip(elements) {
                    self.stored.insert(offset, Stored { name, elements });
                }
                let size = elements.zip(element_size(&class.name));
                let size = size.and_then(|(elements, size)| elements.checked_mul(size));
                match (state.text(*key), size) {
                    (Some(key), Some(size)) if self.sizes.len() < Self::MOST => {
                        self.sizes.insert(key, size);
                    }
                    _ => self.unknown = true,
                }
                true
            }
            // A module's class with its source code, as text.
            (Some("module"), Some(_)) => true,
            _ => false,
        }
    }

    /// Bytes of all storages with their counts in front, if every size is known.
    pub(super) fn bytes(&self) -> Option<u64> {
        (!self.unknown).then(|| self.sizes.values().fold(0_u64, |sum, size| sum.saturating_add(size + 8)))
    }

    /// What is in a storage.
    pub(super) fn stored(&self, storage: Value) -> Option<Stored> {
        (storage.kind() == Kind::Persistent).then(|| self.stored.get(&storage.offset()).copied())?
    }

    pub(super) fn join(&mut self, other: Storages) {
        self.unknown |= other.unknown;
        self.sizes.extend(other.sizes);
    }
}

/// The storages that the structure of a model asks for, by their keys, and the bytes of each.
pub(crate) fn storages(source: &dyn Source, scan: &mut Scan<'_>) -> Parsed<Vec<(String, u64)>> {
    let mut asked = Asked { storages: Storages::default(), scan };
    match Machine::new(source, 0).run(&mut asked) {
        Err(Halt::Unreadable(error)) => Err(Halt::Unreadable(error)),
        Err(Halt::Limit { what }) => Err(Halt::Limit { what }),
        // Whatever else is wrong is found where the stream is judged.
        _ => {
            let mut sizes: Vec<(String, u64)> = asked.storages.sizes.into_iter().collect();
            sizes.sort_unstable();
            Ok(sizes)
        }
    }
}

/// Hears of storages alone.
struct Asked<'s, 'l> {
    storages: Storages,
    scan: &'s mut Scan<'l>,
}

impl Host for Asked<'_, '_> {
    fn on(&mut self, state: &State<'_>, event: Event<'_>, offset: u64) -> Parsed<Next> {
        if let Event::Persistent { id } = event {
            self.storages.note(state, id, offset);
        }
        Ok(Next::Continue)
    }

    fn spend(&mut self, steps: u64) -> Parsed<()> {
        self.scan.spend(steps)
    }
}

/// PyTorch's name of the element type that a storage class is for.
fn element_type(class: &str) -> Option<&'static str> {
    Some(match class.strip_suffix("Storage")? {
        "Byte" | "Untyped" | "_Untyped" => "uint8",
        "Char" => "int8",
        "Bool" => "bool",
        "QInt8" => "qint8",
        "QUInt8" => "quint8",
        "QUInt4x2" => "quint4x2",
        "QUInt2x4" => "quint2x4",
        "QInt32" => "qint32",
        "Half" => "float16",
        "BFloat16" => "bfloat16",
        "Short" => "int16",
        "Float" => "float32",
        "Int" => "int32",
        "Double" => "float64",
        "Long" => "int64",
        "ComplexFloat" => "complex64",
        "ComplexDouble" => "complex128",
        _ => return None,
    })
}

/// Bytes of one element in a storage of the class.
pub(super) fn element_size(class: &str) -> Option<u64> {
    Some(match class.strip_suffix("Storage")? {
        "Byte" | "Char" | "Bool" | "QInt8" | "QUInt8" | "QUInt4x2" | "QUInt2x4" | "Untyped" | "_Untyped" => 1,
        "Half" | "BFloat16" | "Short" => 2,
        "Float" | "Int" | "QInt32" => 4,
        "Double" | "Long" | "ComplexFloat" => 8,
        "ComplexDouble" => 16,
        _ => return None,
    })
}
