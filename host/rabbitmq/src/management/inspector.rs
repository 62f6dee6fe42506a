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
    at: Instant,
    /// None if it is not there, or does not answer as it should.
    api: Option<BrokerApi>,
}

/// How long an API that did not answer is not asked again.
const RETRY_AFTER: Duration = Duration::from_mins(5);

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
        if !attempt.as_ref().is_some_and(|attempt| attempt.is_good_for(address)) {
            let api = BrokerApi::find(connection, self.given.as_ref()).await.and_then(Result::ok);
            *attempt = Some(Attempt { address: address.clone(), at: Instant::now(), api });
        }
        let attempt = attempt.as_mut()?;
        let Ok(Ok(inspection)) = timeout(TIMEOUT, inspect(attempt.api.as_ref()?, queue)).await else {
            (attempt.at, attempt.api) = (Instant::now(), None);
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

impl Attempt {
    fn is_good_for(&self, address: &Address) -> bool {
        self.address == *address && (self.api.is_some() || self.at.elapsed() < RETRY_AFTER)
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
