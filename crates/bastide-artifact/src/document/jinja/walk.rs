//! The walk over a template's tree.

use std::collections::BTreeSet;

use minijinja::machinery::Span;
use minijinja::machinery::ast::{CallArg, Expr, Stmt};

use super::bombs::Growth;
use super::flow::{Flow, Given};
use super::fold::{Known, Knowns, fold};
use super::{COMPUTED, INCLUDE, INJECTION, names};
use crate::scan::{Scan, shown};

/// Rounds of loops over known lists that are walked one by one, in the whole template.
const MOST_WALKED: usize = 256;
/// Expressions after which each loop is walked once.
const MOST_VISITED: u64 = 100_000;

/// A walk under way.
pub(super) struct Walk<'s, 'l> {
    offset: u64,
    pub(super) scan: &'s mut Scan<'l>,
    pub(super) set: Knowns,
    /// Rounds of the loops around.
    pub(super) rounds: i128,
    /// Loops around.
    pub(super) loops: u32,
    /// Variables that were set to themselves twice over.
    pub(super) doublings: u32,
    /// Rounds walked one by one so far.
    walked: usize,
    /// Expressions looked at so far.
    visited: u64,
    /// Variables that the template sets.
    assigned: BTreeSet<String>,
    given: Given,
    pub(super) flow: Flow,
    pub(super) growth: Growth,
}

impl<'s, 'l> Walk<'s, 'l> {
    pub(super) fn new(offset: u64, scan: &'s mut Scan<'l>, flow: Flow, given: Given) -> Self {
        Walk {
            offset,
            scan,
            set: Knowns::default(),
            rounds: 1,
            loops: 0,
            doublings: 0,
            walked: 0,
            visited: 0,
            assigned: BTreeSet::new(),
            given,
            flow,
            growth: Growth::default(),
        }
    }

    pub(super) fn at(&self, span: Span) -> u64 {
        self.offset + u64::from(span.start_offset)
    }

