//! The wire format of protocol buffers, without a schema: <https://protobuf.dev/programming-guides/encoding/>.
//!
//! Models of gigabytes are walked by offset: what is not asked for is never read. Fields that stand twice are given
//! twice, because parsers merge them.

use crate::halt::{Halt, Parsed};
use crate::source::{Cursor, Source};

/// A range of the file: a message, or the bytes of a field.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Span {
    pub(super) start: u64,
    pub(super) end: u64,
}

impl Span {
    pub(super) fn size(self) -> u64 {
        self.end.saturating_sub(self.start)
    }
}

/// What a field holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Value {
    Varint(u64),
    Fixed64(u64),
    Bytes(Span),
    Fixed32(u32),
    /// A group, by where it ends: no schema of a model has any, and parsers pass over it.
    Group(u64),
}

/// One field.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Field {
    pub(super) number: u64,
    pub(super) value: Value,
    /// Offset of its tag.
    pub(super) at: u64,
}

/// A reader of messages.
pub(super) struct Proto<'a> {
    pub(super) source: &'a dyn Source,
    cursor: Cursor<'a>,
}

impl<'a> Proto<'a> {
    pub(super) fn new(source: &'a dyn Source) -> Self {
        Proto { source, cursor: Cursor::new(source) }
    }

    /// The whole file as one message.
    pub(super) fn whole(&self) -> Span {
        Span { start: 0, end: self.source.size() }
    }

    /// Takes the next field from the front of `message`; nothing at its end.
    ///
    /// # Errors
    ///
    /// [`Halt::Truncated`] where the file ends before the field does, [`Halt::Malformed`] where the message does.
    pub(super) fn next(&mut self, message: &mut Span) -> Parsed<Option<Field>> {
        if message.start >= message.end {
            return Ok(None);
        }
        let at = message.start;
        self.cursor.seek(at);
        let tag = self.varint()?;
        let number = tag >> 3;
        if number == 0 || number >= 1 << 29 {
            return Err(Halt::malformed(at, "a field has an impossible number"));
        }
        let value = match tag & 7 {
            // Parsers pass over groups that they do not know.
            3 => self.group(number, message.end)?,
            0 => Value::Varint(self.varint()?),
            1 => Value::Fixed64(self.cursor.u64_le()?),
            2 => Value::Bytes(self.bytes()?),
            5 => Value::Fixed32(self.cursor.u32_le()?),
            _ => return Err(Halt::malformed(at, "a field has an impossible type")),
        };
        message.start = match value {
            Value::Bytes(span) => span.end,
            Value::Group(end) => end,
            _ => self.cursor.position(),
        };
        if message.start > message.end {
            return Err(if message.start > self.source.size() {
                Halt::Truncated { offset: self.source.size() }
            } else {
                Halt::malformed(at, "a field reaches past its message")
            });
        }
        Ok(Some(Field { number, value, at }))
    }

    /// The fields up to the end of a group, as bytes.
    fn group(&mut self, number: u64, end: u64) -> Parsed<Value> {
        const DEEPEST: usize = 64;
        let start = self.cursor.position();
        let mut open = vec![number];
        while let Some(&innermost) = open.last() {
            let at = self.cursor.position();
            if at >= end {
                return Err(Halt::malformed(start, "a group has no end"));
            }
            let tag = self.varint()?;
            match tag & 7 {
                0 => {
                    self.varint()?;
                }
                1 => self.cursor.skip(8)?,
                2 => {
                    let span = self.bytes()?;
                    self.cursor.skip(span.size())?;
                }
                3 if open.len() >= DEEPEST => return Err(Halt::limit(format!("{DEEPEST} levels of groups"))),
                3 => open.push(tag >> 3),
                4 if tag >> 3 == innermost => {
                    open.pop();
                }
                5 => self.cursor.skip(4)?,
                _ => return Err(Halt::malformed(at, "a group ends wrongly")),
            }
        }
        Ok(Value::Group(self.cursor.position()))
    }

    /// The next number of a packed field.
    pub(super) fn packed(&mut self, span: &mut Span) -> Parsed<Option<u64>> {
        if span.start >= span.end {
            return Ok(None);
        }
        self.cursor.seek(span.start);
        let value = self.varint()?;
        span.start = self.cursor.position();
        Ok(Some(value))
    }

    fn varint(&mut self) -> Parsed<u64> {
        let at = self.cursor.position();
        let bytes = self.cursor.peek(10)?;
        let mut value = 0_u64;
        for (index, byte) in bytes.iter().take(10).enumerate() {
            value |= u64::from(byte & 0x7f) << (7 * index);
            if byte & 0x80 == 0 {
                self.cursor.skip(index as u64 + 1)?;
                return Ok(value);
            }
        }
        if bytes.len() < 10 {
            return Err(Halt::Truncated { offset: self.source.size() });
        }
        Err(Halt::malformed(at, "a number has more than 64 bits"))
    }

    fn bytes(&mut self) -> Parsed<Span> {
        let size = self.varint()?;
        let start = self.cursor.position();
        Ok(Span { start, end: start.saturating_add(size) })
    }

    /// The first `most` bytes of a field as text; what is not UTF-8 is replaced.
    pub(super) fn text(&mut self, span: Span, most: usize) -> Parsed<String> {
        self.cursor.seek(span.start);
        let size = usize::try_from(span.size()).unwrap_or(usize::MAX).min(most);
        Ok(String::from_utf8_lossy(self.cursor.take(size)?).into_owned())
    }
}

