"""Lists the classes that run code or reach files, processes or the network when they are made.

    python tests/models/reach.py                  the standard library and every package beside it
    python tests/models/reach.py torch numpy      only these
    python tests/models/reach.py --write FILE     writes the table `constructors.list`; with packages, only their lines
    python tests/models/reach.py --methods --write FILE   the same for `methods.list`

Every module is imported, every class looked up under each name that leads to it, and the source of its `__init__`,
`__new__` and `__post_init__` read as a tree: which functions these call, and what those call in turn, as far as names
can be resolved without running anything. With `--methods` it is what the unpickler calls of an object that was made
without its constructor. Each package has a process of its own, since some end theirs.
"""

import argparse
import ast
import builtins
import concurrent.futures
import contextlib
import enum
import importlib
import importlib.metadata
import inspect
import io
import os
import pkgutil
import subprocess
import sys
import types
import warnings
from pathlib import Path

# Whatever is called of these modules, or under these names, does what no model needs. The families of `danger.rs`.
MODULES = {
    "execution": "code codeop runpy timeit pdb trace unittest",
    "process": "subprocess _posixsubprocess multiprocessing pty",
    "file": "shutil tempfile glob zipfile tarfile gzip bz2 lzma sqlite3 mmap dbm h5py zarr",
    "network": "socket ssl http urllib ftplib smtplib poplib imaplib xmlrpc socketserver requests urllib3 httpx aiohttp"
    " huggingface_hub boto3 fsspec asyncio selectors",
    "native": "ctypes _ctypes cffi",
    "resolver": "importlib pkgutil pydoc",
    "deserialiser": "pickle marshal shelve yaml dill cloudpickle",
}
FUNCTIONS = {
    "execution": "builtins.eval builtins.exec builtins.compile torch.hub.load torch.utils.cpp_extension.load",
    "process": "os.system os.popen os.fork os.kill os.execv os.execve os.execvp os.spawnv os.posix_spawn os.putenv"
    " os.startfile threading.Thread concurrent.futures.ThreadPoolExecutor",
    "file": "builtins.open io.open io.FileIO io.open_code codecs.open os.open os.remove os.unlink os.rename os.mkdir"
    " os.makedirs os.rmdir os.listdir os.scandir os.walk os.chmod os.symlink os.link os.replace os.truncate"
    " logging.FileHandler numpy.memmap numpy.fromfile numpy.save numpy.savez numpy.loadtxt torch.save"
    " PIL.Image.open cv2.imread torchvision.io.read_image pandas.read_csv pandas.read_parquet tokenize.open"
    " linecache.getlines configparser.ConfigParser.read",
    "network": "torch.hub.load_state_dict_from_url torch.hub.download_url_to_file webbrowser.open",
    "native": "torch.ops.load_library torch.classes.load_library numpy.ctypeslib.load_library",
    "resolver": "builtins.__import__",
    "deserialiser": "torch.load numpy.load joblib.load pandas.read_pickle torch.jit.load safetensors.torch.load_file"
    " keras.models.load_model",
}
# Methods that are as telling as functions, on whatever object they are called.
METHODS = {
    "from_pretrained": "network", "read_text": "file", "write_text": "file", "read_bytes": "file",
    "write_bytes": "file", "mkdir": "file", "unlink": "file", "urlopen": "network", "extractall": "file",
    "iterdir": "file", "rglob": "file", "snapshot_download": "network", "hf_hub_download": "network",
}  # fmt: skip
# Functions of those modules that do nothing of the kind.
HARMLESS = {
    "urllib.parse", "http.HTTPStatus", "multiprocessing.cpu_count", "multiprocessing.context", "importlib.metadata",
    "importlib.util.find_spec", "importlib.resources", "importlib.machinery", "pickle.PickleError", "asyncio.Lock",
    "asyncio.iscoroutinefunction", "ctypes.sizeof", "asyncio.Queue", "asyncio.Event", "asyncio.Future",
    "asyncio.events", "asyncio.coroutines", "asyncio.get_event_loop", "asyncio.mixins", "multiprocessing.process",
    "socket.gethostname", "shutil.get_terminal_size", "importlib.reload", "huggingface_hub.errors",
}  # fmt: skip
# Packages whose functions are not followed: they reach much on ways that no argument leads to.
SHALLOW = {"warnings", "logging", "inspect", "copy", "typing", "functools", "abc", "re", "gettext", "locale", "ast"}
# Functions that ask whether a package is there.
ASKING = {"import_optional_dependency", "requires_backends", "lazy_import", "import_or_raise", "check_version"}
DEPTH = 4
# What unpicklers call of an object, without a constructor: for items, and when it is let go.
METHODS_CALLED = ("__setitem__", "append", "extend", "add", "__del__")
# A state is read from files by honest objects, too.
STATE_FAMILIES = ("execution", "deserialiser")
SKIPPED = ("__main__", "antigravity", "this", "idlelib.idle", "turtledemo", "conftest", ".tests", "_test")


