//! The table of credentials with a prefix. Lengths are those of issued credentials, with room where issuers say that
//! the length may grow.

use super::credential::{Kind, has_both_kinds_of_hex, is_discord, is_openai, is_terraform};

const fn kind(
    id: &'static str,
    name: &'static str,
    regex: &'static str,
    prefix: usize,
    length: (usize, usize),
) -> Kind {
    Kind { id, name, regex, prefix, length, score: 950, also: None }
}

const fn checked(kind: Kind, also: fn(&[u8]) -> bool) -> Kind {
    Kind { also: Some(also), ..kind }
}

const fn weaker(kind: Kind, score: u16) -> Kind {
    Kind { score, ..kind }
}

#[rustfmt::skip]
pub(super) const KINDS: &[Kind] = &[
    // Language models.
    checked(kind("credential.openai", "an OpenAI API key", r"\bsk-[A-Za-z0-9_-]+", 3, (35, 224)), is_openai),
    kind("credential.anthropic", "an Anthropic API key", r"\bsk-ant-[A-Za-z0-9_-]+", 7, (50, 140)),
    kind("credential.openrouter", "an OpenRouter key", r"\bsk-or-[A-Za-z0-9_-]+", 6, (40, 90)),
    kind("credential.langfuse", "a Langfuse secret key", r"\bsk-lf-[0-9a-f-]+", 6, (42, 42)),
    kind("credential.langsmith", "a LangSmith key", r"\blsv2_(?:pt|sk)_[0-9a-f]+_[0-9a-f]+", 8, (48, 56)),
    kind("credential.huggingface", "a Hugging Face token", r"\b(?:hf|api_org)_[A-Za-z0-9]+", 3, (34, 48)),
    kind("credential.replicate", "a Replicate token", r"\br8_[A-Za-z0-9]+", 3, (37, 43)),
    kind("credential.perplexity", "a Perplexity key", r"\bpplx-[A-Za-z0-9]+", 5, (45, 64)),
    kind("credential.groq", "a Groq key", r"\bgsk_[A-Za-z0-9]+", 4, (52, 60)),
    kind("credential.xai", "an xAI key", r"\bxai-[A-Za-z0-9]+", 4, (70, 90)),
    kind("credential.nvidia", "an NVIDIA key", r"\bnvapi-[A-Za-z0-9_-]+", 6, (60, 80)),
    kind("credential.pinecone", "a Pinecone key", r"\bpcsk_[A-Za-z0-9_]+", 5, (50, 90)),
    kind("credential.tavily", "a Tavily key", r"\btvly-[A-Za-z0-9-]+", 5, (32, 64)),
    checked(kind("credential.elevenlabs", "an ElevenLabs key", r"\bsk_[0-9a-f]+", 3, (51, 51)), has_both_kinds_of_hex),
    // Clouds.
    kind("credential.aws-access-key-id", "an AWS access key id", r"\b(?:AKIA|ASIA|ABIA|ACCA)[A-Z0-9]+", 4, (20, 20)),
    kind("credential.google-api-key", "a Google API key", r"\bAIza[A-Za-z0-9_-]+", 4, (39, 39)),
    kind("credential.google-oauth", "a Google OAuth secret or token", r"\b(?:GOCSPX-|ya29\.)[A-Za-z0-9_-]+", 5, (33, 512)),
    kind("credential.azure-ad-client-secret", "an Entra ID client secret", r"\b[A-Za-z0-9_~.-][A-Za-z0-9_~.-][A-Za-z0-9_~.-][0-9]Q~[A-Za-z0-9_~.-]+", 6, (36, 42)),
    kind("credential.alibaba-access-key-id", "an Alibaba Cloud access key id", r"\bLTAI[A-Za-z0-9]+", 4, (16, 30)),
    kind("credential.tencent-secret-id", "a Tencent Cloud secret id", r"\bAKID[A-Za-z0-9]+", 4, (32, 40)),
    kind("credential.yandex", "a Yandex Cloud key", r"\bAQVN[A-Za-z0-9_-]+", 4, (38, 42)),
    kind("credential.digitalocean", "a DigitalOcean token", r"\bdo[opr]_v1_[0-9a-f]+", 7, (71, 71)),
    kind("credential.heroku", "a Heroku token", r"\bHRKU-[A-Za-z0-9_-]+", 5, (36, 80)),
    kind("credential.fly", "a Fly.io token", r"\bfm[12]r?_[A-Za-z0-9+/=_-]+", 4, (60, 800)),
    kind("credential.netlify", "a Netlify token", r"\bnfp_[A-Za-z0-9]+", 4, (40, 44)),
    kind("credential.cloudflare-origin", "a Cloudflare origin key", r"\bv1\.0-[0-9a-f]+-[0-9a-f]+", 5, (150, 180)),
    kind("credential.planetscale", "a PlanetScale credential", r"\bpscale_(?:tkn|pw|oauth)_[A-Za-z0-9=._-]+", 9, (40, 80)),
    kind("credential.supabase", "a Supabase key", r"\b(?:sbp_|sb_secret_)[A-Za-z0-9_-]+", 4, (40, 60)),
    kind("credential.doppler", "a Doppler token", r"\bdp\.(?:pt|ct|st|sa|scim|audit)\.(?:[a-z0-9_-]+\.)?[A-Za-z0-9]+", 6, (44, 96)),
    checked(kind("credential.terraform-cloud", "a Terraform Cloud token", r"\b[A-Za-z0-9]+\.atlasv1\.[A-Za-z0-9_-]+", 23, (80, 100)), is_terraform),
    kind("credential.vault", "a HashiCorp Vault token", r"\bhv[sbr]\.[A-Za-z0-9_-]+", 4, (28, 320)),
    kind("credential.pulumi", "a Pulumi token", r"\bpul-[0-9a-f]+", 4, (44, 44)),
    kind("credential.tailscale", "a Tailscale key", r"\btskey-[a-z]+-[A-Za-z0-9-]+", 11, (34, 80)),
    kind("credential.openshift", "an OpenShift token", r"\bsha256~[A-Za-z0-9_-]+", 7, (50, 50)),
    kind("credential.databricks", "a Databricks token", r"\bdapi[0-9a-f]+(?:-[0-9])?", 4, (36, 38)),
    kind("credential.one-password", "a 1Password service token", r"\bops_eyJ[A-Za-z0-9+/=_-]+", 7, (200, 1200)),
    kind("credential.age-secret-key", "an age secret key", r"\bAGE-SECRET-KEY-1[0-9A-Z]+", 16, (74, 74)),
    // Code and packages.
    kind("credential.github-pat", "a GitHub personal access token", r"\bghp_[A-Za-z0-9]+", 4, (40, 100)),
    kind("credential.github-oauth", "a GitHub OAuth token", r"\bgho_[A-Za-z0-9]+", 4, (40, 100)),
    kind("credential.github-app", "a GitHub App token", r"\bgh[usr]_[A-Za-z0-9]+", 4, (40, 100)),
    kind("credential.github-fine-grained", "a GitHub fine-grained token", r"\bgithub_pat_[A-Za-z0-9_]+", 11, (60, 120)),
    kind("credential.gitlab", "a GitLab token", r"\bgl(?:pat|rt|rtr|dt|ptt|cbt|ft|soat|imt|agent|oas|ffct)-[A-Za-z0-9_.-]+", 5, (25, 320)),
    kind("credential.bitbucket", "a Bitbucket app password", r"\bATBB[A-Za-z0-9]+", 4, (36, 40)),
    kind("credential.atlassian", "an Atlassian API token", r"\bAT[AC]TT3[A-Za-z0-9_=-]+", 6, (100, 260)),
    kind("credential.npm", "an npm token", r"\bnpm_[A-Za-z0-9]+", 4, (40, 40)),
    kind("credential.pypi", "a PyPI token", r"\bpypi-Ag[A-Za-z0-9_-]+", 7, (60, 300)),
    kind("credential.rubygems", "a RubyGems key", r"\brubygems_[0-9a-f]+", 9, (57, 57)),
    kind("credential.docker-hub", "a Docker Hub token", r"\bdckr_[po]at_[A-Za-z0-9_-]+", 9, (34, 48)),
    kind("credential.artifactory", "an Artifactory key", r"\bAKCp[A-Za-z0-9]+", 4, (64, 80)),
    kind("credential.sentry", "a Sentry token", r"\bsntry[su]_[A-Za-z0-9+/=_-]+", 7, (60, 300)),
    kind("credential.buildkite", "a Buildkite token", r"\bbk[u]a_[0-9a-f]+", 5, (45, 45)),
    kind("credential.sonarqube", "a SonarQube token", r"\bsq[aup]_[0-9a-f]+", 4, (44, 44)),
    kind("credential.postman", "a Postman key", r"\bPMAK-[0-9a-f]+-[0-9a-f]+", 5, (60, 68)),
    // Communication.
    kind("credential.slack-bot", "a Slack bot token", r"\bxoxb-[A-Za-z0-9-]+", 5, (40, 90)),
    kind("credential.slack-user", "a Slack user token", r"\bxox[aeoprs](?:\.xox[bp])?-[A-Za-z0-9-]+", 5, (40, 200)),
    kind("credential.slack-app", "a Slack app token", r"\bxapp-[0-9]-[A-Za-z0-9-]+", 7, (60, 140)),
    kind("credential.slack-webhook", "a Slack webhook", r"\bhttps://hooks\.slack\.com/(?:services|workflows|triggers)/[A-Za-z0-9/_-]+", 33, (60, 140)),
    kind("credential.discord-webhook", "a Discord webhook", r"\bhttps://discord(?:app)?\.com/api/webhooks/[0-9]+/[A-Za-z0-9_-]+", 33, (100, 160)),
    checked(kind("credential.discord-bot", "a Discord bot token", r"\b[MNO][A-Za-z0-9_-]+\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+", 1, (55, 90)), is_discord),
    kind("credential.telegram-bot", "a Telegram bot token", r"\b[0-9]+:AA[A-Za-z0-9_-]+", 11, (44, 47)),
    kind("credential.twilio-api-key", "a Twilio API key", r"\bSK[0-9a-f]+", 2, (34, 34)),
    kind("credential.sendgrid", "a SendGrid key", r"\bSG\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+", 3, (62, 74)),
    kind("credential.mailgun", "a Mailgun key", r"\bkey-[0-9a-f]+", 4, (36, 36)),
    kind("credential.mailchimp", "a Mailchimp key", r"\b[0-9a-f]+-us[0-9][0-9]?\b", 0, (36, 37)),
    kind("credential.brevo", "a Brevo key", r"\bxkeysib-[0-9a-f]+-[A-Za-z0-9]+", 8, (80, 96)),
    // Money and shops.
    kind("credential.stripe", "a Stripe key", r"\b(?:[sr]k_(?:live|test)_|whsec_)[A-Za-z0-9]+", 8, (24, 260)),
    kind("credential.square", "a Square token", r"\bsq0[a-z][a-z][a-z]-[A-Za-z0-9_-]+", 7, (29, 60)),
    kind("credential.shopify", "a Shopify token", r"\bshp(?:at|ca|pa|ss)_[0-9a-fA-F]+", 6, (37, 39)),
    kind("credential.razorpay", "a Razorpay key", r"\brzp_(?:live|test)_[A-Za-z0-9]+", 9, (23, 32)),
    kind("credential.easypost", "an EasyPost key", r"\bEZ[AT]K[A-Za-z0-9]+", 4, (56, 60)),
    // Tools.
    kind("credential.grafana", "a Grafana token", r"\b(?:glsa_[A-Za-z0-9]+_[0-9a-f]+|glc_[A-Za-z0-9+/=]+)", 5, (40, 320)),
    kind("credential.newrelic", "a New Relic key", r"\bNR(?:AK|JS|II|RA|AL)-[A-Za-z0-9-]+", 5, (24, 48)),
    kind("credential.dynatrace", "a Dynatrace token", r"\bdt0[a-z][0-9][0-9]\.[A-Z0-9]+\.[A-Z0-9]+", 7, (90, 100)),
    kind("credential.linear", "a Linear key", r"\blin_(?:api|oauth)_[A-Za-z0-9]+", 8, (40, 80)),
    kind("credential.notion", "a Notion token", r"\b(?:ntn|secret)_[A-Za-z0-9]+", 4, (46, 52)),
    kind("credential.airtable", "an Airtable token", r"\bpat[A-Za-z0-9]+\.[0-9a-f]+", 3, (82, 82)),
    kind("credential.figma", "a Figma token", r"\bfig[dour]_[A-Za-z0-9_-]+", 5, (40, 60)),
    kind("credential.contentful", "a Contentful token", r"\bCFPAT-[A-Za-z0-9_-]+", 6, (46, 52)),
    // bastide's own keys: a program that quotes its key must not send it on.
    weaker(kind("credential.bastide", "a bastide key", r"\bbst_[A-Za-z0-9_-]+", 4, (24, 96)), 990),
];
