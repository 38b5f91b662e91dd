//! The address of a key in a token (RFC 7512), as far as signing needs it.

use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;

/// Where a key is, and with what it is opened.
///
/// Understood: `token`, `object`, `id`, `slot-id`, `serial`, `manufacturer`, `model` and `type=private` in the path;
/// `module-path`, `pin-value` and `pin-source` in the query. Anything else is refused: an attribute that is not understood
/// would have narrowed the choice of keys. `Debug` hides the PIN.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Pkcs11Uri {
    pub(super) token: Option<String>,
    pub(super) serial: Option<String>,
    pub(super) manufacturer: Option<String>,
    pub(super) model: Option<String>,
    pub(super) slot: Option<u64>,
    pub(super) object: Option<String>,
    pub(super) id: Option<Vec<u8>>,
    pub(super) module: PathBuf,
    pub(super) pin: Option<PinFrom>,
}

/// How to come by the PIN.
#[derive(Clone, PartialEq, Eq)]
pub(super) enum PinFrom {
    /// It stands in the address.
    Value(String),
    /// It is what this file holds.
    File(PathBuf),
}

/// An address that leads to no key. Never shows the address, which may hold the PIN.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Pkcs11UriError {
    /// Another scheme.
    #[error("the address of a key in a token begins with `pkcs11:`")]
    Scheme,
    /// No `name=value`, a name that stands twice, or a value with a broken escape.
    #[error(
        "an attribute of the PKCS#11 address is malformed or stands twice: each is `name=value`, with `%` and two \
         hexadecimal digits for what is no letter, digit, `-`, `.`, `_` or `~`; `;` stands between those of the path, \
         `&` between those behind the `?`"
    )]
    Attribute,
    /// An attribute that narrows the choice and is not understood.
    #[error(
        "the PKCS#11 address has an attribute that is not supported: there are `token`, `serial`, `manufacturer`, \
         `model`, `slot-id`, `object`, `id` and `type=private`, and behind the `?` `module-path`, `pin-source` and \
         `pin-value`"
    )]
    Unknown,
    /// Neither label nor id.
    #[error("the PKCS#11 address names no key: give `object` or `id`")]
    NoKey,
    /// Neither token nor slot.
    #[error("the PKCS#11 address names no token: give `token`, `serial` or `slot-id`")]
    NoToken,
    /// No library, or one that depends on the working directory.
    #[error(
        "the PKCS#11 address names no library: give `module-path`, absolute, such as \
         `?module-path=/usr/lib/softhsm/libsofthsm2.so`"
    )]
    NoModule,
    /// Two PINs, or a source that is no absolute path.
    #[error(
        "the PKCS#11 address gives two PINs, or a `pin-source` that is no absolute path of a file, such as \
         `pin-source=file:/run/secrets/pin`"
    )]
    Pin,
}

impl FromStr for Pkcs11Uri {
    type Err = Pkcs11UriError;

    fn from_str(text: &str) -> Result<Self, Pkcs11UriError> {
        let rest = text.strip_prefix("pkcs11:").ok_or(Pkcs11UriError::Scheme)?;
        let (path, query) = rest.split_once('?').unwrap_or((rest, ""));
        let mut uri = Pkcs11Uri::default();
        for attribute in path.split(';').filter(|attribute| !attribute.is_empty()) {
            uri.path_attribute(attribute)?;
        }
        for attribute in query.split('&').filter(|attribute| !attribute.is_empty()) {
            uri.query_attribute(attribute)?;
        }
        if uri.object.is_none() && uri.id.is_none() {
            return Err(Pkcs11UriError::NoKey);
        }
        if uri.token.is_none() && uri.serial.is_none() && uri.slot.is_none() {
            return Err(Pkcs11UriError::NoToken);
        }
        if !uri.module.is_absolute() {
            return Err(Pkcs11UriError::NoModule);
        }
        Ok(uri)
    }
}

impl Pkcs11Uri {
    /// Whether the PIN stands in the address itself, where whoever sees the command sees it.
    #[must_use]
    pub fn shows_pin(&self) -> bool {
        matches!(self.pin, Some(PinFrom::Value(_)))
    }

    fn path_attribute(&mut self, attribute: &str) -> Result<(), Pkcs11UriError> {
        let (name, value) = split(attribute)?;
        match name {
            "token" => once(&mut self.token, words(value)?),
            "serial" => once(&mut self.serial, words(value)?),
            "manufacturer" => once(&mut self.manufacturer, words(value)?),
            "model" => once(&mut self.model, words(value)?),
            "object" => once(&mut self.object, words(value)?),
            "id" => once(&mut self.id, value),
            "slot-id" => {
                let slot = words(value)?.parse().map_err(|_| Pkcs11UriError::Attribute)?;
                once(&mut self.slot, slot)
            }
            "type" if value == b"private" => Ok(()),
            _ => Err(Pkcs11UriError::Unknown),
        }
    }

