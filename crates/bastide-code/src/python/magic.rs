//! Lines of notebooks that are no Python: `!command`, `%magic`, and cells that another interpreter runs.

use std::borrow::Cow;

use crate::python::command;
use crate::remark::Remarks;

/// Looks at the commands in `text` and gives it back with them blotted out, byte for byte, so that offsets stay.
pub(crate) fn without<'t>(text: &'t str, remarks: &mut Remarks<'_>) -> Cow<'t, str> {
    if !text.contains(['!', '%']) {
        return Cow::Borrowed(text);
    }
    let mut plain = String::with_capacity(text.len());
    let mut offset = 0;
    let mut changed = false;
    let mut in_cell = false;
    let mut continued = false;
    for (number, line) in text.split_inclusive('\n').enumerate() {
        let bare = line.trim();
        in_cell |= number == 0 && is_shell_cell(bare);
        let command = match () {
            () if in_cell || continued => Some(bare),
            () => shell_line(bare),
        };
        if let Some(command) = command {
            continued = bare.ends_with('\\') && !in_cell;
            command::shell_line(command, offset + (line.len() - line.trim_start().len()), remarks);
            plain.extend(line.bytes().map(|byte| if byte == b'\n' { '\n' } else { ' ' }));
            changed = true;
        } else {
            plain.push_str(line);
        }
        offset += line.len();
    }
    if changed { Cow::Owned(plain) } else { Cow::Borrowed(text) }
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
