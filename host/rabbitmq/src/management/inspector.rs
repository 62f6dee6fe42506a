//! Asking a broker's management API what AMQP does not tell of a queue, while a consumer runs: one request at a time, and
//! without a message where there is no answer.

use std::fmt;
use std::time::Duration;

use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use tokio::sync::Mutex;
use tokio::time::{Instant, timeout};

use crate::connection::address::Address;
use crate::connection::open::Connection;
use crate::management::api::ManagementError;
use crate::management::of_broker::BrokerApi;
use crate::management::queue::ManagedQueue;
use crate::management::url::ManagementUrl;
use crate::topology::inspection::{Inspect, Inspection, Rules};

/// The management API of the broker that a run consumes from.
pub struct Inspector {
    given: Option<ManagementUrl>,
    /// Locked during a request.
    attempt: Mutex<Option<Attempt>>,
}

/// The result of looking for the API of a broker.
struct Attempt {
    address: Address,
    /// None if it is not there.
    api: Option<BrokerApi>,
    /// It is not looked for, nor asked, before this time.
    next: Instant,
}

/// How long an API that is not where a broker usually has it is not looked for again.
const RETRY_AFTER: Duration = Duration::from_mins(5);

/// How long one that was there, or that was given, is not asked again after it did not answer.
const PAUSE: Duration = Duration::from_secs(5);

/// How long an answer may take: the check of the bindings waits for it.
const TIMEOUT: Duration = Duration::from_secs(2);

/// How long the requests of others are waited for.
const LOCK_TIMEOUT: Duration = Duration::from_secs(10);

impl Inspector {
    /// The API at `given`, or where a broker usually has it.
    pub fn new(given: Option<ManagementUrl>) -> Self {
        Self { given, attempt: Mutex::default() }
    }

    async fn ask(&self, connection: &Connection, queue: &str) -> Option<Inspection> {
        let mut attempt = timeout(LOCK_TIMEOUT, self.attempt.lock()).await.ok()?;
        let address = connection.address();
        let known = attempt.as_ref().filter(|attempt| attempt.address == *address);
        if known.is_some_and(|attempt| Instant::now() < attempt.next) {
            return None;
        }
        if known.is_none_or(|attempt| attempt.api.is_none()) {
            let api = BrokerApi::find(connection, self.given.as_ref()).await.and_then(Result::ok);
            let pause = match (&api, &self.given) {
                (Some(_), _) => Duration::ZERO,
                (None, Some(_)) => PAUSE,
                (None, None) => RETRY_AFTER,
            };
            *attempt = Some(Attempt { address: address.clone(), api, next: Instant::now() + pause });
        }
        let attempt = attempt.as_mut()?;
        let Ok(Ok(inspection)) = timeout(TIMEOUT, inspect(attempt.api.as_ref()?, queue)).await else {
            attempt.next = Instant::now() + PAUSE;
            return None;
        };
        inspection
    }
}

impl Inspect for Inspector {
    fn inspect<'a>(
        &'a self,
        connection: &'a Connection,
        queue: &'a str,
    ) -> BoxFuture<'a, Option<Inspection>> {
        self.ask(connection, queue).boxed()
    }
}

impl fmt::Debug for Inspector {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Without the password.
        f.debug_struct("Inspector").field("given", &self.given).finish_non_exhaustive()
    }
}

async fn inspect(api: &BrokerApi, queue: &str) -> Result<Option<Inspection>, ManagementError> {
    let (Some(managed), Some(bindings)) = (api.queue(queue).await?, api.bindings(queue).await?) else {
        return Ok(None);
    };
    Ok(Some(Inspection { bindings, rules: rules(&managed) }))
}

fn rules(queue: &ManagedQueue) -> Option<Rules> {
    Some(Rules { policy: queue.policy()?, limit: queue.delivery_limit()? })
}
