//! A message in a queue of dead letters: a dead letter, or something that somebody else has published there.

use lapin::BasicProperties;
use lapin::message::Delivery as Message;
use lapin::types::{AMQPValue, FieldTable};
use loghost_core::application::{Cause, DeadLetterFacts, FoundMessage};
use loghost_core::domain::{Severity, Timestamp};

use crate::dead_letters::writer as dead;
use crate::message::headers::{self, Headers};
use crate::message::names::Names;
use crate::message::record::{self, Route};
use crate::message::values;

/// A message in a queue of dead letters.
pub struct DeadLetter {
    /// Its position in the queue, from 1.
    pub number: u32,
    /// How it came here; none if it is no dead letter.
    pub headers: Option<DeadLetterHeaders>,
    pub(crate) message: Message,
}

/// What is known of a dead letter.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DeadLetterHeaders {
    /// The log's severity; none of a message that was not published as a log.
    pub severity: Option<Severity>,
    /// The log's source; empty if it has none.
    pub source: String,
    /// Which of the logs of its message it is, as `2/3`, if there were several.
    pub log_number: Option<String>,
    /// The exchange that it was published to.
    pub exchange: String,
    /// The routing key with which it was.
    pub routing_key: String,
    /// Why it was given up, by kind.
    pub cause: Cause,
    /// Why it was given up, as text.
    pub reason: String,
    /// Where in the plugin it failed, one frame a line.
    pub backtrace: Option<String>,
    /// How many attempts were made at it.
    pub attempts: u32,
    /// When it was given up.
    pub at: Option<Timestamp>,
    /// Which plugin gave it up.
    pub plugin: Plugin,
    /// The properties that the broker would act on again, by their names.
    pub original: Vec<(String, String)>,
    /// How many of the log's headers had no room.
    pub left_out: u64,
}

/// The plugin that gave a log up.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Plugin {
    pub name: String,
    pub version: String,
    pub sha256: String,
}

impl DeadLetter {
    /// Reads a message of the queue `dead_queue`.
    pub(crate) fn read(number: u32, message: Message, names: &Names, dead_queue: &str) -> Self {
        let headers = message.properties.headers().as_ref().and_then(|headers| {
            let death = Death::read(headers).filter(|death| Names::is_dead_queue_of(dead_queue, death.queue));
            match death {
                // All other headers are the producer's.
                Some(death) => Some(DeadLetterHeaders::of(&death, &message.properties, headers, names)),
                None => DeadLetterHeaders::read(&message.properties, headers, names),
            }
        });
        Self { number, headers, message }
    }

    /// What it is to whoever decides what is done with it.
    pub fn found(&self) -> FoundMessage<'_> {
        let dead_letter = self.headers.as_ref().map(DeadLetterHeaders::facts);
        FoundMessage { number: self.number, id: self.id(), dead_letter }
    }

    /// The message id.
    pub fn id(&self) -> Option<&str> {
        self.message.properties.message_id().as_ref().map(lapin::types::ShortString::as_str)
    }

    /// When the producer says it was written.
    pub fn timestamp(&self) -> Option<Timestamp> {
        record::timestamp(&self.message.properties)
    }

    /// What else the log says.
    pub fn attributes(&self) -> Vec<(String, String)> {
        record::attributes(&self.message.properties)
    }

    /// The text; invalid UTF-8 is replaced.
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.message.data).into_owned()
    }

    /// The exchange through which it came into this queue; empty if it was published directly to it.
    pub fn came_through(&self) -> &str {
        self.message.exchange.as_str()
    }

    /// The properties with which it is sent back.
    pub(crate) fn replay_properties(&self, frame_max: usize) -> BasicProperties {
        let properties = headers::retained(&self.message.properties);
        let mut headers = Headers::beside(&properties, frame_max);
        for (key, value) in self.message.properties.headers().iter().flat_map(FieldTable::inner) {
            let key = key.as_str();
            let stays = matches!(key, record::EXCHANGE | record::ROUTING_KEY | record::ATTEMPTS)
                || matches!(key, record::SEVERITY | record::SOURCE | record::LOG_NUMBER)
                || key.starts_with(headers::ORIGINAL);
            if stays || !headers::acts(key) {
                headers.put(key, value.clone());
            }
        }
        let mut headers = headers.finish();
        if let Some(said) = &self.headers {
            // What the broker itself has dead-lettered does not have them.
            let text = |text: &str| AMQPValue::LongString(text.into());
            headers.insert(record::EXCHANGE.into(), text(&said.exchange));
            headers.insert(record::ROUTING_KEY.into(), text(&said.routing_key));
            headers.insert(record::ATTEMPTS.into(), AMQPValue::LongLongInt(said.attempts.into()));
        }
        // There is room: `Headers` reserves it.
        headers.insert(record::REPLAY.into(), AMQPValue::Boolean(true));
        properties.with_headers(headers)
    }
}

