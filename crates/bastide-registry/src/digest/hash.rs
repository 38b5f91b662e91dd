//! Digests of many files on all cores.
//!
//! What can be hashed apart is a job: a file, a shard, or a part of a file where the function is a tree (BLAKE3). Threads
//! take jobs from one list, several at a time where a core hashes those faster side by side, and read each into a small
//! buffer that stays in the core's cache; that is as fast as mapping files into memory, and a file cut short is an error
//! where a mapping ends the process.

use std::collections::BTreeMap;
use std::fs::OpenOptions;
use std::io;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use bastide_crypto::{BLAKE3_PART_BYTES, Blake3Part, Blake3PartDigest, ContentHash, blake3_of_parts};
use bastide_signing::{Method, Place, Resource, Shard};
use rustix::fs::OFlags;

use super::FoundFile;
use crate::file::FileSource;
use crate::queue::Queue;
use crate::shown::Shown;
use crate::together::{Hashing, Stretch, at_a_time, hash_together};
use crate::walk::Progress;

/// The most parts or shards that are planned; more are refused before anything is read.
const MAX_JOBS: u64 = 4 << 20;

/// Why there are no digests.
#[derive(Debug, thiserror::Error)]
pub enum DigestError {
    /// A file could not be read.
    #[error("`{}` cannot be read", Shown(path))]
    Io {
        /// Which.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// A file that is being written.
    #[error("`{}` changed while it was read", Shown(.0))]
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
    let jobs = plan(files, method, hash)?;
    progress.planned(files.len() as u64, files.iter().map(|file| file.bytes).sum());
    let threads = thread::available_parallelism().map_or(1, usize::from).min(jobs.len().max(1));
    let queue = Queue::new(jobs, |job| job.end - job.start, (threads, at_a_time(hash.lanes())), progress);
    let stop = AtomicBool::new(false);
    let work = || {
        let mut done = Vec::new();
        while !stop.load(Ordering::Relaxed) {
            let Some(jobs) = queue.take() else { break };
            let outcomes = run(jobs, hash, &queue);
            done.extend(outcomes.inspect_err(|_| stop.store(true, Ordering::Relaxed))?);
            jobs.iter().for_each(|job| queue.finished(&job.file.path));
        }
        Ok(done)
    };
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

fn run<'a>(
    jobs: &'a [Job<'a>],
    hash: ContentHash,
    queue: &Queue<'_, Job<'_>>,
) -> Result<Vec<(&'a Job<'a>, Outcome)>, DigestError> {
    let mut done = Vec::new();
    let mut whole = Vec::new();
    for job in jobs {
        let stretch = Stretch { source: open(job.file)?, at: job.start, end: job.end };
        let Some(index) = job.part else {
            whole.push((job, Hashing::new(stretch, &[hash])));
            continue;
        };
        let mut part = Blake3Part::new(index);
        let read = stretch.read(|bytes| part.update(bytes), |bytes| queue.read(bytes));
        read.map_err(|error| unread(job.file, error))?;
        let digest = part.finish().ok_or_else(|| DigestError::Changed(job.file.path.clone()))?;
        done.push((job, Outcome::Part(digest)));
    }
    hash_together(whole.iter_mut().map(|(_, hashing)| hashing), hash.lanes(), |bytes| queue.read(bytes));
    for (job, hashing) in whole {
        let digests = hashing.finish().map_err(|error| unread(job.file, error))?;
        done.extend(digests.into_iter().map(|digest| (job, Outcome::Whole(digest))));
    }
    Ok(done)
}

fn unread(found: &FoundFile, source: io::Error) -> DigestError {
    let path = found.path.clone();
    match source.kind() {
        io::ErrorKind::UnexpectedEof => DigestError::Changed(path),
        _ => DigestError::Io { path, source },
    }
}

/// Opens a file that was found, and refuses another under its name.
fn open(found: &FoundFile) -> Result<FileSource, DigestError> {
    // The name may have become a link since the folder was listed, or a pipe, which would be waited for.
    let follow = if found.symlink { OFlags::empty() } else { OFlags::NOFOLLOW };
    let flags = (OFlags::NONBLOCK | follow).bits().cast_signed();
    let io_error = |source| DigestError::Io { path: found.path.clone(), source };
    let file = OpenOptions::new().read(true).custom_flags(flags).open(&found.path).map_err(io_error)?;
    let metadata = file.metadata().map_err(io_error)?;
    if !metadata.is_file() || metadata.len() != found.bytes {
        return Err(DigestError::Changed(found.path.clone()));
    }
    Ok(FileSource::new(file, metadata.len()))
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

    use bastide_crypto::ContentHasher;

    use super::*;
    use crate::digest::{WalkOptions, walk};
    use crate::together::READ_BYTES;

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
