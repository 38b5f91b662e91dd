//! The blocks of Terraform files, read tolerantly: what stands where, not what it evaluates to.

/// One block: `resource "aws_s3_bucket" "models" { … }`.
#[derive(Debug, Default)]
pub(crate) struct Block {
    /// `resource`, `module`, `ingress`.
    pub(crate) kind: String,
    pub(crate) labels: Vec<String>,
    /// The block around it, by its place in the list.
    pub(crate) parent: Option<usize>,
    /// Names, the text of their values, and their lines.
    pub(crate) attributes: Vec<(String, String, usize)>,
}

impl Block {
    /// The value of an attribute, without quotes.
    pub(crate) fn get(&self, name: &str) -> Option<(&str, usize)> {
        let found = self.attributes.iter().find(|(key, _, _)| key == name);
        found.map(|(_, value, line)| (value.trim_matches('"'), *line))
    }
}

/// The most of everything that is kept.
const MANY: usize = 100_000;

/// The blocks of `text`, each after the one around it.
pub(crate) fn blocks(text: &str) -> Vec<Block> {
    let mut blocks: Vec<Block> = Vec::new();
    let mut open: Vec<usize> = Vec::new();
    // Brackets of a value that goes on over lines, and what closes a here-document.
    let mut depth = 0i64;
    let mut heredoc: Option<String> = None;
    let mut comment = false;
    for (number, line) in text.lines().enumerate() {
        if let Some(end) = &heredoc {
            if line.trim() == end {
                heredoc = None;
            } else {
                append(&mut blocks, &open, line);
            }
            continue;
        }
        let code = without_comment(line, &mut comment);
        let bare = code.trim();
        if bare.is_empty() || blocks.len() > MANY {
            continue;
        }
        if depth > 0 {
            append(&mut blocks, &open, bare);
            depth += brackets(bare);
            continue;
        }
        if bare.starts_with('}') {
            open.pop();
            continue;
        }
        if let Some((name, value)) = assignment(bare) {
            let here = value
                .trim_start()
                .strip_prefix("<<")
                .map(|end| end.trim_start_matches('-').trim().to_owned());
            heredoc = here.filter(|end| !end.is_empty());
            depth = brackets(value).max(0);
            let attribute = (name.to_owned(), value.trim().to_owned(), number + 1);
            if let Some(block) = open.last().and_then(|&at| blocks.get_mut(at)) {
                block.attributes.push(attribute);
            } else {
                blocks.push(Block { attributes: vec![attribute], ..Block::default() });
            }
        } else if let Some(head) = bare.split_once('{').map(|(head, _)| head) {
            let mut words = head.split_whitespace().map(|word| word.trim_matches('"').to_owned());
            let kind = words.next().unwrap_or_default();
            let block =
                Block { kind, labels: words.collect(), parent: open.last().copied(), attributes: Vec::new() };
            blocks.push(block);
            let at = blocks.len() - 1;
            // `block { name = value }` on one line.
            let body = bare.split_once('{').map_or("", |(_, body)| body).trim();
            if let Some(inner) = body.strip_suffix('}') {
                if let (Some((name, value)), Some(block)) = (assignment(inner.trim()), blocks.get_mut(at)) {
                    block.attributes.push((name.to_owned(), value.trim().to_owned(), number + 1));
                }
            } else {
                open.push(at);
            }
        }
    }
    blocks
}

/// Adds to the value that goes on.
fn append(blocks: &mut [Block], open: &[usize], line: &str) {
    const LONGEST: usize = 64 << 10;
    let block = match open.last() {
        Some(&at) => blocks.get_mut(at),
        None => blocks.last_mut(),
    };
    if let Some((_, value, _)) = block.and_then(|block| block.attributes.last_mut())
        && value.len() < LONGEST
    {
        value.push('\n');
        value.push_str(line);
    }
}

/// `name = value`, and not `name == value`.
fn assignment(line: &str) -> Option<(&str, &str)> {
    let (name, value) = line.split_once('=')?;
    let name = name.trim().trim_matches('"');
    let plain =
        !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"_-.".contains(&byte));
    (plain && !value.starts_with('=')).then_some((name, value))
}

/// How many more brackets open than close, outside of strings.
fn brackets(text: &str) -> i64 {
    let mut quoted = false;
    let mut escaped = false;
    let mut depth = 0;
    for byte in text.bytes() {
        match byte {
            _ if escaped => escaped = false,
            b'\\' if quoted => escaped = true,
            b'"' => quoted = !quoted,
            b'{' | b'[' | b'(' if !quoted => depth += 1,
            b'}' | b']' | b')' if !quoted => depth -= 1,
            _ => {}
        }
    }
    depth
}

/// The line without `#`, `//` and `/* */`.
fn without_comment<'t>(line: &'t str, inside: &mut bool) -> &'t str {
    if *inside {
        let Some(end) = line.find("*/") else { return "" };
        *inside = false;
        return line.get(end + 2..).unwrap_or_default();
    }
    let bytes = line.as_bytes();
    let mut quoted = false;
    for (at, byte) in bytes.iter().enumerate() {
        let next = bytes.get(at + 1);
        match byte {
            b'"' => quoted = !quoted,
            b'#' if !quoted => return line.get(..at).unwrap_or_default(),
            b'/' if !quoted && next == Some(&b'/') => return line.get(..at).unwrap_or_default(),
            b'/' if !quoted && next == Some(&b'*') => {
                *inside = !line.get(at..).is_some_and(|rest| rest.contains("*/"));
                return line.get(..at).unwrap_or_default();
            }
            _ => {}
        }
    }
    line
}
