//! The tags of a template and the words in them: enough to see names where the template does not parse.

/// One tag, from its opening to its closing braces.
pub(super) struct Tag<'t> {
    /// Offset of its content in the template.
    at: usize,
    content: &'t str,
}

/// The tags of `text` that are not comments. A tag without an end reaches to the end of the text.
pub(super) fn tags(text: &str) -> Vec<Tag<'_>> {
    let bytes = text.as_bytes();
    let mut tags = Vec::new();
    let mut at = 0;
    while let Some(open) = memchr::memchr(b'{', bytes.get(at..).unwrap_or_default()).map(|n| n + at) {
        let close = match bytes.get(open + 1) {
            Some(b'{') => *b"}}",
            Some(b'%') => *b"%}",
            Some(b'#') => {
                at = text
                    .get(open + 2..)
                    .and_then(|rest| rest.find("#}"))
                    .map_or(bytes.len(), |n| open + n + 4);
                continue;
            }
            _ => {
                at = open + 1;
                continue;
            }
        };
        let end = end_of(bytes, open + 2, close);
        if let Some(content) = text.get(open + 2..end) {
            tags.push(Tag { at: open + 2, content });
        }
        at = end.saturating_add(2).min(bytes.len());
    }
    tags
}

/// Where the tag closes: braces within strings do not count.
fn end_of(bytes: &[u8], from: usize, close: [u8; 2]) -> usize {
    let mut at = from;
    let mut quote = None;
    while let Some(&byte) = bytes.get(at) {
        match quote {
            Some(_) if byte == b'\\' => at += 1,
            Some(mark) if byte == mark => quote = None,
            Some(_) => {}
            None if bytes.get(at..at + 2) == Some(&close) => return at,
            None if byte == b'\'' || byte == b'"' => quote = Some(byte),
            None => {}
        }
        at += 1;
    }
    bytes.len()
}

/// Whether the tree of these tags could be deeper than `most` for one expression or condition.
pub(super) fn too_deep(tags: &[Tag<'_>], most: usize) -> bool {
    let mut branches = 0;
    for tag in tags {
        match tag.word() {
            "elif" => branches += 1,
            "if" => branches = 0,
            _ => {}
        }
        if branches > most || tag.operators() > most {
            return true;
        }
    }
    false
}

/// `text` with spaces in place of the tags that begin with one of `words`; nothing moves.
pub(super) fn blank(text: &str, tags: &[Tag<'_>], words: &[&str]) -> String {
    let mut blanked = text.to_owned();
    for tag in tags.iter().filter(|tag| words.contains(&tag.word())) {
        let range = tag.at - 2..(tag.at + tag.content.len() + 2).min(text.len());
        let spaces = " ".repeat(range.len());
        blanked.replace_range(range, &spaces);
    }
    blanked
}

impl Tag<'_> {
    /// Its first word, such as `if`.
    fn word(&self) -> &str {
        let rest = self.content.trim_start_matches(['-', '+']).trim_start();
        rest.split(|c: char| !c.is_alphanumeric() && c != '_').next().unwrap_or_default()
    }

    fn operators(&self) -> usize {
        let mut quote = None;
        let mut escaped = false;
        let mut count = 0;
        let mut before = b' ';
        for byte in self.content.bytes() {
            let apart = before.is_ascii_whitespace();
            before = byte;
            match quote {
                Some(_) if escaped => escaped = false,
                Some(_) if byte == b'\\' => escaped = true,
                Some(mark) if byte == mark => quote = None,
                Some(_) => {}
                None if byte == b'\'' || byte == b'"' => quote = Some(byte),
                None if b"~+-*/%|.[({<>=!".contains(&byte) => count += 1,
                // Words may be operators too: `and`, `or`, `not`, `in`, `is`, `if`.
                None if apart && b"aoniAONI".contains(&byte) => count += 1,
                None => {}
            }
        }
        count
    }

    /// Its identifiers and strings with their offsets in the template. Strings joined by operators are one.
    pub(super) fn names(&self) -> Vec<(usize, String)> {
        let mut names: Vec<(usize, String)> = Vec::new();
        let mut joined = false;
        let mut chars = self.content.char_indices().peekable();
        while let Some((at, c)) = chars.next() {
            if c == '\'' || c == '"' {
                let mut raw = String::new();
                while let Some((_, next)) = chars.next() {
                    match next {
                        '\\' => {
                            raw.push(next);
                            raw.extend(chars.next().map(|(_, c)| c));
                        }
                        _ if next == c => break,
                        _ => raw.push(next),
                    }
                }
                let text = unescape(&raw);
                match names.last_mut() {
                    Some((_, last)) if joined => last.push_str(&text),
                    _ => names.push((self.at + at, text)),
                }
                joined = true;
            } else if c.is_alphabetic() || c == '_' {
                let mut word = String::from(c);
                while let Some((_, next)) = chars.next_if(|(_, next)| next.is_alphanumeric() || *next == '_')
                {
                    word.push(next);
                }
                names.push((self.at + at, word));
                joined = false;
            } else if !c.is_whitespace() && !matches!(c, '~' | '+' | ',' | '(') {
                joined = false;
            }
        }
        names
    }
}

/// Escapes of Python's strings.
pub(crate) fn unescape(raw: &str) -> String {
    let mut text = String::with_capacity(raw.len());
    let mut rest = raw;
    while let Some(at) = rest.find('\\') {
        text.push_str(&rest[..at]);
        rest = &rest[at + 1..];
        let digits = match rest.as_bytes().first() {
            Some(b'x') => 2,
            Some(b'u') => 4,
            Some(b'U') => 8,
            _ => 0,
        };
        let value = rest.get(1..=digits).and_then(|hex| u32::from_str_radix(hex, 16).ok());
        let octal = rest.bytes().take(3).take_while(|byte| (b'0'..=b'7').contains(byte)).count();
        if let Some(c) = value.filter(|_| digits > 0).and_then(char::from_u32) {
            text.push(c);
            rest = &rest[digits + 1..];
        } else if octal > 0 {
            let value = u32::from_str_radix(&rest[..octal], 8).ok().and_then(char::from_u32);
            text.extend(value);
            rest = &rest[octal..];
        }
    }
    text.push_str(rest);
    text
}
