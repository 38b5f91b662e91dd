//! Credentials that look like any random string and are known by the name of their issuer before them, by the header
//! that carries them, or by the URL around them.

use bastide_types::{Category, Severity, Span};

use super::rule::{Rule, part, pattern};
use crate::validators::{decode_base64, distinct_bytes, entropy_millibits, looks_like_placeholder};
use crate::{Candidate, Detector, Match, Pattern};

/// A credential told by its issuer's name.
#[derive(Debug)]
struct Kind {
    id: &'static str,
    name: &'static str,
    /// Expression for the name, any letter case.
    keyword: &'static str,
    /// Class of the value's characters.
    class: &'static str,
    /// Lengths that values have.
    lengths: &'static [usize],
}

const HEX: &str = "[0-9a-fA-F]";
const BASE64: &str = "[A-Za-z0-9+/=]";
const TOKEN: &str = "[A-Za-z0-9_-]";

#[rustfmt::skip]
const KINDS: &[Kind] = &[
    Kind { id: "credential.aws-secret-key", name: "AWS secret access key", keyword: "aws.?secret|secret.?access.?key|secret.?key", class: BASE64, lengths: &[40] },
    Kind { id: "credential.azure-storage-key", name: "Azure storage or service bus key", keyword: "account.?key|shared.?access.?key|storage.?key", class: BASE64, lengths: &[44, 88] },
    Kind { id: "credential.datadog", name: "Datadog key", keyword: "datadog|dd.(?:api|app)", class: HEX, lengths: &[32, 40] },
    Kind { id: "credential.algolia", name: "Algolia key", keyword: "algolia", class: HEX, lengths: &[32] },
    Kind { id: "credential.cloudflare", name: "Cloudflare token", keyword: "cloudflare|cf.(?:api|auth)", class: TOKEN, lengths: &[37, 40] },
    Kind { id: "credential.twilio-auth-token", name: "Twilio auth token", keyword: "twilio", class: HEX, lengths: &[32] },
    Kind { id: "credential.okta", name: "Okta token", keyword: "okta|ssws", class: TOKEN, lengths: &[42] },
    Kind { id: "credential.mistral", name: "Mistral key", keyword: "mistral", class: TOKEN, lengths: &[32] },
    Kind { id: "credential.cohere", name: "Cohere key", keyword: "cohere", class: TOKEN, lengths: &[40] },
    Kind { id: "credential.fastly", name: "Fastly token", keyword: "fastly", class: TOKEN, lengths: &[32] },
];

struct Named {
    kind: &'static Kind,
    pattern: Pattern,
}

/// One detector for each issuer.
pub(super) fn detectors() -> impl Iterator<Item = impl Detector + 'static> {
    KINDS.iter().map(|kind| {
        let (keyword, class) = (kind.keyword.replace(".?", "[_ .-]?").replace("dd.", "dd[_ .-]").replace("cf.", "cf[_ .-]"), kind.class);
        // `ALGOLIA_ADMIN_API_KEY: "`, `datadog api key is `.
        let gap = "(?:[_ .-]?(?i:api|app|application|admin|auth|access|account|master|search|write|zone|global|personal|secret|token|key|id|is|was))*";
        let regex = format!(r#"(?i:{keyword}){gap}["'\]]?[ \t]?[ \t]?(?:=>|:=|[:=])?[ \t]?[ \t]?["'`]?{class}+"#);
        Named { kind, pattern: pattern(regex, 160, 1) }
    })
}

