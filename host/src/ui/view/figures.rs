//! What a view shows of a run, taken from the board at one moment.

use std::collections::{BTreeMap, VecDeque};
use std::mem;
use std::time::{Duration, Instant};

use loghost_board::{Board, Connection, Consumer, Depths, State, StreamProgress};
use loghost_core::domain::{ConsumerName, Tally};

/// A consumer, in a row.
#[derive(Clone, Debug)]
pub(super) struct Row {
    pub(super) name: ConsumerName,
    pub(super) state: State,
    /// What is counted as accepted.
    pub(super) accepted: Tally,
    pub(super) rejected: u64,
    pub(super) retried: u64,
    /// Messages that wait in its queue, if it is known.
    pub(super) queue: Option<u32>,
    /// Offsets that its streams go beyond the committed ones, if it reads streams and it is known.
    pub(super) lag: Option<u64>,
    /// Logs a second, lately; repetitions included.
    pub(super) rate: u64,
    /// Logs in each step of its history that has ended, the last one last.
    pub(super) history: Vec<u64>,
}

/// All that is known of a run at one moment.
#[derive(Clone, Debug, Default)]
pub(super) struct Figures {
    /// In the order of their names.
    pub(super) rows: Vec<Row>,
    /// By their purposes.
    pub(super) connections: Vec<(String, Connection)>,
    /// What waits in queues, and where streams end.
    pub(super) depths: Depths,
}

/// Takes figures, and remembers what rates are made of.
#[derive(Debug, Default)]
pub(super) struct RateSampler {
    received: BTreeMap<ConsumerName, VecDeque<(Instant, u64)>>,
}

/// Over how long a rate is taken: a number that is read does not jump.
const RATE_OVER: Duration = Duration::from_secs(3);

/// How many steps of history are shown at most.
pub(super) const STEPS: usize = 60;

impl RateSampler {
    /// What is known now.
    pub(super) fn take(&mut self, board: &Board, depths: &Depths, now: Instant) -> Figures {
        // Those of consumers that are gone are dropped.
        let mut former = mem::take(&mut self.received);
        let rows = board.map(|name, it| {
            let mut samples = former.remove(name).unwrap_or_default();
            let rate = rate(&mut samples, now, it.received.total());
            self.received.insert(name.clone(), samples);
            let rejected = it.counts.rejected.total();
            Row {
                name: name.clone(),
                state: it.state,
                accepted: it.counts.accepted,
                rejected,
                retried: it.retries,
                queue: depths.queues.get(name).copied(),
                lag: lag(it, depths),
                rate,
                history: it.history.ended(now, STEPS).iter().map(Tally::total).collect(),
            }
        });
        Figures { rows, connections: board.connections(), depths: depths.clone() }
    }
}

/// How far the consumer is behind in all of its streams.
fn lag(consumer: &Consumer, depths: &Depths) -> Option<u64> {
    let lags = consumer.offsets.iter().filter_map(|next| StreamProgress::of(next, depths).lag);
    lags.reduce(u64::saturating_add)
}

/// Logs a second since the oldest of these samples, to which this one is added.
fn rate(samples: &mut VecDeque<(Instant, u64)>, now: Instant, received: u64) -> u64 {
    // A number that shrinks is of a consumer that has begun anew.
    if samples.back().is_some_and(|(_, before)| received < *before) {
        samples.clear();
    }
    samples.push_back((now, received));
    while samples.get(1).is_some_and(|(at, _)| now.saturating_duration_since(*at) >= RATE_OVER) {
        samples.pop_front();
    }
    let Some((since, before)) = samples.front() else { return 0 };
    let millis = u64::try_from(now.saturating_duration_since(*since).as_millis()).unwrap_or(u64::MAX);
    received.saturating_sub(*before).saturating_mul(1000).checked_div(millis).unwrap_or(0)
}

/// What a state is called, for people.
pub(super) fn state_text(state: State) -> &'static str {
    match state {
        State::Opening => "opening",
        State::Consuming => "consuming",
        State::StandingBy => "standing by",
        State::Stopped => "stopped",
        State::Paused => "paused",
        State::Ended => "ended",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rate_is_of_the_last_seconds_and_begins_anew_where_counts_do() {
        let (mut samples, begin) = (VecDeque::new(), Instant::now());
        let mut rate = |seconds, received| rate(&mut samples, begin + Duration::from_secs(seconds), received);
        assert_eq!([rate(0, 1000), rate(1, 1600), rate(4, 2500)], [0, 600, 300]);
        assert_eq!([rate(5, 20), rate(6, 50)], [0, 30]);
    }
}
