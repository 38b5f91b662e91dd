//! Graphs: formats that describe a computation. Reading one runs nothing; running it does what its operators do.

mod arrow;
mod coreml;
mod executorch;
mod flat;
mod onnx;
mod paddle;
mod path;
mod proto;
mod tensorflow;
mod tensorrt;
#[cfg(test)]
mod testing;
mod tflite;

use bastide_types::Rule;
pub(crate) use path::is_of_host;

use crate::format::{Format, Glance};
use crate::halt::{Halt, Parsed};
use crate::scan::Scan;
use crate::source::{Part, Source};
use proto::{Outline, Proto};

/// What this family looks for.
pub(crate) const RULES: &[&Rule] = &[
    &onnx::EXTERNAL,
    &onnx::EXECUTION,
    &onnx::CUSTOM,
    &onnx::COMPILED,
    &onnx::STRUCTURE,
    &onnx::BOMB,
    &tensorflow::FILES,
    &tensorflow::EXECUTION,
    &tensorflow::NETWORK,
    &tensorflow::READS,
    &tensorflow::CUSTOM,
    &tensorflow::INDIRECT,
    &tensorflow::COMPILED,
    &tensorflow::ASSET,
    &tflite::EXECUTION,
    &tflite::CUSTOM,
    &tflite::STRUCTURE,
    &executorch::STRUCTURE,
    &executorch::CUSTOM,
    &executorch::COMPILED,
    &coreml::CUSTOM,
    &coreml::PATH,
    &paddle::EXECUTION,
    &paddle::PATH,
    &paddle::REACH,
    &tensorrt::ENGINE,
];

/// Fields of a file looked at to tell which schema it follows.
const OUTLINE: usize = 100_000;

/// Adds what a loader could take the file for.
pub(crate) fn recognise(glance: &Glance<'_>, formats: &mut Vec<Format>) -> Parsed<()> {
    let mut proto = Proto::new(glance.source);
    let whole = proto.whole();
    if let Some(outline) = Outline::of(&mut proto, whole, OUTLINE)
        && !outline.fields.is_empty()
    {
        formats
            .extend(MARKS.iter().filter(|(_, mark)| mark(&mut proto, &outline)).map(|(format, _)| *format));
    }
    formats.extend(MAGICS.iter().filter(|(_, mark)| mark(glance)).map(|(format, _)| *format));
    tensorflow::recognise_text(glance, formats);
    if formats.is_empty() && glance.source.size() > 0 {
        formats.extend(claimed(glance));
    }
    Ok(())
}

/// What the file says to be where nothing in it shows what it is: its reader then says why it cannot be read. A broken
/// model must not pass for an unknown file without findings.
fn claimed(glance: &Glance<'_>) -> Option<Format> {
    const NAMES: [(&str, Format); 5] = [
        ("onnx", Format::Onnx),
        ("tflite", Format::TfLite),
        ("pte", Format::Executorch),
        ("mlmodel", Format::CoreMl),
        ("pdmodel", Format::Paddle),
    ];
    if glance.name == "saved_model.pb" {
        return Some(Format::SavedModel);
    }
    NAMES.iter().find(|(name, _)| glance.named(name)).map(|(_, format)| *format)
}

/// Whether an operation of TensorFlow reads or writes what a graph names, opens connections or calls Python.
pub(crate) fn reaches_out(operation: &str) -> bool {
    use tensorflow::Reach;
    matches!(
        tensorflow::reach(operation),
        Reach::Files | Reach::Reads | Reach::Writes | Reach::Loads | Reach::Python | Reach::Network
    )
}

