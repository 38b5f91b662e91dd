//! Who runs a file, and when: told by its name, as frameworks tell it.

use crate::python::reader::{Reader, Scope};

/// What a file is for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Role {
    /// Somebody runs it, or imports it for what it offers.
    #[default]
    Program,
    /// Installing, building or testing the project runs it: `setup.py`, `conftest.py`.
    Install,
    /// Loading or serving a model runs it, or every interpreter does.
    Loader,
}

impl Role {
    /// By the name of the file. TorchServe and the inference endpoints of Hugging Face run `handler.py`, `torch.hub` runs
    /// `hubconf.py`, `transformers` the modules that `auto_map` names and `custom_generate/generate.py`, `diffusers`
    /// `pipeline.py`, Triton and SageMaker `model.py`, SageMaker `inference.py`, Azure ML `score.py`, Jupyter and IPython
    /// their configurations, and Python itself the two modules that customise it.
    pub(crate) fn of(name: &str) -> Self {
        const STARTS: &[&str] = &[
            "configuration_",
            "feature_extraction_",
            "image_processing_",
            "jupyter_",
            "modeling_",
            "modular_",
            "processing_",
            "tokenization_",
            "video_processing_",
        ];
        match name {
            "setup.py" | "conftest.py" | "noxfile.py" => Role::Install,
            "generate.py" | "handler.py" | "hubconf.py" | "inference.py" | "ipython_config.py"
            | "model.py" | "pipeline.py" | "score.py" | "sitecustomize.py" | "usercustomize.py" => {
                Role::Loader
            }
            _ if name.ends_with("_handler.py") || STARTS.iter().any(|start| name.starts_with(start)) => {
                Role::Loader
            }
            _ => Role::Program,
        }
    }

    /// Whether other files import the one of that name, by the customs of Python.
    pub(crate) fn is_part(name: &str) -> bool {
        name.starts_with('_') && name != "__main__.py"
    }
}

/// Functions that frameworks call when they load a model or serve it.
const ENTRIES: &[&str] = &[
    "__call__",
    "__init__",
    "__new__",
    "__post_init__",
    "__setstate__",
    "_generate_examples",
    "_info",
    "_load_pyfunc",
    "_split_generators",
    "execute",
    "forward",
    "from_config",
    "from_pretrained",
    "generate",
    "handle",
    "inference",
    "init",
    "initialize",
    "input_fn",
    "load",
    "load_context",
    "load_model",
    "model_fn",
    "output_fn",
    "postprocess",
    "predict",
    "predict_fn",
    "preprocess",
    "run",
    "setup",
];

impl Reader<'_, '_, '_> {
    /// What the file is for: a class that a framework looks for tells it too.
    pub(crate) fn role(&self) -> Role {
        match self.names.facts.contains("model class") {
            true => Role::Loader,
            false => self.budget.role,
        }
    }

    /// Whether the file is one that others import: it says so by its name, or it offers something and asks nobody for
    /// arguments. A script may start what it likes: somebody has started the script.
    pub(crate) fn is_module(&self) -> bool {
        self.budget.part || self.names.facts.contains("offers") && !self.names.facts.contains("script")
    }

    /// Whether importing, loading or serving the model runs what stands here.
    pub(crate) fn runs_for_model(&self) -> bool {
        self.runs_on_import() || self.runs_on_load()
    }

    /// Whether loading or serving the model runs what stands here.
    pub(crate) fn runs_on_load(&self) -> bool {
        let entry = |scope: &Scope| match scope {
            Scope::Class(_) => true,
            Scope::Function(name, _) => ENTRIES.contains(&name.as_str()),
            Scope::Else | Scope::Head => true,
            Scope::Main => false,
        };
        self.role() == Role::Loader && self.scopes.iter().all(entry)
    }
}

/// Classes that a framework looks for in a file.
const BASES: &[&str] = &[
    "ArrowBasedBuilder",
    "BaseHandler",
    "DiffusionPipeline",
    "GeneratorBasedBuilder",
    "ImageClassifier",
    "PreTrainedConfig",
    "PreTrainedModel",
    "PreTrainedTokenizer",
    "PretrainedConfig",
    "PythonModel",
    "VisionHandler",
];

/// Whether a framework looks for a class of that name, or derived from these.
pub(crate) fn is_loaded_class(name: &str, bases: &str) -> bool {
    matches!(name, "EndpointHandler" | "TritonPythonModel") || BASES.iter().any(|base| bases.contains(base))
}

/// Whether a framework looks for a function of that name in a file: TorchServe takes `def handle(data, context)` of a
/// model archive, MLflow `_load_pyfunc`, SageMaker `model_fn`, and installers those of a build back end (PEP 517).
pub(crate) fn is_handler(name: &str, parameters: &str) -> bool {
    const LONGEST: usize = 120;
    matches!(name, "_load_pyfunc" | "build_sdist" | "build_wheel" | "load_pyfunc" | "model_fn")
        || name == "handle"
            && parameters.len() < LONGEST
            && (parameters.contains("context") || parameters.contains("ctx"))
            && parameters.matches(',').count() == 1
}
