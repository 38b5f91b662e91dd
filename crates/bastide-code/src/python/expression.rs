//! What an expression is, from what its parts are.

use tree_sitter::Node;

use crate::python::names::{self, is_blank};
use crate::python::reader::{Child, Reader};
use crate::python::value::{Known, Taint, Value};
use crate::python::{namespace, natives, sources, text};

/// The child that stands in `field`.
pub(crate) fn field<'c, 't>(children: &'c [Child<'t>], name: &str) -> Option<&'c Child<'t>> {
    children.iter().find(|child| child.field == Some(name))
}

/// The value of the child that stands in `field`.
pub(crate) fn value_of(children: &[Child<'_>], name: &str) -> Value {
    field(children, name).map(|child| child.value.clone()).unwrap_or_default()
}

fn taint_of(children: &[Child<'_>]) -> Taint {
    children.iter().fold(Taint::NONE, |taint, child| taint.with(child.value.taint))
}

impl Reader<'_, '_, '_> {
    /// The value of `node`, whose children are known; statements act on the names and have none.
    pub(crate) fn leave(&mut self, node: Node<'_>, children: &[Child<'_>]) -> Value {
        if !self.spend(1 + children.len() / 4) {
            return Value::default();
        }
        match node.kind() {
            "identifier" => self.identifier(node),
            "attribute" => self.attribute(node, children),
            "call" => self.call(node, children),
            "string" => self.string(node, children),
            "concatenated_string" => self.joined(children),
            "integer" => Value::new(self.integer(node).map_or(Known::Nothing, Known::Number), Taint::NONE),
            "true" => Value::new(Known::Flag(true), Taint::NONE),
            "false" => Value::new(Known::Flag(false), Taint::NONE),
            "none" => Value::new(Known::Absent, Taint::NONE),
            "unary_operator" => negated(self.source(node), children),
            "binary_operator" => self.binary(children),
            "comparison_operator" | "not_operator" | "lambda_parameters" => Value::default(),
            "parenthesized_expression"
            | "await"
            | "interpolation"
            | "expression_statement"
            | "as_pattern_target" => children
                .iter()
                .find(|child| child.node.kind() != "comment")
                .map(|child| child.value.clone())
                .unwrap_or_default(),
            "conditional_expression" => chosen(children),
            "boolean_operator" => either(children),
            "argument_list" | "list" | "tuple" | "set" | "expression_list" | "dictionary" => {
                self.list(children)
            }
            "list_splat" | "dictionary_splat" => {
                children.first().map(|child| child.value.clone()).unwrap_or_default()
            }
            "keyword_argument" => {
                let name = field(children, "name").map(|name| self.source(name.node)).unwrap_or_default();
                Value::named(name, value_of(children, "value"))
            }
            "pair" => match value_of(children, "key").as_whole_text() {
                Some(key) => Value::named(key, value_of(children, "value")),
                None => match value_of(children, "key") {
                    key if matches!(key.known, Known::Number(_)) => {
                        Value::list(vec![key, value_of(children, "value")])
                    }
                    _ => Value::unknown(taint_of(children)),
                },
            },
            "subscript" => self.subscript(children),
            "list_comprehension" | "generator_expression" | "set_comprehension" => {
                self.comprehension(children)
            }
            "lambda" => self.leave_lambda(value_of(children, "body")),
            kind if is_statement(kind) => self.statement(node, children),
            _ => Value::unknown(taint_of(children)),
        }
    }

    fn identifier(&mut self, node: Node<'_>) -> Value {
        let name = self.source(node);
        let Some(value) = self.names.get(name).cloned() else {
            return match name {
                // Its folder is that of the model.
                "__file__" => Value::text("./__file__", Taint::NONE),
                _ => self.names.resolve(name),
            };
        };
        if let Some(name) = value.as_path().and_then(|path| path.strip_prefix("local:")) {
            self.uses(name, false);
        }
        value
    }

    fn attribute(&mut self, node: Node<'_>, children: &[Child<'_>]) -> Value {
        let Some(object) = field(children, "object") else { return Value::default() };
        let name = field(children, "attribute").map(|name| self.source(name.node)).unwrap_or_default();
        // What was assigned to `self.name`.
        if object.node.kind() == "identifier"
            && object.node.end_byte() - object.node.start_byte() < 64
            && let Some(value) = self.names.get(self.source(node))
        {
            return value.clone();
        }
        if object.value.as_path().is_some_and(|path| path.starts_with("local:")) {
            self.reads(name);
        }
        member(&object.value, name)
    }

    fn joined(&mut self, children: &[Child<'_>]) -> Value {
        let bytes = children.iter().any(|child| matches!(child.value.known, Known::Bytes(_)));
        if bytes {
            let all: Vec<u8> =
                children.iter().flat_map(|child| bytes_of(&child.value).unwrap_or_default()).collect();
            return Value::bytes(&all, taint_of(children));
        }
        let all: String = children.iter().map(|child| child.value.as_part()).collect();
        Value::text(&all, taint_of(children))
    }

    fn binary(&mut self, children: &[Child<'_>]) -> Value {
        let (left, right) = (value_of(children, "left"), value_of(children, "right"));
        let operator =
            field(children, "operator").map(|operator| self.source(operator.node)).unwrap_or_default();
        let taint = left.taint.with(right.taint);
        match (operator, &left.known, &right.known) {
            ("+", Known::Text(a), _) => {
                self.spend(a.len() / 16);
                Value::text(&format!("{a}{}", right.as_part()), taint.with(Taint::COMPUTED))
            }
            ("+", _, Known::Text(b)) => {
                self.spend(b.len() / 16);
                Value::text(&format!("{}{b}", left.as_part()), taint.with(Taint::COMPUTED))
            }
            ("+", Known::Bytes(a), Known::Bytes(b)) => {
                self.spend((a.len() + b.len()) / 16);
                Value::bytes(&[a.as_ref(), b.as_ref()].concat(), taint)
            }
            ("+", Known::List(a, _), Known::List(b, _)) if a.len() + b.len() < 4096 => {
                self.spend(a.len() + b.len());
                Value::list(a.iter().chain(b.iter()).cloned().collect())
            }
            ("+", Known::Number(a), Known::Number(b)) => number(a.checked_add(*b)),
            ("-", Known::Number(a), Known::Number(b)) => number(a.checked_sub(*b)),
            ("^", Known::Number(a), Known::Number(b)) => number(Some(a ^ b)),
            ("*", Known::Number(a), Known::Number(b)) => number(a.checked_mul(*b)),
            ("*", Known::Text(text), Known::Number(times))
            | ("*", Known::Number(times), Known::Text(text)) => {
                const LONGEST: usize = 256;
                let times = usize::try_from(*times).unwrap_or(0).min(LONGEST / text.len().max(1));
                Value::text(&text.repeat(times), taint.with(Taint::COMPUTED))
            }
            ("|", Known::Number(a), Known::Number(b)) => number(Some(a | b)),
            ("&", Known::Number(a), Known::Number(b)) => number(Some(a & b)),
            (">>", Known::Number(a), Known::Number(b)) => {
                number(u32::try_from(*b).ok().and_then(|b| a.checked_shr(b)))
            }
            ("%", Known::Number(a), Known::Number(b)) => number(a.checked_rem_euclid(*b)),
            ("//", Known::Number(a), Known::Number(b)) => number(a.checked_div_euclid(*b)),
            // A format with its values, of which at least the first may be known.
            ("%", Known::Text(format), _) => {
                let filled = right.items().iter().chain(std::iter::once(&right)).take(64).fold(
                    format.to_string(),
                    |text, value| match value.as_text() {
                        Some(value) => text.replacen("%s", value, 1),
                        None => match &value.known {
                            Known::Number(number) => {
                                let c = u32::try_from(*number).ok().and_then(char::from_u32);
                                let spelled = c.map_or_else(String::new, String::from);
                                text.replacen("%c", &spelled, 1).replacen("%d", &number.to_string(), 1)
                            }
                            _ => text,
                        },
                    },
                );
                self.spend(filled.len() / 4);
                Value::text(&filled, taint.with(Taint::COMPUTED))
            }
            // pathlib.
            ("/", Known::Text(a), _) => Value::text(&format!("{a}/{}", right.as_part()), taint),
            _ => Value::unknown(taint),
        }
    }

    pub(crate) fn list(&mut self, children: &[Child<'_>]) -> Value {
        const MANY: usize = 16_384;
        let mut items = Vec::with_capacity(children.len().min(MANY));
        for child in children.iter().filter(|child| child.node.kind() != "comment").take(MANY) {
            match (child.node.kind(), &child.value.known) {
                ("list_splat" | "dictionary_splat", Known::List(inner, _)) => {
                    self.spend(inner.len());
                    items.extend(inner.iter().take(MANY).cloned());
                }
                _ => items.push(child.value.clone()),
            }
        }
        self.spend(items.len());
        Value::list(items)
    }

    fn subscript(&mut self, children: &[Child<'_>]) -> Value {
        let object = value_of(children, "value");
        let Some(index) = field(children, "subscript") else { return Value::unknown(object.taint) };
        if index.node.kind() == "slice" {
            return self.slice(&object, self.source(index.node));
        }
        if let Some(value) = self.assigned_item(children, &index.value) {
            return value;
        }
        if let Some(table) = object.as_path() {
            let offset = self.offset(index.node);
            natives::item(self, table, &index.value, offset);
        }
        match (&object.known, &index.value.known) {
            (Known::List(items, _), Known::Number(number)) => {
                text::at(items.len(), *number).and_then(|at| items.get(at)).cloned().unwrap_or_default()
            }
            (Known::List(items, _), Known::Text(key)) => named(items, key)
                .cloned()
                .or_else(|| {
                    let dictionary = items
                        .iter()
                        .filter_map(Value::as_path)
                        .find(|path| namespace::is_dictionary(path))?;
                    namespace::item(dictionary, key, object.taint, &self.names)
                })
                .unwrap_or_default(),
            (Known::Text(text), Known::Number(number)) => text::at(text.chars().count(), *number)
                .and_then(|at| text.chars().nth(at))
                .map(|c| Value::text(c.encode_utf8(&mut [0; 4]), object.taint.with(Taint::COMPUTED)))
                .unwrap_or_default(),
            (Known::Bytes(bytes), Known::Number(at)) => text::at(bytes.len(), *at)
                .and_then(|at| bytes.get(at))
                .map(|byte| number(Some(i64::from(*byte))))
                .unwrap_or_default(),
            (Known::Path(path), Known::Text(key)) if &**path == "os.environ" => sources::variable(key),
            (Known::Path(path), Known::Text(key)) => {
                namespace::item(path, key, index.value.taint, &self.names)
                    .unwrap_or_else(|| Value::path(&format!("{path}[]"), object.taint))
            }
            (Known::Path(path), _) if &**path == "os.environ" => Value::path("os.environ[]", Taint::NONE),
            (Known::Path(path), _) => Value::path(&format!("{path}[]"), object.taint),
            _ => Value::unknown(object.taint),
        }
    }

    /// What was assigned to `table["name"]`.
    fn assigned_item(&self, children: &[Child<'_>], key: &Value) -> Option<Value> {
        let table = field(children, "value").filter(|table| table.node.kind() == "identifier")?;
        let key = key.as_whole_text().filter(|key| key.len() <= 64)?;
        self.names.get(&format!("{}[{key}]", self.source(table.node))).cloned()
    }

    fn slice(&mut self, object: &Value, slice: &str) -> Value {
        let length = match &object.known {
            Known::Text(text) => text.chars().count(),
            Known::Bytes(bytes) => bytes.len(),
            Known::List(items, _) => items.len(),
            Known::Path(_) => return object.clone(),
            _ => return Value::unknown(object.taint),
        };
        self.spend(length / 16);
        let Some((places, backwards)) = slice_of(slice, length) else { return Value::unknown(object.taint) };
        // Nobody writes a text backwards, or with letters between its letters, but to hide it.
        let taint = object.taint.with(if backwards { Taint::DECODED } else { Taint::NONE });
        let taint = taint.with(Taint::COMPUTED);
        match &object.known {
            Known::Text(text) => {
                let chars: Vec<char> = text.chars().collect();
                Value::text(&places.filter_map(|at| chars.get(at)).collect::<String>(), taint)
            }
            Known::Bytes(bytes) => {
                Value::bytes(&places.filter_map(|at| bytes.get(at).copied()).collect::<Vec<u8>>(), taint)
            }
            _ => Value::list(places.filter_map(|at| object.items().get(at).cloned()).collect()),
        }
    }

    /// `chr(n ^ 3) for n in [...]`: unfolded where what it runs over is known.
    fn comprehension(&mut self, children: &[Child<'_>]) -> Value {
        const MANY: usize = 4096;
        let plain = Value::unknown(taint_of(children));
        let clauses = children.iter().filter(|child| child.field != Some("body")).collect::<Vec<_>>();
        let ([clause], Some(body)) = (clauses.as_slice(), field(children, "body")) else { return plain };
        let (Some(name), true) = (clause.node.child_by_field_name("left"), self.unfolding < 2) else {
            return plain;
        };
        if name.kind() != "identifier" {
            return plain;
        }
        let items: Vec<Value> = match &clause.value.known {
            Known::List(items, _) if items.len() <= MANY => items.to_vec(),
            Known::Text(text) if text.len() <= MANY => {
                text.chars().map(|c| Value::text(c.encode_utf8(&mut [0; 4]), Taint::NONE)).collect()
            }
            Known::Bytes(bytes) if bytes.len() <= MANY => {
                bytes.iter().map(|byte| Value::new(Known::Number(i64::from(*byte)), Taint::NONE)).collect()
            }
            _ => return plain,
        };
        let name = self.source(name).to_owned();
        let before = self.names.get(&name).cloned();
        self.unfolding += 1;
        let mut unfolded = Vec::with_capacity(items.len());
        for item in items {
            self.names.bind(&name, item);
            unfolded.push(self.walk(body.node.walk()));
            if !self.spend(1) {
                break;
            }
        }
        self.unfolding -= 1;
        match before {
            Some(value) => self.names.bind(&name, value),
            None => self.names.forget(&name),
        }
        Value::list(unfolded).with(plain.taint).with(Taint::COMPUTED)
    }
}

/// The places that a slice of `length` elements takes, and whether it goes backwards.
fn slice_of(slice: &str, length: usize) -> Option<(Box<dyn Iterator<Item = usize>>, bool)> {
    let mut parts = slice.split(':').map(str::trim);
    let part = |part: Option<&str>| match part {
        None | Some("") => Some(None),
        Some(number) => number.parse::<i64>().ok().map(Some),
    };
    let (from, to, step) = (part(parts.next())?, part(parts.next())?, part(parts.next())?.unwrap_or(1));
    let clamp = |number: i64| text::at(length, number).unwrap_or(0).min(length);
    let stride = usize::try_from(step.unsigned_abs()).ok().filter(|stride| *stride > 0)?;
    if step > 0 {
        let (from, to) = (from.map_or(0, clamp), to.map_or(length, clamp));
        return Some((Box::new((from..to.max(from)).step_by(stride)), stride > 1));
    }
    let first = from.map_or(length, |from| clamp(from).saturating_add(1).min(length));
    let last = to.map_or(0, |to| clamp(to).saturating_add(1));
    Some((Box::new((last.min(first)..first).rev().step_by(stride)), true))
}

/// The statements that do something to the names.
fn is_statement(kind: &str) -> bool {
    kind.ends_with("_statement")
        || kind.ends_with("_definition")
        || matches!(
            kind,
            "module"
                | "block"
                | "assignment"
                | "augmented_assignment"
                | "named_expression"
                | "as_pattern"
                | "with_item"
                | "with_clause"
                | "for_in_clause"
                | "decorator"
                | "decorated_definition"
                | "default_parameter"
                | "typed_default_parameter"
                | "parameters"
                | "else_clause"
                | "elif_clause"
                | "except_clause"
                | "finally_clause"
                | "case_clause"
                | "type"
        )
}

/// `object.name`.
pub(crate) fn member(object: &Value, name: &str) -> Value {
    match &object.known {
        Known::Path(path) => {
            let path = names::member(path, name);
            let climbs = if name == "__self__" { Taint::IMPORTED } else { Taint::NONE };
            let taint = object.taint.with(sources::of_name(&path)).with(climbs);
            Value::path(&path, taint)
        }
        Known::Text(_) | Known::Bytes(_) | Known::List(..) if name == "__class__" => {
            Value::path("literal.__class__", object.taint)
        }
        // The folder of a path, and the attribute of a namespace.
        Known::Text(path) if name == "parent" => Value::text(folder(path), object.taint),
        Known::List(items, _) if named(items, name).is_some_and(|item| item.as_path().is_some()) => {
            named(items, name).cloned().unwrap_or_default()
        }
        Known::Text(_) | Known::Bytes(_) | Known::List(..) => object.method(name),
        _ => Value::path(&format!("?.{name}"), object.taint),
    }
}

/// What stands before the last name of a path.
pub(crate) fn folder(path: &str) -> &str {
    path.rsplit_once('/').map_or("", |(folder, _)| folder)
}

/// The last entry called `name`.
pub(crate) fn named<'v>(items: &'v [Value], name: &str) -> Option<&'v Value> {
    items.iter().rev().find_map(|item| match &item.known {
        Known::Named(key, value) if &**key == name => Some(&**value),
        _ => None,
    })
}

fn number(number: Option<i64>) -> Value {
    Value::new(number.map_or(Known::Nothing, Known::Number), Taint::NONE)
}

fn negated(source: &str, children: &[Child<'_>]) -> Value {
    let value = children.last().map(|child| child.value.clone()).unwrap_or_default();
    match value.known {
        Known::Number(n) if source.starts_with('-') => number(n.checked_neg()),
        _ => Value::unknown(value.taint),
    }
}

/// `a if condition else b`.
fn chosen(children: &[Child<'_>]) -> Value {
    match children {
        [then, condition, otherwise] => match condition.value.known {
            Known::Flag(true) => then.value.clone(),
            Known::Flag(false) => otherwise.value.clone(),
            _ => either(children),
        },
        _ => either(children),
    }
}

/// One of two: the first of which something is known, from wherever either comes.
fn either(children: &[Child<'_>]) -> Value {
    let truth =
        |value: &&Value| !is_blank(value) && !matches!(value.known, Known::Absent | Known::Flag(false));
    let known = children.iter().map(|child| &child.value).find(truth);
    known.cloned().unwrap_or_default().with(taint_of(children))
}

/// The bytes of a value whose every byte is known.
pub(crate) fn bytes_of(value: &Value) -> Option<Vec<u8>> {
    match &value.known {
        Known::Bytes(bytes) => Some(bytes.to_vec()),
        Known::Text(_) => value.as_whole_text().map(|text| text.as_bytes().to_vec()),
        Known::List(items, _) => items
            .iter()
            .map(|item| match item.known {
                Known::Number(number) => u8::try_from(number).ok(),
                _ => None,
            })
            .collect(),
        _ => None,
    }
}
