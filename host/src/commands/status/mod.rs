//! `loghost status`: how far behind consumers are, from the broker alone, or with what their hosts know.

mod streams;

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::pin::pin;
use std::sync::Arc;
use std::time::{Duration, Instant};

use loghost_core::domain::ConsumerName;
use loghost_rabbitmq::{BrokerApi, Connection, ManagementUrl, QueueFigures, StreamAddress, queue_state};
use tokio::time::sleep;

use self::streams::Streams;
use crate::compose::failure::{Failure, Status, WithStatus};
use crate::compose::limits;
use crate::compose::running_host::{RunningConsumerStatus, RunningHost};
use crate::compose::target::{Target, refused};
use crate::platform::signals::interrupted;
use crate::ui::events::command::StatusEvent;
use crate::ui::status::{self, ConsumerStatus, Health, Hosted, QueueSample, StreamsLook};
use crate::ui::terminal::{self, OutputFormat};

/// What `status` is asked for.
#[derive(Clone, Debug)]
pub(crate) struct Options {
    pub(crate) target: Target,
    /// Where the broker's management plugin is, if it is not where it usually is.
    pub(crate) management: Option<ManagementUrl>,
    /// Where the stream protocol is spoken, if not where the broker says.
    pub(crate) stream_address: Option<StreamAddress>,
    /// The states of the hosts that took turns.
    pub(crate) states: Vec<PathBuf>,
    /// A host that runs.
    pub(crate) host: Option<RunningHost>,
    /// All that the management plugin or the host knows, if none is named.
    pub(crate) consumers: Vec<ConsumerName>,
    /// The time between two looks.
    pub(crate) over: Duration,
    pub(crate) format: OutputFormat,
}

/// The time between two looks, if nothing else is said.
pub(crate) const OVER: Duration = Duration::from_secs(2);

/// Looks twice, and shows what was seen.
pub(crate) async fn status(options: Options) -> Result<(), Failure> {
    let mut interrupted = pin!(interrupted().status(Status::Internal)?);
    let seen = tokio::select! {
        seen = look(&options) => seen?,
        () = &mut interrupted => return Err(Failure::new(Status::Unavailable, "interrupted")),
    };
    status::print(&seen, options.management.is_some(), options.format)?;
    if seen.iter().all(|seen| seen.health() == Health::Good) {
        Ok(())
    } else {
        Err(Failure::silent(Status::Differs))
    }
}

async fn look(options: &Options) -> Result<Vec<ConsumerStatus>, Failure> {
    let target = &options.target;
    let reconnecting = target.connect("status").await?;
    let connection = reconnecting.connection().await.map_err(|error| target.unreachable(&error))?;
    let seen = tokio::select! {
        biased;
        seen = Box::pin(look_through(&connection, options)) => seen,
        // The client answers nothing that is asked of it just after a connection has ended.
        () = connection.end() => Err(Failure::new(
            Status::Unavailable,
            format!("lost the connection to the broker at {}", connection.address()),
        )),
    };
    connection.close().await;
    seen
}

async fn look_through(
    connection: &Arc<Connection>,
    options: &Options,
) -> Result<Vec<ConsumerStatus>, Failure> {
    let names = &options.target.names;
    let api = limits::find(connection, options.management.as_ref()).await;
    let hosted = hosted(options).await;
    let consumers = consumers(options, &api, &hosted).await?;
    let api = api.unwrap_or_else(|why| {
        terminal::tell(StatusEvent::NoManagement(why));
        None
    });
    let queues: Vec<String> = consumers.iter().map(|consumer| names.queue(consumer)).collect();
    let streams = Streams::find(connection, options).await?;
    let looking = Looking { connection, queues: &queues, streams: &streams, consumers: &consumers };
    let before = looking.look(&hosted).await?;
    sleep(options.over).await;
    let hosted = self::hosted(options).await;
    let now = looking.look(&hosted).await?;
    let all_figures = figures(api.as_ref(), &queues).await;
    let listed = match &api {
        // That it does not answer was said of the figures.
        Some(api) => api.queues().await.unwrap_or_default(),
        None => Vec::new(),
    };
    let mut seen = Vec::new();
    let looks = before.into_iter().zip(now).zip(all_figures);
    for ((consumer, queue), ((before, now), figures)) in consumers.into_iter().zip(queues).zip(looks) {
        let dead = queue_state(connection, &names.dead_queue(&consumer)).await.map_err(refused)?;
        let standing_by = listed.iter().filter(|queue| names.is_standby_of(queue, &consumer)).count();
        let hosted = hosted.iter().find(|hosted| hosted.name == consumer.as_str());
        seen.push(ConsumerStatus {
            dead_letters: dead.map(|state| state.messages),
            hosted: hosted
                .cloned()
                .map(|RunningConsumerStatus { state, reason, .. }| Hosted { state, reason }),
            consumer,
            queue,
            before: before.0,
            now: now.0,
            streams_before: before.1,
            streams_now: now.1,
            figures,
            standing_by,
        });
    }
    let looked: Vec<_> = seen.iter().map(|seen| (&seen.consumer, &seen.streams_now)).collect();
    streams.say_unknown(&looked);
    Ok(seen)
}