    fn query_attribute(&mut self, attribute: &str) -> Result<(), Pkcs11UriError> {
        let (name, value) = split(attribute)?;
        match name {
            "module-path" if self.module.as_os_str().is_empty() => {
                self.module = PathBuf::from(words(value)?);
                Ok(())
            }
            "module-path" => Err(Pkcs11UriError::Attribute),
            "pin-value" => {
                once(&mut self.pin, PinFrom::Value(words(value)?)).map_err(|_| Pkcs11UriError::Pin)
            }
            "pin-source" => {
                let source = words(value)?;
                let path = source.strip_prefix("file:").unwrap_or(&source);
                // `file:///path` has an empty host, which is this one (RFC 8089).
                let path =
                    PathBuf::from(path.strip_prefix("//").filter(|it| it.starts_with('/')).unwrap_or(path));
                if !path.is_absolute() {
                    return Err(Pkcs11UriError::Pin);
                }
                once(&mut self.pin, PinFrom::File(path)).map_err(|_| Pkcs11UriError::Pin)
            }
            _ => Err(Pkcs11UriError::Unknown),
        }
    }
}

fn split(attribute: &str) -> Result<(&str, Vec<u8>), Pkcs11UriError> {
    let (name, value) = attribute.split_once('=').ok_or(Pkcs11UriError::Attribute)?;
    Ok((name, unescaped(value).ok_or(Pkcs11UriError::Attribute)?))
}

/// Percent escapes undone (RFC 3986 section 2.1).
fn unescaped(value: &str) -> Option<Vec<u8>> {
    let mut out = Vec::with_capacity(value.len());
    let mut rest = value.as_bytes();
    while let Some((&byte, after)) = rest.split_first() {
        if byte != b'%' {
            out.push(byte);
            rest = after;
            continue;
        }
        let (digits, after) = after.split_first_chunk::<2>()?;
        let digit = |letter: u8| char::from(letter).to_digit(16).and_then(|digit| u8::try_from(digit).ok());
        out.push(digit(digits[0])? << 4 | digit(digits[1])?);
        rest = after;
    }
    Some(out)
}

fn words(value: Vec<u8>) -> Result<String, Pkcs11UriError> {
    String::from_utf8(value).map_err(|_| Pkcs11UriError::Attribute)
}

fn once<T>(slot: &mut Option<T>, value: T) -> Result<(), Pkcs11UriError> {
    match slot.replace(value) {
        None => Ok(()),
        Some(_) => Err(Pkcs11UriError::Attribute),
    }
}

impl fmt::Debug for Pkcs11Uri {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Pkcs11Uri")
            .field("token", &self.token)
            .field("slot", &self.slot)
            .field("object", &self.object)
            .field("module", &self.module)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<Pkcs11Uri, Pkcs11UriError> {
        text.parse()
    }

    #[test]
    fn attributes_are_read_with_their_escapes() {
        let uri = read(
            "pkcs11:token=bas%20tide;object=k;id=%01%fF;type=private?module-path=/m.so&pin-source=file:///run/pin",
        )
        .unwrap();
        assert_eq!((uri.token.as_deref(), uri.object.as_deref()), (Some("bas tide"), Some("k")));
        assert_eq!(uri.id, Some(vec![1, 255]));
        assert!(uri.pin == Some(PinFrom::File(PathBuf::from("/run/pin"))));
        let uri = read("pkcs11:slot-id=3;id=a?module-path=/m.so&pin-value=12%2634").unwrap();
        assert!(uri.pin == Some(PinFrom::Value("12&34".to_owned())) && uri.slot == Some(3));
        assert!(!format!("{uri:?}").contains("12"), "no PIN in logs");
    }

    #[test]
    fn what_is_not_understood_is_refused() {
        for (text, error) in [
            ("pkcs12:object=a", Pkcs11UriError::Scheme),
            ("pkcs11:object?module-path=/m", Pkcs11UriError::Attribute),
            ("pkcs11:object=%4;token=t?module-path=/m", Pkcs11UriError::Attribute),
            ("pkcs11:object=a;object=b;token=t?module-path=/m", Pkcs11UriError::Attribute),
            ("pkcs11:object=a;slot-id=-1?module-path=/m", Pkcs11UriError::Attribute),
            ("pkcs11:object=a;token=t;later=1?module-path=/m", Pkcs11UriError::Unknown),
            ("pkcs11:object=a;token=t;type=cert?module-path=/m", Pkcs11UriError::Unknown),
            ("pkcs11:token=t?module-path=/m", Pkcs11UriError::NoKey),
            ("pkcs11:object=a?module-path=/m", Pkcs11UriError::NoToken),
            ("pkcs11:object=a;token=t", Pkcs11UriError::NoModule),
            ("pkcs11:object=a;token=t?module-path=m.so", Pkcs11UriError::NoModule),
            ("pkcs11:object=a;token=t?module-path=/m&pin-value=1&pin-source=/p", Pkcs11UriError::Pin),
            ("pkcs11:object=a;token=t?module-path=/m&pin-source=p", Pkcs11UriError::Pin),
        ] {
            assert_eq!(read(text), Err(error), "{text}");
        }
    }
}
