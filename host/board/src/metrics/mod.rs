//! The figures as metrics, in the names and base units of the ecosystem: once, for all formats that they are sent in.
//!
//! Knows no format. In reading order: [`Figures`] is all that is shown, [`Family`] a metric of it, with a [`Point`] for each
//! combination of labels; `consumers`, `measures` and `rest` say which there are.

mod consumers;
mod measures;
mod rest;

use std::borrow::Cow;

use futures_util::future::join;
use loghost_core::domain::ConsumerName;

use crate::connection::Connection;
use crate::consumer::Consumer;
use crate::depths::Depths;
use crate::histogram::Histogram;
use crate::process::Process;
use crate::{Board, Measuring, exports};

/// All figures, as they are at one moment.
#[derive(Debug)]
pub struct Figures {
    version: &'static str,
    consumers: Vec<(ConsumerName, Consumer)>,
    connections: Vec<(String, Connection)>,
    depths: Depths,
    exports: Option<exports::ExportFigures>,
    process: Process,
}

/// A metric.
#[derive(Debug)]
pub struct Family<'a> {
    /// Its name, without the suffix that some formats give to its type or unit.
    pub name: Cow<'a, str>,
    /// What it says.
    pub help: &'static str,
    /// What its values are measured in, if not in numbers of something.
    pub unit: Option<Unit>,
    /// What its values are.
    pub kind: Kind,
    /// Its values.
    pub points: Vec<Point<'a>>,
}

/// What a metric is measured in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unit {
    /// Seconds.
    Seconds,
    /// Bytes.
    Bytes,
}

/// What the values of a metric are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Numbers that only grow.
    Counter,
    /// Numbers that grow and shrink.
    Gauge,
    /// How often something was in which range.
    Histogram,
    /// Nothing but labels.
    Info,
}

/// A value of a metric, of one combination of labels.
#[derive(Debug)]
pub struct Point<'a> {
    /// Its labels: names and values.
    pub labels: Vec<(&'a str, &'a str)>,
    /// The value.
    pub value: Value<'a>,
    /// Since when it is counted, if it is.
    pub since: Since,
}

/// Since when a value is counted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Since {
    /// Since this process began.
    #[default]
    Run,
    /// Since it was counted first, by this process or by others before: nobody knows when that was.
    Before,
}

/// A value of a metric.
#[derive(Clone, Copy, Debug)]
pub enum Value<'a> {
    /// A number of something.
    Whole(u64),
    /// What was measured.
    Real(f64),
    /// How often something was in which range.
    Histogram(&'a Histogram),
    /// There is none.
    Info,
}

impl Figures {
    /// Those of the board and of this process, which is of this `version`, after the broker and the plugins were asked for what
    /// only they know: each at most once a second, and waited for no longer than that.
    pub async fn asked(board: &Board, measuring: &dyn Measuring, version: &'static str) -> Self {
        let (depths, ()) = join(board.depths(), board.measure(measuring)).await;
        Self::of(board, depths, version)
    }

    /// Those of the board and of this process, which is of this `version`, and these `depths`.
    pub fn of(board: &Board, depths: Depths, version: &'static str) -> Self {
        Self {
            version,
            consumers: board.consumers(),
            connections: board.connections(),
            depths,
            exports: board.exports().figures(),
            process: Process::now(),
        }
    }

    /// All metrics, each once.
    pub fn families(&self) -> Vec<Family<'_>> {
        let mut families = consumers::families(&self.consumers, &self.depths);
        families.extend(measures::families(&self.consumers));
        families.extend(rest::of_connections(&self.connections));
        families.extend(self.exports.iter().flat_map(rest::of_exports));
        families.extend(rest::of_process(self.version, &self.process));
        families
    }
}

impl<'a> Family<'a> {
    fn new(
        kind: Kind,
        (name, help): (&'static str, &'static str),
        points: impl IntoIterator<Item = Point<'a>>,
    ) -> Self {
        Self { name: name.into(), help, unit: None, kind, points: points.into_iter().collect() }
    }

    fn unit(self, unit: Unit) -> Self {
        Self { unit: Some(unit), ..self }
    }
}

impl<'a> Point<'a> {
    fn whole<const N: usize>(labels: [(&'static str, &'a str); N], value: u64) -> Self {
        Self::new(labels, Value::Whole(value))
    }

    fn new<const N: usize>(labels: [(&'static str, &'a str); N], value: Value<'a>) -> Self {
        Self { labels: labels.into(), value, since: Since::Run }
    }

    fn since(self, since: Since) -> Self {
        Self { since, ..self }
    }
}
