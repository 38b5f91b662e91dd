//! What the scan says of pickles: attacks of every known class, near misses, and what recognises a pickle.

#![expect(clippy::expect_used, reason = "a test stops at what it did not expect")]

use bastide_artifact::{Format, Limits, Report, scan};
use bastide_types::Assessment;
use proptest::prelude::*;

fn report(bytes: &[u8]) -> Report {
    scan(&bytes, "model.bin", &Limits::default())
}

/// The rule of the worst finding and its call.
fn worst(bytes: &[u8]) -> (Assessment, &'static str, String) {
    let report = report(bytes);
    let first = report.findings.first();
    let rule = first.map_or("", |finding| finding.rule.id);
    (report.assessment(), rule, first.and_then(|finding| finding.call.clone()).unwrap_or_default())
}

/// A text of protocol 4.
fn text(text: &str) -> Vec<u8> {
    let size = u8::try_from(text.len()).expect("a short text");
    [&[0x8c, size], text.as_bytes()].concat()
}

/// PROTO 4, then the parts.
fn pickle(parts: &[&[u8]]) -> Vec<u8> {
    [b"\x80\x04".as_slice(), &parts.concat()].concat()
}

/// STACK_GLOBAL.
fn global(module: &str, name: &str) -> Vec<u8> {
    [text(module), text(name), b"\x93".to_vec()].concat()
}

/// A call of a global with texts.
fn call(module: &str, name: &str, args: &[&str]) -> Vec<u8> {
    let args: Vec<u8> = args.iter().flat_map(|arg| text(arg)).collect();
    [global(module, name), b"(".to_vec(), args, b"tR".to_vec()].concat()
}

#[track_caller]
fn malicious(bytes: &[u8], rule: &str, call: &str) {
    assert_eq!(worst(bytes), (Assessment::Malicious, rule, call.to_owned()), "{}", bytes.escape_ascii());
}

#[track_caller]
fn is(bytes: &[u8], assessment: Assessment) {
    let report = report(bytes);
    assert_eq!(report.assessment(), assessment, "{}: {:#?}", bytes.escape_ascii(), report.findings);
}

#[test]
fn functions_that_no_deny_list_names() {
    for (module, name) in [
        ("timeit", "timeit"),
        ("cProfile", "run"),
        ("pip", "main"),
        ("idlelib.run", "Executive.runcode"),
        ("uuid", "_get_command_stdout"),
        ("_osx_support", "_read_output"),
        ("test.support.script_helper", "assert_python_ok"),
        ("asyncio.unix_events", "_UnixSubprocessTransport._start"),
        ("numpy.f2py.crackfortran", "getlincoef"),
        ("torch.utils.collect_env", "run"),
        ("torch.fx.experimental.symbolic_shapes", "ShapeEnv.evaluate_guards_expression"),
        ("torch.jit.unsupported_tensor_ops", "execWrapper"),
        ("pandas", "read_csv"),
        ("huggingface_hub", "snapshot_download"),
        ("statistics", "mean"),
        ("encodings.aliases", "x"),
        ("webbrowser", "open"),
        ("logging", "FileHandler"),
        ("io", "FileIO"),
        ("_io", "open"),
        ("urllib2", "urlopen"),
        ("nt", "system"),
        ("commands", "getoutput"),
        ("_pickle", "loads"),
        ("joblib", "load"),
        ("dill._dill", "_create_function"),
        ("cloudpickle.cloudpickle", "_make_function"),
        ("types", "CodeType"),
        ("ctypes", "CDLL"),
        ("pydoc", "locate"),
        ("pkgutil", "resolve_name"),
        ("importlib", "import_module"),
        ("builtins", "map"),
        ("builtins", "__import__"),
        ("functools", "reduce"),
        ("operator", "call"),
        ("sys", "exit"),
    ] {
        is(&pickle(&[&call(module, name, &["echo hello"]), b"."]), Assessment::Malicious);
    }
}

#[test]
fn every_way_to_call() {
    let shown = "os.system('echo hello')";
    malicious(b"cos\nsystem\n(S'echo hello'\ntR.", "pickle.process", shown);
    malicious(b"(S'echo hello'\nios\nsystem\n.", "pickle.process", shown);
    malicious(b"(cos\nsystem\nS'echo hello'\no.", "pickle.process", shown);
    malicious(b"(cos\nsystem\nVecho\\u0020hello\no0N.", "pickle.process", shown);
    let args = [text("echo hello"), b"\x85".to_vec()].concat();
    let new = "os.system.__new__('echo hello')";
    malicious(&pickle(&[&global("os", "system"), &args, b"\x81."]), "pickle.process", new);
    let keywords = "os.system.__new__('echo hello', **{})";
    malicious(&pickle(&[&global("os", "system"), &args, b"}\x92."]), "pickle.process", keywords);
    malicious(b"ccommands\ngetoutput\n(S'x'\ntR.", "pickle.process", "commands.getoutput('x')");
}

#[test]
fn an_import_counts_without_a_call() {
    for bytes in [
        pickle(&[&global("os", "system"), b"0N."]),
        pickle(&[&global("os", "system"), b"\x940N."]),
        pickle(&[b"]", &global("builtins", "eval"), b"a."]),
    ] {
        assert_eq!(worst(&bytes).0, Assessment::Malicious);
        assert_eq!(report(&bytes).findings.len(), 1);
    }
}

