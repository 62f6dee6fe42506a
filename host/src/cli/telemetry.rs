//! Where metrics and traces are sent, as the standard variables of `OpenTelemetry` say, and which traces begin.

use std::env;

use loghost_otlp::{Options, VARIABLES, shown};

use crate::commands::publish::Traces;
use crate::compose::failure::{Failure, Status};
use crate::ui::config::{OptionRow, ShownValue};

/// Which traces logs belong to that are published.
#[derive(Clone, Debug, clap::Args)]
pub(super) struct TraceArgs {
    /// Begin a trace with each log: its header `traceparent` is that of W3C Trace Context
    ///
    /// A log that has the attribute `traceparent` keeps it. With `OTEL_EXPORTER_OTLP_ENDPOINT`, that collector is sent a span of
    /// each, which ends when the broker has confirmed the log.
    #[arg(long, conflicts_with = "journal")]
    trace: bool,
}

impl TraceArgs {
    /// Which these are.
    pub(super) fn traces(&self) -> Traces {
        if self.trace { Traces::Begun } else { Traces::AsGiven }
    }

    /// Where their spans are sent, if anywhere.
    pub(super) fn telemetry(&self) -> Result<Option<Options>, Failure> {
        let options = if self.trace { options()? } else { None };
        // There are no metrics of a publisher, and their board would be that of a new process each time.
        Ok(options.and_then(Options::only_traces))
    }
}

/// What they ask for, if something.
pub(super) fn options() -> Result<Option<Options>, Failure> {
    Options::from_variables(value).map_err(|error| Failure::of(Status::BadConfiguration, error))
}

/// Those that are set, to be shown, without secrets.
pub(super) fn rows() -> impl Iterator<Item = OptionRow> {
    VARIABLES.into_iter().filter_map(|name| {
        let value = value(name).filter(|value| !value.is_empty())?;
        let value = ShownValue::One(shown(name, &value));
        Some(OptionRow { key: name.to_owned(), value, origin: "environment".to_owned() })
    })
}

fn value(name: &str) -> Option<String> {
    env::var_os(name).map(|value| value.to_string_lossy().into_owned())
}
