//! TensorFlow Lite: one FlatBuffer (`tensorflow/compiler/mlir/lite/schema/schema.fbs`).
//!
//! The interpreter may be built without verifying the buffer, so that indices and sizes are proved here. Custom operators
//! come from a library of the program; `Flex` operators are those of TensorFlow.

use bastide_types::{Assessment, Rule, Severity};

use super::flat::{Flat, Table, Vector};
use super::tensorflow::{Reach, hostile, names_file, reach};
use crate::format::Glance;
use crate::halt::{Halt, Parsed};
use crate::scan::{Scan, shown};
use crate::source::{Source, read_up_to};
use crate::tensor::proof::{Proof, flaw, settle};

/// Operators that reach out.
pub(super) const EXECUTION: Rule = Rule {
    id: "tflite.execution",
    severity: Severity::High,
    effect: Assessment::Malicious,
    title: "operator that reaches out of the graph",
    why: "through the Flex delegate the model runs TensorFlow's operations on files, Python or the network",
    fix: "do not run it; ask for a model whose graph only computes",
    cwe: &[73, 94],
    atlas: &["AML.T0010.003", "AML.T0011.000"],
};

/// Operators from elsewhere.
pub(super) const CUSTOM: Rule = Rule {
    id: "tflite.custom-operator",
    severity: Severity::Medium,
    effect: Assessment::Review,
    title: "operator that TensorFlow Lite does not have",
    why: "running the model needs a library that registers the operator, and what it does is up to that library",
    fix: "see which library provides the operator, and where it comes from",
    cwe: &[829],
    atlas: &["AML.T0011.000"],
};

/// Offsets and indices.
pub(super) const STRUCTURE: Rule = Rule {
    id: "tflite.structure",
    severity: Severity::High,
    effect: Assessment::Malicious,
    title: "references that lead nowhere",
    why: "no converter writes such a model; an interpreter built without verification reads and writes out of bounds",
    fix: "do not load it; convert the model anew",
    cwe: &[125, 787],
    atlas: &["AML.T0010.003"],
};

/// `BuiltinOperator_CUSTOM`.
const CUSTOM_CODE: u32 = 32;
/// No file is larger: 1 TiB.
const ABSURD: u64 = 1 << 40;

/// `TensorType_STRING`.
const STRING: u8 = 5;
/// Inputs of one operation that are looked at for names of files.
const MOST_INPUTS: u64 = 4096;

/// Custom operators of the converter, the task libraries, MediaPipe and TensorFlow Text.
const KNOWN: &[&str] = &[
    "AddN",
    "Atan2",
    "AudioSpectrogram",
    "AvgPool3D",
    "ComplexAbs",
    "Convolution2DTransposeBias",
    "Cumsum",
    "HashTable",
    "HashTableFind",
    "HashTableImport",
    "HashTableSize",
    "Imag",
    "Irfft2d",
    "KmeansEmbeddingLookup",
    "Landmarks2TransformMatrix",
    "LandmarksToTransformMatrix",
    "MaxPool3D",
    "MaxPoolingWithArgmax2D",
    "MaxUnpooling2D",
    "Mfcc",
    "Multinomial",
    "NgramsStringJoin",
    "NumericVerify",
    "RaggedTensorToSparse",
    "RaggedTensorToTensor",
    "RandomStandardNormal",
    "RandomUniform",
    "Real",
    "Resampler",
    "Rfft2d",
    "Roll",
    "Sign",
    "StringToHashBucketFast",
    "TFLite_Detection_PostProcess",
    "TFSentencepieceDetokenizeOp",
    "TFSentencepieceTokenizeOp",
    "TransformLandmarks",
    "TransformTensor",
    "TransformTensorBilinear",
    "UniversalSentenceEncoderPath",
    "WhitespaceTokenizeWithOffsets",
    "ethos-u",
    "edgetpu-custom-op",
];
/// Packages whose operators all begin so.
const PACKAGES: &[&str] = &["tftext:", "stablehlo.", "odml.", "aws.", "TFText"];

