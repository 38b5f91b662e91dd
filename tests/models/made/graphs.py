"""ONNX, TensorFlow, TensorFlow Lite, Core ML, Keras, ExecuTorch, Paddle programs."""

import base64
import io
import json
import marshal
import pickle
import struct

from .archives import state_dict, torch_entries, zipped
from .opcodes import MARKER, exploit
from .sample import bad, good, risky


def varint(n):
    n &= (1 << 64) - 1
    out = b""
    while n > 127:
        out += bytes([n & 127 | 128])
        n >>= 7
    return out + bytes([n])


def field(number, data):
    """A protobuf field: an integer, or anything with a length."""
    if isinstance(data, int):
        return varint(number << 3) + varint(data)
    data = data.encode() if isinstance(data, str) else data
    return varint(number << 3 | 2) + varint(len(data)) + data


def message(*pairs):
    return b"".join(field(number, data) for number, data in pairs)


def onnx(nodes=(), initializers=(), functions=(), domain="", extra=()):
    opset = [(8, message((1, domain), (2, 17)))]
    shape = message((1, message((1, 1), (2, message((1, message((1, 1))))))))
    graph = (
        [(1, n) for n in nodes]
        + [(2, "g")]
        + [(5, t) for t in initializers]
        + [(11, message((1, "x"), (2, shape))), (12, message((1, "y"), (2, shape)))]
    )
    return message(
        (1, 8), (2, "pytorch"), *opset, (7, message(*graph)), *((25, f) for f in functions), *extra
    )


def node(kind="Relu", domain="", attributes=(), inputs=("x",), outputs=("y",)):
    return message(
        *((1, i) for i in inputs),
        *((2, o) for o in outputs),
        (3, "n"),
        (4, kind),
        *((5, a) for a in attributes),
        *([(7, domain)] if domain else []),
    )


def external(location, length="4", offset="0"):
    return message(
        (1, 1),
        (2, 1),
        (8, "w"),
        *(
            (13, message((1, k), (2, v)))
            for k, v in (("location", location), ("offset", offset), ("length", length))
        ),
        (14, 1),
    )


def onnx_files():
    for label, path in (
        ("up", "../../../etc/passwd"),
        ("absolute", "/etc/passwd"),
        ("backslash", "..\\..\\secret"),
        ("drive", "C:\\windows\\win.ini"),
        ("inside", "data/../../x"),
        ("unc", "\\\\host\\share\\w"),
        ("url", "file:///etc/passwd"),
        ("http", "http://127.0.0.1/w"),
        ("home", "~/.ssh/id_rsa"),
        ("nul", "w.bin\0../x"),
        ("dot_up", "./../w.bin"),
    ):
        bad(
            f"onnx/external_{label}.onnx",
            onnx([node()], [external(path)]),
            "onnx",
            "B24",
            "CVE-2024-27318, CVE-2022-25882",
        )
    bad(
        "onnx/external_in_attribute.onnx",
        onnx(
            [node("Constant", attributes=[message((1, "value"), (5, external("../x")), (20, 4))], inputs=())]
        ),
        "onnx",
        "B24",
        "external data of a constant",
    )
    bad(
        "onnx/external_in_subgraph.onnx",
        onnx(
            [
                node(
                    "If",
                    attributes=[
                        message(
                            (1, "then_branch"), (6, message((2, "t"), (5, external("/etc/passwd")))), (20, 5)
                        )
                    ],
                )
            ]
        ),
        "onnx",
        "B24",
    )
    bad("onnx/external_negative.onnx", onnx([node()], [external("w.bin", "-1", "-8")]), "onnx", "B24")
    bad("onnx/external_huge.onnx", onnx([node()], [external("w.bin", str(1 << 63), "0")]), "onnx", "B25")
    bad(
        "onnx/dims_huge.onnx",
        onnx([node()], [message((1, 1 << 40), (1, 1 << 40), (2, 1), (8, "w"), (9, bytes(4)))]),
        "onnx",
        "B25",
    )
    bad(
        "onnx/dims_negative.onnx",
        onnx([node()], [message((1, -5), (2, 1), (8, "w"), (9, bytes(4)))]),
        "onnx",
        "structure",
    )
    bad(
        "onnx/python_op.onnx",
        onnx(
            [
                node(
                    "PyOp",
                    "ai.onnx.contrib",
                    [
                        message((1, "module"), (4, "os"), (20, 3)),
                        message((1, "func"), (4, "system"), (20, 3)),
                    ],
                )
            ]
        ),
        "onnx",
        "B24",
        "calls Python",
    )
    bad(
        "onnx/python_op_runtime.onnx",
        onnx([node("PyOp", "pyopmulti_1", [message((1, "module"), (4, "evil"), (20, 3))])]),
        "onnx",
        "B24",
    )
    bad(
        "onnx/aten_op.onnx",
        onnx([node("PythonOp", "com.microsoft", [message((1, "func_name"), (4, "os.system"), (20, 3))])]),
        "onnx",
        "B24",
        "calls a registered function",
    )
    bad(
        "onnx/folder_link",
        {"model.onnx": onnx([node()], [external("sub/../../../w.bin")]), "w.bin": bytes(4)},
        "onnx",
        "B24",
    )
    def typed(kind, *data):
        return onnx([node()], [message((1, 2), (1, 3), (2, kind), (8, "w"), *data)])

    good("onnx/ok_typed_floats.onnx", typed(1, (4, bytes(24))), "onnx", "values instead of bytes")
    good("onnx/ok_typed_numbers.onnx", typed(7, *[(7, 1)] * 6), "onnx", "values one by one")
    good("onnx/ok_typed_texts.onnx", typed(8, *[(6, "x")] * 6), "onnx", "texts")
    bad("onnx/typed_short.onnx", typed(1, (4, bytes(4))), "onnx", "structure", "one value for six")
    bad("onnx/typed_long.onnx", typed(7, *[(7, 1)] * 9), "onnx", "structure", "nine values for six")
    bad("onnx/exploit_in_raw.onnx", onnx([node()]) + exploit(2), "onnx", "B9", "a pickle behind the model")
    good("onnx/ok.onnx", onnx([node()]), "onnx")
    good(
        "onnx/ok_weights.onnx",
        onnx([node("Add", inputs=("x", "w"))], [message((1, 1), (2, 1), (8, "w"), (9, bytes(4)))]),
        "onnx",
    )
    good(
        "onnx/ok_ml.onnx",
        onnx([node("TreeEnsembleClassifier", "ai.onnx.ml")], extra=[(8, message((1, "ai.onnx.ml"), (2, 3)))]),
        "onnx",
    )
    good(
        "onnx/ok_microsoft.onnx",
        onnx([node("FusedMatMul", "com.microsoft")], extra=[(8, message((1, "com.microsoft"), (2, 1)))]),
        "onnx",
        "operators of onnxruntime",
    )
    good(
        "onnx/ok_external",
        {"model.onnx": onnx([node()], [external("model.onnx_data")]), "model.onnx_data": bytes(4)},
        "onnx",
    )
    good(
        "onnx/ok_metadata.onnx",
        onnx([node()], extra=[(14, message((1, "note"), (2, "call os.system in ../docs")))]),
        "onnx",
    )
    good(
        "onnx/ok_function.onnx",
        onnx(
            [node("Twice", "local")],
            functions=[
                message(
                    (1, "Twice"),
                    (4, "x"),
                    (5, "y"),
                    (7, node("Add", inputs=("x", "x"))),
                    (9, message((2, 17))),
                    (10, "local"),
                )
            ],
            extra=[(8, message((1, "local"), (2, 1)))],
        ),
        "onnx",
    )


