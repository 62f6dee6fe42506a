//! What the operating system has refused, found in the error that resulted from it, and what to do about it.

pub mod private;

use std::error::Error;
use std::fs::File;
use std::iter::successors;
use std::sync::mpsc;
use std::thread::{self, JoinHandle};
use std::{fmt, io};

/// What the system refuses.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// Another thread or process.
    Threads,
    /// Another open file or socket.
    Files,
    /// More memory, or more address space.
    Memory,
    /// To execute what was compiled.
    Execution,
    /// Space on a disk.
    Room,
    /// To write to a read-only file system.
    ReadOnly,
    /// A file of that size.
    FileSize,
    /// Reading from or writing to a disk that has a fault.
    Disk,
}

/// A thread could not be started.
#[derive(Debug, thiserror::Error)]
#[error("the system gives no thread")]
pub struct NoThread(#[source] io::Error);

impl Refusal {
    /// What the system has refused, if that is the cause of an error.
    pub fn behind(error: &(dyn Error + 'static)) -> Option<Self> {
        let mut is_of_code = false;
        successors(Some(error), |error| (*error).source()).find_map(|error| {
            // wasmtime has no type for this.
            is_of_code |= error.to_string().contains("make memory executable");
            if error.is::<NoThread>() {
                return Some(Self::Threads);
            }
            let error = system_error(error)?;
            if is_of_code && error.kind() == io::ErrorKind::PermissionDenied {
                return Some(Self::Execution);
            }
            Self::of(&error)
        })
    }

    /// What the system has refused with this error, if that is known.
    pub fn of(error: &io::Error) -> Option<Self> {
        match error.kind() {
            io::ErrorKind::OutOfMemory => Some(Self::Memory),
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => Some(Self::Room),
            io::ErrorKind::ReadOnlyFilesystem => Some(Self::ReadOnly),
            io::ErrorKind::FileTooLarge => Some(Self::FileSize),
            _ => Self::of_code(error.raw_os_error()?),
        }
    }

    #[cfg(unix)]
    fn of_code(code: i32) -> Option<Self> {
        use rustix::io::Errno;
        match Errno::from_raw_os_error(code) {
            Errno::MFILE | Errno::NFILE => Some(Self::Files),
            Errno::IO => Some(Self::Disk),
            _ => None,
        }
    }

    #[cfg(not(unix))]
    fn of_code(_: i32) -> Option<Self> {
        None
    }
}

/// This error as one of the system, if it is one.
fn system_error(error: &(dyn Error + 'static)) -> Option<io::Error> {
    if let Some(error) = error.downcast_ref::<io::Error>() {
        return match error.raw_os_error() {
            Some(code) => Some(io::Error::from_raw_os_error(code)),
            None => Some(error.kind().into()),
        };
    }
    #[cfg(unix)]
    if let Some(error) = error.downcast_ref::<rustix::io::Errno>() {
        return Some((*error).into());
    }
    None
}

/// What to do about it.
impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Threads => {
                "raise the limit of processes and threads (`ulimit -u`; TasksMax= of a systemd unit; pids of a \
                 container), or that of memory (`ulimit -v`), which their stacks take"
            }
            Self::Files => "raise the limit of open files (`ulimit -n`; LimitNOFILE= of a systemd unit)",
            Self::Memory => {
                "each instance of a plugin reserves 4 GiB of addresses for its memory, whatever it uses: lift the limit \
                 of addresses (`ulimit -v`; LimitAS= of a systemd unit), or give the machine more memory"
            }
            Self::Execution => {
                "plugins are compiled, and what was written cannot be executed here: take \
                 MemoryDenyWriteExecute=yes out of the systemd unit, or allow it in the policy (execmem of SELinux)"
            }
            Self::Room => "make room on that disk, or in the user's quota",
            Self::ReadOnly => "that file system is mounted to be read only: name a place that can be written to",
            Self::FileSize => "raise the limit of a file's size (`ulimit -f`; LimitFSIZE= of a systemd unit)",
            Self::Disk => "the disk does not work as it should: look into the system's log",
        })
    }
}

