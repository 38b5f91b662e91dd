//! The API as a surface of the gateway's listener.

use std::sync::Arc;

use bastide_admin::{Admin, Places, Server};
use bastide_gateway::{Answer, Body, Surface, Visitor, path_segment};
use bastide_identity::{AuthoriseError, SessionCarrier, SessionPrincipal};
use bastide_types::{ActorRef, Problem};
use bytes::Bytes;
use http::header::{
    ALLOW, CACHE_CONTROL, CONNECTION, CONTENT_TYPE, WWW_AUTHENTICATE, X_CONTENT_TYPE_OPTIONS,
};
use http::{HeaderMap, HeaderValue, Request, Response, StatusCode};
use hyper::body::Incoming;

use crate::call::{Answered, Call, Sent};
use crate::operation::{Access, NoOperation, Operation};
use crate::problem::{self, raise};
use crate::read;

/// Requests at the same time, over all callers: each may hold a body.
const MOST_AT_ONCE: usize = 16;
/// Requests at the same time of one person, with all of their tokens.
const MOST_EACH: usize = 6;

/// The management API.
pub struct Api {
    pub(crate) admin: Arc<Admin>,
    pub(crate) server: Arc<dyn Server>,
    places: Arc<Places>,
}

impl Api {
    /// Over these operations.
    #[must_use]
    pub fn new(admin: Arc<Admin>, server: Arc<dyn Server>) -> Self {
        Api { admin, server, places: Places::new(MOST_AT_ONCE, MOST_EACH) }
    }

    async fn serve(self: Arc<Self>, request: Request<Incoming>) -> Response<Body> {
        let mut response = match self.handle(request).await {
            Ok(answered) => {
                let mut response = Response::new(Body::full(Bytes::from(answered.body)));
                *response.status_mut() = StatusCode::from_u16(answered.status).unwrap_or(StatusCode::OK);
                if answered.status != 204 {
                    let json = HeaderValue::from_static("application/json");
                    response.headers_mut().insert(CONTENT_TYPE, json);
                }
                response
            }
            Err(Refused { problem, allow }) => refused(&problem, allow.as_deref()),
        };
        let headers = response.headers_mut();
        // What one token may see must not wait in a cache for the next one.
        headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
        headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
        response
    }

    async fn handle(&self, request: Request<Incoming>) -> Result<Answered, Refused> {
        let (head, body) = request.into_parts();
        let (operation, segment) = match Operation::find(&head.method, head.uri.path()) {
            Ok(found) => found,
            Err(NoOperation::Path) => return Err(raise::not_found().into()),
            Err(NoOperation::Method(there)) => {
                let allow = there.iter().map(http::Method::as_str).collect::<Vec<_>>().join(", ");
                return Err(Refused { problem: raise::method(&allow), allow: Some(allow) });
            }
        };
        let who = self.caller(&head.headers).inspect_err(|problem| {
            self.admin.denied(ActorRef::Unauthenticated, operation.name(), problem.code, problem.status);
        })?;
        let accounts = &self.admin.node.accounts;
        let authorized = match operation.access() {
            Access::SignedIn => None,
            Access::May(permission) => match accounts.authorise(&who, permission) {
                Ok(authorized) => Some(authorized),
                Err(AuthoriseError::Session(_)) => return Err(raise::bad_token().into()),
                Err(refused @ AuthoriseError::Denied(_)) => {
                    return Err(self.forbidden(&who, operation, refused.to_problem()));
                }
            },
        };
        let _place = self.places.take(who.user).ok_or_else(|| raise::busy(MOST_EACH, MOST_AT_ONCE))?;
        let segment = match segment {
            "" => String::new(),
            encoded => path_segment(encoded).ok_or_else(raise::path)?,
        };
        let sent = Sent {
            query: head.uri.query().unwrap_or_default().to_owned(),
            json: read::is_json(&head.headers),
            body: read::body(&head.headers, body).await?,
        };
        let call = Call::new(self, segment, Arc::clone(&who), authorized);
        operation.answer(&call, sent).await.map_err(|refusal| {
            let problem = refusal.into_problem(self.admin.node.log.healthy().is_ok());
            match problem.status {
                403 => self.forbidden(&who, operation, problem),
                _ => problem.into(),
            }
        })
    }

    /// Whose token it is. A browser's session is none: pages of other sites can make a browser send it.
    fn caller(&self, headers: &HeaderMap) -> Result<Arc<SessionPrincipal>, Problem> {
        let token = read::token(headers)?;
        let who = self.admin.node.accounts.authenticate(token).map_err(|error| {
            tracing::info!(reason = error.reason(), "an API token was refused");
            raise::bad_token()
        })?;
        match who.carrier {
            SessionCarrier::Token { .. } => Ok(who),
            SessionCarrier::Browser => Err(raise::bad_token()),
        }
    }

    fn forbidden(&self, who: &SessionPrincipal, operation: Operation, problem: Problem) -> Refused {
        self.admin.denied(who.actor, operation.name(), problem.code, problem.status);
        problem.into()
    }
}

/// Why not, and where it helps, which methods there are.
struct Refused {
    problem: Problem,
    allow: Option<String>,
}

impl From<Problem> for Refused {
    fn from(problem: Problem) -> Self {
        Refused { problem, allow: None }
    }
}

fn refused(problem: &Problem, allow: Option<&str>) -> Response<Body> {
    let mut response = problem::response(problem);
    let headers = response.headers_mut();
    if let Some(allow) = allow.and_then(|allow| HeaderValue::from_str(allow).ok()) {
        headers.insert(ALLOW, allow);
    }
    if problem.status == 401 {
        headers.insert(WWW_AUTHENTICATE, HeaderValue::from_static("Bearer realm=\"bastide\""));
    }
    if matches!(problem.status, 408 | 413) {
        // The rest of the body is still on its way and nobody will read it.
        headers.insert(CONNECTION, HeaderValue::from_static("close"));
    }
    response
}

impl Surface for Api {
    fn owns(&self, path: &str) -> bool {
        path == "/api" || path.starts_with("/api/")
    }

    fn answer(self: Arc<Self>, _: Visitor, request: Request<Incoming>) -> Answer {
        Box::pin(self.serve(request))
    }
}
