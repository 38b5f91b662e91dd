//! What opens a private key: the passphrase of a file, the PIN of a token. From a file, the environment or a terminal,
//! and never from the command line, which everybody on the machine sees.

use std::io::{self, IsTerminal as _};
use std::path::Path;

use bastide_admin::Failure;
use bastide_types::Secret;

use super::files::bytes;
use crate::environment::KEY_PASSPHRASE;
use crate::terminal::{Quiet, asked};

/// The passphrase of the key in a file; none where nobody gives one.
pub(super) fn passphrase(file: Option<&Path>, key: &Path) -> Result<Option<Secret<String>>, Failure> {
    secret(file, KEY_PASSPHRASE, &format!("Passphrase of {}: ", key.display()))
}

/// The PIN of a token; none where nobody gives one.
#[cfg(feature = "pkcs11")]
pub(super) fn pin(file: Option<&Path>, token: &str) -> Result<Option<Secret<String>>, Failure> {
    secret(file, crate::environment::PKCS11_PIN, &format!("PIN of the token {token}: "))
}

fn secret(file: Option<&Path>, variable: &str, question: &str) -> Result<Option<Secret<String>>, Failure> {
    let (given, from) = if let Some(path) = file {
        let held = Secret::new(bytes(path)?);
        let text = std::str::from_utf8(held.expose());
        let text = text.map_err(|_| Failure::could_not(format!("`{}` is no text", path.display())))?;
        // Editors end a file with a line feed.
        (Secret::new(text.trim_end_matches(['\r', '\n']).to_owned()), format!("`{}`", path.display()))
    } else {
        match std::env::var(variable) {
            Ok(text) => (Secret::new(text), format!("`{variable}`")),
            Err(std::env::VarError::NotUnicode(_)) => {
                return Err(Failure::usage(format!("`{variable}` is no text")));
            }
            Err(std::env::VarError::NotPresent)
                if io::stdin().is_terminal() && io::stderr().is_terminal() =>
            {
                let _quiet = Quiet::begin()?;
                return asked(&crate::show::printable(question)).map(Some);
            }
            Err(std::env::VarError::NotPresent) => return Ok(None),
        }
    };
    if given.expose().is_empty() {
        // Most likely a secret that was not filled in.
        return Err(Failure::could_not(format!("{from} is empty, where a secret is wanted")));
    }
    Ok(Some(given))
}
