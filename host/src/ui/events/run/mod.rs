//! What happens in a run, in words and in figures.

mod text;

use loghost_core::application::{
    ClockLeap, DeadLettersReplayed, Level, ListenScope, OwnState, ReloadScope, RunEvent,
};
use loghost_core::domain::{ConsumerName, Severity};
use serde_json::{Map, Value, json};

use self::text::{text, why};
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
    match *event {
        RunEvent::StateBegins(_)
        | RunEvent::Reloading(_)
        | RunEvent::NothingReloaded(_)
        | RunEvent::Unwatched(_)
        | RunEvent::NeedsStart
        | RunEvent::ClockLeapt(_)
        | RunEvent::Ending(_)
        | RunEvent::CannotGoOn(_)
        | RunEvent::EndingWith(_)
        | RunEvent::Listening(..)
        | RunEvent::Exporting(_)
        | RunEvent::ServiceManagerUnreachable(_)
        | RunEvent::ConsumesItsOwn(..) => None,
        RunEvent::Restarted(consumer, _)
        | RunEvent::SettingsChanged(consumer, ..)
        | RunEvent::Added(consumer)
        | RunEvent::Removed(consumer)
        | RunEvent::RunAnew(consumer)
        | RunEvent::TriedAgain(consumer)
        | RunEvent::NotTriedAgain(consumer, _)
        | RunEvent::Started(consumer)
        | RunEvent::Stuck(consumer)
        | RunEvent::MeasureKindsDiffer(_, [_, (consumer, _)])
        | RunEvent::Failed(consumer, _)
        | RunEvent::NotBegun(consumer, _)
        | RunEvent::DeadLettersReplayed(consumer, _)
        | RunEvent::DeadLettersNotReplayed(consumer, _)
        | RunEvent::Unfinished(consumer, _) => Some(consumer),
        RunEvent::LeftOut(consumer, _) | RunEvent::Panicked(consumer, _) => consumer,
    }
}

fn level(event: &RunEvent<'_>) -> Level {
    match event {
        RunEvent::NothingReloaded(_)
        | RunEvent::NotTriedAgain(..)
        | RunEvent::Failed(..)
        | RunEvent::NotBegun(..)
        | RunEvent::DeadLettersNotReplayed(..)
        | RunEvent::Stuck(_)
        | RunEvent::Panicked(..) => Level::Error,
        RunEvent::Restarted(..)
        | RunEvent::SettingsChanged(..)
        | RunEvent::Unwatched(_)
        | RunEvent::NeedsStart
        | RunEvent::MeasureKindsDiffer(..)
        | RunEvent::ClockLeapt(_)
        | RunEvent::LeftOut(..)
        | RunEvent::ConsumesItsOwn(..)
        | RunEvent::Listening(_, ListenScope::Network)
        | RunEvent::ServiceManagerUnreachable(_)
        | RunEvent::Unfinished(..) => Level::Warning,
        RunEvent::StateBegins(_)
        | RunEvent::Reloading(_)
        | RunEvent::Added(_)
        | RunEvent::Removed(_)
        | RunEvent::RunAnew(_)
        | RunEvent::TriedAgain(_)
        | RunEvent::Started(_)
        | RunEvent::Ending(_)
        | RunEvent::CannotGoOn(_)
        | RunEvent::DeadLettersReplayed(..)
        | RunEvent::Listening(_, ListenScope::Loopback)
        | RunEvent::Exporting(_)
        | RunEvent::EndingWith(_) => Level::Info,
    }
}

