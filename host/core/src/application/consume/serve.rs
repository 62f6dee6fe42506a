//! Serving one source: takes what has arrived, tries again what is due, and lets a new version take over.

use std::pin::Pin;

use futures_util::StreamExt;
use tokio::time::{Instant, sleep_until};

use super::commit::safe;
use super::process::{Batch, Handle, Task};
use super::unseen::{MOST_HOPS, Unseen};
use super::{Batching, Break, Consume, Ports, SourceOf};
use crate::application::end::End;
use crate::application::ports::{
    Aside, Consumer, ConsumerActivity, Delivery, Item, Load, LogSource, Reads, Reporter, State,
};
use crate::domain::{Claim, Record};

impl<P: Ports> Consume<P> {
    /// Serves `source` until the run is to end, or something breaks. Says whether this host is the one that
    /// gets the logs, unless that has been `said`.
    pub(super) async fn serve<S: Future<Output = ()> + Send>(
        &mut self,
        source: &mut SourceOf<P>,
        mut shutdown: Pin<&mut S>,
        mut said: Option<ConsumerActivity>,
    ) -> Result<End, Break> {
        let mut burst = Vec::new();
        let mut last_log = Instant::now();
        let mut paused = false;
        loop {
            let standing = source.standing();
            self.stand(standing);
            if said.replace(standing) != Some(standing) {
                self.say(match standing {
                    ConsumerActivity::Active => &State::Consuming,
                    ConsumerActivity::StandingBy => &State::StandingBy,
                });
            }
            match standing {
                ConsumerActivity::Active => self.book_time.go_on(),
                ConsumerActivity::StandingBy => self.book_time.stand_still(),
            }
            let commit_at = self.keep_pace();
            if self.options.max_logs.is_some_and(|max| self.finished >= max) {
                return Ok(End::Enough);
            }
            if self.marked && self.retries.len() == 0 && self.pending_dead_letters.is_empty() {
                return Ok(End::Marker);
            }
            let full = self.held() >= self.options.max_held;
            if full && !paused {
                self.say(&State::Paused(self.held()));
            }
            paused = full;
            let room = self.room(burst.len());
            let taking = room > 0 && !self.marked;
            let ticks = self.consumer.processes() && standing == ConsumerActivity::Active;
            let tick = self.consumer.descriptor().tick.filter(|_| ticks);
            let tick_at = tick.map(|tick| last_log + tick);
            let retry_at = self.retries.due();
            tokio::select! {
                biased;
                () = &mut shutdown => return Ok(End::Shutdown),
                done = safe(self.commit.as_mut()) => {
                    done?;
                    self.acknowledge(source).await?;
                }
                () = sleep_until(commit_at.unwrap_or(last_log)), if commit_at.is_some() => {}
                Some(dead_lettered) = self.pending_dead_letters.next(), if !self.pending_dead_letters.is_empty() => self.dead_lettered(dead_lettered)?,
                () = sleep_until(self.report_from), if self.unreported => self.report(false).await?,
                () = sleep_until(retry_at.unwrap_or(last_log)), if retry_at.is_some() => {
                    let mut due = Batch::default();
                    due.extend(self.retries.take_due(Instant::now(), self.options.max_batch));
                    self.process(source, due).await?;
                }
                Some(new) = self.reloads.recv() => {
                    if self.replace(new).await {
                        let former = self.former.as_ref();
                        let adjusted =
                            source.adjust(self.consumer.descriptor(), Reads::of(&self.consumer), former).await;
                        // If they could not be, the next source has its bindings.
                        self.say_reloaded();
                        adjusted?;
                    }
                }
                received = source.receive(&mut burst, room), if taking => {
                    received?;
                    if burst.is_empty() {
                        continue;
                    }
                    last_log = Instant::now();
                    self.marked = burst.last().is_some_and(|delivery| delivery.item == Item::Marker);
                    let full = burst.len() >= self.options.max_batch || self.marked;
                    if full || self.options.batching == Batching::Arrived {
                        self.take(source, burst.drain(..)).await?;
                    }
                }
                () = sleep_until(tick_at.unwrap_or(last_log)), if tick_at.is_some() => {
                    last_log = Instant::now();
                    self.tell_aside(Aside::Begins);
                    self.process(source, Batch::default()).await?;
                    self.tell_aside(Aside::Ends);
                }
            }
        }
    }

