//! What a host shows over HTTP: metrics for Prometheus, whether it is alive and ready, its consumers as JSON, and what
//! happens as it happens. Consumers can be
//! paused, resumed and reloaded through it where that is allowed; all else is for reading.
//!
//! Knows the events of the core and HTTP; knows no broker, no plugin and no terminal. In reading order: [`metrics`],
//! [`api`], [`history`] and [`ready`] show what the board has counted, [`page`] shows it to people, [`feed`] passes on what
//! happens, and [`server`] answers requests, of those that [`guard`] lets through.

mod api;
mod feed;
mod guard;
mod history;
mod metrics;
mod page;
mod ready;
mod server;
mod token;

pub use feed::Feed;
pub use metrics::open_metrics;
pub use server::{BindError, Server, Shown};
pub use token::{Token, TokenError};
