//! How an application is pointed here, for the clients that people have.

use crate::design::{Code, Language};
use crate::web::Visit;

/// The variable that the examples read the key from: it stands in no source and no list of processes.
pub(super) const VARIABLE: &str = "BASTIDE_KEY";
/// In the place of a model while none is known.
pub(super) const NO_MODEL: &str = "my-model";

/// A client with an example.
pub(super) struct Client {
    /// In an address.
    pub(super) id: &'static str,
    /// As people call it.
    pub(super) name: &'static str,
    file: &'static str,
    language: Language,
    write: fn(&str, &str) -> String,
}

/// Every client with an example.
pub(super) const CLIENTS: [Client; 4] = [
    Client { id: "curl", name: "curl", file: "Shell", language: Language::Shell, write: curl },
    Client { id: "python", name: "Python", file: "app.py", language: Language::Plain, write: python },
    Client { id: "node", name: "Node", file: "app.mjs", language: Language::Plain, write: node },
    Client {
        id: "langchain",
        name: "LangChain",
        file: "app.py",
        language: Language::Plain,
        write: langchain,
    },
];

impl Client {
    /// Its example, with this server's address and a model that callers use here.
    pub(super) fn example(&self, visit: &Visit<'_>) -> Code {
        let base = format!("{}/v1", visit.origin());
        Code::new(self.file, self.language, (self.write)(&base, &model(visit)))
    }
}

/// The model that is asked for most today; callers name them, so it is written only where it cannot be misread.
pub(super) fn model(visit: &Visit<'_>) -> String {
    let mut models = visit.admin().models_today();
    models.sort_by_key(|(_, used)| std::cmp::Reverse(used.exchanges.saturating_sub(used.blocked)));
    let plain = |name: &str| {
        let letter = |c: char| c.is_ascii_alphanumeric() || "-_./:@".contains(c);
        name.len() <= 100 && !name.is_empty() && name.chars().all(letter)
    };
    let known = models.into_iter().find(|(name, used)| plain(name) && used.exchanges > used.blocked);
    known.map_or_else(|| NO_MODEL.to_owned(), |(name, _)| name)
}

fn curl(base: &str, model: &str) -> String {
    format!(
        "curl {base}/chat/completions \\\n  -H \"authorization: Bearer ${VARIABLE}\" \\\n  -H 'content-type: \
         application/json' \\\n  -d '{{\"model\": \"{model}\", \"messages\": [{{\"role\": \"user\", \"content\": \
         \"Hello\"}}]}}'\n"
    )
}

fn python(base: &str, model: &str) -> String {
    format!(
        "import os\nfrom openai import OpenAI\n\nclient = OpenAI(base_url=\"{base}\", \
         api_key=os.environ[\"{VARIABLE}\"])\nanswer = client.chat.completions.create(\n    model=\"{model}\",\n    \
         messages=[{{\"role\": \"user\", \"content\": \"Hello\"}}],\n)\nprint(answer.choices[0].message.content)\n"
    )
}

fn node(base: &str, model: &str) -> String {
    format!(
        "import OpenAI from \"openai\";\n\nconst client = new OpenAI({{\n  baseURL: \"{base}\",\n  apiKey: \
         process.env.{VARIABLE},\n}});\nconst answer = await client.chat.completions.create({{\n  model: \
         \"{model}\",\n  messages: [{{ role: \"user\", content: \"Hello\" \
         }}],\n}});\nconsole.log(answer.choices[0].message.content);\n"
    )
}

fn langchain(base: &str, model: &str) -> String {
    format!(
        "import os\nfrom langchain_openai import ChatOpenAI\n\nmodel = ChatOpenAI(\n    model=\"{model}\",\n    \
         base_url=\"{base}\",\n    api_key=os.environ[\"{VARIABLE}\"],\n)\nprint(model.invoke(\"Hello\").content)\n"
    )
}
