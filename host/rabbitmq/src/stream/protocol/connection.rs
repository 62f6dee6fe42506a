//! A connection to the streams of a broker.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use loghost_core::domain::printable_line;
use tokio::sync::{mpsc, oneshot, watch};
use tokio::task::JoinHandle;
use tokio::time::timeout;

use crate::connection::open::CLOSE_TIMEOUT;
use crate::stream::protocol::code::ResponseCode;
use crate::stream::protocol::command::{Notice, Request};
use crate::stream::protocol::connect_error::StreamConnectError;
use crate::stream::protocol::driver::drive;
use crate::stream::protocol::endpoint::StreamEndpoint;
use crate::stream::protocol::error::{Loss, StreamError, Unsendable};
use crate::stream::protocol::incoming::{Answer, Body};
use crate::stream::protocol::login::log_in;
use crate::stream::protocol::metadata::StreamMetadata;
use crate::stream::protocol::offset::OffsetSpec;
use crate::stream::protocol::requests::Waiter;
use crate::stream::protocol::session::{Order, Subscribe, fitting};
use crate::stream::protocol::statistics::StreamStatistics;
use crate::stream::protocol::subscription::Subscription;
use crate::stream::protocol::subscriptions::ChunkSender;
use crate::stream::protocol::transport::connect;

/// How long the broker may take to answer.
pub(crate) const REQUEST_TIMEOUT: Duration = Duration::from_secs(10);

/// How many orders may wait for the connection's task.
const ORDERS: usize = 64;

/// A connection to the streams of a broker. It ends when it is dropped, and its subscriptions with it.
pub struct StreamConnection {
    endpoint: StreamEndpoint,
    /// The endpoint as it is shown.
    shown: Arc<str>,
    /// Where the broker says that it is to be reached.
    advertised: Option<(String, u16)>,
    /// The longest frame that the broker takes, in bytes.
    frame_max: u32,
    orders: mpsc::Sender<Order>,
    ended: watch::Receiver<Option<Loss>>,
    driver: Mutex<Option<JoinHandle<()>>>,
}

/// What to read of a stream.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SubscribeOptions {
    /// The name of the stream.
    pub stream: String,
    /// Where to begin.
    pub from: OffsetSpec,
    /// How many chunks the broker sends before credit is given back: from 1 to 32767. They are stored until they are read.
    pub credit: u16,
    /// Properties of the subscription, such as `name`, which the broker shows.
    pub properties: Vec<(String, String)>,
}

impl StreamConnection {
    /// Connects and logs in. The broker knows the connection by its `name`.
    pub async fn open(endpoint: &StreamEndpoint, name: &str) -> Result<Self, StreamConnectError> {
        let opening = async { log_in(endpoint, connect(endpoint).await?, name).await };
        let opened = timeout(endpoint.timeout(), opening).await;
        let opened =
            opened.unwrap_or_else(|_| Err(StreamConnectError::timeout(endpoint, endpoint.timeout())))?;
        let (orders, to_do) = mpsc::channel(ORDERS);
        let (end, ended) = watch::channel(None);
        let (advertised, frame_max) = (opened.advertised.clone(), opened.limits.frame_max);
        let driver = tokio::spawn(drive(opened, to_do, end));
        let (endpoint, shown) = (endpoint.clone(), endpoint.to_string().into());
        Ok(Self { endpoint, shown, advertised, frame_max, orders, ended, driver: Mutex::new(Some(driver)) })
    }

    /// Where it is connected to.
    pub fn endpoint(&self) -> &StreamEndpoint {
        &self.endpoint
    }

    /// The host and the port where the broker says that it is to be reached, which may not be reachable from here.
    pub fn advertised(&self) -> Option<(&str, u16)> {
        self.advertised.as_ref().map(|(host, port)| (&**host, *port))
    }

    /// Which nodes have these streams; one entry each, in the broker's order.
    pub async fn metadata(&self, streams: &[&str]) -> Result<Vec<StreamMetadata>, StreamError> {
        let what = || format!("where the streams {} are", streams.join(", "));
        let streams = streams.iter().map(ToString::to_string).collect();
        match self.ask(what, Request::Metadata { streams }).await?.body {
            Body::Metadata(metadata) => Ok(metadata),
            _ => Ok(Vec::new()),
        }
    }

    /// Begins to read a stream, which must have a member on this node.
    pub async fn subscribe(&self, options: SubscribeOptions) -> Result<Subscription, StreamError> {
        let SubscribeOptions { stream, from, credit, properties } = options;
        // The broker reads the credit as a signed number.
        let credit = credit.clamp(1, i16::MAX.unsigned_abs());
        let (chunks, deliveries) = mpsc::channel(credit.into());
        let (end, (granted, key)) = (Arc::default(), oneshot::channel());
        let reader = ChunkSender { deliveries: chunks, end: Arc::clone(&end) };
        let subscribe = Subscribe { stream: stream.clone(), from, credit, properties };
        let what = || format!("to read the stream {stream}");
        let order = |waiter| Order::Subscribe(subscribe, reader, granted, waiter);
        self.request(&what, order).await?;
        let key = key.await.map_err(|_| self.lost())?;
        let (endpoint, orders, ended) = (Arc::clone(&self.shown), self.orders.clone(), self.ended.clone());
        Ok(Subscription { endpoint, stream, key, deliveries, end, ended, orders, taken: 0 })
    }

