//! Whether a host is ready: each of its consumers consumes, or stands by.

use loghost_board::{Board, State};

/// Why the host is not ready, a line for each reason; nothing if it is.
pub(crate) fn obstacles(board: &Board) -> Vec<String> {
    let consumers = board.consumers();
    if consumers.is_empty() {
        return vec!["no consumer has begun".to_owned()];
    }
    let obstacles = consumers.into_iter().filter_map(|(name, consumer)| match consumer.state {
        State::Consuming | State::StandingBy => None,
        state => {
            let reason = consumer.reason.map(|reason| format!(": {}", in_a_line(&reason)));
            Some(format!("{name} ({}){}", state.as_str(), reason.unwrap_or_default()))
        }
    });
    obstacles.collect()
}

/// A text of others, which must not look like further lines.
fn in_a_line(text: &str) -> String {
    loghost_core::domain::printable_line(text).into_owned()
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use loghost_core::application::{Beginning, ConsumerError, ConsumerEvent, Event, Observer, SourceError};
    use loghost_core::domain::ConsumerName;

    use super::*;

    #[track_caller]
    fn check(events: Vec<ConsumerEvent<'_>>, expected: &[&str]) {
        let board = Board::default();
        let name = ConsumerName::new("error").expect("a name");
        board.expect(&name, &[]);
        for event in events {
            board.observe(&Event::Consumer(&name, event));
        }
        assert_eq!(obstacles(&board), expected);
    }

    #[test]
    fn who_neither_consumes_nor_stands_by_is_a_reason() {
        use ConsumerEvent as E;
        let error = ConsumerError { call: "process", reason: "bad\nworse".to_owned(), backtrace: None };
        let lost = SourceError::Lost("gone".into());
        let consuming = || E::Consuming(Beginning::AtStart);
        let stopped = || E::Stopped(&error, Duration::from_secs(10));
        let keeps = format!(
            "error (stopped): keeps failing, and is tried again after 10s: {}",
            in_a_line(&error.to_string())
        );
        let lost_text = format!("error (opening): {lost}: gone");
        check(vec![], &["error (opening): is being started"]);
        check(vec![consuming()], &[]);
        check(vec![E::StandingBy], &[]);
        check(vec![consuming(), E::Reopening(&lost)], &[&lost_text]);
        check(vec![consuming(), E::Reopening(&lost), consuming()], &[]);
        check(vec![consuming(), stopped()], &[&keeps]);
        // One log is tried; that it is, is no recovery.
        check(vec![consuming(), stopped(), consuming()], &[&keeps]);
        check(vec![consuming(), stopped(), consuming(), E::Recovered], &[]);
        check(vec![consuming(), E::Ended(None)], &["error (ended): has ended"]);
    }

    #[test]
    fn a_host_without_consumers_is_not_ready() {
        assert_eq!(obstacles(&Board::default()), ["no consumer has begun"]);
    }
}