impl Detector for Named {
    fn id(&self) -> &'static str {
        self.kind.id
    }

    fn category(&self) -> Category {
        Category::Secret
    }

    fn severity(&self) -> Severity {
        Severity::Critical
    }

    fn pattern(&self) -> &Pattern {
        &self.pattern
    }

    fn validate(&self, candidate: &Candidate<'_>) -> Option<Match> {
        let bytes = candidate.bytes;
        let value_like = |b: &u8| match self.kind.class {
            HEX => b.is_ascii_hexdigit(),
            BASE64 => b.is_ascii_alphanumeric() || matches!(b, b'+' | b'/' | b'='),
            _ => b.is_ascii_alphanumeric() || matches!(b, b'_' | b'-'),
        };
        // Of `key=abc==` the first sign is no part of the value, of `abc==` the last are.
        let padding = bytes.iter().rev().take_while(|b| **b == b'=').count();
        let inner = bytes.get(..bytes.len() - padding)?;
        let start = inner.iter().rposition(|b| *b == b'=' || !value_like(b)).map_or(0, |at| at + 1);
        let value = bytes.get(start..)?;
        let digit = value.iter().any(u8::is_ascii_digit);
        let mixed = value.iter().any(u8::is_ascii_uppercase) && value.iter().any(u8::is_ascii_lowercase);
        let random = distinct_bytes(value) >= 10
            && entropy_millibits(value) >= if digit { 2900 } else { 4000 }
            && (digit || mixed)
            && value.iter().any(u8::is_ascii_alphabetic)
            && !looks_like_placeholder(value);
        let ends = !candidate.after.first().is_some_and(|b| b.is_ascii_alphanumeric() || *b == b'_');
        let fits = start > 0 && ends && random && self.kind.lengths.contains(&value.len());
        fits.then_some(())?;
        part(
            Span::new(start, bytes.len()),
            900,
            format!("length and alphabet of a {}, whose name stands before", self.kind.name),
        )
    }
}

/// `Authorization: Bearer ...`.
pub(super) fn bearer() -> Rule {
    Rule {
        id: "credential.bearer",
        category: Category::Secret,
        severity: Severity::Critical,
        pattern: pattern(r"\b(?i:bearer)[ \t][A-Za-z0-9._~+/-]+=*", 1024, 0),
        check: |candidate| {
            let value = candidate.bytes.get(7..)?;
            let random = value.len() >= 20
                && entropy_millibits(value) >= 3000
                && value.iter().any(u8::is_ascii_digit)
                && value.iter().any(u8::is_ascii_alphabetic)
                && !looks_like_placeholder(value);
            random.then_some(())?;
            part(Span::new(7, candidate.bytes.len()), 850, "random enough, sent as bearer token")
        },
    }
}

/// `Authorization: Basic ...` (RFC 7617).
pub(super) fn basic() -> Rule {
    Rule {
        id: "credential.basic-auth",
        category: Category::Secret,
        severity: Severity::Critical,
        pattern: pattern(r"\b(?i:basic)[ \t][A-Za-z0-9+/]+=*", 300, 0),
        check: |candidate| {
            let plain = decode_base64(candidate.bytes.get(6..)?)?;
            let colon = plain.iter().position(|b| *b == b':')?;
            let printable = plain.iter().all(|b| (0x20..0x7F).contains(b));
            (printable && colon > 0 && plain.len() - colon > 4).then_some(())?;
            part(Span::new(6, candidate.bytes.len()), 900, "decodes to a name and a password")
        },
    }
}

