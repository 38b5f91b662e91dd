"""Writes honest files with the real libraries that are installed: `python tests/models/real.py DIR`.

A scanner that is right calls all of them clean. Prints how many each library gave; what is missing is named on
standard error.
"""

import collections
import importlib
import io
import json
import pickle
import sys
import warnings
from pathlib import Path

import objects
import torch_objects  # noqa: F401  (adds its libraries)

LARGEST = 4 << 20
WRITERS = []
TORCH = (
    "torch",
    "torchvision",
    "timm",
    "transformers",
    "ultralytics",
    "pytorch_lightning",
    "torchmetrics",
    "peft",
    "sentence_transformers",
    "torch_geometric",
    "stable_baselines3",
    "omegaconf",
    "keras",
)


class Folder:
    def __init__(self, path):
        self.path = path
        self.labels = []

    def keep(self, library, name, data, format):
        """Adds a file, unless it is large."""
        if data is None or len(data) > LARGEST:
            return
        path = self.path / library / name.replace("/", "_")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
        self.label(library, path, format)

    def label(self, library, path, format):
        self.labels.append(
            {
                "id": f"r{len(self.labels):04}",
                "path": str(path.relative_to(self.path)),
                "label": "benign",
                "format": format,
                "cls": library,
                "note": "by the real library",
            }
        )


def writer(*imports):
    def register(function):
        WRITERS.append((imports, function))
        return function

    return register


def pickled(value, protocol):
    try:
        return pickle.dumps(value, protocol)
    except Exception:
        return None


def torch_saved(value, **options):
    import torch

    try:
        file = io.BytesIO()
        torch.save(value, file, **options)
        return file.getvalue()
    except Exception:
        return None


@writer()
def library_objects(folder):
    """Every object of `objects.py`, in turn with every protocol and as its library saves it."""
    for index, (library, name, value) in enumerate(objects.all_objects()):
        if library == "scipy" and name.startswith("distribution_") or type(value).__module__ == "objects":
            continue  # Many of one kind; classes of this project, which no scanner can know.
        if library in TORCH:
            folder.keep(library, f"{index}_{name}.pt", torch_saved(value), "torch-zip")
            if index % 6 == 0:
                folder.keep(
                    library,
                    f"{index}_{name}_legacy.pth",
                    torch_saved(value, _use_new_zipfile_serialization=False),
                    "torch-legacy",
                )
            if library != "torch" and index % 4 == 0:
                folder.keep(library, f"{index}_{name}.pkl", pickled(value, 4), "pickle")
        else:
            folder.keep(library, f"{index}_{name}.pkl", pickled(value, index % 6), "pickle")


@writer("numpy")
def numpy_arrays(folder):
    import numpy as np

    arrays = {name: value for name, value in objects.numpy_objects() if isinstance(value, np.ndarray)}
    plain = {}
    for name, value in arrays.items():
        file = io.BytesIO()
        try:
            np.save(file, value)
        except Exception:
            continue
        folder.keep("numpy", f"{name}.npy", file.getvalue(), "numpy")
        if value.dtype.kind not in "OT":
            plain[name] = np.asarray(value)
    for label, save in (("npz", np.savez), ("compressed", np.savez_compressed)):
        file = io.BytesIO()
        save(file, **plain)
        folder.keep("numpy", f"arrays_{label}.npz", file.getvalue(), "npz")


