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

use crate::cli::Data;
use crate::failure::Failure;

const PLAIN_HEADER: &str = "bastide-key-v1 plain";
/// No key file is longer: a header, a salt, a nonce and 32 sealed bytes.
const KEY_FILE_BYTES: u64 = 4_096;

/// A folder that this process holds alone.
#[derive(Debug)]
pub(crate) struct Folder {
    dir: PathBuf,
    passphrase: Option<Secret<String>>,
    _lock: File,
}

/// What the lock said.
pub(crate) enum Locked {
    Mine(Folder),
    /// Another process holds it: a server, reached through its socket.
    Theirs,
}

/// The two keys of an installation.
pub(crate) struct Keys {
    pub(crate) root: RootKey,
    pub(crate) log: SigningKey,
    /// Made just now: this is the first start.
    pub(crate) fresh: bool,
}

impl Folder {
    /// Takes the folder, making it first.
    pub(crate) fn take(data: &Data) -> Result<Locked, Failure> {
        let dir = &data.dir;
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
        let passphrase = passphrase(data)?;
        Ok(Locked::Mine(Folder { dir: dir.clone(), passphrase, _lock: lock }))
    }

    pub(crate) fn dir(&self) -> &Path {
        &self.dir
    }

    /// Reads the keys, or makes them at the first start.
    pub(crate) fn keys(&self) -> Result<Keys, Failure> {
        let dir = self.dir.join("keys");
        if !dir.is_dir() {
            fs::DirBuilder::new().recursive(true).mode(0o700).create(&dir).map_err(|e| failed(&dir, &e))?;
        }
        let (root, fresh) = self.key(&dir.join("root.key"), true)?;
        let (log, _) = self.key(&dir.join("log.key"), true)?;
        Ok(Keys { root: RootKey::from_bytes(*root), log: SigningKey::from_seed(*log), fresh })
    }

    fn key(&self, path: &Path, may_make: bool) -> Result<(Zeroizing<[u8; 32]>, bool), Failure> {
        match File::open(path) {
            Ok(file) => Ok((self.read_key(path, file)?, false)),
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

    fn read_key(&self, path: &Path, file: File) -> Result<Zeroizing<[u8; 32]>, Failure> {
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
        let key = Zeroizing::new(key);
        if plain.is_some() && self.passphrase.is_some() {
            // Whoever gives a passphrase means the keys to be sealed: those made before it are sealed now.
            self.write_key(path, &key)?;
        }
        Ok(key)
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

fn passphrase(data: &Data) -> Result<Option<Secret<String>>, Failure> {
    if let Some(path) = &data.passphrase_file {
        let text = fs::read_to_string(path).map_err(|e| failed(path, &e))?;
        return Ok(Some(Secret::new(text.trim_end_matches(['\n', '\r']).to_owned())));
    }
    Ok(std::env::var("BASTIDE_PASSPHRASE").ok().filter(|p| !p.is_empty()).map(Secret::new))
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
