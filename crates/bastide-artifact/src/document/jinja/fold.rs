//! What an expression is known to be before rendering: enough to see names that are put together from pieces.

use std::collections::BTreeMap;

use minijinja::machinery::ast::{BinOp, BinOpKind, Call, CallArg, Expr, Filter, UnaryOpKind};
use minijinja::value::{Value, ValueKind};

/// What is known of an expression.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Known {
    Text(String),
    /// Saturates.
    Int(i128),
    List(Vec<Known>),
}

/// Bytes of the longest text that is put together; names are shorter.
const LONGEST: usize = 256;
/// Elements of the longest list.
const MANY: usize = 64;

/// Variables whose value is known.
pub(super) type Knowns = BTreeMap<String, Known>;

impl Known {
    fn text(text: impl Into<String>) -> Option<Known> {
        let text = text.into();
        (text.len() <= LONGEST).then_some(Known::Text(text))
    }

    pub(super) fn as_text(&self) -> Option<&str> {
        match self {
            Known::Text(text) => Some(text),
            _ => None,
        }
    }

    fn spelled(&self) -> String {
        match self {
            Known::Text(text) => text.clone(),
            Known::Int(int) => int.to_string(),
            Known::List(items) => items.iter().map(Known::spelled).collect(),
        }
    }
}

/// What `expr` is, where that can be known.
pub(super) fn fold(expr: &Expr<'_>, set: &Knowns) -> Option<Known> {
    match expr {
        Expr::Const(constant) => value(&constant.value),
        Expr::Var(var) => set.get(var.id).cloned(),
        Expr::List(list) => items(&list.items, set),
        Expr::Tuple(tuple) => items(&tuple.items, set),
        Expr::Map(map) => items(&map.keys, set),
        Expr::BinOp(op) => binary(op, set),
        Expr::UnaryOp(op) if matches!(op.op, UnaryOpKind::Neg) => match fold(&op.expr, set)? {
            Known::Int(int) => Some(Known::Int(int.saturating_neg())),
            _ => None,
        },
        Expr::Filter(filter) => filtered(filter, set),
        Expr::Call(call) => called(call, set),
        Expr::GetItem(item) => element(&fold(&item.expr, set)?, &fold(&item.subscript_expr, set)?),
        Expr::Slice(slice) => {
            let whole = fold(&slice.expr, set)?;
            let backwards = slice.step.as_ref().and_then(|step| fold(step, set)) == Some(Known::Int(-1));
            let bound = |bound: &Option<Expr<'_>>| bound.as_ref().and_then(|bound| fold(bound, set));
            cut(&whole, bound(&slice.start), bound(&slice.stop), backwards)
        }
        Expr::IfExpr(choice) => fold(&choice.true_expr, set),
        _ => None,
    }
}

fn value(value: &Value) -> Option<Known> {
    match value.kind() {
        ValueKind::String => Known::text(value.as_str()?),
        // The parser makes constants of lists and maps of constants.
        ValueKind::Seq | ValueKind::Map | ValueKind::Iterable => {
            let items: Vec<Value> = value.try_iter().ok()?.take(MANY + 1).collect();
            (items.len() <= MANY)
                .then(|| items.iter().map(self::value).collect::<Option<_>>().map(Known::List))?
        }
        ValueKind::Number if value.is_integer() => i128::try_from(value.clone()).ok().map(Known::Int),
        _ => None,
    }
}

