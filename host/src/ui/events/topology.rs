//! What happens to exchanges and queues, in words and in figures.

use loghost_core::application::Level;
use loghost_rabbitmq::{Binding, LimitOrigin, Overrun, Policy, QueueBindings, RouteText, TopologyEvent};
use serde_json::{Value, json};

use super::ShownEvent;
use super::streams::{
    in_stream, left_out, offset_not_stored, past_removed, stalled, stream_differs, streams_through_amqp,
};

/// An event as it is shown.
pub(super) fn shown<'a>(event: &TopologyEvent) -> ShownEvent<'a> {
    let level = match event {
        TopologyEvent::BindingDenied { new, .. } if new.is_empty() => Level::Info,
        TopologyEvent::StreamsThroughAmqp { .. }
        | TopologyEvent::UnbindingDenied { .. }
        | TopologyEvent::ExchangeFound { .. } => Level::Info,
        // One is what the broker takes for itself.
        TopologyEvent::OffsetsLeftOut { first, last, .. } if first == last => Level::Info,
        _ => Level::Warning,
    };
    let (name, text, fields) = told(event);
    ShownEvent::new(level, name, text, fields)
}

/// What it is called, what has happened, and the figures and names in it.
fn told(event: &TopologyEvent) -> (&'static str, String, Value) {
    match event {
        TopologyEvent::QueueDiffers { queue, differences } => {
            let listed = differences.join("; ");
            let text =
                format!("the queue {queue} is there already, made otherwise ({listed}): it is used as it is");
            ("queue_differs", text, json!({ "queue": queue, "differences": differences }))
        }
        TopologyEvent::StreamDiffers { stream, differences, policy } => {
            let fields = json!({ "stream": stream, "differences": differences, "policy": policy });
            ("stream_differs", stream_differs(stream, differences, policy), fields)
        }
        TopologyEvent::DeclarationDenied { queue } => {
            let text = format!(
                "the queue {queue} is used as it is, and how it was made is not known: the user may not declare it"
            );
            ("declaration_denied", text, json!({ "queue": queue }))
        }
        TopologyEvent::BindingDenied { queue, new } => {
            let fields = json!({ "queue": queue, "bindings": bindings(new) });
            ("binding_denied", binding_denied(queue, new), fields)
        }
        TopologyEvent::DeliveryLimit { queue, limit, origin, overrun } => {
            let text = delivery_limit(queue, *limit, origin, *overrun);
            ("delivery_limit", text, json!({ "queue": queue, "limit": limit }))
        }
        TopologyEvent::Returned { queue, returns, overrun } => {
            let text = format!(
                "a log of the queue {queue} has come back {returns} times: should a policy set a delivery limit, {}",
                outcome(*overrun)
            );
            ("log_returned", text, json!({ "queue": queue, "returns": returns }))
        }
        TopologyEvent::PolicyChanged { queue, policy } => {
            let text = format!("the policy of the queue `{queue}` has changed: it now has {}", named(policy));
            ("policy_changed", text, policy_fields(queue, policy))
        }
        TopologyEvent::PolicyTakesOut { queue, policy } => {
            let text = format!(
                "the queue `{queue}` takes out what nobody has read, by {} of {}: take that out of the policy, or, \
                 for a length, set overflow to reject-publish",
                policy.takes_out.join(" and "),
                named(policy)
            );
            ("policy_takes_out", text, policy_fields(queue, policy))
        }
        TopologyEvent::ExchangeDeclared { exchange } => {
            let text = format!("the exchange `{exchange}` was not there: declared");
            ("exchange_declared", text, json!({ "exchange": exchange }))
        }
        TopologyEvent::ExchangeRestored { exchange } => {
            let text = format!("the exchange `{exchange}` was missing: declared and bound again");
            ("exchange_restored", text, json!({ "exchange": exchange }))
        }
        TopologyEvent::ExchangeMissing { exchange } => exchange_missing(exchange),
        TopologyEvent::ExchangeFound { exchange } => exchange_found(exchange),
        TopologyEvent::ExchangeRefused { exchange, cause } => exchange_refused(exchange, cause),
        TopologyEvent::QueueRestored { queue } => queue_restored(queue),
        TopologyEvent::BindingsRestored(restored) => bindings_restored(restored),
        TopologyEvent::BindingsMissing(missing) => {
            let queues: Vec<Value> = missing.iter().map(queue_fields).collect();
            ("bindings_missing", bindings_missing(missing), json!({ "queues": queues }))
        }
        TopologyEvent::BindingsUnnamed(unnamed) => bindings_unnamed(unnamed),
        TopologyEvent::CheckRefused { cause } => {
            ("check_refused", format!("logs may not arrive: {cause}"), json!({ "cause": cause }))
        }
        TopologyEvent::LimitsUnknown { cause } => {
            let text = format!("cannot find out about delivery limits: {cause}");
            ("limits_unknown", text, json!({ "cause": cause }))
        }
        TopologyEvent::CheckFailed { cause } => {
            let text = format!("cannot make sure that logs arrive: {cause}");
            ("check_failed", text, json!({ "cause": cause }))
        }
        TopologyEvent::NotReady { cause } => {
            ("not_ready", format!("{cause}: trying again until it can"), json!({ "cause": cause }))
        }
        TopologyEvent::ConnectionSeparated => connection_separated(),
        TopologyEvent::UndeliverableStays { queue, cause } => undeliverable_stays(queue, cause),
        TopologyEvent::UndeliverableInStream { stream, offset, old } => in_stream(stream, *offset, *old),
        TopologyEvent::PastRemoved { stream, wanted, first } => past_removed(stream, *wanted, *first),
        TopologyEvent::StreamsThroughAmqp { cause } => streams_through_amqp(cause),
        TopologyEvent::OffsetsLeftOut { stream, first, last, offsets: n } => {
            left_out(stream, *first, *last, *n)
        }
        TopologyEvent::OffsetNotStored { stream } => offset_not_stored(stream),
        TopologyEvent::StreamStalled { stream, offset } => stalled(stream, *offset),
        TopologyEvent::UnbindingDenied { queue } => unbinding_denied(queue),
        TopologyEvent::LeftInQueue { queue, messages } => left_in_queue(queue, *messages),
        TopologyEvent::DeadLettersRefused { queue } => {
            let text = format!(
                "the broker refuses dead letters for the queue `{queue}`: most likely it is full (reject-publish); \
                 they are sent again until they are taken"
            );
            ("dead_letters_refused", text, json!({ "queue": queue }))
        }
    }
}

