//! Chains of certificates: who may sign, through whom, and when.

#![expect(clippy::unwrap_used, reason = "a test stops at what it does not expect")]

use std::time::Duration;

use bastide_crypto::{ContentHash, EcdsaSigningKey};
use bastide_signing::{
    CertificateError, Identity, Manifest, Method, Place, Resource, ResourcePath, Roots, Serialization,
    SignError, SignedBy, Trust, VerifyError, certificates_from_pem, sign, verify,
};
use bastide_types::Timestamp;
use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, DnType, ExtendedKeyUsagePurpose, IsCa, KeyPair,
    KeyUsagePurpose, PKCS_ECDSA_P256_SHA256, PKCS_ECDSA_P384_SHA384, PKCS_ECDSA_P521_SHA512,
    SignatureAlgorithm, date_time_ymd,
};

type Authority = CertifiedIssuer<'static, KeyPair>;

fn params(name: &str) -> CertificateParams {
    let mut params = CertificateParams::default();
    params.distinguished_name.push(DnType::CommonName, name);
    params.not_before = date_time_ymd(2020, 1, 1);
    params.not_after = date_time_ymd(2030, 1, 1);
    params
}

fn authority(name: &str) -> CertificateParams {
    let mut params = params(name);
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign];
    params
}

fn signer() -> CertificateParams {
    let mut params = params("signer");
    params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    params
}

fn new_key() -> KeyPair {
    KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256).unwrap()
}

fn root(params: CertificateParams) -> Authority {
    CertifiedIssuer::self_signed(params, new_key()).unwrap()
}

fn manifest() -> Manifest {
    let serialization = Serialization {
        method: Method::Files,
        hash: ContentHash::Sha256,
        allow_symlinks: false,
        ignored: Vec::new(),
    };
    let place = Place { path: Some(ResourcePath::new("a").unwrap()), shard: None };
    Manifest::new("m", serialization, vec![Resource { place, digest: vec![1; 32] }]).unwrap()
}

/// Signs with a new key whose certificate `issuer` makes, and verifies against `roots`.
fn try_with(
    leaf: CertificateParams,
    curve: &'static SignatureAlgorithm,
    issuer: &Authority,
    between: &[&Authority],
    roots: &str,
    at: Timestamp,
) -> Result<(), VerifyError> {
    let key = KeyPair::generate_for(curve).unwrap();
    let certificate = leaf.signed_by(&key, issuer).unwrap();
    let mut chain = vec![certificate.der().to_vec()];
    chain.extend(between.iter().map(|it| it.der().to_vec()));
    let key = EcdsaSigningKey::from_pem(&key.serialize_pem()).unwrap();
    let identity = Identity::certificates(key.verifying_key(), chain).unwrap();
    let bundle = sign(&manifest(), &key, identity).unwrap().bundle;
    let roots = Roots::from_pem(roots).unwrap();
    verify(&bundle, Trust::Certificates { roots: &roots, at, identity: None }).map(|_| ())
}

fn check(leaf: CertificateParams, issuer: &Authority, roots: &str) -> Result<(), VerifyError> {
    try_with(leaf, &PKCS_ECDSA_P256_SHA256, issuer, &[], roots, at(2025))
}

fn at(year: u64) -> Timestamp {
    let days = (year - 1970) * 365 + (year - 1969) / 4;
    Timestamp::from_micros(0).plus(Duration::from_secs(days * 86_400))
}

#[test]
fn every_curve_verifies_through_an_intermediate() {
    let top = root(authority("root"));
    let middle = CertifiedIssuer::signed_by(authority("middle"), new_key(), &top).unwrap();
    for curve in [&PKCS_ECDSA_P256_SHA256, &PKCS_ECDSA_P384_SHA384, &PKCS_ECDSA_P521_SHA512] {
        let found = try_with(signer(), curve, &middle, &[&middle], &top.pem(), at(2025));
        found.unwrap();
    }
    let without = try_with(signer(), &PKCS_ECDSA_P256_SHA256, &middle, &[], &top.pem(), at(2025));
    assert!(matches!(without, Err(VerifyError::Certificate(CertificateError::Path(_)))));
    check(signer(), &middle, &middle.pem()).unwrap();
}

