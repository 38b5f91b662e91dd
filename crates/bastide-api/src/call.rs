//! One request to the API: who asks, what was sent, and what comes of it.

use bastide_admin::{Admin, Authorized, Failure, Kind, Request};
use bastide_identity::SessionPrincipal;
use bastide_types::{Fault, Permission, Problem, Retry};
use bytes::Bytes;
use serde::Serialize;
use serde::de::DeserializeOwned;
use std::sync::Arc;

use crate::problem::raise;
use crate::server::Api;

/// One request.
pub(crate) struct Call<'a> {
    pub(crate) api: &'a Api,
    /// What stands for a name in the path, decoded.
    pub(crate) segment: String,
    pub(crate) who: Arc<SessionPrincipal>,
    /// That they may do what this operation is for; absent where it is for everybody who is signed in.
    authorized: Option<Authorized>,
}

impl<'a> Call<'a> {
    pub(crate) const fn new(
        api: &'a Api,
        segment: String,
        who: Arc<SessionPrincipal>,
        authorized: Option<Authorized>,
    ) -> Self {
        Call { api, segment, who, authorized }
    }

    /// The operations.
    pub(crate) fn admin(&self) -> &'a Arc<Admin> {
        &self.api.admin
    }

    /// That they may do what this operation is for.
    pub(crate) fn authorized(&self) -> Result<Authorized, Refusal> {
        let none = || Refusal::Failed(Failure::denied("this needs a permission"));
        self.authorized.clone().ok_or_else(none)
    }

    /// Whether the token may do something else too.
    pub(crate) fn may(&self, permission: Permission) -> bool {
        self.who.may(permission)
    }

    /// Has the server execute a request and reads what it gave.
    pub(crate) async fn execute<T: DeserializeOwned>(&self, request: Request) -> Result<T, Refusal> {
        let server = Arc::clone(&self.api.server);
        let given = server.execute(self.authorized()?, request).await?;
        serde_json::from_value(given).map_err(|error| {
            tracing::error!(%error, "a result has another shape than the management API promises");
            Refusal::Refused(raise::internal())
        })
    }
}

/// Why somebody does not get what they asked for.
#[derive(Debug)]
pub(crate) enum Refusal {
    /// As it stands.
    Refused(Problem),
    /// The operation failed.
    Failed(Failure),
}

impl From<Failure> for Refusal {
    fn from(failure: Failure) -> Self {
        Refusal::Failed(failure)
    }
}

impl From<Problem> for Refusal {
    fn from(problem: Problem) -> Self {
        Refusal::Refused(problem)
    }
}

impl Refusal {
    /// As a caller sees it. What could not be done while the log takes nothing is not the caller's fault.
    pub(crate) fn into_problem(self, log_takes_entries: bool) -> Problem {
        let failure = match self {
            Refusal::Refused(problem) => return problem,
            Refusal::Failed(failure) => failure,
        };
        let detail = failure.message().to_owned();
        let client = |code, status| Problem::new(code, status, Fault::Client, Retry::Never, detail);
        match failure.kind() {
            Kind::NotFound => client("api.not_found", 404),
            Kind::Denied => client("identity.forbidden", 403),
            Kind::Usage | Kind::DoesNotHold => client("api.refused", 422),
            Kind::CouldNot if log_takes_entries => client("api.conflict", 409),
            Kind::CouldNot => Problem::new(
                "log.unavailable",
                503,
                Fault::Operator,
                Retry::Later,
                failure.message().to_owned(),
            ),
        }
    }
}

/// What was sent beside the path, not yet read.
pub(crate) struct Sent {
    pub(crate) query: String,
    pub(crate) body: Bytes,
    /// Whether the body says that it is JSON.
    pub(crate) json: bool,
}

/// What of a parser's message is told: it repeats what was sent.
const MOST_TOLD: usize = 240;

impl Sent {
    /// The query, read. A name that is unknown or stands twice is refused.
    pub(crate) fn query<T: DeserializeOwned>(&self) -> Result<T, Refusal> {
        serde_urlencoded::from_str(&self.query).map_err(|e| raise::request("query", &in_words(&e)).into())
    }

