//! What a plugin implements.

#[cfg(feature = "measures")]
use crate::Measurement;
use crate::{Descriptor, Metric, Settings};
#[cfg(feature = "processor")]
use crate::{LogRecord, Processed};

/// A consumer of logs. Its state is in `self`; everything runs on one thread, one call at a time.
pub trait Consumer: Sized + 'static {
    /// Makes the consumer from the operator's settings, and says what it is and wants. Equal settings
    /// give an equal descriptor. Every setting that is given and not asked for here is refused for you:
    /// it is an operator's typing error.
    fn configure(settings: &Settings) -> Result<(Self, Descriptor), String>;

    /// Writes the metric: any number of lines, without a line end after the last.
    fn format_metric(&self, metric: &Metric) -> String;
}

/// A consumer that looks at the logs themselves.
#[cfg(feature = "processor")]
pub trait Processor: Consumer {
    /// Takes the next logs, in the order of their queue, or none at a tick. `now` is in milliseconds
    /// since the Unix epoch. What it returns is carried out before the batch is acknowledged.
    fn process(&mut self, now: u64, batch: Vec<LogRecord>) -> Processed;
}

/// A processor that keeps something of its own between logs. The host saves it together with its counts,
/// and restores it where an instance takes over from another: after a trap, a restart, a new version.
#[cfg(feature = "checkpoint")]
pub trait Checkpoint: Processor {
    /// What it keeps, as bytes that [`restore`](Self::restore) of this version and of later ones
    /// understands. Called often: keep it small.
    fn save(&self) -> Vec<u8>;

    /// Takes up what was saved, after it was configured and before the first log. An error is shown to the
    /// operator, and the consumer does not start.
    fn restore(&mut self, state: &[u8]) -> Result<(), String>;
}

/// A consumer that has figures of its own for monitoring, beside what the host counts.
#[cfg(feature = "measures")]
pub trait Measures: Consumer {
    /// What it measures, as it is now: a few hundred values at most, each name with its labels once. Called
    /// at the beginning and with the last metric, and otherwise at most once a second. The host checks the
    /// names as Prometheus does, and shows how many values it has left out.
    fn measure(&self) -> Vec<Measurement>;
}

/// Configures a consumer as the host does, for tests: settings that nobody asked for are an error.
pub fn configure<C: Consumer>(settings: &Settings) -> Result<(C, Descriptor), String> {
    let configured = C::configure(settings)?;
    settings.refuse_unknown()?;
    Ok(configured)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Takes the setting `limit`.
    struct Limited(u32);

    impl Consumer for Limited {
        fn configure(settings: &Settings) -> Result<(Self, Descriptor), String> {
            Ok((Self(settings.parse_or("limit", 10)?), Descriptor::new("limited", "1.0.0")))
        }

        fn format_metric(&self, _: &Metric) -> String {
            self.0.to_string()
        }
    }

    #[track_caller]
    fn check(settings: &[(&str, &str)], expected: Result<u32, &str>) {
        let settings = settings.iter().copied().collect();
        let configured = configure::<Limited>(&settings).map(|(limited, _)| limited.0);
        assert_eq!(configured.as_ref().map_err(String::as_str), expected.as_ref().map_err(|text| *text));
    }

    #[test]
    fn settings_are_taken_or_refused() {
        check(&[], Ok(10));
        check(&[("limit", "3")], Ok(3));
        check(&[("limit", "x")], Err("setting `limit`: cannot read `x`: invalid digit found in string"));
        check(&[("limt", "3")], Err("unknown setting `limt`; this consumer takes `limit`"));
    }
}
