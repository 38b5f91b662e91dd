//! Scanning files on all cores.

use std::fs::File;
use std::io;
use std::num::NonZero;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;

use bastide_artifact::{Facts, Finding, Format, Limits, Report, Source};
use bastide_crypto::ContentHash;
use bastide_types::{Assessment, Rule, Severity};

use crate::exclude::Exclude;
use crate::file::{Digesting, FileSource};
use crate::queue::Queue;
use crate::shown::Shown;
use crate::suppress::{Suppression, Suppressions};
use crate::together::{Hashing, at_a_time, hash_together};
use crate::vulnerability::Vulnerability;
use crate::walk::{Entry, Found, LeftOut, Progress, is_of_host, walk, why};
use crate::warning::{Concern, Warning};

/// How a scan is done.
#[derive(Clone, Debug)]
pub struct Options {
    /// What one file may cost.
    pub limits: Limits,
    /// How many files are scanned at a time.
    pub threads: NonZero<usize>,
    /// Whether every file is read to its end for its SHA-256; what the scan reads is not read again for it.
    pub digest: bool,
    /// What is left out.
    pub exclude: Exclude,
    /// What is read for the path `-`: a regular file. Without it, that path is the name of a file.
    pub stdin: Option<Arc<File>>,
}

impl Default for Options {
    fn default() -> Self {
        let threads = thread::available_parallelism().unwrap_or(NonZero::<usize>::MIN);
        Options {
            limits: Limits::default(),
            threads,
            digest: false,
            exclude: Exclude::default(),
            stdin: None,
        }
    }
}

/// One file and what was found.
#[derive(Clone, Debug)]
pub struct ScannedFile {
    /// As it was given or found.
    pub path: PathBuf,
    /// What it is called however the path to it was typed: from the working folder where it lies below, else absolute.
    /// Suppressions, baselines and code-scanning services go by this name.
    pub place: PathBuf,
    /// In bytes.
    pub size: u64,
    /// SHA-256, where it was asked for and the file could be read.
    pub sha256: Option<[u8; 32]>,
    /// What was found.
    pub report: Report,
    /// For each finding of the report, why it was accepted, if it was.
    pub suppressed: Vec<Option<Suppression>>,
    /// Advisories that what the file names falls under, where some were given.
    pub vulnerabilities: Vec<Vulnerability>,
}

impl ScannedFile {
    /// What is to be made of the file, without what was accepted.
    #[must_use]
    pub fn assessment(&self) -> Assessment {
        self.report.assessment_without(|i| self.suppressed.get(i).is_some_and(Option::is_some))
    }

    /// Each finding with why it was accepted, if it was.
    pub fn findings(&self) -> impl Iterator<Item = (&Finding, Option<&Suppression>)> {
        let suppressed = self.suppressed.iter().map(Option::as_ref).chain(std::iter::repeat(None));
        self.report.findings.iter().zip(suppressed)
    }

    /// The advisory that a finding is about.
    pub(crate) fn vulnerability(&self, finding: &Finding) -> Option<&Vulnerability> {
        self.vulnerabilities.iter().find(|found| found.told.contains(&finding.message))
    }
}

/// All files of one scan, in order.
#[derive(Clone, Debug, Default)]
pub struct Scan {
    /// One for every file given or found, and for every path that could not be read.
    pub files: Vec<ScannedFile>,
    /// What lies below the paths that were given and was not scanned.
    pub left_out: LeftOut,
    /// What is odd about how the scan was asked for.
    pub warnings: Vec<Warning>,
    /// What the folders that were given are called, as files are by [`ScannedFile::place`].
    pub roots: Vec<PathBuf>,
}

impl Scan {
    /// The worst of all files.
    #[must_use]
    pub fn assessment(&self) -> Assessment {
        self.files.iter().map(ScannedFile::assessment).fold(Assessment::Clean, Assessment::max)
    }

    /// How many files are assessed as `assessment`.
    #[must_use]
    pub fn count(&self, assessment: Assessment) -> usize {
        self.files.iter().filter(|file| file.assessment() == assessment).count()
    }

    /// How many files were not read to the end because they reached a limit of the scan.
    #[must_use]
    pub fn at_limit(&self) -> usize {
        const LIMITS: [&str; 2] = ["file.limit", "archive.depth"];
        let reached = |file: &&ScannedFile| file.report.findings.iter().any(|f| LIMITS.contains(&f.rule.id));
        self.files.iter().filter(reached).count()
    }

    /// Whether a file of this name would have been scanned with a folder that was given.
    pub(crate) fn covers(&self, place: &Path) -> bool {
        self.roots.iter().any(|root| place.starts_with(root) && place.is_absolute() == root.is_absolute())
    }

    /// Marks what `suppressions` accept, and warns of what in them accepts nothing. Returns how many findings are accepted.
    pub fn suppress(&mut self, suppressions: &Suppressions) -> usize {
        let mut accepted = 0;
        for file in &mut self.files {
            let of_file: Vec<_> =
                file.report.findings.iter().map(|f| suppressions.of(file, f).cloned()).collect();
            file.suppressed = of_file;
            accepted += file.suppressed.iter().flatten().count();
        }
        self.warnings.extend(suppressions.unused(&self.files));
        self.warnings.extend(suppressions.baseline().unused(self));
        accepted
    }
}

