//! How a consumer's counts and filter are written: as JSON.

use loghost_core::domain::{ConsumerName, Counts, Expired, Filter, Pattern, Severity, Tally, Timestamp};
use serde::{Deserialize, Serialize};

/// A consumer's counts.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct CountsWire {
    consumer: String,
    accepted: TallyWire,
    rejected: TallyWire,
    skipped: TallyWire,
    // The first format did not have these two.
    #[serde(default)]
    unwanted: TallyWire,
    #[serde(default)]
    foreign: u64,
    repeated: u64,
    without_id: u64,
    // Nor this one.
    #[serde(default)]
    undetermined: u64,
    // Nor this one.
    #[serde(default)]
    undeliverable: u64,
    // Since the fourth format.
    #[serde(default)]
    removed: u64,
    first: Option<u64>,
    last: Option<u64>,
    // What it is called in states that are there already.
    #[serde(rename = "folded")]
    expired: ExpiredWire,
}

#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct TallyWire {
    debug: u64,
    info: u64,
    error: u64,
    critical: u64,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct ExpiredWire {
    origins: u64,
    missing: u64,
    horizon: u64,
}

/// What a consumer wants.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct FilterWire {
    severities: Vec<String>,
    sources: Vec<String>,
}

/// Why what is stored cannot be read.
type Unreadable = String;

impl CountsWire {
    pub(super) fn new(consumer: &ConsumerName, counts: &Counts, expired: &Expired) -> Self {
        Self {
            consumer: consumer.to_string(),
            accepted: counts.accepted.into(),
            rejected: counts.rejected.into(),
            skipped: counts.skipped.into(),
            unwanted: counts.unwanted.into(),
            foreign: counts.foreign,
            undeliverable: counts.undeliverable,
            repeated: counts.repeated,
            without_id: counts.without_id,
            undetermined: counts.undetermined,
            removed: counts.removed,
            first: counts.first.map(Timestamp::as_millis),
            last: counts.last.map(Timestamp::as_millis),
            expired: ExpiredWire {
                origins: expired.origins,
                missing: expired.missing,
                horizon: expired.horizon.as_millis(),
            },
        }
    }

    pub(super) fn read(self) -> Result<(ConsumerName, Counts, Expired), Unreadable> {
        let counts = Counts {
            accepted: self.accepted.into(),
            rejected: self.rejected.into(),
            skipped: self.skipped.into(),
            unwanted: self.unwanted.into(),
            foreign: self.foreign,
            undeliverable: self.undeliverable,
            repeated: self.repeated,
            without_id: self.without_id,
            undetermined: self.undetermined,
            removed: self.removed,
            first: self.first.map(Timestamp::from_millis),
            last: self.last.map(Timestamp::from_millis),
        };
        let expired = Expired {
            origins: self.expired.origins,
            missing: self.expired.missing,
            horizon: Timestamp::from_millis(self.expired.horizon),
        };
        let consumer = ConsumerName::new(self.consumer).map_err(|error| error.to_string())?;
        Ok((consumer, counts, expired))
    }
}

impl From<Tally> for TallyWire {
    fn from(tally: Tally) -> Self {
        Self {
            debug: tally[Severity::Debug],
            info: tally[Severity::Info],
            error: tally[Severity::Error],
            critical: tally[Severity::Critical],
        }
    }
}

impl From<TallyWire> for Tally {
    fn from(wire: TallyWire) -> Self {
        let mut tally = Self::default();
        tally[Severity::Debug] = wire.debug;
        tally[Severity::Info] = wire.info;
        tally[Severity::Error] = wire.error;
        tally[Severity::Critical] = wire.critical;
        tally
    }
}

impl From<&Filter> for FilterWire {
    fn from(filter: &Filter) -> Self {
        Self {
            severities: filter.severities().iter().map(|severity| severity.to_string()).collect(),
            sources: filter.sources().iter().map(|pattern| pattern.as_str().to_owned()).collect(),
        }
    }
}

impl FilterWire {
    pub(super) fn read(self) -> Result<Filter, Unreadable> {
        let severities: Result<_, _> = self.severities.iter().map(|word| word.parse::<Severity>()).collect();
        let sources: Result<_, _> = self.sources.into_iter().map(Pattern::new).collect();
        let severities = severities.map_err(|error| error.to_string())?;
        Ok(Filter::new(severities, sources.map_err(|error| error.to_string())?))
    }
}
