//! The metrics of consumers.

use loghost_core::domain::{ConsumerName, Counts, Tally};

use super::{Family, Kind, Point, Unit, Value};
use crate::consumer::Consumer;
use crate::depths::Depths;
use crate::histogram::Histogram;
use crate::state::State;
use crate::stream::StreamProgress;

type Consumers = [(ConsumerName, Consumer)];

/// A metric's name and its help.
type About = (&'static str, &'static str);

/// A metric, and its value of a consumer.
type ConsumerMetric = (About, fn(&Consumer) -> u64);

/// A metric of times, and its values of a consumer.
type Times = (About, fn(&Consumer) -> &Histogram);

/// Of this run.
const COUNTERS: [ConsumerMetric; 7] = [
    (("loghost_deliveries_received", "Deliveries taken from the consumer's queue."), |it| it.deliveries),
    (("loghost_deliveries_acknowledged", "Deliveries that need not come again."), |it| it.acknowledged),
    (("loghost_traps", "Calls that the plugin failed at."), |it| it.traps),
    (("loghost_retries", "Logs that the plugin wanted to try again, each time."), |it| it.retries),
    (("loghost_stops", "How often the consumer was stopped because it kept failing."), |it| it.stops),
    (("loghost_saturations", "How often the consumer took no more because too many logs waited."), |it| {
        it.saturations
    }),
    (("loghost_reloads_refused", "Attempts to load it again after which it went on as it was."), |it| {
        it.reloads_refused
    }),
];

/// Of all runs that share a state.
const COUNTS: [ConsumerMetric; 6] = [
    (("loghost_deliveries_repeated", "Deliveries of logs that were counted before."), |it| {
        it.counts.repeated
    }),
    (("loghost_messages_foreign", "Messages that were not published as logs."), |it| it.counts.foreign),
    (
        (
            "loghost_logs_without_id",
            "Counted logs without an id of loghost's form: from streams each once, by its offset; from queues at least once.",
        ),
        |it| it.counts.without_id,
    ),
    (("loghost_messages_undeliverable", "Messages that the broker could not deliver."), |it| {
        it.counts.undeliverable
    }),
    (("loghost_logs_undetermined", "Counted logs that did not say how serious they are."), |it| {
        it.counts.undetermined
    }),
    (("loghost_stream_offsets_removed", "Offsets that streams removed before they were read."), |it| {
        it.counts.removed
    }),
];

const GAUGES: [ConsumerMetric; 2] = [
    (("loghost_deliveries_unacknowledged", "Deliveries in hand, not acknowledged."), |it| {
        it.load.taken as u64
    }),
    (("loghost_deliveries_waiting", "Those of them that wait for an attempt or a dead letter."), |it| {
        it.load.waiting as u64
    }),
];

const HISTOGRAMS: [Times; 2] = [
    (("loghost_process_duration", "Time of the plugin's calls of process."), |it| &it.calls),
    (("loghost_commit_duration", "Time from a commit's begin until it was safe."), |it| &it.commits),
];

/// All of them.
pub(super) fn families<'a>(consumers: &'a Consumers, depths: &'a Depths) -> Vec<Family<'a>> {
    let of_each = |value: fn(&Consumer) -> u64| {
        consumers.iter().map(move |(name, it)| Point::whole([("consumer", name.as_str())], value(it)))
    };
    let of_ranges = |value: fn(&Consumer) -> &Histogram| {
        let point = move |(name, it): &'a (ConsumerName, Consumer)| {
            Point::new([("consumer", name.as_str())], Value::Histogram(value(it)))
        };
        consumers.iter().map(point)
    };
    let counters = COUNTERS.map(|(about, value)| Family::new(Kind::Counter, about, of_each(value)));
    let counts = COUNTS.map(|(about, value)| {
        let counted = of_each(value).zip(consumers).map(|(point, (_, it))| point.since(it.counted_since));
        Family::new(Kind::Counter, about, counted)
    });
    let gauges = GAUGES.map(|(about, value)| Family::new(Kind::Gauge, about, of_each(value)));
    let times = HISTOGRAMS
        .map(|(about, value)| Family::new(Kind::Histogram, about, of_ranges(value)).unit(Unit::Seconds));
    let about = ("loghost_batch_logs", "Logs that the plugin was shown in one call.");
    let batches = Family::new(Kind::Histogram, about, of_ranges(|it| &it.batches));
    let about = ("loghost_consumer_memory", "Linear memory of the plugin's instance.");
    let memory = Family::new(Kind::Gauge, about, of_each(|it| it.memory)).unit(Unit::Bytes);
    let about = ("loghost_reloads", "New versions that have taken over.");
    let reloads = Family::new(Kind::Counter, about, of_each(|it| it.reloads));
    let about = ("loghost_queue_messages_ready", "Messages that wait in the consumer's queue.");
    let ready = depths
        .queues
        .iter()
        .map(|(name, ready)| Point::whole([("consumer", name.as_str())], u64::from(*ready)));
    let ready = Family::new(Kind::Gauge, about, ready);
    let mut families = Vec::from(counters);
    families.extend(counts);
    families.extend(gauges);
    families.extend(times);
    families.push(batches);
    families.extend(logs(consumers));
    families.extend(states(consumers));
    families.extend([memory, reloads, ready]);
    families.extend(OF_STREAMS.map(|of_stream| streams(of_stream, consumers, depths)));
    families
}

