//! What a file is: by its content, as loaders see it.
//!
//! A file may be several things at once: a zip archive is found from its end and a pickle from its start. Everything
//! that a loader could take it for is read.

use std::fmt;

use bastide_types::Rule;

use crate::halt::Parsed;
use crate::scan::Scan;
use crate::source::{Source, read_up_to};
use crate::{archive, code, document, graph, keras, pickle, tensor, text};

/// What a file is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[non_exhaustive]
pub enum Format {
    // Pickles, and what is built from them.
    /// Python pickle, protocols 0 to 5.
    Pickle,
    /// Joblib: a pickle with arrays between its opcodes.
    Joblib,
    /// PyTorch since 1.6: a zip archive with a pickle of its structure.
    TorchZip,
    /// PyTorch before 1.6: several pickles, then storages.
    TorchLegacy,
    /// PyTorch before 0.1.10: a tar archive of pickles.
    TorchTar,
    /// TorchScript: a zip archive with source code.
    TorchScript,
    /// `torch.export` (`.pt2`).
    TorchExport,
    /// TorchServe model archive (`.mar`).
    TorchServe,
    /// skops.
    Skops,
    // Archives and compressed streams.
    /// Zip archive.
    Zip,
    /// Tar archive.
    Tar,
    /// 7z archive.
    SevenZip,
    /// An archive of a kind that is not opened: RAR, cabinet, cpio and others.
    OtherArchive,
    /// Gzip stream.
    Gzip,
    /// Bzip2 stream.
    Bzip2,
    /// XZ stream.
    Xz,
    /// LZMA stream without a container.
    Lzma,
    /// Zlib stream.
    Zlib,
    /// LZ4 frame.
    Lz4,
    /// Zstandard frame.
    Zstd,
    /// NeMo: a tar archive with a configuration that names classes.
    Nemo,
    // Tensors.
    /// Safetensors.
    Safetensors,
    /// GGUF of llama.cpp.
    Gguf,
    /// One numpy array.
    Numpy,
    /// Numpy arrays in a zip archive.
    NumpyZip,
    /// MessagePack, as Flax writes checkpoints.
    Msgpack,
    /// Torch 7 (`.t7`).
    Torch7,
    /// MXNet parameters.
    Mxnet,
    // Graphs.
    /// ONNX.
    Onnx,
    /// TensorFlow SavedModel.
    SavedModel,
    /// TensorFlow graph without a SavedModel around it.
    GraphDef,
    /// TensorFlow MetaGraph.
    MetaGraph,
    /// TensorFlow Lite.
    TfLite,
    /// ExecuTorch program.
    Executorch,
    /// Core ML.
    CoreMl,
    /// Paddle program or parameters.
    Paddle,
    /// TensorRT engine.
    TensorRt,
    // Keras.
    /// Keras 3 archive (`.keras`).
    Keras,
    /// HDF5, also of Keras before version 3.
    Hdf5,
    // Trees.
    /// XGBoost, binary, JSON or UBJSON.
    Xgboost,
    /// LightGBM, text.
    Lightgbm,
    /// CatBoost, binary or JSON.
    Catboost,
    /// R object (`.rds`, `.rdata`).
    Rds,
    // Tables.
    /// Arrow file or stream, which Feather is too.
    Arrow,
    /// Parquet.
    Parquet,
    // Documents.
    /// PMML.
    Pmml,
    /// OpenVINO intermediate representation.
    OpenVino,
    /// Other XML.
    Xml,
    /// JSON.
    Json,
    /// YAML.
    Yaml,
    /// Jinja template.
    Jinja,
    /// Jupyter notebook.
    Notebook,
    /// Python source.
    Python,
    /// Shell script, batch file or the like.
    Script,
    /// Manifests of Kubernetes, or a template of them.
    Kubernetes,
    /// Compose file of Docker or Podman.
    Compose,
    /// Instructions that build a container image.
    Dockerfile,
    /// Terraform or OpenTofu.
    Terraform,
    /// What a Python project asks for: requirements of pip, `pyproject.toml`, `Pipfile`.
    Requirements,
    /// Other lock file of a package manager.
    Lock,
    /// Other text.
    Text,
    // Programs.
    /// A program or shared library: ELF, PE or Mach-O.
    Executable,
    /// Objects as Java serialises them (Weka's `.model`).
    Java,
    /// llamafile: a program with weights in a zip archive at its end.
    Llamafile,
    /// Nothing of the above.
    Unknown,
}

