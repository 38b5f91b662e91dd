//! Private keys in text armour. They have no bound: once the opening marker stands, everything belongs to the key.

use bastide_types::{Category, Severity};

use super::rule::{Rule, open_ended, whole};

pub(super) fn pem() -> Rule {
    Rule {
        id: "credential.private-key",
        category: Category::Secret,
        severity: Severity::Critical,
        // RSA, EC, DSA, OPENSSH, ENCRYPTED, PGP (RFC 7468, RFC 4880, openssh PROTOCOL.key); SSH2 has four dashes.
        pattern: open_ended(
            r"-----?[ ]?BEGIN [A-Z0-9 ]*PRIVATE KEY(?: BLOCK)?[ ]?-----?",
            r"-----?[ ]?END [A-Z0-9 ]*PRIVATE KEY(?: BLOCK)?[ ]?-----?",
            80,
        ),
        check: |candidate| whole(candidate, 980, "opening marker of a private key"),
    }
}

pub(super) fn putty() -> Rule {
    Rule {
        id: "credential.putty-key",
        category: Category::Secret,
        severity: Severity::Critical,
        pattern: open_ended(r"PuTTY-User-Key-File-[23]: ", r"Private-MAC: [0-9a-f]+", 24),
        check: |candidate| whole(candidate, 980, "opening marker of a private key"),
    }
}

#[cfg(test)]
mod tests {
    use crate::detectors::testing::{found, nothing};

    use super::*;

    #[test]
    fn openings() {
        for marker in [
            "-----BEGIN PRIVATE KEY-----",
            "-----BEGIN RSA PRIVATE KEY-----",
            "-----BEGIN EC PRIVATE KEY-----",
            "-----BEGIN OPENSSH PRIVATE KEY-----",
            "-----BEGIN ENCRYPTED PRIVATE KEY-----",
            "-----BEGIN PGP PRIVATE KEY BLOCK-----",
            "---- BEGIN SSH2 ENCRYPTED PRIVATE KEY ----",
        ] {
            assert_eq!(found(&pem(), &format!("key: {marker}\nMIIE")), [marker]);
        }
        assert_eq!(found(&putty(), "PuTTY-User-Key-File-3: ssh-rsa").len(), 1);
    }

    #[test]
    fn what_is_public_is_not_one() {
        for text in [
            "-----BEGIN PUBLIC KEY-----",
            "-----BEGIN CERTIFICATE-----",
            "-----BEGIN CERTIFICATE REQUEST-----",
            "BEGIN PRIVATE KEY",
            "-----BEGIN PGP PUBLIC KEY BLOCK-----",
            "-----begin private key-----",
        ] {
            nothing(&pem(), text);
        }
    }
}