fn items(items: &[Expr<'_>], set: &Knowns) -> Option<Known> {
    if items.len() > MANY {
        return None;
    }
    items.iter().map(|item| fold(item, set)).collect::<Option<Vec<_>>>().map(Known::List)
}

fn binary(op: &BinOp<'_>, set: &Knowns) -> Option<Known> {
    let (left, right) = (fold(&op.left, set)?, fold(&op.right, set)?);
    match (op.op, left, right) {
        (BinOpKind::Concat, left, right) => Known::text(left.spelled() + &right.spelled()),
        (BinOpKind::Add, Known::Text(left), Known::Text(right)) => Known::text(left + &right),
        (BinOpKind::Add, Known::List(mut left), Known::List(right)) if left.len() + right.len() <= MANY => {
            left.extend(right);
            Some(Known::List(left))
        }
        (BinOpKind::Rem, Known::Text(format), arguments) => percent(&format, &arguments),
        (BinOpKind::Mul, Known::Text(text), Known::Int(times)) => {
            let times = usize::try_from(times.max(0)).ok()?;
            (text.len().saturating_mul(times) <= LONGEST).then(|| Known::Text(text.repeat(times)))
        }
        (kind, Known::Int(left), Known::Int(right)) => arithmetic(kind, left, right).map(Known::Int),
        _ => None,
    }
}

fn arithmetic(kind: BinOpKind, left: i128, right: i128) -> Option<i128> {
    match kind {
        BinOpKind::Add => Some(left.saturating_add(right)),
        BinOpKind::Sub => Some(left.saturating_sub(right)),
        BinOpKind::Mul => Some(left.saturating_mul(right)),
        BinOpKind::Pow => Some(left.saturating_pow(u32::try_from(right).ok()?)),
        BinOpKind::FloorDiv => left.checked_div(right),
        _ => None,
    }
}

/// `'%s%s' % (a, b)`: the places for values are filled in turn.
fn percent(format: &str, arguments: &Known) -> Option<Known> {
    let one = [arguments.clone()];
    let mut arguments = match arguments {
        Known::List(items) => items.iter(),
        _ => one.iter(),
    };
    let mut text = String::new();
    let mut chars = format.chars();
    while let Some(c) = chars.next() {
        if c != '%' {
            text.push(c);
            continue;
        }
        match chars.find(char::is_ascii_alphabetic)? {
            'c' => match arguments.next()? {
                Known::Int(code) => text.push(char::from_u32(u32::try_from(*code).ok()?)?),
                other => text.push_str(&other.spelled()),
            },
            _ => text.push_str(&arguments.next()?.spelled()),
        }
    }
    Known::text(text)
}

/// `'{}{}'.format(a, b)`, without field access.
fn braces(format: &str, arguments: &[Known]) -> Option<Known> {
    let mut text = String::new();
    let mut rest = format;
    let mut next = 0;
    while let Some((before, after)) = rest.split_once('{') {
        let (field, after) = after.split_once('}')?;
        let at = if field.is_empty() { next } else { field.split(':').next()?.parse().unwrap_or(next) };
        next += 1;
        text.push_str(before);
        match arguments.get(at)? {
            Known::Int(code) if field.ends_with(":c") => {
                text.push(char::from_u32(u32::try_from(*code).ok()?)?)
            }
            argument => text.push_str(&argument.spelled()),
        }
        rest = after;
    }
    Known::text(text + rest)
}

fn arguments(args: &[CallArg<'_>], set: &Knowns) -> Option<Vec<Known>> {
    args.iter()
        .map(|arg| match arg {
            CallArg::Pos(expr) => fold(expr, set),
            // `dict(__cla=1, ss__=1)|join` spells its keys.
            CallArg::Kwarg(name, _) => Known::text(*name),
            CallArg::PosSplat(_) | CallArg::KwargSplat(_) => None,
        })
        .collect()
}

fn filtered(filter: &Filter<'_>, set: &Knowns) -> Option<Known> {
    let subject = fold(filter.expr.as_ref()?, set)?;
    let arguments = arguments(&filter.args, set)?;
    if filter.name == "format" {
        return percent(subject.as_text()?, &Known::List(arguments));
    }
    applied(filter.name, subject, &arguments)
}

fn called(call: &Call<'_>, set: &Knowns) -> Option<Known> {
    match &call.expr {
        Expr::Var(var) if matches!(var.id, "dict" | "list" | "tuple") => {
            arguments(&call.args, set).map(Known::List)
        }
        Expr::GetAttr(method) => {
            let subject = fold(&method.expr, set)?;
            let arguments = arguments(&call.args, set)?;
            match (method.name, &subject, arguments.as_slice()) {
                ("format", Known::Text(format), arguments) => braces(format, arguments),
                ("join", Known::Text(by), [items]) => joined(items, by),
                (name, _, arguments) => applied(name, subject.clone(), arguments),
            }
        }
        _ => None,
    }
}

/// Filters and methods of strings and lists.
fn applied(name: &str, subject: Known, arguments: &[Known]) -> Option<Known> {
    match (name, &subject, arguments) {
        ("join", items, by) => joined(items, by.first().and_then(Known::as_text).unwrap_or_default()),
        ("replace", Known::Text(text), [Known::Text(old), Known::Text(new), ..]) if !old.is_empty() => {
            Known::text(text.replace(old.as_str(), new))
        }
        ("reverse", whole, _) => cut(whole, None, None, true),
        ("lower", Known::Text(text), _) => Known::text(text.to_lowercase()),
        ("upper", Known::Text(text), _) => Known::text(text.to_uppercase()),
        ("trim" | "strip", Known::Text(text), []) => Known::text(text.trim()),
        ("string" | "safe" | "escape" | "e" | "list" | "items" | "keys", _, _) => Some(subject),
        ("first", whole, _) => element(whole, &Known::Int(0)),
        ("last", whole, _) => element(whole, &Known::Int(-1)),
        _ => None,
    }
}

fn joined(items: &Known, by: &str) -> Option<Known> {
    let parts: Vec<String> = match items {
        Known::List(items) => items.iter().map(Known::spelled).collect(),
        Known::Text(text) => text.chars().map(String::from).collect(),
        Known::Int(_) => return None,
    };
    Known::text(parts.join(by))
}

fn element(whole: &Known, at: &Known) -> Option<Known> {
    let Known::Int(at) = at else { return None };
    let place = |count: usize| {
        let count = i128::try_from(count).ok()?;
        usize::try_from(if *at < 0 { at.checked_add(count)? } else { *at }).ok()
    };
    match whole {
        Known::Text(text) => Known::text(text.chars().nth(place(text.chars().count())?)?),
        Known::List(items) => items.get(place(items.len())?).cloned(),
        Known::Int(_) => None,
    }
}

fn cut(whole: &Known, start: Option<Known>, stop: Option<Known>, backwards: bool) -> Option<Known> {
    let Known::Text(text) = whole else {
        let Known::List(items) = whole else { return None };
        return backwards.then(|| Known::List(items.iter().rev().cloned().collect()));
    };
    if backwards {
        return Known::text(text.chars().rev().collect::<String>());
    }
    let count = i128::try_from(text.chars().count()).ok()?;
    let bound = |bound: Option<Known>, default: i128| match bound {
        None => Some(default),
        Some(Known::Int(at)) => Some(if at < 0 { at.saturating_add(count).max(0) } else { at.min(count) }),
        Some(_) => None,
    };
    let (start, stop) = (bound(start, 0)?, bound(stop, count)?);
    let start = usize::try_from(start).ok()?;
    let length = usize::try_from(stop).ok()?.saturating_sub(start);
    Known::text(text.chars().skip(start).take(length).collect::<String>())
}
