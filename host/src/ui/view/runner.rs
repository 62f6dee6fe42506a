//! The thread of a view: takes figures, draws them, and does what keys ask for.

use std::io::{self, Write};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, TryRecvError};
use std::time::{Duration, Instant};

use anstream::{AutoStream, ColorChoice};
use crossterm::event::{self, Event, KeyEventKind};
use crossterm::terminal;
use loghost_board::{Board, Depths};
use loghost_core::application::{Request, RequestError, RunControl};
use loghost_core::domain::ConsumerName;
use ratatui::Terminal;
use ratatui::backend::CrosstermBackend;
use tokio::sync::watch;

use super::figures::RateSampler;
use super::keys::{self, KeyCommand};
use super::model::{Model, Selected};
use super::palette::Palette;
use super::{ViewSubject, draw};
use crate::platform::keyboard;
use crate::platform::signals::{self, JobRequest};
use crate::ui::terminal::{Screen, is_in_foreground, last_said};

/// What the thread is told by others.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum ViewMessage {
    /// To give the screen back.
    End,
    /// That a shell wants the process suspended.
    Suspend,
    /// That the process goes on after it was suspended.
    Continued,
}

impl From<JobRequest> for ViewMessage {
    fn from(request: JobRequest) -> Self {
        match request {
            JobRequest::Suspend => Self::Suspend,
            JobRequest::Continued => Self::Continued,
        }
    }
}

/// How often figures are taken: what is read must not flicker.
pub(super) const FIGURES_EVERY: Duration = Duration::from_millis(500);

/// How long a key is waited for at once.
const KEY_WITHIN: Duration = Duration::from_millis(100);

/// What is on the screen.
type OnScreen = Terminal<CrosstermBackend<Box<dyn Write + Send>>>;

/// A screen that nothing is on.
fn blank() -> io::Result<OnScreen> {
    Terminal::new(CrosstermBackend::new(Box::new(Screen::writer())))
}

/// Draws, and takes keys.
pub(super) struct Runner {
    board: Arc<Board>,
    control: Arc<dyn RunControl>,
    depths: watch::Receiver<Depths>,
    sampler: RateSampler,
    model: Model,
    palette: Palette,
    began: Instant,
    terminal: OnScreen,
    /// None while the terminal is somebody else's.
    screen: Option<Screen>,
}

impl Runner {
    /// Shows this on `screen`.
    pub(super) fn new(
        shown: ViewSubject,
        depths: watch::Receiver<Depths>,
        screen: Screen,
    ) -> io::Result<Self> {
        let ViewSubject { board, control } = shown;
        let palette = match AutoStream::choice(&io::stdout()) {
            ColorChoice::Never => Palette::Plain,
            _ => Palette::Coloured,
        };
        Ok(Self {
            board,
            control,
            depths,
            sampler: RateSampler::default(),
            model: Model::default(),
            palette,
            began: Instant::now(),
            terminal: blank()?,
            screen: Some(screen),
        })
    }

    /// Runs until it is told to end, or the terminal is gone.
    pub(super) fn run(&mut self, told: &Receiver<ViewMessage>) -> io::Result<()> {
        let mut figures_at = Instant::now();
        loop {
            match self.next(told) {
                None => {}
                Some(ViewMessage::End) => return Ok(()),
                Some(ViewMessage::Suspend) => self.suspend()?,
                Some(ViewMessage::Continued) => self.take_back()?,
            }
            if self.screen.is_none() {
                continue;
            }
            let mut is_changed = self.is_resized()?;
            if figures_at <= Instant::now() {
                figures_at = Instant::now() + FIGURES_EVERY;
                self.take_figures();
                is_changed = true;
            }
            if keyboard::is_pressed(KEY_WITHIN)? {
                // What was written at once is taken at once.
                while event::poll(Duration::ZERO)? {
                    if let Event::Key(key) = event::read()?
                        && key.kind != KeyEventKind::Release
                    {
                        let lines = usize::from(self.terminal.size()?.height) / 2;
                        let wish = keys::take(&mut self.model, key, lines);
                        self.fulfil(&wish)?;
                    }
                }
                is_changed = true;
            }
            if is_changed && self.screen.is_some() {
                let (model, palette, began) = (&mut self.model, self.palette, self.began);
                self.terminal.draw(|frame| draw::draw(frame, model, palette, began.elapsed()))?;
            }
        }
    }

    /// What it is told; waits for that while there is nothing else to do.
    fn next(&self, told: &Receiver<ViewMessage>) -> Option<ViewMessage> {
        if self.screen.is_none() {
            return Some(told.recv().unwrap_or(ViewMessage::End));
        }
        match told.try_recv() {
            Ok(told) => Some(told),
            Err(TryRecvError::Empty) => None,
            Err(TryRecvError::Disconnected) => Some(ViewMessage::End),
        }
    }

    fn is_resized(&mut self) -> io::Result<bool> {
        let (width, height) = terminal::size()?;
        let before = self.terminal.current_buffer_mut().area;
        Ok((before.width, before.height) != (width, height))
    }

    fn take_figures(&mut self) {
        let figures = self.sampler.take(&self.board, &self.depths.borrow(), Instant::now());
        self.model.show(figures);
        self.model.said = last_said();
        match self.model.selected_index() {
            Some(selected_index) => self.select(selected_index),
            None => self.select(0),
        }
    }

    fn select(&mut self, selected_index: usize) {
        let name = self.model.rows.get(selected_index).map(|row| row.name.clone());
        self.model.selected = name.and_then(|name| {
            let consumer = self.board.consumer(&name)?;
            Some(Selected { name, consumer })
        });
    }

    fn fulfil(&mut self, wish: &KeyCommand) -> io::Result<()> {
        match wish {
            KeyCommand::None => {}
            KeyCommand::End => {
                self.model.is_ending = true;
                signals::interrupt()?;
            }
            KeyCommand::Suspend => self.suspend()?,
            KeyCommand::Quit => signals::quit()?,
            KeyCommand::Redraw => self.take_back()?,
            KeyCommand::Select(selected_index) => self.select(*selected_index),
            KeyCommand::Ask(name, request) => {
                let asked = self.control.request(name, *request);
                self.model.answer = Some(answer(name, *request, asked));
            }
            KeyCommand::ReloadAll => {
                self.model.answer = Some(match self.control.reload_all() {
                    Ok(()) => "reload: all are loaded again".to_owned(),
                    Err(error) => format!("reload: {error}"),
                });
            }
        }
        Ok(())
    }

    /// Gives the terminal to the shell. That the process goes on is told: it may go on a little before it is stopped.
    fn suspend(&mut self) -> io::Result<()> {
        self.screen = None;
        signals::stop_job()
    }

    /// Takes the screen again, if the terminal is this process's; whoever had it meanwhile may have left anything on it.
    fn take_back(&mut self) -> io::Result<()> {
        self.screen = None;
        if is_in_foreground() {
            self.screen = Some(Screen::take()?);
            self.terminal = blank()?;
        }
        Ok(())
    }
}

fn answer(name: &ConsumerName, request: Request, asked: Result<(), RequestError>) -> String {
    match asked {
        Ok(()) => format!("{}: {name} is asked to", request.as_str()),
        Err(error) => format!("{} {name}: {error}", request.as_str()),
    }
}
