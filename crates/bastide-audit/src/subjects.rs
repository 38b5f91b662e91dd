//! The keys of the log's subjects, which salt digests and seal bodies: erasing one makes every digest about that subject
//! say nothing and its bodies unreadable.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, PoisonError, RwLock};

use bastide_crypto::{HmacContext, HmacKey, Random, RootKey, SystemRandom, open, seal};
use bastide_types::{Digest, ExchangeId, KeyId, Pseudonym, UserId};
use zeroize::Zeroizing;

use crate::bodies::BodyKey;
use crate::disk::{Disk, LocalDisk, write_all};
use crate::error::AuditError;

const MAGIC: &[u8; 8] = b"bstdsub1";
const NONCE_BYTES: usize = 12;
const FILE_BYTES: usize = 8 + NONCE_BYTES + 32 + 16;
/// What a subject's key signs beside the 16 bytes of exchange ids, whose tags salt digests. Another length is another
/// message, so none of these tags is ever a salt.
const BODY_LABEL: &[u8] = b"bastide/subject/body/v1";
const IDENTITY_LABEL: &[u8] = b"bastide/subject/identity/v1";
/// Before a person's id. A key's id is signed bare; the lengths differ, so neither is ever the other's name.
const USER_LABEL: &[u8] = b"bastide/user/v1";
const NUMBER_LABEL: &[u8] = b"bastide/subject/number/v1";

/// The subjects' keys in a folder: a file for each, sealed under the root key and bound to its subject's id.
pub struct Subjects {
    disk: Arc<dyn Disk>,
    dir: PathBuf,
    sealing: Zeroizing<[u8; 32]>,
    pseudonyms: HmacKey,
    /// The keys in use, so that an exchange costs no I/O.
    known: RwLock<HashMap<KeyId, SubjectKey>>,
}

/// A subject's key, ready for use.
struct SubjectKey {
    mac: HmacKey,
    name: Pseudonym,
    /// Says which key sealed a body, without a word about whose it is; a subject's next key has another.
    number: [u8; 8],
}

impl SubjectKey {
    fn new(key: &[u8], name: Pseudonym) -> Self {
        let mac = HmacKey::new(key);
        let [a, b, c, d, e, f, g, h, ..] = mac.sign(&[NUMBER_LABEL]);
        SubjectKey { mac, name, number: [a, b, c, d, e, f, g, h] }
    }

    fn digest(&self, exchange: ExchangeId) -> DigestKey {
        DigestKey(Zeroizing::new(self.mac.sign(&[exchange.as_bytes()])))
    }

    fn exchange(&self, exchange: ExchangeId) -> ExchangeKeys {
        ExchangeKeys { digest: self.digest(exchange), body: self.body(exchange), name: self.name }
    }

    fn body(&self, exchange: ExchangeId) -> BodyKey {
        let key = Zeroizing::new(self.mac.sign(&[BODY_LABEL, exchange.as_bytes()]));
        BodyKey::new(key, self.number)
    }
}

/// The key that salts the digests of one exchange. Wiped on drop; has no `Debug`. Held by its bytes: made ready it takes
/// more than a kilobyte, which would move about with the exchange for the sake of the two digests that it needs.
#[derive(Clone)]
pub struct DigestKey(Zeroizing<[u8; 32]>);

impl DigestKey {
    fn ready(&self) -> HmacKey {
        HmacKey::new(&self.0[..])
    }

    /// The digest of a body.
    #[must_use]
    pub fn digest(&self, body: &[u8]) -> Digest {
        Digest(self.ready().sign(&[body]))
    }

    /// A digest of a body that comes in pieces.
    #[must_use]
    pub fn context(&self) -> HmacContext {
        self.ready().context()
    }
}

/// What is derived from a subject's key for one exchange. Has no `Debug`.
pub struct ExchangeKeys {
    /// Salts the digests of its bodies.
    pub digest: DigestKey,
    /// Seals its bodies.
    pub body: BodyKey,
    /// Its subject's name in the log, as [`Subjects::pseudonym`] gives it.
    pub name: Pseudonym,
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
    pub fn digest_key(&self, subject: KeyId, exchange: ExchangeId) -> Result<DigestKey, AuditError> {
        self.with(subject, |key| key.digest(exchange))
    }

    /// The key that seals the bodies of one exchange. Otherwise as [`Subjects::digest_key`].
    ///
    /// # Errors
    /// When the subject's key cannot be read or written.
    pub fn body_key(&self, subject: KeyId, exchange: ExchangeId) -> Result<BodyKey, AuditError> {
        self.with(subject, |key| key.body(exchange))
    }

    /// Both keys of a new exchange, derived together: an erasure comes before both or after both. An exchange that outlives
    /// an erasure goes on under what was erased. Otherwise as [`Subjects::digest_key`].
    ///
    /// # Errors
    /// When the subject's key cannot be read or written.
    pub fn new_exchange(&self, subject: KeyId, exchange: ExchangeId) -> Result<ExchangeKeys, AuditError> {
        self.with(subject, |key| key.exchange(exchange))
    }

