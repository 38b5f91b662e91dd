//! Servers of models: how they are recognised, and what makes them ask who is there.

/// One kind of server.
pub(crate) struct Server {
    /// Its name.
    pub(crate) name: &'static str,
    /// Parts of the names of its images.
    images: &'static [&'static str],
    /// Beginnings of its command lines.
    commands: &'static [&'static str],
    /// The ports that it listens on.
    pub(crate) ports: &'static [&'static str],
    /// Flags and variables that give it a login.
    login: &'static [&'static str],
    /// Whether it asks for a login unless that is turned off.
    guarded: bool,
    /// Whether it listens on every address unless it is told to.
    everywhere: bool,
}

const fn server(
    name: &'static str,
    images: &'static [&'static str],
    commands: &'static [&'static str],
    ports: &'static [&'static str],
    login: &'static [&'static str],
) -> Server {
    Server { name, images, commands, ports, login, guarded: false, everywhere: true }
}

const SERVERS: &[Server] = &[
    server("Ollama", &["ollama/ollama", "/ollama:"], &["ollama serve"], &["11434"], &[]),
    Server {
        everywhere: false,
        ..server(
            "Ray",
            &["rayproject/ray", "ray-ml"],
            &["ray start"],
            &["8265", "10001", "6379"],
            &["RAY_AUTH_MODE"],
        )
    },
    server(
        "Triton",
        &["tritonserver"],
        &["tritonserver"],
        &["8000", "8001", "8002"],
        &["--http-restricted-api", "--grpc-restricted-protocol"],
    ),
    server(
        "vLLM",
        &["vllm/", "vllm-openai", "/vllm:"],
        &["vllm serve", "vllm.entrypoints"],
        &["8000"],
        &["--api-key", "VLLM_API_KEY"],
    ),
    server("SGLang", &["sglang"], &["sglang.launch_server"], &["30000"], &["--api-key"]),
    server(
        "TGI",
        &["text-generation-inference"],
        &["text-generation-launcher"],
        &["80", "8080", "3000"],
        &["--api-key", "API_KEY"],
    ),
    server(
        "TEI",
        &["text-embeddings-inference"],
        &["text-embeddings-router"],
        &["80", "8080"],
        &["--api-key", "API_KEY"],
    ),
    Server {
        everywhere: false,
        ..server(
            "MLflow",
            &["mlflow"],
            &["mlflow server", "mlflow ui", "mlflow models serve"],
            &["5000"],
            &["--app-name", "basic-auth", "MLFLOW_AUTH_CONFIG_PATH"],
        )
    },
    Server {
        guarded: true,
        everywhere: false,
        ..server(
            "Jupyter",
            &["jupyter", "jupyterhub", "jupyter/"],
            &[
                "jupyter lab",
                "jupyter notebook",
                "jupyter server",
                "jupyter-lab",
                "jupyter-notebook",
                "start-notebook",
            ],
            &["8888"],
            &["JUPYTER_TOKEN", "--PasswordIdentityProvider.hashed_password"],
        )
    },
    Server {
        guarded: true,
        everywhere: false,
        ..server(
            "TorchServe",
            &["pytorch/torchserve", "torchserve"],
            &["torchserve"],
            &["8080", "8081", "8082"],
            &[],
        )
    },
    server(
        "TensorFlow Serving",
        &["tensorflow/serving"],
        &["tensorflow_model_server"],
        &["8500", "8501"],
        &[],
    ),
    server("KServe", &["kserve/"], &[], &["8080", "8081"], &[]),
    server("BentoML", &["bentoml"], &["bentoml serve"], &["3000"], &[]),
    server("MLServer", &["seldonio/", "mlserver"], &["mlserver start"], &["8080", "8081"], &[]),
    Server {
        guarded: true,
        ..server("Open WebUI", &["open-webui"], &["open-webui serve"], &["8080", "3000"], &[])
    },
    server("LocalAI", &["localai"], &["local-ai"], &["8080"], &["--api-keys", "LOCALAI_API_KEY", "API_KEY"]),
    Server {
        everywhere: false,
        ..server(
            "llama.cpp",
            &["llama.cpp", "llama-cpp"],
            &["llama-server", "llama_cpp.server", "./server -m"],
            &["8080", "8000"],
            &["--api-key", "LLAMA_API_KEY"],
        )
    },
    server(
        "LiteLLM",
        &["litellm"],
        &["litellm "],
        &["4000"],
        &["LITELLM_MASTER_KEY", "MASTER_KEY", "DATABASE_URL"],
    ),
    server(
        "Langflow",
        &["langflow"],
        &["langflow run"],
        &["7860"],
        &["LANGFLOW_SUPERUSER", "LANGFLOW_AUTO_LOGIN"],
    ),
    server(
        "Flowise",
        &["flowise"],
        &["flowise start"],
        &["3000"],
        &["FLOWISE_USERNAME", "FLOWISE_PASSWORD", "JWT_AUTH_TOKEN_SECRET"],
    ),
    Server {
        everywhere: false,
        ..server("ComfyUI", &["comfyui"], &["comfyui", "comfy launch"], &["8188"], &[])
    },
    Server {
        everywhere: false,
        ..server(
            "text-generation-webui",
            &["text-generation-webui"],
            &["text-generation-webui"],
            &["7860", "5000"],
            &["--gradio-auth", "--api-key"],
        )
    },
    Server {
        everywhere: false,
        ..server(
            "Stable Diffusion web UI",
            &["stable-diffusion-webui", "automatic1111"],
            &["stable-diffusion-webui"],
            &["7860"],
            &["--gradio-auth"],
        )
    },
    server("Xinference", &["xinference"], &["xinference-local"], &["9997"], &["--auth-config"]),
    server(
        "Chroma",
        &["chromadb/chroma", "chroma-core"],
        &["chroma run"],
        &["8000"],
        &["CHROMA_SERVER_AUTH", "CHROMA_SERVER_AUTHN"],
    ),
    server("Qdrant", &["qdrant/qdrant"], &["qdrant"], &["6333", "6334"], &["QDRANT__SERVICE__API_KEY"]),
    server(
        "Weaviate",
        &["weaviate"],
        &[],
        &["8080"],
        &["AUTHENTICATION_APIKEY_ENABLED", "AUTHENTICATION_OIDC_ENABLED"],
    ),
    server("Milvus", &["milvusdb/milvus"], &[], &["19530"], &["authorizationEnabled"]),
    server("TensorBoard", &[], &["tensorboard "], &["6006"], &[]),
];

