//! JSON text taken apart into its strings.

/// Where in a JSON text.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Strings {
    state: State,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum State {
    #[default]
    Outside,
    Inside,
    /// After a backslash.
    Escape,
    /// `\u`, so many digits, their value.
    Code(u8, u32),
}

/// What one character of JSON text means.
pub(super) enum Step {
    /// This character of a string.
    Char(char),
    /// A string begins or ends.
    Boundary,
    /// Nothing yet, or nothing of a string.
    Nothing,
}

impl Strings {
    /// Whether between two characters of a string.
    pub(super) fn inside(&self) -> bool {
        self.state == State::Inside
    }

    pub(super) fn take(&mut self, c: char) -> Step {
        let (state, step) = match (self.state, c) {
            (State::Outside, '"') => (State::Inside, Step::Boundary),
            (State::Outside, _) => (State::Outside, Step::Nothing),
            (State::Inside, '"') => (State::Outside, Step::Boundary),
            (State::Inside, '\\') => (State::Escape, Step::Nothing),
            (State::Inside, c) => (State::Inside, Step::Char(c)),
            (State::Escape, 'u') => (State::Code(0, 0), Step::Nothing),
            (State::Escape, c) => {
                let meant = match c {
                    'n' => '\n',
                    'r' => '\r',
                    't' => '\t',
                    'b' | 'f' => ' ',
                    other => other,
                };
                (State::Inside, Step::Char(meant))
            }
            (State::Code(digits, n), c) => match c.to_digit(16) {
                Some(d) if digits < 3 => (State::Code(digits + 1, n * 16 + d), Step::Nothing),
                // Half of a surrogate pair is no character; what it would spell is none that matters here.
                Some(d) => (
                    State::Inside,
                    Step::Char(char::from_u32(n * 16 + d).unwrap_or(char::REPLACEMENT_CHARACTER)),
                ),
                // Not JSON.
                None => (if c == '"' { State::Outside } else { State::Inside }, Step::Nothing),
            },
        };
        self.state = state;
        step
    }
}
