//! The messages of OpenTelemetry's logs (opentelemetry-proto 1.x, `logs/v1/logs.proto`, `common/v1/common.proto`), as far as
//! they are read. What there may be any number of is decoded one by one.

use std::iter;

use prost::DecodeError;
use prost::bytes::{Buf, Bytes};
use prost::encoding::{DecodeContext, bytes, decode_key, skip_field};

/// Where `ExportLogsServiceRequest`, also `LogsData`, has its `ResourceLogs`.
pub(super) const RESOURCE_LOGS: u32 = 1;

/// Where `ResourceLogs` has its `ScopeLogs`.
pub(super) const SCOPE_LOGS: u32 = 2;

/// Where `ScopeLogs` has its [`LogRecord`]s.
pub(super) const LOG_RECORDS: u32 = 2;

/// Where `Resource` has its attributes, each a [`KeyValue`].
pub(super) const RESOURCE_ATTRIBUTES: u32 = 1;

/// Where [`LogRecord`] has its attributes, each a [`KeyValue`].
pub(super) const RECORD_ATTRIBUTES: u32 = 6;

/// Where `ArrayValue` has its values, each an [`AnyValue`], and `KeyValueList`, each a [`KeyValue`].
pub(super) const VALUES: u32 = 1;

/// `ResourceLogs` without its `ScopeLogs`.
#[derive(Clone, PartialEq, prost::Message)]
pub(super) struct ResourceLogs {
    #[prost(bytes = "bytes", optional, tag = "1")]
    pub(super) resource: Option<Bytes>,
}

/// `ScopeLogs` without its [`LogRecord`]s.
#[derive(Clone, PartialEq, prost::Message)]
pub(super) struct ScopeLogs {
    #[prost(message, optional, tag = "1")]
    pub(super) scope: Option<Scope>,
}

#[derive(Clone, PartialEq, prost::Message)]
pub(super) struct Scope {
    #[prost(string, tag = "1")]
    pub(super) name: String,
}

/// `LogRecord` without its attributes.
#[derive(Clone, PartialEq, prost::Message)]
pub(super) struct LogRecord {
    #[prost(fixed64, tag = "1")]
    pub(super) time_unix_nano: u64,
    #[prost(int32, tag = "2")]
    pub(super) severity_number: i32,
    #[prost(string, tag = "3")]
    pub(super) severity_text: String,
    #[prost(message, optional, tag = "5")]
    pub(super) body: Option<AnyValue>,
    #[prost(uint32, tag = "7")]
    pub(super) dropped_attributes_count: u32,
    #[prost(fixed32, tag = "8")]
    pub(super) flags: u32,
    #[prost(bytes = "vec", tag = "9")]
    pub(super) trace_id: Vec<u8>,
    #[prost(bytes = "vec", tag = "10")]
    pub(super) span_id: Vec<u8>,
    #[prost(fixed64, tag = "11")]
    pub(super) observed_time_unix_nano: u64,
    #[prost(string, tag = "12")]
    pub(super) event_name: String,
}

#[derive(Clone, PartialEq, prost::Message)]
pub(super) struct KeyValue {
    #[prost(string, tag = "1")]
    pub(super) key: String,
    #[prost(message, optional, tag = "2")]
    pub(super) value: Option<AnyValue>,
}

#[derive(Clone, PartialEq, prost::Message)]
pub(super) struct AnyValue {
    #[prost(oneof = "any_value::Value", tags = "1, 2, 3, 4, 5, 6, 7")]
    pub(super) value: Option<any_value::Value>,
}

/// The kinds of [`AnyValue`].
pub(super) mod any_value {
    use prost::bytes::Bytes;

    #[derive(Clone, PartialEq, prost::Oneof)]
    pub(in crate::otlp) enum Value {
        #[prost(string, tag = "1")]
        String(String),
        #[prost(bool, tag = "2")]
        Bool(bool),
        #[prost(int64, tag = "3")]
        Int(i64),
        #[prost(double, tag = "4")]
        Double(f64),
        #[prost(bytes = "bytes", tag = "5")]
        Array(Bytes),
        #[prost(bytes = "bytes", tag = "6")]
        KeyValues(Bytes),
        #[prost(bytes, tag = "7")]
        Bytes(Vec<u8>),
    }
}

/// The messages that a message has in a field, one after the other, so that no list of them is built.
pub(super) fn messages(mut of: Bytes, field: u32) -> impl Iterator<Item = Result<Bytes, DecodeError>> {
    iter::from_fn(move || {
        while of.has_remaining() {
            match next(&mut of, field) {
                Ok(None) => {}
                Ok(Some(message)) => return Some(Ok(message)),
                Err(error) => {
                    of.clear();
                    return Some(Err(error));
                }
            }
        }
        None
    })
}

/// The next field, if it is this one.
fn next(of: &mut Bytes, field: u32) -> Result<Option<Bytes>, DecodeError> {
    let (tag, wire_type) = decode_key(of)?;
    if tag != field {
        skip_field(wire_type, tag, of, DecodeContext::default())?;
        return Ok(None);
    }
    let mut message = Bytes::new();
    bytes::merge(wire_type, &mut message, of, DecodeContext::default())?;
    Ok(Some(message))
}