def attribute(key, data):
    return (5, message((1, key), (2, data)))


def graph_node(op, label="n", inputs=(), attributes=()):
    return message((1, label), (2, op), *((3, i) for i in inputs), *(attribute(k, v) for k, v in attributes))


def text_const(label, data):
    return graph_node(
        "Const",
        label,
        attributes=[("dtype", field(6, 7)), ("value", field(8, message((1, 7), (2, b""), (8, data))))],
    )


def graph_def(nodes, functions=()):
    library = [(2, message(*((1, f) for f in functions)))] if functions else []
    return message(*((1, n) for n in nodes), (4, message((1, 1800))), *library)


def function(nodes, label="__inference_f"):
    return message((1, message((1, label))), *((3, n) for n in nodes))


def meta_graph(graph):
    return message((1, message((4, "serve"), (5, "2.15.0"))), (2, graph))


def saved_model(graph):
    return message((1, 1), (2, meta_graph(graph)))


TF_BAD = {
    "ReadFile": [text_const("p", "/etc/passwd"), graph_node("ReadFile", inputs=["p"])],
    "WriteFile": [
        text_const("p", "/tmp/m"),
        text_const("d", "x"),
        graph_node("WriteFile", inputs=["p", "d"]),
    ],
    "PyFunc": [graph_node("PyFunc", attributes=[("token", field(2, "pyfunc_0"))])],
    "EagerPyFunc": [graph_node("EagerPyFunc", attributes=[("token", field(2, "pyfunc_0"))])],
    "PyFuncStateless": [graph_node("PyFuncStateless", attributes=[("token", field(2, "pyfunc_0"))])],
    "MatchingFiles": [text_const("p", "/home/*"), graph_node("MatchingFiles", inputs=["p"])],
    "PrintV2": [
        text_const("d", "x"),
        graph_node("PrintV2", inputs=["d"], attributes=[("output_stream", field(2, "file:///tmp/marker"))]),
    ],
    "Save_absolute": [text_const("p", "/etc/cron.d/x"), graph_node("SaveV2", inputs=["p"])],
    "SummaryWriter": [text_const("p", "/tmp/m"), graph_node("CreateSummaryFileWriter", inputs=["w", "p"])],
    "TextLineDataset": [text_const("p", "/etc/passwd"), graph_node("TextLineDataset", inputs=["p"])],
    "WholeFileReader": [graph_node("WholeFileReaderV2", "r"), graph_node("ReaderReadV2", inputs=["r", "q"])],
    "DebugIdentity": [
        graph_node("DebugIdentityV2", attributes=[("debug_urls", field(1, message((2, "file:///tmp/m"))))])
    ],
    "Generator": [graph_node("GeneratorDataset")],
    "RemoteCall": [graph_node("RemoteCall")],
    "LoadAndRemap": [text_const("p", "/etc/passwd"), graph_node("LoadAndRemapMatrix", inputs=["p"])],
    "InitializeTable": [
        text_const("p", "/etc/passwd"),
        graph_node("InitializeTableFromTextFileV2", inputs=["t", "p"]),
    ],
}
TEXTS = ("T", field(6, 7))
TF_BAD |= {
    "joined": [
        text_const("a", "/ro"),
        text_const("b", "ot/.bashrc"),
        graph_node("StringJoin", "j", ["a", "b"]),
        graph_node("SaveV2", "s", ["j"]),
    ],
    "formatted": [
        text_const("a", "root"),
        graph_node(
            "StringFormat",
            "f",
            ["a"],
            [("template", field(2, "/{}/.bashrc")), ("placeholder", field(2, "{}"))],
        ),
        graph_node("SaveV2", "s", ["f"]),
    ],
    "default": [
        text_const("a", "/root/.bashrc"),
        graph_node("PlaceholderWithDefault", "p", ["a"], [("dtype", field(6, 7))]),
        graph_node("SaveV2", "s", ["p"]),
    ],
    "variable": [
        text_const("a", "/root/.ssh/id_rsa"),
        graph_node("VarHandleOp", "v", attributes=[("dtype", field(6, 7))]),
        graph_node("AssignVariableOp", "w", ["v", "a"], [("dtype", field(6, 7))]),
        graph_node("ReadVariableOp", "r", ["v"], [("dtype", field(6, 7))]),
        graph_node("RestoreV2", "s", ["r"]),
    ],
    "DumpTensor": [graph_node("DumpTensor", attributes=[("log_dir_path", field(2, "/root/x"))])],
}
TF_OK = [
    graph_node("Placeholder", "x"),
    graph_node("VarHandleOp", "v"),
    graph_node("ReadVariableOp", "r", ["v"]),
    graph_node("MatMul", "m", ["x", "r"]),
    graph_node("Relu", "y", ["m"]),
]
TF_SAVER = [
    graph_node("Placeholder", "saver_filename"),
    text_const("suffix", "_temp/part"),
    graph_node("StringJoin", "j", ["saver_filename", "suffix"]),
    graph_node("ShardedFilename", "s", ["j"]),
    graph_node("SaveV2", "save", ["s", "names"]),
    graph_node("MergeV2Checkpoints", "merge", ["s", "saver_filename"]),
    graph_node("RestoreV2", "restore", ["saver_filename"]),
    graph_node("NoOp", "done", ["^merge"]),
]


