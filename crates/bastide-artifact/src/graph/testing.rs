//! A writer of protocol buffers for tests.

fn number(mut value: u64) -> Vec<u8> {
    let mut bytes = Vec::new();
    while value > 0x7f {
        bytes.push(value.to_le_bytes()[0] | 0x80);
        value >>= 7;
    }
    bytes.push(value.to_le_bytes()[0]);
    bytes
}

pub(super) fn varint(field: u64, value: u64) -> Vec<u8> {
    [number(field << 3), number(value)].concat()
}

pub(super) fn text(field: u64, text: &str) -> Vec<u8> {
    message(field, &[text.as_bytes().to_vec()])
}

pub(super) fn message(field: u64, parts: &[Vec<u8>]) -> Vec<u8> {
    let body = parts.concat();
    [number(field << 3 | 2), number(body.len() as u64), body].concat()
}

/// A writer of FlatBuffers for tests, from back to front, since references lead forward only.
pub(super) struct Builder {
    identifier: [u8; 4],
    tail: Vec<u8>,
}

/// A field of a table or an element of a vector.
#[derive(Clone, Copy)]
pub(super) enum Slot {
    Number(u32),
    /// What begins so far from the end.
    Object(usize),
}

impl Builder {
    pub(super) fn new(identifier: [u8; 4]) -> Self {
        Builder { identifier, tail: Vec::new() }
    }

    pub(super) fn number(number: u32) -> Slot {
        Slot::Number(number)
    }

    fn put(&mut self, mut bytes: Vec<u8>, skipped: usize) -> Slot {
        bytes.append(&mut self.tail);
        self.tail = bytes;
        Slot::Object(self.tail.len() - skipped)
    }

    /// The bytes of `slots`, which end where the tail begins.
    fn slots(&self, slots: &[Slot]) -> Vec<u8> {
        let value = |(index, slot): (usize, &Slot)| match *slot {
            Slot::Number(number) => number,
            Slot::Object(end) => u32::try_from(self.tail.len() + 4 * (slots.len() - index) - end).unwrap(),
        };
        slots.iter().enumerate().map(value).flat_map(u32::to_le_bytes).collect()
    }

    fn vector(&mut self, count: usize, body: Vec<u8>) -> Slot {
        self.put([u32::try_from(count).unwrap().to_le_bytes().to_vec(), body].concat(), 0)
    }

    pub(super) fn bytes(&mut self, bytes: &[u8]) -> Slot {
        let mut padded = bytes.to_vec();
        padded.resize(bytes.len().next_multiple_of(4), 0);
        self.vector(bytes.len(), padded)
    }

    pub(super) fn numbers(&mut self, numbers: &[i32]) -> Slot {
        self.vector(numbers.len(), numbers.iter().flat_map(|number| number.to_le_bytes()).collect())
    }

    pub(super) fn references(&mut self, objects: &[Slot]) -> Slot {
        let body = self.slots(objects);
        self.vector(objects.len(), body)
    }

    pub(super) fn table(&mut self, fields: &[(u16, Slot)]) -> Slot {
        let entries = usize::from(fields.iter().map(|(id, _)| id + 1).max().unwrap_or(0)).next_multiple_of(2);
        let mut vtable = vec![0_u16; 2 + entries];
        vtable[0] = u16::try_from(2 * vtable.len()).unwrap();
        vtable[1] = u16::try_from(4 + 4 * fields.len()).unwrap();
        for (index, (id, _)) in fields.iter().enumerate() {
            vtable[2 + usize::from(*id)] = u16::try_from(4 + 4 * index).unwrap();
        }
        let slots: Vec<Slot> = fields.iter().map(|(_, slot)| *slot).collect();
        let head: Vec<u8> = vtable.iter().flat_map(|entry| entry.to_le_bytes()).collect();
        let back = i32::try_from(head.len()).unwrap().to_le_bytes();
        let skipped = head.len();
        let body = self.slots(&slots);
        self.put([head, back.to_vec(), body].concat(), skipped)
    }

    pub(super) fn finish(self, root: Slot) -> Vec<u8> {
        let Slot::Object(end) = root else { panic!("a table is the root") };
        let offset = u32::try_from(8 + self.tail.len() - end).unwrap();
        [offset.to_le_bytes().to_vec(), self.identifier.to_vec(), self.tail].concat()
    }
}
