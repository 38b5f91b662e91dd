"""Honest objects of real libraries: what people pickle.

`all_objects()` gives `(library, name, object)` for every library that is installed; what cannot be made is skipped and
named on standard error. Seeds are fixed.
"""

import collections
import dataclasses
import datetime
import decimal
import enum
import fractions
import functools
import importlib
import inspect
import operator
import pathlib
import pkgutil
import re
import sys
import types
import uuid
import warnings

LIBRARIES = {}


def library(*imports):
    """Registers a generator of `(name, object)` that needs the modules `imports`."""

    def register(function):
        LIBRARIES[function.__name__.removesuffix("_objects")] = (imports, function)
        return function

    return register


def all_objects(only=()):
    warnings.simplefilter("ignore")
    for name, (imports, function) in LIBRARIES.items():
        if only and name not in only:
            continue
        try:
            for module in imports:
                importlib.import_module(module)
        except Exception as error:
            print(f"skipped {name}: {error!r:.120}", file=sys.stderr)
            continue
        objects = function()
        while True:
            try:
                label, value = next(objects)
            except StopIteration:
                break
            except Exception as error:
                print(f"stopped within {name}: {error!r:.160}", file=sys.stderr)
                break
            yield name, label, value


def attempt(what, function):
    """`function()`, or nothing and a line on standard error."""
    try:
        return [function()]
    except Exception as error:
        print(f"skipped {what}: {error!r:.120}", file=sys.stderr)
        return []


def classes_below(package, base, skip=()):
    """Every class under `package` that derives from `base` and is defined there."""
    found = {}
    root = importlib.import_module(package)
    for info in pkgutil.walk_packages(root.__path__, package + ".", onerror=lambda _: None):
        if any(part in info.name for part in skip):
            continue
        try:
            module = importlib.import_module(info.name)
        except BaseException:
            continue
        for value in list(vars(module).values()):
            if inspect.isclass(value) and issubclass(value, base) and value.__module__.startswith(package):
                found[(value.__module__, value.__qualname__)] = value
    return [found[key] for key in sorted(found) if "<locals>" not in key[1]]


class Colour(enum.Enum):
    RED = 1


class Bits(enum.IntFlag):
    ONE = 1


@dataclasses.dataclass
class Settings:
    rate: float = 0.1
    layers: tuple = (1, 2)


@dataclasses.dataclass(frozen=True, slots=True)
class Frozen:
    rate: float = 0.1


Row = collections.namedtuple("Row", "a b")


class Slots:
    __slots__ = ("a",)

    def __init__(self):
        self.a = 1


@library()
def python_objects():
    import array
    import ipaddress
    import random
    import string
    import time
    import zoneinfo

    utc = datetime.timezone.utc
    values = {
        "none": None,
        "dict": {"a": 1, "b": [1.5, True, None, b"x", "text"]},
        "date": datetime.date(2024, 1, 2),
        "datetime": datetime.datetime(2024, 1, 2, 3, 4, 5, 6, utc),
        "time": datetime.time(1, 2, 3),
        "timedelta": datetime.timedelta(days=1),
        "timezone": datetime.timezone(datetime.timedelta(hours=1)),
        "zoneinfo": zoneinfo.ZoneInfo("Europe/Berlin"),
        "decimal": decimal.Decimal("1.25"),
        "fraction": fractions.Fraction(1, 3),
        "ordereddict": collections.OrderedDict(a=1),
        "defaultdict_list": collections.defaultdict(list, a=[1]),
        "defaultdict_int": collections.defaultdict(int, a=1),
        "defaultdict_dict": collections.defaultdict(dict),
        "defaultdict_set": collections.defaultdict(set),
        "defaultdict_float": collections.defaultdict(float),
        "counter": collections.Counter("hello"),
        "deque": collections.deque([1, 2], maxlen=3),
        "chainmap": collections.ChainMap({1: 2}),
        "userdict": collections.UserDict(a=1),
        "userlist": collections.UserList([1]),
        "userstring": collections.UserString("a"),
        "namedtuple": Row(1, 2),
        "dataclass": Settings(),
        "frozen": Frozen(),
        "enum": Colour.RED,
        "flag": Bits.ONE,
        "slots": Slots(),
        "namespace": types.SimpleNamespace(a=1),
        "path": pathlib.PurePosixPath("a/b"),
        "path_here": pathlib.Path("a/b"),
        "path_windows": pathlib.PureWindowsPath("a/b"),
        "uuid": uuid.UUID(int=1),
        "regex": re.compile("a+", re.I),
        "regex_flag": re.I,
        "range": range(3),
        "slice": slice(1, 2, 3),
        "complex": 1 + 2j,
        "bytes": b"\x00\xff" * 20,
        "bytearray": bytearray(b"abc"),
        "set": {1, 2},
        "frozenset": frozenset([1, 2]),
        "ellipsis": Ellipsis,
        "notimplemented": NotImplemented,
        "partial": functools.partial(int, base=2),
        "itemgetter": operator.itemgetter(1),
        "attrgetter": operator.attrgetter("real"),
        "array": array.array("d", [1.0]),
        "random": random.Random(1),
        "iterator": iter([1, 2, 3]),
        "reversed": reversed([1, 2, 3]),
        "enumerate": enumerate([1]),
        "zip": zip([1], [2]),
        "count": __import__("itertools").count(1),
        "ipv4": ipaddress.ip_address("127.0.0.1"),
        "network": ipaddress.ip_network("10.0.0.0/8"),
        "template": string.Template("a $b"),
        "struct_time": time.gmtime(0),
        "exception": ValueError("x"),
        "stopiteration": StopIteration(),
        "keyerror": KeyError("x"),
        "type_int": int,
        "types": [
            int,
            float,
            str,
            bytes,
            list,
            dict,
            set,
            tuple,
            bool,
            complex,
            object,
            type(None),
            range,
            slice,
        ],
        "functions": [len, sum, min, max, abs, sorted, round, print],
        "alias": list[int],
        "mapping": collections.OrderedDict((str(i), i) for i in range(2000)),
        "recursive": (lambda a: a.append(a) or a)([]),
    }
    import argparse

    values["namespace_argparse"] = argparse.Namespace(rate=0.1, gpus=[0])
    yield from values.items()


