//! What may be imported, and what an import reaches.

use super::attributes::is_harmless;
use super::danger::Family;
use super::tables::{ANYWHERE, Tables, Wildcard, tables};

/// What a global on the allow list may be used for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Use {
    /// A class: it may be made in any way and given a state.
    Class,
    /// A function that may be called.
    Call,
    /// A function or constant that may be referred to.
    Value,
}

/// What must hold of a call of an allowed global.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Condition {
    /// The first argument is a class, which the call makes an object of: it is judged in its stead.
    Construct,
    /// The first argument, if any, is nothing to call, or an allowed global without conditions of its own.
    Callable,
    /// No argument can be called.
    Data,
    /// There is one argument, and it cannot be called.
    One,
    /// The first argument is a byte string with a file in it, which is scanned.
    Nested,
    /// The second argument names a codec that only encodes.
    Codec,
    /// The first argument is an allowed class or an object of one, the second a public name.
    Getattr,
    /// All arguments are public names.
    Names,
    /// The first argument is a public name, the others are data.
    Method,
    /// The first argument is called with the elements of another: that call is judged, too.
    Apply {
        /// Which one.
        args: usize,
    },
    /// The first argument is a module of numpy or scipy, the second a public name.
    Ufunc,
    /// Integers are sizes of what is made.
    Sizes,
    /// The arguments are data or iterators of the language.
    Iterators,
    /// A text is a fraction, and no power of ten that it takes for ever to write out.
    Fraction,
    /// What it is given to call or make is of its own package.
    Own,
    /// The arguments are the source of a module, which is run.
    Traced,
    /// Texts are names or numbers; others are evaluated.
    Symbolic,
    /// `List[int]`: the first argument is a class or a name of typing.
    Subscript,
    /// `int | None`: the first argument is `operator.or_`.
    Union,
    /// The argument is a buffer whose bytes were scanned.
    Buffer,
    /// Picklers make it without its constructor, which opens what texts name.
    Bare,
    /// It is allowed by its spelling alone: picklers give its constructor nothing but numbers.
    Spelled,
    /// The argument names a type, which is judged as an import.
    Lookup,
    /// The first argument names a class and the third its module, which are judged as an import; the others are data.
    Record,
    /// It makes a class, or fills one that was made so.
    Defines,
    /// The second argument is `__qualname__` or the like, the third a text.
    Labels,
    /// The text that is evaluated is the name of a singleton, or a range.
    Repr,
    /// The first argument is an allowed class, the second a public name.
    Member,
    /// The first argument is called with the second, and what it gives has the third for its state.
    Rebuild,
    /// The first argument is `functools.partial`, the second what it binds.
    Binds,
    /// No argument is anything to call but an allowed global without conditions of its own.
    Wraps,
    /// All arguments but the first are data.
    Held,
}

impl Condition {
    pub(super) fn parse(word: &str) -> Option<Self> {
        Some(match word {
            "construct" => Condition::Construct,
            "callable" => Condition::Callable,
            "data" => Condition::Data,
            "one" => Condition::One,
            "nested" => Condition::Nested,
            "codec" => Condition::Codec,
            "getattr" => Condition::Getattr,
            "names" => Condition::Names,
            "method" => Condition::Method,
            "apply" => Condition::Apply { args: 2 },
            "apply-next" => Condition::Apply { args: 1 },
            "ufunc" => Condition::Ufunc,
            "sizes" => Condition::Sizes,
            "iterators" => Condition::Iterators,
            "fraction" => Condition::Fraction,
            "own" => Condition::Own,
            "traced" => Condition::Traced,
            "symbolic" => Condition::Symbolic,
            "subscript" => Condition::Subscript,
            "union" => Condition::Union,
            "buffer" => Condition::Buffer,
            "bare" => Condition::Bare,
            "lookup" => Condition::Lookup,
            "record" => Condition::Record,
            "defines" => Condition::Defines,
            "labels" => Condition::Labels,
            "repr" => Condition::Repr,
            "member" => Condition::Member,
            "rebuild" => Condition::Rebuild,
            "binds" => Condition::Binds,
            "wraps" => Condition::Wraps,
            "held" => Condition::Held,
            _ => return None,
        })
    }
}

impl Condition {
    /// What functions of this name ask, unless their line says otherwise: Cython's and its like make their first
    /// argument.
    pub(super) fn usual(name: &str) -> Option<Self> {
        (name.starts_with("__pyx_unpickle_") || name.starts_with("newObj")).then_some(Condition::Construct)
    }
}

/// One line of the allow list.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Entry {
    pub(super) usage: Use,
    pub(super) condition: Option<Condition>,
}

