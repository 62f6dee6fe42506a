//! What logs look like as messages: what exchanges and queues are called, a log's properties and headers, and the values in
//! these.

pub(crate) mod bind_rule;
pub(crate) mod bind_rules;
pub(crate) mod exchange_type;
pub(crate) mod found_logs;
#[cfg(test)]
mod fuzz;
pub(crate) mod headers;
mod idle_rules;
pub(crate) mod names;
pub(crate) mod of_stream;
pub(crate) mod original;
pub(crate) mod record;
pub(crate) mod route_text;
pub(crate) mod values;
