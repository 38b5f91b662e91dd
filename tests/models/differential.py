"""Compares the symbolic pickle machine with CPython's unpicklers.

    cargo build -p bastide-artifact --example pickle-trace
    python3 tests/models/differential.py target/debug/examples/pickle-trace [count] [seed]

Generates pickles: of random objects by every protocol, of random opcodes, and such pickles with bytes changed. Both
the C and the Python unpickler load each one with every import replaced by an inert class that only takes notes; their
imports and calls, in order, must be the beginning of what the machine saw, and all of it where no error ended them.
Only the standard library is needed; nothing that a pickle names is imported.
"""

import collections
import io
import pathlib
import pickle
import random
import subprocess
import sys
import tempfile

KINDS = {
    type(None): "none", bool: "int", int: "int", float: "float", str: "text", bytes: "bytes", bytearray: "bytes",
    tuple: "tuple", list: "list", dict: "dict", set: "set", frozenset: "set",
}


def kind(value):
    if isinstance(value, Recorder):
        return "global"
    if isinstance(value, Thing):
        return value.kind
    return KINDS.get(type(value), "?")


class Thing:
    """What an inert call gives, or what a persistent id stands for: takes everything."""

    def __init__(self, notes, kind="object"):
        self.notes, self.kind = notes, kind

    def __call__(self, *args, **keywords):
        return note(self.notes, self.kind, args)

    def __setstate__(self, state):
        pass

    def append(self, value):
        pass

    extend = add = append

    def __setitem__(self, key, value):
        pass


def note(notes, callee, args):
    notes.append(f"call {callee} {','.join(kind(arg) for arg in args[:16])}")
    return Thing(notes)


class Recorder(type):
    """The type of inert classes: unpicklers want real ones for NEWOBJ."""

    def __call__(cls, *args, **keywords):
        return note(cls.notes, cls.shown, args)


def inert(notes, module, name):
    def new(cls, *args, **keywords):
        return note(notes, cls.shown, args)

    return Recorder("Inert", (), {"__new__": new, "notes": notes, "shown": f"{module}.{name}"})


def unpickler(base):
    class Inert(base):
        notes: list

        def find_class(self, module, name):
            module, name = (text.replace("\n", " ") for text in (module, name))
            self.notes.append(f"import {module} {name}")
            return inert(self.notes, module, name)

        def persistent_load(self, pid):
            return Thing(self.notes, "persistent")

    return Inert


READERS = {"c": unpickler(pickle.Unpickler), "python": unpickler(pickle._Unpickler)}


def real(reader, data):
    loader = READERS[reader](io.BytesIO(data), encoding="latin1")
    loader.notes = notes = []
    try:
        loader.load()
        notes.append("stop")
    except (MemoryError, RecursionError):
        return None
    except Exception:
        notes.append("error")
    return notes


class Reduced:
    """An object that pickles as a call."""

    def __init__(self, args, state=None):
        self.args, self.state = args, state

    def __reduce__(self):
        callee = random.choice([print, len, collections.OrderedDict, random.Random])
        return (callee, self.args) if self.state is None else (callee, self.args, self.state)


def value(depth):
    leaf = [
        lambda: None, lambda: True, lambda: random.randint(-300, 1 << random.randint(1, 90)), random.random,
        lambda: random.choice(["os", "system", "x" * random.randint(0, 300), "é", "a\nb'\"\\", "__class__"]),
        lambda: random.randbytes(random.randint(0, 300)), lambda: bytearray(b"ab"),
    ]
    if depth == 0:
        return random.choice(leaf)()
    many = lambda: [value(depth - 1) for _ in range(random.randint(0, 5))]
    node = [
        many, lambda: tuple(many()), lambda: {str(i): v for i, v in enumerate(many())}, lambda: {1, "a", b"c"},
        lambda: frozenset([1, 2]), lambda: [many()] * 3, lambda: Reduced(tuple(many())),
        lambda: Reduced((), {"a": value(depth - 1)}),
    ]
    return random.choice(leaf + node * 3)()


