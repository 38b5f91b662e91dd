//! Digests of large contents: one of three functions, over a stream, or for BLAKE3 over parts in any order.

use std::fmt;

use aws_lc_rs::digest;
use blake2::Digest as _;
use blake3::hazmat::{ChainingValue, HasherExt as _, Mode, merge_subtrees_non_root, merge_subtrees_root};

/// The functions that contents are named by.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ContentHash {
    /// SHA-256 (FIPS 180-4), 32 bytes.
    Sha256,
    /// BLAKE2b (RFC 7693) without a key, 64 bytes.
    Blake2b512,
    /// BLAKE3 without a key, 32 bytes.
    Blake3,
}

impl ContentHash {
    /// Bytes of a digest.
    #[must_use]
    pub const fn bytes(self) -> usize {
        match self {
            ContentHash::Sha256 | ContentHash::Blake3 => 32,
            ContentHash::Blake2b512 => 64,
        }
    }

    /// How many contents a core hashes faster with [`update_together`] than one after the other.
    #[must_use]
    pub fn lanes(self) -> usize {
        if self == ContentHash::Sha256 && bastide_sha256::Sha256::new().is_some() {
            bastide_sha256::LANES
        } else {
            1
        }
    }
}

/// A digest in progress.
#[derive(Clone)]
pub struct ContentHasher(Running);

#[derive(Clone)]
enum Running {
    /// Where the processor can hash several side by side.
    Sha256Lane(bastide_sha256::Sha256),
    /// Everywhere else.
    Sha256(digest::Context),
    Blake2b512(Box<blake2::Blake2b512>),
    Blake3(Box<blake3::Hasher>),
}

impl ContentHasher {
    /// Of nothing yet.
    #[must_use]
    pub fn new(hash: ContentHash) -> Self {
        ContentHasher(match hash {
            ContentHash::Sha256 => match bastide_sha256::Sha256::new() {
                Some(lane) => Running::Sha256Lane(lane),
                None => Running::Sha256(digest::Context::new(&digest::SHA256)),
            },
            ContentHash::Blake2b512 => Running::Blake2b512(Box::default()),
            ContentHash::Blake3 => Running::Blake3(Box::default()),
        })
    }

    /// Appends to the content.
    pub fn update(&mut self, data: &[u8]) {
        update_together([(self, data)]);
    }

    /// Appends to the content now, or gives the hasher that can take it together with others.
    fn lane(&mut self, data: &[u8]) -> Option<&mut bastide_sha256::Sha256> {
        match &mut self.0 {
            Running::Sha256Lane(lane) => return Some(lane),
            Running::Sha256(context) => context.update(data),
            Running::Blake2b512(hasher) => hasher.update(data),
            Running::Blake3(hasher) => {
                hasher.update(data);
            }
        }
        None
    }

    /// The digest of everything appended.
    #[must_use]
    pub fn finish(self) -> Vec<u8> {
        match self.0 {
            Running::Sha256Lane(lane) => lane.finish().to_vec(),
            Running::Sha256(context) => context.finish().as_ref().to_vec(),
            Running::Blake2b512(hasher) => hasher.finalize().to_vec(),
            Running::Blake3(hasher) => hasher.finalize().as_bytes().to_vec(),
        }
    }
}

/// Appends to each content what stands beside it, as [`ContentHasher::update`] does: side by side where that is faster,
/// which is where several are hashed with SHA-256 and get about as much.
pub fn update_together<'a>(contents: impl IntoIterator<Item = (&'a mut ContentHasher, &'a [u8])>) {
    let lanes = contents.into_iter().filter_map(|(hasher, data)| Some((hasher.lane(data)?, data)));
    bastide_sha256::update_together(lanes);
}

/// The bytes of a part of a content hashed with BLAKE3 by parts. A power of two of the function's chunks, so that every
/// part is a subtree of its own (BLAKE3 section 2.1), and long enough that opening one costs nothing.
pub const BLAKE3_PART_BYTES: u64 = 16 << 20;

/// One part of a content that is longer than [`BLAKE3_PART_BYTES`]: the parts may be hashed anywhere, in any order.
pub struct Blake3Part(Box<blake3::Hasher>);

/// What a part contributes.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Blake3PartDigest(ChainingValue);

impl Blake3Part {
    /// The part with this index. Each but the last has exactly [`BLAKE3_PART_BYTES`].
    #[must_use]
    pub fn new(index: u32) -> Self {
        let mut hasher = Box::<blake3::Hasher>::default();
        hasher.set_input_offset(u64::from(index) * BLAKE3_PART_BYTES);
        Blake3Part(hasher)
    }

    /// Appends to the part, no more than [`BLAKE3_PART_BYTES`] in all; what is beyond is left out, so that the digest
    /// is a wrong one and never a panic.
    pub fn update(&mut self, data: &[u8]) {
        let room = usize::try_from(BLAKE3_PART_BYTES.saturating_sub(self.0.count())).unwrap_or(usize::MAX);
        self.0.update(data.get(..room).unwrap_or(data));
    }

    /// What the part contributes; none when it is empty, which is no part of anything.
    #[must_use]
    pub fn finish(self) -> Option<Blake3PartDigest> {
        (self.0.count() > 0).then(|| Blake3PartDigest(self.0.finalize_non_root()))
    }
}

