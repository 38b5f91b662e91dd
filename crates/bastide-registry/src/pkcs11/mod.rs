//! Keys in tokens and hardware modules (PKCS#11 2.40 and later). The key never leaves the token: it signs a digest.

mod uri;

use std::fs;
use std::io;
use std::path::PathBuf;

use bastide_crypto::{BadSignature, Curve, EcdsaKeyError, EcdsaVerifyingKey, ecdsa_der_from_fixed};
use bastide_signing::Signer;
use bastide_types::Secret;
use cryptoki::context::{CInitializeArgs, CInitializeFlags, Pkcs11};
use cryptoki::error::{Error, RvError};
use cryptoki::mechanism::Mechanism;
use cryptoki::object::{Attribute, AttributeType, ObjectClass, ObjectHandle};
use cryptoki::session::{Session, UserType};
use cryptoki::slot::{Slot, TokenInfo};
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
    /// No library is there, or it is none.
    #[error(
        "the PKCS#11 library `{}` cannot be loaded: `module-path` has to name the library of the token's maker",
        module.display()
    )]
    Module {
        /// Which.
        module: PathBuf,
        /// Why.
        source: Error,
    },
    /// The library or the token reports a fault.
    #[error("the PKCS#11 library `{}` or its token does not do what it was asked", module.display())]
    Token {
        /// The library.
        module: PathBuf,
        /// What it reports.
        source: Error,
    },
    /// The file that holds the PIN.
    #[error("the PIN cannot be read from `{}` (`pin-source`)", path.display())]
    Pin {
        /// Which.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The token asks for a PIN, and nobody gave one.
    #[error("the token `{token}` asks for a PIN, and none was given")]
    NoPin {
        /// Its label.
        token: String,
    },
    /// Another PIN.
    #[error("the PIN is not that of the token `{token}`, which locks itself after some wrong ones")]
    WrongPin {
        /// Its label.
        token: String,
    },
    /// Too many wrong PINs.
    #[error(
        "the PIN of the token `{token}` is locked after too many wrong ones: have its security officer set it anew"
    )]
    Locked {
        /// Its label.
        token: String,
    },
    /// No token of this description.
    #[error(
        "no token is as the PKCS#11 address says (`token`, `serial`, `slot-id`, `manufacturer`, `model`); there {}",
        are(there, "token", "tokens")
    )]
    NoToken {
        /// The labels of those that are there.
        there: Vec<String>,
    },
    /// Several tokens of this description.
    #[error("{0} tokens are as the PKCS#11 address says: add `serial` or `slot-id`, so that it is one")]
    Tokens(usize),
    /// No key of this description.
    #[error(
        "the token `{token}` has no {class} key as the PKCS#11 address says (`object`, `id`); there {}",
        are(there, &format!("{class} key"), &format!("{class} keys"))
    )]
    NoKey {
        /// The label of the token.
        token: String,
        /// `private` or `public`.
        class: &'static str,
        /// The labels of those that are there.
        there: Vec<String>,
    },
    /// Several keys of this description.
    #[error("{count} {class} keys are as the PKCS#11 address says: add `id`, so that it is one")]
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

/// What there is instead, for people.
fn are(there: &[String], one: &str, many: &str) -> String {
    const SHOWN: usize = 8;
    let names: Vec<String> = there.iter().take(SHOWN).map(|name| format!("`{name}`")).collect();
    let more = there.len().checked_sub(SHOWN).filter(|more| *more > 0);
    let more = more.map(|more| format!(" and {more} more")).unwrap_or_default();
    match there.len() {
        0 => format!("are no {many}"),
        1 => format!("is one {one}, {}", names.join(", ")),
        _ => format!("are the {many} {}{more}", names.join(", ")),
    }
}

