//! Questions at a terminal that nobody sees the answer of.

use std::io::{self, BufRead as _, Read as _, Write as _};

use bastide_admin::{Failure, could_not};
use bastide_types::Secret;
use rustix::termios::{LocalModes, OptionalActions, tcgetattr, tcsetattr};

/// The longest password that can be set has 1024 bytes; what is longer is refused with the reason and not cut.
const ANSWER_BYTES: u64 = 4 << 10;

/// Asks on standard error, and takes one line of standard input.
#[expect(clippy::print_stderr, reason = "a question at a terminal goes beside the result")]
pub(crate) fn asked(question: &str) -> Result<Secret<String>, Failure> {
    eprint!("{question}");
    io::stderr().flush().map_err(could_not)?;
    let line = line()?;
    eprintln!();
    Ok(line)
}

/// One line of standard input, without its end.
pub(crate) fn line() -> Result<Secret<String>, Failure> {
    let mut line = String::new();
    io::stdin().lock().take(ANSWER_BYTES).read_line(&mut line).map_err(could_not)?;
    Ok(Secret::new(line.trim_end_matches(['\r', '\n']).to_owned()))
}

/// A terminal that does not show what is typed, until this is dropped.
pub(crate) struct Quiet {
    before: rustix::termios::Termios,
}

impl Quiet {
    pub(crate) fn begin() -> Result<Self, Failure> {
        let before = tcgetattr(io::stdin()).map_err(could_not)?;
        let mut quiet = before.clone();
        quiet.local_modes.remove(LocalModes::ECHO);
        tcsetattr(io::stdin(), OptionalActions::Flush, &quiet).map_err(could_not)?;
        Ok(Quiet { before })
    }
}

impl Drop for Quiet {
    fn drop(&mut self) {
        let _ = tcsetattr(io::stdin(), OptionalActions::Flush, &self.before);
    }
}
