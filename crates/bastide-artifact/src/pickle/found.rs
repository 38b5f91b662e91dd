//! What is found of a global by its standing: imported, called, or called with telling arguments.

use super::arguments;
use super::danger::Family;
use super::hostile;
use super::machine::{Call, Global, State};
use super::names::{Entry, Standing, Use, is_standard};
use super::render::printable;
use super::rules;
use bastide_types::{Assessment, Rule};

/// A global's name for a message.
pub(super) fn quoted(global: &Global) -> String {
    format!("`{}.{}`", printable(&global.module), printable(&global.name))
}

/// What a global that is imported and not called is found as.
pub(super) fn imported(standing: Standing) -> Option<(&'static Rule, &'static str)> {
    Some(match standing {
        Standing::Allowed(_) => return None,
        Standing::Dangerous(family) => (family.rule(), family.does_if_called()),
        Standing::Class | Standing::StandardClass | Standing::Reaching(_) => {
            (&rules::UNKNOWN_CLASS, "a class that is not known")
        }
        Standing::StandardFunction => (&rules::STDLIB, "a function that no model needs"),
        Standing::PureFunction | Standing::LibraryFunction | Standing::Function => {
            (&rules::UNKNOWN_FUNCTION, "a function that is not known")
        }
    })
}

/// What the arguments tell of a call of something that is not known.
pub(super) fn hostile(state: &State<'_>, call: &Call<'_>, standing: Standing) -> Option<Family> {
    match standing {
        _ if arguments::is_made(call) => None,
        Standing::Class | Standing::StandardClass => hostile::family(state, call, true),
        Standing::Function => hostile::family(state, call, false),
        _ => None,
    }
}

/// What a call of a global is found as.
pub(super) fn calling(standing: Standing, module: &str) -> (&'static Rule, &'static str) {
    match standing {
        Standing::Dangerous(family) => (family.rule(), family.does()),
        Standing::Reaching(family) => (family.rule(), "is made by a constructor that reaches out"),
        Standing::Class | Standing::StandardClass => (&rules::UNKNOWN_CLASS, "is a class that is not known"),
        Standing::StandardFunction | Standing::PureFunction => {
            (&rules::STDLIB, "is called, a function that no model needs")
        }
        Standing::LibraryFunction => (&rules::LIBRARY, "is called, a function that no pickler writes"),
        Standing::Function => (&rules::UNKNOWN_FUNCTION, "is called, a function that is not known"),
        // It may be referred to only.
        Standing::Allowed(_) => match is_standard(module) {
            true => (&rules::STDLIB, "is called, which no pickler writes"),
            false => (&rules::LIBRARY, "is called, which no pickler writes"),
        },
    }
}

/// The worst that is found of a global by its name alone, for quick searches.
pub(super) fn worst_of(standing: Standing, called: bool) -> Assessment {
    if called {
        match standing {
            Standing::Allowed(Entry { usage: Use::Class | Use::Call, .. }) => Assessment::Clean,
            other => calling(other, "").0.effect,
        }
    } else {
        imported(standing).map_or(Assessment::Clean, |(rule, _)| rule.effect)
    }
}
