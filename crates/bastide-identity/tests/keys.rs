//! Every kind of credential, through the real table and a real database.

#![allow(clippy::unwrap_used, reason = "tests")]

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use bastide_crypto::{Random, RootKey};
use bastide_identity::{AuthError, Defaults, Identity, IdentityError, KeyLimits, NewKey};
use bastide_store::Store;
use bastide_types::{Clock, KeyId, ProjectId, Timestamp};
use proptest::prelude::*;

/// A clock that stands where it is put.
#[derive(Default)]
struct Hands {
    civil: AtomicU64,
    monotonic: AtomicU64,
}

impl Hands {
    fn advance(&self, seconds: u64) {
        self.civil.fetch_add(seconds * 1_000_000, Ordering::Relaxed);
        self.monotonic.fetch_add(seconds * 1_000_000, Ordering::Relaxed);
    }
}

impl Clock for Hands {
    fn now(&self) -> Timestamp {
        Timestamp::from_micros(self.civil.load(Ordering::Relaxed))
    }
    fn monotonic(&self) -> Duration {
        Duration::from_micros(self.monotonic.load(Ordering::Relaxed))
    }
}

/// Different bytes each time, the same in each run.
struct Counting(AtomicU64);

impl Random for Counting {
    fn fill(&self, out: &mut [u8]) {
        for chunk in out.chunks_mut(8) {
            let n = self.0.fetch_add(0x9e37_79b9_7f4a_7c15, Ordering::Relaxed);
            let mixed = (n ^ (n >> 29)).wrapping_mul(0xbf58_476d_1ce4_e5b9).to_le_bytes();
            chunk.copy_from_slice(&mixed[..chunk.len()]);
        }
    }
}

struct World {
    identity: Identity,
    clock: Arc<Hands>,
    defaults: Defaults,
    leaf: AtomicU64,
}

impl World {
    fn new(store: Store) -> World {
        Self::open(Arc::new(store), [7; 32]).unwrap()
    }

    fn open(store: Arc<Store>, root: [u8; 32]) -> Result<World, IdentityError> {
        let clock = Arc::new(Hands::default());
        clock.advance(1_000_000);
        let leaf = AtomicU64::new(store.last_intent().unwrap().map_or(0, |n| n + 1));
        let seed = (u64::from(root[0]) << 32) + leaf.load(Ordering::Relaxed);
        let identity = Identity::open_with(
            store,
            &RootKey::from_bytes(root),
            clock.clone(),
            Arc::new(Counting(AtomicU64::new(seed))),
        )?;
        let defaults =
            identity.bootstrap(|_| Ok::<_, IdentityError>(leaf.fetch_add(1, Ordering::Relaxed)))?;
        Ok(World { identity, clock, defaults, leaf })
    }

    fn leaf(&self) -> u64 {
        self.leaf.fetch_add(1, Ordering::Relaxed)
    }

    fn in_seconds(&self, seconds: u64) -> Option<Timestamp> {
        Some(self.clock.now().plus(Duration::from_secs(seconds)))
    }

    fn new_key(&self) -> NewKey {
        NewKey::named("ci", self.defaults.project)
    }

    fn key(&self, new: NewKey) -> (KeyId, String) {
        let (row, secret) = self.identity.create_key(new, self.leaf()).unwrap();
        (row.id, secret.expose().clone())
    }
}

#[test]
fn every_kind_of_credential() {
    let w = World::new(Store::in_memory().unwrap());
    let other = World::open(Arc::new(Store::in_memory().unwrap()), [8; 32]).unwrap();
    let (good, good_text) = w.key(w.new_key());
    let (expired, expired_text) = w.key(NewKey { expires_at: w.in_seconds(10), ..w.new_key() });
    let (revoked, revoked_text) = w.key(w.new_key());
    let (_, foreign_text) = other.key(NewKey::named("theirs", other.defaults.project));
    w.identity.revoke_key(revoked, w.leaf()).unwrap();
    w.clock.advance(10);

    let mut mistyped = good_text.clone();
    let last = if mistyped.ends_with('0') { '1' } else { '0' };
    mistyped.pop();
    mistyped.push(last);
    let table: Vec<(&str, String, AuthError)> = vec![
        ("empty", String::new(), AuthError::Malformed),
        ("no prefix", good_text[4..].to_owned(), AuthError::Malformed),
        ("another's prefix", good_text.replacen("bst_", "sk-", 1), AuthError::Malformed),
        ("upper case", good_text.to_uppercase(), AuthError::Malformed),
        ("blank before", format!(" {good_text}"), AuthError::Malformed),
        ("line end behind", format!("{good_text}\n"), AuthError::Malformed),
        ("twice", good_text.repeat(2), AuthError::Malformed),
        ("a megabyte", "b".repeat(1 << 20), AuthError::Malformed),
        ("letters of other scripts", good_text.replace('b', "б"), AuthError::Malformed),
        ("the id instead of the key", good.to_string(), AuthError::Malformed),
        ("mistyped", mistyped, AuthError::Checksum),
        ("of another installation", foreign_text, AuthError::Unknown),
        ("expired", expired_text, AuthError::Expired(expired)),
        ("revoked", revoked_text, AuthError::Revoked(revoked)),
    ];
    let public = AuthError::Missing.to_problem();
    assert_eq!(public.status, 401);
    for (what, text, reason) in table {
        let error = w.identity.authenticate(&text).unwrap_err();
        assert_eq!(error, reason, "{what}");
        assert_eq!(error.to_problem(), public, "{what}: the caller can tell");
    }
    assert_eq!(AuthError::Conflicting.to_problem().status, 400);

    let principal = w.identity.authenticate(&good_text).unwrap();
    assert_eq!((principal.key, principal.project), (good, w.defaults.project));
    assert_eq!(principal.organisation, w.defaults.organisation);
    assert_eq!((principal.name.as_str(), principal.demo), ("ci", false));
    assert!(!format!("{principal:?}").contains(&good_text[4..]));
}

