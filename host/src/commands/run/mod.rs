//! `loghost run`: plugins side by side, each fed from its own queue.

mod declare;
mod options;
mod prepare;
mod shown;

use std::collections::HashMap;
use std::pin::{Pin, pin};
use std::sync::Arc;

use futures_util::future::{Fuse, FutureExt};
use loghost_board::{Board, process_begins};
use loghost_core::application::{Observer, RunEvent};
use loghost_core::domain::{ConsumerName, printable_line};
use tokio::sync::{mpsc, watch};
use tokio::task::{Id, JoinSet};
use tokio::time::sleep;

use self::declare::{declare, say_limits};
pub(crate) use self::options::{Configuration, Detail, Display, Options, RunPurpose};
use self::prepare::{Prepared, prepare};
use self::shown::{ask_depths, observer, view};
use crate::compose::connections::Connections;
use crate::compose::consumer_builder::ConsumerBuilder;
use crate::compose::failure::{Failure, Status, WithStatus};
use crate::compose::limits::LimitQuestions;
use crate::compose::plugins::loading::{self, Started};
use crate::compose::running::control::{Controls, Requests};
use crate::compose::running::idle::{Activity, RunDepths, idle};
use crate::compose::running::leaps::tell_leaps;
use crate::compose::running::listen::Listening;
use crate::compose::running::reload::Reloads;
use crate::compose::running::replays::Replays;
use crate::compose::running::service::Service;
use crate::compose::running::starter::{OpenedConsumer, Starter};
use crate::compose::running::supervise::{Ended, RunResult, StopReason, run_alone, supervise};
use crate::compose::running::telemetry::Telemetry;
use crate::compose::state;
use crate::platform::signals::Hangups;
use crate::ui::events::command::{HostEvent, tell};
use crate::ui::terminal::{self, LogObserver};

/// Runs the plugins until asked to end, or until all of them have ended.
pub(crate) async fn run(options: Options) -> Result<(), Failure> {
    if options.members.is_empty() {
        return Err(no_plugins(options.configuration.as_ref()));
    }
    process_begins();
    let board = Arc::new(Board::default());
    let (controls, requests) = Controls::new(options.consumer.lifetime);
    let log: Arc<dyn Observer> = Arc::new(LogObserver::default());
    let listening = match &options.listen {
        Some(listen) => {
            Some(Listening::start(listen, Arc::clone(&board), Arc::clone(&controls), &*log).await?)
        }
        None => None,
    };
    let measuring = Arc::clone(&controls) as _;
    let telemetry = options.telemetry.clone();
    let telemetry =
        telemetry.map(|options| Telemetry::start(options, Arc::clone(&board), measuring, Arc::clone(&log)));
    let shown = (listening.as_ref(), telemetry.as_ref());
    let ran = Box::pin(consume(options, &board, (controls, requests), shown)).await;
    if let Some(telemetry) = telemetry {
        telemetry.end().await;
    }
    if let Some(listening) = listening {
        listening.end().await;
    }
    ran
}

/// Nothing is said of what is to be run.
fn no_plugins(configuration: Option<&Configuration>) -> Failure {
    let consumers = match configuration {
        Some(Configuration { file, .. }) => {
            let file = printable_line(&file.to_string_lossy()).into_owned();
            format!(
                "consumers in {file}, which has none: each is a table there, [consumers.error] with its `plugin`"
            )
        }
        None => "consumers in a configuration file (`loghost config init` begins one)".to_owned(),
    };
    let text = format!(
        "which plugins? Name their files, or folders of them: loghost run plugins/error.wasm; or name {consumers}"
    );
    Failure::new(Status::Usage, text)
}

