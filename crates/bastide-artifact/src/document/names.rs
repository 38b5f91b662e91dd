//! Python names that configurations tell a loader to import and call.

/// What calling a name would do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Named {
    /// A part of a well-known library that only builds objects.
    Known,
    /// Nobody knows.
    Unknown,
    /// It runs commands or code, or reaches files or the network.
    Dangerous,
}

/// Modules of Python whose every function acts on the system or makes code.
const DANGEROUS: &[&str] = &[
    "__builtin__",
    "__main__",
    "_io",
    "_operator",
    "_posixsubprocess",
    "_winapi",
    "antigravity",
    "asyncio",
    "bdb",
    "builtins",
    "cProfile",
    "code",
    "codeop",
    "commands",
    "ctypes",
    "dill",
    "distutils",
    "doctest",
    "ensurepip",
    "ftplib",
    "http",
    "idlelib",
    "imp",
    "importlib",
    "io",
    "lib2to3",
    "linecache",
    "marshal",
    "mmap",
    "multiprocessing",
    "nt",
    "operator",
    "os",
    "pdb",
    "pickle",
    "cloudpickle",
    "pip",
    "pkgutil",
    "platform",
    "popen2",
    "posix",
    "posixpath",
    "profile",
    "pty",
    "pydoc",
    "requests",
    "runpy",
    "setuptools",
    "shelve",
    "shlex",
    "shutil",
    "signal",
    "site",
    "smtplib",
    "socket",
    "socketserver",
    "ssl",
    "subprocess",
    "sys",
    "sysconfig",
    "tarfile",
    "telnetlib",
    "tempfile",
    "test",
    "threading",
    "timeit",
    "trace",
    "types",
    "urllib",
    "urllib2",
    "urllib3",
    "venv",
    "webbrowser",
    "xmlrpc",
    "zipfile",
    "zipimport",
    "zipapp",
];

/// Functions of libraries that load code, files or anything by name.
const GADGETS: &[&str] = &[
    "hydra._internal",
    "hydra.main",
    "hydra.utils.call",
    "hydra.utils.get_class",
    "hydra.utils.get_method",
    "hydra.utils.get_object",
    "joblib.load",
    "jsonpickle.decode",
    "keras.models.load_model",
    "keras.utils.get_file",
    "nemo.utils.model_utils.import_class_by_path",
    "numpy.distutils",
    "numpy.f2py",
    "numpy.fromfile",
    "numpy.load",
    "numpy.loadtxt",
    "numpy.memmap",
    "numpy.testing",
    "omegaconf.OmegaConf.load",
    "pandas.eval",
    "pandas.read_",
    "pandas.io",
    "sklearn.utils._joblib",
    "tensorflow.io",
    "tensorflow.keras.utils.get_file",
    "tensorflow.load_library",
    "tensorflow.load_op_library",
    "tensorflow.numpy_function",
    "tensorflow.py_function",
    "torch._dynamo",
    "torch._inductor",
    "torch.classes.load_library",
    "torch.compile",
    "torch.distributed.rpc",
    "torch.fx.experimental",
    "torch.hub",
    "torch.jit.CompilationUnit",
    "torch.jit.load",
    "torch.jit.unsupported_tensor_ops",
    "torch.load",
    "torch.multiprocessing",
    "torch.ops.load_library",
    "torch.package",
    "torch.serialization",
    "torch.storage._load_from_bytes",
    "torch.testing",
    "torch.utils._config_module",
    "torch.utils.bottleneck",
    "torch.utils.collect_env",
    "torch.utils.cpp_extension",
    "torch.utils.model_zoo",
    "torch.utils.show_pickle",
    "transformers.pipeline",
    "transformers.utils.hub",
    "transformers.dynamic_module_utils",
];

/// Libraries whose classes configurations name.
const KNOWN: &[&str] = &[
    "accelerate",
    "albumentations",
    "apex",
    "audiocraft",
    "bitsandbytes",
    "catboost",
    "clip",
    "collections",
    "compressed_tensors",
    "datasets",
    "datetime",
    "deepspeed",
    "diffusers",
    "einops",
    "evaluate",
    "flair",
    "flax",
    "functools",
    "gluonts",
    "hydra",
    "imblearn",
    "jax",
    "keras",
    "keras_core",
    "keras_cv",
    "keras_hub",
    "keras_nlp",
    "kornia",
    "lightgbm",
    "lightning",
    "lightning_fabric",
    "math",
    "megatron",
    "mlflow",
    "monai",
    "nemo",
    "nemo_text_processing",
    "numpy",
    "omegaconf",
    "onnx",
    "onnxruntime",
    "open_clip",
    "optax",
    "optimum",
    "pandas",
    "pathlib",
    "peft",
    "pl_bolts",
    "pytorch_lightning",
    "quantile_forest",
    "random",
    "scipy",
    "sentence_transformers",
    "sklearn",
    "sklego",
    "skops",
    "spacy",
    "speechbrain",
    "statsmodels",
    "tensorflow",
    "tensorflow_probability",
    "tf_keras",
    "timm",
    "tokenizers",
    "torch",
    "torch_geometric",
    "torchaudio",
    "torchmetrics",
    "torchvision",
    "transformer_engine",
    "transformers",
    "trl",
    "tsfresh",
    "ultralytics",
    "uuid",
    "wandb",
    "warmup_scheduler",
    "xgboost",
];