@writer("joblib", "sklearn")
def joblib_files(folder):
    import joblib
    import numpy as np
    from sklearn.ensemble import RandomForestClassifier
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    generator = np.random.RandomState(0)
    x, y = generator.rand(60, 5), generator.randint(0, 2, 60)
    values = {
        "forest": RandomForestClassifier(5).fit(x, y),
        "pipeline": make_pipeline(StandardScaler(), RandomForestClassifier(2)).fit(x, y),
        "arrays": {"a": x, "b": y.astype("f4"), "c": np.array(["a", None], dtype=object)},
        "fortran": np.asfortranarray(x),
    }
    for name, value in values.items():
        for compress in (0, ("zlib", 3), ("gzip", 3), ("bz2", 3), ("lzma", 3), ("xz", 3), ("lz4", 3)):
            label = compress[0] if compress else "plain"
            file = io.BytesIO()
            try:
                joblib.dump(value, file, compress=compress)
            except Exception as error:
                print(f"skipped joblib {label}: {error}", file=sys.stderr)
                continue
            folder.keep("joblib", f"{name}_{label}.joblib", file.getvalue(), "joblib")
    for index, (name, model) in enumerate(objects.fitted_estimators()):
        if index % 2 == 0:
            file = io.BytesIO()
            try:
                joblib.dump(model, file, protocol=2 + index % 4)
            except Exception:
                continue
            folder.keep("joblib", f"estimator_{name}.joblib", file.getvalue(), "joblib")


@writer("torch")
def torch_programs(folder):
    import torch
    from torch import nn

    class Net(nn.Module):
        def __init__(self):
            super().__init__()
            self.layer = nn.Linear(4, 2)

        def forward(self, x):
            if x.sum() > 0:
                return torch.relu(self.layer(x))
            return self.layer(x)

    for name, model, sample in (
        ("linear", nn.Linear(4, 2), (1, 4)),
        (
            "sequence",
            nn.Sequential(nn.Conv2d(1, 2, 3), nn.BatchNorm2d(2), nn.ReLU(), nn.Flatten()),
            (1, 1, 5, 5),
        ),
        ("lstm", nn.LSTM(4, 2), (3, 1, 4)),
        ("attention", nn.TransformerEncoderLayer(4, 2), (3, 1, 4)),
    ):
        given = torch.rand(*sample)
        model.eval()
        for label, make in (
            ("traced", lambda: torch.jit.trace(model, given)),
            ("scripted", lambda: torch.jit.script(model)),
            ("frozen", lambda: torch.jit.freeze(torch.jit.script(model))),
        ):
            file = io.BytesIO()
            try:
                torch.jit.save(make(), file)
            except Exception as error:
                print(f"skipped {label} {name}: {error!r:.100}", file=sys.stderr)
                continue
            folder.keep("torchscript", f"{name}_{label}.pt", file.getvalue(), "torchscript")
        file = io.BytesIO()
        try:
            torch.export.save(torch.export.export(model, (given,)), file)
            folder.keep("torch_export", f"{name}.pt2", file.getvalue(), "pt2")
        except Exception as error:
            print(f"skipped export {name}: {error!r:.100}", file=sys.stderr)
    file = io.BytesIO()
    torch.jit.save(torch.jit.script(Net()), file)
    folder.keep("torchscript", "branch.pt", file.getvalue(), "torchscript")


@writer("onnx")
def onnx_models(folder):
    import numpy as np
    import onnx
    from onnx import TensorProto, helper, numpy_helper

    x, y = (helper.make_tensor_value_info(n, TensorProto.FLOAT, [None, 4]) for n in "xy")
    for operator in ("Relu", "Sigmoid", "Tanh", "Exp", "Softmax", "Abs", "Neg", "Identity", "Erf", "Sqrt"):
        model = helper.make_model(
            helper.make_graph([helper.make_node(operator, ["x"], ["y"])], "g", [x], [y]), producer_name="test"
        )
        folder.keep("onnx", f"{operator}.onnx", model.SerializeToString(), "onnx")
    weight = numpy_helper.from_array(np.eye(4, dtype="f4"), "w")
    graph = helper.make_graph([helper.make_node("MatMul", ["x", "w"], ["y"])], "g", [x], [y], [weight])
    model = helper.make_model(graph)
    folder.keep("onnx", "weights.onnx", model.SerializeToString(), "onnx")
    then = helper.make_graph(
        [helper.make_node("Relu", ["x"], ["t"])],
        "then",
        [],
        [helper.make_tensor_value_info("t", TensorProto.FLOAT, None)],
    )
    condition = helper.make_tensor_value_info("c", TensorProto.BOOL, [])
    branch = helper.make_model(
        helper.make_graph(
            [helper.make_node("If", ["c"], ["y"], then_branch=then, else_branch=then)],
            "g",
            [x, condition],
            [y],
        )
    )
    folder.keep("onnx", "branch.onnx", branch.SerializeToString(), "onnx")
    path = folder.path / "onnx" / "external"
    path.mkdir(parents=True, exist_ok=True)
    onnx.save_model(
        model, path / "model.onnx", save_as_external_data=True, location="model.onnx.data", size_threshold=0
    )
    folder.label("onnx", path, "onnx")


