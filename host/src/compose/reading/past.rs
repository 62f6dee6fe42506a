//! The logs that streams have, for whoever only looks at them.

use std::sync::Arc;

use loghost_core::application::Observer;
use loghost_core::domain::{ConsumerName, Filter};
use loghost_rabbitmq::{
    Begin, BindRules, Decode, PastOptions, PastStreams, ReconnectingConnection, Span, StreamAddress,
};

use crate::compose::failure::{Failure, Status, WithStatus};
use crate::compose::target::{Target, refused};
use crate::ui::terminal::LogObserver;

/// Which span of the streams is read.
#[derive(Clone, Debug)]
pub(crate) struct Past {
    pub(crate) from: Begin,
    /// Without it, to the end.
    pub(crate) until: Option<Begin>,
    /// Where the stream protocol is spoken, if not where the broker says.
    pub(crate) address: Option<StreamAddress>,
}

/// The logs of a span, and what they are read through.
pub(crate) struct OpenedPast {
    pub(crate) connection: Arc<ReconnectingConnection>,
    pub(crate) logs: PastStreams,
}

impl Past {
    /// Opens the streams of what `filter` wants, also of the exchanges that the `rules` name, as a reader of this `name` that looks at so much of each log.
    pub(crate) async fn open(
        &self,
        target: &Target,
        name: &str,
        (filter, rules): (Filter, BindRules),
        decode: Decode,
    ) -> Result<OpenedPast, Failure> {
        let observer: Arc<dyn Observer> = Arc::new(LogObserver::default());
        let connection = target.connect_observed(name, observer).await?;
        let options = PastOptions {
            filter,
            rules,
            decode,
            from: self.from,
            until: self.until,
            address: self.address.clone(),
            reader: ConsumerName::new(name).status(Status::Internal)?,
        };
        let opening = PastStreams::open(Arc::clone(&connection), target.names.clone(), options);
        let logs = match Box::pin(opening).await {
            Ok(logs) => logs,
            Err(error) => {
                connection.close().await;
                return Err(refused(error));
            }
        };
        if let Some(why) = self.is_behind(logs.spans()) {
            connection.close().await;
            return Err(Failure::new(Status::Usage, why));
        }
        Ok(OpenedPast { connection, logs })
    }

    /// Why there can be nothing in these spans, if that is so.
    fn is_behind<'a>(&self, spans: impl Iterator<Item = &'a Span>) -> Option<String> {
        let spans: Vec<&Span> = spans.collect();
        match (self.from, self.until) {
            (Begin::Offset(from), _) if spans.iter().all(|span| from > span.end) => {
                let ends = spans.iter().map(|span| match span.end.checked_sub(1) {
                    Some(last) => format!("`{}` ends at offset {last}", span.stream),
                    None => format!("`{}` is empty", span.stream),
                });
                let ends = ends.collect::<Vec<_>>().join(", ");
                Some(format!("--from {from} is behind the end: the stream {ends}"))
            }
            (Begin::Offset(from), Some(Begin::Offset(until)))
            | (Begin::Time(from), Some(Begin::Time(until)))
                if until < from =>
            {
                Some("--until is before --from: there is nothing between them".to_owned())
            }
            _ => None,
        }
    }
}

impl OpenedPast {
    /// Ends reading.
    pub(crate) async fn close(self) {
        self.logs.close().await;
        self.connection.close().await;
    }
}
