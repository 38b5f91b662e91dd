//! Lines of findings in texts, for people and for the programs that show findings beside the text.

use crate::document::decode;
use crate::format::Format;
use crate::report::Finding;
use crate::source::{Source, read_up_to};

/// The longest text whose lines are counted, in bytes: readers of texts stop there too.
const LONGEST: u64 = 32 << 20;

/// Gives every finding that lies in the text itself its line. What cannot be read again has none.
pub(crate) fn number(findings: &mut [Finding], format: Format, source: &dyn Source) {
    let in_text = |finding: &&mut Finding| finding.members.is_empty() && finding.offset.is_some();
    let mut placed: Vec<&mut Finding> = findings.iter_mut().filter(in_text).collect();
    if placed.is_empty() || !is_text(format) || source.size() > LONGEST {
        return;
    }
    let Ok(bytes) = read_up_to(source, 0, usize::try_from(LONGEST).unwrap_or(usize::MAX)) else { return };
    // Readers count the bytes of the decoded text.
    let text = decode::text(&bytes);
    let mut breaks = memchr::memchr_iter(b'\n', text.as_bytes()).map(|at| at as u64).peekable();
    placed.sort_by_key(|finding| finding.offset);
    let mut line = 1;
    for finding in placed {
        while breaks.next_if(|&at| Some(at) < finding.offset).is_some() {
            line += 1;
        }
        finding.line = Some(line);
    }
}

/// Whether people read and change files of the format with an editor.
const fn is_text(format: Format) -> bool {
    matches!(
        format,
        Format::Pmml
            | Format::OpenVino
            | Format::Xml
            | Format::Json
            | Format::Yaml
            | Format::Jinja
            | Format::Notebook
            | Format::Python
            | Format::Script
            | Format::Kubernetes
            | Format::Compose
            | Format::Dockerfile
            | Format::Terraform
            | Format::Requirements
            | Format::Lock
            | Format::Text
    )
}

#[cfg(test)]
mod tests {
    use crate::{Limits, scan};

    fn lines(name: &str, bytes: &[u8]) -> Vec<Option<u64>> {
        scan(&bytes, name, &Limits::default()).findings.iter().map(|finding| finding.line).collect()
    }

    #[test]
    fn a_finding_in_a_text_has_the_line_that_an_editor_shows() {
        let python = "import torch\n\n\nmodel = torch.load('m.pt', weights_only=False)\n";
        assert_eq!(lines("a.py", python.as_bytes()), [Some(4)]);
        let marked = [b"\xef\xbb\xbf", python.as_bytes()].concat();
        assert_eq!(lines("a.py", &marked), [Some(4)], "a mark of the encoding is no line");
        let template = "{\n \"a\": 1,\n \"chat_template\": \"{{ x.__class__ }}\"\n}\n";
        assert_eq!(lines("tokenizer_config.json", template.as_bytes()), [Some(3)]);
        let wide: Vec<u8> =
            std::iter::once(0xfeff).chain(template.encode_utf16()).flat_map(u16::to_le_bytes).collect();
        assert_eq!(lines("tokenizer_config.json", &wide), [Some(3)]);
    }

    #[test]
    fn what_is_no_text_has_no_lines() {
        assert_eq!(lines("a.pkl", b"cos\nsystem\n(S'echo hello'\ntR."), [None]);
    }
}
