//! Programs that attack whoever runs them.

use bastide_types::{Assessment, Rule};

use crate::python::call::Call;
use crate::python::expression::bytes_of;
use crate::python::names::{self, runs_command, runs_python};
use crate::python::reader::Reader;
use crate::python::role::Role;
use crate::python::sources;
use crate::python::spelling;
use crate::python::value::{HOLE, Known, Taint, Value};
use crate::remark::{Remarks, rule, shown};

rule!(HIDDEN_PROGRAM, "code.hidden-program", Critical, Malicious, "runs a program that it hides",
    why: "nobody who may show a program encodes it; what runs is not what a reader sees",
    fix: "do not run it; delete the file, and look for what it has done where it ran",
    cwe: [506, 94], atlas: ["AML.T0011.000", "AML.T0010.003"]);
rule!(DOWNLOADED_PROGRAM, "code.downloaded-program", Critical, Malicious, "runs what it downloads",
    why: "whoever owns the address decides what runs here, today and tomorrow",
    fix: "do not run it; put the program into the package, pinned by its digest",
    cwe: [494, 94], atlas: ["AML.T0011.000", "AML.T0010.001"]);
rule!(HOSTILE_COMMAND, "code.hostile-command", Critical, Malicious, "runs a command that attacks the machine",
    why: "it hands the machine, its data or its credentials to somebody else",
    fix: "do not run it; delete the file, and look for what it has done where it ran",
    cwe: [506, 78], atlas: ["AML.T0011.000"]);
rule!(HIDDEN_CALL, "code.hidden-call", Critical, Malicious, "hides which function it calls",
    why: "a name put together from pieces serves to pass by those who look for it",
    fix: "do not run it; delete the file",
    cwe: [506, 912], atlas: ["AML.T0011.000"]);
rule!(REVERSE_SHELL, "code.reverse-shell", Critical, Malicious, "gives a shell to another machine",
    why: "it connects out and hands its input and output to whoever answers",
    fix: "do not run it; if it ran, treat the machine as taken",
    cwe: [506], atlas: ["AML.T0011.000"]);
rule!(SHELLCODE, "code.shellcode", Critical, Malicious, "runs machine code from its data",
    why: "it copies bytes into memory that it makes executable, and jumps there",
    fix: "do not run it; if it ran, treat the machine as taken",
    cwe: [506, 94], atlas: ["AML.T0011.000"]);
rule!(EMBEDDED_OBJECT, "code.embedded-object", Critical, Malicious, "unpickles an object that it carries",
    why: "a pickle or a code object within source text is a program that nobody can read",
    fix: "do not run it; ask for the data in a format that holds data only",
    cwe: [502, 506], atlas: ["AML.T0011.000"]);
rule!(EXFILTRATION, "code.exfiltration", Critical, Malicious, "sends credentials away",
    why: "the environment and the files of credentials hold what opens everything else",
    fix: "do not run it; if it ran, revoke every credential that the machine could read",
    cwe: [506, 200], atlas: ["AML.T0025", "AML.T0055"]);
rule!(PERSISTENCE, "code.persistence", Critical, Malicious, "makes itself run again",
    why: "it writes where the system or the next login will run it",
    fix: "do not run it; if it ran, look at what it wrote",
    cwe: [506], atlas: ["AML.T0011.000"]);
rule!(DESTRUCTION, "code.destruction", Critical, Malicious, "erases what is not its own",
    why: "it removes the system or everything that its user owns",
    fix: "do not run it",
    cwe: [506], atlas: ["AML.T0011.000"]);
rule!(CREDENTIAL_FILE, "code.credential-file", High, Review, "reads a file of credentials",
    why: "code of a model needs none of them; its library asks for the one it needs",
    fix: "see why it reads the file; give it the one credential it needs",
    cwe: [522], atlas: ["AML.T0055"]);
rule!(EVALUATED_NAME, "code.evaluated-name", High, Review, "evaluates what its configuration says",
    why: "a class is looked up so, but any expression that stands in the configuration runs when the model is loaded",
    fix: "look the name up in a table of the classes that may be used, or with `getattr` in one module",
    cwe: [95], atlas: ["AML.T0010.003"]);

