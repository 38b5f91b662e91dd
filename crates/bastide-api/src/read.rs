//! What a request brings: its token, its path, its body, each within a bound.

use std::time::Duration;

use bastide_types::Problem;
use bytes::{Bytes, BytesMut};
use http::HeaderMap;
use http::header::{AUTHORIZATION, CONTENT_ENCODING, CONTENT_TYPE};
use http_body_util::BodyExt as _;
use hyper::body::Incoming;

use crate::problem::raise;

/// The longest body: a policy text.
pub(crate) const MOST_BODY_BYTES: usize = 8 << 20;
/// How long a body may take to arrive.
const BODY_TIME: Duration = Duration::from_secs(30);

/// The token that a request carries.
pub(crate) fn token(headers: &HeaderMap) -> Result<&str, Problem> {
    let mut values = headers.get_all(AUTHORIZATION).iter();
    let value = match (values.next(), values.next()) {
        (None, _) => return Err(raise::no_token()),
        (Some(one), None) => one,
        // Which of two counts is not guessed.
        (Some(_), Some(_)) => return Err(raise::bad_token()),
    };
    let text = value.to_str().map_err(|_| raise::bad_token())?;
    match text.split_once(' ') {
        _ if text.trim().is_empty() => Err(raise::no_token()),
        Some((scheme, token)) if scheme.eq_ignore_ascii_case("bearer") => Ok(token.trim()),
        _ => Err(raise::bad_token()),
    }
}

/// Whether a body says that it is JSON.
pub(crate) fn is_json(headers: &HeaderMap) -> bool {
    let mut values = headers.get_all(CONTENT_TYPE).iter();
    let (Some(one), None) = (values.next(), values.next()) else { return false };
    let kind = one.to_str().unwrap_or_default().split(';').next().unwrap_or_default().trim();
    kind.eq_ignore_ascii_case("application/json")
}

/// The whole body.
pub(crate) async fn body(headers: &HeaderMap, mut body: Incoming) -> Result<Bytes, Problem> {
    let plain = |v: &http::HeaderValue| v.as_bytes().eq_ignore_ascii_case(b"identity");
    if !headers.get_all(CONTENT_ENCODING).iter().all(plain) {
        return Err(raise::encoded_body());
    }
    let reading = async {
        let mut bytes = BytesMut::new();
        while let Some(frame) = body.frame().await {
            let Ok(data) = frame.map_err(|_| raise::body_broken())?.into_data() else { continue };
            if bytes.len() + data.len() > MOST_BODY_BYTES {
                return Err(raise::too_large(MOST_BODY_BYTES));
            }
            bytes.extend_from_slice(&data);
        }
        Ok(bytes.freeze())
    };
    tokio::time::timeout(BODY_TIME, reading).await.map_err(|_| raise::body_timeout())?
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(pairs: &[(&'static str, &str)]) -> HeaderMap {
        let mut map = HeaderMap::new();
        for (name, value) in pairs {
            map.append(*name, value.parse().expect("a header"));
        }
        map
    }

    #[test]
    fn a_token_stands_alone_behind_its_scheme() {
        assert_eq!(token(&headers(&[("authorization", "Bearer bsa_x")])), Ok("bsa_x"));
        assert_eq!(token(&headers(&[("authorization", "bearer  bsa_x ")])), Ok("bsa_x"));
        for (pairs, code) in [
            (vec![], "auth.missing"),
            (vec![("authorization", " ")], "auth.missing"),
            (vec![("cookie", "bastide_session=x")], "auth.missing"),
            (vec![("authorization", "bsa_x")], "auth.refused"),
            (vec![("authorization", "Basic eDp5")], "auth.refused"),
            (vec![("authorization", "Bearer a"), ("authorization", "Bearer b")], "auth.refused"),
        ] {
            assert_eq!(token(&headers(&pairs)).map_err(|p| p.code), Err(code), "{pairs:?}");
        }
    }

    #[test]
    fn only_json_is_json() {
        for good in ["application/json", "Application/JSON; charset=utf-8"] {
            assert!(is_json(&headers(&[("content-type", good)])), "{good}");
        }
        for bad in ["", "text/plain", "application/jsonp", "application/x-www-form-urlencoded"] {
            assert!(!is_json(&headers(&[("content-type", bad)])), "{bad}");
        }
        assert!(!is_json(&HeaderMap::new()));
    }
}
