//! What an expression gives may come from: the variables it takes, and the texts that it spells itself.

use minijinja::machinery::ast::{BinOpKind, CallArg, Expr};
use minijinja::value::{Value, ValueKind};

use super::names;

/// What may be said of a text, as bits: what holds of one of several texts holds of what may be any of them.
pub(super) type Marks = u8;

/// A name that leads out, a text that holds one that Python knows, or one with a field that looks one up.
pub(super) const HOT: Marks = 1;
/// Underscores alone, or beside half of a name: `_`, `__cla`. Names are put together from such pieces.
pub(super) const PIECE: Marks = 2;
/// The middle of a name that leads out, such as `globals`.
pub(super) const MIDDLE: Marks = 4;
/// A text with any underscore: a piece of it is one where it is cut.
pub(super) const CUTTABLE: Marks = 8;
/// Another text under another condition, so that what is known of it is not all that it may be.
pub(super) const VARIED: Marks = 16;

/// A variable with one of its attributes: none for the variable itself, [`ALL`] for any of those that were set.
pub(super) type Node<'e> = (&'e str, &'e str);

pub(super) const ALL: &str = "*";

/// A variable that is taken, and whether its text is cut on the way.
pub(super) type Taken<'e> = (Node<'e>, bool);

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

/// Methods and filters that return a number or a truth.
const COUNTING: &[&str] = &["count", "endswith", "find", "index", "length", "startswith", "wordcount"];

/// Filters that return a number, or else what they are given for it.
const DEFAULTING: &[&str] = &["float", "int"];

/// Methods and filters that leave out a part of a text.
const CUTTING: &[&str] = &[
    "first",
    "last",
    "lstrip",
    "partition",
    "random",
    "removeprefix",
    "removesuffix",
    "replace",
    "rpartition",
    "rsplit",
    "rstrip",
    "split",
    "strip",
    "truncate",
];

/// Middles of names that lead out which are not words of templates.
const MIDDLES: &[&str] =
    &["bases", "builtins", "class", "getattribute", "globals", "init", "mro", "subclasses"];

pub(super) fn value<'e, 'a>(argument: &'e CallArg<'a>) -> &'e Expr<'a> {
    match argument {
        CallArg::Pos(expr)
        | CallArg::Kwarg(_, expr)
        | CallArg::PosSplat(expr)
        | CallArg::KwargSplat(expr) => expr,
    }
}

/// The variable that `name`, `name.attribute` and `name[item]` belong to, with the attribute.
pub(super) fn base<'e>(expr: &'e Expr<'_>) -> Option<Node<'e>> {
    match expr {
        Expr::Var(var) => Some((var.id, "")),
        Expr::GetAttr(attribute) => match &attribute.expr {
            Expr::Var(var) => Some((var.id, attribute.name)),
            other => base(other),
        },
        Expr::GetItem(item) => base(&item.expr),
        _ => None,
    }
}

/// Notes the variables that what `expr` gives may come from; the marks of the texts that it spells.
pub(super) fn sources<'e>(expr: &'e Expr<'_>, from: &mut Vec<Taken<'e>>) -> Marks {
    match expr {
        Expr::Var(var) => {
            from.extend([((var.id, ""), false), ((var.id, ALL), false)]);
            0
        }
        Expr::Const(constant) => of_value(&constant.value),
        Expr::Slice(it) => cut(&it.expr, from),
        Expr::BinOp(it) => match it.op {
            BinOpKind::ScAnd
            | BinOpKind::ScOr
            | BinOpKind::Add
            | BinOpKind::Concat
            | BinOpKind::Mul
            | BinOpKind::Rem => any([&it.left, &it.right], from),
            _ => 0,
        },
        Expr::UnaryOp(_) | Expr::Compare(_) | Expr::Test(_) => 0,
        Expr::IfExpr(it) => any(std::iter::once(&it.true_expr).chain(&it.false_expr), from) | VARIED,
        Expr::Filter(it) => {
            let given = given(it.name, &it.args, from);
            it.expr.as_ref().map_or(0, |subject| of_subject(it.name, subject, from)) | given
        }
        Expr::GetAttr(it) => match &it.expr {
            Expr::Var(var) => {
                from.extend([((var.id, it.name), false), ((var.id, ""), false)]);
                0
            }
            inner => sources(inner, from),
        },
        Expr::GetItem(it) => match &it.subscript_expr {
            Expr::Const(at) if at.value.is_number() => cut(&it.expr, from),
            _ => sources(&it.expr, from),
        },
        Expr::Call(it) => match &it.expr {
            Expr::GetAttr(method) => {
                let given = given(method.name, &it.args, from);
                of_subject(method.name, &method.expr, from) | given
            }
            callee => sources(callee, from) | given("", &it.args, from),
        },
        Expr::List(it) => any(&it.items, from),
        Expr::Tuple(it) => any(&it.items, from),
        Expr::Map(it) => any(it.keys.iter().chain(&it.values), from),
    }
}

