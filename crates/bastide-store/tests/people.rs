//! People, their sessions and the guard profiles: what is written is read back, what must not be is refused.
#![allow(clippy::unwrap_used, reason = "tests")]

use bastide_store::{NewGuardProfile, NewSessionRow, NewUserRow, SessionCarrier, Store, StoreError};
use bastide_types::{Digest, GuardMode, Role, Sensitive, SessionId, Timestamp, UserId};

fn at(n: u64) -> Timestamp {
    Timestamp::from_micros(n)
}
fn id(n: u8) -> UserId {
    UserId::from_bytes([n; 16])
}
fn ses(n: u8) -> SessionId {
    SessionId::from_bytes([n; 16])
}

fn person(n: u8, name: &str, role: Role) -> NewUserRow<'_> {
    NewUserRow { id: id(n), name, role, password: "$argon2id$...", first: false }
}

fn browser(n: u8, user: u8) -> NewSessionRow<'static> {
    NewSessionRow {
        id: ses(n),
        user: id(user),
        carrier: SessionCarrier::Browser,
        lookup: [n; 32],
        expires_at: at(100),
        user_agent: "Firefox",
        address: "192.0.2.1",
        recovery: None,
    }
}

fn token(n: u8, user: u8) -> NewSessionRow<'static> {
    NewSessionRow {
        carrier: SessionCarrier::Token { name: "terraform".into(), role: Role::Viewer },
        ..browser(n, user)
    }
}

fn with_ada(store: &Store) {
    store.add_user(&person(1, "ada", Role::Administrator), at(1), 0).unwrap();
}

#[test]
fn everything_survives_a_restart() {
    let dir = tempfile::tempdir().unwrap();
    let (ada, bob, cookie, api);
    {
        let store = Store::open(dir.path()).unwrap();
        with_ada(&store);
        store.add_user(&person(2, "bob", Role::Viewer), at(2), 1).unwrap();
        ada = store.set_user_totp(id(1), b"sealed", 77, &[[1; 32], [2; 32]], 2).unwrap();
        store.set_user_totp_deferred(id(2), true, 3).unwrap();
        bob = store.disable_user(id(2), at(5), 4).unwrap();
        cookie = store.add_session(&browser(1, 1), at(10), 5).unwrap();
        api = store.add_session(&token(2, 1), at(11), 6).unwrap();
        let new =
            NewGuardProfile { text: "a", mode: GuardMode::Observe, digest: Digest([1; 32]), set_by: None };
        assert_eq!(store.set_guard_profile(&new, at(12), 7).unwrap(), 1);
        let new = NewGuardProfile { text: "b", mode: GuardMode::Enforce, set_by: Some("ada"), ..new };
        assert_eq!(store.set_guard_profile(&new, at(13), 8).unwrap(), 2);
    }
    let store = Store::open(dir.path()).unwrap();
    assert_eq!(store.users().unwrap(), [ada.clone(), bob.clone()]);
    assert_eq!(ada.password, Some(Sensitive::new("$argon2id$...".to_owned())));
    assert!(!format!("{ada:?}").contains("argon2id"));
    assert_eq!(
        (ada.totp.as_deref(), ada.totp_last_step, ada.totp_deferred),
        (Some(&b"sealed"[..]), 77, false)
    );
    assert_eq!((bob.role, bob.totp_deferred, bob.disabled_at), (Role::Viewer, true, Some(at(5))));
    assert_eq!(store.recovery_codes_left(id(1)).unwrap(), 2);
    assert_eq!(store.live_sessions(at(99)).unwrap(), [cookie, api.clone()]);
    assert_eq!(api.carrier, SessionCarrier::Token { name: "terraform".into(), role: Role::Viewer });
    assert_eq!(store.live_sessions(at(100)).unwrap(), [], "expired");
    let active = store.active_guard_profile().unwrap().unwrap();
    assert_eq!((active.version, active.text.as_str(), active.mode), (2, "b", GuardMode::Enforce));
    assert_eq!(active.set_by.as_deref(), Some("ada"));
    assert!(!store.guard_profile(1).unwrap().unwrap().active);
    assert_eq!(store.guard_profiles(1).unwrap(), [active]);
    assert_eq!(store.applied_intent(6).unwrap().as_deref(), Some("token.create"));
}

