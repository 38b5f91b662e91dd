//! Where spans go, and which: settings that are right once they exist.

use std::fmt;
use std::time::Duration;

use http::header::{CONNECTION, CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_TYPE, HOST, TRANSFER_ENCODING};
use http::{HeaderMap, HeaderName, HeaderValue, Uri};

use super::context::{Parent, TraceId};

/// Headers that the exporter sets itself, or that would break the framing.
const RESERVED: [HeaderName; 6] =
    [CONNECTION, CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_TYPE, HOST, TRANSFER_ENCODING];

/// Where the spans of exchanges go, and which of them.
#[derive(Clone, Debug)]
pub struct Telemetry {
    /// The collector.
    pub endpoint: Endpoint,
    /// Headers of every export.
    pub headers: ExportHeaders,
    /// What the spans say about this process; `service.name` among them.
    pub resource: Vec<(String, String)>,
    /// Which traces are exported.
    pub sampler: Sampler,
    /// Longest wait for the collector's answer to one export.
    pub timeout: Duration,
    /// Whether providers learn the trace context. They have no business with it by default.
    pub propagate: bool,
}

/// A telemetry setting that cannot be used. No variant shows a header or a URL that may carry a credential.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum TelemetryError {
    /// No URL.
    #[error(
        "`{0}` is not the URL of an OTLP receiver; write it as `http://127.0.0.1:4318` or `https://otel.example.org`"
    )]
    Url(String),
    /// A URL with a part that this one may not have.
    #[error(
        "the URL has a user name, a query or a fragment; give the bare address, and credentials as a header in \
         `OTEL_EXPORTER_OTLP_HEADERS`"
    )]
    UrlParts,
    /// Plain HTTP to another machine.
    #[error(
        "`{0}` would carry in plain text over the network who uses which model; use `https://`, a collector on \
         loopback, or set `telemetry.plain_http = true` (`OTEL_EXPORTER_OTLP_INSECURE=true`)"
    )]
    PlainHttp(String),
    /// An entry of the headers.
    #[error("entry {0} is not `name=value` with a name and a value that a header can carry")]
    Header(usize),
    /// A header that is not the operator's to set.
    #[error("`{0}` is set by the exporter itself; leave it out")]
    ReservedHeader(HeaderName),
    /// No sampler.
    #[error(
        "`{0}` is not a sampler; use `always_on`, `always_off`, `traceidratio`, `parentbased_always_on`, \
         `parentbased_always_off` or `parentbased_traceidratio`"
    )]
    Sampler(String),
    /// No ratio.
    #[error("`{0}` is not a ratio; give a number from 0 to 1, e.g. `0.1`")]
    Ratio(String),
}

/// The URL that spans are posted to.
#[derive(Clone, PartialEq, Eq)]
pub struct Endpoint(Uri);

impl Endpoint {
    /// The traces path below the base URL of an OTLP receiver.
    ///
    /// # Errors
    /// When it is no URL, could carry a credential, or is plain HTTP to another machine without `plain_http`.
    pub fn below(base: &str, plain_http: bool) -> Result<Self, TelemetryError> {
        checked(base)?;
        Endpoint::exact(&format!("{}/v1/traces", base.trim_end_matches('/')), plain_http)
    }

    /// Exactly this URL.
    ///
    /// # Errors
    /// As [`Endpoint::below`].
    pub fn exact(url: &str, plain_http: bool) -> Result<Self, TelemetryError> {
        let uri = checked(url)?;
        let host = uri.host().unwrap_or_default();
        let ip = host.trim_matches(['[', ']']).parse::<std::net::IpAddr>().ok();
        let loopback = host.eq_ignore_ascii_case("localhost") || ip.is_some_and(|ip| ip.is_loopback());
        match uri.scheme_str() {
            Some("http") if !loopback && !plain_http => Err(TelemetryError::PlainHttp(url.to_owned())),
            _ => Ok(Endpoint(uri)),
        }
    }

    pub(crate) const fn uri(&self) -> &Uri {
        &self.0
    }
}

