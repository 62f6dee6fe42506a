//! Taking in what was delivered: a delivery is a log, or a message that holds several, or none. Each log is new or a
//! repetition, and goes to the consumer, to the dead letters or nowhere.

use tokio::time::Instant;

use super::batch::Batch;
use super::session::{OriginalOf, Session};
use super::staged::{Done, FinishedKind};
use super::unseen::Unseen;
use super::window::{Content, Handle, Task};
use super::{Break, Consume, Ports};
use crate::application::ports::{Clock, ConsumerEvent, Delivery, Item, SourceError};
use crate::domain::{Claim, CountedAs, Position, Record, Tally, Timestamp};

/// What is gathered of deliveries that are taken in.
struct Taken {
    /// When they arrived, in the time of the book.
    arrived: Timestamp,
    /// The logs that the consumer is to be shown.
    batch: Batch,
    /// The latest time of those that are only counted.
    latest: Option<Timestamp>,
    /// How many logs there are, repetitions included.
    logs: Tally,
}

impl<P: Ports> Consume<P> {
    /// Takes in what was delivered and `arrived` then: has it processed, if it is wanted and new; what is unwanted or no
    /// log goes to the dead letters.
    pub(super) async fn take(
        &mut self,
        session: &mut Session<P>,
        burst: impl Iterator<Item = Delivery<OriginalOf<P>>>,
        arrived: Instant,
    ) -> Result<(), Break> {
        let in_book = self.commits.book_time_at(arrived);
        let mut taken =
            Taken { arrived: in_book, batch: Batch::default(), latest: None, logs: Tally::default() };
        let (mut deliveries, mut unread) = (0, None);
        for delivery in burst {
            deliveries += usize::from(delivery.item.is_message());
            if let Err(error) = self.take_one(session, delivery, &mut taken) {
                // This and what is behind it comes again.
                unread = Some(error);
                break;
            }
        }
        let Taken { batch, latest, logs, .. } = taken;
        if let Some(latest) = latest {
            self.clock.observe_timestamp(latest);
        }
        self.progress.tell(ConsumerEvent::Received { deliveries, logs });
        self.progress.tell(ConsumerEvent::Acknowledged { deliveries: 0, load: session.load() });
        let mut now = Some(arrived);
        for part in batch.into_parts(self.largest_batch()) {
            self.process(session, part, now.take().unwrap_or_else(Instant::now)).await?;
        }
        unread.map_or(Ok(()), |error| Err(error.into()))
    }

    /// How many logs the consumer is shown together.
    pub(super) fn largest_batch(&self) -> usize {
        // One log alone tells whether a stopped consumer has recovered.
        if self.processing.is_stopped() { 1 } else { self.options.max_batch }
    }

    /// Takes in a delivery.
    fn take_one(
        &mut self,
        session: &mut Session<P>,
        Delivery { position, item, original }: Delivery<OriginalOf<P>>,
        taken: &mut Taken,
    ) -> Result<(), SourceError> {
        let is_new = position.durable().is_none_or(|position| self.commits.look_up_position(position));
        let number = session.window.add(position, original, Content::of(&item));
        let what = match item {
            Item::Log(record) => {
                taken.logs[record.severity] += 1;
                if is_new {
                    return self.take_log(session, number, record, taken);
                }
                FinishedKind::Repetition
            }
            Item::Logs(records) => return self.take_several(session, number, records, is_new, taken),
            Item::Passed => FinishedKind::Passed,
            // Also if the last of them is known, behind others that are not.
            Item::Removed(removed) => FinishedKind::Removed(removed),
            Item::Marker if is_new => FinishedKind::Marker,
            Item::Foreign(how) if is_new => return self.pass_by(session, &Unseen::Foreign(number, how)),
            Item::Undeliverable(how) if is_new => {
                return self.pass_by(session, &Unseen::Undeliverable(number, how));
            }
            Item::Marker | Item::Foreign(_) | Item::Undeliverable(_) => FinishedKind::Repetition,
        };
        self.commits.note(Done { number, what });
        Ok(())
    }

    /// Takes in the logs of a message of others, numbered from `first`: what is not wanted is acknowledged with it.
    fn take_several(
        &mut self,
        session: &mut Session<P>,
        first: u64,
        records: Vec<Record>,
        is_new: bool,
        taken: &mut Taken,
    ) -> Result<(), SourceError> {
        if records.is_empty() {
            self.commits.note(Done { number: first, what: FinishedKind::Passed });
        }
        for (index, (number, record)) in (first..).zip(records).enumerate() {
            taken.logs[record.severity] += 1;
            let position = session.window.position(number).and_then(Position::durable);
            let is_new = is_new && position.is_none_or(|position| self.commits.look_up_log(position, index));
            let is_wanted = self.processing.descriptor().filter.wants(record.severity, &record.source);
            let what = match (is_new, is_wanted) {
                (true, true) => {
                    self.take_log(session, number, record, taken)?;
                    continue;
                }
                (true, false) => FinishedKind::PassedBy,
                (false, _) => FinishedKind::Repetition,
            };
            self.commits.note(Done { number, what });
        }
        Ok(())
    }

    /// Takes in a log.
    #[inline]
    fn take_log(
        &mut self,
        session: &mut Session<P>,
        number: u64,
        record: Record,
        taken: &mut Taken,
    ) -> Result<(), SourceError> {
        let position = match self.commits.look_up(&record, taken.arrived) {
            // Should the one that is under way come again after a loss, this one need not.
            Claim::New(position) if position.is_none_or(|position| session.window.begin(position)) => {
                position
            }
            Claim::New(_) | Claim::Repeated => {
                self.commits.note(Done { number, what: FinishedKind::Repetition });
                return Ok(());
            }
        };
        let handle = Handle { number, position };
        match self.unseen(&record) {
            Some(unseen) => return self.pass_by(session, &unseen(Task { handle, record })),
            None if self.processing.processes() => taken.batch.push(handle, record),
            // What nobody looks at is finished.
            None => {
                taken.latest = taken.latest.max(Some(record.timestamp));
                self.commits.note(handle.done(&record, CountedAs::Accepted));
            }
        }
        Ok(())
    }
}