#[test]
fn constraints_are_typed_errors() {
    let store = Store::in_memory().unwrap();
    with_ada(&store);
    let twin = store.add_user(&person(2, "ada", Role::Viewer), at(1), 1).unwrap_err();
    assert!(matches!(&twin, StoreError::Duplicate { what: "user", name } if name == "ada"), "{twin}");
    let late = NewUserRow { first: true, ..person(2, "eve", Role::Administrator) };
    assert!(matches!(store.add_user(&late, at(1), 1), Err(StoreError::NotFirst)));
    let unknown = |r: Result<(), StoreError>| assert!(matches!(r, Err(StoreError::Unknown { .. })), "{r:?}");
    unknown(store.set_user_role(id(9), Role::Viewer, 1).map(drop));
    unknown(store.disable_user(id(9), at(1), 1).map(drop));
    unknown(store.enable_user(id(9), 1).map(drop));
    unknown(store.remove_user(id(9), at(1), 1));
    unknown(store.set_user_totp(id(9), b"", 0, &[], 1).map(drop));
    unknown(store.remove_user_totp(id(9), 1).map(drop));
    unknown(store.set_recovery_codes(id(9), &[], 1));
    unknown(store.set_user_password(id(9), "x", None, at(1), 1).map(drop));
    unknown(store.add_session(&browser(1, 9), at(1), 1).map(drop));
    unknown(store.rotate_session(ses(9), [9; 32], None, at(1), 1).map(drop));
    unknown(store.revoke_session(ses(9), at(1), 1).map(drop));
    store.add_session(&browser(1, 1), at(1), 1).unwrap();
    let same_hash = NewSessionRow { id: ses(2), ..browser(1, 1) };
    assert!(matches!(store.add_session(&same_hash, at(1), 2), Err(StoreError::Duplicate { .. })));
    assert_eq!(store.last_intent().unwrap(), Some(1), "a refused change leaves no mark");
}

#[test]
fn the_last_administrator_who_can_sign_in_stays() {
    let store = Store::in_memory().unwrap();
    with_ada(&store);
    store.add_user(&person(2, "bob", Role::Administrator), at(2), 1).unwrap();
    store.disable_user(id(2), at(2), 2).unwrap();
    let last = |r: Result<(), StoreError>| assert!(matches!(r, Err(StoreError::LastAdministrator)), "{r:?}");
    last(store.set_user_role(id(1), Role::Operator, 3).map(drop));
    last(store.disable_user(id(1), at(3), 3).map(drop));
    last(store.remove_user(id(1), at(3), 3));
    assert_eq!(store.users().unwrap()[0].role, Role::Administrator);
    assert_eq!(store.last_intent().unwrap(), Some(2));
    store.enable_user(id(2), 3).unwrap();
    store.set_user_role(id(1), Role::Operator, 4).unwrap();
    store.disable_user(id(1), at(3), 5).unwrap();
}

#[test]
fn a_removed_person_frees_the_name_and_leaves_no_credential() {
    let store = Store::in_memory().unwrap();
    with_ada(&store);
    store.add_user(&person(2, "bob", Role::Viewer), at(1), 1).unwrap();
    store.set_user_totp(id(2), b"sealed", 1, &[[1; 32]], 2).unwrap();
    store.add_session(&browser(1, 2), at(2), 3).unwrap();
    store.remove_user(id(2), at(3), 4).unwrap();
    assert_eq!(store.live_sessions(at(0)).unwrap(), []);
    assert_eq!(store.recovery_codes_left(id(2)).unwrap(), 0);
    store.add_user(&person(3, "bob", Role::Viewer), at(4), 5).unwrap();
    let all = store.all_users().unwrap();
    assert_eq!((all.len(), store.users().unwrap().len()), (3, 2));
    assert_eq!((all[1].removed_at, &all[1].password, &all[1].totp), (Some(at(3)), &None, &None));
}

#[test]
fn a_code_and_a_time_step_are_used_once() {
    let store = Store::in_memory().unwrap();
    with_ada(&store);
    store.set_user_totp(id(1), b"sealed", 10, &[[1; 32], [2; 32]], 1).unwrap();
    assert!(!store.use_totp_step(id(1), 10).unwrap(), "the one that confirmed it");
    assert!(store.use_totp_step(id(1), 12).unwrap());
    assert!(!store.use_totp_step(id(1), 12).unwrap() && !store.use_totp_step(id(1), 11).unwrap());
    let with = |n: u8, code: u8| NewSessionRow { recovery: Some([code; 32]), ..browser(n, 1) };
    assert!(store.has_recovery_code(id(1), [1; 32]).unwrap());
    store.add_session(&with(1, 1), at(1), 2).unwrap();
    assert!(!store.has_recovery_code(id(1), [1; 32]).unwrap(), "used up with the session");
    assert!(store.add_session(&with(2, 1), at(1), 3).is_err(), "and only once");
    assert!(!store.has_recovery_code(id(2), [2; 32]).unwrap(), "another's");
    // What cannot be made uses nothing up.
    assert!(store.add_session(&with(1, 2), at(1), 3).is_err(), "the session is there");
    assert!(store.rotate_session(ses(9), [9; 32], Some([2; 32]), at(1), 3).is_err(), "no such session");
    assert_eq!(store.recovery_codes_left(id(1)).unwrap(), 1);
    store.rotate_session(ses(1), [9; 32], Some([2; 32]), at(1), 3).unwrap();
    assert_eq!(store.recovery_codes_left(id(1)).unwrap(), 0);
    assert_eq!(store.live_sessions(at(0)).unwrap().len(), 1);
    store.set_recovery_codes(id(1), &[[3; 32], [4; 32]], 4).unwrap();
    assert!(!store.has_recovery_code(id(1), [2; 32]).unwrap());
    assert_eq!(store.recovery_codes_left(id(1)).unwrap(), 2);
    let row = store.remove_user_totp(id(1), 5).unwrap();
    assert_eq!((row.totp, row.totp_last_step), (None, 12));
    assert_eq!(store.recovery_codes_left(id(1)).unwrap(), 0);
}

