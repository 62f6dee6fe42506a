//! What was seen of a consumer at two looks, and what that means.

use std::time::Instant;

use loghost_core::domain::ConsumerName;
use loghost_rabbitmq::{QueueFigures, QueueState};

/// A look at a queue.
#[derive(Clone, Copy, Debug)]
pub(crate) struct QueueSample {
    /// When the broker had answered.
    pub(crate) at: Instant,
    /// None where there is no such queue.
    pub(crate) state: Option<QueueState>,
}

/// A look at the streams of a consumer.
#[derive(Clone, Debug)]
pub(crate) struct StreamsLook {
    /// When all had answered.
    pub(crate) at: Instant,
    /// Who has told how far they were read; none where nobody has, as of a consumer that reads none.
    pub(crate) told_by: Option<PositionSource>,
    pub(crate) streams: Vec<StreamSample>,
}

/// Who tells how far streams were read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum PositionSource {
    /// The state of a host.
    State,
    /// A running host.
    Host,
    /// The broker, which stores it for consumers without a state.
    Broker,
}

/// How far a stream was read, and how far it goes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct StreamSample {
    pub(crate) stream: String,
    /// The first offset that is not finished.
    pub(crate) next: u64,
    /// The first offset that the stream does not have yet; none where that is not known.
    pub(crate) end: Option<u64>,
}

impl StreamSample {
    /// How many offsets are not finished.
    pub(crate) fn lag(&self) -> Option<u64> {
        self.end.map(|end| end.saturating_sub(self.next))
    }
}

/// What a running host says of a consumer.
#[derive(Clone, Debug)]
pub(crate) struct Hosted {
    /// What the consumer does, in the words of its API.
    pub(crate) state: String,
    /// Why, where that is not as it should be.
    pub(crate) reason: Option<String>,
}

/// What was seen of a consumer.
pub(crate) struct ConsumerStatus {
    pub(crate) consumer: ConsumerName,
    pub(crate) queue: String,
    /// Its queue at both looks.
    pub(crate) before: QueueSample,
    pub(crate) now: QueueSample,
    /// Its streams at both looks.
    pub(crate) streams_before: StreamsLook,
    pub(crate) streams_now: StreamsLook,
    /// How many dead letters it has; none if it has no queue for them.
    pub(crate) dead_letters: Option<u32>,
    /// What the management API knows.
    pub(crate) figures: Option<QueueFigures>,
    /// How many hosts stand by, as the queues tell that the management API lists.
    pub(crate) standing_by: usize,
    /// What a running host says, if one was asked.
    pub(crate) hosted: Option<Hosted>,
}

/// How a consumer is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Health {
    Good,
    /// Logs wait and nobody reads, at both looks.
    Stuck,
    /// Its host has stopped it, or it has ended there.
    Stopped,
    /// It has no queue.
    Missing,
}

/// How something changes, a second.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct StreamRates {
    /// What is behind the offset that is finished.
    pub(crate) lag: f64,
    /// Offsets that are added to the stream.
    pub(crate) published: f64,
    /// Offsets that are finished.
    pub(crate) finished: f64,
}

impl ConsumerStatus {
    /// How many wait for the place of the active reader: consumers of the queue, and hosts that stand by; none if that is not
    /// known.
    pub(crate) fn waiting(&self) -> Option<usize> {
        self.figures.as_ref().map(|figures| figures.waiting() + self.standing_by)
    }

    pub(crate) fn health(&self) -> Health {
        let Some(now) = self.now.state else { return Health::Missing };
        if self.hosted.as_ref().is_some_and(|hosted| matches!(&*hosted.state, "stopped" | "ended")) {
            return Health::Stopped;
        }
        let waits = |state: QueueState, streams: &StreamsLook| {
            state.messages > 0 || streams.streams.iter().any(|stream| stream.lag() > Some(0))
        };
        let is_stuck =
            |state: QueueState, streams: &StreamsLook| state.consumers == 0 && waits(state, streams);
        let was_stuck = self.before.state.is_some_and(|before| is_stuck(before, &self.streams_before));
        if was_stuck && is_stuck(now, &self.streams_now) { Health::Stuck } else { Health::Good }
    }

