use bastide_types::Assessment;
use proptest::prelude::*;

use super::super::testing::{message, text, varint};
use crate::{Format, Limits, Report, scan};

fn scanned(bytes: &[u8]) -> Report {
    scan(&bytes, "saved_model.pb", &Limits::default())
}

fn node(number: u64, name: &str, operation: &str, rest: &[Vec<u8>]) -> Vec<u8> {
    message(number, &[text(1, name), text(2, operation), rest.concat()])
}

fn constant(name: &str, value: &str) -> Vec<u8> {
    let tensor = message(8, &[varint(1, 7), text(8, value)]);
    node(1, name, "Const", &[message(5, &[text(1, "value"), message(2, &[tensor])])])
}

fn attribute(key: &str, value: &str) -> Vec<u8> {
    message(5, &[text(1, key), message(2, &[text(2, value)])])
}

fn saved(graph: &[Vec<u8>]) -> Vec<u8> {
    [varint(1, 1), message(2, &[message(1, &[text(4, "serve"), text(5, "2.15.0")]), message(2, graph)])]
        .concat()
}

fn assessed(graph: &[Vec<u8>]) -> Assessment {
    let bytes = saved(graph);
    let report = scanned(&bytes);
    assert_eq!(report.format, Format::SavedModel, "{:?}", report.findings);
    assert_eq!(scanned(&graph.concat()).format, Format::GraphDef);
    assert_eq!(scanned(&graph.concat()).assessment(), report.assessment());
    let meta = [message(1, &[text(4, "serve")]), message(2, graph)].concat();
    assert_eq!(
        (scanned(&meta).format, scanned(&meta).assessment()),
        (Format::MetaGraph, report.assessment())
    );
    report.assessment()
}

#[test]
fn graphs_that_compute_and_save_are_clean() {
    let graph = [
        node(1, "x", "Placeholder", &[]),
        constant("save/Const", "model"),
        node(1, "save/SaveV2", "SaveV2", &[text(3, "save/Const")]),
        node(1, "save/RestoreV2", "RestoreV2", &[text(3, "save/Const")]),
        node(1, "save/m", "MergeV2Checkpoints", &[text(3, "save/Const")]),
        node(1, "p", "PrintV2", &[attribute("output_stream", "stderr")]),
        constant("asset", "/tmp/vocab.txt"),
        node(1, "t", "InitializeTableFromTextFileV2", &[text(3, "asset")]),
    ];
    assert_eq!(assessed(&graph), Assessment::Clean);
    let report = scanned(&saved(&graph));
    assert_eq!(report.facts.libraries[0].version, "2.15.0");
}

#[test]
fn graphs_that_reach_out_are_malicious() {
    for operation in
        ["ReadFile", "WriteFile", "MatchingFiles", "PyFunc", "EagerPyFunc", "RpcCall", "WholeFileReaderV2"]
    {
        assert_eq!(assessed(&[node(1, "n", operation, &[])]), Assessment::Malicious, "{operation}");
        let function = message(1, &[message(1, &[text(1, "f")]), node(3, "n", operation, &[])]);
        let graph = [node(1, "n", "StatefulPartitionedCall", &[]), message(2, &[function])];
        assert_eq!(assessed(&graph), Assessment::Malicious, "{operation} in a function");
    }
    for (operation, key, value) in [
        ("PrintV2", "output_stream", "file:///tmp/x"),
        ("ImmutableConst", "memory_region_name", "/etc/passwd"),
        ("DecodeProtoV2", "descriptor_source", "/tmp/x"),
    ] {
        assert_eq!(
            assessed(&[node(1, "n", operation, &[attribute(key, value)])]),
            Assessment::Malicious,
            "{operation}"
        );
    }
    let urls = message(5, &[text(1, "debug_urls"), message(2, &[message(1, &[text(2, "grpc://h:1")])])]);
    assert_eq!(assessed(&[node(1, "n", "DebugIdentityV2", &[urls])]), Assessment::Malicious);
}

#[test]
fn paths_that_the_graph_names_decide() {
    for (path, expected) in [
        ("data.txt", Assessment::Review),
        ("/etc/passwd", Assessment::Malicious),
        ("../../x", Assessment::Malicious),
        ("gs://bucket/x", Assessment::Malicious),
    ] {
        let graph = [node(1, "n", "TextLineDataset", &[text(3, "c:0")]), constant("c", path)];
        assert_eq!(assessed(&graph), expected, "{path}");
    }
    let graph = [constant("c", "/root/.ssh/keys"), node(1, "n", "SaveV2", &[text(3, "c")])];
    assert_eq!(assessed(&graph), Assessment::Malicious);
}

