//! Which version comes before which: PEP 440 for Python, semantic versions for npm and crates.

use std::cmp::Ordering;

/// Where packages come from, as OSV calls it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Ecosystem {
    /// The Python Package Index, and conda packages of the same name.
    PyPI,
    /// The registry of npm.
    Npm,
    /// The registry of crates.
    CratesIo,
}

impl Ecosystem {
    /// By the name that OSV gives it.
    #[must_use]
    pub fn of(name: &str) -> Option<Self> {
        match name.split(':').next().unwrap_or(name) {
            "PyPI" => Some(Ecosystem::PyPI),
            "npm" => Some(Ecosystem::Npm),
            "crates.io" => Some(Ecosystem::CratesIo),
            _ => None,
        }
    }

    /// The name that OSV gives it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Ecosystem::PyPI => "PyPI",
            Ecosystem::Npm => "npm",
            Ecosystem::CratesIo => "crates.io",
        }
    }

    /// The type of its package URLs (ECMA-427).
    #[must_use]
    pub const fn purl_type(self) -> &'static str {
        match self {
            Ecosystem::PyPI => "pypi",
            Ecosystem::Npm => "npm",
            Ecosystem::CratesIo => "cargo",
        }
    }

    /// The name under which a package is looked up: for Python that of PEP 503.
    #[must_use]
    pub fn normalise(self, name: &str) -> String {
        match self {
            Ecosystem::PyPI => {
                let mut normal = String::with_capacity(name.len());
                for c in name.trim().chars() {
                    if !matches!(c, '-' | '_' | '.') {
                        normal.extend(c.to_lowercase());
                    } else if !normal.ends_with('-') {
                        normal.push('-');
                    }
                }
                normal
            }
            _ => name.trim().to_owned(),
        }
    }
}

/// A version that can be compared with others of its ecosystem.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Version(Order);

#[derive(Clone, Debug, PartialEq, Eq)]
enum Order {
    Python(Box<Pep440>),
    Semantic(Box<semver::Version>),
}

/// The parts of PEP 440, each with the order that it gives them.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Pep440 {
    epoch: u64,
    release: Vec<u64>,
    /// Development release of a final one (0), pre-release (1 to 3, with its number), final (9).
    stage: (u8, u64),
    post: Option<u64>,
    /// A development release comes before what it develops.
    dev: (u8, u64),
    local: Vec<Local>,
}

/// Parts of a local version: words come before numbers.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Local {
    Word(String),
    Number(u64),
}

impl Version {
    /// Reads a version; `None` when it is none of that ecosystem.
    #[must_use]
    pub fn parse(ecosystem: Ecosystem, text: &str) -> Option<Self> {
        let text = text.trim();
        if text.len() > 256 {
            return None;
        }
        Some(Version(match ecosystem {
            Ecosystem::PyPI => Order::Python(Box::new(pep440(text)?)),
            _ => Order::Semantic(Box::new(semantic(text)?)),
        }))
    }
}

impl PartialOrd for Version {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        match (&self.0, &other.0) {
            (Order::Python(a), Order::Python(b)) => Some(a.cmp(b)),
            // Build metadata says nothing about the order that advisories speak of.
            (Order::Semantic(a), Order::Semantic(b)) => Some(a.cmp_precedence(b)),
            _ => None,
        }
    }
}

/// Advisories write `0` and `1.2` too.
fn semantic(text: &str) -> Option<semver::Version> {
    let text = text.trim_start_matches(['v', '=']);
    let core = text.split(['-', '+']).next().unwrap_or(text);
    let missing = 2usize.checked_sub(core.matches('.').count())?;
    let rest = text.get(core.len()..).unwrap_or_default();
    semver::Version::parse(&format!("{core}{}{rest}", ".0".repeat(missing))).ok()
}

