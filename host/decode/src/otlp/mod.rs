//! Logs of OpenTelemetry (OTLP 1, `ExportLogsServiceRequest`), as protobuf or JSON.

mod proto;
mod records;

use std::borrow::Cow;
use std::rc::Rc;

use prost::Message as _;
use prost::bytes::Bytes;

use self::proto::{AnyValue, KeyValue, LogRecord, Request, ResourceLogs, ScopeLogs, any_value};
pub(crate) use self::records::Records;
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

/// The records of a request in protobuf, at most so many logs; none if it is something else, or has no record.
pub(crate) fn from_protobuf<'a>(body: &[u8], most: usize) -> Option<Records<'a>> {
    let mut records = Records::new(most);
    // The outer messages are decoded one within the other, so that what is built stays small whatever their number is.
    let request = Request::decode(Bytes::copy_from_slice(body)).ok()?;
    for resource in request.resource_logs {
        let resource = ResourceLogs::decode(resource).ok()?;
        records.begin_resource();
        let of_resource =
            resource.resource.map(|resource| shared(fields(resource.attributes))).unwrap_or_default();
        let of_resource = Rc::new(of_resource);
        for scope in resource.scope_logs {
            let scope = ScopeLogs::decode(scope).ok()?;
            records.begin_scope();
            let logger = scope.scope.map(|scope| scope.name);
            let logger = logger.filter(|name| !name.is_empty() && name.len() <= 255);
            let logger = logger.map(|name| Value::Text(Cow::Owned(name)));
            for record in scope.log_records {
                let record = LogRecord::decode(record).ok()?;
                records.push(from_record(record), logger.as_ref(), &of_resource);
            }
        }
    }
    (!records.is_empty()).then_some(records)
}

fn from_record<'a>(record: LogRecord) -> Table<'a> {
    let mut table = Table::new();
    let mut push = |name: &'static str, value: Value<'a>| table.push((Cow::Borrowed(name), value));
    if !record.severity_text.is_empty() {
        push("severityText", Value::Text(Cow::Owned(record.severity_text)));
    }
    push("severityNumber", Value::Int(record.severity_number.into()));
    for (name, nanos) in
        [("timeUnixNano", record.time_unix_nano), ("observedTimeUnixNano", record.observed_time_unix_nano)]
    {
        if nanos > 0 {
            push(name, Value::Unsigned(nanos));
        }
    }
    push("@message", record.body.map_or(Value::Null, |body| value(body, DEPTH)));
    for (name, id) in [("traceId", record.trace_id), ("spanId", record.span_id)] {
        if !id.is_empty() {
            let hex = id.iter().fold(String::new(), |hex, byte| hex + &format!("{byte:02x}"));
            push(name, Value::Text(Cow::Owned(hex)));
        }
    }
    table.extend(fields(record.attributes));
    table
}

fn fields<'a>(attributes: Vec<KeyValue>) -> Table<'a> {
    let field =
        |KeyValue { key, value: of }| (Cow::Owned(key), of.map_or(Value::Null, |of| value(of, DEPTH)));
    attributes.into_iter().map(field).collect()
}

fn value<'a>(any: AnyValue, depth: usize) -> Value<'a> {
    let Some(depth) = depth.checked_sub(1) else { return Value::Null };
    match any.value {
        None => Value::Null,
        Some(any_value::Value::String(text)) => Value::Text(Cow::Owned(text)),
        Some(any_value::Value::Bool(is)) => Value::Bool(is),
        Some(any_value::Value::Int(number)) => Value::Int(number),
        Some(any_value::Value::Double(number)) => Value::Float(number),
        Some(any_value::Value::Array(list)) => {
            Value::List(list.values.into_iter().map(|any| value(any, depth)).collect())
        }
        Some(any_value::Value::KeyValues(list)) => {
            let field = |KeyValue { key, value: of }| {
                (Cow::Owned(key), of.map_or(Value::Null, |of| value(of, depth)))
            };
            Value::Table(list.values.into_iter().map(field).collect())
        }
        Some(any_value::Value::Bytes(bytes)) => Value::Bytes(Cow::Owned(bytes)),
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
                if let Some(body) = take(&mut record, "body") {
                    record.push((Cow::Borrowed("@message"), json_value(body, DEPTH)));
                }
                record.extend(attributes);
                records.push(record, logger.as_ref(), &of_resource);
            }
        }
    }
    Ok(records)
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
