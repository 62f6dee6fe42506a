//! What happens in a run, in words.

use std::net::SocketAddr;
use std::time::Duration;

use loghost_core::application::{
    ClockLeap, DeadLettersReplayed, End, Finished, ListenScope, OwnState, ReloadScope, ReplayExtent, RunEvent,
};

use crate::ui::errors::chain;

/// What has happened.
pub(super) fn text(event: &RunEvent<'_>) -> String {
    let text = match event {
        RunEvent::StateBegins(folder) => {
            return format!("a new state begins in {}", folder.display());
        }
        RunEvent::Restarted(_, counted) => {
            return format!(
                "begins anew at --from (--restart): its counts begin at zero, and what --state had of it is removed ({counted} \
                 logs were counted)"
            );
        }
        RunEvent::Listening(address, scope) => return listening(*address, *scope),
        RunEvent::Exporting(signals) => {
            let signals = signals.iter().map(|(signal, address)| format!("{signal} go to {address}"));
            return format!("OpenTelemetry: {}", signals.collect::<Vec<_>>().join(", "));
        }
        RunEvent::ServiceManagerUnreachable(error) => {
            return format!("cannot tell the service manager (NOTIFY_SOCKET): {error}");
        }
        RunEvent::Stuck(_) => {
            "its thread does not come back, though its calls are limited: the watchdog is told no more"
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
            return format!("replaying the dead letters has failed: {why}");
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

fn listening(address: SocketAddr, scope: ListenScope) -> String {
    let text = format!(
        "listening at http://{address}: a page for people; /metrics /ready /api/consumers /api/history /api/events"
    );
    match scope {
        ListenScope::Loopback => text,
        ListenScope::Network => format!(
            "{text}. HTTP is not encrypted: whoever can read what is sent over the network between here and there can read the \
             token; keep it to a network of your own, or put a proxy with TLS before it"
        ),
    }
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
        ReplayExtent::UntilFailure => format!("{text}; the others stay, as it has failed"),
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
pub(super) fn why(finished: &Finished) -> String {
    match &finished.stopped {
        Some(error) if matches!(finished.end, End::Shutdown | End::Enough | End::Marker) => {
            format!("was stopped, because it kept failing: {error}")
        }
        _ => chain(&finished.end),
    }
}
