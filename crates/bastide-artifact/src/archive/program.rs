//! Programs where weights are expected: ELF, PE, Mach-O, WebAssembly, Java and Python bytecode.

use bastide_types::{Assessment, Rule, Severity};

use crate::format::{Format, Glance};
use crate::halt::Parsed;
use crate::scan::{Scan, shown};
use crate::source::{Source, read_up_to};
use crate::text::ATTACK;
use crate::text::shell::{self, Attack};

/// A program as it is.
pub(crate) const NATIVE: Rule = Rule {
    id: "program.native",
    severity: Severity::Medium,
    effect: Assessment::Review,
    title: "file is a program",
    why: "it runs as soon as somebody starts or links it; a scan of models does not judge machine code",
    fix: "run it only if you trust who built it, and in a sandbox",
    cwe: &[829],
    atlas: &["AML.T0011.000"],
};

/// A program where no library puts one.
pub(crate) const IN_MODEL: Rule = Rule {
    id: "program.in-model",
    severity: Severity::High,
    effect: Assessment::Malicious,
    title: "program among the weights",
    why: "no library writes machine code into a model of this kind: something else is meant to start it",
    fix: "do not load the model",
    cwe: &[506, 829],
    atlas: &["AML.T0010.003", "AML.T0018"],
};

/// A llamafile is both.
pub(crate) const LLAMAFILE: Rule = Rule {
    id: "program.llamafile",
    severity: Severity::Medium,
    effect: Assessment::Review,
    title: "model that is a program",
    why: "a llamafile is started, not loaded: the machine code before its weights runs with your rights",
    fix: "take the GGUF file and a runtime that you trust instead, or run it in a sandbox",
    cwe: &[829],
    atlas: &["AML.T0011.000"],
};

/// Adds the program that the file is.
pub(crate) fn recognise(glance: &Glance<'_>, formats: &mut Vec<Format>) {
    if kind(glance.head).is_some() {
        formats.push(Format::Executable);
    }
}

/// Endings of files that libraries open as models, and that are nothing else to anybody.
const MODELS: [&str; 24] = [
    "ckpt",
    "dill",
    "gguf",
    "h5",
    "hdf5",
    "joblib",
    "keras",
    "mar",
    "nemo",
    "npy",
    "npz",
    "onnx",
    "pickle",
    "pkl",
    "pt",
    "pt2",
    "pte",
    "pth",
    "rds",
    "safetensors",
    "skops",
    "t7",
    "tflite",
    "torch",
];

/// Endings of models that other programs have, too, but no bytecode.
const WEIGHTS: [&str; 5] = ["bin", "model", "params", "pb", "weights"];

/// Notes that the file is a program, and looks at the texts in one of Python or of a shell.
pub(crate) fn read(source: &dyn Source, name: &str, scan: &mut Scan<'_>) -> Parsed<()> {
    const TEXTS: usize = 4 << 20;
    /// The script that a program for many systems begins with.
    const PRELUDE: usize = 64 << 10;
    let mut bytes = read_up_to(source, 0, TEXTS)?;
    if let Some(kind) = kind(&bytes) {
        scan.find(&NATIVE, 0, kind);
        let ending = name.rsplit_once('.').map(|(_, ending)| ending.to_ascii_lowercase());
        let is_model = |ending: String| {
            MODELS.contains(&ending.as_str()) || (is_bytecode(&bytes) && WEIGHTS.contains(&ending.as_str()))
        };
        if ending.is_some_and(is_model) {
            scan.find(&IN_MODEL, 0, format!("`{}` is {kind}, and no model", shown(name)));
        }
    }
    let is_text_run = is_bytecode(&bytes) || bytes.starts_with(b"MZqFpD");
    if !is_text_run {
        return Ok(());
    }
    if !is_bytecode(&bytes) {
        bytes.truncate(PRELUDE);
    }
    scan.spend(bytes.len() as u64 / 16)?;
    for run in bytes.split(|byte| !matches!(byte, b' '..=b'~' | b'\t' | b'\n')).filter(|run| run.len() > 12) {
        let attack = std::str::from_utf8(run).ok().and_then(shell::attack);
        if let Some(attack) = attack.filter(|attack| *attack != Attack::Installer) {
            scan.find(&ATTACK, 0, format!("the program holds {}", attack.name()));
        }
    }
    Ok(())
}

