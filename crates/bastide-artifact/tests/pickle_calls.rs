//! Calls that picklers write around data, and what becomes of them with other arguments: dill, cloudpickle, `torch.package`,
//! and constructors that set memory aside.

#![expect(clippy::unwrap_used, reason = "a test stops at what it did not expect")]

use bastide_artifact::{Limits, scan};
use bastide_types::Assessment;
use proptest::prelude::*;

fn text(text: &str) -> Vec<u8> {
    let size = u32::try_from(text.len()).unwrap();
    [b"X".as_slice(), &size.to_le_bytes(), text.as_bytes()].concat()
}

fn int(number: i64) -> Vec<u8> {
    [b"\x8a\x08".as_slice(), &number.to_le_bytes()].concat()
}

fn global(name: &str) -> Vec<u8> {
    let (module, name) = name.split_once(':').unwrap();
    [text(module), text(name), b"\x93".to_vec()].concat()
}

fn tuple(parts: &[Vec<u8>]) -> Vec<u8> {
    [b"(".to_vec(), parts.concat(), b"t".to_vec()].concat()
}

fn list(parts: &[Vec<u8>]) -> Vec<u8> {
    [b"(".to_vec(), parts.concat(), b"l".to_vec()].concat()
}

fn called(callee: Vec<u8>, args: &[Vec<u8>]) -> Vec<u8> {
    [callee, tuple(args), b"R".to_vec()].concat()
}

fn call(name: &str, args: &[Vec<u8>]) -> Vec<u8> {
    called(global(name), args)
}

fn verdict(stream: &[u8]) -> Assessment {
    scan(&[b"\x80\x04", stream, b"."].concat(), "model.pkl", &Limits::default()).assessment()
}

/// Judges streams that are all to be called the same.
fn all(expected: Assessment, streams: &[Vec<u8>]) {
    for stream in streams {
        assert_eq!(verdict(stream), expected, "{}", String::from_utf8_lossy(stream));
    }
}

fn dill_type(name: &str) -> Vec<u8> {
    call("dill._dill:_load_type", &[text(name)])
}

#[test]
fn a_type_that_is_looked_up_is_judged_as_if_it_were_imported() {
    all(
        Assessment::Clean,
        &[
            dill_type("dict"),
            call("dill.dill:_load_type", &[text("object")]),
            called(dill_type("slice"), &[int(0), int(1), b"N".to_vec()]),
            called(dill_type("KeyError"), &[text("x")]),
            called(dill_type("PartialType"), &[global("builtins:int")]),
            called(
                call("cloudpickle.cloudpickle:_builtin_type", &[text("MappingProxyType")]),
                &[b"}".to_vec()],
            ),
            call("collections:defaultdict", &[dill_type("list")]),
        ],
    );
    all(
        Assessment::Malicious,
        &[
            dill_type("CodeType"),
            dill_type("eval"),
            called(dill_type("ModuleType"), &[text("x")]),
            called(dill_type("AttrGetterType"), &[text("__globals__")]),
            called(dill_type("PartialType"), &[global("os:system"), text("echo x")]),
            called(call("cloudpickle.cloudpickle:_builtin_type", &[text("CodeType")]), &[int(0)]),
            called(call("ray.cloudpickle.cloudpickle:_builtin_type", &[text("FunctionType")]), &[int(0)]),
            call("dill._dill:_load_type", &[call("builtins:str", &[text("CodeType")])]),
            call("functools:partial", &[global("dill._dill:_load_type"), text("CodeType")]),
            called(
                call("dill._dill:_create_namedtuple", &[text("Popen"), tuple(&[]), text("subprocess")]),
                &[text("x")],
            ),
        ],
    );
}