fn checked(url: &str) -> Result<Uri, TelemetryError> {
    if url.contains(['@', '?', '#']) {
        return Err(TelemetryError::UrlParts);
    }
    let wrong = || TelemetryError::Url(url.to_owned());
    let uri: Uri = url.parse().map_err(|_| wrong())?;
    let known = matches!(uri.scheme_str(), Some("http" | "https"));
    if known && uri.host().is_some_and(|h| !h.is_empty()) { Ok(uri) } else { Err(wrong()) }
}

impl fmt::Display for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.0, f)
    }
}

impl fmt::Debug for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.0, f)
    }
}

/// Headers of an export: collectors take their credentials here, so only the names print.
#[derive(Clone, Default)]
pub struct ExportHeaders(HeaderMap);

impl ExportHeaders {
    /// From names and values.
    ///
    /// # Errors
    /// When a header cannot carry one of them, or the exporter sets it itself.
    pub fn new(
        pairs: impl IntoIterator<Item = (impl AsRef<str>, impl AsRef<str>)>,
    ) -> Result<Self, TelemetryError> {
        let mut map = HeaderMap::new();
        for (i, (name, value)) in pairs.into_iter().enumerate() {
            let wrong = || TelemetryError::Header(i + 1);
            let name = HeaderName::from_bytes(name.as_ref().as_bytes()).map_err(|_| wrong())?;
            let mut value = HeaderValue::from_str(value.as_ref()).map_err(|_| wrong())?;
            value.set_sensitive(true);
            if RESERVED.contains(&name) {
                return Err(TelemetryError::ReservedHeader(name));
            }
            map.insert(name, value);
        }
        Ok(ExportHeaders(map))
    }

    /// Their names.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.0.keys().map(HeaderName::as_str)
    }

    pub(crate) const fn map(&self) -> &HeaderMap {
        &self.0
    }
}

impl fmt::Debug for ExportHeaders {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.0.keys()).finish()
    }
}

/// Which traces are exported.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sampler {
    /// Traces whose number is below this, of 2^63; `None`: all of them.
    below: Option<u64>,
    /// Whether a caller that already decided decides.
    parent_based: bool,
}

impl Default for Sampler {
    /// `parentbased_always_on`
    fn default() -> Self {
        Sampler { below: None, parent_based: true }
    }
}

impl Sampler {
    /// By the names of `OTEL_TRACES_SAMPLER` and its argument.
    ///
    /// # Errors
    /// When there is no such sampler, or the argument is no ratio.
    pub fn named(name: &str, argument: Option<&str>) -> Result<Self, TelemetryError> {
        let (parent_based, root) = match name.strip_prefix("parentbased_") {
            Some(root) => (true, root),
            None => (false, name),
        };
        let below = match root {
            "always_on" => None,
            "always_off" => Some(0),
            "traceidratio" => argument.map_or(Ok(None), ratio)?,
            _ => return Err(TelemetryError::Sampler(name.to_owned())),
        };
        Ok(Sampler { below, parent_based })
    }

    pub(crate) fn samples(&self, trace: TraceId, parent: Option<&Parent>) -> bool {
        if let (true, Some(parent)) = (self.parent_based, parent) {
            return parent.sampled;
        }
        // The same bits that the SDKs take, so that services with the same ratio agree on a trace.
        let [.., a, b, c, d, e, f, g, h] = trace.0;
        self.below.is_none_or(|limit| u64::from_be_bytes([a, b, c, d, e, f, g, h]) >> 1 < limit)
    }
}

fn ratio(text: &str) -> Result<Option<u64>, TelemetryError> {
    const STEPS: f64 = 9_223_372_036_854_775_808.0; // 2^63
    match text.trim().parse::<f64>() {
        Ok(1.0) => Ok(None),
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "the product lies between 0 and 2^63"
        )]
        Ok(ratio) if (0.0..1.0).contains(&ratio) => Ok(Some((ratio * STEPS) as u64)),
        _ => Err(TelemetryError::Ratio(text.to_owned())),
    }
}

