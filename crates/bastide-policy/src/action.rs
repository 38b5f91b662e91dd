//! The things that are decided, as types: a permission to do one cannot be used for another.

/// Number of actions.
pub(crate) const ACTIONS: usize = 4;

/// An action, as an index into per-action tables.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Action {
    Invoke,
    Release,
    Receive,
    Restore,
}

impl Action {
    pub(crate) const ALL: [Action; ACTIONS] =
        [Action::Invoke, Action::Release, Action::Receive, Action::Restore];

    pub(crate) const fn name(self) -> &'static str {
        match self {
            Action::Invoke => "invoke",
            Action::Release => "release",
            Action::Receive => "receive",
            Action::Restore => "restore",
        }
    }

    pub(crate) const fn slot(self) -> usize {
        match self {
            Action::Invoke => 0,
            Action::Release => 1,
            Action::Receive => 2,
            Action::Restore => 3,
        }
    }

    /// What a denied caller wanted to do, after "to".
    pub(crate) const fn purpose(self) -> &'static str {
        match self {
            Action::Invoke => "call",
            Action::Release => "send this request to",
            Action::Receive => "receive this reply from",
            Action::Restore => "put the original values back into a reply of",
        }
    }
}

mod sealed {
    pub trait Sealed {
        const ACTION: super::Action;
    }
}

pub(crate) use sealed::Sealed;

/// One of the actions that policies speak of. Sealed: the set is part of the schema.
pub trait ActionKind: Sealed + Send + Sync + 'static {
    /// The action's name in policies and in the log.
    const NAME: &'static str;
}

macro_rules! kinds {
    ($($name:ident, $doc:literal;)+) => {$(
        #[doc = $doc]
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        pub enum $name {}

        impl Sealed for $name {
            const ACTION: Action = Action::$name;
        }

        impl ActionKind for $name {
            const NAME: &'static str = Action::$name.name();
        }
    )+};
}

kinds! {
    Invoke, "May this key call this model at all? Decided before the text is looked at.";
    Release, "May this inspected request leave for the provider?";
    Receive, "May this inspected reply, or piece of one, go to the caller?";
    Restore, "May values replace tokens again: in the reply's text (no tool), in a tool's arguments (its name)?";
}
