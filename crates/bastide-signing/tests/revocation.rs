//! Lists of revoked certificates: which speak for a signer, and which are refused.

#![expect(clippy::unwrap_used, reason = "a test stops at what it does not expect")]

use bastide_signing::{CertificateError, RevocationListError, RevocationLists, Roots};
use bastide_types::Timestamp;
use proptest::prelude::*;
use rcgen::{
    BasicConstraints, CertificateParams, CertificateRevocationListParams, CertifiedIssuer,
    CrlDistributionPoint, CrlIssuingDistributionPoint, CrlScope, DnType, IsCa, KeyIdMethod, KeyPair,
    KeyUsagePurpose, PKCS_ECDSA_P256_SHA256, RevokedCertParams, SerialNumber, date_time_ymd,
};

type Authority = CertifiedIssuer<'static, KeyPair>;

const URI: &str = "http://ca.example/signers.crl";

fn key() -> KeyPair {
    KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256).unwrap()
}

fn params(name: &str, serial: u8) -> CertificateParams {
    let mut params = CertificateParams::default();
    params.distinguished_name.push(DnType::CommonName, name);
    params.serial_number = Some(SerialNumber::from(vec![serial; 4]));
    params
}

fn authority(name: &str, serial: u8) -> CertificateParams {
    let mut params = params(name, serial);
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    params
}

/// A root, an authority below it, and a signer below that.
struct Chain {
    root: Authority,
    middle: Authority,
    chain: Vec<Vec<u8>>,
}

impl Chain {
    fn new() -> Self {
        let root = CertifiedIssuer::self_signed(authority("root", 1), key()).unwrap();
        let middle = CertifiedIssuer::signed_by(authority("middle", 2), key(), &root).unwrap();
        let mut leaf = params("signer", 3);
        leaf.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        leaf.crl_distribution_points = vec![CrlDistributionPoint { uris: vec![URI.to_owned()] }];
        let leaf = leaf.signed_by(&key(), &middle).unwrap();
        let chain = vec![leaf.der().to_vec(), middle.der().to_vec()];
        Chain { root, middle, chain }
    }

    /// Checks the chain with these lists; until when the signer's is good.
    fn check(&self, lists: &[Vec<u8>]) -> Result<Option<Timestamp>, CertificateError> {
        let mut roots = Roots::from_pem(&self.root.pem()).unwrap();
        for list in lists {
            roots = roots.without_revoked(RevocationLists::from_bytes(list).unwrap());
        }
        Ok(roots.check(&self.chain, now())?.1.not_revoked_until)
    }
}

fn now() -> Timestamp {
    // 2026-01-01
    Timestamp::from_micros(1_767_225_600_000_000)
}

fn list(by: &Authority, revoked: &[u8], edit: impl FnOnce(&mut CertificateRevocationListParams)) -> Vec<u8> {
    let entry = |serial: &u8| RevokedCertParams {
        serial_number: SerialNumber::from(vec![*serial; 4]),
        revocation_time: date_time_ymd(2024, 5, 6),
        reason_code: None,
        invalidity_date: None,
    };
    let mut params = CertificateRevocationListParams {
        this_update: date_time_ymd(2020, 1, 1),
        next_update: date_time_ymd(2030, 1, 1),
        crl_number: SerialNumber::from(1),
        issuing_distribution_point: None,
        revoked_certs: revoked.iter().map(entry).collect(),
        key_identifier_method: KeyIdMethod::Sha256,
    };
    edit(&mut params);
    params.signed_by(by).unwrap().der().to_vec()
}

fn plain(by: &Authority, revoked: &[u8]) -> Vec<u8> {
    list(by, revoked, |_| {})
}

#[test]
fn signers_and_authorities_are_looked_up() {
    let chain = Chain::new();
    let (root, middle) = (&chain.root, &chain.middle);
    assert_eq!(chain.check(&[]).unwrap(), None, "no list was asked");
    assert!(chain.check(&[plain(middle, &[])]).unwrap().is_some());
    assert!(chain.check(&[plain(middle, &[9]), plain(root, &[3])]).unwrap().is_some(), "another's serial");
    let refused = chain.check(&[plain(middle, &[9, 3])]).unwrap_err();
    assert!(refused.to_string().contains("revoked on 2024-05-06"), "{refused}");
    let refused = chain.check(&[plain(middle, &[]), plain(root, &[2])]).unwrap_err();
    assert!(matches!(&refused, CertificateError::Revoked { subject, .. } if subject.contains("CN=middle")));
    // The authority's own list does not make up for the signer's.
    assert!(matches!(chain.check(&[plain(root, &[])]), Err(CertificateError::NoList { .. })));
}