#[test]
fn where_a_path_ends_is_told() {
    let top = root(authority("root"));
    let middle = CertifiedIssuer::signed_by(authority("middle"), new_key(), &top).unwrap();
    let other = root(authority("other"));
    let told = |issuer: &Authority, between: &[&Authority], roots: &str, at| {
        let found = try_with(signer(), &PKCS_ECDSA_P256_SHA256, issuer, between, roots, at);
        found.unwrap_err().to_string()
    };
    let with = |edit: fn(&mut CertificateParams)| {
        let mut params = authority("middle");
        edit(&mut params);
        CertifiedIssuer::signed_by(params, new_key(), &top).unwrap()
    };
    let ended = with(|it| it.not_after = date_time_ymd(2024, 1, 1));
    let early = with(|it| it.not_before = date_time_ymd(2029, 1, 1));
    let server = with(|it| it.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth]);
    let none = with(|it| it.is_ca = IsCa::NoCa);
    let namesake = CertifiedIssuer::signed_by(authority("middle"), new_key(), &top).unwrap();
    for (issuer, between, roots, words) in [
        (
            &middle,
            vec![],
            &top,
            "`CN=signer` was issued by `CN=middle`, whose certificate is not among those given",
        ),
        (
            &middle,
            vec![&middle],
            &other,
            "`CN=middle` was issued by `CN=root`, whose certificate is not among",
        ),
        (&middle, vec![&middle, &top], &other, "it ends at `CN=root`, which issued itself"),
        (&ended, vec![&ended], &top, "the authority `CN=middle` was valid until 2024-01-01 only"),
        (&early, vec![&early], &top, "the authority `CN=middle` is not valid before 2029-01-01"),
        (
            &server,
            vec![&server],
            &top,
            "the authority `CN=middle` is for purposes that leave out `codeSigning`",
        ),
        (&none, vec![&none], &top, "the certificate of `CN=middle` may not issue this one"),
        (
            &middle,
            vec![&namesake],
            &top,
            "`CN=signer` names `CN=middle` as its issuer, and was not signed by the key",
        ),
    ] {
        let text = told(issuer, &between, &roots.pem(), at(2025));
        assert!(text.contains(words), "{words}: {text}");
    }
}

#[test]
fn a_chain_to_another_root_proves_nothing() {
    let (mine, namesake) = (root(authority("root")), root(authority("root")));
    let found = check(signer(), &namesake, &mine.pem());
    assert!(matches!(found, Err(VerifyError::Certificate(CertificateError::Path(_)))));
}

#[test]
fn usage_and_purpose_decide_who_signs() {
    let top = root(authority("root"));
    let with = |edit: fn(&mut CertificateParams)| {
        let mut leaf = signer();
        edit(&mut leaf);
        check(leaf, &top, &top.pem())
    };
    assert!(matches!(
        with(|leaf| leaf.key_usages = Vec::new()),
        Err(VerifyError::Certificate(CertificateError::Usage))
    ));
    assert!(matches!(
        with(|leaf| leaf.key_usages = vec![KeyUsagePurpose::KeyAgreement]),
        Err(VerifyError::Certificate(CertificateError::Usage))
    ));
    assert!(matches!(
        with(|leaf| leaf.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth]),
        Err(VerifyError::Certificate(CertificateError::Purpose))
    ));
    with(|leaf| {
        leaf.key_usages = Vec::new();
        leaf.extended_key_usages =
            vec![ExtendedKeyUsagePurpose::ServerAuth, ExtendedKeyUsagePurpose::CodeSigning];
    })
    .unwrap();
    with(|leaf| leaf.extended_key_usages = vec![ExtendedKeyUsagePurpose::Any]).unwrap();
}

