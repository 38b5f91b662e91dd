//! Places where an attribute or an item is looked up by a name.

use minijinja::machinery::Span;
use minijinja::machinery::ast::{BinOpKind, CallArg, Expr};

use super::fold::{Known, fold};
use super::names;
use super::sources::{underscored, value};
use super::walk::Walk;

impl Walk<'_, '_> {
    /// `object[name]`: Jinja looks for an attribute of that name where there is no such item.
    pub(super) fn item(&mut self, object: &Expr<'_>, name: &Expr<'_>, span: Span) {
        let known = fold(name, &self.set);
        match known.as_ref() {
            Some(Known::Text(text)) if names::internal(text) => {
                let has = fold(object, &self.set)
                    .zip(known.as_ref())
                    .is_some_and(|(object, name)| object.entry(name).is_some());
                if !has {
                    self.names(text, span);
                }
            }
            Some(_) if self.flow.varies(name) => self.assembled(name, span),
            Some(_) => {}
            None if self.flow.carries(name) || is_made(name) && underscored(name) => {
                self.names("a name that leads out, by a detour", span);
            }
            None if is_made(name) || underscored(name) || self.pieced(name) => {
                self.computed("looks up a name that it puts together", span);
            }
            None => {}
        }
    }

    /// Whether `name` may be put together from halves of names that lead out.
    fn pieced(&self, name: &Expr<'_>) -> bool {
        // Two underscores stand at either end of such a name.
        const FEW: usize = 2;
        self.flow.pieces(name) && !self.is_joined(name, &mut FEW.clone())
    }

    /// A name that is put together from pieces, of which not all is known.
    fn assembled(&mut self, name: &Expr<'_>, span: Span) {
        if self.flow.carries(name) {
            self.names("a name that leads out, by a detour", span);
        } else {
            self.computed("looks up a name that it puts together", span);
        }
    }

    /// Whether `expr` is like `a ~ '_' ~ b`: too few underscores for a name that leads out, and none in `a` and `b`.
    fn is_joined(&self, expr: &Expr<'_>, left: &mut usize) -> bool {
        match expr {
            Expr::BinOp(op) if matches!(op.op, BinOpKind::Concat | BinOpKind::Add) => {
                self.is_joined(&op.left, left) && self.is_joined(&op.right, left)
            }
            Expr::Const(constant) => {
                let count = constant.value.as_str().map_or(0, |text| text.matches('_').count());
                left.checked_sub(count).map(|rest| *left = rest).is_some()
            }
            other => !self.flow.pieces(other),
        }
    }

    /// `x|attr(name)`, `x|map(attribute=name)` and the like.
    pub(super) fn filter(&mut self, filter: &str, arguments: &[CallArg<'_>], span: Span) {
        if names::function(filter) || names::dunder(filter) {
            self.names(filter, span);
        }
        self.wide(filter, arguments, span);
        for name in self.looked_up(filter, arguments, 0) {
            self.attribute(name, span);
        }
    }

    /// The arguments of `filter` that name an attribute: by their place, or by the keyword.
    fn looked_up<'e, 'a>(&self, filter: &str, arguments: &'e [CallArg<'a>], depth: u8) -> Vec<&'e Expr<'a>> {
        const DEEPEST: u8 = 4;
        let place = match filter {
            "attr" | "groupby" | "rejectattr" | "selectattr" | "sum" => 0,
            "join" | "max" | "min" | "unique" => 1,
            "sort" => 2,
            "map" => return self.mapped(arguments, depth),
            _ => return Vec::new(),
        };
        let of_place = |(at, argument): (usize, &'e CallArg<'a>)| match argument {
            CallArg::Kwarg("attribute" | "name", _) | CallArg::PosSplat(_) | CallArg::KwargSplat(_) => {
                Some(value(argument))
            }
            CallArg::Pos(expr) if at == place && depth < DEEPEST => Some(expr),
            _ => None,
        };
        arguments.iter().enumerate().filter_map(of_place).collect()
    }