impl Format {
    /// The name used in output.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Format::Pickle => "pickle",
            Format::Joblib => "joblib",
            Format::TorchZip => "torch-zip",
            Format::TorchLegacy => "torch-legacy",
            Format::TorchTar => "torch-tar",
            Format::TorchScript => "torchscript",
            Format::TorchExport => "pt2",
            Format::TorchServe => "mar",
            Format::Skops => "skops",
            Format::Zip => "zip",
            Format::Tar => "tar",
            Format::SevenZip => "7z",
            Format::OtherArchive => "other-archive",
            Format::Gzip => "gzip",
            Format::Bzip2 => "bzip2",
            Format::Xz => "xz",
            Format::Lzma => "lzma",
            Format::Zlib => "zlib",
            Format::Lz4 => "lz4",
            Format::Zstd => "zstd",
            Format::Nemo => "nemo",
            Format::Safetensors => "safetensors",
            Format::Gguf => "gguf",
            Format::Numpy => "numpy",
            Format::NumpyZip => "npz",
            Format::Msgpack => "msgpack",
            Format::Torch7 => "t7",
            Format::Mxnet => "mxnet",
            Format::Onnx => "onnx",
            Format::SavedModel => "savedmodel",
            Format::GraphDef => "graphdef",
            Format::MetaGraph => "metagraph",
            Format::TfLite => "tflite",
            Format::Executorch => "executorch",
            Format::CoreMl => "coreml",
            Format::Paddle => "paddle",
            Format::TensorRt => "tensorrt",
            Format::Keras => "keras",
            Format::Hdf5 => "hdf5",
            Format::Xgboost => "xgboost",
            Format::Lightgbm => "lightgbm",
            Format::Catboost => "catboost",
            Format::Rds => "rds",
            Format::Arrow => "arrow",
            Format::Parquet => "parquet",
            Format::Pmml => "pmml",
            Format::OpenVino => "openvino",
            Format::Xml => "xml",
            Format::Json => "json",
            Format::Yaml => "yaml",
            Format::Jinja => "jinja",
            Format::Notebook => "notebook",
            Format::Python => "python",
            Format::Script => "script",
            Format::Kubernetes => "kubernetes",
            Format::Compose => "compose",
            Format::Dockerfile => "dockerfile",
            Format::Terraform => "terraform",
            Format::Requirements => "requirements",
            Format::Lock => "lock",
            Format::Text => "text",
            Format::Executable => "executable",
            Format::Java => "java",
            Format::Llamafile => "llamafile",
            Format::Unknown => "unknown",
        }
    }
}

impl fmt::Display for Format {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// What a file shows of itself before it is read.
pub(crate) struct Glance<'a> {
    /// The first [`Glance::SIZE`] bytes.
    pub(crate) head: &'a [u8],
    /// The last [`Glance::SIZE`] bytes.
    pub(crate) tail: &'a [u8],
    /// The whole, for families that must look further.
    pub(crate) source: &'a dyn Source,
    /// The file's name without folders.
    pub(crate) name: &'a str,
}

impl Glance<'_> {
    /// A zip archive's end record with its longest comment starts within the tail.
    const SIZE: usize = (64 << 10) + 22;

    /// Whether the name ends in `.extension`, whatever its case. Only for texts that have no other mark.
    pub(crate) fn named(&self, extension: &str) -> bool {
        self.name.rsplit_once('.').is_some_and(|(_, last)| last.eq_ignore_ascii_case(extension))
    }
}

/// One family of formats: how it is recognised, read, and what it looks for.
struct Family {
    /// Adds every format of the family that a loader could take the file for.
    recognise: fn(&Glance<'_>, &mut Vec<Format>) -> Parsed<()>,
    /// Reads the file as that format, if it is one of the family's.
    read: fn(Format, &dyn Source, &str, &mut Scan<'_>) -> Option<Parsed<()>>,
    rules: &'static [&'static Rule],
}

/// In the order of certainty: what has a mark of its own comes before what is guessed from text. What comes first names the
/// file; all of them are read.
const FAMILIES: &[Family] = &[
    Family { recognise: tensor::recognise, read: tensor::read, rules: tensor::RULES },
    Family { recognise: keras::recognise, read: keras::read, rules: keras::RULES },
    Family { recognise: archive::recognise, read: archive::read, rules: archive::RULES },
    Family { recognise: pickle::recognise, read: pickle::read, rules: pickle::RULES },
    Family { recognise: graph::recognise, read: graph::read, rules: graph::RULES },
    Family { recognise: code::recognise, read: code::read, rules: code::RULES },
    Family { recognise: document::recognise, read: document::read, rules: document::RULES },
    Family { recognise: text::recognise, read: text::read, rules: text::RULES },
];

/// What a file may be taken for, and how that is read.
pub(crate) struct Reading {
    /// As what.
    pub(crate) format: Format,
    family: &'static Family,
}

impl Reading {
    /// Reads `source` as this.
    pub(crate) fn read(&self, source: &dyn Source, name: &str, scan: &mut Scan<'_>) -> Parsed<()> {
        (self.family.read)(self.format, source, name, scan).unwrap_or(Ok(()))
    }
}

/// Everything that a loader could take the file for, the likeliest first; empty where nothing knows it.
pub(crate) fn recognise(source: &dyn Source, name: &str) -> Parsed<Vec<Reading>> {
    let head = read_up_to(source, 0, Glance::SIZE)?;
    let tail = match source.size().checked_sub(Glance::SIZE as u64) {
        Some(start) if start > 0 => read_up_to(source, start, Glance::SIZE)?,
        _ => head.clone(),
    };
    let glance = Glance { head: &head, tail: &tail, source, name };
    let mut readings: Vec<Reading> = Vec::new();
    let mut formats = Vec::new();
    for family in FAMILIES {
        formats.clear();
        (family.recognise)(&glance, &mut formats)?;
        for &format in &formats {
            let known = |r: &Reading| r.format == format && std::ptr::eq(r.family, family);
            if !readings.iter().any(known) {
                readings.push(Reading { format, family });
            }
        }
    }
    Ok(readings)
}

/// How `format` is read, whether or not the bytes are recognised as it.
pub(crate) fn readings_of(format: Format) -> impl Iterator<Item = Reading> {
    FAMILIES.iter().map(move |family| Reading { format, family })
}

/// The rules of every family.
pub(crate) fn rules() -> impl Iterator<Item = &'static &'static Rule> {
    FAMILIES.iter().flat_map(|family| family.rules)
}
