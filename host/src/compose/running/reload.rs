//! New versions of running plugins: when their files change, at SIGHUP, or when somebody asks for one.

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::fmt::Display;
use std::future::pending;
use std::mem;
use std::path::PathBuf;
use std::sync::Arc;

use futures_util::future::{BoxFuture, FutureExt};
use futures_util::stream::{FuturesUnordered, StreamExt};
use loghost_core::application::{Control, Opening, ReloadRefusal, ReloadScope, RunEvent};
use loghost_core::domain::ConsumerName;
use loghost_wasm::WasmConsumer;
use tokio::sync::{mpsc, oneshot, watch};
use tokio::task::block_in_place;

use crate::compose::running::consumer::{Running, remove};
use crate::compose::running::control::ReloadTarget;
use crate::compose::running::member::Member;
use crate::compose::running::rereading::Rereading;
use crate::compose::running::starter::{Start, Starter};
use crate::compose::running::supervise::AddedConsumer;
use crate::platform::signals::Hangups;
use crate::platform::watch::Watch;

/// What makes a run look for new versions, beside SIGHUP.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Trigger {
    /// Nothing.
    Hangup,
    /// A change of a plugin's file.
    Change,
}

/// Loads new versions, and hands each to the consumer that it replaces. With a configuration file, reads that again as well,
/// and starts and stops consumers as it says.
pub(crate) struct Reloads {
    running: Vec<Running>,
    /// What stops those that are in the configuration no longer: nobody listens when they have ended.
    removed: BTreeMap<ConsumerName, watch::Sender<bool>>,
    /// Which plugins somebody wants loaded again.
    requests: mpsc::Receiver<ReloadTarget>,
    /// What was handed a new version: as it is then, unless the old one goes on.
    handed: FuturesUnordered<BoxFuture<'static, Option<Member>>>,
    hangups: Hangups,
    trigger: Trigger,
    configuration: Option<Rereading>,
    another: mpsc::Sender<AddedConsumer>,
}

impl Reloads {
    /// Loads at SIGHUP, as the `trigger` says, or what is requested; what begins to run goes to `another`.
    pub(crate) fn new(
        hangups: Hangups,
        trigger: Trigger,
        configuration: Option<Rereading>,
        requests: mpsc::Receiver<ReloadTarget>,
        another: mpsc::Sender<AddedConsumer>,
    ) -> Self {
        let (running, removed, handed) = (Vec::new(), BTreeMap::new(), FuturesUnordered::new());
        Self { running, removed, requests, handed, hangups, trigger, configuration, another }
    }

    /// Looks after `member` from now on, which is to be started.
    pub(crate) fn add(&mut self, member: Member, consumer: WasmConsumer, starter: &Starter) -> Start {
        let (running, start) = Running::new(member, consumer, &starter.controls);
        self.running.push(running);
        start
    }

    /// Loads new versions as they come.
    pub(crate) async fn run(mut self, starter: &Arc<Starter>) -> Infallible {
        let (mut watch, mut files) = (None, Vec::new());
        loop {
            // What changed before a file was watched is not told.
            while self.trigger == Trigger::Change && files != self.files() {
                files = self.files();
                watch = Watch::new(files.clone()).inspect_err(|error| tell_unwatched(starter, error)).ok();
                self.look(starter, &ReloadTarget::Changed).await;
            }
            let changed = async {
                match &mut watch {
                    Some(watch) => watch.changed().await,
                    None => pending().await,
                }
            };
            tokio::select! {
                () = self.hangups.next() => self.look(starter, &ReloadTarget::All).await,
                Some(which) = self.requests.recv() => self.look(starter, &which).await,
                Some(taken_over) = self.handed.next() => self.changed(taken_over, starter),
                changed = changed => {
                    if let Err(error) = changed {
                        watch = None;
                        tell_unwatched(starter, &error);
                    }
                    self.look(starter, &ReloadTarget::Changed).await;
                }
            }
        }
    }

    /// Notes as what a consumer runs now that a new version has taken over; nothing if the old one goes on.
    fn changed(&mut self, taken_over: Option<Member>, starter: &Starter) {
        let Some(member) = taken_over else { return };
        if let Some(running) = self.running.iter_mut().find(|it| it.member.name() == member.name()) {
            starter.board.expect(member.name(), member.settings());
            running.member = member;
        }
    }

    /// All that may change.
    fn files(&self) -> Vec<PathBuf> {
        let plugins = self.running.iter().filter_map(|running| running.member.path());
        let file = self.configuration.iter().map(|configuration| configuration.file.clone());
        plugins.chain(file).collect()
    }

    async fn look(&mut self, starter: &Arc<Starter>, which: &ReloadTarget) {
        if *which == ReloadTarget::All {
            let has_file = self.configuration.is_some();
            starter.tell(RunEvent::Reloading(if has_file {
                ReloadScope::Configuration
            } else {
                ReloadScope::Plugins
            }));
        }
        starter.service.reloading();
        self.load_all(starter, which).await;
        starter.service.reloaded();
    }

