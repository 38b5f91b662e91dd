//! Roots and proofs out of tiles.

use std::collections::HashMap;

use crate::frontier::Frontier;
use crate::hash::{Hash, node_hash};
use crate::tile::{TILE_WIDTH, TileBuilder, TileKind, TilePath, complete_root};

/// Why a tree could not be read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TreeError<E> {
    /// The closure failed.
    #[error("the tile `{path}` could not be read")]
    Read {
        /// Which tile.
        path: TilePath,
        /// What the closure said.
        #[source]
        source: E,
    },
    /// A tile has not its length.
    #[error("the tile `{path}` has {bytes} bytes; its width needs {}", u32::from(path.width) * 32)]
    Length {
        /// Which tile.
        path: TilePath,
        /// How many bytes came.
        bytes: usize,
    },
    /// An index or size beyond the tree.
    #[error("no such entry or size in a tree of {size} leaves")]
    Range {
        /// Leaves of the tree.
        size: u64,
    },
}

/// A tree of fixed size behind a closure that fetches tiles.
///
/// The closure is asked for a tile as it is in the tree of that size; it may give the full tile in the place of a
/// partial one, whose beginning is then used. What comes is trusted only as far as a root computed from it matches a
/// checkpoint.
pub struct TreeReader<F> {
    size: u64,
    read: F,
    /// Tiles seen: a proof touches a few on each of at most eight levels.
    cache: HashMap<(u8, u64), Vec<Hash>>,
}

/// Beyond this many tiles the cache starts anew: 256 tiles are 2 MiB.
const MAX_CACHED_TILES: usize = 256;

impl<E, F: FnMut(TilePath) -> Result<Vec<u8>, E>> TreeReader<F> {
    /// Of `size` leaves.
    pub fn new(size: u64, read: F) -> Self {
        TreeReader { size, read, cache: HashMap::new() }
    }

    /// Leaves of the tree.
    pub const fn size(&self) -> u64 {
        self.size
    }

    /// The root of the first `size` leaves.
    ///
    /// # Errors
    /// When a tile cannot be read or `size` is beyond the tree.
    pub fn root_at(&mut self, size: u64) -> Result<Hash, TreeError<E>> {
        Ok(self.frontier(size)?.root())
    }

    /// The right edge of the first `size` leaves.
    ///
    /// # Errors
    /// When a tile cannot be read or `size` is beyond the tree.
    pub fn frontier(&mut self, size: u64) -> Result<Frontier, TreeError<E>> {
        self.check(size <= self.size)?;
        let mut peaks = Vec::new();
        let mut start = 0;
        for height in (0..u64::BITS).rev().filter(|h| size >> h & 1 == 1) {
            peaks.push(self.node(height, start >> height)?);
            start += 1_u64 << height;
        }
        Frontier::from_peaks(size, peaks).ok_or(TreeError::Range { size: self.size })
    }

    /// The tile builder that continues this tree.
    ///
    /// # Errors
    /// When a tile cannot be read.
    pub fn tile_builder(&mut self) -> Result<TileBuilder, TreeError<E>> {
        let mut levels = Vec::new();
        let mut rest = self.size;
        for level in 0_u8..8 {
            if rest == 0 {
                break;
            }
            let partial =
                if rest.is_multiple_of(256) { Vec::new() } else { self.tile(level, rest / 256)?.to_vec() };
            levels.push(partial);
            rest /= 256;
        }
        TileBuilder::from_partials(self.size, levels).ok_or(TreeError::Range { size: self.size })
    }

    /// The hash of the leaf at `index`.
    ///
    /// # Errors
    /// When the tile cannot be read or there is no such leaf.
    pub fn leaf(&mut self, index: u64) -> Result<Hash, TreeError<E>> {
        self.check(index < self.size)?;
        self.node(0, index)
    }

