//! Problems in the shape of the OpenAI dialect, with the RFC 9457 members beside it.
//!
//! `{"error":{"message","type","param","code"}}` is what the official SDKs read; `code` is our stable code and `doc`
//! the command that tells more of it.

use bastide_audit::Recorded;
use bastide_types::{ExchangeId, Fault, Problem, Retry};
use bytes::Bytes;
use http::header::{CONTENT_TYPE, RETRY_AFTER};
use http::{HeaderName, HeaderValue, Response, StatusCode};

use crate::relay::Body;

/// The header that carries a receipt.
pub const RECEIPT_HEADER: &str = "bastide-receipt";
/// The header that names the exchange.
pub const EXCHANGE_HEADER: &str = "bastide-exchange";

static RECEIPT_NAME: HeaderName = HeaderName::from_static(RECEIPT_HEADER);
static EXCHANGE_NAME: HeaderName = HeaderName::from_static(EXCHANGE_HEADER);

/// The body of a problem, for a response or for an event in a stream.
pub(crate) fn body(problem: &Problem) -> Vec<u8> {
    let kind = match (problem.status, problem.fault) {
        (401, _) => "authentication_error",
        (403, _) => "permission_error",
        (404, _) => "not_found_error",
        (429, _) => "rate_limit_error",
        (_, Fault::Client) => "invalid_request_error",
        (_, Fault::Upstream) => "upstream_error",
        (_, Fault::Operator) => "configuration_error",
        (_, Fault::Us) => "server_error",
    };
    serde_json::json!({
        "error": {
            "message": problem.detail,
            "type": kind,
            "param": problem.field,
            "code": problem.code,
            "doc": problem.told_by(),
        }
    })
    .to_string()
    .into_bytes()
}

