//! People who sign in: passwords, codes, sessions, tokens and roles, through the real tables and a real database.

#![allow(clippy::unwrap_used, clippy::panic, reason = "tests")]

use std::net::IpAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use bastide_crypto::{RootKey, SystemRandom, hmac_sha1};
use bastide_identity::{
    AccountError, Accounts, AuthoriseError, Authorized, IssuedSession, NewToken, PasswordRule, Refusal,
    SessionCarrier, SessionError, SessionLifetimes, SetupError, SignIn, SignInError, User,
};
use bastide_store::{Store, StoreError};
use bastide_types::{ActorRef, Clock, Permission, Pseudonym, Role, Secret, Timestamp, UserId};
use proptest::prelude::*;

const PASSWORD: &str = "correct horse battery";
const MINUTE: u64 = 60;

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

struct World {
    accounts: Accounts,
    store: Arc<Store>,
    clock: Arc<Hands>,
    leaf: AtomicU64,
}

fn secret(text: &str) -> Secret<String> {
    Secret::new(text.to_owned())
}

fn home() -> IpAddr {
    "192.0.2.1".parse().unwrap()
}

impl World {
    fn new() -> World {
        World::open(Arc::new(Store::in_memory().unwrap()), Arc::default())
    }

    fn open(store: Arc<Store>, clock: Arc<Hands>) -> World {
        if clock.now().as_micros() == 0 {
            clock.advance(1_000_000);
        }
        let leaf = AtomicU64::new(store.last_intent().unwrap().map_or(0, |n| n + 1));
        let accounts = Accounts::open(
            store.clone(),
            &RootKey::from_bytes([7; 32]),
            clock.clone(),
            Arc::new(SystemRandom),
            SessionLifetimes::default(),
            Box::new(|user| Pseudonym(user.as_bytes().map(|b| !b))),
        )
        .unwrap();
        World { accounts, store, clock, leaf }
    }

    fn again(self) -> World {
        World::open(self.store, self.clock)
    }

    fn leaf(&self) -> u64 {
        self.leaf.fetch_add(1, Ordering::Relaxed)
    }

    fn user(&self, name: &str, role: Role) -> User {
        let prepared = self.accounts.prepare_user(name, role, &secret(PASSWORD)).unwrap();
        let id = prepared.id();
        let user = self.accounts.create_user(prepared, self.leaf()).unwrap();
        assert_eq!((user.id, user.role), (id, role));
        user
    }

    fn try_in(&self, name: &str, password: &str, code: Option<&str>) -> Result<IssuedSession, SignInError> {
        let password = secret(password);
        let with =
            SignIn { name, password: &password, code, address: home(), user_agent: "Fire\u{202e}fox\n1" };
        let prepared = self.accounts.sign_in(&with)?;
        Ok(self.accounts.create_session(prepared, self.leaf()).unwrap())
    }

    fn sign_in(&self, name: &str) -> IssuedSession {
        self.try_in(name, PASSWORD, None).unwrap()
    }

    fn refusal(&self, name: &str, password: &str, code: Option<&str>) -> Refusal {
        let error = self.try_in(name, password, code).unwrap_err();
        // Whatever it was, the caller cannot tell.
        let public = SignInError::Refused { refusal: Refusal::WrongPassword, user: None }.to_problem();
        assert_eq!(error.to_problem(), public);
        let SignInError::Refused { refusal, .. } = error else { panic!("{error:?}") };
        refusal
    }

    fn token(&self, by: &IssuedSession, role: Role) -> Result<IssuedSession, AccountError> {
        let expires_at = self.clock.now().plus(Duration::from_secs(100 * MINUTE));
        let new = NewToken { name: "terraform".into(), role, expires_at };
        let prepared = self.accounts.prepare_token(&by.session, new, "curl", home())?;
        self.accounts.create_session(prepared, self.leaf())
    }

