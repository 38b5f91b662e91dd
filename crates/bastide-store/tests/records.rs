//! What is written is read back, after a restart too; what must not be is refused with a reason.
#![allow(clippy::unwrap_used, reason = "tests")]

use bastide_store::{CredentialSource, KeyLimits, NewKeyRow, NewProject, NewProvider, Store, StoreError};
use bastide_types::{Digest, KeyId, OrganisationId, ProjectId, ProviderId, Timestamp};

fn at(n: u64) -> Timestamp {
    Timestamp::from_micros(n)
}
fn organisation() -> OrganisationId {
    OrganisationId::from_bytes([1; 16])
}
fn project() -> ProjectId {
    ProjectId::from_bytes([2; 16])
}

fn with_project(store: &Store) {
    store.add_organisation(organisation(), "acme", at(1), 0).unwrap();
    store
        .add_project(NewProject { id: project(), organisation: organisation(), name: "search" }, at(2), 1)
        .unwrap();
}

fn key(n: u8) -> NewKeyRow<'static> {
    NewKeyRow {
        id: KeyId::from_bytes([n; 16]),
        project: project(),
        name: "ci",
        hint: "bst_abc",
        lookup: [n; 32],
        demo: false,
        created_by: None,
        expires_at: Some(at(99)),
        limits: KeyLimits { requests_per_minute: Some(60), tokens_per_day: Some(0), ..KeyLimits::default() },
    }
}

#[test]
fn everything_survives_a_restart() {
    let dir = tempfile::tempdir().unwrap();
    let written;
    {
        let store = Store::open(dir.path()).unwrap();
        with_project(&store);
        written = store.add_key(&key(3), at(3), 2).unwrap();
        let sealed = CredentialSource::Sealed(vec![0, 255, 7]);
        for (n, name, credential) in [
            (1, "openai", CredentialSource::Env("OPENAI_API_KEY".into())),
            (2, "eu.local-1", CredentialSource::File("/run/secrets/a:b".into())),
            (3, "vault", sealed),
            (4, "open", CredentialSource::None),
        ] {
            let project = (n == 1).then(project);
            let new = NewProvider {
                id: ProviderId::from_bytes([n; 16]),
                project,
                name,
                base_url: "http://h/v1",
                credential: &credential,
            };
            store.add_provider(&new, at(4), 10 + u64::from(n)).unwrap();
        }
        assert_eq!(store.set_policy("permit ...", Digest([1; 32]), at(5), 20).unwrap(), 1);
        assert_eq!(store.set_policy("forbid ...", Digest([2; 32]), at(6), 21).unwrap(), 2);
        store.set_sealed("root", b"old", at(7), 22).unwrap();
        store.set_sealed("root", b"\0blob", at(7), 23).unwrap();
        store.set_meta("node", "n1").unwrap();
        store.set_meta("node", "n2").unwrap();
    }
    let store = Store::open(dir.path()).unwrap();
    assert_eq!(store.keys().unwrap(), std::slice::from_ref(&written));
    assert_eq!(written.limits.tokens_per_day, Some(0));
    assert_eq!(store.organisations().unwrap()[0].name, "acme");
    assert_eq!(store.projects().unwrap()[0].organisation, organisation());
    assert_eq!(store.project(ProjectId::from_bytes([9; 16])).unwrap(), None);
    let providers = store.providers().unwrap();
    assert_eq!(providers.len(), 4);
    assert_eq!(providers[0].project, Some(project()));
    assert_eq!(providers[1].credential, CredentialSource::File("/run/secrets/a:b".into()));
    assert_eq!(providers[2].credential, CredentialSource::Sealed(vec![0, 255, 7]));
    let active = store.active_policy().unwrap().unwrap();
    assert_eq!((active.version, active.text.as_str(), active.digest), (2, "forbid ...", Digest([2; 32])));
    assert!(!store.policy(1).unwrap().unwrap().active);
    assert_eq!(store.policies(1).unwrap(), [active]);
    assert_eq!(store.sealed("root").unwrap().as_deref(), Some(&b"\0blob"[..]));
    assert_eq!(store.meta("node").unwrap().as_deref(), Some("n2"));
    assert_eq!(store.meta("nothing").unwrap(), None);
    assert_eq!(store.last_intent().unwrap(), Some(23));
}