#[test]
fn names_through_the_memo() {
    // GET in another order, PUT over MEMOIZE, MEMOIZE after PUT.
    let bytes =
        pickle(&[&text("os"), b"\x94", &text("system"), b"\x9400h\0h\x01\x93", &text("x"), b"\x85R."]);
    malicious(&bytes, "pickle.process", "os.system('x')");
    let bytes = pickle(&[
        &text("math"),
        b"\x940",
        &text("os"),
        b"q\0",
        &text("system"),
        b"\x9400h\0h\x01\x93N\x85R.",
    ]);
    malicious(&bytes, "pickle.process", "os.system(None)");
    malicious(b"Vsystem\np007\n0Vos\ng+7\n\x93(Vx\ntR.", "pickle.process", "os.system('x')");
    is(&pickle(&[b"h\x07."]), Assessment::Unfinished);
}

#[test]
fn names_that_are_not_literal_or_hide_in_dots() {
    let joined = [call("_codecs", "encode", &["os", "latin1"]), text("system"), b"\x93".to_vec()].concat();
    assert_eq!(worst(&pickle(&[&joined, b"N\x85R."])).0, Assessment::Malicious);
    for (module, name) in [
        ("collections", "OrderedDict.__init__.__globals__"),
        ("numpy", "f2py.crackfortran.getlincoef"),
        ("sklearn.tree", "DecisionTreeClassifier.__class__"),
        ("torch", "nn.Module.__init__.__builtins__"),
    ] {
        is(&pickle(&[&global(module, name), b"."]), Assessment::Malicious);
    }
}

#[test]
fn resolvers_are_judged_by_their_arguments() {
    let import = call("builtins", "__import__", &["os"]);
    let bytes =
        pickle(&[&global("builtins", "getattr"), &import, &text("system"), b"\x86R", &text("x"), b"\x85R."]);
    let report = report(&bytes);
    let calls: Vec<_> = report.findings.iter().filter_map(|finding| finding.call.as_deref()).collect();
    assert!(calls.contains(&"getattr(__import__('os'), 'system')('x')"), "{calls:?}");
    assert_eq!(report.assessment(), Assessment::Malicious);
    let member = |module: &str, class: &str, name: &str| {
        let args = [global(module, class), text(name), b"\x86R.".to_vec()].concat();
        pickle(&[&global("builtins", "getattr"), &args])
    };
    is(&member("collections", "OrderedDict", "fromkeys"), Assessment::Clean);
    is(&member("collections", "OrderedDict", "__init__"), Assessment::Malicious);
    is(&member("builtins", "getattr", "__self__"), Assessment::Malicious);
    let called = |module: &str, class: &str, name: &str| {
        let member = [global(module, class), text(name), b"\x86R)R.".to_vec()].concat();
        pickle(&[&global("builtins", "getattr"), &member])
    };
    is(&called("zoneinfo", "ZoneInfo", "_unpickle"), Assessment::Clean);
    is(&called("my.models", "Net", "from_file"), Assessment::Review);
    is(&called("gensim.models.word2vec", "Word2Vec", "load"), Assessment::Malicious);
    for (name, given, expected) in [
        ("attrgetter", "shape", Assessment::Clean),
        ("attrgetter", "__class__.__base__", Assessment::Malicious),
        ("methodcaller", "lower", Assessment::Clean),
        ("methodcaller", "system", Assessment::Malicious),
        ("methodcaller", "__reduce__", Assessment::Malicious),
    ] {
        is(&pickle(&[&call("operator", name, &[given]), b"."]), expected);
    }
}

#[test]
fn callables_as_arguments() {
    let default = |module: &str, name: &str| {
        pickle(&[&global("collections", "defaultdict"), &global(module, name), b"\x85R."])
    };
    is(&default("builtins", "list"), Assessment::Clean);
    is(&default("builtins", "getattr"), Assessment::Malicious);
    is(&default("os", "getcwd"), Assessment::Malicious);
    let applied = pickle(&[
        &global("torch._tensor", "_rebuild_from_type_v2"),
        b"(",
        &global("pandas", "read_csv"),
        b"N",
        &text("x"),
        b"\x85NtR.",
    ]);
    malicious(&applied, "pickle.file", "pandas.read_csv('x')");
    let made = pickle(&[&global("copyreg", "__newobj__"), &global("my.models", "Net"), b"\x85R."]);
    is(&made, Assessment::Review);
}

#[test]
fn states_that_change_the_program() {
    let patch = pickle(&[&global("sklearn.svm", "SVC"), b"}", &text("predict"), b"Nsb."]);
    malicious(&patch, "pickle.patch", "sklearn.svm.SVC.__dict__.update({'predict': None})");
    let instance = |key: &str| pickle(&[&global("sklearn.svm", "SVC"), b")\x81N}", &text(key), b"Ns\x86b."]);
    is(&instance("kernel"), Assessment::Clean);
    is(&instance("__orig_class__"), Assessment::Clean);
    is(&instance("__class__"), Assessment::Malicious);
    is(&instance("__setstate__"), Assessment::Malicious);
    is(b"(isklearn.svm\nSVC\n(dS'__se\\x74state__'\nNsb.", Assessment::Malicious);
}

