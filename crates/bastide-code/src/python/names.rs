//! What names mean: imports, aliases and assignments.

use std::collections::{HashMap, HashSet};

use crate::python::reach::Reach;
use crate::python::value::{Known, Taint, Value};

/// The names of one text.
#[derive(Default)]
pub(crate) struct Names {
    known: HashMap<String, Value>,
    /// What functions of this text return.
    pub(crate) returns: HashMap<String, Value>,
    /// What functions of this text are given: of the first call, or of the first whose arguments come from somewhere.
    arguments: HashMap<String, Vec<Value>>,
    /// Modules of `from module import *`.
    stars: Vec<String>,
    /// Modules imported anywhere.
    modules: HashSet<String>,
    /// Names of files that hold what was downloaded.
    pub(crate) downloads: HashSet<String>,
    /// Modules whose files were downloaded.
    pub(crate) fetched: HashSet<String>,
    /// Functions and classes of this text that importing it uses.
    pub(crate) reach: Reach,
    /// What happened somewhere: a socket was connected, memory was made executable.
    pub(crate) facts: HashSet<&'static str>,
}

/// Names that `from module import *` may bring and that rules speak of.
const STARRED: &[&str] = &[
    "os.system",
    "os.popen",
    "os.execv",
    "os.execvp",
    "os.execl",
    "os.environ",
    "os.dup2",
    "os.startfile",
    "subprocess.run",
    "subprocess.call",
    "subprocess.Popen",
    "subprocess.check_output",
    "subprocess.check_call",
    "subprocess.getoutput",
    "pty.spawn",
    "pickle.load",
    "pickle.loads",
    "marshal.loads",
    "base64.b64decode",
    "socket.socket",
    "ctypes.windll",
    "ctypes.CDLL",
    "torch.load",
    "yaml.load",
    "joblib.load",
    "dill.load",
    "urllib.request.urlopen",
    "urllib.request.urlretrieve",
    "transformers.AutoModel",
    "transformers.AutoTokenizer",
    "transformers.AutoModelForCausalLM",
    "transformers.pipeline",
    "huggingface_hub.snapshot_download",
    "huggingface_hub.hf_hub_download",
    "zlib.decompress",
];

impl Names {
    /// The most names kept; a text that has more was made by a program.
    const MANY: usize = 200_000;

    pub(crate) fn bind(&mut self, name: &str, value: Value) {
        if self.known.len() < Self::MANY || self.known.contains_key(name) {
            self.known.insert(name.to_owned(), value);
        }
    }

    pub(crate) fn get(&self, name: &str) -> Option<&Value> {
        self.known.get(name)
    }

    pub(crate) fn forget(&mut self, name: &str) {
        self.known.remove(name);
    }

    /// Remembers what a function of this text is given.
    pub(crate) fn called(&mut self, function: &str, args: &[Value]) {
        const ARGUMENTS: usize = 16;
        let comes = |args: &[Value]| args.iter().any(|arg| arg.taint != Taint::NONE);
        let better = match self.arguments.get(function) {
            Some(before) => !comes(before) && comes(args),
            None => self.arguments.len() < Self::MANY,
        };
        if better {
            let args = args.iter().filter(|arg| !matches!(arg.known, Known::Named(..)));
            self.arguments.insert(function.to_owned(), args.take(ARGUMENTS).cloned().collect());
        }
    }

    /// Whether this text calls a function of its own.
    pub(crate) fn is_called(&self, function: &str) -> bool {
        self.arguments.contains_key(function)
    }

    /// What the parameter at that place of a function of this text is given.
    pub(crate) fn argument(&self, function: &str, at: usize) -> Option<&Value> {
        self.arguments.get(function)?.get(at)
    }

    pub(crate) fn import(&mut self, module: &str) {
        self.modules.insert(module.to_owned());
    }

    pub(crate) fn star(&mut self, module: &str) {
        const MANY: usize = 32;
        self.import(module);
        if self.stars.len() < MANY && !self.stars.iter().any(|star| star == module) {
            self.stars.push(module.to_owned());
        }
    }

    /// Whether `module` or something in it is imported.
    pub(crate) fn imports(&self, module: &str) -> bool {
        self.modules.iter().any(|name| name.split('.').next() == Some(module))
    }

    /// What `name` stands for where nothing in the text says so: a builtin, a star's, or just that name.
    pub(crate) fn resolve(&self, name: &str) -> Value {
        let starred = self.stars.iter().find_map(|star| {
            STARRED.iter().find(|full| {
                full.rsplit_once('.').is_some_and(|(module, last)| module == star && last == name)
            })
        });
        Value::path(starred.copied().unwrap_or(name), Taint::NONE)
    }
}

/// One spelling for each function: `builtins.eval` is `eval`, `posix.system` is `os.system`.
pub(crate) fn canonical(path: &str) -> String {
    const PREFIXES: &[(&str, &str)] = &[
        ("builtins.", ""),
        ("__builtins__.", ""),
        ("__builtin__.", ""),
        ("posix.", "os."),
        ("nt.", "os."),
        ("_pickle.", "pickle."),
        ("cPickle.", "pickle."),
        ("urllib2.", "urllib.request."),
        ("urllib.urlopen", "urllib.request.urlopen"),
        ("urllib.urlretrieve", "urllib.request.urlretrieve"),
        ("six.moves.urllib.", "urllib."),
        ("tf.", "tensorflow."),
        ("np.", "numpy."),
        ("pd.", "pandas."),
    ];
    for (prefix, full) in PREFIXES {
        if let Some(rest) = path.strip_prefix(prefix) {
            return format!("{full}{rest}");
        }
    }
    path.to_owned()
}

