//! What happens in a command, and is worth a line beside its results: as data, with its words and figures.

mod bench;
mod dead_letters;
mod host;
mod plugin_log;
mod publishing;
mod reading;
mod rules;
mod sources;
mod status;
mod tools;

use loghost_core::application::{Event, Level, Observer};
use serde_json::{Value, json};

pub(crate) use self::bench::BenchEvent;
pub(crate) use self::dead_letters::{DeadLettersEvent, no_dead_letters, not_logs};
pub(crate) use self::host::{ConsumerReads, HostEvent, Reading};
pub(crate) use self::plugin_log::{PluginLog, PluginLogEvent};
pub(crate) use self::publishing::{PublishedTo, PublishingEvent, Unsent};
pub(crate) use self::reading::{PastUse, ReadingEvent};
pub(crate) use self::rules::RuleEvent;
pub(crate) use self::sources::SourcesEvent;
pub(crate) use self::status::StatusEvent;
pub(crate) use self::tools::ToolEvent;
use super::ShownEvent;

/// Something that happens in a command.
pub(crate) trait CommandEvent: 'static {
    /// How much it matters.
    fn level(&self) -> Level;

    /// What it is called, what has happened, and the figures and names in it: an object, or null.
    fn told(&self) -> (&'static str, String, Value);

    /// The name of the consumer that it is about, if it is about one.
    fn consumer(&self) -> Option<&str> {
        None
    }
}

/// An event of a command, as observers get it.
struct OfCommand(Box<dyn CommandEvent>);

/// Tells an observer what happens in a command.
pub(crate) fn tell(observer: &dyn Observer, event: impl CommandEvent) {
    observer.observe(&Event::Adapter(None, &OfCommand(Box::new(event))));
}

/// What happens in a command as it is shown; none if it is something else.
pub(super) fn shown(event: &dyn std::any::Any) -> Option<ShownEvent<'_>> {
    let OfCommand(event) = event.downcast_ref()?;
    let (name, text, fields) = event.told();
    Some(ShownEvent { consumer: event.consumer(), ..ShownEvent::new(event.level(), name, text, fields) })
}

/// A command is interrupted, and the answers to what was sent are waited for.
fn interrupted() -> (&'static str, String, Value) {
    ("interrupted", "interrupted: waiting for the answers to what was sent".to_owned(), Value::Null)
}

/// The management API does not tell what a command asks it, for this reason.
fn no_management(cause: &str) -> (&'static str, String, Value) {
    ("no_management", cause.to_owned(), json!({ "cause": cause }))
}
