//! What whoever calls a model may be told.

use super::{Code, code};

pub(super) const CODES: &[Code] = &[
    code(
        "auth.missing",
        &[401],
        "No key was given. Send `authorization: Bearer bst_...`; to the management API an API token, `Bearer \
         bsa_...`.",
    ),
    code(
        "auth.refused",
        &[401],
        "The key is malformed, unknown, expired or revoked; or a demo key came from another machine. The \
         caller is not told which; the server's own log is. The management API says the same of API tokens, \
         and of a browser's session, which it does not take.",
    ),
    code(
        "auth.ambiguous",
        &[400],
        "The request carries two different credentials. bastide never guesses which one counts.",
    ),
    code("auth.loopback_only", &[403], "The route is served to this machine only (`/metrics`)."),
    code(
        "auth.revoked",
        &[401],
        "The key's rights ended while its answer was streaming: it was revoked, it expired, or the policies \
         changed. The stream was cut.",
    ),
    code(
        "http.host",
        &[421],
        "The `host` header names another server. On loopback only loopback names are accepted (DNS \
         rebinding); allow more with `--allow-host`.",
    ),
    code("http.not_found", &[404], "There is no such route."),
    code("http.method", &[405], "The route takes another method."),
    code(
        "http.content_type",
        &[415],
        "The management API takes JSON. Send `content-type: application/json`.",
    ),
    code("http.encoded_body", &[415], "The body is compressed. What cannot be read cannot be inspected."),
    code("http.too_large", &[413], "The body exceeds `limits.request_bytes`."),
    code("http.timeout", &[408], "The body did not arrive within `limits.body_seconds`."),
    code("http.body", &[400], "The body broke off."),
    code(
        "model.unknown",
        &[404],
        "A request: no provider is open to the key's project, so the model's name has nowhere to go; any \
         other name goes to some provider, whose own error comes back with its own body and code. `GET \
         /v1/models/NAME`: no provider lists the name; what stands before a `/` picks a provider only where \
         one has that name.",
    ),
    code(
        "policy.denied",
        &[403],
        "A policy denies it, or none permits it. The message names the policy and whom to ask.",
    ),
    code("limit.requests_per_minute", &[429], "The key's limit; `retry-after` says when."),
    code(
        "limit.tokens_per_minute",
        &[429],
        "The key's limit. An upper bound is reserved before a request and settled after it.",
    ),
    code("limit.tokens_per_day", &[429], "The key's daily budget (UTC)."),
    code("limit.concurrency", &[429], "Too many requests of the key run at the same time."),
    code(
        "guard.blocked",
        &[403],
        "The guard profile blocks what was found. The receipt says what and where, never the value.",
    ),
    code(
        "guard.unscanned",
        &[403],
        "Images, audio and files cannot be inspected; they pass only where a policy grants it.",
    ),
    code("guard.failed", &[503], "The guard itself failed or took too long. It fails closed."),
    code(
        "guard.too_many",
        &[413, 502],
        "More than 100,000 values were found in one request (413) or answer (502), which is more than the guard holds at \
         once. A value that several parts of a message show together counts up to three times. It fails closed, also \
         where the guard only observes.",
    ),
    code("log.unavailable", &[503], "The audit log cannot be written, so nothing is let through."),
    code("server.stopping", &[503], "The server is draining."),
    code("upstream.unavailable", &[502], "No provider of the model can be reached."),
    code("upstream.timeout", &[504], "The provider did not answer, or fell silent, in time."),
    code("upstream.broken", &[502], "The provider broke off. In a stream this is the last event."),
    code("upstream.protocol", &[502], "The provider's answer is no chat completion."),
    code("upstream.too_large", &[502], "The provider's answer exceeds `limits.response_bytes`."),
    code("upstream.credential", &[502], "The provider refused the credential that bastide holds for it."),
    code(
        "upstream.error",
        &[],
        "The status of the provider. Its error had no readable body (no JSON), or one that may not be passed \
         on; this stands in its place. Every other error of a provider comes with its own body and its own \
         code, and carries this code in metrics and spans only; its receipt says `upstream_error`.",
    ),
    code(
        "upstream.unusable",
        &[503],
        "The provider is configured and cannot be used: the variable or file of its credential is missing or \
         empty, or its sealed credential does not open. Nothing was sent, to it or to another provider. The \
         operator finds the reason with `bastide provider list` or in the server's own log, mends it and \
         restarts the server.",
    ),
    code(
        "upstream.limited",
        &[429],
        "The provider's own limit; its `retry-after` is kept. Otherwise as \
         [`upstream.error`](#upstreamerror).",
    ),
    code(
        "limit.too_much",
        &[429],
        "The request alone may use more than the key's whole limit. Set `max_tokens`, or raise the limit.",
    ),
    code(
        "wire.syntax",
        &[400],
        "The body is not strict JSON (RFC 8259): duplicate values, trailing bytes, control characters.",
    ),
    code("wire.utf8", &[400], "The body is not UTF-8, or an escape stands for half a surrogate pair."),
    code(
        "wire.duplicate_key",
        &[400],
        "An object of the protocol has a key twice, or in two letter cases. The guard and the model might \
         read different ones.",
    ),
    code(
        "wire.key_case",
        &[400],
        "A key of the protocol is written in another letter case. Some servers would accept it, others not.",
    ),
    code("wire.missing_field", &[400], "A required field is missing."),
    code("wire.type", &[400], "A field has another type than the protocol gives it."),
    code("wire.value", &[400], "A field has a value that the protocol does not know."),
    code(
        "wire.limit",
        &[400],
        "The body is too deep or has too many values, or the name of its model is longer than 256 bytes.",
    ),
    code(
        "wire.edit",
        &[500],
        "An edit of the guard did not fit the body: a mistake of bastide's own. Nothing was sent.",
    ),
    code(
        "wire.event_size",
        &[],
        "An event of a stream exceeds `limits.event_bytes`. Callers see \
         [`upstream.protocol`](#upstreamprotocol).",
    ),
    code("policy.failed", &[403], "A policy could not be evaluated, which denies."),
    code(
        "policy.undecidable",
        &[403],
        "The request cannot be put to the policies (too many tools, a name that cannot stand in a policy).",
    ),
    code(
        "policy.invalid",
        &[400],
        "A policy file does not hold together; the message names policy, line and column.",
    ),
];
