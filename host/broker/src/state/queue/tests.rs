//! The order of messages, and whose turn it is.

use super::*;
use crate::state::policy::Policy;
use crate::{memory::Memory, message::Content};

fn queue(consumption: Consumption) -> Queue {
    let spec = QueueSpec {
        durable: false,
        exclusive: false,
        auto_delete: false,
        consumption,
        kind: QueueKind::Classic,
        policy: Policy::NONE,
    };
    Queue::new("q".into(), spec, None, charge())
}

fn charge() -> Charge {
    Charge::new(&Arc::new(Memory::new(usize::MAX)), &[]).unwrap()
}

fn filled(bodies: &[&str]) -> Queue {
    let memory = Arc::new(Memory::new(usize::MAX));
    let mut queue = queue(Consumption::Shared);
    for body in bodies {
        let message = Message::new("".into(), Content::of("q", body), &memory);
        queue.push(Arc::new(message), Moment::NEVER);
    }
    queue
}

#[track_caller]
fn check_contents(queue: &mut Queue, expected: &[(&str, bool)]) {
    for (body, redelivered) in expected {
        let entry = queue.pop().unwrap();
        assert_eq!(entry.message.content().body(), body.as_bytes());
        assert_eq!(entry.redelivered(), *redelivered, "{body}");
    }
    assert!(queue.is_empty());
}

#[test]
fn requeued_entries_return_to_their_positions() {
    let mut queue = filled(&["a", "b", "c", "d", "e"]);
    let mut pop = || queue.pop().unwrap();
    let (a, _acknowledged, c, d) = (pop(), pop(), pop(), pop());
    for entry in [d, a, c] {
        queue.requeue(entry);
    }
    check_contents(&mut queue, &[("a", true), ("c", true), ("d", true), ("e", false)]);
}

fn consumer(id: u64, exclusive: bool) -> Consumer {
    Consumer {
        id: ConsumerId(id),
        tag: id.to_string().into(),
        channel: Key::dangling(),
        acknowledgement: Acknowledgement::Explicit,
        exclusive,
        prefetch: 0,
        in_flight: 0,
        _charge: charge(),
    }
}

fn turns(queue: &mut Queue, count: usize) -> Vec<u64> {
    (0..count).filter_map(|_| queue.next_consumer(|_| true).map(|consumer| consumer.id.0)).collect()
}

#[test]
fn consumers_take_turns() {
    let mut queue = queue(Consumption::Shared);
    assert!(queue.next_consumer(|_| true).is_none());
    for id in 1..=3 {
        queue.add_consumer(consumer(id, false)).unwrap();
    }
    assert_eq!(turns(&mut queue, 4), [1, 2, 3, 1]);
    let busy = queue.next_consumer(|consumer| consumer.id.0 != 2);
    assert_eq!(busy.unwrap().id.0, 3, "2 is passed over");
    queue.remove_consumer(ConsumerId(1));
    assert_eq!(turns(&mut queue, 3), [2, 3, 2]);
}

#[test]
fn a_single_active_consumer_is_followed_by_the_next() {
    let mut queue = queue(Consumption::SingleActive);
    for id in 1..=3 {
        queue.add_consumer(consumer(id, false)).unwrap();
    }
    assert_eq!(turns(&mut queue, 3), [1, 1, 1]);
    assert!(
        queue.next_consumer(|consumer| consumer.id.0 != 1).is_none(),
        "the others stand by, whatever the active one has room for"
    );
    queue.remove_consumer(ConsumerId(1));
    assert_eq!(turns(&mut queue, 2), [2, 2]);
}

#[test]
fn an_exclusive_consumer_is_alone() {
    let mut queue = queue(Consumption::Shared);
    queue.add_consumer(consumer(1, true)).unwrap();
    assert!(queue.add_consumer(consumer(2, false)).is_err());
    queue.remove_consumer(ConsumerId(1));
    queue.add_consumer(consumer(2, false)).unwrap();
    assert!(queue.add_consumer(consumer(3, true)).is_err());
}
