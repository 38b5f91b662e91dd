//! Functions without a name, and functions that are called where they stand.

use tree_sitter::Node;

use crate::python::names;
use crate::python::reader::{Child, Reader, Scope};
use crate::python::value::{Known, Taint, Value};

/// How many calls are unfolded one within another.
const DEEPEST: u8 = 2;

impl Reader<'_, '_, '_> {
    /// Comes to a lambda: its parameters are its own.
    pub(crate) fn enter_lambda(&mut self, node: Node<'_>) {
        let name = self.naming.take().unwrap_or_default();
        let outside = self.parameters(node, name, !name.is_empty());
        self.scopes.push(Scope::Function(name.to_owned(), outside));
    }

    /// Leaves a lambda, whose value is that of its body.
    pub(crate) fn leave_lambda(&mut self, body: Value) -> Value {
        self.leave_function();
        body
    }

    /// Comes to an assignment: a lambda that it gives a name is a function of that name.
    pub(crate) fn enter_assignment(&mut self, node: Node<'_>) {
        let is =
            |field: &str, kind: &str| node.child_by_field_name(field).filter(|child| child.kind() == kind);
        if let (Some(left), Some(_)) = (is("left", "identifier"), is("right", "lambda")) {
            self.naming = Some(self.source(left));
        }
    }

    /// `(lambda f, x: f(x))(os.system, "...")`: the value of the body with the arguments in place.
    pub(crate) fn called_at_once(&mut self, function: &Child<'_>, args: &[Value]) -> Option<Value> {
        let lambda = unwrapped(function.node)?;
        self.unfolded(lambda, args)
    }

    /// `map(lambda c: chr(c ^ 7), [...])`.
    pub(crate) fn mapped(&mut self, arguments: Node<'_>, args: &[Value]) -> Option<Value> {
        const MANY: usize = 4096;
        let lambda = unwrapped(arguments.named_child(0)?)?;
        let items: Vec<Value> = match &args.get(1)?.known {
            Known::List(items, _) => items.iter().take(MANY).cloned().collect(),
            Known::Text(text) => text
                .chars()
                .take(MANY)
                .map(|c| Value::text(c.encode_utf8(&mut [0; 4]), Taint::NONE))
                .collect(),
            Known::Bytes(bytes) => {
                let number = |byte: &u8| Value::new(Known::Number(i64::from(*byte)), Taint::NONE);
                bytes.iter().take(MANY).map(number).collect()
            }
            _ => return None,
        };
        let mut mapped = Vec::with_capacity(items.len());
        for item in items {
            mapped.push(self.unfolded(lambda, &[item])?);
        }
        Some(Value::list(mapped).with(Taint::COMPUTED))
    }

    /// The value of the body of `lambda` with its parameters bound to `args`.
    fn unfolded(&mut self, lambda: Node<'_>, args: &[Value]) -> Option<Value> {
        let body = lambda.child_by_field_name("body")?;
        if self.unfolding >= DEEPEST || !self.spend(1) {
            return None;
        }
        let outside = self.parameters(lambda, "", false);
        for ((name, _), value) in outside.iter().zip(args) {
            self.names.bind(name, value.clone());
        }
        self.unfolding += 1;
        let value = self.walk(body.walk());
        self.unfolding -= 1;
        self.restore(outside);
        Some(value)
    }

    /// Leaves a function: its parameters mean again what they meant outside.
    pub(crate) fn leave_function(&mut self) {
        if let Some(Scope::Function(_, outside)) = self.scopes.pop() {
            self.restore(outside);
        }
    }

    fn restore(&mut self, outside: Vec<(String, Option<Value>)>) {
        for (name, value) in outside {
            match value {
                Some(value) => self.names.bind(&name, value),
                None => self.names.forget(&name),
            }
        }
    }

    /// A parameter with a default, which is what it holds unless a call in this text says otherwise.
    pub(crate) fn default_parameter(&mut self, name: Node<'_>, value: &Value) {
        let name = self.source(name);
        let unknown = self.names.get(name).and_then(Value::as_path) == Some(&format!("parameter:{name}"));
        if unknown && value.as_path().is_some() {
            self.names.bind(name, value.clone());
        }
    }

    /// Binds a name to the function that an assignment gives it.
    pub(crate) fn named_lambda(&mut self, name: &str, body: Value) {
        self.names.bind(name, names::local(name));
        if !names::is_blank(&body) || body.taint != Taint::NONE {
            self.names.returns.insert(name.to_owned(), body);
        }
    }
}

/// The lambda within parentheses.
fn unwrapped(node: Node<'_>) -> Option<Node<'_>> {
    let mut node = node;
    for _ in 0..4 {
        match node.kind() {
            "lambda" => return Some(node),
            "parenthesized_expression" => node = node.named_child(0)?,
            _ => return None,
        }
    }
    None
}