#[test]
fn only_authorities_issue() {
    let top = root(authority("root"));
    // Listed or in the chain, a signer's certificate lends its trust to nobody.
    let leaf = CertifiedIssuer::signed_by(signer(), new_key(), &top).unwrap();
    for (between, roots) in [(vec![], leaf.pem()), (vec![&leaf], top.pem())] {
        let found = try_with(signer(), &PKCS_ECDSA_P256_SHA256, &leaf, &between, &roots, at(2025));
        assert!(matches!(found, Err(VerifyError::Certificate(CertificateError::Path(_)))));
    }
    // An authority whose key is not for certificates.
    let mut crl_only = authority("crl");
    crl_only.key_usages = vec![KeyUsagePurpose::CrlSign];
    let crl_only = CertifiedIssuer::signed_by(crl_only, new_key(), &top).unwrap();
    let found = try_with(signer(), &PKCS_ECDSA_P256_SHA256, &crl_only, &[&crl_only], &top.pem(), at(2025));
    assert!(matches!(found, Err(VerifyError::Certificate(CertificateError::Path(_)))));
}

#[test]
fn a_signer_may_have_an_authority_s_certificate_and_its_issuer_s_name() {
    // What the reference's instructions make: basic constraints of an authority, usage and purpose of a signer.
    let top = root(authority("root"));
    let middle = CertifiedIssuer::signed_by(authority("same name"), new_key(), &top).unwrap();
    let mut leaf = params("same name");
    leaf.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    leaf.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    leaf.extended_key_usages = vec![ExtendedKeyUsagePurpose::CodeSigning];
    let found = try_with(leaf, &PKCS_ECDSA_P384_SHA384, &middle, &[&middle], &top.pem(), at(2025));
    found.unwrap();
}

#[test]
fn length_and_names_of_authorities_are_limits() {
    let top = |length| {
        let mut params = authority("root");
        params.is_ca = IsCa::Ca(BasicConstraints::Constrained(length));
        root(params)
    };
    for (length, holds) in [(0, false), (1, true)] {
        let top = top(length);
        let middle = CertifiedIssuer::signed_by(authority("middle"), new_key(), &top).unwrap();
        let found = try_with(signer(), &PKCS_ECDSA_P256_SHA256, &middle, &[&middle], &top.pem(), at(2025));
        assert_eq!(found.is_ok(), holds, "{length}");
        check(signer(), &top, &top.pem()).unwrap();
    }
    let mut params = authority("root");
    params.name_constraints = Some(rcgen::NameConstraints {
        permitted_subtrees: vec![rcgen::GeneralSubtree::DnsName("example.com".to_owned())],
        excluded_subtrees: Vec::new(),
    });
    let top = root(params);
    let found = check(signer(), &top, &top.pem());
    assert!(matches!(found, Err(VerifyError::Certificate(CertificateError::Path(_)))));
}

#[test]
fn a_maze_of_namesakes_ends() {
    // Authorities that certify one another, none of which leads anywhere.
    let keys: Vec<KeyPair> = (0..6).map(|_| new_key()).collect();
    let makers: Vec<Authority> =
        keys.into_iter().map(|key| CertifiedIssuer::self_signed(authority("maze"), key).unwrap()).collect();
    let top = root(authority("root"));
    let between: Vec<&Authority> = makers.iter().collect();
    let found = try_with(signer(), &PKCS_ECDSA_P256_SHA256, &makers[0], &between, &top.pem(), at(2025));
    assert!(matches!(found, Err(VerifyError::Certificate(CertificateError::Path(_)))));
}

