//! What a host says of itself while it runs: what it consumes, what was declared, what does not last.

use loghost_core::application::ConsumerActivity;
use loghost_core::domain::{ConsumerName, Descriptor};
use loghost_rabbitmq::{Address, Declaration};

use crate::ui::terminal::{self, Notice};

/// Says where consumers consume from, each with its queue.
pub(crate) fn say_consuming(address: &Address, queues: &[String]) {
    terminal::notice(&format!("consuming from {address}: {}", queues.join(", ")));
}

/// Says that a run ends while this consumer stands by.
pub(crate) fn say_standing_by(consumer: &ConsumerName) {
    let text = "ends while it stands by: another host consumes its queue, and counts what comes";
    terminal::tell(&Notice::info(text).of(consumer.as_str()));
}

/// Warns that nothing outlasts the run but what it takes out of the queues, nor what the consumers that are `keeping`
/// some state have kept.
pub(crate) fn warn_without_state(keeping: &[String], reading: Reading) {
    let also = if keeping.is_empty() {
        String::new()
    } else {
        format!(", and what consumers keep of their own ({}),", keeping.join(", "))
    };
    let text = match reading {
        Reading::Queues => format!(
            "without --state, counts{also} last as long as this run, and what is acknowledged is gone from the queues: \
             keep them with --state DIR, or only look, at a queue that goes with the run, with --ephemeral"
        ),
        Reading::Streams => format!(
            "without --state, counts{also} last as long as this run; how far the streams were read is kept by the broker where \
             it speaks the stream protocol, and otherwise lasts as long: keep both with --state DIR, and the next run goes on \
             where this one has ended, with its counts"
        ),
    };
    terminal::warning(&text);
}

/// What the consumers of a run read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Reading {
    Queues,
    Streams,
}

/// Streams, by their names.
pub(crate) fn named_streams(streams: &[impl AsRef<str>]) -> String {
    let names: Vec<&str> = streams.iter().map(AsRef::as_ref).collect();
    let noun = if names.len() == 1 { "stream" } else { "streams" };
    format!("the {noun} {}", names.join(", "))
}

/// Says what was declared for a consumer.
pub(crate) fn say_declared(declaration: &Declaration, descriptor: &Descriptor) {
    let Declaration { queue, streams, activity } = declaration;
    let remark = match activity {
        ConsumerActivity::StandingBy if streams.is_empty() => {
            "; another host consumes it: bindings were added, and none removed; what that host does not want \
             goes to the dead letters until this plugin takes over"
        }
        ConsumerActivity::StandingBy => "; another host consumes it",
        ConsumerActivity::Active => "",
    };
    let and_streams =
        if streams.is_empty() { String::new() } else { format!(" and {}", named_streams(streams)) };
    let (name, severities) = (&descriptor.name, descriptor.filter.severities());
    terminal::notice(&format!("declared {queue}{and_streams} for {name}: {severities}{remark}"));
}