pub(crate) const RULES: &[&Rule] = &[
    &HIDDEN_PROGRAM,
    &DOWNLOADED_PROGRAM,
    &HOSTILE_COMMAND,
    &HIDDEN_CALL,
    &REVERSE_SHELL,
    &SHELLCODE,
    &EMBEDDED_OBJECT,
    &EXFILTRATION,
    &PERSISTENCE,
    &DESTRUCTION,
    &CREDENTIAL_FILE,
    &EVALUATED_NAME,
];

/// How many texts that execute one another are read.
const DEEPEST: u8 = 3;

/// Remembers what makes a later call hostile.
pub(crate) fn learn(reader: &mut Reader<'_, '_, '_>, call: &Call<'_>) {
    if call.path.starts_with("io.") {
        let length: usize = call.args.iter().filter_map(Value::as_text).map(str::len).sum();
        reader.spend(length / 64);
    }
    let facts = &mut reader.names.facts;
    if matches!(call.last(), "connect" | "accept") && call.path.contains("socket")
        || matches!(call.path, "socket.create_connection" | "asyncio.open_connection")
    {
        facts.insert("connected");
    }
    let command = runs_command(call.path).then(|| call.command()).flatten();
    let command = command.as_ref().and_then(Value::as_command);
    let shells = ["/sh", "/bash", "/zsh", "sh -i", "cmd.exe", "powershell"];
    if command.is_some_and(|command| command == "sh" || shells.iter().any(|shell| command.contains(shell))) {
        facts.insert("shell");
    }
    let root = call.positional().next().and_then(Value::as_text).is_some_and(is_everything);
    if root && (call.path == "os.walk" || matches!(call.path, "glob.glob" | "glob.iglob")) {
        facts.insert("walks everything");
    }
    let library =
        call.path.contains("kernel32") || call.path.starts_with("ctypes.") || call.path.starts_with("mmap.");
    if is_filled_from_outside(call) {
        facts.insert("filled buffer");
    }
    if library
        && matches!(call.last(), "VirtualAlloc" | "VirtualAllocEx" | "VirtualProtect" | "mprotect" | "mmap")
    {
        facts.insert("executable memory");
    }
}

/// The buffers in memory, as what constructing one returns.
const BUFFERS: [&str; 2] = ["io.BytesIO()", "io.StringIO()"];

/// Whether a buffer may get what does not stand in the text: it is made of it, is told to write it, or is handed on to
/// somebody who may write. All buffers of a text are taken for one, for a buffer can be given any name.
fn is_filled_from_outside<'c>(call: &Call<'c>) -> bool {
    let bare = |value: &'c Value| match &value.known {
        Known::Named(_, value) => &**value,
        _ => value,
    };
    let outside = |value: &'c Value| is_outside(bare(value));
    let buffer = |value: &'c Value| is_buffer(bare(value));
    match BUFFERS.iter().find_map(|buffer| call.path.strip_prefix(buffer)) {
        Some(".write" | ".writelines" | ".__init__" | ".__setstate__") => call.args.iter().any(outside),
        Some(_) => false,
        None if matches!(call.path, "io.BytesIO" | "io.StringIO") => call.args.iter().any(outside),
        None if call.path == "print" => call.args.iter().any(buffer) && call.positional().any(is_outside),
        None => call.args.iter().any(buffer),
    }
}

/// How many values of a list are looked at.
const LISTED: usize = 64;

/// Whether a value is a buffer, or a list that holds one.
fn is_buffer(value: &Value) -> bool {
    std::iter::once(value)
        .chain(value.items().iter().take(LISTED))
        .any(|value| value.as_path().is_some_and(|path| BUFFERS.contains(&path)))
}

/// Whether a value has nothing that the text says.
fn is_outside(value: &Value) -> bool {
    let plain = |value: &Value| match &value.known {
        Known::Text(text) => !is_hole(text),
        Known::Bytes(_) | Known::Number(_) | Known::Flag(_) | Known::Absent => true,
        _ => false,
    };
    match &value.known {
        Known::List(items, _) => items.len() > LISTED || !items.iter().all(plain),
        _ => !plain(value),
    }
}

