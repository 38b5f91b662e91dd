//! Links of an archive, judged over all its members: what is written through a link, and whether links that count from the
//! top belong to a system that is packed as a whole.

use std::collections::{BTreeSet, HashSet};
use std::hash::{DefaultHasher, Hash as _, Hasher as _};

use super::names::{LINK, LINK_ESCAPE, NAME, ROOTED_LINK, Way, turns_back, way};
use crate::halt::{Halt, Parsed};
use crate::scan::{Scan, shown};

/// Folders of one archive that are kept in mind.
const FOLDERS: usize = 1 << 20;
/// Links that wait for the end of the archive; what holds for one holds for those beyond.
const WAITING: usize = 1000;

/// What was seen of the members of one archive.
#[derive(Default)]
pub(crate) struct Links {
    /// Folders that members stand in.
    parents: HashSet<u64>,
    /// Symbolic links.
    links: HashSet<u64>,
    /// Folders of a system that members stand in, and whether some stand elsewhere.
    system: BTreeSet<&'static str>,
    elsewhere: bool,
    /// Links that count from where a system begins: where, and what to say.
    rooted: Option<Vec<(u64, String)>>,
}

impl Links {
    /// For archives that may hold a system as a whole: its links count from its top.
    pub(crate) fn of_system() -> Self {
        Links { rooted: Some(Vec::new()), ..Links::default() }
    }

    /// Notes a member of any kind, and judges whether it is written through a link.
    ///
    /// # Errors
    ///
    /// [`Halt::Limit`] where members stand in more folders than are kept in mind.
    pub(crate) fn member(&mut self, name: &str, offset: u64, scan: &mut Scan<'_>) -> Parsed<()> {
        self.place(name);
        let mut path = steps(name);
        path.pop();
        if path.iter().any(|folder| self.links.contains(folder)) {
            let what = format!("member `{}` is written through a link", shown(name));
            scan.find(&LINK_ESCAPE, offset, what);
        }
        self.parents.extend(path);
        if self.parents.len() > FOLDERS {
            return Err(Halt::limit(format!("{FOLDERS} folders in an archive")));
        }
        Ok(())
    }

    /// Judges the symbolic link `name` → `target`, which is a member too.
    pub(crate) fn symbolic(&mut self, name: &str, target: &str, offset: u64, scan: &mut Scan<'_>) {
        let message = format!("`{}` is a link to `{}`", shown(name), shown(target));
        let path = steps(name);
        let own = path.last().copied().unwrap_or_default();
        self.links.insert(own);
        if self.parents.contains(&own) {
            scan.find(&LINK_ESCAPE, offset, format!("{message}, and members are written through it"));
        }
        if let Some(rooted) = self.rooted.as_mut().filter(|_| is_rooted(name, target)) {
            if rooted.len() < WAITING {
                rooted.push((offset, message));
            }
            return;
        }
        let rule = match way(target, depth(name)) {
            Way::Outside => &LINK_ESCAPE,
            // Where the folder before `..` is a link in its turn, the path leads elsewhere than it says.
            _ if turns_back(target) => &NAME,
            _ => &LINK,
        };
        scan.find(rule, offset, message);
    }

    /// Judges the hard link `name` → `target`, a path from the top.
    pub(crate) fn hard(&mut self, name: &str, target: &str, offset: u64, scan: &mut Scan<'_>) {
        let message = format!("`{}` is a link to `{}`", shown(name), shown(target));
        let is_link = steps(target).last().is_some_and(|target| self.links.contains(target));
        if way(target, 0) == Way::Outside {
            scan.find(&LINK_ESCAPE, offset, message);
        } else if is_link {
            // The same symbolic link, counted from another folder.
            self.links.extend(steps(name).last());
            scan.find(&NAME, offset, format!("{message}, which is a link itself"));
        }
    }

    /// Judges what only all members together tell.
    pub(crate) fn finish(self, scan: &mut Scan<'_>) {
        /// Fewer folders than any system has are those of a model.
        const SEVERAL: usize = 3;
        let is_system = scan.is_package() || !self.elsewhere && self.system.len() >= SEVERAL;
        let rule = if is_system { &ROOTED_LINK } else { &LINK_ESCAPE };
        for (offset, message) in self.rooted.into_iter().flatten() {
            scan.find(rule, offset, message);
        }
    }

    /// Notes the folder below the top that a member stands in (Filesystem Hierarchy Standard 3.0, section 3).
    fn place(&mut self, name: &str) {
        const SYSTEM: &[&str] = &[
            "bin", "boot", "dev", "etc", "home", "lib", "lib32", "lib64", "media", "mnt", "opt", "proc",
            "root", "run", "sbin", "srv", "sys", "tmp", "usr", "var",
        ];
        let Some(first) = name.split('/').find(|part| !matches!(*part, "" | ".")) else { return };
        match SYSTEM.iter().find(|folder| **folder == first) {
            Some(folder) => drop(self.system.insert(folder)),
            None => self.elsewhere = true,
        }
    }
}

/// Whether a link may count from where a system begins.
fn is_rooted(name: &str, target: &str) -> bool {
    /// What no package has links into: the running system, its users, and who may enter it.
    const NEVER: &[&str] = &[
        "/dev",
        "/etc/cron",
        "/etc/gshadow",
        "/etc/krb5.keytab",
        "/etc/passwd",
        "/etc/shadow",
        "/etc/ssh",
        "/etc/ssl/private",
        "/etc/sudoers",
        "/home",
        "/proc",
        "/root",
        "/run",
        "/sys",
        "/var/run",
        "/var/spool/cron",
    ];
    /// Folders that moved, in every system since (Filesystem Hierarchy Standard 3.0, section 5.13).
    const MOVED: &[(&str, &str)] = &[("var/run", "/run"), ("var/lock", "/run/lock")];
    let parts: Vec<&str> = target.split('/').filter(|part| !matches!(*part, "" | ".")).collect();
    let whole = format!("/{}", parts.join("/"));
    let place = name.trim_start_matches("./").trim_matches('/');
    let never = |place: &&str| {
        whole.strip_prefix(place).is_some_and(|rest| {
            // `/etc/passwd-` is the copy of `/etc/passwd`, and `/etc/cron.d` one of many.
            !rest.starts_with(|c: char| c.is_ascii_alphanumeric()) || *place == "/etc/cron"
        })
    };
    target.starts_with('/')
        && way(target.trim_start_matches('/'), 0) == Way::Inside
        && (MOVED.contains(&(place, &whole)) || !NEVER.iter().any(never))
}

/// How many folders below the top a member stands.
fn depth(name: &str) -> usize {
    let parts = name.split('/').filter(|part| !matches!(*part, "" | "."));
    let level = parts.fold(0_usize, |level, part| match part {
        ".." => level.saturating_sub(1),
        _ => level + 1,
    });
    level.saturating_sub(1)
}

/// The top, the folders of a path and the path itself, each by a number: names have any length, and folders many members.
fn steps(path: &str) -> Vec<u64> {
    let mut steps = vec![0];
    for part in path.split(['/', '\\']) {
        match part {
            "" | "." => {}
            ".." if steps.len() > 1 => drop(steps.pop()),
            ".." => {}
            _ => {
                let mut hasher = DefaultHasher::new();
                (steps.last(), part).hash(&mut hasher);
                steps.push(hasher.finish());
            }
        }
    }
    steps
}