def tensorflow_files():
    for label, nodes in TF_BAD.items():
        add = risky if label in ("Generator", "RemoteCall") else bad
        add(
            f"tf/{label}",
            {
                "saved_model.pb": saved_model(graph_def([*TF_OK, *nodes])),
                "variables/variables.index": bytes(10),
            },
            "savedmodel",
            "B24",
        )
        add(
            f"tf/function_{label}",
            {"saved_model.pb": saved_model(graph_def(TF_OK, [function(nodes)]))},
            "savedmodel",
            "B24",
            "inside the function library",
        )
    for label in ("ReadFile", "WriteFile", "PyFunc", "MatchingFiles"):
        bad(
            f"tf/{label}.pb",
            graph_def([*TF_OK, *TF_BAD[label]]),
            "graphdef",
            "B24",
            "a graph without a SavedModel",
        )
        bad(f"tf/{label}.meta", meta_graph(graph_def([*TF_OK, *TF_BAD[label]])), "metagraph", "B24")
    bad(
        "tf/asset_up",
        {
            "saved_model.pb": message(
                (1, 1),
                (
                    2,
                    message(
                        (1, message((4, "serve"))),
                        (2, graph_def(TF_OK)),
                        (6, message((1, message((1, "a:0"))), (2, "../../../etc/passwd"))),
                    ),
                ),
            )
        },
        "savedmodel",
        "B24",
        "an asset outside the folder",
    )
    good(
        "tf/ok",
        {
            "saved_model.pb": saved_model(graph_def([*TF_OK, *TF_SAVER])),
            "variables/variables.index": bytes(10),
            "fingerprint.pb": message((1, 5)),
        },
        "savedmodel",
    )
    good(
        "tf/ok_function",
        {
            "saved_model.pb": saved_model(
                graph_def(
                    TF_OK,
                    [
                        function(TF_OK, "__inference_call"),
                        function(TF_SAVER, "__inference__traced_save"),
                        function(
                            [graph_node("PartitionedCall", "c"), graph_node("StatefulPartitionedCall", "d")]
                        ),
                    ],
                )
            )
        },
        "savedmodel",
    )
    argument = message(
        (1, message((1, "__inference_save"), (2, message((1, "prefix"))))),
        (3, graph_node("Identity", "i", ["prefix"], [TEXTS])),
        (3, graph_node("SaveV2", "s", ["i:output:0"])),
    )
    call = graph_node(
        "StatefulPartitionedCall", "c", ["p"], [("f", field(10, message((1, "__inference_save"))))]
    )
    bad(
        "tf/argument.pb",
        graph_def([text_const("p", "/root/.bashrc"), call], [argument]),
        "graphdef",
        "B19",
        "the path is an argument of a function",
    )
    good(
        "tf/ok_argument.pb",
        graph_def([graph_node("Placeholder", "p", attributes=[("dtype", field(6, 7))]), call], [argument]),
        "graphdef",
    )
    bad(
        "tf/late.pb",
        message(*((1, message((1, f"n{at}"))) for at in range(100))) + graph_def(TF_BAD["ReadFile"]),
        "graphdef",
        "B19",
        "behind many nodes without an operation",
    )
    good("tf/ok.pb", graph_def(TF_OK), "graphdef")
    good("tf/ok.meta", meta_graph(graph_def([*TF_OK, *TF_SAVER])), "metagraph")
    good(
        "tf/ok_text",
        {
            "saved_model.pb": saved_model(
                graph_def([*TF_OK, text_const("vocabulary", "os.system eval ReadFile /etc/passwd")])
            )
        },
        "savedmodel",
        "words as data",
    )
    good(
        "tf/ok_assert",
        {
            "saved_model.pb": saved_model(
                graph_def(
                    [
                        *TF_OK,
                        graph_node("Assert", "a"),
                        graph_node("PrintV2", "p", attributes=[("output_stream", field(2, "stderr"))]),
                    ]
                )
            )
        },
        "savedmodel",
        "prints to standard error",
    )