    fn statements(&mut self, statements: &[Stmt<'_>]) {
        for statement in statements {
            self.statement(statement);
        }
    }

    pub(super) fn statement(&mut self, statement: &Stmt<'_>) {
        self.set.forget();
        match statement {
            Stmt::Template(it) => self.statements(&it.children),
            Stmt::EmitExpr(it) => {
                self.expression(&it.expr);
                let size = self.size(&it.expr);
                self.prints(size, it.span());
            }
            Stmt::EmitRaw(it) => self.prints(it.raw.len() as u128, it.span()),
            Stmt::Continue(_) | Stmt::Break(_) => {}
            Stmt::ForLoop(it) => {
                self.expression(&it.iter);
                it.filter_expr.iter().for_each(|filter| self.expression(filter));
                let before = self.rounds;
                self.loop_over(&it.iter, it.span());
                self.loops += 1;
                self.each(&it.target, &it.iter, &it.body);
                self.loops -= 1;
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
                self.statements(&it.body);
                let known = self.emitted(&it.body).filter(|_| it.filter.is_none());
                self.assign_one(&it.target, known);
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
                for (at, argument) in it.args.iter().enumerate() {
                    let known = self.given.get(&(it.name.to_owned(), at)).cloned();
                    self.assign_one(argument, known);
                }
                let outside = self.enter_macro();
                self.statements(&it.body);
                self.leave_macro(it.name, outside);
            }
            Stmt::CallBlock(it) => {
                self.call(&it.call.expr, &it.call.args, it.call.span());
                self.statements(&it.macro_decl.body);
            }
            Stmt::Do(it) => self.call(&it.call.expr, &it.call.args, it.call.span()),
        }
    }

    /// Walks the body of a loop, once for each element where these are known.
    fn each(&mut self, target: &Expr<'_>, iter: &Expr<'_>, body: &[Stmt<'_>]) {
        let items = fold(iter, &self.set).map(|known| known.items()).unwrap_or_default();
        if items.is_empty() || self.walked.saturating_add(items.len()) > MOST_WALKED {
            self.unpack(target, None);
            return self.statements(body);
        }
        self.walked += items.len();
        for item in items {
            let enough = self.visited > MOST_VISITED;
            self.unpack(target, Some(item).filter(|_| !enough));
            self.statements(body);
            if enough {
                break;
            }
        }
    }

    /// What the body of a `set` block gives, where all of it is known.
    fn emitted(&self, body: &[Stmt<'_>]) -> Option<Known> {
        let mut text = String::new();
        for statement in body {
            match statement {
                Stmt::EmitRaw(raw) => text.push_str(raw.raw),
                Stmt::EmitExpr(emitted) => text.push_str(&fold(&emitted.expr, &self.set)?.spelled()),
                _ => return None,
            }
        }
        Known::text(text.trim())
    }

    fn assign(&mut self, target: &Expr<'_>, expr: &Expr<'_>) {
        self.expression(expr);
        self.doubled(target, expr);
        self.grows(target, expr);
        let known = fold(expr, &self.set);
        self.unpack(target, known);
    }

    fn unpack(&mut self, target: &Expr<'_>, known: Option<Known>) {
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
        if let Expr::Var(var) = target {
            self.assigned.insert(var.id.to_owned());
        }
        match (target, known) {
            (Expr::Var(var), known) => self.set.set(var.id, known),
            // An attribute of a namespace.
            (Expr::GetAttr(attribute), known) => {
                if let Expr::Var(space) = &attribute.expr {
                    self.set.put(space.id, attribute.name, known);
                }
                self.expression(target);
            }
            _ => self.expression(target),
        }
    }

    fn include(&mut self, name: &Expr<'_>, span: Span) {
        let known = fold(name, &self.set);
        let names = match &known {
            Some(Known::List(names)) => names.as_slice(),
            Some(name) => std::slice::from_ref(name),
            None => &[],
        };
        let leaves = |name: &&str| name.starts_with(['/', '\\']) || name.contains("..");
        let mut names = names.iter().filter_map(Known::as_text);
        let first = names.clone().next().unwrap_or("a computed name");
        let (rule, name) = names.find(leaves).map_or((&INCLUDE, first), |name| (&INJECTION, name));
        self.scan.find(rule, self.at(span), format!("the template takes in `{}`", shown(name)));
    }

    fn expression(&mut self, expr: &Expr<'_>) {
        self.visited += 1;
        // A template of one megabyte spends far less than a file may.
        let _ = self.scan.spend(1);
        self.spelled(expr);
        match expr {
            Expr::Var(var) if names::special(var.id) && !self.assigned.contains(var.id) => {
                self.names(var.id, var.span());
            }
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
                // `format` alone is also a key of JSON schemas.
                if matches!(it.name, "format" | "format_map")
                    && matches!(fold(&it.expr, &self.set), Some(Known::Text(_)))
                {
                    self.computed("takes a method that looks up names in its text", it.span());
                }
                self.stepping_stone(&it.expr, it.name, it.span());
                self.expression(&it.expr);
            }
            Expr::GetItem(it) => {
                self.item(&it.expr, &it.subscript_expr, it.span());
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
            Expr::Var(var) if var.id == "range" => self.ranged(arguments, span),
            Expr::Var(var) if var.id == "lipsum" => self.wide(var.id, arguments, span),
            Expr::GetAttr(method) if names::runs(method.name) => self.names(method.name, span),
            Expr::GetAttr(method) if matches!(method.name, "format" | "format_map") => {
                self.expression(&method.expr);
                self.arguments(arguments);
                return self.format(&method.expr, span);
            }
            Expr::Var(var) => {
                self.prints_macro(var.id, span);
                self.give(var.id, arguments);
            }
            _ => {}
        }
        if let Expr::GetAttr(method) = callee {
            self.wide(method.name, arguments, span);
        }
        self.expression(callee);
        self.arguments(arguments);
    }

    /// `'{0.__class__}'.format(x)` looks up attributes (CVE-2016-10745).
    fn format(&mut self, format: &Expr<'_>, span: Span) {
        match fold(format, &self.set).as_ref().and_then(Known::as_text) {
            Some(format) if names::fields(format).next().is_some() || fields_reach_in(format) => {
                self.names(format, span);
            }
            Some(format) => self.widths(format, span),
            // What the template itself says is only too long to be known.
            None if self.flow.carries(format) => self.names("a name in a field", span),
            None if matches!(format, Expr::Const(_)) => {}
            None if matches!(format, Expr::Var(var) if self.assigned.contains(var.id)) => {}
            None => self.computed("fills in a text that it computes", span),
        }
    }

    /// Notes what a macro is called with.
    fn give(&mut self, callee: &str, arguments: &[CallArg<'_>]) {
        const MOST_GIVEN: usize = 1024;
        for (at, argument) in arguments.iter().enumerate() {
            if let CallArg::Pos(expr) = argument
                && let Some(known) = fold(expr, &self.set)
                && self.given.len() < MOST_GIVEN
            {
                self.given.entry((callee.to_owned(), at)).or_insert(known);
            }
        }
    }

    pub(super) fn computed(&mut self, what: &str, span: Span) {
        self.scan.find(&COMPUTED, self.at(span), format!("the template {what}"));
    }

    /// Attributes of Jinja's and Flask's own globals: none has any that a chat template needs.
    fn stepping_stone(&mut self, object: &Expr<'_>, name: &str, span: Span) {
        if let Expr::Var(var) = object
            && names::stepping_stone(var.id)
            && !self.set.has(var.id)
        {
            self.scan.find(
                &COMPUTED,
                self.at(span),
                format!("the template looks up `{}.{}`", shown(var.id), shown(name)),
            );
        }
    }

    /// A name of Python that is put together from pieces counts wherever it stands: nobody else writes it so.
    fn spelled(&mut self, expr: &Expr<'_>) {
        if matches!(expr, Expr::BinOp(_) | Expr::Filter(_) | Expr::Call(_) | Expr::Slice(_))
            && let Some(Known::Text(text)) = fold(expr, &self.set)
            && names::special(&text)
        {
            self.names(&text, expr.span());
        }
    }

    pub(super) fn names(&mut self, name: &str, span: Span) {
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