@writer("torch", "onnx", "safetensors")
def safetensors_files(folder):
    import numpy as np
    import torch
    from safetensors.numpy import save
    from safetensors.torch import save as save_torch

    for kind in ("f2", "f4", "f8", "i1", "i2", "i4", "i8", "u1", "u2", "u4", "u8", "?", "c8"):
        try:
            folder.keep(
                "safetensors",
                f"numpy_{kind.strip('?') or 'bool'}.safetensors",
                save({"a": np.zeros((2, 3), kind), "b": np.zeros(0, kind)}),
                "safetensors",
            )
        except Exception as error:
            print(f"skipped safetensors {kind}: {error!r:.80}", file=sys.stderr)
    for kind in (torch.bfloat16, torch.float16, torch.float8_e4m3fn, torch.float8_e5m2, torch.int8):
        folder.keep(
            "safetensors",
            f"{kind}.safetensors",
            save_torch({"a": torch.zeros(4, 4, dtype=kind)}, {"format": "pt"}),
            "safetensors",
        )
    state = torch.nn.TransformerEncoderLayer(8, 2).state_dict()
    folder.keep(
        "safetensors",
        "layer.safetensors",
        save_torch(state, {"format": "pt", "note": "eval(x)"}),
        "safetensors",
    )
    folder.keep("safetensors", "empty.safetensors", save({}), "safetensors")


@writer("xgboost", "lightgbm", "sklearn")
def boosters(folder):
    import lightgbm as lgb
    import numpy as np
    import xgboost as xgb

    generator = np.random.RandomState(0)
    x, y = generator.rand(80, 4), generator.randint(0, 3, 80)
    for objective, target in (
        ("reg:squarederror", y),
        ("binary:logistic", y % 2),
        ("multi:softprob", y),
        ("count:poisson", y),
        ("rank:pairwise", y),
    ):
        settings = {
            "objective": objective,
            "max_depth": 3,
            **({"num_class": 3} if "multi" in objective else {}),
        }
        booster = xgb.train(settings, xgb.DMatrix(x, target, feature_names=["a", "b", "c", "eval"]), 4)
        name = objective.replace(":", "_")
        for kind in ("json", "ubj"):
            folder.keep("xgboost", f"{name}.{kind}", bytes(booster.save_raw(kind)), "xgboost")
        try:
            folder.keep("xgboost", f"{name}.deprecated", bytes(booster.save_raw("deprecated")), "xgboost")
        except Exception:
            pass
    for booster in ("dart", "gblinear"):
        model = xgb.train({"booster": booster}, xgb.DMatrix(x, y), 2)
        folder.keep("xgboost", f"{booster}.json", bytes(model.save_raw("json")), "xgboost")
    for objective in ("regression", "binary", "multiclass", "poisson"):
        settings = {
            "objective": objective,
            "verbose": -1,
            **({"num_class": 3} if objective == "multiclass" else {}),
        }
        model = lgb.train(
            settings, lgb.Dataset(x, y % 2 if objective == "binary" else y, categorical_feature=[]), 3
        )
        folder.keep("lightgbm", f"{objective}.txt", model.model_to_string().encode(), "lightgbm")
        folder.keep("lightgbm", f"{objective}.json", json.dumps(model.dump_model()).encode(), "json")


