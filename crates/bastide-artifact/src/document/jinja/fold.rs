//! What an expression is known to be before rendering: enough to see names that are put together from pieces.

use std::cell::RefCell;
use std::collections::{BTreeMap, HashMap};

use minijinja::machinery::ast::{BinOp, BinOpKind, Call, CallArg, Expr, Filter, UnaryOpKind};
use minijinja::value::{Value, ValueKind};

use super::apply::{applied, joined};

/// What is known of an expression.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Known {
    Text(String),
    /// Saturates.
    Int(i128),
    List(Vec<Known>),
    /// Keys with their values: a dictionary or a namespace.
    Map(Vec<(Known, Known)>),
}

/// Elements of the longest list.
pub(super) const MANY: usize = 64;

/// Variables whose value is known.
#[derive(Default)]
pub(super) struct Knowns {
    variables: BTreeMap<String, Known>,
    /// What expressions were found to be, by their address in the tree: each part of a long one is asked for by itself.
    seen: RefCell<HashMap<usize, Option<Known>>>,
}

impl Knowns {
    pub(super) fn has(&self, name: &str) -> bool {
        self.variables.contains_key(name)
    }

    /// Sets the variable `name`, or makes it unknown.
    pub(super) fn set(&mut self, name: &str, known: Option<Known>) {
        self.forget();
        match known {
            Some(known) => drop(self.variables.insert(name.to_owned(), known)),
            None => drop(self.variables.remove(name)),
        }
    }

    /// Sets the attribute `name` of the namespace `space`.
    pub(super) fn put(&mut self, space: &str, name: &str, known: Option<Known>) {
        self.forget();
        if let Some(space) = self.variables.get_mut(space) {
            space.put(name, known);
        }
    }

    /// Lets go of what was remembered.
    pub(super) fn forget(&mut self) {
        self.seen.get_mut().clear();
    }
}

impl Known {
    /// Bytes of the longest text that is put together; names are shorter.
    pub(super) const LONGEST: usize = 512;

    pub(super) fn text(text: impl Into<String>) -> Option<Known> {
        let text = text.into();
        (text.len() <= Self::LONGEST).then_some(Known::Text(text))
    }

    /// What a loop over this goes through.
    pub(super) fn items(&self) -> Vec<Known> {
        match self {
            Known::Text(text) => text.chars().map(|c| Known::Text(c.into())).collect(),
            Known::Int(_) => Vec::new(),
            Known::List(items) => items.clone(),
            Known::Map(pairs) => pairs.iter().map(|(key, _)| key.clone()).collect(),
        }
    }

    /// The value of a key.
    pub(super) fn entry(&self, key: &Known) -> Option<Known> {
        let Known::Map(pairs) = self else { return None };
        pairs.iter().rev().find(|(known, _)| known == key).map(|(_, value)| value.clone())
    }

    /// Puts `value` in the place of what the key had.
    fn put(&mut self, key: &str, value: Option<Known>) {
        if let Known::Map(pairs) = self {
            let key = Known::Text(key.to_owned());
            pairs.retain(|(known, _)| *known != key);
            pairs.extend(value.filter(|_| pairs.len() < MANY).map(|value| (key, value)));
        }
    }

    pub(super) fn as_text(&self) -> Option<&str> {
        match self {
            Known::Text(text) => Some(text),
            _ => None,
        }
    }

    pub(super) fn spelled(&self) -> String {
        match self {
            Known::Text(text) => text.clone(),
            Known::Int(int) => int.to_string(),
            Known::List(items) => items.iter().map(Known::spelled).collect(),
            Known::Map(pairs) => pairs.iter().map(|(key, _)| key.spelled()).collect(),
        }
    }
}

/// What `expr` is, where that can be known.
pub(super) fn fold(expr: &Expr<'_>, set: &Knowns) -> Option<Known> {
    match expr {
        Expr::Const(constant) => return value(&constant.value),
        Expr::Var(var) => return set.variables.get(var.id).cloned(),
        _ => {}
    }
    let place = std::ptr::from_ref(expr).addr();
    if let Some(known) = set.seen.borrow().get(&place) {
        return known.clone();
    }
    let known = folded(expr, set);
    set.seen.borrow_mut().insert(place, known.clone());
    known
}

fn folded(expr: &Expr<'_>, set: &Knowns) -> Option<Known> {
    match expr {
        Expr::List(list) => items(&list.items, set),
        Expr::Tuple(tuple) => items(&tuple.items, set),
        Expr::Map(map) => {
            let (Known::List(keys), Known::List(values)) = (items(&map.keys, set)?, items(&map.values, set)?)
            else {
                return None;
            };
            Some(Known::Map(keys.into_iter().zip(values).collect()))
        }
        Expr::BinOp(op) => binary(op, set),
        Expr::UnaryOp(op) if matches!(op.op, UnaryOpKind::Neg) => match fold(&op.expr, set)? {
            Known::Int(int) => Some(Known::Int(int.saturating_neg())),
            _ => None,
        },
        Expr::Filter(filter) => filtered(filter, set),
        Expr::Call(call) => called(call, set),
        Expr::GetAttr(attribute) => fold(&attribute.expr, set)?.entry(&Known::text(attribute.name)?),
        Expr::GetItem(item) => element(&fold(&item.expr, set)?, &fold(&item.subscript_expr, set)?),
        Expr::Slice(slice) => {
            let bound = |bound: &Option<Expr<'_>>| match bound.as_ref().map(|bound| fold(bound, set)) {
                None => Some(None),
                Some(Some(Known::Int(at))) => Some(Some(at)),
                Some(_) => None,
            };
            let step = bound(&slice.step)?.unwrap_or(1);
            cut(&fold(&slice.expr, set)?, bound(&slice.start)?, bound(&slice.stop)?, step)
        }
        Expr::IfExpr(choice) => {
            fold(&choice.true_expr, set).or_else(|| fold(choice.false_expr.as_ref()?, set))
        }
        _ => None,
    }
}