const TEXT: u64 = 7;

fn typed(key: &str) -> Vec<u8> {
    message(5, &[text(1, key), message(2, &[varint(6, TEXT)])])
}

fn list_of_texts(key: &str) -> Vec<u8> {
    message(5, &[text(1, key), message(2, &[message(1, &[message(6, &[vec![3, 7]])])])])
}

fn inputs(names: &[&str]) -> Vec<u8> {
    names.iter().flat_map(|name| text(3, name)).collect()
}

fn calls(key: &str, function: &str) -> Vec<u8> {
    message(5, &[text(1, key), message(2, &[message(10, &[text(1, function)])])])
}

#[test]
fn paths_are_followed_through_the_graph() {
    let secret = "/root/.ssh/keys";
    let write = |input: &str| node(1, "w", "SaveV2", &[inputs(&[input])]);
    let single = |operation: &str| {
        vec![constant("c", secret), node(1, "i", operation, &[inputs(&["c"]), typed("T")]), write("i:0")]
    };
    for operation in ["Identity", "PlaceholderWithDefault", "Switch", "Reshape", "StringStrip", "Fill"] {
        assert_eq!(assessed(&single(operation)), Assessment::Malicious, "{operation}");
    }
    assert_eq!(assessed(&single("Substr")), Assessment::Malicious);
    let joined = [
        constant("a", "/ro"),
        constant("b", "ot/.bashrc"),
        node(1, "j", "StringJoin", &[inputs(&["a", "b"])]),
        node(1, "s", "ShardedFilename", &[inputs(&["j"])]),
        write("s"),
    ];
    assert_eq!(assessed(&joined), Assessment::Malicious);
    let formatted = [
        constant("a", "root"),
        node(
            1,
            "f",
            "StringFormat",
            &[inputs(&["a"]), attribute("template", "/{}/.bashrc"), attribute("placeholder", "{}")],
        ),
        write("f"),
    ];
    assert_eq!(assessed(&formatted), Assessment::Malicious);
    let encoded =
        [constant("a", "L3Jvb3QvLmJhc2hyYw"), node(1, "f", "DecodeBase64", &[inputs(&["a"])]), write("f")];
    assert_eq!(assessed(&encoded), Assessment::Malicious);
    let variable = [
        constant("a", secret),
        node(1, "v", "VarHandleOp", &[typed("dtype")]),
        node(1, "s", "AssignVariableOp", &[inputs(&["v", "a"]), typed("dtype")]),
        node(1, "r", "ReadVariableOp", &[inputs(&["v"]), typed("dtype")]),
        write("r"),
    ];
    assert_eq!(assessed(&variable), Assessment::Malicious);
    let queue = [
        constant("a", "/etc/passwd"),
        node(1, "q", "FIFOQueueV2", &[]),
        node(1, "e", "QueueEnqueueManyV2", &[inputs(&["q", "a"]), list_of_texts("Tcomponents")]),
        node(1, "r", "TextLineReaderV2", &[]),
    ];
    assert_eq!(assessed(&queue), Assessment::Malicious);
    let computed = [
        constant("a", "cwd/ssap/cte/"),
        node(1, "r", "ReverseV2", &[inputs(&["a"]), typed("T")]),
        node(1, "d", "RestoreV2", &[inputs(&["r"])]),
    ];
    assert_eq!(assessed(&computed), Assessment::Review);
}

/// A function of two arguments that gives what it is given first.
fn function(name: &str, nodes: &[Vec<u8>], result: &str) -> Vec<u8> {
    let signature = message(1, &[text(1, name), message(2, &[text(1, "x")]), message(2, &[text(1, "y")])]);
    let ret = message(4, &[text(1, "out"), text(2, result)]);
    message(2, &[message(1, &[signature, nodes.concat(), ret])])
}

