//! The command line of `sign` and `verify`.

use std::num::{NonZero, NonZeroU64};
use std::path::PathBuf;

use clap::{Args, ValueEnum};

use super::{Output, bytes};

/// Which files of a model count.
#[derive(Debug, Args)]
pub(crate) struct Cover {
    /// The model: a folder, or one file.
    pub(crate) model: PathBuf,
    /// Leave this path out, which counts from the working folder; may be given again. What was signed is verified all the
    /// same.
    #[arg(long, value_name = "PATH")]
    pub(crate) ignore: Vec<PathBuf>,
    /// Count links to files as these files.
    #[arg(long)]
    pub(crate) allow_symlinks: bool,
    /// Count `.git`, `.gitattributes`, `.github` and `.gitignore` in the model's root too.
    #[arg(long)]
    pub(crate) include_git: bool,
}

/// Another model that this one is made for, and whose word counts for it.
#[derive(Debug, Args)]
pub(crate) struct Base {
    /// The model that this one is made for, such as the base of an adapter: its signature file, or the root digest that
    /// `verify` prints.
    #[arg(long, value_name = "SIG|DIGEST")]
    pub(crate) base_model: Option<String>,
    /// Public key (PEM) of whoever signed the base model; without it, whoever signs this one.
    #[arg(long, value_name = "FILE", requires = "base_model", conflicts_with = "base_root")]
    pub(crate) base_public_key: Option<PathBuf>,
    /// Certificates (PEM) that the signer of the base model leads to; may be given again.
    #[arg(long, value_name = "FILE", requires = "base_model")]
    pub(crate) base_root: Vec<PathBuf>,
}

#[derive(Debug, Args)]
pub(crate) struct Sign {
    #[command(flatten)]
    pub(crate) cover: Cover,
    /// File for the signature, a Sigstore bundle.
    #[arg(long, value_name = "OUT")]
    pub(crate) signature: PathBuf,
    /// Private key (PEM): P-256, P-384 or P-521.
    #[arg(long, value_name = "FILE", required_unless_present = "pkcs11_uri")]
    pub(crate) key: Option<PathBuf>,
    /// File whose content is the passphrase of an encrypted private key; without it, the variable `BASTIDE_KEY_PASSPHRASE`,
    /// or a question at a terminal.
    #[arg(long, value_name = "FILE", requires = "key", conflicts_with = "pkcs11_uri")]
    pub(crate) key_passphrase_file: Option<PathBuf>,
    /// Private key in a token or hardware module (RFC 7512, with `module-path`).
    #[arg(long, value_name = "URI", conflicts_with = "key")]
    pub(crate) pkcs11_uri: Option<String>,
    /// File whose content is the token's PIN, where the URI has no `pin-source`; without it, the variable
    /// `BASTIDE_PKCS11_PIN`, or a question at a terminal.
    #[arg(long, value_name = "FILE", requires = "pkcs11_uri", conflicts_with = "key")]
    pub(crate) pkcs11_pin_file: Option<PathBuf>,
    /// Certificate of the key (PEM); the signature then names the signer by it.
    #[arg(long, value_name = "FILE")]
    pub(crate) certificate: Option<PathBuf>,
    /// Certificates between that one and the root (PEM); may be given again.
    #[arg(long, value_name = "FILE", requires = "certificate")]
    pub(crate) certificate_chain: Vec<PathBuf>,
    /// Certificates (PEM) that the chain has to lead to, as verifiers have them; may be given again. Signs nothing that would
    /// not verify with them.
    #[arg(long, value_name = "FILE", requires = "certificate")]
    pub(crate) root: Vec<PathBuf>,
    /// List of revoked certificates (CRL, DER or PEM) that the chain to `--root` and the base model's signer (`--base-root`)
    /// are looked up in; may be given again, for each authority.
    #[arg(long, value_name = "FILE")]
    pub(crate) crl: Vec<PathBuf>,
    /// The function that contents are hashed with.
    #[arg(long, value_name = "NAME", default_value = "sha256")]
    pub(crate) hash: Hash,
    /// Sign shards of so many bytes (`500MiB`, `1GiB`) instead of files, so that one file is hashed on all cores.
    #[arg(long, value_name = "BYTES", value_parser = some_bytes)]
    pub(crate) shard_size: Option<NonZeroU64>,
    #[command(flatten)]
    pub(crate) base: Base,
    /// Sign without a scan.
    #[arg(long, conflicts_with_all = ["strict", "suppressions", "attestation", "cyclonedx"])]
    pub(crate) no_scan: bool,
    /// Do not sign either (exit code 1) when something is to be reviewed.
    #[arg(long)]
    pub(crate) strict: bool,
    /// Accept what this file (TOML) says, as `scan` does; an attestation names the rules that were accepted.
    #[arg(long, value_name = "FILE")]
    pub(crate) suppressions: Option<PathBuf>,
    /// File for a signed statement of what the scan found, bound to the signature.
    #[arg(long, value_name = "OUT")]
    pub(crate) attestation: Option<PathBuf>,
    /// File for a CycloneDX 1.6 bill of materials, whose digest an attestation holds.
    #[arg(long, value_name = "OUT")]
    pub(crate) cyclonedx: Option<PathBuf>,
    /// How many files are scanned at a time; without it, as many as there are cores.
    #[arg(long, value_name = "N", conflicts_with = "no_scan")]
    pub(crate) threads: Option<NonZero<usize>>,
    #[command(flatten)]
    pub(crate) output: Output,
}

