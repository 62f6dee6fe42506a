//! Tests of what variables ask for, and of what is refused.

use super::*;

fn options(given: &[(&str, &str)]) -> Result<Option<Options>, VariableError> {
    Options::from_variables(|name| {
        assert!(VARIABLES.contains(&name), "{name} is read");
        given.iter().find(|(other, _)| *other == name).map(|(_, value)| (*value).to_owned())
    })
}

#[track_caller]
fn read(given: &[(&str, &str)]) -> Options {
    options(given).expect("variables that can be used").expect("something is sent")
}

#[track_caller]
fn is_refused(name: &str, value: &str, reason: &str) {
    let mut given = vec![(name, value)];
    if name != "OTEL_EXPORTER_OTLP_ENDPOINT" {
        given.push(("OTEL_EXPORTER_OTLP_ENDPOINT", "http://a"));
    }
    let error = options(&given).expect_err("a variable that cannot be used");
    assert_eq!(error.name, name);
    assert!(error.reason.contains(reason), "{error}");
}

#[test]
fn only_an_endpoint_has_something_sent() {
    for given in [
        &[][..],
        &[("OTEL_EXPORTER_OTLP_ENDPOINT", " ")],
        &[("OTEL_SERVICE_NAME", "a"), ("OTEL_TRACES_SAMPLER", "whatever")],
        &[("OTEL_METRICS_EXPORTER", "prometheus"), ("OTEL_TRACES_EXPORTER", "zipkin")],
        &[("OTEL_EXPORTER_OTLP_ENDPOINT", "http://a"), ("OTEL_SDK_DISABLED", "TRUE")],
    ] {
        assert!(options(given).expect("nothing is refused").is_none(), "{given:?}");
    }
    let given = [("OTEL_EXPORTER_OTLP_ENDPOINT", "http://a"), ("OTEL_TRACES_EXPORTER", "none")];
    assert!(read(&given).traces.is_none() && read(&given).metrics.is_some());
}

#[test]
fn an_endpoint_of_one_signal_is_the_whole_url() {
    let read = read(&[
        ("OTEL_EXPORTER_OTLP_ENDPOINT", "http://a:4318/otlp/"),
        ("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "https://b/traces?x=1"),
        ("OTEL_EXPORTER_OTLP_TIMEOUT", "2000"),
        ("OTEL_EXPORTER_OTLP_HEADERS", "a=1, api-key = x%20y"),
        ("OTEL_EXPORTER_OTLP_TRACES_HEADERS", "b=2"),
    ]);
    let (metrics, traces) = (read.metrics.expect("metrics"), read.traces.expect("traces"));
    assert_eq!(metrics.url, "http://a:4318/otlp/v1/metrics");
    assert_eq!(traces.url, "https://b/traces?x=1");
    assert_eq!(metrics.timeout, Duration::from_secs(2));
    let header = |name: &str, value: &str| (name.to_owned(), value.to_owned());
    assert_eq!(metrics.headers, [header("a", "1"), header("api-key", "x y")]);
    assert_eq!(traces.headers, [header("b", "2")]);
    assert!(!format!("{metrics:?}").contains("x y"));
}

#[test]
fn the_name_of_the_service_goes_before_the_attribute() {
    let endpoint = ("OTEL_EXPORTER_OTLP_ENDPOINT", "http://a");
    let attributes = ("OTEL_RESOURCE_ATTRIBUTES", "service.name=a,deployment.environment.name=prod");
    let service = |given: &[(&str, &str)]| read(given).resource.first().map(|(_, value)| value.clone());
    assert_eq!(service(&[endpoint]).as_deref(), Some("loghost"));
    assert_eq!(service(&[endpoint, attributes]).as_deref(), Some("a"));
    assert_eq!(service(&[endpoint, attributes, ("OTEL_SERVICE_NAME", "b")]).as_deref(), Some("b"));
    assert_eq!(read(&[endpoint, attributes]).resource.len(), 2);
}

#[test]
fn what_cannot_be_used_is_refused() {
    is_refused("OTEL_EXPORTER_OTLP_ENDPOINT", "localhost:4317", "no URL");
    is_refused("OTEL_EXPORTER_OTLP_PROTOCOL", "grpc", "`grpc` is not supported, only http/protobuf");
    is_refused("OTEL_EXPORTER_OTLP_TRACES_PROTOCOL", "http/json", "only http/protobuf");
    is_refused("OTEL_EXPORTER_OTLP_TIMEOUT", "10s", "milliseconds");
    is_refused("OTEL_METRIC_EXPORT_INTERVAL", "0", "milliseconds");
    is_refused("OTEL_EXPORTER_OTLP_HEADERS", "secret", "KEY=VALUE");
    is_refused("OTEL_EXPORTER_OTLP_HEADERS", "a=b%0Ac", "HTTP header");
    is_refused("OTEL_RESOURCE_ATTRIBUTES", "=a", "KEY=VALUE");
    is_refused("OTEL_TRACES_SAMPLER", "jaeger_remote", "none of always_on");
    is_refused("OTEL_METRICS_EXPORTER", "prometheus", "none of otlp and none");
    let given = [
        ("OTEL_EXPORTER_OTLP_ENDPOINT", "http://a"),
        ("OTEL_TRACES_SAMPLER", "traceidratio"),
        ("OTEL_TRACES_SAMPLER_ARG", "2"),
    ];
    assert_eq!(options(&given).expect_err("no ratio").name, "OTEL_TRACES_SAMPLER_ARG");
}