@writer("catboost")
def catboost_models(folder):
    import catboost
    import numpy as np

    generator = np.random.RandomState(0)
    model = catboost.CatBoostClassifier(iterations=3, verbose=0, allow_writing_files=False).fit(
        generator.rand(40, 3), generator.randint(0, 2, 40)
    )
    path = folder.path / "catboost"
    path.mkdir(parents=True, exist_ok=True)
    for kind in ("cbm", "json", "onnx", "pmml", "cpp", "python", "coreml"):
        try:
            model.save_model(str(path / f"model.{kind}"), format=kind)
        except Exception as error:
            print(f"skipped catboost {kind}: {error!r:.80}", file=sys.stderr)
            continue
        folder.label(
            "catboost", path / f"model.{kind}", {"cbm": "catboost", "json": "catboost"}.get(kind, kind)
        )


@writer("h5py")
def hdf5_files(folder):
    import h5py
    import numpy as np

    for version in ("earliest", "latest", "v108", "v110"):
        for name, options in (
            ("plain", {}),
            ("chunks", {"chunks": (2, 2)}),
            ("gzip", {"compression": "gzip"}),
            ("shuffle", {"compression": "lzf", "shuffle": True}),
        ):
            file = io.BytesIO()
            with h5py.File(file, "w", libver=version) as handle:
                handle.create_dataset("a/b/c", data=np.arange(16.0).reshape(4, 4), **options)
                handle["a"].attrs["names"] = np.array([b"dense", b"eval"])
                handle["a"].attrs["text"] = "import os"
                handle["strings"] = ["x", "y"]
                for index in range(30):
                    handle.create_group(f"g{index}").attrs["i"] = index
            folder.keep("h5py", f"{name}_{version}.h5", file.getvalue(), "hdf5")


@writer("keras")
def keras_models(folder):
    import keras

    path = folder.path / "keras"
    path.mkdir(parents=True, exist_ok=True)
    layers = keras.layers
    models = {
        "dense": [
            keras.Input((4,)),
            layers.Dense(3, activation="relu"),
            layers.Dropout(0.1),
            layers.Dense(2, activation="softmax"),
        ],
        "convolution": [
            keras.Input((8, 8, 1)),
            layers.Conv2D(2, 3),
            layers.BatchNormalization(),
            layers.MaxPooling2D(),
            layers.Flatten(),
            layers.Dense(1),
        ],
        "recurrent": [
            keras.Input((5,)),
            layers.Embedding(10, 4),
            layers.Bidirectional(layers.LSTM(3)),
            layers.Dense(1),
        ],
        "wrapped": [
            keras.Input((5, 4)),
            layers.TimeDistributed(layers.Dense(2)),
            layers.GlobalAveragePooling1D(),
        ],
        "preprocessing": [
            keras.Input((4,)),
            layers.Normalization(mean=[0.0] * 4, variance=[1.0] * 4),
            layers.GaussianNoise(0.1),
            layers.Dense(1),
        ],
    }
    for name, parts in models.items():
        try:
            model = keras.Sequential(parts)
            model.compile("adam", "mse", ["mae"])
            for suffix, kind in (("keras", "keras"), ("h5", "hdf5"), ("weights.h5", "hdf5")):
                target = path / f"{name}.{suffix}"
                (model.save_weights if suffix == "weights.h5" else model.save)(str(target))
                folder.label("keras", target, kind)
            folder.keep("keras", f"{name}.json", model.to_json().encode(), "json")
        except Exception as error:
            print(f"skipped keras {name}: {error!r:.100}", file=sys.stderr)


@writer("flax", "jax")
def flax_files(folder):
    import jax.numpy as jnp
    from flax import serialization

    for kind in ("float32", "bfloat16", "int32", "float16"):
        value = {
            "params": {"dense": {"kernel": jnp.ones((3, 2), kind), "bias": jnp.zeros(2, kind)}},
            "step": 3,
            "lr": 0.1,
            "name": "eval",
        }
        folder.keep("flax", f"{kind}.msgpack", serialization.msgpack_serialize(value), "msgpack")


@writer("msgpack")
def msgpack_files(folder):
    import msgpack

    for name, value in {
        "map": {"a": [1, 2.5, None, True, b"x", "text"]},
        "list": list(range(500)),
        "nested": {"a": {"b": {"c": [{}]}}},
        "time": msgpack.Timestamp(1, 2),
    }.items():
        folder.keep("msgpack", f"{name}.msgpack", msgpack.packb(value), "msgpack")


