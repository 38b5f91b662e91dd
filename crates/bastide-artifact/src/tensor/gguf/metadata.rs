//! The metadata of a GGUF file.

use super::super::keys::Keys;
use super::super::proof::{Proof, flaw};
use super::wire::Wire;
use crate::document;
use crate::halt::Halt;
use crate::scan::{Scan, shown};

/// As the specification says: keys of at most 2^16 - 1 bytes.
const LONGEST_KEY: usize = (1 << 16) - 1;
/// Lists of lists are in the specification, and no writer nests them further.
const DEEPEST_LIST: u32 = 4;
const DEFAULT_ALIGNMENT: u64 = 32;
/// Texts of other keys beyond this are data.
const LONGEST_TEXT: usize = 1 << 20;

const UINT32: u32 = 4;
const BOOL: u32 = 7;
const STRING: u32 = 8;
const ARRAY: u32 = 9;

/// Reads `keys` pairs; gives the alignment of the tensors.
pub(super) fn read(wire: &mut Wire<'_>, keys: u64, scan: &mut Scan<'_>) -> Proof<u64> {
    let mut alignment = DEFAULT_ALIGNMENT;
    let mut seen = Keys::default();
    let mut vocabulary = Vocabulary::default();
    for _ in 0..keys {
        scan.spend(1)?;
        let at = wire.cursor.position();
        let key = wire.string(LONGEST_KEY, "metadata key")?;
        if key.is_empty() || key.chars().any(char::is_control) {
            return flaw(at, format!("`{}` is not a metadata key", shown(&key)));
        }
        let kind = wire.u32()?;
        let value_at = wire.cursor.position();
        match (key.as_str(), kind) {
            ("general.alignment", UINT32) => alignment = u64::from(wire.u32()?),
            ("general.alignment", _) => return flaw(value_at, "`general.alignment` is not a 32 bit number"),
            ("general.architecture", kind) if kind != STRING => {
                return flaw(value_at, "`general.architecture` is not a string");
            }
            (_, STRING) => string(wire, &key, scan)?,
            (key, ARRAY) if vocabulary.has(key) => {
                let start = wire.cursor.position();
                wire.u32()?;
                vocabulary.note(key, wire.count()?, value_at);
                wire.cursor.seek(start);
                list(wire, 0, scan)?;
            }
            (_, ARRAY) if is_template(&key) => templates(wire, scan)?,
            _ => skip(wire, kind, 0, scan)?,
        }
        if !alignment.is_power_of_two() || !alignment.is_multiple_of(8) {
            return flaw(value_at, format!("tensors cannot be aligned to {alignment} bytes"));
        }
        seen.add(&key, at)?;
    }
    vocabulary.prove()?;
    match seen.twice() {
        Some(at) => flaw(at, "a metadata key stands twice"),
        None => Ok(alignment),
    }
}

/// The lists that describe the same tokens: loaders read the others as far as there are tokens.
#[derive(Default)]
struct Vocabulary {
    tokens: Option<u64>,
    /// Scores and types, with where they stand.
    others: [Option<(u64, u64)>; 2],
}

impl Vocabulary {
    fn has(&self, key: &str) -> bool {
        matches!(key, "tokenizer.ggml.tokens" | "tokenizer.ggml.scores" | "tokenizer.ggml.token_type")
    }

    fn note(&mut self, key: &str, count: u64, at: u64) {
        let [scores, types] = &mut self.others;
        match key {
            "tokenizer.ggml.tokens" => self.tokens = Some(count),
            "tokenizer.ggml.scores" => *scores = Some((count, at)),
            _ => *types = Some((count, at)),
        }
    }

    fn prove(&self) -> Proof<()> {
        let Some(tokens) = self.tokens else { return Ok(()) };
        match self.others.iter().flatten().find(|(count, _)| *count < tokens) {
            Some((count, at)) => flaw(*at, format!("{tokens} tokens have {count} scores or types")),
            None => Ok(()),
        }
    }
}