/// The server that a container is, by its image and its command line.
pub(crate) fn of(image: &str, command: &str) -> Option<&'static Server> {
    let image = image.to_ascii_lowercase();
    let image = image.split('@').next().unwrap_or_default();
    let by_command = SERVERS.iter().find(|server| server.commands.iter().any(|start| starts(command, start)));
    by_command.or_else(|| SERVERS.iter().find(|server| server.images.iter().any(|part| image.contains(part))))
}

/// The server whose own port this is, if it is nobody else's.
pub(crate) fn of_port(port: &str) -> Option<&'static Server> {
    matches!(port, "11434" | "8265" | "8188" | "6333" | "19530" | "9997")
        .then(|| SERVERS.iter().find(|server| server.ports.contains(&port)))?
}

/// Whether a word of the command line is `start`, with what follows it.
fn starts(command: &str, start: &str) -> bool {
    command.match_indices(start).any(|(at, _)| {
        let before = at.checked_sub(1).and_then(|before| command.as_bytes().get(before));
        before.is_none_or(|byte| matches!(byte, b' ' | b'/' | b'\'' | b'"' | b'\n' | b'\t' | b';' | b'&'))
    })
}

impl Server {
    /// Whether it asks who is there. `environment` holds `NAME=value`; a value that is not known is empty.
    pub(crate) fn has_login(&self, command: &str, environment: &[(String, String)]) -> bool {
        if turned_off(command, environment).is_some() {
            return false;
        }
        let by_flag = self
            .login
            .iter()
            .filter(|login| login.starts_with('-') || login.contains("auth"))
            .any(|flag| command.contains(flag));
        let by_variable =
            self.login.iter().any(|login| environment.iter().any(|(name, _)| name.starts_with(login)));
        self.guarded || by_flag || by_variable
    }
}

