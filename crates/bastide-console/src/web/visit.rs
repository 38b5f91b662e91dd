//! One request to the console, with everything a page needs to answer it.

use std::net::IpAddr;
use std::sync::Arc;

use bastide_admin::Admin;
use bastide_gateway::Visitor;
use bastide_identity::{Authorized, SessionPrincipal};
use bastide_types::{Permission, Timestamp};
use http::HeaderMap;

use super::form::Fields;
use super::refusal::Refusal;
use super::reply::Reply;
use super::route::Route;
use super::server::{Console, user_agent};
use super::{cookie, cookie::Lasts};
use crate::design::{Bare, Context, Csrf, Flash, Href, Shell, Text, Theme};
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
/// What browsers call themselves is at most a few hundred bytes.
const MOST_USER_AGENT: usize = 512;

impl<'c> Visit<'c> {
    pub(crate) fn new(parts: Parts<'c>, headers: &HeaderMap) -> Self {
        let Parts { console, visitor, route, target, segments, query, form, who, authorized } = parts;
        let user_agent = user_agent(headers);
        let theme = Theme::named(cookie::read(headers, THEME_COOKIE).unwrap_or_default());
        let said = cookie::read(headers, FLASH_COOKIE).and_then(super::form::segment);
        let flashes = said.and_then(|code| flash::read(&code)).into_iter().collect();
        let context = context(console, who.as_deref(), theme, flashes);
        let user_agent = user_agent.chars().take(MOST_USER_AGENT).collect();
        Visit { console, visitor, route, target, segments, query, form, who, authorized, context, user_agent }
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

    /// Whether they may do something else: a page shows its forms only to those who may send them.
    pub(crate) fn may(&self, permission: Permission) -> bool {
        self.who.as_ref().is_some_and(|who| who.may(permission))
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

    /// To another page, which says what was done.
    pub(crate) fn done(&self, to: &Href, said: &flash::Said) -> Reply {
        let code = said.code();
        let cookie = cookie::write(FLASH_COOKIE, &code, self.visitor.tls, Lasts::Seconds(60));
        Reply::see_other(to.as_str()).cookie(&cookie)
    }
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
        version: console.version(),
    }
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

    /// A cookie holds four kilobytes; percent-encoding takes three bytes for one.
    const MOST_CHARS: usize = 400;

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
            let warnings: Vec<&str> =
                answer["warnings"].as_array().into_iter().flatten().filter_map(|w| w.as_str()).collect();
            match warnings.is_empty() {
                true => Said::good(text),
                false => Said::warning(format!("{}; {}", text.into(), warnings.join("; "))),
            }
        }

        pub(crate) fn code(&self) -> String {
            let mut code = String::from(if self.good { "g" } else { "w" });
            for byte in self.text.chars().take(MOST_CHARS).collect::<String>().bytes() {
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
        let text: String = chars.as_str().chars().take(MOST_CHARS).collect();
        match kind {
            'g' => Some(Flash::done(text)),
            'w' => Some(Flash::failed(text)),
            _ => None,
        }
    }
}
