//! The keys that salt digests, one for each subject: erasing one makes every digest about that subject say nothing.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, PoisonError, RwLock};

use bastide_crypto::{HmacKey, Random, RootKey, SystemRandom, open, seal};
use bastide_types::{ExchangeId, KeyId, Pseudonym};
use zeroize::Zeroizing;

use crate::disk::{Disk, LocalDisk, write_all};
use crate::error::AuditError;

const MAGIC: &[u8; 8] = b"bstdsub1";
const NONCE_BYTES: usize = 12;
const FILE_BYTES: usize = 8 + NONCE_BYTES + 32 + 16;

/// The subjects' keys in a folder: a file for each, sealed under the root key and bound to its subject's id.
pub struct Subjects {
    disk: Arc<dyn Disk>,
    dir: PathBuf,
    sealing: Zeroizing<[u8; 32]>,
    pseudonyms: HmacKey,
    /// The keys in use, so that an exchange costs no I/O.
    known: RwLock<HashMap<KeyId, HmacKey>>,
}

impl Subjects {
    /// Opens the folder `DATA/subjects` on this machine, creating it if need be.
    ///
    /// # Errors
    /// When the folder cannot be created.
    pub fn open(dir: impl Into<PathBuf>, root: &RootKey) -> Result<Subjects, AuditError> {
        Subjects::open_on(Arc::new(LocalDisk), dir, root)
    }

    /// Opens the folder on any disk.
    ///
    /// # Errors
    /// As [`Subjects::open`].
    pub fn open_on(
        disk: Arc<dyn Disk>,
        dir: impl Into<PathBuf>,
        root: &RootKey,
    ) -> Result<Subjects, AuditError> {
        let dir = dir.into();
        disk.create_dirs(&dir).map_err(|e| AuditError::io("create", &dir, e))?;
        Ok(Subjects {
            disk,
            dir,
            sealing: Zeroizing::new(root.derive("audit/subjects")),
            pseudonyms: HmacKey::new(&root.derive("audit/pseudonym")),
            known: RwLock::new(HashMap::new()),
        })
    }

    /// The key that salts the digests of one exchange: `HMAC(subject's key, exchange id)`. A subject without a key
    /// gets one, which costs a synced write once; any other first use costs a read.
    ///
    /// # Errors
    /// When the subject's key cannot be read or written.
    pub fn digest_key(&self, subject: KeyId, exchange: ExchangeId) -> Result<HmacKey, AuditError> {
        let derive = |key: &HmacKey| HmacKey::new(&Zeroizing::new(key.sign(&[exchange.as_bytes()]))[..]);
        if let Some(key) = self.known.read().unwrap_or_else(PoisonError::into_inner).get(&subject) {
            return Ok(derive(key));
        }
        // One at a time: two first uses must not make two keys.
        let mut known = self.known.write().unwrap_or_else(PoisonError::into_inner);
        let key = match known.entry(subject) {
            std::collections::hash_map::Entry::Occupied(key) => key.into_mut(),
            std::collections::hash_map::Entry::Vacant(place) => place.insert(self.load_or_make(subject)?),
        };
        Ok(derive(key))
    }

    /// The subject's name in the log: the first 16 bytes of `HMAC(pseudonym key, id)`.
    #[must_use]
    pub fn pseudonym(&self, subject: KeyId) -> Pseudonym {
        let mut out = [0; 16];
        for (to, from) in out.iter_mut().zip(self.pseudonyms.sign(&[subject.as_bytes()])) {
            *to = from;
        }
        Pseudonym(out)
    }

    /// Destroys the subject's key for good: overwritten, removed, both made durable. Digests made with it can never
    /// be matched with a text again; proofs stay whole. Later exchanges of the subject get a new key. What a
    /// copy-on-write file system, a flash drive or a backup still holds is sealed under the root key.
    ///
    /// # Errors
    /// When it could not be destroyed; the key is then still there.
    pub fn erase(&self, subject: KeyId) -> Result<(), AuditError> {
        let mut known = self.known.write().unwrap_or_else(PoisonError::into_inner);
        let path = self.path(subject);
        let erased = (|| {
            let mut file = match self.disk.open(&path, true) {
                Err(e) if e.kind() == std::io::ErrorKind::NotFound => return Ok(()),
                other => other?,
            };
            write_all(file.as_mut(), 0, &[0; FILE_BYTES])?;
            file.sync()?;
            drop(file);
            self.disk.remove_file(&path)?;
            self.disk.sync_dir(&self.dir)
        })();
        erased.map_err(|e| AuditError::io("erase", &path, e))?;
        known.remove(&subject);
        Ok(())
    }

    fn path(&self, subject: KeyId) -> PathBuf {
        self.dir.join(format!("{subject}.key"))
    }

    fn load_or_make(&self, subject: KeyId) -> Result<HmacKey, AuditError> {
        let path = self.path(subject);
        let limit = u64::try_from(FILE_BYTES).unwrap_or(u64::MAX);
        let file = self.disk.read(&path, limit).map_err(|e| AuditError::io("read", &path, e))?;
        // Zeros are what an erasure that was cut off leaves: the key is gone, so the subject gets a new one.
        if let Some(bytes) = file.filter(|bytes| bytes.iter().any(|b| *b != 0)) {
            return self.unseal(subject, &bytes).ok_or_else(|| {
                AuditError::corrupt(&path, "it was not sealed under this root key for this subject")
            });
        }
        let key = Zeroizing::new(SystemRandom.bytes::<32>());
        self.store(subject, &path, &key)?;
        Ok(HmacKey::new(&key[..]))
    }

    fn unseal(&self, subject: KeyId, bytes: &[u8]) -> Option<HmacKey> {
        let rest = bytes.strip_prefix(MAGIC)?;
        let (nonce, sealed) = rest.split_first_chunk::<NONCE_BYTES>()?;
        let key = Zeroizing::new(open(&self.sealing, *nonce, subject.as_bytes(), sealed).ok()?);
        (key.len() == 32).then(|| HmacKey::new(&key))
    }

    fn store(&self, subject: KeyId, path: &Path, key: &[u8; 32]) -> Result<(), AuditError> {
        let mut nonce = [0; NONCE_BYTES];
        SystemRandom.fill(&mut nonce);
        let sealed = seal(&self.sealing, nonce, subject.as_bytes(), key);
        let bytes = [&MAGIC[..], &nonce, &sealed].concat();
        let temporary = path.with_extension("tmp");
        let stored = (|| {
            let mut file = self.disk.create(&temporary)?;
            write_all(file.as_mut(), 0, &bytes)?;
            file.sync()?;
            drop(file);
            self.disk.rename(&temporary, path)?;
            self.disk.sync_dir(&self.dir)
        })();
        stored.map_err(|e| AuditError::io("write", path, e))
    }
}
