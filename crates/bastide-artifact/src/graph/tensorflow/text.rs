//! The text form of graphs (`.pbtxt`): read word by word, for the operations and the texts beside them.

use super::node::{decides, settle};
use super::program::{Body, INPUTS, Node, Program, TEXTS};
use crate::format::Format;
use crate::halt::{Halt, Parsed};
use crate::scan::Scan;
use crate::source::{Cursor, Source};

/// Bytes in which a text form shows itself.
pub(super) const MARK: usize = 64 << 10;

/// The longest text kept; the rest is passed over.
const LONGEST: usize = 4096;

/// What the text begins with.
pub(super) fn recognise(head: &[u8]) -> Option<Format> {
    let text = head.get(..head.len().min(MARK))?;
    let mut lines = text.split(|byte| *byte == b'\n').map(<[u8]>::trim_ascii);
    let first = lines.find(|line| !line.is_empty() && !line.starts_with(b"#"))?;
    let end = first.iter().position(|byte| !byte.is_ascii_alphanumeric() && *byte != b'_')?;
    let (word, rest) = first.split_at(end);
    let opens = matches!(rest.trim_ascii_start().first(), Some(b'{' | b':' | b'<'));
    let holds = |mark: &[u8]| memchr::memmem::find(text, mark).is_some();
    match word {
        b"saved_model_schema_version" | b"meta_graphs" if opens => Some(Format::SavedModel),
        b"meta_info_def" | b"graph_def" if opens => Some(Format::MetaGraph),
        b"node" | b"library" | b"versions" | b"version" if opens && (holds(b"op:") || holds(b"op :")) => {
            Some(Format::GraphDef)
        }
        _ => None,
    }
}

/// Reads the file.
pub(super) fn read(source: &dyn Source, scan: &mut Scan<'_>) -> Parsed<()> {
    let mut reader = Reader {
        cursor: Cursor::new(source),
        program: Program::default(),
        graph: Body::default(),
        function: Body::default(),
    };
    let result = reader.words(scan);
    let Reader { mut program, graph, function, .. } = reader;
    let kept = program.body(graph).and(program.body(function));
    result.and(kept).and(settle(&program, scan))
}

struct Reader<'a> {
    cursor: Cursor<'a>,
    program: Program,
    graph: Body,
    /// The function that is being read.
    function: Body,
}

/// One word of the text.
enum Word {
    Name(String),
    Text(String),
    Open,
    Close,
    Other,
}

