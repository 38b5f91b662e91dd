//! Where each policy stands in the text, and limits on what the parser is given.
//!
//! Cedar's parser, checker and destructors walk trees recursively. A text nested a hundred thousand deep overflows
//! the stack while it is dropped, which no error handling survives; so depth and length are bounded before parsing.

use crate::error::PolicyProblem;

/// Bytes of a whole policy text: forty thousand policies of ordinary size, or a second or two of parsing.
pub(crate) const MAX_TEXT_BYTES: usize = 8 << 20;
/// Bytes of one policy: a list of some thousand model names.
const MAX_POLICY_BYTES: usize = 64 << 10;
/// Nested brackets in one policy.
const MAX_DEPTH: u32 = 32;
/// Operators in one policy; each may add a level to its tree.
const MAX_OPERATORS: u32 = 512;

/// The line and column (both from 1, columns in characters) of each statement.
#[derive(Debug, Default)]
pub(crate) struct Layout {
    line_starts: Vec<usize>,
    statements: Vec<usize>,
}

#[derive(Clone, Copy, PartialEq)]
enum Mode {
    Code,
    Quoted,
    Comment,
}

impl Layout {
    /// Scans the text once. Knows strings, comments and brackets; leaves everything else to the parser.
    pub(crate) fn scan(text: &str) -> Result<Layout, PolicyProblem> {
        let mut layout = Layout { line_starts: vec![0], statements: Vec::new() };
        if text.len() > MAX_TEXT_BYTES {
            return Err(layout.problem(
                text,
                0,
                format!("the text has {} bytes; at most {MAX_TEXT_BYTES} are read", text.len()),
                "merge policies that differ only in a name into one that lists the names",
            ));
        }
        let (mut mode, mut depth, mut operators) = (Mode::Code, 0u32, 0u32);
        let mut open: Option<usize> = None;
        let mut previous = b' ';
        let mut escaped = false;
        for (at, byte) in text.bytes().enumerate() {
            if byte == b'\n' {
                layout.line_starts.push(at + 1);
            }
            match mode {
                // Cedar ends a comment at either: what follows a lone carriage return is code.
                Mode::Comment if byte == b'\n' || byte == b'\r' => mode = Mode::Code,
                Mode::Comment => {}
                Mode::Quoted if escaped => escaped = false,
                Mode::Quoted if byte == b'\\' => escaped = true,
                Mode::Quoted if byte == b'"' => mode = Mode::Code,
                Mode::Quoted => {}
                Mode::Code => {
                    if byte == b'/' && previous == b'/' {
                        mode = Mode::Comment;
                        // The first slash did not begin a statement.
                        if open == at.checked_sub(1) {
                            open = None;
                        }
                        previous = b' ';
                        continue;
                    }
                    if !byte.is_ascii_whitespace() && open.is_none() {
                        open = Some(at);
                    }
                    match byte {
                        b'"' => mode = Mode::Quoted,
                        b'(' | b'[' | b'{' => depth = depth.saturating_add(1),
                        b')' | b']' | b'}' => depth = depth.saturating_sub(1),
                        // `if`, `else`, `has`, `like`, `in`, `is` by their first letter after a blank: counting some
                        // other words too does no harm.
                        b'&' | b'|' | b'.' | b'+' | b'-' | b'*' | b'!' | b'<' | b'>' | b'=' => operators += 1,
                        b'i' | b'e' | b'h' | b'l' if !previous.is_ascii_alphanumeric() => operators += 1,
                        _ => {}
                    }
                    let begin = open.unwrap_or(at);
                    let complaint = if depth > MAX_DEPTH {
                        Some((
                            format!("brackets are nested more than {MAX_DEPTH} deep"),
                            "simplify the condition",
                        ))
                    // Most operators have two characters.
                    } else if operators > 2 * MAX_OPERATORS {
                        Some((
                            format!("one policy has more than {MAX_OPERATORS} operators"),
                            "use `[..].contains(..)` instead of a chain of `||`, or split the policy",
                        ))
                    } else if at - begin > MAX_POLICY_BYTES {
                        Some((
                            format!("one policy has more than {MAX_POLICY_BYTES} bytes"),
                            "end policies with `;`, and split long lists",
                        ))
                    } else {
                        None
                    };
                    if let Some((detail, remedy)) = complaint {
                        return Err(layout.problem(text, begin, detail, remedy));
                    }
                    if byte == b';' && depth == 0 {
                        layout.statements.extend(open.take());
                        operators = 0;
                    }
                    previous = byte;
                }
            }
        }
        layout.statements.extend(open);
        Ok(layout)
    }

    /// The byte at which the policy with this place in the text begins.
    pub(crate) fn statement(&self, index: usize) -> Option<usize> {
        self.statements.get(index).copied()
    }

    /// Line and column of a byte.
    pub(crate) fn position(&self, text: &str, offset: usize) -> (usize, usize) {
        let line = self.line_starts.partition_point(|s| *s <= offset).max(1);
        let start = self.line_starts.get(line - 1).copied().unwrap_or(0);
        let column = text.get(start..offset).map_or(1, |s| s.chars().count() + 1);
        (line, column)
    }

    fn problem(&self, text: &str, offset: usize, detail: String, remedy: &'static str) -> PolicyProblem {
        let (line, column) = self.position(text, offset);
        PolicyProblem { policy: None, line, column, detail, remedy: remedy.into() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn statements_are_found_past_comments_and_strings() {
        let text = "// a; b\n@id(\"x;\\\"y\")\npermit (principal, action, resource);\n\n  forbid(a, // ;\n b, c) ; // end";
        let layout = Layout::scan(text).unwrap();
        let at: Vec<_> = layout.statements.iter().map(|s| layout.position(text, *s)).collect();
        assert_eq!(at, [(2, 1), (5, 3)]);
    }

    #[test]
    fn columns_count_characters() {
        let text = "é permit";
        let layout = Layout::scan(text).unwrap();
        assert_eq!(layout.position(text, 3), (1, 3));
    }

    #[test]
    fn deep_long_and_endless_texts_are_refused() {
        assert!(Layout::scan(&"(".repeat(MAX_DEPTH as usize + 1)).unwrap_err().detail.contains("nested"));
        assert!(
            Layout::scan(&format!("// x\r{}", "(".repeat(100_000))).is_err(),
            "a carriage return ends a comment"
        );
        assert!(Layout::scan(&"a && ".repeat(10_000)).unwrap_err().detail.contains("operators"));
        assert!(Layout::scan(&"a ".repeat(MAX_POLICY_BYTES)).unwrap_err().detail.contains("bytes"));
        assert!(Layout::scan(&" ".repeat(MAX_TEXT_BYTES + 1)).is_err());
    }
}
