//! From a message to its logs: what is tried, in which order.

use std::borrow::Cow;
use std::cell::Cell;

use loghost_core::domain::{Severity, Source, Timestamp};

use crate::message::{self, Message};
use crate::options::{Format, Options};
use crate::record::{self, Context, Record, is_event};
use crate::value::{Table, Value, get};
use crate::{amqp1, envelope, inflate, json, otlp, plain, value};

/// The header that has the properties of a message of AMQP 1.0 (RabbitMQ 3).
const PACKED_PROPERTIES: &str = "x-amqp-1.0-app-properties";

/// Whether RabbitMQ itself has published a message.
fn is_of_broker(message: &Message<'_>) -> bool {
    message.exchange.starts_with("amq.rabbitmq.")
}

/// A log that was in a message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Decoded {
    /// How serious it is; none if nothing says so.
    pub severity: Option<Severity>,
    /// The text.
    pub message: String,
    /// Where it comes from.
    pub source: Option<Source>,
    /// When it was written.
    pub timestamp: Option<Timestamp>,
    /// What else it says: `level` is the producer's own word, where it is not the severity's name, and `stack` a stack trace.
    /// Keys are unique, at most 128 bytes long, and none that a broker acts on.
    pub attributes: Vec<(String, String)>,
}

/// Makes logs of messages.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Decoder {
    options: Options,
}

impl Decoder {
    /// Decodes as `options` say.
    pub fn new(options: Options) -> Self {
        Self { options }
    }

    /// The source and the time of the log in a message of which neither the body nor an attribute is wanted: what
    /// [`Self::decode`] finds of it as [`Format::None`].
    pub fn beside_body(&self, message: &Message<'_>) -> (Option<Source>, Option<Timestamp>) {
        let is_plain = message.headers.iter().all(|(name, value)| {
            name != PACKED_PROPERTIES && !(matches!(value, Value::List(_)) && is_of_broker(message))
        });
        if is_plain {
            return record::beside_body(message, &self.options);
        }
        let options = Options { format: Format::None, ..self.options.clone() };
        let log = Self { options }.decode(message).pop();
        log.map_or((None, None), |log| (log.source, log.timestamp))
    }

    /// The logs of a message: at least one, and at most as many as the bounds allow.
    pub fn decode(&self, message: &Message<'_>) -> Vec<Decoded> {
        let mut message = message.clone();
        let headers = std::mem::take(&mut message.headers);
        let packed = headers.iter().find(|(name, _)| name == PACKED_PROPERTIES);
        if let Some(properties) = packed.and_then(|(_, packed)| amqp1::table(packed)) {
            message.headers = properties;
        } else if is_of_broker(&message) {
            message.headers = message::charlists(&headers);
        } else {
            message.headers.clone_from(&headers);
        }
        let exchange =
            message.exchange.strip_prefix(&*self.options.prefix).and_then(|rest| rest.strip_prefix('.'));
        let exchange = exchange.and_then(|severity| severity.parse().ok());
        let body = self.body(&message);
        let text = text_of(&body, message.content_type);
        let records = match self.options.format {
            Format::None => vec![text_record(Cow::Borrowed(&text))],
            _ if body.is_empty() => vec![self.of_headers(&message)],
            _ => self.records(&body, &text, message.received),
        };
        let context = Context::new(&message, &self.options, exchange, records.len());
        records.iter().map(|record| context.read(record)).collect()
    }

