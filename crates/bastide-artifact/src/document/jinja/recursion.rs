//! Macros that call themselves: without end, or twice for each time that they are called.

use std::collections::{BTreeMap, BTreeSet};

use minijinja::machinery::ast::{BinOpKind, CallArg, Expr, Macro};

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
    parameters: Vec<String>,
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
        const MOST: usize = 256;
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
        let all = self.made.entry(name.clone()).or_default();
        if all.len() < MOST {
            all.push(made);
        }
    }

    /// A macro that never comes to its end, where it begins, and what it does.
    pub(super) fn endless(&self) -> Option<(&str, u32, &'static str)> {
        const MANY: usize = 256;
        self.made.iter().take(MANY).find_map(|(name, made)| {
            let at = self.places.get(name).copied().unwrap_or(0);
            if self.reaches(name, name, |call| call.always) {
                return Some((name.as_str(), at, "calls itself without a condition"));
            }
            let back = |call: &&Made| call.counts && self.reaches_or_is(&call.callee, name);
            let times: u32 = made.iter().filter(back).map(|call| if call.repeated { 2 } else { 1 }).sum();
            (times > 1).then_some((
                name.as_str(),
                at,
                "calls itself more than once for each number it counts",
            ))
        })
    }

    fn reaches_or_is(&self, from: &str, to: &str) -> bool {
        from == to || self.reaches(from, to, |_| true)
    }

    /// Whether `from` calls `to`, itself or through others.
    fn reaches(&self, from: &str, to: &str, by: impl Fn(&Made) -> bool) -> bool {
        let mut seen = BTreeSet::new();
        let mut next = vec![from];
        while let Some(name) = next.pop() {
            for call in self.made.get(name).into_iter().flatten().filter(|call| by(call)) {
                if call.callee == to {
                    return true;
                }
                if seen.insert(call.callee.as_str()) {
                    next.push(&call.callee);
                }
            }
        }
        false
    }
}

/// Whether the arguments are those of the macro around, fixed, or counted from them; and at least one is counted.
fn counts(arguments: &[CallArg<'_>], parameters: &[String]) -> bool {
    let own = |expr: &Expr<'_>| match expr {
        Expr::Const(_) => true,
        Expr::Var(var) => parameters.iter().any(|parameter| parameter == var.id),
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
    let expr = super::flow::value;
    arguments.iter().all(|argument| own(expr(argument)) || counted(expr(argument)))
        && arguments.iter().any(|argument| counted(expr(argument)))
}