#[test]
fn a_large_list_is_searched_to_its_end() {
    let chain = Chain::new();
    let many = |last: u8| {
        list(&chain.middle, &[last], |params| {
            let others = (0..6000_u32).map(|serial| RevokedCertParams {
                serial_number: SerialNumber::from(u64::from(serial) + (1 << 40)),
                revocation_time: date_time_ymd(2024, 1, 1),
                reason_code: None,
                invalidity_date: None,
            });
            let last = params.revoked_certs.clone();
            params.revoked_certs = others.chain(last).collect();
        })
    };
    assert!(many(3).len() > 1 << 16);
    assert!(matches!(chain.check(&[many(3)]), Err(CertificateError::Revoked { .. })));
    assert!(chain.check(&[many(4)]).unwrap().is_some());
}

#[test]
fn a_list_speaks_for_its_scope() {
    let chain = Chain::new();
    let scoped = |uri: &str, scope: Option<CrlScope>| {
        list(&chain.middle, &[], |params| {
            let point = CrlDistributionPoint { uris: vec![uri.to_owned()] };
            params.issuing_distribution_point =
                Some(CrlIssuingDistributionPoint { distribution_point: point, scope });
        })
    };
    assert!(chain.check(&[scoped(URI, None)]).unwrap().is_some());
    assert!(chain.check(&[scoped(URI, Some(CrlScope::UserCertsOnly))]).unwrap().is_some());
    for (uri, scope) in [(URI, Some(CrlScope::CaCertsOnly)), ("http://ca.example/other.crl", None)] {
        assert!(matches!(chain.check(&[scoped(uri, scope)]), Err(CertificateError::NoList { .. })), "{uri}");
    }
}

#[test]
fn only_a_key_for_lists_signs_them() {
    let chain = Chain::new();
    // The same name and key, in a certificate whose usage leaves lists out.
    let namesake = CertifiedIssuer::self_signed(authority("middle", 2), key()).unwrap();
    let refused = chain.check(&[plain(&namesake, &[])]);
    assert!(matches!(refused, Err(CertificateError::ListSignature { .. })));
    let mut narrow = authority("root", 1);
    narrow.key_usages = vec![KeyUsagePurpose::KeyCertSign];
    let pair = key();
    let narrow = CertifiedIssuer::self_signed(narrow, KeyPair::from_pem(&pair.serialize_pem()).unwrap());
    let narrow = narrow.unwrap();
    let wide = CertifiedIssuer::self_signed(authority("root", 1), pair).unwrap();
    let mut leaf = params("signer", 3);
    leaf.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    let leaf = leaf.signed_by(&key(), &narrow).unwrap();
    let lists = RevocationLists::from_bytes(&plain(&wide, &[])).unwrap();
    let roots = Roots::from_pem(&narrow.pem()).unwrap().without_revoked(lists);
    let refused = roots.check(&[leaf.der().to_vec()], now());
    assert!(matches!(refused, Err(CertificateError::ListSignature { .. })));
}

#[test]
fn a_list_that_is_due_is_none() {
    let chain = Chain::new();
    let stale = list(&chain.middle, &[], |params| params.next_update = date_time_ymd(2025, 12, 31));
    let refused = chain.check(&[stale]).unwrap_err();
    assert!(refused.to_string().contains("was good until 2025-12-31 only"), "{refused}");
}

#[test]
fn a_list_of_another_key_of_the_authority_is_passed_over() {
    let chain = Chain::new();
    let before = CertifiedIssuer::self_signed(authority("middle", 2), key()).unwrap();
    assert!(chain.check(&[plain(&before, &[]), plain(&chain.middle, &[])]).unwrap().is_some());
    // It says nothing for or against what the present key issued.
    assert!(chain.check(&[plain(&before, &[3]), plain(&chain.middle, &[])]).unwrap().is_some());
    // What the key signed counts, whatever it calls itself there.
    let renamed = |revoked: &[u8]| {
        list(&chain.middle, revoked, |params| {
            params.key_identifier_method = KeyIdMethod::PreSpecified(vec![7; 20]);
        })
    };
    assert!(chain.check(&[renamed(&[])]).unwrap().is_some());
    assert!(matches!(chain.check(&[renamed(&[3])]), Err(CertificateError::Revoked { .. })));
    let refused = chain.check(&[plain(&before, &[]), plain(&chain.middle, &[3])]);
    assert!(matches!(refused, Err(CertificateError::Revoked { .. })));
    let root = CertifiedIssuer::self_signed(authority("root", 1), key()).unwrap();
    let refused = chain.check(&[plain(&root, &[]), plain(&chain.middle, &[])]);
    assert!(
        matches!(refused, Err(CertificateError::ListSignature { .. })),
        "no list of the root's own is left"
    );
}

