//! The console as a surface of the gateway's listener.

use std::sync::Arc;
use std::time::{Duration, Instant};

use bastide_admin::{Admin, Credentials, Failure, Made, NotIn, Places, Server};
use bastide_gateway::{Answer, Body, Surface, Visitor, path_segment};
use bastide_identity::SessionCarrier;
use bastide_identity::{AuthoriseError, SecondFactor, SessionPrincipal};
use bastide_types::{Secret, Timestamp};
use bytes::{Bytes, BytesMut};
use http::header::{ACCEPT, CONTENT_TYPE, HOST, ORIGIN};
use http::{HeaderMap, HeaderName, HeaderValue, Method, Request, Response, StatusCode};
use http_body_util::BodyExt as _;
use hyper::body::Incoming;
use tokio::sync::{Semaphore, watch};

use super::cookie::{self, Lasts};
use super::form::Fields;
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
/// Streams of live rows at the same time: each is a task and a connection that stays.
const MOST_STREAMS: usize = 64;
/// Of them one person's, a page in each of a few windows.
const MOST_STREAMS_EACH: usize = 8;
/// Pages that are made at the same time; the others wait a moment. A person opens one, and pages read files.
const MOST_AT_ONCE: usize = 16;
/// How long a page waits for its turn.
const SLOT_TIME: Duration = Duration::from_secs(5);
/// The longest of most forms, and of a text for the playground in its encoding.
const MOST_SMALL_BYTES: usize = 256 << 10;
/// The longest form: a policy text.
const MOST_FORM_BYTES: usize = 8 << 20;
/// Long forms that arrive or are answered at the same time: four of the longest are 32 MiB.
const MOST_LONG_FORMS: usize = 4;
/// Of them one person's.
const MOST_LONG_FORMS_EACH: usize = 2;
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
    pub(crate) started: Timestamp,
    /// Who follows the log.
    pub(crate) streams: Arc<Places>,
    /// One permit for each page that may be made at the same time.
    slots: Semaphore,
    /// One permit for each form that may be long.
    long_forms: Arc<Places>,
}