class Flat:
    """A flatbuffer written front to back: offsets point forward."""

    def __init__(self, identifier):
        self.data = bytearray(8)
        self.data[4:8] = identifier

    def align(self):
        self.data += bytes(-len(self.data) % 4)

    def table(self, kinds):
        """A table with one slot per entry; `kinds` holds `("offset",)`, an int of four bytes, a byte, or None."""
        self.align()
        start, offset, slots = len(self.data), 4, []
        for kind in kinds:
            slots.append(offset if kind is not None else 0)
            offset += 4 if kind is not None else 0
        vtable = struct.pack("<HH", 4 + 2 * len(kinds), offset) + b"".join(
            struct.pack("<H", s) for s in slots
        )
        self.data += vtable + bytes(-len(vtable) % 4)
        at = len(self.data)
        self.data += struct.pack("<i", at - start)
        places = []
        for kind in kinds:
            if kind is None:
                places.append(None)
                continue
            places.append(len(self.data))
            self.data += struct.pack("<i", kind if isinstance(kind, int) else 0)
        return at, places

    def point(self, place):
        """Makes the offset at `place` point here."""
        self.align()
        self.data[place : place + 4] = struct.pack("<I", len(self.data) - place)

    def string(self, place, item):
        self.point(place)
        self.data += struct.pack("<I", len(item)) + item.encode() + b"\0"

    def vector(self, place, count):
        self.point(place)
        self.data += struct.pack("<I", count)
        places = [len(self.data) + 4 * i for i in range(count)]
        self.data += bytes(4 * count)
        return places

    def root(self, at):
        self.data[0:4] = struct.pack("<I", at)


def tflite(codes):
    """A model with operator codes: `(builtin, custom name)`."""
    flat = Flat(b"TFL3")
    at, places = flat.table([3, "codes", "subgraphs", "description", "buffers"])
    flat.root(at)
    for place, (builtin, custom) in zip(flat.vector(places[1], len(codes)), codes):
        flat.align()
        # The offset must be set once the table's vtable is written.
        inner, inner_places = flat.table([min(builtin, 127), "name" if custom else None, 1, builtin])
        flat.data[place : place + 4] = struct.pack("<I", inner - place)
        if custom:
            flat.string(inner_places[1], custom)
    flat.vector(places[2], 0)
    flat.string(places[3], "MLIR Converted.")
    flat.vector(places[4], 0)
    flat.align()
    return bytes(flat.data)


def tflite_files():
    risky(
        "tflite/custom.tflite",
        tflite([(0, None), (32, "EvilShellOp")]),
        "tflite",
        "B24",
        "a custom operator: native code of the host application",
    )
    bad("tflite/flex_readfile.tflite", tflite([(32, "FlexReadFile")]), "tflite", "B24")
    bad("tflite/flex_writefile.tflite", tflite([(3, None), (32, "FlexWriteFile")]), "tflite", "B24")
    bad("tflite/flex_pyfunc.tflite", tflite([(32, "FlexPyFunc")]), "tflite", "B24")
    bad("tflite/flex_matching.tflite", tflite([(32, "FlexMatchingFiles")]), "tflite", "B24")
    bad(
        "tflite/offset_beyond.tflite",
        struct.pack("<I", 0x7FFFFFFF) + tflite([(0, None)])[4:],
        "tflite",
        "structure",
        "the root offset leaves the file",
    )
    good("tflite/ok.tflite", tflite([(0, None), (3, None), (25, None)]), "tflite")
    good(
        "tflite/ok_detection.tflite",
        tflite([(32, "TFLite_Detection_PostProcess")]),
        "tflite",
        "the well-known custom operator",
    )
    good(
        "tflite/ok_flex.tflite",
        tflite([(32, "FlexErf"), (32, "FlexTensorListReserve")]),
        "tflite",
        "Flex operators without side effects",
    )


