//! Server-sent events (WHATWG HTML, section 9.2) in every style that a provider has been seen to use.

/// How events are written.
#[derive(Clone, Copy, Debug)]
pub struct SseStyle {
    /// `"\n"`, `"\r\n"` or `"\r"`.
    pub line_end: &'static str,
    /// A blank after `data:`.
    pub space: bool,
    /// A comment before each event, as providers send to keep idle connections open.
    pub comments: bool,
    /// Event data over two `data:` lines, cut at a comma of the JSON.
    pub multi_line: bool,
    /// A byte order mark at the start.
    pub mark: bool,
    /// `data: [DONE]` at the end.
    pub done: bool,
}

impl Default for SseStyle {
    fn default() -> Self {
        SseStyle { line_end: "\n", space: true, comments: false, multi_line: false, mark: false, done: true }
    }
}

impl SseStyle {
    /// Each event's bytes, framed, with `[DONE]` last where the style has it.
    #[must_use]
    pub fn frame(&self, events: &[String]) -> Vec<Vec<u8>> {
        let mut out: Vec<Vec<u8>> = events.iter().map(|event| self.event(event)).collect();
        if self.done {
            out.push(self.event("[DONE]"));
        }
        if self.mark
            && let Some(first) = out.first_mut()
        {
            first.splice(0..0, *b"\xef\xbb\xbf");
        }
        out
    }

    fn event(&self, data: &str) -> Vec<u8> {
        let mut out = String::new();
        if self.comments {
            out.push_str(": keep-alive");
            out.push_str(self.line_end);
        }
        let cut = if self.multi_line { data.find(',').map(|at| at + 1) } else { None };
        let (first, second) = data.split_at_checked(cut.unwrap_or(data.len())).unwrap_or((data, ""));
        for line in [first, second].into_iter().filter(|line| !line.is_empty()) {
            out.push_str(if self.space { "data: " } else { "data:" });
            out.push_str(line);
            out.push_str(self.line_end);
        }
        out.push_str(self.line_end);
        out.into_bytes()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn framed(style: SseStyle) -> String {
        String::from_utf8(style.frame(&["{\"a\":1,\"b\":2}".to_owned()]).concat()).unwrap()
    }

    #[test]
    fn styles() {
        let plain = SseStyle::default();
        assert_eq!(framed(plain), "data: {\"a\":1,\"b\":2}\n\ndata: [DONE]\n\n");
        assert_eq!(
            framed(SseStyle { line_end: "\r\n", space: false, done: false, ..plain }),
            "data:{\"a\":1,\"b\":2}\r\n\r\n"
        );
        assert_eq!(
            framed(SseStyle { comments: true, multi_line: true, mark: true, done: false, ..plain }),
            "\u{feff}: keep-alive\ndata: {\"a\":1,\ndata: \"b\":2}\n\n"
        );
    }
}
