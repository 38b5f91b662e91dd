//! The console as a surface of the gateway's listener.

use std::sync::Arc;
use std::time::Duration;

use bastide_admin::{Admin, Credentials, Failure, NotIn, Server};
use bastide_gateway::{Answer, Body, Surface, Visitor};
use bastide_identity::SessionCarrier;
use bastide_identity::{AuthoriseError, SessionPrincipal};
use bastide_types::Secret;
use bytes::{Bytes, BytesMut};
use http::header::{CONTENT_TYPE, HOST, ORIGIN};
use http::{HeaderMap, Method, Request, Response, StatusCode};
use http_body_util::BodyExt as _;
use hyper::body::Incoming;
use tokio::sync::watch;

use super::cookie::{self, Lasts};
use super::form::{Fields, segment};
use super::refusal::Refusal;
use super::reply::Reply;
use super::route::{Access, NoRoute, Route};
use super::visit::{Parts, Visit};
use crate::design::{Badge, Href, Text, Tone};
use crate::pages;

/// Where every page of the console is.
const ROOT: &str = "/console";
/// The cookie that carries a session.
pub(crate) const SESSION_COOKIE: &str = "bastide_session";
/// With which fields a form proves anew who sends it.
pub(crate) const CONFIRM_PASSWORD: &str = "confirm_password";
pub(crate) const CONFIRM_CODE: &str = "confirm_code";
/// The longest form: a policy text.
const MOST_FORM_BYTES: usize = 8 << 20;
/// How long a form may take to arrive.
const FORM_TIME: Duration = Duration::from_secs(30);
/// How long ago somebody may have proved who they are, for what asks for it.
pub(crate) const FRESH: Duration = Duration::from_secs(10 * 60);

/// The web console.
pub struct Console {
    pub(crate) admin: Arc<Admin>,
    pub(crate) server: Arc<dyn Server>,
    /// Becomes true when the server stops: streams of events end then.
    pub(crate) stop: watch::Receiver<bool>,
}

impl Console {
    /// Over these operations.
    #[must_use]
    pub const fn new(admin: Arc<Admin>, server: Arc<dyn Server>, stop: watch::Receiver<bool>) -> Self {
        Console { admin, server, stop }
    }

    pub(crate) fn version(&self) -> Text {
        Text::from(env!("CARGO_PKG_VERSION"))
    }

    /// How the gateway is, in a word.
    pub(crate) fn health(&self) -> (Badge, Href) {
        let badge = match self.admin.node.log.healthy() {
            Ok(()) => Badge::new(Tone::Allow, "healthy"),
            Err(_) => Badge::new(Tone::Block, "log failing"),
        };
        (badge, Href::page("/console/system"))
    }

    async fn serve(self: Arc<Self>, visitor: Visitor, request: Request<Incoming>) -> Response<Body> {
        let (head, body) = request.into_parts();
        let target = head.uri.path_and_query().map_or(ROOT, |t| t.as_str()).to_owned();
        let (route, segments) = match Route::find(&head.method, head.uri.path()) {
            Ok((route, segments)) => (route, segments),
            Err(no_route) => {
                let who = self.session(&head.headers);
                return self.lost(visitor, target, who, no_route, &head.headers).finish(visitor.tls);
            }
        };
        let Some(segments) = segments.into_iter().map(segment).collect::<Option<Vec<_>>>() else {
            return plain(StatusCode::BAD_REQUEST, "the path cannot be read").finish(visitor.tls);
        };
        let form = match head.method == Method::POST {
            true => match read_form(&head.headers, body).await {
                Ok(form) => form,
                Err((status, why)) => return plain(status, why).finish(visitor.tls),
            },
            false => Fields::default(),
        };
        if head.method == Method::POST && !is_same_site(&head.headers) {
            // Before the session is looked at: another site's form learns nothing from us.
            return plain(StatusCode::FORBIDDEN, "this form came from another site").finish(visitor.tls);
        }
        let who = self.session(&head.headers);
        let query = Fields::parse(head.uri.query().unwrap_or_default().as_bytes());
        let mut parts =
            Parts { console: &self, visitor, route, target, segments, query, form, who, authorized: None };
        let renewed = match self.renew(&mut parts, &head.headers).await {
            Ok(cookie) => cookie,
            Err(refusal) => return refusal.into_reply(&Visit::new(parts, &head.headers)).finish(visitor.tls),
        };
        let refused = match self.admit(&mut parts) {
            Ok(()) => None,
            Err(Gate::SignIn) => {
                let back = Href::page("/console/sign-in");
                let back = match head.method == Method::GET && parts.target != ROOT {
                    true => back.query("next", &parts.target),
                    false => back,
                };
                return Reply::see_other(back.as_str()).finish(visitor.tls);
            }
            Err(Gate::Refused(refusal)) => Some(refusal),
        };
        let visit = Visit::new(parts, &head.headers);
        let mut reply = match refused {
            Some(refusal) => refusal.into_reply(&visit),
            None => match pages::answer(&visit).await {
                Ok(reply) => reply,
                Err(refusal) => refusal.into_reply(&visit),
            },
        };
        if let Some(cookie) = renewed {
            reply = reply.cookie(&cookie);
        }
        reply.finish(visitor.tls)
    }

