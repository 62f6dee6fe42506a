//! Logs of OpenTelemetry (OTLP 1, `ExportLogsServiceRequest`), as protobuf or JSON.

mod proto;
mod records;

use std::borrow::Cow;
use std::rc::Rc;

use prost::bytes::Bytes;
use prost::{DecodeError, Message as _};

use self::proto::{
    AnyValue, KeyValue, LOG_RECORDS, LogRecord, RECORD_ATTRIBUTES, RESOURCE_ATTRIBUTES, RESOURCE_LOGS,
    ResourceLogs, SCOPE_LOGS, ScopeLogs, VALUES, any_value, messages,
};
pub(crate) use self::records::Records;
use crate::json::MAX_VALUES;
use crate::value::{Table, Value, get, take};

/// How many values may be in each other.
const DEPTH: usize = 16;

/// The most bytes of what all records of a resource share: each log has a copy.
const MOST_SHARED: usize = 4096;

/// As much of what is shared as may be.
fn shared(fields: Table<'_>) -> Table<'_> {
    let mut left = MOST_SHARED;
    let fits = |(name, value): &(Cow<'_, str>, Value<'_>)| {
        let size = name.len() + value.to_text().len();
        let is_left = left.checked_sub(size);
        left = is_left.unwrap_or(left);
        is_left.is_some()
    };
    let mut fields = fields;
    fields.retain(fits);
    fields
}

/// The records of a request in protobuf, at most so many logs; none if it is something else, has no record, or too many values.
pub(crate) fn from_protobuf<'a>(body: &[u8], most: usize) -> Option<Records<'a>> {
    let mut records = Records::new(most);
    let mut values = Values { left: MAX_VALUES };
    for resource in messages(Bytes::copy_from_slice(body), RESOURCE_LOGS) {
        let resource = resource.ok()?;
        records.begin_resource();
        let of_resource = match ResourceLogs::decode(resource.clone()).ok()?.resource {
            Some(resource) => shared(values.fields(resource, RESOURCE_ATTRIBUTES, DEPTH)?),
            None => Table::new(),
        };
        let of_resource = Rc::new(of_resource);
        for scope in messages(resource, SCOPE_LOGS) {
            let scope = scope.ok()?;
            records.begin_scope();
            let logger = ScopeLogs::decode(scope.clone()).ok()?.scope.map(|scope| scope.name);
            let logger = logger.filter(|name| !name.is_empty() && name.len() <= 255);
            let logger = logger.map(|name| Value::Text(Cow::Owned(name)));
            for record in messages(scope, LOG_RECORDS) {
                records.push(values.record(record.ok()?)?, logger.as_ref(), &of_resource);
            }
        }
    }
    (!records.is_empty()).then_some(records)
}

/// Decodes values, of which a message may have [`MAX_VALUES`]: one that is empty has two bytes, and takes many times that.
struct Values {
    left: usize,
}

impl Values {
    fn record<'a>(&mut self, record: Bytes) -> Option<Table<'a>> {
        let attributes = self.fields(record.clone(), RECORD_ATTRIBUTES, DEPTH)?;
        let record = LogRecord::decode(record).ok()?;
        let mut table = Table::new();
        let mut push = |name: &'static str, value: Value<'a>| table.push((Cow::Borrowed(name), value));
        if !record.severity_text.is_empty() {
            push("severityText", Value::Text(Cow::Owned(record.severity_text)));
        }
        if record.severity_number != 0 {
            push("severityNumber", Value::Int(record.severity_number.into()));
        }
        // What is 0 was not said.
        for (name, number) in [
            ("timeUnixNano", record.time_unix_nano),
            ("observedTimeUnixNano", record.observed_time_unix_nano),
            ("droppedAttributesCount", record.dropped_attributes_count.into()),
            ("flags", record.flags.into()),
        ] {
            if number > 0 {
                push(name, Value::Unsigned(number));
            }
        }
        let event = Some(record.event_name).filter(|name| !name.is_empty());
        let event = event.map(|name| Value::Text(Cow::Owned(name)));
        push_message(&mut table, self.optional(record.body, DEPTH)?, event);
        let mut push = |name: &'static str, value: Value<'a>| table.push((Cow::Borrowed(name), value));
        for (name, id) in [("traceId", record.trace_id), ("spanId", record.span_id)] {
            if !id.is_empty() {
                let hex = id.iter().fold(String::new(), |hex, byte| hex + &format!("{byte:02x}"));
                push(name, Value::Text(Cow::Owned(hex)));
            }
        }
        table.extend(attributes);
        Some(table)
    }

    /// The names and values that a message has in a field.
    fn fields<'a>(&mut self, of: Bytes, field: u32, depth: usize) -> Option<Table<'a>> {
        let read = |one: Result<Bytes, DecodeError>| {
            let KeyValue { key, value } = KeyValue::decode(one.ok()?).ok()?;
            Some((Cow::Owned(key), self.optional(value, depth)?))
        };
        messages(of, field).map(read).collect()
    }

    fn optional<'a>(&mut self, any: Option<AnyValue>, depth: usize) -> Option<Value<'a>> {
        match any {
            Some(any) => self.value(any, depth),
            None => self.count().map(|()| Value::Null),
        }
    }

    fn value<'a>(&mut self, any: AnyValue, depth: usize) -> Option<Value<'a>> {
        self.count()?;
        let Some(depth) = depth.checked_sub(1) else { return Some(Value::Null) };
        Some(match any.value {
            None => Value::Null,
            Some(any_value::Value::String(text)) => Value::Text(Cow::Owned(text)),
            Some(any_value::Value::Bool(is)) => Value::Bool(is),
            Some(any_value::Value::Int(number)) => Value::Int(number),
            Some(any_value::Value::Double(number)) => Value::Float(number),
            Some(any_value::Value::Array(list)) => {
                let read =
                    |one: Result<Bytes, DecodeError>| self.value(AnyValue::decode(one.ok()?).ok()?, depth);
                Value::List(messages(list, VALUES).map(read).collect::<Option<_>>()?)
            }
            Some(any_value::Value::KeyValues(list)) => Value::Table(self.fields(list, VALUES, depth)?),
            Some(any_value::Value::Bytes(bytes)) => Value::Bytes(Cow::Owned(bytes)),
        })
    }

    /// Counts a value; none if there have been enough.
    fn count(&mut self) -> Option<()> {
        self.left = self.left.checked_sub(1)?;
        Some(())
    }
}

/// The records of a request in JSON, at most so many logs; the object itself, if it is something else.
pub(crate) fn from_json(mut request: Table<'_>, most: usize) -> Result<Records<'_>, Table<'_>> {
    if !matches!(get(&request, "resourceLogs"), Some(Value::List(_))) {
        return Err(request);
    }
    let mut records = Records::new(most);
    for mut resource in tables(take(&mut request, "resourceLogs")) {
        records.begin_resource();
        let of_resource = match take(&mut resource, "resource") {
            Some(Value::Table(mut resource)) => shared(json_fields(take(&mut resource, "attributes"))),
            _ => Table::new(),
        };
        let of_resource = Rc::new(of_resource);
        for mut scope in tables(take(&mut resource, "scopeLogs")) {
            records.begin_scope();
            let logger = match take(&mut scope, "scope") {
                Some(Value::Table(mut scope)) => take(&mut scope, "name"),
                _ => None,
            };
            let logger = logger.filter(|name| name.as_text().is_some_and(|name| name.len() <= 255));
            for mut record in tables(take(&mut scope, "logRecords")) {
                let attributes = json_fields(take(&mut record, "attributes"));
                let body = take(&mut record, "body").map_or(Value::Null, |body| json_value(body, DEPTH));
                let event = take(&mut record, "eventName");
                let number = take(&mut record, "severityNumber").map(severity_number);
                record.extend(number.map(|number| (Cow::Borrowed("severityNumber"), number)));
                record.retain(|(_, value)| !is_unsaid(value));
                push_message(&mut record, body, event.filter(|event| !is_unsaid(event)));
                record.extend(attributes);
                records.push(record, logger.as_ref(), &of_resource);
            }
        }
    }
    Ok(records)
}

/// The message of a record is its body. One of an event may have none: then it is the name of the event.
fn push_message<'a>(record: &mut Table<'a>, body: Value<'a>, event: Option<Value<'a>>) {
    let message = if body == Value::Null { event.clone() } else { Some(body) };
    record.extend(message.map(|message| (Cow::Borrowed("@message"), message)));
    record.extend(event.map(|event| (Cow::Borrowed("eventName"), event)));
}

