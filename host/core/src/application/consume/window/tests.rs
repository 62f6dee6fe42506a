//! What may be acknowledged, and when.

use std::sync::Arc;

use super::*;
use crate::domain::{CountedAs, Severity, StreamIdentity, StreamPosition, Timestamp};

fn queued(tags: &[u64]) -> Vec<Position> {
    tags.iter().copied().map(Position::Transient).collect()
}

fn delivered(tags: &[u64]) -> Window<()> {
    let mut window = Window::new(2);
    for (number, position) in queued(tags).into_iter().enumerate() {
        assert_eq!(window.add(position, None, Content::Message(1)), number as u64);
    }
    window
}

#[test]
fn what_is_finished_in_order_is_acknowledged_at_once() {
    let mut window = delivered(&[5, 6, 9, 10]);
    let due = window.finish(vec![1, 0, 2]);
    assert_eq!(due, Due { through: queued(&[9]), single: vec![], deliveries: 3 });
    let due = window.finish(vec![3]);
    assert_eq!(due, Due { through: queued(&[10]), single: vec![], deliveries: 1 });
}

#[test]
fn what_lies_behind_an_open_one_is_acknowledged_by_itself() {
    let mut window = delivered(&[1, 2, 3, 4]);
    let due = window.finish(vec![0, 2]);
    assert_eq!(due, Due { through: queued(&[1]), single: queued(&[3]), deliveries: 2 });
    // Nothing is acknowledged twice.
    let due = window.finish(vec![1]);
    assert_eq!(due, Due { through: queued(&[2]), single: vec![], deliveries: 1 });
    let due = window.finish(vec![3]);
    assert_eq!(due, Due { through: queued(&[4]), single: vec![], deliveries: 1 });
}

#[test]
fn each_stream_is_acknowledged_for_itself() {
    let at = |name: &str, offset| {
        let stream = Arc::new(StreamIdentity { name: Arc::from(name), fingerprint: None });
        Position::Durable(StreamPosition { stream, first: offset, offset })
    };
    let mut window = Window::<()>::new(2);
    for position in [at("info", 7), at("error", 100), at("info", 9), at("error", 101)] {
        window.add(position, None, Content::Message(1));
    }
    let due = window.finish(vec![0, 1, 2]);
    assert_eq!(due, Due { through: vec![at("info", 9), at("error", 100)], single: vec![], deliveries: 3 });
}

#[test]
fn a_log_is_under_way_once() {
    let mut window = delivered(&[1]);
    let position = OriginPosition { origin: 3, sequence: 7 };
    let finished = FinishedLog {
        position: Some(position),
        severity: Severity::Info,
        undetermined: false,
        timestamp: Timestamp::default(),
        counted_as: CountedAs::Accepted,
    };
    assert!(window.begin(position) && !window.begin(position) && window.has(3) && !window.has(2));
    window.entered(&[finished]);
    assert!(!window.has(3) && window.begin(position));
}

/// Several logs a message: one with two logs at tag 1, one with one at tag 2, one with three at tag 3.
fn several() -> Window<()> {
    let mut window = Window::new(2);
    for (tag, logs) in [(1, 2), (2, 1), (3, 3)] {
        window.add(Position::Transient(tag), None, Content::Message(logs));
    }
    window
}

#[test]
fn a_message_is_acknowledged_when_its_last_log_is_finished() {
    let mut window = several();
    assert_eq!(window.finish(vec![0]), Due::default());
    // A single log of the third, and the second behind the open first.
    let due = window.finish(vec![4, 2]);
    assert_eq!(due, Due { through: vec![], single: queued(&[2]), deliveries: 1 });
    let due = window.finish(vec![3, 5]);
    assert_eq!(due, Due { through: vec![], single: queued(&[3]), deliveries: 1 });
    let due = window.finish(vec![1]);
    assert_eq!(due, Due { through: queued(&[1]), single: vec![], deliveries: 1 });
    assert_eq!(window.len(), 0);
}

#[test]
fn what_is_acknowledged_together_ends_before_a_message_that_is_open() {
    let mut window = several();
    let due = window.finish(vec![0, 1, 2, 3]);
    assert_eq!(due, Due { through: queued(&[2]), single: vec![], deliveries: 2 });
    let due = window.finish(vec![5, 4]);
    assert_eq!(due, Due { through: queued(&[3]), single: vec![], deliveries: 1 });
    assert_eq!(window.len(), 0);
}

#[test]
fn an_index_is_told_until_the_whole_message_is_in_the_book() {
    let mut window = several();
    window.enter(&[3, 0]);
    assert_eq!([0, 1, 2, 3].map(|number| window.open_log_index(number)), [Some(0), Some(1), None, Some(0)]);
    window.enter(&[4, 5]);
    assert_eq!([3, 4, 5].map(|number| window.open_log_index(number)), [None; 3]);
    assert_eq!(window.log_number(4), Some(LogNumber { number: 2, of: 3 }));
    assert_eq!(window.log_number(2), None);
}