/// What of the standard library a configuration may name; everything else of its modules acts, or leads to what does.
const STANDARD: &[&str] = &[
    "collections.Counter",
    "collections.OrderedDict",
    "collections.defaultdict",
    "collections.deque",
    "datetime.date",
    "datetime.datetime",
    "datetime.timedelta",
    "functools.partial",
    "pathlib.Path",
    "pathlib.PosixPath",
    "pathlib.PurePath",
    "random.Random",
    "uuid.UUID",
    "uuid.uuid4",
];

/// Functions of `operator` that compute with numbers: what `torch.export` writes for symbolic sizes. Those that look
/// things up (`attrgetter`, `itemgetter`, `methodcaller`, `getitem`) or call them are none of these.
const ARITHMETIC: &[&str] = &[
    "abs", "add", "and_", "eq", "floordiv", "ge", "gt", "index", "inv", "invert", "le", "lshift", "lt",
    "matmul", "mod", "mul", "ne", "neg", "not_", "or_", "pos", "pow", "rshift", "sub", "truediv", "truth",
    "xor",
];

/// How functions begin that read, write, fetch or run, in any library.
const ACTS: &[&str] = &[
    "download",
    "eval",
    "exec",
    "fetch",
    "from_file",
    "fromfile",
    "genfromtxt",
    "launch",
    "load",
    "main",
    "memmap",
    "open",
    "popen",
    "read",
    "run",
    "save",
    "system",
    "to_",
    "urlretrieve",
    "write",
];

/// The same, but what training configurations name every day: it fetches models and data by their names.
const FETCHES: &[&str] = &["from_pretrained", "load_dataset", "load_from_checkpoint", "restore_from"];

/// Libraries whose `from_pretrained` runs no code of a model by default.
const FACTORIES: &[&str] =
    &["diffusers", "optimum", "peft", "sentence_transformers", "tokenizers", "transformers"];

/// What the dotted name `path` (`module.Class`) is.
pub(crate) fn named(path: &str) -> Named {
    let path = path.trim();
    let root = path.split(['.', ':']).next().unwrap_or_default();
    let gadget = GADGETS.iter().any(|gadget| {
        path.strip_prefix(gadget)
            .is_some_and(|rest| gadget.ends_with('_') || rest.is_empty() || rest.starts_with('.'))
    });
    let inner = path.split(['.', ':']).skip(1);
    // `torch.serialization.os.system`, `random._os.system`: modules are attributes of modules, also under a private name.
    let through = inner.clone().any(|part| {
        part.starts_with("__")
            || SYSTEM.contains(&part.trim_start_matches('_'))
            || matches!(part, "_io" | "io")
    });
    let last = inner.clone().last().unwrap_or_default();
    let acts = ACTS.iter().any(|verb| last.trim_start_matches('_').starts_with(verb));
    // Classes live in private modules too: `sklearn.linear_model._ridge.Ridge`.
    let class = last.trim_start_matches('_').starts_with(char::is_uppercase);
    let private = !class && inner.clone().any(|part| part.starts_with('_'));
    let arithmetic = path.strip_prefix("_operator.").or_else(|| path.strip_prefix("operator."));
    if arithmetic.is_some_and(|function| ARITHMETIC.contains(&function)) {
        Named::Known
    } else if DANGEROUS.contains(&root) || gadget || through {
        Named::Dangerous
    } else if matches!(root, "collections" | "datetime" | "functools" | "pathlib" | "random" | "uuid") {
        if STANDARD.contains(&path) { Named::Known } else { Named::Dangerous }
    } else if last == "from_pretrained" && FACTORIES.contains(&root) {
        // Which model it is, and whether its own code may run, are arguments, and judged as such.
        Named::Known
    } else if !KNOWN.contains(&root) || FETCHES.contains(&last) {
        Named::Unknown
    } else if acts {
        Named::Dangerous
    } else if private {
        Named::Unknown
    } else {
        Named::Known
    }
}

/// Modules that nearly every module imports.
const SYSTEM: &[&str] = &[
    "builtins",
    "ctypes",
    "functools",
    "importlib",
    "linecache",
    "os",
    "pathlib",
    "pickle",
    "posix",
    "pty",
    "runpy",
    "shutil",
    "socket",
    "subprocess",
    "sys",
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_told_apart() {
        for path in [
            "os.system",
            "builtins.eval",
            "torch.hub.load",
            "torch.load",
            "torch.serialization.os.system",
            "random._os.system",
            "uuid._get_command_stdout",
            "pathlib.Path.write_text",
            "pandas.DataFrame.to_csv",
            "tensorflow.keras.models.load_model",
            "os",
            "operator.attrgetter",
            "_operator.methodcaller",
            "operator.call",
            "operator.add.__self__",
        ] {
            assert_eq!(named(path), Named::Dangerous, "{path}");
        }
        for path in [
            "torch.nn.Linear",
            "nemo.collections.asr.models.EncDecCTCModel",
            "sklearn.svm.SVC",
            "timm.create_model",
            "torch.optim.lr_scheduler._LRScheduler",
            "_operator.mul",
            "operator.floordiv",
        ] {
            assert_eq!(named(path), Named::Known, "{path}");
        }
        assert_eq!(named("transformers.AutoModel.from_pretrained"), Named::Known);
        for path in ["mypackage.Model", "nemo.core.ModelPT.from_pretrained", "datasets.load_dataset"] {
            assert_eq!(named(path), Named::Unknown, "{path}");
        }
    }
}