/// What turns a server's own login off.
pub(crate) fn turned_off(command: &str, environment: &[(String, String)]) -> Option<String> {
    const VARIABLES: &[(&str, &[&str])] = &[
        ("WEBUI_AUTH", &["false", "False", "0"]),
        ("LANGFLOW_AUTO_LOGIN", &["true", "True", "1"]),
        ("LANGFLOW_SKIP_AUTH_AUTO_LOGIN", &["true", "True", "1"]),
        ("TS_DISABLE_TOKEN_AUTHORIZATION", &["true", "True", "1"]),
        ("AUTHENTICATION_ANONYMOUS_ACCESS_ENABLED", &["true", "True", "1"]),
        ("JUPYTER_TOKEN", &["", "''"]),
        ("RAY_AUTH_MODE", &["disabled"]),
        ("ALLOW_RESET", &["TRUE", "true"]),
    ];
    const FLAGS: &[&str] = &[
        "--disable-token-auth",
        "--NotebookApp.token=''",
        "--NotebookApp.token=\"\"",
        "--ServerApp.token=''",
        "--ServerApp.token=\"\"",
        "--IdentityProvider.token=''",
        "--IdentityProvider.token=\"\"",
    ];
    let by_flag = FLAGS.iter().find(|flag| command.contains(*flag)).map(|flag| (*flag).to_owned());
    by_flag
        .or_else(|| {
            // `--NotebookApp.token= --next`, and the same at the end.
            let words = || command.split_whitespace();
            words().find(|word| word.starts_with("--") && word.ends_with(".token=")).map(str::to_owned)
        })
        .or_else(|| {
            environment.iter().find_map(|(name, value)| {
                let (name, _) = VARIABLES
                    .iter()
                    .find(|(variable, off)| variable == name && off.contains(&value.as_str()))?;
                Some(format!("{name}={value}"))
            })
        })
}

/// The name of the server that `command` starts on every address without a login.
pub(crate) fn exposed_command(command: &str) -> Option<&'static str> {
    let everywhere =
        ["0.0.0.0", "--host ::", "--ip=*", "--ip '*'", "--listen", "--bind_all", "OLLAMA_HOST=0.0.0.0"];
    let server = SERVERS.iter().find(|server| server.commands.iter().any(|start| starts(command, start)))?;
    let told = everywhere.iter().any(|word| command.contains(word));
    let local = ["127.0.0.1", "localhost"].iter().any(|word| command.contains(word));
    let host = told || (server.everywhere && !local && server.name == "vLLM" && command.contains("--host "));
    (host && !local && !server.has_login(command, &[])).then_some(server.name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn servers_are_told_by_image_and_by_command() {
        assert_eq!(of("ollama/ollama:0.5", "").map(|server| server.name), Some("Ollama"));
        assert_eq!(
            of("python:3.12", "python -m vllm.entrypoints.openai.api_server").map(|server| server.name),
            Some("vLLM")
        );
        assert!(of("nginx:1.27", "nginx").is_none());
        assert_eq!(exposed_command("vllm serve m --host 0.0.0.0"), Some("vLLM"));
        assert_eq!(exposed_command("vllm serve m --host 0.0.0.0 --api-key $KEY"), None);
        assert_eq!(exposed_command("jupyter lab --ip=0.0.0.0 --NotebookApp.token=''"), Some("Jupyter"));
        assert_eq!(exposed_command("jupyter lab --ip=0.0.0.0"), None);
        assert_eq!(exposed_command("ray start --head --dashboard-host=0.0.0.0"), Some("Ray"));
        assert_eq!(exposed_command("ray start --head"), None);
    }
}