@writer("skops", "sklearn")
def skops_files(folder):
    import skops.io

    for index, (name, model) in enumerate(objects.fitted_estimators()):
        if index % 4 == 0:
            try:
                folder.keep("skops", f"{name}.skops", skops.io.dumps(model), "skops")
            except Exception:
                continue


@writer("gguf", "numpy")
def gguf_files(folder):
    import gguf
    import numpy as np

    path = folder.path / "gguf"
    path.mkdir(parents=True, exist_ok=True)
    for kind in ("f4", "f2", "i1", "i4"):
        target = path / f"{kind}.gguf"
        out = gguf.GGUFWriter(str(target), "llama")
        out.add_block_count(2)
        out.add_token_list(["<s>", "eval", "os.system"])
        out.add_token_scores([0.0, 1.0, 2.0])
        out.add_chat_template("{% for m in messages %}{{ m['content'] }}{% endfor %}")
        out.add_tensor("blk.0.w", np.ones((32, 4), kind))
        out.add_tensor("blk.1.w", np.ones((3,), kind))
        out.write_header_to_file()
        out.write_kv_data_to_file()
        out.write_tensors_to_file()
        out.close()
        folder.label("gguf", target, "gguf")


@writer("transformers", "tokenizers")
def configurations(folder):
    import transformers
    from tokenizers import Tokenizer, models, trainers

    path = folder.path / "transformers"
    for name in ("Bert", "GPT2", "Llama", "T5", "ViT", "Whisper", "Mistral", "Qwen2", "CLIP", "Gemma", "Phi"):
        settings = getattr(transformers, f"{name}Config")()
        settings.save_pretrained(path / name)
        folder.label("transformers", path / name, "json")
    tokenizer = Tokenizer(models.BPE(unk_token="[UNK]"))
    tokenizer.train_from_iterator(
        ["import os; os.system('x')", "def f(): return eval(x)"] * 5,
        trainers.BpeTrainer(special_tokens=["[UNK]"], show_progress=False),
    )
    fast = transformers.PreTrainedTokenizerFast(tokenizer_object=tokenizer)
    fast.chat_template = "{% for m in messages %}{{ m['content'] }}{% endfor %}"
    fast.save_pretrained(path / "tokenizer")
    folder.label("transformers", path / "tokenizer", "json")


@writer("pyarrow", "pandas")
def tables(folder):
    import pandas as pd

    frame = pd.DataFrame({"a": [1, 2], "b": ["os.system", "eval("]})
    folder.keep("pandas", "table.csv", frame.to_csv().encode(), "text")
    folder.keep("pandas", "table.json", frame.to_json().encode(), "json")
    for name, compression in (
        ("gz", "gzip"),
        ("bz2", "bz2"),
        ("xz", "xz"),
        ("zst", "zstd"),
        ("zip", "zip"),
        ("tar", "tar"),
    ):
        path = folder.path / "pandas" / f"frame.pkl.{name}"
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            frame.to_pickle(path, compression=compression)
            folder.label("pandas", path, compression)
        except Exception as error:
            print(f"skipped pandas {name}: {error!r:.80}", file=sys.stderr)


def write(folder):
    """Writes what the installed libraries make into `folder` with `labels.json`, and gives the labels."""
    warnings.simplefilter("ignore")
    folder = Folder(folder.resolve())
    folder.path.mkdir(parents=True, exist_ok=True)
    for imports, function in WRITERS:
        try:
            for module in imports:
                importlib.import_module(module)
            function(folder)
        except Exception as error:
            print(f"skipped {function.__name__}: {error!r:.160}", file=sys.stderr)
    (folder.path / "labels.json").write_text(json.dumps(folder.labels, indent=1) + "\n")
    return folder.labels


def main():
    labels = write(Path(sys.argv[1]))
    counts = collections.Counter(label["cls"] for label in labels)
    print(f"{len(labels)} files: " + ", ".join(f"{name} {count}" for name, count in counts.most_common()))


if __name__ == "__main__":
    main()
