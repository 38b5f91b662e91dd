//! What the pickle family looks for.

use bastide_types::{Assessment, Rule, Severity};

const LOADING: &[&str] = &["AML.T0010.003", "AML.T0011.000"];

/// A malicious call or import: all of these differ in what is reached.
const fn reach(id: &'static str, title: &'static str, why: &'static str, cwe: &'static [u16]) -> Rule {
    Rule {
        id,
        severity: Severity::Critical,
        effect: Assessment::Malicious,
        title,
        why,
        fix: "do not load the file; take the weights from a source that publishes them without code, such as safetensors",
        cwe,
        atlas: LOADING,
    }
}

pub(super) const EXECUTION: Rule = reach(
    "pickle.execution",
    "runs code when loaded",
    "a pickle calls what it names; this one names something that runs whatever it is given",
    &[502, 94],
);
pub(super) const PROCESS: Rule = reach(
    "pickle.process",
    "starts or controls programs when loaded",
    "the call hands a command to the operating system or changes the running process",
    &[502, 78],
);
pub(super) const FILE: Rule = reach(
    "pickle.file",
    "reaches files when loaded",
    "what is read can be sent away, and what is written can be a program",
    &[502, 73],
);
pub(super) const NETWORK: Rule = reach(
    "pickle.network",
    "reaches the network when loaded",
    "the call can send secrets away, fetch code, or reach services inside the network",
    &[502, 918],
);
pub(super) const CODE: Rule = reach(
    "pickle.code-object",
    "carries compiled code",
    "functions and classes shipped as byte code run with the rights of whoever loads the file, unseen",
    &[502, 94],
);
pub(super) const NATIVE: Rule = reach(
    "pickle.native",
    "reaches native code when loaded",
    "foreign functions, shared libraries and raw memory are beyond every check of the language",
    &[502, 114],
);
pub(super) const RESOLVER: Rule = reach(
    "pickle.resolver",
    "looks up what it calls while it is loaded",
    "through attribute and import functions a pickle reaches everything without naming it",
    &[502, 470],
);
pub(super) const DESERIALISER: Rule = reach(
    "pickle.deserialiser",
    "loads another object file when loaded",
    "the inner file is as powerful as this one and hides from scanners",
    &[502],
);
pub(super) const COMPUTED: Rule = reach(
    "pickle.computed",
    "calls something that is only known while loading",
    "names and callables that are computed cannot come from an honest pickler; they hide what is called",
    &[502, 470],
);
pub(super) const STDLIB: Rule = reach(
    "pickle.stdlib",
    "calls a function of Python's library that no model needs",
    "hundreds of functions of the standard library run code or reach files and network on the way",
    &[502],
);
pub(super) const LIBRARY: Rule = reach(
    "pickle.library",
    "calls a library function that no pickler writes",
    "loading an object takes a few known functions of its library; any other is there for what it does",
    &[502],
);
pub(super) const PATCH: Rule = reach(
    "pickle.patch",
    "changes a class, function or module of the program",
    "what is put there runs later, when the program uses its own libraries",
    &[502, 915],
);
pub(super) const CARRIED: Rule = reach(
    "pickle.carried",
    "carries a pickle as text",
    "programs that keep objects in texts load them as pickles; this one reaches what no model needs",
    &[502],
);
pub(super) const EXTENSION: Rule = reach(
    "pickle.extension",
    "takes objects from the process's extension registry",
    "what a code stands for depends on the program that loads the file; no public library registers any",
    &[502],
);

pub(super) const PLAN_FUNCTION: Rule = reach(
    "pickle.plan-function",
    "carries a query plan that runs Python",
    "polars unpickles the functions of a plan while it reads it, and runs them with the query",
    &[502, 94],
);

pub(super) const BOMB: Rule = Rule {
    id: "pickle.bomb",
    severity: Severity::High,
    effect: Assessment::Malicious,
    title: "exhausts memory or time when loaded",
    why: "a few bytes stand for more than a machine can hold or count",
    fix: "do not load the file",
    cwe: &[409, 400],
    atlas: &["AML.T0029"],
};

pub(super) const FRAMES: Rule = Rule {
    id: "pickle.frames",
    severity: Severity::High,
    effect: Assessment::Malicious,
    title: "means different things to different unpicklers",
    why: "Python's two unpicklers disagree about frames that no pickler writes; scanners are led astray this way",
    fix: "do not load the file; ask for one that an unmodified library wrote",
    cwe: &[436],
    atlas: LOADING,
};

const fn unsure(id: &'static str, title: &'static str, why: &'static str, fix: &'static str) -> Rule {
    Rule {
        id,
        severity: Severity::Medium,
        effect: Assessment::Review,
        title,
        why,
        fix,
        cwe: &[502],
        atlas: LOADING,
    }
}

pub(super) const UNKNOWN_CLASS: Rule = unsure(
    "pickle.unknown-class",
    "makes objects of a class that is not known",
    "loading imports the class's module and may run its methods; what they do is not in the file",
    "see what the class does when it is made and given its state, then accept the finding for this file",
);
pub(super) const UNKNOWN_FUNCTION: Rule = unsure(
    "pickle.unknown-function",
    "calls or names a function that is not known",
    "loading imports its module and runs the function; what it does is not in the file",
    "see what the function does with these arguments, then accept the finding for this file",
);
pub(super) const ARGUMENTS: Rule = unsure(
    "pickle.arguments",
    "calls a known function with arguments that cannot be followed",
    "the function is harmless with the arguments that picklers give it, and not with others",
    "ask for a file that an unmodified library wrote",
);
pub(super) const TRACED: Rule = unsure(
    "pickle.traced",
    "carries source code that runs when it is loaded",
    "a traced module is written as its source, which loading runs; here it names nothing that reaches out",
    "load the file only with its publisher's word, or save the module's weights alone",
);
pub(super) const PLAN: Rule = unsure(
    "pickle.plan",
    "carries a query plan",
    "reading a plan of polars unpickles the functions in it, and running it reads the files that it names",
    "collect the query and keep its data, as Parquet for instance",
);
pub(super) const PERSISTENT: Rule = unsure(
    "pickle.persistent",
    "asks its loader for an object by a persistent id",
    "only the program that loads the file knows what the id stands for",
    "load the file only with the library it was made for",
);
pub(super) const TRAILING: Rule = unsure(
    "pickle.trailing",
    "bytes follow the last pickle",
    "no loader of this format reads them; they may be meant for another one",
    "ask the publisher what they are",
);
pub(super) const COMPANION: Rule = unsure(
    "pickle.companion",
    "reads a second file beside it",
    "arrays of joblib before 0.10 lie in files of their own, which are loaded as pickles if they say so",
    "scan the folder as a whole, or save the model again with a current joblib",
);

pub(crate) const RULES: &[&Rule] = &[
    &EXECUTION,
    &PROCESS,
    &FILE,
    &NETWORK,
    &CODE,
    &NATIVE,
    &RESOLVER,
    &DESERIALISER,
    &COMPUTED,
    &STDLIB,
    &LIBRARY,
    &PATCH,
    &CARRIED,
    &EXTENSION,
    &PLAN_FUNCTION,
    &BOMB,
    &FRAMES,
    &UNKNOWN_CLASS,
    &UNKNOWN_FUNCTION,
    &ARGUMENTS,
    &TRACED,
    &PLAN,
    &PERSISTENT,
    &TRAILING,
    &COMPANION,
];
