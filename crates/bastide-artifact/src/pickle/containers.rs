//! Opcodes of tuples, lists, dictionaries and sets, of the stack and the memo.

use super::machine::{Event, Host, Machine};
use super::value::{Kind, Value, Weight};
use crate::halt::{Halt, Parsed};

impl Machine<'_> {
    #[inline]
    pub(super) fn empty(&mut self, kind: Kind, offset: u64) -> Parsed<()> {
        let value = Value::at(kind, offset);
        self.state.heap.begin(value);
        self.push(value)
    }

    #[inline]
    pub(super) fn tuple_of(&mut self, host: &mut dyn Host, size: usize, offset: u64) -> Parsed<()> {
        let from = self.stack.len().checked_sub(size).filter(|from| *from >= self.fence);
        let from = from.ok_or_else(|| self.underflow())?;
        self.tuple(host, from, offset)
    }

    pub(super) fn tuple(&mut self, host: &mut dyn Host, from: usize, offset: u64) -> Parsed<()> {
        self.held(host, from, offset)?;
        self.telling(host, from, offset)?;
        let plain = Value::at(Kind::Tuple, offset);
        self.state.heap.begin(plain);
        let nodes = self.state.heap.add(plain, self.stack.get(from..).unwrap_or_default());
        self.weigh(host, nodes, offset)?;
        self.stack.truncate(from);
        self.push(Value::new(Kind::Tuple, Weight::of(nodes).0, offset))
    }

    pub(super) fn collect(&mut self, host: &mut dyn Host, kind: Kind, offset: u64) -> Parsed<()> {
        let from = self.unmark()?;
        self.held(host, from, offset)?;
        if kind == Kind::Dict {
            self.made_keys(host, from, offset)?;
        }
        self.telling(host, from, offset)?;
        let value = Value::at(kind, offset);
        self.state.heap.begin(value);
        let nodes = self.state.heap.add(value, self.stack.get(from..).unwrap_or_default());
        self.weigh(host, nodes, offset)?;
        self.stack.truncate(from);
        self.push(value)
    }

    pub(super) fn add_top(&mut self, host: &mut dyn Host, count: usize, offset: u64) -> Parsed<()> {
        let from = self.stack.len().checked_sub(count).filter(|from| *from > self.fence);
        let from = from.ok_or_else(|| self.underflow())?;
        self.add_from(host, from, offset)
    }

    #[inline]
    pub(super) fn add_from(&mut self, host: &mut dyn Host, from: usize, offset: u64) -> Parsed<()> {
        let object = match from.checked_sub(1).and_then(|below| self.stack.get(below)) {
            Some(&object) if from > self.fence => object,
            _ => return Err(self.underflow()),
        };
        self.held(host, from, offset)?;
        self.telling(host, from, offset)?;
        if object.is_container() {
            self.telling_pair(host, object, from, offset)?;
            let nodes = self.state.heap.add(object, self.stack.get(from..).unwrap_or_default());
            self.weigh(host, nodes, offset)?;
            if object.kind() == Kind::Dict {
                self.made_keys(host, from, offset)?;
            }
        } else {
            let items = self.stack.get(from..).unwrap_or_default();
            let special = items.iter().any(|i| i.kind() == Kind::Text && i.number() == Value::SPECIAL);
            self.tell(host, Event::Store { object, special }, offset)?;
        }
        self.stack.truncate(from);
        Ok(())
    }

    /// Picklers add items to sets alone; of anything else, the unpickler calls what it has by the name of `add`.
    pub(super) fn add_to_set(&mut self, host: &mut dyn Host, from: usize, offset: u64) -> Parsed<()> {
        match from.checked_sub(1).and_then(|below| self.stack.get(below)) {
            Some(&object) if !object.is_container() => {
                self.tell(host, Event::Store { object, special: true }, offset)
            }
            _ => Ok(()),
        }
    }

    /// Tells of globals among what goes into a container.
    #[inline]
    fn held(&mut self, host: &mut dyn Host, from: usize, offset: u64) -> Parsed<()> {
        for at in from..self.stack.len() {
            if let Some(&global) = self.stack.get(at)
                && global.kind() == Kind::Global
            {
                self.tell(host, Event::Hold { global }, offset)?;
            }
        }
        Ok(())
    }

    /// Tells of keys that are no literals.
    #[inline]
    fn made_keys(&mut self, host: &mut dyn Host, from: usize, offset: u64) -> Parsed<()> {
        for at in (from..self.stack.len()).step_by(2) {
            if let Some(&key) = self.stack.get(at)
                && matches!(key.kind(), Kind::Instance | Kind::Result)
            {
                self.tell(host, Event::Key { key }, offset)?;
            }
        }
        Ok(())
    }

    /// Tells of keys that say something to the judge, among the keys and values from `from` on: dictionaries are made of
    /// pairs, too.
    #[inline]
    fn telling(&mut self, host: &mut dyn Host, from: usize, offset: u64) -> Parsed<()> {
        for at in (from..self.stack.len()).step_by(2) {
            if let Some(&[key, value]) = self.stack.get(at..at + 2)
                && (key.kind(), key.number()) == (Kind::Text, Value::TELLING)
            {
                self.tell(host, Event::Telling { key, value }, offset)?;
            }
        }
        Ok(())
    }

    /// The same of a list that is given its elements one by one.
    #[inline]
    fn telling_pair(&mut self, host: &mut dyn Host, object: Value, from: usize, offset: u64) -> Parsed<()> {
        let last = self.state.heap.get(object).filter(|_| object.kind() == Kind::List);
        if let Some(&[key]) = last.map(|cell| cell.items())
            && (key.kind(), key.number()) == (Kind::Text, Value::TELLING)
            && let Some(&value) = self.stack.get(from)
        {
            self.tell(host, Event::Telling { key, value }, offset)?;
        }
        Ok(())
    }

    /// Finds what would grow without measure when compared, hashed, copied or printed.
    #[inline]
    pub(super) fn weigh(&mut self, host: &mut dyn Host, nodes: u64, offset: u64) -> Parsed<()> {
        if nodes >= 1 << 20 && nodes / (offset - self.start + 1) >= 1 << 12 {
            let what = format!("{} bytes of pickle stand for {nodes} nested values", offset - self.start + 1);
            self.bomb(host, offset, what)?;
        }
        Ok(())
    }

    pub(super) fn pop_or_unmark(&mut self) -> Parsed<()> {
        if self.marks.last() == Some(&self.stack.len()) {
            return self.unmark().map(drop);
        }
        self.pop().map(drop)
    }

    #[inline]
    pub(super) fn put(&mut self, host: &mut dyn Host, index: u64, offset: u64) -> Parsed<()> {
        let top = self.top()?;
        // Each entry takes a pickler two bytes at least; the C unpickler allocates all up to twice the index.
        if index > offset - self.start + (1 << 16) {
            self.bomb(host, offset, format!("the memo is made to grow to {index} entries"))?;
            return Err(Halt::limit("the memo that the pickle asks for"));
        }
        if let Ok(index) = u32::try_from(index) {
            self.memo.put(index, top);
        }
        Ok(())
    }

    #[inline]
    pub(super) fn get(&mut self, index: u64) -> Parsed<()> {
        match u32::try_from(index).ok().and_then(|index| self.memo.get(index)) {
            Some(value) => self.push(value),
            None => {
                let offset = self.input.position();
                Err(Halt::malformed(offset, format!("the pickle's memo has no entry {index}")))
            }
        }
    }
}
