//! W3C trace context (<https://www.w3.org/TR/trace-context/>), read strictly: a header that is not exactly what the
//! recommendation says counts as absent, and a new trace begins.

use std::fmt;

use bastide_crypto::Random;
use http::{HeaderMap, HeaderValue};

/// The header that names the parent span.
const TRACEPARENT: &str = "traceparent";
/// The header with what other tracing systems add.
const TRACESTATE: &str = "tracestate";
/// Bytes of a version 00 `traceparent`.
const TRACEPARENT_BYTES: usize = 55;
/// Bytes of `tracestate` that are kept: what the recommendation asks everyone to carry at least (section 3.3.1.5).
const TRACESTATE_BYTES: usize = 512;
/// Members of `tracestate` (section 3.3.1.1).
const TRACESTATE_MEMBERS: usize = 32;
/// Bytes of one key or value of it (section 3.3.1.3).
const MEMBER_BYTES: usize = 256;

/// A trace: 16 bytes that are not all zero.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct TraceId(pub(crate) [u8; 16]);

/// A span of a trace: 8 bytes that are not all zero.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct SpanId(pub(crate) [u8; 8]);

impl TraceId {
    pub(crate) fn new(random: &dyn Random) -> Self {
        TraceId(nonzero(random))
    }
}

impl SpanId {
    pub(crate) fn new(random: &dyn Random) -> Self {
        SpanId(nonzero(random))
    }
}

fn nonzero<const N: usize>(random: &dyn Random) -> [u8; N] {
    let mut bytes = [0; N];
    random.fill(&mut bytes);
    if bytes == [0; N] {
        // All zero means `no span`; a source of randomness that gives it is broken or scripted.
        bytes = [1; N];
    }
    bytes
}

impl fmt::Display for TraceId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|b| write!(f, "{b:02x}"))
    }
}

impl fmt::Display for SpanId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|b| write!(f, "{b:02x}"))
    }
}

/// The span that a request says it belongs to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Parent {
    pub(crate) trace: TraceId,
    pub(crate) span: SpanId,
    pub(crate) sampled: bool,
    /// `tracestate`, put together from its headers.
    pub(crate) state: Option<String>,
}

impl Parent {
    /// The parent that the headers of a request name; `None` where they name none or are not valid.
    pub(crate) fn read(headers: &HeaderMap) -> Option<Self> {
        let mut values = headers.get_all(TRACEPARENT).iter();
        let (Some(value), None) = (values.next(), values.next()) else { return None };
        let (trace, span, flags) = traceparent(value.as_bytes())?;
        let state = tracestate(headers.get_all(TRACESTATE).iter().map(HeaderValue::as_bytes));
        Some(Parent { trace, span, sampled: flags & 1 == 1, state })
    }
}

/// `VERSION-TRACE-PARENT-FLAGS` in lower-case hexadecimal (section 3.2).
fn traceparent(text: &[u8]) -> Option<(TraceId, SpanId, u8)> {
    let (text, more) = text.split_at_checked(TRACEPARENT_BYTES)?;
    let mut parts = text.split(|b| *b == b'-');
    let [version] = hex::<1>(parts.next()?)?;
    let trace = hex::<16>(parts.next()?)?;
    let span = hex::<8>(parts.next()?)?;
    let [flags] = hex::<1>(parts.next()?)?;
    // A later version may say more, after another hyphen (section 4.3); 255 is forbidden.
    let whole = match version {
        0 => more.is_empty(),
        255 => false,
        _ => more.first().is_none_or(|b| *b == b'-'),
    };
    let valid = whole && parts.next().is_none() && trace != [0; 16] && span != [0; 8];
    valid.then_some((TraceId(trace), SpanId(span), flags))
}

fn hex<const N: usize>(text: &[u8]) -> Option<[u8; N]> {
    if text.len() != 2 * N {
        return None;
    }
    let mut out = [0; N];
    for (byte, pair) in out.iter_mut().zip(text.chunks_exact(2)) {
        let [high, low] = pair else { return None };
        *byte = (digit(*high)? << 4) | digit(*low)?;
    }
    Some(out)
}

