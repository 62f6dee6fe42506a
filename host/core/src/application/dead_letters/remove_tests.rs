//! Tests of taking out many, against a queue in memory.

use std::future::{pending, ready};
use std::sync::{Arc, Mutex};

use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use tokio::time::Instant;

use super::remove::{ANSWER_TIMEOUT, MAX_BYTES_UNDER_WAY, MAX_UNDER_WAY};
use super::{
    DeadLetterFacts, FoundMessage, RemovalEnd, RemovalEvent, Removed, Selection, purge_dead_letters,
    replay_dead_letters,
};
use crate::application::ports::{Cause, DeadLetterQueue, DeadLetterReturn};
use crate::domain::Severity;

type RemovalAnswer = BoxFuture<'static, Result<(), &'static str>>;

#[derive(Clone, Copy)]
struct QueuedMessage {
    number: u32,
    kind: MessageKind,
    size: usize,
}

/// What a message is that is found among the dead letters.
#[derive(Clone, Copy)]
enum MessageKind {
    Log,
    /// A message of another producer, which is no log.
    Foreign,
    /// A message that the broker could not deliver, of which it is known where it was published.
    Undeliverable,
    /// No dead letter: somebody has put it there.
    Other,
}

/// A queue in memory: `answer` says what comes of taking out the message with a number.
struct Queue {
    messages: Vec<QueuedMessage>,
    read: usize,
    left: Vec<u32>,
    expected_back: u32,
    answer: Box<dyn FnMut(u32) -> RemovalAnswer + Send>,
}

impl Queue {
    fn new(length: u32, answer: impl FnMut(u32) -> RemovalAnswer + Send + 'static) -> Self {
        let messages = (1..=length).map(|number| QueuedMessage { number, kind: MessageKind::Log, size: 1 });
        let (messages, answer) = (messages.collect(), Box::new(answer));
        Self { messages, read: 0, left: Vec::new(), expected_back: 0, answer }
    }
}

impl DeadLetterQueue for Queue {
    type Message = QueuedMessage;
    type Error = &'static str;

    fn length(&self) -> u32 {
        u32::try_from(self.messages.len()).unwrap()
    }

    fn read(&self) -> u32 {
        u32::try_from(self.read).unwrap()
    }

    async fn next(&mut self) -> Result<Option<QueuedMessage>, &'static str> {
        let message = self.messages.get(self.read).copied();
        self.read += usize::from(message.is_some());
        Ok(message)
    }

    fn found(message: &QueuedMessage) -> FoundMessage<'_> {
        let facts = |severity, cause| DeadLetterFacts {
            severity,
            source: "db",
            cause,
            reason: "no space left",
            is_route_known: true,
        };
        let dead_letter = match message.kind {
            MessageKind::Log => Some(facts(Some(Severity::Error), Cause::Rejected)),
            MessageKind::Foreign => Some(facts(None, Cause::Foreign)),
            MessageKind::Undeliverable => Some(facts(None, Cause::Undeliverable)),
            MessageKind::Other => None,
        };
        FoundMessage { number: message.number, id: None, dead_letter }
    }

    fn size(message: &QueuedMessage) -> usize {
        message.size
    }

    fn leave(&mut self, message: QueuedMessage) {
        self.left.push(message.number);
    }

    fn discard(
        &mut self,
        message: &QueuedMessage,
    ) -> impl Future<Output = Result<(), &'static str>> + Send + use<> {
        (self.answer)(message.number)
    }

    fn expect_back(&mut self, messages: u32) {
        self.expected_back += messages;
    }
}

/// The way back to the consumer, with the numbers of what was sent; the queue says what comes of each.
#[derive(Default)]
struct Return(Mutex<Vec<u32>>);

impl DeadLetterReturn<Queue> for Return {
    fn send(
        &self,
        queue: &mut Queue,
        message: QueuedMessage,
    ) -> impl Future<Output = Result<(), &'static str>> + Send + use<> {
        self.0.lock().unwrap().push(message.number);
        (queue.answer)(message.number)
    }
}

