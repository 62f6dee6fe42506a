//! What a delivered message is: a log, the marker that ends a scenario, or neither.

use std::sync::Arc;

use lapin::message::Delivery as Message;
use lapin::types::ShortString;
use loghost_core::application::{Delivery, Item, Reads, Subscription};
use loghost_core::domain::{Descriptor, Filter, Position, Timestamp, TracesRead};

use crate::consume::source_options::SourceOptions;
use crate::message::bind_rules::BindRules;
use crate::message::found_logs;
use crate::message::names::Names;
use crate::message::of_stream::{NoLog, StreamMessage, StreamOriginal};
use crate::message::original::Original;
use crate::message::record::{self, Decode};

/// Who reads messages, and which part of them.
#[derive(Clone, Debug)]
pub(crate) struct Read {
    pub(crate) names: Names,
    /// What is wanted.
    pub(crate) filter: Filter,
    /// Which part of the messages is received, and which part of that is decoded.
    pub(crate) reads: Reads,
    decode: Decode,
    /// The traces that are looked at where the consumer does not publish.
    traces: TracesRead,
    /// How messages of others are read.
    pub(super) rules: BindRules,
    /// The token of the marker that ends a scenario.
    marker: Option<String>,
    /// Whether dead letters may be made of them.
    pub(crate) keeps_originals: bool,
}

impl Read {
    pub(crate) fn new(names: Names, subscription: Subscription<'_>, options: &SourceOptions) -> Self {
        let Subscription { descriptor, reads, .. } = subscription;
        Self {
            names,
            filter: descriptor.filter.clone(),
            reads,
            decode: decode(descriptor, reads, options.traces),
            traces: options.traces,
            rules: options.rules.clone(),
            marker: options.marker.clone(),
            keeps_originals: options.has_dead_letters(reads),
        }
    }

    /// Whether it would be a message's body as well that a consumer which wants `filter` is counted by.
    pub(crate) fn decodes_bodies(&self, filter: &Filter) -> bool {
        self.rules.decode_bodies(filter)
    }

    /// Whoever looks at logs of the past, which become no dead letters.
    pub(crate) fn past(names: Names, (filter, rules): (Filter, BindRules), decode: Decode) -> Self {
        let reads = if decode.message { Reads::Logs } else { Reads::Counts };
        Self {
            names,
            filter,
            reads,
            decode,
            traces: decode.traces,
            rules,
            marker: None,
            keeps_originals: false,
        }
    }

    /// Goes on for a consumer that wants other logs, and looks at no more of them than before.
    pub(crate) fn adjust(&mut self, descriptor: &Descriptor, reads: Reads) {
        self.filter = descriptor.filter.clone();
        self.decode = decode(descriptor, reads, self.traces);
    }

    /// The delivery that a message is to the application.
    pub(crate) fn delivery(
        &self,
        message: Message,
        position: Position,
        now: Timestamp,
    ) -> Delivery<Original> {
        let item = match record::record(&message, &self.names, now, self.decode) {
            Some(record) if record.replayed => {
                let (rules, read) = ((&self.rules, &self.names), (now, self.decode_found()));
                Item::Log(found_logs::replayed(&message, rules, read, record))
            }
            Some(record) => Item::Log(record),
            None if self.is_marker(&message) => Item::Marker,
            None => match found_logs::logs(&message, &self.rules, now, self.decode_found()) {
                Some(logs) => Item::Logs(logs),
                None => Item::Foreign(publication(&message)),
            },
        };
        let original = self.keeps_originals.then(|| Original::Amqp(Arc::new(message)));
        Delivery { position, item, original }
    }

    /// The same of a message of a stream that came through the stream protocol; none if a binding would not have let it
    /// through. What cannot be read is nobody's.
    pub(crate) fn of_stream(
        &self,
        bytes: &[u8],
        stream: &Arc<str>,
        now: Timestamp,
    ) -> Option<(Item, Option<Original>)> {
        if let Some(bound) = self.names.bound_exchange(stream) {
            let item = self.of_bound_stream(bytes, (stream, bound), now)?;
            return Some((item, self.stream_original(stream, bytes)));
        }
        let item = match StreamMessage::parse(bytes, stream) {
            Ok(message) if !self.wants(message.routing_key()) => return None,
            Ok(message) => match message.record(&self.names, now, self.decode) {
                Ok(record) => Item::Log(record),
                Err(_) if self.marker.as_ref().is_some_and(|token| message.is_marker(token)) => Item::Marker,
                Err(no_log) => Item::Foreign(no_log.to_string()),
            },
            Err(error) => Item::Foreign(NoLog::from(error).to_string()),
        };
        Some((item, self.stream_original(stream, bytes)))
    }

