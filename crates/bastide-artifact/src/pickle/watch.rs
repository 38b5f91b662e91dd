//! A host that only watches: is this a pickle at all, and would it do anything?

use super::found::worst_of;
use super::machine::{Event, Host, Next, State};
use super::names::standing;
use super::value::Kind;
use crate::halt::{Halt, Parsed};
use crate::source::Source;
use bastide_types::Assessment;

/// What a quick run of a machine showed.
pub(super) struct Watch {
    /// Opcodes that ran.
    pub(super) steps: u64,
    pub(super) imports: u64,
    /// Whether an import has a name that cannot be one.
    pub(super) odd: bool,
    pub(super) calls: u64,
    pub(super) bombs: u64,
    pub(super) worst: Assessment,
    /// Where it ended, for whatever reason.
    pub(super) end: u64,
    /// Where STOP was reached.
    pub(super) stopped: Option<u64>,
    /// Whether it ran out of opcodes it might run, and not into an error.
    pub(super) unfinished: bool,
}

impl Watch {
    /// Runs a stream at `offset` for `most` opcodes.
    pub(super) fn run(source: &dyn Source, offset: u64, most: u64) -> Parsed<Watch> {
        let mut watch = Watch {
            steps: 0,
            imports: 0,
            odd: false,
            calls: 0,
            bombs: 0,
            end: offset,
            worst: Assessment::Clean,
            stopped: None,
            unfinished: false,
        };
        let mut machine = super::machine::Machine::new(source, offset).at_most(most);
        let ended = machine.run(&mut watch);
        watch.end = machine.input.position();
        match ended {
            Ok(end) => watch.stopped = Some(end),
            Err(Halt::Limit { .. }) => watch.unfinished = watch.steps >= most,
            Err(Halt::Unreadable(error)) => return Err(Halt::Unreadable(error)),
            Err(_) => {}
        }
        Ok(watch)
    }

    fn note(&mut self, state: &State<'_>, event: &Event<'_>) {
        match event {
            Event::Import { global } => {
                self.imports += 1;
                let Some(global) = state.global(*global) else { return };
                self.odd |= !dotted(&global.module) || !dotted(&global.name);
                self.worst = self.worst.max(worst_of(standing(&global.module, &global.name), false));
            }
            Event::Call(call) => {
                self.calls += 1;
                match state.global(call.callee).filter(|_| call.callee.kind() == Kind::Global) {
                    Some(global) => {
                        let standing = standing(&global.module, &global.name);
                        self.worst = self.worst.max(worst_of(standing, true));
                    }
                    None if !call.callee.is_data() => self.worst = Assessment::Malicious,
                    None => {}
                }
            }
            Event::Computed { .. } => self.worst = Assessment::Malicious,
            Event::Bomb { .. } => self.bombs += 1,
            _ => {}
        }
    }
}

impl Host for Watch {
    fn on(&mut self, state: &State<'_>, event: Event<'_>, _offset: u64) -> Parsed<Next> {
        self.note(state, &event);
        Ok(Next::Continue)
    }

    fn spend(&mut self, steps: u64) -> Parsed<()> {
        self.steps += steps;
        Ok(())
    }
}

/// Whether a name can be that of a module or of something in one; Python 2 reads text files with the line ends of Windows.
pub(super) fn dotted(name: &str) -> bool {
    name.strip_suffix('\r').unwrap_or(name).split('.').all(|part| {
        part.chars().all(|c| c.is_alphanumeric() || c == '_' || c == '<' || c == '>')
            && part.starts_with(|c: char| !c.is_ascii_digit())
    })
}
