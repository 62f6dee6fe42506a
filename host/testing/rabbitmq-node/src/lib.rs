//! Private `RabbitMQ` nodes, of two versions, to configure, to kill and to start again.
//!
//! Version 3 is Debian's package. Version 4 lives in a root of its own (see `.ci/run`), which each command enters in a
//! mount namespace of its own: nothing stays mounted. It has the stream plugin.
//!
//! A shell watches over each node: it ends node and port mapper when its standard input does, and deletes the node's
//! folder, so that nothing is left even if the process that started the node is killed.

mod cluster;
mod config;
mod control;
mod error;
mod evidence;
mod node;
mod port;
mod readiness;
mod setup;
mod version;
mod watch;

pub use cluster::cluster;
pub use error::Error;
pub use node::Node;
pub use port::{free_address, free_port};
pub use setup::{ServerTls, Setup, management};
pub use version::Version;
