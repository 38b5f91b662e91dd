//! Answers of the console, each with the headers that keep a page to itself.

use std::convert::Infallible;

use bastide_gateway::Body;
use bytes::Bytes;
use http::header::{
    CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE, HeaderName, LOCATION, REFERRER_POLICY, SET_COOKIE,
    STRICT_TRANSPORT_SECURITY, X_CONTENT_TYPE_OPTIONS, X_FRAME_OPTIONS,
};
use http::{HeaderValue, Response, StatusCode};
use http_body_util::combinators::UnsyncBoxBody;

use crate::design;

/// An answer in the making.
pub(crate) struct Reply(Response<Body>);

impl Reply {
    fn new(status: StatusCode, kind: &'static str, body: Bytes) -> Self {
        let mut response = Response::new(Body::full(body));
        *response.status_mut() = status;
        response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(kind));
        Reply(response)
    }

    /// A page.
    pub(crate) fn page(html: String) -> Self {
        Reply::page_with(StatusCode::OK, html)
    }

    /// A page that is not what was asked for.
    pub(crate) fn page_with(status: StatusCode, html: String) -> Self {
        Reply::new(status, "text/html; charset=utf-8", html.into())
    }

    /// A sentence to a program, or to a page that is not ours.
    pub(crate) fn plain(status: StatusCode, why: &'static str) -> Self {
        Reply::new(status, "text/plain; charset=utf-8", Bytes::from_static(why.as_bytes()))
    }

    /// To another page; a form that was posted is not posted again.
    pub(crate) fn see_other(location: &str) -> Self {
        let mut reply = Reply::new(StatusCode::SEE_OTHER, "text/plain; charset=utf-8", Bytes::new());
        // INVARIANT: locations are made of our own paths and percent-encoded text.
        let location = HeaderValue::from_str(location).unwrap_or(HeaderValue::from_static("/console"));
        reply.0.headers_mut().insert(LOCATION, location);
        reply
    }

    /// Text to be saved or read by a program.
    pub(crate) fn text(kind: &'static str, text: impl Into<Bytes>) -> Self {
        Reply::new(StatusCode::OK, kind, text.into())
    }

    /// Events as they come.
    pub(crate) fn events(body: UnsyncBoxBody<Bytes, Infallible>) -> Self {
        let mut response = Response::new(Body::other(body));
        response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("text/event-stream"));
        // Proxies that gather a page before they send it would hold events back.
        response
            .headers_mut()
            .insert(HeaderName::from_static("x-accel-buffering"), HeaderValue::from_static("no"));
        Reply(response)
    }

    /// A file of the console's own.
    pub(crate) fn asset(asset: &'static design::Asset) -> Self {
        let mut reply = Reply::new(StatusCode::OK, asset.content_type, Bytes::from_static(asset.bytes));
        let keep = HeaderValue::from_static(design::ASSET_CACHE_CONTROL);
        reply.0.headers_mut().insert(CACHE_CONTROL, keep);
        reply
    }

    /// With another cookie.
    pub(crate) fn cookie(mut self, cookie: &str) -> Self {
        if let Ok(value) = HeaderValue::from_str(cookie) {
            self.0.headers_mut().append(SET_COOKIE, value);
        }
        self
    }

    /// With another header.
    pub(crate) fn header(mut self, name: &'static str, value: &str) -> Self {
        if let Ok(value) = HeaderValue::from_str(value) {
            self.0.headers_mut().insert(HeaderName::from_static(name), value);
        }
        self
    }

    /// As it is sent.
    pub(crate) fn finish(self, tls: bool) -> Response<Body> {
        const ALWAYS: [(HeaderName, &str); 4] = [
            (CONTENT_SECURITY_POLICY, design::CONTENT_SECURITY_POLICY),
            (X_CONTENT_TYPE_OPTIONS, "nosniff"),
            (X_FRAME_OPTIONS, "DENY"),
            (REFERRER_POLICY, "same-origin"),
        ];
        const ISOLATED: [(&str, &str); 3] = [
            ("cross-origin-opener-policy", "same-origin"),
            ("cross-origin-resource-policy", "same-origin"),
            ("permissions-policy", "camera=(), geolocation=(), microphone=(), payment=(), usb=()"),
        ];
        let mut response = self.0;
        let headers = response.headers_mut();
        for (name, value) in ALWAYS {
            headers.insert(name, HeaderValue::from_static(value));
        }
        for (name, value) in ISOLATED {
            headers.insert(HeaderName::from_static(name), HeaderValue::from_static(value));
        }
        if !headers.contains_key(CACHE_CONTROL) {
            // What one person may see must not wait in a cache for the next one.
            headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
        }
        if tls {
            headers.insert(STRICT_TRANSPORT_SECURITY, HeaderValue::from_static("max-age=31536000"));
        }
        response
    }
}
