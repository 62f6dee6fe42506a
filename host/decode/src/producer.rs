//! Which program has written a message, for people who look at what flows: told by fields that only its messages have, and
//! where these do not tell, by the format alone. Nothing is decoded by it.

use std::cell::Cell;

use crate::decoder::{Decoder, text_of};
use crate::message::Message;
use crate::options::Format;
use crate::plain::{self, Form};
use crate::value::{Table, Value, get};
use crate::{json, otlp};

/// What has written a message, as far as it can be told.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Producer {
    /// The usual name of the program, or of the format.
    pub name: &'static str,
    /// What its messages are. Text that has no form is [`Format::Text`].
    pub format: Format,
}

/// The exchanges of which only RabbitMQ itself is the producer.
const EXCHANGES: [(&str, &str); 2] =
    [("amq.rabbitmq.log", "RabbitMQ's log"), ("amq.rabbitmq.event", "RabbitMQ's events")];

/// The fields that a JSON object has at its root, all of them, by which a producer is known. The first row counts.
const OBJECTS: [(&str, &[&str]); 22] = [
    ("oslo.messaging", &["oslo.message"]),
    ("GELF", &["version", "host", "short_message"]),
    ("Loguru", &["text", "record"]),
    ("Python logging", &["levelname", "levelno", "lineno", "msg"]),
    ("structlog", &["event", "level", "timestamp"]),
    ("Monolog", &["level_name", "channel", "datetime"]),
    ("Bunyan", &["v", "level", "name", "hostname", "pid", "time", "msg"]),
    ("pino", &["level", "time", "pid", "hostname"]),
    ("log4js", &["categoryName", "level", "data"]),
    ("winston-amqp-transport", &["level", "message", "timespan"]),
    ("Serilog", &["@t", "@mt"]),
    ("Serilog", &["@t", "@m"]),
    ("Serilog", &["MessageTemplate", "Level"]),
    ("Logback", &["@timestamp", "@version", "logger_name", "level_value"]),
    ("Logstash", &["@timestamp", "@version"]),
    ("ECS", &["@timestamp", "log.level"]),
    ("Log4j 2", &["loggerFqcn", "level"]),
    ("Rust tracing", &["fields", "target", "level"]),
    ("zap", &["level", "ts", "caller"]),
    ("rsyslog", &["timereported", "fromhost"]),
    ("journald", &["__REALTIME_TIMESTAMP"]),
    ("Docker", &["log", "stream"]),
];

impl Decoder {
    /// What has written a message, as far as it can be told.
    pub fn producer(&self, message: &Message<'_>) -> Producer {
        let by_content = self.by_content(message);
        let of_exchange = EXCHANGES.iter().find(|(exchange, _)| *exchange == message.exchange);
        of_exchange.map_or(by_content, |(_, name)| Producer { name, ..by_content })
    }

    fn by_content(&self, message: &Message<'_>) -> Producer {
        let body = self.body(message);
        if body.is_empty() && message.header(&["MESSAGE"]).is_some() {
            return Producer { name: "syslog-ng", format: Format::Auto };
        }
        if body.first() == Some(&0x0a) && otlp::from_protobuf(&body, 1).is_some() {
            return Producer { name: "OpenTelemetry", format: Format::Otlp };
        }
        let text = text_of(&body, message.content_type);
        let text = text.trim_start_matches('\u{feff}');
        of_json(text.trim_start(), message.routing_key).unwrap_or_else(|| of_text(text, message))
    }
}

/// What has written JSON: by its first object.
fn of_json(text: &str, routing_key: &str) -> Option<Producer> {
    if !text.starts_with(['{', '[']) {
        return None;
    }
    let left = Cell::new(json::MAX_VALUES);
    let first_line = || json::parse(text.lines().next()?, &left);
    let value = json::parse(text.trim_end(), &left).or_else(first_line)?;
    let object = match value {
        Value::Table(fields) => fields,
        Value::List(values) => values.into_iter().find_map(|value| match value {
            Value::Table(fields) => Some(fields),
            _ => None,
        })?,
        _ => return None,
    };
    Some(of_object(&object, routing_key))
}

fn of_object(object: &Table<'_>, routing_key: &str) -> Producer {
    if get(object, "resourceLogs").is_some() {
        return Producer { name: "OpenTelemetry", format: Format::Otlp };
    }
    let has_all = |fields: &[&str]| fields.iter().all(|field| get(object, field).is_some());
    let known = OBJECTS.iter().find(|(_, fields)| has_all(fields));
    match known.map_or("JSON", |(name, _)| name) {
        "Python logging" if is_key_of_handler(object, routing_key) => {
            Producer { name: "python-logging-rabbitmq", format: Format::Json }
        }
        "GELF" => Producer { name: "GELF", format: Format::Gelf },
        name => Producer { name, format: Format::Json },
    }
}

/// Whether the routing key is the one that python-logging-rabbitmq makes: the logger and the level.
fn is_key_of_handler(record: &Table<'_>, routing_key: &str) -> bool {
    let [Some(Value::Text(logger)), Some(Value::Text(level))] =
        ["name", "levelname"].map(|name| get(record, name))
    else {
        return false;
    };
    routing_key.strip_prefix(&**logger).and_then(|rest| rest.strip_prefix('.')) == Some(&**level)
}

fn of_text(text: &str, message: &Message<'_>) -> Producer {
    if ["categoryName", "level", "thread"].iter().all(|name| message.header(&[name]).is_some()) {
        return Producer { name: "Spring AMQP", format: Format::Text };
    }
    let (name, format) = match plain::form(&plain::uncoloured(text)) {
        Form::Syslog => ("syslog", Format::Syslog),
        Form::Logfmt => ("logfmt", Format::Logfmt),
        Form::Ruby => ("Ruby Logger", Format::Text),
        Form::Klog => ("klog", Format::Text),
        Form::Container => ("a container's log file", Format::Text),
        Form::Text => ("text", Format::Text),
    };
    Producer { name, format }
}