#[test]
fn what_runs_before_an_error_and_after_it_counts() {
    let call = b"cos\nsystem\n(S'x'\ntR";
    is(&[call.as_slice(), b"\xfe"].concat(), Assessment::Malicious);
    is(call, Assessment::Malicious);
    is(&pickle(&[call, b"0000"]), Assessment::Malicious);
    is(&[b"\x80\x04K\x01\xff".as_slice(), b"\x80\x02", call, b"."].concat(), Assessment::Malicious);
    is(&[b"\x80\x04K\x01\xff some bytes ".as_slice(), call, b"."].concat(), Assessment::Malicious);
    is(&[b"\x80\x04K\x01.\0\0\0".as_slice(), call, b"."].concat(), Assessment::Malicious);
    is(&[b"\x80\x04K\x01.".as_slice(), call, b"."].concat(), Assessment::Malicious);
    let short = global("os", "system");
    is(&[b"\x80\x04K\x01.\0\0\0".as_slice(), &short, b")R."].concat(), Assessment::Malicious);
    is(b"\x80\x04K\x01.\0\0\0", Assessment::Review);
    is(b"\x80\x04K\x01.\x80\x04N.", Assessment::Clean);
    is(b"\x80\x04]\x94(K\x01K\x02", Assessment::Unfinished);
    // Noise claims sizes that nothing has.
    is(b"\x80\x04K\x01.\0\x80\x02\x8e\xff\xff\xff\xff\xff\xff\xff\x7f", Assessment::Review);
}

#[test]
fn files_within_bytes() {
    let inner = pickle(&[&call("os", "system", &["echo a rather long text"]), b"."]);
    let bytes = [b"B".as_slice(), &u32::try_from(inner.len()).unwrap().to_le_bytes(), &inner].concat();
    let report = report(&pickle(&[&bytes, b"."]));
    assert_eq!(report.assessment(), Assessment::Malicious);
    assert_eq!(report.findings[0].members, ["bytes at 7"]);
    is(&pickle(&[&global("torch.storage", "_load_from_bytes"), &bytes, b"\x85R."]), Assessment::Malicious);
    is(&pickle(&[&global("torch.storage", "_load_from_bytes"), b"C\x04abcd\x85R."]), Assessment::Clean);
}

#[test]
fn bombs() {
    let laughs = |open: &[u8]| {
        let mut bytes = b"\x80\x04".to_vec();
        bytes.extend(open);
        (0..40).for_each(|_| bytes.extend(b"2\x86"));
        bytes.push(b'.');
        bytes
    };
    malicious(&laughs(b"K\x01"), "pickle.bomb", "");
    let mut lists = b"\x80\x04]".to_vec();
    for i in 0..30 {
        lists.extend([0x94, b'0', b']', b'(', b'h', i, b'h', i, b'h', i, b'e']);
    }
    lists.push(b'.');
    malicious(&lists, "pickle.bomb", "");
    malicious(b"\x80\x04Nr\xff\xff\xff\x7f.", "pickle.bomb", "");
    malicious(b"\x80\x04\x8e\0\0\0\0\0\0\0\x10abc.", "pickle.bomb", "");
    malicious(&[b"I".as_slice(), &vec![b'9'; 200_000], b"\n."].concat(), "pickle.bomb", "");
    malicious(&[b"\x80\x04N".as_slice(), &vec![b'('; 200_000]].concat(), "pickle.bomb", "");
    malicious(
        &pickle(&[&global("builtins", "bytearray"), b"\x8a\x05\0\0\0\0\x04\x85R."]),
        "pickle.bomb",
        "bytearray(17179869184)",
    );
    is(&pickle(&[&global("builtins", "bytearray"), b"K\x10\x85R."]), Assessment::Clean);
}

#[test]
fn frames_on_which_unpicklers_disagree() {
    let framed = |size: u8, body: &[u8]| [&[0x80, 4, 0x95, size, 0, 0, 0, 0, 0, 0, 0], body].concat();
    is(&framed(3, b"K\x01."), Assessment::Clean);
    is(&framed(1, b"K\x01."), Assessment::Malicious);
    is(&framed(9, b"K\x01."), Assessment::Malicious);
    is(&framed(12, &framed(3, b"K\x01.")), Assessment::Malicious);
}

#[test]
fn what_depends_on_the_loader() {
    is(b"\x80\x02\x82\x07N\x85R.", Assessment::Malicious);
    is(b"\x80\x02X\x03\0\0\0oneQ.", Assessment::Review);
    let storage = |class: &str| {
        let id =
            [text("storage"), global("torch", class), text("0"), text("cpu"), b"K\x04tQ.".to_vec()].concat();
        pickle(&[b"(", &id])
    };
    is(&storage("FloatStorage"), Assessment::Clean);
    is(&storage("load"), Assessment::Malicious);
    let module =
        [text("module"), global("torch.nn.modules.linear", "Linear"), text("x.py"), text("source")].concat();
    is(&pickle(&[b"(", &module, b"tQ)\x81}b."]), Assessment::Clean);
    let other = [text("other"), global("torch.nn.modules.linear", "Linear")].concat();
    is(&pickle(&[b"(", &other, b"tQ)\x81}b."]), Assessment::Malicious);
}

#[test]
fn legacy_torch_files_end_with_their_storages() {
    let magic = b"\x80\x02\x8a\x0al\xfc\x9cF\xf9 j\xa8P\x19.".as_slice();
    let id = b"(X\x07\0\0\0storagectorch\nFloatStorage\nX\x01\0\0\x000X\x03\0\0\0cpuK\x02tQ.".as_slice();
    let keys = b"\x80\x02]X\x01\0\0\x000a.".as_slice();
    let head = [magic, b"\x80\x02M\xe9\x03.", b"\x80\x02}.", b"\x80\x02", id, keys].concat();
    let storage = b"\x02\0\0\0\0\0\0\0\x80\x02cos\nab".as_slice();
    let whole = [head.clone(), storage.to_vec()].concat();
    assert_eq!(report(&whole).format, Format::TorchLegacy);
    is(&whole, Assessment::Clean);
    let zeros = [head.as_slice(), b"\x02\0\0\0\0\0\0\0", &[0; 8]].concat();
    is(&zeros, Assessment::Clean);
    is(&[zeros.as_slice(), b"more"].concat(), Assessment::Review);
    is(&whole[..whole.len() - 1], Assessment::Unfinished);
    // A magic number that a call makes.
    let made = [call("os", "system", &["x"]), b".".to_vec()].concat();
    is(&[pickle(&[&made]), head].concat(), Assessment::Malicious);
}

