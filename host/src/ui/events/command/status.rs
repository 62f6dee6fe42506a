//! What `status` could not find out, and who knows it.

use loghost_core::application::Level;
use serde_json::{Value, json};

use super::{CommandEvent, no_management};
use crate::ui::terminal::counted;

/// Something that `status` could not find out.
#[derive(Debug)]
pub(crate) enum StatusEvent {
    /// The management API does not answer as it should, for this reason.
    NoManagement(String),
    /// The host does not say how its consumers are, for this reason.
    NoHost(String),
    /// The figures of so many queues are not known: the error of the first.
    FiguresUnknown(usize, String),
    /// The broker does not tell how far streams were read, for this reason.
    PositionsUnknown(String),
    /// The broker does not store how far these consumers have read these streams.
    PositionsNotStored {
        /// The streams.
        streams: Vec<String>,
        /// The consumers.
        consumers: Vec<String>,
    },
    /// The broker does not tell where these streams end.
    EndsUnknown(Vec<String>),
    /// Only the management API knows more.
    ManagementKnowsMore,
}

impl CommandEvent for StatusEvent {
    fn level(&self) -> Level {
        match self {
            Self::PositionsNotStored { .. } | Self::ManagementKnowsMore => Level::Info,
            _ => Level::Warning,
        }
    }

    fn told(&self) -> (&'static str, String, Value) {
        match self {
            Self::NoManagement(cause) => no_management(cause),
            Self::NoHost(cause) => ("no_host", format!("--host-address: {cause}"), json!({ "cause": cause })),
            Self::FiguresUnknown(queues, cause) => {
                let text = format!("the figures of {} are not known: {cause}", counted(*queues, "queue"));
                ("figures_unknown", text, json!({ "queues": queues, "cause": cause }))
            }
            Self::PositionsUnknown(cause) => {
                let text = format!("how far streams were read the broker does not tell: {cause}");
                ("positions_unknown", text, json!({ "cause": cause }))
            }
            Self::PositionsNotStored { streams, consumers } => {
                let text = format!(
                    "the broker has streams ({}), and does not store how far they were read by {}: if they read streams, the state of \
                     their host (--state) or the host itself (--host-address) tells",
                    streams.join(", "),
                    consumers.join(", ")
                );
                ("positions_not_stored", text, json!({ "streams": streams, "consumers": consumers }))
            }
            Self::EndsUnknown(streams) => {
                let text = format!(
                    "the broker does not tell where these streams end, which have to be there and which the user must be allowed to \
                     read: {}",
                    streams.join(", ")
                );
                ("ends_unknown", text, json!({ "streams": streams }))
            }
            Self::ManagementKnowsMore => {
                let text = "only the management API (--management-url) tells how many logs readers have in hand, what comes and is \
                            acknowledged in a second, and which readers wait";
                ("management_knows_more", text.to_owned(), Value::Null)
            }
        }
    }
}
