//! Programs where weights are expected: ELF, PE, Mach-O, WebAssembly, Java and Python bytecode.

use bastide_types::{Assessment, Rule, Severity};

use crate::format::{Format, Glance};
use crate::halt::Parsed;
use crate::scan::Scan;
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

/// Notes that the file is a program, and looks at the texts in one of Python or of a shell.
pub(crate) fn read(source: &dyn Source, scan: &mut Scan<'_>) -> Parsed<()> {
    const TEXTS: usize = 4 << 20;
    /// The script that a program for many systems begins with.
    const PRELUDE: usize = 64 << 10;
    let mut bytes = read_up_to(source, 0, TEXTS)?;
    if let Some(kind) = kind(&bytes) {
        scan.find(&NATIVE, 0, kind);
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

/// A `.pyc` of CPython 3.7 and later: its number, flags, and a code object behind.
fn is_bytecode(head: &[u8]) -> bool {
    let Some(([n0, n1, b'\r', b'\n', 0..=3, 0, 0, 0], rest)) = head.split_first_chunk::<8>() else {
        return false;
    };
    (3390..4200).contains(&u16::from_le_bytes([*n0, *n1])) && matches!(rest.get(8), Some(0xe3 | b'c'))
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

    #[test]
    fn a_pickle_in_a_storage_is_telling_and_floats_are_not() {
        assert!(is_telling(b"\x80\x02cposix\nsystem\n", 100));
        assert!(is_telling(b"\x80\x04\x95\x10\0\0\0\0\0\0\0", 100));
        assert!(!is_telling(b"\x80\x04\x95\x10\0\0\0\0\0\0\x3f", 100));
        assert!(!is_telling(b"\x80\x02\x3f\x11", 100));
    }
}