    /// The code that an app shows now, computed from what it was given.
    fn code(&self, base32: &str) -> String {
        let mut bits = Vec::new();
        for c in base32.bytes() {
            let n = b"ABCDEFGHIJKLMNOPQRSTUVWXYZ234567".iter().position(|a| *a == c).unwrap();
            bits.extend((0..5).rev().map(|i| (n >> i) & 1));
        }
        let key: Vec<u8> = bits
            .chunks_exact(8)
            .map(|b| u8::try_from(b.iter().fold(0, |n, b| n << 1 | b)).unwrap())
            .collect();
        let tag = hmac_sha1(&key, &(self.clock.now().as_micros() / 30_000_000).to_be_bytes());
        let at = usize::from(tag[19] & 15);
        let n = u32::from_be_bytes(tag[at..at + 4].try_into().unwrap()) & 0x7fff_ffff;
        format!("{:06}", n % 1_000_000)
    }

    fn enrol(&self, user: UserId) -> (String, Vec<Secret<String>>) {
        let setup = self.accounts.begin_totp(user, "bastide").unwrap();
        let prepared = self.accounts.confirm_totp(user, &self.code(setup.secret.expose())).unwrap();
        let codes = self.accounts.enrol_totp(prepared, self.leaf()).unwrap();
        (setup.secret.expose().clone(), codes)
    }
}

#[test]
fn the_first_administrator_proves_with_the_setup_code() {
    let w = World::new();
    let first =
        |code: &str| w.accounts.prepare_first_administrator(code, "Ada@Example.org", &secret(PASSWORD));
    let setup = |r: Result<_, AccountError>| match r.map(drop) {
        Err(AccountError::Setup(e)) => e,
        other => panic!("{other:?}"),
    };
    assert_eq!(setup(first("0000-0000-0000").map(drop)), SetupError::None);
    let old = w.accounts.new_setup_code().unwrap();
    let code = w.accounts.new_setup_code().unwrap();
    assert_eq!(setup(first(old.expose()).map(drop)), SetupError::Wrong, "a later one replaces it");
    let weak = w.accounts.prepare_first_administrator(code.expose(), "ada", &secret("short"));
    assert!(matches!(weak.map(drop), Err(AccountError::Password(PasswordRule::TooShort))));
    let (one, two) = (first(&code.expose().to_lowercase()).unwrap(), first(code.expose()).unwrap());
    let user = w.accounts.create_user(one, w.leaf()).unwrap();
    assert_eq!((user.name.as_str(), user.role), ("ada@example.org", Role::Administrator));
    let second = w.accounts.create_user(two, w.leaf()).unwrap_err();
    assert!(matches!(second, AccountError::Store(StoreError::NotFirst)), "{second}");
    assert_eq!(setup(first(code.expose()).map(drop)), SetupError::None, "it is used up");
    assert!(w.accounts.new_setup_code().is_none());
    let issued = w.sign_in(" ADA@example.org ");
    assert_eq!(issued.session.user, user.id);
}

#[test]
fn a_setup_code_expires_on_the_monotonic_clock() {
    let w = World::new();
    let code = w.accounts.new_setup_code().unwrap();
    w.clock.civil.store(0, Ordering::Relaxed);
    w.clock.advance(15 * MINUTE);
    let late = w.accounts.prepare_first_administrator(code.expose(), "ada", &secret(PASSWORD));
    assert!(matches!(late.map(drop), Err(AccountError::Setup(SetupError::Expired))));
}

#[test]
fn whatever_is_wrong_the_caller_is_told_the_same() {
    let w = World::new();
    w.user("ada", Role::Administrator);
    let bob = w.user("bob", Role::Viewer);
    let carol = w.user("carol", Role::Viewer);
    let (app, _) = w.enrol(carol.id);
    w.accounts.disable_user(bob.id, w.leaf()).unwrap();
    assert_eq!(w.refusal("nobody", PASSWORD, None), Refusal::UnknownUser);
    assert_eq!(w.refusal("", "", None), Refusal::UnknownUser);
    assert_eq!(w.refusal("ada", "wrong", None), Refusal::WrongPassword);
    assert_eq!(w.refusal("bob", PASSWORD, None), Refusal::Disabled);
    assert_eq!(w.refusal("carol", PASSWORD, None), Refusal::CodeMissing);
    assert_eq!(w.refusal("carol", PASSWORD, Some("000000x")), Refusal::WrongCode);
    assert_eq!(
        w.refusal("carol", PASSWORD, Some(&w.code(&app))),
        Refusal::WrongCode,
        "the one that confirmed it"
    );
    for _ in 0..5 {
        assert_eq!(w.refusal("ada", "wrong", None), Refusal::WrongPassword);
        assert_eq!(w.refusal("nobody", PASSWORD, None), Refusal::UnknownUser);
    }
    assert_eq!(w.refusal("ada", PASSWORD, None), Refusal::AccountLocked);
    assert_eq!(w.refusal("nobody", PASSWORD, None), Refusal::AccountLocked, "also names that nobody has");
    w.clock.advance(30);
    w.sign_in("ada");
}