const fn digit(b: u8) -> Option<u8> {
    match b {
        b'0'..=b'9' => Some(b - b'0'),
        b'a'..=b'f' => Some(b - b'a' + 10),
        _ => None,
    }
}

/// The members of all `tracestate` headers in order, or `None` when there is none or one of them is wrong: then the
/// whole is dropped and `traceparent` stands alone (section 3.3).
fn tracestate<'a>(values: impl Iterator<Item = &'a [u8]>) -> Option<String> {
    let mut members: Vec<(&str, &str)> = Vec::new();
    let mut length = 0;
    for value in values {
        length += value.len();
        if length > TRACESTATE_BYTES {
            return None;
        }
        for member in std::str::from_utf8(value).ok()?.split(',') {
            let member = member.trim_matches([' ', '\t']);
            if member.is_empty() {
                continue;
            }
            let (key, value) = member.split_once('=')?;
            let known = members.iter().any(|(k, _)| *k == key);
            if known || members.len() == TRACESTATE_MEMBERS || !is_key(key) || !is_value(value) {
                return None;
            }
            members.push((key, value));
        }
    }
    let members: Vec<String> = members.iter().map(|(key, value)| format!("{key}={value}")).collect();
    (!members.is_empty()).then(|| members.join(","))
}

fn is_key(key: &str) -> bool {
    let first = key.bytes().next().is_some_and(|b| b.is_ascii_lowercase() || b.is_ascii_digit());
    let rest = key.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b"_-*/@".contains(&b));
    first && rest && key.len() <= MEMBER_BYTES && key.bytes().filter(|b| *b == b'@').count() <= 1
}

fn is_value(value: &str) -> bool {
    !value.is_empty()
        && value.len() <= MEMBER_BYTES
        && value.bytes().all(|b| matches!(b, b' '..=b'~') && b != b',' && b != b'=')
}

/// The context of one of our spans, for a server behind us. The caller's `tracestate` is text that nobody inspected: it
/// goes to the operator's collector and no further.
#[derive(Debug)]
pub(crate) struct Propagated(HeaderValue);

impl Propagated {
    pub(crate) fn new(trace: TraceId, span: SpanId, sampled: bool) -> Option<Self> {
        HeaderValue::from_str(&format!("00-{trace}-{span}-{:02x}", u8::from(sampled))).ok().map(Propagated)
    }