/// Whether a text is all that is not known of it: `f"{program}"`, `"(" + program + ")"`.
fn is_hole(text: &str) -> bool {
    text.contains(HOLE) && !text.contains(|c: char| c.is_alphanumeric())
}

pub(crate) fn check(reader: &mut Reader<'_, '_, '_>, call: &Call<'_>) {
    hidden_call(reader, call);
    every_class(reader, call);
    python_program(reader, call);
    shell(reader, call);
    machine_code(reader, call);
    embedded(reader, call);
    tagged(reader, call);
    sends(reader, call);
    writes(reader, call);
    erases(reader, call);
}

/// `getattr(os, "sys" + "tem")`, `__import__("os").system`.
fn hidden_call(reader: &mut Reader<'_, '_, '_>, call: &Call<'_>) {
    let acts = runs_command(call.path)
        || runs_python(call.path) && call.path != "compile"
        || call.path == "marshal.loads";
    if reader.depth > 0 && runs_command(call.path) {
        let message = format!("`{}` stands in a text that is executed", shown(call.path));
        reader.remarks.add(&HIDDEN_CALL, call.offset, message);
    }
    if runs_command(call.path)
        && reader.role() == Role::Loader
        && let Some(operator) = reader.operator()
    {
        let message = format!("`{operator}` calls `{}`", shown(call.path));
        reader.remarks.add(&HIDDEN_CALL, call.offset, message);
    }
    if let Some(name) = call.path.strip_prefix("operator.methodcaller(") {
        let object = call.args.first().and_then(Value::as_path).unwrap_or_default();
        let path = names::member(object, name.trim_end_matches(')'));
        if runs_command(&path) || runs_python(&path) {
            let message = format!("`{}` is reached by its name", shown(&path));
            reader.remarks.add(&HIDDEN_CALL, call.offset, message);
        }
    }
    if call.path == "types.CodeType" && call.args.iter().any(|arg| matches!(arg.known, Known::Bytes(_))) {
        reader.remarks.add(
            &HIDDEN_PROGRAM,
            call.offset,
            "it makes a program of the bytes that stand in the text",
        );
    }
    // An object that dispatches to its own methods hides nothing: it holds no function of the system.
    let own = call.path.starts_with("parameter:self.") || call.path.starts_with("parameter:cls.");
    if call.path.ends_with(".?") && call.taint.has(Taint::COMPUTED) && !own {
        let message = format!("`{}` finds the function among all that there are", shown(call.path));
        reader.remarks.add(&HIDDEN_CALL, call.offset, message);
    }
    if acts && call.taint.has(Taint::COMPUTED.with(Taint::IMPORTED)) {
        let message =
            format!("`{}` is reached by a name that is put together when it runs", shown(call.path));
        reader.remarks.add(&HIDDEN_CALL, call.offset, message);
    }
}

/// `().__class__.__base__.__subclasses__()`: the way to every class that is loaded, without a name.
fn every_class(reader: &mut Reader<'_, '_, '_>, call: &Call<'_>) {
    let Some(owner) = call.path.strip_suffix(".__subclasses__") else { return };
    let of_object = matches!(owner, "object" | "type")
        && call.args.first().is_none_or(|class| class.as_path() == Some("object"));
    let climbs = ["__class__.__base__", "__class__.__bases__[]", "__class__.__mro__[]", "__class__.mro()[]"];
    if of_object || climbs.iter().any(|end| owner.ends_with(end)) {
        reader.remarks.add(
            &HIDDEN_CALL,
            call.offset,
            "it looks for a function among all classes that are loaded",
        );
    }
}

