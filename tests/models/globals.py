"""Lists the globals that honest pickles of real libraries import.

    python tests/models/globals.py                  prints `module qualname use` lines
    python tests/models/globals.py --write FOLDER   writes FOLDER/<framework>.txt, keeping each file's hand-written end

`use` is how the pickles use it: `class` is made or named, `call` is a function called by REDUCE, `value` is only named.
The streams are read by opcode; only streams of this script's own making are read, and none is loaded.
"""

import _compat_pickle
import argparse
import importlib
import importlib.metadata
import inspect
import io
import pickle
import pickletools
import platform
import sys
from pathlib import Path

import objects
import torch_objects  # noqa: F401  (adds its libraries)

KEPT = "# older releases"
MARK = object()


class Named:
    """A global on the symbolic stack."""

    def __init__(self, module, name):
        self.key = (module, name)


def globals_of(data):
    """`{(module, name): called}` of every global that the stream imports."""
    found, stack, memo = {}, [], {}

    def name_it(module, name):
        found.setdefault((module, name), False)
        stack.append(Named(module, name))

    def to_mark():
        items = []
        while stack and (top := stack.pop()) is not MARK:
            items.append(top)
        return items[::-1]

    def call(value):
        if isinstance(value, Named):
            found[value.key] = True

    for opcode, argument, _ in pickletools.genops(data):
        match opcode.name:
            case "GLOBAL":
                name_it(*argument.split(" ", 1))
            case "STACK_GLOBAL":
                name, module = stack.pop(), stack.pop()
                name_it(module, name)
            case "INST":
                to_mark()
                name_it(*argument.split(" ", 1))
                call(stack[-1])
            case "PUT" | "BINPUT" | "LONG_BINPUT":
                memo[argument] = stack[-1]
            case "MEMOIZE":
                memo[len(memo)] = stack[-1]
            case "GET" | "BINGET" | "LONG_BINGET":
                stack.append(memo[argument])
            case "REDUCE" | "NEWOBJ":
                stack.pop()
                call(stack[-1])
                stack[-1] = None
            case "NEWOBJ_EX":
                stack.pop()
                stack.pop()
                call(stack[-1])
                stack[-1] = None
            case "OBJ":
                call(to_mark()[0])
                stack.append(None)
            case "DUP":
                stack.append(stack[-1])
            case "MARK":
                stack.append(MARK)
            case _:
                simulate(opcode, argument, stack, to_mark)
    return found


def simulate(opcode, argument, stack, to_mark):
    """Any other opcode, by what the table of opcodes says that it takes and gives."""
    before, after = opcode.stack_before, opcode.stack_after
    if pickletools.markobject in before:
        to_mark()
        before = before[: before.index(pickletools.markobject)]
    del stack[len(stack) - len(before) :]
    for _ in after:
        stack.append(argument if isinstance(argument, str) else None)


def streams(value, framework):
    """The pickles of `value` in every protocol, and with the persistent ids of `torch.save`."""
    # Quantised modules of torch end the process when they are pickled with protocol 0 or 1.
    for protocol in range(2 if framework == "torch" else 0, 6):
        try:
            yield pickle.dumps(value, protocol)
        except Exception:
            continue
    if framework.startswith(
        ("torch", "timm", "transformers", "ultralytics", "pytorch", "sentence", "stable", "peft")
    ):
        yield from torch_streams(value)


def torch_streams(value):
    import zipfile

    import torch

    try:
        zipped = io.BytesIO()
        torch.save(value, zipped)
        with zipfile.ZipFile(zipped) as archive:
            yield next(archive.read(n) for n in archive.namelist() if n.endswith("data.pkl"))
        legacy = io.BytesIO()
        torch.save(value, legacy, _use_new_zipfile_serialization=False)
        legacy.seek(0)
        for _ in range(5):
            start = legacy.tell()
            for _ in pickletools.genops(legacy):
                pass
            yield legacy.getvalue()[start : legacy.tell()]
    except Exception:
        return


