//! Producers that know nothing of loghost: real programs, with the configurations of `doc/producers.md`, and the messages of
//! others.

pub(crate) mod broker_log;
pub(crate) mod captured;
pub(crate) mod configurations;
mod document;
mod node;
pub(crate) mod opentelemetry;
pub(crate) mod others;
mod program;
pub(crate) mod sources;

pub(crate) use self::node::stop;
use crate::support::broker::Broker;
use crate::support::cli::{Output, Running, Signal};
use crate::support::metrics::{CONSUMERS, last_of, tally};
use crate::support::tracked;

/// What the bundled consumers count of so many debug, info, error and critical logs, in the order of [`CONSUMERS`].
fn counts([debug, info, error, critical]: [u64; 4]) -> [[u64; 4]; 4] {
    [[debug, info, error, critical], [0, 0, 0, critical], [debug, info, 0, 0], [0, 0, error, 0]]
}

/// Waits until the bundled consumers have counted so many debug, info, error and critical logs, and ends the run: no more have
/// come, and each said how serious it is.
#[track_caller]
fn counts_and_ends(run: Running, logs: [u64; 4]) {
    let counted = counts(logs).map(tally);
    run.has_printed(|so_far| {
        CONSUMERS
            .iter()
            .zip(&counted)
            .all(|(name, counts)| *counts == tally([0; 4]) || last_of(so_far, name)["counts"] == *counts)
    });
    have_counted(&run.end_by(Signal::Terminate).exits(0), logs, 0);
}

/// What the bundled consumers have counted in all; so many of the logs did not say how serious they are, which is info.
#[track_caller]
fn have_counted(output: &Output, logs: [u64; 4], undetermined: u64) {
    for (consumer, counts) in CONSUMERS.into_iter().zip(counts(logs)) {
        let metric = last_of(&output.stdout, consumer);
        assert_eq!(metric["counts"], tally(counts), "{consumer}: {output}");
        let undetermined = if counts[1] > 0 { undetermined } else { 0 };
        assert_eq!(metric["undetermined"], undetermined, "{consumer}: {output}");
        assert_eq!((&metric["foreign"], &metric["unwanted"]), (&0.into(), &tally([0; 4])), "{consumer}");
    }
}

/// The bundled consumers, by a command of the page.
#[track_caller]
fn start(broker: &Broker, command: &[String]) -> Running {
    let plugins = tracked("plugins").display().to_string();
    let arguments = command.iter().map(|word| if word == "plugins" { &plugins } else { word });
    let run = broker.loghost(["run", "--format", "json", "--every", "20ms"]).args(arguments).start();
    run.says("consuming from");
    run
}
