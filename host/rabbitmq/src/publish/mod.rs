//! Publishing logs, each confirmed by the broker, or held back until it takes them.

pub(crate) mod deferred;
pub(crate) mod destination;
pub(crate) mod key_template;
pub(crate) mod refusal;
pub(crate) mod sink;
pub(crate) mod unconfirmed;
