//! Writes the trace messages of OTLP (<https://opentelemetry.io/docs/specs/otlp/>, opentelemetry-proto 1.x) as protobuf.
//!
//! Written by hand: nine small messages that we only ever write, against twenty crates that the SDK and its exporter would
//! bring. The tests read them back with the generated types of the `opentelemetry-proto` crate.

use std::borrow::Cow;

use super::context::{SpanId, TraceId};

/// What a span stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Internal,
    Server,
    Client,
}

/// An attribute's name: ours and the conventions' are fixed, those of categories are put together.
pub(crate) type Key = Cow<'static, str>;

/// The value of an attribute.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Value<'a> {
    Text(&'a str),
    Owned(String),
    Bool(bool),
    Int(u64),
    Double(f64),
    List(Vec<&'a str>),
}

/// One span, complete.
#[derive(Clone, Debug)]
pub(crate) struct Span<'a> {
    pub(crate) trace: TraceId,
    pub(crate) id: SpanId,
    pub(crate) parent: Option<SpanId>,
    /// Whether the parent is another process's.
    pub(crate) remote: bool,
    pub(crate) state: Option<&'a str>,
    pub(crate) name: String,
    pub(crate) kind: Kind,
    /// Nanoseconds since the Unix epoch.
    pub(crate) start: u64,
    pub(crate) end: u64,
    pub(crate) failed: bool,
    pub(crate) attributes: Vec<(Key, Value<'a>)>,
}

/// An `ExportTraceServiceRequest` of one resource and one scope.
pub(crate) fn request<'a>(
    resource: &[(String, String)],
    spans: impl IntoIterator<Item = Span<'a>>,
) -> Vec<u8> {
    let mut out = Writer::default();
    out.message(1, |resource_spans| {
        resource_spans.message(1, |message| {
            for (key, value) in resource {
                message.attribute(1, key, &Value::Text(value));
            }
        });
        resource_spans.message(2, |scope_spans| {
            scope_spans.message(1, |scope| {
                scope.text(1, env!("CARGO_PKG_NAME"));
                scope.text(2, env!("CARGO_PKG_VERSION"));
            });
            for one in spans {
                scope_spans.message(2, |message| span(message, &one));
            }
        });
    });
    out.0
}

fn span(out: &mut Writer, span: &Span<'_>) {
    out.bytes(1, &span.trace.0);
    out.bytes(2, &span.id.0);
    if let Some(state) = span.state {
        out.text(3, state);
    }
    if let Some(parent) = span.parent {
        out.bytes(4, &parent.0);
    }
    out.text(5, &span.name);
    out.int(
        6,
        match span.kind {
            Kind::Internal => 1,
            Kind::Server => 2,
            Kind::Client => 3,
        },
    );
    out.fixed64(7, span.start);
    out.fixed64(8, span.end.max(span.start));
    for (key, value) in &span.attributes {
        out.attribute(9, key, value);
    }
    if span.failed {
        // STATUS_CODE_ERROR
        out.message(15, |status| status.int(3, 2));
    }
    // W3C `sampled`; that we know whether the parent is remote; that it is.
    out.fixed32(16, 0x001 | 0x100 | if span.remote { 0x200 } else { 0 });
}

/// Protobuf's wire format: a tag, then a number or a length and so many bytes.
#[derive(Default)]
struct Writer(Vec<u8>);

impl Writer {
    fn varint(&mut self, mut n: u64) {
        loop {
            let low = u8::try_from(n & 0x7f).unwrap_or(0);
            n >>= 7;
            if n == 0 {
                return self.0.push(low);
            }
            self.0.push(low | 0x80);
        }
    }

    fn tag(&mut self, field: u32, wire_type: u32) {
        self.varint(u64::from(field << 3 | wire_type));
    }

    fn int(&mut self, field: u32, n: u64) {
        self.tag(field, 0);
        self.varint(n);
    }

    fn fixed64(&mut self, field: u32, n: u64) {
        self.tag(field, 1);
        self.0.extend_from_slice(&n.to_le_bytes());
    }

    fn bytes(&mut self, field: u32, bytes: &[u8]) {
        self.tag(field, 2);
        self.varint(u64::try_from(bytes.len()).unwrap_or(0));
        self.0.extend_from_slice(bytes);
    }

    fn text(&mut self, field: u32, text: &str) {
        self.bytes(field, text.as_bytes());
    }

    fn fixed32(&mut self, field: u32, n: u32) {
        self.tag(field, 5);
        self.0.extend_from_slice(&n.to_le_bytes());
    }

    fn message(&mut self, field: u32, write: impl FnOnce(&mut Writer)) {
        let mut inner = Writer::default();
        write(&mut inner);
        self.bytes(field, &inner.0);
    }

    fn attribute(&mut self, field: u32, key: &str, value: &Value<'_>) {
        self.message(field, |pair| {
            pair.text(1, key);
            pair.message(2, |any| any.value(value));
        });
    }