TOKENS = [
    b"(", b"0", b"1", b"2", b"N", b"K\x01", b"M\x01\x02", b"I5\n", b"I01\n", b"I 7\n", b"L5L\n", b"L0x1f\n",
    b"I1\0x\n", b"L1\0\n", b"F1.5\0x\n", b"p-0\n", b"g-0\n", b"p3\0x\n", b"g3\0\n",
    b"F1.5\n", b"G\0\0\0\0\0\0\0\0", b"J\xff\xff\xff\xff", b"\x8a\x01\x05", b"\x8b\x01\0\0\0\x05", b"\x88", b"\x89",
    b"S'os'\n", b'S"sys\\x74em"\n', b"Vsystem\n", b"V\\u006fs\n", b"U\x02os", b"T\x02\0\0\0os", b"X\x02\0\0\0os",
    b"\x8c\x06system", b"\x8d\x02\0\0\0\0\0\0\0os", b"C\x02ab", b"B\x02\0\0\0ab", b"\x8e\x02\0\0\0\0\0\0\0ab",
    b"\x96\x02\0\0\0\0\0\0\0ab", b"]", b"}", b"\x8f", b")", b"\x85", b"\x86", b"\x87", b"t", b"l", b"d", b"\x91",
    b"a", b"s", b"e", b"u", b"\x90", b"cos\nsystem\n", b"ca.b\nc\n", b"ios\npopen\n", b"\x93", b"\x93", b"R", b"R",
    b"\x81", b"\x92", b"o", b"b", b"Q", b"Pone\n", b"\x94", b"\x94", b"q\x01", b"q\x05", b"r\x02\0\0\0", b"p3\n",
    b"p0\n", b"h\x00", b"h\x01", b"j\x02\0\0\0", b"g0\n", b"g007\n", b"g+1\n", b"g 3\n", b"\x80\x02", b"\x80\x04",
    b"\x95\x03\0\0\0\0\0\0\0", b"cos\nsystem\n)R", b"cos\nsystem\nS'x'\n\x85R", b"(S'x'\nios\nsystem\n",
    b"\x8c\x02os\x94\x8c\x06system\x94\x93\x94", b"(cos\nsystem\nK\x01o", b"cos\nsystem\n)}\x92", b".",
]


def sample():
    choice = random.random()
    if choice < 0.4:
        data = pickle.dumps(value(4), random.randint(0, 5))
    else:
        data = b"".join(random.choice(TOKENS) for _ in range(random.randint(1, 30))) + b"."
        if random.random() < 0.5:
            data = b"\x80" + bytes([random.randint(2, 5)]) + data
    if choice > 0.9 or choice < 0.05:
        data = bytearray(data)
        for _ in range(random.randint(1, 3)):
            data[random.randrange(len(data))] = random.randrange(256)
    return bytes(data)


def agrees(notes, seen):
    """Whether what an unpickler did is the beginning of what the machine saw."""
    if "frames" in seen:
        # The machine says that unpicklers disagree: the C one, for instance, drops what is left of a frame when a line
        # goes beyond it.
        return True
    *notes, end = notes
    # The Python unpickler takes the end of the file for an empty name, which nothing has.
    notes = [line for line in notes if not (line.startswith("import ") and line.endswith(" "))]
    *seen, ended = [line for line in seen if not line.startswith("build")]
    if end == "stop" and (ended != "stop" or len(notes) != len(seen)):
        return False
    return len(notes) <= len(seen) and all(
        a == b or (b.endswith(" ?") and a.startswith(b[:-1])) for a, b in zip(notes, seen)
    )


def seen_by_machine(trace, paths):
    """What the machine says of each file, in order."""
    for start in range(0, len(paths), 1000):
        run = subprocess.run([trace, *paths[start : start + 1000]], check=True, capture_output=True)
        for part in ("\n" + run.stdout.decode()).split("\n# /")[1:]:
            yield part.rstrip("\n").split("\n")[1:]


class Comparison:
    """`count` pickles, loaded by both unpicklers and read by the machine."""

    def __init__(self, trace, count, seed):
        random.seed(seed)
        self.differences, self.stops, self.events = [], 0, 0
        samples = [sample() for _ in range(count)]
        with tempfile.TemporaryDirectory() as folder:
            paths = [pathlib.Path(folder) / f"{i}" for i in range(count)]
            for path, data in zip(paths, samples):
                path.write_bytes(data)
            for data, seen in zip(samples, seen_by_machine(trace, paths), strict=True):
                for reader in READERS:
                    self.compare(reader, data, seen)

    def compare(self, reader, data, seen):
        notes = real(reader, data)
        if notes is None:
            return
        self.stops += notes[-1] == "stop"
        self.events += len(notes) - 1
        if not agrees(notes, seen):
            self.differences.append(f"{reader}: {data!r}\n  unpickler {notes}\n  machine   {seen}")


def main(trace, count=5000, seed=1):
    found = Comparison(trace, int(count), int(seed))
    print(*found.differences, sep="\n", end="\n" if found.differences else "")
    print(
        f"{count} pickles, {found.stops} loads to the end, {found.events} imports and calls,"
        f" {len(found.differences)} differences"
    )
    return 1 if found.differences else 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
