//! How far something is: a line at the end of a terminal that is written anew, with its rate and the time that is left. Where
//! nobody sees it, there is none.

use std::fmt::{self, Display};
use std::io::{self, IsTerminal};
use std::sync::LazyLock;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use indicatif::{HumanCount, MultiProgress, ProgressBar, ProgressDrawTarget, ProgressState, ProgressStyle};

use super::is_able;

/// All lines that are written anew, on standard error.
static BARS: LazyLock<MultiProgress> =
    LazyLock::new(|| MultiProgress::with_draw_target(ProgressDrawTarget::stderr_with_hz(10)));

/// How many there are.
static SHOWN: AtomicUsize = AtomicUsize::new(0);

/// How far something is. Nothing is left of it when this is dropped.
#[derive(Debug)]
pub(crate) struct Progress(Option<ProgressBar>);

impl Progress {
    /// Begins to show how far something is that comes to `total` of what is called `things`.
    pub(crate) fn begin(doing: &'static str, total: u64, things: &'static str) -> Self {
        if !is_able() || !io::stderr().is_terminal() {
            return Self::none();
        }
        let template = "{msg} [{bar:20}] {human_pos} of {human_len} {things}{rate}{left}";
        let Ok(style) = ProgressStyle::with_template(template) else { return Self::none() };
        let style = style
            .with_key("things", move |_: &ProgressState, to: &mut dyn fmt::Write| say(to, things))
            .with_key("rate", |state: &ProgressState, to: &mut dyn fmt::Write| say(to, rate(state.per_sec())))
            .with_key("left", |state: &ProgressState, to: &mut dyn fmt::Write| say(to, left(state)))
            .progress_chars("=> ");
        SHOWN.fetch_add(1, Ordering::Relaxed);
        let bar = BARS.add(ProgressBar::new(total).with_style(style).with_message(doing));
        // Otherwise it is seen when the first is done.
        bar.tick();
        Self(Some(bar))
    }

    /// Shows nothing.
    pub(crate) fn none() -> Self {
        Self(None)
    }

    /// Whether somebody may see it.
    pub(crate) fn is_shown(&self) -> bool {
        self.0.is_some()
    }

    /// Shows that so much is done.
    pub(crate) fn at(&self, done: u64) {
        if let Some(bar) = &self.0 {
            bar.set_position(done);
        }
    }

    /// Shows that one more is done.
    pub(crate) fn one(&self) {
        if let Some(bar) = &self.0 {
            bar.inc(1);
        }
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        if let Some(bar) = &self.0 {
            bar.finish_and_clear();
            BARS.remove(bar);
            SHOWN.fetch_sub(1, Ordering::Relaxed);
        }
    }
}

/// Writes something else, beside which nothing of this is seen.
pub(super) fn beside<T>(write: impl FnOnce() -> T) -> T {
    if SHOWN.load(Ordering::Relaxed) == 0 { write() } else { BARS.suspend(write) }
}

fn say(to: &mut dyn fmt::Write, what: impl Display) {
    // There is nobody to tell.
    let _ = write!(to, "{what}");
}

fn rate(per_second: f64) -> String {
    // Less than one in two minutes is no rate.
    if per_second < 0.01 {
        return String::new();
    }
    if per_second < 10.0 {
        return format!(", {per_second:.1}/s");
    }
    let whole = Duration::try_from_secs_f64(per_second).unwrap_or_default().as_secs();
    format!(", {}/s", HumanCount(whole))
}

fn left(state: &ProgressState) -> String {
    let left = state.eta().as_secs();
    if state.pos() == 0 {
        return String::new();
    }
    format!(", {} left", humantime::format_duration(Duration::from_secs(left)))
}
