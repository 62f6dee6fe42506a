//! `loghost sources`: which exchanges carry logs, of which producers, and how `loghost run` is told to take them.

mod candidates;
mod levels;
mod observed;

use std::collections::BTreeMap;
use std::future::Future;
use std::num::NonZeroU64;
use std::pin::pin;
use std::time::Duration;

use futures_util::future::try_join_all;
use futures_util::stream::{BoxStream, SelectAll, StreamExt};
use loghost_rabbitmq::{
    ConnectError, Connection, ManagementUrl, ReconnectingConnection, RouteText, Sample, SampleQueue,
    TopologyError,
};
use tokio::time::{Instant, sleep};

use self::candidates::{Candidate, Candidates};
use self::observed::Observed;
use crate::compose::failure::{Failure, Status, WithStatus};
use crate::compose::limits;
use crate::compose::target::{Target, refused};
use crate::platform::signals::interrupted;
use crate::ui::events::command::SourcesEvent;
use crate::ui::sources::{self, NotLookedAt, ObservedExchange};
use crate::ui::terminal::{self, OutputFormat};

/// What `sources` is asked for.
#[derive(Clone, Debug)]
pub(crate) struct Options {
    pub(crate) target: Target,
    /// Where the broker's management plugin is, if it is not where it usually is.
    pub(crate) management: Option<ManagementUrl>,
    /// The exchanges to look at, each with the key if only that is; all that the management plugin knows, if none is named.
    pub(crate) exchanges: Vec<RouteText>,
    /// How long is looked.
    pub(crate) period: Duration,
    /// It ends after so many logs.
    pub(crate) max_logs: Option<NonZeroU64>,
    pub(crate) format: OutputFormat,
}

/// How long is looked, if nothing else is said.
pub(crate) const PERIOD: Duration = Duration::from_secs(5);

/// How many messages of each exchange are looked at.
const MOST_SAMPLES: usize = 1000;

/// How many queues are declared at the same time.
const AT_ONCE: usize = 8;

/// What is looked at, and what is not.
#[derive(Default)]
struct OpenExchanges<'c> {
    samples: SelectAll<BoxStream<'static, Sample>>,
    looked_at: Vec<&'c Candidate>,
    left_out: Vec<NotLookedAt>,
}

/// What was seen while it was looked.
struct Observation {
    seen: Vec<ObservedExchange>,
    not_looked_at: Vec<NotLookedAt>,
    /// Why it was not looked to the end, and how long it was, if the connection could not be made again.
    lost: Option<(ConnectError, Duration)>,
    /// How often the connection was lost and made again.
    reconnects: u32,
}

/// Looks at what flows, and shows it. Whoever interrupts it sees what was seen so far, and so does whoever loses the connection for
/// the rest of the time.
pub(crate) async fn sources(options: Options) -> Result<(), Failure> {
    let mut interrupted = pin!(interrupted().status(Status::Internal)?);
    let target = &options.target;
    let connections = target.connect("sources").await?;
    let look = Box::pin(look(&connections, &options, &mut interrupted)).await;
    connections.close().await;
    let Observation { seen, not_looked_at, lost, reconnects } = look?;
    sources::print(&seen, &not_looked_at, target.names.prefix(), &target.to_give(), options.format)?;
    if let Some((error, after)) = lost {
        let text = format!("what was seen in the {} before is shown", humantime::format_duration(after));
        return Err(Failure::of(Status::Unavailable, anyhow::Error::new(error).context(text)));
    }
    if reconnects > 0 {
        terminal::tell(SourcesEvent::Reconnected(reconnects));
    }
    if seen.iter().any(ObservedExchange::has_logs) {
        Ok(())
    } else {
        Err(Failure::new(Status::Differs, sources::nothing_seen(!options.exchanges.is_empty())))
    }
}

