//! What an expression is, from what its parts are.

use tree_sitter::Node;

use crate::python::names::{self, is_blank};
use crate::python::reader::{Child, Reader};
use crate::python::value::{Known, Taint, Value};

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
            "conditional_expression" => either(children),
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
                None => Value::unknown(taint_of(children)),
            },
            "subscript" => self.subscript(children),
            "list_comprehension" | "generator_expression" | "set_comprehension" => {
                self.comprehension(children)
            }
            "lambda" => value_of(children, "body"),
            kind if is_statement(kind) => self.statement(node, children),
            _ => Value::unknown(taint_of(children)),
        }
    }

    fn identifier(&mut self, node: Node<'_>) -> Value {
        let name = self.source(node);
        match self.names.get(name) {
            Some(value) => value.clone(),
            None => self.names.resolve(name),
        }
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
            ("%", Known::Number(a), Known::Number(b)) => number(a.checked_rem_euclid(*b)),
            ("//", Known::Number(a), Known::Number(b)) => number(a.checked_div_euclid(*b)),
            // A format with its values, of which at least the first may be known.
            ("%", Known::Text(format), _) => {
                let filled = right.items().iter().chain(std::iter::once(&right)).take(64).fold(
                    format.to_string(),
                    |text, value| match value.as_text() {
                        Some(value) => text.replacen("%s", value, 1),
                        None => text,
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
        match (&object.known, &index.value.known) {
            (Known::List(items, _), Known::Number(number)) => {
                let at = usize::try_from(*number)
                    .ok()
                    .or_else(|| items.len().checked_sub(number.unsigned_abs().try_into().ok()?));
                at.and_then(|at| items.get(at)).cloned().unwrap_or_default()
            }
            (Known::List(items, _), Known::Text(key)) => named(items, key).cloned().unwrap_or_default(),
            (Known::Path(path), Known::Text(key))
                if matches!(&**path, "globals()" | "locals()" | "vars()" | "__builtins__" | "builtins") =>
            {
                let found = self
                    .names
                    .get(key)
                    .cloned()
                    .unwrap_or_else(|| Value::path(&names::canonical(key), Taint::NONE));
                found.with(Taint::COMPUTED)
            }
            (Known::Path(path), Known::Text(key)) if &**path == "sys.modules" => {
                Value::path(&names::canonical(key), index.value.taint.with(Taint::COMPUTED))
            }
            // A module's dictionary is the module itself; that of an object is not told apart.
            (Known::Path(path), Known::Text(key)) if self.names.imports(path) => {
                Value::path(&names::member(path, key), index.value.taint.with(Taint::COMPUTED))
            }
            (Known::Path(path), _) if &**path == "os.environ" => Value::path("os.environ[]", Taint::NONE),
            (Known::Path(path), _) => Value::path(&format!("{path}[]"), object.taint),
            _ => Value::unknown(object.taint),
        }
    }

    fn slice(&mut self, object: &Value, slice: &str) -> Value {
        let reversed = slice.split(':').map(str::trim).eq(["", "", "-1"]);
        match &object.known {
            Known::Text(text) if reversed => {
                self.spend(text.len() / 16);
                Value::text(&text.chars().rev().collect::<String>(), object.taint.with(Taint::COMPUTED))
            }
            Known::Bytes(bytes) if reversed => {
                self.spend(bytes.len() / 16);
                Value::bytes(
                    &bytes.iter().rev().copied().collect::<Vec<u8>>(),
                    object.taint.with(Taint::DECODED),
                )
            }
            Known::Path(_) => object.clone(),
            _ => Value::unknown(object.taint),
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
            let taint = object.taint.with(crate::python::sources::of_name(&path));
            Value::path(&path, taint)
        }
        Known::Text(_) | Known::Bytes(_) | Known::List(..) => object.method(name),
        _ => Value::path(&format!("?.{name}"), object.taint),
    }
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

/// One of two: the first of which something is known, from wherever either comes.
fn either(children: &[Child<'_>]) -> Value {
    let known = children.iter().map(|child| &child.value).find(|value| !is_blank(value));
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