/// A file whose reader failed by our own fault.
const FAULT: Rule = Rule {
    id: "file.fault",
    severity: Severity::Medium,
    effect: Assessment::Unfinished,
    title: "the scanner failed",
    why: "the file was not read to its end; one that was made to stop scanners looks like this",
    fix: "do not load the file, and report the scanner's failure with it",
    cwe: &[248],
    atlas: &[],
};

/// A link out of the folder.
const LINK: Rule = Rule {
    id: "folder.link",
    severity: Severity::Medium,
    effect: Assessment::Review,
    title: "link out of the model's folder",
    why: "the model depends on a file of the machine it is loaded on, or makes a loader read one",
    fix: "replace the link by the file it is meant to be",
    cwe: &[59],
    atlas: &[],
};

/// A link to what is the host's.
const HOST_LINK: Rule = Rule {
    id: "folder.host-link",
    severity: Severity::High,
    effect: Assessment::Malicious,
    title: "link to settings, processes or keys of the host",
    why: "a loader that follows it reads what belongs to the machine, and whatever keeps or serves the model hands it on",
    fix: "do not load the model; the files of an honest one are its own",
    cwe: &[59, 200],
    atlas: &["AML.T0010.003"],
};

/// A path that cannot be read.
const UNREADABLE: Rule = Rule {
    id: "path.unreadable",
    severity: Severity::Medium,
    effect: Assessment::Unfinished,
    title: "path cannot be read",
    why: "what was not read was not assessed",
    fix: "see that the path is there and may be read, then scan again",
    cwe: &[],
    atlas: &[],
};

/// The rules of walking and reading, beside those of `bastide-artifact`.
pub(crate) const RULES: &[&Rule] = &[&FAULT, &LINK, &HOST_LINK, &UNREADABLE];

/// Hostile files nest; readers go a bounded number of levels down, each within this.
const STACK_BYTES: usize = 16 << 20;

/// Scans every file at and below `paths`.
///
/// Every path has an answer: what is missing or cannot be read is in the result as unfinished.
#[must_use]
pub fn scan(paths: &[PathBuf], options: &Options, progress: &dyn Progress) -> Scan {
    let Found { entries, roots, left_out } = walk(paths, options);
    let files = scan_entries(&entries, options, None, progress);
    let mut warnings = Vec::new();
    let idle = |pattern: &&str| !left_out.excluded.contains_key(*pattern);
    warnings.extend(options.exclude.given().filter(idle).map(|pattern| Warning {
        concern: Concern::ExcludeUnused,
        message: format!("nothing matches `--exclude {pattern}`"),
    }));
    if files.is_empty() {
        let paths: Vec<String> = paths.iter().map(|path| format!("`{}`", Shown(path))).collect();
        let message = format!("there is nothing to scan in {}", paths.join(", "));
        warnings.push(Warning { concern: Concern::NothingScanned, message });
    }
    Scan { files: files.into_iter().map(|(file, _)| file).collect(), left_out, warnings, roots }
}

/// The path that stands for the standard input.
pub(crate) const STDIN: &str = "-";

/// A file that was scanned, and its digest with the function that was asked for beside, where it could be read.
pub(crate) type WithDigest = (ScannedFile, Option<Vec<u8>>);

/// Scans files that were found, and hashes what the scan reads with `hash` too.
pub(crate) fn scan_entries(
    entries: &[Entry],
    options: &Options,
    hash: Option<ContentHash>,
    progress: &dyn Progress,
) -> Vec<WithDigest> {
    progress.planned(entries.len() as u64, entries.iter().map(|e| e.size).sum());
    let hashes = hashes(options, hash);
    let lanes = hashes.iter().map(|hash| hash.lanes()).max().unwrap_or(1);
    let threads = options.threads.get().min(entries.len().max(1));
    let results: Vec<Mutex<Option<WithDigest>>> = entries.iter().map(|_| Mutex::new(None)).collect();
    let jobs = entries.iter().zip(&results).collect();
    let queue = Queue::new(jobs, |(entry, _)| entry.size, (threads, at_a_time(lanes)), progress);
    let work = || {
        while let Some(jobs) = queue.take() {
            let mut scanned: Vec<Scanned> =
                jobs.iter().map(|(entry, _)| scan_entry(entry, options, &hashes, &queue)).collect();
            let rests = scanned.iter_mut().filter_map(|scanned| scanned.rest.as_mut());
            hash_together(rests, lanes, |bytes| queue.read(bytes));
            for ((entry, slot), scanned) in jobs.iter().zip(scanned) {
                let done = scanned.finish(entry, &hashes, hash);
                queue.finished(&entry.path);
                *slot.lock().unwrap_or_else(PoisonError::into_inner) = Some(done);
            }
        }
    };
    thread::scope(|scope| {
        for _ in 0..threads {
            let spawned = thread::Builder::new().stack_size(STACK_BYTES).spawn_scoped(scope, work);
            // One thread that cannot be had is no reason to fail: the others, or this one, do its work.
            if spawned.is_err() {
                work();
            }
        }
    });
    let files =
        results.into_iter().filter_map(|slot| slot.into_inner().unwrap_or_else(PoisonError::into_inner));
    let mut files: Vec<WithDigest> = files.collect();
    beside_each_other(&mut files);
    files
}