    /// The body without what it is wrapped in.
    pub(crate) fn body<'a>(&self, message: &Message<'a>) -> Cow<'a, [u8]> {
        let most = self.options.bounds.inflated;
        let encoded = message.kind == Some("amqp-1.0") && self.options.format != Format::None;
        match if encoded { amqp1::body(message.body) } else { None } {
            Some(Value::Bytes(bytes)) => inflate::inflate_cow(bytes, most),
            Some(value) => Cow::Owned(value.into_text().into_bytes()),
            None if self.options.format == Format::None => Cow::Borrowed(message.body),
            None => inflate::inflate(message.body, most),
        }
    }

    /// The records of a body that is not empty: at least one.
    fn records<'a>(&self, body: &[u8], text: &'a str, received: Option<Timestamp>) -> Vec<Record<'a>> {
        let text = text.trim_start_matches('\u{feff}');
        let records = match self.options.format {
            Format::Auto => self.json(text).or_else(|| self.protobuf(body)),
            Format::Json | Format::Gelf => self.json(text),
            Format::Otlp => self.protobuf(body).or_else(|| self.json(text)),
            Format::Text | Format::Logfmt | Format::Syslog | Format::None => None,
        };
        match records {
            Some(records) => bounded(records, self.options.bounds.logs),
            None => vec![self.text(text, received, &Cell::new(json::MAX_VALUES))],
        }
    }

    /// A message without a body: its headers may be the record, or it is an event of RabbitMQ, whose name is the key.
    fn of_headers<'a>(&self, message: &Message<'a>) -> Record<'a> {
        if self.options.format == Format::Auto && get(&message.headers, "MESSAGE").is_some() {
            let (fields, whole) = (message.headers.clone(), Cow::Owned(value::json_of(&message.headers)));
            return Record { fields, shared: None, whole, is_structured: true };
        }
        let text = if is_event(message) { message.routing_key } else { "" };
        text_record(Cow::Borrowed(text))
    }

    /// JSON: an object, an array that has objects, lines of objects, or a string that is JSON of its own.
    fn json<'a>(&self, text: &'a str) -> Option<Vec<Record<'a>>> {
        let start = text.trim_start();
        let first = start.bytes().next()?;
        if !matches!(first, b'{' | b'[' | b'"') {
            return None;
        }
        let left = Cell::new(json::MAX_VALUES);
        let most = self.options.bounds.logs;
        match json::parse(start, &left) {
            Some(Value::Table(fields)) => of_object(fields, Cow::Borrowed(start.trim_end()), (most, &left)),
            Some(Value::List(values)) if values.iter().any(|value| matches!(value, Value::Table(_))) => {
                let (values, beyond) = split(values, most);
                let mut records = Vec::new();
                for value in values {
                    let whole = Cow::Owned(value.to_text().into_owned());
                    match value {
                        Value::Table(fields) => {
                            let room = most.saturating_sub(records.len());
                            records.extend(of_object(fields, whole, (room, &left))?);
                        }
                        _ => records.push(text_record(whole)),
                    }
                }
                if let Some(beyond) = beyond {
                    records.push(text_record(Cow::Owned(beyond.into_text())));
                }
                Some(records)
            }
            Some(Value::Text(text)) => {
                let record = self.text(&text, None, &left);
                // Rare, and short.
                Some(vec![owned(&record)])
            }
            None if first == b'{' => self.lines(start, &left),
            Some(_) | None => None,
        }
    }

    /// An object a line; what is none is text.
    fn lines<'a>(&self, text: &'a str, left: &Cell<usize>) -> Option<Vec<Record<'a>>> {
        let mut records = Vec::new();
        let mut rest = text.trim_end();
        let mut has_object = false;
        while !rest.is_empty() {
            let (line, behind) = match rest.split_once('\n') {
                Some((line, behind)) if records.len() + 1 < self.options.bounds.logs => (line, behind),
                _ => (rest, ""),
            };
            rest = behind;
            let line = line.trim();
            if line.is_empty() {
                continue;
            }
            match json::parse(line, left) {
                Some(Value::Table(fields)) => {
                    has_object = true;
                    let room = self.options.bounds.logs.saturating_sub(records.len());
                    records.extend(of_object(fields, Cow::Borrowed(line), (room, left))?);
                }
                // What is not JSON at its first line is none.
                _ if !has_object => return None,
                _ => records.push(self.text(line, None, left)),
            }
        }
        has_object.then_some(records)
    }

    fn protobuf<'a>(&self, body: &[u8]) -> Option<Vec<Record<'a>>> {
        // The first field of a request, with a length.
        if body.first() != Some(&0x0a) {
            return None;
        }
        otlp::from_protobuf(body, self.options.bounds.logs).map(of_otlp)
    }

    fn text<'a>(&self, text: &'a str, received: Option<Timestamp>, left: &Cell<usize>) -> Record<'a> {
        let text = text.trim_end_matches(['\n', '\r']);
        if matches!(self.options.format, Format::Auto | Format::Text)
            && let Some(fields) = plain::container_line(text)
        {
            let fields = envelope::open(fields, left);
            return Record { fields, shared: None, whole: Cow::Borrowed(text), is_structured: true };
        }
        match plain::uncoloured(text) {
            Cow::Borrowed(text) => match plain::read(text, self.options.format, received) {
                Some(fields) => of_line(fields, text),
                None => text_record(Cow::Borrowed(text)),
            },
            Cow::Owned(plain) => match plain::read(&plain, self.options.format, received) {
                Some(fields) => owned(&of_line(fields, &plain)),
                None => text_record(Cow::Borrowed(text)),
            },
        }
    }
}