/// Whether a field has the value that stands for none: there are encoders that write it.
fn is_unsaid(value: &Value<'_>) -> bool {
    match value {
        Value::Null | Value::Int(0) => true,
        Value::Text(text) => matches!(&**text, "" | "0" | "UNSPECIFIED"),
        _ => false,
    }
}

/// A number, or `SEVERITY_NUMBER_ERROR3`, as general encoders of protobuf write it: `ERROR`.
fn severity_number(value: Value<'_>) -> Value<'_> {
    let word = match &value {
        Value::Text(text) => text.strip_prefix("SEVERITY_NUMBER_"),
        _ => None,
    };
    let word = word.map(|word| word.trim_end_matches(['2', '3', '4']).to_owned());
    word.map_or(value, |word| Value::Text(Cow::Owned(word)))
}

fn tables(list: Option<Value<'_>>) -> impl Iterator<Item = Table<'_>> {
    let values = match list {
        Some(Value::List(values)) => values,
        _ => Vec::new(),
    };
    values.into_iter().filter_map(|value| match value {
        Value::Table(fields) => Some(fields),
        _ => None,
    })
}

fn json_fields(attributes: Option<Value<'_>>) -> Table<'_> {
    tables(attributes).filter_map(|attribute| json_field(attribute, DEPTH)).collect()
}

fn json_field(mut attribute: Table<'_>, depth: usize) -> Option<(Cow<'_, str>, Value<'_>)> {
    let key = take(&mut attribute, "key")?.into_text();
    Some((Cow::Owned(key), json_value(take(&mut attribute, "value")?, depth)))
}

/// `{"intValue":"42"}` and the like.
fn json_value(any: Value<'_>, depth: usize) -> Value<'_> {
    let (Value::Table(mut fields), Some(depth)) = (any, depth.checked_sub(1)) else { return Value::Null };
    let Some((kind, value)) = fields.pop() else { return Value::Null };
    match (&*kind, value) {
        ("arrayValue", Value::Table(mut list)) => match take(&mut list, "values") {
            Some(Value::List(values)) => {
                Value::List(values.into_iter().map(|any| json_value(any, depth)).collect())
            }
            _ => Value::List(Vec::new()),
        },
        ("kvlistValue", Value::Table(mut list)) => {
            let fields = tables(take(&mut list, "values")).filter_map(|field| json_field(field, depth));
            Value::Table(fields.collect())
        }
        (_, value) => value,
    }
}
