// The same records as those of otlp.py, by OpenTelemetry's code for JavaScript: URL, exchange, `protobuf` or `json`.
import amqplib from 'amqplib';
import { ROOT_CONTEXT, trace } from '@opentelemetry/api';
import { SeverityNumber } from '@opentelemetry/api-logs';
import { JsonLogsSerializer, ProtobufLogsSerializer } from '@opentelemetry/otlp-transformer';
import { resourceFromAttributes } from '@opentelemetry/resources';
import { InMemoryLogRecordExporter, LoggerProvider, SimpleLogRecordProcessor } from '@opentelemetry/sdk-logs';

const BEGIN = 1_790_000_000;
const [url, exchange, form] = process.argv.slice(2);
const exporter = new InMemoryLogRecordExporter();
const provider = new LoggerProvider({
    resource: resourceFromAttributes({ 'service.name': 'shop', 'host.name': 'web-1', ports: [80, 443] }),
    processors: [new SimpleLogRecordProcessor({ exporter })],
});
const logger = provider.getLogger('acme.Cart');
let emitted = 0;
const add = (fields, of = logger) => {
    of.emit({ observedTimestamp: [BEGIN + 60, 0], timestamp: [BEGIN + emitted, 0], ...fields });
    emitted += 1;
};

for (const text of ['TRACE', 'DEBUG4', 'INFO', 'WARN', 'ERROR3', 'FATAL'])
    add({ severityNumber: SeverityNumber[text], severityText: text, body: `at ${text}` });
add({ severityNumber: SeverityNumber.ERROR, body: 'number alone' });
add({ severityText: 'error', body: 'text alone' });
add({ body: 'neither' });
const traceId = '0af7651916cd43dd8448eb211c80319c';
const context = trace.setSpanContext(ROOT_CONTEXT, { traceId, spanId: 'b7ad6b7169203331', traceFlags: 1 });
const attributes = {
    'user.id': 42,
    ratio: 0.5,
    paid: true,
    tags: ['a', 'b'],
    nested: { deep: { n: 1 } },
    'exception.type': 'IOError',
    'exception.message': 'disk full',
    'exception.stacktrace': 'Traceback (most recent call last):\n  File x',
};
add({ severityNumber: SeverityNumber.ERROR, body: 'with all', context, attributes });
add({ severityNumber: SeverityNumber.INFO, body: { order: 7, state: 'paid' } });
add({ severityNumber: SeverityNumber.INFO, eventName: 'order.paid', attributes: { order: 8 } });
add({ severityNumber: SeverityNumber.FATAL, body: 'no logger', timestamp: [0, 0] }, provider.getLogger(''));

const serializer = form === 'json' ? JsonLogsSerializer : ProtobufLogsSerializer;
const body = Buffer.from(serializer.serializeRequest(exporter.getFinishedLogRecords()));
const connection = await amqplib.connect(url);
const channel = await connection.createConfirmChannel();
channel.publish(exchange, 'otlp_logs', body, { mandatory: true });
await channel.waitForConfirms();
await connection.close();
