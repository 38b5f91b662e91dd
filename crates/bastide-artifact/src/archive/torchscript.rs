//! TorchScript source: run by PyTorch's own interpreter when the model is called, and by `torch.jit.load` where
//! `__setstate__` is in it. It cannot import, but some of its operators reach files, libraries and other code.

use std::borrow::Cow;

use bastide_types::{Assessment, Rule, Severity};

use crate::halt::Parsed;
use crate::scan::{Scan, shown};
use crate::source::{Source, read_up_to};

/// An operator that reaches outside.
pub(crate) const OPERATOR: Rule = Rule {
    id: "torchscript.operator",
    severity: Severity::High,
    effect: Assessment::Malicious,
    title: "TorchScript reaches files or libraries",
    why: "the operator reads or writes files, or loads machine code, when the model is loaded or called",
    fix: "do not load the model; ask the publisher for the weights alone",
    cwe: &[73, 829],
    atlas: &["AML.T0010.003", "AML.T0011.000"],
};

/// Python where TorchScript should stand.
pub(crate) const PYTHON: Rule = Rule {
    id: "torchscript.python",
    severity: Severity::High,
    effect: Assessment::Malicious,
    title: "TorchScript holds Python that evaluates or imports",
    why: "PyTorch never writes it: TorchScript has no such calls, and what reads the source as Python runs them",
    fix: "do not load the model; ask the publisher for the weights alone",
    cwe: &[94],
    atlas: &["AML.T0010.003", "AML.T0011.000"],
};

/// An operator or class of some library.
pub(crate) const CUSTOM: Rule = Rule {
    id: "torchscript.custom",
    severity: Severity::Medium,
    effect: Assessment::Review,
    title: "TorchScript needs a custom library",
    why: "what the operator does stands in a native library that has to be loaded beside the model",
    fix: "install the library only from its publisher",
    cwe: &[829],
    atlas: &["AML.T0010.003"],
};

/// Operators of PyTorch that reach files, libraries, processes or the network, as the source spells them.
const REACHING: &[&str] = &[
    "torch.save(",
    "torch.load(",
    "torch.from_file(",
    "torch.load_library(",
    "torch.hub.",
    "ops.aten.save",
    "ops.aten.from_file",
    "ops.aten.load",
    "ops.prim.save",
    "ops.prim.load",
    "ops.debugprims.load_tensor",
    "ops.load_library",
    "classes.load_library",
    "torch.jit.load(",
    "torch.jit.save(",
    "torch.utils.cpp_extension.",
    "aten::save",
    "aten::from_file",
    "ops.prim.PythonOp",
    "prim::PythonOp",
    "ops.profiler._call_end_callbacks",
    "ops.image.read_file",
    "ops.image.write_file",
    "ops.rpc.",
    "rpc_async(",
    "rpc_sync(",
    "rpc_remote(",
    "ops.torchaudio.sox_io_",
    "ops.torchaudio.sox_effects_apply_effects_file",
    "ops.torchtext._load_token_and_unigrams_from_file",
    "ops.video_reader.read_video_from_file",
    "torch.distributed.rpc",
    "classes.dist_rpc.",
    "classes.dist_c10d.",
    "ops.inductor._reinterpret_from_file",
    "ops.aoti.load",
    "classes.aoti.",
];

/// Functions of Python that make or run code, import, or reach what lies behind objects. TorchScript has none of them.
const EVALUATES: &[&str] = &[
    "__import__",
    "breakpoint",
    "compile",
    "delattr",
    "eval",
    "exec",
    "execfile",
    "globals",
    "locals",
    "open",
    "vars",
];

/// Attributes through which Python objects lead to everything else.
const INWARD: &[&str] =
    &["__builtins__", "__bases__", "__code__", "__globals__", "__loader__", "__mro__", "__subclasses__"];

/// What the source of the first releases imports, and what a person may write above their own.
const IMPORTED: &[&str] = &["__torch__", "torch", "typing", "__future__", "math", "numpy"];