@library("numpy")
def numpy_objects():
    import numpy as np

    for code in np.typecodes["All"]:
        if code == "V":
            continue
        yield f"array_{code}", np.zeros(3, dtype=code)
        if code not in "SUVO":
            yield f"scalar_{code}", np.zeros(1, dtype=code)[0]
    yield "str_array", np.array(["a", "bc"])
    yield "bytes_array", np.array([b"a", b"bc"])
    yield "object_array", np.array([1, "a", None, [1]], dtype=object)
    yield "datetime", np.array(["2024-01-01"], dtype="datetime64[D]")
    yield "timedelta", np.array([1], dtype="timedelta64[s]")
    yield "datetime_scalar", np.datetime64("2024-01-01")
    yield "structured", np.zeros(2, dtype=[("a", "i4"), ("b", "f8", (2,))])
    yield "structured_scalar", np.zeros(2, dtype=[("a", "i4"), ("b", "f8")])[0]
    yield "fortran", np.asfortranarray(np.ones((3, 4)))
    yield "big_endian", np.arange(3, dtype=">f4")
    yield "empty", np.zeros((0, 3))
    yield "zero_d", np.array(1.5)
    yield "masked", np.ma.masked_array([1, 2, 3], mask=[0, 1, 0])
    yield "masked_constant", np.ma.masked
    yield "record", np.rec.array([(1, 2.0)], dtype=[("a", int), ("b", float)])
    yield "matrix", np.matrix([[1, 2]])
    yield "chararray", np.char.array(["a"])
    yield "poly1d", np.poly1d([1, 2])
    yield (
        "polynomials",
        [
            np.polynomial.Polynomial([1, 2]),
            np.polynomial.Chebyshev([1]),
            np.polynomial.Legendre([1]),
            np.polynomial.Hermite([1]),
            np.polynomial.HermiteE([1]),
            np.polynomial.Laguerre([1]),
        ],
    )
    yield (
        "dtypes",
        [np.dtype(c) for c in ("b", "i", "u4", "f", "c", "S", "U", "O", "M", "?")]
        + [np.dtype([("a", "i4")])],
    )
    yield (
        "types",
        [
            np.float32,
            np.float64,
            np.int64,
            np.int32,
            np.uint8,
            np.bool_,
            np.str_,
            np.object_,
            np.ndarray,
            np.float16,
            np.int8,
            np.int16,
            np.uint16,
            np.uint32,
            np.uint64,
            np.complex64,
            np.complex128,
        ],
    )
    yield (
        "functions",
        [np.mean, np.sum, np.std, np.median, np.min, np.max, np.argmax, np.clip, np.concatenate],
    )
    yield (
        "ufuncs",
        [
            np.log1p,
            np.expm1,
            np.exp,
            np.log,
            np.sqrt,
            np.add,
            np.multiply,
            np.tanh,
            np.abs,
            np.square,
            np.log10,
            np.log2,
            np.sin,
            np.cos,
            np.minimum,
            np.maximum,
        ],
    )
    yield "random_state", np.random.RandomState(0)
    for bits in (np.random.PCG64, np.random.MT19937, np.random.Philox, np.random.SFC64, np.random.PCG64DXSM):
        yield f"generator_{bits.__name__}", np.random.Generator(bits(0))
        yield f"bits_{bits.__name__}", bits(0)
    yield "seed_sequence", np.random.SeedSequence(1)
    yield "linspace_large", np.linspace(0, 1, 5000)
    yield "partial", functools.partial(np.clip, a_min=0, a_max=1)
    yield "vectorize", np.vectorize(abs)
    yield "finfo", np.finfo(np.float32)
    yield "error", np.linalg.LinAlgError("singular")
    yield "dict_of_arrays", {f"w{i}": np.full((4, 4), i, dtype="f4") for i in range(5)}
    if hasattr(np.dtypes, "StringDType"):
        yield "string_dtype", np.array(["a"], dtype=np.dtypes.StringDType())


