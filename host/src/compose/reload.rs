//! New versions of running plugins: when their files change, or at SIGHUP.

use std::convert::Infallible;
use std::fmt::Display;
use std::future::pending;
use std::path::PathBuf;
use std::sync::Arc;

use anyhow::anyhow;
use loghost_core::application::{Consumer, Level, Notice};
use loghost_core::domain::ConsumerName;
use loghost_wasm::{WasmConsumer, sha256};
use tokio::sync::mpsc;

use crate::compose::consumer_options::ConsumerOptions;
use crate::compose::plugins::{Loaded, PluginLoader, PluginSource};
use crate::compose::settings::Refusal;
use crate::platform::signals::Hangups;
use crate::platform::watch::Watch;
use crate::ui::terminal;

/// What makes a run look for new versions, beside SIGHUP.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Trigger {
    /// Nothing.
    Hangup,
    /// A change of a plugin's file.
    Change,
}

/// A running plugin: where it came from.
pub(crate) struct Member {
    source: PluginSource,
    loader: Arc<PluginLoader>,
    /// How its consumer is run.
    pub(crate) options: ConsumerOptions,
    name: ConsumerName,
    digest: String,
    /// What of the run's settings it does not take.
    refusals: Vec<Refusal>,
}

impl Member {
    /// What `loader` has loaded from `source`, and the consumer that it is.
    pub(crate) fn new(
        source: PluginSource,
        loader: Arc<PluginLoader>,
        options: ConsumerOptions,
        Loaded { consumer, refusals, .. }: Loaded,
    ) -> (Self, WasmConsumer) {
        let (name, digest) = (consumer.descriptor().name.clone(), consumer.digest().to_owned());
        (Self { source, loader, options, name, digest, refusals }, consumer)
    }

    /// Whether the file is the one that was loaded last.
    fn is_unchanged(&self) -> bool {
        self.source.read().is_ok_and(|bytes| sha256(&bytes) == self.digest)
    }

    /// Loads what is there now.
    fn load(&self) -> anyhow::Result<WasmConsumer> {
        let Loaded { consumer, refusals, .. } =
            self.loader.load(&self.source).map_err(|failure| match failure.text() {
                Some(text) => anyhow!(text),
                None => anyhow!("{} cannot be loaded", self.source),
            })?;
        let name = &consumer.descriptor().name;
        if *name != self.name {
            return Err(anyhow!("{}: is called `{name}` now; end the run, and start it anew", self.source));
        }
        let is_new = |refusal: &&Refusal| self.refusals.iter().all(|other| other.key != refusal.key);
        if let Some(Refusal { key, .. }) = refusals.iter().find(is_new) {
            return Err(anyhow!("{}: does not take the setting `{key}`, as the old one does", self.source));
        }
        Ok(consumer)
    }
}

/// Loads new versions, and hands each to the consumer that it replaces.
pub(crate) struct Reloads {
    members: Vec<(Member, mpsc::Sender<WasmConsumer>)>,
    hangups: Hangups,
    trigger: Trigger,
}

impl Reloads {
    pub(crate) fn new(hangups: Hangups, trigger: Trigger) -> Self {
        Self { members: Vec::new(), hangups, trigger }
    }

    /// Looks after `member`, whose new versions go to `replace`.
    pub(crate) fn add(&mut self, member: Member, replace: mpsc::Sender<WasmConsumer>) {
        self.members.push((member, replace));
    }

    /// Loads new versions as they come.
    pub(crate) async fn run(mut self) -> Infallible {
        let mut watch = match self.trigger {
            Trigger::Hangup => None,
            Trigger::Change => self.watch(),
        };
        // What changed while the plugins were loaded and their sources opened was not told.
        if watch.is_some() {
            self.load(Unchanged::Left).await;
        }
        loop {
            let changed = async {
                match &mut watch {
                    Some(watch) => watch.changed().await,
                    None => pending().await,
                }
            };
            tokio::select! {
                () = self.hangups.next() => {
                    terminal::notice("SIGHUP: loading the plugins again");
                    self.load(Unchanged::Reloaded).await;
                }
                changed = changed => {
                    if let Err(error) = changed {
                        watch = None;
                        say_unwatched(&error);
                    }
                    self.load(Unchanged::Left).await;
                }
            }
        }
    }

    fn watch(&self) -> Option<Watch> {
        let files: Vec<PathBuf> =
            self.members.iter().filter_map(|(member, _)| member.source.path()).collect();
        Watch::new(files).inspect_err(say_unwatched).ok()
    }

    async fn load(&mut self, unchanged: Unchanged) {
        for (member, replace) in &mut self.members {
            if unchanged == Unchanged::Left && member.is_unchanged() {
                continue;
            }
            match member.load() {
                Ok(consumer) => {
                    consumer.digest().clone_into(&mut member.digest);
                    // A consumer that has ended needs no new version.
                    let _ = replace.send(consumer).await;
                }
                Err(error) => {
                    let text = format!("not reloaded, the old one goes on: {error:#}");
                    terminal::tell(&Notice::new(Level::Error, &text).of(member.name.as_str()));
                }
            }
        }
    }
}

fn say_unwatched(error: &impl Display) {
    terminal::warning(&format!("cannot watch the plugins' files ({error}): reload with SIGHUP"));
}

/// What becomes of a plugin whose file is what it was.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Unchanged {
    /// It is loaded again: whoever asks may have changed what it depends on.
    Reloaded,
    Left,
}