fn value(value: &Value) -> Option<Known> {
    match value.kind() {
        ValueKind::String => Known::text(value.as_str()?),
        // The parser makes constants of lists and maps of constants.
        ValueKind::Map => {
            let keys: Vec<Value> = value.try_iter().ok()?.take(MANY + 1).collect();
            let pair = |key: Value| Some((self::value(&key)?, self::value(&value.get_item(&key).ok()?)?));
            let known = keys.len() <= MANY;
            known.then(|| keys.into_iter().map(pair).collect::<Option<_>>().map(Known::Map))?
        }
        ValueKind::Seq | ValueKind::Iterable => {
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
            (text.len().saturating_mul(times) <= Known::LONGEST).then(|| Known::Text(text.repeat(times)))
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
fn braces(format: &str, arguments: &[(Option<&str>, Known)]) -> Option<Known> {
    let mut text = String::new();
    let mut rest = format;
    let mut next = 0;
    while let Some((before, after)) = rest.split_once('{') {
        let (field, after) = after.split_once('}')?;
        let name = field.split([':', '!']).next()?;
        let argument = match arguments.iter().find(|(known, _)| *known == Some(name) && !name.is_empty()) {
            Some((_, argument)) => argument,
            None => &arguments.get(name.parse().unwrap_or(next))?.1,
        };
        next += 1;
        text.push_str(before);
        match argument {
            Known::Int(code) if field.ends_with(":c") => {
                text.push(char::from_u32(u32::try_from(*code).ok()?)?);
            }
            argument => text.push_str(&argument.spelled()),
        }
        rest = after;
    }
    Known::text(text + rest)
}

/// Arguments with the names of those that have one.
fn arguments<'a>(args: &[CallArg<'a>], set: &Knowns) -> Option<Vec<(Option<&'a str>, Known)>> {
    args.iter()
        .map(|arg| match arg {
            CallArg::Pos(expr) => Some((None, fold(expr, set)?)),
            // A key of `dict(__cla=1, ss__=2)` tells more than its value.
            CallArg::Kwarg(name, expr) => Some((Some(*name), fold(expr, set).unwrap_or(Known::Int(0)))),
            CallArg::PosSplat(_) | CallArg::KwargSplat(_) => None,
        })
        .collect()
}

fn plain(arguments: Vec<(Option<&str>, Known)>) -> Vec<Known> {
    arguments.into_iter().map(|(_, value)| value).collect()
}

fn filtered(filter: &Filter<'_>, set: &Knowns) -> Option<Known> {
    let arguments = plain(arguments(&filter.args, set)?);
    match (filter.name, fold(filter.expr.as_ref()?, set)) {
        ("format", Some(subject)) => percent(subject.as_text()?, &Known::List(arguments)),
        ("default" | "d", None) => arguments.first().cloned(),
        (name, subject) => applied(name, &subject?, &arguments),
    }
}

fn called(call: &Call<'_>, set: &Knowns) -> Option<Known> {
    let arguments = arguments(&call.args, set)?;
    match &call.expr {
        Expr::Var(var) if matches!(var.id, "dict" | "namespace") => {
            let pairs = arguments.into_iter().map(|(name, value)| Some((Known::text(name?)?, value)));
            pairs.collect::<Option<_>>().map(Known::Map)
        }
        Expr::Var(var) if matches!(var.id, "list" | "tuple") => Some(Known::List(plain(arguments))),
        Expr::GetAttr(method) => {
            let subject = fold(&method.expr, set)?;
            match (method.name, &subject) {
                ("format", Known::Text(format)) => braces(format, &arguments),
                ("join", Known::Text(by)) => joined(&arguments.first()?.1, by),
                (name, subject) => applied(name, subject, &plain(arguments)),
            }
        }
        _ => None,
    }
}

fn element(whole: &Known, at: &Known) -> Option<Known> {
    if let Known::Map(_) = whole {
        return whole.entry(at);
    }
    let Known::Int(at) = at else { return None };
    let items = whole.items();
    let at = if *at < 0 { at.checked_add(i128::try_from(items.len()).ok()?)? } else { *at };
    items.get(usize::try_from(at).ok()?).cloned()
}

/// `whole[start:stop:step]`.
fn cut(whole: &Known, start: Option<i128>, stop: Option<i128>, step: i128) -> Option<Known> {
    let mut items = whole.items();
    let count = i128::try_from(items.len()).ok()?;
    let bound = |bound: Option<i128>, default: i128| {
        let at = bound.map_or(default, |at| if at < 0 { at.saturating_add(count) } else { at });
        at.clamp(0, count)
    };
    let range = if step < 0 {
        // Backwards, `start` is the last element of the range and `stop` the one before its first.
        let last = bound(start.map(|at| at.saturating_add(i128::from(at != -1))), count);
        let last = if start == Some(-1) { count } else { last };
        let first = stop.map_or(0, |at| bound(Some(at), 0).saturating_add(1));
        (first, last)
    } else {
        (bound(start, 0), bound(stop, count))
    };
    let (first, last) = (usize::try_from(range.0).ok()?, usize::try_from(range.1).ok()?);
    items.truncate(last);
    items.drain(..first.min(items.len()));
    if step < 0 {
        items.reverse();
    }
    let kept: Vec<Known> =
        items.into_iter().step_by(usize::try_from(step.unsigned_abs()).ok()?.max(1)).collect();
    match whole {
        Known::Text(_) => joined(&Known::List(kept), ""),
        _ => Some(Known::List(kept)),
    }
}
