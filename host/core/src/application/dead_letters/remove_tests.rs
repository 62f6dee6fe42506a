//! Tests of taking out many, against a queue in memory.

use std::future::{pending, ready};
use std::sync::{Arc, Mutex};

use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use tokio::time::Instant;

use super::remove::{ANSWER_TIMEOUT, MAX_BYTES_UNDER_WAY, MAX_UNDER_WAY};
use super::{
    DeadLetterFacts, FoundMessage, RemovalEnd, RemovalEvent, Removed, Selection, purge_dead_letters,
};
use crate::application::ports::{Cause, DeadLetterQueue};
use crate::domain::Severity;

type RemovalAnswer = BoxFuture<'static, Result<(), &'static str>>;

#[derive(Clone, Copy)]
struct QueuedMessage {
    number: u32,
    is_dead_letter: bool,
    size: usize,
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
        let messages = (1..=length).map(|number| QueuedMessage { number, is_dead_letter: true, size: 1 });
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
        let facts = DeadLetterFacts {
            severity: Some(Severity::Error),
            source: "db",
            cause: Cause::Rejected,
            reason: "no space left",
            is_route_known: true,
        };
        let dead_letter = message.is_dead_letter.then_some(facts);
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

fn taken(_: u32) -> RemovalAnswer {
    ready(Ok(())).boxed()
}

async fn purge(queue: &mut Queue, interrupted: impl Future<Output = ()>) -> Removed<&'static str> {
    purge_dead_letters(queue, &Selection::default(), |_| {}, interrupted).await
}

#[tokio::test]
async fn takes_out_dead_letters_and_leaves_what_is_none() {
    let mut queue = Queue::new(3, taken);
    queue.messages[1].is_dead_letter = false;
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
