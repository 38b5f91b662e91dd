//! One request to the console, with everything a page needs to answer it.

use std::net::IpAddr;
use std::sync::Arc;

use bastide_admin::Admin;
use bastide_gateway::Visitor;
use bastide_identity::{Authorized, SecondFactor, SessionPrincipal};
use bastide_types::{Permission, Timestamp};
use http::HeaderMap;
use http::header::{HOST, REFERER};

use super::form::Fields;
use super::refusal::Refusal;
use super::reply::Reply;
use super::route::Route;
use super::server::{Console, user_agent};
use super::{cookie, cookie::Lasts};
use crate::design::{
    Bare, Callout, Context, Csrf, Flash, Href, Html, Link, Paragraph, Shell, Text, Theme, Tone,
};
use crate::nav;

/// One request.
pub(crate) struct Visit<'c> {
    pub(crate) console: &'c Arc<Console>,
    pub(crate) visitor: Visitor,
    pub(crate) route: Route,
    /// Path and query, to come back to.
    pub(crate) target: String,
    /// What stands for `{}` in the path, decoded.
    pub(crate) segments: Vec<String>,
    pub(crate) query: Fields,
    pub(crate) form: Fields,
    /// Whose session it is; absent on public routes only.
    who: Option<Arc<SessionPrincipal>>,
    authorized: Option<Authorized>,
    context: Context,
    pub(crate) user_agent: String,
    /// What the page that sent this was, as the browser says.
    pub(crate) referer: String,
    /// Whether the visitor sits at this machine, as far as can be told: what a proxy passed on does not.
    pub(crate) local: bool,
    /// The name in `host`, which the listener has checked.
    pub(crate) host: String,
    /// Whether this browser has had a receipt verified.
    pub(crate) has_verified: bool,
    /// Only the part of the page that comes again is asked for.
    pub(crate) fragment: bool,
    /// The last event that a stream which broke off had given.
    pub(crate) last_event: Option<u64>,
}

/// What a visit is made of.
pub(crate) struct Parts<'c> {
    pub(crate) console: &'c Arc<Console>,
    pub(crate) visitor: Visitor,
    pub(crate) route: Route,
    pub(crate) target: String,
    pub(crate) segments: Vec<String>,
    pub(crate) query: Fields,
    pub(crate) form: Fields,
    pub(crate) who: Option<Arc<SessionPrincipal>>,
    pub(crate) authorized: Option<Authorized>,
}

const FLASH_COOKIE: &str = "bastide_flash";
pub(crate) const THEME_COOKIE: &str = "bastide_theme";
/// Set when a receipt was verified on the page of first steps: that step is then done.
pub(crate) const VERIFIED_COOKIE: &str = "bastide_verified";
/// What browsers call themselves is at most a few hundred bytes.
const MOST_USER_AGENT: usize = 512;

impl<'c> Visit<'c> {
    pub(crate) fn new(parts: Parts<'c>, headers: &HeaderMap) -> Self {
        let Parts { console, visitor, route, target, segments, query, form, who, authorized } = parts;
        let user_agent = user_agent(headers);
        let theme = Theme::named(cookie::read(headers, THEME_COOKIE, visitor.tls).unwrap_or_default());
        let said = cookie::read(headers, FLASH_COOKIE, visitor.tls).and_then(bastide_gateway::path_segment);
        let flashes = said.and_then(|code| flash::read(&code)).into_iter().collect();
        let context = context(console, who.as_deref(), theme, flashes);
        let user_agent = user_agent.chars().take(MOST_USER_AGENT).collect();
        let text = |name| headers.get(name).and_then(|v| v.to_str().ok()).unwrap_or_default().to_owned();
        let (referer, host) = (text(REFERER), text(HOST));
        let passed_on = ["forwarded", "x-forwarded-for", "x-real-ip", "via"];
        let local = visitor.address.is_loopback()
            && !passed_on.iter().any(|name| headers.contains_key(*name))
            && is_loopback_name(&host);
        let has_verified = cookie::read(headers, VERIFIED_COOKIE, visitor.tls).is_some();
        let fragment = headers.contains_key("x-fragment");
        let last_event =
            headers.get("last-event-id").and_then(|v| v.to_str().ok()).and_then(|id| id.parse().ok());
        Visit {
            console,
            visitor,
            route,
            target,
            segments,
            query,
            form,
            who,
            authorized,
            context,
            user_agent,
            referer,
            local,
            host,
            has_verified,
            fragment,
            last_event,
        }
    }