/// The whole response.
pub(crate) fn response(
    problem: &Problem,
    exchange: Option<ExchangeId>,
    recorded: Option<&Recorded>,
) -> Response<Body> {
    let mut response = Response::new(Body::full(Bytes::from(body(problem))));
    *response.status_mut() =
        StatusCode::from_u16(problem.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    if let Retry::After(wait) = problem.retry {
        // Whole seconds, rounded up: a client that waits less is refused again.
        let seconds = wait.as_secs() + u64::from(wait.subsec_nanos() > 0);
        headers.insert(RETRY_AFTER, HeaderValue::from(seconds.max(1)));
    }
    if problem.retry == Retry::Never && problem.status >= 500 {
        // The official SDKs retry 5xx by themselves unless told otherwise.
        headers.insert("x-should-retry", HeaderValue::from_static("false"));
    }
    attach(headers, exchange, recorded);
    response
}

/// Puts the exchange id and the receipt of its record into response headers.
pub(crate) fn attach(
    headers: &mut http::HeaderMap,
    exchange: Option<ExchangeId>,
    recorded: Option<&Recorded>,
) {
    if let Some(value) = exchange.and_then(|e| HeaderValue::from_str(&e.text()).ok()) {
        headers.insert(&EXCHANGE_NAME, value);
    }
    if let Some(value) = recorded.and_then(|r| HeaderValue::try_from(r.receipt_text()).ok()) {
        headers.insert(&RECEIPT_NAME, value);
    }
}

/// Problems that the gateway itself raises, each in one place.
pub(crate) mod raise {
    use super::{Fault, Problem, Retry};
    use std::time::Duration;

    use bastide_anonymize::Vault;
    use bastide_types::Direction;

    pub(crate) fn no_credential() -> Problem {
        Problem::new(
            "auth.missing",
            401,
            Fault::Client,
            Retry::Never,
            "no key was given; send `authorization: Bearer bst_...` (`bastide key create NAME` makes one)",
        )
    }

    pub(crate) fn bad_credential() -> Problem {
        // One text for malformed, unknown, expired and revoked: the difference is for our log, not for a guesser.
        Problem::new(
            "auth.refused",
            401,
            Fault::Client,
            Retry::Never,
            "the key is not valid; check it, or make one with `bastide key create NAME`",
        )
    }

    pub(crate) fn two_credentials() -> Problem {
        Problem::new(
            "auth.ambiguous",
            400,
            Fault::Client,
            Retry::Never,
            "the request carries two different credentials; send one, in `authorization`",
        )
    }

    pub(crate) fn not_loopback() -> Problem {
        Problem::new(
            "auth.loopback_only",
            403,
            Fault::Client,
            Retry::Never,
            "this is served on loopback only; ask from the machine itself",
        )
    }

    pub(crate) fn bad_host() -> Problem {
        Problem::new(
            "http.host",
            421,
            Fault::Client,
            Retry::Never,
            "the `host` header names another server; use the address that `bastide serve` printed, or allow the name \
             with `--allow-host`",
        )
    }

    /// `console`: it answers at this address too.
    pub(crate) fn not_found(console: bool) -> Problem {
        let why = match console {
            true => {
                "there is no such route; models are asked under `/v1` (`POST /v1/chat/completions`, `GET /v1/models`), the \
                 management API is `/api/v1`, and the console, for a browser, is `/console`"
            }
            false => {
                "there is no such route; models are asked under `/v1` (`POST /v1/chat/completions`, `GET /v1/models`), \
                 and the console has an address of its own"
            }
        };
        Problem::new("http.not_found", 404, Fault::Client, Retry::Never, why)
    }

    /// On a listener for administrators.
    pub(crate) fn not_the_data_plane() -> Problem {
        Problem::new(
            "http.not_found",
            404,
            Fault::Client,
            Retry::Never,
            "there is no such route here; this address serves the console (`/console`) and the management API \
             (`/api/v1`), and the gateway has another one",
        )
    }

    pub(crate) fn method(allowed: &'static str) -> Problem {
        Problem::new("http.method", 405, Fault::Client, Retry::Never, format!("this route takes `{allowed}`"))
    }

    pub(crate) fn encoded_body() -> Problem {
        Problem::new(
            "http.encoded_body",
            415,
            Fault::Client,
            Retry::Never,
            "encoded bodies are refused, because what cannot be read cannot be inspected; send it without \
             `content-encoding`",
        )
    }

    pub(crate) fn too_large(limit: usize) -> Problem {
        Problem::new(
            "http.too_large",
            413,
            Fault::Client,
            Retry::Never,
            format!("the body is larger than {limit} bytes; send less, or raise `limits.request_bytes`"),
        )
    }

    pub(crate) fn body_timeout() -> Problem {
        Problem::new("http.timeout", 408, Fault::Client, Retry::Later, "the body did not arrive in time")
    }

    pub(crate) fn body_broken() -> Problem {
        Problem::new("http.body", 400, Fault::Client, Retry::Later, "the body broke off before its end")
    }

    /// Any name goes to the providers that the key reaches, so a request has nowhere to go only where there is none.
    pub(crate) fn unknown_model(model: &str) -> Problem {
        let what = format!(
            "there is no provider for this key's project, so `{}` has nowhere to go; the operator adds one with \
             `bastide provider add`",
            shown(model)
        );
        Problem::new("model.unknown", 404, Fault::Client, Retry::Never, what).at("model")
    }

    /// A name that no provider lists. What stands before a `/` picks a provider only where one has that name, because
    /// models have such names too (`meta-llama/llama-3`).
    pub(crate) fn unlisted_model(model: &str, providers: &[&str]) -> Problem {
        let hint = match model.split_once('/') {
            Some((prefix, rest)) if !rest.is_empty() && !providers.contains(&prefix) => format!(
                "; `{}` names no provider of this key's project, so all of it is the model's name",
                shown(prefix)
            ),
            _ => String::new(),
        };
        let what =
            format!("no provider lists `{}`{hint}; `GET /v1/models` shows what they list", shown(model));
        Problem::new("model.unknown", 404, Fault::Client, Retry::Never, what).at("model")
    }

    /// Enough of a name to recognise it.
    fn shown(name: &str) -> String {
        name.chars().filter(|c| !c.is_control()).take(100).collect()
    }

    pub(crate) fn limited(code: &'static str, what: &str, wait: Option<Duration>) -> Problem {
        let retry = wait.map_or(Retry::Never, Retry::After);
        Problem::new(code, 429, Fault::Client, retry, format!("the key's limit of {what} is reached"))
    }

    pub(crate) fn over_limit(what: &str, tokens: u64, most: u64) -> Problem {
        Problem::new(
            "limit.too_much",
            429,
            Fault::Client,
            Retry::Never,
            format!("this request may use up to {tokens} tokens, and the key has {most} {what}; set `max_tokens` lower"),
        )
        .at("max_tokens")
    }

    pub(crate) fn blocked(categories: &str, direction: &str) -> Problem {
        Problem::new(
            "guard.blocked",
            403,
            Fault::Client,
            Retry::Never,
            format!("the guard refused this {direction}: it found {categories}; the receipt says where"),
        )
    }

    pub(crate) fn unscanned(kind: &str) -> Problem {
        Problem::new(
            "guard.unscanned",
            403,
            Fault::Client,
            Retry::Never,
            format!(
                "the request carries {kind}, which the guard cannot read, and no policy grants that to this key; ask \
                 the project's administrator for a policy that permits `release` when `context.unscanned`"
            ),
        )
    }

    pub(crate) fn guard_failed(detail: &'static str) -> Problem {
        Problem::new("guard.failed", 503, Fault::Us, Retry::Later, detail)
    }

    /// More was found in one half of an exchange than is held at once.
    pub(crate) fn too_many(direction: Direction) -> Problem {
        let (status, fault, half) = match direction {
            Direction::Request => (413, Fault::Client, "this request"),
            Direction::Response => (502, Fault::Upstream, "this answer"),
        };
        let most = Vault::MAX_VALUES;
        let what = format!("the guard found more than {most} values in {half}; send less text at once");
        Problem::new("guard.too_many", status, fault, Retry::Never, what)
    }

    pub(crate) fn log_failed() -> Problem {
        Problem::new(
            "log.unavailable",
            503,
            Fault::Operator,
            Retry::Later,
            "the audit log cannot be written, so nothing is let through; the operator finds the reason in the \
             server's own log and with `bastide audit verify`",
        )
    }

    pub(crate) fn stopping() -> Problem {
        Problem::new(
            "server.stopping",
            503,
            Fault::Operator,
            Retry::After(Duration::from_secs(1)),
            "the server stops",
        )
    }

    pub(crate) fn upstream(code: &'static str, status: u16, detail: &'static str) -> Problem {
        Problem::new(code, status, Fault::Upstream, Retry::Later, detail)
    }

    /// A provider that the operator has configured and that cannot be used. Its reason names files and variables of the
    /// server, which are the operator's to read.
    pub(crate) fn unusable(provider: &str) -> Problem {
        Problem::new(
            "upstream.unusable",
            503,
            Fault::Operator,
            Retry::Never,
            format!(
                "the provider `{provider}` is configured but cannot be used, so nothing was sent; the operator finds the \
                 reason with `bastide provider list`, mends it and restarts the server"
            ),
        )
    }

    pub(crate) fn revoked() -> Problem {
        Problem::new(
            "auth.revoked",
            401,
            Fault::Client,
            Retry::Never,
            "the key's rights ended while the answer ran",
        )
    }
}
