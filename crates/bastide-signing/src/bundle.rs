//! The file: a Sigstore bundle 0.3 around a DSSE envelope.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::de::IgnoredAny;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::dsse::IN_TOTO;
#[cfg(feature = "sigstore")]
use crate::sigstore::{KeylessMaterial, LogEntry, TimestampData};

/// The longest bundle, in bytes: a manifest of [`crate::MAX_RESOURCES`] files with names of usual length. It is all in memory,
/// more than once, before anything in it is believed.
pub const MAX_BUNDLE_BYTES: usize = 64 << 20;

const MEDIA_TYPE: &str = "application/vnd.dev.sigstore.bundle.v0.3+json";

/// A file that is no bundle of a model signature.
#[derive(Debug, thiserror::Error)]
pub enum BundleError {
    /// Beyond [`MAX_BUNDLE_BYTES`].
    #[error("the signature file is longer than {MAX_BUNDLE_BYTES} bytes")]
    TooLong,
    /// Not the JSON of a bundle.
    #[error("the signature file is no bundle that this version reads")]
    Json(#[from] serde_json::Error),
    /// Another version or kind of bundle.
    #[error("the signature file is of type `{0}`, not `{MEDIA_TYPE}`")]
    MediaType(String),
    /// A payload of another kind.
    #[error("the payload is of type `{0}`, not `{IN_TOTO}`")]
    PayloadType(String),
    /// None, or several: it would be open whose signature counts.
    #[error("the envelope has {0} signatures; a model signature has one")]
    Signatures(usize),
    /// None or several kinds of verification material, or two kinds of content.
    #[error("the bundle does not say in one way how it is to be verified")]
    Ambiguous,
    /// A short-lived certificate of a Sigstore instance.
    #[cfg(not(feature = "sigstore"))]
    #[error("the signature is keyless (Sigstore): build with the feature `sigstore` to verify it")]
    Keyless,
}

/// Whose signature it claims to be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Material {
    /// A key's, named by the digest of its PEM text. Files of before 1.0 name none.
    PublicKey {
        /// In hexadecimal digits.
        hint: Option<String>,
    },
    /// A certificate's: the chain in DER, leaf first.
    Certificates(Vec<Vec<u8>>),
    /// A short-lived certificate's, with what a transparency log says of it.
    #[cfg(feature = "sigstore")]
    Keyless(Box<KeylessMaterial>),
}

/// A bundle as read, with nothing verified yet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Bundle {
    pub(crate) material: Material,
    pub(crate) payload: Vec<u8>,
    pub(crate) signature: Vec<u8>,
}

impl Bundle {
    /// Reads one.
    pub(crate) fn read(bytes: &[u8]) -> Result<Self, BundleError> {
        if bytes.len() > MAX_BUNDLE_BYTES {
            return Err(BundleError::TooLong);
        }
        let wire: Wire = serde_json::from_slice(bytes)?;
        if wire.media_type != MEDIA_TYPE {
            return Err(BundleError::MediaType(wire.media_type));
        }
        if wire.message_signature.is_some() {
            return Err(BundleError::Ambiguous);
        }
        let envelope = wire.dsse_envelope;
        if envelope.payload_type != IN_TOTO {
            return Err(BundleError::PayloadType(envelope.payload_type));
        }
        let count = envelope.signatures.len();
        let Ok([signature]) = <[WireSignature; 1]>::try_from(envelope.signatures) else {
            return Err(BundleError::Signatures(count));
        };
        let material = wire.verification_material.understood()?;
        Ok(Bundle { material, payload: envelope.payload.0, signature: signature.sig.0 })
    }

