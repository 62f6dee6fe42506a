//! Being asked to end.

use std::io;

/// Is ready at the first SIGINT or SIGTERM; a second one ends the process at once, which loses nothing,
/// because what is not acknowledged comes again.
#[cfg(unix)]
pub(crate) fn interrupted() -> io::Result<impl Future<Output = ()> + Send + 'static> {
    use tokio::signal::unix::{SignalKind, signal};
    let mut interrupt = signal(SignalKind::interrupt())?;
    let mut terminate = signal(SignalKind::terminate())?;
    let (first, interrupted) = tokio::sync::oneshot::channel();
    tokio::spawn(async move {
        let number = tokio::select! {
            _ = interrupt.recv() => 2,
            _ = terminate.recv() => 15,
        };
        let _ = first.send(());
        tokio::select! {
            _ = interrupt.recv() => {}
            _ = terminate.recv() => {}
        }
        std::process::exit(128 + number);
    });
    Ok(async move {
        // The sender is only dropped after it has been used.
        let _ = interrupted.await;
    })
}

/// Is ready at Ctrl-C.
#[cfg(not(unix))]
pub(crate) fn interrupted() -> io::Result<impl Future<Output = ()> + Send + 'static> {
    Ok(async {
        let _ = tokio::signal::ctrl_c().await;
    })
}

/// SIGHUP, each time it comes.
#[cfg(unix)]
pub(crate) struct Hangups(tokio::signal::unix::Signal);

#[cfg(unix)]
impl Hangups {
    /// From now on, it no longer ends the process.
    pub(crate) fn new() -> io::Result<Self> {
        tokio::signal::unix::signal(tokio::signal::unix::SignalKind::hangup()).map(Self)
    }

    /// Is ready when it comes.
    pub(crate) async fn next(&mut self) {
        if self.0.recv().await.is_none() {
            std::future::pending::<()>().await;
        }
    }
}

/// There is none here.
#[cfg(not(unix))]
pub(crate) struct Hangups;

#[cfg(not(unix))]
impl Hangups {
    /// None.
    #[expect(clippy::unnecessary_wraps, reason = "as where there are some")]
    pub(crate) fn new() -> io::Result<Self> {
        Ok(Self)
    }

    /// Is never ready.
    pub(crate) async fn next(&mut self) {
        std::future::pending::<()>().await;
    }
}
