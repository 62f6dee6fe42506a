"""Publishes logs of OpenTelemetry as its own code encodes them for an exporter, in one message: URL, exchange, `protobuf`. There is
a record of each range of severities, and those with what else records may have or lack, each a second after the one before."""

import sys

import pika
from opentelemetry._logs import LogRecord, SeverityNumber
from opentelemetry.exporter.otlp.proto.common._log_encoder import encode_logs
from opentelemetry.sdk._logs import ReadableLogRecord
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.util.instrumentation import InstrumentationScope
from opentelemetry.trace import NonRecordingSpan, SpanContext, TraceFlags, set_span_in_context

BEGIN = 1_790_000_000_000_000_000
TRACE_ID = 0x0AF7651916CD43DD8448EB211C80319C
SPAN_ID = 0xB7AD6B7169203331

url, exchange, _ = sys.argv[1:]
resource = Resource({"service.name": "shop", "host.name": "web-1", "ports": [80, 443]})
records = []


def add(scope, **fields):
    fields = {"observed_timestamp": BEGIN + 60_000_000_000, "timestamp": BEGIN + len(records) * 1_000_000_000} | fields
    scope = InstrumentationScope(scope) if scope else None
    records.append(ReadableLogRecord(LogRecord(**fields), resource, scope))


for number, text in [
    (SeverityNumber.TRACE, "TRACE"),
    (SeverityNumber.DEBUG4, "DEBUG4"),
    (SeverityNumber.INFO, "INFO"),
    (SeverityNumber.WARN, "WARN"),
    (SeverityNumber.ERROR3, "ERROR3"),
    (SeverityNumber.FATAL, "FATAL"),
]:
    add("acme.Cart", severity_number=number, severity_text=text, body=f"at {text}")
add("acme.Cart", severity_number=SeverityNumber.ERROR, body="number alone")
add("acme.Cart", severity_text="error", body="text alone")
add("acme.Cart", body="neither")
span = NonRecordingSpan(SpanContext(TRACE_ID, SPAN_ID, False, TraceFlags(1)))
add(
    "acme.Cart",
    severity_number=SeverityNumber.ERROR,
    body="with all",
    context=set_span_in_context(span),
    attributes={
        "user.id": 42,
        "ratio": 0.5,
        "paid": True,
        "tags": ["a", "b"],
        "nested": {"deep": {"n": 1}},
        "exception.type": "IOError",
        "exception.message": "disk full",
        "exception.stacktrace": "Traceback (most recent call last):\n  File x",
    },
)
add("acme.Cart", severity_number=SeverityNumber.INFO, body={"order": 7, "state": "paid"})
add("acme.Cart", severity_number=SeverityNumber.INFO, event_name="order.paid", attributes={"order": 8})
add(None, severity_number=SeverityNumber.FATAL, body="no logger", timestamp=0)

connection = pika.BlockingConnection(pika.URLParameters(url))
channel = connection.channel()
channel.confirm_delivery()
channel.basic_publish(exchange, "otlp_logs", encode_logs(records).SerializeToString(), mandatory=True)
connection.close()
