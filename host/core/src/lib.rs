//! What loghost does, without how.
//!
//! [`domain`] holds the words and rules: severities, filters, identities, counts, scenarios. It does no
//! input or output. [`application`] holds the use cases, `publish` and `consume`, over the ports that
//! the adapters of the host implement. Neither knows an AMQP client, a Wasm runtime or a command line.

pub mod application;
pub mod domain;
#[doc(hidden)]
pub mod testing;