#[test]
fn who_is_signed_in_is_kept_out_by_nobody_who_knows_their_name() {
    let w = World::new();
    w.user("ada", Role::Administrator);
    let issued = w.sign_in("ada");
    for _ in 0..6 {
        assert_eq!(w.refusal("ada", "wrong", None), Refusal::WrongPassword);
    }
    assert_eq!(w.refusal("ada", PASSWORD, None), Refusal::AccountLocked, "from the same address, even");
    let proof = |password: &str| w.accounts.step_up(&issued.session, &secret(password), None, home());
    assert!(proof(PASSWORD).is_ok(), "at another door");
    for _ in 0..6 {
        assert!(matches!(proof("wrong"), Err(SignInError::Refused { refusal: Refusal::WrongPassword, .. })));
    }
    assert!(matches!(proof(PASSWORD), Err(SignInError::Refused { refusal: Refusal::AccountLocked, .. })));
    w.clock.advance(30);
    w.sign_in("ada");
}

#[test]
fn an_address_that_guesses_is_locked_without_hashing() {
    let w = World::new();
    w.user("ada", Role::Administrator);
    for n in 0..30 {
        assert_eq!(w.refusal(&format!("user{n}"), "x", None), Refusal::UnknownUser);
    }
    let before = std::time::Instant::now();
    for n in 0..1000 {
        assert_eq!(w.refusal(&format!("more{n}"), "x", None), Refusal::AddressLocked);
    }
    assert!(before.elapsed() < Duration::from_secs(5), "a thousand hashings take longer");
    w.clock.advance(5 * MINUTE);
    w.sign_in("ada");
}

#[test]
fn a_flood_is_told_to_come_back_and_locks_nobody_out() {
    let w = World::new();
    w.user("ada", Role::Administrator);
    let (busy, refused) = (AtomicU64::new(0), AtomicU64::new(0));
    std::thread::scope(|scope| {
        for n in 0..60_u8 {
            let (w, busy, refused) = (&w, &busy, &refused);
            scope.spawn(move || {
                let (password, name) = (secret("x"), format!("user{n}"));
                let address = IpAddr::from([10, 0, 0, n]);
                let with = SignIn { name: &name, password: &password, code: None, address, user_agent: "" };
                match w.accounts.sign_in(&with).unwrap_err() {
                    SignInError::Busy => busy.fetch_add(1, Ordering::Relaxed),
                    SignInError::Refused { .. } => refused.fetch_add(1, Ordering::Relaxed),
                    SignInError::Failed(e) => panic!("{e}"),
                    _ => panic!(),
                };
            });
        }
    });
    assert_eq!(busy.load(Ordering::Relaxed) + refused.load(Ordering::Relaxed), 60);
    assert!(refused.load(Ordering::Relaxed) >= 18);
    w.sign_in("ada");
}

#[test]
fn what_fails_on_our_side_locks_nobody_out() {
    let w = World::new();
    let ada = w.user("ada", Role::Administrator);
    w.store.set_user_password(ada.id, "damaged", None, w.clock.now(), w.leaf()).unwrap();
    let v = World::open(w.store.clone(), w.clock.clone());
    for _ in 0..40 {
        let error = v.try_in("ada", PASSWORD, None).unwrap_err();
        assert!(matches!(error, SignInError::Failed(AccountError::Hash(_))), "{error}");
    }
}

