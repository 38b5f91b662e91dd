//! Digests of many files on all cores.
//!
//! What can be hashed apart is a job: a file, a shard, or a part of a file where the function is a tree (BLAKE3). Threads
//! take jobs from one list, the longest first, and each reads into a small buffer that stays in its core's cache; that is
//! as fast as mapping files into memory, and a file cut short is an error where a mapping ends the process.

use std::collections::BTreeMap;
use std::fs::{File, OpenOptions};
use std::io;
use std::os::unix::fs::{FileExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;

use bastide_crypto::{
    BLAKE3_PART_BYTES, Blake3Part, Blake3PartDigest, ContentHash, ContentHasher, blake3_of_parts,
};
use bastide_signing::{Method, Place, Resource, Shard};
use rustix::fs::OFlags;

use super::FoundFile;
use crate::walk::Progress;

/// Bytes of a read: a fraction of a core's cache, and enough that the system call is no cost.
const READ_BYTES: usize = 256 << 10;

/// The most parts or shards that are planned; more are refused before anything is read.
const MAX_JOBS: u64 = 4 << 20;

/// Why there are no digests.
#[derive(Debug, thiserror::Error)]
pub enum DigestError {
    /// A file could not be read.
    #[error("`{}` cannot be read", path.display())]
    Io {
        /// Which.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// A file that is being written.
    #[error("`{}` changed while it was read", .0.display())]
    Changed(PathBuf),
    /// More pieces than memory should hold.
    #[error("the model is cut into more than {MAX_JOBS} pieces; use larger shards")]
    TooManyPieces,
}

/// A stretch of a file that one thread reads from start to end.
struct Job<'a> {
    file: &'a FoundFile,
    place: Place,
    start: u64,
    end: u64,
    /// Of a file that is hashed as a tree.
    part: Option<u32>,
}

enum Outcome {
    Whole(Vec<u8>),
    Part(Blake3PartDigest),
}

/// Hashes every file, or every shard of every file, on all cores.
///
/// # Errors
/// When a file cannot be read or is not the one that was found.
pub fn digest_files(
    files: &[FoundFile],
    method: Method,
    hash: ContentHash,
    progress: &dyn Progress,
) -> Result<Vec<Resource>, DigestError> {
    let mut jobs = plan(files, method, hash)?;
    progress.planned(files.len() as u64, files.iter().map(|file| file.bytes).sum());
    // A long job begun last is waited for by every core but one. Equal ones keep their order, as the disk has it.
    jobs.sort_by_key(|job| std::cmp::Reverse(job.end - job.start));
    let (next, stop) = (AtomicUsize::new(0), AtomicBool::new(false));
    let work = || {
        let mut done = Vec::new();
        let mut buffer = vec![0; READ_BYTES];
        while !stop.load(Ordering::Relaxed) {
            let Some(job) = jobs.get(next.fetch_add(1, Ordering::Relaxed)) else { break };
            let outcome = run(job, hash, &mut buffer, progress);
            let outcome = outcome.inspect_err(|_| stop.store(true, Ordering::Relaxed))?;
            progress.finished(&job.file.path);
            done.push((job, outcome));
        }
        Ok(done)
    };
    let threads = thread::available_parallelism().map_or(1, usize::from).min(jobs.len().max(1));
    let done: Result<Vec<_>, DigestError> = thread::scope(|scope| {
        let threads: Vec<_> = (0..threads).map(|_| scope.spawn(work)).collect();
        threads
            .into_iter()
            .map(|thread| thread.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic)))
            .collect()
    });
    assemble(done?.into_iter().flatten())
}

