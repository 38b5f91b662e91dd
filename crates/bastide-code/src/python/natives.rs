//! Files that become programs when they are loaded: native libraries, and modules that are found by the name of their file.

use bastide_types::Rule;

use crate::python::call::Call;
use crate::python::hostile::HIDDEN_PROGRAM;
use crate::python::reader::Reader;
use crate::python::role::Role;
use crate::python::sources;
use crate::python::value::{HOLE, Known, Taint, Value};
use crate::remark::{rule, shown};

rule!(LOADED_PROGRAM, "code.loaded-program", Critical, Malicious, "loading or importing it loads a strange library",
    why: "a library runs as soon as it is loaded, and nobody who reads the model's code sees what it does",
    fix: "do not load it; a model needs no machine code of its own, or gets it from a package that is built from source",
    cwe: [114, 829], atlas: ["AML.T0010.003", "AML.T0011.000"]);
rule!(BUILT_PROGRAM, "code.built-program", High, Review, "loading or importing it builds and loads machine code",
    why: "the sources beside it run as they are, outside of Python, and a compiler runs on the machine",
    fix: "read the sources, or use a package that holds the kernel",
    cwe: [829], atlas: ["AML.T0010.003"]);

rule!(UNKNOWN_LIBRARY, "code.unknown-library", High, Review, "loading or importing it loads a library that it does not name",
    why: "which machine code runs is decided elsewhere: by a configuration, by the environment or by what lies there",
    fix: "see where the name comes from; load a library from the package that installs it",
    cwe: [114, 829], atlas: ["AML.T0010.003"]);

pub(crate) const RULES: &[&Rule] = &[&LOADED_PROGRAM, &BUILT_PROGRAM, &UNKNOWN_LIBRARY];

/// What a call makes of a file.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    /// The system's loader looks for it: in the folders of the system, unless a folder stands before the name.
    System,
    /// Loaded as a library from wherever the name leads.
    Library,
    /// Read as Python.
    Module,
    /// A folder whose modules are found from then on.
    Folder,
}

/// The functions, with the place and the keyword of the file.
const LOADERS: &[(&str, usize, &str, Kind)] = &[
    ("_imp.create_dynamic", 1, "file", Kind::Library),
    ("cffi.FFI().dlopen", 0, "name", Kind::System),
    ("ctypes.CDLL", 0, "name", Kind::System),
    ("ctypes.OleDLL", 0, "name", Kind::System),
    ("ctypes.PyDLL", 0, "name", Kind::System),
    ("ctypes.WinDLL", 0, "name", Kind::System),
    ("ctypes.cdll.LoadLibrary", 0, "name", Kind::System),
    ("ctypes.oledll.LoadLibrary", 0, "name", Kind::System),
    ("ctypes.pydll.LoadLibrary", 0, "name", Kind::System),
    ("ctypes.windll.LoadLibrary", 0, "name", Kind::System),
    ("_ctypes.dlopen", 0, "name", Kind::System),
    ("imp.load_compiled", 1, "pathname", Kind::Library),
    ("imp.load_dynamic", 1, "pathname", Kind::Library),
    ("imp.load_source", 1, "pathname", Kind::Module),
    ("importlib.machinery.ExtensionFileLoader", 1, "path", Kind::Library),
    ("importlib.machinery.SourceFileLoader", 1, "path", Kind::Module),
    ("importlib.machinery.SourcelessFileLoader", 1, "path", Kind::Library),
    ("importlib.util.spec_from_file_location", 1, "location", Kind::Module),
    ("llvmlite.binding.load_library_permanently", 0, "filename", Kind::System),
    ("mxnet.library.load", 0, "path", Kind::Library),
    ("numpy.ctypeslib.load_library", 1, "loader_path", Kind::Library),
    ("onnxruntime.SessionOptions().register_custom_ops_library", 0, "path", Kind::Library),
    ("runpy.run_path", 0, "path_name", Kind::Module),
    ("site.addsitedir", 0, "sitedir", Kind::Folder),
    ("sqlite3.connect().load_extension", 0, "name", Kind::Library),
    ("sys.path.append", 0, "", Kind::Folder),
    ("sys.path.insert", 1, "", Kind::Folder),
    ("tensorflow.load_library", 0, "library_location", Kind::Library),
    ("tensorflow.load_op_library", 0, "library_filename", Kind::Library),
    ("torch.classes.load_library", 0, "path", Kind::Library),
    ("torch.ops.load_library", 0, "path", Kind::Library),
    ("zipimport.zipimporter", 0, "path", Kind::Module),
];