#[test]
fn a_code_of_the_app_lets_in_once() {
    let w = World::new();
    let ada = w.user("ada", Role::Administrator);
    assert!(matches!(w.accounts.confirm_totp(ada.id, "000000"), Err(AccountError::NoEnrolment)));
    let setup = w.accounts.begin_totp(ada.id, "bastide").unwrap();
    assert!(setup.uri.expose().starts_with("otpauth://totp/bastide:ada?secret="));
    assert!(matches!(w.accounts.confirm_totp(ada.id, "wrong"), Err(AccountError::WrongCode)));
    w.sign_in("ada"); // not in force before it is confirmed
    w.clock.advance(10 * MINUTE);
    let late = w.accounts.confirm_totp(ada.id, &w.code(setup.secret.expose()));
    assert!(matches!(late, Err(AccountError::NoEnrolment)));

    let (app, _) = w.enrol(ada.id);
    assert!(w.accounts.users().unwrap()[0].second_factor);
    w.clock.advance(30);
    let code = w.code(&app);
    w.try_in("ada", PASSWORD, Some(&format!("{} {}", &code[..3], &code[3..]))).unwrap();
    assert_eq!(w.refusal("ada", PASSWORD, Some(&code)), Refusal::WrongCode);
    let w = w.again();
    assert_eq!(w.refusal("ada", PASSWORD, Some(&code)), Refusal::WrongCode, "also after a restart");
    w.clock.advance(30);
    w.try_in("ada", PASSWORD, Some(&w.code(&app))).unwrap();
    w.accounts.remove_totp(ada.id, w.leaf()).unwrap();
    w.sign_in("ada");
}

#[test]
fn a_recovery_code_lets_in_once_and_renewal_ends_the_old_ones() {
    let w = World::new();
    let ada = w.user("ada", Role::Administrator);
    assert!(matches!(w.accounts.renew_recovery_codes(ada.id, 99), Err(AccountError::NoSecondFactor)));
    let (_, codes) = w.enrol(ada.id);
    assert_eq!((codes.len(), w.accounts.recovery_codes_left(ada.id).unwrap()), (10, 10));
    w.try_in("ada", PASSWORD, Some(&codes[0].expose().to_uppercase())).unwrap();
    assert_eq!(w.refusal("ada", PASSWORD, Some(codes[0].expose())), Refusal::WrongCode);
    assert_eq!(w.accounts.recovery_codes_left(ada.id).unwrap(), 9);
    // Nor is one whose session was never made, and of two who come with one code the first is let in.
    let (code, password) = (codes[2].expose().clone(), secret(PASSWORD));
    let with =
        SignIn { name: "ada", password: &password, code: Some(&code), address: home(), user_agent: "" };
    let prepared: Vec<_> = (0..3).map(|_| w.accounts.sign_in(&with).unwrap()).collect();
    assert!(prepared.iter().all(bastide_identity::PreparedSession::uses_recovery_code));
    assert_eq!(w.accounts.recovery_codes_left(ada.id).unwrap(), 9);
    let made: Vec<_> = prepared.into_iter().map(|p| w.accounts.create_session(p, w.leaf())).collect();
    assert!(made[0].is_ok() && matches!(made[1], Err(AccountError::Overtaken)) && made[2].is_err());
    assert_eq!(w.accounts.recovery_codes_left(ada.id).unwrap(), 8);
    // A code behind a wrong password is not used up.
    assert_eq!(w.refusal("ada", "wrong", Some(codes[1].expose())), Refusal::WrongPassword);
    assert_eq!(w.accounts.recovery_codes_left(ada.id).unwrap(), 8);
    let renewed = w.accounts.renew_recovery_codes(ada.id, w.leaf()).unwrap();
    assert_eq!(w.refusal("ada", PASSWORD, Some(codes[1].expose())), Refusal::WrongCode);
    w.try_in("ada", PASSWORD, Some(renewed[9].expose())).unwrap();
}

