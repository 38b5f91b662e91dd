//! Secrets without a shape of their own, told by the words before them: `password=`, `"api_key": "`, `token is`.

use bastide_types::{Category, Severity, Span};

use super::rule::{Rule, part, pattern};
use crate::validators::{entropy_millibits, looks_like_placeholder};
use crate::{Candidate, Match};

/// Words for something that a person types.
#[rustfmt::skip]
const PASSWORDS: &[&str] = &[
    "passwords", "password", "passwd", "passphrase", "passwort", "passcode", "pwd", "kennwort", "contraseña", "mot de passe",
    "senha", "wachtwoord", "hasło", "lösenord", "пароль", "şifre", "密码", "密碼", "パスワード", "비밀번호",
];

/// Words for something that a machine keeps.
#[rustfmt::skip]
const SECRETS: &[&str] = &[
    "secret access key", "secret_access_key", "secretaccesskey", "client secret", "api token", "access token", "api key",
    "api-key", "api_key", "apikey", "access key", "access-key", "access_key", "accesskey", "auth key", "auth-key",
    "auth_key", "authkey", "private key", "private_key", "signing key", "signing_key", "encryption key",
    "encryption_key", "account key", "account_key", "accountkey", "secret", "token", "credential", "my key", "the key",
];

/// `my-key-for-prod`: how far the name of the variable may go on behind the word.
const TAIL: &str = "[A-Za-z0-9_]*";

/// Values that are a word of the schema, not a secret. Lower case.
#[rustfmt::skip]
const WORDS: &[&str] = &[
    "required", "optional", "string", "boolean", "integer", "number", "null", "none", "undefined", "true", "false", "hidden",
    "secret", "password", "passwd", "invalid", "missing", "incorrect", "protected", "encrypted", "reset", "expired",
    "bearer", "basic", "field", "value", "empty", "default", "unset", "input", "type", "disabled", "enabled",
];

fn alternation(words: &[&str]) -> String {
    let mut longest_first = words.to_vec();
    longest_first.sort_by_key(|w| std::cmp::Reverse(w.len()));
    longest_first.join("|")
}

pub(super) fn detector() -> Rule {
    let words = alternation(&[PASSWORDS, SECRETS].concat());
    Rule {
        id: "credential.assignment",
        category: Category::Secret,
        severity: Severity::Critical,
        pattern: pattern(
            format!(
                r#"(?i:{words}){TAIL}(?:["'\]]?[ \t]?[ \t]?(?:=>|:=|[:=]|\xEF\xBC\x9A)[ \t]?[ \t]?["'`]?|,?[ ](?:(?i:is|was|to|as|it's|its|ist|lautet|est|es|:)[ ])?["'`]?)[!#-%(-+.-:=?-\[\]^_a-~-]+"#
            ),
            300,
            1,
        ),
        check,
    }
}

/// What stands between the word and the value.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Link {
    /// `=`, `:`, `=>`.
    Sign,
    /// `is` and the like.
    Verb,
    /// A space.
    Space,
}

/// The candidate taken apart.
struct Parts<'a> {
    password: bool,
    word: &'static str,
    /// What follows the word in the same name: `_id`, `Hash`.
    tail: &'a [u8],
    link: Link,
    quoted: bool,
    value: Span,
}

fn take_apart(bytes: &[u8]) -> Option<Parts<'_>> {
    let starts = |words: &'static [&'static str]| {
        words
            .iter()
            .copied()
            .filter(|w| bytes.get(..w.len()).is_some_and(|b| b.eq_ignore_ascii_case(w.as_bytes())))
            .max_by_key(|w| w.len())
    };
    let (password, word) = match (starts(PASSWORDS), starts(SECRETS)) {
        (Some(word), _) => (true, word),
        (None, Some(word)) => (false, word),
        (None, None) => return None,
    };
    let rest = bytes.get(word.len()..)?;
    let tail_len = rest.iter().take_while(|b| b.is_ascii_alphanumeric() || **b == b'_').count();
    let (tail, rest) = rest.split_at_checked(tail_len)?;
    let mut at = word.len() + tail_len;
    let skip = |at: &mut usize, of: &[u8]| {
        let n = bytes.get(*at..).unwrap_or_default().iter().take_while(|b| of.contains(b)).count();
        *at += n;
        n
    };
    let wide_colon = rest.starts_with("：".as_bytes());
    if wide_colon {
        at += "：".len();
    }
    let sign = rest.iter().find(|b| !matches!(b, b' ' | b'\t' | b'"' | b'\'' | b']'));
    let mut link = Link::Space;
    if wide_colon || matches!(sign, Some(b'=' | b':')) {
        link = Link::Sign;
        skip(&mut at, b"\"']");
        skip(&mut at, b" \t");
        skip(&mut at, b":=>");
        skip(&mut at, b" \t");
    } else {
        skip(&mut at, b", ");
        let words = ["is ", "was ", "to ", "as ", "it's ", "its ", "ist ", "lautet ", "est ", "es ", ": "];
        let verb = words
            .iter()
            .find(|v| bytes.get(at..at + v.len()).is_some_and(|b| b.eq_ignore_ascii_case(v.as_bytes())));
        if let Some(verb) = verb {
            link = Link::Verb;
            at += verb.len();
        }
    }
    let quoted = skip(&mut at, b"\"'`") > 0;
    Some(Parts { password, word, tail, link, quoted, value: Span::new(at, bytes.len()) })
}

