//! Changes in words, as people would tell them.

use bastide_admin::Names;

use crate::design::Html;

/// A change in words: `made the key`, `is about to make the key`.
pub(super) fn said(action: &str, phase: &str) -> String {
    let known = CHANGES.iter().find(|(name, ..)| *name == action);
    let Some((_, does, did, what)) = known else {
        return match phase {
            "intent" => format!("is about to do {action} to"),
            "done" => format!("did {action} to"),
            _ => format!("could not do {action} to"),
        };
    };
    match phase {
        "intent" => format!("is about to {does} {what}"),
        "done" => format!("{did} {what}"),
        _ => format!("could not {does} {what}"),
    }
}

/// Changes by their name in the log: what one does, what one did, and to what.
const CHANGES: &[(&str, &str, &str, &str)] = &[
    ("organisation.create", "make", "made", "the organisation"),
    ("project.create", "make", "made", "the project"),
    ("key.create", "make", "made", "the key"),
    ("key.revoke", "revoke", "revoked", "the key"),
    ("key.rotate", "rotate", "rotated", "the key"),
    ("provider.add", "add", "added", "the provider"),
    ("provider.remove", "remove", "removed", "the provider"),
    ("policy.set", "set", "set", "the policies"),
    ("guard.set", "set", "set", "the guard to"),
    ("session.create", "begin", "began", "the session"),
    ("session.rotate", "renew", "renewed", "the session"),
    ("session.recover", "begin", "began", "with a recovery code the session"),
    ("session.revoke", "end", "ended", "the session"),
    ("token.create", "make", "made", "the API token"),
    ("user.create", "add", "added", "the user"),
    ("user.role", "set", "set", "the role of"),
    ("user.disable", "disable", "disabled", "the user"),
    ("user.enable", "enable", "enabled", "the user"),
    ("user.remove", "remove", "removed", "the user"),
    ("user.end_sessions", "end", "ended", "the sessions of"),
    ("user.password", "set", "set", "the password of"),
    ("user.totp", "set up", "set up", "the authenticator app of"),
    ("user.totp_remove", "take away", "took away", "the authenticator app of"),
    ("user.totp_defer", "put off", "put off", "the authenticator app of"),
    ("subject.erase", "erase", "erased", "what was said with the key"),
    ("config.reload", "read", "read", "the settings anew"),
    ("log_level.set", "set", "set", "what the server's own log shows to"),
];

/// To what a change was made, by name where the records have one for its id.
pub(super) fn subject(action: &str, resource: &str, names: &Names) -> Option<Html> {
    match action {
        // There is one of each.
        "policy.set" | "config.reload" => None,
        "guard.set" => Some(super::code(resource.strip_prefix("guard ").unwrap_or(resource))),
        // Its successor has the same name.
        "key.rotate" => {
            let key = resource.split(" to ").next().unwrap_or(resource);
            Some(super::code(names.named(key).unwrap_or(key)))
        }
        _ => Some(super::code(names.named(resource).unwrap_or(resource))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_change_that_is_recorded_has_words() {
        for action in bastide_admin::ACTIONS {
            assert!(CHANGES.iter().any(|(known, ..)| known == action), "{action}");
        }
        assert_eq!(said("guard.set", "done"), "set the guard to");
        assert_eq!(said("key.create", "intent"), "is about to make the key");
        assert_eq!(said("user.totp_remove", "failed"), "could not take away the authenticator app of");
    }
}
