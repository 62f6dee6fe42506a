//! What happens while logs are looked at, recorded, replayed and verified.

use loghost_core::application::{Level, UnboundLogs};
use loghost_rabbitmq::Span;
use serde_json::{Value, json};

use super::CommandEvent;
use crate::ui::terminal::counted;

/// What happens while logs are looked at, recorded, replayed and verified.
#[derive(Debug)]
pub(crate) enum ReadingEvent {
    /// Logs are looked at as they come.
    Looking {
        /// The exchanges that they come through.
        exchanges: Vec<String>,
        /// The sources that are looked at; all if none is named.
        sources: Vec<String>,
        /// The address of the broker.
        address: String,
    },
    /// So many logs were not seen.
    Unseen(u64),
    /// These parts of streams are read: what is done with them, and which they are.
    Past(PastUse, Vec<Span>),
    /// A log is the first that a scenario cannot say, for this reason.
    FirstLeftOut(String),
    /// A recording has ended.
    Recorded {
        /// How many logs the scenario has.
        written: u64,
        /// How many were left out.
        left_out: u64,
    },
    /// No rule brings some logs of this scenario to any consumer.
    Unbound(String, UnboundLogs),
    /// This scenario is run on an embedded broker at this address.
    Demo {
        /// The scenario.
        scenario: String,
        /// The address.
        address: String,
    },
}

/// What logs of the past are read for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum PastUse {
    /// To be shown or recorded.
    Reading,
    /// For consumers.
    Replaying,
}

impl CommandEvent for ReadingEvent {
    fn level(&self) -> Level {
        match self {
            Self::Unseen(_) | Self::FirstLeftOut(_) | Self::Unbound(..) => Level::Warning,
            _ => Level::Info,
        }
    }

    fn told(&self) -> (&'static str, String, Value) {
        match self {
            Self::Looking { exchanges, sources, address } => {
                let through = exchanges.join(", ");
                let of = if sources.is_empty() {
                    String::new()
                } else {
                    format!(" of the sources {}", sources.join(", "))
                };
                let text = format!("looking at what comes through {through}{of} at {address} (Ctrl-C ends)");
                ("looking", text, json!({ "exchanges": exchanges, "sources": sources, "address": address }))
            }
            Self::Unseen(logs) => {
                let count = counted(usize::try_from(*logs).unwrap_or(usize::MAX), "log");
                let text = format!(
                    "not seen, by the numbers in the ids: {count}; the broker drops the oldest of what nobody reads in time, and all \
                     while there is no connection"
                );
                ("unseen", text, json!({ "logs": logs }))
            }
            Self::Past(purpose, spans) => past(*purpose, spans),
            Self::FirstLeftOut(why) => {
                let text = format!(
                    "a log is left out, as are others of which a scenario cannot say something: {why}"
                );
                ("log_left_out", text, json!({ "cause": why }))
            }
            Self::Recorded { written, left_out } => {
                let text = format!(
                    "recorded {written}  left out {left_out}; `loghost verify --bless FILE` writes down what consumers make of them"
                );
                ("recorded", text, json!({ "recorded": written, "left_out": left_out }))
            }
            Self::Unbound(scenario, unbound) => unbound_logs(scenario, unbound),
            Self::Demo { scenario, address } => {
                let text = format!("running {scenario} on an embedded broker at {address}");
                ("demo_begins", text, json!({ "scenario": scenario, "address": address }))
            }
        }
    }
}

fn past(purpose: PastUse, spans: &[Span]) -> (&'static str, String, Value) {
    let described = spans.iter().map(|Span { stream, from, until, .. }| {
        match until.checked_sub(1).filter(|_| until > from) {
            Some(last) => format!("{stream} from offset {from} to {last}"),
            None => format!("{stream} (nothing)"),
        }
    });
    let described = described.collect::<Vec<_>>().join(", ");
    let fields = |Span { stream, from, until, .. }: &Span| json!({ "stream": &**stream, "from": from, "until": until });
    let fields = json!({ "streams": spans.iter().map(fields).collect::<Value>() });
    match purpose {
        PastUse::Reading => ("reading", format!("reading {described}"), fields),
        PastUse::Replaying => ("replaying", format!("replaying {described}"), fields),
    }
}

fn unbound_logs(
    scenario: &str,
    UnboundLogs { logs, of, keys }: &UnboundLogs,
) -> (&'static str, String, Value) {
    let key = |key: &String| if key.is_empty() { "an empty one".to_owned() } else { format!("`{key}`") };
    let such: Vec<String> = keys.iter().map(key).collect();
    let text = format!(
        "{}: {logs} of its {of} logs came to nobody: no rule of --bind matches their routing keys (--key), such as {}",
        scenario,
        such.join(", ")
    );
    ("unbound", text, json!({ "scenario": scenario, "unbound": logs, "logs": of }))
}
