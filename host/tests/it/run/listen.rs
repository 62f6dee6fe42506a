//! `run --listen`: what a run shows over HTTP, to whom, and that nobody who asks is a hindrance.

mod guarded;
mod prometheus;
mod schema;
mod shown;

use libtest_mimic::Trial;

pub(crate) fn trials() -> Vec<Trial> {
    [shown::trials(), guarded::trials(), prometheus::trials()].into_iter().flatten().collect()
}
