//! Macros that call themselves: without end, or twice for each time that they are called.

use std::collections::{BTreeMap, BTreeSet};

use minijinja::machinery::ast::{BinOpKind, CallArg, Expr, Macro};

use crate::scan::Scan;

/// Which macro calls which.
#[derive(Default)]
pub(super) struct Calls {
    made: BTreeMap<String, Vec<Made>>,
    /// Where each macro begins.
    places: BTreeMap<String, u32>,
    inside: Inside,
}

/// The macro around.
#[derive(Default)]
pub(super) struct Inside {
    name: String,
    parameters: BTreeSet<String>,
    /// Conditions and loops around, within the macro.
    branches: u32,
    loops: u32,
}

/// One call.
struct Made {
    callee: String,
    /// Whether each call of the macro makes it.
    always: bool,
    /// Whether only numbers that count down or up tell it from the call around it: it walks through no data.
    counts: bool,
    repeated: bool,
}

impl Calls {
    /// Comes to a macro, which begins at `place`; what was around it.
    pub(super) fn enter(&mut self, it: &Macro<'_>, place: u32) -> Inside {
        let parameters = it.args.iter().filter_map(|parameter| match parameter {
            Expr::Var(var) => Some(var.id.to_owned()),
            _ => None,
        });
        let inside =
            Inside { name: it.name.to_owned(), parameters: parameters.collect(), branches: 0, loops: 0 };
        self.places.insert(it.name.to_owned(), place);
        std::mem::replace(&mut self.inside, inside)
    }

    pub(super) fn leave(&mut self, outer: Inside) {
        self.inside = outer;
    }

    /// Comes to what is done only on a condition, or for each element.
    pub(super) fn branch(&mut self, repeated: bool) {
        self.inside.branches += 1;
        self.inside.loops += u32::from(repeated);
    }

    pub(super) fn join(&mut self, repeated: bool) {
        self.inside.branches -= 1;
        self.inside.loops -= u32::from(repeated);
    }

