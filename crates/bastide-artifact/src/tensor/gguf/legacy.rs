//! The predecessors of GGUF: `ggml`, which whisper.cpp still writes, `ggmf` and `ggjt` of llama.cpp, and `ggla`, its adapters.
//!
//! None of them names anything that a loader opens or runs: numbers of the model, then tokens, then tensors.

use crate::halt::{Halt, Parsed};
use crate::scan::Scan;
use crate::source::Cursor;

/// Numbers of a model at the start, and the largest that any has: its vocabulary.
const NUMBERS: usize = 7;
const LARGEST: u32 = 1 << 24;
/// Bytes of the longest token.
const LONGEST_TOKEN: u32 = 1 << 16;

/// Holds the numbers, and the tokens where they follow at once, against the file.
pub(super) fn read(magic: [u8; 4], cursor: &mut Cursor<'_>, scan: &mut Scan<'_>) -> Parsed<()> {
    // As the number in the file is spelled: backwards.
    let versioned = matches!(&magic, b"fmgg" | b"tjgg" | b"algg");
    if versioned && !(1..=3).contains(&cursor.u32_le()?) {
        return Err(Halt::malformed(4, "a version that no predecessor of GGUF had"));
    }
    let count = if &magic == b"algg" { 2 } else { NUMBERS };
    let mut numbers = Vec::with_capacity(count);
    for _ in 0..count {
        let at = cursor.position();
        let number = cursor.u32_le()?;
        if number > LARGEST {
            return Err(Halt::malformed(at, format!("{number} is no number of a model")));
        }
        numbers.push(number);
    }
    if !matches!(&magic, b"fmgg" | b"tjgg") {
        return Ok(());
    }
    for _ in 0..numbers.first().copied().unwrap_or(0) {
        scan.spend(1)?;
        let at = cursor.position();
        let length = cursor.u32_le()?;
        if length > LONGEST_TOKEN {
            return Err(Halt::malformed(at, format!("a token of {length} bytes")));
        }
        // Its score comes behind.
        cursor.skip(u64::from(length) + 4)?;
    }
    Ok(())
}
