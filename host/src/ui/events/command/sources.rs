//! What happens while `sources` looks at exchanges.

use std::time::Duration;

use loghost_core::application::Level;
use serde_json::{Value, json};

use super::{CommandEvent, no_management};
use crate::ui::terminal::counted;

/// What happens while `sources` looks at exchanges.
#[derive(Debug)]
pub(crate) enum SourcesEvent {
    /// So many exchanges are looked at.
    Looking {
        /// How many.
        exchanges: usize,
        /// For how long.
        period: Duration,
        /// The address of the broker.
        address: String,
    },
    /// It is not known which exchanges there are: these are looked at.
    ExchangesUnknown(Vec<String>),
    /// The management API does not answer as it should, for this reason.
    NoManagement(String),
    /// The connection was lost, and made again, so many times.
    Reconnected(u32),
    /// Nothing came through these exchanges, and so many others.
    Quiet(Vec<String>, usize),
    /// This exchange was not looked at, for this reason.
    NotLookedAt {
        /// The exchange.
        exchange: String,
        /// The reason.
        cause: String,
    },
    /// So many other exchanges were not looked at.
    OthersNotLookedAt(usize),
}

impl CommandEvent for SourcesEvent {
    fn level(&self) -> Level {
        match self {
            Self::Looking { .. } | Self::ExchangesUnknown(_) | Self::Quiet(..) => Level::Info,
            _ => Level::Warning,
        }
    }

    fn told(&self) -> (&'static str, String, Value) {
        match self {
            Self::Looking { exchanges, period, address } => {
                let (count, time) = (counted(*exchanges, "exchange"), humantime::format_duration(*period));
                let text = format!("looking at {count} for {time} at {address} (Ctrl-C ends it earlier)");
                let seconds = period.as_secs_f64();
                let fields = json!({ "count": exchanges, "seconds": seconds, "address": address });
                ("looking_at_exchanges", text, fields)
            }
            Self::ExchangesUnknown(exchanges) => {
                let text = format!(
                    "which exchanges there are only RabbitMQ's management API tells (`rabbitmq-plugins enable rabbitmq_management`, and \
                     --management-url if it is not at its usual place): looking at {}; name others, as in `loghost sources app`",
                    exchanges.join(", ")
                );
                ("exchanges_unknown", text, json!({ "exchanges": exchanges }))
            }
            Self::NoManagement(cause) => no_management(cause),
            Self::Reconnected(times) => {
                let often = if *times == 1 { "once".to_owned() } else { format!("{times} times") };
                let text = format!(
                    "the connection was lost {often} and made again: what was published meanwhile was not seen, nor what waited in the queues"
                );
                ("reconnected_while_looking", text, json!({ "reconnects": times }))
            }
            Self::Quiet(exchanges, others) => {
                let more = if *others > 0 { format!(" and {others} more") } else { String::new() };
                let text = format!("nothing came through {}{more}", exchanges.join(", "));
                let fields = json!({ "exchanges": exchanges, "others": others });
                ("quiet", text, fields)
            }
            Self::NotLookedAt { exchange, cause } => {
                let text = format!("not looked at: `{exchange}`: {cause}");
                ("not_looked_at", text, json!({ "exchange": exchange, "cause": cause }))
            }
            Self::OthersNotLookedAt(others) => {
                let text =
                    format!("not looked at: {} more (--format json has all)", counted(*others, "exchange"));
                ("others_not_looked_at", text, json!({ "count": others }))
            }
        }
    }
}
