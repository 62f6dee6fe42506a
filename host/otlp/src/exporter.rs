//! Sending metrics and traces, in tasks of their own, which nothing waits for.

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use loghost_board::metrics::Figures;
use loghost_board::{Board, Depths, Measuring, Signal};
use loghost_core::application::Observer;
use prost::Message;
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};

use crate::collector::{Collector, NotTaken};
use crate::event::ExportEvent;
use crate::metrics::{self, TimeSpan};
use crate::options::Options;
use crate::proto::trace::{ResourceSpans, ScopeSpans, Span};
use crate::proto::{KeyValue, Resource, Scope, metrics as metrics_proto, trace};
use crate::signal_sender::{SignalSender, Told};
use crate::spans::{Spans, nanos};
use crate::waiting::WaitingSpans;

/// What is sent, and who is told.
pub struct Exports {
    /// Whose figures are sent, and where it is counted what is.
    pub board: Arc<Board>,
    /// Who is asked for what plugins measure, before their figures are sent.
    pub measuring: Arc<dyn Measuring>,
    /// Is told when the collector does not take what is sent.
    pub observer: Arc<dyn Observer>,
    /// The version of this program.
    pub version: &'static str,
    /// What this process is recognised by among others of the same name.
    pub instance: String,
}

/// Sends metrics and traces for as long as it is there.
pub struct Exporter {
    tasks: JoinSet<()>,
    stop: watch::Sender<bool>,
    spans: Option<Arc<Spans>>,
    told: Arc<Told>,
}

/// After which time spans are sent again that were not taken, at first and at most.
const FIRST_RETRY: Duration = Duration::from_secs(1);
const LAST_RETRY: Duration = Duration::from_secs(30);

/// How long the end waits for the last of them to be sent.
const LAST: Duration = Duration::from_secs(3);

impl Exporter {
    /// Begins to send what the options ask for. Must be called within a runtime.
    pub fn start(options: Options, exports: Exports) -> Self {
        let Options { metrics, traces, interval, resource, .. } = options;
        let Exports { board, measuring, observer, version, instance } = exports;
        board.exports().begin();
        let mut attributes: Vec<KeyValue> =
            resource.into_iter().map(|(key, value)| KeyValue::text(&key, value)).collect();
        for (key, value) in [("service.version", version), ("service.instance.id", &instance)] {
            if attributes.iter().all(|attribute| attribute.key != key) {
                attributes.push(KeyValue::text(key, value));
            }
        }
        let scope = Scope { name: "loghost".to_owned(), version: version.to_owned() };
        let told = Arc::new(Told { board, observer, resource: Resource { attributes }, scope, version });
        let (stop, stopped) = watch::channel(false);
        let mut tasks = JoinSet::new();
        if let Some(endpoint) = metrics {
            let sender = SignalSender::new(Collector::new(endpoint), Signal::Metrics, &told);
            tasks.spawn(send_metrics(sender, measuring, interval, stopped.clone()));
        }
        let spans = traces.map(|endpoint| {
            let waiting = Arc::new(WaitingSpans::default());
            let sender = SignalSender::new(Collector::new(endpoint), Signal::Traces, &told);
            tasks.spawn(send_spans(sender, Arc::clone(&waiting), stopped));
            let (exports, observer) = (Arc::clone(told.board.exports()), Arc::clone(&told.observer));
            Arc::new(Spans::new(waiting, exports, observer))
        });
        Self { tasks, stop, spans, told }
    }

    /// Who makes spans of events, if traces are sent.
    pub fn spans(&self) -> Option<Arc<Spans>> {
        self.spans.clone()
    }

    /// Sends what there is, and ends. Waits for that for 3 s at most; says what was dropped in all.
    pub async fn end(mut self) {
        self.stop.send_replace(true);
        let ended = async { while self.tasks.join_next().await.is_some() {} };
        // What waits for an answer is abandoned.
        let _ = timeout(LAST, ended).await;
        self.tasks.shutdown().await;
        let exports = self.told.board.exports();
        exports.end();
        let dropped = exports.figures().map_or(0, |figures| figures.spans_dropped);
        if dropped > 0 {
            self.told.tell(&ExportEvent::SpansWereDropped(dropped));
        }
    }
}

/// Is ready when the end has come.
async fn ended(stopped: &mut watch::Receiver<bool>) {
    // Without anybody who could say so, it has come as well.
    let _ = stopped.wait_for(|stopped| *stopped).await;
}

async fn send_metrics(
    mut sender: SignalSender,
    measuring: Arc<dyn Measuring>,
    interval: Duration,
    mut stopped: watch::Receiver<bool>,
) {
    let start = nanos(SystemTime::now());
    loop {
        let is_last = tokio::select! {
            () = ended(&mut stopped) => true,
            () = sleep(interval) => false,
        };
        let told = Arc::clone(&sender.told);
        let figures = if is_last {
            // Nobody is there any more to be asked.
            Figures::of(&told.board, Depths::default(), told.version)
        } else {
            Figures::asked(&told.board, &*measuring, told.version).await
        };
        let span = TimeSpan { start, now: nanos(SystemTime::now()) };
        let scope_metrics = metrics_proto::ScopeMetrics {
            scope: Some(told.scope.clone()),
            metrics: metrics::metrics(&figures.families(), span),
        };
        let resource_metrics = metrics_proto::ResourceMetrics {
            resource: Some(told.resource.clone()),
            scope_metrics: vec![scope_metrics],
        };
        let request = metrics_proto::MetricsRequest { resource_metrics: vec![resource_metrics] };
        // The next ones have all that is in these.
        let _ = sender.send(request.encode_to_vec()).await;
        if is_last {
            return;
        }
    }
}

async fn send_spans(
    mut sender: SignalSender,
    waiting: Arc<WaitingSpans>,
    mut stopped: watch::Receiver<bool>,
) {
    loop {
        let spans = waiting.take(ended(&mut stopped)).await;
        if spans.is_empty() {
            return waiting.close();
        }
        let count = spans.len() as u64;
        let message = request(&sender.told, spans).encode_to_vec();
        match send_again(&mut sender, &message, &mut stopped).await {
            Ok(rejected) => {
                let rejected = rejected.min(count);
                sender.told.board.exports().sent(count - rejected, rejected);
            }
            Err(_) => sender.told.board.exports().sent(0, count),
        }
    }
}

/// Sends a message until it is taken, or would never be; returns how many of its parts were rejected. At the end it is sent only
/// once more.
async fn send_again(
    sender: &mut SignalSender,
    message: &[u8],
    stopped: &mut watch::Receiver<bool>,
) -> Result<u64, NotTaken> {
    let mut delay = FIRST_RETRY;
    loop {
        let is_last = *stopped.borrow();
        match sender.send(message.to_vec()).await {
            Err(NotTaken::Now(_)) if !is_last => {}
            sent => return sent,
        }
        tokio::select! {
            () = ended(stopped) => {}
            () = sleep(delay) => {}
        }
        delay = (delay * 2).min(LAST_RETRY);
    }
}

fn request(told: &Told, spans: Vec<Span>) -> trace::TraceRequest {
    let scope_spans = ScopeSpans { scope: Some(told.scope.clone()), spans };
    let resource_spans =
        ResourceSpans { resource: Some(told.resource.clone()), scope_spans: vec![scope_spans] };
    trace::TraceRequest { resource_spans: vec![resource_spans] }
}