#[test]
fn a_session_lasts_half_an_hour_unused_and_twelve_hours_in_all() {
    let w = World::new();
    w.user("ada", Role::Administrator);
    let issued = w.sign_in("ada");
    let token = issued.token.expose();
    assert!(token.starts_with("bss_") && !format!("{issued:?}").contains(&token[4..]));
    assert_eq!(issued.session.user_agent, "Firefox1");
    for _ in 0..24 {
        w.clock.advance(29 * MINUTE);
        w.accounts.authenticate(token).unwrap();
    }
    let ses = issued.session.session;
    w.clock.advance(24 * MINUTE);
    assert_eq!(w.accounts.authenticate(token).unwrap_err(), SessionError::Expired(ses));
    w.clock.civil.store(1_000_000, Ordering::Relaxed);
    assert_eq!(w.accounts.authenticate(token).unwrap_err(), SessionError::Expired(ses), "a clock set back");
    let w = World::new();
    w.user("ada", Role::Administrator);
    let issued = w.sign_in("ada");
    w.clock.advance(30 * MINUTE);
    assert_eq!(
        w.accounts.authenticate(issued.token.expose()).unwrap_err(),
        SessionError::Idle(issued.session.session)
    );
    w.accounts.flush().unwrap();
    assert_eq!(w.accounts.authenticate(issued.token.expose()).unwrap_err(), SessionError::Unknown, "swept");
}

#[test]
fn sessions_survive_a_restart_as_they_were_last_seen() {
    let dir = tempfile::tempdir().unwrap();
    let w = World::open(Arc::new(Store::open(dir.path()).unwrap()), Arc::default());
    w.user("ada", Role::Administrator);
    let (noted, unnoted) = (w.sign_in("ada"), w.sign_in("ada"));
    w.clock.advance(20 * MINUTE);
    w.accounts.authenticate(noted.token.expose()).unwrap();
    w.accounts.flush().unwrap();
    let csrf = noted.session.csrf().to_owned();
    let w = w.again();
    w.clock.advance(20 * MINUTE);
    let session = w.accounts.authenticate(noted.token.expose()).unwrap();
    assert_eq!((session.session, session.csrf()), (noted.session.session, csrf.as_str()));
    assert!(matches!(w.accounts.authenticate(unnoted.token.expose()), Err(SessionError::Idle(_))));
    drop((session, w));
    for name in ["bastide.db", "bastide.db-wal"] {
        let bytes = std::fs::read(dir.path().join(name)).unwrap_or_default();
        for needle in [&noted.token.expose().as_bytes()[4..], PASSWORD.as_bytes(), csrf.as_bytes()] {
            assert!(!bytes.windows(needle.len()).any(|w| w == needle), "{name}");
        }
    }
}

#[test]
fn stepping_up_renews_the_token_and_the_old_one_is_dead() {
    let w = World::new();
    w.user("ada", Role::Administrator);
    let old = w.sign_in("ada");
    let five = Duration::from_secs(5 * MINUTE);
    assert!(w.accounts.is_fresh(&old.session, five));
    w.clock.advance(6 * MINUTE);
    assert!(!w.accounts.is_fresh(&old.session, five));
    let wrong = w.accounts.step_up(&old.session, &secret("wrong"), None, home()).unwrap_err();
    assert!(matches!(wrong, SignInError::Refused { refusal: Refusal::WrongPassword, .. }));
    let proof = w.accounts.step_up(&old.session, &secret(PASSWORD), None, home()).unwrap();
    let new = w.accounts.rotate(&proof, w.leaf()).unwrap();
    assert_eq!(new.session.session, old.session.session);
    assert!(w.accounts.is_fresh(&new.session, five));
    assert_eq!(w.accounts.authenticate(old.token.expose()).unwrap_err(), SessionError::Unknown);
    assert!(matches!(w.accounts.check(&old.session), Err(SessionError::Revoked(_))), "also who is inside");
    assert!(w.accounts.authenticate(new.token.expose()).is_ok());
    assert!(new.session.check_csrf(new.session.csrf()) && !new.session.check_csrf(old.session.csrf()));
    assert!(!new.session.check_csrf(""));
    assert_eq!(new.session.created_at, old.session.created_at, "twelve hours in all stay twelve hours");
}