/// A metric of a stream, and its value of a consumer, where that is known.
type OfStream = (About, fn(StreamProgress<'_>) -> Option<u64>);

const OF_STREAMS: [OfStream; 3] = [
    (("loghost_stream_offset_lag", "Offsets of the stream behind the committed one."), |it| it.lag),
    (("loghost_stream_committed_offset", "Offset up to which all is finished and safe."), |it| it.committed),
    (("loghost_stream_last_offset", "Offset of the last log of the stream."), |it| it.last),
];

/// How far each consumer is in each of its streams.
fn streams<'a>((about, value): OfStream, consumers: &'a Consumers, depths: &Depths) -> Family<'a> {
    let points = consumers.iter().flat_map(|(name, it)| {
        it.offsets.iter().filter_map(|next| {
            let progress = StreamProgress::of(next, depths);
            let labels = [("consumer", name.as_str()), ("stream", progress.stream)];
            Some(Point::whole(labels, value(progress)?))
        })
    });
    Family::new(Kind::Gauge, about, points)
}

/// What became of logs, of each severity.
fn logs(consumers: &Consumers) -> [Family<'_>; 3] {
    let received = consumers.iter().flat_map(|(name, it)| {
        it.received.iter().map(|(severity, logs)| {
            Point::whole([("consumer", name.as_str()), ("severity", severity.as_str())], logs)
        })
    });
    let finished = consumers.iter().flat_map(|(name, it)| {
        outcomes(&it.counts).into_iter().flat_map(move |(outcome, tally)| {
            tally.iter().map(move |(severity, logs)| {
                let labels =
                    [("consumer", name.as_str()), ("severity", severity.as_str()), ("outcome", outcome)];
                Point::whole(labels, logs).since(it.counted_since)
            })
        })
    });
    let dead = consumers.iter().flat_map(|(name, it)| {
        it.dead_letters()
            .map(|(cause, count)| Point::whole([("consumer", name.as_str()), ("cause", cause)], count))
    });
    let about = ("loghost_logs_received", "Logs taken from the consumer's queue, repetitions included.");
    let received = Family::new(Kind::Counter, about, received);
    let about = (
        "loghost_logs_finished",
        "Logs that are counted and safe, each once; with a state, over restarts of the host.",
    );
    let finished = Family::new(Kind::Counter, about, finished);
    let about = ("loghost_dead_letters", "Deliveries that are safe among the dead letters.");
    [received, finished, Family::new(Kind::Counter, about, dead)]
}

/// The counts that are kept by severity, and what they are called. Of the others, a count is in [`COUNTS`].
fn outcomes(counts: &Counts) -> [(&'static str, &Tally); 4] {
    let Counts {
        accepted,
        rejected,
        skipped,
        unwanted,
        foreign: _,
        undeliverable: _,
        repeated: _,
        without_id: _,
        undetermined: _,
        removed: _,
        first: _,
        last: _,
    } = counts;
    [("accepted", accepted), ("rejected", rejected), ("skipped", skipped), ("unwanted", unwanted)]
}

/// What each consumer is, and what it does.
fn states(consumers: &Consumers) -> [Family<'_>; 2] {
    let states = consumers.iter().flat_map(|(name, it)| {
        State::ALL.into_iter().map(|state| {
            let labels = [("consumer", name.as_str()), ("state", state.as_str())];
            Point::whole(labels, u64::from(it.state == state))
        })
    });
    let about = ("loghost_consumer_state", "What the consumer does: 1 for its state, 0 for the others.");
    let states = Family::new(Kind::Gauge, about, states);
    let known = consumers.iter().filter(|(_, it)| !it.digest.is_empty()).map(|(name, it)| {
        let labels =
            [("consumer", name.as_str()), ("version", it.version.as_str()), ("sha256", it.digest.as_str())];
        Point::new(labels, Value::Info)
    });
    let about = ("loghost_consumer", "The plugin's version, and SHA-256 of its code.");
    [states, Family::new(Kind::Info, about, known)]
}
