//! Paddle: programs (`__model__`, `.pdmodel`) in protocol buffers, and parameters (`.pdiparams`) one after another.
//!
//! Schema: `paddle/fluid/framework/framework.proto`.

use bastide_types::{Assessment, Rule, Severity};

use super::path;
use super::proto::{NAME, Outline, Proto, Span, Value};
use crate::format::Glance;
use crate::halt::{Halt, Parsed};
use crate::scan::{Scan, shown};
use crate::source::{Cursor, Source, read_up_to};

/// Python.
pub(super) const EXECUTION: Rule = Rule {
    id: "paddle.execution",
    severity: Severity::Critical,
    effect: Assessment::Malicious,
    title: "program that calls Python",
    why: "the operator calls a function of the process that runs the program",
    fix: "do not run it; ask for a program of Paddle's own operators",
    cwe: &[94],
    atlas: &["AML.T0011.000"],
};

/// Files and servers.
pub(super) const REACH: Rule = Rule {
    id: "paddle.reach",
    severity: Severity::Medium,
    effect: Assessment::Review,
    title: "program that reads or writes files, or talks to servers",
    why: "running the program does so with the rights of the process",
    fix: "see what it reads and where it sends; export the inference program alone",
    cwe: &[73],
    atlas: &[],
};

/// Files outside.
pub(super) const PATH: Rule = Rule {
    id: "paddle.path",
    severity: Severity::High,
    effect: Assessment::Malicious,
    title: "program that names a file outside of the model",
    why: "running the program reads or writes that file",
    fix: "do not run it; export the inference program alone",
    cwe: &[22, 73],
    atlas: &["AML.T0010.003"],
};

/// Whether the outline is that of a `ProgramDesc`: blocks of operators.
pub(super) fn recognise(proto: &mut Proto<'_>, outline: &Outline) -> bool {
    let Some(block) = outline.bytes(1).and_then(|block| Outline::of(proto, block, 4096)) else {
        return false;
    };
    if block.varint(1).is_none() || block.varint(2).is_none() {
        return false;
    }
    match (block.bytes(4), block.bytes(3)) {
        (Some(operator), _) => Outline::of(proto, operator, 64)
            .and_then(|operator| operator.bytes(3))
            .is_some_and(|name| proto.is_name(name)),
        (None, Some(variable)) => {
            Outline::of(proto, variable, 8).is_some_and(|variable| variable.bytes(1).is_some())
        }
        _ => false,
    }
}

/// Whether the file begins with a tensor of Paddle: version 0, no levels, version 0, then its description.
pub(super) fn recognise_parameters(glance: &Glance<'_>) -> bool {
    let Some((zeros, rest)) = glance.head.split_first_chunk::<16>() else { return false };
    matches!(rest, [2, 0, 0, 0, 8, 0..=31, ..] | [3..=127, 0, 0, 0, 8, 0..=31, 0x10 | 0x12, ..])
        && zeros.iter().all(|byte| *byte == 0)
}

/// Reads the file.
pub(super) fn read(source: &dyn Source, scan: &mut Scan<'_>) -> Parsed<()> {
    let head = read_up_to(source, 0, 32)?;
    if head.starts_with(&[0; 16]) {
        return parameters(source, scan);
    }
    let mut proto = Proto::new(source);
    let mut program = proto.whole();
    while let Some(field) = proto.next(&mut program)? {
        let (1, Value::Bytes(mut block)) = (field.number, field.value) else { continue };
        while let Some(field) = proto.next(&mut block)? {
            scan.spend(1)?;
            if let (4, Value::Bytes(operator)) = (field.number, field.value) {
                judge(&mut proto, operator, scan)?;
            }
        }
    }
    Ok(())
}

fn judge(proto: &mut Proto<'_>, mut message: Span, scan: &mut Scan<'_>) -> Parsed<()> {
    let at = message.start;
    let (mut name, mut paths) = (String::new(), Vec::new());
    while let Some(field) = proto.next(&mut message)? {
        match (field.number, field.value) {
            (3, Value::Bytes(span)) => name = proto.text(span, NAME)?,
            (4, Value::Bytes(span)) => paths.extend(attribute(proto, span)?),
            _ => {}
        }
    }
    let what = format!("operator `{}`", shown(&name));
    match name.as_str() {
        "py_func" | "py_layer" | "run_python" => scan.find(&EXECUTION, at, what),
        "load"
        | "load_combine"
        | "save"
        | "save_combine"
        | "read_file"
        | "create_py_reader"
        | "create_custom_reader"
        | "lookup_table_dequant"
        | "checkpoint_notify" => match paths.iter().find_map(|path| Some((path, path::escape(path)?))) {
            Some((path, why)) => scan.find(&PATH, at, format!("{what}: the path `{}` {why}", shown(path))),
            None => scan.find(&REACH, at, what),
        },
        "listen_and_serv"
        | "heter_listen_and_serv"
        | "send"
        | "recv"
        | "send_and_recv"
        | "send_barrier"
        | "fetch_barrier"
        | "prefetch"
        | "distributed_lookup_table"
        | "gen_nccl_id"
        | "c_gen_nccl_id" => {
            scan.find(&REACH, at, what);
        }
        _ => {}
    }
    Ok(())
}

