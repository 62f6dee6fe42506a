//! `loghost run`: plugins side by side, each fed from its own queue.

mod declare;
mod prepare;

use std::collections::HashMap;
use std::path::PathBuf;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use futures_util::future::FutureExt;
use loghost_core::application::Observer;
use loghost_rabbitmq::{Lifetime, ManagementUrl};
use loghost_wasm::Limits;
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::sleep;

use self::declare::{declare, say_limits};
use self::prepare::{Prepared, prepare};
use crate::compose::configured::{Configured, Members};
use crate::compose::connections::Connections;
use crate::compose::consumer_builder::ConsumerBuilder;
use crate::compose::consumer_options::ConsumerOptions;
use crate::compose::failure::{Failure, Status, WithStatus};
use crate::compose::idle::{Activity, ActivityObserver, idle};
use crate::compose::limits::Patience;
use crate::compose::listen::{Listen, Listening};
use crate::compose::loading::{self, Started, Wanted};
use crate::compose::observers::Observers;
use crate::compose::reload::{Reloads, Trigger};
use crate::compose::settings::Settings;
use crate::compose::state;
use crate::compose::supervise::{Ended, Ending, OnFailure, run_alone, supervise};
use crate::compose::target::Target;
use crate::platform::leaps::tell_leaps;
use crate::platform::signals::{Hangups, interrupted_but_by_hangup};
use crate::ui::events::Queues;
use crate::ui::run::say_standing_by;
use crate::ui::terminal::{self, Format, LogObserver};

/// What `run` is asked for.
#[derive(Clone, Debug)]
pub(crate) struct Options {
    pub(crate) target: Target,
    /// Where the broker's management plugin is, if it is not where it usually is.
    pub(crate) management: Option<ManagementUrl>,
    /// Where it is shown over HTTP, if anywhere.
    pub(crate) listen: Option<Listen>,
    pub(crate) members: Members,
    pub(crate) settings: Settings,
    pub(crate) limits: Limits,
    pub(crate) format: Format,
    pub(crate) consumer: ConsumerOptions,
    pub(crate) purpose: Purpose,
    pub(crate) until_idle: Option<Duration>,
    /// The folder that keeps counts over restarts.
    pub(crate) state: Option<PathBuf>,
    pub(crate) on_failure: OnFailure,
    pub(crate) reload: Trigger,
}

impl Options {
    /// The same; without plugins, it is of these `consumers`.
    pub(crate) fn with_consumers(self, consumers: Vec<Configured>) -> Self {
        Self { members: self.members.or(consumers), ..self }
    }

    /// What is to be loaded.
    pub(crate) fn wanted(&self) -> Wanted<'_> {
        let Self { members, settings, limits, consumer, on_failure, .. } = self;
        Wanted { members, settings, limits, options: consumer, on_failure: *on_failure }
    }
}

/// What `run` is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Purpose {
    /// To consume.
    Consume,
    /// To leave exchanges, queues and bindings behind, and nothing else.
    Declare,
}

/// Who is told what happens in a run.
fn observer(
    options: &Options,
    active: &watch::Sender<Activity>,
    listening: Option<&Listening>,
) -> Arc<dyn Observer> {
    let queues = match options.consumer.lifetime {
        Lifetime::Named => Queues::Named,
        Lifetime::Exclusive => Queues::Copies,
    };
    let mut observers: Vec<Arc<dyn Observer>> =
        vec![Arc::new(ActivityObserver(active.clone())), Arc::new(LogObserver { queues })];
    observers.extend(listening.into_iter().flat_map(|listening| listening.observers(queues)));
    Arc::new(Observers(observers))
}

/// Runs the plugins until asked to end, or until all of them have ended.
pub(crate) async fn run(options: Options) -> Result<(), Failure> {
    if options.members.is_empty() {
        let text = "which plugins? Name their files, or folders of them: loghost run plugins/error.wasm; or name consumers in a \
                    configuration file (`loghost config init` begins one)";
        return Err(Failure::new(Status::Usage, text));
    }
    let listening = match &options.listen {
        Some(listen) => Some(Listening::start(listen).await?),
        None => None,
    };
    let ran = Box::pin(consume(options, listening.as_ref())).await;
    if let Some(listening) = listening {
        listening.end().await;
    }
    ran
}