fn connection_separated() -> (&'static str, String, Value) {
    let text = "the broker has ended the connection several times with an internal error: consuming on a connection \
                of its own from now on, so that this concerns no more than the consumer whose queue causes it"
        .to_owned();
    ("connection_separated", text, json!({}))
}

fn bindings_restored(restored: &QueueBindings) -> (&'static str, String, Value) {
    let (queue, listed) = (&restored.queue, list(&restored.bindings));
    let text = format!("the queue `{queue}` was not bound any more to {listed}: bound again");
    ("bindings_restored", text, queue_fields(restored))
}

fn bindings_unnamed(unnamed: &QueueBindings) -> (&'static str, String, Value) {
    let QueueBindings { queue, bindings } = unnamed;
    let text = format!(
        "the queue `{queue}` is also bound to {}, which no --bind names: what comes from there goes to the dead letters; if it was \
         bound by a run with other rules that kept no --state, unbind it in the broker",
        list(bindings)
    );
    ("bindings_unnamed", text, queue_fields(unnamed))
}

fn undeliverable_stays(queue: &str, cause: &str) -> (&'static str, String, Value) {
    let text = format!(
        "the broker ends the connection (541) when it is to deliver the message at the head of the queue `{queue}`, and what is \
         behind it waits: it cannot be taken out through AMQP 1.0 ({cause}); it is tried again at intervals. `rabbitmqctl purge_queue` \
         would remove it, with all that is behind it"
    );
    ("undeliverable_stays", text, json!({ "queue": queue, "cause": cause }))
}

fn queue_restored(queue: &str) -> (&'static str, String, Value) {
    let text = format!("the queue `{queue}` was missing: declared and bound again");
    ("queue_restored", text, json!({ "queue": queue }))
}

fn exchange_missing(exchange: &str) -> (&'static str, String, Value) {
    let rule = RouteText { exchange: exchange.to_owned(), key: None };
    let text = format!(
        "the exchange `{exchange}` is not there: it is looked for at intervals (--check-topology-every), and bound when it is; \
         `--bind '{rule};type=topic'` declares it"
    );
    ("exchange_missing", text, json!({ "exchange": exchange }))
}

fn exchange_found(exchange: &str) -> (&'static str, String, Value) {
    let text = format!("the exchange `{exchange}` is there: bound");
    ("exchange_found", text, json!({ "exchange": exchange }))
}

