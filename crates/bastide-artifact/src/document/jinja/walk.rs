//! The walk over a template's tree.

use minijinja::machinery::Span;
use minijinja::machinery::ast::{BinOpKind, CallArg, Expr, Stmt};

use super::fold::{Known, Knowns, fold};
use super::{BOMB, COMPUTED, INCLUDE, INJECTION, names};
use crate::scan::{Scan, shown};

/// The longest range that Jinja's own sandbox allows.
const LONGEST_RANGE: i128 = 100_000;
/// Rounds of nested loops over ranges; honest templates loop over messages.
const MOST_ROUNDS: i128 = 10_000_000;

/// Filters that look up the attribute that their first argument names.
const LOOKING_UP: &[&str] =
    &["attr", "groupby", "map", "max", "min", "rejectattr", "selectattr", "sort", "sum", "unique"];

/// A walk under way.
pub(super) struct Walk<'s, 'l> {
    offset: u64,
    scan: &'s mut Scan<'l>,
    set: Knowns,
    /// Rounds of the loops around.
    rounds: i128,
}

impl<'s, 'l> Walk<'s, 'l> {
    pub(super) fn new(offset: u64, scan: &'s mut Scan<'l>) -> Self {
        Walk { offset, scan, set: Knowns::new(), rounds: 1 }
    }

    fn at(&self, span: Span) -> u64 {
        self.offset + u64::from(span.start_offset)
    }

