//! The data folder: who may hold it, and the keys in it.
//!
//! ```text
//! DIR/lock           held by the server or the command that works on the folder
//! DIR/control.sock   how commands reach a running server
//! DIR/keys/          root key and log key, 0600, sealed when there is a passphrase
//! DIR/bastide.db     records
//! DIR/log/           the audit log: what may be published
//! DIR/bodies/        what was received and sent, sealed under the keys of the log's subjects
//! DIR/subjects/      keys of the log's subjects; destroying one erases its subject
//! ```

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read as _, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bastide_crypto::{Random as _, RootKey, SealedFile, SigningKey, SystemRandom};
use bastide_types::Secret;
use rustix::fs::FlockOperation;
use zeroize::Zeroizing;

use crate::failure::Failure;

const PLAIN_HEADER: &str = "bastide-key-v1 plain";
/// Root key and log key, in `keys/`.
const KEY_FILES: [&str; 2] = ["root.key", "log.key"];
/// No key file is longer: a header, a salt, a nonce and 32 sealed bytes.
const KEY_FILE_BYTES: u64 = 4_096;

/// A folder that this process holds alone.
#[derive(Debug)]
pub struct Folder {
    dir: PathBuf,
    passphrase: Option<Secret<String>>,
    _lock: File,
}

/// A key file, read.
struct KeyRead {
    key: Zeroizing<[u8; 32]>,
    sealed: bool,
}

/// What the lock said.
pub enum Locked {
    /// It is this process's now.
    Mine(Folder),
    /// Another process holds it: a server, reached through its socket.
    Theirs,
}

/// The two keys of an installation.
pub struct Keys {
    pub root: RootKey,
    pub log: SigningKey,
    /// Made just now: this is the first start.
    pub fresh: bool,
}

impl Folder {
    /// Takes the folder, making it first. The passphrase that seals its keys is in the file, else in the environment.
    ///
    /// # Errors
    /// When the passphrase is none, or the folder cannot be made, written or locked.
    pub fn take(dir: &Path, passphrase_file: Option<&Path>) -> Result<Locked, Failure> {
        // First: a passphrase that is none must not leave a folder behind.
        let passphrase = passphrase(passphrase_file)?;
        let could_not = |what: &str, e: io::Error| {
            let remedy = match e.kind() {
                io::ErrorKind::PermissionDenied | io::ErrorKind::ReadOnlyFilesystem => {
                    "; give this user write access, or choose another folder with `--data DIR`"
                }
                io::ErrorKind::StorageFull => "; free some space on its disk",
                _ => "",
            };
            Failure::could_not(format!("cannot {what} `{}`: {e}{remedy}", dir.display()))
        };
        if dir.join("log.vkey").is_file() {
            return Err(Failure::could_not(format!(
                "`{}` is the log of a data folder; give the data folder itself, which it lies in",
                dir.display()
            )));
        }
        if !dir.is_dir() {
            fs::DirBuilder::new()
                .recursive(true)
                .mode(0o700)
                .create(dir)
                .map_err(|e| could_not("make the data folder", e))?;
        }
        let lock = OpenOptions::new()
            .create(true)
            .truncate(false)
            .write(true)
            .mode(0o600)
            .open(dir.join("lock"))
            .map_err(|e| could_not("write to the data folder", e))?;
        match rustix::fs::flock(&lock, FlockOperation::NonBlockingLockExclusive) {
            Ok(()) => {}
            Err(rustix::io::Errno::WOULDBLOCK) => return Ok(Locked::Theirs),
            Err(e) => return Err(could_not("lock the data folder", e.into())),
        }
        Ok(Locked::Mine(Folder { dir: dir.to_owned(), passphrase, _lock: lock }))
    }

    /// Where it is.
    #[must_use]
    pub fn dir(&self) -> &Path {
        &self.dir
    }

    /// Reads the keys, or makes them at the first start.
    pub fn keys(&self) -> Result<Keys, Failure> {
        let dir = self.dir.join("keys");
        if !dir.is_dir() {
            fs::DirBuilder::new().recursive(true).mode(0o700).create(&dir).map_err(|e| failed(&dir, &e))?;
        }
        let [root, log] = KEY_FILES.map(|name| dir.join(name));
        let (root, fresh) = self.key(&root, true)?;
        let (log, _) = self.key(&log, true)?;
        Ok(Keys { root: RootKey::from_bytes(*root), log: SigningKey::from_seed(*log), fresh })
    }

