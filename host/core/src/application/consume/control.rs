//! What a running consumer is told from outside.

use tokio::sync::oneshot;

/// What a running consumer is told. It does so as soon as it is back from the plugin, and tells of it by an event.
#[derive(Debug)]
pub enum Control<C> {
    /// Let this new version of it take over, with what it keeps; whoever asked is told when it has, and by nothing when it cannot.
    Replace(C, oneshot::Sender<()>),
    /// Finish what is in hand, and take no logs until it is resumed.
    Pause,
    /// Go on.
    Resume,
    /// Measurement, unless that was a moment ago; whoever asked is told when it has.
    Measure(oneshot::Sender<()>),
}
