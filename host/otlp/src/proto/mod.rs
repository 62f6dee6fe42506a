//! The messages of OTLP, as far as they are written or read: declared by hand, because the crate that has all of them brings an SDK.
//!
//! Source: opentelemetry-proto 1.x, `common/v1/common.proto`, `resource/v1/resource.proto` and, for the answer, the
//! `collector/*/v1/*_service.proto`; those of a signal are in the files beneath.

pub(crate) mod metrics;
pub(crate) mod trace;

#[derive(Clone, PartialEq, prost::Message)]
pub(crate) struct Resource {
    #[prost(message, repeated, tag = "1")]
    pub(crate) attributes: Vec<KeyValue>,
}

/// `InstrumentationScope`.
#[derive(Clone, PartialEq, prost::Message)]
pub(crate) struct Scope {
    #[prost(string, tag = "1")]
    pub(crate) name: String,
    #[prost(string, tag = "2")]
    pub(crate) version: String,
}

#[derive(Clone, PartialEq, prost::Message)]
pub(crate) struct KeyValue {
    #[prost(string, tag = "1")]
    pub(crate) key: String,
    #[prost(message, optional, tag = "2")]
    pub(crate) value: Option<AnyValue>,
}

#[derive(Clone, PartialEq, prost::Message)]
pub(crate) struct AnyValue {
    #[prost(oneof = "Any", tags = "1, 3")]
    pub(crate) value: Option<Any>,
}

#[derive(Clone, PartialEq, prost::Oneof)]
pub(crate) enum Any {
    #[prost(string, tag = "1")]
    Text(String),
    #[prost(int64, tag = "3")]
    Whole(i64),
}

/// What a collector answers, for metrics as for traces: `ExportMetricsServiceResponse`, `ExportTraceServiceResponse`.
#[derive(Clone, PartialEq, prost::Message)]
pub(crate) struct Response {
    #[prost(message, optional, tag = "1")]
    pub(crate) partial_success: Option<PartialSuccess>,
}

/// `ExportMetricsPartialSuccess`, `ExportTracePartialSuccess`.
#[derive(Clone, PartialEq, prost::Message)]
pub(crate) struct PartialSuccess {
    /// How many data points, or spans, were not taken.
    #[prost(int64, tag = "1")]
    pub(crate) rejected: i64,
    /// Why; without rejected ones, what else should be known.
    #[prost(string, tag = "2")]
    pub(crate) error_message: String,
}

impl KeyValue {
    pub(crate) fn text(key: &str, value: impl Into<String>) -> Self {
        Self::new(key, Any::Text(value.into()))
    }

    pub(crate) fn whole(key: &str, value: usize) -> Self {
        Self::new(key, Any::Whole(i64::try_from(value).unwrap_or(i64::MAX)))
    }

    fn new(key: &str, value: Any) -> Self {
        Self { key: key.to_owned(), value: Some(AnyValue { value: Some(value) }) }
    }
}
