//! `loghost run`: plugins side by side, each fed from its own queue.

mod declare;
mod prepare;

use std::collections::HashMap;
use std::fmt;
use std::path::PathBuf;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use futures_util::future::FutureExt;
use loghost_board::Board;
use loghost_core::application::Observer;
use loghost_core::domain::ConsumerName;
use loghost_rabbitmq::{Lifetime, ManagementUrl};
use loghost_wasm::Limits;
use tokio::sync::{mpsc, watch};
use tokio::task::{Id, JoinSet};
use tokio::time::sleep;

use self::declare::{declare, say_limits};
use self::prepare::{Prepared, prepare};
use crate::compose::configured::{Configured, Members};
use crate::compose::connections::Connections;
use crate::compose::consumer_builder::ConsumerBuilder;
use crate::compose::consumer_options::ConsumerOptions;
use crate::compose::control::Controls;
use crate::compose::depths::BrokerDepths;
use crate::compose::failure::{Failure, Status, WithStatus};
use crate::compose::idle::{Activity, ActivityObserver, Depths, idle};
use crate::compose::limits::Patience;
use crate::compose::listen::{Listen, Listening};
use crate::compose::loading::{self, Started, Wanted};
use crate::compose::observers::Observers;
use crate::compose::reload::{Reloads, Trigger};
use crate::compose::rereading::{Reread, Rereading};
use crate::compose::service::Service;
use crate::compose::settings::Settings;
use crate::compose::starter::{Opened, Starter};
use crate::compose::state;
use crate::compose::supervise::{Ended, Ending, OnFailure, Ran, run_alone, supervise};
use crate::compose::target::Target;
use crate::platform::leaps::tell_leaps;
use crate::platform::signals::{Hangups, interrupted_but_by_hangup};
use crate::ui::events::Queues;
use crate::ui::run::say_standing_by;
use crate::ui::terminal::{self, Format, LogObserver};
use crate::ui::view::{Shown, View};

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
    pub(crate) display: Display,
    pub(crate) consumer: ConsumerOptions,
    pub(crate) purpose: Purpose,
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
    fn rereading(&self) -> Option<Rereading> {
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
        let Self { target, management, listen, format, until_idle, state, on_failure, reload, .. } = self;
        let consumer = ConsumerOptions::default().within(&self.consumer);
        let of_run = (target, management, listen, format, until_idle, state, on_failure, reload);
        format!("{of_run:?} {consumer:?}")
    }

    /// What is to be loaded.
    pub(crate) fn wanted(&self) -> Wanted<'_> {
        let Self { members, settings, limits, consumer, on_failure, .. } = self;
        Wanted { members, settings, limits, options: consumer, on_failure: *on_failure }
    }
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
    service: &Arc<Service>,
    (board, listening): (&Arc<Board>, Option<&Listening>),
) -> Arc<dyn Observer> {
    let queues = match options.consumer.lifetime {
        Lifetime::Named => Queues::Named,
        Lifetime::Exclusive => Queues::Copies,
    };
    let mut observers: Vec<Arc<dyn Observer>> = vec![
        Arc::new(ActivityObserver(active.clone())),
        Arc::new(LogObserver { queues }),
        Arc::clone(service) as _,
    ];
    if listening.is_some() || options.display == Display::Screen {
        observers.push(Arc::clone(board) as _);
    }
    observers.extend(listening.map(|listening| listening.observer(queues)));
    Arc::new(Observers(observers))
}

/// Has the broker asked how much waits for the consumers, if their queues can be named.
fn ask_depths(options: &Options, board: &Board, builder: &ConsumerBuilder) {
    if options.consumer.lifetime == Lifetime::Named {
        // A run has one broker.
        let _ = board.ask_depths(Box::new(BrokerDepths::new(&builder.connections)));
    }
}

/// Shows the run on the screen, if that is wanted and possible.
fn view(options: &Options, board: &Arc<Board>, control: &Arc<Controls>) -> Option<View> {
    if options.display == Display::Lines {
        return None;
    }
    let (board, control) = (Arc::clone(board), Arc::clone(control) as _);
    let view = View::start(Shown { board, control });
    let failed = |error: &_| terminal::warning(&format!("there can be no view, only lines: {error}"));
    view.inspect_err(failed).ok()
}

/// Runs the plugins until asked to end, or until all of them have ended.
pub(crate) async fn run(options: Options) -> Result<(), Failure> {
    if options.members.is_empty() {
        let text = "which plugins? Name their files, or folders of them: loghost run plugins/error.wasm; or name consumers in a \
                    configuration file (`loghost config init` begins one)";
        return Err(Failure::new(Status::Usage, text));
    }
    let board = Arc::new(Board::default());
    let listening = match &options.listen {
        Some(listen) => Some(Listening::start(listen, Arc::clone(&board)).await?),
        None => None,
    };
    let ran = Box::pin(consume(options, &board, listening.as_ref())).await;
    if let Some(listening) = listening {
        listening.end().await;
    }
    ran
}

