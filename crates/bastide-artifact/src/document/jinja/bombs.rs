//! Templates that take all time or memory to render.

use std::collections::BTreeMap;

use minijinja::machinery::Span;
use minijinja::machinery::ast::{BinOpKind, CallArg, Expr};

use super::BOMB;
use super::fold::{Known, fold};
use super::walk::Walk;

/// The longest range that Jinja's own sandbox allows.
const LONGEST_RANGE: i128 = 100_000;
/// Rounds of nested loops over ranges; honest templates loop over messages.
const MOST_ROUNDS: i128 = 10_000_000;
/// Times that a text may be put together from itself twice outside of loops: a megabyte of one letter.
const MOST_DOUBLINGS: u32 = 20;

/// Bytes that one rendering may print or put into one variable.
const MOST_PRINTED: u128 = 100_000_000;

/// How much a template makes of what it has.
#[derive(Default)]
pub(super) struct Growth {
    /// Bytes in variables, where something is known of it.
    sizes: BTreeMap<String, u128>,
    /// Bytes that each macro prints, and what a call of it costs beside.
    macros: BTreeMap<String, u128>,
    /// Bytes printed so far.
    printed: u128,
    /// Whether a bomb was found: what goes off prints much, too.
    told: bool,
}

impl Walk<'_, '_> {
    /// Comes to the body of a macro, which is counted by itself; what was counted around it.
    pub(super) fn enter_macro(&mut self) -> (u128, i128) {
        (std::mem::take(&mut self.growth.printed), std::mem::replace(&mut self.rounds, 1))
    }

    pub(super) fn leave_macro(&mut self, name: &str, (printed, rounds): (u128, i128)) {
        let own = std::mem::replace(&mut self.growth.printed, printed);
        self.growth.macros.insert(name.to_owned(), own.max(1));
        self.rounds = rounds;
    }

    /// A call of a macro that stands above.
    pub(super) fn prints_macro(&mut self, name: &str, span: Span) {
        if let Some(bytes) = self.growth.macros.get(name).copied() {
            self.prints(bytes, span);
        }
    }

    /// So many bytes are printed, in each round of the loops around.
    pub(super) fn prints(&mut self, bytes: u128, span: Span) {
        let before = self.growth.printed;
        let more = bytes.saturating_mul(self.rounds.unsigned_abs());
        self.growth.printed = before.saturating_add(more);
        if !self.growth.told && self.growth.printed > MOST_PRINTED {
            self.bomb("it prints more than a hundred million characters".to_owned(), span);
        }
    }

    /// `{% set b = a ~ a ~ a %}`: notes how much `target` holds.
    pub(super) fn grows(&mut self, target: &Expr<'_>, expr: &Expr<'_>) {
        let Some(name) = dotted(target) else { return };
        let size = self.size(expr);
        if !self.growth.told && size > MOST_PRINTED {
            self.bomb(format!("`{}` becomes {size} characters long", crate::scan::shown(&name)), expr.span());
        }
        self.growth.sizes.insert(name, size);
    }