@library("scipy")
def scipy_objects():
    import numpy as np
    from scipy import interpolate, optimize, signal, sparse, spatial, stats

    dense = np.eye(4)
    for kind in ("csr", "csc", "coo", "bsr", "dia", "lil", "dok"):
        yield f"{kind}_matrix", getattr(sparse, f"{kind}_matrix")(dense)
        yield f"{kind}_array", getattr(sparse, f"{kind}_array")(dense)
    x = np.linspace(0, 1, 8)
    y = np.sin(x)
    yield "interp1d", interpolate.interp1d(x, y)
    yield "interp1d_cubic", interpolate.interp1d(x, y, kind="cubic")
    for kind in (
        "CubicSpline",
        "PchipInterpolator",
        "Akima1DInterpolator",
        "BarycentricInterpolator",
        "KroghInterpolator",
        "UnivariateSpline",
        "InterpolatedUnivariateSpline",
    ):
        yield from ((kind, v) for v in attempt(kind, lambda k=kind: getattr(interpolate, k)(x, y)))
    yield "bspline", interpolate.make_interp_spline(x, y)
    yield "smooth", interpolate.make_smoothing_spline(x, y)
    yield "grid", interpolate.RegularGridInterpolator((x, x), np.outer(y, y))
    yield "rbf", interpolate.RBFInterpolator(np.random.RandomState(0).rand(9, 2), np.arange(9.0))
    yield "bivariate", interpolate.RectBivariateSpline(x, x, np.outer(y, y))
    yield "nearest", interpolate.NearestNDInterpolator(np.random.RandomState(0).rand(9, 2), np.arange(9.0))
    yield "linear_nd", interpolate.LinearNDInterpolator(np.random.RandomState(0).rand(9, 2), np.arange(9.0))
    yield "ppoly", interpolate.PPoly(np.ones((2, 3)), np.arange(4.0))
    for name in sorted(
        stats._continuous_distns._distn_names
        if hasattr(stats._continuous_distns, "_distn_names")
        else ("norm", "uniform", "gamma", "beta")
    ):
        yield f"distribution_{name}", getattr(stats, name, None)
    yield "frozen_norm", stats.norm(0, 1)
    yield "frozen_uniform", stats.uniform(0, 1)
    yield "frozen_loguniform", stats.loguniform(0.1, 1)
    yield "frozen_randint", stats.randint(0, 10)
    yield "frozen_poisson", stats.poisson(2)
    yield "frozen_gamma", stats.gamma(2)
    yield "frozen_beta", stats.beta(2, 3)
    yield "frozen_binom", stats.binom(2, 0.3)
    yield "frozen_multivariate", stats.multivariate_normal([0, 0], np.eye(2))
    yield "kde", stats.gaussian_kde(np.random.RandomState(0).rand(20))
    yield "histogram", stats.rv_histogram(np.histogram([1, 2, 3]))
    yield "test_result", stats.ttest_ind([1.0, 2, 3], [2.0, 3, 4])
    yield "pearson", stats.pearsonr([1.0, 2, 3], [2.0, 3, 5])
    yield "linregress", stats.linregress([1.0, 2, 3], [2.0, 3, 5])
    yield "rotation", spatial.transform.Rotation.from_euler("x", 1.0)
    yield "kdtree", spatial.KDTree(np.random.RandomState(0).rand(9, 2))
    yield "ckdtree", spatial.cKDTree(np.random.RandomState(0).rand(9, 2))
    yield "optimum", optimize.minimize(lambda v: float((v**2).sum()), [1.0])
    yield "bounds", optimize.Bounds([0], [1])
    yield "constraint", optimize.LinearConstraint(np.eye(2), 0, 1)
    yield "ode", __import__("scipy.integrate").integrate.solve_ivp(lambda t, v: -v, (0, 1), [1.0])
    yield "transfer", signal.TransferFunction([1], [1, 2])
    yield "state_space", signal.StateSpace([[1.0]], [[1.0]], [[1.0]], [[0.0]])
    yield "dlti", signal.dlti([1], [1, 2])
    yield "qmc", stats.qmc.Sobol(2, seed=1)