fn string(wire: &mut Wire<'_>, key: &str, scan: &mut Scan<'_>) -> Proof<()> {
    let property = property(key);
    let is_template = is_template(key);
    let length = wire.length()?;
    let at = wire.cursor.position();
    let size = usize::try_from(length).unwrap_or(usize::MAX);
    if property.is_none() && !is_template && size > LONGEST_TEXT {
        return Ok(wire.cursor.skip(length)?);
    }
    if size > scan.limits.structure_bytes {
        return Err(Halt::limit(format!(
            "{} of one text",
            crate::halt::size(scan.limits.structure_bytes as u64)
        ))
        .into());
    }
    let text = String::from_utf8_lossy(wire.cursor.take(size)?).into_owned();
    if let Some(property) = property {
        scan.facts.property(property, &text);
    }
    if is_template {
        document::template(&text, at, scan);
    } else if !key.starts_with("general.") || is_chain(&text) {
        // What is said of the model there is shown to people; a chain of internals is a template all the same.
        document::template_text(&text, at, scan);
    }
    Ok(())
}

/// Whether the text holds more names of Python's own than a description that speaks of one.
fn is_chain(text: &str) -> bool {
    const MARKS: usize = 4;
    text.matches("__").nth(MARKS).is_some()
}

/// Whether a program renders the text under this key: `tokenizer.chat_template.NAME`, `adapter.prompt_template`.
fn is_template(key: &str) -> bool {
    key.contains("template")
}

/// The place of a key in a bill of materials.
fn property(key: &str) -> Option<&'static str> {
    Some(match key {
        "general.architecture" => "architecture",
        "general.name" => "name",
        "general.author" => "author",
        "general.version" => "version",
        "general.license" => "licence",
        "general.description" => "description",
        "general.base_model.0.name" => "base_model",
        "general.dataset.0.name" => "dataset",
        "general.type" => "model_type",
        "adapter.type" => "adapter",
        _ => return None,
    })
}

/// Bytes of a value of `kind`, where they are fixed; of others, the least.
fn least(kind: u32, short_counts: bool) -> Option<u64> {
    Some(match kind {
        0 | 1 | BOOL => 1,
        2 | 3 => 2,
        4..=6 => 4,
        10..=12 => 8,
        STRING if short_counts => 4,
        STRING => 8,
        ARRAY if short_counts => 8,
        ARRAY => 12,
        _ => return None,
    })
}

fn skip(wire: &mut Wire<'_>, kind: u32, depth: u32, scan: &mut Scan<'_>) -> Proof<()> {
    let at = wire.cursor.position();
    let Some(size) = least(kind, wire.short_counts) else {
        return flaw(at, format!("{kind} is not a type of metadata"));
    };
    match kind {
        STRING => wire.skip_string(),
        ARRAY => list(wire, depth, scan),
        BOOL => match wire.cursor.u8()? {
            0 | 1 => Ok(()),
            other => flaw(at, format!("a truth value is {other}")),
        },
        _ => Ok(wire.cursor.skip(size)?),
    }
}

/// A list under a key of templates.
fn templates(wire: &mut Wire<'_>, scan: &mut Scan<'_>) -> Proof<()> {
    let start = wire.cursor.position();
    let (kind, count) = (wire.u32()?, wire.list(least(STRING, wire.short_counts).unwrap_or(8)));
    if kind != STRING {
        wire.cursor.seek(start);
        return list(wire, 0, scan);
    }
    for _ in 0..count? {
        scan.spend(1)?;
        string(wire, "template", scan)?;
    }
    Ok(())
}

fn list(wire: &mut Wire<'_>, depth: u32, scan: &mut Scan<'_>) -> Proof<()> {
    let at = wire.cursor.position();
    let kind = wire.u32()?;
    let Some(size) = least(kind, wire.short_counts) else {
        return flaw(at, format!("{kind} is not a type of metadata"));
    };
    if kind == ARRAY && depth >= DEEPEST_LIST {
        return flaw(at, format!("lists are nested more than {DEEPEST_LIST} deep"));
    }
    let count = wire.list(size)?;
    if !matches!(kind, STRING | ARRAY) {
        return Ok(wire.cursor.skip(count * size)?);
    }
    for _ in 0..count {
        scan.spend(1)?;
        skip(wire, kind, depth + 1, scan)?;
    }
    Ok(())
}
