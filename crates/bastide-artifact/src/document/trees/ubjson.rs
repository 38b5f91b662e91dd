//! Universal Binary JSON, as XGBoost writes it: walked for its lengths.

use super::{OVERRUN, comes_back, malformed};
use crate::halt::{Halt, Parsed};
use crate::scan::Scan;
use crate::source::{Cursor, Source};

/// Levels of nesting; XGBoost needs about ten.
const DEEPEST: usize = 64;

/// Whether this begins as an object with a key of 64-bit length: a short word, or one of XGBoost's whatever its length.
pub(super) fn recognise(head: &[u8]) -> bool {
    let Some(rest) = head.strip_prefix(b"{L") else { return false };
    let length = rest.first_chunk().map_or(0, |length| u64::from_be_bytes(*length));
    let name = rest.get(8..).unwrap_or_default();
    let known = name.starts_with(b"learner") || name.starts_with(b"version") || name.starts_with(b"Config");
    let short = usize::try_from(length)
        .ok()
        .filter(|length| (1..64).contains(length))
        .and_then(|length| name.get(..length));
    known || short.is_some_and(|name| name.iter().all(|byte| byte.is_ascii_lowercase() || *byte == b'_'))
}

/// What is open.
enum Open {
    /// Until its end mark.
    List,
    Object,
    /// So many elements of any type.
    Counted {
        left: u64,
        object: bool,
    },
}

/// Walks a file.
pub(super) fn read(source: &dyn Source, scan: &mut Scan<'_>) -> Parsed<()> {
    let mut walk = Walk { cursor: Cursor::new(source), open: Vec::new(), key: Vec::new(), left: Vec::new() };
    let kind = walk.cursor.u8()?;
    walk.value(kind, scan)?;
    while let Some(open) = walk.open.last_mut() {
        scan.spend(1)?;
        let object = match open {
            Open::Counted { left: 0, .. } => {
                walk.open.pop();
                continue;
            }
            Open::Counted { left, object } => {
                *left -= 1;
                *object
            }
            Open::Object | Open::List => {
                let object = matches!(open, Open::Object);
                if walk.cursor.peek(1)?.first() == Some(if object { &b'}' } else { &b']' }) {
                    walk.cursor.skip(1)?;
                    walk.open.pop();
                    continue;
                }
                object
            }
        };
        if object && !walk.key(scan)? {
            return Ok(());
        }
        let kind = walk.cursor.u8()?;
        if !walk.value(kind, scan)? {
            return Ok(());
        }
    }
    Ok(())
}

struct Walk<'s> {
    cursor: Cursor<'s>,
    open: Vec<Open>,
    /// The innermost key, if it is short.
    key: Vec<u8>,
    /// The left children of the tree that is read; they come before the right ones.
    left: Vec<i64>,
}

/// Nodes of a tree whose branches are followed.
const MOST_NODES: u64 = 1 << 22;

