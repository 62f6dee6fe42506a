//! Showing what was measured: a table for people, one JSON object a line for machines.

use anstyle::Style;
use serde_json::{Map, Value};

use super::baseline::Baseline;
use super::figure::{Better, Figure};
use super::machine::{About, Calibration, calibration_fields};
use super::table::{Cell, align};
use super::{Bench, Measured};
use crate::ui::terminal::{self, BAD, DIM, Format, GOOD, TITLE, Unwritable};

/// More than this is noise: runs that differ by it from the median, or a computation that takes so much longer.
const NOISE: f64 = 0.15;

/// Shows one bench after the other.
pub(super) struct Reports<'a> {
    format: Format,
    baseline: Option<&'a Baseline>,
    benches: Vec<Bench>,
    /// The names of the cases that were measured.
    cases: Vec<String>,
    calibration: Calibration,
    /// How many figures there are, and how many of them differ widely from run to run.
    figures: usize,
    wide: usize,
}

impl<'a> Reports<'a> {
    pub(super) fn begin(
        format: Format,
        about: &About,
        baseline: Option<&'a Baseline>,
    ) -> Result<Self, Unwritable> {
        match format {
            Format::Text => terminal::print(&format!("{DIM}{}{DIM:#}", about.line()))?,
            Format::Json => terminal::print_json(about.fields())?,
        }
        if let Some(differences) = baseline.and_then(|baseline| baseline.differences(about.fields())) {
            terminal::warning(&format!("the baseline run was another one: {differences}"));
        }
        Ok(Self {
            format,
            baseline,
            benches: Vec::new(),
            cases: Vec::new(),
            calibration: Calibration::default(),
            figures: 0,
            wide: 0,
        })
    }

    /// Shows the cases of a bench.
    pub(super) fn add(&mut self, bench: Bench, measured: &[Measured]) -> Result<(), Unwritable> {
        self.benches.push(bench);
        for Measured { case, figures, calibration, .. } in measured {
            self.cases.push(case.name());
            self.calibration.add(calibration);
            self.figures += figures.len();
            self.wide += figures.iter().filter(|figure| figure.spread() > Some(NOISE)).count();
        }
        match self.format {
            Format::Text => terminal::print(&format!("\n{}", self.table(measured))),
            Format::Json => measured.iter().try_for_each(|case| terminal::print_json(&self.object(case))),
        }
    }

    /// Says what to think of it all.
    pub(super) fn end(&self) {
        let percent = |part: f64| part * 100.0;
        let noise = self.calibration.noise();
        if noise > NOISE {
            terminal::warning(&format!(
                "the machine was noisy: a computation that is always the same took {:.0} % longer than at its best, \
                 or more, in one of ten tries",
                percent(noise)
            ));
        }
        if self.wide * 4 > self.figures {
            terminal::warning(&format!(
                "the runs differ: {} of {} figures spread by more than {:.0} %; compare runs on a machine that does \
                 nothing else, or give it more --runs",
                self.wide,
                self.figures,
                percent(NOISE)
            ));
        }
        let Some(baseline) = self.baseline else { return };
        let benches: Vec<String> = self.benches.iter().map(ToString::to_string).collect();
        let (new, gone) = baseline.missing(&benches, &self.cases);
        for (what, cases) in [("the baseline run lacks", new), ("only the baseline run has", gone)] {
            if !cases.is_empty() {
                terminal::warning(&format!("{what}: {}", cases.join("; ")));
            }
        }
    }

    fn table(&self, measured: &[Measured]) -> String {
        align(&measured.iter().map(|case| self.row(case)).collect::<Vec<_>>())
    }

    fn row(&self, Measured { case, figures, .. }: &Measured) -> Vec<Cell> {
        let words = case.words().into_iter().enumerate();
        let words = words.map(|(n, word)| Cell::word(word, if n == 0 { TITLE } else { Style::new() }));
        let figures = figures.iter().flat_map(|figure| {
            let (before, number, unit) = figure.quantity.show(figure.median());
            let spread = figure.spread().map(|spread| format!("±{:.0} %", spread * 100.0));
            let mut cells =
                vec![Cell::number(format!("{before} {number}").trim_start().to_owned()), Cell::unit(unit)];
            cells.push(Cell::remark(spread.unwrap_or_default(), DIM));
            if let Some(baseline) = self.baseline {
                cells.push(ratio_cell(figure, baseline.figure(&case.name(), figure.quantity.key())));
            }
            cells
        });
        words.chain(figures).collect()
    }

    fn object(&self, Measured { case, logs, figures, calibration }: &Measured) -> Map<String, Value> {
        let mut object = case.fields();
        object.insert("logs_per_run".to_owned(), (*logs).into());
        for figure in figures {
            let key = figure.quantity.key();
            let mut say = |suffix: &str, value: Value| object.insert(format!("{key}{suffix}"), value);
            say("", figure.median().into());
            say("_spread", figure.spread().into());
            say("_runs", figure.runs.clone().into());
            if let Some(baseline) = self.baseline {
                say("_ratio", ratio(figure, baseline.figure(&case.name(), key)).into());
            }
        }
        if let Value::Object(fields) = calibration_fields(calibration) {
            object.extend(fields);
        }
        object
    }
}

/// How much it is of what it was.
fn ratio(figure: &Figure, baseline: Option<f64>) -> Option<f64> {
    baseline.filter(|baseline| *baseline > 0.0).map(|baseline| figure.median() / baseline)
}

/// The same for people; with a colour if it differs by more than the runs do.
fn ratio_cell(figure: &Figure, baseline: Option<f64>) -> Cell {
    let Some(ratio) = ratio(figure, baseline) else { return Cell::remark("new".to_owned(), DIM) };
    let style = if (ratio - 1.0).abs() <= figure.spread().unwrap_or(NOISE) {
        DIM
    } else if (ratio > 1.0) == (figure.quantity.better() == Better::More) {
        GOOD
    } else {
        BAD
    };
    Cell::remark(format!("×{ratio:.2}"), style)
}
