//! A running plugin: where it came from, and whether that has changed.

use std::path::PathBuf;
use std::sync::Arc;

use anyhow::anyhow;
use loghost_core::application::{Consumer, Observer};
use loghost_core::domain::ConsumerName;
use loghost_wasm::{WasmConsumer, sha256};

use crate::compose::consumer_options::ConsumerOptions;
use crate::compose::plugins::loader::{Loaded, PluginLoader};
use crate::compose::plugins::settings::RefusedSetting;
use crate::compose::plugins::source::PluginSource;

/// A running plugin: where it came from.
pub(crate) struct Member {
    source: PluginSource,
    loader: Arc<PluginLoader>,
    /// How its consumer is run.
    pub(crate) options: ConsumerOptions,
    name: ConsumerName,
    digest: String,
    /// What of the run's settings it does not take.
    refusals: Vec<RefusedSetting>,
    settings: Vec<(String, String)>,
}

impl Member {
    /// What `loader` has loaded from `source`, and the consumer that it is.
    pub(crate) fn new(
        source: PluginSource,
        loader: Arc<PluginLoader>,
        options: ConsumerOptions,
        Loaded { consumer, refusals, settings, .. }: Loaded,
    ) -> (Self, WasmConsumer) {
        let (name, digest) = (consumer.descriptor().name.clone(), consumer.digest().to_owned());
        (Self { source, loader, options, name, digest, refusals, settings }, consumer)
    }

    /// What it is called.
    pub(crate) fn name(&self) -> &ConsumerName {
        &self.name
    }

    /// What it was configured with.
    pub(crate) fn settings(&self) -> &[(String, String)] {
        &self.settings
    }

    /// Its file, if it has one.
    pub(super) fn path(&self) -> Option<PathBuf> {
        self.source.path()
    }

    /// Whether the file is the one that was loaded last.
    pub(super) fn is_unchanged(&self) -> bool {
        self.source.read().is_ok_and(|bytes| sha256(&bytes) == self.digest)
    }

    /// Whether it is the same, and run in the same way.
    pub(super) fn is_as(&self, other: &Self) -> bool {
        let is_loaded_alike = self.source == other.source && self.digest == other.digest;
        is_loaded_alike && self.options == other.options && self.loader.is_as(&other.loader, &self.name)
    }

    /// Loads what is there now, which is this member from now on.
    pub(super) fn load(&mut self, observer: &dyn Observer) -> anyhow::Result<WasmConsumer> {
        let Loaded { consumer, refusals, .. } =
            self.loader.load(&self.source, observer).map_err(|failure| match failure.text() {
                Some(text) => anyhow!(text),
                None => anyhow!("{} cannot be loaded", self.source),
            })?;
        let name = &consumer.descriptor().name;
        if *name != self.name {
            return Err(anyhow!("{}: is called `{name}` now; end the run, and start it anew", self.source));
        }
        let is_new = |refusal: &&RefusedSetting| self.refusals.iter().all(|other| other.key != refusal.key);
        if let Some(RefusedSetting { key, .. }) = refusals.iter().find(is_new) {
            return Err(anyhow!("{}: does not take the setting `{key}`, as the old one does", self.source));
        }
        consumer.digest().clone_into(&mut self.digest);
        Ok(consumer)
    }
}