async fn consume(options: Options, listening: Option<&Listening>) -> Result<(), Failure> {
    // From here on, SIGHUP is a wish for new versions, and does not end the process.
    let hangups = Hangups::new().status(Status::Internal)?;
    let mut interrupted = pin!(interrupted_but_by_hangup().status(Status::Internal)?.fuse());
    let Started { members, failed } = loading::start(&options.wanted())?;
    let state = state::open(options.state.as_deref())?;
    let mut reloads = Reloads::new(hangups, options.reload);
    let (active, activity) = watch::channel(Activity::now());
    let observer = observer(&options, &active, listening);
    let connections = tokio::select! {
        connected = Connections::connect(&options.target, ["consuming", "publishing"], &observer) => connected?,
        () = &mut interrupted => return Ok(()),
    };
    let builder = ConsumerBuilder::new(connections, options.consumer.clone(), members.len())
        .management(options.management.clone())
        .state(state);
    if let Some(listening) = listening {
        listening.expect(&members, &builder.connections, options.consumer.lifetime);
    }
    let preparing = async {
        if options.purpose == Purpose::Declare {
            let failed = declare(&options, &builder, &members, &*observer).await.or(failed);
            return Ok(Prepared { failed, ..Prepared::default() });
        }
        let preparing = prepare(&options, &builder, members, &mut reloads, (&active, &observer));
        let mut prepared = Box::pin(preparing).await?;
        prepared.failed = failed.or(prepared.failed);
        Ok(prepared)
    };
    let prepared = tokio::select! {
        prepared = preparing => prepared.map(Some),
        () = &mut interrupted => Ok(None),
    };
    let Prepared { ready, depths, failed } = match prepared {
        Ok(Some(prepared)) => prepared,
        // Some may have logs in hand already: they are given back.
        unprepared => {
            builder.connections.close().await;
            return unprepared.map(drop);
        }
    };

    let (stop, stopped) = watch::channel(false);
    let mut tasks = JoinSet::new();
    let (mut names, mut no_thread) = (HashMap::new(), None);
    for (name, consume) in ready {
        let mut stopped = stopped.clone();
        let running = consume.run(async move {
            // An error means that the host has gone, which is a reason to stop as well.
            let _ = stopped.wait_for(|stop| *stop).await;
        });
        match run_alone(&mut tasks, running) {
            Ok(task) => names.insert(task.id(), name),
            Err(error) => {
                no_thread = Some(Failure::of(Status::System, anyhow::Error::new(error).context(name)));
                break;
            }
        };
    }
    drop(stopped);

    let ending = async {
        if let Some(failure) = no_thread {
            return Ending::Failed(failure);
        }
        tokio::select! {
            () = &mut interrupted => {
                let grace = humantime::format_duration(options.consumer.grace);
                terminal::notice(&format!("ending: what is in hand is finished within {grace}; once more ends at once"));
                Ending::Asked
            }
            standing_by = idle(activity, &depths, options.until_idle) => {
                standing_by.iter().for_each(say_standing_by);
                Ending::Idle
            }
            closed = terminal::closed() => match closed {
                Ok(()) => Ending::Unread,
                Err(error) => Ending::Failed(error.into()),
            },
        }
    };
    let beside = async {
        let ((), never) = tokio::join!(say_limits(&options, &builder, Patience::Some), reloads.run());
        never
    };
    let Ended { failure, is_asked } = tokio::select! {
        ended = supervise(tasks, names, ending, stop, (options.consumer.grace, options.on_failure)) => ended,
        never = beside => match never {},
        never = tell_leaps() => match never {},
    };
    builder.connections.close().await;
    if !is_asked {
        // Somebody reads slowly; who does not read at all has to be told to end.
        tokio::select! {
            () = terminal::written() => {}
            () = &mut interrupted => {}
            () = sleep(options.consumer.grace), if failure.is_some() => {}
        }
    }
    failed.or(failure).map_or(Ok(()), |status| Err(Failure::silent(status)))
}
