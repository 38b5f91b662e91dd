//! Every route of the console, each with who may use it.
//!
//! One table: a route is found in it once, and its row says who may come in before anything else happens. A route
//! without a row does not exist, and one without a handler does not compile.

use bastide_types::Permission as P;
use http::Method;

/// Who may use a route.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Access {
    /// Anyone, and why that is right.
    Public {
        /// Why.
        because: &'static str,
    },
    /// Whoever is signed in.
    SignedIn,
    /// The same, and has proved who they are of late.
    SignedInFresh,
    /// Whoever is signed in and has the permission.
    May(P),
    /// The same, and has proved who they are of late.
    Fresh(P),
}

macro_rules! routes {
    ($($route:ident = $method:ident $path:literal, $access:expr;)+) => {
        /// A route.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        #[expect(missing_docs, reason = "method and path say it")]
        pub enum Route { $($route,)+ }

        impl Route {
            /// Every route, for the sweep test and the reference.
            pub const ALL: &'static [Route] = &[$(Route::$route,)+];

            /// Its method.
            #[must_use]
            pub const fn method(self) -> Method {
                match self { $(Route::$route => Method::$method,)+ }
            }

            /// Its path; `{}` stands for one segment.
            #[must_use]
            pub const fn path(self) -> &'static str {
                match self { $(Route::$route => $path,)+ }
            }

            /// Who may use it.
            #[must_use]
            pub const fn access(self) -> Access {
                match self { $(Route::$route => $access,)+ }
            }

            /// Method and path, as recorded; never the raw path of a request.
            #[must_use]
            pub const fn name(self) -> &'static str {
                match self { $(Route::$route => concat!(stringify!($method), " ", $path),)+ }
            }
        }
    };
}

use Access::{Fresh, May, SignedIn, SignedInFresh};

const SIGN_IN: Access = Access::Public { because: "nobody is signed in yet; attempts are counted" };
const SETUP: Access =
    Access::Public { because: "there is no user yet; the code in the server's output is asked for" };

routes! {
    Assets = GET "/console/assets/{}", Access::Public { because: "style and script, the same for everyone" };
    Setup = GET "/console/setup", SETUP;
    SetupPost = POST "/console/setup", SETUP;
    SignIn = GET "/console/sign-in", SIGN_IN;
    SignInPost = POST "/console/sign-in", SIGN_IN;
    SignOut = POST "/console/sign-out", SignedIn;
    Theme = POST "/console/theme", SignedIn;
    Design = GET "/console/design", SignedIn;

    Overview = GET "/console", May(P::TrafficView);
    Live = GET "/console/live", May(P::TrafficView);
    LiveEvents = GET "/console/live/events", May(P::TrafficView);
    Exchanges = GET "/console/exchanges", May(P::TrafficView);
    Exchange = GET "/console/exchanges/{}", May(P::TrafficView);
    ExchangeReveal = POST "/console/exchanges/{}/reveal", Fresh(P::BodiesReveal);
    Findings = GET "/console/findings", May(P::TrafficView);

    Models = GET "/console/models", May(P::ConfigView);
    ProviderAdd = POST "/console/providers", Fresh(P::ProvidersManage);
    ProviderTest = POST "/console/providers/{}/test", May(P::ProvidersManage);
    ProviderRemove = POST "/console/providers/{}/remove", Fresh(P::ProvidersManage);
    ProjectCreate = POST "/console/projects", May(P::ProjectsManage);
    Keys = GET "/console/keys", May(P::ConfigView);
    KeyCreate = POST "/console/keys", Fresh(P::KeysManage);
    Key = GET "/console/keys/{}", May(P::ConfigView);
    KeyRotate = POST "/console/keys/{}/rotate", Fresh(P::KeysManage);
    KeyRevoke = POST "/console/keys/{}/revoke", May(P::KeysManage);
    KeyErase = POST "/console/keys/{}/erase", Fresh(P::SubjectsErase);
    Policies = GET "/console/policies", May(P::ConfigView);
    PoliciesEdit = GET "/console/policies/edit", May(P::PoliciesManage);
    PoliciesCheck = POST "/console/policies/check", May(P::PoliciesManage);
    PoliciesSet = POST "/console/policies", Fresh(P::PoliciesManage);
    PoliciesTry = GET "/console/policies/try", May(P::ConfigView);
    PoliciesTryDraft = POST "/console/policies/try", May(P::ConfigView);
    PoliciesVersion = GET "/console/policies/versions/{}", May(P::ConfigView);
    Guard = GET "/console/guard", May(P::ConfigView);
    GuardEdit = GET "/console/guard/edit", May(P::GuardManage);
    GuardPreview = POST "/console/guard/preview", May(P::GuardManage);
    GuardSet = POST "/console/guard", Fresh(P::GuardManage);
    GuardVersion = GET "/console/guard/versions/{}", May(P::ConfigView);

    Log = GET "/console/log", May(P::LogView);
    LogEntry = GET "/console/log/{}", May(P::LogView);
    LogCheckpoint = GET "/console/log/checkpoint", May(P::LogView);
    ReceiptCheck = POST "/console/log/receipt", May(P::LogView);

    Playground = GET "/console/playground", May(P::TextInspect);
    PlaygroundTry = POST "/console/playground", May(P::TextInspect);
    Guide = GET "/console/guide", May(P::TextInspect);
    GuideSend = POST "/console/guide/send", May(P::TextInspect);
    GuideVerify = POST "/console/guide/verify", May(P::LogView);

    Users = GET "/console/users", May(P::UsersManage);
    UserCreate = POST "/console/users", Fresh(P::UsersManage);
    UserRole = POST "/console/users/{}/role", Fresh(P::UsersManage);
    UserDisable = POST "/console/users/{}/disable", Fresh(P::UsersManage);
    UserEnable = POST "/console/users/{}/enable", Fresh(P::UsersManage);
    UserSignOut = POST "/console/users/{}/sign-out", May(P::UsersManage);
    UserPassword = POST "/console/users/{}/password", Fresh(P::UsersManage);
    UserTotpRemove = POST "/console/users/{}/totp-remove", Fresh(P::UsersManage);
    UserRemove = POST "/console/users/{}/remove", Fresh(P::UsersManage);
    Account = GET "/console/account", SignedIn;
    AccountPassword = POST "/console/account/password", SignedIn;
    AccountTotpBegin = POST "/console/account/totp", SignedInFresh;
    AccountTotpConfirm = POST "/console/account/totp/confirm", SignedInFresh;
    AccountTotpDefer = POST "/console/account/totp/defer", SignedIn;
    AccountTokenCreate = POST "/console/account/tokens", SignedInFresh;
    AccountSessionEnd = POST "/console/account/sessions/{}/end", SignedIn;
    Settings = GET "/console/settings", May(P::ConfigView);
    System = GET "/console/system", May(P::ConfigView);
    SystemReload = POST "/console/system/reload", May(P::SystemManage);
    SystemLogLevel = POST "/console/system/log-level", May(P::SystemManage);
}

