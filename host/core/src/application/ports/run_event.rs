//! What happens in a run as a whole, as data.

use std::net::SocketAddr;
use std::path::Path;
use std::time::Duration;

use crate::application::Finished;
use crate::domain::{ConsumerName, MeasureKind, Severities};

/// What happens in a run: to its state, to which consumers it has, and how it ends.
#[derive(Clone, Copy, Debug)]
pub enum RunEvent<'a> {
    /// Its counts begin in this folder, which had none.
    StateBegins(&'a Path),
    /// This consumer begins with counts of zero, as somebody has asked for; so many logs were counted before.
    Restarted(&'a ConsumerName, u64),
    /// What this consumer has in the state was counted with other settings, of these keys.
    SettingsChanged(&'a ConsumerName, &'a [String], OwnState),
    /// This is loaded again, as somebody has asked for.
    Reloading(ReloadScope),
    /// Nothing is loaded again and all goes on as it is, for this reason.
    NothingReloaded(&'a str),
    /// It is not seen any more when a plugin's file changes, for this reason.
    Unwatched(&'a str),
    /// It is shown over HTTP at this address, to this host alone or to others.
    Listening(SocketAddr, ListenScope),
    /// Its signals of `OpenTelemetry` are sent: each by its name, and the collector that it is sent to.
    Exporting(&'a [(&'a str, String)]),
    /// The service manager cannot be told how it is, for this reason.
    ServiceManagerUnreachable(&'a str),
    /// The thread of this consumer does not come back from its plugin, though its calls are limited: the watchdog of the service
    /// manager is told no more.
    Stuck(&'a ConsumerName),
    /// What was to be run, for this consumer if its name is known, is left out for this reason: the others are run.
    LeftOut(Option<&'a ConsumerName>, &'a str),
    /// This plugin publishes logs of these severities, and consumes such logs.
    ConsumesItsOwn(&'a str, Severities),
    /// The dead letters of this consumer were sent back to it, as somebody has asked for.
    DeadLettersReplayed(&'a ConsumerName, DeadLettersReplayed),
    /// They cannot be sent back, or no more of them, for this reason; of those that were is told before.
    DeadLettersNotReplayed(&'a ConsumerName, &'a str),
    /// This consumer is new in the configuration, and is started.
    Added(&'a ConsumerName),
    /// This consumer is not in the configuration any more, and ends.
    Removed(&'a ConsumerName),
    /// What the configuration says of this consumer has changed: it ends, and is started anew.
    RunAnew(&'a ConsumerName),
    /// This consumer has ended, or could not begin, and is started again.
    TriedAgain(&'a ConsumerName),
    /// This consumer has ended, and cannot be started again, for this reason.
    NotTriedAgain(&'a ConsumerName, &'a str),
    /// This consumer, which was started while the others ran, takes its logs.
    Started(&'a ConsumerName),
    /// What has changed in the configuration, beside consumers, waits for the next start.
    NeedsStart,
    /// Two consumers measure something of this name, of two kinds: the figures of the first are shown, those of the second are
    /// not.
    MeasureKindsDiffer(&'a str, [(&'a ConsumerName, MeasureKind); 2]),
    /// The system's clock has leapt.
    ClockLeapt(ClockLeap),
    /// Somebody has asked it to end: what is in hand is finished within this time.
    Ending(Duration),
    /// It ends, as it cannot go on for this reason.
    CannotGoOn(&'a str),
    /// It ends, as this consumer has ended.
    EndingWith(&'a ConsumerName),
    /// This consumer has ended, which nobody has asked for; or was stopped, because it kept failing, when it was asked to.
    Failed(&'a ConsumerName, &'a Finished),
    /// This consumer could not begin, for this reason.
    NotBegun(&'a ConsumerName, &'a str),
    /// The task of a consumer, of this one if that is known, has panicked with this text.
    Panicked(Option<&'a ConsumerName>, &'a str),
    /// This consumer could not finish within this time, and is not waited for.
    Unfinished(&'a ConsumerName, Duration),
}

/// Who can reach an address.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ListenScope {
    /// Processes of this host.
    Loopback,
    /// Other hosts as well.
    Network,
}

/// What became of dead letters that were to be sent back.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct DeadLettersReplayed {
    /// How many were.
    pub done: u32,
    /// How many messages are left among them.
    pub left: u32,
    /// How many of these are no dead letters of the consumer.
    pub not_dead_letters: u32,
    /// How many are no logs.
    pub not_logs: u32,
    /// Whether all were gone through.
    pub extent: ReplayExtent,
}

/// How many dead letters were gone through.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ReplayExtent {
    /// All.
    #[default]
    All,
    /// Those before the run was asked to end.
    UntilEnd,
    /// Those before it failed.
    UntilFailure,
}

/// Whether a consumer has a state of its own, beside what is counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OwnState {
    /// It exports a checkpoint.
    Checkpoint,
    /// It has none.
    None,
}

/// How far the system's clock has leapt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ClockLeap {
    /// To a later time.
    Forward(Duration),
    /// To an earlier time.
    Back(Duration),
}

/// What is loaded again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ReloadScope {
    /// The configuration, and the plugins that it names.
    Configuration,
    /// The plugins: there is no configuration.
    Plugins,
}
