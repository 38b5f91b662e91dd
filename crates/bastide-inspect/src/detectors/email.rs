//! E-mail addresses.

use bastide_types::{Category, Severity, Span};

use super::rule::{Rule, part, pattern};
use crate::{Candidate, Match};

/// A letter of a script that writes spaces between words (Latin with accents, Greek, Cyrillic: U+00C0 to U+04FF), as
/// addresses after RFC 6531 may have. Scripts without spaces are left out: there nothing tells the sentence from the
/// address, and a stream would hold back all of it.
const LETTER: &str = r"[\xC3-\xD3][\x80-\xBF]";

/// Longest address: 64 of local part, `@`, 189 of domain (RFC 5321, 4.5.3.1, as the erratum to 254 has it).
const MAX_ADDRESS: usize = 254;

/// Endings of file names, which make `logo@2x.png` no address, and which are no top-level domains.
#[rustfmt::skip]
const FILE_ENDINGS: &[&str] = &[
    "png", "jpg", "jpeg", "gif", "svg", "webp", "css", "js", "ts", "jsx", "tsx", "json", "html", "htm", "xml", "yaml",
    "yml", "txt", "pdf", "exe", "dll", "java", "cpp", "toml", "lock", "local",
];

pub(super) fn detector() -> Rule {
    let l = LETTER;
    Rule {
        id: "personal.email",
        category: Category::EmailAddress,
        severity: Severity::Medium,
        pattern: pattern(
            format!(
                r"(?:\b[A-Za-z0-9_]|{l})(?:[A-Za-z0-9._%+'-]|{l})*@(?:(?:[A-Za-z0-9]|{l})(?:[A-Za-z0-9-]|{l})*\.)+(?:[A-Za-z][A-Za-z0-9-]+|(?:{l})+)"
            ),
            MAX_ADDRESS + 66, // what stands in front of an address without a space is trimmed off after the match
            1,
        ),
        check,
    }
}

fn check(candidate: &Candidate<'_>) -> Option<Match> {
    let at = candidate.bytes.iter().position(|b| *b == b'@')?;
    let (local, rest) = candidate.bytes.split_at_checked(at)?;
    let domain = rest.get(1..)?;
    // `it's'jo@x.org'`: an apostrophe is part of a name only between letters.
    let quote = local.iter().rposition(|b| *b == b'\'').filter(|q| !is_name(local, *q));
    let start = quote.map_or(0, |q| q + 1);
    let local = local.get(start..)?;

    let tld = domain.rsplit(|b| *b == b'.').next()?;
    let end = candidate.bytes.len() - tld.iter().rev().take_while(|b| **b == b'-').count();
    let tld = std::str::from_utf8(tld).ok()?.trim_end_matches('-').to_ascii_lowercase();
    let plain_tld = tld.bytes().all(|b| b.is_ascii_alphabetic()) && tld.len() <= 24;
    if !(plain_tld || tld.starts_with("xn--") || !tld.is_ascii()) || FILE_ENDINGS.contains(&tld.as_str()) {
        return None;
    }
    let dots =
        local.first() == Some(&b'.') || local.last() == Some(&b'.') || local.windows(2).any(|w| w == b"..");
    let labels = domain.split(|b| *b == b'.').all(|l| (1..=63).contains(&l.len()));
    if local.is_empty()
        || local.len() > 64
        || domain.len() > 189
        || dots
        || !labels
        || end - start > MAX_ADDRESS
    {
        return None;
    }
    // `git@host:path`, and the user and password of a URL, name a machine's account, not a mailbox.
    let in_url = start == 0 && in_authority(candidate.before);
    if in_url || (candidate.after.first() == Some(&b':') && local == b"git") {
        return None;
    }
    part(Span::new(start, end), 950, "local part, domain and top-level domain are well formed")
}

/// Whether `before` ends inside the authority of a URL: `scheme://` or `scheme://user:` without a slash since.
fn in_authority(before: &[u8]) -> bool {
    let word = before
        .rsplit(|b| b.is_ascii_whitespace() || matches!(b, b'"' | b'<' | b'('))
        .next()
        .unwrap_or_default();
    let authority = word.windows(3).rposition(|w| w == b"://").and_then(|at| word.get(at + 3..));
    authority.is_some_and(|a| !a.iter().any(|b| matches!(b, b'/' | b'?' | b'#')))
}

/// Whether the apostrophe at `at` stands inside a name: `o'brien`, `d'angelo`.
fn is_name(local: &[u8], at: usize) -> bool {
    let left = local.get(..at).unwrap_or_default();
    let right = local.get(at + 1..).unwrap_or_default();
    (1..=12).contains(&left.len())
        && left.iter().all(|b| b.is_ascii_alphabetic() || *b == b'.')
        && right.first().is_some_and(u8::is_ascii_alphabetic)
}

#[cfg(test)]
mod tests {
    use crate::detectors::testing::{found, nothing};

    use super::*;

    #[test]
    fn positives() {
        for (text, value) in [
            ("write to Jane.Doe+news@mail.example.org.", "Jane.Doe+news@mail.example.org"),
            ("<jo@proton.me>", "jo@proton.me"),
            ("'jo@proton.me'", "jo@proton.me"),
            ("mailto:o'brien@example.co.uk?subject=x", "o'brien@example.co.uk"),
            ("müller@bücher.example", "müller@bücher.example"),
            ("почта: иван@пример.рф.", "иван@пример.рф"),
            ("请联系john@example.cn。", "john@example.cn"),
            ("key=a_b%c@x-y.museum,", "a_b%c@x-y.museum"),
            ("email=jo@example.org&x=1", "jo@example.org"),
            ("a@b.xn--p1ai", "a@b.xn--p1ai"),
            ("(2023)a.b@EXAMPLE.ORG;", "a.b@EXAMPLE.ORG"),
        ] {
            assert_eq!(found(&detector(), text), [value], "{text}");
        }
    }

    #[test]
    fn near_misses() {
        for text in [
            "logo@2x.png",
            "@types/node@17.11.3",
            "user@localhost",
            "a@b",
            "a..@example.org",
            "git@github.com:org/repo.git",
            "postgres://kim:s3cr3tPass@db-4.internal:5432/app",
            "ssh://root@example.org/x",
            "jo@example.c",
            "x @ example.org",
            "npm i left-pad@1.3.0",
            "price@9.99",
        ] {
            nothing(&detector(), text);
        }
    }
}