    /// The operations.
    pub(crate) fn admin(&self) -> &Arc<Admin> {
        &self.console.admin
    }

    /// Now.
    pub(crate) fn now(&self) -> Timestamp {
        self.console.admin.node.clock.now()
    }

    pub(crate) fn address(&self) -> IpAddr {
        self.visitor.address
    }

    /// The first segment that stands for `{}`.
    pub(crate) fn segment(&self) -> &str {
        self.segments.first().map(String::as_str).unwrap_or_default()
    }

    /// Whoever is signed in.
    ///
    /// # Errors
    /// On a public route: nobody is.
    pub(crate) fn who(&self) -> Result<&Arc<SessionPrincipal>, Refusal> {
        self.who.as_ref().ok_or_else(|| Refusal::Denied("nobody is signed in".to_owned()))
    }

    /// That they may do what this route is for.
    ///
    /// # Errors
    /// On a route that needs no permission.
    pub(crate) fn authorized(&self) -> Result<Authorized, Refusal> {
        self.authorized.clone().ok_or_else(|| Refusal::Denied("this needs a permission".to_owned()))
    }

    /// That they may do something else, besides what this route is for.
    ///
    /// # Errors
    /// When they may not.
    pub(crate) fn authorise(&self, permission: Permission) -> Result<Authorized, Refusal> {
        let accounts = &self.console.admin.node.accounts;
        accounts.authorise(self.who()?, permission).map_err(|e| Refusal::Denied(e.to_string()))
    }

    /// Whether they may do something else: a page shows its forms only to those who may send them.
    pub(crate) fn may(&self, permission: Permission) -> bool {
        self.who.as_ref().is_some_and(|who| who.may(permission))
    }

    /// Where this server is reached, as the visitor reaches it: `https://ai.example`.
    pub(crate) fn origin(&self) -> String {
        format!("{}://{}", if self.visitor.tls { "https" } else { "http" }, self.host)
    }

    /// The same visit in a session that goes on under another token: its forms carry that one's.
    pub(crate) fn renewed(&self, session: &Arc<SessionPrincipal>) -> Visit<'c> {
        let csrf = Csrf::new(session.csrf());
        Visit {
            console: self.console,
            visitor: self.visitor,
            route: self.route,
            target: self.target.clone(),
            segments: self.segments.clone(),
            query: self.query.clone(),
            form: self.form.clone(),
            who: Some(Arc::clone(session)),
            authorized: self.authorized.clone(),
            context: Context { csrf, ..self.context.clone() },
            user_agent: self.user_agent.clone(),
            referer: self.referer.clone(),
            local: self.local,
            host: self.host.clone(),
            has_verified: self.has_verified,
            fragment: self.fragment,
            last_event: self.last_event,
        }
    }

    /// What all pages of this request share.
    pub(crate) fn context(&self) -> &Context {
        &self.context
    }

    /// The token that a form of this request's pages carries.
    pub(crate) fn csrf(&self) -> Csrf {
        self.context.csrf.clone()
    }

    /// A page with navigation.
    pub(crate) fn shell(&self, title: impl Into<Text>, at: &Href) -> Shell<'_> {
        Shell::new(title, at, &self.context)
    }

    /// A page without navigation.
    pub(crate) fn bare(&self, title: impl Into<Text>) -> Bare {
        Bare::new(title, self.context.theme, self.context.version.clone())
    }

    /// The page itself is the answer.
    pub(crate) fn page(&self, page: &Shell<'_>) -> Reply {
        let reply = Reply::page(page.render());
        // What was said is said.
        match self.context.flashes.is_empty() {
            true => reply,
            false => reply.cookie(&cookie::write(FLASH_COOKIE, "", self.visitor.tls, Lasts::Gone)),
        }
    }

    /// To another page, which says what there is to know about a change that goes without saying.
    pub(crate) fn onward(&self, to: &str, warnings: &[String]) -> Reply {
        match warnings {
            [] => Reply::see_other(to),
            warnings => Reply::see_other(to).cookie(&self.saying(&flash::Said::warning(warnings.join("; ")))),
        }
    }

    /// To another page, which says what was done.
    pub(crate) fn done(&self, to: &Href, said: &flash::Said) -> Reply {
        Reply::see_other(to.as_str()).cookie(&self.saying(said))
    }

    fn saying(&self, said: &flash::Said) -> String {
        cookie::write(FLASH_COOKIE, &said.code(), self.visitor.tls, Lasts::Seconds(60))
    }
}

