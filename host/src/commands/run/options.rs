//! What `loghost run` is asked for, and what of it is taken over while it runs.

use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

use loghost_core::application::Observer;
use loghost_rabbitmq::ManagementUrl;
use loghost_wasm::Limits;

use crate::compose::configured::{Configured, Members};
use crate::compose::consumer_options::ConsumerOptions;
use crate::compose::failure::Failure;
use crate::compose::plugins::loading::Wanted;
use crate::compose::plugins::settings::GivenSettings;
use crate::compose::running::listen::Listen;
use crate::compose::running::reload::Trigger;
use crate::compose::running::rereading::{Reread, Rereading};
use crate::compose::running::supervise::OnFailure;
use crate::compose::target::Target;
use crate::ui::terminal::OutputFormat;

/// What `run` is asked for.
#[derive(Clone, Debug)]
pub(crate) struct Options {
    pub(crate) target: Target,
    /// Where the broker's management plugin is, if it is not where it usually is.
    pub(crate) management: Option<ManagementUrl>,
    /// Where it is shown over HTTP, if anywhere.
    pub(crate) listen: Option<Listen>,
    /// Where its metrics and traces are sent, if anywhere.
    pub(crate) telemetry: Option<loghost_otlp::Options>,
    pub(crate) members: Members,
    pub(crate) settings: GivenSettings,
    pub(crate) limits: Limits,
    pub(crate) format: OutputFormat,
    pub(crate) display: Display,
    pub(crate) detail: Detail,
    pub(crate) consumer: ConsumerOptions,
    pub(crate) purpose: RunPurpose,
    pub(crate) until_idle: Option<Duration>,
    /// The folder that keeps counts over restarts.
    pub(crate) state: Option<PathBuf>,
    pub(crate) on_failure: OnFailure,
    pub(crate) reload: Trigger,
    /// How its configuration is read again, if its consumers come from a file.
    pub(crate) configuration: Option<Configuration>,
}

/// A configuration file, and what it asks for.
#[derive(Clone)]
pub(crate) struct Configuration {
    pub(crate) file: PathBuf,
    pub(crate) read: fn() -> Result<Options, Failure>,
}

impl fmt::Debug for Configuration {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.file.fmt(f)
    }
}

impl Options {
    /// The same; without plugins, it is of these `consumers`.
    pub(crate) fn with_consumers(self, consumers: Vec<Configured>) -> Self {
        Self { members: self.members.or(consumers), ..self }
    }

    /// How the configuration is read again, if the consumers are those of a file.
    pub(super) fn rereading(&self) -> Option<Rereading> {
        let Configuration { file, read } = self.configuration.clone()?;
        let base = self.consumer.clone();
        let reread = move || read().map(|options| options.reread(&base));
        matches!(self.members, Members::Configured(_)).then(|| Rereading {
            file,
            read: Box::new(reread),
            lasting: self.lasting(),
        })
    }

    /// What is taken over of it in a run that has begun as `base`.
    fn reread(mut self, base: &ConsumerOptions) -> Reread {
        let lasting = self.lasting();
        if let Members::Configured(consumers) = &mut self.members {
            for consumer in consumers {
                consumer.options = consumer.options.clone().within(base);
            }
        }
        let Self { members, settings, limits, consumer: options, on_failure, .. } = self;
        Reread { members, settings, limits, options, on_failure, lasting }
    }

    /// All that is the same as long as a run lasts; to be compared.
    fn lasting(&self) -> String {
        let Self {
            target, management, listen, format, detail, until_idle, state, on_failure, reload, ..
        } = self;
        let consumer = ConsumerOptions::default().within(&self.consumer);
        let of_run = (target, management, listen, format, detail, until_idle, state, on_failure, reload);
        format!("{of_run:?} {consumer:?}")
    }

    /// What is to be loaded.
    pub(crate) fn wanted<'a>(&'a self, observer: &'a dyn Observer) -> Wanted<'a> {
        let Self { members, settings, limits, consumer, on_failure, .. } = self;
        Wanted { members, settings, limits, options: consumer, on_failure: *on_failure, observer }
    }
}

/// How much is said of what happens.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Detail {
    /// What begins, ends, fails or changes.
    Changes,
    /// Also each batch, commit and acknowledgement.
    All,
}

/// How a run is shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Display {
    /// As a view on the screen of the terminal.
    Screen,
    /// As lines.
    Lines,
}

/// What `run` is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum RunPurpose {
    /// To consume.
    Consume,
    /// To leave exchanges, queues and bindings behind, and nothing else.
    Declare,
}