def coreml_files():
    shape = message((1, message((1, "x"), (3, message((5, b""))))), (10, message((1, "y"))))
    layer = message(
        (1, "l"),
        (2, "x"),
        (3, "y"),
        (500, message((10, "EvilLayer"), (30, message((1, "path"), (2, message((20, "/tmp/x"))))))),
    )
    risky(
        "coreml/custom_layer.mlmodel",
        message((1, 4), (2, shape), (500, message((1, layer)))),
        "coreml",
        "B24",
        "a layer of the host application's code",
    )
    risky(
        "coreml/custom_model.mlmodel",
        message((1, 4), (2, shape), (555, message((10, "EvilModel"), (40, "x")))),
        "coreml",
        "B24",
    )
    risky(
        "coreml/custom_in_pipeline.mlmodel",
        message(
            (1, 4),
            (2, shape),
            (202, message((1, message((1, 4), (2, shape), (555, message((10, "EvilModel"))))))),
        ),
        "coreml",
        "B24",
    )
    bad(
        "coreml/linked_up.mlmodel",
        message(
            (1, 4),
            (2, shape),
            (556, message((1, message((1, message((1, message((1, "../../../tmp/evil"))))))))),
        ),
        "coreml",
        "B24",
        "a linked model outside",
    )
    good(
        "coreml/ok_linear.mlmodel",
        message((1, 4), (2, shape), (300, message((1, message((1, bytes(8))))))),
        "coreml",
    )
    inner = message((1, "l"), (2, "x"), (3, "y"), (140, message((1, 1), (2, 1))))
    good("coreml/ok_network.mlmodel", message((1, 4), (2, shape), (500, message((1, inner)))), "coreml")


CODE = base64.b64encode(marshal.dumps(compile("print('marker')", "m", "exec"))).decode()


def keras_config(layers, kind="Sequential"):
    return {
        "module": "keras",
        "class_name": kind,
        "config": {"name": "m", "layers": layers},
        "registered_name": None,
        "build_config": {"input_shape": [None, 4]},
    }


DENSE = {
    "module": "keras.layers",
    "class_name": "Dense",
    "config": {
        "name": "dense",
        "trainable": True,
        "units": 2,
        "activation": "relu",
        "kernel_initializer": {
            "module": "keras.initializers",
            "class_name": "GlorotUniform",
            "config": {"seed": None},
            "registered_name": None,
        },
    },
    "registered_name": None,
}
INPUT = {
    "module": "keras.layers",
    "class_name": "InputLayer",
    "config": {"batch_shape": [None, 4], "dtype": "float32", "name": "x"},
    "registered_name": None,
}


def layer(module, name_, config=None, registered=None):
    return {"module": module, "class_name": name_, "config": config or {}, "registered_name": registered}


