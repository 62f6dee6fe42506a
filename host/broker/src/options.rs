//! The options of a broker.

use std::fmt;

/// The limits and the one user of a [`Broker`](crate::Broker).
#[derive(Clone, PartialEq, Eq)]
pub struct Options {
    /// Bytes of messages, queues and bindings at which publishers are held back, until a fifth of it is
    /// free again. Exchanges, queues, bindings and consumers may take half of it: what would take more is
    /// refused with code 506 (`RESOURCE_ERROR`).
    pub memory_high_watermark: usize,
    /// The largest message that is accepted, in bytes.
    pub max_message_size: u64,
    /// The largest frame that is accepted or sent, in bytes with its envelope; at least 4096.
    pub frame_max: u32,
    /// The highest channel number.
    pub channel_max: u16,
    /// The interval between heartbeats that clients are offered, in seconds; zero: none.
    pub heartbeat: u16,
    /// The user that clients log in as.
    pub user: String,
    /// That user's password.
    pub password: String,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            memory_high_watermark: 256 * 1024 * 1024,
            max_message_size: 128 * 1024 * 1024,
            frame_max: 131_072,
            channel_max: 2047,
            heartbeat: 60,
            user: "guest".into(),
            password: "guest".into(),
        }
    }
}

impl fmt::Debug for Options {
    /// Without the password.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Options")
            .field("memory_high_watermark", &self.memory_high_watermark)
            .field("max_message_size", &self.max_message_size)
            .field("frame_max", &self.frame_max)
            .field("channel_max", &self.channel_max)
            .field("heartbeat", &self.heartbeat)
            .field("user", &self.user)
            .finish_non_exhaustive()
    }
}
