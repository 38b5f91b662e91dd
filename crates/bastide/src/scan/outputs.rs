//! What a command writes, checked before it reads: a report in the place of a key or of a model would be the end of it.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read as _};
use std::os::unix::fs::{FileTypeExt as _, MetadataExt as _};
use std::path::{Path, PathBuf};

use bastide_admin::{Failure, could_not};
use bastide_registry::write_whole;

use crate::show::one_line;

/// What stands near the start of every report, baseline and signature that is written here.
const OURS: [&str; 5] =
    ["application/vnd.dev.sigstore.bundle", "\"bomFormat\"", "sarif-", "<testsuites", "\"fingerprint\""];

/// Refuses outputs that are one file, and one that would take the place of an input. Inside of a folder that is read, only
/// what is a former output itself is written over.
///
/// # Errors
/// Naming the flags.
pub(crate) fn apart(outputs: &[(&str, Option<&Path>)], inputs: &[&Path]) -> Result<(), Failure> {
    let files: Vec<(&str, &Path)> = outputs
        .iter()
        .filter_map(|(flag, path)| path.filter(|path| !is_stdout(path)).map(|path| (*flag, path)))
        .collect();
    let mut wrong = Vec::new();
    for (at, (flag, path)) in files.iter().enumerate() {
        let place = place(path);
        let shown = one_line(&path.display().to_string());
        if let Some((other, _)) = files.iter().take(at).find(|(_, other)| self::place(other) == place) {
            wrong.push(format!("`{other}` and `{flag}` are both to be written to `{shown}`"));
            continue;
        }
        if inputs.iter().any(|input| is_same(input, path)) {
            wrong.push(format!(
                "`{flag}` would take the place of `{shown}`, which is read: give it another file"
            ));
            continue;
        }
        let within = inputs.iter().any(|input| {
            input.is_dir() && fs::canonicalize(input).is_ok_and(|input| place.starts_with(input))
        });
        if within && path.exists() && !is_ours(path) {
            wrong.push(format!(
                "`{flag}` would take the place of `{shown}`, a file of the model: give it another file, or remove that one"
            ));
        }
    }
    if wrong.is_empty() { Ok(()) } else { Err(Failure::usage(wrong.join("; "))) }
}

pub(crate) fn is_stdout(path: &Path) -> bool {
    path.as_os_str() == "-"
}

/// Writes a report whole or not at all; what is no file, such as a pipe or `/dev/stdout`, is written to as it stands.
pub(crate) fn hand_on(path: &Path, report: &[u8]) -> Result<(), Failure> {
    if is_stdout(path) {
        return all_or_left(&mut io::stdout().lock(), report).map_err(could_not);
    }
    let kind = fs::metadata(path).map(|there| there.file_type());
    let written = match kind.is_ok_and(|kind| kind.is_fifo() || kind.is_char_device()) {
        true => OpenOptions::new().write(true).open(path).and_then(|mut pipe| all_or_left(&mut pipe, report)),
        false => write_whole(path, report),
    };
    written.map_err(|e| {
        Failure::could_not(format!("cannot write `{}`: {e}", one_line(&path.display().to_string())))
    })
}

/// A reader that left has what it wanted.
fn all_or_left(out: &mut dyn io::Write, report: &[u8]) -> io::Result<()> {
    match out.write_all(report) {
        Err(e) if e.kind() == io::ErrorKind::BrokenPipe => Ok(()),
        other => other,
    }
}

/// The file that is written under this path, which need not be there yet.
fn place(path: &Path) -> PathBuf {
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    match (fs::canonicalize(folder), path.file_name()) {
        (Ok(folder), Some(name)) => folder.join(name),
        _ => path.to_owned(),
    }
}

fn is_same(one: &Path, other: &Path) -> bool {
    let id = |path: &Path| fs::metadata(path).ok().filter(fs::Metadata::is_file).map(|m| (m.dev(), m.ino()));
    id(one).is_some_and(|one| Some(one) == id(other))
}

fn is_ours(path: &Path) -> bool {
    const HEAD: u64 = 4 << 10;
    // A pipe is no output of ours, and opening one may wait.
    if !path.is_file() {
        return false;
    }
    let mut head = Vec::new();
    let read = File::open(path).and_then(|file| file.take(HEAD).read_to_end(&mut head));
    read.is_ok() && OURS.iter().any(|mark| String::from_utf8_lossy(&head).contains(mark))
}
