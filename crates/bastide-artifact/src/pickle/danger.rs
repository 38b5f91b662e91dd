//! Families of what a pickle must not reach.

use bastide_types::Rule;

use super::rules;

/// What an import reaches.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Family {
    Execution,
    Process,
    File,
    Network,
    Code,
    Native,
    Resolver,
    Deserialiser,
}

impl Family {
    /// The family by its name in the table.
    pub(super) fn parse(word: &str) -> Option<Self> {
        Some(match word {
            "execution" => Family::Execution,
            "process" => Family::Process,
            "file" => Family::File,
            "network" => Family::Network,
            "code" => Family::Code,
            "native" => Family::Native,
            "resolver" => Family::Resolver,
            "deserialiser" => Family::Deserialiser,
            _ => return None,
        })
    }

    pub(super) fn rule(self) -> &'static Rule {
        match self {
            Family::Execution => &rules::EXECUTION,
            Family::Process => &rules::PROCESS,
            Family::File => &rules::FILE,
            Family::Network => &rules::NETWORK,
            Family::Code => &rules::CODE,
            Family::Native => &rules::NATIVE,
            Family::Resolver => &rules::RESOLVER,
            Family::Deserialiser => &rules::DESERIALISER,
        }
    }

    /// What it does, as the end of a sentence.
    pub(super) fn does(self) -> &'static str {
        match self {
            Family::Execution => "runs code",
            Family::Process => "starts programs or changes the process",
            Family::File => "reaches files",
            Family::Network => "reaches the network",
            Family::Code => "makes code objects",
            Family::Native => "reaches native code or raw memory",
            Family::Resolver => "looks up anything by name",
            Family::Deserialiser => "loads other object files",
        }
    }
    /// The same for what is only imported.
    pub(super) fn does_if_called(self) -> &'static str {
        match self {
            Family::Execution => "which runs code",
            Family::Process => "which starts programs or changes the process",
            Family::File => "which reaches files",
            Family::Network => "which reaches the network",
            Family::Code => "which makes code objects",
            Family::Native => "which reaches native code or raw memory",
            Family::Resolver => "which looks up anything by name",
            Family::Deserialiser => "which loads other object files",
        }
    }
}
