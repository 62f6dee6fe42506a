//! Where logs are published to: the exchange of their severity, or one exchange of others, with a routing key made of a
//! template.

use lapin::BasicProperties;
use lapin::message::BasicReturnMessage;
use lapin::types::{AMQPValue, ShortString};
use loghost_core::domain::{Log, Severity};

use crate::message::names::Names;
use crate::message::record;
use crate::publish::key_template::{KeyTemplate, KeyTooLong};
use crate::publish::unconfirmed::OutgoingMessage;
use crate::topology::declare::Exchanges;

/// Where logs are published to.
#[derive(Clone, Debug)]
pub enum Destination {
    /// The exchange of its severity, with its source as the routing key.
    Severities(Names, Exchanges),
    /// An exchange of others, which is there. Its messages say their severity in the header `severity`.
    Exchange {
        /// Its name.
        name: String,
        /// What the routing keys are.
        key: KeyTemplate,
    },
}

impl Destination {
    /// The exchange of a log.
    pub(crate) fn exchange(&self, log: &Log) -> &str {
        match self {
            Self::Severities(names, _) => names.exchange(log.severity),
            Self::Exchange { name, .. } => name,
        }
    }

    /// The routing key of a log.
    ///
    /// # Errors
    /// If the key would be too long.
    pub(crate) fn routing_key(&self, log: &Log) -> Result<ShortString, KeyTooLong> {
        match self {
            Self::Severities(..) => Ok(record::routing_key(log)),
            Self::Exchange { key, .. } => key.key(log),
        }
    }

    /// The properties of a log.
    pub(crate) fn properties(
        &self,
        OutgoingMessage { id, timestamp, log, .. }: &OutgoingMessage,
    ) -> BasicProperties {
        let properties = record::properties(id, *timestamp, log);
        if let Self::Severities(..) = self {
            return properties;
        }
        let mut headers = properties.headers().clone().unwrap_or_default();
        headers.insert(record::SAID_SEVERITY.into(), AMQPValue::LongString(log.severity.as_str().into()));
        properties.with_headers(headers)
    }

    /// How serious a log is that was published here, and that the broker has returned.
    pub(crate) fn severity_of(&self, returned: &BasicReturnMessage) -> Option<Severity> {
        match self {
            Self::Severities(names, _) => names.severity(returned.exchange.as_str()),
            Self::Exchange { name, .. } if *name == returned.exchange.as_str() => {
                match returned.properties.headers().as_ref()?.inner().get(record::SAID_SEVERITY)? {
                    AMQPValue::LongString(word) => word.to_string().parse().ok(),
                    _ => None,
                }
            }
            Self::Exchange { .. } => None,
        }
    }
}