/// The body as text: UTF-8, with what is none replaced, unless it is said to be Latin-1.
pub(crate) fn text_of<'b>(body: &'b [u8], content_type: Option<&str>) -> Cow<'b, str> {
    let is_latin =
        || content_type.is_some_and(|kind| kind.to_ascii_lowercase().contains("charset=iso-8859-1"));
    match str::from_utf8(body) {
        Ok(text) => Cow::Borrowed(text),
        Err(_) if is_latin() => Cow::Owned(body.iter().copied().map(char::from).collect()),
        Err(_) => String::from_utf8_lossy(body),
    }
}

/// As many as there may be logs, and what is beyond them.
fn split(mut values: Vec<Value<'_>>, most: usize) -> (Vec<Value<'_>>, Option<Value<'_>>) {
    if values.len() <= most {
        return (values, None);
    }
    let beyond = values.split_off(most.saturating_sub(1));
    (values, Some(Value::List(beyond)))
}

/// As many as there may be logs, of which the last is the text of those beyond: several requests of OpenTelemetry in one
/// message may have more in all.
fn bounded(mut records: Vec<Record<'_>>, most: usize) -> Vec<Record<'_>> {
    if records.len() > most {
        let beyond = records.split_off(most.saturating_sub(1));
        let texts: Vec<_> = beyond.iter().map(|record| &*record.whole).collect();
        records.push(text_record(Cow::Owned(texts.join("\n"))));
    }
    records
}

/// The records of an object, of which so many have room: requests of OpenTelemetry have several.
fn of_object<'a>(
    fields: Table<'a>,
    whole: Cow<'a, str>,
    (room, left): (usize, &Cell<usize>),
) -> Option<Vec<Record<'a>>> {
    let fields = match otlp::from_json(fields, room) {
        Ok(records) if records.is_empty() => return None,
        Ok(records) => return Some(of_otlp(records)),
        Err(fields) => fields,
    };
    let fields = envelope::open(fields, left);
    Some(vec![Record { fields, shared: None, whole, is_structured: true }])
}

/// A log a record, and one whose text is all that is beyond.
fn of_otlp(records: otlp::Records<'_>) -> Vec<Record<'_>> {
    let beyond = records.beyond.map(|beyond| text_record(Cow::Owned(beyond)));
    let records = records.list.into_iter().map(|(fields, shared)| {
        let whole = Cow::Owned(value::json_of(&fields));
        Record { fields, shared: Some(shared), whole, is_structured: true }
    });
    records.chain(beyond).collect()
}

fn of_line<'a>(fields: Table<'a>, line: &'a str) -> Record<'a> {
    Record { fields, shared: None, whole: Cow::Borrowed(line), is_structured: false }
}

fn text_record(text: Cow<'_, str>) -> Record<'_> {
    let fields = vec![(Cow::Borrowed("@message"), Value::Text(text.clone()))];
    Record { fields, shared: None, whole: text, is_structured: false }
}

/// The same, borrowing nothing. A record of a line is one level deep.
fn owned<'a>(record: &Record<'_>) -> Record<'a> {
    let field = |(name, value): &(Cow<'_, str>, Value<'_>)| {
        let value = match value {
            Value::Int(number) => Value::Int(*number),
            Value::Bool(is) => Value::Bool(*is),
            other => Value::Text(Cow::Owned(other.to_text().into_owned())),
        };
        (Cow::Owned(name.clone().into_owned()), value)
    };
    Record {
        fields: record.fields.iter().map(field).collect(),
        shared: None,
        whole: Cow::Owned(record.whole.clone().into_owned()),
        is_structured: record.is_structured,
    }
}
