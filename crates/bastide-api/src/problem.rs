//! Problems as RFC 9457 has them: `application/problem+json`.

use bastide_gateway::Body;
use bastide_types::{Problem, Retry};
use bytes::Bytes;
use http::header::{CONTENT_TYPE, RETRY_AFTER};
use http::{HeaderValue, Response, StatusCode};
use serde_json::json;

/// The content type of a problem.
pub(crate) const KIND: &str = "application/problem+json";

/// The whole answer.
pub(crate) fn response(problem: &Problem) -> Response<Body> {
    let status = StatusCode::from_u16(problem.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let mut body = json!({
        "type": problem.uri(),
        "title": status.canonical_reason(),
        "status": problem.status,
        "detail": problem.detail,
        "code": problem.code,
        "doc": problem.told_by(),
    });
    if let Some(field) = &problem.field {
        body["field"] = json!(field);
    }
    let mut response = Response::new(Body::full(Bytes::from(body.to_string())));
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(KIND));
    if let Retry::After(wait) = problem.retry {
        let seconds = wait.as_secs() + u64::from(wait.subsec_nanos() > 0);
        headers.insert(RETRY_AFTER, HeaderValue::from(seconds.max(1)));
    }
    response
}

/// Problems that the API itself raises, each in one place.
pub(crate) mod raise {
    use std::time::Duration;

    use bastide_types::{Fault, Problem, Retry};

    fn client(code: &'static str, status: u16, detail: impl Into<std::borrow::Cow<'static, str>>) -> Problem {
        Problem::new(code, status, Fault::Client, Retry::Never, detail)
    }

    pub(crate) fn no_token() -> Problem {
        client(
            "auth.missing",
            401,
            "no token was given; send `authorization: Bearer bsa_...` (the console makes one under `Account`, and \
             `bastide token create USER` on the machine)",
        )
    }

    pub(crate) fn bad_token() -> Problem {
        // One text for malformed, unknown, expired and revoked: the difference is for our log, not for a guesser.
        client(
            "auth.refused",
            401,
            "the token is not valid; check it, or make one in the console under `Account` or with `bastide token \
             create USER`",
        )
    }

    pub(crate) fn not_found() -> Problem {
        client("http.not_found", 404, "there is no such operation; `GET /api/v1/openapi.json` lists them")
    }

    pub(crate) fn path() -> Problem {
        client("api.request", 400, "the path cannot be read; percent-encode names as UTF-8")
    }

    pub(crate) fn method(allowed: &str) -> Problem {
        client("http.method", 405, format!("this path takes `{allowed}`"))
    }

    pub(crate) fn request(part: &'static str, why: &str) -> Problem {
        client("api.request", 400, format!("the {part} cannot be read: {why}")).at(part)
    }

    pub(crate) fn no_body() -> Problem {
        let why = "the body is not what this operation takes: it wants a JSON object, or nothing at all; see `GET \
                   /api/v1/openapi.json`";
        client("api.request", 400, why).at("body")
    }

    pub(crate) fn content_type() -> Problem {
        client("http.content_type", 415, "bodies are JSON; send `content-type: application/json`")
    }

    pub(crate) fn encoded_body() -> Problem {
        client("http.encoded_body", 415, "encoded bodies are refused; send it without `content-encoding`")
    }

    pub(crate) fn too_large(limit: usize) -> Problem {
        client("http.too_large", 413, format!("the body is larger than {limit} bytes"))
    }

    pub(crate) fn body_timeout() -> Problem {
        Problem::new("http.timeout", 408, Fault::Client, Retry::Later, "the body did not arrive in time")
    }

    pub(crate) fn body_broken() -> Problem {
        Problem::new("http.body", 400, Fault::Client, Retry::Later, "the body broke off before its end")
    }

    pub(crate) fn busy(each: usize, most: usize) -> Problem {
        let why = format!(
            "{each} requests of yours to the management API, or {most} of everybody, run already; send fewer at a time"
        );
        Problem::new("api.busy", 429, Fault::Client, Retry::After(Duration::from_secs(1)), why)
    }

    pub(crate) fn internal() -> Problem {
        let why = "the result cannot be shown; the server's own log says why";
        Problem::new("api.failed", 500, Fault::Us, Retry::Never, why)
    }
}
