//! A collector of OpenTelemetry: takes what is sent to it over HTTP, as the messages that OpenTelemetry's own crate declares.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::thread;
use std::time::Instant;

use opentelemetry_proto::tonic::collector::metrics::v1::ExportMetricsServiceRequest;
use opentelemetry_proto::tonic::collector::trace::v1::{
    ExportTracePartialSuccess, ExportTraceServiceRequest, ExportTraceServiceResponse,
};
use opentelemetry_proto::tonic::common::v1::any_value::Value;
use opentelemetry_proto::tonic::common::v1::{AnyValue, KeyValue};
use opentelemetry_proto::tonic::metrics::v1::{Metric, metric, number_data_point};
use opentelemetry_proto::tonic::trace::v1::Span;
use prost::Message;

use super::TIMEOUT;

/// What it does with a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Answer {
    /// Takes it.
    Take,
    /// Takes it, and says that so many parts of it were rejected.
    Reject(i64),
    /// Refuses it with this status.
    Refuse(u16),
    /// Reads it, and never answers.
    Nothing,
}

/// A request.
#[derive(Clone, Debug)]
pub(crate) struct Request {
    pub(crate) path: String,
    pub(crate) headers: Vec<(String, String)>,
    body: Vec<u8>,
}

/// A collector, for as long as the test.
pub(crate) struct Collector {
    address: SocketAddr,
    shared: Arc<Shared>,
}

struct Shared {
    answer: Mutex<Answer>,
    requests: Mutex<Vec<Request>>,
    changed: Condvar,
}

/// A value of a metric, by the name of that and its labels.
pub(crate) type Figures = BTreeMap<(String, BTreeMap<String, String>), f64>;

