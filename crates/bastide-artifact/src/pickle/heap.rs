//! What recent containers and calls hold, for display and for argument rules.
//!
//! A ring of bounded size, in the order in which the containers were made; older ones fall out. Whoever needs the contents of
//! one that fell out is told so and must assume the worst. Two facts survive: that a dictionary has a key which
//! changes how its owner behaves, and that a container is much larger than the bytes that made it.

use std::collections::HashMap;

use super::value::{Kind, Value, Weight};

/// The first elements of a container: of a dictionary keys and values in turn.
#[derive(Clone, Copy)]
pub(super) struct Cell {
    owner: u64,
    /// How many elements it has, with those not kept.
    count: u64,
    /// Nodes when everything shared is written out.
    nodes: u64,
    /// Whether one of its keys is spelled as Python's special names are.
    special: bool,
    items: [Value; Cell::ITEMS],
}

impl Cell {
    /// Enough for the state of joblib's wrapper.
    const ITEMS: usize = 16;
    const EMPTY: Cell =
        Cell { owner: u64::MAX, count: 0, nodes: 1, special: false, items: [Value::UNKNOWN; Self::ITEMS] };

    pub(super) fn items(&self) -> &[Value] {
        let kept = usize::try_from(self.count).unwrap_or(usize::MAX).min(Self::ITEMS);
        &self.items[..kept]
    }

    /// All elements, if there are no more than are kept.
    pub(super) fn all(&self) -> Option<&[Value]> {
        (self.count <= Self::ITEMS as u64).then(|| self.items())
    }

    pub(super) fn count(&self) -> u64 {
        self.count
    }
}

/// What stays known of a container that fell out.
#[derive(Clone, Copy)]
struct Rest {
    nodes: u64,
    special: bool,
}

pub(super) struct Heap {
    /// By owner, ascending, from `oldest` on and around: opcodes run in the order in which they stand.
    cells: Vec<Cell>,
    oldest: usize,
    rest: HashMap<u64, Rest>,
    /// The last one that was added to after it fell out; `rest` may know an older state of it.
    late: Option<(u64, Rest)>,
}

impl Heap {
    /// Containers that are kept. A power of two.
    const CELLS: usize = 1 << 11;
    /// Containers with fewer nodes are forgotten without a trace.
    const HEAVY: u64 = 512;
    const RESTS: usize = 1 << 18;

    pub(super) fn new() -> Self {
        Heap { cells: Vec::new(), oldest: 0, rest: HashMap::new(), late: None }
    }

    /// Where the `age`-th oldest cell is.
    #[inline]
    fn slot(&self, age: usize) -> usize {
        (self.oldest + age) & (Self::CELLS - 1)
    }

    #[inline]
    fn find(&self, value: Value) -> Option<usize> {
        let owner = value.offset();
        let newest = self.cells.len().checked_sub(1)?;
        if self.cells.get(self.slot(0)).is_none_or(|oldest| oldest.owner > owner) {
            return None;
        }
        // Most of all what was made last is asked for.
        let recent = newest.saturating_sub(3);
        for age in (recent..=newest).rev() {
            let slot = self.slot(age);
            let cell = self.cells.get(slot)?;
            if cell.owner <= owner {
                return (cell.owner == owner).then_some(slot);
            }
        }
        let (mut from, mut to) = (0, recent);
        while from < to {
            let middle = from.midpoint(to);
            let slot = self.slot(middle);
            match self.cells.get(slot)?.owner.cmp(&owner) {
                std::cmp::Ordering::Equal => return Some(slot),
                std::cmp::Ordering::Less => from = middle + 1,
                std::cmp::Ordering::Greater => to = middle,
            }
        }
        None
    }

    /// What is still known of the contents of `value`.
    #[inline]
    pub(super) fn get(&self, value: Value) -> Option<&Cell> {
        self.find(value).and_then(|slot| self.cells.get(slot))
    }

    /// Begins an empty container, made by the opcode that runs.
    #[inline]
    pub(super) fn begin(&mut self, value: Value) {
        if self.cells.len() < Self::CELLS {
            self.cells.push(Cell { owner: value.offset(), ..Cell::EMPTY });
            return;
        }
        let Some(cell) = self.cells.get_mut(self.oldest) else { return };
        if (cell.nodes >= Self::HEAVY || cell.special) && self.rest.len() < Self::RESTS {
            self.rest.insert(cell.owner, Rest { nodes: cell.nodes, special: cell.special });
        }
        cell.owner = value.offset();
        cell.count = 0;
        cell.nodes = 1;
        cell.special = false;
        self.oldest = (self.oldest + 1) & (Self::CELLS - 1);
    }

