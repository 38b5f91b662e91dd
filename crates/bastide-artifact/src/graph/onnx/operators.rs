//! Operators of ONNX and of the runtimes around it.

use std::collections::HashSet;
use std::sync::LazyLock;

/// What an operator is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    /// Part of ONNX or of a known runtime.
    Known,
    /// Runs Python.
    Runs,
    /// Hands machine code to an accelerator.
    Compiled,
    /// From somewhere else.
    Foreign,
}

/// Every operator that any release of ONNX had in its default domain, sorted.
const STANDARD: &str = include_str!("operators.txt");

static KNOWN: LazyLock<HashSet<&'static str>> = LazyLock::new(|| STANDARD.lines().collect());

/// Names that exporters left in the default domain before they had a domain of their own: experimental operators of early
/// ONNX, those of Caffe2, and the fused ones that ONNX Runtime writes when it saves an optimised model.
const FORMER: &[&str] = &[
    "ATen",
    "Affine",
    "ConstantFill",
    "Crop",
    "DynamicSlice",
    "FusedConv",
    "FusedGemm",
    "GRUUnit",
    "GivenTensorFill",
    "ImageScaler",
    "ParametricSoftplus",
    "ScaledTanh",
    "Scale",
    "SpaceToDepth",
    "ThresholdedRelu",
];

/// Domains whose operators come with a runtime and stay within the graph.
const DOMAINS: &[&str] = &[
    "ai.onnx.ml",
    "ai.onnx.preview",
    "ai.onnx.preview.training",
    "ai.onnx.training",
    "com.microsoft",
    "com.microsoft.dml",
    "com.microsoft.experimental",
    "com.microsoft.mlfeaturizers",
    "com.microsoft.nchwc",
    "com.ms.internal.nhwc",
    "onnx.quantized",
    "org.pytorch._caffe2",
    "org.pytorch.aten",
    "org.pytorch.prim",
    "qonnx.custom_op.general",
    "trt.plugins",
];

/// Operators of onnxruntime-extensions that work on the texts, sounds and pictures they are given. Others of its domain
/// call services or open files.
const EXTENSIONS: &[&str] = &[
    "AudioDecoder",
    "BasicTokenizer",
    "BertTokenizer",
    "BertTokenizerDecoder",
    "BlingFireSentenceBreaker",
    "BpeDecoder",
    "BpeTokenizer",
    "CLIPTokenizer",
    "DecodeImage",
    "DrawBoundingBoxes",
    "EncodeImage",
    "GPT2Tokenizer",
    "GaussianBlur",
    "HfBertTokenizer",
    "HfJsonTokenizer",
    "Inverse",
    "MaskedFill",
    "NegPos",
    "RaggedTensorToDense",
    "RaggedTensorToSparse",
    "RobertaTokenizer",
    "SegmentExtraction",
    "SegmentSum",
    "SentencepieceDecoder",
    "SentencepieceTokenizer",
    "SpmTokenizer",
    "StftNorm",
    "StringConcat",
    "StringECMARegexReplace",
    "StringECMARegexSplitWithOffsets",
    "StringEqual",
    "StringHash",
    "StringHashFast",
    "StringJoin",
    "StringLength",
    "StringLower",
    "StringMapping",
    "StringRaggedTensorToDense",
    "StringRegexReplace",
    "StringRegexSplitWithOffsets",
    "StringSplit",
    "StringStrip",
    "StringToVector",
    "StringUpper",
    "TrieDetokenizer",
    "TrieTokenizer",
    "UnescapeJson",
    "VectorToString",
    "WordpieceTokenizer",
];

/// Domains of functions that PyTorch's exporter writes into the model.
const EXPORTER: &[&str] = &["pkg.onnxscript.", "pkg.torch.", "pkg.transformers.", "pkg.timm."];

/// Whether ONNX itself has an operator called `name`.
pub(super) fn is_standard(name: &str) -> bool {
    KNOWN.contains(name)
}

/// What the operator `name` of `domain` is.
pub(super) fn verdict(domain: &str, name: &str) -> Verdict {
    match name {
        // onnxruntime-training, and the operator of onnxruntime-extensions that calls a Python function by name.
        "PythonOp" | "PythonOpGrad" | "PyOp" | "PyCustomOp" | "PyFunc" | "PyCall" => return Verdict::Runs,
        "EPContext" => return Verdict::Compiled,
        _ => {}
    }
    let known = match domain {
        "ai.onnx.contrib" => EXTENSIONS.contains(&name),
        "" | "ai.onnx" => is_standard(name) || FORMER.contains(&name),
        _ => DOMAINS.contains(&domain) || EXPORTER.iter().any(|prefix| domain.starts_with(prefix)),
    };
    if known { Verdict::Known } else { Verdict::Foreign }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn operators_are_told_apart() {
        assert_eq!(verdict("", "Conv"), Verdict::Known);
        assert_eq!(verdict("ai.onnx", "Upsample"), Verdict::Known);
        assert_eq!(verdict("com.microsoft", "QLinearAdd"), Verdict::Known);
        assert_eq!(verdict("", "Shell"), Verdict::Foreign);
        assert_eq!(verdict("com.evil", "Conv"), Verdict::Foreign);
        assert_eq!(verdict("com.microsoft", "PythonOp"), Verdict::Runs);
        assert_eq!(verdict("ai.onnx.contrib", "PyOp"), Verdict::Runs);
        assert_eq!(verdict("ai.onnx.contrib", "BpeTokenizer"), Verdict::Known);
        assert_eq!(verdict("ai.onnx.contrib", "AzureTextToText"), Verdict::Foreign);
    }
}
