//! Source code that traced modules carry: `torch.fx.graph_module.reduce_graph_module(body, import_block)` runs the imports and
//! `body["_code"]`, or `body["code"]`, with `exec`.

use super::arguments::Refusal;
use super::attributes::is_harmless;
use super::encoded;
use super::formula::called;
use super::hostile;
use super::judge::Judge;
use super::machine::{Call, State};
use super::names::is_standard;
use super::render;
use super::rules;
use super::value::{Kind, Value};

/// Sources that are kept until the call that runs them.
const SOURCES: usize = 1024;

/// Whether a key of a dictionary says that its value is the source of a module.
pub(super) fn is_key(text: &[u8]) -> bool {
    text == b"_code" || text == b"code"
}

impl Judge<'_, '_> {
    /// Notes what may be source: a word alone does nothing.
    pub(super) fn note_source(&mut self, state: &State<'_>, value: Value) {
        let plain = value.is_data() && value.kind() != Kind::Text;
        let word = |text: String| !text.contains(|c: char| c.is_whitespace() || c == '(');
        if !plain && self.sources.len() < SOURCES && !state.text(value).is_some_and(word) {
            self.sources.push(value);
        }
    }

    /// Judges all source that may be run.
    pub(super) fn run_traced(&mut self, state: &State<'_>, call: &Call<'_>, offset: u64) {
        let &[_, imports] = call.args else {
            return self.refuse(state, call, Refusal::Followed, offset);
        };
        // Modules lie in one another, and the source of the outer one may come first.
        let fresh = self.sources.get(self.judged..).unwrap_or_default().to_vec();
        let readable = !self.sources.is_empty() && self.sources.len() < SOURCES;
        self.judged = self.sources.len();
        let mut read = |text: Value| {
            let bytes = encoded::latin1(state, text, self.scan).ok().flatten()?;
            (text.kind() == Kind::Text)
                .then(|| bytes.iter().map(|byte| char::from(*byte)).collect::<String>())
        };
        let texts: Option<Vec<String>> = std::iter::once(imports).chain(fresh).map(&mut read).collect();
        let (rule, message) = match texts.filter(|_| readable) {
            Some(texts) if texts.iter().all(|text| is_tensor_code(text)) => {
                (&rules::TRACED, "the source of a traced module only computes")
            }
            Some(_) => {
                (&rules::EXECUTION, "the source of a traced module does more than compute with tensors")
            }
            None => (&rules::EXECUTION, "the source of a traced module cannot be read"),
        };
        self.scan.find_call(rule, offset, message, render::call(state, call));
    }
}

/// Whether source names nothing but tensors, modules of its own and what computes.
fn is_tensor_code(text: &str) -> bool {
    if hostile::is_code(text) || text.contains('\\') {
        return false;
    }
    text.lines().all(|line| {
        let line = line.trim();
        match line.starts_with("import ") || line.starts_with("from ") {
            true => is_import(line),
            false => chains(line).all(is_plain),
        }
    }) && text.lines().all(is_definition)
        && called(text).all(|name| {
            !matches!(name, "open" | "print" | "input" | "vars" | "globals" | "locals" | "setattr")
        })
        && text
            .match_indices("getattr")
            .all(|(at, _)| takes_attribute(text.get(at + 7..).unwrap_or_default()))
}

/// Whether a line that is no function's body only imports, defines or names: what stands there runs at once.
fn is_definition(line: &str) -> bool {
    if line.is_empty() || line.starts_with([' ', '\t', '#']) {
        return true;
    }
    let wraps = line.starts_with("torch.fx._symbolic_trace.wrap(") || line.starts_with("torch.fx.wrap(");
    let defines = line.strip_prefix("def ").is_some_and(|line| {
        line.trim_end().ends_with(':') && line.matches('(').count() == 1 && !line.contains(';')
    });
    let imports = line.starts_with("import ") || line.starts_with("from ");
    defines || imports || wraps || line == "NoneType = type(None)"
}

/// Libraries of tensors, and modules of Python that compute.
fn is_import(line: &str) -> bool {
    let Some(module) = line.split_whitespace().nth(1) else { return false };
    let package = module.split('.').next().unwrap_or_default();
    let computes =
        matches!(package, "math" | "operator" | "_operator" | "typing" | "collections" | "itertools");
    !line.contains(';') && (computes || !is_standard(package)) && words(line).skip(1).all(is_computing)
}

/// Names with dots between them.
fn chains(line: &str) -> impl Iterator<Item = &str> {
    line.split(|c: char| !c.is_alphanumeric() && c != '_' && c != '.').filter(|chain| !chain.is_empty())
}

fn words(line: &str) -> impl Iterator<Item = &str> {
    line.split(|c: char| !c.is_alphanumeric() && c != '_').filter(|word| !word.is_empty())
}

/// What belongs to the module itself may have any name.
fn is_plain(chain: &str) -> bool {
    let own = chain.strip_prefix("self.");
    let special = words(chain).any(|word| word.starts_with("__"));
    !special && (own.is_some() || words(chain).skip(1).all(is_computing))
}

fn is_computing(word: &str) -> bool {
    const OTHERS: [&str; 8] = ["builtins", "ctypes", "hub", "importlib", "os", "pickle", "subprocess", "sys"];
    is_harmless(word)
        && !OTHERS.contains(&word)
        && !word.starts_with("__")
        && !["load", "download", "from_file", "save"].iter().any(|other| word.starts_with(other))
}

/// `(x, 'name')` behind `getattr`.
fn takes_attribute(rest: &str) -> bool {
    let arguments = rest.trim_start().strip_prefix('(').and_then(|rest| rest.split_once(')'));
    let name = arguments.and_then(|(arguments, _)| arguments.split(',').nth(1));
    name.map(str::trim)
        .and_then(|name| {
            let quote = name.chars().next().filter(|c| matches!(c, '\'' | '"'))?;
            name.strip_prefix(quote)?.strip_suffix(quote)
        })
        .is_some_and(|name| name.chars().all(|c| c.is_alphanumeric() || c == '_') && is_computing(name))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn traced_modules_compute() {
        for honest in [
            "import torch\nfrom torch import device\nimport torch.fx._pytree as fx_pytree\nfrom math import inf\n",
            "def forward(self, x):\n    l = self.load(x);  x = None\n    y = getattr(x, 'device')\n    \
             z = torch.nn.functional.relu(l, inplace = False)\n    return torch.ops.aten.add(z, y)\n",
        ] {
            assert!(is_tensor_code(honest), "{honest}");
        }
    }

    #[test]
    fn other_source_does_not() {
        for hostile in [
            "import os",
            "import torch, os",
            "from torch import hub",
            "from torch.serialization import load as relu",
            "def forward(self, x):\n    return torch.os.popen('x')",
            "f = torch.load",
            "getattr(torch, 'lo' + 'ad')('x')",
            "x.__class__",
            "open('x')",
            "exec ('x')",
            "import torch; import os",
            "self.__class__",
            "x.y()",
            "def forward(self, x=f()):\n    return x",
            "def forward(self): f()",
        ] {
            assert!(!is_tensor_code(hostile), "{hostile}");
        }
    }
}
