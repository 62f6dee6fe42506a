//! Leaving a consumer alone: while somebody has it paused, or because it keeps failing.

use std::pin::Pin;

use tokio::time::{Instant, sleep_until};

use super::{Consume, Control, Ports};
use crate::application::end::End;
use crate::application::ports::{ConsumerError, ConsumerEvent};

impl<P: Ports> Consume<P> {
    /// Leaves the consumer alone until it is resumed. Its source is closed: the broker holds nothing for it that another
    /// host may want, or for longer than it does for anybody.
    pub(super) async fn pause<S: Future<Output = ()>>(&mut self, mut shutdown: Pin<&mut S>) -> Option<End> {
        self.progress.tell(ConsumerEvent::Paused);
        if self.progress.due().is_some()
            && let Err(error) = self.report(false).await
        {
            return Some(error.into());
        }
        while self.is_paused {
            tokio::select! {
                biased;
                () = &mut shutdown => return Some(End::Shutdown),
                Some(control) = self.controls.recv() => match control {
                    Control::Replace(new, done) => if self.replace(new, done).await {
                        self.say_reloaded().await;
                    }
                    Control::Pause => {}
                    Control::Resume => self.is_paused = false,
                    Control::Measure(done) => self.measure_for(done).await,
                },
            }
        }
        self.progress.tell(ConsumerEvent::Resumed);
        None
    }

    /// Leaves a stopped consumer alone for a time, or until it is replaced or paused.
    pub(super) async fn rest<S: Future<Output = ()>>(
        &mut self,
        error: ConsumerError,
        mut shutdown: Pin<&mut S>,
    ) -> Option<End> {
        let Some(first) = self.options.probe else { return Some(End::Consumer(error)) };
        let delay = self.processing.stop(error.clone(), first);
        self.progress.tell(ConsumerEvent::Stopped(&error, delay));
        let until = Instant::now() + delay;
        loop {
            tokio::select! {
                biased;
                () = &mut shutdown => return Some(End::Shutdown),
                Some(control) = self.controls.recv() => match control {
                    Control::Replace(new, done) => if self.replace(new, done).await {
                        self.say_reloaded().await;
                        return None;
                    }
                    Control::Pause => {
                        self.is_paused = true;
                        return None;
                    }
                    // One that keeps failing is left alone.
                    Control::Resume | Control::Measure(_) => {}
                },
                () = sleep_until(until) => return None,
            }
        }
    }
}
