#![allow(clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

use std::io;
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::task::Poll;
use std::time::{Duration, Instant};

use bastide_audit::{Disk, DiskFile, DiskTree, LocalDisk, Log, LogReader};
use bastide_types::{ActorRef, Clock as _, Denial, Digest, Event, Mutation, MutationPhase, Role};

use super::*;
use crate::clock::SystemClock;
use crate::exchanges::ExchangeFilter;
use crate::folder::{Folder, Locked};
use crate::people::UserChange;
use crate::request::PasswordGiven;

/// A disk on which so many further commits of the log succeed; the others find it full.
#[derive(Clone)]
struct Filling {
    commits: Arc<AtomicU64>,
    /// Nothing can be published.
    unpublished: Arc<AtomicBool>,
    /// No sync comes to its end.
    held: Arc<AtomicBool>,
}

struct FillingFile {
    inner: Box<dyn DiskFile>,
    /// Of a segment that is being written.
    commits: Option<Arc<AtomicU64>>,
    held: Arc<AtomicBool>,
}

impl Filling {
    fn new() -> Filling {
        Filling {
            commits: Arc::new(AtomicU64::new(u64::MAX)),
            unpublished: Arc::default(),
            held: Arc::default(),
        }
    }

    fn room_for(&self, commits: u64) {
        self.commits.store(commits, Ordering::SeqCst);
    }

    fn wrap(&self, path: &Path, inner: Box<dyn DiskFile>) -> Box<dyn DiskFile> {
        let segment = path.parent().is_some_and(|p| p.ends_with("segments"))
            && path.extension().is_none_or(|e| e != "tmp");
        let held = Arc::clone(&self.held);
        Box::new(FillingFile { inner, commits: segment.then(|| Arc::clone(&self.commits)), held })
    }
}

impl DiskFile for FillingFile {
    fn size(&self) -> io::Result<u64> {
        self.inner.size()
    }
    fn read_at(&self, offset: u64, out: &mut [u8]) -> io::Result<usize> {
        self.inner.read_at(offset, out)
    }
    fn write_at(&mut self, offset: u64, bytes: &[u8]) -> io::Result<usize> {
        if let Some(commits) = &self.commits {
            let taken = commits.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |n| n.checked_sub(1));
            taken.map_err(|_| io::Error::from(io::ErrorKind::StorageFull))?;
        }
        self.inner.write_at(offset, bytes)
    }
    fn sync(&mut self) -> io::Result<()> {
        while self.held.load(Ordering::SeqCst) {
            std::thread::sleep(Duration::from_millis(1));
        }
        self.inner.sync()
    }
}

impl Disk for Filling {
    fn create_dirs(&self, path: &Path) -> io::Result<()> {
        LocalDisk.create_dirs(path)
    }
    fn list(&self, dir: &Path) -> io::Result<Vec<String>> {
        LocalDisk.list(dir)
    }
    fn read(&self, path: &Path, limit: u64) -> io::Result<Option<Vec<u8>>> {
        LocalDisk.read(path, limit)
    }
    fn open(&self, path: &Path, write: bool) -> io::Result<Box<dyn DiskFile>> {
        LocalDisk.open(path, write).map(|file| self.wrap(path, file))
    }
    fn create(&self, path: &Path) -> io::Result<Box<dyn DiskFile>> {
        if path.ends_with("publish.tmp") && self.unpublished.load(Ordering::SeqCst) {
            return Err(io::ErrorKind::StorageFull.into());
        }
        LocalDisk.create(path).map(|file| self.wrap(path, file))
    }
    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        LocalDisk.rename(from, to)
    }
    fn remove_file(&self, path: &Path) -> io::Result<()> {
        LocalDisk.remove_file(path)
    }
    fn remove_dir(&self, path: &Path) -> io::Result<()> {
        LocalDisk.remove_dir(path)
    }
    fn sync_dir(&self, dir: &Path) -> io::Result<()> {
        LocalDisk.sync_dir(dir)
    }
    fn tree(&self, dir: &Path) -> io::Result<Box<dyn DiskTree>> {
        LocalDisk.tree(dir)
    }
    fn lock(&self, path: &Path) -> io::Result<Box<dyn Send + Sync>> {
        LocalDisk.lock(path)
    }
}

