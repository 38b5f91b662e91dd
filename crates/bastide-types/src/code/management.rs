//! What whoever manages an installation may be told.

use super::{Code, code};

pub(super) const CODES: &[Code] = &[
    code(
        "identity.unauthenticated",
        &[401],
        "No key that holds was given. The gateway says [`auth.missing`](#authmissing) or \
         [`auth.refused`](#authrefused).",
    ),
    code(
        "identity.conflicting",
        &[400],
        "Two different credentials were given. The gateway says [`auth.ambiguous`](#authambiguous).",
    ),
    code(
        "identity.name",
        &[400],
        "A key, project, organisation or token cannot have this name: 1 to 64 letters, digits, blanks and \
         `-_.@/:+`. A user's name is 1 to 64 letters without accents, digits and `-_.@+`.",
    ),
    code("identity.project", &[404], "There is no such project; `bastide project list` shows them."),
    code(
        "identity.expiry",
        &[400],
        "The key would expire before it is made; or an API token before that, or more than 366 days ahead.",
    ),
    code("identity.limit", &[400], "A limit of 0 lets nothing through; leave it out, or revoke the key."),
    code(
        "identity.more_than_maker",
        &[403],
        "A key made by another key would have more than that one: a later expiry, a higher limit, another \
         project. Or an API token would do more than the person who makes it.",
    ),
    code(
        "identity.root_key",
        &[503],
        "The root key in `keys/` is not the one that the folder's keys were made with. Restore it from a \
         backup.",
    ),
    code(
        "identity.unrecorded",
        &[503],
        "A key or session was revoked, or a user refused, in the running server, but not in the records: \
         after a restart they would be valid again. Mend the disk and do it once more.",
    ),
    code(
        "identity.sign_in",
        &[401],
        "The name, the password or the code is wrong, or there were too many attempts of this account or from \
         this address. The caller is not told which; the server's own log is.",
    ),
    code(
        "identity.session",
        &[401],
        "The session of the browser or the API token is missing, unknown, expired, unused for too long or \
         revoked, or its user is disabled. Sign in again.",
    ),
    code(
        "identity.forbidden",
        &[403],
        "The user's role, or the token's, lacks the permission that the message names, with the roles that \
         have it.",
    ),
    code(
        "identity.busy",
        &[503],
        "Too many passwords are being checked at the same time. Try again in a few seconds.",
    ),
    code(
        "identity.password",
        &[400],
        "The password cannot be used: 12 to 1024 bytes, not the user's name, none of the commonest.",
    ),
    code("identity.user", &[404], "There is no such user; they may have been removed."),
    code(
        "identity.setup",
        &[403],
        "The setup code is wrong, expired (15 minutes) or used up; or ten wrong ones were tried, and the next \
         is looked at a little later. Restart the server for a new one; there is none once somebody can sign \
         in.",
    ),
    code(
        "identity.code",
        &[400, 409],
        "The code is not the one that the authenticator app shows now (400); or no app waits to be confirmed, \
         or the user has none to recover from (409).",
    ),
    code(
        "identity.needs_browser",
        &[403],
        "An API token was used for what only somebody signed in with a browser may do.",
    ),
    code(
        "identity.sessions",
        &[409],
        "The user has 100 sessions and tokens. End some; unused ones end by themselves.",
    ),
    code(
        "identity.overtaken",
        &[409],
        "The user, their password or their role changed while the change was made ready. Begin again.",
    ),
    code(
        "identity.sealed",
        &[503],
        "The secret of a user's authenticator app does not open under this root key. An administrator removes \
         it from the user, who sets up another one.",
    ),
    code(
        "identity.hash",
        &[503],
        "A password could not be hashed or compared: no memory, or the stored hash is damaged. The server's \
         own log has the reason.",
    ),
    code("store.duplicate", &[409], "The name is in use; choose another."),
    code(
        "store.last_administrator",
        &[409],
        "Nobody could manage users any more. Make another administrator first.",
    ),
    code("store.not_first", &[409], "Somebody else was the first user. Sign in, or ask an administrator."),
    code("store.unknown", &[404], "There is no key, project, provider, user or session of this id or name."),
    code(
        "store.invalid",
        &[400],
        "A value cannot be stored, such as a provider's name with upper-case letters.",
    ),
    code("store.applied", &[409], "The change with this entry of the log was already made."),
    code("store.busy", &[503], "Another process holds the records. Stop it, or try again."),
    code("store.full", &[503], "The disk of the records is full. Nothing was changed; free some space."),
    code(
        "store.lost",
        &[503],
        "The records cannot be opened, read or written. The server's own log has the reason.",
    ),
    code(
        "audit.busy",
        &[503],
        "More waits for the log than it queues: the disk does not keep up. The gateway says \
         [`log.unavailable`](#logunavailable) for every code of the log.",
    ),
    code("audit.closed", &[503], "The log is closed: the server stops."),
    code(
        "audit.no_space",
        &[503],
        "The disk of the log is full. Nothing that was acknowledged is lost, and the log goes on by itself \
         once there is space again; its own files must stay.",
    ),
    code(
        "audit.too_large",
        &[413],
        "The entry would exceed 16 KiB even without findings, for example for a model's name of that length.",
    ),
    code(
        "audit.failed",
        &[503],
        "A write or sync of the log failed. After a failed sync nobody knows what is on the disk, so the log \
         takes nothing until a restart has read what is there.",
    ),
    code(
        "api.request",
        &[400],
        "The management API cannot read the path, the query or the body. `field` says which part; the detail \
         what is wrong with it. A name that is unknown or stands twice is refused too.",
    ),
    code(
        "api.refused",
        &[422],
        "What was asked of the management API cannot be meant, whatever the installation holds; or what was \
         checked does not hold.",
    ),
    code("api.not_found", &[404], "There is no such thing in the installation."),
    code("api.conflict", &[409], "It could not be done here and now; the detail says why and what to do."),
    code(
        "api.busy",
        &[429],
        "Too many requests to the management API run at the same time, of one person or of everybody. Come back \
         after `retry-after`.",
    ),
    code(
        "api.failed",
        &[500],
        "A fault of bastide's: the result cannot be shown. The server's own log says why.",
    ),
];