#[test]
fn a_new_password_ends_every_other_session_and_every_proof() {
    let w = World::new();
    let ada = w.user("ada", Role::Administrator);
    let (own, other) = (w.sign_in("ada"), w.sign_in("ada"));
    let token = w.token(&own, Role::Viewer).unwrap();
    let password = secret(PASSWORD);
    let with = SignIn { name: "ada", password: &password, code: None, address: home(), user_agent: "" };
    let proved = w.accounts.sign_in(&with).unwrap();
    let stepped = w.accounts.step_up(&own.session, &password, None, home()).unwrap();

    let weak = w.accounts.prepare_password(ada.id, &secret("password1234"));
    assert!(matches!(weak.map(drop), Err(AccountError::Password(PasswordRule::Common))));
    let prepared = w.accounts.prepare_password(ada.id, &secret("another good one")).unwrap();
    let new = w.accounts.set_password(prepared, Some(&own.session), w.leaf()).unwrap().unwrap();
    for dead in [&own, &other, &token] {
        assert!(w.accounts.authenticate(dead.token.expose()).is_err());
    }
    assert_eq!(w.accounts.authenticate(new.token.expose()).unwrap().session, own.session.session);
    let late = w.accounts.create_session(proved, w.leaf()).unwrap_err();
    assert!(matches!(late, AccountError::Overtaken), "proved with the old password: {late}");
    assert!(matches!(w.accounts.rotate(&stepped, w.leaf()), Err(AccountError::Overtaken)));
    assert_eq!(w.refusal("ada", PASSWORD, None), Refusal::WrongPassword);
    let w = w.again();
    assert_eq!(w.refusal("ada", PASSWORD, None), Refusal::WrongPassword);
    w.try_in("ada", "another good one", None).unwrap();
    assert_eq!(w.accounts.sessions_of(ada.id).len(), 2);
}

#[test]
fn a_role_is_in_force_for_those_already_inside() {
    let w = World::new();
    w.user("ada", Role::Administrator);
    let bob = w.user("bob", Role::Administrator);
    let inside = w.sign_in("bob").session;
    let granted = w.accounts.authorise(&inside, Permission::UsersManage).unwrap();
    assert_eq!(granted.actor(), ActorRef::User { user: Pseudonym(bob.id.as_bytes().map(|b| !b)) });
    assert_eq!((granted.user(), granted.session()), (Some(bob.id), Some(inside.session)));
    assert!(granted.covers(Permission::UsersManage) && !granted.covers(Permission::LogView));
    w.accounts.set_role(bob.id, Role::Operator, w.leaf()).unwrap();
    let denied = w.accounts.authorise(&inside, Permission::GuardManage).unwrap_err();
    assert_eq!(
        denied.to_string(),
        "this needs the permission `guard.manage`, which the role `administrator` or `security` has; ask an \
         administrator"
    );
    assert_eq!(denied.to_problem().status, 403);
    assert!(w.accounts.authorise(&inside, Permission::KeysManage).is_ok());
    w.accounts.disable_user(bob.id, w.leaf()).unwrap();
    let gone = w.accounts.authorise(&inside, Permission::TrafficView).unwrap_err();
    assert!(matches!(gone, AuthoriseError::Session(_)));
    w.accounts.enable_user(bob.id, w.leaf()).unwrap();
    assert!(w.accounts.check(&inside).is_err(), "it does not come to life again");
    w.sign_in("bob");
    let operator = Authorized::local_operator(1000);
    assert!(Permission::ALL.iter().all(|p| operator.covers(*p)));
    assert_eq!((operator.user(), operator.actor()), (None, ActorRef::LocalOperator { uid: 1000 }));
}

#[test]
fn the_last_administrator_stays() {
    let w = World::new();
    let ada = w.user("ada", Role::Administrator);
    let inside = w.sign_in("ada");
    let last =
        |e: AccountError| assert!(matches!(e, AccountError::Store(StoreError::LastAdministrator)), "{e}");
    last(w.accounts.disable_user(ada.id, w.leaf()).unwrap_err());
    last(w.accounts.remove_user(ada.id, w.leaf()).unwrap_err());
    last(w.accounts.set_role(ada.id, Role::Viewer, w.leaf()).unwrap_err());
    assert!(w.accounts.authorise(&inside.session, Permission::UsersManage).is_ok());
    w.sign_in("ada");
}