/// `scheme://user:password@host`.
pub(super) fn url_password() -> Rule {
    Rule {
        id: "credential.url-password",
        category: Category::Secret,
        severity: Severity::Critical,
        pattern: pattern(r#"://[A-Za-z0-9._%+~-]*:[!#-%'-.0-;=?A-~]+@[A-Za-z0-9\[]"#, 200, 0),
        check: url_check,
    }
}

fn url_check(candidate: &Candidate<'_>) -> Option<Match> {
    const STAND_INS: &[&str] = &["password", "passwd", "pass", "pwd", "pw", "secret", "token", "pass123"];
    if !candidate.before.last().is_some_and(u8::is_ascii_alphanumeric) {
        return None;
    }
    let bytes = candidate.bytes;
    let at = bytes.iter().rposition(|b| *b == b'@')?;
    let colon = 3 + bytes.get(3..)?.iter().position(|b| *b == b':')?;
    let value = bytes.get(colon + 1..at)?;
    let lower = String::from_utf8_lossy(value).to_ascii_lowercase();
    let template = value.iter().any(|b| matches!(b, b'{' | b'}' | b'<' | b'>' | b'$' | b'*'))
        && value.iter().any(|b| matches!(b, b'{' | b'<' | b'*') || b.is_ascii_uppercase())
        && !value.iter().any(u8::is_ascii_digit);
    if value.len() < 3 || template || STAND_INS.contains(&lower.as_str()) || looks_like_placeholder(value) {
        return None;
    }
    let mixed = value.iter().any(u8::is_ascii_digit) || value.iter().any(u8::is_ascii_uppercase);
    let score = if mixed { 900 } else { 450 };
    part(Span::new(colon + 1, at), score, "stands as password between user and host of a URL")
}

#[cfg(test)]
mod tests {
    use crate::detectors::testing::{found, nothing, scored};

    use super::*;

    fn named(id: &str) -> impl Detector {
        detectors().find(|d| d.id() == id).unwrap()
    }

    #[test]
    fn named_positives_and_near_misses() {
        for (id, text, value) in [
            (
                "credential.algolia",
                "ALGOLIA_ADMIN_API_KEY=669ea07430ea689c2e640e43c1a5fab7",
                "669ea07430ea689c2e640e43c1a5fab7",
            ),
            (
                "credential.datadog",
                "\"DATADOG_API_KEY\": \"9202fca6fa8838d4dcce14da22f25ca0\",",
                "9202fca6fa8838d4dcce14da22f25ca0",
            ),
            (
                "credential.datadog",
                "my datadog key is 9202fca6fa8838d4dcce14da22f25ca0",
                "9202fca6fa8838d4dcce14da22f25ca0",
            ),
            (
                "credential.cloudflare",
                "cloudflare_api_token: \"jfE23_pkw4QyTOPTaxZkAdEDfL2LZ0ixLS0SdXwZ\"",
                "jfE23_pkw4QyTOPTaxZkAdEDfL2LZ0ixLS0SdXwZ",
            ),
            (
                "credential.aws-secret-key",
                "aws_secret_access_key=a+GKX3pz1/8CVeuUESXUefmURa5V4gRg1Y2py2+t",
                "a+GKX3pz1/8CVeuUESXUefmURa5V4gRg1Y2py2+t",
            ),
            (
                "credential.azure-storage-key",
                "AccountKey=/88G982AjGwu2A8LNNrAJVmWg8FwIDPBH6hpXlGJfzRR+1QoLNzQUW0CySKFi+701XxfiwAAXt5kesjwe7D7Qi==;",
                "/88G982AjGwu2A8LNNrAJVmWg8FwIDPBH6hpXlGJfzRR+1QoLNzQUW0CySKFi+701XxfiwAAXt5kesjwe7D7Qi==",
            ),
        ] {
            assert_eq!(found(&named(id), text), [value], "{text}");
        }
        for (id, text) in [
            ("credential.algolia", "build 669ea07430ea689c2e640e43c1a5fab7"),
            ("credential.algolia", "algolia commit 669ea07430ea689c2e640e43c1a5fab7aa"),
            ("credential.aws-secret-key", "aws_secret_access_key=wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY"),
            ("credential.datadog", "datadog_api_key=00000000000000000000000000000000"),
        ] {
            nothing(&named(id), text);
        }
    }

    #[test]
    fn headers() {
        assert_eq!(found(&bearer(), "Authorization: Bearer Zk3Jq9xW2LmN8vRt5YbC"), ["Zk3Jq9xW2LmN8vRt5YbC"]);
        assert_eq!(found(&basic(), "authorization: basic a2ltOnMzY3IzdA=="), ["a2ltOnMzY3IzdA=="]);
        nothing(&bearer(), "the bearer of this letter is internationalisation1");
        nothing(&bearer(), "Bearer YOUR_ACCESS_TOKEN_GOES_HERE_1");
        nothing(&basic(), "basic understanding of things");
    }

    #[test]
    fn urls() {
        for (text, value) in [
            ("redis://katy_0885:UR9ZQz0sS@db-4.internal:5432/", "UR9ZQz0sS"),
            ("mongodb+srv://rhys:s4W5WDBtdJ@db", "s4W5WDBtdJ"),
            ("redis://:s3cretPW@cache:6379", "s3cretPW"),
            ("https://bob:p%40ss1@example.org", "p%40ss1"),
        ] {
            assert_eq!(found(&url_password(), text), [value], "{text}");
        }
        for text in [
            "postgres://user:password@localhost/db",
            "postgres://u:${DB_PASS}@host",
            "https://example.org:8080/@me",
            "https://user@example.org",
            "mysql://root:<PASSWORD>@db",
            "ftp://a:xxxxxx@h",
        ] {
            nothing(&url_password(), text);
        }
        assert!(scored(&url_password(), "postgres://postgres:postgres@localhost") < 500);
    }
}
