//! Credentials that someone forgot in a file. Their values are never shown.

/// One kind of credential: how it begins, the characters that follow, and how many there must be.
struct Kind {
    name: &'static str,
    prefix: &'static str,
    least: usize,
    most: usize,
    upper: bool,
}

const KINDS: &[Kind] = &[
    kind("Anthropic key", "sk-ant-", 32, 200, false),
    kind("AWS access key", "AKIA", 16, 16, true),
    kind("AWS temporary access key", "ASIA", 16, 16, true),
    kind("GitHub token", "ghp_", 36, 40, false),
    kind("GitHub token", "gho_", 36, 40, false),
    kind("GitHub token", "ghs_", 36, 40, false),
    kind("GitHub token", "github_pat_", 50, 100, false),
    kind("GitLab token", "glpat-", 20, 40, false),
    kind("Google API key", "AIza", 35, 35, false),
    kind("Groq key", "gsk_", 40, 80, false),
    kind("Hugging Face token", "hf_", 30, 45, false),
    kind("NVIDIA key", "nvapi-", 40, 90, false),
    kind("OpenAI key", "sk-proj-", 40, 200, false),
    kind("OpenAI key", "sk-", 32, 64, false),
    kind("Slack token", "xoxb-", 30, 90, false),
    kind("Slack token", "xoxp-", 30, 90, false),
    kind("Replicate token", "r8_", 37, 40, false),
];

const fn kind(name: &'static str, prefix: &'static str, least: usize, most: usize, upper: bool) -> Kind {
    Kind { name, prefix, least, most, upper }
}

/// The first credential in `text`: what it is and where.
pub(crate) fn find(text: &str) -> Option<(&'static str, usize)> {
    if let Some(at) = text.find("PRIVATE KEY-----").filter(|_| text.contains("-----BEGIN ")) {
        return Some(("private key", at));
    }
    let bytes = text.as_bytes();
    // Every prefix has one of these as its third or fourth character; a scan for them passes over plain text quickly.
    memchr::memchr3_iter(b'_', b'-', b'A', bytes).find_map(|mark| {
        KINDS.iter().find_map(|kind| {
            let from = mark.checked_sub(kind.prefix.find(['_', '-', 'A'])?)?;
            kind.stands_at(bytes, from).then_some((kind.name, from))
        })
    })
}

impl Kind {
    fn stands_at(&self, bytes: &[u8], from: usize) -> bool {
        let Some(rest) = bytes.get(from..).and_then(|rest| rest.strip_prefix(self.prefix.as_bytes())) else {
            return false;
        };
        let word = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_' || byte == b'-';
        if from.checked_sub(1).and_then(|at| bytes.get(at)).is_some_and(|before| word(*before)) {
            return false;
        }
        let length = rest.iter().take(self.most + 1).take_while(|byte| word(**byte)).count();
        let body = rest.get(..length).unwrap_or_default();
        let fits = |byte: &u8| !self.upper || byte.is_ascii_uppercase() || byte.is_ascii_digit();
        (self.least..=self.most).contains(&length) && body.iter().all(fits) && random(body)
    }
}

/// Whether this could be drawn at random: placeholders repeat themselves or have no digits.
fn random(body: &[u8]) -> bool {
    let mut seen = [false; 256];
    body.iter().for_each(|byte| seen[usize::from(*byte)] = true);
    let distinct = seen.iter().filter(|seen| **seen).count();
    distinct >= 8 && body.iter().any(u8::is_ascii_digit) && body.iter().any(u8::is_ascii_alphabetic)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn credentials_are_told_from_placeholders() {
        // Put together here, so that no scanner of repositories takes them for real.
        let token = |prefix: &str, body: &str| format!("token='{prefix}{body}'");
        assert_eq!(
            find(&token("hf_", "aB3dE5fG7hI9jK1lM3nO5pQ7rS9tU1vW3x")).map(|found| found.0),
            Some("Hugging Face token")
        );
        assert_eq!(find(&token("AKIA", "2E5FGH7IJK9LMNOP")).map(|found| found.0), Some("AWS access key"));
        for text in [
            "hf_xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx",
            "hf_your_token_here",
            "sk-your-key",
            "task-decomposition-with-many-words-and-so-on-and-so-forth-1",
            "self_hf_model",
        ] {
            assert_eq!(find(text), None, "{text}");
        }
    }
}
