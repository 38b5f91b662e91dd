//! Formulas of statisticians, which patsy and formulaic evaluate as Python.
//!
//! The names are those of `patsy.builtins` and `formulaic.transforms.TRANSFORMS`, and functions of numpy on numbers.

/// Functions that formulas call by their names alone.
const FUNCTIONS: [&str; 45] = [
    "B",
    "C",
    "ContrastMatrix",
    "Diff",
    "Helmert",
    "I",
    "Poly",
    "Q",
    "Sum",
    "Treatment",
    "abs",
    "bs",
    "cc",
    "center",
    "ceil",
    "contr",
    "contr.diff",
    "contr.helmert",
    "contr.poly",
    "contr.sum",
    "contr.treatment",
    "cos",
    "cr",
    "cs",
    "demo_data",
    "dict",
    "exp",
    "exp10",
    "exp2",
    "float",
    "floor",
    "hashed",
    "int",
    "lag",
    "list",
    "log",
    "log10",
    "log2",
    "max",
    "min",
    "poly",
    "scale",
    "sin",
    "sqrt",
    "standardize",
];

/// Functions that they call of numpy.
const NUMPY: [&str; 40] = [
    "abs",
    "absolute",
    "arange",
    "arccos",
    "arcsin",
    "arcsinh",
    "arctan",
    "array",
    "asarray",
    "cbrt",
    "ceil",
    "clip",
    "column_stack",
    "cos",
    "cosh",
    "exp",
    "exp2",
    "expm1",
    "floor",
    "isnan",
    "log",
    "log10",
    "log1p",
    "log2",
    "logical_and",
    "logical_not",
    "logical_or",
    "max",
    "maximum",
    "mean",
    "min",
    "minimum",
    "power",
    "round",
    "sign",
    "sin",
    "sinh",
    "sqrt",
    "square",
    "where",
];

/// Whether a text is a formula of variables, numbers, operators and these functions.
pub(super) fn is_plain(text: &str) -> bool {
    if text.contains(['\\', ';', '@', '{', '}', '\n']) {
        return false;
    }
    let Some(bare) = without_quotes(text) else { return false };
    let special =
        |word: &str| word.starts_with("__") || matches!(word, "lambda" | "import" | "for" | "await");
    !bare.split(|c: char| !c.is_alphanumeric() && c != '_').any(special)
        && !calls_result(&bare)
        && called(&bare).all(is_known)
}

/// Whether what a call or an index gave is called.
fn calls_result(text: &str) -> bool {
    let mut last = ' ';
    for c in text.chars().filter(|c| !c.is_whitespace()) {
        if matches!(last, ')' | ']') && matches!(c, '(' | '.') {
            return true;
        }
        last = c;
    }
    false
}

fn is_known(name: &str) -> bool {
    match name.split_once('.') {
        Some(("np" | "numpy", function)) => NUMPY.contains(&function),
        _ => FUNCTIONS.contains(&name),
    }
}

/// The text with an empty name in place of each quotation; none where one does not end.
fn without_quotes(text: &str) -> Option<String> {
    let mut bare = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find(['\'', '"', '`']) {
        let (before, quoted) = rest.split_at(at);
        let quote = quoted.chars().next()?;
        let (_, after) = quoted.get(1..)?.split_once(quote)?;
        // What is prefixed to a quotation makes it something else.
        if before.ends_with(|c: char| c.is_alphanumeric()) {
            return None;
        }
        bare.push_str(before);
        bare.push_str(" _ ");
        rest = after;
    }
    bare.push_str(rest);
    Some(bare)
}

/// The dotted names in front of parentheses.
pub(super) fn called(text: &str) -> impl Iterator<Item = &str> {
    text.match_indices('(').filter_map(|(at, _)| {
        let before = text.get(..at)?.trim_end();
        let name = before.trim_end_matches(|c: char| c.is_alphanumeric() || c == '_' || c == '.').len();
        before.get(name..).filter(|name| !name.is_empty())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn formulas_call_what_statisticians_do() {
        for honest in [
            "y ~ x1 * x2 - 1",
            "y ~ (a + b)**2 + C(group, Treatment(reference='open(x)'))",
            "np.log(y) ~ np.log1p(x) + I(x ** 2) + bs(z, df=4) : Q('a column')",
            "`my column` ~ center(x) + (a | b)",
            "y ~ x > 3",
        ] {
            assert!(is_plain(honest), "{honest}");
        }
    }

    #[test]
    fn anything_else_is_not_plain() {
        for hostile in [
            "y ~ os.getenv('x')",
            "y ~ (lambda: 1)()",
            "y ~ [f for f in x]",
            "y ~ x.__class__",
            "y ~ I(x)(1)",
            "y ~ I(x).y(1)",
            "y ~ helper(x)",
            "y ~ np.load('x')",
            "y ~ np.lib.npyio.load('x')",
            "y ~ f'{x}'",
            "y ~ 'x",
            "y ~ \"a'\" + open ('b')",
        ] {
            assert!(!is_plain(hostile), "{hostile}");
        }
    }
}