    /// Writes it.
    pub(crate) fn write(self) -> Result<Vec<u8>, serde_json::Error> {
        let mut material = WireMaterial::default();
        match self.material {
            Material::PublicKey { hint } => material.public_key = Some(WireKey { hint }),
            Material::Certificates(chain) => {
                let certificates = chain.into_iter().map(|der| WireCertificate { raw_bytes: Base64(der) });
                material.x509_certificate_chain = Some(WireChain { certificates: certificates.collect() });
            }
            // Nobody signs keyless here: no value of this kind is ever written.
            #[cfg(feature = "sigstore")]
            Material::Keyless(_) => {
                return Err(serde::ser::Error::custom("keyless signatures are not written"));
            }
        }
        let signatures = vec![WireSignature { sig: Base64(self.signature), keyid: Some(String::new()) }];
        serde_json::to_vec(&Wire {
            media_type: MEDIA_TYPE.to_owned(),
            verification_material: material,
            dsse_envelope: WireEnvelope {
                payload: Base64(self.payload),
                payload_type: IN_TOTO.to_owned(),
                signatures,
            },
            message_signature: None,
        })
    }
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Wire {
    media_type: String,
    verification_material: WireMaterial,
    dsse_envelope: WireEnvelope,
    #[serde(default, skip_serializing)]
    message_signature: Option<IgnoredAny>,
}

#[derive(Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct WireMaterial {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    public_key: Option<WireKey>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    x509_certificate_chain: Option<WireChain>,
    #[cfg(not(feature = "sigstore"))]
    #[serde(default, skip_serializing)]
    certificate: Option<IgnoredAny>,
    #[cfg(feature = "sigstore")]
    #[serde(default, skip_serializing)]
    certificate: Option<WireCertificate>,
    /// Always written, since the reference wants it; read of keyless signatures only.
    #[cfg(not(feature = "sigstore"))]
    #[serde(default, skip_deserializing)]
    tlog_entries: [(); 0],
    #[cfg(feature = "sigstore")]
    #[serde(default, serialize_with = "no_entries")]
    tlog_entries: Vec<LogEntry>,
    #[cfg(feature = "sigstore")]
    #[serde(default, skip_serializing)]
    timestamp_verification_data: Option<TimestampData>,
}

#[cfg(feature = "sigstore")]
fn no_entries<S: Serializer>(_: &[LogEntry], serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_seq([(); 0])
}

#[derive(Serialize, Deserialize)]
struct WireKey {
    #[serde(default)]
    hint: Option<String>,
}

#[derive(Serialize, Deserialize)]
struct WireChain {
    certificates: Vec<WireCertificate>,
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct WireCertificate {
    raw_bytes: Base64,
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct WireEnvelope {
    payload: Base64,
    payload_type: String,
    signatures: Vec<WireSignature>,
}

#[derive(Serialize, Deserialize)]
struct WireSignature {
    sig: Base64,
    /// Not signed, so never read; the reference writes the empty text.
    #[serde(default, skip_deserializing)]
    keyid: Option<String>,
}

impl WireMaterial {
    fn understood(self) -> Result<Material, BundleError> {
        match (self.public_key, self.x509_certificate_chain, self.certificate) {
            (Some(key), None, None) => {
                Ok(Material::PublicKey { hint: key.hint.filter(|hint| !hint.is_empty()) })
            }
            (None, Some(chain), None) => {
                Ok(Material::Certificates(chain.certificates.into_iter().map(|it| it.raw_bytes.0).collect()))
            }
            #[cfg(not(feature = "sigstore"))]
            (None, None, Some(_)) => Err(BundleError::Keyless),
            #[cfg(feature = "sigstore")]
            (None, None, Some(certificate)) => Ok(Material::Keyless(Box::new(KeylessMaterial {
                certificate: certificate.raw_bytes.0,
                entries: self.tlog_entries,
                timestamps: self.timestamp_verification_data.unwrap_or_default(),
            }))),
            _ => Err(BundleError::Ambiguous),
        }
    }
}

/// Bytes as standard base64 with padding, in its one spelling.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Base64(pub(crate) Vec<u8>);

impl Serialize for Base64 {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&STANDARD.encode(&self.0))
    }
}

impl<'de> Deserialize<'de> for Base64 {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = std::borrow::Cow::<str>::deserialize(deserializer)?;
        STANDARD.decode(text.as_bytes()).map(Base64).map_err(serde::de::Error::custom)
    }
}