#[test]
fn two_tenants_have_two_principals() {
    let w = World::new(Store::in_memory().unwrap());
    let organisation = w.identity.create_organisation("globex", w.leaf()).unwrap();
    let project = w.identity.create_project(organisation.id, "default", w.leaf()).unwrap();
    let (_, text) = w.key(NewKey::named("ci", project.id));
    let principal = w.identity.authenticate(&text).unwrap();
    assert_eq!((principal.project, principal.organisation), (project.id, organisation.id));
    assert_ne!(principal.organisation, w.defaults.organisation);
}

#[test]
fn nothing_in_the_database_opens_anything() {
    let dir = tempfile::tempdir().unwrap();
    let w = World::new(Store::open(dir.path()).unwrap());
    let (id, text) = w.key(w.new_key());
    let row = w.identity.list_keys().unwrap().remove(0);
    assert_eq!(row.id, id);
    assert!(text.starts_with(&row.hint) && row.hint.len() == 10);
    drop(w);
    for name in ["bastide.db", "bastide.db-wal"] {
        let bytes = std::fs::read(dir.path().join(name)).unwrap_or_default();
        let needle = &text.as_bytes()[10..];
        assert!(!bytes.windows(needle.len()).any(|window| window == needle), "{name}");
    }
}

#[test]
fn keys_and_revocations_survive_a_restart_under_the_same_root_key_only() {
    let dir = tempfile::tempdir().unwrap();
    let w = World::new(Store::open(dir.path()).unwrap());
    let (kept, kept_text) = w.key(w.new_key());
    let (revoked, revoked_text) = w.key(w.new_key());
    w.identity.revoke_key(revoked, w.leaf()).unwrap();
    let before = w.defaults;
    drop(w);

    let wrong = World::open(Arc::new(Store::open(dir.path()).unwrap()), [9; 32]);
    assert!(matches!(wrong, Err(IdentityError::OtherRootKey)));

    let w = World::open(Arc::new(Store::open(dir.path()).unwrap()), [7; 32]).unwrap();
    assert_eq!(w.defaults, before);
    assert_eq!(w.identity.authenticate(&kept_text).unwrap().key, kept);
    assert_eq!(w.identity.authenticate(&revoked_text), Err(AuthError::Revoked(revoked)));
}

#[test]
fn bootstrap_goes_on_where_it_was_interrupted() {
    let store = Arc::new(Store::in_memory().unwrap());
    let clock = Arc::new(Hands::default());
    let identity = Identity::open(store.clone(), &RootKey::from_bytes([1; 32]), clock).unwrap();
    let mut asked = Vec::new();
    let failed = identity.bootstrap(|intent| {
        asked.push(intent.action);
        match asked.len() {
            1 => Ok(0),
            _ => Err(IdentityError::ExpiredAtBirth), // any failure of the log
        }
    });
    assert!(failed.is_err());
    assert_eq!((store.organisations().unwrap().len(), store.projects().unwrap().len()), (1, 0));
    let defaults = identity.bootstrap(|intent| {
        asked.push(intent.action);
        Ok::<_, IdentityError>(1)
    });
    assert_eq!(asked, ["organisation.create", "project.create", "project.create"]);
    let again = identity.bootstrap(|_| Err(IdentityError::ExpiredAtBirth)).unwrap();
    assert_eq!(again, defaults.unwrap());
    assert_eq!(identity.organisation_of(again.project), Some(again.organisation));
}

