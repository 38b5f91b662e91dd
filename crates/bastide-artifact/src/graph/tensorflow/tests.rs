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
