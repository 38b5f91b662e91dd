"""Honest objects of PyTorch and what is built on it. Importing this adds them to `objects.LIBRARIES`."""

import collections
import inspect

from objects import attempt, classes_below, library

# Arguments that make an instance of a module class; tried in this order.
ARGUMENTS = [(), (4,), (4, 4), (2, 2, 1), (4, 2, 2), (4, 2, 2, 2), ((2, 2),), ((1, 1, 1, 1),), (1, 1, 1, 1)]


def made(kind, needs=()):
    """An instance of `kind` by the first arguments that fit, or nothing."""
    for arguments in ARGUMENTS:
        try:
            return [kind(*needs, *arguments)]
        except Exception:
            continue
    return []


@library("torch")
def torch_objects():
    import torch
    from torch import nn

    torch.manual_seed(0)
    types = [
        getattr(torch, name) for name in sorted(dir(torch)) if isinstance(getattr(torch, name), torch.dtype)
    ]
    for kind in dict.fromkeys(types):
        yield from ((f"tensor_{kind}", t) for t in attempt(str(kind), lambda: torch.zeros(3, dtype=kind)))
    yield "dtypes", types
    yield (
        "sizes",
        [
            torch.Size([1, 2]),
            torch.device("cpu"),
            torch.device("cuda:0"),
            torch.strided,
            torch.contiguous_format,
            torch.preserve_format,
            torch.channels_last,
            torch.finfo(torch.float32),
            torch.iinfo(torch.int8),
            torch.sparse_coo,
            torch.sparse_csr,
            torch.sparse_csc,
            torch.sparse_bsr,
            torch.sparse_bsc,
            torch.per_tensor_affine,
            torch.per_channel_affine,
        ],
    )
    yield "parameter", nn.Parameter(torch.ones(2))
    yield "buffer", nn.Buffer(torch.ones(2))
    yield "strided", torch.arange(12).reshape(3, 4).t()[1:]
    yield "requires_grad", torch.ones(2, requires_grad=True)
    yield "attributed", _attributed(torch.ones(2))
    yield "sparse", torch.eye(3).to_sparse()
    for layout in ("csr", "csc"):
        yield f"sparse_{layout}", getattr(torch.eye(4), f"to_sparse_{layout}")()
    yield "sparse_bsr", torch.eye(4).to_sparse_bsr((2, 2))
    yield "nested", torch.nested.nested_tensor([torch.ones(2), torch.ones(3)])
    yield from (
        ("jagged", t)
        for t in attempt(
            "jagged", lambda: torch.nested.nested_tensor([torch.ones(2), torch.ones(3)], layout=torch.jagged)
        )
    )
    yield "quantised", torch.quantize_per_tensor(torch.rand(4), 0.1, 1, torch.quint8)
    yield (
        "quantised_channels",
        torch.quantize_per_channel(torch.rand(2, 2), torch.ones(2), torch.zeros(2), 0, torch.qint8),
    )
    yield "meta", torch.empty(3, device="meta")
    yield "conjugate", torch.ones(2, dtype=torch.complex64).conj()
    yield "negative", torch.ones(2, dtype=torch.complex64).conj().imag
    yield "storage", torch.ones(2).untyped_storage()
    yield "typed_storage", torch.ones(2).storage()
    yield "generator_state", torch.get_rng_state()
    yield from (("generator", g) for g in attempt("generator", torch.Generator))
    yield (
        "functions",
        [
            torch.relu,
            torch.nn.functional.relu,
            torch.nn.functional.gelu,
            torch.tanh,
            torch.sigmoid,
            torch.nn.init.xavier_uniform_,
            torch.nn.init.kaiming_normal_,
            torch.nn.functional.silu,
        ],
    )
    for kind in classes_below("torch.nn.modules", nn.Module):
        for module in made(kind):
            yield kind.__name__, module
    layer = nn.TransformerEncoderLayer(8, 2)
    for kind, needs in (
        (nn.TransformerEncoder, (layer, 1)),
        (nn.TransformerDecoder, (nn.TransformerDecoderLayer(8, 2), 1)),
    ):
        yield kind.__name__, kind(*needs)
    model = nn.Sequential(
        collections.OrderedDict(
            [
                ("conv", nn.Conv2d(1, 2, 3)),
                ("act", nn.ReLU()),
                ("flat", nn.Flatten()),
                ("norm", nn.BatchNorm1d(2)),
                ("out", nn.Linear(2, 2)),
            ]
        )
    )
    yield "model", model
    yield "state_dict", model.state_dict()
    yield "attention", nn.MultiheadAttention(4, 2)
    yield "recurrent", [nn.LSTM(2, 2), nn.GRU(2, 2, bidirectional=True), nn.RNN(2, 2)]
    yield "packed", nn.utils.rnn.pack_sequence([torch.ones(2, 1), torch.ones(1, 1)])
    yield (
        "weight_norm",
        attempt("weight norm", lambda: nn.utils.parametrizations.weight_norm(nn.Linear(2, 2)).state_dict()),
    )
    yield "spectral_norm", nn.utils.spectral_norm(nn.Linear(2, 2))
    yield "old_weight_norm", nn.utils.weight_norm(nn.Linear(2, 2))
    yield (
        "pruned",
        __import__("torch.nn.utils.prune").nn.utils.prune.l1_unstructured(nn.Linear(2, 2), "weight", 0.5),
    )
    for kind in classes_below("torch.optim", torch.optim.Optimizer):
        for optimiser in made(kind, ([nn.Parameter(torch.ones(2, 2))],)):
            for parameter in optimiser.param_groups[0]["params"]:
                parameter.grad = torch.ones(2, 2)
            try:
                optimiser.step()
            except Exception:
                pass
            yield kind.__name__, optimiser
            yield f"{kind.__name__}_state", optimiser.state_dict()
    yield from schedulers()
    yield (
        "checkpoint",
        {
            "epoch": 3,
            "model_state_dict": model.state_dict(),
            "loss": torch.tensor(0.1),
            "args": {"lr": 0.1},
            "optimizer_state_dict": torch.optim.Adam(model.parameters()).state_dict(),
        },
    )
    yield "scaler", torch.amp.GradScaler("cpu", enabled=False).state_dict()
    yield "tensor_dataset", torch.utils.data.TensorDataset(torch.ones(3))
    yield "subset", torch.utils.data.Subset(torch.utils.data.TensorDataset(torch.ones(3)), [0])
    yield (
        "distributions",
        [torch.distributions.Normal(0.0, 1.0), torch.distributions.Categorical(torch.ones(2))],
    )
    yield "averaged", torch.optim.swa_utils.AveragedModel(nn.Linear(2, 2))
    yield "parallel", nn.DataParallel(nn.Linear(2, 2))
    yield from quantised_models()