fn plan(files: &[FoundFile], method: Method, hash: ContentHash) -> Result<Vec<Job<'_>>, DigestError> {
    let piece_bytes = |file: &FoundFile| match (method, hash) {
        (Method::Shards { bytes }, _) => bytes.get(),
        (Method::Files, ContentHash::Blake3) if file.bytes > BLAKE3_PART_BYTES => BLAKE3_PART_BYTES,
        (Method::Files, _) => file.bytes.max(1),
    };
    let pieces = files.iter().map(|file| file.bytes.div_ceil(piece_bytes(file)).max(1));
    let pieces = pieces.fold(0, u64::saturating_add);
    if pieces > MAX_JOBS {
        return Err(DigestError::TooManyPieces);
    }
    let mut jobs = Vec::new();
    for file in files {
        if file.bytes == 0 && method == Method::Files {
            jobs.push(Job { file, place: place(file, None), start: 0, end: 0, part: None });
        }
        let step = piece_bytes(file);
        let (mut start, mut index) = (0, 0);
        // An empty file has no shards: the format leaves it out.
        while start < file.bytes {
            let end = file.bytes.min(start.saturating_add(step));
            let shard = matches!(method, Method::Shards { .. }).then_some(Shard { start, end });
            let part = (method == Method::Files && step < file.bytes).then_some(index);
            jobs.push(Job { file, place: place(file, shard), start, end, part });
            (start, index) = (end, index + 1);
        }
    }
    Ok(jobs)
}

fn place(file: &FoundFile, shard: Option<Shard>) -> Place {
    Place { path: file.name.clone(), shard }
}

fn run(
    job: &Job<'_>,
    hash: ContentHash,
    buffer: &mut [u8],
    progress: &dyn Progress,
) -> Result<Outcome, DigestError> {
    let file = open(job.file)?;
    if let Some(index) = job.part {
        let mut part = Blake3Part::new(index);
        read(job, &file, buffer, progress, |data| part.update(data))?;
        return part.finish().map(Outcome::Part).ok_or_else(|| DigestError::Changed(job.file.path.clone()));
    }
    let mut hasher = ContentHasher::new(hash);
    read(job, &file, buffer, progress, |data| hasher.update(data))?;
    Ok(Outcome::Whole(hasher.finish()))
}

/// Opens a file that was found, and refuses another under its name.
fn open(found: &FoundFile) -> Result<File, DigestError> {
    // The name may have become a link since the folder was listed, or a pipe, which would be waited for.
    let follow = if found.symlink { OFlags::empty() } else { OFlags::NOFOLLOW };
    let flags = (OFlags::NONBLOCK | follow).bits().cast_signed();
    let io_error = |source| DigestError::Io { path: found.path.clone(), source };
    let file = OpenOptions::new().read(true).custom_flags(flags).open(&found.path).map_err(io_error)?;
    let metadata = file.metadata().map_err(io_error)?;
    if !metadata.is_file() || metadata.len() != found.bytes {
        return Err(DigestError::Changed(found.path.clone()));
    }
    Ok(file)
}

