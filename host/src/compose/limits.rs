//! Finding out whether a broker drops logs that come back too often, and saying so.
//!
//! What a queue was declared with is known; a policy or the operator may say something else, which only the
//! management plugin tells.

use std::time::Duration;

use futures_util::stream::{self, StreamExt};
use loghost_rabbitmq::{
    BrokerApi, Connection, DeliveryLimit, KnownQueue, ManagementUrl, Overrun, QueueOptions, TopologyEvent,
};
use tokio::time::sleep;

/// How often a limit that is not known yet is asked for: a broker knows a new queue's policy after some seconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum LimitQuestions {
    /// No second time.
    Once,
    /// Until a broker should know.
    UntilKnown,
}

impl LimitQuestions {
    fn questions(self) -> usize {
        match self {
            Self::Once => 1,
            Self::UntilKnown => 20,
        }
    }
}

/// The time between two questions.
const EVERY: Duration = Duration::from_secs(1);

/// How many queues are asked about at the same time.
const AT_ONCE: usize = 8;

/// Says which of the queues have a limit; returns when all that can be found out has been said.
pub(crate) async fn say(
    connection: &Connection,
    management: Option<&ManagementUrl>,
    queues: &QueueOptions,
    questions: LimitQuestions,
) {
    let suspects: Vec<KnownQueue> =
        queues.known.all().into_iter().filter(|queue| queue.limit != DeliveryLimit::None).collect();
    if suspects.is_empty() {
        // It has nothing to tell; but that there is none at all is worth a word to whoever has named one.
        if connection.product().cluster().is_none() {
            api(connection, management).await;
        }
        return;
    }
    let api = api(connection, management).await;
    let asking = stream::iter(suspects).map(|queue| {
        let api = &api;
        async move {
            let limit = match api {
                Some(api) => ask(api, &queue.name, questions).await,
                None => None,
            };
            queues.tell_limit(connection, &queue.name, &limit.unwrap_or(queue.limit));
        }
    });
    asking.buffer_unordered(AT_ONCE).collect::<()>().await;
}

/// The limit of one queue, as far as the broker says at once; says so if there is one.
pub(crate) async fn of_queue(
    connection: &Connection,
    management: Option<&ManagementUrl>,
    queue: &str,
) -> DeliveryLimit {
    let Some(api) = api(connection, management).await else { return DeliveryLimit::Unsaid };
    let limit = ask(&api, queue, LimitQuestions::Once).await.unwrap_or(DeliveryLimit::Unsaid);
    if let DeliveryLimit::At(limit, origin) = limit.clone() {
        let (queue, overrun) = (queue.to_owned(), Overrun::Dropped);
        connection.tell(None, &TopologyEvent::DeliveryLimit { queue, limit, origin, overrun });
    }
    limit
}

/// The management API; that there is none is only worth a word where somebody has said that there is one.
async fn api(connection: &Connection, given: Option<&ManagementUrl>) -> Option<BrokerApi> {
    find(connection, given).await.unwrap_or_else(|why| {
        connection.tell(None, &TopologyEvent::LimitsUnknown { cause: why });
        None
    })
}

/// The management API, if there is one.
///
/// # Errors
///
/// Why the one that was `given` is not asked. That there is none at the usual place is no error.
pub(crate) async fn find(
    connection: &Connection,
    given: Option<&ManagementUrl>,
) -> Result<Option<BrokerApi>, String> {
    match BrokerApi::find(connection, given).await.transpose() {
        Err(why) if given.is_some() => Err(why.to_string()),
        found => Ok(found.ok().flatten()),
    }
}

/// The limit of a queue; none if nothing can be found out.
async fn ask(api: &BrokerApi, queue: &str, questions: LimitQuestions) -> Option<DeliveryLimit> {
    let questions = questions.questions();
    for question in 1..=questions {
        match api.queue(queue).await.ok()??.delivery_limit() {
            None if question < questions => sleep(EVERY).await,
            limit => return limit,
        }
    }
    None
}
