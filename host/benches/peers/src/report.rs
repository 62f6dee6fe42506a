//! What a peer says when it is done: a line of JSON.

use std::time::{Duration, Instant};

use rustix::time::{ClockId, clock_gettime};

/// Measures a part of a run: the time on the wall, and the processor time of all threads of the process.
#[derive(Clone, Copy, Debug)]
pub struct Stopwatch {
    wall: Instant,
    cpu: Duration,
}

impl Stopwatch {
    /// Begins now.
    pub fn start() -> Self {
        Self { wall: Instant::now(), cpu: cpu() }
    }

    /// The report of a peer that has dealt with so many logs since the start.
    pub fn report(self, peer: &str, logs: u64) -> String {
        let (wall, cpu) = (self.wall.elapsed(), cpu().saturating_sub(self.cpu));
        format!(
            r#"{{"peer": "{peer}", "logs": {logs}, "seconds": {:.6}, "cpu_seconds": {:.6}}}"#,
            wall.as_secs_f64(),
            cpu.as_secs_f64()
        )
    }
}

/// What the process has taken of the processors so far, in user and system time.
fn cpu() -> Duration {
    clock_gettime(ClockId::ProcessCPUTime).try_into().unwrap_or_default()
}