impl Reader<'_> {
    /// Follows the nesting by the names before the braces; a node ends where its brace closes.
    fn words(&mut self, scan: &mut Scan<'_>) -> Parsed<()> {
        let mut open: Vec<String> = Vec::new();
        let (mut last, mut key) = (String::new(), String::new());
        let mut node = Node::default();
        while let Some(word) = self.word()? {
            scan.spend(1)?;
            match word {
                Word::Name(name) => {
                    node.textual |= last == "type" && name == "DT_STRING";
                    last = name;
                }
                Word::Open => {
                    if open.len() >= 256 {
                        return Err(Halt::limit("256 levels of messages"));
                    }
                    match last.as_str() {
                        "node" | "node_def" => {
                            node = Node { at: self.cursor.position(), ..Node::default() };
                        }
                        "function" => self.end_function()?,
                        _ => {}
                    }
                    open.push(std::mem::take(&mut last));
                }
                Word::Close => match open.pop().as_deref() {
                    Some("node") => self.program.node(&mut self.graph, std::mem::take(&mut node))?,
                    Some("node_def") => self.program.node(&mut self.function, std::mem::take(&mut node))?,
                    Some("function") => self.end_function()?,
                    _ => {}
                },
                Word::Text(text) => match (open.last().map(String::as_str), last.as_str()) {
                    (Some("node" | "node_def"), "name") => node.name = text,
                    (Some("node" | "node_def"), "op") => node.operation = text,
                    (Some("node" | "node_def"), "input") if node.inputs.len() < INPUTS => {
                        node.inputs.push(text);
                    }
                    (Some("signature"), "name") => self.function.name = text,
                    (Some("input_arg"), "name") => self.function.arguments.push(text),
                    (Some("ret"), "value") => self.function.results.push(text),
                    (Some("func"), "name") if node.functions.len() < TEXTS => node.functions.push(text),
                    (Some("attr"), "key") => key = text,
                    (_, "s" | "string_val") if decides(&key) && node.texts.len() < TEXTS => {
                        node.texts.push((key.clone(), text));
                    }
                    _ => {}
                },
                Word::Other => {}
            }
        }
        Ok(())
    }

    fn end_function(&mut self) -> Parsed<()> {
        let function = std::mem::take(&mut self.function);
        if function.name.is_empty() && function.nodes.is_empty() {
            return Ok(());
        }
        self.program.body(function)
    }

    fn byte(&mut self) -> Parsed<Option<u8>> {
        let byte = self.cursor.peek(1)?.first().copied();
        if byte.is_some() {
            self.cursor.skip(1)?;
        }
        Ok(byte)
    }

    fn word(&mut self) -> Parsed<Option<Word>> {
        loop {
            let Some(byte) = self.byte()? else { return Ok(None) };
            return Ok(Some(match byte {
                b' ' | b'\t' | b'\r' | b'\n' | b':' | b';' | b',' => continue,
                b'#' => {
                    while !matches!(self.byte()?, None | Some(b'\n')) {}
                    continue;
                }
                b'{' | b'<' => Word::Open,
                b'}' | b'>' => Word::Close,
                b'"' | b'\'' => Word::Text(self.text(byte)?),
                byte if byte.is_ascii_alphanumeric() || byte == b'_' => Word::Name(self.name(byte)?),
                _ => Word::Other,
            }));
        }
    }

    fn name(&mut self, first: u8) -> Parsed<String> {
        let mut name = vec![first];
        while let Some(&byte) = self.cursor.peek(1)?.first() {
            if !byte.is_ascii_alphanumeric() && !matches!(byte, b'_' | b'.' | b'-' | b'+') {
                break;
            }
            self.cursor.skip(1)?;
            if name.len() < LONGEST {
                name.push(byte);
            }
        }
        Ok(String::from_utf8_lossy(&name).into_owned())
    }

    /// A text and those that follow it directly: the format joins them.
    fn text(&mut self, mut quote: u8) -> Parsed<String> {
        let mut text = Vec::new();
        loop {
            let at = self.cursor.position();
            match self.byte()? {
                None => return Err(Halt::Truncated { offset: at }),
                Some(byte) if byte == quote => {
                    while matches!(self.cursor.peek(1)?.first(), Some(b' ' | b'\t' | b'\r' | b'\n')) {
                        self.cursor.skip(1)?;
                    }
                    match self.cursor.peek(1)?.first() {
                        Some(&next @ (b'"' | b'\'')) => {
                            quote = next;
                            self.cursor.skip(1)?;
                        }
                        _ => return Ok(String::from_utf8_lossy(&text).into_owned()),
                    }
                }
                Some(byte) => {
                    let byte = if byte == b'\\' { self.escape()? } else { byte };
                    if text.len() < LONGEST {
                        text.push(byte);
                    }
                }
            }
        }
    }

    fn escape(&mut self) -> Parsed<u8> {
        let byte = self.byte()?.unwrap_or_default();
        Ok(match byte {
            b'n' => b'\n',
            b't' => b'\t',
            b'r' => b'\r',
            b'0'..=b'7' => self.digits(u32::from(byte - b'0'), 8, 2)?,
            b'x' | b'X' => self.digits(0, 16, 2)?,
            byte => byte,
        })
    }

    fn digits(&mut self, first: u32, radix: u32, most: u32) -> Parsed<u8> {
        let mut value = first;
        for _ in 0..most {
            let digit = self.cursor.peek(1)?.first().and_then(|byte| char::from(*byte).to_digit(radix));
            let Some(digit) = digit else { break };
            self.cursor.skip(1)?;
            value = value * radix + digit;
        }
        Ok(value.to_le_bytes()[0])
    }
}