    /// The offset that is stored for a stream under the name `reference`; none if none is.
    pub async fn query_offset(&self, reference: &str, stream: &str) -> Result<Option<u64>, StreamError> {
        let what = || format!("the stored offset of the stream {stream}");
        let (reference, named) = (reference.to_owned(), stream.to_owned());
        let request = Request::QueryOffset { reference, stream: named };
        match self.ask(what, request).await {
            Ok(Answer { body: Body::Offset(offset), .. }) => Ok(Some(offset)),
            Ok(_) | Err(StreamError::Refused { code: ResponseCode::NoOffset, .. }) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Has an offset stored for a stream under the name `reference`, of up to 255 bytes. The broker does not answer, also
    /// where it refuses: the user needs the permission to write to the stream.
    pub async fn store_offset(&self, reference: &str, stream: &str, offset: u64) -> Result<(), StreamError> {
        let notice =
            Notice::StoreOffset { reference: reference.to_owned(), stream: stream.to_owned(), offset };
        let frame =
            notice.encode().map_err(Unsendable::from).and_then(|frame| fitting(frame, self.frame_max));
        let what = || format!("an offset of the stream {stream} to be stored");
        let frame = frame.map_err(|reason| self.unsendable(&what, reason))?;
        self.orders.send(Order::Send(frame)).await.map_err(|_| self.lost())
    }

    /// How far a stream goes.
    pub async fn statistics(&self, stream: &str) -> Result<StreamStatistics, StreamError> {
        let what = || format!("the statistics of the stream {stream}");
        match self.ask(what, Request::Statistics { stream: stream.to_owned() }).await?.body {
            Body::Numbers(numbers) => Ok(StreamStatistics::of(&numbers)),
            _ => Ok(StreamStatistics::default()),
        }
    }

    /// Waits until it ends, and says why it has.
    pub async fn ended(&self) -> Loss {
        let mut ended = self.ended.clone();
        let ended = ended.wait_for(Option::is_some).await.ok().and_then(|loss| loss.clone());
        ended.unwrap_or(Loss::Closed)
    }

    /// Closes it; is ready when the broker has answered, and after two seconds at most.
    pub async fn close(&self) {
        let driver = self.driver.lock().unwrap_or_else(PoisonError::into_inner).take();
        let Some(mut driver) = driver else { return };
        let closing = async {
            // If there is nobody to order, it has ended.
            let _ = self.orders.send(Order::Close).await;
            let _ = (&mut driver).await;
        };
        if timeout(CLOSE_TIMEOUT, closing).await.is_err() {
            driver.abort();
            // It has been ended, or has ended by itself.
            let _ = driver.await;
        }
    }

    /// The broker's answer, if it is not a refusal.
    async fn ask(&self, what: impl Fn() -> String, request: Request) -> Result<Answer, StreamError> {
        self.request(&what, |waiter| Order::Ask(request, waiter)).await
    }

    async fn request(
        &self,
        what: &impl Fn() -> String,
        order: impl FnOnce(Waiter) -> Order,
    ) -> Result<Answer, StreamError> {
        let (waiter, answered) = oneshot::channel();
        let asking = async {
            self.orders.send(order(waiter)).await.map_err(|_| self.lost())?;
            answered.await.map_err(|_| self.lost())?.map_err(|reason| self.unsendable(what, reason))
        };
        let endpoint = Arc::clone(&self.shown);
        let what = || printable_line(&what()).into_owned();
        match timeout(REQUEST_TIMEOUT, asking).await {
            Ok(Ok(answer)) if answer.code == ResponseCode::Ok => Ok(answer),
            Ok(Ok(Answer { code, .. })) => Err(StreamError::Refused { endpoint, what: what(), code }),
            Ok(Err(error)) => Err(error),
            Err(_) => Err(StreamError::Unanswered { endpoint, what: what(), waited: REQUEST_TIMEOUT }),
        }
    }

    fn unsendable(&self, what: &impl Fn() -> String, reason: Unsendable) -> StreamError {
        let what = printable_line(&what()).into_owned();
        StreamError::Unsendable { endpoint: Arc::clone(&self.shown), what, reason }
    }

    fn lost(&self) -> StreamError {
        StreamError::Lost { endpoint: Arc::clone(&self.shown), loss: loss(&self.ended) }
    }
}

impl Drop for StreamConnection {
    fn drop(&mut self) {
        let driver = self.driver.get_mut().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(driver) = driver {
            driver.abort();
        }
    }
}

/// Why a connection has ended that has; one that was dropped is closed.
pub(crate) fn loss(ended: &watch::Receiver<Option<Loss>>) -> Loss {
    ended.borrow().clone().unwrap_or(Loss::Closed)
}