    /// The names among the arguments of `map`, which applies the filter that its first argument names to the others.
    fn mapped<'e, 'a>(&self, arguments: &'e [CallArg<'a>], depth: u8) -> Vec<&'e Expr<'a>> {
        let Some((first, rest)) = arguments.split_first() else { return Vec::new() };
        let CallArg::Pos(filter) = first else { return arguments.iter().map(value).collect() };
        match fold(filter, &self.set) {
            Some(Known::Text(filter)) => self.looked_up(&filter, rest, depth + 1),
            _ => arguments.iter().map(value).collect(),
        }
    }

    /// Judges the name of an attribute.
    fn attribute(&mut self, name: &Expr<'_>, span: Span) {
        match fold(name, &self.set) {
            Some(known) => {
                if let Some(name) = texts(&known).find(|name| names::leads_out(name) || name.starts_with('_'))
                {
                    self.names(name, span);
                } else if self.flow.varies(name) {
                    self.assembled(name, span);
                }
            }
            None if self.flow.carries(name) || underscored(name) || is_made(name) => {
                self.names("a name that leads out, by a detour", span);
            }
            None if is_said(name) => self.names("whatever a message names", span),
            None if matches!(name, Expr::Const(_)) => {}
            None => self.computed("looks up an attribute whose name it computes", span),
        }
    }
}

/// The texts of what is known: of a list or a dictionary, those it holds.
fn texts(known: &Known) -> Box<dyn Iterator<Item = &str> + '_> {
    match known {
        Known::Text(text) => Box::new(std::iter::once(text.as_str())),
        Known::Int(_) => Box::new(std::iter::empty()),
        Known::List(items) => Box::new(items.iter().filter_map(Known::as_text)),
        Known::Map(pairs) => Box::new(pairs.iter().filter_map(|(_, value)| value.as_text())),
    }
}

/// Whether somebody who talks to the model, or to its server, says what `expr` is.
fn is_said(expr: &Expr<'_>) -> bool {
    let said = |name: &str| matches!(name, "arguments" | "content" | "reasoning_content" | "text");
    match expr {
        Expr::GetAttr(it) => said(it.name) || is_said(&it.expr),
        Expr::GetItem(it) => {
            let key = matches!(&it.subscript_expr, Expr::Const(key) if key.value.as_str().is_some_and(said));
            key || is_said(&it.expr)
        }
        Expr::Var(var) => matches!(var.id, "request" | "session"),
        Expr::Slice(it) => is_said(&it.expr),
        Expr::Filter(it) => it.expr.as_ref().is_some_and(is_said),
        Expr::Call(it) => matches!(&it.expr, Expr::GetAttr(method) if is_said(&method.expr)),
        Expr::BinOp(it) => is_said(&it.left) || is_said(&it.right),
        _ => false,
    }
}

/// Whether a subscript is put together from texts alone, so that an honest author would have written the name.
fn is_made(expr: &Expr<'_>) -> bool {
    let has_text = |args: &[CallArg<'_>]| {
        args.iter().all(|arg| matches!(arg, CallArg::Pos(expr) | CallArg::Kwarg(_, expr) if is_fixed(expr)))
    };
    match expr {
        Expr::BinOp(op) => {
            matches!(op.op, BinOpKind::Concat | BinOpKind::Add | BinOpKind::Rem | BinOpKind::Mul)
                && is_fixed(&op.left)
                && is_fixed(&op.right)
        }
        Expr::Filter(filter) => filter.expr.as_ref().is_some_and(is_fixed) && has_text(&filter.args),
        Expr::Call(call) => match &call.expr {
            Expr::GetAttr(method) => is_fixed(&method.expr) && has_text(&call.args),
            _ => false,
        },
        _ => false,
    }
}

/// Whether nothing in an expression comes from outside of the template.
fn is_fixed(expr: &Expr<'_>) -> bool {
    match expr {
        Expr::Const(_) => true,
        Expr::List(list) => list.items.iter().all(is_fixed),
        Expr::Slice(slice) => is_fixed(&slice.expr),
        Expr::GetItem(item) => is_fixed(&item.expr),
        _ => is_made(expr),
    }
}
