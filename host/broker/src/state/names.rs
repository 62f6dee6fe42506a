//! Reserved names, and generated ones.

use std::{
    borrow::Cow,
    hash::{BuildHasher, RandomState},
    sync::Arc,
};

use crate::error::{AmqpError, Code, VIRTUAL_HOST};

/// A name that nobody else has, for a queue or a consumer.
pub(super) fn generated_name(prefix: &str) -> Arc<str> {
    // Each `RandomState` has keys of its own, so equal input hashes differently.
    let word = |n: u64| RandomState::new().hash_one(n);
    format!("{prefix}-{:016x}{:08x}", word(1), word(2) >> 32).into()
}

/// A name as it is declared: without line breaks, as `RabbitMQ` takes it.
pub(super) fn one_line(name: &str) -> Cow<'_, str> {
    if name.contains(['\r', '\n']) { name.replace(['\r', '\n'], "").into() } else { name.into() }
}

pub(super) fn check_not_default(exchange: &str) -> Result<(), AmqpError> {
    if exchange.is_empty() {
        return Err(AmqpError::access_refused("operation not permitted on the default exchange"));
    }
    Ok(())
}

pub(super) fn check_not_reserved(kind: &str, name: &str) -> Result<(), AmqpError> {
    if name.starts_with("amq.") {
        return Err(AmqpError::access_refused(format!(
            "{kind} name '{name}' contains reserved prefix 'amq.*'"
        )));
    }
    Ok(())
}

pub(super) fn locked(queue: &str) -> AmqpError {
    AmqpError::new(
        Code::ResourceLocked,
        format!(
            "cannot obtain exclusive access to locked queue '{queue}' in vhost '{VIRTUAL_HOST}'. \
             It could be originally declared on another connection or the exclusive property \
             value does not match that of the original declaration."
        ),
    )
}