/// The same for several parts.
fn any<'e, 'a: 'e>(parts: impl IntoIterator<Item = &'e Expr<'a>>, from: &mut Vec<Taken<'e>>) -> Marks {
    parts.into_iter().fold(0, |marks, part| marks | sources(part, from))
}

/// The same for an expression of which a part is taken.
fn cut<'e>(expr: &'e Expr<'_>, from: &mut Vec<Taken<'e>>) -> Marks {
    let before = from.len();
    let marks = sources(expr, from);
    from.iter_mut().skip(before).for_each(|(_, cut)| *cut = true);
    shortened(marks)
}

/// The marks of a part of a text with `marks`.
pub(super) fn shortened(marks: Marks) -> Marks {
    if marks & CUTTABLE == 0 { marks } else { marks | PIECE }
}

/// What the filter or method `name` keeps of what it is called on.
fn of_subject<'e>(name: &str, subject: &'e Expr<'_>, from: &mut Vec<Taken<'e>>) -> Marks {
    if COUNTING.contains(&name) || DEFAULTING.contains(&name) {
        0
    } else if CUTTING.contains(&name) {
        cut(subject, from)
    } else {
        sources(subject, from)
    }
}

/// What the arguments of the filter or method `name` add to what it returns.
fn given<'e>(name: &str, arguments: &'e [CallArg<'_>], from: &mut Vec<Taken<'e>>) -> Marks {
    if SEEKING.contains(&name) || COUNTING.contains(&name) {
        return 0;
    }
    let skip = usize::from(name == "replace");
    arguments.iter().skip(skip).fold(0, |marks, argument| {
        let named = match argument {
            CallArg::Kwarg(name, _) => of_text(name),
            _ => 0,
        };
        marks | named | sources(value(argument), from)
    })
}

/// Whether what `expr` gives may hold two underscores that the expression itself spells.
pub(super) fn underscored(expr: &Expr<'_>) -> bool {
    sources(expr, &mut Vec::new()) & DOUBLED != 0
}

/// A text with two underscores side by side.
const DOUBLED: Marks = 32;

/// The marks of a text of the template.
pub(super) fn of_text(text: &str) -> Marks {
    let bare = text.trim_matches(|c: char| !c.is_ascii_alphanumeric());
    let middle = if MIDDLES.contains(&bare) { MIDDLE } else { 0 };
    let hot = names::dunder(text) || names::holds_special(text) || names::fields(text).next().is_some();
    let hot = if hot { HOT } else { 0 };
    // A number becomes the letter of that code.
    let letter = text.contains("%c") || text.contains(":c}");
    if !text.contains('_') {
        return middle | hot | if letter { PIECE } else { 0 };
    }
    let (before, after) = (text.trim_start_matches('_'), text.trim_end_matches('_'));
    let (before, after) = (text.len() - before.len() > 1, text.len() - after.len() > 1);
    let alone = text.trim().trim_matches('_').is_empty();
    let piece = if letter || alone || before != after { PIECE } else { 0 };
    let doubled = if text.contains("__") { DOUBLED } else { 0 };
    middle | hot | piece | doubled | CUTTABLE
}

/// The marks of a constant, or of those that it holds.
fn of_value(value: &Value) -> Marks {
    match value.kind() {
        ValueKind::String => value.as_str().map_or(0, of_text),
        ValueKind::Map => value.try_iter().map_or(0, |keys| {
            keys.fold(0, |marks, key| {
                marks | of_value(&key) | value.get_item(&key).map_or(0, |item| of_value(&item))
            })
        }),
        ValueKind::Seq | ValueKind::Iterable => {
            value.try_iter().map_or(0, |items| items.fold(0, |marks, item| marks | of_value(&item)))
        }
        _ => 0,
    }
}