/// A joblib array: its wrapper, without an alignment, of two elements; then what follows.
fn joblib_array(code: &str, data: &[u8]) -> Vec<u8> {
    let dtype = [global("numpy", "dtype"), text(code), b"\x89\x88\x87R".to_vec()].concat();
    let state = [
        text("subclass"),
        global("numpy", "ndarray"),
        text("shape"),
        b"K\x02\x85".to_vec(),
        text("order"),
        text("C"),
        text("dtype"),
        dtype,
        text("allow_mmap"),
        b"\x88".to_vec(),
    ];
    let wrapper = global("joblib.numpy_pickle", "NumpyArrayWrapper");
    pickle(&[&wrapper, b")\x81}(", &state.concat(), b"ub", data, b"."])
}

#[test]
fn joblib_reads_arrays_between_opcodes() {
    let floats = joblib_array("f8", &[0xfe; 16]);
    assert_eq!(report(&floats).format, Format::Joblib);
    is(&floats, Assessment::Clean);
    is(&joblib_array("f8", &[0xfe; 15]), Assessment::Unfinished);
    is(&joblib_array("f8", &[0xfe; 17]), Assessment::Unfinished);
    is(&joblib_array("O", &pickle(&[b"]N\x86."])), Assessment::Clean);
    is(&joblib_array("O", &pickle(&[&call("os", "system", &["x"]), b"."])), Assessment::Malicious);
    // What is data to joblib runs in `pickle.load`, and what comes behind the data in joblib.
    let hidden = [call("os", "system", &["x"]), b".".to_vec()].concat();
    let hidden = [hidden.clone(), vec![b'.'; 32 - hidden.len()]].concat();
    is(&joblib_array("c16", &hidden), Assessment::Malicious);
    is(
        &joblib_array("f8", &[&[0xfe; 16], call("os", "system", &["x"]).as_slice()].concat()),
        Assessment::Malicious,
    );
}

/// `partial(getattr(Class, '__new__'))` with a state, called: `__newobj_ex__` before protocol 4.
fn new_with_keywords(class: &[u8], function: &[u8]) -> Vec<u8> {
    let start = [b"\x80\x02cfunctools\npartial\nc__builtin__\ngetattr\n".as_slice(), class].concat();
    let made = b"q\x02X\x07\0\0\0__new__\x86Rq\x05\x85R".as_slice();
    [&start, made, b"(", function, b"h\x02K\x01\x86}Ntb)R."].concat()
}

#[test]
fn partials_stand_for_new_only_with_the_class_they_were_made_of() {
    let class = b"cscipy.stats._stats_py\nLinregressResult\n".as_slice();
    is(&new_with_keywords(class, b"h\x05"), Assessment::Clean);
    is(&new_with_keywords(class, b"cos\nsystem\n"), Assessment::Malicious);
    is(&new_with_keywords(class, b"N"), Assessment::Malicious);
    is(&new_with_keywords(b"csubprocess\nPopen\n", b"h\x05"), Assessment::Malicious);
    is(&new_with_keywords(b"cmy.models\nNet\n", b"h\x05"), Assessment::Review);
}

#[test]
fn classes_of_persistent_ids_are_judged_like_imports() {
    let module = |class: &str| {
        let id = [b"(".to_vec(), text("module"), global_line(class), text("net.py"), text("source")].concat();
        pickle(&[&id, b"tQ)\x81}b."])
    };
    is(&module("torch.nn.modules.linear Linear"), Assessment::Clean);
    is(&module("my.models Net"), Assessment::Review);
    is(&module("os system"), Assessment::Malicious);
    let storage = |class: &str| {
        let id = [b"(".to_vec(), text("storage"), global_line(class), text("0"), text("cpu")].concat();
        pickle(&[&id, b"K\x01tQ."])
    };
    is(&storage("torch FloatStorage"), Assessment::Clean);
    is(&storage("collections OrderedDict"), Assessment::Review);
    is(&storage("os system"), Assessment::Malicious);
}

/// GLOBAL of `module name`.
fn global_line(of: &str) -> Vec<u8> {
    format!("c{}\n", of.replace(' ', "\n")).into_bytes()
}

#[test]
fn constructors_that_open_what_they_are_named_are_not_called() {
    for (module, name) in [
        ("joblib.memory", "Memory"),
        ("xgboost.core", "DMatrix"),
        ("gensim.corpora.indexedcorpus", "IndexedCorpus"),
        ("sentence_transformers.SentenceTransformer", "SentenceTransformer"),
    ] {
        let class = global(module, name);
        is(&pickle(&[&class, b")\x81}b."]), Assessment::Clean);
        is(&pickle(&[&call(module, name, &["/tmp/x"]), b"."]), Assessment::Malicious);
    }
    is(&pickle(&[&call("fsspec.implementations.local", "LocalFileSystem", &[]), b"."]), Assessment::Clean);
    is(
        &pickle(&[&call("fsspec.implementations.sftp", "SFTPFileSystem", &["host"]), b"."]),
        Assessment::Malicious,
    );
    let made = |class: Vec<u8>| pickle(&[&global("fsspec.spec", "make_instance"), &class, b")}\x87R."]);
    is(&made(global("fsspec.implementations.local", "LocalFileSystem")), Assessment::Clean);
    is(&made(global("subprocess", "Popen")), Assessment::Malicious);
}