/// `path.name`, in one spelling.
pub(crate) fn member(path: &str, name: &str) -> String {
    let joined = format!("{path}.{name}");
    if name == "__dict__" {
        return joined;
    }
    if matches!(name, "__self__" | "__wrapped__" | "__func__" | "__call__") {
        // A builtin function belongs to the module of its kind.
        return if name == "__self__" && is_builtin(path) { "builtins".to_owned() } else { path.to_owned() };
    }
    // Most modules of the library have imported these two, under this name or with a line before it.
    let within = !path.contains([':', '?', '(']);
    match name {
        "os" | "_os" if within => "os".to_owned(),
        "sys" | "_sys" if within => "sys".to_owned(),
        "subprocess" | "builtins" if within => name.to_owned(),
        _ => canonical(&joined),
    }
}

/// Builtin functions that programs reach others through.
fn is_builtin(name: &str) -> bool {
    matches!(
        name,
        "print"
            | "len"
            | "abs"
            | "all"
            | "any"
            | "iter"
            | "next"
            | "open"
            | "id"
            | "hash"
            | "repr"
            | "min"
            | "max"
            | "sum"
            | "sorted"
            | "chr"
            | "ord"
            | "dir"
            | "getattr"
            | "setattr"
            | "vars"
            | "callable"
            | "input"
    )
}

/// What may be called that runs a program of the system.
pub(crate) fn runs_command(path: &str) -> bool {
    const COMMANDS: &[&str] = &[
        "os.system",
        "os.popen",
        "os.popen2",
        "os.popen3",
        "os.startfile",
        "os.posix_spawn",
        "os.posix_spawnp",
        "subprocess.run",
        "subprocess.call",
        "subprocess.Popen",
        "subprocess.check_output",
        "subprocess.check_call",
        "subprocess.getoutput",
        "subprocess.getstatusoutput",
        "commands.getoutput",
        "commands.getstatusoutput",
        "pty.spawn",
        "pexpect.spawn",
        "pexpect.run",
        "asyncio.create_subprocess_shell",
        "asyncio.create_subprocess_exec",
        "platform.popen",
        "distutils.spawn.spawn",
        "get_ipython().system",
        "get_ipython().getoutput",
        "IPython.get_ipython().system",
        "setuptools._distutils.spawn.spawn",
        "win32api.ShellExecute",
        "ctypes.windll.shell32.ShellExecuteW",
        "_posixsubprocess.fork_exec",
        "psutil.Popen",
        "gevent.subprocess.Popen",
        "trio.run_process",
        "anyio.run_process",
        "anyio.open_process",
        "invoke.run",
        "pexpect.popen_spawn.PopenSpawn",
        "numpy.distutils.exec_command.exec_command",
        "torch.utils.collect_env.run",
        "pip._internal.cli.main.main",
        "pip._internal.main",
        "pip.main",
        "wexpect.spawn",
        "winpty.PtyProcess.spawn",
    ];
    COMMANDS.contains(&path)
        || through_library(path)
        || path.starts_with("os.exec")
        || path.starts_with("os.spawn")
        || (path.ends_with(".system") || path.ends_with(".popen"))
            && (path.starts_with("ctypes.") || path.contains("dlopen()"))
        || (path.ends_with(".subprocess_shell") || path.ends_with(".subprocess_exec"))
            && path.starts_with("asyncio.")
}

/// Whether a library that wraps commands, or sends them to another machine, runs one: `sh.curl`, `plumbum.local["sh"]`.
pub(crate) fn through_library(path: &str) -> bool {
    let shell = path.strip_prefix("sh.").is_some_and(|rest| !rest.contains('.') || rest == "Command()");
    let wrapped = path.strip_prefix("plumbum.").is_some_and(|rest| {
        rest == "local[]" || rest.starts_with("local[].") || rest == "local.get()" || rest.starts_with("cmd.")
    });
    let sent = ["paramiko.", "fabric.", "asyncssh.", "pssh.", "spur."]
        .iter()
        .any(|library| path.starts_with(library))
        && [".exec_command", ".run", ".sudo", ".run_command"].iter().any(|end| path.ends_with(end));
    shell || wrapped || sent
}

/// What may be called that runs its argument as Python.
pub(crate) fn runs_python(path: &str) -> bool {
    matches!(
        path,
        "exec"
            | "eval"
            | "execfile"
            | "compile"
            | "code.InteractiveInterpreter().runcode"
            | "code.InteractiveInterpreter().runsource"
            | "code.InteractiveConsole().push"
            | "timeit.timeit"
            | "timeit.repeat"
            | "cProfile.run"
            | "profile.run"
            | "types.FunctionType"
            | "runpy._run_code"
            | "get_ipython().run_cell"
            | "IPython.get_ipython().run_cell"
            | "pandas.eval"
            | "cProfile.runctx"
            | "cProfile.Profile().run"
            | "profile.runctx"
            | "profile.Profile().run"
            | "pdb.run"
            | "pdb.runeval"
            | "pdb.Pdb().run"
            | "bdb.Bdb().run"
            | "trace.Trace().run"
            | "trace.Trace().runctx"
            | "code.InteractiveConsole().runcode"
            | "code.InteractiveConsole().runsource"
            | "code.InteractiveInterpreter.runsource"
            | "ctypes.pythonapi.PyRun_SimpleString"
            | "ctypes.pythonapi.PyRun_SimpleStringFlags"
            | "timeit.Timer"
    )
}

/// A name that is bound to another function is not the builtin.
pub(crate) fn local(name: &str) -> Value {
    Value::path(&format!("local:{name}"), Taint::NONE)
}

/// Whether nothing is known of a value, not even a name.
pub(crate) fn is_blank(value: &Value) -> bool {
    matches!(value.known, Known::Nothing)
}
