//! The view of a run on a terminal: what its consumers do, as they do it, and keys to control them.
//!
//! In reading order: `figures` is taken from the board at intervals, `model` is what is shown of it, `keys` change that,
//! and `draw` draws it. `runner` is the thread that does all this; nobody waits for it. `offscreen` draws for nobody, to measure that.

mod draw;
mod figures;
mod keys;
mod model;
mod number;
mod offscreen;
mod palette;
mod runner;
#[cfg(test)]
mod tests;

use std::io;
use std::sync::Arc;
use std::sync::mpsc::{self, Receiver, Sender};
use std::time::Duration;

use loghost_board::{Board, Depths};
use loghost_core::application::{Observer, RunControl};
use loghost_system as system;
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio::time::sleep;

pub(crate) use self::offscreen::OffscreenView;
use self::runner::{Runner, ViewMessage};
use crate::platform::signals::{JobControl, JobRequest, stop_job};
use crate::ui::events::command::{HostEvent, tell};
use crate::ui::terminal::Screen;

/// What a view shows, and controls.
pub(crate) struct ViewSubject {
    pub(crate) board: Arc<Board>,
    pub(crate) control: Arc<dyn RunControl>,
}

/// A view that is shown until it is dropped.
pub(crate) struct View {
    runner: Sender<ViewMessage>,
    ended: Receiver<()>,
    tasks: [JoinHandle<()>; 2],
}

/// How often it is asked how many messages wait in queues.
const DEPTHS_EVERY: Duration = Duration::from_secs(2);

/// How long the view may take to give the screen back: a terminal that takes nothing is not waited for.
const TIMEOUT: Duration = Duration::from_secs(1);

impl View {
    /// Shows a run, on the screen of the terminal; tells the `observer` if that ends by itself.
    pub(crate) fn start(shown: ViewSubject, observer: Arc<dyn Observer>) -> io::Result<Self> {
        let job_control = JobControl::new()?;
        let screen = Screen::take()?;
        let (told, to_do) = mpsc::channel();
        let (ending, ended) = mpsc::channel();
        let (depths, known) = watch::channel(Depths::default());
        let board = Arc::clone(&shown.board);
        let runner = Runner::new(shown, known, screen)?;
        system::spawn("view", move || {
            // It is told that this has ended when the screen has been given back, also by a panic: what is declared last goes
            // first.
            let _ending = ending;
            let mut runner = runner;
            if let Err(error) = runner.run(&to_do) {
                drop(runner);
                tell(&*observer, HostEvent::ViewEnded(error.to_string()));
            }
        })
        .map_err(io::Error::other)?;
        let tasks =
            [tokio::spawn(ask_depths(board, depths)), tokio::spawn(pass_on(job_control, told.clone()))];
        Ok(Self { runner: told, ended, tasks })
    }
}

impl Drop for View {
    fn drop(&mut self) {
        self.tasks.iter().for_each(JoinHandle::abort);
        // It may have ended by itself.
        let _ = self.runner.send(ViewMessage::End);
        let _ = self.ended.recv_timeout(TIMEOUT);
    }
}

async fn ask_depths(board: Arc<Board>, depths: watch::Sender<Depths>) {
    loop {
        depths.send_replace(board.depths().await);
        sleep(DEPTHS_EVERY).await;
    }
}

/// Passes on what a shell with jobs wants of the process.
async fn pass_on(mut job_control: JobControl, runner: Sender<ViewMessage>) {
    loop {
        let told = job_control.next().await;
        if runner.send(told.into()).is_err() && told == JobRequest::Suspend {
            // Without a view there is nothing to give back before.
            let _ = stop_job();
        }
    }
}