#[test]
fn classes_that_a_package_has_from_elsewhere_are_not_its_own() {
    is(&pickle(&[&call("sklearn.linear_model", "Ridge", &[]), b"."]), Assessment::Clean);
    for name in ["Popen", "ZipFile", "ThreadPool", "FileHandler", "CDLL"] {
        is(&pickle(&[&call("sklearn.utils.anything", name, &["x"]), b"."]), Assessment::Malicious);
    }
}

#[test]
fn models_in_buffers_are_scanned_whatever_they_begin_with() {
    let load = global("keras.src.models.sequential", "Sequential._unpickle_model");
    let buffer = |bytes: &[u8]| {
        let size = u8::try_from(bytes.len()).expect("a short buffer");
        [global("_io", "BytesIO"), b")R(C".to_vec(), vec![size], bytes.to_vec(), b"K\0Ntb".to_vec()].concat()
    };
    is(&pickle(&[&load, &buffer(b"no archive"), b"\x85R."]), Assessment::Clean);
    let inner = b"cos\nsystem\n(S'echo'\ntR.";
    is(&pickle(&[&load, &buffer(inner), b"\x85R."]), Assessment::Malicious);
    let empty = [global("_io", "BytesIO"), b")R".to_vec()].concat();
    is(&pickle(&[&load, &empty, b"\x85R."]), Assessment::Review);
    is(&pickle(&[&load, &text("/tmp/model.keras"), b"\x85R."]), Assessment::Review);
}

#[test]
fn iterators_take_data_and_one_another() {
    let list = [global("builtins", "iter"), b"]\x85R".to_vec()].concat();
    is(&pickle(&[&global("builtins", "zip"), &list, &list, b"\x86R."]), Assessment::Clean);
    is(&pickle(&[&global("builtins", "enumerate"), &list, b"K\0\x86R."]), Assessment::Clean);
    let net = [global("my.models", "Net"), b")R".to_vec()].concat();
    is(&pickle(&[&global("builtins", "zip"), &list, &net, b"\x86R."]), Assessment::Review);
    is(&pickle(&[&global("builtins", "print"), b"."]), Assessment::Clean);
    is(&pickle(&[&call("builtins", "print", &["x"]), b"."]), Assessment::Malicious);
}

#[test]
fn a_stream_behind_lines_of_text_is_found_where_it_does_harm() {
    let header = b"# model\n# version 2\n".as_slice();
    let harm = b"cos\nsystem\n(S'echo'\ntR.".as_slice();
    is(&[header, harm].concat(), Assessment::Malicious);
    is(&[header, &pickle(&[&call("os", "system", &["echo"]), b"."])].concat(), Assessment::Malicious);
    // A tutorial goes on, and a harmless stream is no reason to doubt the text.
    is(&[header, harm, b"\nis what an attack looks like\n"].concat(), Assessment::Clean);
    assert_ne!(report(&[header, b"cos\nsystem\nN."].concat()).format, Format::Pickle);
}

#[test]
fn archives_are_no_persistent_ids() {
    let zip = b"PK\x03\x04\0\0\x08\x08\0\0data.pklFB\x80\x02cmy\nNet\n)R.";
    assert_ne!(report(zip).format, Format::Pickle);
    assert_ne!(report(b"Prompt\n.").format, Format::Pickle);
    assert_eq!(report(b"P12\ncos\nsystem\n(S'echo'\ntR.").format, Format::Pickle);
}

#[test]
fn versions_tensors_and_arrays_are_noted_once() {
    let state =
        [b"}(".to_vec(), text("_sklearn_version"), text("1.5.2"), text("version"), text("7")].concat();
    let facts = report(&pickle(&[&global("sklearn.linear_model", "Ridge"), b")\x81", &state, b"ub."])).facts;
    assert_eq!(
        facts.libraries.iter().map(|l| (&*l.name, &*l.version)).collect::<Vec<_>>(),
        [("scikit-learn", "1.5.2")]
    );
    let storage = [text("storage"), global("torch", "FloatStorage"), text("0"), text("cpu")].concat();
    let tensor = [
        global("torch._utils", "_rebuild_tensor_v2"),
        b"((".to_vec(),
        storage,
        b"K\x06tQK\0K\x02K\x03\x86K\x03K\x01\x86\x89}tR\x94".to_vec(),
    ]
    .concat();
    let facts = report(&pickle(&[b"](", &tensor, b"h\0e."])).facts;
    let tensors: Vec<_> = facts.tensors.iter().map(|(t, n)| (t.as_str(), n.count, n.elements)).collect();
    assert_eq!(tensors, [("float32", 1, 6)]);
    let dtype = [call("numpy", "dtype", &["f8"]), b"\x94".to_vec()].concat();
    let array = [
        global("numpy.core.multiarray", "_reconstruct"),
        global("numpy", "ndarray"),
        b"K\0\x85C\x01b\x87R(K\x01K\x02\x85".to_vec(),
        dtype,
        b"\x89C\x10AAAAAAAAAAAAAAAAtb".to_vec(),
    ]
    .concat();
    let facts = report(&pickle(&[&array, b"."])).facts;
    let tensors: Vec<_> = facts.tensors.iter().map(|(t, n)| (t.as_str(), n.count, n.elements)).collect();
    assert_eq!(tensors, [("f8", 1, 2)]);
}

