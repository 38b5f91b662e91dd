//! Who a configuration says that its model is from, to tell its own publisher's code from somebody else's.

use super::super::json::Node;

/// Publishers whose models share one repository of code: configurations of the first name no model of theirs.
const PUBLISHERS: &[&str] = &[
    "ai21labs",
    "alibaba-nlp",
    "allenai",
    "apple",
    "baichuan-inc",
    "bigcode",
    "databricks",
    "deepseek-ai",
    "eleutherai",
    "facebook",
    "google",
    "ibm-granite",
    "internlm",
    "jinaai",
    "microsoft",
    "moonshotai",
    "mosaicml",
    "nomic-ai",
    "nvidia",
    "opengvlab",
    "openbmb",
    "qwen",
    "salesforce",
    "stabilityai",
    "thudm",
    "tiiuae",
    "zai-org",
];

/// The words by which a configuration names its model.
#[derive(Default)]
pub(super) struct Origin {
    /// Owners of the repositories that it names.
    owners: Vec<String>,
    /// Architecture and type of the model, letters only.
    kinds: Vec<String>,
}

impl Origin {
    pub(super) fn of(root: &Node<'_>) -> Self {
        const NAMES: &[&str] =
            &["_name_or_path", "base_model", "base_model_name_or_path", "model_name_or_path", "name_or_path"];
        let texts = |key: &&str| root.get_text(key);
        let owners = NAMES.iter().filter_map(texts).filter_map(|name| Some(name.split_once('/')?.0));
        let classes = root.get("architectures").map(Node::list).unwrap_or_default();
        let kinds = root.get_text("model_type").into_iter().chain(classes.iter().filter_map(Node::text));
        Origin { owners: owners.map(str::to_lowercase).collect(), kinds: kinds.map(letters).collect() }
    }

    /// Whether `repository` (`owner/name`) is of the publisher that the configuration is from, or of one that is known for
    /// keeping code apart. Whoever writes the configuration writes these names too: this tells honest models from the
    /// unusual, and proves nothing.
    pub(super) fn has(&self, repository: &str) -> bool {
        /// Shorter names are in too many others.
        const TELLING: usize = 4;
        let owner = repository.split('/').next().unwrap_or_default().to_lowercase();
        let stem = letters(owner.split(['-', '_', '.']).next().unwrap_or_default());
        self.owners.contains(&owner)
            || PUBLISHERS.contains(&owner.as_str())
            || stem.len() >= TELLING && self.kinds.iter().any(|kind| kind.starts_with(&stem))
    }
}

fn letters(text: &str) -> String {
    text.chars().filter(|c| c.is_alphanumeric()).flat_map(char::to_lowercase).collect()
}
