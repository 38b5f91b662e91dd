//! Roles and permissions in words.

use bastide_types::{Permission, Role};

use crate::design::{Choice, Field, Html, Id, LineUp};

/// What a role is for.
pub(super) const fn about(role: Role) -> &'static str {
    match role {
        Role::Administrator => "Everything, users included.",
        Role::Operator => "Running the gateway: keys, providers, projects, the server.",
        Role::Security => "Deciding what is let through, and seeing kept texts as they are.",
        Role::Auditor => "Reading everything that is not a text in clear.",
        Role::Viewer => "Seeing the traffic.",
    }
}

/// The permissions of a role, by name.
pub(super) fn permissions(role: Role) -> LineUp {
    let granted = Permission::ALL.iter().filter(|permission| role.grants(**permission));
    LineUp::new(granted.map(|permission| Html::from(Id::plain(permission.as_str()))))
}

/// One of the roles that `own` may give away.
pub(super) fn field(label: &'static str, own: Role, chosen: &str) -> Field {
    let within = Role::ALL.iter().filter(|role| role.is_within(own));
    let choices = within.map(|role| Choice::new(role.as_str(), role.as_str()).hint(about(*role)));
    Field::radios("role", label, choices).value(chosen)
}