fn read(
    job: &Job<'_>,
    file: &File,
    buffer: &mut [u8],
    progress: &dyn Progress,
    mut take: impl FnMut(&[u8]),
) -> Result<(), DigestError> {
    let path: &Path = &job.file.path;
    let mut at = job.start;
    while at < job.end {
        let wanted = usize::try_from(job.end - at).unwrap_or(usize::MAX).min(buffer.len());
        let Some(room) = buffer.get_mut(..wanted) else { break };
        match file.read_at(room, at) {
            Ok(0) => return Err(DigestError::Changed(path.to_owned())),
            Ok(count) => {
                take(room.get(..count).unwrap_or_default());
                at += count as u64;
                progress.read(count as u64);
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(source) => return Err(DigestError::Io { path: path.to_owned(), source }),
        }
    }
    Ok(())
}

fn assemble<'a>(done: impl Iterator<Item = (&'a Job<'a>, Outcome)>) -> Result<Vec<Resource>, DigestError> {
    let mut resources = Vec::new();
    let mut trees: BTreeMap<&Path, Vec<(u64, Blake3PartDigest, &Job<'_>)>> = BTreeMap::new();
    for (job, outcome) in done {
        match outcome {
            Outcome::Whole(digest) => resources.push(Resource { place: job.place.clone(), digest }),
            Outcome::Part(part) => {
                trees.entry(&job.file.path).or_default().push((job.start, part, job));
            }
        }
    }
    for (path, mut parts) in trees {
        parts.sort_by_key(|(start, ..)| *start);
        let digests: Vec<Blake3PartDigest> = parts.iter().map(|(_, part, _)| *part).collect();
        let digest = blake3_of_parts(&digests).ok_or_else(|| DigestError::Changed(path.to_owned()))?;
        let Some((_, _, job)) = parts.first() else { continue };
        resources.push(Resource { place: job.place.clone(), digest: digest.to_vec() });
    }
    Ok(resources)
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::num::NonZeroU64;

    use super::*;
    use crate::digest::{WalkOptions, walk};

    const HASHES: [ContentHash; 3] = [ContentHash::Sha256, ContentHash::Blake2b512, ContentHash::Blake3];

    fn content(bytes: usize) -> Vec<u8> {
        (0..bytes).map(|i| (i.wrapping_mul(2_654_435_761) >> 13).to_le_bytes()[0]).collect()
    }

    fn slow(hash: ContentHash, content: &[u8]) -> Vec<u8> {
        let mut hasher = ContentHasher::new(hash);
        hasher.update(content);
        hasher.finish()
    }

    fn digests(root: &Path, method: Method, hash: ContentHash) -> BTreeMap<String, Vec<u8>> {
        let files = walk(root, &WalkOptions::default()).unwrap().files;
        let resources = digest_files(&files, method, hash, &()).unwrap();
        resources.into_iter().map(|it| (it.place.to_string(), it.digest)).collect()
    }

    #[test]
    fn threads_and_parts_give_what_one_slow_pass_gives() {
        let part = usize::try_from(BLAKE3_PART_BYTES).unwrap();
        let root = tempfile::tempdir().unwrap();
        let sizes = [0, 1, READ_BYTES, READ_BYTES + 1, part, part + 1, 3 * part + 77];
        for (index, bytes) in sizes.into_iter().enumerate() {
            fs::write(root.path().join(index.to_string()), content(bytes)).unwrap();
        }
        for hash in HASHES {
            let found = digests(root.path(), Method::Files, hash);
            assert_eq!(found.len(), sizes.len());
            for (index, bytes) in sizes.into_iter().enumerate() {
                assert_eq!(found[&index.to_string()], slow(hash, &content(bytes)), "{hash:?} of {bytes}");
            }
        }
    }

    #[test]
    fn shards_cover_files_without_gap_and_leave_out_empty_ones() {
        let root = tempfile::tempdir().unwrap();
        fs::write(root.path().join("empty"), "").unwrap();
        fs::write(root.path().join("a"), content(25)).unwrap();
        let method = Method::Shards { bytes: NonZeroU64::new(10).unwrap() };
        for hash in HASHES {
            let found = digests(root.path(), method, hash);
            assert_eq!(found.keys().collect::<Vec<_>>(), ["a:0:10", "a:10:20", "a:20:25"]);
            assert_eq!(found["a:20:25"], slow(hash, &content(25)[20..]));
        }
    }

    #[test]
    fn a_file_that_is_not_the_one_found_is_an_error() {
        let root = tempfile::tempdir().unwrap();
        let path = root.path().join("a");
        fs::write(&path, content(100)).unwrap();
        let files = walk(root.path(), &WalkOptions::default()).unwrap().files;
        fs::write(&path, content(99)).unwrap();
        let short = digest_files(&files, Method::Files, ContentHash::Sha256, &());
        assert!(matches!(short, Err(DigestError::Changed(_))));
        fs::rename(&path, root.path().join("b")).unwrap();
        std::os::unix::fs::symlink(root.path().join("b"), &path).unwrap();
        let link = digest_files(&files, Method::Files, ContentHash::Sha256, &());
        assert!(matches!(link, Err(DigestError::Io { .. })));
    }
}
