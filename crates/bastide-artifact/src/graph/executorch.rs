//! ExecuTorch programs (`.pte`): a FlatBuffer (`schema/program.fbs`), and segments of data after it.

use bastide_types::{Assessment, Rule, Severity};

use super::flat::{Flat, Table};
use crate::claim::is_absurd;
use crate::format::Glance;
use crate::halt::{Halt, Parsed};
use crate::scan::{Scan, shown};
use crate::source::{Cursor, Source, read_up_to};
use crate::tensor::proof::{Proof, flaw, settle};

/// Offsets.
pub(super) const STRUCTURE: Rule = Rule {
    id: "executorch.structure",
    severity: Severity::High,
    effect: Assessment::Malicious,
    title: "references that lead nowhere",
    why: "no exporter writes such a program; the runtime verifies only when it is told to",
    fix: "do not load it; export the program anew",
    cwe: &[125, 787],
    atlas: &["AML.T0010.003"],
};

/// Kernels from elsewhere.
pub(super) const CUSTOM: Rule = Rule {
    id: "executorch.custom-operator",
    severity: Severity::Medium,
    effect: Assessment::Review,
    title: "kernel that ExecuTorch does not have",
    why: "running the program needs a library that registers the kernel, and what it does is up to that library",
    fix: "see which library provides the kernel, and where it comes from",
    cwe: &[829],
    atlas: &["AML.T0011.000"],
};

/// Machine code.
pub(super) const COMPILED: Rule = Rule {
    id: "executorch.compiled",
    severity: Severity::Medium,
    effect: Assessment::Review,
    title: "part of a program for a backend that runs native code",
    why: "the backend loads machine code from the file; nothing in it can be assessed",
    fix: "export the program anew from its source for the backend",
    cwe: &[829],
    atlas: &["AML.T0011.000"],
};

/// Namespaces of the kernels that come with ExecuTorch and its quantisers.
const NAMESPACES: &[&str] = &[
    "aten",
    "cadence",
    "cortex_m",
    "dim_order_ops",
    "edge",
    "et_copy",
    "et_vk",
    "etvk",
    "executorch_prim",
    "llama",
    "prim",
    "prims",
    "quantized",
    "quantized_decomposed",
    "torchao",
    "torchvision",
];

/// Backends whose part of a program is data: graphs, weights, or code for an accelerator in a sandbox of its own.
const BACKENDS: &[&str] = &[
    "ArmBackend",
    "CadenceBackend",
    "CoreMLBackend",
    "EnnBackend",
    "EthosUBackend",
    "MLXBackend",
    "MPSBackend",
    "MediaTekBackend",
    "NeuropilotBackend",
    "NeutronBackend",
    "NxpBackend",
    "OpenvinoBackend",
    "QnnBackend",
    "TOSABackend",
    "VgfBackend",
    "VulkanBackend",
    "XnnpackBackend",
];

pub(super) fn recognise(glance: &Glance<'_>) -> bool {
    matches!(glance.head.get(4..8), Some([b'E', b'T', b'0'..=b'9', b'0'..=b'9']))
}

/// Reads the file.
pub(super) fn read(source: &dyn Source, scan: &mut Scan<'_>) -> Parsed<()> {
    if !read_up_to(source, 4, 2)?.starts_with(b"ET") {
        return Err(Halt::malformed(4, "the identifier `ET12` is missing"));
    }
    let proof = program(source, scan);
    settle(proof, &STRUCTURE, scan)
}

fn program(source: &dyn Source, scan: &mut Scan<'_>) -> Proof<()> {
    let base = segments(source)?;
    let mut flat = Flat::new(source);
    let program = flat.root()?;
    let plans = flat.vector(&program, 1, 4)?;
    for index in 0..plans.count {
        let plan = flat.element(&plans, index)?;
        operators(&mut flat, &plan, scan)?;
        backends(&mut flat, &plan, scan)?;
    }
    let segments = flat.vector(&program, 4, 4)?;
    for index in 0..segments.count {
        scan.spend(1)?;
        let segment = flat.element(&segments, index)?;
        let (offset, size) = (flat.long(&segment, 0)?, flat.long(&segment, 1)?);
        inside(source, base, offset, size)?;
    }
    Ok(())
}

