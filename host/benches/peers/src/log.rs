//! The log that is published and consumed: 120 bytes, with the properties that loghost gives it.

use std::process;
use std::time::{SystemTime, UNIX_EPOCH};

use amq_protocol::protocol::BasicProperties;
use amq_protocol::types::{AMQPValue, FieldTable};

/// Where it is published to.
pub const EXCHANGE: &str = "logs.info";

/// Its source, which is its routing key and `app-id`.
pub const SOURCE: &str = "web";

/// Its text.
pub const BODY: &[u8; 120] = b"GET /api/v1/orders/1048576?expand=items,customer HTTP/1.1 200 5120 bytes \
    in 23 ms, client 192.0.2.17, session 7f3a9c50e1";

/// A producer's name as loghost makes them, 32 hexadecimal digits, that no other has: names made by one
/// process differ if `number` does.
pub fn producer(number: u32) -> String {
    let since_epoch = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    format!("{:016x}{:08x}{number:08x}", since_epoch.as_micros(), process::id())
}

/// What the message id of a log of `producer` begins with; its number follows.
pub fn id_prefix(producer: &str) -> String {
    format!("loghost:{producer}/")
}

/// The properties of the log with this message id.
pub fn properties(id: String) -> BasicProperties {
    let millis = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_millis();
    let millis = u64::try_from(millis).unwrap_or(u64::MAX);
    let mut headers = FieldTable::default();
    let in_ms = AMQPValue::LongLongInt(i64::try_from(millis).unwrap_or(i64::MAX));
    headers.insert("timestamp_in_ms".into(), in_ms);
    BasicProperties::default()
        .with_content_type("text/plain".into())
        .with_content_encoding("utf-8".into())
        .with_delivery_mode(2)
        .with_message_id(id.into())
        .with_timestamp(millis / 1000)
        .with_headers(headers)
        .with_app_id(SOURCE.into())
}