async fn look(
    connections: &ReconnectingConnection,
    options: &Options,
    interrupted: impl Future<Output = ()>,
) -> Result<Observation, Failure> {
    let mut connection =
        connections.connection().await.map_err(|error| options.target.unreachable(&error))?;
    let api = limits::find(&connection, options.management.as_ref()).await.unwrap_or_else(|why| {
        terminal::tell(SourcesEvent::NoManagement(why));
        None
    });
    let Candidates { candidates, left_out } = candidates::find(api.as_ref(), options).await;
    let opened = open_alive(&connection, &candidates, &BTreeMap::new()).await?;
    // The client answers nothing that is asked of it just after a connection has ended.
    let Some(OpenExchanges { mut samples, looked_at, left_out: refused }) = opened else {
        return Err(Failure::of(Status::Unavailable, connection.loss().await));
    };
    let of = |candidate: &&Candidate| (candidate.exchange.clone(), Observed::of(candidate));
    let mut observed: BTreeMap<String, Observed> = looked_at.iter().map(of).collect();
    if !observed.is_empty() {
        let address = connection.address().to_string();
        terminal::tell(SourcesEvent::Looking { exchanges: observed.len(), period: options.period, address });
    }
    let begin = Instant::now();
    let mut over = pin!(async {
        tokio::select! {
            () = sleep(options.period) => {}
            () = interrupted => {}
        }
    });
    let mut left = options.max_logs.map_or(u64::MAX, NonZeroU64::get);
    let (mut lost, mut reconnects) = (None, 0);
    while left > 0 {
        let sample = tokio::select! {
            biased;
            () = &mut over => break,
            () = connection.end() => Err(()),
            sample = samples.next() => Ok(sample),
        };
        // All that is looked at was seen as often as is enough, or nothing is.
        if matches!(sample, Ok(None)) && !connection.is_gone().await {
            break;
        }
        if let Ok(Some(sample)) = sample {
            left = left.saturating_sub(sample.logs.len() as u64);
            observed.entry(sample.exchange.clone()).or_default().note(&sample, begin.elapsed());
            continue;
        }
        let (after, cause) = (begin.elapsed(), connection.loss().await);
        let again = async {
            let again = connections.connection().await?;
            let opened = open_alive(&again, &candidates, &observed).await;
            Ok::<_, ConnectError>((opened, again))
        };
        let again = tokio::select! {
            again = again => again,
            () = &mut over => Err(cause),
        };
        match again {
            Ok((opened, again)) => {
                connection = again;
                reconnects += 1;
                // Without queues it has ended once more.
                samples = opened?.map(|opened| opened.samples).unwrap_or_default();
            }
            Err(error) => {
                lost = Some((error, after));
                break;
            }
        }
    }
    let names = &options.target.names;
    let seen =
        observed.into_iter().map(|(exchange, observed)| observed.seen(exchange, names, begin.elapsed()));
    let not_looked_at = left_out.into_iter().chain(refused).collect();
    Ok(Observation { seen: seen.collect(), not_looked_at, lost, reconnects })
}

/// The same as [`open`]; none if the connection has ended meanwhile.
async fn open_alive<'c>(
    connection: &Connection,
    candidates: &'c [Candidate],
    observed: &BTreeMap<String, Observed>,
) -> Result<Option<OpenExchanges<'c>>, Failure> {
    tokio::select! {
        biased;
        opened = open(connection, candidates, observed) => match opened {
            Err(_) if !connection.is_alive() => Ok(None),
            opened => opened.map(Some),
        },
        () = connection.end() => Ok(None),
    }
}

/// Binds a queue to each of the exchanges, for as many messages as were not `observed` yet; what the broker does not allow is left
/// out, and why.
async fn open<'c>(
    connection: &Connection,
    candidates: &'c [Candidate],
    observed: &BTreeMap<String, Observed>,
) -> Result<OpenExchanges<'c>, Failure> {
    let mut opened = OpenExchanges::default();
    for some in candidates.chunks(AT_ONCE) {
        let queues = try_join_all(some.iter().map(|candidate| bound(connection, candidate))).await?;
        for (candidate, queue) in some.iter().zip(queues) {
            match queue {
                Ok(queue) => {
                    let most = MOST_SAMPLES - observed.get(&candidate.exchange).map_or(0, Observed::messages);
                    opened.samples.push(queue.samples(most).boxed());
                    opened.looked_at.push(candidate);
                }
                Err(refusal) => {
                    let reason =
                        Some(refusal).filter(|error| !error.is_missing()).map(|error| error.to_string());
                    opened.left_out.extend(candidate.left_out(reason));
                }
            }
        }
    }
    Ok(opened)
}

/// A queue that is bound to an exchange, or why the broker does not bind it.
async fn bound(
    connection: &Connection,
    candidate: &Candidate,
) -> Result<Result<SampleQueue, TopologyError>, Failure> {
    let queue = SampleQueue::open(connection).await.map_err(refused)?;
    for key in &candidate.keys {
        match queue.bind(&candidate.exchange, key).await {
            Ok(()) => {}
            Err(error) if error.is_missing() || error.is_refusal() => return Ok(Err(error)),
            Err(error) => return Err(refused(error)),
        }
    }
    Ok(Ok(queue))
}
