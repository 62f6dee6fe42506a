//! What happens in a run, in words and in figures.

use std::time::Duration;

use loghost_core::application::{
    ClockLeap, DeadLettersReplayed, End, Finished, Level, OwnState, ReloadScope, ReplayExtent, RunEvent,
};
use loghost_core::domain::{ConsumerName, Severity, printable_line};
use serde_json::{Value, json};

use super::{Layout, ShownEvent};
use crate::ui::errors::chain;

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
        | RunEvent::ConsumesItsOwn(..) => None,
        RunEvent::Restarted(consumer, _)
        | RunEvent::SettingsChanged(consumer, ..)
        | RunEvent::Added(consumer)
        | RunEvent::Removed(consumer)
        | RunEvent::RunAnew(consumer)
        | RunEvent::TriedAgain(consumer)
        | RunEvent::NotTriedAgain(consumer, _)
        | RunEvent::Started(consumer)
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
        | RunEvent::Panicked(..) => Level::Error,
        RunEvent::Restarted(..)
        | RunEvent::SettingsChanged(..)
        | RunEvent::Unwatched(_)
        | RunEvent::NeedsStart
        | RunEvent::MeasureKindsDiffer(..)
        | RunEvent::ClockLeapt(_)
        | RunEvent::LeftOut(..)
        | RunEvent::ConsumesItsOwn(..)
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
        | RunEvent::EndingWith(_) => Level::Info,
    }
}

/// What an event is called, for machines.
fn name(event: &RunEvent<'_>) -> &'static str {
    match event {
        RunEvent::StateBegins(_) => "state_begins",
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
        | RunEvent::DeadLettersNotReplayed(_, error)
        | RunEvent::Panicked(_, error) => json!({ "error": error }),
        RunEvent::MeasureKindsDiffer(measure, [(shown, kind), (_, other)]) => {
            json!({ "measure": measure, "kind": other.as_str(), "shown_of": shown.as_str(), "shown_kind": kind.as_str() })
        }
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
        | RunEvent::NeedsStart => Value::Null,
    }
}

/// What has happened.
fn text(event: &RunEvent<'_>) -> String {
    let text = match event {
        RunEvent::StateBegins(folder) => {
            return format!("a new state begins in {}", printable_line(&folder.to_string_lossy()));
        }
        RunEvent::Restarted(_, counted) => {
            return format!(
                "begins anew at --from (--restart): its counts begin at zero, and what --state had of it is removed ({counted} \
                 logs were counted)"
            );
        }
        RunEvent::LeftOut(_, why) => return format!("left out: {why}"),
        RunEvent::ConsumesItsOwn(plugin, both) => {
            return format!(
                "{plugin}: publishes {both} logs, and consumes such logs: unless its sources leave its own out, each comes \
                 back to it, and is a dead letter after eight times"
            );
        }
        RunEvent::DeadLettersReplayed(_, replayed) => return dead_letters_replayed(replayed),
        RunEvent::DeadLettersNotReplayed(_, why) => {
            return format!("the dead letters cannot be replayed: {why}");
        }
        RunEvent::SettingsChanged(_, settings, own) => return settings_changed(settings, *own),
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
        RunEvent::NeedsStart => {
            "only consumers are reloaded: what else has changed in the configuration waits for the next start"
        }
        RunEvent::MeasureKindsDiffer(measure, [(first, shown), (_, kind)]) => {
            return format!(
                "its measure `{measure}` is a {}, that of {first} a {}: a name has one kind, and monitoring is shown that of \
                 {first} only; give one of them another name",
                kind.as_str(),
                shown.as_str()
            );
        }
        RunEvent::ClockLeapt(leap) => return clock_leapt(*leap),
        RunEvent::Ending(grace) => {
            let grace = humantime::format_duration(*grace);
            return format!("ending: what is in hand is finished within {grace}; once more ends at once");
        }
        RunEvent::CannotGoOn(why) => return format!("{why}: ending"),
        RunEvent::EndingWith(consumer) => {
            return format!("ending all, as {consumer} has ended (--exit-on-failure)");
        }
        RunEvent::Failed(_, finished) => return failed(finished),
        RunEvent::NotBegun(_, error) => error,
        RunEvent::Panicked(_, error) => return format!("a consumer's task failed: {error}"),
        RunEvent::Unfinished(_, grace) => {
            let waited = humantime::format_duration(*grace);
            return format!(
                "could not finish within {waited} (--grace): what it has not acknowledged comes again"
            );
        }
    };
    text.to_owned()
}

fn dead_letters_replayed(replayed: &DeadLettersReplayed) -> String {
    let DeadLettersReplayed { done, left, not_dead_letters, not_logs, extent } = replayed;
    if (*done, *left) == (0, 0) {
        return "there are no dead letters to replay".to_owned();
    }
    let mut text = format!("dead letters: replayed {done}, left {left}");
    for (messages, why) in [
        (not_logs, "not published as logs, and cannot be replayed"),
        (not_dead_letters, "no dead letters of this consumer"),
    ] {
        if *messages > 0 {
            text = format!("{text}; {why}: {messages}");
        }
    }
    match extent {
        ReplayExtent::All => text,
        ReplayExtent::UntilEnd => format!("{text}; the others stay, as the run ends"),
    }
}

fn settings_changed(settings: &[String], own: OwnState) -> String {
    let own = match own {
        OwnState::Checkpoint => ", and what it keeps of its own with --discard-state",
        OwnState::None => "",
    };
    format!(
        "what --state has of it was counted with other settings (`{}`), and goes on from there: counts begin anew in \
         another folder{own}",
        settings.join("`, `")
    )
}

fn clock_leapt(leap: ClockLeap) -> String {
    let (way, by) = match leap {
        ClockLeap::Forward(by) => ("forward", by),
        ClockLeap::Back(by) => ("back", by),
    };
    // Reading the two clocks takes its time.
    let by = (by + Duration::from_millis(500)).as_secs();
    let by = humantime::format_duration(Duration::from_secs(by));
    format!(
        "the system's clock has leapt {way} by {by} (it was set, or the machine slept): nothing is forgotten, tried again \
         or ended for that; the times in logs follow the clock"
    )
}

/// How a consumer has ended.
fn failed(finished: &Finished) -> String {
    let advice = match &finished.end {
        End::Shutdown | End::Enough | End::Marker => return why(finished),
        End::Report(_) | End::Source(_) | End::Sink(_) | End::Ledger(_) => {
            "what was not acknowledged comes again"
        }
        End::Consumer(_) => "stopped; what it has not counted stays in its queue",
    };
    format!("{}: {advice} (logs counted: {})", why(finished), finished.counts.total())
}

/// Why a consumer has ended.
fn why(finished: &Finished) -> String {
    match &finished.stopped {
        Some(error) if matches!(finished.end, End::Shutdown | End::Enough | End::Marker) => {
            format!("was stopped, because it kept failing: {error}")
        }
        _ => chain(&finished.end),
    }
}
