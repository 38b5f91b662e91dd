//! Calls: what they return, and the rules that look at them.

use tree_sitter::Node;

use crate::python::expression::{self, field};
use crate::python::reader::{Child, Reader};
use crate::python::value::{Known, Taint, Value};
use crate::python::{
    command, deferred, download, fold, hostile, loaders, names, natives, output, request, serving, sources,
    theft,
};

/// One call.
pub(crate) struct Call<'c> {
    /// Where it stands in the whole text.
    pub(crate) offset: usize,
    /// What is called, in its one spelling.
    pub(crate) path: &'c str,
    /// How the way to it was hidden, and where its object comes from.
    pub(crate) taint: Taint,
    pub(crate) args: &'c [Value],
}

impl Call<'_> {
    /// The last part of the name.
    pub(crate) fn last(&self) -> &str {
        self.path.rsplit('.').next().unwrap_or(self.path)
    }

    /// The argument at that place, from 0, or of that name.
    pub(crate) fn arg(&self, at: usize, name: &str) -> Option<&Value> {
        self.named(name).or_else(|| self.positional().nth(at))
    }

    /// The arguments without names.
    pub(crate) fn positional(&self) -> impl Iterator<Item = &Value> {
        self.args.iter().filter(|arg| !matches!(arg.known, Known::Named(..)))
    }

    /// The command of a call that runs one: a text, or its words.
    pub(crate) fn command(&self) -> Option<Value> {
        let last = self.last();
        // The environment comes last.
        let fewer = usize::from(matches!(last, "execle" | "execlpe" | "spawnle" | "spawnlpe"));
        let words = self.positional().count().saturating_sub(fewer);
        let rest =
            |skip: usize| Some(Value::list(self.positional().take(words).skip(skip).cloned().collect()));
        match last {
            _ if last.starts_with("execl") && self.path.starts_with("os.") => rest(1),
            _ if last.starts_with("execv") && self.path.starts_with("os.") => {
                self.positional().nth(1).cloned()
            }
            _ if last.starts_with("spawnl") => rest(2),
            _ if last.starts_with("spawnv") => self.positional().nth(2).cloned(),
            "posix_spawn" | "posix_spawnp" | "subprocess_shell" => self.positional().nth(1).cloned(),
            "subprocess_exec" => rest(1),
            "create_subprocess_exec" => rest(0),
            "main" => {
                let words = self.positional().next()?.items().iter().cloned();
                let pip = Value::text("pip", Taint::NONE);
                Some(Value::list(std::iter::once(pip).chain(words).collect()))
            }
            // The program is the function.
            _ if self.path.starts_with("sh.") || self.path.starts_with("plumbum.") => {
                let program = if last.ends_with("()") || last.ends_with("[]") {
                    Value::default()
                } else {
                    Value::text(last, Taint::NONE)
                };
                Some(Value::list(std::iter::once(program).chain(self.positional().cloned()).collect()))
            }
            _ => {
                let by_name =
                    || ["args", "command", "cmd", "cmdline"].iter().find_map(|name| self.named(name));
                self.positional().next().or_else(by_name).cloned()
            }
        }
    }

    /// The argument of that name.
    pub(crate) fn named(&self, name: &str) -> Option<&Value> {
        expression::named(self.args, name)
    }

    /// Whether the argument of that name is `flag`.
    pub(crate) fn is(&self, name: &str, flag: bool) -> bool {
        self.named(name).is_some_and(|value| value.known == Known::Flag(flag))
    }

    /// Whether an argument may be given that is not seen: `**options`.
    pub(crate) fn is_open(&self) -> bool {
        self.args.iter().any(|arg| matches!(&arg.known, Known::Named(name, _) if &**name == "**"))
    }

    /// All that flows into it.
    pub(crate) fn inflow(&self) -> Taint {
        self.args.iter().fold(Taint::NONE, |taint, arg| taint.with(arg.taint))
    }
}

