//! What statements do to the names.

use tree_sitter::Node;

use crate::python::expression::{field, value_of};
use crate::python::names::{self, is_blank};
use crate::python::reader::{Child, Class, Reader, Scope};
use crate::python::value::{Known, Taint, Value};
use crate::python::{deferred, download, hostile, output, role, sources};

impl<'t> Reader<'_, 't, '_> {
    /// Comes to a node, before its children.
    pub(crate) fn enter(&mut self, node: Node<'_>) {
        match node.kind() {
            "function_definition" => {
                let name = node.child_by_field_name("name").map(|name| self.source(name)).unwrap_or_default();
                let top = !self.scopes.iter().any(|scope| matches!(scope, Scope::Class(_)));
                let parameters = node.child_by_field_name("parameters").map(|node| self.source(node));
                if role::is_handler(name, parameters.unwrap_or_default()) && self.scopes.is_empty() {
                    self.names.facts.insert("model class");
                }
                if self.scopes.is_empty() {
                    self.names.facts.insert("offers");
                }
                if top && !name.is_empty() {
                    self.names.bind(name, names::local(name));
                }
                let outside = self.parameters(node, name, top);
                self.take_request(node, name, &outside);
                self.scopes.push(Scope::Function(name.to_owned(), outside));
            }
            "class_definition" => {
                let bases = node.child_by_field_name("superclasses").map(|bases| self.source(bases));
                let bases = bases.unwrap_or_default();
                let short = bases.get(..bases.floor_char_boundary(200)).unwrap_or_default();
                let name = node.child_by_field_name("name").map(|name| self.source(name)).unwrap_or_default();
                if role::is_loaded_class(name, short) {
                    self.names.facts.insert("model class");
                }
                if self.scopes.is_empty() {
                    self.names.facts.insert("offers");
                }
                self.names.bind(name, names::local(name));
                self.scopes.push(Scope::Class(Class { name: name.to_owned(), bases: short.to_owned() }));
            }
            "if_statement" if self.is_asked_for(node) => {
                self.names.facts.insert("script");
                self.scopes.push(Scope::Main);
            }
            "elif_clause" | "else_clause" => {
                if node.parent().is_some_and(|parent| self.is_asked_for(parent))
                    && let Some(scope) = self.scopes.last_mut()
                {
                    *scope = Scope::Else;
                }
            }
            "assignment" => self.enter_assignment(node),
            "lambda" => self.enter_lambda(node),
            "parameters" | "type" => self.scopes.push(Scope::Head),
            "match_statement" => self.enter_match(node),
            _ => {}
        }
    }

    /// Whether the statement is one of `if` that asks whether somebody started the file, or for a word on its command line.
    fn is_asked_for(&self, node: Node<'_>) -> bool {
        const LONGEST: usize = 80;
        let condition = node.child_by_field_name("condition").map(|condition| self.source(condition));
        let asks = |text: &str| {
            text.contains("__main__")
                || text.contains("argv")
                    && text.contains(['"', '\''])
                    && (text.contains("==") || text.contains(" in "))
                    && !(text.contains("!=") || text.contains("not "))
        };
        node.kind() == "if_statement" && condition.is_some_and(|text| text.len() < LONGEST && asks(text))
    }