def named(value):
    return f"{getattr(value, '__module__', '') or ''}.{getattr(value, '__qualname__', '')}"


def family_of(name):
    """The family of what a call of the global `name` does itself."""
    name = name.replace("posix.", "os.").replace("_io.", "io.").replace("_pickle.", "pickle.")
    if name == "io.open":
        return "file"
    if name.startswith(("importlib.", "pkgutil.")) and not Reach.standard:
        return None  # Libraries import what they may do without.
    if any(name == other or name.startswith(other + ".") for other in HARMLESS):
        return None
    for family, names in FUNCTIONS.items():
        if name in names.split():
            return family
    top = name.split(".")[0]
    return next((family for family, modules in MODULES.items() if top in modules.split()), None)


class Source:
    """The functions of one file by their first line."""

    files = {}

    @classmethod
    def of(cls, code):
        path = code.co_filename
        if path not in cls.files:
            functions = {}
            with contextlib.suppress(OSError, SyntaxError, UnicodeDecodeError, ValueError, RecursionError):
                for node in ast.walk(ast.parse(Path(path).read_bytes())):
                    if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                        first = min([node.lineno, *(d.lineno for d in node.decorator_list)])
                        functions[first] = node
            cls.files[path] = functions
        return cls.files[path].get(code.co_firstlineno)


def chain(node):
    """`a.b.c` as its parts."""
    parts = []
    while isinstance(node, ast.Attribute):
        parts.append(node.attr)
        node = node.value
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "super":
        return ["super", *parts[::-1]]
    return [node.id, *parts[::-1]] if isinstance(node, ast.Name) else ["?", *parts[::-1]]


def imports(node):
    """What a function imports for itself."""
    local = {}
    for inner in ast.walk(node):
        if isinstance(inner, ast.Import):
            for alias in inner.names:
                top = alias.name if alias.asname else alias.name.split(".")[0]
                local[alias.asname or top] = sys.modules.get(top)
        elif isinstance(inner, ast.ImportFrom) and inner.module and not inner.level:
            module = sys.modules.get(inner.module)
            for alias in inner.names:
                local[alias.asname or alias.name] = getattr(module, alias.name, None)
    return local


class Reach:
    """What functions reach, remembered."""

    standard = False

    def __init__(self):
        self.known = {}

    def of_function(self, function, owner, depth):
        function = inspect.unwrap(function) if callable(function) else function
        function = getattr(function, "__func__", function)
        code = getattr(function, "__code__", None)
        if code is None or depth == 0:
            return None
        key = (code, owner)
        if key not in self.known:
            self.known[key] = None
            node = Source.of(code)
            self.known[key] = self.of_tree(node, function, owner, depth) if node else None
        return self.known[key]

    def of_tree(self, node, function, owner, depth):
        scope = {**vars(builtins), **function.__globals__, **imports(node)}
        for inner in ast.walk(node):
            if not isinstance(inner, ast.Call):
                continue
            parts = chain(inner.func)
            if family := self.of_call(parts, scope, owner, depth):
                return family
        return None

    def of_call(self, parts, scope, owner, depth):
        if parts[-1] in METHODS and len(parts) > 1:
            return METHODS[parts[-1]]
        first, *rest = parts
        if first in ("self", "cls", "super") and owner and len(rest) == 1:
            target = inspect.getattr_static(owner, rest[0], None)
            if first == "super":
                target = next((vars(base)[rest[0]] for base in owner.__mro__[1:] if rest[0] in vars(base)), None)
            return self.of_function(target, owner, depth - 1) if target else None
        target = scope.get(first)
        for part in rest:
            if target is None or not isinstance(target, types.ModuleType | type):
                return None
            try:
                target = inspect.getattr_static(target, part, None)
            except Exception:
                return None
        return self.of_target(target, depth)

    def of_target(self, target, depth):
        if isinstance(target, staticmethod | classmethod):
            target = target.__func__
        if not callable(target):
            return None
        if family := family_of(named(target)):
            return None if isinstance(target, type) and issubclass(target, Exception) else family
        top = (getattr(target, "__module__", "") or "").split(".")[0]
        if top in SHALLOW or getattr(target, "__name__", "") in ASKING:
            return None
        if isinstance(target, type):
            return self.of_class(target, depth - 1)
        return self.of_function(target, None, depth - 1)

    def of_class(self, cls, depth=DEPTH):
        """What making an object of a class reaches."""
        if issubclass(cls, BaseException | enum.Enum):
            return None
        for method in ("__new__", "__init__", "__post_init__"):
            found = inspect.getattr_static(cls, method, None)
            if isinstance(found, staticmethod):
                found = found.__func__
            if found and (family := self.of_function(found, cls, depth)):
                return family
        # What no source tells: classes of C, and what comes of those above.
        for base in cls.__mro__[:-1]:
            if family := family_of(named(base)):
                return family
        return None


    def of_methods(self, cls):
        """What an object reaches when the unpickler gives it items or a state, or lets it go."""
        for method in METHODS_CALLED:
            if family := self.of_method(cls, method):
                return family
        family = self.of_method(cls, "__setstate__")
        # Distributions of scipy: what they are given is judged by itself.
        honest = any(base.__name__ == "rv_generic" for base in cls.__mro__)
        return family if family in STATE_FAMILIES and not honest else None

    def of_method(self, cls, method):
        found = inspect.getattr_static(cls, method, None)
        return self.of_function(found, cls, DEPTH) if isinstance(found, types.FunctionType) else None