/// A function that acts, put in the place of one that Python calls by itself: `__getitem__ = os.system`,
/// `sys.excepthook = exec`.
pub(crate) fn assigned(reader: &mut Reader<'_, '_, '_>, target: &str, value: &Value, offset: usize) {
    if target.starts_with("sys.std") && is_buffer(value) {
        reader.names.facts.insert("filled buffer");
    }
    let Some(path) = value.as_path().filter(|path| runs_command(path) || matches!(*path, "exec" | "eval"))
    else {
        return;
    };
    let special = target.starts_with("__") && target.ends_with("__");
    let builtin = ["builtins.", "__builtins__.", "sys."].iter().any(|module| target.starts_with(module));
    if reader.speaks && (special || builtin) {
        let message = format!("`{}` becomes `{}`", shown(target), shown(path));
        reader.remarks.add(&HIDDEN_CALL, offset, message);
    }
}

/// `os.environ["PYTHONBREAKPOINT"] = "os.system"`: what `breakpoint()` then calls.
pub(crate) fn set_variable(reader: &mut Reader<'_, '_, '_>, name: &str, value: &Value, offset: usize) {
    let function = value.as_whole_text().map(names::canonical);
    let acts = function.filter(|path| runs_command(path) || runs_python(path));
    if let Some(path) = acts.filter(|_| name == "PYTHONBREAKPOINT" && reader.speaks) {
        reader.remarks.add(&HIDDEN_CALL, offset, format!("`breakpoint` becomes `{}`", shown(&path)));
    }
}

/// `while True: os.fork()`, where nobody looks which of the two it is.
pub(crate) fn endless(reader: &mut Reader<'_, '_, '_>, node: tree_sitter::Node<'_>) {
    const MANY: usize = 16;
    let condition = node.child_by_field_name("condition").map(|condition| reader.source(condition));
    let Some(body) = node.child_by_field_name("body") else { return };
    let mut cursor = body.walk();
    let forks = body.named_children(&mut cursor).take(MANY).any(|statement| {
        statement.kind() == "expression_statement"
            && matches!(reader.source(statement), "os.fork()" | "fork()")
    });
    if reader.speaks && forks && matches!(condition, Some("True" | "1")) {
        reader.remarks.add(&DESTRUCTION, reader.offset(node), "it starts itself without end");
    }
}

/// `exec` and its kind.
fn python_program(reader: &mut Reader<'_, '_, '_>, call: &Call<'_>) {
    // What makes a function runs nothing yet: one that nobody calls here is a tool of others.
    let handed_on = call.path == "types.FunctionType" && reader.is_tool();
    if !runs_python(call.path) || call.path == "pandas.eval" || handed_on {
        return;
    }
    let first = call.positional().next();
    for program in
        first.into_iter().chain(["source", "stmt", "setup"].iter().filter_map(|name| call.named(name)))
    {
        reader.executed_at(call.offset, call.path, program);
    }
}

impl Reader<'_, '_, '_> {
    /// Python 2 executes by a statement.
    pub(crate) fn executed(&mut self, node: tree_sitter::Node<'_>, path: &str, program: &Value) {
        if self.speaks {
            self.executed_at(self.offset(node), path, program);
        }
    }

    fn executed_at(&mut self, offset: usize, path: &str, program: &Value) {
        let name = shown(path);
        if program.taint.has(Taint::NETWORK) {
            self.remarks.add(
                &DOWNLOADED_PROGRAM,
                offset,
                format!("`{name}` is given what comes from the network"),
            );
            return;
        }
        if program.taint.has(Taint::DECODED) {
            self.remarks.add(
                &HIDDEN_PROGRAM,
                offset,
                format!("`{name}` is given what is decoded when it runs"),
            );
            return;
        }
        if self.role() == Role::Loader
            && self.runs_for_model()
            && let Some(file) = program.as_path().and_then(read_from)
            && !file.ends_with(".py")
        {
            let message =
                format!("`{name}` is given the file `{}`, which is not called a program", shown(file));
            self.remarks.add(&HIDDEN_PROGRAM, offset, message);
            return;
        }
        let own_buffers = !self.names.facts.contains("filled buffer");
        if matches!(path, "exec" | "eval")
            && self.role() == Role::Loader
            && stands_nowhere(program, own_buffers)
            && self.runs_for_model()
        {
            // Classes are looked up so; a statement is nobody's name.
            if path == "eval" && program.as_path().is_none_or(|path| !path.contains('(')) {
                let message = "`eval` is given a name of the configuration, or of whoever loads the model";
                return self.remarks.add(&EVALUATED_NAME, offset, message);
            }
            let message = format!(
                "`{name}` is given what does not stand in the file: data of the model, or of whoever loads it"
            );
            self.remarks.add(&HIDDEN_PROGRAM, offset, message);
            return;
        }
        let Some(text) = program.as_command().filter(|_| self.depth < DEEPEST) else { return };
        if !matches!(program.known, Known::Text(_) | Known::Bytes(_)) || !self.spend(1) {
            return;
        }
        let text = spelling::taken(&text);
        let mut inner = Remarks::new(&text);
        super::read(&text, &mut inner, self.depth + 1, self.budget);
        for remark in inner.finish().iter().filter(|remark| remark.rule.effect == Assessment::Malicious) {
            self.remarks.add(
                remark.rule,
                offset,
                format!("in the text that `{name}` runs: {}", remark.message),
            );
        }
    }
}

