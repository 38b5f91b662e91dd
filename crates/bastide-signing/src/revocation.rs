//! Lists of revoked certificates (RFC 5280 section 5) that the operator has: none is fetched.
//!
//! rustls-webpki parses them, and refuses delta lists, indirect ones and those for some reasons only. Doubt denies: a list
//! that is out of date, was signed by somebody else or speaks for other certificates is an error, and so is none. An
//! authority that changed its key has a list for each: those that name another key than the issuer's are passed over.

use bastide_types::Timestamp;
use rustls_pki_types::CertificateRevocationListDer;
use rustls_pki_types::pem::PemObject as _;
use webpki::{BorrowedCertRevocationList, CertRevocationList};

use crate::certificate::{CertificateError, Known};
use crate::der::{self, Issued, OCTET_STRING, SEQUENCE};

/// The longest file of lists, in bytes. Those of large authorities have some ten.
pub const MAX_LIST_BYTES: usize = 32 << 20;

const ID_DISTRIBUTION_POINTS: &[u8] = &[0x55, 0x1d, 0x1f];
const ID_SUBJECT_KEY: &[u8] = &[0x55, 0x1d, 0x0e];
const ID_AUTHORITY_KEY: &[u8] = &[0x55, 0x1d, 0x23];
/// The key identifier of an AuthorityKeyIdentifier.
const KEY_IDENTIFIER: u8 = 0x80;
const LIST_EXTENSIONS: u8 = 0xa0;
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
    /// When it was made.
    this_update: Timestamp,
    /// When the next one is due.
    next_update: Timestamp,
    /// Which key of its authority it names as the one that signed it.
    key: Option<Vec<u8>>,
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
        let mut unfit = None;
        let name = || issuer.subject();
        let key = der::extension(issuer.der, ID_SUBJECT_KEY)
            .and_then(|value| der::expect(value, OCTET_STRING))
            .map(|(key, _)| key);
        for list in &self.0 {
            let Some(parsed) = list.parsed().filter(|it| it.issuer() == issuer.parsed.subject()) else {
                continue;
            };
            let signed = Issued::of(&list.der).is_some_and(|issued| issuer.made(issued));
            if !signed && list.key.as_deref().zip(key).is_some_and(|(named, key)| named != key) {
                unfit.get_or_insert(CertificateError::ListSignature { issuer: name() });
                continue;
            }
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
            if let Some(ended) = certificate.facts.not_after.filter(|ended| *ended < list.this_update) {
                let (subject, made) = (certificate.subject(), list.this_update);
                unfit = Some(CertificateError::ListTooLate { issuer: name(), subject, made, ended });
                continue;
            }
            good_until = good_until.max(Some(list.next_update));
        }
        match (good_until, unfit) {
            (None, Some(why)) => Err(why),
            (good_until, _) => Ok(good_until),
        }
    }
}

impl List {
    fn of(der: Vec<u8>) -> Result<Self, RevocationListError> {
        let parsed = BorrowedCertRevocationList::from_der(&der).and_then(|list| list.to_owned());
        let fields = Fields::of(&der).filter(|_| parsed.is_ok()).ok_or(RevocationListError::Unsupported)?;
        let Fields { this_update, next_update, key } = fields;
        let key = key.map(<[u8]>::to_vec);
        Ok(List { der, this_update, next_update, key })
    }

    fn parsed(&self) -> Option<CertRevocationList<'_>> {
        BorrowedCertRevocationList::from_der(&self.der).ok().map(CertRevocationList::from)
    }
}

/// What the parser of lists keeps to itself.
struct Fields<'a> {
    this_update: Timestamp,
    next_update: Timestamp,
    key: Option<&'a [u8]>,
}

impl<'a> Fields<'a> {
    /// From a list that was parsed: version, algorithm and issuer stand before the two times, and the entries, if there
    /// are any, before the extensions.
    fn of(list: &'a [u8]) -> Option<Self> {
        let (list, _) = der::expect(list, SEQUENCE)?;
        let (tbs, _) = der::expect(list, SEQUENCE)?;
        let (_, rest) = der::expect(tbs, der::INTEGER)?;
        let (_, rest) = der::expect(rest, SEQUENCE)?;
        let (_, rest) = der::expect(rest, SEQUENCE)?;
        let (this_update, rest) = der::time(rest)?;
        let (next_update, rest) = der::time(rest)?;
        let rest = der::expect(rest, SEQUENCE).map_or(rest, |(_, rest)| rest);
        Some(Fields { this_update, next_update, key: signing_key(rest) })
    }
}

/// The key identifier of the authority in the extensions of a list (RFC 5280 section 5.2.1).
fn signing_key(extensions: &[u8]) -> Option<&[u8]> {
    let (extensions, _) = der::expect(extensions, LIST_EXTENSIONS)?;
    let (extensions, _) = der::expect(extensions, SEQUENCE)?;
    let (names, _) = der::expect(der::find_extension(extensions, ID_AUTHORITY_KEY)?, SEQUENCE)?;
    der::expect(names, KEY_IDENTIFIER).map(|(key, _)| key)
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
