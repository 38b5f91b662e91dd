//! Tiles: runs of up to 256 hashes of one level (c2sp.org/tlog-tiles).

use std::fmt;

use crate::checkpoint::parse_decimal;
use crate::hash::{Hash, node_hash};
use crate::tree::TreeError;

/// Hashes in a full tile, entries in a full bundle.
pub const TILE_WIDTH: usize = 256;
/// 2^64 leaves have tiles at levels 0 to 7; the specification names up to 63.
const MAX_LEVEL: u8 = 63;

/// What a tile holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum TileKind {
    /// Hashes of this level: 0 are leaf hashes, each one above stands for a full tile below.
    Hashes(u8),
    /// The entries themselves.
    Entries,
}

/// Which tile, and how much of it: its place in the layout.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct TilePath {
    /// What it holds.
    pub kind: TileKind,
    /// Position in its level.
    pub index: u64,
    /// Hashes or entries in it: 256 when full, never 0.
    pub width: u16,
}

impl TilePath {
    /// The tile at `index` as it is in a tree of `size` leaves: full, partial, or `None` when not begun.
    #[must_use]
    pub fn in_tree(kind: TileKind, index: u64, size: u64) -> Option<TilePath> {
        let level = match kind {
            TileKind::Hashes(level) => level,
            TileKind::Entries => 0,
        };
        let nodes = size.checked_shr(8 * u32::from(level)).unwrap_or(0);
        let before = index.checked_mul(256)?;
        let width = u16::try_from(nodes.checked_sub(before)?.min(256)).ok()?;
        (width > 0).then_some(TilePath { kind, index, width })
    }

    /// Whether it has all its 256.
    #[must_use]
    pub const fn is_full(&self) -> bool {
        self.width == 256
    }

    /// The full tile in the same place, which may have replaced a partial one.
    #[must_use]
    pub const fn full(self) -> TilePath {
        TilePath { width: 256, ..self }
    }

    /// Reads a path as [`fmt::Display`] writes it; nothing else that would name the same tile.
    #[must_use]
    pub fn parse(text: &str) -> Option<TilePath> {
        let (level, rest) = text.strip_prefix("tile/")?.split_once('/')?;
        let kind = match level {
            "entries" => TileKind::Entries,
            level => TileKind::Hashes(u8::try_from(parse_decimal(level)?).ok().filter(|l| *l <= MAX_LEVEL)?),
        };
        let (number, width) = match rest.split_once(".p/") {
            Some((number, width)) => {
                (number, u16::try_from(parse_decimal(width)?).ok().filter(|w| (1..256).contains(w))?)
            }
            None => (rest, 256),
        };
        let mut index: u64 = 0;
        for group in number.split('/') {
            let digits = group.strip_prefix('x').unwrap_or(group);
            if digits.len() != 3 || !digits.bytes().all(|b| b.is_ascii_digit()) {
                return None;
            }
            index = index.checked_mul(1000)?.checked_add(digits.parse().ok()?)?;
        }
        let found = TilePath { kind, index, width };
        (found.to_string() == text).then_some(found)
    }
}

impl fmt::Display for TilePath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.kind {
            TileKind::Hashes(level) => write!(f, "tile/{level}/")?,
            TileKind::Entries => f.write_str("tile/entries/")?,
        }
        let mut groups = vec![self.index % 1000];
        let mut rest = self.index / 1000;
        while rest > 0 {
            groups.push(rest % 1000);
            rest /= 1000;
        }
        for group in groups.iter().skip(1).rev() {
            write!(f, "x{group:03}/")?;
        }
        write!(f, "{:03}", self.index % 1000)?;
        if self.is_full() { Ok(()) } else { write!(f, ".p/{}", self.width) }
    }
}

/// Turns a sequence of leaf hashes into tiles: holds the unfinished tile of each level, under 64 KiB in all.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TileBuilder {
    size: u64,
    /// The hashes of each level's unfinished tile: at most 255.
    levels: Vec<Vec<Hash>>,
}

impl TileBuilder {
    /// Of the empty tree.
    #[must_use]
    pub const fn new() -> Self {
        TileBuilder { size: 0, levels: Vec::new() }
    }

