//! The way from a certificate to a root, and where it ends if it leads to none.

use bastide_types::Timestamp;

use crate::certificate::{Known, MAX_CHAIN, day};

/// The most signatures of certificates that are checked for one chain: certificates of one name and many keys could ask for
/// any number.
const MAX_CHECKS: u32 = 128;

/// Why a certificate leads to no root. Subjects and issuers are written as RFC 4514 has it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BrokenPath {
    /// Its issuer is not there.
    #[error("`{subject}` was issued by `{issuer}`, whose certificate is not among those given")]
    NoIssuer {
        /// Whose certificate it is.
        subject: String,
        /// Who issued it.
        issuer: String,
    },
    /// The path ends at somebody who is not trusted.
    #[error("it ends at `{subject}`, which issued itself and is not among the roots")]
    Untrusted {
        /// Whose certificate it is.
        subject: String,
    },
    /// An authority of this name did not sign it.
    #[error("`{subject}` names `{issuer}` as its issuer, and was not signed by the key of the one given")]
    Signature {
        /// Whose certificate it is.
        subject: String,
        /// Who is said to have issued it.
        issuer: String,
    },
    /// The certificate of an authority is not valid yet.
    #[error("the certificate of the authority `{subject}` is not valid before {}", day(*from))]
    NotYetValid {
        /// Whose certificate it is.
        subject: String,
        /// The first instant.
        from: Timestamp,
    },
    /// The certificate of an authority has ended.
    #[error("the certificate of the authority `{subject}` was valid until {} only", day(*until))]
    Expired {
        /// Whose certificate it is.
        subject: String,
        /// The last instant.
        until: Timestamp,
    },
    /// An issuer that may issue nothing, or not so many levels, or for some names only.
    #[error(
        "the certificate of `{subject}` may not issue this one: basic constraints, key usage `keyCertSign`, path length \
         and absent name constraints decide"
    )]
    NotAuthority {
        /// Whose certificate it is.
        subject: String,
    },
    /// An authority for other purposes.
    #[error("the certificate of the authority `{subject}` is for purposes that leave out `codeSigning`")]
    Purpose {
        /// Whose certificate it is.
        subject: String,
    },
    /// There is nobody that it could lead to.
    #[error("no authority that is trusted counted at the time")]
    NoAuthority,
    /// Longer than any that is followed.
    #[error("the path has more than {MAX_CHAIN} certificates, or asks for too many checks")]
    TooLong,
}

/// The certificates that a path may use, all valid at the time.
pub(crate) struct Search<'a> {
    roots: Vec<&'a Known<'a>>,
    between: Vec<&'a Known<'a>>,
}

impl<'a> Search<'a> {
    /// Among these.
    pub(crate) fn of(roots: &'a [Known<'a>], between: &'a [Known<'a>], at: Timestamp) -> Self {
        Search {
            roots: roots.iter().filter(|it| it.facts.holds_at(at)).collect(),
            between: between.iter().filter(|it| it.facts.is_for_code() && it.facts.holds_at(at)).collect(),
        }
    }

    /// The issuers from this certificate to a root; none where no path leads there.
    pub(crate) fn path_from(&self, leaf: &Known<'_>) -> Option<Vec<&'a Known<'a>>> {
        let mut checks = MAX_CHECKS;
        self.above(leaf, 0, &mut checks)
    }

    /// The same, with so many authorities below the first.
    fn above(&self, child: &Known<'_>, below: usize, checks: &mut u32) -> Option<Vec<&'a Known<'a>>> {
        let mut issued_by = |issuer: &Known<'_>| {
            if issuer.parsed.subject() != child.parsed.issuer() || !issuer.facts.may_issue(below) {
                return false;
            }
            let left = checks.checked_sub(1);
            *checks = left.unwrap_or(0);
            left.is_some() && issuer.signed(child)
        };
        if let Some(root) = self.roots.iter().copied().find(|root| issued_by(root)) {
            return Some(vec![root]);
        }
        if below >= MAX_CHAIN {
            return None;
        }
        let issuers: Vec<_> = self.between.iter().copied().filter(|issuer| issued_by(issuer)).collect();
        issuers.into_iter().find_map(|issuer| {
            let mut path = self.above(issuer, below + 1, checks)?;
            path.insert(0, issuer);
            Some(path)
        })
    }
}

/// What keeps one certificate from being the issuer of another.
pub(crate) fn fault(
    child: &Known<'_>,
    issuer: &Known<'_>,
    below: usize,
    at: Timestamp,
) -> Option<BrokenPath> {
    let subject = issuer.subject();
    if issuer.parsed.subject() != child.parsed.issuer() {
        return Some(BrokenPath::NoIssuer { subject: child.subject(), issuer: child.issuer() });
    }
    match (issuer.facts.holds_at(at), issuer.facts.not_before, issuer.facts.not_after) {
        (true, ..) => {}
        (false, Some(from), _) if at < from => return Some(BrokenPath::NotYetValid { subject, from }),
        (false, _, until) => {
            return Some(BrokenPath::Expired { subject, until: until.unwrap_or(Timestamp::from_micros(0)) });
        }
    }
    if !issuer.facts.is_for_code() {
        return Some(BrokenPath::Purpose { subject });
    }
    if !issuer.facts.may_issue(below) {
        return Some(BrokenPath::NotAuthority { subject });
    }
    let signed = issuer.signed(child);
    (!signed).then(|| BrokenPath::Signature { subject: child.subject(), issuer: subject })
}

/// Where the search for a path ended: the first certificate that none of those there issued, and why.
pub(crate) fn broken(
    leaf: &Known<'_>,
    roots: &[Known<'_>],
    between: &[Known<'_>],
    at: Timestamp,
) -> BrokenPath {
    let mut child = leaf;
    for below in 0..MAX_CHAIN {
        // Every step to a root holds: there were too many to try.
        if roots.iter().any(|root| std::ptr::eq(root, child)) {
            break;
        }
        let named = |it: &&Known<'_>| it.parsed.subject() == child.parsed.issuer() && it.der != child.der;
        let faults = roots.iter().chain(between).filter(named).take(MAX_CHAIN);
        let mut faults: Vec<_> = faults.map(|issuer| (issuer, fault(child, issuer, below, at))).collect();
        match faults.iter().position(|(_, fault)| fault.is_none()) {
            Some(at) => child = faults.swap_remove(at).0,
            None => {
                let own = child.parsed.subject() == child.parsed.issuer();
                let none = match own {
                    true => BrokenPath::Untrusted { subject: child.subject() },
                    false => BrokenPath::NoIssuer { subject: child.subject(), issuer: child.issuer() },
                };
                return faults.into_iter().find_map(|(_, fault)| fault).unwrap_or(none);
            }
        }
    }
    BrokenPath::TooLong
}
