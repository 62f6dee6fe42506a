//! A layer for [`tracing`](https://docs.rs/tracing) that publishes what a program logs to `RabbitMQ`, as loghost reads it.
//!
//! Publishing never blocks the program: what is logged waits in a bounded queue for a thread of its own, which publishes it
//! persistent and confirmed, connects again when the connection is lost, and sends again what was not confirmed. What finds
//! the queue full is dropped, counted, and said in a log of its own.
//!
//! ```no_run
//! use std::time::Duration;
//! use tracing_subscriber::prelude::*;
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let publisher = loghost_tracing::Options::new("amqp://guest:guest@127.0.0.1:5672/%2f", "shop")?.start()?;
//! tracing_subscriber::registry().with(publisher.layer()).init();
//!
//! tracing::info!(order = 17, "order taken");
//! tracing::error!(severity = "critical", "the disk is full");
//!
//! let counts = publisher.close(Duration::from_secs(5));
//! assert_eq!(counts.dropped + counts.unconfirmed, 0);
//! # Ok(())
//! # }
//! ```
//!
//! # What an event becomes
//!
//! | `tracing` | the log |
//! |---|---|
//! | level `TRACE` and `DEBUG`, `INFO` and `WARN`, `ERROR` | severity debug, info, error; the attribute `level` is `trace` or `warn` for these |
//! | the field `severity` with the name of one | that severity, such as critical, which `tracing` has no level for |
//! | the field `message` | the text |
//! | other fields | attributes |
//! | spans | the attribute `span`, names from the outermost inwards with `:` between; their fields are attributes, unless one further inwards has the same name |
//! | target | the attribute `target` |
//!
//! A name that RabbitMQ or loghost would act on (`CC`, `x-death`, ...) has `field.` in front. Attributes beyond 64 KiB of a log
//! are left out. What this crate and the libraries that it publishes with log themselves is not published: it would never end.
//!
//! In reading order: [`Options`] and [`Publisher`] are the surface; `layer` is called for each event, `fields` makes the log,
//! `queue` is where it waits, and `worker` publishes it.

mod fields;
mod layer;
mod options;
mod publisher;
mod queue;
mod worker;

pub use layer::LogLayer;
pub use options::{Options, OptionsError};
pub use publisher::{Counts, Publisher};
