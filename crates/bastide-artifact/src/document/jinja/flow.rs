//! Where texts go in a template: which variables may come to hold a name that leads out, by whatever way.
//!
//! A text such as `'__image__'` is a text wherever it is printed or compared. It is a name where an attribute or an item
//! is looked up by it, and until then it may pass through variables, loops, macros, lists and filters.

use std::collections::{BTreeMap, BTreeSet};

use minijinja::machinery::ast::{BinOpKind, Call, CallArg, Expr, Macro, Stmt};
use minijinja::value::{Value, ValueKind};

use super::fold::{Known, Knowns, fold};
use super::names;
use super::recursion::Calls;

/// Methods and filters whose arguments are looked for, and not part of what they return.
const SEEKING: &[&str] = &[
    "count",
    "endswith",
    "find",
    "index",
    "lstrip",
    "partition",
    "reject",
    "rejectattr",
    "removeprefix",
    "removesuffix",
    "rpartition",
    "rsplit",
    "rstrip",
    "select",
    "selectattr",
    "split",
    "startswith",
    "strip",
    "trim",
];

/// Filters that return a number.
const COUNTING: &[&str] = &["count", "float", "int", "length", "wordcount"];

/// Methods that put their arguments into the object they are called on.
const PUTTING: &[&str] = &["add", "append", "extend", "insert", "setdefault", "update"];

/// Functions that loaders give to templates, and those of Jinja. None calls a macro.
const GIVEN: &[&str] =
    &["cycler", "dict", "joiner", "lipsum", "namespace", "raise_exception", "range", "strftime_now"];

/// What every macro may be given.
const ANY_MACRO: &str = "(macros)";
/// What every loop may be given.
const ANY_LOOP: &str = "(loops)";

/// The variables of one template that may hold a name that leads out.
#[derive(Default)]
pub(super) struct Flow {
    hot: BTreeSet<String>,
}

impl Flow {
    /// Follows the texts of the template.
    pub(super) fn of(tree: &Stmt<'_>) -> (Flow, Given, Calls) {
        let mut ways = Ways::default();
        ways.statement(tree);
        let (given, calls) = (std::mem::take(&mut ways.constants), std::mem::take(&mut ways.calls));
        (Flow { hot: ways.reached() }, given, calls)
    }

    /// Whether what `expr` gives may be a name that leads out.
    pub(super) fn carries(&self, expr: &Expr<'_>) -> bool {
        let mut from = Vec::new();
        sources(expr, &mut from, is_hot) || from.iter().any(|name| self.hot.contains(*name))
    }
}

/// From which variables the others get what they hold.
#[derive(Default)]
struct Ways<'t> {
    /// Each variable with those that get what it holds.
    to: BTreeMap<String, Vec<String>>,
    /// Those that are given a name that leads out.
    first: Vec<String>,
    /// The parameters of each macro.
    parameters: BTreeMap<&'t str, Vec<&'t str>>,
    /// What macros are given that is known without any variable, by their name and the place of the argument.
    constants: Given,
    calls: Calls,
}

/// What macros are given, by their name and the place of the argument.
pub(super) type Given = BTreeMap<(String, usize), Known>;

impl<'t> Ways<'t> {
    fn reached(self) -> BTreeSet<String> {
        let mut hot = BTreeSet::new();
        let mut next = self.first;
        while let Some(name) = next.pop() {
            next.extend(self.to.get(&name).into_iter().flatten().filter(|to| !hot.contains(*to)).cloned());
            hot.insert(name);
        }
        hot
    }

    /// `target` gets what `expr` gives.
    fn flows(&mut self, target: &str, expr: &Expr<'_>) {
        let mut from = Vec::new();
        if sources(expr, &mut from, is_hot) {
            self.first.push(target.to_owned());
        }
        for name in from.into_iter().filter(|name| *name != target) {
            self.to.entry(name.to_owned()).or_default().push(target.to_owned());
        }
    }

    /// Each variable of a target gets what `expr` gives.
    fn assigned(&mut self, target: &Expr<'_>, expr: &Expr<'_>) {
        match target {
            Expr::List(targets) => targets.items.iter().for_each(|target| self.assigned(target, expr)),
            Expr::Tuple(targets) => targets.items.iter().for_each(|target| self.assigned(target, expr)),
            single => {
                if let Some(name) = base(single) {
                    self.flows(name, expr);
                }
            }
        }
    }

