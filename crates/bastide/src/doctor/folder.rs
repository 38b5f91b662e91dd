//! The data folder: who may read it, what it lies on, and whether its parts are whole.

use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::path::Path;

use bastide_admin::{Finding, KeyFile, chain, shell_word};
use bastide_store::Store;
use bastide_types::Timestamp;

use super::log;

/// Free bytes below which the log stops before long: its segments are made ahead of need.
const LEAST_FREE: u64 = 256 << 20;
/// Free bytes below which somebody should know.
const LITTLE_FREE: u64 = 2 << 30;

/// The checks on a data folder, which hold with and without a running server.
pub(crate) fn installation(dir: &Path, now: Timestamp, serves: bool) -> Vec<Finding> {
    let mut findings = vec![owner(dir), space(dir)];
    findings.extend(file_system(dir));
    findings.push(keys(dir));
    findings.push(log::log(dir, now, serves));
    findings.push(log::clock(dir, now));
    findings.extend(records(dir));
    findings
}

fn owner(dir: &Path) -> Finding {
    let shown = dir.display();
    let meta = match std::fs::metadata(dir) {
        Ok(meta) => meta,
        Err(e) => {
            let remedy = "run this as the server's user";
            return Finding::fail("folder", format!("`{shown}` cannot be read: {e}"), remedy);
        }
    };
    let (mode, own) = (meta.permissions().mode() & 0o777, rustix::process::geteuid().as_raw());
    if mode & 0o077 != 0 {
        let message = format!("others may enter `{shown}` (mode {mode:o})");
        return Finding::fail("folder", message, format!("run `chmod 700 {}`", shell_word(dir)));
    }
    if meta.uid() != own {
        let message = format!("`{shown}` belongs to user {}, and this is user {own}", meta.uid());
        return Finding::warn("folder", message, "run bastide as the user that the folder belongs to");
    }
    Finding::ok("folder", format!("`{shown}` is this user's alone"))
}

fn space(dir: &Path) -> Finding {
    let stat = match rustix::fs::statvfs(dir) {
        Ok(stat) => stat,
        Err(e) => return Finding::warn("space", format!("unknown: {e}"), "look with `df`"),
    };
    let free = stat.f_bavail.saturating_mul(stat.f_frsize);
    let message = format!("{} MiB are free", free >> 20);
    let remedy = "free some space, or lower `bodies.bytes`; a full disk stops every request";
    match free {
        n if n < LEAST_FREE => Finding::fail("space", message, remedy),
        n if n < LITTLE_FREE => Finding::warn("space", message, remedy),
        _ => Finding::ok("space", message),
    }
}

/// What the folder lies on, where the system tells.
#[cfg(target_os = "linux")]
fn file_system(dir: &Path) -> Option<Finding> {
    // statfs(2); of these a sync may return before the bytes are safe, or the bytes do not outlive the machine or the
    // container.
    const KINDS: [(u32, &str, &str); 8] = [
        (0x6969, "NFS", "locks and syncs depend on the server"),
        (0xff53_4d42, "CIFS", "locks and syncs depend on the server"),
        (0xfe53_4d42, "SMB", "locks and syncs depend on the server"),
        (0x0102_1997, "9p", "a sync may return before the bytes are safe"),
        (0x6573_5546, "FUSE", "what a sync means is up to its program"),
        (0x794c_7630, "an overlay", "it goes with the container"),
        (0x0102_1994, "tmpfs", "it is memory: all is lost with the machine"),
        (0x8584_58f6, "ramfs", "it is memory: all is lost with the machine"),
    ];
    let kind = rustix::fs::statfs(dir).ok()?.f_type;
    // The numbers have 32 bits; how wide the field is depends on the machine.
    let kind = u32::try_from(kind & 0xffff_ffff).ok()?;
    Some(match KINDS.iter().find(|(number, ..)| *number == kind) {
        Some((_, name, why)) => Finding::warn(
            "file system",
            format!("the data folder lies on {name}: {why}"),
            "put it on a local disk (in a container: on a volume)",
        ),
        None => Finding::ok("file system", "nothing speaks against it"),
    })
}

#[cfg(not(target_os = "linux"))]
fn file_system(_: &Path) -> Option<Finding> {
    None
}

fn keys(dir: &Path) -> Finding {
    let files = match KeyFile::in_folder(dir) {
        Ok(files) => files,
        Err(e) => {
            return Finding::fail("keys", format!("cannot be read: {e}"), "run this as the server's user");
        }
    };
    let readable = files
        .iter()
        .find(|(path, _)| std::fs::metadata(path).is_ok_and(|meta| meta.permissions().mode() & 0o077 != 0));
    if let Some((path, _)) = readable {
        let message = format!("others may read `{}`", path.display());
        return Finding::fail("keys", message, format!("run `chmod 600 {}`", shell_word(path)));
    }
    match files.each_ref().map(|(_, state)| *state) {
        [KeyFile::Missing, KeyFile::Missing] => Finding::ok("keys", "the first start makes them"),
        [KeyFile::Missing, _] | [_, KeyFile::Missing] => Finding::fail(
            "keys",
            "one of the two key files is missing",
            "restore the folder `keys` from a backup",
        ),
        [KeyFile::Sealed, KeyFile::Sealed] => Finding::ok("keys", "a passphrase seals them"),
        _ => Finding::warn(
            "keys",
            "they lie in clear: whoever copies the folder has them",
            format!(
                "stop the server and run `bastide data seal --data {}` with a passphrase",
                shell_word(dir)
            ),
        ),
    }
}

fn records(dir: &Path) -> Option<Finding> {
    if !dir.join("bastide.db").exists() {
        return None;
    }
    let remedy = "stop the server and restore the data folder from a backup";
    Some(match Store::check(dir) {
        Ok(wrong) if wrong.is_empty() => Finding::ok("records", "they are whole"),
        Ok(wrong) => Finding::fail("records", format!("they are damaged: {}", wrong.join(", ")), remedy),
        Err(error) => Finding::fail("records", chain(&error), remedy),
    })
}