    /// Both keys of one exchange, for a reader: a subject whose key is gone gets no new one.
    ///
    /// # Errors
    /// When the subject's key cannot be read.
    pub fn exchange_keys(
        &self,
        subject: KeyId,
        exchange: ExchangeId,
    ) -> Result<Option<ExchangeKeys>, AuditError> {
        let derive = |key: &SubjectKey| key.exchange(exchange);
        // The lock is held over the reading, so that an erasure is before it or after it.
        let known = self.known.read().unwrap_or_else(PoisonError::into_inner);
        match known.get(&subject) {
            Some(key) => Ok(Some(derive(key))),
            None => Ok(self.load(subject)?.as_ref().map(derive)),
        }
    }

    /// The subject with this name in the log, as long as it has a key.
    ///
    /// # Errors
    /// When the folder cannot be read.
    pub fn find(&self, pseudonym: Pseudonym) -> Result<Option<KeyId>, AuditError> {
        let names = self.disk.list(&self.dir).map_err(|e| AuditError::io("read", &self.dir, e))?;
        let mut ids = names.iter().filter_map(|name| name.strip_suffix(".key")?.parse::<KeyId>().ok());
        Ok(ids.find(|id| self.pseudonym(*id) == pseudonym))
    }

    /// What tells this key of the subject from an earlier or a later one, and says nothing else; `None` when it has none
    /// that an erasure would destroy.
    ///
    /// # Errors
    /// When the file of its key cannot be read.
    pub fn key_digest(&self, subject: KeyId) -> Result<Option<Digest>, AuditError> {
        Ok(self.load(subject)?.map(|key| Digest(key.mac.sign(&[IDENTITY_LABEL]))))
    }

    fn with<R>(&self, subject: KeyId, derive: impl Fn(&SubjectKey) -> R) -> Result<R, AuditError> {
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
        first_half(self.pseudonyms.sign(&[subject.as_bytes()]))
    }

    /// A person's name in the log: the first 16 bytes of `HMAC(pseudonym key, label and id)`.
    #[must_use]
    pub fn user_pseudonym(&self, user: UserId) -> Pseudonym {
        first_half(self.pseudonyms.sign(&[USER_LABEL, user.as_bytes()]))
    }

    /// Destroys the subject's key for good: overwritten, removed, both made durable. Digests made with it can never
    /// be matched with a text again, bodies sealed under it never opened; proofs stay whole. Later exchanges of the
    /// subject get a new key. What a copy-on-write file system, a flash drive or a backup still holds is sealed under the root key.
    ///
    /// # Errors
    /// When it could not be destroyed for certain. It is then not used any more, but what is on the disk may be read
    /// again after a restart: try again.
    pub fn erase(&self, subject: KeyId) -> Result<(), AuditError> {
        let mut known = self.known.write().unwrap_or_else(PoisonError::into_inner);
        // First, whatever comes of the file: what is recorded under a key that is half gone could never be matched.
        known.remove(&subject);
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
        erased.map_err(|e| AuditError::io("erase", &path, e))
    }

    fn path(&self, subject: KeyId) -> PathBuf {
        self.dir.join(format!("{subject}.key"))
    }

    fn load_or_make(&self, subject: KeyId) -> Result<SubjectKey, AuditError> {
        if let Some(key) = self.load(subject)? {
            return Ok(key);
        }
        let key = Zeroizing::new(SystemRandom.bytes::<32>());
        self.store(subject, &self.path(subject), &key)?;
        Ok(SubjectKey::new(&key[..], self.pseudonym(subject)))
    }

    fn load(&self, subject: KeyId) -> Result<Option<SubjectKey>, AuditError> {
        let Some(bytes) = self.read(subject)? else { return Ok(None) };
        let key = self.unseal(subject, &bytes).ok_or_else(|| {
            AuditError::corrupt(&self.path(subject), "it was not sealed under this root key for this subject")
        })?;
        Ok(Some(key))
    }

    /// The file of a subject's key. Zeros are what an erasure that was cut off leaves: the key is gone.
    fn read(&self, subject: KeyId) -> Result<Option<Vec<u8>>, AuditError> {
        let path = self.path(subject);
        let limit = u64::try_from(FILE_BYTES).unwrap_or(u64::MAX);
        let file = self.disk.read(&path, limit).map_err(|e| AuditError::io("read", &path, e))?;
        Ok(file.filter(|bytes| bytes.iter().any(|b| *b != 0)))
    }

    fn unseal(&self, subject: KeyId, bytes: &[u8]) -> Option<SubjectKey> {
        let rest = bytes.strip_prefix(MAGIC)?;
        let (nonce, sealed) = rest.split_first_chunk::<NONCE_BYTES>()?;
        let key = Zeroizing::new(open(&self.sealing, *nonce, subject.as_bytes(), sealed).ok()?);
        (key.len() == 32).then(|| SubjectKey::new(&key, self.pseudonym(subject)))
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

fn first_half(tag: [u8; 32]) -> Pseudonym {
    let mut out = [0; 16];
    for (to, from) in out.iter_mut().zip(tag) {
        *to = from;
    }
    Pseudonym(out)
}
