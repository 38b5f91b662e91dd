//! Every operation of the API, each with who may use it, what it takes and what it gives.
//!
//! One table: an operation is found in it once, its row says who may come in before anything else happens, and its types
//! are those that its handler takes and gives, so the OpenAPI document cannot say something else.

use std::any::TypeId;

use bastide_types::Permission as P;
use http::Method;
use schemars::{JsonSchema, Schema, SchemaGenerator};

use crate::call::{Answered, Call, Refusal, Sent};
use crate::operations::{config, exchanges, guard, keys, log, me, system, tokens, traffic, users};
use crate::shapes::*;
use bastide_admin::{
    Answer, EntryPage, ExchangePage, ExchangeShown, Explained, KeyWanted, LogHealth, Proof, Question,
    ReceiptShown, RevealWanted, Tried,
};

/// Who may use an operation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Access {
    /// Whoever has a token that holds.
    SignedIn,
    /// Whoever has one with the permission.
    May(P),
}

use Access::{May, SignedIn};

/// What an operation takes and gives, as JSON Schemas; `None` is nothing.
pub(crate) struct Shapes {
    pub(crate) query: Option<Schema>,
    pub(crate) body: Option<Schema>,
    pub(crate) answer: Option<Schema>,
}

macro_rules! operations {
    ($($operation:ident = $method:ident $path:literal, $access:expr, $handler:path,
       ($query:ty, $body:ty) => $status:literal $answer:ty, $group:literal, $summary:literal;)+) => {
        /// An operation.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        #[expect(missing_docs, reason = "the summary says it")]
        pub enum Operation { $($operation,)+ }

        impl Operation {
            /// Every operation, for the sweep test and the reference.
            pub const ALL: &'static [Operation] = &[$(Operation::$operation,)+];

            /// Its method.
            #[must_use]
            pub const fn method(self) -> Method {
                match self { $(Operation::$operation => Method::$method,)+ }
            }

            /// Its path; `{name}` stands for one segment.
            #[must_use]
            pub const fn path(self) -> &'static str {
                match self { $(Operation::$operation => $path,)+ }
            }

            /// Who may use it.
            #[must_use]
            pub const fn access(self) -> Access {
                match self { $(Operation::$operation => $access,)+ }
            }

            /// Method and path, as recorded; never the raw path of a request.
            #[must_use]
            pub const fn name(self) -> &'static str {
                match self { $(Operation::$operation => concat!(stringify!($method), " ", $path),)+ }
            }

            /// The name that programs made from the document call it by, with a capital.
            pub(crate) const fn word(self) -> &'static str {
                match self { $(Operation::$operation => stringify!($operation),)+ }
            }

            /// The part of the reference that it stands in.
            pub(crate) const fn group(self) -> &'static str {
                match self { $(Operation::$operation => $group,)+ }
            }

            /// What it does, in a line.
            #[must_use]
            pub const fn summary(self) -> &'static str {
                match self { $(Operation::$operation => $summary,)+ }
            }

            /// The status of its answer.
            pub(crate) const fn status(self) -> u16 {
                match self { $(Operation::$operation => $status,)+ }
            }

            pub(crate) fn shapes(self, taken: &mut SchemaGenerator, given: &mut SchemaGenerator) -> Shapes {
                match self {
                    $(Operation::$operation => Shapes {
                        query: inline::<$query>(),
                        body: schema::<$body>(taken),
                        answer: schema::<$answer>(given),
                    },)+
                }
            }

            /// Whether what was sent can be read, for the fuzz targets: nothing else is to call it.
            ///
            /// # Errors
            /// What its sender is told.
            #[doc(hidden)]
            pub fn reads(self, query: &str, body: &[u8]) -> Result<(), bastide_types::Problem> {
                let body = bytes::Bytes::copy_from_slice(body);
                let sent = Sent { query: query.to_owned(), body, json: true };
                let read = match self {
                    $(Operation::$operation => sent.query::<$query>().and(sent.body::<$body>()).map(drop),)+
                };
                read.map_err(|refusal| refusal.into_problem(true))
            }

            /// Does it.
            pub(crate) async fn answer(self, call: &Call<'_>, sent: Sent) -> Result<Answered, Refusal> {
                match self {
                    $(Operation::$operation => {
                        let query = sent.query::<$query>()?;
                        let body = sent.body::<$body>()?;
                        let given: $answer = Box::pin($handler(call, query, body)).await?;
                        Answered::new($status, &given)
                    })+
                }
            }
        }
    };
}