#[cfg(test)]
mod tests {
    use super::super::context::SpanId;
    use super::*;

    #[test]
    fn an_endpoint_is_a_url_that_cannot_leak() {
        let shown = |e: Result<Endpoint, TelemetryError>| e.map(|e| e.to_string());
        let below = |url| shown(Endpoint::below(url, false));
        assert_eq!(below("http://127.0.0.1:4318").as_deref(), Ok("http://127.0.0.1:4318/v1/traces"));
        assert_eq!(below("https://otel.example/a/").as_deref(), Ok("https://otel.example/a/v1/traces"));
        assert_eq!(below("http://[::1]:4318").as_deref(), Ok("http://[::1]:4318/v1/traces"));
        let exact = shown(Endpoint::exact("https://otel.example/in", false));
        assert_eq!(exact.as_deref(), Ok("https://otel.example/in"));
        for bad in ["", "127.0.0.1:4318", "ftp://a", "grpc://a:4317", "/v1/traces", "http://"] {
            assert_eq!(below(bad), Err(TelemetryError::Url(bad.to_owned())), "{bad}");
        }
        for bad in ["https://user:hunter2@a", "https://a?key=hunter2", "https://a#hunter2"] {
            let message = below(bad).expect_err(bad).to_string();
            assert!(
                message.contains("OTEL_EXPORTER_OTLP_HEADERS") && !message.contains("hunter2"),
                "{message}"
            );
        }
        let far = "http://collector:4318";
        assert!(below(far).is_err_and(|e| e.to_string().contains("telemetry.plain_http")));
        assert!(Endpoint::below(far, true).is_ok());
        assert!(below("http://127.0.0.1.evil.example").is_err());
    }

    #[test]
    fn header_values_do_not_print() {
        let headers = ExportHeaders::new([("authorization", "Bearer hunter2")]).expect("valid");
        assert_eq!(format!("{headers:?}"), "[\"authorization\"]");
        assert_eq!(ExportHeaders::new([("a", "b"), ("c", "d\n")]).err(), Some(TelemetryError::Header(2)));
        assert_eq!(ExportHeaders::new([("", "b")]).err(), Some(TelemetryError::Header(1)));
        assert_eq!(ExportHeaders::new([("Host", "b")]).err(), Some(TelemetryError::ReservedHeader(HOST)));
    }

    #[test]
    fn samplers_decide_as_the_sdks_do() {
        let low = TraceId([0, 0, 0, 0, 0, 0, 0, 0, 0x10, 0, 0, 0, 0, 0, 0, 0]);
        let high = TraceId([0xff; 16]);
        let parent = |sampled| Parent { trace: low, span: SpanId([1; 8]), sampled, state: None };
        for (name, argument, [on_low, on_high, under_sampled, under_unsampled]) in [
            ("always_on", None, [true, true, true, true]),
            ("always_off", None, [false; 4]),
            ("traceidratio", Some("0.5"), [true, false, false, false]),
            ("traceidratio", Some("1"), [true; 4]),
            ("traceidratio", Some("0"), [false; 4]),
            ("parentbased_always_on", None, [true, true, true, false]),
            ("parentbased_always_off", None, [false, false, true, false]),
            ("parentbased_traceidratio", Some("0.5"), [true, false, true, false]),
        ] {
            let sampler = Sampler::named(name, argument).expect(name);
            assert_eq!(sampler.samples(low, None), on_low, "{name}");
            assert_eq!(sampler.samples(high, None), on_high, "{name}");
            assert_eq!(sampler.samples(high, Some(&parent(true))), under_sampled, "{name}");
            assert_eq!(sampler.samples(high, Some(&parent(false))), under_unsampled, "{name}");
        }
        for bad in ["", "jaeger_remote", "parentbased_", "Always_On"] {
            assert!(Sampler::named(bad, None).is_err(), "{bad}");
        }
        for bad in ["", "2", "-0.1", "NaN", "half"] {
            assert!(Sampler::named("traceidratio", Some(bad)).is_err(), "{bad}");
        }
    }
}