fn node(dir: &Path, disk: &Filling) -> Arc<Node> {
    let Ok(Locked::Mine(folder)) = Folder::take(dir, None) else { panic!("the folder is ours") };
    let mut node =
        Node::open_on(Arc::new(disk.clone()), folder, Arc::new(SystemClock::new())).expect("opens");
    node.reconcile().expect("reconciles");
    node.bootstrap().expect("the defaults are made");
    Arc::new(node)
}

/// Opens a node outside of a runtime, as the binary does, and works on it inside one.
fn with_node<T>(dir: &Path, disk: &Filling, work: impl AsyncFnOnce(Arc<Admin>) -> T) -> T {
    let node = node(dir, disk);
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().expect("a runtime");
    let admin = Arc::new(Admin::new(Arc::clone(&node), None));
    let result = runtime.block_on(work(admin));
    drop(runtime);
    // As after a crash: nothing is said about an orderly stop.
    let _ = node.log.clone().close();
    result
}

fn create(name: &str) -> Request {
    Request::KeyCreate(KeyWanted {
        name: name.to_owned(),
        project: None,
        expires: None,
        requests_per_minute: None,
        tokens_per_minute: None,
        tokens_per_day: None,
        concurrency: None,
    })
}

fn revoke(name: &str) -> Request {
    Request::KeyRevoke { key: name.to_owned() }
}

async fn key(admin: &Arc<Admin>, name: &str) -> String {
    let made = admin.execute(&Authorized::local_operator(0), create(name)).await.expect("a key");
    made["key"].as_str().expect("shown once").to_owned()
}

/// Action and phase of each change, oldest first, without those of the first start.
fn changes(dir: &Path) -> Vec<String> {
    let mut reader = LogReader::open(dir.join("log")).expect("a log");
    let size = reader.refresh().expect("published").size;
    let entries = reader.entries(0, usize::try_from(size).expect("small")).expect("readable");
    let all = entries.iter().map(|e| {
        let entry: Value = serde_json::from_str(&e.value().expect("CBOR").to_json()).expect("JSON");
        format!("{} {}", entry["action"].as_str().unwrap_or("-"), entry["phase"].as_str().unwrap_or("-"))
    });
    all.filter(|line| !line.starts_with("organisation") && !line.starts_with("project") && line != "- -")
        .collect()
}

#[test]
fn a_change_whose_outcome_the_log_did_not_take_is_in_force_and_says_so() {
    let dir = tempfile::tempdir().expect("a folder");
    let disk = Filling::new();
    with_node(dir.path(), &disk, async |admin| {
        let secret = key(&admin, "ci").await;
        assert!(admin.node.identity.authenticate(&secret).is_ok());
        disk.room_for(1);
        let answer = admin.execute(&Authorized::local_operator(0), revoke("ci")).await.expect("it is done");
        assert_eq!(answer["state"], "revoked");
        let warning = answer["warnings"][0].as_str().expect("a warning");
        assert!(warning.contains("in force") && warning.contains("no space left"), "{warning}");
        assert!(admin.node.identity.authenticate(&secret).is_err(), "refused from now on");

        let refused = admin
            .execute(&Authorized::local_operator(0), create("second"))
            .await
            .expect_err("the log takes nothing");
        assert!(refused.message().contains("nothing was changed"), "{refused}");
        assert_eq!(admin.node.store.keys().expect("readable").len(), 1);

        disk.room_for(u64::MAX);
        let answer = admin
            .execute(&Authorized::local_operator(0), create("second"))
            .await
            .expect("there is room again");
        assert_eq!(answer["warnings"], json!([]));
    });
    assert_eq!(
        changes(dir.path()),
        [
            "key.create intent",
            "key.create done",
            "key.revoke intent",
            "key.revoke done",
            "key.create intent",
            "key.create done"
        ]
    );
}