/// What an import is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Standing {
    /// On the allow list.
    Allowed(Entry),
    /// It reaches what no model needs.
    Dangerous(Family),
    /// A class on no allow list, whose constructor reaches what no model needs.
    Reaching(Family),
    /// A class of a package that is not known to be harmless.
    Class,
    /// A class of the standard library that is not on the list.
    StandardClass,
    /// A function of the standard library that only computes.
    PureFunction,
    /// Any other function of the standard library.
    StandardFunction,
    /// A function of a known package that no pickler writes.
    LibraryFunction,
    /// A function of a package that is not known.
    Function,
}

/// What importing `name` from `module` means.
pub(super) fn standing(module: &str, name: &str) -> Standing {
    let tables = tables();
    let written = (module, name);
    let (module, name) = canonical(tables, module, name);
    if let Some(entry) = tables.allowed.get(&(module, name)).or_else(|| tables.allowed.get(&written)) {
        return Standing::Allowed(*entry);
    }
    if is_keras_loader(module, name) {
        return Standing::Allowed(Entry { usage: Use::Call, condition: Some(Condition::Buffer) });
    }
    if let Some(family) = dangerous(tables, module, name) {
        return Standing::Dangerous(family);
    }
    if name.split('.').any(|part| part.starts_with("__") && part.ends_with("__")) {
        return Standing::Dangerous(Family::Resolver);
    }
    if let Some(family) = through_module(tables, name) {
        return Standing::Dangerous(family);
    }
    // No qualified name begins with a module: `np.load` of a module that imports numpy under this name.
    if let Some((first, rest)) = name.split_once('.')
        && !is_class(first)
        && !rest.rsplit('.').next().is_none_or(is_harmless)
    {
        return Standing::Dangerous(Family::Resolver);
    }
    let class = name.split('.').all(is_class);
    let reaching = tables.constructors.get(&(module, name)).copied();
    if class
        && !tables.denied.contains(&written)
        && let Some(card) = by_spelling(tables, module, name)
    {
        return match name.rsplit('.').next().and_then(|last| tables.dangerous.get(&(ANYWHERE, last))) {
            Some(&family) => Standing::Dangerous(family),
            None => Standing::Allowed(Entry {
                usage: Use::Class,
                condition: card.condition.or(Some(match reaching {
                    Some(_) => Condition::Bare,
                    None => Condition::Spelled,
                })),
            }),
        };
    }
    if let Some(family) = reaching {
        return Standing::Reaching(family);
    }
    let package = module.split('.').next().unwrap_or(module);
    if tables.standard.contains(package) {
        return match class {
            true => Standing::StandardClass,
            false if tables.pure.contains(package) && !name.contains('.') => Standing::PureFunction,
            false => Standing::StandardFunction,
        };
    }
    match class {
        true => Standing::Class,
        // Cython writes these for its classes: they make their first argument and set its fields.
        false if name.starts_with("__pyx_unpickle_") && tables.packages.contains(package) => {
            Standing::Allowed(Entry { usage: Use::Call, condition: Condition::usual(name) })
        }
        false if tables.packages.contains(package) => Standing::LibraryFunction,
        false => Standing::Function,
    }
}

/// What `KerasSaveable.__reduce__` writes for every layer, optimizer and model: it reads the archive in a buffer.
fn is_keras_loader(module: &str, name: &str) -> bool {
    module.split('.').next() == Some("keras")
        && matches!(name.split_once('.'), Some((class, "_unpickle_model")) if is_class(class))
}

/// What allows a class by its spelling: the line of the nearest package.
fn by_spelling<'t>(tables: &'t Tables, module: &str, name: &str) -> Option<&'t Wildcard> {
    ancestors(module).find_map(|above| {
        let cards = tables.classes.get(above).map(Vec::as_slice).unwrap_or_default();
        cards.iter().find(|card| (card.below || above == module) && name.ends_with(card.suffix))
    })
}

/// Whether a module is of Python itself.
pub(super) fn is_standard(module: &str) -> bool {
    tables().standard.contains(module.split('.').next().unwrap_or(module))
}

/// The names of today for those of Python 2 and of the modules behind others.
///
/// Line ends of other systems do not belong to a name.
fn canonical<'n>(tables: &'n Tables, module: &'n str, name: &'n str) -> (&'n str, &'n str) {
    let (module, name) = (module.trim(), name.trim());
    if let Some(&(module, name)) = tables.names.get(&(module, name)) {
        return (module, name);
    }
    (tables.modules.get(module).copied().unwrap_or(module), name)
}

/// The name that a module has today.
pub(super) fn home(module: &str) -> &str {
    let module = module.trim();
    tables().modules.get(module).copied().unwrap_or(module)
}

/// A module and all above it, the nearest first.
fn ancestors(module: &str) -> impl Iterator<Item = &str> {
    std::iter::successors(Some(module), |at| at.rsplit_once('.').map(|(above, _)| above))
}