/// What kind of program the bytes begin.
pub(crate) fn kind(head: &[u8]) -> Option<&'static str> {
    match head {
        [0x7f, b'E', b'L', b'F', 1 | 2, 1 | 2, 1, ..] => Some("a program or library for Unix (ELF)"),
        // Actually Portable Executable: a shell script, PE and Mach-O at once.
        [b'M', b'Z', b'q', b'F', b'p', b'D', ..] => Some("a program for many systems (APE)"),
        [b'M', b'Z', ..] if is_pe(head) => Some("a program or library for Windows (PE)"),
        [0xfe, 0xed, 0xfa, 0xce | 0xcf, 0, 0, 0, ..] | [0xce | 0xcf, 0xfa, 0xed, 0xfe, _, 0, 0, ..] => {
            Some("a program or library for macOS (Mach-O)")
        }
        // The count of architectures tells it from Java, whose version stands there.
        [0xca, 0xfe, 0xba, 0xbe | 0xbf, 0, 0, 0, 1..=20, ..] => {
            Some("a program or library for macOS (Mach-O)")
        }
        [0xca, 0xfe, 0xba, 0xbe, 0, _, 0, 45..=99, ..] => Some("a Java class"),
        [0, b'a', b's', b'm', 1, 0, 0, 0, ..] => Some("a WebAssembly module"),
        [b'd', b'e', b'x', b'\n', b'0', _, _, 0, ..] => Some("a program for Android (DEX)"),
        _ if is_bytecode(head) => Some("Python bytecode"),
        _ => None,
    }
}

fn is_pe(head: &[u8]) -> bool {
    let at = head.get(0x3c..0x40).and_then(|at| <[u8; 4]>::try_from(at).ok()).map(u32::from_le_bytes);
    let at = at.and_then(|at| usize::try_from(at).ok());
    at.is_some_and(|at| head.get(at..).is_some_and(|rest| rest.starts_with(b"PE\0\0")))
}

/// A `.pyc`: its number, which ends in a line break, and a code object behind a header whose length the number tells
/// (`Lib/importlib/_bootstrap_external.py`, PEP 552).
fn is_bytecode(head: &[u8]) -> bool {
    let Some((&[n0, n1, b'\r', b'\n'], rest)) = head.split_first_chunk::<4>() else { return false };
    let header = match u16::from_le_bytes([n0, n1]) {
        // PyPy numbers its own, up to 3.11, as CPython 3.7 and later do.
        224..=511 | 3390..=4999 if matches!(rest, [0..=3, 0, 0, 0, ..]) => 12,
        // Since 3.3 with the size of the source.
        48..=160 | 3200..=3389 => 8,
        // Python 2, and 3 before that.
        3000..=3199 | 20121..=62300 => 4,
        _ => return false,
    };
    rest.get(header..).is_some_and(is_code)
}

/// A code object as `marshal` writes it: its type, then counts of arguments, of variables and of the stack, and flags.
fn is_code(marshalled: &[u8]) -> bool {
    let [0xe3 | b'c', counts @ ..] = marshalled else { return false };
    let count = |bytes: &[u8]| bytes.first_chunk().map(|bytes| u32::from_le_bytes(*bytes));
    counts.len() >= 16
        && counts.chunks_exact(4).take(3).all(|bytes| count(bytes).is_some_and(|count| count < 1 << 16))
}

