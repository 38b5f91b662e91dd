//! The unpickler's memo, in bounded memory.

use std::collections::HashMap;

use super::value::{Kind, Value};

/// Entries of one page.
const PAGE: usize = 1 << 16;

/// What PUT and MEMOIZE keep and GET fetches.
///
/// The first [`Memo::DENSE`] entries are kept as they are. Of later ones only what may be imported or called is kept,
/// and names for imports; the rest comes back as [`Value::UNKNOWN`], whose use as a name or callee is a finding.
#[derive(Default)]
pub(super) struct Memo {
    /// As long as what was put into them needs, up to [`PAGE`].
    pages: Vec<Vec<Slot>>,
    late: HashMap<u32, Value>,
    /// How many indices are set: what CPython's MEMOIZE takes for the next one.
    count: u64,
}

#[derive(Clone, Copy)]
struct Slot(Option<Value>);

impl Memo {
    /// 48 MiB of entries, and as many bytes for each of which it is not known whether there is one.
    const DENSE: u32 = 6 << 20;
    const LATE: usize = 1 << 19;

    #[inline]
    pub(super) fn get(&self, index: u32) -> Option<Value> {
        if index >= Self::DENSE {
            return self.late(index);
        }
        self.pages.get(index as usize / PAGE)?.get(index as usize % PAGE)?.0
    }

    #[cold]
    fn late(&self, index: u32) -> Option<Value> {
        self.late.get(&index).copied().or((u64::from(index) < self.count).then_some(Value::UNKNOWN))
    }

    #[inline]
    pub(super) fn put(&mut self, index: u32, value: Value) {
        if index >= Self::DENSE {
            return self.put_late(index, value);
        }
        let number = index as usize / PAGE;
        if number >= self.pages.len() {
            self.pages.resize_with(number + 1, Vec::new);
        }
        let page = &mut self.pages[number];
        let at = index as usize % PAGE;
        if at >= page.len() {
            grow(page, at);
        }
        let slot = &mut page[at];
        self.count += u64::from(slot.0.is_none());
        slot.0 = Some(value);
    }

    #[cold]
    fn put_late(&mut self, index: u32, value: Value) {
        let kept = value.kind() == Kind::Text || !value.is_data();
        if u64::from(index) >= self.count && (self.late.is_empty() || !self.late.contains_key(&index)) {
            self.count += 1;
        }
        if kept && self.late.len() < Self::LATE {
            self.late.insert(index, value);
        } else if !self.late.is_empty() {
            self.late.remove(&index);
        }
    }

    /// MEMOIZE: the index is the number of entries so far.
    #[inline]
    pub(super) fn memoize(&mut self, value: Value) {
        self.put(u32::try_from(self.count).unwrap_or(u32::MAX), value);
    }
}

/// Makes room for entry `at`: files of many small pickles have a memo for each.
#[cold]
fn grow(page: &mut Vec<Slot>, at: usize) {
    const LEAST: usize = 64;
    page.resize((at + 1).next_power_of_two().clamp(LEAST, PAGE), Slot(None));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn memoize_counts_entries_and_not_writes() {
        let mut memo = Memo::default();
        let [a, b, c] = [1, 2, 3].map(|at| Value::at(Kind::Text, at));
        memo.put(5, a);
        memo.put(5, b);
        memo.memoize(c);
        assert!(memo.get(5) == Some(b) && memo.get(1) == Some(c) && memo.get(0).is_none());
        for index in [64, 1000, 65_535, 65_536, 70_000] {
            memo.put(index, a);
            assert!(memo.get(index) == Some(a) && memo.get(index + 1).is_none(), "{index}");
        }
        assert!(memo.get(5) == Some(b));
    }

    #[test]
    fn late_entries_keep_globals_and_forget_numbers() {
        let mut memo = Memo { count: u64::from(Memo::DENSE), ..Memo::default() };
        let global = Value::new(Kind::Global, 3, 9);
        memo.memoize(Value::at(Kind::Int, 1));
        memo.memoize(global);
        assert!(memo.get(Memo::DENSE) == Some(Value::UNKNOWN));
        assert!(memo.get(Memo::DENSE + 1) == Some(global));
        assert!(memo.get(Memo::DENSE + 2).is_none());
    }
}
