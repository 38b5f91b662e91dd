//! Where texts go in a template: which variables may come to hold a name that leads out, by whatever way.
//!
//! A text such as `'__image__'` is a text wherever it is printed or compared. It is a name where an attribute or an item
//! is looked up by it, and until then it may pass through variables, loops, macros, lists and filters.

use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;

use minijinja::machinery::ast::{Call, CallArg, Expr, Macro, Stmt};

use super::fold::{Known, Knowns, fold};
use super::recursion::Calls;
use super::sources::{
    ALL, HOT, MIDDLE, Marks, Node, PIECE, VARIED, base, of_text, shortened, sources, value,
};
use crate::scan::Scan;

/// Methods that put their arguments into the object they are called on.
const PUTTING: &[&str] = &["add", "append", "extend", "insert", "setdefault", "update"];

/// Functions that loaders give to templates, and those of Jinja. None calls a macro.
const GIVEN: &[&str] =
    &["cycler", "dict", "joiner", "lipsum", "namespace", "raise_exception", "range", "strftime_now"];

/// What every macro may be given.
const ANY_MACRO: Node<'_> = ("(macros)", "");
/// What every loop may be given.
const ANY_LOOP: Node<'_> = ("(loops)", "");
/// What macros are given beyond their parameters.
const BEYOND: [Node<'_>; 2] = [("varargs", ""), ("kwargs", "")];

/// What the variables of one template may hold, by their names and attributes.
#[derive(Default)]
pub(super) struct Flow {
    marks: BTreeMap<String, BTreeMap<String, Marks>>,
}

impl Flow {
    /// Follows the texts of the template.
    pub(super) fn of<'t>(tree: &'t Stmt<'t>, scan: &mut Scan<'_>) -> (Flow, Given, Calls) {
        let mut ways = Ways::default();
        BEYOND.iter().for_each(|to| ways.edge(ANY_MACRO, *to, false));
        ways.statement(tree);
        let (given, calls) = (std::mem::take(&mut ways.constants), std::mem::take(&mut ways.calls));
        (Flow { marks: ways.reached(scan) }, given, calls)
    }

    /// What may be said of the texts that `expr` gives.
    fn marks(&self, expr: &Expr<'_>) -> Marks {
        let mut from = Vec::new();
        let own = sources(expr, &mut from);
        let held = |(name, attribute): Node<'_>| self.marks.get(name)?.get(attribute).copied();
        from.iter().fold(own, |marks, (node, cut)| {
            let held = held(*node).unwrap_or(0);
            marks | if *cut { shortened(held) } else { held }
        })
    }

    /// Whether what `expr` gives may be a name that leads out.
    pub(super) fn carries(&self, expr: &Expr<'_>) -> bool {
        let marks = self.marks(expr);
        marks & HOT != 0 || marks & PIECE != 0 && marks & MIDDLE != 0
    }

    /// Whether what `expr` gives may be put together from halves of such names.
    pub(super) fn pieces(&self, expr: &Expr<'_>) -> bool {
        self.marks(expr) & PIECE != 0
    }

    /// Whether what is known of `expr`, which is no name that leads out, may not be all, and it has pieces of names.
    pub(super) fn varies(&self, expr: &Expr<'_>) -> bool {
        let marks = self.marks(expr);
        marks & VARIED != 0 && marks & PIECE != 0
    }
}

/// From which variables the others get what they hold.
#[derive(Default)]
struct Ways<'t> {
    /// Each variable with those that get what it holds, and whether only a part of it.
    to: BTreeMap<Place<'t>, BTreeSet<(Place<'t>, bool)>>,
    /// What the template itself gives to variables.
    first: BTreeMap<Place<'t>, Marks>,
    /// The parameters of each macro with their places, and in their order.
    parameters: BTreeMap<&'t str, Rc<Parameters<'t>>>,
    /// What macros are given that is known without any variable, by their name and the place of the argument.
    constants: Given,
    calls: Calls,
    /// Conditions around.
    conditions: u32,
    /// Assignments to several variables so far.
    several: usize,
}