    /// Seals the keys that are not sealed yet under the passphrase; how many those were. Cut off in the middle, it is
    /// done by doing it again.
    pub fn seal(&self) -> Result<usize, Failure> {
        if self.passphrase.is_none() {
            return Err(Failure::usage(
                "there is no passphrase to seal the keys under; set `BASTIDE_PASSPHRASE` or give `--passphrase-file FILE`",
            ));
        }
        let dir = self.dir.join("keys");
        // All are read before any is written: a passphrase that does not open one must not seal another.
        let mut keys = Vec::new();
        for name in KEY_FILES {
            let path = dir.join(name);
            let file = File::open(&path).map_err(|e| failed(&path, &e))?;
            keys.push((self.read_key(&path, file)?, path));
        }
        let plain: Vec<_> = keys.iter().filter(|(read, _)| !read.sealed).collect();
        plain.iter().try_for_each(|(read, path)| self.write_key(path, &read.key))?;
        Ok(plain.len())
    }

    fn key(&self, path: &Path, may_make: bool) -> Result<(Zeroizing<[u8; 32]>, bool), Failure> {
        match File::open(path) {
            Ok(file) => {
                let read = self.read_key(path, file)?;
                if !read.sealed && self.passphrase.is_some() {
                    // Never sealed on the way: every server that is started without the passphrase would then fail.
                    return Err(Failure::could_not(format!(
                        "a passphrase is given, but `{}` is not sealed; seal the keys with `bastide data seal --data {}`, \
                         or leave the passphrase out",
                        path.display(),
                        shell_word(&self.dir)
                    )));
                }
                Ok((read.key, false))
            }
            Err(e) if e.kind() == io::ErrorKind::NotFound && may_make => {
                // A missing root key beside existing records would make every key and token useless: never replace.
                if self.dir.join("bastide.db").exists() {
                    return Err(Failure::could_not(format!(
                        "`{}` is missing, but the folder holds records that need it; restore the file from a backup",
                        path.display()
                    )));
                }
                Ok((self.make_key(path)?, true))
            }
            Err(e) => Err(failed(path, &e)),
        }
    }

    fn read_key(&self, path: &Path, file: File) -> Result<KeyRead, Failure> {
        let mode = file.metadata().map_err(|e| failed(path, &e))?.permissions().mode();
        if mode & 0o077 != 0 {
            return Err(Failure::could_not(format!(
                "`{}` may be read by others (mode {:o}); run `chmod 600` on it, and replace the key if others are not \
                 trusted",
                path.display(),
                mode & 0o777
            )));
        }
        let mut text = Zeroizing::new(String::new());
        file.take(KEY_FILE_BYTES).read_to_string(&mut text).map_err(|e| failed(path, &e))?;
        let plain = text.strip_prefix(PLAIN_HEADER);
        let bytes = if let Some(plain) = plain {
            Zeroizing::new(STANDARD.decode(plain.trim()).map_err(|_| damaged(path))?)
        } else {
            let Some(passphrase) = &self.passphrase else {
                return Err(Failure::could_not(format!(
                    "`{}` is sealed; set `BASTIDE_PASSPHRASE` or give `--passphrase-file FILE`",
                    path.display()
                )));
            };
            SealedFile::open_with_passphrase(passphrase.expose().as_bytes(), &text)
                .map_err(|e| Failure::could_not(format!("`{}` does not open: {e}", path.display())))?
        };
        let key: [u8; 32] = bytes.as_slice().try_into().map_err(|_| damaged(path))?;
        Ok(KeyRead { key: Zeroizing::new(key), sealed: plain.is_none() })
    }

    fn make_key(&self, path: &Path) -> Result<Zeroizing<[u8; 32]>, Failure> {
        let mut key = Zeroizing::new([0; 32]);
        SystemRandom.fill(key.as_mut());
        self.write_key(path, &key)?;
        Ok(key)
    }