/// Why a request has no route.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum NoRoute {
    /// Nothing at this path.
    Path,
    /// Another method.
    Method,
}

impl Route {
    /// The route of a request, and the segments that stand for `{}`, as they came. Written-out segments win over `{}`.
    pub(crate) fn find<'p>(method: &Method, path: &'p str) -> Result<(Route, Vec<&'p str>), NoRoute> {
        let mut best: Option<(Route, Vec<&str>)> = None;
        let mut at_path = false;
        for route in Route::ALL {
            let Some(segments) = matches(route.path(), path) else { continue };
            at_path = true;
            // A HEAD is a GET whose body nobody reads.
            let wanted = route.method();
            let fits = *method == wanted || (*method == Method::HEAD && wanted == Method::GET);
            if fits && best.as_ref().is_none_or(|(_, other)| segments.len() < other.len()) {
                best = Some((*route, segments));
            }
        }
        best.ok_or(if at_path { NoRoute::Method } else { NoRoute::Path })
    }
}

fn matches<'p>(pattern: &str, path: &'p str) -> Option<Vec<&'p str>> {
    let mut found = Vec::new();
    let (mut pattern, mut path) = (pattern.split('/'), path.split('/'));
    loop {
        match (pattern.next(), path.next()) {
            (None, None) => return Some(found),
            (Some("{}"), Some(segment)) if !segment.is_empty() => found.push(segment),
            (Some(wanted), Some(segment)) if wanted == segment => {}
            _ => return None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_route_is_found_by_its_name() {
        for route in Route::ALL {
            let path = route.path().replace("{}", "thing");
            let found = Route::find(&route.method(), &path);
            assert_eq!(found.map(|(r, _)| r), Ok(*route), "{path}");
        }
    }

    #[test]
    fn written_out_segments_win_and_look_alikes_are_nothing() {
        let find = |path| Route::find(&Method::GET, path).map(|(route, _)| route);
        assert_eq!(find("/console/log/checkpoint"), Ok(Route::LogCheckpoint));
        assert_eq!(find("/console/log/7"), Ok(Route::LogEntry));
        for path in
            ["/console/", "/console//keys", "/Console", "/console/keys/", "/console/keys/a/b/c", "/", ""]
        {
            assert_eq!(find(path), Err(NoRoute::Path), "{path}");
        }
        assert_eq!(Route::find(&Method::DELETE, "/console/keys").map(|(r, _)| r), Err(NoRoute::Method));
        assert_eq!(find("/console/sign-out"), Err(NoRoute::Method), "nobody is signed out by a link");
    }

    #[test]
    fn nothing_is_changed_by_a_get() {
        for route in Route::ALL.iter().filter(|r| r.method() == Method::GET) {
            assert!(!matches!(route.access(), Fresh(_) | SignedInFresh), "{route:?}");
        }
    }

    #[test]
    fn the_public_routes_are_these() {
        let public: Vec<&str> = Route::ALL
            .iter()
            .filter(|r| matches!(r.access(), Access::Public { .. }))
            .map(|r| r.path())
            .collect();
        // This list only shrinks.
        assert_eq!(
            public,
            [
                "/console/assets/{}",
                "/console/setup",
                "/console/setup",
                "/console/sign-in",
                "/console/sign-in"
            ]
        );
    }
}