    fn statements(&mut self, statements: &[Stmt<'_>]) {
        for statement in statements {
            self.statement(statement);
        }
    }

    pub(super) fn statement(&mut self, statement: &Stmt<'_>) {
        match statement {
            Stmt::Template(it) => self.statements(&it.children),
            Stmt::EmitExpr(it) => self.expression(&it.expr),
            Stmt::EmitRaw(_) | Stmt::Continue(_) | Stmt::Break(_) => {}
            Stmt::ForLoop(it) => {
                self.expression(&it.iter);
                it.filter_expr.iter().for_each(|filter| self.expression(filter));
                let before = self.rounds;
                self.rounds = before.saturating_mul(self.range(&it.iter).unwrap_or(1).max(1));
                if before > 1 && self.rounds > MOST_ROUNDS {
                    let rounds = self.rounds;
                    self.scan.find(
                        &BOMB,
                        self.at(it.span()),
                        format!("loops over ranges make {rounds} rounds"),
                    );
                }
                self.statements(&it.body);
                self.rounds = before;
                self.statements(&it.else_body);
            }
            Stmt::IfCond(it) => {
                self.expression(&it.expr);
                self.statements(&it.true_body);
                self.statements(&it.false_body);
            }
            Stmt::WithBlock(it) => {
                it.assignments.iter().for_each(|(target, expr)| self.assign(target, expr));
                self.statements(&it.body);
            }
            Stmt::Set(it) => self.assign(&it.target, &it.expr),
            Stmt::SetBlock(it) => {
                it.filter.iter().for_each(|filter| self.expression(filter));
                if let (Expr::Var(var), [Stmt::EmitRaw(raw)]) = (&it.target, it.body.as_slice()) {
                    self.set.insert(var.id.to_owned(), Known::Text(raw.raw.chars().take(1024).collect()));
                }
                self.statements(&it.body);
            }
            Stmt::AutoEscape(it) => self.statements(&it.body),
            Stmt::FilterBlock(it) => {
                self.expression(&it.filter);
                self.statements(&it.body);
            }
            Stmt::Block(it) => self.statements(&it.body),
            Stmt::Import(it) => self.include(&it.expr, it.span()),
            Stmt::FromImport(it) => self.include(&it.expr, it.span()),
            Stmt::Extends(it) => self.include(&it.name, it.span()),
            Stmt::Include(it) => self.include(&it.name, it.span()),
            Stmt::Macro(it) => {
                it.defaults.iter().for_each(|default| self.expression(default));
                self.statements(&it.body);
            }
            Stmt::CallBlock(it) => {
                self.call(&it.call.expr, &it.call.args, it.call.span());
                self.statements(&it.macro_decl.body);
            }
            Stmt::Do(it) => self.call(&it.call.expr, &it.call.args, it.call.span()),
        }
    }

    fn assign(&mut self, target: &Expr<'_>, expr: &Expr<'_>) {
        self.expression(expr);
        let known = fold(expr, &self.set);
        let targets = match target {
            Expr::List(targets) => targets.items.as_slice(),
            Expr::Tuple(targets) => targets.items.as_slice(),
            single => return self.assign_one(single, known),
        };
        let values = match known {
            Some(Known::List(values)) => values,
            _ => Vec::new(),
        };
        let mut values = values.into_iter();
        targets.iter().for_each(|target| self.assign_one(target, values.next()));
    }

    fn assign_one(&mut self, target: &Expr<'_>, known: Option<Known>) {
        match (target, known) {
            (Expr::Var(var), Some(known)) => drop(self.set.insert(var.id.to_owned(), known)),
            (Expr::Var(var), None) => drop(self.set.remove(var.id)),
            _ => self.expression(target),
        }
    }

    fn include(&mut self, name: &Expr<'_>, span: Span) {
        let known = fold(name, &self.set);
        let name = known.as_ref().and_then(Known::as_text).unwrap_or("a computed name");
        let rule = if name.starts_with(['/', '\\']) || name.contains("..") { &INJECTION } else { &INCLUDE };
        self.scan.find(rule, self.at(span), format!("the template takes in `{}`", shown(name)));
    }

    fn expression(&mut self, expr: &Expr<'_>) {
        // A template of one megabyte spends far less than a file may.
        let _ = self.scan.spend(1);
        self.spelled(expr);
        match expr {
            Expr::Var(var) if names::dunder(var.id) => self.names(var.id, var.span()),
            Expr::Var(_) | Expr::Const(_) => {}
            Expr::Slice(it) => {
                self.expression(&it.expr);
                [&it.start, &it.stop, &it.step]
                    .into_iter()
                    .flatten()
                    .for_each(|bound| self.expression(bound));
            }
            Expr::UnaryOp(it) => self.expression(&it.expr),
            Expr::BinOp(it) => {
                self.repeated(it.op, &it.left, &it.right, it.span());
                self.expression(&it.left);
                self.expression(&it.right);
            }
            Expr::Compare(it) => {
                self.expression(&it.expr);
                it.ops.iter().for_each(|op| self.expression(&op.expr));
            }
            Expr::IfExpr(it) => {
                self.expression(&it.test_expr);
                self.expression(&it.true_expr);
                it.false_expr.iter().for_each(|other| self.expression(other));
            }
            Expr::Filter(it) => {
                it.expr.iter().for_each(|expr| self.expression(expr));
                self.filter(it.name, &it.args, it.span());
                self.arguments(&it.args);
            }
            Expr::Test(it) => {
                self.expression(&it.expr);
                self.arguments(&it.args);
            }
            Expr::GetAttr(it) => {
                if names::leads_out(it.name) {
                    self.names(it.name, it.span());
                } else if it.name.starts_with('_') {
                    self.scan.find(
                        &COMPUTED,
                        self.at(it.span()),
                        format!("the template looks up the private `{}`", shown(it.name)),
                    );
                }
                self.stepping_stone(&it.expr, it.name, it.span());
                self.expression(&it.expr);
            }
            Expr::GetItem(it) => {
                let known = fold(&it.subscript_expr, &self.set);
                if let Some(name) =
                    known.as_ref().and_then(Known::as_text).filter(|name| names::internal(name))
                {
                    self.names(name, it.span());
                }
                self.expression(&it.expr);
                self.expression(&it.subscript_expr);
            }
            Expr::Call(it) => self.call(&it.expr, &it.args, it.span()),
            Expr::List(it) => it.items.iter().for_each(|item| self.expression(item)),
            Expr::Tuple(it) => it.items.iter().for_each(|item| self.expression(item)),
            Expr::Map(it) => it.keys.iter().chain(&it.values).for_each(|item| self.expression(item)),
        }
    }

    fn arguments(&mut self, arguments: &[CallArg<'_>]) {
        for argument in arguments {
            match argument {
                CallArg::Pos(expr)
                | CallArg::Kwarg(_, expr)
                | CallArg::PosSplat(expr)
                | CallArg::KwargSplat(expr) => self.expression(expr),
            }
        }
    }

    fn call(&mut self, callee: &Expr<'_>, arguments: &[CallArg<'_>], span: Span) {
        match callee {
            Expr::Var(var) if names::function(var.id) => self.names(var.id, span),
            Expr::Var(var) if var.id == "range" => {
                let longest = self.arguments_of_range(arguments).unwrap_or(0);
                if longest > LONGEST_RANGE {
                    self.scan.find(&BOMB, self.at(span), format!("a range of {longest} elements"));
                }
            }
            Expr::GetAttr(method) if names::runs(method.name) => self.names(method.name, span),
            Expr::GetAttr(method) if matches!(method.name, "format" | "format_map") => {
                // `'{0.__class__}'.format(x)` looks up attributes (CVE-2016-10745).
                let known = fold(&method.expr, &self.set);
                if let Some(format) = known.as_ref().and_then(Known::as_text)
                    && (format.contains("__") || fields_reach_in(format))
                {
                    self.names(format, span);
                }
            }
            _ => {}
        }
        self.expression(callee);
        self.arguments(arguments);
    }

    /// `x|attr(name)`, `x|map(attribute=name)` and the like.
    fn filter(&mut self, filter: &str, arguments: &[CallArg<'_>], span: Span) {
        if names::function(filter) || names::dunder(filter) {
            self.names(filter, span);
        }
        if !LOOKING_UP.contains(&filter) {
            return;
        }
        let looked_up = arguments.iter().find_map(|argument| match argument {
            CallArg::Kwarg("attribute", expr) => Some(expr),
            CallArg::Pos(expr) if !matches!(filter, "map" | "max" | "min" | "sort" | "sum" | "unique") => {
                Some(expr)
            }
            // `|map('attr', name)` applies another filter.
            CallArg::Pos(expr) if filter == "map" && !matches!(expr, Expr::Const(_)) => Some(expr),
            _ => None,
        });
        let mapped = match (filter, arguments) {
            ("map", [CallArg::Pos(by), CallArg::Pos(name), ..])
                if fold(by, &self.set).as_ref().and_then(Known::as_text) == Some("attr") =>
            {
                Some(name)
            }
            _ => None,
        };
        let Some(name) = mapped.or(looked_up) else { return };
        match fold(name, &self.set).as_ref().and_then(Known::as_text) {
            Some(name) if names::leads_out(name) || name.starts_with('_') => self.names(name, span),
            Some(_) => {}
            None if filter == "attr" || mapped.is_some() => {
                self.scan.find(
                    &COMPUTED,
                    self.at(span),
                    "the template looks up an attribute whose name it computes",
                );
            }
            None => {}
        }
    }

    /// Attributes of Jinja's and Flask's own globals: none has any that a chat template needs.
    fn stepping_stone(&mut self, object: &Expr<'_>, name: &str, span: Span) {
        if let Expr::Var(var) = object
            && names::stepping_stone(var.id)
            && !self.set.contains_key(var.id)
        {
            self.scan.find(
                &COMPUTED,
                self.at(span),
                format!("the template looks up `{}.{}`", shown(var.id), shown(name)),
            );
        }
    }

    /// `'a' * 10**9`, `10 ** 10 ** 10`.
    fn repeated(&mut self, op: BinOpKind, left: &Expr<'_>, right: &Expr<'_>, span: Span) {
        if matches!(op, BinOpKind::Pow) {
            return self.power(left, right, span);
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
            self.scan.find(&BOMB, self.at(span), format!("a text repeated {times} times"));
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
            self.scan.find(&BOMB, self.at(span), format!("a power of {exponent}"));
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

    /// Names put together from pieces count wherever they stand: they may be used by an alias.
    fn spelled(&mut self, expr: &Expr<'_>) {
        if matches!(expr, Expr::Const(_) | Expr::BinOp(_) | Expr::Filter(_) | Expr::Call(_) | Expr::Slice(_))
            && let Some(known) = fold(expr, &self.set)
        {
            let texts = match &known {
                Known::List(items) => items.as_slice(),
                one => std::slice::from_ref(one),
            };
            for text in texts.iter().filter_map(Known::as_text) {
                if names::dunder(text) && text.chars().all(|c| c.is_ascii_alphanumeric() || c == '_') {
                    self.names(text, expr.span());
                }
            }
        }
    }

    fn names(&mut self, name: &str, span: Span) {
        self.scan.find(&INJECTION, self.at(span), format!("the template reaches for `{}`", shown(name)));
    }
}

/// Whether a field of a format string looks into its argument: `{0.name}`, `{0[name]}`.
fn fields_reach_in(format: &str) -> bool {
    format.split('{').skip(1).any(|field| {
        let name = field.split(['}', ':', '!']).next().unwrap_or_default();
        name.contains('.')
            && !name.starts_with('.')
            && name
                .split('.')
                .all(|part| !part.is_empty() && part.chars().all(|c| c.is_alphanumeric() || c == '_'))
    })
}