#[test]
fn a_revocation_is_in_force_for_those_already_inside() {
    let w = World::new(Store::in_memory().unwrap());
    let (id, text) = w.key(w.new_key());
    let (_, other) = w.key(w.new_key());
    let (inside, bystander) =
        (w.identity.authenticate(&text).unwrap(), w.identity.authenticate(&other).unwrap());
    let epoch = w.identity.epoch();
    assert!(w.identity.still_valid(&inside));
    w.identity.revoke_key(id, w.leaf()).unwrap();
    assert!(w.identity.epoch() > epoch);
    assert_eq!(w.identity.check(&inside), Err(AuthError::Revoked(id)));
    assert!(w.identity.still_valid(&bystander));
    let nobody = w.identity.revoke_key(KeyId::from_bytes([0; 16]), w.leaf()).unwrap_err();
    assert_eq!(nobody.to_problem().status, 404);
}

#[test]
fn a_revocation_that_cannot_be_recorded_is_in_force_all_the_same() {
    let w = World::new(Store::in_memory().unwrap());
    let (id, text) = w.key(w.new_key());
    // An intent that was applied before stands for any failure of the database.
    let error = w.identity.revoke_key(id, 0).unwrap_err();
    assert!(matches!(error, IdentityError::RevokedUnrecorded { .. }), "{error}");
    assert_eq!(w.identity.authenticate(&text), Err(AuthError::Revoked(id)));
    w.identity.revoke_key(id, w.leaf()).unwrap();
}

#[test]
fn expiry_is_checked_at_use_and_a_clock_set_back_revives_nothing() {
    let w = World::new(Store::in_memory().unwrap());
    let (id, text) = w.key(NewKey { expires_at: w.in_seconds(60), ..w.new_key() });
    w.clock.advance(59);
    let inside = w.identity.authenticate(&text).unwrap();
    w.clock.advance(1);
    assert_eq!(w.identity.authenticate(&text), Err(AuthError::Expired(id)));
    assert!(!w.identity.still_valid(&inside));
    w.clock.civil.store(0, Ordering::Relaxed);
    assert_eq!(w.identity.authenticate(&text), Err(AuthError::Expired(id)));
}

#[test]
fn what_cannot_be_made_is_refused_with_a_reason() {
    let w = World::new(Store::in_memory().unwrap());
    let base = w.new_key();
    let limits = KeyLimits { concurrency: Some(0), ..KeyLimits::default() };
    let table = [
        (NewKey { name: "a\nb".into(), ..base.clone() }, "identity.name"),
        (NewKey { project: ProjectId::from_bytes([9; 16]), ..base.clone() }, "identity.project"),
        (NewKey { expires_at: Some(w.clock.now()), ..base.clone() }, "identity.expiry"),
        (NewKey { limits, ..base.clone() }, "identity.limit"),
    ];
    for (new, code) in table {
        let error = w.identity.create_key(new, w.leaf()).unwrap_err();
        assert_eq!(error.to_problem().code, code, "{error}");
    }
    assert!(w.identity.list_keys().unwrap().is_empty());
    assert!(
        w.identity.create_project(w.defaults.organisation, "default", w.leaf()).is_err(),
        "the name is taken"
    );
}

#[test]
fn a_key_grants_no_more_than_its_maker_has() {
    let w = World::new(Store::in_memory().unwrap());
    let limits = KeyLimits { requests_per_minute: Some(60), ..KeyLimits::default() };
    let bounded = NewKey { expires_at: w.in_seconds(100), limits, demo: true, ..w.new_key() };
    let (maker_id, maker_text) = w.key(bounded.clone());
    let maker = w.identity.authenticate(&maker_text).unwrap();
    let other = w.identity.create_project(w.defaults.organisation, "other", w.leaf()).unwrap();

    let more = [
        NewKey { project: other.id, ..bounded.clone() },
        NewKey { demo: false, ..bounded.clone() },
        NewKey { expires_at: None, ..bounded.clone() },
        NewKey { expires_at: w.in_seconds(101), ..bounded.clone() },
        NewKey { limits: KeyLimits::default(), ..bounded.clone() },
        NewKey { limits: KeyLimits { requests_per_minute: Some(61), ..limits }, ..bounded.clone() },
    ];
    for new in more {
        let error = w.identity.create_key_by(&maker, new.clone(), w.leaf()).unwrap_err();
        assert!(matches!(error, IdentityError::MoreThanMaker { .. }), "{new:?}: {error}");
    }
    // Less is fine; and when the maker goes, so does what it made.
    let less = NewKey {
        limits: KeyLimits { requests_per_minute: Some(1), concurrency: Some(1), ..limits },
        ..bounded.clone()
    };
    let (row, child_text) = w.identity.create_key_by(&maker, less, w.leaf()).unwrap();
    assert_eq!(row.created_by, Some(maker_id));
    let child = w.identity.authenticate(child_text.expose()).unwrap();
    w.identity.revoke_key(maker_id, w.leaf()).unwrap();
    assert_eq!(w.identity.authenticate(child_text.expose()), Err(AuthError::MakerGone(row.id)));
    assert!(!w.identity.still_valid(&child));
    let late = w.identity.create_key_by(&maker, bounded, w.leaf()).unwrap_err();
    assert!(matches!(late, IdentityError::Maker(AuthError::Revoked(_))));
}