/// What is looked at.
struct Looking<'a> {
    connection: &'a Connection,
    consumers: &'a [ConsumerName],
    /// Those of the consumers, in their order.
    queues: &'a [String],
    streams: &'a Streams<'a>,
}

impl Looking<'_> {
    /// Looks at each queue and at what each consumer has read of streams, in the order of the consumers.
    async fn look(
        &self,
        hosted: &[RunningConsumerStatus],
    ) -> Result<Vec<(QueueSample, StreamsLook)>, Failure> {
        let mut looks = Vec::new();
        for queue in self.queues {
            let state = queue_state(self.connection, queue).await.map_err(refused)?;
            looks.push(QueueSample { at: Instant::now(), state });
        }
        let streams = self.streams.look(self.consumers, hosted).await?;
        Ok(looks.into_iter().zip(streams).collect())
    }
}

/// What the host says, if one is to be asked. Warns if it says nothing.
async fn hosted(options: &Options) -> Vec<RunningConsumerStatus> {
    let Some(host) = &options.host else { return Vec::new() };
    host.consumers().await.unwrap_or_else(|why| {
        terminal::tell(StatusEvent::NoHost(why));
        Vec::new()
    })
}

/// Those that are named, or all that have a queue, or all of the host where that is not known.
async fn consumers(
    options: &Options,
    api: &Result<Option<BrokerApi>, String>,
    hosted: &[RunningConsumerStatus],
) -> Result<Vec<ConsumerName>, Failure> {
    if !options.consumers.is_empty() {
        let mut named: Vec<ConsumerName> = Vec::new();
        for consumer in &options.consumers {
            if !named.contains(consumer) {
                named.push(consumer.clone());
            }
        }
        return Ok(named);
    }
    if !hosted.is_empty() && !matches!(api, Ok(Some(_))) {
        let names = hosted.iter().filter_map(|hosted| ConsumerName::new(&*hosted.name).ok());
        return Ok(names.collect());
    }
    let api = api.as_ref().map_err(|why| {
        let text = "which consumers there are only the management API tells: name them, as in `loghost status error \
                    critical`";
        Failure::new(Status::Unavailable, format!("{why}; {text}"))
    })?;
    let Some(api) = api else {
        let text = "which consumers there are only the management API tells: name them, as in `loghost status error \
                    critical`, or give --management-url";
        return Err(Failure::new(Status::Usage, text));
    };
    let queues = api.queues().await.status(Status::Unavailable)?;
    let consumers: BTreeSet<ConsumerName> =
        queues.iter().filter_map(|queue| options.target.names.consumer_of(queue)).collect();
    Ok(consumers.into_iter().collect())
}

/// The figures of each of the queues, in their order; none where the management API does not tell them. Warns if it fails.
async fn figures(api: Option<&BrokerApi>, queues: &[String]) -> Vec<Option<QueueFigures>> {
    let mut all = Vec::new();
    let mut failed = 0;
    let mut first = None;
    for queue in queues {
        let Some(api) = api else {
            all.push(None);
            continue;
        };
        all.push(api.figures(queue).await.unwrap_or_else(|error| {
            failed += 1;
            first.get_or_insert(error);
            None
        }));
    }
    if let Some(error) = first {
        terminal::tell(StatusEvent::FiguresUnknown(failed, error.to_string()));
    }
    all
}
