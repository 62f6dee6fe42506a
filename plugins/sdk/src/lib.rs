//! Write a consumer for loghost: a type that says which logs it wants and how its metric is written.
//! The host routes, counts, acknowledges and recovers.
//!
//! ```
//! use loghost_plugin::{Consumer, Descriptor, Metric, Settings, Severity};
//!
//! /// What the consumer wants, and what its metric lists.
//! const WANTED: [Severity; 2] = [Severity::Error, Severity::Critical];
//!
//! struct Failures;
//!
//! impl Consumer for Failures {
//!     fn configure(_: &Settings) -> Result<(Self, Descriptor), String> {
//!         let descriptor = Descriptor::new("failures", env!("CARGO_PKG_VERSION"))
//!             .description("counts what failed")
//!             .severities(WANTED);
//!         Ok((Self, descriptor))
//!     }
//!
//!     fn format_metric(&self, metric: &Metric) -> String {
//!         metric.table(WANTED).to_string()
//!     }
//! }
//!
//! loghost_plugin::export!(Failures);
//! ```
//!
//! The crate is a `cdylib`, and `loghost plugin build` makes the component of it. [`export!`] expands to
//! nothing but a check elsewhere than on Wasm, so that `cargo test` runs the consumer's logic natively.
//!
//! With the feature `processor` a consumer is also a `Processor` and sees its logs in batches; with the
//! feature `checkpoint` it is also a `Checkpoint`, and what it keeps between logs survives restarts. With
//! the feature `measures`, beside any of these, it is a `Measures` and has figures of its own for
//! monitoring. This crate knows the contract (`wit/`) and nothing of the host that calls it.

#[doc(hidden)]
#[allow(
    missing_docs,
    unsafe_code,
    unreachable_pub,
    clippy::pedantic,
    reason = "generated: strings and lists cross the component's border as pointers"
)]
pub mod bindings;
mod consumer;
mod descriptor;
#[doc(hidden)]
pub mod export;
pub mod log;
#[cfg(feature = "measures")]
mod measurement;
mod metric;
mod processed;
mod settings;
mod severity;
mod table;
mod tally;

pub use bindings::exports::loghost::plugin::types::{
    DerivedLog, Descriptor, Fields, LogRecord, Metric, Outcome, Processed, Severities, Severity, Tally,
    Verdict,
};
#[cfg(feature = "measures")]
pub use bindings::measuring::exports::loghost::plugin::measures::Measurement;
#[cfg(feature = "checkpoint")]
pub use consumer::Checkpoint;
#[cfg(feature = "measures")]
pub use consumer::Measures;
#[cfg(feature = "processor")]
pub use consumer::Processor;
pub use consumer::{Consumer, configure};
pub use settings::Settings;
pub use severity::UnknownSeverity;
pub use table::Table;
