//! What operations do with texts: which input names a file, who keeps texts, and who takes them from there.

/// Whether input number `at` of `operation` names a file. What is stored and what is asked of it do not.
pub(in crate::graph) fn names_file(operation: &str, at: usize) -> bool {
    match operation.strip_prefix("Experimental").unwrap_or(operation) {
        "SaveV2"
        | "Save"
        | "SaveSlices"
        | "Restore"
        | "RestoreV2"
        | "RestoreSlice"
        | "ShardedFilename"
        | "ShardedFilespec"
        | "LoadAndRemapMatrix"
        | "LoadDataset"
        | "SnapshotDatasetReader" => at == 0,
        "SqlDataset"
        | "CacheDataset"
        | "CacheDatasetV2"
        | "SnapshotDataset"
        | "SnapshotDatasetV2"
        | "SaveDataset"
        | "SaveDatasetV2"
        | "DatasetToTFRecord"
        | "DistributedSave"
        | "CreateSummaryFileWriter"
        | "CreateSummaryDbWriter"
        | "InitializeTableFromTextFile"
        | "InitializeTableFromTextFileV2" => at == 1,
        "MergeV2Checkpoints" => at < 2,
        _ => true,
    }
}

/// How many inputs of a node stand before the arguments of the function that it calls; nothing where they are not the
/// node's own inputs.
pub(super) fn first_argument(operation: &str) -> Option<usize> {
    match operation {
        "If" | "StatelessIf" | "_If" | "Case" | "StatelessCase" | "RemoteCall" => Some(1),
        "TPUPartitionedCall" | "For" => None,
        _ if operation.contains("Dataset") || operation.contains("Iterator") => None,
        _ => Some(0),
    }
}

/// Whether the operation puts texts into a variable, a table, a queue, a list or a data set.
pub(super) fn stores(operation: &str) -> bool {
    const STORING: &[&str] = &[
        "Assign",
        "AssignVariableOp",
        "BarrierInsertMany",
        "InitializeTable",
        "InitializeTableV2",
        "LookupTableImport",
        "LookupTableImportV2",
        "LookupTableInsert",
        "LookupTableInsertV2",
        "MapStage",
        "OrderedMapStage",
        "QueueEnqueue",
        "QueueEnqueueMany",
        "QueueEnqueueManyV2",
        "QueueEnqueueV2",
        "Stage",
        "StackPush",
        "StackPushV2",
        "TensorArrayScatterV3",
        "TensorArrayWrite",
        "TensorArrayWriteV2",
        "TensorArrayWriteV3",
        "TensorDataset",
        "TensorSliceDataset",
    ];
    STORING.contains(&operation)
}

/// Whether the operation takes a text from where another put it.
pub(super) fn takes_stored(operation: &str) -> bool {
    const TAKING: &[&str] = &[
        "BarrierTakeMany",
        "IteratorGetNext",
        "IteratorGetNextSync",
        "LookupTableExport",
        "LookupTableExportV2",
        "LookupTableFind",
        "LookupTableFindV2",
        "MapUnstage",
        "OrderedMapUnstage",
        "QueueDequeue",
        "QueueDequeueMany",
        "QueueDequeueManyV2",
        "QueueDequeueUpToV2",
        "QueueDequeueV2",
        "ReadVariableOp",
        "StackPop",
        "StackPopV2",
        "TensorArrayGatherV3",
        "TensorArrayRead",
        "TensorArrayReadV2",
        "TensorArrayReadV3",
        "Unstage",
        "Variable",
        "VariableV2",
    ];
    TAKING.contains(&operation)
}

/// Whether the operation makes other texts of its inputs in a way that is not followed.
pub(super) fn is_beyond(operation: &str) -> bool {
    const BEYOND: &[&str] = &[
        "DecodeCompressed",
        "EncodeBase64",
        "ReduceJoin",
        "RegexReplace",
        "ReverseV2",
        "StringNGrams",
        "StringSplit",
        "StringSplitV2",
        "Substr",
        "UnicodeDecode",
        "UnicodeEncode",
        "UnicodeTranscode",
        "UnsortedSegmentJoin",
    ];
    BEYOND.contains(&operation)
}