def _attributed(tensor):
    tensor.note = "x"
    return tensor


def schedulers():
    import torch

    optimiser = torch.optim.SGD([torch.nn.Parameter(torch.ones(2))], 0.1)
    for kind in classes_below("torch.optim", torch.optim.lr_scheduler.LRScheduler):
        for needs in ((optimiser,), (optimiser, 2), (optimiser, [2, 3]), (optimiser, 0.1, 10)):
            try:
                yield kind.__name__, kind(*needs)
                break
            except Exception:
                continue
    yield "plateau", torch.optim.lr_scheduler.ReduceLROnPlateau(optimiser)


def quantised_models():
    import torch
    from torch import nn

    yield (
        "dynamic",
        torch.ao.quantization.quantize_dynamic(nn.Sequential(nn.Linear(2, 2), nn.ReLU()), {nn.Linear}),
    )
    yield (
        "prepared",
        torch.ao.quantization.prepare(
            _with_configuration(nn.Sequential(torch.ao.quantization.QuantStub(), nn.Linear(2, 2), nn.ReLU()))
        ),
    )
    for kind in classes_below("torch.ao.nn", nn.Module):
        for module in made(kind):
            yield kind.__name__, module
    for kind in classes_below("torch.ao.quantization", nn.Module, skip=("experimental",)):
        for module in made(kind):
            yield kind.__name__, module
    yield (
        "observers",
        [torch.ao.quantization.default_observer, torch.ao.quantization.get_default_qconfig("fbgemm")],
    )


def _with_configuration(model):
    import torch

    model.qconfig = torch.ao.quantization.get_default_qconfig("fbgemm")
    return model.eval()


@library("torch", "torchvision")
def torchvision_objects():
    import torch
    import torchvision

    for name in torchvision.models.list_models():
        kind = torchvision.models.get_model_builder(name)
        backbone = (
            {"weights_backbone": None} if "weights_backbone" in inspect.signature(kind).parameters else {}
        )
        for model in attempt(name, lambda: _meta(kind, **backbone)):
            yield name, model
    for kind in classes_below("torchvision.transforms", torch.nn.Module):
        for module in made(kind):
            yield kind.__name__, module
    yield "compose", torchvision.transforms.Compose([torchvision.transforms.ToTensor()])


def _meta(kind, **options):
    """The model without memory for its weights."""
    import torch

    with torch.device("meta"):
        return kind(**options)


@library("torch", "timm")
def timm_objects():
    import timm

    families = {}
    for name in timm.list_models():
        families.setdefault(name.split("_")[0].rstrip("0123456789"), name)
    for name in list(families.values())[:70]:
        for model in attempt(name, lambda: _meta(timm.create_model, model_name=name)):
            yield name, model