/// Whose signature counts.
#[derive(Debug, Args)]
pub(crate) struct Signer {
    /// Public key (PEM) of the signer; may be given again, and then each of them has to have signed.
    #[arg(long, value_name = "FILE", required_unless_present_any = ["root", "trust_root"])]
    pub(crate) public_key: Vec<PathBuf>,
    /// Certificates (PEM) that the signer's certificate leads to; may be given again.
    #[arg(long, value_name = "FILE", conflicts_with = "public_key")]
    pub(crate) root: Vec<PathBuf>,
    /// List of revoked certificates (CRL, DER or PEM) of the authority that issued the signer's certificate, the base
    /// model's signer too (`--base-root`); may be given again, for the authorities above it.
    #[arg(long, value_name = "FILE")]
    pub(crate) crl: Vec<PathBuf>,
    /// Verify certificates at this time (RFC 3339, or a day for its first instant in UTC), at which the signature is known
    /// to have been there, instead of now.
    #[arg(long, value_name = "TIME", value_parser = instant, conflicts_with_all = ["public_key", "trust_root"])]
    pub(crate) at: Option<jiff::Timestamp>,
    /// Trusted root (`trusted_root.json`) of the Sigstore instance that a keyless signature was made with.
    #[arg(long, value_name = "FILE", conflicts_with_all = ["public_key", "root"], requires_all = ["identity", "identity_provider"])]
    pub(crate) trust_root: Option<PathBuf>,
    /// Who is to have signed: the e-mail address or URI of a keyless signature; with `--root`, the subject of the
    /// certificate as `verify` prints it, or another of its names. May be given again, and then each of them has to have
    /// signed.
    #[arg(long, value_name = "NAME", conflicts_with = "public_key")]
    pub(crate) identity: Vec<String>,
    /// The issuer of identity tokens that is to have vouched for a keyless signature.
    #[arg(long, value_name = "URL", requires = "trust_root", conflicts_with_all = ["public_key", "root"])]
    pub(crate) identity_provider: Option<String>,
}

#[derive(Debug, Args)]
pub(crate) struct Verify {
    #[command(flatten)]
    pub(crate) cover: Cover,
    /// The signature file; may be given again, and then all of them have to hold.
    #[arg(long, value_name = "SIG", required = true)]
    pub(crate) signature: Vec<PathBuf>,
    #[command(flatten)]
    pub(crate) signer: Signer,
    /// Let files be there that were not signed.
    #[arg(long, alias = "ignore_unsigned_files")]
    pub(crate) ignore_unsigned_files: bool,
    /// Let nothing be there that the signature does not cover (exit code 1): no path that was left out, no link, no empty
    /// folder. Without it they are listed.
    #[arg(long, conflicts_with = "ignore_unsigned_files")]
    pub(crate) strict: bool,
    #[command(flatten)]
    pub(crate) base: Base,
    /// Signed statement of what a scan found, by the same signer.
    #[arg(long, value_name = "FILE")]
    pub(crate) attestation: Option<PathBuf>,
    /// The bill of materials that the attestation is for.
    #[arg(long, value_name = "FILE", requires = "attestation")]
    pub(crate) cyclonedx: Option<PathBuf>,
    /// The worst verdict that the attestation may have. What is clean by acceptance only is not clean.
    #[arg(long, value_name = "VERDICT", requires = "attestation", default_value = "review")]
    pub(crate) require_verdict: RequiredVerdict,
    #[command(flatten)]
    pub(crate) output: Output,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
pub(crate) enum Hash {
    Sha256,
    Blake2b,
    Blake3,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
pub(crate) enum RequiredVerdict {
    Clean,
    Review,
}

/// A number of bytes that is not none.
fn some_bytes(text: &str) -> Result<NonZeroU64, String> {
    NonZeroU64::new(bytes(text)?).ok_or_else(|| "give a number of bytes above 0, such as `1GiB`".to_owned())
}

/// A time in RFC 3339, or the midnight (UTC) that a day begins with.
fn instant(text: &str) -> Result<jiff::Timestamp, String> {
    let wrong = || "give a time such as `2026-03-31T00:00:00Z`, or a day such as `2026-03-31`".to_owned();
    // Nothing but a day: a time without an offset is no instant.
    let time = if text.len() == "2026-03-31".len() { format!("{text}T00:00:00Z") } else { text.to_owned() };
    time.parse().map_err(|_| wrong())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_may_be_a_day() {
        let read = |text: &str| instant(text).map(|it| it.to_string());
        assert_eq!(read("2026-03-31"), Ok("2026-03-31T00:00:00Z".to_owned()));
        assert_eq!(read("2026-03-31T12:00:00+02:00"), Ok("2026-03-31T10:00:00Z".to_owned()));
        for text in ["", "yesterday", "2026-3-31", "2026-02-30", "2026-03-31T12:00:00"] {
            assert!(read(text).is_err_and(|why| why.contains("`2026-03-31T00:00:00Z`")), "{text}");
        }
    }

    #[test]
    fn a_shard_has_bytes() {
        assert_eq!(some_bytes("64MiB").map(NonZeroU64::get), Ok(64 << 20));
        for text in ["0", "0k", "", "1e9", "-1"] {
            assert!(some_bytes(text).is_err(), "{text}");
        }
    }
}