/// Whether a `host` header names the machine itself.
fn is_loopback_name(host: &str) -> bool {
    let name = match host.strip_prefix('[') {
        Some(rest) => rest.split(']').next().unwrap_or_default(),
        None => host.rsplit_once(':').map_or(host, |(name, _)| name),
    };
    name.eq_ignore_ascii_case("localhost") || name.parse::<IpAddr>().is_ok_and(|ip| ip.is_loopback())
}

fn context(console: &Console, who: Option<&SessionPrincipal>, theme: Theme, flashes: Vec<Flash>) -> Context {
    Context {
        nav: who.map(nav::nav).unwrap_or_default(),
        user: who.map(|w| Text::from(w.name.as_str())).unwrap_or_default(),
        user_note: who.map(|w| Text::from(w.role().as_str())).unwrap_or_default(),
        theme,
        csrf: Csrf::new(who.map(|w| w.csrf()).unwrap_or_default()),
        project: None,
        health: Some(console.health()),
        flashes,
        notices: who.and_then(|w| second_factor(console, w)).into_iter().collect(),
        version: console.version(),
    }
}

/// What is wrong with this person's account, until they mend it.
fn second_factor(console: &Console, who: &SessionPrincipal) -> Option<Callout> {
    let factor = console.admin.node.accounts.second_factor(who.user).ok()?;
    let title = match factor {
        SecondFactor::There => return None,
        SecondFactor::Deferred | SecondFactor::Missing => "Your account has no second factor",
    };
    let words = Html::from("Whoever learns your password is in. ")
        .then(Link::new(Href::page("/console/account"), "Set up an authenticator app"));
    Some(Callout::new(Tone::Flag, title).body(Paragraph::new(words)))
}

/// What an action leaves to be said on the next page. It travels in a cookie of a minute, so it is bounded, and never
/// anything secret.
pub(crate) mod flash {
    use crate::design::Flash;

    /// Something to say.
    pub(crate) struct Said {
        good: bool,
        text: String,
    }

    /// A cookie holds four kilobytes, and percent-encoding takes three bytes for one.
    const MOST_BYTES: usize = 1_200;

    fn shortened(text: &str) -> String {
        match text.len() > MOST_BYTES {
            true => format!("{}…", text.get(..text.floor_char_boundary(MOST_BYTES)).unwrap_or_default()),
            false => text.to_owned(),
        }
    }

    impl Said {
        /// It was done.
        pub(crate) fn good(text: impl Into<String>) -> Self {
            Said { good: true, text: text.into() }
        }

        /// It was done, and there is something to know about it.
        pub(crate) fn warning(text: impl Into<String>) -> Self {
            Said { good: false, text: text.into() }
        }

        /// Done, and what the change had to say besides.
        pub(crate) fn done(text: impl Into<String>, answer: &serde_json::Value) -> Self {
            let warnings = answer["warnings"].as_array().into_iter().flatten();
            let warnings: Vec<String> = warnings.filter_map(|w| w.as_str().map(str::to_owned)).collect();
            Said::made(text, &warnings)
        }

        /// Done, with these warnings.
        pub(crate) fn made(text: impl Into<String>, warnings: &[String]) -> Self {
            match warnings {
                [] => Said::good(text),
                warnings => Said::warning(format!("{}; {}", text.into(), warnings.join("; "))),
            }
        }

        pub(crate) fn code(&self) -> String {
            let mut code = String::from(if self.good { "g" } else { "w" });
            for byte in shortened(&self.text).bytes() {
                match byte {
                    b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'.' | b'_' => {
                        code.push(char::from(byte))
                    }
                    _ => code.push_str(&format!("%{byte:02X}")),
                }
            }
            code
        }
    }

    /// From a cookie: whoever can set one of ours can at most say something, in text.
    pub(crate) fn read(code: &str) -> Option<Flash> {
        let mut chars = code.chars();
        let kind = chars.next()?;
        let text = shortened(chars.as_str());
        match kind {
            'g' => Some(Flash::done(text)),
            'w' => Some(Flash::failed(text)),
            _ => None,
        }
    }
}