fn taken(_: u32) -> RemovalAnswer {
    ready(Ok(())).boxed()
}

async fn purge(queue: &mut Queue, interrupted: impl Future<Output = ()>) -> Removed<&'static str> {
    purge_dead_letters(queue, &Selection::default(), |_| {}, interrupted).await
}

#[tokio::test]
async fn takes_out_dead_letters_and_leaves_what_is_none() {
    let mut queue = Queue::new(3, taken);
    queue.messages[1].kind = MessageKind::Other;
    let mut told = Vec::new();
    let all = Selection::default();
    let removed = purge_dead_letters(&mut queue, &all, |event| told.push(event), pending()).await;
    assert_eq!(removed, Removed { done: 2, not_dead_letters: 1, not_logs: 0, end: RemovalEnd::Done });
    assert_eq!((queue.left, queue.expected_back), (vec![2], 0));
    let RemovalEvent::Removed { done: 2, read: 3 } = told[1] else { panic!("{told:?}") };
    assert_eq!(told.len(), 2);
}

#[tokio::test]
async fn so_many_and_no_more_are_under_way() {
    for (size, most) in [(1, MAX_UNDER_WAY), (MAX_BYTES_UNDER_WAY / 4, 5)] {
        let begun = Arc::new(Mutex::new(0));
        let counting = Arc::clone(&begun);
        let mut queue = Queue::new(2 * u32::try_from(MAX_UNDER_WAY).unwrap(), move |_| {
            *counting.lock().unwrap() += 1;
            pending().boxed()
        });
        for message in &mut queue.messages {
            message.size = size;
        }
        assert!(purge(&mut queue, pending()).now_or_never().is_none());
        assert_eq!(*begun.lock().unwrap(), most);
    }
}

#[tokio::test(start_paused = true)]
async fn an_interruption_waits_for_answers_but_not_for_ever() {
    let late = |number| async move {
        match number {
            1 => tokio::time::sleep(ANSWER_TIMEOUT / 2).await,
            _ => pending().await,
        }
        Ok(())
    };
    let mut queue = Queue::new(2, move |number| late(number).boxed());
    let began = Instant::now();
    let removed = purge(&mut queue, tokio::time::sleep(ANSWER_TIMEOUT / 4)).await;
    assert_eq!(removed, Removed { done: 1, not_dead_letters: 0, not_logs: 0, end: RemovalEnd::Interrupted });
    assert_eq!(queue.expected_back, 1);
    assert_eq!(began.elapsed(), ANSWER_TIMEOUT * 5 / 4);
}

#[tokio::test]
async fn a_failure_ends_it_and_the_other_answers_count() {
    let answer = |number| ready(if number == 1 { Err("refused") } else { Ok(()) }).boxed();
    let mut queue = Queue::new(3, answer);
    let removed = purge(&mut queue, pending()).await;
    assert_eq!(removed.end, RemovalEnd::Failed("refused"));
    // The first failed before others were begun, or with them: none is in doubt.
    let begun = u32::try_from(queue.read).unwrap();
    assert_eq!(removed.done + queue.expected_back, begun);
    assert_eq!(queue.expected_back, 1);
}

/// One of each kind, in this order: a log, a foreign message, one that is no dead letter, an undeliverable one.
fn one_of_each() -> Queue {
    let mut queue = Queue::new(4, taken);
    queue.messages[1].kind = MessageKind::Foreign;
    queue.messages[2].kind = MessageKind::Other;
    queue.messages[3].kind = MessageKind::Undeliverable;
    queue
}