impl Reader<'_, '_, '_> {
    pub(crate) fn call(&mut self, node: Node<'_>, children: &[Child<'_>]) -> Value {
        let Some(function) = field(children, "function") else { return Value::default() };
        let value = function.value.clone();
        let single;
        let args: &[Value] = match field(children, "arguments") {
            Some(arguments) if arguments.node.kind() == "argument_list" => arguments.value.items(),
            Some(generator) => {
                single = [generator.value.clone()];
                &single
            }
            None => &[],
        };
        // A list too deep for its items to be kept still hands on where they come from.
        let flow = field(children, "arguments").map_or(Taint::NONE, |arguments| arguments.value.taint);
        let found = value.taint.with(flow).only(Taint::FOUND);
        if let Known::Method(receiver, name) = &value.known {
            self.method_call(node, receiver, name, args);
            let result = fold::method(receiver, name, args);
            self.spend(result.as_text().map_or(0, str::len) / 16);
            let handed = if sources::is_transparent(name) { receiver.taint.with(flow) } else { Taint::NONE };
            return result.with(handed).with(found);
        }
        if let Some(value) = self.called_at_once(function, args) {
            return value;
        }
        let path = value.as_path().map_or_else(|| "?".to_owned(), names::canonical);
        if path == "map"
            && let Some(arguments) = field(children, "arguments")
            && let Some(list) = self.mapped(arguments.node, args)
        {
            return list;
        }
        let call = Call { offset: self.offset(node), path: &path, taint: value.taint, args };
        self.learn(&call);
        self.check(&call);
        if let Some(result) = fold::function(&path, args, &mut self.names) {
            self.spend(result.as_text().map_or(0, str::len) / 16);
            return result.with(found);
        }
        let mut taint = sources::of_call(&path).with(found);
        if sources::is_transparent(&path) {
            taint = taint.with(value.taint).with(flow);
        }
        if sources::is_fetch(&path) && args.iter().filter_map(Value::as_text).any(sources::is_metadata) {
            taint = taint.with(Taint::CREDENTIAL);
        }
        // A method of what a request brings hands on some of it.
        if value.taint.has(Taint::REQUEST) {
            taint = taint.with(Taint::REQUEST);
        }
        if let Some(name) = path.strip_prefix("local:") {
            self.names.called(name, args);
            self.uses(name, true);
        }
        if let Some(name) = path.strip_prefix("local:")
            && let Some(returned) = self.names.returns.get(name)
        {
            return returned.clone().with(taint);
        }
        if matches!(path.as_str(), "open" | "io.open" | "codecs.open" | "os.open" | "pathlib.Path().open") {
            return self.opened(&call);
        }
        Value::path(&format!("{path}()"), taint.without(Taint::COMPUTED))
    }

    /// What `open` returns: it names its file, so that what is written into it can be followed.
    fn opened(&self, call: &Call<'_>) -> Value {
        let key = call.arg(0, "file").and_then(Value::key).unwrap_or_default();
        let named = call.arg(0, "file").map_or(Taint::NONE, |file| file.taint);
        let mut taint = if named.has(Taint::HUB) { Taint::HUB } else { Taint::NONE };
        if key.contains("/run/secrets/") {
            taint = taint.with(Taint::CREDENTIAL);
        }
        if sources::is_credential_file(key) {
            taint = taint.with(Taint::SECRET);
        }
        if self.names.downloads.contains(key) {
            taint = taint.with(Taint::NETWORK);
        }
        Value::path(&format!("open({key})"), taint)
    }

    /// A method of a value that is known: of a path of pathlib, which is its text.
    fn method_call(&mut self, node: Node<'_>, receiver: &Value, name: &str, args: &[Value]) {
        let path = match name {
            "write_text" | "write_bytes" => format!("open({}).write", receiver.key().unwrap_or_default()),
            "open" => "open".to_owned(),
            _ => return,
        };
        let mut all = args.to_vec();
        if name == "open" {
            all.insert(0, receiver.clone());
        }
        let call = Call { offset: self.offset(node), path: &path, taint: Taint::NONE, args: &all };
        self.learn(&call);
        self.check(&call);
    }

    /// Remembers what later calls are judged by.
    fn learn(&mut self, call: &Call<'_>) {
        self.sets_names(call);
        download::learn(self, call);
        hostile::learn(self, call);
    }

    /// `setattr(A, "f", os.system)`, `globals().update(vars(os))`.
    fn sets_names(&mut self, call: &Call<'_>) {
        match (call.path, call.args) {
            ("setattr", [object, name, value]) => {
                if let (Some(object), Some(name)) = (object.as_path(), name.as_whole_text()) {
                    let owner = object.strip_prefix("local:").unwrap_or(object);
                    self.names.bind(&format!("{owner}.{name}"), value.clone());
                }
            }
            ("globals().update" | "locals().update" | "vars().update", [names]) => {
                if let Some(module) = names.as_path().and_then(|path| path.strip_suffix(".__dict__")) {
                    self.names.star(module);
                }
                for item in names.items() {
                    if let Known::Named(name, value) = &item.known {
                        self.names.bind(name, Value::clone(value));
                    }
                }
            }
            _ => {}
        }
    }

    fn check(&mut self, call: &Call<'_>) {
        if !self.speaks {
            return;
        }
        hostile::check(self, call);
        download::check(self, call);
        command::check(self, call);
        loaders::check(self, call);
        natives::check(self, call);
        output::check(self, call);
        serving::check(self, call);
        request::check(self, call);
        theft::check(self, call);
        deferred::check(self, call);
    }
}