#[test]
fn a_new_password_ends_every_session_but_one() {
    let store = Store::in_memory().unwrap();
    with_ada(&store);
    store.add_session(&browser(1, 1), at(1), 1).unwrap();
    store.add_session(&browser(2, 1), at(1), 2).unwrap();
    store.add_session(&token(3, 1), at(1), 3).unwrap();
    let kept = store.set_user_password(id(1), "new", Some((ses(1), [9; 32])), at(5), 4).unwrap().unwrap();
    assert_eq!((kept.lookup, kept.authenticated_at, kept.intent_index), ([9; 32], at(5), 4));
    assert_eq!(store.live_sessions(at(5)).unwrap(), [kept]);
    assert_eq!(store.users().unwrap()[0].password_set_at, at(5));
    // A session that does not hold is not revived, and then the password stays.
    let dead = store.set_user_password(id(1), "newer", Some((ses(2), [8; 32])), at(6), 5);
    assert!(matches!(dead, Err(StoreError::Unknown { what: "session", .. })));
    assert_eq!(store.users().unwrap()[0].password, Some(Sensitive::new("new".to_owned())));
    assert_eq!(store.set_user_password(id(1), "newest", None, at(6), 5).unwrap(), None);
    assert_eq!(store.live_sessions(at(5)).unwrap(), []);
}

#[test]
fn sessions_are_rotated_revoked_seen_and_forgotten() {
    let store = Store::in_memory().unwrap();
    with_ada(&store);
    store.add_session(&browser(1, 1), at(1), 1).unwrap();
    store.add_session(&token(2, 1), at(2), 2).unwrap();
    store.add_session(&token(3, 1), at(3), 3).unwrap();
    let row = store.rotate_session(ses(1), [9; 32], None, at(5), 4).unwrap();
    assert_eq!((row.lookup, row.created_at, row.authenticated_at), ([9; 32], at(1), at(5)));
    let row = store.revoke_session(ses(2), at(6), 5).unwrap();
    assert_eq!((row.revoked_at, row.revoke_intent_index), (Some(at(6)), Some(5)));
    assert_eq!(store.revoke_session(ses(2), at(9), 6).unwrap(), row, "the first time counts");
    assert!(store.rotate_session(ses(2), [7; 32], None, at(6), 7).is_err(), "revoked");
    assert!(store.rotate_session(ses(1), [7; 32], None, at(100), 7).is_err(), "expired");
    store.set_sessions_seen(&[(ses(1), at(50)), (ses(3), at(2))]).unwrap();
    let seen: Vec<_> = store.live_sessions(at(9)).unwrap().iter().map(|s| s.seen_at).collect();
    assert_eq!(seen, [at(3), at(50)], "never back; the rotated one is the younger entry");
    assert_eq!(store.forget_sessions_ended_before(at(6)).unwrap(), 0);
    assert_eq!(store.forget_sessions_ended_before(at(7)).unwrap(), 1);
    assert_eq!(store.sessions_of(id(1)).unwrap().len(), 2);
    assert_eq!(store.revoke_sessions_of(id(1), at(10), 7).unwrap(), 2);
    assert_eq!(store.live_sessions(at(9)).unwrap(), []);
    assert_eq!(store.forget_sessions_ended_before(at(1000)).unwrap(), 2);
}

#[test]
fn a_password_is_rehashed_only_as_it_was() {
    let store = Store::in_memory().unwrap();
    with_ada(&store);
    let password = || store.users().unwrap()[0].password.clone().unwrap().into_inner();
    store.rehash_password(id(1), "$other", "$new").unwrap();
    assert_eq!(password(), "$argon2id$...");
    store.rehash_password(id(1), "$argon2id$...", "$new").unwrap();
    assert_eq!(password(), "$new");
}