impl Pkcs11Signer {
    /// Loads the library, logs in to the token and finds the key. The public half has to be in the token too, under the
    /// same label and id. Where the token wants a PIN that the address does not have, `ask` is asked for it, with the label
    /// of the token.
    ///
    /// Loading runs code of the library: the address is the operator's to give and nobody else's.
    ///
    /// # Errors
    /// When the library cannot be loaded, the PIN is wrong, or not exactly one token and key fit.
    pub fn open(
        uri: &Pkcs11Uri,
        ask: impl FnOnce(&str) -> Option<Secret<String>>,
    ) -> Result<Self, Pkcs11Error> {
        let fault = |source| Pkcs11Error::Token { module: uri.module.clone(), source };
        let context = Pkcs11::new(&uri.module)
            .map_err(|source| Pkcs11Error::Module { module: uri.module.clone(), source })?;
        match context.initialize(CInitializeArgs::new(CInitializeFlags::OS_LOCKING_OK)) {
            // Another signer in this program has done so.
            Ok(()) | Err(Error::Pkcs11(RvError::CryptokiAlreadyInitialized, _)) => {}
            Err(error) => return Err(fault(error)),
        }
        let (slot, info) = slot(&context, uri)?;
        let token = info.label().to_owned();
        let session = context.open_ro_session(slot).map_err(fault)?;
        let pin = match pin(uri)? {
            None if info.login_required() => {
                let given = ask(&token).ok_or_else(|| Pkcs11Error::NoPin { token: token.clone() })?;
                Some(AuthPin::new(given.expose().as_str().into()))
            }
            pin => pin,
        };
        if let Some(pin) = pin {
            login(&session, &pin, &token, uri)?;
        }
        let private = key(&session, uri, &token, ObjectClass::PRIVATE_KEY, "private")?;
        let public = key(&session, uri, &token, ObjectClass::PUBLIC_KEY, "public")?;
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

fn slot(context: &Pkcs11, uri: &Pkcs11Uri) -> Result<(Slot, TokenInfo), Pkcs11Error> {
    let fault = |source| Pkcs11Error::Token { module: uri.module.clone(), source };
    let is = |wanted: &Option<String>, found: &str| wanted.as_deref().is_none_or(|wanted| wanted == found);
    let (mut fitting, mut there) = (Vec::new(), Vec::new());
    for slot in context.get_slots_with_token().map_err(fault)? {
        let token = context.get_token_info(slot).map_err(fault)?;
        // A slot that waits for its first token has an empty one.
        there.extend(Some(token.label().to_owned()).filter(|_| token.token_initialized()));
        if uri.slot.is_none_or(|wanted| wanted == slot.id())
            && is(&uri.token, token.label())
            && is(&uri.serial, token.serial_number())
            && is(&uri.manufacturer, token.manufacturer_id())
            && is(&uri.model, token.model())
        {
            fitting.push((slot, token));
        }
    }
    match fitting.len() {
        0 => Err(Pkcs11Error::NoToken { there }),
        1 => fitting.pop().ok_or(Pkcs11Error::Tokens(0)),
        several => Err(Pkcs11Error::Tokens(several)),
    }
}

fn login(session: &Session, pin: &AuthPin, token: &str, uri: &Pkcs11Uri) -> Result<(), Pkcs11Error> {
    let token = token.to_owned();
    match session.login(UserType::User, Some(pin)) {
        Ok(()) | Err(Error::Pkcs11(RvError::UserAlreadyLoggedIn, _)) => Ok(()),
        Err(Error::Pkcs11(RvError::PinIncorrect | RvError::PinInvalid | RvError::PinLenRange, _)) => {
            Err(Pkcs11Error::WrongPin { token })
        }
        Err(Error::Pkcs11(RvError::PinLocked, _)) => Err(Pkcs11Error::Locked { token }),
        Err(source) => Err(Pkcs11Error::Token { module: uri.module.clone(), source }),
    }
}

fn key(
    session: &Session,
    uri: &Pkcs11Uri,
    token: &str,
    class: ObjectClass,
    name: &'static str,
) -> Result<ObjectHandle, Pkcs11Error> {
    let fault = |source| Pkcs11Error::Token { module: uri.module.clone(), source };
    let mut template = vec![Attribute::Class(class)];
    template.extend(uri.object.as_ref().map(|label| Attribute::Label(label.as_bytes().to_vec())));
    template.extend(uri.id.as_ref().map(|id| Attribute::Id(id.clone())));
    let found = session.find_objects(&template).map_err(fault)?;
    match found.as_slice() {
        [key] => Ok(*key),
        [] => {
            let all = session.find_objects(&[Attribute::Class(class)]).map_err(fault)?;
            let there = all.into_iter().filter_map(|key| label(session, key)).collect();
            Err(Pkcs11Error::NoKey { token: token.to_owned(), class: name, there })
        }
        several => Err(Pkcs11Error::Keys { class: name, count: several.len() }),
    }
}

fn label(session: &Session, key: ObjectHandle) -> Option<String> {
    let attributes = session.get_attributes(key, &[AttributeType::Label]).ok()?;
    attributes.into_iter().find_map(|attribute| match attribute {
        Attribute::Label(label) => Some(String::from_utf8_lossy(&label).into_owned()),
        _ => None,
    })
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
