//! Operations of TensorFlow.

use std::collections::HashSet;
use std::sync::LazyLock;

/// What an operation does when the graph runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::graph) enum Reach {
    /// Computes, or handles resources of the session.
    None,
    /// Reads or lists files that the graph names, or writes them.
    Files,
    /// Reads a data set or table from a file: honest where the file is fed, hostile where the graph names one outside.
    Reads,
    /// Writes a checkpoint, log or cache: honest where the path is fed.
    Writes,
    /// Fills a table or variable from a file, as every exported model does: hostile where the graph names one of the host's.
    Loads,
    /// Hands work to other code: a device of the cluster, or functions that honest graphs wrap around Python.
    Indirect,
    /// Calls Python in the process that runs the graph.
    Python,
    /// Opens connections.
    Network,
    /// Hands machine code to an accelerator.
    Compiled,
    /// Not registered in TensorFlow: needs a library of its own.
    Foreign,
}

/// The operations that TensorFlow registers, sorted: those of 2.21, in which the ones of earlier releases are kept.
const REGISTERED: &str = include_str!("operations.txt");

static KNOWN: LazyLock<HashSet<&'static str>> = LazyLock::new(|| REGISTERED.lines().collect());

/// How operations begin that packages of Google and TensorFlow register, and that compute: tokenisers, forests, add-ons,
/// and those that only builds for TPUs have.
const PACKAGES: &[&str] = &[
    "Addons>",
    "SimpleML",
    "Sentencepiece",
    "TFText>",
    "TPU",
    "_TPU",
    "TFLite_",
    "Wordpiece",
    "Wordshape",
    "YDF",
    "CaseFold",
    "Normalize",
    "RegexSplit",
    "UnicodeScript",
    "Whitespace",
    "FastWordpiece",
    "FastBert",
    "FastSentencepiece",
    "RougeL",
    "SplitMerge",
    "StateBasedSentence",
    "SentenceFragment",
    "Trimmer",
    "MaxSpanning",
    "NgramsString",
    "BoiseTags",
    "OffsetsToBoise",
    "PhraseTokenizer",
    "ByteSplit",
    "RoundRobin",
    "ConstrainedSequence",
    "Utf8Binarize",
    "MutexLock",
];

/// Read, write or list files by name.
const FILES: &[&str] =
    &["ReadFile", "WriteFile", "MatchingFiles", "WholeFileReader", "WholeFileReaderV2", "DeleteFile"];
/// Call a function of the Python process by its token.
const PYTHON: &[&str] = &["PyFunc", "PyFuncStateless", "EagerPyFunc", "_PyFunc"];
/// Open connections: remote calls, the data service, and readers of stores in the network.
const NETWORK: &[&str] = &[
    "RpcServer",
    "RpcServerStart",
    "RpcServerRegister",
    "RpcClient",
    "RpcCall",
    "RpcCheckStatus",
    "RpcGetValue",
    "Rpc",
    "TryRpc",
    "BigQueryReader",
    "BigtableClient",
    "DataServiceDataset",
    "DataServiceDatasetV2",
    "DataServiceDatasetV3",
    "DataServiceDatasetV4",
    "RegisterDataset",
    "RegisterDatasetV2",
    "KafkaDataset",
    "GcsConfigureCredentials",
    "GcsConfigureBlockCache",
    "FileSystemSetConfiguration",
];
/// Make texts without an attribute that says so.
const TEXTUAL: &[&str] = &[
    "AsString",
    "DecodeBase64",
    "DecodeCompressed",
    "EncodeBase64",
    "ReduceJoin",
    "RegexReplace",
    "StaticRegexReplace",
    "StringFormat",
    "StringJoin",
    "StringLower",
    "StringNGrams",
    "StringSplit",
    "StringSplitV2",
    "StringStrip",
    "StringUpper",
    "Substr",
    "UnicodeEncode",
    "UnicodeTranscode",
    "UnsortedSegmentJoin",
];

/// Whether `operation` makes texts whatever its attributes say.
pub(super) fn makes_text(operation: &str) -> bool {
    TEXTUAL.contains(&operation)
}