/// The text of an attribute that holds a path.
fn attribute(proto: &mut Proto<'_>, mut message: Span) -> Parsed<Option<String>> {
    let (mut name, mut text) = (String::new(), None);
    while let Some(field) = proto.next(&mut message)? {
        match (field.number, field.value) {
            (1, Value::Bytes(span)) => name = proto.text(span, NAME)?,
            (5, Value::Bytes(span)) => text = Some(proto.text(span, NAME)?),
            _ => {}
        }
    }
    Ok(text.filter(|_| matches!(name.as_str(), "file_path" | "filename" | "dir" | "dirname" | "path")))
}

/// Tensors one after another (`SerializeToStream` in `lod_tensor.cc` and `tensor_util.cc`).
fn parameters(source: &dyn Source, scan: &mut Scan<'_>) -> Parsed<()> {
    let mut cursor = Cursor::new(source);
    while cursor.left() > 0 {
        scan.spend(1)?;
        let at = cursor.position();
        if cursor.u32_le()? != 0 {
            return Err(Halt::malformed(at, "a version of the format that is unknown"));
        }
        for _ in 0..cursor.u64_le()?.min(1 << 20) {
            let size = cursor.u64_le()?;
            cursor.skip(size)?;
        }
        if cursor.u32_le()? != 0 {
            return Err(Halt::malformed(at, "a version of the format that is unknown"));
        }
        let size = u64::from(cursor.u32_le()?);
        let start = cursor.position();
        cursor.skip(size)?;
        let bytes = describe(source, Span { start, end: start + size }, scan)?;
        cursor.skip(bytes)?;
    }
    Ok(())
}

/// The bytes of the tensor that a `TensorDesc` describes.
fn describe(source: &dyn Source, mut message: Span, scan: &mut Scan<'_>) -> Parsed<u64> {
    let at = message.start;
    let mut proto = Proto::new(source);
    let (mut kind, mut elements) = (0, Some(1_u64));
    let multiply = |elements: &mut Option<u64>, dimension: u64| {
        *elements = elements.and_then(|n| n.checked_mul(dimension)).filter(|n| i64::try_from(*n).is_ok());
    };
    while let Some(field) = proto.next(&mut message)? {
        match (field.number, field.value) {
            (1, Value::Varint(value)) => kind = value,
            (2, Value::Varint(dimension)) => multiply(&mut elements, dimension),
            (2, Value::Bytes(mut span)) => {
                while let Some(dimension) = proto.packed(&mut span)? {
                    multiply(&mut elements, dimension);
                }
            }
            _ => {}
        }
    }
    let (name, size) = match kind {
        0 => ("BOOL", 1),
        1 => ("INT16", 2),
        2 => ("INT32", 4),
        3 => ("INT64", 8),
        4 => ("FP16", 2),
        5 => ("FP32", 4),
        6 => ("FP64", 8),
        20 => ("UINT8", 1),
        21 => ("INT8", 1),
        22 => ("BF16", 2),
        23 => ("COMPLEX64", 8),
        24 => ("COMPLEX128", 16),
        other => return Err(Halt::malformed(at, format!("element type {other} is unknown"))),
    };
    match elements.and_then(|elements| Some((elements, elements.checked_mul(size)?))) {
        Some((elements, bytes)) => {
            scan.facts.tensor(name, elements);
            Ok(bytes)
        }
        None => Err(Halt::malformed(at, "the size of a tensor overflows")),
    }
}

#[cfg(test)]
mod tests {
    use bastide_types::Assessment;
    use proptest::prelude::*;

    use super::super::testing::{message, text, varint};
    use crate::{Format, Limits, Report, scan};

    fn program(operator: &str, path: &str) -> Vec<u8> {
        let attribute = message(4, &[text(1, "file_path"), varint(2, 2), text(5, path)]);
        let variable = message(3, &[text(1, "x"), message(2, &[varint(1, 7)])]);
        let block =
            [varint(1, 0), varint(2, u64::MAX), variable, message(4, &[text(3, operator), attribute])];
        [message(1, &block), message(4, &[varint(1, 0)])].concat()
    }

    fn scanned(bytes: &[u8]) -> Report {
        let report = scan(&bytes, "model.pdmodel", &Limits::default());
        assert_eq!(report.format, Format::Paddle);
        report
    }

    #[test]
    fn operators_are_told_apart() {
        for (operator, path, expected) in [
            ("conv2d", "", Assessment::Clean),
            ("py_func", "", Assessment::Malicious),
            ("save_combine", "params", Assessment::Review),
            ("save", "/root/.ssh/keys", Assessment::Malicious),
            ("listen_and_serv", "", Assessment::Review),
        ] {
            let report = scanned(&program(operator, path));
            assert_eq!(report.assessment(), expected, "{operator}: {:?}", report.findings);
        }
    }

    #[test]
    fn parameters_are_held_against_the_file() {
        let description = [varint(1, 5), varint(2, 2), varint(2, 3)].concat();
        let mut tensor = vec![0; 16];
        tensor.extend(u32::try_from(description.len()).unwrap().to_le_bytes());
        tensor.extend(description);
        tensor.resize(tensor.len() + 24, 1);
        let bytes = [tensor.clone(), tensor].concat();
        let report = scanned(&bytes);
        assert_eq!(report.assessment(), Assessment::Clean, "{:?}", report.findings);
        assert_eq!(report.facts.tensors["FP32"].elements, 12);
        assert_eq!(scanned(&bytes[..bytes.len() - 1]).assessment(), Assessment::Unfinished);
    }

    proptest! {
        #[test]
        fn no_damage_panics(at in 0_usize..200, byte: u8) {
            let mut bytes = program("save", "x");
            let at = at % bytes.len();
            bytes[at] = byte;
            let _ = scan(&bytes, "a", &Limits::default());
        }
    }
}