LAMBDA = {"class_name": "__lambda__", "config": {"value": [CODE, None, None]}}
KERAS_BAD = {
    "typespec": {
        "class_name": "__typespec__",
        "module": "tensorflow",
        "spec_name": "load_library",
        "serialized": ["x.so"],
    },
    "through_h5py": layer("keras.src.saving.saving_lib.h5py", "File", {"name": "/tmp/m", "mode": "w"}),
    "tensorflow_operation": layer("keras.layers", "TFOpLambda", {"function": "io.write_file"}),
    "lambda_source": layer(
        "keras.layers",
        "Lambda",
        {"name": "l", "function": f"lambda x: __import__('os').system('{MARKER}')"},
    ),
    "merges": layer("keras_hub.tokenizers", "BytePairTokenizer", {"merges": "/etc/passwd"}),
    "lambda": layer("keras.layers", "Lambda", {"name": "l", "function": LAMBDA}),
    "lambda_keras3": layer(
        "keras.layers",
        "Lambda",
        {
            "name": "l",
            "function": {
                "module": "builtins",
                "class_name": "function",
                "config": "system",
                "registered_name": "function",
            },
        },
    ),
    "lambda_code_key": layer(
        "keras.layers",
        "Lambda",
        {
            "name": "l",
            "function": {
                "class_name": "__lambda__",
                "config": {"code": CODE, "defaults": None, "closure": None},
            },
        },
    ),
    "module_os": layer("os", "system", {"command": MARKER}),
    "module_subprocess": layer("subprocess", "Popen", {"args": ["echo"]}),
    "module_builtins": layer("builtins", "eval", {"x": "1"}),
    "module_importlib": layer("importlib", "import_module", {"name": "antigravity"}),
    "module_registered": layer("keras.layers", "Dense", {}, "os>system"),
    "function_in_activation": {
        **DENSE,
        "config": {
            **DENSE["config"],
            "activation": {
                "module": "os",
                "class_name": "function",
                "config": "system",
                "registered_name": "system",
            },
        },
    },
    "initializer": {
        **DENSE,
        "config": {
            **DENSE["config"],
            "kernel_initializer": layer("subprocess", "getoutput", {"cmd": "echo"}),
        },
    },
    "get_file": layer(
        "keras.layers",
        "Lambda",
        {
            "function": {
                "module": "keras.utils",
                "class_name": "function",
                "config": "get_file",
                "registered_name": "get_file",
            },
            "arguments": {"origin": "http://127.0.0.1/", "cache_dir": "/tmp"},
        },
    ),
    "get_file_src": layer("keras.src.utils.file_utils", "get_file", {"origin": "http://127.0.0.1"}),
    "string_lookup": layer("keras.layers", "StringLookup", {"vocabulary": "/etc/passwd", "name": "s"}),
    "integer_lookup": layer("keras.layers", "IntegerLookup", {"vocabulary": "../../secret.txt", "name": "s"}),
    "text_vectorization": layer(
        "keras.layers", "TextVectorization", {"vocabulary": "http://127.0.0.1/v.txt", "name": "s"}
    ),
    "torch_wrapper": layer(
        "keras.layers",
        "TorchModuleWrapper",
        {"module": {"class_name": "__bytes__", "config": {"value": "gAJjcG9zaXgKc3lzdGVtCg=="}}, "name": "t"},
    ),
    "tfsm": layer("keras.layers", "TFSMLayer", {"filepath": "/tmp/evil_saved_model", "name": "t"}),
    "deep": layer(
        "keras.layers",
        "TimeDistributed",
        {
            "layer": layer(
                "keras.layers",
                "Bidirectional",
                {"layer": layer("keras.layers", "Lambda", {"function": LAMBDA})},
            )
        },
    ),
    "custom_object_module": layer("pathlib", "Path", {"x": "/tmp"}),
    "pickle_module": layer("pickle", "loads", {"data": "x"}),
    "numpy_load": layer("numpy", "load", {"file": "/tmp/x.npy", "allow_pickle": True}),
    "keras_models_load": layer("keras.models", "load_model", {"filepath": "/tmp/x.h5", "safe_mode": False}),
    "enable_unsafe": layer("keras.config", "enable_unsafe_deserialization", {}),
    "operation_slice": layer(
        "keras.src.ops.core",
        "Vectorize",
        {"pyfunc": {"module": "os", "class_name": "function", "config": "system"}},
    ),
}


def keras(config, weights=b"\x89HDF\r\n\x1a\n" + bytes(40), more=()):
    raw = config if isinstance(config, bytes) else json.dumps(config).encode()
    metadata = {"keras_version": "3.3.3", "date_saved": "2024-05-01@10:00:00"}
    return zipped(
        [
            ("metadata.json", json.dumps(metadata).encode()),
            ("config.json", raw),
            *([("model.weights.h5", weights)] if weights else []),
            *more,
        ]
    )


