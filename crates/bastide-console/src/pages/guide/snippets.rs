//! How an application is pointed here.

use crate::design::{Code, Href, Html, Language, Paragraph, Tabs};
use crate::web::Visit;

/// Clients with an example, by the name in the address.
const CLIENTS: [(&str, &str); 4] =
    [("curl", "curl"), ("python", "Python"), ("node", "Node"), ("langchain", "LangChain")];

/// The example for the chosen client, with this server's address.
pub(super) fn of(visit: &Visit<'_>) -> Html {
    let chosen = visit.query.text("client");
    let at = CLIENTS.iter().position(|(id, _)| *id == chosen).unwrap_or(0);
    let tabs = CLIENTS.iter().fold(Tabs::new("Clients", at), |tabs, (id, name)| {
        tabs.tab(*name, Href::page("/console/guide").query("client", id))
    });
    let base = format!("{}/v1", visit.origin());
    let (file, language, text) = match CLIENTS.get(at).map(|(id, _)| *id) {
        Some("python") => ("app.py", Language::Plain, python(&base)),
        Some("node") => ("app.mjs", Language::Plain, node(&base)),
        Some("langchain") => ("app.py", Language::Plain, langchain(&base)),
        _ => ("Shell", Language::Shell, curl(&base)),
    };
    let words = "Two values change in your application: the base URL and the key. Put your key in place of bst_..., and \
                 the name of one of your models in place of my-model.";
    Html::from(Paragraph::new(words)).then(tabs).then(Code::new(file, language, text))
}

fn curl(base: &str) -> String {
    format!(
        "curl {base}/chat/completions \\\n  -H 'authorization: Bearer bst_...' \\\n  -H 'content-type: application/json' \\\n  \
         -d '{{\"model\":\"my-model\",\"messages\":[{{\"role\":\"user\",\"content\":\"Hello\"}}]}}'\n"
    )
}

fn python(base: &str) -> String {
    format!(
        "from openai import OpenAI\n\nclient = OpenAI(base_url=\"{base}\", api_key=\"bst_...\")\nanswer = \
         client.chat.completions.create(\n    model=\"my-model\",\n    messages=[{{\"role\": \"user\", \"content\": \
         \"Hello\"}}],\n)\nprint(answer.choices[0].message.content)\n"
    )
}

fn node(base: &str) -> String {
    format!(
        "import OpenAI from \"openai\";\n\nconst client = new OpenAI({{ baseURL: \"{base}\", apiKey: \"bst_...\" \
         }});\nconst answer = await client.chat.completions.create({{\n  model: \"my-model\",\n  messages: [{{ role: \
         \"user\", content: \"Hello\" }}],\n}});\nconsole.log(answer.choices[0].message.content);\n"
    )
}

fn langchain(base: &str) -> String {
    format!(
        "from langchain_openai import ChatOpenAI\n\nmodel = ChatOpenAI(\n    model=\"my-model\",\n    \
         base_url=\"{base}\",\n    api_key=\"bst_...\",\n)\nprint(model.invoke(\"Hello\").content)\n"
    )
}