/// <https://packaging.python.org/en/latest/specifications/version-specifiers/>, appendix B.
fn pep440(text: &str) -> Option<Pep440> {
    let lower = text.to_ascii_lowercase();
    let (public, local) = lower.split_once('+').unwrap_or((&lower, ""));
    let public = public.trim_start_matches('v');
    let (epoch, public) = match public.split_once('!') {
        Some((epoch, rest)) => (epoch.parse().ok()?, rest),
        None => (0, public),
    };
    let end = public.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(public.len());
    let digits = public.get(..end)?.trim_end_matches('.');
    let mut rest = public.get(digits.len()..)?;
    let mut release = digits.split('.').map(|part| part.parse().ok()).collect::<Option<Vec<u64>>>()?;
    while release.len() > 1 && release.last() == Some(&0) {
        release.pop();
    }
    let pre = suffix(
        &mut rest,
        &[("alpha", 1), ("beta", 2), ("preview", 3), ("pre", 3), ("rc", 3), ("a", 1), ("b", 2), ("c", 3)],
    );
    let mut post = suffix(&mut rest, &[("post", 0), ("rev", 0), ("r", 0)]).map(|(_, number)| number);
    // `1.0-1` is a post-release too.
    if let Some(number) =
        rest.strip_prefix('-').and_then(|number| number.parse().ok()).filter(|_| post.is_none())
    {
        post = Some(number);
        rest = "";
    }
    let dev = suffix(&mut rest, &[("dev", 0)]).map(|(_, number)| number);
    if !rest.is_empty() {
        return None;
    }
    let stage = match (pre, post, dev) {
        (Some(pre), _, _) => pre,
        (None, None, Some(_)) => (0, 0),
        _ => (9, 0),
    };
    let local = local.split(['.', '-', '_']).filter(|part| !part.is_empty()).map(|part| match part.parse() {
        Ok(number) => Local::Number(number),
        Err(_) => Local::Word(part.to_owned()),
    });
    Some(Pep440 {
        epoch,
        release,
        stage,
        post,
        dev: dev.map_or((1, 0), |number| (0, number)),
        local: local.collect(),
    })
}

/// Takes `.name1` off the front of `rest`.
fn suffix(rest: &mut &str, names: &[(&str, u8)]) -> Option<(u8, u64)> {
    let bare = rest.trim_start_matches(['.', '-', '_']);
    let (name, kind) = names.iter().find(|(name, _)| bare.starts_with(name))?;
    let after = bare.get(name.len()..)?;
    let digits = after.trim_start_matches(['.', '-', '_']);
    let length = digits.bytes().take_while(u8::is_ascii_digit).count();
    let number = digits.get(..length)?;
    *rest = if length == 0 { after } else { digits.get(length..)? };
    Some((*kind, if length == 0 { 0 } else { number.parse().ok()? }))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ordered(ecosystem: Ecosystem, versions: &[&str]) {
        for pair in versions.windows(2) {
            let [a, b] = pair else { unreachable!() };
            let (left, right) =
                (Version::parse(ecosystem, a).unwrap(), Version::parse(ecosystem, b).unwrap());
            assert!(left < right, "{a} < {b}");
        }
    }

    #[test]
    fn python_versions_are_ordered_as_in_pep_440() {
        ordered(
            Ecosystem::PyPI,
            &[
                "1.dev0",
                "1.0.dev456",
                "1.0a1",
                "1.0a2.dev456",
                "1.0a12.dev456",
                "1.0a12",
                "1.0b1.dev456",
                "1.0b2",
                "1.0b2.post345.dev456",
                "1.0b2.post345",
                "1.0rc1.dev456",
                "1.0rc1",
                "1.0",
                "1.0+abc.5",
                "1.0+abc.7",
                "1.0+5",
                "1.0.post456.dev34",
                "1.0.post456",
                "1.0.15",
                "1.1.dev1",
                "1!0.1",
            ],
        );
        let same = |a, b| assert_eq!(Version::parse(Ecosystem::PyPI, a), Version::parse(Ecosystem::PyPI, b));
        same("1.0", "1.0.0");
        same("1.0-1", "1.0.post1");
        same("1.0.RC1", "1.0rc1");
        same("v2.0", "2");
        assert_eq!(Version::parse(Ecosystem::PyPI, "french toast"), None);
        assert_eq!(Version::parse(Ecosystem::PyPI, ""), None);
    }

    #[test]
    fn semantic_versions_are_ordered_as_in_semver() {
        ordered(
            Ecosystem::Npm,
            &[
                "0",
                "1.0.0-alpha",
                "1.0.0-alpha.1",
                "1.0.0-beta.2",
                "1.0.0-beta.11",
                "1.0.0-rc.1",
                "1.0.0",
                "1.2",
            ],
        );
    }

    #[test]
    fn names_are_normalised() {
        assert_eq!(Ecosystem::PyPI.normalise("Foo.-_Bar"), "foo-bar");
        assert_eq!(Ecosystem::Npm.normalise("@a/B"), "@a/B");
    }
}
