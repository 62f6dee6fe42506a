//! The broker from the host's side: connecting, permissions, queues, topology, and nodes that go away.

pub(crate) mod alarm;
pub(crate) mod best_of;
pub(crate) mod cluster;
pub(crate) mod connect;
pub(crate) mod permissions;
pub(crate) mod queues;
pub(crate) mod refusals;
pub(crate) mod severed;
pub(crate) mod tls;
pub(crate) mod topology;