    /// `target` gets what the statements print.
    fn printed(&mut self, target: &str, body: &[Stmt<'_>]) {
        for statement in body {
            match statement {
                Stmt::EmitRaw(raw) if is_hot(raw.raw.trim()) => self.first.push(target.to_owned()),
                Stmt::EmitExpr(emitted) => self.flows(target, &emitted.expr),
                Stmt::IfCond(it) => {
                    self.printed(target, &it.true_body);
                    self.printed(target, &it.false_body);
                }
                Stmt::ForLoop(it) => self.printed(target, &it.body),
                Stmt::WithBlock(it) => self.printed(target, &it.body),
                _ => {}
            }
        }
    }

    fn statements(&mut self, statements: &'t [Stmt<'t>]) {
        statements.iter().for_each(|statement| self.statement(statement));
    }

    fn statement(&mut self, statement: &'t Stmt<'t>) {
        match statement {
            Stmt::Template(it) => {
                self.declared(&it.children);
                self.statements(&it.children);
            }
            Stmt::EmitExpr(it) => self.expression(&it.expr),
            Stmt::ForLoop(it) => {
                self.expression(&it.iter);
                self.assigned(&it.target, &it.iter);
                targets(&it.target, self.to.entry(ANY_LOOP.to_owned()).or_default());
                self.calls.branch(true);
                self.statements(&it.body);
                self.calls.join(true);
                self.statements(&it.else_body);
            }
            Stmt::IfCond(it) => {
                self.expression(&it.expr);
                self.calls.branch(false);
                self.statements(&it.true_body);
                self.statements(&it.false_body);
                self.calls.join(false);
            }
            Stmt::WithBlock(it) => {
                for (target, expr) in &it.assignments {
                    self.expression(expr);
                    self.assigned(target, expr);
                }
                self.statements(&it.body);
            }
            Stmt::Set(it) => {
                self.expression(&it.expr);
                self.assigned(&it.target, &it.expr);
            }
            Stmt::SetBlock(it) => {
                if let Some(name) = base(&it.target) {
                    self.printed(name, &it.body);
                    it.filter.iter().for_each(|filter| self.flows(name, filter));
                }
                self.statements(&it.body);
            }
            Stmt::AutoEscape(it) => self.statements(&it.body),
            Stmt::FilterBlock(it) => self.statements(&it.body),
            Stmt::Block(it) => self.statements(&it.body),
            Stmt::Macro(it) => self.defined(it, it.span().start_offset),
            Stmt::CallBlock(it) => {
                self.call(&it.call);
                self.printed("caller", &it.macro_decl.body);
                self.bind_all("caller", &it.macro_decl);
                self.statements(&it.macro_decl.body);
            }
            Stmt::Do(it) => self.call(&it.call),
            _ => {}
        }
    }