@library("pandas")
def pandas_objects():
    import numpy as np
    import pandas as pd

    frame = pd.DataFrame(
        {"a": [1, 2], "b": [1.5, None], "c": ["x", "y"], "d": pd.to_datetime(["2024-01-01"] * 2)}
    )
    yield "frame", frame
    yield (
        "frame_mixed",
        frame.assign(
            e=pd.Categorical(["u", "v"]),
            f=pd.array([1, None], dtype="Int64"),
            g=pd.array([True, None], dtype="boolean"),
            h=pd.array(["s", None], dtype="string"),
        ),
    )
    yield "series", frame["b"]
    yield "series_text", frame["c"]
    yield "categorical", pd.Series(["a", "b", "a"], dtype="category")
    yield "index", pd.Index([1, 2, 3])
    yield "index_text", pd.Index(["a", "b"])
    yield "range_index", pd.RangeIndex(3)
    yield "multi_index", pd.MultiIndex.from_product([[1, 2], ["a", "b"]])
    yield "datetime_index", pd.date_range("2024-01-01", periods=3, freq="D", tz="UTC")
    yield "datetime_index_berlin", pd.date_range("2024-01-01", periods=3, freq="h", tz="Europe/Berlin")
    yield "period_index", pd.period_range("2024-01", periods=3, freq="M")
    yield "timedelta_index", pd.timedelta_range("1D", periods=3)
    yield "interval_index", pd.interval_range(0, 3)
    yield "categorical_index", pd.CategoricalIndex(["a", "b"])
    yield "timestamp", pd.Timestamp("2024-01-01", tz="UTC")
    yield "timedelta", pd.Timedelta("1D")
    yield "period", pd.Period("2024-01", "M")
    yield "interval", pd.Interval(0, 1)
    yield "nat", pd.NaT
    yield "na", pd.NA
    yield (
        "dtypes",
        [
            pd.Int64Dtype(),
            pd.Float64Dtype(),
            pd.BooleanDtype(),
            pd.StringDtype("python"),
            pd.CategoricalDtype(["a"]),
            pd.DatetimeTZDtype("ns", "UTC"),
            pd.PeriodDtype("M"),
            pd.IntervalDtype("int64"),
            pd.SparseDtype("float64"),
        ],
    )
    yield "sparse", pd.Series(pd.arrays.SparseArray([0, 0, 1]))
    yield (
        "nullable",
        pd.DataFrame(
            {
                t: pd.array([1, None], dtype=t)
                for t in (
                    "Int8",
                    "Int16",
                    "Int32",
                    "Int64",
                    "UInt8",
                    "UInt16",
                    "UInt32",
                    "UInt64",
                    "Float32",
                    "Float64",
                )
            }
        ),
    )
    yield (
        "offsets",
        [
            pd.offsets.Day(),
            pd.offsets.MonthEnd(),
            pd.offsets.BusinessDay(),
            pd.offsets.Hour(2),
            pd.offsets.Week(weekday=1),
            pd.offsets.YearEnd(),
            pd.offsets.QuarterEnd(),
            pd.offsets.Minute(),
            pd.offsets.Second(),
            pd.offsets.MonthBegin(),
            pd.DateOffset(days=1),
            pd.offsets.BDay(),
            pd.offsets.Milli(),
            pd.offsets.Micro(),
            pd.offsets.Nano(),
            pd.offsets.YearBegin(),
            pd.offsets.QuarterBegin(),
            pd.offsets.BMonthEnd(),
            pd.offsets.BusinessHour(),
        ],
    )
    yield "multi_columns", pd.DataFrame(np.eye(2), columns=pd.MultiIndex.from_tuples([("a", 1), ("a", 2)]))
    yield "arrow", pd.Series(["a", "b"], dtype="string[pyarrow]")
    yield "indexed", frame.set_index("d")