/// Namespaces of operators that PyTorch and its own domain libraries bring along.
const KNOWN: &[&str] = &[
    "aten",
    "prim",
    "prims",
    "quantized",
    "quantized_decomposed",
    "_quantized",
    "prepacked",
    "mkldnn",
    "mkldnn_prepacked",
    "onednn",
    "xnnpack",
    "metal",
    "metal_prepack",
    "vulkan",
    "vulkan_prepack",
    "sparse",
    "static_runtime",
    "cuda",
    "inductor",
    "higher_order",
    "nvprims",
    "debugprims",
    "rngprims",
    "symm_mem",
    "c10d",
    "c10d_functional",
    "_c10d_functional",
    "torchvision",
    "image",
    "video_reader",
    "torchaudio",
    "torchtext",
    "fbgemm",
    "torchao",
    "torch_scatter",
    "torch_sparse",
    "torch_cluster",
    "torch_spline_conv",
    "tensorexpr",
    "_test",
    "profiler",
    "fb",
    "mtia",
];

/// Judges the source of one module.
///
/// # Errors
///
/// Whatever keeps the source from being read.
pub(crate) fn check(source: &dyn Source, scan: &mut Scan<'_>) -> Parsed<()> {
    let text = without_strings(read_up_to(source, 0, scan.limits.structure_bytes)?);
    scan.spend(text.len() as u64)?;
    python(&text, scan);
    for name in REACHING {
        // `aten.load` must not be the start of a longer name, nor `torch.save(` the end of one.
        let is_whole = |at: &usize| {
            is_start(&text, *at) && (name.ends_with(['(', '.', '_']) || is_end(&text, at + name.len()))
        };
        if let Some(at) = memchr::memmem::find_iter(&text, name.as_bytes()).find(is_whole) {
            scan.find(&OPERATOR, at as u64, format!("it calls `{}`", name.trim_end_matches(['(', '.', '_'])));
        }
    }
    for prefix in ["ops.", "torch.classes."] {
        for at in memchr::memmem::find_iter(&text, prefix.as_bytes()) {
            let before = text.get(..at).unwrap_or_default();
            let space = word(text.get(at + prefix.len()..).unwrap_or_default());
            let global = is_start(&text, at) && (!before.ends_with(b".") || before.ends_with(b"torch."));
            if (global || prefix != "ops.") && !space.is_empty() && !KNOWN.contains(&space.as_ref()) {
                scan.find(&CUSTOM, at as u64, format!("it uses `{prefix}{}`", shown(&space)));
            }
        }
    }
    Ok(())
}

/// Finds calls and imports of Python.
fn python(text: &[u8], scan: &mut Scan<'_>) {
    for name in EVALUATES {
        let called = memchr::memmem::find_iter(text, name.as_bytes()).find(|&at| {
            let before = text.get(..at).unwrap_or_default().trim_ascii_end();
            // A method may have any name, and where it is defined it has that name too.
            let own = before.ends_with(b".") || before.ends_with(b"def");
            let after = text.get(at + name.len()..).unwrap_or_default().trim_ascii_start();
            is_start(text, at) && !own && after.starts_with(b"(")
        });
        if let Some(at) = called {
            scan.find(&PYTHON, at as u64, format!("it calls `{name}`"));
        }
    }
    for name in INWARD {
        let whole = |at: &usize| is_start(text, *at) && is_end(text, at + name.len());
        if let Some(at) = memchr::memmem::find_iter(text, name.as_bytes()).find(whole) {
            scan.find(&PYTHON, at as u64, format!("it names `{name}`"));
        }
    }
    let mut start = 0;
    for line in text.split_inclusive(|&byte| byte == b'\n') {
        for statement in line.split(|&byte| byte == b';') {
            let statement = statement.trim_ascii_start();
            let module =
                [b"import ".as_slice(), b"from "].iter().find_map(|word| statement.strip_prefix(*word));
            let module = module.map(|module| word(module.trim_ascii_start()));
            if let Some(module) = module.filter(|module| !IMPORTED.contains(&module.as_ref())) {
                scan.find(&PYTHON, start, format!("it imports `{}`", shown(&module)));
            }
        }
        start += line.len() as u64;
    }
}