    /// Notes the macros before the calls that may stand above them.
    fn declared(&mut self, statements: &'t [Stmt<'t>]) {
        for statement in statements {
            match statement {
                Stmt::Macro(it) => self.bind_all(it.name, it),
                Stmt::IfCond(it) => {
                    self.declared(&it.true_body);
                    self.declared(&it.false_body);
                }
                _ => {}
            }
        }
    }

    fn bind_all(&mut self, name: &'t str, it: &'t Macro<'t>) {
        let parameters = it.args.iter().filter_map(base).collect::<Vec<_>>();
        for parameter in &parameters {
            self.to.entry(ANY_MACRO.to_owned()).or_default().push((*parameter).to_owned());
        }
        self.parameters.insert(name, parameters);
    }

    fn defined(&mut self, it: &'t Macro<'t>, place: u32) {
        self.bind_all(it.name, it);
        let defaulted = it.args.len().saturating_sub(it.defaults.len());
        for (parameter, default) in it.args.iter().skip(defaulted).zip(&it.defaults) {
            self.assigned(parameter, default);
        }
        self.printed(it.name, &it.body);
        let outer = self.calls.enter(it, place);
        self.statements(&it.body);
        self.calls.leave(outer);
    }

    fn expression(&mut self, expr: &'t Expr<'t>) {
        match expr {
            Expr::Var(_) | Expr::Const(_) => {}
            Expr::Slice(it) => self.expression(&it.expr),
            Expr::UnaryOp(it) => self.expression(&it.expr),
            Expr::BinOp(it) => {
                self.expression(&it.left);
                self.expression(&it.right);
            }
            Expr::Compare(it) => {
                self.expression(&it.expr);
                it.ops.iter().for_each(|op| self.expression(&op.expr));
            }
            Expr::IfExpr(it) => {
                self.expression(&it.test_expr);
                self.calls.branch(false);
                self.expression(&it.true_expr);
                it.false_expr.iter().for_each(|other| self.expression(other));
                self.calls.join(false);
            }
            Expr::Filter(it) => {
                it.expr.iter().for_each(|expr| self.expression(expr));
                self.arguments(&it.args);
            }
            Expr::Test(it) => {
                self.expression(&it.expr);
                self.arguments(&it.args);
            }
            Expr::GetAttr(it) => self.expression(&it.expr),
            Expr::GetItem(it) => {
                self.expression(&it.expr);
                self.expression(&it.subscript_expr);
            }
            Expr::Call(it) => self.call(it),
            Expr::List(it) => it.items.iter().for_each(|item| self.expression(item)),
            Expr::Tuple(it) => it.items.iter().for_each(|item| self.expression(item)),
            Expr::Map(it) => it.keys.iter().chain(&it.values).for_each(|item| self.expression(item)),
        }
    }

    fn arguments(&mut self, arguments: &'t [CallArg<'t>]) {
        arguments.iter().for_each(|argument| self.expression(value(argument)));
    }

    fn call(&mut self, call: &'t Call<'t>) {
        self.expression(&call.expr);
        self.arguments(&call.args);
        match &call.expr {
            Expr::Var(var) if GIVEN.contains(&var.id) => {}
            Expr::Var(var) => {
                self.calls.called(var.id, &call.args);
                self.given(var.id, &call.args);
            }
            Expr::GetAttr(method) if PUTTING.contains(&method.name) => {
                if let Some(owner) = base(&method.expr) {
                    call.args.iter().for_each(|argument| self.flows(owner, value(argument)));
                }
            }
            _ => {}
        }
    }

    /// Notes an argument that is known without any variable: of several, one that could be part of a name.
    fn fixed(&mut self, callee: &str, place: usize, expr: &Expr<'_>) {
        const MOST: usize = 1024;
        let Some(known) = fold(expr, &Knowns::default()) else { return };
        let key = (callee.to_owned(), place);
        let part = |known: &Known| known.as_text().is_some_and(|text| text.contains('_'));
        match self.constants.get(&key) {
            Some(before) if part(before) || !part(&known) => {}
            None if self.constants.len() >= MOST => {}
            _ => drop(self.constants.insert(key, known)),
        }
    }

    /// A macro, or what may be one by another name, gets its arguments.
    fn given(&mut self, callee: &str, arguments: &[CallArg<'_>]) {
        let parameters = self.parameters.get(callee).cloned();
        let other = if callee == "loop" { ANY_LOOP } else { ANY_MACRO };
        for (at, argument) in arguments.iter().enumerate() {
            let named = match argument {
                CallArg::Kwarg(name, _) => Some(*name),
                CallArg::Pos(_) => parameters.as_ref().and_then(|parameters| parameters.get(at).copied()),
                CallArg::PosSplat(_) | CallArg::KwargSplat(_) => None,
            };
            let known = parameters
                .as_ref()
                .is_some_and(|parameters| named.is_some_and(|name| parameters.contains(&name)));
            match named.filter(|_| known) {
                Some(parameter) => {
                    self.flows(parameter, value(argument));
                    let place = parameters.iter().flatten().position(|known| *known == parameter);
                    self.fixed(callee, place.unwrap_or(at), value(argument));
                }
                None => {
                    let to = if parameters.is_some() { &["varargs", "kwargs"][..] } else { &[other][..] };
                    to.iter().for_each(|to| self.flows(to, value(argument)));
                }
            }
        }
    }
}

/// The variable that `name`, `name.attribute` and `name[item]` belong to.
fn base<'e>(expr: &'e Expr<'_>) -> Option<&'e str> {
    match expr {
        Expr::Var(var) => Some(var.id),
        Expr::GetAttr(attribute) => base(&attribute.expr),
        Expr::GetItem(item) => base(&item.expr),
        _ => None,
    }
}

fn targets(expr: &Expr<'_>, names: &mut Vec<String>) {
    match expr {
        Expr::List(list) => list.items.iter().for_each(|item| targets(item, names)),
        Expr::Tuple(tuple) => tuple.items.iter().for_each(|item| targets(item, names)),
        single => names.extend(base(single).map(str::to_owned)),
    }
}