/// Adds what files of one folder say of each other.
fn beside_each_other(files: &mut [WithDigest]) {
    let paths: Vec<String> = files.iter().map(|(file, _)| slashed(&file.path)).collect();
    let list: Vec<(&str, &Report)> =
        paths.iter().map(String::as_str).zip(files.iter().map(|(file, _)| &file.report)).collect();
    for (at, finding) in bastide_artifact::folder(&list) {
        if let Some((file, _)) = files.get_mut(at) {
            file.report.findings.push(finding);
            file.report.findings.sort_by_key(|f| std::cmp::Reverse((f.rule.effect, f.rule.severity)));
        }
    }
}

/// The path with `/` between its parts, on every system.
fn slashed(path: &Path) -> String {
    let parts: Vec<_> = path.components().map(|part| part.as_os_str().to_string_lossy()).collect();
    parts.join("/")
}

/// The functions that every file is hashed with. SHA-256 is taken once, whoever asks for it.
fn hashes(options: &Options, asked: Option<ContentHash>) -> Vec<ContentHash> {
    let sha256 = options.digest.then_some(ContentHash::Sha256);
    sha256.into_iter().chain(asked.filter(|asked| Some(*asked) != sha256)).collect()
}

/// A file that was scanned, and what of it is to be hashed, where it could be read and digests were asked for.
struct Scanned {
    file: ScannedFile,
    rest: Option<Hashing<FileSource>>,
}

fn scan_entry<T>(entry: &Entry, options: &Options, hashes: &[ContentHash], queue: &Queue<'_, T>) -> Scanned {
    let mut file = ScannedFile {
        path: entry.path.clone(),
        place: entry.place.clone(),
        size: entry.size,
        sha256: None,
        report: nothing(),
        suppressed: Vec::new(),
        vulnerabilities: Vec::new(),
    };
    let opened = match &entry.fault {
        Some(fault) => Err(fault.clone()),
        None => open(&entry.path, options).map_err(|error| why(&error)),
    };
    let source = match opened {
        Ok(source) => Digesting::new(source, hashes),
        Err(fault) => {
            add(&mut file, &UNREADABLE, fault);
            return Scanned { file, rest: None };
        }
    };
    file.size = source.size();
    let name = entry.path.file_name().map(|name| name.to_string_lossy()).unwrap_or_default();
    // A panic in a reader is ours, and no reason to lose what is known of the other files.
    let Ok(report) =
        catch_unwind(AssertUnwindSafe(|| bastide_artifact::scan(&source, &name, &options.limits)))
    else {
        add(&mut file, &FAULT, "a reader of its format failed".to_owned());
        return Scanned { file, rest: None };
    };
    file.report = report;
    let rest = Some(source.into_rest()).filter(|_| !hashes.is_empty());
    queue.read(rest.as_ref().map_or(file.size, Hashing::at));
    Scanned { file, rest }
}

fn open(path: &Path, options: &Options) -> io::Result<FileSource> {
    match options.stdin.as_ref().filter(|_| path.as_os_str() == STDIN) {
        Some(file) => FileSource::of(file.try_clone()?),
        None => FileSource::open(path),
    }
}

impl Scanned {
    fn finish(self, entry: &Entry, hashes: &[ContentHash], asked: Option<ContentHash>) -> WithDigest {
        let Scanned { mut file, rest } = self;
        let digests = rest.map_or(Ok(Vec::new()), Hashing::finish).unwrap_or_else(|error| {
            add(&mut file, &UNREADABLE, error.to_string());
            Vec::new()
        });
        let of = |wanted| {
            let mut digests = hashes.iter().zip(&digests);
            digests.find(|(hash, _)| **hash == wanted).map(|(_, digest)| digest.clone())
        };
        file.sha256 = of(ContentHash::Sha256).and_then(|digest| digest.try_into().ok());
        if let Some(target) = &entry.leads_out {
            let rule = if is_of_host(&entry.path, target) { &HOST_LINK } else { &LINK };
            add(&mut file, rule, format!("it is a link to `{}`", target.display()));
        }
        (file, asked.and_then(of))
    }
}

fn nothing() -> Report {
    Report {
        format: Format::Unknown,
        findings: Vec::new(),
        more_findings: 0,
        more_effect: Assessment::Clean,
        facts: Facts::default(),
    }
}

fn add(file: &mut ScannedFile, rule: &'static Rule, message: String) {
    let finding =
        Finding { rule, message, offset: None, line: None, members: Vec::new(), call: None, count: 1 };
    file.report.findings.insert(0, finding);
}