    pub(super) fn called(&mut self, callee: &str, arguments: &[CallArg<'_>]) {
        let Inside { name, parameters, branches, loops } = &self.inside;
        if name.is_empty() {
            return;
        }
        let made = Made {
            callee: callee.to_owned(),
            always: *branches == 0,
            counts: counts(arguments, parameters),
            repeated: *loops > 0,
        };
        self.made.entry(name.clone()).or_default().push(made);
    }

    /// A macro that never comes to its end, where it begins, and what it does.
    pub(super) fn endless(&self, scan: &mut Scan<'_>) -> Option<(&str, u32, &'static str)> {
        let numbers: BTreeMap<&str, usize> =
            self.made.keys().enumerate().map(|(number, name)| (name.as_str(), number)).collect();
        let calls = self.made.values().map(Vec::len).sum::<usize>();
        // Calls are few beside what a file may spend.
        let _ = scan.spend(calls as u64);
        let circles = Circles::of(&self.edges(&numbers, |_| true));
        let certain = Circles::of(&self.edges(&numbers, |call| call.always));
        self.made.iter().enumerate().find_map(|(number, (name, made))| {
            let at = self.places.get(name).copied().unwrap_or(0);
            if certain.closed.contains(&number) {
                return Some((name.as_str(), at, "calls itself without a condition"));
            }
            let back = |call: &&Made| {
                let callee = numbers.get(call.callee.as_str());
                call.counts && callee.is_some_and(|callee| circles.together(*callee, number))
            };
            let times: usize = made.iter().filter(back).map(|call| if call.repeated { 2 } else { 1 }).sum();
            (times > 1).then_some((
                name.as_str(),
                at,
                "calls itself more than once for each number it counts",
            ))
        })
    }

    /// Which macros each calls, by their numbers.
    fn edges(&self, numbers: &BTreeMap<&str, usize>, by: impl Fn(&Made) -> bool) -> Vec<Vec<usize>> {
        let called = |made: &Vec<Made>| {
            let calls = made.iter().filter(|call| by(call));
            let callees: BTreeSet<usize> =
                calls.filter_map(|call| numbers.get(call.callee.as_str()).copied()).collect();
            callees.into_iter().collect()
        };
        self.made.values().map(called).collect()
    }
}

/// Which macros come back to each other.
#[derive(Default)]
struct Circles {
    /// The number of the circle of each macro; a macro that nothing leads back to has one of its own.
    of: BTreeMap<usize, usize>,
    /// The macros that come back to themselves.
    closed: BTreeSet<usize>,
}

impl Circles {
    /// Tarjan's strongly connected components, without recursion.
    fn of(edges: &[Vec<usize>]) -> Circles {
        let mut circles = Circles::default();
        // For each macro when it was first seen, and the earliest seen that it comes back to.
        let mut seen: BTreeMap<usize, (usize, usize)> = BTreeMap::new();
        let mut open: Vec<usize> = Vec::new();
        for first in 0..edges.len() {
            // The macros on the way here, with how many of their calls were followed.
            let mut way = vec![(first, 0)];
            while let Some((macro_, done)) = way.pop() {
                if done == 0 {
                    if seen.contains_key(&macro_) {
                        continue;
                    }
                    seen.insert(macro_, (seen.len(), seen.len()));
                    open.push(macro_);
                }
                if let Some(&callee) = edges.get(macro_).and_then(|callees| callees.get(done)) {
                    way.push((macro_, done + 1));
                    match seen.get(&callee).copied() {
                        None => way.push((callee, 0)),
                        Some((at, _)) if !circles.of.contains_key(&callee) => lower(&mut seen, macro_, at),
                        Some(_) => {}
                    }
                    continue;
                }
                let (at, low) = seen.get(&macro_).copied().unwrap_or_default();
                if at == low {
                    let from = open.iter().rposition(|other| *other == macro_).unwrap_or_default();
                    let circle = open.split_off(from);
                    let itself = edges.get(macro_).is_some_and(|callees| callees.contains(&macro_));
                    if circle.len() > 1 || itself {
                        circles.closed.extend(&circle);
                    }
                    circles.of.extend(circle.into_iter().map(|member| (member, macro_)));
                }
                if let Some((caller, _)) = way.last() {
                    lower(&mut seen, *caller, low);
                }
            }
        }
        circles
    }

    fn together(&self, one: usize, other: usize) -> bool {
        self.of.get(&one).zip(self.of.get(&other)).is_some_and(|(one, other)| one == other)
    }
}

/// Notes that `macro_` comes back to what was seen at `at`.
fn lower(seen: &mut BTreeMap<usize, (usize, usize)>, macro_: usize, at: usize) {
    if let Some((_, low)) = seen.get_mut(&macro_) {
        *low = at.min(*low);
    }
}

/// Whether the arguments are those of the macro around, fixed, or counted from them; and at least one is counted.
fn counts(arguments: &[CallArg<'_>], parameters: &BTreeSet<String>) -> bool {
    let own = |expr: &Expr<'_>| match expr {
        Expr::Const(_) => true,
        Expr::Var(var) => parameters.contains(var.id),
        _ => false,
    };
    let counted = |expr: &Expr<'_>| match expr {
        Expr::BinOp(op) => {
            let number = |expr: &Expr<'_>| matches!(expr, Expr::Const(it) if it.value.is_number());
            matches!(op.op, BinOpKind::Add | BinOpKind::Sub | BinOpKind::FloorDiv | BinOpKind::Div)
                && own(&op.left)
                && own(&op.right)
                && (number(&op.left) || number(&op.right))
        }
        _ => false,
    };
    let expr = super::sources::value;
    arguments.iter().all(|argument| own(expr(argument)) || counted(expr(argument)))
        && arguments.iter().any(|argument| counted(expr(argument)))
}