#[test]
fn texts_and_other_files_are_no_pickles() {
    for bytes in [
        b"import os\nos.system('x')\n".as_slice(),
        b"{\"a\": [1, 2, 3]}\n",
        b"I am a sentence. It has words.\n",
        b"N. B. this is prose.\n",
        b"(see below). Then more.\n",
        b"id,name\n1,two\n",
        b"cos\nsin\ntan\n",
        b"class X:\n    pass\n",
        b"GIF89a\x10\0\x10\0\xf7\0\0",
        b"\x89PNG\r\n\x1a\n",
        b"PK\x03\x04\x14\0",
        b"",
        b".",
        b"\x80",
        b"\x80\x01\x06\x00\x00",
    ] {
        assert_ne!(report(bytes).format, Format::Pickle, "{}", bytes.escape_ascii());
    }
    for bytes in [b"I1\n.".as_slice(), b"N.", b"(lp0\nI1\na.", b"]q\0.", b"\x80\x02N."] {
        assert_eq!(report(bytes).format, Format::Pickle, "{}", bytes.escape_ascii());
    }
}

proptest! {
    #[test]
    fn no_bytes_panic(bytes in proptest::collection::vec(any::<u8>(), 0..400)) {
        report(&bytes);
        report(&pickle(&[&bytes]));
    }

    #[test]
    fn no_opcodes_panic(picks in proptest::collection::vec(0..40_usize, 0..200)) {
        const PARTS: [&[u8]; 40] = [
            b"(", b"0", b"1", b"2", b"N", b"K\x01", b"I5\n", b"S'os'\n", b"Vsystem\n", b"cos\nsystem\n",
            b"\x93", b"\x94", b"q\x01", b"h\x01", b"g0\n", b"p3\n", b"]", b"}", b"\x8f", b")", b"\x85", b"\x86",
            b"t", b"l", b"d", b"a", b"s", b"e", b"u", b"\x90", b"R", b"\x81", b"\x92", b"o", b"b", b"Q",
            b"ios\nsystem\n", b"cbuiltins\ngetattr\n", b"cnumpy\ndtype\n", b"ccopyreg\n__newobj__\n",
        ];
        let bytes: Vec<u8> = picks.iter().flat_map(|pick| PARTS[*pick].to_vec()).collect();
        report(&pickle(&[&bytes, b"."]));
    }

    #[test]
    fn no_changed_byte_panics(at in 0..1000_usize, byte in any::<u8>(), cut in 0..1000_usize) {
        let inner = pickle(&[&call("os", "system", &["a text that is long enough"]), b"."]);
        let mut bytes = joblib_array("O", &inner);
        bytes.extend(joblib_array("U2", b"0123456789abcdef"));
        let at = at % bytes.len();
        bytes[at] = byte;
        report(&bytes);
        report(&bytes[..cut % bytes.len()]);
    }

    #[test]
    fn prose_is_no_pickle(words in "([A-Za-z,]{1,9} ){3,40}[a-z]{3,6}\\.\n") {
        prop_assert_ne!(report(words.as_bytes()).format, Format::Pickle);
    }
}

#[test]
fn classes_known_by_their_spelling_are_made_without_arguments() {
    let class = global("sklearn.linear_model._new", "Regressor");
    is(&pickle(&[&class, b")\x81}b."]), Assessment::Clean);
    is(&pickle(&[&class, b")R."]), Assessment::Clean);
    is(&pickle(&[&class, b"G\0\0\0\0\0\0\0\0\x85R."]), Assessment::Clean);
    is(&pickle(&[&call("sklearn.linear_model._new", "Regressor", &["/tmp/x"]), b"."]), Assessment::Review);
    is(b"(S'/tmp/x'\nisklearn.linear_model._new\nRegressor\n.", Assessment::Review);
    is(b"(csklearn.linear_model._new\nRegressor\nS'/tmp/x'\no.", Assessment::Review);
}

#[test]
fn bases_are_made_with_their_constructors() {
    let made = |base: (&str, &str)| {
        let class = global("sentence_transformers.SentenceTransformer", "SentenceTransformer");
        let args = [class, global(base.0, base.1), text("somewhere/else")].concat();
        pickle(&[&global("copyreg", "_reconstructor"), &args, b"\x87R."])
    };
    is(&made(("builtins", "object")), Assessment::Clean);
    is(&made(("sentence_transformers.SentenceTransformer", "SentenceTransformer")), Assessment::Malicious);
    is(&made(("my.models", "Net")), Assessment::Review);
    let partial = |args: &[u8]| {
        let class = global("sentence_transformers.SentenceTransformer", "SentenceTransformer");
        pickle(&[&global("functools", "partial"), b"(", &class, args, b"tR."])
    };
    is(&partial(b""), Assessment::Clean);
    is(&partial(&text("somewhere/else")), Assessment::Malicious);
}