def modules_of(package):
    """Every module of a package that can be imported here."""
    warnings.simplefilter("ignore")
    pending = [package]
    while pending:
        name = pending.pop()
        if any(part in name for part in SKIPPED):
            continue
        try:
            with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
                module = importlib.import_module(name)
        except BaseException:
            continue
        yield name, module
        with contextlib.suppress(Exception):
            pending += [found.name for found in pkgutil.iter_modules(module.__path__, name + ".")]


def classes_of(package, methods):
    """`(family, module, name)` of every class that reaches something, under each name that leads to it."""
    reach = Reach()
    reached = reach.of_methods if methods else reach.of_class
    Reach.standard = package in sys.stdlib_module_names
    for module_name, module in modules_of(package):
        for name, value in list(vars(module).items()):
            if not isinstance(value, type) or not name.isidentifier():
                continue
            if not name.lstrip("_")[:1].isupper():
                continue  # The scanner takes such names for functions.
            with contextlib.suppress(Exception):
                if family := reached(value):
                    yield family, module_name, name


def packages():
    beside = {
        name
        for names in importlib.metadata.packages_distributions().items()
        for name in [names[0]]
        if name.isidentifier()
    }
    return sorted((set(sys.stdlib_module_names) | beside) - {"test", "idlelib", "this", "antigravity"})


def in_process(package, methods):
    run = subprocess.run(
        [sys.executable, __file__, "--one", package, *["--methods"] * methods],
        capture_output=True, text=True, timeout=900, cwd="/", env={**os.environ, "CUDA_VISIBLE_DEVICES": ""},
    )  # fmt: skip
    rows = [line.split() for line in run.stdout.splitlines() if line.startswith("= ")]
    return [tuple(row[1:]) for row in rows if len(row) == 4]


def collect(names, methods):
    rows = set()
    with concurrent.futures.ThreadPoolExecutor(2) as pool:
        for package, found in zip(names, pool.map(lambda name: quietly(name, methods), names)):
            print(f"{package}: {len(found)}", file=sys.stderr)
            rows.update(found)
    return rows


def quietly(package, methods):
    try:
        return in_process(package, methods)
    except subprocess.TimeoutExpired:
        return []


def lines(rows):
    """A line for each module and family."""
    table = {}
    for family, module, name in rows:
        table.setdefault((module, family), []).append(name)
    for (module, family), names in sorted(table.items()):
        yield f"{family} {module} {' '.join(sorted(names))}\n"


def order(line):
    return line.split()[1::-1]


def kept(given):
    """The lines of the table that are of other packages."""
    if not given.packages or not Path(given.write).exists():
        return []
    old = Path(given.write).read_text().splitlines(keepends=True)
    return [line for line in old if line[0] != "#" and line.split()[1].split(".")[0] not in given.packages]


HEAD = (
    "# Classes whose {what} run code or reach files, processes or the network, under every name that leads to them.\n"
    "# Made by `python tests/models/reach.py{option} --write` with Python {version}. Do not edit.\n"
)


def main():
    arguments = argparse.ArgumentParser()
    arguments.add_argument("--one", help=argparse.SUPPRESS)
    arguments.add_argument("--methods", action="store_true")
    arguments.add_argument("--write", metavar="FILE")
    arguments.add_argument("packages", nargs="*")
    given = arguments.parse_args()
    if given.one:
        for row in classes_of(given.one, given.methods):
            print("=", *row, flush=True)
        os._exit(0)
    rows = collect(given.packages or packages(), given.methods)
    if given.write:
        what, option = ("methods", " --methods") if given.methods else ("constructors", "")
        head = HEAD.format(what=what, option=option, version=sys.version.split()[0])
        Path(given.write).write_text(head + "".join(sorted([*lines(rows), *kept(given)], key=order)))
    else:
        print("".join(lines(rows)), end="")


if __name__ == "__main__":
    main()
