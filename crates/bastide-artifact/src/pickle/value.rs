//! What the symbolic machine keeps of a Python value: eight bytes.
//!
//! A pickle has no loops: each opcode runs at most once, so the offset of the opcode that made a value is the value's
//! identity. Literals are read again from there when somebody asks; what containers hold is in the
//! [`Heap`](super::heap::Heap).

/// What sort of value it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub(super) enum Kind {
    /// Something the machine no longer knows, or never did.
    Unknown = 0,
    None,
    Bool,
    Int,
    Float,
    Text,
    Bytes,
    Tuple,
    List,
    Dict,
    Set,
    /// Something imported; its number is an index into the stream's globals.
    Global,
    /// What calling a global gave; its number is that global's.
    Instance,
    /// What calling anything else gave.
    Result,
    /// An object that the loader finds by a persistent id.
    Persistent,
    /// An object of the process's extension registry.
    Extension,
}

const KINDS: [Kind; 16] = [
    Kind::Unknown,
    Kind::None,
    Kind::Bool,
    Kind::Int,
    Kind::Float,
    Kind::Text,
    Kind::Bytes,
    Kind::Tuple,
    Kind::List,
    Kind::Dict,
    Kind::Set,
    Kind::Global,
    Kind::Instance,
    Kind::Result,
    Kind::Persistent,
    Kind::Extension,
];

/// One value: its kind, 16 bits whose meaning depends on the kind, and where it was made.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) struct Value(u64);

impl Value {
    /// Offsets have 40 bits: one tebibyte.
    pub(super) const OFFSETS: u64 = 1 << 40;
    pub(super) const UNKNOWN: Value = Value(0);

    #[inline]
    pub(super) fn new(kind: Kind, number: u16, offset: u64) -> Self {
        Value(kind as u64 | u64::from(number) << 8 | offset << 24)
    }

    #[inline]
    pub(super) fn at(kind: Kind, offset: u64) -> Self {
        Value::new(kind, 0, offset)
    }

    #[inline]
    pub(super) fn kind(self) -> Kind {
        KINDS[(self.0 & 15) as usize]
    }

    /// The index of a global, the weight of a tuple, or [`Value::SPECIAL`] or [`Value::TELLING`] of a text.
    #[inline]
    pub(super) fn number(self) -> u16 {
        (self.0 >> 8 & 0xffff) as u16
    }

    /// Where the opcode stands that made it.
    #[inline]
    pub(super) fn offset(self) -> u64 {
        self.0 >> 24
    }

    /// Number of a text that names an attribute which changes how objects behave.
    pub(super) const SPECIAL: u16 = 1;

    /// Number of a text that is a key under which libraries leave their version, or what they evaluate.
    pub(super) const TELLING: u16 = 2;

    /// Whether nothing can come of it but data.
    pub(super) fn is_data(self) -> bool {
        !matches!(
            self.kind(),
            Kind::Unknown | Kind::Global | Kind::Instance | Kind::Result | Kind::Persistent | Kind::Extension
        )
    }

    #[inline]
    pub(super) fn is_container(self) -> bool {
        matches!(self.kind(), Kind::Tuple | Kind::List | Kind::Dict | Kind::Set)
    }
}

/// How many nodes a value has when everything shared in it is written out: 10 bits of mantissa, 6 of exponent,
/// rounded down.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Weight(pub(super) u16);

impl Weight {
    pub(super) fn of(nodes: u64) -> Self {
        let bits = 64 - nodes.leading_zeros();
        let exponent = bits.saturating_sub(10);
        let mantissa = nodes >> exponent;
        Weight(u16::try_from(mantissa | u64::from(exponent) << 10).unwrap_or(u16::MAX))
    }

    pub(super) fn nodes(self) -> u64 {
        u64::from(self.0 & 1023) << (self.0 >> 10)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_keep_their_parts() {
        for kind in KINDS {
            let value = Value::new(kind, 0xfedc, Value::OFFSETS - 1);
            assert_eq!((value.kind(), value.number(), value.offset()), (kind, 0xfedc, Value::OFFSETS - 1));
        }
        assert_eq!(Value::UNKNOWN.kind(), Kind::Unknown);
    }

    #[test]
    fn weights_round_down_by_less_than_a_hundredth() {
        for nodes in [0, 1, 1023, 1024, 1_000_000, u64::MAX] {
            let kept = Weight::of(nodes).nodes();
            assert!(kept <= nodes && nodes - kept <= nodes / 500, "{nodes} became {kept}");
        }
    }
}