#[test]
fn paths_are_followed_through_functions() {
    let save = node(3, "w", "SaveV2", &[inputs(&["y"])]);
    for (operation, given) in [
        ("StatefulPartitionedCall", inputs(&["p", "c"])),
        ("If", inputs(&["p", "p", "c"])),
        ("While", inputs(&["p", "c"])),
        ("FlatMapDataset", inputs(&["d", "c"])),
        ("save_it", inputs(&["p", "c"])),
    ] {
        let call = node(1, "n", operation, &[given, calls("f", "save_it")]);
        let graph =
            [constant("c", "/root/.bashrc"), call, function("save_it", std::slice::from_ref(&save), "x")];
        assert_eq!(assessed(&graph), Assessment::Malicious, "{operation}");
    }
    // The other argument names the file.
    let call = node(1, "n", "PartitionedCall", &[inputs(&["c", "p"]), calls("f", "save_it")]);
    let graph = [constant("c", "/root/.bashrc"), call, function("save_it", &[save], "x")];
    assert_eq!(assessed(&graph), Assessment::Clean);
    let name = node(3, "k", "Identity", &[inputs(&["x"]), typed("T")]);
    let result = [
        constant("c", "/root/.bashrc"),
        node(1, "n", "PartitionedCall", &[inputs(&["c"]), calls("f", "name_it")]),
        node(1, "w", "SaveV2", &[inputs(&["n"])]),
        function("name_it", &[name], "k:output:0"),
    ];
    assert_eq!(assessed(&result), Assessment::Malicious);
}

#[test]
fn what_savers_do_is_clean() {
    let body = [
        node(3, "m", "StaticRegexFullMatch", &[inputs(&["x"]), attribute("pattern", "^s3://.*")]),
        message(
            3,
            &[
                text(1, "part"),
                text(2, "Const"),
                message(
                    5,
                    &[text(1, "value"), message(2, &[message(8, &[varint(1, 7), text(8, "_temp/part")])])],
                ),
            ],
        ),
        node(3, "sel", "Select", &[inputs(&["m:output:0", "part:output:0"]), typed("T")]),
        node(3, "join", "StringJoin", &[inputs(&["x", "sel:output:0"])]),
        node(3, "shard", "ShardedFilename", &[inputs(&["join:output:0"])]),
        node(3, "save", "SaveV2", &[inputs(&["shard:filename:0", "names", "slices", "y"])]),
        node(3, "merge", "MergeV2Checkpoints", &[inputs(&["pack", "x"])]),
    ];
    let graph = [
        node(1, "saver_filename", "Placeholder", &[typed("dtype")]),
        constant("Const", "\n\0/object/graph"),
        node(
            1,
            "call",
            "StatefulPartitionedCall",
            &[inputs(&["saver_filename", "Const"]), calls("f", "save")],
        ),
        function("save", &body, "x"),
    ];
    assert_eq!(assessed(&graph), Assessment::Clean);
}

#[test]
fn texts_packed_in_a_tensor_are_read() {
    let packed = [b"\x0b\x02".as_slice(), b"/root/.xyz1ab"].concat();
    let tensor = message(8, &[varint(1, TEXT), message(4, &[packed])]);
    let value = node(1, "c", "Const", &[message(5, &[text(1, "value"), message(2, &[tensor])])]);
    assert_eq!(assessed(&[value, node(1, "w", "SaveV2", &[inputs(&["c"])])]), Assessment::Malicious);
}

#[test]
fn one_of_many_texts_may_name_a_file() {
    let many = |last: &str| {
        let mut texts: Vec<Vec<u8>> = (0..100).map(|at| text(8, &format!("t{at}"))).collect();
        texts.push(text(8, last));
        let tensor = message(8, &[varint(1, TEXT), texts.concat()]);
        let value = node(1, "c", "Const", &[message(5, &[text(1, "value"), message(2, &[tensor])])]);
        let slice = node(1, "s", "StridedSlice", &[inputs(&["c", "b"]), typed("T")]);
        assessed(&[value, slice, node(1, "r", "RestoreV2", &[inputs(&["s"])])])
    };
    assert_eq!(many("/etc/passwd"), Assessment::Malicious);
    assert_eq!(many("plain"), Assessment::Review);
}

#[test]
fn hostile_graphs_cost_little() {
    let long = "x".repeat(4_000);
    let mut graph = vec![constant("j0", &long), constant("c", &long)];
    for at in 1..20_000 {
        let before = format!("j{}", at - 1);
        graph.push(node(1, &format!("j{at}"), "StringJoin", &[inputs(&[&before, "c"])]));
        graph.push(node(1, &format!("w{at}"), "SaveV2", &[inputs(&[&before])]));
    }
    let report = scanned(&saved(&graph));
    assert_ne!(report.assessment(), Assessment::Malicious, "{:?}", report.findings.first());
}