#[test]
fn a_change_of_people_whose_outcome_the_log_did_not_take_says_so() {
    let (dir, disk) = (tempfile::tempdir().expect("a folder"), Filling::new());
    with_node(dir.path(), &disk, async |admin| {
        let by = Authorized::local_operator(0);
        let password = || Secret::new("a long and winding passphrase".to_owned());
        disk.room_for(1);
        let made = admin.create_user(&by, "ada".to_owned(), Role::Administrator, password()).await;
        let made = made.expect("the change is made");
        assert!(made.warnings[0].contains("the log did not take its outcome"), "{:?}", made.warnings);
        disk.room_for(u64::MAX);
        let ended = admin.change_user(&by, made.given.id, UserChange::EndSessions).await.expect("changed");
        assert_eq!(ended.warnings, Vec::<String>::new(), "what was owed is recorded by now");
        // A program is told as well.
        disk.room_for(1);
        let request = Request::UserPassword {
            user: "ada".to_owned(),
            password: PasswordGiven("another long passphrase".to_owned()),
        };
        let answer = admin.execute(&by, request).await.expect("the change is made");
        assert!(answer["warnings"][0].as_str().is_some_and(|w| w.contains("its outcome")), "{answer}");
        disk.room_for(u64::MAX);
        assert!(admin.changes.close(Duration::from_secs(5)).await);
    });
}

#[test]
fn an_outcome_that_is_owed_is_recorded_when_the_server_stops_or_starts() {
    let dir = tempfile::tempdir().expect("a folder");
    let disk = Filling::new();
    with_node(dir.path(), &disk, async |admin| {
        key(&admin, "first").await;
        disk.room_for(1);
        admin.execute(&Authorized::local_operator(0), revoke("first")).await.expect("it is done");
        assert!(
            !admin.changes.close(Duration::from_secs(5)).await,
            "the log must not say that all is in order"
        );
        disk.room_for(u64::MAX);
        assert!(admin.changes.close(Duration::from_secs(5)).await);
        let late = admin
            .execute(&Authorized::local_operator(0), create("late"))
            .await
            .expect_err("the server stops");
        assert!(late.message().contains("stops"), "{late}");
    });
    assert_eq!(
        changes(dir.path()),
        ["key.create intent", "key.create done", "key.revoke intent", "key.revoke done"]
    );

    with_node(dir.path(), &disk, async |admin| {
        key(&admin, "second").await;
        disk.room_for(1);
        admin.execute(&Authorized::local_operator(0), revoke("second")).await.expect("it is done");
    });
    assert_eq!(changes(dir.path()).last().map(String::as_str), Some("key.revoke intent"));
    disk.room_for(u64::MAX);
    with_node(dir.path(), &disk, async |_| ());
    assert_eq!(changes(dir.path()).last().map(String::as_str), Some("key.revoke done"));
}

#[test]
fn a_change_that_fails_says_why_even_when_the_log_fails_too() {
    let dir = tempfile::tempdir().expect("a folder");
    let disk = Filling::new();
    with_node(dir.path(), &disk, async |admin| {
        admin
            .execute(&Authorized::local_operator(0), Request::ProjectCreate { name: "search".to_owned() })
            .await
            .expect("made");
        disk.room_for(1);
        let again = Request::ProjectCreate { name: "search".to_owned() };
        let failure =
            admin.execute(&Authorized::local_operator(0), again).await.expect_err("the name is taken");
        assert!(failure.message().contains("already a project `search`"), "{failure}");
        assert!(failure.message().contains("no space left"), "{failure}");
    });
}