    fn write_key(&self, path: &Path, key: &[u8; 32]) -> Result<(), Failure> {
        let text = match &self.passphrase {
            None => Zeroizing::new(format!("{PLAIN_HEADER}\n{}\n", STANDARD.encode(key))),
            Some(passphrase) => {
                let (mut salt, mut nonce) = ([0; 16], [0; 12]);
                SystemRandom.fill(&mut salt);
                SystemRandom.fill(&mut nonce);
                let passphrase = passphrase.expose().as_bytes();
                let sealed = SealedFile::seal_with_passphrase(passphrase, salt, nonce, key)
                    .map_err(|e| Failure::could_not(format!("cannot seal `{}`: {e}", path.display())))?;
                Zeroizing::new(sealed)
            }
        };
        write_private(path, text.as_bytes()).map_err(|e| failed(path, &e))
    }
}

/// How a key file lies there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KeyFile {
    /// There is none.
    Missing,
    /// Whoever reads the file has the key.
    Plain,
    /// A passphrase seals it.
    Sealed,
}

impl KeyFile {
    /// The files of a data folder, root key first.
    ///
    /// # Errors
    /// When one cannot be read.
    pub fn in_folder(dir: &Path) -> io::Result<[(PathBuf, KeyFile); 2]> {
        let look = |path: &Path| {
            let file = match File::open(path) {
                Ok(file) => file,
                Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(KeyFile::Missing),
                Err(e) => return Err(e),
            };
            let mut beginning = [0; PLAIN_HEADER.len()];
            let plain = match file.take(KEY_FILE_BYTES).read_exact(&mut beginning) {
                Ok(()) => beginning == *PLAIN_HEADER.as_bytes(),
                Err(e) if e.kind() == io::ErrorKind::UnexpectedEof => false,
                Err(e) => return Err(e),
            };
            Ok(if plain { KeyFile::Plain } else { KeyFile::Sealed })
        };
        let [root, log] = KEY_FILES.map(|name| dir.join("keys").join(name));
        let (of_root, of_log) = (look(&root)?, look(&log)?);
        Ok([(root, of_root), (log, of_log)])
    }
}

fn passphrase(file: Option<&Path>) -> Result<Option<Secret<String>>, Failure> {
    const VARIABLE: &str = "BASTIDE_PASSPHRASE";
    let (given, from) = if let Some(path) = file {
        let text = Zeroizing::new(fs::read_to_string(path).map_err(|e| failed(path, &e))?);
        (text.trim_end_matches(['\n', '\r']).to_owned(), format!("the passphrase in `{}`", path.display()))
    } else {
        match std::env::var(VARIABLE) {
            Err(std::env::VarError::NotPresent) => return Ok(None),
            Err(std::env::VarError::NotUnicode(_)) => {
                return Err(Failure::usage(format!("`{VARIABLE}` is no text; a passphrase is UTF-8")));
            }
            Ok(text) => (text, format!("`{VARIABLE}`")),
        }
    };
    if given.is_empty() {
        // Most likely a secret that was not filled in; nobody means to seal keys under nothing.
        return Err(Failure::usage(format!(
            "{from} is empty; give a passphrase, or leave it out altogether"
        )));
    }
    Ok(Some(Secret::new(given)))
}

/// A path as one word of a shell.
pub fn shell_word(path: &Path) -> String {
    let text = path.display().to_string();
    let plain = |b: u8| b.is_ascii_alphanumeric() || b"-_./+:@%,=".contains(&b);
    if !text.is_empty() && text.bytes().all(plain) {
        return text;
    }
    format!("'{}'", text.replace('\'', "'\\''"))
}

/// Writes a file that only this user reads, whole or not at all.
pub(crate) fn write_private(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let temporary = path.with_extension("new");
    // Never through a file or link that is there already: its mode and target would be somebody else's choice.
    match fs::remove_file(&temporary) {
        Err(e) if e.kind() != io::ErrorKind::NotFound => return Err(e),
        _ => {}
    }
    let mut file = OpenOptions::new().create_new(true).write(true).mode(0o600).open(&temporary)?;
    file.write_all(bytes)?;
    file.sync_all()?;
    fs::rename(&temporary, path)?;
    if let Some(parent) = path.parent() {
        File::open(parent)?.sync_all()?;
    }
    Ok(())
}

fn failed(path: &Path, e: &io::Error) -> Failure {
    Failure::could_not(format!("cannot use `{}`: {e}", path.display()))
}

fn damaged(path: &Path) -> Failure {
    Failure::could_not(format!("`{}` is damaged; restore it from a backup", path.display()))
}