operations! {
    ListExchanges = GET "/api/v1/exchanges", May(P::TrafficView), exchanges::list,
        (ExchangeQuery, ()) => 200 ExchangePage, "Exchanges", "Exchanges, the newest first";
    ShowExchange = GET "/api/v1/exchanges/{exchange}", May(P::TrafficView), exchanges::show,
        (ShowQuery, ()) => 200 ExchangeShown, "Exchanges", "An exchange with its kept texts, every finding masked";
    RevealExchange = POST "/api/v1/exchanges/{exchange}/reveal", May(P::BodiesReveal), exchanges::reveal,
        ((), Option<RevealWanted>) => 200 ExchangeShown, "Exchanges", "An exchange with its kept texts as they are; the log records the look first";
    ShowTraffic = GET "/api/v1/traffic", May(P::TrafficView), traffic::show,
        (TrafficQuery, ()) => 200 TrafficShown, "Exchanges", "What passed of late, counted by minutes or hours, and the models of today";

    ShowLog = GET "/api/v1/log", May(P::LogView), log::health,
        ((), ()) => 200 LogHealth, "Log", "How the log is: its size, its checkpoint, and whether it takes entries";
    ListEntries = GET "/api/v1/log/entries", May(P::LogView), log::list,
        (EntryQuery, ()) => 200 EntryPage, "Log", "Entries of the log, the newest first";
    ProveEntry = GET "/api/v1/log/entries/{index}", May(P::LogView), log::prove,
        ((), ()) => 200 Proof, "Log", "An entry of the log, and proof that it is under the newest checkpoint";
    ShowCheckpoint = GET "/api/v1/log/checkpoint", May(P::LogView), log::checkpoint,
        ((), ()) => 200 Checkpoint, "Log", "The newest signed checkpoint, to be kept elsewhere";
    CheckReceipt = POST "/api/v1/log/receipts/check", May(P::LogView), log::check_receipt,
        ((), ReceiptGiven) => 200 ReceiptShown, "Log", "Whether a receipt holds";

    ListKeys = GET "/api/v1/keys", May(P::ConfigView), keys::list,
        ((), ()) => 200 Vec<Key>, "Keys", "All keys, revoked and expired ones included";
    CreateKey = POST "/api/v1/keys", May(P::KeysManage), keys::create,
        ((), KeyWanted) => 201 KeyMade, "Keys", "Make a key; the answer is the only place where it ever stands";
    RotateKey = POST "/api/v1/keys/{key}/rotate", May(P::KeysManage), keys::rotate,
        ((), Rotation) => 201 KeyRotated, "Keys", "Make a successor of a key, by id or name; the answer is the only place where it ever stands";
    RevokeKey = POST "/api/v1/keys/{key}/revoke", May(P::KeysManage), keys::revoke,
        ((), ()) => 200 Key, "Keys", "Revoke a key, by id or name: in force at once, running streams included";
    EraseKey = POST "/api/v1/keys/{key}/erase", May(P::SubjectsErase), keys::erase,
        ((), Erasure) => 200 Erased, "Keys", "Destroy what seals the kept bodies of a key's exchanges; proofs and receipts hold, and it cannot be taken back";

    ListProviders = GET "/api/v1/providers", May(P::ConfigView), config::providers,
        ((), ()) => 200 Vec<Provider>, "Providers and projects", "All providers";
    AddProvider = POST "/api/v1/providers", May(P::ProvidersManage), config::add_provider,
        ((), ProviderGiven) => 201 Provider, "Providers and projects", "Add a provider of models";
    RemoveProvider = DELETE "/api/v1/providers/{provider}", May(P::ProvidersManage), config::remove_provider,
        ((), ()) => 200 Changed, "Providers and projects", "Remove a provider";
    TestProvider = POST "/api/v1/providers/{provider}/test", May(P::ProvidersManage), config::test_provider,
        ((), ()) => 200 Tested, "Providers and projects", "Ask a provider for its models, as the first request would reach it";
    ListProjects = GET "/api/v1/projects", May(P::ConfigView), config::projects,
        ((), ()) => 200 Vec<Project>, "Providers and projects", "All projects";
    CreateProject = POST "/api/v1/projects", May(P::ProjectsManage), config::create_project,
        ((), ProjectGiven) => 201 Project, "Providers and projects", "Make a project";

    ShowPolicies = GET "/api/v1/policies", May(P::ConfigView), config::policies,
        ((), ()) => 200 Policies, "Policies and guard", "The policies in force";
    SetPolicies = PUT "/api/v1/policies", May(P::PoliciesManage), config::set_policies,
        ((), PolicyText) => 200 PoliciesSet, "Policies and guard", "Put policies in force";
    ListPolicyVersions = GET "/api/v1/policies/versions", May(P::ConfigView), config::policy_versions,
        ((), ()) => 200 Vec<PolicyVersion>, "Policies and guard", "The versions of the policies, the newest first";
    ShowPolicyVersion = GET "/api/v1/policies/versions/{version}", May(P::ConfigView), config::policy_version,
        ((), ()) => 200 PolicyVersionShown, "Policies and guard", "One version of the policies, with its text";
    CheckPolicies = POST "/api/v1/policies/check", May(P::ConfigView), config::check_policies,
        ((), PolicyText) => 200 PoliciesChecked, "Policies and guard", "Check policies without using them";
    AskPolicies = POST "/api/v1/policies/ask", May(P::ConfigView), config::ask_policies,
        ((), Question) => 200 Answer, "Policies and guard", "What the policies would decide, and which of them why; nothing is sent or recorded";
    ShowGuard = GET "/api/v1/guard", May(P::ConfigView), guard::show,
        ((), ()) => 200 GuardShown, "Policies and guard", "What the guard does about what it finds";
    SetGuard = PUT "/api/v1/guard", May(P::GuardManage), guard::set,
        ((), GuardGiven) => 200 GuardSet, "Policies and guard", "Put a guard in force; what is left out stays";
    PreviewGuard = POST "/api/v1/guard/preview", May(P::GuardManage), guard::preview,
        ((), GuardGiven) => 200 GuardPreviewed, "Policies and guard", "What another guard would have made of the newest exchanges; nothing is changed";
    ListGuardVersions = GET "/api/v1/guard/versions", May(P::ConfigView), guard::versions,
        ((), ()) => 200 Vec<GuardVersion>, "Policies and guard", "The versions of the guard, the newest first";
    ShowGuardVersion = GET "/api/v1/guard/versions/{version}", May(P::ConfigView), guard::version,
        ((), ()) => 200 GuardVersionShown, "Policies and guard", "One version of the guard, with its rules";
    InspectText = POST "/api/v1/inspect", May(P::TextInspect), guard::inspect,
        ((), TextGiven) => 200 Tried, "Policies and guard", "What the guard in force makes of a text; nothing is sent, recorded or kept";

    ListSettings = GET "/api/v1/settings", May(P::ConfigView), system::settings,
        ((), ()) => 200 Vec<Explained>, "System", "The settings in force, each with its origin";
    Examine = GET "/api/v1/doctor", May(P::ConfigView), system::doctor,
        ((), ()) => 200 Examined, "System", "What the server finds about itself and its data folder";
    Reload = POST "/api/v1/system/reload", May(P::SystemManage), system::reload,
        ((), ()) => 200 Reloaded, "System", "Read the settings file and the certificate again";
    ShowLogLevel = GET "/api/v1/system/log-level", May(P::ConfigView), system::log_level,
        ((), ()) => 200 LogLevel, "System", "What the server's own log shows";
    SetLogLevel = PUT "/api/v1/system/log-level", May(P::SystemManage), system::set_log_level,
        ((), LogLevelGiven) => 200 LogLevel, "System", "Set what the server's own log shows, until it stops";

    ListUsers = GET "/api/v1/users", May(P::UsersManage), users::list,
        ((), ()) => 200 Vec<UserShown>, "Users", "Everybody who may sign in";
    CreateUser = POST "/api/v1/users", May(P::UsersManage), users::create,
        ((), UserGiven) => 201 UserShown, "Users", "Add a user";
    ChangeUser = PATCH "/api/v1/users/{user}", May(P::UsersManage), users::change,
        ((), UserChanged) => 200 UserShown, "Users", "Change a user, by id or name";
    RemoveUser = DELETE "/api/v1/users/{user}", May(P::UsersManage), users::remove,
        ((), ()) => 200 Changed, "Users", "Remove a user, by id or name";
    ListTokens = GET "/api/v1/tokens", May(P::UsersManage), tokens::list,
        ((), ()) => 200 Vec<TokenShown>, "Users", "Everybody's API tokens that hold";
    RevokeToken = DELETE "/api/v1/tokens/{token}", May(P::UsersManage), tokens::revoke,
        ((), ()) => 200 Changed, "Users", "End anybody's API token";

    ShowSelf = GET "/api/v1/me", SignedIn, me::show,
        ((), ()) => 200 Myself, "Yourself", "Whose token this is, and what it may do";
    ListSessions = GET "/api/v1/me/sessions", SignedIn, me::sessions,
        ((), ()) => 200 Vec<SessionShown>, "Yourself", "Your sessions and tokens";
    EndSession = DELETE "/api/v1/me/sessions/{session}", SignedIn, me::end,
        ((), ()) => 200 Changed, "Yourself", "End one of them; a token of a lesser role than yours can end only itself";
    ShowDocument = GET "/api/v1/openapi.json", SignedIn, me::document,
        ((), ()) => 200 serde_json::Value, "Yourself", "This API as an OpenAPI document";
}