pub(crate) fn check(reader: &mut Reader<'_, '_, '_>, call: &Call<'_>) {
    let Some((_, place, keyword, kind)) = LOADERS.iter().find(|(path, ..)| *path == call.path) else {
        return built(reader, call);
    };
    let Some(file) = call.arg(*place, keyword) else { return };
    judge(reader, call.offset, call.path, file, *kind);
}

/// `ctypes.cdll["./x.so"]`.
pub(crate) fn item(reader: &mut Reader<'_, '_, '_>, table: &str, name: &Value, offset: usize) {
    if reader.speaks && matches!(table, "ctypes.cdll" | "ctypes.oledll" | "ctypes.pydll" | "ctypes.windll") {
        judge(reader, offset, table, name, Kind::System);
    }
}

fn judge(reader: &mut Reader<'_, '_, '_>, offset: usize, path: &str, file: &Value, kind: Kind) {
    let imports = reader.runs_on_import();
    let loader = reader.role() == Role::Loader && reader.runs_for_model();
    let found_by = file.as_path().and_then(|file| sources::finds(file.split_once("()")?.0));
    let is_source = kind == Kind::Module && file.as_text().is_some_and(|file| file.ends_with(".py"));
    if loader && kind != Kind::Folder && file.taint.has(Taint::FOUND) && !is_source {
        let from = found_by.map_or_else(|| "a function".to_owned(), |finder| format!("`{finder}`"));
        let message = format!("`{}` is given a file that {from} finds when it runs", shown(path));
        return reader.remarks.add(&LOADED_PROGRAM, offset, message);
    }
    if loader && matches!(kind, Kind::System | Kind::Library) && is_unknown(file) {
        let message = format!("`{}` is given a file that the text does not name", shown(path));
        return reader.remarks.add(&UNKNOWN_LIBRARY, offset, message);
    }
    let Some(file) = file.as_text().filter(|file| !file.starts_with(HOLE)) else { return };
    let (name, shown_file) = (shown(path), shown(file));
    if kind == Kind::Module && is_data(file) && (loader || imports && reader.is_module()) {
        let message = format!("`{name}` is given the file `{shown_file}`, which is not called a program");
        return reader.remarks.add(&HIDDEN_PROGRAM, offset, message);
    }
    let strange = is_anybodys(file)
        || match kind {
            Kind::System => !is_of_system(file),
            Kind::Library => !is_installed(file),
            Kind::Module => false,
            Kind::Folder => is_data(file) || path == "site.addsitedir",
        };
    if loader && strange {
        let when = if imports { "the model's code is imported" } else { "the model is loaded or asked" };
        reader.remarks.add(&LOADED_PROGRAM, offset, format!("`{name}` is given `{shown_file}` when {when}"));
    }
}

/// Sources that are compiled and loaded. Kernels come so; what calls the system does not.
fn built(reader: &mut Reader<'_, '_, '_>, call: &Call<'_>) {
    const CALLS: &[&str] = &["system(", "popen(", "execv", "execl", "socket(", "dlopen(", "fork("];
    if !matches!(call.path, "torch.utils.cpp_extension.load" | "torch.utils.cpp_extension.load_inline")
        || reader.role() != Role::Loader
        || !reader.runs_for_model()
    {
        return;
    }
    let name = shown(call.path);
    let texts = call.args.iter().flat_map(|arg| match &arg.known {
        Known::Named(_, value) => std::iter::once(&**value).chain(value.items()),
        _ => std::iter::once(arg).chain(arg.items()),
    });
    let found =
        texts.filter_map(Value::as_text).find_map(|text| CALLS.iter().find(|called| text.contains(**called)));
    match found {
        Some(called) => {
            let message = format!("`{name}` builds a program that calls `{}`", called.trim_end_matches('('));
            reader.remarks.add(&LOADED_PROGRAM, call.offset, message);
        }
        None => {
            reader.remarks.add(&BUILT_PROGRAM, call.offset, format!("`{name}` builds what lies beside it"))
        }
    }
}