/// The stack of the host's threads, in bytes: twice that of a plugin.
pub const STACK: usize = 4 * 1024 * 1024;

/// Starts a thread.
pub fn spawn<T: Send + 'static>(
    name: &str,
    run: impl FnOnce() -> T + Send + 'static,
) -> Result<JoinHandle<T>, NoThread> {
    thread::Builder::new().name(name.to_owned()).stack_size(STACK).spawn(run).map_err(NoThread)
}

/// The addresses that a process takes beside the stacks of its threads, in bytes, and a little more. With less, a thread
/// may find nothing to allocate, and the standard library then aborts the process.
#[cfg(unix)]
const MIN_ADDRESSES: u64 = 256 * 1024 * 1024;

/// Checks that the process may have the addresses that so many threads need.
///
/// # Errors
///
/// If its limit (`RLIMIT_AS`, see getrlimit(2)) is lower.
pub fn check_addresses(threads: usize) -> io::Result<()> {
    #[cfg(unix)]
    if let Some(limit) = rustix::process::getrlimit(rustix::process::Resource::As).current {
        let needed = MIN_ADDRESSES + (threads * STACK) as u64;
        if limit < needed {
            let [limit, needed] = [limit, needed].map(|bytes| bytes / (1024 * 1024));
            let text = format!("a process may have {limit} MiB of addresses here, and needs {needed}");
            return Err(io::Error::new(io::ErrorKind::OutOfMemory, text));
        }
    }
    #[cfg(not(unix))]
    let _ = threads;
    Ok(())
}

/// Checks that so many threads can run at a time: without them, the runtime panics, or waits without end.
pub fn check_threads(threads: usize) -> Result<(), NoThread> {
    let start = |_| {
        let (end, ended) = mpsc::channel::<()>();
        // It ends when the sender is dropped.
        spawn("check", move || ended.recv().is_err()).map(|thread| (end, thread))
    };
    let started: Vec<_> = (0..threads).map(start).collect::<Result<_, _>>()?;
    for (end, thread) in started {
        drop(end);
        // Nothing in it panics.
        let _ = thread.join();
    }
    Ok(())
}

/// Checks that so many files can be opened: without them, waiting for signals panics.
pub fn check_files(files: usize) -> io::Result<()> {
    let open = |_| File::open("/");
    if cfg!(unix) { (0..files).map(open).collect::<io::Result<Vec<_>>>().map(drop) } else { Ok(()) }
}

/// Whether a stream is a terminal that was closed.
#[cfg(unix)]
pub fn is_hung_up(stream: &impl std::os::fd::AsFd) -> bool {
    use rustix::event::{PollFd, PollFlags, Timespec, poll};
    let mut fds = [PollFd::new(stream, PollFlags::empty())];
    let polled = poll(&mut fds, Some(&Timespec { tv_sec: 0, tv_nsec: 0 }));
    polled.is_ok() && fds[0].revents().contains(PollFlags::HUP)
}

#[cfg(not(unix))]
pub fn is_hung_up<S>(_: &S) -> bool {
    false
}

/// Waits until a non-blocking stream can be written to again.
#[cfg(unix)]
pub fn until_writable(stream: &impl std::os::fd::AsFd) -> io::Result<()> {
    use rustix::event::{PollFd, PollFlags, poll};
    match poll(&mut [PollFd::new(stream, PollFlags::OUT)], None) {
        Ok(_) | Err(rustix::io::Errno::INTR) => Ok(()),
        Err(error) => Err(error.into()),
    }
}

#[cfg(not(unix))]
pub fn until_writable<S>(_: &S) -> io::Result<()> {
    Err(io::ErrorKind::WouldBlock.into())
}