/// A variable and its attribute, or the number of an assignment to several.
type Place<'t> = (Node<'t>, usize);

struct Parameters<'t> {
    order: Vec<&'t str>,
    places: BTreeMap<&'t str, usize>,
}

/// What macros are given, by their name and the place of the argument.
pub(super) type Given = BTreeMap<(String, usize), Known>;

impl<'t> Ways<'t> {
    fn reached(self, scan: &mut Scan<'_>) -> BTreeMap<String, BTreeMap<String, Marks>> {
        let mut reached: BTreeMap<Place<'t>, Marks> = BTreeMap::new();
        let mut next: Vec<(Place<'t>, Marks)> = self.first.into_iter().collect();
        while let Some((place, marks)) = next.pop() {
            let before = reached.entry(place).or_default();
            if *before | marks == *before {
                continue;
            }
            *before |= marks;
            let marks = *before;
            let to = self.to.get(&place).into_iter().flatten();
            // Each place is come to once for each mark at the most.
            let _ = scan.spend(1);
            next.extend(to.map(|(to, cut)| (*to, if *cut { shortened(marks) } else { marks })));
        }
        let mut marks: BTreeMap<String, BTreeMap<String, Marks>> = BTreeMap::new();
        for (((name, attribute), several), held) in reached {
            if several == 0 {
                marks.entry(name.to_owned()).or_default().insert(attribute.to_owned(), held);
            }
        }
        marks
    }

    fn edge(&mut self, from: Node<'t>, to: Node<'t>, cut: bool) {
        self.to.entry((from, 0)).or_default().insert(((to, 0), cut));
    }

    /// `target` gets a text of the template.
    fn spelled(&mut self, target: Node<'t>, marks: Marks) {
        *self.first.entry((target, 0)).or_default() |= marks;
    }

    /// `target` gets what `expr` gives.
    fn flows(&mut self, target: Node<'t>, expr: &'t Expr<'t>) {
        if !target.1.is_empty() {
            self.edge(target, (target.0, ALL), false);
        }
        self.flows_to((target, 0), expr);
    }

    fn flows_to(&mut self, target: Place<'t>, expr: &'t Expr<'t>) {
        let mut from = Vec::new();
        let marks = sources(expr, &mut from) | if self.conditions > 0 { VARIED } else { 0 };
        *self.first.entry(target).or_default() |= marks;
        for (node, cut) in from {
            self.to.entry((node, 0)).or_default().insert((target, cut));
        }
    }

    /// Each variable of a target gets what `expr` gives.
    fn assigned(&mut self, target: &'t Expr<'t>, expr: &'t Expr<'t>) {
        if let Expr::List(_) | Expr::Tuple(_) = target {
            self.several += 1;
            let all = (("", ""), self.several);
            self.flows_to(all, expr);
            let mut names = Vec::new();
            targets(target, &mut names);
            self.to.entry(all).or_default().extend(names.into_iter().map(|name| ((name, 0), false)));
        } else if let Some(name) = base(target) {
            match (target, expr) {
                (Expr::Var(var), Expr::Call(call)) if made_of_fields(call) => {
                    for argument in &call.args {
                        if let CallArg::Kwarg(field, expr) = argument {
                            self.spelled((var.id, ALL), of_text(field));
                            self.flows((var.id, field), expr);
                        }
                    }
                }
                _ => self.flows(name, expr),
            }
        }
    }

    /// `target` gets what the statements print.
    fn printed(&mut self, target: Node<'t>, body: &'t [Stmt<'t>]) {
        for statement in body {
            match statement {
                Stmt::EmitRaw(raw) => self.spelled(target, of_text(raw.raw.trim())),
                Stmt::EmitExpr(emitted) => self.flows(target, &emitted.expr),
                Stmt::IfCond(it) => {
                    self.conditions += 1;
                    self.printed(target, &it.true_body);
                    self.printed(target, &it.false_body);
                    self.conditions -= 1;
                }
                Stmt::ForLoop(it) => {
                    self.printed(target, &it.body);
                    self.printed(target, &it.else_body);
                }
                Stmt::WithBlock(it) => self.printed(target, &it.body),
                Stmt::AutoEscape(it) => self.printed(target, &it.body),
                Stmt::Block(it) => self.printed(target, &it.body),
                Stmt::FilterBlock(it) => {
                    self.flows(target, &it.filter);
                    self.printed(target, &it.body);
                }
                Stmt::CallBlock(it) => {
                    self.flows(target, &it.call.expr);
                    it.call.args.iter().for_each(|argument| self.flows(target, value(argument)));
                }
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
                let mut names = Vec::new();
                targets(&it.target, &mut names);
                names.into_iter().for_each(|name| self.edge(ANY_LOOP, name, false));
                self.calls.branch(true);
                self.statements(&it.body);
                self.calls.join(true);
                self.statements(&it.else_body);
            }
            Stmt::IfCond(it) => {
                self.expression(&it.expr);
                self.calls.branch(false);
                self.conditions += 1;
                self.statements(&it.true_body);
                self.statements(&it.false_body);
                self.conditions -= 1;
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
                self.printed(("caller", ""), &it.macro_decl.body);
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
        let order: Vec<&str> = it.args.iter().filter_map(base).map(|(name, _)| name).collect();
        order.iter().for_each(|parameter| self.edge(ANY_MACRO, (parameter, ""), false));
        let places = order.iter().enumerate().map(|(at, parameter)| (*parameter, at)).collect();
        self.parameters.insert(name, Rc::new(Parameters { order, places }));
    }

    fn defined(&mut self, it: &'t Macro<'t>, place: u32) {
        self.bind_all(it.name, it);
        let defaulted = it.args.len().saturating_sub(it.defaults.len());
        for (parameter, default) in it.args.iter().skip(defaulted).zip(&it.defaults) {
            self.assigned(parameter, default);
        }
        self.printed((it.name, ""), &it.body);
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
    fn given(&mut self, callee: &'t str, arguments: &'t [CallArg<'t>]) {
        let parameters = self.parameters.get(callee).cloned();
        let other = if callee == "loop" { ANY_LOOP } else { ANY_MACRO };
        for (at, argument) in arguments.iter().enumerate() {
            let expr = value(argument);
            let place = parameters.as_ref().and_then(|parameters| match argument {
                CallArg::Kwarg(name, _) => parameters.places.get(name).copied(),
                CallArg::Pos(_) => Some(at).filter(|at| *at < parameters.order.len()),
                CallArg::PosSplat(_) | CallArg::KwargSplat(_) => None,
            });
            let name = place.and_then(|place| parameters.as_ref()?.order.get(place).copied());
            if let (Some(place), Some(name)) = (place, name) {
                self.flows((name, ""), expr);
                self.fixed(callee, place, expr);
                continue;
            }
            if let CallArg::Kwarg(name, _) = argument {
                BEYOND.iter().for_each(|to| self.spelled(*to, of_text(name)));
            }
            if parameters.is_some() && matches!(argument, CallArg::Pos(_) | CallArg::Kwarg(..)) {
                BEYOND.iter().for_each(|to| self.flows(*to, expr));
            } else {
                self.flows(other, expr);
            }
        }
    }
}

/// Whether a call makes an object of named fields and nothing else.
fn made_of_fields(call: &Call<'_>) -> bool {
    matches!(&call.expr, Expr::Var(var) if matches!(var.id, "dict" | "namespace"))
        && call.args.iter().all(|argument| matches!(argument, CallArg::Kwarg(..)))
}

fn targets<'e>(expr: &'e Expr<'_>, names: &mut Vec<Node<'e>>) {
    match expr {
        Expr::List(list) => list.items.iter().for_each(|item| targets(item, names)),
        Expr::Tuple(tuple) => tuple.items.iter().for_each(|item| targets(item, names)),
        single => names.extend(base(single)),
    }
}