pub(super) fn value<'e, 'a>(argument: &'e CallArg<'a>) -> &'e Expr<'a> {
    match argument {
        CallArg::Pos(expr)
        | CallArg::Kwarg(_, expr)
        | CallArg::PosSplat(expr)
        | CallArg::KwargSplat(expr) => expr,
    }
}

/// The variables that what `expr` gives may come from; whether it is hot by itself, and then perhaps not all of them.
fn sources<'e>(expr: &'e Expr<'_>, from: &mut Vec<&'e str>, hot: fn(&str) -> bool) -> bool {
    match expr {
        Expr::Var(var) => {
            from.push(var.id);
            false
        }
        Expr::Const(constant) => any_text(&constant.value, hot),
        Expr::Slice(it) => sources(&it.expr, from, hot),
        Expr::BinOp(it) => {
            let keeps = matches!(
                it.op,
                BinOpKind::ScAnd
                    | BinOpKind::ScOr
                    | BinOpKind::Add
                    | BinOpKind::Concat
                    | BinOpKind::Mul
                    | BinOpKind::Rem
            );
            keeps && any([&it.left, &it.right], from, hot)
        }
        Expr::UnaryOp(_) | Expr::Compare(_) | Expr::Test(_) => false,
        Expr::IfExpr(it) => any(std::iter::once(&it.true_expr).chain(&it.false_expr), from, hot),
        Expr::Filter(it) if COUNTING.contains(&it.name) => false,
        Expr::Filter(it) => {
            let subject = it.expr.as_ref().is_some_and(|expr| sources(expr, from, hot));
            given(it.name, &it.args, from, hot) || subject
        }
        Expr::GetAttr(it) => sources(&it.expr, from, hot),
        Expr::GetItem(it) => sources(&it.expr, from, hot),
        Expr::Call(it) => match &it.expr {
            Expr::GetAttr(method) => {
                let subject = sources(&method.expr, from, hot);
                given(method.name, &it.args, from, hot) || subject
            }
            callee => {
                let callee = sources(callee, from, hot);
                given("", &it.args, from, hot) || callee
            }
        },
        Expr::List(it) => any(&it.items, from, hot),
        Expr::Tuple(it) => any(&it.items, from, hot),
        Expr::Map(it) => any(it.keys.iter().chain(&it.values), from, hot),
    }
}

/// The same for several parts.
fn any<'e, 'a: 'e>(
    parts: impl IntoIterator<Item = &'e Expr<'a>>,
    from: &mut Vec<&'e str>,
    hot: fn(&str) -> bool,
) -> bool {
    parts.into_iter().any(|part| sources(part, from, hot))
}

/// What the arguments of the filter or method `name` add to what it returns.
fn given<'e>(
    name: &str,
    arguments: &'e [CallArg<'_>],
    from: &mut Vec<&'e str>,
    hot: fn(&str) -> bool,
) -> bool {
    if SEEKING.contains(&name) {
        return false;
    }
    let skip = usize::from(name == "replace");
    arguments.iter().skip(skip).any(|argument| {
        let named = matches!(argument, CallArg::Kwarg(name, _) if hot(name));
        named || sources(value(argument), from, hot)
    })
}

/// Whether what `expr` gives may hold two underscores that the expression itself spells.
pub(super) fn underscored(expr: &Expr<'_>) -> bool {
    sources(expr, &mut Vec::new(), |text| text.contains("__"))
}

/// Whether a text is a name that leads out, holds one that Python knows, or has a field that looks one up.
fn is_hot(text: &str) -> bool {
    names::dunder(text) || names::holds_special(text) || names::fields(text).next().is_some()
}

/// Whether a constant is such a text, or holds one.
fn any_text(value: &Value, hot: fn(&str) -> bool) -> bool {
    const MANY: usize = 1024;
    match value.kind() {
        ValueKind::String => value.as_str().is_some_and(hot),
        ValueKind::Map => value.try_iter().is_ok_and(|keys| {
            keys.take(MANY)
                .any(|key| any_text(&key, hot) || value.get_item(&key).is_ok_and(|item| any_text(&item, hot)))
        }),
        ValueKind::Seq | ValueKind::Iterable => {
            value.try_iter().is_ok_and(|items| items.take(MANY).any(|item| any_text(&item, hot)))
        }
        _ => false,
    }
}
