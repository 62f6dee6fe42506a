//! Whoever manages services and has started this process, such as systemd: what it is told, as `sd_notify(3)` says.

use std::time::Duration;

/// What it is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Notification<'a> {
    /// The service does what it is for.
    Ready,
    /// It reads its configuration again, since now.
    Reloading,
    /// It ends.
    Stopping,
    /// What it does, in a line for people.
    Status(&'a str),
    /// It goes on, for the watchdog.
    Alive,
}

/// Within which time it wants to be told that this process goes on, if it does.
pub(crate) fn watchdog() -> Option<Duration> {
    let number = |name| std::env::var(name).ok()?.parse::<u64>().ok();
    let is_ours = number("WATCHDOG_PID").is_none_or(|id| id == u64::from(std::process::id()));
    let micros = number("WATCHDOG_USEC").filter(|micros| *micros > 0 && is_ours && is_there())?;
    Some(Duration::from_micros(micros))
}

#[cfg(unix)]
pub(crate) use self::socket::{is_there, tell};

/// There is none here.
#[cfg(not(unix))]
pub(crate) fn is_there() -> bool {
    false
}

/// There is none here.
#[cfg(not(unix))]
pub(crate) fn tell(_: &[Notification<'_>]) -> std::io::Result<()> {
    Ok(())
}

#[cfg(unix)]
mod socket {
    use std::env;
    use std::ffi::OsString;
    use std::io;
    use std::os::unix::net::UnixDatagram;
    use std::time::Duration;

    use rustix::time::{ClockId, clock_gettime};
    use tokio::task::block_in_place;

    use super::Notification;

    /// How long it is waited for one that does not read what it is told.
    const TIMEOUT: Duration = Duration::from_secs(1);

    /// Whether there is one that wants to be told.
    pub(crate) fn is_there() -> bool {
        address().is_some()
    }

    /// Tells it, in one message; nothing where there is none. One that does not read holds up nobody else for longer than a
    /// second.
    pub(crate) fn tell(notifications: &[Notification<'_>]) -> io::Result<()> {
        let Some(address) = address() else { return Ok(()) };
        let message: String = notifications.iter().map(line).collect();
        let socket = UnixDatagram::unbound()?;
        socket.set_write_timeout(Some(TIMEOUT))?;
        block_in_place(|| send(&socket, &message, &address)).map(drop)
    }

    fn address() -> Option<OsString> {
        env::var_os("NOTIFY_SOCKET").filter(|address| !address.is_empty())
    }

    fn line(notification: &Notification<'_>) -> String {
        match notification {
            Notification::Ready => "READY=1\n".to_owned(),
            Notification::Reloading => {
                let now = clock_gettime(ClockId::Monotonic);
                let micros = i128::from(now.tv_sec) * 1_000_000 + i128::from(now.tv_nsec) / 1000;
                format!("RELOADING=1\nMONOTONIC_USEC={micros}\n")
            }
            Notification::Stopping => "STOPPING=1\n".to_owned(),
            Notification::Status(text) => format!("STATUS={}\n", text.replace('\n', " ")),
            Notification::Alive => "WATCHDOG=1\n".to_owned(),
        }
    }

    #[cfg(target_os = "linux")]
    fn send(socket: &UnixDatagram, message: &str, address: &OsString) -> io::Result<usize> {
        use std::os::linux::net::SocketAddrExt;
        use std::os::unix::ffi::OsStrExt;
        use std::os::unix::net::SocketAddr;
        match address.as_bytes().strip_prefix(b"@") {
            Some(name) => socket.send_to_addr(message.as_bytes(), &SocketAddr::from_abstract_name(name)?),
            None => socket.send_to(message.as_bytes(), address),
        }
    }

    #[cfg(not(target_os = "linux"))]
    fn send(socket: &UnixDatagram, message: &str, address: &OsString) -> io::Result<usize> {
        socket.send_to(message.as_bytes(), address)
    }
}
