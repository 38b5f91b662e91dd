//! What containers have in common, wherever they are described.

use crate::infrastructure::rules;
use crate::infrastructure::servers::{self, Server};
use crate::remark::{Remarks, shown};

/// One container: its image, its command line and its environment, each with its line.
pub(crate) struct Container {
    pub(crate) name: String,
    pub(crate) line: usize,
    pub(crate) image: String,
    pub(crate) image_line: usize,
    /// Command and arguments, joined by blanks.
    pub(crate) command: String,
    pub(crate) command_line: usize,
    /// Names and plain values; a value from elsewhere is `$`.
    pub(crate) environment: Vec<(String, String)>,
    pub(crate) environment_lines: Vec<usize>,
}

impl Container {
    /// The server of models that it is.
    pub(crate) fn server(&self) -> Option<&'static Server> {
        servers::of(&self.image, &self.command)
    }

    /// Notes what any container may do wrong.
    pub(crate) fn check(&self, remarks: &mut Remarks<'_>) {
        image(&self.image, self.image_line, remarks);
        arguments(&self.command, self.command_line, remarks);
        if let Some(how) =
            servers::turned_off(&self.command, &self.environment).filter(|_| self.server().is_some())
        {
            let variable = how.split('=').next().unwrap_or_default();
            let at = self.environment.iter().position(|(name, _)| name == variable);
            let line = at.and_then(|at| self.environment_lines.get(at)).copied().unwrap_or(self.command_line);
            remarks.add_line(
                &rules::LOGIN_OFF,
                line,
                format!("`{}` lets everyone in to `{}`", shown(&how), shown(&self.name)),
            );
        }
        for ((name, value), line) in self.environment.iter().zip(&self.environment_lines) {
            key(name, value, *line, remarks);
        }
        let hub =
            self.server().is_some_and(|server| matches!(server.name, "vLLM" | "SGLang" | "TGI" | "TEI"));
        if hub && self.loads_by_name() && !self.command.contains("--revision") {
            remarks.add_line(
                &rules::UNPINNED_MODEL,
                self.command_line,
                format!("`{}` names a model and no commit", shown(&self.name)),
            );
        }
    }

    /// Whether it is told a model of a hub, by `owner/name`.
    pub(crate) fn loads_by_name(&self) -> bool {
        let by_flag = self.command.split_whitespace().any(|word| {
            let value = word.rsplit('=').next().unwrap_or(word);
            value.matches('/').count() == 1
                && !value.starts_with(['/', '.', '-', '$'])
                && !value.contains("://")
                && value.split('/').all(|part| part.len() > 1)
        });
        by_flag
            || self.environment.iter().any(|(name, value)| {
                matches!(name.as_str(), "MODEL_ID" | "MODEL_NAME" | "MODEL")
                    && value.contains('/')
                    && !value.starts_with('/')
            })
    }
}

/// An image without a version.
pub(crate) fn image(image: &str, line: usize, remarks: &mut Remarks<'_>) {
    if image.is_empty()
        || image.contains("@sha256:")
        || image.contains('$')
        || image == "scratch"
        || image.contains("templated")
    {
        return;
    }
    let last = image.rsplit('/').next().unwrap_or(image);
    let tag = last.split_once(':').map(|(_, tag)| tag);
    if matches!(tag, None | Some("latest" | "main" | "master" | "nightly" | "dev" | "edge")) {
        remarks.add_line(
            &rules::UNPINNED_IMAGE,
            line,
            format!("`{}` may be another image tomorrow", shown(image)),
        );
    }
}

/// What the arguments of a server allow.
pub(crate) fn arguments(command: &str, line: usize, remarks: &mut Remarks<'_>) {
    let trusts = command.contains("--trust-remote-code") || command.contains("--trust_remote_code");
    if trusts
        && !command.contains("--trust-remote-code=false")
        && !command.contains("--trust-remote-code False")
    {
        remarks.add_line(&rules::REMOTE_CODE, line, "the server is started with `--trust-remote-code`");
    }
}

/// A provider's key in clear.
pub(crate) fn key(name: &str, value: &str, line: usize, remarks: &mut Remarks<'_>) {
    const NAMES: &[&str] = &[
        "OPENAI_API_KEY",
        "ANTHROPIC_API_KEY",
        "HF_TOKEN",
        "HUGGING_FACE_HUB_TOKEN",
        "HUGGINGFACEHUB_API_TOKEN",
        "HUGGINGFACE_TOKEN",
        "AZURE_OPENAI_API_KEY",
        "AZURE_OPENAI_KEY",
        "GOOGLE_API_KEY",
        "GEMINI_API_KEY",
        "COHERE_API_KEY",
        "MISTRAL_API_KEY",
        "GROQ_API_KEY",
        "TOGETHER_API_KEY",
        "REPLICATE_API_TOKEN",
        "AWS_SECRET_ACCESS_KEY",
        "NGC_API_KEY",
        "NVIDIA_API_KEY",
        "WANDB_API_KEY",
        "PINECONE_API_KEY",
        "LANGCHAIN_API_KEY",
        "LANGSMITH_API_KEY",
        "DEEPSEEK_API_KEY",
        "OPENROUTER_API_KEY",
        "PERPLEXITY_API_KEY",
        "LITELLM_MASTER_KEY",
        "XAI_API_KEY",
        "FIREWORKS_API_KEY",
    ];
    const STAND_INS: &[&str] = &[
        "your",
        "xxx",
        "example",
        "changeme",
        "placeholder",
        "dummy",
        "none",
        "empty",
        "todo",
        "...",
        "insert",
        "replace",
        "templated",
        "not-needed",
        "fake",
        "test",
    ];
    let lower = value.to_ascii_lowercase();
    let stands_in = STAND_INS.iter().any(|word| lower.contains(word))
        || value.starts_with(['$', '<', '{'])
        || value.contains("${");
    let named = NAMES.contains(&name) && value.len() >= 12;
    if (named || crate::secrets::any(value)) && !stands_in {
        remarks.add_line(&rules::PROVIDER_KEY, line, format!("`{}` has its value in the file", shown(name)));
    }
}
