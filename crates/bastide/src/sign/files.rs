//! The files that keys and certificates are read from, and what to do about one that holds something else.

use std::path::{Path, PathBuf};

use bastide_admin::{Failure, chain};
use bastide_crypto::{EcdsaKeyError, EcdsaSigningKey, EcdsaVerifyingKey, KeyFile};
use bastide_registry::{open_regular, read_signature_file};
use bastide_signing::{CertificateError, Roots, certificates_from_pem};
use bastide_types::Secret;
use rustix::fs::Access;

/// Tells everything that is to be read and is not there, and every folder that nothing can be written to, before anything
/// is done.
pub(super) fn at_hand(
    inputs: &[(&str, &Path)],
    model: &Path,
    outputs: &[(&str, &Path)],
) -> Result<(), Failure> {
    let mut missing = Vec::new();
    for (flag, path) in inputs {
        if let Err(error) = open_regular(path) {
            missing.push(format!("cannot read `{}` (`{flag}`): {error}", path.display()));
        }
    }
    if let Err(error) = std::fs::metadata(model) {
        missing.push(format!("cannot read the model `{}`: {error}", model.display()));
    }
    for (flag, path) in outputs {
        let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
        if let Err(error) = rustix::fs::access(folder, Access::WRITE_OK | Access::EXEC_OK) {
            let error = std::io::Error::from(error);
            missing.push(format!("cannot write `{}` (`{flag}`): {error}", path.display()));
        }
    }
    if missing.is_empty() { Ok(()) } else { Err(Failure::could_not(missing.join("; "))) }
}

/// A flag with each of its paths.
pub(super) fn each<'a>(
    flag: &'static str,
    paths: impl IntoIterator<Item = &'a PathBuf>,
) -> impl Iterator<Item = (&'static str, &'a Path)> {
    paths.into_iter().map(move |path| (flag, path.as_path()))
}

/// A key, certificate or trusted root as it is in its file; nothing else is waited for.
pub(super) fn bytes(path: &Path) -> Result<Vec<u8>, Failure> {
    read_signature_file(path)
        .map_err(|e| Failure::could_not(format!("cannot read `{}`: {e}", path.display())))
}

/// A private key; `ask` is asked for its passphrase where it has one.
pub(super) fn private_key(
    path: &Path,
    flag: &str,
    ask: impl FnOnce() -> Result<Option<Secret<String>>, Failure>,
) -> Result<EcdsaSigningKey, Failure> {
    let held = Secret::new(bytes(path)?);
    let bytes = held.expose();
    let no_key = |error| no_key(path, flag, "private", error);
    let text = std::str::from_utf8(bytes).map_err(|_| no_key(EcdsaKeyError::Holds(KeyFile::of(bytes))))?;
    match EcdsaSigningKey::from_pem(text) {
        Err(EcdsaKeyError::Encrypted) => match ask()? {
            Some(passphrase) => EcdsaSigningKey::from_encrypted_pem(text, passphrase.expose().as_bytes()),
            None => Err(EcdsaKeyError::Encrypted),
        },
        read => read,
    }
    .map_err(no_key)
}

/// A public key.
pub(super) fn public_key(path: &Path, flag: &str) -> Result<EcdsaVerifyingKey, Failure> {
    let bytes = bytes(path)?;
    let text = std::str::from_utf8(&bytes).map_err(|_| EcdsaKeyError::Holds(KeyFile::of(&bytes)));
    text.and_then(EcdsaVerifyingKey::from_pem).map_err(|error| no_key(path, flag, "public", error))
}

/// Certificates that are trusted.
pub(super) fn roots(path: &Path, flag: &str) -> Result<Roots, Failure> {
    let bytes = bytes(path)?;
    let text = std::str::from_utf8(&bytes).map_err(|_| CertificateError::Pem);
    text.and_then(Roots::from_pem).map_err(|error| no_certificate(path, flag, &bytes, &error))
}

/// Certificates in DER.
pub(super) fn certificates(path: &Path, flag: &str) -> Result<Vec<Vec<u8>>, Failure> {
    let bytes = bytes(path)?;
    let text = std::str::from_utf8(&bytes).map_err(|_| CertificateError::Pem);
    text.and_then(certificates_from_pem).map_err(|error| no_certificate(path, flag, &bytes, &error))
}

fn no_key(path: &Path, flag: &str, wanted: &str, error: EcdsaKeyError) -> Failure {
    let shown = path.display();
    let why = match error {
        EcdsaKeyError::Holds(found) => {
            let advice = advice(wanted, found).map(|it| format!(": {it}")).unwrap_or_default();
            format!("holds {found}, where a {wanted} key in PEM is wanted{advice}")
        }
        EcdsaKeyError::Encrypted => {
            "holds a private key under a passphrase: give that by `--key-passphrase-file FILE` or in the variable \
             `BASTIDE_KEY_PASSPHRASE`"
                .to_owned()
        }
        error => return Failure::could_not(format!("`{shown}` (`{flag}`): {}", chain(&error))),
    };
    Failure::could_not(format!("`{shown}` (`{flag}`) {why}"))
}

/// How to come from what was given to what is wanted.
fn advice(wanted: &str, found: KeyFile) -> Option<&'static str> {
    Some(match (wanted, found) {
        ("private", KeyFile::Public | KeyFile::SshPublic) => "give the other half, which only the signer has",
        ("private", KeyFile::Certificate) => "give that to `--certificate`, and its private key here",
        ("private", KeyFile::SshPrivate) => {
            "`ssh-keygen -p -m PKCS8 -f COPY` writes a copy of it anew in PEM"
        }
        ("private", KeyFile::Pkcs12) => "`openssl pkcs12 -in FILE -nocerts -out key.pem` takes the key out",
        ("private", KeyFile::Der) => "`openssl pkey -inform DER -in FILE -out key.pem` writes it anew",
        ("private", _) => "`openssl ecparam -name prime256v1 -genkey -noout -out key.pem` makes one",
        (_, KeyFile::Private | KeyFile::Encrypted | KeyFile::OldEncrypted) => {
            "that is the signer's alone; `openssl pkey -in FILE -pubout -out key.pub` writes its public half"
        }
        (_, KeyFile::Certificate) => "certificates are for `--root`",
        (_, KeyFile::SshPublic) => "`ssh-keygen -e -m PKCS8 -f FILE` prints it in PEM",
        (_, KeyFile::Der) => "`openssl pkey -pubin -inform DER -in FILE -pubout -out key.pub` writes it anew",
        _ => return None,
    })
}

fn no_certificate(path: &Path, flag: &str, bytes: &[u8], error: &CertificateError) -> Failure {
    let shown = path.display();
    match (error, KeyFile::of(bytes)) {
        (CertificateError::Pem, KeyFile::Der) => Failure::could_not(format!(
            "`{shown}` (`{flag}`) holds DER, where certificates in PEM are wanted: `openssl x509 -inform DER -in FILE -out \
             cert.pem` writes one anew"
        )),
        (CertificateError::Pem, found) if found != KeyFile::Certificate => Failure::could_not(format!(
            "`{shown}` (`{flag}`) holds {found}, where certificates in PEM are wanted"
        )),
        _ => Failure::could_not(format!("`{shown}` (`{flag}`): {}", chain(error))),
    }
}

pub(super) fn of(path: &Path, error: &dyn std::error::Error) -> Failure {
    Failure::could_not(format!("`{}`: {}", path.display(), chain(error)))
}