#[test]
fn every_certificate_has_to_be_valid_at_the_time() {
    let top = root(authority("root"));
    let with = |at| try_with(signer(), &PKCS_ECDSA_P256_SHA256, &top, &[], &top.pem(), at);
    with(at(2025)).unwrap();
    let early = with(at(2019)).unwrap_err();
    assert!(early.to_string().ends_with("not valid before 2020-01-01"), "{early}");
    let late = with(at(2031)).unwrap_err();
    assert!(late.to_string().contains("was valid until 2030-01-01"), "{late}");
    // The root has to hold as well.
    let mut late = authority("late");
    late.not_before = date_time_ymd(2021, 1, 1);
    let late = root(late);
    let before = at(2020).plus(Duration::from_secs(86_400));
    let found = try_with(signer(), &PKCS_ECDSA_P256_SHA256, &late, &[], &late.pem(), before);
    assert!(matches!(found, Err(VerifyError::Certificate(CertificateError::Path(_)))));
}

#[test]
fn the_signer_is_named_and_may_be_pinned() {
    let top = root(authority("root"));
    let mut params = signer();
    params.distinguished_name.push(DnType::OrganizationName, "Bank, AG");
    params.subject_alt_names = vec![rcgen::SanType::Rfc822Name("models@bank.example".try_into().unwrap())];
    let key = new_key();
    let certificate = params.signed_by(&key, &top).unwrap();
    let key = EcdsaSigningKey::from_pem(&key.serialize_pem()).unwrap();
    let identity = Identity::certificates(key.verifying_key(), vec![certificate.der().to_vec()]).unwrap();
    let bundle = sign(&manifest(), &key, identity).unwrap().bundle;
    let roots = Roots::from_pem(&top.pem()).unwrap();
    let pinned = |identity| verify(&bundle, Trust::Certificates { roots: &roots, at: at(2025), identity });
    let verified = pinned(None).unwrap();
    let SignedBy::Certificate(signer) = verified.signed_by() else { unreachable!() };
    assert_eq!(signer.subject, r"O=Bank\, AG,CN=signer");
    assert_eq!(signer.issuer, "CN=root");
    assert_eq!(signer.names, ["models@bank.example"]);
    assert_eq!((signer.not_before, signer.not_after), (at(2020), at(2030)));
    for name in [r"O=Bank\, AG,CN=signer", "models@bank.example"] {
        assert!(pinned(Some(name)).is_ok(), "{name}");
    }
    for name in ["CN=signer", "models@bank.examp", "", "MODELS@bank.example"] {
        let refused = pinned(Some(name));
        assert!(
            matches!(refused, Err(VerifyError::Certificate(CertificateError::OtherIdentity { .. }))),
            "{name}"
        );
    }
}

#[test]
fn a_self_signed_signer_is_trusted_only_as_itself() {
    let own = |params: CertificateParams| {
        let key = new_key();
        let certificate = params.self_signed(&key).unwrap();
        (EcdsaSigningKey::from_pem(&key.serialize_pem()).unwrap(), certificate)
    };
    let (key, certificate) = own(signer());
    let identity = Identity::certificates(key.verifying_key(), vec![certificate.der().to_vec()]).unwrap();
    let bundle = sign(&manifest(), &key, identity).unwrap().bundle;
    let trust = |pem: &str| {
        let roots = Roots::from_pem(pem).unwrap();
        verify(&bundle, Trust::Certificates { roots: &roots, at: at(2025), identity: None }).map(|_| ())
    };
    trust(&certificate.pem()).unwrap();
    let (_, other) = own(signer());
    assert!(matches!(trust(&other.pem()), Err(VerifyError::Certificate(CertificateError::Path(_)))));
    let by_key = verify(&bundle, Trust::Key(key.verifying_key()));
    assert!(matches!(by_key, Err(VerifyError::NeedsCertificates)));
}

#[test]
fn a_certificate_of_another_key_is_refused_before_signing() {
    let top = root(authority("root"));
    let certificate = signer().signed_by(&new_key(), &top).unwrap();
    let key = EcdsaSigningKey::from_pem(&new_key().serialize_pem()).unwrap();
    let refused = Identity::certificates(key.verifying_key(), vec![certificate.der().to_vec()]);
    assert!(matches!(refused, Err(SignError::OtherKey)));
    assert!(matches!(certificates_from_pem("no certificate"), Err(CertificateError::Pem)));
}
