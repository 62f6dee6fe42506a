//! Consuming: opening a consumer's queue and streams, becoming the one host that does, and taking what arrives; or finding
//! what the broker cannot deliver.

pub(crate) mod activation;
pub(crate) mod consumer_source;
pub(crate) mod consuming_connection;
pub(crate) mod depth;
pub(crate) mod found;
pub(crate) mod opened_source;
pub(crate) mod read;
pub(crate) mod samples;
pub(crate) mod source;
pub(crate) mod source_factory;
pub(crate) mod source_options;
pub(crate) mod stream_setup;
pub(crate) mod undeliverable;