#[test]
fn texts_that_stand_for_bytes_are_opened() {
    let load = |bytes: &[u8]| pickle(&[&global("torch.storage", "_load_from_bytes"), bytes, b"\x85R."]);
    // In UTF-8, the byte 0x80 takes two.
    let harm = "\u{80}\u{2}cos\nsystem\nS'echo hello'\n\u{85}R.";
    let honest = "\u{80}\u{2}}q\u{0}.";
    is(&load(&call("_codecs", "encode", &[harm, "latin1"])), Assessment::Malicious);
    is(&load(&call("_codecs", "encode", &[honest, "latin1"])), Assessment::Clean);
    is(&load(&[global("builtins", "bytes"), b"]K\x80a\x85R".to_vec()].concat()), Assessment::Malicious);
    is(&pickle(&[&call("_codecs", "encode", &[harm, "latin1"]), b"."]), Assessment::Malicious);
    is(&pickle(&[&call("builtins", "bytearray", &[harm, "latin-1"]), b"."]), Assessment::Malicious);
    is(
        &pickle(&[&call("_codecs", "encode", &["\u{80}\u{2} numbers \u{ff}", "latin1"]), b"."]),
        Assessment::Clean,
    );
    is(&pickle(&[b"C\x18cos\nsystem\n(S'echo x'\ntR.."]), Assessment::Malicious);
}

#[test]
fn bytes_that_an_unknown_class_may_unpickle_are_read() {
    let class = global("my.envs", "Wrapper");
    let harm = b"N0cos\nsystem\n(S'x'\ntR.";
    let bytes = [b"C".as_slice(), &[u8::try_from(harm.len()).expect("few bytes")], harm].concat();
    is(&pickle(&[&class, b")\x81", &bytes, b"b."]), Assessment::Malicious);
    is(&pickle(&[&class, b")\x81}", &text("fn"), &bytes, b"sb."]), Assessment::Malicious);
    is(&pickle(&[&class, &bytes, b"\x85R."]), Assessment::Malicious);
    is(&pickle(&[&class, b")\x81C\x04abcdb."]), Assessment::Review);
    let known = global("gymnasium.vector.utils.misc", "CloudpickleWrapper");
    is(&pickle(&[&known, b")\x81C\x04abcdb."]), Assessment::Malicious);
}

#[test]
fn states_that_their_class_evaluates_are_read() {
    let object = |class: (&str, &str), key: &[u8], value: &str| {
        let state = [b"(".to_vec(), key.to_vec(), text(value)].concat();
        pickle(&[&global(class.0, class.1), b")\x81", &state, b"db."])
    };
    let distribution = ("scipy.stats._continuous_distns", "norm_gen");
    let key = text("_parse_arg_template");
    is(&object(distribution, &key, "def _parse_args(self, loc=0):\n    return (), loc\n"), Assessment::Clean);
    is(&object(distribution, &key, "print('x')"), Assessment::Malicious);
    is(&object(distribution, b"V_parse_arg_template\n", "print('x')"), Assessment::Malicious);
    let data = ("statsmodels.base.data", "PandasData");
    is(&object(data, &text("formula"), "y ~ np.log(x) + C(group)"), Assessment::Clean);
    is(&object(data, &text("formula"), "y ~ __import__('os').system('x')"), Assessment::Malicious);
    let ordered =
        [global("collections", "OrderedDict"), b")R".to_vec(), key, text("print('x')"), b"s".to_vec()];
    let ordered = ordered.concat();
    is(&pickle(&[&global(distribution.0, distribution.1), b")\x81", &ordered, b"b."]), Assessment::Malicious);
}

#[test]
fn constructors_that_reach_out_are_told_from_the_rest() {
    for (module, name) in [
        ("torchvision.datasets", "ImageFolder"),
        ("PIL.ImageFont", "FreeTypeFont"),
        ("sklearn.datasets._openml", "Request"),
        ("typing", "ForwardRef"),
    ] {
        is(&pickle(&[&call(module, name, &["x"]), b"."]), Assessment::Malicious);
        assert_ne!(worst(&pickle(&[&global(module, name), b")\x81."])).0, Assessment::Malicious);
    }
    is(&pickle(&[&call("argparse", "ArgumentParser", &["x"]), b"."]), Assessment::Review);
}

#[test]
fn getters_are_judged_by_what_they_get() {
    for (name, given, expected) in [
        ("attrgetter", "layer.weight", Assessment::Clean),
        ("attrgetter", "_private", Assessment::Review),
        ("attrgetter", "a.__globals__", Assessment::Malicious),
        ("attrgetter", "os.system", Assessment::Malicious),
        ("methodcaller", "to_numpy", Assessment::Review),
        ("methodcaller", "to_pickle", Assessment::Malicious),
    ] {
        is(&pickle(&[&call("operator", name, &[given]), b"."]), expected);
    }
    // `methodcaller('astype', dtype='f8')`, as CPython writes it.
    let keywords = |name: &str| {
        let state =
            [b"(".to_vec(), text(name), b"\x85}".to_vec(), text("dtype"), text("f8"), b"sNt".to_vec()];
        let state = [b"(h\0".to_vec(), state.concat().split_off(1)].concat();
        pickle(&[
            &global("functools", "partial"),
            &global("operator", "methodcaller"),
            b"\x94\x85R",
            &state,
            b"b)R.",
        ])
    };
    is(&keywords("astype"), Assessment::Review);
    is(&keywords("system"), Assessment::Malicious);
}

#[test]
fn names_lead_through_no_module() {
    for (module, name) in [
        ("my.models", "os.system"),
        ("my.models", "layers.subprocess.Popen"),
        ("my.models", "torch.hub.load"),
        ("my.models", "np.load"),
        ("torch._utils", "sys"),
        ("os\r", "system\r"),
        ("java.lang", "Runtime.getRuntime"),
        ("__pypy__", "internal_repr"),
    ] {
        is(&pickle(&[&global(module, name), b"."]), Assessment::Malicious);
    }
    is(&pickle(&[&global("my.models", "Net.test"), b"."]), Assessment::Review);
}

