//! Paths in messages.

use std::fmt;
use std::path::Path;

/// A path as part of one line. A name may hold line breaks and what terminals act upon, and would speak in our name.
pub(crate) struct Shown<'a>(pub(crate) &'a Path);

impl fmt::Display for Shown<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for c in self.0.to_string_lossy().chars() {
            match c {
                c if c.is_control() || matches!(c, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}') => {
                    write!(f, "{}", c.escape_unicode())?;
                }
                c => fmt::Write::write_char(f, c)?,
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_stays_within_its_line() {
        let shown = Shown(Path::new("a\n::error ::b\u{1b}[2J \u{202e}c")).to_string();
        assert_eq!(shown, "a\\u{a}::error ::b\\u{1b}[2J \\u{202e}c");
    }
}