/// Whether nothing of a program is known from the text. A module beside the file may be read by whoever reads the file,
/// and with `own_buffers` a buffer holds only what the text itself wrote.
fn stands_nowhere(program: &Value, own_buffers: bool) -> bool {
    match &program.known {
        Known::Nothing => true,
        Known::Text(text) => is_hole(text),
        Known::Path(path) => {
            let own =
                own_buffers && matches!(&**path, "io.BytesIO().getvalue()" | "io.StringIO().getvalue()");
            !own && !read_from(path).is_some_and(|file| file.ends_with(".py"))
        }
        _ => false,
    }
}

/// The file that `path` is the content of: `open(name).read()`.
fn read_from(path: &str) -> Option<&str> {
    let (file, rest) = path.strip_prefix("open(")?.split_once(").read")?;
    (!file.is_empty() && matches!(rest, "" | "()")).then_some(file)
}

/// Commands given what is fetched or decoded, and shells on sockets.
fn shell(reader: &mut Reader<'_, '_, '_>, call: &Call<'_>) {
    let connected = reader.names.facts.contains("connected");
    let descriptor = |value: &Value| {
        value.as_path().is_some_and(|path| path.contains("socket") && path.ends_with("fileno()"))
    };
    let name = shown(call.path);
    if call.path == "os.dup2"
        && (call.args.iter().any(descriptor) || connected)
        && becomes_standard(call, reader.names.facts.contains("shell"))
    {
        reader.remarks.add(&REVERSE_SHELL, call.offset, "its input and output are those of a connection");
    }
    if call.path == "pty.spawn" && connected {
        reader.remarks.add(&REVERSE_SHELL, call.offset, "`pty.spawn` starts a shell beside a connection");
    }
    if !runs_command(call.path) {
        return;
    }
    let piped = ["stdin", "stdout", "stderr"].iter().filter_map(|name| call.named(name));
    if piped.into_iter().any(|pipe| {
        descriptor(pipe)
            || pipe.as_path().is_some_and(|path| {
                path.starts_with("socket.socket()") || path.starts_with("socket.create_connection()")
            })
    }) {
        reader.remarks.add(&REVERSE_SHELL, call.offset, format!("`{name}` is wired to a connection"));
    }
    let Some(command) = call.command() else { return };
    if command.taint.has(Taint::NETWORK) {
        reader.remarks.add(
            &DOWNLOADED_PROGRAM,
            call.offset,
            format!("`{name}` is given what comes from the network"),
        );
    } else if command.taint.has(Taint::DECODED) {
        reader.remarks.add(
            &HIDDEN_PROGRAM,
            call.offset,
            format!("`{name}` is given what is decoded when it runs"),
        );
    } else if let Some(file) = downloaded(reader, &command) {
        let message = format!("`{name}` runs `{}`, which was downloaded before", shown(&file));
        reader.remarks.add(&DOWNLOADED_PROGRAM, call.offset, message);
    }
}