    /// Where a form carries the answer to [`Refusal::Stale`], proves anew who sent it. Gives the cookie of the session
    /// that goes on.
    async fn renew(&self, parts: &mut Parts<'_>, headers: &HeaderMap) -> Result<Option<String>, Refusal> {
        let (Access::Fresh(_), Some(who)) = (parts.route.access(), parts.who.clone()) else {
            return Ok(None);
        };
        let Some(password) = parts.form.get(CONFIRM_PASSWORD) else { return Ok(None) };
        if !who.check_csrf(parts.form.get("csrf").unwrap_or_default()) {
            return Err(Refusal::Forged);
        }
        let with = Credentials {
            name: who.name.clone(),
            password: Secret::new(password.to_owned()),
            code: parts.form.given(CONFIRM_CODE).map(str::to_owned),
            address: parts.visitor.address,
            user_agent: user_agent(headers).to_owned(),
        };
        match self.admin.step_up(who, with).await {
            Ok(issued) => {
                let tls = parts.visitor.tls;
                let cookie = cookie::write(SESSION_COOKIE, issued.token.expose(), tls, Lasts::Session);
                // The token of the form was the session's of before.
                parts.form.set("csrf", issued.session.csrf());
                parts.who = Some(issued.session);
                Ok(Some(cookie))
            }
            Err(NotIn::Refused) => Err(Refusal::Stale { wrong: true }),
            Err(NotIn::Busy) => Err(Refusal::Failed(Failure::could_not(
                "too many passwords are being checked just now; try again in a moment",
            ))),
            Err(NotIn::Failed(failure)) => Err(Refusal::Failed(failure)),
        }
    }

    fn session(&self, headers: &HeaderMap) -> Option<Arc<SessionPrincipal>> {
        let token = cookie::read(headers, SESSION_COOKIE)?;
        let who = self.admin.node.accounts.authenticate(token).ok()?;
        // An API token is for programs: a browser that carries one was handed it by somebody else.
        (who.carrier == SessionCarrier::Browser).then_some(who)
    }

    /// Whether the visitor may come in at all.
    fn admit(&self, parts: &mut Parts<'_>) -> Result<(), Gate> {
        let needs = match parts.route.access() {
            Access::Public { .. } => return Ok(()),
            Access::SignedIn => None,
            Access::May(permission) => Some((permission, false)),
            Access::Fresh(permission) => Some((permission, true)),
        };
        let who = parts.who.clone().ok_or(Gate::SignIn)?;
        if parts.route.method() == Method::POST && !who.check_csrf(parts.form.get("csrf").unwrap_or_default())
        {
            return Err(Gate::Refused(Refusal::Forged));
        }
        let Some((permission, fresh)) = needs else { return Ok(()) };
        let accounts = &self.admin.node.accounts;
        match accounts.authorise(&who, permission) {
            Ok(authorized) => parts.authorized = Some(authorized),
            Err(AuthoriseError::Session(_)) => return Err(Gate::SignIn),
            Err(AuthoriseError::Denied(denied)) => {
                let name = parts.route.name();
                self.admin.denied(who.actor, name, "identity.forbidden", 403);
                return Err(Gate::Refused(Refusal::Denied(denied.to_string())));
            }
        }
        if fresh && !accounts.is_fresh(&who, FRESH) {
            return Err(Gate::Refused(Refusal::Stale { wrong: false }));
        }
        Ok(())
    }