/// The longest name read; paths and names of operators are shorter.
pub(super) const NAME: usize = 4096;

/// What can be said of a message without its schema: the fields that it begins with.
pub(super) struct Outline {
    pub(super) fields: Vec<Field>,
}

impl Outline {
    /// The first `most` fields of `message`; nothing where the bytes are no message. One that the file cuts off is as good
    /// as its first fields.
    pub(super) fn of(proto: &mut Proto<'_>, mut message: Span, most: usize) -> Option<Outline> {
        let mut fields = Vec::new();
        while fields.len() < most {
            let before = message;
            match proto.next(&mut message) {
                Ok(Some(field)) => fields.push(field),
                Ok(None) => break,
                Err(Halt::Truncated { offset }) => {
                    // What the file cuts off may be all there is: a model whose graph is one field.
                    if let Some(cut) = proto.cut(before, offset) {
                        fields.push(cut);
                    }
                    break;
                }
                Err(_) => return None,
            }
        }
        Some(Outline { fields })
    }

    /// The first bytes of field `number`.
    pub(super) fn bytes(&self, number: u64) -> Option<Span> {
        self.all_bytes(number).next()
    }

    /// Every field `number` of bytes.
    pub(super) fn all_bytes(&self, number: u64) -> impl Iterator<Item = Span> {
        self.fields.iter().filter_map(move |field| match field.value {
            Value::Bytes(span) if field.number == number => Some(span),
            _ => None,
        })
    }

    pub(super) fn varint(&self, number: u64) -> Option<u64> {
        self.fields.iter().find_map(|field| match field.value {
            Value::Varint(value) if field.number == number => Some(value),
            _ => None,
        })
    }

    /// Whether every field is one of `numbers` of bytes or one of `varints`.
    pub(super) fn only(&self, numbers: &[u64], varints: &[u64]) -> bool {
        self.fields.iter().all(|field| match field.value {
            Value::Bytes(_) => numbers.contains(&field.number),
            Value::Varint(_) => varints.contains(&field.number),
            _ => false,
        })
    }
}

impl Proto<'_> {
    /// The field of bytes at the front of `message` that the file ends in, cut there.
    fn cut(&mut self, message: Span, end: u64) -> Option<Field> {
        self.cursor.seek(message.start);
        let tag = self.varint().ok()?;
        let start = self.bytes().ok()?.start;
        let (number, at) = (tag >> 3, message.start);
        (tag & 7 == 2 && number > 0 && start <= end).then_some(Field {
            number,
            value: Value::Bytes(Span { start, end }),
            at,
        })
    }

    /// Whether the bytes are a name: letters, digits and the marks that names of operators have.
    pub(super) fn is_name(&mut self, span: Span) -> bool {
        (1..256).contains(&span.size())
            && self.text(span, 256).is_ok_and(|text| {
                text.chars()
                    .all(|c| c.is_ascii_alphanumeric() || matches!(c, '_' | '>' | '.' | ':' | '-' | '/'))
            })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn fields(bytes: &[u8]) -> Parsed<Vec<(u64, Value)>> {
        let mut proto = Proto::new(&bytes);
        let mut message = proto.whole();
        let mut fields = Vec::new();
        while let Some(field) = proto.next(&mut message)? {
            fields.push((field.number, field.value));
        }
        Ok(fields)
    }

    #[test]
    fn fields_are_given_in_order_and_twice() {
        let bytes = b"\x08\x96\x01\x12\x02hi\x08\x01\x25\x01\0\0\0\x29\x02\0\0\0\0\0\0\0";
        let span = Span { start: 5, end: 7 };
        let expected = [
            (1, Value::Varint(150)),
            (2, Value::Bytes(span)),
            (1, Value::Varint(1)),
            (4, Value::Fixed32(1)),
            (5, Value::Fixed64(2)),
        ];
        assert_eq!(fields(bytes).unwrap(), expected);
    }

    #[test]
    fn groups_are_passed_over() {
        // Field 1: a group with a number, a text, and a group of its own; then field 2.
        let bytes = b"\x0b\x08\x07\x12\x02hi\x1b\x1c\x0c\x10\x05";
        assert_eq!(fields(bytes).unwrap(), [(1, Value::Group(10)), (2, Value::Varint(5))]);
        for bytes in [b"\x0b\x08\x07".as_slice(), b"\x0b\x14", b"\x0c"] {
            assert!(fields(bytes).is_err(), "{bytes:x?}");
        }
    }

    #[test]
    fn field_zero_and_long_numbers_are_refused() {
        for bytes in [b"\x00\x01".as_slice(), b"\x08\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01"] {
            assert!(matches!(fields(bytes), Err(Halt::Malformed { .. })), "{bytes:x?}");
        }
        assert!(matches!(fields(b"\x12\x05hi"), Err(Halt::Truncated { .. })));
    }

    proptest! {
        #[test]
        fn no_bytes_panic(bytes: Vec<u8>) {
            let _ = fields(&bytes);
            let mut proto = Proto::new(&bytes);
            let whole = proto.whole();
            let _ = Outline::of(&mut proto, whole, 8);
        }
    }
}
