//! What an entry is of: its payload, signature and certificate have to be those of the bundle.
//!
//! The log's own hash of the whole envelope is not looked at: the log hashes the JSON that it was sent, of which a bundle
//! keeps the values but not the spelling. Payload, signature and certificate are all that was in it.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bastide_crypto::sha256;
use rustls_pki_types::CertificateDer;
use rustls_pki_types::pem::PemObject as _;
use serde::Deserialize;
use serde::de::DeserializeOwned;

use super::entry::KindVersion;
use super::{KeylessError, Signed};
use crate::bundle::Base64;
use crate::hex;

/// Checks that an entry is of this signature of this payload with this certificate.
pub(super) fn check(
    kind: &KindVersion,
    body: &[u8],
    signed: &Signed<'_>,
    certificate: &[u8],
) -> Result<(), KeylessError> {
    let said: Said = read(body)?;
    if said.kind != kind.kind || said.api_version != kind.version {
        return Err(KeylessError::Body);
    }
    match (kind.kind.as_str(), kind.version.as_str()) {
        ("dsse", "0.0.1") => check_dsse(body, signed, certificate),
        ("intoto", "0.0.2") => check_intoto(body, signed, certificate),
        ("hashedrekord", "0.0.1") => check_hashedrekord(body, signed, certificate),
        ("dsse", "0.0.2") => check_dsse_v2(body, signed, certificate),
        ("hashedrekord", "0.0.2") => check_hashedrekord_v2(body, signed, certificate),
        (kind, version) => Err(KeylessError::Kind(format!("{kind} {version}"))),
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Said {
    kind: String,
    api_version: String,
}

#[derive(Deserialize)]
struct Entry<S> {
    spec: S,
}

#[derive(Deserialize)]
struct Hash {
    algorithm: String,
    value: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Dsse {
    payload_hash: Hash,
    signatures: Vec<DsseSignature>,
}

#[derive(Deserialize)]
struct DsseSignature {
    signature: Base64,
    verifier: Base64,
}

#[derive(Deserialize)]
struct Intoto {
    content: IntotoContent,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct IntotoContent {
    envelope: IntotoEnvelope,
    payload_hash: Hash,
}

#[derive(Deserialize)]
struct IntotoEnvelope {
    signatures: Vec<IntotoSignature>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct IntotoSignature {
    /// Base64 of base64: the log encoded the text of the envelope once more.
    sig: Base64,
    public_key: Base64,
}

#[derive(Deserialize)]
struct HashedRekord {
    data: HashedData,
    signature: HashedSignature,
}

#[derive(Deserialize)]
struct HashedData {
    hash: Hash,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct HashedSignature {
    content: Base64,
    public_key: HashedKey,
}

#[derive(Deserialize)]
struct HashedKey {
    content: Base64,
}

/// Of the second version of the log, whose entries are the JSON of protobuf.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct DsseV2 {
    dsse_v002: DsseSpecV2,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct DsseSpecV2 {
    payload_hash: HashV2,
    signatures: Vec<SignatureV2>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct HashedRekordV2 {
    hashed_rekord_v002: HashedRekordSpecV2,
}

#[derive(Deserialize)]
struct HashedRekordSpecV2 {
    data: HashV2,
    signature: SignatureV2,
}

#[derive(Deserialize)]
struct HashV2 {
    algorithm: String,
    digest: Base64,
}

#[derive(Deserialize)]
struct SignatureV2 {
    content: Base64,
    verifier: VerifierV2,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct VerifierV2 {
    x509_certificate: CertificateV2,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct CertificateV2 {
    raw_bytes: Base64,
}

fn check_dsse_v2(body: &[u8], signed: &Signed<'_>, certificate: &[u8]) -> Result<(), KeylessError> {
    let Entry { spec: DsseV2 { dsse_v002: spec } } = read(body)?;
    check_hash_v2(&spec.payload_hash, signed.payload)?;
    let [only] = spec.signatures.as_slice() else { return Err(KeylessError::OtherSignature) };
    check_signature_v2(only, signed, certificate)
}

fn check_hashedrekord_v2(body: &[u8], signed: &Signed<'_>, certificate: &[u8]) -> Result<(), KeylessError> {
    let Entry { spec: HashedRekordV2 { hashed_rekord_v002: spec } } = read(body)?;
    check_hash_v2(&spec.data, signed.message)?;
    check_signature_v2(&spec.signature, signed, certificate)
}

fn check_hash_v2(hash: &HashV2, of: &[u8]) -> Result<(), KeylessError> {
    let holds = hash.algorithm == "SHA2_256" && hash.digest.0 == sha256(of);
    if holds { Ok(()) } else { Err(KeylessError::OtherPayload) }
}

fn check_signature_v2(
    logged: &SignatureV2,
    signed: &Signed<'_>,
    certificate: &[u8],
) -> Result<(), KeylessError> {
    if logged.content.0 != signed.signature {
        return Err(KeylessError::OtherSignature);
    }
    let other = logged.verifier.x509_certificate.raw_bytes.0 != certificate;
    if other { Err(KeylessError::OtherCertificate) } else { Ok(()) }
}

fn check_dsse(body: &[u8], signed: &Signed<'_>, certificate: &[u8]) -> Result<(), KeylessError> {
    let Entry { spec: Dsse { payload_hash, signatures } } = read(body)?;
    check_hash(&payload_hash, signed.payload)?;
    let [only] = signatures.as_slice() else { return Err(KeylessError::OtherSignature) };
    check_parts(&only.signature.0, &only.verifier.0, signed, certificate)
}

fn check_intoto(body: &[u8], signed: &Signed<'_>, certificate: &[u8]) -> Result<(), KeylessError> {
    let Entry { spec: Intoto { content } } = read(body)?;
    check_hash(&content.payload_hash, signed.payload)?;
    let [only] = content.envelope.signatures.as_slice() else { return Err(KeylessError::OtherSignature) };
    let signature = STANDARD.decode(&only.sig.0).map_err(|_| KeylessError::Body)?;
    check_parts(&signature, &only.public_key.0, signed, certificate)
}

/// Of the encoded message, whose parts are all that the signature is over.
fn check_hashedrekord(body: &[u8], signed: &Signed<'_>, certificate: &[u8]) -> Result<(), KeylessError> {
    let Entry { spec: HashedRekord { data, signature } } = read(body)?;
    check_hash(&data.hash, signed.message)?;
    check_parts(&signature.content.0, &signature.public_key.content.0, signed, certificate)
}

fn check_hash(hash: &Hash, of: &[u8]) -> Result<(), KeylessError> {
    let holds = hash.algorithm == "sha256" && hash.value == hex::encode(&sha256(of));
    if holds { Ok(()) } else { Err(KeylessError::OtherPayload) }
}

fn check_parts(
    signature: &[u8],
    verifier: &[u8],
    signed: &Signed<'_>,
    certificate: &[u8],
) -> Result<(), KeylessError> {
    if signature != signed.signature {
        return Err(KeylessError::OtherSignature);
    }
    let logged = CertificateDer::from_pem_slice(verifier).map_err(|_| KeylessError::OtherCertificate)?;
    if logged.as_ref() == certificate { Ok(()) } else { Err(KeylessError::OtherCertificate) }
}

fn read<T: DeserializeOwned>(body: &[u8]) -> Result<T, KeylessError> {
    serde_json::from_slice(body).map_err(|_| KeylessError::Body)
}
