//! What is shown of the figures: which consumers, in which order, and which of them is selected.

use loghost_board::{Consumer, State};
use loghost_core::application::Request;
use loghost_core::domain::ConsumerName;

use super::figures::{Figures, Row, state_text};
use crate::ui::terminal::Said;

/// What is shown.
#[derive(Debug, Default)]
pub(super) struct Model {
    pub(super) figures: Figures,
    /// What was said last, the oldest first.
    pub(super) said: Vec<Said>,
    /// The rows that are shown, in their order.
    pub(super) rows: Vec<Row>,
    pub(super) sort: Sort,
    /// What a consumer's name or state must hold to be shown.
    pub(super) filter: String,
    pub(super) page: Page,
    pub(super) selected: Option<Selected>,
    /// How many rows are above the screen.
    pub(super) offset: usize,
    /// How many lines of the page are above the screen.
    pub(super) scroll: usize,
    /// What became of the last key, if that is to be said.
    pub(super) answer: Option<String>,
    /// What is asked for when it is confirmed.
    pub(super) question: Option<(ConsumerName, Request)>,
    /// Whether the run is ending.
    pub(super) is_ending: bool,
}

/// The consumer that is selected.
#[derive(Debug)]
pub(super) struct Selected {
    pub(super) name: ConsumerName,
    pub(super) consumer: Consumer,
}

/// What takes the place on the screen.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Page {
    /// All consumers, and something of the one that is selected.
    #[default]
    Overview,
    /// The same, while the filter is being written.
    Filter,
    /// All of the one that is selected.
    Consumer,
    /// What was said last.
    Log,
    /// The keys.
    Help,
}

/// In which order consumers are shown.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Sort {
    #[default]
    Name,
    /// What is not as it should be first.
    State,
    Rate,
    Queue,
    Lag,
    Rejected,
}

impl Sort {
    /// The one after this one.
    pub(super) fn next(self) -> Self {
        match self {
            Self::Name => Self::State,
            Self::State => Self::Rate,
            Self::Rate => Self::Queue,
            Self::Queue => Self::Lag,
            Self::Lag => Self::Rejected,
            Self::Rejected => Self::Name,
        }
    }

    pub(super) fn as_str(self) -> &'static str {
        match self {
            Self::Name => "name",
            Self::State => "state",
            Self::Rate => "logs/s",
            Self::Queue => "queue",
            Self::Lag => "lag",
            Self::Rejected => "rejected",
        }
    }
}

impl Model {
    /// Shows these figures from now on.
    pub(super) fn show(&mut self, figures: Figures) {
        self.figures = figures;
        self.arrange();
    }

    /// Chooses and orders the rows, after something of that has changed.
    pub(super) fn arrange(&mut self) {
        let is_shown = |row: &&Row| {
            row.name.as_str().contains(&self.filter) || state_text(row.state).contains(&self.filter)
        };
        let mut rows: Vec<Row> = self.figures.rows.iter().filter(is_shown).cloned().collect();
        match self.sort {
            Sort::Name => {}
            Sort::State => rows.sort_by_key(|row| urgency(row.state)),
            Sort::Rate => rows.sort_by_key(|row| std::cmp::Reverse(row.rate)),
            Sort::Queue => rows.sort_by_key(|row| std::cmp::Reverse(row.queue)),
            Sort::Lag => rows.sort_by_key(|row| std::cmp::Reverse(row.lag)),
            Sort::Rejected => rows.sort_by_key(|row| std::cmp::Reverse(row.rejected)),
        }
        self.rows = rows;
    }

    /// The index of the selected one in the rows.
    pub(super) fn selected_index(&self) -> Option<usize> {
        let selected = self.selected.as_ref()?;
        self.rows.iter().position(|row| row.name == selected.name)
    }
}

/// How soon somebody should look.
fn urgency(state: State) -> u8 {
    match state {
        State::Stopped => 0,
        State::Ended => 1,
        State::Opening => 2,
        State::Paused => 3,
        State::StandingBy => 4,
        State::Consuming => 5,
    }
}
