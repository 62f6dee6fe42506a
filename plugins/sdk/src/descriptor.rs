//! What a plugin is and wants, field by field.

use std::time::Duration;

use crate::{Descriptor, Fields, Severities};

impl Descriptor {
    /// A consumer's name (1 to 64 characters of `a-z`, `0-9` and `-`) and version. Name its severities
    /// too: it wants none until then, and the host asks for one at least.
    pub fn new(name: impl Into<String>, version: impl Into<String>) -> Self {
        Self {
            name: name.into(),
            version: version.into(),
            description: String::new(),
            severities: Severities::empty(),
            sources: Vec::new(),
            fields: Fields::empty(),
            publishes: Severities::empty(),
            tick: None,
        }
    }

    /// Says in a sentence what the consumer does.
    #[must_use]
    pub fn description(mut self, description: impl Into<String>) -> Self {
        self.description = description.into();
        self
    }

    /// Asks for the logs of these severities.
    #[must_use]
    pub fn severities(mut self, severities: impl Into<Severities>) -> Self {
        self.severities = severities.into();
        self
    }

    /// Asks only for the logs from these sources: topic patterns of AMQP, such as `db-1` or `eu.*.web`.
    #[must_use]
    pub fn sources<S: Into<String>>(mut self, sources: impl IntoIterator<Item = S>) -> Self {
        self.sources = sources.into_iter().map(Into::into).collect();
        self
    }

    /// Asks for these fields of each log. Those that are not asked for are absent.
    #[must_use]
    pub fn fields(mut self, fields: Fields) -> Self {
        self.fields = fields;
        self
    }

    /// Announces that it publishes logs of these severities, which the operator has to grant.
    #[must_use]
    pub fn publishes(mut self, severities: impl Into<Severities>) -> Self {
        self.publishes = severities.into();
        self
    }

    /// Asks to be called with an empty batch after each such time without a log: whole milliseconds,
    /// at least one.
    #[must_use]
    pub fn tick(mut self, every: Duration) -> Self {
        self.tick = Some(u32::try_from(every.as_millis()).unwrap_or(u32::MAX).max(1));
        self
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Severity;

    #[test]
    fn what_is_not_asked_for_is_empty() {
        let descriptor = Descriptor::new("a", "1.0.0")
            .severities([Severity::Error])
            .sources(["db-1"])
            .fields(Fields::ID | Fields::SOURCE)
            .tick(Duration::ZERO);
        assert_eq!(
            descriptor,
            Descriptor {
                name: "a".to_owned(),
                version: "1.0.0".to_owned(),
                description: String::new(),
                severities: Severities::ERROR,
                sources: vec!["db-1".to_owned()],
                fields: Fields::ID | Fields::SOURCE,
                publishes: Severities::empty(),
                tick: Some(1),
            }
        );
    }
}