/// Whether a glance shows something that is worth recognising, in bytes that no loader opens as a file.
///
/// Weights begin with any bytes: each of these is longer than chance.
pub(crate) fn is_telling(head: &[u8], size: u64) -> bool {
    match head {
        [0x80, 4 | 5, 0x95, frame @ ..] => frame
            .first_chunk::<8>()
            .is_some_and(|frame| u64::from_le_bytes(*frame).checked_add(11).is_some_and(|end| end <= size)),
        [0x80, 2 | 3, b'c', rest @ ..] => {
            let line = rest.iter().take(64).take_while(|&&byte| byte != b'\n');
            let name = line.clone().count();
            (2..64).contains(&name)
                && line.clone().all(|&byte| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'.'))
        }
        [0x80, 2 | 3, b'}' | b']' | b'(', b'q', 0 | 1, ..] => true,
        [b'P', b'K', 3, 4, _, 0, ..] | [0x1f, 0x8b, 8, 0..=0x1f, ..] => true,
        [0xfd, b'7', b'z', b'X', b'Z', 0, ..] | [b'7', b'z', 0xbc, 0xaf, 0x27, 0x1c, ..] => true,
        _ => kind(head).is_some(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Limits, scan};

    #[test]
    fn programs_are_told_from_what_shares_their_first_bytes() {
        assert!(kind(b"\x7fELF\x02\x01\x01\0").is_some());
        let mut pe = vec![0; 0x100];
        pe[..2].copy_from_slice(b"MZ");
        assert_eq!(kind(&pe), None);
        pe[0x3c] = 0x80;
        pe[0x80..0x84].copy_from_slice(b"PE\0\0");
        assert!(kind(&pe).is_some());
        assert_eq!(kind(b"\xca\xfe\xba\xbe\0\0\0\x02").unwrap(), "a program or library for macOS (Mach-O)");
        assert_eq!(kind(b"\xca\xfe\xba\xbe\0\0\0\x34").unwrap(), "a Java class");
        assert_eq!(kind(b"MZ is a code"), None);
    }

    /// A `.pyc` with a number, a header of so many bytes behind it, and a code object.
    fn compiled(number: u16, header: usize) -> Vec<u8> {
        let code = [[0xe3].as_slice(), &[0; 12], &[1, 0, 0, 0, 0x40, 0, 0, 0, 0xf3]].concat();
        [number.to_le_bytes().as_slice(), b"\r\n", &vec![0; header], &code].concat()
    }

    #[test]
    fn bytecode_of_any_version_is_a_program_and_no_model() {
        let assessed = |bytes: &Vec<u8>, name| scan(bytes, name, &Limits::default()).assessment();
        for (number, header) in
            [(62_211, 4), (3131, 4), (3230, 8), (3379, 8), (3394, 12), (3495, 12), (3627, 12), (336, 12)]
        {
            let bytes = compiled(number, header);
            assert_eq!(kind(&bytes), Some("Python bytecode"), "{number}");
            assert_eq!(assessed(&bytes, "m.pyc"), Assessment::Review, "{number}");
            for name in ["m.pt", "m.PKL", "pytorch_model.bin", "m.safetensors"] {
                assert_eq!(assessed(&bytes, name), Assessment::Malicious, "{number} {name}");
            }
        }
        for other in [
            compiled(3495, 8),
            compiled(1000, 12),
            b"\xa7\r\r\ncccccccccccccccccccccccccccccccccccc".to_vec(),
        ] {
            assert_eq!(kind(&other), None);
        }
    }

    #[test]
    fn a_pickle_in_a_storage_is_telling_and_floats_are_not() {
        assert!(is_telling(b"\x80\x02cposix\nsystem\n", 100));
        assert!(is_telling(b"\x80\x04\x95\x10\0\0\0\0\0\0\0", 100));
        assert!(!is_telling(b"\x80\x04\x95\x10\0\0\0\0\0\0\x3f", 100));
        assert!(!is_telling(b"\x80\x02\x3f\x11", 100));
    }
}
