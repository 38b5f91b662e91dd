//! A model from standard input.

use std::fs::File;
use std::io::{self, IsTerminal as _, Read as _, Seek as _};
use std::os::fd::AsFd as _;
use std::sync::Arc;

use bastide_admin::Failure;
use indicatif::BinaryBytes;

use crate::client::note;

/// The most that is kept of standard input: the largest models in one file are smaller.
const LONGEST: u64 = 1 << 40;

/// Standard input as a file that can be read in any order. What comes from a pipe is kept in a file without a name, which
/// is gone with this process however that ends.
pub(super) fn keep() -> Result<Arc<File>, Failure> {
    let stdin = io::stdin();
    if stdin.is_terminal() {
        note("reads the model from this terminal; give a path to scan a file");
    }
    let failed = |e: io::Error| {
        let folder = std::env::temp_dir();
        Failure::could_not(format!(
            "cannot keep standard input in `{}`: {e}; name another folder in `TMPDIR`, or scan the file itself",
            folder.display()
        ))
    };
    let mut given = File::from(stdin.as_fd().try_clone_to_owned().map_err(failed)?);
    let whole =
        given.metadata().is_ok_and(|it| it.is_file()) && given.stream_position().is_ok_and(|at| at == 0);
    if whole && given.metadata().is_ok_and(|it| it.len() > 0) {
        return Ok(Arc::new(given));
    }
    let mut kept = tempfile::tempfile().map_err(failed)?;
    let read = io::copy(&mut given.take(LONGEST + 1), &mut kept).map_err(failed)?;
    if read > LONGEST {
        let most = BinaryBytes(LONGEST);
        return Err(Failure::could_not(format!("standard input has more than {most}: scan the file itself")));
    }
    if read == 0 {
        let message =
            "standard input is empty: nothing was scanned; see whether the command before the pipe failed";
        return Err(Failure::could_not(message));
    }
    Ok(Arc::new(kept))
}