#[test]
fn what_dill_evaluates_is_a_name_or_a_range() {
    let repr = |what: &str| call("dill._dill:_eval_repr", &[text(what)]);
    all(
        Assessment::Clean,
        &[repr("Ellipsis"), repr("NotImplemented"), repr("range(0, 9)"), repr("xrange(3)")],
    );
    all(
        Assessment::Malicious,
        &[
            repr("print('x')"),
            repr("range(print('x'))"),
            repr("os"),
            call("dill._dill:_eval_repr", &[dill_type("str")]),
        ],
    );
    let member =
        |name: &str, shown: &str| call("dill._dill:_getattr", &[dill_type("dict"), text(name), text(shown)]);
    let items = member("items", "<method 'items' of 'dict' objects>");
    all(Assessment::Clean, &[items.clone(), called(items, &[b"}".to_vec()])]);
    all(
        Assessment::Malicious,
        &[
            member("system", "<method 'system' of 'os' objects>"),
            member("items", "<method 'items' of 'print(1) or dict' objects>"),
            member("__subclasses__", "<method '__subclasses__' of 'dict' objects>"),
        ],
    );
}

#[test]
fn an_array_is_rebuilt_by_what_numpy_would_call() {
    let array = |function: Vec<u8>, args: &[Vec<u8>], state: Vec<u8>| {
        call("dill._dill:_create_array", &[function, tuple(args), state, b"N".to_vec()])
    };
    let rebuild = || global("numpy._core.multiarray:_reconstruct");
    let nothing = || vec![global("numpy:ndarray"), tuple(&[int(0)]), text("b")];
    all(Assessment::Clean, &[array(rebuild(), &nothing(), b"N".to_vec())]);
    let special =
        [b"}(".to_vec(), text("__class__"), global("collections:OrderedDict"), b"u".to_vec()].concat();
    all(
        Assessment::Malicious,
        &[
            array(global("os:system"), &[text("echo x")], b"N".to_vec()),
            array(global("dill._dill:_create_array"), &[global("os:system")], b"N".to_vec()),
            array(
                global("torch.storage:_load_from_bytes"),
                &[[b"C\x0e".as_slice(), b"cos\nsystem\n)R."].concat()],
                b"N".to_vec(),
            ),
            array(rebuild(), &nothing(), special),
            array(rebuild(), &[global("numpy:ndarray"), tuple(&[int(1 << 40)]), text("b")], b"N".to_vec()),
        ],
    );
}

#[test]
fn what_is_set_aside_is_weighed_as_a_whole() {
    let gib = || int(1 << 30);
    let range = || call("builtins:range", &[int(1 << 40)]);
    let hundred_times = |size: i64| list(&vec![call("builtins:bytearray", &[int(size)]); 100]);
    all(
        Assessment::Malicious,
        &[
            call("builtins:bytearray", &[gib()]),
            hundred_times(10_000_000),
            [global("builtins:bytearray"), b")}(".to_vec(), text("source"), gib(), b"u\x92".to_vec()]
                .concat(),
            call("builtins:list", &[range()]),
            call("collections:deque", &[call("builtins:iter", &[range()])]),
            call("builtins:list", &[call("builtins:bytes", &[int(200_000_000)])]),
            call("array:array", &[text("d"), range()]),
            call("torch:FloatStorage", &[gib()]),
            call("numpy:ndarray", &[tuple(&[gib()])]),
        ],
    );
    all(
        Assessment::Clean,
        &[
            hundred_times(1000),
            list(&vec![range(); 100]),
            call("builtins:enumerate", &[range()]),
            call("collections:deque", &[list(&[int(1)]), int(1 << 40)]),
            call("builtins:list", &[call("builtins:range", &[int(1000)])]),
        ],
    );
}

#[test]
fn what_a_file_carries_it_may_unfold() {
    // A list of 40 MB, read as a set: the set is a multiple of the floor and no multiple of the file.
    let many = [b"(".to_vec(), b"K\x01".repeat(6 << 20), b"l".to_vec()].concat();
    assert_eq!(verdict(&call("builtins:set", &[many])), Assessment::Clean);
}

