//! From a request to a principal. There is no anonymous one.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use bastide_identity::{AuthError, Identity, Principal};
use bastide_types::Problem;
use http::header::{AUTHORIZATION, HOST};
use http::{HeaderMap, HeaderName};

use crate::problem::raise;
use crate::settings::Settings;

/// Header names in which clients of LLM APIs send keys. All are read, so that a second one cannot hide.
static CREDENTIAL_HEADERS: [HeaderName; 3] =
    [AUTHORIZATION, HeaderName::from_static("x-api-key"), HeaderName::from_static("api-key")];

/// Why nobody could be established: the problem for the caller and the precise reason for our log.
pub(crate) struct Refused {
    pub(crate) problem: Problem,
    pub(crate) reason: &'static str,
}

/// Establishes who asks.
pub(crate) fn principal(
    headers: &HeaderMap,
    identity: &Identity,
    peer: IpAddr,
) -> Result<Arc<Principal>, Refused> {
    let presented = presented(headers)?;
    let principal = identity
        .authenticate(presented)
        .map_err(|e: AuthError| Refused { problem: raise::bad_credential(), reason: e.reason() })?;
    if principal.demo && !peer.is_loopback() {
        return Err(Refused { problem: raise::bad_credential(), reason: "demo key from another machine" });
    }
    Ok(principal)
}

fn presented(headers: &HeaderMap) -> Result<&str, Refused> {
    let mut found: Option<&str> = None;
    for name in &CREDENTIAL_HEADERS {
        for value in headers.get_all(name) {
            let Ok(text) = value.to_str() else {
                return Err(Refused { problem: raise::bad_credential(), reason: "not ASCII" });
            };
            let text = if *name == AUTHORIZATION {
                let (scheme, rest) = text.split_once(' ').unwrap_or(("", text));
                if !scheme.is_empty() && !scheme.eq_ignore_ascii_case("bearer") {
                    return Err(Refused { problem: raise::bad_credential(), reason: "not a bearer token" });
                }
                rest.trim()
            } else {
                text.trim()
            };
            match found {
                Some(before) if before != text => {
                    return Err(Refused { problem: raise::two_credentials(), reason: "two credentials" });
                }
                _ => found = Some(text),
            }
        }
    }
    match found {
        Some(text) if !text.is_empty() => Ok(text),
        _ => Err(Refused { problem: raise::no_credential(), reason: "missing" }),
    }
}

/// Refuses names that are not ours: a web page that rebinds its own name to loopback (DNS rebinding) arrives under that
/// name.
pub(crate) fn host(
    headers: &HeaderMap,
    uri_host: Option<&str>,
    settings: &Settings,
    listen: SocketAddr,
) -> Result<(), Problem> {
    let mut values = headers.get_all(HOST).iter();
    let header = match (values.next(), values.next()) {
        (Some(one), None) => Some(one.to_str().map_err(|_| raise::bad_host())?),
        (None, _) => None,
        (Some(_), Some(_)) => return Err(raise::bad_host()),
    };
    let Some(named) = uri_host.or(header) else { return Err(raise::bad_host()) };
    let name = without_port(named);
    let loopback = name.eq_ignore_ascii_case("localhost")
        || name.trim_matches(['[', ']']).parse::<IpAddr>().is_ok_and(|ip| ip.is_loopback());
    let listed = settings.allowed_hosts.iter().any(|h| h.eq_ignore_ascii_case(name));
    let open = !listen.ip().is_loopback() && settings.allowed_hosts.is_empty();
    if loopback || listed || open || is_listen(name, listen) { Ok(()) } else { Err(raise::bad_host()) }
}

fn is_listen(name: &str, listen: SocketAddr) -> bool {
    name.trim_matches(['[', ']']).parse::<IpAddr>().is_ok_and(|ip| ip == listen.ip())
}

fn without_port(host: &str) -> &str {
    if host.starts_with('[') {
        return host.find(']').and_then(|end| host.get(..=end)).unwrap_or(host);
    }
    host.rsplit_once(':').map_or(host, |(name, _)| name)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(pairs: &[(&'static str, &str)]) -> HeaderMap {
        let mut map = HeaderMap::new();
        for (name, value) in pairs {
            map.append(*name, value.parse().expect("a header value"));
        }
        map
    }

    #[test]
    fn one_credential_is_read_from_any_header() {
        for (name, value) in
            [("authorization", "Bearer k"), ("authorization", "bearer  k"), ("x-api-key", "k")]
        {
            assert_eq!(presented(&headers(&[(name, value)])).ok(), Some("k"), "{name}: {value}");
        }
        let same = headers(&[("authorization", "Bearer k"), ("api-key", "k")]);
        assert_eq!(presented(&same).ok(), Some("k"));
    }

    #[test]
    fn missing_empty_foreign_and_double_credentials_are_refused() {
        for (pairs, status) in [
            (vec![], 401),
            (vec![("authorization", "")], 401),
            (vec![("authorization", "Basic a2V5")], 401),
            (vec![("authorization", "Bearer a"), ("x-api-key", "b")], 400),
            (vec![("authorization", "Bearer a"), ("authorization", "Bearer b")], 400),
        ] {
            let refused = presented(&headers(&pairs)).err().map(|r| r.problem.status);
            assert_eq!(refused, Some(status), "{pairs:?}");
        }
    }

    #[test]
    fn hosts_that_are_not_ours_are_refused_on_loopback() {
        let mut settings = Settings {
            listen: "127.0.0.1:8800".parse().expect("an address"),
            allowed_hosts: vec!["ai.example".to_owned()],
            guard: bastide_types::GuardMode::Enforce,
            profile: bastide_inspect::GuardProfile::default_profile(),
            audit: crate::AuditMode::Strict,
            limits: crate::Limits::default(),
            telemetry: None,
        };
        for ok in ["localhost:8800", "127.0.0.1", "[::1]:8800", "LOCALHOST", "AI.example:443"] {
            assert!(host(&headers(&[("host", ok)]), None, &settings, settings.listen).is_ok(), "{ok}");
        }
        for bad in ["evil.example", "127.0.0.1.evil.example", "localhost.evil.example:8800", ""] {
            assert!(host(&headers(&[("host", bad)]), None, &settings, settings.listen).is_err(), "{bad}");
        }
        let two = headers(&[("host", "localhost"), ("host", "evil.example")]);
        assert!(host(&two, None, &settings, settings.listen).is_err());
        settings.listen = "10.0.0.5:443".parse().expect("an address");
        assert!(
            host(&headers(&[("host", "other")]), None, &settings, settings.listen).is_err(),
            "a list is a list"
        );
        settings.allowed_hosts.clear();
        assert!(host(&headers(&[("host", "other")]), None, &settings, settings.listen).is_ok());
    }
}
