//! The metrics of consumers.

use std::fmt;

use loghost_board::{Consumer, Depths, Histogram, State, StreamProgress};
use loghost_core::domain::{ConsumerName, Tally};
use prometheus_client::encoding::{MetricEncoder, NoLabelSet};
use prometheus_client::metrics::MetricType;
use prometheus_client::registry::Unit;

use super::Families;

type Consumers = [(ConsumerName, Consumer)];

/// A metric's name and its help.
type About = (&'static str, &'static str);

/// A metric, and its value of a consumer.
type Single = (About, fn(&Consumer) -> u64);

/// A metric of times, and its values of a consumer.
type Times = (About, fn(&Consumer) -> &Histogram);

const COUNTERS: [Single; 11] = [
    (("loghost_deliveries_received", "Deliveries taken from the consumer's queue."), |it| it.deliveries),
    (("loghost_deliveries_acknowledged", "Deliveries that need not come again."), |it| it.acknowledged),
    (("loghost_deliveries_repeated", "Deliveries of logs that were counted before."), |it| {
        it.counts.repeated
    }),
    (("loghost_messages_foreign", "Messages that were not published as logs."), |it| it.counts.foreign),
    (("loghost_logs_undetermined", "Counted logs that did not say how serious they are."), |it| {
        it.counts.undetermined
    }),
    (("loghost_stream_offsets_removed", "Offsets that streams removed before they were read."), |it| {
        it.counts.removed
    }),
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

const GAUGES: [Single; 2] = [
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

/// Writes all of them.
pub(super) fn write(families: &mut Families<'_, '_>, consumers: &Consumers, depths: &Depths) -> fmt::Result {
    for (about, value) in COUNTERS {
        families.write(about, None, MetricType::Counter, |metrics| {
            consumers.iter().try_for_each(|(name, it)| {
                metrics
                    .encode_family(&[("consumer", name.as_str())])?
                    .encode_counter::<NoLabelSet, _, u64>(&value(it), None)
            })
        })?;
    }
    for (about, value) in GAUGES {
        families.write(about, None, MetricType::Gauge, |metrics| {
            consumers.iter().try_for_each(|(name, it)| {
                metrics.encode_family(&[("consumer", name.as_str())])?.encode_gauge(&value(it))
            })
        })?;
    }
    for (about, value) in HISTOGRAMS {
        families.write(about, Some(&Unit::Seconds), MetricType::Histogram, |metrics| {
            consumers.iter().try_for_each(|(name, it)| histogram(metrics, name, value(it)))
        })?;
    }
    let about = ("loghost_batch_logs", "Logs that the plugin was shown in one call.");
    families.write(about, None, MetricType::Histogram, |metrics| {
        consumers.iter().try_for_each(|(name, it)| histogram(metrics, name, &it.batches))
    })?;
    write_logs(families, consumers)?;
    write_states(families, consumers)?;
    let about = ("loghost_queue_messages_ready", "Messages that wait in the consumer's queue.");
    families.write(about, None, MetricType::Gauge, |metrics| {
        depths.queues.iter().try_for_each(|(name, ready)| {
            metrics.encode_family(&[("consumer", name.as_str())])?.encode_gauge(&u64::from(*ready))
        })
    })?;
    write_streams(families, consumers, depths)
}

/// A metric of a stream, and its value of a consumer, where that is known.
type OfStream = (About, fn(StreamProgress<'_>) -> Option<u64>);

const OF_STREAMS: [OfStream; 3] = [
    (("loghost_stream_offset_lag", "Offsets of the stream behind the committed one."), |it| it.lag),
    (("loghost_stream_committed_offset", "Offset up to which all is finished and safe."), |it| it.committed),
    (("loghost_stream_last_offset", "Offset of the last log of the stream."), |it| it.last),
];

/// Writes how far each consumer is in each of its streams.
fn write_streams(families: &mut Families<'_, '_>, consumers: &Consumers, depths: &Depths) -> fmt::Result {
    for (about, value) in OF_STREAMS {
        families.write(about, None, MetricType::Gauge, |metrics| {
            consumers.iter().try_for_each(|(name, it)| {
                it.offsets.iter().try_for_each(|next| {
                    let progress = StreamProgress::of(next, depths);
                    let Some(value) = value(progress) else { return Ok(()) };
                    let labels = [("consumer", name.as_str()), ("stream", progress.stream)];
                    metrics.encode_family(&labels)?.encode_gauge(&value)
                })
            })
        })?;
    }
    Ok(())
}

fn histogram(metrics: &mut MetricEncoder<'_>, name: &ConsumerName, of: &Histogram) -> fmt::Result {
    let labels = [("consumer", name.as_str())];
    let (sum, count) = (of.sum(), of.count());
    metrics.encode_family(&labels)?.encode_histogram::<NoLabelSet>(sum, count, &of.ranges(), None)
}

/// Writes what became of logs, of each severity.
fn write_logs(families: &mut Families<'_, '_>, consumers: &Consumers) -> fmt::Result {
    let about = ("loghost_logs_received", "Logs taken from the consumer's queue, repetitions included.");
    families.write(about, None, MetricType::Counter, |metrics| {
        consumers.iter().try_for_each(|(name, it)| {
            it.received.iter().try_for_each(|(severity, logs)| {
                let labels = [("consumer", name.as_str()), ("severity", severity.as_str())];
                metrics.encode_family(&labels)?.encode_counter::<NoLabelSet, _, u64>(&logs, None)
            })
        })
    })?;
    let about = (
        "loghost_logs_finished",
        "Logs that are counted and safe, each once; with a state, over restarts of the host.",
    );
    families.write(about, None, MetricType::Counter, |metrics| {
        consumers.iter().try_for_each(|(name, it)| {
            let outcomes: [(&str, &Tally); 4] = [
                ("accepted", &it.counts.accepted),
                ("rejected", &it.counts.rejected),
                ("skipped", &it.counts.skipped),
                ("unwanted", &it.counts.unwanted),
            ];
            outcomes.into_iter().try_for_each(|(outcome, tally)| {
                tally.iter().try_for_each(|(severity, logs)| {
                    let labels =
                        [("consumer", name.as_str()), ("severity", severity.as_str()), ("outcome", outcome)];
                    metrics.encode_family(&labels)?.encode_counter::<NoLabelSet, _, u64>(&logs, None)
                })
            })
        })
    })?;
    let about = ("loghost_dead_letters", "Deliveries that are safe among the dead letters.");
    families.write(about, None, MetricType::Counter, |metrics| {
        consumers.iter().try_for_each(|(name, it)| {
            it.dead_letters().try_for_each(|(cause, count)| {
                let labels = [("consumer", name.as_str()), ("cause", cause)];
                metrics.encode_family(&labels)?.encode_counter::<NoLabelSet, _, u64>(&count, None)
            })
        })
    })
}

/// Writes what each consumer is, and what it does.
fn write_states(families: &mut Families<'_, '_>, consumers: &Consumers) -> fmt::Result {
    let about = ("loghost_consumer_state", "What the consumer does: 1 for its state, 0 for the others.");
    families.write(about, None, MetricType::Gauge, |metrics| {
        consumers.iter().try_for_each(|(name, it)| {
            State::ALL.into_iter().try_for_each(|state| {
                let labels = [("consumer", name.as_str()), ("state", state.as_str())];
                metrics.encode_family(&labels)?.encode_gauge(&u32::from(it.state == state))
            })
        })
    })?;
    let about = ("loghost_consumer", "The plugin's version, and SHA-256 of its code.");
    families.write(about, None, MetricType::Info, |metrics| {
        consumers.iter().filter(|(_, it)| !it.digest.is_empty()).try_for_each(|(name, it)| {
            let labels = [
                ("consumer", name.as_str()),
                ("version", it.version.as_str()),
                ("sha256", it.digest.as_str()),
            ];
            metrics.encode_info(&labels)
        })
    })?;
    let about = ("loghost_reloads", "New versions that have taken over.");
    families.write(about, None, MetricType::Counter, |metrics| {
        consumers.iter().try_for_each(|(name, it)| {
            let labels = [("consumer", name.as_str())];
            metrics.encode_family(&labels)?.encode_counter::<NoLabelSet, _, u64>(&it.reloads, None)
        })
    })
}