#[test]
fn claims_are_lies_or_cut_downloads() {
    let counted = |opcode: u8, size: u64, rest: usize| {
        let stream = [[0x80, 5, opcode].as_slice(), &size.to_le_bytes(), &vec![0; rest]].concat();
        scan(&stream, "model.pkl", &Limits::default()).assessment()
    };
    for opcode in [0x8d, 0x8e, 0x96] {
        assert_eq!(counted(opcode, 1 << 36, 10), Assessment::Malicious);
        assert_eq!(counted(opcode, u64::MAX >> 1, 1 << 20), Assessment::Malicious);
        assert_eq!(counted(opcode, 1 << 36, 1 << 20), Assessment::Unfinished, "a mebibyte of 64 GiB");
        assert_eq!(counted(opcode, 1 << 20, 10), Assessment::Unfinished);
    }
    assert_eq!(counted(0x95, 1 << 40, 10), Assessment::Malicious);
}

#[test]
fn classes_of_plain_values_are_for_review() {
    let dict = |parts: &[Vec<u8>]| [b"}(".to_vec(), parts.concat(), b"u".to_vec()].concat();
    let class = |kind: Vec<u8>, bases: &[Vec<u8>], inside: Vec<u8>| {
        call("dill._dill:_create_type", &[kind, text("Empty"), tuple(bases), inside])
    };
    let plain = || class(dill_type("type"), &[dill_type("object")], dict(&[text("__doc__"), b"N".to_vec()]));
    // Dill takes the type that is there, if there is one.
    let record = |module: &str| {
        let name = if module == "collections" { "OrderedDict" } else { "Point" };
        call("dill._dill:_create_namedtuple", &[text(name), tuple(&[text("x")]), text(module)])
    };
    let enumeration = class(
        global("enum:EnumMeta"),
        &[global("enum:Enum")],
        dict(&[text("RED"), int(1), text("BLUE"), int(2)]),
    );
    let named = |object: Vec<u8>, label: &str, name: &str| {
        call("builtins:setattr", &[object, text(label), text(name)])
    };
    let labelled = |label: &str| named(plain(), label, "Empty");
    all(
        Assessment::Review,
        &[
            plain(),
            enumeration,
            labelled("__qualname__"),
            named(plain(), "__qualname__", "make.<locals>.Empty"),
            named(plain(), "__doc__", "Holds nothing; see `print(x)`."),
            named(record("shapes"), "__qualname__", "make.<locals>.Point"),
            [plain(), b")\x81".to_vec()].concat(),
        ],
    );
    all(
        Assessment::Malicious,
        &[
            class(dill_type("type"), &[global("subprocess:Popen")], dict(&[])),
            class(
                dill_type("type"),
                &[dill_type("object")],
                dict(&[text("__setstate__"), global("builtins:print")]),
            ),
            class(global("builtins:eval"), &[dill_type("object")], dict(&[])),
            labelled("__class__"),
            named(plain(), "__name__", "relu(x); print(1) #"),
            named(global("torch.nn.functional:relu"), "__name__", "relu(x); print(1) #"),
            named(global("sklearn.pipeline:Pipeline"), "__qualname__", "os.system"),
            named(global("sklearn.pipeline:Pipeline"), "__doc__", "x"),
            named(record("collections"), "__qualname__", "Point"),
            named(
                call("builtins:getattr", &[global("collections:OrderedDict"), text("items")]),
                "__name__",
                "x",
            ),
            call(
                "cloudpickle.cloudpickle:_class_setstate",
                &[global("builtins:dict"), tuple(&[dict(&[]), dict(&[])])],
            ),
            called(call("my.dill:_create_type", &[text("x")]), &[]),
        ],
    );
}

#[test]
fn torch_package_marks_names_and_calls_for_ids() {
    let id = |callee: Vec<u8>| {
        [tuple(&[text("reduce_package"), int(0), callee, tuple(&[text("x")])]), b"Q".to_vec()].concat()
    };
    all(
        Assessment::Malicious,
        &[
            call("<torch_package_0>.os:system", &[text("echo x")]),
            call("<torch_package_17>.builtins:eval", &[text("print('x')")]),
            id(global("os:system")),
            id(global("builtins:getattr")),
            id(call("functools:partial", &[global("builtins:print")])),
        ],
    );
    all(Assessment::Clean, &[call("<torch_package_0>.collections:OrderedDict", &[])]);
    all(
        Assessment::Review,
        &[id(global("my.models:restore")), call("<torch_package_x>.os:system", &[text("x")])],
    );
}