#[test]
fn a_removed_person_is_gone_and_the_name_is_free() {
    let w = World::new();
    w.user("ada", Role::Administrator);
    let bob = w.user("bob", Role::Viewer);
    let inside = w.sign_in("bob");
    w.accounts.remove_user(bob.id, w.leaf()).unwrap();
    assert!(w.accounts.authenticate(inside.token.expose()).is_err());
    assert_eq!(w.refusal("bob", PASSWORD, None), Refusal::UnknownUser);
    assert!(matches!(w.accounts.set_role(bob.id, Role::Viewer, 99), Err(AccountError::NoUser { .. })));
    assert_ne!(w.user("bob", Role::Viewer).id, bob.id);
}

#[test]
fn a_token_does_no_more_than_its_role_and_its_person() {
    let w = World::new();
    w.user("ada", Role::Administrator);
    let bob = w.user("bob", Role::Operator);
    let browser = w.sign_in("bob");
    for role in [Role::Administrator, Role::Security] {
        let error = w.token(&browser, role).unwrap_err();
        assert!(matches!(error, AccountError::MoreThanMaker { .. }), "{error}");
    }
    let token = w.token(&browser, Role::Operator).unwrap();
    assert!(token.token.expose().starts_with("bsa_"));
    let narrow = w.token(&browser, Role::Viewer).unwrap();
    assert!(w.accounts.authorise(&token.session, Permission::KeysManage).is_ok());
    assert!(w.accounts.authorise(&narrow.session, Permission::TrafficView).is_ok());
    assert!(w.accounts.authorise(&narrow.session, Permission::KeysManage).is_err());
    assert!(matches!(w.token(&token, Role::Viewer), Err(AccountError::NeedsBrowser)));
    let stepped = w.accounts.step_up(&token.session, &secret(PASSWORD), None, home()).unwrap_err();
    assert!(matches!(stepped, SignInError::Failed(AccountError::NeedsBrowser)));

    // The person loses the role: the token loses what they lost, and has not more than it was given.
    w.accounts.set_role(bob.id, Role::Security, w.leaf()).unwrap();
    assert!(w.accounts.authorise(&token.session, Permission::KeysManage).is_err());
    assert!(w.accounts.authorise(&token.session, Permission::GuardManage).is_err());
    assert!(w.accounts.authorise(&token.session, Permission::LogView).is_ok());
    let w = w.again();
    let again = w.accounts.authenticate(token.token.expose()).unwrap();
    assert!(again.may(Permission::LogView) && !again.may(Permission::KeysManage));
    assert_eq!(again.carrier, SessionCarrier::Token { name: "terraform".into(), role: Role::Operator });
    w.clock.advance(100 * MINUTE);
    assert!(matches!(w.accounts.authenticate(token.token.expose()), Err(SessionError::Expired(_))));
}

#[test]
fn a_token_prepared_before_a_role_was_lost_is_not_made() {
    let w = World::new();
    w.user("ada", Role::Administrator);
    let bob = w.user("bob", Role::Operator);
    let browser = w.sign_in("bob");
    let expires_at = w.clock.now().plus(Duration::from_secs(60));
    let new = |name: &str, expires_at| NewToken { name: name.into(), role: Role::Operator, expires_at };
    let prepare = |new| w.accounts.prepare_token(&browser.session, new, "", home());
    let prepared = prepare(new("ci", expires_at)).unwrap();
    for (bad, code) in [
        (new("", expires_at), "identity.name"),
        (new("ci", w.clock.now()), "identity.expiry"),
        (new("ci", w.clock.now().plus(Duration::from_secs(367 * 24 * 3600))), "identity.expiry"),
    ] {
        assert_eq!(prepare(bad).unwrap_err().to_problem().code, code);
    }
    w.accounts.set_role(bob.id, Role::Viewer, w.leaf()).unwrap();
    assert!(matches!(w.accounts.create_session(prepared, w.leaf()), Err(AccountError::Overtaken)));
}

