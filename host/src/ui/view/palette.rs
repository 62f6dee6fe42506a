//! Colours, where they are wanted.

use loghost_board::State;
use loghost_core::application::Level;
use loghost_core::domain::Severity;
use ratatui::style::{Color, Modifier, Style};

/// How things are marked on the screen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Palette {
    /// By colours as well.
    Coloured,
    /// By weight alone.
    Plain,
}

impl Palette {
    /// What names something.
    pub(super) const TITLE: Style = Style::new().add_modifier(Modifier::BOLD);
    /// What matters less.
    pub(super) const DIM: Style = Style::new().add_modifier(Modifier::DIM);
    /// What is selected.
    pub(super) const SELECTED: Style = Style::new().add_modifier(Modifier::REVERSED);

    fn colour(self, colour: Color) -> Style {
        match self {
            Self::Coloured => Style::new().fg(colour),
            Self::Plain => Style::new(),
        }
    }

    /// A number of logs of this severity.
    pub(super) fn severity(self, severity: Severity) -> Style {
        match severity {
            Severity::Debug => Self::DIM,
            Severity::Info => self.colour(Color::Green),
            Severity::Error => self.colour(Color::Red),
            Severity::Critical => self.colour(Color::Red).add_modifier(Modifier::BOLD),
        }
    }

    /// What a consumer does.
    pub(super) fn state(self, state: State) -> Style {
        match state {
            State::Consuming => self.good(),
            State::Opening | State::Paused => self.warning(),
            State::StandingBy => self.colour(Color::Cyan),
            State::Stopped | State::Ended => self.bad(),
        }
    }

    /// A line of the log.
    pub(super) fn level(self, level: Level) -> Style {
        match level {
            Level::Debug => Self::DIM,
            Level::Info => Style::new(),
            Level::Warning => self.warning(),
            Level::Error => self.bad(),
        }
    }

    /// What is as it should be.
    pub(super) fn good(self) -> Style {
        self.colour(Color::Green)
    }

    /// What may not be.
    pub(super) fn warning(self) -> Style {
        self.colour(Color::Yellow)
    }

    /// What is not.
    pub(super) fn bad(self) -> Style {
        self.colour(Color::Red).add_modifier(Modifier::BOLD)
    }

    /// What was received lately.
    pub(super) fn history(self) -> Style {
        self.colour(Color::Cyan)
    }
}