proptest! {
    #[test]
    fn any_arguments_are_judged(
        callee in prop::sample::select(vec![
            "dill._dill:_create_array", "dill._dill:_getattr", "dill._dill:_load_type", "dill._dill:_eval_repr",
            "dill._dill:_create_namedtuple", "dill._dill:_create_ftype", "builtins:bytearray", "builtins:list", "array:array",
            "numpy:ndarray", "torch:FloatStorage", "itertools:islice", "collections:deque",
        ]),
        args in prop::collection::vec(
            prop_oneof![
                any::<i64>().prop_map(int),
                ".{0,20}".prop_map(|what| text(&what)),
                Just(call("itertools:count", &[])),
                Just(call("builtins:range", &[int(1 << 40)])),
                Just(global("builtins:dict")),
                Just(tuple(&[int(3), int(-3)])),
            ],
            0..5,
        ),
    ) {
        verdict(&call("builtins:list", &[call(callee, &args)]));
    }
}

/// `getattr(class(), name)` of an object made as protocols 0 and 1 make it.
fn method_of_old(class: &str, name: &str) -> Vec<u8> {
    let object =
        call("copy_reg:_reconstructor", &[global(class), global("__builtin__:object"), b"N".to_vec()]);
    call("__builtin__:getattr", &[object, text(name)])
}

#[test]
fn bound_methods_are_named_and_not_called() {
    let array = call(
        "numpy.core.multiarray:_reconstruct",
        &[global("numpy:ndarray"), tuple(&[int(0)]), b"C\x01b".to_vec()],
    );
    let method = |object: &[u8], name: &str| call("builtins:getattr", &[object.to_vec(), text(name)]);
    let generator = call("numpy.random._pickle:__generator_ctor", &[]);
    let scaler = "sklearn.preprocessing._data:StandardScaler";
    all(
        Assessment::Clean,
        &[method_of_old(scaler, "transform"), method(&array, "sum"), method(&generator, "normal")],
    );
    all(
        Assessment::Malicious,
        &[
            method_of_old(scaler, "__class__"),
            method_of_old(scaler, "_check"),
            method_of_old("pandas.core.frame:DataFrame", "to_pickle"),
            method_of_old("pandas.core.frame:DataFrame", "query"),
            method_of_old("os:_Environ", "get"),
            method(&array, "tofile"),
            method(&array, "dump"),
            method(&method(&array, "sum"), "real"),
            called(method(&array, "sum"), &[]),
            called(method_of_old(scaler, "transform"), &[int(1)]),
        ],
    );
}

#[test]
fn functions_that_only_compute_may_be_named() {
    for name in ["posixpath:join", "posixpath:basename", "zlib:adler32", "re:sub", "urllib.parse:quote"] {
        all(Assessment::Clean, &[global(name), call("functools:partial", &[global(name), text("x")])]);
        all(Assessment::Malicious, &[call(name, &[text("x")])]);
    }
    all(Assessment::Malicious, &[global("posixpath:exists"), global("zlib:decompress")]);
}

#[test]
fn layers_and_norms_are_rebuilt_by_their_libraries() {
    let buffer =
        [call("_io:BytesIO", &[]), tuple(&[b"C\x01x".to_vec(), int(0), b"N".to_vec()]), b"b".to_vec()];
    let load = "keras.src.layers.core.dense:Dense._unpickle_model";
    assert_ne!(verdict(&call(load, &[buffer.concat()])), Assessment::Malicious);
    let norm = |class: &str| call("matplotlib.colors:_create_empty_object_of_class", &[global(class)]);
    assert_ne!(verdict(&norm("matplotlib.colors:LogNorm")), Assessment::Malicious);
    all(
        Assessment::Malicious,
        &[call("mykeras.x:Dense._unpickle_model.os.system", &[]), norm("subprocess:Popen")],
    );
}
