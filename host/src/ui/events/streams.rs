//! What happens to streams, in words and in figures.

use loghost_rabbitmq::other_way;
use serde_json::{Value, json};

pub(super) fn past_removed(stream: &str, wanted: Option<u64>, first: u64) -> (&'static str, String, Value) {
    let before = match wanted {
        Some(wanted) => format!("of what was asked for, up to {} logs", first - wanted),
        None => format!("what was before, up to {first} logs, of which some may have been asked for,"),
    };
    let text = format!(
        "the stream `{stream}` begins at offset {first}: {before} are not there, as its retention has removed them"
    );
    ("past_removed", text, json!({ "stream": stream, "wanted": wanted, "first": first }))
}

pub(super) fn streams_through_amqp(cause: &str) -> (&'static str, String, Value) {
    let text = format!(
        "streams are read through AMQP 0-9-1, which takes several times the CPU: {cause}; where the stream protocol is spoken \
         elsewhere, say where with --stream-address HOST:PORT; without --state nothing keeps how far they were read"
    );
    ("streams_through_amqp", text, json!({ "cause": cause }))
}

pub(super) fn in_stream(stream: &str, offset: Option<u64>, old: bool) -> (&'static str, String, Value) {
    let what = match offset {
        Some(offset) => format!("what is in the stream `{stream}` from offset {offset} on"),
        None => format!("the last messages of the stream `{stream}`"),
    };
    let text = format!(
        "the broker ends the connection (541) when it is to deliver {what} through AMQP 0-9-1, and the stream waits: {}; it is \
         tried again at intervals",
        other_way(old)
    );
    ("undeliverable_in_stream", text, json!({ "stream": stream, "offset": offset }))
}

pub(super) fn left_out(stream: &str, first: u64, last: u64, offsets: u64) -> (&'static str, String, Value) {
    let text = format!(
        "offsets of the stream `{stream}` did not come, {offsets} so far, the last ones from {first} to {last}: through AMQP 0-9-1 the \
         broker leaves out batches that a producer has compressed, whose logs are not counted, and what it stores there itself; \
         the stream protocol (RabbitMQ's plugin rabbitmq_stream) brings them"
    );
    let fields = json!({ "stream": stream, "first": first, "last": last, "offsets": offsets });
    ("offsets_left_out", text, fields)
}

pub(super) fn offset_not_stored(stream: &str) -> (&'static str, String, Value) {
    let text = format!(
        "the broker does not keep how far the stream `{stream}` was read, most likely because the user may not write to it \
         (`rabbitmqctl set_permissions`): the next run begins where a new consumer does; or keep it with --state DIR"
    );
    ("offset_not_stored", text, json!({ "stream": stream }))
}

pub(super) fn stalled(stream: &str, offset: u64) -> (&'static str, String, Value) {
    let text = format!(
        "the broker sends nothing of the stream `{stream}` from offset {offset} on, though it has more: subscribing again there"
    );
    ("stream_stalled", text, json!({ "stream": stream, "offset": offset }))
}

pub(super) fn stream_differs(stream: &str, differences: &[String], policy: &str) -> String {
    let (listed, pattern) = (differences.join("; "), stream.replace('.', "\\."));
    format!(
        "the stream {stream} is there already, made otherwise ({listed}): it is used as it is; a policy changes that and \
         deletes no stream: rabbitmqctl set_policy NAME '^{pattern}$' '{policy}' --apply-to queues"
    )
}