pub(super) fn recognise(glance: &Glance<'_>) -> bool {
    glance.head.get(4..8) == Some(b"TFL3")
}

/// Reads the file.
pub(super) fn read(source: &dyn Source, scan: &mut Scan<'_>) -> Parsed<()> {
    if read_up_to(source, 4, 4)? != b"TFL3" {
        return Err(Halt::malformed(4, "the identifier `TFL3` is missing"));
    }
    let proof = Reader { flat: Flat::new(source), size: source.size(), scan }.model();
    settle(proof, &STRUCTURE, scan)
}

/// What the graphs of a model share.
struct Parts<'a> {
    /// The operation of TensorFlow that each operator's code names; empty where it names none.
    operations: &'a [String],
    buffers: Vector,
    /// The bytes in each buffer.
    sizes: &'a [u64],
}

/// The operations that the `NodeDef`s among `options` name, as field 2: tag, length, name.
fn nodes(options: &[u8]) -> impl Iterator<Item = &str> {
    memchr::memchr_iter(0x12, options).filter_map(|at| {
        let (length, rest) = options.get(at + 1..)?.split_first()?;
        let name = std::str::from_utf8(rest.get(..usize::from(*length))?).ok()?;
        let plain = name.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'>'));
        (name.len() > 2 && plain).then_some(name)
    })
}

struct Reader<'a, 's, 'l> {
    flat: Flat<'a>,
    size: u64,
    scan: &'s mut Scan<'l>,
}