impl Console {
    /// Over these operations.
    #[must_use]
    pub fn new(admin: Arc<Admin>, server: Arc<dyn Server>, stop: watch::Receiver<bool>) -> Self {
        Console {
            started: admin.node.clock.now(),
            admin,
            server,
            stop,
            streams: Places::new(MOST_STREAMS, MOST_STREAMS_EACH),
            slots: Semaphore::new(MOST_AT_ONCE),
            long_forms: Places::new(MOST_LONG_FORMS, MOST_LONG_FORMS_EACH),
        }
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
        // Where something in front ends TLS, cookies are for encrypted connections as well. Whoever says so falsely binds
        // nobody but themselves.
        let ended = head.headers.get("x-forwarded-proto").is_some_and(|proto| proto == "https");
        let visitor = Visitor { tls: visitor.tls || ended, ..visitor };
        let target = head.uri.path_and_query().map_or(ROOT, |t| t.as_str()).to_owned();
        let (route, segments) = match Route::find(&head.method, head.uri.path()) {
            Ok((route, segments)) => (route, segments),
            Err(no_route) => {
                let who = self.session(&head.headers, visitor.tls);
                return self.lost(visitor, target, who, no_route, &head.headers).finish(visitor.tls);
            }
        };
        let Some(segments) = segments.into_iter().map(path_segment).collect::<Option<Vec<_>>>() else {
            return plain(StatusCode::BAD_REQUEST, "the path cannot be read").finish(visitor.tls);
        };
        if head.method == Method::POST && !is_same_site(&head.headers) {
            // Before the session is looked at: another site's form learns nothing from us.
            return plain(StatusCode::FORBIDDEN, "this form came from another site").finish(visitor.tls);
        }
        let who = self.session(&head.headers, visitor.tls);
        let public = matches!(route.access(), Access::Public { .. });
        let most = most_bytes(route, who.as_deref());
        // Held until the answer is made: what was sent is in memory as long.
        let long_form =
            who.as_ref().filter(|_| most > MOST_SMALL_BYTES).map(|who| self.long_forms.take(who.user));
        if matches!(long_form, Some(None)) {
            return busy("too many long forms are being read; try again").finish(visitor.tls);
        }
        let form = match head.method == Method::POST {
            // Nobody gets memory for a form that nobody sent.
            true if who.is_none() && !public => {
                return Reply::see_other("/console/sign-in").finish(visitor.tls);
            }
            true => match read_form(&head.headers, body, most).await {
                Ok(form) => form,
                Err((status, why)) => return plain(status, why).finish(visitor.tls),
            },
            false => Fields::default(),
        };
        let Ok(Ok(_slot)) = tokio::time::timeout(SLOT_TIME, self.slots.acquire()).await else {
            return busy("too many pages are being made; try again").finish(visitor.tls);
        };
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
            Err(Gate::Enrol) => return Reply::see_other("/console/account?first").finish(visitor.tls),
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
        let (Access::Fresh(_) | Access::SignedInFresh, Some(who)) = (parts.route.access(), parts.who.clone())
        else {
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
            // Where the log did not take the outcome, the change behind this waits for it, or is refused.
            Ok(Made { given: issued, .. }) => {
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

    fn session(&self, headers: &HeaderMap, tls: bool) -> Option<Arc<SessionPrincipal>> {
        let token = cookie::read(headers, SESSION_COOKIE, tls)?;
        let accounts = &self.admin.node.accounts;
        let who = match is_asked_by_script(headers) {
            true => accounts.recognise(token).ok()?,
            false => accounts.authenticate(token).ok()?,
        };
        // An API token is for programs: a browser that carries one was handed it by somebody else.
        (who.carrier == SessionCarrier::Browser).then_some(who)
    }

    /// Whether the visitor may come in at all.
    fn admit(&self, parts: &mut Parts<'_>) -> Result<(), Gate> {
        let needs = match parts.route.access() {
            Access::Public { .. } => return Ok(()),
            Access::SignedIn => (None, false),
            Access::SignedInFresh => (None, true),
            Access::May(permission) => (Some(permission), false),
            Access::Fresh(permission) => (Some(permission), true),
        };
        let who = parts.who.clone().ok_or(Gate::SignIn)?;
        if parts.route.method() == Method::POST && !who.check_csrf(parts.form.get("csrf").unwrap_or_default())
        {
            return Err(Gate::Refused(Refusal::Forged));
        }
        let accounts = &self.admin.node.accounts;
        if accounts.second_factor(who.user).is_ok_and(|factor| factor == SecondFactor::Missing)
            && !needs_no_second_factor(parts.route)
        {
            return Err(Gate::Enrol);
        }
        let (permission, fresh) = needs;
        match permission.map(|permission| accounts.authorise(&who, permission)).transpose() {
            Ok(authorized) => parts.authorized = authorized,
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
        // What was typed a little off, and the address of a form that was reloaded.
        let path = target.split('?').next().unwrap_or_default();
        let near = match no_route {
            NoRoute::Path => path.trim_end_matches('/'),
            NoRoute::Method => {
                path.match_indices('/').nth(3).map_or(path, |(at, _)| path.get(..at).unwrap_or(ROOT))
            }
        };
        if near != path && Route::find(&Method::GET, near).is_ok() {
            return Reply::see_other(near);
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

/// Whether somebody may come here who neither has a second factor nor was let off it: what leads to one, and out.
const fn needs_no_second_factor(route: Route) -> bool {
    matches!(
        route,
        Route::Account
            | Route::AccountPassword
            | Route::AccountTotpBegin
            | Route::AccountTotpConfirm
            | Route::AccountTotpDefer
            | Route::SignOut
            | Route::Theme
    )
}

/// Why somebody is not let in.
enum Gate {
    /// Nobody is signed in.
    SignIn,
    /// They are to set up a second factor first.
    Enrol,
    Refused(Refusal),
}

impl Surface for Console {
    fn owns(&self, path: &str) -> bool {
        path == ROOT || path.strip_prefix(ROOT).is_some_and(|rest| rest.starts_with('/'))
    }

    fn answer(self: Arc<Self>, visitor: Visitor, request: Request<Incoming>) -> Answer {
        Box::pin(async move {
            let begun = Instant::now();
            let mut response = self.serve(visitor, request).await;
            let took = format!("app;dur={:.2}", begun.elapsed().as_secs_f64() * 1e3);
            if let Ok(took) = HeaderValue::from_str(&took) {
                response.headers_mut().insert(HeaderName::from_static("server-timing"), took);
            }
            response
        })
    }
}

pub(crate) fn user_agent(headers: &HeaderMap) -> &str {
    headers.get(http::header::USER_AGENT).and_then(|v| v.to_str().ok()).unwrap_or_default()
}

/// Whether the console's script asks by itself: for a part of a page that comes again, or for a stream of events, which a
/// browser opens anew whenever it breaks off. Neither keeps anybody signed in.
fn is_asked_by_script(headers: &HeaderMap) -> bool {
    headers.contains_key("x-fragment") || headers.get(ACCEPT).is_some_and(|kind| kind == "text/event-stream")
}

/// An answer to what no page of ours sends.
fn plain(status: StatusCode, why: &'static str) -> Reply {
    Reply::plain(status, why)
}

/// An answer to what may be asked again in a moment.
fn busy(why: &'static str) -> Reply {
    plain(StatusCode::SERVICE_UNAVAILABLE, why).header("retry-after", "2")
}

/// Whether a form was sent by a page of this site. Browsers say so in `sec-fetch-site`; older ones in `origin`; what says
/// neither is no browser, and has no cookie of one.
fn is_same_site(headers: &HeaderMap) -> bool {
    let text = |name: HeaderName| headers.get(name).map(|v| v.to_str().unwrap_or("?"));
    if let Some(site) = text(HeaderName::from_static("sec-fetch-site"))
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

/// How long the form of a route may be. Who may not send a long one is not given the room for it.
fn most_bytes(route: Route, who: Option<&SessionPrincipal>) -> usize {
    let may = match route.access() {
        Access::May(permission) | Access::Fresh(permission) => who.is_some_and(|who| who.may(permission)),
        Access::Public { .. } | Access::SignedIn | Access::SignedInFresh => false,
    };
    match route {
        Route::PoliciesCheck | Route::PoliciesSet if may => MOST_FORM_BYTES,
        Route::GuardPreview | Route::GuardSet if may => MOST_FORM_BYTES / 8,
        _ => MOST_SMALL_BYTES,
    }
}

async fn read_form(
    headers: &HeaderMap,
    body: Incoming,
    most: usize,
) -> Result<Fields, (StatusCode, &'static str)> {
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
            if bytes.len() + data.len() > most {
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
mod tests;
