//! Every code of a refusal or failure, with its HTTP status and what there is to say about it. `docs/errors.md` is made from
//! these tables, and [`Problem`](crate::Problem)s are held against them.

mod gateway;
mod management;

/// What a code stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Code {
    /// Stable, dotted: `policy.denied`.
    pub name: &'static str,
    /// The HTTP statuses that it comes with; empty where another server says which, or nobody outside is told.
    pub statuses: &'static [u16],
    /// What it means and what to do about it, in Markdown.
    pub about: &'static str,
}

const fn code(name: &'static str, statuses: &'static [u16], about: &'static str) -> Code {
    Code { name, statuses, about }
}

impl Code {
    /// What whoever calls a model may be told.
    pub const OF_THE_GATEWAY: &'static [Code] = gateway::CODES;
    /// What whoever manages an installation may be told.
    pub const OF_MANAGEMENT: &'static [Code] = management::CODES;

    /// What stands before a code where it has to be a URI.
    pub const URN: &'static str = "urn:bastide:error:";

    /// Every code.
    pub fn all() -> impl Iterator<Item = &'static Code> {
        Code::OF_THE_GATEWAY.iter().chain(Code::OF_MANAGEMENT)
    }

    /// The code of this name.
    #[must_use]
    pub fn named(name: &str) -> Option<&'static Code> {
        Code::all().find(|code| code.name == name)
    }

    /// Its HTTP statuses in words; empty where it comes with none of its own.
    #[must_use]
    pub fn statuses_in_words(&self) -> String {
        let statuses: Vec<String> = self.statuses.iter().map(u16::to_string).collect();
        if statuses.is_empty() { String::new() } else { format!("Status {}. ", statuses.join(" or ")) }
    }

    /// Whether it may come with this status.
    #[must_use]
    pub fn comes_with(&self, status: u16) -> bool {
        self.statuses.is_empty() || self.statuses.contains(&status)
    }

    /// Its place in the page that the tables make: what Markdown makes of its heading.
    #[must_use]
    pub fn anchor(&self) -> String {
        self.name.replace('.', "")
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn every_code_stands_once_and_says_something() {
        let mut names = BTreeSet::new();
        let mut anchors = BTreeSet::new();
        for code in Code::all() {
            assert!(names.insert(code.name) && anchors.insert(code.anchor()), "{} twice", code.name);
            assert!(code.about.len() > 15 && code.about.ends_with('.'), "{}", code.name);
            assert!(code.statuses.iter().all(|status| (400..600).contains(status)), "{}", code.name);
        }
        assert!(names.len() > 80, "{}", names.len());
    }
}
