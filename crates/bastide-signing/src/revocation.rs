//! Lists of revoked certificates (RFC 5280 section 5) that the operator has: none is fetched.
//!
//! rustls-webpki parses them, and refuses delta lists, indirect ones and those for some reasons only. Doubt denies: a list
//! that is out of date, was signed by somebody else or speaks for other certificates is an error, and so is none.

use bastide_types::Timestamp;
use rustls_pki_types::CertificateRevocationListDer;
use rustls_pki_types::pem::PemObject as _;
use webpki::{BorrowedCertRevocationList, CertRevocationList};

use crate::certificate::{CertificateError, Known};
use crate::der::{self, Issued, SEQUENCE};

/// The longest file of lists, in bytes. Those of large authorities have some ten.
pub const MAX_LIST_BYTES: usize = 32 << 20;

const ID_DISTRIBUTION_POINTS: &[u8] = &[0x55, 0x1d, 0x1f];
/// The URI of a GeneralName, and the names of a distribution point.
const URI: u8 = 0x86;
const POINT: u8 = 0xa0;
const FULL_NAME: u8 = 0xa0;
const ONLY_SIGNERS: u8 = 0x81;
const ONLY_AUTHORITIES: u8 = 0x82;

/// Lists of revoked certificates, none of them believed before its signature is checked.
#[derive(Clone, Debug)]
pub struct RevocationLists(Vec<List>);

#[derive(Clone, Debug)]
struct List {
    /// Parsed once, and again for each use.
    der: Vec<u8>,
    /// When the next one is due.
    next_update: Timestamp,
}

/// A file that holds no list of use here.
#[derive(Debug, thiserror::Error)]
pub enum RevocationListError {
    /// Neither encoding.
    #[error("no revocation list is here: expected DER, or PEM blocks `X509 CRL`")]
    None,
    /// Longer than anybody writes.
    #[error("the revocation list is longer than {MAX_LIST_BYTES} bytes")]
    TooLong,
    /// Damaged, or of a kind that cannot stand alone.
    #[error(
        "the revocation list is damaged, or is no full list: delta and indirect lists, version 1 and lists without a \
         time of the next one are not supported"
    )]
    Unsupported,
}

impl RevocationLists {
    /// From DER, or from a PEM text with one or more lists.
    ///
    /// # Errors
    /// When there is none, or one cannot be used.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, RevocationListError> {
        if bytes.len() > MAX_LIST_BYTES {
            return Err(RevocationListError::TooLong);
        }
        if bytes.first() == Some(&SEQUENCE) {
            return Ok(RevocationLists(vec![List::of(bytes.to_vec())?]));
        }
        let ders: Result<Vec<_>, _> = CertificateRevocationListDer::pem_slice_iter(bytes).collect();
        let ders = ders.ok().filter(|ders| !ders.is_empty()).ok_or(RevocationListError::None)?;
        let lists: Result<Vec<_>, _> = ders.into_iter().map(|der| List::of(der.to_vec())).collect();
        Ok(RevocationLists(lists?))
    }

    /// These and those.
    #[must_use]
    pub fn and(mut self, more: RevocationLists) -> Self {
        self.0.extend(more.0);
        self
    }

    /// Checks a certificate against the lists of its issuer; until when these are good, or none where its issuer has none.
    pub(crate) fn check(
        &self,
        certificate: &Known<'_>,
        issuer: &Known<'_>,
        at: Timestamp,
    ) -> Result<Option<Timestamp>, CertificateError> {
        let mut good_until = None;
        let name = || issuer.subject();
        for list in &self.0 {
            let Some(parsed) = list.parsed().filter(|it| it.issuer() == issuer.parsed.subject()) else {
                continue;
            };
            let signed = Issued::of(&list.der).is_some_and(|issued| issuer.made(issued));
            if !signed || !issuer.facts.may_sign_lists() {
                return Err(CertificateError::ListSignature { issuer: name() });
            }
            if list.next_update < at {
                return Err(CertificateError::ListStale { issuer: name(), until: list.next_update });
            }
            if !is_for(&parsed, certificate) {
                continue;
            }
            let entry = parsed.find_serial(certificate.parsed.serial());
            let entry = entry.map_err(|_| CertificateError::ListSignature { issuer: name() })?;
            if let Some(entry) = entry {
                let since = Timestamp::from_micros(entry.revocation_date.as_secs().saturating_mul(1_000_000));
                return Err(CertificateError::Revoked { subject: certificate.subject(), since });
            }
            good_until = good_until.max(Some(list.next_update));
        }
        Ok(good_until)
    }
}

impl List {
    fn of(der: Vec<u8>) -> Result<Self, RevocationListError> {
        let parsed = BorrowedCertRevocationList::from_der(&der).and_then(|list| list.to_owned());
        let next_update = next_update(&der).filter(|_| parsed.is_ok());
        let next_update = next_update.ok_or(RevocationListError::Unsupported)?;
        Ok(List { der, next_update })
    }

    fn parsed(&self) -> Option<CertRevocationList<'_>> {
        BorrowedCertRevocationList::from_der(&self.der).ok().map(CertRevocationList::from)
    }
}

/// The second time of a list: version, algorithm and issuer stand before the two.
fn next_update(list: &[u8]) -> Option<Timestamp> {
    let (list, _) = der::expect(list, SEQUENCE)?;
    let (tbs, _) = der::expect(list, SEQUENCE)?;
    let (_, rest) = der::expect(tbs, der::INTEGER)?;
    let (_, rest) = der::expect(rest, SEQUENCE)?;
    let (_, rest) = der::expect(rest, SEQUENCE)?;
    let (_, rest) = der::time(rest)?;
    der::time(rest).map(|(next, _)| next)
}

/// Whether a list speaks for this certificate: for all of its issuer, or for those of its kind that name the place where
/// the list is kept (RFC 5280 sections 5.2.5 and 6.3.3). What cannot be read speaks for none.
fn is_for(list: &CertRevocationList<'_>, certificate: &Known<'_>) -> bool {
    let Some(scope) = list.issuing_distribution_point() else { return true };
    let Some((mut fields, [])) = der::expect(scope, SEQUENCE) else { return false };
    while !fields.is_empty() {
        let Some((tag, content, rest)) = der::read(fields) else { return false };
        fields = rest;
        let fits = match tag {
            POINT => named_by(content, certificate),
            ONLY_SIGNERS => content == [0] || !certificate.facts.is_authority(),
            ONLY_AUTHORITIES => content == [0] || certificate.facts.is_authority(),
            _ => false,
        };
        if !fits {
            return false;
        }
    }
    true
}

/// Whether the certificate names one of the URIs of a distribution point.
fn named_by(point: &[u8], certificate: &Known<'_>) -> bool {
    let of_list = uris(point);
    let Some(mut points) = der::extension(certificate.der, ID_DISTRIBUTION_POINTS)
        .and_then(|points| der::expect(points, SEQUENCE))
        .map(|(points, _)| points)
    else {
        return false;
    };
    while let Some((point, rest)) = der::expect(points, SEQUENCE) {
        points = rest;
        let names = der::expect(point, POINT).map(|(names, _)| uris(names)).unwrap_or_default();
        if names.iter().any(|name| of_list.contains(name)) {
            return true;
        }
    }
    false
}

/// The URIs of the name of a distribution point.
fn uris(point: &[u8]) -> Vec<&[u8]> {
    let mut out = Vec::new();
    let Some((mut names, _)) = der::expect(point, FULL_NAME) else { return out };
    while let Some((tag, content, rest)) = der::read(names) {
        names = rest;
        out.extend(Some(content).filter(|_| tag == URI));
    }
    out
}