#[test]
fn sessions_are_ended_one_and_all_and_have_a_limit() {
    let w = World::new();
    let ada = w.user("ada", Role::Administrator);
    let browser = w.sign_in("ada");
    let tokens: Vec<_> = (1..100).map(|_| w.token(&browser, Role::Viewer).unwrap()).collect();
    assert!(matches!(w.token(&browser, Role::Viewer), Err(AccountError::TooManySessions)));
    w.accounts.revoke_session(tokens[0].session.session, w.leaf()).unwrap();
    assert_eq!(w.accounts.authenticate(tokens[0].token.expose()).unwrap_err(), SessionError::Unknown);
    assert_eq!(w.accounts.sessions_of(ada.id).len(), 99);
    // An intent that was applied before stands for any failure of the database: it is in force all the same.
    let error = w.accounts.revoke_session(tokens[1].session.session, 0).unwrap_err();
    assert!(matches!(error, AccountError::Unrecorded { .. }), "{error}");
    assert!(w.accounts.check(&tokens[1].session).is_err());
    w.accounts.revoke_sessions_of(ada.id, w.leaf()).unwrap();
    assert!(w.accounts.sessions_of(ada.id).is_empty());
    let w = w.again();
    assert!(w.accounts.authenticate(browser.token.expose()).is_err());
    assert!(w.accounts.revoke_session(bastide_types::SessionId::from_bytes([9; 16]), w.leaf()).is_err());
}

#[test]
fn names_are_plain_and_one_persons() {
    let w = World::new();
    w.user("ada", Role::Administrator);
    for bad in ["", "a b", "ädä", "-ada", "a\u{202e}b", "a/b", &"x".repeat(65)] {
        let error = w.accounts.prepare_user(bad, Role::Viewer, &secret(PASSWORD)).map(drop).unwrap_err();
        assert_eq!(error.to_problem().code, "identity.name", "{error}");
    }
    let twin = w.accounts.prepare_user(" ADA ", Role::Viewer, &secret(PASSWORD)).map(drop).unwrap_err();
    assert_eq!(twin.to_problem().code, "store.duplicate");
    let own = w.accounts.prepare_user(
        "ada.lovelace@example.org",
        Role::Viewer,
        &secret("Ada.Lovelace@example.org"),
    );
    assert!(matches!(own.map(drop), Err(AccountError::Password(PasswordRule::Name))));
}

#[test]
fn an_older_hash_is_renewed_at_the_next_sign_in() {
    let w = World::new();
    let ada = w.user("ada", Role::Administrator);
    let stored = || w.store.users().unwrap()[0].password.clone().unwrap().into_inner();
    // The reference implementation's own vector: `password`, 256 KiB.
    let old = "$argon2id$v=19$m=256,t=2,p=1$c29tZXNhbHQ$nf65EOgLrQMR/uIPnA4rEsF5h7TKyQwu9U1bMCHGi/4";
    w.store.set_user_password(ada.id, old, None, w.clock.now(), w.leaf()).unwrap();
    let v = World::open(w.store.clone(), w.clock.clone());
    assert_eq!(v.refusal("ada", "passwort", None), Refusal::WrongPassword);
    assert_eq!(stored(), old);
    v.try_in("ada", "password", None).unwrap();
    assert!(stored().starts_with("$argon2id$v=19$m=19456,t=2,p=1$"));
    v.try_in("ada", "password", None).unwrap();
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, cases: 64, ..ProptestConfig::default() })]

    #[test]
    fn only_the_exact_token_is_accepted(at in 0_usize..62, with in any::<char>(), noise in "\\PC{0,70}") {
        thread_local! {
            static WORLD: (World, String) = {
                let w = World::new();
                w.user("ada", Role::Administrator);
                let token = w.sign_in("ada").token.expose().clone();
                (w, token)
            };
        }
        WORLD.with(|(w, token)| {
            prop_assert!(w.accounts.authenticate(token).is_ok());
            let mut chars: Vec<char> = token.chars().collect();
            chars[at] = with;
            let changed: String = chars.into_iter().collect();
            prop_assert_eq!(w.accounts.authenticate(&changed).is_ok(), &changed == token);
            prop_assert!(w.accounts.authenticate(&noise).is_err());
            prop_assert_eq!(w.accounts.authenticate(&format!("{token}{noise}")).is_ok(), noise.is_empty());
            Ok(())
        })?;
    }
}