def fitted_estimators():
    """Every scikit-learn estimator, fitted where it can be on tiny data."""
    import numpy as np
    from sklearn.datasets import make_classification
    from sklearn.linear_model import LogisticRegression, Ridge
    from sklearn.tree import DecisionTreeClassifier
    from sklearn.utils import all_estimators

    x, y = make_classification(n_samples=40, n_features=6, random_state=0)
    positive = np.abs(x)
    needs = {
        "estimator": LogisticRegression(),
        "base_estimator": LogisticRegression(),
        "estimators": [("a", LogisticRegression()), ("b", DecisionTreeClassifier())],
        "transformers": [("a", "passthrough", [0, 1])],
        "transformer_list": [("a", "passthrough")],
        "steps": [("a", LogisticRegression())],
        "param_grid": {"C": [0.1, 1]},
        "param_distributions": {"C": [0.1, 1, 2]},
        "dictionary": np.eye(6),
    }
    for name, kind in all_estimators():
        required = [
            p.name
            for p in inspect.signature(kind).parameters.values()
            if p.default is p.empty and p.kind is p.POSITIONAL_OR_KEYWORD
        ]
        made = attempt(name, lambda: kind(**{key: needs[key] for key in required}))
        for model in made:
            if "estimator" in required and "Regressor" in name and hasattr(model, "set_params"):
                model.set_params(estimator=Ridge())
            for data in (
                (x, y),
                (positive, y),
                (x, np.c_[y, y]),
                (y.astype(float), y.astype(float)),
                (["a b", "b c"] * 20, y),
            ):
                try:
                    model.fit(*data)
                    break
                except Exception:
                    continue
            yield name, model


