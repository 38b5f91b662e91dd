//! Every kind with a made-up credential, written as a template so that no scanner of repositories takes it for a leak.

use std::collections::BTreeSet;

use super::*;
use crate::detectors::testing::{matches, nothing};

/// `{h32}` stands for 32 characters of the class: `h` hex, `a` letters and digits, `u` URL-safe, `U` upper case and
/// digits, `d` digits, `l` lower case and digits.
#[rustfmt::skip]
const TEMPLATES: &[(&str, &str)] = &[
    ("credential.openai", "sk-proj-{u74}T3BlbkFJ{u74}"), ("credential.openai", "sk-{a20}T3BlbkFJ{a20}"),
    ("credential.openai", "sk-svcacct-{u60}"), ("credential.openai", "sk-{l32}"),
    ("credential.anthropic", "sk-ant-api03-{u93}AA"), ("credential.openrouter", "sk-or-v1-{h64}"),
    ("credential.langfuse", "sk-lf-{h8}-{h4}-{h4}-{h4}-{h12}"), ("credential.langsmith", "lsv2_pt_{h32}_{h10}"),
    ("credential.huggingface", "hf_{a34}"), ("credential.replicate", "r8_{a37}"),
    ("credential.perplexity", "pplx-{a48}"), ("credential.groq", "gsk_{a52}"), ("credential.xai", "xai-{a80}"),
    ("credential.nvidia", "nvapi-{u64}"), ("credential.pinecone", "pcsk_{a6}_{a63}"),
    ("credential.tavily", "tvly-dev-{a32}"), ("credential.elevenlabs", "sk_{h48}"),
    ("credential.aws-access-key-id", "AKIA{U16}"), ("credential.aws-access-key-id", "ASIA{U16}"),
    ("credential.google-api-key", "AIzaSy{u33}"), ("credential.google-oauth", "GOCSPX-{u28}"),
    ("credential.google-oauth", "ya29.{u120}"), ("credential.azure-ad-client-secret", "{a3}8Q~{u34}"),
    ("credential.alibaba-access-key-id", "LTAI{a20}"), ("credential.tencent-secret-id", "AKID{a32}"),
    ("credential.yandex", "AQVN{u35}"), ("credential.digitalocean", "dop_v1_{h64}"),
    ("credential.heroku", "HRKU-AA{u58}"), ("credential.fly", "fm2_{a120}"), ("credential.netlify", "nfp_{a36}"),
    ("credential.cloudflare-origin", "v1.0-{h24}-{h146}"), ("credential.planetscale", "pscale_tkn_{u43}"),
    ("credential.supabase", "sbp_{h40}"), ("credential.doppler", "dp.pt.{a43}"), ("credential.doppler", "dp.st.dev.{a43}"),
    ("credential.terraform-cloud", "{a14}.atlasv1.{u67}"), ("credential.vault", "hvs.{u95}"),
    ("credential.pulumi", "pul-{h40}"), ("credential.tailscale", "tskey-auth-{a12}CNTRL-{a32}"),
    ("credential.openshift", "sha256~{u43}"), ("credential.databricks", "dapi{h32}"), ("credential.databricks", "dapi{h32}-2"),
    ("credential.one-password", "ops_eyJ{a600}"), ("credential.age-secret-key", "AGE-SECRET-KEY-1{U58}"),
    ("credential.github-pat", "ghp_{a36}"), ("credential.github-oauth", "gho_{a36}"), ("credential.github-app", "ghs_{a36}"),
    ("credential.github-app", "ghu_{a36}"), ("credential.github-fine-grained", "github_pat_{a22}_{a59}"),
    ("credential.gitlab", "glpat-{u20}"), ("credential.gitlab", "glrt-{u20}"), ("credential.bitbucket", "ATBB{a32}"),
    ("credential.atlassian", "ATATT3xFfGF0{u172}=4U9KYRHB"), ("credential.npm", "npm_{a36}"),
    ("credential.pypi", "pypi-AgEIcHlwaS5vcmc{u100}"), ("credential.rubygems", "rubygems_{h48}"),
    ("credential.docker-hub", "dckr_pat_{u27}"), ("credential.artifactory", "AKCp{a69}"),
    ("credential.sentry", "sntrys_{a120}"), ("credential.buildkite", "bkua_{h40}"), ("credential.sonarqube", "squ_{h40}"),
    ("credential.postman", "PMAK-{h24}-{h34}"), ("credential.slack-bot", "xoxb-{d12}-{d13}-{a24}"),
    ("credential.slack-user", "xoxp-{d12}-{d12}-{d12}-{h32}"), ("credential.slack-app", "xapp-1-{U11}-{d13}-{h64}"),
    ("credential.slack-webhook", "https://hooks.slack.com/services/T{U10}/B{U10}/{a24}"),
    ("credential.discord-webhook", "https://discord.com/api/webhooks/{d18}/{u68}"),
    ("credential.discord-bot", "MTkyOTUzNDY0NjAwMTQ1MjE3.gKKOPl.{u27}"), ("credential.telegram-bot", "{d10}:AA{u33}"),
    ("credential.twilio-api-key", "SK{h32}"), ("credential.sendgrid", "SG.{u22}.{u43}"), ("credential.mailgun", "key-{h32}"),
    ("credential.mailchimp", "{h32}-us9"), ("credential.brevo", "xkeysib-{h64}-{a16}"),
    ("credential.stripe", "sk_live_{a24}"), ("credential.stripe", "rk_live_{a99}"), ("credential.stripe", "whsec_{a32}"),
    ("credential.square", "sq0atp-{u22}"), ("credential.shopify", "shpat_{h32}"), ("credential.razorpay", "rzp_live_{a14}"),
    ("credential.easypost", "EZAK{a54}"), ("credential.grafana", "glsa_{a32}_{h8}"), ("credential.newrelic", "NRAK-{U27}"),
    ("credential.dynatrace", "dt0c01.{U24}.{U64}"), ("credential.linear", "lin_api_{a40}"), ("credential.notion", "ntn_{a46}"),
    ("credential.airtable", "pat{a14}.{h64}"), ("credential.figma", "figd_{u40}"), ("credential.contentful", "CFPAT-{u43}"),
    ("credential.bastide", "bst_{u40}"),
];

