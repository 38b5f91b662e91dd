#![allow(clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

use std::io;
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use bastide_audit::{Disk, DiskFile, DiskTree, LocalDisk, LogReader};
use bastide_types::Role;

use super::*;
use crate::clock::SystemClock;
use crate::folder::{Folder, Locked};
use crate::people::UserChange;
use crate::request::PasswordGiven;

/// A disk on which so many further commits of the log succeed; the others find it full.
#[derive(Clone)]
struct Filling {
    commits: Arc<AtomicU64>,
}

struct FillingFile {
    inner: Box<dyn DiskFile>,
    /// Of a segment that is being written.
    commits: Option<Arc<AtomicU64>>,
}

impl Filling {
    fn new() -> Filling {
        Filling { commits: Arc::new(AtomicU64::new(u64::MAX)) }
    }

    fn room_for(&self, commits: u64) {
        self.commits.store(commits, Ordering::SeqCst);
    }

    fn wrap(&self, path: &Path, inner: Box<dyn DiskFile>) -> Box<dyn DiskFile> {
        let segment = path.parent().is_some_and(|p| p.ends_with("segments"))
            && path.extension().is_none_or(|e| e != "tmp");
        Box::new(FillingFile { inner, commits: segment.then(|| Arc::clone(&self.commits)) })
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
    let node = Node::open_on(Arc::new(disk.clone()), folder, Arc::new(SystemClock::new())).expect("opens");
    node.bootstrap().expect("the defaults are made");
    node.reconcile(false).expect("reconciles");
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
            std::task::Poll::Ready(())
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

#[test]
fn a_change_that_a_crash_left_open_is_found_wherever_it_stands() {
    use bastide_types::{ActorRef, Clock as _, Denial, Event, Mutation, MutationPhase};
    let (dir, disk) = (tempfile::tempdir().expect("a folder"), Filling::new());
    let at = SystemClock::new().now();
    let denied = || {
        let (route, actor) = ("GET /v1/models".to_owned(), ActorRef::Unauthenticated);
        Event::Denied(Box::new(Denial { at, actor, route, code: "auth.missing", status: 401, suppressed: 0 }))
    };
    // Before, in and behind the bundles of 256, none of which begins or ends where the log does.
    for before in [10, 300, 900] {
        let intent = with_node(dir.path(), &disk, async |admin| {
            let log = &admin.node.log;
            let mutation = Mutation {
                at,
                actor: ActorRef::LocalOperator { uid: 0 },
                action: "key.create",
                resource: "key_00000000000000000000000000".to_owned(),
                state: None,
                phase: MutationPhase::Intent,
            };
            for _ in 0..before {
                drop(log.submit(denied()).expect("submitted"));
            }
            let intent = log.record(Event::Changed(Box::new(mutation))).await.expect("recorded").index();
            for _ in 0..before / 3 {
                drop(log.submit(denied()).expect("submitted"));
            }
            intent
        });
        let said = with_node(dir.path(), &disk, async |admin| {
            let last = admin.node.log.newest(0, usize::MAX).pop().expect("the outcome");
            last.value().expect("an entry").to_json()
        });
        let failed = format!("\"intent\":{intent}");
        assert!(said.contains("\"failed\"") && said.contains(&failed), "{before}: {said}");
    }
}
