//! What a host says of itself while it runs: what it consumes, what was declared, what does not last.

use loghost_core::application::{ConsumerActivity, Notice};
use loghost_core::domain::{ConsumerName, Descriptor};
use loghost_rabbitmq::{Address, Declaration};

use crate::ui::terminal;

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
pub(crate) fn warn_without_state(keeping: &[String]) {
    let also = if keeping.is_empty() {
        String::new()
    } else {
        format!(", and what consumers keep of their own ({}),", keeping.join(", "))
    };
    terminal::warning(&format!(
        "without --state, counts{also} last as long as this run, and what is acknowledged is gone from the queues: \
         keep them with --state DIR, or only look, at a queue that goes with the run, with --ephemeral"
    ));
}

/// Says what was declared for a consumer.
pub(crate) fn say_declared(declaration: &Declaration, descriptor: &Descriptor) {
    let remark = match declaration.activity {
        ConsumerActivity::Active => "",
        ConsumerActivity::StandingBy => {
            "; another host consumes it: bindings were added, and none removed; what that host does not want \
             goes to the dead letters until this plugin takes over"
        }
    };
    let (queue, name, severities) = (&declaration.queue, &descriptor.name, descriptor.filter.severities());
    terminal::notice(&format!("declared {queue} for {name}: {severities}{remark}"));
}
