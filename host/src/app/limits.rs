//! Finding out whether a broker drops logs that come back too often, and saying so.
//!
//! What a queue was declared with is known; a policy or the operator may say something else, which only the
//! management plugin tells.

use std::time::Duration;

use futures_util::stream::{self, StreamExt};
use tokio::time::sleep;

use crate::adapters::amqp::{
    Connection, DeliveryLimit, KnownQueue, LimitOrigin, Overrun, QueueOptions, warning,
};
use crate::adapters::management::{
    Credentials, ManagedLimit, ManagedOrigin, Management, ManagementError, ManagementUrl,
};
use crate::adapters::terminal;

/// How long what is not known yet is asked for: a broker knows a new queue's policy after some seconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Patience {
    /// Not at all.
    None,
    /// Until a broker should know.
    Some,
}

impl Patience {
    fn questions(self) -> usize {
        match self {
            Self::None => 1,
            Self::Some => 20,
        }
    }
}

/// The time between two questions.
const EVERY: Duration = Duration::from_secs(1);

/// How many queues are asked about at the same time.
const AT_ONCE: usize = 8;

/// Says which of the queues have a limit; returns when all that can be found out has been said.
pub(super) async fn say(
    connection: &Connection,
    management: Option<&ManagementUrl>,
    queues: &QueueOptions,
    patience: Patience,
) {
    let suspects: Vec<KnownQueue> =
        queues.known.all().into_iter().filter(|queue| queue.limit != DeliveryLimit::None).collect();
    if suspects.is_empty() {
        return;
    }
    let asked = Asked::of(connection, management).await;
    let asking = stream::iter(suspects).map(|queue| {
        let asked = &asked;
        async move {
            let limit = match asked {
                Some(asked) => asked.limit(&queue.name, patience).await,
                None => None,
            };
            queues.tell_limit(&queue.name, &limit.unwrap_or(queue.limit));
        }
    });
    asking.buffer_unordered(AT_ONCE).collect::<()>().await;
}

/// The limit of one queue, as far as the broker says at once; says so if there is one.
pub(super) async fn of_queue(
    connection: &Connection,
    management: Option<&ManagementUrl>,
    queue: &str,
) -> DeliveryLimit {
    let Some(asked) = Asked::of(connection, management).await else { return DeliveryLimit::Unsaid };
    let limit = asked.limit(queue, Patience::None).await.unwrap_or(DeliveryLimit::Unsaid);
    if let DeliveryLimit::At(limit, origin) = &limit {
        terminal::notice(&warning(queue, *limit, origin, Overrun::Dropped));
    }
    limit
}

/// The management API of the broker that there is a connection to.
struct Asked {
    management: Management,
    vhost: String,
}

impl Asked {
    /// None if it cannot be reached: that is only worth a word where somebody has said that there is one.
    async fn of(connection: &Connection, given: Option<&ManagementUrl>) -> Option<Self> {
        let cluster = connection.product().cluster()?;
        let access = connection.address().access();
        let credentials = Credentials { user: access.user.to_owned(), password: access.password.to_owned() };
        let is_given = given.is_some();
        let usual = || ManagementUrl::usual(&access.host, access.is_encrypted).ok();
        let url = given.cloned().or_else(usual)?;
        let authorities = access.authorities.map(ToOwned::to_owned);
        let finding = async {
            let management = Management::new(url, credentials, authorities)?;
            let overview = management.overview().await?;
            Ok::<_, ManagementError>((management, overview))
        };
        match finding.await {
            Ok((management, overview)) if overview.cluster_name == cluster => {
                Some(Self { management, vhost: access.vhost.to_owned() })
            }
            Ok((_, overview)) if is_given => {
                terminal::notice(&format!(
                    "--management-url: that is the cluster {}, and the broker is of {cluster}: it is not asked",
                    overview.cluster_name
                ));
                None
            }
            Err(error) if is_given => {
                terminal::notice(&format!("cannot find out about delivery limits: {error}"));
                None
            }
            Ok(_) | Err(_) => None,
        }
    }

    /// The limit of a queue; none if nothing can be found out.
    async fn limit(&self, queue: &str, patience: Patience) -> Option<DeliveryLimit> {
        let questions = patience.questions();
        for question in 1..=questions {
            match self.management.queue(&self.vhost, queue).await.ok()??.delivery_limit() {
                ManagedLimit::None => return Some(DeliveryLimit::None),
                ManagedLimit::At(limit, origin) => return Some(DeliveryLimit::At(limit, origin.into())),
                ManagedLimit::Unknown if question < questions => sleep(EVERY).await,
                ManagedLimit::Unknown => {}
            }
        }
        None
    }
}

impl From<ManagedOrigin> for LimitOrigin {
    fn from(origin: ManagedOrigin) -> Self {
        match origin {
            ManagedOrigin::Policy(name) => Self::Policy(name),
            ManagedOrigin::Argument => Self::Argument,
            ManagedOrigin::Default => Self::Default,
        }
    }
}
