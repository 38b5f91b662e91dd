//! Questions at a terminal that nobody sees the answer of.

use std::io::{self, BufRead, Write as _};

use bastide_admin::{Failure, could_not};
use bastide_types::Secret;
use rustix::termios::{LocalModes, OptionalActions, tcgetattr, tcsetattr};

/// The longest password that can be set has 1024 bytes; what is longer is refused with the reason and not cut.
const ANSWER_BYTES: usize = 4 << 10;

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
    line_of(io::stdin().lock())
}

fn line_of(input: impl BufRead) -> Result<Secret<String>, Failure> {
    // Enough from the start for the longest answer and its end, so that it is not copied while it grows.
    let mut line = Vec::with_capacity(ANSWER_BYTES + 2);
    let read = input.take(ANSWER_BYTES as u64 + 2).read_until(b'\n', &mut line);
    let line = Secret::new(line);
    read.map_err(could_not)?;
    let mut answer = line.expose().as_slice();
    while let [rest @ .., b'\r' | b'\n'] = answer {
        answer = rest;
    }
    if answer.len() > ANSWER_BYTES {
        return Err(Failure::could_not(format!("the answer is longer than {ANSWER_BYTES} bytes")));
    }
    let text = std::str::from_utf8(answer).map_err(|_| Failure::could_not("the answer is no text"))?;
    Ok(Secret::new(text.to_owned()))
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_is_taken_whole_or_not() {
        let longest = "a".repeat(ANSWER_BYTES);
        for (input, answer) in
            [("a\r\nb\n", "a"), ("a", "a"), ("", ""), (&*format!("{longest}\r\nb"), &*longest)]
        {
            assert_eq!(line_of(input.as_bytes()).map(|it| it.expose().clone()).ok().as_deref(), Some(answer));
        }
        for input in [format!("{longest}b\n"), format!("{longest}bcd"), "ä".repeat(ANSWER_BYTES)] {
            assert!(line_of(input.as_bytes()).is_err());
        }
    }
}
