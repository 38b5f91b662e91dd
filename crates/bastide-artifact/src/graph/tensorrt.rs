//! TensorRT engines: compiled for one GPU, machine code and plug-ins included. The format is not published.

use bastide_types::{Assessment, Rule, Severity};

use crate::format::Glance;
use crate::halt::Parsed;
use crate::scan::Scan;

/// An engine.
pub(super) const ENGINE: Rule = Rule {
    id: "tensorrt.engine",
    severity: Severity::Medium,
    effect: Assessment::Review,
    title: "compiled TensorRT engine",
    why: "the runtime loads its machine code as it is, and NVIDIA says to load engines from trusted sources only",
    fix: "build the engine from the model on the machine that runs it",
    cwe: &[829],
    atlas: &["AML.T0011.000"],
};

/// Plans begin with `ptrt`, and with `ftrt` since TensorRT 8.
pub(super) fn recognise(glance: &Glance<'_>) -> bool {
    glance.head.len() >= 16
        && matches!(glance.head.get(..4), Some(b"ptrt" | b"ftrt"))
        && !glance.head.iter().take(64).all(|byte| matches!(byte, b' '..=b'~' | b'\t' | b'\r' | b'\n'))
}

pub(super) fn read(scan: &mut Scan<'_>) -> Parsed<()> {
    scan.find(&ENGINE, 0, "the file is machine code for a GPU");
    Ok(())
}

#[cfg(test)]
mod tests {
    use bastide_types::Assessment;

    use crate::{Format, Limits, scan};

    #[test]
    fn engines_are_reviewed_and_words_are_not_engines() {
        for magic in [b"ptrt", b"ftrt"] {
            let bytes = [magic.as_slice(), &[0; 60]].concat();
            let report = scan(&bytes, "model.engine", &Limits::default());
            assert_eq!((report.format, report.assessment()), (Format::TensorRt, Assessment::Review));
        }
        assert_ne!(
            scan(&b"ptrt is a word of text.".as_slice(), "a", &Limits::default()).format,
            Format::TensorRt
        );
    }
}
