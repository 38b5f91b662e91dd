//! The embedded tables: what may be imported, and what an import reaches.

use std::collections::{HashMap, HashSet};
use std::sync::OnceLock;

use super::danger::Family;
use super::lists::ALLOWED;

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
    /// The argument is a buffer whose bytes were scanned.
    Buffer,
    /// Picklers make it without its constructor, which opens what texts name.
    Bare,
}

impl Condition {
    fn parse(word: &str) -> Option<Self> {
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
            "buffer" => Condition::Buffer,
            "bare" => Condition::Bare,
            _ => return None,
        })
    }
}

impl Condition {
    /// What functions of this name ask, unless their line says otherwise: Cython's and its like make their first
    /// argument.
    fn usual(name: &str) -> Option<Self> {
        (name.starts_with("__pyx_unpickle_") || name.starts_with("newObj")).then_some(Condition::Construct)
    }
}

/// One line of the allow list.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Entry {
    pub(super) usage: Use,
    pub(super) condition: Option<Condition>,
}

const DANGEROUS: &str = include_str!("globals/dangerous.list");
const ALIASES: &str = include_str!("globals/aliases.list");
const STANDARD: &str = include_str!("globals/standard.list");
const PACKAGES: &str = include_str!("globals/packages.list");

type Name = (&'static str, &'static str);

struct Tables {
    allowed: HashMap<Name, Entry>,
    /// Modules whose classes are allowed.
    classes: HashMap<&'static str, Vec<Wildcard>>,
    denied: HashSet<Name>,
    dangerous: HashMap<Name, Family>,
    modules: HashMap<&'static str, &'static str>,
    names: HashMap<Name, Name>,
    standard: HashSet<&'static str>,
    /// Modules of the standard library that only compute.
    pure: HashSet<&'static str>,
    packages: HashSet<&'static str>,
}

fn tables() -> &'static Tables {
    static TABLES: OnceLock<Tables> = OnceLock::new();
    TABLES.get_or_init(Tables::read)
}

/// Classes allowed by the spelling of their names.
#[derive(Clone, Copy, Debug)]
struct Wildcard {
    /// Whether modules below count, too.
    below: bool,
    suffix: &'static str,
    condition: Option<Condition>,
}

/// Stands for any module in the table of what is dangerous: names that modules have from elsewhere.
const ANYWHERE: &str = "*";

/// The lines of a table, split into words.
fn lines(text: &'static str) -> impl Iterator<Item = std::str::SplitAsciiWhitespace<'static>> {
    text.lines().filter(|line| !line.starts_with('#')).map(str::split_ascii_whitespace)
}

impl Tables {
    fn read() -> Self {
        let mut tables = Tables {
            allowed: HashMap::with_capacity(1 << 13),
            classes: HashMap::new(),
            denied: HashSet::new(),
            dangerous: HashMap::with_capacity(512),
            modules: HashMap::new(),
            names: HashMap::new(),
            standard: HashSet::with_capacity(1024),
            pure: HashSet::new(),
            packages: HashSet::with_capacity(512),
        };
        for mut words in ALLOWED.iter().copied().flat_map(lines) {
            let (Some(module), Some(name), Some(usage)) = (words.next(), words.next(), words.next()) else {
                continue;
            };
            if module == "!" {
                tables.denied.insert((name, usage));
            } else if let Some(suffix) = name.strip_prefix('*') {
                let (module, below) = match module.strip_suffix(".**") {
                    Some(above) => (above, true),
                    None => (module, false),
                };
                let condition = words.next().and_then(Condition::parse);
                tables.classes.entry(module).or_default().push(Wildcard { below, suffix, condition });
            } else {
                let condition = words.next().and_then(Condition::parse).or_else(|| Condition::usual(name));
                let usage = match usage {
                    "class" => Use::Class,
                    "call" => Use::Call,
                    _ => Use::Value,
                };
                if !tables.denied.contains(&(module, name)) {
                    tables.allowed.entry((module, name)).or_insert(Entry { usage, condition });
                }
            }
        }
        for mut words in lines(DANGEROUS) {
            let Some(family) = words.next().and_then(Family::parse) else { continue };
            let Some(module) = words.next() else { continue };
            for name in words {
                tables.dangerous.insert((module, name), family);
            }
        }
        for mut words in lines(ALIASES) {
            let (Some(old), Some(new)) = (words.next(), words.next()) else { continue };
            match (old.split_once(':'), new.split_once(':')) {
                (Some(old), Some(new)) => {
                    tables.names.insert(old, new);
                }
                _ => {
                    tables.modules.insert(old, new);
                }
            }
        }
        for module in lines(STANDARD).flatten() {
            match module.strip_prefix('+') {
                Some(module) => {
                    tables.pure.insert(module);
                    tables.standard.insert(module);
                }
                None => {
                    tables.standard.insert(module);
                }
            }
        }
        tables.packages.extend(lines(PACKAGES).flatten());
        tables
    }
}

/// What an import is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Standing {
    /// On the allow list.
    Allowed(Entry),
    /// It reaches what no model needs.
    Dangerous(Family),
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
    if let Some(family) = dangerous(tables, module, name) {
        return Standing::Dangerous(family);
    }
    if name.split('.').any(|part| part.starts_with("__") && part.ends_with("__")) {
        return Standing::Dangerous(Family::Resolver);
    }
    let class = name.split('.').all(is_class);
    if class
        && !tables.denied.contains(&written)
        && let Some(card) = by_spelling(tables, module, name)
    {
        return match name.rsplit('.').next().and_then(|last| tables.dangerous.get(&(ANYWHERE, last))) {
            Some(&family) => Standing::Dangerous(family),
            None => Standing::Allowed(Entry { usage: Use::Class, condition: card.condition }),
        };
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
        false if tables.packages.contains(package) => Standing::LibraryFunction,
        false => Standing::Function,
    }
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
fn canonical<'n>(tables: &'n Tables, module: &'n str, name: &'n str) -> (&'n str, &'n str) {
    if let Some(&(module, name)) = tables.names.get(&(module, name)) {
        return (module, name);
    }
    (tables.modules.get(module).copied().unwrap_or(module), name)
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

/// Whether a name is spelled as classes are.
fn is_class(name: &str) -> bool {
    name.trim_start_matches('_').starts_with(char::is_uppercase)
}

#[cfg(test)]
mod tests {
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
        for mut words in lines(DANGEROUS) {
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
            [("posix", "system"), ("os", "path.join"), ("os.path", "join"), ("asyncio.unix_events", "x")]
        {
            assert!(matches!(standing(module, name), Standing::Dangerous(_)), "{module} {name}");
        }
    }

    #[test]
    fn what_is_on_no_list_is_told_apart_by_its_package() {
        assert_eq!(standing("sndhdr", "what"), Standing::StandardFunction);
        assert_eq!(standing("statistics", "mean"), Standing::PureFunction);
        assert_eq!(standing("pandas", "merge"), Standing::LibraryFunction);
        assert_eq!(standing("my.models", "helper"), Standing::Function);
        assert_eq!(standing("my.models", "Net"), Standing::Class);
    }
}