/// The source with the inside of its strings and comments blanked out, every other byte in its place.
///
/// A string ends with its line at the latest, unless it has three quotes, as the lexer of TorchScript has it: a quote that
/// is never closed hides no more than a line.
fn without_strings(mut text: Vec<u8>) -> Vec<u8> {
    let mut quote: Option<(u8, usize)> = None;
    let mut comment = false;
    let mut at = 0;
    while let Some(&byte) = text.get(at) {
        let run = |quote: u8| text.iter().skip(at).take(3).take_while(|&&next| next == quote).count();
        let (blank, step) = match quote {
            _ if comment => {
                comment = byte != b'\n';
                (comment, 1)
            }
            None if byte == b'#' => {
                comment = true;
                (true, 1)
            }
            None if matches!(byte, b'"' | b'\'') => {
                let long = if run(byte) == 3 { 3 } else { 1 };
                quote = Some((byte, long));
                (false, long)
            }
            None => (false, 1),
            Some(_) if byte == b'\\' => (true, 2),
            Some((mark, long)) if byte == mark && run(mark) >= long => {
                quote = None;
                (false, long)
            }
            Some((_, 1)) if byte == b'\n' => {
                quote = None;
                (false, 1)
            }
            Some(_) => (byte != b'\n', 1),
        };
        if blank {
            text.iter_mut().skip(at).take(step).filter(|byte| **byte != b'\n').for_each(|byte| *byte = b' ');
        }
        at += step;
    }
    text
}

/// The name that the bytes begin with.
fn word(bytes: &[u8]) -> Cow<'_, str> {
    const LONGEST: usize = 64;
    let end = bytes.iter().take(LONGEST).position(|&byte| !is_word(byte)).unwrap_or(bytes.len().min(LONGEST));
    String::from_utf8_lossy(bytes.get(..end).unwrap_or_default())
}

fn is_word(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'_'
}

fn is_start(text: &[u8], at: usize) -> bool {
    !at.checked_sub(1).and_then(|before| text.get(before)).is_some_and(|&byte| is_word(byte))
}

fn is_end(text: &[u8], at: usize) -> bool {
    !text.get(at).is_some_and(|&byte| is_word(byte))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::limits::Limits;

    fn found(text: &str) -> Vec<&'static str> {
        let limits = Limits::default();
        let mut scan = Scan::new(&limits);
        check(&text.as_bytes(), &mut scan).unwrap();
        [&OPERATOR, &PYTHON, &CUSTOM].iter().filter(|rule| scan.found(rule)).map(|rule| rule.id).collect()
    }

    #[test]
    fn what_reaches_files_is_told_from_mathematics() {
        let plain = "def forward(self, x: Tensor) -> Tensor:\n  return torch.relu(torch.loads(x))\n";
        assert!(found(plain).is_empty());
        assert!(
            found("  _0 = ops.quantized.linear(x, y)\n  z = torch.ops.torchvision.nms(a, b)\n").is_empty()
        );
        assert_eq!(found("  torch.save([x], \"out\")\n"), ["torchscript.operator"]);
        assert_eq!(found("  y = torch.from_file(\"/etc/passwd\", False, 10)\n"), ["torchscript.operator"]);
        assert_eq!(found("  y = torch.ops.evil.run(x)\n"), ["torchscript.custom"]);
        assert_eq!(found("  y = ops.aten.save(x, \"f\")\n"), ["torchscript.operator"]);
    }
    #[test]
    fn python_is_told_from_torchscript() {
        for line in [
            "__import__(\"os\").system(\"echo harmless\")",
            "exec(\"import os\")",
            "x = eval (y)",
            "import os",
            "x = y; from subprocess import run",
            "x.__class__.__subclasses__()",
            "x = \"closed\"; exec(y)",
            "x = \"never closed\n  exec(y)",
            "x = \"\"\"long\"\"\"; exec(y)",
        ] {
            assert_eq!(found(&format!("  {line}\n")), ["torchscript.python"], "{line}");
        }
        assert_eq!(found("  _0 = rpc_async(to, f)\n"), ["torchscript.operator"]);
        for line in [
            "def eval(self, x: Tensor) -> Tensor:",
            "_0 = (self).exec(x, )",
            "_0 = __torch__.net.open(x, )",
            "_0 = \"exec(x) and import os are words\"",
            "_0 = \"a \\\" exec(x)\"  # eval(x)",
            "import __torch__.torch.nn.modules.linear",
            "_0 = torch.compile_mode(x)",
        ] {
            assert!(found(&format!("  {line}\n")).is_empty(), "{line}");
        }
    }

    proptest! {
        #[test]
        fn blanking_keeps_every_byte_in_place(text in "[\"'#\\\\a-c\n]{0,60}") {
            let blanked = without_strings(text.clone().into_bytes());
            prop_assert_eq!(blanked.len(), text.len());
            let lines = |bytes: &[u8]| bytes.iter().filter(|byte| **byte == b'\n').count();
            prop_assert_eq!(lines(&blanked), lines(text.as_bytes()));
        }
    }
}
