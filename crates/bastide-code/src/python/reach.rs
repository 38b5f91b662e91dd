//! What importing a file runs: what stands at its top, and the functions and classes that are used there.

use std::collections::{HashMap, HashSet};

use crate::python::reader::{Reader, Scope};
use crate::python::role::Role;

/// Functions and classes of one text, by how they are used.
#[derive(Default)]
pub(crate) struct Reach {
    /// Called when the file is imported.
    called: HashSet<String>,
    /// Named there, so that whoever gets it may call it.
    named: HashSet<String>,
    /// Those that each function names, and whether it calls them.
    uses: HashMap<String, Vec<(String, bool)>>,
}

impl Reach {
    /// The most that are kept of each; a text that has more was made by a program.
    const MANY: usize = 100_000;

    /// Adds what is used by what is used, once the whole text was seen.
    pub(crate) fn close(&mut self) {
        let mut next: Vec<(String, bool)> = self.called.drain().map(|name| (name, true)).collect();
        next.extend(self.named.drain().map(|name| (name, false)));
        while let Some((name, called)) = next.pop() {
            let new = match called {
                true => self.called.insert(name.clone()),
                false => self.named.insert(name.clone()),
            };
            if new && let Some(uses) = self.uses.get(&name) {
                next.extend(uses.iter().map(|(used, calls)| (used.clone(), called && *calls)));
            }
        }
    }

    fn note(&mut self, name: &str, called: bool) {
        let all = if called { &mut self.called } else { &mut self.named };
        if all.len() < Self::MANY && !all.contains(name) {
            all.insert(name.to_owned());
        }
    }

    fn used(&mut self, by: &str, name: &str, called: bool) {
        const EACH: usize = 256;
        let many = self.uses.len() >= Self::MANY;
        match self.uses.get_mut(by) {
            Some(all) if all.len() < EACH => all.push((name.to_owned(), called)),
            None if !many => drop(self.uses.insert(by.to_owned(), vec![(name.to_owned(), called)])),
            _ => {}
        }
    }
}

impl Reader<'_, '_, '_> {
    /// Whether importing the file runs what stands here: at its top, in the body of a class, or in a function that is
    /// called there. In the file of a model it counts, too, that a function is handed on, and that a class is used whose
    /// operator this is.
    pub(crate) fn runs_on_import(&self) -> bool {
        let loader = self.role() == Role::Loader;
        let used = |name: &str| {
            let Reach { called, named, .. } = &self.names.reach;
            called.contains(name) || loader && named.contains(name)
        };
        let mut class = "";
        self.scopes.iter().enumerate().all(|(at, scope)| match scope {
            Scope::Class(inner) => {
                class = &inner.name;
                true
            }
            // Defaults and annotations belong to what is around the function.
            Scope::Function(..) if matches!(self.scopes.get(at + 1), Some(Scope::Head)) => true,
            Scope::Function(name, _) if class.is_empty() => {
                used(name) || loader && matches!(name.as_str(), "" | "__dir__" | "__getattr__")
            }
            Scope::Function(name, _) => {
                makes_class(name)
                    || used(name)
                    || makes_object(name) && used(class)
                    || loader && (name.is_empty() || used(class) && is_special(name))
                    || loader && self.names.reach.called.contains(class)
            }
            Scope::Else | Scope::Head => true,
            Scope::Main => false,
        })
    }

    /// Comes to the name of a function or class of this text, which is called there or only named.
    pub(crate) fn uses(&mut self, name: &str, called: bool) {
        let own = matches!(self.scopes.last(), Some(Scope::Class(class)) if class.name == name);
        if own || !self.spend(self.scopes.len() / 8) {
            return;
        }
        if self.runs_on_import() {
            // What calls its own `main` is a script, whether or not it asks how it was started.
            if called && name == "main" {
                self.names.facts.insert("script");
            }
            return self.names.reach.note(name, called && name != "main");
        }
        let mut inner = self.scopes.iter().rev();
        let function = inner.find_map(|scope| match scope {
            Scope::Function(name, _) => Some(name.clone()),
            _ => None,
        });
        let Some(function) = function.filter(|function| function != name) else { return };
        let class = inner.find_map(|scope| match scope {
            Scope::Class(class) if makes_object(&function) => Some(class.name.clone()),
            _ => None,
        });
        self.names.reach.used(&function, name, called);
        if let Some(class) = class {
            self.names.reach.used(&class, name, called);
        }
    }

    /// Comes to `object.name` of an object of this text: a property is a call.
    pub(crate) fn reads(&mut self, name: &str) {
        if self.spend(self.scopes.len() / 8) && self.runs_on_import() {
            self.names.reach.note(name, false);
        }
    }

    /// Whether what stands here is in a function that this text never calls.
    pub(crate) fn is_tool(&self) -> bool {
        let outermost = self.scopes.iter().find_map(|scope| match scope {
            Scope::Function(name, _) => Some(name),
            _ => None,
        });
        self.role() != Role::Loader
            && outermost.is_some_and(|name| !self.names.is_called(name) && !self.runs_on_import())
    }

    /// The innermost function around, if Python calls it for an operator or a look-up on an object: nobody who means a
    /// command writes `x + y`.
    pub(crate) fn operator(&self) -> Option<&str> {
        const PLAIN: &[&str] =
            &["__call__", "__del__", "__enter__", "__exit__", "__init__", "__new__", "__post_init__"];
        let innermost = self.scopes.iter().rev().find_map(|scope| match scope {
            Scope::Function(name, _) => Some(name.as_str()),
            _ => None,
        });
        innermost.filter(|name| is_special(name) && !PLAIN.contains(name))
    }
}

/// Whether Python calls a method of that name by itself.
fn is_special(name: &str) -> bool {
    name.len() > 4 && name.starts_with("__") && name.ends_with("__")
}

/// Whether Python calls a method of that name when it makes a class.
fn makes_class(name: &str) -> bool {
    matches!(name, "__init_subclass__" | "__prepare__" | "__set_name__")
}

/// Whether Python calls a method of that name when it makes an object.
fn makes_object(name: &str) -> bool {
    matches!(name, "__init__" | "__new__" | "__post_init__")
}