    /// The inclusion path of the leaf at `index` (RFC 6962 section 2.1.1), from the leaf up.
    ///
    /// # Errors
    /// When a tile cannot be read or there is no such leaf.
    pub fn inclusion(&mut self, index: u64) -> Result<Vec<Hash>, TreeError<E>> {
        self.check(index < self.size)?;
        let mut path = Vec::new();
        let (mut start, mut end) = (0, self.size);
        while end - start > 1 {
            let middle = start + split(end - start);
            if index < middle {
                path.push(self.range(middle, end)?);
                end = middle;
            } else {
                path.push(self.range(start, middle)?);
                start = middle;
            }
        }
        path.reverse();
        Ok(path)
    }

    /// The consistency path from the first `old` leaves to this tree (RFC 6962 section 2.1.2). Empty for the empty
    /// tree and for the tree itself.
    ///
    /// # Errors
    /// When a tile cannot be read or `old` is beyond the tree.
    pub fn consistency(&mut self, old: u64) -> Result<Vec<Hash>, TreeError<E>> {
        self.check(old <= self.size)?;
        if old == 0 || old == self.size {
            return Ok(Vec::new());
        }
        let mut path = Vec::new();
        let (mut start, mut end) = (0, self.size);
        // Down to the subtree that ends where the old tree ends; what is left and right of the way is the path.
        while end != old {
            let middle = start + split(end - start);
            if old <= middle {
                path.push(self.range(middle, end)?);
                end = middle;
            } else {
                path.push(self.range(start, middle)?);
                start = middle;
            }
        }
        // That subtree is known to the verifier only when it is the whole old tree.
        if start != 0 {
            path.push(self.range(start, end)?);
        }
        path.reverse();
        Ok(path)
    }

    fn check(&self, holds: bool) -> Result<(), TreeError<E>> {
        if holds { Ok(()) } else { Err(TreeError::Range { size: self.size }) }
    }

    /// The Merkle tree hash of the leaves `start..end`, where `start` is a multiple of the power of two at or above
    /// the length: the ranges that the recursion of RFC 6962 meets.
    fn range(&mut self, start: u64, end: u64) -> Result<Hash, TreeError<E>> {
        let mut parts = Vec::new();
        let mut at = start;
        while at < end {
            let length = 1_u64 << (end - at).ilog2();
            parts.push(self.node(length.trailing_zeros(), at >> length.trailing_zeros())?);
            at += length;
        }
        let mut parts = parts.into_iter().rev();
        let Some(last) = parts.next() else { return Ok(Hash::empty_root()) };
        Ok(parts.fold(last, |right, left| node_hash(left, right)))
    }

    /// The root of the complete subtree of `2^height` leaves that is the `index`-th of its height.
    fn node(&mut self, height: u32, index: u64) -> Result<Hash, TreeError<E>> {
        let size = self.size;
        let level = u8::try_from(height / 8).map_err(|_| TreeError::Range { size })?;
        let within = height % 8;
        let first = index << within;
        let tile = self.tile(level, first / 256)?;
        let offset = usize::try_from(first % 256).map_err(|_| TreeError::Range { size })?;
        tile.get(offset..offset + (1 << within)).map(complete_root).ok_or(TreeError::Range { size })
    }

    fn tile(&mut self, level: u8, index: u64) -> Result<&[Hash], TreeError<E>> {
        let path = TilePath::in_tree(TileKind::Hashes(level), index, self.size)
            .ok_or(TreeError::Range { size: self.size })?;
        if self.cache.len() >= MAX_CACHED_TILES && !self.cache.contains_key(&(level, index)) {
            self.cache.clear();
        }
        match self.cache.entry((level, index)) {
            std::collections::hash_map::Entry::Occupied(known) => Ok(known.into_mut()),
            std::collections::hash_map::Entry::Vacant(place) => {
                let bytes = (self.read)(path).map_err(|source| TreeError::Read { path, source })?;
                let width = usize::from(path.width);
                if bytes.len() != width * 32 && bytes.len() != TILE_WIDTH * 32 {
                    return Err(TreeError::Length { path, bytes: bytes.len() });
                }
                let (hashes, _) = bytes.as_chunks::<32>();
                Ok(place.insert(hashes.iter().take(width).map(|h| Hash(*h)).collect()))
            }
        }
    }
}

/// The largest power of two below `n`, for `n > 1` (RFC 6962 section 2.1).
const fn split(n: u64) -> u64 {
    1 << (n - 1).ilog2()
}