@library("sklearn")
def sklearn_objects():
    import numpy as np
    from sklearn import (
        calibration,
        compose,
        datasets,
        decomposition,
        ensemble,
        feature_extraction,
        feature_selection,
        gaussian_process,
        linear_model,
        metrics,
        model_selection,
        naive_bayes,
        neighbors,
        pipeline,
        preprocessing,
        svm,
        tree,
    )

    yield from fitted_estimators()
    x, y = datasets.make_classification(n_samples=60, n_features=6, random_state=0)
    pipe = pipeline.Pipeline(
        [
            ("scale", preprocessing.StandardScaler()),
            ("pca", decomposition.PCA(3)),
            ("svm", svm.SVC(probability=True)),
        ]
    ).fit(x, y)
    yield "pipeline", pipe
    yield "grid", model_selection.GridSearchCV(svm.SVC(), {"C": [1, 2]}, cv=2).fit(x, y)
    yield (
        "random_search",
        model_selection.RandomizedSearchCV(svm.SVC(), {"C": [1, 2, 3]}, n_iter=2, cv=2).fit(x, y),
    )
    yield (
        "columns",
        compose.ColumnTransformer(
            [("a", preprocessing.OneHotEncoder(), [0]), ("b", preprocessing.StandardScaler(), slice(1, 3))]
        ).fit(np.abs(x).round()),
    )
    yield (
        "union",
        pipeline.FeatureUnion([("a", decomposition.PCA(2)), ("b", feature_selection.SelectKBest(k=2))]).fit(
            x, y
        ),
    )
    yield "calibrated", calibration.CalibratedClassifierCV(svm.SVC(), cv=2).fit(x, y)
    yield (
        "isotonic",
        calibration.CalibratedClassifierCV(naive_bayes.GaussianNB(), method="isotonic", cv=2).fit(x, y),
    )
    yield "stacking", ensemble.StackingClassifier([("a", tree.DecisionTreeClassifier())]).fit(x, y)
    yield (
        "voting",
        ensemble.VotingClassifier([("a", tree.DecisionTreeClassifier()), ("b", svm.SVC())]).fit(x, y),
    )
    for loss in (
        "hinge",
        "log_loss",
        "modified_huber",
        "squared_hinge",
        "perceptron",
        "squared_error",
        "huber",
        "epsilon_insensitive",
        "squared_epsilon_insensitive",
    ):
        yield f"sgd_{loss}", linear_model.SGDClassifier(loss=loss).fit(x, y)
    for loss in ("squared_error", "absolute_error", "huber", "quantile"):
        yield f"boosting_{loss}", ensemble.GradientBoostingRegressor(loss=loss, n_estimators=3).fit(x, y)
    for loss in ("squared_error", "absolute_error", "gamma", "poisson", "quantile"):
        yield (
            f"hist_{loss}",
            ensemble.HistGradientBoostingRegressor(
                loss=loss, max_iter=3, quantile=0.5 if loss == "quantile" else None
            ).fit(x, np.abs(y) + 1.0),
        )
    yield "multiclass", ensemble.GradientBoostingClassifier(n_estimators=2).fit(x, np.arange(60) % 3)
    yield "hist_multiclass", ensemble.HistGradientBoostingClassifier(max_iter=2).fit(x, np.arange(60) % 3)
    yield "exponential", ensemble.GradientBoostingClassifier(loss="exponential", n_estimators=2).fit(x, y)
    for criterion in ("gini", "entropy", "log_loss"):
        yield f"forest_{criterion}", ensemble.RandomForestClassifier(4, criterion=criterion).fit(x, y)
    k = gaussian_process.kernels
    for kernel in (
        k.RBF(),
        k.Matern(),
        k.WhiteKernel() + k.DotProduct(),
        k.ConstantKernel() * k.RationalQuadratic(),
        k.ExpSineSquared(),
        k.PairwiseKernel(),
        k.Exponentiation(k.RBF(), 2),
        k.CompoundKernel([k.RBF()]),
    ):
        yield f"gp_{type(kernel).__name__}", kernel
        yield from (
            (f"gpr_{type(kernel).__name__}", m)
            for m in attempt("gpr", lambda: gaussian_process.GaussianProcessRegressor(kernel).fit(x, y))
        )
    for metric in (
        "euclidean",
        "manhattan",
        "minkowski",
        "haversine",
        "chebyshev",
        "canberra",
        "hamming",
        "jaccard",
        "braycurtis",
        "seuclidean",
        "mahalanobis",
        "dice",
        "rogerstanimoto",
        "russellrao",
        "sokalsneath",
    ):
        keywords = (
            {"V": np.ones(6)}
            if metric == "seuclidean"
            else {"V": np.eye(6)}
            if metric == "mahalanobis"
            else {}
        )
        yield from (
            (f"metric_{metric}", m)
            for m in attempt(metric, lambda: metrics.DistanceMetric.get_metric(metric, **keywords))
        )
        for algorithm in ("ball_tree", "kd_tree"):
            yield from (
                (f"neighbours_{metric}_{algorithm}", m)
                for m in attempt(
                    metric,
                    lambda: neighbors.NearestNeighbors(
                        metric=metric, algorithm=algorithm, metric_params=keywords or None
                    ).fit(x[:, :2] if metric == "haversine" else x),
                )
            )
    yield (
        "scorers",
        [
            metrics.make_scorer(f)
            for f in (
                metrics.accuracy_score,
                metrics.f1_score,
                metrics.mean_squared_error,
                metrics.roc_auc_score,
                metrics.r2_score,
                metrics.log_loss,
                metrics.mean_absolute_error,
                metrics.balanced_accuracy_score,
            )
        ],
    )
    yield "named_scorers", {name: metrics.get_scorer(name) for name in metrics.get_scorer_names()}
    yield (
        "function_transformers",
        [
            preprocessing.FunctionTransformer(f, g)
            for f, g in ((np.log1p, np.expm1), (np.sqrt, np.square), (np.log, np.exp), (None, None))
        ],
    )
    yield (
        "splits",
        [
            getattr(model_selection, n)()
            for n in (
                "KFold",
                "StratifiedKFold",
                "GroupKFold",
                "TimeSeriesSplit",
                "LeaveOneOut",
                "ShuffleSplit",
                "StratifiedShuffleSplit",
                "RepeatedKFold",
                "RepeatedStratifiedKFold",
                "StratifiedGroupKFold",
            )
        ],
    )
    yield "bunch", datasets.load_iris()
    text = ["apple banana", "banana cherry", "cherry date fig"]
    for kind in (feature_extraction.text.TfidfVectorizer, feature_extraction.text.CountVectorizer):
        yield kind.__name__, kind(ngram_range=(1, 2), stop_words="english").fit(text)
    yield "hashing", feature_extraction.text.HashingVectorizer()
    yield "dict_vectorizer", feature_extraction.DictVectorizer().fit([{"a": 1}])
    yield (
        "text_pipeline",
        pipeline.make_pipeline(
            feature_extraction.text.TfidfVectorizer(), linear_model.LogisticRegression()
        ).fit(text, [0, 1, 1]),
    )
    yield (
        "select",
        [
            feature_selection.SelectKBest(f, k=2).fit(np.abs(x), y)
            for f in (
                feature_selection.f_classif,
                feature_selection.chi2,
                feature_selection.mutual_info_classif,
                feature_selection.f_regression,
                feature_selection.mutual_info_regression,
            )
        ],
    )
    yield "isolation", ensemble.IsolationForest(n_estimators=4).fit(x)
    yield (
        "multilayer",
        __import__("sklearn.neural_network").neural_network.MLPClassifier((4,), max_iter=5).fit(x, y),
    )
    yield (
        "glm",
        [
            linear_model.PoissonRegressor().fit(x, y),
            linear_model.GammaRegressor().fit(x, y + 1.0),
            linear_model.TweedieRegressor(power=1.5).fit(x, y + 0.5),
        ],
    )
    yield (
        "transformed_target",
        compose.TransformedTargetRegressor(linear_model.Ridge(), func=np.log1p, inverse_func=np.expm1).fit(
            x, y
        ),
    )
    yield "selector", compose.make_column_selector(dtype_include="number")
    yield "undefined", __import__("sklearn.exceptions").exceptions.NotFittedError("x")