/// Why a request has no operation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum NoOperation {
    /// Nothing at this path.
    Path,
    /// Another method; those there are.
    Method(Vec<Method>),
}

impl Operation {
    /// The name that programs made from the document call it by.
    #[must_use]
    pub fn id(self) -> String {
        let mut letters = self.word().chars();
        let first = letters.next().map(|c| c.to_ascii_lowercase());
        first.into_iter().chain(letters).collect()
    }

    /// The operation of a request, and the segment that stands for a name, as it came. Written-out segments win.
    pub(crate) fn find<'p>(method: &Method, path: &'p str) -> Result<(Operation, &'p str), NoOperation> {
        let mut there: Vec<(Operation, Option<&str>)> = Operation::ALL
            .iter()
            .filter_map(|operation| Some((*operation, matches(operation.path(), path)?)))
            .collect();
        if there.iter().any(|(_, segment)| segment.is_none()) {
            there.retain(|(_, segment)| segment.is_none());
        }
        let found = there.iter().find(|(operation, _)| operation.method() == *method);
        match (found, there.is_empty()) {
            (Some((operation, segment)), _) => Ok((*operation, segment.unwrap_or_default())),
            (None, true) => Err(NoOperation::Path),
            (None, false) => Err(NoOperation::Method(there.iter().map(|(o, _)| o.method()).collect())),
        }
    }
}

