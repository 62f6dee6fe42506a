//! Serving one source: takes what has arrived, tries again what is due, and lets a new version take over.

use std::pin::Pin;

use tokio::time::Instant;

use super::batch::Batch;
use super::session::Session;
use super::timer::Timer;
use super::under_way::Committed;
use super::{Batching, Break, Consume, Control, Ports};
use crate::application::end::End;
use crate::application::ports::{Beginning, ConsumerActivity, ConsumerEvent, Item, LogSource, Subscription};

impl<P: Ports> Consume<P> {
    /// Serves the source of `session` until the run is to end, or something breaks. Tells whether this host is the one
    /// that gets the logs, which begins as `beginning` says.
    pub(super) async fn serve<S: Future<Output = ()> + Send>(
        &mut self,
        session: &mut Session<P>,
        mut shutdown: Pin<&mut S>,
        mut beginning: Beginning,
    ) -> Result<End, Break> {
        let mut burst = Vec::new();
        let mut last_log = Instant::now();
        let mut saturated = false;
        let mut told = None;
        let (mut commit_timer, mut report_timer) = (Timer::new(), Timer::new());
        let (mut retry_timer, mut tick_timer) = (Timer::new(), Timer::new());
        loop {
            let activity = session.source.activity();
            self.activity_is(activity);
            if told.replace(activity) != Some(activity) {
                self.progress.tell(match activity {
                    ConsumerActivity::Active => ConsumerEvent::Consuming(beginning),
                    ConsumerActivity::StandingBy => ConsumerEvent::StandingBy,
                });
                beginning = Beginning::Later;
            }
            let commit_at = self.commits.keep_pace(&mut session.window, session.source.most_unacknowledged());
            if self.options.max_logs.is_some_and(|max| self.commits.finished() >= max) {
                return Ok(End::Enough);
            }
            if session.marked && session.waiting() == 0 {
                return Ok(End::Marker);
            }
            let full = session.waiting() >= self.options.max_waiting;
            if full && !saturated {
                self.progress.tell(ConsumerEvent::Saturated(session.waiting()));
            }
            saturated = full;
            let room = self.room(session, burst.len());
            let taking = room > 0 && !session.marked;
            let ticks = self.processing.processes() && activity == ConsumerActivity::Active;
            let tick = self.processing.descriptor().tick.filter(|_| ticks);
            let tick_at = tick.map(|tick| last_log + tick);
            let (report_at, retry_at) = (self.progress.due(), session.window.next_attempt());
            tokio::select! {
                biased;
                () = &mut shutdown => return Ok(End::Shutdown),
                committed = self.commits.safe() => self.acknowledge(session, committed?).await?,
                () = commit_timer.at(commit_at) => {}
                done = session.pending.next() => self.dead_lettered(done)?,
                () = report_timer.at(report_at) => self.report(false).await?,
                () = retry_timer.at(retry_at) => {
                    let (now, mut due) = (Instant::now(), Batch::default());
                    due.extend(session.window.take_due(now, self.options.max_batch));
                    self.process(session, due, now).await?;
                }
                Some(control) = self.controls.recv() => match control {
                    Control::Replace(new, done) => if self.replace(new, done).await {
                        let adjusted = self.adjust(session).await;
                        // If it could not be, the next source is as it should be.
                        self.say_reloaded().await;
                        adjusted?;
                    }
                    Control::Pause => {
                        self.is_paused = true;
                        return Err(Break::Paused);
                    }
                    Control::Resume => {}
                    Control::Measure(done) => self.measure_for(done).await,
                },
                received = session.source.receive(&mut burst, room), if taking => {
                    received?;
                    if burst.is_empty() {
                        continue;
                    }
                    let arrived = Instant::now();
                    if burst.iter().any(|delivery| delivery.item.is_message()) {
                        last_log = arrived;
                    }
                    session.marked = burst.last().is_some_and(|delivery| delivery.item == Item::Marker);
                    let full = burst.len() >= self.options.max_batch || session.marked;
                    if full || self.options.batching == Batching::Arrived {
                        self.take(session, burst.drain(..), arrived).await?;
                    }
                }
                () = tick_timer.at(tick_at) => {
                    last_log = Instant::now();
                    self.progress.tell(ConsumerEvent::CallBegins);
                    self.process(session, Batch::default(), last_log).await?;
                    self.progress.tell(ConsumerEvent::CallEnds);
                }
            }
        }
    }

    /// Takes in whether this host is the one that gets the logs: if so, nothing is there any more of what was
    /// wanted before.
    fn activity_is(&mut self, activity: ConsumerActivity) {
        self.commits.activity_is(activity);
        if activity == ConsumerActivity::Active {
            self.former = None;
        }
    }

    /// How many more deliveries may be taken, `gathered` being in hand.
    fn room(&self, session: &Session<P>, gathered: usize) -> usize {
        let waiting = session.waiting();
        let batch = self.largest_batch();
        let wanted = self.options.max_logs.map_or(u64::MAX, |max| {
            max.saturating_sub(self.commits.finished() + waiting as u64 + gathered as u64)
        });
        let batch = batch.saturating_sub(gathered).min(self.options.max_waiting.saturating_sub(waiting));
        batch.min(usize::try_from(wanted).unwrap_or(usize::MAX))
    }

    /// Has the source go on for the consumer as it is now.
    async fn adjust(&mut self, session: &mut Session<P>) -> Result<(), Break> {
        let subscription = Subscription {
            descriptor: self.processing.descriptor(),
            reads: self.processing.reads(),
            former: self.former.as_ref(),
            offsets: &self.commits.next_offsets(),
        };
        Ok(session.source.adjust(subscription).await?)
    }

    /// Acknowledges what is in a commit that is safe.
    pub(super) async fn acknowledge(
        &mut self,
        session: &mut Session<P>,
        committed: Box<Committed>,
    ) -> Result<(), Break> {
        let numbers = self.committed(committed);
        let deliveries = session.acknowledge(numbers).await?;
        self.progress.tell(ConsumerEvent::Acknowledged { deliveries, load: session.load() });
        Ok(())
    }

    /// Takes in a commit that is safe; returns the numbers of what can be acknowledged.
    pub(super) fn committed(&mut self, committed: Box<Committed>) -> Vec<u64> {
        let Committed { counts, news, numbers, messages, removed, checkpoint, took } = *committed;
        self.progress.tell(ConsumerEvent::Committed { counts: &counts, deliveries: messages, took });
        self.tell_streams();
        for removed in &removed {
            self.progress.tell(ConsumerEvent::Removed(removed));
        }
        self.progress.counted(counts, news);
        if let Some(checkpoint) = checkpoint {
            self.processing.committed(checkpoint);
        }
        numbers
    }

    /// Brings to its end what is under way, except what waits for another attempt: that goes back. What can be
    /// committed does not wait for dead letters, which a broker may hold back for long.
    pub(super) async fn finish(&mut self, session: &mut Session<P>) -> Result<(), Break> {
        loop {
            self.commits.begin(&mut session.window);
            let (is_committing, is_dead_lettering) =
                (self.commits.is_under_way(), !session.pending.is_empty());
            tokio::select! {
                biased;
                committed = self.commits.safe(), if is_committing => self.acknowledge(session, committed?).await?,
                done = session.pending.next(), if is_dead_lettering => self.dead_lettered(done)?,
                else => return Ok(()),
            }
        }
    }
}