def keras_files():
    for label, item in KERAS_BAD.items():
        add = risky if label == "custom_object_module" else bad
        add(f"keras/{label}.keras", keras(keras_config([INPUT, item, DENSE]), None), "keras", "B24")
    for label in ("lambda", "module_os", "initializer"):
        escaped = (
            json.dumps(keras_config([INPUT, KERAS_BAD[label]]))
            .replace("Lambda", "L\\u0061mbda")
            .replace('"os"', '"\\u006fs"')
            .replace("subprocess", "sub\\u0070rocess")
        )
        bad(
            f"keras/escaped_{label}.keras",
            keras(escaped.encode(), None),
            "keras",
            "B24",
            "escapes in the JSON",
        )
        doubled = (
            json.dumps(keras_config([INPUT, DENSE]))[:-1]
            + ', "config": '
            + json.dumps({"name": "m", "layers": [KERAS_BAD[label]]})
            + "}"
        )
        bad(
            f"keras/duplicate_{label}.keras",
            keras(doubled.encode(), None),
            "keras",
            "B24",
            "the second of two keys wins",
        )
    bad(
        "keras/pickle_member.keras",
        keras(keras_config([INPUT, DENSE]), None, [("assets/x.pkl", exploit(2))]),
        "keras",
        "B24",
    )
    bad(
        "keras/slip_member.keras",
        keras(keras_config([INPUT, DENSE]), None, [("assets/../../evil.py", b"x")]),
        "keras",
        "slip",
    )
    bad(
        "keras/compile.keras",
        keras(
            {
                **keras_config([INPUT, DENSE]),
                "compile_config": {
                    "optimizer": "adam",
                    "loss": {
                        "module": "os",
                        "class_name": "function",
                        "config": "system",
                        "registered_name": "system",
                    },
                },
            },
            None,
        ),
        "keras",
        "B24",
        "in the compile configuration",
    )
    bad(
        "keras/lambda.json",
        json.dumps(
            {
                "class_name": "Sequential",
                "config": {
                    "layers": [
                        {
                            "class_name": "Lambda",
                            "config": {
                                "function": [CODE, None, None],
                                "function_type": "lambda",
                                "module": "__main__",
                            },
                        }
                    ]
                },
                "keras_version": "2.4.0",
                "backend": "tensorflow",
            }
        ).encode(),
        "json",
        "B24",
        "a model as JSON",
    )
    good("keras/ok.keras", keras(keras_config([INPUT, DENSE]), None), "keras")
    good(
        "keras/ok_compile.keras",
        keras(
            {
                **keras_config([INPUT, DENSE]),
                "compile_config": {
                    "optimizer": {
                        "module": "keras.optimizers",
                        "class_name": "Adam",
                        "config": {"name": "adam"},
                        "registered_name": None,
                    },
                    "loss": "mse",
                    "metrics": ["accuracy"],
                },
            },
            None,
        ),
        "keras",
    )
    good(
        "keras/ok_lookup.keras",
        keras(
            keras_config(
                [INPUT, layer("keras.layers", "StringLookup", {"vocabulary": ["a", "b"], "name": "s"})]
            ),
            None,
        ),
        "keras",
        "the vocabulary is a list",
    )
    good(
        "keras/ok_wrapped.keras",
        keras(
            keras_config(
                [
                    {**INPUT, "config": {**INPUT["config"], "batch_shape": [None, 3, 4]}},
                    layer("keras.layers", "TimeDistributed", {"layer": DENSE}),
                ]
            ),
            None,
        ),
        "keras",
    )
    good(
        "keras/ok_functional.keras",
        keras({**keras_config([INPUT, DENSE], "Functional"), "module": "keras.src.models.functional"}, None),
        "keras",
    )
    good(
        "keras/ok_names.keras",
        keras(
            keras_config([INPUT, {**DENSE, "config": {**DENSE["config"], "name": "lambda_eval_os_system"}}]),
            None,
        ),
        "keras",
        "a name that looks bad",
    )
    good(
        "keras/ok.json",
        json.dumps(
            {
                "class_name": "Sequential",
                "config": {"layers": [{"class_name": "Dense", "config": {"units": 2, "activation": "relu"}}]},
                "keras_version": "2.4.0",
                "backend": "tensorflow",
            }
        ).encode(),
        "json",
    )
    hdf5_files()


