//! What reaches out without a dangerous name in sight: states that are evaluated, arguments, sizes, and pickles that other files
//! carry.

#![expect(clippy::unwrap_used, reason = "a test stops at what it did not expect")]

use bastide_artifact::{Limits, Report, scan};
use bastide_types::Assessment;

/// A stream of protocol 4 with `parts` before STOP.
fn pickle(parts: &[&[u8]]) -> Vec<u8> {
    [b"\x80\x04".as_slice(), &parts.concat(), b"."].concat()
}

fn text(text: &str) -> Vec<u8> {
    let size = u32::try_from(text.len()).unwrap();
    [b"X".as_slice(), &size.to_le_bytes(), text.as_bytes()].concat()
}

fn global(module: &str, name: &str) -> Vec<u8> {
    [text(module), text(name), b"\x93".to_vec()].concat()
}

fn tuple(parts: &[Vec<u8>]) -> Vec<u8> {
    [b"(".to_vec(), parts.concat(), b"t".to_vec()].concat()
}

fn dict(parts: &[Vec<u8>]) -> Vec<u8> {
    [b"}(".to_vec(), parts.concat(), b"u".to_vec()].concat()
}

fn call(module: &str, name: &str, args: &[Vec<u8>]) -> Vec<u8> {
    [global(module, name), tuple(args), b"R".to_vec()].concat()
}

fn made(module: &str, name: &str, args: &[Vec<u8>]) -> Vec<u8> {
    [global(module, name), tuple(args), b"\x81".to_vec()].concat()
}

fn int(number: i64) -> Vec<u8> {
    [b"\x8a\x08".as_slice(), &number.to_le_bytes()].concat()
}

fn judge(bytes: &[u8]) -> Report {
    scan(&bytes.to_vec(), "model.pkl", &Limits::default())
}

fn verdict(stream: &[u8]) -> Assessment {
    judge(&pickle(&[stream])).assessment()
}

#[test]
fn states_that_are_evaluated_may_be_pairs() {
    let norm = made("scipy.stats._continuous_distns", "norm_gen", &[]);
    let pair = [text("_parse_arg_template"), text("print('x')")];
    let pairs = [b"](".to_vec(), tuple(&pair), b"e".to_vec()].concat();
    let states = [
        dict(&pair),
        pairs.clone(),
        call("collections", "OrderedDict", &[pairs]),
        [b"]]".to_vec(), pair.join(b"a".as_slice()), b"aa".to_vec()].concat(),
    ];
    for state in states {
        let stream = [norm.clone(), state, b"b".to_vec()].concat();
        assert_eq!(verdict(&stream), Assessment::Malicious);
    }
}

#[test]
fn formulas_of_statsmodels_call_what_statisticians_do() {
    let data = made("statsmodels.base.data", "PandasData", &[]);
    let stream =
        |formula: &str| [data.clone(), dict(&[text("formula"), text(formula)]), b"b".to_vec()].concat();
    assert_eq!(verdict(&stream("np.log(y) ~ x + C(g) - 1")), Assessment::Clean);
    for formula in ["y ~ helper(x)", "y ~ a.b.c('x')", "y ~ [f for f in x]"] {
        assert_eq!(verdict(&stream(formula)), Assessment::Malicious, "{formula}");
    }
    // Elsewhere a formula is anything.
    assert_eq!(verdict(&dict(&[text("formula"), text("=SUM(A1:A3)")])), Assessment::Clean);
}

#[test]
fn factors_of_formulaic_are_judged_by_their_text() {
    let factor = made("formulaic.parser.types.factor", "Factor", &[]);
    let stream = |text_: &str| [factor.clone(), dict(&[text("expr"), text(text_)]), b"b".to_vec()].concat();
    assert_eq!(verdict(&stream("np.log(x)")), Assessment::Review);
    for hostile in ["__import__('os').getcwd()", "helper(x)", "x.__class__"] {
        assert_eq!(verdict(&stream(hostile)), Assessment::Malicious, "{hostile}");
    }
    let evaluates = call("formulaic.utils.stateful_transforms", "stateful_eval", &[text("x")]);
    assert_eq!(verdict(&evaluates), Assessment::Malicious);
    assert_eq!(verdict(&dict(&[text("expr"), text("helper(x)")])), Assessment::Clean);
}

#[test]
fn sizes_have_bytes_for_them() {
    let huge = int(1_000_000_000_000);
    let million = int(1_000_000);
    let array = global("numpy", "ndarray");
    for stream in [
        call("numpy", "ndarray", &[tuple(std::slice::from_ref(&huge))]),
        made("numpy", "ndarray", &[tuple(&[million.clone(), million.clone()])]),
        call(
            "numpy.core.multiarray",
            "_reconstruct",
            &[array, tuple(std::slice::from_ref(&huge)), text("b")],
        ),
        call("torch", "FloatStorage", std::slice::from_ref(&huge)),
        call("torch.nn.modules.linear", "Linear", &[million.clone(), million]),
        call("scipy.sparse._csr", "csr_matrix", &[tuple(&[huge.clone(), huge])]),
        call("decimal", "Decimal", &[text("1e999999999")]),
        call("fractions", "Fraction", &[text("1E+3_000_000_000")]),
    ] {
        assert_eq!(verdict(&stream), Assessment::Malicious);
    }
    assert_eq!(verdict(&call("decimal", "Decimal", &[text("1.5E+20")])), Assessment::Clean);
}

