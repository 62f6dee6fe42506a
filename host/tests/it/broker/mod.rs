//! What commands do with a broker: connecting, permissions, refusals, queues and topology, and brokers that fail.

pub(crate) mod alarm;
pub(crate) mod best_of;
pub(crate) mod cluster;
pub(crate) mod connect;
pub(crate) mod lost_permissions;
pub(crate) mod permissions;
pub(crate) mod queues;
pub(crate) mod refusals;
pub(crate) mod severed;
pub(crate) mod stream_tls;
pub(crate) mod streams;
pub(crate) mod tls;
pub(crate) mod topology;
