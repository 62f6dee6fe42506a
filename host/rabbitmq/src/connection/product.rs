//! What a broker says of itself in its first method, `connection.start`.
//!
//! The client does not hand that on, so it is read from the frame.

use std::sync::{Arc, OnceLock};

use lapin::protocol::connection::AMQPMethod;
use lapin::protocol::{AMQPClass, parse_class};

use crate::message::record;

/// Where that is stored.
#[derive(Clone, Debug, Default)]
pub(crate) struct AnnouncedProduct(Arc<OnceLock<Product>>);

/// What a broker says it is.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Product {
    pub(crate) generation: Generation,
    /// What its cluster is called.
    cluster: Option<String>,
}

impl Product {
    /// What its cluster is called, if it says so, as `RabbitMQ` does.
    pub fn cluster(&self) -> Option<&str> {
        self.cluster.as_deref()
    }
}

/// Brokers to which a queue is declared with the same arguments.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Generation {
    /// `RabbitMQ` before 4: a quorum queue has a delivery limit only where somebody sets one.
    RabbitMq3,
    /// `RabbitMQ` 4 and later: it has one unless it is told otherwise.
    RabbitMq4,
    /// Another broker.
    #[default]
    Other,
}

impl AnnouncedProduct {
    /// Takes note of the method in `payload`, if it is the first one.
    pub(crate) fn note(&self, payload: &[u8]) {
        if payload.starts_with(&[0, 10, 0, 10])
            && self.0.get().is_none()
            && let Ok((_, AMQPClass::Connection(AMQPMethod::Start(start)))) = parse_class(payload)
        {
            let said = |key| record::header_text(&start.server_properties, key);
            let generation = Generation::of(said("product"), said("version"));
            let cluster = said("cluster_name").map(str::to_owned);
            // There is one such method on a connection.
            let _ = self.0.set(Product { generation, cluster });
        }
    }

    /// What the broker has said that it is.
    pub(crate) fn told(&self) -> Product {
        self.0.get().cloned().unwrap_or_default()
    }
}

impl Generation {
    fn of(product: Option<&str>, version: Option<&str>) -> Self {
        let major = version.and_then(|version| version.split('.').next()?.parse::<u32>().ok());
        match (product, major) {
            (Some("RabbitMQ"), Some(..4)) => Self::RabbitMq3,
            (Some("RabbitMQ"), _) => Self::RabbitMq4,
            _ => Self::Other,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_broker_is_what_it_says() {
        for (product, version, expected) in [
            (Some("RabbitMQ"), Some("3.10.8"), Generation::RabbitMq3),
            (Some("RabbitMQ"), Some("4.3.6"), Generation::RabbitMq4),
            (Some("RabbitMQ"), Some("10.0.0-rc.1"), Generation::RabbitMq4),
            (Some("RabbitMQ"), None, Generation::RabbitMq4),
            (Some("LavinMQ"), Some("2.0.0"), Generation::Other),
            (None, None, Generation::Other),
        ] {
            assert_eq!(Generation::of(product, version), expected, "{product:?} {version:?}");
        }
    }
}
