//! `loghost status`: how far behind consumers are, from the broker alone.

use std::collections::BTreeSet;
use std::pin::pin;
use std::time::Duration;

use loghost_core::domain::ConsumerName;
use loghost_rabbitmq::{BrokerApi, Connection, ManagementUrl, Names, QueueState, queue_state};
use tokio::time::sleep;

use crate::compose::failure::{Failure, Status, WithStatus};
use crate::compose::limits;
use crate::compose::target::{Target, refused};
use crate::platform::signals::interrupted;
use crate::ui::status::{self, Health, Seen};
use crate::ui::terminal::Format;

/// What `status` is asked for.
#[derive(Clone, Debug)]
pub(crate) struct Options {
    pub(crate) target: Target,
    /// Where the broker's management plugin is, if it is not where it usually is.
    pub(crate) management: Option<ManagementUrl>,
    /// All that the management plugin knows, if none is named.
    pub(crate) consumers: Vec<ConsumerName>,
    /// The time between two looks.
    pub(crate) over: Duration,
    pub(crate) format: Format,
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
    status::print(&seen, options.over, options.format)?;
    if seen.iter().all(|seen| seen.health() == Health::Good) {
        Ok(())
    } else {
        Err(Failure::silent(Status::Differs))
    }
}

async fn look(options: &Options) -> Result<Vec<Seen>, Failure> {
    let target = &options.target;
    let reconnecting = target.connect("status").await?;
    let connection = reconnecting.connection().await.map_err(|error| target.unreachable(&error))?;
    let seen = tokio::select! {
        biased;
        seen = look_through(&connection, options) => seen,
        // The client answers nothing that is asked of it just after a connection has ended.
        () = connection.end() => Err(Failure::new(
            Status::Unavailable,
            format!("lost the connection to the broker at {}", connection.address()),
        )),
    };
    connection.close().await;
    seen
}

async fn look_through(connection: &Connection, options: &Options) -> Result<Vec<Seen>, Failure> {
    let names = &options.target.names;
    let api = limits::api(connection, options.management.as_ref()).await;
    let consumers = consumers(options, api.as_ref()).await?;
    let before = states(connection, names, &consumers).await?;
    sleep(options.over).await;
    let now = states(connection, names, &consumers).await?;
    let mut seen = Vec::new();
    for ((consumer, before), now) in consumers.into_iter().zip(before).zip(now) {
        let queue = names.queue(&consumer);
        let dead = queue_state(connection, &names.dead_queue(&consumer)).await.map_err(refused)?;
        let figures = match &api {
            Some(api) => api.figures(&queue).await.ok().flatten(),
            None => None,
        };
        let dead_letters = dead.map(|state| state.messages);
        seen.push(Seen { consumer, queue, before, now, dead_letters, figures });
    }
    Ok(seen)
}

/// Those that are named, or all that have a queue.
async fn consumers(options: &Options, api: Option<&BrokerApi>) -> Result<Vec<ConsumerName>, Failure> {
    if !options.consumers.is_empty() {
        let mut named: Vec<ConsumerName> = Vec::new();
        for consumer in &options.consumers {
            if !named.contains(consumer) {
                named.push(consumer.clone());
            }
        }
        return Ok(named);
    }
    let queues = match api {
        Some(api) => Some(api.queues().await.status(Status::Unavailable)?),
        None => None,
    };
    let queues = queues.ok_or_else(|| {
        let text = "which consumers there are only the management API tells: name them, as in `loghost status error \
                    critical`, or give --management-url";
        Failure::new(Status::Usage, text)
    })?;
    let consumers: BTreeSet<ConsumerName> =
        queues.iter().filter_map(|queue| options.target.names.consumer_of(queue)).collect();
    Ok(consumers.into_iter().collect())
}

async fn states(
    connection: &Connection,
    names: &Names,
    consumers: &[ConsumerName],
) -> Result<Vec<Option<QueueState>>, Failure> {
    let mut states = Vec::new();
    for consumer in consumers {
        states.push(queue_state(connection, &names.queue(consumer)).await.map_err(refused)?);
    }
    Ok(states)
}