    fn lost(
        self: &Arc<Self>,
        visitor: Visitor,
        target: String,
        who: Option<Arc<SessionPrincipal>>,
        no_route: NoRoute,
        headers: &HeaderMap,
    ) -> Reply {
        if who.is_none() {
            return match target.trim_end_matches('/') == ROOT {
                true => Reply::see_other("/console"),
                // What there is and what not is for those who are signed in.
                false => Reply::see_other("/console/sign-in"),
            };
        }
        let parts = Parts {
            console: self,
            visitor,
            route: Route::Overview,
            target,
            segments: Vec::new(),
            query: Fields::default(),
            form: Fields::default(),
            who,
            authorized: None,
        };
        let refusal = match no_route {
            NoRoute::Path => Refusal::NotFound("there is no page at this address".to_owned()),
            NoRoute::Method => Refusal::Malformed("this address is for forms of the console".to_owned()),
        };
        refusal.into_reply(&Visit::new(parts, headers))
    }
}

/// Why somebody is not let in.
enum Gate {
    /// Nobody is signed in.
    SignIn,
    Refused(Refusal),
}

impl Surface for Console {
    fn owns(&self, path: &str) -> bool {
        path == ROOT || path.strip_prefix(ROOT).is_some_and(|rest| rest.starts_with('/'))
    }

    fn answer(self: Arc<Self>, visitor: Visitor, request: Request<Incoming>) -> Answer {
        Box::pin(self.serve(visitor, request))
    }
}

pub(crate) fn user_agent(headers: &HeaderMap) -> &str {
    headers.get(http::header::USER_AGENT).and_then(|v| v.to_str().ok()).unwrap_or_default()
}

/// An answer to what no page of ours sends.
fn plain(status: StatusCode, why: &'static str) -> Reply {
    Reply::plain(status, why)
}

/// Whether a form was sent by a page of this site. Browsers say so in `sec-fetch-site`; older ones in `origin`; what says
/// neither is no browser, and has no cookie of one.
fn is_same_site(headers: &HeaderMap) -> bool {
    let text = |name: http::HeaderName| headers.get(name).map(|v| v.to_str().unwrap_or("?"));
    if let Some(site) = text(http::HeaderName::from_static("sec-fetch-site"))
        && !matches!(site, "same-origin" | "none")
    {
        return false;
    }
    match (text(ORIGIN), text(HOST)) {
        (None, _) => true,
        (Some(origin), Some(host)) => {
            let rest = origin.strip_prefix("https://").or_else(|| origin.strip_prefix("http://"));
            rest == Some(host)
        }
        (Some(_), None) => false,
    }
}

async fn read_form(headers: &HeaderMap, body: Incoming) -> Result<Fields, (StatusCode, &'static str)> {
    let kind = headers.get(CONTENT_TYPE).and_then(|v| v.to_str().ok()).unwrap_or_default();
    if !kind.to_ascii_lowercase().starts_with("application/x-www-form-urlencoded") {
        return Err((StatusCode::UNSUPPORTED_MEDIA_TYPE, "forms are application/x-www-form-urlencoded"));
    }
    let reading = async {
        let mut body = body;
        let mut bytes = BytesMut::new();
        while let Some(frame) = body.frame().await {
            let frame = frame.map_err(|_| (StatusCode::BAD_REQUEST, "the form broke off"))?;
            let data: Bytes = frame.into_data().unwrap_or_default();
            if bytes.len() + data.len() > MOST_FORM_BYTES {
                return Err((StatusCode::PAYLOAD_TOO_LARGE, "the form is too large"));
            }
            bytes.extend_from_slice(&data);
        }
        Ok(Fields::parse(&bytes))
    };
    tokio::time::timeout(FORM_TIME, reading)
        .await
        .map_err(|_| (StatusCode::REQUEST_TIMEOUT, "the form did not arrive in time"))?
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(pairs: &[(&'static str, &str)]) -> HeaderMap {
        pairs.iter().map(|(n, v)| (http::HeaderName::from_static(n), v.parse().expect("a header"))).collect()
    }

    #[test]
    fn forms_of_other_sites_are_refused() {
        let host = ("host", "localhost:8800");
        for good in [
            vec![host],
            vec![host, ("origin", "http://localhost:8800"), ("sec-fetch-site", "same-origin")],
            vec![host, ("sec-fetch-site", "none")],
            vec![("host", "ai.example"), ("origin", "https://ai.example")],
        ] {
            assert!(is_same_site(&headers(&good)), "{good:?}");
        }
        for bad in [
            vec![host, ("sec-fetch-site", "cross-site")],
            vec![host, ("sec-fetch-site", "same-site")],
            vec![host, ("origin", "http://localhost:9999")],
            vec![host, ("origin", "null")],
            vec![host, ("origin", "http://localhost:8800.evil.example")],
            vec![("origin", "http://localhost:8800")],
        ] {
            assert!(!is_same_site(&headers(&bad)), "{bad:?}");
        }
    }
}