/// Whether `os.dup2` replaces input or output: not another descriptor, as tests of sockets do. A number that is not known
/// counts only beside a shell.
fn becomes_standard(call: &Call<'_>, shell: bool) -> bool {
    match call.arg(1, "fd2").map(|target| &target.known) {
        Some(Known::Number(number)) => (0..=2).contains(number),
        Some(Known::Path(path)) if !path.starts_with("parameter:") => path.starts_with("sys."),
        _ => shell,
    }
}

/// The downloaded file that a command runs: by itself, or through an interpreter.
fn downloaded(reader: &Reader<'_, '_, '_>, command: &Value) -> Option<String> {
    const INTERPRETERS: &[&str] = &[
        "sh",
        "bash",
        "zsh",
        "python",
        "python3",
        "perl",
        "node",
        "pwsh",
        "powershell",
        "sudo",
        "nohup",
        "start",
        "cmd",
        "/bin/sh",
        "/bin/bash",
        "chmod",
        "rundll32",
        "wscript",
    ];
    let downloads = &reader.names.downloads;
    let is_download = |word: &str| {
        let bare = word.trim_start_matches("./");
        [word, bare].iter().any(|word| downloads.contains(*word)).then(|| word.to_owned())
    };
    match &command.known {
        Known::List(items, _) => {
            let first = items.first()?;
            let interpreter = first.as_text().is_some_and(|word| INTERPRETERS.contains(&word))
                || first.as_path() == Some("sys.executable");
            let words = if interpreter { items.get(1..)? } else { items.get(..1)? };
            words.iter().take(4).filter_map(Value::key).find_map(is_download)
        }
        Known::Path(path) => is_download(path),
        Known::Text(text) => {
            let mut words = text.split([' ', ';', '&']).filter(|word| !word.is_empty());
            let first = words.next()?;
            if INTERPRETERS.contains(&first) {
                return words.take(4).find_map(is_download);
            }
            is_download(first)
        }
        _ => None,
    }
}

/// Machine code from data: memory is made executable, and something is called through a pointer.
fn machine_code(reader: &mut Reader<'_, '_, '_>, call: &Call<'_>) {
    let ready = reader.names.facts.contains("executable memory");
    let jumps = matches!(
        call.last(),
        "CreateThread" | "CreateRemoteThread" | "RtlMoveMemory" | "WriteProcessMemory" | "QueueUserAPC"
    ) || call.path.starts_with("ctypes.CFUNCTYPE()") && call.path != "ctypes.CFUNCTYPE"
        || call.path == "ctypes.memmove";
    if ready && jumps {
        let message = format!("`{}` follows memory that is made executable", shown(call.path));
        reader.remarks.add(&SHELLCODE, call.offset, message);
    }
}

/// `marshal.loads(b"...")`.
fn embedded(reader: &mut Reader<'_, '_, '_>, call: &Call<'_>) {
    const LOADERS: &[&str] = &[
        "pickle.loads",
        "marshal.loads",
        "dill.loads",
        "cloudpickle.loads",
        "cloudpickle.pickle.loads",
        "jsonpickle.decode",
        "_pickle.loads",
        "pickle._loads",
    ];
    if !LOADERS.contains(&call.path) {
        return;
    }
    let Some(data) = call.positional().next() else { return };
    let marshal = call.path == "marshal.loads";
    let carried = matches!(data.known, Known::Bytes(_) | Known::Text(_));
    let unpacked = marshal
        && data.taint.has(Taint::DECODED.with(Taint::NETWORK))
        && data.as_path() != Some("marshal.dumps()");
    let inert = bytes_of(data).is_some_and(|bytes| match marshal {
        // `TYPE_CODE` of CPython's marshal.c, with and without the mark of a reference.
        true => !unpacked && !bytes.iter().any(|byte| matches!(byte, b'c' | 0xe3)),
        false => !names_global(&bytes),
    });
    // Code of a model has no use for an object that nobody can read, whatever it is.
    let encoded = reader.role() == Role::Loader && data.taint.has(Taint::DECODED);
    if carried && (!inert || encoded) || unpacked {
        let message = format!("`{}` is given an object that stands in the text", shown(call.path));
        reader.remarks.add(&EMBEDDED_OBJECT, call.offset, message);
    }
}

