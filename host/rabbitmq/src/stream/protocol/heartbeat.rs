//! When a heartbeat is due, and when the other side has been silent for too long. Knows no clock.

use std::time::{Duration, Instant};

/// When something was sent and received last.
pub(crate) struct Heartbeat {
    /// None without heartbeats.
    interval: Option<Duration>,
    sent: Instant,
    received: Instant,
}

/// What there is to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Due {
    Nothing,
    /// To send a heartbeat.
    Heartbeat,
    /// To end the connection: nothing came for this time.
    End(Duration),
}

impl Heartbeat {
    pub(crate) fn new(interval: Option<Duration>, now: Instant) -> Self {
        Self { interval, sent: now, received: now }
    }

    pub(crate) fn sent(&mut self, now: Instant) {
        self.sent = now;
    }

    pub(crate) fn received(&mut self, now: Instant) {
        self.received = now;
    }

    /// When to look again, unless something is sent or received before; never without heartbeats.
    pub(crate) fn next(&self) -> Option<Instant> {
        let interval = self.interval?;
        Some((self.sent + interval / 2).min(self.received + 2 * interval))
    }

    pub(crate) fn due(&self, now: Instant) -> Due {
        let Some(interval) = self.interval else { return Due::Nothing };
        let silence = now.saturating_duration_since(self.received);
        if silence >= 2 * interval {
            return Due::End(2 * interval);
        }
        // Twice in an interval, so that one may be late.
        if now.saturating_duration_since(self.sent) >= interval / 2 { Due::Heartbeat } else { Due::Nothing }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn is_sent_twice_an_interval_and_ends_after_two() {
        let start = Instant::now();
        let after = |milliseconds| start + Duration::from_millis(milliseconds);
        let mut heartbeat = Heartbeat::new(Some(Duration::from_secs(10)), start);
        assert_eq!((heartbeat.next(), heartbeat.due(after(4999))), (Some(after(5000)), Due::Nothing));
        assert_eq!(heartbeat.due(after(5000)), Due::Heartbeat);
        heartbeat.sent(after(5000));
        assert_eq!((heartbeat.next(), heartbeat.due(after(9999))), (Some(after(10_000)), Due::Nothing));
        heartbeat.sent(after(19_000));
        assert_eq!((heartbeat.next(), heartbeat.due(after(19_999))), (Some(after(20_000)), Due::Nothing));
        assert_eq!(heartbeat.due(after(20_000)), Due::End(Duration::from_secs(20)));
        heartbeat.received(after(19_500));
        assert_eq!(heartbeat.due(after(20_000)), Due::Nothing);
    }

    #[test]
    fn without_an_interval_nothing_is_due() {
        let start = Instant::now();
        let heartbeat = Heartbeat::new(None, start);
        assert_eq!((heartbeat.next(), heartbeat.due(start + Duration::from_hours(9))), (None, Due::Nothing));
    }
}