#[test]
fn constraints_are_typed_errors() {
    let store = Store::in_memory().unwrap();
    with_project(&store);
    let twin =
        NewProject { id: ProjectId::from_bytes([5; 16]), organisation: organisation(), name: "search" };
    let error = store.add_project(twin, at(1), 5).unwrap_err();
    assert!(matches!(&error, StoreError::Duplicate { what: "project", name } if name == "search"), "{error}");

    let orphan = NewProject { organisation: OrganisationId::from_bytes([8; 16]), name: "x", ..twin };
    assert!(matches!(
        store.add_project(orphan, at(1), 5),
        Err(StoreError::Unknown { what: "organisation", .. })
    ));
    assert!(matches!(
        store.add_organisation(OrganisationId::from_bytes([9; 16]), "acme", at(1), 5),
        Err(StoreError::Duplicate { what: "organisation", .. })
    ));

    let lost = NewKeyRow { project: ProjectId::from_bytes([9; 16]), ..key(1) };
    assert!(matches!(store.add_key(&lost, at(1), 5), Err(StoreError::Unknown { what: "project", .. })));
    let unmade = NewKeyRow { created_by: Some(KeyId::from_bytes([77; 16])), ..key(1) };
    assert!(matches!(store.add_key(&unmade, at(1), 5), Err(StoreError::Unknown { what: "key", .. })));
    store.add_key(&key(1), at(1), 5).unwrap();
    let same_hash = NewKeyRow { id: KeyId::from_bytes([66; 16]), ..key(1) };
    assert!(matches!(store.add_key(&same_hash, at(1), 6), Err(StoreError::Duplicate { what: "key", .. })));
    let huge =
        NewKeyRow { limits: KeyLimits { concurrency: Some(u64::MAX), ..KeyLimits::default() }, ..key(2) };
    assert!(matches!(store.add_key(&huge, at(1), 6), Err(StoreError::Invalid { .. })));
    assert!(matches!(
        store.revoke_key(KeyId::from_bytes([66; 16]), at(1), 6),
        Err(StoreError::Unknown { what: "key", .. })
    ));

    for name in ["", "a/b", "UPPER", "spa ce", "'; DROP TABLE keys; --", &"x".repeat(65)] {
        let new = NewProvider {
            id: ProviderId::from_bytes([1; 16]),
            project: None,
            name,
            base_url: "u",
            credential: &CredentialSource::None,
        };
        assert!(matches!(store.add_provider(&new, at(1), 6), Err(StoreError::Invalid { .. })), "{name}");
    }
    assert_eq!(store.last_intent().unwrap(), Some(5), "a refused change leaves no mark");
}

#[test]
fn names_are_values_never_sql() {
    let store = Store::in_memory().unwrap();
    let name = "x'); DROP TABLE organisations; --";
    store.add_organisation(organisation(), name, at(1), 0).unwrap();
    assert_eq!(store.organisations().unwrap()[0].name, name);
}

#[test]
fn a_removed_provider_frees_its_name_and_forgets_its_credential() {
    let store = Store::in_memory().unwrap();
    let sealed = CredentialSource::Sealed(b"ciphertext".to_vec());
    let new = |n| NewProvider {
        id: ProviderId::from_bytes([n; 16]),
        project: None,
        name: "openai",
        base_url: "u",
        credential: &sealed,
    };
    store.add_provider(&new(1), at(1), 0).unwrap();
    assert!(matches!(
        store.add_provider(&new(2), at(1), 1),
        Err(StoreError::Duplicate { what: "provider", .. })
    ));
    store.remove_provider("openai", at(2), 1).unwrap();
    assert!(matches!(store.remove_provider("openai", at(2), 2), Err(StoreError::Unknown { .. })));
    store.add_provider(&new(2), at(3), 2).unwrap();
    let all = store.all_providers().unwrap();
    assert_eq!(all.len(), 2);
    assert_eq!((all[0].removed_at, &all[0].credential), (Some(at(2)), &CredentialSource::None));
    assert_eq!(store.providers().unwrap().len(), 1);
}

#[test]
fn a_revocation_keeps_its_first_time() {
    let store = Store::in_memory().unwrap();
    with_project(&store);
    store.add_key(&key(1), at(3), 2).unwrap();
    let row = store.revoke_key(KeyId::from_bytes([1; 16]), at(4), 3).unwrap();
    assert_eq!((row.revoked_at, row.revoke_intent_index), (Some(at(4)), Some(3)));
    let again = store.revoke_key(KeyId::from_bytes([1; 16]), at(9), 4).unwrap();
    assert_eq!(again, row);
    assert_eq!(store.applied_intent(4).unwrap().as_deref(), Some("key.revoke"));
}

#[test]
fn an_intent_is_applied_once() {
    let store = Store::in_memory().unwrap();
    with_project(&store);
    assert_eq!(store.applied_intent(0).unwrap().as_deref(), Some("organisation.create"));
    assert_eq!(store.applied_intent(2).unwrap(), None);
    let replay = store.add_organisation(OrganisationId::from_bytes([7; 16]), "other", at(1), 0);
    assert!(matches!(replay, Err(StoreError::IntentApplied { index: 0 })));
    assert_eq!(store.organisations().unwrap().len(), 1);
}

#[test]
fn writers_and_readers_do_not_wait_for_each_other_for_long() {
    let dir = tempfile::tempdir().unwrap();
    let store = std::sync::Arc::new(Store::open(dir.path()).unwrap());
    with_project(&store);
    let threads: Vec<_> = (0u8..4)
        .map(|t| {
            let store = store.clone();
            std::thread::spawn(move || {
                for n in 0..25u8 {
                    let id = 10 + t * 25 + n;
                    store.add_key(&key(id), at(1), u64::from(id)).unwrap();
                    store.keys().unwrap();
                }
            })
        })
        .collect();
    threads.into_iter().for_each(|t| t.join().unwrap());
    assert_eq!(store.keys().unwrap().len(), 100);
}
