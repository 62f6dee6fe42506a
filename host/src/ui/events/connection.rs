//! What happens to connections, in words and in figures.

use loghost_core::application::{ConnectionEvent, Level};
use serde_json::{Value, json};

use super::{Readers, ShownEvent};

/// An event of the connection for `purpose` as it is shown.
pub(super) fn shown<'a>(purpose: &str, event: &ConnectionEvent<'_>) -> ShownEvent<'a> {
    let of = |level, name, text: String, mut fields: Value| {
        fields["purpose"] = purpose.into();
        ShownEvent::new(level, name, text, fields)
    };
    match event {
        ConnectionEvent::Connected { address, failed_attempts } => {
            let text = format!("{purpose}: connected to {address}");
            let fields = json!({ "address": address, "failed_attempts": failed_attempts });
            let readers = if *failed_attempts == 0 { Readers::Machines } else { Readers::All };
            ShownEvent { readers, ..of(Level::Info, "connected", text, fields) }
        }
        ConnectionEvent::Lost { cause } => {
            let text = format!("{purpose}: {cause}");
            of(Level::Warning, "connection_lost", text, json!({ "cause": cause }))
        }
        ConnectionEvent::Failed { cause, retry_after } => {
            let seconds = retry_after.as_secs_f32();
            let text = format!("{purpose}: {cause}: trying again in {seconds:.1}s");
            let fields = json!({ "cause": cause, "retry_after_seconds": retry_after.as_secs_f64() });
            of(Level::Warning, "connection_failed", text, fields)
        }
        ConnectionEvent::Skipped { cause } => {
            let text = format!("{purpose}: {cause}: the next one is used");
            of(Level::Warning, "address_skipped", text, json!({ "cause": cause }))
        }
        ConnectionEvent::Reconnected { address, outage } => {
            let text = format!("{purpose}: connected to {address} again");
            let fields = json!({ "address": address, "outage_seconds": outage.as_secs_f64() });
            of(Level::Info, "reconnected", text, fields)
        }
        ConnectionEvent::Blocked { cause } => {
            let text = format!("the broker holds publishers back: {cause}");
            of(Level::Warning, "publishers_blocked", text, json!({ "cause": cause }))
        }
        ConnectionEvent::Unblocked => {
            let text = "the broker takes logs again".to_owned();
            of(Level::Info, "publishers_unblocked", text, json!({}))
        }
    }
}
