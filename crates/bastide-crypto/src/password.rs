//! Passwords of people: Argon2id in PHC strings, which say their own parameters.

use argon2::password_hash::{PasswordHash, PasswordHasher, PasswordVerifier, SaltString};
use argon2::{Algorithm, Argon2, Params, Version};

/// 19 MiB, two passes, one lane: OWASP's first recommendation for servers that verify many passwords.
const MEMORY_KIB: u32 = 19_456;
const PASSES: u32 = 2;
const LANES: u32 = 1;
/// What a stored hash may ask for: someone who edits the database must not be able to make the server allocate or
/// compute without end.
const MAX_MEMORY_KIB: u32 = 256 * 1024;
const MAX_PASSES: u32 = 16;
const MAX_LANES: u32 = 4;

/// Why a password could not be hashed or compared. Never that it is wrong.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PasswordError {
    /// The stored hash is damaged, of another scheme, or asks for more than this version grants.
    #[error("the stored password hash cannot be used: {0}")]
    Malformed(&'static str),
    /// The memory for Argon2id could not be had, or the password has more than 4 GiB.
    #[error("the password could not be hashed: {0}")]
    Failed(String),
}

fn argon2() -> Result<Argon2<'static>, PasswordError> {
    let params =
        Params::new(MEMORY_KIB, PASSES, LANES, Some(32)).map_err(|e| PasswordError::Failed(e.to_string()))?;
    Ok(Argon2::new(Algorithm::Argon2id, Version::V0x13, params))
}

/// The PHC string of a password: `$argon2id$v=19$m=19456,t=2,p=1$...`. `salt` is fresh random bytes.
///
/// # Errors
/// When there is no memory for Argon2id (19 MiB).
pub fn hash_password(password: &[u8], salt: [u8; 16]) -> Result<String, PasswordError> {
    let failed = |e: argon2::password_hash::Error| PasswordError::Failed(e.to_string());
    let salt = SaltString::encode_b64(&salt).map_err(failed)?;
    Ok(argon2()?.hash_password(password, &salt).map_err(failed)?.to_string())
}

/// A PHC string that no password belongs to: checking it costs what checking a real one does. `random` is fresh.
///
/// # Errors
/// When it cannot be written, which no input causes.
pub fn unmatched_password_hash(random: [u8; 48]) -> Result<String, PasswordError> {
    use argon2::password_hash::Output;
    let failed = |e: argon2::password_hash::Error| PasswordError::Failed(e.to_string());
    let (salt, output) = random.split_at(16);
    let salt = SaltString::encode_b64(salt).map_err(failed)?;
    let output = Output::new(output).map_err(failed)?;
    Ok(format!("$argon2id$v=19$m={MEMORY_KIB},t={PASSES},p={LANES}${salt}${output}"))
}

/// Whether the password is the one that was hashed, compared in constant time.
///
/// # Errors
/// When the stored hash cannot be used, or there is no memory for it.
pub fn verify_password(password: &[u8], stored: &str) -> Result<bool, PasswordError> {
    let hash = parse(stored)?;
    match argon2()?.verify_password(password, &hash) {
        Ok(()) => Ok(true),
        Err(argon2::password_hash::Error::Password) => Ok(false),
        Err(e) => Err(PasswordError::Failed(e.to_string())),
    }
}

/// Whether a stored hash was made with other parameters than today's: hash the password anew when it is next known.
#[must_use]
pub fn password_needs_rehash(stored: &str) -> bool {
    let today = format!("$argon2id$v=19$m={MEMORY_KIB},t={PASSES},p={LANES}$");
    !stored.starts_with(&today)
}

fn parse(stored: &str) -> Result<PasswordHash<'_>, PasswordError> {
    let malformed = PasswordError::Malformed;
    let hash = PasswordHash::new(stored).map_err(|_| malformed("it is no PHC string"))?;
    if hash.algorithm != argon2::ARGON2ID_IDENT || hash.version != Some(u32::from(Version::V0x13)) {
        return Err(malformed("it is not of argon2id, version 19"));
    }
    let params = Params::try_from(&hash).map_err(|_| malformed("its parameters are not argon2id's"))?;
    if params.m_cost() > MAX_MEMORY_KIB || params.t_cost() > MAX_PASSES || params.p_cost() > MAX_LANES {
        return Err(malformed("it asks for more memory or time than is granted"));
    }
    match (hash.salt, hash.hash) {
        (Some(_), Some(output)) if output.len() >= 16 => Ok(hash),
        _ => Err(malformed("it has no salt or no hash of 16 bytes or more")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_right_password_only() {
        let stored = hash_password(b"correct horse", [1; 16]).unwrap();
        assert!(stored.starts_with("$argon2id$v=19$m=19456,t=2,p=1$"), "{stored}");
        assert_eq!(verify_password(b"correct horse", &stored), Ok(true));
        assert_eq!(verify_password(b"correct house", &stored), Ok(false));
        assert_eq!(verify_password(b"", &stored), Ok(false));
        assert_ne!(stored, hash_password(b"correct horse", [2; 16]).unwrap());
        assert!(!password_needs_rehash(&stored));
    }

    #[test]
    fn another_implementations_hash_is_understood_and_due_for_renewal() {
        // From the reference implementation's tests (phc-winner-argon2, `test.c`): version 19, 2 passes, 256 KiB.
        let stored = "$argon2id$v=19$m=256,t=2,p=1$c29tZXNhbHQ$nf65EOgLrQMR/uIPnA4rEsF5h7TKyQwu9U1bMCHGi/4";
        assert_eq!(verify_password(b"password", stored), Ok(true));
        assert_eq!(verify_password(b"passwort", stored), Ok(false));
        assert!(password_needs_rehash(stored));
    }

    #[test]
    fn a_hash_that_nothing_belongs_to_is_compared_like_any_other() {
        let stored = unmatched_password_hash([9; 48]).unwrap();
        assert!(!password_needs_rehash(&stored));
        assert_eq!(verify_password(b"", &stored), Ok(false));
    }

    #[test]
    fn a_stored_hash_cannot_ask_for_the_machine() {
        let stored = hash_password(b"x", [1; 16]).unwrap();
        for (from, to) in [
            ("m=19456", "m=4294967295"),
            ("m=19456", "m=1"),
            ("t=2", "t=1000000"),
            ("p=1", "p=99"),
            ("argon2id", "argon2i"),
            ("argon2id", "scrypt"),
            ("v=19", "v=16"),
            ("$", ""),
        ] {
            let bent = stored.replacen(from, to, 1);
            assert!(
                matches!(verify_password(b"x", &bent), Err(PasswordError::Malformed(_))),
                "{from} -> {to}"
            );
        }
        for stored in ["", "$argon2id$v=19$m=19456,t=2,p=1", "$argon2id$v=19$m=19456,t=2,p=1$c29tZXNhbHQ"] {
            assert!(matches!(verify_password(b"x", stored), Err(PasswordError::Malformed(_))), "{stored}");
        }
    }
}