/// A format of protocol buffers and what recognises it: there is no magic number.
type Mark = (Format, fn(&mut Proto<'_>, &Outline) -> bool);

const MARKS: [Mark; 6] = [
    (Format::Onnx, onnx::recognise),
    (Format::SavedModel, tensorflow::is_saved_model),
    (Format::MetaGraph, tensorflow::is_meta_graph),
    (Format::GraphDef, tensorflow::is_graph_def),
    (Format::CoreMl, coreml::recognise),
    (Format::Paddle, paddle::recognise),
];

/// A format that has a magic number.
type Magic = (Format, fn(&Glance<'_>) -> bool);

const MAGICS: [Magic; 6] = [
    (Format::Arrow, arrow::recognise),
    (Format::Parquet, arrow::recognise_parquet),
    (Format::TfLite, tflite::recognise),
    (Format::Executorch, executorch::recognise),
    (Format::Paddle, paddle::recognise_parameters),
    (Format::TensorRt, tensorrt::recognise),
];

/// Reads the file as `format`, if it is one of this family's.
pub(crate) fn read(
    format: Format,
    source: &dyn Source,
    _name: &str,
    scan: &mut Scan<'_>,
) -> Option<Parsed<()>> {
    let outcome = match format {
        Format::Onnx => onnx::read(source, scan),
        Format::SavedModel | Format::MetaGraph | Format::GraphDef => tensorflow::read(format, source, scan),
        Format::TfLite => tflite::read(source, scan),
        Format::Executorch => executorch::read(source, scan),
        Format::CoreMl => coreml::read(source, scan),
        Format::Paddle => paddle::read(source, scan),
        Format::TensorRt => tensorrt::read(scan),
        Format::Arrow => arrow::read(source, scan),
        Format::Parquet => arrow::read_parquet(source, scan),
        _ => return None,
    };
    let broken = matches!(outcome, Err(Halt::Malformed { .. } | Halt::Truncated { .. }));
    if broken && MARKS.iter().any(|(known, _)| *known == format) {
        behind(format, source, scan);
    }
    Some(outcome)
}

/// Scans what begins where the fields of the outermost message end to make sense: a file behind the model.
fn behind(format: Format, source: &dyn Source, scan: &mut Scan<'_>) {
    let is_known = |number| match format {
        Format::Onnx => matches!(number, 1..=9 | 14 | 20 | 25 | 26),
        Format::CoreMl => matches!(number, 1..=20 | 200..=3100),
        _ => number <= 16,
    };
    let mut proto = Proto::new(source);
    let mut message = proto.whole();
    while message.start < message.end {
        let at = message.start;
        let field = proto.next(&mut message).ok().flatten();
        if !field.is_some_and(|field| is_known(field.number)) {
            if at > 0 {
                scan.nested("data behind the model", &Part::from(source, at));
            }
            return;
        }
    }
}

#[cfg(test)]
mod tests {
    use bastide_types::Assessment;
    use proptest::prelude::*;

    use crate::{Format, Limits, scan};

    #[test]
    fn broken_models_do_not_pass_for_unknown_files() {
        let broken = b"\x08\x08\x3a\x02\x0f\xff\xff".as_slice();
        for name in
            ["model.onnx", "model.tflite", "model.pte", "model.mlmodel", "model.pdmodel", "saved_model.pb"]
        {
            assert_eq!(
                scan(&broken, name, &Limits::default()).assessment(),
                Assessment::Unfinished,
                "{name}"
            );
        }
        assert_eq!(scan(&broken, "other", &Limits::default()).format, Format::Unknown);
    }

    #[test]
    fn a_file_behind_the_model_is_scanned() {
        let mut bytes =
            b"\x08\x08\x3a\x0f\x0a\x0a\x0a\x01x\x12\x01y\x22\x02Ad\x12\x01g\x42\x02\x10\x11".to_vec();
        assert_eq!(scan(&bytes, "model.onnx", &Limits::default()).format, Format::Onnx);
        bytes.extend(b"\x80\x02cos\nsystem\nX\x0c\0\0\0echo harmless\x85R.");
        let report = scan(&bytes, "model.onnx", &Limits::default());
        assert_eq!(report.assessment(), Assessment::Malicious, "{:?}", report.findings);
    }

    #[test]
    fn random_bytes_are_no_graph() {
        let mut state = 7_u64;
        for size in (0..30_000).map(|n| n % 300) {
            let bytes: Vec<u8> = std::iter::repeat_with(|| {
                state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
                state.to_le_bytes()[7]
            })
            .take(size)
            .collect();
            let mut formats = Vec::new();
            super::recognise(&glance(&bytes), &mut formats).unwrap();
            assert!(formats.is_empty(), "{formats:?} {bytes:x?}");
        }
    }

    fn glance<'a>(bytes: &'a Vec<u8>) -> crate::format::Glance<'a> {
        crate::format::Glance { head: bytes, tail: bytes, source: bytes, name: "a" }
    }

    proptest! {
        #[test]
        fn text_is_no_graph(text in "[ -~\\n\\t]{0,200}") {
            let mut formats = Vec::new();
            super::recognise(&glance(&text.into_bytes()), &mut formats).unwrap();
            prop_assert!(formats.is_empty());
        }

        #[test]
        fn no_bytes_panic(bytes: Vec<u8>) {
            for name in ["a", "a.onnx", "a.tflite", "a.pte", "a.mlmodel", "a.pdmodel", "saved_model.pb"] {
                let _ = scan(&bytes, name, &Limits::default());
            }
        }
    }
}