impl Collector {
    /// Listens.
    pub(crate) fn start(answer: Answer) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let address = listener.local_addr().expect("an address");
        let shared = Arc::new(Shared {
            answer: Mutex::new(answer),
            requests: Mutex::default(),
            changed: Condvar::new(),
        });
        let serving = Arc::clone(&shared);
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let shared = Arc::clone(&serving);
                thread::spawn(move || shared.serve(&stream));
            }
        });
        Self { address, shared }
    }

    /// Its URL, for both signals.
    pub(crate) fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Does this with requests from now on.
    pub(crate) fn answers(&self, answer: Answer) {
        *self.shared.answer.lock().unwrap_or_else(PoisonError::into_inner) = answer;
    }

    /// Waits until `look` finds something in the requests that it has taken.
    #[track_caller]
    pub(crate) fn wait<T>(&self, what: &str, look: impl Fn(&[Request]) -> Option<T>) -> T {
        let deadline = Instant::now() + TIMEOUT;
        let mut requests = self.shared.requests.lock().unwrap_or_else(PoisonError::into_inner);
        loop {
            if let Some(found) = look(&requests) {
                return found;
            }
            let left = deadline.saturating_duration_since(Instant::now());
            assert!(!left.is_zero(), "{what} was not received: {:#?}", spans(&requests));
            let waited = self.shared.changed.wait_timeout(requests, left);
            requests = waited.unwrap_or_else(PoisonError::into_inner).0;
        }
    }

    /// Waits for a span that is as it should be.
    #[track_caller]
    pub(crate) fn span(&self, what: &str, is_it: impl Fn(&Span) -> bool) -> Span {
        self.wait(what, |requests| spans(requests).into_iter().find(&is_it))
    }

    /// The paths of the requests that it has taken.
    pub(crate) fn paths(&self) -> BTreeSet<String> {
        let requests = self.shared.requests.lock().unwrap_or_else(PoisonError::into_inner);
        requests.iter().map(|request| request.path.clone()).collect()
    }

    /// The spans that it has taken.
    pub(crate) fn spans(&self) -> Vec<Span> {
        spans(&self.shared.requests.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl Shared {
    /// Answers one request after the other.
    fn serve(&self, stream: &TcpStream) {
        let mut reader = BufReader::new(stream);
        while let Some(request) = read(&mut reader) {
            let answer = *self.answer.lock().unwrap_or_else(PoisonError::into_inner);
            let (status, body) = match answer {
                Answer::Take => (200, Vec::new()),
                Answer::Reject(rejected) => (200, partial_success(rejected)),
                Answer::Refuse(status) => (status, Vec::new()),
                Answer::Nothing => {
                    // Until the client has gone.
                    let _ = reader.read(&mut [0]);
                    return;
                }
            };
            if status == 200 {
                self.requests.lock().unwrap_or_else(PoisonError::into_inner).push(request);
                self.changed.notify_all();
            }
            let head = format!("HTTP/1.1 {status} Whatever\r\ncontent-length: {}\r\n\r\n", body.len());
            if (&*stream).write_all(&[head.into_bytes(), body].concat()).is_err() {
                return;
            }
        }
    }
}

/// That so many spans were rejected; data points of metrics are in the same place.
fn partial_success(rejected_spans: i64) -> Vec<u8> {
    let error_message = "over the\nlimit".to_owned();
    let partial_success = Some(ExportTracePartialSuccess { rejected_spans, error_message });
    ExportTraceServiceResponse { partial_success }.encode_to_vec()
}

/// Reads a request; none if the connection ends.
fn read(reader: &mut impl BufRead) -> Option<Request> {
    let mut lines = Vec::new();
    loop {
        let mut line = String::new();
        if reader.read_line(&mut line).ok()? == 0 {
            return None;
        }
        match line.trim_end() {
            "" => break,
            line => lines.push(line.to_owned()),
        }
    }
    let path = lines.first()?.split(' ').nth(1)?.to_owned();
    let header = |line: &String| {
        let (name, value) = line.split_once(':')?;
        Some((name.to_lowercase(), value.trim().to_owned()))
    };
    let headers: Vec<(String, String)> = lines.iter().skip(1).filter_map(header).collect();
    let length = headers.iter().find(|(name, _)| name == "content-length")?.1.parse().ok()?;
    let mut body = vec![0; length];
    reader.read_exact(&mut body).ok()?;
    Some(Request { path, headers, body })
}

/// The spans in requests.
fn spans(requests: &[Request]) -> Vec<Span> {
    let traces = requests.iter().filter(|request| request.path == "/v1/traces");
    let of = |request: &Request| {
        let message = ExportTraceServiceRequest::decode(&*request.body).expect("a message of OTLP");
        message.resource_spans.into_iter().flat_map(|it| it.scope_spans).flat_map(|it| it.spans)
    };
    traces.flat_map(of).collect()
}

/// What the last request of metrics says of the process, and all its figures: of a histogram, its sum and its count.
pub(crate) fn last_metrics(requests: &[Request]) -> Option<(BTreeMap<String, String>, Figures)> {
    let request = requests.iter().rfind(|request| request.path == "/v1/metrics")?;
    let mut message = ExportMetricsServiceRequest::decode(&*request.body).expect("a message of OTLP");
    let all = message.resource_metrics.pop()?;
    let resource = labels(&all.resource?.attributes);
    let metrics = all.scope_metrics.into_iter().flat_map(|it| it.metrics);
    Some((resource, metrics.flat_map(|metric| figures(&metric)).collect()))
}

/// Which start times the values of this counter have in the last request of metrics, with these values.
pub(crate) fn last_starts(requests: &[Request], name: &str) -> Option<BTreeSet<(u64, String)>> {
    let request = requests.iter().rfind(|request| request.path == "/v1/metrics")?;
    let message = ExportMetricsServiceRequest::decode(&*request.body).expect("a message of OTLP");
    let metrics = message.resource_metrics.into_iter().flat_map(|it| it.scope_metrics);
    let metric = metrics.flat_map(|it| it.metrics).find(|metric| metric.name == name)?;
    let Some(metric::Data::Sum(sum)) = metric.data else { panic!("{name} is {:?}", metric.data) };
    let value = |value| match value {
        Some(number_data_point::Value::AsInt(value)) => value.to_string(),
        Some(number_data_point::Value::AsDouble(value)) => value.to_string(),
        None => panic!("{name} has no value"),
    };
    Some(sum.data_points.into_iter().map(|point| (point.start_time_unix_nano, value(point.value))).collect())
}

fn figures(metric: &Metric) -> Figures {
    let name = metric.name.as_str();
    let points = match metric.data.as_ref().expect("a kind") {
        metric::Data::Gauge(gauge) => &gauge.data_points,
        metric::Data::Sum(sum) => {
            assert_eq!((sum.aggregation_temporality, sum.is_monotonic), (2, true), "{name}");
            &sum.data_points
        }
        metric::Data::Histogram(histogram) => {
            assert_eq!(histogram.aggregation_temporality, 2, "{name}");
            let of = |point: &opentelemetry_proto::tonic::metrics::v1::HistogramDataPoint| {
                assert_eq!(point.bucket_counts.len(), point.explicit_bounds.len() + 1, "{name}");
                assert_eq!(point.bucket_counts.iter().sum::<u64>(), point.count, "{name}");
                let labels = labels(&point.attributes);
                let count = point.count.to_string().parse().expect("a number");
                let figure = |suffix, value| ((format!("{name}{suffix}"), labels.clone()), value);
                [figure("_count", count), figure("_sum", point.sum.expect("a sum"))]
            };
            return histogram.data_points.iter().flat_map(of).collect();
        }
        other => panic!("{name} is {other:?}"),
    };
    let figure = |point: &opentelemetry_proto::tonic::metrics::v1::NumberDataPoint| {
        let value = match point.value.expect("a value") {
            number_data_point::Value::AsDouble(value) => value,
            number_data_point::Value::AsInt(value) => value.to_string().parse().expect("a number"),
        };
        ((name.to_owned(), labels(&point.attributes)), value)
    };
    points.iter().map(figure).collect()
}

/// Attributes as texts.
pub(crate) fn labels(attributes: &[KeyValue]) -> BTreeMap<String, String> {
    let text = |value: &Option<AnyValue>| match value.as_ref().and_then(|value| value.value.as_ref()) {
        Some(Value::StringValue(text)) => text.clone(),
        Some(Value::IntValue(number)) => number.to_string(),
        other => panic!("an attribute is {other:?}"),
    };
    attributes.iter().map(|attribute| (attribute.key.clone(), text(&attribute.value))).collect()
}
