//! What the system knows of this process.

use std::fs;
use std::sync::OnceLock;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// What this process takes at the moment; what cannot be told is none.
#[derive(Debug)]
pub(crate) struct Process {
    pub(crate) cpu_seconds: Option<f64>,
    pub(crate) resident_bytes: Option<u64>,
    pub(crate) open_files: Option<u64>,
    /// Since the Unix epoch.
    pub(crate) start_seconds: f64,
}

/// When the process began, or this was first asked for.
static START: OnceLock<SystemTime> = OnceLock::new();

/// Remembers that the process begins.
pub fn process_begins() {
    START.get_or_init(SystemTime::now);
}

impl Process {
    pub(crate) fn now() -> Self {
        let start = START.get_or_init(SystemTime::now).duration_since(UNIX_EPOCH).unwrap_or_default();
        Self {
            cpu_seconds: cpu_time().map(|time| time.as_secs_f64()),
            resident_bytes: resident_bytes(),
            open_files: open_files(),
            start_seconds: start.as_secs_f64(),
        }
    }
}

#[cfg(unix)]
fn cpu_time() -> Option<Duration> {
    Duration::try_from(rustix::time::clock_gettime(rustix::time::ClockId::ProcessCPUTime)).ok()
}

#[cfg(not(unix))]
fn cpu_time() -> Option<Duration> {
    None
}

fn resident_bytes() -> Option<u64> {
    let status = fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
    let kibibytes: u64 = line.trim().strip_suffix("kB")?.trim_end().parse().ok()?;
    kibibytes.checked_mul(1024)
}

fn open_files() -> Option<u64> {
    Some(fs::read_dir("/proc/self/fd").ok()?.count() as u64)
}
