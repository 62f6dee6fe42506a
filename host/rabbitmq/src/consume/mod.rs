//! Consuming a queue: opening it, becoming the one host that does, and taking what arrives.

pub(crate) mod activation;
pub(crate) mod consuming_connection;
pub(crate) mod depth;
pub(crate) mod source;
pub(crate) mod source_factory;
pub(crate) mod source_options;
