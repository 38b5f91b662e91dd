//! Texts that known classes evaluate when they are given their state.
//!
//! `rv_generic.__setstate__` of scipy runs `_parse_arg_template` with `exec` (`scipy/stats/_distn_infrastructure.py`), and
//! `ModelData.__setstate__` of statsmodels evaluates `formula` with patsy (`statsmodels/base/data.py`): Python, with the
//! names of whoever loads the file.

use super::formula::{self, called};
use super::judge::Judge;
use super::machine::State;
use super::render;
use super::rules;
use super::traced;
use super::value::{Kind, Value};

const TEMPLATE: &[u8] = b"_parse_arg_template";
const FORMULA: &[u8] = b"formula";
/// Where a `Factor` of formulaic keeps its part of a formula.
const FACTOR: &[u8] = b"expr";

/// Whether a key of a state says that its value is evaluated.
pub(super) fn is_key(text: &[u8]) -> bool {
    text == TEMPLATE || text == FORMULA || text == FACTOR || traced::is_key(text)
}

/// Finds values under such keys that are not what the library itself writes.
pub(super) fn judge(judge: &mut Judge<'_, '_>, state: &State<'_>, key: Value, value: Value, offset: u64) {
    let Some(key) = state.text(key).filter(|key| is_key(key.as_bytes())) else { return };
    if traced::is_key(key.as_bytes()) {
        return judge.note_source(state, value);
    }
    let text = state.text(value).filter(|_| value.kind() == Kind::Text);
    let harmless = match key.as_bytes() {
        TEMPLATE => text.is_some_and(|text| is_template(&text)),
        // Many other objects have a formula, of any kind; a text that a call makes hides what it says.
        _ => match text {
            Some(text) => {
                if !formula::is_plain(&text) {
                    judge.formula = judge.formula.or(Some(value));
                }
                // Expressions of other libraries are in many languages.
                key.as_bytes() == FACTOR || is_formula(&text)
            }
            None => {
                state.global(value).is_none_or(|global| !matches!(global.name.as_str(), "str" | "unicode"))
            }
        },
    };
    if !harmless {
        find(judge, state, &key, value, offset);
    }
}

/// Judges at the end of the stream what can only be told when all imports are known: what the formulas of statsmodels
/// may say.
pub(super) fn finish(judge: &mut Judge<'_, '_>, state: &State<'_>) {
    let statistics =
        |module: &str| ["statsmodels", "patsy", "formulaic"].iter().any(|other| module.starts_with(other));
    if let Some(value) =
        judge.formula.filter(|_| state.globals.iter().any(|global| statistics(&global.module)))
    {
        find(judge, state, "formula", value, value.offset());
    }
}

fn find(judge: &mut Judge<'_, '_>, state: &State<'_>, key: &str, value: Value, offset: u64) {
    let call = format!("exec({})", render::expression(state, value));
    let message = format!("a state has code under `{key}`, which is run when the object gets it");
    judge.scan.find_call(&rules::EXECUTION, offset, message, call);
}

/// Definitions of functions that return their arguments, and nothing that runs when they are made.
fn is_template(text: &str) -> bool {
    text.lines().all(|line| {
        let Some(body) = line.strip_prefix("    return ") else {
            return line.is_empty() || is_definition(line);
        };
        let body = body.strip_prefix("self._argcheck_rvs(").unwrap_or(body);
        body.chars().all(|c| c.is_ascii_alphanumeric() || "_ ,()='".contains(c)) && !calls(body)
    })
}

/// `def name(a, b=1):` with defaults that are numbers or names.
fn is_definition(line: &str) -> bool {
    let parameters = line.strip_prefix("def _parse_args").and_then(|line| line.strip_suffix("):"));
    let parameters = parameters.and_then(|rest| rest.split_once('(')).filter(|(name, _)| is_word(name));
    parameters.is_some_and(|(_, parameters)| {
        parameters.chars().all(|c| c.is_ascii_alphanumeric() || "_ ,='".contains(c))
    })
}

fn is_word(text: &str) -> bool {
    text.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_')
}

/// Whether a name stands in front of a parenthesis.
fn calls(text: &str) -> bool {
    called(text).next().is_some()
}

/// A formula of variables, operators and the functions that statisticians use.
fn is_formula(text: &str) -> bool {
    const HARMFUL: [&str; 13] = [
        "breakpoint",
        "compile",
        "delattr",
        "eval",
        "exec",
        "getattr",
        "globals",
        "input",
        "locals",
        "open",
        "print",
        "setattr",
        "vars",
    ];
    let special = |word: &str| word.len() > 4 && word.starts_with("__") && word.ends_with("__");
    if text.split(|c: char| !c.is_alphanumeric() && c != '_').any(special) {
        return false;
    }
    let harmful = |name: &str| {
        let mut parts = name.split('.').peekable();
        let first = parts.peek().copied().unwrap_or_default();
        HARMFUL.contains(&first)
            || matches!(
                first,
                "os" | "sys" | "subprocess" | "builtins" | "importlib" | "pickle" | "shutil" | "socket"
            )
            || parts.any(|part| part.starts_with("read_") || !super::attributes::is_harmless(part))
    };
    !called(text).any(harmful)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn templates_of_scipy_only_return_their_arguments() {
        let honest = "\ndef _parse_args(self, a, b,  loc=0, scale=1):\n    return (a, b, ), loc, scale\n\n\
            def _parse_args_rvs(self, a, b,  loc=0, scale=1, size=None):\n    \
            return self._argcheck_rvs(a, b,  loc, scale, size=size)\n\n\
            def _parse_args_stats(self, a, b,  loc=0, scale=1, moments='mv'):\n    return (a, b, ), loc, scale, moments\n";
        assert!(is_template(honest));
        for hostile in [
            "print('x')",
            "def _parse_args(self, a=print('x')):\n    return ()",
            "def _parse_args(self):\n    return print('x')",
            "def _parse_args(self): print('x')",
            "def _parse_args(self):\n    return self._argcheck_rvs(print('x'))",
            "import os",
        ] {
            assert!(!is_template(hostile), "{hostile}");
        }
    }

    #[test]
    fn formulas_call_functions_of_statistics() {
        for honest in
            ["y ~ x + np.log(z) + C(group, Treatment('a'))", "y ~ x1 * x2 - 1", "H2O", "y ~ x__lag1"]
        {
            assert!(is_formula(honest), "{honest}");
        }
        for hostile in
            ["y ~ __import__('os').system('x')", "y ~ eval ('x')", "y ~ os.popen('x')", "y ~ np.load('x')"]
        {
            assert!(!is_formula(hostile), "{hostile}");
        }
    }
}
