//! The view on no terminal: what drawing it costs.

use std::io;
use std::sync::Arc;
use std::sync::mpsc::{RecvTimeoutError, Sender, channel};
use std::time::Instant;

use loghost_board::{Board, Depths};
use loghost_system as system;
use ratatui::backend::CrosstermBackend;
use ratatui::layout::Rect;
use ratatui::{Terminal, TerminalOptions, Viewport};

use super::draw;
use super::figures::RateSampler;
use super::model::Model;
use super::palette::Palette;
use super::runner::FIGURES_EVERY;

/// The size of the screen: a large one.
const SIZE: Rect = Rect::new(0, 0, 200, 50);

/// A view that is drawn until it is dropped.
pub(crate) struct OffscreenView {
    _end: Sender<()>,
}

impl OffscreenView {
    /// Draws the figures of a board as often as the view does.
    pub(crate) fn start(board: Arc<Board>) -> io::Result<Self> {
        let (end, ended) = channel();
        let options = TerminalOptions { viewport: Viewport::Fixed(SIZE) };
        let mut terminal = Terminal::with_options(CrosstermBackend::new(io::sink()), options)?;
        let (mut sampler, mut model, began) = (RateSampler::default(), Model::default(), Instant::now());
        system::spawn("offscreen view", move || {
            while ended.recv_timeout(FIGURES_EVERY) == Err(RecvTimeoutError::Timeout) {
                model.show(sampler.take(&board, &Depths::default(), Instant::now()));
                let elapsed = began.elapsed();
                // It is drawn into nothing, which takes everything.
                let _ = terminal.draw(|frame| draw::draw(frame, &mut model, Palette::Coloured, elapsed));
            }
        })
        .map_err(io::Error::other)?;
        Ok(Self { _end: end })
    }
}