fn check(candidate: &Candidate<'_>) -> Option<Match> {
    let parts = take_apart(candidate.bytes)?;
    let mut value = candidate.bytes.get(parts.value.range())?;
    if !parts.quoted {
        // What ends a sentence or a bracket is no part of an unquoted value.
        while let [rest @ .., b'.' | b':' | b'?' | b')' | b']' | b'}' | b'/'] = value {
            value = rest;
        }
    }
    if value.is_empty() || names_something_else(parts.tail) || stands_for_a_value(value) {
        return None;
    }
    let score = if parts.password {
        password_score(value, parts.link, parts.quoted)?
    } else {
        secret_score(value, parts.link)?
    };
    let how = match parts.link {
        Link::Sign => "assigned to",
        Link::Verb | Link::Space => "said after",
    };
    let span = Span::new(parts.value.start, parts.value.start + value.len());
    part(span, score, format!("random enough, {how} `{}`", parts.word))
}

/// `token_count`, `secret_name`, `passwordHash`: the name is of something about the secret.
fn names_something_else(tail: &[u8]) -> bool {
    #[rustfmt::skip]
    const ABOUT: &[&str] = &[
        "id", "ids", "name", "names", "count", "url", "uri", "path", "file", "type", "length", "limit", "expir", "ttl",
        "field", "label", "ref", "arn", "version", "policy", "rotation", "manager", "size", "usage", "public", "izer",
        "ize", "izer", "s_used", "reset",
    ];
    let lower = String::from_utf8_lossy(tail).to_ascii_lowercase();
    let trimmed = lower.trim_start_matches('_');
    ABOUT.iter().any(|a| trimmed.starts_with(a) || lower.ends_with(&format!("_{a}")))
}

/// References, templates, code, paths and words where a value would stand.
fn stands_for_a_value(value: &[u8]) -> bool {
    #[rustfmt::skip]
    const REFERENCES: &[&str] = &[
        "http://", "https://", "arn:", "projects/", "vault:", "ssm:", "op://", "env:", "env.", "os.", "process.", "config.",
        "self.", "this.", "settings.", "secrets.", "var.", "file:", "data:", "sha256:", "sha1:", "sha512:", "md5:", "ref+",
        "function", "new ", "await", "null",
    ];
    let lower = String::from_utf8_lossy(value).to_ascii_lowercase();
    let template = matches!(value, [b'$' | b'{' | b'%' | b'<' | b'@', ..])
        && value.iter().any(|b| matches!(b, b'{' | b'(' | b'<' | b'%' | b'_'));
    let code = value.iter().any(|b| matches!(b, b'(' | b')' | b'[' | b']' | b'{' | b'}'));
    let word = WORDS.contains(&lower.trim_matches(|c: char| !c.is_ascii_alphanumeric()));
    template
        || code
        || word
        || looks_like_placeholder(value)
        || REFERENCES.iter().any(|r| lower.starts_with(r))
}

/// Which of lower case, upper case, digits and signs occur, and how many letters change case.
fn classes(value: &[u8]) -> usize {
    let lower = value.iter().any(u8::is_ascii_lowercase);
    // A capital at the start is how words begin.
    let upper = value.iter().skip(1).any(u8::is_ascii_uppercase);
    let digit = value.iter().any(u8::is_ascii_digit);
    let sign = value.iter().any(|b| b.is_ascii_punctuation() && !matches!(b, b'-' | b'_' | b'.'));
    [lower, upper, digit, sign].iter().filter(|x| **x).count()
}

fn password_score(value: &[u8], link: Link, quoted: bool) -> Option<u16> {
    let classes = classes(value);
    let letters = value.iter().any(u8::is_ascii_alphabetic);
    match link {
        _ if value.len() < 6 || value.len() > 128 => None,
        Link::Sign if classes >= 2 && letters => Some(850),
        // All one class: `letmein`, `123456`; a person may have typed it, a manual too.
        Link::Sign if quoted || value.len() >= 8 => Some(400),
        Link::Verb | Link::Space if value.len() >= 7 && classes >= 3 && letters => Some(700),
        Link::Verb if value.len() >= 6 && classes >= 2 && value.iter().any(u8::is_ascii_digit) && letters => {
            Some(550)
        }
        _ => None,
    }
}