#[test]
fn a_list_from_after_the_end_of_a_certificate_proves_nothing() {
    let chain = Chain::new();
    let mut leaf = params("signer", 3);
    leaf.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    leaf.not_after = date_time_ymd(2026, 2, 1);
    let leaf = leaf.signed_by(&key(), &chain.middle).unwrap();
    let chain = Chain { chain: vec![leaf.der().to_vec(), chain.middle.der().to_vec()], ..chain };
    let made = |day: u8, revoked: &[u8]| {
        list(&chain.middle, revoked, |params| params.this_update = date_time_ymd(2026, 2, day))
    };
    // The certificate was valid at the time that is asked for; the authority may drop it from what it issues afterwards.
    let refused = chain.check(&[made(2, &[])]).unwrap_err();
    assert!(matches!(refused, CertificateError::ListTooLate { .. }), "{refused}");
    let words = "was made on 2026-02-02, after the certificate of `";
    assert!(refused.to_string().contains(words), "{refused}");
    assert!(chain.check(&[made(1, &[])]).unwrap().is_some(), "the last instant is not after it");
    assert!(chain.check(&[made(2, &[]), plain(&chain.middle, &[])]).unwrap().is_some());
    assert!(matches!(chain.check(&[made(2, &[3])]), Err(CertificateError::Revoked { .. })));
}

#[test]
fn a_signer_that_issued_itself_has_no_list() {
    let mut own = params("signer", 3);
    own.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    let own = CertifiedIssuer::self_signed(own, key()).unwrap();
    let chain = vec![own.der().to_vec()];
    let roots = Roots::from_pem(&own.pem()).unwrap();
    assert_eq!(roots.check(&chain, now()).unwrap().1.not_revoked_until, None);
    let other = CertifiedIssuer::self_signed(authority("other", 1), key()).unwrap();
    let lists = RevocationLists::from_bytes(&plain(&other, &[])).unwrap();
    let refused = roots.without_revoked(lists).check(&chain, now()).unwrap_err();
    assert!(matches!(refused, CertificateError::SelfIssued { .. }), "{refused}");
}

#[test]
fn what_is_no_list_is_refused() {
    for bytes in [&b""[..], b"text", b"-----BEGIN CERTIFICATE-----\nAA==\n-----END CERTIFICATE-----\n"] {
        assert!(matches!(RevocationLists::from_bytes(bytes), Err(RevocationListError::None)));
    }
    let chain = Chain::new();
    for bytes in [&chain.chain[0][..], b"\x30\x00", b"\x30\x84\xff\xff\xff\xff"] {
        assert!(matches!(RevocationLists::from_bytes(bytes), Err(RevocationListError::Unsupported)));
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    #[test]
    fn no_change_of_a_list_brings_a_signer_back(at: prop::sample::Index, byte: u8, cut in 0_usize..4) {
        let chain = Chain::new();
        let mut der = plain(&chain.middle, &[3]);
        *at.get_mut(&mut der) = byte;
        der.truncate(der.len() - cut);
        let roots = Roots::from_pem(&chain.root.pem()).unwrap();
        if let Ok(lists) = RevocationLists::from_bytes(&der) {
            prop_assert!(roots.without_revoked(lists).check(&chain.chain, now()).is_err());
        }
    }

    #[test]
    fn no_change_of_a_certificate_verifies(which in 0_usize..2, at: prop::sample::Index, byte: u8) {
        let chain = Chain::new();
        let mut changed = chain.chain.clone();
        *at.get_mut(&mut changed[which]) = byte;
        prop_assume!(changed != chain.chain);
        let roots = Roots::from_pem(&chain.root.pem()).unwrap();
        prop_assert!(roots.check(&changed, now()).is_err());
    }

    #[test]
    fn no_bytes_panic(bytes: Vec<u8>) {
        let _ = RevocationLists::from_bytes(&bytes);
        let _ = RevocationLists::from_bytes(&[&b"\x30"[..], &bytes].concat());
    }
}