    /// The same of a message of the stream of an exchange of others.
    fn of_bound_stream(&self, bytes: &[u8], (stream, bound): (&str, &str), now: Timestamp) -> Option<Item> {
        let message = match StreamMessage::parse(bytes, stream) {
            Ok(message) => message,
            Err(error) => return Some(Item::Foreign(NoLog::from(error).to_string())),
        };
        let exchange = if message.exchange() == stream { bound } else { message.exchange() };
        let route = (exchange, message.routing_key());
        Some(match self.rules.find(route.0, route.1) {
            Some(rule) if rule.bind.is_wanted(&self.filter) => {
                let logs = found_logs::of_stream(&message, route, rule, now, self.decode_found());
                logs.map_or_else(|no_log| Item::Foreign(no_log.to_string()), Item::Logs)
            }
            None if exchange != bound => Item::Foreign(NoLog::Exchange(exchange.to_owned()).to_string()),
            Some(_) | None => return None,
        })
    }

    /// What came of a stream, if dead letters may be made of it.
    pub(crate) fn stream_original(&self, stream: &Arc<str>, bytes: &[u8]) -> Option<Original> {
        self.keeps_originals.then(|| Original::Stream(StreamOriginal::new(stream, bytes)))
    }

    /// The streams that have what is wanted.
    pub(crate) fn streams(&self) -> Vec<String> {
        let severities = self.filter.severities().iter();
        let own = severities.map(|severity| self.names.exchange(severity).to_owned());
        own.chain(self.rules.streams(&self.names, &self.filter)).collect()
    }

    /// Whether bindings of a queue would let a message of `stream` through that was published with this exchange and routing
    /// key.
    pub(crate) fn takes(&self, stream: &str, exchange: &str, routing_key: &str) -> bool {
        let Some(bound) = self.names.bound_exchange(stream) else { return self.wants(routing_key) };
        match self.rules.find(exchange, routing_key) {
            Some(rule) => rule.bind.is_wanted(&self.filter),
            None => exchange != bound,
        }
    }

    /// Whether nobody reads the bodies of the messages of `stream`.
    pub(crate) fn leaves_out_bodies(&self, stream: &str) -> bool {
        let is_bound = self.names.bound_exchange(stream).is_some();
        self.reads == Reads::Counts && !(is_bound && self.rules.decode_bodies(&self.filter))
    }

    /// Whether a binding of a queue would let a log with this routing key through.
    fn wants(&self, routing_key: &str) -> bool {
        self.filter.sources().iter().any(|pattern| pattern.matches(routing_key))
    }

    /// The parts that somebody will read of what is found in messages of others: one of several is all that its dead letter has.
    fn decode_found(&self) -> Decode {
        Decode { attributes: self.decode.attributes || self.keeps_originals, ..self.decode }
    }

    fn is_marker(&self, message: &Message) -> bool {
        let id = message.properties.message_id().as_ref().map(ShortString::as_str);
        let kind = message.properties.kind().as_ref().map(ShortString::as_str);
        let marker = self.marker.as_deref();
        marker.is_some() && id == marker && kind == Some(record::MARKER_TYPE)
    }
}

/// How a message was published that is no log.
fn publication(message: &Message) -> String {
    match message.exchange.as_str() {
        "" => "it was published directly to the queue".to_owned(),
        exchange => format!("it came through the exchange `{exchange}`, which is no severity's"),
    }
}

/// The parts of a log that the consumer reads.
fn decode(descriptor: &Descriptor, reads: Reads, traces: TracesRead) -> Decode {
    let message = reads == Reads::Logs;
    let traces = match traces {
        _ if !message => TracesRead::None,
        // One that is not recorded goes on in what it publishes.
        TracesRead::Recorded if !descriptor.publishes.is_empty() => TracesRead::All,
        traces => traces,
    };
    Decode { message, attributes: message && descriptor.fields.attributes, traces }
}