/// What `operation` does.
pub(in crate::graph) fn reach(operation: &str) -> Reach {
    match operation {
        _ if FILES.contains(&operation) => Reach::Files,
        _ if PYTHON.contains(&operation) => Reach::Python,
        _ if NETWORK.contains(&operation) => Reach::Network,
        "TRTEngineOp" | "EdgeTpuCustomOp" | "NeuronOp" => Reach::Compiled,
        _ => match operation.strip_prefix("Experimental").unwrap_or(operation) {
            "TFRecordDataset"
            | "TFRecordDatasetV2"
            | "TextLineDataset"
            | "FixedLengthRecordDataset"
            | "FixedLengthRecordDatasetV2"
            | "CSVDataset"
            | "CSVDatasetV2"
            | "LMDBDataset"
            | "SqlDataset"
            | "MatchingFilesDataset"
            | "LoadDataset"
            | "TFRecordReader"
            | "TFRecordReaderV2"
            | "TextLineReader"
            | "TextLineReaderV2"
            | "FixedLengthRecordReader"
            | "FixedLengthRecordReaderV2"
            | "LMDBReader"
            | "AvroRecordDataset"
            | "ParquetDataset"
            | "RecordInput"
            | "SnapshotChunkDataset"
            | "SnapshotDatasetReader"
            | "SnapshotNestedDatasetReader" => Reach::Reads,
            "Save"
            | "SaveV2"
            | "SaveSlices"
            | "ShardedFilename"
            | "ShardedFilespec"
            | "MergeV2Checkpoints"
            | "DatasetToTFRecord"
            | "DistributedSave"
            | "SaveDataset"
            | "SaveDatasetV2"
            | "SnapshotDataset"
            | "SnapshotDatasetV2"
            | "CacheDataset"
            | "CacheDatasetV2"
            | "CreateSummaryFileWriter"
            | "CreateSummaryDbWriter" => Reach::Writes,
            "InitializeTableFromTextFile"
            | "InitializeTableFromTextFileV2"
            | "GenerateVocabRemapping"
            | "LoadAndRemapMatrix"
            | "Restore"
            | "RestoreSlice"
            | "RestoreV2" => Reach::Loads,
            "RemoteCall" | "GeneratorDataset" => Reach::Indirect,
            operation if operation.starts_with("IO>") => of_io(operation),
            _ if is_known(operation) => Reach::None,
            _ => Reach::Foreign,
        },
    }
}

/// Operations of tensorflow-io, whose names say which file or service they open.
fn of_io(operation: &str) -> Reach {
    const SERVICES: &[&str] = &[
        "Azure",
        "BigQuery",
        "Bigtable",
        "Elasticsearch",
        "GRPC",
        "Grpc",
        "Http",
        "Ignite",
        "Kafka",
        "Kinesis",
        "Mongo",
        "Mqtt",
        "OSS",
        "Oss",
        "Prometheus",
        "PubSub",
        "Pulsar",
        "Redis",
        "S3",
        "Sql",
        "Video",
    ];
    const FILES: &[&str] = &["FileInit", "FileRead", "FileResource", "FileSync", "FileWrite", "FileCall"];
    if SERVICES.iter().any(|service| operation.contains(service)) {
        Reach::Network
    } else if FILES.iter().any(|name| operation.contains(name)) {
        Reach::Files
    } else {
        Reach::Foreign
    }
}

fn is_known(operation: &str) -> bool {
    KNOWN.contains(operation) || PACKAGES.iter().any(|package| operation.starts_with(package))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn operations_are_told_apart() {
        for (operation, expected) in [
            ("MatMul", Reach::None),
            ("StatefulPartitionedCall", Reach::None),
            ("RestoreV2", Reach::Loads),
            ("InitializeTableFromTextFileV2", Reach::Loads),
            ("RemoteCall", Reach::Indirect),
            ("_FusedMatMul", Reach::None),
            ("ReadFile", Reach::Files),
            ("EagerPyFunc", Reach::Python),
            ("ExperimentalSqlDataset", Reach::Reads),
            ("SaveV2", Reach::Writes),
            ("ShellExec", Reach::Foreign),
            ("IO>FileRead", Reach::Files),
            ("IO>KafkaReadableInit", Reach::Network),
            ("IO>DecodeDicomImage", Reach::Foreign),
            ("ExperimentalGenerateVocabRemapping", Reach::Loads),
        ] {
            assert_eq!(reach(operation), expected, "{operation}");
        }
    }

    #[test]
    fn the_list_is_sorted_and_long() {
        assert!(REGISTERED.lines().is_sorted());
        assert!(REGISTERED.lines().count() > 1500);
    }
}
