//! What is wrong with settings: all of it at once, each with its place.

use bastide_admin::Failure;

use super::read::Written;

/// Mistakes that one message tells; whoever has more writes another kind of file.
const MOST_TOLD: usize = 30;

/// Mistakes as they are found, beside values that stand in for what could not be read: checking goes on.
pub(super) struct Mistakes<'w> {
    written: &'w Written,
    found: Vec<Mistake>,
}

/// One mistake, with its line of the file where it has one.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Mistake {
    pub(super) line: Option<usize>,
    pub(super) what: String,
}

impl<'w> Mistakes<'w> {
    /// Those that the file's own reading found.
    pub(super) fn of(written: &'w Written) -> Self {
        Mistakes { written, found: written.mistakes.clone() }
    }

    /// The value, or `otherwise` where there is none.
    pub(super) fn take<T>(&mut self, value: Result<T, Failure>, otherwise: T) -> T {
        value.unwrap_or_else(|failure| {
            let line = setting(failure.message()).and_then(|name| self.written.line(name));
            self.found.push(Mistake { line, what: failure.message().to_owned() });
            otherwise
        })
    }

    /// Nothing was wrong until here.
    pub(super) fn none(self) -> Result<(), Failure> {
        let mut found = self.found;
        found.sort_by_key(|mistake| mistake.line.unwrap_or(usize::MAX));
        let shown = |mistake: &Mistake| match mistake.line {
            Some(line) => format!("{}:{line}: {}", self.written.path, mistake.what),
            None => mistake.what.clone(),
        };
        match found.as_slice() {
            [] => Ok(()),
            [one] => Err(Failure::usage(shown(one))),
            many => {
                let told: String = many.iter().take(MOST_TOLD).map(|m| format!("\n  {}", shown(m))).collect();
                let more = match many.len().saturating_sub(MOST_TOLD) {
                    0 => String::new(),
                    n => format!("\n  and {n} more"),
                };
                Err(Failure::usage(format!("there are {} mistakes in the settings:{told}{more}", many.len())))
            }
        }
    }
}

/// The setting that a message is about: all of them begin alike.
fn setting(message: &str) -> Option<&str> {
    Some(message.strip_prefix("setting `")?.split_once('`')?.0)
}