fn dangerous(tables: &Tables, module: &str, name: &str) -> Option<Family> {
    let first = name.split('.').next().unwrap_or(name);
    let named = |name| tables.dangerous.get(&(module, name));
    if let Some(&family) = named(name).or_else(|| named(first)) {
        return Some(family);
    }
    // A module may be taken as an attribute of the one above: `numpy` and `f2py.crackfortran.x`.
    let path = format!("{module}.{name}");
    let parents = ancestors(path.rsplit_once('.').map_or(module, |(above, _)| above));
    parents.map(|above| tables.dangerous.get(&(above, "*")).copied()).find_map(|found| found)
}

/// What a dotted name reaches through a module that its own module imports: `torch.serialization` and `os.system`.
fn through_module(tables: &Tables, name: &str) -> Option<Family> {
    /// Modules that are no one's function or attribute, so that the name alone is enough.
    const MODULES: [&str; 14] = [
        "builtins",
        "ctypes",
        "importlib",
        "marshal",
        "nt",
        "os",
        "pickle",
        "posix",
        "pty",
        "runpy",
        "shutil",
        "socket",
        "subprocess",
        "sys",
    ];
    let mut rest = name;
    loop {
        let (first, after) = rest.split_once('.').unwrap_or((rest, ""));
        let module = canonical(tables, first, "").0;
        let module_like = first.starts_with(|c: char| c.is_lowercase() || c == '_')
            && (tables.standard.contains(first) || tables.packages.contains(first));
        let family = match after {
            "" => MODULES.contains(&first).then_some(Family::Resolver),
            after if module_like => dangerous(tables, module, after),
            _ => None,
        };
        if family.is_some() || after.is_empty() {
            return family;
        }
        rest = after;
    }
}

/// Whether a name is spelled as classes are.
fn is_class(name: &str) -> bool {
    name.trim_start_matches('_').starts_with(char::is_uppercase)
}

#[cfg(test)]
mod tests {
    use super::super::lists::ALLOWED;
    use super::super::tables::{ALIASES, CONSTRUCTORS, DANGEROUS, METHODS, lines};
    use super::*;

    #[test]
    fn every_line_of_the_allow_list_is_understood() {
        for (number, mut words) in ALLOWED.iter().copied().flat_map(lines).enumerate() {
            let Some(module) = words.next() else { continue };
            let name = words.next().unwrap_or_else(|| panic!("{number}: {module} without a name"));
            if module == "!" {
                assert_eq!(words.count(), 1);
                continue;
            }
            let usage = words.next().unwrap_or_default();
            assert!(matches!(usage, "class" | "call" | "value"), "{module} {name}: {usage}");
            if let Some(word) = words.next() {
                assert!(Condition::parse(word).is_some(), "{module} {name}: {word}");
            }
            assert!(words.next().is_none(), "{module} {name}: more than four words");
        }
    }

    #[test]
    fn every_line_of_the_other_tables_is_understood() {
        for mut words in [DANGEROUS, CONSTRUCTORS, METHODS].into_iter().flat_map(lines) {
            let Some(family) = words.next() else { continue };
            assert!(Family::parse(family).is_some(), "{family}");
            assert!(words.count() >= 2, "{family}: a module and names");
        }
        for words in lines(ALIASES) {
            assert!(matches!(words.count(), 0 | 2));
        }
    }

    #[test]
    fn names_are_judged_as_a_whole_and_under_every_spelling() {
        let allowed = |module, name| matches!(standing(module, name), Standing::Allowed(_));
        assert!(allowed("collections", "OrderedDict"));
        assert!(allowed("__builtin__", "set") && allowed("copy_reg", "_reconstructor"));
        assert!(allowed("numpy.core.multiarray", "_reconstruct"));
        assert!(allowed("sklearn.tree.tree", "DecisionTreeClassifier"));
        assert!(!allowed("collections", "OrderedDict.__init__.__globals__"));
        assert_eq!(standing("numpy", "f2py.crackfortran.getlincoef"), standing("numpy.f2py", "x.y"));
        for (module, name) in
            [("posix", "system"), ("os", "path.join"), ("os.path", "exists"), ("asyncio.unix_events", "x")]
        {
            assert!(matches!(standing(module, name), Standing::Dangerous(_)), "{module} {name}");
        }
    }

    #[test]
    fn what_is_on_no_list_is_told_apart_by_its_package() {
        assert_eq!(standing("sndhdr", "what"), Standing::StandardFunction);
        assert_eq!(standing("statistics", "harmonic_mean"), Standing::PureFunction);
        assert_eq!(standing("pandas", "set_option"), Standing::LibraryFunction);
        assert_eq!(standing("my.models", "helper"), Standing::Function);
        assert_eq!(standing("my.models", "Net"), Standing::Class);
    }
}