impl Reader<'_, '_, '_> {
    fn model(&mut self) -> Proof<()> {
        let model = self.flat.root()?;
        let codes = self.flat.vector(&model, 1, 4)?;
        let mut operations = Vec::new();
        for index in 0..codes.count {
            self.scan.spend(1)?;
            let code = self.flat.element(&codes, index)?;
            operations.push(self.operator(&code)?);
        }
        let description = self.flat.text(&model, 3)?;
        if !description.is_empty() {
            self.scan.facts.property("description", &description);
        }
        let buffers = self.flat.vector(&model, 4, 4)?;
        let sizes = self.buffers(&buffers)?;
        let graphs = self.flat.vector(&model, 2, 4)?;
        for index in 0..graphs.count {
            let graph = self.flat.element(&graphs, index)?;
            self.graph(&graph, &Parts { operations: &operations, buffers, sizes: &sizes })?;
        }
        let metadata = self.flat.vector(&model, 6, 4)?;
        for index in 0..metadata.count {
            self.scan.spend(1)?;
            let entry = self.flat.element(&metadata, index)?;
            if u64::from(self.flat.number(&entry, 1)?) >= buffers.count {
                return flaw(entry.at, "metadata refer to a buffer that is not there");
            }
        }
        Ok(())
    }

    /// Judges what an operator is called; gives the operation of TensorFlow that it stands for, or an empty text.
    fn operator(&mut self, code: &Table) -> Proof<String> {
        let number = u32::from(self.flat.byte(code, 0)?).max(self.flat.number(code, 3)?);
        let name = self.flat.text(code, 1)?;
        if number != CUSTOM_CODE {
            return Ok(String::new());
        }
        let what = format!("operator `{}`", shown(&name));
        let operation = name.strip_prefix("Flex");
        let rule = match operation.map(reach) {
            Some(Reach::Files | Reach::Python | Reach::Network) => Some(&EXECUTION),
            Some(Reach::None | Reach::Loads) => None,
            Some(Reach::Reads | Reach::Writes | Reach::Indirect | Reach::Compiled | Reach::Foreign) => {
                Some(&CUSTOM)
            }
            None if KNOWN.contains(&name.as_str()) => None,
            None if PACKAGES.iter().any(|package| name.starts_with(package)) => None,
            None => Some(&CUSTOM),
        };
        if let Some(rule) = rule {
            self.scan.find(rule, code.at, what);
        }
        Ok(operation.unwrap_or_default().to_owned())
    }

    /// The bytes in each buffer.
    fn buffers(&mut self, buffers: &Vector) -> Proof<Vec<u64>> {
        let mut sizes = Vec::new();
        for index in 0..buffers.count {
            self.scan.spend(1)?;
            let buffer = self.flat.element(buffers, index)?;
            let inside = self.flat.vector(&buffer, 0, 1)?.count;
            let (offset, size) = (self.flat.long(&buffer, 1)?, self.flat.long(&buffer, 2)?);
            // Models beyond 2 GiB keep buffers after the FlatBuffer; 0 and 1 are no offsets.
            let outside = if offset > 1 { size } else { 0 };
            match offset.checked_add(outside) {
                Some(end) if offset <= 1 || end <= self.size => {}
                Some(end) if end <= ABSURD => return Err(Halt::Truncated { offset: self.size }.into()),
                _ => return flaw(buffer.at, format!("a buffer lies at {offset}, outside of the file")),
            }
            sizes.push(inside.max(outside));
        }
        Ok(sizes)
    }

    fn graph(&mut self, graph: &Table, parts: &Parts<'_>) -> Proof<()> {
        let tensors = self.flat.vector(graph, 0, 4)?;
        for index in 0..tensors.count {
            self.scan.spend(1)?;
            let tensor = self.flat.element(&tensors, index)?;
            self.tensor(&tensor, parts.sizes)?;
        }
        self.indices(graph, &[1, 2], tensors.count)?;
        let operators = self.flat.vector(graph, 3, 4)?;
        for index in 0..operators.count {
            self.scan.spend(1)?;
            let operator = self.flat.element(&operators, index)?;
            let code = self.flat.number(&operator, 0)?;
            let Some(named) = usize::try_from(code).ok().and_then(|code| parts.operations.get(code)) else {
                return flaw(operator.at, "an operator has a code that is not there");
            };
            self.indices(&operator, &[1, 2, 8], tensors.count)?;
            self.options(&operator, named, &tensors, parts)?;
        }
        Ok(())
    }

    /// Judges the operations of TensorFlow that an operator stands for: the one that its code names, and the `NodeDef` in its
    /// options, which the Flex delegate runs whatever the code is called.
    fn options(&mut self, operator: &Table, named: &str, tensors: &Vector, parts: &Parts<'_>) -> Proof<()> {
        let options = self.flat.bytes(operator, 5)?;
        self.scan.spend(options.len() as u64)?;
        for operation in nodes(&options) {
            if matches!(reach(operation), Reach::Files | Reach::Python | Reach::Network) {
                let what = format!("the options of an operator run operation `{operation}`");
                self.scan.find(&EXECUTION, operator.at, what);
            }
        }
        for operation in nodes(&options).chain([named]).filter(|operation| !operation.is_empty()) {
            if matches!(reach(operation), Reach::Reads | Reach::Writes | Reach::Loads) {
                self.files(operator, operation, tensors, parts)?;
            }
        }
        Ok(())
    }

    /// Judges the files that the model itself names for `operation`.
    fn files(&mut self, operator: &Table, operation: &str, tensors: &Vector, parts: &Parts<'_>) -> Proof<()> {
        let inputs = self.flat.vector(operator, 1, 4)?;
        for at in 0..inputs.count.min(MOST_INPUTS) {
            if !usize::try_from(at).is_ok_and(|at| names_file(operation, at)) {
                continue;
            }
            let tensor = self.flat.item(&inputs, at)?;
            let Ok(tensor) = u64::try_from(tensor) else { continue };
            for path in self.texts(tensor, tensors, parts)? {
                if let Some(why) = hostile(reach(operation), &path) {
                    let what = format!("operation `{operation}`: the path `{}` {why}", shown(&path));
                    self.scan.find(&EXECUTION, operator.at, what);
                }
            }
        }
        Ok(())
    }

    /// The texts of a constant tensor: their count, where each begins, the end, then the texts.
    fn texts(&mut self, tensor: u64, tensors: &Vector, parts: &Parts<'_>) -> Proof<Vec<String>> {
        let tensor = self.flat.element(tensors, tensor)?;
        let buffer = u64::from(self.flat.number(&tensor, 2)?);
        if self.flat.byte(&tensor, 1)? != STRING || buffer >= parts.buffers.count {
            return Ok(Vec::new());
        }
        let buffer = self.flat.element(&parts.buffers, buffer)?;
        let bytes = self.flat.bytes(&buffer, 0)?;
        self.scan.spend(bytes.len() as u64)?;
        let number = |index: usize| {
            let bytes = bytes.get(4 * index..)?.first_chunk::<4>()?;
            usize::try_from(u32::from_le_bytes(*bytes)).ok()
        };
        let count = number(0).unwrap_or(0).min(bytes.len() / 4);
        let text = |index: usize| {
            let text = bytes.get(number(index)?..number(index + 1)?)?;
            Some(String::from_utf8_lossy(text).into_owned())
        };
        Ok((1..=count).filter_map(text).collect())
    }

    /// Proves that the numbers in `fields` are tensors; -1 stands for an input left out.
    fn indices(&mut self, table: &Table, fields: &[u64], tensors: u64) -> Proof<()> {
        for &field in fields {
            let vector = self.flat.vector(table, field, 4)?;
            for index in 0..vector.count {
                self.scan.spend(1)?;
                let item = self.flat.item(&vector, index)?;
                if item != -1 && !u64::try_from(item).is_ok_and(|item| item < tensors) {
                    return flaw(vector.start + 4 * index, format!("tensor {item} is not there"));
                }
            }
        }
        Ok(())
    }

    fn tensor(&mut self, tensor: &Table, buffers: &[u64]) -> Proof<()> {
        let shape = self.flat.vector(tensor, 0, 4)?;
        let mut elements = Some(1_u64);
        for index in 0..shape.count {
            self.scan.spend(1)?;
            let dimension = self.flat.item(&shape, index)?;
            // -1 stands for a size that is known at run time only.
            if dimension < -1 {
                return flaw(shape.start + 4 * index, format!("a dimension is {dimension}"));
            }
            elements = elements.and_then(|n| n.checked_mul(u64::try_from(dimension).unwrap_or(0)));
        }
        let buffer = self.flat.number(tensor, 2)?;
        let Some(&there) = usize::try_from(buffer).ok().and_then(|index| buffers.get(index)) else {
            return flaw(tensor.at, format!("buffer {buffer} is not there"));
        };
        let (name, bits) = element(self.flat.byte(tensor, 1)?);
        let needed = elements.and_then(|n| n.checked_mul(bits)).map(|bits| bits.div_ceil(8));
        let is_sparse = self.flat.has(tensor, 6)?;
        match needed {
            None => flaw(tensor.at, "the size of a tensor overflows"),
            Some(needed) if there > 0 && needed > there && !is_sparse => {
                flaw(tensor.at, format!("a tensor needs {needed} bytes and its buffer has {there}"))
            }
            Some(_) => {
                if there > 0 {
                    self.scan.facts.tensor(name, elements.unwrap_or(0));
                }
                Ok(())
            }
        }
    }
}

/// Name and bits of an element type; 0 where elements have no size of their own.
fn element(kind: u8) -> (&'static str, u64) {
    match kind {
        0 => ("FLOAT32", 32),
        1 => ("FLOAT16", 16),
        2 => ("INT32", 32),
        3 => ("UINT8", 8),
        4 => ("INT64", 64),
        5 => ("STRING", 0),
        6 => ("BOOL", 8),
        7 => ("INT16", 16),
        8 => ("COMPLEX64", 64),
        9 => ("INT8", 8),
        10 => ("FLOAT64", 64),
        11 => ("COMPLEX128", 128),
        12 => ("UINT64", 64),
        15 => ("UINT32", 32),
        16 => ("UINT16", 16),
        17 => ("INT4", 4),
        18 => ("BFLOAT16", 16),
        19 => ("INT2", 2),
        _ => ("OTHER", 0),
    }
}

#[cfg(test)]
mod tests;