#[test]
fn tensors_stay_within_their_storage() {
    let shaped = |offset, sizes: &[Vec<u8>], strides: &[Vec<u8>]| {
        let id = tuple(&[text("storage"), global("torch", "FloatStorage"), text("0"), text("cpu"), int(16)]);
        let storage = [id, b"Q".to_vec()].concat();
        let rest = [int(offset), tuple(sizes), tuple(strides), b"\x89".to_vec(), b"}".to_vec()];
        call("torch._utils", "_rebuild_tensor_v2", &[vec![storage], rest.to_vec()].concat())
    };
    let tensor = |offset, size, stride| shaped(offset, &[int(size)], &[int(stride)]);
    assert_eq!(verdict(&tensor(0, 16, 1)), Assessment::Clean);
    assert_eq!(verdict(&tensor(0, 1_000_000_000, 0)), Assessment::Clean);
    assert_eq!(verdict(&tensor(0, 17, 1)), Assessment::Malicious);
    assert_eq!(verdict(&tensor(12, 5, 1)), Assessment::Malicious);
    // Of many dimensions, or of numbers that calls make.
    let square = |dimensions| vec![int(2); dimensions];
    assert_eq!(verdict(&shaped(0, &square(4), &[int(8), int(4), int(2), int(1)])), Assessment::Clean);
    assert_eq!(verdict(&shaped(0, &square(17), &square(17))), Assessment::Malicious);
    let made = |number: &str| call("builtins", "int", &[text(number)]);
    assert_eq!(verdict(&shaped(0, &[made("16")], &[int(1)])), Assessment::Clean);
    assert_eq!(verdict(&shaped(0, &[made("1_000_000")], &[int(1)])), Assessment::Malicious);
}

#[test]
fn arguments_tell_what_unknown_callees_do() {
    for (name, argument) in [
        ("fetch", "https://example.com/x"),
        ("fetch", "/home/user/x"),
        ("Runner", "__import__('os').system('echo x')"),
        ("Reader", "/etc/passwd"),
        ("Reader", "../../../../etc/shadow"),
    ] {
        assert_eq!(
            verdict(&call("acme.tools", name, &[text(argument)])),
            Assessment::Malicious,
            "{argument}"
        );
    }
    for argument in ["resnet50", "/data/x", "https://example.com/"] {
        assert_eq!(
            verdict(&call("acme.tools", "Config", &[text(argument)])),
            Assessment::Review,
            "{argument}"
        );
    }
}

#[test]
fn expressions_are_given_names_and_numbers() {
    let x = made("sympy.core.symbol", "Symbol", &[text("x_1")]);
    let sum = |other: Vec<u8>| made("sympy.core.add", "Add", &[x.clone(), other]);
    assert_eq!(verdict(&sum(made("sympy.core.numbers", "Float", &[text("1.5e-3")]))), Assessment::Clean);
    let hidden = call("builtins", "str", &[b"C\x04f(1)".to_vec(), text("latin1")]);
    for other in [text("print('x')"), hidden] {
        assert_eq!(verdict(&sum(other)), Assessment::Malicious);
    }
}

#[test]
fn traced_modules_are_judged_by_their_source() {
    let traced = |imports: &str, code: &str| {
        let body = dict(&[text("_code"), text(code)]);
        verdict(&call("torch.fx.graph_module", "reduce_graph_module", &[body, text(imports)]))
    };
    let forward = "def forward(self, x):\n    return torch.relu(x)\n";
    assert_eq!(traced("import torch\n", forward), Assessment::Review);
    assert_eq!(traced("import os\n", forward), Assessment::Malicious);
    assert_eq!(traced("import torch\n", "print('x')"), Assessment::Malicious);
}

#[test]
fn records_of_modules_that_reach_out_are_data() {
    for stream in [
        call("http", "HTTPStatus", &[int(200)]),
        call("socket", "AddressFamily", &[int(2)]),
        made("urllib.parse", "ParseResult", &["https", "e.com", "/", "", "", ""].map(text)),
        call("subprocess", "CalledProcessError", &[int(1), text("ls")]),
        made("ast", "Name", &[]),
    ] {
        assert_eq!(verdict(&stream), Assessment::Clean);
    }
    assert_eq!(verdict(&call("ast", "parse", &[text("x")])), Assessment::Malicious);
}

#[test]
fn other_files_carry_pickles() {
    let hostile = "gAJjb3MKc3lzdGVtClgGAAAAZWNobyB4hVIu";
    let harmless = "gAJjY29sbGVjdGlvbnMKT3JkZXJlZERpY3QKKVIu";
    let verdict =
        |name: &str, text: &str| scan(&text.as_bytes().to_vec(), name, &Limits::default()).assessment();
    for (name, before, after) in [
        ("data", "{\"a\": {\":serialized:\": \"", "\"}}"),
        ("a.txt", "", "\n"),
        ("a.yaml", "a: 1\nb: ", "\n"),
    ] {
        assert_eq!(verdict(name, &format!("{before}{hostile}{after}")), Assessment::Malicious, "{name}");
        assert_eq!(verdict(name, &format!("{before}{harmless}{after}")), Assessment::Clean, "{name}");
    }
    let image =
        [b"\x89PNG\r\n\x1a\n\0\0\0\0".as_slice(), b"\x80\x02cos\nsystem\nX\x06\0\0\0echo x\x85R."].concat();
    assert_eq!(scan(&image, "a.png", &Limits::default()).assessment(), Assessment::Malicious);
}