def joblib_stream(value):
    """The globals of a joblib file, found by joblib's own reader on a file made here."""
    import joblib
    from joblib import numpy_pickle

    names = set()

    class Recorder(numpy_pickle.NumpyUnpickler):
        def find_class(self, module, name):
            names.add((module, name))
            return super().find_class(module, name)

    file = io.BytesIO()
    joblib.dump(value, file)
    file.seek(0)
    try:
        Recorder("", file, ensure_native_byte_order=True).load()
    except TypeError:
        Recorder("", file).load()
    return names


def use_of(module, name, called):
    """How the global is used, with a look at what it is."""
    module, name = _compat_pickle.NAME_MAPPING.get(
        (module, name), (_compat_pickle.IMPORT_MAPPING.get(module, module), name)
    )
    if (module, name) == ("builtins", "type"):
        return "value"  # Called with three arguments it makes a class.
    try:
        value = importlib.import_module(module)
        for part in name.split("."):
            value = getattr(value, part)
        if inspect.isclass(value):
            return "class"
    except Exception:
        if name[:1].isupper():
            return "class"
    return "call" if called else "value"


# What honest pickles import and what must still be judged by its arguments or its contents: never listed.
JUDGED = {
    "getattr",
    "eval",
    "exec",
    "open",
    "__import__",
    "_load_from_bytes",
    "attrgetter",
    "itemgetter",
    "methodcaller",
    "partial",
    "print",
    "apply",
    "reduce",
    "_rebuild_from_type_v2",
    "_rebuild_wrapper_subclass",
    "setattr",
}
STANDARD = set(sys.stdlib_module_names) | {
    "__builtin__",
    "copy_reg",
    "UserDict",
    "UserList",
    "UserString",
    "itertools",
    "exceptions",
}
OWN = {"objects", "torch_objects", "__main__", "fsspec"}


def framework_of(module):
    top = module.split(".")[0]
    return "python" if top in STANDARD else top


def collect(only):
    found = {}
    for framework, label, value in objects.all_objects(only):
        names = {}
        for stream in streams(value, framework):
            try:
                for key, called in globals_of(stream).items():
                    names[key] = names.get(key, False) or called
            except Exception as error:
                print(f"unread: {framework} {label}: {error!r:.100}", file=sys.stderr)
        if framework in ("sklearn", "numpy", "pandas", "scipy"):
            try:
                names |= {key: True for key in joblib_stream(value) if key not in names}
            except Exception:
                pass
        for key, called in names.items():
            found[key] = found.get(key, False) or called
    table = {}
    for (module, name), called in found.items():
        if module.split(".")[0] in OWN or name in JUDGED:
            continue
        table.setdefault(framework_of(module), set()).add((module, name, use_of(module, name, called)))
    return table


def versions(framework):
    names = {"sklearn": "scikit-learn", "python": None, "statsmodels": "statsmodels"}
    name = names.get(framework, framework)
    try:
        return f"{name} {importlib.metadata.version(name)}" if name else f"Python {platform.python_version()}"
    except Exception:
        return framework


def write(folder, table):
    for framework, rows in sorted(table.items()):
        path = Path(folder) / f"{framework}.txt"
        kept = ""
        if path.exists() and KEPT in (old := path.read_text()):
            kept = "\n" + old[old.index(KEPT) :]
        head = f"# Made by `python tests/models/globals.py --write` with {versions(framework)}. Above the next heading: do not edit.\n"
        path.write_text(head + "".join(f"{m} {n} {u}\n" for m, n, u in sorted(rows)) + kept)


def main():
    arguments = argparse.ArgumentParser()
    arguments.add_argument("--write", metavar="FOLDER")
    arguments.add_argument("libraries", nargs="*")
    given = arguments.parse_args()
    table = collect(given.libraries)
    if given.write:
        write(given.write, table)
    else:
        for rows in table.values():
            print("".join(f"{m} {n} {u}\n" for m, n, u in sorted(rows)), end="")


if __name__ == "__main__":
    main()