    fn value(&mut self, value: &Value<'_>) {
        match value {
            Value::Text(text) => self.text(1, text),
            Value::Owned(text) => self.text(1, text),
            Value::Bool(set) => self.int(2, u64::from(*set)),
            // An int64 on the wire: what does not fit would read as negative.
            Value::Int(n) => self.int(3, (*n).min(i64::MAX.unsigned_abs())),
            Value::Double(n) => {
                self.tag(4, 1);
                self.0.extend_from_slice(&n.to_le_bytes());
            }
            Value::List(texts) => self.message(5, |array| {
                for text in texts {
                    array.message(1, |any| any.text(1, text));
                }
            }),
        }
    }
}

#[cfg(test)]
mod tests {
    use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
    use opentelemetry_proto::tonic::common::v1::any_value;
    use proptest::prelude::*;
    use prost::Message as _;

    use super::*;

    fn text(value: &str) -> any_value::Value {
        any_value::Value::StringValue(value.to_owned())
    }

    proptest! {
        #[test]
        fn the_generated_types_read_what_was_written(
            (trace, id, parent, remote) in any::<([u8; 16], [u8; 8], Option<[u8; 8]>, bool)>(),
            (state, name, label) in (prop::option::of("[a-z]=.{1,20}"), ".{1,300}", ".{0,20}"),
            start in 1..u64::from(u32::MAX),
            (took, n, x, failed) in any::<(u32, u64, f64, bool)>(),
            list in prop::collection::vec(".{0,8}", 0..4),
            resource in prop::collection::vec((".{1,8}", ".{0,200}"), 0..3),
        ) {
            let end = start + u64::from(took);
            let span = Span {
                trace: TraceId(trace),
                id: SpanId(id),
                parent: parent.map(SpanId),
                remote,
                state: state.as_deref(),
                name: name.clone(),
                kind: Kind::Client,
                start,
                end,
                failed,
                attributes: vec![
                    ("text".into(), Value::Text(&label)),
                    ("owned".into(), Value::Owned(label.clone())),
                    ("int".into(), Value::Int(n)),
                    ("double".into(), Value::Double(x)),
                    ("bool".into(), Value::Bool(failed)),
                    ("list".into(), Value::List(list.iter().map(String::as_str).collect())),
                ],
            };
            let bytes = request(&resource, [span.clone(), span]);
            let read = ExportTraceServiceRequest::decode(bytes.as_slice()).expect("it is protobuf");
            prop_assert_eq!(read.encoded_len(), bytes.len(), "no field is unknown to the reader");
            let [group] = &read.resource_spans[..] else { panic!("one resource") };
            let attributes = &group.resource.as_ref().expect("a resource").attributes;
            prop_assert_eq!(attributes.len(), resource.len());
            for (got, (key, value)) in attributes.iter().zip(&resource) {
                prop_assert_eq!(&got.key, key);
                prop_assert_eq!(got.value.as_ref().and_then(|v| v.value.clone()), Some(text(value)));
            }
            let [scope] = &group.scope_spans[..] else { panic!("one scope") };
            prop_assert_eq!(scope.scope.as_ref().map(|s| s.name.as_str()), Some("bastide-gateway"));
            let [got, _] = &scope.spans[..] else { panic!("two spans") };
            prop_assert_eq!((&got.trace_id[..], &got.span_id[..]), (&trace[..], &id[..]));
            prop_assert_eq!(&got.parent_span_id[..], parent.as_ref().map_or(&[][..], |p| &p[..]));
            prop_assert_eq!(&got.trace_state, state.as_deref().unwrap_or_default());
            prop_assert_eq!((&got.name, got.kind), (&name, 3));
            prop_assert_eq!((got.start_time_unix_nano, got.end_time_unix_nano), (start, end));
            prop_assert_eq!(got.status.as_ref().map(|s| s.code), failed.then_some(2));
            prop_assert_eq!(got.flags, if remote { 0x301 } else { 0x101 });
            let values: Vec<_> =
                got.attributes.iter().filter_map(|a| a.value.clone().and_then(|v| v.value)).collect();
            prop_assert_eq!(&values[..2], &[text(&label), text(&label)]);
            let int = i64::try_from(n).unwrap_or(i64::MAX);
            prop_assert_eq!(&values[2], &any_value::Value::IntValue(int));
            let any_value::Value::DoubleValue(double) = values[3] else { panic!("a double") };
            prop_assert_eq!(double.to_bits(), x.to_bits());
            prop_assert_eq!(&values[4], &any_value::Value::BoolValue(failed));
            let any_value::Value::ArrayValue(array) = &values[5] else { panic!("a list") };
            let array: Vec<_> = array.values.iter().filter_map(|v| v.value.clone()).collect();
            prop_assert_eq!(array, list.iter().map(|t| text(t)).collect::<Vec<_>>());
        }
    }
}