def hdf5_files():
    """Only where h5py is installed."""
    try:
        import h5py
        import numpy as np
    except ImportError:
        return

    def file(config, attribute_="model_config", fill=None):
        target = io.BytesIO()
        with h5py.File(target, "w", libver="earliest") as handle:
            handle.attrs[attribute_] = config if isinstance(config, (str, bytes)) else json.dumps(config)
            handle.attrs["keras_version"], handle.attrs["backend"] = "2.15.0", "tensorflow"
            group = handle.create_group("model_weights/dense", track_order=False)
            group.create_dataset("kernel:0", data=[[1.0, 2.0]])
            if fill:
                fill(handle)
        return target.getvalue()

    def sequential(*layers):
        return {
            "class_name": "Sequential",
            "config": {"name": "s", "layers": [*layers, {"class_name": "Dense", "config": {"units": 2}}]},
        }

    old = {
        "class_name": "Lambda",
        "config": {
            "name": "l",
            "function": [CODE, None, None],
            "function_type": "lambda",
            "module": "__main__",
        },
    }
    bad("h5/lambda.h5", file(sequential(old)), "hdf5", "B24", "CVE-2024-3660")
    escaped = json.dumps(sequential(old)).replace("class_name", "class\\u005fname")

    def committed(handle):
        handle["type"] = h5py.string_dtype()
        handle.attrs.create("model_config", escaped, dtype=handle["type"])

    def objects(*rows, attribute_="PSEUDOATOM", kind="object"):
        """An array of objects as PyTables keeps it, which pandas uses for columns of mixed types."""

        def fill(handle):
            array = handle.create_dataset("v", (len(rows),), h5py.vlen_dtype("u1"), chunks=(8,), maxshape=(None,))
            for at, row in enumerate(rows):
                array[at] = list(row)
            array.attrs["CLASS"] = np.bytes_("VLARRAY")
            handle.attrs["PYTABLES_FORMAT_VERSION"] = np.bytes_("2.1" if attribute_ == "PSEUDOATOM" else "1.6")
            array.attrs[attribute_] = np.bytes_(kind)

        return file("", "note", fill)

    plain = [pickle.dumps(row, protocol) for protocol in (0, 2, 4) for row in ([1, 2], {"a": "b"}, "text.")]
    good("h5/ok_objects.h5", objects(*plain), "hdf5", "pickles of plain values")
    good("h5/ok_texts.h5", objects(exploit(2), kind="vlstring"), "hdf5", "texts, whatever they look like")
    for protocol in (0, 1, 2, 4):
        bad(f"h5/objects_{protocol}.h5", objects(*plain, exploit(protocol)), "hdf5", "B24", "a row is unpickled")
    bad("h5/objects_old.h5", objects(exploit(2), attribute_="FLAVOR", kind="Object"), "hdf5", "B24", "PyTables 1")
    bad("h5/objects_behind.h5", objects(b"N" + exploit(0)), "hdf5", "B24", "another opcode comes first")
    bad("h5/objects_trailing.h5", objects(exploit(4) + b"behind"), "hdf5", "B24", "bytes behind the pickle")
    bad("h5/attribute_none_first.h5", file(b"N" + exploit(0), "note"), "hdf5", "B24", "PyTables unpickles it")
    bad("h5/committed_type.h5", file("", "note", committed), "hdf5", "B24", "the type is an object")
    bad("h5/escaped.h5", file(escaped), "hdf5", "B24", "escapes in the JSON")
    bad("h5/lambda_bytes.hdf5", file(json.dumps(sequential(old)).encode()), "hdf5", "B24")
    bad(
        "h5/lambda_training.h5",
        file(
            sequential(),
            fill=lambda h: h.attrs.__setitem__(
                "training_config", json.dumps({"loss": layer("os", "system", {"command": "echo"})})
            ),
        ),
        "hdf5",
        "B24",
    )
    bad("h5/module.h5", file(sequential(layer("os", "system", {"command": "echo"}))), "hdf5", "B24")
    bad(
        "h5/lookup.h5",
        file(sequential({"class_name": "StringLookup", "config": {"vocabulary": "/etc/passwd"}})),
        "hdf5",
        "B24",
    )
    bad(
        "h5/external_link.h5",
        file(sequential(), fill=lambda h: h.__setitem__("stolen", h5py.ExternalLink("/etc/other.h5", "/x"))),
        "hdf5",
        "B24",
        "CVE-2025-9905 and links outside",
    )
    bad(
        "h5/external_dataset.h5",
        file(
            sequential(),
            fill=lambda h: h.create_dataset("stolen", (4,), "u1", external=[("/etc/hostname", 0, 4)]),
        ),
        "hdf5",
        "B24",
        "the bytes of another file",
    )
    bad(
        "h5/large_lambda.h5",
        file(json.dumps(sequential(old))[:-1] + ', "pad": "' + "x" * 200 + '"}'),
        "hdf5",
        "B24",
    )
    good("h5/ok.h5", file(sequential()), "hdf5")
    good(
        "h5/ok_functional.h5",
        file(
            {
                "class_name": "Functional",
                "config": {
                    "layers": [
                        {"class_name": "InputLayer", "config": {"name": "x"}},
                        {"class_name": "Conv2D", "config": {"filters": 2}},
                    ]
                },
            }
        ),
        "hdf5",
    )
    good(
        "h5/ok_link.h5",
        file(sequential(), fill=lambda h: h.__setitem__("soft", h5py.SoftLink("/model_weights"))),
        "hdf5",
    )
    target = io.BytesIO()
    with h5py.File(target, "w") as handle:
        handle.create_dataset("x", data=[1, 2, 3], compression="gzip", chunks=(3,))
        handle.attrs["note"] = "eval( and os.system are only words"
    good("h5/ok_data.h5", target.getvalue(), "hdf5")


def other_files():
    program = b"\x20\x00\x00\x00ET12" + bytes(8) + bytes(40)
    bad("executorch/pickle_behind.pte", program + exploit(2), "executorch", "B9")
    good(
        "paddle/ok.pdmodel", message((1, message((1, 0), (2, -1), (4, message((3, "matmul_v2")))))), "paddle"
    )
    for kind in ("py_func", "save", "load"):
        path = message((1, "file_path"), (2, 2), (5, "/etc/cron.d/x"))
        bad(
            f"paddle/{kind}.pdmodel",
            message((1, message((1, 0), (2, -1), (4, message((3, kind), (4, path)))))),
            "paddle",
            "B24",
            "calls Python or reaches files",
        )
    bad(
        "llamafile/args.llamafile",
        b"MZqFpD='\n"
        + bytes(100)
        + zipped(
            [
                (".args", b"-m\nmodel.gguf\n--exec\necho marker\n"),
                ("model.gguf", b"GGUF" + struct.pack("<IQQ", 3, 1 << 60, 0)),
            ]
        ),
        "llamafile",
        "B24",
        "a program with a broken GGUF inside",
    )
    bad(
        "llamafile/pickle.llamafile",
        b"\x7fELF\x02\x01\x01" + bytes(200) + zipped([("weights.pkl", exploit(2))]),
        "llamafile",
        "B24",
    )
    bad(
        "torch/mixed_onnx.onnx",
        zipped(torch_entries(exploit(2))),
        "torch-zip",
        "B14",
        "an archive named .onnx",
    )
    bad("keras/torch_named.keras", zipped(torch_entries(exploit(2))), "torch-zip", "B14")
    good("torch/ok_named.ckpt", zipped(torch_entries(state_dict())), "torch-zip")


def all_samples():
    onnx_files()
    tensorflow_files()
    tflite_files()
    coreml_files()
    keras_files()
    other_files()