impl DeadLetterHeaders {
    fn read(properties: &BasicProperties, headers: &FieldTable, names: &Names) -> Option<Self> {
        let text = |key: &str| record::header_text(headers, key).map(str::to_owned);
        let outcome = record::header_text(headers, dead::OUTCOME)?;
        // What the broker has dropped has none of these headers.
        let mut written = Cause::ALL.into_iter().filter(|cause| *cause != Cause::Dropped);
        let cause = written.find(|cause| dead::outcome(*cause) == outcome)?;
        let Route { exchange, routing_key, attempts } = Route::from_headers(headers)?;
        let severity = names.severity(exchange).or_else(|| record::found_severity(headers));
        if severity.is_none() && !matches!(cause, Cause::Foreign | Cause::Undeliverable) {
            return None;
        }
        let original = headers.inner().iter().filter_map(|(key, value)| {
            Some((key.as_str().strip_prefix(headers::ORIGINAL)?.to_owned(), values::text(value)))
        });
        Some(Self {
            severity,
            source: text(record::SOURCE).unwrap_or_else(|| {
                severity.map_or("", |_| record::source(properties, routing_key)).to_owned()
            }),
            log_number: text(record::LOG_NUMBER),
            exchange: exchange.to_owned(),
            routing_key: routing_key.to_owned(),
            cause,
            reason: text(dead::REASON).unwrap_or_default(),
            backtrace: text(dead::BACKTRACE),
            attempts,
            at: record::header_number(headers, dead::TIME).map(Timestamp::from_millis),
            plugin: Plugin {
                name: text(dead::PLUGIN).unwrap_or_default(),
                version: text(dead::VERSION).unwrap_or_default(),
                sha256: text(dead::DIGEST).unwrap_or_default(),
            },
            original: original.collect(),
            left_out: record::header_number(headers, headers::LEFT_OUT).unwrap_or_default(),
        })
    }

    /// What the rules ask of it.
    fn facts(&self) -> DeadLetterFacts<'_> {
        DeadLetterFacts {
            severity: self.severity,
            source: &self.source,
            cause: self.cause,
            reason: &self.reason,
            is_route_known: !self.exchange.is_empty(),
        }
    }

    /// That of a log which the broker took out of the consumer's queue.
    fn of(death: &Death<'_>, properties: &BasicProperties, headers: &FieldTable, names: &Names) -> Self {
        let Route { exchange, routing_key, attempts } = death.route(headers);
        let severity = names.severity(exchange);
        Self {
            severity,
            source: severity.map_or("", |_| record::source(properties, routing_key)).to_owned(),
            exchange: exchange.to_owned(),
            routing_key: routing_key.to_owned(),
            log_number: None,
            cause: Cause::Dropped,
            reason: format!("the broker took it out of the queue: {}", death.reason),
            backtrace: None,
            attempts,
            at: death.at,
            plugin: Plugin::default(),
            original: Vec::new(),
            left_out: 0,
        }
    }

    /// How its cause is called.
    pub fn outcome(&self) -> &'static str {
        dead::outcome(self.cause)
    }
}

/// The entry of `x-death` of a message that the broker has dead-lettered.
struct Death<'a> {
    queue: &'a str,
    reason: &'a str,
    exchange: &'a str,
    routing_key: &'a str,
    at: Option<Timestamp>,
}

impl<'a> Death<'a> {
    /// The last one.
    fn read(headers: &'a FieldTable) -> Option<Self> {
        let AMQPValue::FieldArray(deaths) = headers.inner().get("x-death")? else { return None };
        let AMQPValue::FieldTable(death) = deaths.as_slice().first()? else { return None };
        let AMQPValue::FieldArray(keys) = death.inner().get("routing-keys")? else { return None };
        let AMQPValue::LongString(routing_key) = keys.as_slice().first()? else { return None };
        let at = match death.inner().get("time") {
            Some(AMQPValue::Timestamp(seconds)) => Some(Timestamp::from_millis(seconds.saturating_mul(1000))),
            _ => None,
        };
        Some(Self {
            queue: record::header_text(death, "queue")?,
            reason: record::header_text(death, "reason")?,
            exchange: record::header_text(death, "exchange")?,
            routing_key: std::str::from_utf8(routing_key.as_bytes()).ok()?,
            at,
        })
    }

    /// Where it was published to. A replay was not published to the exchange of a severity the second time.
    fn route(&self, headers: &'a FieldTable) -> Route<'a> {
        let Self { exchange, routing_key, .. } = *self;
        let replayed = Route::from_headers(headers).filter(|_| record::is_replay(exchange, headers));
        replayed.unwrap_or(Route { exchange, routing_key, attempts: 0 })
    }
}
