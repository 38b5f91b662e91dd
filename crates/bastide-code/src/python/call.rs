//! Calls: what they return, and the rules that look at them.

use tree_sitter::Node;

use crate::python::expression::{self, field};
use crate::python::reader::{Child, Reader};
use crate::python::value::{Known, Taint, Value};
use crate::python::{command, fold, hostile, loaders, names, output, serving, sources};

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

    /// The command of a call that runs one.
    pub(crate) fn command(&self) -> Option<&Value> {
        let by_name = || ["args", "command", "cmd"].iter().find_map(|name| self.named(name));
        self.positional().next().or_else(by_name)
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
        if let Known::Method(receiver, name) = &value.known {
            self.method_call(node, receiver, name, args);
            let result = fold::method(receiver, name, args);
            self.spend(result.as_text().map_or(0, str::len) / 16);
            let handed = if sources::is_transparent(name) { receiver.taint.with(flow) } else { Taint::NONE };
            return result.with(handed);
        }
        let path = value.as_path().map_or_else(|| "?".to_owned(), names::canonical);
        let call = Call { offset: self.offset(node), path: &path, taint: value.taint, args };
        self.learn(&call);
        self.check(&call);
        if let Some(result) = fold::function(&path, args, &mut self.names) {
            self.spend(result.as_text().map_or(0, str::len) / 16);
            return result;
        }
        let mut taint = sources::of_call(&path);
        if sources::is_transparent(&path) {
            taint = taint.with(value.taint).with(flow);
        }
        if let Some(name) = path.strip_prefix("local:") {
            self.names.called(name, args);
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
        let mut taint = Taint::NONE;
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
        if matches!(call.path, "urllib.request.urlretrieve" | "wget.download" | "urllib.urlretrieve")
            && let Some(key) = call.arg(1, "filename").or_else(|| call.named("out")).and_then(Value::key)
        {
            self.names.downloads.insert(key.to_owned());
        }
        let written = call.path.strip_prefix("open(").and_then(|path| path.strip_suffix(").write"));
        if let Some(key) = written.filter(|key| !key.is_empty() && call.inflow().has(Taint::NETWORK)) {
            self.names.downloads.insert(key.to_owned());
        }
        if call.path == "shutil.copyfileobj" && call.inflow().has(Taint::NETWORK) {
            let target = call.arg(1, "fdst").and_then(Value::as_path);
            if let Some(key) = target.and_then(|path| path.strip_prefix("open(")?.strip_suffix(')')) {
                self.names.downloads.insert(key.to_owned());
            }
        }
        hostile::learn(self, call);
    }

    fn check(&mut self, call: &Call<'_>) {
        if !self.speaks {
            return;
        }
        hostile::check(self, call);
        command::check(self, call);
        loaders::check(self, call);
        output::check(self, call);
        serving::check(self, call);
        self.deferred(call);
    }

    /// A function handed to something that will call it: `Thread(target=os.system, args=(...,))`.
    fn deferred(&mut self, call: &Call<'_>) {
        let (target, args): (Option<&Value>, Vec<Value>) = match call.last() {
            "Thread" | "Process" | "Timer" => {
                let target = call.named("target").or_else(|| call.positional().nth(1));
                (target, call.named("args").map(|args| args.items().to_vec()).unwrap_or_default())
            }
            "map" | "starmap" => {
                let items = call.positional().nth(1).map(|items| items.items().to_vec()).unwrap_or_default();
                (call.positional().next(), items)
            }
            "register" | "submit" | "call_soon" | "run_in_executor" | "partial" | "apply" | "reduce" => {
                let skip = usize::from(call.last() == "run_in_executor");
                (call.positional().nth(skip), call.positional().skip(skip + 1).cloned().collect())
            }
            _ => return,
        };
        let Some(target) = target.filter(|target| target.as_path().is_some()) else { return };
        let path = target.as_path().map(names::canonical).unwrap_or_default();
        if !names::runs_command(&path) && !names::runs_python(&path) {
            return;
        }
        let call = Call { offset: call.offset, path: &path, taint: target.taint, args: &args };
        hostile::check(self, &call);
        command::check(self, &call);
    }
}