@library("xgboost", "sklearn")
def xgboost_objects():
    import numpy as np
    import xgboost as xgb

    generator = np.random.RandomState(0)
    x, y = generator.rand(30, 4), generator.randint(0, 2, 30)
    yield "booster", xgb.train({"max_depth": 2, "objective": "binary:logistic"}, xgb.DMatrix(x, y), 3)
    for kind in ("XGBClassifier", "XGBRegressor", "XGBRFClassifier", "XGBRFRegressor"):
        yield kind, getattr(xgb, kind)(n_estimators=3, max_depth=2).fit(x, y)
    yield "XGBRanker", xgb.XGBRanker(n_estimators=2).fit(x, y, qid=np.repeat([0, 1, 2], 10))
    yield "unfitted", xgb.XGBClassifier(eval_metric="logloss", callbacks=[xgb.callback.EarlyStopping(3)])
    yield "multiclass", xgb.XGBClassifier(n_estimators=2).fit(x, np.arange(30) % 3)


@library("lightgbm", "sklearn")
def lightgbm_objects():
    import lightgbm as lgb
    import numpy as np

    generator = np.random.RandomState(0)
    x, y = generator.rand(60, 4), generator.randint(0, 2, 60)
    yield "booster", lgb.train({"objective": "binary", "verbose": -1}, lgb.Dataset(x, y), 3)
    for kind in ("LGBMClassifier", "LGBMRegressor"):
        yield kind, getattr(lgb, kind)(n_estimators=3, verbose=-1).fit(x, y)
    yield "LGBMRanker", lgb.LGBMRanker(n_estimators=3, verbose=-1).fit(x, y, group=[20, 20, 20])
    yield "unfitted", lgb.LGBMClassifier()
    yield "callbacks", [lgb.early_stopping(3), lgb.log_evaluation(1)]


@library("catboost")
def catboost_objects():
    import catboost
    import numpy as np

    generator = np.random.RandomState(0)
    x, y = generator.rand(30, 4), generator.randint(0, 2, 30)
    options = {"iterations": 3, "verbose": 0, "allow_writing_files": False}
    for kind in ("CatBoostClassifier", "CatBoostRegressor", "CatBoost"):
        yield (
            kind,
            getattr(catboost, kind)(options).fit(x, y)
            if kind == "CatBoost"
            else getattr(catboost, kind)(**options).fit(x, y),
        )
    yield "unfitted", catboost.CatBoostClassifier(**options)


@library("statsmodels.api")
def statsmodels_objects():
    import numpy as np
    import pandas as pd
    import statsmodels.api as sm
    import statsmodels.formula.api as smf

    generator = np.random.RandomState(0)
    x, y = generator.rand(60, 2), generator.rand(60)
    yield "ols", sm.OLS(y, sm.add_constant(x)).fit()
    yield "wls", sm.WLS(y, x, weights=np.ones(60)).fit()
    yield "logit", sm.Logit((y > 0.5) * 1, x).fit(disp=0)
    for family in (
        sm.families.Gaussian(),
        sm.families.Poisson(),
        sm.families.Binomial(),
        sm.families.Gamma(),
    ):
        yield from (
            (f"glm_{type(family).__name__}", m)
            for m in attempt("glm", lambda: sm.GLM(y, x, family=family).fit())
        )
    series = pd.Series(generator.rand(60), index=pd.date_range("2020-01-01", periods=60, freq="MS"))
    yield "arima", sm.tsa.ARIMA(series, order=(1, 0, 0)).fit()
    yield "sarimax", sm.tsa.SARIMAX(series, order=(1, 0, 0)).fit(disp=0)
    yield "smoothing", sm.tsa.ExponentialSmoothing(series).fit()
    yield "formula", smf.ols("a ~ b", pd.DataFrame({"a": y, "b": x[:, 0]})).fit()
    yield "robust", sm.RLM(y, x).fit()


@library("imblearn", "sklearn")
def imblearn_objects():
    from imblearn.utils.testing import all_estimators
    from sklearn.datasets import make_classification

    x, y = make_classification(n_samples=120, n_features=6, weights=[0.8], random_state=0)
    for name, kind in all_estimators():
        for model in attempt(name, kind):
            try:
                model.fit(x, y)
            except Exception:
                pass
            yield name, model


@library("category_encoders")
def category_encoders_objects():
    import category_encoders
    import pandas as pd

    frame = pd.DataFrame({"a": ["x", "y", "x", "z"], "b": [1, 2, 3, 4]})
    for name in category_encoders.__all__:
        for model in attempt(name, getattr(category_encoders, name)):
            try:
                model.fit(frame, [0, 1, 0, 1])
            except Exception:
                pass
            yield name, model


@library("hdbscan", "sklearn")
def hdbscan_objects():
    import hdbscan
    import numpy as np

    yield "hdbscan", hdbscan.HDBSCAN(prediction_data=True).fit(np.random.RandomState(0).rand(40, 3))


