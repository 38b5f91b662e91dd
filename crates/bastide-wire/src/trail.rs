//! Where the tokens of a document stand, told for one after the other.

use std::fmt::Write as _;

use crate::tape::{Kind, Tape};
use crate::vocabulary::find;

/// Walks from token to token. In the order of the document all of them cost one walk over it: what was passed is not
/// looked at again.
pub(crate) struct Trail<'t> {
    tape: &'t Tape,
    body: &'t str,
    /// Whether elements with a member `index` go by it: by `#3` instead of their position.
    indexed: bool,
    /// Bytes of a path; what is longer ends behind its first step too many.
    longest: usize,
    steps: Vec<Step>,
    path: String,
}

/// A container on the way, and which of its children the way leads through.
#[derive(Clone, Copy)]
struct Step {
    container: u32,
    /// The child: of an object its key.
    child: u32,
    position: usize,
    /// Bytes of the path before the child's part.
    before: usize,
}

impl<'t> Trail<'t> {
    pub(crate) const fn new(tape: &'t Tape, body: &'t str, indexed: bool, longest: usize) -> Self {
        Trail { tape, body, indexed, longest, steps: Vec::new(), path: String::new() }
    }

    /// JSON pointer (RFC 6901) of a token; that of its value for a key.
    pub(crate) fn to(&mut self, target: u32) -> &str {
        let within =
            |step: &Step| (step.container + 1..self.tape.node(step.container).next).contains(&target);
        let kept = self.steps.iter().take_while(|step| within(step)).count();
        self.steps.truncate(kept);
        // The last one goes on to the child that holds the target, most often a later one.
        let mut at = match kept.checked_sub(1) {
            None => self.enter(0, target, 0),
            Some(last) => self.steps.get(last).copied().and_then(|step| self.advance(step, target)),
        };
        while let Some(container) = at {
            at = self.enter(container, target, self.path.len());
        }
        &self.path
    }

    /// Goes into a container that holds the target; gives the one inside it that does, if that is not the target.
    fn enter(&mut self, container: u32, target: u32, before: usize) -> Option<u32> {
        self.path.truncate(before);
        let holds = (container + 1..self.tape.node(container).next).contains(&target);
        if !holds || !matches!(self.tape.kind(container), Kind::Object | Kind::Array) {
            return None;
        }
        self.steps.push(Step { container, child: container + 1, position: 0, before });
        self.arrive(target)
    }

    /// Goes on in the last container.
    fn advance(&mut self, step: Step, target: u32) -> Option<u32> {
        if target < step.child {
            self.steps.pop();
            return self.enter(step.container, target, step.before);
        }
        self.arrive(target)
    }

    /// Moves the last step to the child that holds the target, and names it.
    fn arrive(&mut self, target: u32) -> Option<u32> {
        let mut step = self.steps.last().copied()?;
        while self.end(step) <= target {
            step.child = self.end(step);
            step.position += 1;
        }
        if let Some(last) = self.steps.last_mut() {
            *last = step;
        }
        self.path.truncate(step.before);
        self.name(step);
        let value = self.value(step);
        (target > value).then_some(value)
    }

    fn is_object(&self, step: Step) -> bool {
        self.tape.kind(step.container) == Kind::Object
    }

    fn value(&self, step: Step) -> u32 {
        step.child + u32::from(self.is_object(step))
    }

    /// The first token behind a child.
    fn end(&self, step: Step) -> u32 {
        self.tape.node(self.value(step)).next
    }

    fn name(&mut self, step: Step) {
        if self.path.len() > self.longest {
            return;
        }
        self.path.push('/');
        if self.is_object(step) {
            let key = self.tape.text(self.body, step.child);
            self.path.push_str(&key.replace('~', "~0").replace('/', "~1"));
            return;
        }
        let index = self.indexed.then(|| find(self.body, self.tape, step.child, "index")).flatten();
        // Writing to a string cannot fail.
        let _ = match index.and_then(|node| self.tape.index(self.body, node)) {
            Some(index) => write!(self.path, "#{index}"),
            None => write!(self.path, "{}", step.position),
        };
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Limits;
    use crate::scan::scan;

    const BODY: &str =
        r#"{"a":[1,{"b/c~":null,"index":7},[],"x"],"d":{"e":[{"index":"no"},{"f":[[2]]}],"\u0067":3},"h":4}"#;

    fn read(body: &str) -> Tape {
        let mut tape = Tape::default();
        scan(body, &Limits::default(), &mut tape).expect("JSON");
        tape
    }

    #[test]
    fn any_order_gives_what_each_alone_gives() {
        let tape = read(BODY);
        let count = u32::try_from(tape.nodes.len()).expect("few");
        let alone = |at| Trail::new(&tape, BODY, true, usize::MAX).to(at).to_owned();
        let known: Vec<String> = (0..count).map(alone).collect();
        assert_eq!(known.get(4..8).expect("there"), ["/a/#7", "/a/#7/b~1c~0", "/a/#7/b~1c~0", "/a/#7/index"]);
        assert!(known.iter().any(|path| path == "/d/e/1/f/0/0") && known.iter().any(|path| path == "/d/g"));
        for step in 1..count {
            let mut trail = Trail::new(&tape, BODY, true, usize::MAX);
            for at in (0..count).map(|n| (n * step) % count).chain((0..count).rev()) {
                assert_eq!(trail.to(at), known.get(at as usize).expect("there"), "{at}");
            }
        }
    }

    #[test]
    fn a_path_that_is_too_long_is_still_too_long() {
        let tape = read(BODY);
        let mut trail = Trail::new(&tape, BODY, false, 4);
        let paths: Vec<String> = (0..7).map(|at| trail.to(at).to_owned()).collect();
        assert_eq!(paths, ["", "/a", "/a", "/a/0", "/a/1", "/a/1/b~1c~0", "/a/1/b~1c~0"]);
        let last = u32::try_from(tape.nodes.len()).expect("few") - 1;
        assert_eq!(trail.to(last), "/h", "and short again behind it");
    }
}
