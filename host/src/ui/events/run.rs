//! What happens in a run to which consumers it has, in words and in figures.

use loghost_core::application::{Level, ReloadScope, RunEvent};
use loghost_core::domain::ConsumerName;
use serde_json::{Value, json};

use super::{Layout, ShownEvent};

/// An event of a run as it is shown.
pub(super) fn shown<'a>(event: &RunEvent<'a>) -> ShownEvent<'a> {
    let consumer = consumer(event).map(ConsumerName::as_str);
    let layout = match event {
        // Why a file is wrong is said with an excerpt.
        RunEvent::NothingReloaded(_) | RunEvent::NotTriedAgain(..) => Layout::Indented,
        _ => Layout::Line,
    };
    ShownEvent { consumer, layout, ..ShownEvent::new(level(event), name(event), text(event), fields(event)) }
}

/// The consumer that it has happened to, if it was one alone.
fn consumer<'a>(event: &RunEvent<'a>) -> Option<&'a ConsumerName> {
    match event {
        RunEvent::Reloading(_) | RunEvent::NothingReloaded(_) | RunEvent::Unwatched(_) => None,
        RunEvent::Added(consumer)
        | RunEvent::Removed(consumer)
        | RunEvent::RunAnew(consumer)
        | RunEvent::TriedAgain(consumer)
        | RunEvent::NotTriedAgain(consumer, _)
        | RunEvent::Started(consumer) => Some(consumer),
    }
}

fn level(event: &RunEvent<'_>) -> Level {
    match event {
        RunEvent::NothingReloaded(_) | RunEvent::NotTriedAgain(..) => Level::Error,
        RunEvent::Unwatched(_) => Level::Warning,
        RunEvent::Reloading(_)
        | RunEvent::Added(_)
        | RunEvent::Removed(_)
        | RunEvent::RunAnew(_)
        | RunEvent::TriedAgain(_)
        | RunEvent::Started(_) => Level::Info,
    }
}

/// What an event is called, for machines.
fn name(event: &RunEvent<'_>) -> &'static str {
    match event {
        RunEvent::Reloading(_) => "reloading",
        RunEvent::NothingReloaded(_) => "nothing_reloaded",
        RunEvent::Unwatched(_) => "unwatched",
        RunEvent::Added(_) => "added",
        RunEvent::Removed(_) => "removed",
        RunEvent::RunAnew(_) => "run_anew",
        RunEvent::TriedAgain(_) => "tried_again",
        RunEvent::NotTriedAgain(..) => "not_tried_again",
        RunEvent::Started(_) => "started",
    }
}

fn fields(event: &RunEvent<'_>) -> Value {
    match event {
        RunEvent::Reloading(scope) => json!({ "configuration": *scope == ReloadScope::Configuration }),
        RunEvent::NothingReloaded(error) | RunEvent::Unwatched(error) | RunEvent::NotTriedAgain(_, error) => {
            json!({ "error": error })
        }
        RunEvent::Added(_)
        | RunEvent::Removed(_)
        | RunEvent::RunAnew(_)
        | RunEvent::TriedAgain(_)
        | RunEvent::Started(_) => Value::Null,
    }
}

/// What has happened.
fn text(event: &RunEvent<'_>) -> String {
    let text = match event {
        RunEvent::Reloading(ReloadScope::Configuration) => {
            "reload: reading the configuration and loading the plugins again"
        }
        RunEvent::Reloading(ReloadScope::Plugins) => "reload: loading the plugins again",
        RunEvent::NothingReloaded(error) => {
            return format!("nothing is reloaded, all goes on as it is: {error}");
        }
        RunEvent::Unwatched(error) => {
            return format!("cannot watch the plugins' files ({error}): reload with SIGHUP");
        }
        RunEvent::Added(_) => "is new in the configuration",
        RunEvent::Removed(_) => "is not in the configuration any more: ends, and leaves its queue as it is",
        RunEvent::RunAnew(_) => "is run anew, as the configuration has changed",
        RunEvent::TriedAgain(_) => "has ended: is tried again",
        RunEvent::NotTriedAgain(_, error) => return format!("has ended, and cannot be tried again: {error}"),
        RunEvent::Started(_) => "begins to consume",
    };
    text.to_owned()
}