/// `Some(None)`: letter by letter. `Some(Some(_))`: with this segment in place of a name.
fn matches<'p>(pattern: &str, path: &'p str) -> Option<Option<&'p str>> {
    let mut found = None;
    let (mut pattern, mut path) = (pattern.split('/'), path.split('/'));
    loop {
        match (pattern.next(), path.next()) {
            (None, None) => return Some(found),
            (Some(name), Some(segment)) if name.starts_with('{') && !segment.is_empty() => {
                found = Some(segment);
            }
            (Some(wanted), Some(segment)) if wanted == segment => {}
            _ => return None,
        }
    }
}

/// The schema of a value, by reference where it has a name; `None` for `()`.
fn schema<T: JsonSchema + 'static>(generator: &mut SchemaGenerator) -> Option<Schema> {
    (TypeId::of::<T>() != TypeId::of::<()>()).then(|| generator.subschema_for::<T>())
}

/// The schema of a query, all of it in place.
fn inline<T: JsonSchema + 'static>() -> Option<Schema> {
    let settings = crate::openapi::settings().for_deserialize().with(|s| s.inline_subschemas = true);
    (TypeId::of::<T>() != TypeId::of::<()>()).then(|| settings.into_generator().into_root_schema_for::<T>())
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn every_operation_is_found_by_its_name_and_called_once() {
        let mut names = BTreeSet::new();
        for operation in Operation::ALL {
            let path: Vec<&str> =
                operation.path().split('/').map(|s| if s.starts_with('{') { "thing" } else { s }).collect();
            let path = path.join("/");
            let found = Operation::find(&operation.method(), &path);
            assert_eq!(found.map(|(o, _)| o), Ok(*operation), "{path}");
            assert!(names.insert(operation.name()), "{} stands twice", operation.name());
        }
    }

    #[test]
    fn look_alikes_are_nothing_and_other_methods_say_which_there_are() {
        for path in ["/api/v1", "/api/v1/", "/api/v1/keys/", "/api/v1//keys", "/API/v1/keys", "/api/v2/keys"]
        {
            assert_eq!(Operation::find(&Method::GET, path).err(), Some(NoOperation::Path), "{path}");
        }
        let keys = Operation::find(&Method::DELETE, "/api/v1/keys").err();
        assert_eq!(keys, Some(NoOperation::Method(vec![Method::GET, Method::POST])));
        assert_eq!(Operation::find(&Method::GET, "/api/v1/log/entries/7"), Ok((Operation::ProveEntry, "7")));
    }

    #[test]
    fn nothing_is_changed_by_a_get() {
        let managing = |p: P| p.as_str().ends_with(".manage") || p.as_str().ends_with(".erase");
        for operation in Operation::ALL.iter().filter(|o| o.method() == Method::GET) {
            // Who there is and what acts for them is for those who manage it.
            let of_people = matches!(operation, Operation::ListUsers | Operation::ListTokens);
            let changes = matches!(operation.access(), May(p) if managing(p) || p == P::BodiesReveal);
            assert!(!changes || of_people, "{operation:?}");
        }
    }
}
