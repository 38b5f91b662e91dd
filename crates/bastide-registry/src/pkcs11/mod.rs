//! Keys in tokens and hardware modules (PKCS#11 2.40 and later). The key never leaves the token: it signs a digest.

mod uri;

use std::fs;
use std::io;
use std::path::PathBuf;

use bastide_crypto::{BadSignature, Curve, EcdsaKeyError, EcdsaVerifyingKey, ecdsa_der_from_fixed};
use bastide_signing::Signer;
use cryptoki::context::{CInitializeArgs, CInitializeFlags, Pkcs11};
use cryptoki::error::RvError;
use cryptoki::mechanism::Mechanism;
use cryptoki::object::{Attribute, AttributeType, ObjectClass, ObjectHandle};
use cryptoki::session::{Session, UserType};
use cryptoki::slot::Slot;
use cryptoki::types::AuthPin;

use uri::PinFrom;
pub use uri::{Pkcs11Uri, Pkcs11UriError};

/// A private key in a token, in a session that is logged in.
pub struct Pkcs11Signer {
    session: Session,
    private: ObjectHandle,
    public: EcdsaVerifyingKey,
}

/// Why a token does not sign.
#[derive(Debug, thiserror::Error)]
pub enum Pkcs11Error {
    /// The library or the token reports a fault.
    #[error("the PKCS#11 library `{}` or its token does not do what it was asked", module.display())]
    Token {
        /// The library.
        module: PathBuf,
        /// What it reports.
        source: cryptoki::error::Error,
    },
    /// The file that holds the PIN.
    #[error("the PIN cannot be read from `{}`", path.display())]
    Pin {
        /// Which.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// No token, or several, of this description.
    #[error("{0} tokens are as the PKCS#11 address says; exactly one has to be")]
    Tokens(usize),
    /// No key, or several, of this description.
    #[error("{count} {class} keys are as the PKCS#11 address says; exactly one has to be")]
    Keys {
        /// `private` or `public`.
        class: &'static str,
        /// How many.
        count: usize,
    },
    /// A key that is not on a supported curve.
    #[error("the key in the token is not supported")]
    Key(#[from] EcdsaKeyError),
    /// Not a signature.
    #[error("the token gave no signature")]
    Signature(#[from] BadSignature),
}

impl Pkcs11Signer {
    /// Loads the library, logs in to the token and finds the key. The public half has to be in the token too, under the
    /// same label and id.
    ///
    /// Loading runs code of the library: the address is the operator's to give and nobody else's.
    ///
    /// # Errors
    /// When the library cannot be loaded, the PIN is wrong, or not exactly one token and key fit.
    pub fn open(uri: &Pkcs11Uri) -> Result<Self, Pkcs11Error> {
        let fault = |source| Pkcs11Error::Token { module: uri.module.clone(), source };
        let context = Pkcs11::new(&uri.module).map_err(fault)?;
        match context.initialize(CInitializeArgs::new(CInitializeFlags::OS_LOCKING_OK)) {
            // Another signer in this program has done so.
            Ok(()) | Err(cryptoki::error::Error::Pkcs11(RvError::CryptokiAlreadyInitialized, _)) => {}
            Err(error) => return Err(fault(error)),
        }
        let slot = slot(&context, uri)?;
        let session = context.open_ro_session(slot).map_err(fault)?;
        if let Some(pin) = pin(uri)? {
            match session.login(UserType::User, Some(&pin)) {
                Ok(()) | Err(cryptoki::error::Error::Pkcs11(RvError::UserAlreadyLoggedIn, _)) => {}
                Err(error) => return Err(fault(error)),
            }
        }
        let private = key(&session, uri, ObjectClass::PRIVATE_KEY, "private")?;
        let public = key(&session, uri, ObjectClass::PUBLIC_KEY, "public")?;
        let attributes = session
            .get_attributes(public, &[AttributeType::EcParams, AttributeType::EcPoint])
            .map_err(fault)?;
        Ok(Pkcs11Signer { session, private, public: public_key(&attributes)? })
    }
}

impl Signer for Pkcs11Signer {
    fn sign(&self, message: &[u8]) -> Result<Vec<u8>, Box<dyn std::error::Error + Send + Sync>> {
        let digest = self.public.curve().digest(message);
        // Every token knows plain ECDSA over a digest; those that hash themselves are fewer.
        let fixed = self.session.sign(&Mechanism::Ecdsa, self.private, &digest)?;
        Ok(ecdsa_der_from_fixed(&fixed)?)
    }

    fn verifying_key(&self) -> &EcdsaVerifyingKey {
        &self.public
    }
}

fn slot(context: &Pkcs11, uri: &Pkcs11Uri) -> Result<Slot, Pkcs11Error> {
    let fault = |source| Pkcs11Error::Token { module: uri.module.clone(), source };
    let is = |wanted: &Option<String>, found: &str| wanted.as_deref().is_none_or(|wanted| wanted == found);
    let mut fitting = Vec::new();
    for slot in context.get_slots_with_token().map_err(fault)? {
        let token = context.get_token_info(slot).map_err(fault)?;
        if uri.slot.is_none_or(|wanted| wanted == slot.id())
            && is(&uri.token, token.label())
            && is(&uri.serial, token.serial_number())
            && is(&uri.manufacturer, token.manufacturer_id())
            && is(&uri.model, token.model())
        {
            fitting.push(slot);
        }
    }
    match fitting.as_slice() {
        [slot] => Ok(*slot),
        several => Err(Pkcs11Error::Tokens(several.len())),
    }
}

fn key(
    session: &Session,
    uri: &Pkcs11Uri,
    class: ObjectClass,
    name: &'static str,
) -> Result<ObjectHandle, Pkcs11Error> {
    let mut template = vec![Attribute::Class(class)];
    template.extend(uri.object.as_ref().map(|label| Attribute::Label(label.as_bytes().to_vec())));
    template.extend(uri.id.as_ref().map(|id| Attribute::Id(id.clone())));
    let found = session
        .find_objects(&template)
        .map_err(|source| Pkcs11Error::Token { module: uri.module.clone(), source })?;
    match found.as_slice() {
        [key] => Ok(*key),
        several => Err(Pkcs11Error::Keys { class: name, count: several.len() }),
    }
}

fn pin(uri: &Pkcs11Uri) -> Result<Option<AuthPin>, Pkcs11Error> {
    match &uri.pin {
        None => Ok(None),
        Some(PinFrom::Value(pin)) => Ok(Some(AuthPin::new(pin.as_str().into()))),
        Some(PinFrom::File(path)) => {
            let text =
                fs::read_to_string(path).map_err(|source| Pkcs11Error::Pin { path: path.clone(), source })?;
            // Editors end a file with a line feed, and no PIN has one.
            Ok(Some(AuthPin::new(text.trim_end_matches(['\r', '\n']).into())))
        }
    }
}

fn public_key(attributes: &[Attribute]) -> Result<EcdsaVerifyingKey, EcdsaKeyError> {
    let (mut curve, mut point) = (None, None);
    for attribute in attributes {
        match attribute {
            Attribute::EcParams(der) => curve = Curve::from_parameters(der),
            Attribute::EcPoint(der) => point = Some(der.as_slice()),
            _ => {}
        }
    }
    let (Some(curve), Some(point)) = (curve, point) else { return Err(EcdsaKeyError::Unsupported) };
    // The standard wants the point in an OCTET STRING; some tokens leave that out. The lengths tell which it is.
    EcdsaVerifyingKey::from_point(curve, point).or_else(|error| match point {
        [0x04, 0x81, length, inner @ ..] | [0x04, length, inner @ ..]
            if usize::from(*length) == inner.len() =>
        {
            EcdsaVerifyingKey::from_point(curve, inner)
        }
        _ => Err(error),
    })
}