    /// Of a tree of `size` leaves from the unfinished tile of each level, lowest first; `None` when their widths are
    /// not those of such a tree.
    #[must_use]
    pub fn from_partials(size: u64, mut levels: Vec<Vec<Hash>>) -> Option<Self> {
        while levels.last().is_some_and(Vec::is_empty) {
            levels.pop();
        }
        let mut rest = size;
        for level in &levels {
            if u64::try_from(level.len()) != Ok(rest % 256) {
                return None;
            }
            rest /= 256;
        }
        (rest == 0).then_some(TileBuilder { size, levels })
    }

    /// Of a tree of `size` leaves, a multiple of 256, out of its full tiles alone: for one that must continue where
    /// partial tiles are not to be trusted.
    ///
    /// # Errors
    /// When a tile cannot be read or has not its length, or `size` is no multiple of 256.
    pub fn from_full_tiles<E>(
        size: u64,
        mut read: impl FnMut(TilePath) -> Result<Vec<u8>, E>,
    ) -> Result<Self, TreeError<E>> {
        let mut levels = vec![Vec::new()];
        let mut rest = size / 256;
        for below in 0_u8..7 {
            if rest == 0 {
                break;
            }
            let mut level = Vec::new();
            for index in rest - rest % 256..rest {
                let path = TilePath { kind: TileKind::Hashes(below), index, width: 256 };
                let bytes = read(path).map_err(|source| TreeError::Read { path, source })?;
                if bytes.len() != TILE_WIDTH * 32 {
                    return Err(TreeError::Length { path, bytes: bytes.len() });
                }
                let hashes: Vec<Hash> = bytes.as_chunks::<32>().0.iter().map(|h| Hash(*h)).collect();
                level.push(complete_root(&hashes));
            }
            levels.push(level);
            rest /= 256;
        }
        TileBuilder::from_partials(size, levels).ok_or(TreeError::Range { size })
    }

    /// The root of the tree: at most 255 node hashes for each level.
    #[must_use]
    pub fn root(&self) -> Hash {
        let mut peaks = Vec::new();
        for level in self.levels.iter().rev() {
            let mut rest = level.as_slice();
            while !rest.is_empty() {
                let (complete, after) = rest.split_at(1 << rest.len().ilog2());
                peaks.push(complete_root(complete));
                rest = after;
            }
        }
        let mut peaks = peaks.into_iter().rev();
        let Some(last) = peaks.next() else { return Hash::empty_root() };
        peaks.fold(last, |right, left| node_hash(left, right))
    }

    /// Leaves so far.
    #[must_use]
    pub const fn size(&self) -> u64 {
        self.size
    }

    /// Appends a leaf hash; tiles that it completes go to `full`, lowest level first.
    pub fn append(&mut self, leaf: Hash, full: &mut impl FnMut(TilePath, &[Hash])) {
        let mut node = leaf;
        let mut below = self.size;
        self.size = self.size.saturating_add(1);
        for level in 0..=MAX_LEVEL {
            let at = usize::from(level);
            if self.levels.len() <= at {
                self.levels.push(Vec::with_capacity(TILE_WIDTH));
            }
            let Some(tile) = self.levels.get_mut(at) else { return };
            tile.push(node);
            if tile.len() < TILE_WIDTH {
                return;
            }
            full(TilePath { kind: TileKind::Hashes(level), index: below / 256, width: 256 }, tile);
            node = complete_root(tile);
            tile.clear();
            below /= 256;
        }
    }

    /// The unfinished tiles, lowest level first.
    pub fn partials(&self) -> impl Iterator<Item = (TilePath, &[Hash])> {
        (0..=MAX_LEVEL).zip(&self.levels).filter_map(|(level, hashes)| {
            let rest = self.size.checked_shr(8 * u32::from(level)).unwrap_or(0);
            let width = u16::try_from(hashes.len()).ok()?;
            let path = TilePath { kind: TileKind::Hashes(level), index: rest / 256, width };
            (width > 0).then_some((path, hashes.as_slice()))
        })
    }
}

/// The root over a power of two of hashes, pairing neighbours.
pub(crate) fn complete_root(hashes: &[Hash]) -> Hash {
    let mut level = hashes.to_vec();
    while level.len() > 1 {
        level = level
            .chunks_exact(2)
            .map(|pair| match *pair {
                [left, right] => node_hash(left, right),
                _ => Hash::default(),
            })
            .collect();
    }
    level.first().copied().unwrap_or_else(Hash::empty_root)
}