fn exchange_refused(exchange: &str, cause: &str) -> (&'static str, String, Value) {
    let text = format!(
        "logs of the exchange `{exchange}` may not arrive: {cause} (binding needs the right to read the exchange, and to write to \
         the queue)"
    );
    ("exchange_refused", text, json!({ "exchange": exchange, "cause": cause }))
}

fn left_in_queue(queue: &str, messages: u32) -> (&'static str, String, Value) {
    let text = format!(
        "{messages} messages are in the queue {queue}, from a run without streams or a replay: they are counted; what is in a \
         stream as well is known by its id, and without one may be counted twice"
    );
    ("left_in_queue", text, json!({ "queue": queue, "messages": messages }))
}

fn unbinding_denied(queue: &str) -> (&'static str, String, Value) {
    let text = format!(
        "the user may not unbind the queue `{queue}`: if it is bound, from a run without streams, each log comes through it as \
         well, and is counted twice if it has no id; have somebody run this once who may unbind it"
    );
    ("unbinding_denied", text, json!({ "queue": queue }))
}

fn binding_denied(queue: &str, new: &[Binding]) -> String {
    if new.is_empty() {
        return format!("the queue `{queue}` is used as it is bound: the user may not bind it");
    }
    format!(
        "the user may not bind the queue `{queue}` to {}: such logs arrive when somebody who may has bound it \
         (`loghost run PLUGIN --declare-only`)",
        list(new)
    )
}

fn bindings_missing(missing: &[QueueBindings]) -> String {
    let missing = missing.iter().map(|QueueBindings { queue, bindings }| {
        let listed = list(bindings);
        format!("the queue `{queue}` is not bound to {listed}, and the user may not bind it")
    });
    format!("logs may not arrive: {}", missing.collect::<Vec<_>>().join("; "))
}

fn delivery_limit(queue: &str, limit: u32, origin: &LimitOrigin, overrun: Overrun) -> String {
    let (origin, advice) = match origin {
        LimitOrigin::Argument => (
            "it was declared with that".to_owned(),
            "delete the queue when it is empty, and it is declared without".to_owned(),
        ),
        LimitOrigin::Default => {
            let pattern = queue.replace('.', "\\.");
            let policy = format!("NAME '^{pattern}$' '{{\"delivery-limit\":-1}}'");
            ("the broker's default".to_owned(), format!("rabbitmqctl set_policy {policy} sets it aside"))
        }
        LimitOrigin::Policy(name) => (
            format!("the policy {name}"),
            "take delivery-limit out of it, or, on RabbitMQ 4, set it to -1 there".to_owned(),
        ),
    };
    format!(
        "the queue {queue} has a delivery limit of {limit} ({origin}): {}, as when its reader is killed or cut off \
         again and again; {advice}",
        outcome(overrun)
    )
}

/// What becomes of a log that comes back more often than a limit allows.
fn outcome(overrun: Overrun) -> &'static str {
    match overrun {
        Overrun::Dropped => "the broker drops a log that comes back more often, for good",
        Overrun::DeadLettered => "a log that comes back more often goes to the dead letters",
    }
}

fn list(bindings: &[Binding]) -> String {
    let described =
        |Binding { exchange, key }: &Binding| format!("the exchange `{exchange}` with the key `{key}`");
    bindings.iter().map(described).collect::<Vec<_>>().join(", ")
}

/// The most characters of a policy's definition that are shown.
const SHOWN: usize = 200;

fn named(policy: &Policy) -> String {
    let name = match (&policy.name, &policy.operator) {
        (None, None) => return "no policy".to_owned(),
        (Some(name), None) => format!("the policy `{name}`"),
        (None, Some(operator)) => format!("the operator's policy `{operator}`"),
        (Some(name), Some(operator)) => format!("the policy `{name}` and the operator's policy `{operator}`"),
    };
    match policy.definition.char_indices().nth(SHOWN) {
        Some((end, _)) => format!("{name} {}...", &policy.definition[..end]),
        None => format!("{name} {}", policy.definition),
    }
}

fn policy_fields(queue: &str, policy: &Policy) -> Value {
    let Policy { name, operator, definition, takes_out } = policy;
    json!({
        "queue": queue,
        "policy": name,
        "operator_policy": operator,
        "definition": definition,
        "takes_out": takes_out,
    })
}

fn queue_fields(QueueBindings { queue, bindings: of_it }: &QueueBindings) -> Value {
    json!({ "queue": queue, "bindings": bindings(of_it) })
}

fn bindings(bindings: &[Binding]) -> Value {
    bindings.iter().map(|Binding { exchange, key }| json!({ "exchange": exchange, "key": key })).collect()
}