/// Where the segments begin, from the extended header (`runtime/executor/program.cpp`).
fn segments(source: &dyn Source) -> Proof<u64> {
    let mut cursor = Cursor::at(source, 8);
    if cursor.peek(4)?.get(..4) != Some(b"eh00") {
        return Ok(0);
    }
    cursor.skip(8)?;
    let (program, base) = (cursor.u64_le()?, cursor.u64_le()?);
    inside(source, 0, 0, program)?;
    inside(source, 0, 0, base)?;
    Ok(base)
}

fn inside(source: &dyn Source, base: u64, offset: u64, size: u64) -> Proof<()> {
    match base.checked_add(offset).and_then(|start| start.checked_add(size)) {
        Some(end) if end <= source.size() => Ok(()),
        Some(end) if !is_absurd(end, source.size()) => Err(Halt::Truncated { offset: source.size() }.into()),
        _ => flaw(0, format!("a segment of {size} bytes at {offset} lies outside of the file")),
    }
}

fn operators(flat: &mut Flat<'_>, plan: &Table, scan: &mut Scan<'_>) -> Proof<()> {
    let operators = flat.vector(plan, 6, 4)?;
    for index in 0..operators.count {
        scan.spend(1)?;
        let operator = flat.element(&operators, index)?;
        let name = flat.text(&operator, 0)?;
        let namespace = name.split("::").next().unwrap_or_default();
        if !NAMESPACES.contains(&namespace) {
            scan.find(&CUSTOM, operator.at, format!("kernel `{}`", shown(&name)));
        }
    }
    Ok(())
}

fn backends(flat: &mut Flat<'_>, plan: &Table, scan: &mut Scan<'_>) -> Proof<()> {
    let delegates = flat.vector(plan, 7, 4)?;
    for index in 0..delegates.count {
        scan.spend(1)?;
        let delegate = flat.element(&delegates, index)?;
        let name = flat.text(&delegate, 0)?;
        if !BACKENDS.contains(&name.as_str()) {
            scan.find(&COMPILED, delegate.at, format!("backend `{}`", shown(&name)));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use bastide_types::Assessment;
    use proptest::prelude::*;

    use super::super::testing::Builder;
    use crate::{Format, Limits, Report, scan};

    fn program(kernel: &str, backend: &str) -> Vec<u8> {
        let mut b = Builder::new(*b"ET12");
        let name = b.bytes(kernel.as_bytes());
        let operator = b.table(&[(0, name)]);
        let operators = b.references(&[operator]);
        let name = b.bytes(backend.as_bytes());
        let delegate = b.table(&[(0, name)]);
        let delegates = b.references(&[delegate]);
        let plan = b.table(&[(6, operators), (7, delegates)]);
        let plans = b.references(&[plan]);
        let root = b.table(&[(1, plans)]);
        b.finish(root)
    }

    fn scanned(bytes: &[u8]) -> Report {
        let report = scan(&bytes, "model.pte", &Limits::default());
        assert_eq!(report.format, Format::Executorch);
        report
    }

    #[test]
    fn kernels_and_backends_are_told_apart() {
        for (kernel, backend, expected) in [
            ("aten::add", "XnnpackBackend", Assessment::Clean),
            ("quantized_decomposed::add.out", "CoreMLBackend", Assessment::Clean),
            ("mine::add", "XnnpackBackend", Assessment::Review),
            ("aten::add", "CudaBackend", Assessment::Review),
        ] {
            let report = scanned(&program(kernel, backend));
            assert_eq!(report.assessment(), expected, "{kernel} {backend} {:?}", report.findings);
        }
    }

    #[test]
    fn references_outside_are_malicious() {
        let mut bytes = program("aten::add", "XnnpackBackend");
        bytes[..4].copy_from_slice(&u32::MAX.to_le_bytes());
        assert_eq!(scanned(&bytes).assessment(), Assessment::Malicious);
        let mut header = b"\x20\0\0\0ET12eh00\x20\0\0\0".to_vec();
        header.extend(u64::MAX.to_le_bytes());
        header.extend([0; 16]);
        assert_eq!(scanned(&header).assessment(), Assessment::Malicious);
    }

    proptest! {
        #[test]
        fn no_damage_panics(at in 8_usize..300, byte: u8) {
            let mut bytes = program("aten::add", "XnnpackBackend");
            let at = 8 + at % (bytes.len() - 8);
            bytes[at] = byte;
            scanned(&bytes);
        }
    }
}