    /// Leaves a statement.
    pub(crate) fn statement(&mut self, node: Node<'_>, children: &[Child<'_>]) -> Value {
        match node.kind() {
            "function_definition" | "class_definition" => self.leave_function(),
            "parameters" | "type" => drop(self.scopes.pop()),
            "default_parameter" | "typed_default_parameter" => {
                if let (Some(name), Some(value)) = (field(children, "name"), field(children, "value")) {
                    self.default_parameter(name.node, &value.value);
                }
            }
            "decorator" => self.decorated(node, children),
            "if_statement" if self.is_asked_for(node) => {
                self.scopes.pop();
            }
            "import_statement" => children.iter().for_each(|child| self.import(child.node)),
            "import_from_statement" => self.import_from(node, children),
            "assignment" | "named_expression" => {
                let (left, right) = match node.kind() {
                    "assignment" => (field(children, "left"), field(children, "right")),
                    _ => (field(children, "name"), field(children, "value")),
                };
                if let (Some(left), Some(right)) = (left, right) {
                    let value = right.value.clone();
                    if right.node.kind() == "lambda" && left.node.kind() == "identifier" {
                        self.named_lambda(self.source(left.node), value);
                        return Value::default();
                    }
                    self.bind(left.node, &value, 0);
                    return value;
                }
            }
            "augmented_assignment" => self.augment(children),
            // `value as name`, in `with` and in patterns.
            "as_pattern" => {
                let value = children.first().map(|child| child.value.clone()).unwrap_or_default();
                if let Some(target) = field(children, "alias").and_then(|alias| alias.node.named_child(0)) {
                    self.bind(target, &value, 0);
                }
                return value;
            }
            "for_statement" | "for_in_clause" => {
                let right = value_of(children, "right");
                // Of a list of texts, any: rules look for what stands in a text.
                let texts: Option<Vec<&str>> = right.items().iter().take(64).map(Value::as_text).collect();
                let element = match (texts.filter(|texts| !texts.is_empty()), right.items().first()) {
                    (Some(texts), _) => Value::text(&texts.join("\n"), right.taint),
                    (None, Some(first)) if matches!(first.known, Known::Number(_) | Known::Path(_)) => {
                        first.clone()
                    }
                    // Of pairs, the first whose function acts.
                    (None, Some(first)) if !first.items().is_empty() => first.clone(),
                    _ => Value::unknown(right.taint),
                };
                if let Some(left) = field(children, "left") {
                    self.bind(left.node, &element, 0);
                }
                return right;
            }
            "return_statement" => {
                let value = children.first().map(|child| child.value.clone()).unwrap_or_default();
                if self.speaks && self.scopes.iter().any(Scope::is_reduce) {
                    deferred::reduced(self, self.offset(node), &value);
                }
                self.returned(value);
            }
            "while_statement" => hostile::endless(self, node),
            // Python 2.
            "exec_statement" => {
                let value = value_of(children, "code");
                self.executed(node, "exec", &value);
            }
            _ => {}
        }
        Value::default()
    }

    /// `@exec`: the function below is made from what stands there, and never called by its name.
    fn decorated(&mut self, node: Node<'_>, children: &[Child<'_>]) {
        let path = children.first().and_then(|child| child.value.as_path()).unwrap_or_default();
        if let Some(name) = path.strip_prefix("local:") {
            self.uses(name, true);
        }
        if deferred::is_registrar(path)
            && let Some(definition) =
                node.parent().and_then(|decorated| decorated.child_by_field_name("definition"))
            && let Some(name) = definition.child_by_field_name("name")
        {
            self.uses(self.source(name), false);
        }
        if self.speaks && (matches!(path, "exec" | "eval") || names::runs_command(path)) {
            let message = format!("`{path}` is hidden in a decorator");
            self.remarks.add(&hostile::HIDDEN_CALL, self.offset(node), message);
        }
    }

    /// `match value: case name:` is an assignment.
    fn enter_match(&mut self, node: Node<'_>) {
        const CASES: usize = 16;
        let Some(subject) = node.child_by_field_name("subject") else { return };
        if !matches!(subject.kind(), "attribute" | "identifier" | "string") {
            return;
        }
        let value = self.walk(subject.walk());
        let body = node.child_by_field_name("body").unwrap_or(node);
        let mut cursor = body.walk();
        let cases = body.named_children(&mut cursor).filter(|case| case.kind() == "case_clause");
        let captured = cases.take(CASES).filter_map(|case| captured(case.named_child(0)?));
        let names: Vec<&str> = captured.map(|name| self.source(name)).collect();
        names.into_iter().for_each(|name| self.names.bind(name, value.clone()));
    }

    /// Binds the parameters of a function to what it is given in this text, or to nobody's names; what these were outside.
    pub(crate) fn parameters(
        &mut self,
        node: Node<'_>,
        function: &str,
        top: bool,
    ) -> Vec<(String, Option<Value>)> {
        const MANY: usize = 64;
        let Some(parameters) = node.child_by_field_name("parameters") else { return Vec::new() };
        let mut cursor = parameters.walk();
        let mut outside = Vec::new();
        for (at, parameter) in parameters.named_children(&mut cursor).take(MANY).enumerate() {
            let inner = parameter
                .child_by_field_name("name")
                .or_else(|| parameter.named_child(0))
                .unwrap_or(parameter);
            if inner.kind() != "identifier" {
                continue;
            }
            let name = self.source(inner);
            let given = if top { self.names.argument(function, at).cloned() } else { None };
            let value =
                given.unwrap_or_else(|| Value::path(&format!("parameter:{name}"), sources::of_name(name)));
            outside.push((name.to_owned(), self.names.get(name).cloned()));
            self.names.bind(name, value);
        }
        outside
    }

    fn returned(&mut self, value: Value) {
        let Some(Scope::Function(name, _)) =
            self.scopes.iter().rev().find(|scope| matches!(scope, Scope::Function(..)))
        else {
            return;
        };
        // What a second reading knows better replaces what the first one knew.
        let known = self.names.returns.get(name).is_some_and(|before| {
            !matches!(value.known, Known::Text(_) | Known::Bytes(_)) || before.as_text().is_some()
        });
        if (is_blank(&value) && value.taint == Taint::NONE) || known {
            return;
        }
        let name = name.clone();
        self.names.returns.insert(name, value);
    }

    fn augment(&mut self, children: &[Child<'_>]) {
        let (Some(left), right) = (field(children, "left"), value_of(children, "right")) else { return };
        let before = left.value.clone();
        let taint = before.taint.with(right.taint);
        let operator =
            field(children, "operator").map(|operator| self.source(operator.node)).unwrap_or_default();
        let value = match (&before.known, &right.known) {
            (Known::Text(a), _) if operator == "+=" => {
                self.spend(a.len() / 16);
                Value::text(&format!("{a}{}", right.as_part()), taint.with(Taint::COMPUTED))
            }
            (Known::Bytes(a), Known::Bytes(b)) if operator == "+=" => {
                self.spend(a.len() / 16);
                Value::bytes(&[a.as_ref(), b.as_ref()].concat(), taint)
            }
            _ => Value::unknown(taint),
        };
        let node = left.node;
        self.bind(node, &value, 0);
    }

    /// Gives what a pattern names its value.
    fn bind(&mut self, target: Node<'_>, value: &Value, depth: u8) {
        const DEEPEST: u8 = 4;
        match target.kind() {
            "identifier" => {
                let name = self.source(target);
                hostile::assigned(self, name, value, self.offset(target));
                if let Some(Scope::Class(class)) = self.scopes.last()
                    && !class.name.is_empty()
                {
                    let member = format!("{}.{name}", class.name);
                    self.names.bind(&member, value.clone());
                }
                self.names.bind(name, value.clone());
            }
            "attribute" => {
                let name = self.source(target);
                output::assigned(self, name, value, self.offset(target));
                hostile::assigned(self, name, value, self.offset(target));
                if name.len() <= 96 {
                    self.names.bind(name, value.clone());
                }
                if let Some(builtin) = name.strip_prefix("builtins.") {
                    self.names.bind(builtin, value.clone());
                }
            }
            "subscript" => self.bind_item(target, value),
            "pattern_list" | "tuple_pattern" | "list_pattern" | "tuple" | "expression_list"
                if depth < DEEPEST =>
            {
                let mut cursor = target.walk();
                let targets: Vec<Node<'_>> = target.named_children(&mut cursor).take(64).collect();
                for (at, target) in targets.into_iter().enumerate() {
                    let item = match target.kind() {
                        "list_splat_pattern" => {
                            value.items().get(at..).map(|rest| Value::list(rest.to_vec()))
                        }
                        _ => value.items().get(at).cloned(),
                    };
                    self.bind(target, &item.unwrap_or_else(|| Value::unknown(value.taint)), depth + 1);
                }
            }
            "list_splat_pattern" => {
                if let Some(inner) = target.named_child(0) {
                    self.bind(inner, value, depth + 1);
                }
            }
            _ => {}
        }
    }

    /// `table["name"] = value`, `globals()["name"] = value`.
    fn bind_item(&mut self, target: Node<'_>, value: &Value) {
        let (Some(table), Some(key)) =
            (target.child_by_field_name("value"), target.child_by_field_name("subscript"))
        else {
            return;
        };
        let (table, key) = (self.source(table), self.source(key));
        let name = key.trim_matches(['"', '\'']);
        if table == "os.environ" {
            hostile::set_variable(self, name, value, self.offset(target));
        }
        if value.as_path().is_none() || name.len() > 64 || table.len() > 64 {
            return;
        }
        match table {
            "globals()" | "locals()" | "vars()" => self.names.bind(name, value.clone()),
            _ => self.names.bind(&format!("{table}[{name}]"), value.clone()),
        }
    }

    /// `import a.b`, `import a.b as c`.
    fn import(&mut self, node: Node<'_>) {
        let (module, alias) = self.imported(node);
        if matches!(module, "argparse" | "click" | "docopt" | "fire" | "getopt" | "optparse" | "typer") {
            self.names.facts.insert("script");
        }
        download::imported(self, module, self.offset(node));
        self.names.import(module);
        match alias {
            Some(alias) => self.names.bind(alias, Value::path(&named_module(module), Taint::NONE)),
            None => {
                let first = module.split('.').next().unwrap_or(module);
                self.names.bind(first, Value::path(&named_module(first), Taint::NONE));
            }
        }
    }

    /// `from a import b as c`, `from a import *`.
    fn import_from(&mut self, node: Node<'_>, children: &[Child<'_>]) {
        let module =
            node.child_by_field_name("module_name").map(|module| self.source(module)).unwrap_or_default();
        let module = named_module(module);
        self.names.import(&module);
        for child in children {
            if child.node.kind() == "wildcard_import" {
                self.names.star(&module);
            } else if child.field == Some("name") {
                let (name, alias) = self.imported(child.node);
                let path = names::member(&module, name);
                let taint = sources::of_name(&path);
                self.names.bind(alias.unwrap_or(name), Value::path(&path, taint));
            }
        }
    }

    fn imported(&self, node: Node<'_>) -> (&'t str, Option<&'t str>) {
        let name = node.child_by_field_name("name").unwrap_or(node);
        (self.source(name), node.child_by_field_name("alias").map(|alias| self.source(alias)))
    }
}

/// The name that a pattern is, which takes whatever comes.
fn captured(pattern: Node<'_>) -> Option<Node<'_>> {
    let mut inner = pattern;
    while inner.kind() != "identifier" {
        inner = inner.named_child(0).filter(|_| inner.named_child_count() == 1)?;
    }
    Some(inner)
}

/// A module by its one name.
fn named_module(module: &str) -> String {
    match module {
        "posix" | "nt" => "os",
        "cPickle" | "_pickle" | "pickle5" => "pickle",
        "urllib2" => "urllib.request",
        "__builtin__" => "builtins",
        other => other,
    }
    .to_owned()
}