#[test]
fn a_change_goes_on_when_nobody_waits_for_it() {
    let dir = tempfile::tempdir().expect("a folder");
    let disk = Filling::new();
    with_node(dir.path(), &disk, async |admin| {
        let secret = key(&admin, "ci").await;
        let by = Authorized::local_operator(0);
        let mut asked = Box::pin(admin.execute(&by, revoke("ci")));
        // It has begun, and the caller leaves at once.
        std::future::poll_fn(|cx| {
            let _ = asked.as_mut().poll(cx);
            Poll::Ready(())
        })
        .await;
        drop(asked);
        let until = Instant::now() + Duration::from_secs(10);
        while admin.node.identity.authenticate(&secret).is_ok() {
            assert!(Instant::now() < until, "the change was dropped with its caller");
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        assert!(admin.changes.close(Duration::from_secs(10)).await);
    });
    assert_eq!(changes(dir.path()).last().map(String::as_str), Some("key.revoke done"));
}

#[test]
fn of_many_keys_of_one_name_asked_for_at_once_one_is_made() {
    let dir = tempfile::tempdir().expect("a folder");
    let disk = Filling::new();
    with_node(dir.path(), &disk, async |admin| {
        let mut asking = tokio::task::JoinSet::new();
        for _ in 0..8 {
            let admin = Arc::clone(&admin);
            asking.spawn(
                async move { admin.execute(&Authorized::local_operator(0), create("ci")).await.is_ok() },
            );
        }
        let made = asking.join_all().await.into_iter().filter(|made| *made).count();
        assert_eq!(made, 1);
        admin.execute(&Authorized::local_operator(0), revoke("ci")).await.expect("revoked");
        admin.execute(&Authorized::local_operator(0), create("ci")).await.expect("the name is free again");
    });
}

#[test]
fn a_person_cannot_have_a_secret_of_the_machine_sent_to_a_server_of_their_choice() {
    let wanted = |base_url: &str, credential| ProviderWanted {
        name: "p".to_owned(),
        base_url: base_url.to_owned(),
        credential,
        plain_http: false,
        project: None,
    };
    let env = |name: &str| CredentialGiven::Env { name: name.to_owned() };
    let openai = "https://api.openai.com/v1";
    let sealed = CredentialGiven::Sealed { value: "sk-1".to_owned() };
    assert!(only_own_credentials(&wanted("https://elsewhere.example/v1", sealed)).is_ok());
    assert!(only_own_credentials(&wanted(openai, env("OPENAI_API_KEY"))).is_ok());
    for (base_url, credential) in [
        ("https://elsewhere.example/v1", env("OPENAI_API_KEY")),
        (openai, env("AWS_SECRET_ACCESS_KEY")),
        (openai, CredentialGiven::File { path: "/etc/shadow".to_owned() }),
    ] {
        let refused = only_own_credentials(&wanted(base_url, credential)).expect_err(base_url);
        assert_eq!(refused.kind(), crate::failure::Kind::Denied);
    }
}

/// A change that was begun.
fn begun() -> Event {
    Event::Changed(Box::new(Mutation {
        at: SystemClock::new().now(),
        actor: ActorRef::LocalOperator { uid: 0 },
        action: "key.create",
        resource: "key_00000000000000000000000000".to_owned(),
        state: None,
        phase: MutationPhase::Intent,
    }))
}

fn denied() -> Event {
    let (at, route) = (SystemClock::new().now(), "GET /v1/models".to_owned());
    let actor = ActorRef::Unauthenticated;
    Event::Denied(Box::new(Denial { at, actor, route, code: "auth.missing", status: 401, suppressed: 0 }))
}

/// What the newest entry says.
fn newest(admin: &Admin) -> String {
    let last = admin.node.log.newest(0, usize::MAX).pop().expect("an entry");
    last.value().expect("an entry").to_json()
}

#[test]
fn a_change_that_a_crash_left_open_is_found_wherever_it_stands() {
    let (dir, disk) = (tempfile::tempdir().expect("a folder"), Filling::new());
    // Before, in and behind the bundles of 256, none of which begins or ends where the log does.
    for before in [10, 300, 900] {
        let intent = with_node(dir.path(), &disk, async |admin| {
            let log = &admin.node.log;
            for _ in 0..before {
                drop(log.submit(denied()).expect("submitted"));
            }
            let intent = log.record(begun()).await.expect("recorded").index();
            for _ in 0..before / 3 {
                drop(log.submit(denied()).expect("submitted"));
            }
            intent
        });
        let said = with_node(dir.path(), &disk, async |admin| newest(&admin));
        let failed = format!("\"intent\":{intent}");
        assert!(said.contains("\"failed\"") && said.contains(&failed), "{before}: {said}");
    }
}

#[test]
fn a_start_looks_no_further_back_than_all_was_settled() {
    let (dir, disk) = (tempfile::tempdir().expect("a folder"), Filling::new());
    // Two bundles behind it and a segment that is ready, so that no entry of its bundle is shown when the log is opened.
    let begin = async |log: &Log| {
        let intent = log.record(begun()).await.expect("recorded").index();
        for _ in 0..600 {
            drop(log.submit(denied()).expect("submitted"));
        }
        log.record(denied()).await.expect("recorded");
        log.publish_now().expect("published");
        let since = Instant::now();
        while !log.stats().reserve_ready {
            assert!(since.elapsed() < Duration::from_secs(60), "no segment is made ready");
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        intent
    };
    let outcome = |intent: u64| format!("\"intent\":{intent}");
    // Nobody said so: the change is found.
    let intent = with_node(dir.path(), &disk, async |admin| begin(&admin.node.log).await);
    assert!(with_node(dir.path(), &disk, async |admin| newest(&admin)).contains(&outcome(intent)));

    // It is said, though wrongly here: nothing is looked for before it, and a change behind it is found.
    let (before, behind) = with_node(dir.path(), &disk, async |admin| {
        let before = begin(&admin.node.log).await;
        let settled = admin.changes.settled().await.expect("nothing is owed");
        assert_eq!(settled, admin.node.log.size(), "all of it is published");
        admin.node.note_settled(settled).expect("noted");
        (before, begin(&admin.node.log).await)
    });
    let said = with_node(dir.path(), &disk, async |admin| {
        let all = admin.node.log.newest(before, usize::MAX);
        all.iter().map(|e| e.value().expect("an entry").to_json()).collect::<Vec<_>>().join("\n")
    });
    assert!(said.contains(&outcome(behind)) && !said.contains(&outcome(before)), "{said}");

    // Of a log that is longer than this one: what it says is of other entries.
    let intent = with_node(dir.path(), &disk, async |admin| {
        admin.node.note_settled(1_000_000).expect("noted");
        begin(&admin.node.log).await
    });
    with_node(dir.path(), &disk, async |admin| {
        assert!(newest(&admin).contains(&outcome(intent)));
        assert_eq!(admin.node.store.meta("settled").expect("read").as_deref(), Some("0"));
    });
}

#[test]
fn nothing_is_settled_while_an_outcome_is_owed() {
    let (dir, disk) = (tempfile::tempdir().expect("a folder"), Filling::new());
    with_node(dir.path(), &disk, async |admin| {
        assert_eq!(admin.changes.settled().await, None, "not published yet");
        admin.node.log.publish_now().expect("published");
        assert_eq!(admin.changes.settled().await, Some(admin.node.log.size()));
        disk.room_for(1);
        let made = admin.execute(&Authorized::local_operator(0), create("ci")).await.expect("made");
        assert!(made["warnings"].to_string().contains("did not take its outcome"), "{made}");
        assert_eq!(admin.changes.settled().await, None);
    });
}

/// Copies a folder, as a power cut leaves it: of the files under `tile`, which are written without a sync, only the names.
fn power_cut(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).expect("made");
    for entry in std::fs::read_dir(from).expect("readable") {
        let (from, to) =
            (entry.as_ref().expect("an entry").path(), to.join(entry.expect("an entry").file_name()));
        if from.is_dir() {
            power_cut(&from, &to);
        } else if from.components().any(|c| c.as_os_str() == "tile") {
            std::fs::write(&to, "").expect("written");
        } else if from.is_file() {
            std::fs::copy(&from, &to).expect("copied");
        }
    }
}

#[test]
fn a_start_after_a_power_cut_needs_no_published_file() {
    let (dir, disk) = (tempfile::tempdir().expect("a folder"), Filling::new());
    let cut = tempfile::tempdir().expect("a folder");
    let intent = with_node(dir.path(), &disk, async |admin| {
        let intent = admin.node.log.record(begun()).await.expect("recorded").index();
        for _ in 0..700 {
            drop(admin.node.log.submit(denied()).expect("submitted"));
        }
        admin.node.log.record(denied()).await.expect("recorded");
        admin.node.log.publish_now().expect("published");
        power_cut(dir.path(), cut.path());
        intent
    });
    // Even where nothing of it can be written anew.
    disk.unpublished.store(true, Ordering::SeqCst);
    let size = with_node(cut.path(), &disk, async |admin| {
        assert!(newest(&admin).contains(&format!("\"intent\":{intent}")), "{}", newest(&admin));
        admin.node.log.size()
    });
    disk.unpublished.store(false, Ordering::SeqCst);
    with_node(cut.path(), &disk, async |admin| {
        assert_eq!(admin.node.log.size(), size, "it has its outcome");
        let all = admin.exchanges(ExchangeFilter::default(), None, 10).await;
        assert!(all.is_ok(), "{:?}", all.err());
    });
}

#[test]
fn a_change_that_panicked_gets_the_outcome_that_the_records_show() {
    let (dir, disk) = (tempfile::tempdir().expect("a folder"), Filling::new());
    with_node(dir.path(), &disk, async |admin| {
        for made in [false, true] {
            let (task, by) = (Arc::clone(&admin), ActorRef::LocalOperator { uid: 0 });
            let panics = tokio::spawn(async move {
                let mut turn = task.changes.turn(by).await.expect("a turn");
                let what = What { action: "policy.set", resource: "policy".to_owned(), state: None };
                let apply = |intent| -> Result<(), Failure> {
                    if made {
                        let (text, at) = ("permit (principal, action, resource);", task.node.clock.now());
                        task.node.store.set_policy(text, Digest([0; 32]), at, intent).expect("set");
                    }
                    panic!("on purpose")
                };
                turn.change(what, apply).await
            });
            assert!(panics.await.is_err_and(|e| e.is_panic()));
            assert_eq!(admin.changes.settled().await, None, "a note would pass over it");
            key(&admin, if made { "second" } else { "first" }).await;
        }
    });
    let policies = changes(dir.path()).into_iter().filter(|line| line.starts_with("policy"));
    assert_eq!(
        policies.collect::<Vec<_>>(),
        ["policy.set intent", "policy.set failed", "policy.set intent", "policy.set done"]
    );
}

#[test]
fn a_change_that_is_dropped_half_way_gets_one_outcome() {
    let (dir, disk) = (tempfile::tempdir().expect("a folder"), Filling::new());
    with_node(dir.path(), &disk, async |admin| {
        // While its intent is on its way, and while its outcome is.
        for until_applied in [false, true] {
            disk.held.store(!until_applied, Ordering::SeqCst);
            let applied = AtomicBool::new(false);
            let mut turn = admin.changes.turn(ActorRef::LocalOperator { uid: 0 }).await.expect("a turn");
            let what = What { action: "policy.set", resource: "policy".to_owned(), state: None };
            let mut change = Box::pin(turn.change(what, |_| {
                disk.held.store(true, Ordering::SeqCst);
                applied.store(true, Ordering::SeqCst);
                Err::<(), _>(Failure::could_not("on purpose"))
            }));
            std::future::poll_fn(|cx| {
                assert!(change.as_mut().poll(cx).is_pending(), "nothing comes to the disk");
                if until_applied && !applied.load(Ordering::SeqCst) { Poll::Pending } else { Poll::Ready(()) }
            })
            .await;
            drop(change);
            drop(turn);
            assert_eq!(admin.changes.settled().await, None, "a note would pass over it");
            disk.held.store(false, Ordering::SeqCst);
        }
        assert!(admin.changes.close(Duration::from_secs(5)).await);
    });
    let policies = changes(dir.path()).into_iter().filter(|line| line.starts_with("policy"));
    assert_eq!(
        policies.collect::<Vec<_>>(),
        ["policy.set intent", "policy.set failed", "policy.set intent", "policy.set failed"]
    );
}
