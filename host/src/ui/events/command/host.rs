//! What a host says of itself as it begins and ends.

use loghost_core::application::{ConsumerActivity, Level};
use loghost_core::domain::{ConsumerName, Severities};
use loghost_rabbitmq::Declaration;
use serde_json::{Value, json};

use super::CommandEvent;

/// What a host says of itself as it begins and ends.
#[derive(Debug)]
pub(crate) enum HostEvent {
    /// Its consumers consume these queues of the broker at this address.
    Consuming {
        /// The address.
        address: String,
        /// Each consumer, with what it reads.
        consumers: Vec<ConsumerReads>,
    },
    /// A queue was declared for this consumer, which wants these severities.
    Declared {
        /// What was declared.
        declaration: Declaration,
        /// The consumer.
        consumer: ConsumerName,
        /// The severities.
        severities: Severities,
    },
    /// Nothing outlasts the run, but what it takes out of the queues.
    WithoutState {
        /// The consumers that have some state of their own.
        keeping: Vec<String>,
        /// What they read.
        reading: Reading,
    },
    /// The run ends while this consumer stands by.
    EndsStandingBy(ConsumerName),
    /// There can be no view, for this reason.
    NoView(String),
    /// The view has ended, for this reason, and the run goes on.
    ViewEnded(String),
}

/// What the consumers of a run read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Reading {
    /// Queues.
    Queues,
    /// Streams.
    Streams,
}

/// What a consumer reads.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct ConsumerReads {
    /// The consumer.
    pub(crate) consumer: ConsumerName,
    /// Its queue; none if it reads streams, or a queue of its own.
    pub(crate) queue: Option<String>,
    /// The streams of its severities, if it reads streams.
    pub(crate) streams: Vec<String>,
    /// The exchanges that `--bind` takes from. Not all of them need be there: which are not was said.
    pub(crate) also_from: Vec<String>,
}

impl ConsumerReads {
    fn text(&self) -> String {
        let Self { consumer, queue, streams, also_from } = self;
        let reads = match queue {
            Some(queue) => queue.clone(),
            None if streams.is_empty() => "a queue of its own".to_owned(),
            None => named_streams(streams),
        };
        let also = if also_from.is_empty() {
            String::new()
        } else {
            format!(", and --bind takes from {}", also_from.join(", "))
        };
        format!("{consumer} ({reads}{also})")
    }

    fn fields(&self) -> Value {
        let Self { consumer, queue, streams, also_from } = self;
        json!({ "consumer": consumer.as_str(), "queue": queue, "streams": streams, "also_from": also_from })
    }
}

/// Streams, by their names.
fn named_streams(streams: &[impl AsRef<str>]) -> String {
    let names: Vec<&str> = streams.iter().map(AsRef::as_ref).collect();
    let noun = if names.len() == 1 { "stream" } else { "streams" };
    format!("the {noun} {}", names.join(", "))
}

impl CommandEvent for HostEvent {
    fn level(&self) -> Level {
        match self {
            Self::Consuming { .. } | Self::Declared { .. } | Self::EndsStandingBy(_) => Level::Info,
            Self::WithoutState { .. } | Self::NoView(_) | Self::ViewEnded(_) => Level::Warning,
        }
    }

    fn told(&self) -> (&'static str, String, Value) {
        match self {
            Self::Consuming { address, consumers } => {
                let texts: Vec<String> = consumers.iter().map(ConsumerReads::text).collect();
                let text = format!("consuming from {address}: {}", texts.join(", "));
                let consumers: Value = consumers.iter().map(ConsumerReads::fields).collect();
                ("consuming_from", text, json!({ "address": address, "consumers": consumers }))
            }
            Self::Declared { declaration, consumer, severities } => {
                declared(declaration, consumer, *severities)
            }
            Self::WithoutState { keeping, reading } => {
                let word = match reading {
                    Reading::Queues => "queues",
                    Reading::Streams => "streams",
                };
                let fields = json!({ "keeping": keeping, "reading": word });
                ("without_state", without_state(keeping, *reading), fields)
            }
            Self::EndsStandingBy(_) => {
                let text = "ends while it stands by: another host consumes its queue, and counts what comes";
                ("ends_standing_by", text.to_owned(), Value::Null)
            }
            Self::NoView(why) => {
                ("no_view", format!("there can be no view, only lines: {why}"), json!({ "cause": why }))
            }
            Self::ViewEnded(why) => {
                let text = format!("the view has ended ({why}); the run goes on");
                ("view_ended", text, json!({ "cause": why }))
            }
        }
    }

    fn consumer(&self) -> Option<&str> {
        match self {
            Self::EndsStandingBy(consumer) => Some(consumer.as_str()),
            _ => None,
        }
    }
}

fn declared(
    declaration: &Declaration,
    consumer: &ConsumerName,
    severities: Severities,
) -> (&'static str, String, Value) {
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
    let text = format!("declared {queue}{and_streams} for {consumer}: {severities}{remark}");
    let severities: Vec<String> = severities.iter().map(|severity| severity.to_string()).collect();
    let streams: Vec<&str> = streams.iter().map(AsRef::as_ref).collect();
    let fields = json!({
        "consumer": consumer.as_str(),
        "queue": queue,
        "streams": streams,
        "severities": severities,
        "standing_by": *activity == ConsumerActivity::StandingBy,
    });
    ("declared", text, fields)
}

fn without_state(keeping: &[String], reading: Reading) -> String {
    let also = if keeping.is_empty() {
        String::new()
    } else {
        format!(", and what consumers keep of their own ({}),", keeping.join(", "))
    };
    match reading {
        Reading::Queues => format!(
            "without --state, counts{also} last as long as this run, and what is acknowledged is gone from the queues: \
             keep them with --state DIR, or only look, at a queue that goes with the run, with --ephemeral"
        ),
        Reading::Streams => format!(
            "without --state, counts{also} last as long as this run; how far the streams were read is kept by the broker where \
             it speaks the stream protocol, and otherwise lasts as long: keep both with --state DIR, and the next run goes on \
             where this one has ended, with its counts"
        ),
    }
}