@library("torch", "transformers")
def transformers_objects():
    import transformers

    yield "arguments", transformers.TrainingArguments(output_dir="out", report_to=[])
    yield "arguments_seq2seq", transformers.Seq2SeqTrainingArguments(output_dir="out", report_to=[])
    yield "state", transformers.TrainerState()
    yield "generation", transformers.GenerationConfig()
    yield "bits", transformers.BitsAndBytesConfig(load_in_4bit=True)
    for name in (
        "Bert",
        "GPT2",
        "Llama",
        "DistilBert",
        "Roberta",
        "T5",
        "ViT",
        "Whisper",
        "Mistral",
        "Qwen2",
        "CLIP",
        "XLMRoberta",
        "Electra",
        "Deberta",
        "Albert",
        "Bart",
        "GPTNeoX",
        "Bloom",
        "OPT",
        "Phi",
        "Gemma",
        "Mixtral",
        "Wav2Vec2",
        "Swin",
    ):
        for settings in attempt(name, getattr(transformers, f"{name}Config", None) or (lambda: None)):
            yield f"{name}_config", settings
            kind = getattr(transformers, f"{name}Model", None)
            for model in attempt(f"{name}Model", lambda: _meta(kind, config=settings)):
                yield f"{name}_model", model
    for name in (
        "BertForSequenceClassification",
        "GPT2LMHeadModel",
        "LlamaForCausalLM",
        "DistilBertForSequenceClassification",
    ):
        kind = getattr(transformers, name)
        yield from ((name, m) for m in attempt(name, lambda: _meta(kind, config=kind.config_class())))


@library("torch", "peft")
def peft_objects():
    import peft

    yield "lora", peft.LoraConfig(r=4, target_modules=["q", "v"])


@library("torch", "pytorch_lightning")
def pytorch_lightning_objects():
    import pytorch_lightning as pl

    yield "attributes", pl.utilities.parsing.AttributeDict(a=1)
    yield "checkpoint", pl.callbacks.ModelCheckpoint(monitor="loss")
    yield "early", pl.callbacks.EarlyStopping("loss")
    yield (
        "callbacks",
        [pl.callbacks.LearningRateMonitor(), pl.callbacks.ModelSummary(), pl.callbacks.RichProgressBar()],
    )


@library("torch", "torchmetrics")
def torchmetrics_objects():
    import torchmetrics

    yield (
        "metrics",
        [torchmetrics.MeanMetric(), torchmetrics.Accuracy("binary"), torchmetrics.F1Score("binary")],
    )


@library("torch", "ultralytics")
def ultralytics_objects():
    from ultralytics import nn
    from ultralytics.nn import tasks

    for kind, settings in (
        (tasks.DetectionModel, "yolov8n.yaml"),
        (tasks.SegmentationModel, "yolov8n-seg.yaml"),
        (tasks.ClassificationModel, "yolov8n-cls.yaml"),
        (tasks.PoseModel, "yolov8n-pose.yaml"),
        (tasks.OBBModel, "yolov8n-obb.yaml"),
        (tasks.DetectionModel, "yolo11n.yaml"),
        (tasks.DetectionModel, "yolov5n.yaml"),
        (tasks.DetectionModel, "yolov10n.yaml"),
        (tasks.DetectionModel, "yolov9t.yaml"),
    ):
        yield from ((settings, m) for m in attempt(settings, lambda: kind(settings, verbose=False)))
    yield "names", nn.__name__


@library("torch", "keras")
def keras_objects():
    import keras

    yield from (
        ("model", m)
        for m in attempt("keras", lambda: keras.Sequential([keras.Input((4,)), keras.layers.Dense(2)]))
    )


@library("torch", "sentence_transformers")
def sentence_transformers_objects():
    from sentence_transformers import models

    yield "pooling", models.Pooling(8)
    yield "dense", models.Dense(4, 4)
    yield "normalize", models.Normalize()


@library("torch", "torch_geometric")
def torch_geometric_objects():
    import torch
    import torch_geometric

    yield "data", torch_geometric.data.Data(x=torch.ones(2, 2), edge_index=torch.tensor([[0], [1]]))
    yield (
        "conv",
        [
            torch_geometric.nn.GCNConv(2, 2),
            torch_geometric.nn.GATConv(2, 2),
            torch_geometric.nn.SAGEConv(2, 2),
        ],
    )


@library("torch", "stable_baselines3")
def stable_baselines3_objects():
    import gymnasium

    yield "space", gymnasium.spaces.Box(0, 1, (2,))
    yield "discrete", gymnasium.spaces.Discrete(2)
