//! JSON web tokens.

use bastide_types::{Category, Severity, Span};

use super::rule::{Rule, part, pattern};
use crate::validators::decode_base64;
use crate::{Candidate, Match};

pub(super) fn detector() -> Rule {
    Rule {
        id: "credential.jwt",
        category: Category::Secret,
        severity: Severity::Critical,
        // Signed tokens have three parts, encrypted ones five (RFC 7515, RFC 7516). Proxies refuse headers of more
        // than 8 KiB, so tokens stay below half of that.
        pattern: pattern(r"\beyJ[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+(?:\.[A-Za-z0-9_-]*)+", 4096, 0),
        check,
    }
}

fn check(candidate: &Candidate<'_>) -> Option<Match> {
    let parts: Vec<&[u8]> = candidate.bytes.split(|b| *b == b'.').collect();
    let count = match parts.len() {
        n @ 0..5 => n.min(3),
        _ => 5,
    };
    let header = decode_base64(parts.first()?)?;
    // A JSON object that names its algorithm; RFC 7515 section 4.1.1 makes `alg` mandatory.
    let object = header.first() == Some(&b'{') && header.last() == Some(&b'}');
    if !object || !header.windows(5).any(|w| w == b"\"alg\"") {
        return None;
    }
    let end = parts.iter().take(count).map(|p| p.len() + 1).sum::<usize>() - 1;
    part(Span::new(0, end), 980, "header decodes to a JSON object with `alg`")
}

#[cfg(test)]
mod tests {
    use crate::detectors::testing::{found, nothing};

    use super::*;

    const JWT: &str = "eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9.eyJzdWIiOiI2MzUzOTU1Mzg2In0.PnO1lLAwzQrmMPojiFKg3NRwgOkZZ9C-TBtAh36nT9a";

    #[test]
    fn positives() {
        for (before, after) in
            [("", ""), ("token=", "&page=2"), ("\"", "\""), ("Bearer ", "."), ("", " and more")]
        {
            let text = format!("{before}{JWT}{after}");
            assert_eq!(found(&detector(), &text)[0].trim_end_matches('.'), JWT, "{text}");
        }
        // Unsigned: the third part is empty (RFC 7519, section 6).
        let unsigned = "eyJhbGciOiJub25lIn0.eyJqb2UiOnRydWV9.";
        assert_eq!(found(&detector(), unsigned), [unsigned]);
    }

    #[test]
    fn near_misses() {
        for text in [
            "eyJmb28iOiJiYXIifQ.eyJh.x",
            "eyJhbGciOiJIUzI1NiJ9",
            "xeyJhbGciOiJub25lIn0.eyJqb2UiOnRydWV9.",
            "eyJ.a.b",
        ] {
            nothing(&detector(), text);
        }
    }
}