    /// Loads what is meant; unless it is one alone, as the configuration says now.
    async fn load_all(&mut self, starter: &Arc<Starter>, which: &ReloadTarget) {
        match &self.configuration {
            Some(configuration) if !matches!(which, ReloadTarget::One(_)) => {
                match block_in_place(|| configuration.load(starter)) {
                    Ok(members) => self.reconfigure(members, starter, which).await,
                    Err(failure) => {
                        let text = failure.text().unwrap_or_default();
                        starter.tell(RunEvent::NothingReloaded(&text));
                        for running in self.running.iter().filter(|running| !running.has_ended()) {
                            running.refused(starter, ReloadRefusal::All);
                        }
                    }
                }
            }
            _ => self.load(starter, which).await,
        }
    }

    /// Loads what is meant; of that, one that has ended begins anew.
    async fn load(&mut self, starter: &Arc<Starter>, which: &ReloadTarget) {
        for at in 0..self.running.len() {
            let running = &mut self.running[at];
            let is_meant = match which {
                ReloadTarget::Changed => !running.member.is_unchanged(),
                ReloadTarget::All => true,
                ReloadTarget::One(name) => running.member.name() == name,
            };
            if !is_meant {
                continue;
            }
            let consumer = match running.member.load(&*starter.observer) {
                Ok(consumer) => consumer,
                Err(error) if running.has_ended() => {
                    starter.tell(RunEvent::NotTriedAgain(running.member.name(), &format!("{error:#}")));
                    continue;
                }
                Err(error) => {
                    running.refused(starter, ReloadRefusal::Unloadable(&format!("{error:#}")));
                    continue;
                }
            };
            if running.has_ended() {
                let name = running.member.name().clone();
                starter.tell(RunEvent::TriedAgain(&name));
                let start = running.begin(consumer, &starter.controls);
                self.start(start, name, None, starter).await;
            } else {
                // That it has taken over, or not, is told by an event.
                let _ = running.control.send(Control::Replace(consumer, oneshot::channel().0)).await;
            }
        }
    }

    /// Makes the consumers of the run these `members`. One that is as it was is left alone; one of which only the plugin, its
    /// settings or its limits have changed is handed the new version; one that is to be run otherwise is run anew.
    /// Where all are meant, one that has ended begins anew. What is to run is started before others are stopped: without any,
    /// the run would end.
    async fn reconfigure(
        &mut self,
        members: Vec<(Member, WasmConsumer)>,
        starter: &Arc<Starter>,
        which: &ReloadTarget,
    ) {
        while let Some(Some(taken_over)) = self.handed.next().now_or_never() {
            self.changed(taken_over, starter);
        }
        let is_wanted =
            |running: &Running| members.iter().any(|(member, _)| member.name() == running.member.name());
        let (unchanged, removed): (Vec<Running>, Vec<Running>) =
            mem::take(&mut self.running).into_iter().partition(is_wanted);
        self.running = unchanged;
        self.removed.retain(|_, stop| !stop.is_closed());
        for (member, consumer) in members {
            let (name, settings) = (member.name().clone(), member.settings().to_vec());
            let former = self.running.iter_mut().find(|running| *running.member.name() == name);
            match former {
                Some(running) if running.member.is_as(&member) => {
                    if running.has_ended() && *which == ReloadTarget::All {
                        starter.tell(RunEvent::TriedAgain(&name));
                        let start = running.begin(consumer, &starter.controls);
                        self.start(start, name.clone(), None, starter).await;
                    }
                }
                Some(running) if running.member.options == member.options && !running.has_ended() => {
                    let (done, taken_over) = oneshot::channel();
                    let _ = running.control.send(Control::Replace(consumer, done)).await;
                    self.handed.push(async move { taken_over.await.ok().map(|()| member) }.boxed());
                    continue;
                }
                Some(running) => {
                    starter.tell(RunEvent::RunAnew(&name));
                    let (anew, start) = Running::new(member, consumer, &starter.controls);
                    let former = mem::replace(running, anew).stop;
                    self.start(start, name.clone(), Some(former.clone()), starter).await;
                    former.send_replace(true);
                }
                None => {
                    starter.tell(RunEvent::Added(&name));
                    let former = self.removed.remove(&name);
                    let start = self.add(member, consumer, starter);
                    self.start(start, name.clone(), former, starter).await;
                }
            }
            // Of one that is new it is not forgotten any more.
            starter.board.expect(&name, &settings);
        }
        for running in removed {
            self.removed.insert(running.member.name().clone(), running.stop.clone());
            remove(running, Arc::clone(starter));
        }
    }

    /// Starts a consumer, when the `former` one of its name has ended.
    async fn start(
        &mut self,
        start: Start,
        name: ConsumerName,
        former: Option<watch::Sender<bool>>,
        starter: &Arc<Starter>,
    ) {
        let starter = Arc::clone(starter);
        let is_stopped = (start.stopped.clone(), starter.stopped.clone());
        let running = async move {
            if let Some(former) = former {
                former.closed().await;
            }
            if *is_stopped.0.borrow() || *is_stopped.1.borrow() {
                return Ok(None);
            }
            let opened = starter.open(start).await?;
            if opened.opening == Opening::Done {
                starter.tell(RunEvent::Started(&opened.descriptor.name));
            }
            Ok(Some(Box::pin(opened.run()).await))
        };
        // Without anybody who takes it, the run ends.
        let _ = self.another.send(AddedConsumer { name, running: running.boxed() }).await;
    }
}

fn tell_unwatched(starter: &Starter, error: &impl Display) {
    starter.tell(RunEvent::Unwatched(&error.to_string()));
}