#[test]
fn chains_of_makers_end() {
    let w = World::new(Store::in_memory().unwrap());
    let (_, mut text) = w.key(w.new_key());
    let mut made = 0;
    while let Ok((_, secret)) =
        w.identity.create_key_by(&w.identity.authenticate(&text).unwrap(), w.new_key(), w.leaf())
    {
        text = secret.expose().clone();
        made += 1;
        assert!(made < 100, "endless");
    }
    assert_eq!(made, 4);
    assert!(w.identity.authenticate(&text).is_ok());
}

#[test]
fn a_prepared_key_is_not_in_force() {
    let w = World::new(Store::in_memory().unwrap());
    let prepared = w.identity.prepare_key(w.new_key(), None).unwrap();
    let id = prepared.id();
    assert!(w.identity.list_keys().unwrap().is_empty());
    assert!(!format!("{prepared:?}").contains("bst_"));
    assert_eq!(w.identity.create_prepared(prepared, w.leaf()).unwrap().0.id, id);
}

#[test]
fn a_demo_key_ends_with_the_process() {
    let store = Arc::new(Store::in_memory().unwrap());
    let w = World::open(store.clone(), [7; 32]).unwrap();
    let secret = w.identity.demo_key(w.defaults.project).unwrap();
    let principal = w.identity.authenticate(secret.expose()).unwrap();
    assert!(principal.demo);
    assert!(w.identity.list_keys().unwrap().is_empty());
    let again = World::open(store, [7; 32]).unwrap();
    assert_eq!(again.identity.authenticate(secret.expose()), Err(AuthError::Unknown));
    assert!(w.identity.demo_key(ProjectId::from_bytes([9; 16])).is_err());
}

#[test]
fn many_threads_agree() {
    let w = Arc::new(World::new(Store::in_memory().unwrap()));
    let keys: Vec<_> = (0..8).map(|_| w.key(w.new_key())).collect();
    std::thread::scope(|scope| {
        for (id, text) in &keys {
            let w = w.clone();
            scope.spawn(move || {
                for _ in 0..500 {
                    assert_eq!(w.identity.authenticate(text).map(|p| p.key), Ok(*id));
                }
                w.identity.revoke_key(*id, w.leaf()).unwrap();
                assert_eq!(w.identity.authenticate(text), Err(AuthError::Revoked(*id)));
            });
        }
    });
    assert_eq!(w.identity.epoch(), 8);
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn only_the_exact_text_is_accepted(at in 0usize..62, with in any::<char>(), noise in "\\PC{0,70}") {
        let w = World::new(Store::in_memory().unwrap());
        let (id, text) = w.key(w.new_key());
        prop_assert_eq!(w.identity.authenticate(&text).map(|p| p.key), Ok(id));
        let mut chars: Vec<char> = text.chars().collect();
        chars[at] = with;
        let changed: String = chars.into_iter().collect();
        prop_assert_eq!(w.identity.authenticate(&changed).is_ok(), changed == text);
        prop_assert!(w.identity.authenticate(&noise).is_err());
        let padded = format!("{text}{noise}");
        prop_assert_eq!(w.identity.authenticate(&padded).is_ok(), noise.is_empty());
    }
}

#[test]
fn the_next_expiry_is_known_and_a_revoked_key_is_none_after_a_restart() {
    let store = Arc::new(Store::in_memory().unwrap());
    let w = World::open(Arc::clone(&store), [7; 32]).unwrap();
    let now = w.identity.now();
    assert_eq!(w.identity.next_expiry(now), None);
    w.key(w.new_key());
    let (soon, late) = (w.in_seconds(10), w.in_seconds(20));
    w.key(NewKey { expires_at: late, ..w.new_key() });
    let (id, _) = w.key(NewKey { expires_at: soon, ..w.new_key() });
    assert_eq!(w.identity.next_expiry(now), soon);
    assert_eq!(w.identity.next_expiry(soon.unwrap()), late);
    assert_eq!(w.identity.next_expiry(late.unwrap()), None);
    w.identity.revoke_key(id, w.leaf()).unwrap();
    let again = World::open(store, [7; 32]).unwrap();
    assert_eq!(again.identity.next_expiry(now), late);
}