@library("ngboost", "sklearn")
def ngboost_objects():
    import ngboost
    import numpy as np

    generator = np.random.RandomState(0)
    yield (
        "regressor",
        ngboost.NGBRegressor(n_estimators=2, verbose=False).fit(generator.rand(40, 3), generator.rand(40)),
    )


@library("mlxtend", "sklearn")
def mlxtend_objects():
    from mlxtend.classifier import EnsembleVoteClassifier, StackingClassifier
    from mlxtend.preprocessing import TransactionEncoder
    from sklearn.naive_bayes import GaussianNB

    yield "transactions", TransactionEncoder().fit([["a", "b"], ["b"]])
    yield "vote", EnsembleVoteClassifier([GaussianNB()])
    yield "stack", StackingClassifier([GaussianNB()], GaussianNB())


@library("gensim")
def gensim_objects():
    import gensim

    texts = [["one", "two"], ["two", "three"]] * 5
    dictionary = gensim.corpora.Dictionary(texts)
    yield "dictionary", dictionary
    yield "word2vec", gensim.models.Word2Vec(texts, vector_size=4, min_count=1, workers=1)
    yield "fasttext", gensim.models.FastText(texts, vector_size=4, min_count=1, workers=1, bucket=10)
    yield (
        "doc2vec",
        gensim.models.Doc2Vec(
            [gensim.models.doc2vec.TaggedDocument(t, [i]) for i, t in enumerate(texts)],
            vector_size=4,
            min_count=1,
            workers=1,
        ),
    )
    corpus = [dictionary.doc2bow(t) for t in texts]
    yield "lda", gensim.models.LdaModel(corpus, num_topics=2, id2word=dictionary)
    yield "tfidf", gensim.models.TfidfModel(corpus)
    yield "lsi", gensim.models.LsiModel(corpus, num_topics=2)
    yield "keyed", gensim.models.KeyedVectors(4)
    yield "phrases", gensim.models.Phrases(texts, min_count=1)


@library("nltk")
def nltk_objects():
    import nltk

    yield "bayes", nltk.NaiveBayesClassifier.train([({"a": 1}, "x"), ({"a": 2}, "y")])
    yield "frequencies", nltk.FreqDist("hello")
    yield "conditional", nltk.ConditionalFreqDist([("a", 1)])
    yield "tree", nltk.Tree("S", ["a"])
    yield "unigram", nltk.UnigramTagger([[("a", "N")]])
    yield "bigram", nltk.BigramTagger([[("a", "N")]], backoff=nltk.DefaultTagger("N"))
    yield "punkt", nltk.tokenize.punkt.PunktSentenceTokenizer("A b. C d. E f.")
    yield "stemmers", [nltk.PorterStemmer(), nltk.SnowballStemmer("english"), nltk.LancasterStemmer()]
    yield "tokenizers", [nltk.RegexpTokenizer(r"\w+"), nltk.TweetTokenizer(), nltk.TreebankWordTokenizer()]


@library("polars")
def polars_objects():
    import polars

    yield "frame", polars.DataFrame({"a": [1, 2], "b": ["x", "y"]})
    yield "series", polars.Series([1.0, 2.0])
    yield "lazy", polars.DataFrame({"a": [1]}).lazy()
    yield "types", [polars.Int64, polars.Utf8, polars.Float32, polars.Datetime("us")]


@library("pyarrow")
def pyarrow_objects():
    import pyarrow as pa

    yield "table", pa.table({"a": [1, 2], "b": ["x", "y"], "c": [[1], [2]]})
    yield "array", pa.array([1, None])
    yield "schema", pa.schema([("a", pa.int64()), ("b", pa.list_(pa.string())), ("c", pa.timestamp("us"))])
    yield "chunked", pa.chunked_array([[1], [2]])


@library("jax")
def jax_objects():
    import jax
    import jax.numpy as jnp

    yield "array", jnp.ones((2, 2))
    yield "tree", {"params": {"w": jnp.ones(3)}}
    yield "key", jax.random.PRNGKey(0)


@library("flax", "optax", "jax")
def flax_objects():
    import flax
    import jax.numpy as jnp
    import optax

    yield "frozen", flax.core.freeze({"a": {"b": jnp.ones(2)}})
    optimiser = optax.adam(0.1)
    yield "optimiser", optimiser.init({"w": jnp.ones(2)})
    yield "sgd", optax.sgd(0.1, momentum=0.9).init({"w": jnp.ones(2)})


@library("omegaconf")
def omegaconf_objects():
    from omegaconf import OmegaConf

    yield (
        "config",
        OmegaConf.create(
            {
                "model": {"name": "x", "layers": [1, 2]},
                "rate": 0.1,
                "none": None,
                "flag": True,
                "ref": "${rate}",
            }
        ),
    )