impl fmt::Debug for Blake3PartDigest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("blake3 part ")?;
        self.0.iter().try_for_each(|b| write!(f, "{b:02x}"))
    }
}

/// The digest of a content from all of its parts in order; none when there are fewer than two, where parts are no
/// subtrees and the content is hashed whole.
#[must_use]
pub fn blake3_of_parts(parts: &[Blake3PartDigest]) -> Option<[u8; 32]> {
    let (left, right) = halves(parts)?;
    Some(*merge_subtrees_root(&subtree(left)?, &subtree(right)?, Mode::Hash).as_bytes())
}

fn subtree(parts: &[Blake3PartDigest]) -> Option<ChainingValue> {
    match parts {
        [] => None,
        [one] => Some(one.0),
        _ => {
            let (left, right) = halves(parts)?;
            Some(merge_subtrees_non_root(&subtree(left)?, &subtree(right)?, Mode::Hash))
        }
    }
}

/// The left subtree holds the largest power of two of parts that leaves some for the right.
fn halves(parts: &[Blake3PartDigest]) -> Option<(&[Blake3PartDigest], &[Blake3PartDigest])> {
    let last = parts.len().checked_sub(1)?;
    let left = 1_usize.checked_shl(last.checked_ilog2()?)?;
    parts.split_at_checked(left)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hex(bytes: &[u8]) -> String {
        bytes.iter().map(|b| format!("{b:02x}")).collect()
    }

    #[test]
    fn the_standard_examples_hold_in_parts() {
        for (hash, expected) in [
            (ContentHash::Sha256, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"),
            (
                ContentHash::Blake2b512,
                "ba80a53f981c4d0d6a2797b69f12f6e94c212f14685ac4b74b12bb6fdbffa2d17d87c5392aab792dc252d5de4533cc9518d38aa8dbf1925ab92386edd4009923",
            ),
            (ContentHash::Blake3, "6437b3ac38465133ffb63b75273a8db548c558465d79db03fd359c6cd5bd9d85"),
        ] {
            let mut hasher = ContentHasher::new(hash);
            hasher.update(b"a");
            hasher.update(b"bc");
            let digest = hasher.finish();
            assert_eq!((hex(&digest), digest.len()), (expected.to_owned(), hash.bytes()));
        }
    }

    #[test]
    fn contents_of_every_hash_together_are_as_if_alone() {
        let hashes = [ContentHash::Sha256, ContentHash::Blake3, ContentHash::Sha256, ContentHash::Blake2b512];
        let content = |i: usize| vec![i.to_le_bytes()[0]; 1000 * i + 77];
        let mut together = hashes.map(ContentHasher::new);
        let contents: Vec<Vec<u8>> = (0..hashes.len()).map(content).collect();
        for _ in 0..3 {
            update_together(together.iter_mut().zip(contents.iter().map(Vec::as_slice)));
        }
        for ((hash, together), content) in hashes.into_iter().zip(together).zip(contents) {
            let mut alone = ContentHasher::new(hash);
            alone.update(&content.repeat(3));
            assert_eq!(together.finish(), alone.finish(), "{hash:?}");
        }
    }

    #[test]
    fn both_ways_to_sha256_agree() {
        let content: Vec<u8> = (0..100_003_u32).map(|i| (i * 7 % 251) as u8).collect();
        let mut fallback = ContentHasher(Running::Sha256(digest::Context::new(&digest::SHA256)));
        let mut hasher = ContentHasher::new(ContentHash::Sha256);
        for piece in content.chunks(999) {
            update_together([(&mut fallback, piece), (&mut hasher, piece)]);
        }
        let expected = crate::sha256(&content).to_vec();
        assert_eq!([fallback.finish(), hasher.finish()], [expected.clone(), expected]);
    }

    #[test]
    fn parts_make_the_digest_of_the_whole() {
        let part = usize::try_from(BLAKE3_PART_BYTES).unwrap();
        let content: Vec<u8> = (0..6 * part + 1).map(|i| ((i * 31) >> 7).to_le_bytes()[0]).collect();
        for bytes in [part + 1, 2 * part, 2 * part + 1023, 5 * part, 6 * part + 1] {
            let content = &content[..bytes];
            let parts: Vec<Blake3PartDigest> = (0..)
                .zip(content.chunks(part))
                .map(|(index, bytes)| {
                    let mut part = Blake3Part::new(index);
                    bytes.chunks(1 << 20).for_each(|piece| part.update(piece));
                    part.finish().unwrap()
                })
                .collect();
            let mut whole = ContentHasher::new(ContentHash::Blake3);
            whole.update(content);
            assert_eq!(blake3_of_parts(&parts).unwrap().to_vec(), whole.finish(), "{bytes}");
        }
    }

    #[test]
    fn fewer_than_two_parts_are_no_tree() {
        assert_eq!(blake3_of_parts(&[]), None);
        let mut part = Blake3Part::new(0);
        part.update(&vec![7; usize::try_from(BLAKE3_PART_BYTES).unwrap() + 9]);
        assert_eq!(blake3_of_parts(&[part.finish().unwrap()]), None);
        assert_eq!(Blake3Part::new(1).finish(), None);
    }
}