    /// About how many characters `expr` has; nothing for what comes from outside.
    pub(super) fn size(&self, expr: &Expr<'_>) -> u128 {
        let all = |items: &[Expr<'_>]| items.iter().map(|item| self.size(item)).fold(0, u128::saturating_add);
        match expr {
            Expr::Const(constant) => constant.value.as_str().map_or(0, |text| text.len() as u128),
            Expr::Var(_) | Expr::GetAttr(_) => {
                dotted(expr).and_then(|name| self.growth.sizes.get(&name).copied()).unwrap_or(0)
            }
            Expr::BinOp(op) if matches!(op.op, BinOpKind::Concat | BinOpKind::Add) => {
                self.size(&op.left).saturating_add(self.size(&op.right))
            }
            Expr::BinOp(op) if matches!(op.op, BinOpKind::Mul) => {
                match (fold(&op.left, &self.set), fold(&op.right, &self.set)) {
                    (_, Some(Known::Int(times))) => {
                        self.size(&op.left).saturating_mul(times.max(0).unsigned_abs())
                    }
                    (Some(Known::Int(times)), _) => {
                        self.size(&op.right).saturating_mul(times.max(0).unsigned_abs())
                    }
                    _ => 0,
                }
            }
            Expr::Filter(filter) if !matches!(filter.name, "count" | "first" | "last" | "length") => {
                filter.expr.as_ref().map_or(0, |expr| self.size(expr))
            }
            Expr::List(list) => all(&list.items),
            Expr::Tuple(tuple) => all(&tuple.items),
            Expr::IfExpr(choice) => self.size(&choice.true_expr),
            _ => 0,
        }
    }

    /// Enters a loop over `iter`.
    pub(super) fn loop_over(&mut self, iter: &Expr<'_>, span: Span) {
        let before = self.rounds;
        self.rounds = before.saturating_mul(self.range(iter).unwrap_or(1).max(1));
        if before > 1 && self.rounds > MOST_ROUNDS {
            let rounds = self.rounds;
            self.bomb(format!("loops over ranges make {rounds} rounds"), span);
        }
    }

    fn bomb(&mut self, what: String, span: Span) {
        self.growth.told = true;
        self.scan.find(&BOMB, self.at(span), what);
    }

    /// A call of `range`.
    pub(super) fn ranged(&mut self, arguments: &[CallArg<'_>], span: Span) {
        let longest = self.arguments_of_range(arguments).unwrap_or(0);
        if longest > LONGEST_RANGE {
            self.bomb(format!("a range of {longest} elements"), span);
        }
    }

    /// `{% set x = x ~ x %}`: each round makes it twice as long.
    pub(super) fn doubled(&mut self, target: &Expr<'_>, expr: &Expr<'_>) {
        let Some(name) = dotted(target) else { return };
        if times(expr, &name, 0) < 2 {
            return;
        }
        self.doublings += 1;
        if self.loops > 0 || self.doublings > MOST_DOUBLINGS {
            self.bomb(format!("`{}` doubles again and again", crate::scan::shown(&name)), expr.span());
        }
    }

    /// `'a'.ljust(10**9)`, `x|indent(10**9)`, `lipsum(n=10**9)`.
    pub(super) fn wide(&mut self, name: &str, arguments: &[CallArg<'_>], span: Span) {
        const WIDTHS: &[&str] =
            &["center", "expandtabs", "indent", "lipsum", "ljust", "rjust", "round", "zfill"];
        if !WIDTHS.contains(&name) {
            return;
        }
        for argument in arguments {
            if let CallArg::Pos(expr) | CallArg::Kwarg(_, expr) = argument
                && let Some(Known::Int(width)) = fold(expr, &self.set)
                && width > MOST_ROUNDS
            {
                self.bomb(format!("`{name}` of {width}"), span);
            }
        }
    }

    /// `'{:>1000000000}'.format(x)`, `'%1000000000d' % x`.
    pub(super) fn widths(&mut self, format: &str, span: Span) {
        const DIGITS: usize = 8;
        let fields = format.split(['{', '%']).skip(1);
        let wide = |field: &str| {
            let field = field.split('}').next().unwrap_or_default();
            field.split(|c: char| !c.is_ascii_digit()).any(|digits| digits.len() > DIGITS)
        };
        if fields.into_iter().any(wide) {
            self.bomb("a field of more than a hundred million characters".to_owned(), span);
        }
    }

    /// `'a' * 10**9`, `10 ** 10 ** 10`.
    pub(super) fn repeated(&mut self, op: BinOpKind, left: &Expr<'_>, right: &Expr<'_>, span: Span) {
        if matches!(op, BinOpKind::Pow) {
            return self.power(left, right, span);
        }
        if matches!(op, BinOpKind::Rem)
            && let Some(Known::Text(format)) = fold(left, &self.set)
        {
            self.widths(&format, span);
        }
        if !matches!(op, BinOpKind::Mul) {
            return;
        }
        let times = match (fold(left, &self.set), fold(right, &self.set)) {
            (Some(Known::Text(_) | Known::List(_)), Some(Known::Int(times)))
            | (Some(Known::Int(times)), Some(Known::Text(_) | Known::List(_))) => times,
            _ => return,
        };
        if times.saturating_mul(self.rounds) > MOST_ROUNDS {
            self.bomb(format!("a text repeated {times} times"), span);
        }
    }

    fn power(&mut self, left: &Expr<'_>, right: &Expr<'_>, span: Span) {
        // Python takes `a ** b ** c` from the right, the parser from the left.
        let (base, inner) = match left {
            Expr::BinOp(inner) if matches!(inner.op, BinOpKind::Pow) => {
                (&inner.left, fold(&inner.right, &self.set))
            }
            base => (base, None),
        };
        let (Some(Known::Int(base)), Some(Known::Int(mut exponent))) =
            (fold(base, &self.set), fold(right, &self.set))
        else {
            return;
        };
        if let Some(Known::Int(inner)) = inner {
            exponent = inner.saturating_pow(u32::try_from(exponent).unwrap_or(u32::MAX));
        }
        if base.unsigned_abs() > 1 && exponent > LONGEST_RANGE {
            self.bomb(format!("a power of {exponent}"), span);
        }
    }

    /// How many rounds a loop over this makes, where it is a range.
    fn range(&self, iter: &Expr<'_>) -> Option<i128> {
        match iter {
            Expr::Call(call) if matches!(&call.expr, Expr::Var(var) if var.id == "range") => {
                self.arguments_of_range(&call.args)
            }
            Expr::Filter(filter) => self.range(filter.expr.as_ref()?),
            _ => None,
        }
    }

    fn arguments_of_range(&self, arguments: &[CallArg<'_>]) -> Option<i128> {
        let bound = |at: usize| match arguments.get(at)? {
            CallArg::Pos(expr) => match fold(expr, &self.set)? {
                Known::Int(int) => Some(int),
                _ => None,
            },
            _ => None,
        };
        match arguments.len() {
            1 => bound(0),
            _ => bound(1)?.checked_sub(bound(0)?)?.checked_div(bound(2).unwrap_or(1)),
        }
    }
}

/// `name` or `space.name`.
fn dotted(expr: &Expr<'_>) -> Option<String> {
    match expr {
        Expr::Var(var) => Some(var.id.to_owned()),
        Expr::GetAttr(attribute) => Some(format!("{}.{}", dotted(&attribute.expr)?, attribute.name)),
        _ => None,
    }
}

/// How often `expr` has the whole of `name` in what it puts together.
fn times(expr: &Expr<'_>, name: &str, depth: u32) -> u32 {
    const DEEPEST: u32 = 64;
    if depth > DEEPEST {
        return 0;
    }
    match expr {
        Expr::Var(_) | Expr::GetAttr(_) => u32::from(dotted(expr).as_deref() == Some(name)),
        Expr::BinOp(op) if matches!(op.op, BinOpKind::Concat | BinOpKind::Add) => {
            times(&op.left, name, depth + 1).saturating_add(times(&op.right, name, depth + 1))
        }
        Expr::BinOp(op) if matches!(op.op, BinOpKind::Mul) => {
            let two = |other: &Expr<'_>| matches!(other, Expr::Const(it) if it.value.as_i64().is_some_and(|n| n > 1));
            let twice = two(&op.left) || two(&op.right);
            let once = times(&op.left, name, depth + 1).saturating_add(times(&op.right, name, depth + 1));
            once.saturating_mul(if twice { 2 } else { 1 })
        }
        Expr::Filter(filter) => match (filter.name, &filter.expr) {
            ("join" | "string" | "list" | "safe", Some(expr)) => times(expr, name, depth + 1),
            _ => 0,
        },
        Expr::List(list) => {
            list.items.iter().map(|item| times(item, name, depth + 1)).fold(0, u32::saturating_add)
        }
        _ => 0,
    }
}