/// Letters and digits that vary like random ones, the same in every run.
fn expand(template: &str, seed: u32) -> String {
    let mut state = seed.wrapping_mul(2_654_435_761).max(1);
    let mut out = String::new();
    let mut rest = template;
    while let Some((before, after)) = rest.split_once('{') {
        let (class, tail) = after.split_once('}').unwrap();
        let alphabet: &[u8] = match &class[..1] {
            "h" => b"0123456789abcdef",
            "d" => b"0123456789",
            "U" => b"ABCDEFGHIJKLMNOPQRSTUVWXYZ234567",
            "l" => b"abcdefghijklmnopqrstuvwxyz0123456789",
            "u" => b"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_",
            _ => b"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789",
        };
        out.push_str(before);
        let n: usize = class[1..].parse().unwrap();
        for i in 0..n {
            state ^= state << 13;
            state ^= state >> 17;
            state ^= state << 5;
            let mut c = alphabet[usize::try_from(state).unwrap() % alphabet.len()];
            // A credential that ends in a dash would be told from the text around it by nobody.
            if i + 1 == n && (c == b'-' || c == b'_') {
                c = b'a';
            }
            out.push(char::from(c));
        }
        rest = tail;
    }
    out.push_str(rest);
    out
}

fn detector(id: &str) -> impl Detector {
    detectors().find(|d| d.id() == id).unwrap()
}

#[test]
fn every_kind_is_found_wherever_it_is_written() {
    for (id, template) in TEMPLATES {
        let detector = detector(id);
        for (seed, (before, after)) in (7..).zip([
            ("KEY=", ""),
            ("\"key\": \"", "\","),
            ("Bearer ", "\n"),
            ("my key is ", ". Why"),
            ("(", ")"),
            ("url?token=", "&page=2"),
            ("密钥", "。"),
        ]) {
            let token = expand(template, seed);
            let text = format!("{before}{token}{after}");
            let found = matches(&detector, &text);
            assert_eq!(found.len(), 1, "{id}: {text}");
            let (start, end, real) = &found[0];
            assert_eq!(&text[*start..*end], token, "{id}");
            assert!(real.score.get() >= 800 && !real.reason.contains(&token), "{id}: {}", real.reason);
        }
    }
}

#[test]
fn every_kind_has_a_template() {
    let tried: BTreeSet<_> = TEMPLATES.iter().map(|(id, _)| *id).collect();
    let known: BTreeSet<_> = KINDS.iter().map(|k| k.id).collect();
    assert_eq!(tried, known);
    assert!(known.len() >= 20);
}

#[test]
fn stand_ins_and_fragments_are_not_found() {
    for (id, template) in TEMPLATES {
        let detector = detector(id);
        let token = expand(template, 3);
        let kind = KINDS.iter().find(|k| k.id == *id).unwrap();
        let body_from = token.len() / 2;
        let blank: String = token
            .chars()
            .enumerate()
            .map(|(i, c)| if i >= body_from && c.is_alphanumeric() { 'x' } else { c })
            .collect();
        nothing(&detector, &blank);
        nothing(&detector, &token[..kind.length.0 - 1]);
        if token.as_bytes()[0].is_ascii_alphanumeric()
            && !matches!(*id, "credential.terraform-cloud" | "credential.azure-ad-client-secret")
        {
            nothing(&detector, &format!("z{token}"));
        }
    }
    for text in [
        "AKIAIOSFODNN7EXAMPLE",
        "sk-learn-is-a-library-of-machine-learning-tools",
        "npm_config_registry",
        "key-value-store",
        "SKU12345",
    ] {
        for d in detectors() {
            nothing(&d, text);
        }
    }
}