#[test]
fn chains_and_loops_of_nodes_end() {
    let mut graph = vec![constant("n0", "/root/.bashrc")];
    for at in 1..2_000 {
        let before = format!("n{}", at - 1);
        graph.push(node(1, &format!("n{at}"), "Identity", &[inputs(&[&before]), typed("T")]));
    }
    graph.push(node(1, "w", "SaveV2", &[inputs(&["n1999"])]));
    assert_ne!(assessed(&graph), Assessment::Clean);
    let looped = [
        node(1, "a", "Merge", &[inputs(&["b", "c"]), typed("T")]),
        node(1, "b", "NextIteration", &[inputs(&["a"]), typed("T")]),
        constant("c", "/root/.bashrc"),
        node(1, "w", "SaveV2", &[inputs(&["b"])]),
    ];
    assert_eq!(assessed(&looped), Assessment::Malicious);
}

#[test]
fn attributes_that_name_files_count() {
    for (operation, key) in [
        ("DumpTensor", "log_dir_path"),
        ("CalibrationStatisticsSaver", "output_file_path"),
        ("RecordInput", "file_pattern"),
        ("SnapshotDataset", "writer_path_prefix"),
    ] {
        let graph = |path: &str| assessed(&[node(1, "n", operation, &[attribute(key, path)])]);
        assert_eq!(graph("/root/.bashrc"), Assessment::Malicious, "{operation}");
        assert_ne!(graph("here"), Assessment::Malicious, "{operation}");
    }
}

#[test]
fn tables_and_checkpoints_of_the_host_are_malicious() {
    for (operation, inputs) in [
        ("InitializeTableFromTextFileV2", ["t", "c"]),
        ("LoadAndRemapMatrix", ["c", "t"]),
        ("RestoreV2", ["c", "t"]),
    ] {
        let reads = |path: &str| {
            let inputs: Vec<_> = inputs.iter().map(|input| text(3, input)).collect();
            assessed(&[node(1, "n", operation, &inputs), constant("c", path)])
        };
        assert_eq!(reads("/etc/passwd"), Assessment::Malicious, "{operation}");
        assert_eq!(reads("/tmp/training/vocab.txt"), Assessment::Clean, "{operation}");
    }
    for operation in ["RemoteCall", "GeneratorDataset"] {
        assert_eq!(assessed(&[node(1, "n", operation, &[])]), Assessment::Review, "{operation}");
    }
}

#[test]
fn operations_from_elsewhere_are_reviewed_unless_they_are_functions() {
    let call = node(1, "n", "my_function", &[text(3, "x")]);
    assert_eq!(assessed(std::slice::from_ref(&call)), Assessment::Review);
    let bare = scanned(&saved(&[node(1, "n", "Custom", &[])]));
    assert_eq!((bare.format, bare.assessment()), (Format::SavedModel, Assessment::Review));
    let function = message(1, &[message(1, &[text(1, "my_function")]), node(3, "m", "Add", &[])]);
    assert_eq!(assessed(&[call, message(2, &[function])]), Assessment::Clean);
}

#[test]
fn assets_stay_in_the_folder() {
    let with = |name: &str| {
        let meta = [message(2, &[node(1, "n", "Add", &[])]), message(6, &[text(2, name)])];
        scanned(&[varint(1, 1), message(2, &meta)].concat()).assessment()
    };
    assert_eq!(with("vocab.txt"), Assessment::Clean);
    assert_eq!(with("../../etc/passwd"), Assessment::Malicious);
}

#[test]
fn configuration_of_keras_is_followed() {
    let nowhere = Limits { depth: 0, ..Limits::default() };
    let json = "{\"class_name\": \"Lambda\"}";
    let object = message(1, &[message(4, &[text(1, "_tf_keras_layer"), text(3, json)])]);
    let saved = [varint(1, 1), message(2, &[message(2, &[node(1, "n", "Add", &[])]), message(7, &[object])])]
        .concat();
    let metadata = message(1, &[varint(2, 1), text(3, "root"), text(4, "_tf_keras_layer"), text(5, json)]);
    for bytes in [saved, metadata] {
        let report = scan(&bytes, "keras_metadata.pb", &nowhere);
        assert_eq!(report.format, Format::SavedModel);
        assert!(
            report.findings.iter().any(|f| f.message.contains("keras_metadata")),
            "{:?}",
            report.findings
        );
    }
}

