//! Salts that can be erased.

#![expect(clippy::unwrap_used, reason = "a test stops at what it did not expect")]

use bastide_audit::{AuditError, Subjects};
use bastide_crypto::RootKey;
use bastide_types::{ExchangeId, KeyId, UserId};

fn digest(subjects: &Subjects, subject: u8, exchange: u8) -> [u8; 32] {
    let key = subjects
        .digest_key(KeyId::from_bytes([subject; 16]), ExchangeId::from_bytes([exchange; 16]))
        .unwrap();
    let mut context = key.context();
    context.update(b"the ");
    context.update(b"body");
    let digest = key.digest(b"the body").0;
    assert_eq!(digest, context.finish());
    digest
}

#[test]
fn digests_are_apart_by_subject_and_exchange_and_last() {
    let dir = tempfile::tempdir().unwrap();
    let root = RootKey::from_bytes([1; 32]);
    let subjects = Subjects::open(dir.path(), &root).unwrap();
    let first = digest(&subjects, 1, 1);
    assert_eq!(digest(&subjects, 1, 1), first);
    assert_ne!(digest(&subjects, 1, 2), first);
    assert_ne!(digest(&subjects, 2, 1), first);
    let again = Subjects::open(dir.path(), &root).unwrap();
    assert_eq!(digest(&again, 1, 1), first, "kept on disk");
}

#[test]
fn an_erased_subject_cannot_be_matched_again() {
    let dir = tempfile::tempdir().unwrap();
    let root = RootKey::from_bytes([1; 32]);
    let subjects = Subjects::open(dir.path(), &root).unwrap();
    let (erased, kept) = (digest(&subjects, 1, 1), digest(&subjects, 2, 1));
    let files = || std::fs::read_dir(dir.path()).unwrap().count();
    assert_eq!(files(), 2);
    subjects.erase(KeyId::from_bytes([1; 16])).unwrap();
    assert_eq!(files(), 1);
    assert_ne!(digest(&subjects, 1, 1), erased);
    assert_eq!(digest(&subjects, 2, 1), kept);
    subjects.erase(KeyId::from_bytes([1; 16])).unwrap();
    subjects.erase(KeyId::from_bytes([9; 16])).unwrap();
    let again = Subjects::open(dir.path(), &root).unwrap();
    assert_ne!(digest(&again, 1, 1), erased);
}

#[test]
fn a_key_file_is_bound_to_root_and_subject() {
    let dir = tempfile::tempdir().unwrap();
    let subjects = Subjects::open(dir.path(), &RootKey::from_bytes([1; 32])).unwrap();
    digest(&subjects, 1, 1);
    let stranger = Subjects::open(dir.path(), &RootKey::from_bytes([2; 32])).unwrap();
    let ids = (KeyId::from_bytes([1; 16]), ExchangeId::from_bytes([1; 16]));
    assert!(matches!(stranger.digest_key(ids.0, ids.1), Err(AuditError::Corrupt { .. })));
    // The file of one subject under the name of another.
    let path = |n: u8| dir.path().join(format!("{}.key", KeyId::from_bytes([n; 16])));
    std::fs::copy(path(1), path(3)).unwrap();
    assert!(subjects.digest_key(KeyId::from_bytes([3; 16]), ids.1).is_err());
    // What a cut-off erasure leaves.
    std::fs::write(path(4), [0; 68]).unwrap();
    digest(&subjects, 4, 1);
}

#[test]
fn pseudonyms_are_stable_and_depend_on_the_root() {
    let dir = tempfile::tempdir().unwrap();
    let subjects = Subjects::open(dir.path(), &RootKey::from_bytes([1; 32])).unwrap();
    let other = Subjects::open(dir.path(), &RootKey::from_bytes([2; 32])).unwrap();
    let id = KeyId::from_bytes([1; 16]);
    assert_eq!(subjects.pseudonym(id), subjects.pseudonym(id));
    for subject in [id, KeyId::from_bytes([2; 16])] {
        let keys = subjects.new_exchange(subject, ExchangeId::from_bytes([3; 16])).unwrap();
        assert_eq!(keys.name, subjects.pseudonym(subject));
    }
    assert_ne!(subjects.pseudonym(id), subjects.pseudonym(KeyId::from_bytes([2; 16])));
    assert_ne!(subjects.pseudonym(id), other.pseudonym(id));
}

#[test]
fn names_in_the_log_stay_and_people_have_their_own() {
    let dir = tempfile::tempdir().unwrap();
    let subjects = Subjects::open(dir.path(), &RootKey::from_bytes([1; 32])).unwrap();
    // A log that is there speaks of keys by these names: computed before people had any.
    let key = subjects.pseudonym(KeyId::from_bytes([7; 16])).0;
    assert_eq!(key.map(|b| format!("{b:02x}")).concat(), "204db22cb3a194ce4d11db50f2120810");
    let user = subjects.user_pseudonym(UserId::from_bytes([7; 16])).0;
    assert_ne!(user, key, "the same bytes as another kind of id");
    assert_eq!(subjects.user_pseudonym(UserId::from_bytes([7; 16])).0, user);
    assert_ne!(subjects.user_pseudonym(UserId::from_bytes([8; 16])).0, user);
}