/// Whether the system's loader looks for the file among its own libraries, or is told to take it from there.
fn is_of_system(file: &str) -> bool {
    let lower = file.to_ascii_lowercase();
    let bare = !lower.contains(['/', '\\']);
    let library = lower.starts_with("lib")
        || lower.ends_with(".dll")
        || lower.ends_with(".dylib")
        || !lower.contains('.') && !lower.is_empty();
    bare && library || is_installed(file)
}

/// Folders that only an administrator or an installer of the system writes to; a model lies in none of them.
const FOLDERS: &[&str] = &[
    "/lib/",
    "/lib64/",
    "/library/frameworks/",
    "/opt/conda/lib/",
    "/opt/homebrew/",
    "/opt/intel/",
    "/opt/nvidia/",
    "/opt/rocm",
    "/system/library/",
    "/usr/lib/",
    "/usr/lib64/",
    "/usr/local/cuda",
    "/usr/local/lib/",
    "/usr/local/lib64/",
    "c:/program files",
    "c:/windows/",
];

/// Whether a file is a library that lies where only an administrator, or a package, puts one.
fn is_installed(file: &str) -> bool {
    let lower = file.to_ascii_lowercase().replace('\\', "/");
    let within = |folder: &&str| lower.starts_with(*folder);
    let absolute = lower.starts_with('/') || lower.get(1..3) == Some(":/");
    let of_package = absolute
        && lower.contains("/site-packages/")
        && (lower.contains("/lib/python") || lower.contains("/lib/site-packages/"));
    // The libraries of macOS have no ending.
    let framework = lower.contains(".framework/");
    (FOLDERS.iter().any(within) || of_package)
        && !lower.contains("..")
        && (is_library(&lower) || framework && !is_data(&lower))
}

/// Whether the name of a file is one that libraries have: `x.so`, `x.so.1.2`, `x.dylib`, `x.dll`, `x.pyd`.
fn is_library(file: &str) -> bool {
    let name = file.rsplit('/').next().unwrap_or(file);
    let versioned = |(_, version): (&str, &str)| {
        !version.is_empty() && version.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.')
    };
    [".so", ".dylib", ".dll", ".pyd"].iter().any(|ending| name.ends_with(ending))
        || name.split_once(".so.").is_some_and(versioned)
}

/// Whether the text leaves open which file is meant. The system's own search, and the file of a module that is imported,
/// lead to what is installed.
fn is_unknown(file: &Value) -> bool {
    match &file.known {
        Known::Nothing => true,
        Known::Text(text) => {
            let lower = text.to_ascii_lowercase();
            text.starts_with(HOLE)
                || text.ends_with(HOLE) && FOLDERS.iter().any(|folder| lower.starts_with(folder))
        }
        Known::Path(path) => {
            let module = |path: &str| !path.starts_with('.') && !path.contains(['(', ':', '?', '[']);
            !path.ends_with("find_library()") && !path.strip_suffix(".__file__").is_some_and(module)
        }
        _ => false,
    }
}

/// Whether anybody may write the file.
fn is_anybodys(file: &str) -> bool {
    ["/tmp", "/var/tmp", "/dev/shm"]
        .iter()
        .any(|folder| file.strip_prefix(folder).is_some_and(|rest| rest.is_empty() || rest.starts_with('/')))
}

/// Whether the name of a file says that it holds data.
fn is_data(file: &str) -> bool {
    const PROGRAMS: &[&str] = &["dll", "dylib", "egg", "py", "pyd", "pyi", "pyw", "pyz", "so", "whl", "zip"];
    let name = file.rsplit(['/', '\\']).next().unwrap_or(file);
    let ending = name.rsplit_once('.').filter(|(stem, _)| !stem.is_empty());
    ending.is_some_and(|(_, ending)| {
        (1..=12).contains(&ending.len())
            && ending.bytes().all(|byte| byte.is_ascii_alphanumeric())
            && ending.bytes().any(|byte| byte.is_ascii_alphabetic())
            && !PROGRAMS.contains(&ending.to_ascii_lowercase().as_str())
    })
}