/// What an event is called, for machines.
fn name(event: &RunEvent<'_>) -> &'static str {
    match event {
        RunEvent::StateBegins(_) => "state_begins",
        RunEvent::Listening(..) => "listening",
        RunEvent::Exporting(_) => "exporting",
        RunEvent::ServiceManagerUnreachable(_) => "service_manager_unreachable",
        RunEvent::Stuck(_) => "stuck",
        RunEvent::LeftOut(..) => "plugin_left_out",
        RunEvent::ConsumesItsOwn(..) => "consumes_its_own",
        RunEvent::DeadLettersReplayed(..) => "dead_letters_replayed",
        RunEvent::DeadLettersNotReplayed(..) => "dead_letters_not_replayed",
        RunEvent::Restarted(..) => "restarted",
        RunEvent::SettingsChanged(..) => "settings_changed",
        RunEvent::Reloading(_) => "reloading",
        RunEvent::NothingReloaded(_) => "nothing_reloaded",
        RunEvent::Unwatched(_) => "unwatched",
        RunEvent::Added(_) => "added",
        RunEvent::Removed(_) => "removed",
        RunEvent::RunAnew(_) => "run_anew",
        RunEvent::TriedAgain(_) => "tried_again",
        RunEvent::NotTriedAgain(..) => "not_tried_again",
        RunEvent::Started(_) => "started",
        RunEvent::NeedsStart => "needs_start",
        RunEvent::MeasureKindsDiffer(..) => "measure_kinds_differ",
        RunEvent::ClockLeapt(_) => "clock_leapt",
        RunEvent::Ending(_) => "ending",
        RunEvent::CannotGoOn(_) => "cannot_go_on",
        RunEvent::EndingWith(_) => "ending_with",
        RunEvent::Failed(..) => "consumer_failed",
        RunEvent::NotBegun(..) => "not_begun",
        RunEvent::Panicked(..) => "panicked",
        RunEvent::Unfinished(..) => "unfinished",
    }
}

fn fields(event: &RunEvent<'_>) -> Value {
    match event {
        RunEvent::StateBegins(folder) => json!({ "folder": folder.to_string_lossy() }),
        RunEvent::Restarted(_, counted) => json!({ "counted": counted }),
        RunEvent::SettingsChanged(_, settings, own) => {
            json!({ "settings": settings, "checkpoint": *own == OwnState::Checkpoint })
        }
        RunEvent::Reloading(scope) => json!({ "configuration": *scope == ReloadScope::Configuration }),
        RunEvent::NothingReloaded(error)
        | RunEvent::Unwatched(error)
        | RunEvent::NotTriedAgain(_, error)
        | RunEvent::CannotGoOn(error)
        | RunEvent::NotBegun(_, error)
        | RunEvent::LeftOut(_, error)
        | RunEvent::ServiceManagerUnreachable(error)
        | RunEvent::DeadLettersNotReplayed(_, error)
        | RunEvent::Panicked(_, error) => json!({ "error": error }),
        RunEvent::MeasureKindsDiffer(measure, [(shown, kind), (_, other)]) => {
            json!({ "measure": measure, "kind": other.as_str(), "shown_of": shown.as_str(), "shown_kind": kind.as_str() })
        }
        RunEvent::Listening(address, scope) => {
            json!({ "address": address.to_string(), "loopback": *scope == ListenScope::Loopback })
        }
        RunEvent::Exporting(signals) => signals
            .iter()
            .map(|(signal, address)| ((*signal).to_owned(), address.as_str().into()))
            .collect::<Map<_, _>>()
            .into(),
        RunEvent::ConsumesItsOwn(plugin, both) => {
            json!({ "plugin": plugin, "severities": both.iter().map(Severity::as_str).collect::<Vec<_>>() })
        }
        RunEvent::DeadLettersReplayed(
            _,
            DeadLettersReplayed { done, left, not_dead_letters, not_logs, extent: _ },
        ) => {
            json!({ "replayed": done, "left": left, "not_dead_letters": not_dead_letters, "not_logs": not_logs })
        }
        RunEvent::ClockLeapt(ClockLeap::Forward(by)) => json!({ "seconds": by.as_secs_f64() }),
        RunEvent::ClockLeapt(ClockLeap::Back(by)) => json!({ "seconds": -by.as_secs_f64() }),
        RunEvent::Ending(grace) | RunEvent::Unfinished(_, grace) => {
            json!({ "grace_seconds": grace.as_secs_f64() })
        }
        RunEvent::EndingWith(consumer) => json!({ "ended": consumer.as_str() }),
        RunEvent::Failed(_, finished) => {
            json!({ "counted": finished.counts.total(), "error": why(finished) })
        }
        RunEvent::Added(_)
        | RunEvent::Removed(_)
        | RunEvent::RunAnew(_)
        | RunEvent::TriedAgain(_)
        | RunEvent::Started(_)
        | RunEvent::Stuck(_)
        | RunEvent::NeedsStart => Value::Null,
    }
}