#[test]
fn unknown_fields_do_not_hide_a_graph() {
    let hidden = [
        varint(1, 1),
        message(
            2,
            &[varint(99, 1), message(2, &[varint(77, 7), node(1, "n", "ReadFile", &[varint(55, 1)])])],
        ),
        text(1000, "x"),
    ];
    assert_eq!(scanned(&hidden.concat()).assessment(), Assessment::Malicious);
}

#[test]
fn a_graph_is_known_by_any_node_that_reaches_out() {
    let mut nodes: Vec<Vec<u8>> = (0..100).map(|at| message(1, &[text(1, &format!("n{at}"))])).collect();
    assert_eq!(scan(&nodes.concat(), "a", &Limits::default()).format, Format::Unknown);
    nodes.push(node(1, "n", "ReadFile", &[]));
    let report = scan(&nodes.concat(), "a", &Limits::default());
    assert_eq!((report.format, report.assessment()), (Format::GraphDef, Assessment::Malicious));
}

#[test]
fn text_forms_are_read() {
    let graph = |operation: &str, rest: &str| {
        let text = format!(
            "# a graph\nnode {{\n  name: \"n\"\n  op: {operation}\n {rest} }}\nversions {{ producer: 27 }}\n"
        );
        let report = scanned(text.as_bytes());
        assert_eq!(report.format, Format::GraphDef);
        report.assessment()
    };
    assert_eq!(graph("\"Add\"", ""), Assessment::Clean);
    assert_eq!(graph("\"ReadFile\"", ""), Assessment::Malicious);
    assert_eq!(graph("'Read' \"File\"", ""), Assessment::Malicious);
    assert_eq!(graph("\"\\122ead\\x46ile\"", ""), Assessment::Malicious);
    assert_eq!(
        graph("\"Add\"", "attr { key: \"a\" value { s: \"op: \\\"ReadFile\\\"\" } }"),
        Assessment::Clean
    );
    let print = "attr { key: \"output_stream\" value { s: \"file:///x\" } }";
    assert_eq!(graph("\"PrintV2\"", print), Assessment::Malicious);
    let saved =
        scanned(b"saved_model_schema_version: 1\nmeta_graphs { graph_def { node { op: \"PyFunc\" } } }");
    assert_eq!((saved.format, saved.assessment()), (Format::SavedModel, Assessment::Malicious));
}

#[test]
fn text_forms_are_followed_through_functions() {
    let text = "node { name: \"c\" op: \"Const\" attr { key: \"value\" value { tensor { dtype: DT_STRING \
        string_val: \"/root/\" } } } }\n\
        node { name: \"i\" op: \"Identity\" input: \"c\" attr { key: \"T\" value { type: DT_STRING } } }\n\
        node { name: \"n\" op: \"PartitionedCall\" input: \"i\" attr { key: \"f\" value { func { name: \"g\" } } } }\n\
        library { function { signature { name: \"g\" input_arg { name: \"x\" type: DT_STRING } }\n\
        node_def { name: \"k\" op: \"Const\" attr { key: \"value\" value { tensor { string_val: \".bashrc\" } } } }\n\
        node_def { name: \"j\" op: \"StringJoin\" input: \"x\" input: \"k:output:0\" }\n\
        node_def { name: \"w\" op: \"SaveV2\" input: \"j:output:0\" } } }\n";
    assert_eq!(scanned(text.as_bytes()).assessment(), Assessment::Malicious);
    assert_eq!(scanned(text.replace("/root/", "root/").as_bytes()).assessment(), Assessment::Clean);
}

#[test]
fn what_is_cut_off_is_unfinished() {
    let bytes = saved(&[node(1, "a", "Add", &[]), node(1, "b", "Add", &[])]);
    let report = scanned(&bytes[..bytes.len() - 3]);
    assert_eq!((report.format, report.assessment()), (Format::SavedModel, Assessment::Unfinished));
}

proptest! {
    #[test]
    fn no_damage_panics(at in 0_usize..300, byte: u8) {
        let mut bytes = saved(&[constant("c", "x"), node(1, "b", "ReadFile", &[text(3, "c")])]);
        let at = at % bytes.len();
        bytes[at] = byte;
        scanned(&bytes);
    }

    #[test]
    fn no_text_panics(text in r#"[a-z:\{\}<>"'\\#0-9 \n]{0,80}"#) {
        scanned(format!("node {{ op: {text}").as_bytes());
    }
}
