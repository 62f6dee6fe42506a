//! A connection that speaks RabbitMQ's stream protocol: the login, requests and answers, and chunks of streams as bytes.
//!
//! Knows the commands of `PROTOCOL.adoc` of `rabbitmq-server`; knows nothing of what is in a chunk. In reading order:
//! `endpoint` says where a node listens and who logs in, `transport` connects; `wire` has the types of values, `frame` finds
//! frames in what arrives, `command` encodes what is sent, `incoming` decodes what the broker sends and `code` its response
//! codes; `login` opens the connection, `driver` is the task that then reads and writes, with `heartbeat`, `stall` and `session` as its
//! state, and `requests` and `subscriptions` in that; `connection` and `subscription` are the handles; `offset`, `metadata` and `statistics` are
//! what is asked and answered; `error` and `connect_error` are what can go wrong.
//!
//! The crate `rabbitmq-stream-client` 0.11 speaks it as well, and is not used: its client decodes every message of a chunk before
//! anybody sees it, does not compare checksums, and panics at batches of other producers (sub-entry batches). The commands
//! beside that are a small part, and need the connection that the chunks come on.

pub(crate) mod code;
pub(crate) mod command;
pub(crate) mod connect_error;
pub(crate) mod connection;
mod driver;
pub(crate) mod endpoint;
pub(crate) mod error;
pub(crate) mod frame;
#[cfg(test)]
mod fuzz;
mod heartbeat;
pub(crate) mod incoming;
mod login;
pub(crate) mod metadata;
pub(crate) mod offset;
mod requests;
mod session;
mod stall;
pub(crate) mod statistics;
pub(crate) mod subscription;
mod subscriptions;
mod transport;
pub(crate) mod wire;
