//! The files beside a model: signatures, attestations, keys. Each is read or written whole, and never waited for.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read as _, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};
use std::process;
use std::sync::atomic::{AtomicU32, Ordering};

use bastide_signing::MAX_BUNDLE_BYTES;
use rustix::fs::OFlags;

/// How many names are tried for a file that is being written: others may be left of runs that were ended.
const MAX_NAMES: u32 = 1000;

/// Opens a regular file. A pipe or a device in its place is an error at once, where reading it could take for ever.
///
/// # Errors
/// What the system says, and [`io::ErrorKind::InvalidInput`] for what is no regular file.
pub fn open_regular(path: &Path) -> io::Result<File> {
    let flags = OFlags::NONBLOCK.bits().cast_signed();
    let file = OpenOptions::new().read(true).custom_flags(flags).open(path)?;
    if file.metadata()?.is_file() {
        Ok(file)
    } else {
        Err(io::Error::new(io::ErrorKind::InvalidInput, "it is no regular file"))
    }
}

/// Reads a signature, an attestation or a key, as far as one may be long.
///
/// # Errors
/// What the system says, and for what is no regular file.
pub fn read_signature_file(path: &Path) -> io::Result<Vec<u8>> {
    let file = open_regular(path)?;
    let length = usize::try_from(file.metadata()?.len()).unwrap_or(MAX_BUNDLE_BYTES).min(MAX_BUNDLE_BYTES);
    // Room from the start: it may be a key, which growing would leave copies of. The last read finds the end.
    let mut bytes = Vec::with_capacity(length + 64);
    // One more than a bundle may have, so that a longer file is refused and not cut.
    file.take(MAX_BUNDLE_BYTES as u64 + 1).read_to_end(&mut bytes)?;
    Ok(bytes)
}

/// Writes a file beside its place and renames it, so that there is never half of one, also when the machine loses power. A
/// link in its place is replaced and not followed; of a file that was there, its permissions stay.
///
/// # Errors
/// What the system says, and [`io::ErrorKind::InvalidInput`] for a device, a pipe or a folder in its place.
pub fn write_whole(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let there = fs::symlink_metadata(path).ok().filter(|there| !there.is_symlink());
    if there.as_ref().is_some_and(|there| !there.is_file()) {
        return Err(io::Error::new(io::ErrorKind::InvalidInput, "it is no regular file"));
    }
    let (mut file, beside) = new_beside(path)?;
    let written = there
        .map_or(Ok(()), |there| file.set_permissions(there.permissions()))
        .and_then(|()| file.write_all(bytes))
        .and_then(|()| file.sync_all())
        .and_then(|()| fs::rename(&beside, path));
    if written.is_err() {
        // The first error is the one to report.
        let _ = fs::remove_file(&beside);
    }
    written?;
    File::open(folder(path))?.sync_all()
}

fn folder(path: &Path) -> &Path {
    path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

/// A new file in the same folder, under a name that nobody has.
fn new_beside(path: &Path) -> io::Result<(File, PathBuf)> {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    for _ in 0..MAX_NAMES {
        let mut name = path.as_os_str().to_owned();
        name.push(format!(".{}-{}.partial", process::id(), NEXT.fetch_add(1, Ordering::Relaxed)));
        let beside = PathBuf::from(name);
        match File::create_new(&beside) {
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
            Err(error) => return Err(error),
            Ok(file) => return Ok((file, beside)),
        }
    }
    Err(io::Error::new(io::ErrorKind::AlreadyExists, "too many files of interrupted runs are beside it"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_stands_in_its_place_is_kept_or_replaced_but_never_written_through() {
        use std::os::unix::fs::{PermissionsExt as _, symlink};
        let folder = tempfile::tempdir().unwrap();
        let [victim, link, private] = ["victim", "link", "private"].map(|name| folder.path().join(name));
        fs::write(&victim, "untouched").unwrap();
        symlink(&victim, &link).unwrap();
        write_whole(&link, b"report").unwrap();
        assert_eq!(
            (fs::read(&victim).unwrap(), fs::read(&link).unwrap()),
            (b"untouched".into(), b"report".into())
        );
        fs::write(&private, "old").unwrap();
        fs::set_permissions(&private, fs::Permissions::from_mode(0o600)).unwrap();
        write_whole(&private, b"new").unwrap();
        assert_eq!(fs::metadata(&private).unwrap().permissions().mode() & 0o777, 0o600);
        let error = write_whole(folder.path(), b"").unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::InvalidInput);
        let error = write_whole(Path::new("/dev/null"), b"").unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::InvalidInput);
    }

    #[test]
    fn what_was_left_of_other_runs_is_in_nobodys_way() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("model.sig");
        for left in [".partial".to_owned(), format!(".{}-0.partial", process::id())] {
            fs::write(format!("{}{left}", path.display()), "left").unwrap();
        }
        for content in ["one", "two"] {
            write_whole(&path, content.as_bytes()).unwrap();
            assert_eq!(read_signature_file(&path).unwrap(), content.as_bytes());
        }
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 3);
        assert!(write_whole(&folder.path().join("none/model.sig"), b"").is_err());
    }

    #[test]
    fn a_pipe_or_device_is_an_error_at_once() {
        let folder = tempfile::tempdir().unwrap();
        let pipe = folder.path().join("pipe");
        rustix::fs::mknodat(rustix::fs::CWD, &pipe, rustix::fs::FileType::Fifo, 0o600.into(), 0).unwrap();
        for path in [pipe.as_path(), Path::new("/dev/zero"), folder.path()] {
            let error = read_signature_file(path).unwrap_err();
            assert_eq!(error.kind(), io::ErrorKind::InvalidInput, "{}", path.display());
        }
    }
}
