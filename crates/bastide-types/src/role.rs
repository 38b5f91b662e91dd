//! What people may do: permissions, and the roles that have them.

use std::fmt;
use std::str::FromStr;

use crate::problem::unknown_name;

/// What a person is in this installation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Role {
    /// May do everything.
    Administrator,
    /// Runs the gateway: keys, providers, projects, the server.
    Operator,
    /// Decides what is let through: policies, the guard; may see kept texts as they are.
    Security,
    /// Reads everything that is not a text in clear.
    Auditor,
    /// Sees the traffic.
    Viewer,
}

impl Role {
    /// All roles.
    pub const ALL: &'static [Role] =
        &[Role::Administrator, Role::Operator, Role::Security, Role::Auditor, Role::Viewer];

    /// The name used in the database, the API and the console.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Role::Administrator => "administrator",
            Role::Operator => "operator",
            Role::Security => "security",
            Role::Auditor => "auditor",
            Role::Viewer => "viewer",
        }
    }

    /// Whether the role has the permission.
    #[must_use]
    pub fn grants(self, permission: Permission) -> bool {
        permission.roles().contains(&self)
    }

    /// Whether the role has no permission that `other` lacks.
    #[must_use]
    pub fn is_within(self, other: Role) -> bool {
        Permission::ALL.iter().all(|p| other.grants(*p) || !self.grants(*p))
    }
}

/// Something that a person may do in the console or through the management API.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Permission {
    /// See the overview, exchanges with masked texts, findings, and what happens now.
    TrafficView,
    /// See keys, providers, policies, the guard, settings and the state of the system.
    ConfigView,
    /// Read the log.
    LogView,
    /// See kept texts without masks.
    BodiesReveal,
    /// Have a text of one's own inspected.
    TextInspect,
    /// Make and revoke keys.
    KeysManage,
    /// Add and remove providers.
    ProvidersManage,
    /// Make projects and organisations.
    ProjectsManage,
    /// Set policies.
    PoliciesManage,
    /// Set the guard profile.
    GuardManage,
    /// Make, change and disable users.
    UsersManage,
    /// Reload what can be reloaded, set the log level.
    SystemManage,
    /// Destroy what is kept about a subject.
    SubjectsErase,
}

impl Permission {
    /// All permissions.
    pub const ALL: &'static [Permission] = &[
        Permission::TrafficView,
        Permission::ConfigView,
        Permission::LogView,
        Permission::BodiesReveal,
        Permission::TextInspect,
        Permission::KeysManage,
        Permission::ProvidersManage,
        Permission::ProjectsManage,
        Permission::PoliciesManage,
        Permission::GuardManage,
        Permission::UsersManage,
        Permission::SystemManage,
        Permission::SubjectsErase,
    ];

    /// The stable name.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Permission::TrafficView => "traffic.view",
            Permission::ConfigView => "config.view",
            Permission::LogView => "log.view",
            Permission::BodiesReveal => "bodies.reveal",
            Permission::TextInspect => "text.inspect",
            Permission::KeysManage => "keys.manage",
            Permission::ProvidersManage => "providers.manage",
            Permission::ProjectsManage => "projects.manage",
            Permission::PoliciesManage => "policies.manage",
            Permission::GuardManage => "guard.manage",
            Permission::UsersManage => "users.manage",
            Permission::SystemManage => "system.manage",
            Permission::SubjectsErase => "subjects.erase",
        }
    }

    /// The roles that have it: the one table from which every other answer comes.
    #[must_use]
    pub const fn roles(self) -> &'static [Role] {
        use Role::{Administrator, Auditor, Operator, Security, Viewer};
        match self {
            Permission::TrafficView => &[Administrator, Operator, Security, Auditor, Viewer],
            Permission::ConfigView | Permission::LogView => &[Administrator, Operator, Security, Auditor],
            Permission::TextInspect => &[Administrator, Operator, Security],
            Permission::KeysManage
            | Permission::ProvidersManage
            | Permission::ProjectsManage
            | Permission::SystemManage => &[Administrator, Operator],
            Permission::BodiesReveal | Permission::PoliciesManage | Permission::GuardManage => {
                &[Administrator, Security]
            }
            Permission::UsersManage | Permission::SubjectsErase => &[Administrator],
        }
    }
}

impl fmt::Display for Role {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

impl fmt::Display for Permission {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// A name that is no role.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct ParseRoleError(String);

impl FromStr for Role {
    type Err = ParseRoleError;

    fn from_str(s: &str) -> Result<Self, Self::Err> {
        Role::ALL.iter().copied().find(|r| r.as_str() == s).ok_or_else(|| {
            let shown: String = s.chars().filter(|c| !c.is_control()).take(64).collect();
            ParseRoleError(unknown_name("role", &shown, Role::ALL.iter().map(|r| r.as_str())))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_matrix() {
        let mut shown = String::new();
        for permission in Permission::ALL {
            let marks: Vec<_> =
                Role::ALL.iter().map(|r| if r.grants(*permission) { "x" } else { "-" }).collect();
            shown.push_str(&format!("{permission:<17} {}\n", marks.join(" ")));
        }
        // administrator, operator, security, auditor, viewer.
        let expected = "\
traffic.view      x x x x x
config.view       x x x x -
log.view          x x x x -
bodies.reveal     x - x - -
text.inspect      x x x - -
keys.manage       x x - - -
providers.manage  x x - - -
projects.manage   x x - - -
policies.manage   x - x - -
guard.manage      x - x - -
users.manage      x - - - -
system.manage     x x - - -
subjects.erase    x - - - -
";
        assert_eq!(shown, expected);
    }

    #[test]
    fn names_parse_back_and_others_name_the_known_ones() {
        for role in Role::ALL {
            assert_eq!(role.as_str().parse::<Role>(), Ok(*role));
        }
        assert_eq!(
            "Root".parse::<Role>().unwrap_err().to_string(),
            "`Root` is not a role; use one of `administrator`, `operator`, `security`, `auditor`, `viewer`"
        );
    }

    #[test]
    fn one_role_is_within_another_when_it_can_do_no_more() {
        assert!(Role::ALL.iter().all(|r| r.is_within(Role::Administrator) && r.is_within(*r)));
        assert!(Role::Viewer.is_within(Role::Auditor) && Role::Auditor.is_within(Role::Operator));
        assert!(!Role::Operator.is_within(Role::Security) && !Role::Security.is_within(Role::Operator));
        assert!(!Role::Administrator.is_within(Role::Security));
    }
}