fn secret_score(value: &[u8], link: Link) -> Option<u16> {
    let hex = value.iter().all(u8::is_ascii_hexdigit);
    let digits = value.iter().filter(|b| b.is_ascii_digit()).count();
    let letters = value.iter().any(u8::is_ascii_alphabetic);
    let entropy = entropy_millibits(value);
    let random = match hex {
        true => value.len() >= 16 && entropy >= 2700 && letters,
        // Names and paths have few digits and much repetition.
        false => value.len() >= 16 && entropy >= 3300 && letters && (digits >= 2 || classes(value) >= 3),
    };
    let uuid = value.len() == 36 && value.iter().filter(|b| **b == b'-').count() == 4;
    let path = value.iter().filter(|b| **b == b'/').count() >= 3 && classes(value) < 3;
    match link {
        _ if !random || path || value.len() > 256 => None,
        _ if uuid => Some(if link == Link::Sign { 600 } else { 400 }),
        Link::Sign => Some(850),
        Link::Verb | Link::Space if value.len() >= 20 => Some(750),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use crate::detectors::testing::{found, nothing, scored};

    use super::*;

    #[test]
    fn positives() {
        for (text, value) in [
            ("DB_PASSWORD=huntNVT6#", "huntNVT6#"),
            ("password: Zebragql7!", "Zebragql7!"),
            ("{\"password\": \"tr0ub4dor&3\"}", "tr0ub4dor"),
            ("dbPassword = 'c0rrectHorse'", "c0rrectHorse"),
            ("My password is Winter2mGuD*Xm*.", "Winter2mGuD*Xm*"),
            ("my password, it's c0rrect4ZqN! and", "c0rrect4ZqN!"),
            ("temporary password P@ssSHUk*9 for", "P@ssSHUk*9"),
            ("export API_SECRET=\"6e8a1beff762f735ac08710d1338728a\"", "6e8a1beff762f735ac08710d1338728a"),
            ("\"CLIENT_SECRET\": \"OnHEB/BEdEXg6ddbxYUXQ5f2sWN0Ejsw\",", "OnHEB/BEdEXg6ddbxYUXQ5f2sWN0Ejsw"),
            ("const clientSecret = '5g4Lvn9xlanv+HmkHIt4yggrLTlX';", "5g4Lvn9xlanv+HmkHIt4yggrLTlX"),
            ("header x-api-key 9202fca6fa8838d4dcce14da22f25ca0", "9202fca6fa8838d4dcce14da22f25ca0"),
            ("url?token=Zk3Jq9xW2LmN8vRt5YbC&page=2", "Zk3Jq9xW2LmN8vRt5YbC"),
            ("api_key => \"Zk3Jq9xW2LmN8vRt5YbC\"", "Zk3Jq9xW2LmN8vRt5YbC"),
            ("my key is Zk3Jq9xW2LmN8vRt5YbC why", "Zk3Jq9xW2LmN8vRt5YbC"),
            ("Passwort: Sommer2024!", "Sommer2024!"),
            ("密码：Abc12345x!", "Abc12345x!"),
        ] {
            assert_eq!(found(&detector(), text), [value], "{text}");
        }
    }

    #[test]
    fn near_misses() {
        for text in [
            "password is required",
            "Password: <your password>",
            "password=${DB_PASSWORD}",
            "password = os.environ['X1']",
            "api_key=YOUR_API_KEY_HERE_1234",
            "api_key: process.env.API_KEY_1",
            "token_count = 1234567890123456",
            "secret_name=prod/db/creds1234567890",
            "password=xxxxxxxxxx",
            "token: string",
            "password reset link sent",
            "the token is invalid",
            "secret: https://vault.internal/a1b2c3d4e5f6",
            "apiKey = getKey(a1b2c3d4e5f6)",
            "the password must have 8 characters",
            "tokenizer: bert-base-uncased-v12345",
            "token=sha256:4748084f65b3dd11",
            "api_key: {{ vault.db_password_1 }}",
            "secret santa 2024 list",
            "password1",
        ] {
            nothing(&detector(), text);
        }
    }

    #[test]
    fn a_plain_word_does_not_act() {
        assert!(scored(&detector(), "password: \"letmein\"") < 500);
        assert!(scored(&detector(), "api_token=550e8400-e29b-41d4-a716-446655440000") <= 600);
    }
}
