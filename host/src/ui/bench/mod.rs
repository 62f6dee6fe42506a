//! How it is shown what was measured: a table for people, one JSON object a line for machines; and how far it is.

mod about;
mod case;
mod figure;

use anstyle::Style;
use serde_json::{Map, Value};

pub(crate) use self::about::About;
pub(crate) use self::case::{Bench, Case, Pace, size_text};
use self::figure::Better;
pub(crate) use self::figure::{Figure, Quantity};
use crate::ui::events::command::BenchEvent;
use crate::ui::table::{Cell, align};
use crate::ui::terminal::{self, BAD, DIM, GOOD, OutputError, OutputFormat, TITLE};

/// What was measured of a case.
pub(crate) struct Measured {
    pub(crate) case: Case,
    /// How many logs a run had.
    pub(crate) logs: u64,
    pub(crate) figures: Vec<Figure>,
    /// How long a computation took that is always the same, in milliseconds; none if it was not done.
    pub(crate) calibration: Option<f64>,
    pub(crate) noise: f64,
}

/// Whether a run is shown beside a baseline.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ComparedWith {
    Baseline,
    Nothing,
}

/// What is to be thought of all that was measured.
pub(crate) struct Remarks {
    /// How much longer the same computation took at 1 of 10 times than at the best, as a part of that.
    pub(crate) noise: f64,
    /// The cases that the baseline lacks.
    pub(crate) new: Vec<String>,
    /// The cases that only the baseline has.
    pub(crate) gone: Vec<String>,
}

/// What is being done.
#[derive(Clone, Copy, Debug)]
pub(crate) enum BenchPhase {
    WarmingUp,
    Once,
    Run(u32, u32),
}

/// More than this is noise: runs that differ by it from the median, or a computation that takes so much longer.
const NOISE: f64 = 0.15;

/// Shows one bench after the other.
pub(crate) struct Reports {
    format: OutputFormat,
    beside: ComparedWith,
    /// How many figures there are, and how many of them differ widely from run to run.
    figures: usize,
    wide: usize,
}

impl Reports {
    /// Shows what is measured.
    pub(crate) fn begin(
        format: OutputFormat,
        about: &About,
        beside: ComparedWith,
    ) -> Result<Self, OutputError> {
        match format {
            OutputFormat::Text => terminal::print(&format!("{DIM}{}{DIM:#}", about.line()))?,
            OutputFormat::Json => terminal::print_json(&about.fields())?,
        }
        Ok(Self { format, beside, figures: 0, wide: 0 })
    }

    /// Shows the cases of a bench.
    pub(crate) fn add(&mut self, measured: &[Measured]) -> Result<(), OutputError> {
        for Measured { figures, .. } in measured {
            self.figures += figures.len();
            self.wide += figures.iter().filter(|figure| figure.spread > Some(NOISE)).count();
        }
        match self.format {
            OutputFormat::Text => {
                let remark = measured.first().and_then(|measured| measured.case.remark());
                let remark = remark.map(|remark| format!("{DIM}{remark}{DIM:#}\n")).unwrap_or_default();
                terminal::print(&format!("\n{remark}{}", self.table(measured)))
            }
            OutputFormat::Json => {
                measured.iter().try_for_each(|case| terminal::print_json(&self.object(case)))
            }
        }
    }

    /// Says what to think of it all.
    pub(crate) fn end(&self, remarks: Remarks) {
        let Remarks { noise, new, gone } = remarks;
        if noise > NOISE {
            terminal::tell(BenchEvent::Noisy(noise));
        }
        let Self { wide, figures, .. } = *self;
        if wide * 4 > figures {
            terminal::tell(BenchEvent::RunsDiffer { wide, figures, noise: NOISE });
        }
        if !new.is_empty() {
            terminal::tell(BenchEvent::BaselineLacks(new));
        }
        if !gone.is_empty() {
            terminal::tell(BenchEvent::OnlyBaseline(gone));
        }
    }

    fn table(&self, measured: &[Measured]) -> String {
        align(&measured.iter().map(|case| self.row(case)).collect::<Vec<_>>())
    }

    fn row(&self, Measured { case, figures, .. }: &Measured) -> Vec<Cell> {
        let words = case.words().into_iter().enumerate();
        let words = words.map(|(n, word)| Cell::word(word, if n == 0 { TITLE } else { Style::new() }));
        let figures = figures.iter().flat_map(|figure| {
            let (before, number, unit) = figure.quantity.show(figure.median);
            let spread = figure.spread.map(|spread| format!("±{:.0} %", spread * 100.0));
            let mut cells =
                vec![Cell::number(format!("{before} {number}").trim_start().to_owned()), Cell::unit(unit)];
            cells.push(Cell::remark(spread.unwrap_or_default(), DIM));
            cells.extend(bound_cell(figure));
            if self.beside == ComparedWith::Baseline {
                cells.push(ratio_cell(figure));
            }
            cells
        });
        words.chain(figures).collect()
    }

    fn object(&self, Measured { case, logs, figures, calibration, noise }: &Measured) -> Map<String, Value> {
        let mut object = case.fields();
        object.insert("logs_per_run".to_owned(), (*logs).into());
        for figure in figures {
            let key = figure.quantity.key();
            let mut say = |suffix: &str, value: Value| object.insert(format!("{key}{suffix}"), value);
            say("", figure.median.into());
            say("_spread", figure.spread.into());
            say("_runs", figure.runs.clone().into());
            if let Some(is_within) = figure.is_within() {
                say("_bound", figure.bound.into());
                say("_is_within", is_within.into());
            }
            if self.beside == ComparedWith::Baseline {
                say("_ratio", figure.ratio().into());
            }
        }
        object.insert("calibration_ms".to_owned(), (*calibration).into());
        object.insert("calibration_noise".to_owned(), (*noise).into());
        object
    }
}

/// Whether it is within what is promised, for people; nothing where nothing is.
fn bound_cell(figure: &Figure) -> Option<Cell> {
    let is_within = figure.is_within()?;
    let (_, bound, unit) = figure.quantity.show(figure.bound?);
    let unit = unit.split(' ').next().unwrap_or_default();
    let (verdict, style) = if is_within { ("met", GOOD) } else { ("missed", BAD) };
    Some(Cell::remark(format!("bound {bound} {unit}: {verdict}"), style))
}

/// How much it is of what it was, for people; with a colour if it differs by more than the runs do.
fn ratio_cell(figure: &Figure) -> Cell {
    let Some(ratio) = figure.ratio() else { return Cell::remark("new".to_owned(), DIM) };
    let style = if (ratio - 1.0).abs() <= figure.spread.unwrap_or(NOISE) {
        DIM
    } else if (ratio > 1.0) == (figure.quantity.better() == Better::More) {
        GOOD
    } else {
        BAD
    };
    Cell::remark(format!("×{ratio:.2}"), style)
}