    /// Takes in whether this host is the one that gets the logs: if so, nothing is there any more of what was
    /// wanted before.
    fn stand(&mut self, standing: ConsumerActivity) {
        self.standing = standing;
        if standing == ConsumerActivity::Active {
            self.former = None;
        }
    }

    /// How many more deliveries may be taken, `gathered` being in hand.
    fn room(&self, gathered: usize) -> usize {
        let held = self.held();
        // One log alone tells whether a stopped consumer has recovered.
        let batch = if self.trial.is_some() { 1 } else { self.options.max_batch };
        let wanted = self
            .options
            .max_logs
            .map_or(u64::MAX, |max| max.saturating_sub(self.finished + held as u64 + gathered as u64));
        let batch = batch.saturating_sub(gathered).min(self.options.max_held.saturating_sub(held));
        batch.min(usize::try_from(wanted).unwrap_or(usize::MAX))
    }

    /// How many logs wait for their next attempt, or to be safe among the dead letters.
    pub(super) fn held(&self) -> usize {
        self.retries.len() + self.pending_dead_letters.len()
    }

    pub(super) fn tell_progress(&mut self, finished: usize) {
        let load = Load { taken: self.unacknowledged.len(), held: self.held() };
        self.reporter.progress(&self.consumer.descriptor().name, finished, load);
    }

    pub(super) fn tell_aside(&mut self, aside: Aside) {
        self.reporter.aside(&self.consumer.descriptor().name, aside);
    }

    /// Judges what was delivered, if it is wanted and new; what is unwanted or no log goes to the dead letters.
    async fn take(
        &mut self,
        source: &mut SourceOf<P>,
        burst: impl Iterator<Item = Delivery>,
    ) -> Result<(), Break> {
        let (mut batch, now) = (Batch::default(), self.book_time.now());
        let mut unread = None;
        for Delivery { receipt, item } in burst {
            self.unacknowledged.add(receipt);
            let unseen = match item {
                Item::Log(record) => match self.book.claim(&record, now) {
                    Claim::New(place) => {
                        let (wanted, looped) = (self.wants(&record), self.loops(&record));
                        let task = Task { handle: Handle { receipt, place }, record };
                        if !wanted {
                            Unseen::Unwanted(task)
                        } else if looped {
                            Unseen::Looped(task)
                        } else {
                            batch.extend([task]);
                            continue;
                        }
                    }
                    // Should it be in hand, the one in hand comes again after a loss: this one need not.
                    Claim::Repeated => {
                        self.staged.repeats += 1;
                        self.staged.finished.push(receipt);
                        continue;
                    }
                },
                Item::Marker => {
                    self.staged.finished.push(receipt);
                    continue;
                }
                Item::Foreign(how) => Unseen::Foreign(receipt, how),
            };
            if let Err(error) = self.pass_by(source, &unseen) {
                // This and what is behind it comes again.
                unread = Some(error);
                break;
            }
        }
        self.tell_progress(0);
        if !batch.is_empty() {
            self.process(source, batch).await?;
        }
        unread.map_or(Ok(()), |error| Err(error.into()))
    }

    /// Whether it would go on in a circle.
    fn loops(&self, record: &Record) -> bool {
        record.hops >= MOST_HOPS && !self.consumer.descriptor().publishes.is_empty()
    }

    fn wants(&self, record: &Record) -> bool {
        self.consumer.descriptor().filter.wants(record.severity, &record.source)
    }

    /// Lets `new` take the consumer's place, with what it keeps; false if it does not take that up.
    pub(super) async fn replace(&mut self, mut new: P::Consumer) -> bool {
        if new.keeps_state()
            && self.saved.is_some()
            && let Err(error) = new.restore(self.saved.as_deref()).await
        {
            self.say(&State::ReloadRefused(&error));
            return false;
        }
        let old = std::mem::replace(&mut self.consumer, new);
        // Until this host is the active one, the bindings are those of its last turn.
        self.former.get_or_insert_with(|| old.descriptor().filter.clone());
        self.unsaved = Some(self.consumer.descriptor().filter.clone());
        // A stopped one is shown one log first: a bad file may follow a bad one.
        self.breaker.reset();
        self.stale = false;
        true
    }

    pub(super) fn say_reloaded(&mut self) {
        let descriptor = self.consumer.descriptor();
        self.reporter.state(&descriptor.name, &State::Reloaded(descriptor, self.consumer.digest()));
    }
}
