//! The routes of the data plane, each with who may use it.
//!
//! A route is a variant; [`Route::access`] matches all of them, so a route without an access rule does not compile
//! (the failure behind CVE-2026-0545 and CVE-2026-59822: a second set of routes that no check covered). The route is
//! found once, from the parsed path, and everything after works on the variant.

use http::Method;

/// A route.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Route {
    /// `POST /v1/chat/completions`
    ChatCompletions,
    /// `GET /v1/models`
    Models,
    /// `GET /v1/models/{model}`
    Model,
    /// `GET /healthz`
    Healthz,
    /// `GET /readyz`
    Readyz,
    /// `GET /metrics`
    Metrics,
}

/// Who may use a route.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Access {
    /// A valid key; what it may do is decided by policy.
    Key,
    /// Peers on loopback.
    Loopback,
    /// Anyone, and why that is right.
    Public {
        /// Why.
        because: &'static str,
    },
}

/// Why a request has no route.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NoRoute {
    /// Nothing at this path.
    Path,
    /// Another method.
    Method(&'static str),
}

impl Route {
    /// Every route, for the sweep test and the reference.
    pub const ALL: &'static [Route] =
        &[Route::ChatCompletions, Route::Models, Route::Model, Route::Healthz, Route::Readyz, Route::Metrics];

    /// Who may use it.
    #[must_use]
    pub const fn access(self) -> Access {
        match self {
            Route::ChatCompletions | Route::Models | Route::Model => Access::Key,
            Route::Healthz => {
                Access::Public { because: "a load balancer has no key; it says only that we live" }
            }
            Route::Readyz => {
                Access::Public { because: "a load balancer has no key; it says only ready or not" }
            }
            Route::Metrics => Access::Loopback,
        }
    }

    /// Method and path, as printed and recorded; never the raw path of a request.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Route::ChatCompletions => "POST /v1/chat/completions",
            Route::Models => "GET /v1/models",
            Route::Model => "GET /v1/models/{model}",
            Route::Healthz => "GET /healthz",
            Route::Readyz => "GET /readyz",
            Route::Metrics => "GET /metrics",
        }
    }

    /// The route of a request. `path` is the path as received, compared byte for byte: no decoding, no folding, no
    /// dot segments, so there is no second reading of it.
    ///
    /// # Errors
    /// Nothing there, or another method.
    pub fn find(method: &Method, path: &str) -> Result<Route, NoRoute> {
        let (route, wanted, allowed) = match path {
            "/v1/chat/completions" => (Route::ChatCompletions, Method::POST, "POST"),
            "/v1/models" => (Route::Models, Method::GET, "GET"),
            "/healthz" => (Route::Healthz, Method::GET, "GET"),
            "/readyz" => (Route::Readyz, Method::GET, "GET"),
            "/metrics" => (Route::Metrics, Method::GET, "GET"),
            _ if path.strip_prefix("/v1/models/").is_some_and(|m| !m.is_empty()) => {
                (Route::Model, Method::GET, "GET")
            }
            _ => return Err(NoRoute::Path),
        };
        if method == wanted || (wanted == Method::GET && method == Method::HEAD) {
            Ok(route)
        } else {
            Err(NoRoute::Method(allowed))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_route_is_found_by_its_name() {
        for route in Route::ALL {
            let (method, path) = route.name().split_once(' ').expect("method and path");
            let method: Method = method.parse().expect("a method");
            assert_eq!(Route::find(&method, &path.replace("{model}", "m")), Ok(*route));
        }
    }

    #[test]
    fn look_alike_paths_are_no_routes() {
        for path in [
            "/v1/chat/completions/",
            "/V1/chat/completions",
            "//v1/models",
            "/v1/./models",
            "/v1/models/",
            "/",
        ] {
            assert_eq!(Route::find(&Method::GET, path), Err(NoRoute::Path), "{path}");
        }
        assert_eq!(Route::find(&Method::GET, "/v1/chat/completions"), Err(NoRoute::Method("POST")));
    }
}