/// `yaml.unsafe_load("!!python/object/apply:os.system [...]")`.
fn tagged(reader: &mut Reader<'_, '_, '_>, call: &Call<'_>) {
    let loads = call.path.starts_with("yaml.")
        && matches!(call.last(), "load" | "load_all" | "unsafe_load" | "unsafe_load_all");
    let text = call.positional().next().and_then(Value::as_command);
    let loader = call.arg(1, "Loader").and_then(Value::as_path).unwrap_or_default();
    let safe = loader.ends_with("SafeLoader") || loader.ends_with("BaseLoader");
    let tags = ["!!python/object", "tag:yaml.org,2002:python/object"];
    if loads && !safe && text.is_some_and(|text| tags.iter().any(|tag| text.contains(tag))) {
        let message = format!("`{}` is given an object that stands in the text", shown(call.path));
        reader.remarks.add(&EMBEDDED_OBJECT, call.offset, message);
    }
}

/// Whether a pickle names something that acts. A pickled array or date names its class, and tests are full of these.
fn names_global(bytes: &[u8]) -> bool {
    const NAMES: &[&str] = &[
        "system",
        "popen",
        "Popen",
        "eval",
        "exec",
        "getattr",
        "__import__",
        "subprocess",
        "builtins",
        "__builtin__",
        "posix",
        "runpy",
        "marshal",
        "pty",
        "socket",
        "importlib",
        "operator",
        "shutil",
        "ctypes",
        "urllib",
        "requests",
        "webbrowser",
    ];
    NAMES.iter().any(|name| memchr::memmem::find(bytes, name.as_bytes()).is_some())
}

/// Credentials that leave.
fn sends(reader: &mut Reader<'_, '_, '_>, call: &Call<'_>) {
    let sink = sources::is_sink(call);
    if sink && call.inflow().has(Taint::SECRET) {
        let message = format!("`{}` is given the environment or a file of credentials", shown(call.path));
        reader.remarks.add(&EXFILTRATION, call.offset, message);
    }
    let one = call.inflow().has(Taint::CREDENTIAL);
    if sink && one && call.args.iter().filter_map(address).any(|address| is_foreign(&address)) {
        let message =
            format!("`{}` sends a credential to an address without a name, or of a drop", shown(call.path));
        reader.remarks.add(&EXFILTRATION, call.offset, message);
    }
    let asks = matches!(call.path, "socket.gethostbyname" | "socket.getaddrinfo" | "dns.resolver.resolve");
    if asks && call.inflow().has(Taint::CREDENTIAL.with(Taint::SECRET)) {
        let message = format!("`{}` puts a credential into the name that it asks for", shown(call.path));
        reader.remarks.add(&EXFILTRATION, call.offset, message);
    }
    let given = || call.command().is_some_and(|command| command.taint.has(Taint::SECRET));
    if runs_command(call.path) && given() {
        let message = "a command is given the environment or a file of credentials";
        reader.remarks.add(&EXFILTRATION, call.offset, message);
    }
    let opens = matches!(call.path, "open" | "io.open" | "shutil.copy" | "shutil.copyfile");
    let file = call.positional().next().and_then(Value::as_text);
    if opens && file.is_some_and(|file| sources::is_credential_file(file) && !file.starts_with("/etc/passwd"))
    {
        let message = format!("it opens `{}`", shown(file.unwrap_or_default()));
        reader.remarks.add(&CREDENTIAL_FILE, call.offset, message);
    }
}

/// The address in a text.
fn address(value: &Value) -> Option<String> {
    let value = match &value.known {
        Known::Named(_, value) => value,
        _ => value,
    };
    value.as_text().filter(|text| text.contains("://")).map(str::to_owned)
}

