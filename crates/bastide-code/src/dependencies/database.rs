//! Advisories by the packages that they are about.

use std::collections::HashMap;

use bastide_types::Severity;

use crate::dependencies::advisory::{Advisory, Affected, Event, RangeKind};
use crate::dependencies::cvss;
use crate::dependencies::lock::Package;
use crate::dependencies::order::{Ecosystem, Version};

/// Advisories, indexed by package.
#[derive(Debug, Default)]
pub struct Database {
    advisories: Vec<Advisory>,
    /// The advisory, and which of its affected packages.
    index: HashMap<(Ecosystem, String), Vec<(usize, usize)>>,
}

/// An advisory that a package falls under.
#[derive(Clone, Debug, PartialEq)]
pub struct Vulnerable<'d> {
    /// The advisory's name.
    pub id: &'d str,
    /// Its other names.
    pub aliases: &'d [String],
    /// What it is about.
    pub summary: &'d str,
    /// How bad it is.
    pub severity: Severity,
    /// The CVSS vector that says so, where there is one.
    pub vector: Option<&'d str>,
    /// The base score of that vector, for version 3.
    pub score: Option<f64>,
    /// The weaknesses behind it, as numbers of the CWE list.
    pub weaknesses: Vec<u32>,
    /// The versions that mend it, in their order.
    pub fixed: Vec<&'d str>,
    /// When it became public, as RFC 3339.
    pub published: &'d str,
    /// Whether the package itself is the attack.
    pub malicious: bool,
}

impl Database {
    /// Adds an advisory from its JSON; one that was taken back, or is about no package that lock files name, adds nothing.
    ///
    /// # Errors
    ///
    /// When the text is no advisory.
    pub fn add(&mut self, json: &str) -> Result<(), serde_json::Error> {
        let advisory: Advisory = serde_json::from_str(json)?;
        if advisory.withdrawn.is_some() {
            return Ok(());
        }
        let number = self.advisories.len();
        let mut used = false;
        for (at, affected) in advisory.affected.iter().enumerate() {
            let Some(name) = &affected.package else { continue };
            let Some(ecosystem) = Ecosystem::of(&name.ecosystem) else { continue };
            self.index.entry((ecosystem, ecosystem.normalise(&name.name))).or_default().push((number, at));
            used = true;
        }
        if used {
            self.advisories.push(advisory);
        }
        Ok(())
    }

    /// How many advisories it holds.
    #[must_use]
    pub fn len(&self) -> usize {
        self.advisories.len()
    }

    /// Whether it holds none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.advisories.is_empty()
    }

    /// The advisories that `package` falls under, worst first. A package without a version falls under those that are
    /// about all versions.
    #[must_use]
    pub fn matches(&self, package: &Package) -> Vec<Vulnerable<'_>> {
        let version = Version::parse(package.ecosystem, &package.version);
        let entries =
            self.index.get(&(package.ecosystem, package.name.clone())).map(Vec::as_slice).unwrap_or_default();
        let mut found: Vec<Vulnerable<'_>> = Vec::new();
        for &(number, at) in entries {
            let Some(advisory) = self.advisories.get(number) else { continue };
            let Some(affected) = advisory.affected.get(at) else { continue };
            if !is_affected(affected, package, version.as_ref())
                || found.iter().any(|found| found.id == advisory.id)
            {
                continue;
            }
            found.push(Vulnerable {
                id: &advisory.id,
                aliases: &advisory.aliases,
                summary: &advisory.summary,
                severity: advisory.severity(),
                vector: advisory.vector(),
                score: advisory.vector().and_then(cvss::score),
                weaknesses: advisory.weaknesses(),
                fixed: fixed(affected, version.as_ref(), package.ecosystem),
                published: &advisory.published,
                malicious: advisory.is_malicious(),
            });
        }
        found.sort_by(|a, b| (b.malicious, b.severity, a.id).cmp(&(a.malicious, a.severity, b.id)));
        found
    }
}

/// The algorithm of the OSV schema, "Evaluation".
fn is_affected(affected: &Affected, package: &Package, version: Option<&Version>) -> bool {
    let same = |listed: &String| {
        *listed == package.version
            || version
                .is_some_and(|version| Version::parse(package.ecosystem, listed).as_ref() == Some(version))
    };
    if affected.versions.iter().any(same) {
        return true;
    }
    let ranges = affected.ranges.iter().filter(|range| range.kind != RangeKind::Git);
    ranges.into_iter().any(|range| in_range(&range.events, package.ecosystem, version))
}

fn in_range(events: &[Event], ecosystem: Ecosystem, version: Option<&Version>) -> bool {
    let Some(version) = version else {
        return events.iter().all(|event| event.fixed.is_none() && event.last_affected.is_none())
            && events.iter().any(|event| event.introduced.as_deref() == Some("0"));
    };
    let read = |text: &str| Version::parse(ecosystem, text);
    let mut edges: Vec<(Version, u8)> = Vec::new();
    let mut inside = false;
    for event in events {
        match (event.introduced.as_deref(), event.fixed.as_deref(), event.last_affected.as_deref()) {
            (Some("0"), _, _) => inside = true,
            (Some(text), _, _) => edges.extend(read(text).map(|at| (at, 0))),
            (_, Some(text), _) => edges.extend(read(text).map(|at| (at, 1))),
            (_, _, Some(text)) => edges.extend(read(text).map(|at| (at, 2))),
            _ => {}
        }
    }
    edges.sort_by(|(a, _), (b, _)| a.partial_cmp(b).unwrap_or(std::cmp::Ordering::Equal));
    for (at, kind) in &edges {
        match kind {
            0 if version >= at => inside = true,
            1 if version >= at => inside = false,
            2 if version > at => inside = false,
            _ => {}
        }
    }
    inside
}

/// The versions that mend it, from the one that is nearest above `version`.
fn fixed<'a>(affected: &'a Affected, version: Option<&Version>, ecosystem: Ecosystem) -> Vec<&'a str> {
    let events =
        affected.ranges.iter().filter(|range| range.kind != RangeKind::Git).flat_map(|range| &range.events);
    let mut fixed: Vec<(Version, &str)> = events
        .filter_map(|event| event.fixed.as_deref())
        .filter_map(|text| Some((Version::parse(ecosystem, text)?, text)))
        .filter(|(at, _)| version.is_none_or(|version| at > version))
        .collect();
    fixed.sort_by(|(a, _), (b, _)| a.partial_cmp(b).unwrap_or(std::cmp::Ordering::Equal));
    fixed.dedup_by(|a, b| a.1 == b.1);
    fixed.into_iter().map(|(_, text)| text).collect()
}