async fn consume(options: Options, board: &Arc<Board>, listening: Option<&Listening>) -> Result<(), Failure> {
    // From here on, SIGHUP is a wish for new versions, and does not end the process.
    let hangups = Hangups::new().status(Status::Internal)?;
    let mut interrupted = pin!(interrupted_but_by_hangup().status(Status::Internal)?.fuse());
    let Started { members, failed } = loading::start(&options.wanted())?;
    let state = state::open(options.state.as_deref())?;
    let (another, others) = mpsc::channel(1);
    let (controls, requests) = Controls::new();
    let mut reloads = Reloads::new(hangups, options.reload, options.rereading(), requests, another);
    let (active, activity) = watch::channel(Activity::now());
    let (service, _telling) = Service::start(activity.clone());
    let observer = observer(&options, &active, &service, (board, listening));
    for (member, _) in &members {
        board.expect(member.name(), member.settings());
    }
    let view = view(&options, board, &controls);
    let connections = tokio::select! {
        connected = Connections::connect(&options.target, ["consuming", "publishing"], &observer) => connected?,
        () = &mut interrupted => return Ok(()),
    };
    let builder = ConsumerBuilder::new(connections, options.consumer.clone(), members.len())
        .management(options.management.clone())
        .state(state);
    ask_depths(&options, board, &builder);
    let (stop, stopped) = watch::channel(false);
    let starter = Arc::new(Starter {
        builder,
        format: options.format,
        active,
        observer,
        depths: Depths::default(),
        board: Arc::clone(board),
        controls,
        service,
        stopped,
    });
    let builder = &starter.builder;
    let preparing = async {
        if options.purpose == Purpose::Declare {
            let failed = declare(&options, builder, &members, &*starter.observer).await.or(failed);
            return Ok(Prepared { failed, ..Prepared::default() });
        }
        let preparing = prepare(&options, &starter, members, &mut reloads);
        let mut prepared = Box::pin(preparing).await?;
        prepared.failed = failed.or(prepared.failed);
        Ok(prepared)
    };
    let prepared = tokio::select! {
        prepared = preparing => prepared.map(Some),
        () = &mut interrupted => Ok(None),
    };
    let Prepared { ready, failed } = match prepared {
        Ok(Some(prepared)) => prepared,
        // Some may have logs in hand already: they are given back.
        unprepared => {
            builder.connections.close().await;
            return unprepared.map(drop);
        }
    };

    let mut tasks = JoinSet::new();
    let (names, no_thread) = begin(ready, &mut tasks);
    let why = async {
        if let Some(failure) = no_thread {
            return Ending::Failed(failure);
        }
        tokio::select! {
            () = &mut interrupted => {
                let grace = humantime::format_duration(options.consumer.grace);
                terminal::notice(&format!("ending: what is in hand is finished within {grace}; once more ends at once"));
                Ending::Asked
            }
            standing_by = idle(activity, &starter.depths, options.until_idle) => {
                standing_by.iter().for_each(say_standing_by);
                Ending::Idle
            }
            closed = terminal::closed() => match closed {
                Ok(()) => Ending::Unread,
                Err(error) => Ending::Failed(error.into()),
            },
        }
    };
    let ending = async {
        let why = why.await;
        starter.service.stopping();
        why
    };
    let beside = async {
        let ((), never) = tokio::join!(say_limits(&options, builder, Patience::Some), reloads.run(&starter));
        never
    };
    let Ended { failure, is_asked } = tokio::select! {
        ended = supervise(tasks, names, others, ending, stop, (options.consumer.grace, options.on_failure)) => ended,
        never = beside => match never {},
        never = tell_leaps() => match never {},
    };
    // Also where they have ended by themselves.
    starter.service.stopping();
    builder.connections.close().await;
    drop(view);
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

/// Runs consumers, each as one of the `tasks`, of which it gives the names; and why some do not run, if the system has no more
/// threads.
fn begin(ready: Vec<Opened>, tasks: &mut JoinSet<Ran>) -> (HashMap<Id, ConsumerName>, Option<Failure>) {
    let mut names = HashMap::new();
    for opened in ready {
        let name = opened.descriptor.name.clone();
        match run_alone(tasks, async { Ok(Some(Box::pin(opened.run()).await)) }) {
            Ok(task) => names.insert(task.id(), name),
            Err(error) => {
                let failure = Failure::of(Status::System, anyhow::Error::new(error).context(name));
                return (names, Some(failure));
            }
        };
    }
    (names, None)
}