#[tokio::test]
async fn what_is_no_log_is_not_sent_back_but_can_be_destroyed() {
    let (mut queue, back, mut told) = (one_of_each(), Return::default(), Vec::new());
    let all = Selection::default();
    let removed = replay_dead_letters(&mut queue, &back, &all, |event| told.push(event), pending()).await;
    assert_eq!(removed, Removed { done: 2, not_dead_letters: 1, not_logs: 1, end: RemovalEnd::Done });
    assert_eq!(*back.0.lock().unwrap(), [1, 4]);
    assert_eq!((queue.left, queue.expected_back), (vec![2, 3], 0));
    assert_eq!(told.last(), Some(&RemovalEvent::Removed { done: 2, read: 4 }));

    let mut queue = one_of_each();
    let removed = purge(&mut queue, pending()).await;
    assert_eq!(removed, Removed { done: 3, not_dead_letters: 1, not_logs: 0, end: RemovalEnd::Done });
    assert_eq!(queue.left, [3]);
}

#[tokio::test]
async fn what_is_asked_for_and_is_no_log_stays() {
    let (mut queue, back) = (one_of_each(), Return::default());
    let second = Selection { number: Some(2), ..Selection::default() };
    let removed = replay_dead_letters(&mut queue, &back, &second, |_| {}, pending()).await;
    assert_eq!(removed, Removed { done: 0, not_dead_letters: 0, not_logs: 1, end: RemovalEnd::Done });
    assert!(back.0.lock().unwrap().is_empty());
    // The first was passed, and those behind it are not read.
    assert_eq!((queue.left, queue.read), (vec![1, 2], 2));
}

#[tokio::test]
async fn a_replay_that_is_interrupted_before_it_begins_sends_nothing() {
    let (mut queue, back, mut told) = (Queue::new(2, taken), Return::default(), Vec::new());
    let all = Selection::default();
    let removed = replay_dead_letters(&mut queue, &back, &all, |event| told.push(event), ready(())).await;
    assert_eq!(removed, Removed { done: 0, not_dead_letters: 0, not_logs: 0, end: RemovalEnd::Interrupted });
    assert!(back.0.lock().unwrap().is_empty());
    assert_eq!((queue.read, queue.expected_back, told), (0, 0, vec![RemovalEvent::Interrupted]));
}

#[tokio::test(start_paused = true)]
async fn a_replay_that_is_interrupted_expects_back_what_is_not_answered() {
    let first = |number| async move {
        if number > 1 {
            pending::<()>().await;
        }
        Ok(())
    };
    let most = u32::try_from(MAX_UNDER_WAY).unwrap();
    let (mut queue, back) = (Queue::new(2 * most, move |number| first(number).boxed()), Return::default());
    let (all, began, mut told) = (Selection::default(), Instant::now(), Vec::new());
    let interrupted = tokio::time::sleep(ANSWER_TIMEOUT);
    let removed = replay_dead_letters(&mut queue, &back, &all, |event| told.push(event), interrupted).await;
    assert_eq!(removed, Removed { done: 1, not_dead_letters: 0, not_logs: 0, end: RemovalEnd::Interrupted });
    let sent = u32::try_from(back.0.lock().unwrap().len()).unwrap();
    assert_eq!((sent, queue.expected_back), (most + 1, most));
    assert_eq!(told.last(), Some(&RemovalEvent::Interrupted));
    assert_eq!(began.elapsed(), ANSWER_TIMEOUT * 2);
}

#[tokio::test(start_paused = true)]
async fn an_answer_that_fails_while_it_is_interrupted_is_told() {
    let refused = |_| async {
        tokio::time::sleep(ANSWER_TIMEOUT / 2).await;
        Err("refused")
    };
    let (mut queue, back) = (Queue::new(1, move |number| refused(number).boxed()), Return::default());
    let (all, interrupted) = (Selection::default(), tokio::time::sleep(ANSWER_TIMEOUT / 4));
    let removed = replay_dead_letters(&mut queue, &back, &all, |_| {}, interrupted).await;
    assert_eq!((removed.done, removed.end), (0, RemovalEnd::Failed("refused")));
    assert_eq!(queue.expected_back, 1);
}