#[test]
fn numbers_end_where_the_c_unpickler_ends_them() {
    let harm = b"cos\nsystem\n(S'x'\ntR.".as_slice();
    for before in
        ["I1\0x\n0", "L1\0x\n0", "F1.5\0x\n0", "Np-0\n0", "Np1\0x\n0g1\0y\n0", "I1_0\n0", "Np1_0\n0g10\n0"]
    {
        is(&[before.as_bytes(), harm].concat(), Assessment::Malicious);
    }
    is(&[b"\x80\x06\x95\0\0\0\0\0\0\0\0", harm].concat(), Assessment::Malicious);
    is(b"Pcos.system\n(S'x'\ntR.", Assessment::Malicious);
    is(b"cos\r\nsystem\r\n(S'x'\r\ntR.", Assessment::Malicious);
}

#[test]
fn iterators_without_an_end_are_not_read_to_it() {
    let all = |of: &[u8], into: &str| pickle(&[&global("builtins", into), of, b"\x85R."]);
    let count = [global("itertools", "count"), b")R".to_vec()].concat();
    let repeat = |times: &[u8]| [global("itertools", "repeat").as_slice(), b"N", times, b"R"].concat();
    is(&all(&count, "list"), Assessment::Malicious);
    is(&all(&repeat(b"\x85"), "set"), Assessment::Malicious);
    is(&all(&repeat(b"K\x05\x86"), "tuple"), Assessment::Clean);
    is(
        &all(&[global("builtins", "range"), b"J\xff\xff\xff\x7f\x85R".to_vec()].concat(), "list"),
        Assessment::Malicious,
    );
    is(&pickle(&[&count, b"."]), Assessment::Clean);
    is(&pickle(&[&call("fractions", "Fraction", &["1e999999999"]), b"."]), Assessment::Malicious);
    is(&pickle(&[&call("fractions", "Fraction", &["3/4"]), b"."]), Assessment::Clean);
}

#[test]
fn types_with_parameters_are_data() {
    let item = |of: &[u8], key: &[u8]| pickle(&[&global("_operator", "getitem"), of, key, b"\x86R."]);
    let int = global("builtins", "int");
    is(&item(&global("typing", "List"), &int), Assessment::Clean);
    is(&item(&global("typing", "Literal"), &text("a")), Assessment::Clean);
    is(&item(&global("my.models", "Batch"), &int), Assessment::Review);
    is(&item(b"}", &text("a")), Assessment::Malicious);
    is(&item(&global("os", "environ"), &text("a")), Assessment::Malicious);
    let reduced = |with: &[u8]| pickle(&[&global("functools", "reduce"), with, &int, b"N\x86\x86R."]);
    is(&reduced(&global("_operator", "or_")), Assessment::Clean);
    is(&reduced(&global("builtins", "getattr")), Assessment::Malicious);
    is(&pickle(&[&global("inspect", "_empty"), b"."]), Assessment::Clean);
}

#[test]
fn loggers_are_found_by_their_names() {
    is(&pickle(&[&call("logging", "getLogger", &["my.models"]), b"."]), Assessment::Clean);
    is(&pickle(&[&call("logging", "FileHandler", &["my.log"]), b"."]), Assessment::Malicious);
}

/// Objects whose methods the unpickler calls, with something else in their place.
#[test]
fn what_opcodes_call_on_an_object_is_nothing_that_the_stream_put_there() {
    let text = |text: &str| {
        let mut bytes = vec![0x8c, u8::try_from(text.len()).unwrap()];
        bytes.extend(text.as_bytes());
        bytes
    };
    let global = |module: &str, name: &str| format!("c{module}\n{name}\n").into_bytes();
    let namespace = [global("types", "SimpleNamespace"), b")R".to_vec()].concat();
    let load = global("torch.storage", "_load_from_bytes");
    let item = [global("_codecs", "encode"), text("a"), text("latin1"), b"\x86R".to_vec()].concat();
    let caller =
        [global("operator", "methodcaller"), text("write_bytes"), text("b"), b"\x86R".to_vec()].concat();
    let ordered = [global("collections", "OrderedDict"), b")R".to_vec()].concat();
    let made = [global("builtins", "str"), text("__setstate__"), b"\x85R".to_vec()].concat();
    let hostile: [&[&[u8]]; 7] = [
        &[&namespace, b"}", &text("add"), &caller, b"sb(", &item, b"\x90."],
        &[&namespace, b"}", &text("append"), &load, b"sb", &item, b"a."],
        &[&namespace, b"}", &text("append"), &caller, b"sb", &item, b"a."],
        &[&namespace, &ordered, &text("__setstate__"), &caller, b"sbN."],
        &[&namespace, b"}", &made, &item, b"sb."],
        &[&global("numpy.random._pickle", "__generator_ctor"), &item, &load, b"\x86R."],
        &[
            &global("ultralytics.nn.tasks", "DetectionModel"),
            b"}",
            &text("activation"),
            &text("echo"),
            b"s\x85R.",
        ],
    ];
    for parts in hostile {
        let bytes = [b"\x80\x04".as_slice(), &parts.concat()].concat();
        let report = scan(&bytes, "model.pkl", &Limits::default());
        assert_eq!(report.assessment(), Assessment::Malicious, "{:?}", String::from_utf8_lossy(&bytes));
    }
}