    /// The body, read; of an operation that takes none, that there is none.
    pub(crate) fn body<T: DeserializeOwned>(&self) -> Result<T, Refusal> {
        if self.body.is_empty() {
            // Only what takes nothing can be made of nothing.
            return serde_json::from_slice(b"null").map_err(|_| raise::no_body().into());
        }
        if !self.json {
            return Err(raise::content_type().into());
        }
        if self.body.trim_ascii() == b"null" {
            return Err(raise::no_body().into());
        }
        serde_json::from_slice(&self.body).map_err(|e| raise::request("body", &in_words(&e)).into())
    }
}

/// A parser's message without the names of our types, and not longer than anybody reads.
fn in_words(error: &dyn std::error::Error) -> String {
    let mut words = Vec::new();
    let text = error.to_string();
    let mut rest = text.split(' ').peekable();
    while let Some(word) = rest.next() {
        let named = |word: &str| matches!(word, "struct" | "enum" | "unit" | "variant");
        if word == "struct" && rest.peek().is_some_and(|next| next.starts_with(char::is_uppercase)) {
            rest.next();
            words.push("an object");
        } else if !(named(word) && rest.peek().is_some_and(|next| next.starts_with(char::is_uppercase))) {
            words.push(word);
        }
    }
    words.join(" ").chars().filter(|c| !c.is_control()).take(MOST_TOLD).collect()
}

/// What comes of an operation.
pub(crate) struct Answered {
    pub(crate) status: u16,
    /// Empty where there is nothing to say.
    pub(crate) body: Vec<u8>,
}

impl Answered {
    pub(crate) fn new<T: Serialize>(status: u16, given: &T) -> Result<Self, Refusal> {
        let body = match status {
            204 => Vec::new(),
            _ => serde_json::to_vec(given).map_err(|error| {
                tracing::error!(%error, "a result cannot be written as JSON");
                raise::internal()
            })?,
        };
        Ok(Answered { status, body })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::shapes::{EntryQuery, PolicyText};

    fn sent(query: &str, body: &str) -> Sent {
        Sent { query: query.to_owned(), body: Bytes::copy_from_slice(body.as_bytes()), json: true }
    }

    fn detail(refusal: Refusal) -> (&'static str, String) {
        let problem = refusal.into_problem(true);
        (problem.code, problem.detail.into_owned())
    }

    #[test]
    fn bodies_are_read_strictly() {
        assert!(sent("", r#"{"text":"permit (principal, action, resource);"}"#).body::<PolicyText>().is_ok());
        for bad in ["", "null", "{}", "[1,", r#"{"text":"a","more":1}"#, r#"{"text":"a","text":"b"}"#, "5"] {
            let (code, why) = detail(sent("", bad).body::<PolicyText>().expect_err(bad));
            assert_eq!(code, "api.request", "{bad}");
            assert!(!why.contains("PolicyText"), "{why}");
        }
        assert!(sent("", "").body::<()>().is_ok());
        for bad in ["{}", "null", "1"] {
            assert!(sent("", bad).body::<()>().is_err(), "{bad}");
        }
        let plain = Sent { json: false, ..sent("", r#"{"text":"a"}"#) };
        assert_eq!(detail(plain.body::<PolicyText>().expect_err("refused")).0, "http.content_type");
    }

    #[test]
    fn queries_are_read_strictly() {
        let query = sent("limit=5&kind=denied", "").query::<EntryQuery>().expect("reads");
        assert_eq!((query.limit, query.kind.as_deref()), (Some(5), Some("denied")));
        for bad in ["limit=many", "limits=5", "limit=1&limit=2", "limit=-1"] {
            assert_eq!(detail(sent(bad, "").query::<EntryQuery>().expect_err(bad)).0, "api.request");
        }
        assert!(sent("", "").query::<()>().is_ok());
        assert!(sent("a=1", "").query::<()>().is_err());
    }

    #[test]
    fn what_is_repeated_is_bounded() {
        let long = format!(r#"{{"text":{}"#, "9".repeat(10_000));
        let (_, why) = detail(sent("", &long).body::<PolicyText>().expect_err("refused"));
        assert!(why.len() < 400, "{}", why.len());
    }
}