impl Walk<'_> {
    /// Passes over a value, or opens it; false where it runs past the file.
    fn value(&mut self, kind: u8, scan: &mut Scan<'_>) -> Parsed<bool> {
        if let Some(size) = size_of(kind) {
            self.cursor.skip(size)?;
            return Ok(true);
        }
        match kind {
            b'S' | b'H' => self.text(scan),
            b'[' | b'{' => self.container(kind == b'{', scan),
            b'N' => Ok(true),
            _ => Err(malformed(self.cursor.position(), "a type of UBJSON")),
        }
    }

    fn container(&mut self, object: bool, scan: &mut Scan<'_>) -> Parsed<bool> {
        if self.open.len() >= DEEPEST {
            return Err(Halt::limit(format!("{DEEPEST} levels of UBJSON")));
        }
        let mut kind = None;
        if self.cursor.peek(1)?.first() == Some(&b'$') {
            self.cursor.skip(1)?;
            kind = Some(self.cursor.u8()?);
        }
        if self.cursor.peek(1)?.first() != Some(&b'#') {
            if kind.is_some() {
                return Err(malformed(self.cursor.position(), "a typed list without its length"));
            }
            self.open.push(if object { Open::Object } else { Open::List });
            return Ok(true);
        }
        self.cursor.skip(1)?;
        let at = self.cursor.position();
        let count = self.length()?;
        match kind.and_then(size_of) {
            Some(size) if !object => {
                if count.saturating_mul(size) > self.cursor.left() {
                    scan.find(&OVERRUN, at, format!("a list is said to have {count} elements"));
                    return Ok(false);
                }
                if kind == Some(b'l') && count <= MOST_NODES {
                    self.branches(count, scan)?;
                } else {
                    self.cursor.skip(count * size)?;
                }
            }
            _ if kind.is_some() => return Err(malformed(at, "a typed list of containers")),
            _ if count > self.cursor.left() => {
                scan.find(&OVERRUN, at, format!("a list is said to have {count} elements"));
                return Ok(false);
            }
            _ => self.open.push(Open::Counted { left: count, object }),
        }
        Ok(true)
    }

    /// Reads the key of an entry.
    fn key(&mut self, scan: &mut Scan<'_>) -> Parsed<bool> {
        const SHORT: u64 = 32;
        let at = self.cursor.position();
        let length = self.length()?;
        self.key.clear();
        if length <= SHORT.min(self.cursor.left()) {
            self.key.extend_from_slice(self.cursor.take(usize::try_from(length).unwrap_or(0))?);
            return Ok(true);
        }
        self.cursor.seek(at);
        self.text(scan)
    }

    /// Reads a list of 32-bit numbers, and holds the branches of a tree against its count of nodes and each other.
    fn branches(&mut self, count: u64, scan: &mut Scan<'_>) -> Parsed<()> {
        let (is_left, is_right) = (self.key == b"left_children", self.key == b"right_children");
        if !is_left && !is_right {
            return self.cursor.skip(4 * count);
        }
        let at = self.cursor.position();
        let mut list = Vec::new();
        for _ in 0..count {
            list.push(i64::from(i32::from_be_bytes(self.cursor.array()?)));
        }
        scan.spend(count)?;
        let outside = list.iter().any(|child| {
            *child < -1
                || *child != i64::from(i32::MAX)
                    && usize::try_from(*child).is_ok_and(|child| child >= list.len())
        });
        if outside {
            scan.find(&OVERRUN, at, format!("the branches of a tree lead outside of its {count} nodes"));
        }
        if is_left {
            self.left = list;
        } else if comes_back(&std::mem::take(&mut self.left), &list) {
            scan.find(&OVERRUN, at, "the branches of a tree lead back to a node that they come from");
        }
        Ok(())
    }

    fn text(&mut self, scan: &mut Scan<'_>) -> Parsed<bool> {
        let at = self.cursor.position();
        let length = self.length()?;
        if length > self.cursor.left() {
            scan.find(&OVERRUN, at, format!("a text is said to have {length} bytes"));
            return Ok(false);
        }
        self.cursor.skip(length)?;
        Ok(true)
    }

    fn length(&mut self) -> Parsed<u64> {
        let at = self.cursor.position();
        let length = match self.cursor.u8()? {
            b'i' => i64::from(i8::from_be_bytes(self.cursor.array()?)),
            b'U' => i64::from(self.cursor.u8()?),
            b'I' => i64::from(i16::from_be_bytes(self.cursor.array()?)),
            b'l' => i64::from(i32::from_be_bytes(self.cursor.array()?)),
            b'L' => i64::from_be_bytes(self.cursor.array()?),
            _ => return Err(malformed(at, "a length of UBJSON")),
        };
        // A negative length is one past the file to whoever takes it for unsigned.
        Ok(u64::try_from(length).unwrap_or(u64::MAX))
    }
}

/// Bytes of a value of fixed size.
fn size_of(kind: u8) -> Option<u64> {
    match kind {
        b'Z' | b'T' | b'F' => Some(0),
        b'i' | b'U' | b'C' => Some(1),
        b'I' => Some(2),
        b'l' | b'd' => Some(4),
        b'L' | b'D' => Some(8),
        _ => None,
    }
}