/// Whether an address is a bare number, or of a service that takes what anybody sends.
fn is_foreign(address: &str) -> bool {
    const DROPS: &[&str] = &[
        "webhook.site",
        "discord.com/api/webhooks",
        "discordapp.com/api/webhooks",
        "api.telegram.org/bot",
        "pipedream.net",
        "requestbin",
        "ngrok",
        "burpcollaborator",
        "oast.",
        "interact.sh",
        "pastebin.com",
        "transfer.sh",
        "requestcatcher",
        "beeceptor",
        "file.io",
        "0x0.st",
        "termbin",
    ];
    crate::shell::is_bare_number(address) || DROPS.iter().any(|drop| address.contains(drop))
}

/// Files that something will run.
fn writes(reader: &mut Reader<'_, '_, '_>, call: &Call<'_>) {
    let target = match call.path {
        "open" | "io.open" | "codecs.open" => {
            let mode = call.arg(1, "mode").and_then(Value::as_text).unwrap_or("r");
            mode.contains(['w', 'a', 'x', '+'])
                .then(|| call.arg(0, "file").and_then(Value::as_text))
                .flatten()
        }
        "os.open" => {
            let flags = call.arg(1, "flags").and_then(Value::as_path).unwrap_or("os.O_WRONLY");
            (flags != "os.O_RDONLY").then(|| call.arg(0, "path").and_then(Value::as_text)).flatten()
        }
        "shutil.copy" | "shutil.copyfile" | "shutil.move" | "os.rename" | "os.symlink" => {
            call.positional().nth(1).and_then(Value::as_text)
        }
        path => path.strip_prefix("open(").and_then(|path| path.strip_suffix(").write")),
    };
    if let Some(target) = target.filter(|target| sources::is_startup_file(target)) {
        reader.remarks.add(&PERSISTENCE, call.offset, format!("it writes `{}`", shown(target)));
    }
    let module = call.path.strip_prefix("open(").and_then(|path| path.strip_suffix(").write"));
    if module.is_some_and(|file| file.ends_with(".py") || file.ends_with(".pth"))
        && reader.role() == Role::Loader
        && reader.runs_for_model()
        && let Some(program) = call.positional().next()
    {
        reader.executed_at(call.offset, "import", program);
    }
    if opens_run_key(call) {
        reader.remarks.add(&PERSISTENCE, call.offset, "it adds a program that every login runs");
    }
}

/// Whether a call writes to the key of the registry whose programs every login runs.
fn opens_run_key(call: &Call<'_>) -> bool {
    let names =
        call.args.iter().any(|arg| arg.as_text().is_some_and(|text| text.contains("CurrentVersion\\Run")));
    let writes = || {
        let path = |arg: &Value| {
            arg.as_path().is_some_and(|path| {
                path.ends_with("SET_VALUE") || path.ends_with("ACCESS") || path.ends_with("WRITE")
            })
        };
        call.args.iter().any(path)
    };
    match call.path {
        "winreg.SetValueEx" | "winreg.SetValue" | "winreg.CreateKey" | "winreg.CreateKeyEx" => names,
        "winreg.OpenKey" | "winreg.OpenKeyEx" => names && writes(),
        _ => false,
    }
}

/// Whether a folder holds all of the system, or all that somebody owns.
fn is_everything(folder: &str) -> bool {
    matches!(folder, "/" | "~" | "~/" | "/home" | "/etc" | "/usr" | "C:\\" | "C:/")
}

/// `shutil.rmtree("/")`, `os.remove(path)` for all paths below it.
fn erases(reader: &mut Reader<'_, '_, '_>, call: &Call<'_>) {
    let target = call.positional().next().and_then(Value::as_text);
    let removes = matches!(call.path, "os.remove" | "os.unlink" | "shutil.rmtree");
    let unknown = target.is_none_or(|target| target.contains(HOLE));
    if removes && unknown && reader.names.facts.contains("walks everything") {
        let message = format!("`{}` removes what a walk through everything finds", shown(call.path));
        reader.remarks.add(&DESTRUCTION, call.offset, message);
    }
    if call.path == "shutil.rmtree" && target.is_some_and(is_everything) {
        reader.remarks.add(
            &DESTRUCTION,
            call.offset,
            format!("it removes `{}`", shown(target.unwrap_or_default())),
        );
    }
}