    /// The header that says so.
    pub(crate) const fn header(&self) -> (&'static str, &HeaderValue) {
        (TRACEPARENT, &self.0)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const GOOD: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";

    fn read(pairs: &[(&'static str, &[u8])]) -> Option<Parent> {
        let mut headers = HeaderMap::new();
        for (name, value) in pairs {
            headers.append(*name, HeaderValue::from_bytes(value).ok()?);
        }
        Parent::read(&headers)
    }

    #[test]
    fn the_example_of_the_recommendation_is_read() {
        let state: &[u8] = b"rojo=00f067aa0ba902b7, congo=t61rcWkgMzE";
        let parent = read(&[("traceparent", GOOD.as_bytes()), ("tracestate", state)]).expect("valid");
        assert_eq!(parent.trace.to_string(), "4bf92f3577b34da6a3ce929d0e0e4736");
        assert_eq!(parent.span.to_string(), "00f067aa0ba902b7");
        assert!(parent.sampled);
        assert_eq!(parent.state.as_deref(), Some("rojo=00f067aa0ba902b7,congo=t61rcWkgMzE"));
        let later = format!("cc{}-what-comes-later", &GOOD[2..]);
        assert!(read(&[("traceparent", later.as_bytes())]).is_some());
        let unsampled = format!("{}02", &GOOD[..53]);
        assert!(!read(&[("traceparent", unsampled.as_bytes())]).expect("valid").sampled);
    }

    #[test]
    fn anything_else_is_no_parent() {
        for bad in [
            "",
            "00",
            "ff-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
            "00-4BF92F3577B34DA6A3CE929D0E0E4736-00f067aa0ba902b7-01",
            "00-00000000000000000000000000000000-00f067aa0ba902b7-01",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-0000000000000000-01",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01-more",
            "cc-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01more",
            "00-4bf92f3577b34da6a3ce929d0e0e473-00f067aa0ba902b7-001",
            "00_4bf92f3577b34da6a3ce929d0e0e4736_00f067aa0ba902b7_01",
            " 00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-0",
        ] {
            assert_eq!(read(&[("traceparent", bad.as_bytes())]), None, "{bad}");
        }
        let twice = [("traceparent", GOOD.as_bytes()), ("traceparent", GOOD.as_bytes())];
        assert_eq!(read(&twice), None, "two are none");
    }

    #[test]
    fn a_wrong_tracestate_is_dropped_and_the_parent_stays() {
        let long = format!("a={}", "x".repeat(257));
        let many: String = (0..33).map(|n| format!("k{n}=v,")).collect();
        for bad in
            ["a", "a=", "=a", "A=b", "a=b=c", "a=1,a=2", "a=\u{e9}", "a@b@c=d", long.as_str(), many.as_str()]
        {
            let parent = read(&[("traceparent", GOOD.as_bytes()), ("tracestate", bad.as_bytes())]);
            assert_eq!(parent.expect("the parent stays").state, None, "{bad}");
        }
        let two: [(_, &[u8]); 3] =
            [("traceparent", GOOD.as_bytes()), ("tracestate", b"a=1,,"), ("tracestate", b"\tt@s=2 3")];
        assert_eq!(read(&two).and_then(|p| p.state).as_deref(), Some("a=1,t@s=2 3"));
    }

    proptest! {
        #[test]
        fn what_we_write_is_read_back(trace: [u8; 16], span: [u8; 8], sampled: bool) {
            prop_assume!(trace != [0; 16] && span != [0; 8]);
            let mut headers = HeaderMap::new();
            let propagated = Propagated::new(TraceId(trace), SpanId(span), sampled).expect("a value");
            let (name, value) = propagated.header();
            headers.insert(name, value.clone());
            let parent = Parent { trace: TraceId(trace), span: SpanId(span), sampled, state: None };
            prop_assert_eq!(Parent::read(&headers), Some(parent));
        }

        #[test]
        fn garbage_neither_panics_nor_passes_for_more_than_it_is(
            parent in prop::collection::vec(any::<u8>(), 0..80),
            state in prop::collection::vec(any::<u8>(), 0..700),
        ) {
            if let Some((trace, span, _)) = traceparent(&parent) {
                let shown = format!("{trace}-{span}");
                prop_assert_eq!(&parent[3..52], shown.as_bytes());
            }
            if let Some(kept) = tracestate([state.as_slice()].into_iter()) {
                prop_assert!(kept.len() <= TRACESTATE_BYTES && kept.is_ascii());
                prop_assert_eq!(tracestate([kept.as_bytes()].into_iter()), Some(kept.clone()));
            }
        }

        #[test]
        fn one_wrong_byte_is_noticed(at in 0usize..55, byte: u8) {
            let mut text = GOOD.as_bytes().to_vec();
            text[at] = byte;
            let hyphen = [2, 35, 52].contains(&at);
            let right = if hyphen { byte == b'-' } else { digit(byte).is_some() };
            // Two places are special: version 255, and nothing else here can become zero or longer.
            let version = &text[..2] != b"ff";
            prop_assert_eq!(traceparent(&text).is_some(), right && version);
        }

        #[test]
        fn near_misses_of_a_tracestate_never_panic(text in "[a-z0-9@*/_=, \t-]{0,80}") {
            if let Some(kept) = tracestate([text.as_bytes()].into_iter()) {
                prop_assert_eq!(tracestate([kept.as_bytes()].into_iter()), Some(kept.clone()));
            }
        }
    }
}