    /// Adds elements to a container; gives its nodes when everything shared is written out.
    #[inline]
    pub(super) fn add(&mut self, value: Value, items: &[Value]) -> u64 {
        let mut nodes = 0_u64;
        for &item in items {
            nodes = nodes.saturating_add(self.nodes(item));
        }
        let special = value.kind() == Kind::Dict
            && items.iter().step_by(2).any(|k| k.kind() == Kind::Text && k.number() == Value::SPECIAL);
        let Some(cell) = self.find(value).and_then(|slot| self.cells.get_mut(slot)) else {
            return self.add_late(value, nodes, special);
        };
        let from = usize::try_from(cell.count).unwrap_or(usize::MAX);
        if let Some(free) = cell.items.get_mut(from..) {
            for (slot, item) in free.iter_mut().zip(items) {
                *slot = *item;
            }
        }
        cell.count = cell.count.saturating_add(items.len() as u64);
        cell.nodes = cell.nodes.saturating_add(nodes);
        cell.special |= special;
        cell.nodes
    }

    /// Adds to a container that fell out.
    fn add_late(&mut self, value: Value, nodes: u64, special: bool) -> u64 {
        let old = self.fallen(value).unwrap_or(Rest { nodes: 1, special: false });
        let new = Rest { nodes: old.nodes.saturating_add(nodes), special: old.special || special };
        if let Some((owner, rest)) = self.late.filter(|(owner, _)| *owner != value.offset())
            && (self.rest.len() < Self::RESTS || self.rest.contains_key(&owner))
        {
            self.rest.insert(owner, rest);
        }
        self.late = Some((value.offset(), new));
        new.nodes
    }

    /// What stayed of a container that fell out.
    fn fallen(&self, value: Value) -> Option<Rest> {
        match self.late {
            Some((owner, rest)) if owner == value.offset() => Some(rest),
            _ if self.rest.is_empty() => None,
            _ => self.rest.get(&value.offset()).copied(),
        }
    }

    /// Nodes of `value` when everything shared is written out.
    #[inline]
    fn nodes(&self, value: Value) -> u64 {
        match value.kind() {
            Kind::Tuple => Weight(value.number()).nodes().max(1),
            Kind::List | Kind::Dict | Kind::Set => match self.get(value) {
                Some(cell) => cell.nodes,
                None => self.fallen(value).map_or(1, |rest| rest.nodes),
            },
            _ => 1,
        }
    }

    /// How many elements a container has, or more where that is forgotten.
    pub(super) fn elements(&self, value: Value) -> u64 {
        self.get(value).map_or_else(|| self.nodes(value), Cell::count)
    }

    /// Whether a dictionary has a key that changes how its owner behaves.
    pub(super) fn special(&self, value: Value) -> bool {
        match self.get(value) {
            Some(cell) => cell.special,
            None => self.fallen(value).is_some_and(|rest| rest.special),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_newest_containers_are_known_and_older_ones_by_their_weight() {
        let mut heap = Heap::new();
        let lists: Vec<Value> = (0..5000).map(|at| Value::at(Kind::List, 3 * at)).collect();
        for (i, &list) in lists.iter().enumerate() {
            heap.begin(list);
            heap.add(list, &vec![Value::at(Kind::None, 1); i % 3 * 500]);
        }
        for (i, &list) in lists.iter().enumerate() {
            assert_eq!(heap.get(list).is_some(), i >= 5000 - Heap::CELLS, "{i}");
            assert_eq!(
                heap.get(list).map_or(0, Cell::count),
                if i >= 5000 - Heap::CELLS { (i % 3 * 500) as u64 } else { 0 }
            );
        }
        assert_eq!((heap.nodes(lists[1]), heap.nodes(lists[2])), (1, 1001));
        heap.add(lists[2], &[lists[4999]]);
        assert_eq!(heap.nodes(lists[2]), 1001 + heap.nodes(lists[4999]));
        assert!(heap.get(Value::at(Kind::List, 14_998)).is_none());
    }
}