async fn consume(
    options: Options,
    board: &Arc<Board>,
    (controls, requests): (Arc<Controls>, Requests),
    (listening, telemetry): (Option<&Listening>, Option<&Telemetry>),
) -> Result<(), Failure> {
    // From here on, SIGHUP is a wish for new versions, and ends the process only with its terminal.
    let hangups = Hangups::new().status(Status::Internal)?;
    let mut interrupted = pin!(hangups.interrupted().status(Status::Internal)?.fuse());
    let Started { members, failed } = loading::start(&options.wanted(&LogObserver::default()))?;
    let (another, others) = mpsc::channel(1);
    let mut reloads = Reloads::new(hangups, options.reload, options.rereading(), requests.reloads, another);
    let (active, activity) = watch::channel(Activity::now());
    let (service, _telling) = Service::start(activity.clone(), Arc::new(LogObserver::default()));
    let observer = observer(&options, &active, &service, (board, listening, telemetry));
    let state = state::open(options.state.as_deref(), &*observer)?;
    for (member, _) in &members {
        board.expect(member.name(), member.settings());
    }
    let view = view(&options, board, &controls, &observer);
    let connections = tokio::select! {
        connected = Connections::connect(&options.target, ["consuming", "publishing"], &observer) => connected?,
        () = &mut interrupted => return Ok(()),
    };
    let builder = ConsumerBuilder::new(connections, options.consumer.clone(), members.len())
        .management(options.management.clone())
        .state(state)
        .tracing(telemetry.and_then(Telemetry::tracing));
    ask_depths(&options, board, &builder);
    let (stop, stopped) = watch::channel(false);
    let starter = Arc::new(Starter {
        builder,
        format: options.format,
        active,
        observer,
        depths: RunDepths::default(),
        board: Arc::clone(board),
        controls,
        service,
        stopped,
    });
    let builder = &starter.builder;
    let preparing = async {
        if options.purpose == RunPurpose::Declare {
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

    let replays = Replays {
        requests: requests.replays,
        target: options.target.clone(),
        management: options.management.clone(),
        observer: Arc::clone(&starter.observer),
    };
    let replaying = tokio::spawn(replays.run(starter.stopped.clone()));
    let mut tasks = JoinSet::new();
    let (names, no_thread) = begin(ready, &mut tasks);
    let ending = async {
        let why = match no_thread {
            Some(failure) => StopReason::Failed(failure),
            None => asked_or_idle(&options, interrupted.as_mut(), activity, &starter).await,
        };
        starter.service.stopping();
        why
    };
    let beside = async {
        let ((), never) =
            tokio::join!(say_limits(&options, builder, LimitQuestions::UntilKnown), reloads.run(&starter));
        never
    };
    let options_of_end = (options.consumer.grace, options.on_failure);
    let supervising = supervise(tasks, names, others, ending, stop, options_of_end, &*starter.observer);
    let Ended { failure, is_asked } = tokio::select! {
        ended = supervising => ended,
        never = beside => match never {},
        never = tell_leaps(&*starter.observer) => match never {},
    };
    // Also where they have ended by themselves.
    starter.service.stopping();
    // It ends as the consumers do.
    let _ = replaying.await;
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

/// Why consumers are to end that have begun.
async fn asked_or_idle(
    options: &Options,
    mut interrupted: Pin<&mut Fuse<impl Future<Output = ()>>>,
    activity: watch::Receiver<Activity>,
    starter: &Starter,
) -> StopReason {
    tokio::select! {
        () = &mut interrupted => {
            starter.tell(RunEvent::Ending(options.consumer.grace));
            StopReason::Asked
        }
        standing_by = idle(activity, &starter.depths, options.until_idle) => {
            for consumer in standing_by {
                tell(&*starter.observer, HostEvent::EndsStandingBy(consumer));
            }
            StopReason::Idle
        }
        closed = terminal::closed() => match closed {
            Ok(()) => StopReason::Unread,
            Err(error) => StopReason::Failed(error.into()),
        },
    }
}

/// Runs consumers, each as one of the `tasks`, of which it gives the names; and why some do not run, if the system has no more
/// threads.
fn begin(
    ready: Vec<OpenedConsumer>,
    tasks: &mut JoinSet<RunResult>,
) -> (HashMap<Id, ConsumerName>, Option<Failure>) {
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