    /// By how many logs a second the backlog has grown; none if the queue was not there at both looks,
    /// or no time has passed.
    pub(crate) fn growth(&self) -> Option<f64> {
        let (before, now) = (self.before.state?, self.now.state?);
        // Between the looks at one queue are those at all the others.
        let seconds = seconds_between(self.before.at, self.now.at)?;
        Some((f64::from(now.messages) - f64::from(before.messages)) / seconds)
    }

    /// How a stream has changed; none if that is not known of both looks, or no time has passed.
    pub(crate) fn rates(&self, now: &StreamSample) -> Option<StreamRates> {
        let before = self.streams_before.streams.iter().find(|before| before.stream == now.stream)?;
        let seconds = seconds_between(self.streams_before.at, self.streams_now.at)?;
        let change = |before: u64, now: u64| {
            let (before, now) = (i128::from(before), i128::from(now));
            let change = i128::from(i32::MAX).min(now - before).max(i32::MIN.into());
            i32::try_from(change).map_or(0.0, f64::from) / seconds
        };
        Some(StreamRates {
            lag: change(before.lag()?, now.lag()?),
            published: change(before.end?, now.end?),
            finished: change(before.next, now.next),
        })
    }
}

fn seconds_between(before: Instant, now: Instant) -> Option<f64> {
    let seconds = now.saturating_duration_since(before).as_secs_f64();
    (seconds > 0.0).then_some(seconds)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    /// A consumer that is looked at `seconds` apart, with these messages in its queue and so many readers, and these next
    /// offsets and ends of its stream.
    fn seen(
        seconds: u64,
        messages: [u32; 2],
        consumers: u32,
        offsets: [(u64, Option<u64>); 2],
    ) -> ConsumerStatus {
        let begin = Instant::now();
        let at = |n| if n == 0 { begin } else { begin + Duration::from_secs(seconds) };
        let look = |n: usize| QueueSample {
            at: at(n),
            state: Some(QueueState { messages: messages[n], consumers }),
        };
        let streams = |n: usize| {
            let (next, end) = offsets[n];
            let stream = StreamSample { stream: "logs.error".to_owned(), next, end };
            StreamsLook { at: at(n), told_by: Some(PositionSource::Broker), streams: vec![stream] }
        };
        ConsumerStatus {
            consumer: ConsumerName::new("error").unwrap(),
            queue: "q".to_owned(),
            before: look(0),
            now: look(1),
            streams_before: streams(0),
            streams_now: streams(1),
            dead_letters: None,
            figures: None,
            standing_by: 0,
            hosted: None,
        }
    }

    #[test]
    fn growth_is_by_the_time_between_the_looks_at_that_queue() {
        let nothing = [(0, None); 2];
        assert_eq!(seen(4, [30, 10], 1, nothing).growth(), Some(-5.0));
        assert_eq!(seen(0, [30, 10], 1, nothing).growth(), None);
    }

    #[test]
    fn a_stream_has_the_rates_of_its_end_and_of_what_was_read() {
        let rates = |before, now| {
            let seen = seen(2, [0; 2], 1, [before, now]);
            seen.rates(&seen.streams_now.streams[0])
        };
        let expected = StreamRates { lag: -2.0, published: 3.0, finished: 5.0 };
        assert_eq!(rates((10, Some(20)), (20, Some(26))), Some(expected));
        assert_eq!(rates((10, None), (20, Some(26))), None);
        // It was made again.
        assert_eq!(rates((0, Some(20)), (0, Some(2))).map(|rates| rates.published), Some(-9.0));
    }

    #[test]
    fn who_reads_nothing_of_what_waits_is_stuck() {
        let behind = (3, Some(7));
        assert_eq!(seen(2, [0; 2], 0, [behind; 2]).health(), Health::Stuck);
        assert_eq!(seen(2, [0; 2], 1, [behind; 2]).health(), Health::Good);
        assert_eq!(seen(2, [0; 2], 0, [(7, Some(7)), behind]).health(), Health::Good);
        assert_eq!(seen(2, [0; 2], 0, [(3, None); 2]).health(), Health::Good);
        let hosted = |state: &str| Some(Hosted { state: state.to_owned(), reason: None });
        let told =
            |state| ConsumerStatus { hosted: hosted(state), ..seen(2, [0; 2], 1, [behind; 2]) }.health();
        assert_eq!(
            ["stopped", "ended", "consuming"].map(told),
            [Health::Stopped, Health::Stopped, Health::Good]
        );
    }
}
