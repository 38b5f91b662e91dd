//! Lines of notebooks that are no Python: `!command`, `%magic`, and cells that another interpreter runs.

use std::borrow::Cow;

use crate::python::hostile::DOWNLOADED_PROGRAM;
use crate::python::{command, download};
use crate::remark::{Remarks, shown};

/// Looks at the commands in `text`, which begins at `start` of the notebook, and gives it back with them blotted out, byte for byte, so that offsets stay.
pub(crate) fn without<'t>(text: &'t str, start: usize, remarks: &mut Remarks<'_>) -> Cow<'t, str> {
    if !text.contains(['!', '%']) {
        return Cow::Borrowed(text);
    }
    const MANY: usize = 32;
    let mut plain = String::with_capacity(text.len());
    let mut offset = 0;
    let mut changed = false;
    let mut in_cell = false;
    let mut continued = false;
    let mut fetched: Vec<&str> = Vec::new();
    for (number, line) in text.split_inclusive('\n').enumerate() {
        let bare = line.trim();
        in_cell |= number == 0 && is_shell_cell(bare);
        let command = match () {
            () if in_cell || continued => Some(bare),
            () => shell_line(bare),
        };
        if let Some(command) = command {
            continued = bare.ends_with('\\') && !in_cell;
            let at = start + offset + (line.len() - line.trim_start().len());
            command::shell_line(command, at, remarks);
            if let Some(file) = fetched.iter().find(|file| starts(command, file)) {
                let message =
                    format!("it starts `{}`, which an address without a certificate gave", shown(file));
                remarks.add(&DOWNLOADED_PROGRAM, at, message);
            }
            // Who has a certificate may be a project that publishes its program so.
            fetched.extend(
                download::fetched(command).filter(|_| command.contains("http://") && fetched.len() < MANY),
            );
            plain.extend(line.bytes().map(|byte| if byte == b'\n' { '\n' } else { ' ' }));
            changed = true;
        } else {
            plain.push_str(line);
        }
        offset += line.len();
    }
    if changed { Cow::Owned(plain) } else { Cow::Borrowed(text) }
}

/// Whether the command line starts `file`, by itself or through an interpreter.
fn starts(command: &str, file: &str) -> bool {
    const INTERPRETERS: &[&str] =
        &[".", "bash", "nohup", "perl", "python", "python3", "sh", "source", "sudo"];
    let mut words = command.split_whitespace().skip_while(|word| INTERPRETERS.contains(word));
    words.next().is_some_and(|word| word == file || word.strip_prefix("./") == Some(file))
}

fn is_shell_cell(line: &str) -> bool {
    ["%%bash", "%%sh", "%%script", "%%!", "%%cmd", "%%system"].iter().any(|magic| line.starts_with(magic))
}

/// The command of a line that is one. `!=` and `%` within an expression begin no line of Python either, unless it goes on
/// from the line before; there a blank follows.
fn shell_line(line: &str) -> Option<&str> {
    if let Some(command) = line.strip_prefix('!') {
        return (!command.starts_with('=')).then(|| command.trim_start_matches('!'));
    }
    let magic = line.strip_prefix('%')?.trim_start_matches('%');
    let is_magic = magic.starts_with(|c: char| c.is_ascii_lowercase());
    let shell = ["system ", "sx ", "bash ", "sh "].iter().find_map(|name| magic.strip_prefix(name));
    is_magic.then(|| shell.unwrap_or(magic))
}
